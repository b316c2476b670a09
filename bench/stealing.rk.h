/* Messages of the benchmark on work stealing. */
#ifndef RK_BENCH_STEALING_RK_H
#define RK_BENCH_STEALING_RK_H

#include <ringkernel/message.h>

/* To a shard: take part in stealing. */
RK_MESSAGE(steal_too, 5, (rk_u32, pad))

/* `count` tasks, number `first` and on; each takes `rounds` multiplications. */
RK_MESSAGE(haul, 6, (rk_u64, first), (rk_u32, count), (rk_u32, rounds))

/* From a shard that has no more: what it did since it last said so. */
RK_MESSAGE(hauled, 7, (rk_u64, count), (rk_u64, sum))

#endif
