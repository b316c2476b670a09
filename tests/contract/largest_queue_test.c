/* A queue of the largest capacity, 1,048,576, really filled: exactly so many fit, and all of them come out
 * in order. */
#include "lines.h"

#include <stdlib.h>

#define LARGEST 1048576u
#define PIECE 4096u

static rk_launch_options largest(rk_u32 strategy)
{
    rk_launch_options o = small_queue(strategy);
    o.queue_capacity = LARGEST;
    o.output_capacity = 16;
    o.kernel_name = "tally_shards";
    return o;
}

static rk_u64 sum_of(rk_u64 first, rk_u64 count) { return count * first + count * (count - 1) / 2; }

/* Send the packages of these numbers; how many were taken. */
static size_t send_numbers(contract *c, rk_kernel k, rk_u64 first, size_t count)
{
    package *packages = malloc(PIECE * sizeof *packages);
    size_t taken = 0;
    assert_non_null(packages);
    for (size_t at = 0; at < count; at += PIECE) {
        size_t n = count - at < PIECE ? count - at : PIECE, accepted = 0;
        for (size_t i = 0; i < n; i++) packages[i] = package_of(first + at + i, 0);
        rk_status status =
            rk_send_many(c->runtime, k, RK_TYPE_ID(package), packages, sizeof *packages, n, 0, &accepted);
        taken += accepted;
        if (status != RK_OK) break;
        assert_int_equal(accepted, n);
    }
    free(packages);
    return taken;
}

static count_log tallied(contract *c, rk_kernel k)
{
    count_log log;
    wait_until(c, is_at_rest(c, k));
    assert_ok(rk_read_state(c->runtime, k, 0, &log, sizeof log));
    assert_int_equal(log.disorder + log.wrong + log.misplaced, 0);
    return log;
}

static void the_largest_queue_takes_as_many_as_it_says_and_gives_them_in_order(contract *c)
{
    rk_launch_options o = largest(RK_BACKPRESSURE_REJECT);
    rk_kernel k = launch(c, "largest", "", &o);
    rk_memory_estimate estimate;
    assert_int_equal(info_of(c, k).queue_capacity, LARGEST);
    assert_ok(rk_estimate(c->runtime, "another", &o, &estimate));
    assert_int_equal(info_of(c, k).memory, estimate.total);
    assert_true(estimate.inbox_slots >= 2ull * LARGEST * sizeof(package));

    /* twice, and from the middle: the second time its indices come round */
    rk_u64 first = 1;
    for (rk_u32 round = 0; round < 2; round++) {
        assert_int_equal(send_numbers(c, k, first, LARGEST + 1), LARGEST);
        assert_status(send_package(c, k, first + LARGEST, 0), RK_FULL);
        assert_int_equal(info_of(c, k).queued, LARGEST);
        assert_true(metrics_of(c, k).input_utilization == 1.0);
        assert_ok(rk_activate(c->runtime, k));
        count_log log = tallied(c, k);
        first += LARGEST;
        assert_int_equal(log.count, first - 1);
        assert_int_equal(log.sum, sum_of(1, first - 1));
        for (rk_u32 i = 0; i < 12345; i++) { /* and it isn't full any more */
            assert_ok(send_package(c, k, first++, 0));
            if (i % 1000 == 0) settle(c);
        }
        log = tallied(c, k);
        assert_int_equal(log.count, first - 1);
        assert_ok(rk_deactivate(c->runtime, k));
    }
    assert_true(account_of(c, k).balanced);
    assert_int_equal(account_of(c, k).refused_full, 4);
}

static void the_largest_queue_that_drops_the_oldest_keeps_the_newest(contract *c)
{
    enum { MORE = 100000 };
    rk_launch_options o = largest(RK_BACKPRESSURE_DROP_OLDEST);
    rk_kernel k = launch(c, "largest", "", &o);
    assert_int_equal(send_numbers(c, k, 1, LARGEST + MORE), LARGEST + MORE);
    assert_int_equal(info_of(c, k).queued, LARGEST);
    assert_ok(rk_activate(c->runtime, k));
    count_log log = tallied(c, k);
    assert_int_equal(log.count, LARGEST);
    assert_int_equal(log.last, LARGEST + MORE);
    assert_int_equal(log.sum, sum_of(MORE + 1, LARGEST));
    assert_int_equal(account_of(c, k).evicted, MORE);
}

/* The same of the lane in which other kernels' messages come. */
static void the_largest_queue_takes_as_many_of_a_kernel(contract *c)
{
    enum { MORE = 10 };
    rk_launch_options o = largest(RK_BACKPRESSURE_REJECT), from = source_options();
    line l = { .c = c, .lane = DEVICE_LANE };
    from.queue_capacity = 16384;
    l.target = launch(c, "largest", "", &o);
    l.source = launch(c, "source", "dispatch", &from);
    assert_ok(rk_connect(c->runtime, l.source, 0, l.target, 0));
    assert_ok(rk_activate(c->runtime, l.source));
    for (rk_u64 i = 1; i <= LARGEST + MORE; i++) {
        order_package(&l, i, 0);
        if (i % 8192 == 0) settle(c);
    }
    wait_until(c, account_of(c, l.source).dead_letters == MORE && lane_account(&l).refused_full == MORE);
    assert_int_equal(lane_account(&l).accepted, LARGEST);
    assert_ok(rk_activate(c->runtime, l.target));
    count_log log = tallied(c, l.target);
    assert_int_equal(log.count, LARGEST);
    assert_int_equal(log.sum, sum_of(1, LARGEST));
}

static const contract_case cases[] = {
    { CASE(the_largest_queue_takes_as_many_as_it_says_and_gives_them_in_order), NEEDS_REGIONS },
    { CASE(the_largest_queue_that_drops_the_oldest_keeps_the_newest), NEEDS_REGIONS },
    { CASE(the_largest_queue_takes_as_many_of_a_kernel), NEEDS_REGIONS },
};
CONTRACT_MAIN("largest queue", cases)
