/* Messages and states of the GPU benchmark's kernels. */
#ifndef RK_GPU_BENCH_RK_H
#define RK_GPU_BENCH_RK_H

#include <ringkernel/message.h>

/* What a unit slot of 64 bytes holds: a number, the chain that it belongs to, and seven words that prove
 * both. */
RK_MESSAGE(item, 1, (rk_u32, word, 9))
/* What a source sends itself: the next number of a chain, and the number that ends it. */
RK_MESSAGE(tick, 2, (rk_u32, chain), (rk_u32, next), (rk_u32, limit))

#define EVENTS 8u /* that one tick makes */
#define BURST_EVENTS \
    8u /* that the host asks for with one tick: few, as a thread makes them one after the other */

typedef struct counted { /* 64 bytes */
    rk_u64 count, sum, inverse, rest[5];
} counted;

#endif
