/* The keeper of the barrier: answers all parties when the last one has come. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/barrier.h>

#include "life.rk.h"

RK_HANDLER(keeper, rk_barrier_call, call, rk_barriers, self, .state = RK_PER_SHARD,
           .max_sends = RK_BARRIER_SENDS, .replies = 1)
{
    rk_barriers_take(RK_ARG, self, call);
}

RK_ON_TIMER(keeper, rk_barriers, self) { rk_barriers_expire(RK_ARG, self); }
