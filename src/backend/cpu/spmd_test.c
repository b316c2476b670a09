/* SPMD kernels on the CPU: results that are exact for any block size, and what becomes of the messages of a
 * batch. */
#include "backend/cpu/spmd_fixture_test.h"

/* ------------------------------------------------------------------ kernels */

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

RK_SPMD_KERNEL(reduce, number, answer, .width = RK_BLOCK)
{
    rk_i64 v = received_value(RK_ARG);
    rk_i64 of_warp = rk_reduce_add(v, RK_SCOPE_WARP);
    rk_i64 of_block = rk_reduce_add(v, RK_SCOPE_BLOCK);
    send_answer(RK_ARG, of_block, of_warp);
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

static const rk_u32 sizes[] = { 1, 31, 32, 33, 256, 1024 };
enum { SIZES = sizeof sizes / sizeof *sizes };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };
    return cmocka_run_group_tests_name("spmd", tests, NULL, NULL);
}
