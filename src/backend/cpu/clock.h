/* The monotonic clock, read cheaply by the one thread that serves a seat.
 *
 * Where the processor counts at one rate on all cores (x86 with an invariant TSC, as cpuid says), the time since
 * the last look at CLOCK_MONOTONIC is counted by it, for a millisecond at most: then the clock is looked at
 * again, and the rate is what the counter made since the look before. So the rate follows the clock's own
 * slewing, and a counter that jumps, as under a machine that is moved, is off for no longer than that. A seat
 * never sees time go backwards. Elsewhere each reading is a look at the clock. */
#ifndef RK_CPU_CLOCK_H
#define RK_CPU_CLOCK_H

#include "../../runtime/core.h"

/* 1: the counter does for a clock. */
rk_u32 rk_clock_can_count(void);
/* Look at the clock itself. */
rk_u64 rk_clock_look(rk_seat_clock *clock);

/* Nanoseconds of CLOCK_MONOTONIC. */
static inline rk_u64 rk_clock_now(rk_seat_clock *clock)
{
    rk_u64 ticks = rk_port_cycles() - clock->ticks;
    if (ticks >= clock->ticks_most) return rk_clock_look(clock);
    rk_u64 now = clock->ns + (ticks * clock->rate >> RK_CLOCK_SHIFT);
    if (now > clock->last_ns) clock->last_ns = now;
    return clock->last_ns;
}

#endif
