/* The dispatch loop: one visit to a shard.
 *
 *     take → order into a batch → rounds of handlers → stage → publish → commit → counters
 *
 * The group that serves a shard calls rk_visit over and over: a CPU worker for its shards in turn, a GPU
 * block for shards b, b + B, …, a slice once for each. A visit never waits. What is staged but finds no room
 * stays staged, and the next visit goes on with it (the shard is parked); the batch is committed only when
 * all of it is out, so a crash in between repeats messages and never loses them.
 *
 * Who includes this file says how handlers are called and what time it is:
 *     RK_LOOP_HANDLE(context)         run the handlers over the batch in context->turn
 *     RK_LOOP_DRAIN(context, actor)   run the drain hook of one actor or of the shard
 *     RK_LOOP_TIMER(context)          run the timer hook
 *     RK_LOOP_NOW(context)            ns on the runtime's clock
 * Threads of a block other than the leader only run handlers, between rk_visit_begin and rk_visit_end. */
#ifndef RINGKERNEL_DEVICE_LOOP_H
#define RINGKERNEL_DEVICE_LOOP_H

#include "batch.h"
#include "sources.h"
#include "spmd.h"
#include "take.h"

RK_FN void rk_phase(rk_context *context, rk_u32 phase)
{
    if (context->turn->phase == phase) return;
    context->turn->phase = phase;
#if !defined(RK_LANG_HOST)
    if (phase <= RK_PHASE_BUSY) { /* nothing that the host does rests on these; a release waits for the bus */
        rk_store_u32(&context->told->phase, phase, RK_RELAXED, RK_SCOPE_SYSTEM);
        return;
    }
#endif
    rk_store_u32(&context->told->phase, phase, RK_RELEASE, RK_SCOPE_SYSTEM);
}

/* How many messages this turn may take. 0: a batch is being gathered. */
RK_FN rk_u32 rk_turn_limit(rk_context *context, rk_u32 command)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 limit = shard->max_batch;
    if (shard->event_driven && shard->slice_messages && turn->slice_ns && turn->slice_left < limit)
        limit = turn->slice_left;
    if (shard->mode != RK_BATCH || shard->gather_limit_ns == 0 || command != RK_COMMAND_RUN) return limit;
    rk_u32 depth = rk_lane_depth(rk_shard_lane(context, 0), context->arena) +
                   rk_lane_depth(rk_shard_lane(context, 1), context->arena);
    if (depth == 0 || depth >= limit) {
        turn->gather_ns = 0;
        return limit;
    }
    context->now_ns = RK_LOOP_NOW(context);
    if (turn->gather_ns == 0) turn->gather_ns = context->now_ns;
    if (context->now_ns - turn->gather_ns < shard->gather_limit_ns) return 0;
    turn->gather_ns = 0;
    return limit;
}

/* Tell the targets how much they got from here. */
RK_FN void rk_end_edges(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL const rk_edge *edges = (RK_GLOBAL const rk_edge *)(context->arena + shard->edges);
    RK_GLOBAL const rk_u64 *counts = (RK_GLOBAL const rk_u64 *)(context->arena + shard->edge_counts);
    for (rk_u32 e = 0; e < shard->edge_total; e++) {
        if (edges[e].end_tables == 0) continue; /* the target is gone */
        RK_GLOBAL const rk_u64 *tables = (RK_GLOBAL const rk_u64 *)(context->arena + edges[e].end_tables);
        for (rk_u32 t = 0; t < edges[e].shards; t++) {
            RK_GLOBAL rk_u64 *word =
                (RK_GLOBAL rk_u64 *)(context->arena + tables[t]) + edges[e].end_slot + shard->shard;
            rk_store_u64(word, counts[edges[e].counts + t] + 1u, RK_RELEASE, RK_SCOPE_SYSTEM); /* N2 */
            RK_WAKE_CONSUMER(context, rk_edge_lane(context, &edges[e], t));
        }
    }
}

/* The host learns when the shard wants to be served although nothing comes: before the batch that asked leaves the lane,
 * so that a lane is never seen empty with a wish that nobody knows of; and when nothing is queued, so after what the
 * hook sent. models/drain_cycle.pml has both. */
RK_FN void rk_turn_tell_wake(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (turn->wake_told == turn->wake_ns) return;
    turn->wake_told = turn->wake_ns;
    rk_store_u64(&context->told->wake_ns, turn->wake_ns, RK_RELEASE, RK_SCOPE_SYSTEM);
}

/* Give the slots of the batch back and count it. */
RK_FN_LARGE void rk_turn_give_back(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 n = turn->n;
    rk_u64 done = RK_LOOP_NOW(context);
    rk_u64 took = done > turn->taken_ns ? done - turn->taken_ns : 0;
    if (turn->references) rk_release_references(context);
    rk_turn_tell_wake(context);
    rk_take_commit(context);
    for (rk_u32 l = 0; l < 2u; l++) RK_WAKE_PRODUCERS(context, rk_shard_lane(context, l));
    if (shard->event_driven) turn->slice_left = turn->slice_left > n ? turn->slice_left - n : 0;
    rk_histogram_add(&shard->meter.service, took / (n ? n : 1u), n);
    rk_count(&shard->meter.busy_ns, took);
    rk_store_u64(&shard->meter.last_ns, done, RK_RELAXED, RK_SCOPE_SYSTEM);
    rk_count(&shard->meter.handled, n);
    if (n > shard->meter.largest_batch)
        rk_store_u64(&shard->meter.largest_batch, n, RK_RELAXED, RK_SCOPE_SYSTEM);
}

/* Nobody but the shard makes room in its own lane: what its batch took is given back before what it has staged is out,
 * which stands whole in the stage. A drain that finds the lane empty then finds the shard parked, or its figure another
 * than before: models/drain_cycle.pml. */
RK_FN rk_u32 rk_turn_make_room(rk_context *context)
{
    if (context->turn->n == 0 || context->blocked != rk_shard_lane(context, 1)) return 0;
    rk_phase(context, RK_PHASE_PARKED);
    rk_count_released(&context->shard->meter.progress, 1);
    rk_turn_give_back(context);
    return rk_publish(context);
}

RK_FN rk_u32 rk_turn_all_out(rk_context *context)
{
    return rk_publish(context) || rk_turn_make_room(context);
}

/* Publish what is staged; without room, tell the lane that somebody waits and look once more (W2; a worker passes its fence and
 * looks again before it sleeps). */
RK_FN_LARGE rk_u32 rk_turn_publish(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (rk_turn_all_out(context)) {
        turn->parked = 0;
        return 1;
    }
    if (!turn->parked) {
        turn->parked = 1;
        turn->parked_ns = context->now_ns;
        rk_count(&context->shard->meter.parks, 1);
    }
#if defined(RK_LANG_HOST)
    RK_GLOBAL rk_lane *blocked;
    rk_phase(context, RK_PHASE_PARKED); /* before W2: who gives room back rings the shards that say so */
    do { /* the look may get past this lane, and stop at another, which must be told as well */
        blocked = context->blocked;
        if (blocked)
            (void)rk_exchange_u32(&rk_lane_ring(blocked, context->arena, 0)->waiting, 1, RK_SEQ_CST,
                                  RK_SCOPE_DEVICE); /* W2 */
        if (rk_turn_all_out(context)) {
            turn->parked = 0;
            return 1;
        }
    } while (context->blocked != blocked);
#endif
    return 0;
}

/* The batch is out. */
RK_FN void rk_turn_commit(rk_context *context)
{
    if (context->turn->n) {
        rk_turn_give_back(context);
        rk_count_released(&context->shard->meter.progress, 1);
    }
    context->turn->staged = 0;
    context->turn->published = 0;
}

/* A batch that was handled and is staged goes out. */
RK_FN rk_u32 rk_turn_finish(rk_context *context)
{
    if (!rk_turn_publish(context)) {
        rk_phase(context, RK_PHASE_PARKED);
        return RK_VISIT_PARKED;
    }
    if (context->shard->memory == RK_SEQUENTIAL) rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
    rk_u32 faults = rk_load_u32(&context->orders->faults, RK_RELAXED, RK_SCOPE_SYSTEM);
    if (faults != context->turn->faults && context->turn->n) { /* not given back already */
        context->turn->faults = faults;
        rk_store_u32(&context->turn->failed, RK_FAILED, RK_RELAXED, RK_SCOPE_SYSTEM);
        rk_phase(context, RK_PHASE_FAILED);
        return RK_VISIT_FAILED;
    }
    rk_turn_commit(context);
    rk_phase(context, RK_PHASE_BUSY);
    return RK_VISIT_WORKED;
}

/* 1: the kernel was given up while a hook of it ran: nothing that this has staged goes out, for where it would go may be
 * another's by now. */
RK_FN rk_u32 rk_turn_let_go(rk_context *context)
{
    if (rk_load_u32(&context->turn->failed, RK_ACQUIRE, RK_SCOPE_SYSTEM) != (rk_u32)RK_QUARANTINED) return 0;
    context->turn->staged = 0;
    rk_phase(context, RK_PHASE_FAILED);
    return 1;
}

/* What the drain hook or the timer hook of a shard may stage: an entry is left, which rk_try_send borrows. */
RK_FN rk_u32 rk_hook_limit(const rk_context *context)
{
    return context->shard->stage_capacity - RK_STAGE_EXTRA;
}

/* Is there room for as much as a hook is promised, what a whole batch may send? */
RK_FN rk_u32 rk_hook_has_room(const rk_context *context)
{
    const rk_u32 sends = context->shard->max_sends,
                 calls = context->shard->stage_capacity / (sends + RK_STAGE_EXTRA);
    return context->stage_next + calls * sends <= rk_hook_limit(context);
}

/* A hook is called without a message. */
RK_FN void rk_hook_begin(rk_context *context)
{
    context->header = 0;
    context->payload = 0;
    context->payload_length = 0;
    context->stage_first = context->stage_next;
    context->stage_limit = rk_hook_limit(context);
    context->failed = 0;
    context->shared_used = 0;
}

/* There is no message whose letter could tell that the hook has failed. */
RK_FN void rk_hook_end(rk_context *context)
{
    if (context->failed == RK_REASON_TOO_MANY_SENDS + 1u)
        rk_log(context, RK_ERROR, "a hook sent more than a batch may send");
    else if (context->failed)
        rk_log(context, RK_ERROR, "a hook failed: it has no message");
}

/* Nothing is queued and the sources have ended: the drain hook, once, and then the end. */
RK_FN_LARGE rk_u32 rk_turn_drain(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 hooks = shard->state_kind == RK_PER_ACTOR ? shard->actors_here : 1u;
    context->now_ns = RK_LOOP_NOW(context);
    rk_stage_begin(context);
    while (turn->drained < hooks && rk_hook_has_room(context)) {
        rk_hook_begin(context);
        RK_LOOP_DRAIN(context, turn->drained);
        rk_hook_end(context);
        turn->drained++;
    }
    turn->taken_ns = context->now_ns;
    turn->staged = context->stage_next;
    turn->published = 0;
    if (rk_turn_let_go(context)) return RK_VISIT_FAILED;
    if (!rk_turn_publish(context)) {
        rk_phase(context, RK_PHASE_PARKED);
        return RK_VISIT_PARKED;
    }
    turn->staged = 0;
    turn->published = 0;
    if (turn->drained < hooks) return RK_VISIT_WORKED;
    rk_end_edges(context);
    turn->wake_ns = 0; /* a drain hook's own wish comes to nothing */
    rk_turn_tell_wake(context);
    rk_phase(context, RK_PHASE_ENDED);
    return RK_VISIT_ENDED;
}

/* The timer hook. It asks again for what is due later. 1: what it has staged is out; 0: the shard is parked with it. */
RK_FN_LARGE rk_u32 rk_turn_hook(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    context->now_ns = RK_LOOP_NOW(context);
    turn->wake_ns = 0;
    turn->ticked = 1;
    context->state = context->shard_state;
    rk_stage_begin(context);
    rk_hook_begin(context);
    RK_LOOP_TIMER(context);
    rk_hook_end(context);
    turn->n = 0;
    turn->taken_ns = context->now_ns;
    turn->staged = context->stage_next;
    turn->published = 0;
    if (rk_turn_let_go(context)) return 0;
    if (!rk_turn_publish(context)) {
        rk_phase(context, RK_PHASE_PARKED);
        return 0;
    }
    turn->staged = 0;
    rk_count(&shard->meter.progress, turn->published != 0);
    turn->published = 0;
    return 1;
}

RK_FN rk_u32 rk_turn_tick(rk_context *context)
{
    return RK_LOOP_NOW(context) < context->turn->wake_ns || rk_turn_hook(context);
}

/* A drain doesn't wait for a time that nobody wants any more: the hook is asked beforehand, once nothing else is left to
 * do. It finds nothing due, and what it asks for then does matter. */
RK_FN rk_u32 rk_turn_asks(rk_context *context, rk_u32 ended)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    if (turn->wake_ns == 0 || turn->wake_asked > ended) return 1;
    turn->wake_asked = 1u + ended;
    return rk_turn_hook(context);
}

/* Event-driven: a slice begins with the first message after the last one ended, and ends at its bounds. */
RK_FN void rk_turn_slice(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    if (turn->slice_ns) {
        rk_u32 spent = shard->slice_messages && turn->slice_left == 0;
        rk_u32 over = shard->slice_limit_ns && RK_LOOP_NOW(context) - turn->slice_ns >= shard->slice_limit_ns;
        if (!spent && !over) return;
        turn->slice_ns = 0;
        rk_count(&shard->meter.slices, 1u);
    }
    turn->slice_left = shard->slice_messages ? shard->slice_messages : 0xffffffffu;
}

/* A visit up to its take. RK_VISIT_HANDLE: take up to *limit; or what the visit returns without that. */
RK_FN rk_u32 rk_visit_open(rk_context *context, rk_u32 *limit)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 command = rk_load_u32(&context->orders->command, RK_ACQUIRE,
                                 RK_SCOPE_SYSTEM); /* M1 pairs with the host's store, M2 */
    rk_count(&shard->meter.heartbeat, 1u);

    if (rk_load_u32(&turn->failed, RK_ACQUIRE, RK_SCOPE_SYSTEM)) return RK_VISIT_FAILED;
    if (turn->phase == RK_PHASE_ENDED) return RK_VISIT_ENDED;
    if (turn->parked) {
        context->now_ns = RK_LOOP_NOW(context);
        if (turn->n) return rk_turn_finish(context);
        if (!rk_turn_publish(context)) return RK_VISIT_PARKED;
        turn->staged = 0;
        turn->published = 0;
        rk_phase(context, RK_PHASE_BUSY);
    }
    if (command == RK_COMMAND_PAUSE) {
        rk_phase(context, RK_PHASE_PAUSED);
        return RK_VISIT_PAUSED;
    }
    if (turn->wake_ns && !rk_turn_tick(context)) return RK_VISIT_PARKED;
    if (shard->event_driven) rk_turn_slice(context);
    *limit = rk_turn_limit(context, command);
    return *limit ? RK_VISIT_HANDLE : RK_VISIT_WAITS;
}

/* A visit from its take to its handlers. RK_VISIT_HANDLE, or what the visit returns without them. */
RK_FN rk_u32 rk_visit_taken(rk_context *context)
{
    RK_GLOBAL rk_shard *shard = context->shard;
    RK_GLOBAL rk_turn *turn = context->turn;
    if (turn->n == 0) {
        rk_u32 command = rk_load_u32(&context->orders->command, RK_ACQUIRE, RK_SCOPE_SYSTEM); /* M1 */
        rk_u32 drains = command == RK_COMMAND_DRAIN, ended = drains && rk_sources_ended(context);
        if (command == RK_COMMAND_END || (ended && !turn->wake_ns && !rk_awaits_replies(context)))
            return rk_turn_drain(context);
        if (drains && !rk_turn_asks(context, ended)) return RK_VISIT_PARKED;
        rk_turn_tell_wake(context);
        rk_phase(context, RK_PHASE_IDLE);
        if (!turn->ticked) return RK_VISIT_IDLE;
        turn->ticked = 0;
        return RK_VISIT_WORKED;
    }
    turn->ticked = turn->wake_asked = 0;
    context->now_ns = turn->taken_ns = RK_LOOP_NOW(context);
    if (shard->event_driven && turn->slice_ns == 0) turn->slice_ns = context->now_ns;
    for (rk_u32 v = 0; v < turn->views; v++) rk_take_stamp(context, &turn->view[v]);
    if (shard->memory == RK_SEQUENTIAL) rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
    rk_stage_begin(context);
    return RK_VISIT_HANDLE;
}

/* A visit up to its handlers. */
RK_FN rk_u32 rk_visit_begin(rk_context *context)
{
    rk_u32 limit = 0;
    rk_u32 visit = rk_visit_open(context, &limit);
    if (visit != RK_VISIT_HANDLE) return visit;
    rk_take(context, limit);
    return rk_visit_taken(context);
}

/* A visit after its handlers, which have staged context->stage_next entries. */
RK_FN rk_u32 rk_visit_end(rk_context *context)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 failed = rk_load_u32(&turn->failed, RK_ACQUIRE, RK_SCOPE_SYSTEM);
    turn->staged = failed == (rk_u32)RK_QUARANTINED
                       ? 0u
                       : context->stage_next; /* quarantined meanwhile: nothing goes out */
#if defined(RK_HAS_STRAIGHT)
    turn->published = rk_publish_straight(context);
#elif !defined(RK_LANG_CUDA) /* where the block has published a part of it already */
    turn->published = 0;
#endif
    if (failed) {
        /* The handlers failed as a whole: their messages are staged as dead letters. Without room for those
         * the batch stays queued. */
        if (failed != (rk_u32)RK_QUARANTINED && rk_publish(context)) rk_turn_commit(context);
        rk_phase(context, RK_PHASE_FAILED);
        return RK_VISIT_FAILED;
    }
    return rk_turn_finish(context);
}

/* One visit, by one thread. Returns RK_VISIT_*. On a device a whole block makes it, see entry.h. */
#if defined(RK_LOOP_HANDLE)
RK_FN rk_u32 rk_visit(rk_context *context)
{
    rk_u32 visit = rk_visit_begin(context);
    if (visit != RK_VISIT_HANDLE) return visit;
    RK_LOOP_HANDLE(context);
    return rk_visit_end(context);
}
#endif

/* Point a context at a shard. */
RK_FN void rk_context_open(rk_context *context, rk_byte *arena, RK_GLOBAL rk_shard *shard)
{
    context->arena = arena;
    context->shard = shard;
    context->turn = &shard->turn;
    context->orders = context->told = (RK_GLOBAL rk_orders *)(arena + shard->orders);
    context->stage = arena + shard->stage;
    context->stage_stride = shard->stage_stride;
    context->parameters = (RK_GLOBAL const rk_u64 *)(arena + shard->parameters);
    context->features = shard->features;
    context->shard_state =
        shard->state_kind == RK_STATELESS ? (RK_GLOBAL void *)0 : (RK_GLOBAL void *)(arena + shard->state);
    context->state = context->shard_state;
    context->header = 0;
    context->spmd = 0;
    context->shared_used = 0;
    context->received = 0;
    rk_stage_begin(context);
#if defined(RK_LANG_CUDA)
    context->meter = &shard->meter;
    context->payload_max = 0xffffffffu;
    context->only = context->routes = context->unusual = 0;
#endif
}

#endif
