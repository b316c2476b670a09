/* Cycles of kernels that flood each other, or themselves: all go on, and what finds no room in time is a dead
 * letter. */
#include "lines.h"

/* Each spark of h hops is worth 2^h that reach the host in the end; what dies on the way is worth as much. */
static rk_u64 take_sparks(contract *c, rk_kernel kernel)
{
    spark s;
    rk_dead_letter letter;
    rk_u64 worth = 0;
    while (rk_receive(c->runtime, kernel, &s, sizeof s, 0, RK_NO_WAIT) == RK_OK) worth++;
    while (rk_receive_dead(c->runtime, kernel, &s, sizeof s, &letter, RK_NO_WAIT) == RK_OK) {
        assert_string_equal(letter.reason, rk_status_name(RK_TIMED_OUT));
        worth += 1ull << s.hops;
    }
    return worth;
}

/* All at rest, and as they were when last looked at, so that nothing went from one that was looked at later to one
 * that was looked at before. */
static int are_calm(contract *c, const rk_kernel *kernels, rk_u32 count, rk_u64 *moved)
{
    settle(c);
    if (c->variant->single_step) let_pass(c, RK_MILLISECONDS(20));
    int calm = 1;
    rk_u64 now = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        calm &= a.balanced && !a.queued && a.dead_letters == a.dead_sends;
        now += a.accepted + a.sent + a.dead_letters;
    }
    calm &= now == *moved;
    *moved = now;
    return calm;
}

static void flood(contract *c, const rk_kernel *kernels, rk_u32 count)
{
    enum { FIRST = 8, HOPS = 10 };
    for (rk_u32 i = 0; i < FIRST; i++) {
        spark s = { HOPS, 0 };
        assert_ok(rk_send(c->runtime, kernels[i % count], RK_BODY(s), 0));
    }
    for (rk_u32 i = 0; i < count; i++) assert_ok(rk_activate(c->runtime, kernels[i]));
    rk_u64 moved = 0;
    wait_until(c, are_calm(c, kernels, count, &moved));

    /* then what didn't find room in time is in the dead letters: nothing has vanished */
    rk_u64 worth = 0, dead = 0, accepted = 0, sent = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        worth += take_sparks(c, kernels[i]);
        dead += a.dead_sends;
        accepted += a.accepted_device;
        sent += a.sent - a.output_accepted;
        assert_int_equal(info_of(c, kernels[i]).life, RK_LIFE_ACTIVE);
    }
    assert_int_equal(worth, (rk_u64)FIRST << HOPS);
    assert_int_equal(accepted, sent);
    assert_true(dead > 0);

    /* and all go on */
    spark last = { 0, 0 }, s;
    for (rk_u32 i = 0; i < count; i++) {
        assert_ok(rk_send(c->runtime, kernels[i], RK_BODY(last), 0));
        receive(c, kernels[i], &s);
    }
}

static rk_launch_options flooded(void)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.send_deadline_ns = RK_MILLISECONDS(20);
    o.dead_letter_capacity = 65536;
    return o;
}

static void two_kernels_that_flood_each_other_go_on_and_nothing_vanishes(contract *c)
{
    rk_launch_options o = flooded();
    rk_kernel pair[2] = { launch(c, "ping", "breed", &o), launch(c, "pong", "breed", &o) };
    assert_ok(rk_connect(c->runtime, pair[0], 0, pair[1], 0));
    assert_ok(rk_connect(c->runtime, pair[1], 0, pair[0], 0));
    flood(c, pair, 2);
}

static void a_kernel_that_floods_itself_goes_on_and_nothing_vanishes(contract *c)
{
    rk_launch_options o = flooded();
    rk_kernel self = launch(c, "self", "breed", &o);
    assert_ok(rk_connect(c->runtime, self, 0, self, 0));
    flood(c, &self, 1);
}

static void a_cycle_that_would_block_for_ever_is_refused(contract *c)
{
    rk_launch_options o = flooded();
    o.send_deadline_ns = RK_NO_DEADLINE;
    rk_kernel ping = launch(c, "ping", "breed", &o), pong = launch(c, "pong", "breed", &o);
    assert_ok(rk_connect(c->runtime, ping, 0, pong, 0));
    assert_status(rk_connect(c->runtime, pong, 0, ping, 0), RK_INVALID_ARGUMENT);
    assert_error_says("Block without a deadline");
    assert_status(rk_connect(c->runtime, ping, 0, ping, 0), RK_INVALID_ARGUMENT);
    /* with another backpressure it is legal */
    o.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel third = launch(c, "third", "breed", &o);
    assert_ok(rk_connect(c->runtime, pong, 0, third, 0));
    assert_ok(rk_connect(c->runtime, third, 0, ping, 0));
}

static const contract_case cases[] = {
    { CASE(two_kernels_that_flood_each_other_go_on_and_nothing_vanishes), ON_EVERY },
    { CASE(a_kernel_that_floods_itself_goes_on_and_nothing_vanishes), ON_EVERY },
    { CASE(a_cycle_that_would_block_for_ever_is_refused), ONCE },
};

CONTRACT_MAIN("flood", cases)
