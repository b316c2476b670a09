#include "contract.h"

#include <fnmatch.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../kernels/contract_a.rk.h"
#include "../opencl_device.h"
#include "../sanitized.h"

/* The threads of a batch can't be run twice on a device. */
#define DEVICE_REFUSES "spmd_check"

/* Blocks of pools are not copied to an OpenCL device. */
#define COPIES_REFUSE DEVICE_REFUSES, "travel by reference, and blocks of them are not copied"
#define COPIES "shared atomics" /* as a device of which nothing is known */

/* The CPU refuses nothing: what its fibers can't have, a case says by its needs. */
static const contract_variant variants[] = {
    { "regions-1", RK_BACKEND_CPU, STYLE_REGIONS, 1, 0, 0, 0, { 0 } },
    { "regions-3", RK_BACKEND_CPU, STYLE_REGIONS, 3, 0, 0, 0, { 0 } },
    { "fibers-1", RK_BACKEND_CPU, STYLE_FIBERS, 1, 0, 0, 0, { 0 } },
    { "fibers-3", RK_BACKEND_CPU, STYLE_FIBERS, 3, 0, 0, 0, { 0 } },
    { "step", RK_BACKEND_CPU, STYLE_REGIONS, 0, 1, 0, 0, { 0 } },
    { "step-fibers", RK_BACKEND_CPU, STYLE_FIBERS, 0, 1, 0, 0, { 0 } },
    { "cuda-persistent", RK_BACKEND_CUDA, STYLE_REGIONS, 0, 0, 0, 0, { DEVICE_REFUSES } },
    { "cuda-persistent-spmd", RK_BACKEND_CUDA, STYLE_FIBERS, 0, 0, 0, 0, { DEVICE_REFUSES } },
    { "cuda-slices", RK_BACKEND_CUDA, STYLE_REGIONS, 0, 0, 1, 0, { DEVICE_REFUSES } },
    { "cuda-slices-spmd", RK_BACKEND_CUDA, STYLE_FIBERS, 0, 0, 1, 0, { DEVICE_REFUSES } },
    { "cuda-step", RK_BACKEND_CUDA, STYLE_REGIONS, 0, 1, 0, 0, { DEVICE_REFUSES } },
    { "cuda-split", RK_BACKEND_CUDA, STYLE_REGIONS, 0, 0, 0, 1, { DEVICE_REFUSES } },
    { "cuda-split-spmd", RK_BACKEND_CUDA, STYLE_FIBERS, 0, 0, 0, 1, { DEVICE_REFUSES } },
    { "cuda-split-slices", RK_BACKEND_CUDA, STYLE_REGIONS, 0, 0, 1, 1, { DEVICE_REFUSES } },
    { "opencl-slices", RK_BACKEND_OPENCL, STYLE_REGIONS, 0, 0, 1, 0, { COPIES_REFUSE }, COPIES },
    { "opencl-slices-spmd", RK_BACKEND_OPENCL, STYLE_FIBERS, 0, 0, 1, 0, { COPIES_REFUSE }, COPIES },
    { "opencl-step", RK_BACKEND_OPENCL, STYLE_REGIONS, 0, 1, 0, 0, { COPIES_REFUSE }, COPIES },
    { "opencl-32-bit",
      RK_BACKEND_OPENCL,
      STYLE_REGIONS,
      0,
      0,
      1,
      0,
      { COPIES_REFUSE },
      COPIES ",64-bit atomics,double precision,OpenCL C 3.0" },
    { "opencl-shared", RK_BACKEND_OPENCL, STYLE_REGIONS, 0, 0, 1, 0, { DEVICE_REFUSES } },
    { "opencl-shared-step", RK_BACKEND_OPENCL, STYLE_REGIONS, 0, 1, 0, 0, { DEVICE_REFUSES } },
    { "opencl-persistent", RK_BACKEND_OPENCL, STYLE_REGIONS, 0, 0, 0, 0, { DEVICE_REFUSES } },
    { "opencl-persistent-spmd", RK_BACKEND_OPENCL, STYLE_FIBERS, 0, 0, 0, 0, { DEVICE_REFUSES } },
};
#define VARIANTS (sizeof variants / sizeof *variants)

/* A case that takes longer hangs: the watchdog ends the program. RK_CONTRACT_LIMIT says otherwise (seconds). */
#define CASE_LIMIT_S 60u
#define PATIENCE_S 20u

int contract_sanitized(void) { return SANITIZED; }

/* ------------------------------------------------------------------ which variants run */

static int is_chosen(const contract_variant *v)
{
    const char *patterns = getenv("RK_CONTRACT_VARIANTS");
    if (!patterns || !*patterns) return v->backend == RK_BACKEND_CPU;
    for (char pattern[64]; *patterns; patterns += *patterns == ',') {
        size_t length = strcspn(patterns, ",");
        snprintf(pattern, sizeof pattern, "%.*s", (int)length, patterns);
        if (fnmatch(pattern, v->name, 0) == 0) return 1;
        patterns += length;
    }
    return 0;
}

static rk_u32 number_by(const char *variable, rk_u32 otherwise)
{
    const char *said = getenv(variable);
    long number = said ? strtol(said, 0, 10) : 0;
    return number > 0 ? (rk_u32)number : otherwise;
}

static rk_u64 seconds_by(const char *variable, rk_u32 otherwise)
{
    return RK_SECONDS(number_by(variable, otherwise));
}

rk_u64 contract_patience_ns(void) { return seconds_by("RK_CONTRACT_PATIENCE", PATIENCE_S); }

static int device_is_required(void)
{
    const char *said = getenv("RK_CONTRACT_REQUIRE");
    return said && strcmp(said, "1") == 0;
}

static int on_device; /* a chosen variant is of a device */

rk_u32 contract_times(void) { return number_by("RK_CONTRACT_TIMES", 1); }

rk_u32 contract_rounds(rk_u32 release)
{
    return ((SANITIZED || on_device) && release >= 20 ? release / 20u : release) * contract_times();
}

/* ------------------------------------------------------------------ one case on one variant */

typedef enum outcome { NOT_RUN, PASSED, REFUSED, FAILED, SKIPPED } outcome;

typedef struct job {
    const contract_case *test;
    const contract_variant *variant;
    contract *fixture;
    outcome outcome;
    char refused[256]; /* why, also of a device that isn't there */
    char name[160];
} job;

static job *running; /* atomic: what the watchdog names */
static rk_u64 running_since_ns;

/* cmocka jumps out of a crash and goes on, with whatever lock was held. A crash ends the program, as its
 * sanitizer says. */
static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
static struct sigaction first_actions[sizeof crashes / sizeof *crashes];

static void keep_actions(void)
{
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) sigaction(crashes[i], 0, &first_actions[i]);
}

static void restore_actions(void)
{
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) sigaction(crashes[i], &first_actions[i], 0);
}

rk_u64 contract_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

static void *watch(void *argument)
{
    (void)argument;
    for (rk_u64 limit_ns = seconds_by("RK_CONTRACT_LIMIT", CASE_LIMIT_S);;) {
        nanosleep(&(struct timespec){ 0, 200000000 }, 0);
        const job *j = __atomic_load_n(&running, __ATOMIC_ACQUIRE);
        rk_u64 since = __atomic_load_n(&running_since_ns, __ATOMIC_ACQUIRE);
        if (!j || contract_now_ns() - since < limit_ns) continue;
        fprintf(stderr, "watchdog: '%s' takes longer than %llu s\n", j->name,
                (unsigned long long)(limit_ns / 1000000000u));
        abort();
    }
    return 0;
}

static void take_log(void *user, const rk_log_record *record)
{
    contract *c = user;
    pthread_mutex_lock(&c->lock);
    if (c->logged < CONTRACT_LOGS) {
        contract_line *line = &c->log[c->logged];
        line->level = record->level;
        line->shard = record->shard;
        line->when_ns = record->when_ns;
        snprintf(line->kernel, sizeof line->kernel, "%s", record->kernel_name);
        snprintf(line->text, sizeof line->text, "%s", record->text);
    }
    c->logged++;
    pthread_mutex_unlock(&c->lock);
}

static rk_u64 injected_clock(void *user)
{
    return __atomic_load_n(&((contract *)user)->clock_ns, __ATOMIC_RELAXED);
}

/* Of a split variant: RK_CONTRACT_DEVICES, two numbers and a comma between them; the first two otherwise. */
static const rk_u32 *split_devices(void)
{
    static rk_u32 devices[2] = { 0, 1 };
    const char *said = getenv("RK_CONTRACT_DEVICES");
    char *end;
    if (!said) return devices;
    devices[0] = (rk_u32)strtoul(said, &end, 10);
    if (*end == ',') devices[1] = (rk_u32)strtoul(end + 1, &end, 10);
    if (!*end) return devices;
    fprintf(stderr, "RK_CONTRACT_DEVICES is '%s': two numbers and a comma between them\n", said);
    exit(2);
}

void contract_inject_clock(contract *c, rk_runtime_options *options)
{
    options->clock_ns = injected_clock;
    options->clock_user = c;
    c->injected = 1;
}

rk_runtime_options contract_runtime_options(contract *c)
{
    rk_runtime_options o = { RK_RUNTIME_OPTIONS,
                             .backend = c->variant->backend,
                             .workers = c->variant->workers,
                             .single_step = c->variant->single_step,
                             .slices = c->variant->slices,
                             .on_log = take_log,
                             .log_user = c,
                             .unpinned = 1 };
    if (c->variant->backend == RK_BACKEND_OPENCL) o.device = opencl_device();
    if (c->variant->split) {
        o.devices = split_devices();
        o.device_count = 2;
    }
    if (c->variant->single_step) contract_inject_clock(c, &o);
    return o;
}

void contract_reopen(contract *c, const rk_runtime_options *options)
{
    contract_close(c);
    c->devices = options->device_count;
    assert_ok(rk_open(options, &c->runtime));
}

/* Everything that came in is somewhere: by kernel and by lane. Exact only at rest, so it is waited for. */
static int is_balanced(contract *c, rk_kernel kernel)
{
    rk_account a, lane;
    rk_kernel_info info;
    if (rk_account_of(c->runtime, kernel, &a) != RK_OK ||
        rk_kernel_information(c->runtime, kernel, &info) != RK_OK)
        return 0;
    rk_u64 accepted = 0, queued = 0;
    for (rk_u32 s = 0; s < info.shards; s++)
        for (rk_u32 l = 0; l < 2; l++) {
            if (rk_account_of_lane(c->runtime, kernel, s, l, &lane) != RK_OK || !lane.balanced) return 0;
            accepted += lane.accepted;
            queued += lane.queued;
        }
    return a.balanced && a.accepted == a.accepted_host + a.accepted_device && a.accepted == accepted &&
           a.queued == queued && a.output_accepted == a.output_received + a.output_queued;
}

static void check_accounts(contract *c)
{
    rk_kernel kernels[256];
    size_t count = 0;
    settle(c);
    assert_ok(rk_list(c->runtime, kernels, 256, &count));
    for (size_t i = 0; i < count && i < 256; i++) wait_until(c, is_balanced(c, kernels[i]));
}

/* What a handler that never returned may still use; found from here by the leak checker. */
static struct {
    contract *fixture;
    rk_runtime *runtime;
} left_behind[64];
static size_t left_behind_count;

static void leave_behind(contract *fixture, rk_runtime *runtime)
{
    if (left_behind_count == sizeof left_behind / sizeof *left_behind) return;
    left_behind[left_behind_count].fixture = fixture;
    left_behind[left_behind_count++].runtime = runtime;
}

void contract_close(contract *c)
{
    check_accounts(c);
    rk_runtime *runtime = c->runtime;
    if (c->ends_quarantined) leave_behind(c, runtime);
    c->runtime = 0;
    assert_status(rk_close(runtime), c->ends_quarantined ? RK_QUARANTINED : RK_OK);
}

static int may_refuse(const contract_variant *v, const char *why)
{
    for (rk_u32 i = 0; i < CONTRACT_REFUSALS && v->refuses[i]; i++)
        if (strstr(why, v->refuses[i])) return 1;
    return 0;
}

void contract_refuse(contract *c, const char *why)
{
    if (!may_refuse(c->variant, why))
        fail_msg("variant '%s' refuses what its table doesn't have: %s", c->variant->name, why);
    snprintf(c->refused, sizeof c->refused, "%s", why);
    skip();
}

static int set_up(void **state)
{
    job *j = *state;
    contract *c = calloc(1, sizeof *c);
    if (!c) return -1;
    c->variant = j->variant;
    c->clock_ns = RK_SECONDS(1000);
    pthread_mutex_init(&c->lock, 0);
    j->fixture = c;
    j->outcome = FAILED; /* until it has passed */
    contract_control_reset();
    __atomic_store_n(&running_since_ns, contract_now_ns(), __ATOMIC_RELEASE);
    __atomic_store_n(&running, j, __ATOMIC_RELEASE);
    rk_runtime_options o = contract_runtime_options(c);
    setenv("RK_OPENCL_WITHOUT", c->variant->without ? c->variant->without : "", 1);
    c->devices = o.device_count;
    rk_status status = rk_open(&o, &c->runtime);
    if (status == RK_OK) return 0;
    if ((status == RK_UNSUPPORTED || (c->variant->split && status == RK_INVALID_ARGUMENT)) && !on_cpu(c)) {
        snprintf(j->refused, sizeof j->refused, "%.255s", rk_error_text());
        j->outcome = SKIPPED;
        return 0; /* run() goes by that */
    }
    print_error("the runtime can't be opened: %s\n%s", rk_status_name(status), rk_error_text());
    return -1;
}

static void run(void **state)
{
    job *j = *state;
    contract *c = j->fixture;
    restore_actions();
    if (j->outcome == SKIPPED && device_is_required()) fail_msg("%s", j->refused);
    if (j->outcome == SKIPPED) skip();
    j->test->run(c);
    stop_threads(c);
    if (c->runtime) contract_close(c);
    assert_int_equal(c->failures, 0);
    j->outcome = PASSED;
}

/* After a failure: let everybody go, so that the next case finds a clean process. */
static int tear_down(void **state)
{
    job *j = *state;
    contract *c = j->fixture;
    contract_control_open();
    stop_threads(c);
    if (j->outcome == SKIPPED && device_is_required()) j->outcome = FAILED;
    if (c->refused[0]) {
        j->outcome = REFUSED;
        snprintf(j->refused, sizeof j->refused, "%.255s", c->refused);
    }
    if (j->outcome == FAILED) {
        pthread_mutex_lock(&c->lock);
        for (rk_u32 i = 0; i < c->logged && i < CONTRACT_LOGS; i++)
            fprintf(stderr, "    log: %s/%u: %s\n", c->log[i].kernel, c->log[i].shard, c->log[i].text);
        pthread_mutex_unlock(&c->lock);
    }
    if (c->runtime) rk_close(c->runtime);
    __atomic_store_n(&running, (job *)0, __ATOMIC_RELEASE);
    if (c->ends_quarantined) {
        leave_behind(c, c->runtime);
        return 0;
    }
    pthread_mutex_destroy(&c->lock);
    free(c);
    return 0;
}

/* ------------------------------------------------------------------ all of them */

static int has_what_it_needs(const contract_variant *v, rk_u32 needs)
{
    if ((needs & NEEDS_REGIONS) && v->style != STYLE_REGIONS) return 0;
    if ((needs & NEEDS_FIBERS) && v->style != STYLE_FIBERS) return 0;
    if ((needs & NEEDS_THREADS) && v->single_step) return 0;
    if ((needs & NEEDS_STEP) && !v->single_step) return 0;
    if ((needs & NEEDS_CPU) && v->backend != RK_BACKEND_CPU) return 0;
    if ((needs & NEEDS_SHARED) && v->backend != RK_BACKEND_CPU &&
        (v->backend != RK_BACKEND_OPENCL || v->without))
        return 0;
    if ((needs & SPMD_NEEDS_CPU) && v->backend != RK_BACKEND_CPU && v->style == STYLE_FIBERS) return 0;
    return !(needs & NEEDS_WORKERS) || v->workers > 1;
}

static int width_of(const contract_variant *v)
{
    return (int)(strlen(v->name) > 7 ? strlen(v->name) : 7); /* of "refused" */
}

static void print_table(const char *group, const contract_case *cases, size_t count, const job *jobs,
                        size_t job_count)
{
    static const char *const texts[] = { "-", "pass", "refused", "FAIL", "skipped" };
    size_t widest = 0;
    for (size_t i = 0; i < count; i++)
        if (strlen(cases[i].name) > widest) widest = strlen(cases[i].name);
    printf("\n%-*s", (int)widest, group);
    for (size_t v = 0; v < VARIANTS; v++)
        if (is_chosen(&variants[v])) printf("  %*s", width_of(&variants[v]), variants[v].name);
    printf("\n");
    for (size_t i = 0; i < count; i++) {
        printf("%-*s", (int)widest, cases[i].name);
        for (size_t v = 0; v < VARIANTS; v++) {
            outcome o = NOT_RUN;
            if (!is_chosen(&variants[v])) continue;
            for (size_t j = 0; j < job_count; j++)
                if (jobs[j].test == &cases[i] && jobs[j].variant == &variants[v]) o = jobs[j].outcome;
            printf("  %*s", width_of(&variants[v]), texts[o]);
        }
        printf("\n");
    }
    const job *skipped = 0; /* all for one reason */
    for (size_t j = 0; j < job_count; j++) {
        if (jobs[j].outcome == REFUSED) printf("refused: %s: %s\n", jobs[j].name, jobs[j].refused);
        if (jobs[j].outcome == SKIPPED && !skipped) skipped = &jobs[j];
    }
    if (skipped) printf("skipped: %s: %s\n", skipped->variant->name, skipped->refused);
    fflush(stdout);
}

int contract_main(const char *group, const contract_case *cases, size_t count, int argc, char **argv)
{
    job *jobs = calloc(count * VARIANTS, sizeof *jobs);
    struct CMUnitTest *tests = calloc(count * VARIANTS, sizeof *tests);
    pthread_t watchdog;
    size_t n = 0;
    if (!jobs || !tests || pthread_create(&watchdog, 0, watch, 0)) return 1;
    pthread_detach(watchdog);
    for (size_t v = 0; v < VARIANTS; v++)
        on_device |= is_chosen(&variants[v]) && variants[v].backend != RK_BACKEND_CPU;
    for (size_t i = 0; i < count; i++) {
        rk_u32 had = 0;
        for (size_t v = 0; v < VARIANTS; v++) {
            if (!has_what_it_needs(&variants[v], cases[i].needs)) continue;
            if (((cases[i].needs & ONCE) && had++) || !is_chosen(&variants[v])) continue;
            jobs[n] = (job){ .test = &cases[i], .variant = &variants[v] };
            snprintf(jobs[n].name, sizeof jobs[n].name, "%s [%s]", cases[i].name, variants[v].name);
            tests[n] = (struct CMUnitTest){ jobs[n].name, run, set_up, tear_down, &jobs[n] };
            n++;
        }
    }
    size_t from = 0;
    const char *after = getenv("RK_CONTRACT_AFTER");
    for (size_t i = 0; after && i < n; i++)
        if (strcmp(jobs[i].name, after) == 0) from = i + 1;
    keep_actions();
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    int failed = _cmocka_run_group_tests(group, tests + from, n - from, 0, 0);
    print_table(group, cases, count, jobs, n);
    free(tests);
    free(jobs);
    return failed ? 1 : 0;
}

/* ------------------------------------------------------------------ checks */

void contract_assert_status(rk_status got, rk_status expected, const char *call, const char *file, int line)
{
    if (got == expected) return;
    print_error("%s\n    is %s, not %s\n%s", call, rk_status_name(got), rk_status_name(expected),
                got == RK_OK ? "" : rk_error_text());
    _fail(file, line);
}

void contract_assert_says(const char *whole, const char *part, const char *file, int line)
{
    if (strstr(whole, part)) return;
    print_error("there is no '%s' in:\n%s\n", part, whole);
    _fail(file, line);
}

int contract_expect(contract *c, int holds, const char *text, const char *file, int line)
{
    if (holds) return 1;
    if (__atomic_fetch_add(&c->failures, 1, __ATOMIC_ACQ_REL) < 10)
        fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
    return 0;
}

int contract_expect_status(contract *c, rk_status got, rk_status expected, const char *call, const char *file,
                           int line)
{
    if (got == expected) return 1;
    if (__atomic_fetch_add(&c->failures, 1, __ATOMIC_ACQ_REL) < 10)
        fprintf(stderr, "%s:%d: %s\n    is %s, not %s\n%s", file, line, call, rk_status_name(got),
                rk_status_name(expected), got == RK_OK ? "" : rk_error_text());
    return 0;
}

/* ------------------------------------------------------------------ time */

void contract_breathe(contract *c, rk_u64 until_ns, const char *condition, const char *file, int line)
{
    if (c->variant->single_step) settle(c);
    sched_yield();
    if (contract_now_ns() < until_ns) return;
    fprintf(stderr, "%s:%d: waited in vain for: %s\n", file, line, condition);
    for (rk_u32 i = 0; i < c->threads; i++)
        if (pthread_equal(pthread_self(), c->thread[i]))
            abort(); /* cmocka can't jump out of another thread */
    _fail(file, line);
}

void let_pass(contract *c, rk_u64 ns)
{
    if (c->injected) {
        __atomic_fetch_add(&c->clock_ns, ns, __ATOMIC_RELAXED);
        return;
    }
    rk_u64 until = rk_clock_ns(c->runtime) + ns;
    for (rk_u64 now = rk_clock_ns(c->runtime); now < until; now = rk_clock_ns(c->runtime)) {
        rk_u64 left = until - now;
        nanosleep(&(struct timespec){ (time_t)(left / 1000000000u), (long)(left % 1000000000u) }, 0);
    }
}

void let_expire(contract *c, rk_kernel k, rk_u64 lived_ns)
{
    rk_metrics m;
    assert_ok(rk_metrics_of(c->runtime, k, &m));
    rk_u64 off = m.clock_error_ns + (rk_u64)(m.clock_drift_ns < 0 ? -m.clock_drift_ns : m.clock_drift_ns);
    let_pass(c, lived_ns + 4 * off + RK_MILLISECONDS(1)); /* of two devices, and again before it looks */
}

void settle(contract *c)
{
    if (c->variant->single_step && c->runtime) rk_step_all(c->runtime, 100000);
}

/* ------------------------------------------------------------------ kernels */

rk_launch_options small(rk_u32 capacity)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = capacity;
    o.deduplication_window = 0;
    return o;
}

const char *in_style(contract *c, const char *kernel)
{
    static __thread char name[80];
    snprintf(name, sizeof name, "%s%s", kernel, c->variant->style == STYLE_FIBERS ? "_spmd" : "");
    return name;
}

rk_kernel launch(contract *c, const char *id, const char *kernel, const rk_launch_options *options)
{
    rk_launch_options o = options ? *options : rk_production();
    rk_kernel handle = { 0, 0 };
    if (!o.kernel_name) o.kernel_name = in_style(c, kernel);
    if (c->devices > 1 && o.device == RK_FROM_KERNEL) o.device = c->launched++ % c->devices;
    rk_status status = rk_launch(c->runtime, id, &o, &handle);
    if (status == RK_UNSUPPORTED) contract_refuse(c, rk_error_text());
    contract_assert_status(status, RK_OK, id, __FILE__, __LINE__);
    return handle;
}

rk_kernel launch_active(contract *c, const char *id, const char *kernel, const rk_launch_options *options)
{
    rk_kernel handle = launch(c, id, kernel, options);
    assert_ok(rk_activate(c->runtime, handle));
    return handle;
}

rk_kernel launch_echo(contract *c, const rk_launch_options *options)
{
    return launch_active(c, "echo", "echo", options);
}

rk_account account_of(contract *c, rk_kernel kernel)
{
    rk_account a = { 0 };
    assert_ok(rk_account_of(c->runtime, kernel, &a));
    return a;
}

rk_metrics metrics_of(contract *c, rk_kernel kernel)
{
    rk_metrics m = { 0 };
    assert_ok(rk_metrics_of(c->runtime, kernel, &m));
    return m;
}

rk_kernel_info info_of(contract *c, rk_kernel kernel)
{
    rk_kernel_info info = { 0 };
    assert_ok(rk_kernel_information(c->runtime, kernel, &info));
    return info;
}

void contract_receive(contract *c, rk_kernel kernel, void *body, size_t size, rk_received *info,
                      const char *file, int line)
{
    rk_received own;
    rk_status status = RK_EMPTY;
    settle(c);
    status = rk_receive(c->runtime, kernel, body, size, info ? info : &own,
                        c->variant->single_step ? 0 : CONTRACT_PATIENCE);
    contract_assert_status(status, RK_OK, "receive", file, line);
}

rk_u32 logged(contract *c, const char *part)
{
    rk_u32 n = 0;
    pthread_mutex_lock(&c->lock);
    for (rk_u32 i = 0; i < c->logged && i < CONTRACT_LOGS; i++) n += strstr(c->log[i].text, part) != 0;
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* ------------------------------------------------------------------ threads of a case */

void start_thread(contract *c, void *(*run_thread)(void *argument), void *argument)
{
    assert_true(c->threads < CONTRACT_THREADS);
    assert_int_equal(pthread_create(&c->thread[c->threads], 0, run_thread, argument), 0);
    c->threads++;
}

void join_threads(contract *c)
{
    for (; c->threads; c->threads--) pthread_join(c->thread[c->threads - 1], 0);
}

void stop_threads(contract *c)
{
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
    join_threads(c);
    __atomic_store_n(&c->stop, 0, __ATOMIC_RELEASE);
}
