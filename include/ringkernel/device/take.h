/* Take: what is in the inbox becomes a batch of views.
 *
 * A view is a run of slots read in place (`seq` slots, which stay the consumer's until commit) or a run of
 * copies (unit slots, and slots that producers may overwrite). Bands come from high to low with weights
 * 8:4:2:1, so that under saturation the lowest still gets 1/15; within a band the two lanes come in turn. */
#ifndef RINGKERNEL_DEVICE_TAKE_H
#define RINGKERNEL_DEVICE_TAKE_H

#include "context.h"

/* The waiting times of the sampled messages in this view. S2 pairs with S1. */
RK_FN void rk_take_stamp(rk_context *context, RK_GLOBAL const rk_view *view)
{
    RK_GLOBAL rk_ring *ring = (RK_GLOBAL rk_ring *)(context->arena + view->ring);
    if (ring->far && !rk_stamp_crossed(view->index, view->n))
        return;                                    /* a look over the bus is not for each */
    RK_GLOBAL rk_ring *stamps = rk_ring_far(ring); /* the producers' */
    rk_u32 count = rk_load_u32(&stamps->stamp_count, RK_ACQUIRE, RK_SCOPE_SYSTEM); /* S2 */
    rk_u32 seen = ring->stamp_seen;
    while (seen != count) {
        rk_u32 place = seen % RK_STAMPS;
        rk_i64 at = rk_index_ahead(rk_load_u64(&stamps->stamp_index[place], RK_RELAXED, RK_SCOPE_SYSTEM),
                                   view->index);
        if (at >= (rk_i64)view->n) break; /* still to come */
        rk_u64 then = rk_load_u64(&stamps->stamp_ns[place], RK_RELAXED, RK_SCOPE_SYSTEM);
        if (at >= 0 &&
            !(context->features & RK_FEATURE_TIMESTAMPS)) /* else evicted, or measured one by one */
            rk_histogram_add(&context->shard->meter.queue_wait,
                             context->now_ns > then ? context->now_ns - then : 0, 1);
        seen++;
    }
    if (seen == ring->stamp_seen) return;
    rk_store_u32(&ring->stamp_seen, seen, RK_RELEASE, RK_SCOPE_DEVICE);
    if (ring->far) rk_store_u32(&stamps->stamp_seen, seen, RK_RELEASE, RK_SCOPE_SYSTEM);
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

/* Add up to `wanted` messages of one ring to the batch. `again`: some of it may be in the batch already. */
RK_FN_LARGE rk_u32 rk_take_ring(rk_context *context, RK_GLOBAL rk_lane *lane, rk_u32 band, rk_u32 wanted,
                                rk_u32 again)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (turn->views == RK_VIEWS || wanted == 0) return 0;
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, context->arena, band);
    RK_GLOBAL rk_view *view = &turn->view[turn->views];
    rk_u64 first = ring->head;
    if (again) first += rk_take_pending(turn, lane->rings[band]);
    rk_u32 n;
    if (ring->overwritten)
        n = rk_take_overwritten(context, ring, wanted);
    else if (ring->format == RK_FORMAT_UNIT)
        n = rk_take_units(context, ring, first, wanted);
    else
        n = rk_ring_ready(ring, context->arena, first, wanted);
    if (n == 0) return 0;
    if (ring->overwritten) first = ring->head - n;

    rk_view_open(context, view, lane->rings[band], first, n, turn->copied);
    if (ring->overwritten || ring->format == RK_FORMAT_UNIT) {
        turn->copied += n;
    } else {
        view->base = ring->slots;
        view->first = first;
        view->mask = ring->mask;
        view->shift = ring->slot_shift;
    }
    turn->views++;
    turn->n += n;
    return n;
}

RK_FN RK_GLOBAL rk_lane *rk_shard_lane(rk_context *context, rk_u32 which)
{
    return (RK_GLOBAL rk_lane *)(context->arena + context->shard->lane[which & 1u]);
}

/* From one band of both lanes, in turn. */
RK_FN rk_u32 rk_take_band(rk_context *context, rk_u32 band, rk_u32 wanted, rk_u32 again)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 first = (turn->next_lane >> band) & 1u; /* a bit for each band */
    rk_u32 n = 0;
    for (rk_u32 i = 0; i < 2u && n < wanted; i++) {
        RK_GLOBAL rk_lane *lane = rk_shard_lane(context, first + i);
        if (band >= lane->bands) continue;
        rk_u32 got = rk_take_ring(context, lane, band, wanted - n, again);
        if (got) turn->next_lane = (turn->next_lane & ~(1u << band)) | (((first + i + 1u) & 1u) << band);
        n += got;
    }
    return n;
}

/* Weighted round robin over the bands: each round gives band b a credit of 2^b. */
RK_FN void rk_take_bands(rk_context *context, rk_u32 most)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    for (rk_u32 idle = 0; idle < 2u && turn->n < most && turn->views < RK_VIEWS;) {
        rk_u32 before = turn->n;
        for (rk_u32 b = RK_BANDS; b-- > 0 && turn->n < most;) {
            rk_u32 credit = turn->band_credit[b];
            rk_u32 wanted = credit < most - turn->n ? credit : most - turn->n;
            turn->band_credit[b] -= rk_take_band(context, b, wanted, 1);
        }
        if (turn->n < most && turn->views < RK_VIEWS)
            for (rk_u32 b = 0; b < RK_BANDS; b++) turn->band_credit[b] = 1u << b;
        idle = turn->n == before ? idle + 1u : 0u;
    }
}

/* Fill the batch with up to `most` messages. Returns how many. */
RK_FN_LARGE rk_u32 rk_take(rk_context *context, rk_u32 most)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    turn->views = 0;
    turn->n = 0;
    turn->copied = 0;
    turn->references = 0;
    if (rk_shard_lane(context, 0)->bands > 1 || rk_shard_lane(context, 1)->bands > 1)
        rk_take_bands(context, most);
    else
        rk_take_band(context, 0, most, 0);
    return turn->n;
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
