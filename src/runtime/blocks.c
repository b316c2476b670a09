#include "blocks.h"

#include <stdlib.h>
#include <string.h>

#include <ringkernel/device/take.h>

#include "../lane/incoming.h"

/* ------------------------------------------------------------------ pools */

struct rk_pools {
    struct rk_pools *next; /* in order of numbers */
    rk_u64 base;           /* their block of the arena */
    rk_u32 first, count;   /* numbers */
    rk_u32 in_use;         /* by a kernel that takes blocks */
};

static rk_u64 align_up(rk_u64 x, rk_u64 to) { return (x + to - 1) / to * to; }

static rk_u32 return_capacity(rk_u32 blocks)
{
    rk_u32 capacity = RK_CAPACITY_MIN;
    while (capacity < blocks) capacity *= 2;
    return capacity;
}

static rk_u64 return_bytes(rk_u32 blocks)
{
    return align_up(sizeof(rk_ring), RK_LINE) + (rk_u64)return_capacity(blocks) * RK_SLOT_MIN;
}

/* A device gives back by a ring of its own: no read-modify-write of both sides meets over the bus. */
static rk_u64 pool_bytes(rk_u64 block_size, rk_u32 blocks, rk_u32 device)
{
    return sizeof(rk_pool) + align_up(4ull * blocks, RK_LINE) + (1 + device) * return_bytes(blocks) +
           block_size * blocks;
}

rk_u64 rk_pools_bytes(const rk_layout *l, rk_u32 shards)
{
    rk_u64 host = l->in_block ? pool_bytes(l->in_block, l->pool_blocks, l->device) : 0;
    return l->pool_blocks ? host + shards * pool_bytes(l->out_block, l->pool_blocks, l->device) : 0;
}

/* A pool, and its entry in the runtime's table. */
static void place_pool(const rk_runtime *runtime, rk_u64 at, rk_u64 block_size, rk_u32 blocks, rk_u32 number)
{
    rk_byte *arena = runtime->arena.base;
    rk_pool *pool = (rk_pool *)(arena + at);
    pool->block_size = block_size;
    pool->block_count = blocks;
    pool->number = number;
    pool->free_list = at + sizeof *pool;
    rk_u64 end = pool->free_list + align_up(4ull * blocks, RK_LINE);
    rk_lane_plan returns = { .capacity = return_capacity(blocks),
                             .slot_size = RK_SLOT_MIN,
                             .header_size = RK_HEADER_SHORT };
    const rk_u32 sides = runtime->arena.device_from ? 2 : 1;
    for (rk_u32 side = 0; side < sides; side++) {
        pool->returns[0] = side ? pool->returns[0] : end;
        pool->returns[1] = end;
        rk_layout_ring(arena, (rk_ring *)(arena + end), &returns, end + align_up(sizeof(rk_ring), RK_LINE));
        end += return_bytes(blocks);
    }
    pool->blocks = end;
    for (rk_u32 b = 0; b < blocks; b++) ((rk_u32 *)(void *)(arena + pool->free_list))[b] = blocks - 1 - b;
    pool->free_count = blocks;
    ((rk_u64 *)(void *)(arena + runtime->pool_table))[number] = at;
}

/* Enter the pools into the list, with numbers that nobody has. 0: there are none left. */
static int take_numbers(rk_runtime *runtime, rk_pools *pools)
{
    rk_pools **link = &runtime->pools;
    pools->first = 0;
    while (*link && (*link)->first - pools->first < pools->count) {
        pools->first = (*link)->first + (*link)->count;
        link = &(*link)->next;
    }
    if (!*link && RK_POOLS_MAX - pools->first < pools->count) return 0;
    pools->next = *link;
    *link = pools;
    return 1;
}

int rk_pools_make(rk_host_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_layout *l = &kernel->layout;
    rk_u32 shards = kernel->options.shards;
    kernel->pools = 0;
    if (!l->pool_blocks) return 1;
    rk_pools *pools = calloc(1, sizeof *pools);
    if (!pools) return 0;
    pools->count = shards + 1;
    pools->in_use = 1;
    pools->base = rk_arena_take(&runtime->arena, RK_NEAR_HOST, rk_pools_bytes(l, shards));
    if (!pools->base || !take_numbers(runtime, pools)) {
        if (pools->base) rk_arena_give(&runtime->arena, pools->base);
        free(pools);
        return 0;
    }
    rk_u64 at = pools->base;
    for (rk_u32 s = 0; s < shards; s++) {
        rk_shard *shard = (rk_shard *)(runtime->arena.base + rk_layout_part(l, RK_NEAR_DEVICE, s));
        place_pool(runtime, at, l->out_block, l->pool_blocks, pools->first + s);
        shard->pool = at;
        at += pool_bytes(l->out_block, l->pool_blocks, l->device);
    }
    l->host_pool = at;
    if (l->in_block) place_pool(runtime, at, l->in_block, l->pool_blocks, pools->first + shards);
    kernel->pools = pools;
    if (rk_store(runtime, runtime->pool_table + 8ull * pools->first, 8ull * pools->count) == RK_OK) return 1;
    rk_pools_leave(kernel);
    return 0;
}

/* Are all blocks of a pool back? */
static int is_whole(rk_runtime *runtime, rk_u32 number)
{
    rk_pool *pool = (rk_pool *)rk_pool_at(runtime, number);
    rk_pool_collect(pool, runtime->arena.base);
    return pool->free_count == pool->block_count;
}

void rk_pools_sweep(rk_runtime *runtime)
{
    rk_u64 *table = (rk_u64 *)(void *)(runtime->arena.base + runtime->pool_table);
    for (rk_pools **link = &runtime->pools; *link;) {
        rk_pools *pools = *link;
        rk_u32 whole = !pools->in_use;
        for (rk_u32 i = 0; i < pools->count && whole; i++)
            whole = !table[pools->first + i] || is_whole(runtime, pools->first + i);
        if (!whole) {
            link = &pools->next;
            continue;
        }
        for (rk_u32 i = 0; i < pools->count; i++) table[pools->first + i] = 0;
        rk_arena_give(&runtime->arena, pools->base);
        *link = pools->next;
        free(pools);
    }
}

void rk_pools_leave(rk_host_kernel *kernel)
{
    if (!kernel->pools) return;
    kernel->pools->in_use = 0;
    kernel->pools = 0;
    rk_pools_sweep(kernel->runtime);
}

/* ------------------------------------------------------------------ blocks of a kernel that goes */

rk_header *rk_handled_message(const rk_seat *seat, rk_u64 ring_offset, rk_u64 index)
{
    rk_turn *turn = &seat->shard->turn;
    for (rk_u32 v = 0; v < turn->views; v++) {
        rk_view *view = &turn->view[v];
        if (view->ring == ring_offset && !view->committed && index - view->index < view->n)
            return (rk_header *)(void *)rk_view_slot(view, seat->owner->runtime->arena.base,
                                                     (rk_u32)(index - view->index));
    }
    return 0;
}

static void give_back(const rk_runtime *runtime, const rk_reference *reference)
{
    rk_pool_give_back(rk_pool_at(runtime, reference->pool), runtime->arena.base, reference->block);
}

/* The message of the batch that came with this block, and lent it to a staged send; 0: none. */
static rk_header *lender_of(const rk_seat *seat, const rk_reference *reference)
{
    rk_turn *turn = &seat->shard->turn;
    for (rk_u32 v = 0; v < turn->views; v++)
        for (rk_u32 i = 0; i < turn->view[v].n; i++) {
            rk_byte *slot = rk_view_slot(&turn->view[v], seat->owner->runtime->arena.base, i);
            rk_header *header = (rk_header *)(void *)slot;
            const rk_reference *own = (const rk_reference *)(const void *)(slot + turn->view[v].header_size);
            if ((header->flags & RK_FLAG_REFERENCE) && (header->flags & RK_FLAG_KEPT) &&
                own->pool == reference->pool && own->block == reference->block)
                return header;
        }
    return 0;
}

void rk_blocks_unstage(const rk_seat *seat)
{
    const rk_runtime *runtime = seat->owner->runtime;
    rk_turn *turn = &seat->shard->turn;
    for (; turn->published < turn->staged; turn->published++) {
        const rk_staged *entry = rk_stage_entry(runtime->arena.base + seat->shard->stage,
                                                seat->shard->stage_stride, turn->published);
        const rk_reference *reference = (const rk_reference *)(const void *)(entry + 1);
        if (!(entry->header.base.flags & RK_FLAG_REFERENCE)) continue;
        if (entry->copied == RK_COPY_MADE) give_back(runtime, reference++); /* the original waits behind it */
        rk_header *lender = lender_of(seat, reference);
        if (lender)
            lender->flags &= (rk_u8)~RK_FLAG_KEPT;
        else
            give_back(runtime, reference);
    }
}

void rk_blocks_release(const rk_seat *seat, rk_u64 ring_offset, rk_u64 first, rk_u64 end)
{
    const rk_runtime *runtime = seat->owner->runtime;
    const rk_ring *ring = (const rk_ring *)(const void *)(runtime->arena.base + ring_offset);
    for (rk_u64 i = first; i != end; i++) {
        rk_image image;
        const rk_byte *message = rk_incoming(ring, runtime->arena.base, i, &image);
        if (!message) continue; /* claimed, never published */
        const rk_header *handled = rk_handled_message(seat, ring_offset, i);
        const rk_header *header = handled ? handled : (const rk_header *)(const void *)message;
        if ((header->flags & (RK_FLAG_REFERENCE | RK_FLAG_KEPT)) != RK_FLAG_REFERENCE) continue;
        give_back(runtime, (const rk_reference *)(const void *)(message + ring->header_size));
    }
}

void rk_blocks_release_all(const rk_host_kernel *kernel)
{
    const rk_runtime *runtime = kernel->runtime;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        const rk_seat *seat = &kernel->seats[s];
        rk_blocks_unstage(seat);
        for (rk_u32 w = RK_LANE_HOST; w <= RK_LANE_OUT; w++) {
            const rk_lane *lane = rk_seat_lane(seat, w);
            for (rk_u32 b = 0; b < lane->bands; b++) {
                const rk_ring *ring = rk_lane_ring(lane, runtime->arena.base, b);
                rk_blocks_release(seat, lane->rings[b], rk_ring_oldest(ring), ring->tail);
            }
        }
    }
}
