/* Calls of the dialect, one by one: a kernel makes the call and tells what came of it. */
#include "contract.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

#include "../kernels/contract_c.rk.h"

static void send_measure(contract *c, rk_kernel k, rk_u64 number, rk_u64 value,
                         const rk_send_options *options)
{
    measure m = { number, value };
    assert_ok(rk_send(c->runtime, k, RK_BODY(m), options));
}

/* ------------------------------------------------------------------ time */

#define FOR_EVER 0xffffffffffffffffull

static void the_time_that_a_message_has_left_is_told(contract *c)
{
    rk_launch_options o = small(1024);
    o.expiry = 1;
    rk_kernel k = launch(c, "time", "tell_time_left", &o);
    rk_send_options s = RK_SEND_DEFAULTS;
    rk_u64 before = rk_clock_ns(c->runtime);
    s.ttl_us = 30000000;
    send_measure(c, k, 1, 0, &s);
    send_measure(c, k, 2, 0, 0); /* no time to live */
    let_pass(c, RK_MILLISECONDS(30));
    assert_ok(rk_activate(c->runtime, k));
    measure m;
    receive(c, k, &m);
    rk_u64 passed = rk_clock_ns(c->runtime) - before;
    assert_int_equal(m.number, 1);
    assert_true(m.value <= RK_SECONDS(30) - RK_MILLISECONDS(30));
    assert_true(m.value >= RK_SECONDS(30) - passed);
    if (c->variant->single_step) assert_int_equal(m.value, RK_SECONDS(30) - RK_MILLISECONDS(30));
    receive(c, k, &m);
    assert_int_equal(m.number, 2);
    assert_true(m.value == FOR_EVER);

    /* the launch's time to live is that of messages that say none */
    o.default_ttl_us = 20000000;
    k = launch_active(c, "by default", "tell_time_left", &o);
    send_measure(c, k, 3, 0, 0);
    receive(c, k, &m);
    assert_true(m.value > 0 && m.value <= RK_SECONDS(20));

    /* and without expiry there is none */
    o = small(1024);
    k = launch_active(c, "for ever", "tell_time_left", &o);
    send_measure(c, k, 4, 0, 0);
    receive(c, k, &m);
    assert_true(m.value == FOR_EVER);
}

static void cycles_are_more_for_more_work(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel k = launch_active(c, "cycles", "tell_cycles", &o);
    rk_u64 least[2] = { FOR_EVER, FOR_EVER };
    static const rk_u64 rounds[2] = { 10, 100000 };
    for (rk_u32 i = 0; i < 20; i++) {
        measure m;
        send_measure(c, k, i, rounds[i % 2], 0);
        receive(c, k, &m);
        if (m.value < least[i % 2]) least[i % 2] = m.value;
    }
    assert_true(least[0] > 0);
    assert_true(least[1] > 100 * least[0]); /* ten thousand times the work */
}

/* ------------------------------------------------------------------ on a named route */

static void a_message_is_forwarded_on_a_named_route(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel source = launch(c, "source", "forward_aside", &o);
    o.kernel_name = "tell_target";
    rk_kernel aside = launch_active(c, "aside", "", &o), other = launch_active(c, "other", "", &o);
    assert_ok(rk_connect(c->runtime, source, "aside", aside, 0));
    assert_ok(rk_connect(c->runtime, source, 0, other, 0));
    assert_ok(rk_activate(c->runtime, source));
    rk_send_options s = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < 100; i++) {
        s.target = i;
        send_measure(c, source, i, 0, &s);
    }
    for (rk_u32 i = 0; i < 100; i++) {
        measure m;
        receive(c, aside, &m);
        assert_int_equal(m.number, i);
        assert_int_equal(m.value, i * 1000); /* as it was, target and all */
    }
    assert_int_equal(account_of(c, other).accepted, 0);
}

static void a_send_on_a_named_route_has_its_own_options(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel source = launch(c, "source", "send_aside", &o);
    o.kernel_name = "tell_target";
    o.priority = 1;
    o.shards = o.blocks = 4;
    rk_kernel aside = launch_active(c, "aside", "", &o);
    assert_ok(rk_connect(c->runtime, source, "aside", aside, 0));
    assert_ok(rk_activate(c->runtime, source));
    for (rk_u32 i = 0; i < 100; i++) {
        measure m;
        rk_received info;
        send_measure(c, source, i, 3 * i, 0);
        receive_with(c, aside, &m, &info);
        assert_int_equal(m.number, i);
        assert_int_equal(m.value, 3 * i * 1000 + 200);
        assert_int_equal(info.shard, 3 * i % 4);
        receive(c, source, &m); /* the default route isn't connected */
        assert_int_equal(m.number, i);
    }
}

static void send_batch(contract *c, rk_kernel to, rk_u32 n)
{
    measure m[64] = { { 0, 0 } };
    size_t accepted;
    assert_ok(rk_send_many(c->runtime, to, RK_TYPE_ID(measure), m, sizeof *m, n, 0, &accepted));
}

/* What both targets get of each comes out. */
static void send_batch_through(contract *c, rk_kernel source, const rk_kernel to[2], rk_u32 n)
{
    measure m;
    send_batch(c, source, n);
    for (rk_u32 i = 0; i < n; i++)
        for (rk_u32 s = 0; s < 2; s++) receive(c, to[s], &m);
}

/* Given a kernel that was idle for a while, and two targets with less room than it needs, when a batch comes, then what got the last
 * room says that it waited since then, not since the kernel did something last. The message that is sampled of a batch on CUDA
 * is the 513th. */
static void what_got_the_last_room_waited_since_it_was_sent(contract *c)
{
    enum { BEFORE = 505, ROOM = 16, BATCH = 64 };
    rk_launch_options o = small(1024), narrow = small(ROOM);
    narrow.kernel_name = "tell_target";
    rk_kernel source = launch(c, "source", "send_aside", &o),
              to[] = { launch_active(c, "plainly", "", &narrow), launch_active(c, "aside", "", &narrow) };
    for (rk_u32 s = 0; s < 2; s++) assert_ok(rk_connect(c->runtime, source, s ? "aside" : 0, to[s], 0));
    assert_ok(rk_activate(c->runtime, source));
    measure m;
    for (rk_u32 i = 0; i < BEFORE; i += BATCH)
        send_batch_through(c, source, to, BEFORE - i < BATCH ? BEFORE - i : BATCH);
    for (rk_u32 s = 0; s < 2; s++) assert_ok(rk_deactivate(c->runtime, to[s]));
    let_pass(c, RK_MILLISECONDS(50));
    const rk_u64 sent_ns = rk_clock_ns(c->runtime);
    rk_u64 most_ns[2];
    send_batch(c, source, BATCH);
    for (rk_u32 s = 0; s < 2; s++) {
        settle(c);
        wait_until(c, account_of(c, to[s]).queued == ROOM);
        most_ns[s] = metrics_of(c, to[s]).queue_wait.max_ns;
    }
    for (rk_u32 s = 0; s < 2; s++) assert_ok(rk_activate(c->runtime, to[s]));
    for (rk_u32 i = 0; i < BATCH; i++)
        for (rk_u32 s = 0; s < 2; s++) receive(c, to[s], &m);
    const rk_u64 passed_ns = rk_clock_ns(c->runtime) - sent_ns;
    for (rk_u32 s = 0; s < 2; s++)
        assert_in_range(metrics_of(c, to[s]).queue_wait.max_ns, 0,
                        (most_ns[s] > passed_ns ? most_ns[s] : passed_ns) + RK_MILLISECONDS(2));
}

/* Given routes that lead to the host, when messages come on them, staged or tried, then each says on which. */
static void a_message_to_the_host_says_on_which_route_it_came(contract *c)
{
    static const char *const kernels[] = { "send_aside", "try_aside" };
    rk_launch_options o = small(1024);
    for (size_t i = 0; i < 2; i++) {
        rk_kernel k = launch_active(c, kernels[i], kernels[i], &o);
        send_measure(c, k, 1, 2, 0);
        rk_u32 aside = 0, plainly = 0;
        for (rk_u32 n = 0; n < 2; n++) {
            measure m;
            rk_received info;
            receive_with(c, k, &m, &info);
            const char *name = rk_route_name(c->runtime, k, info.route);
            assert_non_null(name);
            aside += strcmp(name, "aside") == 0;
            plainly += strcmp(name, "") == 0;
        }
        assert_int_equal(aside, 1);
        assert_int_equal(plainly, 1);
        assert_null(rk_route_name(c->runtime, k, 77));
    }
}

static void a_send_that_is_tried_on_a_named_route_is_answered_at_once(contract *c)
{
    enum { ROOM = 16, MORE = 5 };
    rk_launch_options o = small(1024), full = small(1024);
    full.kernel_name = "tell_target";
    full.queue_capacity = ROOM;
    rk_kernel source = launch(c, "source", "try_aside", &o), aside = launch(c, "aside", "", &full);
    assert_ok(rk_connect(c->runtime, source, "aside", aside, 0));
    assert_ok(rk_activate(c->runtime, source));
    for (rk_u32 i = 0; i < ROOM + MORE; i++) send_measure(c, source, i, 0, 0);
    rk_u32 taken = 0, full_then = 0;
    for (rk_u32 i = 0; i < ROOM + MORE; i++) {
        measure m;
        receive(c, source, &m);
        assert_int_equal(m.number, i);
        if (on_cpu(c))
            assert_int_equal(m.value, i < ROOM ? RK_OK : RK_FULL); /* a device tries many at once */
        taken += m.value == RK_OK;
        full_then += m.value == RK_FULL;
    }
    assert_int_equal(taken, ROOM);
    assert_int_equal(full_then, MORE);
    assert_int_equal(account_of(c, aside).accepted_device, ROOM);
    assert_int_equal(account_of(c, aside).refused_full, MORE);
    assert_int_equal(metrics_of(c, source).parks, 0);
    assert_ok(rk_activate(c->runtime, aside));
    for (rk_u32 i = 0; i < ROOM; i++) {
        measure m;
        receive(c, aside, &m);
        if (on_cpu(c)) assert_int_equal(m.number, i);
    }
}

/* ------------------------------------------------------------------ groups */

static void each_thread_keeps_its_value_from_region_to_region(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel k = launch_active(c, "keeper", "keep_per_thread", &o);
    for (rk_u64 number = 0; number < 20; number++) {
        rk_u64 expected = 0;
        for (rk_u32 t = 0; t < PER_THREAD; t++)
            expected += (rk_hash64(number + t) + 3u * rk_hash64(number + (t + 1u) % PER_THREAD)) * (t + 1u);
        measure m;
        send_measure(c, k, number, 0, 0);
        receive(c, k, &m);
        assert_int_equal(m.number, number);
        assert_true(m.value == expected);
    }
}

/* Launched with more threads, or with fewer, some would have no value or some values no thread. */
static void values_without_a_thread_each_are_refused(contract *c)
{
    static const rk_u32 thread_counts[] = { PER_THREAD / 2, PER_THREAD * 2, 1 };
    for (size_t i = 0; i < sizeof thread_counts / sizeof *thread_counts; i++) {
        rk_launch_options o = small(64);
        o.threads = thread_counts[i];
        rk_kernel k = launch_active(c, "keeper", "keep_per_thread", &o);
        measure m;
        rk_dead_letter letter;
        send_measure(c, k, 5, 0, 0);
        wait_until(c, account_of(c, k).dead_letters == 1);
        assert_ok(rk_receive_dead(c->runtime, k, &m, sizeof m, &letter, RK_NO_WAIT));
        assert_string_equal(letter.reason, rk_status_name(RK_INVALID_OPTIONS));
        assert_int_equal(m.number, 5);
        assert_int_equal(account_of(c, k).output_accepted, 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void numbers_of_each_kind_are_summed_for_any_number_of_them(contract *c)
{
    static const rk_u32 counts[] = { 1, 2, 3, 31, 32, 33, 100, 255, 256 };
    rk_launch_options o = small(1024);
    rk_kernel k = launch_active(c, "sums", "add_terms", &o);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        rk_u32 n = counts[i];
        terms t = { .n = n }, sums = { .n = n };
        for (rk_u32 j = 0; j < n; j++) {
            sums.of_u64 += KIND_U64(j);
            sums.of_u32 += (rk_u32)KIND_U64(j);
            sums.of_i32 += TERM_I32(j);
            sums.of_f32 += TERM_F32(j);
        }
        assert_ok(rk_send(c->runtime, k, RK_BODY(t), 0));
        receive(c, k, &t);
        assert_memory_equal(&t, &sums, sizeof t);
    }
}

static void threads_of_a_warp_exchange_values(contract *c)
{
    static const rk_u32 thread_counts[] = { 64, 48, 32, 8, 40, 1000, 1024 };
    for (size_t i = 0; i < sizeof thread_counts / sizeof *thread_counts; i++) {
        rk_u32 threads = thread_counts[i];
        rk_launch_options o = small(1024);
        o.threads = threads;
        o.kernel_name = "exchange_values";
        rk_kernel k = launch(c, "exchange", "", &o);
        for (rk_u32 t = 0; t < threads; t++) send_measure(c, k, t, 0, 0);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 t = 0; t < threads; t++) {
            exchanged e;
            rk_u32 warp = t / 32 * 32, below = t % 32 + 2 < 32 && t + 2 < threads ? t + 2 : t;
            receive(c, k, &e);
            assert_int_equal(e.thread, t);
            assert_int_equal(e.threads, threads);
            assert_true(e.of_lane_3 == rk_hash64(warp + 3));
            assert_true(e.two_below == 0.25f * (float)below);
            assert_int_equal(e.across, (warp + (t % 32 ^ 5u)) * 7u);
        }
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* Each kind of value and of shuffle, in whole warps and in one of eight threads. */
static void values_of_each_kind_are_exchanged_to_the_last_bit(contract *c)
{
    static const rk_u32 thread_counts[] = { 32, 40, 1024 };
    for (size_t i = 0; i < sizeof thread_counts / sizeof *thread_counts; i++) {
        const rk_u32 threads = thread_counts[i];
        rk_launch_options o = small(1024);
        o.threads = threads;
        o.kernel_name = "exchange_kinds";
        rk_kernel k = launch(c, "exchange", "", &o);
        for (rk_u32 t = 0; t < threads; t++) send_measure(c, k, t, 0, 0);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 t = 0; t < threads; t++) {
            const rk_u32 lane = t % 32, here = threads - t / 32 * 32 < 32 ? threads - t / 32 * 32 : 32;
            const rk_u32 first = t - lane, last = first + here - 1, across = first + (lane ^ 7u);
            const rk_u32 next = lane + 1 < here ? t + 1 : t;
            exchanged_kinds e;
            receive(c, k, &e);
            assert_true(e.last_i64 == KIND_I64(last));
            assert_true(e.next_u64 == KIND_U64(next));
            assert_true(e.next_i64 == KIND_I64(next));
            assert_true(e.last_u32 == (rk_u32)KIND_U64(last));
            assert_true(e.last_i32 == (rk_i32)KIND_I64(last));
            assert_true(e.last_f32 == KIND_F32(last));
            assert_true(e.next_u32 == (rk_u32)KIND_U64(next));
            assert_true(e.across_i32 == (rk_i32)KIND_I64(across));
            assert_true(e.across_f32 == KIND_F32(across));
        }
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* Given a block of which some threads have no message, when those send and fail, then nothing of theirs
 * goes out, and there is no message that could be a letter. */
static void threads_without_a_message_that_fail_have_sent_nothing(contract *c)
{
    enum { MESSAGES = 5 };
    rk_launch_options o = small(64);
    o.kernel_name = "some_have_none";
    rk_kernel k = launch(c, "some", "", &o);
    for (rk_u32 i = 1; i <= MESSAGES; i++) send_measure(c, k, i, 0, 0);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 1; i <= MESSAGES; i++) {
        measure m;
        receive(c, k, &m);
        assert_int_equal(m.number, i);
    }
    settle(c);
    assert_int_equal(account_of(c, k).output_accepted, MESSAGES);
    assert_int_equal(account_of(c, k).dead_letters, 0);
}

/* Given 64 bytes of shared memory of which a handler takes 32, when it takes more than the rest, then its
 * message is a dead letter that says so; up to the rest its arrays lie apart. */
static void more_shared_memory_than_there_is_fails_the_call(contract *c)
{
    static const rk_u64 counts[] = { 0, 1, 5, 8, 9, 16, 0x3fffffff, 0x40000000, 0x40000001 };
    enum { FIT = 4 };
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "takes", "takes_as_told", &o);
    for (rk_u32 i = 0; i < sizeof counts / sizeof *counts; i++) {
        measure m;
        send_measure(c, k, i, counts[i], 0);
        if (i < FIT) {
            receive(c, k, &m);
            assert_int_equal(m.number, i);
            assert_int_equal(m.value, 36);
            continue;
        }
        rk_dead_letter letter;
        wait_until(c, account_of(c, k).dead_letters == i - FIT + 1);
        assert_ok(rk_receive_dead(c->runtime, k, &m, sizeof m, &letter, RK_NO_WAIT));
        assert_int_equal(m.number, i);
        assert_string_equal(letter.reason, "too much shared memory");
    }
    assert_int_equal(account_of(c, k).output_accepted, FIT);
}

/* ------------------------------------------------------------------ parameters */

static kinds ask_parameters(contract *c, const rk_parameter *set, size_t count)
{
    rk_launch_options o = small(64);
    kinds told;
    o.parameters = set;
    o.parameter_count = count;
    rk_kernel k = launch_active(c, "told", "tell_parameters", &o);
    send_measure(c, k, 1, 0, 0);
    receive(c, k, &told);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    return told;
}

static void a_parameter_of_each_kind_has_all_of_its_values(contract *c)
{
    kinds told = ask_parameters(c, 0, 0);
    assert_true(told.of_u8 == 200 && told.of_i8 == -100 && told.of_u16 == 60000 && told.of_i16 == -30000);
    assert_true(told.of_u32 == 4000000000u && told.of_i32 == -2000000000);
    assert_true(told.of_u64 == 18000000000000000000ul && told.of_i64 == -9000000000000000000l);
    assert_true(told.of_f32 == -0.375f && told.of_f64 == 0.1);

    static const rk_parameter lowest[] = {
        { "set_u8", "0" },        { "set_i8", "-128" },
        { "set_u16", "0" },       { "set_i16", "-32768" },
        { "set_u32", "0" },       { "set_i32", "-2147483648" },
        { "set_u64", "0" },       { "set_i64", "-9223372036854775808" },
        { "set_f32", "-3.4e38" }, { "set_f64", "-1.7e308" },
    };
    told = ask_parameters(c, lowest, 10);
    assert_true(!told.of_u8 && !told.of_u16 && !told.of_u32 && !told.of_u64);
    assert_true(told.of_i8 == INT8_MIN && told.of_i16 == INT16_MIN && told.of_i32 == INT32_MIN &&
                told.of_i64 == INT64_MIN && told.of_f32 == -3.4e38f && told.of_f64 == -1.7e308);

    static const rk_parameter highest[] = {
        { "set_u8", "255" },
        { "set_i8", "127" },
        { "set_u16", "65535" },
        { "set_i16", "32767" },
        { "set_u32", "0xffffffff" },
        { "set_i32", "+2147483647" },
        { "set_u64", "18446744073709551615" },
        { "set_i64", "9223372036854775807" },
        { "set_f32", "1.000000059604644775390626" }, /* to a double first, and it would be 1 */
        { "set_f64", "1e-3" },
    };
    told = ask_parameters(c, highest, 10);
    assert_true(told.of_u8 == 255 && told.of_u16 == 65535 && told.of_u32 == ~0u && told.of_u64 == ~0ul);
    assert_true(told.of_i8 == INT8_MAX && told.of_i16 == INT16_MAX && told.of_i32 == INT32_MAX &&
                told.of_i64 == INT64_MAX && told.of_f32 == 1.0f + 0x1p-23f && told.of_f64 == 1e-3);
}

static void a_value_beyond_a_parameters_kind_is_refused(contract *c)
{
    static const rk_parameter beyond[] = {
        { "set_u8", "256" },         { "set_i8", "128" },     { "set_u16", "65536" },
        { "set_i16", "32768" },      { "set_i8", "-129" },    { "set_i32", "-2147483649" },
        { "set_u8", "-1" },          { "set_i16", "-32769" }, { "set_u16", "-0" },
        { "set_i32", "2147483648" }, { "set_u64", "-1" },     { "set_u64", "18446744073709551616" },
        { "set_f64", "1e309" },      { "set_f32", "3.5e38" }, { "set_f64", "0,5" },
        { "set_f32", "0.5f" },
    };
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        rk_launch_options o = small(64);
        rk_kernel k;
        char says[96];
        o.kernel_name = "tell_parameters";
        o.parameters = &beyond[i];
        o.parameter_count = 1;
        assert_status(rk_launch(c->runtime, "k", &o, &k), RK_INVALID_OPTIONS);
        snprintf(says, sizeof says, "'%s' is not an rk_%s: ", beyond[i].value, beyond[i].name + 4);
        assert_error_says(says);
    }
}

/* The result of three parameters with bounds. */
static measure ask_bounded(contract *c, const rk_parameter *set, size_t count)
{
    rk_launch_options o = small(64);
    measure told;
    o.parameters = set;
    o.parameter_count = count;
    rk_kernel k = launch_active(c, "told", "tell_bounded", &o);
    send_measure(c, k, 1, 0, 0);
    receive(c, k, &told);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    return told;
}

static void a_parameter_with_bounds_has_its_values_and_no_others(contract *c)
{
    static const rk_parameter lowest[] = { { "some", "1" }, { "nearby", "-5" }, { "part", "0" } },
                              highest[] = { { "some", "4294967295" }, { "nearby", "5" }, { "part", "1" } };
    measure told = ask_bounded(c, 0, 0);
    assert_true(told.value == 5 && told.number == 7);
    told = ask_bounded(c, lowest, 3);
    assert_true(told.value == 0 && told.number == 1);
    told = ask_bounded(c, highest, 3);
    assert_true(told.value == 110 && told.number == ~0u);

    static const rk_parameter beyond[] = { { "some", "0" },    { "nearby", "-6" },   { "nearby", "6" },
                                           { "part", "-0.5" }, { "part", "1.0001" }, { "part", "nan" } };
    static const char *const ranges[] = { "1 to 4294967295", "-5 to 5", "-5 to 5",
                                          "0 to 1",          "0 to 1",  "0 to 1" };
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        rk_launch_options o = small(64);
        rk_kernel k;
        char says[128];
        o.kernel_name = "tell_bounded";
        o.parameters = &beyond[i];
        o.parameter_count = 1;
        assert_status(rk_launch(c->runtime, "k", &o, &k), RK_INVALID_OPTIONS);
        snprintf(says, sizeof says,
                 "parameter '%s' of kernel 'tell_bounded': '%s' is not one of its values: %s", beyond[i].name,
                 beyond[i].value, ranges[i]);
        assert_error_says(says);
    }
}

/* A locale of this machine that writes a comma, or one that is made here; 0: there is none to be had. */
static int take_locale_with_a_comma(void)
{
    static const char folder[] = RK_BINARY_DIR "/contract-locale";
    if (setlocale(LC_ALL, "de_DE.UTF-8")) return 1;
    if (system("mkdir -p '" RK_BINARY_DIR
               "/contract-locale' && localedef --no-archive -i de_DE -f UTF-8 '" RK_BINARY_DIR
               "/contract-locale/de_DE.UTF-8' >/dev/null 2>&1"))
        return 0;
    setenv("LOCPATH", folder, 1);
    const int taken = setlocale(LC_ALL, "de_DE.UTF-8") != 0;
    unsetenv("LOCPATH");
    return taken;
}

/* Given a program whose locale writes a comma, when a parameter is set with a point, then that is what it
 * is. */
static void a_parameter_is_written_with_a_point_in_every_locale(contract *c)
{
    static const rk_parameter set[] = { { "set_f32", "0.125" }, { "set_f64", "2.5e-1" } };
    if (!take_locale_with_a_comma()) {
        print_message("there is no locale with a comma here\n");
        return;
    }
    assert_true(strtod("0,5", 0) == 0.5);
    kinds told = ask_parameters(c, set, 2);
    setlocale(LC_ALL, "C");
    assert_true(told.of_f32 == 0.125f && told.of_f64 == 0.25);
}

/* ------------------------------------------------------------------ batches */

/* Given batches of several actors in one turn, when one sends too much and another fails, then their
 * messages are dead letters and nothing of theirs goes out, and the others have all of the shared memory
 * and of their sends. */
/* Given a target with little room that is idle, when a batch comes of which one message tries to send and others behind it are
 * staged, then no try waits for room that these have, and what there is room for is there. */
static void a_try_does_not_wait_for_room_that_the_batch_holds(contract *c)
{
    enum { ROOM = 64, BATCH = 32 + ROOM, TIMES = 4 };
    measure m[BATCH] = { { 0, ROOM } };
    for (rk_u32 i = 1; i < BATCH; i++) m[i].number = i;
    for (rk_u32 t = 0; t < TIMES; t++) {
        rk_launch_options o = small(1024), narrow = small(ROOM);
        o.backpressure = narrow.backpressure = RK_BACKPRESSURE_REJECT;
        o.max_batch = 256;
        narrow.kernel_name = "tell_target";
        rk_kernel source = launch(c, "source", "try_some", &o), to = launch(c, "to", "", &narrow);
        assert_ok(rk_connect(c->runtime, source, 0, to, 0));
        size_t accepted;
        assert_ok(rk_send_many(c->runtime, source, RK_TYPE_ID(measure), m, sizeof *m, BATCH, 0, &accepted));
        assert_ok(rk_activate(c->runtime, source));
        settle(c);
        wait_until(c, account_of(c, source).delivered == BATCH);
        assert_int_equal(account_of(c, to).queued, ROOM);
        assert_ok(rk_terminate(c->runtime, source, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, to, CONTRACT_PATIENCE));
    }
}

static void a_batch_that_fails_takes_back_its_own_sends_alone(contract *c)
{
    enum { EACH = 3 };
    static const struct {
        rk_u64 sends;
        rk_u32 out;
        const char *reason;
    } actors[] = {
        { 1, 1, 0 }, { 3, 0, "too many sends" }, { 2, 2, 0 }, { 9, 0, "not_this_batch" }, { 2, 2, 0 }
    };
    enum { ACTORS = sizeof actors / sizeof *actors };
    rk_launch_options o = small(64);
    o.actors = ACTORS;
    rk_kernel k = launch(c, "batches", "sends_as_told", &o);
    rk_send_options to = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < EACH; i++)
        for (to.target = 0; to.target < ACTORS; to.target++)
            send_measure(c, k, to.target, actors[to.target].sends, &to);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 a = 0; a < ACTORS; a++)
        for (rk_u32 i = 0; i < actors[a].out; i++) {
            measure told;
            receive(c, k, &told);
            assert_int_equal(told.number, a * EACH);
            assert_int_equal(told.value, EACH);
        }
    wait_until(c, account_of(c, k).dead_letters == 2 * EACH);
    for (rk_u32 a = 0; a < ACTORS; a++)
        for (rk_u32 i = 0; actors[a].reason && i < EACH; i++) {
            measure m;
            rk_dead_letter letter;
            assert_ok(rk_receive_dead(c->runtime, k, &m, sizeof m, &letter, RK_NO_WAIT));
            assert_int_equal(m.number, a);
            assert_string_equal(letter.reason, actors[a].reason);
        }
    assert_int_equal(account_of(c, k).output_accepted, 5);
}

static void each_request_of_a_batch_that_is_not_answered_is_told(contract *c)
{
    static const struct {
        rk_u64 sends;
        rk_status status;
    } asked[] = { { 0, RK_NO_REPLY }, { 1, RK_NO_REPLY }, { 9, RK_DEAD }, { 3, RK_DEAD } };
    rk_launch_options o = small(64);
    o.requests = 1;
    o.actors = 2;
    rk_kernel k = launch_active(c, "batches", "sends_as_told", &o);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        measure m = { i, asked[i].sends };
        assert_status(
            rk_request(c->runtime, k, RK_BODY(m), RK_TYPE_ID(measure), &m, sizeof m, CONTRACT_PATIENCE),
            asked[i].status);
    }
}

static void the_hash_of_a_schema_is_the_same_in_the_language_of_the_backend(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch_active(c, "hashes", "tell_hashes", &o);
    measure ask = { 0 }, told;
    assert_ok(rk_send(c->runtime, k, RK_BODY(ask), 0));
    receive(c, k, &told);
    assert_int_equal(told.number, RK_SCHEMA_HASH(measure));
    assert_int_equal(told.value, RK_SCHEMA_HASH(kinds));
}

static const contract_case cases[] = {
    { CASE(the_time_that_a_message_has_left_is_told), ON_EVERY },
    { CASE(cycles_are_more_for_more_work), ON_EVERY },
    { CASE(a_message_is_forwarded_on_a_named_route), ON_EVERY },
    { CASE(a_send_on_a_named_route_has_its_own_options), ON_EVERY },
    { CASE(what_got_the_last_room_waited_since_it_was_sent), ON_EVERY },
    { CASE(a_message_to_the_host_says_on_which_route_it_came), ON_EVERY },
    { CASE(a_send_that_is_tried_on_a_named_route_is_answered_at_once), ON_EVERY },
    { CASE(a_try_does_not_wait_for_room_that_the_batch_holds), NEEDS_REGIONS },
    { CASE(a_batch_that_fails_takes_back_its_own_sends_alone), NEEDS_REGIONS },
    { CASE(each_request_of_a_batch_that_is_not_answered_is_told), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(more_shared_memory_than_there_is_fails_the_call), NEEDS_REGIONS },
    { CASE(a_parameter_of_each_kind_has_all_of_its_values), NEEDS_REGIONS },
    { CASE(a_value_beyond_a_parameters_kind_is_refused), ONCE },
    { CASE(a_parameter_with_bounds_has_its_values_and_no_others), NEEDS_REGIONS },
    { CASE(a_parameter_is_written_with_a_point_in_every_locale), ONCE },
    { CASE(each_thread_keeps_its_value_from_region_to_region), NEEDS_REGIONS },
    { CASE(values_without_a_thread_each_are_refused), NEEDS_REGIONS },
    { CASE(numbers_of_each_kind_are_summed_for_any_number_of_them), NEEDS_REGIONS },
    { CASE(the_hash_of_a_schema_is_the_same_in_the_language_of_the_backend), NEEDS_REGIONS },
    { CASE(threads_of_a_warp_exchange_values), NEEDS_FIBERS },
    { CASE(threads_without_a_message_that_fail_have_sent_nothing), NEEDS_FIBERS },
    { CASE(values_of_each_kind_are_exchanged_to_the_last_bit), NEEDS_FIBERS },
};
CONTRACT_MAIN("dialect", cases)
