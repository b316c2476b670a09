/* Rate limits: a producer makes no more than its rate allows, and no more than its consumer takes. */
#include "contract.h"

#include "../kernels/pattern_limit.rk.h"

typedef struct shop {
    contract *c;
    rk_kernel maker, taker;
} shop;

/* The consumer is not active. */
static shop open_shop_with(contract *c, rk_u64 send_deadline_ns)
{
    rk_launch_options maker = rk_production(), taker = rk_production();
    maker.kernel_name = "maker";
    taker.kernel_name = "taker_of_goods";
    maker.deduplication_window = taker.deduplication_window = 0;
    maker.send_deadline_ns = send_deadline_ns;
    taker.queue_capacity = 16;
    taker.output_capacity = 4096;
    shop s = { c, launch(c, "maker", "", &maker), launch(c, "taker", "", &taker) };
    assert_ok(rk_connect(c->runtime, s.maker, "sale", s.taker, 0));
    assert_ok(rk_activate(c->runtime, s.maker));
    return s;
}

static shop open_shop(contract *c) { return open_shop_with(c, RK_NO_DEADLINE); }

static production_began order(shop *s, production p)
{
    production_began b;
    assert_ok(rk_send(s->c->runtime, s->maker, RK_BODY(p), 0));
    receive(s->c, s->maker, &b);
    return b;
}

static goods bought(shop *s)
{
    goods g;
    receive(s->c, s->taker, &g);
    return g;
}

static rk_u64 sold(shop *s) { return account_of(s->c, s->taker).accepted_device; }

static void nothing_is_made_before_its_time(contract *c)
{
    enum { BURST = 5, ALL = 45 };
    const rk_u64 each_ns = RK_MILLISECONDS(2);
    shop s = open_shop(c);
    assert_ok(rk_activate(c->runtime, s.taker));
    production_began b =
        order(&s, (production){ .count = ALL, .period_ns = 7 * each_ns, .burst = BURST, .tokens = 7 });
    assert_int_equal(b.status, RK_OK);
    for (rk_u32 i = 0; i < ALL; i++) {
        if (c->variant->single_step && i >= BURST) let_pass(c, each_ns);
        goods g = bought(&s);
        assert_int_equal(g.number, i);
        rk_u64 due = b.began_ns + (i < BURST ? 0 : (i - BURST + 1) * each_ns);
        assert_true(g.made_ns >= due);
        if (c->variant->single_step) assert_int_equal(g.made_ns, due);
    }
}

static void what_is_more_than_one_call_may_send_goes_on_in_the_next(contract *c)
{
    shop s = open_shop(c);
    assert_ok(rk_activate(c->runtime, s.taker));
    order(&s, (production){
                  .count = 10 * GOODS_AT_ONCE + 3, .period_ns = RK_SECONDS(1), .burst = 1000, .tokens = 1 });
    for (rk_u32 i = 0; i < 10 * GOODS_AT_ONCE + 3; i++) assert_int_equal(bought(&s).number, i);
}

static void a_slow_consumer_slows_the_producer_and_nothing_is_lost(contract *c)
{
    enum { ALL = 1000 };
    shop s = open_shop(c);
    order(&s, (production){ .count = ALL, .period_ns = RK_SECONDS(1), .burst = 8, .tokens = 1000000 });

    /* given a consumer that takes nothing: the producer makes what finds room, and stops */
    for (rk_u32 i = 0; c->variant->single_step && i < 20; i++) {
        let_pass(c, RK_MILLISECONDS(1));
        settle(c);
    }
    wait_until(c, metrics_of(c, s.maker).parks > 0 && sold(&s) == 16);
    for (rk_u32 i = 0; i < 5; i++) {
        let_pass(c, RK_MILLISECONDS(1));
        settle(c);
        assert_int_equal(sold(&s), 16);
    }
    assert_true(account_of(c, s.maker).sent <= 16 + 1); /* and what it told the host */

    /* when it wakes up, all of it comes, in order */
    assert_ok(rk_activate(c->runtime, s.taker));
    for (rk_u32 i = 0; i < ALL; i++) {
        if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(1));
        assert_int_equal(bought(&s).number, i);
    }
    rk_account a = account_of(c, s.maker);
    assert_int_equal(a.dead_letters, 0);
    assert_int_equal(a.dead_sends, 0);
    assert_int_equal(sold(&s), ALL);
}

static void with_a_deadline_what_was_made_for_a_slow_consumer_is_dead_letters(contract *c)
{
    enum { ALL = 20, ROOM = 16 };
    shop s = open_shop_with(c, RK_MILLISECONDS(5));
    order(&s, (production){ .count = ALL, .period_ns = RK_SECONDS(1), .burst = ALL, .tokens = 1000000 });
    for (rk_u32 i = 0; c->variant->single_step && i < ALL; i++) {
        settle(c);
        let_pass(c, RK_MILLISECONDS(5));
    }
    wait_until(c, account_of(c, s.maker).dead_letters == ALL - ROOM);
    wait_until(c, account_of(c, s.maker).dead_sends == ALL - ROOM); /* counted behind its letter */
    goods g;
    rk_dead_letter letter;
    for (rk_u32 i = ROOM; i < ALL; i++) {
        assert_ok(rk_receive_dead(c->runtime, s.maker, &g, sizeof g, &letter, RK_NO_WAIT));
        assert_int_equal(g.number, i);
        assert_string_equal(letter.reason, rk_status_name(RK_TIMED_OUT));
    }
    assert_ok(rk_activate(c->runtime, s.taker));
    for (rk_u32 i = 0; i < ROOM; i++) assert_int_equal(bought(&s).number, i);
}

static void a_pause_is_not_made_up_for(contract *c)
{
    /* given a producer that could have made a thousand while it was parked */
    shop s = open_shop(c);
    production_began b =
        order(&s, (production){ .count = 100, .period_ns = RK_MILLISECONDS(1), .burst = 20, .tokens = 1 });
    settle(c);
    wait_until(c, metrics_of(c, s.maker).parks > 0); /* with 4 of its first 20 */
    let_pass(c, RK_SECONDS(1));
    assert_ok(rk_activate(c->runtime, s.taker));
    for (rk_u32 i = 0; i < 40; i++)
        assert_int_equal(bought(&s).number, i); /* its first 20, and a full bucket */
    rk_received info;
    goods g;
    assert_status(rk_receive(c->runtime, s.taker, &g, sizeof g, &info, RK_NO_WAIT), RK_EMPTY);
    let_pass(c, RK_MILLISECONDS(1));
    g = bought(&s);
    assert_int_equal(g.number, 40);
    assert_int_equal(g.made_ns, b.began_ns + RK_SECONDS(1) + RK_MILLISECONDS(1));
}

static void a_drain_waits_for_what_is_held_back(contract *c)
{
    shop s = open_shop(c);
    assert_ok(rk_activate(c->runtime, s.taker));
    order(&s, (production){ .count = 20, .period_ns = RK_MILLISECONDS(2), .burst = 5, .tokens = 1 });
    for (rk_u32 i = 0; c->variant->single_step && i < 15; i++) {
        let_pass(c, RK_MILLISECONDS(2));
        settle(c);
    }
    rk_kernel both[] = { s.maker, s.taker };
    assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE));
    for (rk_u32 i = 0; i < 20; i++) assert_int_equal(bought(&s).number, i);
}

static void a_rate_that_cannot_be_is_refused(contract *c)
{
    static const production wrong[] = {
        { 1, 0, 1, 1, 0 }, { 1, 1, 0, 1, 0 }, { 1, 1, 1, 0, 0 }, { 1, 1ull << 40, 1 << 30, 1, 0 }
    };
    shop s = open_shop(c);
    for (rk_u32 i = 0; i < 4; i++) assert_int_equal(order(&s, wrong[i]).status, RK_INVALID_ARGUMENT);
    settle(c);
    assert_int_equal(sold(&s), 0);
}

static const contract_case cases[] = {
    { CASE(nothing_is_made_before_its_time), ON_EVERY },
    { CASE(what_is_more_than_one_call_may_send_goes_on_in_the_next), ON_EVERY },
    { CASE(a_slow_consumer_slows_the_producer_and_nothing_is_lost), ON_EVERY },
    { CASE(with_a_deadline_what_was_made_for_a_slow_consumer_is_dead_letters), ON_EVERY },
    { CASE(a_pause_is_not_made_up_for), NEEDS_STEP },
    { CASE(a_drain_waits_for_what_is_held_back), ON_EVERY },
    { CASE(a_rate_that_cannot_be_is_refused), ON_EVERY },
};
CONTRACT_MAIN("rate limit", cases)
