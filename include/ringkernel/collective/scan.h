/* Prefix sums of a group's shared memory, in regions, for any length and any number of threads.
 *
 *     #include <ringkernel/collective/scan.h>
 *
 *     RK_SHARED(rk_u32, v, 1024);
 *     RK_PARALLEL(i, n) v[i] = msg->count[i];
 *     rk_u32 total = rk_scan_u32_exclusive(RK_ARG, v, n); // v[i]: the sum of all before i
 *
 * Each chunk of v is summed up by one thread, the ends of the chunks by a tree, and the chunks are raised by the
 * end before them (G. Blelloch, Prefix Sums and Their Applications, CMU-CS-90-190, 1990: scans of more values than
 * processors). The chunks hang on the length alone, so floats have the same bits with any number of threads.
 *
 * RK_DEFINE_SCAN(name, type, combine, identity) makes name_inclusive and name_exclusive of any associative
 * operation `combine(a, b)`, a macro or a function. Both return the total of v to every thread; of no values that
 * is the identity. All threads of the group call them, with the same arguments. */
#ifndef RINGKERNEL_COLLECTIVE_SCAN_H
#define RINGKERNEL_COLLECTIVE_SCAN_H

#include "../device/group.h"

/* Values of a chunk: at most 256 chunks, and an odd length, so that threads side by side use different banks. */
RK_FN rk_u32 rk_scan_chunk(rk_u32 n) { return n <= 9u * 256u ? 9u : (n + 255u) / 256u | 1u; }

#define RK_DEFINE_SCAN(name, type, combine, identity)                                         \
    RK_FN type name##_inclusive(RK_CTX, RK_LOCAL type *v, rk_u32 n)                           \
    {                                                                                         \
        const rk_u32 chunk = rk_scan_chunk(n), chunks = (n + chunk - 1u) / chunk;             \
        rk_u32 span = 1;                                                                      \
        (void)rk_ctx;                                                                         \
        if (n == 0) return identity;                                                          \
        RK_PARALLEL(c, chunks) {                                                              \
            const rk_u32 end = (c + 1u) * chunk < n ? (c + 1u) * chunk : n;                   \
            for (rk_u32 i = c * chunk + 1u; i < end; i++) v[i] = combine(v[i - 1u], v[i]);    \
        }                                                                                     \
        /* Up the tree and down again, over the last values of the chunks. */                 \
        for (; span < chunks; span *= 2u)                                                     \
            RK_PARALLEL(j, chunks / (2u * span)) {                                            \
                const rk_u32 left = (2u * j + 1u) * span, right = left + span;                \
                const rk_u32 at = right * chunk < n ? right * chunk - 1u : n - 1u;            \
                v[at] = combine(v[left * chunk - 1u], v[at]);                                 \
            }                                                                                 \
        for (; span > 0; span /= 2u)                                                          \
            RK_PARALLEL(j, chunks / span > 1u ? (chunks / span - 1u) / 2u : 0u) {             \
                const rk_u32 left = (2u * j + 2u) * span, right = left + span;                \
                const rk_u32 at = right * chunk < n ? right * chunk - 1u : n - 1u;            \
                v[at] = combine(v[left * chunk - 1u], v[at]);                                 \
            }                                                                                 \
        RK_PARALLEL(c, chunks - 1u) {                                                         \
            const rk_u32 begin = (c + 1u) * chunk;                                            \
            const rk_u32 end = begin + chunk < n ? begin + chunk - 1u : n - 1u;               \
            const type before = v[begin - 1u];                                                \
            for (rk_u32 i = begin; i < end; i++) v[i] = combine(before, v[i]);                \
        }                                                                                     \
        const type total = v[n - 1u];                                                         \
        RK_GROUP_BARRIER(); /* all have read it before anyone writes v again */               \
        return total;                                                                         \
    }                                                                                         \
    /* Inclusive, then moved up by one: a group's width of values at a time, from the end. */ \
    RK_FN type name##_exclusive(RK_CTX, RK_LOCAL type *v, rk_u32 n)                           \
    {                                                                                         \
        const type total = name##_inclusive(rk_ctx, v, n);                                    \
        RK_SCAN_MOVE_UP(type, v, n, identity)                                                 \
        return total;                                                                         \
    }

#if defined(RK_LANG_HOST)
#define RK_SCAN_MOVE_UP(type, v, n, identity)           \
    for (rk_u32 i = n; i-- > 1u;) (v)[i] = (v)[i - 1u]; \
    if ((n) > 0) (v)[0] = identity;
#else
#define RK_SCAN_MOVE_UP(type, v, n, identity)                                                 \
    for (rk_u32 top = n; top > 0; top = top > rk_ctx->threads ? top - rk_ctx->threads : 0u) { \
        const rk_u32 i = top - 1u - rk_ctx->thread;                                           \
        type before = identity;                                                               \
        if (rk_ctx->thread + 1u < top) before = (v)[i - 1u];                                  \
        RK_GROUP_BARRIER();                                                                   \
        if (rk_ctx->thread < top) (v)[i] = before;                                            \
        RK_GROUP_BARRIER();                                                                   \
    }
#endif

#define RK_SCAN_SUM(a, b) ((a) + (b))
RK_DEFINE_SCAN(rk_scan_u32, rk_u32, RK_SCAN_SUM, 0)
RK_DEFINE_SCAN(rk_scan_i32, rk_i32, RK_SCAN_SUM, 0)
RK_DEFINE_SCAN(rk_scan_u64, rk_u64, RK_SCAN_SUM, 0)
RK_DEFINE_SCAN(rk_scan_i64, rk_i64, RK_SCAN_SUM, 0)
RK_DEFINE_SCAN(rk_scan_f32, rk_f32, RK_SCAN_SUM, 0)

#endif
