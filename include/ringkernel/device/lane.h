/* The lane: a ring with its policy, or four of them when priorities are on.
 *
 * The policy runs on the producing side alone. Plain FIFO with Block, Reject or DropNewest and no window is
 * `open`: producers claim, fill and publish without a lock. A window, priority bands or DropOldest make the
 * lane `locked`: a send is one critical section of the producers, and the consumer never takes part in it. A
 * producer moves no index of the consumer: it evicts by a mark of its own (`evicted`), and the consumer alone
 * judges whether it took a message or lost it, so delivered + evicted = accepted whoever wins the race. */
#ifndef RINGKERNEL_DEVICE_LANE_H
#define RINGKERNEL_DEVICE_LANE_H

#include "../status.h"
#include "stamp.h"

#define RK_BACKPRESSURE_BLOCK 0u       /* wait for room, up to a deadline */
#define RK_BACKPRESSURE_REJECT 1u      /* answer RK_FULL */
#define RK_BACKPRESSURE_DROP_OLDEST 2u /* evict the oldest of the lowest band */
#define RK_BACKPRESSURE_DROP_NEWEST 3u /* answer RK_DROPPED */

#define RK_BANDS 4u

/* Sends that did not end in the lane, by reason. */
#define RK_REFUSED_FULL 0u
#define RK_REFUSED_DROPPED 1u
#define RK_REFUSED_DUPLICATE 2u
#define RK_REFUSED_TIMED_OUT 3u
#define RK_REFUSED_CLOSED 4u
#define RK_REFUSED_INVALID 5u
#define RK_REFUSED_KINDS 6u

typedef struct rk_lane {
    /* Constants. */
    rk_u64 rings[RK_BANDS]; /* arena offsets; without priority only the first is there */
    rk_u64 window_ids;      /* arena offset: the last `window` accepted ids, a ring of u64 */
    rk_u64 window_table;    /* arena offset: the same ids hashed, open addressing, 0 is empty */
    rk_u32 window;          /* ids remembered; 0: no deduplication */
    rk_u32 window_mask;     /* entries of the table - 1 */
    rk_u32 capacity;        /* messages in all bands together */
    rk_u32 bands;           /* 1 or RK_BANDS */
    rk_u32 strategy;        /* RK_BACKPRESSURE_* */
    rk_u32 locked;
    rk_u8 boundary[4]; /* priorities below boundary[0] are band 0, and so on; [3] unused */
    rk_u32 owner;      /* kernel whose inbox (or out lane) it is */
    rk_u32 shard;
    rk_u32 closed; /* 1: takes nothing any more (written by the owner) */
    rk_u8 constants_[40];

    /* Producers. */
    rk_u32 lock;
    rk_u32 producers_;
    rk_u64 window_count; /* ids remembered so far */
    rk_u64 refused[RK_REFUSED_KINDS];
    rk_u8 producers_rest_[64];
} rk_lane;

RK_STATIC_ASSERT(sizeof(rk_lane) == 2 * RK_LINE, "a lane is two lines");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_lane, lock) == RK_LINE, "producers' line");
RK_STATIC_ASSERT(RK_OFFSET_OF(rk_lane, window) == 48 && RK_OFFSET_OF(rk_lane, boundary) == 72 &&
                     RK_OFFSET_OF(rk_lane, closed) == 84 && RK_OFFSET_OF(rk_lane, refused) == RK_LINE + 16,
                 "a lane's constants and counts");

RK_FN RK_GLOBAL rk_ring *rk_lane_ring(RK_GLOBAL const rk_lane *lane, rk_byte *arena, rk_u32 band)
{
    return (RK_GLOBAL rk_ring *)(arena + lane->rings[band]);
}

RK_FN rk_u32 rk_lane_band(RK_GLOBAL const rk_lane *lane, rk_u32 priority)
{
    if (lane->bands == 1) return 0;
    return (priority >= lane->boundary[0]) + (priority >= lane->boundary[1]) +
           (priority >= lane->boundary[2]);
}

RK_FN void rk_lane_refuse(RK_GLOBAL rk_lane *lane, rk_u32 kind, rk_u32 count)
{
    rk_add_u64(&lane->refused[kind], count, RK_RELAXED, RK_SCOPE_DEVICE);
}

/* The first index of a ring that is still live as far as a producer knows. */
RK_FN rk_u64 rk_ring_oldest(RK_GLOBAL const rk_ring *ring)
{
    rk_u64 head = rk_load_u64(&ring->head, RK_ACQUIRE, RK_SCOPE_DEVICE); /* P1 */
    rk_u64 evicted = rk_load_u64(&rk_ring_far(ring)->evicted, RK_RELAXED, RK_SCOPE_SYSTEM);
    return rk_index_ahead(evicted, head) > 0 ? evicted : head;
}

/* What a lane holds, in one look at each of its rings. */
typedef struct rk_lane_live {
    rk_u32 depth;  /* messages queued in all bands */
    rk_u32 lowest; /* the lowest band that has any; meaningful when depth is not 0 */
    rk_u64 oldest; /* the index of that band's oldest */
} rk_lane_live;

RK_FN rk_lane_live rk_lane_look(RK_GLOBAL const rk_lane *lane, rk_byte *arena)
{
    rk_lane_live live = { 0, 0, 0 };
    for (rk_u32 band = 0; band < lane->bands; band++) {
        RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, arena, band);
        rk_u64 oldest = rk_ring_oldest(ring);
        rk_i64 queued =
            rk_index_ahead(rk_load_u64(&rk_ring_far(ring)->tail, RK_ACQUIRE, RK_SCOPE_SYSTEM), oldest);
        if (queued <= 0) continue;
        if (live.depth == 0) {
            live.lowest = band;
            live.oldest = oldest;
        }
        live.depth += (rk_u32)queued;
    }
    return live;
}

/* Messages queued, as far as the caller can know. Exact at rest. */
RK_FN rk_u32 rk_lane_depth(RK_GLOBAL const rk_lane *lane, rk_byte *arena)
{
    return rk_lane_look(lane, arena).depth;
}

/* ------------------------------------------------------------------ the lock of the producers */

RK_FN void rk_lane_lock(RK_GLOBAL rk_lane *lane)
{
    for (rk_u32 round = 0;; round++) {
        if (rk_load_u32(&lane->lock, RK_RELAXED, RK_SCOPE_DEVICE) == 0 &&
            rk_exchange_u32(&lane->lock, 1, RK_ACQUIRE, RK_SCOPE_DEVICE) == 0) /* L1 pairs with L2 */
            return;
        rk_port_spin(round);
    }
}

RK_FN void rk_lane_unlock(RK_GLOBAL rk_lane *lane)
{
    rk_store_u32(&lane->lock, 0, RK_RELEASE, RK_SCOPE_DEVICE); /* L2 */
}

/* ------------------------------------------------------------------ the window of ids */

RK_FN rk_u64 rk_hash64(rk_u64 x)
{
    /* Stafford's variant 13 of the 64-bit finaliser of MurmurHash3, as in SplitMix64. */
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ul;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebul;
    return x ^ (x >> 31);
}

/* Where an id is, or the empty place where it would go. */
RK_FN rk_u32 rk_window_find(RK_GLOBAL const rk_u64 *table, rk_u32 mask, rk_u64 id)
{
    rk_u32 at = (rk_u32)rk_hash64(id) & mask;
    while (table[at] != 0 && table[at] != id) at = (at + 1u) & mask;
    return at;
}

/* Take an id out without leaving a tombstone: later entries of its run move up (Knuth, TAOCP 3, 6.4,
 * algorithm R). */
RK_FN void rk_window_forget(RK_GLOBAL rk_u64 *table, rk_u32 mask, rk_u64 id)
{
    rk_u32 hole = rk_window_find(table, mask, id);
    rk_u32 at = hole;
    for (;;) {
        at = (at + 1u) & mask;
        if (table[at] == 0) break;
        rk_u32 home = (rk_u32)rk_hash64(table[at]) & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table[hole] = table[at];
            hole = at;
        }
    }
    table[hole] = 0;
}

RK_FN void rk_window_remember(RK_GLOBAL rk_lane *lane, rk_byte *arena, rk_u64 id)
{
    RK_GLOBAL rk_u64 *ids = (RK_GLOBAL rk_u64 *)(arena + lane->window_ids);
    RK_GLOBAL rk_u64 *table = (RK_GLOBAL rk_u64 *)(arena + lane->window_table);
    rk_u32 place = (rk_u32)(lane->window_count % lane->window);
    if (lane->window_count >= lane->window) rk_window_forget(table, lane->window_mask, ids[place]);
    ids[place] = id;
    table[rk_window_find(table, lane->window_mask, id)] = id;
    lane->window_count++;
}

/* ------------------------------------------------------------------ sends */

/* Write one message into a claimed slot, in the lane's format, and show it. The payload is read in whole
 * words where rk_overwrite and rk_unit_write say so. */
RK_FN_LARGE void rk_ring_put(RK_GLOBAL const rk_ring *ring, rk_byte *arena, rk_u64 index,
                             RK_GLOBAL const rk_u32 *header, RK_GLOBAL const void *payload, rk_u32 length)
{
    rk_byte *slot = rk_ring_slot(ring, arena, index);
    if (ring->overwritten && ring->format == RK_FORMAT_SEQ) {
        rk_overwrite(ring, slot, index, header, (RK_GLOBAL const rk_u32 *)payload, length);
    } else if (ring->format == RK_FORMAT_UNIT) {
        rk_unit_write(ring, slot, index, header, (RK_GLOBAL const rk_u32 *)payload, length);
    } else {
        rk_seq_write(ring, slot, header, payload, length);
        rk_ring_publish(ring, slot, index);
    }
}

/* One send under the lock of the producers. `header` is in the lane's form; `now_ns` is for its stamp, 0: it gets none.
 *   RK_OK         in the lane
 *   RK_FULL       no room (Reject; under Block the caller waits and tries again): nothing is remembered
 *   RK_DROPPED    no room, and the arrival is the one that goes
 *   RK_DUPLICATE  the id was accepted within the window */
RK_FN_LARGE rk_status rk_lane_put_locked(RK_GLOBAL rk_lane *lane, rk_byte *arena,
                                         RK_GLOBAL const rk_u32 *header, RK_GLOBAL const void *payload,
                                         rk_u32 length, rk_u64 now_ns)
{
    rk_u32 priority = (((RK_GLOBAL const rk_word *)header)[3] >> 16) & 0xffu;
    rk_u32 band = rk_lane_band(lane, priority);
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, arena, band);
    rk_u64 id = lane->window ? ((RK_GLOBAL const rk_header_long *)header)->id : 0;
    rk_status status = RK_OK;

    rk_lane_lock(lane);
    if (id) {
        RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(arena + lane->window_table);
        if (table[rk_window_find(table, lane->window_mask, id)] == id) status = RK_DUPLICATE;
    }
    rk_lane_live live = { 0, 0, 0 };
    if (status == RK_OK) live = rk_lane_look(lane, arena);
    if (live.depth >= lane->capacity) {
        if (lane->strategy == RK_BACKPRESSURE_DROP_NEWEST) {
            status = RK_DROPPED;
        } else if (lane->strategy == RK_BACKPRESSURE_DROP_OLDEST) {
            /* The oldest of the look that found the lane full: should the consumer have taken it since, the
             * mark says nothing and nobody is evicted. A second look could find the lane empty, and evict the
             * arrival. */
            RK_GLOBAL rk_ring *victim = rk_lane_ring(lane, arena, live.lowest);
            if (live.lowest > band)
                status = RK_DROPPED;
            else
                rk_store_u64(&victim->evicted, live.oldest + 1u, RK_RELEASE,
                             RK_SCOPE_DEVICE); /* E1, see E2 */
        } else {
            status = RK_FULL;
        }
    }
    if (status == RK_OK) {
        rk_u64 index = ring->tail;
        rk_store_u64(&ring->tail, index + 1u, RK_RELEASE, RK_SCOPE_DEVICE);
        rk_ring_stamp(ring, index, 1, now_ns);
        rk_ring_put(ring, arena, index, header, payload, length);
        if (id) rk_window_remember(lane, arena, id);
    }
    rk_lane_unlock(lane);
    return status;
}

#endif
