/* Scans and sorts against plain references, for every length up to a bound and around powers of two beyond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <ringkernel/collective/scan.h>
#include <ringkernel/collective/sort.h>

enum { MOST = 5000 };
static rk_u32 given[MOST], v[MOST];
static rk_context context = { .threads = 1 };

static rk_u32 next_length(rk_u32 n)
{
    static const rk_u32 beyond[] = { 511,  512,  513,  1023, 1024, 1025, 2303,
                                     2304, 2305, 2306, 4095, 4096, 4999, MOST };
    if (n < 300) return n + 1;
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        if (beyond[i] > n) return beyond[i];
    return MOST + 1;
}

static void fill(rk_u32 n, rk_u32 mask)
{
    for (rk_u32 i = 0; i < n; i++) given[i] = v[i] = ((i + n) * 2654435761u >> 7) & mask;
}

static void scans_are_exact_for_every_length(void **state)
{
    (void)state;
    for (rk_u32 n = 0; n <= MOST; n = next_length(n)) {
        fill(n, ~0u);
        rk_u32 total = rk_scan_u32_inclusive(&context, v, n), sum = 0;
        for (rk_u32 i = 0; i < n; i++) assert_int_equal(v[i], sum += given[i]);
        assert_int_equal(total, sum);
        fill(n, ~0u);
        total = rk_scan_u32_exclusive(&context, v, n);
        sum = 0;
        for (rk_u32 i = 0; i < n; i++) {
            assert_int_equal(v[i], sum);
            sum += given[i];
        }
        assert_int_equal(total, sum);
    }
}

static int ascending(const void *a, const void *b)
{
    rk_u32 x = *(const rk_u32 *)a, y = *(const rk_u32 *)b;
    return (x > y) - (x < y);
}

static void sorts_are_exact_for_every_length(void **state)
{
    (void)state;
    for (rk_u32 n = 0; n <= MOST; n = next_length(n))
        for (rk_u32 few = 0; few < 2; few++) {
            fill(n, few ? 7u : ~0u);
            rk_sort_u32(&context, v, n);
            qsort(given, n, sizeof *given, ascending);
            for (rk_u32 i = 0; i < n; i++) assert_int_equal(v[i], given[i]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(scans_are_exact_for_every_length),
                                        cmocka_unit_test(sorts_are_exact_for_every_length) };
    return cmocka_run_group_tests(tests, 0, 0);
}
