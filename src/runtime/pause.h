/* Kernels that stop together, at a batch boundary of each: nothing of them is half out. Control lock held. */
#ifndef RK_RUNTIME_PAUSE_H
#define RK_RUNTIME_PAUSE_H

#include "../lane/waiting.h"

/* Stop serving all of them, between batches. A shard that waits for room has a batch half out: it finishes that
 * first, and takes no other, while those that make room go on; host threads may send and receive meanwhile. A failed
 * kernel stops as it is.
 *   RK_TIMED_OUT  a handler is still running, or nobody makes room; those that were served are served again */
rk_status rk_stop_between_batches(rk_host_kernel **kernels, rk_u32 count, const rk_wait *wait);

#endif
