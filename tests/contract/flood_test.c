/* Cycles of kernels that flood each other, or themselves: all go on, and what finds no room in time is a dead
 * letter. */
#include "lines.h"

/* Each spark of h hops is worth 2^h that reach the host in the end; what dies on the way is worth as much. */
static rk_u64 take_sparks(contract *c, rk_kernel kernel, rk_status why)
{
    spark s;
    rk_dead_letter letter;
    rk_u64 worth = 0;
    while (rk_receive(c->runtime, kernel, &s, sizeof s, 0, RK_NO_WAIT) == RK_OK) worth++;
    while (rk_receive_dead(c->runtime, kernel, &s, sizeof s, &letter, RK_NO_WAIT) == RK_OK) {
        assert_string_equal(letter.reason, rk_status_name(why));
        worth += 1ull << s.hops;
    }
    return worth;
}

#define DEADLINE RK_MILLISECONDS(20)

/* What was seen last, and since when it is like that. */
typedef struct calm {
    rk_u64 moved, since_ns;
} calm;

/* All at rest, and as they have been for three deadlines: what a shard holds, parked with its batch given back, is in no
 * account until it is out or a dead letter. */
static int are_calm(contract *c, const rk_kernel *kernels, rk_u32 count, calm *seen)
{
    settle(c);
    if (c->variant->single_step) let_pass(c, DEADLINE);
    int at_rest = 1;
    rk_u64 now = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        at_rest &= a.balanced && !a.queued && a.dead_letters == a.dead_sends;
        now += a.accepted + a.sent + a.dead_letters;
    }
    if (now != seen->moved || !at_rest) {
        *seen = (calm){ now, contract_now_ns() };
        return 0;
    }
    return c->variant->single_step || contract_now_ns() - seen->since_ns > 3u * DEADLINE;
}

enum { FIRST = 8, HOPS = 10 };

static void flood(contract *c, const rk_kernel *kernels, rk_u32 count, rk_status why)
{
    for (rk_u32 i = 0; i < FIRST; i++) {
        spark s = { HOPS, 0 };
        assert_ok(rk_send(c->runtime, kernels[i % count], RK_BODY(s), 0));
    }
    for (rk_u32 i = 0; i < count; i++) assert_ok(rk_activate(c->runtime, kernels[i]));
    calm seen = { 0, 0 };
    wait_until(c, are_calm(c, kernels, count, &seen));

    /* then what didn't find room in time is in the dead letters: nothing has vanished */
    rk_u64 worth = 0, dead = 0, accepted = 0, sent = 0;
    for (rk_u32 i = 0; i < count; i++) {
        rk_account a = account_of(c, kernels[i]);
        worth += take_sparks(c, kernels[i], why);
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
    o.send_deadline_ns = DEADLINE;
    o.dead_letter_capacity = 65536;
    return o;
}

static void two_kernels_that_flood_each_other_go_on_and_nothing_vanishes(contract *c)
{
    rk_launch_options o = flooded();
    rk_kernel pair[2] = { launch(c, "ping", "breed", &o), launch(c, "pong", "breed", &o) };
    assert_ok(rk_connect(c->runtime, pair[0], 0, pair[1], 0));
    assert_ok(rk_connect(c->runtime, pair[1], 0, pair[0], 0));
    flood(c, pair, 2, RK_TIMED_OUT);
}

/* Nobody else could make room in its own lane: it doesn't wait for the deadline, which is half a minute. */
static void a_kernel_that_floods_itself_goes_on_and_nothing_vanishes(contract *c)
{
    static const rk_u32 answers_full[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT };
    for (rk_u32 i = 0; i < 2; i++) {
        rk_launch_options o = flooded();
        o.backpressure = answers_full[i];
        o.send_deadline_ns = 0;
        rk_kernel self = launch(c, "self", "breed", &o);
        assert_ok(rk_connect(c->runtime, self, 0, self, 0));
        flood(c, &self, 1, RK_FULL);
        assert_ok(rk_terminate(c->runtime, self, CONTRACT_PATIENCE));
    }
}

static void a_kernel_that_floods_itself_drops_what_its_lane_says_and_counts_it(contract *c)
{
    static const rk_u32 drops[] = { RK_BACKPRESSURE_DROP_NEWEST, RK_BACKPRESSURE_DROP_OLDEST };
    for (rk_u32 i = 0; i < 2; i++) {
        rk_launch_options o = flooded();
        o.backpressure = drops[i];
        rk_kernel self = launch(c, "self", "breed", &o);
        assert_ok(rk_connect(c->runtime, self, 0, self, 0));
        for (rk_u32 f = 0; f < FIRST; f++) {
            spark s = { HOPS, 0 };
            assert_ok(rk_send(c->runtime, self, RK_BODY(s), 0));
        }
        assert_ok(rk_activate(c->runtime, self));
        calm seen = { 0, 0 };
        wait_until(c, are_calm(c, &self, 1, &seen));
        rk_account a = account_of(c, self);
        rk_u64 to_itself =
            2 * (a.delivered - a.output_accepted); /* each that didn't go to the host sent two */
        assert_int_equal(a.accepted_device + a.refused_dropped, to_itself);
        assert_int_equal(a.dead_letters, 0);
        assert_true(a.refused_dropped + a.evicted > 0);
        assert_int_equal(i ? a.refused_dropped : a.evicted, 0);
        assert_ok(rk_terminate(c->runtime, self, CONTRACT_PATIENCE));
    }
}

/* As many as its lane holds, each sent on once: there is always room for them, as its own batch gives it back. */
static void what_goes_round_in_a_full_lane_arrives(contract *c)
{
    for (rk_u32 batch = 1; batch <= 17; batch += 4) {
        rk_launch_options o = flooded();
        o.send_deadline_ns = 0;
        o.max_batch = batch;
        rk_kernel self = launch(c, "self", "pass_token", &o);
        assert_ok(rk_connect(c->runtime, self, 0, self, 0));
        for (rk_u32 i = 0; i < CAPACITY; i++) {
            token t = { 0, 100 + i };
            assert_ok(rk_send(c->runtime, self, RK_BODY(t), 0));
        }
        assert_ok(rk_activate(c->runtime, self));
        rk_u32 seen[CAPACITY] = { 0 };
        for (rk_u32 i = 0; i < CAPACITY; i++) {
            token t;
            receive(c, self, &t);
            assert_int_equal(t.count, t.limit);
            assert_int_equal(seen[t.limit - 100]++, 0);
        }
        assert_int_equal(account_of(c, self).dead_letters, 0);
        assert_ok(rk_drain(c->runtime, &self, 1, CONTRACT_PATIENCE));
        assert_true(account_of(c, self).balanced);
        assert_ok(rk_terminate(c->runtime, self, CONTRACT_PATIENCE));
    }
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
    { CASE(a_kernel_that_floods_itself_drops_what_its_lane_says_and_counts_it), ON_EVERY },
    { CASE(what_goes_round_in_a_full_lane_arrives), ON_EVERY },
    { CASE(a_cycle_that_would_block_for_ever_is_refused), ONCE },
};

CONTRACT_MAIN("flood", cases)
