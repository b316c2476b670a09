/* Requests: each gets its own reply, and no reply, a refusal, a late, a second and a wrong one are told
 * apart. */
#include "contract.h"

#include <sched.h>
#include <stdio.h>

#include "../kernels/contract_a.rk.h"

static rk_kernel launch_replier_in(contract *c, rk_u32 format)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.slot_format = format;
    if (format == RK_FORMAT_UNIT) o.deduplication_window = 0;
    return launch_active(c, "replier", "replier", &o);
}

static rk_kernel launch_replier(contract *c) { return launch_replier_in(c, RK_FORMAT_SEQ); }

static rk_status ask(contract *c, rk_kernel k, rk_u32 value, rk_u32 how, response *reply, rk_u64 timeout_ns)
{
    inquiry q = { value, how };
    return rk_request(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), reply, sizeof *reply, timeout_ns);
}

/* Have the reply that was put off sent. */
static void remind(contract *c, rk_kernel k)
{
    reminder r = { 0, 0 };
    inquiry q = { 0, ANSWER_KEPT };
    if (c->variant->style == STYLE_FIBERS)
        assert_ok(rk_send(c->runtime, k, RK_BODY(q), 0));
    else
        assert_ok(rk_send(c->runtime, k, RK_BODY(r), 0));
}

static void assert_answers(contract *c, rk_kernel k, rk_u32 value)
{
    response r = { 0, 0 };
    assert_ok(ask(c, k, value, ANSWER_ONCE, &r, RK_SECONDS(20)));
    assert_int_equal(r.value, 2 * value);
    assert_int_equal(r.asked, value);
}

/* ------------------------------------------------------------------ the outcomes */

/* Replies come by the report lane: whatever its slots are, the outcome is the same. */
static void in_each_format(contract *c, void (*outcome)(contract *c, rk_kernel k))
{
    for (rk_u32 format = RK_FORMAT_SEQ; format <= RK_FORMAT_UNIT; format++) {
        rk_kernel k = launch_replier_in(c, format);
        outcome(c, k);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void assert_many_answers(contract *c, rk_kernel k)
{
    for (rk_u32 i = 0; i < contract_rounds(2000); i++) assert_answers(c, k, i);
}

static void a_request_gets_its_reply(contract *c) { in_each_format(c, assert_many_answers); }

static void assert_no_reply(contract *c, rk_kernel k)
{
    response r;
    assert_status(ask(c, k, 1, ANSWER_NEVER, &r, RK_SECONDS(20)), RK_NO_REPLY);
    assert_answers(c, k, 2);
    wait_until(c, account_of(c, k).delivered == 2);
    assert_int_equal(account_of(c, k).late_replies + account_of(c, k).duplicate_replies, 0);
}

static void a_handler_that_does_not_reply_is_no_reply(contract *c) { in_each_format(c, assert_no_reply); }

static void assert_refuses(contract *c, rk_kernel k)
{
    response r;
    assert_status(ask(c, k, 1, ANSWER_REFUSED, &r, RK_SECONDS(20)), RK_DEAD);
    assert_error_says("odd");
    inquiry q;
    rk_dead_letter letter;
    assert_ok(rk_receive_dead(c->runtime, k, &q, sizeof q, &letter, CONTRACT_PATIENCE));
    assert_int_equal(q.value, 1);
    assert_true(letter.correlation != 0);
    assert_answers(c, k, 2);
}

static void a_handler_that_refuses_is_dead_with_the_reason(contract *c) { in_each_format(c, assert_refuses); }

static void a_second_reply_is_counted_and_disturbs_nobody(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r;
    rk_u32 rounds = contract_rounds(200);
    for (rk_u32 i = 0; i < rounds; i++) {
        assert_ok(ask(c, k, i, ANSWER_TWICE, &r, RK_SECONDS(20)));
        assert_int_equal(r.value, 2 * i); /* the first one counts */
        if (i % 3 == 0) assert_answers(c, k, i);
    }
    wait_until(c, account_of(c, k).duplicate_replies == rounds);
    assert_int_equal(account_of(c, k).late_replies, 0);
}

static void a_late_reply_is_counted_and_disturbs_nobody(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r;
    for (rk_u32 i = 1; i <= 5; i++) {
        assert_status(ask(c, k, i, ANSWER_LATER, &r, RK_MILLISECONDS(5)), RK_TIMED_OUT);
        assert_error_says("late");
        remind(c, k);
        wait_until(c, account_of(c, k).late_replies == i);
        assert_answers(c, k, 100 + i);
    }
    assert_int_equal(account_of(c, k).duplicate_replies, 0);
}

static rk_kernel asked;
static void *ask_for_later(void *argument)
{
    contract *c = argument;
    response r = { 0, 0 };
    if (expect_ok(c, ask(c, asked, 21, ANSWER_LATER, &r, RK_SECONDS(20))))
        expect(c, r.value == 42 && r.asked == 21);
    return 0;
}

static void a_reply_may_be_put_off_to_a_later_message(contract *c)
{
    asked = launch_replier(c);
    for (rk_u32 i = 1; i <= 10; i++) {
        start_thread(c, ask_for_later, c);
        wait_until(c, metrics_of(c, asked).processed == 2 * i - 1);
        remind(c, asked);
        join_threads(c);
    }
    assert_int_equal(account_of(c, asked).late_replies, 0);
}

static void a_reply_of_another_type_or_larger_than_its_room_is_refused(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r = { 0, 0 };
    inquiry q = { 1, ANSWER_ONCE };
    assert_status(ask(c, k, 1, ANSWER_OTHER, &r, RK_SECONDS(20)), RK_UNKNOWN_TYPE);
    assert_status(
        rk_request(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r - 1, RK_SECONDS(20)),
        RK_TOO_SMALL);
    assert_int_equal(r.value, 0); /* nothing was written */
    assert_answers(c, k, 3);
}

/* ------------------------------------------------------------------ time */

static void a_request_ends_by_its_timeout(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    rk_kernel k = launch(c, "replier", "replier", &o); /* not active */
    response r;
    rk_u64 before = contract_now_ns();
    assert_status(ask(c, k, 1, ANSWER_ONCE, &r, RK_MILLISECONDS(30)), RK_TIMED_OUT);
    assert_true(contract_now_ns() - before >= RK_MILLISECONDS(30));
    assert_status(ask(c, k, 2, ANSWER_ONCE, &r, RK_NO_WAIT), RK_TIMED_OUT);
    assert_int_equal(info_of(c, k).queued, 2);
    assert_ok(rk_activate(c->runtime, k)); /* their replies come too late */
    wait_until(c, account_of(c, k).late_replies == 2);
}

static void a_request_that_finds_no_room_ends_by_its_timeout(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.queue_capacity = 16;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "replier", "replier", &o);
    inquiry q = { 0, ANSWER_NEVER };
    response r;
    for (rk_u32 i = 0; i < 16; i++) assert_ok(rk_send(c->runtime, k, RK_BODY(q), 0));
    assert_status(ask(c, k, 1, ANSWER_ONCE, &r, RK_MILLISECONDS(10)), RK_TIMED_OUT);
    assert_int_equal(info_of(c, k).queued, 16);
    assert_int_equal(account_of(c, k).refused_timed_out, 1);
    const rk_u64 before = contract_now_ns();
    assert_status(ask(c, k, 1, ANSWER_ONCE, &r, RK_NO_WAIT),
                  RK_TIMED_OUT); /* and not after the launch's time */
    assert_true(contract_now_ns() - before < RK_SECONDS(5));
}

static void a_request_that_expires_is_told_so(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = o.expiry = 1;
    rk_kernel k = launch(c, "replier", "replier", &o);
    inquiry q = { 1, ANSWER_ONCE };
    response r;
    rk_send_options s = RK_SEND_DEFAULTS;
    s.ttl_us = 1000;
    assert_status(rk_request_with(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, &s,
                                  RK_MILLISECONDS(5)),
                  RK_TIMED_OUT);
    let_expire(c, k, RK_MILLISECONDS(1));
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, account_of(c, k).expired == 1);
    assert_int_equal(account_of(c, k).delivered, 0);
    s.ttl_us = 20000000;
    assert_ok(
        rk_request_with(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, &s, RK_SECONDS(20)));
    assert_int_equal(r.value, 2);
}

/* Given a request that is under way when its time to live ends, then that is its outcome: expired, or dead
 * where those are dead letters. */
static void who_waits_for_a_request_learns_that_it_has_expired(contract *c)
{
    for (rk_u32 to_dead = 0; to_dead < 2; to_dead++) {
        rk_launch_options o = rk_production();
        o.requests = o.expiry = 1;
        o.expired_to_dead = to_dead;
        rk_kernel k = launch(c, "replier", "replier", &o);
        inquiry q = { 1, ANSWER_ONCE };
        response r = { 0, 0 };
        rk_outstanding request;
        rk_send_options s = RK_SEND_DEFAULTS;
        s.ttl_us = 1000;
        assert_ok(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, &s,
                                   CONTRACT_PATIENCE, &request));
        let_expire(c, k, RK_MILLISECONDS(1));
        assert_ok(rk_activate(c->runtime, k));
        settle(c);
        assert_status(rk_request_await(c->runtime, &request, CONTRACT_PATIENCE),
                      to_dead ? RK_DEAD : RK_EXPIRED);
        if (to_dead) assert_error_says(rk_status_name(RK_EXPIRED));
        wait_until(c, account_of(c, k).expired == 1);
        assert_int_equal(account_of(c, k).delivered, 0);
        assert_int_equal(account_of(c, k).dead_letters, to_dead);
        assert_int_equal(r.value, 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

/* ------------------------------------------------------------------ what can't be asked */

static void a_request_that_cannot_be_says_why(contract *c)
{
    rk_kernel plain = launch_active(c, "plain", "replier", 0), k = launch_replier(c);
    response r;
    inquiry q = { 1, ANSWER_ONCE };
    probe p = { 1, 0 };
    rk_send_options s = RK_SEND_DEFAULTS;
    assert_status(ask(c, plain, 1, ANSWER_ONCE, &r, RK_SECONDS(1)), RK_INVALID_ARGUMENT);
    assert_error_says("requests = 1");
    assert_status(rk_request(c->runtime, k, RK_BODY(p), RK_TYPE_ID(response), &r, sizeof r, RK_SECONDS(1)),
                  RK_UNKNOWN_TYPE);
    assert_status(rk_request(c->runtime, k, RK_TYPE_ID(inquiry), &q, sizeof q - 1, RK_TYPE_ID(response), &r,
                             sizeof r, RK_SECONDS(1)),
                  RK_TOO_SMALL);
    assert_status(rk_request(c->runtime, k, RK_TYPE_ID(inquiry), &q, sizeof q + 1, RK_TYPE_ID(response), &r,
                             sizeof r, RK_SECONDS(1)),
                  RK_TOO_LARGE);
    assert_status(rk_request(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), 0, sizeof r, RK_SECONDS(1)),
                  RK_INVALID_ARGUMENT);
    assert_status(
        rk_request_with(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, 0, RK_SECONDS(1)),
        RK_INVALID_ARGUMENT);
    s.flags = RK_FLAG_REPLY;
    assert_status(rk_send(c->runtime, k, RK_BODY(q), &s), RK_INVALID_ARGUMENT);
    assert_error_says("RK_FLAG_REQUEST alone");
    s.flags = 0;
    s.correlation = 3;
    const rk_launch_options brief = small(64); /* short headers */
    rk_kernel echo = launch_active(c, "brief", "echo", &brief);
    assert_status(rk_send(c->runtime, echo, RK_BODY(p), &s), RK_INVALID_ARGUMENT);
    assert_error_says("a message with a correlation needs long headers");
    s.correlation = 0;
    s.options_ = 1;
    assert_status(rk_send(c->runtime, k, RK_BODY(q), &s), RK_INVALID_ARGUMENT);
    assert_error_says("a gap is not zero");
    s.options_ = 0;
    s.options__ = 1;
    assert_status(rk_send_many(c->runtime, k, RK_TYPE_ID(inquiry), &q, sizeof q, 1, &s, 0),
                  RK_INVALID_ARGUMENT);
    assert_status(rk_send_each(c->runtime, k, RK_TYPE_ID(inquiry), &q, sizeof q, 1, &s, 0),
                  RK_INVALID_ARGUMENT);
    assert_error_says("a gap is not zero");
    s.options__ = 0;
    s.id = 5;
    assert_ok(
        rk_request_with(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, &s, RK_SECONDS(20)));
    assert_status(
        rk_request_with(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, &s, RK_SECONDS(20)),
        RK_DUPLICATE);
    assert_answers(c, k, 9);
}

static void *ask_until_gone(void *argument)
{
    contract *c = argument;
    response r;
    rk_status status = ask(c, asked, 1, ANSWER_LATER, &r, RK_SECONDS(30));
    expect(c, status == RK_CLOSED || status == RK_STALE);
    return 0;
}

static void those_who_wait_for_a_reply_learn_that_the_kernel_is_gone(contract *c)
{
    asked = launch_replier(c);
    for (int i = 0; i < 4; i++) start_thread(c, ask_until_gone, c);
    wait_until(c, metrics_of(c, asked).processed == 4);
    rk_u64 before = contract_now_ns();
    assert_ok(rk_terminate(c->runtime, asked, RK_SECONDS(10)));
    join_threads(c);
    assert_true(contract_now_ns() - before < RK_SECONDS(20));
}

/* ------------------------------------------------------------------ many at once */

#define ASKERS 8u

typedef struct asker {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 outcome[6]; /* by ANSWER_* */
} asker;

static void *ask_all_ways(void *argument)
{
    asker *a = argument;
    contract *c = a->c;
    static const rk_u32 ways[] = { ANSWER_ONCE, ANSWER_NEVER, ANSWER_ONCE, ANSWER_REFUSED,
                                   ANSWER_ONCE, ANSWER_TWICE, ANSWER_OTHER };
    static const rk_status expected[] = { RK_OK, RK_OK, RK_NO_REPLY, RK_OK, RK_DEAD, RK_UNKNOWN_TYPE };
    for (rk_u32 i = 0; i < contract_rounds(2000); i++) {
        response r = { 0, 0 };
        rk_u32 value = a->number << 20 | i, how = ways[i % 7];
        inquiry q = { value, how };
        rk_send_options s = RK_SEND_DEFAULTS;
        s.target = i;
        rk_status status = rk_request_with(c->runtime, a->kernel, RK_BODY(q), RK_TYPE_ID(response), &r,
                                           sizeof r, &s, RK_SECONDS(20));
        if (!expect_status(c, status, expected[how])) return 0;
        if (status == RK_OK && !expect(c, r.value == 2 * value && r.asked == value)) return 0;
        a->outcome[how]++;
    }
    return 0;
}

static void eight_threads_get_each_their_own_replies(contract *c)
{
    static asker askers[ASKERS];
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.shards = o.blocks = 3;
    o.dead_letter_capacity = 16;
    rk_kernel k = launch_active(c, "replier", "replier", &o);
    for (rk_u32 i = 0; i < ASKERS; i++) {
        askers[i] = (asker){ c, k, i, { 0 } };
        start_thread(c, ask_all_ways, &askers[i]);
    }
    join_threads(c);
    rk_u64 dead = 0, twice = 0;
    for (rk_u32 i = 0; i < ASKERS; i++) {
        dead += askers[i].outcome[ANSWER_REFUSED];
        twice += askers[i].outcome[ANSWER_TWICE];
    }
    wait_until(c, account_of(c, k).dead_letters == dead);
    wait_until(c, account_of(c, k).duplicate_replies + account_of(c, k).late_replies == twice);
    rk_account a = account_of(c, k);
    assert_int_equal(a.dead, dead);
    assert_int_equal(a.duplicate_replies, twice);
    assert_int_equal(a.accepted, ASKERS * contract_rounds(2000));
}

static void *ask_held(void *argument)
{
    asker *a = argument;
    response r = { 0, 0 };
    if (expect_ok(a->c, ask(a->c, a->kernel, a->number, ANSWER_HELD, &r, RK_SECONDS(20))))
        expect(a->c, r.asked == a->number);
    return 0;
}

static void requests_that_wait_in_a_row_are_answered_in_turn(contract *c)
{
    static asker askers[ASKERS];
    rk_kernel k = launch_replier(c);
    __atomic_store_n(&contract_controls.closed, 1, __ATOMIC_RELEASE);
    for (rk_u32 i = 0; i < ASKERS; i++) {
        askers[i] = (asker){ c, k, i, { 0 } };
        start_thread(c, ask_held, &askers[i]);
    }
    wait_until(c, account_of(c, k).accepted == ASKERS &&
                      __atomic_load_n(&contract_controls.inside, __ATOMIC_ACQUIRE) == 1);
    contract_control_open();
    join_threads(c);
    wait_until(c, account_of(c, k).delivered == ASKERS);
}

/* Given a runtime that was closed, when messages are sent, asked for or received, then each call says so. */
static void messages_of_a_closed_runtime_are_refused(contract *c)
{
    rk_kernel k = launch_replier(c);
    rk_runtime *closed = c->runtime;
    inquiry question = { 1, ANSWER_ONCE };
    response answer;
    rk_reservation slot;
    rk_u64 cleared;
    contract_close(c);
    assert_status(rk_send(closed, k, RK_BODY(question), 0), RK_CLOSED);
    assert_status(rk_send_many(closed, k, RK_TYPE_ID(inquiry), &question, sizeof question, 1, 0, 0),
                  RK_CLOSED);
    assert_status(rk_receive(closed, k, &answer, sizeof answer, 0, RK_SECONDS(1)), RK_CLOSED);
    assert_status(
        rk_request(closed, k, RK_BODY(question), RK_TYPE_ID(response), &answer, sizeof answer, RK_SECONDS(1)),
        RK_CLOSED);
    assert_status(rk_reserve(closed, k, RK_TYPE_ID(inquiry), sizeof question, 0, &slot), RK_CLOSED);
    assert_status(rk_clear(closed, k, &cleared), RK_CLOSED);
    assert_error_says("closed");
}

/* ------------------------------------------------------------------ many outstanding, of one thread */

#define OUTSTANDING 64u

static rk_outstanding start(contract *c, rk_kernel k, rk_u32 value, rk_u32 how, response *reply,
                            rk_u64 timeout_ns)
{
    inquiry q = { value, how };
    rk_outstanding o;
    assert_ok(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), reply, sizeof *reply, 0,
                               timeout_ns, &o));
    return o;
}

static void many_requests_of_one_thread_are_answered_each_by_its_own_reply(contract *c)
{
    rk_kernel k = launch_replier(c);
    rk_outstanding o[OUTSTANDING];
    response r[OUTSTANDING];
    for (rk_u32 round = 0; round < 10; round++) {
        for (rk_u32 i = 0; i < OUTSTANDING; i++)
            o[i] = start(c, k, 100 * round + i, ANSWER_ONCE, &r[i], CONTRACT_PATIENCE);
        settle(c);
        for (rk_u32 i = OUTSTANDING; i-- > 0;) { /* in another order than they were sent */
            assert_ok(rk_request_await(c->runtime, &o[i], CONTRACT_PATIENCE));
            assert_int_equal(r[i].value, 2 * (100 * round + i));
            assert_int_equal(r[i].asked, 100 * round + i);
        }
    }
    assert_int_equal(account_of(c, k).late_replies, 0);
}

static void a_request_that_is_looked_at_too_early_goes_on(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r = { 0, 0 };
    rk_outstanding o = start(c, k, 21, ANSWER_LATER, &r, CONTRACT_PATIENCE);
    assert_status(rk_request_await(c->runtime, &o, RK_NO_WAIT), RK_EMPTY);
    assert_status(rk_request_await(c->runtime, &o, RK_MILLISECONDS(2)), RK_EMPTY);
    settle(c);
    wait_until(c, account_of(c, k).delivered == 1);
    remind(c, k);
    settle(c);
    assert_ok(rk_request_await(c->runtime, &o, CONTRACT_PATIENCE));
    assert_int_equal(r.value, 42);
    assert_status(rk_request_await(c->runtime, &o, RK_NO_WAIT), RK_STALE);
    assert_status(rk_request_abandon(c->runtime, &o), RK_STALE);
}

static void the_reply_to_an_abandoned_request_is_late(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r = { 0, 0 };
    rk_outstanding o = start(c, k, 21, ANSWER_LATER, &r, CONTRACT_PATIENCE), copy = o;
    settle(c);
    wait_until(c, account_of(c, k).delivered == 1);
    assert_ok(rk_request_abandon(c->runtime, &o));
    assert_status(rk_request_abandon(c->runtime, &o), RK_STALE);
    assert_status(rk_request_await(c->runtime, &copy, RK_NO_WAIT), RK_STALE);
    remind(c, k);
    settle(c);
    wait_until(c, account_of(c, k).late_replies == 1);
    assert_int_equal(r.value, 0);
}

static void a_request_is_over_at_its_deadline_whenever_it_is_looked_at(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r = { 0, 0 };
    for (rk_u32 i = 0; i < 2; i++) {
        rk_u64 before = contract_now_ns();
        rk_outstanding o = start(c, k, 21, ANSWER_LATER, &r, RK_MILLISECONDS(5));
        rk_u64 started = contract_now_ns();
        while (i && contract_now_ns() - started < RK_MILLISECONDS(5)) {}
        assert_status(rk_request_await(c->runtime, &o, i ? RK_NO_WAIT : CONTRACT_PATIENCE), RK_TIMED_OUT);
        const rk_u64 took = contract_now_ns() - before;
        assert_true(took >= RK_MILLISECONDS(5) && took < CONTRACT_PATIENCE / 2);
        assert_status(rk_request_await(c->runtime, &o, RK_NO_WAIT), RK_STALE);
    }
}

static void an_outstanding_request_has_the_outcomes_of_others(contract *c)
{
    rk_kernel k = launch_replier(c);
    response r = { 0, 0 };
    static const struct {
        rk_u32 how;
        rk_status status;
    } row[] = { { ANSWER_NEVER, RK_NO_REPLY },
                { ANSWER_REFUSED, RK_DEAD },
                { ANSWER_OTHER, RK_UNKNOWN_TYPE } };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        rk_outstanding o = start(c, k, 1, row[i].how, &r, CONTRACT_PATIENCE);
        settle(c);
        assert_status(rk_request_await(c->runtime, &o, CONTRACT_PATIENCE), row[i].status);
        if (row[i].how == ANSWER_REFUSED) assert_error_says("odd");
    }
    rk_outstanding o = start(c, k, 1, ANSWER_LATER, &r, CONTRACT_PATIENCE);
    settle(c);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_status(rk_request_await(c->runtime, &o, CONTRACT_PATIENCE), RK_CLOSED);
    assert_int_equal(r.value, 0);
}

/* Given a request that was abandoned, and 4,095 others after it, so that the next has its place, when the
 * reply comes at last, then it is late, and the one that waits there goes on. */
static void a_late_reply_is_not_taken_for_that_of_a_later_request(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    o.queue_capacity = 8192;
    o.deduplication_window = 0;
    rk_kernel k = launch_replier(c), other = launch(c, "other", "replier", &o); /* not active */
    response r = { 0, 0 };
    rk_outstanding late = start(c, k, 21, ANSWER_LATER, &r, CONTRACT_PATIENCE);
    settle(c);
    wait_until(c, account_of(c, k).delivered == 1);
    assert_ok(rk_request_abandon(c->runtime, &late));
    for (rk_u32 i = 1; i < 4096; i++) {
        rk_outstanding next = start(c, other, i, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
        assert_ok(rk_request_abandon(c->runtime, &next));
    }
    rk_outstanding waits = start(c, other, 1, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
    remind(c, k);
    settle(c);
    wait_until(c, account_of(c, k).late_replies == 1);
    assert_int_equal(r.value, 0);
    assert_status(rk_request_await(c->runtime, &waits, RK_NO_WAIT), RK_EMPTY);
    assert_ok(rk_request_abandon(c->runtime, &waits));
}

static void the_end_of_one_kernel_ends_no_request_to_another(contract *c)
{
    rk_launch_options o = rk_production();
    o.requests = 1;
    rk_kernel k = launch(c, "replier", "replier", &o), other = launch(c, "other", "replier", &o);
    response r = { 0, 0 };
    rk_outstanding request = start(c, k, 21, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
    rk_outstanding to_other = start(c, other, 22, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
    assert_ok(rk_terminate(c->runtime, other, CONTRACT_PATIENCE));
    assert_status(rk_request_await(c->runtime, &to_other, CONTRACT_PATIENCE), RK_CLOSED);
    assert_status(rk_request_await(c->runtime, &request, RK_NO_WAIT), RK_EMPTY);
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    assert_ok(rk_request_await(c->runtime, &request, CONTRACT_PATIENCE));
    assert_int_equal(r.value, 42);
}

static void one_outstanding_request_too_many_is_refused(contract *c)
{
    static rk_outstanding o[4096];
    rk_launch_options options = rk_production();
    options.requests = 1;
    options.queue_capacity = 8192;
    options.deduplication_window = 0;
    rk_kernel k = launch(c, "replier", "replier", &options); /* not active */
    response r;
    inquiry q = { 1, ANSWER_ONCE };
    rk_outstanding more = { .correlation = 7 };
    for (rk_u32 i = 0; i < 4096; i++) o[i] = start(c, k, i, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
    assert_status(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, 0,
                                   CONTRACT_PATIENCE, &more),
                  RK_LIMIT);
    assert_status(rk_request_await(c->runtime, &more, RK_NO_WAIT), RK_STALE);
    for (rk_u32 i = 0; i < 4096; i++) assert_ok(rk_request_abandon(c->runtime, &o[i]));
    assert_int_equal(info_of(c, k).queued, 4096);
    more = start(c, k, 1, ANSWER_ONCE, &r, CONTRACT_PATIENCE);
    assert_ok(rk_request_abandon(c->runtime, &more));
    assert_status(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), 0, sizeof r, 0, 1, &more),
                  RK_INVALID_ARGUMENT);
    assert_status(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), &r, sizeof r, 0, 1, 0),
                  RK_INVALID_ARGUMENT);
    assert_status(rk_request_await(c->runtime, 0, 1), RK_INVALID_ARGUMENT);
    assert_status(rk_request_abandon(0, &more), RK_INVALID_ARGUMENT);
}

static const contract_case cases[] = {
    { CASE(a_request_gets_its_reply), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_handler_that_does_not_reply_is_no_reply), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_handler_that_refuses_is_dead_with_the_reason), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_second_reply_is_counted_and_disturbs_nobody), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_late_reply_is_counted_and_disturbs_nobody), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_reply_may_be_put_off_to_a_later_message), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_reply_of_another_type_or_larger_than_its_room_is_refused), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(a_request_ends_by_its_timeout), SPMD_NEEDS_CPU },
    { CASE(a_request_that_finds_no_room_ends_by_its_timeout), SPMD_NEEDS_CPU },
    { CASE(a_request_that_expires_is_told_so), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(who_waits_for_a_request_learns_that_it_has_expired), SPMD_NEEDS_CPU },
    { CASE(a_request_that_cannot_be_says_why), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(those_who_wait_for_a_reply_learn_that_the_kernel_is_gone), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(eight_threads_get_each_their_own_replies), NEEDS_THREADS | SPMD_NEEDS_CPU },
    { CASE(requests_that_wait_in_a_row_are_answered_in_turn), NEEDS_THREADS | NEEDS_CPU },
    { CASE(messages_of_a_closed_runtime_are_refused), NEEDS_THREADS | ONCE },
    { CASE(many_requests_of_one_thread_are_answered_each_by_its_own_reply), SPMD_NEEDS_CPU },
    { CASE(a_request_that_is_looked_at_too_early_goes_on), SPMD_NEEDS_CPU },
    { CASE(the_reply_to_an_abandoned_request_is_late), SPMD_NEEDS_CPU },
    { CASE(a_request_is_over_at_its_deadline_whenever_it_is_looked_at), SPMD_NEEDS_CPU },
    { CASE(an_outstanding_request_has_the_outcomes_of_others), SPMD_NEEDS_CPU },
    { CASE(a_late_reply_is_not_taken_for_that_of_a_later_request), SPMD_NEEDS_CPU },
    { CASE(the_end_of_one_kernel_ends_no_request_to_another), SPMD_NEEDS_CPU },
    { CASE(one_outstanding_request_too_many_is_refused), SPMD_NEEDS_CPU },
};
CONTRACT_MAIN("requests", cases)
