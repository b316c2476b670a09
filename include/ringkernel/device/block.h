/* What the threads of a block do together: look at the host's orders, take units, publish units.
 *
 * A unit slot proves itself, so a slot is read by as many lanes of a warp as it has units, all at once, and a
 * warp reads several; the same way they are written. With bands or DropOldest the warps look at all rings of both
 * lanes at once, the leader decides what is taken (take.h), and the warps copy it. What goes by other ways than a
 * plain lane the leader publishes alone: publish.h does all of it, this does the common part fast. */
#ifndef RINGKERNEL_DEVICE_BLOCK_H
#define RINGKERNEL_DEVICE_BLOCK_H

#include "rounds.h"
#include "take.h"

#if defined(RK_LANG_CUDA)

#define RK_ALL_LANES 0xffffffffu

extern __shared__ rk_unit rk_block_memory[]; /* as much of it as the launch asks for */

/* The host's half of the orders into the block's own memory, in one look over the bus: its words are of one
 * moment each, and no later than this. Ends in a barrier. */
RK_FN void rk_block_look(rk_entry *entry)
{
    const rk_unit *orders = (const rk_unit *)entry->context.told;
    if (entry->thread < sizeof *entry->orders / sizeof(rk_unit) / 2u)
        ((rk_unit *)entry->orders)[entry->thread] = rk_load_unit(&orders[entry->thread]);
    RK_PORT_BLOCK_BARRIER();
    entry->context.orders = entry->orders;
}

/* Where all that goes by the default route goes, if that is one plain lane. */
typedef struct rk_plain {
    RK_GLOBAL rk_lane *lane;       /* 0: it isn't */
    RK_GLOBAL const rk_edge *edge; /* 0: the host */
    rk_u32 edge_number;
    rk_u32 type; /* the only message type that goes there; 0: all */
} rk_plain;

/* How a block cuts slots of a size into units, lanes and warps. */
typedef struct rk_cut {
    rk_u32 units;      /* of a slot */
    rk_u32 lanes;      /* that share a slot: a power of two */
    rk_u32 slots;      /* that a warp handles at once */
    rk_u32 slot;       /* of those, this lane's */
    rk_u32 unit;       /* of that slot, this lane's first */
    rk_u32 first_lane; /* of this lane's slot */
} rk_cut;

RK_FN rk_cut rk_block_cut_slots(const rk_entry *entry, rk_u32 slot_size)
{
    rk_cut cut;
    rk_u32 lane = entry->thread % 32u;
    cut.units = slot_size / 16u;
    cut.lanes = cut.units < 32u ? cut.units : 32u;
    rk_u32 shift = (rk_u32)__ffs((int)cut.lanes) - 1u;
    cut.slots = 32u >> shift;
    cut.slot = lane >> shift;
    cut.unit = lane & (cut.lanes - 1u);
    cut.first_lane = lane - cut.unit;
    return cut;
}

/* Units of a message: the lap of the first stands for the header's own. */
RK_FN rk_u32 rk_unit_count(rk_u32 header_size, rk_u32 length)
{
    return ((header_size + length + 3u) / 4u + 1u) / 3u;
}

/* This warp looks at its slots from `index` on, `n` of them at most, and copies what is there. Returns how many
 * from the first on are whole. */
RK_FN rk_u32 rk_warp_take(rk_context *context, const rk_cut *cut, RK_GLOBAL const rk_ring *ring, rk_u64 index,
                          rk_u32 n, rk_u32 copy)
{
    rk_u32 mine = cut->slot < n;
    rk_u32 lap = rk_ring_lap(ring, index + cut->slot);
    const rk_unit *slot = (const rk_unit *)rk_ring_slot(ring, context->arena, index + cut->slot);
    rk_word *to = (rk_word *)rk_copy_slot(context, copy + cut->slot);
    rk_unit unit = { { lap - 1u, 0, 0, 0 } };
    if (mine) unit = rk_load_unit(&slot[cut->unit]);
    rk_u32 length = __shfl_sync(RK_ALL_LANES, unit.word[1] >> 16, cut->first_lane);
    rk_u32 begun = __shfl_sync(RK_ALL_LANES, unit.word[0] == lap, cut->first_lane);
    rk_u32 count = rk_unit_count(ring->header_size, length);
    rk_u32 whole = mine && begun && count <= cut->units;
    for (rk_u32 u = cut->unit; whole && u < count; u += cut->lanes) {
        if (u != cut->unit) unit = rk_load_unit(&slot[u]);
        whole = unit.word[0] == lap;
        for (rk_u32 w = 0; w < 3u; w++) to[1u + 3u * u + w] = unit.word[1 + w];
    }
    if (whole && cut->unit == 0) to[0] = lap;
    rk_u32 broken = __ballot_sync(RK_ALL_LANES, !whole);
    return broken ? ((rk_u32)__ffs((int)broken) - 1u) / cut->lanes : cut->slots;
}

/* Take up to `wanted` messages from index `first` on into the copies from `copy` on. All threads get the number. */
RK_FN_LARGE rk_u32 rk_block_take_ring(rk_entry *entry, RK_GLOBAL const rk_ring *ring, rk_u64 first,
                                      rk_u32 wanted, rk_u32 copy)
{
    rk_cut cut = rk_block_cut_slots(entry, ring->slot_size);
    rk_u32 warp = entry->thread / 32u, warps = entry->threads / 32u, done = 0;
    for (;;) {
        rk_u32 at = done + warp * cut.slots;
        rk_u32 n = at >= wanted ? 0u : wanted - at < cut.slots ? wanted - at : cut.slots;
        rk_u32 got = rk_warp_take(&entry->context, &cut, ring, first + at, n, copy + at);
        if (cut.unit == 0 && cut.slot == 0) entry->board[warp] = got;
        RK_PORT_BLOCK_BARRIER();
        rk_u32 all = 0, full = 1;
        for (rk_u32 w = 0; w < warps && full; w++) {
            all += entry->board[w];
            full = entry->board[w] == cut.slots;
        }
        RK_PORT_BLOCK_BARRIER();
        done += all;
        if (!full || done >= wanted) return done;
    }
}

/* Can the block take from this lane together, and is it a plain run of slots? The same answers for all threads. */
RK_FN rk_u32 rk_block_takes(const rk_entry *entry, RK_GLOBAL const rk_lane *lane)
{
    RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, entry->context.arena, 0);
    return entry->threads % 32u == 0 && lane->bands == 1 && !ring->overwritten &&
           ring->format == RK_FORMAT_UNIT;
}

/* ------------------------------------------------------------------ bands and DropOldest */

#define RK_LOOK_RINGS (2u * RK_BANDS)
#define RK_LOOK_DEEP \
    4u /* slots that a lane of a warp looks at in one lane's rings at most: with one warp one a band */
#define RK_LOOK_SLOTS 32u /* of a ring in one look */

/* What a block knows of the rings of a shard's two lanes, in its own memory. */
typedef struct rk_look_ring {
    rk_u64 ring;    /* arena offset */
    rk_u64 slots;   /* arena offset of slot 0 */
    rk_u64 evicted; /* arena offset of the producers' mark; 0: nobody evicts */
    rk_u64 mark;    /* as it was found */
    rk_u32 mask, shift, header_size;
    rk_u32 whole; /* a bit for each slot of a look that held its own message whole */
} rk_look_ring;

typedef struct rk_look {
    rk_u64 shard; /* arena offset of the shard that it is of; 0: of none yet */
    rk_u32 bands, slot_size;
    rk_u32 can;   /* 1: the block can take from these lanes */
    rk_u32 again; /* 1: a look further on is wanted */
    rk_u32 pieces, look_;
    rk_look_ring ring[RK_LOOK_RINGS];
    rk_found found;
    rk_u64 plain_shard; /* arena offset of the shard that `plain` is of; 0: of none yet */
    rk_plain plain;
    rk_u64 worked_ns; /* when the block last had something to do, by the device's timer: see rest.h */
} rk_look;

/* The constants of the rings, once for a shard: they stay as they are while a kernel is served. Both lanes are of one
 * plan. In an overwritten ring what counts is what one look saw, so there a slot is no larger than a warp sees. */
RK_FN void rk_look_open(rk_entry *entry, rk_look *look)
{
    rk_context *context = &entry->context;
    rk_u64 shard = (rk_u64)((rk_byte *)context->shard - context->arena);
    if (look->shard == shard) return;
    RK_GLOBAL const rk_lane *lane[2] = { rk_shard_lane(context, 0), rk_shard_lane(context, 1) };
    RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane[0], context->arena, 0);
    RK_GLOBAL const rk_ring *other = rk_lane_ring(lane[1], context->arena, 0);
    rk_u32 bands = lane[0]->bands;
    look->bands = bands;
    look->slot_size = ring->slot_size;
    look->can = entry->threads % 32u == 0 && lane[1]->bands == bands && ring->format == RK_FORMAT_UNIT &&
                other->format == RK_FORMAT_UNIT && other->slot_size == ring->slot_size &&
                (ring->slot_size <= 512u || !(ring->overwritten || other->overwritten));
    for (rk_u32 r = 0; r < RK_LOOK_RINGS; r++) {
        rk_look_ring *of = &look->ring[r];
        of->whole = 0;
        if (r % RK_BANDS >= bands) continue;
        ring = rk_lane_ring(lane[r / RK_BANDS], context->arena, r % RK_BANDS);
        of->ring = (rk_u64)((rk_byte *)ring - context->arena);
        of->slots = ring->slots;
        of->evicted =
            ring->overwritten ? (rk_u64)((rk_byte *)&rk_ring_far(ring)->evicted - context->arena) : 0;
        of->mask = ring->mask;
        of->shift = ring->slot_shift;
        of->header_size = ring->header_size;
    }
    look->shard = shard;
}

/* The slots that this thread's share of a warp looks at: number `d` of one lane's. */
typedef struct rk_look_at {
    rk_u32 ring, slot; /* which ring, how far from the next message */
    rk_u32 index;      /* of that message, its low half */
    rk_u32 in;         /* 1: it is part of this look */
    rk_u32 count;      /* units of the message that is there; 0: none whole */
    rk_u64 mark;       /* of the ring, by the thread that reads it */
    rk_unit unit;      /* this thread's first */
} rk_look_at;

/* All warps look at the next slots of all rings, each slot by the lanes of a warp that its units have. `seen` keeps
 * what was read for rk_look_copy. The mark of a ring is read beside its slots: see rk_found_judge. */
RK_FN void rk_look_read(rk_entry *entry, rk_look *look, const rk_cut *cut, rk_u32 slots, rk_u32 deep,
                        rk_look_at seen[2][RK_LOOK_DEEP])
{
    rk_byte *arena = entry->context.arena;
    rk_u32 groups = entry->threads / 32u * cut->slots, group = entry->thread / 32u * cut->slots + cut->slot;
#pragma unroll
    for (rk_u32 i = 0; i < 2u * RK_LOOK_DEEP; i++) {
        rk_look_at *at = &seen[i / RK_LOOK_DEEP][i % RK_LOOK_DEEP];
        rk_u32 number = i % RK_LOOK_DEEP * groups + group;
        at->ring = i / RK_LOOK_DEEP * RK_BANDS + number % look->bands;
        at->slot = number / look->bands;
        at->in = i % RK_LOOK_DEEP < deep && at->slot < slots;
        at->count = at->unit.word[0] = at->unit.word[1] = 0;
        at->mark = 0;
        const rk_look_ring *of = &look->ring[at->ring];
        at->index = (rk_u32)look->found.ring[at->ring / RK_BANDS][at->ring % RK_BANDS].next + at->slot;
        if (!at->in) continue;
        at->unit = rk_load_unit(
            (const rk_unit *)(arena + of->slots + ((rk_u64)(at->index & of->mask) << of->shift)) + cut->unit);
        if (of->evicted && at->slot == 0 && cut->unit == 0)
            at->mark = rk_load_u64((RK_GLOBAL rk_u64 *)(arena + of->evicted), RK_RELAXED, RK_SCOPE_SYSTEM);
    }
    rk_u32 share = (0xffffffffu >> (32u - cut->lanes)) << cut->first_lane;
#pragma unroll
    for (rk_u32 i = 0; i < 2u * RK_LOOK_DEEP; i++) {
        if (i % RK_LOOK_DEEP >= deep) continue;
        rk_look_at *at = &seen[i / RK_LOOK_DEEP][i % RK_LOOK_DEEP];
        rk_look_ring *of = &look->ring[at->ring];
        rk_u32 lap = at->index & ~of->mask;
        if (at->in && at->slot == 0 && cut->unit == 0) of->mark = at->mark;
        rk_u32 length = __shfl_sync(RK_ALL_LANES, at->unit.word[1] >> 16, cut->first_lane);
        rk_u32 begun = __shfl_sync(RK_ALL_LANES, at->unit.word[0] == lap, cut->first_lane);
        rk_u32 count = rk_unit_count(of->header_size, length);
        rk_u32 whole = at->in && begun && count <= cut->units;
        const rk_unit *slot =
            (const rk_unit *)(arena + of->slots + ((rk_u64)(at->index & of->mask) << of->shift));
        for (rk_u32 u = cut->unit; whole && u < count; u += cut->lanes)
            whole = (u == cut->unit ? at->unit.word[0] : rk_load_unit(&slot[u]).word[0]) == lap;
        rk_u32 broken = __ballot_sync(RK_ALL_LANES, !whole);
        if (broken & share) continue;
        at->count = count;
        if (cut->unit == 0) rk_or_u32(&of->whole, 1u << at->slot, RK_RELAXED, RK_SCOPE_BLOCK);
    }
}

/* What was taken of this look goes into the copies. Only a slot that nobody overwrites is read again, for the units
 * that a warp doesn't see at once. */
RK_FN void rk_look_copy(rk_entry *entry, const rk_look *look, const rk_cut *cut,
                        const rk_look_at seen[2][RK_LOOK_DEEP])
{
    rk_context *context = &entry->context;
#pragma unroll
    for (rk_u32 i = 0; i < 2u * RK_LOOK_DEEP; i++) {
        const rk_look_at *at = &seen[i / RK_LOOK_DEEP][i % RK_LOOK_DEEP];
        const rk_look_ring *of = &look->ring[at->ring];
        if (!at->count) continue;
        rk_u32 place = rk_found_place(&look->found, look->pieces, at->ring, at->index);
        if (place == RK_NO_PLACE) continue;
        rk_word *to = (rk_word *)rk_copy_slot(context, place);
        const rk_unit *slot =
            (const rk_unit *)(context->arena + of->slots + ((rk_u64)(at->index & of->mask) << of->shift));
        rk_unit unit = at->unit;
        if (cut->unit == 0) to[0] = at->index & ~of->mask;
        for (rk_u32 u = cut->unit; u < at->count; u += cut->lanes) {
            if (u != cut->unit) unit = rk_load_unit(&slot[u]);
            for (rk_u32 w = 0; w < 3u; w++) to[1u + 3u * u + w] = unit.word[1 + w];
        }
    }
}

/* rk_take of lanes with bands or DropOldest, by the whole block: a look at all rings together, what it comes to, the
 * copies; and again where a band had more than was looked at. Ends in a barrier. */
RK_FN void rk_block_take_rings(rk_entry *entry, rk_look *look, rk_u32 most)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 thread = entry->thread, lane = thread / RK_BANDS, band = thread % RK_BANDS;
    rk_u32 mine = thread < RK_LOOK_RINGS && band < look->bands;
    rk_cut cut = rk_block_cut_slots(entry, look->slot_size);
    rk_u32 groups = entry->threads / 32u * cut.slots;
    rk_u32 deep = groups < look->bands ? (look->bands + groups - 1u) / groups : 1u;
    rk_u32 slots = deep * groups / look->bands;
    slots = slots < RK_LOOK_SLOTS ? slots : RK_LOOK_SLOTS;
    if (thread < RK_LOOK_RINGS) {
        rk_found_ring *found = &look->found.ring[lane][band];
        found->next =
            mine ? ((RK_GLOBAL const rk_ring *)(context->arena + look->ring[thread].ring))->head : 0;
        found->n = found->more = 0;
        found->gone = 0;
    }
    if (thread == 0) rk_take_none(turn);
    RK_PORT_BLOCK_BARRIER();
    rk_u32 again;
    do {
        rk_look_at seen[2][RK_LOOK_DEEP];
        rk_look_read(entry, look, &cut, slots, deep, seen);
        RK_PORT_BLOCK_BARRIER();
        if (mine) {
            rk_look_ring *of = &look->ring[thread];
            rk_found_ring *found = &look->found.ring[lane][band];
            rk_found_judge(found, of->evicted ? of->mark : found->next, of->whole, slots);
            of->whole = 0;
        }
        if (thread < 32u) __syncwarp();
        if (thread == 0) {
            look->again = rk_take_found(context, look->bands, most, &look->found);
            look->pieces = turn->views;
        }
        RK_PORT_BLOCK_BARRIER();
        again = look->again;
        rk_look_copy(entry, look, &cut, seen);
    } while (again);
    if (mine && look->ring[thread].evicted)
        rk_take_settle((RK_GLOBAL rk_ring *)(context->arena + look->ring[thread].ring),
                       &look->found.ring[lane][band]);
    RK_PORT_BLOCK_BARRIER();
}

/* rk_take, by the whole block. Ends in a barrier. */
RK_FN_LARGE void rk_block_take_locked(rk_entry *entry, rk_u32 most)
{
#if !defined(RK_UNIT_PLAIN) /* or there is no such lane */
    rk_look *look = entry->look;
    if (entry->thread == 0) rk_look_open(entry, look);
    RK_PORT_BLOCK_BARRIER();
    if (look->can) {
        rk_block_take_rings(entry, look, most);
        return;
    }
#endif
    if (entry->thread == 0) rk_take(&entry->context, most);
    RK_PORT_BLOCK_BARRIER();
}

/* rk_take, by the whole block. Ends in a barrier. */
RK_FN_LARGE void rk_block_take(rk_entry *entry, rk_u32 most)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_turn *turn = context->turn;
    if (entry->look->shard == (rk_u64)((rk_byte *)context->shard - context->arena)) {
        rk_block_take_locked(entry, most); /* its constants are known */
        return;
    }
    RK_GLOBAL rk_lane *lane[2] = { rk_shard_lane(context, 0), rk_shard_lane(context, 1) };
    if (!rk_block_takes(entry, lane[0]) || !rk_block_takes(entry, lane[1])) {
        RK_PORT_BLOCK_BARRIER(); /* all have seen whose look it is, which now changes */
        rk_block_take_locked(entry, most);
        return;
    }
    rk_u32 which = turn->next_lane & 1u, got[2], n = 0;
    rk_u64 index[2];
    for (rk_u32 i = 0; i < 2u; i++, which ^= 1u) {
        RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane[which], context->arena, 0);
        index[which] = ring->head;
        got[which] = n < most ? rk_block_take_ring(entry, ring, ring->head, most - n, n) : 0u;
        n += got[which];
    }
    if (entry->thread == 0) {
        rk_u32 first = turn->next_lane & 1u, copied = 0;
        turn->views = 0;
        turn->references = 0;
        for (rk_u32 i = 0; i < 2u; i++, first ^= 1u) {
            if (!got[first]) continue;
            rk_view_open(context, &turn->view[turn->views++], lane[first]->rings[0], index[first], got[first],
                         copied);
            copied += got[first];
            turn->next_lane = first ^ 1u;
        }
        turn->copied = turn->n = n;
    }
    RK_PORT_BLOCK_BARRIER();
}

/* ------------------------------------------------------------------ publish */

RK_FN rk_u32 rk_plain_lane(rk_context *context, RK_GLOBAL const rk_lane *lane)
{
    return !lane->locked && !lane->closed && rk_lane_ring(lane, context->arena, 0)->format == RK_FORMAT_UNIT;
}

/* Of several shards the first's lane. 0: there are several connections. */
RK_FN rk_plain rk_plain_route(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL const rk_route *route = (RK_GLOBAL const rk_route *)(context->arena + shard->routes);
    rk_plain plain = { 0, 0, RK_NO_EDGE, 0 };
    if (route->edges == 0) {
        plain.lane = (RK_GLOBAL rk_lane *)(context->arena + shard->out_lane);
    } else if (route->edges == 1) {
        plain.edge_number = route->first;
        plain.edge = (RK_GLOBAL const rk_edge *)(context->arena + shard->edges) + route->first;
        plain.type = plain.edge->type;
        plain.lane = rk_edge_lane(context, plain.edge, 0);
    }
    return plain;
}

RK_FN rk_plain rk_plain_target(rk_context *context)
{
    rk_plain plain = rk_plain_route(context);
    if (plain.lane && ((plain.edge && plain.edge->shards > 1u) || !rk_plain_lane(context, plain.lane)))
        plain.lane = 0;
    return plain;
}

/* The same from what the block knows: routes change while nobody is served, so only whether the lane was closed is
 * looked at each time. The leader asks in front of a barrier that comes before rk_block_publish. */
RK_FN void rk_plain_know(rk_entry *entry)
{
    rk_context *context = &entry->context;
    rk_look *look = entry->look;
    rk_u64 shard = (rk_u64)((rk_byte *)context->shard - context->arena);
    if (look->plain_shard == shard && look->plain.lane && !look->plain.lane->closed) return;
    look->plain = rk_plain_target(context);
    look->plain_shard = shard;
}

/* Count what was published there. */
RK_FN void rk_plain_sent(rk_context *context, const rk_plain *plain, rk_u32 n)
{
    if (n == 0) return;
    if (plain->edge) {
        rk_target to;
        to.count = context->shard->edge_counts + 8u * (rk_u64)plain->edge->counts;
        rk_sent(context, &to, plain->edge_number, n);
    }
    rk_count(&context->shard->meter.sent, n);
}

/* Does this entry go by the default route, as it is? RK_PLAIN_SKIP: it goes nowhere. */
#define RK_PLAIN_STOP 0u
#define RK_PLAIN_SEND 1u
#define RK_PLAIN_SKIP 2u
RK_FN rk_u32 rk_plain_entry(RK_GLOBAL const rk_staged *entry, rk_u32 payload_max, rk_u32 type)
{
    if (entry->route == RK_TO_NOWHERE) return RK_PLAIN_SKIP;
    return entry->route == RK_TO_DEFAULT && entry->sent == 0 && entry->copied == RK_COPY_NONE &&
                   !(entry->header.base.flags & RK_FLAG_REFERENCE) &&
                   entry->header.base.length <= payload_max && (type == 0 || entry->header.base.type == type)
               ? RK_PLAIN_SEND
               : RK_PLAIN_STOP;
}

/* This lane's units of a staged message, into its slot. The last has what lies behind the payload, too. */
RK_FN void rk_warp_put(rk_unit *slot, rk_u32 lap, const rk_cut *cut, RK_GLOBAL const rk_staged *entry,
                       rk_u32 header_words)
{
    const rk_u32 count = rk_unit_count(header_words * 4u, entry->header.base.length);
    const rk_u32 payload =
        sizeof(rk_staged) / 4u - header_words; /* so far its words lie behind the header's */
    RK_GLOBAL const rk_word *words = (RK_GLOBAL const rk_word *)entry;
    rk_unit unit;
    unit.word[0] = lap;
    for (rk_u32 u = cut->unit; u < count; u += cut->lanes) {
#pragma unroll
        for (rk_u32 w = 1; w <= 3u; w++) {
            rk_u32 at = u * 3u + w;
            unit.word[w] = words[at >= header_words ? at + payload : at];
        }
        rk_store_unit(&slot[u], unit);
    }
}

/* This warp writes entries into slots: entry `numbers[i]` of the stage into the slot of index `first + i`. */
RK_FN void rk_warp_publish(rk_context *context, const rk_cut *cut, RK_GLOBAL const rk_ring *ring,
                           rk_u64 first, RK_LOCAL const rk_u16 *numbers, rk_u32 n)
{
    if (cut->slot >= n) return;
    rk_u64 index = first + cut->slot;
    RK_GLOBAL const rk_staged *entry =
        rk_stage_entry(context->stage, context->stage_stride, numbers[cut->slot]);
    rk_warp_put((rk_unit *)rk_ring_slot(ring, context->arena, index), rk_ring_lap(ring, index), cut, entry,
                ring->header_size / 4u);
}

/* Publish what is staged, as far as it goes by the default route into a plain lane with room; the leader
 * publishes the rest (publish.h). Ends in a barrier. */
RK_FN_LARGE void rk_block_publish(rk_entry *entry)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_turn *turn = context->turn;
    RK_GLOBAL rk_shard *shard = context->shard;
    rk_u32 staged = context->stage_next, warp = entry->thread / 32u, warps = entry->threads / 32u;
    rk_plain plain = entry->look->plain; /* rk_plain_know */
    if (!plain.lane || entry->threads % 32u || turn->failed || context->spmd) return;
    RK_GLOBAL rk_ring *ring = rk_lane_ring(plain.lane, context->arena, 0);
    rk_cut cut = rk_block_cut_slots(entry, ring->slot_size);
    rk_u32 full = 1;
    for (rk_u32 begin = 0; begin < staged && full; begin += entry->threads) {
        /* Which of these entries go, and the how-manieth each is. */
        rk_u32 e = begin + entry->thread, kind = RK_PLAIN_SKIP;
        RK_GLOBAL rk_staged *mine = rk_stage_entry(context->stage, shard->stage_stride, e);
        if (e < staged) kind = rk_plain_entry(mine, ring->payload_max, plain.type);
        rk_u32 stops = __ballot_sync(RK_ALL_LANES, kind == RK_PLAIN_STOP);
        rk_u32 sends = __ballot_sync(RK_ALL_LANES, kind == RK_PLAIN_SEND);
        if (stops) sends &= (1u << (__ffs((int)stops) - 1)) - 1u;
        rk_u32 lane = entry->thread % 32u;
        if (lane == 0) {
            entry->board[warp] = (rk_u32)__popc((int)sends);
            entry->board[32u + warp] = stops ? (rk_u32)__ffs((int)stops) - 1u : 32u;
        }
        RK_PORT_BLOCK_BARRIER();
        rk_u32 before = 0, total = 0, open = 1, end = begin;
        for (rk_u32 w = 0; w < warps; w++) {
            if (w == warp) before = open ? total : 0xffffffffu;
            if (!open) continue;
            total += entry->board[w];
            end += entry->board[32u + w];
            open = entry->board[32u + w] == 32u;
        }
        if (before != 0xffffffffu && (sends >> lane & 1u)) {
            entry->numbers[before + (rk_u32)__popc((int)(sends & ((1u << lane) - 1u)))] = (rk_u16)e;
            if (plain.edge)
                rk_header_aim(&mine->header.base,
                              rk_edge_target(context, plain.edge, plain.edge_number, mine, 0).target);
        }
        if (end > staged) end = staged;
        /* One claim for all of them. */
        if (entry->thread == 0 && total) {
            rk_claim claim = rk_ring_claim(ring, total);
            rk_ring_stamp(ring, claim.first, claim.count, context->now_ns);
            *entry->claim = claim;
        }
        RK_PORT_BLOCK_BARRIER();
        rk_u32 granted = total ? entry->claim->count : 0u;
        for (rk_u32 i = warp * cut.slots; i < granted; i += warps * cut.slots)
            rk_warp_publish(context, &cut, ring, entry->claim->first + i, entry->numbers + i, granted - i);
        if (entry->thread == 0) {
            turn->published = granted < total ? entry->numbers[granted] : end;
            rk_plain_sent(context, &plain, granted);
        }
        full = granted == total && open;
        RK_PORT_BLOCK_BARRIER();
    }
}

#endif
#endif
