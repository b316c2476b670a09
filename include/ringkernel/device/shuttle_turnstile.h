/* The turnstiles by which the warps of a block keep the order of a lane's messages while each goes its own way: a warp
 * waits until it is its turn, does what has to be done in order, and lets the next one in. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_TURNSTILE_H
#define RINGKERNEL_DEVICE_SHUTTLE_TURNSTILE_H

#include "express_alone.h"

#if defined(RK_LANG_CUDA)

/* Why a run ends: bits of rk_turnstile.ends. */
#define RK_RUN_QUIET 1u   /* messages come one by one, or none */
#define RK_RUN_OTHER 2u   /* it is the other lane's turn */
#define RK_RUN_ODD 4u     /* the next message is one for the general visit */
#define RK_RUN_ORDERED 8u /* the host has orders */
#define RK_RUN_LONG 16u   /* it has gone on for long */
#define RK_RUN_HALTED 32u /* messages were handled that the general visit has to finish */

RK_FN void rk_turnstile_end(rk_turnstile *t, rk_u32 why)
{
    if (threadIdx.x % 32u == 0) rk_port_set(&t->ends, why);
}

/* Until `at` has come to this warp's turn: 1. Until `stop` is set, if it may be: 0. The warp is of one mind, whatever its lanes
 * have seen. From here to the next rk_turnstile_pass all other warps of the block may wait: each instruction
 * in between is one of theirs too, and so is a look at `stop`, which is made only where it isn't this warp's turn yet. */
RK_FN rk_u32 rk_turnstile_await(const rk_u32 *at, const rk_u32 *stop, rk_u32 turn)
{
    for (;;) {
        if (__all_sync(RK_ALL_LANES, rk_port_seen(at) == turn)) return 1; /* T1 */
        if (stop && __any_sync(RK_ALL_LANES, rk_port_seen(stop))) return 0;
    }
}

/* The next warp's turn. By lane 0, behind what the other lanes have done in this one. */
RK_FN void rk_turnstile_pass(rk_u32 *at, rk_u32 turn)
{
    __syncwarp();
    if (threadIdx.x % 32u == 0) rk_port_tell(at, turn); /* T2 */
}

#endif
#endif
