/* Shuttle: the express (express.h) on its shortest line.
 *
 * Kernels without state, whose messages have a short header and a slot of 64 bytes on each side, are what most rates
 * are made of. For them nothing is asked twice: what a turn needs of its lanes stays in registers, a lane of a warp reads a
 * unit of each fourth slot and a thread handles one message, and there are three barriers:
 *
 *     look, acquire │ handlers, number │ claim │ write, commit, count
 *
 * The copies of messages, the staged sends and what the block agrees by are the express's, so whatever turns out not to
 * be plain is finished by the same general visit. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_H
#define RINGKERNEL_DEVICE_SHUTTLE_H

#include "express_alone.h"

#if defined(RK_LANG_CUDA)

#define RK_SHUTTLE_BUS \
    64u /* looks at the device's lane for one at the host's, unless something was seen there */
#define RK_SHUTTLE_QUIET 8u /* looks that find one message or none, before the first warp goes on alone */

/* A lane of the shard, as each thread has it. */
typedef struct rk_line {
    const rk_byte *slots;
    rk_u64 head;
    rk_u32 mask;
} rk_line;

RK_FN rk_line rk_line_of(const rk_way *way)
{
    rk_line line = { way->slots, way->head, way->mask };
    return line;
}

/* What a turn needs that doesn't change, in registers. */
typedef struct rk_shuttle {
    rk_express_own own;
    rk_express *x;
    rk_express_target *target;
    RK_GLOBAL rk_ring *ring; /* of the one shard of the target, */
    rk_byte *slots;          /* and its slots */
    rk_u32 mask, shards, single, tries, mode, max_sends;
    rk_u32 widest;           /* warps that have messages in the largest turn */
    RK_GLOBAL rk_u64 *count; /* of what goes there; 0: it is the host's */
    rk_u32 *cell;            /* warps × shards: sends of a warp to a shard; 0 between the turns */
    rk_u32
        ahead; /* 1: room is asked for before the handlers, as much as they may need: under Block nobody is refused */
} rk_shuttle;

RK_FN rk_shuttle rk_shuttle_of(rk_entry *entry, const rk_express_own *where)
{
    rk_shuttle s;
    s.own = rk_express_known(entry, where);
    s.x = (rk_express *)s.own.fixed;
    s.target = (rk_express_target *)(s.own.fixed + sizeof(rk_express));
    s.ring = s.target->ring;
    s.slots = s.target->slots;
    s.mask = s.x->to.mask;
    s.shards = s.x->to.shards;
    s.single = s.x->to.single;
    s.tries = s.x->to.tries;
    s.mode = s.x->to.edge[0].edge.mode;
    s.count = s.target->count;
    s.max_sends = entry->context.shard->max_sends;
    s.widest = rk_express_most(s.x, &s.own, s.max_sends) / 32u;
    s.cell = (rk_u32 *)(s.target + s.shards);
    s.ahead = s.max_sends == 1u && s.shards == 1u && !s.single && s.tries;
    return s;
}

/* Is it a shard for the shuttle, after rk_express_can? */
RK_FN rk_u32 rk_shuttle_can(rk_entry *entry, const rk_express *x, const rk_express_own *own)
{
    RK_GLOBAL const rk_shard *shard = entry->context.shard;
    RK_GLOBAL const rk_lane *lane = rk_shard_lane(&entry->context, 0);
    RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, entry->context.arena, 0);
    return shard->features == 0 && shard->state_kind == RK_STATELESS && shard->memory != RK_SEQUENTIAL &&
           lane->bands == 1u && ring->slot_shift == RK_SLOT_MIN_SHIFT &&
           ring->header_size == RK_HEADER_SHORT && x->to.shift == RK_SLOT_MIN_SHIFT &&
           x->to.header_size == RK_HEADER_SHORT && !x->to.ordered &&
           (x->to.edges < 2u || shard->max_sends > 1u) &&
           shard->max_sends <= 32u && /* that the first warp publishes alone */
           own->room.messages % 32u == 0 && rk_express_most(x, own, shard->max_sends) % 32u == 0;
}

/* ------------------------------------------------------------------ looking */

/* Units of a message in a slot, as bits; 0: the general visit has to see to it. `unit` is the slot's first. */
RK_FN rk_u32 rk_shuttle_units(rk_unit unit)
{
    const rk_u32 count = rk_unit_count(RK_HEADER_SHORT, unit.word[1] >> 16);
    return count > 4u || (unit.word[3] >> 24 & RK_EXPRESS_ODD) ? 0u : (1u << count) - 1u;
}

RK_FN void rk_shuttle_copy(rk_byte *copy, rk_u32 u, rk_unit unit)
{
    rk_word *to = (rk_word *)copy + 1u + 3u * u;
    if (u == 0) to[-1] = unit.word[0];
    for (rk_u32 w = 0; w < 3u; w++) to[w] = unit.word[1 + w];
}

/* This warp looks at the 32 slots from the `at`-th next one on and copies what is there. Returns how many from the first
 * on are whole; *odd: the first is there, and none of the shuttle's. */
RK_FN rk_u32 rk_shuttle_look(const rk_line *line, rk_u32 at, const rk_express_own *own, rk_u32 *odd)
{
    const rk_u32 lane = threadIdx.x % 32u, slot = lane / 4u, u = lane % 4u;
    const rk_u32 index = (rk_u32)line->head + at + slot;
    rk_byte *copy = own->copies + (at + slot) * own->room.copy_stride;
    rk_unit unit[4];
    rk_u32 n = 0, going = 1;
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++)
        unit[d] = rk_load_unit(
            (const rk_unit *)(line->slots + ((rk_u64)((index + 8u * d) & line->mask) << RK_SLOT_MIN_SHIFT)) +
            u);
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++) {
        const rk_u32 lap = (index + 8u * d) & ~line->mask;
        const rk_u32 fresh = __ballot_sync(RK_ALL_LANES, unit[d].word[0] == lap) >> (lane & 28u);
        const rk_u32 units = rk_shuttle_units(unit[d]);
        const rk_u32 broken = __ballot_sync(RK_ALL_LANES, u == 0 && (units == 0 || (fresh & units) != units));
        if (d == 0) *odd = (fresh & 1u) && units == 0;
        rk_shuttle_copy(copy + 8u * d * own->room.copy_stride, u, unit[d]);
        if (going) n += broken ? ((rk_u32)__ffs((int)broken) - 1u) / 4u : 8u;
        going = going && !broken;
    }
    return n;
}

/* While kernels send, the host's next slot and its orders are looked at beside each turn, by a warp that has its own
 * part of the turn to do until the bus answers. 1: there is something. */
RK_FN rk_unit rk_shuttle_peek(const rk_line *host, const rk_unit *orders)
{
    const rk_u32 lane = threadIdx.x % 32u;
    rk_unit unit = { { 0, 0, 0, 0 } };
    if (lane < 2u)
        unit = rk_load_unit(
            lane ? orders
                 : (const rk_unit *)(host->slots + ((host->head & host->mask) << RK_SLOT_MIN_SHIFT)));
    return unit;
}
RK_FN rk_u32 rk_shuttle_peeked(const rk_line *host, rk_unit unit, rk_u32 faults)
{
    const rk_u32 lane = threadIdx.x % 32u, lap = (rk_u32)host->head & ~host->mask;
    const rk_u32 ordered = unit.word[0] != RK_COMMAND_RUN || unit.word[1] || unit.word[3] != faults;
    return __any_sync(RK_ALL_LANES, lane == 0 ? unit.word[0] == lap : lane == 1u && ordered) != 0;
}

/* How many messages the warps found together, each up to 32: those up to the first gap. */
RK_FN rk_u32 rk_shuttle_found(const rk_u32 *count, rk_u32 warps)
{
    const rk_u32 lane = threadIdx.x % 32u, mine = lane < warps ? count[lane] : 0u;
    const rk_u32 gaps = __ballot_sync(RK_ALL_LANES, mine != 32u);
    if (!gaps) return 1024u;
    const rk_u32 first = (rk_u32)__ffs((int)gaps) - 1u;
    return first * 32u + __shfl_sync(RK_ALL_LANES, mine, first);
}

/* ------------------------------------------------------------------ handlers */

/* The handler of the message in copy k, by this thread; the target of a single send is found here. 1: they are plain. */
RK_FN rk_u32 rk_shuttle_handle(const rk_shuttle *s, rk_context *c, rk_u32 number, rk_u32 k, rk_u32 first,
                               rk_u64 now_ns)
{
    c->now_ns = now_ns;
    c->unusual = 0;
    rk_express_stand(&s->own, c, RK_HEADER_SHORT, k, first, s->max_sends);
    rk_unit_handle_here(c, number);
    rk_express_types(s->x, c);
    if (s->count && s->mode != RK_ROUTE_TARGET &&
        s->x->to.edges == 1u) /* of several the express finds them */
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

/* ------------------------------------------------------------------ publishing */

/* Room for what n messages may send, asked for while they are handled: what the lane had, to the leader. */
RK_FN rk_i32 rk_shuttle_ask(const rk_shuttle *s, rk_u32 n)
{
    return (rk_i32)rk_port_add_u32(&s->ring->room, 0u - n);
}

/* Claims for the one shard of the target, by the leader. `asked` of rk_shuttle_ask, which found `had`; else 0. What
 * handlers wrote is released while the lane answers. */
RK_FN void rk_shuttle_claim(const rk_shuttle *s, rk_u32 want, rk_u32 asked, rk_i32 had,
                            RK_GLOBAL const rk_shard *releases)
{
    rk_express_target *target = s->target;
    rk_u32 granted;
    if (s->single) {
        granted = rk_express_claim_single(s->x, target, s->mask + 1u, want);
    } else {
        if (!asked) had = rk_shuttle_ask(s, asked = want);
        if (releases && s->count) rk_batch_release(releases);
        granted = had <= 0 ? 0u : (rk_u32)had < want ? (rk_u32)had : want;
        if (granted < asked) rk_port_give_u32(&s->ring->room, asked - granted);
        if (granted) target->first = (rk_u32)rk_port_add_u64(&s->ring->tail, granted);
        if (granted && s->count) rk_port_count(s->count, granted);
    }
    target->granted = granted;
}

/* This lane's unit of a staged send into the slot of `index`. */
RK_FN void rk_shuttle_put(rk_byte *slots, rk_u32 mask, rk_u32 index, RK_GLOBAL const rk_staged *staged)
{
    const rk_u32 u = threadIdx.x % 4u;
    RK_GLOBAL const rk_word *words = (RK_GLOBAL const rk_word *)staged + 1u + 3u * u +
                                     (u ? (sizeof(rk_staged) - RK_HEADER_SHORT) / 4u : 0u);
    rk_unit unit = { { index & ~mask, words[0], words[1], words[2] } };
    rk_store_unit((rk_unit *)(slots + ((rk_u64)(index & mask) << RK_SLOT_MIN_SHIFT)) + u, unit);
}

/* The sends of a warp's threads that have a slot, four lanes to each. `goes`: this thread's has that of `index` in
 * `slots`; its stage begins with `first`, and its neighbours' `share` apart. */
RK_FN void rk_shuttle_write(const rk_shuttle *s, rk_u32 goes, rk_u32 shard, rk_u32 index, rk_u32 first,
                            rk_u32 share)
{
    const rk_u32 lane = threadIdx.x % 32u, going = __ballot_sync(RK_ALL_LANES, goes);
#pragma unroll
    for (rk_u32 d = 0; d < 4u; d++) {
        const rk_u32 of = 8u * d + lane / 4u;
        const rk_u32 at = __shfl_sync(RK_ALL_LANES, index, of);
        const rk_u32 to = s->shards > 1u ? __shfl_sync(RK_ALL_LANES, shard, of) : 0u;
        rk_byte *slots = s->shards > 1u ? s->target[to].slots : s->slots;
        if (going >> of & 1u)
            rk_shuttle_put(slots, s->mask, at, rk_express_staged(&s->own, first + (of - lane) * share));
    }
}

/* What a turn's threads send, one each at most, of which this one's has number `before`. */
typedef struct rk_shuttle_sends {
    rk_u32 sends, before, total;
    rk_u32 first, share; /* where it is staged */
} rk_shuttle_sends;

/* To one shard, by all warps. Returns how many are out, to all the same. */
RK_FN rk_u32 rk_shuttle_send(rk_entry *entry, const rk_shuttle *s, const rk_shuttle_sends *t, rk_u32 asked,
                             rk_i32 had)
{
    const rk_u32 thread = threadIdx.x;
    rk_u32 out = 0;
    for (rk_u32 tries = 0;; tries++) {
        if (thread == 0)
            rk_shuttle_claim(s, t->total - out, tries ? 0u : asked, had, tries ? 0 : entry->context.shard);
        if (tries && thread / 32u == blockDim.x / 32u - 1u && rk_express_orders(entry, s->x)) s->x->ends = 1;
        RK_PORT_BLOCK_BARRIER();
        const rk_u32 granted = s->target->granted, place = t->before - out;
        rk_shuttle_write(s, t->sends && t->before >= out && place < granted, 0, s->target->first + place,
                         t->first, t->share);
        out += granted;
        if (out == t->total || tries >= s->tries || s->x->ends) break;
        RK_PORT_BLOCK_BARRIER();
    }
    if (out < t->total && t->sends && t->before < out)
        rk_express_staged(&s->own, t->first)->route = RK_TO_NOWHERE; /* the general visit has the rest */
    return out;
}

/* To many: threads of a warp that send to the same shard find each other, a table says how many each warp has for
 * each shard, and a thread a shard claims. */
RK_FN rk_u32 rk_shuttle_spread(rk_entry *entry, const rk_shuttle *s, const rk_shuttle_sends *t)
{
    const rk_u32 thread = threadIdx.x, lane = thread % 32u, warp = thread / 32u, warps = blockDim.x / 32u;
    const rk_u32 all = __ballot_sync(RK_ALL_LANES, t->sends);
    rk_u32 shard = 0, rank = 0, is_out = 0, *cell = s->cell;
    if (t->sends) {
        shard = rk_express_staged(&s->own, t->first)->header.base.target % s->shards;
        const rk_u32 peers = __match_any_sync(all, shard);
        rank = (rk_u32)__popc((int)(peers & ((1u << lane) - 1u)));
        cell = &s->cell[warp * s->shards + shard];
        if (rank == 0) *cell = (rk_u32)__popc((int)peers);
    }
    if (thread == 0) s->x->out = 0;
    RK_PORT_BLOCK_BARRIER();
    for (rk_u32 to = thread; to < s->shards; to += blockDim.x) {
        rk_u32 n = 0;
        for (rk_u32 w = 0; w < s->widest; w++) {
            const rk_u32 of_warp = s->cell[w * s->shards + to];
            if (of_warp) s->cell[w * s->shards + to] = n;
            n += of_warp;
        }
        rk_express_wants(&s->target[to], n);
    }
    for (rk_u32 tries = 0;; tries++) {
        for (rk_u32 to = thread; to < s->shards; to += blockDim.x) {
            rk_express_target *target = &s->target[to];
            target->done += target->granted;
            const rk_u32 granted = target->left ? rk_express_claim_counted(target, target->left) : 0u;
            target->granted = granted;
            target->left -= granted;
            if (!granted) continue;
            rk_port_count(target->count, granted);
            rk_add_u32(&s->x->out, granted, RK_RELAXED, RK_SCOPE_BLOCK);
        }
        if (thread == 0 && tries == 0) rk_batch_release(entry->context.shard);
        if (tries && warp == warps - 1u && rk_express_orders(entry, s->x)) s->x->ends = 1;
        RK_PORT_BLOCK_BARRIER();
        if (tries == 0) {
            const rk_u32 begins = t->sends ? *cell : 0u;
            __syncwarp();
            if (t->sends && rank == 0) *cell = 0;
            rank += begins;
        }
        const rk_express_target *target = &s->target[shard];
        const rk_u32 goes = t->sends && !is_out && rank - target->done < target->granted;
        rk_shuttle_write(s, goes, shard, target->first + rank - target->done, t->first, t->share);
        is_out |= goes;
        if (s->x->out == t->total || tries >= s->tries || s->x->ends) break;
        RK_PORT_BLOCK_BARRIER();
    }
    const rk_u32 out = s->x->out;
    if (out < t->total && is_out) rk_express_staged(&s->own, t->first)->route = RK_TO_NOWHERE;
    return out;
}

/* Several sends a message: the express's way. By the first warp, and by all. */
RK_FN_LARGE rk_u32 rk_shuttle_send_few(rk_entry *entry, rk_express *x, const rk_express_own *where,
                                       rk_u32 total)
{
    const rk_express_own own = *where;
    const rk_express_order none = { 0, 0 };
    return rk_express_send_few(entry, x, &own, none, total);
}
RK_FN rk_u32 rk_shuttle_send_many(rk_entry *entry, const rk_express_own *where, rk_u32 total)
{
    const rk_express_order none = { 0, 0 };
    return rk_express_send_many(entry, where, none, total);
}

/* ------------------------------------------------------------------ one at a time */

/* Message after message, by the first warp, as long as each comes alone. Why it ends is in x->alone. */
RK_FN void rk_shuttle_alone(rk_entry *entry, const rk_shuttle *s, rk_context *c, const rk_express_own *where,
                            rk_u32 sources)
{
    rk_context *context = &entry->context;
    rk_express *x = s->x;
    RK_GLOBAL const rk_shard *shard = c->shard;
    const rk_u32 number = entry->number, stride = s->own.room.stage_stride / 8u;
    const rk_u32 lane = threadIdx.x, slot = lane / 4u, u = lane % 4u; /* slots: next, behind it, the orders */
    const rk_u32 faults = x->faults, memory = shard->memory;
    const rk_unit *orders = (const rk_unit *)context->told;
    rk_line host = rk_line_of(&x->in[0][0]), device = rk_line_of(&x->in[1][0]);
    rk_u32 from_kernels = 0, near = 0, why = RK_ALONE_LEAVE, from = 0;
    for (rk_u32 idle = 0, turns = 0; idle < RK_EXPRESS_IDLE && turns < RK_EXPRESS_TURNS;) {
        from = sources && near < (from_kernels ? RK_EXPRESS_BUS : 1u);
        near = from ? near + 1u : 0u;
        const rk_line line = from ? device : host;
        const rk_u32 index = (rk_u32)line.head + slot, lap = index & ~line.mask;
        const rk_unit *at =
            (const rk_unit *)(line.slots + ((rk_u64)(index & line.mask) << RK_SLOT_MIN_SHIFT)) + u;
        rk_unit unit = { { lap - 1u, 0, 0, 0 } };
        if (slot == 2u) at = orders + u; /* on the same way over the bus */
        if (slot < 2u + !from) unit = rk_load_unit(at);
        const rk_u32 fresh = __ballot_sync(RK_ALL_LANES, slot < 2u && unit.word[0] == lap);
        if (!from) {
            if (slot == 2u) ((rk_unit *)entry->orders)[u] = unit;
            if (__any_sync(RK_ALL_LANES, lane == 8u && (unit.word[0] != RK_COMMAND_RUN || unit.word[1] ||
                                                        unit.word[3] != faults)))
                break;
        }
        if (!(fresh & 1u)) {
            idle++;
            continue;
        }
        const rk_u32 units = __shfl_sync(RK_ALL_LANES, rk_shuttle_units(unit), 0);
        if (units == 0) break;
        if ((fresh & units) != units) { /* it is being written */
            idle++;
            continue;
        }
        if (fresh & 16u) {
            why = RK_ALONE_MORE;
            break;
        }
        if (slot == 0) rk_shuttle_copy(s->own.copies, u, unit);
        if (from && memory == RK_RELEASE_ACQUIRE) rk_batch_acquire(shard);
        __syncwarp();
        rk_u32 general = 0, sent = 0, out = 0;
        const rk_u64 now_ns = rk_entry_now(c);
        rk_i32 had = 0;
        if (lane == 0) {
            if (s->ahead) had = rk_shuttle_ask(s, 1);
            general = !rk_shuttle_handle(s, c, number, 0, 0, now_ns);
            sent = c->stage_next;
            if (s->ahead && (general || !sent)) rk_port_give_u32(&s->ring->room, 1);
        }
        general = __shfl_sync(RK_ALL_LANES, general, 0);
        sent = __shfl_sync(RK_ALL_LANES, sent, 0);
        if (!general && sent) {
            if (s->shards > 1u) {
                if (lane < sent) x->number[lane] = (rk_u16)(lane * stride);
                __syncwarp();
                out = rk_shuttle_send_few(entry, x, where, sent);
            } else {
                if (lane == 0) rk_shuttle_claim(s, sent, s->ahead, had, shard);
                __syncwarp();
                out = s->target->granted;
                for (rk_u32 i = slot; i < out; i += 8u)
                    rk_shuttle_put(s->slots, s->mask, s->target->first + i,
                                   rk_express_staged(&s->own, i * stride));
                if (out < sent && lane < out)
                    rk_express_staged(&s->own, lane * stride)->route = RK_TO_NOWHERE;
            }
            general = out < sent;
        }
        rk_way in = x->in[from][0];
        in.head = line.head;
        if (from)
            device.head++;
        else
            host.head++;
        if (general) {
            if (lane == 0) {
                rk_shuttle_note(x, c, 0, 0);
                x->rounds = 1;
                x->now_ns = now_ns;
                rk_express_partly(entry, x, out, 1, now_ns);
            }
            why = RK_ALONE_GENERAL;
            break;
        }
        rk_express_commit(c, x, &in, 1, out, now_ns);
        __syncwarp(); /* what the lanes have read is written again for the next message */
        from_kernels = from;
        idle = 0;
        turns++;
    }
    if (lane == 0) {
        x->in[0][0].head = host.head;
        x->in[1][0].head = device.head;
        x->alone = why;
        x->alone_from = from;
    }
}

/* ------------------------------------------------------------------ turns */

/* Turn after turn, until there is something for the general visit. Returns RK_VISIT_*: what the last came to. */
RK_FN rk_u32 rk_shuttle_serve(rk_entry *entry, const rk_express_own *where)
{
    rk_context *context = &entry->context;
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_express *x = s->x;
    const rk_u32 thread = threadIdx.x, threads = blockDim.x;
    const rk_u32 lane = thread % 32u, warp = thread / 32u, warps = threads / 32u, number = entry->number;
    const rk_u32 sources = context->shard->end_sources > 1u || context->shard->edge_total;
    const rk_u32 widest = s->widest;
    const rk_u32 share = s->own.room.share / 8u, first = thread * share,
                 stride = s->own.room.stage_stride / 8u;
    rk_u32 host_width = 1, width = 1, from_kernels = 0, near = 0, quiet = 0, turns = 0, visit = RK_VISIT_IDLE;
    rk_context c;
    rk_express_context(entry, x, &s->own, &c);
    rk_express_open(entry, x);
    const rk_unit *orders = (const rk_unit *)context->told;
    if (thread == 0) {
        x->rounds = 1;
        x->peeked = 0;
    }
    RK_PORT_BLOCK_BARRIER();
    const rk_u32 memory = c.shard->memory;
    rk_line host = rk_line_of(&x->in[0][0]), device = rk_line_of(&x->in[1][0]);
    for (;;) {
        rk_u32 from, n, out = 0, total = 0, general = 1, ends = 0;
        rk_u64 now_ns;
        if (quiet >= RK_SHUTTLE_QUIET) {
            if (thread == 0) {
                x->in[0][0].head = host.head;
                x->in[1][0].head = device.head;
            }
            __syncwarp();
            if (warp == 0) rk_shuttle_alone(entry, s, &c, where, sources);
            RK_PORT_BLOCK_BARRIER();
            host.head = x->in[0][0].head;
            device.head = x->in[1][0].head;
            quiet = near = 0;
            from = x->alone_from;
            visit = x->alone == RK_ALONE_LEAVE ? RK_VISIT_IDLE : RK_VISIT_WORKED;
            if (x->alone == RK_ALONE_LEAVE) break;
            if (from)
                width = widest;
            else
                host_width = widest;
            if (x->alone == RK_ALONE_MORE) {
                RK_PORT_BLOCK_BARRIER();
                continue;
            }
            if (from)
                device.head--;
            else
                host.head--;
            n = 1;
            now_ns = x->now_ns;
        } else {
            from = sources && near < (from_kernels ? RK_SHUTTLE_BUS : 1u);
            near = from ? near + 1u : 0u;
            const rk_u32 wide = from ? width : host_width;
            rk_u32 whole = 0, odd = 0;
            if (warp < wide) {
                whole = rk_shuttle_look(from ? &device : &host, warp * 32u, &s->own, &odd);
                if (from && memory == RK_RELEASE_ACQUIRE) rk_batch_acquire(c.shard);
            }
            if (lane == 0) x->count[warp] = whole;
            /* One warp alone reads and writes the orders while the block is under way. */
            if (warp == warps - 1u) {
                const rk_u32 ordered = !from && rk_express_orders(entry, s->x);
                if (lane == 0) {
                    x->ends = ordered;
                    x->now_ns = rk_entry_now(&c);
                }
            }
            if (thread == 0) x->odd = odd;
            RK_PORT_BLOCK_BARRIER();
            n = rk_shuttle_found(x->count, warps);
            now_ns = x->now_ns;
            ends = x->ends;
            if (from && x->peeked) near = RK_SHUTTLE_BUS;
            if (ends || (n == 0 && x->odd)) break; /* the general visit looks at everything */
            if (n == 0) {
                quiet++;
                if (from)
                    width = 1;
                else
                    host_width = 1;
                RK_PORT_BLOCK_BARRIER();
                continue;
            }
            rk_u32 sent = 0, plain = 1, of_warp;
            rk_i32 had = 0;
            rk_unit peek = { { 0, 0, 0, 0 } };
            if (from && warp == warps - 1u) peek = rk_shuttle_peek(&host, orders);
            if (s->ahead && thread == 0) had = rk_shuttle_ask(s, n);
            if (thread < n) {
                plain = rk_shuttle_handle(s, &c, number, thread, first, now_ns);
                sent = c.stage_next;
            }
            rk_u32 before = rk_warp_before(sent, s->max_sends, &of_warp);
            const rk_u32 strange = __any_sync(RK_ALL_LANES, !plain);
            if (lane == 0) x->sends[warp] = of_warp | strange << 31;
            RK_PORT_BLOCK_BARRIER();
            const rk_u32 word = lane < warps ? x->sends[lane] : 0u;
            general = __any_sync(RK_ALL_LANES, word >> 31) != 0;
            before += __shfl_sync(RK_ALL_LANES, rk_warp_before(word & 0x7fffffffu, 0, &total), warp);
            if (s->ahead && thread == 0 && (general || !total)) rk_port_give_u32(&s->ring->room, n);
            if (!general && total) {
                const rk_shuttle_sends sends = { sent, before, total, first, share };
                if (s->max_sends > 1u) {
                    for (rk_u32 i = 0; i < sent; i++) x->number[before + i] = (rk_u16)(first + i * stride);
                    if (thread == 0) x->out = 0;
                    RK_PORT_BLOCK_BARRIER();
                    out = rk_shuttle_send_many(entry, where, total);
                } else if (s->shards > 1u) {
                    out = rk_shuttle_spread(entry, s, &sends);
                } else {
                    out = rk_shuttle_send(entry, s, &sends, s->ahead ? n : 0u, had);
                }
                general = out < total;
                ends = out < total && x->ends;
            }
            if (general && thread < n) rk_shuttle_note(x, &c, thread, first);
            if (general && thread == 0) rk_express_partly(entry, x, out, n, now_ns);
            if (from && warp == warps - 1u) {
                rk_u32 peeked = rk_shuttle_peeked(&host, peek, x->faults);
                if (lane == 0) x->peeked = peeked;
            }
            from_kernels = from;
            const rk_u32 next = n == 32u * wide  ? (4u * wide < widest ? 4u * wide : widest)
                                : n <= 8u * wide ? (wide + 1u) / 2u
                                                 : wide;
            if (from)
                width = next;
            else
                host_width = next;
        }
        rk_way in = x->in[from][0];
        in.head = from ? device.head : host.head;
        if (from)
            device.head += n;
        else
            host.head += n;
        quiet = n == 1u ? quiet + 1u : 0u;
        visit = RK_VISIT_WORKED;
        if (general) {
            rk_way in_of_general = in; /* its own address is nobody's, or it would lie in memory */
            RK_PORT_BLOCK_BARRIER();
            visit = rk_express_general(entry, x, where, &in_of_general, n, now_ns);
            if (visit != RK_VISIT_WORKED) break;
            if (thread == 0) { /* the general visit has changed them */
                x->tail = s->target->ring->tail;
                rk_express_counters(context, x);
            }
        } else if (warp == warps - 1u) {
            rk_express_commit(&c, x, &in, n, out, now_ns);
        }
        if (ends || ++turns == RK_EXPRESS_TURNS) break;
    }
    RK_PORT_BLOCK_BARRIER();
    return visit;
}

#endif
#endif
