/* Containers in a kernel's state, driven by messages: per shard and per actor they do what the plain
 * references here do, and a large cache lets go of the right one. */
#include "contract.h"

#include "../kernels/pattern_state.rk.h"

#include <stdlib.h>

#define KEYS 60u /* more than the containers hold */
#define ACTORS 40u

/* ------------------------------------------------------------------ the references */

typedef struct reference {
    rk_u32 in_map[KEYS], mapped, refused;
    rk_i64 value[KEYS];
    rk_u64 cached[KEPT_ENTRIES]; /* from the most to the least recently used */
    rk_i64 cached_value[KEPT_ENTRIES];
    rk_u32 entries;
    rk_i64 hits, misses, evictions;
    rk_i64 window[KEPT_VALUES];
    rk_u32 averaged;
    rk_f32 trend;
    rk_u32 has_counter[KEYS], counters;
    rk_i64 counted[KEYS];
    kept top[KEPT_TOP]; /* key; number[0] and [1]: count and error */
    rk_u32 watched;
    rk_i64 spread[4096], spread_sum;
    rk_u32 spread_count;
} reference;

static void expect_map(reference *r, const keeping *m, kept *out)
{
    rk_u32 k = (rk_u32)m->key;
    if (m->operation == KEPT_ERASE) {
        out->number[0] = r->in_map[k];
        r->mapped -= r->in_map[k];
        r->in_map[k] = 0;
        r->value[k] = 0;
    } else if (!r->in_map[k] && r->mapped == KEPT_KEYS) {
        out->number[0] = RK_FULL;
        r->refused++;
    } else {
        r->mapped += !r->in_map[k];
        r->in_map[k] = 1;
        out->number[1] = r->value[k] += m->value;
    }
    out->number[2] = r->mapped;
}

static void expect_cache(reference *r, const keeping *m, kept *out)
{
    rk_u32 i = 0;
    while (i < r->entries && r->cached[i] != m->key) i++;
    rk_u32 there = i < r->entries, is_put = m->operation == KEPT_PUT;
    rk_i64 value = is_put ? m->value : there ? r->cached_value[i] : 0;
    if (!is_put) {
        r->hits += there;
        r->misses += !there;
        out->number[0] = value;
    } else if (!there && r->entries == KEPT_ENTRIES) {
        i--;
        out->key = r->cached[i];
        out->number[0] = r->cached_value[i];
        r->evictions++;
    } else {
        r->entries += !there;
    }
    if (is_put || there) {
        for (; i > 0; i--) {
            r->cached[i] = r->cached[i - 1u];
            r->cached_value[i] = r->cached_value[i - 1u];
        }
        r->cached[0] = m->key;
        r->cached_value[0] = value;
    }
    out->number[1] = r->hits;
    out->number[2] = r->misses;
    out->number[3] = r->evictions;
}

static void expect_average(reference *r, const keeping *m, kept *out)
{
    rk_f64 sum = 0; /* exact: few numbers of 24 bits each, of about one size */
    r->window[r->averaged++ % KEPT_VALUES] = m->value;
    rk_u32 count = r->averaged < KEPT_VALUES ? r->averaged : KEPT_VALUES;
    out->number[1] = out->number[2] = r->window[0];
    for (rk_u32 i = 0; i < count; i++) {
        rk_i64 v = r->window[i];
        out->number[0] += v;
        if (v < out->number[1]) out->number[1] = v;
        if (v > out->number[2]) out->number[2] = v;
        sum += (rk_f32)v * 0.1f;
    }
    rk_f32 step = 0.25f * ((rk_f32)m->value - r->trend);
    r->trend = r->averaged > 1u ? r->trend + step : (rk_f32)m->value;
    out->number[3] = (rk_i64)(r->trend * 1024.0f);
    out->mean = (rk_f32)sum;
}

/* Space-saving by a search of all entries. */
static void expect_top(reference *r, rk_u64 key, kept *out)
{
    rk_u32 i = 0, first = 0;
    while (i < r->watched && r->top[i].key != key) i++;
    if (i == r->watched && i < KEPT_TOP) {
        r->top[r->watched++] = (kept){ .key = key };
    } else if (i == KEPT_TOP) {
        i = 0;
        for (rk_u32 e = 1; e < KEPT_TOP; e++)
            if (r->top[e].number[0] < r->top[i].number[0]) i = e;
        r->top[i].number[1] = r->top[i].number[0];
        r->top[i].key = key;
    }
    r->top[i].number[0]++;
    for (rk_u32 e = 1; e < r->watched; e++)
        if (r->top[e].number[0] > r->top[first].number[0]) first = e;
    out->number[2] = r->top[first].number[0];
}

static void expect_count(reference *r, const keeping *m, kept *out)
{
    rk_u32 k = (rk_u32)m->key;
    if (!r->has_counter[k] && r->counters == KEPT_KEYS) {
        out->number[0] = RK_FULL;
    } else {
        r->counters += !r->has_counter[k];
        r->has_counter[k] = 1;
        out->number[1] = ++r->counted[k];
    }
    expect_top(r, m->key, out);
}

static int by_value(const void *a, const void *b)
{
    rk_i64 x = *(const rk_i64 *)a, y = *(const rk_i64 *)b;
    return (x > y) - (x < y);
}

static void expect_spread(reference *r, const keeping *m, kept *out)
{
    assert_true(r->spread_count < sizeof r->spread / sizeof *r->spread);
    r->spread[r->spread_count++] = m->value;
    r->spread_sum += m->value;
    qsort(r->spread, r->spread_count, sizeof *r->spread, by_value);
    out->number[0] = r->spread[(r->spread_count + 1u) / 2u - 1u];
    out->number[1] = r->spread_sum / r->spread_count;
    out->number[2] = r->spread[r->spread_count - 1u];
}

static kept expected_of(reference *r, const keeping *m)
{
    kept out = { .operation = m->operation, .actor = m->actor };
    switch (m->operation) {
    case KEPT_INSERT:
    case KEPT_ERASE: expect_map(r, m, &out); break;
    case KEPT_PUT:
    case KEPT_GET: expect_cache(r, m, &out); break;
    case KEPT_AVERAGE: expect_average(r, m, &out); break;
    case KEPT_COUNT: expect_count(r, m, &out); break;
    default: expect_spread(r, m, &out); break;
    }
    return out;
}

static void assert_as_expected(const kept *got, const kept *expected)
{
    assert_int_equal(got->operation, expected->operation);
    assert_int_equal(got->actor, expected->actor);
    rk_u32 counts = got->operation == KEPT_COUNT, spreads = got->operation == KEPT_SPREAD;
    for (rk_u32 i = spreads; i < (counts ? 3u : 4u); i++)
        assert_int_equal(got->number[i], expected->number[i]);
    if (spreads) {
        rk_i64 off = got->number[0] - expected->number[0];
        assert_true((off < 0 ? -off : off) * 16 <= expected->number[0]);
    }
    if (counts) { /* who is the first of several is not told here, and how far the count may be off is */
        assert_true(got->number[3] >= 0 && got->number[3] < got->number[2]);
        return;
    }
    assert_int_equal(got->key, expected->key);
    assert_true(got->mean == expected->mean);
}

/* ------------------------------------------------------------------ the cases */

/* The next number of a sequence that repeats (Knuth's MMIX generator). */
static rk_u32 draw_below(rk_u64 *state, rk_u32 below)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (rk_u32)(*state >> 33) % below;
}

static keeping any_operation(rk_u64 *dice)
{
    rk_u32 operation = draw_below(dice, KEPT_OPERATIONS);
    if (operation == KEPT_ERASE && draw_below(dice, 2)) operation = KEPT_INSERT;
    keeping m = { draw_below(dice, KEYS), (rk_i64)draw_below(dice, 5000), operation, 0 };
    if (operation == KEPT_AVERAGE && draw_below(dice, 2)) m.value = -m.value;
    return m;
}

static rk_launch_options roomy_options(void)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.output_capacity = 4096;
    return o;
}

static void containers_of_a_shard_do_what_their_references_do(contract *c)
{
    rk_launch_options o = roomy_options();
    rk_kernel k = launch_active(c, "shelves", "shelves", &o);
    reference *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rk_u64 dice = 1;
    const rk_u32 rounds = contract_rounds(20) + 30u; /* enough to reach the limits */
    for (rk_u32 round = 0; round < rounds; round++) {
        kept expected[128], got;
        for (rk_u32 i = 0; i < 128; i++) {
            keeping m = any_operation(&dice);
            expected[i] = expected_of(r, &m);
            assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
        }
        for (rk_u32 i = 0; i < 128; i++) {
            receive(c, k, &got);
            assert_as_expected(&got, &expected[i]);
        }
    }
    assert_true(r->refused > 0 && r->evictions > 0 && /* the limits were reached */
                r->counters == KEPT_KEYS && r->watched == KEPT_TOP);
    free(r);
}

static void containers_of_each_actor_are_its_own(contract *c)
{
    rk_launch_options o = roomy_options();
    o.actors = ACTORS;
    o.shards = o.blocks = 3;
    rk_kernel k = launch_active(c, "shelf_actors", "shelf_actors", &o);
    reference *r = calloc(ACTORS, sizeof *r);
    assert_non_null(r);
    rk_u64 dice = 2;
    const rk_u32 rounds = contract_rounds(100) + 10u;
    for (rk_u32 round = 0; round < rounds; round++) {
        kept expected[ACTORS], got;
        for (rk_u32 a = 0; a < ACTORS; a++) {
            rk_send_options to = RK_SEND_DEFAULTS;
            keeping m = any_operation(&dice);
            m.actor = to.target = a;
            expected[a] = expected_of(&r[a], &m);
            assert_ok(rk_send(c->runtime, k, RK_BODY(m), &to));
        }
        for (rk_u32 i = 0; i < ACTORS; i++) {
            receive(c, k, &got);
            assert_in_range(got.actor, 0, ACTORS - 1u);
            assert_as_expected(&got, &expected[got.actor]);
        }
    }
    free(r);
}

static kept shelved(contract *c, rk_kernel k, rk_u32 operation, rk_u64 key, rk_i64 value)
{
    keeping m = { key, value, operation, 0 };
    kept got;
    assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
    receive(c, k, &got);
    return got;
}

static void a_large_cache_lets_go_of_the_least_recently_used(contract *c)
{
    /* given a cache of 1,000 that is full, with key 0 used again */
    rk_launch_options o = roomy_options();
    rk_kernel k = launch_active(c, "large", "large_shelf", &o);
    kept got;
    for (rk_u32 i = 0; i < LARGE_ENTRIES; i++) {
        keeping m = { i, i * 2, KEPT_PUT, 0 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
    }
    for (rk_u32 i = 0; i < LARGE_ENTRIES; i++) {
        receive(c, k, &got);
        assert_int_equal(got.number[1], 0);
    }
    assert_int_equal(shelved(c, k, KEPT_GET, 0, 0).number[1], 1);

    /* when one more key comes, then key 1 goes and is handed over, and all others are there */
    got = shelved(c, k, KEPT_PUT, LARGE_ENTRIES, 7);
    assert_int_equal(got.number[1], 1);
    assert_int_equal(got.key, 1);
    assert_int_equal(got.number[0], 2);
    assert_int_equal(shelved(c, k, KEPT_GET, 1, 0).number[1], 0);
    assert_int_equal(shelved(c, k, KEPT_GET, 0, 0).number[1], 1);
    assert_int_equal(shelved(c, k, KEPT_GET, 2, 0).number[0], 4);
    assert_int_equal(shelved(c, k, KEPT_GET, LARGE_ENTRIES, 0).number[0], 7);
}

static void a_cache_of_a_million_lets_go_of_the_least_recently_used(contract *c)
{
    enum { ALL = 1000000, SOME = 50000 };
    rk_launch_options o = roomy_options();
    rk_kernel k = launch_active(c, "largest", "largest_shelf", &o);
    for (rk_u64 first = 0; first < ALL; first += SOME)
        assert_int_equal(shelved(c, k, KEPT_PUT, first, SOME).number[1], 0);
    assert_int_equal(shelved(c, k, KEPT_GET, 0, 0).number[0], 5);

    /* when three more come, then those go that were used longest ago, and key 0 stays */
    kept got = shelved(c, k, KEPT_PUT, ALL, 3);
    assert_int_equal(got.number[1], 3);
    assert_int_equal(got.key, 3);
    assert_int_equal(shelved(c, k, KEPT_GET, 3, 0).number[0], 0);
    assert_int_equal(shelved(c, k, KEPT_GET, 4, 0).number[0], 9);
    assert_int_equal(shelved(c, k, KEPT_GET, 0, 0).number[0], 5);
    got = shelved(c, k, KEPT_GET, ALL + 2, 0);
    assert_int_equal(got.number[0], ALL + 7);
    assert_int_equal(got.number[2], 4);
}

static void what_is_lent_goes_when_its_time_has_come(contract *c)
{
    rk_launch_options o = roomy_options();
    rk_kernel k = launch_active(c, "shelves", "shelves", &o);
    const rk_i64 short_ns = RK_MILLISECONDS(20), long_ns = RK_SECONDS(3600);
    shelved(c, k, KEPT_LEND, 1, short_ns);
    shelved(c, k, KEPT_LEND, 2, long_ns);
    if (c->variant->single_step) {
        let_pass(c, RK_MILLISECONDS(20) - 1);
        assert_int_equal(shelved(c, k, KEPT_RECALL, 1, 0).number[0], short_ns);
        let_pass(c, 1);
    } else {
        let_pass(c, RK_MILLISECONDS(21));
    }
    kept gone = shelved(c, k, KEPT_RECALL, 1, 0), there = shelved(c, k, KEPT_RECALL, 2, 0);
    assert_int_equal(gone.number[0], 0);
    assert_int_equal(there.number[0], long_ns);
    assert_int_equal(there.number[2], 1); /* a miss, and it was for time */
    assert_int_equal(there.number[3], 1);
}

static void a_relaunch_carries_the_containers_over(contract *c)
{
    rk_launch_options o = roomy_options();
    rk_kernel k = launch_active(c, "shelves", "shelves", &o);
    reference *r = calloc(1, sizeof *r);
    assert_non_null(r);
    rk_u64 dice = 3;
    for (rk_u32 i = 0; i < 300; i++) {
        keeping m = any_operation(&dice);
        kept expected = expected_of(r, &m), got = shelved(c, k, m.operation, m.key, m.value);
        assert_as_expected(&got, &expected);
        if (i == 200) {
            o.queue_capacity = 64;
            assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        }
    }
    free(r);
}

static const contract_case cases[] = {
    { CASE(containers_of_a_shard_do_what_their_references_do), NEEDS_REGIONS },
    { CASE(containers_of_each_actor_are_its_own), NEEDS_REGIONS },
    { CASE(a_large_cache_lets_go_of_the_least_recently_used), NEEDS_REGIONS },
    { CASE(a_cache_of_a_million_lets_go_of_the_least_recently_used), NEEDS_REGIONS },
    { CASE(what_is_lent_goes_when_its_time_has_come), NEEDS_REGIONS },
    { CASE(a_relaunch_carries_the_containers_over), NEEDS_REGIONS },
};

CONTRACT_MAIN("state", cases)
