#include "wiring.h"

#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "lane_home.h"

static rk_host_kernel *target_of(const rk_runtime *runtime, const rk_connection *c)
{
    return runtime->kernels[c->to];
}

rk_u32 rk_connection_is_live(const rk_runtime *runtime, const rk_connection *c)
{
    const rk_host_kernel *to = target_of(runtime, c);
    return to && to->generation == c->to_generation && rk_atomic_u32(&to->life) != RK_LIFE_QUARANTINED &&
           to->layout.block[0].base != 0;
}

static int is_placed(const rk_host_kernel *k)
{
    return k && k->layout.block[0].base != 0 && rk_atomic_u32(&k->life) != RK_LIFE_QUARANTINED;
}

/* ------------------------------------------------------------------ making */

/* Offsets within a wiring block. */
typedef struct wiring_plan {
    rk_u64 routes, edges, inbox, ends, end_words, turns, counts, size;
    rk_u32 end_sources, count_words;
} wiring_plan;

static rk_u32 shards_of(const rk_runtime *runtime, const rk_connection *c)
{
    return rk_connection_is_live(runtime, c) ? target_of(runtime, c)->seat_count : 1;
}

static void place(wiring_plan *p, rk_u32 numbers, rk_u32 connections, rk_u32 shards)
{
    p->edges = p->routes + 8ull * (numbers + 1ull); /* the last is that of dead letters */
    p->inbox = p->edges + sizeof(rk_edge) * (connections + 1ull);
    p->ends = p->inbox + 8ull * shards;
    p->end_words = p->ends + 8ull * shards;
    p->turns = p->end_words + 8ull * p->end_sources * shards;
    p->counts = p->turns + 8ull * (connections + 1ull) * shards;
    p->size = p->counts + 8ull * (p->count_words + 1ull) * shards;
}

#define SOURCES_ALWAYS 1u /* kernels that are gone; the host says in its orders that it has ended */

rk_u64 rk_wiring_bytes(rk_u32 numbers, rk_u32 shards)
{
    wiring_plan p = { .end_sources = SOURCES_ALWAYS };
    place(&p, numbers, 0, shards);
    return p.size;
}

static wiring_plan plan(const rk_host_kernel *k)
{
    const rk_runtime *runtime = k->runtime;
    wiring_plan p = { .end_sources = SOURCES_ALWAYS };
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *from = runtime->kernels[n];
        if (!is_placed(from)) continue;
        for (rk_u32 c = 0; c < from->connection_count; c++)
            if (from->connections[c].to == k->number && from->connections[c].to_generation == k->generation)
                p.end_sources += from->seat_count;
    }
    for (rk_u32 c = 0; c < k->connection_count; c++) p.count_words += shards_of(runtime, &k->connections[c]);
    place(&p, k->class->numbers, k->connection_count, k->seat_count);
    return p;
}

/* The first word of a connection in its target's end tables. */
static rk_u32 end_slot(const rk_host_kernel *from, rk_u32 connection)
{
    const rk_runtime *runtime = from->runtime;
    const rk_connection *mine = &from->connections[connection];
    rk_u32 slot = SOURCES_ALWAYS;
    for (rk_u32 n = 1; n <= from->number; n++) {
        const rk_host_kernel *k = runtime->kernels[n];
        if (!is_placed(k)) continue;
        for (rk_u32 c = 0; c < k->connection_count && !(k == from && c == connection); c++)
            if (k->connections[c].to == mine->to && k->connections[c].to_generation == mine->to_generation)
                slot += k->seat_count;
    }
    return slot;
}

/* The edge of connection c as shard s is wired now, which isn't at place c where one was connected since; 0:
 * none. */
static const rk_edge *edge_of(const rk_host_kernel *k, rk_u32 s, rk_u32 c)
{
    const rk_shard *shard = k->seats[s].shard;
    const rk_u32 place = k->connections[c].edge - 1u;
    if (!k->wiring || !shard->edges || place >= shard->edge_total) return 0;
    return (const rk_edge *)(const void *)(k->runtime->arena.base + shard->edges) + place;
}

/* What shard s sent on connection c to target shard t so far. */
static rk_u64 sent_so_far(const rk_host_kernel *k, rk_u32 s, rk_u32 c, rk_u32 t)
{
    const rk_edge *edge = edge_of(k, s, c);
    const rk_byte *arena = k->runtime->arena.base;
    if (!edge || t >= edge->shards) return 0;
    return ((const rk_u64 *)(const void *)(arena + k->seats[s].shard->edge_counts))[edge->counts + t];
}

rk_u64 rk_wiring_sent(const rk_host_kernel *k, rk_u32 connection)
{
    rk_u64 sent = 0;
    for (rk_u32 s = 0; s < k->seat_count; s++)
        for (rk_u32 t = 0; t < shards_of(k->runtime, &k->connections[connection]); t++)
            sent += sent_so_far(k, s, connection, t);
    return sent;
}

/* Whose turn it is on connection c of shard s; 0 where that isn't what picks the shard. */
static rk_u64 turn_so_far(const rk_host_kernel *k, rk_u32 s, rk_u32 c)
{
    const rk_edge *edge = edge_of(k, s, c);
    const rk_byte *arena = k->runtime->arena.base;
    if (!edge || edge->mode != RK_ROUTE_TURN || edge->kernel_no != k->connections[c].to) return 0;
    return (
        (const rk_u64 *)(const void *)(arena + k->seats[s].shard->edge_turns))[k->connections[c].edge - 1u];
}

/* Edges of a route lie together: connections are sorted by route, and within it as they were made. */
static void sort_connections(rk_host_kernel *k)
{
    for (rk_u32 i = 1; i < k->connection_count; i++)
        for (rk_u32 j = i; j > 0 && k->connections[j - 1].route > k->connections[j].route; j--) {
            rk_connection swap = k->connections[j];
            k->connections[j] = k->connections[j - 1];
            k->connections[j - 1] = swap;
        }
}

static void fill_edge(const rk_host_kernel *k, rk_u32 c, rk_edge *edge, rk_u32 counts)
{
    const rk_runtime *runtime = k->runtime;
    const rk_connection *connection = &k->connections[c];
    edge->kernel_no = connection->to;
    edge->mode = connection->mode;
    edge->fixed = connection->target;
    edge->key_offset = connection->key_offset;
    edge->key_size = connection->key_size;
    edge->type = connection->type;
    edge->counts = counts;
    if (!rk_connection_is_live(runtime, connection)) {
        const rk_lane *closed = rk_lane_at(runtime, runtime->closed_lane);
        edge->shards = 1;
        edge->lanes = closed->rings[0] + sizeof(rk_ring);
        edge->end_tables = 0;
        return;
    }
    const rk_host_kernel *to = target_of(runtime, connection);
    edge->shards = to->seat_count;
    edge->actors = to->options.actors;
    edge->lanes = to->inbox_lanes;
    edge->end_tables = to->end_tables;
    edge->end_slot = end_slot(k, c);
}

/* End words of sources that have ended already, and of those that are gone. */
static void fill_end_table(const rk_host_kernel *k, rk_u32 s, rk_u64 *table)
{
    const rk_runtime *runtime = k->runtime;
    table[0] = k->seats[s].gone_sent + 1;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *from = runtime->kernels[n];
        if (!is_placed(from)) continue;
        for (rk_u32 c = 0; c < from->connection_count; c++) {
            if (from->connections[c].to != k->number || from->connections[c].to_generation != k->generation)
                continue;
            for (rk_u32 source = 0; source < from->seat_count; source++)
                if (from->seats[source].orders->phase == RK_PHASE_ENDED)
                    table[end_slot(from, c) + source] = sent_so_far(from, source, c, s) + 1;
        }
    }
}

/* First step: a block, with everything that others point to. The old one stays until the second. */
static rk_status make_tables(rk_host_kernel *k, const wiring_plan *p, rk_u64 *placed)
{
    rk_runtime *runtime = k->runtime;
    rk_byte *arena = runtime->arena.base;
    rk_u64 block = rk_arena_take(&runtime->arena, RK_NEAR_DEVICE + k->layout.place, p->size);
    if (!block)
        return rk_error(RK_OUT_OF_MEMORY, "'%s': no room for its routes: %llu bytes", k->id,
                        (unsigned long long)p->size);
    rk_u64 *ends = (rk_u64 *)(void *)(arena + block + p->ends);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        ends[s] = block + p->end_words + 8ull * p->end_sources * s;
        fill_end_table(k, s, (rk_u64 *)(void *)(arena + ends[s]));
        rk_u64 counts = block + p->counts + 8ull * (p->count_words + 1ull) * s;
        rk_u64 *turns = (rk_u64 *)(void *)(arena + block + p->turns) + (k->connection_count + 1ull) * s;
        rk_u32 word = 0;
        for (rk_u32 c = 0; c < k->connection_count; c++) turns[c] = turn_so_far(k, s, c);
        for (rk_u32 c = 0; c < k->connection_count; c++)
            for (rk_u32 t = 0; t < shards_of(runtime, &k->connections[c]); t++)
                ((rk_u64 *)(void *)(arena + counts))[word++] = sent_so_far(k, s, c, t);
    }
    *placed = block;
    return RK_OK;
}

/* Second step: routes and edges, now that all targets have theirs; the shards change over. */
static void make_edges(rk_host_kernel *k, const wiring_plan *p, rk_u64 block)
{
    rk_runtime *runtime = k->runtime;
    rk_byte *arena = runtime->arena.base;
    rk_route *routes = (rk_route *)(void *)(arena + block + p->routes);
    rk_u32 word = 0;
    for (rk_u32 c = 0; c < k->connection_count; c++) {
        rk_route *route = &routes[k->connections[c].route];
        if (!route->edges) route->first = c;
        route->edges++;
        fill_edge(k, c, (rk_edge *)(void *)(arena + block + p->edges) + c, word);
        k->connections[c].edge = c + 1u;
        word += shards_of(runtime, &k->connections[c]);
    }
    const rk_route *letters = &routes[k->class->numbers];
    const rk_u64 *ends = (const rk_u64 *)(const void *)(arena + k->end_tables);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_shard *shard = k->seats[s].shard;
        shard->routes = block + p->routes;
        shard->edges = block + p->edges;
        shard->edge_total = k->connection_count;
        shard->letters = letters->edges ? letters->first + letters->edges
                                        : 0u; /* the newest: those before lead to nobody */
        shard->edge_counts = block + p->counts + 8ull * (p->count_words + 1ull) * s;
        shard->edge_turns = block + p->turns + 8ull * (k->connection_count + 1ull) * s;
        shard->end_table = ends[s];
        shard->end_sources = p->end_sources;
    }
}

static void fill_inbox(const rk_host_kernel *k, rk_u64 *lanes)
{
    for (rk_u32 s = 0; s < k->seat_count; s++) lanes[s] = k->seats[s].shard->lane[1];
}

/* A kernel's entry of the directory, as other kernels find it. */
static rk_status store_entry(const rk_host_kernel *k)
{
    return rk_store(k->runtime, k->runtime->directory + k->number * sizeof(rk_directory_entry),
                    sizeof(rk_directory_entry));
}

rk_status rk_wiring_store(const rk_host_kernel *k)
{
    const rk_status status = rk_store(k->runtime, k->wiring, k->wiring_size);
    return status == RK_OK ? store_entry(k) : status;
}

static rk_status make(rk_runtime *runtime, rk_host_kernel **kernels, rk_u32 count)
{
    rk_status status = RK_OK;
    wiring_plan *plans = calloc(count, sizeof *plans);
    rk_u64 *blocks = calloc(count, sizeof *blocks);
    rk_lane_home *homes = calloc(count, sizeof *homes);
    if (!plans || !blocks || !homes)
        status = rk_error(RK_OUT_OF_MEMORY, "no memory to connect %u kernels", count);
    for (rk_u32 i = 0; i < count && status == RK_OK; i++) {
        plans[i] = plan(kernels[i]);
        status = rk_lane_home_take(kernels[i], &homes[i]);
        if (status == RK_OK) status = make_tables(kernels[i], &plans[i], &blocks[i]);
    }
    if (status != RK_OK) {
        for (rk_u32 i = 0; homes && i < count; i++) rk_lane_home_give(kernels[i], &homes[i]);
        for (rk_u32 i = 0; blocks && i < count && blocks[i]; i++) rk_arena_give(&runtime->arena, blocks[i]);
    } else {
        for (rk_u32 i = 0; i < count; i++) {
            rk_host_kernel *k = kernels[i];
            const rk_status moved = rk_lane_home_move(k, &homes[i]);
            if (moved != RK_OK) status = moved;
            fill_inbox(k, (rk_u64 *)(void *)(runtime->arena.base + blocks[i] + plans[i].inbox));
            k->inbox_lanes = blocks[i] + plans[i].inbox;
            k->end_tables = blocks[i] + plans[i].ends;
            k->end_sources = plans[i].end_sources;
            rk_directory_entry *entry =
                (rk_directory_entry *)(void *)(runtime->arena.base + runtime->directory) + k->number;
            entry->shards = k->seat_count;
            entry->lanes = k->inbox_lanes;
            entry->source = rk_kernel_source(k);
        }
        for (rk_u32 i = 0; i < count; i++) make_edges(kernels[i], &plans[i], blocks[i]);
        for (rk_u32 i = 0; i < count; i++) {
            if (kernels[i]->wiring) rk_arena_give(&runtime->arena, kernels[i]->wiring);
            kernels[i]->wiring = blocks[i];
            kernels[i]->wiring_size = plans[i].size;
            const rk_status stored = rk_wiring_store(kernels[i]);
            kernels[i]->unstored &= ~RK_UNSTORED_WIRING;
            if (stored == RK_DEVICE_LOST) status = stored;
            if (stored != RK_OK) kernels[i]->unstored |= RK_UNSTORED_WIRING;
        }
    }
    free(plans);
    free(blocks);
    free(homes);
    return status;
}

rk_status rk_wiring_make_alone(rk_host_kernel *kernel) { return make(kernel->runtime, &kernel, 1); }

/* ------------------------------------------------------------------ circles */

static int are_connected(const rk_host_kernel *a, const rk_host_kernel *b)
{
    for (rk_u32 c = 0; c < a->connection_count; c++)
        if (a->connections[c].to == b->number) return 1;
    for (rk_u32 c = 0; c < b->connection_count; c++)
        if (b->connections[c].to == a->number) return 1;
    return 0;
}

static void find_circle(rk_host_kernel *kernel, rk_circle *circle)
{
    rk_runtime *runtime = kernel->runtime;
    circle->kernel[circle->count++] = kernel;
    for (rk_u32 i = 0; i < circle->count; i++)
        for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
            rk_host_kernel *other = runtime->kernels[n];
            rk_u32 known = 0;
            for (rk_u32 j = 0; j < circle->count && !known; j++) known = circle->kernel[j] == other;
            if (!known && is_placed(other) && are_connected(circle->kernel[i], other))
                circle->kernel[circle->count++] = other;
        }
}

rk_status rk_circle_stop(rk_host_kernel *kernel, rk_circle *circle)
{
    sort_connections(kernel);
    *circle = (rk_circle){ 0 };
    circle->kernel = calloc(RK_KERNELS_MAX + 1, sizeof *circle->kernel);
    circle->served = calloc(RK_KERNELS_MAX + 1, 1);
    if (!circle->kernel || !circle->served) {
        rk_circle_serve(circle);
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a list of kernels");
    }
    find_circle(kernel, circle);
    rk_u64 deadline = rk_monotonic_ns() + RK_LEAVE_NS;
    for (rk_u32 i = 1; i < circle->count; i++) {
        if (!circle->kernel[i]->serving) continue;
        if (rk_kernel_leave(circle->kernel[i], deadline) != RK_OK) {
            rk_error(RK_TIMED_OUT, "'%s' did not reach a batch boundary: a handler is still running",
                     circle->kernel[i]->id);
            rk_circle_serve(circle);
            return RK_TIMED_OUT;
        }
        circle->served[i] = 1;
    }
    /* What was sent on each edge, as the shards have counted it. Of one that is connected with nobody there is nothing. */
    const int is_connected = circle->count > 1 || kernel->connection_count;
    for (rk_u32 i = 0; i < circle->count; i++) {
        rk_host_kernel *k = circle->kernel[i];
        rk_status status = is_connected ? rk_kernel_fetch_wiring(k) : RK_OK;
        if (status == RK_OK) status = rk_lane_home_fetch(k);
        if (status == RK_OK) continue;
        rk_circle_serve(circle);
        return status;
    }
    return RK_OK;
}

rk_status rk_circle_wire(rk_circle *circle)
{
    return make(circle->kernel[0]->runtime, circle->kernel, circle->count);
}

void rk_circle_serve(rk_circle *circle)
{
    for (rk_u32 i = 0; i < circle->count; i++)
        if (circle->served[i]) rk_kernel_serve(circle->kernel[i]);
    free(circle->kernel);
    free(circle->served);
    *circle = (rk_circle){ 0 };
}

/* Its targets remember what it sent, since its words leave their end tables. */
static void remember_gone(rk_host_kernel *kernel)
{
    for (rk_u32 c = 0; c < kernel->connection_count; c++) {
        if (!rk_connection_is_live(kernel->runtime, &kernel->connections[c])) continue;
        rk_host_kernel *to = target_of(kernel->runtime, &kernel->connections[c]);
        for (rk_u32 s = 0; s < kernel->seat_count; s++)
            for (rk_u32 t = 0; t < to->seat_count && to != kernel; t++)
                to->seats[t].gone_sent += sent_so_far(kernel, s, c, t);
    }
}

/* What a kernel has sent on a connection is forgotten. */
static void forget_sent(const rk_host_kernel *k, rk_u32 c)
{
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        const rk_edge *edge = edge_of(k, s, c);
        rk_byte *arena = k->runtime->arena.base;
        if (edge)
            memset((rk_u64 *)(void *)(arena + k->seats[s].shard->edge_counts) + edge->counts, 0,
                   8ull * edge->shards);
    }
}

rk_status rk_wiring_replace(rk_circle *circle, rk_kernel old, rk_host_kernel *quarantined,
                            rk_host_kernel *fresh, const rk_connection *connections, rk_u32 count)
{
    if (quarantined) {
        remember_gone(quarantined);
        quarantined->connection_count = 0;
    }
    for (rk_u32 i = 0; i < count; i++) {
        fresh->connections[i] = connections[i];
        fresh->connections[i].edge = 0;
    }
    fresh->connection_count = count;
    circle->kernel[0] = fresh;
    for (rk_u32 i = 0; i < circle->count; i++)
        for (rk_u32 c = 0; c < circle->kernel[i]->connection_count; c++) {
            rk_connection *connection = &circle->kernel[i]->connections[c];
            if (connection->to != old.number || connection->to_generation != old.generation) continue;
            if (i) forget_sent(circle->kernel[i], c);
            connection->to = fresh->number;
            connection->to_generation = fresh->generation;
        }
    return rk_circle_wire(circle);
}

rk_status rk_wiring_abandon(rk_host_kernel *kernel)
{
    rk_circle circle;
    rk_status status = rk_circle_stop(kernel, &circle);
    if (status != RK_OK) return status;
    remember_gone(kernel);
    kernel->connection_count = 0;
    if (circle.count > 1) status = make(kernel->runtime, circle.kernel + 1, circle.count - 1);
    rk_circle_serve(&circle);
    return status;
}

rk_status rk_wiring_cut(rk_host_kernel *kernel)
{
    rk_runtime *runtime = kernel->runtime;
    rk_circle circle;
    rk_status status = rk_circle_stop(kernel, &circle);
    if (status != RK_OK) return status;
    remember_gone(kernel);
    rk_directory_entry *entry =
        (rk_directory_entry *)(void *)(runtime->arena.base + runtime->directory) + kernel->number;
    entry->lanes = 0;
    status = store_entry(kernel);
    rk_u64 base = kernel->layout.block[0].base;
    kernel->layout.block[0].base = 0; /* gone, as far as the others are concerned */
    kernel->connection_count = 0;
    if (status == RK_OK && circle.count > 1) status = make(runtime, circle.kernel + 1, circle.count - 1);
    kernel->layout.block[0].base = base;
    if (status == RK_OK) {
        rk_arena_give(&runtime->arena, kernel->wiring);
        kernel->wiring = 0;
    }
    rk_circle_serve(&circle);
    return status;
}
