#include "twin.h"

#include <string.h>

static const rk_u32 host_lanes[] = { RK_LANE_HOST, RK_LANE_OUT, RK_LANE_REPORT };
#define HOST_LANES (sizeof host_lanes / sizeof *host_lanes)

rk_lane *rk_twin_lane(const rk_seat *seat, rk_u32 which)
{
    const rk_shard *shard = seat->shard;
    rk_u64 at = which == RK_LANE_HOST  ? shard->lane[0]
                : which == RK_LANE_OUT ? shard->out_lane
                                       : shard->report_lane;
    return rk_lane_at(seat->owner->runtime, at);
}

static void copy_headers(const rk_seat *seat, rk_u32 which)
{
    rk_byte *arena = seat->owner->runtime->arena.base;
    const rk_lane *host = rk_seat_lane(seat, which);
    rk_lane *own = rk_twin_lane(seat, which);
    *own = *host;
    for (rk_u32 b = 0; b < host->bands; b++) {
        own->rings[b] = (rk_u64)((rk_byte *)own - arena) + sizeof *own + b * sizeof(rk_ring);
        rk_ring *to = rk_lane_ring(own, arena, b);
        const rk_ring *from = rk_lane_ring(host, arena, b);
        memcpy(to, from, sizeof *to);
        to->far = (rk_i64)((const rk_byte *)from - (const rk_byte *)to);
        to->cached_head = __atomic_load_n(&from->head, __ATOMIC_ACQUIRE); /* P1: whom the device sends to */
    }
}

void rk_twin_make(const rk_seat *seat)
{
    for (size_t w = 0; w < HOST_LANES; w++) copy_headers(seat, host_lanes[w]);
}

static void put(rk_u64 *to, rk_u64 value) { __atomic_store_n(to, value, __ATOMIC_RELEASE); }

void rk_twin_take_consumer(const rk_seat *seat)
{
    rk_byte *arena = seat->owner->runtime->arena.base;
    const rk_lane *host = rk_seat_lane(seat, RK_LANE_HOST), *own = rk_twin_lane(seat, RK_LANE_HOST);
    for (rk_u32 b = 0; b < host->bands; b++) {
        rk_ring *to = rk_lane_ring(host, arena, b);
        const rk_ring *from = rk_lane_ring(own, arena, b);
        put(&to->delivered, from->delivered);
        put(&to->expired, from->expired);
        put(&to->dead, from->dead);
        put(&to->dropped_old, from->dropped_old);
        put(&to->lost, from->lost);
        put(&to->withdrawn, from->withdrawn);
    }
}

static void take_producer(const rk_seat *seat, rk_u32 which)
{
    rk_byte *arena = seat->owner->runtime->arena.base;
    rk_lane *host = rk_seat_lane(seat, which);
    const rk_lane *own = rk_twin_lane(seat, which);
    put(&rk_lane_ring(host, arena, 0)->tail, rk_lane_ring(own, arena, 0)->tail);
    for (rk_u32 i = 0; i < RK_REFUSED_KINDS; i++) put(&host->refused[i], own->refused[i]);
}

void rk_twin_take_producer(const rk_seat *seat)
{
    take_producer(seat, RK_LANE_OUT);
    take_producer(seat, RK_LANE_REPORT);
}

void rk_twin_show(rk_byte *to, const rk_byte *from, rk_u64 size)
{
    if (((size_t)to | (size_t)from | size) % 8) {
        memcpy(to, from, size);
        return;
    }
    for (rk_u64 i = 0; i < size / 8; i++) {
        rk_u64 *word = (rk_u64 *)(void *)to + i, value = ((const rk_u64 *)(const void *)from)[i];
        if (__atomic_load_n(word, __ATOMIC_RELAXED) != value) __atomic_store_n(word, value, __ATOMIC_RELEASE);
    }
}
