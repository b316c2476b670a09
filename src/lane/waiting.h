/* Waiting on the host: spin, yield, then sleep until rung, and always until a deadline. */
#ifndef RK_LANE_WAITING_H
#define RK_LANE_WAITING_H

#include <sched.h>

#include "../runtime/core.h"
#include "../runtime/futex.h"

typedef struct rk_wait {
    rk_u64 deadline_ns; /* monotonic */
    rk_u64 spin_until_ns;
    rk_u32 rounds;
    rk_u64 nap_ns; /* of the last sleep that nobody could have ended */
    rk_u32 yields; /* as the runtime says */
} rk_wait;

static inline rk_wait rk_wait_begin(const rk_runtime *runtime, rk_u64 timeout_ns)
{
    rk_u64 now = rk_monotonic_ns();
    rk_wait wait = { rk_deadline_after(now, timeout_ns), now + runtime->options.spin_ns, 0, 0,
                     rk_atomic_u32(&runtime->yields) };
    return wait;
}

#define RK_WAIT_SPIN 0u  /* look again at once */
#define RK_WAIT_SLEEP 1u /* announce that you sleep, look once more, then sleep until rung */
#define RK_WAIT_OVER 2u

/* One more round. Looks at the time every 16th, or, since others may have had the processor for long, every one that
 * gave it away. */
static inline rk_u32 rk_wait_round(rk_wait *wait)
{
    wait->rounds++;
    if (wait->yields) {
        sched_yield();
    } else if (wait->rounds % 16) {
        rk_port_spin(wait->rounds);
        return RK_WAIT_SPIN;
    }
    rk_u64 now = rk_monotonic_ns();
    if (now >= wait->deadline_ns) return RK_WAIT_OVER;
    return now < wait->spin_until_ns ? RK_WAIT_SPIN : RK_WAIT_SLEEP;
}

#define RK_NAP_LEAST RK_MICROSECONDS(20)
#define RK_NAP_MOST RK_MILLISECONDS(1)

/* Sleep until `event` is raised from `seen`, for `left_ns` at most. A device rings nobody: where that is waited
 * for, the sleep doubles up to a millisecond. */
static inline void rk_wait_sleep(const rk_runtime *runtime, rk_wait *wait, rk_u32 *event, rk_u32 seen,
                                 rk_u64 left_ns)
{
    if (!rk_atomic_u32(&runtime->rings)) {
        wait->nap_ns = wait->nap_ns ? wait->nap_ns * 2 : RK_NAP_LEAST;
        if (wait->nap_ns > RK_NAP_MOST) wait->nap_ns = RK_NAP_MOST;
        if (left_ns > wait->nap_ns) left_ns = wait->nap_ns;
    }
    rk_futex_wait(event, seen, left_ns);
    wait->rounds |= 15; /* the next round looks at the time: it may be over */
}

static inline rk_u64 rk_wait_left(const rk_wait *wait)
{
    rk_u64 now = rk_monotonic_ns();
    return now < wait->deadline_ns ? wait->deadline_ns - now : 0;
}

#endif
