/* A seat's clock: it keeps to CLOCK_MONOTONIC, and never goes back, whatever the counter does. */
#include "backend/cpu/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define NEAR_NS 1000000u /* a thread that is interrupted between two readings has no better claim */

static rk_u64 monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

/* Read it for so long. How many readings were further off than NEAR_NS. */
static rk_u32 read_for(rk_seat_clock *clock, rk_u64 ns)
{
    rk_u32 off = 0;
    rk_u64 last = 0, end = monotonic() + ns;
    for (rk_u64 before = 0; before < end;) {
        before = monotonic();
        rk_u64 now = rk_clock_now(clock), after = monotonic();
        assert_true(now >= last);
        off += now + NEAR_NS < before || now > after + NEAR_NS;
        last = now;
    }
    return off;
}

static void given_a_busy_seat_its_clock_keeps_to_the_monotonic_one(void **state)
{
    (void)state;
    rk_seat_clock clock = { .can_count = rk_clock_can_count() };
    assert_int_equal(read_for(&clock, RK_MILLISECONDS(50)), 0);
}

static void given_a_seat_that_was_idle_its_clock_has_gone_on(void **state)
{
    (void)state;
    rk_seat_clock clock = { .can_count = rk_clock_can_count() };
    (void)read_for(&clock, RK_MILLISECONDS(5));
    struct timespec pause = { 0, 20000000 };
    nanosleep(&pause, 0);
    assert_int_equal(read_for(&clock, RK_MILLISECONDS(5)), 0);
}

static void given_a_counter_that_jumps_the_clock_goes_on_and_finds_back(void **state)
{
    (void)state;
    static const rk_i64 jumps[] = { 1000000000000, -1000000000000, 1000000, -1000000 };
    for (size_t j = 0; j < sizeof jumps / sizeof jumps[0]; j++) {
        rk_seat_clock clock = { .can_count = rk_clock_can_count() };
        (void)read_for(&clock, RK_MILLISECONDS(5));
        rk_u64 seen = clock.last_ns;
        clock.ticks -= (rk_u64)jumps[j]; /* as if the counter had gone ahead by so much */
        (void)read_for(&clock, RK_MILLISECONDS(10));
        assert_true(clock.last_ns > seen);
        assert_int_equal(read_for(&clock, RK_MILLISECONDS(5)), 0);
    }
}

static void given_a_processor_that_cant_count_each_reading_is_a_look(void **state)
{
    (void)state;
    rk_seat_clock clock;
    memset(&clock, 0, sizeof clock);
    assert_int_equal(read_for(&clock, RK_MILLISECONDS(5)), 0);
    assert_int_equal(clock.rate, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_a_busy_seat_its_clock_keeps_to_the_monotonic_one),
        cmocka_unit_test(given_a_seat_that_was_idle_its_clock_has_gone_on),
        cmocka_unit_test(given_a_counter_that_jumps_the_clock_goes_on_and_finds_back),
        cmocka_unit_test(given_a_processor_that_cant_count_each_reading_is_a_look),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
