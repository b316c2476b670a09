/* Two fences that are sequentially consistent with each other, one of which costs next to nothing.
 *
 * A thread on the message path stores its word, passes the light fence and loads the other side's word; the control side stores
 * its own, passes the heavy fence and loads the first: one of the two sees the other. The heavy fence has each running thread of
 * the process pass a barrier (membarrier(2)), so the light one is an order to the compiler alone. Where the system doesn't let
 * us do that, both are fences of the processor. After folly's asymmetric_thread_fence_light and _heavy. */
#ifndef RK_RUNTIME_FENCE_H
#define RK_RUNTIME_FENCE_H

#include <ringkernel/device/port.h>

extern int rk_fence_asks;
/* 1: the heavy fence asks the system for what the light one leaves out. */
static inline int rk_fence_is_asked(void) { return __atomic_load_n(&rk_fence_asks, __ATOMIC_RELAXED); }

static inline void rk_fence_light(void)
{
    if (rk_fence_is_asked())
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    else
        rk_fence(RK_SEQ_CST, RK_SCOPE_SYSTEM);
}

void rk_fence_heavy(void);
/* Once, before the first light one. */
void rk_fence_open(void);

#endif
