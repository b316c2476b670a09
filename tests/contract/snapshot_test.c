/* Kernels at one cut, as bytes, and kernels made of them: state, what is queued, what is remembered and what is counted
 * are there again, in other options, and nothing else is taken for it. */
#include "probes.h"

#include <stdlib.h>

#include "../../src/state/snapshot_form.h"
#include "../kernels/contract_a_large.rk.h"

static rk_snapshot snapshot_of(contract *c, const rk_kernel *kernels, size_t count)
{
    rk_snapshot s = RK_SNAPSHOT_NONE;
    assert_ok(rk_snapshot_take(c->runtime, kernels, count, CONTRACT_PATIENCE, 0, 0, &s));
    return s;
}

/* Another runtime, as another process would have it. */
static void start_anew(contract *c)
{
    rk_runtime_options options = contract_runtime_options(c);
    contract_reopen(c, &options);
}

/* The same on the CPU, whatever the variant's backend is. */
static void start_anew_on_the_cpu(contract *c)
{
    rk_runtime_options options = contract_runtime_options(c);
    options.backend = RK_BACKEND_CPU;
    options.slices = options.device_count = 0;
    options.devices = 0;
    options.device = 0;
    contract_reopen(c, &options);
}

static void restore(contract *c, const rk_kernel *kernels, size_t count, rk_snapshot *s)
{
    assert_ok(rk_snapshot_restore(c->runtime, kernels, count, s->bytes, s->size));
    rk_snapshot_free(s);
}

static void add_amount(contract *c, rk_kernel k, rk_i64 value, rk_u64 id, rk_u32 target)
{
    amount a = { value };
    rk_send_options s = RK_SEND_DEFAULTS;
    s.id = id;
    s.target = target;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &s));
}

static void assert_total(contract *c, rk_kernel k, rk_i64 sum, rk_u32 count)
{
    total t;
    receive(c, k, &t);
    assert_int_equal(t.sum, sum);
    assert_int_equal(t.count, count);
}

static void a_kernel_goes_on_from_a_snapshot_with_its_state_inbox_output_and_window(contract *c)
{
    /* given an adder that has handled ten, of which the host has received four, and has twenty more queued */
    rk_launch_options o = small(64);
    o.deduplication_window = 64;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    for (rk_i64 i = 1; i <= 10; i++) add_amount(c, k, i, (rk_u64)i, 0);
    wait_until(c, account_of(c, k).delivered == 10);
    for (rk_i64 i = 1; i <= 4; i++) assert_total(c, k, i * (i + 1) / 2, (rk_u32)i);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u64 i = 11; i <= 30; i++) add_amount(c, k, 100, i, 0);
    rk_account before = account_of(c, k);

    /* when it is restored elsewhere, with a smaller queue in another form */
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    o.queue_capacity = 32;
    o.priority = 1;
    k = launch(c, "adder", "adder", &o);
    restore(c, &k, 1, &s);

    /* then it is as it was */
    rk_account after = account_of(c, k);
    assert_int_equal(after.accepted, 30);
    assert_int_equal(after.delivered, 10);
    assert_int_equal(after.queued, 20);
    assert_int_equal(after.output_received, 4);
    assert_int_equal(after.output_queued, 6);
    assert_int_equal(after.sent, before.sent);
    assert_int_equal(info_of(c, k).processed, 10);
    amount again = { 100 };
    rk_send_options known = RK_SEND_DEFAULTS;
    known.id = 20;
    assert_status(rk_send(c->runtime, k, RK_BODY(again), &known), RK_DUPLICATE);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_i64 i = 5; i <= 10; i++) assert_total(c, k, i * (i + 1) / 2, (rk_u32)i);
    for (rk_i64 i = 1; i <= 20; i++) assert_total(c, k, 55 + 100 * i, 10 + (rk_u32)i);
    wait_until(c, account_of(c, k).delivered == 30);
    assert_int_equal(account_of(c, k).refused_duplicate, before.refused_duplicate + 1);
}

static void a_snapshot_of_one_backend_goes_into_another_and_back(contract *c)
{
    /* given an adder with ten in its state, of which the host has six to receive, and twenty more queued */
    rk_launch_options o = small(64);
    o.deduplication_window = 64;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    for (rk_u32 i = 1; i <= 10; i++) add_amount(c, k, 1, i, 0);
    wait_until(c, account_of(c, k).delivered == 10);
    for (rk_u32 i = 1; i <= 4; i++) assert_total(c, k, i, i);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 11; i <= 30; i++) add_amount(c, k, 1, i, 0);
    rk_snapshot s = snapshot_of(c, &k, 1);

    /* when it goes on elsewhere for a while */
    start_anew_on_the_cpu(c);
    k = launch(c, "adder", "adder", &o);
    restore(c, &k, 1, &s);
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, account_of(c, k).delivered == 30);
    for (rk_u32 i = 5; i <= 12; i++) assert_total(c, k, i, i);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 31; i <= 35; i++) add_amount(c, k, 1, i, 0);
    s = snapshot_of(c, &k, 1);

    /* then it comes back as it was there: state, inbox, output and window */
    start_anew(c);
    k = launch(c, "adder", "adder", &o);
    restore(c, &k, 1, &s);
    assert_int_equal(account_of(c, k).queued, 5);
    assert_int_equal(account_of(c, k).output_queued, 18);
    amount again = { 1 };
    rk_send_options known = RK_SEND_DEFAULTS;
    known.id = 7;
    assert_status(rk_send(c->runtime, k, RK_BODY(again), &known), RK_DUPLICATE);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 13; i <= 35; i++) assert_total(c, k, i, i);
    wait_until(c, account_of(c, k).delivered == 35);
}

static void every_shard_has_its_own_state_again(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 4;
    o.blocks = 4;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    for (rk_u32 i = 0; i < 40; i++) add_amount(c, k, 1 + i % 4, 0, i % 4);
    wait_until(c, account_of(c, k).delivered == 40);
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    k = launch(c, "adder", "adder", &o);
    restore(c, &k, 1, &s);
    for (rk_u32 shard = 0; shard < 4; shard++) {
        struct {
            rk_i64 sum;
            rk_u32 count, redelivered;
        } state;
        assert_ok(rk_read_state(c->runtime, k, shard, &state, sizeof state));
        assert_int_equal(state.sum, 10 * (1 + shard));
        assert_int_equal(state.count, 10);
    }
    assert_int_equal(account_of(c, k).output_queued, 40);
}

static void a_state_can_be_read_from_the_bytes(contract *c)
{
    rk_launch_options o = small(64);
    struct {
        rk_u32 actor, count;
    } state;
    o.actors = 5;
    o.shards = 2;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 actor = 0; actor < 5; actor++)
        for (rk_u32 n = 0; n <= actor; n++) {
            tick t = { actor };
            rk_send_options to = RK_SEND_DEFAULTS;
            to.target = actor;
            assert_ok(rk_send(c->runtime, k, RK_BODY(t), &to));
        }
    wait_until(c, account_of(c, k).delivered == 15);
    rk_snapshot s = snapshot_of(c, &k, 1);
    for (rk_u32 actor = 0; actor < 5; actor++) {
        assert_ok(rk_snapshot_state(s.bytes, s.size, 0, actor, &state, sizeof state));
        assert_int_equal(state.actor, actor);
        assert_int_equal(state.count, actor + 1);
    }
    assert_status(rk_snapshot_state(s.bytes, s.size, 0, 5, &state, sizeof state), RK_NO_SUCH_ACTOR);
    assert_status(rk_snapshot_state(s.bytes, s.size, 1, 0, &state, sizeof state), RK_NO_SUCH_KERNEL);
    assert_status(rk_snapshot_state(s.bytes, s.size, 0, 0, &state, sizeof state - 1), RK_TOO_SMALL);
    assert_status(rk_snapshot_state(s.bytes, s.size, 0, 0, 0, sizeof state), RK_INVALID_ARGUMENT);
    assert_status(rk_snapshot_state(s.bytes, s.size - 8, 0, 0, &state, sizeof state), RK_CORRUPT);
    assert_status(rk_snapshot_state(0, 0, 0, 0, &state, sizeof state), RK_CORRUPT);
    rk_snapshot_free(&s);
}

static void actors_and_what_is_queued_for_them_find_their_shards_anew(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    o.shards = 2;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 shards = 3; shards <= 5; shards++) {
        assert_ok(shards == 3 ? rk_deactivate(c->runtime, k) : RK_OK);
        for (rk_u32 actor = 0; actor < 12; actor++) {
            tick t = { actor, 0 };
            rk_send_options to = RK_SEND_DEFAULTS;
            to.target = actor;
            assert_ok(rk_send(c->runtime, k, RK_BODY(t), &to));
        }
        rk_snapshot s = snapshot_of(c, &k, 1);
        start_anew(c);
        o.shards = shards;
        o.actors = 12 + shards;
        k = launch(c, "counter", "counter", &o);
        restore(c, &k, 1, &s);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 12; i++) {
            ticked t;
            receive(c, k, &t);
            assert_int_equal(t.count, shards - 2);
        }
        assert_ok(rk_deactivate(c->runtime, k));
    }
}

static void a_drain_ends_though_what_kernels_sent_has_found_its_shards_anew(contract *c)
{
    for (rk_u32 shards = 1; shards <= 3; shards += 2) {
        /* given messages that a kernel has sent to two shards of another, which has handled none of them */
        rk_launch_options o = small(64);
        rk_route_options by_number = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY };
        by_number.key_field = "number";
        o.shards = 2;
        start_anew(c);
        rk_kernel k[2] = { launch(c, "first", "echo", &o), launch(c, "second", "echo", &o) };
        assert_ok(rk_connect(c->runtime, k[0], 0, k[1], &by_number));
        assert_ok(rk_activate(c->runtime, k[0]));
        for (rk_u32 n = 0; n < 12; n++) assert_ok(send_probe(c, k[0], n));
        wait_until(c, account_of(c, k[1]).accepted == 12);
        rk_snapshot s = snapshot_of(c, k, 2);

        /* when they are restored with one shard, or three */
        start_anew(c);
        o.shards = shards;
        k[0] = launch(c, "first", "echo", &o);
        k[1] = launch(c, "second", "echo", &o);
        assert_ok(rk_connect(c->runtime, k[0], 0, k[1], &by_number));
        restore(c, k, 2, &s);
        for (rk_u32 e = 0; e < 2; e++) assert_ok(rk_activate(c->runtime, k[e]));

        /* then a drain finds that all of it has come */
        assert_ok(rk_drain(c->runtime, k, 2, CONTRACT_PATIENCE));
        assert_int_equal(account_of(c, k[1]).output_queued, 12);
    }
}

static void an_id_is_known_to_whichever_shard_has_its_actor_then(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    o.deduplication_window = 64;
    for (rk_u32 was = 1; was <= 3; was++)
        for (rk_u32 shards = 1; shards <= 3; shards++) {
            /* given some that are handled and some that are queued */
            o.shards = was;
            rk_kernel k = launch_active(c, "counter", "counter", &o);
            for (rk_u32 actor = 0; actor < 12; actor++) assert_ok(tick_actor(c, k, actor, 100 + actor));
            wait_until(c, account_of(c, k).delivered == 12);
            assert_ok(rk_deactivate(c->runtime, k));
            for (rk_u32 actor = 0; actor < 12; actor++) assert_ok(tick_actor(c, k, actor, 200 + actor));
            rk_snapshot s = snapshot_of(c, &k, 1);
            start_anew(c);
            o.shards = shards;
            k = launch(c, "counter", "counter", &o);
            restore(c, &k, 1, &s);
            for (rk_u32 actor = 0; actor < 12; actor++) {
                assert_status(tick_actor(c, k, actor, 100 + actor), RK_DUPLICATE);
                assert_status(tick_actor(c, k, actor, 200 + actor), RK_DUPLICATE);
            }
            assert_int_equal(account_of(c, k).queued, 12);
            start_anew(c);
        }

    /* given windows that don't fit into one: the newest ids of both are known */
    o.actors = o.shards = 2;
    o.deduplication_window = 16;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 i = 0; i < 16; i++) assert_ok(tick_actor(c, k, 0, 100 + i));
    for (rk_u32 i = 0; i < 16; i++) assert_ok(tick_actor(c, k, 1, 200 + i));
    wait_until(c, account_of(c, k).delivered == 32);
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    o.shards = 1;
    k = launch(c, "counter", "counter", &o);
    restore(c, &k, 1, &s);
    for (rk_u32 i = 8; i < 16; i++) {
        assert_status(tick_actor(c, k, 0, 100 + i), RK_DUPLICATE);
        assert_status(tick_actor(c, k, 1, 200 + i), RK_DUPLICATE);
    }
    assert_ok(tick_actor(c, k, 0, 107));
}

static void priorities_keep_their_bands(contract *c)
{
    rk_launch_options o = small(64);
    o.priority = 1;
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 8; i++) {
        probe p = { i, 0 };
        rk_send_options with = RK_SEND_DEFAULTS;
        with.priority = (rk_u8)(i % 4 * 70);
        assert_ok(rk_send(c->runtime, k, RK_BODY(p), &with));
    }
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    o.max_batch = 1;
    k = launch(c, "echo", "echo", &o);
    restore(c, &k, 1, &s);
    assert_ok(rk_activate(c->runtime, k));
    const rk_u32 order[] = { 3, 7, 2, 6, 1, 5, 0, 4 };
    for (rk_u32 i = 0; i < sizeof order / sizeof *order; i++) {
        probe p;
        receive(c, k, &p);
        assert_int_equal(p.number, order[i]);
    }
}

static void large_messages_come_with_their_bytes(contract *c)
{
    static unsigned char bytes[CRATE_MAX];
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "large_echo", "large_echo", &o);
    for (rk_u32 i = 0; i < 10; i++) {
        if (i == 5) { /* five wait for the host, five in the inbox */
            wait_until(c, account_of(c, k).output_queued == 5);
            assert_ok(rk_deactivate(c->runtime, k));
        }
        memset(bytes, (int)i + 1, sizeof bytes);
        assert_ok(rk_send(c->runtime, k, RK_TYPE_ID(crate), bytes, 2000 + i, 0));
    }
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    o.pool_blocks = 4;
    k = launch(c, "large_echo", "large_echo", &o);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_LIMIT);
    assert_error_says("pool_blocks");
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    o.pool_blocks = 5;
    k = launch(c, "large_echo", "large_echo", &o);
    restore(c, &k, 1, &s);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 25; i++) {
        rk_received info;
        contract_receive(c, k, bytes, sizeof bytes, &info, __FILE__, __LINE__);
        assert_int_equal(info.length, 2000 + i);
        for (rk_u32 b = 0; b < info.length; b++) assert_int_equal(bytes[b], i + 1);
        memset(bytes, (int)i + 6, sizeof bytes); /* and no block is lost */
        if (i >= 5 && i < 20) assert_ok(rk_send(c->runtime, k, RK_TYPE_ID(crate), bytes, 2005 + i, 0));
        if (i >= 5 && i < 20) memset(bytes, 0, sizeof bytes);
    }
}

/* ------------------------------------------------------------------ several kernels, and while messages flow */

static rk_kernel chain(contract *c, rk_kernel *first, const rk_launch_options *o, rk_u32 active)
{
    rk_kernel last = launch(c, "last", "echo", o);
    *first = launch(c, "first", "echo", o);
    assert_ok(rk_connect(c->runtime, *first, 0, last, 0));
    if (active) assert_ok(rk_activate(c->runtime, *first));
    if (active) assert_ok(rk_activate(c->runtime, last));
    return last;
}

typedef struct source {
    contract *c;
    rk_kernel to;
    rk_u32 count;
} source;

static void *send_numbers(void *argument)
{
    source *s = argument;
    rk_send_options patient = RK_SEND_DEFAULTS;
    patient.timeout_ns = RK_SECONDS(30);
    for (rk_u32 i = 0; i < s->count && !stopped(s->c); i++) {
        probe p = { i, 0 };
        if (!expect_ok(s->c, rk_send(s->c->runtime, s->to, RK_BODY(p), &patient))) return 0;
    }
    return 0;
}

static void a_cut_through_two_kernels_has_each_message_once(contract *c)
{
    /* given a stream through two small queues, of which snapshots are taken as it flows */
    rk_launch_options o = small(16);
    rk_kernel k[2];
    rk_u32 count = contract_rounds(20000), received = 0;
    rk_snapshot s = RK_SNAPSHOT_NONE, kept = RK_SNAPSHOT_NONE;
    k[1] = chain(c, &k[0], &o, 1);
    source all = { c, k[0], count };
    start_thread(c, send_numbers, &all);
    for (; received < count; received++) {
        probe p;
        receive(c, k[1], &p);
        assert_int_equal(p.number, received);
        if (received % (count / 10) != 5) continue;
        /* The stream may stand because nobody receives at this moment; then it isn't a cut's turn. */
        rk_status status = rk_snapshot_take(c->runtime, k, 2, RK_MILLISECONDS(100), 0, 0, &s);
        if (status == RK_TIMED_OUT) continue;
        assert_ok(status);
        rk_snapshot swap = kept;
        kept = s;
        s = swap;
    }
    join_threads(c);
    rk_snapshot_free(&s);
    if (!kept.size) kept = snapshot_of(c, k, 2);
    rk_snapshot_kernel first, last;
    assert_ok(rk_snapshot_describe(kept.bytes, kept.size, 0, &first));
    assert_ok(rk_snapshot_describe(kept.bytes, kept.size, 1, &last));
    assert_int_equal(last.account.accepted, first.account.delivered); /* nothing is on its way in between */
    assert_int_equal(first.account.balanced + last.account.balanced, 2);

    /* when the last of them is restored, and the source goes on where it says */
    start_anew(c);
    k[1] = chain(c, &k[0], &o, 0);
    restore(c, k, 2, &kept);
    assert_ok(rk_activate(c->runtime, k[0]));
    assert_ok(rk_activate(c->runtime, k[1]));
    assert_int_equal(account_of(c, k[1]).output_received, last.account.output_received);
    rk_send_options at_once = RK_SEND_DEFAULTS;
    for (rk_u64 sent = first.account.accepted_host, next = last.account.output_received; next < count;
         next++) {
        probe p = { (rk_u32)sent, 0 };
        /* Nobody else receives, so nobody makes room meanwhile, but that of what has come already. */
        at_once.timeout_ns = sent > next ? 1 : CONTRACT_PATIENCE;
        if (sent < count && rk_send(c->runtime, k[0], RK_BODY(p), &at_once) == RK_OK) sent++;
        receive(c, k[1], &p);
        assert_int_equal(p.number, next);
    }

    /* then each number has come once, and the drain finds all of them */
    probe none;
    assert_status(rk_receive(c->runtime, k[1], &none, sizeof none, 0, RK_NO_WAIT), RK_EMPTY);
    assert_ok(rk_drain(c->runtime, k, 2, CONTRACT_PATIENCE));
    assert_int_equal(account_of(c, k[0]).accepted, count);
    assert_int_equal(account_of(c, k[1]).delivered, count);
}

typedef struct numbered {
    contract *c;
    rk_kernel to;
    rk_u64 first, known, count; /* ids first…count, of which those up to `known` were accepted before */
} numbered;

/* Each id with itself as the amount. */
static void *send_numbered(void *argument)
{
    const numbered *n = argument;
    rk_send_options with = RK_SEND_DEFAULTS;
    with.timeout_ns = CONTRACT_PATIENCE;
    for (with.id = n->first; with.id <= n->count && !stopped(n->c); with.id++) {
        amount a = { (rk_i64)with.id };
        rk_status expected = with.id <= n->known ? RK_DUPLICATE : RK_OK;
        if (!expect_status(n->c, rk_send(n->c->runtime, n->to, RK_BODY(a), &with), expected)) return 0;
    }
    return 0;
}

static void window_state_and_inbox_are_of_one_moment_while_messages_flow(contract *c)
{
    /* Inbox and output hold all there is: neither the source nor a batch ever waits for room, so only the cut stops them. */
    enum { COUNT = 8000, SENT_AGAIN = 32 };
    rk_launch_options o = small(8192);
    o.deduplication_window = 64;
    for (rk_u32 round = 0; round < contract_rounds(60); round++) {
        /* given a cut through a stream of numbers */
        rk_kernel k = launch_active(c, "adder", "adder", &o);
        numbered all = { c, k, 1, 0, COUNT };
        start_thread(c, send_numbered, &all);
        for (rk_u32 i = 1; i <= SENT_AGAIN + 10 * round; i++) assert_total(c, k, i * (i + 1) / 2, i);
        rk_snapshot s = snapshot_of(c, &k, 1);
        join_threads(c);
        rk_snapshot_kernel then;
        assert_ok(rk_snapshot_describe(s.bytes, s.size, 0, &then));
        assert_int_equal(then.account.balanced, 1);

        /* when it is restored, and who isn't sure what has arrived sends the last of it again, and all the rest */
        start_anew(c);
        k = launch(c, "adder", "adder", &o);
        restore(c, &k, 1, &s);
        assert_ok(rk_activate(c->runtime, k));
        numbered rest = { c, k, then.account.accepted - SENT_AGAIN + 1, then.account.accepted, COUNT };
        start_thread(c, send_numbered, &rest);

        /* then just that is refused, and each number is added once */
        for (rk_u32 i = (rk_u32)then.account.output_received + 1; i <= COUNT; i++)
            assert_total(c, k, i * (i + 1) / 2, i);
        join_threads(c);
        wait_until(c, account_of(c, k).delivered == COUNT);
        assert_int_equal(account_of(c, k).accepted, COUNT);
        assert_int_equal(account_of(c, k).refused_duplicate, SENT_AGAIN);
        struct {
            rk_i64 sum;
            rk_u32 count, redelivered;
        } state;
        assert_ok(rk_read_state(c->runtime, k, 0, &state, sizeof state));
        assert_int_equal(state.sum, COUNT * (COUNT + 1) / 2);
        assert_int_equal(state.count, COUNT);
        start_anew(c);
    }
}

static size_t write_note(void *user, void *note, size_t room)
{
    assert_true(room >= 1000);
    memset(note, *(int *)user, 1000);
    return 1000;
}

static size_t write_too_much(void *user, void *note, size_t room)
{
    (void)user, (void)note;
    return room + 1;
}

static void a_note_is_written_at_the_cut_and_comes_back(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch(c, "echo", "echo", &o);
    rk_snapshot s = RK_SNAPSHOT_NONE;
    int value = 7;
    const void *note;
    size_t size;
    assert_ok(send_probe(c, k, 1));
    assert_ok(rk_snapshot_take(c->runtime, &k, 1, CONTRACT_PATIENCE, write_note, &value, &s));
    assert_ok(rk_snapshot_note(s.bytes, s.size, &note, &size));
    assert_int_equal(size, 1000);
    for (size_t i = 0; i < size; i++) assert_int_equal(((const char *)note)[i], 7);
    assert_status(rk_snapshot_take(c->runtime, &k, 1, CONTRACT_PATIENCE, write_too_much, 0, &s), RK_LIMIT);
    assert_ok(rk_snapshot_take(c->runtime, &k, 1, CONTRACT_PATIENCE, write_note, &value, &s));
    start_anew(c);
    k = launch(c, "echo", "echo", &o);
    restore(c, &k, 1, &s);
    assert_int_equal(account_of(c, k).queued, 1);
}

/* ------------------------------------------------------------------ refusals */

static void a_snapshot_goes_only_into_what_it_was_taken_of(contract *c)
{
    rk_launch_options o = small(64), wrong = small(64);
    rk_kernel k = launch(c, "adder", "adder", &o);
    for (rk_u32 i = 0; i < 40; i++) add_amount(c, k, 1, 0, 0);
    rk_snapshot s = snapshot_of(c, &k, 1);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_BUSY);
    assert_error_says("in use");
    start_anew(c);

    k = launch(c, "another", "adder", &o);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    assert_error_says("another");
    k = launch(c, "adder", "echo", &o);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    assert_error_says("echo");
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    wrong.shards = 2;
    k = launch(c, "adder", "adder", &wrong);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_UNSUPPORTED);
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    wrong = small(32);
    k = launch(c, "adder", "adder", &wrong);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_LIMIT);
    assert_error_says("40");
    assert_error_says("32");
    assert_int_equal(account_of(c, k).accepted, 0); /* nothing has changed */
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));

    /* A kernel whose message has changed since, and one whose state has. */
    k = launch(c, "adder", "adder", &o);
    rk_form_kernel *form = (rk_form_kernel *)((rk_form_head *)s.bytes + 1);
    form->handled[0].hash ^= 1;
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    assert_error_says("'amount'");
    form->handled[0].hash ^= 1;
    form->told.state_size -= 8;
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    assert_error_says("state of");
    form->told.state_size += 8;

    /* One of whose queued messages the type has: the first of the lane of the host. */
    rk_form_head *head = s.bytes;
    rk_form_message *first =
        (rk_form_message *)((rk_byte *)s.bytes + head->queues + sizeof(rk_form_shard) + sizeof(rk_form_lane));
    assert_int_equal(first->header.base.type, RK_TYPE_ID(amount));
    first->schema ^= 1;
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    assert_error_says("of which some are queued");
    first->schema ^= 1;
    ((rk_form_head *)s.bytes)->version++;
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_INCOMPATIBLE);
    ((rk_form_head *)s.bytes)->version--;
    restore(c, &k, 1, &s);
    assert_int_equal(account_of(c, k).queued, 40);
}

static void fewer_actors_than_there_were_are_refused(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    o.actors = 11;
    k = launch(c, "counter", "counter", &o);
    assert_status(rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size), RK_UNSUPPORTED);
    assert_error_says("had 12 actors then and has 11 now");
    rk_snapshot_free(&s);
}

static void a_message_lives_as_long_as_it_had_left_at_the_cut(contract *c)
{
    rk_launch_options o = small(64);
    o.expiry = 1;
    for (rk_u32 over = 0; over < 2; over++) {
        /* given a second to live, of which 600 ms have passed at the cut */
        amount a = { 1 };
        rk_send_options second = RK_SEND_DEFAULTS;
        second.ttl_us = 1000000;
        rk_kernel k = launch(c, "adder", "adder", &o);
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), &second));
        let_pass(c, RK_MILLISECONDS(600));
        rk_snapshot s = snapshot_of(c, &k, 1);
        let_pass(c, RK_SECONDS(5));
        start_anew(c);
        k = launch(c, "adder", "adder", &o);
        restore(c, &k, 1, &s);
        let_pass(c, RK_MILLISECONDS(over ? 401 : 400));
        assert_ok(rk_activate(c->runtime, k));
        settle(c);
        assert_int_equal(account_of(c, k).expired, over);
        assert_int_equal(account_of(c, k).delivered, !over);
        start_anew(c);
    }
}

/* Given what a clock that had run for long stamped, when it is restored where the clock has just begun, then nothing of it
 * is later than now: who sends on is stamped as of now, and what was queued doesn't live for ever. */
static void nothing_of_a_snapshot_is_later_than_a_clock_that_began_anew(contract *c)
{
    rk_launch_options o = small(64);
    o.expiry = o.timestamps = 1;
    amount a = { 1 };
    total t;
    rk_received info;
    rk_send_options two_minutes = RK_SEND_DEFAULTS;
    two_minutes.ttl_us = 120000000;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    settle(c);
    assert_ok(rk_receive(c->runtime, k, &t, sizeof t, 0, RK_NO_WAIT));
    assert_ok(rk_deactivate(c->runtime, k));
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &two_minutes));
    let_pass(c, RK_SECONDS(100));
    rk_snapshot s = snapshot_of(c, &k, 1);
    __atomic_store_n(&c->clock_ns, RK_SECONDS(60), __ATOMIC_RELAXED);
    start_anew(c);
    k = launch(c, "adder", "adder", &o);
    restore(c, &k, 1, &s);
    assert_in_range(metrics_of(c, k).last_activity_ns, 0, RK_SECONDS(60));
    assert_int_equal(account_of(c, k).queued, 1);
    let_pass(c, RK_SECONDS(61));
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    assert_int_equal(account_of(c, k).expired, 1);
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    settle(c);
    assert_ok(rk_receive(c->runtime, k, &t, sizeof t, &info, RK_NO_WAIT));
    assert_in_range(info.sent_ns, RK_SECONDS(121), RK_SECONDS(121) + 1000);
}

static rk_outstanding ask(contract *c, rk_kernel k, rk_u32 value, response *reply)
{
    inquiry q = { value, ANSWER_ONCE };
    rk_outstanding request;
    assert_ok(rk_request_start(c->runtime, k, RK_BODY(q), RK_TYPE_ID(response), reply, sizeof *reply, 0,
                               CONTRACT_PATIENCE, &request));
    return request;
}

static void a_reply_to_who_is_gone_is_not_taken_for_that_of_another(contract *c)
{
    /* given a request that was queued at the cut, and one in the next process */
    rk_launch_options o = rk_production();
    response gone, reply = { 0, 0 };
    o.requests = 1;
    rk_kernel k = launch(c, "replier", "replier", &o);
    rk_outstanding request = ask(c, k, 7, &gone);
    rk_snapshot s = snapshot_of(c, &k, 1);
    assert_ok(rk_request_abandon(c->runtime, &request));
    start_anew(c);
    k = launch(c, "replier", "replier", &o);
    restore(c, &k, 1, &s);
    request = ask(c, k, 30, &reply);

    /* when both are answered, then the second has its own reply */
    assert_ok(rk_activate(c->runtime, k));
    settle(c);
    assert_ok(rk_request_await(c->runtime, &request, CONTRACT_PATIENCE));
    assert_int_equal(reply.value, 60); /* twice what was asked */
    wait_until(c, account_of(c, k).late_replies == 1);

    /* and what was late is still known in the process after it */
    s = snapshot_of(c, &k, 1);
    start_anew(c);
    k = launch(c, "replier", "replier", &o);
    restore(c, &k, 1, &s);
    assert_int_equal(account_of(c, k).late_replies, 1);
}

static void what_was_refused_and_what_died_is_still_known(contract *c)
{
    rk_launch_options o = small(16);
    o.deduplication_window = 16;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel k = launch_active(c, "failing", "failing", &o);
    for (rk_u32 i = 0; i < 3; i++) {
        attempt a = { i, FAULT_ODD };
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
        wait_until(c, account_of(c, k).dead == i + 1);
    }
    wait_until(c, account_of(c, k).dead_letters == 3);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_u32 i = 0; i < 18; i++) {
        attempt a = { i, FAULT_NONE };
        rk_send_options known = RK_SEND_DEFAULTS;
        known.id = i < 2 ? 1 : i;
        rk_status expected = i == 1 ? RK_DUPLICATE : i == 17 ? RK_FULL : RK_OK;
        assert_status(rk_send(c->runtime, k, RK_BODY(a), &known), expected);
    }
    rk_account before = account_of(c, k);
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    k = launch(c, "failing", "failing", &o);
    restore(c, &k, 1, &s);
    rk_account after = account_of(c, k);
    assert_int_equal(after.refused_full, 1);
    assert_int_equal(after.refused_duplicate, 1);
    assert_int_equal(after.dead, 3);
    assert_int_equal(after.dead_letters, 3);
    assert_int_equal(after.dead_letters_lost, 3); /* those that were kept stayed with the process */
    assert_int_equal(after.queued, before.queued);
    assert_int_equal(after.balanced, 1);
}

static void a_snapshot_that_is_cut_or_garbled_harms_nobody(contract *c)
{
    /* given a snapshot, of which each word in turn is replaced, or the rest cut off */
    rk_launch_options o = small(64);
    o.deduplication_window = 16;
    rk_kernel k = launch(c, "adder", "adder", &o);
    for (rk_u32 i = 0; i < 3; i++) add_amount(c, k, 1, i + 1, 0);
    rk_snapshot s = snapshot_of(c, &k, 1);
    start_anew(c);
    k = launch(c, "adder", "adder", &o);
    for (size_t size = 0; size < s.size; size += 8) {
        rk_byte *cut = malloc(size + 1); /* of just that size: a sanitizer sees who reads on */
        assert_non_null(cut);
        memcpy(cut, s.bytes, size);
        ((rk_form_head *)s.bytes)->size = size;
        if (size >= 40) memcpy(cut, s.bytes, 40);
        assert_int_not_equal(rk_snapshot_restore(c->runtime, &k, 1, cut, size), RK_OK);
        free(cut);
    }
    ((rk_form_head *)s.bytes)->size = s.size;
    rk_u64 seed = 1;
    for (size_t at = 0; at + 8 <= s.size; at += 8) {
        rk_u64 *word = (rk_u64 *)(void *)((rk_byte *)s.bytes + at), was = *word;
        *word ^= rk_hash64(seed++) | 1;
        /* Some words may be anything, those of states and payloads: then the kernel is used up. */
        if (rk_snapshot_restore(c->runtime, &k, 1, s.bytes, s.size) == RK_OK) {
            assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
            k = launch(c, "adder", "adder", &o);
        }
        *word = was;
    }
    restore(c, &k, 1, &s);
    assert_int_equal(account_of(c, k).queued, 3);
}

static void what_cannot_be_at_a_cut_says_why(contract *c)
{
    rk_launch_options o = small(16);
    rk_kernel k = launch(c, "echo", "echo", &o), twice[2] = { k, k }, stale;
    rk_snapshot s = RK_SNAPSHOT_NONE;
    rk_reservation held;
    assert_status(rk_snapshot_take(c->runtime, twice, 2, RK_SECONDS(1), 0, 0, &s), RK_INVALID_ARGUMENT);
    assert_error_says("twice");
    assert_status(rk_snapshot_take(c->runtime, 0, 1, RK_SECONDS(1), 0, 0, &s), RK_INVALID_ARGUMENT);
    assert_ok(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &held));
    assert_status(rk_snapshot_take(c->runtime, &k, 1, RK_SECONDS(1), 0, 0, &s), RK_BUSY);
    assert_ok(rk_abort(c->runtime, &held));
    assert_ok(rk_snapshot_take(c->runtime, &k, 1, RK_SECONDS(1), 0, 0, &s));
    assert_ok(rk_activate(c->runtime, k));
    assert_ok(rk_drain(c->runtime, &k, 1, CONTRACT_PATIENCE));
    assert_status(rk_snapshot_take(c->runtime, &k, 1, RK_SECONDS(1), 0, 0, &s), RK_CLOSED);
    stale = k;
    assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    assert_status(rk_snapshot_take(c->runtime, &stale, 1, RK_SECONDS(1), 0, 0, &s), RK_STALE);
    rk_snapshot_free(&s);
}

static void a_batch_that_finds_no_room_is_waited_for_and_then_named(contract *c)
{
    rk_launch_options o = small(64);
    o.output_capacity = 16;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    rk_snapshot s = RK_SNAPSHOT_NONE;
    for (rk_u32 i = 0; i < 40; i++) add_amount(c, k, 1, 0, 0);
    wait_until(c, account_of(c, k).output_queued == 16 && metrics_of(c, k).parks);
    assert_status(rk_snapshot_take(c->runtime, &k, 1, RK_MILLISECONDS(20), 0, 0, &s), RK_TIMED_OUT);
    assert_error_says("waits for room");
    for (rk_i64 i = 1; i <= 40; i++) assert_total(c, k, i, (rk_u32)i); /* and it goes on */
    assert_ok(rk_snapshot_take(c->runtime, &k, 1, CONTRACT_PATIENCE, 0, 0, &s));
    rk_snapshot_free(&s);
}

static void a_kernel_that_had_asked_another_has_its_answer_after_a_restore(contract *c)
{
    /* given a question that is queued at who answers */
    rk_kernel k[] = { launch(c, "asks", "asker", 0), launch(c, "answers", "replier", 0) };
    response answer;
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    assert_ok(rk_activate(c->runtime, k[0]));
    assert_ok(send_probe(c, k[0], 21));
    wait_until(c, account_of(c, k[1]).accepted == 1);
    assert_ok(rk_deactivate(c->runtime, k[0]));

    /* when both are restored where their numbers are others, one of which was another's before */
    rk_snapshot s = snapshot_of(c, k, 2);
    start_anew(c);
    rk_kernel before = launch(c, "before", "echo", 0);
    k[1] = launch(c, "answers", "replier", 0);
    assert_ok(rk_terminate(c->runtime, before, CONTRACT_PATIENCE));
    k[0] = launch(c, "asks", "asker", 0);
    assert_ok(rk_connect(c->runtime, k[0], 0, k[1], 0));
    restore(c, k, 2, &s);

    /* then the answer comes to who asked */
    for (rk_u32 i = 0; i < 2; i++) assert_ok(rk_activate(c->runtime, k[i]));
    receive(c, k[0], &answer);
    assert_int_equal(answer.value, 42);
    assert_int_equal(account_of(c, k[1]).dead_letters, 0);
}

static const contract_case cases[] = {
    { CASE(a_kernel_goes_on_from_a_snapshot_with_its_state_inbox_output_and_window), NEEDS_REGIONS },
    { CASE(a_snapshot_of_one_backend_goes_into_another_and_back), NEEDS_REGIONS },
    { CASE(every_shard_has_its_own_state_again), NEEDS_REGIONS },
    { CASE(a_state_can_be_read_from_the_bytes), NEEDS_REGIONS },
    { CASE(actors_and_what_is_queued_for_them_find_their_shards_anew), NEEDS_REGIONS },
    { CASE(a_drain_ends_though_what_kernels_sent_has_found_its_shards_anew), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(an_id_is_known_to_whichever_shard_has_its_actor_then), NEEDS_REGIONS },
    { CASE(priorities_keep_their_bands), ON_EVERY },
    { CASE(large_messages_come_with_their_bytes), NEEDS_REGIONS },
    { CASE(a_cut_through_two_kernels_has_each_message_once), NEEDS_THREADS },
    { CASE(window_state_and_inbox_are_of_one_moment_while_messages_flow), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(a_note_is_written_at_the_cut_and_comes_back), ON_EVERY },
    { CASE(a_snapshot_goes_only_into_what_it_was_taken_of), NEEDS_REGIONS },
    { CASE(fewer_actors_than_there_were_are_refused), NEEDS_REGIONS },
    { CASE(a_message_lives_as_long_as_it_had_left_at_the_cut), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(nothing_of_a_snapshot_is_later_than_a_clock_that_began_anew), NEEDS_REGIONS | NEEDS_STEP },
    { CASE(a_reply_to_who_is_gone_is_not_taken_for_that_of_another), NEEDS_REGIONS },
    { CASE(a_kernel_that_had_asked_another_has_its_answer_after_a_restore), NEEDS_REGIONS },
    { CASE(what_was_refused_and_what_died_is_still_known), NEEDS_REGIONS },
    { CASE(a_snapshot_that_is_cut_or_garbled_harms_nobody), NEEDS_REGIONS },
    { CASE(what_cannot_be_at_a_cut_says_why), ON_EVERY },
    { CASE(a_batch_that_finds_no_room_is_waited_for_and_then_named), NEEDS_REGIONS },
};

CONTRACT_MAIN("snapshot", cases)
