#include "pause.h"

#include <sched.h>
#include <stdlib.h>

#include "futex.h"
#include "kernel.h"
#include "report.h"

void rk_let_others_pass(rk_runtime *runtime, rk_u32 round)
{
    pthread_mutex_unlock(&runtime->control);
    /* What is waited for comes within microseconds as a rule; a slow handler gets the core. */
    if (round < 1000)
        sched_yield();
    else
        rk_futex_wait(&runtime->quarantined, rk_atomic_u32(&runtime->quarantined), RK_MICROSECONDS(100));
    pthread_mutex_lock(&runtime->control);
}

static void command(rk_host_kernel *k, rk_u32 what)
{
    for (rk_u32 s = 0; s < k->seat_count; s++)
        __atomic_store_n(&k->seats[s].orders->command, what, __ATOMIC_RELEASE); /* M2 pairs with M1 */
}

static rk_u32 is_parked(const rk_host_kernel *k)
{
    rk_u32 parked = 0;
    if (rk_atomic_u32(&k->life) == RK_LIFE_FAILED) return 0;
    for (rk_u32 s = 0; s < k->seat_count; s++) parked |= k->seats[s].shard->turn.parked;
    return parked;
}

static rk_status no_room(const rk_host_kernel *k)
{
    return rk_error(RK_TIMED_OUT,
                    "'%s' waits for room where it sends to, with a batch half out: receive from it, "
                    "or give it more time",
                    k->id);
}

static int waits_for_room(const rk_host_kernel *k)
{
    for (rk_u32 s = 0; s < k->seat_count; s++)
        if (rk_atomic_u32(&k->seats[s].orders->phase) == RK_PHASE_PARKED) return 1;
    return 0;
}

/* Told to come to rest, has it not? A device's shards that wait for room find it first: once they have left they don't. */
static int is_working(rk_host_kernel *k, int until_room)
{
    const rk_backend *backend = k->runtime->backend;
    const int waits = until_room && waits_for_room(k);
    if (waits || backend->is_visited) command(k, RK_COMMAND_PAUSE);
    if (waits) return 1;
    if (backend->goes) return backend->goes(k->runtime, k);
    return backend->is_visited && backend->is_visited(k->runtime, k);
}

void rk_pause(rk_host_kernel *k, int until_room, rk_u64 deadline_ns)
{
    rk_runtime *runtime = k->runtime;
    const rk_u32 generation = k->generation, epoch = k->epoch, life = rk_atomic_u32(&k->life);
    if ((!runtime->backend->is_visited && !runtime->backend->goes) || runtime->options.single_step) return;
    for (rk_u32 round = 0;
         k->serving && k->generation == generation && k->epoch == epoch && rk_atomic_u32(&k->life) == life;
         round++) {
        if (!is_working(k, until_room)) return;
        if (rk_monotonic_ns() >= deadline_ns) return;
        if (until_room) rk_reports_collect(k); /* it may be those that there is no room for */
        rk_let_others_pass(runtime, round);
    }
}

void rk_unpause(rk_host_kernel *k)
{
    if (k->serving && k->runtime->backend->stays) k->runtime->backend->stays(k->runtime, k);
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        if (rk_atomic_u32(&k->seats[s].orders->command) != RK_COMMAND_PAUSE) continue;
        __atomic_store_n(&k->seats[s].orders->command, RK_COMMAND_RUN, __ATOMIC_RELEASE); /* M2 */
        if (k->serving) k->runtime->backend->ring(&k->seats[s]); /* a shard that paused is cold */
    }
}

/* It is still being visited when time is over: since it waits for room, or in a handler. */
static rk_status not_left(const rk_host_kernel *k)
{
    for (rk_u32 s = 0; s < k->seat_count; s++)
        if (__atomic_load_n(&k->seats[s].orders->phase, __ATOMIC_ACQUIRE) == RK_PHASE_PARKED)
            return no_room(k);
    return rk_error(RK_TIMED_OUT, "'%s' did not reach a batch boundary in time: a handler is still running",
                    k->id);
}

static rk_u32 sends_to(const rk_host_kernel *from, const rk_host_kernel *to)
{
    for (rk_u32 c = 0; c < from->connection_count; c++)
        if (from->connections[c].to == to->number) return 1;
    return from->class->attributes->replies;
}

/* Let those that are parked finish, and those that they wait for make room: what a parked kernel sends to, and
 * what that sends to. Only a parked one is told to take nothing more. */
static rk_status let_finish(rk_host_kernel **kernels, rk_u32 count, unsigned char *goes_on)
{
    for (rk_u32 i = 0; i < count; i++) goes_on[i] = (unsigned char)is_parked(kernels[i]);
    for (rk_u32 i = 0; i < count; i++)
        if (goes_on[i]) command(kernels[i], RK_COMMAND_PAUSE);
    for (rk_u32 found = 1; found;) {
        found = 0;
        for (rk_u32 i = 0; i < count; i++)
            for (rk_u32 j = 0; j < count && goes_on[i]; j++)
                if (!goes_on[j] && sends_to(kernels[i], kernels[j])) found = goes_on[j] = 1;
    }
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < count; i++)
        if (goes_on[i] && rk_atomic_u32(&kernels[i]->life) != RK_LIFE_FAILED) {
            rk_status served = rk_kernel_serve(kernels[i]);
            if (served != RK_OK) status = served;
        }
    return status;
}

/* Stop all of them, and take the order back that a parked one had. *parked: one that isn't done. */
static rk_status leave_all(rk_host_kernel **kernels, rk_u32 count, rk_u64 deadline_ns,
                           rk_host_kernel **parked)
{
    *parked = 0;
    for (rk_u32 i = 0; i < count; i++) {
        if (rk_kernel_leave(kernels[i], deadline_ns) != RK_OK) return not_left(kernels[i]);
        if (is_parked(kernels[i])) *parked = kernels[i];
    }
    return RK_OK;
}

/* It was told to take nothing more, and has not told yet that what it had is out. */
static int still_waits(const rk_host_kernel *k)
{
    return rk_atomic_u32(&k->seats[0].orders->command) == RK_COMMAND_PAUSE &&
           rk_atomic_u32(&k->life) != RK_LIFE_FAILED && waits_for_room(k);
}

/* A look at those that go on, some time after the last. 1: one of them waits for room as before. */
static int wait_for_room(rk_host_kernel **kernels, rk_u32 count, rk_host_kernel *parked,
                         const unsigned char *goes_on)
{
    const rk_runtime *runtime = parked->runtime;
    int waits = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_reports_collect(kernels[i]); /* it may be the reports that there is no room for */
        for (rk_u32 s = 0; runtime->options.single_step && goes_on[i] && s < kernels[i]->seat_count; s++)
            runtime->backend->step(&kernels[i]->seats[s]);
    }
    rk_futex_wait(&parked->out_event, rk_atomic_u32(&parked->out_event), RK_MICROSECONDS(200));
    for (rk_u32 i = 0; i < count; i++) waits |= goes_on[i] && still_waits(kernels[i]);
    return waits;
}

/* A device's kernel is launched anew each time that it is served, so it isn't stopped before it tells that this is of use. */
static rk_status stop(rk_host_kernel **kernels, rk_u32 count, const rk_wait *wait, unsigned char *goes_on)
{
    for (;;) {
        rk_host_kernel *parked;
        rk_status status = leave_all(kernels, count, wait->deadline_ns, &parked);
        if (status != RK_OK || !parked) return status;
        status = let_finish(kernels, count, goes_on);
        if (status != RK_OK) return status;
        if (rk_wait_left(wait) == 0) return no_room(parked);
        int waits;
        do waits = wait_for_room(kernels, count, parked, goes_on);
        while (waits && rk_wait_left(wait) > 0);
        if (waits)
            return no_room(parked); /* they go on as they are: to stop them takes time that there isn't */
    }
}

rk_status rk_stop_between_batches(rk_host_kernel **kernels, rk_u32 count, const rk_wait *wait)
{
    unsigned char *served = malloc(count), *goes_on = malloc(count);
    rk_status status = RK_OK;
    if (!served || !goes_on) status = rk_error(RK_OUT_OF_MEMORY, "no memory for a list of kernels");
    for (rk_u32 i = 0; i < count && status == RK_OK; i++) served[i] = (unsigned char)kernels[i]->serving;
    if (status == RK_OK) {
        status = stop(kernels, count, wait, goes_on);
        const rk_u64 last_ns = rk_monotonic_ns() + RK_LEAVE_NS;
        for (rk_u32 i = 0; i < count; i++) {
            if (status != RK_OK && !served[i] &&
                kernels[i]->serving) /* it was to make room, and takes nothing more */
                (void)rk_kernel_leave(kernels[i], last_ns);
            command(kernels[i], RK_COMMAND_RUN);
            if (status != RK_OK && served[i] && rk_kernel_serve(kernels[i]) == RK_OK)
                for (rk_u32 s = 0; s < kernels[i]->seat_count; s++)
                    kernels[i]->runtime->backend->ring(&kernels[i]->seats[s]);
        }
    }
    free(served);
    free(goes_on);
    return status;
}
