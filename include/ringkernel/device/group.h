/* The group: who runs a handler together. Ids, barriers, fences, shared memory, and regions.
 *
 * A region is code that the whole group runs: RK_PARALLEL(i, n) { … } hands each i below n to one thread and
 * ends in the group's barrier. On a GPU that is a strided loop over the block; on the CPU, where a group is
 * one thread, an ordinary loop that the compiler can vectorise. A thread-wide handler is a group of one on
 * every device. */
#ifndef RINGKERNEL_DEVICE_GROUP_H
#define RINGKERNEL_DEVICE_GROUP_H

#include "context.h"

#define RK_WARP_SIZE 32u

/* Position in the group, in the warp, and the group's size. They use the context that every handler has. */
#define rk_thread() (rk_ctx->thread)
#define rk_threads() (rk_ctx->threads)
#define rk_lane() (rk_ctx->thread % RK_WARP_SIZE)
#define rk_warp() (rk_ctx->thread / RK_WARP_SIZE)
/* The shard and kernel that the handler works for, and the actor of a per-actor kernel. */
#define rk_shard_number() (rk_ctx->shard->shard)
#define rk_shard_count() (rk_ctx->shard->shards)
#define rk_target_of(message) (rk_header_of(rk_ctx, message)->target)

/* Nanoseconds on the runtime's clock, at the start of this turn; and a counter of cycles for short distances
 * (of one multiprocessor, on a GPU: no time). */
#define rk_now_ns() (rk_ctx->now_ns)
#define rk_cycles() rk_port_cycles()

/* The port's barrier over the threads of a block or warp. */
#if defined(RK_LANG_CUDA)
#define RK_PORT_BLOCK_BARRIER() __syncthreads()
#define RK_PORT_WARP_BARRIER() __syncwarp()
#elif defined(RK_LANG_METAL)
#define RK_PORT_BLOCK_BARRIER() rk_port_barrier()
#define RK_PORT_WARP_BARRIER() rk_port_barrier()
#elif defined(RK_LANG_OPENCL) && !defined(RK_UNIT_ALONE)
#define RK_PORT_BLOCK_BARRIER() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define RK_PORT_WARP_BARRIER() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#else
#define RK_PORT_BLOCK_BARRIER() ((void)0)
#define RK_PORT_WARP_BARRIER() ((void)0)
#endif

/* The barrier at the end of a region: of the handler's own width. */
#if defined(RK_LANG_HOST)
#define RK_GROUP_BARRIER() ((void)0)
#define RK_PARALLEL(i, n) for (rk_u32 i = 0, rk_end_ = (rk_u32)(n); i < rk_end_; i++)
#define RK_ONCE if (1)
#else
#if defined(RK_UNIT_BARRIER) /* a unit of one kernel, whose width is known: see src/codegen */
#define RK_GROUP_BARRIER() RK_UNIT_BARRIER()
#else
#define RK_GROUP_BARRIER()                                    \
    (rk_ctx->threads > RK_WARP_SIZE ? RK_PORT_BLOCK_BARRIER() \
     : rk_ctx->threads > 1u         ? RK_PORT_WARP_BARRIER()  \
                                    : (void)0)
#endif
#define RK_PARALLEL(i, n)                                                    \
    for (rk_u32 rk_once_ = 0; rk_once_ < 1u; rk_once_++, RK_GROUP_BARRIER()) \
        for (rk_u32 i = rk_ctx->thread, rk_end_ = (rk_u32)(n); i < rk_end_; i += rk_ctx->threads)
#define RK_ONCE if (rk_ctx->thread == 0)
#endif

/* A value for each thread of the group, kept from region to region:
 *     RK_PER_THREAD(rk_f32, sum, 256);
 *     RK_THREADS(t, 256) RK_MINE(sum, t) = 0;
 * A register on a GPU, an array on the CPU. The number is the kernel's .threads, of a warp-wide kernel at most 32.
 * Launched with other threads, its handler fails (RK_INVALID_OPTIONS): a thread's values would have no register, or
 * a thread no value. */
#if defined(RK_LANG_HOST)
#define RK_PER_THREAD(type, name, threads) type name[threads]
#define RK_MINE(name, t) (name)[t]
#define RK_THREADS(t, threads) \
    for (rk_u32 t = 0, rk_end_ = rk_threads_are(rk_ctx, (rk_u32)(threads)); t < rk_end_; t++)
#else
#define RK_PER_THREAD(type, name, threads) type name[1]
#define RK_MINE(name, t) (name)[0]
#define RK_THREADS(t, threads)                                                                   \
    for (rk_u32 rk_once_ = 0, t = rk_ctx->thread; rk_once_ < 1u; rk_once_++, RK_GROUP_BARRIER()) \
        if (t < rk_threads_are(rk_ctx, (rk_u32)(threads)))
#endif

/* So many values as a handler says it has; without a thread for each, and a value for each thread, it fails. */
RK_FN rk_u32 rk_threads_are(rk_context *context, rk_u32 n)
{
#if defined(RK_LANG_HOST)
    const rk_u32 width = context->shard->width,
                 most = width == RK_WARP ? RK_WARP_SIZE : context->shard->threads;
    const rk_u32 threads = width == RK_THREAD               ? 1u
                           : context->shard->threads < most ? context->shard->threads
                                                            : most;
#else
    const rk_u32 threads = context->threads;
#endif
    if (n != threads && !context->failed)
        context->failed = RK_REASON_STATUS + (rk_u32)RK_INVALID_OPTIONS + 1u;
    return n;
}

/* Memory that the group shares for the length of one handler call. All threads ask in the same order. 16-byte
 * aligned; undefined at first. More than the kernel's .shared bytes is refused: the handler fails. Groups of a block
 * that work side by side have as much each. */
#define RK_SHARED(type, name, n) \
    RK_LOCAL type *RK_RESTRICT name = (RK_LOCAL type *)rk_shared_take(rk_ctx, sizeof(type) * (rk_u64)(n))

RK_FN RK_LOCAL rk_u8 *rk_shared_take(rk_context *context, rk_u64 bytes)
{
    rk_u32 at = context->shared_used;
#if defined(RK_LANG_HOST)
    const rk_u32 own = context->shard->shared_size, first = 0;
#else
    const rk_u32 own = context->shard->shared_size / context->groups / 16u * 16u,
                 first = own * context->group;
#endif
    if (bytes > own - at) {
        if (!context->failed) context->failed = RK_REASON_STATUS + (rk_u32)RK_OUT_OF_MEMORY + 1u;
        return context->shared +
               first; /* the launch checked that one array fits; the call is refused anyway */
    }
    context->shared_used = at + ((rk_u32)bytes + 15u) / 16u * 16u;
    return context->shared + first + at;
}

/* Fences by hand, for kernels with relaxed memory: order and scope as written constants. */
#define rk_memory_fence(order, scope) rk_fence(order, scope)

/* Sum of v[0…n), in regions, by halves, for any n: the result is in v[0]. */
#define RK_DEFINE_REDUCE(type, suffix)                                                \
    RK_FN void rk_reduce_sum_##suffix(RK_CTX, RK_LOCAL type *RK_RESTRICT v, rk_u32 n) \
    {                                                                                 \
        while (n > 1) {                                                               \
            rk_u32 kept = (n + 1u) / 2u;                                              \
            RK_PARALLEL(i, n - kept) v[i] += v[i + kept];                             \
            n = kept;                                                                 \
        }                                                                             \
        (void)rk_ctx;                                                                 \
    }
RK_DEFINE_REDUCE(rk_u32, u32)
RK_DEFINE_REDUCE(rk_i32, i32)
RK_DEFINE_REDUCE(rk_u64, u64)
RK_DEFINE_REDUCE(rk_i64, i64)
RK_DEFINE_REDUCE(rk_f32, f32)
#undef RK_DEFINE_REDUCE

#endif
