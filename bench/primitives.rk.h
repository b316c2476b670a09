/* What the benchmark of the dialect's building blocks does, in the dialect: each piece of work as ours and
 * in its naive form, over one state. bench/primitives.c calls them on the CPU; bench/primitives.rk.c is a
 * kernel of them, for devices. Both forms of a piece return the same sum. */
#ifndef RK_BENCH_PRIMITIVES_RK_H
#define RK_BENCH_PRIMITIVES_RK_H

#include <ringkernel/kernel.h>

#include <ringkernel/collective/bins.h>
#include <ringkernel/collective/scan.h>
#include <ringkernel/collective/sort.h>
#include <ringkernel/collective/vector.h>
#include <ringkernel/state/queue.h>
#include <ringkernel/state/slab.h>
#include <ringkernel/state/stack.h>

#define PRIMITIVE_USERS 256u   /* who rent, push and put at once */
#define PRIMITIVE_BLOCKS 1000u /* every second one is out all the time */
#define PRIMITIVE_PLACES 1024u
#define PRIMITIVE_VALUES 16384u
#define PRIMITIVE_ARRAY 4095u /* from the second value on: a remainder at both ends */
#define PRIMITIVE_SHARED 1024u
#define PRIMITIVE_BINS 64u
#define PRIMITIVE_SHARED_BYTES 12288u

typedef struct primitive_block {
    rk_u32 word[8];
} primitive_block;

RK_SLAB(primitive_slab, PRIMITIVE_BLOCKS, primitive_block)
RK_STACK(primitive_stack, PRIMITIVE_PLACES, rk_u32)
RK_QUEUE(primitive_queue, PRIMITIVE_PLACES, rk_u32)

typedef struct primitive_state {
    primitive_slab slab;
    primitive_stack stack;
    primitive_queue queue;
    rk_u32 used[PRIMITIVE_BLOCKS]; /* first fit: a word for each block */
    rk_u32 lock;                   /* of what follows */
    rk_u32 list[PRIMITIVE_BLOCKS], listed;
    rk_u32 pile[PRIMITIVE_PLACES], piled;
    rk_u32 ring[PRIMITIVE_PLACES], ring_head, ring_tail;
    rk_u32 held[PRIMITIVE_USERS];
    rk_u64 seen[PRIMITIVE_BINS];
    rk_histogram spread;
    rk_u32 value[PRIMITIVE_VALUES], total[PRIMITIVE_VALUES];
    rk_f32 real[PRIMITIVE_ARRAY + 1u];
} primitive_state;

/* One thread. */
RK_FN void primitive_prepare(RK_CTX, RK_GLOBAL primitive_state *s)
{
    for (rk_u32 i = 0; i < PRIMITIVE_BLOCKS; i++) {
        rk_u32 block;
        primitive_slab_rent(rk_ctx, &s->slab, &block);
        s->used[i] = i % 2u;
        if (i % 2u == 0) s->list[s->listed++] = i;
    }
    for (rk_u32 i = 0; i < PRIMITIVE_BLOCKS; i += 2u) primitive_slab_return(&s->slab, i + 1u);
    for (rk_u32 i = 0; i < PRIMITIVE_VALUES; i++) s->value[i] = i * 2654435761u >> (8u + i % 16u);
    for (rk_u32 i = 0; i <= PRIMITIVE_ARRAY; i++)
        s->real[i] = (rk_f32)(i % 256u); /* every sum of them is exact */
}

/* ------------------------------------------------------------------ the naive ways */

RK_FN void primitive_enter(RK_GLOBAL primitive_state *s)
{
    for (rk_u32 round = 0; rk_exchange_u32(&s->lock, 1u, RK_ACQUIRE, RK_SCOPE_DEVICE) != 0; round++)
        rk_port_spin(round);
}
RK_FN void primitive_leave(RK_GLOBAL primitive_state *s)
{
    rk_store_u32(&s->lock, 0, RK_RELEASE, RK_SCOPE_DEVICE);
}

RK_FN rk_u32 primitive_first_fit(RK_GLOBAL primitive_state *s)
{
    for (rk_u32 b = 0; b < PRIMITIVE_BLOCKS; b++)
        if (rk_load_u32(&s->used[b], RK_RELAXED, RK_SCOPE_DEVICE) == 0 &&
            rk_cas_u32(&s->used[b], 0u, 1u, RK_ACQ_REL, RK_SCOPE_DEVICE))
            return b + 1u;
    return 0;
}

RK_FN rk_u32 primitive_list_rent(RK_GLOBAL primitive_state *s)
{
    primitive_enter(s);
    rk_u32 block = s->listed ? s->list[--s->listed] + 1u : 0u;
    primitive_leave(s);
    return block;
}
RK_FN void primitive_list_return(RK_GLOBAL primitive_state *s, rk_u32 block)
{
    primitive_enter(s);
    s->list[s->listed++] = block - 1u;
    primitive_leave(s);
}

RK_FN rk_status primitive_pile_push(RK_GLOBAL primitive_state *s, rk_u32 value)
{
    primitive_enter(s);
    rk_status status = s->piled < PRIMITIVE_PLACES ? RK_OK : RK_FULL;
    if (status == RK_OK) s->pile[s->piled++] = value;
    primitive_leave(s);
    return status;
}
RK_FN rk_status primitive_pile_pop(RK_GLOBAL primitive_state *s, rk_u32 *value)
{
    primitive_enter(s);
    rk_status status = s->piled ? RK_OK : RK_EMPTY;
    if (status == RK_OK) *value = s->pile[--s->piled];
    primitive_leave(s);
    return status;
}

RK_FN rk_status primitive_ring_put(RK_GLOBAL primitive_state *s, rk_u32 value)
{
    primitive_enter(s);
    rk_status status = s->ring_tail - s->ring_head < PRIMITIVE_PLACES ? RK_OK : RK_FULL;
    if (status == RK_OK) s->ring[s->ring_tail++ % PRIMITIVE_PLACES] = value;
    primitive_leave(s);
    return status;
}
RK_FN rk_status primitive_ring_take(RK_GLOBAL primitive_state *s, rk_u32 *value)
{
    primitive_enter(s);
    rk_status status = s->ring_tail != s->ring_head ? RK_OK : RK_EMPTY;
    if (status == RK_OK) *value = s->ring[s->ring_head++ % PRIMITIVE_PLACES];
    primitive_leave(s);
    return status;
}

/* ------------------------------------------------------------------ pieces of work */

/* Everybody does `begin`, which leaves something in s->held[i], and then `end`; returns the sum of what
 * `end` has. */
#define PRIMITIVE_PAIR(name, begin, end)                                   \
    RK_FN rk_u32 primitive_do_##name(RK_CTX, RK_GLOBAL primitive_state *s) \
    {                                                                      \
        RK_SHARED(rk_u32, sum, 4);                                         \
        RK_ONCE                                                            \
            sum[0] = 0;                                                    \
        RK_GROUP_BARRIER();                                                \
        RK_PARALLEL(i, PRIMITIVE_USERS) {                                  \
            rk_u32 x = i + 1u;                                             \
            begin;                                                         \
            s->held[i] = x;                                                \
        }                                                                  \
        RK_PARALLEL(i, PRIMITIVE_USERS) {                                  \
            rk_u32 x = s->held[i];                                         \
            end;                                                           \
            rk_count_local(&sum[0], x);                                    \
        }                                                                  \
        return sum[0];                                                     \
    }

PRIMITIVE_PAIR(slab, primitive_slab_rent(rk_ctx, &s->slab, &x),
               x = primitive_slab_return(&s->slab, x) == RK_OK)
PRIMITIVE_PAIR(first_fit, x = primitive_first_fit(s),
               rk_store_u32(&s->used[x - 1u], 0u, RK_RELEASE, RK_SCOPE_DEVICE);
               x = x != 0)
PRIMITIVE_PAIR(locked_list, x = primitive_list_rent(s), primitive_list_return(s, x); x = x != 0)
PRIMITIVE_PAIR(stack, primitive_stack_push(rk_ctx, &s->stack, &x), primitive_stack_pop(&s->stack, &x))
PRIMITIVE_PAIR(locked_stack, primitive_pile_push(s, x), primitive_pile_pop(s, &x))
PRIMITIVE_PAIR(queue, primitive_queue_put(&s->queue, &x), primitive_queue_take(&s->queue, &x))
PRIMITIVE_PAIR(locked_queue, primitive_ring_put(s, x), primitive_ring_take(s, &x))

/* What an array's work returns: something from its first and its last value. */
#define PRIMITIVE_ENDS(v) ((rk_u32)(v)[0] + (rk_u32)(v)[PRIMITIVE_ARRAY - 1u])

RK_FN rk_u32 primitive_do_copy(RK_CTX, RK_GLOBAL primitive_state *s)
{
    rk_vector_copy(rk_ctx, s->total + 1, s->value + 1, PRIMITIVE_ARRAY * 4u);
    return PRIMITIVE_ENDS(s->total + 1);
}
RK_FN rk_u32 primitive_do_copy_bytes(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_GLOBAL rk_u8 *to = (RK_GLOBAL rk_u8 *)(s->total + 1);
    RK_GLOBAL const rk_u8 *from = (RK_GLOBAL const rk_u8 *)(s->value + 1);
    (void)rk_ctx;
    RK_PARALLEL(i, PRIMITIVE_ARRAY * 4u) to[i] = from[i];
    return PRIMITIVE_ENDS(s->total + 1);
}

RK_FN rk_u32 primitive_do_add(RK_CTX, RK_GLOBAL primitive_state *s)
{
    rk_vector_add_u32(rk_ctx, s->total + 1, s->value + 1, PRIMITIVE_ARRAY);
    return PRIMITIVE_ENDS(s->value + 1);
}
RK_FN rk_u32 primitive_do_add_each(RK_CTX, RK_GLOBAL primitive_state *s)
{
    (void)rk_ctx;
    RK_PARALLEL(i, PRIMITIVE_ARRAY) s->total[i + 1u] += s->value[i + 1u];
    return PRIMITIVE_ENDS(s->value + 1);
}

RK_FN rk_u32 primitive_do_sum(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_f32, lane, RK_VECTOR_LANES);
    return (rk_u32)rk_vector_sum_f32(rk_ctx, lane, s->real + 1, PRIMITIVE_ARRAY);
}
RK_FN rk_u32 primitive_do_sum_by_one(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_f32, sum, 4);
    RK_ONCE {
        rk_f32 all = 0;
        for (rk_u32 i = 1; i <= PRIMITIVE_ARRAY; i++) all += s->real[i];
        sum[0] = all;
    }
    RK_GROUP_BARRIER();
    return (rk_u32)sum[0];
}

RK_FN rk_u32 primitive_do_bins(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_u32, bin, PRIMITIVE_BINS);
    rk_bins_clear(rk_ctx, bin, PRIMITIVE_BINS);
    RK_PARALLEL(i, PRIMITIVE_VALUES) rk_bins_count(bin, PRIMITIVE_BINS, s->value[i] % PRIMITIVE_BINS);
    rk_bins_merge(rk_ctx, s->seen, bin, PRIMITIVE_BINS);
    return bin[0] + bin[PRIMITIVE_BINS - 1u];
}
/* Every value is an atomic addition to the state. */
RK_FN rk_u32 primitive_do_bins_in_state(RK_CTX, RK_GLOBAL primitive_state *s)
{
    const rk_u64 before = s->seen[0] + s->seen[PRIMITIVE_BINS - 1u];
    RK_GROUP_BARRIER();
    RK_PARALLEL(i, PRIMITIVE_VALUES)
        rk_add_u64(&s->seen[s->value[i] % PRIMITIVE_BINS], 1u, RK_RELAXED, RK_SCOPE_DEVICE);
    (void)rk_ctx;
    return (rk_u32)(s->seen[0] + s->seen[PRIMITIVE_BINS - 1u] - before);
}

RK_FN rk_u32 primitive_do_spread(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_bins_spread, scratch, 1);
    rk_bins_add_all(rk_ctx, &s->spread, scratch, s->value, PRIMITIVE_VALUES);
    return (rk_u32)s->spread.max_ns;
}
RK_FN rk_u32 primitive_do_spread_by_one(RK_CTX, RK_GLOBAL primitive_state *s)
{
    (void)rk_ctx;
    RK_ONCE
        for (rk_u32 i = 0; i < PRIMITIVE_VALUES; i++) rk_histogram_add(&s->spread, s->value[i], 1);
    RK_GROUP_BARRIER();
    return (rk_u32)s->spread.max_ns;
}

RK_FN rk_u32 primitive_do_scan(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_u32, v, PRIMITIVE_SHARED);
    RK_PARALLEL(i, PRIMITIVE_SHARED) v[i] = s->value[i];
    return rk_scan_u32_inclusive(rk_ctx, v, PRIMITIVE_SHARED) + v[PRIMITIVE_SHARED / 2u];
}
/* All values at every distance (D. Hillis and G. Steele, Data parallel algorithms, 1986). */
RK_FN rk_u32 primitive_do_scan_all(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_u32, v, PRIMITIVE_SHARED);
    RK_SHARED(rk_u32, w, PRIMITIVE_SHARED);
    RK_PARALLEL(i, PRIMITIVE_SHARED) v[i] = s->value[i];
    for (rk_u32 distance = 1; distance < PRIMITIVE_SHARED; distance *= 2u) {
        RK_PARALLEL(i, PRIMITIVE_SHARED) w[i] = v[i];
        RK_PARALLEL(i, PRIMITIVE_SHARED - distance) v[i + distance] += w[i];
    }
    return v[PRIMITIVE_SHARED - 1u] + v[PRIMITIVE_SHARED / 2u];
}

RK_FN rk_u32 primitive_do_sort(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_u32, v, PRIMITIVE_SHARED);
    RK_PARALLEL(i, PRIMITIVE_SHARED) v[i] = s->value[i];
    rk_sort_u32(rk_ctx, v, PRIMITIVE_SHARED);
    return v[0] + 3u * v[PRIMITIVE_SHARED / 2u] + v[PRIMITIVE_SHARED - 1u];
}
/* Neighbours change places, as often as there are values. */
RK_FN rk_u32 primitive_do_sort_neighbours(RK_CTX, RK_GLOBAL primitive_state *s)
{
    RK_SHARED(rk_u32, v, PRIMITIVE_SHARED);
    RK_PARALLEL(i, PRIMITIVE_SHARED) v[i] = s->value[i];
    for (rk_u32 round = 0; round < PRIMITIVE_SHARED; round++)
        RK_PARALLEL(i, (PRIMITIVE_SHARED - round % 2u) / 2u) {
            const rk_u32 at = 2u * i + round % 2u, a = v[at], b = v[at + 1u];
            v[at] = a < b ? a : b;
            v[at + 1u] = a < b ? b : a;
        }
    return v[0] + 3u * v[PRIMITIVE_SHARED / 2u] + v[PRIMITIVE_SHARED - 1u];
}

/* All of them, with what one call does so many times. */
#define PRIMITIVES(X)                  \
    X(slab, PRIMITIVE_USERS)           \
    X(first_fit, PRIMITIVE_USERS)      \
    X(locked_list, PRIMITIVE_USERS)    \
    X(stack, PRIMITIVE_USERS)          \
    X(locked_stack, PRIMITIVE_USERS)   \
    X(queue, PRIMITIVE_USERS)          \
    X(locked_queue, PRIMITIVE_USERS)   \
    X(copy, PRIMITIVE_ARRAY)           \
    X(copy_bytes, PRIMITIVE_ARRAY)     \
    X(add, PRIMITIVE_ARRAY)            \
    X(add_each, PRIMITIVE_ARRAY)       \
    X(sum, PRIMITIVE_ARRAY)            \
    X(sum_by_one, PRIMITIVE_ARRAY)     \
    X(bins, PRIMITIVE_VALUES)          \
    X(bins_in_state, PRIMITIVE_VALUES) \
    X(spread, PRIMITIVE_VALUES)        \
    X(spread_by_one, PRIMITIVE_VALUES) \
    X(scan, PRIMITIVE_SHARED)          \
    X(scan_all, PRIMITIVE_SHARED)      \
    X(sort, PRIMITIVE_SHARED)          \
    X(sort_neighbours, PRIMITIVE_SHARED)

enum {
#define PRIMITIVE_NUMBER_(name, times) PRIMITIVE_DO_##name,
    PRIMITIVES(PRIMITIVE_NUMBER_)
#undef PRIMITIVE_NUMBER_
        PRIMITIVE_COUNT
};

/* To the kernel: do this `calls` times. And what it answers: the last sum, and the cycles that all took
 * together. */
RK_MESSAGE(primitive_work, 545, (rk_u32, which), (rk_u32, calls))
RK_MESSAGE(primitive_done, 546, (rk_u64, cycles), (rk_u32, which), (rk_u32, sum))

#endif
