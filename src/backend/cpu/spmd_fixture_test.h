/* A shard laid out by hand with its batch in one view, in which SPMD kernels of the test's own file run:
 * nothing publishes or commits, so what they staged is there to be looked at. Included once, by a test
 * program. */
#ifndef RINGKERNEL_SPMD_FIXTURE_TEST_H
#define RINGKERNEL_SPMD_FIXTURE_TEST_H

#include "ringkernel/kernel.h"

#include "backend/cpu/spmd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ kernels */

RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(answer, 2, (rk_i64, value), (rk_i64, more))
RK_MESSAGE(stranger, 3, (rk_i64, value))
RK_BLOB(bulk, 4, 4096)
RK_REASON(unlucky)

static inline rk_i64 received_value(RK_CTX)
{
    number in;
    return rk_try_receive(RK_ARG, &in) ? in.value : 0;
}

static inline void send_answer(RK_CTX, rk_i64 value, rk_i64 more)
{
    answer out = { value, more };
    rk_send(RK_ARG, &out);
}

/* The guide's tree over the block, by halves for any size. */
RK_SPMD_KERNEL(block_sum, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, part, rk_threads());
    part[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_BLOCK);
    for (rk_u32 n = rk_threads(); n > 1;) {
        rk_u32 kept = (n + 1u) / 2u;
        if (rk_thread() < n - kept) part[rk_thread()] += part[rk_thread() + kept];
        rk_barrier(RK_SCOPE_BLOCK);
        n = kept;
    }
    if (rk_thread() == 0) send_answer(RK_ARG, part[0], 0);
}

RK_SPMD_KERNEL(neighbour, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, state, rk_threads());
    state[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_BLOCK);
    send_answer(RK_ARG, state[rk_thread()], state[(rk_thread() + 1u) % rk_threads()]);
}

/* ------------------------------------------------------------------ a shard by hand */

/* The runtime's, and not under test: kernels are found in this file's own table. */
void rk_link_module(rk_module *module_table) { (void)module_table; }

static char failure[2048];
static rk_u32 failures;

void rk_cpu_shard_failed(rk_context *context, const char *text)
{
    (void)context;
    failures++;
    snprintf(failure, sizeof failure, "%s", text);
}

static inline void nothing_to_wake(rk_context *context, rk_lane *lane)
{
    (void)context;
    (void)lane;
}

static const rk_services services = {
    .size = sizeof(rk_services),
    .wake = nothing_to_wake,
    .room = nothing_to_wake,
    .barrier = rk_spmd_barrier,
    .exchange = rk_spmd_exchange,
    .ballot = rk_spmd_ballot,
    .reduce = rk_spmd_reduce,
};

enum {
    ARENA_BYTES = 4 << 20,
    SLOT_SHIFT = 6,
    STAGE_STRIDE = sizeof(rk_staged) + 64,
    POOL_BLOCKS = 4,
    POOL_BLOCK_BYTES = 4096,
    LOG_SLOTS = 16,
    LOG_SLOT_SHIFT = 8
};

typedef struct block {
    rk_byte *arena;
    rk_u64 used;
    rk_shard *shard;
    rk_context context;
} block;

static inline void *place(block *b, rk_u64 bytes, rk_u64 *offset)
{
    *offset = b->used;
    b->used += (bytes + 127u) / 128u * 128u;
    assert_true(b->used <= ARENA_BYTES);
    return b->arena + *offset;
}

/* An open ring of `seq` slots, as the report lane and a pool's returns are. */
static inline void place_ring(block *b, rk_ring *ring, rk_u32 capacity, rk_u32 slot_shift)
{
    rk_u32 *slots = place(b, (rk_u64)capacity << slot_shift, &ring->slots);
    ring->capacity = capacity;
    ring->mask = capacity - 1u;
    ring->stamp_shift = rk_stamp_shift_for(capacity);
    ring->slot_shift = slot_shift;
    ring->slot_size = 1u << slot_shift;
    ring->header_size = RK_HEADER_LONG;
    ring->single = 1;
    for (rk_u32 i = 0; i < capacity; i++) slots[i << slot_shift >> 2] = 0u - capacity;
}

static inline void place_report_lane(block *b)
{
    rk_lane *lane = place(b, sizeof *lane, &b->shard->report_lane);
    lane->bands = 1;
    place_ring(b, place(b, sizeof(rk_ring), &lane->rings[0]), LOG_SLOTS, LOG_SLOT_SHIFT);
}

static inline void place_pool(block *b)
{
    rk_u64 *table = place(b, sizeof(rk_u64), &b->shard->pool_table);
    rk_pool *pool = place(b, sizeof *pool, &b->shard->pool);
    table[0] = b->shard->pool;
    pool->block_size = POOL_BLOCK_BYTES;
    pool->block_count = pool->free_count = POOL_BLOCKS;
    place(b, (rk_u64)POOL_BLOCKS * POOL_BLOCK_BYTES, &pool->blocks);
    rk_u32 *free_list = place(b, POOL_BLOCKS * sizeof *free_list, &pool->free_list);
    for (rk_u32 i = 0; i < POOL_BLOCKS; i++) free_list[i] = i;
    place_ring(b, place(b, sizeof(rk_ring), &pool->returns[0]), POOL_BLOCKS, SLOT_SHIFT);
    pool->returns[1] = pool->returns[0];
}

static inline void block_open(block *b, rk_u32 threads, rk_u32 max_sends)
{
    rk_u64 ignored;
    memset(b, 0, sizeof *b);
    b->arena = aligned_alloc(128, ARENA_BYTES);
    assert_non_null(b->arena);
    memset(b->arena, 0, ARENA_BYTES);
    b->used = 128;
    b->shard = place(b, sizeof *b->shard, &ignored);
    b->shard->source = 1;
    b->shard->shards = 1;
    b->shard->width = RK_BLOCK;
    b->shard->threads = b->shard->max_batch = threads;
    b->shard->max_sends = max_sends;
    b->shard->shared_size = threads * 16u > 4096u ? threads * 16u : 4096u;
    b->shard->log_limit = 10;
    b->shard->stage_stride = STAGE_STRIDE;
    b->shard->stage_capacity = threads * (max_sends + RK_STAGE_EXTRA);
    place(b, (rk_u64)b->shard->stage_capacity * STAGE_STRIDE, &b->shard->stage);
    place(b, b->shard->shared_size, &b->shard->shared);
    place(b, 64, &b->shard->parameters);
    place_report_lane(b);
    place_pool(b);

    rk_view *view = &b->shard->turn.view[0];
    place(b, (rk_u64)threads << SLOT_SHIFT, &view->base);
    view->mask = 0xffffffffu;
    view->shift = SLOT_SHIFT;
    view->header_size = RK_HEADER_SHORT;
    b->shard->turn.views = 1;

    b->context.arena = b->arena;
    b->context.shard = b->shard;
    b->context.turn = &b->shard->turn;
    b->context.stage = b->arena + b->shard->stage;
    b->context.stage_stride = STAGE_STRIDE;
    b->context.parameters = (const rk_u64 *)(void *)(b->arena + b->shard->parameters);
    b->context.shared = b->arena + b->shard->shared;
    b->context.services = &services;
    b->context.now_ns = 5000000000ul;
    failures = 0;
    failure[0] = 0;
}

static inline void block_close(block *b) { free(b->arena); }

static inline rk_header *message_at(block *b, rk_u32 i)
{
    return (rk_header *)(void *)rk_view_slot(&b->shard->turn.view[0], b->arena, i);
}

/* A batch of n messages with values first, first + step, … */
static inline void given_batch(block *b, rk_u32 n, rk_i64 first, rk_i64 step)
{
    rk_view *view = &b->shard->turn.view[0];
    view->expired = view->dead = view->lost = view->withdrawn = view->replies = 0;
    view->n = b->shard->turn.n = n;
    b->shard->turn.failed = 0;
    for (rk_u32 i = 0; i < n; i++) {
        rk_header *header = message_at(b, i);
        number message = { first + step * (rk_i64)i };
        memset(header, 0, sizeof *header);
        header->type = RK_TYPE_ID(number);
        header->length = sizeof message;
        memcpy(header + 1, &message, sizeof message);
    }
}

static const rk_declaration *kernel_named(const char *name)
{
    const rk_declaration *d = RK_THIS_MODULE.declarations;
    while (d && !(d->kind == RK_DECLARES_SPMD && strcmp(d->kernel_name, name) == 0)) d = d->next;
    assert_non_null(d);
    return d;
}

static inline void when_run(block *b, const char *kernel, rk_u32 check)
{
    b->context.stage_next = 0;
    rk_spmd_handle(&b->context, kernel_named(kernel), check);
}

static inline rk_staged *staged_at(block *b, rk_u32 i)
{
    assert_true(i < b->context.stage_next);
    return rk_stage_entry(b->context.stage, STAGE_STRIDE, i);
}

static inline answer answer_at(block *b, rk_u32 i)
{
    answer out;
    assert_int_equal(staged_at(b, i)->header.base.type, RK_TYPE_ID(answer));
    memcpy(&out, staged_at(b, i) + 1, sizeof out);
    return out;
}

static inline void assert_dead(block *b, rk_u32 i, rk_u32 reason, rk_i64 value)
{
    rk_staged *entry = staged_at(b, i);
    rk_i64 payload;
    memcpy(&payload, entry + 1, sizeof payload);
    assert_int_equal(entry->route, RK_TO_REPORT);
    assert_int_equal(entry->report.kind, RK_REPORT_DEAD);
    assert_int_equal(entry->report.reason, reason);
    assert_int_equal(payload, value);
}

/* The kernel has failed, all messages of the batch are dead letters, and nothing else was sent. */
static inline void assert_failed(block *b, const char *text)
{
    assert_int_equal(failures, 1);
    assert_int_equal(b->shard->turn.failed, RK_FAILED);
    assert_string_equal(failure, text);
    assert_int_equal(b->shard->turn.view[0].dead, b->shard->turn.n);
    assert_int_equal(b->context.stage_next, b->shard->turn.n);
    for (rk_u32 i = 0; i < b->context.stage_next; i++)
        assert_int_equal(staged_at(b, i)->report.reason, RK_REASON_STATUS + RK_FAILED);
    failures = 0;
}

static inline void assert_sound(block *b)
{
    if (failures) print_message("%s\n", failure);
    assert_int_equal(failures, 0);
    assert_int_equal(b->shard->turn.failed, 0);
}

/* Sum of first + step * i over [from, from + n). */
static inline rk_i64 series(rk_i64 first, rk_i64 step, rk_i64 from, rk_i64 n)
{
    return first * n + step * (from * n + n * (n - 1) / 2);
}

#endif
