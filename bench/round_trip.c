/* Host → handler → host, beside two bare rings between two threads: what the runtime costs over its own
 * queues.
 *
 * One at a time gives the latency, a window of messages under way gives the rate. The handler runs on a
 * worker that spins on the one core, the host on the other; in the bare loop a thread takes the worker's
 * place. Then nothing is sent for a second, and the processor time of the next two is what an idle runtime
 * costs. */
#include <ringkernel/ringkernel.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench.rk.h"
#include "harness.h"
#include "must.h"
#include "ring_lay.h"

#define TRIPS 20000u
#define PIPELINED 1000000u
#define WINDOW 1024u
#define BURST 256u /* messages of one send or receive */
/* Short trials and many rounds, as in ring_spsc: which two cores a virtual machine's processors are changes now and then. */
#define ROUNDS 61u
#define HOST 1u /* cores, as bits */
#define OTHER 2u

/* With many under way a sample is the time of so many round trips, for each of them. */
#define CHUNK 4096u

typedef struct chunk {
    uint64_t messages, cycles; /* when the last one was full */
} chunk;

static void count_chunk(chunk *c, bench_trial *trial)
{
    if (trial->out - c->messages < CHUNK) return;
    uint64_t now = bench_cycles();
    if (c->cycles)
        bench_sample(&trial->samples, bench_picoseconds(now - c->cycles) / (trial->out - c->messages));
    c->messages = trial->out;
    c->cycles = now;
}

static uint64_t sum_of(const echo_message *m)
{
    uint64_t sum = 0;
    for (unsigned w = 0; w < 6; w++) sum += m->word[w];
    return sum;
}

static void make(echo_message *m, uint64_t number)
{
    for (unsigned w = 0; w < 6; w++) m->word[w] = number + w;
}

/* --- the library ---------------------------------------------------------------------------------------- */

static rk_runtime *runtime;
static rk_kernel echo;

static void open_library(void)
{
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    rk_launch_options launch = rk_production();
    launch.deduplication_window = 0;
    launch.single_producer = 1;
    MUST(rk_open(&options, &runtime) == RK_OK);
    MUST(rk_launch(runtime, "echo", &launch, &echo) == RK_OK);
    MUST(rk_activate(runtime, echo) == RK_OK);
}

static void library_single(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    echo_message m, back;
    bench_bind(HOST);
    bench_begin(trial);
    uint64_t before = bench_cycles();
    for (uint64_t i = 0; i < TRIPS; i++) {
        make(&m, i);
        MUST(rk_send(runtime, echo, RK_BODY(m), NULL) == RK_OK);
        MUST(rk_receive(runtime, echo, &back, sizeof back, NULL, RK_SECONDS(10)) == RK_OK);
        uint64_t now = bench_cycles();
        bench_sample(&trial->samples, bench_picoseconds(now - before));
        before = now;
        trial->sum_in += sum_of(&m);
        trial->sum_out += sum_of(&back);
    }
    bench_end(trial, 2);
    trial->in = trial->out = TRIPS;
}

static void library_pipelined(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    echo_message m[BURST], back[BURST];
    chunk part = { 0 };
    bench_bind(HOST);
    bench_begin(trial);
    for (unsigned stuck = 0; trial->out < PIPELINED / BURST * BURST;) {
        size_t got = 0;
        if (trial->in < PIPELINED / BURST * BURST && trial->in - trial->out + BURST <= WINDOW) {
            for (unsigned i = 0; i < BURST; i++) {
                make(&m[i], trial->in + i);
                trial->sum_in += sum_of(&m[i]);
            }
            MUST(rk_send_many(runtime, echo, RK_TYPE_ID(echo_message), m, sizeof m[0], BURST, NULL, NULL) ==
                 RK_OK);
            trial->in += BURST;
        }
        rk_receive_many(runtime, echo, back, sizeof back[0], BURST, NULL, RK_NO_WAIT, &got);
        for (size_t i = 0; i < got; i++) trial->sum_out += sum_of(&back[i]);
        trial->out += got;
        count_chunk(&part, trial);
        stuck = got ? 0 : stuck + 1;
        if (stuck) bench_stuck(stuck);
    }
    bench_end(trial, 2);
}

/* --- two bare rings ------------------------------------------------------------------------------------- */

typedef struct bare {
    rk_ring *there, *back;
    uint64_t messages;
    unsigned burst, window;
    bench_trial *trial;
} bare;

static void put_many(rk_ring *ring, const echo_message *m, unsigned count, unsigned *sent)
{
    rk_header_long header = { .base = { .type = RK_TYPE_ID(echo_message), .length = sizeof *m } };
    rk_byte *arena = (rk_byte *)ring;
    rk_claim claim = rk_ring_claim(ring, count < RK_PREPARED_MOST ? count : RK_PREPARED_MOST);
    rk_slots slots = rk_ring_slots(ring, arena);
    rk_ring_prepare(ring, arena, claim);
    for (rk_u32 left = claim.count; left-- > 0;) {
        const rk_u32 i = rk_slots_turn(&slots, claim.count, left);
        rk_ring_put(ring, arena, claim.first + i, (const rk_u32 *)(const void *)&header, &m[i], sizeof *m);
    }
    *sent = claim.count;
}

static const echo_message *at(rk_ring *ring, rk_u64 index)
{
    return (const echo_message *)(const void *)(rk_ring_slot(ring, (rk_byte *)ring, index) + RK_HEADER_SHORT);
}

/* The other side answers each message by itself, as a handler does. */
static void bare_echo(void *argument)
{
    const bare *b = argument;
    for (uint64_t done = 0, stuck = 0; done < b->messages;) {
        rk_u64 head = b->there->head;
        unsigned n = rk_ring_ready(b->there, (rk_byte *)b->there, head, BURST), sent;
        if (n == 0) {
            bench_stuck((unsigned)++stuck);
            continue;
        }
        for (unsigned i = 0; i < n; i += sent) put_many(b->back, at(b->there, head + i), 1, &sent);
        rk_ring_commit(b->there, head + n);
        done += n;
        stuck = 0;
    }
}

/* Or a whole burst at a time, which only a loop can that knows its handler: the limit. */
static void bare_echo_bursts(void *argument)
{
    const bare *b = argument;
    echo_message m[BURST];
    for (uint64_t done = 0, stuck = 0; done < b->messages;) {
        rk_u64 head = b->there->head;
        unsigned n = rk_ring_ready(b->there, (rk_byte *)b->there, head, BURST);
        if (n == 0) {
            bench_stuck((unsigned)++stuck);
            continue;
        }
        for (unsigned i = 0; i < n; i++) m[i] = *at(b->there, head + i);
        rk_ring_commit(b->there, head + n);
        for (unsigned i = 0, sent; i < n; i += sent) put_many(b->back, m + i, n - i, &sent);
        done += n;
        stuck = 0;
    }
}

static void bare_host(void *argument)
{
    const bare *b = argument;
    bench_trial *trial = b->trial;
    echo_message m[BURST];
    chunk part = { 0 };
    uint64_t before = bench_cycles();
    for (unsigned stuck = 0; trial->out < b->messages;) {
        if (trial->in < b->messages && trial->in - trial->out + b->burst <= b->window) {
            unsigned sent;
            for (unsigned i = 0; i < b->burst; i++) {
                make(&m[i], trial->in + i);
                trial->sum_in += sum_of(&m[i]);
            }
            for (unsigned done = 0; done < b->burst; done += sent)
                put_many(b->there, m + done, b->burst - done, &sent);
            trial->in += b->burst;
        }
        rk_u64 head = b->back->head;
        unsigned n = rk_ring_ready(b->back, (rk_byte *)b->back, head, b->burst);
        for (unsigned i = 0; i < n; i++) {
            echo_message back = *at(b->back, head + i); /* copied out, as the library does */
            trial->sum_out += sum_of(&back);
        }
        if (n) {
            rk_ring_commit(b->back, head + n);
            trial->out += n;
            stuck = 0;
            if (b->burst == 1) {
                uint64_t now = bench_cycles();
                bench_sample(&trial->samples, bench_picoseconds(now - before));
                before = now;
            } else {
                count_chunk(&part, trial);
            }
        } else {
            bench_stuck(++stuck);
        }
    }
}

static void bare_trial(bench_trial *trial, void (*other_side)(void *), uint64_t messages, unsigned burst,
                       unsigned window)
{
    bare b = { ring_lay(4096, 1), ring_lay(4096, 1), messages, burst, window, trial };
    bench_thread threads[] = { { bare_host, &b, HOST }, { other_side, &b, OTHER } };
    MUST(b.there != NULL && b.back != NULL);
    bench_together(trial, threads, 2);
    free(b.there);
    free(b.back);
}

static void bare_single(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    bare_trial(trial, bare_echo, TRIPS, 1, 1);
}

static void bare_pipelined(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    bare_trial(trial, bare_echo, PIPELINED / BURST * BURST, BURST, WINDOW);
}

static void bare_bursts(const bench_contender *self, bench_trial *trial)
{
    (void)self;
    bare_trial(trial, bare_echo_bursts, PIPELINED / BURST * BURST, BURST, WINDOW);
}

/* -------------------------------------------------------------------------------------------------------- */

/* Processor time of the whole process, in percent of one core, a second after the last message. */
static double idle_percent(void)
{
    bench_trial quiet = { 0 };
    usleep(1000000);
    bench_begin(&quiet);
    usleep(2000000);
    bench_end(&quiet, 1);
    return quiet.share * 100;
}

int main(int argc, char **argv)
{
    static const bench_contender single[] = { { "host → handler → host", library_single, NULL, 0 },
                                              { "two bare rings", bare_single, NULL, 1 } };
    static const bench_contender pipelined[] = { { "host → handler → host", library_pipelined, NULL, 0 },
                                                 { "two bare rings", bare_pipelined, NULL, 1 },
                                                 { "two bare rings, whole bursts", bare_bursts, NULL, 0 } };
    bench_contest one = {
        "round_trip", "48 bytes of payload, one under way, spinning on two cores", "round trips", single, 2,
        ROUNDS
    };
    bench_contest many = { "round_trip_pipelined",
                           "the same with 1,024 under way, sent and received by 256",
                           "round trips",
                           pipelined,
                           3,
                           ROUNDS };
    bench_result results[3];
    bench_open(argc, argv);
    open_library();

    bench_run(&one, results);
    bench_figure("round trip, p50", results[0].p50, "ns");
    bench_goal("round trip: p50 / two bare rings'", bench_p50_ratio(0, 1), "x", 1.6, 0);
    bench_run(&many, results);
    bench_figure("round trips, pipelined", results[0].rate / 1e6, "M/s");
    bench_goal("pipelined: rate / two bare rings'", bench_rate_ratio(0, 1), "x", 0.7, 1);
    bench_figure("pipelined: rate / two bare rings', by whole bursts", bench_rate_ratio(0, 2), "x");
    bench_goal("idle runtime, of a core", idle_percent(), "%", 1.0, 0);

    rk_account account;
    MUST(rk_account_of(runtime, echo, &account) == RK_OK && account.balanced);
    MUST(account.accepted == account.delivered && account.delivered == account.output_received);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
