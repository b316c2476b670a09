/* Scans and sorts inside a handler: exact for every length, with any number of threads. */
#include "lines.h"

#include <stdlib.h>

#include "../kernels/collective.rk.h"

static int ascending(const void *a, const void *b)
{
    rk_u32 x = *(const rk_u32 *)a, y = *(const rk_u32 *)b;
    return (x > y) - (x < y);
}

static void check(contract *c, rk_kernel kernel, rk_u32 n)
{
    /* given n values, when the kernel gets them */
    collected given = { .n = n };
    for (rk_u32 i = 0; i < n; i++) given.value[i] = (i + n) * 2654435761u >> 7;
    assert_ok(rk_send(c->runtime, kernel, RK_BODY(given), 0));
    collection got;
    receive(c, kernel, &got);

    /* then its scans and its sort are those of a plain loop */
    rk_u32 total = 0, sum_hash = n, before_hash = n;
    for (rk_u32 i = 0; i < n; i++) {
        before_hash = before_hash * 31u + total;
        total += given.value[i];
        sum_hash = sum_hash * 31u + total;
    }
    assert_int_equal(got.total, total);
    assert_int_equal(got.sum_hash, sum_hash);
    assert_int_equal(got.before_hash, before_hash);
    qsort(given.value, n, sizeof *given.value, ascending);
    assert_memory_equal(got.sorted, given.value, n * sizeof *given.value);
}

static void collectives_are_exact_for_every_length_and_block_size(contract *c)
{
    static const rk_u32 threads[] = { 1, 31, 32, 33, 256 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        rk_launch_options o = roomy();
        o.kernel_name = "collect";
        o.threads = threads[t];
        rk_kernel kernel = launch_active(c, "collect", "", &o);
        for (rk_u32 n = 0; n <= COLLECTED; n++) check(c, kernel, n);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static const contract_case cases[] = {
    { CASE(collectives_are_exact_for_every_length_and_block_size), NEEDS_REGIONS },
};

CONTRACT_MAIN("collective", cases)
