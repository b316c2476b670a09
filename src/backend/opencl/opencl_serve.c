/* Kernels that are served: taken on, left at the end of a slice, given up, stepped. */
#include <stdio.h>
#include <stdlib.h>

#include "../../runtime/kernel.h"
#include "../resident.h"
#include "opencl.h"

/* ------------------------------------------------------------------ launching */

#define THREADS_OF_GPU 64u /* of a thread-wide kernel: each takes a message */

/* On a CPU a work-group is one thread's loop over its work-items: more of them bring nothing to handlers that share
 * nothing. */
rk_u32 rk_opencl_block(const rk_opencl_device *device) { return device->is_cpu ? 1 : THREADS_OF_GPU; }

rk_u32 rk_opencl_threads(const rk_opencl_runtime *cl, const rk_class *class, const rk_layout *layout)
{
    if (class->spmd || class->attributes->width != RK_THREAD) return layout->threads;
    return layout->threads > 1 && !cl->device.is_cpu ? layout->threads : rk_opencl_block(&cl->device);
}

rk_u32 rk_opencl_shared(const rk_layout *layout, rk_u32 threads)
{
    return (layout->shared_size + 8u * threads + 15u) / 16u * 16u;
}

/* ------------------------------------------------------------------ taking on */

static rk_status check_fit(const rk_opencl_runtime *cl, const rk_opencl_served *served)
{
    const rk_opencl_device *d = &cl->device;
    if (served->threads > served->code->group_most || served->threads > d->group_most)
        return rk_error(RK_LIMIT,
                        "'%s': work-groups of %u threads are over what %s can run this kernel in, %u",
                        served->kernel->id, served->threads, d->name,
                        served->code->group_most < d->group_most ? served->code->group_most : d->group_most);
    if (!rk_opencl_has_local(d, served->shared))
        return rk_error(RK_LIMIT,
                        "'%s': %u bytes of local memory are over the %u of %s: lower .shared or threads",
                        served->kernel->id, served->shared, d->local_memory, d->name);
    return RK_OK;
}

static void prepare_orders(const rk_host_kernel *kernel)
{
    for (rk_u32 s = 0; s < kernel->seat_count; s++) {
        rk_orders *orders = kernel->seats[s].orders;
        orders->clock_fixed = 1; /* the host hands the time to each launch */
        orders->heartbeat = 0;
        rk_atomic_set_u32(&orders->leave, 0);
    }
}

rk_status rk_opencl_serve(rk_runtime *runtime, rk_host_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    rk_opencl_served *served = calloc(1, sizeof *served + kernel->seat_count * sizeof *served->shard);
    if (!served) return rk_error(RK_OUT_OF_MEMORY, "no memory to serve '%s'", kernel->id);
    served->kernel = kernel;
    served->due = 1;
    served->visits = RK_OPENCL_VISITS_MOST / 4;
    served->blocks =
        kernel->options.blocks < kernel->seat_count ? kernel->options.blocks : kernel->seat_count;
    served->threads = rk_opencl_threads(cl, kernel->class, &kernel->layout);
    served->shared = rk_opencl_shared(&kernel->layout, served->threads);
    rk_status status = rk_opencl_compile(cl, kernel->class, &kernel->layout, &served->code);
    if (status == RK_OK) status = check_fit(cl, served);
    if (status == RK_OK) status = rk_opencl_lock(cl, rk_opencl_patience(cl));
    if (status == RK_OK) {
        prepare_orders(kernel);
        status = rk_opencl_flights_fit(cl, kernel);
        if (status == RK_OK) status = rk_opencl_prepare(cl, served);
        served->round = cl->round - 1u;
        if (kernel->options.stream_priority > cl->highest) cl->highest = kernel->options.stream_priority;
        if (status == RK_OK) cl->served[kernel->number] = served;
        if (status == RK_OK && cl->stays) status = rk_opencl_stay(cl, served);
        if (status != RK_OK) {
            cl->served[kernel->number] = 0;
            rk_opencl_served_drop(cl, served);
        }
        rk_opencl_unlock(cl);
    } else {
        free(served);
    }
    if (status != RK_OK) return status;
    rk_opencl_ring(kernel->seats);
    return RK_OK;
}

rk_status rk_opencl_renew(rk_host_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(kernel->runtime);
    rk_status status = rk_opencl_lock(cl, rk_opencl_patience(cl));
    if (status != RK_OK) return status;
    status = rk_opencl_store_own(cl, kernel);
    rk_opencl_unlock(cl);
    return status;
}

/* A slice brings how far it came; what was counted on the way is brought when somebody asks, and what others send to a
 * kernel at rest. While a slice takes long, what is seen is what there was before it: what it handles is queued still. */
void rk_opencl_look(rk_host_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(kernel->runtime);
    const rk_layout *l = &kernel->layout;
    const rk_u64 within_ns = rk_atomic_u32(&cl->blocked) ? 0 : cl->look_ns;
    if (!kernel->seat_count || rk_atomic_u32(&cl->lost)) return;
    const rk_status status = rk_opencl_lock(cl, rk_monotonic_ns() + within_ns);
    if (status == RK_TIMED_OUT) rk_atomic_set_u32(&cl->blocked, 1);
    if (status != RK_OK) return;
    rk_opencl_served *served = cl->served[kernel->number];
    if (served && (cl->stays || served->counted != cl->slices) && rk_opencl_count(cl, kernel) == RK_OK)
        served->counted =
            cl->slices; /* till the next slice nothing changes: a kernel at rest costs nothing */
    if (!served)
        rk_opencl_fetch_rows(cl, rk_layout_part(l, RK_NEAR_DEVICE, 0) + l->own, l->control - l->own,
                             l->block[l->device].shard_stride, kernel->seat_count);
    rk_opencl_unlock(cl);
}

/* ------------------------------------------------------------------ leaving */

/* All that it has comes down. Half of it is of no use: what came would come again with its next slice. So where the rest
 * doesn't come the device is lost. */
static rk_status gather(rk_opencl_runtime *cl, rk_opencl_served *served)
{
    char why[160];
    const rk_status status = rk_opencl_gather(cl, served);
    if (status != RK_TIMED_OUT) return status;
    snprintf(why, sizeof why, "what '%.64s' left there was not copied in time", served->kernel->id);
    rk_opencl_lose(cl, why);
    return rk_opencl_usable(cl);
}

/* What is still on the device comes down. On a lost device nothing runs any more, and the keeper, which may still
 * wait for a launch of it, has done with what it served. */
rk_status rk_opencl_leave(rk_runtime *runtime, rk_host_kernel *kernel, rk_u64 deadline_ns)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    rk_status status = rk_opencl_lock(cl, deadline_ns);
    if (status == RK_TIMED_OUT) return status;
    if (status != RK_OK) pthread_mutex_lock(&cl->device_lock);
    if (status == RK_OK) status = rk_opencl_go_alone(cl, kernel->number, deadline_ns);
    rk_opencl_served *served = cl->served[kernel->number];
    if (status != RK_TIMED_OUT) {
        if (status == RK_OK && served) status = gather(cl, served);
        cl->served[kernel->number] = 0;
        rk_opencl_served_drop(cl, served);
    }
    rk_opencl_unlock(cl);
    if (status == RK_TIMED_OUT) return status;
    if (status != RK_OK) rk_opencl_tell_failure(kernel, rk_kernel_incarnation(kernel));
    return RK_OK;
}

/* A handler that never returns. Of a kernel that stays: it has its work-groups to the end, and is told to let nothing
 * out. In a slice it blocks the queue, and with it every kernel of this runtime. */
void rk_opencl_abandon(rk_runtime *runtime, rk_host_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    char why[160];
    snprintf(why, sizeof why, "'%s' was given up, and what it runs never ended", kernel->id);
    pthread_mutex_lock(&cl->device_lock);
    rk_opencl_served *served = cl->served[kernel->number];
    const int stays = served && served->stay;
    if (stays) {
        rk_resident_order(kernel, RK_LEAVE_NOW);
        cl->served[kernel->number] = 0;
        rk_opencl_served_drop(cl, served);
    } else if (served) {
        served->told = 1; /* by whoever gives it up */
    }
    pthread_mutex_unlock(&cl->device_lock);
    if (!stays) rk_opencl_lose(cl, why);
}

int rk_opencl_is_costly(const rk_runtime *runtime, const rk_host_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    pthread_mutex_lock(&cl->device_lock);
    const rk_opencl_served *served = cl->served[kernel->number];
    const int in_slices = served && !served->stay;
    pthread_mutex_unlock(&cl->device_lock);
    return in_slices;
}

void rk_opencl_tell_failure(rk_host_kernel *kernel, rk_u64 incarnation)
{
    rk_kernel_failed_in(kernel, incarnation,
                        rk_atomic_u32(&rk_opencl_of(kernel->runtime)->lost)
                            ? "the device is lost, with all that was on it"
                            : "stopped between publishing and committing a batch");
}

/* ------------------------------------------------------------------ one after the other */

rk_u32 rk_opencl_step(rk_seat *seat)
{
    rk_host_kernel *kernel = seat->owner;
    rk_opencl_runtime *cl = rk_opencl_of(kernel->runtime);
    rk_u32 visit = RK_VISIT_FAILED;
    if (rk_opencl_lock(cl, rk_opencl_patience(cl)) == RK_OK) {
        rk_opencl_served *served = cl->served[kernel->number];
        rk_status status = served ? rk_opencl_depart(cl, served, seat->number, 1, 1) : RK_NOT_ACTIVE;
        if (status == RK_OK)
            status = rk_opencl_await_event(cl, rk_opencl_oldest(cl)->came, rk_opencl_patience(cl));
        if (status == RK_TIMED_OUT) rk_opencl_lose(cl, "a step never ended");
        if (status == RK_OK) status = rk_opencl_land(cl, rk_opencl_oldest(cl));
        if (status == RK_OK) visit = rk_atomic_u32(&seat->orders->visit);
        rk_opencl_unlock(cl);
    }
    if (visit == RK_VISIT_FAILED) rk_opencl_tell_failure(kernel, rk_kernel_incarnation(kernel));
    return visit;
}
