/* Launching again under the same id, with inbox and state carried over.
 *
 *     everybody who sends stops at a batch boundary → the kernel stops → a new layout beside the old →
 *       messages, windows, state and
 *     counts move over → the wiring is made anew → everybody goes on
 *
 * Large payloads stay where they are: their pools outlive the old layout (blocks.h). Until the move begins
 * nothing has changed, so whatever can go wrong is looked at before. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <ringkernel/device/take.h>

#include "../lane/incoming.h"
#include "../lane/waiting.h"
#include "blocks.h"
#include "carry.h"
#include "futex.h"
#include "guard.h"
#include "kernel.h"
#include "neighbour.h"
#include "parameter.h"
#include "pause.h"
#include "report.h"
#include "service.h"
#include "under_way.h"
#include "wiring.h"

static rk_ring *ring_at(const rk_host_kernel *k, rk_lane *lane, rk_u32 band)
{
    return rk_lane_ring(lane, k->runtime->arena.base, band);
}

/* Arena offset of a band of the inbox as the shard knows it, and its views name it. */
static rk_u64 ring_of_views(const rk_seat *seat, rk_u32 which, rk_u32 band)
{
    return which > RK_LANE_DEVICE ? 0
                                  : rk_lane_at(seat->owner->runtime, seat->shard->lane[which])->rings[band];
}

/* ------------------------------------------------------------------ before: can it be? */

/* What stays as it is for as long as the handle lives. */
static rk_status check_same(const rk_host_kernel *k, const rk_class *class, const rk_launch_options *options)
{
    if (class != k->class)
        return rk_error(RK_UNSUPPORTED, "'%s' runs kernel '%s': launch '%s' under an id of its own", k->id,
                        k->class->name, class->name);
    if (class->attributes->state == RK_PER_SHARD && options->shards != k->seat_count && !class->merge)
        return rk_error(
            RK_UNSUPPORTED,
            "'%s' keeps state per shard, and kernel '%s' has no RK_ON_MERGE that makes those of %u "
            "shards of those of %u: declare one, relaunch it with %u, or launch one with %u under "
            "an id of its own",
            k->id, class->name, options->shards, k->seat_count, k->seat_count, options->shards);
    return RK_OK;
}

/* Messages that would come to each new lane, against its capacity. */
static rk_status check_room(const rk_host_kernel *k, const rk_layout *layout,
                            const rk_launch_options *options)
{
    for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_OUT; which++)
        for (rk_u32 to = 0; to < options->shards; to++) {
            rk_u64 queued = 0;
            for (rk_u32 s = 0; s < k->seat_count; s++) {
                rk_lane *lane = rk_seat_lane(&k->seats[s], which);
                for (rk_u32 b = 0; b < lane->bands; b++) {
                    const rk_ring *ring = ring_at(k, lane, b);
                    for (rk_u64 i = rk_ring_oldest(ring); i != ring->tail; i++) {
                        rk_image image;
                        const rk_byte *message = rk_incoming(ring, k->runtime->arena.base, i, &image);
                        if (!message)
                            return rk_error(RK_BUSY, "'%s': a slot is reserved and not committed yet", k->id);
                        rk_u32 target = ((const rk_header *)(const void *)message)->target;
                        if (which == RK_LANE_OUT || k->seat_count == options->shards) target = s;
                        queued += target % options->shards == to;
                    }
                }
            }
            if (queued > layout->lane[which].capacity)
                return rk_error(RK_LIMIT,
                                "'%s': %llu messages are queued in a %s, and the new capacity is %u: take "
                                "more, or drain it first",
                                k->id, (unsigned long long)queued,
                                which == RK_LANE_OUT ? "lane to the host" : "lane of the inbox",
                                layout->lane[which].capacity);
        }
    return RK_OK;
}

/* ------------------------------------------------------------------ the move */

/* One message of an old lane into a new one, in that lane's form. */
static void move_message(const rk_host_kernel *old, const rk_byte *message, rk_u32 header_size, rk_lane *to,
                         rk_u32 redelivered)
{
    rk_header_long header = { .sent_ns = rk_runtime_now(old->runtime), .version = RK_WIRE_VERSION };
    memcpy(&header, message, header_size);
    rk_u64 payload[(RK_INLINE_MAX + 8) / 8];
    memcpy(payload, message + header_size, header.base.length);
    header.base.flags &= (rk_u8)~RK_FLAGS_OF_CONSUMER;
    if (redelivered) {
        header.base.flags |= RK_FLAG_REDELIVERED;
        header.attempts++;
    }
    rk_carry_message(to, old->runtime->arena.base, &header, payload);
}

/* Did the large payload of a message that a failed batch had taken travel on, published before the failure?
 * Then its block is somebody else's by now, and the message has had its effect: it counts as what became of
 * it, and is not handled again. */
static rk_u32 has_travelled_on(const rk_seat *seat, rk_u64 ring_offset, rk_u64 index, rk_u32 *dead)
{
    const rk_header *header = rk_handled_message(seat, ring_offset, index);
    if (!header || (header->flags & (RK_FLAG_REFERENCE | RK_FLAG_KEPT)) != (RK_FLAG_REFERENCE | RK_FLAG_KEPT))
        return 0;
    const rk_shard *shard = seat->shard;
    rk_u32 header_size = shard->features & RK_FEATURE_LONG ? RK_HEADER_LONG : RK_HEADER_SHORT;
    const rk_reference *own = (const rk_reference *)(const void *)((const rk_byte *)header + header_size);
    *dead = 0;
    for (rk_u32 i = seat->context.straight; i < shard->turn.staged;
         i++) { /* what went straight has no blocks */
        const rk_staged *entry =
            rk_stage_entry(seat->owner->runtime->arena.base + shard->stage, shard->stage_stride, i);
        const rk_reference *reference = (const rk_reference *)(const void *)(entry + 1);
        if (entry->route == RK_TO_REPORT && (entry->header.base.flags & RK_FLAG_REFERENCE) &&
            reference->pool == own->pool && reference->block == own->block)
            *dead = 1;
    }
    return 1;
}

/* Messages of an overwritten ring that a failed batch had taken lie in the shard's copies alone. Number `i`
 * of them. */
static rk_byte *copied_message(const rk_seat *seat, rk_u64 ring_offset, rk_u32 i)
{
    rk_turn *turn = &seat->shard->turn;
    for (rk_u32 v = 0; v < turn->views; v++) {
        if (turn->view[v].ring != ring_offset || !turn->view[v].committed) continue;
        if (i < turn->view[v].n) return rk_view_slot(&turn->view[v], seat->owner->runtime->arena.base, i);
        i -= turn->view[v].n;
    }
    return 0;
}

/* How many of those find no room beside what is queued, band by band: as under DropOldest the oldest of the
 * lowest bands go. */
static void plan_evictions(const rk_host_kernel *old, const rk_host_kernel *fresh, const rk_seat *seat,
                           rk_u32 which, const rk_lane *to, rk_u32 copied[RK_BANDS], rk_u32 evicted[RK_BANDS])
{
    const rk_lane *from = rk_seat_lane(seat, which);
    rk_u64 all = rk_lane_depth(from, old->runtime->arena.base);
    for (rk_u32 b = 0; b < from->bands; b++) {
        copied[b] = rk_take_copied(&seat->shard->turn, ring_of_views(seat, which, b));
        all += copied[b];
    }
    rk_u64 excess = all > to->capacity ? all - to->capacity : 0;
    if (old->seat_count != fresh->seat_count) excess = all; /* the room of other shards is not looked at */
    for (rk_u32 b = 0; b < from->bands; b++) {
        evicted[b] = excess < copied[b] ? (rk_u32)excess : copied[b];
        excess -= evicted[b];
    }
}

/* The ids that lanes remember, the oldest of each first. An id doesn't say where it would go if it came again, so
 * with another number of shards each of them gets to know it. */
static void move_windows(const rk_host_kernel *old, const rk_host_kernel *fresh, rk_u32 which)
{
    rk_byte *arena = old->runtime->arena.base;
    rk_u64 longest = 0;
    for (rk_u32 s = 0; s < old->seat_count; s++) {
        const rk_lane *from = rk_seat_lane(&old->seats[s], which);
        rk_u64 known = from->window_count - rk_window_first(from);
        if (known > longest) longest = known;
    }
    for (rk_u64 age = longest; age > 0; age--)
        for (rk_u32 s = 0; s < old->seat_count; s++) {
            const rk_lane *from = rk_seat_lane(&old->seats[s], which);
            const rk_u64 *ids = (const rk_u64 *)(const void *)(arena + from->window_ids);
            if (from->window_count - rk_window_first(from) < age) continue;
            for (rk_u32 f = 0; f < fresh->seat_count; f++)
                if (old->seat_count != fresh->seat_count || f == s)
                    rk_carry_id(rk_seat_lane(&fresh->seats[f], which), arena,
                                ids[(from->window_count - age) % from->window]);
        }
}

/* What was counted so far goes on: the new ring begins that much earlier. */
static void move_counts(const rk_ring *from, rk_ring *to, rk_u32 copied, rk_u32 evicted)
{
    rk_u64 oldest = rk_ring_oldest(from);
    to->delivered += from->delivered;
    to->expired += from->expired;
    to->dead += from->dead;
    to->dropped_old += from->dropped_old + (oldest - from->head);
    to->lost += from->lost;
    to->withdrawn += from->withdrawn;
    to->dropped_old += evicted;
    to->start -= oldest - from->start - (copied - evicted);
}

static void add_histogram(rk_histogram *to, const rk_histogram *from)
{
    if (!from->count) return;
    if (!to->count || from->min_ns < to->min_ns) to->min_ns = from->min_ns;
    if (from->max_ns > to->max_ns) to->max_ns = from->max_ns;
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    for (rk_u32 i = 0; i < RK_HISTOGRAM_BUCKETS; i++) to->bucket[i] += from->bucket[i];
}

static void move_meter(const rk_shard *from, rk_shard *to)
{
    rk_carry_counters(&to->meter, &from->meter);
    add_histogram(&to->meter.queue_wait, &from->meter.queue_wait);
    add_histogram(&to->meter.service, &from->meter.service);
}

static void move_lanes(const rk_host_kernel *old, rk_host_kernel *fresh)
{
    rk_u32 shards = fresh->seat_count;
    for (rk_u32 which = RK_LANE_HOST; which <= RK_LANE_OUT; which++) {
        move_windows(old, fresh, which);
        for (rk_u32 s = 0; s < old->seat_count; s++) {
            rk_lane *from = rk_seat_lane(&old->seats[s], which);
            rk_lane *same = rk_seat_lane(&fresh->seats[s % shards], which);
            for (rk_u32 i = 0; i < RK_REFUSED_KINDS; i++) same->refused[i] += from->refused[i];
            rk_u32 copied[RK_BANDS] = { 0 }, evicted[RK_BANDS] = { 0 };
            if (which != RK_LANE_OUT)
                plan_evictions(old, fresh, &old->seats[s], which, same, copied, evicted);
            for (rk_u32 b = from->bands; b-- > 0;) {
                const rk_ring *ring = ring_at(old, from, b);
                rk_u64 viewed = ring_of_views(&old->seats[s], which, b);
                move_counts(ring, ring_at(fresh, same, 0), copied[b], evicted[b]);
                for (rk_u32 i = evicted[b]; i < copied[b]; i++)
                    move_message(old, copied_message(&old->seats[s], viewed, i), ring->header_size, same, 1);
                rk_u64 oldest = rk_ring_oldest(ring);
                rk_u32 again = rk_take_pending(&old->seats[s].shard->turn, viewed);
                for (rk_u64 i = oldest; i != ring->tail; i++) {
                    rk_u32 dead;
                    if (i - oldest < again && has_travelled_on(&old->seats[s], viewed, i, &dead)) {
                        rk_ring *counts = ring_at(fresh, same, 0);
                        *(dead ? &counts->dead : &counts->delivered) += 1;
                        counts->start--;
                        continue;
                    }
                    rk_image image;
                    const rk_byte *message = rk_incoming(ring, old->runtime->arena.base, i, &image);
                    if (!message) continue; /* check_room has seen it */
                    const rk_header *header = (const rk_header *)(const void *)message;
                    rk_lane *to = which == RK_LANE_OUT || old->seat_count == shards
                                      ? same
                                      : rk_seat_lane(&fresh->seats[header->target % shards], which);
                    if (to != same && which == RK_LANE_DEVICE && !(header->flags & RK_FLAG_REPLY)) {
                        fresh->seats[s % shards].gone_sent--; /* where move_end_counts expects it */
                        fresh->seats[header->target % shards].gone_sent++;
                    }
                    move_message(old, message, ring->header_size, to, i - oldest < again);
                }
            }
        }
    }
}

rk_status rk_kernel_restore(const rk_host_kernel *k, const rk_fresh_state *state)
{
    rk_u32 kind = k->class->attributes->state;
    rk_u32 count = kind == RK_PER_ACTOR ? k->options.actors : kind == RK_PER_SHARD ? k->seat_count : 0;
    for (rk_u32 which = 0; state->restore && which < count; which++) {
        rk_u32 place = kind == RK_PER_ACTOR ? which / k->seat_count : 0;
        rk_u64 at = k->seats[which % k->seat_count].shard->state + (rk_u64)place * k->layout.state_stride;
        rk_status status =
            state->restore(state->user, which, k->runtime->arena.base + at, k->class->state_size);
        if (status != RK_OK)
            return rk_error(status, "'%s': the state of %s %u could not be restored", k->id,
                            kind == RK_PER_ACTOR ? "actor" : "shard", which);
    }
    return RK_OK;
}

static rk_u32 common_divisor(rk_u32 a, rk_u32 b) { return b ? common_divisor(b, a % b) : a; }

/* Each new shard sees the old ones whose targets it has now: of n shards target t comes to t % n. */
static void merge_states(const rk_host_kernel *old, rk_host_kernel *fresh)
{
    rk_byte *arena = old->runtime->arena.base;
    const rk_u32 apart = common_divisor(old->seat_count, fresh->seat_count);
    for (rk_u32 into = 0; into < fresh->seat_count; into++)
        for (rk_u32 from = into % apart; from < old->seat_count; from += apart) {
            const rk_merge shards = { from, old->seat_count, into, fresh->seat_count,
                                      from % fresh->seat_count == into };
            old->class->merge->merge(arena + fresh->seats[into].shard->state,
                                     arena + old->seats[from].shard->state, &shards);
        }
}

static void move_state(const rk_host_kernel *old, rk_host_kernel *fresh)
{
    rk_byte *arena = old->runtime->arena.base;
    rk_u32 kind = old->class->attributes->state;
    rk_u32 size = old->layout.state_stride;
    if (kind == RK_PER_SHARD && old->seat_count != fresh->seat_count)
        merge_states(old, fresh);
    else if (kind == RK_PER_SHARD)
        for (rk_u32 s = 0; s < old->seat_count; s++)
            memcpy(arena + fresh->seats[s].shard->state, arena + old->seats[s].shard->state, size);
    const rk_u32 from = old->seat_count, into = fresh->seat_count;
    if (kind != RK_PER_ACTOR || !from || !into) return;
    rk_u32 actors = old->options.actors < fresh->options.actors ? old->options.actors : fresh->options.actors;
    for (rk_u32 a = 0; a < actors; a++)
        memcpy(arena + fresh->seats[a % into].shard->state + (rk_u64)(a / into) * size,
               arena + old->seats[a % from].shard->state + (rk_u64)(a / from) * size, size);
}

/* With another number of shards, what sources have sent to each old shard is remembered as sent by kernels
 * that are gone, and they count from zero. */
static void move_end_counts(const rk_host_kernel *old, rk_host_kernel *fresh)
{
    rk_runtime *runtime = old->runtime;
    rk_byte *arena = runtime->arena.base;
    rk_u32 shards = fresh->seat_count;
    for (rk_u32 s = 0; s < old->seat_count; s++)
        fresh->seats[s % shards].gone_sent += old->seats[s].gone_sent;
    if (old->seat_count == shards) return;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        rk_host_kernel *from = runtime->kernels[n];
        for (rk_u32 s = 0; s < from->seat_count; s++) {
            const rk_shard *shard = from->seats[s].shard;
            for (rk_u32 e = 0; e < shard->edge_total; e++) {
                const rk_edge *edge = (const rk_edge *)(const void *)(arena + shard->edges) + e;
                rk_u64 *counts = (rk_u64 *)(void *)(arena + shard->edge_counts) + edge->counts;
                for (rk_u32 t = 0; edge->kernel_no == old->number && t < edge->shards; t++) {
                    fresh->seats[t % shards].gone_sent += counts[t];
                    counts[t] = 0;
                }
            }
        }
    }
}

/* What shards that are no more have sent to other kernels: their targets remember it (`times` 1), or forget that they did
 * (-1). */
static void move_sent_by_gone(const rk_host_kernel *old, rk_u32 shards, int times)
{
    rk_runtime *runtime = old->runtime;
    rk_byte *arena = runtime->arena.base;
    for (rk_u32 s = shards; s < old->seat_count; s++) {
        const rk_shard *shard = old->seats[s].shard;
        for (rk_u32 e = 0; e < shard->edge_total; e++) {
            const rk_edge *edge = (const rk_edge *)(const void *)(arena + shard->edges) + e;
            const rk_u64 *counts = (const rk_u64 *)(const void *)(arena + shard->edge_counts) + edge->counts;
            if (!edge->kernel_no || edge->kernel_no == old->number) continue; /* move_end_counts has those */
            rk_host_kernel *to = runtime->kernels[edge->kernel_no];
            for (rk_u32 t = 0; t < edge->shards && t < to->seat_count; t++)
                to->seats[t].gone_sent += times > 0 ? counts[t] : 0 - counts[t];
        }
    }
}

/* The timer hook of a merged state runs as soon as one of them asked. */
static void move_wake(const rk_turn *from, rk_seat *to)
{
    rk_u64 earliest = to->shard->turn.wake_ns;
    if (from->wake_ns && (!earliest || from->wake_ns < earliest)) rk_seat_wake_at(to, from->wake_ns);
}

/* The old shards' edges, until the wiring is made anew from them. */
static void move_edges(const rk_host_kernel *old, rk_host_kernel *fresh)
{
    rk_u32 shards = fresh->seat_count;
    for (rk_u32 s = 0; s < old->seat_count; s++) {
        const rk_turn *from = &old->seats[s].shard->turn;
        rk_turn *to = &fresh->seats[s % shards].shard->turn;
        move_meter(old->seats[s].shard, fresh->seats[s % shards].shard);
        move_wake(from, &fresh->seats[s % shards]);
        to->replies += from->replies;
        if (from->clock_hlc > to->clock_hlc) to->clock_hlc = from->clock_hlc;
    }
    for (rk_u32 s = 0; s < shards && s < old->seat_count; s++) {
        rk_shard *to = fresh->seats[s].shard;
        const rk_shard *from = old->seats[s].shard;
        to->edges = from->edges;
        to->edge_counts = from->edge_counts;
        to->edge_turns = from->edge_turns;
        to->edge_total = from->edge_total;
    }
}

/* ------------------------------------------------------------------ the whole */

/* Where a kernel lies, without what others may be using at this moment. */
static rk_host_kernel placing_of(const rk_host_kernel *k)
{
    rk_host_kernel copy = { .runtime = k->runtime,
                            .number = k->number,
                            .generation = k->generation,
                            .lives = k->lives,
                            .class = k->class,
                            .options = k->options,
                            .layout = k->layout,
                            .far_lanes = k->far_lanes,
                            .pools = k->pools,
                            .seats = k->seats,
                            .seat_count = k->seat_count };
    memcpy(copy.id, k->id, sizeof copy.id);
    return copy;
}

static rk_status build(rk_host_kernel *k, rk_host_kernel *fresh, const rk_launch_options *options)
{
    rk_status status = rk_kernel_place(fresh);
    if (status != RK_OK) return status;
    for (rk_u32 s = 0; s < fresh->seat_count; s++) fresh->seats[s].owner = k;
    rk_parameters_begin(fresh, k);
    rk_parameters_set(fresh, options->parameters, options->parameter_count);
    return RK_OK;
}

/* Plan it, and say all that is wrong; nothing has changed. */
static rk_status plan_again(rk_host_kernel *k, rk_launch_options *options, rk_host_kernel *fresh)
{
    const rk_class *class;
    const rk_u32 was = rk_atomic_u32(&k->life);
    if (was != RK_LIFE_LAUNCHED && was != RK_LIFE_ACTIVE && was != RK_LIFE_INACTIVE && was != RK_LIFE_FAILED)
        return rk_error(RK_CLOSED, "'%s' is %s", k->id, rk_life_name(was));
    *fresh = placing_of(k);
    fresh->far_lanes = 0;
    rk_status status =
        rk_kernel_plan(k->runtime, k, options->kernel_name ? options->kernel_name : k->class->name, options,
                       &class, &fresh->layout);
    if (class) status = rk_error_also(status, check_same(k, class, options));
    if (status != RK_OK) return status;
    if (options->device == RK_FROM_KERNEL) fresh->layout.place = k->layout.place;
    fresh->options = *options;
    if (options->device == RK_BESIDE_NEIGHBOUR) fresh->options.device = RK_FROM_KERNEL;
    fresh->options.kernel_name = class->name;
    fresh->options.parameters = 0;
    fresh->options.parameter_count = 0;
    return RK_OK;
}

/* Wait until its handlers have returned and what they sent has found room, the control lock free meanwhile,
 * so the plan is made again after that. */
static rk_status await_rest(rk_host_kernel *k, rk_launch_options *options, const rk_wait *wait,
                            rk_host_kernel *fresh)
{
    const rk_kernel handle = { k->number, k->generation };
    rk_host_kernel *same;
    if (rk_atomic_u32(&k->life) != RK_LIFE_ACTIVE) return RK_OK;
    rk_pause(k, 1, wait->deadline_ns);
    rk_status status = rk_kernel_check(k->runtime, handle, &same);
    if (status == RK_OK) status = plan_again(k, options, fresh);
    if (status != RK_OK) rk_unpause(k);
    return status;
}

/* The kernel lies where `of` does. */
static void take_place(rk_host_kernel *k, const rk_host_kernel *of)
{
    rk_seats_lock(k->runtime);
    k->options = of->options;
    k->layout = of->layout;
    k->far_lanes = of->far_lanes;
    k->pools = of->pools;
    k->seats = of->seats;
    k->seat_count = of->seat_count;
    rk_seats_unlock(k->runtime);
}

/* Where it lay, or would have, goes. */
static void leave_place(rk_host_kernel *of)
{
    for (rk_u32 s = 0; s < of->seat_count; s++) of->seats[s].owner = of;
    rk_kernel_unplace(of);
}

/* There was no room to wire it anew: it is where it was, with what it had. Only what it could not send any more was told,
 * and the counts of those who send to it may have gone on to the new place: the device has them. */
static void go_back(rk_host_kernel *k, const rk_host_kernel *old, const rk_circle *circle)
{
    rk_host_kernel fresh = placing_of(k);
    move_sent_by_gone(old, fresh.seat_count, -1);
    take_place(k, old);
    leave_place(&fresh);
    for (rk_u32 i = 0; i < circle->count; i++) (void)rk_kernel_fetch_wiring(circle->kernel[i]);
    (void)rk_kernel_store_later(k);
}

rk_status rk_kernel_relaunch(rk_runtime *runtime, rk_host_kernel *k, rk_launch_options *options,
                             rk_u64 timeout_ns, const rk_fresh_state *state)
{
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    rk_host_kernel fresh = placing_of(k);
    rk_circle circle;
    rk_status status = plan_again(k, options, &fresh);
    if (status == RK_OK) status = rk_prepare(runtime, k->class, &fresh.layout);
    if (status == RK_OK) status = await_rest(k, options, &wait, &fresh);
    if (status != RK_OK) return status;

    rk_u32 served = k->serving;
    status = rk_stop_between_batches(&k, 1, &wait);
    if (status != RK_OK) return status;
    const rk_u32 was = rk_atomic_u32(&k->life); /* it may have failed on the way there */
    status = rk_circle_stop(k, &circle);
    const int stopped = status == RK_OK;
    if (stopped) {
        rk_gate_close(k); /* not before: who sends here is not to wait for a neighbour's handler */
        status = rk_kernel_fetch(k);
    }
    if (status == RK_OK) {
        rk_reports_collect(k);
        if (options->device == RK_BESIDE_NEIGHBOUR) fresh.layout.place = rk_neighbour_place(k);
        status = check_room(k, &fresh.layout, options);
        if (status == RK_OK) status = build(k, &fresh, options);
        if (status == RK_OK && state && (status = rk_kernel_restore(&fresh, state)) != RK_OK)
            rk_kernel_unplace(&fresh);
        if (status == RK_OK) {
            rk_reports_of_unsent(k, RK_FAILED);
            for (rk_u32 s = 0; s < k->seat_count; s++) rk_blocks_unstage(&k->seats[s]);
            move_lanes(k, &fresh);
            if (!state) move_state(k, &fresh);
            move_edges(k, &fresh);
            move_end_counts(k, &fresh);
            move_sent_by_gone(k, fresh.seat_count, 1);
            rk_host_kernel old = placing_of(k);
            take_place(k, &fresh);
            status = rk_circle_wire(&circle);
            if (status != RK_OK && status != RK_DEVICE_LOST) {
                go_back(k, &old, &circle);
            } else {
                rk_seats_lock(runtime);
                k->epoch++;
                k->failure[0] = 0;
                rk_seats_unlock(runtime);
                if (status == RK_OK) status = rk_kernel_store_later(k);
                leave_place(&old);
                rk_atomic_set_u32(&k->stalled, 0);
                rk_atomic_set_u32(&k->hung, 0);
                rk_service_watch(runtime, k->options.handler_limit_ns);
                rk_atomic_set_u32(&k->closed, RK_OK);
                if (was == RK_LIFE_FAILED)
                    rk_atomic_set_u32(&k->life, k->activated_ns ? RK_LIFE_ACTIVE : RK_LIFE_LAUNCHED);
                if (was == RK_LIFE_FAILED && k->activated_ns) served = 1;
            }
        }
    }
    if (stopped) rk_circle_serve(&circle);
    const rk_status again = served ? rk_kernel_serve(k) : RK_OK;
    if (status == RK_OK) status = again;
    rk_gate_open(k);
    rk_event_raise(&k->room_event);
    rk_event_raise(&k->out_event);
    return status;
}

/* As a launch: without the control lock, and what will be refused is refused in its turn. */
static rk_status prepare_relaunch(rk_runtime *runtime, rk_kernel handle, rk_launch_options options)
{
    rk_host_kernel *k = 0;
    if (!runtime->backend->prepare) return RK_OK;
    pthread_mutex_lock(&runtime->control);
    rk_status status = rk_kernel_check(runtime, handle, &k);
    rk_host_kernel fresh = { 0 };
    if (status == RK_OK) status = plan_again(k, &options, &fresh);
    const rk_class *class = k ? k->class : 0;
    pthread_mutex_unlock(&runtime->control);
    if (status == RK_OK) return rk_prepare(runtime, class, &fresh.layout);
    rk_error_begin();
    return RK_OK;
}

rk_status rk_relaunch(rk_runtime *runtime, rk_kernel handle, const rk_launch_options *given,
                      rk_u64 timeout_ns)
{
    rk_host_kernel *k = 0;
    rk_launch_options options = rk_production();
    rk_status status = rk_runtime_check(runtime, "rk_relaunch");
    if (status == RK_OK && given) status = rk_check_size(given, sizeof options, "launch options");
    if (status != RK_OK) return status;
    if (given) memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    options.size = sizeof options;
    rk_under_way me;
    status = rk_under_way_begin(&me, runtime, "rk_relaunch");
    if (status != RK_OK) return status;
    status = prepare_relaunch(runtime, handle, options);
    if (status == RK_OK) {
        pthread_mutex_lock(&runtime->control);
        status = rk_runtime_check(runtime, "rk_relaunch"); /* still open? */
        if (status == RK_OK) status = rk_kernel_check(runtime, handle, &k);
        if (status == RK_OK) status = rk_kernel_relaunch(runtime, k, &options, timeout_ns, 0);
        pthread_mutex_unlock(&runtime->control);
    }
    rk_under_way_end(&me);
    return status;
}
