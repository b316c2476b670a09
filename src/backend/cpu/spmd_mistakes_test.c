/* Mistakes of SPMD kernels: divergence is found and named, so are scopes that are too narrow, and whatever is
 * discarded on the way leaves nothing behind. */
#include "backend/cpu/spmd_fixture_test.h"

#include "backend/cpu/fiber.h"

#include <pthread.h>
#include <unistd.h>

/* ------------------------------------------------------------------ kernels */

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

enum { TWO_MEETINGS_LINE = __LINE__ + 3 };
RK_SPMD_KERNEL(two_meetings, number, answer, .width = RK_BLOCK)
{
    (void)(rk_lane() < 16u ? (rk_barrier(RK_SCOPE_BLOCK), 1) : rk_any(1, RK_SCOPE_BLOCK));
}

enum { ONE_LINE_LINE = __LINE__ + 3 };
RK_SPMD_KERNEL(one_line, number, answer, .width = RK_BLOCK)
{
    rk_lane() < 16u ? rk_barrier(RK_SCOPE_BLOCK) : rk_barrier(RK_SCOPE_BLOCK);
}

/* And in this line all are in step. */
RK_SPMD_KERNEL(one_line_in_step, number, answer, .width = RK_BLOCK)
{
    for (rk_u32 i = 0; i < 3u; i++) rk_barrier(RK_SCOPE_BLOCK), rk_barrier(RK_SCOPE_BLOCK);
    send_answer(RK_ARG, 1, 0);
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

static void given_one_line_with_two_meetings_the_kernel_fails(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0-15 wait at %s:%d for a barrier, threads 16-31 wait at %s:%d for a "
             "vote",
             __FILE__, TWO_MEETINGS_LINE, __FILE__, TWO_MEETINGS_LINE);
    when_it_diverges(32, "two_meetings", text);
}

static void given_one_line_with_two_barriers_they_are_told_apart(void **state)
{
    (void)state;
    char text[512];
    snprintf(text, sizeof text,
             "divergent barrier: threads 0-15 wait at %s:%d for a barrier, threads 16-31 wait at %s:%d for "
             "another barrier",
             __FILE__, ONE_LINE_LINE, __FILE__, ONE_LINE_LINE);
    when_it_diverges(32, "one_line", text);
}

static void given_one_line_with_two_barriers_that_all_reach_nothing_is_wrong(void **state)
{
    (void)state;
    block b;
    block_open(&b, 64, 1);
    given_batch(&b, 64, 1, 1);
    when_run(&b, "one_line_in_step", 0);
    assert_sound(&b);
    assert_int_equal(b.context.stage_next, 64);
    block_close(&b);
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
        cmocka_unit_test(given_threads_that_finish_while_others_of_the_warp_wait_the_kernel_fails),
        cmocka_unit_test(given_threads_that_finish_while_others_of_the_block_wait_the_kernel_fails),
        cmocka_unit_test(given_a_warp_that_finishes_while_others_wait_the_kernel_fails),
        cmocka_unit_test(given_threads_that_wait_at_two_places_the_kernel_fails),
        cmocka_unit_test(given_one_line_with_two_meetings_the_kernel_fails),
        cmocka_unit_test(given_one_line_with_two_barriers_they_are_told_apart),
        cmocka_unit_test(given_one_line_with_two_barriers_that_all_reach_nothing_is_wrong),
        cmocka_unit_test(given_one_place_with_two_scopes_the_kernel_fails),
        cmocka_unit_test(given_a_scope_that_is_too_narrow_the_check_finds_and_names_it),
        cmocka_unit_test(given_the_right_scope_the_check_passes_with_the_right_result),
        cmocka_unit_test(given_no_barrier_at_all_the_check_finds_it),
        cmocka_unit_test(given_a_check_its_trial_leaves_no_trace),
        cmocka_unit_test(given_a_worker_that_ends_its_fibers_go_with_it),
    };
    return cmocka_run_group_tests_name("spmd mistakes", tests, NULL, NULL);
}
