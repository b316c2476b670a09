#include "carry.h"

void rk_carry_message(rk_lane *to, rk_byte *arena, const rk_header_long *header, const rk_u64 *payload)
{
    rk_ring *ring = rk_lane_ring(to, arena, rk_lane_band(to, header->base.priority));
    rk_ring_put(ring, arena, ring->tail, (const rk_u32 *)(const void *)header, payload, header->base.length);
    ring->tail++;
    if (ring->counted) ring->room--;
}

void rk_carry_id(rk_lane *to, rk_byte *arena, rk_u64 id)
{
    if (!to->window) return;
    const rk_u64 *table = (const rk_u64 *)(const void *)(arena + to->window_table);
    if (table[rk_window_find(table, to->window_mask, id)] != id) rk_window_remember(to, arena, id);
}

void rk_carry_counters(rk_meter *to, const rk_meter *from)
{
    to->progress += from->progress;
    to->handled += from->handled;
    to->sent += from->sent;
    for (rk_u32 i = 0; i < RK_REFUSED_KINDS; i++) to->refused[i] += from->refused[i];
    to->dead_sends += from->dead_sends;
    to->parks += from->parks;
    if (from->last_ns > to->last_ns) to->last_ns = from->last_ns;
    to->busy_ns += from->busy_ns;
    if (from->largest_batch > to->largest_batch) to->largest_batch = from->largest_batch;
    to->logs_suppressed += from->logs_suppressed;
    to->slices += from->slices;
}
