/* Arrays in global memory, sixteen bytes at a time: copying, adding, scaling and summing up, in regions, for
 * any length, any alignment and any number of threads.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/collective/vector.h>
 *
 *     rk_vector_copy(RK_ARG, self->last, msg->value, n * sizeof(rk_f32));   // bytes, to and from any address
 *     rk_vector_add_f32(RK_ARG, self->total, msg->value, n);                // total[i] += value[i]
 *     rk_vector_scale_f32(RK_ARG, self->total, n, 0.5f);                    // total[i] *= 0.5
 *     RK_SHARED(rk_f32, lane, RK_VECTOR_LANES);                             // 4 KiB of .shared
 *     rk_f32 sum = rk_vector_sum_f32(RK_ARG, lane, self->total, n);         // to every thread
 *
 * For u32, i32 and f32; integers wrap. Arrays lie in a state or a payload. Two arrays are one and the same or
 * apart; `lane` is undefined afterwards. All threads of the group call them, with the same arguments, and
 * what they wrote is there for all when the call is over. A handler of one thread may call them as well.
 *
 * A unit of four values is read and written at once from the first one on that lies at a multiple of 16
 * bytes; what is before that and what remains behind the last whole unit goes value by value. Two arrays
 * that don't lie the same way to 16 bytes go value by value altogether (copies by 4 bytes where they can),
 * so keep arrays at the same place in units. A sum has a lane for each place modulo 1,024, and then those
 * are added by halves: so a sum of floats has the same bits on every device, wherever the array lies. */
#ifndef RINGKERNEL_COLLECTIVE_VECTOR_H
#define RINGKERNEL_COLLECTIVE_VECTOR_H

#include "../device/group.h"

#define RK_VECTOR_LANES 1024u /* four for each thread of a block of 256 */

/* Four values in a thread: from and to a multiple of 16 bytes, added to four others, scaled, and added to
 * four lanes, which may lie anywhere. Compilers for the CPU have vectors, and make scalars of unions. (Tests
 * define RK_VECTOR_AS_DEVICE to run there what devices run.) */
#if defined(RK_LANG_HOST) && !defined(RK_VECTOR_AS_DEVICE)
#define RK_VECTOR_TYPE_(type, suffix) typedef type rk_vector_##suffix __attribute__((vector_size(16)));
#define RK_VECTOR_GET_(four, from) memcpy(&(four), from, 16)
#define RK_VECTOR_PUT_(to, four) memcpy(to, &(four), 16)
#define RK_VECTOR_ADD_(four, more) ((four) += (more))
#define RK_VECTOR_SCALE_(four, factor) ((four) *= (factor))
#define RK_VECTOR_ADD_TO_(lane, four, suffix) \
    do {                                      \
        rk_vector_##suffix before;            \
        memcpy(&before, lane, 16);            \
        before += (four);                     \
        memcpy(lane, &before, 16);            \
    } while (0)
#else
#define RK_VECTOR_TYPE_(type, suffix)  \
    typedef union rk_vector_##suffix { \
        rk_unit unit;                  \
        type at[4];                    \
    } rk_vector_##suffix;
#define RK_VECTOR_GET_(four, from) ((four).unit = rk_get_unit(from))
#define RK_VECTOR_PUT_(to, four) rk_put_unit(to, (four).unit)
#define RK_VECTOR_ADD_(four, more) \
    for (rk_u32 k = 0; k < 4u; k++) (four).at[k] += (more).at[k]
#define RK_VECTOR_SCALE_(four, factor) \
    for (rk_u32 k = 0; k < 4u; k++) (four).at[k] *= (factor)
#define RK_VECTOR_ADD_TO_(lane, four, suffix) \
    for (rk_u32 k = 0; k < 4u; k++) (lane)[k] += (four).at[k]
#endif
#define RK_VECTOR_AT_(pointer) ((rk_u64)(pointer))

/* Values of `size` bytes, at most n, before the first that lies at a multiple of 16 bytes. */
RK_FN rk_u32 rk_vector_lead(rk_u64 at, rk_u32 size, rk_u32 n)
{
    rk_u32 lead = (rk_u32)(0u - at) % 16u / size;
    return lead < n ? lead : n;
}

/* The i-th of what is no part of a whole unit: first what is before those, then what is behind. */
RK_FN rk_u32 rk_vector_odd(rk_u32 i, rk_u32 lead, rk_u32 units) { return i < lead ? i : i + units; }

/* Whole units of the 1,024 values from `base` + `lead` on, without one that would go round the lanes.
 * Behind them are at most four values more. */
RK_FN rk_u32 rk_vector_whole(rk_u32 base, rk_u32 lead, rk_u32 n)
{
    const rk_u32 most = (RK_VECTOR_LANES - lead) / 4u, left = n - base > lead ? (n - base - lead) / 4u : 0u;
    return left < most ? left : most;
}

/* The steps of a sum: `unit` for each unit u of each 1,024 values from `base` on, and `odd` for what is
 * behind the last of them. A device's thread goes through all that is its own, the CPU through memory in
 * its order; either way a lane gets its values in their order. */
#if defined(RK_LANG_HOST) && !defined(RK_VECTOR_AS_DEVICE)
#define RK_VECTOR_STEPS_(base, u, lead, n, unit, odd)            \
    for (rk_u32 base = 0; base < (n); base += RK_VECTOR_LANES) { \
        const rk_u32 whole = rk_vector_whole(base, lead, n);     \
        for (rk_u32 u = 0; u < whole; u++) unit;                 \
        odd;                                                     \
    }
#else
#define RK_VECTOR_STEPS_(base, u, lead, n, unit, odd)                \
    RK_PARALLEL(u, RK_VECTOR_LANES / 4u)                             \
        for (rk_u32 base = 0; base < (n); base += RK_VECTOR_LANES) { \
            const rk_u32 whole = rk_vector_whole(base, lead, n);     \
            if (u < whole)                                           \
                unit;                                                \
            else if (u == whole)                                     \
                odd;                                                 \
        }
#endif

#define RK_DEFINE_VECTOR(type, suffix)                                                                  \
    RK_VECTOR_TYPE_(type, suffix)                                                                       \
    RK_FN void rk_vector_add_##suffix(RK_CTX, RK_GLOBAL type *to, RK_GLOBAL const type *from, rk_u32 n) \
    {                                                                                                   \
        const rk_u32 lead = rk_vector_lead(RK_VECTOR_AT_(to), 4, n);                                    \
        const rk_u32 units = (RK_VECTOR_AT_(to) ^ RK_VECTOR_AT_(from)) % 16u ? 0 : (n - lead) / 4u;     \
        (void)rk_ctx;                                                                                   \
        RK_PARALLEL(u, units) {                                                                         \
            rk_vector_##suffix a, b;                                                                    \
            RK_VECTOR_GET_(a, to + lead + 4u * u);                                                      \
            RK_VECTOR_GET_(b, from + lead + 4u * u);                                                    \
            RK_VECTOR_ADD_(a, b);                                                                       \
            RK_VECTOR_PUT_(to + lead + 4u * u, a);                                                      \
        }                                                                                               \
        RK_PARALLEL(i, n - 4u * units) {                                                                \
            const rk_u32 at = rk_vector_odd(i, lead, 4u * units);                                       \
            to[at] += from[at];                                                                         \
        }                                                                                               \
    }                                                                                                   \
    RK_FN void rk_vector_scale_##suffix(RK_CTX, RK_GLOBAL type *v, rk_u32 n, type factor)               \
    {                                                                                                   \
        const rk_u32 lead = rk_vector_lead(RK_VECTOR_AT_(v), 4, n), units = (n - lead) / 4u;            \
        (void)rk_ctx;                                                                                   \
        RK_PARALLEL(u, units) {                                                                         \
            rk_vector_##suffix a;                                                                       \
            RK_VECTOR_GET_(a, v + lead + 4u * u);                                                       \
            RK_VECTOR_SCALE_(a, factor);                                                                \
            RK_VECTOR_PUT_(v + lead + 4u * u, a);                                                       \
        }                                                                                               \
        RK_PARALLEL(i, n - 4u * units) v[rk_vector_odd(i, lead, 4u * units)] *= factor;                 \
    }                                                                                                   \
    RK_FN void rk_vector_sum_unit_##suffix(RK_LOCAL type *lane, RK_GLOBAL const type *v)                \
    {                                                                                                   \
        rk_vector_##suffix a;                                                                           \
        RK_VECTOR_GET_(a, v);                                                                           \
        RK_VECTOR_ADD_TO_(lane, a, suffix);                                                             \
    }                                                                                                   \
    RK_FN void rk_vector_sum_odd_##suffix(RK_LOCAL type *lane, RK_GLOBAL const type *v, rk_u32 i,       \
                                          rk_u32 end)                                                   \
    {                                                                                                   \
        for (; i < end; i++) lane[i % RK_VECTOR_LANES] += v[i];                                         \
    }                                                                                                   \
    RK_FN type rk_vector_sum_##suffix(RK_CTX, RK_LOCAL type *RK_RESTRICT lane, RK_GLOBAL const type *v, \
                                      rk_u32 n)                                                         \
    {                                                                                                   \
        const rk_u32 lead = rk_vector_lead(RK_VECTOR_AT_(v), 4, n);                                     \
        const rk_u32 lanes = n < RK_VECTOR_LANES ? n : RK_VECTOR_LANES;                                 \
        if (n == 0) return 0;                                                                           \
        RK_PARALLEL(l, lanes) lane[l] = l < lead ? v[l] : 0;                                            \
        RK_VECTOR_STEPS_(base, u, lead, n,                                                              \
                         rk_vector_sum_unit_##suffix(lane + lead + 4u * u, v + base + lead + 4u * u),   \
                         rk_vector_sum_odd_##suffix(                                                    \
                             lane, v, base + lead + 4u * whole,                                         \
                             n - base > RK_VECTOR_LANES + lead ? base + RK_VECTOR_LANES + lead : n))    \
        rk_reduce_sum_##suffix(rk_ctx, lane, lanes);                                                    \
        const type sum = lane[0];                                                                       \
        RK_GROUP_BARRIER(); /* all have read it before anyone writes there again */                     \
        return sum;                                                                                     \
    }

RK_DEFINE_VECTOR(rk_u32, u32)
RK_DEFINE_VECTOR(rk_i32, i32)
RK_DEFINE_VECTOR(rk_f32, f32)
#undef RK_DEFINE_VECTOR

/* A copy by units, or by words, the first of which is `lead` bytes behind the beginning. */
RK_FN void rk_vector_copy_units(RK_CTX, RK_GLOBAL rk_u8 *to, RK_GLOBAL const rk_u8 *from, rk_u32 n,
                                rk_u32 lead)
{
    const rk_u32 units = (n - lead) / 16u;
    (void)rk_ctx;
    RK_PARALLEL(u, units) rk_put_unit(to + lead + 16u * u, rk_get_unit(from + lead + 16u * u));
    RK_PARALLEL(i, n - 16u * units) {
        const rk_u32 at = rk_vector_odd(i, lead, 16u * units);
        to[at] = from[at];
    }
}

RK_FN void rk_vector_copy_words(RK_CTX, RK_GLOBAL rk_u8 *to, RK_GLOBAL const rk_u8 *from, rk_u32 n,
                                rk_u32 lead)
{
    RK_GLOBAL rk_word *to_word = (RK_GLOBAL rk_word *)(to + lead);
    RK_GLOBAL const rk_word *from_word = (RK_GLOBAL const rk_word *)(from + lead);
    const rk_u32 words = (n - lead) / 4u;
    (void)rk_ctx;
    RK_PARALLEL(w, words) to_word[w] = from_word[w];
    RK_PARALLEL(i, n - 4u * words) {
        const rk_u32 at = rk_vector_odd(i, lead, 4u * words);
        to[at] = from[at];
    }
}

RK_FN void rk_vector_copy(RK_CTX, RK_GLOBAL void *to_, RK_GLOBAL const void *from_, rk_u32 bytes)
{
    RK_GLOBAL rk_u8 *to = (RK_GLOBAL rk_u8 *)to_;
    RK_GLOBAL const rk_u8 *from = (RK_GLOBAL const rk_u8 *)from_;
    const rk_u64 apart = RK_VECTOR_AT_(to) ^ RK_VECTOR_AT_(from);
    const rk_u32 lead = rk_vector_lead(RK_VECTOR_AT_(to), 1, bytes);
    if (apart % 16u == 0) {
        rk_vector_copy_units(rk_ctx, to, from, bytes, lead);
    } else if (apart % 4u == 0) {
        rk_vector_copy_words(rk_ctx, to, from, bytes, lead < bytes ? lead % 4u : bytes);
    } else {
        RK_PARALLEL(i, bytes) to[i] = from[i];
    }
}

#endif
