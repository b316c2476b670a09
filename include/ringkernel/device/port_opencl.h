/* The port to OpenCL C 1.2 and 3.0.
 *
 * With 3.0 the C11 atomics carry order and scope, where the device has them (RK_NO_ORDERS: it doesn't, but takes the
 * language). With 1.2 atomics are relaxed, so an order becomes a memory
 * fence of the work-item beside the access, which orders within the device on the implementations in use, but for NVIDIA's
 * (RK_UNIT_SM), which gets another; nothing of 1.2 orders against the host, so there the loop runs in slices. PoCL rejects
 * memory_scope_all_svm_devices: system scope is device scope, and a backend that needs more refuses the
 * lane. */
#ifndef RINGKERNEL_DEVICE_PORT_OPENCL_H
#define RINGKERNEL_DEVICE_PORT_OPENCL_H

#define RK_GLOBAL __global
#define RK_LOCAL __local
#define RK_MSG __global
#define RK_TEXT __constant
#define RK_CONSTANT __constant
#define RK_FN static inline __attribute__((unused))
#define RK_UNUSED __attribute__((unused))
#define RK_KERNEL __kernel void
#define RK_RESTRICT restrict

/* What the host says of the work-groups that it launches. A compiler for CPUs makes of each piece of code between two
 * barriers a loop over the threads, and copies of what lies behind a barrier that not all ways lead to: one thread needs
 * none (RK_UNIT_ALONE), and for several what is large is better called (RK_UNIT_CALLS), as on GPUs. */
#if defined(RK_UNIT_GROUP)
#define RK_PORT_GROUP __attribute__((reqd_work_group_size(RK_UNIT_GROUP, 1, 1)))
#if RK_UNIT_GROUP == 1
#define RK_UNIT_ALONE 1
#endif
#else
#define RK_PORT_GROUP
#endif
#if defined(RK_UNIT_CALLS)
#define RK_FN_LARGE static __attribute__((noinline, unused))
#else
#define RK_FN_LARGE RK_FN
#endif

#if defined(cl_khr_int64_base_atomics)
#pragma OPENCL EXTENSION cl_khr_int64_base_atomics : enable
#endif
#if defined(cl_khr_int64_extended_atomics)
#pragma OPENCL EXTENSION cl_khr_int64_extended_atomics : enable
#endif
#if !defined(cl_khr_int64_base_atomics) || !defined(cl_khr_int64_extended_atomics)
#if !defined(RK_NO_ATOMICS_64)
#define RK_NO_ATOMICS_64 1
#endif
#endif

#define RK_RELAXED 0
#define RK_ACQUIRE 1
#define RK_RELEASE 2
#define RK_ACQ_REL 3
#define RK_SEQ_CST 4

#if __OPENCL_C_VERSION__ >= 300 && !defined(RK_NO_ATOMICS_64) && !defined(RK_NO_ORDERS)

#define RK_PORT_ORDER_0 memory_order_relaxed
#define RK_PORT_ORDER_1 memory_order_acquire
#define RK_PORT_ORDER_2 memory_order_release
#define RK_PORT_ORDER_3 memory_order_acq_rel
#define RK_PORT_ORDER_4 memory_order_seq_cst
#define RK_PORT_ORDER__(order) RK_PORT_ORDER_##order
#define RK_PORT_ORDER_(order) RK_PORT_ORDER__(order)
#define RK_PORT_ORDER(order) RK_PORT_ORDER_(order)
#define RK_PORT_SCOPE_0 memory_scope_work_group
#define RK_PORT_SCOPE_1 memory_scope_work_group
#define RK_PORT_SCOPE_2 memory_scope_work_group
#define RK_PORT_SCOPE_3 memory_scope_device
#define RK_PORT_SCOPE_4 memory_scope_device
#define RK_PORT_SCOPE__(scope) RK_PORT_SCOPE_##scope
#define RK_PORT_SCOPE_(scope) RK_PORT_SCOPE__(scope)
#define RK_PORT_SCOPE(scope) RK_PORT_SCOPE_(scope)

#define RK_PORT_A32(pointer) ((volatile __global atomic_uint *)(pointer))
#define RK_PORT_A64(pointer) ((volatile __global atomic_ulong *)(pointer))
#define rk_load_u32(pointer, order, scope) \
    atomic_load_explicit(RK_PORT_A32(pointer), RK_PORT_ORDER(order), RK_PORT_SCOPE(scope))
#define rk_load_u64(pointer, order, scope) \
    atomic_load_explicit(RK_PORT_A64(pointer), RK_PORT_ORDER(order), RK_PORT_SCOPE(scope))
#define rk_store_u32(pointer, value, order, scope) \
    atomic_store_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), RK_PORT_SCOPE(scope))
#define rk_store_u64(pointer, value, order, scope) \
    atomic_store_explicit(RK_PORT_A64(pointer), (rk_u64)(value), RK_PORT_ORDER(order), RK_PORT_SCOPE(scope))
#define rk_exchange_u32(pointer, value, order, scope)                                     \
    atomic_exchange_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), \
                             RK_PORT_SCOPE(scope))
#define rk_add_u32(pointer, value, order, scope)                                           \
    atomic_fetch_add_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), \
                              RK_PORT_SCOPE(scope))
#define rk_add_u64(pointer, value, order, scope)                                           \
    atomic_fetch_add_explicit(RK_PORT_A64(pointer), (rk_u64)(value), RK_PORT_ORDER(order), \
                              RK_PORT_SCOPE(scope))
#define rk_or_u32(pointer, value, order, scope)                                           \
    atomic_fetch_or_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), \
                             RK_PORT_SCOPE(scope))
#define rk_and_u32(pointer, value, order, scope)                                           \
    atomic_fetch_and_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), \
                              RK_PORT_SCOPE(scope))
#define rk_count_local(pointer, n)                                                           \
    ((void)atomic_fetch_add_explicit((volatile __local atomic_uint *)(pointer), (rk_u32)(n), \
                                     memory_order_relaxed, memory_scope_work_group))
#define rk_or_u64(pointer, value, order, scope)                                           \
    atomic_fetch_or_explicit(RK_PORT_A64(pointer), (rk_u64)(value), RK_PORT_ORDER(order), \
                             RK_PORT_SCOPE(scope))
#define rk_min_u32(pointer, value, order, scope)                                           \
    atomic_fetch_min_explicit(RK_PORT_A32(pointer), (rk_u32)(value), RK_PORT_ORDER(order), \
                              RK_PORT_SCOPE(scope))
#define rk_cas_u32(pointer, expected, value, order, scope) \
    rk_port_cas_u32((volatile __global rk_u32 *)(pointer), expected, value)
#define rk_cas_u64(pointer, expected, value, order, scope) \
    rk_port_cas_u64((volatile __global rk_u64 *)(pointer), expected, value)
#define rk_fence(order, scope)                                                               \
    atomic_work_item_fence(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE, RK_PORT_ORDER(order), \
                           RK_PORT_SCOPE(scope))

RK_FN int rk_port_cas_u32(volatile __global rk_u32 *pointer, rk_u32 expected, rk_u32 value)
{
    return atomic_compare_exchange_strong_explicit(RK_PORT_A32(pointer), &expected, value,
                                                   memory_order_acq_rel, memory_order_acquire,
                                                   memory_scope_device);
}
RK_FN int rk_port_cas_u64(volatile __global rk_u64 *pointer, rk_u64 expected, rk_u64 value)
{
    return atomic_compare_exchange_strong_explicit(RK_PORT_A64(pointer), &expected, value,
                                                   memory_order_acq_rel, memory_order_acquire,
                                                   memory_scope_device);
}

#else

/* On NVIDIA's, of that compute capability, mem_fence reaches no further than the block. */
#if defined(RK_UNIT_SM)
#define RK_PORT_FENCE() __asm__ volatile("membar.gl;" ::: "memory")
#if RK_UNIT_SM >= 70
#define RK_PORT_ORDER_FENCE() __asm__ volatile("fence.acq_rel.gpu;" ::: "memory")
#endif
#else
#define RK_PORT_FENCE() mem_fence(CLK_GLOBAL_MEM_FENCE | CLK_LOCAL_MEM_FENCE)
#endif

#include "port_fenced.h"

RK_FN rk_u32 rk_port_load_u32(volatile __global const rk_u32 *pointer, int order)
{
    rk_u32 value = *pointer;
    RK_PORT_AFTER(order);
    return value;
}
RK_FN void rk_port_store_u32(volatile __global rk_u32 *pointer, rk_u32 value, int order)
{
    RK_PORT_BEFORE(order);
    *pointer = value;
}
#define RK_PORT_RMW(name, type, call)                                       \
    RK_FN type name(volatile __global type *pointer, type value, int order) \
    {                                                                       \
        RK_PORT_BEFORE(order);                                              \
        type before = call(pointer, value);                                 \
        RK_PORT_AFTER(order);                                               \
        return before;                                                      \
    }
RK_PORT_RMW(rk_port_exchange_u32, rk_u32, atomic_xchg)
RK_PORT_RMW(rk_port_add_u32, rk_u32, atomic_add)
RK_PORT_RMW(rk_port_or_u32, rk_u32, atomic_or)
RK_PORT_RMW(rk_port_and_u32, rk_u32, atomic_and)
RK_PORT_RMW(rk_port_min_u32, rk_u32, atomic_min)
RK_FN int rk_port_cas_u32(volatile __global rk_u32 *pointer, rk_u32 expected, rk_u32 value)
{
    RK_PORT_FENCE();
    rk_u32 before = atomic_cmpxchg(pointer, expected, value);
    RK_PORT_FENCE();
    return before == expected;
}
#if defined(RK_NO_ATOMICS_64)
#include "port_halves.h"
#else
RK_PORT_RMW(rk_port_add_u64, rk_u64, atom_add)
RK_PORT_RMW(rk_port_or_u64, rk_u64, atom_or)
RK_FN int rk_port_cas_u64(volatile __global rk_u64 *pointer, rk_u64 expected, rk_u64 value)
{
    RK_PORT_FENCE();
    rk_u64 before = atom_cmpxchg(pointer, expected, value);
    RK_PORT_FENCE();
    return before == expected;
}
#define rk_add_u64(pointer, value, order, scope) rk_port_add_u64(pointer, value, order)
#define rk_or_u64(pointer, value, order, scope) rk_port_or_u64(pointer, value, order)
#define rk_cas_u64(pointer, expected, value, order, scope) rk_port_cas_u64(pointer, expected, value)
#endif
#undef RK_PORT_RMW

#define rk_count_local(pointer, n) ((void)atomic_add((volatile __local rk_u32 *)(pointer), (rk_u32)(n)))

#endif

#define RK_PORT_CLZ(value) clz(value)

#include "port_slices.h"

#endif
