/* Routes: which shard and which kernel they pick for a message, and which connections can't be. */
#include <ringkernel/kernel.h>

#include "routes.h"

#include "../kernels/pattern_letter_large.rk.h"

#include <stdio.h>
#include <stdlib.h>

/* Two messages with the same fields, of which one lies elsewhere, and one is of another size. */
RK_MESSAGE(crate, 490, (rk_u32, weight), (rk_u32, colour), (rk_u64, owner))
RK_MESSAGE(barrel, 491, (rk_u32, colour), (rk_u32, weight), (rk_u32, owner), (rk_u32, staves))

RK_HANDLER(store_goods, crate, c, rk_none, self) { rk_send(RK_ARG, c); }
RK_HANDLER(store_goods, barrel, b, rk_none, self) { rk_send(RK_ARG, b); }

static rk_route_options route(rk_u32 mode)
{
    rk_route_options r = { RK_ROUTE_OPTIONS, .mode = mode };
    return r;
}

/* Source and target are both active. */
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

/* ------------------------------------------------------------------ which shard */

enum { SHARDS = 4, SENT = 200 };

static rk_launch_options sharded(void)
{
    rk_launch_options o = spacious(0);
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
    rk_launch_options o = spacious(0);
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
    rk_launch_options o = spacious("tally_actors");
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

/* A message over 1 KiB lies in a pool, and its key there. */
static void a_large_message_goes_by_its_key(contract *c)
{
    enum { ACTORS = 10 };
    static const char *const targets[] = { "large_undertaker", "warden" };
    for (rk_u32 i = 0; i < 2; i++) {
        rk_launch_options o = sharded(), source = small(16);
        rk_route_options by_key = route(RK_ROUTE_KEY);
        by_key.key_field = "number";
        by_key.message = "big_task";
        o.actors = i ? ACTORS : 0;
        o.requests = 1;
        source.pool_blocks = 8;
        rk_kernel from = launch(c, "hauler", "hauler", &source);
        rk_kernel to = launch_active(c, targets[i], targets[i], &o);
        assert_ok(rk_connect(c->runtime, from, 0, to, &by_key));
        assert_ok(rk_activate(c->runtime, from));
        for (rk_u32 n = 0; n < 4 * ACTORS; n++) {
            big_task task = { .number = n % ACTORS };
            rk_u32 expected = rk_key_target(task.number, o.actors);
            rk_received info;
            buried b;
            assert_ok(rk_send(c->runtime, from, RK_BODY(task), 0));
            settle(c);
            receive_with(c, to, &b, &info);
            assert_int_equal(b.number, task.number);
            assert_int_equal(b.target, expected);
            assert_int_equal(info.shard, expected % SHARDS);
            if (i) assert_int_equal(b.id, n / ACTORS + 1); /* its actor has counted only its own */
        }
        assert_ok(rk_terminate(c->runtime, from, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, to, CONTRACT_PATIENCE));
    }
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

static void a_route_in_turn_goes_on_where_it_was_when_either_side_is_launched_again(contract *c)
{
    rk_launch_options o = sharded(), source = source_options();
    rk_route_options in_turn = route(RK_ROUTE_TURN);
    routed r = open_route(c, &o, &in_turn);
    rk_kernel again[] = { r.target, r.source };
    rk_launch_options *options[] = { &o, &source };
    rk_u64 number = 0;
    for (rk_u32 i = 0; i <= 2; i++) {
        for (rk_u32 n = 0; n < SHARDS + 1; n++) order(&r, number++, 0, 1); /* one more than a round */
        wait_until(c, account_of(c, r.target).accepted == number);
        if (i == 2) break;
        options[i]->kernel_name = in_style(c, i == 0 ? "carry" : "dispatch");
        assert_ok(rk_relaunch(c->runtime, again[i], options[i], CONTRACT_PATIENCE));
    }
    sighting *seen = seen_by(c, r.target, number);
    for (rk_u64 i = 0; i < number; i++) assert_int_equal(seen[i].shard, seen[i].number % SHARDS);
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
    rk_launch_options o = spacious(0), source = source_options();
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
    rk_launch_options o = spacious(0);
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
    rk_launch_options o = spacious(0);
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

/* Given a kernel that has sent on one of its routes, when another is connected, which lies before it or
 * behind it, then each target knows still what was sent to it: a drain ends. */
static void a_route_that_is_connected_later_changes_nothing_of_the_others(contract *c)
{
    static const char *const names[] = { "even", "odd" };
    for (rk_u32 first = 0; first < 2; first++) {
        rk_launch_options o = spacious(0);
        rk_kernel k[3] = { launch(c, "sorter", "sort_packages", &o) };
        for (rk_u32 i = 0; i < 2; i++) {
            const char *name = names[i ^ first];
            k[1 + i] = launch_active(c, name, "carry", &o);
            assert_ok(rk_connect(c->runtime, k[0], name, k[1 + i], 0));
            assert_ok(rk_activate(c->runtime, k[0]));
            for (rk_u32 n = 0; n < SENT; n++) assert_ok(send_package(c, k[0], n, 0));
            wait_until(c, is_at_rest(c, k[0]));
            if (i == 0) assert_ok(rk_deactivate(c->runtime, k[0]));
        }
        assert_ok(rk_drain(c->runtime, k, 3, CONTRACT_PATIENCE));
        assert_int_equal(account_of(c, k[1]).delivered, SENT);
        assert_int_equal(account_of(c, k[2]).delivered, SENT / 2);
        for (rk_u32 i = 0; i < 3; i++) assert_ok(rk_terminate(c->runtime, k[i], CONTRACT_PATIENCE));
    }
}

/* Given a source whose target ends, when it is connected to another, over and over, then all goes there,
 * nothing to the one that is gone, and connections don't run out. */
static void a_target_that_is_gone_gives_its_place_to_the_next(contract *c)
{
    rk_launch_options o = spacious(0), source = source_options();
    routed r = { .c = c, .source = launch(c, "source", "dispatch", &source) };
    for (rk_u32 i = 0; i < 70; i++) {
        r.target = launch_active(c, "target", "carry", &o);
        assert_ok(rk_connect(c->runtime, r.source, 0, r.target, 0));
        assert_ok(rk_activate(c->runtime, r.source));
        order(&r, i, 0, 0);
        sighting s;
        receive(c, r.target, &s);
        assert_int_equal(s.number, i);
        wait_until(c, is_at_rest(c, r.source));
        assert_int_equal(account_of(c, r.source).dead_sends, 0);
        assert_ok(rk_deactivate(c->runtime, r.source));
        assert_ok(rk_terminate(c->runtime, r.target, CONTRACT_PATIENCE));
    }
    assert_int_equal(account_of(c, r.source).sent, 70);
}

/* But not to one for other messages: what the one that is gone was for is told so. */
static void a_target_that_is_gone_keeps_its_place_from_other_messages(contract *c)
{
    rk_launch_options o = spacious(0), at = spacious("take_types");
    rk_route_options packages = route(RK_ROUTE_TARGET), queries = route(RK_ROUTE_TARGET);
    packages.message = "package";
    queries.message = "query";
    rk_kernel mixer = launch(c, "mixer", "mix_types", &o);
    rk_kernel first = launch(c, "first", "", &at), second = launch_active(c, "second", "", &at);
    assert_ok(rk_connect(c->runtime, mixer, 0, first, &packages));
    assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
    assert_ok(rk_connect(c->runtime, mixer, 0, second, &queries));
    assert_ok(rk_activate(c->runtime, mixer));
    for (rk_u32 i = 0; i < 2; i++) { /* a package, and a query */
        work_order order = { .number = i };
        assert_ok(rk_send(c->runtime, mixer, RK_BODY(order), 0));
    }
    wait_until(c, account_of(c, second).delivered == 1 && account_of(c, mixer).dead_letters == 1);
    package p;
    rk_dead_letter letter;
    assert_ok(rk_receive_dead(c->runtime, mixer, &p, sizeof p, &letter, RK_NO_WAIT));
    assert_int_equal(letter.type, RK_TYPE_ID(package));
    assert_string_equal(letter.reason, rk_status_name(RK_CLOSED));
}

static void a_connection_carries_one_type_or_all(contract *c)
{
    /* given a kernel that sends packages and queries on one route, with a connection for each type */
    rk_launch_options o = spacious(0), at = spacious("take_types");
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
    rk_launch_options o = spacious(0), at = spacious("take_types");
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
    wait_until(c, account_of(c, mixer).dead_sends == 5); /* counted behind its letter */
}

static void connections_that_cannot_be_say_why(contract *c)
{
    rk_launch_options o = spacious("mix_types"), at = spacious("take_types"), other = spacious("echo");
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
    rk_route_options in_turn = route(RK_ROUTE_TURN);
    in_turn.key_field = "sender"; /* which a route in turn doesn't look at */
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &in_turn), RK_INVALID_ARGUMENT);
    assert_error_says("RK_ROUTE_KEY");
    in_turn.key_field = 0;
    in_turn.target = 7;
    assert_status(rk_connect(c->runtime, mixer, 0, taker, &in_turn), RK_INVALID_ARGUMENT);
    assert_error_says("RK_ROUTE_FIXED");
    assert_status(rk_connect(c->runtime, mixer, 0, (rk_kernel){ 77, 1 }, 0), RK_NO_SUCH_KERNEL);
}

static void a_key_lies_at_one_place_in_all_that_a_connection_carries(contract *c)
{
    rk_launch_options o = spacious("store_goods");
    rk_kernel source = launch(c, "source", "", &o), store = launch(c, "store", "", &o);
    rk_route_options by_key = route(RK_ROUTE_KEY);
    static const char *const fields[] = { "weight", "colour", "owner" };
    for (size_t i = 0; i < 3; i++) {
        by_key.key_field = fields[i];
        by_key.message = 0;
        assert_status(rk_connect(c->runtime, source, 0, store, &by_key), RK_INVALID_ARGUMENT);
        assert_error_says("lies elsewhere in message");
        by_key.message = i % 2 ? "crate" : "barrel";
        assert_ok(rk_connect(c->runtime, source, 0, store, &by_key));
    }
}

static void one_connection_too_many_is_refused(contract *c)
{
    rk_launch_options o = spacious(0);
    rk_kernel source = launch(c, "source", "dispatch", &o), target = launch(c, "target", "carry", &o);
    for (rk_u32 i = 0; i < 64; i++) assert_ok(rk_connect(c->runtime, source, 0, target, 0));
    assert_status(rk_connect(c->runtime, source, 0, target, 0), RK_LIMIT);
    assert_error_says("64 connections");
    assert_ok(rk_activate(c->runtime, target)); /* and all 64 have what is sent */
    assert_ok(rk_activate(c->runtime, source));
    routed r = { .c = c, .source = source, .target = target };
    order(&r, 7, 0, 0);
    free(seen_by(c, target, 64));
}

static void what_takes_nothing_more_is_connected_with_nothing(contract *c)
{
    rk_launch_options o = spacious(0);
    rk_kernel source = launch(c, "source", "dispatch", &o), target = launch_active(c, "target", "carry", &o);
    assert_ok(rk_drain(c->runtime, &target, 1, CONTRACT_PATIENCE));
    assert_status(rk_connect(c->runtime, source, 0, target, 0), RK_CLOSED);
    assert_error_says("'target' takes no connections any more: it is drained");
    assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    assert_status(rk_connect(c->runtime, source, 0, target, 0), RK_STALE);
}

/* Given a connection with several mistakes, when it is made, then all are told at once, with the status of
 * the first. */
static void all_that_is_wrong_with_a_connection_is_told_together(contract *c)
{
    rk_launch_options o = spacious("mix_types"), at = spacious("take_types"),
                      actors = spacious("tally_actors"), other = spacious("echo");
    rk_kernel mixer = launch_active(c, "mixer", "", &o), taker = launch(c, "taker", "", &at),
              stranger = launch(c, "stranger", "", &other);
    actors.actors = 10;
    rk_kernel tally = launch(c, "tally", "", &actors);
    rk_route_options by_key = route(RK_ROUTE_KEY), strange = route(9), fixed = route(RK_ROUTE_FIXED);
    by_key.key_field = "colour";
    by_key.target = 3;
    assert_status(rk_connect(c->runtime, mixer, "prime", taker, &by_key), RK_INVALID_ARGUMENT);
    assert_error_says("target 3 is of RK_ROUTE_FIXED");
    assert_error_says("declares no route 'prime'");
    assert_error_says("message 'package' has no integer field 'colour' to route by; it has: ");
    assert_error_says("message 'query' has no integer field 'colour'");
    assert_error_says("'mixer' is active");

    strange.key_field = "sender";
    strange.message = "pigeon";
    assert_status(rk_connect(c->runtime, mixer, 0, stranger, &strange), RK_INVALID_ARGUMENT);
    assert_error_says("route mode 9");
    assert_error_says("key_field 'sender' is of RK_ROUTE_KEY");
    assert_error_says("knows no message 'pigeon'; of those that it knows, 'stranger' handles: ");

    fixed.target = 10;
    fixed.message = "query";
    assert_status(rk_connect(c->runtime, mixer, 0, tally, &fixed), RK_NO_SUCH_ACTOR);
    assert_error_says("actors 0 to 9, not 10");
    assert_error_says("no handler for message 'query'");

    assert_status(rk_connect(c->runtime, (rk_kernel){ 77, 1 }, 0, (rk_kernel){ 78, 1 }, &strange),
                  RK_NO_SUCH_KERNEL);
    assert_error_says("77.1");
    assert_error_says("78.1");
    assert_error_says("route mode 9");

    assert_ok(rk_deactivate(c->runtime, mixer)); /* and nothing of all that was connected */
    assert_ok(rk_connect(c->runtime, mixer, 0, taker, 0));
}

static const contract_case cases[] = {
    { CASE(a_route_leaves_the_target_to_the_sender_unless_it_is_fixed), ON_EVERY },
    { CASE(a_route_to_one_shard_keeps_the_target_of_each_message), ON_EVERY },
    { CASE(a_route_by_key_keeps_a_key_at_one_shard), ON_EVERY },
    { CASE(a_route_by_key_to_actors_is_by_its_value), NEEDS_REGIONS },
    { CASE(a_large_message_goes_by_its_key), NEEDS_REGIONS },
    { CASE(a_route_in_turn_gives_each_shard_its_share), ON_EVERY },
    { CASE(a_route_in_turn_goes_on_where_it_was_when_either_side_is_launched_again), ON_EVERY },
    { CASE(a_route_to_all_gives_each_shard_a_copy), ON_EVERY },
    { CASE(a_second_connection_gets_copies), ON_EVERY },
    { CASE(an_unconnected_route_leads_to_the_host), ON_EVERY },
    { CASE(named_routes_lead_each_its_own_way), ON_EVERY },
    { CASE(a_route_that_is_connected_later_changes_nothing_of_the_others), ON_EVERY },
    { CASE(a_target_that_is_gone_gives_its_place_to_the_next), ON_EVERY },
    { CASE(a_target_that_is_gone_keeps_its_place_from_other_messages), ON_EVERY },
    { CASE(a_connection_carries_one_type_or_all), ON_EVERY },
    { CASE(a_type_that_no_connection_carries_is_a_dead_letter), ON_EVERY },
    { CASE(connections_that_cannot_be_say_why), ONCE },
    { CASE(a_key_lies_at_one_place_in_all_that_a_connection_carries), NEEDS_CPU | NEEDS_REGIONS | ONCE },
    { CASE(one_connection_too_many_is_refused), ON_EVERY },
    { CASE(what_takes_nothing_more_is_connected_with_nothing), ON_EVERY },
    { CASE(all_that_is_wrong_with_a_connection_is_told_together), ONCE },
};

CONTRACT_MAIN("routes", cases)
