/* A map from 64-bit keys to values, of a fixed capacity, inside a kernel's state.
 *
 *     #include <ringkernel/kernel.h>
 *     #include <ringkernel/state/map.h>
 *
 *     RK_MAP(prices, 1024, rk_u64)                           // up to 1,024 keys
 *     typedef struct market { prices last; … } market;
 *
 *     RK_HANDLER(quote, trade, msg, market, self, .state = RK_PER_SHARD)
 *     {
 *         RK_GLOBAL rk_u64 *price;
 *         if (prices_insert(&self->last, msg->share, &price) == RK_OK) *price = msg->price;
 *         else rk_fail(RK_ARG, too_many_shares);
 *     }
 *
 * Zeros are an empty map, so a fresh state needs no preparation, and any key may be used, 0 too. RK_MAP(name,
 * keys, type) makes the structure `name` and:
 *
 *     type *name_find(map, key)             the key's value; 0: it isn't there
 *     rk_status name_insert(map, key, &at)  the key's value, all zeros if the key is new; RK_FULL: it is new
 *                                           and there are `keys` already: erase one, or count it elsewhere
 *     rk_u32 name_erase(map, key)           1: it was there
 *     rk_u32 name_next(map, from)           the first slot in use from slot `from` on; RK_MAP_END: none
 *
 *     for (rk_u32 s = prices_next(m, 0); s != RK_MAP_END; s = prices_next(m, s + 1)) // a visit
 *         … m->key[s], m->value[s] …
 *
 * map->count is the number of keys. A value stays where it is until a key is erased: then others move, so
 * pointers and slots are good until the next erase, and a visit that erases begins again. A visit costs the
 * slots, not the keys; of a large map visit a part in each call, and keep the slot in the state. The type is
 * a structure or a scalar. One thread of the group uses a map at a time, as a state of a shard or an actor is
 * used anyway. The host has the same functions for a copy of the state that rk_read_state made.
 *
 * Open addressing with linear probing; erasing shifts back what follows (Knuth, The Art of Computer
 * Programming, volume 3, section 6.4, algorithms L and R), so nothing is left behind that later searches
 * would walk over. There are half as many slots again as keys: when the map is full a search for a key that
 * is there looks at 2 slots on average, for one that isn't at 5, whatever the size. A slot's tag is its key's
 * home + 1, so a search reads a key only where that is the same, and a shift hashes nothing. The hash is not
 * secret: who may choose keys may choose those with one home, and then a search looks at all of them. */
#ifndef RINGKERNEL_STATE_MAP_H
#define RINGKERNEL_STATE_MAP_H

#include "../device/lane.h"
#include "../status.h"

#define RK_MAP_END 0xffffffffu /* no slot */
#define RK_MAP_MAX 0x40000000u /* keys of one map */
#define RK_MAP_SLOTS(keys) ((keys) + (keys) / 2u + 1u)

/* Tests count here how many slots are looked at. */
#if !defined(RK_MAP_PROBED)
#define RK_MAP_PROBED() ((void)0)
#endif

/* The slot at which the search for a key begins: its hash, scaled to the number of slots (Lemire, "Fast
 * random integer generation in an interval", ACM TOMACS 29(1), 2019). */
RK_FN rk_u32 rk_map_home(rk_u64 key, rk_u32 slots)
{
    return (rk_u32)(((rk_hash64(key) >> 32) * slots) >> 32);
}

/* The key's slot, or the free one at which it belongs (tag 0). There is always a free one. */
RK_FN rk_u32 rk_map_slot(RK_GLOBAL const rk_u32 *tag, RK_GLOBAL const rk_u64 *keys, rk_u32 slots, rk_u64 key)
{
    rk_u32 slot = rk_map_home(key, slots), wanted = slot + 1u;
    for (;; slot = slot + 1u < slots ? slot + 1u : 0u) {
        RK_MAP_PROBED();
        if (tag[slot] == 0 || (tag[slot] == wanted && keys[slot] == key)) return slot;
    }
}

/* The next slot behind `hole` whose entry may move into it: one whose home isn't between the two. RK_MAP_END:
 * the hole can be left free. */
RK_FN rk_u32 rk_map_follower(RK_GLOBAL const rk_u32 *tag, rk_u32 slots, rk_u32 hole)
{
    rk_u32 slot = hole;
    for (;;) {
        slot = slot + 1u < slots ? slot + 1u : 0u;
        RK_MAP_PROBED();
        if (tag[slot] == 0) return RK_MAP_END;
        rk_u32 home = tag[slot] - 1u;
        rk_u32 from_home = slot >= home ? slot - home : slot + slots - home;
        rk_u32 from_hole = slot >= hole ? slot - hole : slot + slots - hole;
        if (from_home >= from_hole) return slot;
    }
}

RK_FN rk_u32 rk_map_next(RK_GLOBAL const rk_u32 *tag, rk_u32 slots, rk_u32 from)
{
    while (from < slots && tag[from] == 0) from++;
    return from < slots ? from : RK_MAP_END;
}

RK_FN void rk_zero_global(RK_GLOBAL rk_u8 *bytes, rk_u32 size)
{
    for (rk_u32 i = 0; i < size; i++) bytes[i] = 0;
}

#define RK_MAP(name, keys, type)                                                             \
    RK_STATIC_ASSERT((keys) > 0 && (keys) <= RK_MAP_MAX, "RK_MAP: 1 to 2^30 keys");          \
    typedef struct name {                                                                    \
        rk_u32 count;                   /* keys */                                           \
        rk_u32 tag[RK_MAP_SLOTS(keys)]; /* home + 1; 0: the slot is free */                  \
        rk_u64 key[RK_MAP_SLOTS(keys)]; /* of slots in use */                                \
        type value[RK_MAP_SLOTS(keys)]; /* of slots in use */                                \
    } name;                                                                                  \
    RK_FN RK_GLOBAL type *name##_find(RK_GLOBAL name *map, rk_u64 key)                       \
    {                                                                                        \
        rk_u32 slot = rk_map_slot(map->tag, map->key, RK_MAP_SLOTS(keys), key);              \
        return map->tag[slot] != 0 ? &map->value[slot] : 0;                                  \
    }                                                                                        \
    RK_FN rk_status name##_insert(RK_GLOBAL name *map, rk_u64 key, RK_GLOBAL type **at)      \
    {                                                                                        \
        rk_u32 slot = rk_map_slot(map->tag, map->key, RK_MAP_SLOTS(keys), key);              \
        *at = &map->value[slot];                                                             \
        if (map->tag[slot] != 0) return RK_OK;                                               \
        *at = 0;                                                                             \
        if (map->count == (keys)) return RK_FULL;                                            \
        map->count++;                                                                        \
        map->tag[slot] = rk_map_home(key, RK_MAP_SLOTS(keys)) + 1u;                          \
        map->key[slot] = key;                                                                \
        rk_zero_global((RK_GLOBAL rk_u8 *)&map->value[slot], sizeof(type));                  \
        *at = &map->value[slot];                                                             \
        return RK_OK;                                                                        \
    }                                                                                        \
    RK_FN rk_u32 name##_erase(RK_GLOBAL name *map, rk_u64 key)                               \
    {                                                                                        \
        rk_u32 hole = rk_map_slot(map->tag, map->key, RK_MAP_SLOTS(keys), key), from;        \
        if (map->tag[hole] == 0) return 0;                                                   \
        while ((from = rk_map_follower(map->tag, RK_MAP_SLOTS(keys), hole)) != RK_MAP_END) { \
            map->tag[hole] = map->tag[from];                                                 \
            map->key[hole] = map->key[from];                                                 \
            map->value[hole] = map->value[from];                                             \
            hole = from;                                                                     \
        }                                                                                    \
        map->tag[hole] = 0;                                                                  \
        map->count--;                                                                        \
        return 1;                                                                            \
    }                                                                                        \
    RK_FN rk_u32 name##_next(RK_GLOBAL const name *map, rk_u32 from)                         \
    {                                                                                        \
        return rk_map_next(map->tag, RK_MAP_SLOTS(keys), from);                              \
    }

#endif
