/* Slices on their way. A slice is three commands: its parcel up, a launch, its answer down, each in a queue of its own and
 * behind the one before by an event. So the next parcel goes up and the last answer comes down while a launch runs, on
 * drivers that copy and compute at once; on others the next slice at least stands in the queue already.
 *
 * Launches follow each other in one queue: what one left in the arena the next one sees. */
#include <stdlib.h>

#include "../../runtime/futex.h"
#include "opencl.h"

/* ------------------------------------------------------------------ what they travel in */

/* At least so large; without memory for that as it was, for those who travel in it. */
static rk_status fit(rk_opencl_runtime *cl, rk_opencl_memory *memory, rk_u64 size)
{
    rk_opencl_memory larger = { .room = 0 };
    if (memory->room >= size) return RK_OK;
    const rk_status status = rk_opencl_memory_make(cl, size, &larger);
    rk_opencl_memory_drop(cl, status == RK_OK ? memory : &larger);
    if (status == RK_OK) *memory = larger;
    return status;
}

static rk_status fit_flight(rk_opencl_runtime *cl, rk_opencl_flight *f, rk_u64 up, rk_u64 down)
{
    rk_status status = fit(cl, &f->up, up);
    return status == RK_OK ? fit(cl, &f->down, down) : status;
}

rk_status rk_opencl_flights_fit(rk_opencl_runtime *cl, const rk_host_kernel *kernel)
{
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < RK_OPENCL_FLIGHTS && status == RK_OK; i++)
        status = fit_flight(cl, &cl->flight[i], rk_opencl_parcel_room(cl, kernel),
                            rk_opencl_answer_room(cl, kernel));
    return status;
}

rk_status rk_opencl_flights_open(rk_opencl_runtime *cl)
{
    rk_cl_queue *const queues[] = { &cl->up_queue, &cl->down_queue };
    for (rk_u32 i = 0; i < sizeof queues / sizeof *queues; i++) {
        rk_cl_result result = RK_CL_SUCCESS;
        *queues[i] = cl->api.clCreateCommandQueue(cl->context, cl->device.handle, 0, &result);
        if (!*queues[i]) return rk_opencl_failed(cl, result, "making a queue of commands");
    }
    return fit_flight(cl, cl->flight, sizeof(rk_parcel), sizeof(rk_answer)); /* for launches without shards */
}

void rk_opencl_flights_close(rk_opencl_runtime *cl)
{
    for (rk_u32 i = 0; i < RK_OPENCL_FLIGHTS; i++) {
        rk_opencl_memory_drop(cl, &cl->flight[i].up);
        rk_opencl_memory_drop(cl, &cl->flight[i].down);
    }
    if (cl->up_queue) cl->api.clReleaseCommandQueue(cl->up_queue);
    if (cl->down_queue) cl->api.clReleaseCommandQueue(cl->down_queue);
}

/* ------------------------------------------------------------------ off they go */

#define ASK_MORE 4096u /* bytes over what the last answer had: a second copy costs more than they do */

/* How much of the answer is asked for before its size is known. */
static rk_u64 guess(const rk_opencl_flight *f)
{
    rk_u64 least = f->count * sizeof(rk_answer), ask = f->served->answer + ASK_MORE;
    if (ask < least) ask = least;
    return ask < f->down.room ? ask : f->down.room;
}

static rk_status enqueue_launch(rk_opencl_runtime *cl, rk_opencl_flight *f, rk_u32 visits)
{
    const rk_opencl_served *served = f->served;
    const rk_layout *l = &served->kernel->layout;
    const size_t local = served->threads,
                 global = (f->count < served->blocks ? f->count : served->blocks) * local;
    rk_status status = rk_opencl_arguments(cl, served->code->kernel, rk_layout_common(l, l->table), f->first,
                                           f->count, visits, served->shared, &f->up, &f->down);
    if (status != RK_OK) return status;
    rk_cl_result result =
        cl->api.clEnqueueNDRangeKernel(cl->queue, served->code->kernel, 1, 0, &global, &local,
                                       f->arrived ? 1 : 0, f->arrived ? &f->arrived : 0, &f->ended);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "launching a kernel");
}

/* Nothing travels: the answer is there when the launch has ended. */
static rk_status enqueue_shared(rk_opencl_runtime *cl, rk_opencl_flight *f, rk_u32 visits)
{
    rk_status status = enqueue_launch(cl, f, visits);
    f->came = f->ended;
    return status;
}

static rk_status enqueue(rk_opencl_runtime *cl, rk_opencl_flight *f, rk_u32 visits)
{
    if (cl->shares) return enqueue_shared(cl, f, visits);
    rk_cl_result result = cl->api.clEnqueueWriteBuffer(cl->up_queue, f->up.device, 0, 0, f->packed,
                                                       f->up.host, 0, 0, &f->arrived);
    if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "copying to the device");
    rk_status status = enqueue_launch(cl, f, visits);
    if (status != RK_OK) return status;
    result = cl->api.clEnqueueReadBuffer(cl->down_queue, f->down.device, 0, 0, f->asked, f->down.host, 1,
                                         &f->ended, &f->came);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "copying from the device");
}

static rk_status flush(rk_opencl_runtime *cl)
{
    const rk_cl_queue queues[] = { cl->up_queue, cl->queue, cl->down_queue };
    rk_cl_result result = RK_CL_SUCCESS;
    if (cl->shares) result = cl->api.clFlush(cl->queue);
    for (rk_u32 i = 0; i < sizeof queues / sizeof *queues && result == RK_CL_SUCCESS && !cl->shares; i++)
        result = cl->api.clFlush(queues[i]);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "starting a slice");
}

rk_status rk_opencl_depart(rk_opencl_runtime *cl, rk_opencl_served *served, rk_u32 first, rk_u32 count,
                           rk_u32 visits)
{
    rk_opencl_flight *f = &cl->flight[cl->slices % RK_OPENCL_FLIGHTS];
    f->served = served;
    f->slice = ++cl->slices;
    f->first = first;
    f->count = count;
    f->begun_ns = rk_monotonic_ns();
    __atomic_add_fetch(&cl->in_air, 1, __ATOMIC_SEQ_CST);
    rk_opencl_pack(cl, f);
    f->asked = guess(f);
    rk_status status = enqueue(cl, f, visits);
    if (status == RK_OK) status = rk_opencl_tell(cl, f->came);
    if (status == RK_OK) status = flush(cl);
    if (status != RK_OK) rk_opencl_lose(cl, rk_error_text()); /* a part of it may be on its way */
    return status;
}

/* ------------------------------------------------------------------ and come back */

rk_opencl_flight *rk_opencl_oldest(rk_opencl_runtime *cl)
{
    return cl->in_air ? &cl->flight[(cl->slices - cl->in_air) % RK_OPENCL_FLIGHTS] : 0;
}

/* More than was asked for: the rest, which is there since the launch ended. */
static rk_status fetch_rest(rk_opencl_runtime *cl, rk_opencl_flight *f, rk_u64 size)
{
    rk_cl_event came = 0;
    if (cl->shares || size <= f->asked) return RK_OK;
    rk_cl_result result = cl->api.clEnqueueReadBuffer(cl->down_queue, f->down.device, 0, f->asked,
                                                      size - f->asked, f->down.host + f->asked, 0, 0, &came);
    if (result == RK_CL_SUCCESS) result = cl->api.clFlush(cl->down_queue);
    if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "copying from the device");
    rk_status status = rk_opencl_tell(cl, came);
    if (status == RK_OK) status = rk_opencl_await_event(cl, came, rk_opencl_patience(cl));
    if (status == RK_OK) cl->api.clReleaseEvent(came);
    return status;
}

rk_status rk_opencl_land(rk_opencl_runtime *cl, rk_opencl_flight *f)
{
    rk_u64 size = 0;
    rk_status status = rk_opencl_answer_size(cl, f, &size);
    if (status == RK_OK) status = fetch_rest(cl, f, size);
    if (status == RK_OK) {
        f->served->answer = size;
        rk_opencl_unpack(cl, f);
    } else {
        rk_opencl_lose(cl, rk_error_text()); /* with the answer */
    }
    rk_cl_event *const events[] = { &f->arrived, &f->ended, &f->came };
    if (f->came == f->ended) f->came = 0;
    for (rk_u32 i = 0; i < sizeof events / sizeof *events; i++) {
        if (*events[i]) cl->api.clReleaseEvent(*events[i]);
        *events[i] = 0;
    }
    f->served = 0;
    __atomic_sub_fetch(&cl->in_air, 1, __ATOMIC_SEQ_CST);
    return status;
}
