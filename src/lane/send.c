#include <string.h>

#include "../runtime/blocks.h"
#include "../runtime/futex.h"
#include "../runtime/guard.h"
#include "../runtime/wake.h"
#include "incoming.h"
#include "outgoing.h"
#include "waiting.h"

static rk_u64 timeout_of(const rk_host_kernel *k, const rk_send_options *options)
{
    if (options && options->timeout_ns) return options->timeout_ns;
    return k->options.send_timeout_ns ? k->options.send_timeout_ns : RK_SEND_TIMEOUT_DEFAULT;
}

/* How long a sender waits for a relaunch, whose kernel can't be asked meanwhile. */
static rk_u64 patience_of(const rk_send_options *options)
{
    return options && options->timeout_ns ? options->timeout_ns : RK_SEND_TIMEOUT_DEFAULT;
}

/* Enter a kernel, waiting for a relaunch to be over: until `wait` ends, or without one for `patience_ns`. */
static rk_status enter_again(rk_runtime *runtime, rk_kernel handle, const rk_wait *wait, rk_u64 patience_ns,
                             rk_thread_record **record, rk_host_kernel **k)
{
    rk_wait own;
    for (;;) {
        rk_status status = rk_guard_enter(runtime, handle, record, k);
        if (status == RK_OK) {
            if (rk_atomic_u32(&(*k)->closed) == RK_OK) return RK_OK;
            status = rk_outgoing_closed(*k);
            rk_guard_leave(*record);
            return status;
        }
        if (status != RK_BUSY) return status;
        if (!wait) {
            own = rk_wait_begin(runtime, patience_ns);
            wait = &own;
        }
        if (rk_wait_left(wait) == 0)
            return rk_error(RK_TIMED_OUT, "the kernel was being relaunched until the deadline");
        rk_guard_wait(runtime, handle, wait->deadline_ns);
    }
}

static inline rk_status enter(rk_runtime *runtime, rk_kernel handle, const rk_send_options *options,
                              rk_thread_record **record, rk_host_kernel **k)
{
    *k = rk_guard_enter_at_once(runtime, handle, record);
    if (*k) {
        if (rk_atomic_u32(&(*k)->closed) == RK_OK) return RK_OK;
        rk_guard_leave(*record);
    }
    return enter_again(runtime, handle, 0, patience_of(options), record, k);
}

/* The lane is full under Block: leave the guard and wait for room. RK_OK: look again (the guard is entered
 * again). */
static rk_status wait_for_room(rk_runtime *runtime, rk_kernel handle, rk_wait *wait, rk_outgoing *out,
                               rk_thread_record **record, rk_host_kernel **k)
{
    rk_u32 what = rk_wait_round(wait);
    if (what == RK_WAIT_SPIN) {
        if (rk_atomic_u32(&(*k)->gate)) return RK_OK;
    }
    rk_u32 seen = __atomic_load_n(&(*k)->room_event, __ATOMIC_SEQ_CST);
    rk_u32 *event = &(*k)->room_event;
    if (what == RK_WAIT_SLEEP) {
        rk_lane *lane = rk_seat_lane(rk_outgoing_seat(*k, out), 0);
        rk_ring *ring = rk_lane_ring(lane, runtime->arena.base, 0);
        rk_wake_ask(&ring->waiting); /* W2 */
        rk_wake_asked(runtime);
        if (rk_lane_depth(lane, runtime->arena.base) < lane->capacity) what = RK_WAIT_SPIN;
    }
    if (rk_atomic_u32(&(*k)->closed) != RK_OK)
        what = RK_WAIT_SPIN; /* since the event was read: nobody will ring */
    rk_guard_leave(*record);
    if (what == RK_WAIT_OVER) return RK_TIMED_OUT;
    if (what == RK_WAIT_SLEEP) {
        /* A large message waits for a block of its pool, whose return rings nobody: look again in a
         * millisecond. */
        rk_u64 left = rk_wait_left(wait);
        rk_wait_sleep(runtime, wait, event, seen,
                      (out->header.base.flags & RK_FLAG_REFERENCE) && left > RK_MILLISECONDS(1)
                          ? RK_MILLISECONDS(1)
                          : left);
    }
    return enter_again(runtime, handle, wait, 0, record, k);
}

static rk_status timed_out(rk_runtime *runtime, rk_kernel handle, rk_outgoing *out)
{
    rk_thread_record *record;
    rk_host_kernel *k = 0;
    if (rk_guard_enter(runtime, handle, &record, &k) == RK_OK) {
        rk_lane_refuse(rk_seat_lane(rk_outgoing_seat(k, out), 0), RK_REFUSED_TIMED_OUT, 1);
        rk_guard_leave(record);
    }
    return rk_error(RK_TIMED_OUT,
                    "no room until the deadline: the kernel is slower than its senders, or not active");
}

/* A message that found the lane full, the guard entered; it is entered still on return unless the status says that
 * the kernel is gone. */
static __attribute__((noinline)) rk_status send_when_room(rk_runtime *runtime, rk_kernel handle,
                                                          rk_thread_record **record, rk_host_kernel **k,
                                                          rk_outgoing *out, rk_u64 timeout_ns, int *inside)
{
    rk_status status = RK_FULL;
    if (rk_seat_lane((*k)->seats, 0)->strategy != RK_BACKPRESSURE_BLOCK) return status;
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    do {
        rk_status waited = wait_for_room(runtime, handle, &wait, out, record, k);
        if (waited != RK_OK) {
            *inside = 0;
            rk_outgoing_drop(runtime, out);
            return waited == RK_TIMED_OUT ? timed_out(runtime, handle, out) : waited;
        }
        status = rk_outgoing_renew(*k, out);
        if (status == RK_OK)
            status = rk_outgoing_put(*k, out);
        else
            rk_outgoing_drop(runtime, out);
    } while (status == RK_FULL && rk_seat_lane((*k)->seats, 0)->strategy == RK_BACKPRESSURE_BLOCK);
    return status;
}

static rk_status send_one(rk_runtime *runtime, rk_kernel handle, rk_thread_record **record,
                          rk_host_kernel **k, rk_outgoing *out, rk_u64 timeout_ns, int *inside)
{
    rk_status status = rk_outgoing_put(*k, out);
    return status != RK_FULL ? status : send_when_room(runtime, handle, record, k, out, timeout_ns, inside);
}

/* Why there was no room: in the lane, or for a message over 1 KiB in the pool that its payload lies in. */
static rk_status explain_room(const rk_host_kernel *k, rk_status status, const rk_outgoing *out)
{
    const rk_u32 capacity = k->layout.lane[RK_LANE_HOST].capacity;
    const char *policy = status == RK_FULL ? "is Reject" : "drops this one";
    if (out->header.base.flags & RK_FLAG_REFERENCE)
        return rk_error(
            status,
            "'%s': %u messages are queued, or as many over 1 KiB are under way as pool_blocks has "
            "room for, and its backpressure %s",
            k->id, capacity, policy);
    return rk_error(status, "'%s': %u messages are queued, and its backpressure %s", k->id, capacity, policy);
}

static rk_status explain(const rk_host_kernel *k, rk_status status, const rk_outgoing *out)
{
    switch (status) {
    case RK_OK: return RK_OK;
    case RK_CLOSED: return rk_outgoing_explain_closed(k);
    case RK_FULL:
    case RK_DROPPED: return explain_room(k, status, out);
    case RK_DUPLICATE: return rk_error(status, "'%s': this id was accepted already", k->id);
    case RK_INVALID_ARGUMENT:             /* by options that the kernel was launched again with */
    case RK_NO_SUCH_ACTOR: return status; /* told already */
    default: return rk_error(status, "'%s': %s", k->id, rk_status_text(status));
    }
}

/* Where the thread's next message probably goes, asked for while that is made: its line comes from the consumer's core,
 * which looks there for it. A hint, that may point anywhere by now. */
static __thread const rk_byte *next_slot;

static const rk_byte *slot_behind(const rk_host_kernel *k, const rk_outgoing *out)
{
    rk_byte *arena = k->runtime->arena.base;
    const rk_ring *ring = rk_lane_ring(rk_seat_lane(rk_outgoing_seat(k, out), 0), arena, 0);
    return rk_ring_slot(ring, arena, rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE));
}

rk_status rk_send(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *body, size_t size,
                  const rk_send_options *options)
{
    rk_thread_record *record;
    rk_host_kernel *k = 0;
    rk_outgoing out;
    int inside = 1;
    rk_line_expect(next_slot);
    rk_error_begin();
    if (!runtime) return rk_error(RK_INVALID_ARGUMENT, "rk_send: runtime is null");
    rk_status status = enter(runtime, kernel, options, &record, &k);
    if (status != RK_OK) return status;
    status = rk_outgoing_make(k, type, body, size, options, &out);
    if (status == RK_OK) {
        status = send_one(runtime, kernel, &record, &k, &out, timeout_of(k, options), &inside);
        if (status == RK_OK)
            next_slot = slot_behind(k, &out);
        else if (inside)
            status = explain(k, status, &out);
    }
    if (inside) rk_guard_leave(record);
    return status;
}

/* Can these go together? Plain lane, inline payloads. */
static int goes_together(const rk_host_kernel *k, const rk_outgoing *out)
{
    const rk_lane_plan *lane = &k->layout.lane[RK_LANE_HOST];
    return !lane->locked && out->size <= RK_INLINE_MAX;
}

rk_status rk_send_many(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *bodies, size_t size,
                       size_t count, const rk_send_options *options, size_t *accepted)
{
    rk_thread_record *record;
    rk_host_kernel *k = 0;
    rk_outgoing out;
    size_t sent = 0;
    int inside = 1;
    rk_error_begin();
    if (accepted) *accepted = 0;
    if (!runtime) return rk_error(RK_INVALID_ARGUMENT, "rk_send_many: runtime is null");
    if (count == 0) return RK_OK;
    rk_status status = enter(runtime, kernel, options, &record, &k);
    if (status != RK_OK) return status;
    status = rk_outgoing_make(k, type, bodies, size, options, &out);
    rk_u64 timeout = timeout_of(k, options);
    while (status == RK_OK && sent < count) {
        out.body = (const char *)bodies + sent * size;
        rk_u32 n = goes_together(k, &out) && !rk_load_u32(&rk_seat_lane(rk_outgoing_seat(k, &out), 0)->closed,
                                                          RK_RELAXED, RK_SCOPE_DEVICE)
                       ? rk_outgoing_put_many(k, &out, out.body, count - sent)
                       : 0;
        if (n == 0) { /* no room for even one, or one at a time: the single way knows what to do */
            out.block = RK_POOL_NONE;
            status = send_one(runtime, kernel, &record, &k, &out, timeout, &inside);
            n = status == RK_OK;
            if (n && out.header.id) out.header.id++;
        }
        sent += n;
    }
    if (accepted) *accepted = sent;
    if (inside) {
        if (status != RK_OK) status = explain(k, status, &out);
        rk_guard_leave(record);
    }
    return status;
}

static void wake_up(rk_seat **unwoken)
{
    if (*unwoken) rk_outgoing_wake(*unwoken, rk_seat_lane(*unwoken, 0));
    *unwoken = 0;
}

#define LINES_AHEAD 4u

/* As send_one, but a shard is woken when the next message is another's, which may wait until all that was written is where it
 * can be seen: a line from the consumer's core for each message. Those lines are asked for some messages ahead. */
static rk_status put_one_of_many(rk_runtime *runtime, rk_kernel handle, rk_thread_record **record,
                                 rk_host_kernel **k, rk_outgoing *out, rk_u64 timeout_ns, int *inside,
                                 rk_seat **unwoken)
{
    rk_byte *arena = (*k)->runtime->arena.base;
    rk_seat *seat = rk_outgoing_seat(*k, out);
    const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, 0), arena, 0);
    if (*unwoken != seat) wake_up(unwoken);
    rk_line_expect(
        rk_ring_slot(ring, arena, rk_load_u64(&ring->tail, RK_RELAXED, RK_SCOPE_DEVICE) + LINES_AHEAD));
    rk_status status = rk_outgoing_put_quietly(*k, out);
    if (status == RK_OK) *unwoken = seat;
    if (rk_load_u32(&ring->asleep, RK_RELAXED, RK_SCOPE_DEVICE)) wake_up(unwoken); /* it has work already */
    if (status != RK_FULL) return status;
    wake_up(unwoken); /* before it is waited for */
    return send_when_room(runtime, handle, record, k, out, timeout_ns, inside);
}

rk_status rk_send_each(rk_runtime *runtime, rk_kernel kernel, rk_u16 type, const void *bodies, size_t size,
                       size_t count, const rk_send_options *options, size_t *accepted)
{
    rk_thread_record *record;
    rk_host_kernel *k = 0;
    rk_outgoing out;
    size_t sent = 0;
    int inside = 1;
    rk_error_begin();
    if (accepted) *accepted = 0;
    if (!runtime || (!options && count))
        return rk_error(RK_INVALID_ARGUMENT, "rk_send_each: runtime or options is null");
    if (count == 0) return RK_OK;
    rk_status status = enter(runtime, kernel, options, &record, &k);
    if (status != RK_OK) return status;
    rk_seat *unwoken = 0;
    while (status == RK_OK && sent < count) {
        status = rk_outgoing_make(k, type, (const char *)bodies + sent * size, size, &options[sent], &out);
        if (status == RK_OK)
            status = put_one_of_many(runtime, kernel, &record, &k, &out, timeout_of(k, &options[sent]),
                                     &inside, &unwoken);
        sent += status == RK_OK;
    }
    wake_up(&unwoken);
    if (accepted) *accepted = sent;
    if (inside) {
        if (status != RK_OK) status = explain(k, status, &out);
        rk_guard_leave(record);
    }
    return status;
}

rk_status rk_clear(rk_runtime *runtime, rk_kernel handle, rk_u64 *cleared)
{
    rk_host_kernel *k = 0;
    rk_u64 total = 0;
    rk_status status = rk_runtime_check(runtime, "rk_clear");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK && k->serving)
        status = rk_error(RK_BUSY, "'%s' is active: deactivate it first", k->id);
    for (rk_u32 s = 0; status == RK_OK && s < k->seat_count; s++)
        if (k->seats[s].shard->turn.n) /* its slots are given back by the commit that is to come */
            status = rk_error(
                RK_BUSY, "'%s' has a batch half out: receive from it and activate it, or launch it again",
                k->id);
    for (rk_u32 s = 0; status == RK_OK && s < k->seat_count; s++) {
        rk_lane *lane = rk_seat_lane(&k->seats[s], 0);
        for (rk_u32 b = 0; b < lane->bands; b++) {
            rk_ring *ring = rk_lane_ring(lane, runtime->arena.base, b);
            /* Up to the first slot that is claimed and not published: its owner is still writing. */
            rk_u64 oldest = rk_ring_oldest(ring), at = oldest,
                   tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
            rk_image image;
            while (rk_index_ahead(tail, at) > 0 && rk_incoming(ring, runtime->arena.base, at, &image)) at++;
            rk_blocks_release(&k->seats[s], lane->rings[b], oldest, at);
            rk_u64 evicted = oldest - ring->head;
            rk_ring_commit(ring, at);
            if (evicted) rk_count_released(&ring->dropped_old, evicted);
            rk_count(&ring->lost, at - oldest);
            total += at - oldest;
            if (rk_wake_take(runtime, &rk_lane_ring(lane, runtime->arena.base, 0)->waiting))
                rk_event_raise(&k->room_event);
        }
    }
    if (status == RK_OK && runtime->backend->renew) status = runtime->backend->renew(k);
    pthread_mutex_unlock(&runtime->control);
    if (cleared) *cleared = total;
    return status;
}
