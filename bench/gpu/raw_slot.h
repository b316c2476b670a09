/* A slot of the bare programs, as the host writes and reads it: units of 16 bytes, each the lap of the index that
 * it was written for and 12 bytes that follow from its number. bench/bus_lane.c has them too, without a GPU. */
#ifndef RK_BENCH_GPU_RAW_SLOT_H
#define RK_BENCH_GPU_RAW_SLOT_H

#include <immintrin.h>
#include <stdint.h>

#if defined(__CUDACC__)
#define RAW_FN __host__ __device__ inline
#else
#define RAW_FN static inline
#endif

#define RAW_CAPACITY 4096u /* slots of a ring */
#define RAW_SLOT 64u       /* bytes, but for the round trip of 128 */
#define RAW_BATCH 256u     /* that the host writes, or reads, between two looks at anything else */

RAW_FN uint32_t lap_of(uint64_t i) { return (uint32_t)i & ~(RAW_CAPACITY - 1u); }
/* The twelve bytes of unit u of message number n. */
RAW_FN uint32_t word_y(uint32_t n, uint32_t u) { return n * 4u + u; }
RAW_FN uint32_t word_z(uint32_t n, uint32_t u) { return ~(n * 4u + u); }
RAW_FN uint32_t word_w(uint32_t n, uint32_t u) { return (n * 4u + u) ^ 0x9e3779b9u; }

static inline void put(char *slot, uint64_t i, uint32_t units)
{
    for (uint32_t u = 0; u < units; u++)
        _mm_store_si128((__m128i *)(void *)(slot + u * 16u),
                        _mm_set_epi32((int)word_w((uint32_t)i, u), (int)word_z((uint32_t)i, u),
                                      (int)word_y((uint32_t)i, u), (int)lap_of(i)));
}

/* 0: not whole yet; else 1, with what was wrong added up. */
static inline int get(const char *slot, uint64_t i, uint32_t units, uint64_t *wrong)
{
    __m128i v[8];
    for (uint32_t u = 0; u < units; u++) {
        v[u] = _mm_load_si128((const __m128i *)(const void *)(slot + u * 16u));
        __asm__ volatile("" ::: "memory");
        if ((uint32_t)_mm_cvtsi128_si32(v[u]) != lap_of(i)) return 0;
    }
    for (uint32_t u = 0; u < units; u++) {
        __m128i right = _mm_set_epi32((int)word_w((uint32_t)i, u), (int)word_z((uint32_t)i, u),
                                      (int)word_y((uint32_t)i, u), (int)lap_of(i));
        *wrong += _mm_movemask_epi8(_mm_cmpeq_epi32(v[u], right)) != 0xffff;
    }
    return 1;
}

#endif
