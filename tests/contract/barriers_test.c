/* Named barriers between kernels: rounds, who is late, who withdraws, and threads of the host as parties. */
#include "contract.h"

#include "../kernels/pattern_barrier.rk.h"

enum { LEFT = 3, RIGHT = 2, ALL = LEFT + RIGHT, ROUNDS = 100, NAME = 77 };

typedef struct square {
    contract *c;
    rk_kernel keeper, left, right;
} square;

static rk_launch_options of_keeper(void)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.requests = 1;
    o.kernel_name = "keeper";
    o.shards = o.blocks = 2;
    return o;
}

/* Parties 0 … LEFT - 1 are shards of one kernel, the others of another; the keeper has two shards, by name. */
static square open_square(contract *c)
{
    rk_launch_options o = of_keeper();
    rk_route_options by_name = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY, .key_field = "name" };
    square s = { .c = c };
    s.keeper = launch_active(c, "keeper", "keeper", &o);
    o.kernel_name = "walker";
    o.shards = o.blocks = LEFT;
    s.left = launch(c, "left", "walker", &o);
    o.shards = o.blocks = RIGHT;
    s.right = launch(c, "right", "walker", &o);
    assert_ok(rk_connect(c->runtime, s.left, 0, s.keeper, &by_name));
    assert_ok(rk_connect(c->runtime, s.right, 0, s.keeper, &by_name));
    assert_ok(rk_activate(c->runtime, s.left));
    assert_ok(rk_activate(c->runtime, s.right));
    return s;
}

static rk_kernel kernel_of(const square *s, rk_u32 party) { return party < LEFT ? s->left : s->right; }

#define AT_ONCE 1u /* what is not said is no deadline */

static void call(square *s, rk_u32 party, call_keeper m)
{
    m.timeout_ns = m.timeout_ns == 0 ? RK_NO_DEADLINE : m.timeout_ns == AT_ONCE ? RK_NO_WAIT : m.timeout_ns;
    rk_send_options shard = { .target = party < LEFT ? party : party - LEFT };
    m.name = m.name ? m.name : NAME;
    m.party = party;
    m.parties = m.parties ? m.parties : ALL;
    assert_ok(rk_send(s->c->runtime, kernel_of(s, party), RK_BODY(m), &shard));
}

static was_answered answer_of(square *s, rk_u32 party)
{
    was_answered a;
    receive(s->c, kernel_of(s, party), &a);
    return a;
}

/* The next answer is to this party, and it is this. */
static was_answered expect_answer(square *s, rk_u32 party, rk_u32 outcome)
{
    was_answered a = answer_of(s, party);
    assert_int_equal(a.party, party);
    assert_int_equal(a.outcome, outcome);
    return a;
}

static void all_pass_together_round_after_round(contract *c)
{
    square s = open_square(c);
    rk_u32 rounds = contract_rounds(ROUNDS);
    rk_u32 came[ALL] = { 0 };
    for (rk_u32 p = 0; p < ALL; p++) call(&s, p, (call_keeper){ .epoch = 1, .again = rounds });
    for (rk_u32 p = 0; p < ALL; p++) {
        was_answered a = answer_of(&s, p);
        assert_int_equal(a.outcome, RK_BARRIER_PASSED);
        assert_int_equal(a.passed, rounds);
        assert_int_equal(a.epoch, rounds + 2);
        assert_int_equal(a.expected, ALL);
        assert_int_equal(a.missing, 0);
        assert_int_equal(came[a.party]++, 0);
    }
}

static void an_arrival_that_does_not_wait_gives_the_round_up_at_once(contract *c)
{
    square s = open_square(c);
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 2, .timeout_ns = AT_ONCE });
    was_answered a = expect_answer(&s, 0, RK_BARRIER_TIMED_OUT);
    assert_int_equal(a.arrived, 1);
    assert_int_equal(a.epoch, 2);

    /* and one without a deadline waits, however late the other comes */
    call(&s, 0, (call_keeper){ .epoch = 2, .parties = 2 });
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(3600));
    settle(c);
    call(&s, 1, (call_keeper){ .epoch = 2, .parties = 2 });
    for (rk_u32 i = 0; i < 2; i++) assert_int_equal(answer_of(&s, 0).outcome, RK_BARRIER_PASSED);
}

static void two_of_three_and_a_timeout(contract *c)
{
    square s = open_square(c);
    /* given two of three */
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 3, .timeout_ns = RK_SECONDS(1) });
    call(&s, 2, (call_keeper){ .epoch = 1, .parties = 3, .timeout_ns = RK_SECONDS(1) });
    settle(c);
    wait_until(c, account_of(c, s.keeper).delivered == 2);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(1));

    /* then both hear "2 of 3", and who isn't there */
    for (rk_u32 i = 0; i < 2; i++) {
        was_answered a = answer_of(&s, 0);
        assert_int_equal(a.outcome, RK_BARRIER_TIMED_OUT);
        assert_int_equal(a.arrived, 2);
        assert_int_equal(a.expected, 3);
        assert_int_equal(a.missing, 1u << 1);
        assert_int_equal(a.epoch, 2);
    }

    /* when the third comes, then it is late, and completes neither that round nor the next */
    call(&s, 1, (call_keeper){ .epoch = 1, .parties = 3 });
    assert_int_equal(expect_answer(&s, 1, RK_BARRIER_LATE).epoch, 2);
    call(&s, 0, (call_keeper){ .epoch = 2, .parties = 3 });
    call(&s, 2, (call_keeper){ .epoch = 2, .parties = 3 });
    settle(c);
    wait_until(c, account_of(c, s.keeper).delivered == 5);
    call(&s, 1, (call_keeper){ .epoch = 2, .parties = 3 });
    for (rk_u32 i = 0; i < 3; i++) assert_int_equal(answer_of(&s, 0).outcome, RK_BARRIER_PASSED);
}

static void who_withdraws_lets_the_others_pass_and_may_return(contract *c)
{
    square s = open_square(c);
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 3 });
    call(&s, 1, (call_keeper){ .epoch = 1, .parties = 3 });
    settle(c);
    wait_until(c, account_of(c, s.keeper).delivered == 2);
    call(&s, 2, (call_keeper){ .what = RK_BARRIER_WITHDRAW, .parties = 3 });
    rk_u32 outcomes[3];
    for (rk_u32 i = 0; i < 3; i++) {
        was_answered a = answer_of(&s, 0);
        outcomes[a.party] = a.outcome;
    }
    assert_int_equal(outcomes[0], RK_BARRIER_PASSED);
    assert_int_equal(outcomes[1], RK_BARRIER_PASSED);
    assert_int_equal(outcomes[2], RK_BARRIER_DONE);
    call(&s, 2, (call_keeper){ .epoch = 2, .parties = 3 });
    expect_answer(&s, 2, RK_BARRIER_UNKNOWN);

    /* it returns, arrives, and withdraws again: its arrival is answered as well */
    call(&s, 2, (call_keeper){ .what = RK_BARRIER_RETURN, .parties = 3 });
    assert_int_equal(expect_answer(&s, 2, RK_BARRIER_DONE).epoch, 2);
    call(&s, 2, (call_keeper){ .epoch = 2, .parties = 3 });
    call(&s, 2, (call_keeper){ .what = RK_BARRIER_WITHDRAW, .parties = 3 });
    expect_answer(&s, 2, RK_BARRIER_DONE);
    expect_answer(&s, 2, RK_BARRIER_DONE);
}

/* Given a party that asked for a second, withdrew and came back, when another waits for good, then the round goes on. */
static void the_deadline_of_who_withdrew_gives_up_no_round(contract *c)
{
    square s = open_square(c);
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 2, .timeout_ns = RK_SECONDS(1) });
    call(&s, 0, (call_keeper){ .what = RK_BARRIER_WITHDRAW, .parties = 2 });
    expect_answer(&s, 0, RK_BARRIER_DONE);
    expect_answer(&s, 0, RK_BARRIER_DONE); /* that of its arrival */
    call(&s, 0, (call_keeper){ .what = RK_BARRIER_RETURN, .parties = 2 });
    expect_answer(&s, 0, RK_BARRIER_DONE);
    call(&s, 1, (call_keeper){ .epoch = 1, .parties = 2 });
    settle(c);
    wait_until(c, account_of(c, s.keeper).delivered == 4);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(1));
    settle(c);
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 2 });
    for (rk_u32 i = 0; i < 2; i++) {
        was_answered a = answer_of(&s, 0);
        assert_int_equal(a.outcome, RK_BARRIER_PASSED);
        assert_int_equal(a.epoch, 2);
    }
}

static void what_cannot_be_is_answered_so(contract *c)
{
    square s = open_square(c);
    call(&s, 0, (call_keeper){ .epoch = 1 });
    settle(c);
    wait_until(c, account_of(c, s.keeper).delivered == 1);
    call(&s, 1, (call_keeper){ .epoch = 2 });
    expect_answer(&s, 1, RK_BARRIER_EARLY);
    call(&s, 0, (call_keeper){ .epoch = 1 });
    expect_answer(&s, 0, RK_BARRIER_DUPLICATE);
    call(&s, 1, (call_keeper){ .epoch = 1, .parties = ALL + 1 });
    expect_answer(&s, 1, RK_BARRIER_UNKNOWN);
    call(&s, 1, (call_keeper){ .epoch = 1, .name = 5, .parties = RK_BARRIER_PARTIES + 1 });
    expect_answer(&s, 1, RK_BARRIER_NO_ROOM);
    call(&s, 1, (call_keeper){ .what = 3 });
    expect_answer(&s, 1, RK_BARRIER_NO_ROOM);
    for (rk_u64 name = 1000; name < 1100; name++) { /* and takes nobody's place */
        call(&s, 3, (call_keeper){ .name = name, .epoch = 1, .parties = 1 });
        expect_answer(&s, 3, RK_BARRIER_UNKNOWN);
        call(&s, 0, (call_keeper){ .name = name, .epoch = 2, .parties = 1 });
        expect_answer(&s, 0, RK_BARRIER_EARLY);
    }
}

static void a_name_without_room_is_refused_until_one_is_free(contract *c)
{
    /* given names until a shard of the keeper has no room */
    square s = open_square(c);
    rk_u64 name = 100;
    for (;; name++) {
        assert_true(name < 200);
        call(&s, 0, (call_keeper){ .name = name, .what = RK_BARRIER_RETURN, .parties = 1 });
        if (answer_of(&s, 0).outcome == RK_BARRIER_NO_ROOM) break;
    }
    /* when all others are withdrawn, then there is */
    for (rk_u64 n = 100; n < name; n++) {
        call(&s, 0, (call_keeper){ .name = n, .what = RK_BARRIER_WITHDRAW, .parties = 1 });
        expect_answer(&s, 0, RK_BARRIER_DONE);
    }
    call(&s, 0, (call_keeper){ .name = name, .epoch = 1, .parties = 1 });
    expect_answer(&s, 0, RK_BARRIER_PASSED);
}

/* Given an arrival, when the keeper fails with it, handled and not committed, and is launched again, then the arrival that
 * comes again waits on, and has one answer. */
static void a_keeper_that_fails_and_is_launched_again_answers_each_arrival_once(contract *c)
{
    square s = open_square(c);
    rk_launch_options o = of_keeper();
    assert_ok(rk_deactivate(c->runtime, s.keeper));
    call(&s, 0, (call_keeper){ .epoch = 1, .parties = 2 });
    wait_until(c, account_of(c, s.keeper).queued == 1);
    assert_ok(rk_fail_before_commit(c->runtime, s.keeper));
    assert_ok(rk_activate(c->runtime, s.keeper));
    wait_until(c, info_of(c, s.keeper).life == RK_LIFE_FAILED);
    assert_ok(rk_relaunch(c->runtime, s.keeper, &o, CONTRACT_PATIENCE));
    wait_until(c, account_of(c, s.keeper).delivered == 1);

    call(&s, 1, (call_keeper){ .epoch = 1, .parties = 2 });
    for (rk_u32 i = 0; i < 2; i++) {
        was_answered a = answer_of(&s, 0);
        assert_int_equal(a.outcome, RK_BARRIER_PASSED);
        assert_int_equal(a.epoch, 2);
    }
    settle(c);
    was_answered none;
    assert_status(rk_receive(c->runtime, s.left, &none, sizeof none, 0, RK_NO_WAIT), RK_EMPTY);
}

typedef struct host_party {
    contract *c;
    rk_kernel keeper;
    rk_u32 party, passed;
} host_party;

static void *arrive_from_the_host(void *argument)
{
    host_party *h = argument;
    for (rk_u32 epoch = 1; epoch <= 20; epoch++) {
        rk_barrier_call m = {
            .name = NAME, .party = h->party, .parties = 4, .epoch = epoch, .timeout_ns = RK_NO_DEADLINE
        };
        rk_barrier_answer a;
        if (!expect_ok(h->c, rk_request(h->c->runtime, h->keeper, RK_BODY(m), RK_BODY(a), CONTRACT_PATIENCE)))
            break;
        h->passed += a.outcome == RK_BARRIER_PASSED && a.epoch == epoch + 1;
    }
    return 0;
}

static void threads_of_the_host_and_kernels_pass_together(contract *c)
{
    /* given two threads and two shards */
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.requests = 1;
    o.kernel_name = "keeper";
    square s = { .c = c };
    s.keeper = launch_active(c, "keeper", "keeper", &o);
    o.kernel_name = "walker";
    o.shards = o.blocks = LEFT;
    s.left = launch(c, "left", "walker", &o);
    assert_ok(rk_connect(c->runtime, s.left, 0, s.keeper, 0));
    assert_ok(rk_activate(c->runtime, s.left));
    host_party host[] = { { c, s.keeper, 2, 0 }, { c, s.keeper, 3, 0 } };
    for (rk_u32 i = 0; i < 2; i++) start_thread(c, arrive_from_the_host, &host[i]);
    for (rk_u32 p = 0; p < 2; p++) call(&s, p, (call_keeper){ .epoch = 1, .parties = 4, .again = 19 });

    /* then all four pass twenty rounds */
    for (rk_u32 p = 0; p < 2; p++) {
        was_answered a = answer_of(&s, 0);
        assert_int_equal(a.outcome, RK_BARRIER_PASSED);
        assert_int_equal(a.epoch, 21);
    }
    join_threads(c);
    assert_int_equal(host[0].passed, 20);
    assert_int_equal(host[1].passed, 20);
}

static const contract_case cases[] = {
    { CASE(all_pass_together_round_after_round), NEEDS_REGIONS },
    { CASE(two_of_three_and_a_timeout), NEEDS_REGIONS },
    { CASE(an_arrival_that_does_not_wait_gives_the_round_up_at_once), NEEDS_REGIONS },
    { CASE(who_withdraws_lets_the_others_pass_and_may_return), NEEDS_REGIONS },
    { CASE(the_deadline_of_who_withdrew_gives_up_no_round), NEEDS_REGIONS },
    { CASE(what_cannot_be_is_answered_so), NEEDS_REGIONS },
    { CASE(a_name_without_room_is_refused_until_one_is_free), NEEDS_REGIONS },
    { CASE(a_keeper_that_fails_and_is_launched_again_answers_each_arrival_once), NEEDS_REGIONS },
    { CASE(threads_of_the_host_and_kernels_pass_together), NEEDS_REGIONS | NEEDS_THREADS },
};

CONTRACT_MAIN("barriers", cases)
