/* The arena: one reserved range of addresses, suballocated. What is shared holds offsets into it, not
 * pointers.
 *
 * Pages are given to the system again when a block is freed, so what is allocated is always zero. Not
 * thread-safe: the runtime's control lock is held. */
#ifndef RK_RUNTIME_ARENA_H
#define RK_RUNTIME_ARENA_H

#include <ringkernel/device/ring.h>

typedef struct rk_arena_block {
    rk_u64 offset, size;
    struct rk_arena_block *next; /* by offset */
} rk_arena_block;

typedef struct rk_arena {
    rk_byte *base;
    rk_u64 size;    /* reserved */
    rk_u64 ceiling; /* most that may be taken at once */
    rk_u64 taken;
    rk_arena_block *blocks; /* taken, by offset */
} rk_arena;

rk_status rk_arena_open(rk_arena *arena, rk_u64 size, rk_u64 ceiling);
void rk_arena_close(rk_arena *arena);
/* `size` zeroed bytes at a multiple of 4096; 0: over the ceiling, or no gap is large enough (offset 0 is
 * never given). */
rk_u64 rk_arena_take(rk_arena *arena, rk_u64 size);
void rk_arena_give(rk_arena *arena, rk_u64 offset);

#endif
