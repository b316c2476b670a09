/* The shuttle's handlers, and how a warp publishes what they send.
 *
 *     handle → number, aim, ask for room │ claim │ write
 *
 * The claim alone is made in the order of the messages: shuttle_run.h says how. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_SEND_H
#define RINGKERNEL_DEVICE_SHUTTLE_SEND_H

#include "shuttle_line.h"

#if defined(RK_LANG_CUDA)

/* ------------------------------------------------------------------ handlers */

/* The handler of the message in copy k, by this thread; the target of a single send is found here. 1: they are plain. */
RK_FN rk_u32 rk_shuttle_handle(const rk_shuttle *s, rk_context *c, rk_u32 k, rk_u32 first, rk_u64 now_ns)
{
    c->now_ns = now_ns;
    c->unusual = 0;
    rk_express_stand(&s->own, c, RK_HEADER_SHORT, k, first, RK_UNIT_SENDS);
    rk_unit_handle_here(c, s->is->number);
    rk_express_types(s->x, c);
    if (s->is->count && s->is->mode != RK_ROUTE_TARGET && !s->is->several)
#pragma unroll 1
        for (rk_u32 i = 0; i < c->stage_next; i++) {
            RK_GLOBAL rk_staged *staged = rk_stage_entry(c->stage, c->stage_stride, i);
            rk_header_aim(&staged->header.base, rk_edge_pick(&s->x->to.edge[0].edge, staged, 0, 0));
        }
    return !c->failed && !c->unusual;
}

/* What the general visit has to know of it. */
RK_FN void rk_shuttle_note(rk_express *x, const rk_context *c, rk_u32 k, rk_u32 first)
{
    rk_express_call call = { (rk_u16)first, (rk_u16)c->stage_next, c->failed };
    x->call[k] = call;
}

/* ------------------------------------------------------------------ writing */

/* This lane's unit of a staged send into the slot of `index`, if the message reaches so far: behind its end the slot is
 * the next message's, once the consumer has it back. */
RK_FN void rk_shuttle_put(rk_byte *slots, rk_u32 mask, rk_u32 index, RK_GLOBAL const rk_staged *staged)
{
    const rk_u32 u = threadIdx.x % 4u;
    RK_GLOBAL const rk_word *header = (RK_GLOBAL const rk_word *)staged;
    const rk_unit unit =
        rk_shuttle_unit(header + (u ? (sizeof(rk_staged) - RK_HEADER_SHORT) / 4u : 0u), u, index & ~mask);
    if (u < rk_unit_count(RK_HEADER_SHORT, header[1] >> 16))
        rk_store_unit((rk_unit *)(slots + ((rk_u64)(index & mask) << RK_SLOT_MIN_SHIFT)) + u, unit);
}

/* The sends of a warp's threads that have a slot of the host's, four lanes to each, so that each is one write over the bus.
 * `goes`: this thread's has that of `index`; its stage begins with `first`, and its neighbours' `share` apart. */
RK_FN void rk_shuttle_write_far(const rk_shuttle *s, rk_u32 goes, rk_u32 index, rk_u32 first, rk_u32 share)
{
    const rk_u32 lane = threadIdx.x % 32u, going = __ballot_sync(RK_ALL_LANES, goes);
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++) {
        const rk_u32 of = 8u * d + lane / 4u;
        const rk_u32 at = __shfl_sync(RK_ALL_LANES, index, of);
        if (going >> of & 1u)
            rk_shuttle_put(s->is->slots, s->is->mask, at,
                           rk_express_staged(&s->own, first + (of - lane) * share));
    }
}

/* On the device each lane writes its own, which it has read from its stage before it knows where to. */
RK_FN void rk_shuttle_read_staged(RK_GLOBAL const rk_staged *staged, rk_word *words)
{
    const rk_double_word *header = (const rk_double_word *)staged,
                         *payload = (const rk_double_word *)(staged + 1);
#pragma unroll
    for (rk_u32 w = 0; w < RK_SHUTTLE_WORDS; w += 2u) {
        const rk_u64 both =
            w < RK_HEADER_SHORT / 4u ? header[w / 2u] : payload[(w - RK_HEADER_SHORT / 4u) / 2u];
        words[w] = (rk_u32)both;
        words[w + 1u] = (rk_u32)(both >> 32);
    }
}
RK_FN void rk_shuttle_write_near(rk_byte *slots, rk_u32 mask, rk_u32 index, const rk_word *words)
{
    const rk_u32 lap = index & ~mask, length = words[1] >> 16;
    rk_unit *slot = (rk_unit *)(slots + ((rk_u64)(index & mask) << RK_SLOT_MIN_SHIFT));
    rk_store_unit(slot, rk_shuttle_unit(words, 0, lap));
    if (length > 0u) rk_store_unit(slot + 1, rk_shuttle_unit(words, 1, lap));
    if (length > 12u) rk_store_unit(slot + 2, rk_shuttle_unit(words, 2, lap));
    if (length > 24u) rk_store_unit(slot + 3, rk_shuttle_unit(words, 3, lap));
}

/* ------------------------------------------------------------------ what a warp sends */

/* As a lane knows it: its message has `sent` sends, staged from `first` on. It claims slots of `shard` for all that the warp
 * sends there, if `left` isn't 0: it has `granted` of them, and `done` more are out. What a message sends
 * is claimed by lane `leader`, behind `rank` others. */
typedef struct rk_shuttle_sends {
    rk_u32 sent, total, first;
    rk_u32 shard, leader, rank;
    rk_u32 left, granted, done;
    rk_i32 room;             /* of a counted ring, as the lane found it */
    rk_u64 tail;             /* what the claim's answer is; rk_shuttle_index waits for it */
    RK_GLOBAL rk_ring *ring; /* that of `shard` */
} rk_shuttle_sends;

/* To one shard all sends go after each other, to many behind those that aim at the same. */
RK_FN void rk_shuttle_number(const rk_shuttle *s, rk_shuttle_sends *t)
{
    const rk_u32 lane = threadIdx.x % 32u;
    t->shard = t->leader = t->granted = t->done = 0;
    t->rank = rk_warp_before(t->sent, RK_UNIT_SENDS, &t->total);
    t->left = lane == 0 ? t->total : 0u;
    if (s->is->shards == 1u || s->is->several) return;
    t->left = 0;
    const rk_u32 all = __ballot_sync(RK_ALL_LANES, t->sent);
    if (!t->sent) return;
    t->shard = rk_express_staged(&s->own, t->first)->header.base.target % s->is->shards;
    const rk_u32 peers = __match_any_sync(all, t->shard);
    t->leader = (rk_u32)__ffs((int)peers) - 1u;
    t->rank = (rk_u32)__popc((int)(peers & ((1u << lane) - 1u)));
    if (t->leader == lane) t->left = (rk_u32)__popc((int)peers);
}

/* Of messages that may send to several shards each: the sends in order, and how many there are for each shard. A lane
 * claims for one of these, as far as there are lanes. */
RK_FN_LARGE void rk_shuttle_rank(rk_entry *entry, const rk_express_own *where, rk_shuttle_sends *t)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    const rk_u32 lane = threadIdx.x % 32u, stride = s->own.room.stage_stride / 8u;
    const rk_express_order none = { 0, 0 };
    rk_express *x = s->x;
    rk_u32 *cell = rk_shuttle_cell(s), shards = 0;
    for (rk_u32 i = 0; i < t->sent; i++)
        x->number[rk_shuttle_list(s) + t->rank + i] = (rk_u16)(t->first + i * stride);
    t->left = 0;
    __syncwarp();
    for (rk_u32 row = 0; row < t->total; row += 32u) {
        const rk_u32 mine = row + lane < t->total, j = rk_shuttle_list(s) + row + lane;
        const rk_u32 all = __ballot_sync(RK_ALL_LANES, mine);
        rk_u32 shard = 0, peers = 0, begins = 0, leads = 0;
        if (mine) {
            shard = rk_express_address(&s->own, x, none, j);
            peers = __match_any_sync(all, shard);
            begins = cell[shard];
            const rk_u32 rank = (rk_u32)__popc((int)(peers & ((1u << lane) - 1u)));
            x->place[j] = begins + rank;
            x->aim[j] = (rk_u16)shard;
            leads = rank == 0;
        }
        __syncwarp();
        if (leads) cell[shard] = begins + (rk_u32)__popc((int)peers);
        /* Shards that come first in this row get the next lanes. */
        rk_u32 fresh = __ballot_sync(RK_ALL_LANES, leads && begins == 0);
        for (; fresh; fresh &= fresh - 1u, shards++) {
            const rk_u32 of = __shfl_sync(RK_ALL_LANES, shard, __ffs((int)fresh) - 1);
            if (lane == shards) t->shard = of;
        }
        __syncwarp();
    }
    if (lane < shards && shards <= 32u) t->left = cell[t->shard];
}

/* ------------------------------------------------------------------ slots */

/* Room, which can be asked for in any order; with one producer it is known at the claim. */
RK_FN void rk_shuttle_ask(const rk_shuttle *s, rk_shuttle_sends *t)
{
    t->room = 0;
    t->ring = s->is->shards > 1u ? s->target[t->shard].ring : s->is->ring;
    if (t->left && !s->is->single) t->room = (rk_i32)rk_port_add_u32(&t->ring->room, 0u - t->left);
}

/* What there is of it. Returns 1 if all sends of the warp have some. */
RK_FN rk_u32 rk_shuttle_grant(const rk_shuttle *s, rk_shuttle_sends *t)
{
    if (s->is->single) return 1;
    t->granted = t->room <= 0 ? 0u : (rk_u32)t->room < t->left ? (rk_u32)t->room : t->left;
    if (t->granted < t->left) rk_port_give_u32(&t->ring->room, t->left - t->granted);
    if (!__all_sync(RK_ALL_LANES, t->granted == t->left)) return 0;
    return !s->is->several || !t->total || __any_sync(RK_ALL_LANES, t->left); /* to more shards than lanes */
}

/* Slots of a ring with no other producer. Returns 1 if all sends of the warp have some. */
RK_FN rk_u32 rk_shuttle_claim_single(const rk_shuttle *s, rk_shuttle_sends *t)
{
    t->granted = 0;
    if (t->left) t->granted = rk_express_claim_single(s->x, s->target, s->is->mask + 1u, t->left);
    if (t->left) t->tail = s->target->first;
    return __all_sync(RK_ALL_LANES, t->granted == t->left);
}

/* Slots for what there is room for, with the next warp's turn at once behind it: nobody waits in his for the answer. */
RK_FN void rk_shuttle_claim_and_pass(rk_shuttle_sends *t, rk_u32 *turnstile, rk_u32 next)
{
    t->tail = rk_port_add_and_tell(t->granted, &t->ring->tail, t->granted, turnstile, next);
}

RK_FN void rk_shuttle_claim(const rk_shuttle *s, rk_shuttle_sends *t)
{
    if (s->is->single)
        rk_shuttle_claim_single(s, t);
    else if (t->granted)
        t->tail = rk_port_add_u64(&t->ring->tail, t->granted);
}

/* Where they begin. Both halves of the answer are used, or one would be copied, and waited for, where it is claimed. */
RK_FN rk_u32 rk_shuttle_index(const rk_shuttle_sends *t) { return (rk_u32)t->tail + (rk_u32)(t->tail >> 63); }

/* What is claimed is counted for its connection, */
RK_FN void rk_shuttle_count(const rk_shuttle *s, const rk_shuttle_sends *t)
{
    if (s->is->count && t->granted)
        rk_port_count(s->is->shards > 1u ? s->target[t->shard].count : s->is->count, t->granted);
}

/* and one message in 512 stamped. */
RK_FN_LARGE void rk_shuttle_stamp_now(RK_GLOBAL rk_ring *ring, rk_u32 index)
{
    rk_ring_stamp(ring, index, 1, rk_entry_now(&rk_shuttle_context));
}
RK_FN void rk_shuttle_stamp(const rk_shuttle *s, const rk_shuttle_sends *t, rk_u32 index)
{
    const rk_u32 ahead = rk_stamp_ahead(RK_EXPRESS_STAMPS, index);
    if (s->is->count && ahead < t->granted) rk_shuttle_stamp_now(t->ring, index + ahead);
}

/* What has a slot is written. */
RK_FN void rk_shuttle_put_all(const rk_shuttle *s, rk_shuttle_sends *t)
{
    const rk_u32 stride = s->own.room.stage_stride / 8u, share = s->own.room.share / 8u;
    rk_shuttle_count(s, t);
    const rk_u32 claimed = rk_shuttle_index(t);
    rk_shuttle_stamp(s, t, claimed);
    const rk_u32 index = __shfl_sync(RK_ALL_LANES, claimed - t->done, t->leader);
    const rk_u32 done = __shfl_sync(RK_ALL_LANES, t->done, t->leader);
    const rk_u32 granted = __shfl_sync(RK_ALL_LANES, t->granted, t->leader);
#pragma unroll 1
    for (rk_u32 i = 0; i < RK_UNIT_SENDS; i++) {
        const rk_u32 rank = t->rank + i, goes = i < t->sent && rank - done < granted;
        RK_GLOBAL const rk_staged *staged = rk_express_staged(&s->own, t->first + i * stride);
        if (RK_UNIT_SENDS > 1u && !__any_sync(RK_ALL_LANES, i < t->sent)) break;
        if (!s->is->count)
            rk_shuttle_write_far(s, goes, index + rank, t->first + i * stride, share);
        else if (goes) {
            rk_word words[RK_SHUTTLE_WORDS + 1u];
            rk_shuttle_read_staged(staged, words);
            rk_shuttle_write_near(s->is->shards > 1u ? s->target[t->shard].slots : s->is->slots, s->is->mask,
                                  index + rank, words);
        }
    }
    t->done += t->granted;
    t->left -= t->granted;
}

/* The same of messages that send to several shards, when all have slots. */
RK_FN_LARGE void rk_shuttle_put_each(rk_entry *entry, const rk_express_own *where, const rk_shuttle_sends *t)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_express *x = s->x;
    rk_u32 *cell = rk_shuttle_cell(s);
    rk_word words[RK_SHUTTLE_WORDS + 1u];
    const rk_u32 index = rk_shuttle_index(t);
    rk_shuttle_count(s, t);
    rk_shuttle_stamp(s, t, index);
    if (t->left) cell[t->shard] = index;
    __syncwarp();
    for (rk_u32 i = threadIdx.x % 32u; i < t->total; i += 32u) {
        const rk_u32 j = rk_shuttle_list(s) + i, shard = x->aim[j];
        rk_shuttle_read_staged(rk_express_staged(&s->own, x->number[j]), words);
        rk_shuttle_write_near(s->target[shard].slots, s->is->mask, cell[shard] + x->place[j], words);
    }
    __syncwarp();
    if (t->left) cell[t->shard] = 0;
}

/* ------------------------------------------------------------------ where there isn't room for all */

/* What room it has goes back: who passes before needs it. */
RK_FN void rk_shuttle_yield(const rk_shuttle *s, rk_shuttle_sends *t)
{
    if (t->granted && !s->is->single) rk_port_give_u32(&t->ring->room, t->granted);
    t->granted = 0;
}

/* So does all of a turn that was prepared and isn't published. */
RK_FN void rk_shuttle_drop(const rk_shuttle *s, rk_shuttle_sends *t)
{
    rk_u32 *cell = rk_shuttle_cell(s);
    rk_shuttle_yield(s, t);
    if (s->is->several)
#pragma unroll 1
        for (rk_u32 to = threadIdx.x % 32u; to < s->is->shards; to += 32u) cell[to] = 0;
}

/* Those that are out go nowhere more: the general visit has the rest. Returns how many they are. */
RK_FN rk_u32 rk_shuttle_leave(const rk_shuttle *s, const rk_shuttle_sends *t)
{
    const rk_u32 done = __shfl_sync(RK_ALL_LANES, t->done, t->leader);
    rk_u32 out = 0;
    for (rk_u32 i = 0; i < t->sent; i++) {
        if (t->rank + i >= done) break;
        rk_express_staged(&s->own, t->first + i * (s->own.room.stage_stride / 8u))->route = RK_TO_NOWHERE;
        out++;
    }
    rk_warp_before(out, 0, &out);
    return out;
}

/* May a warp go on asking for room? Only under Block, and until there are orders. The scout sees them as long as the run goes
 * on; otherwise this warp looks for itself, over the bus, which takes as long as several tries. */
#define RK_SCOUTED_TRIES 4u
RK_FN rk_u32 rk_shuttle_waits(const rk_shuttle *s, rk_u32 tries)
{
    rk_turnstile *t = &s->x->turnstile;
    const rk_u32 ends = rk_port_seen(&t->ends);
    if (__any_sync(RK_ALL_LANES, ends & RK_RUN_ORDERED)) return 0;
    if (!__any_sync(RK_ALL_LANES, ends) && s->is->scouted) return tries < RK_SCOUTED_TRIES * s->is->tries;
    if (tries >= s->is->tries) return 0;
    if (!rk_shuttle_ordered(s)) return 1;
    rk_turnstile_end(t, RK_RUN_ORDERED);
    return 0;
}

/* Sends go out as room is found, `claimed` those that have slots. Returns how many; the rest is for the general visit. */
RK_FN_LARGE rk_u32 rk_shuttle_press(rk_entry *entry, const rk_express_own *where,
                                    const rk_shuttle_sends *sends, rk_u32 claimed)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_shuttle_sends own = *sends, *t = &own;
    if (!claimed && !s->is->single && !__any_sync(RK_ALL_LANES, t->granted)) {
        rk_shuttle_ask(s, t);
        rk_shuttle_grant(s, t);
    }
    for (rk_u32 tries = 0;; tries++) {
        if (tries || !claimed) rk_shuttle_claim(s, t);
        rk_shuttle_put_all(s, t);
        if (!__any_sync(RK_ALL_LANES, t->left)) return t->total;
        if (!rk_shuttle_waits(s, tries)) return rk_shuttle_leave(s, t);
        rk_shuttle_ask(s, t);
        rk_shuttle_grant(s, t);
    }
}

/* The same of messages that send to several shards: a lane claims for each 32nd. */
RK_FN_LARGE rk_u32 rk_shuttle_press_each(rk_entry *entry, const rk_express_own *where,
                                         const rk_shuttle_sends *sends)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    const rk_shuttle_sends *t = sends;
    const rk_cut cut = rk_block_cut_slots(entry, RK_SLOT_MIN);
    const rk_u32 lane = threadIdx.x % 32u;
    rk_u32 *cell = rk_shuttle_cell(s), out = 0;
    if (t->granted) rk_port_give_u32(&t->ring->room, t->granted);
    for (rk_u32 to = lane; to < s->is->shards; to += 32u) {
        rk_express_wants(&s->target[to], cell[to]);
        cell[to] = 0;
    }
    for (rk_u32 tries = 0;; tries++) {
        rk_u32 granted = 0;
        if (lane == 0)
            s->x->now_ns = rk_entry_now(&rk_shuttle_context); /* which the claims are stamped with */
        __syncwarp();
        for (rk_u32 to = lane; to < s->is->shards; to += 32u) granted += rk_express_claim(s->x, to);
        rk_warp_before(granted, 0, &granted);
        __syncwarp();
        for (rk_u32 row = 0; row < t->total; row += 32u)
            rk_express_write(&s->own, s->x, &cut, rk_shuttle_list(s) + row,
                             t->total - row < 32u ? t->total - row : 32u);
        out += granted;
        if (out == t->total) return out;
        if (!rk_shuttle_waits(s, tries)) break;
    }
    for (rk_u32 j = lane; j < t->total; j += 32u) rk_express_leave(&s->own, s->x, rk_shuttle_list(s) + j);
    return out;
}

/* ------------------------------------------------------------------ all of it */

/* What can be done in any order. Returns 1 if there is room, as far as that is known. */
RK_FN rk_u32 rk_shuttle_prepare(rk_entry *entry, const rk_express_own *where, const rk_shuttle *s,
                                rk_shuttle_sends *t)
{
    __syncwarp(); /* behind what is staged */
    rk_shuttle_number(s, t);
    if (s->is->several) {
        rk_shuttle_sends ranked = *t; /* its own address is nobody's, or it would lie in memory */
        rk_shuttle_rank(entry, where, &ranked);
        *t = ranked;
    }
    rk_shuttle_ask(s, t);
    if (s->is->count)
        rk_batch_release(s->is->memory); /* of what sends nothing, too: what comes behind it may tell of it */
    return rk_shuttle_grant(s, t);
}

/* Writes what has slots. */
RK_FN void rk_shuttle_put_claimed(rk_entry *entry, const rk_express_own *where, const rk_shuttle *s,
                                  rk_shuttle_sends *t)
{
    if (s->is->several) {
        const rk_shuttle_sends sends = *t;
        rk_shuttle_put_each(entry, where, &sends);
    } else
        rk_shuttle_put_all(s, t);
}

/* Where there isn't room for all. Returns how many are out. */
RK_FN rk_u32 rk_shuttle_press_on(rk_entry *entry, const rk_express_own *where, const rk_shuttle *s,
                                 const rk_shuttle_sends *t, rk_u32 claimed)
{
    const rk_shuttle_sends sends = *t;
    return s->is->several ? rk_shuttle_press_each(entry, where, &sends)
                          : rk_shuttle_press(entry, where, &sends, claimed);
}

#endif
#endif
