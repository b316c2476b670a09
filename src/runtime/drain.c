/* Draining: the host ends, then kernel after kernel, each when all its sources have.
 *
 * A shard sees for itself that its sources have ended, by its end table (device/loop.h). Only in a cycle
 * nobody can be first: there the host looks. When all shards of the cycle's kernels are idle with empty lanes, between
 * two equal accounts of all of them, everything that was sent has been received, and the host says so.
 *
 * Replies take no route, so no end table counts them: what a kernel asked may be answered after its deadline, and then
 * finds the asker ended. So who asks a kernel that replies stays until the host has seen both idle in this way, if both are
 * drained together, and nobody open comes before them; then each ends by its end table, and only in a cycle of routes they
 * must be told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lane/waiting.h"
#include "graph.h"
#include "guard.h"
#include "kernel.h"
#include "pause.h"
#include "report.h"
#include "wiring.h"

static void command(rk_host_kernel *k, rk_u32 what)
{
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        __atomic_store_n(&k->seats[s].orders->command, what, __ATOMIC_RELEASE); /* M2 pairs with M1 */
        k->runtime->backend->ring(&k->seats[s]);
    }
}

/* Does it send to a kernel that may reply? */
static int awaits_replies(const rk_host_kernel *k)
{
    const rk_runtime *runtime = k->runtime;
    for (rk_u32 c = 0; c < k->connection_count; c++)
        if (rk_connection_is_live(runtime, &k->connections[c]) &&
            runtime->kernels[k->connections[c].to]->class->attributes->replies)
            return 1;
    return 0;
}

/* The host sends nothing more. N2 pairs with N1. */
static void end_host(rk_host_kernel *k)
{
    const rk_u32 ended = awaits_replies(k) ? RK_HOST_ENDED_BUT_REPLIES : 1u;
    rk_atomic_set_u32(&k->closed, RK_CLOSED);
    rk_gate_close(k); /* whoever was just sending has finished or was refused */
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_atomic_set_u32(&rk_seat_lane(&k->seats[s], 0)->closed, 1);
        rk_atomic_set_u32(&k->seats[s].orders->host_ended, ended);
    }
    rk_gate_open(k);
    rk_event_raise(&k->room_event);
}

static rk_u32 phase_of(const rk_host_kernel *k, rk_u32 s)
{
    return __atomic_load_n(&k->seats[s].orders->phase, __ATOMIC_ACQUIRE);
}

static int has_ended(const rk_host_kernel *k)
{
    for (rk_u32 s = 0; s < k->seat_count; s++)
        if (phase_of(k, s) != RK_PHASE_ENDED) return 0;
    return 1;
}

/* A figure that changes with whatever the kernel does. */
static rk_u64 figure_of(const rk_host_kernel *k)
{
    rk_u64 figure = 0;
    rk_look(k);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        const rk_meter *meter = &k->seats[s].shard->meter;
        figure += __atomic_load_n(&meter->progress, __ATOMIC_ACQUIRE) +
                  __atomic_load_n(&meter->sent, __ATOMIC_ACQUIRE);
    }
    return figure;
}

/* Idle, with empty lanes, and with no hook to come: lanes first, since a wish is told before its batch leaves them. */
static int is_idle(const rk_host_kernel *k)
{
    rk_look(k);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_u32 phase = phase_of(k, s);
        if (phase != RK_PHASE_IDLE && phase != RK_PHASE_ENDED) return 0;
        if (rk_lane_depth(rk_seat_lane(&k->seats[s], 0), k->runtime->arena.base)) return 0;
        if (rk_lane_depth(rk_seat_lane(&k->seats[s], 1), k->runtime->arena.base)) return 0;
        if (__atomic_load_n(&k->seats[s].orders->wake_ns, __ATOMIC_ACQUIRE)) return 0;
    }
    return 1;
}

typedef struct draining {
    const rk_kernel *handle;
    rk_host_kernel **kernel;
    size_t count;
    rk_u32 *epoch;               /* of each: one that is launched again meanwhile is not drained */
    rk_graph routes, answers;    /* what goes from one to another by routes; and by replies, too */
    unsigned char *cyclic;       /* what it sends may come back to it, as a reply too */
    unsigned char *open, *outer; /* has not ended; and is not cyclic either */
    unsigned char *held;         /* one that is open comes before it, and doesn't go round with it */
    unsigned char *behind;       /* for a while */
    unsigned char *due;          /* cyclic and open, and no open one that isn't cyclic comes before it */
} draining;

/* As they are at this moment. */
static void look_who_is_due(draining *d)
{
    for (size_t i = 0; i < d->count; i++) {
        d->open[i] = (unsigned char)!has_ended(d->kernel[i]);
        d->outer[i] = d->open[i] && !d->cyclic[i];
    }
    rk_graph_behind(&d->answers, d->outer, d->due);
    for (size_t i = 0; i < d->count; i++) d->due[i] = d->open[i] && d->cyclic[i] && !d->due[i];
    rk_graph_behind(&d->routes, d->open, d->held);
    rk_graph_behind(&d->answers, d->open, d->behind);
    for (size_t i = 0; i < d->count; i++) d->held[i] |= d->behind[i];
}

static rk_u64 figure_of_due(const draining *d)
{
    rk_u64 figure = 0;
    for (size_t i = 0; i < d->count; i++)
        if (d->due[i]) figure += figure_of(d->kernel[i]);
    return figure;
}

/* No reply will come: who stayed for one ends as its sources do, and those behind it after it. 0: it hadn't stayed. */
static int end_replies(rk_host_kernel *k)
{
    int stayed = 0;
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        if (rk_atomic_u32(&k->seats[s].orders->host_ended) != RK_HOST_ENDED_BUT_REPLIES) continue;
        rk_atomic_set_u32(&k->seats[s].orders->host_ended, 1);
        k->runtime->backend->ring(&k->seats[s]);
        stayed = 1;
    }
    return stayed;
}

/* All shards of the cycles that are due idle between two equal figures: nothing is under way there. A kernel's figure
 * beside its lanes, one after the other, would not do: what goes round may then be behind the look each time.
 * models/drain_cycle.pml has the proof, for one cycle without replies. Those that nobody open comes before are told; what
 * their hooks send then is handled before those behind are. Who only asks and is answered ends by his end table. */
static void look_at_cycles(draining *d)
{
    rk_u32 any = 0, stayed = 0;
    look_who_is_due(d);
    const rk_u64 figure = figure_of_due(d);
    for (size_t i = 0; i < d->count; i++) {
        if (!d->due[i]) continue;
        if (!is_idle(d->kernel[i])) return;
        any = 1;
    }
    if (!any || figure_of_due(d) != figure) return;
    for (size_t i = 0; i < d->count; i++)
        if (d->due[i] && !d->held[i]) stayed |= (rk_u32)end_replies(d->kernel[i]);
    for (size_t i = 0; i < d->count && !stayed; i++)
        if (d->due[i] && !d->held[i] && d->routes.in_cycle[i]) command(d->kernel[i], RK_COMMAND_END);
}

static void say_who_waits(const draining *d)
{
    for (size_t i = 0; i < d->count; i++) {
        const rk_host_kernel *k = d->kernel[i];
        rk_look(k);
        for (rk_u32 s = 0; s < k->seat_count; s++) {
            if (phase_of(k, s) == RK_PHASE_ENDED) continue;
            rk_error_detail("'%s' shard %u: %s, %u queued from the host and %u from kernels", k->id, s,
                            phase_of(k, s) == RK_PHASE_PARKED
                                ? "waits for room where it sends to (does the host receive?)"
                            : __atomic_load_n(&k->seats[s].orders->wake_ns, __ATOMIC_ACQUIRE)
                                ? "waits for a time that it asked for (does its timer hook ask for ever?)"
                                : "has not ended",
                            rk_lane_depth(rk_seat_lane(&k->seats[s], 0), k->runtime->arena.base),
                            rk_lane_depth(rk_seat_lane(&k->seats[s], 1), k->runtime->arena.base));
            break;
        }
    }
}

static rk_status check_sources(rk_runtime *runtime, const draining *d)
{
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *from = runtime->kernels[n];
        if (!from->seat_count || rk_atomic_u32(&from->life) == RK_LIFE_DRAINED) continue;
        rk_u32 given = 0, feeds = 0;
        const char *target = "";
        for (size_t i = 0; i < d->count; i++) given |= d->kernel[i] == from;
        for (rk_u32 c = 0; c < from->connection_count; c++)
            for (size_t i = 0; i < d->count; i++)
                if (from->connections[c].to == d->kernel[i]->number &&
                    from->connections[c].to_generation == d->kernel[i]->generation) {
                    feeds = 1;
                    target = d->kernel[i]->id;
                }
        if (feeds && !given)
            return rk_error(RK_INVALID_ARGUMENT, "'%s' sends to '%s': drain it too, or first", from->id,
                            target);
    }
    return RK_OK;
}

static rk_status find_kernels(rk_runtime *runtime, draining *d)
{
    rk_status status = RK_OK;
    for (size_t i = 0; i < d->count && status == RK_OK; i++)
        status = rk_kernel_check(runtime, d->handle[i], &d->kernel[i]);
    return status;
}

/* Who sends to whom. A kernel that replies sends back along every connection into it. */
static int find_order(const rk_runtime *runtime, draining *d)
{
    size_t room = 1, routes = 0, answers = 0;
    for (size_t i = 0; i < d->count; i++) room += d->kernel[i]->connection_count;
    rk_u32 *place = calloc(RK_KERNELS_MAX + 1u, sizeof *place); /* in the list, from 1 on */
    rk_arc *by_routes = malloc(room * sizeof *by_routes), *by_answers = malloc(2 * room * sizeof *by_answers);
    int made = place && by_routes && by_answers;
    for (size_t i = 0; i < d->count && made; i++) place[d->kernel[i]->number] = (rk_u32)i + 1u;
    for (size_t i = 0; i < d->count && made; i++)
        for (rk_u32 c = 0; c < d->kernel[i]->connection_count; c++) {
            const rk_connection *connection = &d->kernel[i]->connections[c];
            const rk_u32 to = place[connection->to];
            if (!to || !rk_connection_is_live(runtime, connection)) continue;
            const rk_arc arc = { (rk_u32)i, to - 1u }, back = { to - 1u, (rk_u32)i };
            by_routes[routes++] = by_answers[answers++] = arc;
            if (d->kernel[to - 1u]->class->attributes->replies) by_answers[answers++] = back;
        }
    made = made && rk_graph_make(&d->routes, (rk_u32)d->count, by_routes, routes) &&
           rk_graph_make(&d->answers, (rk_u32)d->count, by_answers, answers);
    free(place);
    free(by_routes);
    free(by_answers);
    return made;
}

/* Each kernel once, however often it was given. Of two lives of one number the former is refused when they are looked up. */
static size_t without_repeats(const rk_kernel *given, size_t count, rk_kernel *kept)
{
    rk_u32 seen[RK_KERNELS_MAX + 1] = { 0 }; /* generations */
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const rk_kernel one = given[i];
        const int can_be = one.number <= RK_KERNELS_MAX && one.generation;
        if (can_be && seen[one.number] == one.generation) continue;
        if (can_be) seen[one.number] = one.generation;
        kept[n++] = one;
    }
    return n;
}

/* The host's intake is closed, and each kernel told to end when its sources have. */
static rk_status begin(rk_runtime *runtime, draining *d)
{
    rk_status status = find_kernels(runtime, d);
    if (status == RK_OK) status = check_sources(runtime, d);
    for (size_t i = 0; i < d->count && status == RK_OK; i++)
        if (rk_atomic_u32(&d->kernel[i]->life) != RK_LIFE_ACTIVE &&
            rk_atomic_u32(&d->kernel[i]->life) != RK_LIFE_DRAINING &&
            rk_atomic_u32(&d->kernel[i]->life) != RK_LIFE_DRAINED)
            status = rk_error(RK_NOT_ACTIVE, "'%s' is %s: only an active kernel can be drained",
                              d->kernel[i]->id, rk_life_name(rk_atomic_u32(&d->kernel[i]->life)));
    if (status == RK_OK && !find_order(runtime, d))
        status = rk_error(RK_OUT_OF_MEMORY, "no memory to drain %zu kernels", d->count);
    if (status != RK_OK) return status;
    for (size_t i = 0; i < d->count; i++) {
        rk_host_kernel *k = d->kernel[i];
        d->epoch[i] = k->epoch;
        d->cyclic[i] = d->answers.in_cycle[i] || awaits_replies(k);
        if (!d->cyclic[i]) (void)end_replies(k); /* who could reply is gone since the last drain gave up */
        rk_u32 active = RK_LIFE_ACTIVE;          /* unless it fails at this moment */
        if (!__atomic_compare_exchange_n(&k->life, &active, RK_LIFE_DRAINING, 0, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE))
            continue;
        end_host(k);
        command(k, RK_COMMAND_DRAIN);
    }
    return RK_OK;
}

/* *over: all have ended. */
static rk_status look(rk_runtime *runtime, draining *d, int *over)
{
    size_t ended = 0;
    rk_status status = find_kernels(runtime, d); /* one may have been terminated since */
    for (size_t i = 0; i < d->count && status == RK_OK; i++) {
        const rk_u32 life = rk_atomic_u32(&d->kernel[i]->life);
        rk_reports_collect(d->kernel[i]);
        if (life == RK_LIFE_FAILED || life == RK_LIFE_QUARANTINED || d->kernel[i]->epoch != d->epoch[i])
            status = rk_error(RK_FAILED, "'%s' failed while it was drained", d->kernel[i]->id);
        else if (has_ended(d->kernel[i]))
            ended++;
    }
    *over = ended == d->count;
    if (status != RK_OK) return status;
    for (size_t i = 0; i < d->count && *over; i++) {
        rk_reports_collect(d->kernel[i]);
        rk_kernel_drained(d->kernel[i]);
    }
    if (*over) return RK_OK;
    for (size_t i = 0; i < d->count && runtime->options.single_step; i++)
        for (rk_u32 s = 0; s < d->kernel[i]->seat_count; s++) runtime->backend->step(&d->kernel[i]->seats[s]);
    look_at_cycles(d);
    return RK_OK;
}

/* The control lock is free while it waits: a drain may take as long as its messages, and others launch and
 * terminate meanwhile. */
static rk_status drain(rk_runtime *runtime, draining *d, rk_u64 timeout_ns)
{
    rk_status status = begin(runtime, d);
    rk_wait wait = rk_wait_begin(runtime, timeout_ns);
    int over = 0;
    for (rk_u32 round = 0; status == RK_OK; round++) {
        status = look(runtime, d, &over);
        if (over || status != RK_OK) break;
        if (rk_wait_left(&wait) == 0) {
            status = rk_error(RK_TIMED_OUT, "not drained in time");
            say_who_waits(d);
            break;
        }
        rk_let_others_pass(runtime, round);
    }
    return status;
}

rk_status rk_drain(rk_runtime *runtime, const rk_kernel *kernels, size_t count, rk_u64 timeout_ns)
{
    rk_status status = rk_runtime_check(runtime, "rk_drain");
    if (status != RK_OK) return status;
    if (!kernels || !count || count > RK_KERNELS_MAX)
        return rk_error(RK_INVALID_ARGUMENT, "rk_drain: kernels is null or count is 0 or too large");
    draining d = { 0 };
    rk_kernel *handles = calloc(count, sizeof *handles);
    unsigned char *marks = calloc(count, 6);
    d.kernel = calloc(count, sizeof *d.kernel);
    d.epoch = calloc(count, sizeof *d.epoch);
    if (!handles || !d.kernel || !d.epoch || !marks) {
        free(handles);
        free(d.kernel);
        free(d.epoch);
        free(marks);
        return rk_error(RK_OUT_OF_MEMORY, "no memory to drain %zu kernels", count);
    }
    d.handle = handles;
    d.count = without_repeats(kernels, count, handles);
    d.cyclic = marks;
    d.open = marks + count;
    d.outer = marks + 2 * count;
    d.held = marks + 3 * count;
    d.due = marks + 4 * count;
    d.behind = marks + 5 * count;
    pthread_mutex_lock(&runtime->control);
    status = drain(runtime, &d, timeout_ns);
    pthread_mutex_unlock(&runtime->control);
    rk_graph_free(&d.routes);
    rk_graph_free(&d.answers);
    free(d.kernel);
    free(d.epoch);
    free(handles);
    free(marks);
    return status;
}
