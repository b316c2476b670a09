/* Staged sends: what a handler sends is written down in order, and goes out when its batch is done
 * (publish.h).
 *
 * Each handler call has room for as many entries as its kernel declares (max_sends) and one for a report
 * about its message. A call that fails takes back what it staged.
 *
 * Where one thread serves a shard (RK_HAS_STRAIGHT), the first sends of a turn go straight: they are written into
 * the free slots of the out lane, which has no other producer, and publishing them is storing their laps. Nobody
 * sees them before that, and a slot that a failed call has filled is filled again by the next. The first send that can't go so
 * (another route, a report, no room) is staged and so are all after it, so the order stays the one in
 * which they were sent. */
#ifndef RINGKERNEL_DEVICE_STAGE_H
#define RINGKERNEL_DEVICE_STAGE_H

#include "context.h"

#define RK_STAGE_EXTRA 1u /* a report about the message */
#if defined(RK_UNIT_SHUTTLE)
#define RK_UNIT_SLOT_WORDS 9u /* of payload, in a unit slot of 64 bytes with a short header */
#endif

/* What a sender can say about one message; start from RK_SEND_DEFAULTS. Time to live, id and correlation
 * travel in the long header, which a kernel has that is launched with deduplication_window, expiry, requests
 * or timestamps. To another one the host is refused them (RK_INVALID_ARGUMENT); of what a handler sends they
 * are left out on the way there, since what it will give isn't known when its route is connected: they matter
 * where its target, or the host, is to use them. */
typedef struct rk_send_options {
    rk_u32 target;      /* actor, or what picks the shard when the route leaves it to the sender */
    rk_u32 ttl_us;      /* expires this long after it was sent; 0: never */
    rk_u64 id;          /* for deduplication; 0: none */
    rk_u64 correlation; /* for replies from other kernels; 0: none */
    rk_u64 timeout_ns;  /* host only: how long to wait for room; 0: the launch option's send_timeout */
    rk_u8 priority;
    rk_u8 flags; /* RK_FLAG_REQUEST: the receiver is expected to reply */
    rk_u16 options_;
    rk_u32 options__;
} rk_send_options;
#define RK_SEND_DEFAULTS          \
    {                             \
        0, 0, 0, 0, 0, 0, 0, 0, 0 \
    }

RK_FN RK_GLOBAL rk_staged *rk_stage_entry(rk_byte *stage, rk_u32 stride, rk_u32 i)
{
    return (RK_GLOBAL rk_staged *)(stage + (rk_u64)i * stride);
}

/* Copy from the caller's own memory into the arena. */
RK_FN void rk_copy_out(rk_byte *to, const void *from, rk_u32 bytes)
{
#if defined(RK_LANG_HOST)
    memcpy(to, from, bytes);
#else
    rk_u32 done = 0;
    if (bytes % 4u == 0)
        for (; done < bytes; done += 4u)
            *(RK_GLOBAL rk_word *)(to + done) = *(const rk_word *)((const rk_u8 *)from + done);
    for (; done < bytes; done++) to[done] = ((const rk_u8 *)from)[done];
#endif
}

/* The stamp of what is sent now: the turn's time, or with causal ordering a hybrid logical clock, which is
 * later than every stamp that this shard has seen (Kulkarni et al., "Logical Physical Clocks", OPODIS 2014,
 * with the counter in the low bits). */
RK_FN rk_u64 rk_stamp_ns(rk_context *context)
{
    rk_u64 now = context->now_ns;
    if (context->features & RK_FEATURE_CAUSAL) {
        RK_GLOBAL rk_u64 *clock = &context->turn->clock_hlc;
        *clock = now = now > *clock ? now : *clock + 1u;
    }
    return now;
}

RK_FN void rk_stage_fill(rk_context *context, RK_GLOBAL rk_staged *entry, rk_u32 route, rk_u16 type,
                         rk_u32 length)
{
    RK_GLOBAL const rk_shard *shard = context->shard;
    rk_u32 source = shard->source, number = shard->shard;
    rk_header_kind(&entry->header.base, type, length & 0xffffu);
    rk_header_address(&entry->header.base, 0, source, 0, 0);
    rk_header_further(&entry->header, rk_stamp_ns(context), number);
    entry->route = route;
    entry->sent = 0;
    entry->copied = RK_COPY_NONE;
}

#if defined(RK_HAS_STRAIGHT)
/* The ring of the out lane, if the default route leads there and sends can go straight into it; else 0. */
RK_FN RK_GLOBAL rk_ring *rk_straight_ring(const rk_context *context)
{
    RK_GLOBAL const rk_shard *shard = context->shard;
    RK_GLOBAL const rk_lane *lane = (RK_GLOBAL const rk_lane *)(context->arena + shard->out_lane);
    RK_GLOBAL const rk_route *route =
        (RK_GLOBAL const rk_route *)(context->arena + shard->routes) + RK_TO_DEFAULT;
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, context->arena, 0);
#if !defined(RK_LANG_HOST)
    if (shard->pool)
        return 0; /* who looks for blocks of a batch that failed must know which entries are written */
#endif
    if (route->edges || lane->locked || !ring->single || ring->format != RK_FORMAT_SEQ) return 0;
    return ring;
}

/* Let the sends of this turn go straight, if they can. */
RK_FN void rk_straight_open(rk_context *context)
{
    RK_GLOBAL rk_ring *ring = rk_straight_ring(context);
    if (!ring) return;
    rk_claim room;
    room.first = rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE);
    room.count = rk_ring_room(ring, room.first, context->turn->n * context->shard->max_sends);
    rk_ring_prepare(ring, context->arena, room);
    context->straight_room = room.count;
    context->straight_most = ring->payload_max < RK_INLINE_MAX ? ring->payload_max : RK_INLINE_MAX;
    context->straight_first = room.first;
    context->straight_slots = rk_ring_slots(ring, context->arena);
}

/* No further send goes straight in this turn. */
RK_FN void rk_straight_close(rk_context *context)
{
    if (context->straight_room == 0) return;
    context->straight = context->stage_next;
    context->straight_room = 0;
}

RK_FN void rk_copy_straight(rk_byte *to, const void *from, rk_u32 bytes)
{
#if defined(RK_LANG_HOST)
    rk_copy_to_slot(to, from, bytes);
#else
    rk_copy_out(to, from, bytes);
#endif
}

/* The place for the payload of the next send, whose header is written. 0: it can't go straight. */
RK_FN rk_byte *rk_straight_next(rk_context *context, rk_u32 type, rk_u64 length, rk_u32 target,
                                rk_u32 priority)
{
    const rk_u32 i = context->stage_next;
    if (i >= context->straight_room || i >= context->stage_limit || length > context->straight_most) return 0;
    RK_GLOBAL const rk_shard *shard = context->shard;
    const rk_u32 header_size = context->straight_slots.header_size;
    rk_byte *slot = rk_slots_at(context->straight_slots, context->straight_first + i);
    context->stage_next = i + 1u;
    ((RK_GLOBAL rk_word *)slot)[1] = type | (rk_u32)length << 16;
    rk_header_address((RK_GLOBAL rk_header *)slot, target, shard->source, priority, 0);
    if (header_size == RK_HEADER_LONG)
        rk_header_further((RK_GLOBAL rk_header_long *)slot, rk_stamp_ns(context), shard->shard);
    return slot + header_size;
}

/* What went straight in this turn becomes staged like all else: it is not in the lane yet. */
RK_FN_LARGE void rk_straight_pull_in(rk_context *context)
{
    const rk_u32 header_size = context->straight_slots.header_size;
    rk_straight_close(context);
    for (rk_u32 i = 0; i < context->straight; i++) {
        const rk_byte *slot = rk_slots_at(context->straight_slots, context->straight_first + i);
        RK_GLOBAL rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, i);
        rk_header_further(&entry->header, context->now_ns, context->shard->shard);
        rk_copy_global((rk_byte *)&entry->header, slot, header_size);
        rk_copy_global((rk_byte *)(entry + 1), slot + header_size, entry->header.base.length);
        entry->route = RK_TO_DEFAULT;
        entry->sent = 0;
        entry->copied = RK_COPY_NONE;
    }
    context->straight = 0;
}
#endif

/* A turn, or a hook, begins to send. */
RK_FN void rk_stage_begin(rk_context *context)
{
    context->stage_first = context->stage_next = 0;
#if defined(RK_HAS_STRAIGHT)
    context->straight = context->straight_room = 0;
#endif
}

/* Has this call staged all that it may? */
RK_FN rk_u32 rk_stage_is_full(const rk_context *context)
{
    return context->stage_next >= context->stage_limit;
}

/* Open the next entry of a stage that isn't full, header filled but for what the caller knows better. */
RK_FN RK_GLOBAL rk_staged *rk_stage_open(rk_context *context, rk_u32 route, rk_u16 type, rk_u32 length)
{
#if defined(RK_HAS_STRAIGHT)
    rk_straight_close(context);
#endif
    RK_GLOBAL rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, context->stage_next++);
    rk_stage_fill(context, entry, route, type, length);
    RK_UNUSUAL(context, length > context->payload_max ||
                            (route == RK_TO_DEFAULT ? context->only && type != context->only
                                                    : route >= 32u || !(context->routes >> route & 1u)));
    return entry;
}

RK_FN void rk_stage_apply(RK_GLOBAL rk_staged *entry, const rk_send_options *options)
{
    rk_header_address(&entry->header.base, options->target, entry->header.base.source, options->priority,
                      entry->header.base.flags | (options->flags & RK_FLAG_REQUEST));
    entry->header.id = options->id;
    entry->header.correlation = options->correlation;
    entry->header.ttl_us = options->ttl_us;
}

/* A handler that stages more than its kernel declares has failed: its message goes to the dead letters with
 * this reason. */
#define RK_REASON_TOO_MANY_SENDS (RK_REASON_STATUS + (rk_u32)RK_LIMIT)

RK_FN rk_status rk_stage_refused(rk_context *context)
{
    if (!context->failed) context->failed = RK_REASON_TOO_MANY_SENDS + 1u;
    return RK_LIMIT;
}

/* Put the payload of an entry into the shard's pool. RK_FULL: no block is free. */
RK_FN_LARGE rk_status rk_stage_large(rk_context *context, RK_GLOBAL rk_staged *entry, const void *payload,
                                     rk_u64 length)
{
    RK_GLOBAL rk_pool *pool = (RK_GLOBAL rk_pool *)(context->arena + context->shard->pool);
    rk_u32 block = context->shard->pool && length <= pool->block_size ? rk_pool_take(pool, context->arena)
                                                                      : RK_POOL_NONE;
    if (block == RK_POOL_NONE) {
        context->stage_next--;
        return RK_FULL;
    }
    rk_copy_out(rk_pool_block(pool, context->arena, block), payload, (rk_u32)length);
    RK_GLOBAL rk_reference *reference = (RK_GLOBAL rk_reference *)(entry + 1);
    reference->pool = pool->number;
    reference->block = block;
    reference->length = length;
    entry->header.base.flags |= RK_FLAG_REFERENCE;
    entry->header.base.length = sizeof(rk_reference);
    return RK_OK;
}

RK_FN rk_status rk_stage(rk_context *context, rk_u32 route, rk_u16 type, const void *payload, rk_u64 length,
                         const rk_send_options *options)
{
#if defined(RK_HAS_STRAIGHT)
    rk_byte *straight =
        route == RK_TO_DEFAULT && !options ? rk_straight_next(context, type, length, 0, 0) : 0;
    if (straight) {
        rk_copy_straight(straight, payload, (rk_u32)length);
        return RK_OK;
    }
#endif
    if (rk_stage_is_full(context)) return rk_stage_refused(context);
    RK_GLOBAL rk_staged *entry = rk_stage_open(context, route, type, (rk_u32)length);
    if (options) rk_stage_apply(entry, options);
    if (length > RK_INLINE_MAX) {
        RK_UNUSUAL(context, 1);
        return rk_stage_large(context, entry, payload, length);
    }
    rk_copy_out((rk_byte *)(entry + 1), payload, (rk_u32)length);
    return RK_OK;
}

/* Bytes of a blob that may have `most`. */
RK_FN rk_status rk_stage_bytes(rk_context *context, rk_u32 route, rk_u16 type, const void *bytes,
                               rk_u64 length, rk_u64 most)
{
    return length > most ? RK_TOO_LARGE : rk_stage(context, route, type, bytes, length, 0);
}

#if defined(RK_HAS_STRAIGHT)
/* The message being handled goes on straight. 0: it can't. */
RK_FN rk_u32 rk_straight_forward(rk_context *context, RK_GLOBAL const rk_header *header)
{
    rk_u32 header_size = context->straight_slots.header_size; /* all lanes of a kernel have one form */
    RK_GLOBAL const rk_u8 *payload = (RK_GLOBAL const rk_u8 *)header + header_size;
    if (header->flags & RK_FLAG_REFERENCE) return 0;
    rk_byte *to = rk_straight_next(context, header->type, header->length, header->target, header->priority);
    if (!to) return 0;
    if (header_size == RK_HEADER_LONG)
        ((RK_GLOBAL rk_header_long *)(to - RK_HEADER_LONG))->id =
            ((RK_GLOBAL const rk_header_long *)header)->id;
    else if (context->straight_slots.shift == RK_SLOT_MIN_SHIFT)
        /* A slot of one cache line is filled to its end, whatever the length: no slot has less in it. */
        return rk_copy_to_slot(to, payload, RK_SLOT_MIN - RK_HEADER_SHORT), 1u;
    rk_copy_to_slot(to, payload, header->length);
    return 1;
}
#endif

/* Stage the message being handled as it is, reference and all. */
RK_FN rk_status rk_stage_forward(rk_context *context, rk_u32 route)
{
    RK_GLOBAL const rk_header *header = context->header;
    if (!header) return RK_EMPTY;
#if defined(RK_HAS_STRAIGHT)
    if (route == RK_TO_DEFAULT && rk_straight_forward(context, header)) return RK_OK;
#endif
    if (rk_stage_is_full(context)) return rk_stage_refused(context);
    RK_GLOBAL rk_staged *entry = rk_stage_open(context, route, header->type, header->length);
    RK_UNUSUAL(context, header->flags & RK_FLAG_REFERENCE);
    rk_u32 header_size = context->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    rk_header_address(&entry->header.base, header->target, entry->header.base.source, header->priority,
                      header->flags & RK_FLAG_REFERENCE);
    if (header_size == RK_HEADER_LONG) entry->header.id = ((RK_GLOBAL const rk_header_long *)header)->id;
#if defined(RK_UNIT_SHUTTLE) /* without a loop whose length nobody knows beforehand */
    RK_GLOBAL const rk_word *from =
        (RK_GLOBAL const rk_word *)((RK_GLOBAL const rk_u8 *)header + header_size);
    const rk_u32 length = header->length; /* and all is read before the first word is written */
    rk_word word[RK_UNIT_SLOT_WORDS];
#pragma unroll
    for (rk_u32 w = 0; w < RK_UNIT_SLOT_WORDS; w++) word[w] = from[w];
#pragma unroll
    for (rk_u32 w = 0; w < RK_UNIT_SLOT_WORDS; w++)
        if (4u * w < length) ((RK_GLOBAL rk_word *)(entry + 1))[w] = word[w];
#else
    rk_copy_global((rk_byte *)(entry + 1), (RK_GLOBAL const rk_u8 *)header + header_size, header->length);
#endif
    return RK_OK;
}

/* Whom a deferred reply goes to. */
typedef struct rk_ticket {
    rk_u64 correlation;
    rk_u32 asker; /* source of the request; 0: the host */
    rk_u32 shard;
} rk_ticket;

RK_FN rk_status rk_stage_reply_later(rk_context *context, rk_ticket ticket, rk_u16 type, const void *payload,
                                     rk_u64 length)
{
    if (rk_stage_is_full(context)) return rk_stage_refused(context);
    RK_GLOBAL rk_staged *entry = rk_stage_open(context, RK_TO_REPLY, type, (rk_u32)length);
    rk_header_address(&entry->header.base, ticket.shard, entry->header.base.source, 0, RK_FLAG_REPLY);
    entry->header.correlation = ticket.correlation;
    entry->asker = ticket.asker;
    if (length > RK_INLINE_MAX) return rk_stage_large(context, entry, payload, length);
    rk_copy_out((rk_byte *)(entry + 1), payload, (rk_u32)length);
    return RK_OK;
}

RK_FN rk_status rk_stage_reply(rk_context *context, RK_GLOBAL const rk_header *request, rk_u16 type,
                               const void *payload, rk_u64 length)
{
    rk_ticket ticket;
    if (!request) return RK_EMPTY;
    ticket.correlation = 0;
    ticket.shard = 0;
    ticket.asker = request->source;
    if (context->features & RK_FEATURE_LONG) {
        ticket.correlation = ((RK_GLOBAL const rk_header_long *)request)->correlation;
        ticket.shard = ((RK_GLOBAL const rk_header_long *)request)->source_shard;
    }
    ((RK_GLOBAL rk_header *)request)->flags |= RK_FLAG_ANSWERED;
    return rk_stage_reply_later(context, ticket, type, payload, length);
}

/* A report about the message being handled: it carries the message's own header and, for a dead letter, its
 * payload. */
RK_FN_LARGE void rk_stage_report(rk_context *context, rk_u32 kind, rk_u32 reason,
                                 RK_GLOBAL const rk_header *header)
{
    context->stage_limit = context->stage_next + 1u;
    RK_GLOBAL rk_staged *entry = rk_stage_open(context, RK_TO_REPORT, header->type, 0);
    rk_u32 header_size = context->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    rk_copy_global((rk_byte *)&entry->header, (RK_GLOBAL const void *)header, header_size);
    entry->header.base.flags &= (rk_u8) ~(RK_FLAGS_OF_CONSUMER | RK_FLAG_REPLY);
    entry->report.kind = kind;
    entry->report.reason = reason;
    entry->report.when_ns = context->now_ns;
    if (kind == RK_REPORT_DEAD) {
        entry->header.base.length = (rk_u16)(sizeof(rk_report) + header->length);
        rk_copy_global((rk_byte *)(entry + 1), (RK_GLOBAL const rk_u8 *)header + header_size, header->length);
    } else {
        entry->header.base.length = sizeof(rk_report);
        entry->header.base.flags &= (rk_u8)~RK_FLAG_REFERENCE;
    }
}

#endif
