/* What handlers may rely on: how many messages a turn brings, whose they are and in which order, what a group
 * computes, and what * happens to a batch that is not committed. */
#include <ringkernel/kernel.h>

#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

extern const unsigned contract_divergent_line, contract_narrow_line; /* in contract_b_groups.rk.c */

static rk_launch_options roomy(void)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 16384;
    o.output_capacity = 16384;
    o.deduplication_window = 0;
    return o;
}

/* Take all that a kernel sent to the host, which must be at rest. The caller frees it. */
static void *take_all(contract *c, rk_kernel kernel, size_t size, size_t *count)
{
    wait_until(c, is_at_rest(c, kernel));
    size_t there = account_of(c, kernel).output_queued, got;
    char *messages = calloc(there + 1, size);
    assert_non_null(messages);
    for (*count = 0; *count < there; *count += got)
        assert_ok(rk_receive_many(c->runtime, kernel, messages + *count * size, size, there - *count, 0,
                                  RK_NO_WAIT, &got));
    return messages;
}

/* ------------------------------------------------------------------ the same in both styles */

static void the_same_handler_gives_the_same_bytes_in_regions_and_in_fibers(contract *c)
{
    /* given the two forms of one handler, and the same 1,000 messages for both */
    enum { MESSAGES = 1000 };
    static const char *const forms[] = { "carry", "carry_spmd" };
    sighting *seen[2];
    for (rk_u32 form = 0; form < 2; form++) {
        rk_launch_options o = roomy();
        size_t count;
        o.kernel_name = forms[form];
        o.timestamps = 0;
        rk_kernel kernel = launch(c, forms[form], forms[form], &o);
        for (rk_u32 i = 0; i < MESSAGES; i++) {
            rk_send_options with = { .target = i * 7, .priority = (rk_u8)i };
            assert_ok(send_package(c, kernel, i, &with));
        }
        assert_ok(rk_activate(c->runtime, kernel));
        seen[form] = take_all(c, kernel, sizeof(sighting), &count);
        assert_int_equal(count, MESSAGES);
        for (rk_u32 i = 0; i < MESSAGES && !c->variant->single_step; i++) seen[form][i].handled_ns = 0;
    }
    /* then what they send is the same, to the last byte */
    assert_memory_equal(seen[0], seen[1], MESSAGES * sizeof(sighting));
    free(seen[0]);
    free(seen[1]);
}

/* ------------------------------------------------------------------ vectors and reductions */

static const rk_u32 lengths[] = { 1, 2, 31, 32, 33, 63, 65, 100, 119, 120 };

static void one_and_a_half_and_two_and_a_quarter_are_three_and_three_quarters(contract *c)
{
    rk_launch_options o = roomy();
    if (c->variant->style == STYLE_REGIONS) {
        o.kernel_name = "add_vectors";
        rk_kernel add = launch_active(c, "add", "", &o);
        vector_pair pair = { 1, { 1.5f }, { 2.25f } };
        vector_sum sum;
        assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
        receive(c, add, &sum);
        assert_true(sum.value[0] == 3.75f);
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            pair.n = lengths[l];
            for (rk_u32 i = 0; i < 120; i++) {
                pair.a[i] = (rk_f32)i;
                pair.b[i] = 2.0f * (rk_f32)i;
            }
            assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
            receive(c, add, &sum);
            assert_int_equal(sum.n, lengths[l]);
            for (rk_u32 i = 0; i < 120; i++)
                assert_true(sum.value[i] == (i < lengths[l] ? 3.0f * (rk_f32)i : 0.0f));
        }
        return;
    }
    o.kernel_name = "add_places";
    rk_kernel add = launch_active(c, "add", "", &o);
    place_pair first = { 0, 1.5f, 2.25f };
    place_sum sum;
    assert_ok(rk_send(c->runtime, add, RK_BODY(first), 0));
    receive(c, add, &sum);
    assert_true(sum.value == 3.75f);
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (rk_u32 i = 0; i < lengths[l]; i++) {
            place_pair pair = { i, (rk_f32)i, 2.0f * (rk_f32)i };
            assert_ok(rk_send(c->runtime, add, RK_BODY(pair), 0));
        }
        for (rk_u32 i = 0; i < lengths[l]; i++) {
            receive(c, add, &sum);
            assert_int_equal(sum.place, i);
            assert_true(sum.value == 3.0f * (rk_f32)i);
        }
    }
}

static const rk_u32 block_sizes[] = { 1, 31, 32, 33, 256, 1024 };
#define BLOCK_SIZES (sizeof block_sizes / sizeof *block_sizes)

static rk_i64 series_of(rk_u32 seed, rk_u32 i)
{
    return (rk_i64)(rk_hash64(((rk_u64)seed << 32) + i) >> 16) - (1l << 46);
}

static rk_i64 sum_of(rk_u32 seed, rk_u32 first, rk_u32 end)
{
    rk_i64 sum = 0;
    for (rk_u32 i = first; i < end; i++) sum += series_of(seed, i);
    return sum;
}

static void a_region_reduces_exactly_for_every_block_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++) {
        rk_launch_options o = roomy();
        o.kernel_name = "reduce_series";
        o.threads = block_sizes[b];
        rk_kernel reduce = launch_active(c, "reduce", "", &o);
        assert_int_equal(info_of(c, reduce).threads, block_sizes[b]);
        for (size_t n = 0; n < BLOCK_SIZES; n++)
            for (rk_u32 seed = 1; seed <= 3; seed++) {
                series s = { block_sizes[n], seed };
                series_sum sum;
                assert_ok(rk_send(c->runtime, reduce, RK_BODY(s), 0));
                receive(c, reduce, &sum);
                assert_int_equal(sum.sum, sum_of(seed, 0, s.n));
                assert_int_equal(sum.by_library, sum.sum);
                assert_int_equal(sum.members, s.n);
            }
        assert_ok(rk_terminate(c->runtime, reduce, CONTRACT_PATIENCE));
    }
}

/* Queue `count` values, then let the kernel handle them in blocks of `threads`. */
static series_sum *reduce_values(contract *c, const char *kernel, rk_u32 threads, rk_u32 count, rk_u32 check,
                                 size_t *sums)
{
    rk_launch_options o = roomy();
    o.kernel_name = kernel;
    o.threads = threads;
    o.spmd_check = check;
    rk_kernel reduce = launch(c, "reduce", "", &o);
    assert_int_equal(info_of(c, reduce).threads, threads);
    assert_int_equal(info_of(c, reduce).max_batch, threads);
    for (rk_u32 i = 0; i < count; i++) {
        series_value v = { series_of(9, i) };
        assert_ok(rk_send(c->runtime, reduce, RK_BODY(v), 0));
    }
    assert_ok(rk_activate(c->runtime, reduce));
    series_sum *all = take_all(c, reduce, sizeof(series_sum), sums);
    assert_int_equal(info_of(c, reduce).life, RK_LIFE_ACTIVE);
    assert_ok(rk_terminate(c->runtime, reduce, CONTRACT_PATIENCE));
    return all;
}

static void a_block_of_fibers_reduces_exactly_for_every_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++)
        for (rk_u32 check = 0; check < (contract_sanitized() && block_sizes[b] > 256 ? 1u : 2u); check++) {
            /* given as many values as two blocks have threads, and half a block more */
            rk_u32 threads = block_sizes[b], count = 2 * threads + threads / 2;
            size_t sums;
            series_sum *all = reduce_values(c, "reduce_block", threads, count, check, &sums);
            assert_int_equal(sums, count % threads ? 3 : 2);
            for (rk_u32 i = 0; i < sums; i++) {
                rk_u32 end = (i + 1) * threads < count ? (i + 1) * threads : count;
                assert_int_equal(all[i].sum, sum_of(9, i * threads, end));
                assert_int_equal(all[i].by_library, all[i].sum);
                assert_int_equal(all[i].members, end - i * threads);
            }
            free(all);
        }
}

static void a_warp_of_fibers_reduces_exactly_for_every_block_size(contract *c)
{
    for (size_t b = 0; b < BLOCK_SIZES; b++) {
        rk_u32 threads = block_sizes[b], count = threads + threads / 3;
        size_t sums;
        series_sum *all = reduce_values(c, "reduce_warps", threads, count, 0, &sums);
        rk_u32 at = 0;
        for (size_t i = 0; i < sums; i++) {
            rk_u32 end = at + all[i].members;
            assert_int_equal(all[i].group, at % threads / RK_WARP_SIZE);
            assert_int_equal(all[i].sum, sum_of(9, at, end));
            assert_int_equal(all[i].by_library, all[i].sum);
            at = end;
        }
        assert_int_equal(at, count);
        free(all);
    }
}

static void a_ballot_and_a_vote_say_who_agrees(contract *c)
{
    size_t sums;
    series_sum *all = reduce_values(c, "vote_warps", 64, 40, 0, &sums);
    assert_int_equal(sums, 2);
    for (rk_u32 w = 0; w < 2; w++) {
        rk_u32 odd = 0, any = 0;
        for (rk_u32 t = 0; t < 32 && w * 32 + t < 40; t++) {
            odd |= (rk_u32)(series_of(9, w * 32 + t) & 1) << t;
            any |= series_of(9, w * 32 + t) < 0;
        }
        assert_int_equal((rk_u32)all[w].sum, odd);
        assert_int_equal(all[w].by_library, any);
    }
    free(all);
}

/* ------------------------------------------------------------------ two mistakes */

static void a_divergent_barrier_names_its_line_and_stops_that_kernel_alone(contract *c)
{
    /* given a kernel with a barrier that half of its threads reach, and another kernel */
    rk_launch_options o = roomy();
    char where[64];
    series_value v = { 1 };
    sighting s;
    o.kernel_name = "diverge";
    rk_kernel diverge = launch_active(c, "diverge", "", &o), other = launch_active(c, "other", "carry", 0);
    snprintf(where, sizeof where, "contract_b_groups.rk.c:%u", contract_divergent_line);

    /* when it gets a message, then it fails with file and line, and takes no more */
    assert_ok(rk_send(c->runtime, diverge, RK_BODY(v), 0));
    wait_until(c, info_of(c, diverge).life == RK_LIFE_FAILED);
    rk_kernel_info info = info_of(c, diverge);
    contract_assert_says(info.failure, "divergent barrier", __FILE__, __LINE__);
    contract_assert_says(info.failure, where, __FILE__, __LINE__);
    assert_int_equal(info.healthy, 0);
    wait_until(c, logged(c, where) > 0);
    assert_status(rk_send(c->runtime, diverge, RK_BODY(v), 0), RK_CLOSED);
    assert_error_says(where);

    /* and the other goes on */
    assert_ok(send_package(c, other, 5, 0));
    receive(c, other, &s);
    assert_int_equal(s.number, 5);
    assert_true(account_of(c, diverge).balanced);
}

static void a_barrier_of_too_narrow_a_scope_is_found_when_asked_for(contract *c)
{
    /* given a kernel whose warps share memory with a barrier of warp scope */
    rk_launch_options o = roomy();
    char where[64];
    o.kernel_name = "share_narrowly";
    o.spmd_check = 1;
    rk_kernel narrow = launch(c, "narrow", "", &o);
    snprintf(where, sizeof where, "contract_b_groups.rk.c:%u", contract_narrow_line);
    for (rk_u32 i = 0; i < 64; i++) {
        series_value v = { series_of(1, i) };
        assert_ok(rk_send(c->runtime, narrow, RK_BODY(v), 0));
    }

    /* when it is checked, then the order of its threads is found to matter, and the line is named: not a
     * wrong sum */
    assert_ok(rk_activate(c->runtime, narrow));
    wait_until(c, info_of(c, narrow).life == RK_LIFE_FAILED);
    contract_assert_says(info_of(c, narrow).failure, where, __FILE__, __LINE__);
    contract_assert_says(info_of(c, narrow).failure, "RK_SCOPE_BLOCK", __FILE__, __LINE__);
    assert_int_equal(account_of(c, narrow).output_accepted, 0);
}

/* ------------------------------------------------------------------ how many a turn brings */

typedef struct mode_case {
    const char *kernel;
    rk_u32 queued, calls, largest, smallest;
} mode_case;

static const mode_case modes[] = {
    { "batches_continuous", 1, 1, 1, 1 },       { "batches_continuous", 10, 10, 1, 1 },
    { "batches_continuous", 1000, 1000, 1, 1 }, { "batches_gathered", 1, 1, 1, 1 },
    { "batches_gathered", 10, 1, 10, 10 },      { "batches_gathered", 1000, 16, 64, 40 },
    { "batches_adaptive", 1, 1, 1, 1 },         { "batches_adaptive", 10, 1, 10, 10 },
    { "batches_adaptive", 1000, 32, 32, 8 },
};

static void a_turn_brings_what_the_mode_says(contract *c)
{
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        const mode_case *of = &modes[m];
        rk_launch_options o = roomy();
        batch_log log;
        o.kernel_name = of->kernel;
        rk_kernel kernel = launch(c, "batches", "", &o);
        for (rk_u32 i = 1; i <= of->queued; i++) assert_ok(send_package(c, kernel, i, 0));
        assert_ok(rk_activate(c->runtime, kernel));
        settle(c);
        let_pass(c, RK_MILLISECONDS(1)); /* the last batch is gathered */
        wait_until(c, is_at_rest(c, kernel));
        assert_ok(rk_read_state(c->runtime, kernel, 0, &log, sizeof log));
        assert_int_equal(log.messages, of->queued);
        assert_int_equal(log.calls, of->calls);
        assert_int_equal(log.largest, of->largest);
        assert_int_equal(log.smallest, of->smallest);
        assert_int_equal(log.disorder, 0);
        assert_int_equal(metrics_of(c, kernel).largest_batch, of->largest);
        assert_int_equal(metrics_of(c, kernel).turns, of->calls);
        assert_int_equal(metrics_of(c, kernel).processed, of->queued);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static void a_batch_is_gathered_until_it_is_full_or_its_time_is_over(contract *c)
{
    rk_launch_options o = roomy();
    batch_log log;
    rk_u32 result;
    o.kernel_name = "batches_gathered";
    rk_kernel kernel = launch_active(c, "batches", "", &o);

    /* given 63 of 64, it waits a millisecond; and takes 64 at once */
    for (rk_u32 i = 1; i <= 63; i++) assert_ok(send_package(c, kernel, i, 0));
    assert_ok(rk_step(c->runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WAITS);
    let_pass(c, RK_MICROSECONDS(999));
    assert_ok(rk_step(c->runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WAITS);
    assert_ok(send_package(c, kernel, 64, 0));
    assert_ok(rk_step(c->runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WORKED);
    assert_ok(send_package(c, kernel, 65, 0));
    assert_ok(rk_step(c->runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WAITS);
    let_pass(c, RK_MILLISECONDS(1));
    assert_ok(rk_step(c->runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WORKED);
    assert_ok(rk_read_state(c->runtime, kernel, 0, &log, sizeof log));
    assert_int_equal(log.calls, 2);
    assert_int_equal(log.largest, 64);
    assert_int_equal(log.smallest, 1);
}

static void the_launch_bounds_a_turn(contract *c)
{
    static const rk_u32 bounds[] = { 1, 7, 16, 32 };
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++) {
        rk_launch_options o = roomy();
        o.max_batch = bounds[b];
        rk_kernel kernel = launch(c, "carry", "carry", &o);
        for (rk_u32 i = 0; i < 1000; i++) assert_ok(send_package(c, kernel, i, 0));
        assert_ok(rk_activate(c->runtime, kernel));
        wait_until(c, is_at_rest(c, kernel));
        assert_int_equal(metrics_of(c, kernel).largest_batch, bounds[b]);
        assert_int_equal(metrics_of(c, kernel).turns, (1000 + bounds[b] - 1) / bounds[b]);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static void a_single_message_waits_for_one_turn_of_a_flooded_shard_at_most(contract *c)
{
    /* given two shards that one worker serves, 16 a turn: 4,096 messages for the one, one for the other */
    enum { FLOOD = 4096 };
    rk_launch_options o = roomy();
    size_t count;
    o.shards = 2;
    o.max_batch = 16;
    rk_kernel kernel = launch(c, "carry", "carry", &o);
    for (rk_u32 i = 0; i < FLOOD; i++)
        assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = 0 }));
    assert_ok(send_package(c, kernel, FLOOD, &(rk_send_options){ .target = 1 }));
    assert_ok(rk_activate(c->runtime, kernel));
    if (c->variant->single_step) { /* once round both shards */
        rk_account flooded, single;
        assert_ok(rk_step(c->runtime, kernel, 0));
        assert_ok(rk_account_of_lane(c->runtime, kernel, 0, HOST_LANE, &flooded));
        assert_ok(rk_account_of_lane(c->runtime, kernel, 1, HOST_LANE, &single));
        assert_int_equal(flooded.delivered, 16);
        assert_int_equal(single.delivered, 1);
    }

    /* then not more than one turn of the flooded shard is older than the single one's */
    sighting *seen = take_all(c, kernel, sizeof(sighting), &count);
    rk_u64 single_ns = 0;
    rk_u32 before = 0;
    assert_int_equal(count, FLOOD + 1);
    for (size_t i = 0; i < count; i++)
        if (seen[i].shard == 1) single_ns = seen[i].handled_ns;
    for (size_t i = 0; i < count; i++) before += seen[i].shard == 0 && seen[i].handled_ns < single_ns;
    assert_true(single_ns > 0);
    assert_true(before <= 16);
    free(seen);
}

/* ------------------------------------------------------------------ shards and actors */

static const rk_u32 block_counts[] = { 1, 4, 128 };
enum { SHARDS = 128, SPREAD = 12800 };

static rk_u32 spread_count(void) { return contract_rounds(SPREAD); }

static rk_u32 spread_target(rk_u32 i) { return (rk_u32)(rk_hash64(i) >> 40); }

static void every_shard_gets_its_own_however_many_blocks_there_are(contract *c)
{
    static count_log states[3][SHARDS];
    for (rk_u32 b = 0; b < 3; b++) {
        rk_launch_options o = rk_production();
        o.queue_capacity = 256;
        o.deduplication_window = 0;
        o.shards = SHARDS;
        o.blocks = block_counts[b];
        o.kernel_name = "tally_shards";
        rk_kernel kernel = launch_active(c, "shards", "", &o);
        for (rk_u32 i = 1; i <= spread_count(); i++) {
            assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = spread_target(i) }));
            if (i % 100 == 0) settle(c);
        }
        wait_until(c, is_at_rest(c, kernel));
        rk_u64 total = 0;
        for (rk_u32 s = 0; s < SHARDS; s++) {
            assert_ok(rk_read_state(c->runtime, kernel, s, &states[b][s], sizeof states[b][s]));
            assert_int_equal(states[b][s].misplaced + states[b][s].disorder + states[b][s].wrong, 0);
            total += states[b][s].count;
        }
        assert_int_equal(total, spread_count());
        assert_memory_equal(states[b], states[0], sizeof states[0]);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static void every_message_comes_once_to_the_shard_of_its_target(contract *c)
{
    for (rk_u32 b = 0; b < 3; b++) {
        rk_launch_options o = roomy();
        size_t count;
        static rk_u8 came[SPREAD + 1];
        o.queue_capacity = 256;
        o.output_capacity = 256;
        o.shards = SHARDS;
        o.blocks = block_counts[b];
        rk_kernel kernel = launch_active(c, "shards", "carry", &o);
        for (rk_u32 i = 1; i <= spread_count(); i++) {
            assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = spread_target(i) }));
            if (i % 100 == 0) settle(c);
        }
        sighting *seen = take_all(c, kernel, sizeof(sighting), &count);
        memset(came, 0, sizeof came);
        assert_int_equal(count, spread_count());
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(seen[i].wrong, 0);
            assert_int_equal(seen[i].target, spread_target((rk_u32)seen[i].number));
            assert_int_equal(seen[i].shard, seen[i].target % SHARDS);
            assert_int_equal(came[seen[i].number]++, 0);
        }
        free(seen);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

enum { ACTORS = 10000, HOT = 4321, HOT_MESSAGES = 1000 };

static void a_hot_actor_among_many_gets_its_messages_in_turn_and_in_order(contract *c)
{
    static const rk_u32 shard_counts[] = { 1, 3 };
    for (rk_u32 k = 0; k < 2; k++) {
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.actors = ACTORS;
        o.shards = shard_counts[k];
        o.blocks = shard_counts[k];
        o.kernel_name = "tally_actors";
        rk_kernel kernel = launch_active(c, "actors", "", &o);
        for (rk_u32 i = 1; i <= HOT_MESSAGES; i++) {
            assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = HOT }));
            assert_ok(send_package(
                c, kernel, i, &(rk_send_options){ .target = i * 7 % ACTORS == HOT ? 0 : i * 7 % ACTORS }));
            if (i % 100 == 0) settle(c);
        }
        count_log state;
        wait_until(c, is_at_rest(c, kernel));
        assert_ok(rk_read_state(c->runtime, kernel, HOT, &state, sizeof state));
        assert_int_equal(state.count, HOT_MESSAGES);
        assert_int_equal(state.sum, HOT_MESSAGES * (HOT_MESSAGES + 1) / 2);
        assert_int_equal(state.disorder + state.wrong, 0);
        rk_u64 total = 0;
        for (rk_u32 a = 0; a < ACTORS; a += 7) {
            assert_ok(rk_read_state(c->runtime, kernel, a, &state, sizeof state));
            if (a != HOT) total += state.count;
        }
        assert_true(total > 0);
        assert_status(send_package(c, kernel, 1, &(rk_send_options){ .target = ACTORS }), RK_NO_SUCH_ACTOR);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static void a_batch_handler_gets_the_messages_of_an_actor_together(contract *c)
{
    /* given 1,000 messages of one actor, each followed by one of another, and turns of 256 */
    rk_launch_options o = rk_production();
    batch_log log;
    o.deduplication_window = 0;
    o.actors = ACTORS;
    o.kernel_name = "batches_of_actors";
    rk_kernel kernel = launch(c, "actors", "", &o);
    for (rk_u32 i = 1; i <= HOT_MESSAGES; i++) {
        assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = HOT }));
        assert_ok(send_package(c, kernel, i, &(rk_send_options){ .target = i }));
    }
    assert_ok(rk_activate(c->runtime, kernel));
    wait_until(c, is_at_rest(c, kernel));

    /* then its handler has 128 at a time, in order, and the others one each */
    assert_ok(rk_read_state(c->runtime, kernel, HOT, &log, sizeof log));
    assert_int_equal(log.messages, HOT_MESSAGES);
    assert_int_equal(log.calls, (2 * HOT_MESSAGES + 255) / 256);
    assert_int_equal(log.largest, 128);
    assert_int_equal(log.disorder, 0);
    for (rk_u32 a = 1; a <= HOT_MESSAGES; a += 13) {
        assert_ok(rk_read_state(c->runtime, kernel, a, &log, sizeof log));
        assert_int_equal(log.calls, 1);
        assert_int_equal(log.last, a);
    }
}

static void an_event_driven_kernel_works_in_slices_and_keeps_serving(contract *c)
{
    enum { SENT = 10000 };
    rk_launch_options o = roomy();
    count_log state;
    o.kernel_name = "tally_slices";
    rk_kernel kernel = launch(c, "slices", "", &o);
    for (rk_u32 i = 1; i <= SENT; i++) assert_ok(send_package(c, kernel, i, 0));
    assert_ok(rk_activate(c->runtime, kernel));
    wait_until(c, is_at_rest(c, kernel));
    wait_until(c, metrics_of(c, kernel).slices >= SENT / 1000);
    assert_int_equal(metrics_of(c, kernel).slices, SENT / 1000); /* each was full */
    assert_int_equal(info_of(c, kernel).threads, 256);
    for (rk_u32 i = 1; i <= 10; i++) assert_ok(send_package(c, kernel, SENT + i, 0));
    wait_until(c, is_at_rest(c, kernel));
    assert_ok(rk_read_state(c->runtime, kernel, 0, &state, sizeof state));
    assert_int_equal(state.count, SENT + 10);
    assert_int_equal(state.disorder, 0);
}

/* ------------------------------------------------------------------ a batch that is not committed */

static void fail_and_relaunch(contract *c, rk_launch_options *o, rk_u32 redelivers)
{
    /* given a source that is stopped between publishing and committing a batch of ten */
    enum { ORDERED = 10 };
    rk_launch_options target = small_queue(RK_BACKPRESSURE_BLOCK);
    target.queue_capacity = 64;
    line l = { .c = c, .lane = DEVICE_LANE };
    l.target = launch(c, "target", "carry", &target);
    l.source = launch(c, "source", "dispatch", o);
    assert_ok(rk_connect(c->runtime, l.source, 0, l.target, 0));
    for (rk_u32 i = 1; i <= ORDERED; i++) order_package(&l, i, 0);
    assert_ok(rk_fail_before_commit(c->runtime, l.source));
    assert_ok(rk_activate(c->runtime, l.source));
    wait_until(c, info_of(c, l.source).life == RK_LIFE_FAILED);
    assert_int_equal(lane_account(&l).accepted, ORDERED);
    assert_int_equal(account_of(c, l.source).delivered, 0);
    assert_true(account_of(c, l.source).balanced);

    /* when it is launched again, then the ten are handled again, flagged, and none is missing */
    o->kernel_name = in_style(c, "dispatch");
    assert_ok(rk_relaunch(c->runtime, l.source, o, CONTRACT_PATIENCE));
    wait_until(c, is_at_rest(c, l.source));
    assert_int_equal(info_of(c, l.source).epoch, 2);
    rk_account a = account_of(c, l.source);
    assert_true(a.balanced);
    assert_int_equal(a.accepted, ORDERED);
    assert_int_equal(a.delivered, redelivers ? ORDERED : 0);
    l.ordered = redelivers ? 2 * ORDERED : ORDERED;
    size_t count;
    sighting *seen = collect(&l, &count);
    assert_int_equal(count, l.ordered);
    for (rk_u32 i = 0; i < count; i++) {
        assert_int_equal(seen[i].number, i % ORDERED + 1);
        assert_int_equal((seen[i].order_flags & RK_FLAG_REDELIVERED) != 0, i >= ORDERED);
    }
    free(seen);
    close_line(&l);
}

static void an_uncommitted_batch_is_handled_again_and_flagged(contract *c)
{
    rk_launch_options o = source_options();
    fail_and_relaunch(c, &o, 1);
    o = source_options();
    o.deduplication_window = 16;
    fail_and_relaunch(c, &o, 1);
    o = source_options();
    o.slot_format = RK_FORMAT_UNIT;
    fail_and_relaunch(c, &o, 1);
    o = source_options();
    o.priority = 1;
    fail_and_relaunch(c, &o, 1);
    o = source_options();
    o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    fail_and_relaunch(c, &o, 1);
}

/* ------------------------------------------------------------------ two that flood each other, and one that
 * floods itself */

/* Each spark of h hops is worth 2^h that reach the host in the end; what dies on the way is worth as much. */
static rk_u64 take_sparks(contract *c, rk_kernel kernel)
{
    spark s;
    rk_dead_letter letter;
    rk_u64 worth = 0;
    while (rk_receive(c->runtime, kernel, &s, sizeof s, 0, RK_NO_WAIT) == RK_OK) worth++;
    while (rk_receive_dead(c->runtime, kernel, &s, sizeof s, &letter, RK_NO_WAIT) == RK_OK) {
        assert_string_equal(letter.reason, rk_status_name(RK_TIMED_OUT));
        worth += 1ull << s.hops;
    }
    return worth;
}

static int are_calm(contract *c, const rk_kernel *kernels, rk_u32 count)
{
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(20));
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        if (!a.balanced || a.queued || a.dead_letters != a.dead_sends) return 0;
    }
    return 1;
}

static void flood(contract *c, const rk_kernel *kernels, rk_u32 count)
{
    enum { FIRST = 8, HOPS = 10 };
    for (rk_u32 i = 0; i < FIRST; i++) {
        spark s = { HOPS, 0 };
        assert_ok(rk_send(c->runtime, kernels[i % count], RK_BODY(s), 0));
    }
    for (rk_u32 i = 0; i < count; i++) assert_ok(rk_activate(c->runtime, kernels[i]));
    wait_until(c, are_calm(c, kernels, count));

    /* then what didn't find room in time is in the dead letters: nothing has vanished */
    rk_u64 worth = 0, dead = 0, accepted = 0, sent = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        worth += take_sparks(c, kernels[i]);
        dead += a.dead_sends;
        accepted += a.accepted_device;
        sent += a.sent - a.output_accepted;
        assert_int_equal(info_of(c, kernels[i]).life, RK_LIFE_ACTIVE);
    }
    assert_int_equal(worth, (rk_u64)FIRST << HOPS);
    assert_int_equal(accepted, sent);
    assert_true(dead > 0);

    /* and all go on */
    spark last = { 0, 0 }, s;
    for (rk_u32 i = 0; i < count; i++) {
        assert_ok(rk_send(c->runtime, kernels[i], RK_BODY(last), 0));
        receive(c, kernels[i], &s);
    }
}

static rk_launch_options flooded(void)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.send_deadline_ns = RK_MILLISECONDS(20);
    o.dead_letter_capacity = 65536;
    o.kernel_name = "breed";
    return o;
}

static void two_kernels_that_flood_each_other_go_on_and_nothing_vanishes(contract *c)
{
    rk_launch_options o = flooded();
    rk_kernel pair[2] = { launch(c, "ping", "", &o), launch(c, "pong", "", &o) };
    assert_ok(rk_connect(c->runtime, pair[0], 0, pair[1], 0));
    assert_ok(rk_connect(c->runtime, pair[1], 0, pair[0], 0));
    flood(c, pair, 2);
}

static void a_kernel_that_floods_itself_goes_on_and_nothing_vanishes(contract *c)
{
    rk_launch_options o = flooded();
    rk_kernel self = launch(c, "self", "", &o);
    assert_ok(rk_connect(c->runtime, self, 0, self, 0));
    flood(c, &self, 1);
}

static void a_cycle_that_would_block_for_ever_is_refused(contract *c)
{
    rk_launch_options o = flooded();
    o.send_deadline_ns = RK_NO_DEADLINE;
    rk_kernel ping = launch(c, "ping", "", &o), pong = launch(c, "pong", "", &o);
    assert_ok(rk_connect(c->runtime, ping, 0, pong, 0));
    assert_status(rk_connect(c->runtime, pong, 0, ping, 0), RK_INVALID_ARGUMENT);
    assert_error_says("Block without a deadline");
    assert_status(rk_connect(c->runtime, ping, 0, ping, 0), RK_INVALID_ARGUMENT);
    /* with another backpressure it is legal */
    o.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel third = launch(c, "third", "", &o);
    assert_ok(rk_connect(c->runtime, pong, 0, third, 0));
    assert_ok(rk_connect(c->runtime, third, 0, ping, 0));
}

/* ------------------------------------------------------------------ memory and clocks */

/* What a sender wrote before it sent is there when the message is handled: kernels that look at the program's
 * own memory. */
enum { PLAIN = 4096 };
static rk_u64 plain_words[PLAIN], plain_copies[PLAIN];

RK_HANDLER(read_plain, package, p, rk_none, self)
{
    package copy = *p;
    copy.flags = plain_words[p->number % PLAIN] == p->check;
    plain_copies[p->number % PLAIN] = p->check;
    rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(read_plain_spmd, package, package, .threads = 32)
{
    package p;
    if (rk_try_receive(RK_ARG, &p)) {
        p.flags = plain_words[p.number % PLAIN] == p.check;
        plain_copies[p.number % PLAIN] = p.check;
        rk_send(RK_ARG, &p);
    }
}

RK_HANDLER(read_copies, package, p, rk_none, self)
{
    package copy = *p;
    copy.flags += 2u * (plain_copies[p->number % PLAIN] == p->check);
    rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(read_copies_spmd, package, package, .threads = 32)
{
    package p;
    if (rk_try_receive(RK_ARG, &p)) {
        p.flags += 2u * (plain_copies[p.number % PLAIN] == p.check);
        rk_send(RK_ARG, &p);
    }
}

static void what_was_written_before_a_send_is_seen_by_its_receiver(contract *c)
{
    /* given host, kernel and kernel, over each kind of lane */
    rk_u32 messages = contract_rounds(PLAIN);
    static const struct {
        rk_u32 strategy, window, format;
    } lanes[] = {
        { RK_BACKPRESSURE_BLOCK, 0, RK_FORMAT_SEQ },
        { RK_BACKPRESSURE_BLOCK, 16, RK_FORMAT_SEQ },
        { RK_BACKPRESSURE_BLOCK, 0, RK_FORMAT_UNIT },
        { RK_BACKPRESSURE_DROP_OLDEST, 0, RK_FORMAT_SEQ },
    };
    for (rk_u32 n = 0; n < sizeof lanes / sizeof *lanes; n++) {
        rk_launch_options o = roomy();
        o.backpressure = lanes[n].strategy;
        o.deduplication_window = lanes[n].window;
        o.slot_format = lanes[n].format;
        rk_kernel first = launch(c, "first", "read_plain", &o),
                  second = launch_active(c, "second", "read_copies", &o);
        assert_ok(rk_connect(c->runtime, first, 0, second, 0));
        assert_ok(rk_activate(c->runtime, first));

        /* when each message follows a plain write of its sender, then its receiver sees that */
        for (rk_u32 i = 0; i < messages; i++) {
            package p = package_of(i, n);
            plain_words[i] = p.check;
            assert_ok(rk_send(c->runtime, first, RK_BODY(p), 0));
        }
        for (rk_u32 i = 0; i < messages; i++) {
            package p;
            receive(c, second, &p);
            assert_int_equal(p.number, i);
            assert_int_equal(p.flags, 3);
        }
        assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, second, CONTRACT_PATIENCE));
    }
}

static void every_model_of_memory_consistency_delivers_the_messages_whole(contract *c)
{
    static const char *const kernels[] = { "tally_shards", "tally_relaxed", "tally_sequential" };
    rk_u32 messages = contract_rounds(5000);
    for (rk_u32 k = 0; k < 3; k++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
        o.kernel_name = kernels[k];
        rk_kernel target = launch_active(c, "target", "", &o),
                  from = launch(c, "source", "dispatch", &source);
        assert_ok(rk_connect(c->runtime, from, 0, target, 0));
        assert_ok(rk_activate(c->runtime, from));
        for (rk_u32 i = 1; i <= messages; i++) {
            work_order order = { .number = i };
            assert_ok(rk_send(c->runtime, from, RK_BODY(order), 0));
        }
        count_log state;
        wait_until(c, is_at_rest(c, from) && account_of(c, target).accepted == messages &&
                          is_at_rest(c, target));
        assert_ok(rk_read_state(c->runtime, target, 0, &state, sizeof state));
        assert_int_equal(state.count, messages);
        assert_int_equal(state.sum, (rk_u64)messages * (messages + 1) / 2);
        assert_int_equal(state.disorder + state.wrong, 0);
        assert_ok(rk_terminate(c->runtime, from, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    }
}

/* Litmus tests of the port's atomics, two threads, round by round. */
typedef struct litmus {
    rk_u32 x, y, round, done;
    rk_u32 order; /* 0: relaxed, 1: release and acquire, 2: sequentially consistent */
    rk_u32 rounds, seen[2];
    rk_u32 odd; /* outcomes that need a reordering */
    rk_u8 apart[128];
} litmus;

static void meet(litmus *t, rk_u32 *word, rk_u32 value)
{
    (void)t;
    rk_store_u32(word, value, RK_RELEASE, RK_SCOPE_DEVICE);
}

static void store_word(litmus *t, rk_u32 *word, rk_u32 value)
{
    if (t->order == 0)
        rk_store_u32(word, value, RK_RELAXED, RK_SCOPE_DEVICE);
    else if (t->order == 1)
        rk_store_u32(word, value, RK_RELEASE, RK_SCOPE_DEVICE);
    else
        rk_store_u32(word, value, RK_SEQ_CST, RK_SCOPE_DEVICE);
}

static rk_u32 load_word(litmus *t, const rk_u32 *word)
{
    return t->order == 0   ? rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE)
           : t->order == 1 ? rk_load_u32(word, RK_ACQUIRE, RK_SCOPE_DEVICE)
                           : rk_load_u32(word, RK_SEQ_CST, RK_SCOPE_DEVICE);
}

static void *store_buffering_partner(void *argument)
{
    litmus *t = argument;
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        for (rk_u32 n = 0; rk_load_u32(&t->round, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        store_word(t, &t->y, r);
        t->seen[1] = load_word(t, &t->x);
        meet(t, &t->done, r);
    }
    return 0;
}

static void *message_passing_partner(void *argument)
{
    litmus *t = argument;
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        for (rk_u32 n = 0; rk_load_u32(&t->round, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        t->seen[1] = load_word(t, &t->y);
        t->seen[0] = load_word(t, &t->x);
        meet(t, &t->done, r);
    }
    return 0;
}

static rk_u32 run_litmus(contract *c, rk_u32 order, rk_u32 buffering)
{
    litmus *t = calloc(1, sizeof *t);
    t->order = order;
    t->rounds = contract_rounds(20000);
    start_thread(c, buffering ? store_buffering_partner : message_passing_partner, t);
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        meet(t, &t->round, r);
        if (buffering) {
            store_word(t, &t->x, r);
            t->seen[0] = load_word(t, &t->y);
        } else {
            store_word(t, &t->x, r);
            store_word(t, &t->y, r);
        }
        for (rk_u32 n = 0; rk_load_u32(&t->done, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        if (buffering)
            t->odd += t->seen[0] != r && t->seen[1] != r;
        else
            t->odd += t->seen[1] == r && t->seen[0] != r;
    }
    join_threads(c);
    rk_u32 odd = t->odd;
    free(t);
    return odd;
}

static void litmus_tests_allow_what_each_order_allows(contract *c)
{
    static const char *const orders[] = { "relaxed", "release-acquire", "sequential" };
    for (rk_u32 order = 0; order < 3; order++) {
        rk_u32 passing = run_litmus(c, order, 0), buffering = run_litmus(c, order, 1);
        print_message(
            "litmus, %s: message passing reordered %u times, store buffering %u times, in %u rounds\n",
            orders[order], passing, buffering, contract_rounds(20000));
        if (order >= 1) assert_int_equal(passing, 0);
        if (order == 2) assert_int_equal(buffering, 0);
    }
}

enum { CHAIN = 4 };

static void make_chain(contract *c, const char *kernel, rk_kernel *chain)
{
    for (rk_u32 k = 0; k < CHAIN; k++) {
        rk_launch_options o = roomy();
        char id[16];
        o.kernel_name = kernel;
        snprintf(id, sizeof id, "link %u", k);
        chain[k] = launch(c, id, "", &o);
        if (k) assert_ok(rk_connect(c->runtime, chain[k - 1], 0, chain[k], 0));
    }
    for (rk_u32 k = CHAIN; k-- > 0;) assert_ok(rk_activate(c->runtime, chain[k]));
}

static void causal_stamps_never_decrease_along_a_chain(contract *c)
{
    enum { TRAILS = 200 };
    rk_kernel chain[CHAIN];
    make_chain(c, "stamp_causal", chain);
    for (rk_u32 i = 0; i < TRAILS; i++) {
        trail t = { 0, i, { 0 } };
        assert_ok(rk_send(c->runtime, chain[0], RK_BODY(t), 0));
    }
    rk_u64 before = 0;
    for (rk_u32 i = 0; i < TRAILS; i++) {
        trail t;
        rk_received info;
        receive_with(c, chain[CHAIN - 1], &t, &info);
        assert_int_equal(t.number, i);
        assert_int_equal(t.hops, CHAIN);
        for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] > t.stamp[h - 1]);
        assert_true(info.sent_ns > t.stamp[CHAIN - 1]);
        assert_true(info.sent_ns > before); /* of one shard's sends each is later than the one before */
        before = info.sent_ns;
    }
}

/* Send one trail along the chain while the clock is set back at each hop. */
static trail send_against_the_clock(contract *c, const rk_kernel *chain)
{
    trail t = { 0 };
    assert_ok(rk_send(c->runtime, chain[0], RK_BODY(t), 0));
    for (rk_u32 k = 0; k < CHAIN; k++) {
        __atomic_fetch_sub(&c->clock_ns, 1000, __ATOMIC_RELAXED);
        assert_ok(rk_step(c->runtime, chain[k], 0));
    }
    assert_ok(rk_receive(c->runtime, chain[CHAIN - 1], &t, sizeof t, 0, RK_NO_WAIT));
    return t;
}

static void causal_stamps_hold_even_when_the_clock_is_set_back(contract *c)
{
    rk_kernel chain[CHAIN];
    make_chain(c, "stamp_causal", chain);
    trail t = send_against_the_clock(c, chain);
    for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] > t.stamp[h - 1]);
    for (rk_u32 k = 0; k < CHAIN; k++) assert_ok(rk_terminate(c->runtime, chain[k], CONTRACT_PATIENCE));

    make_chain(c, "stamp_plain", chain); /* plain stamps follow the clock */
    t = send_against_the_clock(c, chain);
    for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] < t.stamp[h - 1]);
}

static void with_timestamps_the_wait_of_each_message_is_counted(contract *c)
{
    enum { MESSAGES = 1000 };
    rk_launch_options o = roomy();
    o.timestamps = 1;
    rk_kernel kernel = launch(c, "carry", "carry", &o);
    for (rk_u32 i = 0; i < MESSAGES; i++) assert_ok(send_package(c, kernel, i, 0));
    let_pass(c, RK_MILLISECONDS(5));
    assert_ok(rk_activate(c->runtime, kernel));
    wait_until(c, is_at_rest(c, kernel));
    rk_metrics m = metrics_of(c, kernel);
    assert_int_equal(m.queue_wait.count, MESSAGES);
    assert_true(m.queue_wait.min_ns >= RK_MILLISECONDS(5));
    assert_true(m.queue_wait.min_ns <= m.queue_wait.mean_ns && m.queue_wait.mean_ns <= m.queue_wait.max_ns);
    if (c->variant->single_step) assert_int_equal(m.queue_wait.max_ns, RK_MILLISECONDS(5));
    assert_int_equal(m.service.count, MESSAGES);
}

static const contract_case cases[] = {
    { CASE(the_same_handler_gives_the_same_bytes_in_regions_and_in_fibers), ON_EVERY },
    { CASE(one_and_a_half_and_two_and_a_quarter_are_three_and_three_quarters), ON_EVERY },
    { CASE(a_region_reduces_exactly_for_every_block_size), NEEDS_REGIONS },
    { CASE(a_block_of_fibers_reduces_exactly_for_every_size), NEEDS_FIBERS },
    { CASE(a_warp_of_fibers_reduces_exactly_for_every_block_size), NEEDS_FIBERS },
    { CASE(a_ballot_and_a_vote_say_who_agrees), NEEDS_FIBERS },
    { CASE(a_divergent_barrier_names_its_line_and_stops_that_kernel_alone), NEEDS_FIBERS },
    { CASE(a_barrier_of_too_narrow_a_scope_is_found_when_asked_for), NEEDS_FIBERS },
    { CASE(a_turn_brings_what_the_mode_says), NEEDS_REGIONS },
    { CASE(a_batch_is_gathered_until_it_is_full_or_its_time_is_over), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(the_launch_bounds_a_turn), ON_EVERY },
    { CASE(a_single_message_waits_for_one_turn_of_a_flooded_shard_at_most), ON_EVERY },
    { CASE(every_shard_gets_its_own_however_many_blocks_there_are), NEEDS_REGIONS },
    { CASE(every_message_comes_once_to_the_shard_of_its_target), ON_EVERY },
    { CASE(a_hot_actor_among_many_gets_its_messages_in_turn_and_in_order), NEEDS_REGIONS },
    { CASE(a_batch_handler_gets_the_messages_of_an_actor_together), NEEDS_REGIONS },
    { CASE(an_event_driven_kernel_works_in_slices_and_keeps_serving), NEEDS_REGIONS },
    { CASE(an_uncommitted_batch_is_handled_again_and_flagged), ON_EVERY },
    { CASE(two_kernels_that_flood_each_other_go_on_and_nothing_vanishes), NEEDS_REGIONS },
    { CASE(a_kernel_that_floods_itself_goes_on_and_nothing_vanishes), NEEDS_REGIONS },
    { CASE(a_cycle_that_would_block_for_ever_is_refused), NEEDS_REGIONS | ONCE },
    { CASE(what_was_written_before_a_send_is_seen_by_its_receiver), ON_EVERY },
    { CASE(every_model_of_memory_consistency_delivers_the_messages_whole), NEEDS_REGIONS },
    { CASE(litmus_tests_allow_what_each_order_allows), NEEDS_THREADS | ONCE },
    { CASE(causal_stamps_never_decrease_along_a_chain), NEEDS_REGIONS },
    { CASE(causal_stamps_hold_even_when_the_clock_is_set_back), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(with_timestamps_the_wait_of_each_message_is_counted), ON_EVERY },
};

CONTRACT_MAIN("handling", cases)
