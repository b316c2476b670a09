/* The guard: how threads on the message path use a kernel's lanes without a lock, and how the control side
 * waits until none does.
 *
 * A thread announces the kernel in a record of its own and then looks whether the gate is open (G1); the
 * control side closes the gate and then waits until no record names the kernel (G2). Both are sequentially
 * consistent, so one of the two sees the other. The record also remembers the thread's reservations, which
 * are repaired when it exits. */
#ifndef RK_RUNTIME_GUARD_H
#define RK_RUNTIME_GUARD_H

#include <stdlib.h>

#include "core.h"

#define RK_RESERVATIONS_MAX 16u /* that one thread may hold at a time */

typedef struct rk_reserved {
    rk_host_kernel *kernel;
    rk_u32 generation, epoch;
    rk_ring *ring;
    rk_u64 index;
    rk_lane *lane;
    rk_header_long *copy; /* where slots are units: the message, put together here; else 0 */
    rk_u32 shard;
} rk_reserved;

typedef struct rk_thread_record {
    rk_host_kernel *inside; /* atomic */
    struct rk_thread_record *next;
    rk_reserved reserved[RK_RESERVATIONS_MAX];
} rk_thread_record;

/* A reservation is over, whatever became of it. */
static inline void rk_reserved_forget(rk_reserved *reserved)
{
    reserved->kernel = 0;
    free(reserved->copy);
    reserved->copy = 0;
}

/* This thread's record. 0: out of memory. */
rk_thread_record *rk_thread_own(void);

/* Enter a kernel as a user of its lanes. RK_BUSY: it is being relaunched, come again; RK_STALE,
 * RK_NO_SUCH_KERNEL. */
rk_status rk_guard_enter(rk_runtime *runtime, rk_kernel handle, rk_thread_record **record,
                         rk_host_kernel **kernel);
void rk_guard_leave(rk_thread_record *record);
/* Wait until the gate opens, `deadline_ns` on the monotonic clock at most. */
void rk_guard_wait(rk_runtime *runtime, rk_kernel handle, rk_u64 deadline_ns);

/* A runtime closes: reservations into it are forgotten. */
void rk_guard_forget(rk_runtime *runtime);

/* Control side: no new users, and none is left. */
void rk_gate_close(rk_host_kernel *kernel);
void rk_gate_open(rk_host_kernel *kernel);

#endif
