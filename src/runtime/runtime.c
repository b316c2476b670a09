/* Open and close. Of a closed runtime the structure itself stays, so that a call on it is answered and not a
 * crash. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guard.h"
#include "kernel.h"
#include "module.h"
#include "service.h"
#include "under_way.h"
#include "../resilience/supervise.h"

static rk_runtime *closed_runtimes; /* atomic */

rk_u64 rk_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (rk_u64)now.tv_sec * 1000000000u + (rk_u64)now.tv_nsec;
}

rk_u64 rk_runtime_now(const rk_runtime *runtime)
{
    return runtime->options.clock_ns ? runtime->options.clock_ns(runtime->options.clock_user)
                                     : rk_monotonic_ns();
}

rk_status rk_runtime_check(const rk_runtime *runtime, const char *call)
{
    rk_error_begin();
    if (!runtime) return rk_error(RK_INVALID_ARGUMENT, "%s: runtime is null", call);
    return rk_is_open(runtime) ? RK_OK : rk_error(RK_CLOSED, "%s: the runtime is closed", call);
}

static rk_status check_options(const rk_runtime_options *given, rk_runtime_options *o)
{
    memset(o, 0, sizeof *o);
    o->size = sizeof *o;
    if (given) {
        rk_status known = rk_check_size(given, sizeof *o, "runtime options");
        if (known != RK_OK) return known;
        memcpy(o, given, given->size < sizeof *o ? given->size : sizeof *o);
    }
    rk_status status = rk_validate_runtime(o);
    if (!o->stall_limit_ns) o->stall_limit_ns = RK_STALL_DEFAULT;
    return status;
}

static rk_status choose_backend(rk_u32 backend, const rk_backend **chosen)
{
    if (backend > RK_BACKEND_OPENCL) /* none beyond it is valid but Metal */
        return rk_error(RK_UNSUPPORTED, "backend metal is not in this build; there are: cpu, cuda, opencl");
    *chosen = backend == RK_BACKEND_CUDA     ? &rk_backend_cuda
              : backend == RK_BACKEND_OPENCL ? &rk_backend_opencl
                                             : &rk_backend_cpu;
    return RK_OK;
}

static rk_status reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling)
{
    return runtime->backend->reserve ? runtime->backend->reserve(runtime, size, ceiling)
                                     : rk_arena_open(&runtime->arena, size, ceiling);
}

static void release(rk_runtime *runtime)
{
    if (runtime->backend->release)
        runtime->backend->release(runtime);
    else
        rk_arena_close(&runtime->arena);
}

/* What all kernels see: the directory, the table of pools, and the lane that takes nothing. */
static rk_status make_tables(rk_runtime *runtime)
{
    const rk_u64 closed_size = sizeof(rk_lane) + sizeof(rk_ring) + 16;
    rk_arena *arena = &runtime->arena;
    runtime->directory =
        rk_arena_take(arena, RK_NEAR_DEVICE, sizeof(rk_directory_entry) * (RK_KERNELS_MAX + 1));
    runtime->pool_table = rk_arena_take(arena, RK_NEAR_DEVICE, 8ull * (runtime->by_value ? 1 : RK_POOLS_MAX));
    runtime->closed_lane = rk_arena_take(arena, RK_NEAR_DEVICE, closed_size);
    if (!runtime->directory || !runtime->pool_table || !runtime->closed_lane)
        return rk_error(RK_OUT_OF_MEMORY, "no memory for the runtime's tables");
    rk_lane *closed = rk_lane_at(runtime, runtime->closed_lane);
    closed->closed = 1;
    closed->bands = 1;
    closed->rings[0] = runtime->closed_lane + sizeof(rk_lane);
    *(rk_u64 *)(void *)(arena->base + closed->rings[0] + sizeof(rk_ring)) = runtime->closed_lane;
    return rk_store(runtime, runtime->closed_lane, closed_size);
}

/* What launches may take together, if the arena has it. */
static void bound_launches(rk_runtime *runtime, rk_u64 ceiling)
{
    rk_arena *arena = &runtime->arena;
    runtime->tables = arena->taken;
    if (arena->ceiling > arena->taken + ceiling) arena->ceiling = arena->taken + ceiling;
}

rk_status rk_open(const rk_runtime_options *options, rk_runtime **out)
{
    rk_runtime_options o;
    const rk_backend *backend = 0;
    rk_error_begin();
    if (!out) return rk_error(RK_INVALID_ARGUMENT, "rk_open: runtime is null");
    *out = 0;
    rk_status status = check_options(options, &o);
    if (o.backend <= RK_BACKEND_METAL) status = rk_error_also(status, choose_backend(o.backend, &backend));
    if (status != RK_OK) return status;

    rk_runtime *runtime = calloc(1, sizeof *runtime);
    rk_pending *pending = calloc(RK_REQUESTS_MAX, sizeof *pending);
    rk_host_kernel **kernels = calloc(RK_KERNELS_MAX + 1, sizeof *kernels);
    if (!runtime || !pending || !kernels) {
        free(runtime);
        free(pending);
        free(kernels);
        return rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
    }
    rk_fence_open();
    runtime->options = o;
    runtime->options.devices = 0; /* the caller's */
    runtime->device_count = o.device_count ? o.device_count : 1;
    for (rk_u32 d = 0; d < runtime->device_count; d++)
        runtime->devices[d] = o.device_count ? o.devices[d] : o.device;
    runtime->backend = backend;
    runtime->rings = backend->rings;
    runtime->pending = pending;
    runtime->kernels = kernels;
    pthread_mutex_init(&runtime->control, 0);
    pthread_mutex_init(&runtime->list, 0);
    pthread_mutex_init(&runtime->seats, 0);
    pthread_mutex_init(&runtime->pending_lock, 0);
    rk_u64 tables = sizeof(rk_directory_entry) * (RK_KERNELS_MAX + 1) + 8ull * RK_POOLS_MAX;
    const rk_u64 ceiling = o.memory_ceiling ? o.memory_ceiling : RK_ARENA_DEFAULT;
    status = reserve(runtime, ceiling + 2 * tables + (ceiling >> 3), ceiling + tables + 4 * 4096);
    if (!runtime->options.spin_ns)
        runtime->options.spin_ns = RK_SPIN_DEFAULT; /* unless the backend knows better */
    if (status == RK_OK) {
        status = make_tables(runtime);
        if (status == RK_OK) bound_launches(runtime, ceiling);
        if (status == RK_OK) status = rk_modules_linked(runtime);
        if (status == RK_OK) status = backend->open(runtime);
        if (status == RK_OK && (status = rk_service_start(runtime)) != RK_OK) backend->close(runtime);
        if (status != RK_OK) release(runtime);
    }
    if (status != RK_OK) {
        rk_modules_close(runtime);
        free(pending);
        free(kernels);
        free(runtime);
        return status;
    }
    rk_atomic_set_u32(&runtime->open, 1);
    *out = runtime;
    return RK_OK;
}

rk_status rk_close(rk_runtime *runtime)
{
    rk_error_begin();
    if (!runtime) return RK_OK;
    if (!__atomic_exchange_n(&runtime->open, 0, __ATOMIC_ACQ_REL)) return RK_OK; /* closed already */
    runtime->next = __atomic_load_n(&closed_runtimes, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&closed_runtimes, &runtime->next, runtime, 0, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED)) {}
    rk_supervisors_close(runtime);
    pthread_mutex_lock(&runtime->control);
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++)
        if (runtime->kernels[n]) rk_kernel_end(runtime->kernels[n], rk_monotonic_ns() + RK_SECONDS(1));
    pthread_mutex_unlock(&runtime->control);
    rk_under_way_wait(runtime);
    rk_service_stop(runtime);
    runtime->backend->close(runtime);
    rk_guard_forget(runtime);
    rk_u32 quarantined = runtime->quarantined;
    rk_modules_close(runtime);
    rk_atomic_set_u32(&runtime->succession_count, 0);
    free(runtime->successions);
    runtime->successions = 0;
    if (quarantined) /* its threads may still touch the arena and its kernels: those stay */
        return rk_error(RK_QUARANTINED,
                        "closed, but %u kernel%s did not stop: their memory is kept until the process ends",
                        quarantined, quarantined == 1 ? "" : "s");
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) rk_kernel_free(runtime->kernels[n]);
    release(runtime);
    pthread_mutex_destroy(&runtime->control);
    pthread_mutex_destroy(&runtime->list);
    pthread_mutex_destroy(&runtime->seats);
    pthread_mutex_destroy(&runtime->pending_lock);
    free(runtime->pending);
    free(runtime->kernels);
    return RK_OK;
}

const char *rk_backend_name(const rk_runtime *runtime)
{
    return runtime && rk_is_open(runtime) ? runtime->backend->name : "closed";
}

rk_u32 rk_worker_count(const rk_runtime *runtime)
{
    return runtime && rk_is_open(runtime) ? runtime->options.workers : 0;
}

rk_u64 rk_clock_ns(const rk_runtime *runtime)
{
    return runtime && rk_is_open(runtime) ? rk_runtime_now(runtime) : 0;
}

void rk_runtime_log(const rk_runtime *runtime, rk_u32 level, const char *kernel_name, rk_u32 shard,
                    const char *text)
{
    static const char *const levels[] = { "debug", "info", "warning", "error" };
    rk_log_record record = { level, shard, rk_runtime_now(runtime), kernel_name, text };
    if (runtime->options.on_log)
        runtime->options.on_log(runtime->options.log_user, &record);
    else if (level >= RK_WARNING)
        fprintf(stderr, "rk: %s: %s%s%s\n", levels[level > RK_ERROR ? RK_ERROR : level], kernel_name,
                *kernel_name ? ": " : "", text);
}
