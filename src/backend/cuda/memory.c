/* The arena of devices with memory of their own: one range of addresses, the same for all sides. Below,
 * pinned memory that all reach. Above, a part for each device, where it finds its own memory, the other
 * devices find that too, and the host finds an image of ordinary pages; copies go through pinned memory of
 * their own, since the driver takes an address up there for the device's.
 *
 * Memory is pinned and mapped in granules, when a block needs it first, and kept: giving any back would wait
 * for every kernel that stays (docs/cuda-arena.md). */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../bounce.h"
#include "cuda.h"

/* The device whose part an offset lies in; of the host's part the first. */
static rk_cuda_runtime *owner_of(const rk_arena *arena, rk_u64 offset)
{
    const rk_cuda_devices *all = arena->owner;
    return all->at[offset < arena->device_from ? 0 : (offset - arena->device_from) / arena->device_part];
}

static rk_cu_address address_of(const rk_cuda_runtime *cuda, rk_u64 offset)
{
    return (rk_cu_address)(size_t)cuda->runtime->arena.base + offset;
}

/* ------------------------------------------------------------------ granules */

static rk_status pin(rk_cuda_runtime *cuda, rk_u64 offset)
{
    int result =
        cuda->api.cuMemHostRegister(cuda->runtime->arena.base + offset, RK_CUDA_GRANULE,
                                    RK_CU_MEMHOSTREGISTER_PORTABLE | RK_CU_MEMHOSTREGISTER_DEVICEMAP);
    return result ? rk_cuda_failed(cuda, result, "pinning 2 MiB for lanes to and from the host") : RK_OK;
}

/* Of rk_cuda_runtime.granules; 0: it isn't there. */
#define GRANULE_FRESH 1u /* zero, but for what is taken of it */
#define GRANULE_USED 2u

/* What is mapped becomes all devices' own, and zero. */
static rk_status make_usable(rk_cuda_runtime *cuda, rk_cu_address at, rk_u64 size)
{
    const rk_cuda_devices *all = cuda->all;
    rk_cu_access access[RK_DEVICES_MAX];
    rk_u32 count = 0;
    for (rk_u32 d = 0; d < all->count; d++) {
        if (rk_cuda_same(all->at[d], 0) < d) continue; /* a device that stands for two */
        access[count++] = (rk_cu_access){ { RK_CU_MEM_LOCATION_TYPE_DEVICE, all->at[d]->device.handle },
                                          RK_CU_MEM_ACCESS_FLAGS_PROT_READWRITE };
    }
    int result = cuda->api.cuMemSetAccess(at, size, access, count);
    if (result == RK_CUDA_SUCCESS) result = cuda->api.cuMemsetD8Async(at, 0, size, cuda->service);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "mapping device memory for a kernel");
    return rk_cuda_await(cuda, cuda->service, rk_monotonic_ns() + RK_CUDA_PATIENCE);
}

static rk_status map(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size)
{
    rk_cu_memory_properties properties = {
        .type = RK_CU_MEM_ALLOCATION_TYPE_PINNED,
        .location = { RK_CU_MEM_LOCATION_TYPE_DEVICE, cuda->device.handle },
    };
    rk_cu_address at = address_of(cuda, offset);
    rk_cu_memory memory;
    int result = cuda->api.cuMemCreate(&memory, size, &properties, 0);
    if (result == RK_CUDA_SUCCESS) {
        result = cuda->api.cuMemMap(at, size, 0, memory, 0);
        cuda->api.cuMemRelease(memory); /* what is mapped stays */
    }
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "mapping device memory for a kernel");
    rk_status status = make_usable(cuda, at, size);
    if (status != RK_OK) cuda->api.cuMemUnmap(at, size); /* or it could never be mapped again */
    return status;
}

/* A part of a granule that was somebody else's. */
static rk_status make_zero(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size)
{
    rk_arena *arena = &cuda->runtime->arena;
    if (offset < arena->device_from) {
        memset(arena->base + offset, 0, size);
        return RK_OK;
    }
    madvise(arena->base + offset, size, MADV_DONTNEED);
    int result = cuda->api.cuMemsetD8Async(address_of(cuda, offset), 0, size, cuda->service);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "clearing device memory");
    return rk_cuda_await(cuda, cuda->service, rk_monotonic_ns() + RK_CUDA_PATIENCE);
}

static rk_status provide(rk_arena *arena, rk_u64 offset, rk_u64 size)
{
    rk_cuda_runtime *cuda = owner_of(arena, offset);
    unsigned char *granules = cuda->all->granules;
    rk_status status = RK_OK;
    rk_u64 g = offset / RK_CUDA_GRANULE, end = (offset + size - 1) / RK_CUDA_GRANULE + 1;
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    while (g < end && status == RK_OK) {
        rk_u64 n = 0;
        if (granules[g]) {
            rk_u64 from = g * RK_CUDA_GRANULE, to;
            rk_u32 used = granules[g] == GRANULE_USED;
            while (g < end && granules[g] && (granules[g] == GRANULE_USED) == used) g++;
            to = g * RK_CUDA_GRANULE;
            from = from > offset ? from : offset;
            to = to < offset + size ? to : offset + size;
            if (used) status = make_zero(cuda, from, to - from);
            continue;
        }
        while (g + n < end && !granules[g + n]) n++;
        if (g * RK_CUDA_GRANULE >= arena->device_from) {
            status = map(cuda, g * RK_CUDA_GRANULE, n * RK_CUDA_GRANULE);
        } else {
            n = 1;
            status = pin(cuda, g * RK_CUDA_GRANULE);
        }
        if (status == RK_OK) memset(&granules[g], GRANULE_FRESH, n);
        g += n;
    }
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    return status;
}

/* What is given back is made zero when it is taken again: a kernel's end has no time for that. */
static void given(rk_arena *arena, rk_u64 offset, rk_u64 size)
{
    rk_cuda_runtime *cuda = owner_of(arena, offset);
    rk_cuda_lock(cuda);
    for (rk_u64 g = offset / RK_CUDA_GRANULE; g * RK_CUDA_GRANULE < offset + size; g++)
        cuda->all->granules[g] = GRANULE_USED;
    pthread_mutex_unlock(&cuda->copying);
}

/* ------------------------------------------------------------------ copies */

static rk_status copy_on(rk_cuda_runtime *cuda, rk_cu_stream stream, rk_byte *at, const rk_rows *r, int up)
{
    for (rk_u32 i = 0; i < r->count; i++) {
        rk_cu_address there = address_of(cuda, r->offset + i * r->stride);
        rk_cu_address here = (rk_cu_address)(size_t)(at + i * r->size);
        int result = cuda->api.cuMemcpyAsync(up ? there : here, up ? here : there, r->size, stream);
        if (result != RK_CUDA_SUCCESS)
            return rk_cuda_failed(cuda, result, up ? "copying to the device" : "copying from the device");
    }
    return RK_OK;
}

static rk_status copy(void *device, rk_byte *at, const rk_rows *r, int up)
{
    rk_cuda_runtime *cuda = device;
    return copy_on(cuda, cuda->service, at, r, up);
}

static rk_status await_copies(void *device)
{
    rk_cuda_runtime *cuda = device;
    const rk_status status = rk_cuda_await(cuda, cuda->service, rk_monotonic_ns() + RK_CUDA_PATIENCE);
    if (status == RK_OK) cuda->ahead_used = 0;
    return status;
}

static rk_bounce bounce_of(rk_cuda_runtime *cuda)
{
    return (rk_bounce){
        (rk_byte *)cuda->bounce, cuda->runtime->arena.base, RK_CUDA_BOUNCE, copy, await_copies, cuda
    };
}

static rk_status move(rk_cuda_runtime *cuda, rk_rows rows, int up)
{
    const rk_bounce bounce = bounce_of(cuda);
    return rk_bounce_move(&bounce, rows, up);
}

rk_status rk_cuda_fetch_each(rk_cuda_runtime *cuda, const rk_rows *rows, rk_u32 count, rk_shown *shown,
                             void *of)
{
    const rk_bounce bounce = bounce_of(cuda);
    return rk_bounce_fetch(&bounce, rows, count, shown, of);
}

rk_status rk_cuda_fetch_rows(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count)
{
    return move(cuda, (rk_rows){ offset, size, stride, count }, 0);
}

rk_status rk_cuda_store_rows(rk_cuda_runtime *cuda, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count)
{
    return move(cuda, (rk_rows){ offset, size, stride, count }, 1);
}

rk_status rk_cuda_store_ahead(rk_cuda_runtime *cuda, rk_rows rows, rk_cu_stream stream)
{
    if (rows.size * rows.count > RK_CUDA_AHEAD) return move(cuda, rows, 1);
    rk_status status = cuda->ahead_used ? await_copies(cuda) : RK_OK;
    if (status != RK_OK) return status;
    const rk_byte *image = cuda->runtime->arena.base;
    rk_byte *at = (rk_byte *)cuda->ahead;
    for (rk_u32 i = 0; i < rows.count; i++)
        memcpy(at + i * rows.size, image + rows.offset + i * rows.stride, rows.size);
    cuda->ahead_used = 1;
    status = copy_on(cuda, stream, at, &rows, 1);
    if (status == RK_OK) {
        int result = cuda->api.cuEventRecord(cuda->ahead_there, stream);
        if (result == RK_CUDA_SUCCESS)
            result = cuda->api.cuStreamWaitEvent(cuda->service, cuda->ahead_there, 0);
        if (result == RK_CUDA_SUCCESS) return RK_OK;
        status = rk_cuda_failed(cuda, result, "ordering copies to the device");
    }
    /* What was begun comes behind no event: it has to be over before anybody copies again. */
    if (rk_cuda_await(cuda, stream, rk_monotonic_ns() + RK_CUDA_PATIENCE) == RK_TIMED_OUT)
        (void)rk_cuda_lose(cuda, RK_CUDA_ERROR_NOT_READY, "waiting for what was stored");
    return status;
}

/* With one of several lost, the others' kernels are still wired anew beside what it had. */
static int all_are_lost(const rk_cuda_devices *all)
{
    rk_u32 lost = 0;
    for (rk_u32 d = 0; d < all->count; d++) lost += rk_atomic_u32(&all->at[d]->lost) != RK_OK;
    return lost == all->count;
}

static rk_status move_range(rk_runtime *runtime, rk_u64 offset, rk_u64 size, int up)
{
    rk_cuda_runtime *cuda = owner_of(&runtime->arena, offset);
    if (offset < runtime->arena.device_from) return RK_OK; /* one memory */
    if (rk_atomic_u32(&cuda->lost) && !all_are_lost(cuda->all))
        return RK_OK; /* the image has what was seen last */
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    rk_status status = move(cuda, (rk_rows){ offset, size, 0, 1 }, up);
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
    return status;
}

rk_status rk_cuda_fetch(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return move_range(runtime, offset, size, 0);
}

rk_status rk_cuda_store(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return move_range(runtime, offset, size, 1);
}

/* ------------------------------------------------------------------ the range */

rk_status rk_cuda_reserve(rk_runtime *runtime, rk_u64 size, rk_u64 ceiling)
{
    rk_cuda_devices *all = rk_cuda_all(runtime);
    rk_cuda_runtime *first = all->at[0];
    const rk_u64 part = (size + RK_CUDA_GRANULE - 1) / RK_CUDA_GRANULE * RK_CUDA_GRANULE,
                 whole = part * (1 + all->count);
    all->granule_count = whole / RK_CUDA_GRANULE;
    all->granules = calloc(all->granule_count, 1);
    if (!all->granules) return rk_error(RK_OUT_OF_MEMORY, "no memory for a runtime");
    rk_cu_address base = 0;
    rk_cuda_enter(first);
    int result = first->api.cuMemAddressReserve(&base, whole, RK_CUDA_GRANULE, 0, 0);
    rk_cuda_exit(first);
    if (result != RK_CUDA_SUCCESS)
        return rk_cuda_failed(first, result, "reserving addresses for the arena: lower memory_ceiling");
    void *image = mmap((void *)(size_t)base, whole, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (image == MAP_FAILED) {
        first->api.cuMemAddressFree(base, whole);
        return rk_arena_no_addresses(whole);
    }
    runtime->arena = (rk_arena){ .base = image,
                                 .size = whole,
                                 .ceiling = ceiling,
                                 .device_from = part,
                                 .device_part = part,
                                 .provide = provide,
                                 .given = given,
                                 .owner = all };
    return RK_OK;
}

rk_status rk_cuda_prepare_copies(rk_cuda_runtime *cuda)
{
    int result = cuda->api.cuStreamCreateWithPriority(&cuda->service, RK_CU_STREAM_NON_BLOCKING,
                                                      cuda->priority_greatest);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuStreamCreateWithPriority(&cuda->clock_stream, RK_CU_STREAM_NON_BLOCKING,
                                                      cuda->priority_greatest);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuEventCreate(&cuda->ahead_there, RK_CU_EVENT_DISABLE_TIMING);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuMemHostAlloc((void **)&cuda->bounce,
                                          RK_CUDA_BOUNCE + RK_CUDA_CLOCK_WORDS + RK_CUDA_AHEAD,
                                          RK_CU_MEMHOSTALLOC_PORTABLE | RK_CU_MEMHOSTALLOC_DEVICEMAP);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "pinning memory for copies");
    cuda->clock_words = (rk_u64 *)(void *)(cuda->bounce + RK_CUDA_BOUNCE);
    cuda->ahead = cuda->bounce + RK_CUDA_BOUNCE + RK_CUDA_CLOCK_WORDS;
    return RK_OK;
}

/* What was mapped together goes together. */
static void unmap(const rk_cuda_runtime *cuda)
{
    const rk_cuda_devices *all = cuda->all;
    const rk_arena *arena = &cuda->runtime->arena;
    rk_u64 g = (arena->device_from + cuda->place * arena->device_part) / RK_CUDA_GRANULE;
    const rk_u64 end = g + arena->device_part / RK_CUDA_GRANULE;
    for (rk_u64 n = 0; g < end; g += n + 1) {
        for (n = 0; g + n < end && all->granules[g + n];) n++;
        if (n) cuda->api.cuMemUnmap(address_of(cuda, g * RK_CUDA_GRANULE), n * RK_CUDA_GRANULE);
    }
}

static void unpin(const rk_cuda_runtime *first)
{
    const rk_arena *arena = &first->runtime->arena;
    for (rk_u64 g = 0; g * RK_CUDA_GRANULE < arena->device_from; g++)
        if (first->all->granules[g]) first->api.cuMemHostUnregister(arena->base + g * RK_CUDA_GRANULE);
}

/* With nothing resident, or with the device lost: then the driver takes nothing back, and need not. */
void rk_cuda_release(rk_cuda_runtime *cuda)
{
    if (rk_atomic_u32(&cuda->lost)) return;
    if (cuda->runtime->arena.base) unmap(cuda);
    if (cuda->runtime->arena.base && cuda->place == 0) unpin(cuda);
    if (cuda->bounce) cuda->api.cuMemFreeHost(cuda->bounce);
    if (cuda->ahead_there) cuda->api.cuEventDestroy(cuda->ahead_there);
    if (cuda->service) cuda->api.cuStreamDestroy(cuda->service);
    if (cuda->clock_stream) cuda->api.cuStreamDestroy(cuda->clock_stream);
    for (rk_u32 p = 0; p < 3; p++)
        if (cuda->spare[p]) cuda->api.cuStreamDestroy(cuda->spare[p]);
}

void rk_cuda_release_range(rk_runtime *runtime)
{
    rk_cuda_devices *all = rk_cuda_all(runtime);
    rk_arena *arena = &runtime->arena;
    rk_u32 lost = 0;
    for (rk_u32 d = 0; d < all->count; d++) lost |= rk_atomic_u32(&all->at[d]->lost);
    if (arena->base) {
        rk_arena_forget(arena);
        madvise(arena->base, arena->size, MADV_DONTNEED);
        if (lost || all->at[0]->api.cuMemAddressFree((rk_cu_address)(size_t)arena->base, arena->size) !=
                        RK_CUDA_SUCCESS)
            munmap(arena->base, arena->size);
        arena->base = 0;
    }
    free(all->granules);
}
