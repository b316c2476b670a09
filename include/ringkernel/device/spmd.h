/* SPMD kernels, the guide's style: every thread of a block runs the body, may take one message, and may meet
 * the others at barriers and shuffles anywhere.
 *
 * Thread t of the block gets message t of the batch, so a batch is at most .threads messages, and what thread
 * t sends is ordered as if caused by message t. There is no order between threads otherwise, so SPMD kernels
 * keep no state per actor. On a GPU a thread is a thread. On the CPU it is a fiber: a barrier that not every
 * thread reaches, which would hang a GPU, is found there and named by file and line. */
#ifndef RINGKERNEL_DEVICE_SPMD_H
#define RINGKERNEL_DEVICE_SPMD_H

#include "handler.h"

#define RK_STRING_(x) #x
#define RK_STRING(x) RK_STRING_(x)
/* The text is for people; what tells two places apart, also on one line, is its address. */
#define RK_HERE                                                          \
    (__extension__({                                                     \
        static const char rk_here_[] = __FILE__ ":" RK_STRING(__LINE__); \
        rk_here_;                                                        \
    }))

/* Take this thread's message: 1 and *to filled, or 0. */
#define rk_try_receive(arg, to) rk_receive_mine(arg, RK_TYPE_ID_OF(to), (void *)(to), (rk_u32)sizeof(*(to)))

RK_FN rk_u32 rk_receive_mine(rk_context *context, rk_u16 type, void *to, rk_u32 size)
{
    if (context->received || context->header == 0 || context->header->type != type) return 0;
    context->received = 1;
#if defined(RK_LANG_HOST)
    memcpy(to, context->payload, size);
#else
    RK_GLOBAL const rk_u8 *from = (RK_GLOBAL const rk_u8 *)context->payload;
    if (size % 4u == 0)
        for (rk_u32 w = 0; w < size; w += 4u)
            *(rk_word *)((rk_u8 *)to + w) = *(RK_GLOBAL const rk_word *)(from + w);
    else
        for (rk_u32 b = 0; b < size; b++) ((rk_u8 *)to)[b] = from[b];
#endif
    return 1;
}

/* Meet the other threads of the scope, RK_SCOPE_WARP or RK_SCOPE_BLOCK: what each wrote before, all see
 * after. Every thread of the scope must reach the same barrier. */
#if defined(RK_LANG_HOST)
#define rk_barrier(scope) (rk_ctx->services->barrier(rk_ctx, scope, RK_HERE))
#elif defined(RK_LANG_CUDA)
#define rk_barrier(scope) ((scope) == RK_SCOPE_WARP ? __syncwarp() : __syncthreads())
#else
#define rk_barrier(scope) RK_PORT_BLOCK_BARRIER()
#endif

/* ------------------------------------------------------------ exchange between threads of a warp or block */

/* rk_exchange(value, from, scope): the value that thread `from` of the scope gave. All threads of the scope
 * call it. Where a device has no shuffle, values go through block-shared memory, which every block has
 * .threads * 8 bytes of for this. */
#if defined(RK_LANG_HOST)
#define RK_EXCHANGE_BITS(bits, from, scope) (rk_ctx->services->exchange(rk_ctx, bits, from, scope, RK_HERE))
#define rk_ballot(vote) ((rk_u32)rk_ctx->services->ballot(rk_ctx, (vote) != 0, RK_SCOPE_WARP, RK_HERE))
#define rk_any(vote, scope) (rk_ctx->services->ballot(rk_ctx, (vote) != 0, scope, RK_HERE) != 0)
#else
RK_FN rk_u64 rk_exchange_bits(rk_context *context, rk_u64 bits, rk_u32 from, rk_u32 scope)
{
    rk_u32 first = scope == RK_SCOPE_WARP ? context->thread / RK_WARP_SIZE * RK_WARP_SIZE : 0u;
#if defined(RK_LANG_CUDA)
    if (scope == RK_SCOPE_WARP) return __shfl_sync(0xffffffffu, bits, (int)from);
#endif
    if (scope == RK_SCOPE_WARP) from %= RK_WARP_SIZE;
    RK_LOCAL volatile rk_u64 *board =
        (RK_LOCAL volatile rk_u64 *)(context->shared + context->shard->shared_size);
    board[context->thread] = bits;
    RK_PORT_BLOCK_BARRIER();
    rk_u64 seen = board[first + from];
    RK_PORT_BLOCK_BARRIER();
    return seen;
}
#define RK_EXCHANGE_BITS(bits, from, scope) rk_exchange_bits(rk_ctx, bits, from, scope)
RK_FN rk_u64 rk_ballot_bits(rk_context *context, rk_u32 vote, rk_u32 scope)
{
#if defined(RK_LANG_CUDA)
    if (scope == RK_SCOPE_WARP) return __ballot_sync(0xffffffffu, (int)vote);
    return (rk_u64)__syncthreads_or((int)vote);
#else
    rk_u64 bits = 0;
    rk_u32 n = scope == RK_SCOPE_WARP ? RK_WARP_SIZE : context->threads;
    rk_u32 first = scope == RK_SCOPE_WARP ? context->thread / RK_WARP_SIZE * RK_WARP_SIZE : 0u;
    RK_LOCAL volatile rk_u64 *board =
        (RK_LOCAL volatile rk_u64 *)(context->shared + context->shard->shared_size);
    board[context->thread] = vote;
    RK_PORT_BLOCK_BARRIER();
    for (rk_u32 i = 0; i < n && first + i < context->threads; i++) bits |= board[first + i] << (i & 63u);
    RK_PORT_BLOCK_BARRIER();
    return bits;
#endif
}
#define rk_ballot(vote) ((rk_u32)rk_ballot_bits(rk_ctx, (vote) != 0, RK_SCOPE_WARP))
#define rk_any(vote, scope) (rk_ballot_bits(rk_ctx, (vote) != 0, scope) != 0)
#endif

/* Typed shuffles. rk_shuffle(v, lane): the value of that lane, modulo the warp's size; rk_shuffle_down(v, d):
 * of the lane d further, one's own where there is none; rk_shuffle_xor(v, mask). rk_reduce_add(v, scope): the
 * sum over the scope, for every thread. */
#define RK_DEFINE_SHUFFLE(type, suffix)       \
    RK_FN rk_u64 rk_bits_##suffix(type value) \
    {                                         \
        union {                               \
            rk_u64 bits;                      \
            type value;                       \
        } both;                               \
        both.bits = 0;                        \
        both.value = value;                   \
        return both.bits;                     \
    }                                         \
    RK_FN type rk_value_##suffix(rk_u64 bits) \
    {                                         \
        union {                               \
            rk_u64 bits;                      \
            type value;                       \
        } both;                               \
        both.bits = bits;                     \
        return both.value;                    \
    }
RK_DEFINE_SHUFFLE(rk_u32, u32)
RK_DEFINE_SHUFFLE(rk_i32, i32)
RK_DEFINE_SHUFFLE(rk_f32, f32)
RK_DEFINE_SHUFFLE(rk_u64, u64)
RK_DEFINE_SHUFFLE(rk_i64, i64)
#undef RK_DEFINE_SHUFFLE

#define RK_SHUFFLE(suffix, v, lane) \
    rk_value_##suffix(RK_EXCHANGE_BITS(rk_bits_##suffix(v), lane, RK_SCOPE_WARP))
#define RK_DOWN_(d)                                                                     \
    (rk_lane() + (rk_u32)(d) < RK_WARP_SIZE && rk_thread() + (rk_u32)(d) < rk_threads() \
         ? rk_lane() + (rk_u32)(d)                                                      \
         : rk_lane())
#define rk_shuffle_u32(v, lane) RK_SHUFFLE(u32, v, lane)
#define rk_shuffle_i32(v, lane) RK_SHUFFLE(i32, v, lane)
#define rk_shuffle_f32(v, lane) RK_SHUFFLE(f32, v, lane)
#define rk_shuffle_u64(v, lane) RK_SHUFFLE(u64, v, lane)
#define rk_shuffle_i64(v, lane) RK_SHUFFLE(i64, v, lane)
#define rk_shuffle_down_u32(v, d) RK_SHUFFLE(u32, v, RK_DOWN_(d))
#define rk_shuffle_down_i32(v, d) RK_SHUFFLE(i32, v, RK_DOWN_(d))
#define rk_shuffle_down_f32(v, d) RK_SHUFFLE(f32, v, RK_DOWN_(d))
#define rk_shuffle_down_u64(v, d) RK_SHUFFLE(u64, v, RK_DOWN_(d))
#define rk_shuffle_down_i64(v, d) RK_SHUFFLE(i64, v, RK_DOWN_(d))
#define rk_shuffle_xor_u32(v, mask) RK_SHUFFLE(u32, v, rk_lane() ^ (rk_u32)(mask))
#define rk_shuffle_xor_i32(v, mask) RK_SHUFFLE(i32, v, rk_lane() ^ (rk_u32)(mask))
#define rk_shuffle_xor_f32(v, mask) RK_SHUFFLE(f32, v, rk_lane() ^ (rk_u32)(mask))

/* The 32-bit forms by their plain names: rk_shuffle_down(v, d) of an rk_i32. */
#define rk_shuffle(v, lane) rk_shuffle_i32(v, lane)
#define rk_shuffle_down(v, d) rk_shuffle_down_i32(v, d)
#define rk_shuffle_xor(v, mask) rk_shuffle_xor_i32(v, mask)

/* Sum of an rk_i64 over the threads of a scope. */
#if defined(RK_LANG_HOST)
#define rk_reduce_add(v, scope) \
    ((rk_i64)rk_ctx->services->reduce(rk_ctx, (rk_u64)(rk_i64)(v), scope, RK_HERE))
#else
#define rk_reduce_add(v, scope) rk_reduce_add_i64(rk_ctx, v, scope)
RK_FN rk_i64 rk_reduce_add_i64(RK_CTX, rk_i64 v, rk_u32 scope)
{
    rk_u32 n = scope == RK_SCOPE_WARP ? RK_WARP_SIZE : rk_ctx->threads;
    rk_u32 first = scope == RK_SCOPE_WARP ? rk_warp() * RK_WARP_SIZE : 0u;
    if (first + n > rk_ctx->threads) n = rk_ctx->threads - first;
    rk_i64 sum = 0;
    for (rk_u32 i = 0; i < n; i++) sum += (rk_i64)RK_EXCHANGE_BITS((rk_u64)v, i, scope);
    return sum;
}
#endif

#endif
