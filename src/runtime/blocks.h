/* Large payloads: the pools of a launch, and whose a block is when a kernel goes.
 *
 * The pools lie apart from the rest of a launch, since messages that are queued elsewhere may refer to them
 * for longer than it lives: they go when the last of their blocks is back. All with the control lock held. */
#ifndef RK_RUNTIME_BLOCKS_H
#define RK_RUNTIME_BLOCKS_H

#include "core.h"

/* Bytes of all pools of a launch. */
rk_u64 rk_pools_bytes(const rk_layout *layout, rk_u32 shards);
/* Make the pools of a kernel that is laid out: one for its host senders, one for each shard. 0: no memory. */
int rk_pools_make(rk_host_kernel *kernel);
/* The kernel has no more use for its pools. */
void rk_pools_leave(rk_host_kernel *kernel);
/* Free the pools that nobody has any more, and whose blocks are all back. */
void rk_pools_sweep(rk_runtime *runtime);

/* The header of message `index` as its handler left it, if a batch that is not committed has it; else 0. */
rk_header *rk_handled_message(const rk_seat *seat, rk_u64 ring_offset, rk_u64 index);
/* Staged sends of a batch half out are given up: their blocks go back, or to the message that they came
 * with. */
void rk_blocks_unstage(const rk_seat *seat);
/* Messages from `first` up to `end` of a ring are thrown away: their blocks go back. */
void rk_blocks_release(const rk_seat *seat, rk_u64 ring_offset, rk_u64 first, rk_u64 end);
/* The same for all that is queued in the kernel's lanes, in and out. Nobody uses them any more. */
void rk_blocks_release_all(const rk_host_kernel *kernel);

#endif
