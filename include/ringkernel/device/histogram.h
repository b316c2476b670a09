/* Histograms of nanoseconds with one writer and any number of readers.
 *
 * Log-linear buckets (as in HdrHistogram): eight to an octave, so a quantile is off by at most 1/16 of its
 * value when the middle of its bucket is reported. Counters are written with plain atomic stores, so a reader
 * never stops the writer. */
#ifndef RINGKERNEL_DEVICE_HISTOGRAM_H
#define RINGKERNEL_DEVICE_HISTOGRAM_H

#include "port.h"

#define RK_HISTOGRAM_SUB 8u
#define RK_HISTOGRAM_OCTAVES 40u /* up to 2^42 ns, over an hour; what is longer counts in the last bucket */
#define RK_HISTOGRAM_BUCKETS (RK_HISTOGRAM_SUB * (RK_HISTOGRAM_OCTAVES + 1u))

typedef struct rk_histogram {
    rk_u64 count;
    rk_u64 sum_ns;
    rk_u64 min_ns; /* meaningful when count is not 0 */
    rk_u64 max_ns;
    rk_u64 bucket[RK_HISTOGRAM_BUCKETS];
} rk_histogram;
RK_STATIC_ASSERT(sizeof(rk_histogram) == 32 + 8 * RK_HISTOGRAM_BUCKETS &&
                     RK_OFFSET_OF(rk_histogram, bucket) == 32,
                 "histogram");

RK_FN rk_u32 rk_log2_u64(rk_u64 x)
{
#if defined(RK_LANG_HOST)
    return 63u - (rk_u32)__builtin_clzll(x);
#elif defined(RK_LANG_CUDA)
    return 63u - (rk_u32)__clzll((long long)x);
#else
    return 63u - (rk_u32)RK_PORT_CLZ(x);
#endif
}

RK_FN rk_u32 rk_histogram_bucket(rk_u64 ns)
{
    if (ns < RK_HISTOGRAM_SUB) return (rk_u32)ns;
    rk_u32 octave = rk_log2_u64(ns) - 3u;
    rk_u32 bucket = RK_HISTOGRAM_SUB * (octave + 1u) + (rk_u32)((ns >> octave) & (RK_HISTOGRAM_SUB - 1u));
    return bucket < RK_HISTOGRAM_BUCKETS ? bucket : RK_HISTOGRAM_BUCKETS - 1u;
}

/* The middle of a bucket. */
RK_FN rk_u64 rk_histogram_value(rk_u32 bucket)
{
    if (bucket < RK_HISTOGRAM_SUB) return bucket;
    rk_u32 octave = bucket / RK_HISTOGRAM_SUB - 1u;
    rk_u64 low = ((rk_u64)(RK_HISTOGRAM_SUB + bucket % RK_HISTOGRAM_SUB)) << octave;
    return low + ((1ul << octave) >> 1);
}

/* Count `times` messages of `ns` each. One writer. */
RK_FN void rk_histogram_add(RK_GLOBAL rk_histogram *h, rk_u64 ns, rk_u64 times)
{
    RK_GLOBAL rk_u64 *bucket = &h->bucket[rk_histogram_bucket(ns)];
    if (h->count == 0 || ns < h->min_ns) rk_store_u64(&h->min_ns, ns, RK_RELAXED, RK_SCOPE_SYSTEM);
    if (ns > h->max_ns) rk_store_u64(&h->max_ns, ns, RK_RELAXED, RK_SCOPE_SYSTEM);
    rk_store_u64(bucket, *bucket + times, RK_RELAXED, RK_SCOPE_SYSTEM);
    rk_store_u64(&h->sum_ns, h->sum_ns + ns * times, RK_RELAXED, RK_SCOPE_SYSTEM);
#if defined(RK_LANG_CUDA) /* who reads copies it whole, in no order; a release would wait for the bus */
    rk_store_u64(&h->count, h->count + times, RK_RELAXED, RK_SCOPE_SYSTEM);
#else
    rk_store_u64(&h->count, h->count + times, RK_RELEASE,
                 RK_SCOPE_SYSTEM); /* H1: a reader that loads count first sees the rest */
#endif
}

#endif
