/* The arena: one reserved range of addresses, suballocated. What is shared holds offsets into it, not
 * pointers.
 *
 * Devices with memory of their own have the upper part, one behind the other: what the host finds at those
 * offsets is an image, which a backend brings up to date (fetch) and gives to the device (store). What is
 * allocated is always zero. Not thread-safe: the runtime's control lock is held. */
#ifndef RK_RUNTIME_ARENA_H
#define RK_RUNTIME_ARENA_H

#include <ringkernel/device/ring.h>

typedef struct rk_arena_block {
    rk_u64 offset, size;
    struct rk_arena_block *next; /* by offset */
} rk_arena_block;

#define RK_NEAR_HOST 0u /* the memory that host and device both reach */
#define RK_NEAR_DEVICE \
    1u /* the device's own, where it has some; of several + the device's place in the list */

typedef struct rk_arena {
    rk_byte *base;
    rk_u64 size;    /* reserved */
    rk_u64 ceiling; /* most that may be taken at once */
    rk_u64 taken;
    rk_u64 device_from;     /* where the first device's part begins; 0: there is one memory */
    rk_u64 device_part;     /* bytes of each device's */
    rk_arena_block *blocks; /* taken, by offset */
    /* Of a backend that has its own kind of memory; 0: pages come and go with their use. */
    rk_status (*provide)(struct rk_arena *arena, rk_u64 offset, rk_u64 size); /* there, and zero */
    void (*given)(struct rk_arena *arena, rk_u64 offset, rk_u64 size);        /* nobody has it any more */
    void *owner;
} rk_arena;

rk_status rk_arena_open(rk_arena *arena, rk_u64 size, rk_u64 ceiling);
/* Says that there are not so many addresses to reserve: RK_OUT_OF_MEMORY. */
rk_status rk_arena_no_addresses(rk_u64 size);
void rk_arena_close(rk_arena *arena);
/* The list of blocks is freed, the range stays. */
void rk_arena_forget(rk_arena *arena);
/* `size` zeroed bytes at a multiple of 4096; 0: over the ceiling, no gap is large enough, or the memory can't be
 * had (offset 0 is never given). */
rk_u64 rk_arena_take(rk_arena *arena, rk_u32 near, rk_u64 size);
void rk_arena_give(rk_arena *arena, rk_u64 offset);
/* Bytes of the largest gap of a memory; the ceiling is another matter. */
rk_u64 rk_arena_largest(const rk_arena *arena, rk_u32 near);

#endif
