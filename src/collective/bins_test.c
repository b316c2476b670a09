/* Histograms of a group against plain counts, and against a histogram that is added to value by value. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ringkernel/collective/bins.h>

enum { MOST = 3000 };
static rk_context context = { .threads = 1 };
static rk_u32 given[MOST];

/* Values of all sizes. */
static rk_u32 value_of(rk_u32 i, rk_u32 seed)
{
    rk_u32 x = (i + seed) * 2654435761u;
    return x >> (x & 31u);
}

static void bins_count_and_the_last_takes_what_is_beyond(void **state)
{
    (void)state;
    for (rk_u32 bins = 1; bins < 40; bins += 3) {
        rk_u64 total[40] = { 0 }, expected[40] = { 0 };
        rk_u32 bin[40];
        total[0] = expected[0] = 1ull << 40; /* the state counts beyond 32 bits */
        for (rk_u32 round = 0; round < 3; round++) {
            memset(bin, 0xff, sizeof bin);
            rk_bins_clear(&context, bin, bins);
            for (rk_u32 i = 0; i < 500; i++) {
                const rk_u32 which = value_of(i, round) % 50u;
                rk_bins_count(bin, bins, which);
                expected[which < bins ? which : bins - 1u]++;
            }
            rk_bins_merge(&context, total, bin, bins);
            assert_memory_equal(total, expected, sizeof total);
        }
    }
}

static void a_groups_histogram_is_that_of_its_values(void **state)
{
    (void)state;
    static rk_bins_spread scratch;
    static rk_histogram together, one_by_one;
    for (rk_u32 n = 0; n <= MOST; n += n < 20 ? 1 : 331) {
        for (rk_u32 i = 0; i < n; i++) {
            given[i] = value_of(i, n) | (n > 1000);
            rk_histogram_add(&one_by_one, given[i], 1);
        }
        memset(&scratch, 0xff, sizeof scratch);
        rk_bins_add_all(&context, &together, &scratch, given, n);
        assert_memory_equal(&together, &one_by_one, sizeof together);
    }
    assert_true(together.count > 1000 && together.max_ns > 1u << 31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_count_and_the_last_takes_what_is_beyond),
        cmocka_unit_test(a_groups_histogram_is_that_of_its_values),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
