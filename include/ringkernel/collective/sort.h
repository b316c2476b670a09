/* Sorting a group's shared memory in place, in regions, for any length and any number of threads.
 *
 *     #include <ringkernel/collective/sort.h>
 *
 *     rk_sort_u32(RK_ARG, v, n); // ascending
 *
 * Odd-even merge (K. Batcher, Sorting networks and their applications, 1968), as Knuth's merge exchange (The Art of
 * Computer Programming, volume 3, 5.2.2, algorithm M). A bitonic sort needs a sixth more comparisons at 1,024
 * values, and a power of two of them; this takes any number. What is compared hangs on the length alone, so equal
 * values end in the same order on every device; that is not their order before. To sort numbers with a payload,
 * sort rk_u64 with the number above and its place below: then the sort is stable, too.
 *
 * RK_DEFINE_SORT(name, type, precedes) makes name(RK_ARG, v, n) of any strict order `precedes(a, b)`. All threads of
 * the group call it, with the same arguments. */
#ifndef RINGKERNEL_COLLECTIVE_SORT_H
#define RINGKERNEL_COLLECTIVE_SORT_H

#include "../device/group.h"

/* Pairs (i, i + distance) for each i below n - distance whose bit `block`, a power of two, is as in `phase`. */
#define RK_DEFINE_SORT(name, type, precedes)                                                   \
    RK_FN void name##_exchange(RK_CTX, RK_LOCAL type *v, rk_u32 n, rk_u32 block, rk_u32 phase, \
                               rk_u32 distance)                                                \
    {                                                                                          \
        (void)rk_ctx;                                                                          \
        RK_PARALLEL(j, (n + 1u) / 2u + block) {                                                \
            const rk_u32 at = ((j & ~(block - 1u)) << 1 | (j & (block - 1u))) + phase;         \
            if (at + distance < n && precedes(v[at + distance], v[at])) {                      \
                const type less = v[at + distance];                                            \
                v[at + distance] = v[at];                                                      \
                v[at] = less;                                                                  \
            }                                                                                  \
        }                                                                                      \
    }                                                                                          \
    RK_FN void name(RK_CTX, RK_LOCAL type *v, rk_u32 n)                                        \
    {                                                                                          \
        rk_u32 reach = 1;                                                                      \
        while (reach < n && n - reach > reach)                                                 \
            reach *= 2u; /* the least power of two that is n / 2 or more */                    \
        for (rk_u32 block = n > 1u ? reach : 0u; block > 0; block /= 2u) {                     \
            name##_exchange(rk_ctx, v, n, block, 0, block);                                    \
            for (rk_u32 q = reach; q > block; q /= 2u)                                         \
                name##_exchange(rk_ctx, v, n, block, block, q - block);                        \
        }                                                                                      \
    }

#define RK_SORT_LESS(a, b) ((a) < (b))
RK_DEFINE_SORT(rk_sort_u32, rk_u32, RK_SORT_LESS)
RK_DEFINE_SORT(rk_sort_i32, rk_i32, RK_SORT_LESS)
RK_DEFINE_SORT(rk_sort_u64, rk_u64, RK_SORT_LESS)
RK_DEFINE_SORT(rk_sort_i64, rk_i64, RK_SORT_LESS)

#endif
