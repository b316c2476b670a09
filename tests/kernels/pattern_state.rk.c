/* Kernels that keep each kind of container in their state, per shard and per actor, and a large cache. */
#include <ringkernel/kernel.h>
#include <ringkernel/state/average.h>
#include <ringkernel/state/counters.h>
#include <ringkernel/state/extremes.h>
#include <ringkernel/state/histogram.h>
#include <ringkernel/state/timed_cache.h>
#include <ringkernel/state/top.h>

#include "pattern_state.rk.h"

RK_MAP(kept_map, KEPT_KEYS, rk_i64)
RK_CACHE(kept_cache, KEPT_ENTRIES, rk_i64)
RK_TIMED_CACHE(kept_loans, KEPT_ENTRIES, rk_i64)
RK_AVERAGE(kept_integers, KEPT_VALUES, rk_i64)
RK_AVERAGE(kept_floats, KEPT_VALUES, rk_f32)
RK_EXTREMES(kept_range, KEPT_VALUES, rk_i64)
RK_COUNTERS(kept_counters, KEPT_KEYS)
RK_TOP(kept_top, KEPT_TOP)
RK_CACHE(large_cache, LARGE_ENTRIES, rk_i64)
RK_CACHE(largest_cache, 1000000, rk_u32)

typedef struct shelf {
    kept_map map;
    kept_cache cache;
    kept_loans loans;
    kept_integers integers;
    kept_floats floats;
    rk_exponential_f32 trend;
    kept_range range;
    kept_counters counters;
    kept_top top;
    rk_histogram spread;
} shelf;

RK_FN void keep_in_map(RK_GLOBAL kept_map *map, RK_MSG const keeping *msg, kept *out)
{
    RK_GLOBAL rk_i64 *at;
    if (msg->operation == KEPT_ERASE) {
        out->number[0] = kept_map_erase(map, msg->key);
    } else {
        out->number[0] = kept_map_insert(map, msg->key, &at);
        if (at) out->number[1] = *at += msg->value;
    }
    out->number[2] = map->count;
}

RK_FN void keep_in_cache(RK_GLOBAL kept_cache *cache, RK_MSG const keeping *msg, kept *out)
{
    rk_i64 value = msg->value;
    kept_cache_entry gone;
    if (msg->operation == KEPT_PUT) {
        if (kept_cache_put(cache, msg->key, &value, &gone)) {
            out->key = gone.key;
            out->number[0] = gone.value;
        }
    } else {
        RK_GLOBAL rk_i64 *found = kept_cache_get(cache, msg->key);
        if (found) out->number[0] = *found;
    }
    out->number[1] = (rk_i64)cache->hits;
    out->number[2] = (rk_i64)cache->misses;
    out->number[3] = (rk_i64)cache->evictions;
}

RK_FN void keep_average(RK_GLOBAL shelf *self, RK_MSG const keeping *msg, kept *out)
{
    kept_integers_add(&self->integers, msg->value);
    kept_floats_add(&self->floats, (rk_f32)msg->value * 0.1f);
    kept_range_add(&self->range, msg->value);
    rk_exponential_f32_add(&self->trend, (rk_f32)msg->value, 0.25f);
    out->number[0] = kept_integers_sum(&self->integers);
    out->number[1] = kept_range_least(&self->range);
    out->number[2] = kept_range_greatest(&self->range);
    out->number[3] = (rk_i64)(self->trend.mean * 1024.0f);
    out->mean = kept_floats_sum(&self->floats);
}

RK_FN void keep_count(RK_GLOBAL shelf *self, RK_MSG const keeping *msg, kept *out)
{
    out->number[0] = kept_counters_count(&self->counters, msg->key, 1);
    out->number[1] = (rk_i64)kept_counters_of(&self->counters, msg->key);
    kept_top_count(&self->top, msg->key, 1);
    RK_GLOBAL rk_top_entry *first = &self->top.entry[kept_top_next(&self->top, 0)];
    out->key = first->key;
    out->number[2] = (rk_i64)first->count;
    out->number[3] = (rk_i64)first->error;
}

RK_FN void keep_spread(RK_GLOBAL rk_histogram *spread, RK_MSG const keeping *msg, kept *out)
{
    rk_histogram_add(spread, (rk_u64)msg->value, 1);
    out->number[0] = (rk_i64)rk_histogram_quantile(spread, 1, 2);
    out->number[1] = (rk_i64)rk_histogram_mean(spread);
    out->number[2] = (rk_i64)spread->max_ns;
}

/* The value is the time to live. */
RK_FN void keep_loan(RK_CTX, RK_GLOBAL kept_loans *loans, RK_MSG const keeping *msg, kept *out)
{
    rk_i64 value = msg->value;
    kept_loans_entry gone;
    if (msg->operation == KEPT_LEND) {
        kept_loans_put(loans, msg->key, &value, rk_now_ns() + (rk_u64)value, &gone);
    } else {
        RK_GLOBAL rk_i64 *found = kept_loans_get(loans, msg->key, rk_now_ns());
        if (found) out->number[0] = *found;
    }
    out->number[1] = (rk_i64)loans->held.hits;
    out->number[2] = (rk_i64)loans->held.misses;
    out->number[3] = (rk_i64)loans->expired;
}

RK_FN void keep(RK_CTX, RK_GLOBAL shelf *self, RK_MSG const keeping *msg)
{
    kept out = { .key = 0 };
    out.operation = msg->operation;
    out.actor = msg->actor;
    switch (msg->operation) {
    case KEPT_INSERT:
    case KEPT_ERASE: keep_in_map(&self->map, msg, &out); break;
    case KEPT_PUT:
    case KEPT_GET: keep_in_cache(&self->cache, msg, &out); break;
    case KEPT_AVERAGE: keep_average(self, msg, &out); break;
    case KEPT_COUNT: keep_count(self, msg, &out); break;
    case KEPT_SPREAD: keep_spread(&self->spread, msg, &out); break;
    default: keep_loan(RK_ARG, &self->loans, msg, &out); break;
    }
    rk_send(RK_ARG, &out);
}

RK_HANDLER(shelves, keeping, msg, shelf, self, .state = RK_PER_SHARD, .mode = RK_ADAPTIVE, .max_batch = 64)
{
    keep(RK_ARG, self, msg);
}

RK_HANDLER(shelf_actors, keeping, msg, shelf, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE,
           .max_batch = 64)
{
    keep(RK_ARG, self, msg);
}

RK_HANDLER(large_shelf, keeping, msg, large_cache, self, .state = RK_PER_SHARD, .mode = RK_ADAPTIVE,
           .max_batch = 64)
{
    kept out = { .key = 0 };
    rk_i64 value = msg->value;
    large_cache_entry gone;
    out.operation = msg->operation;
    if (msg->operation == KEPT_PUT) {
        if (large_cache_put(self, msg->key, &value, &gone)) {
            out.key = gone.key;
            out.number[0] = gone.value;
            out.number[1] = 1;
        }
    } else {
        RK_GLOBAL rk_i64 *found = large_cache_get(self, msg->key);
        out.number[1] = found != 0;
        if (found) out.number[0] = *found;
    }
    rk_send(RK_ARG, &out);
}

/* Puts as many keys as the value says, from the message's on; or gets one. */
RK_HANDLER(largest_shelf, keeping, msg, largest_cache, self, .state = RK_PER_SHARD)
{
    kept out = { .key = 0 };
    largest_cache_entry gone;
    out.operation = msg->operation;
    if (msg->operation == KEPT_PUT) {
        for (rk_i64 i = 0; i < msg->value; i++) {
            rk_u32 value = (rk_u32)msg->key + (rk_u32)i + 5u;
            if (largest_cache_put(self, msg->key + (rk_u64)i, &value, &gone)) out.key = gone.key;
        }
    } else {
        RK_GLOBAL rk_u32 *found = largest_cache_get(self, msg->key);
        if (found) out.number[0] = *found;
    }
    out.number[1] = (rk_i64)self->evictions;
    out.number[2] = (rk_i64)self->hits;
    rk_send(RK_ARG, &out);
}
