/* The layout of a launch: which parts it has, how large they are, and where they lie in its block of the
 * arena.
 *
 * Shards are alike, so a launch is a common part and a shard's part times the number of shards. The estimate
 * that users see is this very plan. */
#ifndef RK_RUNTIME_LAYOUT_H
#define RK_RUNTIME_LAYOUT_H

#include <ringkernel/module.h>
#include <ringkernel/options.h>

struct rk_class;
struct rk_host_kernel;

/* Of one lane: sizes, and offsets within the shard's part. */
typedef struct rk_lane_plan {
    rk_u32 capacity, bands, slot_size, header_size, format, overwritten, window, window_entries, strategy,
        locked, single;
    rk_u64 lane, rings, slots, window_ids, window_table;
} rk_lane_plan;

#define RK_LANE_HOST 0u
#define RK_LANE_DEVICE 1u
#define RK_LANE_OUT 2u
#define RK_LANE_REPORT 3u
#define RK_LANES 4u

typedef struct rk_layout {
    rk_memory_estimate parts;
    rk_u64 base; /* arena offset, once placed */
    /* Within the block. */
    rk_u64 parameters, first_shard, shard_stride;
    rk_u64 wiring; /* bytes of parts.control that lie in a block of their own: see wiring.h */
    /* Within a shard's part. */
    rk_lane_plan lane[RK_LANES];
    rk_u64 state, stage, copies, order, shared;
    /* Figures. */
    rk_u32 features, mode, max_batch, threads, shared_size, max_sends;
    rk_u32 stage_stride, stage_capacity, state_stride, actors_per_shard, state_count, copy_shift, copy_slots;
    rk_u32 pool_blocks;
    rk_u64 in_block, out_block; /* bytes of a pool block; 0: no pool */
    rk_u64 host_pool;           /* arena offset of the host senders' pool, once placed: see blocks.h */
} rk_layout;

/* Attributes that stand for an option, put into the options. */
void rk_layout_defaults(const struct rk_class *class, rk_launch_options *options);
/* Everything about the options that kernel and attributes make impossible goes on the error stack:
 * RK_UNSUPPORTED or RK_INVALID_OPTIONS. The options need not be valid. */
rk_status rk_layout_check(const struct rk_class *class, const rk_launch_options *options);
/* Plan a launch whose options are validated and checked. */
void rk_layout_plan(const struct rk_class *class, const rk_launch_options *options, rk_layout *layout);

/* Write the control structures of a placed, zeroed block: the kernel's shards. */
void rk_layout_place(struct rk_host_kernel *kernel);
/* Write a ring whose slots lie at an arena offset. */
void rk_layout_ring(rk_byte *arena, rk_ring *ring, const rk_lane_plan *plan, rk_u64 slots);

#endif
