/* Reservations: a slot that is written in place, or beside a unit slot, and the hole that it is until it is
 * committed. */
#include "probes.h"

#include <sched.h>
#include <stdio.h>

static rk_u32 slot_format; /* of the case that runs */

static rk_launch_options slots(rk_u32 capacity)
{
    rk_launch_options o = small(capacity);
    o.slot_format = slot_format;
    return o;
}

/* Nothing comes, however long one waits: time alone repairs nothing. */
static void assert_nothing_comes(contract *c, rk_kernel k)
{
    probe p;
    settle(c);
    let_pass(c, c->variant->single_step ? RK_SECONDS(3600) : RK_MILLISECONDS(30));
    settle(c);
    assert_status(rk_receive(c->runtime, k, &p, sizeof p, 0, 0), RK_EMPTY);
}

static rk_reservation reserve_probe(contract *c, rk_kernel k, rk_u32 number)
{
    rk_reservation r;
    assert_ok(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r));
    assert_int_equal(r.size, sizeof(probe));
    probe p = { number, 0 };
    memcpy(r.body, &p, sizeof p);
    return r;
}

static void a_committed_reservation_is_a_message_in_its_place(contract *c)
{
    rk_launch_options o = slots(64);
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 i = 0; i < 200; i += 2) {
        rk_reservation r = reserve_probe(c, k, i);
        assert_ok(send_probe(c, k, i + 1));
        assert_ok(rk_commit(c->runtime, &r));
        assert_next(c, k, i);
        assert_next(c, k, i + 1);
    }
    wait_until(c, account_of(c, k).delivered == 200);
    assert_int_equal(account_of(c, k).lost, 0);
}

static void others_go_on_behind_a_hole_and_the_consumer_waits_at_it(contract *c)
{
    rk_launch_options o = slots(64);
    rk_kernel k = launch_echo(c, &o);
    assert_ok(send_probe(c, k, 0));
    assert_ok(send_probe(c, k, 1));
    rk_reservation hole = reserve_probe(c, k, 2);
    for (rk_u32 i = 3; i < 10; i++) assert_ok(send_probe(c, k, i));
    assert_next(c, k, 0);
    assert_next(c, k, 1);
    assert_nothing_comes(c, k);
    assert_int_equal(info_of(c, k).queued, 8); /* claimed counts as queued */
    wait_until(c, account_of(c, k).balanced);
    assert_int_equal(account_of(c, k).accepted, 10);

    assert_ok(rk_commit(c->runtime, &hole));
    for (rk_u32 i = 2; i < 10; i++) assert_next(c, k, i);
}

static void an_aborted_reservation_is_passed_over_as_if_it_had_never_been(contract *c)
{
    rk_launch_options o = slots(16);
    rk_kernel k = launch_echo(c, &o);
    for (rk_u32 round = 0; round < 20; round++) { /* more than once round the ring */
        rk_reservation first = reserve_probe(c, k, 100), second = reserve_probe(c, k, 101);
        assert_ok(send_probe(c, k, round));
        assert_ok(rk_abort(c->runtime, &second));
        assert_nothing_comes(c, k);
        assert_ok(rk_abort(c->runtime, &first));
        assert_next(c, k, round);
    }
    wait_until(c, account_of(c, k).delivered == 20);
    rk_account a = account_of(c, k);
    assert_int_equal(a.accepted, 20);
    assert_int_equal(a.lost, 0);
    assert_int_equal(a.queued, 0);
}

/* Given a lane that is full behind a hole, when more comes, then each strategy says what it says of any full lane, and
 * the hole stays; when it is committed, all of it comes. */
static void a_hole_holds_its_place_under_each_strategy(contract *c)
{
    static const rk_u32 strategies[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                         RK_BACKPRESSURE_DROP_NEWEST };
    static const rk_status full[] = { RK_TIMED_OUT, RK_FULL, RK_DROPPED };
    for (size_t s = 0; s < 3; s++) {
        rk_launch_options o = slots(16);
        rk_send_options brief = RK_SEND_DEFAULTS;
        rk_reservation more;
        o.backpressure = strategies[s];
        brief.timeout_ns = RK_MILLISECONDS(2);
        rk_kernel k = launch_echo(c, &o);
        for (rk_u32 round = 0; round < 5; round++) {
            rk_reservation hole = reserve_probe(c, k, 100);
            for (rk_u32 i = 1; i < 16; i++) assert_ok(send_probe(c, k, i));
            settle(c);
            for (rk_u32 i = 0; i < 3; i++) {
                probe p = { 200 + i, 0 };
                assert_status(rk_send(c->runtime, k, RK_BODY(p), &brief), full[s]);
            }
            assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &more), RK_FULL);
            assert_int_equal(info_of(c, k).queued, 16);
            if (round % 2) {
                assert_ok(rk_abort(c->runtime, &hole));
            } else {
                assert_ok(rk_commit(c->runtime, &hole));
                assert_next(c, k, 100);
            }
            for (rk_u32 i = 1; i < 16; i++) assert_next(c, k, i);
            wait_until(c, account_of(c, k).queued == 0);
        }
        rk_account a = account_of(c, k);
        assert_int_equal(a.accepted, 5 * 15 + 3);
        assert_int_equal(a.delivered, 5 * 15 + 3);
        assert_int_equal(a.lost + a.evicted, 0);
        assert_int_equal(a.refused_timed_out, s == 0 ? 15 : 0);
        assert_int_equal(a.refused_full, s == 1 ? 15 + 5 : 5); /* five reservations found no room */
        assert_int_equal(a.refused_dropped, s == 2 ? 15 : 0);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

static void the_waiting_time_of_reserved_messages_is_sampled_like_that_of_others(contract *c)
{
    rk_launch_options o = slots(256);
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 i = 0; i < 200; i++) {
        rk_reservation r = reserve_probe(c, k, i);
        assert_ok(i % 2 ? rk_abort(c->runtime, &r) : rk_commit(c->runtime, &r));
    }
    let_pass(c, RK_MILLISECONDS(5));
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = 0; i < 200; i += 2) assert_next(c, k, i);
    wait_until(c, account_of(c, k).delivered == 100);
    const rk_metrics m = metrics_of(c, k);
    assert_int_equal(m.queue_wait.count, 4); /* one in 64, of which none is a hole */
    assert_true(m.queue_wait.min_ns >= RK_MILLISECONDS(5));
}

static void a_cleared_lane_keeps_what_is_reserved_and_what_came_after_it(contract *c)
{
    rk_launch_options o = slots(16);
    rk_kernel k = launch(c, "echo", "echo", &o);
    for (rk_u32 round = 0; round < 5; round++) {
        rk_u64 cleared;
        assert_ok(send_probe(c, k, 1));
        rk_reservation r = reserve_probe(c, k, 2);
        assert_ok(send_probe(c, k, 3));
        assert_ok(rk_clear(c->runtime, k, &cleared));
        assert_int_equal(cleared, 1);
        assert_int_equal(account_of(c, k).queued, 2);
        assert_ok(rk_commit(c->runtime, &r));
        assert_ok(rk_activate(c->runtime, k));
        assert_next(c, k, 2);
        assert_next(c, k, 3);
        wait_until(c, account_of(c, k).queued == 0);
        assert_int_equal(account_of(c, k).lost, round + 1);
        assert_ok(rk_deactivate(c->runtime, k));
    }
}

/* ------------------------------------------------------------------ owners that go */

typedef struct owner {
    contract *c;
    rk_kernel kernel;
    rk_u32 count;
    rk_u32 reserved; /* atomic */
    rk_u32 leave;    /* atomic */
    rk_reservation kept;
} owner;

static void *reserve_and_exit(void *argument)
{
    owner *o = argument;
    for (rk_u32 i = 0; i < o->count; i++)
        expect_ok(o->c, rk_reserve(o->c->runtime, o->kernel, RK_TYPE_ID(probe), sizeof(probe), 0, &o->kept));
    __atomic_store_n(&o->reserved, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&o->leave, __ATOMIC_ACQUIRE) && !stopped(o->c)) sched_yield();
    return 0;
}

static void when_its_owner_exits_a_hole_is_repaired_and_counted_lost(contract *c)
{
    static owner o;
    rk_launch_options options = slots(64);
    rk_kernel k = launch_echo(c, &options);
    o = (owner){ .c = c, .kernel = k, .count = 3 };
    assert_ok(send_probe(c, k, 1));
    start_thread(c, reserve_and_exit, &o);
    wait_until(c, __atomic_load_n(&o.reserved, __ATOMIC_ACQUIRE));
    assert_ok(send_probe(c, k, 2));
    assert_next(c, k, 1);
    assert_nothing_comes(c, k); /* while its owner lives */

    __atomic_store_n(&o.leave, 1, __ATOMIC_RELEASE);
    join_threads(c);
    assert_next(c, k, 2);
    wait_until(c, account_of(c, k).delivered == 2);
    rk_account a = account_of(c, k);
    assert_int_equal(a.lost, 3);
    assert_int_equal(a.accepted, 5);
    assert_true(a.balanced);
}

typedef struct drainer {
    contract *c;
    rk_kernel kernel;
    rk_u32 over; /* atomic */
} drainer;

static void *drain_it(void *argument)
{
    drainer *d = argument;
    expect_ok(d->c, rk_drain(d->c->runtime, &d->kernel, 1, CONTRACT_PATIENCE));
    __atomic_store_n(&d->over, 1, __ATOMIC_RELEASE);
    return 0;
}

/* Given a slot that was reserved before a drain began, then the drain waits for it, however it ends. */
static void a_drain_waits_for_what_is_reserved(contract *c)
{
    static owner o;
    rk_launch_options options = slots(16);
    for (rk_u32 how = 0; how < 3; how++) {
        rk_kernel k = launch_echo(c, &options);
        rk_reservation r = { .size = 0 };
        o = (owner){ .c = c, .kernel = k, .count = 1 };
        if (how == 2)
            start_thread(c, reserve_and_exit, &o);
        else
            r = reserve_probe(c, k, 1);
        wait_until(c, how < 2 || __atomic_load_n(&o.reserved, __ATOMIC_ACQUIRE));
        assert_ok(send_probe(c, k, 2));
        drainer d = { c, k, 0 };
        start_thread(c, drain_it, &d);
        wait_until(c, info_of(c, k).life == RK_LIFE_DRAINING);
        assert_nothing_comes(c, k);
        assert_int_equal(__atomic_load_n(&d.over, __ATOMIC_ACQUIRE), 0);

        if (how == 0) assert_ok(rk_commit(c->runtime, &r));
        if (how == 1) assert_ok(rk_abort(c->runtime, &r));
        __atomic_store_n(&o.leave, 1, __ATOMIC_RELEASE);
        join_threads(c);
        if (how == 0) assert_next(c, k, 1);
        assert_next(c, k, 2);
        const rk_account a = account_of(c, k);
        assert_int_equal(a.lost, how == 2);
        assert_int_equal(a.delivered, how == 0 ? 2 : 1);
        assert_true(a.balanced);
        assert_ok(rk_terminate(c->runtime, k, CONTRACT_PATIENCE));
    }
}

typedef struct late_sender {
    contract *c;
    rk_kernel kernel;
    rk_u32 sent; /* atomic */
} late_sender;

static void *send_when_there_is_room(void *argument)
{
    late_sender *s = argument;
    probe p = { 16, 0 };
    rk_send_options patient = RK_SEND_DEFAULTS;
    patient.timeout_ns = CONTRACT_PATIENCE;
    expect_ok(s->c, rk_send(s->c->runtime, s->kernel, RK_BODY(p), &patient));
    __atomic_store_n(&s->sent, 1, __ATOMIC_RELEASE);
    return 0;
}

static void a_sender_that_waits_behind_a_hole_goes_on_when_its_owner_exits(contract *c)
{
    static owner o;
    rk_launch_options options = slots(16);
    rk_kernel k = launch_echo(c, &options);
    late_sender s = { c, k, 0 };
    o = (owner){ .c = c, .kernel = k, .count = 1 };
    start_thread(c, reserve_and_exit, &o);
    wait_until(c, __atomic_load_n(&o.reserved, __ATOMIC_ACQUIRE));
    for (rk_u32 i = 1; i < 16; i++) assert_ok(send_probe(c, k, i));
    start_thread(c, send_when_there_is_room, &s);
    assert_nothing_comes(c, k);
    assert_int_equal(__atomic_load_n(&s.sent, __ATOMIC_ACQUIRE), 0);

    __atomic_store_n(&o.leave, 1, __ATOMIC_RELEASE);
    wait_until(c, __atomic_load_n(&s.sent, __ATOMIC_ACQUIRE));
    join_threads(c);
    for (rk_u32 i = 1; i <= 16; i++) assert_next(c, k, i);
    wait_until(c, account_of(c, k).delivered == 16);
    assert_int_equal(account_of(c, k).lost, 1);
    assert_int_equal(account_of(c, k).accepted, 17);
}

static void another_threads_reservation_can_be_neither_committed_nor_aborted(contract *c)
{
    static owner o;
    rk_launch_options options = slots(64);
    rk_kernel k = launch_echo(c, &options);
    o = (owner){ .c = c, .kernel = k, .count = 1 };
    start_thread(c, reserve_and_exit, &o);
    wait_until(c, __atomic_load_n(&o.reserved, __ATOMIC_ACQUIRE));
    rk_reservation stolen = o.kept;
    assert_status(rk_commit(c->runtime, &stolen), RK_INVALID_ARGUMENT);
    assert_status(rk_abort(c->runtime, &stolen), RK_INVALID_ARGUMENT);
    __atomic_store_n(&o.leave, 1, __ATOMIC_RELEASE);
    join_threads(c);
    wait_until(c, account_of(c, k).lost == 1);
}

static void an_owner_may_exit_after_its_kernel(contract *c)
{
    static owner o;
    rk_launch_options options = slots(64);
    rk_kernel k = launch(c, "echo", "echo", &options);
    o = (owner){ .c = c, .kernel = k, .count = 2 };
    start_thread(c, reserve_and_exit, &o);
    wait_until(c, __atomic_load_n(&o.reserved, __ATOMIC_ACQUIRE));
    assert_ok(rk_terminate(c->runtime, k, RK_MILLISECONDS(10)));
    rk_kernel again = launch_echo(c, &options); /* in the same memory, as like as not */
    for (rk_u32 i = 0; i < 3; i++) assert_ok(send_probe(c, again, i));
    __atomic_store_n(&o.leave, 1, __ATOMIC_RELEASE);
    join_threads(c);
    for (rk_u32 i = 0; i < 3; i++) assert_next(c, again, i);
    wait_until(c, account_of(c, again).delivered == 3);
    assert_int_equal(account_of(c, again).lost, 0);
}

static void a_reservation_does_not_outlive_its_kernel(contract *c)
{
    rk_launch_options o = slots(64);
    for (rk_u32 round = 0; round < 20; round++) { /* nor does it keep one of the thread's places */
        rk_kernel k = launch(c, "echo", "echo", &o);
        rk_reservation first = reserve_probe(c, k, 1), second = reserve_probe(c, k, 2);
        assert_ok(rk_terminate(c->runtime, k, RK_MILLISECONDS(10)));
        rk_kernel next = launch_echo(c, &o);
        assert_status(rk_commit(c->runtime, &first), RK_STALE);
        assert_status(rk_abort(c->runtime, &second), RK_STALE);
        assert_ok(rk_terminate(c->runtime, next, RK_SECONDS(5)));
    }
}

static void a_kernel_with_a_hole_is_not_relaunched(contract *c)
{
    rk_launch_options o = slots(64);
    rk_kernel k = launch_echo(c, &o);
    rk_reservation r = reserve_probe(c, k, 1);
    assert_status(rk_relaunch(c->runtime, k, &o, RK_SECONDS(5)), RK_BUSY);
    assert_int_equal(info_of(c, k).epoch, 1);
    assert_ok(rk_commit(c->runtime, &r));
    assert_next(c, k, 1);
    assert_ok(rk_relaunch(c->runtime, k, &o, RK_SECONDS(5)));
}

/* ------------------------------------------------------------------ what can't be reserved */

static void a_lane_with_a_lock_has_no_reservations(contract *c)
{
    for (rk_u32 i = 0; i < 3; i++) {
        rk_launch_options o = small(64);
        rk_reservation r;
        if (i == 0) o.deduplication_window = 16;
        if (i == 1) o.priority = 1;
        if (i == 2) o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
        char id[16];
        snprintf(id, sizeof id, "lane %u", i);
        rk_kernel k = launch(c, id, "echo", &o);
        assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r), RK_UNSUPPORTED);
        assert_error_says("use rk_send");
        assert_int_equal(account_of(c, k).accepted, 0);
    }
}

static void reservations_that_cannot_be_say_why(contract *c)
{
    rk_launch_options o = slots(16);
    rk_kernel k = launch(c, "echo", "echo", &o);
    rk_reservation r, all[16];
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(amount), sizeof(amount), 0, &r), RK_UNKNOWN_TYPE);
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe) + 1, 0, &r), RK_TOO_LARGE);
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe) - 1, 0, &r), RK_TOO_SMALL);
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, 0), RK_INVALID_ARGUMENT);
    memset(&r, 0, sizeof r);
    assert_status(rk_commit(c->runtime, &r), RK_INVALID_ARGUMENT);
    assert_status(rk_abort(c->runtime, &r), RK_INVALID_ARGUMENT);

    /* A thread holds so many at most, and a lane so many messages; either is said. */
    rk_u32 n = 0;
    rk_status status = RK_OK;
    while (n < 16 &&
           (status = rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &all[n])) == RK_OK)
        n++;
    status = rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r);
    assert_true(status == RK_LIMIT || status == RK_FULL);
    rk_reservation copy = all[0];
    for (rk_u32 i = 0; i < n; i++) assert_ok(rk_abort(c->runtime, &all[i]));
    assert_status(rk_commit(c->runtime, &all[0]), RK_INVALID_ARGUMENT); /* finished already */
    assert_status(rk_commit(c->runtime, &copy), RK_INVALID_ARGUMENT);

    for (rk_u32 i = n; i < 16; i++) assert_ok(send_probe(c, k, i));
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r), RK_FULL);
    assert_ok(rk_activate(c->runtime, k));
    for (rk_u32 i = n; i < 16; i++) assert_next(c, k, i);
    wait_until(c, account_of(c, k).queued == 0);
    assert_ok(rk_drain(c->runtime, &k, 1, RK_SECONDS(20)));
    assert_status(rk_reserve(c->runtime, k, RK_TYPE_ID(probe), sizeof(probe), 0, &r), RK_CLOSED);
    assert_error_says("it is drained");

    /* Each was counted by its status. */
    const rk_account a = account_of(c, k);
    assert_int_equal(a.refused_invalid, 3);
    assert_int_equal(a.refused_full, (status == RK_FULL) + 1);
    assert_int_equal(a.refused_closed, 1);
}

/* ------------------------------------------------------------------ many at once */

#define WRITERS 4u

typedef struct writer {
    contract *c;
    rk_kernel kernel;
    rk_u32 number;
    rk_u32 count;
    rk_u32 committed;
} writer;

static rk_u32 writing; /* atomic: writers that are not done */

/* Reserve, and commit, abort, or send the plain way; in order for each writer. */
static void write_all(writer *w)
{
    contract *c = w->c;
    rk_u32 seed = w->number + 1;
    for (rk_u32 i = 0; i < w->count && !stopped(c); i++) {
        probe p = { w->committed, w->number };
        rk_reservation r;
        seed = seed * 1664525u + 1013904223u;
        if ((seed >> 16) % 4 == 0) {
            if (!expect_ok(c, rk_send(c->runtime, w->kernel, RK_BODY(p), 0))) return;
            w->committed++;
            continue;
        }
        rk_status status;
        while ((status = rk_reserve(c->runtime, w->kernel, RK_TYPE_ID(probe), sizeof p, 0, &r)) == RK_FULL &&
               !stopped(c))
            sched_yield();
        if (!expect_ok(c, status)) return;
        memcpy(r.body, &p, sizeof p);
        if ((seed >> 20) % 8 == 0) sched_yield();
        if ((seed >> 16) % 4 == 1) {
            if (!expect_ok(c, rk_abort(c->runtime, &r))) return;
        } else {
            if (!expect_ok(c, rk_commit(c->runtime, &r))) return;
            w->committed++;
        }
    }
}

static void *write_in_place(void *argument)
{
    write_all(argument);
    __atomic_fetch_sub(&writing, 1, __ATOMIC_ACQ_REL);
    return 0;
}

static void writers_in_place_and_senders_lose_nothing_and_keep_their_order(contract *c)
{
    static writer w[WRITERS];
    rk_launch_options o = slots(64);
    rk_kernel k = launch_echo(c, &o);
    rk_u32 next[WRITERS] = { 0 };
    __atomic_store_n(&writing, WRITERS, __ATOMIC_RELEASE);
    for (rk_u32 i = 0; i < WRITERS; i++) {
        w[i] = (writer){ c, k, i, contract_rounds(20000), 0 };
        start_thread(c, write_in_place, &w[i]);
    }
    /* Receive while they write, and what is left when they have. */
    rk_u64 received = 0, committed = 0;
    while (__atomic_load_n(&writing, __ATOMIC_ACQUIRE) || received < account_of(c, k).delivered ||
           account_of(c, k).queued) {
        probe p;
        rk_status status = rk_receive(c->runtime, k, &p, sizeof p, 0, RK_MILLISECONDS(20));
        if (status == RK_TIMED_OUT) continue;
        assert_ok(status);
        assert_true(p.sender < WRITERS);
        assert_int_equal(p.number, next[p.sender]);
        next[p.sender]++;
        received++;
    }
    join_threads(c);
    for (rk_u32 i = 0; i < WRITERS; i++) {
        assert_int_equal(next[i], w[i].committed);
        committed += w[i].committed;
    }
    assert_int_equal(received, committed);
    assert_int_equal(account_of(c, k).lost, 0);
}

/* Each case in both formats. */
#define IN_BOTH(does)                    \
    static void does##_seq(contract *c)  \
    {                                    \
        slot_format = RK_FORMAT_SEQ;     \
        does(c);                         \
    }                                    \
    static void does##_unit(contract *c) \
    {                                    \
        slot_format = RK_FORMAT_UNIT;    \
        does(c);                         \
    }
IN_BOTH(a_committed_reservation_is_a_message_in_its_place)
IN_BOTH(others_go_on_behind_a_hole_and_the_consumer_waits_at_it)
IN_BOTH(an_aborted_reservation_is_passed_over_as_if_it_had_never_been)
IN_BOTH(a_hole_holds_its_place_under_each_strategy)
IN_BOTH(the_waiting_time_of_reserved_messages_is_sampled_like_that_of_others)
IN_BOTH(a_cleared_lane_keeps_what_is_reserved_and_what_came_after_it)
IN_BOTH(a_drain_waits_for_what_is_reserved)
IN_BOTH(a_sender_that_waits_behind_a_hole_goes_on_when_its_owner_exits)
IN_BOTH(when_its_owner_exits_a_hole_is_repaired_and_counted_lost)
IN_BOTH(another_threads_reservation_can_be_neither_committed_nor_aborted)
IN_BOTH(an_owner_may_exit_after_its_kernel)
IN_BOTH(a_reservation_does_not_outlive_its_kernel)
IN_BOTH(a_kernel_with_a_hole_is_not_relaunched)
IN_BOTH(reservations_that_cannot_be_say_why)
IN_BOTH(writers_in_place_and_senders_lose_nothing_and_keep_their_order)

#define BOTH(does, needs) \
    { CASE(does##_seq), needs }, { CASE(does##_unit), needs }

static const contract_case cases[] = {
    BOTH(a_committed_reservation_is_a_message_in_its_place, ON_EVERY),
    BOTH(others_go_on_behind_a_hole_and_the_consumer_waits_at_it, ON_EVERY),
    BOTH(an_aborted_reservation_is_passed_over_as_if_it_had_never_been, ON_EVERY),
    BOTH(a_hole_holds_its_place_under_each_strategy, ON_EVERY),
    BOTH(the_waiting_time_of_reserved_messages_is_sampled_like_that_of_others, ON_EVERY),
    BOTH(a_cleared_lane_keeps_what_is_reserved_and_what_came_after_it, ON_EVERY),
    BOTH(a_drain_waits_for_what_is_reserved, NEEDS_THREADS),
    BOTH(a_sender_that_waits_behind_a_hole_goes_on_when_its_owner_exits, ON_EVERY),
    BOTH(when_its_owner_exits_a_hole_is_repaired_and_counted_lost, ON_EVERY),
    BOTH(another_threads_reservation_can_be_neither_committed_nor_aborted, ON_EVERY),
    BOTH(an_owner_may_exit_after_its_kernel, ON_EVERY),
    BOTH(a_reservation_does_not_outlive_its_kernel, ON_EVERY),
    BOTH(a_kernel_with_a_hole_is_not_relaunched, ON_EVERY),
    { CASE(a_lane_with_a_lock_has_no_reservations), ON_EVERY },
    BOTH(reservations_that_cannot_be_say_why, ON_EVERY),
    BOTH(writers_in_place_and_senders_lose_nothing_and_keep_their_order, NEEDS_THREADS),
};
CONTRACT_MAIN("reservations", cases)
