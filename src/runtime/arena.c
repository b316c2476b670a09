#include <ringkernel/status.h>

#include "arena.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "error.h"

#define PAGE 4096u

rk_status rk_arena_no_addresses(rk_u64 size)
{
    return rk_error(
        RK_OUT_OF_MEMORY,
        "can't reserve %llu MiB of address space: raise the limit (ulimit -v) or lower memory_ceiling",
        (unsigned long long)(size >> 20));
}

rk_status rk_arena_open(rk_arena *arena, rk_u64 size, rk_u64 ceiling)
{
    void *base = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return rk_arena_no_addresses(size);
    *arena = (rk_arena){ .base = base, .size = size, .ceiling = ceiling };
    return RK_OK;
}

void rk_arena_forget(rk_arena *arena)
{
    while (arena->blocks) {
        rk_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

void rk_arena_close(rk_arena *arena)
{
    rk_arena_forget(arena);
    munmap(arena->base, arena->size);
}

/* From the first byte of a memory to the one behind its last. */
static void find_memory(const rk_arena *arena, rk_u32 near, rk_u64 *from, rk_u64 *end)
{
    *from = PAGE; /* offset 0 stands for "none" */
    *end = arena->device_from ? arena->device_from : arena->size;
    if (near < RK_NEAR_DEVICE || !arena->device_from) return;
    *from = arena->device_from + (near - RK_NEAR_DEVICE) * arena->device_part;
    *end = *from + arena->device_part;
}

rk_u64 rk_arena_largest(const rk_arena *arena, rk_u32 near)
{
    rk_u64 at, end, largest = 0;
    find_memory(arena, near, &at, &end);
    for (const rk_arena_block *block = arena->blocks; block && block->offset < end; block = block->next) {
        if (block->offset < at) continue;
        if (block->offset - at > largest) largest = block->offset - at;
        at = block->offset + block->size;
    }
    return end - at > largest ? end - at : largest;
}

rk_u64 rk_arena_take(rk_arena *arena, rk_u32 near, rk_u64 size)
{
    rk_u64 at, end;
    size = (size + PAGE - 1) / PAGE * PAGE;
    if (size > arena->ceiling || arena->taken > arena->ceiling - size) return 0;
    find_memory(arena, near, &at, &end);
    rk_arena_block **link = &arena->blocks;
    for (; *link && (*link)->offset < end; link = &(*link)->next) {
        if ((*link)->offset < at) continue;
        if ((*link)->offset - at >= size) break;
        at = (*link)->offset + (*link)->size;
    }
    if (end - at < size) return 0;
    if (arena->provide && arena->provide(arena, at, size) != RK_OK) return 0;
    rk_arena_block *block = malloc(sizeof *block);
    if (!block) return 0;
    block->offset = at;
    block->size = size;
    block->next = *link;
    *link = block;
    arena->taken += size;
    return at;
}

void rk_arena_give(rk_arena *arena, rk_u64 offset)
{
    for (rk_arena_block **link = &arena->blocks; *link; link = &(*link)->next) {
        rk_arena_block *block = *link;
        if (block->offset != offset) continue;
        if (arena->given)
            arena->given(arena, block->offset, block->size);
        else
            madvise(arena->base + block->offset, block->size, MADV_DONTNEED);
        arena->taken -= block->size;
        *link = block->next;
        free(block);
        return;
    }
}
