/* Straight sends: what a turn writes into the slots of its out lane. In every mixture with sends that can't
 * go so, and with calls that fail, the host gets the same messages in the same order as without them. */
#include "contract.h"
#include "../kernels/straight.rk.h"

#include "runtime/core.h"

static rk_u32 next_random(rk_u32 *state) { return (*state = *state * 1664525u + 1013904223u) >> 8; }

static int fails(rk_u32 what) { return what == DO_FAIL || what == DO_FAIL_LATE || what == DO_TOO_MUCH; }

/* How many messages a task comes back as. */
static rk_u32 sends_of(rk_u32 what)
{
    return fails(what) || what == DO_NOTHING ? 0 : what == DO_SEND_LONG ? 2 : 1;
}

static rk_u64 sent_by(contract *c, rk_kernel k)
{
    return rk_load_u64(&c->runtime->kernels[k.number]->seats[0].shard->meter.sent, RK_ACQUIRE,
                       RK_SCOPE_SYSTEM);
}

static void give(contract *c, rk_kernel k, rk_u32 number, rk_u32 what)
{
    task t = { number, what };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = 100 + number;
    assert_ok(rk_send(c->runtime, k, RK_BODY(t), &to));
}

/* The next message is what this task sends, whole. */
static void get(contract *c, rk_kernel k, rk_u32 number, rk_u32 what, rk_u32 nth)
{
    essay e;
    rk_received info;
    rk_u32 is_long = what == DO_SEND_LONG && nth == 0;
    settle(c);
    assert_ok(
        rk_receive(c->runtime, k, &e, sizeof e, &info, c->variant->single_step ? 0 : CONTRACT_PATIENCE));
    assert_int_equal(e.number, number);
    assert_int_equal(e.what, what);
    assert_int_equal(info.type, is_long ? RK_TYPE_ID(essay) : RK_TYPE_ID(task));
    assert_int_equal(info.length, is_long ? sizeof(essay) : sizeof(task));
    assert_int_equal(info.target, what == DO_FORWARD ? 100 + number : what == DO_AIM ? 7 : 0);
    assert_int_equal(info.flags, 0);
    assert_int_equal(info.route != 0, what == DO_SEND_ASIDE);
    for (rk_u32 i = 0; is_long && i < 60; i++) assert_int_equal(e.word[i], number + i);
}

/* Given tasks of all kinds that wait in an inbox, when they are handled in turns whose sends find more or
 * less room, then what they send comes in their order, and each that fails is a dead letter and has sent
 * nothing. */
static void every_mixture_comes_in_order(contract *c)
{
    static const rk_u32 rooms[] = { 16, 32, 64 };
    rk_u32 random = 1;
    for (rk_u32 headers = 0; headers < 2; headers++)
        for (rk_u32 r = 0; r < 3; r++) {
            rk_u32 what[64], failing = 0, sent = 0;
            rk_launch_options o = rk_production();
            o.queue_capacity = 64;
            o.output_capacity = rooms[r];
            o.deduplication_window = 0;
            o.timestamps = headers;
            rk_kernel k = launch(c, "k", "steer", &o);
            for (rk_u32 i = 0; i < 64; i++) {
                /* Half of them plain, so that turns go straight for a while. */
                what[i] =
                    next_random(&random) % 2 ? next_random(&random) % 2 : next_random(&random) % DO_AT_ONCE;
                failing += fails(what[i]) != 0;
                sent += sends_of(what[i]);
                give(c, k, i, what[i]);
            }
            assert_ok(rk_activate(c->runtime, k));
            for (rk_u32 i = 0; i < 64; i++)
                for (rk_u32 nth = 0; nth < sends_of(what[i]); nth++) get(c, k, i, what[i], nth);
            wait_until(c, account_of(c, k).dead_letters == failing);
            wait_until(c, account_of(c, k).delivered == 64 - failing);
            assert_int_equal(sent_by(c, k), sent);
            essay none;
            assert_status(rk_receive(c->runtime, k, &none, sizeof none, 0, RK_NO_WAIT), RK_EMPTY);
            assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
        }
}

/* Given a turn whose first sends went straight, when a later handler sends at once, then that message
 * overtakes them and none of them is lost or changed. */
static void what_is_sent_at_once_overtakes_the_turn(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "k", "steer", &o);
    for (rk_u32 i = 0; i < 12; i++) give(c, k, i, i == 5 ? DO_AT_ONCE : i % 2 ? DO_FORWARD : DO_SEND);
    assert_ok(rk_activate(c->runtime, k));
    get(c, k, 5, DO_AT_ONCE, 0);
    for (rk_u32 i = 0; i < 12; i++)
        if (i != 5) get(c, k, i, i % 2 ? DO_FORWARD : DO_SEND, 0);
}

/* Given a turn that went straight, when its timer hook sends, and at once, then what is out already doesn't come
 * again. */
static void a_hook_after_such_a_turn_begins_anew(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "k", "waker", &o);
    for (rk_u32 i = 0; i < 8; i++) give(c, k, i, DO_FORWARD);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 8; i++) get(c, k, i, DO_FORWARD, 0);
    get(c, k, 2007, DO_AT_ONCE, 0);
    get(c, k, 1007, DO_SEND, 0);
}

/* Given more plain sends in a turn than there is room for, when nobody receives, then the kernel is parked
 * with a full lane, and what is received afterwards is all of them in order. */
static void a_lane_that_fills_in_the_middle_of_a_turn_parks_it(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.output_capacity = 16;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "k", "steer", &o);
    for (rk_u32 i = 0; i < 48; i++) give(c, k, i, i % 3 ? DO_SEND : DO_FORWARD);
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    wait_until(c, metrics_of(c, k).parks == 1 && sent_by(c, k) == 16);
    assert_int_equal(account_of(c, k).delivered, 0); /* the turn of 24 isn't committed */
    for (rk_u32 i = 0; i < 48; i++) get(c, k, i, i % 3 ? DO_SEND : DO_FORWARD, 0);
}

/* Given a full lane that drops what is new, when a turn sends more than it holds, then the first stay and the
 * rest are counted as dropped. */
static void a_lane_that_drops_keeps_the_first_of_a_turn(contract *c)
{
    rk_launch_options o = rk_production();
    rk_shard *shard;
    o.queue_capacity = 64;
    o.output_capacity = 16;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "k", "steer", &o);
    shard = c->runtime->kernels[k.number]->seats[0].shard;
    ((rk_lane *)(void *)(c->runtime->arena.base + shard->out_lane))->strategy = RK_BACKPRESSURE_DROP_NEWEST;
    for (rk_u32 i = 0; i < 24; i++) give(c, k, i, DO_SEND);
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    wait_until(c, account_of(c, k).delivered == 24);
    assert_int_equal(sent_by(c, k), 16);
    for (rk_u32 i = 0; i < 16; i++) get(c, k, i, DO_SEND, 0);
}

/* Given a turn of plain sends, when its handlers run, then they lie in the slots of the out lane and not in
 * the stage. */
static void plain_sends_are_written_once(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.deduplication_window = 0;
    rk_kernel k = launch(c, "k", "steer", &o);
    const rk_seat *seat = &c->runtime->kernels[k.number]->seats[0];
    const rk_staged *first = (const rk_staged *)(const void *)(c->runtime->arena.base + seat->shard->stage);
    for (rk_u32 i = 0; i < 16; i++) give(c, k, i, DO_SEND);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 16; i++) get(c, k, i, DO_SEND, 0);
    wait_until(c, account_of(c, k).delivered == 16);
    assert_int_equal(first->header.base.type, 0);
}

static const contract_case cases[] = {
    { CASE(every_mixture_comes_in_order), NEEDS_REGIONS | NEEDS_SHARED },
    { CASE(what_is_sent_at_once_overtakes_the_turn), NEEDS_REGIONS | NEEDS_SHARED },
    { CASE(a_hook_after_such_a_turn_begins_anew), NEEDS_REGIONS | NEEDS_SHARED },
    { CASE(a_lane_that_fills_in_the_middle_of_a_turn_parks_it), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(a_lane_that_drops_keeps_the_first_of_a_turn), NEEDS_REGIONS | NEEDS_CPU },
    { CASE(plain_sends_are_written_once), NEEDS_REGIONS | NEEDS_SHARED },
};
CONTRACT_MAIN("straight", cases)
