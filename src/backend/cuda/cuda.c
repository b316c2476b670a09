/* The CUDA backend: a device opened, its memory as the arena, kernels on it. */
#include "cuda.h"

#include <sched.h>
#include <stdlib.h>

#include "../../runtime/futex.h"
#include "../attributes.h"

/* ------------------------------------------------------------------ calls of the driver */

void rk_cuda_enter(rk_cuda_runtime *cuda) { cuda->api.cuCtxPushCurrent(cuda->context); }

void rk_cuda_exit(rk_cuda_runtime *cuda)
{
    rk_cu_context popped;
    cuda->api.cuCtxPopCurrent(&popped);
}

rk_status rk_cuda_failed(rk_cuda_runtime *cuda, int result, const char *what)
{
    rk_status status = rk_cuda_error(&cuda->api, result, "%s", what);
    if (status == RK_DEVICE_LOST &&
        !__atomic_exchange_n(&cuda->lost, (rk_u32)RK_DEVICE_LOST, __ATOMIC_ACQ_REL))
        rk_runtime_log(cuda->runtime, RK_ERROR, "", 0, rk_error_text());
    return status;
}

rk_status rk_cuda_await(rk_cuda_runtime *cuda, rk_cu_stream stream, rk_u64 deadline_ns)
{
    for (rk_u32 round = 0;; round++) {
        int result = cuda->api.cuStreamQuery(stream);
        if (result == RK_CUDA_SUCCESS) return RK_OK;
        if (result != RK_CUDA_ERROR_NOT_READY) return rk_cuda_failed(cuda, result, "waiting for the device");
        if (round % 16 == 0 && rk_monotonic_ns() >= deadline_ns) return RK_TIMED_OUT;
        if (round < 2000)
            rk_port_pause();
        else
            rk_futex_wait(&cuda->keeper_stop, cuda->keeper_stop, RK_MICROSECONDS(100));
    }
}

void rk_cuda_lock(rk_cuda_runtime *cuda)
{
    for (int i = 0; i < RK_CUDA_DEFERS && rk_atomic_u32(&cuda->keeper_waits); i++) sched_yield();
    __atomic_add_fetch(&cuda->waiting, 1, __ATOMIC_ACQ_REL);
    pthread_mutex_lock(&cuda->copying);
    __atomic_sub_fetch(&cuda->waiting, 1, __ATOMIC_ACQ_REL);
}

/* ------------------------------------------------------------------ open and close */

static rk_status take_device(rk_cuda_runtime *cuda)
{
    rk_status status = rk_cuda_check_environment();
    if (status == RK_OK) status = rk_cuda_load(0, &cuda->api);
    if (status == RK_OK) status = rk_cuda_describe(&cuda->api, cuda->runtime->options.device, &cuda->device);
    if (status == RK_OK) status = rk_cuda_device_check(&cuda->device);
    if (status != RK_OK) return status;
    int result = cuda->api.cuDevicePrimaryCtxRetain(&cuda->context, cuda->device.handle);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "opening the device");
    return RK_OK;
}

static void free_all(rk_cuda_runtime *cuda)
{
    if (cuda->context) {
        rk_cuda_enter(cuda);
        rk_cuda_codes_free(cuda);
        rk_cuda_release(cuda);
        rk_cuda_exit(cuda);
        cuda->api.cuDevicePrimaryCtxRelease(cuda->device.handle);
    }
    pthread_mutex_destroy(&cuda->copying);
    free(cuda);
}

static rk_status cuda_reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling)
{
    rk_cuda_runtime *cuda = calloc(1, sizeof *cuda);
    if (!cuda) return rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
    cuda->runtime = runtime;
    cuda->beat = 1;
    pthread_mutex_init(&cuda->copying, 0);
    runtime->backend_data = cuda;
    rk_status status = take_device(cuda);
    if (status == RK_OK) {
        rk_cuda_enter(cuda);
        cuda->api.cuCtxGetStreamPriorityRange(&cuda->priority_least, &cuda->priority_greatest);
        status = rk_cuda_reserve(cuda, size, ceiling);
        rk_cuda_exit(cuda);
    }
    if (status != RK_OK) {
        free_all(cuda);
        runtime->backend_data = 0;
    }
    return status;
}

static void cuda_release(rk_runtime *runtime)
{
    if (runtime->backend_data) free_all(rk_cuda_of(runtime));
    runtime->backend_data = 0;
}

static rk_status cuda_open(rk_runtime *runtime)
{
    if (runtime->options.workers)
        return rk_error(RK_INVALID_OPTIONS, "workers %u: the CUDA backend has none; leave it 0",
                        runtime->options.workers);
    return rk_cuda_keeper_start(rk_cuda_of(runtime));
}

static void cuda_close(rk_runtime *runtime) { rk_cuda_keeper_stop(rk_cuda_of(runtime)); }

/* ------------------------------------------------------------------ what can't be had */

static rk_status cuda_check(const rk_runtime *runtime, const rk_class *class,
                            const rk_launch_options *options)
{
    rk_cuda_runtime *cuda = rk_cuda_of(runtime);
    const rk_attributes *a = class->attributes;
    const char *name = class->name;
    rk_status found = rk_check_backends(class, RK_ON_CUDA, "RK_ON_CUDA", "CUDA");
    if (a->messaging == RK_MESSAGING_P2P || a->messaging == RK_MESSAGING_NCCL)
        found = rk_error(RK_UNSUPPORTED,
                         "kernel '%s': .messaging %s is between GPUs, which is not there; use "
                         "RK_MESSAGING_SHARED_MEMORY",
                         name, a->messaging == RK_MESSAGING_P2P ? "RK_MESSAGING_P2P" : "RK_MESSAGING_NCCL");
    if (a->barrier == RK_SCOPE_DEVICE)
        found = rk_error(RK_UNSUPPORTED,
                         "kernel '%s': a barrier of device scope needs a cooperative launch, which is not "
                         "there; use RK_SCOPE_BLOCK, or messages",
                         name);
    if (a->shared > cuda->device.block_shared)
        found = rk_error(RK_UNSUPPORTED, "kernel '%s': .shared %u is over the %u bytes of a block of %s",
                         name, a->shared, cuda->device.block_shared, cuda->device.name);
    rk_status invalid = rk_check_values(class);
    if (options->handler_limit_ns)
        found = rk_error(RK_UNSUPPORTED,
                         "handler_limit_ns: a handler on a device can't be replaced while it runs; use 0");
    return invalid != RK_OK ? invalid : found;
}

static rk_status cuda_prepare(rk_runtime *runtime, const rk_class *class, const rk_layout *layout)
{
    rk_cuda_code *code;
    return rk_cuda_compile(rk_cuda_of(runtime), class, layout, &code);
}

const rk_backend rk_backend_cuda = {
    .name = "cuda",
    .reserve = cuda_reserve,
    .release = cuda_release,
    .open = cuda_open,
    .close = cuda_close,
    .check = cuda_check,
    .prepare = cuda_prepare,
    .serve = rk_cuda_serve,
    .leave = rk_cuda_leave,
    .abandon = rk_cuda_abandon,
    .fetch = rk_cuda_fetch,
    .store = rk_cuda_store,
    .renew = rk_cuda_renew,
    .look = rk_cuda_look,
    .ring = rk_cuda_ring,
    .ring_parked = rk_cuda_ring_parked,
    .watch = rk_cuda_watch,
    .step = rk_cuda_step,
};
