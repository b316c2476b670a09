/* Histograms: where each value counts, how far a reported value can be off, and what a reader sees
 * meanwhile. */
#include "lane_fixture_test.h"

#include <pthread.h>
#include <sched.h>

/* The value that at least `part` of what was counted doesn't exceed, as a reader computes it. */
static rk_u64 quantile(const rk_histogram *h, double part)
{
    rk_u64 rank = (rk_u64)(part * (double)h->count);
    rk_u64 seen = 0;
    for (rk_u32 b = 0; b < RK_HISTOGRAM_BUCKETS; b++)
        if ((seen += h->bucket[b]) > rank) return rk_histogram_value(b);
    return h->max_ns;
}

/* Every value up to 2^16, and around each power of two and each eighth between: what is counted. */
static void for_each_value(void (*look)(rk_u64 ns))
{
    for (rk_u64 ns = 0; ns < 65536u; ns++) look(ns);
    for (rk_u32 octave = 4; octave < 43u; octave++)
        for (rk_u64 eighth = 8; eighth < 16u; eighth++)
            for (rk_u64 off = 0; off < 3u; off++) look((eighth << octave >> 3) - 1u + off);
}

static void error_is_a_sixteenth_at_most(rk_u64 ns)
{
    rk_u64 value = rk_histogram_value(rk_histogram_bucket(ns));
    rk_u64 error = value > ns ? value - ns : ns - value;
    assert_true(error * 16u <= ns);
}

static void a_reported_value_is_off_by_a_sixteenth_at_most(void **state)
{
    (void)state;
    for_each_value(error_is_a_sixteenth_at_most);
}

static rk_u64 last_ns;

static void bucket_is_not_before_the_last(rk_u64 ns)
{
    if (ns >= last_ns) {
        rk_u32 step = rk_histogram_bucket(ns) - rk_histogram_bucket(last_ns);
        assert_true(step <= 1u || ns > last_ns + 1u);
    }
    last_ns = ns;
}

static void buckets_rise_with_the_value_and_leave_none_out(void **state)
{
    (void)state;
    last_ns = 0;
    for_each_value(bucket_is_not_before_the_last);
    for (rk_u32 b = 0; b < RK_HISTOGRAM_BUCKETS; b++)
        assert_int_equal(rk_histogram_bucket(rk_histogram_value(b)), b);
    for (rk_u32 b = 1; b < RK_HISTOGRAM_BUCKETS; b++)
        assert_true(rk_histogram_value(b) > rk_histogram_value(b - 1u));
}

static void what_is_too_long_counts_in_the_last_bucket(void **state)
{
    (void)state;
    assert_int_equal(rk_histogram_bucket(1ull << 43), RK_HISTOGRAM_BUCKETS - 1u);
    assert_int_equal(rk_histogram_bucket(~0ull), RK_HISTOGRAM_BUCKETS - 1u);
    assert_true(rk_histogram_bucket((1ull << 42) - 1u) < RK_HISTOGRAM_BUCKETS - 1u);
}

static void three_values_are_counted_summed_and_ordered(void **state)
{
    (void)state;
    rk_histogram h = { 0 };
    rk_histogram_add(&h, 2000, 1);
    rk_histogram_add(&h, 3000, 1);
    rk_histogram_add(&h, 1000, 1);
    assert_int_equal(h.count, 3);
    assert_int_equal(h.sum_ns / h.count, 2000);
    assert_int_equal(h.min_ns, 1000);
    assert_int_equal(h.max_ns, 3000);
    assert_in_range(quantile(&h, 0.5), 2000 - 125, 2000 + 125);
    assert_in_range(quantile(&h, 0.99), 3000 - 188, 3000 + 188);
}

static void one_of_many_counts_as_many(void **state)
{
    (void)state;
    rk_histogram many = { 0 };
    rk_histogram one = { 0 };
    rk_histogram_add(&many, 777, 1000);
    for (rk_u32 i = 0; i < 1000u; i++) rk_histogram_add(&one, 777, 1);
    assert_memory_equal(&many, &one, sizeof one);
}

static void zero_is_a_value(void **state)
{
    (void)state;
    rk_histogram h = { 0 };
    rk_histogram_add(&h, 5, 1);
    rk_histogram_add(&h, 0, 1);
    assert_int_equal(h.min_ns, 0);
    assert_int_equal(h.max_ns, 5);
    assert_int_equal(h.bucket[0], 1);
}

static void quantiles_of_any_distribution_keep_the_bound(void **state)
{
    (void)state;
    enum { N = 4096 };
    for (rk_u32 shape = 0; shape < 4u; shape++) {
        rk_histogram h = { 0 };
        static rk_u64 sorted[N];
        for (rk_u32 i = 0; i < N; i++) {
            rk_u64 random = rk_hash64(i + 1u + shape * N);
            sorted[i] = shape == 0   ? random % 100u
                        : shape == 1 ? random % 1000000u
                        : shape == 2 ? 1000u + random % 7u
                                     : random >> (24u + random % 40u);
            rk_histogram_add(&h, sorted[i], 1);
        }
        for (rk_u32 i = 1; i < N; i++)
            for (rk_u32 j = i; j && sorted[j] < sorted[j - 1u]; j--) {
                rk_u64 swap = sorted[j];
                sorted[j] = sorted[j - 1u];
                sorted[j - 1u] = swap;
            }
        for (rk_u32 rank = 0; rank < N; rank += 37u) {
            rk_u64 value = quantile(&h, (double)rank / N);
            rk_u64 error = value > sorted[rank] ? value - sorted[rank] : sorted[rank] - value;
            assert_true(error * 16u <= sorted[rank]);
        }
    }
}

/* ------------------------------------------------------------------ a reader beside the writer */

static rk_histogram shared;
static rk_u32 stop;

static void *write_histogram(void *unused)
{
    (void)unused;
    for (rk_u32 i = 0; !rk_load_u32(&stop, RK_RELAXED, RK_SCOPE_SYSTEM); i++) {
        rk_histogram_add(&shared, rk_hash64(i) % 5000u, 1);
        if (i % 256u == 0) sched_yield();
    }
    return 0;
}

/* H1: whoever reads the count first finds at least as many in the buckets. */
static void a_reader_finds_what_was_counted(void **state)
{
    (void)state;
    pthread_t writer;
    rk_u32 wrong = 0;
    rk_u64 count = 0;
    assert_int_equal(pthread_create(&writer, 0, write_histogram, 0), 0);
    for (rk_u32 looks = 0; looks < rounds(100000) || count == 0; looks++) {
        rk_u64 in_buckets = 0;
        count = rk_load_u64(&shared.count, RK_ACQUIRE, RK_SCOPE_SYSTEM);
        for (rk_u32 b = 0; b <= rk_histogram_bucket(5000); b++)
            in_buckets += rk_load_u64(&shared.bucket[b], RK_RELAXED, RK_SCOPE_SYSTEM);
        wrong += in_buckets < count;
        if (looks % 64u == 0) sched_yield();
    }
    rk_store_u32(&stop, 1, RK_RELAXED, RK_SCOPE_SYSTEM);
    pthread_join(writer, 0);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reported_value_is_off_by_a_sixteenth_at_most),
        cmocka_unit_test(buckets_rise_with_the_value_and_leave_none_out),
        cmocka_unit_test(what_is_too_long_counts_in_the_last_bucket),
        cmocka_unit_test(three_values_are_counted_summed_and_ordered),
        cmocka_unit_test(one_of_many_counts_as_many),
        cmocka_unit_test(zero_is_a_value),
        cmocka_unit_test(quantiles_of_any_distribution_keep_the_bound),
        cmocka_unit_test(a_reader_finds_what_was_counted),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
