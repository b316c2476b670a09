/* Where workers run: bound each to a core of those that the process may use, where hwloc is there, and
 * nowhere in particular when the runtime is opened unpinned. A handler tells the host what its thread is
 * bound to. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include <dlfcn.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kernels/contract_a.rk.h"

#define MASK_WORDS 16u /* 1,024 processors, as a cpu_set_t has */
RK_MESSAGE(where_asked, 490, (rk_u32, number), (rk_u32, asked_))
RK_MESSAGE(whereabouts, 491, (rk_u64, mask, 16), (rk_u32, thread), (rk_u32, number))
_Static_assert(sizeof(cpu_set_t) == 8 * MASK_WORDS, "a mask of processors");

RK_HANDLER(tell_where, where_asked, msg, rk_none, self)
{
    whereabouts here = { .number = msg->number, .thread = (rk_u32)syscall(SYS_gettid) };
    if (sched_getaffinity(0, sizeof here.mask, (cpu_set_t *)here.mask))
        memset(here.mask, 0, sizeof here.mask);
    rk_send(RK_ARG, &here);
}

/* What workers are expected to be bound to. */
static int can_bind(void)
{
    void *library = dlopen("libhwloc.so.15", RTLD_NOW | RTLD_LOCAL);
    if (!library) print_message("hwloc is not there: workers are not bound\n");
    return library != 0;
}

static cpu_set_t own_mask(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    return set;
}

static int is_within(const cpu_set_t *part, const cpu_set_t *whole)
{
    cpu_set_t both;
    CPU_AND(&both, part, whole);
    return CPU_EQUAL(&both, part);
}

static rk_kernel launch_tellers(contract *c, const char *id, rk_u32 shards)
{
    rk_launch_options o = small(64);
    o.kernel_name = "tell_where";
    o.shards = o.blocks = shards;
    return launch_active(c, id, "", &o);
}

static cpu_set_t ask_where(contract *c, rk_kernel k, rk_u32 shard, rk_u32 *thread)
{
    where_asked q = { shard, 0 };
    whereabouts here;
    cpu_set_t set;
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = shard;
    assert_ok(rk_send(c->runtime, k, RK_BODY(q), &s));
    receive(c, k, &here);
    assert_int_equal(here.number, shard);
    memcpy(&set, here.mask, sizeof set);
    if (thread) *thread = here.thread;
    return set;
}

static void reopen_pinned(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    o.unpinned = 0;
    o.stall_limit_ns = RK_MILLISECONDS(30);
    contract_reopen(c, &o);
}

/* ------------------------------------------------------------------ cases */

static void unpinned_workers_may_run_where_the_process_may(contract *c)
{
    cpu_set_t all = own_mask();
    rk_kernel k = launch_tellers(c, "tellers", c->variant->workers);
    for (rk_u32 s = 0; s < c->variant->workers; s++) {
        cpu_set_t set = ask_where(c, k, s, 0);
        assert_true(CPU_EQUAL(&set, &all));
    }
}

static void a_pinned_worker_stays_on_one_core_of_its_own(contract *c)
{
    cpu_set_t all = own_mask(), used;
    rk_u32 workers = c->variant->workers, thread[3], bind = (rk_u32)can_bind();
    CPU_ZERO(&used);
    reopen_pinned(c);
    rk_kernel k = launch_tellers(c, "tellers", workers);
    for (rk_u32 round = 0; round < 20; round++)
        for (rk_u32 s = 0; s < workers; s++) {
            cpu_set_t set = ask_where(c, k, s, &thread[s]);
            if (!bind) assert_true(CPU_EQUAL(&set, &all));
            if (bind) assert_int_equal(CPU_COUNT(&set), 1);
            assert_true(is_within(&set, &all));
            CPU_OR(&used, &used, &set);
        }
    for (rk_u32 s = 1; s < workers; s++) assert_int_not_equal(thread[s], thread[s - 1]);
    if (bind) { /* no two on one core while there are others; a core may have several processors */
        rk_u32 spread = (rk_u32)CPU_COUNT(&used);
        assert_true(spread == workers || spread >= (rk_u32)(CPU_COUNT(&all) + 1) / 2);
    }
    cpu_set_t after = own_mask(); /* and whoever opened the runtime goes where it could */
    assert_true(CPU_EQUAL(&after, &all));
}

/* Given as many kernels as workers, each of one shard, when they work, then each has a worker of its own. */
static void kernels_are_spread_over_the_workers(contract *c)
{
    const rk_u32 workers = c->variant->workers;
    rk_u32 thread[3];
    for (rk_u32 i = 0; i < workers; i++) {
        char id[32];
        snprintf(id, sizeof id, "teller %u", i);
        (void)ask_where(c, launch_tellers(c, id, 1), 0, &thread[i]);
        for (rk_u32 before = 0; before < i; before++) assert_int_not_equal(thread[i], thread[before]);
    }
}

static rk_u32 usual_workers(void)
{
    const cpu_set_t set = own_mask();
    const rk_u32 processors = (rk_u32)CPU_COUNT(&set);
    return processors > 1 ? processors - 1 : 1;
}

static void there_is_one_worker_fewer_than_processors_unless_asked_otherwise(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    assert_int_equal(rk_worker_count(c->runtime), c->variant->workers);
    o.workers = 0;
    contract_reopen(c, &o);
    assert_int_equal(rk_worker_count(c->runtime), usual_workers());
}

/* Given a pinned worker that is stuck in a handler, when its other kernel gets a new worker, then that one
 * is bound as the old one was, and both go on when the handler returns. */
static void a_worker_that_is_replaced_is_bound_as_the_one_before(contract *c)
{
    cpu_set_t all = own_mask();
    rk_u32 workers = c->variant->workers, before[3], after[3], bind = (rk_u32)can_bind(), replaced = 0;
    cpu_set_t set[3];
    reopen_pinned(c);
    rk_kernel tellers = launch_tellers(c, "tellers", workers);
    for (rk_u32 s = 0; s < workers; s++) set[s] = ask_where(c, tellers, s, &before[s]);

    __atomic_store_n(&contract_controls.closed, 1, __ATOMIC_RELEASE);
    rk_kernel gate = launch_active(c, "gate", "held", 0);
    probe p = { 1, 0 };
    assert_ok(rk_send(c->runtime, gate, RK_BODY(p), 0));
    wait_until(c, __atomic_load_n(&contract_controls.inside, __ATOMIC_ACQUIRE) == 1);
    wait_until(c, logged(c, "longer than the stall limit") == 1);
    for (rk_u32 s = 0; s < workers; s++) {
        cpu_set_t now = ask_where(c, tellers, s, &after[s]);
        replaced += after[s] != before[s];
        assert_true(is_within(&now, &all));
        assert_true(CPU_EQUAL(&now, &set[s]));
        if (bind) assert_int_equal(CPU_COUNT(&now), 1);
    }
    assert_int_equal(replaced, 1);

    contract_control_open();
    receive(c, gate, &p);
    assert_ok(rk_send(c->runtime, gate, RK_BODY(p), 0));
    receive(c, gate, &p);
    assert_ok(rk_terminate(c->runtime, gate, CONTRACT_PATIENCE));
    for (rk_u32 s = 0; s < workers; s++) {
        cpu_set_t now = ask_where(c, tellers, s, 0);
        assert_true(CPU_EQUAL(&now, &set[s]));
    }
}

/* ------------------------------------------------------------------ a process that may use less than all */

static const char *own_path;

/* As the process of its own that the case below starts: on one processor, workers are there and nowhere
 * else. */
static int run_narrow(const char *processor)
{
    cpu_set_t one, set;
    rk_runtime *runtime;
    rk_kernel k;
    rk_runtime_options ro = { RK_RUNTIME_OPTIONS, .workers = 2 };
    rk_launch_options o = rk_production();
    CPU_ZERO(&one);
    CPU_SET((unsigned)atoi(processor), &one);
    if (sched_setaffinity(0, sizeof one, &one)) return 2;
    o.kernel_name = "tell_where";
    o.shards = o.blocks = 2;
    RK_CHECK(rk_open(&ro, &runtime));
    RK_CHECK(rk_launch(runtime, "tellers", &o, &k));
    RK_CHECK(rk_activate(runtime, k));
    int outside = 0;
    for (rk_u32 s = 0; s < 2; s++) {
        where_asked q = { s, 0 };
        whereabouts here;
        RK_CHECK(rk_send(runtime, k, RK_BODY(q), &(rk_send_options){ .target = s }));
        RK_CHECK(rk_receive(runtime, k, &here, sizeof here, 0, CONTRACT_PATIENCE));
        memcpy(&set, here.mask, sizeof set);
        outside += !CPU_EQUAL(&set, &one);
    }
    RK_CHECK(rk_close(runtime));
    ro.workers = 0;
    RK_CHECK(rk_open(&ro, &runtime));
    if (rk_worker_count(runtime) != 1) return 3;
    RK_CHECK(rk_close(runtime));
    return outside ? 1 : 0;
}

static void workers_stay_where_the_process_was_put(contract *c)
{
    extern char **environ;
    cpu_set_t all = own_mask();
    (void)c;
    for (int processor = 0; processor < 1024; processor++) {
        if (!CPU_ISSET((unsigned)processor, &all)) continue;
        char number[16];
        char *arguments[] = { (char *)own_path, (char *)"--narrow", number, 0 };
        pid_t child;
        int status = -1;
        snprintf(number, sizeof number, "%d", processor);
        assert_int_equal(posix_spawn(&child, "/proc/self/exe", 0, 0, arguments, environ), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status)) print_error("on processor %d\n", processor);
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static const contract_case cases[] = {
    { CASE(unpinned_workers_may_run_where_the_process_may), NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_pinned_worker_stays_on_one_core_of_its_own), NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(there_is_one_worker_fewer_than_processors_unless_asked_otherwise),
      NEEDS_REGIONS | NEEDS_THREADS | NEEDS_CPU },
    { CASE(kernels_are_spread_over_the_workers), NEEDS_WORKERS | NEEDS_CPU },
    { CASE(a_worker_that_is_replaced_is_bound_as_the_one_before), NEEDS_THREADS | NEEDS_CPU },
    { CASE(workers_stay_where_the_process_was_put), ONCE },
};

int main(int argc, char **argv)
{
    own_path = argv[0];
    if (argc == 3 && strcmp(argv[1], "--narrow") == 0) return run_narrow(argv[2]);
    return contract_main("binding", cases, sizeof cases / sizeof *cases, argc, argv);
}
