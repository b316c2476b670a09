/* The express publishes: all that a turn sends by the default route into open lanes, in the order of its causes.
 *
 *     number the sends → aim each at its shard, and rank it among those → claim, a thread a shard → write
 *
 * Few sends are the first warp's alone, and the lanes of it that aim at the same shard find each other. Many are cut
 * into rows of 32, and a table says how many each row has for each shard: its columns become sums, so a shard is
 * claimed once, and what it gets from here stays in order. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_SEND_H
#define RINGKERNEL_DEVICE_EXPRESS_SEND_H

#include "block.h"
#include "express_handle.h"

#if defined(RK_LANG_CUDA)

#define RK_EXPRESS_OUT 0x8000u /* set in rk_express.aim: it is written */
#define RK_EXPRESS_TRIES \
    64u /* how often room is asked for, a look over the bus apart, before the shard is parked */

/* Is this lane one that the sends of `aim` may go to? */
RK_FN rk_u32 rk_express_alike(rk_context *context, const rk_aim *aim, RK_GLOBAL const rk_lane *lane,
                              RK_GLOBAL const rk_lane *like, rk_u32 alone)
{
    RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, context->arena, 0);
    return rk_plain_lane(context, (RK_GLOBAL rk_lane *)lane) && ring->mask == aim->mask &&
           ring->slot_shift == aim->shift && ring->header_size == aim->header_size &&
           lane->strategy == like->strategy && (ring->counted || (alone && ring->single));
}

/* A connection becomes one of the aim's, if its lanes are alike and there is room for them. The same for all threads. */
RK_FN rk_u32 rk_express_join(rk_entry *entry, rk_aim *aim, RK_GLOBAL const rk_edge *edge, rk_u32 route,
                             RK_GLOBAL const rk_lane *like)
{
    rk_context *context = &entry->context;
    rk_u32 alike = edge->mode != RK_ROUTE_ALL && aim->edges < RK_EXPRESS_EDGES &&
                   (aim->shards + edge->shards) * (sizeof(rk_express_target) + 4u) <= RK_EXPRESS_AIM;
    for (rk_u32 s = entry->thread; s < edge->shards && alike; s += entry->threads)
        alike = rk_express_alike(context, aim, rk_edge_lane(context, edge, s), like, edge->shards == 1u);
    if (!__syncthreads_and((int)alike)) return 0;
    RK_GLOBAL rk_u64 *counts =
        (RK_GLOBAL rk_u64 *)(context->arena + context->shard->edge_counts) + edge->counts;
    for (rk_u32 s = entry->thread; s < edge->shards; s += entry->threads) {
        rk_express_target *target = &aim->target[aim->shards + s];
        target->ring = rk_lane_ring(rk_edge_lane(context, edge, s), context->arena, 0);
        target->slots = context->arena + target->ring->slots;
        target->count = counts + s;
    }
    rk_express_edge *to = &aim->edge[aim->edges++];
    to->edge = *edge;
    to->route = route;
    to->first = aim->shards;
    aim->shards += edge->shards;
    return 1;
}

/* All shards that the default route leads to, if they are plain and alike, and those of named routes that are so too.
 * 0: the default route's are not. The same for all threads. Ends in a barrier. */
RK_FN rk_u32 rk_express_aim(rk_entry *entry, rk_express *x, const rk_express_own *own)
{
    rk_context *context = &entry->context;
    RK_GLOBAL const rk_shard *shard = context->shard;
    const rk_plain plain = rk_plain_route(context);
    if (!plain.lane) return 0;
    RK_GLOBAL const rk_ring *like = rk_lane_ring(plain.lane, context->arena, 0);
    rk_aim aim = { 0 };
    aim.target = (rk_express_target *)(own->fixed + sizeof(rk_express));
    aim.mask = like->mask;
    aim.shift = like->slot_shift;
    aim.header_size = like->header_size;
    aim.single = like->single;
    aim.payload_max = like->payload_max;
    aim.tries = plain.lane->strategy == RK_BACKPRESSURE_BLOCK ? RK_EXPRESS_TRIES : 0u;
    aim.marked = plain.edge || (context->features & RK_FEATURE_CAUSAL);
    aim.ordered =
        (context->features & RK_FEATURE_CAUSAL) || (plain.edge && plain.edge->mode == RK_ROUTE_TURN);
    if (!plain.edge) {
        aim.shards = 1;
        if (entry->thread == 0) {
            aim.target->ring = rk_lane_ring(plain.lane, context->arena, 0);
            aim.target->slots = context->arena + like->slots;
            aim.target->count = 0;
        }
        if (!rk_express_alike(context, &aim, plain.lane, plain.lane, 1)) return 0;
    } else {
        if (!rk_express_join(entry, &aim, plain.edge, RK_TO_DEFAULT, plain.lane)) return 0;
        RK_GLOBAL const rk_route *routes = (RK_GLOBAL const rk_route *)(context->arena + shard->routes);
        const rk_u32 named = plain.edge->mode == RK_ROUTE_TURN || aim.single ? 0u : shard->route_total;
        for (rk_u32 r = 1; r < named && r < 32u; r++) {
            if (routes[r].edges != 1u) continue;
            RK_GLOBAL const rk_edge *edge =
                (RK_GLOBAL const rk_edge *)(context->arena + shard->edges) + routes[r].first;
            if (edge->mode != RK_ROUTE_TURN && rk_express_join(entry, &aim, edge, r, plain.lane))
                aim.routes |= 1u << r;
        }
        if (aim.edges == 1u)
            aim.turns = (RK_GLOBAL rk_u64 *)(context->arena + shard->edge_turns) + plain.edge_number;
    }
    aim.cell = (rk_u32 *)(aim.target + aim.shards);
    aim.rows = (RK_EXPRESS_AIM - aim.shards * (rk_u32)sizeof(rk_express_target)) / (4u * aim.shards);
    if (aim.shards == 1u || aim.rows > RK_EXPRESS_SENDS / 32u) aim.rows = RK_EXPRESS_SENDS / 32u;
    if (aim.shards > 1u)
        for (rk_u32 i = entry->thread; i < aim.rows * aim.shards; i += entry->threads) aim.cell[i] = 0;
    if (entry->thread == 0) x->to = aim;
    RK_PORT_BLOCK_BARRIER();
    return 1;
}

/* ------------------------------------------------------------------ claims */

/* As many slots of a shard as there is room for, `want` at most. No order is asked for: a slot is written after a look
 * that saw it free, which the write depends on, and what is in it proves itself. An acquire would empty the block's
 * cache. Room below 0 is what others give back in this moment. */
RK_FN rk_u32 rk_express_claim_counted(rk_express_target *target, rk_u32 want)
{
    RK_GLOBAL rk_ring *ring = target->ring;
    rk_i32 room = (rk_i32)rk_port_add_u32(&ring->room, 0u - want);
    rk_u32 granted = room <= 0 ? 0u : (rk_u32)room < want ? (rk_u32)room : want;
    if (granted < want) rk_port_give_u32(&ring->room, want - granted);
    if (granted) target->first = (rk_u32)rk_port_add_u64(&ring->tail, granted);
    return granted;
}

/* The same of a lane with no other producer, by the leader. */
RK_FN rk_u32 rk_express_claim_single(rk_express *x, rk_express_target *target, rk_u32 capacity, rk_u32 want)
{
    RK_GLOBAL rk_ring *ring = target->ring;
    rk_i64 room = (rk_i64)capacity - rk_index_ahead(x->tail, x->room_from);
    if (room < (rk_i64)want) {
        x->room_from = rk_load_u64(&rk_ring_far(ring)->head, RK_RELAXED, RK_SCOPE_SYSTEM);
        room = (rk_i64)capacity - rk_index_ahead(x->tail, x->room_from);
    }
    rk_u32 granted = room < (rk_i64)want ? (rk_u32)room : want;
    target->first = (rk_u32)x->tail;
    x->tail += granted;
    if (granted) rk_store_u64(&ring->tail, x->tail, RK_RELAXED, RK_SCOPE_DEVICE);
    return granted;
}

/* Claim what is left for shard s, count it, and stamp what is to be. Returns how many got a slot. */
RK_FN rk_u32 rk_express_claim(rk_express *x, rk_u32 s)
{
    const rk_aim *aim = &x->to;
    rk_express_target *target = &aim->target[s];
    rk_u32 granted = 0;
    target->done += target->granted;
    if (target->left)
        granted = aim->single ? rk_express_claim_single(x, target, aim->mask + 1u, target->left)
                              : rk_express_claim_counted(target, target->left);
    target->granted = granted;
    target->left -= granted;
    if (granted && target->count) {
        rk_port_count(target->count, granted);
        if (rk_stamp_ahead(RK_STAMP_SHIFT, target->first) < granted)
            rk_ring_stamp(target->ring, target->first, granted, x->now_ns);
    }
    return granted;
}

/* What a shard is sent in a turn that begins. */
RK_FN void rk_express_wants(rk_express_target *target, rk_u32 n)
{
    target->done = target->granted = 0;
    target->left = n;
}

/* ------------------------------------------------------------------ one send */

/* What is the same for all sends of a turn. */
typedef struct rk_express_order {
    rk_u64 stamp_ns; /* with causal order: of the first send */
    rk_u32 turn;     /* whose it is, of the first send */
} rk_express_order;

RK_FN_LARGE rk_express_order rk_express_order_look(rk_entry *entry, const rk_express *x, rk_u32 n,
                                                   rk_u64 now_ns)
{
    rk_context *context = &entry->context;
    rk_express_order order = { 0, 0 };
    if (context->features & RK_FEATURE_CAUSAL) {
        rk_u64 clock = x->clock_hlc;
        for (rk_u32 w = 0; w * 32u < n; w++) clock = x->stamp_ns[w] > clock ? x->stamp_ns[w] : clock;
        order.stamp_ns = now_ns > clock ? now_ns : clock + 1u;
    }
    if (x->to.edges && x->to.edge[0].edge.mode == RK_ROUTE_TURN)
        order.turn = (rk_u32)(*x->to.turns % x->to.shards);
    return order;
}

RK_FN rk_express_order rk_express_order_of(rk_entry *entry, const rk_express *x, rk_u32 n, rk_u64 now_ns)
{
    const rk_express_order none = { 0, 0 };
    return x->to.ordered ? rk_express_order_look(entry, x, n, now_ns) : none;
}

/* The clock is the last stamp's, or the latest that came. By the leader. */
RK_FN void rk_express_clock(rk_context *context, rk_express *x, rk_express_order order, rk_u32 n)
{
    rk_u64 clock = x->clock_hlc;
    for (rk_u32 w = 0; w * 32u < n; w++) clock = x->stamp_ns[w] > clock ? x->stamp_ns[w] : clock;
    context->turn->clock_hlc = x->clock_hlc = x->total ? order.stamp_ns + x->total - 1u : clock;
}

RK_FN RK_GLOBAL rk_staged *rk_express_staged(const rk_express_own *own, rk_u32 number)
{
    return (RK_GLOBAL rk_staged *)(own->stage + 8u * number);
}

/* Send j gets its stamp and its target. Returns the shard. */
RK_FN rk_u32 rk_express_address(const rk_express_own *own, const rk_express *x, rk_express_order order,
                                rk_u32 j)
{
    const rk_aim *aim = &x->to;
    RK_GLOBAL rk_staged *staged = rk_express_staged(own, x->number[j]);
    if (order.stamp_ns) staged->header.sent_ns = order.stamp_ns + j;
    if (!aim->edges) return 0;
    const rk_express_edge *to = &aim->edge[0];
    for (rk_u32 e = 1; e < aim->edges; e++)
        if (aim->edge[e].route == staged->route) to = &aim->edge[e];
    const rk_u32 target = rk_edge_pick(&to->edge, staged, order.turn + j, 0);
    rk_header_aim(&staged->header.base, target);
    return to->first + (to->edge.shards == 1u ? 0u : target % to->edge.shards);
}

/* This lane's part of send j, into the slot of `index`. */
RK_FN void rk_express_put(const rk_express_own *own, const rk_express *x, const rk_cut *cut, rk_byte *slots,
                          rk_u32 index, rk_u32 j)
{
    const rk_aim *aim = &x->to;
    rk_warp_put((rk_unit *)(slots + ((rk_u64)(index & aim->mask) << aim->shift)), index & ~aim->mask, cut,
                rk_express_staged(own, x->number[j]), aim->header_size / 4u);
}

/* What is out goes nowhere more: the general visit has the rest. By lanes, a send each. */
RK_FN void rk_express_leave(const rk_express_own *own, const rk_express *x, rk_u32 j)
{
    if (x->to.shards == 1u || (x->aim[j] & RK_EXPRESS_OUT))
        rk_express_staged(own, x->number[j])->route = RK_TO_NOWHERE;
}

/* ------------------------------------------------------------------ to one shard */

/* Sends that have slots, by `warps` warps, of which this is `warp`; those before are out. */
RK_FN void rk_express_write_run(const rk_express_own *own, const rk_express *x, const rk_cut *cut,
                                rk_u32 warp, rk_u32 warps)
{
    const rk_express_target target = x->to.target[0];
    for (rk_u32 i = warp * cut->slots + cut->slot; i < target.granted; i += warps * cut->slots)
        rk_express_put(own, x, cut, target.slots, target.first + i, target.done + i);
}

/* ------------------------------------------------------------------ to many shards */

/* This warp writes those of its `n` sends from j = first on that have a slot and are not out; lanes of a slot share its
 * units. */
RK_FN void rk_express_write(const rk_express_own *own, rk_express *x, const rk_cut *cut, rk_u32 first,
                            rk_u32 n)
{
    const rk_u32 lane = threadIdx.x % 32u;
    for (rk_u32 i = cut->slot; i < n; i += cut->slots) {
        rk_u32 j = first + i, shard = x->aim[j];
        if (shard & RK_EXPRESS_OUT) continue;
        const rk_express_target *target = &x->to.target[shard];
        rk_u32 rank = x->place[j] - target->done;
        if (rank < target->granted) rk_express_put(own, x, cut, target->slots, target->first + rank, j);
    }
    __syncwarp();
    rk_u32 shard = lane < n ? x->aim[first + lane] : RK_EXPRESS_OUT;
    if (!(shard & RK_EXPRESS_OUT)) {
        const rk_express_target *target = &x->to.target[shard];
        if (x->place[first + lane] - target->done < target->granted)
            x->aim[first + lane] = (rk_u16)(shard | RK_EXPRESS_OUT);
    }
    __syncwarp();
}

/* Each row's lanes find those that aim at the same shard. */
RK_FN void rk_express_rank(rk_entry *entry, rk_express *x, const rk_express_own *own, rk_express_order order,
                           rk_u32 total)
{
    const rk_aim *aim = &x->to;
    rk_u32 lane = entry->thread % 32u, warps = entry->threads / 32u;
    for (rk_u32 row = entry->thread / 32u; row * 32u < total; row += warps) {
        rk_u32 j = row * 32u + lane, all = __ballot_sync(RK_ALL_LANES, (int)(j < total));
        if (j < total) {
            rk_u32 shard = rk_express_address(own, x, order, j);
            rk_u32 peers = __match_any_sync(all, shard);
            rk_u32 rank = (rk_u32)__popc((int)(peers & ((1u << lane) - 1u)));
            if (rank == 0) aim->cell[row * aim->shards + shard] = (rk_u32)__popc((int)peers);
            x->place[j] = rank;
            x->aim[j] = (rk_u16)shard;
        }
        __syncwarp();
    }
}

/* A thread a shard: the column of the table becomes where each row begins. */
RK_FN void rk_express_sum(rk_entry *entry, const rk_aim *aim, rk_u32 total)
{
    for (rk_u32 s = entry->thread; s < aim->shards; s += entry->threads) {
        rk_u32 n = 0;
        for (rk_u32 row = 0; row * 32u < total; row++) {
            rk_u32 of_row = aim->cell[row * aim->shards + s];
            if (of_row) aim->cell[row * aim->shards + s] = n;
            n += of_row;
        }
        rk_express_wants(&aim->target[s], n);
    }
}

/* A rank in its row becomes one among all, and the row's part of the table is empty again. */
RK_FN void rk_express_place(rk_entry *entry, rk_express *x, rk_u32 total)
{
    const rk_aim *aim = &x->to;
    rk_u32 lane = entry->thread % 32u, warps = entry->threads / 32u;
    for (rk_u32 row = entry->thread / 32u; row * 32u < total; row += warps) {
        rk_u32 j = row * 32u + lane, first = 0, rank = 0;
        rk_u32 *cell = 0;
        if (j < total) {
            rank = x->place[j];
            cell = &aim->cell[row * aim->shards + x->aim[j]];
            first = *cell;
        }
        __syncwarp();
        if (j < total) {
            if (rank == 0) *cell = 0;
            x->place[j] = first + rank;
        }
        __syncwarp();
    }
}

/* ------------------------------------------------------------------ few sends, many sends */

/* Up to 32, by the first warp. Those that find no room are left to the general visit. Returns how many are out. */
RK_FN rk_u32 rk_express_send_few(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                 rk_express_order order, rk_u32 total)
{
    const rk_aim *aim = &x->to;
    const rk_u32 j = entry->thread, mine = j<total, several = aim->shards> 1u;
    const rk_u32 all = total < 32u ? (1u << total) - 1u : RK_ALL_LANES;
    const rk_cut cut = rk_block_cut_slots(entry, 1u << aim->shift);
    rk_u32 out = 0, claims = j == 0, shard = 0;
    if (aim->marked && mine) shard = rk_express_address(own, x, order, j);
    if (several && mine) {
        rk_u32 peers = __match_any_sync(all, shard);
        rk_u32 rank = (rk_u32)__popc((int)(peers & ((1u << j) - 1u)));
        x->place[j] = rank;
        x->aim[j] = (rk_u16)shard;
        claims = rank == 0;
        if (claims) rk_express_wants(&aim->target[shard], (rk_u32)__popc((int)peers));
    } else if (claims && !several) {
        rk_express_wants(&aim->target[0], total);
    }
    claims = claims && mine;
    const rk_u32 memory = ((RK_GLOBAL const rk_shard *)x->shard)->memory;
    if (j == 0 && rk_batch_ordered(memory, aim->edges)) rk_batch_release(memory);
    for (rk_u32 tries = 0;; tries++) {
        __syncwarp();
        if (claims) rk_express_claim(x, shard);
        __syncwarp();
        if (several) {
            rk_express_write(own, x, &cut, 0, total);
            out = (rk_u32)__popc((int)__ballot_sync(RK_ALL_LANES, mine && (x->aim[j] & RK_EXPRESS_OUT)));
        } else {
            rk_express_write_run(own, x, &cut, 0, 1);
            out += aim->target[0].granted;
        }
        if (out == total) return out;
        if (rk_express_orders(entry, x) || tries >= aim->tries) break;
    }
    if (j < (several ? total : out)) rk_express_leave(own, x, j);
    return out;
}

/* By all warps. Returns how many are out, to all threads the same; the rest is left to the general visit. */
RK_FN_LARGE rk_u32 rk_express_send_many(rk_entry *entry, const rk_express_own *where, rk_express_order order,
                                        rk_u32 total)
{
    const rk_express_own known = rk_express_known(entry, where), *own = &known;
    rk_express *x = (rk_express *)known.fixed;
    const rk_aim *aim = &x->to;
    const rk_cut cut = rk_block_cut_slots(entry, 1u << aim->shift);
    const rk_u32 thread = entry->thread, warp = thread / 32u, warps = entry->threads / 32u;
    const rk_u32 several = aim->shards > 1u;
    if (several) {
        rk_express_rank(entry, x, own, order, total);
        RK_PORT_BLOCK_BARRIER();
        rk_express_sum(entry, aim, total);
    } else {
        for (rk_u32 j = thread; aim->marked && j < total; j += entry->threads)
            rk_express_address(own, x, order, j);
        if (thread == 0) rk_express_wants(&aim->target[0], total);
    }
    const rk_u32 memory = ((RK_GLOBAL const rk_shard *)x->shard)->memory;
    if (thread == 0 && rk_batch_ordered(memory, aim->edges)) rk_batch_release(memory);
    for (rk_u32 tries = 0;; tries++) {
        rk_u32 granted = 0;
        for (rk_u32 s = thread; s < aim->shards; s += entry->threads) granted += rk_express_claim(x, s);
        if (granted) rk_add_u32(&x->out, granted, RK_RELAXED, RK_SCOPE_BLOCK);
        if (tries && warp == warps - 1u && rk_express_orders(entry, x)) x->ends = 1;
        RK_PORT_BLOCK_BARRIER();
        if (several) {
            if (tries == 0) rk_express_place(entry, x, total);
            for (rk_u32 row = warp; row * 32u < total; row += warps)
                rk_express_write(own, x, &cut, row * 32u, total - row * 32u < 32u ? total - row * 32u : 32u);
        } else {
            rk_express_write_run(own, x, &cut, warp, warps);
        }
        if (x->out == total || tries >= aim->tries || x->ends) break;
        RK_PORT_BLOCK_BARRIER();
    }
    const rk_u32 out = x->out, last = several ? total : out;
    for (rk_u32 j = thread; j < last && out < total; j += entry->threads) rk_express_leave(own, x, j);
    return out;
}

#endif
#endif
