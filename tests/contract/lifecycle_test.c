/* The life of a kernel: launched, active, inactive, drained, failed, terminated, quarantined, and launched again. */
#include "contract.h"

#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/core.h"

#include "../kernels/contract_a.rk.h"

static rk_u32 control(const rk_u32 *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static void set_control(rk_u32 *word, rk_u32 value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
#define IN_HANDLERS control(&contract_controls.inside)
#define CLOSE_GATE() set_control(&contract_controls.closed, 1)
#define OPEN_GATE() contract_control_open()

static rk_status send_probe(contract *c, rk_kernel k, rk_u32 number)
{
    probe p = { number, 0 };
    return rk_send(c->runtime, k, RK_BODY(p), 0);
}

static void assert_next(contract *c, rk_kernel k, rk_u32 number)
{
    probe p;
    receive(c, k, &p);
    assert_int_equal(p.number, number);
}

static void assert_serves(contract *c, rk_kernel k, rk_u32 number)
{
    assert_ok(send_probe(c, k, number));
    assert_next(c, k, number);
}

/* A small queue without a window. */
static rk_launch_options small(rk_u32 capacity)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = capacity;
    o.deduplication_window = 0;
    return o;
}

/* ------------------------------------------------------------------ launch */

static void a_launched_kernel_is_listed_and_waits(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 4;
    o.blocks = 2;
    rk_kernel k = launch(c, "one", "echo", &o), found, all[4];
    size_t count;
    rk_kernel_info info = info_of(c, k);
    assert_string_equal(info.id, "one");
    assert_string_equal(info.kernel_name, in_style(c, "echo"));
    assert_int_equal(info.life, RK_LIFE_LAUNCHED);
    assert_string_equal(rk_life_name(info.life), "launched");
    assert_int_equal(info.processed, 0);
    assert_int_equal(info.queued, 0);
    assert_int_equal(info.shards, 4);
    assert_int_equal(info.blocks, 2);
    assert_int_equal(info.epoch, 1);
    assert_true(info.healthy);
    assert_true(info.memory > 0);

    assert_ok(rk_find(c->runtime, "one", &found));
    assert_memory_equal(&found, &k, sizeof k);
    launch(c, "two", "echo", &o);
    assert_ok(rk_list(c->runtime, all, 4, &count));
    assert_int_equal(count, 2);
    assert_memory_equal(&all[0], &k, sizeof k);
    assert_ok(rk_list(c->runtime, all, 1, &count)); /* with room for one, it still says how many there are */
    assert_int_equal(count, 2);
    assert_status(rk_find(c->runtime, "three", &found), RK_NO_SUCH_KERNEL);
}

static void a_launch_has_the_dimensions_asked_for(contract *c)
{
    rk_launch_options o = small(64);
    o.threads = 48;
    assert_int_equal(info_of(c, launch(c, "threads", "echo", &o)).threads, 48);
    if (c->variant->style != STYLE_REGIONS) return;
    o.threads = RK_FROM_KERNEL;
    o.actors = 1000;
    o.shards = 3;
    rk_kernel_info info = info_of(c, launch(c, "actors", "counter", &o));
    assert_int_equal(info.actors, 1000);
    assert_int_equal(info.shards, 3);
    assert_int_equal(info.state, RK_PER_ACTOR);
}

static void ids_that_are_none_are_refused(contract *c)
{
    static const char long_id[] = "0123456789012345678901234567890123456789012345678901234567890123"; /* 64 */
    static const char *const ids[] = { 0, "", " ", " \t\n", long_id };
    rk_kernel k;
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "echo");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        assert_status(rk_launch(c->runtime, ids[i], &o, &k), RK_INVALID_ID);
        assert_int_equal(k.number, 0);
    }
    assert_ok(rk_launch(c->runtime, long_id + 1, &o, &k)); /* 63 are fine */
    assert_string_equal(info_of(c, k).id, long_id + 1);
    assert_status(rk_launch(c->runtime, "null", &o, 0), RK_INVALID_ARGUMENT);
}

static void dimensions_of_zero_are_refused(contract *c)
{
    rk_kernel k;
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options o = small(16);
        *(i == 0 ? &o.shards : i == 1 ? &o.blocks : &o.threads) = 0;
        o.kernel_name = in_style(c, "echo");
        assert_status(rk_launch(c->runtime, "zero", &o, &k), RK_INVALID_OPTIONS);
    }
    rk_launch_options o = small(16);
    o.kernel_name = "counter"; /* keeps state per actor: how many? */
    assert_status(rk_launch(c->runtime, "zero", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says("actors");
}

static void an_id_in_use_is_refused_and_its_kernel_goes_on(contract *c)
{
    rk_kernel k = launch_echo(c, 0), second;
    assert_serves(c, k, 1);
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "echo");
    assert_status(rk_launch(c->runtime, "echo", &o, &second), RK_IN_USE);
    assert_int_equal(second.number, 0);
    assert_serves(c, k, 2);
    assert_int_equal(info_of(c, k).queue_capacity, 4096);
}

/* ------------------------------------------------------------------ handles */

typedef rk_status handle_call(contract *c, rk_kernel k);
static probe any_probe;
static rk_send_options no_wait = { .timeout_ns = 1 };

static rk_status call_activate(contract *c, rk_kernel k) { return rk_activate(c->runtime, k); }
static rk_status call_deactivate(contract *c, rk_kernel k) { return rk_deactivate(c->runtime, k); }
static rk_status call_terminate(contract *c, rk_kernel k) { return rk_terminate(c->runtime, k, 0); }
static rk_status call_drain(contract *c, rk_kernel k) { return rk_drain(c->runtime, &k, 1, 0); }
static rk_status call_relaunch(contract *c, rk_kernel k) { return rk_relaunch(c->runtime, k, 0, 0); }
static rk_status call_fail(contract *c, rk_kernel k) { return rk_fail_before_commit(c->runtime, k); }
static rk_status call_information(contract *c, rk_kernel k)
{
    rk_kernel_info info;
    return rk_kernel_information(c->runtime, k, &info);
}
static rk_kernel neighbour;
static rk_status call_connect_from(contract *c, rk_kernel k)
{
    return rk_connect(c->runtime, k, 0, neighbour, 0);
}
static rk_status call_connect_to(contract *c, rk_kernel k)
{
    return rk_connect(c->runtime, neighbour, 0, k, 0);
}
static rk_status call_read_state(contract *c, rk_kernel k)
{
    rk_u64 state[4];
    return rk_read_state(c->runtime, k, 0, state, sizeof state);
}
static rk_status call_send(contract *c, rk_kernel k)
{
    return rk_send(c->runtime, k, RK_BODY(any_probe), &no_wait);
}
static rk_status call_send_many(contract *c, rk_kernel k)
{
    size_t accepted;
    rk_status status = rk_send_many(c->runtime, k, RK_BODY(any_probe), 1, &no_wait, &accepted);
    assert_int_equal(accepted, 0);
    return status;
}
static rk_status call_send_each(contract *c, rk_kernel k)
{
    size_t accepted;
    rk_status status = rk_send_each(c->runtime, k, RK_BODY(any_probe), 1, &no_wait, &accepted);
    assert_int_equal(accepted, 0);
    return status;
}
static rk_status call_receive(contract *c, rk_kernel k)
{
    probe p;
    return rk_receive(c->runtime, k, &p, sizeof p, 0, 0);
}
static rk_status call_receive_waiting(contract *c, rk_kernel k)
{
    probe p;
    return rk_receive(c->runtime, k, &p, sizeof p, 0, RK_SECONDS(10));
}
static rk_status call_receive_many(contract *c, rk_kernel k)
{
    probe p[2];
    size_t received;
    return rk_receive_many(c->runtime, k, p, sizeof *p, 2, 0, 0, &received);
}
static rk_status call_receive_dead(contract *c, rk_kernel k)
{
    probe p;
    rk_dead_letter letter;
    return rk_receive_dead(c->runtime, k, &p, sizeof p, &letter, RK_SECONDS(10));
}
static rk_status call_request(contract *c, rk_kernel k)
{
    response r;
    return rk_request(c->runtime, k, RK_BODY(any_probe), RK_TYPE_ID(response), &r, sizeof r,
                      RK_MILLISECONDS(1));
}
static rk_status call_request_with(contract *c, rk_kernel k)
{
    response r;
    rk_send_options o = RK_SEND_DEFAULTS;
    return rk_request_with(c->runtime, k, RK_BODY(any_probe), RK_TYPE_ID(response), &r, sizeof r, &o,
                           RK_MILLISECONDS(1));
}
static rk_status call_reserve(contract *c, rk_kernel k)
{
    rk_reservation r;
    return rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r);
}
static rk_status call_clear(contract *c, rk_kernel k)
{
    rk_u64 cleared;
    return rk_clear(c->runtime, k, &cleared);
}
static rk_status call_account(contract *c, rk_kernel k)
{
    rk_account a;
    return rk_account_of(c->runtime, k, &a);
}
static rk_status call_account_of_lane(contract *c, rk_kernel k)
{
    rk_account a;
    return rk_account_of_lane(c->runtime, k, 0, 0, &a);
}
static rk_status call_dead_reason(contract *c, rk_kernel k)
{
    const char *reason;
    rk_u64 count;
    return rk_dead_reason(c->runtime, k, 0, &reason, &count);
}
static rk_status call_metrics(contract *c, rk_kernel k)
{
    rk_metrics m;
    return rk_metrics_of(c->runtime, k, &m);
}
static rk_status call_step(contract *c, rk_kernel k)
{
    if (!c->variant->single_step) return RK_STALE; /* answers that there are workers */
    return rk_step(c->runtime, k, 0);
}

static const struct {
    const char *name;
    handle_call *call;
} handle_calls[] = {
    { "activate", call_activate },
    { "deactivate", call_deactivate },
    { "terminate", call_terminate },
    { "drain", call_drain },
    { "relaunch", call_relaunch },
    { "fail_before_commit", call_fail },
    { "information", call_information },
    { "connect from", call_connect_from },
    { "connect to", call_connect_to },
    { "read_state", call_read_state },
    { "send", call_send },
    { "send_many", call_send_many },
    { "send_each", call_send_each },
    { "receive", call_receive },
    { "waiting", call_receive_waiting },
    { "receive_many", call_receive_many },
    { "receive_dead", call_receive_dead },
    { "request", call_request },
    { "request_with", call_request_with },
    { "reserve", call_reserve },
    { "clear", call_clear },
    { "account", call_account },
    { "lane", call_account_of_lane },
    { "dead_reason", call_dead_reason },
    { "metrics", call_metrics },
    { "step", call_step },
};
#define HANDLE_CALLS (sizeof handle_calls / sizeof *handle_calls)

static void assert_all_calls_know_it_is_gone(contract *c, rk_kernel k)
{
    for (size_t i = 0; i < HANDLE_CALLS; i++) {
        rk_status status = handle_calls[i].call(c, k);
        if (status == RK_STALE || status == RK_NO_SUCH_KERNEL) continue;
        print_error("%s of %u.%u is %s\n%s", handle_calls[i].name, k.number, k.generation,
                    rk_status_name(status), rk_error_text());
        fail();
    }
}

static void unknown_and_stale_handles_are_answered_by_every_call(contract *c)
{
    static const rk_kernel none[] = { { 0, 0 },    { 0, 1 },    { 3000, 1 },
                                      { 4095, 1 }, { 4096, 1 }, { 0xffffffff, 0xffffffff } };
    neighbour = launch(c, "neighbour", "echo", 0);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_all_calls_know_it_is_gone(c, none[i]);

    /* Given a kernel that was, and one with its id that is. */
    rk_kernel was = launch_echo(c, 0);
    assert_serves(c, was, 1);
    assert_ok(rk_terminate(c->runtime, was, RK_SECONDS(5)));
    assert_all_calls_know_it_is_gone(c, was);
    rk_kernel is = launch_echo(c, 0);
    assert_all_calls_know_it_is_gone(c, was);
    assert_all_calls_know_it_is_gone(c, (rk_kernel){ is.number, is.generation + 1 });
    assert_all_calls_know_it_is_gone(c, (rk_kernel){ is.number, 0 });
    assert_serves(c, is, 2);
}

static void a_closed_runtime_answers(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    rk_runtime *closed = c->runtime;
    contract_close(c);
    c->runtime = closed;
    assert_status(rk_activate(closed, k), RK_CLOSED);
    assert_status(call_terminate(c, k), RK_CLOSED);
    assert_status(call_information(c, k), RK_CLOSED);
    assert_status(call_account(c, k), RK_CLOSED);
    assert_status(call_metrics(c, k), RK_CLOSED);
    assert_status(call_receive_dead(c, k), RK_CLOSED);
    assert_status(rk_launch(closed, "late", 0, &k), RK_CLOSED);
    assert_string_equal(rk_backend_name(closed), "closed");
    assert_int_equal(rk_worker_count(closed), 0);
    assert_int_equal(rk_clock_ns(closed), 0);
    assert_ok(rk_close(closed));
    c->runtime = 0;
    for (size_t i = 0; i < HANDLE_CALLS; i++)
        if (handle_calls[i].call != call_step)
            assert_int_equal(handle_calls[i].call(c, k), RK_INVALID_ARGUMENT);
}

static void the_runtime_closes_with_active_kernels_and_twice(contract *c)
{
    for (rk_u32 i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "kernel %u", i);
        rk_kernel k = launch_active(c, id, "echo", 0);
        for (rk_u32 n = 0; n < i; n++) assert_ok(send_probe(c, k, n));
    }
    rk_runtime *runtime = c->runtime;
    c->runtime = 0;
    assert_ok(rk_close(runtime));
    assert_ok(rk_close(runtime));
    assert_ok(rk_close(0));
}

/* ------------------------------------------------------------------ active and inactive */

static void activating_twice_and_deactivating_an_inactive_one_are_told_apart(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_ok(rk_activate(c->runtime, k));
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    assert_status(rk_activate(c->runtime, k), RK_ALREADY_ACTIVE);
    assert_serves(c, k, 1);
    assert_ok(rk_deactivate(c->runtime, k));
    assert_int_equal(info_of(c, k).life, RK_LIFE_INACTIVE);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_ok(rk_activate(c->runtime, k));
    assert_serves(c, k, 2);
}

static void messages_sent_while_inactive_are_handled_in_order_after_activation(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    probe p;
    for (rk_u32 i = 0; i < 50; i++) assert_ok(send_probe(c, k, i));
    assert_int_equal(info_of(c, k).queued, 50);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, 0), RK_EMPTY);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 50; i++) assert_next(c, k, i);

    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 50; i < 100; i++) assert_ok(send_probe(c, k, i));
    assert_int_equal(info_of(c, k).processed, 50);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 50; i < 100; i++) assert_next(c, k, i);
}

static void a_kernel_that_was_drained_takes_and_does_nothing_more(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    probe p;
    assert_ok(send_probe(c, k, 1));
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(10)));
    assert_int_equal(info_of(c, k).life, RK_LIFE_DRAINED);
    assert_status(rk_activate(c->runtime, k), RK_CLOSED);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    assert_status(send_probe(c, k, 2), RK_CLOSED);
    assert_status(rk_relaunch(c->runtime, k, 0, RK_SECONDS(5)), RK_CLOSED);
    assert_next(c, k, 1);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_SECONDS(5)), RK_CLOSED);
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(10))); /* there is nothing to do */
}

static void a_kernel_that_is_not_active_cannot_be_drained(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    assert_status(rk_drain(c->runtime, &k, 1, RK_MILLISECONDS(1)), RK_NOT_ACTIVE);
    assert_status(rk_drain(c->runtime, &k, 0, RK_MILLISECONDS(1)), RK_INVALID_ARGUMENT);
    assert_status(rk_drain(c->runtime, 0, 1, RK_MILLISECONDS(1)), RK_INVALID_ARGUMENT);
}

static void deactivating_under_load_loses_nothing(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    rk_u32 sent = 0, got = 0;
    for (rk_u32 round = 0; round < contract_rounds(400); round++) {
        for (rk_u32 i = 0; i < 20; i++) assert_ok(send_probe(c, k, sent++));
        assert_ok(rk_deactivate(c->runtime, k));
        rk_u64 handled = info_of(c, k).processed;
        assert_ok(send_probe(c, k, sent++));
        assert_int_equal(info_of(c, k).processed, handled);
        assert_ok(rk_activate(c->runtime, k));
        while (got < sent) assert_next(c, k, got++);
    }
}

/* ------------------------------------------------------------------ terminate */

static void a_kernel_that_is_idle_terminates(contract *c)
{
    rk_kernel k = launch_echo(c, 0), found;
    assert_serves(c, k, 1);
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    assert_status(rk_find(c->runtime, "echo", &found), RK_NO_SUCH_KERNEL);
    assert_status(rk_terminate(c->runtime, k, RK_SECONDS(10)), RK_STALE);
}

static void a_kernel_that_was_never_active_terminates_and_its_messages_with_it(contract *c)
{
    rk_kernel k = launch(c, "echo", "echo", 0);
    for (rk_u32 i = 0; i < 5; i++) assert_ok(send_probe(c, k, i));
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
}

static void a_kernel_that_sleeps_terminates(contract *c)
{
    rk_kernel k = launch_echo(c, 0);
    assert_serves(c, k, 1);
    let_pass(c, RK_MILLISECONDS(20)); /* far over the spin time: its worker is parked */
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
}

static void what_is_queued_is_handled_before_a_kernel_terminates(contract *c)
{
    rk_launch_options o = small(1024);
    rk_kernel source = launch(c, "source", "echo", &o), target = launch_active(c, "target", "echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    for (rk_u32 i = 0; i < 500; i++) assert_ok(send_probe(c, source, i));
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(rk_terminate(c->runtime, source, RK_SECONDS(10)));
    for (rk_u32 i = 0; i < 500; i++) assert_next(c, target, i);
}

static void *open_the_gate_when_somebody_waits(void *argument)
{
    contract *c = argument;
    while (!stopped(c) && IN_HANDLERS == 0) sched_yield();
    nanosleep(&(struct timespec){ 0, 20000000 }, 0); /* the terminate that is on its way finds it inside */
    OPEN_GATE();
    return 0;
}

static void a_kernel_in_a_handler_terminates_when_the_handler_returns(contract *c)
{
    rk_kernel k = launch_active(c, "held", "held", 0);
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    assert_ok(send_probe(c, k, 2));
    start_thread(c, open_the_gate_when_somebody_waits, c);
    wait_until(c, IN_HANDLERS == 1);
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(20)));
    assert_int_equal(control(&contract_controls.entered), 2); /* both were handled */
}

static void a_kernel_that_is_blocked_on_a_full_ring_terminates(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch_echo(c, &o), other = launch_active(c, "other", "echo", 0);
    for (rk_u32 i = 0; i < 17; i++) { /* nobody receives: one more than the out lane holds */
        assert_ok(send_probe(c, k, i));
        settle(c);
    }
    wait_until(c, metrics_of(c, k).parks > 0);
    assert_status(rk_terminate(c->runtime, k, RK_MILLISECONDS(50)), RK_TIMED_OUT);
    assert_error_says("counted lost");
    assert_serves(c, other, 7);
}

/* Each of three in a row may end; the other two go on, and what finds no target is a dead letter. */
static void one_of_three_terminates_and_the_others_go_on(contract *c)
{
    static const char *const names[] = { "first", "second", "third" };
    for (rk_u32 gone = 0; gone < 3; gone++) {
        rk_launch_options o = small(64);
        rk_kernel k[3];
        for (rk_u32 i = 0; i < 3; i++) k[i] = launch(c, names[i], "echo", &o);
        assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
        assert_ok(rk_connect(c->runtime, k[1], 0, k[2], 0));
        for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_activate(c->runtime, k[i]));
        assert_ok(send_probe(c, k[0], 1));
        assert_next(c, k[2], 1);

        assert_ok(rk_terminate(c->runtime, k[gone], RK_SECONDS(10)));
        if (gone != 2) assert_ok(send_probe(c, k[gone == 0 ? 1 : 2], 2)), assert_next(c, k[2], 2);
        if (gone != 0) {
            probe p;
            rk_dead_letter letter;
            assert_ok(send_probe(c, k[0], 3));
            settle(c);
            assert_ok(rk_receive_dead(c->runtime, k[gone - 1], &p, sizeof p, &letter, RK_SECONDS(20)));
            assert_int_equal(p.number, 3);
            assert_int_equal(letter.was_sent, 1);
            assert_string_equal(letter.reason, "RK_CLOSED");
            assert_int_equal(account_of(c, k[gone - 1]).dead_sends, 1);
        }
        for (rk_u32 i = 0; i < 3; i++)
            if (i != gone) assert_ok(rk_terminate(c->runtime, k[i], RK_SECONDS(10)));
    }
}

static rk_kernel silent_kernel;
static void *receive_until_closed(void *argument)
{
    contract *c = argument;
    probe p;
    rk_status status = rk_receive(c->runtime, silent_kernel, &p, sizeof p, 0, RK_SECONDS(30));
    expect(c, status == RK_CLOSED || status == RK_STALE);
    return 0;
}

static void those_who_wait_to_receive_learn_that_the_kernel_is_gone(contract *c)
{
    silent_kernel = launch_echo(c, 0);
    for (int i = 0; i < 3; i++) start_thread(c, receive_until_closed, c);
    let_pass(c, RK_MILLISECONDS(5)); /* so that some of them sleep; right whether they do or not */
    rk_u64 before = contract_now_ns();
    assert_ok(rk_terminate(c->runtime, silent_kernel, RK_SECONDS(10)));
    join_threads(c);
    assert_true(contract_now_ns() - before < RK_SECONDS(20));
}

static rk_kernel full_kernel;
static void *send_into_a_full_ring(void *argument)
{
    contract *c = argument;
    probe p = { 0, 0 };
    rk_send_options o = RK_SEND_DEFAULTS;
    o.timeout_ns = RK_SECONDS(30);
    rk_status status = rk_send(c->runtime, full_kernel, RK_BODY(p), &o);
    expect(c, status == RK_CLOSED || status == RK_STALE);
    return 0;
}

static void those_who_wait_to_send_learn_that_the_kernel_is_gone(contract *c)
{
    rk_launch_options o = small(16);
    full_kernel = launch(c, "full", "echo", &o);
    for (rk_u32 i = 0; i < 16; i++) assert_ok(send_probe(c, full_kernel, i));
    for (int i = 0; i < 3; i++) start_thread(c, send_into_a_full_ring, c);
    let_pass(c, RK_MILLISECONDS(5));
    rk_u64 before = contract_now_ns();
    assert_ok(rk_terminate(c->runtime, full_kernel, RK_SECONDS(10)));
    join_threads(c);
    assert_true(contract_now_ns() - before < RK_SECONDS(20));
}

/* ------------------------------------------------------------------ a handler that doesn't return */

static void a_handler_that_never_returns_is_quarantined_and_the_others_go_on(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    rk_launch_options o = small(64);
    o.shards = 2;
    o.blocks = 2;
    rk_kernel stuck = launch_active(c, "stuck", "held", &o), other = launch_active(c, "other", "echo", 0),
              found;
    probe p;
    CLOSE_GATE();
    c->ends_quarantined = 1;
    assert_ok(send_probe(c, stuck, 1));
    wait_until(c, IN_HANDLERS == 1);

    /* While it is stuck, the others go on, on whichever worker they are. */
    for (rk_u32 i = 0; i < 100; i++) assert_serves(c, other, i);
    assert_status(rk_deactivate(c->runtime, stuck), RK_TIMED_OUT);
    assert_int_equal(info_of(c, stuck).life, RK_LIFE_ACTIVE);

    /* When it is terminated, that says so. */
    assert_status(rk_terminate(c->runtime, stuck, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_int_equal(info_of(c, stuck).life, RK_LIFE_QUARANTINED);
    assert_false(info_of(c, stuck).healthy);
    assert_status(rk_terminate(c->runtime, stuck, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_status(rk_activate(c->runtime, stuck), RK_CLOSED);
    assert_status(send_probe(c, stuck, 2), RK_CLOSED);
    assert_status(rk_receive(c->runtime, stuck, &p, sizeof p, 0, RK_SECONDS(5)), RK_CLOSED);
    assert_status(rk_find(c->runtime, "stuck", &found), RK_NO_SUCH_KERNEL);

    /* Then the others serve still, and so does a new kernel of that id. */
    for (rk_u32 i = 0; i < 100; i++) assert_serves(c, other, i);
    OPEN_GATE(); /* the old handler may return now: into memory that is still there */
    wait_until(c, IN_HANDLERS == 0);
    rk_kernel again = launch_active(c, "stuck", "held", &o);
    assert_serves(c, again, 5);
    assert_status(rk_receive(c->runtime, stuck, &p, sizeof p, 0, 0),
                  RK_CLOSED); /* and nothing of it comes out */
}

static void a_handler_that_is_slow_is_reported_and_its_worker_replaced(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(50);
    contract_reopen(c, &r);
    rk_kernel k[6], slow = launch_active(c, "slow", "held", 0);
    for (rk_u32 i = 0; i < 6; i++) {
        char id[16];
        snprintf(id, sizeof id, "other %u", i);
        k[i] = launch_active(c, id, "echo", 0);
    }
    CLOSE_GATE();
    assert_ok(send_probe(c, slow, 1));
    wait_until(c, IN_HANDLERS == 1);
    wait_until(c, logged(c, "longer than the stall limit") > 0);
    for (rk_u32 i = 0; i < 6; i++) assert_serves(c, k[i], i);

    /* It isn't given up: when it returns, it goes on. */
    OPEN_GATE();
    assert_next(c, slow, 1);
    assert_serves(c, slow, 2);
    assert_ok(rk_deactivate(c->runtime, slow));
    assert_ok(rk_activate(c->runtime, slow));
    assert_serves(c, slow, 3);
}

/* ------------------------------------------------------------------ over and over */

static rk_u64 resident_bytes(void)
{
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
    fclose(file);
    return (rk_u64)resident * (rk_u64)sysconf(_SC_PAGESIZE);
}

static rk_u32 random_below(rk_u32 *seed, rk_u32 n)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % n;
}

static void delay(rk_u32 *seed)
{
    if (random_below(seed, 4)) return;
    for (volatile rk_u32 spin = random_below(seed, 3000); spin; spin--) {}
}

static void one_cycle(contract *c, rk_u32 *seed)
{
    rk_launch_options o = small(16u << random_below(seed, 3));
    o.shards = 1 + random_below(seed, 3);
    o.blocks = 1 + random_below(seed, 3);
    rk_kernel k = launch_active(c, "cycle", "echo", &o);
    delay(seed);
    rk_u32 n = random_below(seed, 8);
    for (rk_u32 i = 0; i < n; i++) {
        rk_send_options s = RK_SEND_DEFAULTS;
        probe p = { i, 0 };
        s.target = i;
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &s));
    }
    delay(seed);
    if (random_below(seed, 2)) {
        probe p;
        for (rk_u32 i = 0; i < n; i++) receive(c, k, &p);
    }
    delay(seed);
    if (random_below(seed, 8) == 0) assert_ok(rk_deactivate(c->runtime, k));
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(20)));
}

static void ten_thousand_cycles_hang_nowhere_and_leave_nothing(contract *c)
{
    rk_u32 seed = 12345, cycles = contract_rounds(10000);
    rk_kernel bystander = launch_echo(c, 0);
    for (rk_u32 i = 0; i < cycles / 10; i++) one_cycle(c, &seed);
    rk_u64 taken = c->runtime->arena.taken, resident = resident_bytes();
    for (rk_u32 i = 0; i < cycles; i++) {
        one_cycle(c, &seed);
        if (i % 1000 == 0) assert_serves(c, bystander, i);
    }
    assert_int_equal(c->runtime->arena.taken, taken);
    if (!contract_sanitized()) assert_true(resident_bytes() < resident + (4u << 20));
}

/* ------------------------------------------------------------------ relaunch */

static void ask_amount(contract *c, rk_kernel k, rk_i64 value, rk_i64 sum)
{
    amount a = { value };
    total t;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    receive(c, k, &t);
    assert_int_equal(t.sum, sum);
}

static void a_relaunch_has_other_options_and_carries_inbox_and_state_over(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    for (rk_i64 i = 1; i <= 10; i++) ask_amount(c, k, i, i * (i + 1) / 2);
    assert_ok(rk_deactivate(c->runtime, k));
    rk_send_options s = RK_SEND_DEFAULTS;
    for (rk_i64 i = 1; i <= 20; i++) {
        amount a = { 100 };
        s.id = (rk_u64)i;
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), &s));
    }

    o.queue_capacity = 32;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    o.priority = 1;
    o.deduplication_window = 32;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));

    rk_kernel_info info = info_of(c, k);
    assert_int_equal(info.epoch, 2);
    assert_int_equal(info.life, RK_LIFE_INACTIVE);
    assert_int_equal(info.queue_capacity, 32);
    assert_int_equal(info.backpressure, RK_BACKPRESSURE_REJECT);
    assert_int_equal(info.queued, 20);
    assert_int_equal(info.processed, 10);
    amount again = { 100 };
    s.id = 20; /* its ids are known still */
    assert_status(rk_send(c->runtime, k, RK_BODY(again), &s), RK_DUPLICATE);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_i64 i = 1; i <= 20; i++) {
        total t;
        receive(c, k, &t);
        assert_int_equal(t.sum, 55 + i * 100);
        assert_int_equal(t.count, 10 + i);
    }
    ask_amount(c, k, 1, 2056);
    rk_account a = account_of(c, k);
    assert_int_equal(a.accepted, 31);
    wait_until(c, account_of(c, k).delivered == 31);
    assert_int_equal(account_of(c, k).output_received, 31);
}

static void a_relaunch_of_an_active_kernel_goes_on_active(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    ask_amount(c, k, 5, 5);
    for (rk_u32 i = 2; i < 12; i++) {
        o.queue_capacity = 16u << (i % 4);
        o.slot_format = i % 2 ? RK_FORMAT_SEQ : RK_FORMAT_UNIT;
        rk_status status = rk_relaunch(c->runtime, k, &o, RK_SECONDS(10));
        if (status == RK_UNSUPPORTED) contract_refuse(c, rk_error_text());
        assert_ok(status);
        assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
        assert_int_equal(info_of(c, k).epoch, i);
        ask_amount(c, k, 1, 5 + i - 1);
    }
}

static void a_relaunch_that_has_no_room_for_what_is_queued_says_both_numbers(contract *c)
{
    rk_launch_options o = small(128);
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 100; i++) assert_ok(send_probe(c, k, i));
    o.queue_capacity = 64;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_LIMIT);
    assert_error_says("100");
    assert_error_says("64");

    /* Nothing has changed. */
    rk_kernel_info info = info_of(c, k);
    assert_int_equal(info.queue_capacity, 128);
    assert_int_equal(info.queued, 100);
    assert_int_equal(info.epoch, 1);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 100; i++) assert_next(c, k, i);
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_serves(c, k, 1);
}

static void a_relaunch_with_invalid_options_changes_nothing(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k = launch_echo(c, &o);
    rk_u64 taken = c->runtime->arena.taken;
    o.queue_capacity = 100;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_INVALID_OPTIONS);
    o.queue_capacity = 64;
    o.kernel_name = in_style(c, "sink");
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_UNSUPPORTED);
    const rk_parameter unknown = { "none such", "1" };
    o.kernel_name = 0;
    o.parameters = &unknown;
    o.parameter_count = 1;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_INVALID_OPTIONS);
    assert_int_equal(c->runtime->arena.taken, taken);
    assert_int_equal(info_of(c, k).epoch, 1);
    assert_serves(c, k, 1);
}

static void a_relaunch_keeps_parameters_unless_it_sets_them(contract *c)
{
    const rk_parameter first = { "factor", "10" }, second = { "factor", "20" };
    rk_launch_options o = small(64);
    o.parameters = &first;
    o.parameter_count = 1;
    rk_kernel k = launch_active(c, "tuned", "tuned", &o);
    factors f;
    for (rk_u32 round = 0; round < 3; round++) {
        assert_ok(send_probe(c, k, 0));
        receive(c, k, &f);
        assert_int_equal(f.factor, round == 2 ? 20 : 10);
        o.parameters = &second;
        o.parameter_count = round == 1;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    }
}

static void a_relaunch_with_another_number_of_shards_routes_what_is_queued_anew(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    o.shards = 2;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 shards = 3; shards <= 5; shards++) {
        rk_send_options s = RK_SEND_DEFAULTS;
        assert_ok(rk_deactivate(c->runtime, k));
        for (rk_u32 actor = 0; actor < 12; actor++) {
            tick t = { actor, 0 };
            s.target = actor;
            assert_ok(rk_send(c->runtime, k, RK_BODY(t), &s));
        }
        o.shards = shards;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
        assert_int_equal(info_of(c, k).shards, shards);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 12; i++) {
            ticked t;
            receive(c, k, &t);
            assert_int_equal(t.count, shards - 2);
        }
        for (rk_u32 actor = 0; actor < 12; actor++) {
            ticked state;
            assert_ok(rk_read_state(c->runtime, k, actor, &state, sizeof state));
            assert_int_equal(state.actor, actor);
            assert_int_equal(state.count, shards - 2);
        }
    }
    /* State per shard would have to be merged. */
    rk_launch_options two = small(64);
    two.shards = 2;
    k = launch_active(c, "adder", "adder", &two);
    two.shards = 3;
    assert_status(rk_relaunch(c->runtime, k, &two, RK_SECONDS(10)), RK_UNSUPPORTED);
    assert_error_says("merge");
    ask_amount(c, k, 1, 1);
}

#define SENDERS 4u

typedef struct sender {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 count;
} sender;

static void *send_in_order(void *argument)
{
    sender *s = argument;
    rk_send_options o = RK_SEND_DEFAULTS;
    o.timeout_ns = RK_SECONDS(30);
    for (rk_u32 i = 0; i < s->count && !stopped(s->c); i++) {
        probe p = { i, s->number };
        if (!expect_ok(s->c, rk_send(s->c->runtime, s->kernel, RK_BODY(p), &o))) return 0;
    }
    return 0;
}

/* Receive `count` messages of each sender, in order for each; between them, do something. */
static void receive_from_senders(contract *c, rk_kernel k, rk_u32 count, rk_u32 every,
                                 void (*between)(contract *, rk_kernel, rk_u32))
{
    rk_u32 next[SENDERS] = { 0 };
    for (rk_u32 i = 0; i < SENDERS * count; i++) {
        probe p;
        receive(c, k, &p);
        assert_true(p.sender < SENDERS);
        assert_int_equal(p.number, next[p.sender]);
        next[p.sender]++;
        if (between && i % every == 0) between(c, k, i);
    }
}

static void relaunch_with_another_capacity(contract *c, rk_kernel k, rk_u32 i)
{
    rk_launch_options o = small(i % 2 ? 32 : 64);
    o.output_capacity = 64;
    rk_status status = rk_relaunch(c->runtime, k, &o, RK_MILLISECONDS(1));
    /* It may find too much queued for the smaller one, or a batch that waits for this very thread to receive. */
    if (status != RK_LIMIT && status != RK_TIMED_OUT) assert_ok(status);
}

static void senders_that_wait_while_a_kernel_is_relaunched_lose_nothing(contract *c)
{
    rk_launch_options o = small(64);
    sender s[SENDERS];
    rk_kernel k = launch_echo(c, &o);
    rk_u32 count = contract_rounds(20000);
    for (rk_u32 i = 0; i < SENDERS; i++) {
        s[i] = (sender){ c, k, i, count };
        start_thread(c, send_in_order, &s[i]);
    }
    receive_from_senders(c, k, count, count / 50 + 1, relaunch_with_another_capacity);
    join_threads(c);
    rk_kernel_info info = info_of(c, k);
    assert_true(info.epoch > 1);
    assert_int_equal(account_of(c, k).accepted, SENDERS * count);
    wait_until(c, account_of(c, k).delivered == SENDERS * count);
}

static void a_failed_kernel_is_relaunched_and_its_batch_redelivered(contract *c)
{
    rk_launch_options o = small(64);
    o.max_batch = 4;
    rk_kernel k = launch_active(c, "adder", "adder", &o), other = launch_active(c, "other", "adder", &o);
    ask_amount(c, k, 1, 1);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_i64 i = 0; i < 10; i++) {
        amount a = { 10 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    }

    /* When it fails after publishing and before committing a batch of four. */
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
    rk_kernel_info info = info_of(c, k);
    assert_false(info.healthy);
    assert_true(info.failure[0]);
    amount a = { 1 };
    assert_status(rk_send(c->runtime, k, RK_BODY(a), 0), RK_CLOSED);
    assert_status(rk_activate(c->runtime, k), RK_FAILED);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    ask_amount(c, other, 3, 3); /* nobody else is disturbed */

    /* Then, launched again, each cause's message is there at least once, and the four are flagged. */
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    rk_u32 at_least_ten = 0;
    for (rk_u32 i = 0; i < 14; i++, at_least_ten++) {
        total t;
        receive(c, k, &t);
        assert_int_equal(t.count, i + 2);
    }
    struct {
        rk_i64 sum;
        rk_u32 count, redelivered;
    } state;
    wait_until(c, account_of(c, k).delivered == 11);
    assert_ok(rk_read_state(c->runtime, k, 0, &state, sizeof state));
    assert_int_equal(state.redelivered, 4);
    assert_int_equal(state.count, 15);
}

static void an_id_can_be_launched_any_number_of_times(contract *c)
{
    rk_kernel last = { 0, 0 };
    for (rk_u32 i = 0; i < 20; i++) {
        rk_kernel k = launch_echo(c, 0);
        assert_false(k.number == last.number && k.generation == last.generation);
        assert_serves(c, k, i);
        wait_until(c, info_of(c, k).processed == 1); /* counts begin anew */
        assert_int_equal(account_of(c, k).accepted, 1);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
        last = k;
    }
}

static void there_is_a_limit_of_kernels_and_it_is_said(contract *c)
{
    if (contract_sanitized()) return; /* shadow memory of 4,095 kernels is more than a small machine has */
    rk_launch_options o = small(16);
    o.kernel_name = in_style(c, "sink");
    rk_kernel k = { 0, 0 };
    for (rk_u32 i = 0; i < 4095; i++) {
        char id[16];
        snprintf(id, sizeof id, "kernel %u", i);
        assert_ok(rk_launch(c->runtime, id, &o, &k));
    }
    rk_kernel one_more;
    assert_status(rk_launch(c->runtime, "one more", &o, &one_more), RK_LIMIT);
    assert_error_says("4095");
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(5)));
    assert_ok(rk_launch(c->runtime, "one more", &o, &one_more));
}

/* ------------------------------------------------------------------ while others are at work */

#define AT_LOAD 10u

typedef struct load {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 rounds; /* atomic: passes through the kernel so far */
} load;

/* Keep one kernel busy: send, receive, in order. */
static void *keep_busy(void *argument)
{
    load *l = argument;
    for (rk_u32 i = 0; !stopped(l->c); i++) {
        probe p = { i, l->number };
        if (!expect_ok(l->c, rk_send(l->c->runtime, l->kernel, RK_BODY(p), 0))) return 0;
        if (!expect_ok(l->c, rk_receive(l->c->runtime, l->kernel, &p, sizeof p, 0, RK_SECONDS(20)))) return 0;
        if (!expect(l->c, p.number == i && p.sender == l->number)) return 0;
        __atomic_fetch_add(&l->rounds, 1, __ATOMIC_ACQ_REL);
    }
    return 0;
}

static void start_load(contract *c, load *l)
{
    for (rk_u32 i = 0; i < AT_LOAD; i++) {
        char id[16];
        snprintf(id, sizeof id, "load %u", i);
        l[i] = (load){ c, launch_active(c, id, "echo", 0), i, 0 };
    }
    for (rk_u32 i = 0; i < AT_LOAD; i++) start_thread(c, keep_busy, &l[i]);
}

/* Every one of them gets through again from here on. */
static void assert_load_goes_on(contract *c, load *l)
{
    for (rk_u32 i = 0; i < AT_LOAD; i++) {
        rk_u32 before = __atomic_load_n(&l[i].rounds, __ATOMIC_ACQUIRE);
        wait_until(c, __atomic_load_n(&l[i].rounds, __ATOMIC_ACQUIRE) > before + 1 || c->failures);
    }
    assert_int_equal(c->failures, 0);
}

static void kernels_are_launched_and_modules_loaded_while_ten_run_at_load(contract *c)
{
    static const char source[] = "#include <ringkernel/kernel.h>\n"
                                 "RK_MESSAGE(late_number, 249, (rk_i64, value))\n"
                                 "RK_HANDLER(late_doubler, late_number, msg, rk_none, self)\n"
                                 "{\n"
                                 "    late_number twice = { msg->value * 2 };\n"
                                 "    rk_send(RK_ARG, &twice);\n"
                                 "}\n";
    char path[512];
    snprintf(path, sizeof path, "%s/contract_late_%d.rk.c", RK_BINARY_DIR, (int)getpid());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(source, file);
    fclose(file);

    rk_runtime_options r = contract_runtime_options(c);
    r.cache_folder = RK_BINARY_DIR "/contract-cache";
    contract_reopen(c, &r);
    static load l[AT_LOAD];
    start_load(c, l);
    assert_load_goes_on(c, l);
    for (rk_u32 i = 0; i < 20; i++) {
        rk_launch_options o = small(16);
        o.queue_capacity = i % 2 ? 65536 : 16;
        rk_kernel k = launch_active(c, "another", "echo", &o);
        assert_serves(c, k, i);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(20)));
    }
    assert_load_goes_on(c, l);
    rk_status status = rk_load(c->runtime, path);
    unlink(path);
    assert_ok(status);
    rk_kernel k = { 0, 0 };
    assert_ok(rk_launch(c->runtime, "late_doubler", 0, &k));
    assert_ok(rk_activate(c->runtime, k));
    rk_i64 value = 21;
    assert_ok(rk_send(c->runtime, k, 249, &value, sizeof value, 0));
    receive(c, k, &value);
    assert_int_equal(value, 42);
    assert_load_goes_on(c, l);
    stop_threads(c);
}

typedef struct liver {
    contract *c;
    rk_u32 number;
} liver;

static void *live_and_die(void *argument)
{
    liver *me = argument;
    contract *c = me->c;
    char id[16];
    snprintf(id, sizeof id, "life %u", me->number);
    for (rk_u32 i = 0; i < contract_rounds(300) && !stopped(c); i++) {
        rk_launch_options o = small(16);
        o.kernel_name = in_style(c, "echo");
        rk_kernel k;
        probe p = { i, me->number };
        if (!expect_ok(c, rk_launch(c->runtime, id, &o, &k))) break;
        expect_ok(c, rk_activate(c->runtime, k));
        expect_ok(c, rk_send(c->runtime, k, RK_BODY(p), 0));
        if (i % 3) {
            expect_ok(c, rk_receive(c->runtime, k, &p, sizeof p, 0, RK_SECONDS(20)));
            expect(c, p.number == i && p.sender == me->number);
        }
        rk_account a;
        rk_metrics m;
        rk_kernel_info info;
        expect_ok(c, rk_account_of(c->runtime, k, &a));
        expect_ok(c, rk_metrics_of(c->runtime, k, &m));
        expect_ok(c, rk_kernel_information(c->runtime, k, &info));
        expect_ok(c, rk_relaunch(c->runtime, k, &o, RK_SECONDS(20)));
        expect_ok(c, rk_terminate(c->runtime, k, RK_SECONDS(20)));
    }
    return 0;
}

static void lives_of_many_kernels_cross_each_other(contract *c)
{
    static liver livers[4];
    for (rk_u32 i = 0; i < 4; i++) {
        livers[i] = (liver){ c, i };
        start_thread(c, live_and_die, &livers[i]);
    }
    /* And somebody looks at all of them, whatever their handles are by then. */
    for (rk_u32 i = 0; i < contract_rounds(4000); i++) {
        rk_kernel k[8];
        size_t count;
        assert_ok(rk_list(c->runtime, k, 8, &count));
        for (size_t n = 0; n < count; n++) {
            rk_kernel_info info;
            rk_account a;
            rk_metrics m;
            rk_status status = rk_kernel_information(c->runtime, k[n], &info);
            assert_true(status == RK_OK || status == RK_STALE);
            status = rk_account_of(c->runtime, k[n], &a);
            assert_true(status == RK_OK || status == RK_STALE);
            status = rk_metrics_of(c->runtime, k[n], &m);
            assert_true(status == RK_OK || status == RK_STALE);
        }
    }
    join_threads(c);
}

/* The process is stopped as a debugger would, for longer than the stall limit, and continued. */
static void stop_and_continue(rk_u64 ns)
{
    pid_t self = getpid(), child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        kill(self, SIGSTOP);
        nanosleep(&(struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) }, 0);
        kill(self, SIGCONT);
        _exit(0);
    }
    int status;
    while (waitpid(child, &status, 0) < 0) {}
}

static void a_process_that_is_stopped_and_continued_resumes_and_loses_nothing(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_SECONDS(1);
    contract_reopen(c, &r);
    static load l[AT_LOAD];
    start_load(c, l);
    /* And one that is in a handler all that time. */
    rk_kernel held = launch_active(c, "held", "held", 0);
    assert_load_goes_on(c, l);
    CLOSE_GATE();
    assert_ok(send_probe(c, held, 7));
    wait_until(c, IN_HANDLERS == 1);
    stop_and_continue(RK_MILLISECONDS(1500));
    OPEN_GATE();
    assert_next(c, held, 7);
    assert_load_goes_on(c, l);
    stop_threads(c);
    assert_int_equal(logged(c, "stall"), 0); /* nobody was blamed for it */
    for (rk_u32 i = 0; i < AT_LOAD; i++) assert_true(info_of(c, l[i].kernel).healthy);
}

static const contract_case cases[] = {
    { CASE(a_launched_kernel_is_listed_and_waits), ON_EVERY },
    { CASE(a_launch_has_the_dimensions_asked_for), ON_EVERY },
    { CASE(ids_that_are_none_are_refused), ON_EVERY },
    { CASE(dimensions_of_zero_are_refused), ON_EVERY },
    { CASE(an_id_in_use_is_refused_and_its_kernel_goes_on), ON_EVERY },
    { CASE(unknown_and_stale_handles_are_answered_by_every_call), ON_EVERY },
    { CASE(a_closed_runtime_answers), ON_EVERY },
    { CASE(the_runtime_closes_with_active_kernels_and_twice), ON_EVERY },
    { CASE(activating_twice_and_deactivating_an_inactive_one_are_told_apart), ON_EVERY },
    { CASE(messages_sent_while_inactive_are_handled_in_order_after_activation), ON_EVERY },
    { CASE(a_kernel_that_was_drained_takes_and_does_nothing_more), ON_EVERY },
    { CASE(a_kernel_that_is_not_active_cannot_be_drained), ON_EVERY },
    { CASE(deactivating_under_load_loses_nothing), ON_EVERY },
    { CASE(a_kernel_that_is_idle_terminates), ON_EVERY },
    { CASE(a_kernel_that_was_never_active_terminates_and_its_messages_with_it), ON_EVERY },
    { CASE(a_kernel_that_sleeps_terminates), ON_EVERY },
    { CASE(what_is_queued_is_handled_before_a_kernel_terminates), NEEDS_THREADS },
    { CASE(a_kernel_in_a_handler_terminates_when_the_handler_returns), NEEDS_THREADS },
    { CASE(a_kernel_that_is_blocked_on_a_full_ring_terminates), ON_EVERY },
    { CASE(one_of_three_terminates_and_the_others_go_on), ON_EVERY },
    { CASE(those_who_wait_to_receive_learn_that_the_kernel_is_gone), NEEDS_THREADS },
    { CASE(those_who_wait_to_send_learn_that_the_kernel_is_gone), ON_EVERY },
    { CASE(a_handler_that_never_returns_is_quarantined_and_the_others_go_on), NEEDS_THREADS },
    { CASE(a_handler_that_is_slow_is_reported_and_its_worker_replaced), NEEDS_THREADS },
    { CASE(ten_thousand_cycles_hang_nowhere_and_leave_nothing), NEEDS_THREADS },
    { CASE(a_relaunch_has_other_options_and_carries_inbox_and_state_over), NEEDS_REGIONS },
    { CASE(a_relaunch_of_an_active_kernel_goes_on_active), NEEDS_REGIONS },
    { CASE(a_relaunch_that_has_no_room_for_what_is_queued_says_both_numbers), ON_EVERY },
    { CASE(a_relaunch_with_invalid_options_changes_nothing), ON_EVERY },
    { CASE(a_relaunch_keeps_parameters_unless_it_sets_them), NEEDS_REGIONS },
    { CASE(a_relaunch_with_another_number_of_shards_routes_what_is_queued_anew), NEEDS_REGIONS },
    { CASE(senders_that_wait_while_a_kernel_is_relaunched_lose_nothing), NEEDS_THREADS },
    { CASE(a_failed_kernel_is_relaunched_and_its_batch_redelivered), NEEDS_REGIONS },
    { CASE(an_id_can_be_launched_any_number_of_times), ON_EVERY },
    { CASE(there_is_a_limit_of_kernels_and_it_is_said), ONCE | NEEDS_STEP },
    { CASE(kernels_are_launched_and_modules_loaded_while_ten_run_at_load), NEEDS_THREADS },
    { CASE(lives_of_many_kernels_cross_each_other), NEEDS_THREADS },
    { CASE(a_process_that_is_stopped_and_continued_resumes_and_loses_nothing), NEEDS_THREADS },
};
CONTRACT_MAIN("lifecycle", cases)
