/* The cache against a list in order of use, in random operations and at its limits; what a call costs. */
#include "state_fixture_test.h"

static rk_u64 probes;
#define RK_MAP_PROBED() (probes++)
#include <ringkernel/state/cache.h>

#define ENTRIES 20u
#define UNIVERSE 50u
RK_CACHE(quotes, ENTRIES, rk_u32)
RK_CACHE(thousand, 1000, rk_u32)
RK_CACHE(million, 1000000, rk_u32)
RK_CACHE(lone, 1, rk_u32)

/* Keys and values from the most to the least recently used. */
typedef struct reference {
    rk_u64 key[ENTRIES];
    rk_u32 value[ENTRIES];
    rk_u32 count;
    rk_u64 hits, misses, evictions;
} reference;

static rk_u32 place_of(const reference *r, rk_u64 key)
{
    rk_u32 i = 0;
    while (i < r->count && r->key[i] != key) i++;
    return i;
}

static void take_out(reference *r, rk_u32 i)
{
    memmove(&r->key[i], &r->key[i + 1u], (r->count - i - 1u) * sizeof *r->key);
    memmove(&r->value[i], &r->value[i + 1u], (r->count - i - 1u) * sizeof *r->value);
    r->count--;
}

static void put_first(reference *r, rk_u64 key, rk_u32 value)
{
    memmove(&r->key[1], &r->key[0], r->count * sizeof *r->key);
    memmove(&r->value[1], &r->value[0], r->count * sizeof *r->value);
    r->key[0] = key;
    r->value[0] = value;
    r->count++;
}

static void put_in_both(quotes *cache, reference *r, rk_u64 key, rk_u32 value)
{
    quotes_entry gone = { 0 };
    rk_u32 i = place_of(r, key), evicted = quotes_put(cache, key, &value, &gone);
    assert_int_equal(evicted, i == r->count && r->count == ENTRIES);
    if (i < r->count) take_out(r, i);
    if (evicted) {
        assert_int_equal(gone.key, r->key[ENTRIES - 1u]);
        assert_int_equal(gone.value, r->value[ENTRIES - 1u]);
        take_out(r, ENTRIES - 1u);
        r->evictions++;
    }
    put_first(r, key, value);
}

static void get_from_both(quotes *cache, reference *r, rk_u64 key)
{
    rk_u32 i = place_of(r, key), *found = quotes_get(cache, key);
    assert_int_equal(found != 0, i < r->count);
    if (!found) {
        r->misses++;
        return;
    }
    rk_u32 value = r->value[i];
    assert_int_equal(*found, value);
    r->hits++;
    take_out(r, i);
    put_first(r, key, value);
}

/* The whole order, by the links. */
static void is_as_the_reference(quotes *cache, const reference *r)
{
    rk_u32 e = 0, back = 0;
    for (rk_u32 i = 0; i < r->count; i++) {
        e = cache->link[e].older;
        assert_int_equal(cache->entry[e].key, r->key[i]);
        assert_int_equal(cache->entry[e].value, r->value[i]);
        back = cache->link[back].newer;
        assert_int_equal(cache->entry[back].key, r->key[r->count - 1u - i]);
    }
    assert_int_equal(cache->link[e].older, 0);
    assert_int_equal(cache->count, r->count);
    assert_int_equal(cache->index.count, r->count);
    assert_int_equal(cache->hits, r->hits);
    assert_int_equal(cache->misses, r->misses);
    assert_int_equal(cache->evictions, r->evictions);
    rk_u64 key = 0;
    rk_u32 *oldest = quotes_oldest(cache, &key);
    assert_int_equal(oldest != 0, r->count > 0);
    if (oldest) assert_int_equal(key, r->key[r->count - 1u]);
}

static void random_operations_do_what_a_list_does(void **state)
{
    (void)state;
    for (rk_u64 seed = 1; seed <= 20; seed++) {
        quotes *cache = fresh(sizeof *cache);
        reference r = { .count = 0 };
        dice d = { seed << 32 };
        for (rk_u32 n = 0; n < 4000; n++) {
            rk_u64 key = draw_below(&d, UNIVERSE);
            rk_u32 what = draw_below(&d, 20);
            if (what < 9) {
                put_in_both(cache, &r, key, (rk_u32)draw(&d));
            } else if (what < 17) {
                get_from_both(cache, &r, key);
            } else if (what < 19) {
                rk_u32 i = place_of(&r, key);
                assert_int_equal(quotes_erase(cache, key), i < r.count);
                if (i < r.count) take_out(&r, i);
            } else {
                rk_u32 i = place_of(&r, key), *found = quotes_peek(cache, key);
                assert_int_equal(found != 0, i < r.count);
                if (found) assert_int_equal(*found, r.value[i]);
            }
            is_as_the_reference(cache, &r);
        }
        free(cache);
    }
}

static void of_1001_keys_in_a_cache_of_1000_the_least_recently_used_goes(void **state)
{
    (void)state;
    thousand *cache = fresh(sizeof *cache);
    thousand_entry gone = { 0 };
    for (rk_u32 k = 0; k < 1000; k++) assert_int_equal(thousand_put(cache, k, &k, &gone), 0);

    /* given that the first one is used again, and the second only looked at */
    assert_int_equal(*thousand_get(cache, 0), 0);
    assert_int_equal(*thousand_peek(cache, 1), 1);

    /* when one more comes, then the second goes */
    rk_u32 value = 1000;
    assert_int_equal(thousand_put(cache, 1000, &value, &gone), 1);
    assert_int_equal(gone.key, 1);
    assert_int_equal(gone.value, 1);
    assert_null(thousand_peek(cache, 1));
    for (rk_u32 k = 0; k <= 1000; k++)
        if (k != 1) assert_int_equal(*thousand_get(cache, k), k);
    assert_int_equal(cache->hits, 1001);
    assert_int_equal(cache->misses, 0);
    assert_int_equal(cache->evictions, 1);
    free(cache);
}

static void a_cache_of_one_entry_keeps_the_last(void **state)
{
    (void)state;
    lone cache = { .count = 0 };
    lone_entry gone;
    for (rk_u32 k = 0; k < 10; k++) {
        rk_u32 value = k * 3u;
        assert_int_equal(lone_put(&cache, k, &value, &gone), k > 0);
        if (k) assert_int_equal(gone.key, k - 1u);
        assert_int_equal(*lone_get(&cache, k), value);
    }
}

/* Probes of a get and a put, in hundredths. */
#define COST_OF(name, entries, get, put)                                              \
    do {                                                                              \
        name *cache = fresh(sizeof *cache);                                           \
        name##_entry gone;                                                            \
        for (rk_u32 k = 0; k < (entries); k++) name##_put(cache, k, &k, &gone);       \
        probes = 0;                                                                   \
        for (rk_u32 k = 0; k < (entries); k++) assert_non_null(name##_get(cache, k)); \
        (get) = probes * 100u / (entries);                                            \
        probes = 0;                                                                   \
        for (rk_u32 k = 0; k < (entries); k++) {                                      \
            assert_int_equal(name##_put(cache, (entries) + k, &k, &gone), 1);         \
            assert_int_equal(gone.key, k);                                            \
        }                                                                             \
        (put) = probes * 100u / (entries);                                            \
        assert_int_equal(cache->evictions, (entries));                                \
        free(cache);                                                                  \
    } while (0)

static void a_million_entries_cost_what_a_thousand_do(void **state)
{
    (void)state;
    rk_u64 get[2], put[2];
    COST_OF(thousand, 1000u, get[0], put[0]);
    COST_OF(million, 1000000u, get[1], put[1]);
    assert_in_range(get[0], 100, 300);
    assert_in_range(get[1], 100, 300);
    assert_in_range(put[0], 100, 2500); /* a search, an erasure and an insertion, each of 5 or so */
    assert_in_range(put[1], 100, 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_do_what_a_list_does),
        cmocka_unit_test(of_1001_keys_in_a_cache_of_1000_the_least_recently_used_goes),
        cmocka_unit_test(a_cache_of_one_entry_keeps_the_last),
        cmocka_unit_test(a_million_entries_cost_what_a_thousand_do),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
