/* Messages of the benchmark on batches by size and time. */
#ifndef RK_BENCH_BATCHING_RK_H
#define RK_BENCH_BATCHING_RK_H

#include <ringkernel/message.h>

#define BATCHING_MOST 64u     /* messages of a batch */
#define BATCHING_GATHER_US 50 /* that one which isn't full is waited for */

/* A row that is multiplied by a table. */
RK_MESSAGE(batched_row, 30, (rk_u64, number), (rk_u32, value, 4))
RK_MESSAGE(batched_sum, 31, (rk_u64, number), (rk_u32, sum), (rk_u32, pad))

#endif
