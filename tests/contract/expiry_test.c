/* Time to live: counted from the send, for each message on its own. */
#include "lines.h"

#include "runtime/core.h"

static void let_some_grow_old(contract *c, rk_u32 lane)
{
    for (rk_u32 to_dead = 0; to_dead < 2; to_dead++) {
        /* given three messages of which the middle one lives 50 ms */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.expiry = 1;
        o.expired_to_dead = to_dead;
        line l = open_line(c, lane, &o);
        rk_send_options with = RK_SEND_DEFAULTS;
        assert_offer(&l, 1, 0, RK_OK);
        with.ttl_us = 50000;
        assert_offer(&l, 2, &with, RK_OK);
        with.ttl_us = 3600u * 1000000u;
        assert_offer(&l, 3, &with, RK_OK);

        /* when they are looked at after 100 ms, then it has expired and its neighbours have not */
        let_pass(c, RK_MILLISECONDS(100));
        assert_collects(&l, 1, 3);
        assert_int_equal(lane_account(&l).expired, 1);
        assert_int_equal(lane_account(&l).delivered, 2);

        /* and it is a dead letter if that was asked for */
        if (to_dead) {
            package dead;
            rk_dead_letter letter;
            wait_until(c, account_of(c, l.target).dead_letters == 1);
            assert_ok(rk_receive_dead(c->runtime, l.target, &dead, sizeof dead, &letter, RK_NO_WAIT));
            assert_string_equal(letter.reason, rk_status_name(RK_EXPIRED));
            assert_int_equal(dead.number, 2);
        }
        assert_int_equal(account_of(c, l.target).dead_letters, to_dead);
        close_line(&l);
    }
}

static void an_expired_message_is_counted_and_its_neighbours_are_delivered(contract *c)
{
    on_both_lanes(c, let_some_grow_old);
}

static void let_all_grow_old_by_default(contract *c, rk_u32 lane)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.expiry = 1;
    o.default_ttl_us = 50000;
    line l = open_line(c, lane, &o);
    rk_send_options with = RK_SEND_DEFAULTS;
    assert_offer(&l, 1, 0, RK_OK);
    with.ttl_us = 3600u * 1000000u;
    assert_offer(&l, 2, &with, RK_OK);
    let_pass(c, RK_MILLISECONDS(100));
    assert_collects(&l, 2);
    assert_int_equal(lane_account(&l).expired, 1);
    close_line(&l);
}

static void the_default_time_to_live_holds_for_messages_that_say_none(contract *c)
{
    on_both_lanes(c, let_all_grow_old_by_default);
}

static void send_to_a_queue_of_an_hour(contract *c, rk_u32 lane)
{
    /* given a queue that has existed for an hour, and a message that lives two seconds; when it is one second
     * old, then it is delivered */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.expiry = 1;
    line l = open_line(c, lane, &o);
    let_pass(c, RK_SECONDS(3600));
    rk_send_options with = RK_SEND_DEFAULTS;
    with.ttl_us = 2000000;
    assert_offer(&l, 1, &with, RK_OK);
    assert_offer(&l, 2, 0, RK_OK);
    let_pass(c, RK_SECONDS(1));
    assert_collects(&l, 1, 2);
    close_line(&l);
}

static void an_old_queue_delivers_a_message_of_one_second(contract *c)
{
    on_both_lanes(c, send_to_a_queue_of_an_hour);
}

static void an_old_queue_that_workers_serve_does_so_too(contract *c)
{
    rk_runtime_options o = contract_runtime_options(c);
    contract_inject_clock(c, &o);
    contract_reopen(c, &o);
    on_both_lanes(c, send_to_a_queue_of_an_hour);
}

static void send_to_a_clock_that_may_be_off(contract *c, rk_u32 lane)
{
    static const rk_u64 after_ms[] = { 58, 62 };
    for (rk_u32 late = 0; late < 2; late++) {
        /* given a shard whose clock may be 10 ms ahead, and a message that lives 50 ms */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.expiry = 1;
        line l = open_line(c, lane, &o);
        c->runtime->kernels[l.target.number]->seats[0].orders->clock_error_ns = RK_MILLISECONDS(10);
        rk_send_options with = RK_SEND_DEFAULTS;
        with.ttl_us = 50000;
        assert_offer(&l, 1, &with, RK_OK);
        assert_offer(&l, 2, 0, RK_OK);

        /* then it is handled as long as it may be younger than that, and no longer */
        let_pass(c, RK_MILLISECONDS(after_ms[late]));
        if (late)
            assert_collects(&l, 2);
        else
            assert_collects(&l, 1, 2);
        assert_int_equal(lane_account(&l).expired, late);
        close_line(&l);
    }
}

static void nothing_expires_that_may_be_younger_by_what_the_clock_is_off(contract *c)
{
    on_both_lanes(c, send_to_a_clock_that_may_be_off);
}

static const contract_case cases[] = {
    { CASE(an_expired_message_is_counted_and_its_neighbours_are_delivered), ON_EVERY },
    { CASE(the_default_time_to_live_holds_for_messages_that_say_none), ON_EVERY },
    { CASE(an_old_queue_delivers_a_message_of_one_second), NEEDS_STEP },
    { CASE(an_old_queue_that_workers_serve_does_so_too), NEEDS_THREADS | NEEDS_CPU },
    { CASE(nothing_expires_that_may_be_younger_by_what_the_clock_is_off), NEEDS_STEP | NEEDS_CPU },
};

CONTRACT_MAIN("expiry", cases)
