/* Timers: a kernel's hook runs when its time has come, whatever else goes on, and a drain waits for it. */
#include "contract.h"

#include "../kernels/contract_c_timers.rk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void set_alarm(contract *c, rk_kernel k, timed a) { assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0)); }

static ringing take_ringing(contract *c, rk_kernel k)
{
    ringing r;
    receive(c, k, &r);
    return r;
}

static void assert_silent(contract *c, rk_kernel k)
{
    ringing r;
    assert_status(rk_receive(c->runtime, k, &r, sizeof r, 0, RK_NO_WAIT), RK_EMPTY);
}

static void a_hook_runs_at_the_time_that_was_asked_for(contract *c)
{
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(30), 0, 1, 0, 0 });
    settle(c);
    if (c->variant->single_step) {
        let_pass(c, RK_MILLISECONDS(30) - 1);
        settle(c);
        assert_silent(c, k);
        let_pass(c, 1);
    }
    ringing r = take_ringing(c, k);
    assert_int_equal(r.number, 1);
    assert_true(r.rung_ns >= r.due_ns);
    assert_true(rk_clock_ns(c->runtime) >= r.rung_ns);
    settle(c);
    assert_silent(c, k);
}

static void of_two_times_the_earlier_is_kept_and_the_hook_asks_for_the_other(contract *c)
{
    rk_kernel k = launch(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 2, RK_MILLISECONDS(240), 0, 1, 0, 0 });
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(80), 0, 1, 0, 0 });
    set_alarm(c, k, (timed){ 3, RK_MILLISECONDS(360), 0, 1, 0, 0 });
    assert_ok(
        rk_activate(c->runtime, k)); /* so that they begin at the same time, or nearly, on a busy machine */
    settle(c);
    for (rk_u64 i = 1; i <= 3; i++) {
        let_pass(c, RK_MILLISECONDS(120));
        ringing r = take_ringing(c, k);
        assert_int_equal(r.number, i);
        assert_true(r.rung_ns >= r.due_ns);
    }
}

static void a_kernel_that_sleeps_is_woken_without_a_message(contract *c)
{
    /* given a kernel that has been idle for much longer than its worker looks */
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(50), 3, 1, 0, 0 });
    settle(c);

    /* when nothing comes, then it rings four times all the same */
    for (rk_u64 i = 0, due = 0; i < 4; i++) {
        let_pass(c, RK_MILLISECONDS(50));
        ringing r = take_ringing(c, k);
        if (due) assert_int_equal(r.due_ns - due, RK_MILLISECONDS(50));
        due = r.due_ns;
    }
}

static void messages_are_handled_while_a_hook_is_always_due(contract *c)
{
    /* given a hook that asks for now each time that it runs */
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, 0, FOR_EVER, 0, 0, 0 });

    /* when messages come, then they are handled */
    for (rk_u64 i = 2; i < 12; i++) {
        set_alarm(c, k, (timed){ i, 1, 0, 1, 0, 0 });
        for (rk_u32 visit = 0; visit < 4 && c->variant->single_step; visit++) {
            assert_ok(rk_step(c->runtime, k, 0));
            let_pass(c, 1);
        }
        ringing r = take_ringing(c, k);
        assert_int_equal(r.number, i);
    }
}

static void what_a_hook_sends_waits_for_room_and_arrives_whole(contract *c)
{
    /* given an out lane of 16, and nobody who receives */
    rk_launch_options o = small(16);
    rk_kernel k = launch_active(c, "clockwork", "clockwork", &o);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(1), 0, 14, 0, 0 });
    set_alarm(c, k, (timed){ 2, RK_MILLISECONDS(1), 0, 14, 0, 0 });
    settle(c);
    let_pass(c, RK_MILLISECONDS(2));

    /* when the hook sends 28, then it parks */
    wait_until(c, metrics_of(c, k).parks > 0);

    /* and all arrive, in their order, once there is room, and messages go on */
    for (rk_u32 i = 0; i < 28; i++) assert_int_equal(take_ringing(c, k).number, i < 14 ? 1 : 2);
    set_alarm(c, k, (timed){ 3, RK_MILLISECONDS(1), 0, 1, 0, 0 });
    settle(c);
    let_pass(c, RK_MILLISECONDS(1));
    assert_int_equal(take_ringing(c, k).number, 3);
    settle(c);
    assert_silent(c, k);
}

/* Of two shards the first has sent 28 by its hook, of which 16 have room. */
static rk_kernel given_a_hook_that_has_no_room(contract *c, rk_launch_options *o)
{
    *o = small(16);
    o->shards = o->blocks = 2;
    rk_kernel k = launch_active(c, "clockwork", "clockwork", o);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(1), 0, 14, 0, 0 });
    set_alarm(c, k, (timed){ 2, RK_MILLISECONDS(1), 0, 14, 0, 0 });
    settle(c);
    let_pass(c, RK_MILLISECONDS(2));
    wait_until(c, metrics_of(c, k).parks > 0);
    return k;
}

static void what_a_hook_had_sent_is_a_dead_letter_when_another_shard_fails(contract *c)
{
    rk_launch_options o;
    rk_kernel k = given_a_hook_that_has_no_room(c, &o);
    rk_send_options second = RK_SEND_DEFAULTS;
    second.target = 1;
    timed later = { 3, RK_SECONDS(3600), 0, 1, 0, 0 };
    ringing r;
    rk_dead_letter letter;

    /* when the other shard fails, and the kernel is launched again */
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_send(c->runtime, k, RK_BODY(later), &second));
    wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
    assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));

    /* then what had found room is there, and the rest is told of */
    for (rk_u32 i = 0; i < 16; i++) assert_int_equal(take_ringing(c, k).number, i < 14 ? 1 : 2);
    for (rk_u32 i = 0; i < 12; i++) {
        assert_ok(rk_receive_dead(c->runtime, k, &r, sizeof r, &letter, RK_NO_WAIT));
        assert_string_equal(letter.reason, "kernel failed");
        assert_int_equal(letter.was_sent, 1);
        assert_int_equal(r.number, 2);
    }
    assert_status(rk_receive_dead(c->runtime, k, &r, sizeof r, &letter, RK_NO_WAIT), RK_EMPTY);
    assert_int_equal(account_of(c, k).dead_sends, 12);
    assert_int_equal(account_of(c, k).dead_letters, 12);
}

static void count_letter(void *user, const rk_dead_letter *letter)
{
    if (letter->was_sent && strcmp(letter->reason, rk_status_name(RK_CLOSED)) == 0)
        __atomic_fetch_add((rk_u32 *)user, 1, __ATOMIC_RELAXED);
}

static void what_a_hook_had_sent_is_a_dead_letter_when_its_kernel_terminates(contract *c)
{
    rk_u32 letters = 0;
    rk_launch_options o;
    rk_kernel k = given_a_hook_that_has_no_room(c, &o);
    o.on_dead_letter = count_letter;
    o.dead_letter_user = &letters;
    for (rk_u32 i = 0; i < 28; i++) (void)take_ringing(c, k);
    assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(1), 0, 20, 0, 0 });
    settle(c);
    let_pass(c, RK_MILLISECONDS(2));
    wait_until(c, account_of(c, k).output_queued == 16 && metrics_of(c, k).parks > 1);
    assert_status(rk_terminate(c->runtime, k, on_cpu(c) ? RK_MILLISECONDS(20) : RK_SECONDS(1)), RK_TIMED_OUT);
    assert_error_says("4 that it had sent found no room");
    assert_int_equal(letters, 4);
}

static void an_inactive_kernel_keeps_its_time(contract *c)
{
    /* given an alarm of a kernel that is inactive before it rings, however long that takes */
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    rk_u64 delay_ns = RK_MILLISECONDS(20);
    ringing early;
    for (;; delay_ns *= 2) {
        set_alarm(c, k, (timed){ 1, delay_ns, 0, 1, 0, 0 });
        settle(c);
        wait_until(c, account_of(c, k).queued == 0);
        assert_ok(rk_deactivate(c->runtime, k));
        if (rk_receive(c->runtime, k, &early, sizeof early, 0, RK_NO_WAIT) == RK_EMPTY) break;
        assert_ok(rk_activate(c->runtime, k));
    }

    /* when its time passes, then it rings once the kernel is active again, and not before */
    let_pass(c, 2 * delay_ns);
    assert_silent(c, k);
    assert_ok(rk_activate(c->runtime, k));
    assert_int_equal(take_ringing(c, k).number, 1);
}

static void a_relaunched_kernel_keeps_its_time(contract *c)
{
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(40), 0, 1, 0, 0 });
    settle(c);
    wait_until(c, account_of(c, k).queued == 0);
    rk_launch_options o = small(16);
    assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
    let_pass(c, RK_MILLISECONDS(40));
    assert_int_equal(take_ringing(c, k).number, 1);
}

static void *pass_time(void *argument)
{
    contract *c = argument;
    while (!stopped(c)) let_pass(c, RK_MILLISECONDS(1));
    return 0;
}

static void a_drain_waits_for_the_times_that_were_asked_for(contract *c)
{
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_MILLISECONDS(20), 2, 1, 0, 0 });
    set_alarm(c, k, (timed){ 2, RK_MILLISECONDS(10), FOR_EVER, 1, 0, 0 });
    start_thread(c, pass_time, c);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    stop_threads(c);

    /* all three of the first have come, and the endless one has ended since it was told */
    rk_u32 first = 0, told = 0;
    ringing r;
    while (rk_receive(c->runtime, k, &r, sizeof r, 0, RK_NO_WAIT) == RK_OK) {
        first += r.number == 1;
        told += r.number == 2 && r.draining;
    }
    assert_int_equal(first, 3);
    assert_int_equal(told, 1);
}

static void a_drain_of_a_cycle_waits_as_well(contract *c)
{
    /* given two kernels that wind each other up, twenty times, a millisecond later each time */
    rk_kernel k[] = { launch(c, "clockwork", "clockwork", 0), launch(c, "rewind", "rewind", 0) };
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    assert_ok(rk_connect(c->runtime, k[1], 0, k[0], 0));
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_activate(c->runtime, k[i]));
    set_alarm(c, k[0], (timed){ 0, RK_MILLISECONDS(5), 0, 1, 0, 0 });
    start_thread(c, pass_time, c);
    assert_ok(rk_drain(c->runtime, k, 2, CONTRACT_PATIENCE));
    stop_threads(c);
    assert_int_equal(account_of(c, k[1]).delivered, 21);
    assert_int_equal(account_of(c, k[0]).delivered, 21);
}

static void a_drain_does_not_wait_for_what_nobody_wants_any_more(contract *c)
{
    /* given an alarm in an hour, which is forgotten, and one that is not */
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_SECONDS(3600), 0, 1, 0, 0 });
    set_alarm(c, k, (timed){ 2, RK_MILLISECONDS(20), 0, 1, 0, 0 });
    set_alarm(c, k, (timed){ 1, 0, 0, 0, FORGET, 0 });
    settle(c);
    start_thread(c, pass_time, c);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    stop_threads(c);
    ringing r = take_ringing(c, k);
    assert_int_equal(r.number, 2);
    assert_true(r.rung_ns >= r.due_ns);
    assert_true(rk_receive(c->runtime, k, &r, sizeof r, 0, RK_NO_WAIT) != RK_OK);
}

static void a_drain_of_a_cycle_does_not_wait_for_it_either(contract *c)
{
    rk_kernel k[] = { launch(c, "clockwork", "clockwork", 0), launch(c, "rewind", "rewind", 0) };
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    assert_ok(rk_connect(c->runtime, k[1], 0, k[0], 0));
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_activate(c->runtime, k[i]));
    set_alarm(c, k[0], (timed){ 100, RK_SECONDS(3600), 0, 1, 0, 0 });
    set_alarm(c, k[0], (timed){ 0, RK_MILLISECONDS(5), 0, 1, 0, 0 });
    set_alarm(c, k[0], (timed){ 100, 0, 0, 0, FORGET, 0 });
    start_thread(c, pass_time, c);
    assert_ok(rk_drain(c->runtime, k, 2, CONTRACT_PATIENCE));
    stop_threads(c);
    assert_int_equal(account_of(c, k[1]).delivered, 21); /* and all that is wanted came */
}

static void a_drain_of_a_kernel_that_asks_for_ever_says_so(contract *c)
{
    rk_kernel k = launch_active(c, "clockwork", "clockwork", 0);
    set_alarm(c, k, (timed){ 1, RK_SECONDS(3600), FOR_EVER, 1, EVEN_DRAINING, 0 });
    settle(c);
    wait_until(c, account_of(c, k).queued == 0);
    assert_status(rk_drain(c->runtime, &k, 1, RK_MILLISECONDS(100)), RK_TIMED_OUT);
    assert_error_says("waits for a time that it asked for");
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
}

static void a_kernel_without_a_hook_is_told_so(contract *c)
{
    rk_kernel k = launch_active(c, "unhooked", "unhooked", 0);
    set_alarm(c, k, (timed){ 1, 0, 0, 0, 0, 0 });
    answered a;
    receive(c, k, &a);
    assert_int_equal(a.status, RK_UNSUPPORTED);
}

/* Given long headers and a message that was handled, when its kernel's hooks ask about the message that
 * they are called without, then all answers are those of none. */
static void a_hook_is_told_of_no_message(contract *c)
{
    rk_launch_options o = small(64);
    o.expiry = o.requests = 1;
    rk_kernel k = launch_active(c, "asks", "asks_in_hooks", &o);
    timed a = { 1, 0, 0, 0, 0, 0 };
    rk_send_options short_lived = RK_SEND_DEFAULTS;
    short_lived.ttl_us = 60000000;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &short_lived));
    for (rk_u32 hook = BY_TIMER; hook <= BY_DRAIN; hook++) {
        told_by_hook told;
        if (hook == BY_DRAIN) assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
        receive(c, k, &told);
        assert_int_equal(told.hook, hook);
        assert_true(told.time_left_ns == 0xfffffffffffffffful);
        assert_int_equal(told.length, 0);
        assert_int_equal(told.redelivered, 0);
        assert_int_equal(told.status, RK_EMPTY);
    }
}

/* Given a hook that sends until it may not any more, when its kernel is drained, then all that was taken
 * arrives, it was as much as a batch may send, what was tried besides is the host's too, and the log tells
 * of the one too many. */
static void a_hook_may_send_as_much_as_a_batch_and_is_told_of_more(contract *c)
{
    rk_kernel k = launch_active(c, "spills", "spill_over", 0);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    told_by_hook told;
    receive(c, k, &told);
    const rk_u32 sent = told.hook - BY_TRY; /* it overtook what is staged */
    assert_true(sent >= SPILL_BATCH * SPILL_SENDS && sent < 100);
    for (rk_u32 i = 0; i < sent; i++) {
        receive(c, k, &told);
        assert_int_equal(told.hook, i);
    }
    wait_until(c, logged(c, "a hook sent more than a batch may send") == 1);
}

static void the_hook_of_each_actor_may_send_as_much_as_a_batch(contract *c)
{
    enum { ACTORS = 10 };
    rk_launch_options o = small(1024);
    o.actors = ACTORS;
    rk_kernel k = launch_active(c, "spills", "spill_actors", &o);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < ACTORS * SPILL_BATCH * SPILL_SENDS; i++) {
        told_by_hook told;
        receive(c, k, &told);
        assert_int_equal(told.hook, i % (SPILL_BATCH * SPILL_SENDS));
    }
    assert_int_equal(logged(c, "a hook sent more"), 0);
}

static void a_hook_that_fails_has_no_letter_and_is_told_of(contract *c)
{
    rk_kernel k = launch_active(c, "fails", "fails_in_hook", 0);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    wait_until(c, logged(c, "a hook failed: it has no message") == 1);
    assert_int_equal(account_of(c, k).dead_letters, 0);
}

static void a_hook_without_the_state_of_a_shard_is_refused(contract *c)
{
    static const char *const states[] = { "rk_none", "RK_STATELESS", "held", "RK_PER_ACTOR" };
    for (rk_u32 i = 0; i < 4; i += 2) {
        char path[] = "/tmp/rk-hook-XXXXXX.rk.c";
        int file = mkstemps(path, 5);
        assert_true(file >= 0);
        dprintf(file,
                "#include <ringkernel/kernel.h>\nRK_MESSAGE(hooked, 505, (rk_u64, n))\n"
                "typedef struct held { rk_u64 n; } held;\n"
                "RK_HANDLER(hooked_kernel, hooked, msg, %s, self, .state = %s) {}\n"
                "RK_ON_TIMER(hooked_kernel, %s, self) {}\n",
                states[i], states[i + 1], states[i]);
        close(file);
        assert_status(rk_load(c->runtime, path), RK_INCOMPATIBLE);
        assert_error_says("declare .state = RK_PER_SHARD");
        unlink(path);
    }
}

static const contract_case cases[] = {
    { CASE(a_hook_runs_at_the_time_that_was_asked_for), NEEDS_REGIONS },
    { CASE(of_two_times_the_earlier_is_kept_and_the_hook_asks_for_the_other), NEEDS_REGIONS },
    { CASE(a_kernel_that_sleeps_is_woken_without_a_message), NEEDS_REGIONS },
    { CASE(messages_are_handled_while_a_hook_is_always_due), NEEDS_REGIONS },
    { CASE(what_a_hook_sends_waits_for_room_and_arrives_whole), NEEDS_REGIONS },
    { CASE(what_a_hook_had_sent_is_a_dead_letter_when_another_shard_fails), NEEDS_REGIONS },
    { CASE(what_a_hook_had_sent_is_a_dead_letter_when_its_kernel_terminates), NEEDS_REGIONS },
    { CASE(an_inactive_kernel_keeps_its_time), NEEDS_REGIONS },
    { CASE(a_relaunched_kernel_keeps_its_time), NEEDS_REGIONS },
    { CASE(a_drain_waits_for_the_times_that_were_asked_for), NEEDS_REGIONS },
    { CASE(a_drain_of_a_cycle_waits_as_well), NEEDS_REGIONS },
    { CASE(a_drain_does_not_wait_for_what_nobody_wants_any_more), NEEDS_REGIONS },
    { CASE(a_drain_of_a_cycle_does_not_wait_for_it_either), NEEDS_REGIONS },
    { CASE(a_drain_of_a_kernel_that_asks_for_ever_says_so), NEEDS_REGIONS },
    { CASE(a_kernel_without_a_hook_is_told_so), NEEDS_REGIONS },
    { CASE(a_hook_is_told_of_no_message), NEEDS_REGIONS },
    { CASE(a_hook_may_send_as_much_as_a_batch_and_is_told_of_more), NEEDS_REGIONS },
    { CASE(the_hook_of_each_actor_may_send_as_much_as_a_batch), NEEDS_REGIONS },
    { CASE(a_hook_that_fails_has_no_letter_and_is_told_of), NEEDS_REGIONS },
    { CASE(a_hook_without_the_state_of_a_shard_is_refused), ONCE | NEEDS_CPU },
};

CONTRACT_MAIN("timers", cases)
