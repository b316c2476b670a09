/* Histograms inside a kernel's state: how values are spread, in a fixed size.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/histogram.h>
 *
 *     typedef struct desk { rk_histogram size; … } desk;
 *
 *     rk_histogram_add(&self->size, msg->bytes, 1);          // one value; n of the same: n, 1 or more
 *     rk_u64 median = rk_histogram_quantile(&self->size, 1, 2);
 *     rk_u64 p99 = rk_histogram_quantile(&self->size, 99, 100);
 *
 * It is the histogram that the runtime keeps of times (device/histogram.h): 2.6 KiB, of values of any unit
 * from 0 to 2^42; what is larger counts in the last bucket, and as what it is in sum, least and greatest.
 * Zeros are a histogram of nothing. Quantiles are off by at most 1/16 of their value, up to 15 not at all.
 * Adding takes constant time, a quantile the 328 buckets. One thread of the group adds at a time; a host that
 * reads the state sees a whole histogram. */
#ifndef RINGKERNEL_STATE_HISTOGRAM_H
#define RINGKERNEL_STATE_HISTOGRAM_H

#include "../device/histogram.h"

/* The value of that rank, the least being 1; a rank over the count is the greatest. 0 if nothing was added.
 * */
RK_FN rk_u64 rk_histogram_of_rank(RK_GLOBAL const rk_histogram *h, rk_u64 rank)
{
    rk_u64 seen = 0;
    if (rank == 0) rank = 1;
    if (h->count == 0) return 0;
    for (rk_u32 i = 0; i < RK_HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= rank) {
            rk_u64 value = rk_histogram_value(i);
            return value < h->min_ns ? h->min_ns : value > h->max_ns ? h->max_ns : value;
        }
    }
    return h->max_ns;
}

/* The value that at least `part` of `parts` of what was added doesn't exceed: 1 of 2 is the median, 99 of 100
 * the 99th percentile. part <= parts; parts from 1 to 65,536. */
RK_FN rk_u64 rk_histogram_quantile(RK_GLOBAL const rk_histogram *h, rk_u32 part, rk_u32 parts)
{
    rk_u64 whole = h->count / parts * part, remainder = h->count % parts * part;
    return rk_histogram_of_rank(h, whole + (remainder + parts - 1u) / parts);
}

/* Towards zero; 0 if nothing was added. The sum is modulo 2^64. */
RK_FN rk_u64 rk_histogram_mean(RK_GLOBAL const rk_histogram *h)
{
    return h->count ? h->sum_ns / h->count : 0;
}

#endif
