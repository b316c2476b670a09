/* The port to the CPU: gcc and clang, C11 and C++17. All scopes are the machine; orders are the compiler's
 * own. */
#ifndef RINGKERNEL_DEVICE_PORT_CPU_H
#define RINGKERNEL_DEVICE_PORT_CPU_H

#include <sched.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define RK_GLOBAL
#define RK_LOCAL
#define RK_MSG
#define RK_TEXT const
#define RK_CONSTANT static const
#define RK_FN static inline __attribute__((unused))
#define RK_FN_LARGE RK_FN
#define RK_UNUSED __attribute__((unused))
#define RK_RESTRICT __restrict

#define RK_RELAXED __ATOMIC_RELAXED
#define RK_ACQUIRE __ATOMIC_ACQUIRE
#define RK_RELEASE __ATOMIC_RELEASE
#define RK_ACQ_REL __ATOMIC_ACQ_REL
#define RK_SEQ_CST __ATOMIC_SEQ_CST

#define rk_load_u32(pointer, order, scope) __atomic_load_n(pointer, order)
#define rk_load_u64(pointer, order, scope) __atomic_load_n(pointer, order)
#define rk_store_u32(pointer, value, order, scope) __atomic_store_n(pointer, value, order)
#define rk_store_u64(pointer, value, order, scope) __atomic_store_n(pointer, value, order)
#define rk_exchange_u32(pointer, value, order, scope) __atomic_exchange_n(pointer, value, order)
#define rk_add_u32(pointer, value, order, scope) __atomic_fetch_add(pointer, value, order)
#define rk_add_u64(pointer, value, order, scope) __atomic_fetch_add(pointer, value, order)
#define rk_or_u32(pointer, value, order, scope) __atomic_fetch_or(pointer, value, order)
#define rk_or_u64(pointer, value, order, scope) __atomic_fetch_or(pointer, value, order)
#define rk_cas_u32(pointer, expected, value, order, scope) rk_port_cas_u32(pointer, expected, value, order)
#define rk_cas_u64(pointer, expected, value, order, scope) rk_port_cas_u64(pointer, expected, value, order)
#define rk_fence(order, scope) __atomic_thread_fence(order)
#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan" /* it doesn't know fences: nothing of ours relies on one alone */
#endif

RK_FN int rk_port_cas_u32(rk_u32 *pointer, rk_u32 expected, rk_u32 value, int order)
{
    (void)order; /* one strong form: on the CPU the weaker ones cost the same */
    return __atomic_compare_exchange_n(pointer, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

RK_FN int rk_port_cas_u64(rk_u64 *pointer, rk_u64 expected, rk_u64 value, int order)
{
    (void)order;
    return __atomic_compare_exchange_n(pointer, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE);
}

RK_FN rk_u32 rk_min_u32_(rk_u32 *pointer, rk_u32 value)
{
    rk_u32 seen = __atomic_load_n(pointer, __ATOMIC_RELAXED);
    while (value < seen &&
           !__atomic_compare_exchange_n(pointer, &seen, value, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    return seen;
}
#define rk_min_u32(pointer, value, order, scope) rk_min_u32_(pointer, value)

/* 128-bit accesses. An aligned 16-byte SSE access is one access on every x86-64 processor with AVX (Intel SDM
 * 3A 9.1.1, AMD APM 2 7.3.2), on AArch64 with LSE2; it is written in assembly because C has no name for it.
 * The thread sanitizer can't see assembly, so it is told what a unit orders. */
typedef struct rk_unit {
    rk_u32 word[4];
} __attribute__((aligned(16))) rk_unit;

#if defined(__SANITIZE_THREAD__)
#define RK_PORT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RK_PORT_TSAN 1
#endif
#endif
#if defined(RK_PORT_TSAN)
#ifdef __cplusplus
extern "C" {
#endif
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#ifdef __cplusplus
}
#endif
#define RK_PORT_SAW(address) __tsan_acquire((void *)(address))
#define RK_PORT_SHOWS(address) __tsan_release((void *)(address))
#else
#define RK_PORT_SAW(address) ((void)(address))
#define RK_PORT_SHOWS(address) ((void)(address))
#endif

#if defined(__x86_64__)
#define RK_HAS_UNIT 1
RK_FN rk_unit rk_load_unit(const rk_unit *unit)
{
    rk_unit value;
    __m128i bits;
    __asm__ volatile("movdqa %1, %0" : "=x"(bits) : "m"(*unit) : "memory");
    _mm_store_si128((__m128i *)(void *)&value, bits);
    RK_PORT_SAW(unit);
    return value;
}
RK_FN void rk_store_unit(rk_unit *unit, rk_unit value)
{
    RK_PORT_SHOWS(unit);
    __m128i bits = _mm_load_si128((const __m128i *)(const void *)&value);
    __asm__ volatile("movdqa %1, %0" : "=m"(*unit) : "x"(bits) : "memory");
}
RK_FN void rk_port_pause(void) { _mm_pause(); }
RK_FN rk_u64 rk_port_cycles(void) { return __builtin_ia32_rdtsc(); }
#elif defined(__aarch64__) && defined(__ARM_FEATURE_ATOMICS)
#define RK_HAS_UNIT 1
RK_FN rk_unit rk_load_unit(const rk_unit *unit)
{
    rk_unit value;
    __asm__ volatile("ldr q0, %1\n\tstr q0, %0\n\tdmb ishld" : "=m"(value) : "m"(*unit) : "v0", "memory");
    RK_PORT_SAW(unit);
    return value;
}
RK_FN void rk_store_unit(rk_unit *unit, rk_unit value)
{
    RK_PORT_SHOWS(unit);
    __asm__ volatile("dmb ish\n\tldr q0, %1\n\tstr q0, %0" : "=m"(*unit) : "m"(value) : "v0", "memory");
}
RK_FN void rk_port_pause(void) { __asm__ volatile("yield"); }
RK_FN rk_u64 rk_port_cycles(void)
{
    rk_u64 value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
}
#else
#error \
    "ringkernel's CPU port knows x86-64 and AArch64 with LSE2: add 128-bit accesses, pause and a cycle counter for this one"
#endif

/* One more round of a spin: pauses at first, then gives the core away, since the one that is waited for may
 * need it. */
RK_FN void rk_port_spin(rk_u32 round)
{
    if (round < 64u)
        rk_port_pause();
    else
        sched_yield();
}

/* Copy bytes from arena to arena. */
#define rk_copy_global(to, from, bytes) memcpy(to, from, bytes)

#endif
