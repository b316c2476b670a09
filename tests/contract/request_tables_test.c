/* Requests between kernels: each ends once, by its reply, its deadline or its cancellation, and every other reply is told
 * for what it is. */
#include "contract.h"

#include "../kernels/pattern_request.rk.h"

enum { SEEKERS = 3, ORACLES = 2, MANY = 2000 };

#define NEVER_NS RK_SECONDS(3600)

typedef struct temple {
    contract *c;
    rk_kernel seeker, oracle;
} temple;

static rk_launch_options of(const char *kernel, rk_u32 shards)
{
    rk_launch_options o = rk_production();
    o.kernel_name = kernel;
    o.shards = o.blocks = shards;
    o.deduplication_window = 0;
    o.requests = 1;
    return o;
}

static temple open_temple(contract *c)
{
    rk_launch_options seeker = of("seeker", SEEKERS), oracle = of("oracle", ORACLES);
    temple t = { c, launch(c, "seeker", "", &seeker), launch(c, "oracle", "", &oracle) };
    assert_ok(rk_connect(c->runtime, t.seeker, "oracle_route", t.oracle, 0));
    assert_ok(rk_activate(c->runtime, t.seeker));
    assert_ok(rk_activate(c->runtime, t.oracle));
    return t;
}

static void ask(temple *t, rk_u64 number, rk_u32 how, rk_u64 timeout_ns)
{
    ask_order o = { number, number + 5, timeout_ns, (rk_u32)(number % 7), how };
    assert_ok(
        rk_send(t->c->runtime, t->seeker, RK_BODY(o), &(rk_send_options){ .target = number % SEEKERS }));
}

static asked outcome(temple *t)
{
    asked a;
    receive(t->c, t->seeker, &a);
    return a;
}

/* When so many questions have reached the oracle, what it holds of them. */
static void let_all_go(temple *t, rk_u32 questions)
{
    let_go go = { 0 };
    wait_until(t->c, account_of(t->c, t->oracle).delivered == questions);
    for (rk_u32 s = 0; s < ORACLES; s++)
        assert_ok(rk_send(t->c->runtime, t->oracle, RK_BODY(go), &(rk_send_options){ .target = s }));
}

static asked_counts counts(temple *t, rk_u32 shard)
{
    count_ask ask_counts = { 0 };
    asked_counts n;
    assert_ok(rk_send(t->c->runtime, t->seeker, RK_BODY(ask_counts), &(rk_send_options){ .target = shard }));
    receive(t->c, t->seeker, &n);
    return n;
}

/* So many replies of each kind at this shard, in the order of RK_REPLY_*. */
static void assert_came(temple *t, rk_u32 shard, const rk_u64 came[6])
{
    rk_u64 all = 0;
    for (rk_u32 kind = 0; kind < 6; kind++) all += came[kind];
    asked_counts n;
    rk_u64 so_far, until = contract_now_ns() + CONTRACT_PATIENCE;
    do {
        assert_true(contract_now_ns() < until);
        n = counts(t, shard);
        so_far = 0;
        for (rk_u32 kind = 0; kind < 6; kind++) so_far += n.came[kind];
    } while (so_far < all);
    assert_memory_equal(n.came, came, sizeof n.came);
}

static void every_request_gets_its_own_reply_at_its_own_shard(contract *c)
{
    temple t = open_temple(c);
    static rk_u8 came[MANY];
    memset(came, 0, sizeof came);
    rk_u32 sent = 0, waiting = 0;
    for (rk_u32 done = 0; done < MANY; done++) {
        for (; sent < MANY && waiting < ASKED_MOST; waiting++) ask(&t, sent++, ANSWER_NOW, NEVER_NS);
        asked a = outcome(&t);
        waiting--;
        assert_int_equal(a.outcome, ASKED_ANSWERED);
        assert_in_range(a.number, 0, MANY - 1);
        assert_int_equal(a.value, 2 * (a.number + 5));
        assert_int_equal(a.shard, a.number % SEEKERS);
        assert_int_equal(came[a.number]++, 0);
    }
    rk_u64 right = 0;
    for (rk_u32 s = 0; s < SEEKERS; s++) {
        asked_counts n = counts(&t, s);
        right += n.came[0];
        assert_int_equal(n.opened, n.came[0]);
        assert_int_equal(n.waiting, 0);
    }
    assert_int_equal(right, MANY);
}

static void a_request_without_a_reply_expires_and_one_that_comes_then_is_late(contract *c)
{
    temple t = open_temple(c);
    ask(&t, 6, ANSWER_NOW, NEVER_NS);
    asked a = outcome(&t);
    assert_int_equal(a.number, 6);
    ask(&t, 0, ANSWER_HELD, RK_MILLISECONDS(40));
    ask(&t, 3, ANSWER_NEVER, RK_MILLISECONDS(20));
    if (c->variant->single_step) { /* the earlier deadline comes first, whatever was asked first */
        rk_received info;
        settle(c);
        let_pass(c, RK_MILLISECONDS(20) - 1);
        settle(c);
        assert_status(rk_receive(c->runtime, t.seeker, &a, sizeof a, &info, RK_NO_WAIT), RK_EMPTY);
        let_pass(c, 1);
        a = outcome(&t);
        assert_int_equal(a.number, 3);
        assert_int_equal(a.outcome, ASKED_EXPIRED);
        let_pass(c, RK_MILLISECONDS(20));
        a = outcome(&t);
        assert_int_equal(a.number, 0);
        assert_int_equal(a.outcome, ASKED_EXPIRED);
    } else {
        rk_u64 numbers = 0;
        for (rk_u32 i = 0; i < 2; i++) {
            a = outcome(&t);
            assert_int_equal(a.outcome, ASKED_EXPIRED);
            numbers += a.number;
        }
        assert_int_equal(numbers, 3);
    }
    let_all_go(&t, 3);
    assert_came(&t, 0, (const rk_u64[6]){ [0] = 1, [2] = 1 });
    assert_int_equal(counts(&t, 0).expired, 2);
}

static void a_request_that_does_not_wait_is_due_at_once_and_one_without_a_deadline_never(contract *c)
{
    temple t = open_temple(c);
    ask(&t, 0, ANSWER_HELD, RK_NO_WAIT);
    asked a = outcome(&t);
    assert_int_equal(a.number, 0);
    assert_int_equal(a.outcome, ASKED_EXPIRED);
    ask(&t, 3, ANSWER_HELD, RK_NO_DEADLINE);
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(3600));
    settle(c);
    let_all_go(&t, 2);
    a = outcome(&t);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.outcome, ASKED_ANSWERED);
    rk_kernel both[] = { t.seeker, t.oracle };
    assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE)); /* nothing is asked of the timer any more */
}

static void a_second_reply_is_told_from_a_late_one_and_from_one_to_nothing(contract *c)
{
    temple t = open_temple(c);
    ask(&t, 0, ANSWER_TWICE, NEVER_NS);
    ask(&t, 3, ANSWER_WRONG, NEVER_NS);
    assert_int_equal(outcome(&t).number, 0);
    assert_came(&t, 0, (const rk_u64[6]){ [0] = 1, [1] = 1, [5] = 1 });
    assert_int_equal(counts(&t, 0).waiting, 1); /* the one that was answered wrongly waits on */
}

static void a_cancelled_request_has_no_outcome_and_its_reply_is_counted(contract *c)
{
    temple t = open_temple(c);
    ask(&t, 0, ANSWER_HELD, c->variant->single_step ? RK_MILLISECONDS(30) : NEVER_NS);
    cancel_order stop = { 0 };
    assert_ok(rk_send(c->runtime, t.seeker, RK_BODY(stop), 0));
    asked a = outcome(&t);
    assert_int_equal(a.outcome, ASKED_CANCELLED);
    assert_int_equal(a.value, 0); /* it was waited for */
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(31));
    let_all_go(&t, 1);
    assert_came(&t, 0, (const rk_u64[6]){ [3] = 1 });
    assert_ok(rk_send(c->runtime, t.seeker, RK_BODY(stop), 0));
    assert_int_equal(outcome(&t).value, 3); /* and is not any more */
    assert_int_equal(counts(&t, 0).cancelled, 1);
    assert_int_equal(counts(&t, 0).expired, 0);
}

static void a_full_table_refuses_until_a_reply_has_come(contract *c)
{
    temple t = open_temple(c);
    for (rk_u32 i = 0; i < ASKED_MOST; i++) ask(&t, SEEKERS * i, ANSWER_HELD, NEVER_NS);
    ask(&t, SEEKERS * ASKED_MOST, ANSWER_NOW, NEVER_NS);
    asked a = outcome(&t);
    assert_int_equal(a.outcome, ASKED_REFUSED);
    assert_int_equal(a.status, RK_FULL);
    assert_int_equal(counts(&t, 0).refused, 1);
    ask(&t, 1, ANSWER_NOW, NEVER_NS); /* another shard has a table of its own */
    assert_int_equal(outcome(&t).number, 1);
    let_all_go(&t, ASKED_MOST + 1);
    for (rk_u32 i = 0; i < ASKED_MOST; i++) assert_int_equal(outcome(&t).outcome, ASKED_ANSWERED);
    ask(&t, 0, ANSWER_NOW, NEVER_NS);
    assert_int_equal(outcome(&t).outcome, ASKED_ANSWERED);
}

static void a_relaunch_keeps_what_is_waited_for(contract *c)
{
    temple t = open_temple(c);
    ask(&t, 0, ANSWER_HELD, NEVER_NS);
    ask(&t, 3, ANSWER_NEVER, RK_MILLISECONDS(200));
    wait_until(c, account_of(c, t.oracle).delivered == 2);

    /* when the one that asks is launched again with other options */
    rk_launch_options o = of("seeker", SEEKERS);
    o.queue_capacity = 512;
    assert_ok(rk_relaunch(c->runtime, t.seeker, &o, CONTRACT_PATIENCE));

    /* then a request is over by its deadline, and the other one has its reply */
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(200));
    asked a = outcome(&t);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.outcome, ASKED_EXPIRED);
    let_all_go(&t, 2);
    a = outcome(&t);
    assert_int_equal(a.number, 0);
    assert_int_equal(a.outcome, ASKED_ANSWERED);
    assert_int_equal(a.value, 10);
}

/* Given an asker that has forgotten what it had asked, when the reply comes and it has asked anew, then it isn't taken
 * for the new one's. */
static void a_reply_to_an_asker_that_has_begun_anew_is_not_the_right_one(contract *c)
{
    temple t = open_temple(c);
    rk_supervised child = { .kernel = t.seeker, .state = RK_STATE_RESET };
    rk_supervisor *s;
    rk_supervisor_info info;
    assert_ok(rk_supervise(c->runtime, 0, &child, 1, &s));
    ask(&t, 0, ANSWER_HELD, NEVER_NS);
    wait_until(c, account_of(c, t.oracle).delivered == 1);
    let_pass(c, RK_MILLISECONDS(1));

    /* its shard fails with the next one */
    assert_ok(rk_fail_before_commit(c->runtime, t.seeker));
    ask(&t, 3, ANSWER_HELD, NEVER_NS);
    settle(c);
    if (c->variant->single_step) rk_supervisor_look(s);
    wait_until(c, rk_supervisor_information(s, &info) == RK_OK && info.restarted == 1);
    wait_until(c, account_of(c, t.oracle).delivered == 3); /* that one comes again */
    let_all_go(&t, 3);

    asked a = outcome(&t);
    assert_int_equal(a.outcome, ASKED_ANSWERED);
    assert_int_equal(a.number, 3);
    assert_int_equal(a.value, 2 * (3 + 5));
    assert_int_equal(counts(&t, 0).came[0], 1);
    assert_int_equal(counts(&t, 0).waiting, 0);
    assert_ok(rk_unsupervise(s));
}

static void an_oracle_that_is_gone_is_a_request_that_expires(contract *c)
{
    temple t = open_temple(c);
    assert_ok(rk_terminate(c->runtime, t.oracle, CONTRACT_PATIENCE));
    ask(&t, 0, ANSWER_NOW, RK_MILLISECONDS(10));
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(10));
    asked a = outcome(&t);
    assert_int_equal(a.number, 0);
    assert_int_equal(a.outcome, ASKED_EXPIRED);
    wait_until(c, account_of(c, t.seeker).dead_letters == 1); /* the request itself */
}

static void without_a_timer_or_long_headers_nothing_is_opened(contract *c)
{
    rk_launch_options o = of("seeker_without_timer", 1);
    temple t = { c, launch_active(c, "hookless", "", &o), { 0, 0 } };
    ask(&t, 0, ANSWER_NOW, NEVER_NS);
    assert_int_equal(outcome(&t).status, RK_UNSUPPORTED);
    o = of("seeker", 1);
    o.requests = 0;
    t.seeker = launch_active(c, "short", "", &o);
    ask(&t, 0, ANSWER_NOW, NEVER_NS);
    assert_int_equal(outcome(&t).status, RK_UNSUPPORTED);
}

static void asker_and_asked_are_drained_together(contract *c)
{
    temple t = open_temple(c);
    for (rk_u32 i = 0; i < ASKED_MOST; i++) ask(&t, i, ANSWER_NOW, RK_SECONDS(1));
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(1)); /* what was asked of the timer */
    rk_kernel both[] = { t.seeker, t.oracle };
    assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < ASKED_MOST; i++) assert_int_equal(outcome(&t).outcome, ASKED_ANSWERED);
}

static const contract_case cases[] = {
    { CASE(every_request_gets_its_own_reply_at_its_own_shard), ON_EVERY },
    { CASE(a_request_without_a_reply_expires_and_one_that_comes_then_is_late), ON_EVERY },
    { CASE(a_request_that_does_not_wait_is_due_at_once_and_one_without_a_deadline_never), ON_EVERY },
    { CASE(a_second_reply_is_told_from_a_late_one_and_from_one_to_nothing), ON_EVERY },
    { CASE(a_cancelled_request_has_no_outcome_and_its_reply_is_counted), ON_EVERY },
    { CASE(a_full_table_refuses_until_a_reply_has_come), ON_EVERY },
    { CASE(a_relaunch_keeps_what_is_waited_for), ON_EVERY },
    { CASE(a_reply_to_an_asker_that_has_begun_anew_is_not_the_right_one), ON_EVERY },
    { CASE(an_oracle_that_is_gone_is_a_request_that_expires), ON_EVERY },
    { CASE(without_a_timer_or_long_headers_nothing_is_opened), ON_EVERY },
    { CASE(asker_and_asked_are_drained_together), ON_EVERY },
};
CONTRACT_MAIN("request tables", cases)
