/* What was written before a send is seen by who receives it: one fence a batch on each side, by the sending leader behind
 * its block's barrier, and by whoever handles. Units carry the message; this is for the rest. Inside the device always,
 * unless a kernel is relaxed and orders by hand; across the bus, and between devices, with system_order (RK_ACROSS_BUS).
 * B1 pairs with B2. */
#ifndef RINGKERNEL_DEVICE_ORDER_H
#define RINGKERNEL_DEVICE_ORDER_H

#include "shard.h"

RK_FN void rk_batch_release(rk_u32 memory)
{
    if (memory == RK_ACROSS_BUS)
        rk_fence(RK_RELEASE, RK_SCOPE_SYSTEM); /* B1 */
    else if (memory != RK_RELAXED_MEMORY)
        rk_fence(RK_RELEASE, RK_SCOPE_DEVICE); /* B1 */
}

RK_FN void rk_batch_acquire(rk_u32 memory)
{
    if (memory == RK_ACROSS_BUS)
        rk_fence(RK_ACQUIRE, RK_SCOPE_SYSTEM); /* B2 */
    else if (memory == RK_RELEASE_ACQUIRE)     /* a sequential kernel has a stronger fence behind its take */
        rk_fence(RK_ACQUIRE, RK_SCOPE_DEVICE); /* B2 */
}

/* Does the lane that a batch comes by, or goes by, want that fence? `inside`: it is the device's own. */
RK_FN rk_u32 rk_batch_ordered(rk_u32 memory, rk_u32 inside) { return inside || memory == RK_ACROSS_BUS; }

#endif
