/* What is launched behaves as its options say: queues, and parameters. */
#include "probes.h"

#include <stdio.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ queues */

static rk_status put(contract *c, rk_kernel k, rk_u32 number, rk_u64 id, rk_u8 priority)
{
    probe p = { number, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.id = id;
    s.priority = priority;
    s.timeout_ns = RK_MILLISECONDS(2);
    return rk_send(c->runtime, k, RK_BODY(p), &s);
}

static void assert_behaves_as(contract *c, const char *id, const rk_launch_options *options)
{
    static const rk_status when_full[] = { RK_TIMED_OUT, RK_FULL, RK_OK, RK_DROPPED };
    rk_launch_options o = *options;
    assert_ok(rk_validate(&o));
    rk_u32 capacity = o.queue_capacity, window = o.deduplication_window, evicted = 0;

    /* Given: launched, and not active. */
    rk_kernel k = launch(c, id, "echo", &o);
    rk_kernel_info info = info_of(c, k);
    assert_int_equal(info.queue_capacity, capacity);
    assert_int_equal(info.deduplication_window, window);
    assert_int_equal(info.backpressure, o.backpressure);
    assert_int_equal(info.priority, o.priority);
    assert_int_equal(info.output_capacity, capacity);

    /* Then: exactly so many fit, and the next one meets the strategy; the window knows its last ids. */
    for (rk_u32 i = 1; i <= capacity; i++) assert_ok(put(c, k, i, i, 100));
    assert_status(put(c, k, 0, capacity, 100), RK_DUPLICATE);
    assert_status(put(c, k, 0, capacity - window + 1, 100), RK_DUPLICATE);
    assert_status(put(c, k, capacity + 1, capacity + 1, 100), when_full[o.backpressure]);
    evicted = o.backpressure == RK_BACKPRESSURE_DROP_OLDEST;
    assert_int_equal(info_of(c, k).queued, capacity);
    rk_account a = account_of(c, k);
    assert_int_equal(a.accepted, capacity + evicted);
    assert_int_equal(a.evicted, evicted);
    assert_int_equal(a.refused_duplicate, 2);
    assert_int_equal(a.refused_full, o.backpressure == RK_BACKPRESSURE_REJECT);
    assert_int_equal(a.refused_timed_out, o.backpressure == RK_BACKPRESSURE_BLOCK);
    assert_int_equal(a.refused_dropped, o.backpressure == RK_BACKPRESSURE_DROP_NEWEST);

    /* When: it is active, all come out in order. */
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 1 + evicted; i <= capacity + evicted; i++) assert_next(c, k, i);
    wait_until(c, info_of(c, k).queued == 0);                 /* sent on is not yet given back */
    assert_status(put(c, k, 0, capacity, 100), RK_DUPLICATE); /* handled, and still within the window */
    if (capacity > window) {
        assert_ok(put(c, k, 1, capacity - window, 100)); /* one beyond it */
        assert_next(c, k, 1);
    }
    if (!evicted) {
        assert_ok(put(c, k, 2, capacity + 1, 100)); /* refused for want of room is not remembered */
        assert_next(c, k, 2);
    }

    /* And priorities count when they are asked for. */
    static const rk_u32 by_band[] = { 200, 130, 1 }, by_time[] = { 1, 200, 130 };
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 0; i < 3; i++) assert_ok(put(c, k, by_time[i], 0, (rk_u8)by_time[i]));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 3; i++) assert_next(c, k, o.priority ? by_band[i] : by_time[i]);
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(5)));
}

static void presets_give_queues_that_behave_so(contract *c)
{
    rk_launch_options production = rk_production(), latency = rk_low_latency(),
                      throughput = rk_high_throughput();
    assert_behaves_as(c, "production", &production);
    assert_behaves_as(c, "low latency", &latency);
    assert_behaves_as(c, "high throughput", &throughput);
}

static void the_guides_four_configurations_behave_so(contract *c)
{
    static const struct {
        const char *id;
        rk_u32 capacity, window, strategy, priority;
    } guide[] = {
        { "actors", 4096, 1024, RK_BACKPRESSURE_BLOCK, 1 },
        { "graph analytics", 16384, 1024, RK_BACKPRESSURE_DROP_OLDEST, 0 },
        { "real-time telemetry", 512, 256, RK_BACKPRESSURE_DROP_OLDEST, 0 },
        { "inference", 8192, 1024, RK_BACKPRESSURE_REJECT, 1 },
    };
    for (size_t i = 0; i < sizeof guide / sizeof *guide; i++) {
        rk_launch_options o = rk_production();
        o.queue_capacity = guide[i].capacity;
        o.deduplication_window = guide[i].window;
        o.backpressure = guide[i].strategy;
        o.priority = guide[i].priority;
        assert_behaves_as(c, guide[i].id, &o);
    }
}

static void drop_newest_lets_the_arrival_go(contract *c)
{
    rk_launch_options o = rk_low_latency();
    o.queue_capacity = 32;
    o.backpressure = RK_BACKPRESSURE_DROP_NEWEST;
    assert_behaves_as(c, "newest", &o);
}

static void the_out_lane_is_as_the_inbox_unless_said_otherwise(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    assert_int_equal(info_of(c, launch(c, "same", "echo", &o)).output_capacity, 64);
    o.output_capacity = 16;
    assert_int_equal(info_of(c, launch(c, "other", "echo", &o)).output_capacity, 16);
}

static void the_largest_batch_is_what_the_launch_says(contract *c)
{
    rk_launch_options o = rk_production();
    o.max_batch = 3;
    rk_kernel k = launch(c, "batches", "echo", &o);
    assert_int_equal(info_of(c, k).max_batch, 3);
    for (rk_u32 i = 0; i < 10; i++) assert_ok(put(c, k, i, 0, 0));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 10; i++) assert_next(c, k, i);
    wait_until(c, metrics_of(c, k).processed == 10);
    assert_int_equal(metrics_of(c, k).largest_batch, 3);
}

/* ------------------------------------------------------------------ parameters */

static factors ask_factors(contract *c, rk_kernel k)
{
    factors f;
    assert_ok(put(c, k, 0, 0, 0));
    receive(c, k, &f);
    return f;
}

static void parameters_have_their_defaults_and_take_what_the_launch_sets(contract *c)
{
    rk_kernel k = launch_active(c, "as declared", "tuned", 0);
    factors f = ask_factors(c, k);
    assert_int_equal(f.factor, 3);
    assert_int_equal(f.offset, -7);
    assert_true(f.ratio == 0.5f);

    const rk_parameter set[] = { { "factor", "4000000000" },
                                 { "offset", "-9000000000" },
                                 { "ratio", "0.125" } };
    rk_launch_options o = rk_production();
    o.parameters = set;
    o.parameter_count = 3;
    k = launch_active(c, "as set", "tuned", &o);
    f = ask_factors(c, k);
    assert_int_equal(f.factor, 4000000000u);
    assert_true(f.offset == -9000000000ll);
    assert_true(f.ratio == 0.125f);

    /* zeros in front are zeros, not the sign of octal numbers */
    const rk_parameter padded[] = { { "factor", "010" }, { "offset", "-0x10" } };
    o.parameters = padded;
    o.parameter_count = 2;
    k = launch_active(c, "padded", "tuned", &o);
    f = ask_factors(c, k);
    assert_int_equal(f.factor, 10);
    assert_true(f.offset == -16);
}

static void values_that_are_not_of_a_parameters_type_are_refused_by_name(contract *c)
{
    static const rk_parameter wrong[] = {
        { "factor", "-1" },   { "factor", "4294967296" },
        { "factor", "" },     { "factor", "3x" },
        { "factor", "1.5" },  { "factor", " 1" },
        { "factor", 0 },      { "factor", "\t1" },
        { "ratio", "1e300" }, /* more than an rk_f32 holds */
        { "offset", "x" },    { "offset", "1e300" },
        { "ratio", "one" },   { "offset", "9223372036854775808" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        rk_launch_options o = rk_production();
        rk_kernel k;
        o.parameters = &wrong[i];
        o.parameter_count = 1;
        rk_status status = rk_launch(c->runtime, "tuned", &o, &k);
        if (status != RK_INVALID_OPTIONS)
            print_error("%s = '%s'\n", wrong[i].name, wrong[i].value ? wrong[i].value : "(null)");
        assert_int_equal(status, RK_INVALID_OPTIONS);
        assert_error_says(wrong[i].name);
    }
    const rk_parameter unknown[] = { { "faktor", "1" }, { 0, "1" } };
    for (size_t i = 0; i < 2; i++) {
        rk_launch_options o = rk_production();
        rk_kernel k;
        o.parameters = &unknown[i];
        o.parameter_count = 1;
        assert_status(rk_launch(c->runtime, "tuned", &o, &k), RK_INVALID_OPTIONS);
        assert_error_says("factor"); /* one of those that there are */
    }
}

static const contract_case cases[] = {
    { CASE(presets_give_queues_that_behave_so), ON_EVERY },
    { CASE(the_guides_four_configurations_behave_so), ON_EVERY },
    { CASE(drop_newest_lets_the_arrival_go), ON_EVERY },
    { CASE(the_out_lane_is_as_the_inbox_unless_said_otherwise), ON_EVERY },
    { CASE(the_largest_batch_is_what_the_launch_says), ON_EVERY },
    { CASE(parameters_have_their_defaults_and_take_what_the_launch_sets), ON_EVERY },
    { CASE(values_that_are_not_of_a_parameters_type_are_refused_by_name), ONCE },
};

CONTRACT_MAIN("launched options", cases)
