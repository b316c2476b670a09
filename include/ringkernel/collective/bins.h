/* Histograms of a group: counted in shared memory by all threads, then added to the state.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/collective/bins.h>
 *
 *     RK_SHARED(rk_u32, bin, 64);
 *     rk_bins_clear(RK_ARG, bin, 64);
 *     RK_PARALLEL(i, n) rk_bins_count(bin, 64, msg->value[i] / 16u);  // 64 or more counts in the last
 *     rk_bins_merge(RK_ARG, self->seen, bin, 64);                      // rk_u64 seen[64]: seen[b] += bin[b]
 *
 *     RK_SHARED(rk_bins_spread, scratch, 1);                           // 7.3 KiB of .shared
 *     rk_bins_add_all(RK_ARG, &self->spread, scratch, msg->value, n);  // an rk_histogram, of n rk_u32
 *
 * rk_bins_add_all does what rk_histogram_add (state/histogram.h) does for each value, with the same result,
 * but all threads of the group count at once. Both merges are for a state that is the group's own while it
 * handles a message, as that of a shard or an actor is. All threads of the group call these, with the same
 * arguments; rk_bins_count is each thread's own.
 *
 * Counting in shared memory keeps the atomic additions where they cost least, and they are 32 bits wide,
 * which every device has; the state is touched once for each bin, without atomics (C. Nugteren et al.,
 * "High performance predictable histogramming on GPUs", GPGPU-4, 2011, compares the ways). */
#ifndef RINGKERNEL_COLLECTIVE_BINS_H
#define RINGKERNEL_COLLECTIVE_BINS_H

#include "../device/group.h"
#include "../device/histogram.h"

RK_FN void rk_bins_clear(RK_CTX, RK_LOCAL rk_u32 *bin, rk_u32 bins)
{
    (void)rk_ctx;
    RK_PARALLEL(b, bins) bin[b] = 0;
}

RK_FN void rk_bins_count(RK_LOCAL rk_u32 *bin, rk_u32 bins, rk_u32 which)
{
    rk_count_local(&bin[which < bins ? which : bins - 1u], 1u);
}

RK_FN void rk_bins_merge(RK_CTX, RK_GLOBAL rk_u64 *total, RK_LOCAL const rk_u32 *bin, rk_u32 bins)
{
    (void)rk_ctx;
    RK_PARALLEL(b, bins) total[b] += bin[b];
}

/* So many threads look for sum, least and greatest. The CPU, which is one, reads memory in few strides. */
#define RK_BINS_PARTS 256u
#if defined(RK_BINS_AS_DEVICE) /* by tests */
#define RK_BINS_SPLIT RK_BINS_PARTS
#elif defined(RK_LANG_HOST)
#define RK_BINS_SPLIT 4u
#else
#define RK_BINS_SPLIT RK_BINS_PARTS
#endif

typedef struct rk_bins_spread {
    rk_u32 bin[RK_HISTOGRAM_BUCKETS];
    rk_u64 sum[RK_BINS_PARTS];
    rk_u32 least[RK_BINS_PARTS], greatest[RK_BINS_PARTS];
} rk_bins_spread;

/* What the parts found, by halves, into the first. */
RK_FN void rk_bins_gather(RK_CTX, RK_LOCAL rk_bins_spread *s, rk_u32 parts)
{
    (void)rk_ctx;
    while (parts > 1u) {
        const rk_u32 kept = (parts + 1u) / 2u;
        RK_PARALLEL(p, parts - kept) {
            s->sum[p] += s->sum[p + kept];
            if (s->least[p + kept] < s->least[p]) s->least[p] = s->least[p + kept];
            if (s->greatest[p + kept] > s->greatest[p]) s->greatest[p] = s->greatest[p + kept];
        }
        parts = kept;
    }
}

RK_FN void rk_bins_add_all(RK_CTX, RK_GLOBAL rk_histogram *h, RK_LOCAL rk_bins_spread *s,
                           RK_GLOBAL const rk_u32 *v, rk_u32 n)
{
    const rk_u32 parts = n < RK_BINS_SPLIT ? n : RK_BINS_SPLIT;
    if (n == 0) return;
    rk_bins_clear(rk_ctx, s->bin, RK_HISTOGRAM_BUCKETS);
    RK_PARALLEL(p, parts) {
        rk_u64 sum = 0;
        rk_u32 least = v[p], greatest = v[p];
        for (rk_u32 i = p; i < n; i += parts) {
            const rk_u32 value = v[i];
            rk_bins_count(s->bin, RK_HISTOGRAM_BUCKETS, rk_histogram_bucket(value));
            sum += value;
            least = value < least ? value : least;
            greatest = value > greatest ? value : greatest;
        }
        s->sum[p] = sum;
        s->least[p] = least;
        s->greatest[p] = greatest;
    }
    rk_bins_gather(rk_ctx, s, parts);
    rk_bins_merge(rk_ctx, h->bucket, s->bin, RK_HISTOGRAM_BUCKETS);
    RK_ONCE {
        if (h->count == 0 || s->least[0] < h->min_ns) h->min_ns = s->least[0];
        if (s->greatest[0] > h->max_ns) h->max_ns = s->greatest[0];
        h->sum_ns += s->sum[0];
        h->count += n;
    }
    RK_GROUP_BARRIER();
}

#endif
