/* A cache whose entries also go when their time is over: state/cache.h with a time to live.
 *
 *     RK_TIMED_CACHE(sessions, 10000, session)               // 10,000 entries
 *
 *     sessions_put(&self->open, msg->user, &s, rk_now_ns() + RK_SECONDS(30), &gone);
 *     RK_GLOBAL session *s = sessions_get(&self->open, msg->user, rk_now_ns());
 *
 * Zeros are an empty cache. RK_TIMED_CACHE(name, entries, type) makes the structure `name`, `name_entry` of a
 * key and a value, and:
 *
 *     type *name_get(cache, key, now_ns)            as RK_CACHE's; an entry whose time has come (end_ns <=
 *                                                   now_ns) is erased, and counts as expired and as a miss
 *     rk_u32 name_put(cache, key, &value, end_ns, &gone)
 *                                                   as RK_CACHE's; sets the time, too. What is in `gone` may
 *                                                   have been over: gone.value.end_ns says when
 *     rk_u32 name_erase(cache, key)                 1: it was there, over or not
 *     rk_u32 name_sweep(cache, now_ns, most)        looks at up to `most` entries, the least recently used
 *                                                   first, and erases those whose time has come, until one
 *                                                   stands whose time hasn't; how many went
 *
 * Times are ns on one clock, that of rk_now_ns(). Time alone changes nothing: an entry that is over keeps its
 * room until it is asked for, swept (in a timer hook, say) or evicted in its turn. All calls but the sweep
 * take constant time. cache->expired is the number of those that went by time; hits, misses, evictions and
 * count are in cache->held. */
#ifndef RINGKERNEL_STATE_TIMED_CACHE_H
#define RINGKERNEL_STATE_TIMED_CACHE_H

#include "cache.h"

#define RK_TIMED_CACHE(name, entries, type)                                                           \
    typedef struct name##_timed {                                                                     \
        rk_u64 end_ns;                                                                                \
        type value;                                                                                   \
    } name##_timed;                                                                                   \
    RK_CACHE(name##_held, entries, name##_timed)                                                      \
    typedef name##_held_entry name##_entry;                                                           \
    typedef struct name {                                                                             \
        rk_u64 expired;                                                                               \
        name##_held held;                                                                             \
    } name;                                                                                           \
    RK_FN rk_u32 name##_erase(RK_GLOBAL name *cache, rk_u64 key)                                      \
    {                                                                                                 \
        return name##_held_erase(&cache->held, key);                                                  \
    }                                                                                                 \
    RK_FN RK_GLOBAL type *name##_get(RK_GLOBAL name *cache, rk_u64 key, rk_u64 now_ns)                \
    {                                                                                                 \
        RK_GLOBAL name##_timed *found = name##_held_peek(&cache->held, key);                          \
        if (found && found->end_ns <= now_ns) cache->expired += name##_held_erase(&cache->held, key); \
        found = name##_held_get(&cache->held, key);                                                   \
        return found ? &found->value : 0;                                                             \
    }                                                                                                 \
    RK_FN rk_u32 name##_put(RK_GLOBAL name *cache, rk_u64 key, const type *value, rk_u64 end_ns,      \
                            name##_entry *gone)                                                       \
    {                                                                                                 \
        name##_timed timed;                                                                           \
        timed.end_ns = end_ns;                                                                        \
        timed.value = *value;                                                                         \
        return name##_held_put(&cache->held, key, &timed, gone);                                      \
    }                                                                                                 \
    RK_FN rk_u32 name##_sweep(RK_GLOBAL name *cache, rk_u64 now_ns, rk_u32 most)                      \
    {                                                                                                 \
        rk_u64 key;                                                                                   \
        rk_u32 went = 0;                                                                              \
        for (; went < most; went++) {                                                                 \
            RK_GLOBAL name##_timed *oldest = name##_held_oldest(&cache->held, &key);                  \
            if (oldest == 0 || oldest->end_ns > now_ns) break;                                        \
            name##_held_erase(&cache->held, key);                                                     \
        }                                                                                             \
        cache->expired += went;                                                                       \
        return went;                                                                                  \
    }

#endif
