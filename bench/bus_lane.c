/* The host's side of lanes over a bus: rk_send_many into a host lane of `unit` slots, rk_receive_many from an out
 * lane, 256 messages of 36 bytes at a time, beside the loops that the bare programs of bench/gpu have on the host.
 * No GPU takes part. Alone, nobody is at the other end: what a call takes is timed, and between the samples the
 * slots are emptied or filled. With a thread that plays the device, which reads or writes units and posts the
 * head, the whole loop is timed, as rows 3 and 4 of bench/gpu do it: messages are made, sent, received, checked.
 * Then one message under way, and what a call for one costs. */
#include <string.h>

#include <ringkernel/ringkernel.h>

#include "bench.rk.h"
#include "gpu/raw_slot.h"
#include "harness.h"
#include "must.h"
#include "runtime/core.h"

#define STREAM 1048576u /* messages of a trial */
#define SINGLY 65536u
#define TRIPS 20000u
#define AWAY_NS 2000u /* that a far device takes */
#define ROUNDS 15u
#define HOST 1u /* cores, as bits */
#define OTHER 2u

/* ------------------------------------------------------------------ the two kinds of slots */

/* The library's: a short header and nine words that follow from the number, as `item` of bench/gpu has them. */
static inline __m128i own_unit(uint64_t i, uint32_t u)
{
    const int n = (int)(uint32_t)i, lap = (int)lap_of(i);
    if (u == 0) return _mm_set_epi32(0, 0, RK_TYPE_ID(unit_message) | 36 << 16, lap);
    if (u == 1) return _mm_set_epi32(~n, 0, n, lap);
    return _mm_set_epi32(n + 3 * (int)u - 1, n + 3 * (int)u - 2, n + 3 * (int)u - 3, lap);
}

static void fill(unit_message *m, uint32_t n)
{
    m->word[0] = n;
    m->word[1] = 0;
    m->word[2] = ~n;
    for (unsigned w = 3; w < 9; w++) m->word[w] = n + w;
}

static int is_wrong(const unit_message *m, uint32_t n)
{
    uint32_t wrong = (m->word[0] ^ n) | m->word[1] | (m->word[2] ^ ~n);
    for (unsigned w = 3; w < 9; w++) wrong |= m->word[w] ^ (n + w);
    return wrong != 0;
}

/* A ring as the device knows it: where slots and words lie. */
typedef struct side {
    int own; /* 1: the library's slots, 0: the bare ones */
    char *slots;
    uint64_t *head;   /* the consumer posts it, the producer reads it */
    uint64_t reached; /* next index of the device */
} side;

static inline char *slot_at(const side *s, uint64_t i) { return s->slots + (i % RAW_CAPACITY) * RAW_SLOT; }

static inline void play_put(const side *s, uint64_t i)
{
    if (!s->own) {
        put(slot_at(s, i), i, 4);
        return;
    }
    for (uint32_t u = 0; u < 4; u++)
        _mm_store_si128((__m128i *)(void *)(slot_at(s, i) + u * 16u), own_unit(i, u));
}

static inline int play_get(const side *s, uint64_t i, uint64_t *wrong)
{
    if (!s->own) return get(slot_at(s, i), i, 4, wrong);
    __m128i v[4];
    for (uint32_t u = 0; u < 4; u++) {
        v[u] = _mm_load_si128((const __m128i *)(const void *)(slot_at(s, i) + u * 16u));
        __asm__ volatile("" ::: "memory");
        if ((uint32_t)_mm_cvtsi128_si32(v[u]) != lap_of(i)) return 0;
    }
    for (uint32_t u = 0; u < 4; u++)
        *wrong += _mm_movemask_epi8(_mm_cmpeq_epi32(v[u], own_unit(i, u))) != 0xffff;
    return 1;
}

static uint64_t head_of(const side *s) { return __atomic_load_n(s->head, __ATOMIC_ACQUIRE); }
static void post_head(side *s) { __atomic_store_n(s->head, s->reached, __ATOMIC_RELEASE); }

/* ------------------------------------------------------------------ the subjects */

static rk_runtime *runtime;
static rk_kernel kernel;

typedef struct subject {
    side to, from;                       /* of the device: what the host writes, and what it reads */
    uint64_t sent, room_until, received; /* the host's, of the bare one; of the other only the numbers */
} subject;

static subject own = { .to.own = 1, .from.own = 1 }, bare;
static struct bare_rings {
    char slots[2][RAW_CAPACITY * RAW_SLOT];
    uint64_t head[2][16];
} bare_rings __attribute__((aligned(4096)));

static side own_side(const rk_ring *ring)
{
    MUST(ring->slot_size == RAW_SLOT && ring->capacity == RAW_CAPACITY && ring->format == RK_FORMAT_UNIT);
    return (side){ 1, (char *)runtime->arena.base + ring->slots, (uint64_t *)(uintptr_t)&ring->head,
                   ring->head };
}

static void open_subjects(void)
{
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1, .memory_ceiling = 256ull << 20,
                                   .spin_ns = RK_SECONDS(5) };
    rk_launch_options o = rk_production();
    MUST(rk_open(&options, &runtime) == RK_OK);
    for (rk_class *class = runtime->classes; class; class = class->next)
        class->largest_out = sizeof(unit_message); /* as in a program that has no larger message */
    o.kernel_name = "unit_copy";
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.queue_capacity = o.output_capacity = RAW_CAPACITY;
    o.slot_format = RK_FORMAT_UNIT;
    MUST(rk_launch(runtime, "bus_lane", &o, &kernel) == RK_OK);
    const rk_seat *seat = runtime->kernels[kernel.number]->seats;
    own.to = own_side(rk_lane_ring(rk_seat_lane(seat, RK_LANE_HOST), runtime->arena.base, 0));
    own.from = own_side(rk_lane_ring(rk_seat_lane(seat, RK_LANE_OUT), runtime->arena.base, 0));
    for (unsigned r = 0; r < 2; r++) {
        *(r ? &bare.from : &bare.to) = (side){ 0, bare_rings.slots[r], bare_rings.head[r], 0 };
        for (uint32_t at = 0; at < sizeof bare_rings.slots[r]; at += 16)
            *(uint32_t *)(void *)(bare_rings.slots[r] + at) = 0u - RAW_CAPACITY;
    }
    bare.room_until = RAW_CAPACITY;
}

/* A device has tails of its own: at rest the host's are right as well. */
static void close_subjects(void)
{
    const rk_seat *seat = runtime->kernels[kernel.number]->seats;
    rk_lane_ring(rk_seat_lane(seat, RK_LANE_OUT), runtime->arena.base, 0)->tail = own.from.reached;
    MUST(rk_close(runtime) == RK_OK);
}

/* ------------------------------------------------------------------ the host's calls */

static unit_message bodies[RAW_BATCH];

static void make_batch(const subject *s)
{
    if (s == &own)
        for (uint32_t k = 0; k < RAW_BATCH; k++) fill(&bodies[k], (uint32_t)(s->sent + k));
}

static void send_batch(subject *s)
{
    if (s == &own) {
        MUST(rk_send_many(runtime, kernel, RK_TYPE_ID(unit_message), bodies, sizeof bodies[0], RAW_BATCH,
                          NULL, NULL) == RK_OK);
        s->sent += RAW_BATCH;
        return;
    }
    for (unsigned round = 0; s->sent + RAW_BATCH > s->room_until; round++) {
        s->room_until = head_of(&s->to) + RAW_CAPACITY;
        if (s->sent + RAW_BATCH > s->room_until) bench_stuck(round);
    }
    for (uint32_t k = 0; k < RAW_BATCH; k++, s->sent++) put(slot_at(&s->to, s->sent), s->sent, 4);
}

/* As many as there are, up to a batch. What is bare checks them at once. */
static uint32_t receive_batch(subject *s, uint64_t *wrong)
{
    size_t got = 0;
    if (s == &own) {
        rk_status status =
            rk_receive_many(runtime, kernel, bodies, sizeof bodies[0], RAW_BATCH, NULL, RK_NO_WAIT, &got);
        MUST(status == RK_OK || status == RK_EMPTY);
        return (uint32_t)got;
    }
    while (got < RAW_BATCH && get(slot_at(&s->from, s->received + got), s->received + got, 4, wrong)) got++;
    if (got) __atomic_store_n(s->from.head, s->received + got, __ATOMIC_RELEASE);
    return (uint32_t)got;
}

static void check_batch(subject *s, uint32_t got, uint64_t *wrong)
{
    if (s == &own)
        for (uint32_t k = 0; k < got; k++)
            *wrong += (uint64_t)is_wrong(&bodies[k], (uint32_t)(s->received + k));
    s->received += got;
}

static void send_one(subject *s)
{
    if (s == &own) {
        unit_message m;
        fill(&m, (uint32_t)s->sent);
        MUST(rk_send(runtime, kernel, RK_BODY(m), NULL) == RK_OK);
    } else {
        put(slot_at(&s->to, s->sent), s->sent, 4);
    }
    s->sent++;
}

static void receive_one(subject *s, uint64_t *wrong)
{
    if (s == &own) {
        unit_message m;
        MUST(rk_receive(runtime, kernel, &m, sizeof m, NULL, RK_SECONDS(10)) == RK_OK);
        *wrong += (uint64_t)is_wrong(&m, (uint32_t)s->received);
    } else {
        while (!get(slot_at(&s->from, s->received), s->received, 4, wrong)) {}
        __atomic_store_n(s->from.head, s->received + 1, __ATOMIC_RELEASE);
    }
    s->received++;
}

/* ------------------------------------------------------------------ alone */

static void empty_ring(side *s, bench_trial *trial)
{
    while (play_get(s, s->reached, &trial->sum_out)) s->reached++, trial->out++;
    post_head(s);
}

static void fill_ring(side *s)
{
    for (uint64_t end = head_of(s) + RAW_CAPACITY; s->reached < end; s->reached++) play_put(s, s->reached);
}

static void count_alone(bench_trial *trial, uint64_t cycles, uint32_t messages, uint64_t *all)
{
    uint64_t picoseconds = bench_picoseconds(cycles);
    bench_sample(&trial->samples, picoseconds / messages);
    *all += picoseconds;
}

static void send_alone(const bench_contender *self, bench_trial *trial)
{
    subject *s = (subject *)(uintptr_t)self->subject;
    uint64_t all = 0;
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < STREAM) {
        for (uint32_t k = 0; k < RAW_CAPACITY; k += RAW_BATCH) {
            make_batch(s);
            uint64_t begin = bench_cycles();
            send_batch(s);
            count_alone(trial, bench_cycles() - begin, RAW_BATCH, &all);
        }
        trial->in += RAW_CAPACITY;
        empty_ring(&s->to, trial);
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

static void receive_alone(const bench_contender *self, bench_trial *trial)
{
    subject *s = (subject *)(uintptr_t)self->subject;
    uint64_t all = 0;
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < STREAM) {
        fill_ring(&s->from);
        trial->in += RAW_CAPACITY;
        for (uint32_t k = 0; k < RAW_CAPACITY; k += RAW_BATCH) {
            uint64_t begin = bench_cycles();
            uint32_t got = receive_batch(s, &trial->sum_out);
            count_alone(trial, bench_cycles() - begin, RAW_BATCH, &all);
            check_batch(s, got, &trial->sum_out);
            trial->out += got;
        }
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

/* One message for each call. */
static void send_singly(const bench_contender *self, bench_trial *trial)
{
    subject *s = (subject *)(uintptr_t)self->subject;
    uint64_t all = 0;
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < SINGLY) {
        for (uint32_t k = 0; k < RAW_CAPACITY; k += RAW_BATCH) {
            uint64_t begin = bench_cycles();
            for (uint32_t i = 0; i < RAW_BATCH; i++) send_one(s);
            count_alone(trial, bench_cycles() - begin, RAW_BATCH, &all);
        }
        trial->in += RAW_CAPACITY;
        empty_ring(&s->to, trial);
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

static void receive_singly(const bench_contender *self, bench_trial *trial)
{
    subject *s = (subject *)(uintptr_t)self->subject;
    uint64_t all = 0;
    bench_bind(HOST);
    bench_begin(trial);
    while (trial->in < SINGLY) {
        fill_ring(&s->from);
        trial->in += RAW_CAPACITY;
        for (uint32_t k = 0; k < RAW_CAPACITY; k += RAW_BATCH) {
            uint64_t begin = bench_cycles();
            for (uint32_t i = 0; i < RAW_BATCH; i++) receive_one(s, &trial->sum_out);
            count_alone(trial, bench_cycles() - begin, RAW_BATCH, &all);
            trial->out += RAW_BATCH;
        }
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

/* ------------------------------------------------------------------ with a thread that plays the device */

typedef struct play {
    subject *of;
    bench_trial *trial;
    uint64_t wrong, handled; /* by the device */
    uint64_t late;           /* cycles until it answers */
} play;

static void device_takes(void *argument)
{
    play *p = argument;
    side *s = &p->of->to;
    const uint64_t begin = s->reached;
    for (unsigned round = 0; p->handled < STREAM; round++) {
        uint32_t n = 0;
        while (n < RAW_BATCH && play_get(s, s->reached, &p->wrong)) n++, s->reached++;
        p->handled = s->reached - begin;
        if (n)
            post_head(s), round = 0;
        else
            bench_stuck(round);
    }
}

static void device_gives(void *argument)
{
    play *p = argument;
    side *s = &p->of->from;
    uint64_t room_until = head_of(s) + RAW_CAPACITY;
    for (unsigned round = 0; p->handled < STREAM; round++) {
        if (s->reached + RAW_BATCH > room_until) {
            room_until = head_of(s) + RAW_CAPACITY;
            if (s->reached + RAW_BATCH > room_until) bench_stuck(round);
            continue;
        }
        for (uint32_t k = 0; k < RAW_BATCH; k++, s->reached++) play_put(s, s->reached);
        p->handled += RAW_BATCH;
        round = 0;
    }
}

static void device_echoes(void *argument)
{
    play *p = argument;
    side *in = &p->of->to, *out = &p->of->from;
    for (unsigned round = 0; p->handled < TRIPS; round++) {
        if (!play_get(in, in->reached, &p->wrong)) {
            if (round >= 1u << 20) bench_yield();
            continue;
        }
        for (uint64_t begin = bench_cycles(); bench_cycles() - begin < p->late;) {}
        play_put(out, out->reached);
        in->reached++, out->reached++;
        post_head(in);
        p->handled++;
        round = 0;
    }
}

/* A sample is the time of so many messages, for each of them, at the host. */
#define CHUNK 4096u

static void host_sends(void *argument)
{
    play *p = argument;
    uint64_t before = bench_cycles();
    for (uint64_t sent = 0; sent < STREAM; sent += RAW_BATCH) {
        make_batch(p->of);
        send_batch(p->of);
        if ((sent + RAW_BATCH) % CHUNK) continue;
        uint64_t now = bench_cycles();
        bench_sample(&p->trial->samples, bench_picoseconds(now - before) / CHUNK);
        before = now;
    }
}

static void host_receives(void *argument)
{
    play *p = argument;
    uint64_t before = bench_cycles(), chunk = 0;
    for (unsigned round = 0; p->trial->out < STREAM; round++) {
        uint32_t got = receive_batch(p->of, &p->trial->sum_out);
        check_batch(p->of, got, &p->trial->sum_out);
        p->trial->out += got;
        if (!got)
            bench_stuck(round);
        else
            round = 0;
        if (p->trial->out - chunk < CHUNK) continue;
        uint64_t now = bench_cycles();
        bench_sample(&p->trial->samples, bench_picoseconds(now - before) / (p->trial->out - chunk));
        before = now;
        chunk = p->trial->out;
    }
}

static void host_trips(void *argument)
{
    play *p = argument;
    uint64_t before = bench_cycles();
    for (unsigned i = 0; i < TRIPS; i++) {
        send_one(p->of);
        receive_one(p->of, &p->trial->sum_out);
        uint64_t now = bench_cycles();
        bench_sample(&p->trial->samples, bench_picoseconds(now - before));
        before = now;
    }
    p->trial->out = TRIPS;
}

static void together(const bench_contender *self, bench_trial *trial, void (*host)(void *),
                     void (*device)(void *), uint64_t messages, uint64_t late)
{
    play p = { (subject *)(uintptr_t)self->subject, trial, 0, 0, late };
    const bench_thread threads[] = { { host, &p, HOST }, { device, &p, OTHER } };
    bench_together(trial, threads, 2);
    trial->in = messages;
    if (host == host_sends) trial->out = p.handled;
    trial->sum_out += p.wrong;
}

static void stream_to(const bench_contender *self, bench_trial *trial)
{
    together(self, trial, host_sends, device_takes, STREAM, 0);
}
static void stream_from(const bench_contender *self, bench_trial *trial)
{
    together(self, trial, host_receives, device_gives, STREAM, 0);
}
static void trips(const bench_contender *self, bench_trial *trial)
{
    together(self, trial, host_trips, device_echoes, TRIPS, 0);
}
/* As far away as a GPU: what an answer waits until the host has seen it counts more then. */
static void far_trips(const bench_contender *self, bench_trial *trial)
{
    const uint64_t cycles = 1u << 20;
    together(self, trial, host_trips, device_echoes, TRIPS,
             AWAY_NS * 1000u * cycles / bench_picoseconds(cycles));
}

/* ------------------------------------------------------------------ the contests */

int main(int argc, char **argv)
{
    static const bench_contender sends[] = {
        { "rk_send_many, alone", send_alone, &own, 0 },
        { "bare, alone", send_alone, &bare, 1 },
        { "rk_send_many, a thread takes", stream_to, &own, 0 },
        { "bare, a thread takes", stream_to, &bare, 1 },
    };
    static const bench_contender receives[] = {
        { "rk_receive_many, alone", receive_alone, &own, 0 },
        { "bare, alone", receive_alone, &bare, 1 },
        { "rk_receive_many, a thread gives", stream_from, &own, 0 },
        { "bare, a thread gives", stream_from, &bare, 1 },
    };
    static const bench_contender ones[] = {
        { "rk_send, rk_receive, a thread echoes", trips, &own, 0 },
        { "bare, a thread echoes", trips, &bare, 1 },
        { "rk_send, rk_receive, 2 us away", far_trips, &own, 0 },
        { "bare, 2 us away", far_trips, &bare, 1 },
        { "rk_send, alone", send_singly, &own, 0 },
        { "rk_receive, alone", receive_singly, &own, 0 },
    };
    static const bench_contest contests[] = {
        { "bus_send", "256 messages of 36 bytes a batch into unit slots of 64", "messages", sends, 4,
          ROUNDS },
        { "bus_receive", "the same out of them", "messages", receives, 4, ROUNDS },
        { "bus_single", "one message for each call", "messages", ones, 6, ROUNDS },
    };
    bench_result r[6];
    bench_open(argc, argv);
    open_subjects();
    bench_run(&contests[0], r);
    bench_goal("a message sent, alone", r[0].p50, "ns", 10, 0);
    bench_figure("sent, alone: rate / bare", bench_rate_ratio(0, 1), "x");
    bench_figure("sent to a thread: rate / bare", bench_rate_ratio(2, 3), "x");
    bench_run(&contests[1], r);
    bench_goal("a message received, alone", r[0].p50, "ns", 10, 0);
    bench_figure("received, alone: rate / bare", bench_rate_ratio(0, 1), "x");
    bench_figure("received from a thread: rate / bare", bench_rate_ratio(2, 3), "x");
    bench_run(&contests[2], r);
    bench_figure("round trip with a thread: p50 / bare", bench_p50_ratio(0, 1), "x");
    bench_figure("round trip, 2 us away: p50 longer than bare by", r[2].p50 - r[3].p50, "ns");
    close_subjects();
    return bench_close();
}
