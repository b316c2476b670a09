/* The port to the CPU: gcc and clang, C11 and C++17. All scopes are the machine; orders are the compiler's
 * own. */
#ifndef RINGKERNEL_DEVICE_PORT_CPU_H
#define RINGKERNEL_DEVICE_PORT_CPU_H

#include <sched.h>
#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
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
#define rk_and_u32(pointer, value, order, scope) __atomic_fetch_and(pointer, value, order)
#define rk_or_u64(pointer, value, order, scope) __atomic_fetch_or(pointer, value, order)
#define rk_cas_u32(pointer, expected, value, order, scope) rk_port_cas_u32(pointer, expected, value, order)
#define rk_cas_u64(pointer, expected, value, order, scope) rk_port_cas_u64(pointer, expected, value, order)
#define rk_count_local(pointer, n) ((void)(*(pointer) += (n))) /* a group is one thread */
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

RK_FN rk_unit rk_get_unit(const void *from)
{
    rk_unit value;
    memcpy(&value, from, sizeof value);
    return value;
}
RK_FN void rk_put_unit(void *to, rk_unit value) { memcpy(to, &value, sizeof value); }

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
/* Units are in order among themselves; what else is read or written stays on its side of this. */
RK_FN void rk_port_units_apart(void) { __asm__ volatile("" : : : "memory"); }
RK_FN __m128i rk_port_get_unit(const rk_unit *unit)
{
    __m128i bits;
    __asm__ volatile("movdqa %1, %0" : "=x"(bits) : "m"(*unit));
    RK_PORT_SAW(unit);
    return bits;
}
RK_FN void rk_port_set_unit(rk_unit *unit, __m128i bits)
{
    RK_PORT_SHOWS(unit);
    __asm__ volatile("movdqa %1, %0" : "=m"(*unit) : "x"(bits));
}
RK_FN rk_unit rk_load_unit(const rk_unit *unit)
{
    rk_unit value;
    __m128i bits = rk_port_get_unit(unit);
    rk_port_units_apart();
    _mm_store_si128((__m128i *)(void *)&value, bits);
    return value;
}
RK_FN void rk_store_unit(rk_unit *unit, rk_unit value)
{
    __m128i bits = _mm_load_si128((const __m128i *)(const void *)&value);
    rk_port_units_apart();
    rk_port_set_unit(unit, bits);
    rk_port_units_apart();
}

/* A whole message to units and back, by what every x86-64 has (SSE2): one load, one blend and one store a
 * unit. What a unit carries lies behind the word that its lap takes the place of, so it is loaded from there.
 * The payload may lie anywhere, and no byte beside it is read. */
#define RK_PORT_UNITS 1

/* Up to four bytes. */
RK_FN rk_u32 rk_port_few(const rk_u8 *at, rk_u32 n)
{
    rk_u32 word = 0;
    rk_u16 pair = 0;
    if (n == 4u) {
        memcpy(&word, at, 4);
        return word;
    }
    if (n < 2u) return n ? at[0] : 0u;
    memcpy(&pair, at, 2);
    return n == 2u ? pair : pair | (rk_u32)at[2] << 16;
}

/* Up to twelve bytes, behind the place of a lap. */
RK_FN __m128i rk_port_part(const rk_u8 *at, rk_u32 n)
{
    rk_u64 low = 0;
    rk_u32 high = 0;
    if (n >= 8u) {
        memcpy(&low, at, 8);
        high = rk_port_few(at + 8, n - 8u);
    } else if (n >= 4u) {
        low = rk_port_few(at, 4) | (rk_u64)rk_port_few(at + 4, n - 4u) << 32;
    } else {
        low = rk_port_few(at, n);
    }
    return _mm_slli_si128(_mm_unpacklo_epi64(_mm_cvtsi64_si128((long long)low), _mm_cvtsi32_si128((int)high)),
                          4);
}

RK_FN void rk_port_set_part(rk_unit *unit, __m128i part, __m128i lap)
{
    rk_port_set_unit(unit, _mm_castps_si128(_mm_move_ss(_mm_castsi128_ps(part), _mm_castsi128_ps(lap))));
}

RK_FN void rk_port_set_at(rk_unit *unit, const rk_u8 *at, __m128i lap)
{
    rk_port_set_part(unit, _mm_loadu_si128((const __m128i *)(const void *)at), lap);
}

/* How messages of one length lie in units. */
typedef struct rk_port_cut {
    rk_u32 is_long;
    rk_u32 shared; /* payload bytes in one unit with the end of a long header */
    rk_u32 whole;  /* further units that are full */
    rk_u32 rest;   /* bytes in one more */
} rk_port_cut;

RK_FN rk_port_cut rk_port_cut_of(rk_u32 is_long, rk_u32 length)
{
    rk_port_cut cut;
    cut.is_long = is_long;
    cut.shared = !is_long ? 0u : length < 4u ? length : 4u;
    cut.whole = (length - cut.shared) / 12u;
    cut.rest = (length - cut.shared) % 12u;
    return cut;
}

/* From the last unit to the first: who sees the first sees all of them, and who waits for it reads no line
 * that is still being written. */
RK_FN void rk_port_write_units(rk_unit *units, rk_u32 lap_word, const void *header, const void *payload,
                               rk_port_cut cut)
{
    const rk_u8 *head = (const rk_u8 *)header;
    const rk_u8 *body = (const rk_u8 *)payload + cut.shared;
    const __m128i lap = _mm_cvtsi32_si128((int)lap_word);
    rk_unit *own = units + (cut.is_long ? 4 : 1);
    if (cut.rest) rk_port_set_part(&own[cut.whole], rk_port_part(body + cut.whole * 12u, cut.rest), lap);
    if (cut.whole) {
        for (rk_u32 u = cut.whole - 1u; u > 0; u--) rk_port_set_at(&own[u], body + u * 12u - 4u, lap);
        rk_port_set_part(own, rk_port_part(body, 12), lap);
    }
    if (cut.is_long) {
        __m128i end = _mm_srli_si128(_mm_loadu_si128((const __m128i *)(const void *)(head + 32)), 4);
        __m128i begin = _mm_cvtsi32_si128((int)rk_port_few((const rk_u8 *)payload, cut.shared));
        rk_port_set_part(&units[3], _mm_or_si128(end, _mm_slli_si128(begin, 12)), lap);
        rk_port_set_at(&units[2], head + 24, lap);
        rk_port_set_at(&units[1], head + 12, lap);
    }
    /* A header was written by double words just before: one load of both would wait for them. */
    __m128d first = _mm_castsi128_pd(_mm_loadl_epi64((const __m128i *)(const void *)head));
    first = _mm_loadh_pd(first, (const double *)(const void *)(head + 8));
    rk_port_set_part(units, _mm_castpd_si128(first), lap);
}

/* Up to four units into the three pieces of sixteen bytes that they carry. 0: one is of another lap. */
RK_FN rk_u32 rk_port_read_four(const rk_unit *units, rk_u32 n, __m128i laps, __m128i *to)
{
    __m128 a = _mm_castsi128_ps(rk_port_get_unit(units));
    __m128 b = n > 1u ? _mm_castsi128_ps(rk_port_get_unit(units + 1)) : a;
    __m128 c = n > 2u ? _mm_castsi128_ps(rk_port_get_unit(units + 2)) : a;
    __m128 d = n > 3u ? _mm_castsi128_ps(rk_port_get_unit(units + 3)) : a;
    __m128 found = _mm_movelh_ps(_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
    if (_mm_movemask_epi8(_mm_cmpeq_epi32(_mm_castps_si128(found), laps)) != 0xffff) return 0;
    __m128 seam = _mm_shuffle_ps(a, b, _MM_SHUFFLE(1, 1, 3, 3));
    _mm_storeu_si128(to, _mm_castps_si128(_mm_shuffle_ps(a, seam, _MM_SHUFFLE(2, 0, 2, 1))));
    if (n > 1u) _mm_storeu_si128(to + 1, _mm_castps_si128(_mm_shuffle_ps(b, c, _MM_SHUFFLE(2, 1, 3, 2))));
    if (n > 2u)
        _mm_storeu_si128(to + 2,
                         _mm_castps_si128(_mm_move_ss(d, _mm_shuffle_ps(c, c, _MM_SHUFFLE(3, 3, 3, 3)))));
    return 1;
}

/* Units to a message that begins with its lap. It is put down in aligned pieces of sixteen bytes, as it will
 * be copied on, and in no more of them than the slot has. */
RK_FN rk_u32 rk_port_read_units(const rk_unit *units, rk_u32 lap, rk_u32 header_size, rk_u32 slot_size,
                                void *into)
{
    __m128i *image = (__m128i *)into;
    __m128i laps = _mm_set1_epi32((int)lap);
    __m128i first = rk_port_get_unit(units);
    if ((rk_u32)_mm_cvtsi128_si32(first) != lap) return 0;
    rk_u32 length = (rk_u32)((rk_u64)_mm_cvtsi128_si64(first) >> 48);
    rk_u32 count = (header_size + length - 4u + 11u) / 12u;
    if (count * 16u > slot_size) return 0;
    _mm_storeu_si128(image, first);
    for (rk_u32 u = 1; u < count; u += 4u)
        if (!rk_port_read_four(units + u, count - u, laps, image + 1u + (u - 1u) / 4u * 3u)) return 0;
    rk_port_units_apart();
    return 1;
}

/* Streams: messages of one kind, with a short header, in slots of four units that lie one after the other and have
 * the same lap. What is the same for all is looked at once, and of lengths in whole words the compiler makes a loop
 * for each. */
#define RK_PORT_SLOT 64u
#define RK_PORT_SLOT_PAYLOAD 36u
#define RK_PORT_EACH_LENGTH(length, do_) \
    switch (length) {                    \
    case 4: do_(4); break;               \
    case 8: do_(8); break;               \
    case 12: do_(12); break;             \
    case 16: do_(16); break;             \
    case 20: do_(20); break;             \
    case 24: do_(24); break;             \
    case 28: do_(28); break;             \
    case 32: do_(32); break;             \
    case 36: do_(36); break;             \
    default: do_(length); break;         \
    }
#define RK_PORT_INLINE static inline __attribute__((always_inline, unused))

/* From the last slot to the first. `bodies` is not the first of the sender's: the four bytes before it are read. */
RK_PORT_INLINE void rk_port_write_stream(rk_unit *slots, rk_u32 n, __m128i lap, __m128i first,
                                         const rk_u8 *bodies, rk_u32 size)
{
    const rk_u32 whole = size / 12u, rest = size % 12u;
    first = _mm_castps_si128(_mm_move_ss(_mm_castsi128_ps(first), _mm_castsi128_ps(lap)));
    slots += (size_t)n * 4u;
    bodies += (size_t)n * size;
    while (n-- > 0) {
        slots -= 4;
        bodies -= size;
        if (rest) rk_port_set_part(&slots[whole + 1u], rk_port_part(bodies + whole * 12u, rest), lap);
        if (whole > 2u) rk_port_set_at(&slots[3], bodies + 20, lap);
        if (whole > 1u) rk_port_set_at(&slots[2], bodies + 8, lap);
        if (whole > 0u) rk_port_set_at(&slots[1], bodies - 4, lap);
        rk_port_set_unit(slots, first);
    }
}

/* `n` bodies of `size` bytes, up to RK_PORT_SLOT_PAYLOAD. Of the header only type, length, and who is sent to count. */
RK_FN void rk_port_write_slots(rk_unit *slots, rk_u32 n, rk_u32 lap_word, const void *header,
                               const void *bodies, rk_u32 size)
{
    if (n == 0) return;
    const __m128i lap = _mm_cvtsi32_si128((int)lap_word);
    const __m128i first = _mm_loadu_si128((const __m128i *)header);
    const rk_u8 *second = (const rk_u8 *)bodies + size;
#define RK_PORT_WRITE_(length) rk_port_write_stream(slots + 4, n - 1u, lap, first, second, length)
    RK_PORT_EACH_LENGTH(size, RK_PORT_WRITE_)
#undef RK_PORT_WRITE_
    rk_port_write_units(slots, lap_word, header, bodies, rk_port_cut_of(0, size));
}

/* The first `n` of the twelve bytes that a unit carries. */
RK_PORT_INLINE void rk_port_put_part(rk_u8 *to, __m128i unit, rk_u32 n)
{
    const __m128i part = _mm_srli_si128(unit, 4);
    rk_u64 bytes = (rk_u64)_mm_cvtsi128_si64(part);
    if (n & 8u) {
        memcpy(to, &bytes, 8);
        bytes = (rk_u64)_mm_cvtsi128_si64(_mm_srli_si128(part, 8));
        to += 8;
    }
    if (n & 4u) {
        memcpy(to, &bytes, 4);
        bytes >>= 32;
        to += 4;
    }
    for (n &= 3u; n > 0; n--, bytes >>= 8) *to++ = (rk_u8)bytes;
}

/* All twelve, where `behind` more bytes of the same body are stored after them: as wide as those allow. */
RK_PORT_INLINE void rk_port_put_whole(rk_u8 *to, __m128i unit, rk_u32 behind)
{
    if (behind >= 4u)
        _mm_storeu_si128((__m128i *)(void *)to, _mm_srli_si128(unit, 4));
    else
        rk_port_put_part(to, unit, 12);
}

/* Slots whose first unit is `first` in the bits of `same`. Returns how many from the first on are whole and alike. */
RK_PORT_INLINE rk_u32 rk_port_read_stream(const rk_unit *slots, rk_u32 n, __m128i laps, __m128i first,
                                          __m128i same, rk_u8 *to, size_t stride, rk_u32 length)
{
    const rk_u32 units = (length + 11u) / 12u, rest = units ? length - (units - 1u) * 12u : 0u;
    for (rk_u32 done = 0; done < n; done++, slots += 4, to += stride) {
        const __m128i head = rk_port_get_unit(slots);
        if (_mm_movemask_epi8(_mm_cmpeq_epi32(_mm_and_si128(head, same), first)) != 0xffff) return done;
        if (units == 0u) continue;
        const __m128i a = rk_port_get_unit(slots + 1);
        const __m128i b = units > 1u ? rk_port_get_unit(slots + 2) : a;
        const __m128i c = units > 2u ? rk_port_get_unit(slots + 3) : b;
        const __m128i found = _mm_unpacklo_epi64(_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, c));
        if (_mm_movemask_epi8(_mm_cmpeq_epi32(found, laps)) != 0xffff) return done;
        if (units > 1u) rk_port_put_whole(to, a, length - 12u);
        if (units > 2u) rk_port_put_whole(to + 12, b, rest);
        rk_port_put_part(to + (units - 1u) * 12u, c, rest);
    }
    return n;
}

/* Copy the bodies of up to `n` messages, as long as they are of the first one's type and length. Returns how many; 0:
 * the first isn't there, or is none that lies in its slot and fits into `stride`. */
RK_FN rk_u32 rk_port_read_slots(const rk_unit *slots, rk_u32 n, rk_u32 lap, rk_u32 reference, void *bodies,
                                size_t stride)
{
    const __m128i laps = _mm_set1_epi32((int)lap);
    const __m128i same = _mm_set_epi32((int)(reference << 24), 0, -1, -1);
    const __m128i first = _mm_and_si128(rk_port_get_unit(slots), same);
    const rk_u32 length = (rk_u32)((rk_u64)_mm_cvtsi128_si64(first) >> 48);
    rk_u8 *to = (rk_u8 *)bodies;
    if ((rk_u32)_mm_cvtsi128_si32(first) != lap || _mm_cvtsi128_si64(_mm_srli_si128(first, 8)) ||
        length > stride || length > RK_PORT_SLOT_PAYLOAD)
        return 0;
#define RK_PORT_READ_(length_) n = rk_port_read_stream(slots, n, laps, first, same, to, stride, length_)
    RK_PORT_EACH_LENGTH(length, RK_PORT_READ_)
#undef RK_PORT_READ_
    rk_port_units_apart();
    return n;
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
