/* A kernel between slices: what it begins with on the device, its counters, and what it leaves behind. By the one queue of
 * commands, with nothing in the air. */
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/service.h"
#include "../twin.h"
#include "opencl.h"

#define HALF (RK_LINE / 2) /* of the orders, each with one writing side */

static rk_byte *arena_of(const rk_opencl_runtime *cl) { return cl->runtime->arena.base; }
static rk_u64 offset_of(const rk_opencl_runtime *cl, const void *at)
{
    return (rk_u64)((const rk_byte *)at - arena_of(cl));
}
static const rk_u32 to_host[2] = { RK_LANE_OUT, RK_LANE_REPORT };

/* ------------------------------------------------------------------ to begin with */

rk_status rk_opencl_store_own(rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    const rk_layout *l = &kernel->layout;
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_twin_make(&kernel->seats[s]);
        for (rk_u32 w = 0; w < 2; w++) { /* all before it has travelled, see parcel.h */
            rk_ring *ring = rk_lane_ring(rk_twin_lane(&kernel->seats[s], to_host[w]), arena_of(cl), 0);
            ring->cached_tail = ring->tail;
        }
    }
    return rk_opencl_store_rows(cl, rk_layout_part(l, RK_NEAR_DEVICE, 0), l->own,
                                l->block[l->device].shard_stride, kernel->seat_count);
}

/* Words that other threads may write meanwhile. */
static rk_status put_words(rk_opencl_runtime *cl, const void *from, rk_u64 size)
{
    char *room;
    rk_status status = rk_opencl_room(cl, size, &room);
    if (status != RK_OK) return status;
    for (rk_u64 i = 0; i < size / 8; i++)
        ((rk_u64 *)(void *)room)[i] = __atomic_load_n((const rk_u64 *)from + i, __ATOMIC_ACQUIRE);
    return rk_opencl_up(cl, offset_of(cl, from), room, size);
}

/* Slots that hold nothing: each unit of the lap before the one that will be written there next. */
static rk_status put_empty(rk_opencl_runtime *cl, const rk_ring *ring)
{
    rk_u64 fits = (1u << 20) / ring->slot_size;
    rk_status status = RK_OK;
    for (rk_u64 done = 0, n; done < ring->capacity && status == RK_OK; done += n) {
        rk_u64 index = ring->head + done, here = ring->capacity - (index & ring->mask);
        char *room;
        n = ring->capacity - done;
        if (n > here) n = here;
        if (n > fits) n = fits;
        status = rk_opencl_room(cl, n * ring->slot_size, &room);
        if (status != RK_OK) break;
        memset(room, 0, n * ring->slot_size);
        for (rk_u64 unit = 0; unit < n * ring->slot_size / 16; unit++)
            ((rk_unit *)(void *)room)[unit].word[0] = rk_ring_lap(ring, index) - ring->capacity;
        status = rk_opencl_up(cl, offset_of(cl, rk_ring_slot(ring, arena_of(cl), index)), room,
                              n * ring->slot_size);
    }
    return status;
}

/* What the host knows of a shard that is about to be served. */
static void note_shard(rk_opencl_runtime *cl, const rk_seat *seat, rk_opencl_shard *shard)
{
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST);
    for (rk_u32 b = 0; b < host->bands; b++) {
        const rk_ring *ring = rk_lane_ring(host, arena_of(cl), b);
        shard->sent[b] = shard->freed[b] = ring->head;
        shard->tail[b] = ring->head - 1u; /* whatever it is now, it is told */
    }
    for (rk_u32 w = 0; w < 2; w++) {
        const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena_of(cl), 0);
        shard->taken[w] = ring->tail;
        shard->head[w] = ring->head;
    }
}

rk_status rk_opencl_prepare(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    const rk_host_kernel *kernel = served->kernel;
    rk_status status = rk_opencl_store_own(cl, kernel);
    rk_opencl_empty(cl);
    for (rk_u32 s = 0; s < kernel->seat_count && status == RK_OK; s++) {
        const rk_seat *seat = &kernel->seats[s];
        const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST);
        note_shard(cl, seat, &served->shard[s]);
        if (cl->shares) continue;
        for (rk_u32 b = 0; b < host->bands && status == RK_OK; b++) {
            const rk_ring *ring = rk_lane_ring(host, arena_of(cl), b);
            status = put_empty(cl, ring);
            if (status == RK_OK) status = put_words(cl, ring, sizeof *ring);
        }
        for (rk_u32 w = 0; w < 2 && status == RK_OK; w++) {
            const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena_of(cl), 0);
            status = put_words(cl, ring, sizeof *ring);
        }
        if (status == RK_OK) status = put_words(cl, seat->orders, sizeof *seat->orders);
    }
    if (status == RK_OK) status = rk_opencl_await(cl, rk_opencl_patience(cl));
    rk_opencl_empty(cl);
    return status;
}

/* ------------------------------------------------------------------ what it leaves */

static rk_status fetch_control(rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    const rk_layout *l = &kernel->layout;
    return rk_opencl_fetch_rows(cl, rk_layout_part(l, RK_NEAR_DEVICE, 0), l->control,
                                l->block[l->device].shard_stride, kernel->seat_count);
}

/* Messages that are still on their way and stay: what the host counts of them is what it has. */
rk_status rk_opencl_count(rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    rk_status status = fetch_control(cl, kernel);
    for (rk_u32 s = 0; s < kernel->seat_count && status == RK_OK; s++) {
        rk_twin_take_producer(&kernel->seats[s]);
        rk_twin_take_consumer(&kernel->seats[s]);
    }
    return status;
}

/* Messages for the host, in pieces: into the image, where receivers look at them while they come. */
static rk_status take_run(rk_opencl_runtime *cl, const rk_ring *ring, rk_u64 index, rk_u64 most,
                          rk_u64 *count)
{
    rk_u64 here = ring->capacity - (index & ring->mask), fits = RK_OPENCL_BOUNCE / ring->slot_size;
    rk_byte *slots = rk_ring_slot(ring, arena_of(cl), index);
    *count = most < here ? most : here;
    if (*count > fits) *count = fits;
    rk_opencl_empty(cl);
    rk_status status = rk_opencl_down(cl, offset_of(cl, slots), cl->bounce, *count * ring->slot_size);
    if (status == RK_OK) status = rk_opencl_await(cl, rk_opencl_patience(cl));
    for (rk_u64 m = 0; m < *count && status == RK_OK; m++) {
        rk_unit *to = (rk_unit *)(void *)(slots + m * ring->slot_size);
        const rk_unit *from = (const rk_unit *)(const void *)(cl->bounce + m * ring->slot_size);
        rk_u32 units = ((ring->header_size + (from->word[1] >> 16) + 3u) / 4u + 1u) / 3u;
        for (rk_u32 u = 0; u < units && u < ring->slot_size / 16u; u++) rk_store_unit(to + u, from[u]);
    }
    return status;
}

/* 1 in *any: something came. */
static rk_status take_messages(rk_opencl_runtime *cl, const rk_seat *seat, rk_opencl_shard *shard, rk_u32 w,
                               int *any)
{
    rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, to_host[w]), arena_of(cl), 0);
    rk_u64 tail = rk_lane_ring(rk_twin_lane(seat, to_host[w]), arena_of(cl), 0)->tail, count = 0;
    rk_status status = RK_OK;
    if (shard->taken[w] == tail) return RK_OK;
    if (cl->shares) shard->taken[w] = tail;
    while (shard->taken[w] != tail && status == RK_OK) {
        status = take_run(cl, ring, shard->taken[w], tail - shard->taken[w], &count);
        if (status == RK_OK) shard->taken[w] += count;
    }
    if (status == RK_OK && rk_exchange_u32(&ring->asleep, 0, RK_SEQ_CST, RK_SCOPE_SYSTEM)) *any = 1; /* W1 */
    return status;
}

/* Slots of the host lane that are free again. 1: somebody waits for one. */
static int give_room(const rk_opencl_runtime *cl, const rk_seat *seat)
{
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST), *own = rk_twin_lane(seat, RK_LANE_HOST);
    int waited = 0;
    for (rk_u32 b = 0; b < host->bands; b++) {
        rk_ring *to = rk_lane_ring(host, arena_of(cl), b);
        const rk_ring *from = rk_lane_ring(own, arena_of(cl), b);
        if (to->head == from->head && !cl->shares) continue;       /* shared: the device has told it */
        __atomic_store_n(&to->head, from->head, __ATOMIC_RELEASE); /* C2 */
        waited |= rk_exchange_u32(&to->waiting, 0, RK_SEQ_CST, RK_SCOPE_SYSTEM) != 0; /* W1 */
    }
    return waited;
}

static void show_orders(rk_orders *orders, const rk_orders *device)
{
    __atomic_store_n(&orders->progress, device->progress, __ATOMIC_RELAXED);
    __atomic_store_n(&orders->wake_ns, device->wake_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&orders->visit, device->visit, __ATOMIC_RELAXED);
    __atomic_store_n(&orders->phase, device->phase, __ATOMIC_RELEASE);
}

/* As many shards' orders as the bounce has room for; then behind all that the shards sent. */
static rk_status take_orders(rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    const rk_u32 most = RK_OPENCL_BOUNCE / sizeof(rk_orders);
    rk_status status = RK_OK;
    if (cl->shares) return status;
    for (rk_u32 first = 0; first < kernel->seat_count && status == RK_OK; first += most) {
        rk_u32 n = kernel->seat_count - first < most ? kernel->seat_count - first : most;
        rk_orders *orders = (rk_orders *)(void *)cl->bounce;
        rk_opencl_empty(cl);
        for (rk_u32 i = 0; i < n && status == RK_OK; i++)
            status = rk_opencl_down(cl, offset_of(cl, kernel->seats[first + i].orders) + HALF,
                                    (char *)(orders + i) + HALF, HALF);
        if (status == RK_OK) status = rk_opencl_await(cl, rk_opencl_patience(cl));
        for (rk_u32 i = 0; i < n && status == RK_OK; i++)
            show_orders(kernel->seats[first + i].orders, orders + i);
    }
    return status;
}

rk_status rk_opencl_gather(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    rk_host_kernel *kernel = served->kernel;
    int output = 0, reports = 0, room = 0;
    rk_status status = fetch_control(cl, kernel);
    for (rk_u32 s = 0; s < kernel->seat_count && status == RK_OK; s++) {
        const rk_seat *seat = &kernel->seats[s];
        rk_twin_take_producer(seat);
        status = take_messages(cl, seat, &served->shard[s], 0, &output);
        if (status == RK_OK) status = take_messages(cl, seat, &served->shard[s], 1, &reports);
        if (status != RK_OK) break;
        room |= give_room(cl, seat);
        rk_twin_take_consumer(seat);
    }
    if (status == RK_OK) status = take_orders(cl, kernel);
    rk_opencl_empty(cl);
    if (output) rk_event_raise(&kernel->out_event);
    if (room) rk_event_raise(&kernel->room_event);
    if (reports) rk_service_ring(cl->runtime);
    return status;
}
