/* The keeper: the thread that launches. A round is a slice of every kernel that wants to be served, one launch for each
 * with all its shards. While any had work, another round; else nothing is launched until a doorbell rings or a timer is
 * due.
 *
 * Two slices may be in the air. A kernel's second one departs when messages have come since its first, so that they are
 * packed and copied while the first runs, and its answer is unpacked while the second does. */
#include <sched.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/kernel.h"
#include "../hang.h"
#include "../slices.h"
#include "opencl.h"

/* How it can be woken, in keeper_sleeps. */
#define SLEEPS 1u /* on its own event */
#define DOZES 2u  /* with who waits for a command */

#define NAP_NS RK_SECONDS(3600) /* until somebody rings */

static rk_u32 kernels(const rk_opencl_runtime *cl) { return rk_atomic_u32(&cl->runtime->kernel_count); }

/* ------------------------------------------------------------------ departures */

/* By what the launch took: over the bound, and the next has so many fewer visits; a quarter of it or less, and if its
 * visits were not enough, twice as many. `all_had`: they were. */
static void fit_visits(const rk_opencl_runtime *cl, rk_opencl_served *served, rk_u64 took_ns, int all_had)
{
    const rk_u32 most = cl->device.is_cpu ? RK_OPENCL_VISITS_CPU : RK_OPENCL_VISITS_MOST;
    if (took_ns > RK_OPENCL_SLICE_NS)
        served->visits = (rk_u32)(served->visits * RK_OPENCL_SLICE_NS / took_ns);
    else if (took_ns < RK_OPENCL_SLICE_NS / 4 && !all_had)
        served->visits *= 2;
    if (served->visits > most) served->visits = most;
    if (served->visits == 0) served->visits = 1;
}

static void all_are_due(rk_opencl_runtime *cl)
{
    for (rk_u32 n = 1; n <= kernels(cl); n++)
        if (cl->served[n]) cl->served[n]->due = 1;
}

#define PARKED_NS RK_MILLISECONDS(1)

/* Does a shard wait for room? Nobody rings when there is some: it is looked at again soon. */
static int is_parked(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (rk_atomic_u32(&kernel->seats[s].orders->phase) == RK_PHASE_PARKED) return 1;
    return 0;
}

/* Has its time come? Not while a slice is in the air that may be what it waits for. */
static int is_time(const rk_opencl_runtime *cl, const rk_opencl_served *served)
{
    if (served->in_air) return 0;
    if (is_parked(served->kernel) && rk_monotonic_ns() - served->landed_ns >= PARKED_NS) return 1;
    return rk_slices_nap(served->kernel, rk_runtime_now(cl->runtime), NAP_NS) == 0;
}

static int is_due(const rk_opencl_runtime *cl, const rk_opencl_served *served)
{
    return rk_slices_wanted(served->kernel) &&
           (served->due || rk_opencl_has_arrived(served) || is_time(cl, served));
}

static rk_u32 priority_of(const rk_opencl_served *served) { return served->kernel->options.stream_priority; }

/* Of those that want a slice and had none in this round, the first of the highest priority, from the one on that had the
 * last slice. *others: kernels that had theirs. */
static rk_opencl_served *next_of_round(rk_opencl_runtime *cl, rk_u32 *others)
{
    const rk_u32 count = kernels(cl);
    rk_opencl_served *next = 0;
    *others = 0;
    for (rk_u32 i = 1; i <= count && !(next && priority_of(next) == cl->highest); i++) {
        rk_opencl_served *served = cl->served[(cl->turn + i - 1u) % count + 1u];
        if (!served) continue;
        *others |= served->round == cl->round;
        if (served->round == cl->round || (next && priority_of(served) <= priority_of(next))) continue;
        if (is_due(cl, served)) next = served;
    }
    return next;
}

/* A kernel that wants a slice; 0: none does, or somebody wants the device. Each gets one in a round. */
static rk_opencl_served *next_due(rk_opencl_runtime *cl)
{
    rk_u32 others;
    if (cl->in_air == RK_OPENCL_FLIGHTS || rk_atomic_u32(&cl->waiting) || rk_atomic_u32(&cl->keeper_stop))
        return 0;
    if (rk_exchange_u32(&cl->stirred, 0, RK_ACQUIRE, RK_SCOPE_SYSTEM)) all_are_due(cl);
    rk_opencl_served *next = next_of_round(cl, &others);
    if (!next && others) {
        cl->round++;
        next = next_of_round(cl, &others);
    }
    if (!next) return 0;
    next->round = cl->round;
    cl->turn = next->kernel->number;
    return next;
}

static void depart(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    served->due = 0;
    served->in_air++;
    if (rk_opencl_depart(cl, served, 0, served->kernel->seat_count, served->visits) == RK_OK)
        __atomic_add_fetch(&cl->launches, 1, __ATOMIC_RELAXED);
}

/* ------------------------------------------------------------------ landings */

/* Do kernels of the device send to each other? Without an edge there are no replies either. The one that has landed may
 * have ended, and sent its last messages. */
static int are_connected(const rk_opencl_runtime *cl, const rk_opencl_served *landed)
{
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        const rk_opencl_served *served = cl->served[n];
        if (served && served->kernel->seats[0].shard->edge_total &&
            (served == landed || rk_slices_wanted(served->kernel)))
            return 1;
    }
    return 0;
}

/* Every shard looked once more, and found nothing: so ends a slice whose kernel got all that there was. */
static int is_idle(const rk_opencl_served *served)
{
    for (rk_u32 s = 0; s < served->kernel->seat_count; s++)
        if (rk_atomic_u32(&served->kernel->seats[s].orders->visit) != RK_VISIT_IDLE) return 0;
    return !served->crowded;
}

/* What it did may be work for others: what it sent, and the room that it gave. */
static void land(rk_opencl_runtime *cl, rk_opencl_flight *f)
{
    rk_opencl_served *served = f->served;
    rk_u64 now = rk_monotonic_ns(), from = f->begun_ns > cl->landed_ns ? f->begun_ns : cl->landed_ns;
    cl->landed_ns = served->landed_ns = now;
    served->in_air--;
    rk_atomic_set_u32(&cl->blocked, 0);
    if (rk_opencl_land(cl, f) != RK_OK) return;
    fit_visits(cl, served, now - from, is_idle(served));
    int parked = is_parked(served->kernel); /* perhaps with a part of its batch on its way */
    if (are_connected(cl, served) && (served->worked || parked)) {
        all_are_due(cl);
        served->due = served->worked; /* else it waits for the others, or a while */
    } else if (served->worked) {
        served->due |= !is_idle(served);
    }
}

/* Who sends wakes the keeper while it waits for a flight, unless the flight itself sees what is sent. */
static void listen(rk_opencl_runtime *cl)
{
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        const rk_opencl_served *served = cl->served[n];
        if (!served || (cl->shares && served->in_air) || !rk_slices_wanted(served->kernel)) continue;
        rk_slices_sleep(served->kernel);
    }
}

/* Has the launch of the oldest flight begun? A driver that was never seen to tell is believed to begin a launch once its
 * turn has come: NVIDIA's tells that it was submitted, and then that it has ended. */
static int counts_as_begun(rk_opencl_runtime *cl, const rk_opencl_flight *f)
{
    const rk_i32 stage = rk_opencl_stage(cl, f->ended);
    if (stage == RK_CL_RUNNING) rk_atomic_set_u32(&cl->tells, 1);
    return stage <= RK_CL_RUNNING || !rk_atomic_u32(&cl->tells);
}

/* Until the oldest flight has landed, or another may depart. The device is lent to nobody meanwhile. However long a
 * handler takes: who wants the kernel to end gives it up. A launch that the driver never starts is another thing. */
static rk_opencl_served *await_flight(rk_opencl_runtime *cl)
{
    rk_opencl_flight *f = rk_opencl_oldest(cl);
    rk_opencl_served *more = 0;
    rk_status status = RK_TIMED_OUT;
    rk_u64 moved_ns = rk_monotonic_ns();
    while (status == RK_TIMED_OUT && !rk_atomic_u32(&cl->lost)) {
        rk_u32 seen = rk_opencl_seen();
        __atomic_store_n(&cl->keeper_sleeps, DOZES, __ATOMIC_SEQ_CST); /* before the last look, as W2 */
        if (cl->in_air < RK_OPENCL_FLIGHTS) listen(cl);
        more = next_due(cl);
        if (more) return more;
        rk_opencl_lend(cl);
        status = rk_opencl_doze(cl, f->came, seen, cl->patience_ns);
        if (counts_as_begun(cl, f)) moved_ns = rk_monotonic_ns();
        if (rk_monotonic_ns() - moved_ns >= cl->patience_ns)
            rk_opencl_lose(cl, "the driver took a launch and never started it");
        rk_opencl_retake(cl);
    }
    if (status == RK_OK && !rk_atomic_u32(&cl->lost)) land(cl, f);
    return 0;
}

/* Slices until nobody wants one, or somebody else wants the device. */
static void fly(rk_opencl_runtime *cl)
{
    rk_opencl_served *served = next_due(cl);
    while ((served || cl->in_air) && !rk_atomic_u32(&cl->lost)) {
        if (served) depart(cl, served);
        served = next_due(cl);
        if (!served && cl->in_air && !rk_atomic_u32(&cl->lost)) served = await_flight(cl);
        if (!served) served = next_due(cl);
    }
}

/* ------------------------------------------------------------------ rest */

/* How long nothing is to be launched if nobody rings; 0: there is something already. */
static rk_u64 rest(rk_opencl_runtime *cl)
{
    rk_u64 nap_ns = NAP_NS, now = rk_runtime_now(cl->runtime);
    for (rk_u32 n = 1; n <= kernels(cl) && nap_ns; n++) {
        const rk_opencl_served *served = cl->served[n];
        if (!served || !rk_slices_wanted(served->kernel)) continue;
        rk_slices_sleep(served->kernel);
        if (is_parked(served->kernel) && nap_ns > PARKED_NS) nap_ns = PARKED_NS;
        nap_ns =
            served->due || rk_opencl_has_arrived(served) ? 0 : rk_slices_nap(served->kernel, now, nap_ns);
    }
    const int rings_nobody = cl->runtime->options.clock_ns != 0; /* a clock that is set on */
    return rings_nobody && nap_ns > PARKED_NS ? PARKED_NS : nap_ns;
}

static void tell_failures(rk_opencl_runtime *cl)
{
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        rk_host_kernel *failed = 0;
        rk_u64 incarnation = 0;
        pthread_mutex_lock(&cl->device_lock);
        rk_opencl_served *served = cl->served[n];
        if (served && !served->told && (rk_atomic_u32(&cl->lost) || rk_slices_failed(served->kernel))) {
            served->told = 1;
            failed = served->kernel;
            incarnation = rk_kernel_incarnation(failed);
        }
        pthread_mutex_unlock(&cl->device_lock);
        if (failed) rk_opencl_tell_failure(failed, incarnation);
    }
}

static void *keeper_main(void *argument)
{
    rk_opencl_runtime *cl = argument;
    for (;;) {
        rk_u32 seen = __atomic_load_n(&cl->keeper_event, __ATOMIC_SEQ_CST);
        rk_u64 nap_ns = NAP_NS;
        if (rk_atomic_u32(&cl->keeper_stop)) break;
        while (rk_atomic_u32(&cl->waiting)) sched_yield(); /* a lock is not fair by itself */
        pthread_mutex_lock(&cl->device_lock);
        if (!rk_atomic_u32(&cl->lost)) {
            if (!cl->stays) fly(cl);
            __atomic_store_n(&cl->keeper_sleeps, SLEEPS, __ATOMIC_SEQ_CST); /* before the last look, as W2 */
            nap_ns = cl->stays ? rk_opencl_look_after(cl) : rest(cl);
        }
        pthread_mutex_unlock(&cl->device_lock);
        tell_failures(cl);
        if (nap_ns && !rk_atomic_u32(&cl->lost)) rk_futex_wait(&cl->keeper_event, seen, nap_ns);
        if (rk_atomic_u32(&cl->lost) && !rk_atomic_u32(&cl->keeper_stop))
            rk_futex_wait(&cl->keeper_event, seen, RK_SECONDS(1));
    }
    return 0;
}

/* ------------------------------------------------------------------ from outside */

rk_status rk_opencl_keeper_start(rk_opencl_runtime *cl)
{
    if (cl->runtime->options.single_step) return RK_OK;
    if (pthread_create(&cl->keeper, 0, keeper_main, cl))
        return rk_error(RK_OUT_OF_MEMORY, "can't start the thread that launches");
    pthread_setname_np(cl->keeper, "rk-keeper");
    cl->keeper_runs = 1;
    return RK_OK;
}

void rk_opencl_keeper_stop(rk_opencl_runtime *cl)
{
    if (!cl->keeper_runs) return;
    rk_atomic_set_u32(&cl->keeper_stop, 1);
    __atomic_fetch_add(&cl->keeper_event, 1, __ATOMIC_SEQ_CST);
    rk_futex_wake(&cl->keeper_event);
    rk_opencl_nudge();
    pthread_join(cl->keeper, 0);
    cl->keeper_runs = 0;
}

/* One of many that ring at once wakes it, the others find it awake. */
static void wake(rk_opencl_runtime *cl)
{
    __atomic_fetch_add(&cl->keeper_event, 1, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&cl->keeper_sleeps, __ATOMIC_SEQ_CST)) return;
    rk_u32 sleeps = __atomic_exchange_n(&cl->keeper_sleeps, 0, __ATOMIC_SEQ_CST);
    if (sleeps == SLEEPS) rk_futex_wake(&cl->keeper_event);
    if (sleeps == DOZES) rk_opencl_nudge();
}

void rk_opencl_ring(rk_seat *seat) { wake(rk_opencl_of(seat->owner->runtime)); }

/* Something changed on the device that no message and no order tells. */
void rk_opencl_ring_parked(rk_runtime *runtime)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    rk_atomic_set_u32(&cl->stirred, 1);
    wake(cl);
}

/* The slice that runs, of those in the air; 0: none does, or it is another kernel's. */
static rk_u64 running_slice(rk_opencl_runtime *cl, const rk_opencl_served *served)
{
    const rk_opencl_flight *f = rk_opencl_oldest(cl);
    const int runs = f && f->served == served && f->ended && counts_as_begun(cl, f) &&
                     rk_opencl_stage(cl, f->ended) > RK_CL_COMPLETE;
    return runs ? f->slice : 0;
}

/* Nothing is to be replaced. Of a kernel in slices the counts come with the answer, so it is the slice that takes too
 * long; where memory is shared, both must stand still. */
void rk_opencl_watch(rk_runtime *runtime, rk_u64 now_ns)
{
    (void)now_ns;
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        rk_host_kernel *k = runtime->kernels[n];
        if (!k->seat_count) continue;
        pthread_mutex_lock(&cl->device_lock);
        const rk_opencl_served *served = rk_atomic_u32(&cl->lost) ? 0 : cl->served[n];
        const int stays = served && served->stay;
        const rk_u64 slice = served && !stays ? running_slice(cl, served) : 0;
        pthread_mutex_unlock(&cl->device_lock);
        rk_hang_watch(k, slice || stays, slice);
    }
}
