/* One visit to a shard from a CPU thread: the dispatch loop, with handlers called through the module's
 * table. */
#ifndef RK_CPU_VISIT_H
#define RK_CPU_VISIT_H

#include "../../runtime/core.h"

/* Set up a seat's context, once it is placed. */
void rk_cpu_seat_open(rk_seat *seat);
/* RK_VISIT_*. One thread at a time for a seat. */
rk_u32 rk_cpu_visit(rk_seat *seat);
/* After a visit: breathe, looking at nothing but the next message of each lane, so many times at most. The lane in which
 * it is there: 0 the host's, 1 the device's; RK_AWAITED_NONE. This and what follows by the thread that visits. */
#define RK_AWAITED_NONE 2u
rk_u32 rk_cpu_await(const rk_seat *seat, rk_u32 looks);
/* Visit a seat whose next message was awaited in that lane, and is there. */
rk_u32 rk_cpu_visit_awaited(rk_seat *seat, rk_u32 lane);
/* Is the next message there already, of a lane in which one was awaited? */
int rk_cpu_has_next(const rk_seat *seat, rk_u32 lane);
/* A handler's mistake that stops its kernel (used by SPMD kernels). */
void rk_cpu_shard_failed(rk_context *context, const char *text);

#endif
