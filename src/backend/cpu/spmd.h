/* SPMD kernels on the CPU: the threads of a block are fibers of the worker that serves the shard.
 *
 * Warps run one after the other, and the threads of a warp too, each to its next meeting (a barrier, an
 * exchange, a vote) or to its end. So when the last thread of a warp stops, where each of them stopped is
 * a plain fact: either all at the same place, and they go on, or they have diverged, which would hang a
 * GPU and is an error with names here. Nothing is counted, and nothing waits. */
#ifndef RINGKERNEL_BACKEND_CPU_SPMD_H
#define RINGKERNEL_BACKEND_CPU_SPMD_H

#include "ringkernel/device/batch.h"
#include "ringkernel/device/spmd.h"
#include "ringkernel/module.h"

/* Run an SPMD kernel over the batch in context->turn, on the calling thread. Each of the shard's threads
 * runs spmd->call once, message k of the batch belonging to thread k; there are at most as many messages
 * as threads. Sends and reports are staged from context->stage_next on, in the order of the threads, and
 * context->stage_next is moved behind them; meanwhile the stage is used up to threads * (max_sends +
 * RK_STAGE_EXTRA) entries further.
 *
 *   - A message that its thread doesn't receive counts as handled. A hole or an expired message leaves its
 *     thread without one.
 *   - A message of another type than the kernel's becomes a dead letter.
 *   - A thread that failed has sent nothing, and its message becomes a dead letter. It still has to meet
 *     the others: a thread that fails and returns, while others wait for it, has diverged.
 *   - Threads that diverge fail the kernel: all messages of the batch become dead letters, turn->failed is
 *     set, and rk_cpu_shard_failed is told who waits where. Later batches, of this kernel or others, are
 *     not touched by it.
 *
 * `check`, for kernels with shared memory: the batch is run twice, with the warps and their threads in
 * descending and then in ascending order, and shared memory filled with other bytes. Where the results
 * differ, some barrier is missing or too narrow, and the kernel fails as above. The first run has no
 * effect but its sends by rk_try_send, which are repeated. A kernel whose result may depend on the order
 * (places handed out by atomics) should not be checked.
 *
 * The fibers belong to the calling thread, are kept for its next batch, and go when it ends. */
void rk_spmd_handle(rk_context *context, const rk_declaration *spmd, rk_u32 check);

/* The services of the same names, see device/spmd.h. Outside of an SPMD kernel the group is one thread,
 * which meets nobody. */
void rk_spmd_barrier(rk_context *context, rk_u32 scope, const char *where);
/* One's own value where `from` is no thread of the scope; in a warp `from` counts modulo its size. */
rk_u64 rk_spmd_exchange(rk_context *context, rk_u64 value, rk_u32 from, rk_u32 scope, const char *where);
/* Bit i mod 64 is set when thread i of the scope votes. */
rk_u64 rk_spmd_ballot(rk_context *context, rk_u32 vote, rk_u32 scope, const char *where);
/* The sum over the scope, modulo 2^64. */
rk_u64 rk_spmd_reduce(rk_context *context, rk_u64 value, rk_u32 scope, const char *where);

/* The worker's: the shard's kernel has failed for the reason in `text`, which is copied. */
void rk_cpu_shard_failed(rk_context *context, const char *text);

#endif
