/* The same work for a message alone, for as many as are there, and for batches that are gathered. */
#include <ringkernel/kernel.h>

#include "batching.rk.h"

#define WEIGHTS 256u

typedef struct table {
    rk_u32 weight[WEIGHTS];
} table;

/* Zeros weigh by their place: what is multiplied must be read. */
RK_FN batched_sum multiply(RK_GLOBAL const table *self, RK_MSG const batched_row *row)
{
    batched_sum out = { row->number, 0, 0 };
    for (rk_u32 w = 0; w < WEIGHTS; w++) out.sum += (self->weight[w] + w) * row->value[w % 4u];
    return out;
}

RK_HANDLER(batching_alone, batched_row, msg, table, self, .state = RK_PER_SHARD, .mode = RK_CONTINUOUS)
{
    batched_sum out = multiply(self, msg);
    rk_send(RK_ARG, &out);
}

RK_HANDLER(batching_adaptive, batched_row, msg, table, self, .state = RK_PER_SHARD, .mode = RK_ADAPTIVE,
           .max_batch = BATCHING_MOST)
{
    batched_sum out = multiply(self, msg);
    rk_send(RK_ARG, &out);
}

RK_BATCH_HANDLER(batching_gathered, batched_row, n, table, self, .width = RK_BLOCK, .threads = BATCHING_MOST,
                 .state = RK_PER_SHARD, .max_sends = BATCHING_MOST, .shared = 4u * BATCHING_MOST,
                 .mode = RK_BATCH, .max_batch = BATCHING_MOST, .gather_us = BATCHING_GATHER_US)
{
    RK_SHARED(rk_u32, sum, BATCHING_MOST);
    RK_PARALLEL(i, n) sum[i] = multiply(self, RK_AT(batched_row, i)).sum;
    RK_ONCE {
        for (rk_u32 i = 0; i < n; i++) {
            batched_sum out = { RK_AT(batched_row, i)->number, sum[i], 0 };
            rk_send(RK_ARG, &out);
        }
    }
}
