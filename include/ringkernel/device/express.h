/* Express: the turns of a plain shard, by its whole block, without a leader's work in between.
 *
 *     poll → barrier → handlers, a thread a message → barrier → claim → barrier → write, commit, count
 *
 * Plain is a shard without state whose handlers are thread-wide, whose lanes are open and of unit slots with short
 * headers, and whose default route leads into one open lane. Whatever else comes up, a hole, a request, a failure,
 * a log line, a full lane, another command, ends it for that turn: everything is where the general visit (loop.h)
 * expects it, which then goes on.
 *
 * One lane is polled at a time. A look over the bus takes four times as long as one at the device's own memory, so
 * while messages come from kernels the host's lane has every sixteenth look. The next look is as wide as the last
 * batch was large. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_H
#define RINGKERNEL_DEVICE_EXPRESS_H

#include "block.h"
#include "express_room.h"

#if defined(RK_LANG_CUDA)

#include "loop.h"

#define RK_EXPRESS_DEEP 4u /* looks that a lane has under way at once, after a full batch */
#define RK_EXPRESS_BUS 16u /* looks at the device's lane for one at the host's */
#define RK_EXPRESS_ODD (RK_FLAG_HOLE | RK_FLAG_REFERENCE | RK_FLAG_REPLY | RK_FLAG_REQUEST)

RK_FN rk_u32 rk_block_memory_size(void)
{
    rk_u32 bytes;
    asm("mov.u32 %0, %%dynamic_smem_size;" : "=r"(bytes));
    return bytes;
}

/* The block's memory that the express has, and where. */
typedef struct rk_express_own {
    rk_express_room room;
    rk_u8 *copies, *stage;
} rk_express_own;

RK_FN rk_express_own rk_express_own_of(const rk_entry *entry, RK_GLOBAL const rk_shard *shard)
{
    rk_express_own own;
    rk_u32 used = (shard->shared_size + 8u * entry->threads + 15u) & ~15u, size = rk_block_memory_size();
    own.room = rk_express_room_for(shard, entry->threads, size > used ? size - used : 0u);
    own.copies = entry->context.shared + used;
    own.stage = own.copies + own.room.messages * own.room.copy_stride;
    return own;
}

/* A ring as the express reads or writes it: its constants, and how its slots are cut. */
typedef struct rk_way {
    RK_GLOBAL rk_ring *ring;
    rk_byte *slots;
    rk_u32 mask, shift, header_size, single;
    rk_cut cut;
} rk_way;

RK_FN rk_way rk_way_of(const rk_entry *entry, RK_GLOBAL rk_ring *ring)
{
    rk_way way;
    way.ring = ring;
    way.slots = entry->context.arena + ring->slots;
    way.mask = ring->mask;
    way.shift = ring->slot_shift;
    way.header_size = ring->header_size;
    way.single = ring->single;
    way.cut = rk_block_cut_slots(entry, ring->slot_size);
    return way;
}

/* Of a block, in its shared memory. */
typedef struct rk_express {
    rk_u32 count[32u * RK_EXPRESS_DEEP]; /* whole slots that a warp found in one look */
    rk_u32 sends[32];                    /* of a warp's messages */
    rk_u64 now_ns;
    rk_u64 tail;      /* of a target with no other producer */
    rk_u64 room_from; /* what was last seen of the target's head */
    rk_u64 first;     /* claimed */
    rk_u32 total;     /* sends of the turn */
    rk_u32 general;   /* 1: the general visit has to finish the turn */
    rk_u32 odd;       /* the next message is one for the general visit */
    rk_u32 ends;      /* so is what the host has ordered */
} rk_express;

/* Can this shard go by express, as it is now? The same answer for all threads. */
RK_FN rk_u32 rk_express_can(rk_entry *entry, const rk_express_own *own, rk_plain *plain)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 can = own->room.messages && entry->orders->command == RK_COMMAND_RUN &&
                 entry->threads % 32u == 0 && shard->state_kind == RK_STATELESS && shard->features == 0 &&
                 shard->memory != RK_SEQUENTIAL && shard->mode != RK_BATCH && !shard->event_driven &&
                 !turn->parked && !turn->failed && turn->n == 0 && turn->phase <= RK_PHASE_BUSY &&
                 rk_block_takes(entry, rk_shard_lane(context, 0)) &&
                 rk_block_takes(entry, rk_shard_lane(context, 1));
    *plain = rk_plain_target(context);
    return can && plain->lane != 0;
}

/* This warp looks at its share of the next slots. What is whole is copied, from `copy` on. */
RK_FN void rk_express_look(rk_entry *entry, rk_express *x, const rk_express_own *own, const rk_way *way,
                           rk_u64 head, rk_u32 most, rk_u32 warp, rk_u32 width, rk_u32 deep)
{
    const rk_cut *cut = &way->cut;
    rk_unit unit[RK_EXPRESS_DEEP];
#pragma unroll
    for (rk_u32 d = 0; d < RK_EXPRESS_DEEP; d++) {
        rk_u32 at = (d * width + warp) * cut->slots + cut->slot;
        rk_u32 index = (rk_u32)head + at;
        unit[d].word[0] = (index & ~way->mask) - 1u;
        if (d < deep && at < most)
            unit[d] = rk_load_unit(
                (const rk_unit *)(way->slots + ((rk_u64)(index & way->mask) << way->shift)) + cut->unit);
    }
#pragma unroll
    for (rk_u32 d = 0; d < RK_EXPRESS_DEEP; d++) {
        if (d >= deep) break;
        rk_u32 at = (d * width + warp) * cut->slots + cut->slot;
        rk_u32 index = (rk_u32)head + at, lap = index & ~way->mask;
        rk_u32 length = __shfl_sync(RK_ALL_LANES, unit[d].word[1] >> 16, cut->first_lane);
        rk_u32 begun = __shfl_sync(RK_ALL_LANES, unit[d].word[0] == lap, cut->first_lane);
        rk_u32 odd = __shfl_sync(RK_ALL_LANES, unit[d].word[3] >> 24 & RK_EXPRESS_ODD, cut->first_lane);
        rk_u32 count = rk_unit_count(way->header_size, length);
        rk_u32 whole = at < most && begun && !odd && count <= cut->lanes;
        if (whole && cut->unit < count) {
            rk_word *to = (rk_word *)(own->copies + at * own->room.copy_stride);
            whole = unit[d].word[0] == lap;
            if (cut->unit == 0) to[0] = lap;
            for (rk_u32 w = 0; w < 3u; w++) to[1u + 3u * cut->unit + w] = unit[d].word[1 + w];
        }
        rk_u32 broken = __ballot_sync(RK_ALL_LANES, !whole);
        if (entry->thread % 32u == 0) {
            x->count[d * width + warp] = broken ? ((rk_u32)__ffs((int)broken) - 1u) / cut->lanes : cut->slots;
            if (at == 0 && begun && (odd || count > cut->lanes)) x->odd = 1;
        }
    }
}

/* The host's orders, with a look at its lane. */
RK_FN void rk_express_orders(rk_entry *entry, rk_express *x)
{
    const rk_unit *orders = (const rk_unit *)entry->context.told;
    rk_u32 lane = entry->thread % 32u;
    if (lane < 4u) ((rk_unit *)entry->orders)[lane] = rk_load_unit(&orders[lane]);
    __syncwarp();
    if (lane == 0)
        x->ends = entry->orders->leave || entry->orders->command != RK_COMMAND_RUN ||
                  entry->orders->faults != entry->context.turn->faults;
}

/* One message, by this thread, with all that its handler's calls act on in registers. Returns how many it sent, or
 * RK_EXPRESS_GENERAL: the general visit has to finish this turn. */
#define RK_EXPRESS_GENERAL 0xffffffffu
RK_FN rk_u32 rk_express_handle(rk_entry *entry, const rk_express_own *own, const rk_way *in, rk_context *c,
                               rk_u32 k, rk_u32 max_sends, rk_u32 payload_max, rk_u32 type, rk_u64 now_ns)
{
    rk_byte *slot = own->copies + k * own->room.copy_stride;
    c->header = (RK_GLOBAL const rk_header *)slot;
    c->payload = slot + in->header_size;
    c->payload_length = c->header->length;
    c->stage_first = c->stage_next = k * max_sends;
    c->stage_limit = c->stage_next + max_sends;
    c->now_ns = now_ns;
    c->failed = 0;
    c->shared_used = 0;
    rk_unit_handle_here(c, entry->number);
    rk_u32 sent = c->stage_next - c->stage_first, plain = !c->failed;
    for (rk_u32 i = 0; i < sent; i++)
        plain &= rk_plain_entry(rk_stage_entry(c->stage, c->stage_stride, c->stage_first + i), payload_max,
                                type) == RK_PLAIN_SEND;
    return plain ? sent : RK_EXPRESS_GENERAL;
}

RK_FN void rk_express_context(rk_entry *entry, const rk_express_own *own, rk_context *c)
{
    const rk_context *context = &entry->context;
    c->arena = context->arena;
    c->shard = context->shard;
    c->turn = context->turn;
    c->orders = context->orders;
    c->told = context->told;
    c->stage = own->stage;
    c->stage_stride = own->room.stage_stride;
    c->parameters = context->parameters;
    c->state = c->shard_state = 0;
    c->features = 0;
    c->view = &context->turn->view[0];
    c->thread = 0;
    c->threads = 1;
    c->spmd = 0;
    c->shared = context->shared;
    c->order = 0;
    c->batch_first = c->batch_n = 0;
    c->received = 0;
    c->blocked = 0;
}

RK_FN void rk_express_carry(rk_byte *to, RK_GLOBAL const void *from, rk_u32 bytes)
{
    for (rk_u32 at = 0; at < bytes; at += 4u)
        *(rk_word *)(to + at) = *(const rk_word *)((const rk_u8 *)from + at);
}

/* A batch becomes a turn as the general visit knows it, in the device's memory, and that finishes it. `c` is what
 * this thread's message was handled with. Returns RK_VISIT_*. */
RK_FN_LARGE rk_u32 rk_express_general(rk_entry *entry, rk_context *c, rk_u64 ring_offset, rk_u64 head,
                                      rk_u32 n, rk_u64 now_ns)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 share = rk_stage_share(context), k = entry->thread, stride = context->shard->stage_stride,
           visit = 0;
    if (k == 0) {
        turn->views = 1;
        turn->n = turn->copied = n;
        turn->references = turn->published = 0;
        turn->taken_ns = now_ns;
        rk_view_open(context, &turn->view[0], ring_offset, head, n, 0);
    }
    RK_PORT_BLOCK_BARRIER();
    if (k < n) {
        rk_byte *slot = rk_copy_slot(context, k), *stage = context->arena + context->shard->stage;
        rk_u32 sent = c->stage_next - c->stage_first;
        rk_express_carry(slot, c->header, (RK_HEADER_SHORT + c->header->length + 3u) & ~3u);
        for (rk_u32 i = 0; i < sent; i++)
            rk_express_carry((rk_byte *)rk_stage_entry(stage, stride, k * share + i),
                             rk_stage_entry(c->stage, c->stage_stride, c->stage_first + i), stride);
        c->header = (RK_GLOBAL const rk_header *)slot;
        c->payload = slot + RK_HEADER_SHORT;
        c->stage = stage;
        c->stage_stride = stride;
        c->stage_first = k * share;
        c->stage_next = c->stage_first + sent;
        if (c->failed) rk_message_end(c);
        for (rk_u32 i = c->stage_next; i < (k + 1u) * share; i++)
            rk_stage_entry(stage, stride, i)->route = RK_TO_NOWHERE;
    }
    context->stage_next = n * share;
    context->now_ns = now_ns;
    RK_PORT_BLOCK_BARRIER();
    if (k == 0) {
        context->thread = 0;
        context->threads = 1;
        visit = rk_entry_end(context);
    }
    return rk_block_agree(entry, visit);
}

/* `n` slots of the target or none, by the leader. No order is asked for: a slot is written after a look that saw it
 * free, which the write depends on, and what is in it proves itself. An acquire would empty the block's cache. */
RK_FN rk_u32 rk_express_claim(rk_express *x, const rk_way *out, rk_u32 n)
{
    RK_GLOBAL rk_ring *ring = out->ring;
    for (;;) {
        rk_u64 tail = out->single ? x->tail : rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE);
        rk_u64 end = tail + n - (out->mask + 1u);
        if (rk_index_ahead(end, x->room_from) > 0)
            x->room_from = rk_load_u64(&rk_ring_far(ring)->head, RK_RELAXED, RK_SCOPE_SYSTEM);
        if (rk_index_ahead(end, x->room_from) > 0) return 0;
        x->first = tail;
        if (out->single) {
            x->tail = tail + n;
            rk_store_u64(&ring->tail, tail + n, RK_RELAXED, RK_SCOPE_DEVICE);
            return 1;
        }
        if (rk_cas_u64(&ring->tail, tail, tail + n, RK_RELAXED, RK_SCOPE_DEVICE)) return 1;
    }
}

/* The counts of a turn that is out. By the leader. */
RK_FN void rk_express_count(rk_context *context, const rk_plain *plain, const rk_way *in, rk_u64 head,
                            rk_u32 n, rk_u32 sent, rk_u64 now_ns)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_meter *meter = &shard->meter;
    RK_GLOBAL rk_ring *ring = in->ring;
    ring->head = head + n;
    if (ring->far) rk_store_u64(&rk_ring_far(ring)->head, head + n, RK_RELAXED, RK_SCOPE_SYSTEM);
    ring->delivered += n;
    if (plain->edge) {
        RK_GLOBAL rk_u64 *counts = (RK_GLOBAL rk_u64 *)(context->arena + shard->edge_counts);
        RK_GLOBAL rk_u64 *turns = (RK_GLOBAL rk_u64 *)(context->arena + shard->edge_turns);
        counts[plain->edge->counts] += sent;
        turns[plain->edge_number] += sent;
    }
    rk_u64 took = rk_entry_now(context) - now_ns;
    meter->sent += sent;
    meter->handled += n;
    meter->progress++;
    meter->rounds++;
    meter->busy_ns += took;
    meter->last_ns = now_ns + took;
    if (n > meter->largest_batch) meter->largest_batch = n;
    RK_GLOBAL rk_histogram *h = &meter->service;
    rk_u64 each = took / n;
    if (h->count == 0 || each < h->min_ns) h->min_ns = each;
    if (each > h->max_ns) h->max_ns = each;
    h->count += n;
    h->sum_ns += took;
    h->bucket[rk_histogram_bucket(each)] += n;
}

/* How many the lanes before this one send; *total of all. */
RK_FN rk_u32 rk_warp_before(rk_u32 sent, rk_u32 max_sends, rk_u32 *total)
{
    rk_u32 lane = threadIdx.x % 32u, sum = sent;
    if (max_sends == 1u) {
        rk_u32 sends = __ballot_sync(RK_ALL_LANES, sent);
        *total = (rk_u32)__popc((int)sends);
        return (rk_u32)__popc((int)(sends & ((1u << lane) - 1u)));
    }
    for (rk_u32 d = 1; d < 32u; d *= 2u) {
        rk_u32 other = __shfl_up_sync(RK_ALL_LANES, sum, d);
        if (lane >= d) sum += other;
    }
    *total = __shfl_sync(RK_ALL_LANES, sum, 31);
    return sum - sent;
}

/* This thread's sends have their places, `before` of the turn's first on, and their targets. */
RK_FN void rk_express_number(rk_entry *entry, const rk_plain *plain, rk_context *c, rk_u32 before,
                             rk_u32 sent)
{
    for (rk_u32 i = 0; i < sent; i++) {
        entry->numbers[before + i] = (rk_u16)(c->stage_first + i);
        if (plain->edge) {
            RK_GLOBAL rk_staged *staged = rk_stage_entry(c->stage, c->stage_stride, c->stage_first + i);
            rk_header_aim(&staged->header.base,
                          rk_edge_target(c, plain->edge, plain->edge_number, staged, 0).target);
        }
    }
}

/* A turn of up to 32 messages, by the first warp alone; the others wait at the barrier behind it. */
RK_FN void rk_express_narrow(rk_entry *entry, rk_express *x, const rk_way *out, const rk_plain *plain,
                             rk_context *c, rk_u32 sent, rk_u32 max_sends)
{
    rk_u32 general = __any_sync(RK_ALL_LANES, (int)(sent == RK_EXPRESS_GENERAL)) != 0, total = 0;
    if (!general) {
        rk_u32 before = rk_warp_before(sent, max_sends, &total);
        rk_express_number(entry, plain, c, before, sent);
        __syncwarp();
        if (entry->thread == 0 && total) {
            if (plain->edge) rk_batch_release(entry->context.shard);
            general = !rk_express_claim(x, out, total);
        }
        general = __shfl_sync(RK_ALL_LANES, general, 0);
        __syncwarp();
        for (rk_u32 i = 0; i < total && !general; i += out->cut.slots)
            rk_warp_publish(c, &out->cut, out->ring, x->first + i, entry->numbers + i, total - i);
    }
    if (entry->thread == 0) {
        x->general = general;
        x->total = total;
    }
    RK_PORT_BLOCK_BARRIER();
}

/* A larger one, by all warps. */
RK_FN void rk_express_wide(rk_entry *entry, rk_express *x, const rk_way *out, const rk_plain *plain,
                           rk_context *c, rk_u32 sent, rk_u32 max_sends)
{
    rk_u32 warp = entry->thread / 32u, warps = entry->threads / 32u, of_warp, total = 0;
    rk_u32 general = sent == RK_EXPRESS_GENERAL;
    rk_u32 before = rk_warp_before(general ? 0u : sent, max_sends, &of_warp);
    if (entry->thread % 32u == 0) x->sends[warp] = of_warp;
    general = (rk_u32)__syncthreads_or((int)general);
    for (rk_u32 w = 0; w < warps; w++) {
        if (w == warp) before += total;
        total += x->sends[w];
    }
    if (!general) rk_express_number(entry, plain, c, before, sent);
    if (entry->thread == 0) {
        if (plain->edge && total) rk_batch_release(entry->context.shard);
        x->general = general || (total && !rk_express_claim(x, out, total));
        x->total = total;
    }
    RK_PORT_BLOCK_BARRIER();
    for (rk_u32 i = warp * out->cut.slots; i < total && !x->general; i += warps * out->cut.slots)
        rk_warp_publish(c, &out->cut, out->ring, x->first + i, entry->numbers + i, total - i);
}

/* How wide the next look at a lane is: as the last batch was large. */
RK_FN void rk_express_widen(const rk_way *in, rk_u32 n, rk_u32 full, rk_u32 warps, rk_u32 *width,
                            rk_u32 *deep)
{
    if (full && *width < warps)
        *width = *width * 4u < warps ? *width * 4u : warps;
    else if (full)
        *deep = RK_EXPRESS_DEEP;
    else if (n < in->cut.slots)
        *width = *deep = 1;
}

/* Turn after turn, until there is something for the general visit. Returns RK_VISIT_*: what the last came to. */
RK_FN_LARGE rk_u32 rk_express_serve(rk_entry *entry, rk_express *x, const rk_express_own *own,
                                    const rk_plain *plain)
{
    rk_context *context = &entry->context;
    RK_GLOBAL rk_shard *shard = context->shard;
    rk_u32 thread = entry->thread, warp = thread / 32u, warps = entry->threads / 32u;
    const rk_way way[2] = { rk_way_of(entry, rk_lane_ring(rk_shard_lane(context, 0), context->arena, 0)),
                            rk_way_of(entry, rk_lane_ring(rk_shard_lane(context, 1), context->arena, 0)) };
    const rk_way out = rk_way_of(entry, rk_lane_ring(plain->lane, context->arena, 0));
    rk_u64 head[2] = { way[0].ring->head, way[1].ring->head };
    const rk_u32 payload_max = out.ring->payload_max, sources = shard->end_sources > 1u;
    const rk_u32 most = own->room.messages, max_sends = shard->max_sends;
    rk_u32 width[2] = { 1, 1 }, deep[2] = { 1, 1 }, from_kernels = 0, looks = 0, visit = RK_VISIT_IDLE;
    rk_context c;
    rk_express_context(entry, own, &c);
    context->orders = entry->orders;
    if (thread == 0) {
        x->odd = x->ends = 0;
        x->tail = out.ring->tail;
        x->room_from = rk_load_u64(&rk_ring_far(out.ring)->head, RK_RELAXED, RK_SCOPE_SYSTEM);
    }
    RK_PORT_BLOCK_BARRIER();
    for (;; looks++) {
        /* Which lane this look is at. */
        rk_u32 from = sources && (from_kernels ? looks % RK_EXPRESS_BUS != 0 : looks & 1u);
        const rk_way *in = &way[from];
        if (warp < width[from])
            rk_express_look(entry, x, own, in, head[from], most, warp, width[from], deep[from]);
        if (!from && warp == warps - 1u) rk_express_orders(entry, x);
        if (thread == 0) x->now_ns = rk_entry_now(context);
        RK_PORT_BLOCK_BARRIER();
        rk_u32 n = 0, full = 1;
        for (rk_u32 i = 0; i < width[from] * deep[from] && full; i++) {
            n += x->count[i];
            full = x->count[i] == in->cut.slots;
        }
        rk_u32 ends = x->ends;
        rk_u64 now_ns = x->now_ns;
        if (n == 0) {
            if (ends || x->odd || (looks & 0x3ffu) == 0x3ffu)
                break; /* the general visit looks at everything */
            width[from] = deep[from] = 1;
            RK_PORT_BLOCK_BARRIER();
            continue;
        }
        rk_u32 sent = 0;
        if (from && thread < n) rk_batch_acquire(shard);
        if (thread < n)
            sent = rk_express_handle(entry, own, in, &c, thread, max_sends, payload_max, plain->type, now_ns);
        if (n > 32u)
            rk_express_wide(entry, x, &out, plain, &c, sent, max_sends);
        else if (warp == 0)
            rk_express_narrow(entry, x, &out, plain, &c, sent, max_sends);
        else
            RK_PORT_BLOCK_BARRIER();
        if (x->general) {
            rk_context general_c = c; /* its own address is nobody's, or it would lie in memory */
            visit = rk_express_general(entry, &general_c, (rk_u64)((rk_byte *)in->ring - context->arena),
                                       head[from], n, now_ns);
            head[from] = in->ring->head;
            if (thread == 0) x->tail = out.ring->tail;
            if (visit != RK_VISIT_WORKED || ends) break;
            continue;
        }
        if (thread == 0) rk_express_count(context, plain, in, head[from], n, x->total, now_ns);
        head[from] += n;
        from_kernels = from;
        rk_express_widen(in, n, full, warps, &width[from], &deep[from]);
        visit = RK_VISIT_WORKED;
        if (ends) break;
    }
    RK_PORT_BLOCK_BARRIER();
    return visit;
}

#endif
#endif
