/* Messages of 36 bytes through the host's two calls, rk_send_many into a host lane and rk_receive_many from an
 * out lane, with `unit` slots and with `seq` slots, beside a memcpy of as many slots of 64 bytes. One thread;
 * nobody is at the other end: the kernel is not served, and what was sent is read back, and what is received
 * was put there, between the samples. A sample is the time of 1,024 messages, for each of them. */
#include <string.h>

#include <ringkernel/ringkernel.h>

#include "bench.rk.h"
#include "harness.h"
#include "must.h"
#include "lane/incoming.h"
#include "runtime/module.h"

#define MESSAGES 4096000u
#define BURST 1024u /* the capacity of the lanes */
#define ROUNDS 15u

static rk_runtime *runtime;

typedef struct subject {
    const char *id;
    rk_u32 format;
    rk_kernel kernel;
    rk_ring *host, *out;
} subject;

static subject units = { .id = "units", .format = RK_FORMAT_UNIT };
static subject laps = { .id = "laps", .format = RK_FORMAT_SEQ };

static unit_message bodies[BURST];
static rk_u8 slots[2][BURST][64] __attribute__((aligned(64)));

static void launch(subject *s)
{
    rk_launch_options o = rk_high_throughput();
    o.kernel_name = "unit_copy";
    o.deduplication_window = 0;
    o.single_producer = 1;
    o.queue_capacity = BURST;
    o.slot_format = s->format;
    MUST(rk_launch(runtime, s->id, &o, &s->kernel) == RK_OK);
    const rk_seat *seat = runtime->kernels[s->kernel.number]->seats;
    s->host = rk_lane_ring(rk_seat_lane(seat, 0), runtime->arena.base, 0);
    s->out = rk_lane_ring(rk_lane_at(runtime, seat->shard->out_lane), runtime->arena.base, 0);
    MUST(s->host->slot_size == 64 && s->out->slot_size == 64 && s->out->capacity == BURST);
}

static uint64_t sum_of(const unit_message *message)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < 9; w++) sum += (uint64_t)message->word[w] * (w + 1);
    return sum;
}

static uint64_t fill_bodies(uint64_t first)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < BURST; i++) {
        for (unsigned w = 0; w < 9; w++) bodies[i].word[w] = (rk_u32)(first + i) * (2u * w + 1u);
        sum += sum_of(&bodies[i]);
    }
    return sum;
}

/* What lies in a lane, message after message; and the lane is empty again. */
static void read_back(rk_ring *ring, bench_trial *trial)
{
    for (rk_u32 i = 0; i < BURST; i++) {
        rk_image image;
        unit_message message;
        const rk_byte *there = rk_incoming(ring, runtime->arena.base, ring->head + i, &image);
        if (!there) return;
        memcpy(&message, there + RK_HEADER_SHORT, sizeof message);
        trial->sum_out += sum_of(&message);
        trial->out++;
    }
    rk_ring_commit(ring, ring->head + BURST);
}

static void put_there(rk_ring *ring)
{
    rk_header_long header = { 0 };
    rk_header_kind(&header.base, RK_TYPE_ID(unit_message), sizeof(unit_message));
    rk_claim claim = rk_ring_claim(ring, BURST);
    for (rk_u32 i = 0; i < claim.count; i++)
        rk_ring_put(ring, runtime->arena.base, claim.first + i, (const rk_u32 *)(const void *)&header,
                    &bodies[i], sizeof bodies[i]);
}

/* Only what was timed counts. */
static void count(bench_trial *trial, uint64_t cycles, uint64_t *all)
{
    uint64_t picoseconds = bench_picoseconds(cycles);
    bench_sample(&trial->samples, picoseconds / BURST);
    *all += picoseconds;
    trial->in += BURST;
}

static void send(const bench_contender *self, bench_trial *trial)
{
    const subject *s = self->subject;
    uint64_t all = 0;
    bench_bind(1);
    bench_begin(trial);
    while (trial->in < MESSAGES) {
        size_t sent;
        trial->sum_in += fill_bodies(trial->in);
        uint64_t begin = bench_cycles();
        MUST((rk_send_many)(runtime, s->kernel, RK_TYPE_ID(unit_message), bodies, sizeof bodies[0], BURST, 0,
                            &sent) == RK_OK);
        count(trial, bench_cycles() - begin, &all);
        read_back(s->host, trial);
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

static void receive(const bench_contender *self, bench_trial *trial)
{
    const subject *s = self->subject;
    uint64_t all = 0;
    bench_bind(1);
    bench_begin(trial);
    while (trial->in < MESSAGES) {
        size_t received;
        trial->sum_in += fill_bodies(trial->in);
        put_there(s->out);
        memset(bodies, 0, sizeof bodies);
        uint64_t begin = bench_cycles();
        MUST(rk_receive_many(runtime, s->kernel, bodies, sizeof bodies[0], BURST, 0, 0, &received) == RK_OK);
        count(trial, bench_cycles() - begin, &all);
        trial->out += received;
        for (size_t i = 0; i < received; i++) trial->sum_out += sum_of(&bodies[i]);
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

static void copy(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    uint64_t all = 0;
    bench_bind(1);
    bench_begin(trial);
    while (trial->in < MESSAGES) {
        trial->sum_in += fill_bodies(trial->in);
        for (unsigned i = 0; i < BURST; i++) memcpy(slots[0][i], &bodies[i], sizeof bodies[i]);
        uint64_t begin = bench_cycles();
        for (unsigned i = 0; i < BURST; i++) {
            memcpy(slots[1][i], slots[0][i], 64);
            __asm__ volatile("" ::: "memory"); /* a slot at a time, as messages are */
        }
        count(trial, bench_cycles() - begin, &all);
        for (unsigned i = 0; i < BURST; i++) {
            unit_message message;
            memcpy(&message, slots[1][i], sizeof message);
            trial->sum_out += sum_of(&message);
        }
        trial->out += BURST;
    }
    bench_end(trial, 1);
    trial->seconds = (double)all / 1e12;
}

int main(int argc, char **argv)
{
    static const bench_contender contenders[] = {
        { "rk_send_many, unit slots", send, &units, 0 },
        { "rk_receive_many, unit slots", receive, &units, 0 },
        { "rk_send_many, seq slots", send, &laps, 0 },
        { "rk_receive_many, seq slots", receive, &laps, 0 },
        { "memcpy of 64 bytes", copy, NULL, 1 },
    };
    bench_contest contest = {
        "unit_copy", "messages of 36 bytes in slots of 64, one thread, nobody at the other end",
        "messages",  contenders,
        5,           ROUNDS
    };
    bench_result results[5];
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    bench_open(argc, argv);
    MUST(rk_open(&options, &runtime) == RK_OK);
    for (rk_class *class = runtime->classes; class; class = class->next)
        class->largest_out = sizeof(unit_message); /* as in a program that has no larger message */
    launch(&units);
    launch(&laps);
    bench_run(&contest, results);
    bench_figure("unit slots written: time / memcpy of 64 bytes", 1.0 / bench_rate_ratio(0, 4), "x");
    bench_figure("unit slots read: time / memcpy of 64 bytes", 1.0 / bench_rate_ratio(1, 4), "x");
    bench_goal("unit slots written by one thread", results[0].rate / 1e6, "M messages/s", 110, 1);
    bench_goal("unit slots read by one thread", results[1].rate / 1e6, "M messages/s", 100, 1);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
