/* The life of a kernel, for the rest of the runtime. All with the control lock held. */
#ifndef RK_RUNTIME_KERNEL_H
#define RK_RUNTIME_KERNEL_H

#include "core.h"

/* End a kernel by `deadline_ns` (monotonic): intake closed, drained while it is active and time allows, the
 * rest lost, memory freed or quarantined. RK_OK, RK_TIMED_OUT, RK_QUARANTINED. Ended ones: RK_OK. */
rk_status rk_kernel_end(rk_host_kernel *kernel, rk_u64 deadline_ns);
void rk_kernel_free(rk_host_kernel *kernel);
/* Launched, and neither terminated nor quarantined. */
int rk_kernel_is_live(const rk_host_kernel *kernel);
/* The live kernel with that id; 0: there is none. */
rk_host_kernel *rk_kernel_find_live(rk_runtime *runtime, const char *id);
/* Have the kernel served, or stop that at a batch boundary; both do nothing where it is so already. An active one that
 * can't be served again has failed, and can be relaunched: else it would be active, and nobody's. */
rk_status rk_kernel_serve(rk_host_kernel *kernel);
rk_status rk_kernel_leave(rk_host_kernel *kernel, rk_u64 deadline_ns);
/* The latter for a change that takes no time: within RK_LEAVE_NS. RK_TIMED_OUT says that a handler is running. */
rk_status rk_kernel_halt(rk_host_kernel *kernel);
/* Allocate, lay out and seat the planned launch in kernel->layout; and give all of it back. */
rk_status rk_kernel_place(rk_host_kernel *kernel);
/* Give a placed kernel's block to the device, before it or a neighbour is served. */
rk_status rk_kernel_store(const rk_host_kernel *kernel);
void rk_kernel_unplace(rk_host_kernel *kernel);
/* The same where it is too late to refuse: what fails is done before the kernel is served. Otherwise RK_DEVICE_LOST. */
rk_status rk_kernel_store_later(rk_host_kernel *kernel);
/* What the device has of its block, and of its wiring: to the image. */
rk_status rk_kernel_fetch(rk_host_kernel *kernel);
rk_status rk_kernel_fetch_wiring(rk_host_kernel *kernel);
/* Queued in both lanes of all shards. */
rk_u64 rk_kernel_queued(const rk_host_kernel *kernel);
/* The kernel stops for good reason: called by the thread that serves it. One that has ended or is quarantined stays so. */
void rk_kernel_failed(rk_host_kernel *kernel, const char *text);
/* All that it had was handled, and its hooks have ended; unless it has failed meanwhile, or is quarantined. */
void rk_kernel_drained(rk_host_kernel *kernel);
/* Which launch or relaunch of a kernel it is. */
static inline rk_u64 rk_kernel_incarnation(const rk_host_kernel *kernel)
{
    return (rk_u64)rk_atomic_u32(&kernel->generation) << 32 | kernel->epoch;
}
/* A thread without the control lock saw it fail: as rk_kernel_failed, unless another has told it meanwhile, or has even
 * launched the kernel again, which is well then. */
void rk_kernel_failed_in(rk_host_kernel *kernel, rk_u64 incarnation, const char *text);
/* What a kernel is an instance of, and its id: the entry may be another kernel's as soon as this returns. RK_STALE,
 * RK_NO_SUCH_KERNEL. */
rk_status rk_kernel_class_of(rk_runtime *runtime, rk_kernel handle, const rk_class **class, char id[64]);
/* rk_launch, rk_activate and rk_deactivate of checked arguments. */
rk_status rk_kernel_launch(rk_runtime *runtime, const char *id, rk_launch_options *options,
                           rk_kernel *handle);
rk_status rk_kernel_activate(rk_host_kernel *kernel);
rk_status rk_kernel_deactivate(rk_host_kernel *kernel);
/* A fresh state instead of the one that there is: zeros, and then what `restore` makes of them (0: zeros). */
typedef struct rk_fresh_state {
    rk_status (*restore)(void *user, rk_u32 which, void *state, size_t size);
    void *user;
} rk_fresh_state;
/* Restore the state of a kernel that isn't served, which is zeros. */
rk_status rk_kernel_restore(const rk_host_kernel *kernel, const rk_fresh_state *state);
/* rk_relaunch; `state` 0: the state is carried over. */
rk_status rk_kernel_relaunch(rk_runtime *runtime, rk_host_kernel *kernel, rk_launch_options *options,
                             rk_u64 timeout_ns, const rk_fresh_state *state);
/* A handler of it has been running for the stall limit, or has returned after that. By the backend's watch. */
void rk_kernel_hangs(rk_host_kernel *kernel, rk_u32 hangs);
/* What the backend has to do before a kernel of that layout is served, and may take seconds: compiling. With the control
 * lock or, as a call that is under way, without it: then nobody waits who has it done already. */
rk_status rk_prepare(rk_runtime *runtime, const rk_class *class, const rk_layout *layout);
/* Plan a launch, or of `again` another one: options checked against class and backend, whatever is wrong told
 * together. *class is 0 where nothing has that name. */
rk_status rk_kernel_plan(rk_runtime *runtime, const rk_host_kernel *again, const char *name,
                         rk_launch_options *options, const rk_class **class, rk_layout *layout);

/* How long a handler that is running may take to return, whatever the time limit of a terminate: its worker
 * may just have lost its core. */
#define RK_LAST_CALL_NS RK_MILLISECONDS(100)
#define RK_LEAVE_NS \
    RK_SECONDS(2) /* how long a kernel may take to reach a batch boundary for a change that isn't about it */

#endif
