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
#define RK_PORT_AFTER(order) \
    if ((order) == RK_ACQUIRE || (order) >= RK_ACQ_REL) RK_PORT_FENCE()
#define RK_PORT_BEFORE(order) \
    if ((order) >= RK_RELEASE) RK_PORT_FENCE()

RK_FN rk_u32 rk_port_load_u32(volatile device const rk_u32 *pointer, int order)
{
    rk_u32 value = metal::atomic_load_explicit((volatile device const metal::atomic_uint *)pointer,
                                               metal::memory_order_relaxed);
    RK_PORT_AFTER(order);
    return value;
}
RK_FN rk_u64 rk_port_load_u64(volatile device const rk_u64 *pointer, int order)
{
    rk_u64 value = *pointer;
    RK_PORT_AFTER(order);
    return value;
}
RK_FN void rk_port_store_u32(volatile device rk_u32 *pointer, rk_u32 value, int order)
{
    RK_PORT_BEFORE(order);
    metal::atomic_store_explicit(RK_PORT_A32(pointer), value, metal::memory_order_relaxed);
}
RK_FN void rk_port_store_u64(volatile device rk_u64 *pointer, rk_u64 value, int order)
{
    RK_PORT_BEFORE(order);
    *pointer = value;
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

/* A counter's halves: right once all that add to it have. What was there before is not to be had. */
RK_FN void rk_port_add_u64(volatile device rk_u64 *pointer, rk_u64 value)
{
    volatile device rk_u32 *halves = (volatile device rk_u32 *)pointer;
    rk_u32 low = (rk_u32)value, before = rk_port_add_u32(halves, low, RK_RELAXED);
    rk_u32 carried = (rk_u32)(value >> 32) + (before + low < before ? 1u : 0u);
    if (carried) rk_port_add_u32(halves + 1, carried, RK_RELAXED);
}

#define rk_load_u32(pointer, order, scope) rk_port_load_u32(pointer, order)
#define rk_load_u64(pointer, order, scope) rk_port_load_u64(pointer, order)
#define rk_store_u32(pointer, value, order, scope) rk_port_store_u32(pointer, value, order)
#define rk_store_u64(pointer, value, order, scope) rk_port_store_u64(pointer, value, order)
#define rk_exchange_u32(pointer, value, order, scope) rk_port_exchange_u32(pointer, value, order)
#define rk_add_u32(pointer, value, order, scope) rk_port_add_u32(pointer, value, order)
#define rk_add_u64(pointer, value, order, scope) rk_port_add_u64(pointer, value)
#define rk_or_u32(pointer, value, order, scope) rk_port_or_u32(pointer, value, order)
#define rk_and_u32(pointer, value, order, scope) rk_port_and_u32(pointer, value, order)
#define rk_count_local(pointer, n)                                                                \
    ((void)metal::atomic_fetch_add_explicit((volatile threadgroup metal::atomic_uint *)(pointer), \
                                            (rk_u32)(n), metal::memory_order_relaxed))
#define rk_min_u32(pointer, value, order, scope) rk_port_min_u32(pointer, value, order)
#define rk_cas_u32(pointer, expected, value, order, scope) rk_port_cas_u32(pointer, expected, value)
#define RK_NO_CAS_U64 1
#define rk_fence(order, scope) RK_PORT_FENCE()

RK_FN void rk_port_barrier(void)
{
    metal::threadgroup_barrier(metal::mem_flags::mem_device | metal::mem_flags::mem_threadgroup);
}

typedef struct rk_unit {
    rk_u32 word[4];
} __attribute__((aligned(16))) rk_unit;

/* A vector access is one access on every GPU of Apple's that is known, but Metal doesn't promise it: a backend uses
 * unit slots only after its own tear test. */
#define RK_HAS_UNIT 1
RK_FN rk_unit rk_load_unit(volatile device const rk_unit *unit)
{
    rk_unit value;
    uint4 bits = *(volatile device const uint4 *)unit;
    value.word[0] = bits.x;
    value.word[1] = bits.y;
    value.word[2] = bits.z;
    value.word[3] = bits.w;
    return value;
}
RK_FN void rk_store_unit(volatile device rk_unit *unit, rk_unit value)
{
    uint4 bits;
    bits.x = value.word[0];
    bits.y = value.word[1];
    bits.z = value.word[2];
    bits.w = value.word[3];
    *(volatile device uint4 *)unit = bits;
}

typedef uint4 __attribute__((__may_alias__)) rk_port_quad;
RK_FN rk_unit rk_get_unit(device const void *from)
{
    rk_unit value;
    uint4 bits = *(device const rk_port_quad *)from;
    value.word[0] = bits.x;
    value.word[1] = bits.y;
    value.word[2] = bits.z;
    value.word[3] = bits.w;
    return value;
}
RK_FN void rk_put_unit(device void *to, rk_unit value)
{
    uint4 bits;
    bits.x = value.word[0];
    bits.y = value.word[1];
    bits.z = value.word[2];
    bits.w = value.word[3];
    *(device rk_port_quad *)to = bits;
}

#define RK_PORT_CLZ(value) metal::clz(value)

/* Metal has neither a clock nor a cycle counter. */
RK_FN rk_u64 rk_port_cycles(void) { return 0; }
RK_FN void rk_port_pause(void) {}

/* One more round of a spin. */
RK_FN void rk_port_spin(rk_u32 round)
{
    (void)round;
    rk_port_pause();
}

/* Copy bytes from arena to arena, by words where both ends allow it. */
RK_FN void rk_copy_global(device void *to, device const void *from, rk_u32 bytes)
{
    rk_u32 done = 0;
    if ((((rk_u64)to | (rk_u64)from) & 3u) == 0)
        for (; done + 4u <= bytes; done += 4u)
            *(device rk_word *)((device rk_u8 *)to + done) =
                *(device const rk_word *)((device const rk_u8 *)from + done);
    for (; done < bytes; done++) ((device rk_u8 *)to)[done] = ((device const rk_u8 *)from)[done];
}

#endif
