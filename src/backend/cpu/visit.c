#include "visit.h"

#include "../../runtime/fence.h"
#include "../../runtime/futex.h"
#include "../../runtime/kernel.h"
#include "../../runtime/module.h"
#include "../../runtime/service.h"
#include "clock.h"
#include "spmd.h"

static rk_seat *seat_of(rk_context *context) { return context->host; }

/* ------------------------------------------------------------------ what the loop asks for */

static inline rk_u64 loop_now(rk_context *context)
{
    rk_runtime *runtime = seat_of(context)->owner->runtime;
    if (runtime->options.clock_ns) return runtime->options.clock_ns(runtime->options.clock_user);
    return rk_clock_now(&seat_of(context)->clock);
}

static void unknown_type(rk_context *context, rk_byte *slot)
{
    if (rk_message_begin(context, slot)) rk_message_dead(context, RK_REASON_STATUS + (rk_u32)RK_UNKNOWN_TYPE);
}

/* Message handlers: run by run of one type. On the CPU a group is one thread, so messages come in their order
 * and the rounds of a device are one. */
static void handle_messages(rk_context *context, const rk_class *class)
{
    rk_turn *turn = context->turn;
    rk_straight_open(context);
    for (rk_u32 v = 0; v < turn->views; v++) {
        rk_view *view = &turn->view[v];
        context->view = view;
        const rk_declaration *handler = class->handlers[0];
        for (rk_u32 i = 0; i < view->n;) {
            rk_byte *slot = rk_view_slot(view, context->arena, i);
            rk_u32 type = ((const rk_header *)(const void *)slot)->type;
            if (handler->message->type != type) handler = rk_class_handler(class, type);
            if (handler) {
                i = handler->run(context, view, i, view->n);
            } else {
                unknown_type(context, slot);
                handler = class->handlers[0];
                i++;
            }
        }
    }
}

/* Batch handlers: group by group. */
static void handle_batches(rk_context *context, const rk_class *class)
{
    rk_turn *turn = context->turn;
    rk_shard *shard = context->shard;
    rk_u32 *scratch = (rk_u32 *)(void *)(context->arena + shard->order);
    rk_u32 per_actor = shard->state_kind == RK_PER_ACTOR;
    rk_u32 count = rk_batch_order(context, scratch, turn->n, per_actor);
    for (rk_u32 first = 0; first < count; first += context->batch_n) {
        rk_u32 n = rk_batch_group(context, scratch, first, count, per_actor);
        rk_byte *slot = rk_batch_slot(context, scratch[first]);
        const rk_declaration *handler =
            rk_class_handler(class, ((const rk_header *)(const void *)slot)->type);
        context->order = scratch;
        context->batch_first = first;
        context->batch_n = n;
        if (!handler) {
            for (rk_u32 i = 0; i < n; i++) {
                context->header = rk_batch_header(context, scratch[first + i]);
                rk_message_dead(context, RK_REASON_STATUS + (rk_u32)RK_UNKNOWN_TYPE);
            }
            continue;
        }
        context->header = (const rk_header *)(const void *)slot;
        context->payload = rk_message_bytes(context, context->header, &context->payload_length);
        context->state = context->shard_state;
        if (per_actor)
            context->state = (rk_byte *)context->shard_state +
                             (rk_u64)(context->header->target / shard->shards) * shard->state_size;
        context->stage_first = context->stage_next;
        context->stage_limit = context->stage_next + shard->max_sends;
        context->failed = 0;
        context->shared_used = 0;
        handler->call(context);
        rk_batch_end(context);
    }
    context->batch_n = 0;
}

static void loop_handle(rk_context *context)
{
    rk_host_kernel *kernel = seat_of(context)->owner;
    const rk_class *class = kernel->class;
    if (class->spmd)
        rk_spmd_handle(context, class->handlers[0], kernel->options.spmd_check);
    else if (class->batch)
        handle_batches(context, class);
    else
        handle_messages(context, class);
}

static void loop_drain(rk_context *context, rk_u32 actor)
{
    const rk_class *class = seat_of(context)->owner->class;
    if (!class->drain) return;
    context->state = context->shard_state;
    if (context->shard->state_kind == RK_PER_ACTOR)
        context->state = (rk_byte *)context->shard_state + (rk_u64)actor * context->shard->state_size;
    class->drain->call(context);
}

static void loop_timer(rk_context *context) { seat_of(context)->owner->class->timer->call(context); }

#define RK_LOOP_HANDLE(context) loop_handle(context)
#define RK_LOOP_DRAIN(context, actor) loop_drain(context, actor)
#define RK_LOOP_TIMER(context) loop_timer(context)
#define RK_LOOP_NOW(context) loop_now(context)
#include <ringkernel/device/loop.h>

/* ------------------------------------------------------------------ services */

/* The consumer of `lane` slept, and something is there. */
static void wake(rk_context *context, rk_lane *lane)
{
    rk_runtime *runtime = seat_of(context)->owner->runtime;
    rk_host_kernel *owner = runtime->kernels[lane->owner];
    if (!owner) return; /* the lane of kernels that are gone */
    rk_seat *seat = &owner->seats[lane->shard];
    rk_u64 offset = (rk_u64)((rk_byte *)lane - runtime->arena.base);
    if (offset == seat->shard->report_lane)
        rk_service_ring(runtime);
    else if (offset == seat->shard->out_lane)
        rk_event_raise(&owner->out_event);
    else
        runtime->backend->ring(seat);
}

/* Somebody waits for room in `lane`, one of this kernel's inbox, and there is some. */
static void room(rk_context *context, rk_lane *lane)
{
    rk_seat *seat = seat_of(context);
    rk_u64 offset = (rk_u64)((rk_byte *)lane - context->arena);
    if (offset == context->shard->lane[0])
        rk_event_raise(&seat->owner->room_event);
    else
        seat->owner->runtime->backend->ring_parked(seat->owner->runtime);
}

static rk_u32 refused(rk_context *context, rk_staged *entry, rk_status status)
{
    const rk_class *class = seat_of(context)->owner->class;
    if (!class->refused || entry->route == RK_TO_REPORT) return 0;
    rk_refusal refusal = {
        status, entry->header.base.type, entry->header.base.target, 0, entry->header.id, 0
    };
    refusal.payload = rk_staged_body(context, entry, &refusal.length);
    return class->refused->refused(context, &refusal);
}

static const rk_services services = {
    .size = sizeof(rk_services),
    .wake = wake,
    .room = room,
    .refused = refused,
    .barrier = rk_spmd_barrier,
    .exchange = rk_spmd_exchange,
    .ballot = rk_spmd_ballot,
    .reduce = rk_spmd_reduce,
};

/* ------------------------------------------------------------------ visits */

void rk_cpu_seat_open(rk_seat *seat)
{
    rk_context *context = &seat->context;
    rk_context_open(context, seat->owner->runtime->arena.base, seat->shard);
    context->host = seat;
    context->services = &services;
    context->light_wake = rk_fence_is_asked();
    context->thread = 0;
    context->threads = 1;
    context->shared = context->arena + seat->shard->shared;
    seat->clock = (rk_seat_clock){ .can_count = rk_clock_can_count() };
}

static rk_u32 visited(rk_seat *seat, rk_u32 result)
{
    if (result == RK_VISIT_FAILED && rk_atomic_u32(&seat->owner->life) != RK_LIFE_FAILED &&
        rk_atomic_u32(&seat->shard->turn.failed) != RK_QUARANTINED)
        rk_kernel_failed(seat->owner, "stopped between publishing and committing a batch");
    return result;
}

rk_u32 rk_cpu_visit(rk_seat *seat) { return visited(seat, rk_visit(&seat->context)); }

/* ------------------------------------------------------------------ one message at a time */

/* Is the next message of this ring there? */
static int is_next_there(const rk_ring *ring, rk_byte *arena)
{
    const rk_u32 *lap = (const rk_u32 *)(void *)rk_ring_slot(ring, arena, ring->head);
    return rk_load_u32(lap, RK_ACQUIRE, RK_SCOPE_DEVICE) == rk_ring_lap(ring, ring->head); /* C1 */
}

rk_u32 rk_cpu_await(const rk_seat *seat, rk_u32 looks)
{
    rk_byte *arena = seat->context.arena;
    const rk_lane *from_host = rk_seat_lane(seat, 0), *from_device = rk_seat_lane(seat, 1);
    const rk_ring *first = rk_lane_ring(from_host, arena, 0), *second = rk_lane_ring(from_device, arena, 0);
    if (from_host->bands > 1 || from_device->bands > 1 || first->overwritten || second->overwritten) {
        rk_port_pause();
        return RK_AWAITED_NONE;
    }
    while (looks--) {
        rk_port_pause();
        if (is_next_there(first, arena)) return 0;
        if (is_next_there(second, arena)) return 1;
    }
    return RK_AWAITED_NONE;
}

int rk_cpu_has_next(const rk_seat *seat, rk_u32 lane)
{
    rk_byte *arena = seat->context.arena;
    return is_next_there(rk_lane_ring(rk_seat_lane(seat, lane), arena, 0), arena);
}

/* Would a visit do no more than to take messages, hand them to their handlers and show what those sent? */
static int is_plain(const rk_context *context, const rk_class *class, const rk_ring *ring)
{
    const rk_shard *shard = context->shard;
    const rk_turn *turn = context->turn;
    return rk_load_u32(&context->orders->command, RK_ACQUIRE, RK_SCOPE_SYSTEM) == RK_COMMAND_RUN && /* M1 */
           !rk_load_u32(&context->turn->failed, RK_ACQUIRE, RK_SCOPE_SYSTEM) &&
           turn->phase != RK_PHASE_ENDED && !turn->parked && !turn->wake_ns && !shard->event_driven &&
           shard->mode != RK_BATCH && shard->memory != RK_SEQUENTIAL && !class->spmd && !class->batch &&
           ring->format == RK_FORMAT_SEQ;
}

/* The next message of a lane, which is there: what rk_visit comes to for it, without a look at anything else. The line
 * that its answer to the host goes into comes from the host's core, which looks there for the answer. It is asked for as
 * the handler begins: sooner, and the host's looks have it back before it is written. */
static rk_u32 visit_alone(rk_context *context, const rk_class *class, rk_u32 lane, const rk_ring *ring)
{
    rk_turn *turn = context->turn;
    rk_view *view = &turn->view[0];
    rk_count(&context->shard->meter.heartbeat, 1u);
    rk_take_none(turn);
    rk_view_open(context, view, rk_shard_lane(context, lane)->rings[0], ring->head, 1, 0);
    rk_view_in_place(view, ring);
    turn->next_lane = (turn->next_lane & ~1u) | (lane ^ 1u);
    turn->views = turn->n = 1;
    turn->ticked = turn->wake_asked = 0;
    context->now_ns = turn->taken_ns = loop_now(context);
    rk_take_stamp(context, view);
    rk_stage_begin(context);
    const rk_ring *out = rk_straight_ring(context);
    if (out) rk_line_expect(rk_ring_slot(out, context->arena, out->tail));
    handle_messages(context, class);
    return rk_visit_end(context);
}

rk_u32 rk_cpu_visit_awaited(rk_seat *seat, rk_u32 lane)
{
    rk_context *context = &seat->context;
    const rk_class *class = seat->owner->class;
    const rk_ring *ring = rk_lane_ring(rk_seat_lane(seat, lane), context->arena, 0);
    return is_plain(context, class, ring) ? visited(seat, visit_alone(context, class, lane, ring))
                                          : rk_cpu_visit(seat);
}

void rk_cpu_shard_failed(rk_context *context, const char *text)
{
    rk_kernel_failed(seat_of(context)->owner, text);
}
