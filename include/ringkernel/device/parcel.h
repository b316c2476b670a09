/* What a copy slice takes to a device and brings back: two parcels, one copy each.
 *
 * The host packs pieces of its half of the arena, whole messages among them, and for each shard the block that serves it
 * puts them where they belong before its first visit. Behind its last visit the block packs an answer: how far it came,
 * and what it sent to the host. So nobody but a launch ever touches the arena, and the next slice's parcel can travel
 * while a launch runs.
 *
 *     to the device   rk_parcel; rk_parcel_part for each shard; pieces, each an rk_parcel_piece and its units
 *     back            rk_answer for each shard; messages in whole slots
 *
 * Where both sides have one arena nothing travels: a parcel has no pieces, an answer no messages.
 *
 * Everything is counted in units of 16 bytes. */
#ifndef RINGKERNEL_DEVICE_PARCEL_H
#define RINGKERNEL_DEVICE_PARCEL_H

#include "shard.h"

typedef struct rk_parcel {
    rk_u32 slice; /* its number, which each answer repeats */
    rk_u32 used;  /* units of the way back that are given out: the blocks take from it */
    rk_u32 room;  /* units of the way back */
    rk_u32 begun; /* of a launch that stays: the blocks that have begun, and RK_PARCEL_REVOKED */
} rk_parcel;

/* Written by the host: no block begins any more. One whose driver starts it late touches nothing then. */
#define RK_PARCEL_REVOKED 0x80000000u

typedef struct rk_parcel_part {
    rk_u32 first; /* unit of the shard's first piece */
    rk_u32 pieces;
    rk_u32 most;   /* units that each of its lanes may take of the way back */
    rk_u32 shared; /* 1: its messages are where the host reads them */
} rk_parcel_part;

typedef struct rk_parcel_piece {
    rk_u64 at; /* where it belongs, an arena offset */
    rk_u32 units;
    rk_u32 rest_;
} rk_parcel_piece;

/* The lanes that lead to the host. */
#define RK_ANSWER_OUT 0u
#define RK_ANSWER_REPORT 1u
#define RK_ANSWER_LANES 2u

typedef struct rk_answer {
    rk_u32 slice; /* of the parcel that it answers */
    rk_u32 phase;
    rk_u32 visit;
    rk_u32 more; /* 1: messages found no room, and come with the next slice */
    rk_u64 progress;
    rk_u64 wake_ns;
    rk_u64 tail[RK_ANSWER_LANES];
    rk_u32 first[RK_ANSWER_LANES]; /* unit of the first message */
    rk_u32 count[RK_ANSWER_LANES]; /* messages */
    rk_u64 head[RK_BANDS];         /* of the host lane */
} rk_answer;

RK_STATIC_ASSERT(sizeof(rk_parcel) == 16 && sizeof(rk_parcel_part) == 16 && sizeof(rk_parcel_piece) == 16 &&
                     sizeof(rk_answer) == 96,
                 "parcels are made of units");

/* Put a shard's pieces where they belong: thread `thread` of `threads`, all of which call it. */
RK_FN void rk_parcel_unpack(RK_GLOBAL const rk_unit *parcel, rk_byte *arena, rk_u32 shard, rk_u32 thread,
                            rk_u32 threads)
{
    RK_GLOBAL const rk_parcel_part *part = (RK_GLOBAL const rk_parcel_part *)(parcel + 1) + shard;
    RK_GLOBAL const rk_unit *from = parcel + part->first;
    for (rk_u32 p = 0; p < part->pieces; p++) {
        RK_GLOBAL const rk_parcel_piece *piece = (RK_GLOBAL const rk_parcel_piece *)from;
        RK_GLOBAL rk_unit *to = (RK_GLOBAL rk_unit *)(arena + piece->at);
        from++;
        for (rk_u32 u = thread; u < piece->units; u += threads) rk_put_unit(to + u, rk_get_unit(from + u));
        from += piece->units;
    }
}

RK_FN RK_GLOBAL rk_ring *rk_answer_ring(RK_GLOBAL const rk_shard *shard, rk_byte *arena, rk_u32 which)
{
    return rk_lane_ring(
        (RK_GLOBAL const rk_lane *)(arena + (which == RK_ANSWER_OUT ? shard->out_lane : shard->report_lane)),
        arena, 0);
}

/* Room on the way back for what a lane holds. Of the device's own header `cached_tail` is free, as the consumer has
 * another: there it stands what has travelled already. */
RK_FN void rk_answer_reserve(RK_GLOBAL rk_parcel *parcel, RK_GLOBAL const rk_parcel_part *part,
                             RK_GLOBAL rk_answer *answer, RK_GLOBAL const rk_ring *ring, rk_u32 which)
{
    rk_u32 shift = ring->slot_shift - 4u,
           there = part->shared ? 0u : (rk_u32)(ring->tail - ring->cached_tail), count = there, first = 0;
    if (count > part->most >> shift) count = part->most >> shift;
    if (count) first = rk_add_u32(&parcel->used, count << shift, RK_RELAXED, RK_SCOPE_DEVICE);
    if (first + (count << shift) > parcel->room)
        count = first < parcel->room ? (parcel->room - first) >> shift : 0u;
    if (count != there) answer->more = 1;
    answer->tail[which] = ring->tail;
    answer->first[which] = first;
    answer->count[which] = count;
}

/* How far a shard came, by one thread. */
RK_FN void rk_answer_begin(RK_GLOBAL rk_unit *units, rk_u32 number, RK_GLOBAL rk_answer *answer,
                           RK_GLOBAL const rk_shard *shard, rk_byte *arena)
{
    RK_GLOBAL rk_parcel *parcel = (RK_GLOBAL rk_parcel *)units;
    RK_GLOBAL const rk_parcel_part *part = (RK_GLOBAL const rk_parcel_part *)(units + 1) + number;
    RK_GLOBAL const rk_orders *orders = (RK_GLOBAL const rk_orders *)(arena + shard->orders);
    RK_GLOBAL const rk_lane *host = (RK_GLOBAL const rk_lane *)(arena + shard->lane[0]);
    answer->phase = orders->phase;
    answer->visit = orders->visit;
    answer->more = 0;
    answer->progress = orders->progress;
    answer->wake_ns = orders->wake_ns;
    for (rk_u32 b = 0; b < host->bands; b++) answer->head[b] = rk_lane_ring(host, arena, b)->head;
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++)
        rk_answer_reserve(parcel, part, answer, rk_answer_ring(shard, arena, w), w);
    answer->slice = parcel->slice;
}

/* The messages, by all threads; the reservation was made before. */
RK_FN void rk_answer_pack(RK_GLOBAL rk_unit *back, RK_GLOBAL const rk_answer *answer,
                          RK_GLOBAL const rk_shard *shard, rk_byte *arena, rk_u32 thread, rk_u32 threads)
{
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++) {
        RK_GLOBAL const rk_ring *ring = rk_answer_ring(shard, arena, w);
        RK_GLOBAL rk_unit *to = back + answer->first[w];
        rk_u32 shift = ring->slot_shift - 4u, mask = (1u << shift) - 1u, units = answer->count[w] << shift;
        rk_slots slots = rk_ring_slots(ring, arena);
        rk_u64 index = ring->cached_tail;
        for (rk_u32 u = thread; u < units; u += threads)
            rk_put_unit(to + u,
                        rk_get_unit(rk_slots_at(slots, index + (u >> shift)) + ((rk_u64)(u & mask) << 4)));
    }
}

/* What was packed has travelled, by one thread. */
RK_FN void rk_answer_end(RK_GLOBAL const rk_answer *answer, RK_GLOBAL const rk_shard *shard, rk_byte *arena)
{
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++)
        rk_answer_ring(shard, arena, w)->cached_tail += answer->count[w];
}

#endif
