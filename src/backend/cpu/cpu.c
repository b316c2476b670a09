/* The CPU backend: workers that serve shards in turn.
 *
 * A worker goes round its list of seats and visits each once, so a flooded shard holds up another for one
 * turn at most. A seat without work goes cold after a while and is not visited until it is rung; a worker
 * whose seats are all cold parks. Lists are immutable: a change makes a new one. A worker announces that it
 * looks through its list and then looks whether that is still the one (V1), and announces each seat that it
 * visits before it is done looking; who changes a list does so first and then looks what is announced (V2):
 * so a seat that was taken off a list is touched no more once its worker neither looks nor visits it.
 *
 * A handler that doesn't return can't be stopped. Its worker keeps the one kernel and the others get a new
 * worker. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/kernel.h"
#include "../../runtime/module.h"
#include "../../runtime/wake.h"
#include "../attributes.h"
#include "topology.h"
#include "visit.h"

#define COLD_VISITS 64u /* a seat goes cold after so many idle visits, and the spin time */

#define LOOKS 8u  /* of a worker with one seat after an idle visit, see rk_cpu_await, */
#define STAYS 16u /* and messages for which it stays with that before it looks at its list again */

typedef struct seat_list {
    struct seat_list *retired; /* next of those that may still be in use */
    rk_u32 count;
    rk_seat *seat[];
} seat_list;

typedef struct worker {
    rk_runtime *runtime;
    pthread_t thread;
    rk_u32 index;      /* core */
    rk_u32 lonely;     /* serves one kernel whose handler is, or was, stuck: gets no other */
    seat_list *list;   /* atomic */
    seat_list *in_use; /* atomic: the list that the worker goes by */
    rk_seat *visiting; /* atomic; LOOKING: none, but the seats of the list are read */
    rk_u64 visits;     /* atomic */
    rk_u32 event;      /* futex: raised when anything changed */
    rk_u32 parked;
    rk_u32 stop;
    rk_u32 abandoned;   /* quarantined: leaves when the handler returns, if it ever does */
    seat_list *retired; /* control lock */
    struct worker *next_ended;
    rk_u64 watched_visits, watched_since_ns; /* the watch's, as is */
    rk_host_kernel *hangs_in;                /* the kernel whose handler runs for too long; 0: none */
} worker;
#define LOOKING ((rk_seat *)1)

typedef struct workers {
    rk_u32 count, room;
    rk_u32 wanted; /* without lonely ones */
    worker **at;
    worker *ended; /* kept until close: somebody may still be ringing them */
} workers;

static workers *workers_of(const rk_runtime *runtime) { return runtime->backend_data; }

/* ------------------------------------------------------------------ the worker's side */

/* Wake a worker that may be parked. Pairs with park: both sides are sequentially consistent, so either the
 * worker sees the event, or this sees that it is parked. */
static void ring_worker(worker *w)
{
    __atomic_fetch_add(&w->event, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->parked, __ATOMIC_SEQ_CST)) rk_futex_wake(&w->event);
}

static void park(worker *w, rk_u32 seen, rk_u64 ns)
{
    (void)__atomic_exchange_n(&w->parked, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&w->event, __ATOMIC_SEQ_CST) == seen) rk_futex_wait(&w->event, seen, ns);
    __atomic_store_n(&w->parked, 0, __ATOMIC_RELEASE);
}

/* Say in both lanes that the consumer sleeps (W2); where its shard is parked, `waiting` says so for the producer. It is looked
 * at once more, behind the heavy fence. */
static void announce_cold(rk_seat *seat)
{
    for (rk_u32 l = 0; l < 2; l++)
        rk_wake_ask(&rk_lane_ring(rk_seat_lane(seat, l), seat->context.arena, 0)->asleep);
    seat->asked = 1;
    seat->asked_parks = seat->shard->meter.parks;
    seat->asked_blocked = seat->shard->turn.parked ? seat->context.blocked : 0;
}

/* When a seat that waits must be looked at again although nobody rings: the gather time is over, the deadline of
 * a staged send, or a time that its kernel asked for. */
static rk_u64 wake_time(const rk_seat *seat, rk_u32 result)
{
    const rk_shard *shard = seat->shard;
    const rk_turn *turn = &shard->turn;
    if (result == RK_VISIT_PARKED && !seat->context.blocked)
        return rk_runtime_now(seat->owner->runtime) + RK_MILLISECONDS(1); /* for a block: nobody rings */
    if (result == RK_VISIT_PARKED)
        return shard->send_deadline_ns ? turn->parked_ns + shard->send_deadline_ns : 0;
    if (result != RK_VISIT_WAITS) return turn->wake_ns;
    rk_u64 gathered_ns = turn->gather_ns + shard->gather_limit_ns;
    return turn->wake_ns && turn->wake_ns < gathered_ns ? turn->wake_ns : gathered_ns;
}

typedef struct sweep {
    rk_u64 wake_at_ns; /* earliest; 0: none */
    rk_u32 busy;       /* some seat did something, or is not cold yet */
    rk_u32 worked;     /* some seat did something */
    rk_u32 asked;      /* some seat is to be looked at once more before it sleeps */
} sweep;

/* What a visit's result means for the seat: hot, or cold until it is rung. */
static void settle(worker *w, rk_seat *seat, rk_u32 result, sweep *s)
{
    rk_u64 spin = w->runtime->options.spin_ns;
    seat->asked = 0; /* in a round that was broken off, perhaps: its word may have been taken since */
    if (result == RK_VISIT_WORKED) {
        seat->idle_visits = 0;
        s->busy = 1;
        s->worked = 1;
        return;
    }
    if (result == RK_VISIT_PAUSED || result == RK_VISIT_ENDED || result == RK_VISIT_FAILED) {
        seat->cold = 1;
        return;
    }
    if (seat->idle_visits++ == 0) seat->idle_since_ns = 0;
    if (seat->idle_visits < COLD_VISITS) {
        s->busy = 1;
        return;
    }
    if (seat->idle_visits % COLD_VISITS == 0) {
        rk_u64 now = rk_monotonic_ns();
        if (seat->idle_since_ns == 0) seat->idle_since_ns = now;
        if (now - seat->idle_since_ns >= spin) {
            announce_cold(seat);
            s->asked = 1;
            return;
        }
    }
    s->busy = 1;
}

/* The last look at a seat that is about to sleep. One that works stays hot, and so does one that asked for room meanwhile: its
 * word was not there at the fence. */
static void settle_asked(rk_seat *seat, rk_u32 result, sweep *s)
{
    seat->asked = 0;
    if (result == RK_VISIT_WORKED) {
        seat->idle_visits = 0;
        s->busy = s->worked = 1;
        return;
    }
    if (result == RK_VISIT_PARKED &&
        (seat->asked_parks != seat->shard->meter.parks || seat->asked_blocked != seat->context.blocked)) {
        s->busy = 1;
        return;
    }
    seat->cold = 1;
    seat->wake_at_ns = wake_time(seat, result);
    if (seat->wake_at_ns && (!s->wake_at_ns || seat->wake_at_ns < s->wake_at_ns))
        s->wake_at_ns = seat->wake_at_ns;
}

/* No detour by the list for who waits for one message at a time. */
static void stay(worker *w, rk_seat *seat, sweep *s)
{
    for (rk_u32 n = 0; n < STAYS && !seat->cold && !seat->asked; n++) {
        rk_u32 lane = rk_cpu_await(seat, LOOKS);
        if (lane == RK_AWAITED_NONE) return;
        settle(w, seat, rk_cpu_visit_awaited(seat, lane), s);
        __atomic_store_n(&w->visits, w->visits + 1, __ATOMIC_RELEASE);
        if (rk_cpu_has_next(seat, lane)) return; /* more than one: a visit takes them together */
    }
}

/* 0: the list is another one by now, and no seat of the old one may be touched. */
static int may_look(worker *w, const seat_list *list)
{
    (void)__atomic_exchange_n(&w->visiting, LOOKING, __ATOMIC_SEQ_CST); /* V1 */
    if (__atomic_load_n(&w->list, __ATOMIC_SEQ_CST) == list) return 1;
    __atomic_store_n(&w->visiting, (rk_seat *)0, __ATOMIC_RELEASE);
    return 0;
}

/* Once more to those that said that they sleep, behind one heavy fence for all. */
static void look_again(worker *w, seat_list *list, sweep *s)
{
    rk_fence_heavy();
    int may = may_look(w, list);
    for (rk_u32 i = 0; may && i < list->count; i++) {
        rk_seat *seat = list->seat[i];
        if (!seat->asked) continue;
        __atomic_store_n(&w->visiting, seat, __ATOMIC_RELEASE);
        settle_asked(seat, rk_cpu_visit(seat), s);
        __atomic_store_n(&w->visits, w->visits + 1, __ATOMIC_RELEASE);
        may = may_look(w, list);
    }
    if (!may) s->busy = 1; /* who has them now asks again */
}

/* Once round the list. */
static sweep go_round(worker *w, seat_list *list)
{
    sweep s = { 0, 0, 0, 0 };
    rk_u64 now = 0;
    if (!may_look(w, list)) return (sweep){ 0, 1, 0, 0 };
    for (rk_u32 i = 0; i < list->count; i++) {
        rk_seat *seat = list->seat[i];
        if (seat->cold) {
            if (seat->wake_at_ns && !now) now = rk_runtime_now(w->runtime);
            rk_u32 due = seat->wake_at_ns && now >= seat->wake_at_ns;
            if (!due && !__atomic_load_n(&seat->rung, __ATOMIC_ACQUIRE)) {
                if (seat->wake_at_ns && (!s.wake_at_ns || seat->wake_at_ns < s.wake_at_ns))
                    s.wake_at_ns = seat->wake_at_ns;
                continue;
            }
            (void)__atomic_exchange_n(&seat->rung, 0, __ATOMIC_ACQ_REL);
            seat->cold = 0;
            seat->wake_at_ns = 0;
            seat->idle_visits = 0;
        }
        __atomic_store_n(&w->visiting, seat, __ATOMIC_RELEASE);
        rk_u32 result = rk_cpu_visit(seat);
        settle(w, seat, result, &s);
        if (result == RK_VISIT_IDLE && list->count == 1) stay(w, seat, &s);
        if (seat->cold && seat->wake_at_ns && (!s.wake_at_ns || seat->wake_at_ns < s.wake_at_ns))
            s.wake_at_ns = seat->wake_at_ns;
        __atomic_store_n(&w->visits, w->visits + 1, __ATOMIC_RELEASE);
        if (i + 1 < list->count && !may_look(w, list)) {
            s.busy = 1;
            return s;
        }
    }
    if (s.asked) look_again(w, list, &s);
    __atomic_store_n(&w->visiting, (rk_seat *)0, __ATOMIC_RELEASE);
    return s;
}

static seat_list *take_list(worker *w)
{
    seat_list *list = __atomic_load_n(&w->list, __ATOMIC_ACQUIRE);
    if (list == w->in_use)
        return list; /* announced already: a list in use is not freed, nor its address used again */
    do {
        list = __atomic_load_n(&w->list, __ATOMIC_ACQUIRE);
        (void)__atomic_exchange_n(&w->in_use, list, __ATOMIC_SEQ_CST);
    } while (__atomic_load_n(&w->list, __ATOMIC_SEQ_CST) != list);
    return list;
}

static void *worker_main(void *argument)
{
    worker *w = argument;
    if (!w->runtime->options.unpinned) rk_bind_to_core(w->index);
    rk_u32 idle = 0, worked = 0; /* looks since the last work; sweeps with work */
    for (;;) {
        rk_u32 seen = __atomic_load_n(&w->event, __ATOMIC_SEQ_CST);
        if (rk_atomic_u32(&w->stop)) break; /* looked at after the event: or its ring is missed */
        seat_list *list = take_list(w);
        sweep s = go_round(w, list);
        if (rk_atomic_u32(&w->abandoned)) break; /* its memory stays: nobody joins an abandoned thread */
        if (s.busy) {
            /* A sweep without work breathes; and the core is given away now and then: who sends may need it. */
            if (s.worked)
                idle = 0;
            else
                idle += list->count == 1 ? LOOKS : 1;
            worked += s.worked;
            if (idle >= 64 || worked >= 64) {
                idle = worked = 0;
                sched_yield();
            } else if (!s.worked && list->count != 1) {
                rk_port_pause();
            }
            continue;
        }
        idle = 0;
        rk_u64 wait = ~(rk_u64)0;
        if (s.wake_at_ns) {
            rk_u64 now = rk_runtime_now(w->runtime);
            wait = s.wake_at_ns > now ? s.wake_at_ns - now : 0;
            if (w->runtime->options.clock_ns && wait > RK_MILLISECONDS(1))
                wait = RK_MILLISECONDS(1); /* an injected clock rings nobody */
        }
        if (wait) park(w, seen, wait);
    }
    return 0;
}

/* ------------------------------------------------------------------ lists, changed under the control lock */

static void free_retired(worker *w)
{
    seat_list **link = &w->retired;
    while (*link) {
        seat_list *list = *link;
        if (__atomic_load_n(&w->in_use, __ATOMIC_SEQ_CST) == list) {
            link = &list->retired;
            continue;
        }
        *link = list->retired;
        free(list);
    }
}

static void set_list(worker *w, seat_list *list)
{
    seat_list *old = __atomic_exchange_n(&w->list, list, __ATOMIC_SEQ_CST); /* V2 */
    for (rk_u32 i = 0; i < list->count; i++) __atomic_store_n(&list->seat[i]->worker, w, __ATOMIC_SEQ_CST);
    if (old) {
        old->retired = w->retired;
        w->retired = old;
    }
    free_retired(w);
    ring_worker(w);
}

static seat_list *make_list(rk_u32 room) { return calloc(1, sizeof(seat_list) + room * sizeof(rk_seat *)); }

/* The list of a worker with a kernel's seats left out, or with only those. */
static seat_list *filtered(const worker *w, const rk_host_kernel *kernel, int only)
{
    seat_list *list = make_list(w->list->count);
    for (rk_u32 i = 0; list && i < w->list->count; i++)
        if ((w->list->seat[i]->owner == kernel) == only) list->seat[list->count++] = w->list->seat[i];
    return list;
}

/* Shards of high-priority streams are visited first. */
static void add_seat(seat_list *list, rk_seat *seat)
{
    rk_u32 at = list->count++;
    while (at > 0 &&
           list->seat[at - 1]->owner->options.stream_priority < seat->owner->options.stream_priority) {
        list->seat[at] = list->seat[at - 1];
        at--;
    }
    list->seat[at] = seat;
}

/* The seat that a worker visits at this moment; 0: none. */
static rk_seat *visited_by(const worker *w)
{
    rk_seat *seat = __atomic_load_n(&w->visiting, __ATOMIC_SEQ_CST);
    return seat == LOOKING ? 0 : seat;
}

static worker *start_worker(rk_runtime *runtime, rk_u32 index)
{
    workers *all = workers_of(runtime);
    if (all->count == all->room) {
        worker **grown = realloc(all->at, (all->room + 16) * sizeof *grown);
        if (!grown) return 0;
        all->at = grown;
        all->room += 16;
    }
    worker *w = calloc(1, sizeof *w);
    if (w) w->list = make_list(0);
    if (!w || !w->list) {
        free(w);
        return 0;
    }
    w->runtime = runtime;
    w->index = index;
    if (pthread_create(&w->thread, 0, worker_main, w)) {
        free(w->list);
        free(w);
        return 0;
    }
    pthread_setname_np(w->thread, "rk-worker");
    all->at[all->count++] = w;
    return w;
}

static void end_worker(rk_runtime *runtime, rk_u32 i)
{
    workers *all = workers_of(runtime);
    worker *w = all->at[i];
    rk_atomic_set_u32(&w->stop, 1);
    ring_worker(w);
    pthread_join(w->thread, 0);
    __atomic_store_n(&w->in_use, (seat_list *)0, __ATOMIC_RELEASE);
    free_retired(w);
    w->next_ended = all->ended;
    all->ended = w;
    all->at[i] = all->at[--all->count];
}

/* A new worker for what a stuck one served besides its kernel. */
static void replace(rk_runtime *runtime, worker *stuck, const rk_host_kernel *kernel)
{
    seat_list *others = filtered(stuck, kernel, 0), *own = filtered(stuck, kernel, 1),
              *all = make_list(stuck->list->count);
    worker *fresh = others && own && all ? start_worker(runtime, stuck->index) : 0;
    if (!fresh) {
        free(others);
        free(own);
        free(all);
        rk_runtime_log(runtime, RK_ERROR, "", 0,
                       "no memory to replace a stuck worker: kernels that share it wait for its handler");
        return;
    }
    for (rk_u32 i = 0; i < stuck->list->count; i++) all->seat[all->count++] = stuck->list->seat[i];
    set_list(stuck, own); /* first: the others must be nobody's before they are the new one's */
    rk_seat *visiting = __atomic_load_n(&stuck->visiting, __ATOMIC_SEQ_CST); /* V2 */
    for (; visiting == LOOKING; visiting = __atomic_load_n(&stuck->visiting, __ATOMIC_SEQ_CST)) sched_yield();
    if (visiting && visiting->owner != kernel) {
        /* The handler has just returned, and another seat's turn has begun: nothing is stuck. */
        set_list(stuck, all);
        free(others);
        fresh->lonely = 1; /* not needed: ended with the next change */
        return;
    }
    free(all);
    stuck->lonely = 1;
    set_list(fresh, others);
}

/* ------------------------------------------------------------------ the backend's table */

static rk_status cpu_open(rk_runtime *runtime)
{
    if (runtime->options.slices)
        return rk_error(RK_UNSUPPORTED,
                        "slices = 1 is for devices: CPU workers already run in bounded visits");
    workers *all = calloc(1, sizeof *all);
    if (!all) return rk_error(RK_OUT_OF_MEMORY, "no memory for workers");
    runtime->backend_data = all;
    rk_u32 cores = rk_cores();
    if (runtime->options.single_step)
        runtime->options.workers = 0;
    else if (runtime->options.workers == 0)
        runtime->options.workers = cores > 1 ? cores - 1 : 1;
    all->wanted = runtime->options.workers;
    for (rk_u32 i = 0; i < all->wanted; i++)
        if (!start_worker(runtime, i)) {
            runtime->backend->close(runtime);
            return rk_error(RK_OUT_OF_MEMORY, "can't start worker %u of %u: ask for fewer", i + 1,
                            all->wanted);
        }
    return RK_OK;
}

static void cpu_close(rk_runtime *runtime)
{
    workers *all = workers_of(runtime);
    for (rk_u32 i = all->count; i-- > 0;) {
        const rk_seat *seat = visited_by(all->at[i]);
        if (all->at[i]->abandoned || (seat && rk_atomic_u32(&seat->owner->life) == RK_LIFE_QUARANTINED)) {
            rk_atomic_set_u32(&all->at[i]->stop, 1);
            pthread_detach(all->at[i]->thread);
        } else {
            end_worker(runtime, i);
        }
    }
    if (runtime->quarantined) return;
    while (all->ended) {
        worker *next = all->ended->next_ended;
        free(all->ended->list);
        free(all->ended);
        all->ended = next;
    }
    free(all->at);
    free(all);
}

static rk_status cpu_check(const rk_runtime *runtime, const rk_class *class, const rk_launch_options *options)
{
    const rk_attributes *a = class->attributes;
    rk_status found = rk_check_backends(class, RK_ON_CPU, "RK_ON_CPU", "the CPU");
    found = rk_error_also(found, rk_check_watched(runtime, options));
    if (a->messaging == RK_MESSAGING_P2P || a->messaging == RK_MESSAGING_NCCL)
        found = rk_error(
            RK_UNSUPPORTED,
            "kernel '%s': .messaging %s is between GPUs; on the CPU use RK_MESSAGING_SHARED_MEMORY",
            class->name, a->messaging == RK_MESSAGING_P2P ? "RK_MESSAGING_P2P" : "RK_MESSAGING_NCCL");
    if (a->barrier == RK_SCOPE_DEVICE)
        found = rk_error(
            RK_UNSUPPORTED,
            "kernel '%s': a barrier of device scope needs all blocks at once, which workers don't promise; "
            "use RK_SCOPE_BLOCK, or messages",
            class->name);
    if (options->slot_format == RK_FORMAT_UNIT && !RK_HAS_UNIT)
        found =
            rk_error(RK_UNSUPPORTED,
                     "slot_format unit needs 128-bit accesses, which this processor doesn't have; use seq");
    return rk_error_also(found, rk_check_values(class));
}

static rk_status cpu_serve(rk_runtime *runtime, rk_host_kernel *kernel)
{
    workers *all = workers_of(runtime);
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_seat *seat = &kernel->seats[s];
        rk_cpu_seat_open(seat);
        seat->cold = seat->asked = 0;
        seat->idle_visits = 0;
        __atomic_store_n(&seat->rung, 0, __ATOMIC_RELAXED); /* it is hot now, whoever rings */
    }
    if (runtime->options.single_step) return RK_OK;
    worker *eligible[RK_WORKERS_MAX] = { 0 };
    seat_list *lists[RK_WORKERS_MAX];
    rk_u32 n = 0;
    for (rk_u32 i = 0; i < all->count && n < RK_WORKERS_MAX; i++)
        if (!all->at[i]->lonely) eligible[n++] = all->at[i];
    rk_u32 blocks = kernel->options.blocks < n ? kernel->options.blocks : n;
    for (rk_u32 b = 0; b < blocks; b++) {
        const worker *w = eligible[(kernel->number - 1 + b) % n];
        lists[b] = make_list(w->list->count + kernel->seat_count);
        if (lists[b]) continue;
        while (b-- > 0) free(lists[b]);
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a worker's list");
    }
    for (rk_u32 b = 0; b < blocks; b++) {
        worker *w = eligible[(kernel->number - 1 + b) % n];
        for (rk_u32 i = 0; i < w->list->count; i++) lists[b]->seat[lists[b]->count++] = w->list->seat[i];
        for (rk_u32 s = b; s < kernel->seat_count; s += blocks) add_seat(lists[b], &kernel->seats[s]);
        set_list(w, lists[b]);
    }
    return RK_OK;
}

/* A worker whose list loses a kernel's seats: what is left, and what it was, should the kernel not stop. */
typedef struct parting {
    seat_list *rest, *whole;
} parting;

static void free_partings(parting *all, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        free(all[i].rest);
        free(all[i].whole);
    }
    free(all);
}

/* For each worker, before any list changes; both 0 for one that serves nothing of the kernel. 0: no memory. */
static parting *make_partings(const workers *all, const rk_host_kernel *kernel)
{
    parting *partings = calloc(all->count + 1u, sizeof *partings);
    for (rk_u32 i = 0; partings && i < all->count; i++) {
        const worker *w = all->at[i];
        parting *p = &partings[i];
        p->rest = filtered(w, kernel, 0);
        if (p->rest && p->rest->count == w->list->count) {
            free(p->rest);
            p->rest = 0;
            continue;
        }
        p->whole = p->rest ? make_list(w->list->count) : 0;
        if (!p->whole) {
            free_partings(partings, all->count);
            return 0;
        }
        for (rk_u32 j = 0; j < w->list->count; j++) p->whole->seat[p->whole->count++] = w->list->seat[j];
    }
    return partings;
}

/* Until a worker is with nothing of the kernel. RK_TIMED_OUT: its handler runs on. */
static rk_status wait_for_worker(worker *w, const rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    for (rk_u32 round = 0;; round++) {
        rk_seat *visiting = __atomic_load_n(&w->visiting, __ATOMIC_SEQ_CST); /* V2 */
        if (!visiting || (visiting != LOOKING && visiting->owner != kernel)) return RK_OK;
        if (visiting != LOOKING && rk_monotonic_ns() >= deadline_ns) return RK_TIMED_OUT;
        if (round < 1000)
            sched_yield();
        else
            rk_futex_wait(&w->stop, 0, RK_MICROSECONDS(200)); /* a long handler: look again in a while */
    }
}

static rk_status cpu_leave(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    workers *all = workers_of(runtime);
    const rk_u32 count = all->count;
    parting *partings = make_partings(all, kernel);
    if (!partings) return rk_error(RK_OUT_OF_MEMORY, "no memory for a worker's list");
    for (rk_u32 i = 0; i < count; i++) {
        if (partings[i].rest) set_list(all->at[i], partings[i].rest);
        partings[i].rest = 0; /* the worker's */
    }
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < count; i++)
        if (wait_for_worker(all->at[i], kernel, deadline_ns) != RK_OK) status = RK_TIMED_OUT;
    for (rk_u32 i = 0; i < count && status != RK_OK; i++) {
        worker *w = all->at[i];
        if (!partings[i].whole) continue;
        /* Not all of it stopped, so all of it goes on; the worker that is stuck serves nothing else from here on. */
        set_list(w, partings[i].whole);
        partings[i].whole = 0;
        rk_seat *visiting = visited_by(w);
        if (visiting && visiting->owner == kernel && !w->lonely) replace(runtime, w, kernel);
    }
    free_partings(partings, count);
    if (status == RK_OK)
        for (rk_u32 i = all->count; i-- > 0;)
            if (all->at[i]->lonely && !all->at[i]->abandoned && all->at[i]->list->count == 0)
                end_worker(runtime, i);
    return status;
}

static int cpu_is_visited(const rk_runtime *runtime, const rk_host_kernel *kernel)
{
    const workers *all = workers_of(runtime);
    for (rk_u32 i = 0; i < all->count; i++) {
        const rk_seat *seat = visited_by(all->at[i]);
        if (seat && seat->owner == kernel) return 1;
    }
    return 0;
}

static void cpu_abandon(rk_runtime *runtime, rk_host_kernel *kernel)
{
    workers *all = workers_of(runtime);
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        rk_atomic_set_u32(&kernel->seats[s].shard->turn.failed, RK_QUARANTINED);
    rk_u32 count = all->count;
    for (rk_u32 i = 0; i < count; i++) {
        worker *w = all->at[i];
        rk_seat *visiting = visited_by(w);
        if (visiting && visiting->owner == kernel) {
            if (!w->lonely) replace(runtime, w, kernel);
            if (w->lonely) /* else the handler has just returned, or there is none to do its work */
                rk_atomic_set_u32(&w->abandoned, 1);
        }
        seat_list *rest = filtered(w, kernel, 0);
        if (rest) set_list(w, rest);
    }
}

static void cpu_ring(rk_seat *seat)
{
    (void)__atomic_exchange_n(&seat->rung, 1, __ATOMIC_SEQ_CST);
    worker *w = __atomic_load_n(&seat->worker, __ATOMIC_SEQ_CST);
    if (w) ring_worker(w);
}

static void cpu_ring_parked(rk_runtime *runtime)
{
    rk_u32 count = __atomic_load_n(&runtime->kernel_count, __ATOMIC_ACQUIRE);
    pthread_mutex_lock(&runtime->seats); /* not the list's lock: who reads an account must stop no worker */
    for (rk_u32 n = 1; n <= count; n++) {
        rk_host_kernel *k = __atomic_load_n(&runtime->kernels[n], __ATOMIC_ACQUIRE);
        for (rk_u32 s = 0; k && s < k->seat_count; s++)
            if (__atomic_load_n(&k->seats[s].orders->phase, __ATOMIC_ACQUIRE) == RK_PHASE_PARKED)
                cpu_ring(&k->seats[s]);
    }
    pthread_mutex_unlock(&runtime->seats);
}

static rk_u64 handler_limit(const rk_host_kernel *kernel)
{
    return kernel->options.handler_limit_ns ? kernel->options.handler_limit_ns
                                            : kernel->runtime->options.stall_limit_ns;
}

static void cpu_watch(rk_runtime *runtime, rk_u64 now_ns)
{
    workers *all = workers_of(runtime);
    rk_u32 count = all->count;
    for (rk_u32 i = 0; i < count; i++) {
        worker *w = all->at[i];
        rk_seat *visiting = visited_by(w);
        rk_u64 visits = __atomic_load_n(&w->visits, __ATOMIC_ACQUIRE);
        const int is_new = w->watched_since_ns == 0; /* in its first visit, perhaps */
        if (!visiting || visits != w->watched_visits || is_new) {
            w->watched_visits = visits;
            w->watched_since_ns = now_ns;
            if (w->hangs_in) rk_kernel_hangs(w->hangs_in, 0);
            w->hangs_in = 0;
        } else if (!w->abandoned && now_ns - w->watched_since_ns >= handler_limit(visiting->owner)) {
            w->hangs_in = visiting->owner;
            rk_kernel_hangs(w->hangs_in, 1);
            if (w->lonely) continue;
            rk_runtime_log(
                runtime, RK_WARNING, visiting->owner->id, visiting->number,
                visiting->owner->options.handler_limit_ns
                    ? "a handler runs longer than handler_limit_ns: what shares its worker gets another one"
                    : "a handler runs longer than the stall limit: what shares its worker gets another one");
            replace(runtime, w, visiting->owner);
        }
    }
}

const rk_backend rk_backend_cpu = {
    .name = "cpu",
    .rings = 1,
    .threads = 1,
    .open = cpu_open,
    .close = cpu_close,
    .check = cpu_check,
    .serve = cpu_serve,
    .leave = cpu_leave,
    .is_visited = cpu_is_visited,
    .abandon = cpu_abandon,
    .ring = cpu_ring,
    .ring_parked = cpu_ring_parked,
    .watch = cpu_watch,
    .step = rk_cpu_visit,
};
