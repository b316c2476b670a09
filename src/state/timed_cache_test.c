/* The cache with a time to live: what goes by time, what goes for lack of room, and how each is counted. */
#include "state_fixture_test.h"

#include <ringkernel/state/timed_cache.h>

#define ENTRIES 4u
RK_TIMED_CACHE(sessions, ENTRIES, rk_u32)

static void put(sessions *cache, rk_u64 key, rk_u32 value, rk_u64 end_ns)
{
    sessions_entry gone;
    assert_int_equal(sessions_put(cache, key, &value, end_ns, &gone), 0);
}

static void an_entry_is_there_until_its_time_has_come(void **state)
{
    (void)state;
    sessions cache = { .expired = 0 };
    put(&cache, 7, 70, 100);
    assert_int_equal(*sessions_get(&cache, 7, 99), 70);
    assert_null(sessions_get(&cache, 7, 100));
    assert_null(sessions_get(&cache, 7, 99)); /* it went for good */
    assert_int_equal(cache.held.hits, 1);
    assert_int_equal(cache.held.misses, 2);
    assert_int_equal(cache.expired, 1);
    assert_int_equal(cache.held.evictions, 0);
    assert_int_equal(cache.held.count, 0);
}

static void putting_again_sets_the_time_anew(void **state)
{
    (void)state;
    sessions cache = { .expired = 0 };
    put(&cache, 7, 70, 100);
    put(&cache, 7, 71, 200);
    assert_int_equal(*sessions_get(&cache, 7, 150), 71);
    put(&cache, 7, 72, 120);
    assert_null(sessions_get(&cache, 7, 150));
}

static void a_full_cache_lets_go_of_the_least_recently_used_whatever_its_time(void **state)
{
    (void)state;
    sessions cache = { .expired = 0 };
    sessions_entry gone;
    rk_u32 value = 9;
    for (rk_u32 k = 0; k < ENTRIES; k++) put(&cache, k, k, 1000u + k);
    assert_int_equal(*sessions_get(&cache, 0, 10), 0);
    assert_int_equal(sessions_put(&cache, 9, &value, 2000, &gone), 1);
    assert_int_equal(gone.key, 1);
    assert_int_equal(gone.value.value, 1);
    assert_int_equal(gone.value.end_ns, 1001);
    assert_int_equal(cache.held.evictions, 1);
    assert_int_equal(cache.expired, 0);
}

static void a_sweep_takes_those_that_are_over_up_to_the_first_that_is_not(void **state)
{
    (void)state;
    sessions cache = { .expired = 0 };
    put(&cache, 1, 1, 10);
    put(&cache, 2, 2, 20);
    put(&cache, 3, 3, 50);
    put(&cache, 4, 4, 30);
    assert_int_equal(sessions_sweep(&cache, 40, 1), 1); /* as many as it is given */
    assert_int_equal(sessions_sweep(&cache, 40, 10), 1);
    assert_int_equal(cache.held.count, 2);
    assert_null(sessions_get(&cache, 4, 40));
    assert_int_equal(*sessions_get(&cache, 3, 40), 3);
    assert_int_equal(sessions_sweep(&cache, 50, 10), 1);
    assert_int_equal(sessions_sweep(&cache, 50, 10), 0);
    assert_int_equal(cache.expired, 4);
}

static void random_operations_do_what_a_table_of_times_does(void **state)
{
    (void)state;
    for (rk_u64 seed = 1; seed <= 10; seed++) {
        sessions cache = { .expired = 0 };
        rk_u64 end_ns[ENTRIES] = { 0 }, expired = 0; /* as many keys as entries: nothing is evicted */
        dice d = { seed << 32 };
        for (rk_u64 now = 1; now < 4000; now++) {
            rk_u32 key = draw_below(&d, ENTRIES);
            if (draw_below(&d, 2)) {
                end_ns[key] = now + draw_below(&d, 12);
                put(&cache, key, key * 10u, end_ns[key]);
            } else {
                rk_u32 *found = sessions_get(&cache, key, now);
                assert_int_equal(found != 0, end_ns[key] > now);
                if (found) assert_int_equal(*found, key * 10u);
                if (!found && end_ns[key]) expired++, end_ns[key] = 0;
            }
            if (draw_below(&d, 50) == 0 && sessions_erase(&cache, key)) end_ns[key] = 0;
            assert_int_equal(cache.expired, expired);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_there_until_its_time_has_come),
        cmocka_unit_test(putting_again_sets_the_time_anew),
        cmocka_unit_test(a_full_cache_lets_go_of_the_least_recently_used_whatever_its_time),
        cmocka_unit_test(a_sweep_takes_those_that_are_over_up_to_the_first_that_is_not),
        cmocka_unit_test(random_operations_do_what_a_table_of_times_does),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
