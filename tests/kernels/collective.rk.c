/* The kernels of the cases on collectives: one sums up what a message brings, before each and with it, one sorts it. */
#include <ringkernel/kernel.h>

#include <ringkernel/collective/scan.h>
#include <ringkernel/collective/sort.h>

#include "collective.rk.h"

RK_FN rk_u32 hash_of(RK_LOCAL const rk_u32 *v, rk_u32 n)
{
    rk_u32 hash = n;
    for (rk_u32 i = 0; i < n; i++) hash = hash * 31u + v[i];
    return hash;
}

RK_HANDLER(collect_sums, collected, msg, rk_none, self, .width = RK_BLOCK, .threads = 64,
           .shared = COLLECTED * 8u)
{
    RK_SHARED(rk_u32, sum, COLLECTED);
    RK_SHARED(rk_u32, before, COLLECTED);
    rk_u32 n = msg->n < COLLECTED ? msg->n : COLLECTED;
    RK_PARALLEL(i, n) sum[i] = before[i] = msg->value[i];
    rk_scan_u32_inclusive(RK_ARG, sum, n);
    rk_u32 total = rk_scan_u32_exclusive(RK_ARG, before, n);
    RK_ONCE {
        collection c = { total, hash_of(sum, n), hash_of(before, n), { 0 } };
        rk_send(RK_ARG, &c);
    }
}

RK_HANDLER(collect_sorted, collected, msg, rk_none, self, .width = RK_BLOCK, .threads = 64,
           .shared = COLLECTED * 4u)
{
    RK_SHARED(rk_u32, sorted, COLLECTED);
    rk_u32 n = msg->n < COLLECTED ? msg->n : COLLECTED;
    RK_PARALLEL(i, n) sorted[i] = msg->value[i];
    rk_sort_u32(RK_ARG, sorted, n);
    RK_ONCE {
        collection c = { 0, 0, 0, { 0 } };
        for (rk_u32 i = 0; i < n; i++) c.sorted[i] = sorted[i];
        rk_send(RK_ARG, &c);
    }
}
