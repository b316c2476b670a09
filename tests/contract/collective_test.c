/* Scans and sorts inside a handler: exact for every length, with any number of threads. */
#include "lines.h"

#include <stdlib.h>

#include "../kernels/collective.rk.h"

static int ascending(const void *a, const void *b)
{
    rk_u32 x = *(const rk_u32 *)a, y = *(const rk_u32 *)b;
    return (x > y) - (x < y);
}

static void check(contract *c, rk_kernel sums, rk_kernel sorted, rk_u32 n)
{
    /* given n values, when the kernels get them */
    collected given = { .n = n };
    for (rk_u32 i = 0; i < n; i++) given.value[i] = (i + n) * 2654435761u >> 7;
    collection got, in_order;
    assert_ok(rk_send(c->runtime, sums, RK_BODY(given), 0));
    assert_ok(rk_send(c->runtime, sorted, RK_BODY(given), 0));
    receive(c, sums, &got);
    receive(c, sorted, &in_order);

    /* then the scans and the sort are those of a plain loop */
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
    assert_memory_equal(in_order.sorted, given.value, n * sizeof *given.value);
}

static void collectives_are_exact_for_every_length_and_block_size(contract *c)
{
    static const rk_u32 threads[] = { 1, 31, 32, 33, 256 };
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        rk_launch_options o = roomy();
        o.threads = threads[t];
        o.kernel_name = "collect_sums";
        rk_kernel sums = launch_active(c, "sums", "", &o);
        o.kernel_name = "collect_sorted";
        rk_kernel sorted = launch_active(c, "sorted", "", &o);
        for (rk_u32 n = 0; n <= COLLECTED; n++) check(c, sums, sorted, n);
        assert_ok(rk_terminate(c->runtime, sums, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, sorted, CONTRACT_PATIENCE));
    }
}

static const contract_case cases[] = {
    { CASE(collectives_are_exact_for_every_length_and_block_size), NEEDS_REGIONS },
};

CONTRACT_MAIN("collective", cases)
