/* Take: what is in the inbox becomes a batch of views.
 *
 * A view is a run of slots read in place (`seq` slots, which stay the consumer's until commit) or a run of
 * copies (unit slots, and slots that producers may overwrite). Bands come from high to low with weights
 * 8:4:2:1, so that under saturation the lowest still gets 1/15; within a band the two lanes come in turn. */
#ifndef RINGKERNEL_DEVICE_TAKE_H
#define RINGKERNEL_DEVICE_TAKE_H

#include "context.h"

/* The waiting times of the stamped messages in this view, unless each is measured. */
RK_FN void rk_take_stamp(rk_context *context, RK_GLOBAL const rk_view *view)
{
    RK_GLOBAL rk_ring *ring = (RK_GLOBAL rk_ring *)(context->arena + view->ring);
    const rk_u32 shift = ring->stamp_shift;
    if (context->features & RK_FEATURE_TIMESTAMPS) return;
    for (rk_u32 i = rk_stamp_ahead(shift, (rk_u32)view->index); i < view->n; i += 1u << shift) {
        const rk_u32 index = (rk_u32)view->index + i;
        const rk_u64 word =
            rk_load_u64(&rk_ring_far(ring)->stamp[rk_stamp_place(shift, index)], RK_RELAXED, RK_SCOPE_SYSTEM);
        const rk_u64 age = rk_stamp_age(word, shift, index, context->now_ns);
        if (age != RK_STAMP_UNKNOWN) rk_histogram_add(&context->shard->meter.queue_wait, age, 1);
    }
}

RK_FN rk_byte *rk_copy_slot(rk_context *context, rk_u32 i)
{
    return context->arena + context->shard->copies + ((rk_u64)i << context->shard->copy_shift);
}

/* Copy out of an overwritten ring; taking is committing there. E2 pairs with E1: what is before `evicted` is
 * gone, and counted here alone, so each message is either delivered or evicted. */
RK_FN rk_u32 rk_take_overwritten(rk_context *context, RK_GLOBAL rk_ring *ring, rk_u32 wanted)
{
    rk_u32 n = 0;
    rk_u64 head = ring->head;
    while (n < wanted) {
        rk_u64 evicted = rk_load_u64(&rk_ring_far(ring)->evicted, RK_ACQUIRE, RK_SCOPE_SYSTEM); /* E2 */
        rk_i64 gone = rk_index_ahead(evicted, head);
        if (gone > 0) {
            head = evicted;
            rk_ring_commit(ring, head); /* before they are counted: an account adds what is between the two */
            rk_count_released(&ring->dropped_old, (rk_u64)gone);
        }
        rk_byte *copy = rk_copy_slot(context, context->turn->copied + n);
        rk_byte *slot = rk_ring_slot(ring, context->arena, head);
        if (ring->format == RK_FORMAT_UNIT
                ? rk_unit_read(ring, slot, head, (RK_GLOBAL rk_u32 *)copy)
                : rk_overwritten_read(ring, slot, head, (RK_GLOBAL rk_u32 *)copy)) {
            head++;
            n++;
        } else if (rk_load_u64(&rk_ring_far(ring)->evicted, RK_ACQUIRE, RK_SCOPE_SYSTEM) == evicted) {
            break; /* not there yet, rather than overwritten */
        }
    }
    if (head != ring->head) rk_ring_commit(ring, head);
    return n;
}

RK_FN rk_u32 rk_take_units(rk_context *context, RK_GLOBAL rk_ring *ring, rk_u64 first, rk_u32 wanted)
{
    rk_u32 n = 0;
    while (n < wanted && rk_unit_read(ring, rk_ring_slot(ring, context->arena, first + n), first + n,
                                      (RK_GLOBAL rk_u32 *)rk_copy_slot(context, context->turn->copied + n)))
        n++;
    return n;
}

/* Messages of this batch that were taken from a ring already, and are not committed. */
RK_FN rk_u32 rk_take_pending(RK_GLOBAL const rk_turn *turn, rk_u64 ring_offset)
{
    rk_u32 n = 0;
    for (rk_u32 v = 0; v < turn->views; v++)
        if (turn->view[v].ring == ring_offset && !turn->view[v].committed) n += turn->view[v].n;
    return n;
}

/* Messages of this batch that were copied out of an overwritten ring: taking was committing there, so only
 * the batch has them. */
RK_FN rk_u32 rk_take_copied(RK_GLOBAL const rk_turn *turn, rk_u64 ring_offset)
{
    rk_u32 n = 0;
    for (rk_u32 v = 0; v < turn->views; v++)
        if (turn->view[v].ring == ring_offset && turn->view[v].committed) n += turn->view[v].n;
    return n;
}

/* A view of `n` copies from `copied` on, of the messages of a ring from `index` on. */
RK_FN void rk_view_open(rk_context *context, RK_GLOBAL rk_view *view, rk_u64 ring_offset, rk_u64 index,
                        rk_u32 n, rk_u32 copied)
{
    RK_GLOBAL const rk_ring *ring = (RK_GLOBAL const rk_ring *)(context->arena + ring_offset);
    view->ring = ring_offset;
    view->n = n;
    view->header_size = ring->header_size;
    view->committed = ring->overwritten;
    view->expired = view->dead = view->lost = view->withdrawn = view->replies = 0;
    view->index = index;
    view->base = context->shard->copies;
    view->first = copied;
    view->mask = 0xffffffffu;
    view->shift = context->shard->copy_shift;
}

/* The same view, of slots that stay where they are. */
RK_FN void rk_view_in_place(RK_GLOBAL rk_view *view, RK_GLOBAL const rk_ring *ring)
{
    view->base = ring->slots;
    view->first = view->index;
    view->mask = ring->mask;
    view->shift = ring->slot_shift;
}

/* What a look at both lanes found: of each ring the messages that are there from the next one on. A block looks at
 * all rings at once (block.h), and then the same decisions are made as by one thread that looks at one after the
 * other. */
typedef struct rk_found_ring {
    rk_u64 next; /* index of the first that is not taken yet */
    rk_u32 n;    /* how many are there */
    rk_u32 more; /* 1: so many were looked at, and there may be more */
    rk_u64 gone; /* evicted before `next`, and not counted yet */
} rk_found_ring;

/* A run of messages of one ring that has its place in the copies: what view of the same number says. */
typedef struct rk_piece {
    rk_u64 index;
    rk_u32 ring; /* lane * RK_BANDS + band */
    rk_u32 n;
    rk_u32 copied; /* the first of its copies */
    rk_u32 piece_;
} rk_piece;

typedef struct rk_found {
    rk_found_ring ring[2][RK_BANDS];
    rk_piece piece[RK_VIEWS];
    rk_u32 left;    /* messages of all rings that are not taken */
    rk_u32 further; /* 1: some ring may have more than were looked at */
    rk_u32 unknown; /* 1: of such a one more was wanted */
    rk_u32 found_;
} rk_found;

/* What a look at `looked` slots of a ring from the next one on comes to: bit i of `whole` says that slot i held
 * its own message whole. `evicted` is the producers' mark, from any moment of the look: what is before it is gone,
 * even if its copy is whole, and behind it each slot speaks for itself, since the consumer alone judges. A slot that
 * is not whole ends the run, be its message not there yet or its eviction not seen. */
RK_FN void rk_found_judge(rk_found_ring *ring, rk_u64 evicted, rk_u32 whole, rk_u32 looked)
{
    rk_i64 gone = rk_index_ahead(evicted, ring->next);
    rk_u64 rest = whole;
    ring->n = 0;
    ring->more = 1;
    if (gone > 0) {
        ring->gone += (rk_u64)gone;
        ring->next = evicted;
        if (gone >= (rk_i64)looked) return; /* all of them: the next look begins there */
        rest >>= gone;
        looked -= (rk_u32)gone;
    }
    ring->n = rk_log2_u64(~rest & (rest + 1u)); /* ones from bit 0 on */
    ring->more = ring->n == looked;
}

/* Where the copy of a message belongs; RK_NO_PLACE: it was not taken. */
#define RK_NO_PLACE 0xffffffffu
RK_FN rk_u32 rk_found_place(const rk_found *found, rk_u32 pieces, rk_u32 ring, rk_u32 index)
{
    for (rk_u32 p = pieces; p-- > 0;) {
        const rk_piece *piece = &found->piece[p];
        if (piece->ring == ring && index - (rk_u32)piece->index < piece->n)
            return piece->copied + (index - (rk_u32)piece->index);
    }
    return RK_NO_PLACE;
}

/* Add up to `wanted` messages of one ring to the batch, out of what was found there. */
RK_FN rk_u32 rk_take_found_ring(rk_context *context, RK_GLOBAL const rk_lane *lane, rk_u32 which, rk_u32 band,
                                rk_u32 wanted, rk_found *found)
{
    rk_found_ring *ring = &found->ring[which][band];
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 n = ring->n < wanted ? ring->n : wanted, views = turn->views, name = which * RK_BANDS + band;
    if (n == 0) return 0;
    rk_piece *last = &found->piece[views ? views - 1u : 0u];
    if (views && last->ring == name && last->index + last->n == ring->next) { /* where the last one ended */
        last->n += n;
        turn->view[views - 1u].n += n;
    } else {
        if (views == RK_VIEWS) return 0;
        last = &found->piece[views];
        last->index = ring->next;
        last->ring = name;
        last->n = n;
        last->copied = turn->copied;
        rk_view_open(context, &turn->view[views], lane->rings[band], ring->next, n, turn->copied);
        turn->views = views + 1u;
    }
    ring->n -= n;
    ring->next += n;
    found->left -= n;
    turn->copied += n;
    turn->n += n;
    return n;
}

/* Does the batch's last piece end where the next message of this ring is? Then what comes is a part of that piece. */
RK_FN rk_u32 rk_take_joins(RK_GLOBAL const rk_turn *turn, rk_u64 ring_offset, rk_u64 first)
{
    RK_GLOBAL const rk_view *last = &turn->view[turn->views ? turn->views - 1u : 0u];
    return turn->views && last->ring == ring_offset && last->index + last->n == first;
}

/* Add up to `wanted` messages of one ring to the batch. `again`: some of it may be in the batch already. */
RK_FN_LARGE rk_u32 rk_take_ring(rk_context *context, RK_GLOBAL rk_lane *lane, rk_u32 band, rk_u32 wanted,
                                rk_u32 again)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (wanted == 0) return 0;
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, context->arena, band);
    rk_u64 first = ring->head;
    if (again) first += rk_take_pending(turn, lane->rings[band]);
    rk_u32 n, joins = again && rk_take_joins(turn, lane->rings[band], first);
    /* An overwritten ring may go on behind what is evicted meanwhile, and taking is committing there. */
    if (turn->views == RK_VIEWS && (!joins || ring->overwritten)) return 0;
    if (ring->overwritten)
        n = rk_take_overwritten(context, ring, wanted);
    else if (ring->format == RK_FORMAT_UNIT)
        n = rk_take_units(context, ring, first, wanted);
    else
        n = rk_ring_ready(ring, context->arena, first, wanted);
    if (n == 0) return 0;
    if (ring->overwritten) {
        first = ring->head - n;
        joins = again && rk_take_joins(turn, lane->rings[band], first);
    }
    RK_GLOBAL rk_view *view = &turn->view[turn->views - joins];

    if (joins)
        view->n += n;
    else
        rk_view_open(context, view, lane->rings[band], first, n, turn->copied);
    if (ring->overwritten || ring->format == RK_FORMAT_UNIT) {
        turn->copied += n;
    } else if (!joins) {
        rk_view_in_place(view, ring);
    }
    turn->views += 1u - joins;
    turn->n += n;
    return n;
}

/* From one band of both lanes, in turn; out of what was found, if a look was made already. */
RK_FN rk_u32 rk_take_band(rk_context *context, rk_u32 band, rk_u32 wanted, rk_u32 again, rk_found *found)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (found && !found->ring[0][band].n && !found->ring[1][band].n) {
        found->unknown |= wanted && (found->ring[0][band].more || found->ring[1][band].more);
        return 0;
    }
    rk_u32 first = (turn->next_lane >> band) & 1u; /* a bit for each band */
    rk_u32 n = 0;
    for (rk_u32 i = 0; i < 2u && n < wanted; i++) {
        rk_u32 which = (first + i) & 1u;
        RK_GLOBAL rk_lane *lane = rk_shard_lane(context, which);
        if (band >= lane->bands) continue;
#if defined(RK_LANG_HOST)
        if (!again && rk_ring_awaits(rk_lane_ring(lane, context->arena, band), context->arena)) continue;
#endif
        rk_u32 got = found ? rk_take_found_ring(context, lane, which, band, wanted - n, found)
                           : rk_take_ring(context, lane, band, wanted - n, again);
        if (got) turn->next_lane = (turn->next_lane & ~(1u << band)) | ((which ^ 1u) << band);
        n += got;
    }
    if (found && n < wanted) found->unknown |= found->ring[0][band].more || found->ring[1][band].more;
    return n;
}

/* Weighted round robin over the bands: each round gives band b a credit of 2^b. A round that is broken off, since
 * a band wanted more than was looked at, goes on from its credits. */
RK_FN void rk_take_bands(rk_context *context, rk_u32 most, rk_found *found)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    for (rk_u32 idle = 0; idle < 2u && turn->n < most && turn->views < RK_VIEWS;) {
        rk_u32 before = turn->n;
        for (rk_u32 b = RK_BANDS; b-- > 0 && turn->n < most;) {
            rk_u32 credit = turn->band_credit[b];
            rk_u32 wanted = credit < most - turn->n ? credit : most - turn->n;
            rk_u32 got = rk_take_band(context, b, wanted, 1, found);
            if (got) turn->band_credit[b] = credit - got;
            if (found && found->unknown) return;
        }
        if (turn->n < most && turn->views < RK_VIEWS)
            for (rk_u32 b = 0; b < RK_BANDS; b++) turn->band_credit[b] = 1u << b;
        if (found && !found->left && !found->further) return;
        idle = turn->n == before ? idle + 1u : 0u;
    }
}

RK_FN void rk_take_none(RK_GLOBAL rk_turn *turn)
{
    turn->views = 0;
    turn->n = 0;
    turn->copied = 0;
    turn->references = 0;
}

/* Fill the batch with up to `most` messages. Returns how many. */
RK_FN_LARGE rk_u32 rk_take(rk_context *context, rk_u32 most)
{
    rk_take_none(context->turn);
    if (rk_shard_lane(context, 0)->bands > 1 || rk_shard_lane(context, 1)->bands > 1)
        rk_take_bands(context, most, 0);
    else
        rk_take_band(context, 0, most, 0, 0);
    return context->turn->n;
}

/* Add to the batch what was found, up to `most` messages in it. 1: a further look could bring more. */
RK_FN rk_u32 rk_take_found(rk_context *context, rk_u32 bands, rk_u32 most, rk_found *found)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    found->unknown = found->further = found->left = 0;
    for (rk_u32 b = 0; b < bands; b++) {
        found->left += found->ring[0][b].n + found->ring[1][b].n;
        found->further |= found->ring[0][b].more | found->ring[1][b].more;
    }
    if (bands > 1u)
        rk_take_bands(context, most, found);
    else
        rk_take_band(context, 0, most - turn->n, 0, found);
    return found->unknown && turn->n < most && turn->views < RK_VIEWS;
}

/* Of an overwritten ring: taking was committing. */
RK_FN void rk_take_settle(RK_GLOBAL rk_ring *ring, rk_found_ring *found)
{
    if (!ring->overwritten) return;
    if (found->next != ring->head) rk_ring_commit(ring, found->next); /* before they are counted, as above */
    if (found->gone) rk_count_released(&ring->dropped_old, found->gone);
    found->gone = 0;
}

/* Give the batch back to its rings and count it. */
RK_FN void rk_take_commit(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    for (rk_u32 v = 0; v < turn->views; v++) {
        RK_GLOBAL rk_view *view = &turn->view[v];
        RK_GLOBAL rk_ring *ring = (RK_GLOBAL rk_ring *)(context->arena + view->ring);
        rk_u32 handled = view->n - view->expired - view->dead - view->lost - view->withdrawn;
        rk_count(&ring->delivered, handled);
        if (view->expired) rk_count(&ring->expired, view->expired);
        if (view->dead) rk_count(&ring->dead, view->dead);
        if (view->lost) rk_count(&ring->lost, view->lost);
        if (view->withdrawn) rk_count(&ring->withdrawn, view->withdrawn);
        turn->replies += view->replies;
        if (!view->committed) rk_ring_commit(ring, ring->head + view->n);
    }
    turn->views = 0;
    turn->n = 0;
}

#endif
