/* ringkernel on a GPU beside what the hardware does without it: the same run, the same geometry, in turn.
 *
 * A row has up to two contenders, the library and a bare program of raw.cu. They run alternately, round by
 * round, and a ratio is the median of those of the single rounds. Only one of them is on the device at a
 * time. Each trial balances: what went in came out, every word of it checked by the handler or by the
 * receiver; else the status is 1. A row that can't run says why, and the next one runs. A thread ends the
 * process if a row doesn't end. */
#include <fnmatch.h>
#include <stdio.h>
#include <unistd.h>

#include "../peer/manifest.h"
#include "record.h"

#define WARM_S 0.05
#define ROW_LIMIT_S 60u /* the first run of a kernel compiles it */
#define RUN_LIMIT_S 300u

bench_run run = { .seconds = 0.3, .rounds = 3, .backend = RK_BACKEND_CUDA };

static outcome outcomes[32];
static unsigned outcome_count;
static uint64_t row_ends_ns; /* atomic; the watchdog's */

/* ------------------------------------------------------------------ a row */

static void balance(const row *r, const char *who, const trial *t)
{
    run.messages += t->out;
    if (t->in == t->out && !t->wrong) return;
    run.unbalanced++;
    printf("row %s, %s: DOES NOT BALANCE: in %llu, out %llu, wrong %llu\n", r->id, who,
           (unsigned long long)t->in, (unsigned long long)t->out, (unsigned long long)t->wrong);
}

/* One trial of a contender. 0: it can't go on. */
static int run_ours(outcome *o, double s, int counts)
{
    trial t = { 0 };
    if (!attempt(o->of, o->of->ours, &t, s)) {
        snprintf(o->reason, sizeof o->reason, "%s", row_reason());
        close_runtime(); /* nothing of it stays beside the bare contender */
        return 0;
    }
    balance(o->of, "ringkernel", &t);
    if (counts) o->ours.trials[o->ours.count++] = t;
    return 1;
}
static int run_raw(outcome *o, double s, int counts)
{
    trial t = { 0 };
    if (o->of->raw(o->of, &t, s)) {
        if (!o->reason[0]) snprintf(o->reason, sizeof o->reason, "raw: %s", raw_error());
        return 0;
    }
    balance(o->of, "raw", &t);
    if (counts) o->raw.trials[o->raw.count++] = t;
    return 1;
}

static void run_row(const row *r)
{
    outcome *o = &outcomes[outcome_count++];
    o->of = r;
    __atomic_store_n(&row_ends_ns, now_ns() + ROW_LIMIT_S * 1000000000ull, __ATOMIC_RELEASE);
    printf("row %-6s %-46s", r->id, r->title);
    fflush(stdout);
    uint64_t begin = now_ns();
    int ours = r->ours != NULL, raw = r->raw != NULL && run.has_device;
    if (ours) {
        ours = attempt_runtime() && attempt(r, NULL, NULL, 0);
        if (!ours) {
            snprintf(o->reason, sizeof o->reason, "%s", row_reason());
            close_runtime();
        }
    }
    if (ours) ours = run_ours(o, WARM_S, 0);
    if (raw) raw = run_raw(o, WARM_S, 0);
    for (unsigned round = 0; round < run.rounds && (ours || raw); round++) {
        if (raw) raw = run_raw(o, run.seconds, 1);
        if (ours) ours = run_ours(o, run.seconds, 1);
    }
    close_runtime();
    free_own_table();
    judge(o);
    printf(" %5.1f s\n", (double)(now_ns() - begin) / 1e9);
    if (o->reason[0]) printf("    %s\n", o->reason);
    fflush(stdout);
}

/* ------------------------------------------------------------------ the run */

static void *watchdog(void *argument)
{
    uint64_t run_ends_ns = now_ns() + RUN_LIMIT_S * 1000000000ull;
    (void)argument;
    for (;;) {
        usleep(100000);
        uint64_t now = now_ns();
        if (now < __atomic_load_n(&row_ends_ns, __ATOMIC_ACQUIRE) && now < run_ends_ns) continue;
        if (outcome_count && !outcomes[outcome_count - 1].reason[0])
            snprintf(outcomes[outcome_count - 1].reason, sizeof outcomes[outcome_count - 1].reason,
                     "did not end; the rows behind it did not run");
        printf("\n");
        print_table(outcomes, outcome_count);
        if (run.save) write_record(outcomes, outcome_count);
        fprintf(stderr, "gpu_bench: ended by its watchdog\n");
        fflush(stdout);
        _exit(1);
    }
    return NULL;
}

static _Noreturn void usage(void)
{
    fprintf(
        stderr,
        "usage: gpu_bench [--save FOLDER] [--only PATTERN] [--seconds S] [--rounds N] [--backend cuda|cpu]\n"
        "PATTERN is of rows: '3.*', '1'; several with commas\n");
    exit(2);
}

static void options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (!value) usage();
        if (!strcmp(argv[i], "--save"))
            run.save = value;
        else if (!strcmp(argv[i], "--only"))
            run.only = value;
        else if (!strcmp(argv[i], "--seconds"))
            run.seconds = strtod(value, NULL);
        else if (!strcmp(argv[i], "--rounds"))
            run.rounds = (unsigned)strtoul(value, NULL, 10);
        else if (!strcmp(argv[i], "--backend") && !strcmp(value, "cpu"))
            run.backend = RK_BACKEND_CPU;
        else if (strcmp(argv[i], "--backend") || strcmp(value, "cuda"))
            usage();
        i++;
    }
    if (run.seconds < 0.01 || run.seconds > 10 || run.rounds < 1 || run.rounds > ROUNDS_MOST) usage();
}

static int is_chosen(const row *r)
{
    char patterns[256];
    if (!run.only) return 1;
    snprintf(patterns, sizeof patterns, "%s", run.only);
    for (char *rest = patterns, *p; (p = strtok_r(rest, ",", &rest));)
        if (!fnmatch(p, r->id, 0)) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    static const rows *const all[] = { &host_rows, &device_rows, &life_rows, &peer_rows };
    pthread_t dog;
    unsigned missed = 0, failed = 0;
    options(argc, argv);
    bench_may_save(run.save);
    bind_thread(-1); /* knows the cores before anything is bound */
    row_ends_ns = now_ns() + ROW_LIMIT_S * 1000000000ull;
    if (pthread_create(&dog, NULL, watchdog, NULL)) return 1;
    run.has_device = run.backend == RK_BACKEND_CUDA && raw_open(&run.device) == 0;
    if (run.backend == RK_BACKEND_CUDA && !run.has_device) {
        fprintf(stderr, "gpu_bench: no device: %s\n", raw_error());
        return 77;
    }
    if (run.has_device)
        printf("%s, %d multiprocessors, CUDA %d; %ld cores; %u rounds of %g s\n", run.device.name,
               run.device.multiprocessors, run.device.driver, sysconf(_SC_NPROCESSORS_ONLN), run.rounds,
               run.seconds);
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        for (size_t i = 0; i < all[k]->count; i++) {
            const row *r = &all[k]->at[i];
            if (all[k] == &peer_rows && run.device.count < 2) continue;
            if (is_chosen(r) && (r->ours || run.has_device)) run_row(r);
        }
    __atomic_store_n(&row_ends_ns, now_ns() + ROW_LIMIT_S * 1000000000ull, __ATOMIC_RELEASE);
    print_table(outcomes, outcome_count);
    if (run.save) write_record(outcomes, outcome_count);
    for (unsigned i = 0; i < outcome_count; i++) {
        failed += outcomes[i].reason[0] != 0;
        for (unsigned k = 0; k < outcomes[i].line_count; k++)
            missed += outcomes[i].lines[k].verdict[0] == 'M';
    }
    printf(
        "%u rows, %u failed, %u bars missed; %llu messages counted and checked, %u trials out of balance\n",
        outcome_count, failed, missed, (unsigned long long)run.messages, run.unbalanced);
    return run.unbalanced ? 1 : 0;
}
