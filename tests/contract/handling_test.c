/* What handlers may rely on: how many messages a turn brings, whose they are and in which order, that both
 * styles give the same, and what happens to a batch that is not committed. */
#include "lines.h"

#include "../kernels/contract_tiny.rk.h"

#include <stdio.h>
#include <stdlib.h>

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

/* The same of threads: each turn tells how many of them had a message. */
static void a_turn_brings_threads_what_the_mode_says(contract *c)
{
    static const mode_case of_threads[] = {
        { "turns_continuous", 10, 10, 1, 1 },   { "turns_continuous", 1000, 1000, 1, 1 },
        { "turns_gathered", 1, 1, 1, 1 },       { "turns_gathered", 10, 1, 10, 10 },
        { "turns_gathered", 1000, 16, 64, 40 }, { "turns_adaptive", 1, 1, 1, 1 },
        { "turns_adaptive", 10, 1, 10, 10 },    { "turns_adaptive", 1000, 32, 32, 8 },
        { "turns_of_actors", 1000, 63, 16, 8 }, { "turns_of_blocks", 1000, 11, 96, 40 },
    };
    for (size_t m = 0; m < sizeof of_threads / sizeof *of_threads; m++) {
        const mode_case *of = &of_threads[m];
        rk_launch_options o = roomy();
        size_t count;
        rk_u64 messages = 0, largest = 0, smallest = ~0ull;
        o.kernel_name = of->kernel;
        rk_kernel kernel = launch(c, "turns", "", &o);
        for (rk_u32 i = 1; i <= of->queued; i++) assert_ok(send_package(c, kernel, i, 0));
        assert_ok(rk_activate(c->runtime, kernel));
        settle(c);
        let_pass(c, RK_MILLISECONDS(1)); /* the last batch is gathered */
        response *turns = take_all(c, kernel, sizeof *turns, &count);
        for (size_t i = 0; i < count; i++) {
            messages += turns[i].value;
            if (turns[i].value > largest) largest = turns[i].value;
            if (turns[i].value < smallest) smallest = turns[i].value;
        }
        assert_int_equal(messages, of->queued);
        assert_int_equal(count, of->calls);
        assert_int_equal(largest, of->largest);
        assert_int_equal(smallest, of->smallest);
        free(turns);
        assert_ok(rk_terminate(c->runtime, kernel, CONTRACT_PATIENCE));
    }
}

static void one_band_alone_fills_a_turn(contract *c)
{
    static const rk_u8 priorities[] = { 0, 64, 128, 255 };
    for (size_t p = 0; p < 2 * sizeof priorities; p++) {
        rk_launch_options o = roomy();
        rk_send_options with = RK_SEND_DEFAULTS;
        batch_log log;
        o.kernel_name = "batches_gathered";
        o.priority = 1;
        if (p >= sizeof priorities) o.backpressure = RK_BACKPRESSURE_DROP_OLDEST; /* which takes by copying */
        with.priority = priorities[p % sizeof priorities];
        rk_kernel kernel = launch(c, "batches", "", &o);
        for (rk_u32 i = 1; i <= 64; i++) assert_ok(send_package(c, kernel, i, &with));
        assert_ok(rk_activate(c->runtime, kernel));
        settle(c);
        wait_until(c, is_at_rest(c, kernel));
        assert_ok(rk_read_state(c->runtime, kernel, 0, &log, sizeof log));
        assert_int_equal(log.calls, 1);
        assert_int_equal(log.largest, 64);
        assert_int_equal(log.disorder, 0);
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

/* On the CPU no more blocks serve a kernel than there are workers: with eight, each of these numbers makes other ones serve
 * a shard. */
static void reopen_for_blocks(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    if (!on_cpu(c) || c->variant->workers < 2) return;
    o.workers = 8;
    contract_reopen(c, &o);
}

static rk_u32 spread_count(void) { return contract_rounds(SPREAD); }

static rk_u32 spread_target(rk_u32 i) { return (rk_u32)(rk_hash64(i) >> 40); }

static void every_shard_gets_its_own_however_many_blocks_there_are(contract *c)
{
    static count_log states[3][SHARDS];
    reopen_for_blocks(c);
    for (rk_u32 b = 0; b < 3; b++) {
        rk_launch_options o = small(256);
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
    reopen_for_blocks(c);
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
    static const struct {
        const char *kernel;
        rk_u32 shards;
    } ways[] = { { "tally_actors", 1 },
                 { "tally_actors", 3 },
                 { "tally_actors_by_warps", 1 },
                 { "tally_actors_by_blocks", 1 } };
    for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
        rk_launch_options o = rk_production();
        o.deduplication_window = 0;
        o.actors = ACTORS;
        o.shards = ways[k].shards;
        o.blocks = ways[k].shards;
        o.kernel_name = ways[k].kernel;
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

static void a_shard_of_warps_gets_its_messages_in_turn_and_in_order(contract *c)
{
    rk_launch_options o = rk_production();
    count_log state;
    o.deduplication_window = 0;
    o.kernel_name = "tally_shard_by_warps";
    rk_kernel kernel = launch_active(c, "shard", "", &o);
    for (rk_u32 i = 1; i <= HOT_MESSAGES; i++) {
        assert_ok(send_package(c, kernel, i, 0));
        if (i % 200 == 0) settle(c);
    }
    wait_until(c, is_at_rest(c, kernel));
    assert_ok(rk_read_state(c->runtime, kernel, 0, &state, sizeof state));
    assert_int_equal(state.count, HOT_MESSAGES);
    assert_int_equal(state.sum, HOT_MESSAGES * (HOT_MESSAGES + 1) / 2);
    assert_int_equal(state.disorder + state.wrong, 0);
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
    o.queue_capacity = o.output_capacity = 16384;
    count_log state;
    rk_kernel kernel = launch(c, "slices", "tally_slices", &o);
    for (rk_u32 i = 1; i <= SENT; i++) assert_ok(send_package(c, kernel, i, 0));
    assert_ok(rk_activate(c->runtime, kernel));
    wait_until(c, is_at_rest(c, kernel));
    wait_until(c, metrics_of(c, kernel).slices >= SENT / 1000);
    assert_int_equal(metrics_of(c, kernel).slices, SENT / 1000); /* each was full */
    assert_int_equal(info_of(c, kernel).threads, 256);
    for (rk_u32 i = 1; i <= 10; i++) assert_ok(send_package(c, kernel, SENT + i, 0));
    wait_until(c, metrics_of(c, kernel).processed >= SENT + 10); /* which is counted behind the account */
    assert_int_equal(metrics_of(c, kernel).processed, SENT + 10);
    if (c->variant->style == STYLE_FIBERS) return; /* which have no state to count in */
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

/* A kernel that is told to fail, and gets a message right behind it. */
static void a_fault_point_is_known_before_the_next_message(contract *c)
{
    enum { ROUNDS = 40 };
    rk_launch_options o =
        small_queue(RK_BACKPRESSURE_DROP_OLDEST); /* a device looks at orders and lane one after the other */
    rk_kernel k = launch_active(c, "echo", "carry", &o);
    for (rk_u32 i = 0; i < ROUNDS; i++) {
        sighting first, again;
        assert_ok(rk_fail_before_commit(c->runtime, k));
        assert_ok(send_package(c, k, i + 1u, 0));
        receive(c, k, &first);
        wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
        assert_int_equal(account_of(c, k).delivered, i);
        o.kernel_name = in_style(c, "carry");
        assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
        receive(c, k, &again);
        assert_int_equal(again.number, first.number);
        wait_until(c, is_at_rest(c, k));
    }
}

/* ------------------------------------------------------------------ the smallest */

static void messages_of_one_word_pass_whole_one_beside_the_other(contract *c)
{
    /* given a kernel that forwards to the shards of another, which forwards to the host */
    enum { MESSAGES = 1000, SHARDS_OF_SECOND = 3 };
    static rk_u8 came[MESSAGES];
    rk_launch_options o = roomy();
    size_t count;
    o.kernel_name = "skip_pebble";
    rk_kernel first = launch(c, "first", "", &o);
    o.shards = SHARDS_OF_SECOND;
    rk_kernel second = launch(c, "second", "", &o);
    assert_ok(rk_connect(c->runtime, first, 0, second, 0));
    /* when they come in large batches */
    for (rk_u32 i = 0; i < MESSAGES; i++) {
        pebble p = { i };
        assert_ok(rk_send(c->runtime, first, RK_BODY(p), &(rk_send_options){ .target = i * 7u }));
    }
    assert_ok(rk_activate(c->runtime, second));
    assert_ok(rk_activate(c->runtime, first));
    wait_until(c, is_at_rest(c, first) && account_of(c, second).accepted == MESSAGES);
    pebble *seen = take_all(c, second, sizeof *seen, &count);
    /* then each is there, once */
    memset(came, 0, sizeof came);
    assert_int_equal(count, MESSAGES);
    for (size_t i = 0; i < count; i++) {
        assert_in_range(seen[i].number, 0, MESSAGES - 1);
        assert_int_equal(came[seen[i].number]++, 0);
    }
    free(seen);
}

static const contract_case cases[] = {
    { CASE(the_same_handler_gives_the_same_bytes_in_regions_and_in_fibers), ON_EVERY },
    { CASE(a_turn_brings_what_the_mode_says), NEEDS_REGIONS },
    { CASE(a_turn_brings_threads_what_the_mode_says), NEEDS_FIBERS },
    { CASE(one_band_alone_fills_a_turn), NEEDS_REGIONS },
    { CASE(a_batch_is_gathered_until_it_is_full_or_its_time_is_over), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(the_launch_bounds_a_turn), ON_EVERY },
    { CASE(a_single_message_waits_for_one_turn_of_a_flooded_shard_at_most), ON_EVERY },
    { CASE(every_shard_gets_its_own_however_many_blocks_there_are), NEEDS_REGIONS },
    { CASE(every_message_comes_once_to_the_shard_of_its_target), ON_EVERY },
    { CASE(a_hot_actor_among_many_gets_its_messages_in_turn_and_in_order), NEEDS_REGIONS },
    { CASE(a_shard_of_warps_gets_its_messages_in_turn_and_in_order), NEEDS_REGIONS },
    { CASE(a_batch_handler_gets_the_messages_of_an_actor_together), NEEDS_REGIONS },
    { CASE(an_event_driven_kernel_works_in_slices_and_keeps_serving), ON_EVERY },
    { CASE(a_fault_point_is_known_before_the_next_message), ON_EVERY },
    { CASE(an_uncommitted_batch_is_handled_again_and_flagged), ON_EVERY },
    { CASE(messages_of_one_word_pass_whole_one_beside_the_other), NEEDS_REGIONS },
};

CONTRACT_MAIN("handling", cases)
