#include "harness.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "manifest.h"

#define QUIET_SHARE 0.97 /* of the processors: a trial with less is disturbed */
#define ROUNDS_MOST 256u
#define QUIET_LEAST 5 /* undisturbed trials that a result needs; else all trials count */

static struct {
    const char *save; /* the folder of the record; 0: none */
    int realtime;     /* threads go before all others, so trials rest in between */
    unsigned rounds;  /* 0: what the contest says */
    int core[2];      /* the two cores that are used */
    uint64_t in, out; /* of the whole run */
    FILE *record;     /* a memory stream until the end */
    char *record_text;
    size_t record_size;
    unsigned contests, figures, missed;
    const char *tree; /* the repository */
    char name[64];
} bench;

_Noreturn static void fail(const char *what)
{
    fprintf(stderr, "benchmark: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- time ---------------------------------------------------------------------------------------------- */

static double ps_of_cycle;

static void calibrate(void)
{
    uint64_t ns = bench_now_ns(), cycles = bench_cycles();
    usleep(50000);
    ps_of_cycle = (double)(bench_now_ns() - ns) * 1000 / (double)(bench_cycles() - cycles);
}

uint64_t bench_picoseconds(uint64_t cycles) { return (uint64_t)((double)cycles * ps_of_cycle); }

/* --- samples ------------------------------------------------------------------------------------------- */

void bench_sample_grow(bench_samples *samples)
{
    samples->room = samples->room ? samples->room * 2 : 1u << 16;
    samples->at = realloc(samples->at, samples->room * sizeof *samples->at);
    if (samples->at == NULL) fail("no memory for samples");
}

static int by_sample(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The counter ticks in steps (of 10 ns on some virtual machines), so many samples are the same: one that shows v was anywhere
 * between half a step below and half a step above it. A quantile is where it lies among these, as in any grouped data. */
static double quantile_ns(const bench_samples *sorted, double q)
{
    if (sorted->count == 0) return 0;
    const double rank = q * (double)(sorted->count - 1);
    const uint32_t *at = sorted->at, value = at[(uint64_t)rank];
    uint64_t first = (uint64_t)rank, last = first;
    while (first > 0 && at[first - 1] == value) first--;
    while (last + 1 < sorted->count && at[last + 1] == value) last++;
    if (first == 0 || last + 1 == sorted->count || first == last) return value / 1000.0;
    const uint32_t below = value - at[first - 1], above = at[last + 1] - value;
    const double step = below < above ? below : above;
    const double part = (rank - (double)first + 0.5) / (double)(last - first + 1);
    return (value + step * (part - 0.5)) / 1000.0;
}

/* --- threads ------------------------------------------------------------------------------------------- */

void bench_yield(void) { sched_yield(); }

void bench_bind(unsigned cores)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < 2; i++)
        if (cores & 1u << i) CPU_SET((size_t)bench.core[i], &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) fail("a thread can't be bound to its core");
}

static uint64_t process_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static __thread struct {
    uint64_t wall, used;
} began;

void bench_begin(bench_trial *trial)
{
    (void)trial;
    began.used = process_ns();
    began.wall = bench_now_ns();
}

void bench_end(bench_trial *trial, unsigned busy)
{
    uint64_t wall = bench_now_ns() - began.wall, used = process_ns() - began.used;
    trial->seconds = (double)wall / 1e9;
    trial->share = (double)used / (double)wall / busy;
}

typedef struct runner {
    const bench_thread *thread;
    unsigned *ready;
    const unsigned *go;
} runner;

static void *runner_main(void *argument)
{
    const runner *r = argument;
    bench_bind(r->thread->cores);
    __atomic_fetch_add(r->ready, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(r->go, __ATOMIC_ACQUIRE)) sched_yield();
    r->thread->run(r->thread->argument);
    return NULL;
}

void bench_together(bench_trial *trial, const bench_thread *threads, unsigned count)
{
    pthread_t id[16];
    runner runners[16];
    unsigned ready = 0, go = 0;
    for (unsigned i = 0; i < count; i++) {
        runners[i] = (runner){ &threads[i], &ready, &go };
        errno = pthread_create(&id[i], NULL, runner_main, &runners[i]);
        if (errno != 0) fail("a thread can't be started");
    }
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < count) sched_yield();
    bench_begin(trial);
    __atomic_store_n(&go, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < count; i++) pthread_join(id[i], NULL);
    bench_end(trial, count < 2 ? count : 2);
}

/* --- results ------------------------------------------------------------------------------------------- */

/* Equal values are written once, with their count: nothing is lost, and the record stays small. */
static void record_samples(const bench_samples *sorted)
{
    fputs(", \"samples_ps\": [", bench.record);
    for (uint64_t i = 0, next; i < sorted->count; i = next) {
        for (next = i + 1; next < sorted->count && sorted->at[next] == sorted->at[i];) next++;
        fprintf(bench.record, "%s[%" PRIu32 ", %" PRIu64 "]", i ? ", " : "", sorted->at[i], next - i);
    }
    fputs("]", bench.record);
}

static void record_trials(const bench_trial *trials, unsigned count)
{
    fputs(", \"trials\": [", bench.record);
    for (unsigned i = 0; i < count; i++)
        fprintf(bench.record,
                "%s{\"in\": %" PRIu64 ", \"out\": %" PRIu64 ", \"seconds\": %.9f, \"share\": %.3f}",
                i ? ", " : "", trials[i].in, trials[i].out, trials[i].seconds, trials[i].share);
    fputs("]", bench.record);
}

/* Median, range and quantiles over the undisturbed trials of one contender. */
static bench_result judge(const bench_trial *trials, unsigned rounds, bench_samples *sorted)
{
    bench_result result = { 0 };
    double rates[ROUNDS_MOST];
    unsigned quiet = 0, n = 0;
    for (unsigned i = 0; i < rounds; i++) quiet += trials[i].share >= QUIET_SHARE;
    result.disturbed = rounds - quiet;
    *sorted = (bench_samples){ 0 };
    for (unsigned i = 0; i < rounds; i++) {
        if (quiet >= QUIET_LEAST && trials[i].share < QUIET_SHARE) continue;
        rates[n++] = (double)trials[i].out / trials[i].seconds;
        for (uint64_t s = 0; s < trials[i].samples.count; s++) bench_sample(sorted, trials[i].samples.at[s]);
    }
    qsort(rates, n, sizeof rates[0], by_value);
    if (sorted->count) qsort(sorted->at, sorted->count, sizeof sorted->at[0], by_sample);
    result.trials = n;
    result.rate = rates[n / 2];
    result.rate_least = rates[0];
    result.rate_most = rates[n - 1];
    result.p50 = quantile_ns(sorted, 0.5);
    result.p99 = quantile_ns(sorted, 0.99);
    result.p999 = quantile_ns(sorted, 0.999);
    result.most = quantile_ns(sorted, 1);
    return result;
}

/* --- ratios, round by round ---------------------------------------------------------------------------- */

#define CONTENDERS_MOST 8u

/* Of the contest that ran last. */
static struct {
    double rate[CONTENDERS_MOST][ROUNDS_MOST], p50[CONTENDERS_MOST][ROUNDS_MOST];
    int quiet[CONTENDERS_MOST][ROUNDS_MOST];
    unsigned rounds;
} last;

static void remember(unsigned contender, unsigned round, const bench_trial *trial)
{
    bench_samples sorted = { 0 };
    last.rate[contender][round] = (double)trial->out / trial->seconds;
    last.quiet[contender][round] = trial->share >= QUIET_SHARE;
    last.p50[contender][round] = 0;
    if (trial->samples.count == 0) return;
    for (uint64_t s = 0; s < trial->samples.count; s++) bench_sample(&sorted, trial->samples.at[s]);
    qsort(sorted.at, sorted.count, sizeof sorted.at[0], by_sample);
    last.p50[contender][round] = quantile_ns(&sorted, 0.5);
    free(sorted.at);
}

static double median_ratio(unsigned a, unsigned b, double (*values)[ROUNDS_MOST])
{
    double ratios[ROUNDS_MOST];
    unsigned quiet = 0, n = 0;
    for (unsigned r = 0; r < last.rounds; r++) quiet += last.quiet[a][r] && last.quiet[b][r];
    for (unsigned r = 0; r < last.rounds; r++) {
        if (quiet >= QUIET_LEAST && !(last.quiet[a][r] && last.quiet[b][r])) continue;
        if (values[b][r] > 0) ratios[n++] = values[a][r] / values[b][r];
    }
    qsort(ratios, n, sizeof ratios[0], by_value);
    return n ? ratios[n / 2] : 0;
}

double bench_rate_ratio(unsigned a, unsigned b) { return median_ratio(a, b, last.rate); }

double bench_p50_ratio(unsigned a, unsigned b) { return median_ratio(a, b, last.p50); }

void bench_balance(const char *who, const bench_trial *trial)
{
    bench.in += trial->in;
    bench.out += trial->out;
    if (trial->in == trial->out && trial->sum_in == trial->sum_out) return;
    fprintf(stderr,
            "%s doesn't balance: in %" PRIu64 ", out %" PRIu64 "; checksums %016" PRIx64 ", %016" PRIx64 "\n",
            who, trial->in, trial->out, trial->sum_in, trial->sum_out);
    exit(1);
}

static void print_result(const char *name, const char *unit, const bench_result *r)
{
    int mega = r->rate > 1e5;
    double scale = mega ? 1e6 : 1;
    printf("  %-34s %9.2f %s%s/s (%.2f–%.2f)", name, r->rate / scale, mega ? "M " : "", unit,
           r->rate_least / scale, r->rate_most / scale);
    if (r->p50 > 0)
        printf("   ns p50 %.3g  p99 %.3g  p99.9 %.3g  max %.3g", r->p50, r->p99, r->p999, r->most);
    printf("   trials %u, disturbed %u\n", r->trials, r->disturbed);
}

void bench_run(const bench_contest *contest, bench_result *results)
{
    unsigned rounds = bench.rounds ? bench.rounds : contest->rounds;
    if (rounds > ROUNDS_MOST) rounds = ROUNDS_MOST;
    bench_trial *trials = calloc((size_t)rounds * contest->count, sizeof *trials);
    if (trials == NULL || contest->count > CONTENDERS_MOST) fail("no memory for trials");

    for (unsigned i = 0; i < contest->count; i++) { /* warm-up: counts for the account only */
        bench_trial warm = { 0 };
        contest->contenders[i].run(&contest->contenders[i], &warm);
        bench_balance(contest->contenders[i].name, &warm);
        free(warm.samples.at);
    }
    for (unsigned round = 0; round < rounds; round++)
        for (unsigned turn = 0; turn < contest->count; turn++) {
            unsigned i = (turn + round) % contest->count;
            bench_trial *trial = &trials[i * rounds + round];
            contest->contenders[i].run(&contest->contenders[i], trial);
            bench_balance(contest->contenders[i].name, trial);
            if (bench.realtime) usleep((useconds_t)(trial->seconds * 1e6));
        }

    last.rounds = rounds;
    for (unsigned i = 0; i < rounds * contest->count; i++) remember(i / rounds, i % rounds, &trials[i]);

    printf("%s: %s\n", contest->name, contest->title);
    fprintf(bench.record, "%s\n    {\"contest\": \"%s\", \"title\": \"%s\", \"contenders\": [",
            bench.contests++ ? "," : "", contest->name, contest->title);
    for (unsigned i = 0; i < contest->count; i++) {
        bench_samples sorted;
        results[i] = judge(&trials[i * rounds], rounds, &sorted);
        print_result(contest->contenders[i].name, contest->unit, &results[i]);
        fprintf(bench.record, "%s\n      {\"name\": \"%s\", \"rate\": %.1f", i ? "," : "",
                contest->contenders[i].name, results[i].rate);
        record_trials(&trials[i * rounds], rounds);
        record_samples(&sorted);
        fputs("}", bench.record);
        free(sorted.at);
    }
    fputs("]}", bench.record);
    for (unsigned i = 0; i < rounds * contest->count; i++) free(trials[i].samples.at);
    free(trials);
    fflush(stdout);
}

static char figures[8192];
static size_t figures_used;

static void keep_figure(const char *what, double value, const char *unit, const char *verdict)
{
    int n = snprintf(figures + figures_used, sizeof figures - figures_used,
                     "%s\n    {\"figure\": \"%s\", \"value\": %.6g, \"unit\": \"%s\", \"verdict\": \"%s\"}",
                     bench.figures++ ? "," : "", what, value, unit, verdict);
    if (n > 0 && figures_used + (size_t)n < sizeof figures) figures_used += (size_t)n;
}

void bench_goal(const char *what, double value, const char *unit, double limit, int at_least)
{
    int met = at_least ? value >= limit : value <= limit;
    char verdict[64];
    snprintf(verdict, sizeof verdict, "%s %g: %s", at_least ? "≥" : "≤", limit, met ? "met" : "MISSED");
    bench.missed += !met;
    printf("goal: %-58s %10.4g %-12s %s\n", what, value, unit, verdict);
    keep_figure(what, value, unit, verdict);
    fflush(stdout);
}

void bench_figure(const char *what, double value, const char *unit)
{
    printf("figure: %-56s %10.4g %s\n", what, value, unit);
    keep_figure(what, value, unit, "");
    fflush(stdout);
}

void bench_against_peers(const bench_contest *contest, const bench_result *results, const char *what,
                         double limit)
{
    unsigned fastest = 0;
    for (unsigned i = 1; i < contest->count; i++)
        if (contest->contenders[i].is_peer && (!fastest || results[i].rate > results[fastest].rate))
            fastest = i;
    if (fastest)
        bench_goal(what, bench_rate_ratio(0, fastest), "x", limit, 1);
    else
        printf("no peer was there to compare with: make bench-setup installs them\n");
}

/* --- the run ------------------------------------------------------------------------------------------- */

void bench_open_in(int argc, char **argv, const char *tree)
{
    bench.tree = tree;
    const char *base = strrchr(argv[0], '/');
    snprintf(bench.name, sizeof bench.name, "%s", base ? base + 1 : argv[0]);
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--save=", 7) == 0)
            bench.save = argv[i] + 7;
        else if (strcmp(argv[i], "--realtime") == 0)
            bench.realtime = 1;
        else if (strncmp(argv[i], "--rounds=", 9) == 0)
            bench.rounds = (unsigned)strtoul(argv[i] + 9, NULL, 10);
        else {
            fprintf(stderr, "usage: %s [--save=DIR] [--realtime] [--rounds=N]\n", bench.name);
            exit(2);
        }
    }

    bench_may_save(bench.save);
    cpu_set_t allowed;
    unsigned found = 0;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) fail("the cores can't be read");
    for (int c = 0; c < CPU_SETSIZE && found < 2; c++)
        if (CPU_ISSET((size_t)c, &allowed)) bench.core[found++] = c;
    if (found < 2) {
        fprintf(stderr, "%s: needs two cores, %u may be used\n", bench.name, found);
        exit(77);
    }
    bench_bind(3);
    calibrate();
    struct sched_param priority = { .sched_priority = 10 };
    if (bench.realtime && sched_setscheduler(0, SCHED_FIFO, &priority) != 0) fail("--realtime");
    bench.record = open_memstream(&bench.record_text, &bench.record_size);
    if (bench.record == NULL) fail("no memory for the record");
}

int bench_close(void)
{
    char line[512], date[16], path[1024];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    fclose(bench.record);
    printf("account: in %" PRIu64 " = out %" PRIu64 ", checksums equal\n", bench.in, bench.out);
    bench_machine(bench.tree, line, sizeof line);
    printf("machine: %s\n", line);
    if (!bench.save) return 0;

    snprintf(path, sizeof path, "%s/%s-%s.json", bench.save, bench.name, date);
    FILE *file = fopen(path, "w");
    if (file == NULL) fail(path);
    fputs("{\n", file);
    bench_manifest(file, bench.tree, bench.core);
    fprintf(file, "  \"account\": {\"in\": %" PRIu64 ", \"out\": %" PRIu64 ", \"checksums\": \"equal\"},\n",
            bench.in, bench.out);
    fprintf(file, "  \"figures\": [%s\n  ],\n  \"contests\": [%s\n  ]\n}\n", figures, bench.record_text);
    if (fclose(file) != 0) fail(path);
    printf("saved: %s\n", path);
    free(bench.record_text);
    return 0;
}
