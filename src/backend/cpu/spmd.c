/* How a batch of an SPMD kernel goes:
 *
 *     [try] → begin (each thread gets its message) → run → end (what became of the messages)
 *
 * Each thread stages into a segment of its own, so the order of the threads in the stage doesn't depend on
 * the order in which they run. A trial run does the same on a copy of the shard's counters, and is taken
 * back. */
#include "backend/cpu/spmd.h"

#include "backend/cpu/fiber.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* What threads meet for. */
enum { MEETS_BARRIER = 1, MEETS_EXCHANGE, MEETS_BALLOT, MEETS_REDUCE };

static const char *const name_of_meeting[] = { "", "barrier", "shuffle", "vote", "sum" };

#define IS_WARP(scope) ((scope) == RK_SCOPE_WARP) /* else it is the block */

#define TEXT_BYTES 1024u

/* A place where threads stop. */
typedef struct spmd_stop {
    const char *where; /* the place is its address, and its text names it; NULL: at its end, or not begun */
    rk_u32 meets;      /* MEETS_* */
    rk_u32 scope;
} spmd_stop;

typedef struct spmd_thread {
    rk_context context; /* first: the services are handed a pointer to it */
    /* What a switch touches is one line. */
    struct spmd_team *team __attribute__((aligned(64)));
    spmd_stop stop;
    rk_u64 given;
    rk_u64 got;
    rk_u32 from; /* MEETS_EXCHANGE: whose value it wants */
    rk_u32 thread_;
    rk_fiber fiber;
    /* Its message. */
    rk_header *slot; /* NULL: none */
    rk_u8 flags;     /* of the slot, before the call */
} spmd_thread;
_Static_assert(offsetof(spmd_thread, fiber.stack_pointer) / 64 == offsetof(spmd_thread, team) / 64,
               "one line");

/* The threads of a block, and how far they are. There is one for each thread of the runtime that serves
 * SPMD kernels; they take turns on it. */
typedef struct spmd_team {
    spmd_thread *threads;
    rk_u32 capacity;
    rk_u32 count; /* threads of the kernel at work */
    void (*call)(rk_context *context);
    rk_fiber worker;

    /* The run. */
    rk_u32 descending;
    rk_i32 step; /* from a thread to the next: 1, or -1 */
    rk_u32 warp; /* which is running */
    rk_u32 diverged;
    spmd_thread *first; /* of the warp, in the order of the run */
    spmd_thread *last;
    spmd_stop warp_stop;  /* where the first of the warp stopped */
    spmd_stop block_stop; /* where the first warp of the block did */
    rk_u32 warp_mixed;    /* somebody in the warp stopped elsewhere */
    rk_u32 block_mixed;   /* somebody in the block did */
    rk_u32 widest_scope;  /* that the kernel's barriers may have */
    rk_u32 narrowest_scope;
    const char *narrowest; /* the meeting with the smallest scope so far */

    rk_shard trial; /* what a trial run counts and logs on */
    char text[TEXT_BYTES];
} spmd_team;

/* ------------------------------------------------------------------ texts */

typedef struct spmd_text {
    char *at;
    size_t left;
} spmd_text;

__attribute__((format(printf, 2, 3))) static void spmd_say(spmd_text *text, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    int said = vsnprintf(text->at, text->left, format, values);
    va_end(values);
    size_t bytes = said < 0 ? 0 : (size_t)said < text->left ? (size_t)said : text->left - 1;
    text->at += bytes;
    text->left -= bytes;
}

static int spmd_same_stop(const spmd_stop *a, const spmd_stop *b)
{
    return a->where == b->where && (!a->where || (a->scope == b->scope && a->meets == b->meets));
}

/* Who stopped at the same place as thread `like`: "threads 0-15 and 32-47". Returns how many. */
static rk_u32 spmd_say_who(spmd_text *text, const spmd_team *team, rk_u32 first, rk_u32 end, rk_u32 like)
{
    enum { RANGES = 3 }; /* more are not read anyway */
    rk_u32 who = 0;
    rk_u32 ranges = 0;
    for (rk_u32 t = first; t < end; t++)
        who += (rk_u32)spmd_same_stop(&team->threads[t].stop, &team->threads[like].stop);
    spmd_say(text, who == 1 ? "thread " : "threads ");
    for (rk_u32 t = first; t < end; t++) {
        rk_u32 from = t;
        while (t < end && spmd_same_stop(&team->threads[t].stop, &team->threads[like].stop)) t++;
        if (t == from) continue;
        if (++ranges > RANGES) {
            spmd_say(text, " and others");
            break;
        }
        spmd_say(text, "%s%u", ranges == 1 ? "" : " and ", from);
        if (t - from > 1) spmd_say(text, "-%u", t - 1);
    }
    return who;
}

/* Does one of these threads wait at the same line as `stop`, but elsewhere or for something else? If it is to be for
 * `meets`: for that. */
static rk_u32 spmd_meets_otherwise(const spmd_team *team, rk_u32 first, rk_u32 end, const spmd_stop *stop,
                                   rk_u32 meets)
{
    for (rk_u32 t = first; t < end; t++) {
        const spmd_stop *other = &team->threads[t].stop;
        if (!other->where || (other->where == stop->where && other->meets == stop->meets)) continue;
        if ((!meets || other->meets == meets) && strcmp(other->where, stop->where) == 0) return 1;
    }
    return 0;
}

/* Threads first … end - 1 should have stopped at one place: say where each did. */
static void spmd_tell_divergence(spmd_team *team, rk_u32 first, rk_u32 end)
{
    spmd_text text = { team->text, sizeof team->text };
    rk_u32 told = 0;
    spmd_say(&text, "divergent barrier: ");
    for (rk_u32 t = first; t < end; t++) {
        const spmd_stop *stop = &team->threads[t].stop;
        rk_u32 known = 0;
        for (rk_u32 before = first; before < t && !known; before++)
            known = (rk_u32)spmd_same_stop(&team->threads[before].stop, stop);
        if (known) continue;
        if (told++) spmd_say(&text, ", ");
        rk_u32 who = spmd_say_who(&text, team, first, end, t);
        if (!stop->where) {
            spmd_say(&text, who == 1 ? " has finished" : " have finished");
            continue;
        }
        spmd_say(&text, who == 1 ? " waits at %s" : " wait at %s", stop->where);
        if (spmd_meets_otherwise(team, first, end, stop, 0))
            spmd_say(&text, " for %s %s",
                     spmd_meets_otherwise(team, first, t, stop, stop->meets) ? "another" : "a",
                     name_of_meeting[stop->meets]);
        for (rk_u32 other = first; other < end; other++) {
            const spmd_stop *elsewhere = &team->threads[other].stop;
            if (!elsewhere->where || elsewhere->scope == stop->scope) continue;
            spmd_say(&text, IS_WARP(stop->scope) ? " for the warp" : " for the block");
            break;
        }
    }
}

static void spmd_tell_order(spmd_team *team)
{
    spmd_text text = { team->text, sizeof team->text };
    if (!team->narrowest)
        spmd_say(&text,
                 "the result depends on the order of the threads: they share memory without a barrier; use "
                 "rk_barrier(RK_SCOPE_BLOCK) between writing and reading it");
    else if (IS_WARP(team->narrowest_scope) && team->count > RK_WARP_SIZE)
        spmd_say(&text,
                 "the result depends on the order of the warps: the barrier at %s has warp scope, but warps "
                 "share memory; use RK_SCOPE_BLOCK",
                 team->narrowest);
    else
        spmd_say(&text,
                 "the result depends on the order of the threads: the barrier at %s doesn't separate all "
                 "writing of shared memory from its reading, or some of it is read and never written",
                 team->narrowest);
}

/* ------------------------------------------------------------------ meetings */

static rk_u32 spmd_warp_first(rk_u32 warp) { return warp * RK_WARP_SIZE; }

static rk_u32 spmd_warp_end(const spmd_team *team, rk_u32 warp)
{
    rk_u32 end = (warp + 1u) * RK_WARP_SIZE;
    return end < team->count ? end : team->count;
}

static rk_u32 spmd_first_warp(const spmd_team *team)
{
    return team->descending ? (team->count - 1u) / RK_WARP_SIZE : 0u;
}

/* Everybody of the scope is here: hand out what they came for. */
static void spmd_settle(spmd_team *team, const spmd_stop *stop, rk_u32 first, rk_u32 end)
{
    spmd_thread *threads = team->threads;
    rk_u64 all = 0;
    if (!team->narrowest || (IS_WARP(stop->scope) && !IS_WARP(team->narrowest_scope))) {
        team->narrowest = stop->where;
        team->narrowest_scope = stop->scope;
    }
    switch (stop->meets) {
    case MEETS_EXCHANGE:
        for (rk_u32 t = first; t < end; t++) {
            rk_u32 from = threads[t].from;
            threads[t].got = from < end - first ? threads[first + from].given : threads[t].given;
        }
        return;
    case MEETS_BALLOT:
        for (rk_u32 t = first; t < end; t++) all |= threads[t].given << ((t - first) & 63u);
        break;
    case MEETS_REDUCE:
        for (rk_u32 t = first; t < end; t++) all += threads[t].given;
        break;
    default: return;
    }
    for (rk_u32 t = first; t < end; t++) threads[t].got = all;
}

/* Begin a round of a warp; returns the thread that goes first. */
static spmd_thread *spmd_enter_warp(spmd_team *team, rk_u32 warp)
{
    spmd_thread *lowest = &team->threads[spmd_warp_first(warp)];
    spmd_thread *highest = &team->threads[spmd_warp_end(team, warp) - 1u];
    team->warp = warp;
    team->warp_mixed = 0;
    team->first = team->descending ? highest : lowest;
    team->last = team->descending ? lowest : highest;
    return team->first;
}

static spmd_thread *spmd_enter_block(spmd_team *team)
{
    team->block_mixed = 0;
    return spmd_enter_warp(team, spmd_first_warp(team));
}

static spmd_thread *spmd_diverge(spmd_team *team, rk_u32 first, rk_u32 end)
{
    spmd_tell_divergence(team, first, end);
    team->diverged = 1;
    return NULL;
}

/* All threads of the block have stopped, none of them for its warp. Returns who goes on; NULL: the worker. */
static spmd_thread *spmd_block_stopped(spmd_team *team)
{
    if (team->block_mixed) return spmd_diverge(team, 0, team->count);
    if (!team->block_stop.where) return NULL; /* the end */
    spmd_settle(team, &team->block_stop, 0, team->count);
    return spmd_enter_block(team);
}

/* All threads of the warp have stopped. Returns who goes on; NULL: the worker. */
static spmd_thread *spmd_warp_stopped(spmd_team *team)
{
    rk_u32 first = spmd_warp_first(team->warp);
    rk_u32 end = spmd_warp_end(team, team->warp);
    if (team->warp_mixed) {
        for (rk_u32 t = first; t < end; t++) {
            const spmd_stop *stop = &team->threads[t].stop;
            if (stop->where && IS_WARP(stop->scope)) return spmd_diverge(team, first, end);
        }
        team->block_mixed = 1; /* the other warps still run, so that the text can say where everybody is */
    } else if (team->warp_stop.where && IS_WARP(team->warp_stop.scope)) {
        spmd_settle(team, &team->warp_stop, first, end);
        return spmd_enter_warp(team, team->warp);
    }
    if (team->warp == spmd_first_warp(team))
        team->block_stop = team->warp_stop;
    else if (!spmd_same_stop(&team->warp_stop, &team->block_stop))
        team->block_mixed = 1;
    if (team->descending)
        return team->warp ? spmd_enter_warp(team, team->warp - 1u) : spmd_block_stopped(team);
    return end < team->count ? spmd_enter_warp(team, team->warp + 1u) : spmd_block_stopped(team);
}

/* Each fiber's frames have left the nearest cache by the time that it goes on, and so would stall the
 * switch twice: have those of the thread after the next on their way. */
static inline void spmd_fetch(const spmd_team *team, const spmd_thread *next)
{
    if (next == team->last) return;
    const char *frames = next[team->step].fiber.stack_pointer;
    __builtin_prefetch(frames, 1);
    __builtin_prefetch(frames + 64, 1);
}

/* This thread stops here, and the next one runs. Returns when this one goes on. */
static void spmd_rest(spmd_thread *thread, const char *where, rk_u32 meets, rk_u32 scope)
{
    spmd_team *team = thread->team;
    spmd_stop stop = { where, meets, scope };
    thread->stop = stop;
    if (thread == team->first)
        team->warp_stop = stop;
    else if (!spmd_same_stop(&stop, &team->warp_stop))
        team->warp_mixed = 1;
    spmd_thread *next;
    if (thread == team->last) {
        next = spmd_warp_stopped(team);
        if (next == thread) return; /* alone in its scope */
    } else {
        next = thread + team->step;
        spmd_fetch(team, next);
    }
    rk_fiber_switch(&thread->fiber, next ? &next->fiber : &team->worker);
}

static const char *name_of_scope(rk_u32 scope)
{
    static const char *const names[] = { "no", "warp", "block", "device", "system" };
    return scope < sizeof names / sizeof *names ? names[scope] : "an unknown";
}

/* The thread asks for a meeting of a scope that the kernel doesn't have: the block ends here. */
static void spmd_refuse_scope(spmd_thread *thread, rk_u32 meets, rk_u32 scope, const char *where)
{
    spmd_team *team = thread->team;
    const rk_u32 warps = team->widest_scope == RK_SCOPE_WARP;
    spmd_text text = { team->text, sizeof team->text };
    spmd_say(&text, "the %s at %s has %s scope, and the kernel's barriers have warp%s scope: %s",
             name_of_meeting[meets], where, name_of_scope(scope), warps ? "" : " or block",
             scope == RK_SCOPE_BLOCK ? "widen its .barrier"
             : warps                 ? "use RK_SCOPE_WARP"
                                     : "use RK_SCOPE_BLOCK");
    thread->stop.where = where;
    team->diverged = 1;
    rk_fiber_switch(&thread->fiber, &team->worker);
}

static rk_u64 spmd_meet(rk_context *context, rk_u32 meets, rk_u32 scope, const char *where, rk_u64 given,
                        rk_u32 from)
{
    spmd_thread *thread = (spmd_thread *)(void *)context;
    if (scope < RK_SCOPE_WARP || scope > thread->team->widest_scope)
        spmd_refuse_scope(thread, meets, scope, where);
    thread->given = given;
    thread->from = from;
    spmd_rest(thread, where, meets, scope);
    return thread->got;
}

void rk_spmd_barrier(rk_context *context, rk_u32 scope, const char *where)
{
    if (context->spmd) spmd_meet(context, MEETS_BARRIER, scope, where, 0, 0);
}

rk_u64 rk_spmd_exchange(rk_context *context, rk_u64 value, rk_u32 from, rk_u32 scope, const char *where)
{
    if (!context->spmd) return value;
    return spmd_meet(context, MEETS_EXCHANGE, scope, where, value,
                     IS_WARP(scope) ? from % RK_WARP_SIZE : from);
}

rk_u64 rk_spmd_ballot(rk_context *context, rk_u32 vote, rk_u32 scope, const char *where)
{
    if (!context->spmd) return vote != 0;
    return spmd_meet(context, MEETS_BALLOT, scope, where, vote != 0, 0);
}

rk_u64 rk_spmd_reduce(rk_context *context, rk_u64 value, rk_u32 scope, const char *where)
{
    if (!context->spmd) return value;
    return spmd_meet(context, MEETS_REDUCE, scope, where, value, 0);
}

/* ------------------------------------------------------------------ the team */

/* A fiber serves one batch after the other; in between it rests. */
static void spmd_body(void *argument)
{
    spmd_thread *thread = argument;
    for (;;) {
        thread->team->call(&thread->context);
        spmd_rest(thread, NULL, 0, 0);
    }
}

static void spmd_dismiss(spmd_team *team)
{
    for (rk_u32 t = 0; t < team->capacity; t++) rk_fiber_destroy(&team->threads[t].fiber);
    free(team->threads);
    team->threads = NULL;
    team->capacity = 0;
}

static void spmd_team_close(void *team)
{
    spmd_dismiss(team);
    free(team);
}

static pthread_key_t spmd_key;
static int spmd_key_made;
static pthread_once_t spmd_key_once = PTHREAD_ONCE_INIT;

static void spmd_make_key(void) { spmd_key_made = pthread_key_create(&spmd_key, spmd_team_close) == 0; }

/* Have at least this many threads. 0: there is no memory for them. */
static rk_u32 spmd_recruit(spmd_team *team, rk_u32 count)
{
    if (count <= team->capacity) return 1;
    spmd_dismiss(team); /* fibers know their threads by address, and all of them rest now */
    team->threads = aligned_alloc(_Alignof(spmd_thread), count * sizeof *team->threads);
    if (!team->threads) return 0;
    memset(team->threads, 0, count * sizeof *team->threads);
    for (; team->capacity < count; team->capacity++) {
        spmd_thread *thread = &team->threads[team->capacity];
        thread->team = team;
        if (rk_fiber_create(&thread->fiber, team->capacity) != RK_OK) {
            spmd_dismiss(team);
            return 0;
        }
    }
    return 1;
}

/* The calling thread's team. NULL: there is no memory for it. */
static spmd_team *spmd_team_of_worker(rk_u32 count)
{
    pthread_once(&spmd_key_once, spmd_make_key);
    if (!spmd_key_made) return NULL;
    spmd_team *team = pthread_getspecific(spmd_key);
    if (!team) {
        team = calloc(1, sizeof *team);
        if (!team) return NULL;
        if (pthread_setspecific(spmd_key, team) != 0) {
            free(team);
            return NULL;
        }
        rk_fiber_adopt(&team->worker);
    }
    return spmd_recruit(team, count) ? team : NULL;
}

/* Run all threads to their ends. 0: they have diverged, and team->text says how. */
static rk_u32 spmd_run(spmd_team *team, rk_u32 descending)
{
    team->descending = descending;
    team->step = descending ? -1 : 1;
    team->diverged = 0;
    team->narrowest = NULL;
    rk_fiber_switch(&team->worker, &spmd_enter_block(team)->fiber);
    if (!team->diverged) return 1;
    /* Who waits is never resumed; the others are at their ends, or have not begun. */
    for (rk_u32 t = 0; t < team->count; t++)
        if (team->threads[t].stop.where) rk_fiber_discard(&team->threads[t].fiber);
    return 0;
}

/* ------------------------------------------------------------------ messages and sends */

static rk_u32 spmd_segment(const rk_shard *shard) { return shard->max_sends + RK_STAGE_EXTRA; }

/* Give a thread the message at its position. What needs no handler is accounted for, and the thread has
 * none. */
static void spmd_give(spmd_thread *thread, const rk_declaration *spmd)
{
    rk_context *context = &thread->context;
    thread->slot = (rk_header *)(void *)rk_batch_slot(context, context->thread);
    thread->flags = thread->slot->flags;
    if (rk_message_begin(context, (rk_byte *)thread->slot)) {
        if (context->header->type == spmd->message->type) return;
        rk_message_dead(context, RK_REASON_STATUS + (rk_u32)RK_UNKNOWN_TYPE);
    }
    context->header = NULL;
    context->payload = NULL;
    context->payload_length = 0;
}

static void spmd_begin(spmd_team *team, const rk_context *context, const rk_declaration *spmd)
{
    rk_u32 segment = spmd_segment(context->shard);
    for (rk_u32 t = 0; t < team->count; t++) {
        spmd_thread *thread = &team->threads[t];
        rk_context *own = &thread->context;
        *own = *context;
        own->thread = t;
        own->threads = team->count;
        own->spmd = 1;
        own->received = 0;
        own->failed = 0;
        own->shared_used = 0;
        own->header = NULL;
        own->payload = NULL;
        own->payload_length = 0;
        own->view = NULL;
        own->stage_next = context->stage_next + t * segment;
        thread->stop.where = NULL;
        thread->slot = NULL;
        if (!thread->fiber.stack_pointer) rk_fiber_arm(&thread->fiber, spmd_body, thread);
        if (t < context->turn->n) spmd_give(thread, spmd);
        own->stage_first = own->stage_next; /* behind a report about the message */
        own->stage_limit = own->stage_next + context->shard->max_sends;
    }
}

/* Is this staged reference the message's own, sent on? */
static rk_u32 spmd_is_forwarded(const spmd_thread *thread, const rk_reference *reference)
{
    if (!thread->context.header || !(thread->flags & RK_FLAG_REFERENCE)) return 0;
    const rk_reference *own =
        (const rk_reference *)(const void *)((const rk_u8 *)thread->slot + thread->context.view->header_size);
    return reference->pool == own->pool && reference->block == own->block;
}

/* Undo what a call has staged: blocks go back to the pool, the message is as it was. */
static void spmd_take_back(spmd_thread *thread)
{
    rk_context *context = &thread->context;
    for (rk_u32 i = context->stage_first; i < context->stage_next; i++) {
        rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, i);
        const rk_reference *reference = (const rk_reference *)(const void *)(entry + 1);
        if ((entry->header.base.flags & RK_FLAG_REFERENCE) && !spmd_is_forwarded(thread, reference))
            rk_give_back(context, reference);
    }
    context->stage_next = context->stage_first;
    if (context->header) thread->slot->flags = thread->flags;
}

static rk_u32 spmd_staged_bytes(const rk_context *context, const rk_staged *entry)
{
    rk_u32 bytes = (rk_u32)sizeof(rk_staged) + (entry->header.base.length + 15u) / 16u * 16u;
    return bytes < context->stage_stride ? bytes : context->stage_stride;
}

/* Move what a thread has staged to where the thread before it ends. Returns where this one ends. */
static rk_u32 spmd_compact(const rk_context *context, rk_u32 first, rk_u32 next)
{
    for (rk_u32 i = first; i < context->stage_next; i++, next++) {
        if (i == next) continue;
        rk_staged *entry = rk_stage_entry(context->stage, context->stage_stride, i);
        rk_staged *to = rk_stage_entry(context->stage, context->stage_stride, next);
        memcpy(to, entry, spmd_staged_bytes(context, entry));
    }
    return next;
}

/* The calls are over: what failed takes back its sends, what was handled is done with, and the gaps
 * between the threads' segments are closed. `reason`, if not 0: all have failed. */
static void spmd_end(spmd_team *team, rk_context *context, rk_u32 reason)
{
    rk_u32 segment = spmd_segment(context->shard);
    rk_u32 next = context->stage_next;
    for (rk_u32 t = 0; t < team->count; t++) {
        rk_context *own = &team->threads[t].context;
        if (reason && !own->failed) own->failed = reason + 1u;
        if (own->failed) spmd_take_back(&team->threads[t]);
        if (own->header) rk_message_end(own);
        next = spmd_compact(own, context->stage_next + t * segment, next);
    }
    context->stage_next = next;
}

/* ------------------------------------------------------------------ the check */

static rk_u64 spmd_mix(rk_u64 digest, const void *bytes, rk_u64 length)
{
    const rk_u8 *from = bytes;
    for (rk_u64 done = 0; done < length; done += 8u) {
        rk_u64 word = 0;
        memcpy(&word, from + done, length - done < 8u ? length - done : 8u);
        digest = rk_hash64(digest + word + 0x9e3779b97f4a7c15ul);
    }
    return rk_hash64(digest + length);
}

/* What a send says, but for its time: the clock that stamps it goes by the order of the threads. */
static rk_u64 spmd_mix_send(const spmd_thread *thread, const rk_staged *entry, rk_u64 digest)
{
    const rk_header_long *header = &entry->header;
    rk_u64 facts[] = {
        header->base.type,   header->base.length,
        header->base.target, header->base.priority,
        header->base.flags,  header->id,
        header->correlation, header->ttl_us,
        entry->route,        entry->route == RK_TO_REPLY ? entry->asker : 0,
    };
    digest = spmd_mix(digest, facts, sizeof facts);
    const rk_reference *reference = (const rk_reference *)(const void *)(entry + 1);
    if (!(header->base.flags & RK_FLAG_REFERENCE) || spmd_is_forwarded(thread, reference))
        return spmd_mix(digest, entry + 1, header->base.length);
    const rk_context *context = &thread->context;
    const rk_u64 *table = (const rk_u64 *)(const void *)(context->arena + context->shard->pool_table);
    const rk_pool *pool = (const rk_pool *)(const void *)(context->arena + table[reference->pool]);
    return spmd_mix(digest, rk_pool_block(pool, context->arena, reference->block), reference->length);
}

/* What the calls did, in one number; and whether it says anything about the order of the threads. */
typedef struct spmd_result {
    rk_u64 digest;
    rk_u32 telling;
    rk_u32 result_;
} spmd_result;

static spmd_result spmd_result_of(spmd_team *team)
{
    const rk_context *any = &team->threads[0].context;
    spmd_result result = { 0, 0, 0 };
    for (rk_u32 t = 0; t < team->count; t++) {
        const spmd_thread *thread = &team->threads[t];
        const rk_context *context = &thread->context;
        rk_u64 facts[] = { t, context->failed, context->stage_next - context->stage_first };
        result.digest = spmd_mix(result.digest, facts, sizeof facts);
        for (rk_u32 i = context->stage_first; i < context->stage_next; i++)
            result.digest = spmd_mix_send(thread, rk_stage_entry(context->stage, context->stage_stride, i),
                                          result.digest);
        if (context->shared_used) result.telling = 1;
    }
    /* With the pool empty, who got its last blocks depends on the order, and that is no fault of the
     * kernel. */
    if (any->shard->pool && ((const rk_pool *)(const void *)(any->arena + any->shard->pool))->free_count == 0)
        result.telling = 0;
    return result;
}

#define POISON_TRIAL 0xa5
#define POISON_REAL 0x5a

static void spmd_poison(const rk_context *context, int byte)
{
    memset(context->shared, byte, context->shard->shared_size);
}

/* Run the batch on a shard of its own, which has the same constants and turn, and leave everything as it
 * was. 0: diverged. */
static rk_u32 spmd_try(spmd_team *team, const rk_context *context, const rk_declaration *spmd,
                       spmd_result *result)
{
    rk_context job = *context;
    memset(&team->trial, 0, sizeof team->trial);
    memcpy(&team->trial, context->shard, RK_OFFSET_OF(rk_shard, turn));
    team->trial.turn = *context->turn;
    team->trial.log_limit = 0;
    job.shard = &team->trial;
    job.turn = &team->trial.turn;
    spmd_begin(team, &job, spmd);
    for (rk_u32 t = 0; t < team->count; t++) team->threads[t].context.spmd = RK_SPMD_TRIAL;
    spmd_poison(context, POISON_TRIAL);
    rk_u32 done = spmd_run(team, 1);
    *result = spmd_result_of(team);
    for (rk_u32 t = 0; t < team->count; t++) {
        spmd_thread *thread = &team->threads[t];
        spmd_take_back(thread);
        if (thread->slot) thread->slot->flags = thread->flags;
    }
    return done;
}

/* ------------------------------------------------------------------ the batch */

static void spmd_fail(rk_context *context, rk_status status, const char *text)
{
    rk_u32 none = 0; /* else it is quarantined already, and stays so */
    __atomic_compare_exchange_n(&context->turn->failed, &none, (rk_u32)status, 0, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    rk_cpu_shard_failed(context, text);
}

static rk_u32 spmd_refuses(rk_context *context)
{
    const rk_shard *shard = context->shard;
    rk_u64 stage = (rk_u64)context->stage_next + (rk_u64)shard->threads * spmd_segment(shard);
    if (shard->threads == 0 || context->turn->n > shard->threads)
        spmd_fail(context, RK_INTERNAL, "an SPMD batch has more messages than the block has threads");
    else if (stage > shard->stage_capacity)
        spmd_fail(context, RK_INTERNAL,
                  "the stage of an SPMD kernel has less room than its threads may send");
    else
        return 0;
    return 1;
}

void rk_spmd_handle(rk_context *context, const rk_declaration *spmd, rk_u32 check)
{
    rk_shard *shard = context->shard;
    spmd_result tried = { 0, 0, 0 };
    rk_u32 sound = 1;
    if (spmd_refuses(context)) return;
    spmd_team *team = spmd_team_of_worker(shard->threads);
    if (!team) {
        spmd_fail(context, RK_OUT_OF_MEMORY,
                  "no memory for the stacks of an SPMD kernel's threads: use fewer threads");
        return;
    }
    team->count = shard->threads;
    team->call = spmd->call;
    team->widest_scope = spmd->attributes->barrier ? spmd->attributes->barrier : RK_SCOPE_BLOCK;
    check = check && shard->shared_size && context->shared && team->count > 1;

    if (check) sound = spmd_try(team, context, spmd, &tried);
    spmd_begin(team, context, spmd);
    if (sound) {
        if (check) spmd_poison(context, POISON_REAL);
        sound = spmd_run(team, 0);
    }
    if (sound && check) {
        spmd_result real = spmd_result_of(team);
        if (tried.telling && real.telling && tried.digest != real.digest) {
            spmd_tell_order(team);
            sound = 0;
        }
    }
    spmd_end(team, context, sound ? 0 : RK_REASON_STATUS + (rk_u32)RK_FAILED);
    if (!sound) spmd_fail(context, RK_FAILED, team->text);
}
