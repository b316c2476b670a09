/* The CUDA backend: a device opened, its memory as the arena, kernels on it. */
#include "cuda.h"

#include <sched.h>
#include <stdlib.h>

#include "../../runtime/futex.h"
#include "../attributes.h"

/* ------------------------------------------------------------------ calls of the driver */

static __thread rk_u32
    not_entered; /* contexts that the driver didn't take: what is current is the caller's own */

void rk_cuda_enter(rk_cuda_runtime *cuda)
{
    if (cuda->api.cuCtxPushCurrent(cuda->context) != RK_CUDA_SUCCESS) not_entered++;
}

void rk_cuda_exit(rk_cuda_runtime *cuda)
{
    rk_cu_context popped;
    if (not_entered)
        not_entered--;
    else
        cuda->api.cuCtxPopCurrent(&popped);
}

/* Whatever it is: what runs there is known no more, and never will be. */
rk_status rk_cuda_lose(rk_cuda_runtime *cuda, int result, const char *what)
{
    rk_status status = rk_cuda_error(&cuda->api, result, "%s", what);
    if (status != RK_DEVICE_LOST)
        rk_error_detail("the driver does not say what has become of a launch: the device counts as lost");
    if (!__atomic_exchange_n(&cuda->lost, (rk_u32)RK_DEVICE_LOST, __ATOMIC_ACQ_REL))
        rk_runtime_log(cuda->runtime, RK_ERROR, "", 0, rk_error_text());
    return RK_DEVICE_LOST;
}

rk_status rk_cuda_failed(rk_cuda_runtime *cuda, int result, const char *what)
{
    return rk_cuda_lost(result) ? rk_cuda_lose(cuda, result, what)
                                : rk_cuda_error(&cuda->api, result, "%s", what);
}

rk_status rk_cuda_await(rk_cuda_runtime *cuda, rk_cu_stream stream, rk_u64 deadline_ns)
{
    for (rk_u32 round = 0;; round++) {
        int result = cuda->api.cuStreamQuery(stream);
        if (result == RK_CUDA_SUCCESS) return RK_OK;
        if (result != RK_CUDA_ERROR_NOT_READY) return rk_cuda_lose(cuda, result, "waiting for the device");
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
    rk_status status = rk_cuda_load(0, &cuda->api);
    if (status == RK_OK)
        status = rk_cuda_describe(&cuda->api, cuda->runtime->devices[cuda->place], &cuda->device);
    if (status == RK_OK) status = rk_cuda_device_check(&cuda->device);
    if (status != RK_OK) return status;
    int result = cuda->api.cuDevicePrimaryCtxRetain(&cuda->context, cuda->device.handle);
    if (result != RK_CUDA_SUCCESS) {
        cuda->context = 0;
        return rk_cuda_failed(cuda, result, "opening the device");
    }
    rk_cuda_enter(cuda);
    cuda->api.cuCtxGetStreamPriorityRange(&cuda->priority_least, &cuda->priority_greatest);
    status = rk_cuda_prepare_copies(cuda);
    rk_cuda_exit(cuda);
    return status;
}

/* Lanes between devices are written and claimed over the link. */
static rk_status check_peers(const rk_cuda_devices *all)
{
    rk_status status = RK_OK;
    for (rk_u32 from = 0; from < all->count; from++)
        for (rk_u32 to = 0; to < all->count; to++) {
            const rk_cuda_device *a = &all->at[from]->device, *b = &all->at[to]->device;
            if (a->handle == b->handle) continue;
            const rk_cuda_link link = rk_cuda_link_of(&all->at[0]->api, a, b);
            if (link.access && link.atomics) continue;
            const rk_u32 *numbers = all->at[0]->runtime->devices;
            status = rk_error(RK_UNSUPPORTED,
                              "CUDA devices %u (%s) and %u (%s): %s, which lanes between them need: open a "
                              "runtime for each, or list devices that `rk devices` shows as linked",
                              numbers[from], a->name, numbers[to], b->name,
                              link.access ? "one has no atomics in the other's memory"
                                          : "one does not reach the other's memory");
        }
    return status;
}

static rk_cuda_runtime *new_place(rk_runtime *runtime, rk_u32 place)
{
    rk_cuda_runtime *cuda = calloc(1, sizeof *cuda);
    if (!cuda) return 0;
    cuda->runtime = runtime;
    cuda->all = runtime->backend_data;
    cuda->place = place;
    cuda->beat = 1;
    pthread_mutex_init(&cuda->copying, 0);
    rk_making_open(&cuda->codes);
    return cuda;
}

static void free_all(rk_runtime *runtime)
{
    rk_cuda_devices *all = rk_cuda_all(runtime);
    for (rk_u32 d = 0; d < all->count; d++) {
        rk_cuda_runtime *cuda = all->at[d];
        if (!cuda->context) continue;
        rk_cuda_enter(cuda);
        rk_cuda_codes_free(cuda);
        rk_cuda_release(cuda);
        rk_cuda_exit(cuda);
    }
    if (all->count) rk_cuda_release_range(runtime);
    for (rk_u32 d = 0; d < all->count; d++) {
        rk_cuda_runtime *cuda = all->at[d];
        if (cuda->context) cuda->api.cuDevicePrimaryCtxRelease(cuda->device.handle);
        pthread_mutex_destroy(&cuda->copying);
        rk_making_close(&cuda->codes);
        free(cuda);
    }
    free(all);
    runtime->backend_data = 0;
}

static rk_status cuda_reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling)
{
    rk_cuda_devices *all = calloc(1, sizeof *all);
    if (!all) return rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
    runtime->backend_data = all;
    runtime->chosen = RK_BLOCK_CHOSEN;
    rk_status status = rk_cuda_check_environment();
    while (status == RK_OK && all->count < runtime->device_count) {
        rk_cuda_runtime *cuda = new_place(runtime, all->count);
        if (!cuda) {
            status = rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
            break;
        }
        all->at[all->count++] = cuda;
        status = take_device(cuda);
    }
    if (status == RK_OK) status = check_peers(all);
    if (status == RK_OK) status = rk_cuda_reserve(runtime, size, ceiling);
    if (status != RK_OK) free_all(runtime);
    return status;
}

static void cuda_release(rk_runtime *runtime)
{
    if (runtime->backend_data) free_all(runtime);
}

static void cuda_close(rk_runtime *runtime)
{
    for (rk_u32 d = 0; d < rk_cuda_all(runtime)->count; d++) rk_cuda_keeper_stop(rk_cuda_all(runtime)->at[d]);
}

static rk_status cuda_open(rk_runtime *runtime)
{
    rk_status status = RK_OK;
    if (runtime->options.workers)
        return rk_error(RK_INVALID_OPTIONS, "workers %u: the CUDA backend has none; leave it 0",
                        runtime->options.workers);
    for (rk_u32 d = 0; d < rk_cuda_all(runtime)->count && status == RK_OK; d++)
        status = rk_cuda_keeper_start(rk_cuda_all(runtime)->at[d]);
    if (status != RK_OK) cuda_close(runtime);
    return status;
}

/* The fewest blocks, of devices that are not lost. */
static rk_u32 cuda_choose(const rk_runtime *runtime)
{
    const rk_cuda_devices *all = rk_cuda_all(runtime);
    rk_u32 blocks[RK_DEVICES_MAX] = { 0 }, least = 0;
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *k = runtime->kernels[n];
        if (k->seat_count)
            blocks[k->layout.place] += k->options.blocks < k->seat_count ? k->options.blocks : k->seat_count;
    }
    for (rk_u32 d = 1; d < all->count; d++)
        if (!rk_atomic_u32(&all->at[d]->lost) &&
            (rk_atomic_u32(&all->at[least]->lost) || blocks[d] < blocks[least]))
            least = d;
    return least;
}

/* ------------------------------------------------------------------ what can't be had */

static rk_status cuda_check(const rk_runtime *runtime, const rk_class *class,
                            const rk_launch_options *options)
{
    const rk_cuda_devices *all = rk_cuda_all(runtime);
    const rk_cuda_runtime *cuda = all->at[options->device < all->count ? options->device : 0];
    const rk_attributes *a = class->attributes;
    const char *name = class->name;
    rk_status found = rk_check_backends(class, RK_ON_CUDA, "RK_ON_CUDA", "CUDA");
    if (a->messaging == RK_MESSAGING_P2P && all->count < 2)
        found = rk_error(
            RK_UNSUPPORTED,
            "kernel '%s': .messaging RK_MESSAGING_P2P is between GPUs, and the runtime has one: list "
            "several in its devices, or use RK_MESSAGING_SHARED_MEMORY",
            name);
    if (a->messaging == RK_MESSAGING_NCCL)
        found =
            rk_error(RK_UNSUPPORTED,
                     "kernel '%s': .messaging RK_MESSAGING_NCCL is between machines, which is not there; use "
                     "RK_MESSAGING_P2P or RK_MESSAGING_SHARED_MEMORY",
                     name);
    if (a->barrier == RK_SCOPE_DEVICE)
        found = rk_error(RK_UNSUPPORTED,
                         "kernel '%s': a barrier of device scope needs a cooperative launch, which is not "
                         "there; use RK_SCOPE_BLOCK, or messages",
                         name);
    if (a->shared > cuda->device.block_shared)
        found = rk_error(RK_UNSUPPORTED, "kernel '%s': .shared %u is over the %u bytes of a block of %s",
                         name, a->shared, cuda->device.block_shared, cuda->device.name);
    found = rk_error_also(found, rk_check_device_options(options));
    found = rk_error_also(found, rk_check_watched(runtime, options));
    return rk_error_also(found, rk_check_values(class));
}

static rk_status cuda_prepare(rk_runtime *runtime, const rk_class *class, const rk_layout *layout)
{
    rk_cuda_runtime *cuda = rk_cuda_all(runtime)->at[layout->place];
    rk_cuda_code *code;
    const rk_status status = rk_cuda_check_shared(cuda, class, layout);
    return status == RK_OK ? rk_cuda_compile(cuda, class, layout, &code) : status;
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
    .goes = rk_cuda_goes,
    .stays = rk_cuda_stays,
    .abandon = rk_cuda_abandon,
    .fetch = rk_cuda_fetch,
    .store = rk_cuda_store,
    .renew = rk_cuda_renew,
    .look = rk_cuda_look,
    .clock = rk_cuda_clock,
    .ring = rk_cuda_ring,
    .ring_parked = rk_cuda_ring_parked,
    .watch = rk_cuda_watch,
    .step = rk_cuda_step,
    .choose = cuda_choose,
};
