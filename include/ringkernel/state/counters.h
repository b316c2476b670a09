/* Counters by key, as many as are declared, inside a kernel's state; what finds no counter is counted as the
 * rest.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/counters.h>
 *
 *     RK_COUNTERS(visits, 1000)                              // 1,000 keys
 *
 *     visits_count(&self->by_page, msg->page, 1);
 *     rk_u64 n = visits_of(&self->by_page, msg->page);
 *
 * Zeros are counters of nothing. RK_COUNTERS(name, keys) makes the structure `name` and:
 *
 *     rk_status name_count(counters, key, n)  adds n. RK_FULL: the key is new and there are `keys` already:
 *                                             n was added to counters->rest
 *     rk_u64 name_of(counters, key)           0 of a key that has none
 *     rk_u64 name_drop(counters, key)         ends the key's counter, which makes room; returns what it was
 *
 * counters->total is the sum of all that was counted and not dropped, so it always equals the counters and
 * the rest. counters->by_key is the map of them (state/map.h), to visit. For the largest among any number of
 * keys see state/top.h. */
#ifndef RINGKERNEL_STATE_COUNTERS_H
#define RINGKERNEL_STATE_COUNTERS_H

#include "map.h"

#define RK_COUNTERS(name, keys)                                                    \
    RK_MAP(name##_by_key, keys, rk_u64)                                            \
    typedef struct name {                                                          \
        rk_u64 total, rest;                                                        \
        name##_by_key by_key;                                                      \
    } name;                                                                        \
    RK_FN rk_status name##_count(RK_GLOBAL name *counters, rk_u64 key, rk_u64 n)   \
    {                                                                              \
        RK_GLOBAL rk_u64 *counter;                                                 \
        rk_status status = name##_by_key_insert(&counters->by_key, key, &counter); \
        if (status == RK_OK)                                                       \
            *counter += n;                                                         \
        else                                                                       \
            counters->rest += n;                                                   \
        counters->total += n;                                                      \
        return status;                                                             \
    }                                                                              \
    RK_FN rk_u64 name##_of(RK_GLOBAL name *counters, rk_u64 key)                   \
    {                                                                              \
        RK_GLOBAL rk_u64 *counter = name##_by_key_find(&counters->by_key, key);    \
        return counter ? *counter : 0;                                             \
    }                                                                              \
    RK_FN rk_u64 name##_drop(RK_GLOBAL name *counters, rk_u64 key)                 \
    {                                                                              \
        rk_u64 n = name##_of(counters, key);                                       \
        name##_by_key_erase(&counters->by_key, key);                               \
        counters->total -= n;                                                      \
        return n;                                                                  \
    }

#endif
