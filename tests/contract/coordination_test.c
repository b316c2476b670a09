/* Kernels among themselves: routes and what they pick, sends that are decided at once, questions from kernel
 * to kernel, a token on its way round, and all to all. */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

static rk_launch_options plain(const char *kernel)
{
    rk_launch_options o = rk_production();
    o.deduplication_window = 0;
    o.output_capacity = 16384;
    o.kernel_name = kernel;
    return o;
}

static rk_route_options route(rk_u32 mode)
{
    rk_route_options r = { RK_ROUTE_OPTIONS, .mode = mode };
    return r;
}

/* A source "dispatch" with a route of a mode to a target, both active; the target's kernel may be 0: "carry".
 * */
typedef struct routed {
    contract *c;
    rk_kernel source, target;
    rk_u64 sent;
} routed;

static routed open_route(contract *c, const rk_launch_options *target, const rk_route_options *options)
{
    rk_launch_options source = source_options(), o = *target;
    routed r = { .c = c };
    r.source = launch(c, "source", "dispatch", &source);
    r.target = launch_active(c, "target", "carry", &o);
    assert_ok(rk_connect(c->runtime, r.source, 0, r.target, options));
    assert_ok(rk_activate(c->runtime, r.source));
    return r;
}

static void order(routed *r, rk_u64 number, rk_u32 sender, rk_u32 target)
{
    work_order o = { .number = number, .sender = sender, .target = target };
    assert_ok(rk_send(r->c->runtime, r->source, RK_BODY(o), 0));
    r->sent++;
}

/* What the target saw, once it has seen `count`. The caller frees it. */
static sighting *seen_by(contract *c, rk_kernel target, size_t count)
{
    sighting *seen = calloc(count + 1, sizeof *seen);
    assert_non_null(seen);
    for (size_t i = 0; i < count; i++) {
        receive(c, target, &seen[i]);
        assert_int_equal(seen[i].wrong, 0);
    }
    wait_until(c, is_at_rest(c, target));
    assert_status(rk_receive(c->runtime, target, &seen[count], sizeof *seen, 0, RK_NO_WAIT), RK_EMPTY);
    return seen;
}

static void close_route(routed *r)
{
    assert_ok(rk_terminate(r->c->runtime, r->source, CONTRACT_PATIENCE));
    assert_ok(rk_terminate(r->c->runtime, r->target, CONTRACT_PATIENCE));
}

/* ------------------------------------------------------------------ which shard */

enum { SHARDS = 4, SENT = 200 };

static rk_launch_options sharded(void)
{
    rk_launch_options o = plain(0);
    o.shards = SHARDS;
    o.blocks = SHARDS;
    return o;
}

static void a_route_leaves_the_target_to_the_sender_unless_it_is_fixed(contract *c)
{
    rk_launch_options o = sharded();
    rk_route_options fixed = route(RK_ROUTE_FIXED);
    fixed.target = 6;
    routed r = open_route(c, &o, 0);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, i * 3);
    sighting *seen = seen_by(c, r.target, SENT);
    for (rk_u32 i = 0; i < SENT; i++) {
        assert_int_equal(seen[i].target, seen[i].number * 3);
        assert_int_equal(seen[i].shard, seen[i].target % SHARDS);
    }
    free(seen);
    close_route(&r);

    r = open_route(c, &o, &fixed);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, i * 3);
    seen = seen_by(c, r.target, SENT);
    for (rk_u32 i = 0; i < SENT; i++) {
        assert_int_equal(seen[i].target, 6);
        assert_int_equal(seen[i].shard, 6 % SHARDS);
        assert_int_equal(seen[i].number, i);
    }
    free(seen);
    close_route(&r);
}

static void a_route_to_one_shard_keeps_the_target_of_each_message(contract *c)
{
    rk_launch_options o = plain(0);
    routed r = open_route(c, &o, 0);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, i * 3);
    sighting *seen = seen_by(c, r.target, SENT);
    for (rk_u32 i = 0; i < SENT; i++) {
        assert_int_equal(seen[i].number, i);
        assert_int_equal(seen[i].target, i * 3);
    }
    free(seen);
    close_route(&r);
}

static void a_route_by_key_keeps_a_key_at_one_shard(contract *c)
{
    rk_launch_options o = sharded();
    rk_route_options by_key = route(RK_ROUTE_KEY);
    by_key.key_field = "sender";
    routed r = open_route(c, &o, &by_key);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, i % 50, 0);
    sighting *seen = seen_by(c, r.target, SENT);
    rk_u32 shard_of[50], used[SHARDS] = { 0 };
    rk_i64 last[50];
    for (rk_u32 k = 0; k < 50; k++) shard_of[k] = SHARDS, last[k] = -1;
    for (rk_u32 i = 0; i < SENT; i++) {
        rk_u32 key = seen[i].sender;
        if (shard_of[key] == SHARDS) shard_of[key] = seen[i].shard;
        assert_int_equal(seen[i].shard, shard_of[key]);
        assert_true((rk_i64)seen[i].number > last[key]);
        last[key] = (rk_i64)seen[i].number;
        used[seen[i].shard]++;
    }
    for (rk_u32 s = 0; s < SHARDS; s++) assert_true(used[s] > 0); /* the keys are spread */
    free(seen);
}

static void a_route_by_key_to_actors_is_by_its_value(contract *c)
{
    enum { ACTORS = 100 };
    rk_launch_options o = plain("tally_actors");
    rk_route_options by_key = route(RK_ROUTE_KEY);
    by_key.key_field = "sender";
    o.actors = ACTORS;
    o.shards = 3;
    o.blocks = 3;
    routed r = open_route(c, &o, &by_key);
    for (rk_u32 i = 1; i <= 10 * ACTORS; i++) order(&r, i, i % ACTORS, 0);
    order(&r, 5, ACTORS, 0); /* there is no such actor */
    wait_until(c, account_of(c, r.target).accepted == r.sent && is_at_rest(c, r.target));
    for (rk_u32 a = 0; a < ACTORS; a++) {
        count_log state;
        assert_ok(rk_read_state(c->runtime, r.target, a, &state, sizeof state));
        assert_int_equal(state.count, 10);
        assert_int_equal(state.last % ACTORS, a);
        assert_int_equal(state.disorder + state.wrong, 0);
    }
    wait_until(c, account_of(c, r.target).dead_letters == 1);
    const char *reason;
    rk_u64 count;
    assert_ok(rk_dead_reason(c->runtime, r.target, 0, &reason, &count));
    assert_string_equal(reason, rk_status_name(RK_NO_SUCH_ACTOR));
}

static void a_route_in_turn_gives_each_shard_its_share(contract *c)
{
    rk_launch_options o = sharded();
    rk_route_options in_turn = route(RK_ROUTE_TURN);
    routed r = open_route(c, &o, &in_turn);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, 1);
    sighting *seen = seen_by(c, r.target, SENT);
    rk_u32 had[SHARDS] = { 0 };
    for (rk_u32 i = 0; i < SENT; i++) {
        assert_int_equal(seen[i].shard, seen[i].number % SHARDS);
        had[seen[i].shard]++;
    }
    for (rk_u32 s = 0; s < SHARDS; s++) assert_int_equal(had[s], SENT / SHARDS);
    free(seen);
}

static void a_route_to_all_gives_each_shard_a_copy(contract *c)
{
    rk_launch_options o = sharded();
    rk_route_options to_all = route(RK_ROUTE_ALL);
    routed r = open_route(c, &o, &to_all);
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, 1);
    sighting *seen = seen_by(c, r.target, SHARDS * SENT);
    rk_u64 next[SHARDS] = { 0 };
    for (rk_u32 i = 0; i < SHARDS * SENT; i++) assert_int_equal(seen[i].number, next[seen[i].shard]++);
    assert_int_equal(account_of(c, r.source).sent, SHARDS * SENT);
    free(seen);
}

/* ------------------------------------------------------------------ which kernel */

static void a_second_connection_gets_copies(contract *c)
{
    rk_launch_options o = plain(0), source = source_options();
    rk_kernel first = launch_active(c, "first", "carry", &o),
              second = launch_active(c, "second", "carry", &o);
    routed r = { .c = c, .source = launch(c, "source", "dispatch", &source) };
    assert_ok(rk_connect(c->runtime, r.source, 0, first, 0));
    assert_ok(rk_connect(c->runtime, r.source, 0, second, 0));
    assert_ok(rk_activate(c->runtime, r.source));
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 0, 0);
    sighting *at_first = seen_by(c, first, SENT), *at_second = seen_by(c, second, SENT);
    for (rk_u32 i = 0; i < SENT; i++) {
        assert_int_equal(at_first[i].number, i);
        assert_int_equal(at_second[i].number, i);
    }
    assert_int_equal(account_of(c, r.source).sent, 2 * SENT);
    free(at_first);
    free(at_second);
}

static void an_unconnected_route_leads_to_the_host(contract *c)
{
    rk_launch_options o = plain(0);
    routed r = { .c = c, .source = launch_active(c, "source", "dispatch", &o) };
    for (rk_u32 i = 0; i < SENT; i++) order(&r, i, 7, i);
    for (rk_u32 i = 0; i < SENT; i++) {
        package p;
        rk_received info;
        receive_with(c, r.source, &p, &info);
        assert_int_equal(p.number, i);
        assert_int_equal(p.sender, 7);
        assert_int_equal(info.target, i);
        assert_int_equal(info.type, RK_TYPE_ID(package));
    }
}

static void named_routes_lead_each_its_own_way(contract *c)
{
    /* given a kernel that sorts its packages on the routes "even" and "odd", of which one is connected */
    rk_launch_options o = plain(0);
    rk_kernel sorter = launch(c, "sorter", "sort_packages", &o),
              evens = launch_active(c, "evens", "carry", &o);
    assert_status(rk_connect(c->runtime, sorter, "prime", evens, 0), RK_NO_SUCH_ROUTE);
    assert_error_says("even");
    assert_error_says("odd");
    assert_ok(rk_connect(c->runtime, sorter, "even", evens, 0));
    assert_ok(rk_activate(c->runtime, sorter));
    assert_status(rk_connect(c->runtime, sorter, "odd", evens, 0), RK_BUSY);
    for (rk_u32 i = 0; i < SENT; i++) assert_ok(send_package(c, sorter, i, 0));

    /* then the even ones are there, and the odd ones come to the host */
    sighting *seen = seen_by(c, evens, SENT / 2);
    for (rk_u32 i = 0; i < SENT / 2; i++) {
        package p;
        assert_int_equal(seen[i].number, 2 * i);
        receive(c, sorter, &p);
        assert_int_equal(p.number, 2 * i + 1);
    }
    free(seen);
}

static void a_connection_carries_one_type_or_all(contract *c)
{
    /* given a kernel that sends packages and queries on one route, with a connection for each type */
    rk_launch_options o = plain(0), at = plain("take_types");
    rk_route_options packages = route(RK_ROUTE_TARGET), queries = route(RK_ROUTE_TARGET),
                     unknown = route(RK_ROUTE_TARGET);
    packages.message = "package";
    queries.message = "query";
    unknown.message = "pigeon";
    rk_kernel mixer = launch(c, "mixer", "mix_types", &o);
    rk_kernel first = launch_active(c, "first", "", &at), second = launch_active(c, "second", "", &at);
    rk_kernel both = launch_active(c, "both", "", &at);
    assert_status(rk_connect(c->runtime, mixer, 0, first, &unknown), RK_UNKNOWN_TYPE);
    assert_ok(rk_connect(c->runtime, mixer, 0, first, &packages));
    assert_ok(rk_connect(c->runtime, mixer, 0, second, &queries));
    assert_ok(rk_connect(c->runtime, mixer, 0, both, 0));
    assert_ok(rk_activate(c->runtime, mixer));
    for (rk_u32 i = 0; i < SENT; i++) {
        work_order order = { .number = i };
        assert_ok(rk_send(c->runtime, mixer, RK_BODY(order), 0));
    }
    count_log at_first, at_second, at_both;
    wait_until(c, account_of(c, mixer).sent == 2 * SENT && account_of(c, both).delivered == SENT &&
                      is_at_rest(c, first) && is_at_rest(c, second));
    assert_ok(rk_read_state(c->runtime, first, 0, &at_first, sizeof at_first));
    assert_ok(rk_read_state(c->runtime, second, 0, &at_second, sizeof at_second));
    assert_ok(rk_read_state(c->runtime, both, 0, &at_both, sizeof at_both));
    assert_int_equal(at_first.count, SENT / 2);
    assert_int_equal(at_first.misplaced, 0);
    assert_int_equal(at_second.count, 0);
    assert_int_equal(at_second.misplaced, SENT / 2);
    assert_int_equal(at_both.count + at_both.misplaced, SENT);
}

static void a_type_that_no_connection_carries_is_a_dead_letter(contract *c)
{
    rk_launch_options o = plain(0), at = plain("take_types");
    rk_route_options packages = route(RK_ROUTE_TARGET);
    packages.message = "package";
    rk_kernel mixer = launch(c, "mixer", "mix_types", &o), first = launch_active(c, "first", "", &at);
    assert_ok(rk_connect(c->runtime, mixer, 0, first, &packages));
    assert_ok(rk_activate(c->runtime, mixer));
    for (rk_u32 i = 0; i < 10; i++) {
        work_order order = { .number = i };
        assert_ok(rk_send(c->runtime, mixer, RK_BODY(order), 0));
    }
    wait_until(c, account_of(c, first).delivered == 5 && account_of(c, mixer).dead_letters == 5);
    for (rk_u32 i = 0; i < 5; i++) {
        query q;
        rk_dead_letter letter;
        assert_ok(rk_receive_dead(c->runtime, mixer, &q, sizeof q, &letter, RK_NO_WAIT));
        assert_int_equal(q.value, 2 * i + 1);
        assert_string_equal(letter.reason, rk_status_name(RK_UNKNOWN_TYPE));
        assert_int_equal(letter.was_sent, 1);
    }
    assert_int_equal(account_of(c, mixer).dead_sends, 5);
}

static void connections_that_cannot_be_say_why(contract *c)
{
    rk_launch_options o = plain("mix_types"), at = plain("take_types"), other = plain("echo");
    rk_kernel mixer = launch(c, "mixer", "", &o), taker = launch(c, "taker", "", &at),
              stranger = launch(c, "stranger", "", &other);
    rk_route_options by_key = route(RK_ROUTE_KEY), strange = route(9);
    assert_status(rk_connect(c->runtime, mixer, 0, stranger, 0), RK_UNKNOWN_TYPE);
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &by_key), RK_INVALID_ARGUMENT);
    assert_error_says("key_field");
    by_key.key_field = "colour";
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &by_key), RK_INVALID_ARGUMENT);
    assert_error_says("colour");
    by_key.key_field = "sender"; /* a package has it, a query hasn't */
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &by_key), RK_INVALID_ARGUMENT);
    by_key.message = "package";
    assert_ok(rk_connect(c->runtime, mixer, 0, taker, &by_key));
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &strange), RK_INVALID_ARGUMENT);
    assert_status(rk_connect(c->runtime, mixer, 0, (rk_kernel){ 77, 1 }, 0), RK_NO_SUCH_KERNEL);
}

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
        rk_launch_options o = plain(0), at = small_queue(answered[s]);
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
        rk_launch_options o = plain(0), at = small_queue(strategies[s]);
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
    rk_launch_options o = plain("ask"), at = plain(0);
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
    rk_launch_options o = plain("ask"), at = plain(0);
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
    rk_launch_options o = plain("ask"), at = plain(0);
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
    rk_launch_options from = plain(0), to = plain("get_shot");
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
    { CASE(a_route_leaves_the_target_to_the_sender_unless_it_is_fixed), ON_EVERY },
    { CASE(a_route_to_one_shard_keeps_the_target_of_each_message), ON_EVERY },
    { CASE(a_route_by_key_keeps_a_key_at_one_shard), ON_EVERY },
    { CASE(a_route_by_key_to_actors_is_by_its_value), NEEDS_REGIONS },
    { CASE(a_route_in_turn_gives_each_shard_its_share), ON_EVERY },
    { CASE(a_route_to_all_gives_each_shard_a_copy), ON_EVERY },
    { CASE(a_second_connection_gets_copies), ON_EVERY },
    { CASE(an_unconnected_route_leads_to_the_host), ON_EVERY },
    { CASE(named_routes_lead_each_its_own_way), ON_EVERY },
    { CASE(a_connection_carries_one_type_or_all), ON_EVERY },
    { CASE(a_type_that_no_connection_carries_is_a_dead_letter), ON_EVERY },
    { CASE(connections_that_cannot_be_say_why), ONCE },
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
