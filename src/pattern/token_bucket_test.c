/* The token bucket by itself: exact over any time, at whatever moments it is asked. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/limit.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void an_unset_bucket_passes_nothing(void **state)
{
    (void)state;
    rk_limit l = { 0 };
    assert_int_equal(rk_limit_take_at(&l, 1, 1000), 0);
    assert_int_equal(rk_limit_take_up_to_at(&l, 5, 2000), 0);
    assert_int_equal(rk_limit_when(&l, 1), RK_NEVER);
    assert_int_equal(l.held, 6);
}

static void a_full_bucket_gives_its_burst_and_then_the_rate(void **state)
{
    (void)state;
    rk_limit l = { 0 };
    assert_int_equal(rk_limit_set_at(&l, 2, 1000, 10, 5000), RK_OK);
    assert_int_equal(rk_limit_take_at(&l, 11, 5000), 0);
    assert_int_equal(rk_limit_take_at(&l, 10, 5000), 1);
    assert_int_equal(rk_limit_when(&l, 1), 5500);
    assert_int_equal(rk_limit_when(&l, 10), 10000);
    assert_int_equal(rk_limit_when(&l, 11), RK_NEVER);
    assert_int_equal(rk_limit_take_at(&l, 1, 5499), 0);
    assert_int_equal(rk_limit_take_at(&l, 1, 5500), 1);
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, 5400), 0); /* a time that is over */
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, ~0ull), 10);
}

static void a_new_rate_keeps_what_is_there(void **state)
{
    (void)state;
    rk_limit l = { 0 };
    rk_limit_set_at(&l, 1, 1000, 10, 0);
    assert_int_equal(rk_limit_take_up_to_at(&l, 6, 0), 6);
    rk_limit_set_at(&l, 1, 7, 20, 0);
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, 0), 4);
    rk_limit_set_at(&l, 1, 1000, 10,
                    41); /* five came in at the rate before, and most of a sixth, which is let go */
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, 1040), 5);
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, 1041), 1);
    rk_limit_set_at(&l, 1, 1000, 10, 41); /* a time that is over */
    assert_int_equal(rk_limit_take_up_to_at(&l, 100, 4041), 3);
    assert_int_equal(rk_limit_set_at(&l, 0, 1000, 10, 4041), RK_INVALID_ARGUMENT);
    assert_int_equal(rk_limit_set_at(&l, 1, 1ull << 62, 2, 4041), RK_INVALID_ARGUMENT);
    assert_int_equal(l.period_ns, 1000);
}

static void a_smaller_bucket_holds_no_more_than_its_own(void **state)
{
    (void)state;
    static const struct {
        rk_u64 burst, period_ns;
    } before[] = { { 10, 1024 },
                   { 10, 10 },
                   { 1ull << 62, 1 } }; /* as tokens of the new period: over 64 bits */
    for (rk_u32 i = 0; i < 3; i++) {
        rk_limit l = { 0 };
        rk_limit_set_at(&l, 1, before[i].period_ns, before[i].burst, 0);
        rk_limit_set_at(&l, 1, 1024, 3, 0);
        assert_int_equal(rk_limit_take_up_to_at(&l, 100, 0), 3);
    }
}

static void a_rate_that_is_set_again_and_again_is_that_rate(void **state)
{
    (void)state;
    rk_limit l = { 0 };
    rk_u64 given = 0;
    for (rk_u64 now = 0; now <= 30000; now += 300) {
        assert_int_equal(rk_limit_set_at(&l, 3, 1000, 5, now), RK_OK);
        given += rk_limit_take_up_to_at(&l, 100, now);
        assert_int_equal(given, 5 + now * 3 / 1000);
    }
}

static void what_passed_and_what_was_held_is_counted(void **state)
{
    (void)state;
    rk_limit l = { 0 };
    rk_limit_set_at(&l, 1, 1000, 10, 0);
    assert_int_equal(rk_limit_take_at(&l, 4, 0), 1);
    assert_int_equal(l.passed, 4);
    assert_int_equal(l.held, 0);
    assert_int_equal(rk_limit_take_at(&l, 7, 0), 0);
    assert_int_equal(l.passed, 4);
    assert_int_equal(l.held, 7);
    assert_int_equal(rk_limit_take_up_to_at(&l, 8, 0), 6);
    assert_int_equal(l.passed, 10);
    assert_int_equal(l.held, 9);
}

/* Whenever it is asked, exactly the whole tokens of the time that has passed have been given. */
static void nothing_is_lost_to_rounding(void **state)
{
    (void)state;
    static const struct {
        rk_u32 tokens;
        rk_u64 period_ns, step_ns;
    } rates[] = { { 3, 7, 5 },
                  { 7, 1000000000, 300000000 },
                  { 999999937, 1000000000, 900 },
                  { 1, 3600000000000, 1000000000000 },
                  { 4294967295u, 1000000000, 400 } };
    for (rk_u32 r = 0; r < sizeof rates / sizeof *rates; r++) {
        rk_limit l = { 0 };
        rk_u64 now = 1000, given = 0, random = r + 1;
        assert_int_equal(rk_limit_set_at(&l, rates[r].tokens, rates[r].period_ns, 100000, now), RK_OK);
        assert_int_equal(rk_limit_take_up_to_at(&l, 100000, now), 100000);
        for (rk_u32 i = 0; i < 200000; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            now += (random >> 33) % rates[r].step_ns;
            given += rk_limit_take_up_to_at(&l, 100000, now);
            assert_true(given ==
                        (rk_u64)((unsigned __int128)(now - 1000) * rates[r].tokens / rates[r].period_ns));
            if (i % 64) continue;
            rk_u64 when = rk_limit_when(&l, 1);
            rk_limit before = l;
            assert_int_equal(rk_limit_take_at(&l, 1, when - 1), 0);
            l = before;
            assert_int_equal(rk_limit_take_at(&l, 1, when), 1);
            l = before;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unset_bucket_passes_nothing),
        cmocka_unit_test(a_full_bucket_gives_its_burst_and_then_the_rate),
        cmocka_unit_test(a_new_rate_keeps_what_is_there),
        cmocka_unit_test(a_smaller_bucket_holds_no_more_than_its_own),
        cmocka_unit_test(a_rate_that_is_set_again_and_again_is_that_rate),
        cmocka_unit_test(what_passed_and_what_was_held_is_counted),
        cmocka_unit_test(nothing_is_lost_to_rounding),
    };
    return cmocka_run_group_tests_name("token bucket", tests, 0, 0);
}
