#include "reserve.h"

#include <stdlib.h>
#include <string.h>

#include "../runtime/guard.h"
#include "outgoing.h"

/* Publish a claimed slot as what it is: a message, or a hole that the consumer passes over. */
static void publish(rk_host_kernel *k, const rk_reserved *r, rk_u8 flags)
{
    rk_byte *arena = k->runtime->arena.base;
    rk_byte *slot = rk_ring_slot(r->ring, arena, r->index);
    if (!flags) rk_outgoing_stamp(k, r->ring, r->index, 1);
    if (r->copy) {
        r->copy->base.flags |= flags;
        rk_ring_put(r->ring, arena, r->index, (const rk_u32 *)(const void *)r->copy, r->copy + 1,
                    r->copy->base.length);
    } else {
        ((rk_header *)(void *)slot)->flags |= flags;
        rk_ring_publish(r->ring, slot, r->index);
    }
    rk_outgoing_wake(&k->seats[r->shard], r->lane);
}

void rk_reservations_repair(rk_thread_record *record)
{
    for (rk_u32 i = 0; i < RK_RESERVATIONS_MAX; i++) {
        rk_reserved *r = &record->reserved[i];
        rk_host_kernel *k = r->kernel;
        if (!k) continue;
        if (rk_guard_announce(record, k) && k->generation == r->generation && k->epoch == r->epoch)
            publish(k, r, RK_FLAG_HOLE | RK_FLAG_REPAIRED);
        rk_guard_leave(record);
        rk_reserved_forget(r);
    }
}

static rk_status explain_busy(rk_status status, const char *call)
{
    return status == RK_BUSY ? rk_error(status, "%s: the kernel is being launched again: call again", call)
                             : status;
}

rk_status rk_reserve(rk_runtime *runtime, rk_kernel handle, rk_u16 type, size_t size,
                     const rk_send_options *options, rk_reservation *reservation)
{
    rk_thread_record *record;
    rk_host_kernel *k;
    rk_outgoing out = { 0 };
    rk_error_begin();
    if (!runtime || !reservation)
        return rk_error(RK_INVALID_ARGUMENT, "rk_reserve: runtime or reservation is null");
    memset(reservation, 0, sizeof *reservation);
    rk_status status = rk_guard_enter(runtime, handle, &record, &k);
    if (status != RK_OK) return explain_busy(status, "rk_reserve");
    rk_u32 place = 0;
    while (place < RK_RESERVATIONS_MAX && record->reserved[place].kernel) place++;
    const rk_lane_plan *plan = &k->layout.lane[RK_LANE_HOST];
    if (rk_atomic_u32(&k->closed) != RK_OK)
        status = rk_outgoing_closed(k);
    else if (plan->locked || size > RK_INLINE_MAX)
        status = rk_error(RK_UNSUPPORTED,
                          "'%s': a reservation needs a plain lane (no deduplication_window, priority or "
                          "DropOldest) and a message of at most %u bytes; use rk_send",
                          k->id, RK_INLINE_MAX);
    else if (place == RK_RESERVATIONS_MAX)
        status = rk_error(RK_LIMIT, "this thread holds %u reservations already: commit or abort one",
                          RK_RESERVATIONS_MAX);
    else
        status = rk_outgoing_make(k, type, "", size, options, &out);
    rk_header_long *copy = 0;
    if (status == RK_OK && plan->format == RK_FORMAT_UNIT) {
        copy = calloc(1, sizeof *copy + RK_INLINE_MAX);
        if (copy)
            *copy = out.header;
        else
            status = rk_error(RK_OUT_OF_MEMORY, "no memory for the message to be filled in");
    }
    if (status == RK_OK) {
        rk_seat *seat = rk_outgoing_seat(k, &out);
        rk_lane *lane = rk_seat_lane(seat, 0);
        rk_ring *ring = rk_lane_ring(lane, runtime->arena.base, 0);
        rk_claim claim = rk_ring_claim(ring, 1);
        if (claim.count == 0) {
            rk_lane_refuse(lane, RK_REFUSED_FULL, 1);
            status = rk_error(RK_FULL, "'%s': %u messages are queued", k->id, plan->capacity);
        } else {
            rk_byte *slot = rk_ring_slot(ring, runtime->arena.base, claim.first);
            if (!copy) rk_seq_write(ring, slot, (const rk_u32 *)(const void *)&out.header, "", 0);
            record->reserved[place] =
                (rk_reserved){ k, handle.generation, k->epoch, ring, claim.first, lane, copy, seat->number };
            reservation->kernel = handle;
            reservation->body = copy ? (rk_byte *)(copy + 1) : slot + ring->header_size;
            reservation->size = size;
            reservation->ticket_[0] = place + 1;
            reservation->ticket_[1] = claim.first;
            reservation->ticket_[2] = (rk_u64)(size_t)record;
            copy = 0;
        }
    }
    free(copy);
    rk_guard_leave(record);
    return status;
}

static rk_status finish(rk_runtime *runtime, rk_reservation *r, rk_u8 flags, const char *call)
{
    rk_thread_record *record;
    rk_host_kernel *k;
    rk_error_begin();
    if (!runtime || !r || !r->ticket_[0])
        return rk_error(RK_INVALID_ARGUMENT, "%s: not a reservation, or finished already", call);
    rk_u32 place = (rk_u32)r->ticket_[0] - 1;
    rk_status status = rk_guard_enter(runtime, r->kernel, &record, &k);
    if (status == RK_STALE && (rk_thread_record *)(size_t)r->ticket_[2] == rk_thread_own()) {
        rk_reserved_forget(&rk_thread_own()->reserved[place]); /* the slot went with the kernel */
        memset(r, 0, sizeof *r);
    }
    if (status != RK_OK) return explain_busy(status, call);
    if ((rk_thread_record *)(size_t)r->ticket_[2] != record || record->reserved[place].kernel != k ||
        record->reserved[place].index != r->ticket_[1])
        status = rk_error(RK_INVALID_ARGUMENT, "%s: reserved by another thread, or finished already", call);
    else if (record->reserved[place].epoch != k->epoch)
        status =
            rk_error(RK_STALE, "%s: '%s' was launched again since: the reserved slot is gone", call, k->id);
    else
        publish(k, &record->reserved[place], flags);
    if (status != RK_INVALID_ARGUMENT) {
        rk_reserved_forget(&record->reserved[place]);
        memset(r, 0, sizeof *r);
    }
    rk_guard_leave(record);
    return status;
}

rk_status rk_commit(rk_runtime *runtime, rk_reservation *reservation)
{
    return finish(runtime, reservation, 0, "rk_commit");
}

rk_status rk_abort(rk_runtime *runtime, rk_reservation *reservation)
{
    return finish(runtime, reservation, RK_FLAG_HOLE, "rk_abort");
}
