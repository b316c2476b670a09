/* Time in a kernel: a handler never waits, it asks to be woken.
 *
 *     RK_ON_TIMER(kernel, state, self) { … }
 *
 * runs between batches with the shard's state, once the time has come that was asked for, as a group of one thread. It
 * may send as much as a whole batch (.max_batch times .max_sends). It may come late, and it may find nothing due: it
 * looks at rk_now_ns() and at its own state. Only kernels whose state is RK_PER_SHARD have one. */
#ifndef RINGKERNEL_DEVICE_TIMER_H
#define RINGKERNEL_DEVICE_TIMER_H

#include "sources.h"

#define RK_NEVER 0xfffffffffffffffful /* a time that doesn't come */

/* When a timeout that begins now is over. RK_NO_WAIT: at once; RK_NO_DEADLINE: RK_NEVER. */
#define rk_due_in(arg, timeout_ns) rk_time_after((arg)->now_ns, timeout_ns)
RK_FN rk_u64 rk_time_after(rk_u64 now_ns, rk_u64 timeout_ns)
{
    return timeout_ns > RK_NEVER - now_ns ? RK_NEVER : now_ns + timeout_ns;
}

/* The number after `last` (0: the first) of what is asked, at `now_ns`; never 0. It is the clock's, in units of 1.024 µs,
 * or one more than the last where numbers were used faster than that. So a state that begins anew, with zeros or with
 * what it was at a checkpoint, gives none that it gave before, and what answers an earlier life isn't taken for the
 * answer to this one. */
RK_FN rk_u32 rk_number_after(rk_u32 last, rk_u64 now_ns)
{
    rk_u32 number = (rk_u32)(now_ns >> 10);
    if (last != 0 && last - number < 1u << 30) number = last + 1u; /* numbers wrap */
    return number ? number : 1u;
}

/* Ask for the timer hook at or after `when_ns` on the clock of rk_now_ns(). A shard keeps one such time, the earliest
 * that was asked for; it is forgotten before the hook runs, which asks again for what is due later. By one thread of
 * the group, as a send. A drain waits for the hook: it ends when nobody asks any more. So that no
 * time holds it up which nobody wants any more, it asks the hook beforehand, once nothing else is left to do; a hook that
 * then asks for nothing is waited for no longer. In a drain hook there is nothing to wait for: it is the last call.
 * RK_NEVER asks for nothing.
 * RK_UNSUPPORTED: the kernel has no RK_ON_TIMER. */
RK_FN rk_status rk_wake_at(RK_CTX, rk_u64 when_ns)
{
    RK_GLOBAL rk_turn *turn = rk_ctx->turn;
    if (!rk_ctx->shard->timer) return RK_UNSUPPORTED;
    if (when_ns == RK_NEVER) return RK_OK;
    if (when_ns == 0) when_ns = 1;
    if (turn->wake_ns == 0 || when_ns < turn->wake_ns) turn->wake_ns = when_ns;
    RK_UNUSUAL(rk_ctx, 1); /* the general visit looks at the clock */
    return RK_OK;
}

/* 1: all sources have ended and all that they sent was taken, so what comes now comes by timers alone, and who asks for
 * them periodically must stop. In a cycle of routes nobody's sources end before the cycle is at rest: ask there
 * only while something is outstanding. */
RK_FN rk_u32 rk_is_draining(RK_CTX)
{
    rk_u32 command = rk_load_u32(&rk_ctx->orders->command, RK_ACQUIRE, RK_SCOPE_SYSTEM); /* M1 */
    return command == RK_COMMAND_END || (command == RK_COMMAND_DRAIN && rk_sources_ended(rk_ctx));
}

#endif
