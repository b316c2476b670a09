/* What goes into a parcel, and what becomes of an answer; parcel.h has the device's side of both.
 *
 * Only whole messages go up: the device never sees a half-written slot. Of a lane's words those go that have changed since
 * the device was told. */
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/service.h"
#include "../twin.h"
#include "opencl.h"

#define UNIT sizeof(rk_unit)
#define HALF (RK_LINE / 2) /* of the orders, each with one writing side */

static const rk_u32 to_host[RK_ANSWER_LANES] = {
    [RK_ANSWER_OUT] = RK_LANE_OUT, [RK_ANSWER_REPORT] = RK_LANE_REPORT
};

static rk_byte *arena_of(const rk_opencl_runtime *cl) { return cl->runtime->arena.base; }

/* ------------------------------------------------------------------ how large they get */

#define RUNS 2u /* pieces of one ring's messages: up to its end, and from its beginning */

/* Of a shard, but for messages: each piece with its unit in front. */
static rk_u64 pieces_of(const rk_host_kernel *kernel)
{
    rk_u64 band = UNIT + RK_LINE + UNIT + RK_LINE + RUNS * UNIT;
    return UNIT + HALF + RK_ANSWER_LANES * (UNIT + RK_LINE) + kernel->layout.lane[RK_LANE_HOST].bands * band;
}

/* There is always room for one message of each shard. */
rk_u64 rk_opencl_parcel_room(const rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    if (cl->shares) return sizeof(rk_parcel) + kernel->seat_count * sizeof(rk_parcel_part);
    const rk_lane_plan *host = &kernel->layout.lane[RK_LANE_HOST];
    return sizeof(rk_parcel) + RK_OPENCL_MESSAGES +
           kernel->seat_count * (sizeof(rk_parcel_part) + pieces_of(kernel) + host->slot_size);
}

/* Of one shard's lanes to the host: what they can hold. */
static rk_u64 lanes_of(const rk_host_kernel *kernel, rk_u64 messages)
{
    rk_u64 size = 0;
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++) {
        const rk_lane_plan *lane = &kernel->layout.lane[to_host[w]];
        size += (messages < lane->capacity ? messages : lane->capacity) * lane->slot_size;
    }
    return size;
}

rk_u64 rk_opencl_answer_room(const rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    if (cl->shares) return kernel->seat_count * sizeof(rk_answer);
    rk_u64 all = kernel->seat_count * lanes_of(kernel, ~0ull);
    rk_u64 least = kernel->seat_count * 2 * lanes_of(kernel, 1);
    if (all > RK_OPENCL_ANSWERS) all = RK_OPENCL_ANSWERS > least ? RK_OPENCL_ANSWERS : least;
    return kernel->seat_count * sizeof(rk_answer) + all;
}

/* ------------------------------------------------------------------ up */

/* A parcel in the making. */
typedef struct parcel {
    rk_opencl_flight *flight;
    rk_byte *arena;
    rk_parcel_part *part; /* of the shard whose pieces come */
    rk_u64 left;          /* bytes of messages that this shard may add */
} parcel;

/* Room for a piece, which counts when it is closed. */
static char *open_piece(const parcel *p) { return p->flight->up.host + p->flight->packed + UNIT; }

static void close_piece(parcel *p, const void *of, rk_u64 size)
{
    const rk_parcel_piece piece = { .at = (rk_u64)((const rk_byte *)of - p->arena),
                                    .units = (rk_u32)(size / UNIT) };
    memcpy(p->flight->up.host + p->flight->packed, &piece, sizeof piece);
    p->flight->packed += UNIT + size;
    p->part->pieces++;
}

/* Words that other threads may write meanwhile. */
static void put_words(parcel *p, const void *from, rk_u64 size)
{
    rk_u64 *to = (rk_u64 *)(void *)open_piece(p);
    for (rk_u64 i = 0; i < size / 8; i++) to[i] = __atomic_load_n((const rk_u64 *)from + i, __ATOMIC_ACQUIRE);
    close_piece(p, from, size);
}

/* Copy a message of the host lane, unit by unit. 0: it is not there, or not whole. */
static rk_u32 copy_message(const rk_ring *ring, const rk_byte *slot, rk_u64 index, char *to)
{
    const rk_unit *from = (const rk_unit *)(const void *)slot;
    rk_u32 lap = rk_ring_lap(ring, index), units = 1;
    for (rk_u32 u = 0; u < units; u++) {
        rk_unit unit = rk_load_unit(from + u);
        if (unit.word[0] != lap) return 0;
        if (u == 0) units = ((ring->header_size + (unit.word[1] >> 16) + 3u) / 4u + 1u) / 3u;
        if (units > ring->slot_size / 16u) return 0;
        memcpy(to + 16u * u, &unit, sizeof unit);
    }
    memset(to + 16u * units, 0, ring->slot_size - 16u * units);
    return units;
}

/* Messages from `index` on that lie behind each other and are whole, at most `most`; how many. */
static rk_u64 put_run(parcel *p, const rk_ring *ring, rk_u64 index, rk_u64 most)
{
    rk_u64 here = ring->capacity - (index & ring->mask), fits = p->left >> ring->slot_shift, count = 0;
    const rk_byte *first = rk_ring_slot(ring, p->arena, index);
    char *to = open_piece(p);
    if (most > here) most = here;
    if (most > fits) most = fits;
    while (count < most && copy_message(ring, first + (count << ring->slot_shift), index + count,
                                        to + (count << ring->slot_shift)))
        count++;
    if (count) close_piece(p, first, count << ring->slot_shift);
    p->left -= count << ring->slot_shift;
    return count;
}

/* The tail first, and what was evicted last: a slot that was written again is then known to be (E1). */
static void put_ring(parcel *p, const rk_ring *ring, rk_opencl_shard *shard, rk_u32 b)
{
    rk_u64 tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE), count = 1;
    if (rk_index_ahead(tail, shard->sent[b]) > (rk_i64)ring->capacity)
        shard->sent[b] = tail - ring->capacity; /* evicted since */
    const rk_u64 first = shard->sent[b];
    for (rk_u32 runs = 0; runs < RUNS && count && shard->sent[b] != tail; runs++) {
        count = put_run(p, ring, shard->sent[b], tail - shard->sent[b]);
        shard->sent[b] += count;
    }
    tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    rk_u64 evicted = __atomic_load_n(&ring->evicted, __ATOMIC_ACQUIRE);
    if (rk_ring_stamp_due(ring, first, (rk_u32)(shard->sent[b] - first)))
        put_words(p, ring->stamp, sizeof ring->stamp);
    if (tail != shard->tail[b] || evicted != shard->evicted[b]) put_words(p, ring, RK_LINE);
    shard->tail[b] = tail;
    shard->evicted[b] = evicted;
}

/* Orders that are known where the shard is. */
static void note_orders(const rk_seat *seat, rk_opencl_shard *shard)
{
    shard->command = rk_atomic_u32(&seat->orders->command);
    shard->host_ended = rk_atomic_u32(&seat->orders->host_ended);
    shard->faults = rk_atomic_u32(&seat->orders->faults);
}

static void put_shard(parcel *p, const rk_seat *seat, rk_opencl_shard *shard)
{
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST);
    for (rk_u32 b = 0; b < host->bands; b++) put_ring(p, rk_lane_ring(host, p->arena, b), shard, b);
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++) {
        const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), p->arena, 0);
        rk_u64 head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (head != shard->head[w]) put_words(p, &ring->head, RK_LINE);
        shard->head[w] = head;
    }
    /* Last: a drain that is ordered after the last message is seen with that message. */
    note_orders(seat, shard);
    put_words(p, seat->orders, HALF);
}

/* Units of the way back for each lane: as many as there are, but after an answer that had no room for all. */
static rk_u32 share(const rk_opencl_flight *f)
{
    rk_u64 units = (f->down.room - f->count * sizeof(rk_answer)) / UNIT;
    return (rk_u32)(f->served->crowded ? units / (RK_ANSWER_LANES * f->count) : units);
}

/* Of a shared arena: all is there. */
static void pack_shared(rk_opencl_runtime *cl, rk_opencl_flight *f)
{
    rk_parcel *head = (rk_parcel *)(void *)f->up.host;
    rk_parcel_part *parts = (rk_parcel_part *)(void *)(head + 1);
    rk_u64 now = rk_runtime_now(cl->runtime);
    *head = (rk_parcel){ .slice = f->slice };
    for (rk_u32 s = 0; s < f->count; s++) {
        const rk_seat *seat = &f->served->kernel->seats[f->first + s];
        rk_opencl_shard *shard = &f->served->shard[f->first + s];
        parts[s] = (rk_parcel_part){ .shared = 1 };
        __atomic_store_n(&seat->orders->clock_base, now, __ATOMIC_RELAXED);
        note_orders(seat, shard);
        for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++)
            shard->head[w] = __atomic_load_n(
                &rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena_of(cl), 0)->head, __ATOMIC_ACQUIRE);
    }
}

void rk_opencl_pack(rk_opencl_runtime *cl, rk_opencl_flight *f)
{
    const rk_host_kernel *kernel = f->served->kernel;
    const rk_parcel head = { .slice = f->slice,
                             .used = f->count * (rk_u32)(sizeof(rk_answer) / UNIT),
                             .room = (rk_u32)(f->down.room / UNIT) };
    rk_parcel_part *parts = (rk_parcel_part *)(void *)(f->up.host + sizeof head);
    parcel p = { .flight = f, .arena = arena_of(cl) };
    if (cl->shares) {
        pack_shared(cl, f);
        return;
    }
    rk_u64 now = rk_runtime_now(cl->runtime);
    rk_u64 budget = RK_OPENCL_MESSAGES / f->count, slot = kernel->layout.lane[RK_LANE_HOST].slot_size;
    memcpy(f->up.host, &head, sizeof head);
    f->packed = sizeof head + f->count * sizeof *parts;
    for (rk_u32 s = 0; s < f->count; s++) {
        const rk_seat *seat = &kernel->seats[f->first + s];
        parts[s] = (rk_parcel_part){ .first = (rk_u32)(f->packed / UNIT), .most = share(f) };
        p.part = &parts[s];
        p.left += budget > slot ? budget : slot; /* and what those before it left */
        __atomic_store_n(&seat->orders->clock_base, now, __ATOMIC_RELAXED);
        put_shard(&p, seat, &f->served->shard[f->first + s]);
    }
}

/* In a shared arena the device says itself how far it came. */
static int has_message(const rk_seat *seat, const rk_opencl_shard *shard)
{
    const rk_runtime *runtime = seat->owner->runtime;
    rk_byte *arena = runtime->arena.base;
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST);
    const int shares = (int)rk_opencl_of(runtime)->shares;
    for (rk_u32 b = 0; b < host->bands; b++) {
        const rk_ring *ring = rk_lane_ring(host, arena, b);
        rk_u64 sent = shares ? __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) : shard->sent[b],
               tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (rk_index_ahead(tail, sent) > (rk_i64)ring->capacity) return 1;
        if (tail != sent && rk_ring_ready(ring, arena, sent, 1)) return 1;
    }
    return 0;
}

static int has_order(const rk_seat *seat, const rk_opencl_shard *shard)
{
    return rk_atomic_u32(&seat->orders->command) != shard->command ||
           rk_atomic_u32(&seat->orders->host_ended) != shard->host_ended ||
           rk_atomic_u32(&seat->orders->faults) != shard->faults;
}

static int has_room(const rk_seat *seat, const rk_opencl_shard *shard)
{
    if (rk_atomic_u32(&seat->orders->phase) != RK_PHASE_PARKED) return 0;
    for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++) {
        const rk_ring *ring =
            rk_lane_ring(rk_seat_lane(seat, to_host[w]), seat->owner->runtime->arena.base, 0);
        if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) != shard->head[w]) return 1;
    }
    return 0;
}

int rk_opencl_has_arrived(const rk_opencl_served *served)
{
    const rk_host_kernel *kernel = served->kernel;
    if (served->in_air && rk_opencl_of(kernel->runtime)->shares) return 0; /* its slice finds it */
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        const rk_seat *seat = &kernel->seats[s];
        const rk_opencl_shard *shard = &served->shard[s];
        if (has_message(seat, shard) || has_order(seat, shard) || has_room(seat, shard)) return 1;
    }
    return 0;
}

/* ------------------------------------------------------------------ down */

static const rk_answer *answer_of(const rk_opencl_flight *f, rk_u32 s)
{
    return (const rk_answer *)(const void *)f->down.host + s;
}

rk_status rk_opencl_answer_size(rk_opencl_runtime *cl, const rk_opencl_flight *f, rk_u64 *size)
{
    rk_u64 units = f->count * sizeof(rk_answer) / UNIT;
    for (rk_u32 s = 0; s < f->count; s++) {
        const rk_answer *answer = answer_of(f, s);
        const rk_seat *seat = &f->served->kernel->seats[f->first + s];
        if (answer->slice != f->slice)
            return rk_error(RK_DEVICE_LOST, "a launch ended on %s and served no shard %u of '%s'",
                            cl->device.name, f->first + s, f->served->kernel->id);
        for (rk_u32 w = 0; w < RK_ANSWER_LANES; w++) {
            const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena_of(cl), 0);
            rk_u64 end = answer->first[w] + (rk_u64)answer->count[w] * (ring->slot_size / UNIT);
            if (answer->count[w] && end > units) units = end;
        }
    }
    *size = units * UNIT;
    if (*size > f->down.room)
        return rk_error(RK_DEVICE_LOST, "an answer of '%s' says more than fits", f->served->kernel->id);
    return RK_OK;
}

/* Into the image, where receivers look at them while they come. */
static void take_messages(const rk_opencl_flight *f, const rk_ring *ring, rk_byte *arena, rk_u64 index,
                          const rk_answer *answer, rk_u32 w)
{
    const char *from = f->down.host + answer->first[w] * UNIT;
    for (rk_u32 m = 0; m < answer->count[w]; m++, from += ring->slot_size) {
        rk_unit *to = (rk_unit *)(void *)rk_ring_slot(ring, arena, index + m);
        const rk_unit *units = (const rk_unit *)(const void *)from;
        rk_u32 count = ((ring->header_size + (units->word[1] >> 16) + 3u) / 4u + 1u) / 3u;
        for (rk_u32 u = 0; u < count && u < ring->slot_size / UNIT; u++) rk_store_unit(to + u, units[u]);
    }
}

/* 1: somebody waits for what came. */
static int take_lane(const rk_opencl_flight *f, const rk_seat *seat, const rk_answer *answer, rk_u32 w)
{
    rk_byte *arena = seat->owner->runtime->arena.base;
    rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena, 0);
    rk_u64 *taken = &f->served->shard[seat->number].taken[w];
    const int shares = (int)rk_opencl_of(seat->owner->runtime)->shares;
    if (!shares) __atomic_store_n(&ring->tail, answer->tail[w], __ATOMIC_RELEASE);
    if (shares ? *taken == answer->tail[w] : !answer->count[w]) return 0;
    if (!shares) take_messages(f, ring, arena, *taken, answer, w);
    *taken = shares ? answer->tail[w] : *taken + answer->count[w];
    return rk_exchange_u32(&ring->asleep, 0, RK_SEQ_CST, RK_SCOPE_SYSTEM) != 0; /* W1 */
}

/* Slots of the host lane that are free again. 1: somebody waits for one. Where memory is shared the device has told it, and
 * the next slice of the kernel may have told more since. */
static int give_room(const rk_seat *seat, rk_opencl_shard *shard, const rk_answer *answer)
{
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST);
    const int shares = (int)rk_opencl_of(seat->owner->runtime)->shares;
    int waited = 0;
    for (rk_u32 b = 0; b < host->bands; b++) {
        rk_ring *to = rk_lane_ring(host, seat->owner->runtime->arena.base, b);
        if (shard->freed[b] == answer->head[b]) continue;
        shard->freed[b] = answer->head[b];
        if (!shares) __atomic_store_n(&to->head, answer->head[b], __ATOMIC_RELEASE);  /* C2 */
        waited |= rk_exchange_u32(&to->waiting, 0, RK_SEQ_CST, RK_SCOPE_SYSTEM) != 0; /* W1 */
    }
    return waited;
}

/* What the visits came to. 1: another slice may find work. */
static int take_orders(const rk_seat *seat, rk_opencl_shard *shard, const rk_answer *answer)
{
    rk_orders *orders = seat->orders;
    int worked = answer->visit == RK_VISIT_WORKED || answer->visit == RK_VISIT_WAITS ||
                 answer->progress != shard->progress || answer->phase != shard->phase || answer->more;
    shard->progress = answer->progress;
    shard->phase = answer->phase;
    if (rk_opencl_of(seat->owner->runtime)->shares)
        return worked; /* the device has told it, and each change once */
    __atomic_store_n(&orders->progress, answer->progress, __ATOMIC_RELAXED);
    __atomic_store_n(&orders->wake_ns, answer->wake_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&orders->visit, answer->visit, __ATOMIC_RELAXED);
    /* Not before all is here that the shard sent: an end is the last thing that is told of it. */
    if (!answer->more) __atomic_store_n(&orders->phase, answer->phase, __ATOMIC_RELEASE);
    return worked;
}

void rk_opencl_unpack(rk_opencl_runtime *cl, rk_opencl_flight *f)
{
    rk_opencl_served *served = f->served;
    rk_host_kernel *kernel = served->kernel;
    int output = 0, reports = 0, room = 0, worked = 0, crowded = 0;
    for (rk_u32 s = 0; s < f->count; s++) {
        const rk_seat *seat = &kernel->seats[f->first + s];
        output |= take_lane(f, seat, answer_of(f, s), RK_ANSWER_OUT);
        reports |= take_lane(f, seat, answer_of(f, s), RK_ANSWER_REPORT);
        room |= give_room(seat, &served->shard[f->first + s], answer_of(f, s));
        crowded |= answer_of(f, s)->more != 0;
    }
    for (rk_u32 s = 0; s < f->count; s++)
        worked |= take_orders(&kernel->seats[f->first + s], &served->shard[f->first + s], answer_of(f, s));
    served->worked = worked;
    served->crowded = crowded;
    if (output) rk_event_raise(&kernel->out_event);
    if (room) rk_event_raise(&kernel->room_event);
    if (reports) rk_service_ring(cl->runtime);
}
