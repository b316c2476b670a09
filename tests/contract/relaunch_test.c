/* The same kernel again, with other options: inbox and state are carried over, nobody who sends meanwhile
 * loses anything, and a refusal changes nothing. */
#include "probes.h"

#include "runtime/core.h"
#include "runtime/guard.h"

static void ask_amount(contract *c, rk_kernel k, rk_i64 value, rk_i64 sum)
{
    amount a = { value };
    total t;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    receive(c, k, &t);
    assert_int_equal(t.sum, sum);
}

static void a_relaunch_has_other_options_and_carries_inbox_and_state_over(contract *c)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    for (rk_i64 i = 1; i <= 10; i++) ask_amount(c, k, i, i * (i + 1) / 2);
    assert_ok(rk_deactivate(c->runtime, k));
    rk_send_options s = RK_SEND_DEFAULTS;
    for (rk_i64 i = 1; i <= 20; i++) {
        amount a = { 100 };
        s.id = (rk_u64)i;
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), &s));
    }

    o.queue_capacity = 32;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    o.priority = 1;
    o.deduplication_window = 32;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));

    rk_kernel_info info = info_of(c, k);
    assert_int_equal(info.epoch, 2);
    assert_int_equal(info.life, RK_LIFE_INACTIVE);
    assert_int_equal(info.queue_capacity, 32);
    assert_int_equal(info.backpressure, RK_BACKPRESSURE_REJECT);
    assert_int_equal(info.queued, 20);
    assert_int_equal(info.processed, 10);
    amount again = { 100 };
    s.id = 20; /* its ids are known still */
    assert_status(rk_send(c->runtime, k, RK_BODY(again), &s), RK_DUPLICATE);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_i64 i = 1; i <= 20; i++) {
        total t;
        receive(c, k, &t);
        assert_int_equal(t.sum, 55 + i * 100);
        assert_int_equal(t.count, 10 + i);
    }
    ask_amount(c, k, 1, 2056);
    rk_account a = account_of(c, k);
    assert_int_equal(a.accepted, 31);
    wait_until(c, account_of(c, k).delivered == 31);
    assert_int_equal(account_of(c, k).output_received, 31);
}

static void what_was_refused_is_still_known_after_a_relaunch(contract *c)
{
    rk_launch_options o = small(16);
    rk_send_options with = RK_SEND_DEFAULTS;
    o.deduplication_window = 16;
    o.backpressure = RK_BACKPRESSURE_REJECT;
    rk_kernel k = launch(c, "echo", "echo", &o);
    probe p = { 1, 0 };
    for (rk_u64 i = 0; i < 20; i++) {
        with.id = 1 + i / 2; /* each twice, and then some without one */
        (void)rk_send(c->runtime, k, RK_BODY(p), i < 16 ? &with : 0);
    }
    for (rk_u32 i = 0; i < 4; i++) assert_ok(send_probe(c, k, i));
    for (rk_u32 i = 0; i < 5; i++) assert_status(send_probe(c, k, i), RK_FULL);
    assert_status(rk_send(c->runtime, k, RK_TYPE_ID(probe), &p, sizeof p + 1, 0), RK_TOO_LARGE);
    const rk_account before = account_of(c, k);
    assert_int_equal(before.refused_duplicate, 8);
    assert_int_equal(before.refused_full, 5);
    assert_int_equal(before.refused_invalid, 1);

    o.backpressure = RK_BACKPRESSURE_DROP_NEWEST;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_status(send_probe(c, k, 1), RK_DROPPED);
    const rk_account after = account_of(c, k);
    assert_int_equal(after.accepted, before.accepted);
    assert_int_equal(after.queued, 16);
    assert_int_equal(after.refused_duplicate, 8);
    assert_int_equal(after.refused_full, 5);
    assert_int_equal(after.refused_invalid, 1);
    assert_int_equal(after.refused_dropped, 1);
}

static void a_relaunch_of_an_active_kernel_goes_on_active(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k = launch_active(c, "adder", "adder", &o);
    ask_amount(c, k, 5, 5);
    for (rk_u32 i = 2; i < 12; i++) {
        o.queue_capacity = 16u << (i % 4);
        o.slot_format = i % 2 ? RK_FORMAT_SEQ : RK_FORMAT_UNIT;
        rk_status status = rk_relaunch(c->runtime, k, &o, RK_SECONDS(10));
        if (status == RK_UNSUPPORTED) contract_refuse(c, rk_error_text());
        assert_ok(status);
        assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
        assert_int_equal(info_of(c, k).epoch, i);
        ask_amount(c, k, 1, 5 + i - 1);
    }
}

static void a_relaunch_into_other_slots_carries_what_is_queued_on_both_sides(contract *c)
{
    for (rk_u32 formats = 0; formats < 4; formats++) {
        rk_launch_options o = small(64);
        o.slot_format = formats & 1;
        rk_kernel k = launch_echo(c, &o);
        for (rk_u32 i = 0; i < 10; i++) assert_ok(send_probe(c, k, i));
        wait_until(c, account_of(c, k).output_queued == 10);
        assert_ok(rk_deactivate(c->runtime, k));
        for (rk_u32 i = 10; i < 20; i++) assert_ok(send_probe(c, k, i));

        o.slot_format = formats >> 1;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));

        assert_int_equal(info_of(c, k).queued, 10);
        assert_int_equal(account_of(c, k).output_queued, 10);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 20; i++) assert_next(c, k, i);
        wait_until(c, account_of(c, k).delivered == 20);
        assert_true(account_of(c, k).balanced);
        assert_ok(rk_terminate(c->runtime, k, RK_SECONDS(10)));
    }
}

static void a_relaunch_that_has_no_room_for_what_is_queued_says_both_numbers(contract *c)
{
    rk_launch_options o = small(128);
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 100; i++) assert_ok(send_probe(c, k, i));
    o.queue_capacity = 64;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_LIMIT);
    assert_error_says("100");
    assert_error_says("64");

    /* Nothing has changed. */
    rk_kernel_info info = info_of(c, k);
    assert_int_equal(info.queue_capacity, 128);
    assert_int_equal(info.queued, 100);
    assert_int_equal(info.epoch, 1);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 100; i++) assert_next(c, k, i);
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_serves(c, k, 1);
}

static void a_relaunch_with_invalid_options_changes_nothing(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel k = launch_echo(c, &o);
    rk_u64 taken = c->runtime->arena.taken;
    o.queue_capacity = 100;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_INVALID_OPTIONS);
    o.queue_capacity = 64;
    o.kernel_name = in_style(c, "sink");
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_UNSUPPORTED);
    const rk_parameter unknown = { "none such", "1" };
    o.kernel_name = 0;
    o.parameters = &unknown;
    o.parameter_count = 1;
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_INVALID_OPTIONS);
    assert_int_equal(c->runtime->arena.taken, taken);
    assert_int_equal(info_of(c, k).epoch, 1);
    assert_serves(c, k, 1);
}

static void a_relaunch_keeps_parameters_unless_it_sets_them(contract *c)
{
    const rk_parameter first = { "factor", "10" }, second = { "factor", "20" };
    rk_launch_options o = small(64);
    o.parameters = &first;
    o.parameter_count = 1;
    rk_kernel k = launch_active(c, "tuned", "tuned", &o);
    const rk_parameter another = { "offset", "5" };
    factors f;
    for (rk_u32 round = 0; round < 3; round++) {
        assert_ok(send_probe(c, k, 0));
        receive(c, k, &f);
        assert_int_equal(f.factor, round == 2 ? 20 : 10);
        o.parameters = &second;
        o.parameter_count = round == 1;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    }
    o.parameters = &another; /* the first stays as it was set */
    o.parameter_count = 1;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_ok(send_probe(c, k, 0));
    receive(c, k, &f);
    assert_int_equal(f.factor, 20);
    assert_int_equal(f.offset, 5);
}

static void a_relaunch_with_another_number_of_shards_routes_what_is_queued_anew(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    o.shards = 2;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 shards = 3; shards <= 5; shards++) {
        rk_send_options s = RK_SEND_DEFAULTS;
        assert_ok(rk_deactivate(c->runtime, k));
        for (rk_u32 actor = 0; actor < 12; actor++) {
            tick t = { actor, 0 };
            s.target = actor;
            assert_ok(rk_send(c->runtime, k, RK_BODY(t), &s));
        }
        o.shards = shards;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
        assert_int_equal(info_of(c, k).shards, shards);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 12; i++) {
            ticked t;
            receive(c, k, &t);
            assert_int_equal(t.count, shards - 2);
        }
        for (rk_u32 actor = 0; actor < 12; actor++) {
            ticked state;
            assert_ok(rk_read_state(c->runtime, k, actor, &state, sizeof state));
            assert_int_equal(state.actor, actor);
            assert_int_equal(state.count, shards - 2);
        }
    }
}

static void add_in_shard(contract *c, rk_kernel k, rk_u32 shard, rk_i64 value, rk_i64 sum)
{
    amount a = { value };
    total t;
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = shard;
    assert_ok(rk_send(c->runtime, k, RK_BODY(a), &to));
    receive(c, k, &t);
    assert_int_equal(t.sum, sum);
    assert_int_equal(t.shard, shard);
}

/* Given state per shard in two of them, when a relaunch has more or fewer, active or not, then the refusal says whose, both
 * numbers and what to do, and nothing has changed; with two it goes through, and each has its state. */
static void a_relaunch_with_state_per_shard_keeps_to_its_number_of_shards(contract *c)
{
    rk_launch_options o = small(64);
    o.shards = 2;
    rk_kernel k = launch_active(c, "till", "adder", &o);
    add_in_shard(c, k, 0, 3, 3);
    add_in_shard(c, k, 1, 40, 40);
    rk_u64 taken = c->runtime->arena.taken;
    static const struct {
        rk_u32 shards;
        const char *says;
    } rows[] = {
        { 1, "has no RK_ON_MERGE that makes those of 1 shards of those of 2: declare one, relaunch it with "
             "2, or "
             "launch one with 1 under an id of its own" },
        { 3, "has no RK_ON_MERGE that makes those of 3 shards of those of 2: declare one, relaunch it with "
             "2, or "
             "launch one with 3 under an id of its own" },
    };
    for (rk_u32 i = 0; i < 4; i++) {
        o.shards = rows[i % 2].shards;
        o.kernel_name = in_style(c, "adder");
        assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)), RK_UNSUPPORTED);
        assert_error_says(rows[i % 2].says);
        rk_kernel_info info = info_of(c, k);
        assert_int_equal(info.shards, 2);
        assert_int_equal(info.epoch, 1);
        assert_int_equal(info.life, i < 2 ? RK_LIFE_ACTIVE : RK_LIFE_INACTIVE);
        assert_int_equal(c->runtime->arena.taken, taken);
        if (i == 1) {
            add_in_shard(c, k, 0, 1, 4);
            add_in_shard(c, k, 1, 1, 41);
            assert_ok(rk_deactivate(c->runtime, k));
        }
    }

    o.shards = 2;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_ok(rk_activate(c->runtime, k));
    add_in_shard(c, k, 0, 1, 5);
    add_in_shard(c, k, 1, 1, 42);
}

static void a_relaunch_merges_the_states_of_shards_as_the_kernel_says(contract *c)
{
    static const rk_u32 shards[] = { 3, 4, 2, 1, 5 };
    rk_launch_options o = small(64);
    rk_u32 sent = 0;
    o.shards = 2;
    rk_kernel k = launch(c, "counter", "shard_counter", &o);
    for (rk_u32 i = 0; i < 5; i++) {
        /* given counts of 12 targets in the states of their shards, and as many messages that are queued */
        if (i % 2) assert_ok(rk_deactivate(c->runtime, k)); /* or it is relaunched while it serves */
        for (rk_u32 actor = 0; actor < 12; actor++, sent++) {
            rk_send_options to = RK_SEND_DEFAULTS;
            tick t = { actor, 0 };
            to.target = actor;
            assert_ok(rk_send(c->runtime, k, RK_BODY(t), &to));
        }

        /* when it is relaunched with more shards, or fewer */
        o.shards = shards[i];
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
        if (i == 0 || i % 2) assert_ok(rk_activate(c->runtime, k));

        /* then each count goes on, in the state of the shard that its target comes to now, and nowhere else */
        for (rk_u32 got = 0; got < 12; got++) {
            ticked t;
            receive(c, k, &t);
            assert_int_equal(t.count, i + 1);
        }
        rk_u32 all = 0;
        for (rk_u32 s = 0; s < o.shards; s++) {
            rk_u32 state[13];
            assert_ok(rk_read_state(c->runtime, k, s, state, sizeof state));
            for (rk_u32 actor = 0; actor < 12; actor++)
                assert_int_equal(state[actor], actor % o.shards == s ? i + 1 : 0);
            all += state[12];
        }
        assert_int_equal(all, sent);
    }
}

/* Messages that go by their number, some of them before either kernel has another number of shards, and some that nobody
 * has taken by then. */
static void a_drain_ends_after_relaunches_with_other_numbers_of_shards(contract *c)
{
    static const rk_u32 numbers[][2] = { { 2, 3 }, { 3, 2 }, { 4, 1 } };
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options o = small(64);
        rk_route_options by_number = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_KEY };
        by_number.key_field = "number";
        o.kernel_name = in_style(c, "echo");
        o.shards = numbers[i][0];
        rk_kernel ends[2];
        assert_ok(rk_launch(c->runtime, "first", &o, &ends[0]));
        assert_ok(rk_launch(c->runtime, "second", &o, &ends[1]));
        assert_ok(rk_connect(c->runtime, ends[0], 0, ends[1], &by_number));
        assert_ok(rk_activate(c->runtime, ends[0]));
        rk_send_options to = RK_SEND_DEFAULTS;
        for (rk_u32 part = 0; part < 3; part++) {
            /* given messages that have reached the second, by each shard of the first */
            for (rk_u32 n = 0; n < 12; n++) {
                probe p = { 12 * part + n, 0 };
                to.target = n;
                assert_ok(rk_send(c->runtime, ends[0], RK_BODY(p), &to));
            }
            wait_until(c, account_of(c, ends[1]).accepted == 12 * (part + 1));
            /* when it has taken them, or they are queued */
            if (part == 1) {
                assert_ok(rk_activate(c->runtime, ends[1]));
                wait_until(c, account_of(c, ends[1]).output_queued == 24);
                assert_ok(rk_deactivate(c->runtime, ends[1]));
            }
            /* and both are launched again with another number of shards */
            o.shards = numbers[i][(part + 1) % 2];
            assert_ok(rk_relaunch(c->runtime, ends[1], &o, RK_SECONDS(10)));
            assert_ok(rk_relaunch(c->runtime, ends[0], &o, RK_SECONDS(10)));
        }
        assert_ok(rk_activate(c->runtime, ends[1]));

        /* then a drain finds that all of it has come */
        assert_ok(rk_drain(c->runtime, ends, 2, CONTRACT_PATIENCE));
        rk_u32 seen[36] = { 0 };
        for (rk_u32 n = 0; n < 36; n++) {
            probe p;
            receive(c, ends[1], &p);
            seen[p.number]++;
        }
        for (rk_u32 n = 0; n < 36; n++) assert_int_equal(seen[n], 1);
        for (rk_u32 e = 0; e < 2; e++) assert_ok(rk_terminate(c->runtime, ends[e], CONTRACT_PATIENCE));
    }
}

static void a_drain_ends_after_replies_to_shards_that_are_no_more(contract *c)
{
    rk_launch_options o = small(64);
    rk_kernel both[2];
    o.shards = 3;
    both[0] = launch(c, "asks", "asker", &o);
    o.shards = 1;
    both[1] = launch(c, "answers", "replier", &o);
    assert_ok(rk_connect(c->runtime, both[0], 0, both[1], 0));
    for (rk_u32 e = 0; e < 2; e++) assert_ok(rk_activate(c->runtime, both[e]));
    for (rk_u32 shards = 3; shards > 0; shards--) {
        o.shards = shards;
        if (shards < 3) {
            o.kernel_name = in_style(c, "asker");
            assert_ok(rk_relaunch(c->runtime, both[0], &o, RK_SECONDS(10)));
        }
        for (rk_u32 n = 0; n < 6; n++) {
            rk_send_options to = RK_SEND_DEFAULTS;
            probe p = { n, 0 };
            response got;
            to.target = n;
            assert_ok(rk_send(c->runtime, both[0], RK_BODY(p), &to));
            receive(c, both[0], &got);
            assert_int_equal(got.value, 2 * n);
        }
    }
    assert_ok(rk_drain(c->runtime, both, 2, CONTRACT_PATIENCE));
}

static void an_id_is_known_to_whichever_shard_has_its_actor_now(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 12;
    o.shards = 2;
    o.deduplication_window = 64;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 actor = 0; actor < 12; actor++) assert_ok(tick_actor(c, k, actor, 100 + actor));
    for (rk_u32 shards = 3; shards > 0; shards--) { /* 3, 2 and 1 */
        o.shards = shards;
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
        for (rk_u32 actor = 0; actor < 12; actor++)
            assert_status(tick_actor(c, k, actor, 100 + actor), RK_DUPLICATE);
    }
    wait_until(c, account_of(c, k).delivered == 12);
    assert_int_equal(account_of(c, k).refused_duplicate, 36);
}

static void one_shard_in_the_place_of_two_knows_the_newest_ids_of_both(contract *c)
{
    rk_launch_options o = small(64);
    o.actors = 2;
    o.shards = 2;
    o.deduplication_window = 16;
    rk_kernel k = launch_active(c, "counter", "counter", &o);
    for (rk_u32 i = 0; i < 16; i++) assert_ok(tick_actor(c, k, 0, 100 + i));
    for (rk_u32 i = 0; i < 16; i++) assert_ok(tick_actor(c, k, 1, 200 + i));
    o.shards = 1;
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    for (rk_u32 i = 8; i < 16; i++) {
        assert_status(tick_actor(c, k, 0, 100 + i), RK_DUPLICATE);
        assert_status(tick_actor(c, k, 1, 200 + i), RK_DUPLICATE);
    }
    assert_ok(tick_actor(c, k, 0, 107));
}

/* Given a kernel whose inbox moves over, when somebody sends to it with little patience, then he is told when that is
 * over, and not when the launch is. */
static void a_sender_waits_for_a_relaunch_no_longer_than_it_says(contract *c)
{
    rk_kernel k = launch_active(c, "target", "echo", 0);
    rk_gate_close(c->runtime->kernels[k.number]);

    probe p = { 2, 0 };
    rk_send_options hasty = { .timeout_ns = RK_MILLISECONDS(5) };
    assert_status(rk_send(c->runtime, k, RK_BODY(p), &hasty), RK_TIMED_OUT);
    assert_error_says("being relaunched");
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_NO_WAIT), RK_EMPTY);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, RK_MILLISECONDS(5)), RK_TIMED_OUT);

    rk_gate_open(c->runtime->kernels[k.number]);
    assert_serves(c, k, 3);
}

#define SENDERS 4u

typedef struct sender {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 count;
} sender;

static void *send_in_order(void *argument)
{
    sender *s = argument;
    rk_send_options o = RK_SEND_DEFAULTS;
    o.timeout_ns = RK_SECONDS(30);
    for (rk_u32 i = 0; i < s->count && !stopped(s->c); i++) {
        probe p = { i, s->number };
        if (!expect_ok(s->c, rk_send(s->c->runtime, s->kernel, RK_BODY(p), &o))) return 0;
    }
    return 0;
}

/* Receive `count` messages of each sender, in order for each; between them, do something. */
static void receive_from_senders(contract *c, rk_kernel k, rk_u32 count, rk_u32 every,
                                 void (*between)(contract *, rk_kernel, rk_u32))
{
    rk_u32 next[SENDERS] = { 0 };
    for (rk_u32 i = 0; i < SENDERS * count; i++) {
        probe p;
        receive(c, k, &p);
        assert_true(p.sender < SENDERS);
        assert_int_equal(p.number, next[p.sender]);
        next[p.sender]++;
        if (between && i % every == 0) between(c, k, i);
    }
}

static rk_u64 relaunch_patience_ns; /* longer each time that it was too short: slow machines get there */

static void relaunch_with_another_capacity(contract *c, rk_kernel k, rk_u32 i)
{
    rk_launch_options o = small(i % 2 ? 32 : 64);
    o.output_capacity = 64;
    rk_status status = rk_relaunch(c->runtime, k, &o, relaunch_patience_ns);
    /* It may find too much queued for the smaller one, or a batch that waits for this very thread to
     * receive. */
    const int was_short = status == RK_TIMED_OUT && !strstr(rk_error_text(), "waits for room");
    if (was_short && relaunch_patience_ns < RK_MILLISECONDS(250)) relaunch_patience_ns *= 2;
    if (status != RK_LIMIT && status != RK_TIMED_OUT) assert_ok(status);
}

static void senders_that_wait_while_a_kernel_is_relaunched_lose_nothing(contract *c)
{
    rk_launch_options o = small(64);
    sender s[SENDERS];
    rk_kernel k = launch_echo(c, &o);
    rk_u32 count = contract_rounds(20000);
    relaunch_patience_ns = RK_MILLISECONDS(1);
    for (rk_u32 i = 0; i < SENDERS; i++) {
        s[i] = (sender){ c, k, i, count };
        start_thread(c, send_in_order, &s[i]);
    }
    receive_from_senders(c, k, count, count / 50 + 1, relaunch_with_another_capacity);
    join_threads(c);
    rk_kernel_info info = info_of(c, k);
    assert_true(info.epoch > 1);
    assert_int_equal(account_of(c, k).accepted, SENDERS * count);
    wait_until(c, account_of(c, k).delivered == SENDERS * count);
}

static void a_failed_kernel_is_relaunched_and_its_batch_redelivered(contract *c)
{
    rk_launch_options o = small(64);
    o.max_batch = 4;
    rk_kernel k = launch_active(c, "adder", "adder", &o), other = launch_active(c, "other", "adder", &o);
    ask_amount(c, k, 1, 1);
    assert_ok(rk_deactivate(c->runtime, k));
    for (rk_i64 i = 0; i < 10; i++) {
        amount a = { 10 };
        assert_ok(rk_send(c->runtime, k, RK_BODY(a), 0));
    }

    /* When it fails after publishing and before committing a batch of four. */
    assert_ok(rk_fail_before_commit(c->runtime, k));
    assert_ok(rk_activate(c->runtime, k));
    wait_until(c, info_of(c, k).life == RK_LIFE_FAILED);
    rk_kernel_info info = info_of(c, k);
    assert_false(info.healthy);
    assert_true(info.failure[0]);
    amount a = { 1 };
    assert_status(rk_send(c->runtime, k, RK_BODY(a), 0), RK_CLOSED);
    assert_status(rk_activate(c->runtime, k), RK_FAILED);
    assert_status(rk_deactivate(c->runtime, k), RK_NOT_ACTIVE);
    ask_amount(c, other, 3, 3); /* nobody else is disturbed */

    /* Then, launched again, each cause's message is there at least once, and the four are flagged. */
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(10)));
    assert_int_equal(info_of(c, k).life, RK_LIFE_ACTIVE);
    rk_u32 at_least_ten = 0;
    for (rk_u32 i = 0; i < 14; i++, at_least_ten++) {
        total t;
        receive(c, k, &t);
        assert_int_equal(t.count, i + 2);
    }
    struct {
        rk_i64 sum;
        rk_u32 count, redelivered;
    } state;
    wait_until(c, account_of(c, k).delivered == 11);
    assert_ok(rk_read_state(c->runtime, k, 0, &state, sizeof state));
    assert_int_equal(state.redelivered, 4);
    assert_int_equal(state.count, 15);
}

/* Given a sender that waits for room, when the kernel is launched again and refuses instead, or with headers of another
 * form, then it is refused, or comes whole. */
static void *send_one_more(void *argument)
{
    sender *s = argument;
    rk_send_options o = RK_SEND_DEFAULTS;
    o.timeout_ns = RK_SECONDS(600);
    const probe p = { 16, 0 };
    const rk_status status = rk_send(s->c->runtime, s->kernel, RK_BODY(p), &o);
    expect(s->c, status == (s->count ? RK_OK : RK_FULL));
    return 0;
}

static void who_waits_for_room_goes_by_what_the_kernel_is_launched_again_with(contract *c)
{
    for (rk_u32 accepts = 0; accepts < 2; accepts++) {
        rk_launch_options o = small(16);
        o.backpressure = RK_BACKPRESSURE_BLOCK;
        rk_kernel k = launch(c, accepts ? "accepts" : "refuses", "echo", &o);
        for (rk_u32 i = 0; i < 16; i++) assert_ok(send_probe(c, k, i));
        sender s = { c, k, 0, accepts };
        start_thread(c, send_one_more, &s);
        let_pass(c, RK_MILLISECONDS(5)); /* so that it waits; right whether it does or not */
        if (accepts) {
            o.queue_capacity = 32;
            o.expiry = 1;
            o.deduplication_window = 64;
            o.timestamps = 1;
        } else {
            o.backpressure = RK_BACKPRESSURE_REJECT;
        }
        assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(30)));
        join_threads(c);
        assert_ok(rk_activate(c->runtime, k));
        for (rk_u32 i = 0; i < 16 + accepts; i++) assert_next(c, k, i);
        assert_int_equal(account_of(c, k).expired, 0);
        assert_int_equal(account_of(c, k).refused_duplicate, 0);
    }
}

static const contract_case cases[] = {
    { CASE(a_relaunch_has_other_options_and_carries_inbox_and_state_over), NEEDS_REGIONS },
    { CASE(what_was_refused_is_still_known_after_a_relaunch), ON_EVERY },
    { CASE(a_relaunch_of_an_active_kernel_goes_on_active), NEEDS_REGIONS },
    { CASE(a_relaunch_into_other_slots_carries_what_is_queued_on_both_sides), ON_EVERY },
    { CASE(a_relaunch_that_has_no_room_for_what_is_queued_says_both_numbers), ON_EVERY },
    { CASE(a_relaunch_with_invalid_options_changes_nothing), ON_EVERY },
    { CASE(a_relaunch_keeps_parameters_unless_it_sets_them), NEEDS_REGIONS },
    { CASE(a_relaunch_with_another_number_of_shards_routes_what_is_queued_anew), NEEDS_REGIONS },
    { CASE(a_relaunch_with_state_per_shard_keeps_to_its_number_of_shards), NEEDS_REGIONS },
    { CASE(a_relaunch_merges_the_states_of_shards_as_the_kernel_says), NEEDS_REGIONS },
    { CASE(a_drain_ends_after_relaunches_with_other_numbers_of_shards), ON_EVERY | NEEDS_THREADS },
    { CASE(a_drain_ends_after_replies_to_shards_that_are_no_more), NEEDS_REGIONS | NEEDS_THREADS },
    { CASE(an_id_is_known_to_whichever_shard_has_its_actor_now), NEEDS_REGIONS },
    { CASE(one_shard_in_the_place_of_two_knows_the_newest_ids_of_both), NEEDS_REGIONS },
    { CASE(a_sender_waits_for_a_relaunch_no_longer_than_it_says), NEEDS_THREADS | NEEDS_CPU },
    { CASE(senders_that_wait_while_a_kernel_is_relaunched_lose_nothing), NEEDS_THREADS },
    { CASE(who_waits_for_room_goes_by_what_the_kernel_is_launched_again_with), NEEDS_THREADS },
    { CASE(a_failed_kernel_is_relaunched_and_its_batch_redelivered), NEEDS_REGIONS },
};

CONTRACT_MAIN("relaunch", cases)
