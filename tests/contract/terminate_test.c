/* The end of a kernel: whatever it is doing, terminate returns in time, those who wait for it learn of it,
 * and the others go on. A handler that doesn't return costs its own kernel only. */
#include "probes.h"

#include "../kernels/contract_c.rk.h"

#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "runtime/core.h"

/* ------------------------------------------------------------------ terminate */

/* What a terminate may take beyond what it waits for, on a busy machine. */
#define SLACK_NS RK_SECONDS(5)

static void a_kernel_that_is_idle_terminates(contract *c)
{
    rk_kernel k = launch_echo(c, 0), found;
    assert_serves(c, k, 1);
    rk_u64 began = contract_now_ns();
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(30)));
    assert_true(contract_now_ns() - began < SLACK_NS); /* it has nothing to wait for */
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
    rk_u64 began = contract_now_ns();
    assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(30)));
    assert_true(contract_now_ns() - began < SLACK_NS);
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

typedef struct held {
    contract *c;
    rk_kernel kernel;
} held;

/* Somebody waits for the handler when the kernel drains. */
static void *open_the_gate_when_somebody_waits(void *argument)
{
    const held *h = argument;
    rk_kernel_info info = { 0 };
    while (!stopped(h->c) && info.life != RK_LIFE_DRAINING &&
           rk_kernel_information(h->c->runtime, h->kernel, &info) == RK_OK)
        sched_yield();
    OPEN_GATE();
    return 0;
}

static void a_kernel_in_a_handler_terminates_when_the_handler_returns(contract *c)
{
    rk_kernel k = launch_active(c, "held", "held", 0);
    held h = { c, k };
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    assert_ok(send_probe(c, k, 2));
    wait_until(c, IN_HANDLERS == 1);
    start_thread(c, open_the_gate_when_somebody_waits, &h);
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
    rk_u64 began = contract_now_ns();
    assert_status(rk_terminate(c->runtime, k, RK_MILLISECONDS(50)), RK_TIMED_OUT);
    assert_error_says("counted lost");
    assert_true(contract_now_ns() - began < SLACK_NS);
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
            wait_until(c, account_of(c, k[gone - 1]).dead_sends == 1); /* counted behind its letter */
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

/* ------------------------------------------------------------------ at the same time */

#define LONG_NS RK_SECONDS(60)

typedef struct patient {
    contract *c;
    rk_kernel kernel;
    rk_u32 over; /* atomic */
    rk_status status;
} patient;

static void *terminate_with_patience(void *argument)
{
    patient *p = argument;
    p->status = rk_terminate(p->c->runtime, p->kernel, LONG_NS);
    set_control(&p->over, 1);
    return 0;
}

static void *drain_with_patience(void *argument)
{
    patient *p = argument;
    p->status = rk_drain(p->c->runtime, &p->kernel, 1, LONG_NS);
    set_control(&p->over, 1);
    return 0;
}

/* Given a kernel that nobody receives from, and somebody who waits for its end, when others are found,
 * launched, served and terminated, then they are, while he waits on; he is done once somebody receives. */
static void who_waits_for_the_end_of_one_kernel_holds_up_no_other(contract *c)
{
    for (int drains = 0; drains < 2; drains++) {
        rk_launch_options o = small(16);
        rk_kernel k = launch_active(c, "full", "echo", &o), other = launch_active(c, "other", "echo", 0),
                  found;
        for (rk_u32 i = 0; i < 17; i++) assert_ok(send_probe(c, k, i)); /* one more than the out lane holds */
        wait_until(c, metrics_of(c, k).parks > 0);
        patient p = { c, k, 0, RK_OK };
        start_thread(c, drains ? drain_with_patience : terminate_with_patience, &p);
        wait_until(c, info_of(c, k).life == RK_LIFE_DRAINING);

        assert_ok(rk_find(c->runtime, "other", &found));
        assert_serves(c, other, 1);
        assert_ok(rk_terminate(c->runtime, other, RK_SECONDS(10)));
        other = launch_active(c, "another", "echo", 0);
        assert_serves(c, other, 2);
        assert_ok(rk_deactivate(c->runtime, other));
        assert_ok(rk_terminate(c->runtime, other, RK_SECONDS(10)));
        assert_int_equal(control(&p.over), 0);

        assert_next(c, k,
                    0); /* a terminate is over with that, and what is left to receive goes with the kernel */
        for (rk_u32 i = 1; i < 17 && drains; i++) assert_next(c, k, i);
        join_threads(c);
        assert_int_equal(p.status, RK_OK);
        if (drains) assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    }
}

static void *deactivate_with_patience(void *argument)
{
    patient *p = argument;
    p->status = rk_deactivate(p->c->runtime, p->kernel); /* up to the stall limit */
    set_control(&p->over, 1);
    return 0;
}

static void *relaunch_with_patience(void *argument)
{
    patient *p = argument;
    rk_launch_options o = small(32);
    rk_kernel_info info = info_of(p->c, p->kernel);
    o.kernel_name = info.kernel_name;
    p->status = rk_relaunch(p->c->runtime, p->kernel, &o, LONG_NS);
    set_control(&p->over, 1);
    return 0;
}

static int is_paused(contract *c, rk_kernel k)
{
    return rk_atomic_u32(&c->runtime->kernels[k.number]->seats[0].orders->command) == RK_COMMAND_PAUSE;
}

static void patient_runtime(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = LONG_NS;
    contract_reopen(c, &r);
}

/* Whatever needs the runtime for a moment is done while somebody waits. */
static void assert_others_go_on(contract *c, const patient *p)
{
    rk_kernel one = launch_active(c, "one", "echo", 0), other = launch(c, "other", "echo", 0), found;
    assert_ok(rk_connect(c->runtime, other, 0, one, 0));
    assert_ok(rk_activate(c->runtime, other));
    assert_ok(rk_find(c->runtime, "one", &found));
    assert_ok(rk_deactivate(c->runtime, one));
    assert_ok(rk_relaunch(c->runtime, one, 0, RK_SECONDS(10)));
    assert_ok(rk_terminate(c->runtime, other, RK_SECONDS(10)));
    assert_ok(rk_terminate(c->runtime, one, RK_SECONDS(10)));
    assert_int_equal(control(&p->over), 0);
}

/* Given a handler that runs, and somebody who deactivates its kernel, launches it again, or terminates it
 * when nothing is queued, then others are launched, connected and terminated meanwhile; he is done when the
 * handler returns. */
static void who_waits_for_a_handler_holds_up_no_other(contract *c)
{
    void *(*const ways[])(void *) = { deactivate_with_patience, relaunch_with_patience,
                                      terminate_with_patience };
    patient_runtime(c);
    for (size_t way = 0; way < 3; way++) {
        rk_launch_options o = small(16);
        o.backpressure = RK_BACKPRESSURE_DROP_OLDEST; /* what is taken is queued no more */
        rk_kernel k = launch_active(c, "held", "held", &o);
        CLOSE_GATE();
        assert_ok(send_probe(c, k, 1));
        wait_until(c, IN_HANDLERS == 1);
        patient p = { c, k, 0, RK_OK };
        start_thread(c, ways[way], &p);
        wait_until(c, is_paused(c, k));

        assert_others_go_on(c, &p);

        OPEN_GATE();
        join_threads(c);
        assert_int_equal(p.status, RK_OK);
        if (way == 2) continue;
        assert_int_equal(info_of(c, k).life, way == 0 ? RK_LIFE_INACTIVE : RK_LIFE_ACTIVE);
        assert_next(c, k, 1);
        if (way == 0) assert_ok(rk_activate(c->runtime, k));
        assert_serves(c, k, 2);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    }
}

static void *relaunch_larger(void *argument)
{
    patient *p = argument;
    rk_launch_options o = small(2048);
    o.kernel_name = in_style(p->c, "echo");
    p->status = rk_relaunch(p->c->runtime, p->kernel, &o, LONG_NS);
    set_control(&p->over, 1);
    return 0;
}

static void *connect_with_patience(void *argument)
{
    patient *p = argument;
    rk_kernel aside;
    p->status = rk_find(p->c->runtime, "aside", &aside);
    if (p->status == RK_OK) p->status = rk_connect(p->c->runtime, p->kernel, 0, aside, 0);
    set_control(&p->over, 1);
    return 0;
}

/* Given a handler that runs, and somebody whose call is about a kernel that is connected with that one and holds the
 * control lock for it, then messages go in and out of both, and who looks at kernels sees them, without waiting. */
static void who_waits_for_a_neighbours_handler_holds_up_no_message(contract *c)
{
    void *(*const ways[])(void *) = { relaunch_larger, connect_with_patience };
    for (size_t way = 0; way < 2; way++) {
        rk_launch_options o = small(1024);
        o.output_capacity = 1024;
        rk_kernel held = launch(c, "held", "held", &o), k = launch(c, "k", "echo", &o),
                  aside = launch(c, "aside", "echo", &o), found;
        assert_ok(rk_connect(c->runtime, held, 0, k, 0));
        assert_ok(rk_activate(c->runtime, k));
        assert_ok(rk_activate(c->runtime, held));
        CLOSE_GATE();
        assert_ok(send_probe(c, held, 1000));
        wait_until(c, IN_HANDLERS == 1);
        if (ways[way] == connect_with_patience) assert_ok(rk_deactivate(c->runtime, k));
        patient p = { c, k, 0, RK_OK };
        start_thread(c, ways[way], &p);
        const rk_u64 begun_ns = contract_now_ns();
        rk_u32 sent = 0; /* for a while, in which he comes to wait */
        while (sent < 100 || contract_now_ns() - begun_ns < RK_MILLISECONDS(200)) {
            rk_kernel list[8];
            size_t count;
            probe in = { .number = sent }, out;
            rk_send_options at_once = RK_SEND_DEFAULTS;
            at_once.timeout_ns = RK_NO_WAIT;
            if (sent < 100) assert_ok(rk_send(c->runtime, k, RK_BODY(in), &at_once));
            sent++;
            assert_status(rk_receive(c->runtime, held, &out, sizeof out, 0, RK_NO_WAIT), RK_EMPTY);
            assert_ok(rk_find(c->runtime, "held", &found));
            assert_ok(rk_list(c->runtime, list, 8, &count));
            assert_int_equal(count, 3);
            assert_int_equal(info_of(c, k).shards, 1);
            assert_int_equal(metrics_of(c, held).processed, 0);
            assert_int_equal(account_of(c, held).queued, 1);
            if (control(&p.over))
                fail_msg("after %u messages somebody had waited for 2 s, or he was done: %s", sent,
                         rk_status_name(p.status));
        }
        OPEN_GATE();
        join_threads(c);
        assert_ok(rk_terminate(c->runtime, held, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, aside, CONTRACT_PATIENCE));
    }
}

/* The same of a kernel that waits for room: it is launched again once somebody receives. */
static void who_waits_for_room_to_launch_again_holds_up_no_other(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch_active(c, "full", "echo", &o);
    for (rk_u32 i = 0; i < 17; i++) assert_ok(send_probe(c, k, i)); /* one more than the out lane holds */
    wait_until(c, metrics_of(c, k).parks > 0);
    patient p = { c, k, 0, RK_OK };
    start_thread(c, relaunch_with_patience, &p);
    wait_until(c, is_paused(c, k));

    assert_others_go_on(c, &p);

    for (rk_u32 i = 0; i < 17; i++) assert_next(c, k, i);
    join_threads(c);
    assert_int_equal(p.status, RK_OK);
    assert_int_equal(info_of(c, k).epoch, 2);
    assert_serves(c, k, 17);
}

/* Given somebody who waits for a handler, when another ends the kernel, then he learns of it. */
static void who_waits_for_a_handler_learns_that_its_kernel_has_ended(contract *c)
{
    void *(*const ways[])(void *) = { deactivate_with_patience, relaunch_with_patience };
    patient_runtime(c);
    for (size_t way = 0; way < 4; way++) {
        rk_kernel k = launch_active(c, "held", "held", 0);
        const int drains = way >= 2;
        CLOSE_GATE();
        assert_ok(send_probe(c, k, 1));
        assert_ok(send_probe(c, k, 2));
        wait_until(c, IN_HANDLERS == 1);
        patient p = { c, k, 0, RK_OK }, end = { c, k, 0, RK_OK };
        start_thread(c, ways[way % 2], &p);
        wait_until(c, is_paused(c, k));
        start_thread(c, drains ? drain_with_patience : terminate_with_patience, &end);
        wait_until(c, info_of(c, k).life == RK_LIFE_DRAINING && control(&p.over));
        OPEN_GATE();
        join_threads(c);
        assert_int_equal(p.status, way % 2 ? RK_CLOSED : RK_NOT_ACTIVE);
        assert_int_equal(end.status, RK_OK);
        assert_int_equal(control(&contract_controls.entered), 2 * (way + 1)); /* both were handled */
        if (drains) assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    }
}

/* Given two who wait for the end of a kernel, when the one with less patience ends it, then the other learns
 * of it. */
static void a_kernel_that_two_wait_for_ends_once(contract *c)
{
    for (int drains = 0; drains < 2; drains++) {
        rk_launch_options o = small(16);
        rk_kernel k = launch_active(c, "full", "echo", &o);
        for (rk_u32 i = 0; i < 17; i++) assert_ok(send_probe(c, k, i));
        wait_until(c, metrics_of(c, k).parks > 0);
        patient p = { c, k, 0, RK_OK };
        start_thread(c, drains ? drain_with_patience : terminate_with_patience, &p);
        wait_until(c, info_of(c, k).life == RK_LIFE_DRAINING);
        rk_status status = rk_terminate(c->runtime, k, RK_MILLISECONDS(50));
        assert_int_equal(status, drains ? RK_OK : RK_TIMED_OUT);
        join_threads(c);
        assert_int_equal(p.status, drains ? RK_STALE : RK_OK);
        rk_kernel again = launch_active(c, "full", "echo", 0);
        assert_serves(c, again, 3);
        assert_ok(rk_terminate(c->runtime, again, RK_SECONDS(10)));
    }
}

/* Given two shards of which one is stuck in a handler, when a deactivate gives up, then the other handles
 * what came meanwhile. */
static void a_kernel_that_could_not_be_deactivated_goes_on(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    rk_launch_options o = small(64);
    o.shards = o.blocks = 2;
    rk_kernel k = launch_active(c, "held", "held", &o);
    rk_send_options to = RK_SEND_DEFAULTS;
    probe p = { 1, 0 };
    CLOSE_GATE();
    assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
    wait_until(c, IN_HANDLERS == 1);
    patient waits = { c, k, 0, RK_OK };
    start_thread(c, deactivate_with_patience, &waits);
    wait_until(c, is_paused(c, k) || control(&waits.over));
    to.target = 1;
    assert_ok(rk_send(c->runtime, k, RK_BODY(p), &to));
    join_threads(c);
    assert_int_equal(waits.status, RK_TIMED_OUT);
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    wait_until(c, IN_HANDLERS == 2);
    OPEN_GATE();
    wait_until(c, account_of(c, k).delivered == 2);
}

/* Given a source whose neighbour is stuck in a handler, when a connection could not be made for that, then
 * its routes lead where they did. */
static void a_connection_that_could_not_be_made_changes_nothing(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "echo", &o), gone = launch(c, "gone", "echo", &o),
              k = launch_active(c, "held", "held", &o), next = launch(c, "next", "echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, gone, 0));
    assert_ok(rk_connect(c->runtime, source, 0, k, 0));
    assert_ok(rk_terminate(c->runtime, gone, CONTRACT_PATIENCE));
    CLOSE_GATE();
    assert_ok(send_probe(c, k, 1));
    wait_until(c, IN_HANDLERS == 1);

    assert_status(rk_connect(c->runtime, source, 0, next, 0), RK_TIMED_OUT);
    assert_error_says("'held' did not reach a batch boundary");

    OPEN_GATE();
    assert_next(c, k, 1);
    o.kernel_name = in_style(c, "echo");
    assert_ok(rk_relaunch(c->runtime, source, &o, CONTRACT_PATIENCE)); /* its routes are made anew */
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(send_probe(c, source, 2));
    assert_next(c, k, 2);
    wait_until(c, account_of(c, source).dead_letters == 1); /* of the one that is gone */
    assert_int_equal(account_of(c, next).accepted, 0);
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

/* A batch from both lanes: its handler is looked up again after the runtime was closed. */
static void a_handler_that_returns_after_its_runtime_was_closed_finds_all_in_place(contract *c)
{
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = RK_MILLISECONDS(100);
    contract_reopen(c, &r);
    rk_launch_options o = small(64);
    o.max_batch = 2;
    rk_kernel stuck = launch(c, "stuck", "held", &o), source = launch(c, "source", "echo", 0);
    assert_ok(rk_connect(c->runtime, source, 0, stuck, 0));
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(send_probe(c, stuck, 1));
    assert_ok(send_probe(c, source, 2));
    wait_until(c, account_of(c, stuck).accepted == 2);
    CLOSE_GATE();
    assert_ok(rk_activate(c->runtime, stuck));
    wait_until(c, IN_HANDLERS == 1);
    c->ends_quarantined = 1;
    contract_close(c);
    OPEN_GATE();
    wait_until(c, control(&contract_controls.entered) == 2 && IN_HANDLERS == 0);
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

/* Given a worker that is in handlers for much longer than the stall limit, when each of them takes a few
 * microseconds, then nobody takes it for stuck. */
static void a_worker_that_is_busy_for_long_is_not_replaced(contract *c)
{
    enum { AT_ONCE = 128, ROUNDS = 10000 };
    const rk_u64 limit_ns = RK_MILLISECONDS(500);
    rk_runtime_options r = contract_runtime_options(c);
    r.stall_limit_ns = limit_ns;
    contract_reopen(c, &r);
    rk_launch_options o = small(2 * AT_ONCE);
    rk_kernel k = launch_active(c, "busy", "tell_cycles", &o);
    measure m = { 1, ROUNDS };
    for (rk_u32 i = 0; i < AT_ONCE; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
    for (rk_u64 until = contract_now_ns() + 3 * limit_ns; contract_now_ns() < until;) {
        measure told;
        receive(c, k, &told);
        assert_ok(rk_send(c->runtime, k, RK_BODY(m), 0));
    }
    assert_int_equal(logged(c, "longer than the stall limit"), 0);
}

static const contract_case cases[] = {
    { CASE(a_kernel_that_is_idle_terminates), ON_EVERY },
    { CASE(a_kernel_that_was_never_active_terminates_and_its_messages_with_it), ON_EVERY },
    { CASE(a_kernel_that_sleeps_terminates), ON_EVERY },
    { CASE(what_is_queued_is_handled_before_a_kernel_terminates), NEEDS_THREADS },
    { CASE(a_kernel_in_a_handler_terminates_when_the_handler_returns), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_is_blocked_on_a_full_ring_terminates), ON_EVERY },
    { CASE(one_of_three_terminates_and_the_others_go_on), ON_EVERY },
    { CASE(those_who_wait_to_receive_learn_that_the_kernel_is_gone), NEEDS_THREADS },
    { CASE(those_who_wait_to_send_learn_that_the_kernel_is_gone), ON_EVERY },
    { CASE(who_waits_for_the_end_of_one_kernel_holds_up_no_other), NEEDS_THREADS },
    { CASE(who_waits_for_a_handler_holds_up_no_other), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_waits_for_a_neighbours_handler_holds_up_no_message), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_waits_for_room_to_launch_again_holds_up_no_other), NEEDS_THREADS | NEEDS_CPU },
    { CASE(who_waits_for_a_handler_learns_that_its_kernel_has_ended), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_kernel_that_could_not_be_deactivated_goes_on), NEEDS_THREADS | NEEDS_CPU | NEEDS_WORKERS },
    { CASE(a_connection_that_could_not_be_made_changes_nothing), NEEDS_THREADS | NEEDS_CPU | ONCE },
    { CASE(a_kernel_that_two_wait_for_ends_once), NEEDS_THREADS },
    { CASE(a_handler_that_never_returns_is_quarantined_and_the_others_go_on), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_handler_that_returns_after_its_runtime_was_closed_finds_all_in_place),
      NEEDS_THREADS | NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_worker_that_is_busy_for_long_is_not_replaced), NEEDS_THREADS | NEEDS_CPU },
    { CASE(a_handler_that_is_slow_is_reported_and_its_worker_replaced), NEEDS_THREADS | NEEDS_CPU },
};

CONTRACT_MAIN("terminate", cases)
