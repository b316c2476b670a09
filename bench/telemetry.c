/* What reading metrics costs a stream at full rate: one thread sends, a worker handles, and beside them nobody reads, one
 * reads ten times a second, or one reads without a pause. A reading is information, account and metrics of the kernel. A
 * reader without a pause also keeps a processor busy, so beside it is one that only spins: what lies between those two is
 * the reading itself. It has a third processor, where the program may use one, else it takes its part of the two. A
 * sample is the time of a send of 256 messages, waiting for room included, for each of them. $RK_BENCH_BACKEND is cpu or,
 * for a kernel that stays on a GPU, cuda. */
#include <pthread.h>
#include <ringkernel/ringkernel.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.rk.h"
#include "harness.h"
#include "must.h"

#define TRIAL_NS RK_MILLISECONDS(500)
#define EVERY_NS RK_MILLISECONDS(100)
#define BURST 256u
#define ROUNDS 11u
#define HOST 1u
#define METRICS_KEPT (1u << 16)

enum { NOBODY, NOW_AND_THEN, SPINS, ALL_THE_TIME, WAYS };

static rk_runtime *runtime;
static rk_kernel kernel;
static unsigned busy = 2;                   /* processors: the host's thread, and on the CPU the worker */
static int third = -1;                      /* a processor for who reads or spins; -1: the program has none */
static uint64_t seen_messages, seen_amount; /* in the state, after the trial before */

/* ------------------------------------------------------------------ who reads */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told; /* that it is over */
static unsigned over;       /* atomic, written under the lock */

static uint64_t readings[WAYS], reading_cycles[WAYS];
static uint64_t metrics_cycles[METRICS_KEPT], metrics_read; /* without a pause: the last so many */

static void read_all(int way)
{
    rk_kernel_info info;
    rk_account account;
    rk_metrics metrics;
    uint64_t begin = bench_cycles();
    MUST(rk_kernel_information(runtime, kernel, &info) == RK_OK);
    MUST(rk_account_of(runtime, kernel, &account) == RK_OK);
    uint64_t then = bench_cycles();
    MUST(rk_metrics_of(runtime, kernel, &metrics) == RK_OK);
    uint64_t end = bench_cycles();
    if (way == ALL_THE_TIME) metrics_cycles[metrics_read++ % METRICS_KEPT] = end - then;
    reading_cycles[way] += end - begin;
    readings[way]++;
    MUST(account.delivered + account.queued <= account.accepted && account.lost == 0);
    MUST(info.processed <= metrics.processed);
}

static int is_over(void) { return __atomic_load_n(&over, __ATOMIC_ACQUIRE) != 0; }

static void read_now_and_then(void)
{
    uint64_t next_ns = bench_now_ns();
    pthread_mutex_lock(&lock);
    while (!is_over()) {
        struct timespec next = { (time_t)(next_ns / 1000000000u), (long)(next_ns % 1000000000u) };
        if (bench_now_ns() < next_ns) {
            pthread_cond_timedwait(&told, &lock, &next);
            continue;
        }
        read_all(NOW_AND_THEN);
        next_ns += EVERY_NS;
    }
    pthread_mutex_unlock(&lock);
}

static void *reader_main(void *argument)
{
    int way = *(const int *)argument;
    cpu_set_t own;
    CPU_ZERO(&own);
    if (third >= 0) CPU_SET((size_t)third, &own);
    if (third >= 0)
        MUST(sched_setaffinity(0, sizeof own, &own) == 0);
    else
        bench_bind(3u);
    if (way == NOW_AND_THEN) read_now_and_then();
    while (!is_over())
        if (way == ALL_THE_TIME) read_all(way);
    return NULL;
}

static void tell_over(unsigned value)
{
    pthread_mutex_lock(&lock);
    __atomic_store_n(&over, value, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&told);
    pthread_mutex_unlock(&lock);
}

/* ------------------------------------------------------------------ the stream */

static rk_u64 delivered(void)
{
    rk_kernel_info info;
    MUST(rk_kernel_information(runtime, kernel, &info) == RK_OK);
    return info.processed;
}

/* What the state has gained since the trial before. */
static void read_state(bench_trial *trial)
{
    actor_state state;
    MUST(rk_read_state(runtime, kernel, 0, &state, sizeof state) == RK_OK);
    trial->out = state.messages - seen_messages;
    trial->sum_out = state.amount - seen_amount;
    seen_messages = state.messages;
    seen_amount = state.amount;
}

static void stream(bench_trial *trial)
{
    static actor_message messages[BURST];
    const rk_u64 before = delivered(), end_ns = bench_now_ns() + TRIAL_NS;
    while (bench_now_ns() < end_ns) {
        for (size_t i = 0; i < BURST; i++) {
            messages[i].amount = trial->in + i;
            trial->sum_in += trial->in + i;
        }
        uint64_t begin = bench_cycles();
        MUST(rk_send_many(runtime, kernel, RK_TYPE_ID(actor_message), messages, sizeof messages[0], BURST,
                          NULL, NULL) == RK_OK);
        bench_sample(&trial->samples, bench_picoseconds(bench_cycles() - begin) / BURST);
        trial->in += BURST;
    }
    for (unsigned round = 0; delivered() - before < trial->in; round++) bench_stuck(round);
}

static void run(const bench_contender *self, bench_trial *trial)
{
    int way = *(const int *)self->subject;
    const unsigned more = (way == SPINS || way == ALL_THE_TIME) && (third >= 0 || busy < 2);
    pthread_t reader;
    MUST(rk_activate(runtime, kernel) == RK_OK);
    bench_bind(HOST);
    tell_over(0);
    if (way != NOBODY) MUST(pthread_create(&reader, NULL, reader_main, &way) == 0);
    bench_begin(trial);
    stream(trial);
    bench_end(trial, busy + more);
    tell_over(1);
    if (way != NOBODY) pthread_join(reader, NULL);
    MUST(rk_deactivate(runtime, kernel) == RK_OK);
    read_state(trial);
}

/* ------------------------------------------------------------------ all of it */

static void open_library(void)
{
    const char *backend = getenv("RK_BENCH_BACKEND");
    rk_runtime_options options = { RK_RUNTIME_OPTIONS, .workers = 1 };
    rk_launch_options launch = rk_high_throughput();
    MUST(!backend || strcmp(backend, "cpu") == 0 || strcmp(backend, "cuda") == 0);
    if (backend && strcmp(backend, "cuda") == 0) {
        options = (rk_runtime_options){ RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_CUDA };
        busy = 1;
    }
    launch.deduplication_window = 0;
    launch.single_producer = 1;
    launch.actors = 1;
    MUST(rk_open(&options, &runtime) == RK_OK);
    MUST(rk_launch(runtime, "actor", &launch, &kernel) == RK_OK);
}

/* Before the harness takes the first two for all threads. */
static void find_third(void)
{
    cpu_set_t allowed;
    unsigned found = 0;
    MUST(sched_getaffinity(0, sizeof allowed, &allowed) == 0);
    for (int c = 0; c < CPU_SETSIZE && third < 0; c++)
        if (CPU_ISSET((size_t)c, &allowed) && ++found == 3) third = c;
}

static void show_reading(const char *what, int way)
{
    if (readings[way])
        bench_figure(what, (double)bench_picoseconds(reading_cycles[way] / readings[way]) / 1e6, "us");
}

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double metrics_p50_us(void)
{
    const size_t n = metrics_read < METRICS_KEPT ? metrics_read : METRICS_KEPT;
    qsort(metrics_cycles, n, sizeof metrics_cycles[0], by_value);
    return n ? (double)bench_picoseconds(metrics_cycles[n / 2]) / 1e6 : 0;
}

int main(int argc, char **argv)
{
    static const int ways[WAYS] = { NOBODY, NOW_AND_THEN, SPINS, ALL_THE_TIME };
    const bench_contender contenders[WAYS] = { { "nobody reads", run, &ways[NOBODY], 0 },
                                               { "a reader, 10 times a second", run, &ways[NOW_AND_THEN], 0 },
                                               { "a thread that only spins", run, &ways[SPINS], 1 },
                                               { "a reader without a pause", run, &ways[ALL_THE_TIME], 0 } };
    bench_result result[WAYS];
    pthread_condattr_t monotonic;
    rk_account account;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&told, &monotonic);
    find_third();
    bench_open(argc, argv);
    open_library();
    const bench_contest contest = {
        "telemetry",
        third < 0 ? "one sender, one worker, and who reads or spins shares their two processors"
                  : "one sender, one worker, and who reads or spins has a processor of its own",
        "messages",
        contenders,
        WAYS,
        ROUNDS
    };
    bench_run(&contest, result);
    bench_figure("telemetry: rate, a reader 10 times a second / nobody reads",
                 bench_rate_ratio(NOW_AND_THEN, NOBODY), "x");
    bench_figure("telemetry: rate, a reader without a pause / a thread that only spins",
                 bench_rate_ratio(ALL_THE_TIME, SPINS), "x");
    show_reading("telemetry: one reading of the three, 10 times a second", NOW_AND_THEN);
    show_reading("telemetry: one reading of the three, without a pause", ALL_THE_TIME);
    bench_goal("telemetry: reading the metrics, p50", metrics_p50_us(), "us", 1.0, 0);
    MUST(rk_account_of(runtime, kernel, &account) == RK_OK && account.balanced &&
         account.accepted == account.delivered);
    MUST(rk_close(runtime) == RK_OK);
    return bench_close();
}
