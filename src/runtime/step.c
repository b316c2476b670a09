/* Single step: the calling thread visits the shards. For tests of handlers, with an injected clock and no
 * threads. */
#include "kernel.h"
#include "report.h"

#define VISIT_WORKED 1u

static rk_u32 step_kernel(rk_host_kernel *k)
{
    rk_u32 best = RK_STEP_IDLE, ended = 0;
    for (rk_u32 s = 0; s < k->seat_count; s++) {
        rk_u32 result = k->runtime->backend->step(&k->seats[s]);
        ended += result == RK_STEP_ENDED;
        if (result == RK_STEP_WORKED ||
            (best != RK_STEP_WORKED &&
             (result == RK_STEP_PARKED || (result == RK_STEP_WAITS && best == RK_STEP_IDLE))))
            best = result;
    }
    rk_reports_collect(k);
    return ended == k->seat_count ? RK_STEP_ENDED : best;
}

static rk_status check(rk_runtime *runtime, const char *call)
{
    rk_status status = rk_runtime_check(runtime, call);
    if (status == RK_OK && !runtime->options.single_step)
        status = rk_error(RK_UNSUPPORTED, "%s: the runtime has workers; open it with single_step = 1", call);
    return status;
}

rk_status rk_step(rk_runtime *runtime, rk_kernel handle, rk_u32 *result)
{
    rk_host_kernel *k = 0;
    rk_status status = check(runtime, "rk_step");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    if (status == RK_OK && !k->serving)
        status = rk_error(RK_NOT_ACTIVE, "'%s' is %s", k->id, rk_life_name(rk_atomic_u32(&k->life)));
    if (status == RK_OK) {
        rk_u32 got = step_kernel(k);
        if (result) *result = got;
        if (rk_atomic_u32(&k->life) == RK_LIFE_FAILED)
            status = rk_error(RK_FAILED, "'%s' failed: %s", k->id, k->failure);
    }
    pthread_mutex_unlock(&runtime->control);
    return status;
}

rk_status rk_step_all(rk_runtime *runtime, rk_u32 visits)
{
    rk_status status = check(runtime, "rk_step_all");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    rk_u32 worked = 1, over = 0;
    while (worked && !over) { /* a whole round without work ends it, too */
        worked = 0;
        for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
            rk_host_kernel *k = runtime->kernels[n];
            if (!k->serving) continue;
            over = visits == 0;
            if (over) break;
            visits--;
            worked |= step_kernel(k) == RK_STEP_WORKED;
        }
    }
    pthread_mutex_unlock(&runtime->control);
    return over ? rk_error(RK_TIMED_OUT, "after the given visits kernels were still busy, or not visited yet")
                : RK_OK;
}

/* A device has a copy of its orders from the last look at them, which may be older than a message that comes now. */
static rk_status have_seen(rk_host_kernel *k)
{
    if (!k->serving || !k->layout.device) return RK_OK;
    rk_status status = rk_kernel_halt(k);
    if (status == RK_OK && rk_atomic_u32(&k->life) != RK_LIFE_FAILED) status = rk_kernel_serve(k);
    return status;
}

rk_status rk_fail_before_commit(rk_runtime *runtime, rk_kernel handle)
{
    rk_host_kernel *k = 0;
    rk_status status = rk_runtime_check(runtime, "rk_fail_before_commit");
    if (status != RK_OK) return status;
    pthread_mutex_lock(&runtime->control);
    status = rk_kernel_check(runtime, handle, &k);
    for (rk_u32 s = 0; status == RK_OK && s < k->seat_count; s++)
        rk_atomic_set_u32(&k->seats[s].orders->faults, k->seats[s].orders->faults + 1);
    if (status == RK_OK) status = have_seen(k);
    pthread_mutex_unlock(&runtime->control);
    return status;
}
