/* What is seen by whom, and when: memory that was written before a send, the orders of the port's atomics,
 * and stamps that follow the causes. */
#include <ringkernel/kernel.h>

#include "lines.h"

#include <stdio.h>
#include <stdlib.h>

/* What a sender wrote before it sent is there when the message is handled: kernels that look at the program's
 * own memory. */
enum { PLAIN = 4096 };
static rk_u64 plain_words[PLAIN], plain_copies[PLAIN];

RK_HANDLER(read_plain, package, p, rk_none, self)
{
    package copy = *p;
    copy.flags = plain_words[p->number % PLAIN] == p->check;
    plain_copies[p->number % PLAIN] = p->check;
    rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(read_plain_spmd, package, package, .threads = 32)
{
    package p;
    if (rk_try_receive(RK_ARG, &p)) {
        p.flags = plain_words[p.number % PLAIN] == p.check;
        plain_copies[p.number % PLAIN] = p.check;
        rk_send(RK_ARG, &p);
    }
}

RK_HANDLER(read_copies, package, p, rk_none, self)
{
    package copy = *p;
    copy.flags += 2u * (plain_copies[p->number % PLAIN] == p->check);
    rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(read_copies_spmd, package, package, .threads = 32)
{
    package p;
    if (rk_try_receive(RK_ARG, &p)) {
        p.flags += 2u * (plain_copies[p.number % PLAIN] == p.check);
        rk_send(RK_ARG, &p);
    }
}

static void what_was_written_before_a_send_is_seen_by_its_receiver(contract *c)
{
    /* given host, kernel and kernel, over each kind of lane */
    rk_u32 messages = contract_rounds(PLAIN);
    static const struct {
        rk_u32 strategy, window, format;
    } lanes[] = {
        { RK_BACKPRESSURE_BLOCK, 0, RK_FORMAT_SEQ },
        { RK_BACKPRESSURE_BLOCK, 16, RK_FORMAT_SEQ },
        { RK_BACKPRESSURE_BLOCK, 0, RK_FORMAT_UNIT },
        { RK_BACKPRESSURE_DROP_OLDEST, 0, RK_FORMAT_SEQ },
    };
    for (rk_u32 n = 0; n < sizeof lanes / sizeof *lanes; n++) {
        rk_launch_options o = roomy();
        o.backpressure = lanes[n].strategy;
        o.deduplication_window = lanes[n].window;
        o.slot_format = lanes[n].format;
        rk_kernel first = launch(c, "first", "read_plain", &o),
                  second = launch_active(c, "second", "read_copies", &o);
        assert_ok(rk_connect(c->runtime, first, 0, second, 0));
        assert_ok(rk_activate(c->runtime, first));

        /* when each message follows a plain write of its sender, then its receiver sees that */
        for (rk_u32 i = 0; i < messages; i++) {
            package p = package_of(i, n);
            plain_words[i] = p.check;
            assert_ok(rk_send(c->runtime, first, RK_BODY(p), 0));
        }
        for (rk_u32 i = 0; i < messages; i++) {
            package p;
            receive(c, second, &p);
            assert_int_equal(p.number, i);
            assert_int_equal(p.flags, 3);
        }
        assert_ok(rk_terminate(c->runtime, first, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, second, CONTRACT_PATIENCE));
    }
}

static void every_model_of_memory_consistency_delivers_the_messages_whole(contract *c)
{
    static const char *const kernels[] = { "tally_shards", "tally_relaxed", "tally_sequential" };
    rk_u32 messages = contract_rounds(5000);
    for (rk_u32 k = 0; k < 3; k++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
        source.queue_capacity = o.output_capacity = 8192; /* all of them */
        o.kernel_name = kernels[k];
        rk_kernel target = launch_active(c, "target", "", &o),
                  from = launch(c, "source", "dispatch", &source);
        assert_ok(rk_connect(c->runtime, from, 0, target, 0));
        assert_ok(rk_activate(c->runtime, from));
        for (rk_u32 i = 1; i <= messages; i++) {
            work_order order = { .number = i };
            assert_ok(rk_send(c->runtime, from, RK_BODY(order), 0));
        }
        count_log state;
        wait_until(c, is_at_rest(c, from) && account_of(c, target).accepted == messages &&
                          is_at_rest(c, target));
        assert_ok(rk_read_state(c->runtime, target, 0, &state, sizeof state));
        assert_int_equal(state.count, messages);
        assert_int_equal(state.sum, (rk_u64)messages * (messages + 1) / 2);
        assert_int_equal(state.disorder + state.wrong, 0);
        assert_ok(rk_terminate(c->runtime, from, CONTRACT_PATIENCE));
        assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    }
}

/* Litmus tests of the port's atomics, two threads, round by round. */
typedef struct litmus {
    rk_u32 x, y, round, done;
    rk_u32 order; /* 0: relaxed, 1: release and acquire, 2: sequentially consistent, 3: relaxed, by fences */
    rk_u32 rounds, seen[2];
    rk_u32 odd; /* outcomes that need a reordering */
    rk_u8 apart[128];
} litmus;

static void meet(litmus *t, rk_u32 *word, rk_u32 value)
{
    (void)t;
    rk_store_u32(word, value, RK_RELEASE, RK_SCOPE_DEVICE);
}

static void store_word(litmus *t, rk_u32 *word, rk_u32 value)
{
    if (t->order == 0 || t->order == 3)
        rk_store_u32(word, value, RK_RELAXED, RK_SCOPE_DEVICE);
    else if (t->order == 1)
        rk_store_u32(word, value, RK_RELEASE, RK_SCOPE_DEVICE);
    else
        rk_store_u32(word, value, RK_SEQ_CST, RK_SCOPE_DEVICE);
    if (t->order == 3) rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
}

static rk_u32 load_word(litmus *t, const rk_u32 *word)
{
    if (t->order == 3) {
        rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
        return rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE);
    }
    return t->order == 0   ? rk_load_u32(word, RK_RELAXED, RK_SCOPE_DEVICE)
           : t->order == 1 ? rk_load_u32(word, RK_ACQUIRE, RK_SCOPE_DEVICE)
                           : rk_load_u32(word, RK_SEQ_CST, RK_SCOPE_DEVICE);
}

static void *store_buffering_partner(void *argument)
{
    litmus *t = argument;
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        for (rk_u32 n = 0; rk_load_u32(&t->round, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        store_word(t, &t->y, r);
        t->seen[1] = load_word(t, &t->x);
        meet(t, &t->done, r);
    }
    return 0;
}

static void *message_passing_partner(void *argument)
{
    litmus *t = argument;
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        for (rk_u32 n = 0; rk_load_u32(&t->round, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        t->seen[1] = load_word(t, &t->y);
        t->seen[0] = load_word(t, &t->x);
        meet(t, &t->done, r);
    }
    return 0;
}

/* About as long as it takes the partner to see that the round has begun, now shorter and now longer. */
static void await_partner(rk_u32 round)
{
    for (volatile rk_u32 n = round % 128u * 4u; n > 0;) n = n - 1u;
}

static rk_u32 run_litmus(contract *c, rk_u32 order, rk_u32 buffering)
{
    litmus *t = calloc(1, sizeof *t);
    t->order = order;
    t->rounds = contract_rounds(20000);
    start_thread(c, buffering ? store_buffering_partner : message_passing_partner, t);
    for (rk_u32 r = 1; r <= t->rounds; r++) {
        meet(t, &t->round, r);
        await_partner(r);
        if (buffering) {
            store_word(t, &t->x, r);
            t->seen[0] = load_word(t, &t->y);
        } else {
            store_word(t, &t->x, r);
            store_word(t, &t->y, r);
        }
        for (rk_u32 n = 0; rk_load_u32(&t->done, RK_ACQUIRE, RK_SCOPE_DEVICE) != r; n++) rk_port_spin(n);
        if (buffering)
            t->odd += t->seen[0] != r && t->seen[1] != r;
        else
            t->odd += t->seen[1] == r && t->seen[0] != r;
    }
    join_threads(c);
    rk_u32 odd = t->odd;
    free(t);
    return odd;
}

static void litmus_tests_allow_what_each_order_allows(contract *c)
{
    static const char *const orders[] = { "relaxed", "release-acquire", "sequential", "relaxed with fences" };
    for (rk_u32 order = 0; order < 4; order++) {
        rk_u32 passing = run_litmus(c, order, 0), buffering = run_litmus(c, order, 1);
        print_message(
            "litmus, %s: message passing reordered %u times, store buffering %u times, in %u rounds\n",
            orders[order], passing, buffering, contract_rounds(20000));
        if (order >= 1) assert_int_equal(passing, 0);
        if (order >= 2) assert_int_equal(buffering, 0);
    }
}

enum { CHAIN = 4 };

static void make_chain(contract *c, const char *kernel, rk_kernel *chain)
{
    for (rk_u32 k = 0; k < CHAIN; k++) {
        rk_launch_options o = roomy();
        char id[16];
        snprintf(id, sizeof id, "link %u", k);
        chain[k] = launch(c, id, kernel, &o);
        if (k) assert_ok(rk_connect(c->runtime, chain[k - 1], 0, chain[k], 0));
    }
    for (rk_u32 k = CHAIN; k-- > 0;) assert_ok(rk_activate(c->runtime, chain[k]));
}

static void causal_stamps_never_decrease_along_a_chain(contract *c)
{
    enum { TRAILS = 200 };
    rk_kernel chain[CHAIN];
    make_chain(c, "stamp_causal", chain);
    for (rk_u32 i = 0; i < TRAILS; i++) {
        trail t = { 0, i, { 0 } };
        assert_ok(rk_send(c->runtime, chain[0], RK_BODY(t), 0));
    }
    rk_u64 before = 0;
    for (rk_u32 i = 0; i < TRAILS; i++) {
        trail t;
        rk_received info;
        receive_with(c, chain[CHAIN - 1], &t, &info);
        assert_int_equal(t.number, i);
        assert_int_equal(t.hops, CHAIN);
        for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] > t.stamp[h - 1]);
        assert_true(info.sent_ns > t.stamp[CHAIN - 1]);
        assert_true(info.sent_ns > before); /* of one shard's sends each is later than the one before */
        before = info.sent_ns;
    }
}

/* Send one trail along the chain while the clock is set back at each hop. */
static trail send_against_the_clock(contract *c, const rk_kernel *chain)
{
    trail t = { 0 };
    assert_ok(rk_send(c->runtime, chain[0], RK_BODY(t), 0));
    for (rk_u32 k = 0; k < CHAIN; k++) {
        __atomic_fetch_sub(&c->clock_ns, 1000, __ATOMIC_RELAXED);
        assert_ok(rk_step(c->runtime, chain[k], 0));
    }
    assert_ok(rk_receive(c->runtime, chain[CHAIN - 1], &t, sizeof t, 0, RK_NO_WAIT));
    return t;
}

static void causal_stamps_hold_even_when_the_clock_is_set_back(contract *c)
{
    rk_kernel chain[CHAIN];
    make_chain(c, "stamp_causal", chain);
    trail t = send_against_the_clock(c, chain);
    for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] > t.stamp[h - 1]);
    for (rk_u32 k = 0; k < CHAIN; k++) assert_ok(rk_terminate(c->runtime, chain[k], CONTRACT_PATIENCE));

    make_chain(c, "stamp_plain", chain); /* plain stamps follow the clock */
    t = send_against_the_clock(c, chain);
    for (rk_u32 h = 1; h < CHAIN; h++) assert_true(t.stamp[h] < t.stamp[h - 1]);
}

static void with_timestamps_the_wait_of_each_message_is_counted(contract *c)
{
    enum { MESSAGES = 1000 };
    rk_launch_options o = roomy();
    o.timestamps = 1;
    rk_kernel kernel = launch(c, "carry", "carry", &o);
    for (rk_u32 i = 0; i < MESSAGES; i++) assert_ok(send_package(c, kernel, i, 0));
    let_pass(c, RK_MILLISECONDS(5));
    assert_ok(rk_activate(c->runtime, kernel));
    rk_metrics m; /* a look beside a device that counts may see one of both first */
    wait_until(c, is_at_rest(c, kernel) && (m = metrics_of(c, kernel)).service.count == MESSAGES &&
                      m.queue_wait.count == MESSAGES);
    assert_true(m.queue_wait.min_ns >= RK_MILLISECONDS(5));
    assert_true(m.queue_wait.min_ns <= m.queue_wait.mean_ns && m.queue_wait.mean_ns <= m.queue_wait.max_ns);
    if (c->variant->single_step) assert_int_equal(m.queue_wait.max_ns, RK_MILLISECONDS(5));
}

static const contract_case cases[] = {
    { CASE(what_was_written_before_a_send_is_seen_by_its_receiver), NEEDS_CPU },
    { CASE(every_model_of_memory_consistency_delivers_the_messages_whole), NEEDS_REGIONS },
    { CASE(litmus_tests_allow_what_each_order_allows), NEEDS_THREADS | ONCE },
    { CASE(causal_stamps_never_decrease_along_a_chain), ON_EVERY },
    { CASE(causal_stamps_hold_even_when_the_clock_is_set_back), NEEDS_STEP },
    { CASE(with_timestamps_the_wait_of_each_message_is_counted), ON_EVERY },
};

CONTRACT_MAIN("consistency", cases)
