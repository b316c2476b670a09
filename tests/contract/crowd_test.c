/* Slab, stack and queue in a kernel's state, used by all threads of a block at once: each block is one
 * thread's, nothing gets lost or doubled, and what is full, returned twice or never returned is told. */
#include "contract.h"

#include "../kernels/crowd.rk.h"

static rk_kernel launch_crowd(contract *c, rk_u32 threads, rk_launch_options *o)
{
    *o = rk_production();
    o->deduplication_window = 0;
    o->kernel_name = "crowds";
    o->threads = threads;
    return launch_active(c, "crowds", "crowds", o);
}

static rk_u32 least(rk_u32 a, rk_u32 b) { return a < b ? a : b; }

/* `out` blocks are out before. */
static crowded crowd_of(contract *c, rk_kernel k, rk_u32 n, rk_u32 keep, rk_u32 out)
{
    crowd m = { n, keep };
    crowded got;
    assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
    receive(c, k, &got);
    rk_u32 rented = least(n, CROWD_BLOCKS - out);
    assert_int_equal(got.rented, rented);
    assert_int_equal(got.full, n - rented);
    assert_int_equal(got.busy, 0);
    assert_int_equal(got.pushed, rented);
    assert_int_equal(got.popped, rented);
    assert_int_equal(got.queued, least(rented, CROWD_PLACES));
    assert_int_equal(got.taken, got.queued);
    assert_int_equal(got.returned, rented - got.kept);
    assert_int_equal(got.stale, got.returned);
    assert_int_equal(got.wrong, 0);
    assert_int_equal(got.out, out + got.kept);
    assert_int_equal(got.left, 0);
    return got;
}

static void a_block_is_one_threads_whatever_passes_it_on(contract *c)
{
    static const rk_u32 threads[] = { 1, 32, 33, 256 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        rk_launch_options o;
        rk_kernel k = launch_crowd(c, threads[t], &o);
        for (rk_u32 n = 1; n <= CROWD; n += n < 130u ? 7u : 42u) crowd_of(c, k, n, 0, 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void blocks_that_stay_out_are_missed_and_found_after_a_relaunch_too(contract *c)
{
    rk_launch_options o;
    rk_kernel k = launch_crowd(c, 64, &o);
    /* given a crowd in which some keep what they have */
    rk_u32 out = crowd_of(c, k, 50, 5, 0).out;
    assert_true(out > 0);

    /* when the kernel is launched again, then they are out still, and grow older by each that is rented */
    rk_u32 age = crowd_of(c, k, 10, 0, out).age;
    o.queue_capacity = 64;
    assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
    assert_int_equal(crowd_of(c, k, 30, 0, out).age, age + 30u);
    assert_int_equal(crowd_of(c, k, CROWD, 0, out).full, CROWD - (CROWD_BLOCKS - out));
}

static const contract_case cases[] = {
    { CASE(a_block_is_one_threads_whatever_passes_it_on), NEEDS_REGIONS },
    { CASE(blocks_that_stay_out_are_missed_and_found_after_a_relaunch_too), NEEDS_REGIONS },
};

CONTRACT_MAIN("crowd", cases)
