/* The timer wheel against a plain list that is searched from one end to the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include <ringkernel/state/timers.h>

#define PLACES 40u
RK_TIMERS(forty, PLACES)

typedef struct model {
    rk_u64 when_ns[PLACES]; /* RK_NEVER: not set */
    rk_u64 order[PLACES];   /* when it was set, counted */
    rk_u64 sets;
} model;

static forty timers;
static model plain;

static int given_no_timers(void **state)
{
    (void)state;
    memset(&timers, 0, sizeof timers);
    memset(&plain, 0, sizeof plain);
    for (rk_u32 i = 0; i < PLACES; i++) plain.when_ns[i] = RK_NEVER;
    return 0;
}

static rk_u64 random_number(rk_u64 *seed) { return rk_hash64(++*seed); }

static void set(rk_u32 place, rk_u64 when_ns)
{
    rk_u64 turned_ns = timers.wheel.now_ns; /* a time before that is as good as this */
    rk_timers_set(&timers.wheel, place, when_ns);
    plain.when_ns[place] = when_ns > turned_ns ? when_ns : turned_ns;
    plain.order[place] = plain.sets++;
}

static void cancel(rk_u32 place)
{
    assert_int_equal(rk_timers_cancel(&timers.wheel, place), plain.when_ns[place] != RK_NEVER);
    plain.when_ns[place] = RK_NEVER;
}

static rk_u64 earliest(void)
{
    rk_u64 least = RK_NEVER;
    for (rk_u32 i = 0; i < PLACES; i++)
        if (plain.when_ns[i] < least) least = plain.when_ns[i];
    return least;
}

/* All that is due comes, each once, none early, in the order of the times. */
static void take_all_due(rk_u64 now_ns)
{
    rk_u64 last = 0;
    for (;;) {
        rk_u32 budget = ~0u, place = rk_timers_take(&timers.wheel, now_ns, &budget);
        if (place == RK_NO_TIMER) break;
        assert_true(place < PLACES);
        assert_true(plain.when_ns[place] <= now_ns);
        assert_true(plain.when_ns[place] >= last);
        last = plain.when_ns[place];
        plain.when_ns[place] = RK_NEVER;
    }
    assert_true(earliest() > now_ns);
    assert_true(rk_timers_next(&timers.wheel) <= earliest());
    if (earliest() != RK_NEVER) assert_true(rk_timers_next(&timers.wheel) > now_ns);
}

static void timers_agree_with_a_list_that_is_searched(void **state)
{
    (void)state;
    /* given distances from a nanosecond to a day, in jumps of as many kinds */
    for (rk_u32 start = 0; start < 3; start++) {
        given_no_timers(0);
        rk_u64 seed = start, now = start * 0x123456789abcdeful;
        for (rk_u32 i = 0; i < 60000; i++) {
            rk_u64 r = random_number(&seed);
            rk_u32 place = (rk_u32)(r >> 8) % PLACES, width = (rk_u32)(r >> 32) % 47u;
            rk_u64 distance = random_number(&seed) & (((rk_u64)1 << width) - 1u);
            switch (r % 8u) {
            case 0:
            case 1:
            case 2: set(place, now + distance); break;
            case 3: set(place, r >> 60 ? now + distance : now > distance ? now - distance : 0); break;
            case 4:
            case 5: cancel(place); break;
            default:
                now += distance / 4u;
                take_all_due(now);
                break;
            }
            assert_int_equal(timers.wheel.set != 0, earliest() != RK_NEVER);
        }
    }
}

static void no_timer_is_early_or_late_over_the_borders_of_digits(void **state)
{
    (void)state;
    /* given the wheel a step before and at the places where all lower digits turn over */
    for (rk_u32 bits = 6; bits < 64; bits += 6) {
        for (rk_u32 before = 0; before < 3; before++) {
            rk_u64 border = (rk_u64)1 << bits, now = border - before;
            given_no_timers(0);
            timers.wheel.now_ns = now;
            set(0, border);
            set(1, border - 1u > now ? border - 1u : now);
            set(2, border + 1u);
            set(3, border * 2u - 1u);
            for (rk_u64 at = now; at <= border + 2u; at++) {
                take_all_due(at);
                if (earliest() < border * 2u - 1u)
                    assert_int_equal(rk_timers_next(&timers.wheel), earliest());
            }
            take_all_due(border * 2u - 2u);
            assert_int_equal(plain.when_ns[3], border * 2u - 1u);
            take_all_due(border * 2u - 1u);
            assert_int_equal(rk_timers_next(&timers.wheel), RK_NEVER);
        }
    }
}

static void the_end_of_time_is_a_time(void **state)
{
    (void)state;
    set(0, RK_NEVER - 1u);
    set(1, 5);
    take_all_due(RK_NEVER - 2u);
    assert_int_equal(rk_timers_next(&timers.wheel), RK_NEVER - 1u);
    take_all_due(RK_NEVER - 1u);
    assert_int_equal(timers.wheel.set, 0);
}

static void timers_that_are_never_due_are_asked_for_by_nobody(void **state)
{
    (void)state;
    for (rk_u32 i = 0; i < PLACES; i++) set(i, RK_NEVER); /* more than share a slot and are looked at */
    assert_int_equal(rk_timers_next(&timers.wheel), RK_NEVER);
    set(3, 1000);
    assert_int_equal(rk_timers_next(&timers.wheel), 1000);
}

static void timers_of_one_time_come_in_the_order_in_which_they_were_set(void **state)
{
    (void)state;
    rk_u32 budget = 1000;
    for (rk_u32 i = 0; i < PLACES; i++) set((i * 7u) % PLACES, 1000000007u);
    assert_int_equal(rk_timers_take(&timers.wheel, 1000000006u, &budget), RK_NO_TIMER);
    for (rk_u32 i = 0; i < PLACES; i++)
        assert_int_equal(rk_timers_take(&timers.wheel, 1000000007u, &budget), (i * 7u) % PLACES);
}

static void a_timer_that_is_due_already_comes_at_once(void **state)
{
    (void)state;
    rk_u32 budget = 10;
    timers.wheel.now_ns = 5000;
    rk_timers_set(&timers.wheel, 3, 10);
    assert_true(rk_timers_next(&timers.wheel) <= 5000);
    assert_int_equal(rk_timers_take(&timers.wheel, 5000, &budget), 3);
}

static void the_budget_bounds_one_call_and_the_next_goes_on(void **state)
{
    (void)state;
    /* given more timers at one time than one call may look at, far away so that they move down */
    rk_u64 when = 123456789012345ul;
    for (rk_u32 i = 0; i < PLACES; i++) set(i, when);
    rk_u32 calls = 0, taken = 0, place;
    while (taken < PLACES) {
        /* when each call has a budget of 4, others are cancelled and set in between */
        rk_u32 budget = 4, here = 0;
        while ((place = rk_timers_take(&timers.wheel, when, &budget)) != RK_NO_TIMER) {
            assert_int_equal(plain.when_ns[place], when);
            plain.when_ns[place] = RK_NEVER;
            here++;
        }
        assert_true(here <= 4);
        taken += here;
        if (taken < PLACES) {
            /* then none is forgotten: the rest is due now */
            assert_int_equal(budget, 0);
            assert_true(rk_timers_next(&timers.wheel) <= when);
        }
        if (calls % 3u == 1u && plain.when_ns[calls % PLACES] != RK_NEVER) {
            cancel(calls % PLACES);
            set(calls % PLACES, when);
        }
        assert_true(++calls < 1000);
    }
    assert_int_equal(rk_timers_next(&timers.wheel), RK_NEVER);
    assert_true(calls > PLACES / 4u);
}

static void many_in_one_slot_are_told_a_time_before_the_first(void **state)
{
    (void)state;
    /* given more than are looked at, the earliest behind them */
    for (rk_u32 i = 1; i < PLACES; i++) set(i, 5000000u + i);
    set(0, 4999990u);
    rk_u64 now = 0, next;
    rk_u32 looks = 0;
    while ((next = rk_timers_next(&timers.wheel)) != RK_NEVER) {
        /* when the time goes to what was told, then no timer was passed */
        assert_true(next <= earliest());
        assert_true(next >= now);
        now = next;
        take_all_due(now);
        looks++;
    }
    assert_true(looks <= PLACES + RK_TIMER_LEVELS);
}

static void timers_are_cancelled_in_any_order(void **state)
{
    (void)state;
    for (rk_u32 step = 1; step < PLACES; step += 2) {
        if (step % 5u == 0) continue; /* 40 places: others are visited by this step */
        for (rk_u32 i = 0; i < PLACES; i++) set(i, 777 + (rk_u64)i / 8u);
        for (rk_u32 i = 0; i < PLACES; i++) {
            cancel((i * step) % PLACES);
            cancel((i * step) % PLACES);
            if (timers.wheel.set > RK_TIMERS_LOOK)
                assert_true(rk_timers_next(&timers.wheel) <= earliest());
            else
                assert_int_equal(rk_timers_next(&timers.wheel), earliest());
        }
        assert_int_equal(timers.wheel.set, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timers_agree_with_a_list_that_is_searched, given_no_timers),
        cmocka_unit_test_setup(no_timer_is_early_or_late_over_the_borders_of_digits, given_no_timers),
        cmocka_unit_test_setup(the_end_of_time_is_a_time, given_no_timers),
        cmocka_unit_test_setup(timers_that_are_never_due_are_asked_for_by_nobody, given_no_timers),
        cmocka_unit_test_setup(timers_of_one_time_come_in_the_order_in_which_they_were_set, given_no_timers),
        cmocka_unit_test_setup(a_timer_that_is_due_already_comes_at_once, given_no_timers),
        cmocka_unit_test_setup(the_budget_bounds_one_call_and_the_next_goes_on, given_no_timers),
        cmocka_unit_test_setup(many_in_one_slot_are_told_a_time_before_the_first, given_no_timers),
        cmocka_unit_test_setup(timers_are_cancelled_in_any_order, given_no_timers),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
