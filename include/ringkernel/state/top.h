/* The keys that occur most in a stream of any number of keys, in a fixed size, with bounds of the error told.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/top.h>
 *
 *     RK_TOP(busiest, 100)                                   // 100 keys are watched
 *
 *     busiest_count(&self->pages, msg->page, 1);
 *     rk_u32 e = 0;
 *     for (rk_u32 n = 0; n < 10 && (e = busiest_next(&self->pages, e)) != 0; n++)
 *         … self->pages.entry[e].key, .count, .error …       // ten, from the most to the least
 *
 * Zeros are a stream without keys. RK_TOP(name, keys) makes the structure `name` and:
 *
 *     void name_count(top, key, n)  the key occurred n times more
 *     rk_u32 name_find(top, key)    the key's entry; 0: it isn't watched, and occurred name_floor(top) times
 *                                   at most
 *     rk_u32 name_next(top, entry)  the entry that ranks behind this one (0: the first); 0: none
 *     rk_u64 name_floor(top)        the least count when all entries are in use, else 0
 *
 * A watched key occurred between count - error and count times. The sum of all counts is top->total, so
 * name_floor is at most total / keys, and a key that occurred more often than that is watched for certain.
 * Where error is 0 the count is exact. Entries of one count rank in the order of their number.
 *
 * Space-saving (Metwally, Agrawal and El Abbadi, "Efficient Computation of Frequent and Top-k Elements in
 * Data Streams", ICDT 2005): a key that isn't watched takes over the entry of the least count, with that
 * count as its possible error. Which entry is the least a binary heap says, so that any n may be added:
 * counting takes a time that grows with the logarithm of `keys`, name_next the keys. One thread of the group
 * uses it at a time. */
#ifndef RINGKERNEL_STATE_TOP_H
#define RINGKERNEL_STATE_TOP_H

#include "map.h"

#define RK_TOP_MAX 65536u /* keys that are watched */

typedef struct rk_top_entry {
    rk_u64 key;
    rk_u64 count; /* the most that it can have occurred */
    rk_u64 error; /* and so many times less at the least */
    rk_u32 place; /* in the heap */
    rk_u32 pad;
} rk_top_entry;

/* The heap's places go from 1 to `count`; heap[p] is the entry whose count isn't greater than those at 2p and
 * 2p + 1. The entry has just been given a count that may be too large for its place: it sinks. */
RK_FN void rk_top_sink(RK_GLOBAL rk_u32 *heap, RK_GLOBAL rk_top_entry *entry, rk_u32 count, rk_u32 sinking)
{
    rk_u32 place = entry[sinking].place;
    while (2u * place <= count) {
        rk_u32 child = 2u * place;
        if (child < count && entry[heap[child + 1u]].count < entry[heap[child]].count) child++;
        if (entry[heap[child]].count >= entry[sinking].count) break;
        heap[place] = heap[child];
        entry[heap[place]].place = place;
        place = child;
    }
    heap[place] = sinking;
    entry[sinking].place = place;
}

/* And this one may be too small for its place: it rises. */
RK_FN void rk_top_rise(RK_GLOBAL rk_u32 *heap, RK_GLOBAL rk_top_entry *entry, rk_u32 rising)
{
    rk_u32 place = entry[rising].place;
    for (; place > 1u && entry[heap[place / 2u]].count > entry[rising].count; place /= 2u) {
        heap[place] = heap[place / 2u];
        entry[heap[place]].place = place;
    }
    heap[place] = rising;
    entry[rising].place = place;
}

/* 1: entry a ranks before b. */
RK_FN rk_u32 rk_top_before(RK_GLOBAL const rk_top_entry *entry, rk_u32 a, rk_u32 b)
{
    return entry[a].count > entry[b].count || (entry[a].count == entry[b].count && a < b);
}

RK_FN rk_u32 rk_top_next(RK_GLOBAL const rk_top_entry *entry, rk_u32 count, rk_u32 after)
{
    rk_u32 next = 0;
    for (rk_u32 e = 1; e <= count; e++) {
        rk_u32 behind = after == 0 || rk_top_before(entry, after, e);
        if (behind && (next == 0 || rk_top_before(entry, e, next))) next = e;
    }
    return next;
}

#define RK_TOP(name, keys)                                                                       \
    RK_STATIC_ASSERT((keys) > 0 && (keys) <= RK_TOP_MAX, "RK_TOP: 1 to 65,536 keys");            \
    RK_MAP(name##_index, keys, rk_u32)                                                           \
    typedef struct name {                                                                        \
        rk_u64 total;                                                                            \
        rk_top_entry entry[(keys) + 1u]; /* [1] to [index.count] */                              \
        rk_u32 heap[(keys) + 1u];                                                                \
        name##_index index;                                                                      \
    } name;                                                                                      \
    RK_FN rk_u32 name##_find(RK_GLOBAL name *top, rk_u64 key)                                    \
    {                                                                                            \
        RK_GLOBAL rk_u32 *entry = name##_index_find(&top->index, key);                           \
        return entry ? *entry : 0;                                                               \
    }                                                                                            \
    RK_FN rk_u64 name##_floor(RK_GLOBAL const name *top)                                         \
    {                                                                                            \
        return top->index.count == (keys) ? top->entry[top->heap[1]].count : 0;                  \
    }                                                                                            \
    RK_FN rk_u32 name##_next(RK_GLOBAL const name *top, rk_u32 entry)                            \
    {                                                                                            \
        return rk_top_next(top->entry, top->index.count, entry);                                 \
    }                                                                                            \
    RK_FN void name##_count(RK_GLOBAL name *top, rk_u64 key, rk_u64 n)                           \
    {                                                                                            \
        rk_u32 e = name##_find(top, key), is_new = e == 0, is_full = top->index.count == (keys); \
        RK_GLOBAL rk_u32 *at;                                                                    \
        top->total += n;                                                                         \
        if (is_new) {                                                                            \
            e = is_full ? top->heap[1] : top->index.count + 1u;                                  \
            RK_GLOBAL rk_top_entry *entry = &top->entry[e];                                      \
            if (is_full) name##_index_erase(&top->index, entry->key);                            \
            if (name##_index_insert(&top->index, key, &at) == RK_OK) *at = e;                    \
            entry->error = entry->count; /* of a fresh entry 0 */                                \
            entry->key = key;                                                                    \
            if (!is_full) entry->place = e;                                                      \
        }                                                                                        \
        top->entry[e].count += n;                                                                \
        if (is_new && !is_full)                                                                  \
            rk_top_rise(top->heap, top->entry, e);                                               \
        else                                                                                     \
            rk_top_sink(top->heap, top->entry, top->index.count, e);                             \
    }

#endif
