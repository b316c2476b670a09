/* A lane and its consumer, laid out by hand in an arena of their own: what the tests of this folder stand
 * on.
 *
 * The memory is what a launch would lay out, and nothing of the library is linked: the protocol is all in
 * the headers. Messages carry their number and a checksum over all of their bytes, so one that is mixed
 * from two is found out. */
#ifndef RINGKERNEL_LANE_FIXTURE_TEST_H
#define RINGKERNEL_LANE_FIXTURE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ringkernel/device/publish.h"
#include "ringkernel/device/take.h"
#include "sanitized.h"

/* As many rounds as the build has time for: sanitizers are some twenty times slower. */
static inline rk_u32 rounds(rk_u32 release) { return SANITIZED ? release / 20u : release; }

/* ------------------------------------------------------------------ arena */

typedef struct arena {
    rk_byte *base;
    rk_u64 size;
    rk_u64 used;
} arena;

static inline arena arena_open(rk_u64 size)
{
    arena a = { .base = aligned_alloc(RK_LINE, size), .size = size, .used = RK_LINE };
    assert_non_null(a.base);
    memset(a.base, 0, size);
    return a;
}

static inline void arena_close(arena *a) { free(a->base); }

static inline rk_u64 arena_reserve(arena *a, rk_u64 bytes)
{
    rk_u64 at = a->used;
    a->used += (bytes + RK_LINE - 1u) / RK_LINE * RK_LINE;
    assert_true(a->used <= a->size);
    return at;
}

/* ------------------------------------------------------------------ lane */

typedef struct lane_shape {
    rk_u32 capacity;    /* default 16 */
    rk_u32 bands;       /* default 1 */
    rk_u32 strategy;    /* default Block */
    rk_u32 window;      /* default 0 */
    rk_u32 slot_size;   /* default 64 */
    rk_u32 header_size; /* default long with a window, else short */
    rk_u32 format;      /* default seq */
    rk_u32 single;
    rk_u32 counted;
    rk_u64 start;
} lane_shape;

static inline lane_shape lane_shape_whole(lane_shape shape)
{
    if (!shape.capacity) shape.capacity = 16;
    if (!shape.bands) shape.bands = 1;
    if (!shape.slot_size) shape.slot_size = 64;
    if (!shape.header_size) shape.header_size = shape.window ? RK_HEADER_LONG : RK_HEADER_SHORT;
    return shape;
}

/* The slots as launch leaves them: each unit holds the lap before the first one that is expected there. */
static inline void ring_lay_slots(rk_ring *ring, rk_byte *base)
{
    for (rk_u32 i = 0; i < ring->capacity; i++) {
        rk_u64 index = ring->start + i;
        rk_byte *slot = rk_ring_slot(ring, base, index);
        rk_u32 lap = rk_ring_lap(ring, index) - ring->capacity;
        for (rk_u32 unit = 0; unit < ring->slot_size / 16u; unit++)
            memcpy(slot + unit * 16u, &lap, sizeof lap);
    }
}

static inline rk_u64 ring_lay(arena *a, lane_shape shape)
{
    shape = lane_shape_whole(shape);
    rk_u64 offset = arena_reserve(a, sizeof(rk_ring));
    rk_ring *ring = (rk_ring *)(a->base + offset);
    ring->tail = ring->head = ring->start = shape.start;
    ring->cached_head = ring->cached_tail = ring->evicted = shape.start;
    ring->capacity = shape.capacity;
    ring->mask = shape.capacity - 1u;
    ring->stamp_shift = rk_stamp_shift_for(shape.capacity);
    ring->slot_size = shape.slot_size;
    ring->slot_shift = rk_log2_u64(shape.slot_size);
    ring->header_size = shape.header_size;
    ring->single = shape.single;
    ring->counted = shape.counted;
    ring->room = shape.counted ? shape.capacity : 0;
    ring->overwritten = shape.strategy == RK_BACKPRESSURE_DROP_OLDEST;
    ring->format = ring->overwritten ? RK_FORMAT_SEQ : shape.format;
    ring->payload_max = rk_slot_payload(ring->slot_size, ring->header_size, ring->format);
    ring->slots = arena_reserve(a, (rk_u64)shape.capacity * shape.slot_size);
    ring_lay_slots(ring, a->base);
    return offset;
}

static inline rk_lane *lane_lay(arena *a, lane_shape shape)
{
    shape = lane_shape_whole(shape);
    rk_lane *lane = (rk_lane *)(a->base + arena_reserve(a, sizeof(rk_lane)));
    lane->capacity = shape.capacity;
    lane->bands = shape.bands;
    lane->strategy = shape.strategy;
    lane->window = shape.window;
    lane->locked = shape.window || shape.bands > 1 || shape.strategy == RK_BACKPRESSURE_DROP_OLDEST;
    lane->boundary[0] = 64;
    lane->boundary[1] = 128;
    lane->boundary[2] = 192;
    for (rk_u32 band = 0; band < shape.bands; band++) lane->rings[band] = ring_lay(a, shape);
    if (shape.window) {
        rk_u32 entries = 4;
        while (entries < 2u * shape.window) entries *= 2u;
        lane->window_mask = entries - 1u;
        lane->window_ids = arena_reserve(a, 8u * (rk_u64)shape.window);
        lane->window_table = arena_reserve(a, 8u * (rk_u64)entries);
    }
    return lane;
}

/* ------------------------------------------------------------------ consumer */

typedef struct consumer {
    rk_context context;
    rk_shard *shard;
} consumer;

/* A shard with these two lanes, of which nothing but taking and committing is used. */
static inline void consumer_open(consumer *c, arena *a, rk_lane *first, rk_lane *second, rk_u32 max_batch)
{
    memset(c, 0, sizeof *c);
    c->shard = (rk_shard *)(a->base + arena_reserve(a, sizeof(rk_shard)));
    c->shard->max_batch = max_batch;
    c->shard->copy_shift = 11;
    c->shard->copies = arena_reserve(a, (rk_u64)max_batch << c->shard->copy_shift);
    c->shard->lane[0] = (rk_u64)((rk_byte *)first - a->base);
    c->shard->lane[1] = (rk_u64)((rk_byte *)second - a->base);
    c->context.arena = a->base;
    c->context.shard = c->shard;
    c->context.turn = &c->shard->turn;
}

/* ------------------------------------------------------------------ messages */

typedef union message_header {
    rk_header_long full;
    rk_u32 word[RK_HEADER_LONG / 4u];
} message_header;

typedef struct message {
    message_header header;
    rk_u8 payload[RK_INLINE_MAX + 16u] __attribute__((aligned(16)));
} message;

/* What the payload of a test message begins with; the rest of it are bytes that follow from the number. */
typedef struct numbered {
    rk_u32 producer;
    rk_u32 number;
    rk_u32 checksum;
} numbered;

static inline rk_u32 checksum(const rk_u8 *bytes, rk_u32 length)
{
    rk_u32 sum = 2166136261u; /* FNV-1a */
    for (rk_u32 i = 0; i < length; i++) sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

/* Bytes of the payload, any length from 0. */
static inline void message_fill(message *m, rk_u32 length, rk_u32 seed)
{
    memset(m, 0, sizeof *m);
    m->header.full.base.type = (rk_u16)(1u + seed % 65535u);
    m->header.full.base.length = (rk_u16)length;
    m->header.full.base.target = seed * 2654435761u;
    m->header.full.base.source = (rk_u16)(seed * 7u);
    m->header.full.base.priority = (rk_u8)(seed * 5u);
    m->header.full.id = rk_hash64(seed);
    m->header.full.correlation = rk_hash64(seed + 1u);
    m->header.full.sent_ns = rk_hash64(seed + 2u);
    m->header.full.ttl_us = seed + 3u;
    m->header.full.attempts = (rk_u8)(seed + 4u);
    m->header.full.version = RK_WIRE_VERSION;
    m->header.full.source_shard = (rk_u16)(seed + 5u);
    for (rk_u32 i = 0; i < length; i++) m->payload[i] = (rk_u8)(rk_hash64(seed) >> (i % 8u * 8u)) ^ (rk_u8)i;
}

/* A numbered message of `length` bytes, at least those of `numbered`. */
static inline void message_number(message *m, rk_u32 length, rk_u32 producer, rk_u32 number)
{
    memset(&m->header, 0, sizeof m->header);
    m->header.full.base.type = 1;
    m->header.full.base.length = (rk_u16)length;
    m->header.full.base.target = producer;
    for (rk_u32 i = sizeof(numbered); i < length; i++) m->payload[i] = (rk_u8)(number * 31u + i);
    numbered n = { producer, number, 0 };
    memcpy(m->payload, &n, sizeof n);
    n.checksum = checksum(m->payload, length);
    memcpy(m->payload, &n, sizeof n);
}

/* The number of a message in a slot or a copy. 0: it is not as it was sent. */
static inline int message_whole(const rk_byte *slot, rk_u32 header_size, numbered *out)
{
    rk_header header;
    memcpy(&header, slot, sizeof header);
    memset(out, 0, sizeof *out);
    if (header.length < sizeof *out || header.length > RK_INLINE_MAX) return 0;
    rk_u8 payload[RK_INLINE_MAX];
    memcpy(payload, slot + header_size, header.length);
    memcpy(out, payload, sizeof *out);
    memset(payload + offsetof(numbered, checksum), 0, sizeof out->checksum);
    return checksum(payload, header.length) == out->checksum && header.target == out->producer &&
           header.type == 1;
}

/* Is what lies in a slot or a copy this very message, header and payload? The lap is not looked at. */
static inline int message_same(const rk_byte *slot, rk_u32 header_size, const message *m)
{
    return !memcmp(slot + 4, (const rk_u8 *)&m->header + 4, header_size - 4u) &&
           !memcmp(slot + header_size, m->payload, m->header.full.base.length);
}

static inline rk_status lane_put(rk_lane *lane, arena *a, const message *m)
{
    return rk_lane_put(lane, a->base, m->header.word, m->payload, m->header.full.base.length, 0,
                       RK_UNTIL_KNOWN);
}

/* A send of a message of 12 bytes with nothing but number, priority and id. */
static inline rk_status lane_put_number(rk_lane *lane, arena *a, rk_u32 number, rk_u8 priority, rk_u64 id)
{
    message m;
    message_number(&m, sizeof(numbered), 0, number);
    m.header.full.base.priority = priority;
    m.header.full.id = id;
    return lane_put(lane, a, &m);
}

/* Take and commit up to `most` messages; their numbers. Fails the test when one is mixed from two. */
static inline rk_u32 lane_take_numbers(consumer *c, rk_u32 most, rk_u32 *numbers)
{
    rk_u32 n = 0;
    rk_take(&c->context, most);
    for (rk_u32 v = 0; v < c->context.turn->views; v++) {
        const rk_view *view = &c->context.turn->view[v];
        for (rk_u32 i = 0; i < view->n; i++) {
            numbered got;
            assert_true(message_whole(rk_view_slot(view, c->context.arena, i), view->header_size, &got));
            numbers[n++] = got.number;
        }
    }
    rk_take_commit(&c->context);
    return n;
}

#endif
