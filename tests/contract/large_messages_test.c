/* Messages over 1 KiB, which lie in pools of their senders, when those are launched again or go. */
#include "contract.h"

#include "../../src/runtime/core.h"

#include "../kernels/contract_a_large.rk.h"

static void send_crates(contract *c, rk_kernel k, rk_u32 first, rk_u32 count)
{
    static unsigned char bytes[CRATE_MAX];
    for (rk_u32 i = first; i < first + count; i++) {
        memset(bytes, (int)(i + 1), sizeof bytes);
        assert_ok(rk_send(c->runtime, k, RK_TYPE_ID(crate), bytes, 2000 + i, 0));
    }
}

static void assert_crates(contract *c, rk_kernel k, rk_u32 first, rk_u32 count)
{
    static unsigned char bytes[CRATE_MAX];
    for (rk_u32 i = first; i < first + count; i++) {
        rk_received info;
        contract_receive(c, k, bytes, sizeof bytes, &info, __FILE__, __LINE__);
        assert_int_equal(info.length, 2000 + i);
        for (rk_u32 b = 0; b < info.length; b++) assert_int_equal(bytes[b], (i + 1) & 0xff);
    }
}

static void large_messages_outlive_the_relaunch_of_who_sent_them(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "large_echo", &o), target = launch(c, "target", "large_echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_ok(rk_activate(c->runtime, source));
    send_crates(c, source, 0, 10);
    wait_until(c, info_of(c, target).queued == 10); /* which refer to the source's pools */
    assert_ok(rk_deactivate(c->runtime, source));
    send_crates(c, source, 10, 10);

    o.queue_capacity = 32;
    assert_ok(rk_relaunch(c->runtime, source, &o, RK_SECONDS(10)));
    assert_ok(rk_activate(c->runtime, source));
    assert_ok(rk_activate(c->runtime, target));
    assert_crates(c, target, 0, 20);
    for (rk_u32 round = 0; round < 10; round++) { /* and no block is lost */
        send_crates(c, source, 20, 20);
        assert_crates(c, target, 20, 20);
    }
}

static void large_messages_outlive_their_sender(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel source = launch(c, "source", "large_echo", &o), target = launch(c, "target", "large_echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_ok(rk_activate(c->runtime, source));
    send_crates(c, source, 0, 10);
    wait_until(c, info_of(c, target).queued == 10);
    assert_ok(rk_terminate(c->runtime, source, RK_SECONDS(10)));
    rk_kernel another = launch_active(c, "source", "large_echo", &o); /* which may get the same memory */
    send_crates(c, another, 50, 10);
    assert_ok(rk_activate(c->runtime, target));
    assert_crates(c, target, 0, 10);
    assert_crates(c, another, 50, 10);
}

static void blocks_of_messages_that_are_thrown_away_come_back(contract *c)
{
    static unsigned char bytes[2000];
    rk_launch_options o = small(64);
    o.pool_blocks = 16;
    rk_kernel source = launch(c, "source", "large_echo", &o), target = launch(c, "target", "large_echo", &o);
    assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_ok(rk_activate(c->runtime, source));
    send_crates(c, source, 0, 10);
    wait_until(c, info_of(c, target).queued == 10);
    assert_ok(rk_deactivate(c->runtime, source));
    send_crates(c, source, 10, 6); /* all blocks are in use */
    rk_send_options s = { .timeout_ns = RK_MILLISECONDS(2) };
    assert_status(rk_send(c->runtime, source, RK_TYPE_ID(crate), bytes, sizeof bytes, &s), RK_TIMED_OUT);

    assert_ok(rk_clear(c->runtime, source, 0));
    for (rk_u32 i = 0; i < 6; i++)
        assert_ok(rk_send(c->runtime, source, RK_TYPE_ID(crate), bytes, sizeof bytes, &s));
    assert_ok(rk_terminate(c->runtime, target, RK_SECONDS(10)));
    for (rk_u32 i = 0; i < 10; i++)
        assert_ok(rk_send(c->runtime, source, RK_TYPE_ID(crate), bytes, sizeof bytes, &s));
    assert_status(rk_send(c->runtime, source, RK_TYPE_ID(crate), bytes, sizeof bytes, &s), RK_TIMED_OUT);
}

/* Whichever way messages were on when their kernels ended, the memory of all of them is there for the
 * next. */
static void nothing_stays_of_launches_that_ended_with_large_messages_under_way(contract *c)
{
    rk_launch_options o = small(16);
    rk_u64 before = c->runtime->arena.taken;
    o.output_capacity = 16;
    for (rk_u32 round = 0; round < 4; round++) {
        rk_kernel source = launch(c, "source", "large_echo", &o),
                  target = launch(c, "target", "large_echo", &o);
        assert_ok(rk_connect(c->runtime, source, 0, target, 0));
        assert_ok(rk_activate(c->runtime, source));
        assert_ok(rk_activate(c->runtime, target));
        send_crates(c, source, 0, 16); /* to the host, whose lane is full then */
        wait_until(c, account_of(c, target).output_queued == 16);
        send_crates(c, source, 16, 16);
        wait_until(c, metrics_of(c, target).parks > 0 &&
                          account_of(c, source).delivered == 32); /* a batch half out */
        send_crates(c, source, 32, 4);
        rk_kernel first = round % 2 ? source : target, second = round % 2 ? target : source;
        assert_status(rk_terminate(c->runtime, first, RK_MILLISECONDS(1)), RK_TIMED_OUT);
        rk_terminate(c->runtime, second, RK_MILLISECONDS(1));
        assert_int_equal(c->runtime->arena.taken, before);
    }
}

static const contract_case cases[] = {
    { CASE(large_messages_outlive_the_relaunch_of_who_sent_them), NEEDS_REGIONS },
    { CASE(large_messages_outlive_their_sender), NEEDS_REGIONS },
    { CASE(blocks_of_messages_that_are_thrown_away_come_back), NEEDS_REGIONS },
    { CASE(nothing_stays_of_launches_that_ended_with_large_messages_under_way), NEEDS_REGIONS },
};
CONTRACT_MAIN("large messages", cases)
