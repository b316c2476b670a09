/* Kernels among themselves: sends that are decided at once, questions from kernel to kernel, a token on its way
 * round, and all to all. */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>

enum { SENT = 200 };

/* -------------------------------------------------- sends that are decided at once, and the sender's hook */

/* What a source has noted: in its state, or of an SPMD kernel in the program. */
static refusal_log refusals_of(contract *c, rk_kernel kernel)
{
    refusal_log log = { 0 };
    if (c->variant->style == STYLE_FIBERS) {
        assert_ok(rk_deactivate(c->runtime, kernel)); /* at a batch boundary, as a state is read */
        log = contract_refusals;
        assert_ok(rk_activate(c->runtime, kernel));
        return log;
    }
    assert_ok(rk_read_state(c->runtime, kernel, 0, &log, sizeof log));
    return log;
}

/* What the lane answered to `count` sends of an SPMD kernel, which tells the host. */
static refusal_log answers_to(contract *c, rk_kernel kernel, rk_u32 count)
{
    refusal_log log = { 0 };
    for (rk_u32 i = 0; i < count; i++) {
        response said; /* the number, and the status */
        receive(c, kernel, &said);
        if (said.correlation == RK_OK) continue;
        log.full += said.correlation == RK_FULL;
        log.dropped += said.correlation == RK_DROPPED;
        log.number_sum += said.value;
    }
    return log;
}

static void a_send_that_is_tried_is_answered_at_once(contract *c)
{
    static const rk_u32 answered[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                       RK_BACKPRESSURE_DROP_NEWEST };
    for (rk_u32 s = 0; s < 3; s++) {
        rk_launch_options o = spacious(0), at = small_queue(answered[s]);
        routed r = { .c = c,
                     .source = launch(c, "source", "dispatch_at_once", &o),
                     .target = launch(c, "target", "carry", &at) };
        assert_ok(rk_connect(c->runtime, r.source, 0, r.target, 0));
        assert_ok(rk_activate(c->runtime, r.source));
        for (rk_u32 i = 1; i <= CAPACITY + 5; i++) order(&r, i, 0, 0);
        wait_until(c, account_of(c, r.source).delivered == CAPACITY + 5);
        refusal_log log = c->variant->style == STYLE_FIBERS ? answers_to(c, r.source, CAPACITY + 5)
                                                            : refusals_of(c, r.source);
        assert_int_equal(log.full, s < 2 ? 5 : 0);
        assert_int_equal(log.dropped, s == 2 ? 5 : 0);
        assert_int_equal(log.number_sum, 17 + 18 + 19 + 20 + 21);
        assert_int_equal(metrics_of(c, r.source).parks, 0);
        assert_int_equal(account_of(c, r.source).dead_letters, 0);
        assert_ok(rk_activate(c->runtime, r.target));
        sighting *seen = seen_by(c, r.target, CAPACITY);
        for (rk_u32 i = 0; i < CAPACITY; i++) assert_int_equal(seen[i].number, i + 1);
        free(seen);
        close_route(&r);
    }
}

static void the_senders_hook_sees_each_refusal_once(contract *c)
{
    for (rk_u32 s = 0; s < STRATEGIES; s++) {
        rk_launch_options o = spacious(0), at = small_queue(strategies[s]);
        o.send_deadline_ns = RK_MILLISECONDS(20);
        at.deduplication_window = 16;
        contract_refusals = (refusal_log){ 0 };
        routed r = { .c = c,
                     .source = launch(c, "source", "dispatch_watched", &o),
                     .target = launch(c, "target", "carry", &at) };
        assert_ok(rk_connect(c->runtime, r.source, 0, r.target, 0));
        assert_ok(rk_activate(c->runtime, r.source));
        for (rk_u32 i = 1; i <= CAPACITY; i++) {
            work_order order = { .number = i, .id = i };
            assert_ok(rk_send(c->runtime, r.source, RK_BODY(order), 0));
        }
        work_order again = { .number = 100, .id = 3 }, more = { .number = 1000 };
        assert_ok(rk_send(c->runtime, r.source, RK_BODY(again), 0));
        assert_ok(rk_send(c->runtime, r.source, RK_BODY(more), 0));
        if (c->variant->single_step) {
            settle(c);
            let_pass(c, RK_MILLISECONDS(20));
        }
        wait_until(c, account_of(c, r.source).delivered == CAPACITY + 2);
        refusal_log log = refusals_of(c, r.source);
        assert_int_equal(log.duplicate, 1);
        assert_int_equal(log.timed_out, strategies[s] == RK_BACKPRESSURE_BLOCK);
        assert_int_equal(log.full, strategies[s] == RK_BACKPRESSURE_REJECT);
        assert_int_equal(log.dropped, strategies[s] == RK_BACKPRESSURE_DROP_NEWEST);
        assert_int_equal(log.closed + log.other, 0);
        assert_int_equal(log.number_sum, 100 + (strategies[s] == RK_BACKPRESSURE_DROP_OLDEST ? 0 : 1000));
        assert_int_equal(account_of(c, r.source).dead_letters, 0); /* the hook took care of them */

        /* a target that is gone is closed */
        assert_ok(rk_terminate(c->runtime, r.target, CONTRACT_PATIENCE));
        assert_ok(rk_send(c->runtime, r.source, RK_BODY(more), 0));
        wait_until(c, account_of(c, r.source).delivered == CAPACITY + 3);
        assert_int_equal(refusals_of(c, r.source).closed, 1);
        assert_ok(rk_terminate(c->runtime, r.source, CONTRACT_PATIENCE));
    }
}

/* ------------------------------------------------------------------ questions from kernel to kernel */

static void a_kernel_gets_the_answer_of_another_with_its_correlation(contract *c)
{
    rk_launch_options o = spacious("ask"), at = spacious(0);
    o.requests = 1;
    at.requests = 1;
    at.shards = 2;
    at.blocks = 2;
    rk_kernel asker = launch(c, "asker", "", &o), replier = launch_active(c, "replier", "answer_once", &at);
    assert_ok(rk_connect(c->runtime, asker, 0, replier, 0));
    assert_ok(rk_activate(c->runtime, asker));
    for (rk_u32 i = 0; i < SENT; i++) {
        work_order order = { .number = i, .id = 1000 + i, .target = i };
        assert_ok(rk_send(c->runtime, asker, RK_BODY(order), 0));
    }
    static rk_u8 came[SENT];
    memset(came, 0, sizeof came);
    for (rk_u32 i = 0; i < SENT; i++) {
        response got;
        receive(c, asker, &got);
        assert_in_range(got.correlation, 1000, 1000 + SENT - 1);
        assert_int_equal(got.value, 2 * (got.correlation - 1000));
        assert_int_equal(came[got.correlation - 1000]++, 0);
    }
    rk_kernel both[] = { asker, replier };
    assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE));
}

static void the_answer_to_a_kernel_that_is_gone_is_a_dead_letter(contract *c)
{
    /* given a question whose asker is gone before it is answered */
    rk_launch_options o = spacious("ask"), at = spacious(0);
    o.requests = 1;
    at.requests = 1;
    rk_kernel asker = launch(c, "asker", "", &o), replier = launch(c, "replier", "answer_once", &at);
    work_order order = { .number = 21, .id = 5 };
    assert_ok(rk_connect(c->runtime, asker, 0, replier, 0));
    assert_ok(rk_activate(c->runtime, asker));
    assert_ok(rk_send(c->runtime, asker, RK_BODY(order), 0));
    wait_until(c, account_of(c, replier).queued == 1);
    assert_ok(rk_terminate(c->runtime, asker, CONTRACT_PATIENCE));
    assert_ok(rk_activate(c->runtime, replier));
    wait_until(c, account_of(c, replier).dead_letters == 1);
    response lost;
    rk_dead_letter letter;
    assert_ok(rk_receive_dead(c->runtime, replier, &lost, sizeof lost, &letter, RK_NO_WAIT));
    assert_int_equal(lost.value, 42);
    assert_string_equal(letter.reason, rk_status_name(RK_NO_SUCH_KERNEL));
}

static void an_answer_that_finds_no_room_is_a_dead_letter(contract *c)
{
    /* given an asker that is not active, whose lane of 16 is full of answers under Reject */
    rk_launch_options o = spacious("ask"), at = spacious(0);
    o.requests = 1;
    o.queue_capacity = 16;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    at.requests = 1;
    rk_kernel asker = launch(c, "asker", "", &o), replier = launch(c, "replier", "answer_once", &at);
    assert_ok(rk_connect(c->runtime, asker, 0, replier, 0));
    for (rk_u32 batch = 0; batch < 2; batch++) {
        assert_ok(rk_activate(c->runtime, asker));
        for (rk_u32 i = 0; i < 10; i++) {
            work_order order = { .number = 10 * batch + i, .id = 1 + i };
            assert_ok(rk_send(c->runtime, asker, RK_BODY(order), 0));
        }
        wait_until(c, account_of(c, replier).accepted == 10 * (batch + 1));
        assert_ok(rk_deactivate(c->runtime, asker));
    }
    assert_ok(rk_activate(c->runtime, replier));
    wait_until(c, account_of(c, replier).dead_letters == 4);
    for (rk_u32 i = 16; i < 20; i++) {
        response lost;
        rk_dead_letter letter;
        assert_ok(rk_receive_dead(c->runtime, replier, &lost, sizeof lost, &letter, RK_NO_WAIT));
        assert_int_equal(lost.value, 2 * i);
        assert_string_equal(letter.reason, rk_status_name(RK_FULL));
        assert_int_equal(letter.was_sent, 1);
    }
    assert_int_equal(account_of(c, replier).late_replies, 0);
    assert_int_equal(account_of(c, asker).queued, 16);
}

/* ------------------------------------------------------------------ a token, and all to all */

static void a_token_goes_round_ten_thousand_times(contract *c)
{
    enum { RING = 8 };
    rk_u64 laps = contract_rounds(10000);
    rk_kernel ring[RING];
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    for (rk_u32 k = 0; k < RING; k++) {
        char id[16];
        snprintf(id, sizeof id, "link %u", k);
        ring[k] = launch(c, id, "pass_token", &o);
    }
    for (rk_u32 k = 0; k < RING; k++) assert_ok(rk_connect(c->runtime, ring[k], 0, ring[(k + 1) % RING], 0));
    for (rk_u32 k = 0; k < RING; k++) assert_ok(rk_activate(c->runtime, ring[k]));

    /* when one token is sent, then it comes back when it was counted as often as it should be, and the host
     * did nothing meanwhile */
    token t = { 0, laps * RING };
    assert_ok(rk_send(c->runtime, ring[0], RK_BODY(t), 0));
    receive(c, ring[RING - 1], &t);
    assert_int_equal(t.count, laps * RING);
    for (rk_u32 k = 0; k < RING; k++) {
        rk_account a = account_of(c, ring[k]);
        wait_until(c, account_of(c, ring[k]).delivered == laps);
        assert_int_equal(a.accepted_host, k == 0);
        assert_int_equal(a.accepted_device, k == 0 ? laps - 1 : laps);
        assert_int_equal(account_of(c, ring[k]).output_accepted, k == RING - 1);
    }
    assert_ok(rk_drain(c->runtime, ring, RING, CONTRACT_PATIENCE));
    for (rk_u32 k = 0; k < RING; k++) assert_int_equal(info_of(c, ring[k]).life, RK_LIFE_DRAINED);
}

static void many_tokens_go_round_and_the_ring_is_drained(contract *c)
{
    /* given forty tokens in a ring of eight; when it is drained, then all go their laps first */
    enum { RING = 8, TOKENS = 40, LAPS = 50 };
    rk_kernel ring[RING];
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.queue_capacity = 64;
    for (rk_u32 k = 0; k < RING; k++) {
        char id[16];
        snprintf(id, sizeof id, "link %u", k);
        ring[k] = launch(c, id, "pass_token", &o);
    }
    for (rk_u32 k = 0; k < RING; k++) assert_ok(rk_connect(c->runtime, ring[k], 0, ring[(k + 1) % RING], 0));
    for (rk_u32 k = 0; k < RING; k++) assert_ok(rk_activate(c->runtime, ring[k]));
    for (rk_u32 i = 0; i < TOKENS; i++) {
        token t = { 0, RING * LAPS };
        assert_ok(rk_send(c->runtime, ring[0], RK_BODY(t), 0));
    }
    assert_ok(rk_drain(c->runtime, ring, RING, CONTRACT_PATIENCE));
    assert_int_equal(account_of(c, ring[RING - 1]).output_accepted, TOKENS);
    for (rk_u32 i = 0; i < TOKENS; i++) {
        token t;
        receive(c, ring[RING - 1], &t);
        assert_int_equal(t.count, RING * LAPS);
    }
}

static void send_all_to_all(contract *c, rk_u32 shards, rk_u32 rounds, rk_u32 blocks)
{
    /* given as many shooters as targets, with rings of 16 between them */
    rk_launch_options from = spacious(0), to = spacious("get_shot");
    from.shards = to.shards = shards;
    from.blocks = to.blocks = blocks;
    from.queue_capacity = 1024;
    from.output_capacity = to.output_capacity = 16;
    to.queue_capacity = 16;
    rk_kernel shooters = launch(c, "shooters", "shoot", &from),
              targets = launch_active(c, "targets", "", &to);
    assert_ok(rk_connect(c->runtime, shooters, 0, targets, 0));
    assert_ok(rk_activate(c->runtime, shooters));

    /* when each sends to each in many rounds */
    for (rk_u32 round = 0; round < rounds; round++) {
        volley v = { round, shards };
        for (rk_u32 s = 0; s < shards; s++)
            assert_ok(rk_send(c->runtime, shooters, RK_BODY(v), &(rk_send_options){ .target = s }));
        settle(c);
    }
    rk_u64 all = (rk_u64)shards * shards * rounds;
    rk_kernel both[] = { shooters, targets };
    assert_ok(rk_drain(c->runtime, both, 2, 2 * CONTRACT_PATIENCE));

    /* then none is lost, and each pair's are in order */
    for (rk_u32 s = 0; s < shards; s++) {
        shot_log log;
        assert_ok(rk_read_state(c->runtime, targets, s, &log, sizeof log));
        assert_int_equal(log.count, (rk_u64)shards * rounds);
        assert_int_equal(log.disorder, 0);
        for (rk_u32 t = 0; t < shards; t++) assert_int_equal(log.next[t], rounds);
    }
    assert_int_equal(account_of(c, shooters).sent, all);
    assert_int_equal(account_of(c, targets).delivered, all);
    assert_int_equal(account_of(c, shooters).dead_letters, 0);
    assert_ok(rk_terminate(c->runtime, shooters, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(c->runtime, targets, CONTRACT_PATIENCE));
}

static void all_shards_send_to_all_and_none_is_lost(contract *c)
{
    if (contract_sanitized())
        send_all_to_all(c, 33, 20, 33);
    else
        send_all_to_all(c, MOST_SHOOTERS, 76, MOST_SHOOTERS); /* 10,032 from each */
}

static const contract_case cases[] = {
    { CASE(a_send_that_is_tried_is_answered_at_once), ON_EVERY },
    { CASE(the_senders_hook_sees_each_refusal_once), SPMD_NEEDS_CPU },
    { CASE(a_kernel_gets_the_answer_of_another_with_its_correlation), ON_EVERY },
    { CASE(the_answer_to_a_kernel_that_is_gone_is_a_dead_letter), ON_EVERY },
    { CASE(an_answer_that_finds_no_room_is_a_dead_letter), ON_EVERY },
    { CASE(a_token_goes_round_ten_thousand_times), ON_EVERY },
    { CASE(many_tokens_go_round_and_the_ring_is_drained), ON_EVERY },
    { CASE(all_shards_send_to_all_and_none_is_lost), ON_EVERY },
};

CONTRACT_MAIN("coordination", cases)
