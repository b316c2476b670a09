#include "outgoing.h"

#include <string.h>

#include "../runtime/module.h"
#include "../runtime/wake.h"

static rk_status check_type(rk_host_kernel *k, rk_u16 type, size_t size)
{
    const rk_declaration *handler = k->class->handlers[0];
    if (handler->message->type != type) handler = rk_class_handler(k->class, type);
    if (!handler) return rk_error(RK_UNKNOWN_TYPE, "'%s' has no handler for message type %u", k->id, type);
    const rk_schema *schema = handler->message;
    if (size > schema->size)
        return rk_error(RK_TOO_LARGE, "'%s': %zu bytes, but message '%s' has at most %u", k->id, size,
                        schema->name, schema->size);
    if (size < schema->size && !schema->variable)
        return rk_error(RK_TOO_SMALL, "'%s': %zu bytes, but message '%s' has %u", k->id, size, schema->name,
                        schema->size);
    return RK_OK;
}

static rk_status check_options(const rk_host_kernel *k, const rk_send_options *o)
{
    if (o->ttl_us && !k->options.expiry)
        return rk_error(RK_INVALID_ARGUMENT,
                        "'%s': a message with a time to live needs a launch with expiry = 1", k->id);
    if ((o->flags & RK_FLAG_REQUEST) && !k->options.requests)
        return rk_error(RK_INVALID_ARGUMENT, "'%s': a request needs a launch with requests = 1", k->id);
    if (o->flags & (rk_u8)~RK_FLAG_REQUEST)
        return rk_error(RK_INVALID_ARGUMENT, "'%s': flags 0x%x: a send may have RK_FLAG_REQUEST alone", k->id,
                        o->flags);
    if ((o->id || o->correlation) && !(k->layout.features & RK_FEATURE_LONG))
        return rk_error(RK_INVALID_ARGUMENT,
                        "'%s': a message with %s needs long headers: launch with deduplication_window, "
                        "expiry, requests or timestamps",
                        k->id, o->id ? "an id" : "a correlation");
    if (o->options_ || o->options__)
        return rk_error(RK_INVALID_ARGUMENT,
                        "'%s': send options: a gap is not zero: begin with RK_SEND_DEFAULTS", k->id);
    if (k->options.actors && o->target >= k->options.actors)
        return rk_error(RK_NO_SUCH_ACTOR, "'%s' has actors 0 to %u, not %u", k->id, k->options.actors - 1,
                        o->target);
    return RK_OK;
}

rk_status rk_outgoing_explain_closed(const rk_host_kernel *k)
{
    rk_status closed = (rk_status)rk_atomic_u32(&k->closed);
    if (closed == RK_FAILED) return rk_error(RK_CLOSED, "'%s' has failed: %s", k->id, k->failure);
    return rk_error(RK_CLOSED, "'%s' takes no more messages: it is %s", k->id,
                    rk_life_name(rk_atomic_u32(&k->life)));
}

rk_status rk_outgoing_closed(rk_host_kernel *k)
{
    rk_lane_refuse(rk_seat_lane(k->seats, 0), RK_REFUSED_CLOSED, 1);
    return rk_outgoing_explain_closed(k);
}

rk_status rk_outgoing_make(rk_host_kernel *k, rk_u16 type, const void *body, size_t size,
                           const rk_send_options *options, rk_outgoing *out)
{
    static const rk_send_options defaults = RK_SEND_DEFAULTS;
    if (!body && size) return rk_error(RK_INVALID_ARGUMENT, "'%s': the body is null", k->id);
    rk_status status = check_type(k, type, size);
    if (!options)
        options = &defaults;
    else if (status == RK_OK)
        status = check_options(k, options);
    if (status != RK_OK) {
        rk_lane_refuse(rk_seat_lane(k->seats, 0), RK_REFUSED_INVALID, 1);
        return status;
    }
    rk_header_long *h = &out->header;
    rk_header_kind(&h->base, type, size > RK_INLINE_MAX ? (rk_u32)sizeof(rk_reference) : (rk_u32)size);
    rk_header_address(&h->base, options->target, 0, options->priority,
                      (options->flags & RK_FLAG_REQUEST) | (size > RK_INLINE_MAX ? RK_FLAG_REFERENCE : 0));
    if (k->layout.features & RK_FEATURE_LONG) {
        h->id = options->id;
        h->correlation = options->correlation;
        h->sent_ns = rk_runtime_now(k->runtime);
        h->ttl_us = options->ttl_us ? options->ttl_us : k->options.default_ttl_us;
        h->attempts = 0;
        h->version = RK_WIRE_VERSION;
        h->source_shard = 0;
    }
    out->options = options;
    out->body = body;
    out->size = (rk_u32)size;
    out->block = RK_POOL_NONE;
    out->epoch = k->epoch;
    return RK_OK;
}

rk_status rk_outgoing_renew(rk_host_kernel *k, rk_outgoing *out)
{
    if (out->epoch == k->epoch) return RK_OK;
    const rk_outgoing was = *out;
    const rk_status status = rk_outgoing_make(k, was.header.base.type, was.body, was.size, was.options, out);
    out->block = was.block;                                                 /* pools outlive a launch */
    if (status == RK_OK && was.options->id) out->header.id = was.header.id; /* one of many */
    return status;
}

void rk_outgoing_wake(rk_seat *seat, rk_lane *lane)
{
    rk_runtime *runtime = seat->owner->runtime;
    if (rk_wake_take(runtime, &rk_lane_ring(lane, runtime->arena.base, 0)->asleep))
        runtime->backend->ring(seat); /* W1 */
}

/* 0: none of these messages is to be stamped. */
static rk_u64 stamp_time(const rk_host_kernel *k, const rk_ring *ring, rk_u64 first, rk_u32 count)
{
    return rk_ring_stamp_due(ring, first, count) ? rk_runtime_now(k->runtime) : 0;
}

void rk_outgoing_stamp(const rk_host_kernel *k, rk_ring *ring, rk_u64 first, rk_u32 count)
{
    rk_ring_stamp(ring, first, count, stamp_time(k, ring, first, count));
}

/* Are payloads read in whole words? Then one that lies anywhere is copied first. */
static int reads_words(const rk_ring *ring)
{
#if defined(RK_PORT_UNITS)
    return ring->overwritten != 0;
#else
    return ring->overwritten || ring->format == RK_FORMAT_UNIT;
#endif
}

/* The payload as the lane takes it: the body itself; or a reference to a copy in the host's pool; or, where a
 * format reads whole words, an aligned copy in `scratch`. 0: the pool has no block. */
static const void *payload_for(rk_host_kernel *k, rk_outgoing *out, const rk_ring *ring, rk_u64 *scratch)
{
    rk_byte *arena = k->runtime->arena.base;
    if (out->header.base.flags & RK_FLAG_REFERENCE) {
        if (out->block == RK_POOL_NONE) {
            rk_pool *pool = (rk_pool *)(arena + k->layout.host_pool);
            out->block = rk_pool_take(pool, arena);
            if (out->block == RK_POOL_NONE) return 0;
            memcpy(rk_pool_block(pool, arena, out->block), out->body, out->size);
            out->reference = (rk_reference){ pool->number, out->block, out->size };
        }
        return &out->reference;
    }
    if (!reads_words(ring)) return out->body;
    memcpy(scratch, out->body, out->size);
    return scratch;
}

void rk_outgoing_drop(const rk_runtime *runtime, rk_outgoing *out)
{
    if (out->block == RK_POOL_NONE) return;
    rk_pool_give_back(rk_pool_at(runtime, out->reference.pool), runtime->arena.base, out->block);
    out->block = RK_POOL_NONE;
}

rk_status rk_outgoing_put(rk_host_kernel *k, rk_outgoing *out)
{
    const rk_status status = rk_outgoing_put_quietly(k, out);
    rk_seat *seat = rk_outgoing_seat(k, out);
    if (status == RK_OK) rk_outgoing_wake(seat, rk_seat_lane(seat, 0));
    return status;
}

rk_status rk_outgoing_put_quietly(rk_host_kernel *k, rk_outgoing *out)
{
    rk_u64 scratch[RK_INLINE_MAX / 8];
    rk_byte *arena = k->runtime->arena.base;
    rk_seat *seat = rk_outgoing_seat(k, out);
    rk_lane *lane = rk_seat_lane(seat, 0);
    rk_ring *ring = rk_lane_ring(lane, arena, 0);
    rk_status status = RK_OK;
    if (rk_load_u32(&lane->closed, RK_RELAXED, RK_SCOPE_DEVICE)) status = RK_CLOSED;
    const void *payload = status == RK_OK ? payload_for(k, out, ring, scratch) : 0;
    if (status == RK_OK && !payload) status = RK_FULL;
    if (status == RK_OK && lane->locked) {
        const rk_ring *own = rk_lane_ring(lane, arena, rk_lane_band(lane, out->header.base.priority));
        rk_u64 now_ns = stamp_time(k, own, rk_load_u64(&own->tail, RK_RELAXED, RK_SCOPE_DEVICE), 1);
        status = rk_lane_put_locked(lane, arena, (const rk_u32 *)(const void *)&out->header, payload,
                                    out->header.base.length, now_ns);
    } else if (status == RK_OK) {
        rk_claim claim = rk_ring_claim(ring, 1);
        if (claim.count) {
            rk_outgoing_stamp(k, ring, claim.first, 1);
            rk_ring_put(ring, arena, claim.first, (const rk_u32 *)(const void *)&out->header, payload,
                        out->header.base.length);
        } else {
            status = RK_FULL;
        }
    }
    if (status == RK_OK) return RK_OK;
    if (status == RK_FULL && lane->strategy == RK_BACKPRESSURE_BLOCK) return RK_FULL;
    if (status == RK_FULL && lane->strategy == RK_BACKPRESSURE_DROP_NEWEST) status = RK_DROPPED;
    rk_outgoing_drop(k->runtime, out);
    rk_lane_refuse(lane,
                   status == RK_FULL        ? RK_REFUSED_FULL
                   : status == RK_DROPPED   ? RK_REFUSED_DROPPED
                   : status == RK_DUPLICATE ? RK_REFUSED_DUPLICATE
                                            : RK_REFUSED_CLOSED,
                   1);
    return status;
}

/* Put bodies of one size into claimed slots. Nothing else is in these loops: what one message costs is mostly here. */
static void put_part(rk_slots slots, rk_claim part, rk_header_long header, const char *bodies, rk_u32 size)
{
    if (slots.header_size == RK_HEADER_SHORT) {
        slots.header_size = RK_HEADER_SHORT; /* known to the compiler */
        for (rk_u32 left = part.count; left-- > 0;) {
            const rk_u32 i = rk_slots_turn(&slots, part.count, left);
            rk_slots_put(slots, part.first + i, (const rk_u32 *)(const void *)&header,
                         bodies + (size_t)i * size, size);
        }
        return;
    }
    const rk_u64 id = header.id;
    for (rk_u32 left = part.count; left-- > 0;) {
        const rk_u32 i = rk_slots_turn(&slots, part.count, left);
        header.id = id ? id + i : 0;
        rk_slots_put(slots, part.first + i, (const rk_u32 *)(const void *)&header, bodies + (size_t)i * size,
                     size);
    }
}

/* The same into `unit` slots; so that each has an id of its own, `id` of the first is counted on, if it is not 0. */
static void put_units(const rk_ring *ring, rk_byte *arena, rk_claim part, rk_header_long *header, rk_u64 id,
                      const unsigned char *bodies, rk_u32 size)
{
#if defined(RK_PORT_UNITS)
    const rk_u32 mask = ring->mask, shift = ring->slot_shift;
    rk_byte *slots = arena + ring->slots;
    rk_port_units_apart();
    if (ring->header_size == RK_HEADER_SHORT && ring->slot_size == RK_PORT_SLOT) {
        /* What comes behind the ring's end has another lap, and goes first. */
        rk_u32 index = (rk_u32)part.first, end = mask + 1u - (index & mask),
               before = part.count < end ? part.count : end;
        rk_port_write_slots((rk_unit *)(void *)slots, part.count - before, (index + before) & ~mask, header,
                            bodies + (size_t)before * size, size);
        rk_port_write_slots((rk_unit *)(void *)(slots + (size_t)(index & mask) * RK_PORT_SLOT), before,
                            index & ~mask, header, bodies, size);
        rk_port_units_apart();
        return;
    }
    const rk_port_cut cut = rk_port_cut_of(ring->header_size == RK_HEADER_LONG, size);
    for (rk_u32 i = part.count; i-- > 0;) {
        rk_u32 index = (rk_u32)part.first + i;
        if (id) header->id = id + i;
        rk_port_write_units((rk_unit *)(void *)(slots + ((size_t)(index & mask) << shift)), index & ~mask,
                            header, bodies + (size_t)i * size, cut);
    }
    rk_port_units_apart();
#else
    rk_u64 scratch[RK_INLINE_MAX / 8]; /* payloads are read in whole words */
    for (rk_u32 i = part.count; i-- > 0;) {
        if (id) header->id = id + i;
        if (size) memcpy(scratch, bodies + (size_t)i * size, size);
        rk_unit_write(ring, rk_ring_slot(ring, arena, part.first + i), part.first + i,
                      (const rk_u32 *)(const void *)header, (const rk_u32 *)scratch, size);
    }
#endif
}

rk_u32 rk_outgoing_put_many(rk_host_kernel *k, rk_outgoing *out, const void *bodies, size_t count)
{
    rk_byte *arena = k->runtime->arena.base;
    rk_seat *seat = rk_outgoing_seat(k, out);
    rk_lane *lane = rk_seat_lane(seat, 0);
    rk_ring *ring = rk_lane_ring(lane, arena, 0);
    rk_claim claim = rk_ring_claim(ring, count > ring->capacity ? ring->capacity : (rk_u32)count);
    const rk_u64 id = out->header.id;
    rk_claim part = { claim.first, 0 };
    rk_outgoing_stamp(k, ring, claim.first, claim.count);
    for (rk_u32 done = 0; done < claim.count; done += part.count, part.first += part.count) {
        part.count = claim.count - done < RK_PREPARED_MOST ? claim.count - done : RK_PREPARED_MOST;
        rk_slots slots = rk_ring_slots(ring, arena);
        if (!rk_ring_lead(ring, part, &slots)) {
            const rk_claim next = { part.first + part.count, claim.count - done - part.count };
            if (done == 0) rk_ring_prepare(ring, arena, part);
            rk_ring_prepare(ring, arena, next);
        }
        const char *these = (const char *)bodies + (size_t)done * out->size;
        if (id) out->header.id = id + done;
        if (ring->format == RK_FORMAT_UNIT)
            put_units(ring, arena, part, &out->header, out->header.id, (const unsigned char *)these,
                      out->size);
        else
            put_part(slots, part, out->header, these, out->size);
    }
    if (id) out->header.id = id + claim.count;
    if (claim.count) rk_outgoing_wake(seat, lane);
    return claim.count;
}
