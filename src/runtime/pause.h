/* Kernels that stop together, at a batch boundary of each: nothing of them is half out. Control lock held. */
#ifndef RK_RUNTIME_PAUSE_H
#define RK_RUNTIME_PAUSE_H

#include "../lane/waiting.h"

/* Have a kernel that is served take nothing more, and wait until none of its handlers runs, or until
 * `deadline_ns` on the monotonic clock, the control lock free meanwhile: others launch, connect and terminate
 * while a handler takes its time. `until_room`: and until none of its shards waits for room. It may have
 * failed, ended or been launched again by then, which the caller looks at, and it is served still:
 * rk_kernel_leave alone stops it. Nothing happens where only that can tell (OpenCL), and in single step,
 * where nobody else visits it. */
void rk_pause(rk_host_kernel *kernel, int until_room, rk_u64 deadline_ns);
/* It takes messages again. */
void rk_unpause(rk_host_kernel *kernel);

/* Stop serving all of them, between batches. A shard that waits for room has a batch half out: it finishes that
 * first, and takes no other, while those that make room go on; host threads may send and receive meanwhile. A failed
 * kernel stops as it is.
 *   RK_TIMED_OUT  a handler is still running, or nobody makes room; those that were served are served again */
rk_status rk_stop_between_batches(rk_host_kernel **kernels, rk_u32 count, const rk_wait *wait);

/* Who waits for a condition with the control lock lets it go for a moment, in its round-th look. */
void rk_let_others_pass(rk_runtime *runtime, rk_u32 round);

#endif
