/* The express looks at its lanes.
 *
 * A warp reads its share of the next slots in one go, four lanes to a slot of 64 bytes, and copies what is whole into the
 * block's own memory. Of a lane with bands all rings are looked at together. What is not plain (a hole, a
 * request, a large payload, a time to live) stays where it is, for the general visit. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_LOOK_H
#define RINGKERNEL_DEVICE_EXPRESS_LOOK_H

#include "block.h"
#include "express_room.h"

#if defined(RK_LANG_CUDA)

/* Where a unit slot has the time to live. */
#define RK_TTL_WORD (RK_OFFSET_OF(rk_header_long, ttl_us) / 4u - 1u)

#define RK_EXPRESS_ODD (RK_FLAG_HOLE | RK_FLAG_REFERENCE | RK_FLAG_REPLY | RK_FLAG_REQUEST)

/* The block's memory that the express has, and where. */
typedef struct rk_express_own {
    rk_express_room room;
    rk_u8 *fixed; /* rk_express, and RK_EXPRESS_AIM bytes behind it */
    rk_u8 *copies, *stage;
} rk_express_own;

RK_FN rk_express_own rk_express_own_of(const rk_entry *entry, RK_GLOBAL const rk_shard *shard)
{
    rk_express_own own;
    rk_u32 used = (shard->shared_size + 8u * entry->threads + 15u) & ~15u, size = rk_port_block_bytes();
    own.room = rk_express_room_for(shard, entry->threads, size > used ? size - used : 0u);
    own.fixed = entry->context.shared + used;
    own.copies = own.fixed + RK_EXPRESS_FIXED;
    own.stage = own.copies + own.room.messages * own.room.copy_stride;
    return own;
}

/* The same made from where the block's memory begins: of pointers from anywhere else the compiler would not know which
 * memory they are into, and accesses take twice as long. */
RK_FN rk_express_own rk_express_known(const rk_entry *entry, const rk_express_own *where)
{
    rk_express_own own;
    own.room = where->room;
    own.fixed = (rk_u8 *)rk_block_memory + (rk_u32)(where->fixed - entry->context.shared);
    own.copies = own.fixed + RK_EXPRESS_FIXED;
    own.stage = own.copies + own.room.messages * own.room.copy_stride;
    return own;
}

RK_FN rk_way rk_way_of(const rk_entry *entry, RK_GLOBAL rk_ring *ring)
{
    rk_way way;
    way.ring = ring;
    way.far = ring->far ? rk_ring_far(ring) : 0;
    way.slots = entry->context.arena + ring->slots;
    way.head = ring->head;
    way.mask = ring->mask;
    way.shift = ring->slot_shift;
    way.header_size = ring->header_size;
    way.counted = ring->counted;
    return way;
}

/* This warp looks at slots of a ring: those of place `at`, and of every `apart`-th further one, `deep` of them.
 * `most` messages fit the turn, whose copies begin with `copy`. `count` gets how many from each place on are whole. */
RK_FN void rk_express_look(rk_entry *entry, rk_express *x, const rk_express_own *own, const rk_way *way,
                           rk_u32 most, rk_u32 at, rk_u32 apart, rk_u32 deep, rk_u32 copy, rk_u32 *count)
{
    const rk_cut cut = rk_block_cut_slots(entry, 1u << way->shift);
    const rk_u32 head = (rk_u32)way->head, of_slot = (cut.lanes == 32u ? 0u : 1u << cut.lanes) - 1u;
    rk_unit unit[RK_EXPRESS_DEEP];
#pragma unroll
    for (rk_u32 d = 0; d < RK_EXPRESS_DEEP; d++) {
        rk_u32 i = (d * apart + at) * cut.slots + cut.slot, index = head + i;
        unit[d].word[0] = (index & ~way->mask) - 1u;
        if (d < deep && i < most)
            unit[d] = rk_load_unit(
                (const rk_unit *)(way->slots + ((rk_u64)(index & way->mask) << way->shift)) + cut.unit);
    }
#pragma unroll
    for (rk_u32 d = 0; d < RK_EXPRESS_DEEP; d++) {
        if (d >= deep) break;
        rk_u32 i = (d * apart + at) * cut.slots + cut.slot, index = head + i, lap = index & ~way->mask;
        rk_u32 fresh = unit[d].word[0] == lap;
        rk_u32 length = __shfl_sync(RK_ALL_LANES, unit[d].word[1] >> 16, cut.first_lane);
        rk_u32 begun = __shfl_sync(RK_ALL_LANES, fresh, cut.first_lane);
        rk_u32 count_of = rk_unit_count(way->header_size, length);
        rk_u32 odd = cut.unit == 0 ? unit[d].word[3] >> 24 & RK_EXPRESS_ODD : 0u;
        if (way->header_size == RK_HEADER_LONG && cut.unit == RK_TTL_WORD / 3u)
            odd = unit[d].word[1u + RK_TTL_WORD % 3u];
        odd = (__ballot_sync(RK_ALL_LANES, fresh && odd) >> cut.first_lane & of_slot) != 0 ||
              count_of > cut.lanes;
        rk_u32 whole = i < most && begun && !odd;
        if (whole && cut.unit < count_of) {
            rk_word *to = (rk_word *)(own->copies + (copy + i) * own->room.copy_stride);
            whole = fresh;
            if (cut.unit == 0) to[0] = lap;
            for (rk_u32 w = 0; w < 3u; w++) to[1u + 3u * cut.unit + w] = unit[d].word[1 + w];
        }
        rk_u32 broken = __ballot_sync(RK_ALL_LANES, !whole);
        if (entry->thread % 32u == 0) {
            count[d * apart + at] = broken ? ((rk_u32)__ffs((int)broken) - 1u) / cut.lanes : cut.slots;
            if (i == 0 && begun && odd) x->odd = 1;
        }
    }
}

/* How many messages all places together found, each as many as `slots`: those up to the first gap. */
RK_FN rk_u32 rk_express_found(const rk_u32 *count, rk_u32 places, rk_u32 slots, rk_u32 *full)
{
    rk_u32 lane = threadIdx.x % 32u;
    *full = 0;
    for (rk_u32 p = 0; p < places; p += 32u) {
        rk_u32 mine = p + lane < places ? count[p + lane] : 0u;
        rk_u32 gaps = __ballot_sync(RK_ALL_LANES, mine != slots);
        if (!gaps) continue;
        rk_u32 first = (rk_u32)__ffs((int)gaps) - 1u;
        *full = p + first >= places;
        return (p + first) * slots + __shfl_sync(RK_ALL_LANES, mine, first);
    }
    *full = 1;
    return places * slots;
}

/* The host's orders, with a look at its lane, by a warp. Returns whether they end the express. */
RK_FN rk_u32 rk_express_orders(rk_entry *entry, const rk_express *x)
{
    const rk_unit *orders = (const rk_unit *)entry->context.told;
    rk_u32 lane = entry->thread % 32u;
    if (lane < 4u) ((rk_unit *)entry->orders)[lane] = rk_load_unit(&orders[lane]);
    __syncwarp();
    return entry->orders->leave || entry->orders->command != RK_COMMAND_RUN ||
           entry->orders->faults != x->faults;
}

#endif
#endif
