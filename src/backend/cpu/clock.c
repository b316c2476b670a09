#include "clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define LOOK_NS 1000000u            /* from look to look while the seat is busy */
#define SPAN_NS_LEAST (LOOK_NS / 2) /* that a rate is taken over, and the most */
#define SPAN_NS_MOST 1000000000u
#define RATE_LEAST \
    ((1u << RK_CLOCK_SHIFT) / 10) /* ns for each tick: of a counter of 10 GHz, and of 100 MHz */
#define RATE_MOST (10u << RK_CLOCK_SHIFT)
#define LOOK_TICKS_MOST \
    2000u /* a look that took longer was interrupted: its readings don't belong together */

rk_u32 rk_clock_can_count(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d)) return 0;
    return d >> 8 & 1u; /* invariant TSC */
#else
    return 0;
#endif
}

/* What the counter made over a span. 0: it jumped, by itself or beside the rate that was known. */
static rk_u64 rate_over(rk_u64 ns, rk_u64 ticks, rk_u64 known)
{
    if (ticks < ns / 10 || ticks > ns * 10) return 0;
    rk_u64 rate = (ns << RK_CLOCK_SHIFT) / ticks;
    if (rate < RATE_LEAST || rate > RATE_MOST) return 0;
    rk_u64 off = rate > known ? rate - known : known - rate;
    return known && off > known / 100 ? 0 : rate;
}

rk_u64 rk_clock_look(rk_seat_clock *clock)
{
    rk_u64 before = rk_port_cycles(), ns = rk_monotonic_ns(), after = rk_port_cycles();
    if (ns > clock->last_ns) clock->last_ns = ns;
    clock->ticks_most = 0;
    if (!clock->can_count) return clock->last_ns;
    if (after - before > LOOK_TICKS_MOST) {
        clock->ticks = 0;
        return clock->last_ns;
    }
    rk_u64 span = ns - clock->ns;
    if (clock->ticks) {
        if (!clock->rate && span < SPAN_NS_LEAST) return clock->last_ns; /* a rate needs a longer one */
        if (span >= SPAN_NS_LEAST && span < SPAN_NS_MOST)
            clock->rate = rate_over(span, after - clock->ticks, clock->rate);
    }
    clock->ns = ns;
    clock->ticks = after;
    if (clock->rate) clock->ticks_most = ((rk_u64)LOOK_NS << RK_CLOCK_SHIFT) / clock->rate;
    return clock->last_ns;
}
