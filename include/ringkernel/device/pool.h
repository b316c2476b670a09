/* Pools: where payloads live that don't fit a slot.
 *
 * A pool belongs to one sending side, which alone takes blocks. A reference travels once: it may be
 * forwarded, but copies for several targets get blocks of their own, so there is nothing to count. A consumer
 * that is done with a block pushes its number into the pool's return ring, which has a place for every block,
 * so giving back never waits; the owner takes returns in when it has no free block. */
#ifndef RINGKERNEL_DEVICE_POOL_H
#define RINGKERNEL_DEVICE_POOL_H

#include "ring.h"

typedef struct rk_pool {
    /* Constants. */
    rk_u64 blocks;     /* arena offset of block 0 */
    rk_u64 free_list;  /* arena offset: u32 per block, the free ones as a stack */
    rk_u64 returns[2]; /* arena offsets of the rings of returned blocks: by the host, by devices */
    rk_u64 block_size; /* bytes, a multiple of 128 */
    rk_u32 block_count;
    rk_u32 number; /* index into the runtime's table of pools */
    rk_u8 constants_[80];
    /* The owner's. */
    rk_u32 lock; /* the owner may be several threads of one side */
    rk_u32 free_count;
    rk_u8 owner_[120];
} rk_pool;
RK_STATIC_ASSERT(sizeof(rk_pool) == 2 * RK_LINE, "a pool is two lines");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_pool, returns) == 16 && RK_OFFSET_OF(rk_pool, number) == 44 &&
                     RK_OFFSET_OF(rk_pool, lock) == RK_LINE,
                 "a pool's constants and its owner's line");

#define RK_POOL_NONE 0xffffffffu

RK_FN rk_byte *rk_pool_block(RK_GLOBAL const rk_pool *pool, rk_byte *arena, rk_u32 block)
{
    return arena + pool->blocks + (rk_u64)block * pool->block_size;
}

/* Over a bus the number of a block and its lap are one unit. */
#if defined(RK_HAS_UNIT)
RK_FN void rk_return_write(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index, rk_u32 block)
{
    rk_unit unit = { { rk_ring_lap(ring, index), 0, block, 0 } };
    rk_store_unit((RK_GLOBAL rk_unit *)slot, unit);
}
RK_FN rk_u32 rk_return_read(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index, rk_u32 *block)
{
    rk_unit unit = rk_load_unit((RK_GLOBAL const rk_unit *)slot);
    *block = unit.word[2];
    return unit.word[0] == rk_ring_lap(ring, index);
}
#else
RK_FN void rk_return_write(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index, rk_u32 block)
{
    ((RK_GLOBAL rk_header *)slot)->target = block;
    rk_ring_publish(ring, slot, index);
}
RK_FN rk_u32 rk_return_read(RK_GLOBAL const rk_ring *ring, rk_byte *slot, rk_u64 index, rk_u32 *block)
{
    rk_u32 there =
        rk_load_u32((RK_GLOBAL rk_u32 *)slot, RK_ACQUIRE, RK_SCOPE_DEVICE) == rk_ring_lap(ring, index);
    *block = ((RK_GLOBAL const rk_header *)slot)->target;
    return there;
}
#endif

/* Take in what consumers gave back. Owner only, under its lock. */
RK_FN void rk_pool_collect(RK_GLOBAL rk_pool *pool, rk_byte *arena)
{
    RK_GLOBAL rk_u32 *free_list = (RK_GLOBAL rk_u32 *)(arena + pool->free_list);
    for (rk_u32 side = 0; side < 2u; side++) {
        RK_GLOBAL rk_ring *returns = (RK_GLOBAL rk_ring *)(arena + pool->returns[side]);
        rk_u64 head = returns->head;
        rk_u32 block;
        if (side && pool->returns[1] == pool->returns[0]) return;
        while (rk_return_read(returns, rk_ring_slot(returns, arena, head), head, &block)) {
            free_list[pool->free_count++] = block;
            head++;
        }
        if (head != returns->head) rk_ring_commit(returns, head);
    }
}

RK_FN void rk_pool_lock(RK_GLOBAL rk_pool *pool)
{
    for (rk_u32 round = 0; rk_exchange_u32(&pool->lock, 1, RK_ACQUIRE, RK_SCOPE_DEVICE) != 0; round++)
        rk_port_spin(round);
}

RK_FN void rk_pool_unlock(RK_GLOBAL rk_pool *pool)
{
    rk_store_u32(&pool->lock, 0, RK_RELEASE, RK_SCOPE_DEVICE);
}

/* A free block, or RK_POOL_NONE. */
RK_FN rk_u32 rk_pool_take(RK_GLOBAL rk_pool *pool, rk_byte *arena)
{
    rk_u32 block = RK_POOL_NONE;
    rk_pool_lock(pool);
    if (pool->free_count == 0) rk_pool_collect(pool, arena);
    if (pool->free_count) block = ((RK_GLOBAL const rk_u32 *)(arena + pool->free_list))[--pool->free_count];
    rk_pool_unlock(pool);
    return block;
}

/* Done with a block: any consumer, never waits. */
RK_FN void rk_pool_give_back(RK_GLOBAL const rk_pool *pool, rk_byte *arena, rk_u32 block)
{
#if defined(RK_LANG_HOST)
    const rk_u32 side = 0;
#else
    const rk_u32 side = 1;
#endif
    RK_GLOBAL rk_ring *returns = (RK_GLOBAL rk_ring *)(arena + pool->returns[side]);
    rk_claim claim = rk_ring_claim(returns, 1);
    while (claim.count == 0)
        claim = rk_ring_claim(returns, 1); /* has a place for each block: only a stale head can say no */
    rk_byte *slot = rk_ring_slot(returns, arena, claim.first);
    rk_return_write(returns, slot, claim.first, block);
}

#endif
