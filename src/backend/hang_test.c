/* When a kernel of a device counts as hanging: by what its shards count, and not by how often somebody looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hang.h"

#define LIMIT_NS RK_SECONDS(3600)

static rk_runtime runtime;
static rk_host_kernel kernel;
static rk_seat seats[2];
static rk_shard shards[2];
static rk_orders orders[2];
static rk_u32 lines, line_shard;
static char line[256];

static void take_line(void *user, const rk_log_record *record)
{
    (void)user;
    lines++;
    line_shard = record->shard;
    strncpy(line, record->text, sizeof line - 1);
}

static int set_up(void **state)
{
    (void)state;
    memset(shards, 0, sizeof shards);
    memset(orders, 0, sizeof orders);
    runtime = (rk_runtime){ .options = { .stall_limit_ns = LIMIT_NS, .on_log = take_line } };
    kernel = (rk_host_kernel){ .runtime = &runtime, .seats = seats, .seat_count = 2, .id = "a" };
    for (rk_u32 s = 0; s < 2; s++) {
        seats[s] = (rk_seat){ .owner = &kernel, .shard = &shards[s], .orders = &orders[s], .number = s };
        orders[s].command = RK_COMMAND_RUN;
    }
    lines = 0;
    return 0;
}

/* A look so long after the one before. */
static void look_after(rk_u64 ns, int runs, rk_u64 slice)
{
    for (rk_u32 s = 0; s < 2; s++) seats[s].beat_seen_ns = rk_monotonic_ns() - ns;
    rk_hang_watch(&kernel, runs, slice);
}

static void visit(rk_u32 s) { shards[s].meter.heartbeat++; }

/* Three looks, with as much between them as the limit is, at all of which the other shard was visited. */
static int hangs(int runs, rk_u64 slice)
{
    for (rk_u32 i = 0; i < 3; i++) {
        visit(1);
        look_after(LIMIT_NS / 2 + 1, runs, slice);
    }
    return (int)kernel.hung;
}

static void a_shard_that_nobody_visits_for_the_limit_hangs_and_that_is_told_once(void **state)
{
    (void)state;
    shards[0].meter.heartbeat = 7;
    assert_true(hangs(1, 0));
    assert_int_equal(runtime.failure_event, 1);
    look_after(LIMIT_NS / 2, 1, 0);
    assert_int_equal(lines, 1);
    assert_int_equal(line_shard, 0);
    assert_non_null(strstr(line, "longer than the stall limit"));

    /* and no more when it is visited again */
    visit(0);
    visit(1);
    look_after(LIMIT_NS / 2, 1, 0);
    assert_false(kernel.hung);
    assert_int_equal(lines, 1);
}

static void the_first_look_counts_nothing(void **state)
{
    (void)state;
    rk_hang_watch(&kernel, 1, 0);
    assert_int_equal(seats[0].still_ns, 0);
    assert_int_equal(seats[1].still_ns, 0);
}

static void the_limit_of_the_kernel_is_the_one_that_counts(void **state)
{
    (void)state;
    kernel.options.handler_limit_ns = 4 * LIMIT_NS;
    assert_false(hangs(1, 0));
    kernel.options.handler_limit_ns = LIMIT_NS / 4;
    assert_true(hangs(1, 0));
    assert_non_null(strstr(line, "longer than handler_limit_ns"));
}

static void a_shard_that_is_visited_or_commits_does_not_hang(void **state)
{
    (void)state;
    for (rk_u32 i = 0; i < 8; i++) {
        shards[0].meter.heartbeat += i / 4;
        shards[0].meter.progress += 1 - i / 4; /* the express counts turns, and no visits */
        visit(1);
        look_after(LIMIT_NS, 1, 0);
        assert_false(kernel.hung);
    }
}

static void who_is_not_there_to_be_visited_does_not_hang(void **state)
{
    (void)state;
    assert_false(hangs(0, 0));
    orders[0].gone = 1;
    assert_false(hangs(1, 0));
    orders[0].gone = 0;
    static const rk_u32 at_rest[] = { RK_PHASE_PAUSED, RK_PHASE_ENDED, RK_PHASE_FAILED };
    orders[0].command = RK_COMMAND_PAUSE;
    for (rk_u32 i = 0; i < 3; i++) {
        orders[0].phase = at_rest[i];
        assert_false(hangs(1, 0));
    }
    orders[0].phase = RK_PHASE_BUSY; /* told to pause, and still in its handler */
    assert_true(hangs(1, 0));
}

/* A process that was stopped, or a kernel that was off the device between two looks. */
static void one_long_time_between_two_looks_does_not_do(void **state)
{
    (void)state;
    look_after(0, 1, 0);
    look_after(100 * LIMIT_NS, 1, 0);
    assert_false(kernel.hung);
    look_after(LIMIT_NS / 2, 1, 0);
    assert_true(kernel.hung);
}

static void slices_that_follow_each_other_do_not_hang_and_one_that_stays_does(void **state)
{
    (void)state;
    for (rk_u64 slice = 1; slice < 9; slice++) {
        look_after(LIMIT_NS, 1, slice);
        assert_false(kernel.hung);
    }
    assert_true(hangs(1, 9));
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_shard_that_nobody_visits_for_the_limit_hangs_and_that_is_told_once),
        TEST(the_first_look_counts_nothing),
        TEST(the_limit_of_the_kernel_is_the_one_that_counts),
        TEST(a_shard_that_is_visited_or_commits_does_not_hang),
        TEST(who_is_not_there_to_be_visited_does_not_hang),
        TEST(one_long_time_between_two_looks_does_not_do),
        TEST(slices_that_follow_each_other_do_not_hang_and_one_that_stays_does),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
