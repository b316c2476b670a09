/* Dead letters: what is refused is kept with its reason and counted, newest first to stay, and the sender's
 * hook is asked before. */
#include "probes.h"

#include <stdbool.h>
#include <stdio.h>

static void attempt_with(contract *c, rk_kernel k, rk_u32 number, rk_u32 fault)
{
    attempt a = { number, fault };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = 70 + number;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &s));
}

static rk_dead_letter take_letter(contract *c, rk_kernel k, void *body, size_t size)
{
    rk_dead_letter letter = { .length = 0 };
    settle(c);
    assert_ok(
        rk_receive_dead(c->runtime, k, body, size, &letter, c->variant->single_step ? 0 : CONTRACT_PATIENCE));
    return letter;
}

static void a_refused_message_is_a_dead_letter_with_its_reason(contract *c)
{
    static const struct {
        rk_u32 fault;
        const char *reason;
    } faults[] = { { FAULT_ODD, "odd" },
                   { FAULT_NEGATIVE, "negative" },
                   { FAULT_BOTH, "negative" },
                   { FAULT_SENDS, "too many sends" } };
    rk_kernel k = launch_active(c, "failing", "failing", 0);
    rk_u64 before = rk_clock_ns(c->runtime);
    for (rk_u32 i = 0; i < 4; i++) {
        attempt a, b;
        attempt_with(c, k, i, faults[i].fault);
        rk_dead_letter letter = take_letter(c, k, &a, sizeof a);
        assert_string_equal(letter.reason, faults[i].reason);
        assert_int_equal(letter.type, RK_TYPE_ID(attempt));
        assert_int_equal(letter.length, sizeof a);
        assert_ptr_equal(letter.payload, &a);
        assert_int_equal(a.number, i);
        assert_int_equal(letter.target, 70 + i);
        assert_int_equal(letter.was_sent, 0);
        assert_int_equal(letter.shard, 0);
        assert_true(letter.when_ns >= before - clock_grain(c) && letter.when_ns <= rk_clock_ns(c->runtime));
        assert_memory_equal(&letter.kernel, &k, sizeof k);
        /* What its handler sent is taken back, and the next message is handled as if nothing had been. */
        attempt_with(c, k, 100 + i, FAULT_NONE);
        receive(c, k, &b);
        assert_int_equal(b.number, 100 + i);
    }
    rk_account a = account_of(c, k);
    assert_int_equal(a.dead, 4);
    assert_int_equal(a.dead_letters, 4);
    assert_int_equal(a.dead_sends, 0);
    wait_until(c, account_of(c, k).delivered == 4);
}

static void reasons_are_counted_by_name(contract *c)
{
    rk_kernel k = launch_active(c, "failing", "failing", 0);
    const char *reason;
    rk_u64 count, odd = 0, negative = 0;
    assert_status(rk_dead_reason(c->runtime, k, 0, &reason, &count), RK_EMPTY);
    for (rk_u32 i = 0; i < 30; i++) attempt_with(c, k, i, i % 3 ? FAULT_ODD : FAULT_NEGATIVE);
    wait_until(c, account_of(c, k).dead_letters == 30);
    for (rk_u32 i = 0; i < 2; i++) {
        assert_ok(rk_dead_reason(c->runtime, k, i, &reason, &count));
        *(strcmp(reason, "odd") ? &negative : &odd) += count;
    }
    assert_int_equal(odd, 20);
    assert_int_equal(negative, 10);
    assert_status(rk_dead_reason(c->runtime, k, 2, &reason, &count), RK_EMPTY);
    assert_status(rk_dead_reason(c->runtime, k, 0, 0, &count), RK_INVALID_ARGUMENT);
    assert_status(rk_dead_reason(c->runtime, k, 0, &reason, 0), RK_INVALID_ARGUMENT);
}

static void the_newest_letters_are_kept_and_the_loss_is_counted(contract *c)
{
    rk_launch_options o = small(64);
    o.dead_letter_capacity = 2;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    for (rk_u32 i = 1; i <= 3; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 3);
    assert_int_equal(account_of(c, k).dead_letters_lost, 1);
    for (rk_u32 i = 2; i <= 3; i++) {
        attempt a;
        take_letter(c, k, &a, sizeof a);
        assert_int_equal(a.number, i);
    }
    attempt a;
    rk_dead_letter letter;
    assert_status(rk_receive_dead(c->runtime, k, &a, sizeof a, &letter, 0), RK_EMPTY);
}

static void an_alert_is_given_once_when_the_first_letter_is_let_go(contract *c)
{
    rk_launch_options o = small(64);
    o.dead_letter_capacity = 2;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    for (rk_u32 i = 1; i <= 2; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 2);
    assert_int_equal(logged(c, "older ones are being let go"), 0);
    for (rk_u32 i = 3; i <= 5; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 5);
    wait_until(c, logged(c, "2 dead letters are kept of 3, the newest 'odd'") == 1);
    assert_int_equal(logged(c, "older ones are being let go"), 1);

    /* when all were taken, then the next time is told again */
    attempt a;
    for (rk_u32 i = 4; i <= 5; i++) take_letter(c, k, &a, sizeof a);
    assert_int_equal(a.number, 5);
    rk_dead_letter letter;
    assert_status(rk_receive_dead(c->runtime, k, &a, sizeof a, &letter, 0), RK_EMPTY);
    for (rk_u32 i = 6; i <= 8; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, logged(c, "older ones are being let go") == 2);
    assert_int_equal(account_of(c, k).dead_letters_lost, 4);
}

static void an_alert_is_given_at_the_number_that_was_asked_for(contract *c)
{
    rk_launch_options o = small(64);
    o.dead_letter_alert = 3;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    for (rk_u32 i = 1; i <= 2; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 2);
    assert_int_equal(logged(c, "dead letters are kept"), 0);
    for (rk_u32 i = 3; i <= 9; i++) attempt_with(c, k, i, FAULT_NEGATIVE);
    wait_until(c, account_of(c, k).dead_letters == 9);
    wait_until(c, logged(c, "3 dead letters are kept of 3, the newest 'negative'") == 1);
    assert_int_equal(logged(c, "dead letters are kept"), 1);
}

static void an_alert_that_would_never_come_is_refused(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k;
    o.kernel_name = in_style(c, "failing");
    o.dead_letter_capacity = 4;
    o.dead_letter_alert = 5;
    assert_status(rk_launch(c->runtime, "failing", &o, &k), RK_INVALID_OPTIONS);
    assert_error_says("dead_letter_alert 5 is over dead_letter_capacity 4");
}

static void many_letters_are_taken_in_one_call(contract *c)
{
    rk_kernel k = launch_active(c, "failing", "failing", 0);
    attempt a[8];
    rk_dead_letter letter[8];
    size_t got = 9;
    assert_status(rk_receive_dead_many(c->runtime, k, a, sizeof *a, 8, letter, 0, &got), RK_EMPTY);
    assert_int_equal(got, 0);
    for (rk_u32 i = 0; i < 11; i++) attempt_with(c, k, i, i % 2 ? FAULT_ODD : FAULT_NEGATIVE);
    wait_until(c, account_of(c, k).dead_letters == 11);
    for (rk_u32 first = 0; first < 11; first += 8) {
        assert_ok(rk_receive_dead_many(c->runtime, k, a, sizeof *a, 8, letter, CONTRACT_PATIENCE, &got));
        assert_int_equal(got, first ? 3 : 8);
        for (rk_u32 i = 0; i < got; i++) {
            assert_int_equal(a[i].number, first + i);
            assert_ptr_equal(letter[i].payload, &a[i]);
            assert_int_equal(letter[i].target, 70 + first + i);
            assert_string_equal(letter[i].reason, (first + i) % 2 ? "odd" : "negative");
        }
    }
    attempt_with(c, k, 5, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 12);
    assert_status(rk_receive_dead_many(c->runtime, k, a, sizeof *a - 1, 8, letter, 0, &got), RK_TOO_SMALL);
    assert_int_equal(letter[0].length, sizeof *a);
    assert_status(rk_receive_dead_many(c->runtime, k, a, sizeof *a, 0, letter, 0, &got), RK_INVALID_ARGUMENT);
    assert_status(rk_receive_dead_many(c->runtime, k, a, sizeof *a, 8, 0, 0, &got), RK_INVALID_ARGUMENT);
}

static void a_replayed_letter_goes_to_the_kernel_that_had_refused_it(contract *c)
{
    rk_launch_options o = small(64);
    o.deduplication_window = 64;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    attempt a = { 8, FAULT_ODD };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.target = 3;
    s.priority = 200;
    s.id = 4711;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &s));
    rk_dead_letter letter = take_letter(c, k, &a, sizeof a);
    assert_int_equal(letter.id, 4711);
    assert_int_equal(letter.priority, 200);

    /* as it is, it is refused again, whole, although the window knows its id */
    assert_ok(rk_replay_dead(c->runtime, &letter, (rk_kernel){ 0, 0 }));
    attempt again;
    rk_dead_letter second = take_letter(c, k, &again, sizeof again);
    assert_memory_equal(&again, &a, sizeof a);
    assert_int_equal(second.target, 3);
    assert_int_equal(second.priority, 200);
    assert_int_equal(second.id, 0);

    /* and put right, it is handled */
    again.fault = FAULT_NONE;
    assert_ok(rk_replay_dead(c->runtime, &second, (rk_kernel){ 0, 0 }));
    settle(c);
    receive(c, k, &a);
    assert_int_equal(a.number, 8);
    assert_status(rk_replay_dead(c->runtime, 0, k), RK_INVALID_ARGUMENT);
    second.payload = 0;
    assert_status(rk_replay_dead(c->runtime, &second, k), RK_INVALID_ARGUMENT);
}

static void letters_are_replayed_in_their_order_and_not_to_a_kernel_that_has_ended(contract *c)
{
    rk_kernel k = launch_active(c, "failing", "failing", 0);
    attempt a[8], b;
    rk_dead_letter letter[8];
    size_t got;
    for (rk_u32 i = 0; i < 8; i++) attempt_with(c, k, i, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 8);
    assert_ok(rk_receive_dead_many(c->runtime, k, a, sizeof *a, 8, letter, CONTRACT_PATIENCE, &got));
    assert_int_equal(got, 8);
    for (rk_u32 i = 0; i < 8; i++) {
        a[i].fault = FAULT_NONE;
        assert_ok(rk_replay_dead(c->runtime, &letter[i], (rk_kernel){ 0, 0 }));
    }
    for (rk_u32 i = 0; i < 8; i++) {
        receive(c, k, &b);
        assert_int_equal(b.number, i);
    }
    wait_until(c, account_of(c, k).delivered == 8);
    assert_int_equal(account_of(c, k).accepted, 16);

    /* when it has ended, then the caller still has the letter, for another kernel */
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_status(rk_replay_dead(c->runtime, &letter[5], (rk_kernel){ 0, 0 }), RK_STALE);
    rk_kernel other = launch_active(c, "other", "failing", 0);
    assert_ok(rk_replay_dead(c->runtime, &letter[5], other));
    settle(c);
    receive(c, other, &b);
    assert_int_equal(b.number, 5);
}

/* A source that has sent offers on to a target that isn't active and takes 16. */
typedef struct offered {
    rk_kernel source, target;
} offered;

/* The hook takes care of odd ones, or of none. */
static offered offer_on(contract *c, rk_u32 backpressure, rk_u64 send_deadline_ns, rk_u32 count,
                        bool odd_kept)
{
    offered by;
    rk_launch_options to = small(16), from = small(64);
    to.backpressure = backpressure;
    from.send_deadline_ns = send_deadline_ns;
    by.target = launch(c, "taker", "taker", &to);
    by.source = launch(c, "offering", "offering", &from);
    assert_ok(rk_connect(c->runtime, by.source, 0, by.target, 0));
    assert_ok(rk_activate(c->runtime, by.source));
    for (rk_u32 i = 0; i < count; i++) {
        offer f = { i, odd_kept ? i % 2 : 0 };
        assert_ok(rk_send(c->runtime, by.source, RK_BODY(f), 0));
    }
    return by;
}

static void a_replayed_letter_that_was_sent_goes_to_its_target(contract *c)
{
    /* given a kernel whose target refuses what is over its capacity */
    offered by = offer_on(c, RK_BACKPRESSURE_REJECT, 0, 17, false);
    offer f;
    rk_dead_letter letter = take_letter(c, by.source, &f, sizeof f);
    assert_int_equal(letter.was_sent, 1);

    /* when the target has room, then the letter reaches it */
    assert_ok(rk_activate(c->runtime, by.target));
    wait_until(c, account_of(c, by.target).delivered == 16);
    assert_ok(rk_replay_dead(c->runtime, &letter, (rk_kernel){ 0, 0 }));
    wait_until(c, account_of(c, by.target).delivered == 17);

    /* when there are two targets, then the caller says which */
    assert_ok(rk_deactivate(c->runtime, by.source));
    rk_launch_options o = small(64);
    rk_kernel other = launch_active(c, "other", "taker", &o);
    assert_ok(rk_connect(c->runtime, by.source, 0, other, 0));
    assert_status(rk_replay_dead(c->runtime, &letter, (rk_kernel){ 0, 0 }), RK_INVALID_ARGUMENT);
    assert_error_says("say which");
    assert_ok(rk_replay_dead(c->runtime, &letter, other));
    wait_until(c, account_of(c, other).delivered == 1);
}

static void a_letter_that_does_not_fit_stays(contract *c)
{
    rk_kernel k = launch_active(c, "failing", "failing", 0);
    attempt a;
    rk_dead_letter letter;
    assert_status(rk_receive_dead(c->runtime, k, &a, sizeof a, &letter, RK_MILLISECONDS(5)), RK_TIMED_OUT);
    attempt_with(c, k, 9, FAULT_ODD);
    wait_until(c, account_of(c, k).dead_letters == 1);
    assert_status(rk_receive_dead(c->runtime, k, &a, sizeof a - 1, &letter, 0), RK_TOO_SMALL);
    assert_int_equal(letter.length, sizeof a);
    assert_status(rk_receive_dead(c->runtime, k, 0, sizeof a, &letter, 0), RK_INVALID_ARGUMENT);
    assert_status(rk_receive_dead(c->runtime, k, &a, sizeof a, 0, 0), RK_INVALID_ARGUMENT);
    take_letter(c, k, &a, sizeof a);
    assert_int_equal(a.number, 9);
}

typedef struct callback {
    contract *c;
    rk_u32 calls, next;
} callback;

static void count_letter(void *user, const rk_dead_letter *letter)
{
    callback *back = user;
    const attempt *a = letter->payload;
    expect(back->c,
           a->number == back->next && strcmp(letter->reason, "odd") == 0 && letter->length == sizeof *a);
    back->next++;
    __atomic_fetch_add(&back->calls, 1, __ATOMIC_ACQ_REL);
}

static void the_callback_sees_every_letter_in_order(contract *c)
{
    static callback back;
    back = (callback){ c, 0, 0 };
    rk_launch_options o = small(1024);
    o.dead_letter_capacity = 4;
    o.on_dead_letter = count_letter;
    o.dead_letter_user = &back;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    for (rk_u32 i = 0; i < 500; i++) attempt_with(c, k, i, FAULT_ODD);
    settle(c);
    wait_until(c, __atomic_load_n(&back.calls, __ATOMIC_ACQUIRE) == 500);
    wait_until(c, account_of(c, k).dead_letters == 500);
    assert_int_equal(account_of(c, k).dead_letters_lost, 0); /* nothing is lost on who saw it */
    for (rk_u32 i = 496; i < 500; i++) {
        attempt a;
        take_letter(c, k, &a, sizeof a);
        assert_int_equal(a.number, i);
    }
}

/* ------------------------------------------------------------------ sends that their target doesn't take */

typedef struct offering_copy {
    rk_u32 sent, refused, kept, status, last, rest;
} offering_copy;

/* What the hook of "offering" was told: in its state, or of an SPMD kernel in the program. */
static offering_copy told(contract *c, rk_kernel offering)
{
    offering_copy copy = { 0 };
    if (c->variant->style == STYLE_REGIONS) {
        assert_ok(rk_read_state(c->runtime, offering, 0, &copy, sizeof copy));
        return copy;
    }
    copy.sent = (rk_u32)metrics_of(c, offering).processed;
    copy.refused = __atomic_load_n(&contract_controls.refused, __ATOMIC_ACQUIRE);
    copy.kept = __atomic_load_n(&contract_controls.kept, __ATOMIC_ACQUIRE);
    copy.status = __atomic_load_n(&contract_controls.refused_status, __ATOMIC_ACQUIRE);
    copy.last = __atomic_load_n(&contract_controls.refused_last, __ATOMIC_ACQUIRE);
    return copy;
}

static void the_senders_hook_is_asked_before_a_letter_is_written(contract *c)
{
    offered by = offer_on(c, RK_BACKPRESSURE_REJECT, 0, 20, true);
    wait_until(c, metrics_of(c, by.source).processed == 20);
    offering_copy state = told(c, by.source);
    assert_int_equal(state.sent, 20);
    assert_int_equal(state.refused, 4);
    assert_int_equal(state.kept, 2);
    assert_int_equal(state.status, RK_FULL);
    assert_int_equal(state.last, 19);
    for (rk_u32 i = 16; i < 20; i += 2) {
        offer f;
        rk_dead_letter letter = take_letter(c, by.source, &f, sizeof f);
        assert_int_equal(f.number, i);
        assert_int_equal(letter.was_sent, 1);
        assert_string_equal(letter.reason, "RK_FULL");
    }
    rk_account s = account_of(c, by.source), t = account_of(c, by.target);
    assert_int_equal(s.dead_sends, 2);
    assert_int_equal(s.dead_letters, 2);
    assert_int_equal(t.accepted_device, 16);
    assert_int_equal(t.refused_full, 4);
    assert_int_equal(s.delivered, 20);
}

static void sends_that_find_no_room_by_their_deadline_are_letters(contract *c)
{
    offered by = offer_on(c, RK_BACKPRESSURE_BLOCK, RK_MILLISECONDS(20), 20, false);
    settle(c);
    let_pass(c, RK_MILLISECONDS(21));
    wait_until(c, metrics_of(c, by.source).processed == 20);
    assert_true(metrics_of(c, by.source).parks > 0);
    for (rk_u32 i = 16; i < 20; i++) {
        offer f;
        rk_dead_letter letter = take_letter(c, by.source, &f, sizeof f);
        assert_int_equal(f.number, i);
        assert_string_equal(letter.reason, "RK_TIMED_OUT");
    }
    assert_int_equal(account_of(c, by.target).accepted_device, 16);
    assert_int_equal(account_of(c, by.source).dead_sends, 4);
}

static void dropped_and_duplicate_sends_are_only_counted(contract *c)
{
    offered by = offer_on(c, RK_BACKPRESSURE_DROP_NEWEST, 0, 20, false);
    wait_until(c, metrics_of(c, by.source).processed == 20);
    offering_copy state = told(c, by.source);
    assert_int_equal(state.refused, 4); /* the hook is told all the same */
    assert_int_equal(state.status, RK_DROPPED);
    rk_account s = account_of(c, by.source);
    assert_int_equal(s.dead_letters, 0);
    assert_int_equal(s.dead_sends, 0);
    assert_int_equal(account_of(c, by.target).refused_dropped, 4);
}

static const contract_case cases[] = {
    { CASE(a_refused_message_is_a_dead_letter_with_its_reason), ON_EVERY },
    { CASE(reasons_are_counted_by_name), ON_EVERY },
    { CASE(the_newest_letters_are_kept_and_the_loss_is_counted), ON_EVERY },
    { CASE(an_alert_is_given_once_when_the_first_letter_is_let_go), ON_EVERY },
    { CASE(an_alert_is_given_at_the_number_that_was_asked_for), ON_EVERY },
    { CASE(an_alert_that_would_never_come_is_refused), ON_EVERY },
    { CASE(many_letters_are_taken_in_one_call), ON_EVERY },
    { CASE(a_replayed_letter_goes_to_the_kernel_that_had_refused_it), ON_EVERY },
    { CASE(letters_are_replayed_in_their_order_and_not_to_a_kernel_that_has_ended), ON_EVERY },
    { CASE(a_replayed_letter_that_was_sent_goes_to_its_target), ON_EVERY },
    { CASE(a_letter_that_does_not_fit_stays), ON_EVERY },
    { CASE(the_callback_sees_every_letter_in_order), ON_EVERY },
    { CASE(the_senders_hook_is_asked_before_a_letter_is_written), SPMD_NEEDS_CPU },
    { CASE(sends_that_find_no_room_by_their_deadline_are_letters), ON_EVERY },
    { CASE(dropped_and_duplicate_sends_are_only_counted), SPMD_NEEDS_CPU },
};
CONTRACT_MAIN("dead letters", cases)
