/* The arena of an OpenCL device: one buffer, and on the host an image of ordinary pages at the same offsets. No pointer
 * is shared, nothing is mapped.
 *
 * The upper half is the device's, and the image is fetched and stored as for every device. The lower half, which other
 * devices reach, here is the host's; what the device needs of it is copied by each slice (opencl_parcel.c).
 *
 * Where both sides see the same memory (opencl_share.c), that is the arena: the halves are the same, and nothing is
 * copied. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../bounce.h"
#include "opencl.h"

#define GRANULE 4096ull

/* ------------------------------------------------------------------ memory that comes and goes */

#define RENEWED_LEAST (1u << 20) /* bytes; fewer are cleared in less time */

/* Pages that were dropped are zero when they are touched again, if the driver took them as everybody does: one that was
 * marked tells. 0: they are not, or it isn't worth it. */
static int renew_pages(rk_byte *at, rk_u64 size)
{
    volatile rk_u64 *first = (volatile rk_u64 *)(void *)at,
                    *last = (volatile rk_u64 *)(void *)(at + size - GRANULE);
    if (size < RENEWED_LEAST || size % GRANULE) return 0;
    *first = *last = 1;
    return madvise(at, size, MADV_DONTNEED) == 0 && *first == 0 && *last == 0;
}

static rk_status provide(rk_arena *arena, rk_u64 offset, rk_u64 size)
{
    rk_opencl_runtime *cl = arena->owner;
    if (cl->shares) {
        if (!renew_pages(arena->base + offset, size)) memset(arena->base + offset, 0, size);
        return RK_OK;
    }
    rk_status status = rk_opencl_lock(cl, rk_opencl_patience(cl));
    if (status != RK_OK) return status;
    status = rk_opencl_zero(cl, offset, size);
    if (status == RK_OK) status = rk_opencl_await(cl, rk_opencl_patience(cl));
    rk_opencl_unlock(cl);
    return status;
}

/* The device's is cleared when it is taken again. */
static void given(rk_arena *arena, rk_u64 offset, rk_u64 size)
{
    if (((rk_opencl_runtime *)arena->owner)->shares) return;
    madvise(arena->base + offset, size, MADV_DONTNEED);
}

/* ------------------------------------------------------------------ copies */

static rk_status copy(void *device, rk_byte *to, const rk_rows *r, int up)
{
    rk_opencl_runtime *cl = device;
    rk_status status = RK_OK;
    for (rk_u32 i = 0; i < r->count && status == RK_OK; i++) {
        char *piece = (char *)to + i * r->size;
        rk_u64 at = r->offset + i * r->stride;
        status = up ? rk_opencl_up(cl, at, piece, r->size) : rk_opencl_down(cl, at, piece, r->size);
    }
    return status;
}

static rk_status await_copies(void *device)
{
    rk_opencl_runtime *cl = device;
    return rk_opencl_await(cl, rk_opencl_patience(cl));
}

static rk_status move(rk_opencl_runtime *cl, rk_rows rows, int up)
{
    if (cl->shares) return RK_OK;
    const rk_bounce bounce = { (rk_byte *)cl->bounce, cl->runtime->arena.base,
                               RK_OPENCL_BOUNCE,      copy,
                               await_copies,          cl };
    rk_status status = rk_opencl_await(cl, rk_opencl_patience(cl)); /* the bounce is this copy's alone */
    rk_opencl_empty(cl);
    return status == RK_OK ? rk_bounce_move(&bounce, rows, up) : status;
}

rk_status rk_opencl_fetch_rows(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count)
{
    return move(cl, (rk_rows){ offset, size, stride, count }, 0);
}

rk_status rk_opencl_store_rows(rk_opencl_runtime *cl, rk_u64 offset, rk_u64 size, rk_u64 stride, rk_u32 count)
{
    return move(cl, (rk_rows){ offset, size, stride, count }, 1);
}

static rk_status move_range(rk_runtime *runtime, rk_u64 offset, rk_u64 size, int up)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    if (cl->shares || offset < runtime->arena.device_from) return RK_OK; /* the host's own */
    rk_status status = rk_opencl_lock(cl, rk_opencl_patience(cl));
    if (status != RK_OK) return status;
    status = move(cl, (rk_rows){ offset, size, 0, 1 }, up);
    rk_opencl_unlock(cl);
    return status;
}

rk_status rk_opencl_fetch(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return move_range(runtime, offset, size, 0);
}

rk_status rk_opencl_store(rk_runtime *runtime, rk_u64 offset, rk_u64 size)
{
    return move_range(runtime, offset, size, 1);
}

/* ------------------------------------------------------------------ the range */

/* Half of the buffer that is asked for: as large as wanted, or as the device lets it be. */
static rk_u64 half_of(const rk_opencl_runtime *cl, rk_u64 size)
{
    rk_u64 most = cl->device.largest_buffer / 2;
    if (!cl->runtime->options.memory_ceiling && most > RK_OPENCL_ARENA_DEFAULT / 2)
        most = RK_OPENCL_ARENA_DEFAULT / 2;
    return (size < most ? size : most) / GRANULE * GRANULE;
}

/* A buffer, and addresses for its image. */
static rk_status make_buffer(rk_opencl_runtime *cl, rk_u64 size)
{
    rk_cl_result result = RK_CL_SUCCESS;
    cl->arena.device = cl->api.clCreateBuffer(cl->context, RK_CL_MEM_READ_WRITE, size, 0, &result);
    if (!cl->arena.device) {
        rk_status status = rk_opencl_failed(cl, result, "taking device memory for the arena");
        rk_error_detail("%llu MiB were asked for: set memory_ceiling lower",
                        (unsigned long long)(size >> 20));
        return status;
    }
    void *image = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (image == MAP_FAILED) return rk_arena_no_addresses(size);
    cl->arena.host = image;
    return RK_OK;
}

rk_status rk_opencl_reserve(rk_opencl_runtime *cl, rk_u64 size, rk_u64 ceiling)
{
    rk_u64 half = half_of(cl, size);
    rk_status status =
        cl->shares ? rk_opencl_memory_make(cl, 2 * half, &cl->arena) : make_buffer(cl, 2 * half);
    if (status != RK_OK) return status;
    cl->runtime->arena = (rk_arena){ .base = (rk_byte *)cl->arena.host,
                                     .size = 2 * half,
                                     .ceiling = ceiling < 2 * half ? ceiling : 2 * half,
                                     .device_from = half,
                                     .device_part = half,
                                     .provide = provide,
                                     .given = given,
                                     .owner = cl };
    return RK_OK;
}

void rk_opencl_release(rk_opencl_runtime *cl)
{
    rk_arena *arena = &cl->runtime->arena;
    if (arena->base) rk_arena_forget(arena);
    if (cl->shares && !cl->held) rk_opencl_memory_drop(cl, &cl->arena);
    if (cl->arena.device && !cl->held) cl->api.clReleaseMemObject(cl->arena.device);
    if (!cl->shares && cl->arena.host) munmap(cl->arena.host, arena->size);
    arena->base = 0;
}
