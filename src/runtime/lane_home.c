#include "lane_home.h"

#include <string.h>

#include "guard.h"

static rk_u64 size_of(const rk_host_kernel *k) { return rk_lane_home_stride(k) * k->seat_count; }

/* The device that has most of the shards that send here. */
static rk_u32 place_of_senders(const rk_host_kernel *k)
{
    const rk_runtime *runtime = k->runtime;
    rk_u32 shards[RK_DEVICES_MAX] = { 0 }, most = k->layout.place;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *from = runtime->kernels[n];
        for (rk_u32 c = 0; c < from->connection_count; c++)
            if (from->connections[c].to == k->number && from->connections[c].to_generation == k->generation)
                shards[from->layout.place] += from->seat_count;
    }
    for (rk_u32 d = 0; d < runtime->device_count; d++)
        if (shards[d] > shards[most]) most = d;
    return most;
}

rk_status rk_lane_home_take(rk_host_kernel *k, rk_lane_home *home)
{
    *home = (rk_lane_home){ 0 };
    if (k->runtime->device_count == 1) return RK_OK;
    home->place = place_of_senders(k);
    home->moves = home->place != (k->far_lanes ? k->far_place : k->layout.place);
    if (!home->moves || home->place == k->layout.place) return RK_OK;
    home->block = rk_arena_take(&k->runtime->arena, RK_NEAR_DEVICE + home->place, size_of(k));
    return home->block
               ? RK_OK
               : rk_error(RK_OUT_OF_MEMORY, "'%s': no room for its lanes near those who send: %llu bytes",
                          k->id, (unsigned long long)size_of(k));
}

void rk_lane_home_give(rk_host_kernel *k, const rk_lane_home *home)
{
    if (home->block) rk_arena_give(&k->runtime->arena, home->block);
}

/* A turn that is under way names the rings that its messages are of. */
static void rename_views(rk_turn *turn, rk_u64 from, rk_u64 to)
{
    for (rk_u32 v = 0; v < RK_VIEWS; v++)
        if (turn->view[v].ring == from) turn->view[v].ring = to;
}

static void move_lane(rk_host_kernel *k, rk_u32 s, rk_u64 to)
{
    rk_byte *arena = k->runtime->arena.base;
    rk_seat *seat = &k->seats[s];
    const rk_lane *old = rk_seat_lane(seat, RK_LANE_DEVICE);
    rk_lane *lane = (rk_lane *)(void *)(arena + to);
    *lane = *old;
    for (rk_u32 b = 0; b < old->bands; b++) {
        lane->rings[b] = to + sizeof *lane + b * sizeof(rk_ring);
        memcpy(arena + lane->rings[b], arena + old->rings[b], sizeof(rk_ring));
        rename_views(&seat->shard->turn, old->rings[b], lane->rings[b]);
    }
    seat->lane[RK_LANE_DEVICE] = seat->shard->lane[1] = to;
}

rk_status rk_lane_home_move(rk_host_kernel *k, const rk_lane_home *home)
{
    if (!home->moves) return RK_OK;
    const rk_u64 left = k->far_lanes;
    const rk_u32 gate = rk_atomic_u32(&k->gate); /* closed already where the kernel is launched again */
    /* Until the device has them nobody looks, by the gate or by the lock: what was there before would come. */
    if (gate) rk_gate_close(k);
    rk_seats_lock(k->runtime);
    for (rk_u32 s = 0; s < k->seat_count; s++)
        move_lane(k, s,
                  home->block ? home->block + s * rk_lane_home_stride(k)
                              : rk_layout_lane(&k->layout, RK_LANE_DEVICE, s));
    k->far_lanes = home->block;
    k->far_place = home->place;
    const rk_status status = rk_lane_home_store(k);
    rk_seats_unlock(k->runtime);
    if (gate) rk_gate_open(k);
    if (left) rk_arena_give(&k->runtime->arena, left);
    return status;
}

/* In the kernel's own block they lie apart, one in each shard's part. */
static rk_status each(const rk_host_kernel *k, rk_status (*move)(rk_runtime *, rk_u64, rk_u64))
{
    rk_status status = RK_OK;
    if (k->runtime->device_count == 1 || !k->seat_count) return RK_OK;
    if (k->far_lanes) return move(k->runtime, k->far_lanes, size_of(k));
    const rk_lane_plan *plan = &k->layout.lane[RK_LANE_DEVICE];
    for (rk_u32 s = 0; s < k->seat_count && status == RK_OK; s++)
        status = move(k->runtime, rk_layout_lane(&k->layout, RK_LANE_DEVICE, s),
                      plan->rings + plan->bands * sizeof(rk_ring) - plan->lane);
    return status;
}

rk_status rk_lane_home_fetch(const rk_host_kernel *k) { return each(k, rk_fetch); }
rk_status rk_lane_home_store(const rk_host_kernel *k) { return each(k, rk_store); }

void rk_lane_home_leave(rk_host_kernel *k)
{
    if (k->far_lanes) rk_arena_give(&k->runtime->arena, k->far_lanes);
    k->far_lanes = 0;
}
