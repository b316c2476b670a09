/* Recovery: attempts that come again after longer and longer pauses, and a breaker that leaves alone who fails. */
#include "contract.h"

#include "../kernels/pattern_recovery.rk.h"

#include <stdio.h>

#include <ringkernel/snapshot.h>

static rk_kernel launch_cashier(contract *c, const rk_parameter *parameters, size_t count)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.parameters = parameters;
    o.parameter_count = count;
    return launch_active(c, "cashier", "cashier", &o);
}

static void pay(contract *c, rk_kernel k, rk_u64 number, rk_u32 failures)
{
    payment p = { number, failures, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = 70;
    s.id = 1000 + number;
    assert_ok(rk_send(c->runtime, k, RK_BODY(p), &s));
    settle(c);
}

static attempted next_attempt(contract *c, rk_kernel k)
{
    attempted a;
    receive(c, k, &a);
    return a;
}

static void assert_silent(contract *c, rk_kernel k)
{
    attempted a;
    settle(c);
    assert_status(rk_receive(c->runtime, k, &a, sizeof a, 0, RK_NO_WAIT), RK_EMPTY);
}

static rk_dead_letter take_letter(contract *c, rk_kernel k, payment *p)
{
    rk_dead_letter letter = { .length = 0 };
    settle(c);
    assert_ok(rk_receive_dead(c->runtime, k, p, sizeof *p, &letter,
                              c->variant->single_step ? 0 : CONTRACT_PATIENCE));
    return letter;
}

static void attempts_come_at_0_100_300_and_700_ms_and_then_the_dead_letter(contract *c)
{
    static const rk_u64 after_ms[] = { 0, 100, 300, 700 };
    rk_kernel k = launch_cashier(c, 0, 0);
    pay(c, k, 5, 1000);
    attempted first = next_attempt(c, k), a = first;
    assert_int_equal(first.attempt, 1);
    for (rk_u32 i = 1; i < 4; i++) {
        rk_u64 pause = RK_MILLISECONDS(after_ms[i] - after_ms[i - 1]);
        if (c->variant->single_step) {
            let_pass(c, pause - 1);
            assert_silent(c, k);
            let_pass(c, 1);
            settle(c);
        }
        rk_u64 last = a.when_ns;
        a = next_attempt(c, k);
        assert_int_equal(a.attempt, i + 1);
        assert_int_equal(a.number, 5);
        assert_true(a.when_ns - last >= pause);
        if (c->variant->single_step)
            assert_int_equal(a.when_ns - first.when_ns, RK_MILLISECONDS(after_ms[i]));
    }
    payment p;
    rk_dead_letter letter = take_letter(c, k, &p);
    assert_string_equal(letter.reason, "declined");
    assert_int_equal(letter.attempts, 3);
    assert_int_equal(letter.type, RK_TYPE_ID(payment));
    assert_int_equal(letter.target, 70);
    assert_int_equal(letter.id, 1005);
    assert_int_equal(letter.was_sent, 0);
    assert_int_equal(p.number, 5);
    assert_int_equal(p.failures, 1000);
    const char *reason;
    rk_u64 count;
    assert_ok(rk_dead_reason(c->runtime, k, 0, &reason, &count));
    assert_string_equal(reason, "declined");
    assert_int_equal(count, 1);
    assert_int_equal(account_of(c, k).dead_letters, 1);
    let_pass(c, RK_MILLISECONDS(10));
    assert_silent(c, k);
}

static void attempts_in_the_header_end_at_255_and_pauses_at_the_longest(contract *c)
{
    static const rk_parameter many[] = { { "retries", "300" },
                                         { "first_ns", "1000000" },
                                         { "longest_ns", "3000000" } };
    static const rk_u64 pause_ms[] = { 0, 0, 1, 2 };
    rk_kernel k = launch_cashier(c, many, 3);
    pay(c, k, 5, 1000);
    for (rk_u32 n = 1; n <= 301; n++) {
        if (n > 1) {
            let_pass(c, RK_MILLISECONDS(n < 4 ? pause_ms[n] : 3) - 1);
            assert_silent(c, k);
            let_pass(c, 1);
            settle(c);
        }
        assert_int_equal(next_attempt(c, k).attempt, n);
    }
    payment p;
    assert_int_equal(take_letter(c, k, &p).attempts, 255);
}

static void an_attempt_that_works_is_the_last(contract *c)
{
    static const rk_parameter fast[] = { { "first_ns", "1000000" } };
    rk_kernel k = launch_cashier(c, fast, 1);
    pay(c, k, 1, 2);
    for (rk_u32 i = 1; i <= 3; i++) {
        attempted a = next_attempt(c, k);
        assert_int_equal(a.attempt, i);
        assert_int_equal(a.good, i == 3);
        let_pass(c, RK_MILLISECONDS(i));
        settle(c);
    }
    let_pass(c, RK_MILLISECONDS(20));
    assert_silent(c, k);
    assert_int_equal(account_of(c, k).dead_letters, 0);
}

static void pauses_keep_within_their_jitter_and_differ(contract *c)
{
    static const rk_parameter wide[] = { { "jitter", "50" } };
    rk_kernel k = launch_cashier(c, wide, 1);
    rk_u64 first = 0, least = ~0ull, most = 0;
    for (rk_u32 i = 0; i < PAYMENTS; i++) pay(c, k, i, 1);
    for (rk_u32 i = 0; i < PAYMENTS; i++) first = next_attempt(c, k).when_ns;
    for (rk_u32 ms = 0; ms < 150; ms++) { /* in step variants: to the millisecond */
        let_pass(c, c->variant->single_step ? RK_MILLISECONDS(1) : 0);
        settle(c);
    }
    for (rk_u32 i = 0; i < PAYMENTS; i++) {
        attempted a = next_attempt(c, k);
        rk_u64 pause = a.when_ns - first;
        assert_int_equal(a.good, 1);
        if (pause < least) least = pause;
        if (pause > most) most = pause;
    }
    if (!c->variant->single_step) return; /* the clock is ours */
    assert_in_range(least, RK_MILLISECONDS(50), RK_MILLISECONDS(100));
    assert_in_range(most, RK_MILLISECONDS(100), RK_MILLISECONDS(150));
    assert_true(most - least >= RK_MILLISECONDS(10));
}

static void a_full_table_is_told_and_its_messages_are_not_disturbed(contract *c)
{
    rk_kernel k = launch_cashier(c, 0, 0);
    for (rk_u32 i = 0; i < PAYMENTS + 2; i++) pay(c, k, i, 1);
    for (rk_u32 i = 0; i < PAYMENTS; i++) assert_int_equal(next_attempt(c, k).number, i);
    /* what a failed call sent is taken back: no attempt is told of the two that found no place */
    for (rk_u32 i = 0; i < 2; i++) {
        payment p;
        rk_dead_letter letter = take_letter(c, k, &p);
        assert_string_equal(letter.reason, "crowded");
        assert_int_equal(p.number, PAYMENTS + i);
    }
    let_pass(c, RK_MILLISECONDS(100));
    settle(c);
    for (rk_u32 i = 0; i < PAYMENTS; i++) assert_int_equal(next_attempt(c, k).good, 1);
    /* and there is room again */
    pay(c, k, 77, 1);
    assert_int_equal(next_attempt(c, k).number, 77);
}

/* A payment that always fails, and is wanted for so long. */
static void pay_within(contract *c, rk_kernel k, rk_u64 number, rk_u32 ttl_ms)
{
    payment p = { number, 1000, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.ttl_us = ttl_ms * 1000u;
    assert_ok(rk_send(c->runtime, k, RK_BODY(p), &s));
    settle(c);
}

static void a_message_that_would_expire_before_its_next_attempt_is_given_up(contract *c)
{
    /* given attempts at 0, 100, 300 and 700 ms */
    rk_launch_options o = rk_production();
    o.expiry = 1;
    rk_kernel k = launch_active(c, "cashier", "cashier", &o);
    static const struct {
        rk_u32 ttl_ms, attempts;
    } row[] = { { 99, 1 }, { 250, 2 }, { 300, 3 }, { 699, 3 } };
    for (rk_u32 i = 0; i < 4; i++) {
        if (row[i].ttl_ms == 300 && !c->variant->single_step) continue; /* it was sent a little earlier */
        pay_within(c, k, i, row[i].ttl_ms);
        for (rk_u32 n = 1; n <= row[i].attempts && row[i].attempts > 1;
             n++) { /* a call that fails tells none */
            assert_int_equal(next_attempt(c, k).attempt, n);
            if (n < row[i].attempts) let_pass(c, RK_MILLISECONDS(n * 100));
            settle(c);
        }
        payment p;
        rk_dead_letter letter = take_letter(c, k, &p);
        assert_string_equal(letter.reason, "declined");
        assert_int_equal(letter.attempts, row[i].attempts - 1);
        assert_int_equal(p.number, i);
        let_pass(c, RK_MILLISECONDS(c->variant->single_step ? 1000 : 1));
        assert_silent(c, k);
    }
}

static void many_that_are_given_up_at_once_are_all_letters(contract *c)
{
    /* given a hook that makes three attempts in one call */
    static const rk_parameter some[] = { { "attempts_of_a_hook", "3" },
                                         { "retries", "1" },
                                         { "first_ns", "5000000" } };
    rk_kernel k = launch_cashier(c, some, 3);
    for (rk_u32 i = 0; i < PAYMENTS; i++) pay(c, k, i, 1000);
    let_pass(c, RK_MILLISECONDS(6));
    wait_until(c, account_of(c, k).dead_letters == PAYMENTS);
    rk_u32 seen = 0;
    for (rk_u32 i = 0; i < PAYMENTS; i++) {
        payment p;
        assert_int_equal(take_letter(c, k, &p).attempts, 1);
        seen |= 1u << p.number;
    }
    assert_int_equal(seen, (1u << PAYMENTS) - 1u);
}

typedef struct asking {
    contract *c;
    rk_kernel k;
    rk_u32 failures;
    rk_status expected;
} asking;

static void *ask(void *argument)
{
    asking *a = argument;
    payment p = { 9, a->failures, 1 };
    receipt r = { 0, 0, 0 };
    expect_status(
        a->c,
        rk_request(a->c->runtime, a->k, RK_BODY(p), RK_TYPE_ID(receipt), &r, sizeof r, CONTRACT_PATIENCE),
        a->expected);
    if (a->expected == RK_OK) expect(a->c, r.number == 9 && r.attempts == a->failures + 1);
    return 0;
}

static void a_request_is_answered_by_the_attempt_that_works_or_by_the_end_of_all(contract *c)
{
    static const rk_parameter fast[] = { { "first_ns", "2000000" } };
    static asking asks[2];
    rk_kernel k = launch_cashier(c, fast, 1);
    for (rk_u32 i = 0; i < 2; i++) {
        asks[i] = (asking){ c, k, i ? 1000 : 2, i ? RK_DEAD : RK_OK };
        start_thread(c, ask, &asks[i]);
    }
    join_threads(c);
}

static void a_drain_waits_for_what_is_tried_again(contract *c)
{
    static const rk_parameter fast[] = { { "first_ns", "2000000" } };
    rk_kernel k = launch_cashier(c, fast, 1);
    for (rk_u32 i = 0; i < 4; i++) pay(c, k, i, i * 2);
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    rk_u32 attempts = 0, good = 0;
    attempted a;
    while (rk_receive(c->runtime, k, &a, sizeof a, 0, RK_NO_WAIT) == RK_OK) {
        attempts++;
        good += a.good;
    }
    assert_int_equal(attempts, 1 + 3 + 4 + 4); /* the third and the fourth fail four times */
    assert_int_equal(good, 2);
    assert_int_equal(account_of(c, k).dead_letters, 2);
}

static void a_relaunch_keeps_what_waits(contract *c)
{
    rk_kernel k = launch_cashier(c, 0, 0);
    pay(c, k, 3, 1);
    assert_int_equal(next_attempt(c, k).number, 3);
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.queue_capacity = 256;
    assert_ok(rk_relaunch(c->runtime, k, &o, CONTRACT_PATIENCE));
    let_pass(c, RK_MILLISECONDS(100));
    settle(c);
    attempted a = next_attempt(c, k);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.attempt, 2);
}

static void a_restore_keeps_what_waits(contract *c)
{
    rk_snapshot s = RK_SNAPSHOT_NONE;
    rk_launch_options o = rk_production();
    rk_runtime_options options = contract_runtime_options(c);
    o.requests = 1;
    rk_kernel k = launch_active(c, "cashier", "cashier", &o);
    pay(c, k, 3, 1);
    assert_int_equal(next_attempt(c, k).number, 3);
    assert_ok(rk_snapshot_take(c->runtime, &k, 1, CONTRACT_PATIENCE, 0, 0, &s));
    contract_reopen(c, &options);
    k = launch(c, "cashier", "cashier", &o);
    assert_ok(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size));
    rk_snapshot_free(&s);
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    let_pass(c, RK_MILLISECONDS(100));
    settle(c);
    attempted a = next_attempt(c, k);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.attempt, 2);
}

static void short_headers_have_their_letters_too(contract *c)
{
    static const rk_parameter once[] = { { "retries", "1" }, { "first_ns", "1000000" } };
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.parameters = once;
    o.parameter_count = 2;
    rk_kernel k = launch_active(c, "cashier", "cashier", &o);
    payment p = { 4, 1000, 0 };
    assert_ok(rk_send(c->runtime, k, RK_BODY(p), 0));
    settle(c);
    let_pass(c, RK_MILLISECONDS(1));
    payment dead;
    rk_dead_letter letter = take_letter(c, k, &dead);
    assert_string_equal(letter.reason, "declined");
    assert_memory_equal(&dead, &p, sizeof p);
}

static void a_kernel_without_a_hook_keeps_nothing(contract *c)
{
    rk_kernel k = launch_active(c, "forgetful", "forgetful", 0);
    pay(c, k, 1, 1);
    attempted a = next_attempt(c, k);
    assert_int_equal((rk_i32)a.attempt, RK_UNSUPPORTED);
    assert_int_equal(a.good, 0);
}

static verdict call_through(contract *c, rk_kernel k, rk_u32 good, rk_u32 how)
{
    static rk_u64 number;
    risky r = { ++number, good, how };
    verdict v;
    assert_ok(rk_send(c->runtime, k, RK_BODY(r), 0));
    settle(c);
    receive(c, k, &v);
    assert_int_equal(v.number, number);
    return v;
}

static verdict take_a_risk(contract *c, rk_kernel k, rk_u32 good)
{
    return call_through(c, k, good, ENDS_AT_ONCE);
}

static rk_kernel launch_fuse(contract *c, const rk_parameter *parameters, size_t count)
{
    rk_launch_options o = rk_production();
    o.parameters = parameters;
    o.parameter_count = count;
    return launch_active(c, "fuse", "fuse", &o);
}

static void a_breaker_opens_by_the_rate_of_what_its_window_has(contract *c)
{
    static const rk_parameter by_rate[] = { { "fuse_failures", "0" },
                                            { "fuse_percent", "50" },
                                            { "fuse_calls", "4" },
                                            { "fuse_window_ns", "16000000000" } };
    rk_kernel k = launch_fuse(c, by_rate, 4);
    /* given failures that have left the window, when as many come as make half of four, then it opens, and not before */
    if (c->variant->single_step) {
        for (rk_u32 i = 0; i < 3; i++) assert_int_equal(take_a_risk(c, k, 0).state, 0);
        let_pass(c, RK_SECONDS(17));
    }
    static const rk_u32 good[] = { 0, 1, 1 };
    for (rk_u32 i = 0; i < 3; i++) assert_int_equal(take_a_risk(c, k, good[i]).state, 0);
    verdict v = take_a_risk(c, k, 0);
    assert_int_equal(v.state, 1);
    assert_int_equal(v.opened, 1);
    assert_int_equal(take_a_risk(c, k, 1).passed, 0);
}

static void a_half_open_breaker_lets_as_many_probes_pass_as_it_may_and_ignores_older_calls(contract *c)
{
    static const rk_parameter two[] = { { "fuse_failures", "1" },
                                        { "fuse_probes", "2" },
                                        { "fuse_successes", "2" } };
    rk_kernel k = launch_fuse(c, two, 3);
    /* given a call that is under way when it opens */
    assert_int_equal(call_through(c, k, 0, BEGINS).passed, 1);
    assert_int_equal(take_a_risk(c, k, 0).state, 1);
    let_pass(c, RK_SECONDS(30));
    /* when two probes are under way, then a third is refused, and what the older call came to changes nothing */
    assert_int_equal(call_through(c, k, 1, BEGINS).passed, 1);
    assert_int_equal(call_through(c, k, 1, BEGINS).passed, 1);
    assert_int_equal(call_through(c, k, 1, BEGINS).passed, 0);
    assert_int_equal(call_through(c, k, 0, ENDS_KEPT).state, 2);
    /* and it closes when both have gone well */
    assert_int_equal(call_through(c, k, 1, ENDS_KEPT).state, 2);
    verdict v = call_through(c, k, 1, ENDS_KEPT);
    assert_int_equal(v.state, 0);
    assert_int_equal(v.opened, 1);
    assert_int_equal(v.closed, 1);
}

static void a_breaker_opens_at_the_fifth_failure_and_half_opens_after_thirty_seconds(contract *c)
{
    rk_kernel k = launch_active(c, "fuse", "fuse", 0);
    verdict v;
    for (rk_u32 i = 1; i <= 5; i++) {
        v = take_a_risk(c, k, 0);
        assert_int_equal(v.passed, 1);
        assert_int_equal(v.state, i == 5 ? 1 : 0);
    }
    for (rk_u32 i = 1; i <= 3; i++) {
        v = take_a_risk(c, k, 1);
        assert_int_equal(v.passed, 0);
        assert_int_equal(v.refused, i);
    }
    if (!c->variant->single_step) return; /* nobody waits for half a minute */
    let_pass(c, RK_SECONDS(30) - 1);
    assert_int_equal(take_a_risk(c, k, 1).passed, 0);
    let_pass(c, 1);
    v = take_a_risk(c, k, 0); /* one failure opens it again */
    assert_int_equal(v.passed, 1);
    assert_int_equal(v.opened, 2);
    assert_int_equal(take_a_risk(c, k, 1).passed, 0);
    let_pass(c, RK_SECONDS(30));
    v = take_a_risk(c, k, 1); /* one success closes it */
    assert_int_equal(v.passed, 1);
    assert_int_equal(v.state, 0);
    assert_int_equal(v.closed, 1);
    assert_int_equal(v.half_opened, 2);
}

static void a_kernel_keeps_its_newest_letters_and_sends_them_again(contract *c)
{
    rk_kernel k = launch_active(c, "clerk", "clerk", 0);
    for (rk_u32 round = 0; round < 2; round++) {
        /* given more letters than there is room for */
        for (rk_u32 i = 1; i <= MISFITS + 2; i++) {
            payment p = { i, i % 2 ? 1 : 2, 0 };
            rk_send_options o = RK_SEND_DEFAULTS;
            o.target = 40 + i;
            o.priority = 100;
            o.id = 100 * (round + 1) + i;
            assert_ok(rk_send(c->runtime, k, RK_BODY(p), &o));
            standing s;
            settle(c);
            receive(c, k, &s);
            rk_u32 all = round * (MISFITS + 2) + i;
            assert_int_equal(s.kept, all);
            assert_int_equal(s.lost, round * 2 + (i > MISFITS ? i - MISFITS : 0));
            assert_int_equal(s.waiting, i < MISFITS ? i : MISFITS);
            assert_int_equal(s.alert, i == 3); /* once, and again after all were taken */
            assert_int_equal(s.declined + s.crowded, all);
            assert_int_equal(s.declined, (all + 1) / 2);
        }

        /* when they are called back, then the newest come, the oldest of them first, as they were sent */
        recall r = { 3 };
        for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(r), 0));
        settle(c);
        for (rk_u32 i = 3; i <= MISFITS + 2; i++) {
            payment p;
            rk_received info;
            receive_with(c, k, &p, &info);
            assert_int_equal(p.number, i);
            assert_int_equal(p.failures, i % 2 ? 1 : 2);
            assert_int_equal(info.target, 40 + i);
            assert_int_equal(info.priority, 100);
            assert_int_equal(info.id, 100 * (round + 1) + i);
            assert_string_equal(rk_route_name(c->runtime, k, info.route), "again");
        }
        payment p;
        settle(c);
        assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_NO_WAIT), RK_EMPTY);
    }
}

static const contract_case cases[] = {
    { CASE(a_kernel_keeps_its_newest_letters_and_sends_them_again), NEEDS_REGIONS },
    { CASE(attempts_come_at_0_100_300_and_700_ms_and_then_the_dead_letter), NEEDS_REGIONS },
    { CASE(attempts_in_the_header_end_at_255_and_pauses_at_the_longest), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(an_attempt_that_works_is_the_last), NEEDS_REGIONS },
    { CASE(pauses_keep_within_their_jitter_and_differ), NEEDS_REGIONS },
    { CASE(a_full_table_is_told_and_its_messages_are_not_disturbed), NEEDS_REGIONS },
    { CASE(a_message_that_would_expire_before_its_next_attempt_is_given_up), NEEDS_REGIONS },
    { CASE(many_that_are_given_up_at_once_are_all_letters), NEEDS_REGIONS },
    { CASE(a_request_is_answered_by_the_attempt_that_works_or_by_the_end_of_all),
      NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_drain_waits_for_what_is_tried_again), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_relaunch_keeps_what_waits), NEEDS_REGIONS },
    { CASE(a_restore_keeps_what_waits), NEEDS_REGIONS },
    { CASE(short_headers_have_their_letters_too), NEEDS_REGIONS },
    { CASE(a_kernel_without_a_hook_keeps_nothing), NEEDS_REGIONS },
    { CASE(a_breaker_opens_at_the_fifth_failure_and_half_opens_after_thirty_seconds), NEEDS_REGIONS },
    { CASE(a_breaker_opens_by_the_rate_of_what_its_window_has), NEEDS_REGIONS },
    { CASE(a_half_open_breaker_lets_as_many_probes_pass_as_it_may_and_ignores_older_calls),
      NEEDS_REGIONS | NEEDS_STEP },
};
CONTRACT_MAIN("recovery", cases)
