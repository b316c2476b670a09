/* What attributes and launch options do, one by one: each has an effect that can be seen, or is refused. */
#include <ringkernel/device/take.h>
#include <ringkernel/kernel.h>

#include "probes.h"

#include <stdio.h>

#include "../kernels/contract_a.rk.h"
#include "../kernels/contract_c.rk.h"
#include "runtime/core.h"

static rk_launch_options plain(const char *kernel)
{
    rk_launch_options o = small(16);
    o.backpressure = RK_BACKPRESSURE_REJECT;
    o.kernel_name = kernel;
    return o;
}

static rk_kernel launch_plain(contract *c, const char *kernel)
{
    rk_launch_options o = plain(kernel);
    return launch(c, kernel, "", &o);
}

static rk_status send_measure(contract *c, rk_kernel k, rk_u64 number)
{
    measure m = { number, number };
    return rk_send(c->runtime, k, RK_BODY(m), 0);
}

/* ------------------------------------------------------------------ slices */

static void a_slice_ends_when_its_time_is_over(contract *c)
{
    /* given slices of a millisecond, begun by messages on the injected clock */
    rk_launch_options o = plain(0);
    measure m;
    rk_kernel k = launch_active(c, "slices", "slices_of_time", &o);
    for (rk_u32 slice = 0; slice < 5; slice++) {
        for (rk_u32 i = 0; i < 3; i++) { /* within one */
            assert_ok(send_measure(c, k, i));
            receive(c, k, &m);
            assert_int_equal(metrics_of(c, k).slices, slice);
            let_pass(c, RK_MICROSECONDS(300));
        }
        let_pass(c, RK_MICROSECONDS(99)); /* 999 µs */
        settle(c);
        assert_int_equal(metrics_of(c, k).slices, slice);
        let_pass(c, RK_MICROSECONDS(1));
        settle(c);
        assert_int_equal(metrics_of(c, k).slices, slice + 1);
        let_pass(c, RK_SECONDS(1)); /* without work there is no slice */
        settle(c);
        assert_int_equal(metrics_of(c, k).slices, slice + 1);
    }
}

/* ------------------------------------------------------------------ queues */

static void a_kernels_own_queues_have_the_room_that_it_asks_for(contract *c)
{
    static const struct {
        const char *kernel;
        rk_u32 input, output;
    } asks[] = {
        { "shared_memory", 16, 16 }, /* none: the launch's; the out lane is as the inbox */
        { "own_input", 32, 32 },     { "own_output", 16, 128 },
        { "own_queues", 64, 64 },    { "own_each", 32, 128 }, /* each wins over both at once */
    };
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        rk_kernel k = launch_plain(c, asks[i].kernel);
        assert_int_equal(info_of(c, k).queue_capacity, asks[i].input);
        assert_int_equal(info_of(c, k).output_capacity, asks[i].output);

        /* exactly as many fit, here */
        for (rk_u32 n = 0; n < asks[i].input; n++) assert_ok(send_measure(c, k, n));
        assert_status(send_measure(c, k, 0), RK_FULL);
        assert_true(metrics_of(c, k).input_utilization == 1.0);

        /* and there */
        rk_u32 all = asks[i].output + 2 * asks[i].input;
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 sent = asks[i].input; sent < all;)
            if (send_measure(c, k, sent) == RK_OK) {
                sent++;
            } else {
                settle(c);
                if (account_of(c, k).output_queued == asks[i].output &&
                    account_of(c, k).queued == asks[i].input)
                    break; /* nobody receives: both are full */
            }
        wait_until(c, account_of(c, k).output_queued == asks[i].output);
        measure m;
        while (rk_receive(c->runtime, k, &m, sizeof m, 0, 0) == RK_OK || account_of(c, k).queued) settle(c);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void a_queue_that_cannot_be_is_refused_by_name(contract *c)
{
    rk_launch_options o = plain("odd_queue");
    rk_kernel k;
    assert_status(rk_launch(c->runtime, "odd", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says(".input_queue 48");
}

/* ------------------------------------------------------------------ messaging, domains, width */

static void messaging_between_gpus_needs_several_and_what_lanes_are_works(contract *c)
{
    const rk_u32 several = c->variant->split;
    static const char *const works[] = { "shared_memory", "atomic_queue" };
    static const char *const refused[][2] = { { "gpu_to_gpu", "RK_MESSAGING_P2P" },
                                              { "gpus_by_nccl", "RK_MESSAGING_NCCL" } };
    for (rk_u32 i = 0; i < 2; i++) {
        measure m;
        rk_launch_options o = plain(refused[i][0]);
        rk_kernel k = launch_plain(c, works[i]);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 n = 0; n < 10; n++) {
            assert_ok(send_measure(c, k, n));
            receive(c, k, &m);
            assert_int_equal(m.number, n);
        }
        if (several && i == 0) { /* between these it is what lanes are */
            assert_ok(rk_launch(c->runtime, "far", &o, &k));
            assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
            continue;
        }
        assert_status(rk_launch(c->runtime, "far", &o, &k), RK_UNSUPPORTED);
        assert_error_says(refused[i][1]);
        assert_error_says("RK_MESSAGING_SHARED_MEMORY"); /* the nearest that works */
    }
}

static void a_domain_is_a_preset_of_mode_and_batch(contract *c)
{
    static const struct {
        const char *kernel;
        rk_u32 mode, max_batch;
    } domains[] = {
        { "general", RK_ADAPTIVE, 32 },     { "graph", RK_ADAPTIVE, 256 },   { "stream", RK_BATCH, 64 },
        { "actor", RK_ADAPTIVE, 16 },       { "own_graph", RK_ADAPTIVE, 5 }, /* what is said wins */
        { "one_by_one", RK_CONTINUOUS, 1 },
    };
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++) {
        rk_launch_options o = plain(domains[i].kernel);
        o.queue_capacity = 1024;
        rk_kernel k = launch(c, domains[i].kernel, "", &o);
        assert_int_equal(info_of(c, k).mode, domains[i].mode);
        assert_int_equal(info_of(c, k).max_batch, domains[i].max_batch);

        /* and with more queued than that, its turns are so large, or a warp's */
        for (rk_u32 n = 0; n < 512; n++) assert_ok(send_measure(c, k, n));
        assert_ok(rk_activate(c->runtime, k));
        wait_until(c, account_of(c, k).delivered == 512);
        const rk_u32 most = domains[i].max_batch, warp = c->variant->backend == RK_BACKEND_CUDA ? 32 : most;
        wait_until(c,
                   metrics_of(c, k).largest_batch >= (warp < most ? warp : most)); /* told behind the turns */
        assert_in_range(metrics_of(c, k).largest_batch, 1, most);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void a_warp_wide_kernel_has_a_warp_for_each_message(contract *c)
{
    rk_kernel k = launch_plain(c, "warp_wide");
    rk_kernel_description d;
    assert_int_equal(info_of(c, k).width, RK_WARP);
    assert_int_equal(info_of(c, k).threads, 32);
    assert_ok(rk_describe_named(c->runtime, "warp_wide", &d));
    assert_int_equal(d.width, RK_WARP);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 n = 0; n < 100; n++) {
        measure m;
        assert_ok(send_measure(c, k, n));
        receive(c, k, &m);
        assert_int_equal(m.number, n);
        assert_int_equal(m.value, 32 * n + 31 * 32 / 2);
    }
}

/* ------------------------------------------------------------------ memory models */

/* The loop once more, with its fences noted: where in a turn each one was. */
typedef struct turn_log {
    rk_context *context;
    rk_u32 fences, handled;
    struct {
        int order;
        rk_u32 handled;   /* messages whose handler had run */
        rk_u32 published; /* messages that had gone out */
        rk_u32 committed; /* messages that had been given back */
    } fence[8];
} turn_log;
static turn_log noted;

static rk_u32 gone_out(void)
{
    rk_context *context = noted.context;
    return rk_lane_depth((rk_lane *)(context->arena + context->shard->out_lane), context->arena);
}

static void note_fence(int order)
{
    if (noted.fences < 8) {
        rk_context *context = noted.context;
        rk_ring *inbox = rk_lane_ring(rk_shard_lane(context, 0), context->arena, 0);
        noted.fence[noted.fences].order = order;
        noted.fence[noted.fences].handled = noted.handled;
        noted.fence[noted.fences].published = gone_out();
        noted.fence[noted.fences].committed = (rk_u32)(inbox->head - inbox->start);
    }
    noted.fences++;
}

static void note_handlers(rk_context *context)
{
    const rk_class *class = ((rk_seat *)context->host)->owner->class;
    for (rk_u32 v = 0; v < context->turn->views; v++) {
        context->view = &context->turn->view[v];
        noted.handled += class->handlers[0]->run(context, context->view, 0, context->view->n);
    }
}

#undef rk_fence
#define rk_fence(order, scope) note_fence(order)
#define RK_LOOP_HANDLE(context) note_handlers(context)
#define RK_LOOP_DRAIN(context, actor) ((void)(actor))
#define RK_LOOP_TIMER(context) ((void)(context))
#define RK_LOOP_NOW(context) rk_clock_ns(((rk_seat *)(context)->host)->owner->runtime)
#include <ringkernel/device/loop.h>

static void note_turn(contract *c, const char *kernel)
{
    rk_kernel k = launch_plain(c, kernel);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 3; i++) assert_ok(send_measure(c, k, i));
    memset(&noted, 0, sizeof noted);
    noted.context = &c->runtime->kernels[k.number]->seats[0].context;
    assert_int_equal(rk_visit(noted.context), RK_VISIT_WORKED);
    assert_int_equal(noted.handled, 3);
    assert_int_equal(gone_out(), 3);
    rk_u32 fences = noted.fences;
    assert_int_equal(rk_visit(noted.context), RK_VISIT_IDLE); /* nothing to receive, nothing to order */
    assert_int_equal(noted.fences, fences);
    for (rk_u32 i = 0; i < 3; i++) {
        measure m;
        receive(c, k, &m);
        assert_int_equal(m.number, i);
    }
}

static void sequential_memory_has_a_fence_at_each_receive_and_each_send(contract *c)
{
    note_turn(c, "sequential");
    assert_int_equal(noted.fences, 2);
    assert_int_equal(noted.fence[0].order, RK_SEQ_CST); /* taken, and no handler has run */
    assert_int_equal(noted.fence[0].handled, 0);
    assert_int_equal(noted.fence[1].order, RK_SEQ_CST); /* out, and the batch isn't given back */
    assert_int_equal(noted.fence[1].handled, 3);
    assert_int_equal(noted.fence[1].published, 3);
    assert_int_equal(noted.fence[1].committed, 0);
}

static void the_other_models_of_memory_have_none(contract *c)
{
    note_turn(c, "released");
    assert_int_equal(noted.fences, 0);
    note_turn(c, "relaxed");
    assert_int_equal(noted.fences, 0);
}

/* ------------------------------------------------------------------ launch options */

static void a_send_waits_for_room_as_long_as_the_launch_says(contract *c)
{
    rk_launch_options o = plain("shared_memory");
    o.backpressure = RK_BACKPRESSURE_BLOCK;
    o.send_timeout_ns = RK_MILLISECONDS(30);
    rk_kernel k = launch(c, "full", "", &o);
    for (rk_u32 n = 0; n < 16; n++) assert_ok(send_measure(c, k, n));
    rk_u64 before = contract_now_ns();
    assert_status(send_measure(c, k, 16), RK_TIMED_OUT);
    rk_u64 waited = contract_now_ns() - before;
    assert_true(waited >= RK_MILLISECONDS(30) && waited < RK_SECONDS(9)); /* the default is ten */
    assert_int_equal(account_of(c, k).refused_timed_out, 1);

    /* what one send says of itself wins */
    measure m = { 16, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.timeout_ns = RK_MILLISECONDS(100);
    before = contract_now_ns();
    assert_status(rk_send(c->runtime, k, RK_BODY(m), &s), RK_TIMED_OUT);
    assert_true(contract_now_ns() - before >= RK_MILLISECONDS(100));

    /* several of a batch that fit are taken first */
    measure many[4] = { { 1, 0 }, { 2, 0 }, { 3, 0 }, { 4, 0 } };
    size_t accepted = 9;
    before = contract_now_ns();
    assert_status(rk_send_many(c->runtime, k, RK_TYPE_ID(measure), many, sizeof *many, 4, 0, &accepted),
                  RK_TIMED_OUT);
    assert_int_equal(accepted, 0);
    assert_true(contract_now_ns() - before >= RK_MILLISECONDS(30));
}

/* The ring of the host's lane. */
static const rk_ring *ring_of(contract *c, rk_kernel k)
{
    rk_byte *arena = c->runtime->arena.base;
    const rk_shard *shard = c->runtime->kernels[k.number]->seats[0].shard;
    return rk_lane_ring((rk_lane *)(arena + shard->lane[0]), arena, 0);
}

static void a_single_producer_claims_without_an_atomic_and_loses_nothing(contract *c)
{
    enum { MESSAGES = 20000 };
    rk_launch_options o = plain(0);
    o.backpressure = RK_BACKPRESSURE_BLOCK;
    o.single_producer = 1;
    rk_kernel k = launch_active(c, "single", "echo", &o);
    assert_int_equal(ring_of(c, k)->single, 1);
    rk_u32 sent = 0, got = 0, messages = contract_rounds(MESSAGES);
    while (got < messages) {
        probe p = { sent, 0 };
        rk_send_options s = RK_SEND_DEFAULTS;
        s.timeout_ns = 1;
        if (sent < messages && rk_send(c->runtime, k, RK_BODY(p), &s) == RK_OK) sent++;
        settle(c);
        while (rk_receive(c->runtime, k, &p, sizeof p, 0, 0) == RK_OK) assert_int_equal(p.number, got++);
    }
    assert_int_equal(account_of(c, k).accepted, messages);

    o.single_producer = 0;
    assert_int_equal(ring_of(c, launch(c, "several", "echo", &o))->single, 0);
}

/* Given a lane that is locked for whoever sends, when one producer is promised, then it is refused: that would win nothing. */
static void a_single_producer_of_a_locked_lane_is_refused(contract *c)
{
    rk_kernel k;
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options o = plain(in_style(c, "echo"));
        o.single_producer = 1;
        if (i == 0) o.deduplication_window = 16;
        if (i == 1) o.priority = 1;
        if (i == 2) o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
        assert_status(rk_launch(c->runtime, "locked", &o, &k), RK_INVALID_OPTIONS);
        assert_error_says("single_producer needs a plain lane");
        assert_error_says("turn those off, or leave it 0");
        o.single_producer = 0;
        assert_ok(rk_launch(c->runtime, "locked", &o, &k));
        assert_int_equal(ring_of(c, k)->single, 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static rk_u32 handled_so_far, handled_as[4]; /* atomic */

RK_HANDLER(note_order, measure, msg, rk_none, self)
{
    rk_u32 as = 1 + __atomic_load_n(&handled_so_far, __ATOMIC_ACQUIRE); /* there is one worker */
    __atomic_store_n(&handled_as[msg->number], as, __ATOMIC_RELEASE);
    __atomic_store_n(&handled_so_far, as, __ATOMIC_RELEASE);
}

/* Given one worker that is held, and kernels of three stream priorities with a message each, when it is
 * let go, then it visits them by priority, whichever was activated first. */
static void shards_of_higher_stream_priority_are_visited_first(contract *c)
{
    static const rk_u32 orders[][3] = { { RK_STREAM_LOW, RK_STREAM_NORMAL, RK_STREAM_HIGH },
                                        { RK_STREAM_HIGH, RK_STREAM_LOW, RK_STREAM_NORMAL },
                                        { RK_STREAM_NORMAL, RK_STREAM_HIGH, RK_STREAM_LOW } };
    rk_runtime_options one = contract_runtime_options(c);
    one.workers = 1;
    contract_reopen(c, &one);
    rk_kernel gate = launch_active(c, "gate", "held", 0);
    for (rk_u32 round = 0; round < 12; round++) {
        const rk_u32 *order = orders[round % 3];
        rk_u32 by_priority = round % 4 != 3; /* else all are alike, and the first is the first */
        rk_kernel k[3];
        probe p = { round, 0 };
        __atomic_store_n(&contract_controls.closed, 1, __ATOMIC_RELEASE);
        rk_u32 entered = __atomic_load_n(&contract_controls.entered, __ATOMIC_ACQUIRE);
        assert_ok(rk_send(c->runtime, gate, RK_BODY(p), 0));
        wait_until(c, __atomic_load_n(&contract_controls.entered, __ATOMIC_ACQUIRE) == entered + 1);
        __atomic_store_n(&handled_so_far, 0, __ATOMIC_RELEASE);
        for (rk_u32 i = 0; i < 3; i++) {
            rk_launch_options o = plain("note_order");
            char id[16];
            snprintf(id, sizeof id, "stream %u", i);
            o.stream_priority = by_priority ? order[i] : RK_STREAM_LOW;
            k[i] = launch_active(c, id, "", &o);
            assert_ok(send_measure(c, k[i], by_priority ? order[i] : i));
        }
        contract_control_open();
        receive(c, gate, &p);
        wait_until(c, __atomic_load_n(&handled_so_far, __ATOMIC_ACQUIRE) == 3);
        for (rk_u32 i = 0; i < 3; i++)
            assert_int_equal(__atomic_load_n(&handled_as[i], __ATOMIC_ACQUIRE), by_priority ? 3 - i : i + 1);
        for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_terminate(c->runtime, k[i], CONTRACT_PATIENCE));
    }
}

/* Given three shards with a message each, when handlers wait, then as many do as the kernel has blocks. */
static void so_many_blocks_serve_a_kernel_at_the_same_time_and_no_more(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = 2 * CONTRACT_PATIENCE; /* nobody takes over from who waits */
    contract_reopen(c, &r);
    for (rk_u32 blocks = 1; blocks <= 3; blocks++) {
        rk_launch_options o = small(64);
        o.shards = 3;
        o.blocks = blocks;
        rk_kernel k = launch_active(c, "held", "held", &o);
        CLOSE_GATE();
        for (rk_u32 shard = 0; shard < 3; shard++) {
            probe p = { shard, 0 };
            assert_ok(rk_send(c->runtime, k, RK_BODY(p), &(rk_send_options){ .target = shard }));
        }
        wait_until(c, IN_HANDLERS == blocks);
        let_pass(c, RK_MILLISECONDS(20));
        assert_int_equal(IN_HANDLERS, blocks);
        OPEN_GATE();
        probe p;
        for (rk_u32 shard = 0; shard < 3; shard++) receive(c, k, &p);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void order_across_the_bus_is_had_or_refused(contract *c)
{
    static const char *const others[] = { "tally_relaxed", "tally_sequential" };
    rk_launch_options o = plain(in_style(c, "echo"));
    o.system_order = 1;
    rk_kernel k;
    if (c->variant->backend == RK_BACKEND_OPENCL) {
        assert_status(rk_launch(c->runtime, "ordered", &o, &k), RK_UNSUPPORTED);
        assert_error_says("system_order");
    } else {
        assert_ok(rk_launch(c->runtime, "ordered", &o, &k));
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u64 i = 0; i < 16; i++) assert_ok(send_probe(c, k, i));
        for (rk_u64 i = 0; i < 16; i++) assert_next(c, k, i);
    }
    for (rk_u32 i = 0; i < 2; i++) {
        o.kernel_name = others[i];
        const rk_status status = rk_launch(c->runtime, others[i], &o, &k);
        assert_true(status == RK_INVALID_OPTIONS || status == RK_UNSUPPORTED);
        assert_error_says("make that RK_RELEASE_ACQUIRE");
    }
}

static const contract_case cases[] = {
    { CASE(a_slice_ends_when_its_time_is_over), NEEDS_STEP },
    { CASE(a_kernels_own_queues_have_the_room_that_it_asks_for), NEEDS_REGIONS },
    { CASE(a_queue_that_cannot_be_is_refused_by_name), ONCE },
    { CASE(messaging_between_gpus_needs_several_and_what_lanes_are_works), NEEDS_REGIONS },
    { CASE(a_domain_is_a_preset_of_mode_and_batch), NEEDS_REGIONS },
    { CASE(a_warp_wide_kernel_has_a_warp_for_each_message), NEEDS_REGIONS },
    { CASE(sequential_memory_has_a_fence_at_each_receive_and_each_send),
      NEEDS_REGIONS | NEEDS_STEP | NEEDS_CPU },
    { CASE(the_other_models_of_memory_have_none), NEEDS_REGIONS | NEEDS_STEP | NEEDS_CPU },
    { CASE(a_send_waits_for_room_as_long_as_the_launch_says), NEEDS_REGIONS },
    { CASE(a_single_producer_claims_without_an_atomic_and_loses_nothing), NEEDS_CPU },
    { CASE(a_single_producer_of_a_locked_lane_is_refused), NEEDS_CPU },
    { CASE(so_many_blocks_serve_a_kernel_at_the_same_time_and_no_more), NEEDS_WORKERS | NEEDS_CPU },
    { CASE(order_across_the_bus_is_had_or_refused), ON_EVERY },
    { CASE(shards_of_higher_stream_priority_are_visited_first), NEEDS_THREADS | NEEDS_CPU },
};
CONTRACT_MAIN("attributes", cases)
