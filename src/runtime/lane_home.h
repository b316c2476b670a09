/* Where the headers of a kernel's device lanes lie, in a runtime over several devices: with those who send
 * there.
 *
 * Slots are their consumer's, in the memory that it polls. A claim is a read-modify-write that its producer
 * waits for, so the words of claims are near the producers; what the consumer has for them, it posts. Where
 * nobody sends, or as many on its own device as elsewhere, they are in the kernel's own block. All with the
 * control lock held, and with everybody who sends there at rest. */
#ifndef RK_RUNTIME_LANE_HOME_H
#define RK_RUNTIME_LANE_HOME_H

#include "core.h"

typedef struct rk_lane_home {
    rk_u32 moves; /* 1: to another place than where they are */
    rk_u32 place;
    rk_u64 block; /* for them there; 0: the kernel's own */
} rk_lane_home;

/* Where they belong, with the memory for that if they move. RK_OUT_OF_MEMORY: nothing has changed. */
rk_status rk_lane_home_take(rk_host_kernel *kernel, rk_lane_home *home);
void rk_lane_home_give(rk_host_kernel *kernel, const rk_lane_home *home); /* instead of moving */
rk_status rk_lane_home_move(rk_host_kernel *kernel, const rk_lane_home *home);
/* What the device has of them comes to the host, and the other way round. */
rk_status rk_lane_home_fetch(const rk_host_kernel *kernel);
rk_status rk_lane_home_store(const rk_host_kernel *kernel);
/* The kernel's lanes are gone. */
void rk_lane_home_leave(rk_host_kernel *kernel);

/* Bytes of a shard's in the block. */
static inline rk_u64 rk_lane_home_stride(const rk_host_kernel *kernel)
{
    return sizeof(rk_lane) + sizeof(rk_ring) * kernel->layout.lane[RK_LANE_DEVICE].bands;
}

#endif
