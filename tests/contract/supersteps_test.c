/* Supersteps between shards of two kernels: what is sent in a step is seen in it, and who is missing is named. */
#include "contract.h"

#include "../kernels/pattern_superstep.rk.h"

enum { LOW = 5, HIGH = 3, ALL = LOW + HIGH, ROUNDS = 100 };

typedef struct party {
    contract *c;
    rk_kernel low, high;
} party;

static rk_launch_options of_shards(rk_u32 shards)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.kernel_name = "stepper";
    o.shards = o.blocks = shards;
    return o;
}

/* Participants 0 … LOW - 1 are shards of one kernel, the others of another. */
static party open_party(contract *c)
{
    rk_launch_options o = of_shards(LOW);
    party p = { .c = c };
    p.low = launch(c, "low", "stepper", &o);
    o = of_shards(HIGH);
    p.high = launch(c, "high", "stepper", &o);
    rk_kernel both[] = { p.low, p.high };
    for (rk_u32 k = 0; k < 2; k++) {
        assert_ok(rk_connect(c->runtime, both[k], "low", p.low, 0));
        assert_ok(rk_connect(c->runtime, both[k], "high", p.high, 0));
    }
    for (rk_u32 k = 0; k < 2; k++) assert_ok(rk_activate(c->runtime, both[k]));
    return p;
}

static rk_kernel kernel_of(const party *p, rk_u32 participant)
{
    return participant < LOW ? p->low : p->high;
}

static rk_send_options shard_of(rk_u32 participant)
{
    return (rk_send_options){ .target = participant < LOW ? participant : participant - LOW };
}

static void begin(party *p, take_part t, rk_u32 from, rk_u32 to)
{
    t.participants = ALL;
    t.split = LOW;
    for (rk_u32 i = from; i < to; i++) {
        rk_send_options at = shard_of(i);
        t.first = i < LOW ? 0 : LOW;
        assert_ok(rk_send(p->c->runtime, kernel_of(p, i), RK_BODY(t), &at));
    }
}

/* All are in the step that one of them doesn't end. */
static void wait_for_all(party *p, rk_u32 step)
{
    for (rk_u32 i = 0; i < ALL; i++) {
        in_step here;
        receive(p->c, i < LOW ? p->low : p->high, &here);
        assert_int_equal(here.step, step);
    }
}

/* All have come to the end, and every message was seen in its step; so many were not to be used. */
static rk_u32 all_took_part(party *p, rk_u32 rounds)
{
    rk_u32 refused = 0;
    rk_u64 sent = 0, seen = 0;
    rk_u32 came[ALL] = { 0 };
    for (rk_u32 i = 0; i < ALL; i++) {
        took_part t;
        receive(p->c, i < LOW ? p->low : p->high, &t);
        assert_int_equal(t.status, RK_OK);
        assert_in_range(t.participant, 0, ALL - 1);
        assert_int_equal(came[t.participant]++, 0);
        assert_int_equal(t.steps, rounds);
        assert_int_equal(t.mismatches, 0);
        refused += t.refused;
        sent += t.sent;
        seen += t.seen;
    }
    assert_int_equal(sent, seen);
    assert_true(sent > rounds); /* there was something to be seen */
    return refused;
}

static void assert_all_took_part(party *p, rk_u32 rounds) { assert_int_equal(all_took_part(p, rounds), 0); }

static void each_message_is_seen_in_its_step_however_late_anybody_is(contract *c)
{
    rk_u32 rounds = contract_rounds(ROUNDS);
    for (rk_u32 seed = 1; seed <= 3; seed++) {
        party p = open_party(c);
        begin(&p, (take_part){ .rounds = rounds, .stopper = NOBODY, .seed = seed * 7919 }, 0, ALL);
        assert_all_took_part(&p, rounds);
        rk_kernel both[] = { p.low, p.high };
        assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE));
        for (rk_u32 k = 0; k < 2; k++) assert_ok(rk_terminate(c->runtime, both[k], CONTRACT_PATIENCE));
    }
}

static void who_begins_late_has_the_first_steps_messages_kept(contract *c)
{
    party p = open_party(c);
    take_part t = { .rounds = 5, .stopper = NOBODY, .seed = 3 };
    begin(&p, t, 0, ALL - 1);
    settle(c);
    wait_until(c, account_of(c, p.high).accepted_device > 0); /* some are there before the last one begins */
    begin(&p, t, ALL - 1, ALL);
    assert_all_took_part(&p, 5);
}

static void a_participant_that_never_comes_is_named(contract *c)
{
    /* given a participant that says nothing at the end of step 3 */
    enum { STOPPER = 6, STOP_IN = 3 };
    party p = open_party(c);
    begin(&p,
          (take_part){
              .timeout_ns = RK_SECONDS(1), .rounds = 10, .stopper = STOPPER, .stop_in = STOP_IN, .seed = 5 },
          0, ALL);

    /* when the time is over, then all say whom they wait for, the stopper as well */
    wait_for_all(&p, STOP_IN);
    if (c->variant->single_step) let_pass(c, RK_SECONDS(1));
    for (rk_u32 i = 0; i < ALL; i++) {
        rk_step_late late;
        receive(c, i < LOW ? p.low : p.high, &late);
        assert_int_equal(late.step, STOP_IN);
        assert_int_equal(late.missing, 1);
        assert_int_equal(late.named, 1);
        assert_int_equal(late.who[0], STOPPER);
    }

    /* and when it comes after all, then the step is complete, late rather than wrong */
    go_on g = { 0 };
    rk_send_options at = shard_of(STOPPER);
    assert_ok(rk_send(c->runtime, kernel_of(&p, STOPPER), RK_BODY(g), &at));
    assert_all_took_part(&p, 10);
}

static void a_message_that_is_sent_twice_or_forged_changes_nothing(contract *c)
{
    /* given participants that wait for one in step 2 */
    enum { STOPPER = 7 };
    party p = open_party(c);
    begin(&p, (take_part){ .rounds = 4, .stopper = STOPPER, .stop_in = 2, .seed = 11 }, 0, ALL);
    wait_for_all(&p, 2);

    /* when somebody says again what was said, and what can't be */
    rk_step_end again = { .step = 1, .from = STOPPER, .number = 0, .participants = ALL },
                stranger = { .step = 2, .from = ALL, .number = 0, .participants = ALL },
                skips = { .step = 2, .from = STOPPER, .number = 1000, .participants = ALL },
                others = { .step = 2, .from = STOPPER, .number = 0, .participants = ALL + 1 };
    rk_send_options first = { .target = 0 };
    assert_ok(rk_send(c->runtime, p.low, RK_BODY(again), &first));
    assert_ok(rk_send(c->runtime, p.low, RK_BODY(stranger), &first));
    assert_ok(rk_send(c->runtime, p.low, RK_BODY(skips), &first));
    assert_ok(rk_send(c->runtime, p.low, RK_BODY(others), &first));
    settle(c);

    /* then they are counted, and all goes on as if they hadn't come */
    go_on g = { 0 };
    rk_send_options at = shard_of(STOPPER);
    assert_ok(rk_send(c->runtime, p.high, RK_BODY(g), &at));
    for (rk_u32 i = 0; i < ALL; i++) {
        took_part t;
        receive(c, i < LOW ? p.low : p.high, &t);
        assert_int_equal(t.steps, 4);
        assert_int_equal(t.mismatches, 0);
        assert_int_equal(t.refused, t.participant == 0 ? 4 : 0);
    }
}

/* Given participants of which one holds the others up, when shards of the other kernel fail with what it then says,
 * published and not committed, and are launched again, then that comes again and is dropped, and no step is wrong. */
static void a_participant_that_fails_is_launched_again_and_no_step_is_wrong(contract *c)
{
    enum { STOPPER = 6, STOP_IN = 3, STEPS = 12 };
    party p = open_party(c);
    begin(&p, (take_part){ .rounds = STEPS, .stopper = STOPPER, .stop_in = STOP_IN, .seed = 13 }, 0, ALL);
    wait_for_all(&p, STOP_IN);
    wait_until(c, account_of(c, p.low).queued == 0);

    assert_ok(rk_fail_before_commit(c->runtime, p.low));
    go_on g = { 0 };
    rk_send_options at = shard_of(STOPPER);
    assert_ok(rk_send(c->runtime, kernel_of(&p, STOPPER), RK_BODY(g), &at));
    wait_until(c, info_of(c, p.low).life == RK_LIFE_FAILED);
    rk_launch_options o = of_shards(LOW);
    assert_ok(rk_relaunch(c->runtime, p.low, &o, CONTRACT_PATIENCE));

    assert_true(all_took_part(&p, STEPS) > 0);
    assert_int_equal(account_of(c, p.low).dead_letters + account_of(c, p.high).dead_letters, 0);
}

static void more_participants_than_there_is_room_for_are_refused(contract *c)
{
    rk_launch_options o = rk_production();
    o.kernel_name = "stepper";
    rk_kernel k = launch_active(c, "alone", "stepper", &o);
    take_part t = { .rounds = 1, .participants = 4097, .stopper = NOBODY };
    took_part said;
    assert_ok(rk_send(c->runtime, k, RK_BODY(t), 0));
    receive(c, k, &said);
    assert_int_equal(said.status, RK_LIMIT);
}

static const contract_case cases[] = {
    { CASE(each_message_is_seen_in_its_step_however_late_anybody_is), NEEDS_REGIONS },
    { CASE(who_begins_late_has_the_first_steps_messages_kept), NEEDS_REGIONS },
    { CASE(a_participant_that_never_comes_is_named), NEEDS_REGIONS },
    { CASE(a_message_that_is_sent_twice_or_forged_changes_nothing), NEEDS_REGIONS },
    { CASE(a_participant_that_fails_is_launched_again_and_no_step_is_wrong), NEEDS_REGIONS },
    { CASE(more_participants_than_there_is_room_for_are_refused), NEEDS_REGIONS },
};

CONTRACT_MAIN("supersteps", cases)
