/* Kernels that stay: one launch each, which serves its shards until it is told to leave. Only on an arena that host and
 * device share, see opencl_share.c.
 *
 * A driver promises neither that a launch starts nor that all of its work-groups do; one that isn't started would wait
 * for ever behind those that stay. So a compute unit is left free, each group tells that it has begun, and what has not
 * begun within a limit is revoked: whenever it starts then, it touches nothing (parcel.h). From then on all kernels of
 * the runtime are served by slices.
 *
 * There is no clock on the device: the keeper tells the time, each millisecond. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../runtime/futex.h"
#include "../../runtime/service.h"
#include "../resident.h"
#include "../slices.h"
#include "opencl.h"

#define LOOK_NS RK_MICROSECONDS(50)

static rk_parcel *parcel_of(const rk_opencl_served *served)
{
    return (rk_parcel *)(void *)served->brought.host;
}

/* ------------------------------------------------------------------ launching */

static rk_status make_room(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    rk_u64 count = served->kernel->seat_count;
    rk_cl_result result = RK_CL_SUCCESS;
    rk_status status = RK_OK;
    if (served->queue) return RK_OK;
    status = rk_opencl_memory_make(cl, sizeof(rk_parcel) + count * sizeof(rk_parcel_part), &served->brought);
    if (status == RK_OK) status = rk_opencl_memory_make(cl, count * sizeof(rk_answer), &served->taken);
    if (status != RK_OK) return status;
    served->queue = cl->api.clCreateCommandQueue(cl->context, cl->device.handle, 0, &result);
    return served->queue ? RK_OK : rk_opencl_failed(cl, result, "making a queue of commands");
}

static void tell_time(rk_opencl_runtime *cl, const rk_host_kernel *kernel, rk_u64 beat)
{
    rk_u64 now = rk_runtime_now(cl->runtime);
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_orders *orders = kernel->seats[s].orders;
        __atomic_store_n(&orders->clock_base, now, __ATOMIC_RELAXED);
        __atomic_store_n(&orders->heartbeat, beat, __ATOMIC_RELAXED);
    }
}

static rk_status launch(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    const rk_layout *l = &served->kernel->layout;
    const rk_u32 count = served->kernel->seat_count;
    const size_t local = served->threads, global = served->blocks * local;
    rk_parcel_part *parts = (rk_parcel_part *)(void *)(parcel_of(served) + 1);
    memset(served->brought.host, 0, served->brought.room);
    for (rk_u32 s = 0; s < count; s++) parts[s].shared = 1;
    tell_time(cl, served->kernel, ++cl->beat);
    rk_resident_begin(served->kernel);
    rk_status status = rk_opencl_arguments(cl, served->code->kernel, rk_layout_common(l, l->table), 0, count,
                                           0, served->shared, &served->brought, &served->taken);
    if (status != RK_OK) return status;
    rk_cl_result result = cl->api.clEnqueueNDRangeKernel(served->queue, served->code->kernel, 1, 0, &global,
                                                         &local, 0, 0, &served->stay);
    if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "launching a kernel that stays");
    status = rk_opencl_tell(cl, served->stay);
    if (status != RK_OK) return status;
    result = cl->api.clFlush(served->queue);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "starting a kernel that stays");
}

static rk_u32 begun(const rk_opencl_served *served)
{
    return __atomic_load_n(&parcel_of(served)->begun, __ATOMIC_ACQUIRE);
}

/* All of its work-groups run. 0: not within the limit, and none of the others ever will. */
static int has_begun(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    rk_u64 deadline_ns = rk_monotonic_ns() + cl->begin_ns;
    while (begun(served) < served->blocks && rk_monotonic_ns() < deadline_ns &&
           rk_opencl_stage(cl, served->stay) > RK_CL_COMPLETE)
        rk_futex_wait(&cl->keeper_stop, rk_atomic_u32(&cl->keeper_stop), LOOK_NS);
    return begun(served) >= served->blocks || __atomic_fetch_or(&parcel_of(served)->begun, RK_PARCEL_REVOKED,
                                                                __ATOMIC_ACQ_REL) >= served->blocks;
}

/* ------------------------------------------------------------------ leaving */

/* Its launch has ended. */
static void forget_launch(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    if (served->stay) cl->api.clReleaseEvent(served->stay);
    served->stay = 0;
}

void rk_opencl_served_drop(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    if (!served) return;
    if (rk_atomic_u32(&cl->lost) || served->going || /* who waits for that goes on to use it */
        (served->stay && rk_opencl_stage(cl, served->stay) > RK_CL_COMPLETE)) {
        served->next = cl->stuck;
        cl->stuck = served;
        return;
    }
    forget_launch(cl, served);
    if (served->queue) cl->api.clReleaseCommandQueue(served->queue);
    rk_opencl_memory_drop(cl, &served->brought);
    rk_opencl_memory_drop(cl, &served->taken);
    free(served);
}

int rk_opencl_is_stuck(rk_opencl_runtime *cl)
{
    for (rk_opencl_served *served = cl->stuck; served; served = cl->stuck) {
        if (served->going || (served->stay && rk_opencl_stage(cl, served->stay) > RK_CL_COMPLETE)) return 1;
        cl->stuck = served->next;
        rk_opencl_served_drop(cl, served);
    }
    return 0;
}

rk_status rk_opencl_go(rk_opencl_runtime *cl, rk_opencl_served *served, rk_u64 deadline_ns)
{
    served->going = 1;
    rk_resident_order(served->kernel, RK_LEAVE_NOW);
    rk_opencl_unlock(cl);
    rk_status status = rk_opencl_await_event(cl, served->stay, deadline_ns);
    pthread_mutex_lock(&cl->device_lock);
    rk_resident_order(served->kernel, 0);
    served->going = 0;
    if (status == RK_OK) forget_launch(cl, served);
    if (status == RK_TIMED_OUT)
        rk_error(status, "'%s' doesn't leave %s: a handler is still running", served->kernel->id,
                 cl->device.name);
    return status;
}

/* The one that was revoked: nothing of it runs, or the rest begins in vain once those that run have left. */
static rk_status clear(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    rk_u32 groups = begun(served) & ~RK_PARCEL_REVOKED;
    rk_status status = groups ? rk_opencl_go(cl, served, rk_opencl_patience(cl)) : RK_OK;
    if (status == RK_TIMED_OUT)
        rk_opencl_lose(cl, "a kernel that was to stay began in part, and does not end");
    if (groups) return status == RK_TIMED_OUT ? rk_opencl_usable(cl) : status;
    rk_opencl_served *given_up = calloc(1, sizeof *given_up); /* without groups: nothing of it runs */
    if (!given_up) return rk_error(RK_OUT_OF_MEMORY, "no memory to give a launch up");
    given_up->queue = served->queue;
    given_up->stay = served->stay;
    given_up->brought = served->brought;
    given_up->taken = served->taken;
    given_up->next = cl->stuck;
    cl->stuck = given_up;
    served->queue = 0;
    served->stay = 0;
    served->brought = served->taken = (rk_opencl_memory){ .room = 0 };
    return RK_OK;
}

/* Slices ring who waits. One that lies down now has seen what kernels that stayed sent, or is woken: they ring nobody. */
static void ring_from_now_on(rk_opencl_runtime *cl)
{
    rk_atomic_set_u32(&cl->runtime->rings, 1);
    rk_atomic_set_u32(&cl->runtime->yields, cl->device.is_cpu);
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cl->runtime->kernel_count); n++) {
        if (!cl->served[n]) continue;
        rk_event_raise(&cl->served[n]->kernel->out_event);
        rk_event_raise(&cl->served[n]->kernel->room_event);
    }
    rk_service_ring(cl->runtime);
}

/* Somebody else has told it to leave, and uses it: until it has left, or stays after all. */
static void await_other(rk_opencl_runtime *cl, rk_u32 n, rk_u64 deadline_ns)
{
    while (cl->served[n] && cl->served[n]->going && rk_monotonic_ns() < deadline_ns) {
        rk_opencl_unlock(cl);
        rk_futex_wait(&cl->keeper_stop, rk_atomic_u32(&cl->keeper_stop), LOOK_NS);
        pthread_mutex_lock(&cl->device_lock);
    }
}

rk_status rk_opencl_go_alone(rk_opencl_runtime *cl, rk_u32 number, rk_u64 deadline_ns)
{
    await_other(cl, number, deadline_ns);
    rk_opencl_served *served = cl->served[number];
    if (!served) return RK_OK;
    if (served->going)
        return rk_error(RK_TIMED_OUT, "'%s' doesn't leave %s: a handler is still running", served->kernel->id,
                        cl->device.name);
    return served->stay ? rk_opencl_go(cl, served, deadline_ns) : RK_OK;
}

/* It goes over to slices: what stays leaves. */
static rk_status cease_one(rk_opencl_runtime *cl, rk_u32 n)
{
    const rk_status status = rk_opencl_go_alone(cl, n, rk_opencl_patience(cl));
    if (status == RK_OK && cl->served[n]) cl->served[n]->due = 1;
    return status;
}

/* While one after the other leaves, nobody else has the device, and nothing is launched: a slice of one that still stays
 * would serve the same shards. Not all left: the keeper launches again those that have. */
rk_status rk_opencl_cease(rk_opencl_runtime *cl, const char *why)
{
    char note[256];
    rk_status status = RK_OK;
    cl->ceases = 1;
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cl->runtime->kernel_count) && status == RK_OK; n++)
        status = cease_one(cl, n);
    cl->ceases = 0;
    pthread_cond_broadcast(&cl->device_free);
    if (status != RK_OK) return status;
    cl->stays = 0;
    ring_from_now_on(cl);
    snprintf(note, sizeof note, "slices on %.100s: %s", cl->device.name, why);
    rk_runtime_log(cl->runtime, RK_INFO, "", 0, note);
    return RK_OK;
}

/* ------------------------------------------------------------------ staying */

static rk_u32 occupied(const rk_opencl_runtime *cl, const rk_opencl_served *but)
{
    rk_u32 groups = 0;
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cl->runtime->kernel_count); n++)
        if (cl->served[n] && cl->served[n] != but) groups += cl->served[n]->blocks;
    for (const rk_opencl_served *served = cl->stuck; served; served = served->next)
        groups += served->stay ? served->blocks : 0;
    return groups;
}

rk_status rk_opencl_stay(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    char why[200];
    rk_u32 others = occupied(cl, served);
    if (others + served->blocks + 1u > cl->device.units) {
        snprintf(
            why, sizeof why,
            "'%.64s' would stay with %u work-groups beside %u others, and of %u compute units one must be "
            "left free",
            served->kernel->id, served->blocks, others, cl->device.units);
        return rk_opencl_cease(cl, why);
    }
    rk_status status = make_room(cl, served);
    if (status == RK_OK) status = launch(cl, served);
    if (status != RK_OK || has_begun(cl, served)) return status;
    snprintf(why, sizeof why, "'%.64s' was to stay, and the driver started %u of %u work-groups in time",
             served->kernel->id, begun(served) & ~RK_PARCEL_REVOKED, served->blocks);
    status = clear(cl, served);
    return status == RK_OK ? rk_opencl_cease(cl, why) : status;
}

/* One that has ended: it comes back when a shard wants to be served. */
static void look_after(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    rk_i32 stage = served->stay ? rk_opencl_stage(cl, served->stay) : (rk_i32)RK_CL_COMPLETE;
    if (stage < 0) {
        rk_opencl_error(stage, "a kernel that stays ended on %s", cl->device.name);
        rk_opencl_lose(cl, rk_error_text());
    }
    if (stage > RK_CL_COMPLETE) rk_resident_follow(served->kernel);
    if (stage != RK_CL_COMPLETE) return;
    rk_resident_ended(served->kernel);
    forget_launch(cl, served);
    if (rk_slices_wanted(served->kernel) && rk_opencl_stay(cl, served) != RK_OK && !rk_atomic_u32(&cl->lost))
        rk_opencl_lose(cl, rk_error_text());
}

rk_u64 rk_opencl_look_after(rk_opencl_runtime *cl)
{
    rk_u64 nap_ns = RK_SECONDS(3600);
    cl->beat++;
    for (rk_u32 n = 1; n <= rk_atomic_u32(&cl->runtime->kernel_count) && cl->stays; n++) {
        rk_opencl_served *served = cl->served[n];
        if (!served) continue;
        if (served->going || cl->ceases) { /* it may stay after all */
            nap_ns = RK_OPENCL_TICK_NS;
            continue;
        }
        tell_time(cl, served->kernel, cl->beat);
        look_after(cl, served);
        if (served->stay) nap_ns = RK_OPENCL_TICK_NS;
    }
    return cl->stays ? nap_ns : 0; /* slices from now on: at once */
}
