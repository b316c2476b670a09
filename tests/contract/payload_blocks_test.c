/* Large messages travel by reference to a block of a pool: whatever becomes of them, and into however many copies they go,
 * no block is ever lost. */
#include <ringkernel/kernel.h>

#include "payload.h"

/* ------------------------------------------------------------------ blocks of the pools */

static void blocks_come_back_from_refused_and_dropped_messages(contract *c)
{
    static const rk_u32 strategies[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                         RK_BACKPRESSURE_DROP_NEWEST };
    static const rk_status expected[] = { RK_TIMED_OUT, RK_FULL, RK_DROPPED };
    buffers b = make_buffers();
    const load *of = &loads[1];
    for (size_t s = 0; s < 3; s++) {
        /* given a queue that is full of large messages, with a few blocks to spare */
        rk_launch_options o = small(16);
        o.backpressure = strategies[s];
        o.pool_blocks = 20;
        o.output_capacity = 64;
        rk_kernel pass = launch(c, "pass", "pass_medium", &o);
        rk_send_options brief = RK_SEND_DEFAULTS;
        brief.timeout_ns = 1;
        paint(b.sent, 4096, 1);
        for (rk_u32 i = 0; i < 16; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief));

        /* when far more are offered, then each is refused as the strategy says, and leaves no block behind */
        for (rk_u32 i = 0; i < 50; i++)
            assert_status(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief), expected[s]);
        assert_ok(rk_activate(c->runtime, pass));
        for (rk_u32 i = 0; i < 16; i++) assert_arrives(c, pass, of, &b, 4096);
        assert_all_blocks_are_back(c, pass, of, &b, 20);
        assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

static void blocks_come_back_from_cleared_expired_and_dead_messages(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = small(16);
    o.pool_blocks = 8;
    o.expiry = 1;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    rk_send_options with = RK_SEND_DEFAULTS;
    rk_u64 cleared;
    paint(b.sent, 4096, 1);
    for (rk_u32 i = 0; i < 8; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, 0));
    assert_ok(rk_clear(c->runtime, pass, &cleared));
    assert_int_equal(cleared, 8);
    with.ttl_us = 1000;
    for (rk_u32 i = 0; i < 8; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &with));
    let_expire(c, pass, RK_MILLISECONDS(1));
    assert_ok(rk_activate(c->runtime, pass));
    wait_until(c, account_of(c, pass).expired == 8);
    assert_all_blocks_are_back(c, pass, of, &b, 8);
    assert_ok(rk_terminate(c->runtime, pass, CONTRACT_PATIENCE));

    /* dead letters: many more than blocks */
    rk_kernel refuse = launch_active(c, "refuse", "refuse_medium", &o);
    for (rk_u32 i = 1; i <= 40; i++) {
        assert_ok(rk_send(c->runtime, refuse, of->type, b.sent, 4096, 0));
        wait_until(c, account_of(c, refuse).dead_letters == i);
    }
    free_buffers(&b);
}

static void a_sender_waits_for_a_block_when_all_are_under_way(contract *c)
{
    /* given more room in the queue than blocks in the pool */
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = small(16);
    o.pool_blocks = 4;
    rk_kernel pass = launch(c, "pass", "pass_medium", &o);
    rk_send_options brief = RK_SEND_DEFAULTS;
    brief.timeout_ns = RK_MILLISECONDS(2);
    paint(b.sent, 4096, 1);
    for (rk_u32 i = 0; i < 4; i++) assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief));
    assert_status(rk_send(c->runtime, pass, of->type, b.sent, 4096, &brief), RK_TIMED_OUT);
    assert_ok(rk_send(c->runtime, pass, of->type, b.sent, 1024, &brief)); /* needs none */
    assert_ok(rk_activate(c->runtime, pass));
    for (rk_u32 i = 0; i < 4; i++) assert_arrives(c, pass, of, &b, 4096);
    assert_arrives(c, pass, of, &b, 1024);
    assert_all_blocks_are_back(c, pass, of, &b, 4);
    free_buffers(&b);
}

/* ------------------------------------------------------------------ copies of one message */

typedef struct forked {
    rk_kernel source, first, second;
} forked;

static forked open_fork(contract *c, const load *of, const rk_launch_options *source,
                        const rk_launch_options *target)
{
    forked f;
    f.first = launch(c, "first", kernel_for("pass", of), target);
    f.second = launch(c, "second", kernel_for("pass", of), target);
    f.source = launch(c, "source", kernel_for("pass", of), source);
    assert_ok(rk_connect(c->runtime, f.source, 0, f.first, 0));
    assert_ok(rk_connect(c->runtime, f.source, 0, f.second, 0));
    assert_ok(rk_activate(c->runtime, f.source));
    return f;
}

static void two_connections_get_a_whole_copy_each(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[c->variant->style == STYLE_FIBERS ? 0 : 1];
    rk_launch_options o = small(16);
    o.pool_blocks = of->most > RK_INLINE_MAX ? 4 : 0; /* small ones travel without */
    forked f = open_fork(c, of, &o, &o);
    assert_ok(rk_activate(c->runtime, f.first));
    assert_ok(rk_activate(c->runtime, f.second));
    for (rk_u32 i = 0; i < 100; i++) {
        rk_u32 size = sizes[i % (SIZES - 1)] < of->most ? sizes[i % (SIZES - 1)] : of->most;
        paint(b.sent, size, i);
        assert_ok(rk_send(c->runtime, f.source, of->type, b.sent, size, 0));
        assert_arrives(c, f.first, of, &b, size);
        assert_arrives(c, f.second, of, &b, size);
    }
    free_buffers(&b);
}

static void a_copy_that_waits_for_room_keeps_its_bytes_and_its_block(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = small(16), source = small(16);
    o.output_capacity = 64;
    source.pool_blocks = 24;
    source.queue_capacity = 64;
    forked f = open_fork(c, of, &source, &o);
    assert_ok(rk_activate(c->runtime, f.first));
    for (rk_u32 round = 0; round < 10; round++) {
        /* given a fork whose first way is free and whose second has no room: the source parks at the second
         * copy of the last */
        rk_u64 parks = metrics_of(c, f.source).parks, delivered = 24 * round;
        send_painted(c, f.source, of, &b, 0, 17);
        wait_until(c, metrics_of(c, f.source).parks > parks &&
                          account_of(c, f.first).delivered == delivered + 17);

        /* when the host uses the blocks again that the first way gave back */
        assert_painted_arrive(c, f.first, of, &b, 0, 17);
        send_painted(c, f.source, of, &b, 17, 24);

        /* then the second way still gets what was sent, and no block is lost however often */
        assert_ok(rk_activate(c->runtime, f.second));
        assert_painted_arrive(c, f.second, of, &b, 0, 24);
        assert_painted_arrive(c, f.first, of, &b, 17, 24);
        assert_ok(rk_deactivate(c->runtime, f.second));
    }
    assert_int_equal(account_of(c, f.source).dead_letters, 0);
    free_buffers(&b);
}

static void a_copy_that_waits_for_a_block_goes_on_when_one_is_back(contract *c)
{
    /* given a fork with four blocks for copies, and nobody who receives */
    buffers b = make_buffers();
    const load *of = &loads[1];
    rk_launch_options o = small(16), source = small(16);
    source.pool_blocks = 4;
    o.output_capacity = 64;
    forked f = open_fork(c, of, &source, &o);
    rk_kernel host = launch(c, "feeder", "pass_medium", &o); /* whose pool is large enough */
    assert_ok(rk_connect(c->runtime, host, 0, f.source, 0));
    assert_ok(rk_activate(c->runtime, host));
    assert_ok(rk_activate(c->runtime, f.first));
    assert_ok(rk_activate(c->runtime, f.second));
    send_painted(c, host, of, &b, 0, 12);
    wait_until(c, metrics_of(c, f.source).parks > 0 && account_of(c, f.first).delivered == 4);

    /* when the host receives, then all of it arrives on both ways */
    assert_painted_arrive(c, f.first, of, &b, 0, 12);
    assert_painted_arrive(c, f.second, of, &b, 0, 12);
    assert_int_equal(account_of(c, f.source).dead_letters, 0);
    free_buffers(&b);
}

static void a_copy_refused_by_one_target_reaches_the_other(contract *c)
{
    buffers b = make_buffers();
    const load *of = &loads[1];
    static const rk_u32 strategies[] = { RK_BACKPRESSURE_REJECT, RK_BACKPRESSURE_DROP_NEWEST };
    for (rk_u32 s = 0; s < 2; s++) {
        rk_launch_options o = small(16), source = small(16);
        o.backpressure = strategies[s];
        o.output_capacity = 64;
        source.pool_blocks = 24;
        source.queue_capacity = 64;
        forked f = open_fork(c, of, &source, &o);
        rk_kernel stalled = s ? f.first : f.second, free_one = s ? f.second : f.first;
        assert_ok(rk_activate(c->runtime, free_one));
        for (rk_u32 i = 0; i < 50; i++) {
            paint(b.sent, 4096, i);
            assert_ok(rk_send(c->runtime, f.source, of->type, b.sent, 4096, 0));
            assert_arrives(c, free_one, of, &b, 4096);
        }
        if (strategies[s] == RK_BACKPRESSURE_REJECT) {
            wait_until(c, account_of(c, f.source).dead_letters == 34);
            for (rk_u32 i = 16; i < 50; i++) {
                rk_dead_letter letter;
                paint(b.sent, 4096, i);
                assert_ok(rk_receive_dead(c->runtime, f.source, b.got, of->most, &letter, RK_NO_WAIT));
                assert_int_equal(letter.length, 4096);
                assert_memory_equal(b.got, b.sent, 4096);
            }
        }
        assert_ok(rk_activate(c->runtime, stalled));
        for (rk_u32 i = 0; i < 16; i++) {
            paint(b.sent, 4096, i);
            assert_arrives(c, stalled, of, &b, 4096);
        }
        assert_ok(rk_terminate(c->runtime, f.source, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, f.first, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, f.second, CONTRACT_PATIENCE));
    }
    free_buffers(&b);
}

static const contract_case cases[] = {
    { CASE(blocks_come_back_from_refused_and_dropped_messages), NEEDS_REGIONS },
    { CASE(blocks_come_back_from_cleared_expired_and_dead_messages), NEEDS_REGIONS },
    { CASE(a_sender_waits_for_a_block_when_all_are_under_way), NEEDS_REGIONS },
    { CASE(two_connections_get_a_whole_copy_each), ON_EVERY },
    { CASE(a_copy_that_waits_for_room_keeps_its_bytes_and_its_block), NEEDS_REGIONS },
    { CASE(a_copy_that_waits_for_a_block_goes_on_when_one_is_back), NEEDS_REGIONS },
    { CASE(a_copy_refused_by_one_target_reaches_the_other), NEEDS_REGIONS },
};

CONTRACT_MAIN("payload blocks", cases)
