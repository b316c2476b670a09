/* The map against an array with a place for each key, in random operations and at its limits; how many slots
 * a search looks at. */
#include "state_fixture_test.h"

static rk_u64 probes;
#define RK_MAP_PROBED() (probes++)
#include <ringkernel/state/map.h>

typedef struct pair {
    rk_u64 a;
    rk_u32 b;
} pair;

#define KEYS 100u
#define UNIVERSE 250u /* so that the map is full at times */
RK_MAP(pairs, KEYS, pair)
RK_MAP(single, 1, rk_u8)
RK_MAP(small, 1000, rk_u32)
RK_MAP(large, 1000000, rk_u32)

/* Keys of each kind: 0, the largest, near ones, and ones that differ in their high bits only. */
static rk_u64 key_of(rk_u32 i)
{
    if (i == 1) return ~0ull;
    return i % 3u == 0 ? i : i % 3u == 1 ? (rk_u64)i << 40 : rk_hash64(i);
}

typedef struct reference {
    rk_u32 there[UNIVERSE];
    pair value[UNIVERSE];
    rk_u32 count;
} reference;

static void is_as_the_reference(pairs *map, const reference *r)
{
    assert_int_equal(map->count, r->count);
    rk_u32 seen = 0;
    for (rk_u32 s = pairs_next(map, 0); s != RK_MAP_END; s = pairs_next(map, s + 1u)) seen++;
    assert_int_equal(seen, r->count);
    for (rk_u32 i = 0; i < UNIVERSE; i++) {
        pair *found = pairs_find(map, key_of(i));
        assert_int_equal(found != 0, r->there[i]);
        if (found) assert_int_equal(found->a, r->value[i].a);
        if (found) assert_int_equal(found->b, r->value[i].b);
    }
}

static void insert_as_the_reference(pairs *map, reference *r, rk_u32 i, rk_u64 a)
{
    pair *at = 0;
    rk_status status = pairs_insert(map, key_of(i), &at);
    if (!r->there[i] && r->count == KEYS) {
        assert_int_equal(status, RK_FULL);
        assert_null(at);
        return;
    }
    assert_int_equal(status, RK_OK);
    assert_non_null(at);
    if (!r->there[i]) {
        assert_int_equal(at->a | at->b, 0); /* a new value is zeros, whatever lay there before */
        r->count++;
    }
    r->there[i] = 1;
    *at = r->value[i] = (pair){ a, i };
}

static void random_operations_do_what_an_array_does(void **state)
{
    (void)state;
    for (rk_u64 seed = 1; seed <= 20; seed++) {
        pairs *map = fresh(sizeof *map);
        reference r = { .count = 0 };
        dice d = { seed << 32 };
        for (rk_u32 n = 0; n < 4000; n++) {
            rk_u32 i = draw_below(&d, UNIVERSE);
            if (draw_below(&d, 100) < (n / 500u % 2u ? 30u : 70u)) {
                insert_as_the_reference(map, &r, i, draw(&d));
            } else {
                assert_int_equal(pairs_erase(map, key_of(i)), r.there[i]);
                r.count -= r.there[i];
                r.there[i] = 0;
            }
            if (n % 37u == 0) is_as_the_reference(map, &r);
        }
        is_as_the_reference(map, &r);
        free(map);
    }
}

static void an_erased_map_is_as_if_nothing_had_been_there(void **state)
{
    (void)state;
    pairs *map = fresh(sizeof *map);
    reference r = { .count = 0 };
    for (rk_u32 round = 0; round < 50; round++) {
        for (rk_u32 i = 0; i < KEYS; i++)
            insert_as_the_reference(map, &r, (i * 7u + round) % UNIVERSE, round);
        for (rk_u32 i = 0; i < UNIVERSE; i++) pairs_erase(map, key_of(i));
        for (rk_u32 s = 0; s < RK_MAP_SLOTS(KEYS); s++) assert_int_equal(map->tag[s], 0);
        memset(&r, 0, sizeof r);
    }
    is_as_the_reference(map, &r);
    free(map);
}

static void a_full_map_says_so_and_keeps_what_it_has(void **state)
{
    (void)state;
    pairs *map = fresh(sizeof *map);
    reference r = { .count = 0 };
    for (rk_u32 i = 0; i < UNIVERSE; i++) insert_as_the_reference(map, &r, i, i);
    assert_int_equal(map->count, KEYS);
    is_as_the_reference(map, &r);

    /* and takes the next once there is room */
    pair *at;
    assert_int_equal(pairs_erase(map, key_of(5)), 1);
    assert_int_equal(pairs_insert(map, key_of(UNIVERSE - 1u), &at), RK_OK);
    assert_int_equal(pairs_insert(map, key_of(UNIVERSE - 2u), &at), RK_FULL);
    free(map);
}

static void a_map_of_one_key_holds_any_key(void **state)
{
    (void)state;
    single map = { .count = 0 };
    rk_u8 *at;
    for (rk_u32 i = 0; i < UNIVERSE; i++) {
        assert_null(single_find(&map, key_of(i)));
        assert_int_equal(single_insert(&map, key_of(i), &at), RK_OK);
        assert_int_equal(*at, 0);
        *at = (rk_u8)i;
        assert_int_equal(single_insert(&map, key_of(i + 1u), &at), RK_FULL);
        assert_int_equal(*single_find(&map, key_of(i)), (rk_u8)i);
        assert_int_equal(single_erase(&map, key_of(i)), 1);
        assert_int_equal(single_erase(&map, key_of(i)), 0);
    }
}

/* A run of one home is the worst case: whatever the keys, a search ends and finds the right one. */
static void keys_of_one_home_are_told_apart(void **state)
{
    (void)state;
    pairs *map = fresh(sizeof *map);
    rk_u64 key[KEYS];
    pair *at;
    rk_u32 last = RK_MAP_SLOTS(KEYS) - 1u; /* so that the run goes round the end */
    for (rk_u64 k = 0, n = 0; n < KEYS; k++)
        if (rk_map_home(k, RK_MAP_SLOTS(KEYS)) == last) key[n++] = k;
    for (rk_u32 i = 0; i < KEYS; i++) {
        assert_int_equal(pairs_insert(map, key[i], &at), RK_OK);
        at->b = i;
    }
    for (rk_u32 i = 0; i < KEYS; i += 2u) assert_int_equal(pairs_erase(map, key[i]), 1);
    for (rk_u32 i = 0; i < KEYS; i++) {
        pair *found = pairs_find(map, key[i]);
        assert_int_equal(found != 0, i % 2u);
        if (found) assert_int_equal(found->b, i);
    }
    free(map);
}

static void pointers_stay_good_while_nothing_is_erased(void **state)
{
    (void)state;
    pairs *map = fresh(sizeof *map);
    pair *at[KEYS];
    for (rk_u32 i = 0; i < KEYS; i++) assert_int_equal(pairs_insert(map, key_of(i), &at[i]), RK_OK);
    for (rk_u32 i = 0; i < KEYS; i++) assert_ptr_equal(pairs_find(map, key_of(i)), at[i]);
    free(map);
}

/* Probes per call, in hundredths, in a full map: of keys that are there, of ones that aren't, and of erasing
 * and inserting. */
typedef struct cost {
    rk_u64 hit, miss, change;
} cost;

#define COST_OF(map_name, keys, result)                                                              \
    do {                                                                                             \
        map_name *map = fresh(sizeof *map);                                                          \
        rk_u32 *at;                                                                                  \
        for (rk_u32 i = 0; i < (keys); i++) assert_int_equal(map_name##_insert(map, i, &at), RK_OK); \
        probes = 0;                                                                                  \
        for (rk_u32 i = 0; i < (keys); i++) assert_non_null(map_name##_find(map, i));                \
        (result).hit = probes * 100u / (keys);                                                       \
        probes = 0;                                                                                  \
        for (rk_u32 i = 0; i < (keys); i++) assert_null(map_name##_find(map, (keys) + i));           \
        (result).miss = probes * 100u / (keys);                                                      \
        probes = 0;                                                                                  \
        for (rk_u32 i = 0; i < (keys); i++) {                                                        \
            assert_int_equal(map_name##_erase(map, i), 1);                                           \
            assert_int_equal(map_name##_insert(map, (keys) + i, &at), RK_OK);                        \
        }                                                                                            \
        (result).change = probes * 100u / (keys);                                                    \
        free(map);                                                                                   \
    } while (0)

static void the_cost_of_a_call_does_not_grow_with_the_size(void **state)
{
    (void)state;
    cost of_small, of_large;
    COST_OF(small, 1000u, of_small);
    COST_OF(large, 1000000u, of_large);

    /* linear probing at 2/3: 2 for what is there and 5 for what isn't, on average (Knuth, 6.4, theorem K) */
    assert_in_range(of_large.hit, 190, 210);
    assert_in_range(of_large.miss, 480, 520);
    assert_in_range(of_small.hit, 150, 260);
    assert_in_range(of_small.miss, 350, 700);
    assert_true(of_large.change < 2000 && of_small.change < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_do_what_an_array_does),
        cmocka_unit_test(an_erased_map_is_as_if_nothing_had_been_there),
        cmocka_unit_test(a_full_map_says_so_and_keeps_what_it_has),
        cmocka_unit_test(a_map_of_one_key_holds_any_key),
        cmocka_unit_test(keys_of_one_home_are_told_apart),
        cmocka_unit_test(pointers_stay_good_while_nothing_is_erased),
        cmocka_unit_test(the_cost_of_a_call_does_not_grow_with_the_size),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
