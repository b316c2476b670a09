/* Lives of kernels while others are at work: launched, loaded, terminated, stopped with the whole process,
 * and nobody loses a message. */
#include "probes.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AT_LOAD 10u

typedef struct load {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 rounds; /* atomic: passes through the kernel so far */
} load;

/* Keep one kernel busy: send, receive, in order. */
static void *keep_busy(void *argument)
{
    load *l = argument;
    for (rk_u32 i = 0; !stopped(l->c); i++) {
        probe p = { i, l->number };
        if (!expect_ok(l->c, rk_send(l->c->runtime, l->kernel, RK_BODY(p), 0))) return 0;
        if (!expect_ok(l->c, rk_receive(l->c->runtime, l->kernel, &p, sizeof p, 0, CONTRACT_PATIENCE)))
            return 0;
        if (!expect(l->c, p.number == i && p.sender == l->number)) return 0;
        __atomic_fetch_add(&l->rounds, 1, __ATOMIC_ACQ_REL);
    }
    return 0;
}

static void start_load(contract *c, load *l)
{
    for (rk_u32 i = 0; i < AT_LOAD; i++) {
        char id[16];
        snprintf(id, sizeof id, "load %u", i);
        l[i] = (load){ c, launch_active(c, id, "echo", 0), i, 0 };
    }
    for (rk_u32 i = 0; i < AT_LOAD; i++) start_thread(c, keep_busy, &l[i]);
}

/* Every one of them gets through again from here on. */
static void assert_load_goes_on(contract *c, load *l)
{
    for (rk_u32 i = 0; i < AT_LOAD; i++) {
        rk_u32 before = __atomic_load_n(&l[i].rounds, __ATOMIC_ACQUIRE);
        wait_until(c, __atomic_load_n(&l[i].rounds, __ATOMIC_ACQUIRE) > before + 1 || c->failures);
    }
    assert_int_equal(c->failures, 0);
}

static void kernels_are_launched_and_modules_loaded_while_ten_run_at_load(contract *c)
{
    static const char source[] = "#include <ringkernel/kernel.h>\n"
                                 "RK_MESSAGE(late_number, 249, (rk_i64, value))\n"
                                 "RK_HANDLER(late_doubler, late_number, msg, rk_none, self)\n"
                                 "{\n"
                                 "    late_number twice = { msg->value * 2 };\n"
                                 "    rk_send(RK_ARG, &twice);\n"
                                 "}\n";
    char path[512];
    snprintf(path, sizeof path, "%s/contract_late_%d.rk.c", RK_BINARY_DIR, (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(source, file);
    fclose(file);

    rk_runtime_options r = contract_runtime_options(c);
    r.cache_folder = RK_BINARY_DIR "/contract-cache";
    contract_reopen(c, &r);
    static load l[AT_LOAD];
    start_load(c, l);
    assert_load_goes_on(c, l);
    for (rk_u32 i = 0; i < 20; i++) {
        rk_launch_options o = small(16);
        o.queue_capacity = i % 2 ? 65536 : 16;
        rk_kernel k = launch_active(c, "another", "echo", &o);
        assert_serves(c, k, i);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
    assert_load_goes_on(c, l);
    rk_kernel k = { 0, 0 };
    rk_status status = rk_load(c->runtime, path);
    if (status == RK_OK)
        status = rk_launch(c->runtime, "late_doubler", 0, &k); /* a device compiles it here */
    unlink(path);
    assert_ok(status);
    assert_ok(rk_activate(c->runtime, k));
    rk_i64 value = 21;
    assert_ok(rk_send(c->runtime, k, 249, &value, sizeof value, 0));
    receive(c, k, &value);
    assert_int_equal(value, 42);
    assert_load_goes_on(c, l);
    stop_threads(c);
}

typedef struct liver {
    contract *c;
    rk_u32 number;
} liver;

static void *live_and_die(void *argument)
{
    liver *me = argument;
    contract *c = me->c;
    char id[16];
    snprintf(id, sizeof id, "life %u", me->number);
    for (rk_u32 i = 0; i < contract_rounds(300) && !stopped(c); i++) {
        rk_launch_options o = small(16);
        o.kernel_name = in_style(c, "echo");
        rk_kernel k;
        probe p = { i, me->number };
        if (!expect_ok(c, rk_launch(c->runtime, id, &o, &k))) break;
        expect_ok(c, rk_activate(c->runtime, k));
        expect_ok(c, rk_send(c->runtime, k, RK_BODY(p), 0));
        if (i % 3) {
            expect_ok(c, rk_receive(c->runtime, k, &p, sizeof p, 0, CONTRACT_PATIENCE));
            expect(c, p.number == i && p.sender == me->number);
        }
        rk_account a;
        rk_metrics m;
        rk_kernel_info info;
        expect_ok(c, rk_account_of(c->runtime, k, &a));
        expect_ok(c, rk_metrics_of(c->runtime, k, &m));
        expect_ok(c, rk_kernel_information(c->runtime, k, &info));
        expect_ok(c, rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        expect_ok(c, rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
    return 0;
}

static void lives_of_many_kernels_cross_each_other(contract *c)
{
    static liver livers[4];
    for (rk_u32 i = 0; i < 4; i++) {
        livers[i] = (liver){ c, i };
        start_thread(c, live_and_die, &livers[i]);
    }
    /* And somebody looks at all of them, whatever their handles are by then. */
    for (rk_u32 i = 0; i < contract_rounds(4000); i++) {
        rk_kernel k[8];
        size_t count;
        assert_ok(rk_list(c->runtime, k, 8, &count));
        for (size_t n = 0; n < count; n++) {
            rk_kernel_info info;
            rk_account a;
            rk_metrics m;
            rk_status status = rk_kernel_information(c->runtime, k[n], &info);
            assert_true(status == RK_OK || status == RK_STALE);
            status = rk_account_of(c->runtime, k[n], &a);
            assert_true(status == RK_OK || status == RK_STALE);
            status = rk_metrics_of(c->runtime, k[n], &m);
            assert_true(status == RK_OK || status == RK_STALE);
        }
    }
    join_threads(c);
}

/* The process is stopped as a debugger would, for longer than the stall limit, and continued. */
static void stop_and_continue(rk_u64 ns)
{
    pid_t self = getpid(), child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        kill(self, SIGSTOP);
        nanosleep(&(struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) }, 0);
        kill(self, SIGCONT);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {}
}

static void a_process_that_is_stopped_and_continued_resumes_and_loses_nothing(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_SECONDS(1);
    contract_reopen(c, &r);
    static load l[AT_LOAD];
    start_load(c, l);
    /* And one that is in a handler all that time. */
    rk_kernel held = launch_active(c, "held", "held", 0);
    assert_load_goes_on(c, l);
    CLOSE_GATE();
    assert_ok(send_probe(c, held, 7));
    wait_until(c, IN_HANDLERS == 1);
    stop_and_continue(RK_MILLISECONDS(1500) * contract_times());
    OPEN_GATE();
    assert_next(c, held, 7);
    assert_load_goes_on(c, l);
    stop_threads(c);
    assert_int_equal(logged(c, "stall"), 0); /* nobody was blamed for it */
    for (rk_u32 i = 0; i < AT_LOAD; i++) assert_true(info_of(c, l[i].kernel).healthy);
}

/* A source that waits for room when its deadline passes, while the process is stopped. */
static rk_kernel given_a_deadline_that_passes_unseen(contract *c, rk_kernel *target)
{
    rk_launch_options o = small(16);
    rk_kernel source;
    o.kernel_name = in_style(c, "echo");
    o.send_deadline_ns = RK_MILLISECONDS(1200);
    assert_ok(rk_launch(c->runtime, "source", &o, &source));
    assert_ok(rk_launch(c->runtime, "target", &o, target));
    assert_ok(rk_connect(c->runtime, source, 0, *target, 0));
    assert_ok(rk_activate(c->runtime, source));
    for (rk_u32 i = 0; i < 20; i++) assert_ok(send_probe(c, source, i));
    wait_until(c, metrics_of(c, source).parks > 0);
    stop_and_continue(RK_MILLISECONDS(1500));
    return source;
}

/* Nobody made room while nobody ran. A machine may be too busy to let the target be activated within the last wait: then
 * nothing was shown, and they are made anew. */
static void a_send_whose_deadline_passes_while_the_process_is_stopped_waits_once_more(contract *c)
{
    for (rk_u32 tries = 0;; tries++) {
        const rk_u64 begun_ns = rk_clock_ns(c->runtime);
        rk_kernel target, source = given_a_deadline_that_passes_unseen(c, &target);
        assert_ok(rk_activate(c->runtime, target));
        if (rk_clock_ns(c->runtime) - begun_ns < RK_MILLISECONDS(1500 + 700) || tries == 8) {
            for (rk_u32 i = 0; i < 20; i++) assert_next(c, target, i);
            assert_int_equal(account_of(c, source).dead_sends, 0);
            return;
        }
        assert_ok(rk_terminate(c->runtime, source, RK_SECONDS(5)));
        assert_ok(rk_terminate(c->runtime, target, RK_SECONDS(5)));
    }
}

static void and_that_wait_ends(contract *c)
{
    rk_kernel target, source = given_a_deadline_that_passes_unseen(c, &target);
    wait_until(c, account_of(c, source).dead_sends == 20 - 16);
}

static const contract_case cases[] = {
    { CASE(kernels_are_launched_and_modules_loaded_while_ten_run_at_load), NEEDS_THREADS },
    { CASE(lives_of_many_kernels_cross_each_other), NEEDS_THREADS },
    { CASE(a_process_that_is_stopped_and_continued_resumes_and_loses_nothing), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_send_whose_deadline_passes_while_the_process_is_stopped_waits_once_more),
      NEEDS_THREADS | NEEDS_CPU },
    { CASE(and_that_wait_ends), NEEDS_THREADS | NEEDS_CPU },
};

CONTRACT_MAIN("under_load", cases)
