/* Stamps: when some of a ring's messages were published, so that waiting times are known without a word in each message.
 *
 * One message in 64 is stamped, and of a ring with more than 1,024 slots one in a sixteenth of them: so each stamped message
 * that a ring can hold has a place of its own, which is written by who has claimed its slot, before the slot. A stamp is one
 * word, the low 16 bits of its message's number among the stamped ones and the low 48 of the time, and proves itself: who
 * takes the message and finds another's there, since the word is still on its way, learns nothing, and nobody waits. */
#ifndef RINGKERNEL_DEVICE_STAMP_H
#define RINGKERNEL_DEVICE_STAMP_H

#include "ring.h"

#define RK_STAMP_SHIFT 6u /* one in 64, at most */
#define RK_STAMP_TIME_BITS 48u
#define RK_STAMP_TIME ((1ul << RK_STAMP_TIME_BITS) - 1u)
#define RK_STAMP_UNKNOWN (~(rk_u64)0)

#if defined(RK_LANG_HOST)
RK_FN rk_u32 rk_stamp_shift_for(rk_u32 capacity)
{
    rk_u32 shift = RK_STAMP_SHIFT;
    while ((RK_STAMPS << shift) < capacity) shift++;
    return shift;
}
#endif

/* Messages from index `first` on until one is stamped; 0: it is. `shift` is the ring's stamp_shift. */
RK_FN rk_u32 rk_stamp_ahead(rk_u32 shift, rk_u32 first) { return (0u - first) & ((1u << shift) - 1u); }

/* Its number, from 1 on, so that a place where nothing was written yet is no stamp. */
RK_FN rk_u64 rk_stamp_number(rk_u32 shift, rk_u32 index)
{
    return (rk_u64)((index >> shift) + 1u) << RK_STAMP_TIME_BITS;
}

RK_FN rk_u32 rk_stamp_place(rk_u32 shift, rk_u32 index) { return (index >> shift) % RK_STAMPS; }

/* Is one of these messages stamped? */
RK_FN rk_u32 rk_ring_stamp_due(RK_GLOBAL const rk_ring *ring, rk_u64 first, rk_u32 count)
{
    return rk_stamp_ahead(ring->stamp_shift, (rk_u32)first) < count;
}

/* Of `count` claimed messages from `first` on, those that are to be stamped are; none if now_ns is 0. */
RK_FN void rk_ring_stamp(RK_GLOBAL rk_ring *ring, rk_u64 first, rk_u32 count, rk_u64 now_ns)
{
    const rk_u32 shift = ring->stamp_shift;
    if (now_ns == 0) return;
    for (rk_u32 i = rk_stamp_ahead(shift, (rk_u32)first); i < count; i += 1u << shift) {
        const rk_u32 index = (rk_u32)first + i;
        rk_store_u64(&ring->stamp[rk_stamp_place(shift, index)],
                     rk_stamp_number(shift, index) | (now_ns & RK_STAMP_TIME), RK_RELAXED, RK_SCOPE_SYSTEM);
    }
}

/* How long the message of `index` has waited, by the word at its place; RK_STAMP_UNKNOWN if that is another's. 0 if
 * the clock of who stamped it is ahead. */
RK_FN rk_u64 rk_stamp_age(rk_u64 word, rk_u32 shift, rk_u32 index, rk_u64 now_ns)
{
    if ((word & ~RK_STAMP_TIME) != rk_stamp_number(shift, index) || word == 0) return RK_STAMP_UNKNOWN;
    const rk_u64 age = (now_ns - word) & RK_STAMP_TIME;
    return age >> (RK_STAMP_TIME_BITS - 1u) ? 0 : age;
}

#endif
