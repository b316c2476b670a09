/* What every benchmark shares: threads bound to two cores, contenders in turn, quantiles, the account, the
 * record.
 *
 * A contest has contenders that do the same work. They run one after the other, round by round, in one
 * process, since only what ran beside each other can be compared: the ratio is the result. Each trial says
 * what went in and what came out, as counts and checksums; a trial that doesn't balance ends the program with
 * status 1. A trial whose threads got less than their share of the processors is disturbed and left out, as
 * long as enough others remain. */
#ifndef RK_BENCH_HARNESS_H
#define RK_BENCH_HARNESS_H

#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_LINE 128u /* two 64-byte lines: the prefetcher pulls pairs */

static inline uint64_t bench_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Cycles of the processor's counter: cheap enough to time one round trip of 100 ns, and in picoseconds. */
static inline uint64_t bench_cycles(void) { return __builtin_ia32_rdtsc(); }
uint64_t bench_picoseconds(uint64_t cycles);

/* --- samples ------------------------------------------------------------------------------------------- */

/* Measured values in picoseconds, in the order in which they were taken. */
typedef struct bench_samples {
    uint32_t *at;
    uint64_t count, room;
} bench_samples;

void bench_sample_grow(bench_samples *samples);
static inline void bench_sample(bench_samples *samples, uint64_t picoseconds)
{
    if (samples->count == samples->room) bench_sample_grow(samples);
    samples->at[samples->count++] = picoseconds > UINT32_MAX ? UINT32_MAX : (uint32_t)picoseconds;
}

/* --- trials -------------------------------------------------------------------------------------------- */

typedef struct bench_trial {
    bench_samples samples; /* what one message, round trip or run took */
    uint64_t in, out;      /* messages */
    uint64_t sum_in, sum_out;
    double seconds;
    double share; /* of the processors that its threads could have used */
} bench_trial;

typedef struct bench_thread {
    void (*run)(void *argument);
    void *argument;
    unsigned cores; /* bits: the cores it may run on, of the two that the harness uses */
} bench_thread;

/* Run threads together, from a common start until the last one returns; sets seconds and share. */
void bench_together(bench_trial *trial, const bench_thread *threads, unsigned count);

/* The same for work of the calling thread and threads of others: between these two calls. `busy` is how many
 * processors the work keeps busy. */
void bench_begin(bench_trial *trial);
void bench_end(bench_trial *trial, unsigned busy);

/* Bind the calling thread to one of the two cores. */
void bench_bind(unsigned cores);

/* A spin that is stuck: breathes at first, then gives the core away. The same for every contender. */
void bench_yield(void);
static inline void bench_stuck(unsigned round)
{
    if (round < 64u)
        __builtin_ia32_pause();
    else
        bench_yield();
}

/* --- contests ------------------------------------------------------------------------------------------ */

typedef struct bench_contender {
    const char *name;
    void (*run)(const struct bench_contender *self, bench_trial *trial);
    const void *subject;
    int is_peer; /* what the library is measured against */
} bench_contender;

typedef struct bench_contest {
    const char *name;  /* of the results */
    const char *title; /* one line on what is done, and where */
    const char *unit;  /* what is counted: "messages" */
    const bench_contender *contenders;
    unsigned count;
    unsigned rounds;
} bench_contest;

/* What a contender reached over all undisturbed trials. */
typedef struct bench_result {
    double rate, rate_least, rate_most; /* a second: median and range of the trials */
    double p50, p99, p999, most;        /* ns, of all samples */
    unsigned trials, disturbed;
} bench_result;

/* Options of the command line: --save=DIR keeps raw results; --realtime goes before all other programs, for
 * machines that are never quiet; --rounds=N. Binds to two cores. Call it first. */
#define bench_open(argc, argv) bench_open_in(argc, argv, RK_SOURCE_DIR)
void bench_open_in(int argc, char **argv, const char *tree);
/* Run a contest and print its table. results[i] is contender i's. */
void bench_run(const bench_contest *contest, bench_result *results);
/* How contender `a` of the contest that ran last compares with `b`: the median, over the rounds, of the one's
 * value by the other's. Rounds are compared with themselves, since a machine may change its pace between
 * them. */
double bench_rate_ratio(unsigned a, unsigned b);
double bench_p50_ratio(unsigned a, unsigned b);
/* Judge one figure: prints "goal: …" and remembers. `at_least` 1: value must be ≥ limit, 0: ≤. */
void bench_goal(const char *what, double value, const char *unit, double limit, int at_least);
/* Judge the rate of the first contender against the fastest peer's, if any is there. */
void bench_against_peers(const bench_contest *contest, const bench_result *results, const char *what,
                         double limit);
/* A figure without a goal, for the table of scripts/bench. */
void bench_figure(const char *what, double value, const char *unit);
/* Ends the program when the account doesn't balance. */
void bench_balance(const char *who, const bench_trial *trial);
/* Prints account and machine, writes the record. The program's exit status. */
int bench_close(void);

#ifdef __cplusplus
}
#endif
#endif
