#include "slices.h"

static int phase_is(const rk_host_kernel *kernel, rk_u32 s, rk_u32 phase)
{
    return rk_atomic_u32(&kernel->seats[s].orders->phase) == phase;
}

int rk_slices_failed(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (phase_is(kernel, s, RK_PHASE_FAILED)) return 1;
    return 0;
}

int rk_seat_wanted(const rk_seat *seat)
{
    const rk_u32 phase = rk_atomic_u32(&seat->orders->phase);
    return phase < RK_PHASE_PAUSED ||
           (phase == RK_PHASE_PAUSED && rk_atomic_u32(&seat->orders->command) != RK_COMMAND_PAUSE);
}

int rk_slices_wanted(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        if (rk_atomic_u32(&kernel->seats[s].orders->leave)) return 0;
        if (rk_seat_wanted(&kernel->seats[s])) return 1;
    }
    return 0;
}

void rk_slices_sleep(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_ring *ring =
            rk_lane_ring(rk_seat_lane(&kernel->seats[s], RK_LANE_HOST), kernel->runtime->arena.base, 0);
        (void)rk_exchange_u32(&ring->asleep, 1, RK_SEQ_CST, RK_SCOPE_SYSTEM); /* W2 */
    }
}

/* What it asked for stands while it is paused, while it waits for room, and once it has failed, but then no visit heeds it. */
static int heeds_time(const rk_seat *seat)
{
    return rk_seat_wanted(seat) && rk_atomic_u32(&seat->orders->phase) != RK_PHASE_PARKED;
}

rk_u64 rk_slices_nap(const rk_host_kernel *kernel, rk_u64 now_ns, rk_u64 most_ns)
{
    if (!rk_slices_wanted(kernel)) return most_ns;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        if (!heeds_time(&kernel->seats[s])) continue;
        rk_u64 wake_ns = __atomic_load_n(&kernel->seats[s].orders->wake_ns, __ATOMIC_ACQUIRE),
               left_ns = wake_ns > now_ns ? wake_ns - now_ns : 0;
        if (wake_ns && left_ns < most_ns) most_ns = left_ns;
    }
    return most_ns;
}
