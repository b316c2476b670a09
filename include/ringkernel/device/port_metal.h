/* The port to the Metal Shading Language, from version 3.2 on.
 *
 * Metal has relaxed 32-bit atomics and, since 3.2, a fence over device memory that is sequentially consistent; a
 * stronger order than relaxed is that fence beside the access. There are no 64-bit atomics: a counter is added to by
 * halves, and who needs a compare-and-swap of 64 bits, which is a plain lane with several producers, takes the
 * lane's lock instead. Nothing orders a running kernel against the host, so the loop runs in slices. */
#ifndef RINGKERNEL_DEVICE_PORT_METAL_H
#define RINGKERNEL_DEVICE_PORT_METAL_H

#include <metal_stdlib>

/* A pointer without an address space is one of the thread's own, so the dialect doesn't need Metal's word for that,
 * and has fields of this name. */
#define thread rk_thread_

#define RK_GLOBAL device
#define RK_LOCAL threadgroup
#define RK_MSG device
#define RK_TEXT constant const
#define RK_CONSTANT constant
#define RK_FN static inline __attribute__((unused))
#define RK_FN_LARGE RK_FN
#define RK_UNUSED __attribute__((unused))
#define RK_KERNEL kernel void
#define RK_RESTRICT

#define RK_RELAXED 0
#define RK_ACQUIRE 1
#define RK_RELEASE 2
#define RK_ACQ_REL 3
#define RK_SEQ_CST 4

#define RK_PORT_A32(pointer) ((volatile device metal::atomic_uint *)(pointer))
#define RK_PORT_FENCE()                                                                   \
    metal::atomic_thread_fence(metal::mem_flags::mem_device, metal::memory_order_seq_cst, \
                               metal::thread_scope_device)

#include "port_fenced.h"

RK_FN rk_u32 rk_port_load_u32(volatile device const rk_u32 *pointer, int order)
{
    rk_u32 value = metal::atomic_load_explicit((volatile device const metal::atomic_uint *)pointer,
                                               metal::memory_order_relaxed);
    RK_PORT_AFTER(order);
    return value;
}
RK_FN void rk_port_store_u32(volatile device rk_u32 *pointer, rk_u32 value, int order)
{
    RK_PORT_BEFORE(order);
    metal::atomic_store_explicit(RK_PORT_A32(pointer), value, metal::memory_order_relaxed);
}
#define RK_PORT_RMW(name, call)                                                                \
    RK_FN rk_u32 name(volatile device rk_u32 *pointer, rk_u32 value, int order)                \
    {                                                                                          \
        RK_PORT_BEFORE(order);                                                                 \
        rk_u32 before = metal::call(RK_PORT_A32(pointer), value, metal::memory_order_relaxed); \
        RK_PORT_AFTER(order);                                                                  \
        return before;                                                                         \
    }
RK_PORT_RMW(rk_port_exchange_u32, atomic_exchange_explicit)
RK_PORT_RMW(rk_port_add_u32, atomic_fetch_add_explicit)
RK_PORT_RMW(rk_port_or_u32, atomic_fetch_or_explicit)
RK_PORT_RMW(rk_port_and_u32, atomic_fetch_and_explicit)
RK_PORT_RMW(rk_port_min_u32, atomic_fetch_min_explicit)
#undef RK_PORT_RMW

RK_FN int rk_port_cas_u32(volatile device rk_u32 *pointer, rk_u32 expected, rk_u32 value)
{
    rk_u32 seen = expected;
    RK_PORT_FENCE();
    while (!metal::atomic_compare_exchange_weak_explicit(
        RK_PORT_A32(pointer), &seen, value, metal::memory_order_relaxed, metal::memory_order_relaxed))
        if (seen != expected) return 0;
    RK_PORT_FENCE();
    return 1;
}

#include "port_halves.h"

#define rk_count_local(pointer, n)                                                                \
    ((void)metal::atomic_fetch_add_explicit((volatile threadgroup metal::atomic_uint *)(pointer), \
                                            (rk_u32)(n), metal::memory_order_relaxed))
RK_FN void rk_port_barrier(void)
{
    metal::threadgroup_barrier(metal::mem_flags::mem_device | metal::mem_flags::mem_threadgroup);
}

#define RK_PORT_CLZ(value) metal::clz(value)

#include "port_slices.h"

#endif
