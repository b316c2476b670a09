/* One visit to a shard from a CPU thread: the dispatch loop, with handlers called through the module's
 * table. */
#ifndef RK_CPU_VISIT_H
#define RK_CPU_VISIT_H

#include "../../runtime/core.h"

/* Set up a seat's context, once it is placed. */
void rk_cpu_seat_open(rk_seat *seat);
/* RK_VISIT_*. One thread at a time for a seat. */
rk_u32 rk_cpu_visit(rk_seat *seat);
/* After an idle visit: breathe, looking at nothing but the next message, so many times at most. 1: it is there. By
 * the thread that visits. */
rk_u32 rk_cpu_await(const rk_seat *seat, rk_u32 looks);
/* Visit a seat whose next message was awaited, and is there: the line that its answer to the host goes into is asked for
 * first. It comes from the host's core, which looks there for the answer, while the visit gets to the handler. */
rk_u32 rk_cpu_visit_awaited(rk_seat *seat);
/* A handler's mistake that stops its kernel (used by SPMD kernels). */
void rk_cpu_shard_failed(rk_context *context, const char *text);

#endif
