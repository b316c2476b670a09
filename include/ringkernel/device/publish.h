/* Publish: staged sends go out, in order; what finds no room parks the shard.
 *
 * Entries are published strictly in the order in which they were staged, so what a shard sends to one target
 * arrives in the order of the causes. The first copy that finds no room under Block stops the rest: the shard
 * is parked, and the next visit goes on from that very copy. At the send's deadline a copy becomes a dead
 * letter and the next one is tried; a deadline that passed while nobody looked leaves one last wait. */
#ifndef RINGKERNEL_DEVICE_PUBLISH_H
#define RINGKERNEL_DEVICE_PUBLISH_H

#include "stage.h"

/* Wake the consumer of a lane if it sleeps, or its producers if they wait for room; the words stand in the
 * lane's first ring. W1: a fence stands between what was published or given back and this look at the word,
 * and one between the sleeper's store of the word and its last look (W2): one of the two sees the other. Where
 * all threads pass the sleeper's, this one is an order to the compiler alone; the report lane's consumer, who
 * is told of a sleep by each request, has no such fence, and its word is exchanged. */
#if defined(RK_LANG_HOST)
RK_FN int rk_wake_taken(const rk_context *context, const rk_lane *lane, rk_u32 *word)
{
    if (context->light_wake &&
        (rk_u64)((const rk_byte *)lane - context->arena) != context->shard->report_lane) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (!rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE)) return 0;
    }
    return rk_exchange_u32(word, 0, RK_SEQ_CST, RK_SCOPE_DEVICE) != 0;
}
#define RK_WAKE_CONSUMER(context, lane)                                                 \
    if (rk_wake_taken(context, lane, &rk_lane_ring(lane, (context)->arena, 0)->asleep)) \
    (context)->services->wake(context, lane)
#define RK_WAKE_PRODUCERS(context, lane)                                                 \
    if (rk_wake_taken(context, lane, &rk_lane_ring(lane, (context)->arena, 0)->waiting)) \
    (context)->services->room(context, lane)
#define RK_REFUSED_HOOK(context, entry, status) (context)->services->refused(context, entry, status)
#else
#define RK_WAKE_CONSUMER(context, lane) ((void)0) /* a device's loop polls */
#define RK_WAKE_PRODUCERS(context, lane) ((void)0)
#if !defined(RK_REFUSED_HOOK)
#define RK_REFUSED_HOOK(context, entry, status) 0u
#endif
#endif

/* Put one message into a lane under whatever policy it has; `now_ns` is for its stamp. RK_FULL under Block means: no room yet.
 * RK_UNKNOWN_TYPE: the target's slots hold the largest message that it handles, and this one is larger: it handles none of
 * this type, which it would say itself of one that fits. `rounds`: as long as others hold room, RK_UNTIL_KNOWN or RK_TRY_ROUNDS. */
RK_FN_LARGE rk_status rk_lane_put(RK_GLOBAL rk_lane *lane, rk_byte *arena, RK_GLOBAL const rk_u32 *header,
                                  RK_GLOBAL const void *payload, rk_u32 length, rk_u64 now_ns, rk_u32 rounds)
{
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, arena, 0);
    if (rk_load_u32(&lane->closed, RK_RELAXED, RK_SCOPE_DEVICE)) return RK_CLOSED;
    if (length > ring->payload_max) return RK_UNKNOWN_TYPE;
    if (lane->locked) return rk_lane_put_locked(lane, arena, header, payload, length, now_ns);
    rk_claim claim = rk_ring_claim_within(ring, 1, rounds);
    if (claim.count == 0) return lane->strategy == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED : RK_FULL;
    rk_ring_stamp(ring, claim.first, 1, now_ns);
    rk_ring_put(ring, arena, claim.first, header, payload, length);
    return RK_OK;
}

RK_FN rk_u32 rk_refused_kind(rk_status status)
{
    return status == RK_FULL        ? RK_REFUSED_FULL
           : status == RK_DROPPED   ? RK_REFUSED_DROPPED
           : status == RK_DUPLICATE ? RK_REFUSED_DUPLICATE
           : status == RK_TIMED_OUT ? RK_REFUSED_TIMED_OUT
           : status == RK_CLOSED    ? RK_REFUSED_CLOSED
                                    : RK_REFUSED_INVALID;
}

#define RK_NO_EDGE 0xffffffffu

/* Where a copy goes. */
typedef struct rk_target {
    RK_GLOBAL rk_lane *lane;
    rk_u64 count; /* arena offset of the edge's count for this target shard; 0: none */
    rk_u32 target;
} rk_target;

RK_FN rk_u64 rk_read_key(RK_GLOBAL const rk_u8 *payload, rk_u32 offset, rk_u32 size)
{
    rk_u64 key = 0;
#if defined( \
    RK_LANG_CUDA) /* a field lies where its size says; a loop of bytes is unrolled to hundreds of instructions */
    RK_GLOBAL const rk_u8 *at = payload + offset;
    if (size == 1u) return *at;
    if (size == 2u) return *(RK_GLOBAL const rk_u16 *)at;
    key = *(RK_GLOBAL const rk_word *)at;
    if (size == 8u) key |= (rk_u64)((RK_GLOBAL const rk_word *)at)[1] << 32;
#else
    for (rk_u32 i = 0; i < size; i++) key |= (rk_u64)payload[offset + i] << (8u * i);
#endif
    return key;
}

/* The target of a keyed message: for actors the key itself, else its hash. */
RK_FN rk_u32 rk_key_target(rk_u64 key, rk_u32 actors)
{
    if (actors) return key < 0xffffffffu ? (rk_u32)key : 0xffffffffu;
    return (rk_u32)(rk_hash64(key) >> 32);
}

RK_FN RK_GLOBAL rk_lane *rk_edge_lane(rk_context *context, RK_GLOBAL const rk_edge *edge, rk_u32 shard)
{
    return (RK_GLOBAL rk_lane *)(context->arena +
                                 ((RK_GLOBAL const rk_u64 *)(context->arena + edge->lanes))[shard]);
}

/* The bytes that were sent, wherever they lie, and how many. */
RK_FN RK_GLOBAL const void *rk_staged_body(rk_context *context, RK_GLOBAL const rk_staged *entry,
                                           rk_u32 *length)
{
    RK_GLOBAL const rk_reference *reference = (RK_GLOBAL const rk_reference *)(entry + 1);
    *length = entry->header.base.length;
    if (!(entry->header.base.flags & RK_FLAG_REFERENCE)) return reference;
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->pool_table);
    *length = (rk_u32)reference->length;
    return rk_pool_block((RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]), context->arena,
                         reference->block);
}

/* The target that an edge by key has for a payload. */
RK_FN rk_u32 rk_edge_key(RK_GLOBAL const rk_edge *edge, RK_GLOBAL const void *payload)
{
    return rk_key_target(rk_read_key((RK_GLOBAL const rk_u8 *)payload, edge->key_offset, edge->key_size),
                         edge->actors);
}

/* Copy `n` of an edge: which target, of a message whose payload lies behind its entry. `turn` is whose turn it is. */
RK_FN rk_u32 rk_edge_pick(RK_GLOBAL const rk_edge *edge, RK_GLOBAL const rk_staged *entry, rk_u32 turn,
                          rk_u32 copy)
{
    switch (edge->mode) {
    case RK_ROUTE_FIXED: return edge->fixed;
    case RK_ROUTE_KEY: return rk_edge_key(edge, entry + 1);
    case RK_ROUTE_TURN: return turn % edge->shards;
    case RK_ROUTE_ALL: return copy;
    default: return entry->header.base.target;
    }
}

/* The shard whose turn it is. */
RK_FN rk_u32 rk_edge_turn(const rk_context *context, RK_GLOBAL const rk_edge *edge, rk_u32 edge_number)
{
    RK_GLOBAL const rk_u64 *turns = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->edge_turns);
    return (rk_u32)(turns[edge_number] % edge->shards);
}

/* The same, and which lane. */
RK_FN rk_target rk_edge_target(rk_context *context, RK_GLOBAL const rk_edge *edge, rk_u32 edge_number,
                               RK_GLOBAL const rk_staged *entry, rk_u32 copy)
{
    rk_target to;
    RK_GLOBAL const rk_u64 *lanes = (RK_GLOBAL const rk_u64 *)(context->arena + edge->lanes);
    rk_u32 turn = edge->mode == RK_ROUTE_TURN ? rk_edge_turn(context, edge, edge_number) : 0u, length;
    to.target = edge->mode == RK_ROUTE_KEY ? rk_edge_key(edge, rk_staged_body(context, entry, &length))
                                           : rk_edge_pick(edge, entry, turn, copy);
    if (edge->mode == RK_ROUTE_TURN && entry->header.id &&
        ((RK_GLOBAL const rk_lane *)(context->arena + lanes[0]))->window)
        to.target = (rk_u32)(rk_hash64(entry->header.id) >> 32);
    rk_u32 shard = edge->shards == 1 ? 0u : to.target % edge->shards;
    to.lane = (RK_GLOBAL rk_lane *)(context->arena + lanes[shard]);
    to.count = context->shard->edge_counts + 8u * (rk_u64)(edge->counts + shard);
    return to;
}

/* Copy `entry->sent` of a staged entry: where it goes. 0: there are no more copies. */
RK_FN_LARGE rk_u32 rk_next_copy(rk_context *context, RK_GLOBAL const rk_staged *entry, rk_target *to,
                                rk_u32 *edge_number)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    *edge_number = RK_NO_EDGE;
    to->count = 0;
    if (entry->route == RK_TO_NOWHERE) return 0;
    if (entry->route == RK_TO_REPORT || entry->route == RK_TO_REPLY) {
        if (entry->sent) return 0;
        to->target = entry->header.base.target;
        to->lane = (RK_GLOBAL rk_lane *)(context->arena + shard->report_lane);
        if (entry->route == RK_TO_REPLY && entry->asker) {
            RK_GLOBAL const rk_directory_entry *asked =
                (RK_GLOBAL const rk_directory_entry *)(context->arena + shard->directory) +
                (entry->asker & RK_SOURCE_KERNEL);
            if (asked->lanes == 0 || asked->source != entry->asker) return 0;
            RK_GLOBAL const rk_u64 *lanes = (RK_GLOBAL const rk_u64 *)(context->arena + asked->lanes);
            to->lane = (RK_GLOBAL rk_lane *)(context->arena + lanes[to->target % asked->shards]);
        }
        return 1;
    }
    RK_GLOBAL const rk_route *route =
        (RK_GLOBAL const rk_route *)(context->arena + shard->routes) + entry->route;
    if (route->edges == 0) {
        to->target = entry->header.base.target;
        to->lane = (RK_GLOBAL rk_lane *)(context->arena + shard->out_lane);
        return entry->sent == 0;
    }
    rk_u32 copy = entry->sent;
    for (rk_u32 e = route->first; e < route->first + route->edges; e++) {
        RK_GLOBAL const rk_edge *edge = (RK_GLOBAL const rk_edge *)(context->arena + shard->edges) + e;
        if (edge->type && edge->type != entry->header.base.type) continue;
        rk_u32 copies = edge->mode == RK_ROUTE_ALL ? edge->shards : 1u;
        if (copy < copies) {
            *to = rk_edge_target(context, edge, e, entry, copy);
            *edge_number = e;
            return 1;
        }
        copy -= copies;
    }
    return 0;
}

/* Towards the host a message says which named route it was sent on. */
RK_FN void rk_mark_route(RK_GLOBAL rk_staged *entry)
{
    if (entry->route != RK_TO_DEFAULT && entry->route < RK_TO_REPLY)
        rk_header_source(&entry->header.base, RK_SOURCE_ROUTE | entry->route);
}

/* Count copies that are out. */
RK_FN void rk_sent(rk_context *context, const rk_target *to, rk_u32 edge_number, rk_u32 copies)
{
    if (edge_number == RK_NO_EDGE) return;
    RK_GLOBAL rk_u64 *count = (RK_GLOBAL rk_u64 *)(context->arena + to->count);
    rk_store_u64(count, *count + copies, RK_RELAXED, RK_SCOPE_SYSTEM);
    ((RK_GLOBAL rk_u64 *)(context->arena + context->shard->edge_turns))[edge_number] += copies;
}

/* What goes out after the header: the payload, in the report lane with the report before it. */
RK_FN RK_GLOBAL const void *rk_staged_payload(RK_GLOBAL const rk_staged *entry)
{
    return entry->route == RK_TO_REPORT ? (RK_GLOBAL const void *)&entry->report
                                        : (RK_GLOBAL const void *)(entry + 1);
}

/* Done with a large payload: its block goes back to the pool that it came from. */
RK_FN void rk_give_back(rk_context *context, RK_GLOBAL const rk_reference *reference)
{
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->pool_table);
    rk_pool_give_back((RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]), context->arena,
                      reference->block);
}

/* A reference travels once: of several copies each but the last goes out with a block of its own, made
 * before, since what was sent may be given back and used again at any time. Meanwhile the original waits
 * behind it in the entry. Without room the copy is kept for the next try. */
RK_FN_LARGE rk_status rk_own_reference(rk_context *context, RK_GLOBAL rk_staged *entry)
{
    RK_GLOBAL rk_reference *reference = (RK_GLOBAL rk_reference *)(entry + 1);
    rk_target to;
    rk_u32 edge_number;
    if (entry->copied == RK_COPY_MADE) return RK_OK;
    entry->sent++;
    rk_u32 further = rk_next_copy(context, entry, &to, &edge_number);
    entry->sent--;
    if (!further) return RK_OK;
    entry->copied = RK_COPY_WANTED;
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->pool_table);
    RK_GLOBAL const rk_pool *from = (RK_GLOBAL const rk_pool *)(context->arena + table[reference->pool]);
    RK_GLOBAL rk_pool *own = (RK_GLOBAL rk_pool *)(context->arena + context->shard->pool);
    if (!context->shard->pool || reference->length > own->block_size) return RK_TOO_LARGE;
    rk_u32 block = rk_pool_take(own, context->arena);
    if (block == RK_POOL_NONE) return RK_FULL;
    rk_copy_global(rk_pool_block(own, context->arena, block),
                   rk_pool_block(from, context->arena, reference->block), (rk_u32)reference->length);
    reference[1] = reference[0];
    reference->pool = own->number;
    reference->block = block;
    entry->copied = RK_COPY_MADE;
    return RK_OK;
}

/* A copy is out, or settled otherwise: on to the next one. */
RK_FN void rk_copy_done(RK_GLOBAL rk_staged *entry)
{
    RK_GLOBAL rk_reference *reference = (RK_GLOBAL rk_reference *)(entry + 1);
    if (entry->copied == RK_COPY_MADE) reference[0] = reference[1];
    entry->copied = RK_COPY_NONE;
    entry->sent++;
}

/* A copy that was not sent gives its block back, unless a further copy needs it. */
RK_FN void rk_copy_drop(rk_context *context, RK_GLOBAL rk_staged *entry)
{
    if ((entry->header.base.flags & RK_FLAG_REFERENCE) && entry->copied != RK_COPY_WANTED)
        rk_give_back(context, (RK_GLOBAL const rk_reference *)(entry + 1));
}

/* Was this copy refused before, and its report found no room? Then that is settled: neither the target nor
 * the sender's hook is asked again. */
RK_FN rk_u32 rk_is_refused(RK_GLOBAL const rk_staged *entry)
{
    return entry->route != RK_TO_REPORT && entry->report.kind == RK_REPORT_UNSENT;
}

/* A dead letter of `length` bytes goes to the kernel that is connected for them. It never waits there, since nobody may
 * be held up by what becomes of letters. Its header says who refused the message and why (pattern/dead_letter.h), and its life
 * begins anew. 0: the host gets it: nobody is connected for this type, or has no room, or the host waits for the
 * outcome of its request. */
RK_FN_LARGE rk_u32 rk_letter_put(rk_context *context, RK_GLOBAL rk_staged *entry, rk_u32 length)
{
    RK_GLOBAL const rk_shard *shard = context->shard;
    rk_header_long as_it_was = entry->header;
    if (!shard->letters) return 0;
    rk_u32 number = shard->letters - 1u;
    RK_GLOBAL const rk_edge *edge = (RK_GLOBAL const rk_edge *)(context->arena + shard->edges) + number;
    if (edge->type && edge->type != as_it_was.base.type) return 0;
    if ((as_it_was.base.flags & RK_FLAG_REQUEST) && as_it_was.base.source == 0) return 0;
    rk_target to = rk_edge_target(context, edge, number, entry, 0);
    rk_u64 sent = entry->report.kind == RK_REPORT_UNSENT ? RK_LETTER_SENT : 0;
    rk_header_kind(&entry->header.base, as_it_was.base.type, length);
    rk_header_address(&entry->header.base, to.target, shard->source, as_it_was.base.priority,
                      as_it_was.base.flags & RK_FLAG_REFERENCE);
    rk_header_further(&entry->header, rk_stamp_ns(context), shard->shard);
    entry->header.id = as_it_was.id;
    entry->header.correlation = sent | entry->report.reason;
    entry->header.attempts = as_it_was.attempts;
    entry->header.version |= RK_VERSION_LETTER;
    rk_status status =
        rk_lane_put(to.lane, context->arena, (RK_GLOBAL const rk_u32 *)&entry->header,
                    (RK_GLOBAL const void *)(entry + 1), length, context->now_ns, RK_UNTIL_KNOWN);
    entry->header = as_it_was;
    if (status != RK_OK) return 0;
    rk_sent(context, &to, number, 1);
    rk_count(&RK_METER(context)->sent, 1);
    RK_WAKE_CONSUMER(context, to.lane);
    return 1;
}

/* The rest of a staged entry did not arrive for `status`: it becomes a dead letter, without its payload where
 * a further copy needs that. 0: the report lane has no room either. */
RK_FN_LARGE rk_u32 rk_bury(rk_context *context, RK_GLOBAL rk_staged *entry, rk_status status)
{
    RK_GLOBAL rk_lane *lane = (RK_GLOBAL rk_lane *)(context->arena + context->shard->report_lane);
    entry->report.kind = RK_REPORT_UNSENT;
    entry->report.reason = RK_REASON_STATUS + (rk_u32)status;
    entry->report.when_ns = context->now_ns;
    rk_u16 length = entry->header.base.length;
    rk_u8 flags = entry->header.base.flags;
    entry->header.base.length = (rk_u16)(length + sizeof(rk_report));
    entry->header.base.flags &= (rk_u8) ~(RK_FLAG_REPLY | RK_FLAG_REQUEST); /* it is neither any more */
    if (entry->copied != RK_COPY_WANTED && rk_letter_put(context, entry, length)) {
        entry->header.base.length = length;
        entry->header.base.flags = flags;
        entry->report.kind = 0;
        rk_count(&context->shard->meter.dead_sends, 1);
        return 1;
    }
    if (entry->copied == RK_COPY_WANTED) {
        entry->header.base.length = (rk_u16)sizeof(rk_report);
        entry->header.base.flags &= (rk_u8)~RK_FLAG_REFERENCE;
    }
    rk_status put = rk_lane_put(lane, context->arena, (RK_GLOBAL const rk_u32 *)&entry->header,
                                (RK_GLOBAL const void *)&entry->report, entry->header.base.length,
                                context->now_ns, RK_UNTIL_KNOWN);
    entry->header.base.length = length;
    entry->header.base.flags = flags;
    if (put == RK_FULL) return 0;
    entry->report.kind = 0;
    rk_count(&context->shard->meter.dead_sends, 1);
    RK_WAKE_CONSUMER(context, lane);
    return 1;
}

/* How many staged entries from the next one on go to one and the same open lane: they are claimed together. */
typedef struct rk_run {
    rk_u32 n;
    rk_u32 whole; /* 1: each has this one copy; 0: the one entry may have others */
} rk_run;

RK_FN rk_run rk_publish_run(rk_context *context, rk_u32 most)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL const rk_turn *turn = context->turn;
    rk_u32 route = rk_stage_entry(context->stage, shard->stage_stride, turn->published)->route;
    rk_run run;
    run.n = 1;
    run.whole = 1;
    if (route >= RK_TO_REPLY) return run;
    RK_GLOBAL const rk_route *known = (RK_GLOBAL const rk_route *)(context->arena + shard->routes) + route;
    if (known->edges) {
        RK_GLOBAL const rk_edge *edge =
            (RK_GLOBAL const rk_edge *)(context->arena + shard->edges) + known->first;
        run.whole = known->edges == 1 && (edge->mode != RK_ROUTE_ALL || edge->shards == 1);
        if (known->edges > 1 || edge->type || edge->shards > 1) return run;
    }
    const rk_u32 stride = shard->stage_stride, left = turn->staged - turn->published;
    rk_byte *const stage = context->stage + (rk_u64)turn->published * stride;
    for (; run.n < left; run.n++) {
        RK_GLOBAL const rk_staged *entry = rk_stage_entry(stage, stride, run.n);
        if (entry->route != route || entry->header.base.length > most) break;
    }
    return run;
}

/* Write on `n` entries from `first` on where they go. Towards the host only a named route is to be told, and
 * all of a run are on one route. */
RK_FN void rk_publish_address(rk_context *context, rk_target *to, rk_u32 *edge_number, rk_u32 first, rk_u32 n)
{
    for (rk_u32 i = first; i < first + n; i++) {
        RK_GLOBAL rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, i);
        if (*edge_number != RK_NO_EDGE) {
            (void)rk_next_copy(context, entry, to, edge_number);
            rk_header_aim(&entry->header.base, to->target);
        } else if (entry->route != RK_TO_DEFAULT) {
            rk_mark_route(entry);
        } else {
            return;
        }
    }
}

/* Put entries of one run into claimed slots. Nothing else is in these loops: what one message costs is mostly
 * here. Units go from the last to the first. */
RK_FN void rk_publish_put(rk_context *context, RK_GLOBAL rk_ring *ring, rk_claim claim, rk_u32 first)
{
    rk_slots slots = rk_ring_slots(ring, context->arena);
    if (!rk_ring_lead(ring, claim, &slots)) rk_ring_prepare(ring, context->arena, claim);
    const rk_u32 stride = context->stage_stride;
    rk_byte *const stage = context->stage + (rk_u64)first * stride;
    const rk_u32 at = (rk_u32)((rk_byte *)rk_staged_payload((RK_GLOBAL const rk_staged *)stage) - stage);
    if (ring->format != RK_FORMAT_SEQ) {
        for (rk_u32 i = claim.count; i-- > 0;) {
            rk_byte *entry = stage + (rk_u64)i * stride;
            rk_ring_put(ring, context->arena, claim.first + i, (RK_GLOBAL const rk_u32 *)entry, entry + at,
                        ((RK_GLOBAL const rk_header *)entry)->length);
        }
        return;
    }
#if !defined(RK_LANG_CUDA) /* where lanes are of units */
    if (ring->slot_size == RK_SLOT_MIN && slots.header_size == RK_HEADER_SHORT) {
        /* A slot of one cache line is filled to its end, whatever the length: an entry has as much in it. */
        slots.header_size = RK_HEADER_SHORT; /* known to the compiler */
        for (rk_u32 left = claim.count; left-- > 0;) {
            const rk_u32 i = rk_slots_turn(&slots, claim.count, left);
            rk_byte *entry = stage + (rk_u64)i * stride;
            rk_slots_put(slots, claim.first + i, (RK_GLOBAL const rk_u32 *)entry, entry + at,
                         RK_SLOT_MIN - RK_HEADER_SHORT);
        }
        return;
    }
#endif
    for (rk_u32 left = claim.count; left-- > 0;) {
        const rk_u32 i = rk_slots_turn(&slots, claim.count, left);
        rk_byte *entry = stage + (rk_u64)i * stride;
        rk_slots_put(slots, claim.first + i, (RK_GLOBAL const rk_u32 *)entry, entry + at,
                     ((RK_GLOBAL const rk_header *)entry)->length);
    }
}

/* Claim and publish as many entries as go to this open lane together. Returns how many are out. */
RK_FN_LARGE rk_u32 rk_publish_open(rk_context *context, rk_target to, rk_u32 edge_number)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    RK_GLOBAL rk_ring *ring = rk_lane_ring(to.lane, context->arena, 0);
    rk_run run = rk_publish_run(context, ring->payload_max);
    rk_claim claim = rk_ring_claim(ring, run.n);
    rk_claim part;
    part.first = claim.first;
    rk_ring_stamp(ring, claim.first, claim.count, context->now_ns);
    rk_publish_address(context, &to, &edge_number, turn->published, claim.count);
    for (rk_u32 done = 0; done < claim.count; done += part.count, part.first += part.count) {
        part.count = claim.count - done < RK_PREPARED_MOST ? claim.count - done : RK_PREPARED_MOST;
        rk_publish_put(context, ring, part, turn->published + done);
    }
    if (claim.count) {
        rk_sent(context, &to, edge_number, claim.count);
        if (run.whole)
            turn->published += claim.count;
        else
            rk_copy_done(rk_stage_entry(context->stage, context->shard->stage_stride, turn->published));
    }
    return claim.count;
}

/* The sender's hook: it is called without a message, and what it would send had no place. */
RK_FN rk_u32 rk_ask_hook(rk_context *context, RK_GLOBAL rk_staged *entry, rk_status status)
{
    RK_GLOBAL const rk_header *header = context->header;
    const rk_u32 limit = context->stage_limit;
    context->header = 0;
    context->stage_limit = 0;
    const rk_u32 taken = RK_REFUSED_HOOK(context, entry, status);
    context->header = header;
    context->stage_limit = limit;
    return taken;
}

/* A copy that its target did not take: the sender's hook sees it first; what nobody decided to drop and no
 * hook took care of is kept as a dead letter. 0: the report lane has no room for that, come again. */
RK_FN_LARGE rk_u32 rk_publish_refused(rk_context *context, RK_GLOBAL rk_staged *entry,
                                      RK_GLOBAL rk_lane *lane, rk_status status)
{
    rk_u32 kind = rk_refused_kind(status);
    rk_u32 dropped = kind == RK_REFUSED_DROPPED || kind == RK_REFUSED_DUPLICATE;
    if (!rk_is_refused(entry) && (rk_ask_hook(context, entry, status) || dropped)) {
        rk_copy_drop(context, entry);
    } else if (!rk_bury(context, entry, status)) {
        context->blocked = (RK_GLOBAL rk_lane *)(context->arena + context->shard->report_lane);
        return 0;
    }
    rk_count(&context->shard->meter.refused[kind], 1);
    rk_lane_refuse(lane, kind, 1);
    rk_copy_done(entry);
    return 1;
}

/* An entry that goes to nobody: a reply to a kernel that is gone, or a type that no connection of its route
 * carries. */
RK_FN rk_u32 rk_publish_nowhere(rk_context *context, RK_GLOBAL rk_staged *entry)
{
    rk_status status = entry->route == RK_TO_REPLY ? RK_NO_SUCH_KERNEL : RK_UNKNOWN_TYPE;
    if (!rk_is_refused(entry) && rk_ask_hook(context, entry, status)) {
        rk_copy_drop(context, entry);
    } else if (!rk_bury(context, entry, status)) {
        context->blocked = (RK_GLOBAL rk_lane *)(context->arena + context->shard->report_lane);
        return 0;
    }
    rk_count(&context->shard->meter.refused[RK_REFUSED_INVALID], 1);
    return 1;
}

#if defined(RK_HAS_STRAIGHT)
/* Show what went straight: it only lacks its place in the lane and its laps. Returns how many are out. */
RK_FN rk_u32 rk_publish_straight(rk_context *context)
{
    RK_GLOBAL rk_lane *lane = (RK_GLOBAL rk_lane *)(context->arena + context->shard->out_lane);
    RK_GLOBAL rk_ring *ring = rk_lane_ring(lane, context->arena, 0);
    const rk_slots slots = context->straight_slots;
    rk_straight_close(context);
    if (context->turn->staged == 0) return 0;
    if (context->straight && rk_load_u32(&lane->closed, RK_RELAXED, RK_SCOPE_DEVICE))
        rk_straight_pull_in(context);
    if (context->straight == 0) return 0;
    rk_claim claim = rk_ring_claim(ring, context->straight); /* room was found when they were let go */
    rk_ring_stamp(ring, claim.first, claim.count, context->now_ns);
    for (rk_u32 i = 1; i < claim.count; i++)
        rk_slots_publish(slots, rk_slots_at(slots, claim.first + i), claim.first + i);
    rk_slots_publish(slots, rk_slots_at(slots, claim.first), claim.first);
    rk_count(&context->shard->meter.sent, claim.count);
    RK_WAKE_CONSUMER(context, lane);
    return claim.count;
}
#endif

/* Later than this after the deadline comes no look of a shard that is looked at, on a machine however busy. */
#define RK_UNSEEN_NS RK_MILLISECONDS(50)

/* Is the deadline of what the shard is parked with over? If nobody looked when it passed, as while the process was
 * stopped, nobody made room either: then there is one last wait, from now. */
RK_FN rk_u32 rk_publish_is_late(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    const rk_u64 deadline_ns = context->shard->send_deadline_ns, last_ns = context->shard->last_wait_ns;
    /* Who serves the shard may have changed since it parked, and its clock be a little behind. */
    if (!turn->parked || !deadline_ns || context->now_ns <= turn->parked_ns) return 0;
    const rk_u64 waited_ns = context->now_ns - turn->parked_ns;
    if (waited_ns < deadline_ns) return 0;
    if (turn->parked == 2u || !last_ns || waited_ns - deadline_ns < RK_UNSEEN_NS) return 1;
    turn->parked = 2u;
    turn->parked_ns = context->now_ns - deadline_ns + last_ns;
    return 0;
}

/* Publish what is staged. 1: all of it is out; 0: no room for some copy, the shard is parked;
 * context->blocked is the lane without room, 0 where a block of the pool is waited for. */
RK_FN_LARGE rk_u32 rk_publish(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    RK_GLOBAL rk_shard *shard = context->shard;
    while (turn->published < turn->staged) {
        RK_GLOBAL rk_staged *entry = rk_stage_entry(context->stage, shard->stage_stride, turn->published);
        rk_target to;
        rk_u32 edge_number;
        if (!rk_next_copy(context, entry, &to, &edge_number)) {
            if (entry->sent == 0 && entry->route != RK_TO_NOWHERE && !rk_publish_nowhere(context, entry))
                return 0;
            turn->published++;
            continue;
        }
        rk_status status = RK_OK;
        rk_u32 out = 0, no_block = 0;
#if !defined(RK_LANG_HOST)
        if (entry->header.base.flags & RK_FLAG_REFERENCE)
            rk_fence(RK_RELEASE, RK_SCOPE_SYSTEM); /* the block's bytes */
#endif
        if (entry->route == RK_TO_REPORT && entry->report.kind == RK_REPORT_DEAD &&
            rk_letter_put(context, entry, entry->header.base.length - (rk_u32)sizeof(rk_report))) {
            turn->published++;
            continue;
        }
        if (turn->parked && rk_is_refused(entry))
            status = (rk_status)(entry->report.reason - RK_REASON_STATUS);
        if (status == RK_OK && (entry->header.base.flags & RK_FLAG_REFERENCE) && entry->route != RK_TO_REPORT)
            status = rk_own_reference(context, entry);
        no_block = status == RK_FULL;
        if (status == RK_OK && rk_load_u32(&to.lane->closed, RK_RELAXED, RK_SCOPE_DEVICE)) status = RK_CLOSED;
        if (status == RK_OK &&
            entry->header.base.length > rk_lane_ring(to.lane, context->arena, 0)->payload_max)
            status = RK_UNKNOWN_TYPE; /* as in rk_lane_put */
        if (status == RK_OK && to.lane->locked) {
            entry->header.base.target = to.target;
            status = rk_lane_put_locked(to.lane, context->arena, (RK_GLOBAL const rk_u32 *)&entry->header,
                                        rk_staged_payload(entry), entry->header.base.length, context->now_ns);
            if (status == RK_OK) {
                out = 1;
                rk_copy_done(entry);
                rk_sent(context, &to, edge_number, 1);
            }
        } else if (status == RK_OK) {
            out = rk_publish_open(context, to, edge_number);
            if (!out) status = to.lane->strategy == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED : RK_FULL;
        }
        if (out) {
            if (entry->route != RK_TO_REPORT) rk_count(&shard->meter.sent, out);
            RK_WAKE_CONSUMER(context, to.lane);
            continue;
        }
        if (status == RK_FULL && to.lane->strategy == RK_BACKPRESSURE_BLOCK) {
            rk_u32 late = rk_publish_is_late(context);
            /* The shard's own lane, and its batch is given back: nobody will ever make room there. */
            rk_u32 never = !no_block && turn->n == 0 && to.lane == rk_shard_lane(context, 1);
            if ((!late && !never) || entry->route == RK_TO_REPORT) {
                context->blocked = no_block ? (RK_GLOBAL rk_lane *)0 : to.lane;
                return 0;
            }
            if (!never) status = RK_TIMED_OUT;
        }
        if (!rk_publish_refused(context, entry, to.lane, status)) return 0;
    }
    return 1;
}

#endif
