/* The OpenCL backend: a device opened, memory of it as the arena, kernels on it that stay or are served by slices. */
#include "opencl.h"

#include <stdlib.h>
#include <time.h>

#include "../attributes.h"

/* ------------------------------------------------------------------ open and close */

static rk_status choose_device(rk_opencl_runtime *cl)
{
    rk_opencl_device devices[RK_OPENCL_DEVICES_MOST];
    rk_u32 count = 0, wanted = cl->runtime->options.device;
    rk_status status = rk_opencl_load(0, &cl->api);
    if (status == RK_OK) status = rk_opencl_devices(&cl->api, devices, &count);
    if (status != RK_OK) return status;
    if (wanted >= count)
        return rk_error(RK_INVALID_OPTIONS, "device %u: OpenCL has %u, from 0 on; `rk devices` shows them",
                        wanted, count);
    cl->device = devices[wanted];
    return rk_opencl_device_check(&cl->device);
}

static rk_status take_device(rk_opencl_runtime *cl)
{
    rk_cl_result result = RK_CL_SUCCESS;
    rk_status status = choose_device(cl);
    if (status != RK_OK) return status;
    cl->context = cl->api.clCreateContext(0, 1, &cl->device.handle, 0, 0, &result);
    return cl->context ? rk_opencl_queue_open(cl) : rk_opencl_failed(cl, result, "opening the device");
}

/* A lost device, or a launch or a copy that never ends, may never give back what it has, its driver would wait, and it may
 * still write where copies go: all of that stays until the process ends. */
static rk_opencl_runtime *left_behind; /* atomic */

static void free_all(rk_opencl_runtime *cl)
{
    for (rk_u32 n = 1; n <= RK_KERNELS_MAX; n++) rk_opencl_served_drop(cl, cl->served[n]);
    cl->held |=
        rk_atomic_u32(&cl->lost) || rk_opencl_is_stuck(cl) || rk_opencl_stage(cl, cl->last) > RK_CL_COMPLETE;
    rk_opencl_release(cl);
    if (cl->held) {
        cl->next = __atomic_load_n(&left_behind, __ATOMIC_RELAXED);
        while (!__atomic_compare_exchange_n(&left_behind, &cl->next, cl, 0, __ATOMIC_RELEASE,
                                            __ATOMIC_RELAXED)) {}
        return;
    }
    rk_opencl_codes_free(cl);
    if (cl->context) {
        rk_opencl_flights_close(cl);
        rk_opencl_queue_close(cl);
        cl->api.clReleaseContext(cl->context);
    }
    pthread_cond_destroy(&cl->device_free);
    pthread_mutex_destroy(&cl->device_lock);
    rk_making_close(&cl->codes);
    free(cl);
}

static void make_locks(rk_opencl_runtime *cl)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&cl->device_free, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&cl->device_lock, 0);
    rk_making_open(&cl->codes);
}

#define SPIN_NONE_NS 1u

static void choose_mode(rk_opencl_runtime *cl)
{
    rk_runtime *runtime = cl->runtime;
    rk_opencl_try_sharing(cl);
    cl->stays =
        cl->shares && cl->device.units > 1 && !runtime->options.slices && !runtime->options.single_step;
    runtime->by_value = !cl->shares;
    runtime->traits =
        (cl->device.can & RK_OPENCL_ATOMICS_64 ? 0 : RK_LAYOUT_LOCKS) | (cl->shares ? RK_LAYOUT_SHARES : 0);
    runtime->chosen = rk_opencl_block(&cl->device);
    runtime->rings = !cl->stays;
    /* A slice is handed from thread to thread, and who spins has the processor that one of them needs. Who sees what a
     * slice sends while it runs spins and yields; without shared memory only another of those threads brings it. */
    runtime->yields = cl->device.is_cpu && cl->shares && !cl->stays;
    if (cl->device.is_cpu && !cl->shares && !runtime->options.spin_ns)
        runtime->options.spin_ns = SPIN_NONE_NS;
}

static rk_status opencl_reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling)
{
    rk_opencl_runtime *cl = calloc(1, sizeof *cl);
    if (!cl) return rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
    cl->runtime = runtime;
    cl->patience_ns = RK_OPENCL_PATIENCE;
    cl->building_ns = RK_OPENCL_BUILDING;
    cl->look_ns = RK_OPENCL_LOOK;
    cl->begin_ns = RK_OPENCL_BEGIN;
    make_locks(cl);
    runtime->backend_data = cl;
    rk_status status = take_device(cl);
    if (status == RK_OK) choose_mode(cl);
    if (status == RK_OK) status = rk_opencl_reserve(cl, size, ceiling);
    if (status == RK_OK) status = rk_opencl_flights_open(cl);
    if (status != RK_OK) {
        free_all(cl);
        runtime->backend_data = 0;
    }
    return status;
}

static void opencl_release(rk_runtime *runtime)
{
    if (runtime->backend_data) free_all(rk_opencl_of(runtime));
    runtime->backend_data = 0;
}

static rk_status opencl_open(rk_runtime *runtime)
{
    if (runtime->options.workers)
        return rk_error(RK_INVALID_OPTIONS, "workers %u: the OpenCL backend has none; leave it 0",
                        runtime->options.workers);
    return rk_opencl_keeper_start(rk_opencl_of(runtime));
}

static void opencl_close(rk_runtime *runtime) { rk_opencl_keeper_stop(rk_opencl_of(runtime)); }

/* ------------------------------------------------------------------ what can't be had */

static rk_status opencl_check(const rk_runtime *runtime, const rk_class *class,
                              const rk_launch_options *options)
{
    const rk_attributes *a = class->attributes;
    const char *name = class->name;
    rk_status found = rk_check_backends(class, RK_ON_OPENCL, "RK_ON_OPENCL", "OpenCL");
    if (a->messaging == RK_MESSAGING_P2P || a->messaging == RK_MESSAGING_NCCL)
        found =
            rk_error(RK_UNSUPPORTED,
                     "kernel '%s': .messaging %s is between GPUs of NVIDIA; use RK_MESSAGING_SHARED_MEMORY",
                     name, a->messaging == RK_MESSAGING_P2P ? "RK_MESSAGING_P2P" : "RK_MESSAGING_NCCL");
    if (a->barrier == RK_SCOPE_DEVICE)
        found = rk_error(
            RK_UNSUPPORTED,
            "kernel '%s': OpenCL has no barrier of device scope; use RK_SCOPE_BLOCK, or messages", name);
    if (runtime->by_value && (class->largest_in > RK_INLINE_MAX || class->largest_out > RK_INLINE_MAX))
        found = rk_error(
            RK_UNSUPPORTED,
            "kernel '%s' has messages over %u bytes: those travel by reference, and blocks of them are "
            "not copied to an OpenCL device that doesn't share memory with the host; use smaller messages, "
            "or the backend cpu or cuda",
            name, RK_INLINE_MAX);
    if (options->system_order)
        found = rk_error_also(
            found,
            rk_error(RK_UNSUPPORTED,
                     "system_order: on OpenCL what a sender wrote beside its message is not sure to be seen "
                     "across the bus; leave it 0, and send it, or use the backend cpu or cuda"));
    found = rk_error_also(found, rk_check_device_options(options));
    found = rk_error_also(found, rk_check_watched(runtime, options));
    return rk_error_also(found, rk_check_values(class));
}

static rk_status opencl_prepare(rk_runtime *runtime, const rk_class *class, const rk_layout *layout)
{
    rk_opencl_code *code;
    rk_status status = rk_opencl_usable(rk_opencl_of(runtime));
    return status == RK_OK ? rk_opencl_compile(rk_opencl_of(runtime), class, layout, &code) : status;
}

const rk_backend rk_backend_opencl = {
    .name = "opencl",
    .rings = 1,
    .reserve = opencl_reserve,
    .release = opencl_release,
    .open = opencl_open,
    .close = opencl_close,
    .check = opencl_check,
    .prepare = opencl_prepare,
    .serve = rk_opencl_serve,
    .leave = rk_opencl_leave,
    .abandon = rk_opencl_abandon,
    .is_costly = rk_opencl_is_costly,
    .fetch = rk_opencl_fetch,
    .store = rk_opencl_store,
    .renew = rk_opencl_renew,
    .look = rk_opencl_look,
    .ring = rk_opencl_ring,
    .ring_parked = rk_opencl_ring_parked,
    .watch = rk_opencl_watch,
    .step = rk_opencl_step,
};
