/* Hot memory: what a turn works on, in the block's own memory for as long as the block stays.
 *
 * Staged sends and copies of messages are written and read once a turn. Where they fit the block's shared memory,
 * the shard's offsets lead there while the block serves it, and home again when it leaves: offsets wrap, so any
 * address is the arena's base and some offset. A turn that is half out is carried home.
 *
 * A stride of whole cache lines would put all threads' entries into the same banks: in the block's memory entries
 * lie eight bytes farther apart. */
#ifndef RINGKERNEL_DEVICE_HOT_H
#define RINGKERNEL_DEVICE_HOT_H

#include "unit.h"

#include "stage.h"

#define RK_HOT_APART 8u
#define RK_HOT_MOST (160u << 10) /* bytes of a block's memory that are taken for it */

/* Which of the two have their place in `room` bytes. */
typedef struct rk_hot_plan {
    rk_u32 copies, stage; /* bytes; 0: stays at home */
} rk_hot_plan;

RK_FN rk_hot_plan rk_hot_plan_for(RK_GLOBAL const rk_shard *shard, rk_u32 room)
{
    rk_u64 copies = (rk_u64)shard->max_batch << shard->copy_shift;
    rk_u64 stage = (rk_u64)(shard->stage_stride + RK_HOT_APART) * shard->stage_capacity;
    rk_hot_plan plan = { 0, 0 };
    stage = (stage + 15u) & ~15ul;
    if (copies <= room) plan.copies = (rk_u32)copies;
    if (stage <= room - plan.copies) plan.stage = (rk_u32)stage;
    return plan;
}

#if defined(RK_LANG_CUDA)

/* Where they are at home. */
typedef struct rk_home {
    rk_u64 copies, stage;
    rk_u32 stride;
    rk_u32 out; /* 1: they are in the block's memory */
} rk_home;

RK_FN rk_u32 rk_block_memory_size(void)
{
    rk_u32 bytes;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
    return bytes;
}

/* Lead the shard's offsets into the block's memory, from `used` bytes on. Not with a turn half out: that lies at
 * home already. All threads; ends in a barrier. */
RK_FN rk_home rk_hot_open(rk_entry *entry, RK_GLOBAL rk_shard *shard, rk_u32 used)
{
    rk_home home = { shard->copies, shard->stage, shard->stage_stride, 0 };
    rk_u32 size = rk_block_memory_size();
    rk_hot_plan plan = rk_hot_plan_for(shard, size > used ? size - used : 0u);
    rk_u8 *at = entry->context.shared + used;
    home.out = shard->turn.n == 0 && shard->turn.staged == 0 && (plan.copies || plan.stage);
    RK_PORT_BLOCK_BARRIER();
    if (entry->thread == 0 && home.out) {
        if (plan.copies) shard->copies = (rk_u64)(at - entry->context.arena);
        if (plan.stage) {
            shard->stage = (rk_u64)(at + plan.copies - entry->context.arena);
            shard->stage_stride += RK_HOT_APART;
        }
    }
    RK_PORT_BLOCK_BARRIER();
    return home;
}

RK_FN void rk_hot_carry(rk_entry *entry, rk_byte *to, const rk_u8 *from, rk_u32 bytes)
{
    for (rk_u32 at = entry->thread * 4u; at < bytes; at += entry->threads * 4u)
        *(rk_word *)(to + at) = *(const rk_word *)(from + at);
}

/* Back home, with what a turn has there. All threads; ends in a barrier. */
RK_FN void rk_hot_close(rk_entry *entry, RK_GLOBAL rk_shard *shard, const rk_home *home)
{
    rk_byte *arena = entry->context.arena;
    RK_GLOBAL rk_turn *turn = &shard->turn;
    if (!home->out) return;
    RK_PORT_BLOCK_BARRIER();
    if (turn->n) rk_hot_carry(entry, arena + home->copies, arena + shard->copies, turn->copied << shard->copy_shift);
    for (rk_u32 i = 0; i < turn->staged && shard->stage != home->stage; i++)
        rk_hot_carry(entry, arena + home->stage + (rk_u64)i * home->stride,
                     arena + shard->stage + (rk_u64)i * shard->stage_stride, home->stride);
    RK_PORT_BLOCK_BARRIER();
    if (entry->thread == 0) {
        for (rk_u32 v = 0; v < turn->views; v++)
            if (turn->view[v].base == shard->copies) turn->view[v].base = home->copies;
        shard->copies = home->copies;
        shard->stage = home->stage;
        shard->stage_stride = home->stride;
    }
    RK_PORT_BLOCK_BARRIER();
}

#endif
#endif
