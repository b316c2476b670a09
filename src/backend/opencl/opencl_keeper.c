/* The keeper: the thread that launches. A round is a slice of every kernel that wants to be served: up with all that the
 * host has, one launch for each kernel with all its shards, down with all that they did. While any had work, another
 * round; else nothing is launched until a doorbell rings or a timer is due. */
#include <sched.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../slices.h"
#include "opencl.h"

#define NAP_NS RK_SECONDS(3600) /* until somebody rings */

static rk_u32 kernels(const rk_opencl_runtime *cl) { return rk_atomic_u32(&cl->runtime->kernel_count); }

/* ------------------------------------------------------------------ a round */

/* By what the launch took: a quarter of the bound or less, and it may be twice as long; over it, half. */
static void fit_visits(rk_opencl_served *served, rk_u64 took_ns)
{
    if (took_ns > RK_OPENCL_SLICE_NS && served->visits > 1) served->visits /= 2;
    if (took_ns < RK_OPENCL_SLICE_NS / 4 && served->visits < RK_OPENCL_VISITS_MOST) served->visits *= 2;
}

/* Wait for the launches, with the device lent to nobody. However long a handler takes: who wants the kernel to end
 * gives it up. A launch that the driver never starts is another thing. */
static rk_status await_launch(rk_opencl_runtime *cl)
{
    rk_status status;
    rk_u32 not_started = 0;
    rk_opencl_lend(cl);
    do {
        status = rk_opencl_await(cl, rk_monotonic_ns() + cl->patience_ns / 10);
        not_started = status == RK_TIMED_OUT && rk_opencl_stage(cl) > RK_CL_RUNNING ? not_started + 1 : 0;
        if (not_started >= 10) rk_opencl_lose(cl, "the driver took a launch and never started it");
    } while (status == RK_TIMED_OUT && !rk_atomic_u32(&cl->lost));
    rk_opencl_retake(cl);
    return rk_atomic_u32(&cl->lost) ? RK_DEVICE_LOST : status;
}

/* What its shards' last visits came to. 1: another round may find work. */
static int has_worked(rk_opencl_served *served)
{
    int worked = 0;
    for (rk_u32 s = 0; s < served->kernel->seat_count; s++) {
        const rk_orders *orders = served->kernel->seats[s].orders;
        rk_u32 visit = rk_atomic_u32(&orders->visit);
        rk_u64 progress = __atomic_load_n(&orders->progress, __ATOMIC_ACQUIRE);
        worked |=
            visit == RK_VISIT_WORKED || visit == RK_VISIT_WAITS || progress != served->shard[s].progress;
        served->shard[s].progress = progress;
    }
    return worked;
}

static rk_status run_kernel(rk_opencl_runtime *cl, rk_opencl_served *served, int *worked)
{
    rk_u64 from = rk_monotonic_ns();
    rk_status status = rk_opencl_push(cl, served);
    if (status == RK_OK)
        status = rk_opencl_enqueue(cl, served, 0, served->kernel->seat_count, served->visits);
    if (status == RK_OK) status = await_launch(cl);
    if (status != RK_OK) return status;
    __atomic_add_fetch(&cl->launches, 1, __ATOMIC_RELAXED);
    rk_opencl_empty(cl);
    fit_visits(served, rk_monotonic_ns() - from);
    status = rk_opencl_pull(cl, served);
    if (status == RK_OK) *worked |= has_worked(served);
    return status;
}

static int run_round(rk_opencl_runtime *cl)
{
    int worked = 0;
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        rk_opencl_served *served = cl->served[n];
        if (!served || !rk_slices_wanted(served->kernel)) continue;
        if (run_kernel(cl, served, &worked) != RK_OK) break; /* lost, and told */
    }
    return worked;
}

/* ------------------------------------------------------------------ rest */

#define PARKED_NS RK_MILLISECONDS(1)

/* Does a shard wait for room? Nobody rings when there is some: it is looked at again soon. */
static int is_parked(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++)
        if (rk_atomic_u32(&kernel->seats[s].orders->phase) == RK_PHASE_PARKED) return 1;
    return 0;
}

/* How long nothing is to be launched if nobody rings; 0: there is something already. */
static rk_u64 rest(rk_opencl_runtime *cl)
{
    rk_u64 nap_ns = NAP_NS, now = rk_runtime_now(cl->runtime);
    for (rk_u32 n = 1; n <= kernels(cl) && nap_ns; n++) {
        const rk_opencl_served *served = cl->served[n];
        if (!served || !rk_slices_wanted(served->kernel)) continue;
        rk_slices_sleep(served->kernel);
        if (is_parked(served->kernel) && nap_ns > PARKED_NS) nap_ns = PARKED_NS;
        nap_ns = rk_opencl_has_arrived(served) ? 0 : rk_slices_nap(served->kernel, now, nap_ns);
    }
    return nap_ns;
}

static void tell_failures(rk_opencl_runtime *cl)
{
    for (rk_u32 n = 1; n <= kernels(cl); n++) {
        rk_host_kernel *failed = 0;
        pthread_mutex_lock(&cl->device_lock);
        rk_opencl_served *served = cl->served[n];
        if (served && !served->told && (rk_atomic_u32(&cl->lost) || rk_slices_failed(served->kernel))) {
            served->told = 1;
            failed = served->kernel;
        }
        pthread_mutex_unlock(&cl->device_lock);
        if (failed) rk_opencl_tell_failure(failed);
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
        if (!rk_atomic_u32(&cl->lost)) nap_ns = run_round(cl) ? 0 : rest(cl);
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
    rk_event_raise(&cl->keeper_event);
    pthread_join(cl->keeper, 0);
    cl->keeper_runs = 0;
}

void rk_opencl_ring(rk_seat *seat) { rk_event_raise(&rk_opencl_of(seat->owner->runtime)->keeper_event); }

void rk_opencl_ring_parked(rk_runtime *runtime) { rk_event_raise(&rk_opencl_of(runtime)->keeper_event); }

/* Nothing can be replaced: a handler that runs too long has the queue. */
void rk_opencl_watch(rk_runtime *runtime, rk_u64 now_ns) { (void)runtime, (void)now_ns; }
