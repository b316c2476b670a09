/* The port to NVIDIA GPUs: NVRTC and nvcc, plain __nv_atomic_* built-ins and PTX (port_ptx.h), no header of the
 * toolkit. */
#ifndef RINGKERNEL_DEVICE_PORT_CUDA_H
#define RINGKERNEL_DEVICE_PORT_CUDA_H

#define RK_GLOBAL
#define RK_LOCAL
#define RK_MSG
#define RK_TEXT const
#define RK_CONSTANT static __device__ const
#define RK_FN static __device__ __forceinline__
#define RK_FN_LARGE static __device__ __noinline__ __attribute__((unused))
#define RK_UNUSED __attribute__((unused))
#define RK_KERNEL extern "C" __global__ void
#define RK_RESTRICT __restrict__

#define RK_RELAXED __NV_ATOMIC_RELAXED
#define RK_ACQUIRE __NV_ATOMIC_ACQUIRE
#define RK_RELEASE __NV_ATOMIC_RELEASE
#define RK_ACQ_REL __NV_ATOMIC_ACQ_REL
#define RK_SEQ_CST __NV_ATOMIC_SEQ_CST

/* Scopes are numbers in attributes and built-in names in atomics: a warp is ordered at block scope. */
#define RK_PORT_SCOPE_0 __NV_THREAD_SCOPE_BLOCK
#define RK_PORT_SCOPE_1 __NV_THREAD_SCOPE_BLOCK
#define RK_PORT_SCOPE_2 __NV_THREAD_SCOPE_BLOCK
#if defined(RK_UNIT_PEERS) /* kernels of several devices share words that are otherwise one device's */
#define RK_PORT_SCOPE_3 __NV_THREAD_SCOPE_SYSTEM
#define RK_PORT_WIDE "sys"
#else
#define RK_PORT_SCOPE_3 __NV_THREAD_SCOPE_DEVICE
#define RK_PORT_WIDE "gpu"
#endif
#define RK_PORT_SCOPE_4 __NV_THREAD_SCOPE_SYSTEM
#define RK_PORT_SCOPE__(scope) RK_PORT_SCOPE_##scope
#define RK_PORT_SCOPE_(scope) RK_PORT_SCOPE__(scope)
#define RK_PORT_SCOPE(scope) RK_PORT_SCOPE_(scope)

#define rk_load_u32(pointer, order, scope) \
    __nv_atomic_load_n((rk_u32 *)(pointer), order, RK_PORT_SCOPE(scope))
#define rk_load_u64(pointer, order, scope) \
    __nv_atomic_load_n((rk_u64 *)(pointer), order, RK_PORT_SCOPE(scope))
#define rk_store_u32(pointer, value, order, scope) \
    __nv_atomic_store_n((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_store_u64(pointer, value, order, scope) \
    __nv_atomic_store_n((rk_u64 *)(pointer), (rk_u64)(value), order, RK_PORT_SCOPE(scope))
#define rk_exchange_u32(pointer, value, order, scope) \
    __nv_atomic_exchange_n((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_add_u32(pointer, value, order, scope) \
    __nv_atomic_fetch_add((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_add_u64(pointer, value, order, scope) \
    __nv_atomic_fetch_add((rk_u64 *)(pointer), (rk_u64)(value), order, RK_PORT_SCOPE(scope))
#define rk_or_u32(pointer, value, order, scope) \
    __nv_atomic_fetch_or((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_and_u32(pointer, value, order, scope) \
    __nv_atomic_fetch_and((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_or_u64(pointer, value, order, scope) \
    __nv_atomic_fetch_or((rk_u64 *)(pointer), (rk_u64)(value), order, RK_PORT_SCOPE(scope))
#define rk_count_local(pointer, n) ((void)rk_add_u32(pointer, n, RK_RELAXED, RK_SCOPE_BLOCK))
#define rk_min_u32(pointer, value, order, scope) \
    __nv_atomic_fetch_min((rk_u32 *)(pointer), (rk_u32)(value), order, RK_PORT_SCOPE(scope))
#define rk_min_u64(pointer, value, order, scope) \
    __nv_atomic_fetch_min((rk_u64 *)(pointer), (rk_u64)(value), order, RK_PORT_SCOPE(scope))
#define rk_max_u64(pointer, value, order, scope) \
    __nv_atomic_fetch_max((rk_u64 *)(pointer), (rk_u64)(value), order, RK_PORT_SCOPE(scope))
/* A fence of device scope stays one between devices, too: there lanes carry messages, as they do over the
 * bus, and a fence of system scope would wait for all that was posted over the link. */
#define rk_fence(order, scope) rk_port_fence(order, scope)

#define rk_cas_u32(pointer, expected, value, order, scope) \
    rk_port_cas_u32((rk_u32 *)(pointer), (rk_u32)(expected), (rk_u32)(value))
#define rk_cas_u64(pointer, expected, value, order, scope)                                   \
    ((order) == RK_RELAXED                                                                   \
         ? rk_port_cas_u64_relaxed((rk_u64 *)(pointer), (rk_u64)(expected), (rk_u64)(value)) \
         : rk_port_cas_u64((rk_u64 *)(pointer), (rk_u64)(expected), (rk_u64)(value)))
RK_FN int rk_port_cas_u32(rk_u32 *pointer, rk_u32 expected, rk_u32 value)
{
    return __nv_atomic_compare_exchange_n(pointer, &expected, value, false, __NV_ATOMIC_ACQ_REL,
                                          __NV_ATOMIC_ACQUIRE, RK_PORT_SCOPE_3);
}
RK_FN int rk_port_cas_u64(rk_u64 *pointer, rk_u64 expected, rk_u64 value)
{
    return __nv_atomic_compare_exchange_n(pointer, &expected, value, false, __NV_ATOMIC_ACQ_REL,
                                          __NV_ATOMIC_ACQUIRE, RK_PORT_SCOPE_3);
}

RK_FN int rk_port_cas_u64_relaxed(rk_u64 *pointer, rk_u64 expected, rk_u64 value)
{
    return __nv_atomic_compare_exchange_n(pointer, &expected, value, false, __NV_ATOMIC_RELAXED,
                                          __NV_ATOMIC_RELAXED, RK_PORT_SCOPE_3);
}

typedef struct __align__(16) rk_unit { rk_u32 word[4]; }
rk_unit;

#define RK_HAS_UNIT 1
#define RK_HAS_CLOCK 1
#include "port_ptx.h"

/* One more round of a spin. */
RK_FN void rk_port_spin(rk_u32 round)
{
    (void)round;
    rk_port_pause();
}

/* Copy bytes from arena to arena, in the largest steps that both ends allow. */
RK_FN void rk_copy_global(void *to, const void *from, rk_u32 bytes)
{
    const rk_u64 ends = (rk_u64)to | (rk_u64)from;
    rk_u32 done = 0;
    if ((ends & 15u) == 0)
        for (; done + 16u <= bytes; done += 16u)
            *(rk_unit *)((rk_u8 *)to + done) = *(const rk_unit *)((const rk_u8 *)from + done);
    if ((ends & 3u) == 0)
        for (; done + 4u <= bytes; done += 4u)
            *(rk_word *)((rk_u8 *)to + done) = *(const rk_word *)((const rk_u8 *)from + done);
    for (; done < bytes; done++) ((rk_u8 *)to)[done] = ((const rk_u8 *)from)[done];
}

#endif
