/* The circuit breaker, with a clock of the test's, and its window against a plain list of outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <ringkernel/device/wire.h>
#include <ringkernel/options.h>
#include <ringkernel/resilience/breaker.h>

static rk_breaker breaker;
static rk_u64 now;

static int given_a_fresh_breaker(void **state)
{
    (void)state;
    memset(&breaker, 0, sizeof breaker);
    now = RK_SECONDS(1000);
    return 0;
}

static rk_breaker_pass ask(rk_breaker_rule rule) { return rk_breaker_ask(&breaker, rule, now); }
static void tell(rk_breaker_rule rule, rk_breaker_pass pass, rk_u32 good)
{
    rk_breaker_tell(&breaker, rule, pass, good, now);
}

/* A call that passes, and goes so. */
static void call(rk_breaker_rule rule, rk_u32 good)
{
    rk_breaker_pass pass = ask(rule);
    assert_int_not_equal(pass, RK_NO_PASS);
    tell(rule, pass, good);
}

static const rk_breaker_rule five = { .failures = 5, .open_ns = RK_SECONDS(30) };

static void open_by_five_failures(void)
{
    for (rk_u32 i = 0; i < 5; i++) {
        assert_int_equal(rk_breaker_look(&breaker, five, now), RK_BREAKER_CLOSED);
        call(five, 0);
    }
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
}

static void it_opens_at_the_fifth_failure_and_refuses_for_thirty_seconds(void **state)
{
    (void)state;
    open_by_five_failures();
    assert_int_equal(rk_breaker_open_until(&breaker, five, now), now + RK_SECONDS(30));
    assert_int_equal(ask(five), RK_NO_PASS);
    now += RK_SECONDS(30) - 1u;
    assert_int_equal(ask(five), RK_NO_PASS);
    assert_int_equal(breaker.refused, 2);
    now += 1;
    assert_int_equal(rk_breaker_look(&breaker, five, now), RK_BREAKER_HALF_OPEN);
    assert_int_equal(rk_breaker_open_until(&breaker, five, now), 0);
    assert_int_equal(breaker.passed, 5);
    assert_int_equal(breaker.failed, 5);
}

static void one_success_of_a_half_open_one_closes_it(void **state)
{
    (void)state;
    open_by_five_failures();
    now += RK_SECONDS(30);
    call(five, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
    assert_int_equal(breaker.opened, 1);
    assert_int_equal(breaker.half_opened, 1);
    assert_int_equal(breaker.closed, 1);
    /* and it has forgotten its failures */
    for (rk_u32 i = 0; i < 4; i++) call(five, 0);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
    call(five, 0);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
}

static void one_failure_of_a_half_open_one_opens_it_again_for_as_long(void **state)
{
    (void)state;
    open_by_five_failures();
    now += RK_SECONDS(30);
    call(five, 0);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
    assert_int_equal(breaker.opened, 2);
    now += RK_SECONDS(30) - 1u;
    assert_int_equal(ask(five), RK_NO_PASS);
    now += 1;
    call(five, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void a_success_in_between_begins_the_count_anew(void **state)
{
    (void)state;
    for (rk_u32 i = 0; i < 50; i++) call(five, i % 5u == 4u);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void a_half_open_one_passes_no_more_than_its_probes(void **state)
{
    (void)state;
    rk_breaker_rule rule = five;
    rule.probes = 3;
    rule.successes = 4;
    open_by_five_failures();
    now += RK_SECONDS(30);
    rk_breaker_pass pass[3];
    for (rk_u32 i = 0; i < 3; i++) assert_int_not_equal(pass[i] = ask(rule), RK_NO_PASS);
    assert_int_equal(ask(rule), RK_NO_PASS);
    /* an outcome makes room for another probe, and the fourth success closes it */
    tell(rule, pass[0], 1);
    assert_int_not_equal(pass[0] = ask(rule), RK_NO_PASS);
    assert_int_equal(ask(rule), RK_NO_PASS);
    for (rk_u32 i = 0; i < 2; i++) tell(rule, pass[i], 1);
    assert_int_equal(breaker.state, RK_BREAKER_HALF_OPEN);
    tell(rule, pass[2], 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void an_outcome_of_an_earlier_period_changes_nothing(void **state)
{
    (void)state;
    rk_breaker_pass early[2] = { ask(five), ask(five) };
    open_by_five_failures();
    tell(five, early[0], 1);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
    now += RK_SECONDS(30);
    rk_breaker_pass probe = ask(five);
    tell(five, early[1], 1);
    assert_int_equal(breaker.state, RK_BREAKER_HALF_OPEN);
    assert_int_equal(breaker.stale, 2);
    tell(five, probe, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void probes_whose_outcome_nobody_tells_have_failed(void **state)
{
    (void)state;
    open_by_five_failures();
    now += RK_SECONDS(30);
    rk_breaker_pass lost = ask(five);
    now += RK_SECONDS(30) - 1u;
    assert_int_equal(ask(five), RK_NO_PASS);
    assert_int_equal(breaker.state, RK_BREAKER_HALF_OPEN);
    now += 1;
    assert_int_equal(ask(five), RK_NO_PASS);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
    tell(five, lost, 1);
    assert_int_equal(breaker.stale, 1);
    now += RK_SECONDS(30);
    call(five, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void probes_that_follow_each_other_in_time_have_not_failed(void **state)
{
    (void)state;
    rk_breaker_rule rule = five;
    rule.probes = 2;
    rule.successes = 100;
    open_by_five_failures();
    now += RK_SECONDS(30);

    /* given that there is never a moment without a probe, and that each takes 20 s */
    rk_breaker_pass older = ask(rule);
    for (rk_u32 i = 0; i < 98; i++) {
        now += RK_SECONDS(10);
        rk_breaker_pass younger = ask(rule);
        assert_int_not_equal(younger, RK_NO_PASS);
        now += RK_SECONDS(10);
        tell(rule, older, 1);
        older = younger;
        assert_int_equal(breaker.state, RK_BREAKER_HALF_OPEN);
    }

    /* when the last one is lost, then its time begins with the outcome before */
    now += RK_SECONDS(30) - 1u;
    assert_int_equal(rk_breaker_look(&breaker, rule, now), RK_BREAKER_HALF_OPEN);
    now += 1;
    assert_int_equal(rk_breaker_look(&breaker, rule, now), RK_BREAKER_OPEN);
}

static void a_probe_that_is_told_twice_counts_once(void **state)
{
    (void)state;
    rk_breaker_rule rule = five;
    rule.successes = 2;
    open_by_five_failures();
    now += RK_SECONDS(30);
    rk_breaker_pass probe = ask(rule);
    tell(rule, probe, 1);
    tell(rule, probe, 1);
    assert_int_equal(breaker.state, RK_BREAKER_HALF_OPEN);
    assert_int_equal(breaker.stale, 1);
    call(rule, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void without_a_time_it_opens_for_thirty_seconds(void **state)
{
    (void)state;
    const rk_breaker_rule rule = { .failures = 1 };
    call(rule, 0);
    assert_int_equal(rk_breaker_open_until(&breaker, rule, now), now + RK_SECONDS(30));
    now += RK_SECONDS(30) - 1u;
    assert_int_equal(ask(rule), RK_NO_PASS);
    now += 1;
    assert_int_not_equal(ask(rule), RK_NO_PASS);
}

static void one_that_opens_for_good_stays_open(void **state)
{
    (void)state;
    const rk_breaker_rule rule = { .failures = 1, .open_ns = RK_NO_DEADLINE };
    call(rule, 0);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
    assert_int_equal(rk_breaker_open_until(&breaker, rule, now), RK_NEVER);
    now += RK_SECONDS(1000000000);
    assert_int_equal(ask(rule), RK_NO_PASS);
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
}

static void failures_that_are_older_than_the_window_do_not_count(void **state)
{
    (void)state;
    const rk_breaker_rule rule = { .failures = 3, .window_ns = RK_SECONDS(16), .open_ns = RK_SECONDS(1) };
    for (rk_u32 i = 0; i < 20; i++) {
        call(rule, 0);
        now += RK_SECONDS(8);
    }
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
    /* successes in between don't take back what the window has */
    for (rk_u32 i = 0; i < 2; i++) {
        call(rule, 1);
        call(rule, 0);
    }
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);
}

static void another_window_or_an_earlier_clock_forgets_what_was_before(void **state)
{
    (void)state;
    rk_breaker_rule rule = { .failures = 3, .window_ns = RK_SECONDS(1), .open_ns = RK_SECONDS(1) };
    now = RK_SECONDS(864000);
    call(rule, 0);
    rule.window_ns = RK_SECONDS(60); /* as a relaunch may say */
    for (rk_u32 i = 0; i < 10; i++) {
        call(rule, 0);
        now += RK_SECONDS(61);
    }
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
    now = RK_SECONDS(100); /* as after a restart of the machine */
    for (rk_u32 i = 0; i < 10; i++) {
        call(rule, 0);
        now += RK_SECONDS(61);
    }
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void failures_of_a_window_that_was_given_up_are_not_taken_away_twice(void **state)
{
    (void)state;
    rk_breaker_rule rule = { .failures = 3, .window_ns = RK_SECONDS(16), .open_ns = RK_SECONDS(1) };
    call(rule, 0);
    call(rule, 0);
    rule.window_ns = 0;
    call(rule, 1);
    rule.window_ns = RK_SECONDS(16);
    now += RK_SECONDS(10);
    call(rule, 1);
    now += RK_SECONDS(8);
    call(rule, 0);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
}

static void the_rate_counts_once_there_were_enough_calls(void **state)
{
    (void)state;
    const rk_breaker_rule rule = {
        .percent = 50, .calls = 10, .window_ns = RK_SECONDS(16), .open_ns = RK_SECONDS(1)
    };
    for (rk_u32 i = 0; i < 4; i++) call(rule, 0);
    for (rk_u32 i = 0; i < 5; i++) call(rule, 1);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED);
    call(rule, 0); /* five of ten */
    assert_int_equal(breaker.state, RK_BREAKER_OPEN);

    given_a_fresh_breaker(0);
    for (rk_u32 i = 0; i < 1000; i++) call(rule, i % 20u < 11u);
    assert_int_equal(breaker.state, RK_BREAKER_CLOSED); /* never half of them, though hundreds failed */
}

#define OUTCOMES 4000u
static void the_window_has_the_outcomes_of_its_time_and_no_others(void **state)
{
    (void)state;
    const rk_u64 window = RK_MILLISECONDS(1600), part = window / 16u;
    const rk_breaker_rule rule = { .failures = ~0u, .window_ns = window, .open_ns = 1 };
    static rk_u64 when[OUTCOMES];
    static rk_u32 good[OUTCOMES];
    for (rk_u32 i = 0; i < OUTCOMES; i++) {
        rk_u64 r = rk_hash64(i);
        now += r % 100u == 0 ? r % (2u * window) : r % RK_MILLISECONDS(20);
        when[i] = now;
        good[i] = (r >> 40) & 1u;
        call(rule, good[i]);
        rk_u32 least[2] = { 0, 0 }, most[2] = { 0, 0 };
        for (rk_u32 k = 0; k <= i; k++) {
            least[good[k]] += now - when[k] <= window - part;
            most[good[k]] += now - when[k] < window;
        }
        assert_in_range(breaker.good_all, least[1], most[1]);
        assert_in_range(breaker.bad_all, least[0], most[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_opens_at_the_fifth_failure_and_refuses_for_thirty_seconds,
                               given_a_fresh_breaker),
        cmocka_unit_test_setup(one_success_of_a_half_open_one_closes_it, given_a_fresh_breaker),
        cmocka_unit_test_setup(one_failure_of_a_half_open_one_opens_it_again_for_as_long,
                               given_a_fresh_breaker),
        cmocka_unit_test_setup(a_success_in_between_begins_the_count_anew, given_a_fresh_breaker),
        cmocka_unit_test_setup(a_half_open_one_passes_no_more_than_its_probes, given_a_fresh_breaker),
        cmocka_unit_test_setup(an_outcome_of_an_earlier_period_changes_nothing, given_a_fresh_breaker),
        cmocka_unit_test_setup(probes_whose_outcome_nobody_tells_have_failed, given_a_fresh_breaker),
        cmocka_unit_test_setup(probes_that_follow_each_other_in_time_have_not_failed, given_a_fresh_breaker),
        cmocka_unit_test_setup(a_probe_that_is_told_twice_counts_once, given_a_fresh_breaker),
        cmocka_unit_test_setup(without_a_time_it_opens_for_thirty_seconds, given_a_fresh_breaker),
        cmocka_unit_test_setup(one_that_opens_for_good_stays_open, given_a_fresh_breaker),
        cmocka_unit_test_setup(failures_that_are_older_than_the_window_do_not_count, given_a_fresh_breaker),
        cmocka_unit_test_setup(the_rate_counts_once_there_were_enough_calls, given_a_fresh_breaker),
        cmocka_unit_test_setup(another_window_or_an_earlier_clock_forgets_what_was_before,
                               given_a_fresh_breaker),
        cmocka_unit_test_setup(failures_of_a_window_that_was_given_up_are_not_taken_away_twice,
                               given_a_fresh_breaker),
        cmocka_unit_test_setup(the_window_has_the_outcomes_of_its_time_and_no_others, given_a_fresh_breaker),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
