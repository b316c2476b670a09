/* Litmus tests of the port layer's orders: each is two roles on two cells, written once for both sides, since a role may
 * be the host's. litmus.cu runs them on the device, litmus.c with and beside it.
 *
 * A cell is a unit, of which most tests use the first word. What the roles saw is two words, (r0, r1), each 0 or 1. */
#ifndef RINGKERNEL_GPU_LITMUS_H
#define RINGKERNEL_GPU_LITMUS_H

#include <ringkernel/device/port.h>

#define LITMUS_LANES 32u
#define LITMUS_LOOKS 64u /* of a role that waits for the other's word, at most: it need not come */

/* T(name, words, outcome that tells, what it is). Outcomes are 2 * r0 + r1. */
#define LITMUS_FORBIDDEN 1u
#define LITMUS_WEAK 0u /* allowed by the model: counted */
#define LITMUS_TESTS(T)                                                                        \
    T(mp_relaxed, "message passing, relaxed", 2, LITMUS_WEAK)                                  \
    T(mp_acquire, "message passing, release and acquire", 2, LITMUS_FORBIDDEN)                 \
    T(mp_fences, "message passing, relaxed and fences", 2, LITMUS_FORBIDDEN)                   \
    T(mp_sequential, "message passing, sequential", 2, LITMUS_FORBIDDEN)                       \
    T(sb_relaxed, "store buffering, relaxed", 0, LITMUS_WEAK)                                  \
    T(sb_acquire, "store buffering, release and acquire", 0, LITMUS_WEAK)                      \
    T(sb_fences, "store buffering, relaxed and sequential fences", 0, LITMUS_FORBIDDEN)        \
    T(sb_sequential, "store buffering, sequential", 0, LITMUS_FORBIDDEN)                       \
    T(unit, "a unit with some words of each writing", 2, LITMUS_FORBIDDEN)                     \
    T(batch, "plain words, fences around a unit (B1, B2)", 2, LITMUS_FORBIDDEN)                \
    T(reference, "plain words, system fence before a unit, B2 behind it", 2, LITMUS_FORBIDDEN) \
    T(reuse, "a slot is read, its head posted, the slot written again", 2, LITMUS_FORBIDDEN)

/* What a launch is given. Pointers are the same to both sides. */
typedef struct litmus_job {
    rk_unit *x, *y;      /* a cell for each instance, all 0 */
    rk_u32 *seen;        /* two words for each instance */
    rk_u32 *steps;       /* of each pair LITMUS_PAIR_WORDS: how far its roles are, a line for each */
    rk_u32 *finished;    /* roles of the device that are through */
    rk_u32 *noise;       /* LITMUS_NOISE_WORDS, which the other blocks read and write meanwhile */
    rk_u64 limit_ns;     /* of a launch; a role that has waited so long gives up */
    rk_u32 pairs, count; /* of roles, and steps of each */
    rk_u32 place;        /* LITMUS_IN_* */
    rk_u32 role;         /* LITMUS_ON_BUS: the device's */
    rk_u32 seed;
    rk_u32 unused;
} litmus_job;
#define LITMUS_PAIR_WORDS 64u
#define LITMUS_NOISE_WORDS (1u << 20)

#define LITMUS_IN_BLOCK 0u
#define LITMUS_IN_CLUSTER 1u
#define LITMUS_IN_DEVICE 2u
#define LITMUS_ON_BUS 3u
#define LITMUS_ON_HOST 4u

RK_FN rk_u32 litmus_hash(rk_u32 x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* ------------------------------------------------------------------ the roles */

#define LITMUS_NO_FENCE(scope) ((void)0)
#define LITMUS_RELEASE_FENCE(scope) rk_fence(RK_RELEASE, scope)
#define LITMUS_ACQUIRE_FENCE(scope) rk_fence(RK_ACQUIRE, scope)
#define LITMUS_SEQUENTIAL_FENCE(scope) rk_fence(RK_SEQ_CST, scope)

/* x, then y; the other looks at y, then at x. Who sees the new y sees the new x. */
#define LITMUS_MESSAGE(name, scope, store, before, load, behind)                                           \
    RK_FN void litmus_##name(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen)                            \
    {                                                                                                      \
        rk_u32 there = 0;                                                                                  \
        if (role == 0) {                                                                                   \
            rk_store_u32(&x->word[0], 1u, RK_RELAXED, scope);                                              \
            before(scope);                                                                                 \
            rk_store_u32(&y->word[0], 1u, store, scope);                                                   \
            return;                                                                                        \
        }                                                                                                  \
        for (rk_u32 i = 0; i < LITMUS_LOOKS && !there; i++) there = rk_load_u32(&y->word[0], load, scope); \
        behind(scope);                                                                                     \
        seen[1] = rk_load_u32(&x->word[0], RK_RELAXED, scope);                                             \
        seen[0] = there;                                                                                   \
    }

/* Each writes its own and looks at the other's. One of them comes second. */
#define LITMUS_STORES(name, scope, store, between, load)                        \
    RK_FN void litmus_##name(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen) \
    {                                                                           \
        rk_unit *own = role ? y : x, *other = role ? x : y;                     \
        rk_store_u32(&own->word[0], 1u, store, scope);                          \
        between(scope);                                                         \
        seen[role] = rk_load_u32(&other->word[0], load, scope);                 \
    }

RK_FN rk_unit litmus_unit_of(rk_u32 word)
{
    rk_unit unit;
    for (rk_u32 w = 0; w < 4u; w++) unit.word[w] = word;
    return unit;
}

RK_FN rk_u32 litmus_unit_is(rk_unit unit, rk_u32 word)
{
    return unit.word[0] == word && unit.word[1] == word && unit.word[2] == word && unit.word[3] == word;
}

/* A look at a unit until its first word, the lap, is 1. */
RK_FN rk_unit litmus_unit_await(const rk_unit *at)
{
    rk_unit unit = rk_load_unit(at);
    for (rk_u32 i = 0; i < LITMUS_LOOKS && unit.word[0] != 1u; i++) unit = rk_load_unit(at);
    return unit;
}

/* A unit is written at once and read at once. */
#define LITMUS_UNIT(name)                                                              \
    RK_FN void litmus_##name(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen)        \
    {                                                                                  \
        (void)y;                                                                       \
        if (role == 0) {                                                               \
            rk_store_unit(x, litmus_unit_of(1u));                                      \
            return;                                                                    \
        }                                                                              \
        rk_unit unit = litmus_unit_await(x);                                           \
        seen[0] = unit.word[0];                                                        \
        seen[1] = unit.word[0] ? litmus_unit_is(unit, 1u) : !litmus_unit_is(unit, 0u); \
    }

/* Plain words of x, which the reader may have in its cache already, and a unit that says they are there. */
#define LITMUS_BATCH(name, release_scope, acquire_scope)                        \
    RK_FN void litmus_##name(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen) \
    {                                                                           \
        if (role == 0) {                                                        \
            x->word[0] = 1u;                                                    \
            rk_fence(RK_ACQ_REL, release_scope);                                \
            rk_store_unit(y, litmus_unit_of(1u));                               \
            return;                                                             \
        }                                                                       \
        rk_u32 cached = x->word[0];                                             \
        rk_unit unit = litmus_unit_await(y);                                    \
        rk_fence(RK_ACQ_REL, acquire_scope);                                    \
        seen[0] = unit.word[0];                                                 \
        seen[1] = x->word[0] | (cached & 2u);                                   \
    }

/* The consumer reads the slot x and posts its head y, both relaxed; the producer writes the slot once it saw the head. */
#define LITMUS_REUSE(name, scope)                                                    \
    RK_FN void litmus_##name(rk_u32 role, rk_unit *x, rk_unit *y, rk_u32 *seen)      \
    {                                                                                \
        rk_u32 there = 0;                                                            \
        if (role == 0) {                                                             \
            rk_unit unit = rk_load_unit(x);                                          \
            if (unit.word[0] == 0) rk_store_u32(&y->word[0], 1u, RK_RELAXED, scope); \
            seen[1] = litmus_unit_is(unit, 0u);                                      \
            return;                                                                  \
        }                                                                            \
        for (rk_u32 i = 0; i < LITMUS_LOOKS && !there; i++)                          \
            there = rk_load_u32(&y->word[0], RK_RELAXED, scope);                     \
        if (there) rk_store_unit(x, litmus_unit_of(1u));                             \
        seen[0] = there;                                                             \
    }

#define LITMUS_ROLES(at, scope)                                                                              \
    LITMUS_MESSAGE(mp_relaxed##at, scope, RK_RELAXED, LITMUS_NO_FENCE, RK_RELAXED, LITMUS_NO_FENCE)          \
    LITMUS_MESSAGE(mp_acquire##at, scope, RK_RELEASE, LITMUS_NO_FENCE, RK_ACQUIRE, LITMUS_NO_FENCE)          \
    LITMUS_MESSAGE(mp_fences##at, scope, RK_RELAXED, LITMUS_RELEASE_FENCE, RK_RELAXED, LITMUS_ACQUIRE_FENCE) \
    LITMUS_MESSAGE(mp_sequential##at, scope, RK_SEQ_CST, LITMUS_NO_FENCE, RK_SEQ_CST, LITMUS_NO_FENCE)       \
    LITMUS_STORES(sb_relaxed##at, scope, RK_RELAXED, LITMUS_NO_FENCE, RK_RELAXED)                            \
    LITMUS_STORES(sb_acquire##at, scope, RK_RELEASE, LITMUS_NO_FENCE, RK_ACQUIRE)                            \
    LITMUS_STORES(sb_fences##at, scope, RK_RELAXED, LITMUS_SEQUENTIAL_FENCE, RK_RELAXED)                     \
    LITMUS_STORES(sb_sequential##at, scope, RK_SEQ_CST, LITMUS_NO_FENCE, RK_SEQ_CST)                         \
    LITMUS_UNIT(unit##at)                                                                                    \
    LITMUS_BATCH(batch##at, scope, scope)                                                                    \
    LITMUS_BATCH(reference##at, RK_SCOPE_SYSTEM, RK_SCOPE_DEVICE)                                            \
    LITMUS_REUSE(reuse##at, scope)

#endif
