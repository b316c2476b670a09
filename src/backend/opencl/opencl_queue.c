/* The one queue of commands, in order: copies and launches go in without waiting, and one wait with a deadline ends
 * them all. No call of the driver that could wait for a kernel is ever made. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../runtime/futex.h"
#include "opencl.h"

/* ------------------------------------------------------------------ whose the device is */

static struct timespec time_of(rk_u64 ns)
{
    return (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
}

rk_status rk_opencl_usable(const rk_opencl_runtime *cl)
{
    if (!rk_atomic_u32(&cl->lost)) return RK_OK;
    return rk_error(RK_DEVICE_LOST, "%s is lost: %s: close the runtime and open it again", cl->device.name,
                    cl->lost_why);
}

rk_status rk_opencl_lock(rk_opencl_runtime *cl, rk_u64 deadline_ns)
{
    struct timespec deadline = time_of(deadline_ns);
    rk_status status = RK_OK;
    __atomic_add_fetch(&cl->waiting, 1, __ATOMIC_ACQ_REL);
    pthread_mutex_lock(&cl->device_lock);
    while ((cl->busy || cl->ceases) && status == RK_OK && !rk_atomic_u32(&cl->lost))
        if (pthread_cond_timedwait(&cl->device_free, &cl->device_lock, &deadline) == ETIMEDOUT)
            status = RK_TIMED_OUT;
    __atomic_sub_fetch(&cl->waiting, 1, __ATOMIC_ACQ_REL);
    if (rk_atomic_u32(&cl->lost))
        status = rk_opencl_usable(cl);
    else if (status == RK_TIMED_OUT)
        rk_error(status,
                 "a launch does not end on %s: a handler is still running, or the driver never started it",
                 cl->device.name);
    if (status != RK_OK) pthread_mutex_unlock(&cl->device_lock);
    return status;
}

void rk_opencl_unlock(rk_opencl_runtime *cl) { pthread_mutex_unlock(&cl->device_lock); }

void rk_opencl_lend(rk_opencl_runtime *cl)
{
    cl->busy = 1;
    pthread_mutex_unlock(&cl->device_lock);
}

void rk_opencl_retake(rk_opencl_runtime *cl)
{
    pthread_mutex_lock(&cl->device_lock);
    cl->busy = 0;
    pthread_cond_broadcast(&cl->device_free);
}

/* ------------------------------------------------------------------ failures */

void rk_opencl_lose(rk_opencl_runtime *cl, const char *why)
{
    if (__atomic_exchange_n(&cl->loses, 1, __ATOMIC_ACQ_REL)) { /* by another, at this moment */
        while (!rk_atomic_u32(&cl->lost)) sched_yield();
        return;
    }
    snprintf(cl->lost_why, sizeof cl->lost_why, "%.*s", (int)strcspn(why, "\n"), why); /* its first line */
    rk_atomic_set_u32(&cl->lost, (rk_u32)RK_DEVICE_LOST);
    rk_runtime_log(cl->runtime, RK_ERROR, "", 0, cl->lost_why);
    pthread_cond_broadcast(&cl->device_free);
    rk_event_raise(&cl->keeper_event);
}

rk_status rk_opencl_failed(rk_opencl_runtime *cl, rk_cl_result result, const char *what)
{
    rk_status status = rk_opencl_error(result, "%s", what);
    if (status == RK_DEVICE_LOST) rk_opencl_lose(cl, rk_error_text());
    return status;
}

/* ------------------------------------------------------------------ commands */

rk_status rk_opencl_queue_open(rk_opencl_runtime *cl)
{
    rk_cl_result result = RK_CL_SUCCESS;
    cl->bounce = aligned_alloc(4096, RK_OPENCL_BOUNCE);
    if (!cl->bounce) return rk_error(RK_OUT_OF_MEMORY, "no memory for copies to the device");
    cl->queue = cl->api.clCreateCommandQueue(cl->context, cl->device.handle, 0, &result);
    return cl->queue ? RK_OK : rk_opencl_failed(cl, result, "making a queue of commands");
}

void rk_opencl_queue_close(rk_opencl_runtime *cl)
{
    if (cl->last) cl->api.clReleaseEvent(cl->last);
    if (cl->queue) cl->api.clReleaseCommandQueue(cl->queue);
    free(cl->bounce);
}

/* Where the driver hands the next command's event to. */
static rk_cl_event *next(rk_opencl_runtime *cl)
{
    if (cl->last) cl->api.clReleaseEvent(cl->last);
    cl->last = 0;
    return &cl->last;
}

rk_status rk_opencl_room(rk_opencl_runtime *cl, rk_u64 size, char **room)
{
    rk_u64 whole = (size + 63) / 64 * 64;
    rk_status status = RK_OK;
    if (RK_OPENCL_BOUNCE - cl->bounce_used < whole) {
        status = rk_opencl_await(cl, rk_opencl_patience(cl));
        cl->bounce_used = 0;
    }
    *room = cl->bounce + cl->bounce_used;
    cl->bounce_used += whole;
    return status;
}

rk_status rk_opencl_up(rk_opencl_runtime *cl, rk_u64 offset, const char *bounce, rk_u64 size)
{
    rk_cl_result result =
        cl->api.clEnqueueWriteBuffer(cl->queue, cl->arena.device, 0, offset, size, bounce, 0, 0, next(cl));
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "copying to the device");
}

rk_status rk_opencl_down(rk_opencl_runtime *cl, rk_u64 offset, char *bounce, rk_u64 size)
{
    rk_cl_result result =
        cl->api.clEnqueueReadBuffer(cl->queue, cl->arena.device, 0, offset, size, bounce, 0, 0, next(cl));
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "copying from the device");
}

rk_status rk_opencl_zero(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size)
{
    const rk_u64 zero[2] = { 0, 0 };
    rk_cl_result result = cl->api.clEnqueueFillBuffer(cl->queue, cl->arena.device, zero, sizeof zero, offset,
                                                      size, 0, 0, next(cl));
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "clearing device memory");
}

rk_cl_result rk_opencl_try_launch(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 blocks, rk_u32 threads)
{
    const size_t local = threads, global = (size_t)blocks * threads;
    return cl->api.clEnqueueNDRangeKernel(cl->queue, kernel, 1, 0, &global, &local, 0, 0, next(cl));
}

rk_status rk_opencl_launch(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u32 blocks, rk_u32 threads)
{
    const rk_cl_result result = rk_opencl_try_launch(cl, kernel, blocks, threads);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "launching a kernel");
}

/* ------------------------------------------------------------------ waiting */

static rk_u32 done_event; /* futex, of all runtimes: a driver may tell after a runtime is closed */

static void told_done(rk_cl_event event, rk_i32 status, void *user)
{
    (void)event, (void)status, (void)user;
    rk_event_raise(&done_event);
}

void rk_opencl_nudge(void) { rk_event_raise(&done_event); }

rk_status rk_opencl_tell(rk_opencl_runtime *cl, rk_cl_event event)
{
    rk_cl_result result = cl->api.clSetEventCallback(event, RK_CL_COMPLETE, told_done, 0);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "waiting for the device");
}

rk_i32 rk_opencl_stage(rk_opencl_runtime *cl, rk_cl_event event)
{
    rk_i32 stage = RK_CL_COMPLETE;
    if (!event) return stage;
    rk_cl_result result =
        cl->api.clGetEventInfo(event, RK_CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof stage, &stage, 0);
    return result == RK_CL_SUCCESS ? stage : result;
}

/* Whatever it was, what came after it was not done either. */
static rk_status command_failed(rk_opencl_runtime *cl, rk_i32 stage)
{
    rk_opencl_error(stage, "a command failed on %s", cl->device.name);
    rk_opencl_lose(cl, rk_error_text());
    return RK_DEVICE_LOST;
}

#define LOOK_NS RK_MILLISECONDS(5) /* the driver tells; this is for one that doesn't */

rk_u32 rk_opencl_seen(void) { return __atomic_load_n(&done_event, __ATOMIC_SEQ_CST); }

rk_status rk_opencl_doze(rk_opencl_runtime *cl, rk_cl_event event, rk_u32 seen, rk_u64 most_ns)
{
    rk_i32 stage = rk_opencl_stage(cl, event);
    if (stage < 0) return command_failed(cl, stage);
    if (stage == RK_CL_COMPLETE) return RK_OK;
    rk_futex_wait(&done_event, seen, most_ns < LOOK_NS ? most_ns : LOOK_NS);
    return RK_TIMED_OUT;
}

rk_status rk_opencl_await_event(rk_opencl_runtime *cl, rk_cl_event event, rk_u64 deadline_ns)
{
    rk_status status = RK_TIMED_OUT;
    rk_u64 now = 0;
    while (status == RK_TIMED_OUT && now < deadline_ns) {
        rk_u32 seen = rk_opencl_seen();
        now = rk_monotonic_ns();
        status = rk_opencl_doze(cl, event, seen, now < deadline_ns ? deadline_ns - now : 0);
    }
    return status;
}

rk_status rk_opencl_await(rk_opencl_runtime *cl, rk_u64 deadline_ns)
{
    if (!cl->last) return RK_OK;
    rk_status status = rk_opencl_tell(cl, cl->last);
    if (status != RK_OK) return status;
    rk_cl_result result = cl->api.clFlush(cl->queue);
    if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "waiting for the device");
    status = rk_opencl_await_event(cl, cl->last, deadline_ns);
    if (status == RK_OK) next(cl);
    return status;
}

void rk_opencl_empty(rk_opencl_runtime *cl) { cl->bounce_used = 0; }
