/* Reports: what comes from a shard besides its output: replies, dead letters, log lines.
 *
 * They come by the report lane, which the service thread empties; a thread that waits for a reply helps. */
#ifndef RK_RUNTIME_REPORT_H
#define RK_RUNTIME_REPORT_H

#include "core.h"

/* Empty the report lanes of a kernel: when this returns, everything that was in them has been taken. Returns
 * how many. Any thread. */
rk_u32 rk_reports_collect(rk_host_kernel *kernel);
/* The same for one shard, unless somebody does it at this moment. */
rk_u32 rk_reports_try_collect(rk_seat *seat);
/* What shards that are served no more have staged and not sent, and what will not be staged again, since the batch is
 * committed that it came from, or a hook staged it: each a dead letter, for `why`, and what the report lane had no room
 * for is told as if it had. Returns how many messages that the kernel had sent are letters now; their blocks are
 * rk_blocks_unstage's. Control lock held. */
rk_u64 rk_reports_of_unsent(rk_host_kernel *kernel, rk_status why);
/* Requests to a kernel that ends are answered with RK_CLOSED. */
void rk_requests_fail(rk_host_kernel *kernel);

/* Pending requests: a place in the table, named by a correlation. */
rk_pending *rk_pending_take(rk_runtime *runtime, rk_u32 owner_number, rk_u64 *correlation);
void rk_pending_give(rk_runtime *runtime, rk_pending *pending);

#endif
