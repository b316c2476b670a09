/* The kernels of the cases on helpers over arrays and on a group's histograms: what a message brings is copied, added, scaled,
 * summed up and counted, in the state, by a kernel for words, one for floats and one that counts. (In one, PoCL compiles
 * their barriers for longer than it may take to begin.) */
#include <ringkernel/kernel.h>

#include <ringkernel/collective/bins.h>
#include <ringkernel/collective/vector.h>
#include <ringkernel/state/histogram.h>

#include "ledger.rk.h"

typedef struct ledger {
    rk_u32 total[LEDGER + 4u];
    rk_u32 copied[LEDGER + 8u];
} ledger;

typedef struct count_ledger {
    rk_u64 seen[LEDGER_BINS];
    rk_histogram spread;
} count_ledger;

typedef struct float_ledger {
    rk_f32 part[LEDGER + 4u];
} float_ledger;

RK_FN rk_u32 hash_of_words(RK_GLOBAL const rk_u32 *v, rk_u32 n)
{
    rk_u32 hash = n;
    for (rk_u32 i = 0; i < n; i++) hash = hash * 31u + v[i];
    return hash;
}

RK_HANDLER(ledger_words, figures, msg, ledger, self, .width = RK_BLOCK, .threads = 64, .state = RK_PER_SHARD,
           .shared = RK_VECTOR_LANES * 4u)
{
    RK_SHARED(rk_u32, lane, RK_VECTOR_LANES);
    const rk_u32 n = msg->n < LEDGER ? msg->n : LEDGER;
    RK_GLOBAL rk_u32 *total = self->total + msg->at % 4u;
    rk_vector_copy(RK_ARG, (RK_GLOBAL rk_u8 *)self->copied + msg->at_byte % 16u,
                   (RK_GLOBAL const rk_u8 *)msg->value + msg->from_byte % 16u, msg->bytes);
    rk_vector_add_u32(RK_ARG, total, &msg->value[msg->from], n);
    rk_vector_scale_u32(RK_ARG, total, n, 3u);
    const rk_u32 sum = rk_vector_sum_u32(RK_ARG, lane, total, n);
    RK_ONCE {
        figured f = { .sum = sum };
        f.total_hash = hash_of_words(self->total, LEDGER + 4u);
        f.copied_hash = hash_of_words(self->copied, LEDGER + 8u);
        rk_send(RK_ARG, &f);
    }
}

RK_HANDLER(ledger_floats, figures, msg, float_ledger, self, .width = RK_BLOCK, .threads = 64,
           .state = RK_PER_SHARD, .shared = RK_VECTOR_LANES * 4u)
{
    RK_SHARED(rk_f32, lane, RK_VECTOR_LANES);
    const rk_u32 n = msg->n < LEDGER ? msg->n : LEDGER;
    RK_GLOBAL rk_f32 *part = self->part + msg->at % 4u;
    RK_PARALLEL(i, n) part[i] = (rk_f32)(msg->value[msg->from + i] >> 8);
    rk_vector_scale_f32(RK_ARG, part, n, 0.37f);
    rk_vector_add_f32(RK_ARG, part, part, n);
    const rk_f32 sum = rk_vector_sum_f32(RK_ARG, lane, part, n);
    RK_ONCE {
        figured f = { .float_sum = sum };
        rk_send(RK_ARG, &f);
    }
}

RK_HANDLER(ledger_counts, figures, msg, count_ledger, self, .width = RK_BLOCK, .threads = 64,
           .state = RK_PER_SHARD, .shared = 8192u)
{
    RK_SHARED(rk_u32, bin, LEDGER_BINS);
    RK_SHARED(rk_bins_spread, scratch, 1);
    const rk_u32 n = msg->n < LEDGER ? msg->n : LEDGER;
    rk_bins_clear(RK_ARG, bin, LEDGER_BINS);
    RK_PARALLEL(i, n) rk_bins_count(bin, LEDGER_BINS, msg->value[msg->from + i] % 20u);
    rk_bins_merge(RK_ARG, self->seen, bin, LEDGER_BINS);
    rk_bins_add_all(RK_ARG, &self->spread, scratch, &msg->value[msg->from], n);
    RK_ONCE {
        figured f = { .sum = 0 };
        for (rk_u32 b = 0; b < LEDGER_BINS; b++) f.seen[b] = self->seen[b];
        f.spread[0] = self->spread.count;
        f.spread[1] = self->spread.sum_ns;
        f.spread[2] = self->spread.min_ns;
        f.spread[3] = self->spread.max_ns;
        f.spread[4] = rk_histogram_quantile(&self->spread, 1, 2);
        rk_send(RK_ARG, &f);
    }
}
