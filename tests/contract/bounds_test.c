/* What does not fit is refused, whole and in words: messages for their target's slots, options for their
 * kernel, barriers for their scope. */
#include <ringkernel/kernel.h>

#include "contract.h"

#include <stdio.h>

/* ------------------------------------------------------------------ kernels */

RK_MESSAGE(short_note, 480, (rk_u64, number))
RK_MESSAGE(wide_note, 481, (rk_u64, number), (rk_u8, bytes, 952))

static void fill(wide_note *wide, rk_u64 number)
{
    memset(wide, (int)(number + 1), sizeof *wide);
    wide->number = number;
}

/* Sends each note on twice: as it is, and wide. */
RK_HANDLER(widen, short_note, msg, rk_none, self, .max_sends = 2)
{
    wide_note wide;
    fill(&wide, msg->number);
    rk_send(RK_ARG, &wide);
    rk_forward(RK_ARG);
}

RK_ROUTE(tried)
RK_HANDLER(try_wide, short_note, msg, rk_none, self)
{
    wide_note wide;
    fill(&wide, msg->number);
    rk_status status = rk_try_send_to(RK_ARG, tried, &wide);
    short_note answer = { (rk_u64)status };
    rk_send(RK_ARG, &answer);
}

/* Takes short ones only. */
RK_HANDLER(narrow, short_note, msg, rk_none, self) { rk_forward(RK_ARG); }

RK_MESSAGE(other_note, 482, (rk_u64, number))
RK_HANDLER(send_both, short_note, msg, rk_none, self, .max_sends = 3)
{
    other_note other = { msg->number };
    rk_send(RK_ARG, &other);
    rk_forward(RK_ARG);
    rk_send(RK_ARG, &other);
}
RK_BATCH_HANDLER(narrow_batches, short_note, n, rk_none, self, .max_sends = 32)
{
    for (rk_u32 i = 0; i < n; i++) {
        short_note note = *RK_AT(short_note, i);
        rk_send(RK_ARG, &note);
    }
}
RK_SPMD_KERNEL(narrow_threads, short_note, short_note, .threads = 32)
{
    short_note note;
    if (rk_try_receive(RK_ARG, &note)) rk_send(RK_ARG, &note);
}

RK_REASON(sent_to_itself)
RK_HANDLER(refuse_own, short_note, msg, rk_none, self)
{
    if (msg->number) {
        short_note again = { msg->number - 1 };
        rk_send(RK_ARG, &again);
    } else {
        rk_fail(RK_ARG, sent_to_itself);
    }
}

RK_HANDLER(per_actor, short_note, msg, short_note, self, .state = RK_PER_ACTOR)
{
    self->number += msg->number;
}
RK_HANDLER(many_sends, short_note, msg, rk_none, self, .max_sends = 134217728) { rk_forward(RK_ARG); }
RK_HANDLER(much_shared, short_note, msg, rk_none, self, .shared = 0xfffffff0u) { rk_forward(RK_ARG); }
RK_HANDLER(one_a_turn, short_note, msg, rk_none, self, .mode = RK_CONTINUOUS) { rk_forward(RK_ARG); }
RK_HANDLER(small_inbox, short_note, msg, rk_none, self, .input_queue = 16) { rk_forward(RK_ARG); }
RK_HANDLER(odd_inbox, short_note, msg, rk_none, self, .input_queue = 5000) { rk_forward(RK_ARG); }

RK_HANDLER(uneven, short_note, msg, rk_none, self, .width = RK_WARP, .threads = 80) { rk_forward(RK_ARG); }
RK_BATCH_HANDLER(idle_warps, short_note, n, rk_none, self, .width = RK_WARP, .threads = 64) { (void)n; }
RK_BATCH_HANDLER(idle_threads, short_note, n, rk_none, self, .threads = 64) { (void)n; }
RK_BATCH_HANDLER(a_warp, short_note, n, rk_none, self, .width = RK_WARP) { (void)n; }
RK_HANDLER(stamped_twice, short_note, msg, rk_none, self, .timestamps = 2) {}
RK_HANDLER(sliced_twice, short_note, msg, rk_none, self, .event_driven = 2) {}
RK_HANDLER(sliced_without_end, short_note, msg, rk_none, self, .event_driven = 1) {}
RK_HANDLER(sliced_by_nobody, short_note, msg, rk_none, self, .slice_us = 5) {}
RK_HANDLER(not_a_barrier, short_note, msg, rk_none, self, .memory = 3, .messaging = 4) {}
RK_HANDLER(elsewhere_too, short_note, msg, rk_none, self, .backends = RK_ON_CPU | 0x100) {}
RK_HANDLER(elsewhere_only, short_note, msg, rk_none, self, .backends = RK_ON_CUDA | RK_ON_OPENCL) {}
RK_HANDLER(gathers_nothing, short_note, msg, rk_none, self, .gather_us = 100) {}
RK_HANDLER(no_threads_meet, short_note, msg, rk_none, self, .barrier = RK_SCOPE_BLOCK) {}
RK_SPMD_KERNEL(by_warps, short_note, short_note, .width = RK_WARP) {}

RK_SPMD_KERNEL(too_wide, short_note, short_note, .threads = 64, .barrier = RK_SCOPE_WARP)
{
    short_note note = { 0 };
    rk_try_receive(RK_ARG, &note);
    rk_barrier(RK_SCOPE_WARP);
    rk_barrier(RK_SCOPE_BLOCK);
    rk_send(RK_ARG, &note);
}
static const int too_wide_line = __LINE__ - 3;

RK_SPMD_KERNEL(no_such_scope, short_note, short_note, .threads = 64)
{
    short_note note = { 0 };
    rk_try_receive(RK_ARG, &note);
    rk_barrier(RK_SCOPE_DEVICE);
    rk_send(RK_ARG, &note);
}

#define MEETING(name, ...)                                      \
    RK_SPMD_KERNEL(name, short_note, short_note, .threads = 64) \
    {                                                           \
        short_note note = { 0 };                                \
        rk_try_receive(RK_ARG, &note);                          \
        __VA_ARGS__;                                            \
        rk_send(RK_ARG, &note);                                 \
    }
RK_SPMD_KERNEL(across_blocks, short_note, short_note, .threads = 64, .barrier = RK_SCOPE_DEVICE)
{
    short_note note = { 0 };
    rk_try_receive(RK_ARG, &note);
    rk_barrier(RK_SCOPE_DEVICE);
    rk_send(RK_ARG, &note);
}

RK_SPMD_KERNEL(across_everything, short_note, short_note, .threads = 64, .barrier = RK_SCOPE_SYSTEM)
{
    short_note note = { 0 };
    rk_try_receive(RK_ARG, &note);
}

MEETING(no_scope, rk_barrier(0))
MEETING(vote_of_all, (void)rk_any(note.number == 1, RK_SCOPE_DEVICE))
MEETING(sum_of_all, (void)rk_reduce_add((rk_i64)note.number, RK_SCOPE_SYSTEM))

RK_SPMD_KERNEL(sum_too_wide, short_note, short_note, .threads = 64, .barrier = RK_SCOPE_WARP)
{
    short_note note = { 0 };
    rk_try_receive(RK_ARG, &note);
    note.number = (rk_u64)rk_reduce_add((rk_i64)note.number, RK_SCOPE_BLOCK);
    rk_send(RK_ARG, &note);
}

/* ------------------------------------------------------------------ messages */

/* Given every kind of lane, when a kernel sends what its target has no slots for, then the others arrive and
 * that one is a dead letter of its sender, whole. */
static void a_message_wider_than_its_targets_slots_is_a_dead_letter(contract *c)
{
    rk_launch_options lanes[4] = { small(64), small(64), small(64), small(64) };
    lanes[1].slot_format = RK_FORMAT_UNIT;
    lanes[2].priority = 1;
    lanes[3].backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    for (size_t l = 0; l < sizeof lanes / sizeof *lanes; l++) {
        rk_launch_options o = small(64);
        rk_kernel from = launch(c, "from", "widen", &o), to = launch(c, "to", "narrow", &lanes[l]);
        assert_ok(rk_connect(c->runtime, from, 0, to, 0));
        assert_ok(rk_activate(c->runtime, to));
        for (rk_u64 i = 0; i < 20; i++) {
            short_note note = { i };
            assert_ok(rk_send(c->runtime, from, RK_BODY(note), 0));
        }
        assert_ok(rk_activate(c->runtime, from));
        wait_until(c, account_of(c, from).dead_letters == 20);
        for (rk_u64 i = 0; i < 20; i++) {
            short_note note;
            wide_note wide, expected;
            rk_dead_letter letter;
            receive(c, to, &note);
            assert_int_equal(note.number, i);
            assert_ok(rk_receive_dead(c->runtime, from, &wide, sizeof wide, &letter, RK_NO_WAIT));
            fill(&expected, i);
            assert_string_equal(letter.reason, "RK_UNKNOWN_TYPE"); /* as where it fits */
            assert_int_equal(letter.was_sent, 1);
            assert_memory_equal(&wide, &expected, sizeof wide);
        }
        wait_until(c, account_of(c, to).balanced && account_of(c, to).queued == 0);
        assert_ok(rk_terminate(c->runtime, from, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, to, CONTRACT_PATIENCE));
    }
}

static void a_wide_message_that_is_tried_is_refused_at_once(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel from = launch(c, "from", "try_wide", &o), to = launch(c, "to", "narrow", &o);
    assert_ok(rk_connect(c->runtime, from, "tried", to, 0));
    assert_ok(rk_activate(c->runtime, from));
    short_note note = { 1 }, answer;
    assert_ok(rk_send(c->runtime, from, RK_BODY(note), 0));
    receive(c, from, &answer);
    assert_int_equal(answer.number, RK_UNKNOWN_TYPE);
    assert_int_equal(account_of(c, to).queued, 0);
}

/* Given a kernel that sends to itself, when it refuses what it got from itself, then the letter is of one
 * received. */
static void a_refused_message_from_itself_was_received(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k = launch(c, "k", "refuse_own", &o);
    assert_ok(rk_connect(c->runtime, k, 0, k, 0));
    assert_ok(rk_activate(c->runtime, k));
    short_note note = { 1 };
    rk_dead_letter letter;
    assert_ok(rk_send(c->runtime, k, RK_BODY(note), 0));
    wait_until(c, account_of(c, k).dead_letters == 1);
    assert_ok(rk_receive_dead(c->runtime, k, &note, sizeof note, &letter, RK_NO_WAIT));
    assert_string_equal(letter.reason, "sent_to_itself");
    assert_int_equal(letter.was_sent, 0);
}

/* Given a kernel of each sort, when it gets messages of a type that it has no handler for, then they are
 * dead letters, and those around them are handled. */
static void a_message_that_nobody_handles_is_a_dead_letter(contract *c)
{
    static const char *const targets[] = { "narrow", "narrow_batches", "narrow_threads" };
    for (size_t t = 0; t < sizeof targets / sizeof *targets; t++) {
        rk_launch_options o = small(64);
        rk_kernel from = launch(c, "from", "send_both", &o), to = launch(c, "to", targets[t], &o);
        assert_ok(rk_connect(c->runtime, from, 0, to, 0));
        for (rk_u64 i = 1; i <= 5; i++) {
            short_note note = { i };
            assert_ok(rk_send(c->runtime, from, RK_BODY(note), 0));
        }
        assert_ok(rk_activate(c->runtime, from));
        wait_until(c, account_of(c, from).delivered == 5);
        assert_ok(rk_activate(c->runtime, to));
        for (rk_u64 i = 1; i <= 5; i++) {
            short_note note;
            receive(c, to, &note);
            assert_int_equal(note.number, i);
        }
        wait_until(c, account_of(c, from).dead_letters + account_of(c, to).dead_letters == 10);
        const rk_kernel has = account_of(c, to).dead_letters ? to : from;
        for (rk_u64 i = 0; i < 10; i++) {
            other_note other;
            rk_dead_letter letter;
            assert_ok(rk_receive_dead(c->runtime, has, &other, sizeof other, &letter, RK_NO_WAIT));
            assert_string_equal(letter.reason, rk_status_name(RK_UNKNOWN_TYPE));
            assert_int_equal(letter.type, RK_TYPE_ID(other_note));
            assert_int_equal(other.number, i / 2 + 1);
        }
        assert_int_equal(account_of(c, to).output_accepted, 5);
        assert_ok(rk_terminate(c->runtime, from, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, to, CONTRACT_PATIENCE));
    }
}

/* ------------------------------------------------------------------ options */

static rk_status launch_status(contract *c, const char *kernel, rk_launch_options o)
{
    rk_kernel k;
    o.kernel_name = kernel;
    rk_status status = rk_launch(c->runtime, "k", &o, &k);
    if (status == RK_OK) assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    return status;
}

static void sizes_beyond_reason_are_refused(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 4294967295u;
    o.shards = 2;
    assert_status(launch_status(c, "per_actor", o), RK_OUT_OF_MEMORY);
    assert_status(launch_status(c, "many_sends", small(64)), RK_INVALID_OPTIONS);
    assert_error_says(".max_sends 134217728 is not in 1 to 4096");
    assert_status(launch_status(c, "much_shared", small(64)), RK_INVALID_OPTIONS);
    assert_error_says(".shared 4294967280");
    o = small(64);
    o.pool_blocks = 0xffffffffu;
    assert_status(launch_status(c, "narrow", o), RK_INVALID_OPTIONS);
    assert_error_says("pool_blocks 4294967295");
    o = small(64);
    o.dead_letter_capacity = 0xffffffffu;
    assert_status(launch_status(c, "narrow", o), RK_INVALID_OPTIONS);
    assert_error_says("dead_letter_capacity 4294967295");
}

static void threads_that_would_have_no_part_are_refused(contract *c)
{
    rk_launch_options o = small(64);
    assert_status(launch_status(c, "uneven", o), RK_INVALID_OPTIONS);
    assert_error_says("are no whole warps: the nearest are 64 and 96");
    assert_status(launch_status(c, "idle_warps", o), RK_INVALID_OPTIONS);
    assert_error_says("one warp handles a batch: make its .width RK_BLOCK");
    assert_status(launch_status(c, "idle_threads", o), RK_INVALID_OPTIONS);
    assert_error_says("one thread handles a batch: make its .width RK_BLOCK");
    assert_status(launch_status(c, "by_warps", o), RK_INVALID_OPTIONS);
    assert_error_says("RK_SCOPE_WARP at its barriers");
    assert_ok(launch_status(c, "a_warp", o));
    o.threads = 96;
    assert_ok(launch_status(c, "uneven", o));
    assert_status(launch_status(c, "a_warp", o), RK_INVALID_OPTIONS);
}

/* Given what a kernel could not make use of, when it is launched, then it is refused by name and not ignored. */
static void what_would_have_no_effect_is_refused(contract *c)
{
    static const struct {
        const char *kernel, *says;
    } attributes[] = {
        { "stamped_twice", ".timestamps 2 is not 0 or 1" },
        { "sliced_twice", ".event_driven 2 is not 0 or 1" },
        { "sliced_without_end", "set .slice_messages or .slice_us" },
        { "sliced_by_nobody", "set .event_driven = 1" },
        { "not_a_barrier", ".memory 3 is none of RK_RELEASE_ACQUIRE" },
        { "not_a_barrier", ".messaging 4 is none of RK_MESSAGING_" },
        { "elsewhere_too", ".backends 0x101" },
        { "gathers_nothing", ".gather_us 100" },
        { "no_threads_meet", ".barrier is of SPMD kernels" },
        { "across_everything", ".barrier 4 is none of RK_SCOPE_WARP, RK_SCOPE_BLOCK, RK_SCOPE_DEVICE" },
    };
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        assert_status(launch_status(c, attributes[i].kernel, small(64)), RK_INVALID_OPTIONS);
        assert_error_says(attributes[i].says);
    }
    assert_status(launch_status(c, "elsewhere_only", small(64)), RK_UNSUPPORTED);
    assert_error_says("doesn't run on the CPU: add RK_ON_CPU");
    assert_status(launch_status(c, "across_blocks", small(64)), RK_UNSUPPORTED);
    assert_error_says("'across_blocks': a barrier of device scope needs all blocks at once");
    assert_error_says("use RK_SCOPE_BLOCK, or messages");
    rk_launch_options o = small(64);
    o.spmd_check = 1;
    assert_status(launch_status(c, "narrow", o), RK_INVALID_OPTIONS);
    assert_error_says("spmd_check");
    o.spmd_check = 0;
    o.pool_blocks = 4;
    assert_status(launch_status(c, "narrow", o), RK_INVALID_OPTIONS);
    assert_error_says("pool_blocks 4: no message of kernel 'narrow' is over 1024 bytes");
    o = small(64);
    o.threads = 32;
    o.max_batch = 32;
    assert_ok(launch_status(c, "reduce_block", o));
    o.max_batch = 33;
    assert_status(launch_status(c, "reduce_block", o), RK_INVALID_OPTIONS);
    assert_error_says(
        "max_batch 33: kernel 'reduce_block' is SPMD, and each of its 32 threads takes 1 message");
    for (rk_u32 strategy = RK_BACKPRESSURE_BLOCK; strategy <= RK_BACKPRESSURE_DROP_NEWEST; strategy++) {
        o = small(64);
        o.backpressure = strategy;
        o.send_timeout_ns = RK_SECONDS(1);
        if (strategy == RK_BACKPRESSURE_BLOCK) {
            assert_ok(launch_status(c, "narrow", o));
            continue;
        }
        assert_status(launch_status(c, "narrow", o), RK_INVALID_OPTIONS);
        assert_error_says("send_timeout_ns 1000000000: only under Block does a send wait for room");
    }
}

static void mistakes_of_options_and_of_attributes_are_told_together(contract *c)
{
    rk_launch_options o = small(64);
    o.output_capacity = 100;
    o.actors = 3;
    o.max_batch = 8;
    o.expired_to_dead = 1;
    assert_status(launch_status(c, "one_a_turn", o), RK_INVALID_OPTIONS);
    assert_error_says("output_capacity 100");
    assert_error_says("actors 3");
    assert_error_says("max_batch 8");
    assert_error_says("expired_to_dead");
    o = small(64);
    o.output_capacity = 100;
    assert_status(launch_status(c, "odd_inbox", o), RK_INVALID_OPTIONS);
    assert_error_says(".input_queue 5000");
    assert_error_says("output_capacity 100");
}

RK_PARAM(rk_u32, most, 7)

/* Options, parameters, the kernel's name and the id are wrong, each in its way: one call tells all of it, of
 * a launch, of its estimate and of a launch under the same handle. */
static void whatever_is_wrong_is_told_in_one_result(contract *c)
{
    const rk_parameter mistaken[] = { { "least", "1" }, { "most", "-1" }, { 0, "1" }, { "most", "3" } };
    static const char *const says[] = { "queue_capacity 5000",
                                        "actors 3",
                                        "pool_blocks 4",
                                        "device 9",
                                        "no parameter 'least'; it declares: most",
                                        "parameter 'most' of kernel 'narrow': '-1' is not an rk_u32",
                                        "no parameter '(null)'",
                                        "'most' is given twice" };
    rk_memory_estimate e;
    rk_launch_options o = small(64);
    o.kernel_name = "narrow";
    rk_kernel k, other;
    assert_ok(rk_launch(c->runtime, "taken", &o, &k));
    o.queue_capacity = 5000;
    o.actors = 3;
    o.pool_blocks = 4;
    o.device = 9;
    o.parameters = mistaken;
    o.parameter_count = sizeof mistaken / sizeof *mistaken;
    for (int call = 0; call < 3; call++) {
        assert_status(call == 0   ? rk_launch(c->runtime, "taken", &o, &other)
                      : call == 1 ? rk_estimate(c->runtime, "free", &o, &e)
                                  : rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE),
                      RK_INVALID_OPTIONS);
        for (size_t i = 0; i < sizeof says / sizeof *says; i++) assert_error_says(says[i]);
        if (call == 0) assert_error_says("a live kernel has this id");
    }
    assert_status(rk_launch(c->runtime, " ", &o, &other), RK_INVALID_OPTIONS);
    assert_error_says("queue_capacity 5000");
    assert_error_says("the id is null, blank");
    o.kernel_name = "narow";
    assert_status(rk_launch(c->runtime, "free", &o, &other), RK_INVALID_OPTIONS);
    assert_error_says("queue_capacity 5000");
    assert_error_says("there is no kernel 'narow'");
    assert_int_equal(info_of(c, k).epoch, 1);
    o = small(64);
    o.kernel_name = "per_actor";
    o.output_capacity = 100;
    assert_status(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE), RK_INVALID_OPTIONS);
    assert_error_says("output_capacity 100");
    assert_error_says("'taken' runs kernel 'narrow'");
    o = small(64);
    o.kernel_name = "narrow";
    o.parameter_count = 1;
    assert_status(rk_launch(c->runtime, "free", &o, &other), RK_INVALID_OPTIONS);
    assert_error_says("parameters is null");
}

static void a_window_is_clamped_to_the_inbox_that_the_kernel_asks_for(contract *c)
{
    rk_launch_options o = rk_production();
    rk_kernel k = launch(c, "k", "small_inbox", &o);
    assert_int_equal(info_of(c, k).queue_capacity, 16);
    assert_int_equal(info_of(c, k).deduplication_window, 16);
}

static void workers_without_threads_are_refused(contract *c)
{
    rk_runtime_options r = { RK_RUNTIME_OPTIONS, .single_step = 1, .workers = 5 };
    rk_runtime *none;
    (void)c;
    assert_status(rk_open(&r, &none), RK_INVALID_OPTIONS);
    assert_error_says("workers");
}

/* Given a chain in which everything is connected twice, when its links are made, then no connection looks at
 * every path: those are 2^40. */
static void long_chains_are_connected_in_no_time(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k[41];
    o.kernel_name = "narrow";
    for (size_t i = 0; i <= 40; i++) {
        char id[16];
        snprintf(id, sizeof id, "link %zu", i);
        assert_ok(rk_launch(c->runtime, id, &o, &k[i]));
    }
    for (size_t i = 40; i-- > 0;)
        for (int twice = 0; twice < 2; twice++) assert_ok(rk_connect(c->runtime, k[i], 0, k[i + 1], 0));
}

/* ------------------------------------------------------------------ barriers */

static void assert_fails_with(contract *c, const char *kernel, const char *text)
{
    rk_launch_options o = small(64);
    o.kernel_name = kernel;
    rk_kernel k = launch_active(c, kernel, kernel, &o);
    short_note note = { 1 };
    assert_ok(rk_send(c->runtime, k, RK_BODY(note), 0));
    wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
    contract_assert_says(info_of(c, k).failure, text, __FILE__, __LINE__);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
}

static void a_barrier_wider_than_the_kernel_says_fails_it(contract *c)
{
    char text[256];
    snprintf(text, sizeof text, "bounds_test.c:%d has block scope", too_wide_line);
    assert_fails_with(c, "too_wide", text);
    assert_fails_with(c, "too_wide", "widen its .barrier");
    assert_fails_with(c, "no_such_scope", "has device scope");
    assert_fails_with(c, "no_scope", "has no scope, and the kernel's barriers have warp or block scope");
    assert_fails_with(c, "vote_of_all", "has device scope");
    assert_fails_with(c, "sum_of_all", "has system scope");
    assert_fails_with(c, "sum_too_wide", "the sum at ");
    assert_fails_with(c, "sum_too_wide", "widen its .barrier");
}

static const contract_case cases[] = {
    { CASE(a_message_wider_than_its_targets_slots_is_a_dead_letter), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_wide_message_that_is_tried_is_refused_at_once), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_message_that_nobody_handles_is_a_dead_letter), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_refused_message_from_itself_was_received), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(sizes_beyond_reason_are_refused), ONCE },
    { CASE(threads_that_would_have_no_part_are_refused), ONCE },
    { CASE(what_would_have_no_effect_is_refused), ONCE },
    { CASE(whatever_is_wrong_is_told_in_one_result), NEEDS_CPU },
    { CASE(mistakes_of_options_and_of_attributes_are_told_together), ONCE },
    { CASE(a_window_is_clamped_to_the_inbox_that_the_kernel_asks_for), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(workers_without_threads_are_refused), ONCE },
    { CASE(long_chains_are_connected_in_no_time), NEEDS_REGIONS | ONCE },
    { CASE(a_barrier_wider_than_the_kernel_says_fails_it), NEEDS_FIBERS | NEEDS_CPU },
};
CONTRACT_MAIN("bounds", cases)
