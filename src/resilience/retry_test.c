/* Pauses between attempts: how they grow, where they end, and how far chance moves them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <ringkernel/kernel.h>
#include <ringkernel/resilience/retry.h>

static void pauses_grow_by_their_factor_up_to_the_longest(void **state)
{
    (void)state;
    const rk_retry_rule by_two = { .first_ns = 100 }, by_three = { .first_ns = 100, .factor = 3 },
                        even = { .first_ns = 100, .factor = 1 },
                        bounded = { .first_ns = 100, .longest_ns = 350 },
                        first_is_too_long = { .first_ns = 100, .longest_ns = 40 };
    static const rk_u64 expected[][5] = { { 100, 100, 100, 100, 40 },
                                          { 200, 300, 100, 200, 40 },
                                          { 400, 900, 100, 350, 40 },
                                          { 800, 2700, 100, 350, 40 } };
    for (rk_u32 i = 0; i < 4; i++) {
        assert_int_equal(rk_retry_pause(by_two, i + 1), expected[i][0]);
        assert_int_equal(rk_retry_pause(by_three, i + 1), expected[i][1]);
        assert_int_equal(rk_retry_pause(even, i + 1), expected[i][2]);
        assert_int_equal(rk_retry_pause(bounded, i + 1), expected[i][3]);
        assert_int_equal(rk_retry_pause(first_is_too_long, i + 1), expected[i][4]);
    }
}

static void no_pause_wraps_however_long_it_is(void **state)
{
    (void)state;
    static const rk_u64 longest[] = { 0, RK_NEVER, RK_NEVER / 2 };
    for (rk_u32 i = 0; i < 3; i++) {
        /* given that the second would be 2^64 ns */
        const rk_retry_rule rule = {
            .first_ns = 1ull << 40, .factor = 1u << 24, .longest_ns = longest[i], .jitter_percent = 50
        };
        for (rk_u32 attempts = 2; attempts < 300; attempts++) {
            rk_u64 pause = rk_retry_pause(rule, attempts);
            assert_in_range(pause, RK_SECONDS(3600 * 24 * 365), RK_NEVER / 4);
            for (rk_u64 draw = 0; draw < 20; draw++)
                assert_in_range(rk_retry_jittered(rule, attempts, draw), pause / 2, pause / 2 * 3 + 1);
        }
    }
}

static void chance_moves_a_pause_by_its_percentage_and_uses_all_of_it(void **state)
{
    (void)state;
    static const rk_u32 percent[] = { 0, 1, 10, 100, 250 };
    for (rk_u32 p = 0; p < 5; p++) {
        const rk_retry_rule rule = { .first_ns = RK_MILLISECONDS(100), .jitter_percent = percent[p] };
        const rk_u64 most = RK_MILLISECONDS(percent[p] < 100 ? percent[p] : 100);
        rk_u64 shortest = RK_NEVER, longest = 0, sum = 0;
        for (rk_u64 draw = 0; draw < 10000; draw++) {
            rk_u64 pause = rk_retry_jittered(rule, 1, draw);
            if (pause < shortest) shortest = pause;
            if (pause > longest) longest = pause;
            sum += pause;
        }
        assert_in_range(shortest, RK_MILLISECONDS(100) - most, RK_MILLISECONDS(100) - most + most / 50);
        assert_in_range(longest, RK_MILLISECONDS(100) + most - most / 50, RK_MILLISECONDS(100) + most);
        assert_in_range(sum / 10000, RK_MILLISECONDS(98), RK_MILLISECONDS(102));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pauses_grow_by_their_factor_up_to_the_longest),
        cmocka_unit_test(no_pause_wraps_however_long_it_is),
        cmocka_unit_test(chance_moves_a_pause_by_its_percentage_and_uses_all_of_it),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
