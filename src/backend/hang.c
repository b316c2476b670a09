#include "hang.h"

#include "../runtime/kernel.h"
#include "slices.h"

static rk_u64 limit_of(const rk_host_kernel *kernel)
{
    return kernel->options.handler_limit_ns ? kernel->options.handler_limit_ns
                                            : kernel->runtime->options.stall_limit_ns;
}

/* Between two looks the kernel may have left and come back unseen, to be visited at once, or the process was stopped: so it
 * takes three, however late they are. */
static int stands_still(rk_seat *seat, int runs, rk_u64 slice)
{
    const rk_meter *meter = &seat->shard->meter;
    const rk_u64 now_ns = rk_monotonic_ns(), limit_ns = limit_of(seat->owner),
                 beat = __atomic_load_n(&meter->heartbeat, __ATOMIC_RELAXED) +
                        __atomic_load_n(&meter->progress, __ATOMIC_RELAXED) + slice;
    rk_u64 step_ns = seat->beat_seen_ns ? now_ns - seat->beat_seen_ns : 0; /* 0: the first look */
    if (step_ns > limit_ns / 2) step_ns = limit_ns / 2;
    seat->beat_seen_ns = now_ns;
    if (!runs || beat != seat->beat || rk_atomic_u32(&seat->orders->gone) || !rk_seat_wanted(seat))
        seat->still_ns = 0;
    else
        seat->still_ns += step_ns;
    seat->beat = beat;
    return seat->still_ns >= limit_ns;
}

void rk_hang_watch(rk_host_kernel *kernel, int runs, rk_u64 slice)
{
    rk_u32 still = kernel->seat_count;
    for (rk_u32 s = kernel->seat_count; s-- > 0;)
        if (stands_still(&kernel->seats[s], runs, slice)) still = s;
    const rk_u32 hangs = still < kernel->seat_count;
    if (hangs && !rk_atomic_u32(&kernel->hung))
        rk_runtime_log(kernel->runtime, RK_WARNING, kernel->id, still,
                       kernel->options.handler_limit_ns
                           ? "a handler runs longer than handler_limit_ns: its block serves nothing until it "
                             "returns"
                           : "a handler runs longer than the stall limit: its block serves nothing until it "
                             "returns");
    rk_kernel_hangs(kernel, hangs);
}
