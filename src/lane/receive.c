#include <stdlib.h>
#include <string.h>

#include "../runtime/futex.h"
#include "../runtime/guard.h"
#include "../runtime/report.h"
#include "../runtime/wake.h"
#include "incoming.h"
#include "waiting.h"

/* Nearly all messages are inline, and nobody asks for more than the body: these are copied here, up to the
 * first that is another. Returns how many. */
static rk_u32 take_plain(rk_slots slots, rk_u64 head, rk_u32 n, char *body, size_t stride)
{
    for (rk_u32 done = 0; done < n; done++, body += stride) {
        const rk_byte *slot = rk_slots_at(slots, head + done), *payload = slot + slots.header_size;
        const rk_header *h = (const rk_header *)(const void *)slot;
        const size_t length = h->length, whole = length & ~(size_t)15;
        if ((h->flags & RK_FLAG_REFERENCE) || length > stride) return done;
        for (size_t at = 0; at < whole; at += 16) memcpy(body + at, payload + at, 16);
        if (whole < length) memcpy(body + whole, payload + whole, length - whole);
    }
    return n;
}

/* Streams of them, where unit slots are such: each up to the ring's end. */
static int has_streams(const rk_ring *ring)
{
#if defined(RK_PORT_UNITS)
    return ring->format == RK_FORMAT_UNIT && ring->header_size == RK_HEADER_SHORT &&
           ring->slot_size == RK_PORT_SLOT;
#else
    (void)ring;
    return 0;
#endif
}

static rk_u32 take_streams(const rk_ring *ring, rk_byte *arena, rk_u64 head, rk_u32 n, char *bodies,
                           size_t stride)
{
    rk_u32 done = 0;
#if defined(RK_PORT_UNITS)
    const rk_u32 mask = ring->mask;
    const rk_byte *slots = arena + ring->slots;
    for (rk_u32 got = 1; got && done < n; done += got) {
        rk_u32 index = (rk_u32)head + done, end = mask + 1u - (index & mask);
        got =
            rk_port_read_slots((const rk_unit *)(const void *)(slots + (size_t)(index & mask) * RK_PORT_SLOT),
                               n - done < end ? n - done : end, index & ~mask, RK_FLAG_REFERENCE,
                               bodies + done * stride, stride);
    }
#else
    (void)ring, (void)arena, (void)head, (void)n, (void)bodies, (void)stride;
#endif
    return done;
}

/* The same of any unit slots, which are put together before they are looked at. Not inline: the others need no room
 * for a slot. */
static __attribute__((noinline)) rk_u32 take_units(const rk_ring *ring, rk_byte *arena, rk_u64 head, rk_u32 n,
                                                   char *body, size_t stride)
{
    rk_image image;
    const rk_u32 header_size = ring->header_size;
    for (rk_u32 done = 0; done < n; done++, body += stride) {
        const rk_byte *message = rk_incoming(ring, arena, head + done, &image);
        if (!message) return done;
        const rk_header *h = (const rk_header *)(const void *)message;
        const rk_byte *payload = message + header_size;
        size_t length = h->length, at = 0;
        if ((h->flags & RK_FLAG_REFERENCE) || length > stride) return done;
        for (; at + 16 <= length; at += 16) memcpy(body + at, payload + at, 16);
        if (length & 8) memcpy(body + at, payload + at, 8), at += 8;
        if (length & 4) memcpy(body + at, payload + at, 4), at += 4;
        for (; at < length; at++) body[at] = (char)payload[at];
    }
    return n;
}

/* One message of an out lane into the caller's memory. RK_TOO_SMALL: it stays. */
static rk_status take_one(rk_host_kernel *k, const rk_seat *seat, const rk_byte *message, rk_u32 header_size,
                          void *body, size_t size, rk_received *info)
{
    rk_byte *arena = k->runtime->arena.base;
    const rk_header_long *h = (const rk_header_long *)(const void *)message;
    const rk_byte *payload = message + header_size;
    size_t length = h->base.length;
    const rk_reference *reference = 0;
    const rk_pool *pool = 0;
    if (h->base.flags & RK_FLAG_REFERENCE) {
        reference = (const rk_reference *)(const void *)payload;
        pool = rk_pool_at(k->runtime, reference->pool);
        payload = rk_pool_block(pool, arena, reference->block);
        length = reference->length;
    }
    if (info) {
        int is_long = header_size == RK_HEADER_LONG;
        *info = (rk_received){ h->base.type,
                               (rk_u32)length,
                               seat->number,
                               h->base.target,
                               h->base.flags & ~RK_FLAG_REFERENCE,
                               h->base.priority,
                               is_long ? h->id : 0,
                               is_long ? h->correlation : 0,
                               is_long ? h->sent_ns : 0,
                               h->base.source & RK_SOURCE_ROUTE ? h->base.source & (RK_SOURCE_ROUTE - 1) : 0,
                               0 };
    }
    if (length > size)
        return rk_error(RK_TOO_SMALL,
                        "'%s': the message has %zu bytes, the room is %zu: it stays where it is", k->id,
                        length, size);
    memcpy(body, payload, length);
    if (pool) rk_pool_give_back(pool, arena, reference->block);
    return RK_OK;
}

/* The message of an index, whatever it is. RK_EMPTY: it isn't there. */
static __attribute__((noinline)) rk_status take_any_kind(rk_host_kernel *k, const rk_seat *seat,
                                                         const rk_ring *ring, rk_u64 index, void *body,
                                                         size_t size, rk_received *info)
{
    rk_image image;
    const rk_byte *message = rk_incoming(ring, k->runtime->arena.base, index, &image);
    return message ? take_one(k, seat, message, ring->header_size, body, size, info) : RK_EMPTY;
}

/* Take what is there from one shard's out lane. */
static rk_status take_from(rk_host_kernel *k, rk_seat *seat, char *bodies, size_t stride, size_t count,
                           rk_received *infos, size_t *received)
{
    rk_byte *arena = k->runtime->arena.base;
    rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, RK_LANE_OUT), arena, 0);
    rk_status status = RK_OK;
    rk_u32 done = 0;
    rk_u32 n = count > ring->capacity ? ring->capacity : (rk_u32)count;
    const rk_u64 head = ring->head;
    const int units = ring->format == RK_FORMAT_UNIT, streams = has_streams(ring);
    if (!units) n = rk_ring_ready(ring, arena, head, n);
    while (done < n) {
        char *body = bodies + done * stride;
        if (!infos && streams)
            done += take_streams(ring, arena, head + done, n - done, body, stride);
        else if (!infos && units)
            done += take_units(ring, arena, head + done, n - done, body, stride);
        else if (!infos)
            done += take_plain(rk_ring_slots(ring, arena), head + done, n - done, body, stride);
        if (done == n) break;
        status = take_any_kind(k, seat, ring, head + done, bodies + done * stride, stride,
                               infos ? &infos[done] : 0);
        if (status != RK_OK) break;
        done++;
    }
    *received = done;
    if (!done) return status == RK_EMPTY ? RK_OK : status;
    rk_count(&ring->delivered, done);
    rk_ring_commit(ring, head + done);
    if (rk_wake_take(k->runtime, &ring->waiting)) k->runtime->backend->ring(seat); /* W1 */
    return RK_OK;
}

/* One receiver at a time takes from a shard, for as long as the copying takes. */
static void lock_receive(rk_seat *seat)
{
    for (rk_u32 round = 0; __atomic_exchange_n(&seat->receive, 1, __ATOMIC_ACQUIRE); round++) /* L1 */
        rk_port_spin(round);
}

static void unlock_receive(rk_seat *seat) { __atomic_store_n(&seat->receive, 0, __ATOMIC_RELEASE); /* L2 */ }

/* Once over the shards, beginning where the last receiver stopped. */
static rk_status take_any(rk_host_kernel *k, char *bodies, size_t stride, size_t count, rk_received *infos,
                          size_t *received)
{
    const rk_u32 seats = k->seat_count;
    rk_u32 at = seats == 1 ? 0 : __atomic_load_n(&k->receive_next, __ATOMIC_RELAXED) % seats;
    *received = 0;
    for (rk_u32 i = 0; i < seats && *received < count; i++) {
        rk_seat *seat = &k->seats[at];
        if (++at == seats) at = 0;
        rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, RK_LANE_OUT), k->runtime->arena.base, 0);
        rk_u64 head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
        if (rk_ring_ready(ring, k->runtime->arena.base, head, 1) == 0)
            continue; /* nothing: no need of the lock */
        size_t got;
        lock_receive(seat);
        rk_status status = take_from(k, seat, bodies + *received * stride, stride, count - *received,
                                     infos ? infos + *received : 0, &got);
        unlock_receive(seat);
        *received += got;
        if (status != RK_OK && *received == 0) return status;
        if (seats > 1) __atomic_store_n(&k->receive_next, at, __ATOMIC_RELAXED);
    }
    return *received ? RK_OK : RK_EMPTY;
}

#define LOOKS 8u     /* in a row, inside the guard */
#define BUS_LOOKS 8u /* in one breath, at a lane that no thread beside this one fills */

/* Nothing is there: breathe, and look at the next message alone, so many times at most. 1: it is there. */
static int await_one(const rk_host_kernel *k)
{
    if (k->seat_count != 1) return 0;
    rk_byte *arena = k->runtime->arena.base;
    const rk_ring *ring = rk_lane_ring(rk_seat_lane(k->seats, RK_LANE_OUT), arena, 0);
    rk_u64 head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    const rk_u32 eager = ring->format == RK_FORMAT_UNIT ? BUS_LOOKS : 1u;
    for (rk_u32 looks = 0; looks < LOOKS * eager; looks++) {
        if (looks % eager == 0) rk_port_pause();
        if (rk_ring_ready(ring, arena, head, 1)) return 1;
    }
    return 0;
}

/* Will nothing come any more? */
static int is_over(const rk_host_kernel *k)
{
    rk_u32 life = rk_atomic_u32(&k->life);
    return life == RK_LIFE_DRAINED || life == RK_LIFE_TERMINATED || life == RK_LIFE_FAILED ||
           life == RK_LIFE_QUARANTINED;
}

static void announce_sleep(rk_host_kernel *k)
{
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_ring *ring = rk_lane_ring(rk_seat_lane(&k->seats[s], RK_LANE_OUT), k->runtime->arena.base, 0);
        rk_wake_ask(&ring->asleep); /* W2 */
    }
    rk_wake_asked(k->runtime);
}

static rk_status receive(rk_runtime *runtime, rk_kernel handle, char *bodies, size_t stride, size_t count,
                         rk_received *infos, rk_u64 timeout_ns, size_t *received)
{
    rk_thread_record *record;
    rk_host_kernel *k;
    rk_wait wait = { 0 };
    for (;;) {
        k = rk_guard_enter_at_once(runtime, handle, &record);
        rk_status status = k ? RK_OK : rk_guard_enter(runtime, handle, &record, &k);
        if (status == RK_BUSY) {
            if (!wait.deadline_ns) wait = rk_wait_begin(runtime, timeout_ns);
            if (rk_wait_left(&wait) == 0) return timeout_ns ? RK_TIMED_OUT : RK_EMPTY;
            rk_guard_wait(runtime, handle, wait.deadline_ns);
            continue;
        }
        if (status != RK_OK) return status;
        int over = is_over(k); /* before the look: what is there then is all */
        status = take_any(k, bodies, stride, count, infos, received);
        if (status == RK_EMPTY && over)
            status = rk_error(RK_CLOSED, "'%s' is %s, and all that it sent was received", k->id,
                              rk_life_name(rk_atomic_u32(&k->life)));
        if (status != RK_EMPTY || timeout_ns == 0) {
            rk_guard_leave(record);
            return status;
        }
        if (!wait.deadline_ns) wait = rk_wait_begin(runtime, timeout_ns);
        if (wait.rounds < LOOKS && await_one(k) &&
            (status = take_any(k, bodies, stride, count, infos, received)) != RK_EMPTY) {
            rk_guard_leave(record);
            return status;
        }
        rk_u32 what = rk_wait_round(&wait);
        rk_u32 *event = &k->out_event;
        rk_u32 seen = __atomic_load_n(event, __ATOMIC_SEQ_CST);
        if (what == RK_WAIT_SLEEP) {
            announce_sleep(k);
            status = take_any(k, bodies, stride, count, infos, received);
            if (status != RK_EMPTY) {
                rk_guard_leave(record);
                return status;
            }
            if (is_over(k)) what = RK_WAIT_SPIN;
        }
        rk_guard_leave(record);
        if (what == RK_WAIT_OVER) return RK_TIMED_OUT;
        if (what == RK_WAIT_SLEEP) rk_wait_sleep(runtime, &wait, event, seen, rk_wait_left(&wait));
    }
}

rk_status rk_receive_many(rk_runtime *runtime, rk_kernel kernel, void *bodies, size_t stride, size_t count,
                          rk_received *infos, rk_u64 timeout_ns, size_t *received)
{
    size_t got;
    rk_error_begin();
    if (received) *received = 0;
    if (!runtime || (!bodies && stride) || !count)
        return rk_error(RK_INVALID_ARGUMENT, "rk_receive_many: runtime or bodies is null, or count 0");
    rk_status status = receive(runtime, kernel, bodies, stride, count, infos, timeout_ns, &got);
    if (received) *received = status == RK_OK ? got : 0;
    return status;
}

rk_status rk_receive(rk_runtime *runtime, rk_kernel kernel, void *body, size_t size, rk_received *info,
                     rk_u64 timeout_ns)
{
    size_t got;
    rk_error_begin();
    if (!runtime || (!body && size))
        return rk_error(RK_INVALID_ARGUMENT, "rk_receive: runtime or body is null");
    return receive(runtime, kernel, body, size, 1, info, timeout_ns, &got);
}
