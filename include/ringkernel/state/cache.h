/* A cache of a fixed size that lets go of what was used least recently, inside a kernel's state.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/cache.h>
 *
 *     RK_CACHE(quotes, 1000, quote)                          // 1,000 entries
 *     typedef struct desk { quotes known; … } desk;
 *
 *     RK_GLOBAL quote *q = quotes_get(&self->known, msg->share);
 *     if (q == 0) {
 *         quote fresh = …;
 *         quotes_entry gone;
 *         if (quotes_put(&self->known, msg->share, &fresh, &gone)) … gone.key, gone.value …
 *     }
 *
 * Zeros are an empty cache, so a fresh state needs no preparation. RK_CACHE(name, entries, type) makes the
 * structure `name`, the structure `name_entry` of a key and a value, and:
 *
 *     type *name_get(cache, key)                  the value, which is now the most recently used one, and a
 *                                                 hit; 0: it isn't there, and a miss
 *     type *name_peek(cache, key)                 the value or 0; nothing is counted, its turn to go stays
 *     rk_u32 name_put(cache, key, &value, &gone)  sets the key's value, which is now the most recently used
 *                                                 one. 1: there was no room, and the least recently used
 *                                                 entry is in `gone` and no longer in the cache; it is the
 *                                                 caller's
 *     rk_u32 name_erase(cache, key)               1: it was there; no eviction is counted
 *     type *name_oldest(cache, &key)              what is the next to go, or 0
 *
 * count, hits, misses and evictions are in the structure. All calls take constant time, whatever the size: an
 * index from keys to entries (state/map.h), and a circle of entries from the most to the least recently used,
 * linked both ways. Entry 0 is where the circle begins and ends, so zeros are an empty circle. Pointers to
 * values are good until their entry goes. One thread of the group uses a cache at a time. A cache with a time
 * to live is in state/timed_cache.h. */
#ifndef RINGKERNEL_STATE_CACHE_H
#define RINGKERNEL_STATE_CACHE_H

#include "map.h"

#define RK_CACHE_MAX 1000000u /* entries of one cache */

/* Neighbours of an entry in the circle. */
typedef struct rk_cache_link {
    rk_u32 newer, older;
} rk_cache_link;

RK_FN void rk_cache_unlink(RK_GLOBAL rk_cache_link *link, rk_u32 entry)
{
    link[link[entry].newer].older = link[entry].older;
    link[link[entry].older].newer = link[entry].newer;
}

/* Makes it the most recently used entry. */
RK_FN void rk_cache_link_newest(RK_GLOBAL rk_cache_link *link, rk_u32 entry)
{
    rk_u32 second = link[0].older;
    link[entry].newer = 0;
    link[entry].older = second;
    link[second].newer = entry;
    link[0].older = entry;
}

RK_FN void rk_cache_refresh(RK_GLOBAL rk_cache_link *link, rk_u32 entry)
{
    rk_cache_unlink(link, entry);
    rk_cache_link_newest(link, entry);
}

#define RK_CACHE(name, entries, type)                                                                 \
    RK_STATIC_ASSERT((entries) > 0 && (entries) <= RK_CACHE_MAX, "RK_CACHE: 1 to 1,000,000 entries"); \
    RK_MAP(name##_index, entries, rk_u32)                                                             \
    typedef struct name##_entry {                                                                     \
        rk_u64 key;                                                                                   \
        type value;                                                                                   \
    } name##_entry;                                                                                   \
    typedef struct name {                                                                             \
        rk_u64 hits, misses, evictions;                                                               \
        rk_u32 count; /* entries in use */                                                            \
        rk_u32 spare; /* first of the erased ones, linked by `older`; 0: none */                      \
        name##_index index;                                                                           \
        rk_cache_link link[(entries) + 1u];                                                           \
        name##_entry entry[(entries) + 1u]; /* [0] is not used */                                     \
    } name;                                                                                           \
    RK_FN rk_u32 name##_place(RK_GLOBAL name *cache, rk_u64 key)                                      \
    {                                                                                                 \
        RK_GLOBAL rk_u32 *place = name##_index_find(&cache->index, key);                              \
        return place ? *place : 0;                                                                    \
    }                                                                                                 \
    RK_FN RK_GLOBAL type *name##_peek(RK_GLOBAL name *cache, rk_u64 key)                              \
    {                                                                                                 \
        rk_u32 e = name##_place(cache, key);                                                          \
        return e ? &cache->entry[e].value : 0;                                                        \
    }                                                                                                 \
    RK_FN RK_GLOBAL type *name##_get(RK_GLOBAL name *cache, rk_u64 key)                               \
    {                                                                                                 \
        rk_u32 e = name##_place(cache, key);                                                          \
        if (e == 0) {                                                                                 \
            cache->misses++;                                                                          \
            return 0;                                                                                 \
        }                                                                                             \
        cache->hits++;                                                                                \
        rk_cache_refresh(cache->link, e);                                                             \
        return &cache->entry[e].value;                                                                \
    }                                                                                                 \
    RK_FN RK_GLOBAL type *name##_oldest(RK_GLOBAL name *cache, rk_u64 *key)                           \
    {                                                                                                 \
        rk_u32 e = cache->link[0].newer;                                                              \
        if (e == 0) return 0;                                                                         \
        *key = cache->entry[e].key;                                                                   \
        return &cache->entry[e].value;                                                                \
    }                                                                                                 \
    RK_FN rk_u32 name##_erase(RK_GLOBAL name *cache, rk_u64 key)                                      \
    {                                                                                                 \
        rk_u32 e = name##_place(cache, key);                                                          \
        if (e == 0) return 0;                                                                         \
        name##_index_erase(&cache->index, key);                                                       \
        rk_cache_unlink(cache->link, e);                                                              \
        cache->link[e].older = cache->spare;                                                          \
        cache->spare = e;                                                                             \
        cache->count--;                                                                               \
        return 1;                                                                                     \
    }                                                                                                 \
    /* An entry that is not in the circle: an erased one, or the next that was never used. */         \
    RK_FN rk_u32 name##_take_spare(RK_GLOBAL name *cache)                                             \
    {                                                                                                 \
        rk_u32 e = cache->spare;                                                                      \
        if (e != 0) cache->spare = cache->link[e].older;                                              \
        cache->count++;                                                                               \
        return e != 0 ? e : cache->count;                                                             \
    }                                                                                                 \
    RK_FN rk_u32 name##_put(RK_GLOBAL name *cache, rk_u64 key, const type *value, name##_entry *gone) \
    {                                                                                                 \
        rk_u32 e = name##_place(cache, key), evicts = e == 0 && cache->count == (entries);            \
        RK_GLOBAL rk_u32 *place;                                                                      \
        if (evicts) {                                                                                 \
            *gone = cache->entry[cache->link[0].newer];                                               \
            name##_erase(cache, gone->key);                                                           \
            cache->evictions++;                                                                       \
        }                                                                                             \
        if (e == 0) {                                                                                 \
            e = name##_take_spare(cache);                                                             \
            if (name##_index_insert(&cache->index, key, &place) == RK_OK) *place = e;                 \
            cache->entry[e].key = key;                                                                \
            rk_cache_link_newest(cache->link, e);                                                     \
        } else {                                                                                      \
            rk_cache_refresh(cache->link, e);                                                         \
        }                                                                                             \
        cache->entry[e].value = *value;                                                               \
        return evicts;                                                                                \
    }

#endif
