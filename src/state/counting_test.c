/* Counters by key, the keys that occur most, and quantiles of a histogram: each against a count of
 * everything. */
#include "state_fixture_test.h"

#include <ringkernel/state/counters.h>
#include <ringkernel/state/histogram.h>
#include <ringkernel/state/top.h>

/* ------------------------------------------------------------------ counters */

#define KEYS 30u
#define UNIVERSE 40u
RK_COUNTERS(visits, KEYS)

static void counters_and_rest_are_the_total(void **state)
{
    (void)state;
    visits counters = { .total = 0 };
    rk_u64 counted[UNIVERSE] = { 0 }, rest = 0, total = 0;
    rk_u32 has[UNIVERSE] = { 0 }, count = 0;
    dice d = { 1 };
    for (rk_u32 n = 0; n < 10000; n++) {
        rk_u32 key = draw_below(&d, UNIVERSE), by = draw_below(&d, 5);
        if (draw_below(&d, 20) == 0) {
            assert_int_equal(visits_drop(&counters, key), counted[key]);
            total -= counted[key];
            count -= has[key];
            has[key] = 0;
            counted[key] = 0;
            continue;
        }
        rk_u32 refused = !has[key] && count == KEYS;
        assert_int_equal(visits_count(&counters, key, by), refused ? RK_FULL : RK_OK);
        total += by;
        if (refused) {
            rest += by;
        } else {
            count += !has[key];
            has[key] = 1;
            counted[key] += by;
        }
        assert_int_equal(visits_of(&counters, key), counted[key]);
        assert_int_equal(counters.total, total);
        assert_int_equal(counters.rest, rest);
    }
    assert_true(rest > 0);
    rk_u64 sum = counters.rest;
    for (rk_u32 s = visits_by_key_next(&counters.by_key, 0); s != RK_MAP_END;
         s = visits_by_key_next(&counters.by_key, s + 1u))
        sum += counters.by_key.value[s];
    assert_int_equal(sum, counters.total);
}

/* ------------------------------------------------------------------ top */

#define WATCHED 20u
#define PAGES 1000u
RK_TOP(busiest, WATCHED)
RK_TOP(sole, 1)

/* What the paper promises, and that the heap is one. */
static void check_bounds(busiest *top, const rk_u64 *occurred, rk_u64 total)
{
    rk_u64 sum = 0;
    assert_int_equal(top->total, total);
    for (rk_u32 e = 1; e <= top->index.count; e++) {
        const rk_top_entry *entry = &top->entry[e];
        assert_true(entry->count >= occurred[entry->key]);
        assert_true(entry->count - entry->error <= occurred[entry->key]);
        assert_int_equal(busiest_find(top, entry->key), e);
        assert_int_equal(top->heap[entry->place], e);
        if (entry->place > 1u) assert_true(top->entry[top->heap[entry->place / 2u]].count <= entry->count);
        sum += entry->count;
    }
    assert_int_equal(sum, total);
    assert_true(busiest_floor(top) * WATCHED <= total);
    for (rk_u32 k = 0; k < PAGES; k++) {
        if (busiest_find(top, k)) continue;
        assert_true(occurred[k] <= busiest_floor(top));
        assert_true(occurred[k] * WATCHED <= total);
    }
}

static void the_bounds_hold_for_any_stream(void **state)
{
    (void)state;
    for (rk_u64 seed = 1; seed <= 6; seed++) {
        busiest *top = fresh(sizeof *top);
        rk_u64 occurred[PAGES] = { 0 }, total = 0;
        dice d = { seed << 32 };
        for (rk_u32 n = 0; n < 20000; n++) {
            /* skewed, even, or with most of it in bursts */
            rk_u32 range = seed % 3u == 0 ? PAGES : 1u + draw_below(&d, PAGES);
            rk_u32 key =
                seed % 3u == 1 ? n / 50u % PAGES : draw_below(&d, seed % 2u ? range : 1u + range / 10u);
            rk_u32 by = seed > 3 ? draw_below(&d, 10) : 1u;
            busiest_count(top, key, by);
            occurred[key] += by;
            total += by;
            if (n % 97u == 0) check_bounds(top, occurred, total);
        }
        check_bounds(top, occurred, total);
        free(top);
    }
}

static void a_stream_of_few_keys_is_counted_exactly_and_ranked(void **state)
{
    (void)state;
    busiest *top = fresh(sizeof *top);
    assert_int_equal(busiest_next(top, 0), 0);
    for (rk_u32 k = 0; k < WATCHED; k++) busiest_count(top, k, k * 7u % WATCHED + 1u);
    busiest_count(top, 3, 100);
    rk_u32 e = busiest_next(top, 0), ranked = 1;
    assert_int_equal(top->entry[e].key, 3);
    assert_int_equal(top->entry[e].count, 3u * 7u % WATCHED + 101u);
    for (rk_u32 next; (next = busiest_next(top, e)) != 0; e = next, ranked++) {
        assert_true(top->entry[next].count <= top->entry[e].count);
        assert_int_equal(top->entry[next].error, 0);
    }
    assert_int_equal(ranked, WATCHED);
    free(top);
}

static void entries_of_one_count_rank_in_their_order_and_none_twice(void **state)
{
    (void)state;
    busiest top = { .total = 0 };
    for (rk_u32 k = 0; k < 5; k++) busiest_count(&top, 100 + k, 2);
    rk_u32 e = 0;
    for (rk_u32 k = 0; k < 5; k++) {
        e = busiest_next(&top, e);
        assert_int_equal(top.entry[e].key, 100 + k);
    }
    assert_int_equal(busiest_next(&top, e), 0);
}

static void a_key_over_its_share_is_found_among_many(void **state)
{
    (void)state;
    busiest *top = fresh(sizeof *top);
    for (rk_u32 n = 0; n < 10000; n++)
        busiest_count(top, n % 10u == 0 ? 999999u : n, 1); /* 10 %, the rest once */
    rk_u32 e = busiest_next(top, 0);
    assert_int_equal(top->entry[e].key, 999999);
    assert_in_range(top->entry[e].count, 1000, 1000 + 10000 / WATCHED);
    free(top);
}

static void one_entry_passes_from_key_to_key(void **state)
{
    (void)state;
    sole top = { .total = 0 };
    sole_count(&top, 1, 5);
    sole_count(&top, 2, 1);
    rk_u32 e = sole_next(&top, 0);
    assert_int_equal(top.entry[e].key, 2);
    assert_int_equal(top.entry[e].count, 6);
    assert_int_equal(top.entry[e].error, 5);
    assert_int_equal(sole_find(&top, 1), 0);
    assert_int_equal(sole_floor(&top), 6);
}

/* ------------------------------------------------------------------ histogram */

static int by_value(const void *a, const void *b)
{
    rk_u64 x = *(const rk_u64 *)a, y = *(const rk_u64 *)b;
    return (x > y) - (x < y);
}

static void quantiles_are_those_of_the_sorted_values_within_a_sixteenth(void **state)
{
    (void)state;
    enum { N = 5000 };
    static const rk_u32 parts[][2] = { { 0, 1 },    { 1, 2 },      { 1, 3 },         { 9, 10 },
                                       { 99, 100 }, { 999, 1000 }, { 65535, 65536 }, { 1, 1 } };
    for (rk_u32 shape = 1; shape <= 4; shape++) {
        rk_histogram *h = fresh(sizeof *h);
        rk_u64 *sorted = fresh(N * sizeof *sorted), sum = 0;
        dice d = { shape };
        for (rk_u32 i = 0; i < N; i++) {
            sorted[i] = draw(&d) >> (64u - 10u * shape);
            sum += sorted[i];
            rk_histogram_add(h, sorted[i], 1);
        }
        qsort(sorted, N, sizeof *sorted, by_value);
        for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
            rk_u64 rank = ((rk_u64)N * parts[p][0] + parts[p][1] - 1u) / parts[p][1];
            rk_u64 exact = sorted[rank ? rank - 1u : 0];
            rk_u64 said = rk_histogram_quantile(h, parts[p][0], parts[p][1]);
            rk_u64 off = said > exact ? said - exact : exact - said;
            assert_true(off * 16u <= exact);
            if (exact < 16u) assert_int_equal(off, 0);
        }
        assert_int_equal(rk_histogram_mean(h), sum / N);
        free(sorted);
        free(h);
    }
}

static void a_quantile_is_not_exceeded_by_at_least_its_part(void **state)
{
    (void)state;
    rk_histogram *h = fresh(sizeof *h);
    for (rk_u64 value = 1; value <= 3; value++) rk_histogram_add(h, value, 1);
    assert_int_equal(rk_histogram_quantile(h, 1, 3), 1);
    assert_int_equal(rk_histogram_quantile(h, 1, 2), 2); /* half of three are two */
    assert_int_equal(rk_histogram_quantile(h, 2, 3), 2);
    assert_int_equal(rk_histogram_quantile(h, 67, 100), 3);
    free(h);
}

static void a_histogram_of_nothing_has_zeros(void **state)
{
    (void)state;
    rk_histogram *h = fresh(sizeof *h);
    assert_int_equal(rk_histogram_quantile(h, 1, 2), 0);
    assert_int_equal(rk_histogram_mean(h), 0);

    /* and one value is every quantile, exactly */
    rk_histogram_add(h, 1000003, 7);
    assert_int_equal(rk_histogram_quantile(h, 0, 1), 1000003);
    assert_int_equal(rk_histogram_quantile(h, 1, 2), 1000003);
    assert_int_equal(rk_histogram_quantile(h, 1, 1), 1000003);
    free(h);
}

static void a_value_beyond_the_buckets_counts_as_what_it_is(void **state)
{
    (void)state;
    rk_histogram *h = fresh(sizeof *h);
    const rk_u64 huge = 1ull << 50;
    rk_histogram_add(h, huge, 2);
    rk_histogram_add(h, huge + 5, 1);
    assert_int_equal(h->bucket[RK_HISTOGRAM_BUCKETS - 1u], 3);
    assert_int_equal(rk_histogram_mean(h), huge + 1);
    assert_int_equal(h->min_ns, huge);
    assert_int_equal(h->max_ns, huge + 5);
    assert_int_equal(rk_histogram_quantile(h, 1, 2), huge); /* its bucket's middle is below the least */
    free(h);
}

static void no_quantile_is_below_the_least_or_above_the_greatest(void **state)
{
    (void)state;
    for (rk_u64 value = 1; value < 1u << 20; value = value * 2u + 1u) { /* the last ones of their buckets */
        rk_histogram *h = fresh(sizeof *h);
        rk_histogram_add(h, value, 1);
        rk_histogram_add(h, value + 1u, 1); /* and the first of the next */
        assert_int_equal(rk_histogram_quantile(h, 0, 1), value);
        assert_int_equal(rk_histogram_quantile(h, 1, 1), value + 1u);
        free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_and_rest_are_the_total),
        cmocka_unit_test(the_bounds_hold_for_any_stream),
        cmocka_unit_test(a_stream_of_few_keys_is_counted_exactly_and_ranked),
        cmocka_unit_test(entries_of_one_count_rank_in_their_order_and_none_twice),
        cmocka_unit_test(a_key_over_its_share_is_found_among_many),
        cmocka_unit_test(one_entry_passes_from_key_to_key),
        cmocka_unit_test(quantiles_are_those_of_the_sorted_values_within_a_sixteenth),
        cmocka_unit_test(a_quantile_is_not_exceeded_by_at_least_its_part),
        cmocka_unit_test(a_histogram_of_nothing_has_zeros),
        cmocka_unit_test(a_value_beyond_the_buckets_counts_as_what_it_is),
        cmocka_unit_test(no_quantile_is_below_the_least_or_above_the_greatest),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
