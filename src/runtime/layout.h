/* The layout of a launch: which parts it has, how large they are, and where they lie in its block of the
 * arena.
 *
 * Shards are alike, so a launch is a common part and a shard's part times the number of shards. The estimate
 * that users see is this very plan. */
#ifndef RK_RUNTIME_LAYOUT_H
#define RK_RUNTIME_LAYOUT_H

#include <ringkernel/module.h>
#include <ringkernel/options.h>

#include "arena.h"

struct rk_class;
struct rk_host_kernel;

/* Of one lane: sizes, and offsets within the shard's part. */
typedef struct rk_lane_plan {
    rk_u32 capacity, bands, slot_size, header_size, format, overwritten, window, window_entries, strategy,
        locked, single, counted;
    rk_u64 lane, rings, slots, window_ids, window_table;
    rk_u64
        twin; /* the device's own rk_lane and rings, where lane and rings are the host's; 0: one for both */
} rk_lane_plan;

#define RK_LANE_HOST 0u
#define RK_LANE_DEVICE 1u
#define RK_LANE_OUT 2u
#define RK_LANE_REPORT 3u
#define RK_BLOCK_CHOSEN \
    384u /* threads of the largest block that CUDA's backend chooses for a kernel that says nothing */
#define RK_LANES 4u

/* One block of the arena: a part of the whole kernel, then one for each shard. */
typedef struct rk_layout_block {
    rk_u64 base; /* arena offset, once placed */
    rk_u64 size;
    rk_u64 first_shard, shard_stride;
} rk_layout_block;

typedef struct rk_layout {
    rk_memory_estimate parts;
    rk_u32
        device;   /* 1: what is the device's lies in its own memory, in the second of two blocks; 0: in one */
    rk_u32 locks; /* 1: the device lane has its lock, whatever its options */
    rk_u32 shares; /* 1: device and host read each other's slots in place */
    rk_u32 place;  /* which device that is, of the runtime's */
    rk_layout_block block[2];
    /* Within the device's block. */
    rk_u64 parameters;
    rk_u64
        table; /* u64 for each shard: the arena offset of its rk_shard; where a device has its own memory */
    rk_u64 wiring; /* bytes of parts.control that lie in a block of their own: see wiring.h */
    /* Within a shard's part of the host's block. */
    rk_u64 orders;
    /* Within its part of the device's block, which begins with the rk_shard. */
    rk_u64
        own; /* bytes from there that the shard alone writes: rk_shard, its own headers of the host's lanes */
    rk_u64 control; /* the same with the device lane's headers, which other shards write too */
    rk_u64 state, stage, copies, order, shared;
    rk_lane_plan lane[RK_LANES]; /* each in the block of its near side, see RK_NEAR_* */
    /* Figures. */
    rk_u32 features, mode, max_batch, threads, shared_size, shared_groups, max_sends;
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
/* Of the device that a launch is planned for. */
#define RK_LAYOUT_DEVICE 1u /* it has memory of its own */
#define RK_LAYOUT_LOCKS \
    2u /* it has no compare-and-swap of 64 bits: lanes with several producers have a lock */
#define RK_LAYOUT_SHARES \
    4u /* no bus lies between it and the host, who sees stores in their order: slots are read in place */
/* Plan a launch whose options are validated and checked; chosen: threads of the largest block that the device chooses for a
 * kernel that says nothing. */
void rk_layout_plan(const struct rk_class *class, const rk_launch_options *options, rk_u32 traits,
                    rk_u32 chosen, rk_layout *layout);

/* Arena offset of shard s's part of a block. */
static inline rk_u64 rk_layout_part(const rk_layout *layout, rk_u32 near, rk_u32 s)
{
    const rk_layout_block *block = &layout->block[near & layout->device];
    return block->base + block->first_shard + s * block->shard_stride;
}
/* Arena offset of something in the device's common part. */
static inline rk_u64 rk_layout_common(const rk_layout *layout, rk_u64 at)
{
    return layout->block[layout->device].base + at;
}
/* Near whom a lane's slots and the host's header of it lie. */
static inline rk_u32 rk_lane_near(rk_u32 which)
{
    return which == RK_LANE_DEVICE ? RK_NEAR_DEVICE : RK_NEAR_HOST;
}

/* Write the control structures of a placed, zeroed block: the kernel's shards. */
void rk_layout_place(struct rk_host_kernel *kernel);
/* Arena offset of a lane, as the host sees it. */
rk_u64 rk_layout_lane(const rk_layout *layout, rk_u32 which, rk_u32 s);
/* Write a ring whose slots lie at an arena offset. */
void rk_layout_ring(rk_byte *arena, rk_ring *ring, const rk_lane_plan *plan, rk_u64 slots);

#endif
