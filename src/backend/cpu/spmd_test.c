/* SPMD kernels on the CPU: results that are exact for any block size, divergence that is found and named,
 * scopes that are too narrow. A shard is laid out by hand here, with the batch in one view; nothing
 * publishes or commits. */
#include "ringkernel/kernel.h"

#include "backend/cpu/fiber.h"
#include "backend/cpu/spmd.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ kernels */

RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(answer, 2, (rk_i64, value), (rk_i64, more))
RK_MESSAGE(stranger, 3, (rk_i64, value))
RK_BLOB(bulk, 4, 4096)
RK_REASON(unlucky)

static rk_i64 received_value(RK_CTX)
{
    number in;
    return rk_try_receive(RK_ARG, &in) ? in.value : 0;
}

static void send_answer(RK_CTX, rk_i64 value, rk_i64 more)
{
    answer out = { value, more };
    rk_send(RK_ARG, &out);
}

/* The guide's tree over a warp, for warps that are not full as well. */
RK_SPMD_KERNEL(warp_sum, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_WARP)
{
    rk_i64 v = received_value(RK_ARG);
    for (rk_u32 d = RK_WARP_SIZE / 2u; d > 0; d /= 2u) {
        rk_i64 other = rk_shuffle_down_i64(v, d);
        if (rk_lane() + d < RK_WARP_SIZE && rk_thread() + d < rk_threads()) v += other;
        rk_barrier(RK_SCOPE_WARP);
    }
    if (rk_lane() == 0) send_answer(RK_ARG, v, rk_warp());
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

RK_SPMD_KERNEL(reduce, number, answer, .width = RK_BLOCK)
{
    rk_i64 v = received_value(RK_ARG);
    rk_i64 of_warp = rk_reduce_add(v, RK_SCOPE_WARP);
    rk_i64 of_block = rk_reduce_add(v, RK_SCOPE_BLOCK);
    send_answer(RK_ARG, of_block, of_warp);
}

RK_SPMD_KERNEL(neighbour, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, state, rk_threads());
    state[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_BLOCK);
    send_answer(RK_ARG, state[rk_thread()], state[(rk_thread() + 1u) % rk_threads()]);
}

RK_SPMD_KERNEL(shuffles, number, answer, .width = RK_BLOCK)
{
    rk_i32 mine = (rk_i32)received_value(RK_ARG);
    rk_i32 down = rk_shuffle_down(mine, 3);
    rk_i32 swapped = rk_shuffle_xor(mine, 1);
    rk_f32 third = rk_shuffle_f32((rk_f32)mine + 0.5f, 3);
    send_answer(RK_ARG, (rk_i64)down * 100000 + swapped, (rk_i64)(third * 2.0f));
}

RK_SPMD_KERNEL(votes, number, answer, .width = RK_BLOCK)
{
    rk_i64 v = received_value(RK_ARG);
    rk_u32 odd = rk_ballot(v & 1);
    rk_u32 some = rk_any(v == 77, RK_SCOPE_BLOCK);
    rk_u32 near = rk_any(v == 77, RK_SCOPE_WARP);
    send_answer(RK_ARG, odd, some * 2u + near);
}

RK_SPMD_KERNEL(unlucky_one, number, answer, .width = RK_BLOCK, .max_sends = 2)
{
    rk_i64 v = received_value(RK_ARG);
    send_answer(RK_ARG, v, 1);
    rk_barrier(RK_SCOPE_BLOCK);
    if (v == 13) rk_fail(RK_ARG, unlucky);
    send_answer(RK_ARG, v, 2);
}

RK_SPMD_KERNEL(too_many, number, answer, .width = RK_BLOCK)
{
    rk_i64 v = received_value(RK_ARG);
    for (rk_i64 i = 0; i < v; i++) send_answer(RK_ARG, v, i);
}

RK_SPMD_KERNEL(not_interested, number, answer, .width = RK_BLOCK)
{
    send_answer(RK_ARG, rk_thread(), rk_ctx->header != 0);
}

RK_SPMD_KERNEL(bulky, number, answer, .width = RK_BLOCK)
{
    static const rk_u8 bytes[2000] = { 42 };
    if (rk_thread() < 2u) rk_send_bytes(RK_ARG, bulk, bytes, sizeof bytes);
    rk_barrier(RK_SCOPE_BLOCK);
    if (received_value(RK_ARG) == 1) rk_fail(RK_ARG, unlucky);
}

/* Divergence, each with the line that the text must name. */
enum { HALF_LEAVES_LINE = __LINE__ + 3 };
RK_SPMD_KERNEL(half_leaves, number, answer, .width = RK_BLOCK)
{
    if (rk_lane() < 16u) rk_barrier(RK_SCOPE_WARP);
}

enum { TWO_PLACES_LINE = __LINE__ + 4 };
RK_SPMD_KERNEL(two_places, number, answer, .width = RK_BLOCK)
{
    if (rk_thread() % 2u)
        rk_barrier(RK_SCOPE_BLOCK);
    else
        rk_barrier(RK_SCOPE_BLOCK);
    send_answer(RK_ARG, 0, 0);
}

enum { SOME_LEAVE_LINE = __LINE__ + 4 };
RK_SPMD_KERNEL(some_leave, number, answer, .width = RK_BLOCK)
{
    if (received_value(RK_ARG) >= 100) return;
    rk_barrier(RK_SCOPE_BLOCK);
    rk_barrier(RK_SCOPE_WARP);
}

enum { WARP_LEAVES_LINE = __LINE__ + 3 };
RK_SPMD_KERNEL(warp_leaves, number, answer, .width = RK_BLOCK)
{
    if (rk_warp() != 1u) (void)rk_reduce_add(1, RK_SCOPE_BLOCK);
}

enum { TWO_SCOPES_LINE = __LINE__ + 3 };
RK_SPMD_KERNEL(two_scopes, number, answer, .width = RK_BLOCK)
{
    rk_barrier(rk_thread() == 5u ? RK_SCOPE_WARP : RK_SCOPE_BLOCK);
}

/* The guide's first pitfall, and the same with the right scope. */
enum { WRONG_SCOPE_LINE = __LINE__ + 5 };
RK_SPMD_KERNEL(wrong_scope, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_WARP)
{
    RK_SHARED(rk_i64, part, 256);
    part[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_WARP);
    rk_i64 mixed = part[0] ^ part[64] ^ part[128]; /* no sum: what was never written may be any number */
    send_answer(RK_ARG, mixed, 0);
}

RK_SPMD_KERNEL(right_scope, number, answer, .width = RK_BLOCK, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, part, 256);
    part[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_BLOCK);
    send_answer(RK_ARG, part[0] + part[64] + part[128], 0);
}

RK_SPMD_KERNEL(no_barrier, number, answer, .width = RK_BLOCK)
{
    RK_SHARED(rk_i64, part, 32);
    part[rk_thread()] = received_value(RK_ARG);
    send_answer(RK_ARG, part[0], part[31]);
}

/* Everything that a trial run must not do twice. */
RK_SPMD_KERNEL(busybody, number, answer, .width = RK_BLOCK, .max_sends = 3, .barrier = RK_SCOPE_BLOCK)
{
    RK_SHARED(rk_i64, part, rk_threads());
    part[rk_thread()] = received_value(RK_ARG);
    rk_barrier(RK_SCOPE_BLOCK);
    if (rk_thread() == 1u) rk_log(RK_ARG, RK_INFO, "once");
    if (rk_thread() == 2u) rk_stage_reply(RK_ARG, rk_ctx->header, RK_TYPE_ID(answer), "12345678", 8);
    if (rk_thread() == 3u) rk_fail(RK_ARG, unlucky);
    if (rk_thread() == 4u) {
        static const rk_u8 bytes[2000] = { 42 };
        rk_send_bytes(RK_ARG, bulk, bytes, sizeof bytes);
    }
    send_answer(RK_ARG, part[(rk_thread() + 1u) % rk_threads()], 0);
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

static void nothing_to_wake(rk_context *context, rk_lane *lane)
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

static void *place(block *b, rk_u64 bytes, rk_u64 *offset)
{
    *offset = b->used;
    b->used += (bytes + 127u) / 128u * 128u;
    assert_true(b->used <= ARENA_BYTES);
    return b->arena + *offset;
}

/* An open ring of `seq` slots, as the report lane and a pool's returns are. */
static void place_ring(block *b, rk_ring *ring, rk_u32 capacity, rk_u32 slot_shift)
{
    rk_u32 *slots = place(b, (rk_u64)capacity << slot_shift, &ring->slots);
    ring->capacity = capacity;
    ring->mask = capacity - 1u;
    ring->slot_shift = slot_shift;
    ring->slot_size = 1u << slot_shift;
    ring->header_size = RK_HEADER_LONG;
    ring->single = 1;
    for (rk_u32 i = 0; i < capacity; i++) slots[i << slot_shift >> 2] = 0u - capacity;
}

static void place_report_lane(block *b)
{
    rk_lane *lane = place(b, sizeof *lane, &b->shard->report_lane);
    lane->bands = 1;
    place_ring(b, place(b, sizeof(rk_ring), &lane->rings[0]), LOG_SLOTS, LOG_SLOT_SHIFT);
}

static void place_pool(block *b)
{
    rk_u64 *table = place(b, sizeof(rk_u64), &b->shard->pool_table);
    rk_pool *pool = place(b, sizeof *pool, &b->shard->pool);
    table[0] = b->shard->pool;
    pool->block_size = POOL_BLOCK_BYTES;
    pool->block_count = pool->free_count = POOL_BLOCKS;
    place(b, (rk_u64)POOL_BLOCKS * POOL_BLOCK_BYTES, &pool->blocks);
    rk_u32 *free_list = place(b, POOL_BLOCKS * sizeof *free_list, &pool->free_list);
    for (rk_u32 i = 0; i < POOL_BLOCKS; i++) free_list[i] = i;
    place_ring(b, place(b, sizeof(rk_ring), &pool->returns), POOL_BLOCKS, SLOT_SHIFT);
}

static void block_open(block *b, rk_u32 threads, rk_u32 max_sends)
{
    rk_u64 ignored;
    memset(b, 0, sizeof *b);
    b->arena = aligned_alloc(128, ARENA_BYTES);
    assert_non_null(b->arena);
    memset(b->arena, 0, ARENA_BYTES);
    b->used = 128;
    b->shard = place(b, sizeof *b->shard, &ignored);
    b->shard->kernel_no = 1;
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

static void block_close(block *b) { free(b->arena); }

static rk_header *message_at(block *b, rk_u32 i)
{
    return (rk_header *)(void *)rk_view_slot(&b->shard->turn.view[0], b->arena, i);
}

/* A batch of n messages with values first, first + step, … */
static void given_batch(block *b, rk_u32 n, rk_i64 first, rk_i64 step)
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

static void when_run(block *b, const char *kernel, rk_u32 check)
{
    b->context.stage_next = 0;
    rk_spmd_handle(&b->context, kernel_named(kernel), check);
}

static rk_staged *staged_at(block *b, rk_u32 i)
{
    assert_true(i < b->context.stage_next);
    return rk_stage_entry(b->context.stage, STAGE_STRIDE, i);
}

static answer answer_at(block *b, rk_u32 i)
{
    answer out;
    assert_int_equal(staged_at(b, i)->header.base.type, RK_TYPE_ID(answer));
    memcpy(&out, staged_at(b, i) + 1, sizeof out);
    return out;
}

static void assert_dead(block *b, rk_u32 i, rk_u32 reason, rk_i64 value)
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
static void assert_failed(block *b, const char *text)
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

static void assert_sound(block *b)
{
    if (failures) print_message("%s\n", failure);
    assert_int_equal(failures, 0);
    assert_int_equal(b->shard->turn.failed, 0);
}

static const rk_u32 sizes[] = { 1, 31, 32, 33, 256, 1024 };
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Sum of first + step * i over [from, from + n). */
static rk_i64 series(rk_i64 first, rk_i64 step, rk_i64 from, rk_i64 n)
{
    return first * n + step * (from * n + n * (n - 1) / 2);
}

static rk_u32 at_most(rk_u32 a, rk_u32 b) { return a < b ? a : b; }

/* ------------------------------------------------------------------ results */

static void given_any_block_size_a_warp_reduction_by_shuffles_is_exact(void **state)
{
    (void)state;
    for (rk_u32 s = 0; s < SIZES; s++) {
        block b;
        block_open(&b, sizes[s], 1);
        for (rk_u32 n = sizes[s]; n + 2u > sizes[s] && n > 0; n--) { /* full, and one message short */
            given_batch(&b, n, 1000000007, -3);
            when_run(&b, "warp_sum", 1);
            assert_sound(&b);
            assert_int_equal(b.context.stage_next, (sizes[s] + 31u) / 32u);
            for (rk_u32 w = 0; w < b.context.stage_next; w++) {
                rk_u32 count = w * 32u < n ? at_most(32u, n - w * 32u) : 0u;
                assert_int_equal(answer_at(&b, w).value, series(1000000007, -3, w * 32u, count));
                assert_int_equal(answer_at(&b, w).more, w);
            }
        }
        block_close(&b);
    }
}

static void given_any_block_size_a_block_reduction_in_shared_memory_is_exact(void **state)
{
    (void)state;
    for (rk_u32 s = 0; s < SIZES; s++) {
        block b;
        block_open(&b, sizes[s], 1);
        for (rk_u32 check = 0; check < 2u; check++) {
            given_batch(&b, sizes[s], -5, 11);
            when_run(&b, "block_sum", check);
            assert_sound(&b);
            assert_int_equal(b.context.stage_next, 1);
            assert_int_equal(answer_at(&b, 0).value, series(-5, 11, 0, sizes[s]));
        }
        block_close(&b);
    }
}

static void given_any_block_size_the_sum_over_a_scope_reaches_every_thread(void **state)
{
    (void)state;
    for (rk_u32 s = 0; s < SIZES; s++) {
        block b;
        block_open(&b, sizes[s], 1);
        given_batch(&b, sizes[s], -1000, 7);
        when_run(&b, "reduce", 0);
        assert_sound(&b);
        assert_int_equal(b.context.stage_next, sizes[s]);
        for (rk_u32 t = 0; t < sizes[s]; t++) {
            rk_u32 first = t / 32u * 32u;
            assert_int_equal(answer_at(&b, t).value, series(-1000, 7, 0, sizes[s]));
            assert_int_equal(answer_at(&b, t).more, series(-1000, 7, first, at_most(32u, sizes[s] - first)));
        }
        block_close(&b);
    }
}

static void given_a_barrier_each_thread_sees_what_its_neighbour_received(void **state)
{
    (void)state;
    block b;
    block_open(&b, 256, 1);
    given_batch(&b, 200, 1, 1); /* threads 200 to 255 have no message, and send all the same */
    when_run(&b, "neighbour", 1);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 256);
    for (rk_u32 t = 0; t < 256u; t++) {
        rk_u32 next = (t + 1u) % 256u;
        assert_int_equal(answer_at(&b, t).value, t < 200u ? t + 1u : 0u);
        assert_int_equal(answer_at(&b, t).more, next < 200u ? next + 1u : 0u);
    }
    block_close(&b);
}

static void given_shuffles_values_come_from_the_lane_that_was_asked(void **state)
{
    (void)state;
    block b;
    block_open(&b, 40, 1);
    given_batch(&b, 40, 0, 1);
    when_run(&b, "shuffles", 0);
    assert_sound(&b);
    for (rk_u32 t = 0; t < 40u; t++) {
        rk_u32 lane = t % 32u;
        rk_u32 down = lane + 3u < 32u && t + 3u < 40u ? t + 3u : t; /* one's own beyond the end */
        assert_int_equal(answer_at(&b, t).value, (rk_i64)down * 100000 + (t ^ 1u));
        assert_int_equal(answer_at(&b, t).more, (t / 32u * 32u + 3u) * 2u + 1u);
    }
    block_close(&b);
}

static void given_votes_ballot_and_any_count_their_scope(void **state)
{
    (void)state;
    block b;
    block_open(&b, 100, 1);
    given_batch(&b, 100, 0, 1); /* thread 77 has the value 77 */
    when_run(&b, "votes", 0);
    assert_sound(&b);
    for (rk_u32 t = 0; t < 100u; t++) {
        assert_int_equal(answer_at(&b, t).value, t < 96u ? 0xaaaaaaaau : 0xau);
        assert_int_equal(answer_at(&b, t).more, t / 32u == 2u ? 3 : 2);
    }
    given_batch(&b, 50, 0, 1);
    when_run(&b, "votes", 0);
    for (rk_u32 t = 0; t < 100u; t++) assert_int_equal(answer_at(&b, t).more, 0);
    block_close(&b);
}

static void given_a_handler_of_one_thread_it_meets_nobody(void **state)
{
    (void)state;
    block b;
    block_open(&b, 32, 1);
    rk_spmd_barrier(&b.context, RK_SCOPE_BLOCK, "here:1");
    assert_int_equal(rk_spmd_exchange(&b.context, 17, 0, RK_SCOPE_WARP, "here:2"), 17);
    assert_int_equal(rk_spmd_ballot(&b.context, 1, RK_SCOPE_WARP, "here:3"), 1);
    assert_int_equal(rk_spmd_ballot(&b.context, 0, RK_SCOPE_BLOCK, "here:3"), 0);
    assert_int_equal(rk_spmd_reduce(&b.context, 23, RK_SCOPE_BLOCK, "here:4"), 23);
    block_close(&b);
}

/* ------------------------------------------------------------------ messages */

static void given_a_thread_that_fails_its_sends_are_taken_back_and_its_message_is_dead(void **state)
{
    (void)state;
    block b;
    block_open(&b, 64, 2);
    given_batch(&b, 64, 0, 1);
    when_run(&b, "unlucky_one", 0);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 63 * 2 + 1);
    assert_int_equal(b.shard->turn.view[0].dead, 1);
    for (rk_u32 t = 0, i = 0; t < 64u; t++) {
        if (t == 13u) {
            assert_dead(&b, i++, (rk_u32)rk_reason_unlucky, 13);
            continue;
        }
        for (rk_i64 k = 1; k <= 2; k++, i++) {
            assert_int_equal(answer_at(&b, i).value, t);
            assert_int_equal(answer_at(&b, i).more, k);
        }
    }
    block_close(&b);
}

static void given_a_thread_that_fails_the_blocks_of_its_large_sends_go_back(void **state)
{
    (void)state;
    block b;
    block_open(&b, 8, 1);
    rk_pool *pool = (rk_pool *)(void *)(b.arena + b.shard->pool);
    for (rk_u32 round = 0; round < 3u * POOL_BLOCKS; round++) {
        given_batch(&b, 8, 0, 1);
        when_run(&b, "bulky", round % 2u);
        assert_sound(&b);
        assert_int_equal(b.context.stage_next, 2);
        assert_int_equal(staged_at(&b, 0)->header.base.flags, RK_FLAG_REFERENCE);
        assert_dead(&b, 1, (rk_u32)rk_reason_unlucky, 1);
        rk_give_back(&b.context, (const rk_reference *)(const void *)(staged_at(&b, 0) + 1)); /* published */
        rk_pool_collect(pool, b.arena);
        assert_int_equal(pool->free_count, POOL_BLOCKS);
    }
    block_close(&b);
}

static void given_a_thread_that_sends_too_much_its_message_is_dead(void **state)
{
    (void)state;
    block b;
    block_open(&b, 3, 1);
    given_batch(&b, 3, 0, 1);
    when_run(&b, "too_many", 0);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 2);
    assert_int_equal(answer_at(&b, 0).value, 1);
    assert_dead(&b, 1, RK_REASON_TOO_MANY_SENDS, 2);
    block_close(&b);
}

static void given_a_message_that_no_thread_receives_it_counts_as_handled(void **state)
{
    (void)state;
    block b;
    block_open(&b, 40, 1);
    given_batch(&b, 3, 0, 1);
    when_run(&b, "not_interested", 0);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 40);
    assert_int_equal(b.shard->turn.view[0].dead, 0);
    for (rk_u32 t = 0; t < 40u; t++) assert_int_equal(answer_at(&b, t).more, t < 3u);
    block_close(&b);
}

static void given_holes_and_strangers_their_threads_have_no_message(void **state)
{
    (void)state;
    for (rk_u32 check = 0; check < 2u; check++) {
        block b;
        block_open(&b, 33, 1);
        given_batch(&b, 33, 100, 1);
        message_at(&b, 1)->flags = RK_FLAG_HOLE;
        message_at(&b, 2)->flags = RK_FLAG_HOLE | RK_FLAG_REPAIRED;
        message_at(&b, 32)->type = RK_TYPE_ID(stranger);
        when_run(&b, "neighbour", check);
        assert_sound(&b);
        assert_int_equal(b.shard->turn.view[0].withdrawn, 1);
        assert_int_equal(b.shard->turn.view[0].lost, 1);
        assert_int_equal(b.shard->turn.view[0].dead, 1);
        assert_int_equal(b.context.stage_next, 34);
        assert_int_equal(answer_at(&b, 1).value, 0);
        assert_int_equal(answer_at(&b, 2).value, 0);
        assert_int_equal(answer_at(&b, 3).value, 103);
        assert_dead(&b, 32, RK_REASON_STATUS + RK_UNKNOWN_TYPE, 132);
        assert_int_equal(answer_at(&b, 33).value, 0);
        block_close(&b);
    }
}

static void given_entries_staged_before_the_batch_comes_behind_them(void **state)
{
    (void)state;
    block b;
    block_open(&b, 32, 1);
    given_batch(&b, 32, 0, 1);
    b.shard->threads = 20; /* leaves room in the stage */
    given_batch(&b, 20, 0, 1);
    b.context.stage_next = 3;
    rk_spmd_handle(&b.context, kernel_named("neighbour"), 0);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 23);
    assert_int_equal(answer_at(&b, 3).value, 0);
    assert_int_equal(answer_at(&b, 22).value, 19);
    block_close(&b);
}

static void given_a_batch_that_cant_be_it_is_refused_and_nothing_runs(void **state)
{
    (void)state;
    block b;
    block_open(&b, 32, 1);
    given_batch(&b, 32, 0, 1);
    b.shard->threads = 31;
    when_run(&b, "neighbour", 0);
    assert_int_equal(failures, 1);
    assert_int_equal(b.shard->turn.failed, RK_INTERNAL);
    assert_int_equal(b.context.stage_next, 0);
    b.shard->threads = 32;
    b.shard->stage_capacity = 63;
    b.shard->turn.failed = 0;
    when_run(&b, "neighbour", 0);
    assert_int_equal(failures, 2);
    assert_int_equal(b.shard->turn.failed, RK_INTERNAL);
    assert_int_equal(b.shard->turn.view[0].dead, 0);
    block_close(&b);
}

/* ------------------------------------------------------------------ divergence */

static void assert_later_batches_fine(block *b)
{
    given_batch(b, b->shard->threads, 5, 3);
    when_run(b, "block_sum", 1);
    assert_sound(b);
    assert_int_equal(answer_at(b, 0).value, series(5, 3, 0, b->shard->threads));
}

static void when_it_diverges(rk_u32 threads, const char *kernel, const char *text)
{
    for (rk_u32 check = 0; check < 2u; check++) {
        block b;
        block_open(&b, threads, 1);
        given_batch(&b, threads - 1u, 0, 1);
        when_run(&b, kernel, check);
        assert_failed(&b, text);
        assert_later_batches_fine(&b);
        block_close(&b);
    }
}

static void given_threads_that_finish_while_others_of_the_warp_wait_the_kernel_fails(void **state)
{
    (void)state;
    char text[256];
    snprintf(text, sizeof text, "divergent barrier: threads 0-15 wait at %s:%d, threads 16-31 have finished",
             __FILE__, HALF_LEAVES_LINE);
    when_it_diverges(32, "half_leaves", text);
}

static void given_threads_that_finish_while_others_of_the_block_wait_the_kernel_fails(void **state)
{
    (void)state;
    char text[256];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0-99 and 255 wait at %s:%d, threads 100-254 have finished", __FILE__,
             SOME_LEAVE_LINE);
    when_it_diverges(256, "some_leave", text);
}

static void given_a_warp_that_finishes_while_others_wait_the_kernel_fails(void **state)
{
    (void)state;
    char text[256];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0-31 and 64-99 wait at %s:%d, threads 32-63 have finished", __FILE__,
             WARP_LEAVES_LINE);
    when_it_diverges(100, "warp_leaves", text);
}

static void given_threads_that_wait_at_two_places_the_kernel_fails(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0 and 2 wait at %s:%d, threads 1 and 3 wait at %s:%d", __FILE__,
             TWO_PLACES_LINE + 2, __FILE__, TWO_PLACES_LINE);
    when_it_diverges(4, "two_places", text);
}

static void given_one_place_with_two_scopes_the_kernel_fails(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0-4 and 6-31 wait at %s:%d for the block, thread 5 waits at %s:%d "
             "for the warp",
             __FILE__, TWO_SCOPES_LINE, __FILE__, TWO_SCOPES_LINE);
    when_it_diverges(64, "two_scopes", text);
}

/* ------------------------------------------------------------------ scopes */

static void given_a_scope_that_is_too_narrow_the_check_finds_and_names_it(void **state)
{
    (void)state;
    char text[512];
    block b;
    block_open(&b, 256, 1);
    given_batch(&b, 256, 1, 1);
    when_run(&b, "wrong_scope", 1);
    snprintf(text, sizeof text,
             "the result depends on the order of the warps: the barrier at %s:%d has warp scope, but warps "
             "share memory; use "
             "RK_SCOPE_BLOCK",
             __FILE__, WRONG_SCOPE_LINE);
    assert_failed(&b, text);
    assert_later_batches_fine(&b);
    given_batch(&b, 256, 1, 1);
    when_run(&b, "wrong_scope", 0); /* unchecked, it is only wrong */
    assert_sound(&b);
    block_close(&b);
}

static void given_the_right_scope_the_check_passes_with_the_right_result(void **state)
{
    (void)state;
    block b;
    block_open(&b, 256, 1);
    given_batch(&b, 256, 1, 1);
    when_run(&b, "right_scope", 1);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 256);
    for (rk_u32 t = 0; t < 256u; t++) assert_int_equal(answer_at(&b, t).value, 1 + 65 + 129);
    block_close(&b);
}

static void given_no_barrier_at_all_the_check_finds_it(void **state)
{
    (void)state;
    block b;
    block_open(&b, 32, 1);
    given_batch(&b, 32, 1, 1);
    when_run(&b, "no_barrier", 1);
    assert_failed(&b,
                  "the result depends on the order of the threads: they share memory without a barrier; use "
                  "rk_barrier(RK_SCOPE_BLOCK) between writing and reading it");
    block_close(&b);
}

static void given_a_check_its_trial_leaves_no_trace(void **state)
{
    (void)state;
    block b;
    block_open(&b, 64, 3);
    given_batch(&b, 64, 0, 1);
    message_at(&b, 2)->flags = RK_FLAG_REQUEST;
    message_at(&b, 5)->flags = RK_FLAG_REQUEST;
    when_run(&b, "busybody", 1);
    assert_sound(&b);

    rk_pool *pool = (rk_pool *)(void *)(b.arena + b.shard->pool);
    rk_lane *reports = (rk_lane *)(void *)(b.arena + b.shard->report_lane);
    rk_pool_collect(pool, b.arena);
    assert_int_equal(pool->free_count, POOL_BLOCKS - 1); /* the real send has one */
    assert_int_equal(rk_lane_ring(reports, b.arena, 0)->tail, 1);
    assert_int_equal(b.shard->turn.log_lines, 1);
    assert_int_equal(b.shard->meter.logs_suppressed, 0);
    assert_int_equal(b.shard->turn.view[0].dead, 1);

    /* An answer of each thread but 3, a reply, a dead letter, a large message, and "no reply" to thread
     * 5's request. */
    assert_int_equal(b.context.stage_next, 63 + 1 + 1 + 1 + 1);
    assert_int_equal(staged_at(&b, 2)->route, RK_TO_REPLY);
    assert_int_equal(answer_at(&b, 3).value, 3);
    assert_dead(&b, 4, (rk_u32)rk_reason_unlucky, 3);
    assert_int_equal(staged_at(&b, 5)->header.base.flags, RK_FLAG_REFERENCE);
    assert_int_equal(answer_at(&b, 6).value, 5);
    assert_int_equal(answer_at(&b, 7).value, 6);
    assert_int_equal(staged_at(&b, 8)->report.kind, RK_REPORT_NO_REPLY);
    assert_int_equal(answer_at(&b, 9).value, 7);
    block_close(&b);
}

/* ------------------------------------------------------------------ what stays */

static rk_u32 mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    rk_u32 lines = 0;
    assert_non_null(maps);
    for (int c = fgetc(maps); c != EOF; c = fgetc(maps)) lines += c == '\n';
    fclose(maps);
    return lines;
}

static rk_u64 resident_pages(void)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    assert_non_null(statm);
    assert_int_equal(fscanf(statm, "%*u %lu", &pages), 1);
    fclose(statm);
    return pages;
}

static void given_a_hundred_thousand_batches_nothing_grows(void **state)
{
    (void)state;
    enum { BATCHES = 100000, WARM = 4000 };
#if defined(RK_FIBER_TSAN)
    const rk_u32 every = 2000; /* it takes its time to forget a fiber */
#else
    const rk_u32 every = 100;
#endif
    rk_u32 maps = 0;
    rk_u64 pages = 0;
    block b;
    block_open(&b, 33, 1);
    for (rk_u32 i = 0; i < BATCHES; i++) {
        if (i == WARM) {
            maps = mappings();
            pages = resident_pages();
        }
        if (i % every == 7u) { /* now and then all is discarded */
            given_batch(&b, 33, 0, 1);
            when_run(&b, "half_leaves", i / every % 2u);
            assert_int_equal(failures, 1);
            failures = 0;
            continue;
        }
        given_batch(&b, 33, i, 1);
        when_run(&b, "neighbour", 0);
        assert_int_equal(failures, 0);
        assert_int_equal(b.context.stage_next, 33);
        assert_int_equal(answer_at(&b, 32).value, i + 32u);
    }
#if defined(RK_FIBER_ASAN) || defined(RK_FIBER_TSAN)
    (void)maps; /* sanitizers keep books */
    (void)pages;
#else
    assert_true(mappings() <= maps + 4u);
    assert_true(resident_pages() <= pages + 64u);
#endif
    block_close(&b);
}

static void *work_and_end(void *nothing)
{
    block b;
    block_open(&b, 64, 1);
    assert_later_batches_fine(&b);
    given_batch(&b, 64, 0, 1);
    when_run(&b, "half_leaves", 0);
    failures = 0;
    block_close(&b);
    return nothing;
}

static void given_a_worker_that_ends_its_fibers_go_with_it(void **state)
{
    (void)state;
    rk_u32 before = 0;
    for (rk_u32 round = 0; round < 20u; round++) {
        pthread_t worker;
        if (round == 5u) before = mappings();
        assert_int_equal(pthread_create(&worker, NULL, work_and_end, NULL), 0);
        assert_int_equal(pthread_join(worker, NULL), 0);
    }
#if defined(RK_FIBER_ASAN) || defined(RK_FIBER_TSAN)
    (void)before;
#else
    assert_true(mappings() <= before + 8u);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First: the thread sanitizer's cost of a switch grows with the largest block so far. */
        cmocka_unit_test(given_a_hundred_thousand_batches_nothing_grows),
        cmocka_unit_test(given_any_block_size_a_warp_reduction_by_shuffles_is_exact),
        cmocka_unit_test(given_any_block_size_a_block_reduction_in_shared_memory_is_exact),
        cmocka_unit_test(given_any_block_size_the_sum_over_a_scope_reaches_every_thread),
        cmocka_unit_test(given_a_barrier_each_thread_sees_what_its_neighbour_received),
        cmocka_unit_test(given_shuffles_values_come_from_the_lane_that_was_asked),
        cmocka_unit_test(given_votes_ballot_and_any_count_their_scope),
        cmocka_unit_test(given_a_handler_of_one_thread_it_meets_nobody),
        cmocka_unit_test(given_a_thread_that_fails_its_sends_are_taken_back_and_its_message_is_dead),
        cmocka_unit_test(given_a_thread_that_fails_the_blocks_of_its_large_sends_go_back),
        cmocka_unit_test(given_a_thread_that_sends_too_much_its_message_is_dead),
        cmocka_unit_test(given_a_message_that_no_thread_receives_it_counts_as_handled),
        cmocka_unit_test(given_holes_and_strangers_their_threads_have_no_message),
        cmocka_unit_test(given_entries_staged_before_the_batch_comes_behind_them),
        cmocka_unit_test(given_a_batch_that_cant_be_it_is_refused_and_nothing_runs),
        cmocka_unit_test(given_threads_that_finish_while_others_of_the_warp_wait_the_kernel_fails),
        cmocka_unit_test(given_threads_that_finish_while_others_of_the_block_wait_the_kernel_fails),
        cmocka_unit_test(given_a_warp_that_finishes_while_others_wait_the_kernel_fails),
        cmocka_unit_test(given_threads_that_wait_at_two_places_the_kernel_fails),
        cmocka_unit_test(given_one_place_with_two_scopes_the_kernel_fails),
        cmocka_unit_test(given_a_scope_that_is_too_narrow_the_check_finds_and_names_it),
        cmocka_unit_test(given_the_right_scope_the_check_passes_with_the_right_result),
        cmocka_unit_test(given_no_barrier_at_all_the_check_finds_it),
        cmocka_unit_test(given_a_check_its_trial_leaves_no_trace),
        cmocka_unit_test(given_a_worker_that_ends_its_fibers_go_with_it),
    };
    return cmocka_run_group_tests_name("spmd", tests, NULL, NULL);
}
