/* The guard: how threads on the message path use a kernel's lanes without a lock, and how the control side
 * waits until none does.
 *
 * A thread announces the kernel in a record of its own and then looks whether the gate is open (G1); the
 * control side closes the gate and then waits until no record names the kernel (G2). Between the two steps each
 * has a fence (fence.h), so one of the two sees the other. The record also remembers the thread's reservations,
 * which are repaired when it exits. */
#ifndef RK_RUNTIME_GUARD_H
#define RK_RUNTIME_GUARD_H

#include <stdlib.h>

#include "core.h"
#include "fence.h"

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

/* This thread's record. 0: it has none yet, or there is no memory for one. */
extern __thread rk_thread_record *rk_thread_mine;
rk_thread_record *rk_thread_make(void);
static inline rk_thread_record *rk_thread_own(void)
{
    return rk_thread_mine ? rk_thread_mine : rk_thread_make();
}

static inline void rk_guard_leave(rk_thread_record *record)
{
    __atomic_store_n(&record->inside, (rk_host_kernel *)0, __ATOMIC_RELEASE);
}

/* The first half of entering. 0: the gate is shut, and the caller leaves. */
static inline int rk_guard_announce(rk_thread_record *record, rk_host_kernel *kernel)
{
    __atomic_store_n(&record->inside, kernel, __ATOMIC_RELEASE);
    rk_fence_light(); /* G1 pairs with G2 */
    return __atomic_load_n(&kernel->gate, __ATOMIC_ACQUIRE) != 0;
}

/* Enter a kernel as a user of its lanes. RK_BUSY: it is being relaunched, come again; RK_STALE,
 * RK_NO_SUCH_KERNEL. */
rk_status rk_guard_enter(rk_runtime *runtime, rk_kernel handle, rk_thread_record **record,
                         rk_host_kernel **kernel);
/* The same where nothing is in the way; 0: something is, and rk_guard_enter knows what. */
static inline rk_host_kernel *rk_guard_enter_at_once(rk_runtime *runtime, rk_kernel handle,
                                                     rk_thread_record **record)
{
    rk_thread_record *self = rk_thread_mine;
    if (!self || !rk_is_open(runtime) || handle.number > RK_KERNELS_MAX) return 0;
    rk_host_kernel *k = __atomic_load_n(&runtime->kernels[handle.number], __ATOMIC_ACQUIRE); /* [0]: none */
    if (!k) return 0;
    if (!rk_guard_announce(self, k) ||
        __atomic_load_n(&k->generation, __ATOMIC_ACQUIRE) != handle.generation) {
        rk_guard_leave(self);
        return 0;
    }
    *record = self;
    return k;
}
/* Wait until the gate opens, `deadline_ns` on the monotonic clock at most. */
void rk_guard_wait(rk_runtime *runtime, rk_kernel handle, rk_u64 deadline_ns);

/* A runtime closes: reservations into it are forgotten. */
void rk_guard_forget(rk_runtime *runtime);

/* Control side: no new users, and none is left. */
void rk_gate_close(rk_host_kernel *kernel);
void rk_gate_open(rk_host_kernel *kernel);

#endif
