/* What queues do, through the public interface: each case on the lane of the host and on the lane of other
 * kernels. */
#include "lines.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MANY 10000u

/* ------------------------------------------------------------------ the capacity and the strategies */

static void fill(line *l)
{
    for (rk_u64 i = 1; i <= CAPACITY; i++) assert_offer(l, i, 0, RK_OK);
}

static void fill_and_offer_one_more(contract *c, rk_u32 lane)
{
    /* given a lane of 16 whose consumer stalls, under Reject; when 17 are offered, then 16 are in and nothing
     * else changed */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    line l = open_line(c, lane, &o);
    fill(&l);
    assert_int_equal(lane_account(&l).queued, CAPACITY);
    assert_offer(&l, 17, 0, RK_FULL);
    assert_int_equal(lane_account(&l).queued, CAPACITY);
    assert_int_equal(lane_account(&l).refused_full, 1);
    assert_collects(&l, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    if (lane == DEVICE_LANE) { /* nobody decided to drop it: it is a dead letter of its sender */
        package dead;
        rk_dead_letter letter;
        wait_until(c, account_of(c, l.source).dead_letters == 1);
        assert_ok(rk_receive_dead(c->runtime, l.source, &dead, sizeof dead, &letter, RK_NO_WAIT));
        assert_string_equal(letter.reason, rk_status_name(RK_FULL));
        assert_int_equal(letter.was_sent, 1);
        assert_int_equal(dead.number, 17);
        assert_int_equal(account_of(c, l.source).dead_sends, 1);
    }
    close_line(&l);

    /* under DropNewest the arrival goes */
    o.backpressure = RK_BACKPRESSURE_DROP_NEWEST;
    l = open_line(c, lane, &o);
    fill(&l);
    assert_offer(&l, 17, 0, RK_DROPPED);
    assert_int_equal(lane_account(&l).refused_dropped, 1);
    assert_collects(&l, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    if (lane == DEVICE_LANE) assert_int_equal(account_of(c, l.source).dead_letters, 0);
    close_line(&l);

    /* under DropOldest the first goes */
    o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    l = open_line(c, lane, &o);
    fill(&l);
    assert_offer(&l, 17, 0, RK_OK);
    assert_int_equal(lane_account(&l).evicted, 1);
    assert_int_equal(lane_account(&l).queued, CAPACITY);
    assert_collects(&l, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
    assert_int_equal(lane_account(&l).evicted, 1);
    assert_int_equal(lane_account(&l).delivered, 16);
    close_line(&l);
}

static void exactly_the_capacity_fits_and_the_strategy_decides_on_the_next(contract *c)
{
    on_both_lanes(c, fill_and_offer_one_more);
}

static void the_largest_and_the_smallest_capacity_hold_exactly_that_many(contract *c)
{
    static const rk_u32 capacities[] = { 16, 256, 1u << 16 };
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
        o.queue_capacity = capacities[i];
        line l = open_line(c, HOST_LANE, &o);
        package p = package_of(1, 0);
        for (rk_u32 n = 0; n < capacities[i]; n++) assert_ok(rk_send(c->runtime, l.target, RK_BODY(p), 0));
        assert_status(rk_send(c->runtime, l.target, RK_BODY(p), 0), RK_FULL);
        assert_int_equal(info_of(c, l.target).queued, capacities[i]);
        assert_int_equal(info_of(c, l.target).queue_capacity, capacities[i]);
        close_line(&l);
    }
}

/* ------------------------------------------------------------------ Block */

static void a_blocked_send_times_out_and_its_id_is_not_remembered(contract *c)
{
    for (rk_u32 window = 0; window <= 16; window += 16) {
        /* given a full lane that nobody empties */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.deduplication_window = window;
        line l = open_line(c, HOST_LANE, &o);
        fill(&l);
        rk_send_options with = RK_SEND_DEFAULTS;
        with.timeout_ns = RK_MILLISECONDS(100);
        with.id = window ? 77 : 0;

        /* when one more is sent with 100 ms to wait, then it takes these 100 ms and fails */
        rk_u64 before = contract_now_ns();
        assert_status(send_package(c, l.target, 17, &with), RK_TIMED_OUT);
        rk_u64 took = contract_now_ns() - before;
        assert_true(took >= RK_MILLISECONDS(100));
        assert_true(took < RK_SECONDS(5));
        assert_int_equal(lane_account(&l).refused_timed_out, 1);
        assert_int_equal(lane_account(&l).queued, CAPACITY);

        /* and the same id is accepted once there is room */
        free(collect(&l, &(size_t){ 0 }));
        assert_offer(&l, 17, &with, RK_OK);
        assert_collects(&l, 17);
        close_line(&l);
    }
}

typedef struct waker {
    line *l;
    rk_u64 after_ns;
} waker;

static void *activate_later(void *argument)
{
    waker *w = argument;
    nanosleep(&(struct timespec){ 0, (long)w->after_ns }, 0);
    expect_ok(w->l->c, rk_activate(w->l->c->runtime, w->l->target));
    settle(w->l->c);
    return 0;
}

static void a_blocked_send_goes_on_when_the_consumer_comes(contract *c)
{
    for (rk_u32 locked = 0; locked < 2; locked++) {
        /* given a full lane, plain and with a window, whose consumer comes in 20 ms */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.deduplication_window = locked ? 16 : 0;
        line l = open_line(c, HOST_LANE, &o);
        waker w = { &l, RK_MILLISECONDS(20) };
        fill(&l);
        rk_u64 before = contract_now_ns();
        start_thread(c, activate_later, &w);

        /* when one more is sent, then it waits until then and is accepted */
        rk_send_options with = RK_SEND_DEFAULTS;
        with.timeout_ns = CONTRACT_PATIENCE;
        assert_ok(send_package(c, l.target, 17, &with));
        assert_true(contract_now_ns() - before >= RK_MILLISECONDS(20));
        join_threads(c);
        assert_collects(&l, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
        close_line(&l);
    }
}

static void a_kernel_that_finds_no_room_parks_and_goes_on_when_there_is_some(contract *c)
{
    /* given a source that has 40 for a stalled target of 16 */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    line l = open_line(c, DEVICE_LANE, &o);
    for (rk_u64 i = 1; i <= 40; i++) order_package(&l, i, 0);
    wait_until(c, metrics_of(c, l.source).parks > 0 && lane_account(&l).queued == CAPACITY);
    assert_int_equal(account_of(c, l.source).dead_letters, 0);

    /* when the target is active, then all 40 come in order */
    size_t count;
    sighting *seen = collect(&l, &count);
    assert_int_equal(count, 40);
    for (rk_u64 i = 0; i < 40; i++) assert_int_equal(seen[i].number, i + 1);
    free(seen);
    assert_int_equal(lane_account(&l).refused_full + lane_account(&l).refused_timed_out, 0);
    close_line(&l);
}

static void a_staged_send_becomes_a_dead_letter_at_its_deadline(contract *c)
{
    /* given a source that may wait 100 ms, and a full target */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
    source.send_deadline_ns = RK_MILLISECONDS(100);
    line l = open_line_with(c, DEVICE_LANE, &o, &source);
    fill(&l);
    rk_u64 before = rk_clock_ns(c->runtime);
    order_package(&l, 17, 0);
    wait_until(c, metrics_of(c, l.source).parks > 0);
    if (c->variant->single_step) {
        let_pass(c, RK_MILLISECONDS(99));
        settle(c);
        assert_int_equal(account_of(c, l.source).dead_letters, 0);
        let_pass(c, RK_MILLISECONDS(1));
    }

    /* when they have passed, then what waited is a dead letter with its payload */
    wait_until(c, account_of(c, l.source).dead_letters == 1);
    assert_true(rk_clock_ns(c->runtime) - before >= RK_MILLISECONDS(100));
    package dead;
    rk_dead_letter letter;
    assert_ok(rk_receive_dead(c->runtime, l.source, &dead, sizeof dead, &letter, RK_NO_WAIT));
    assert_string_equal(letter.reason, rk_status_name(RK_TIMED_OUT));
    assert_int_equal(dead.number, 17);
    wait_until(c, lane_account(&l).refused_timed_out == 1);

    /* and the source goes on */
    free(collect(&l, &(size_t){ 0 }));
    assert_offer(&l, 18, 0, RK_OK);
    assert_collects(&l, 18);
    close_line(&l);
}

/* ------------------------------------------------------------------ receiving */

static void a_receive_on_an_empty_queue_ends_in_time(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    line l = open_line(c, HOST_LANE, &o);
    assert_ok(rk_activate(c->runtime, l.target));
    sighting s;
    rk_u64 best = ~0ull;
    for (rk_u32 tries = 0; tries < 20 && best > RK_MILLISECONDS(120);
         tries++) { /* another process may have the core */
        rk_u64 before = contract_now_ns();
        assert_status(rk_receive(c->runtime, l.target, &s, sizeof s, 0, RK_MILLISECONDS(100)), RK_TIMED_OUT);
        rk_u64 took = contract_now_ns() - before;
        assert_true(took >= RK_MILLISECONDS(100));
        if (took < best) best = took;
    }
    assert_true(best <= RK_MILLISECONDS(120));

    best = ~0ull;
    for (rk_u32 tries = 0; tries < 20; tries++) {
        rk_u64 before = contract_now_ns();
        assert_status(rk_receive(c->runtime, l.target, &s, sizeof s, 0, RK_NO_WAIT), RK_EMPTY);
        rk_u64 took = contract_now_ns() - before;
        if (took < best) best = took;
    }
    assert_true(best < RK_MILLISECONDS(1));
}

static void a_message_too_large_for_the_room_stays(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    line l = open_line(c, HOST_LANE, &o);
    sighting s;
    rk_received info = { 0 };
    assert_offer(&l, 5, 0, RK_OK);
    assert_ok(rk_activate(c->runtime, l.target));
    wait_until(c, account_of(c, l.target).output_queued == 1);
    assert_status(rk_receive(c->runtime, l.target, &s, sizeof s - 1, &info, RK_NO_WAIT), RK_TOO_SMALL);
    assert_int_equal(info.length, sizeof s);
    receive_with(c, l.target, &s, &info);
    assert_int_equal(s.number, 5);
    assert_int_equal(info.type, RK_TYPE_ID(sighting));
}

/* ------------------------------------------------------------------ 10,000 and a slow consumer */

/* What the test knows of each number that it offered. */
typedef struct fate {
    rk_u8 accepted;
    rk_u8 arrived;
    rk_u8 dead;
} fate;

static void take_dead_letters(line *l, fate *fates)
{
    package dead;
    rk_dead_letter letter;
    while (rk_receive_dead(l->c->runtime, l->source, &dead, sizeof dead, &letter, RK_NO_WAIT) == RK_OK) {
        assert_true(dead.number < MANY);
        assert_int_equal(fates[dead.number].dead, 0);
        fates[dead.number].dead = 1;
    }
}

static void check_survivors(line *l, rk_u32 strategy, fate *fates, rk_u32 sent)
{
    size_t count;
    sighting *seen = collect(l, &count);
    rk_account a = lane_account(l);
    for (size_t i = 0; i < count; i++) {
        assert_true(seen[i].number < sent);
        if (i) assert_true(seen[i].number > seen[i - 1].number);
        fates[seen[i].number].arrived = 1;
    }
    assert_int_equal(a.delivered, count);
    assert_int_equal(a.accepted, a.delivered + a.evicted);
    assert_int_equal(a.accepted + refusals(&a), sent);
    switch (strategy) {
    case RK_BACKPRESSURE_BLOCK: assert_int_equal(count, sent); break;
    case RK_BACKPRESSURE_REJECT: assert_int_equal(a.refused_full, sent - count); break;
    case RK_BACKPRESSURE_DROP_NEWEST: assert_int_equal(a.refused_dropped, sent - count); break;
    default:
        assert_int_equal(a.evicted, sent - count);
        assert_int_equal(seen[count - 1].number, sent - 1); /* the newest is never the one that goes */
        break;
    }
    if (l->lane == HOST_LANE && strategy != RK_BACKPRESSURE_DROP_OLDEST)
        for (rk_u32 i = 0; i < sent; i++) assert_int_equal(fates[i].arrived, fates[i].accepted);
    if (l->lane == DEVICE_LANE) {
        wait_until(l->c, account_of(l->c, l->source).dead_letters == a.refused_full);
        take_dead_letters(l, fates);
        for (rk_u32 i = 0; i < sent && strategy == RK_BACKPRESSURE_REJECT; i++)
            assert_int_equal(fates[i].arrived + fates[i].dead, 1);
        assert_int_equal(account_of(l->c, l->source).dead_letters, a.refused_full);
    }
    free(seen);
}

static void send_through_a_slow_consumer(contract *c, rk_u32 lane)
{
    rk_u32 sent = c->variant->single_step ? MANY : contract_rounds(MANY);
    for (size_t s = 0; s < STRATEGIES; s++) {
        /* given a target of 16 that needs a few microseconds for each */
        fate *fates = calloc(MANY, sizeof *fates);
        rk_parameter work = { "carry_work", "1000" };
        rk_launch_options o = small_queue(strategies[s]);
        o.parameters = &work;
        o.parameter_count = 1;
        line l = open_line(c, lane, &o);
        assert_ok(rk_activate(c->runtime, l.target));

        /* when it is sent 10,000 */
        for (rk_u32 i = 0; i < sent; i++) {
            if (c->variant->single_step && i % 24 == 0) settle(c);
            if (lane == DEVICE_LANE) {
                order_package(&l, i, 0);
                continue;
            }
            if (c->variant->single_step && strategies[s] == RK_BACKPRESSURE_BLOCK && i % CAPACITY == 0)
                settle(c);
            rk_status status = offer(&l, i, 0);
            fates[i].accepted = status == RK_OK;
        }

        /* then exactly those arrive, in order, that the strategy keeps, and the others are counted */
        check_survivors(&l, strategies[s], fates, sent);
        close_line(&l);
        free(fates);
    }
}

static void many_messages_through_a_slow_consumer_leave_exact_survivors(contract *c)
{
    on_both_lanes(c, send_through_a_slow_consumer);
}

/* Three sends, then one is handled, over and over: the survivors follow. */
static void survivors_are_those_that_the_rules_say(contract *c)
{
    for (size_t s = 0; s < STRATEGIES; s++) {
        if (strategies[s] == RK_BACKPRESSURE_BLOCK) continue;
        rk_launch_options o = small_queue(strategies[s]);
        o.max_batch = 1;
        line l = open_line(c, HOST_LANE, &o);
        assert_ok(rk_activate(c->runtime, l.target));
        static rk_u32 model[MANY], survivors[MANY];
        rk_u32 first = 0, queued = 0, kept = 0, evicted = 0, refused = 0;
        for (rk_u32 i = 0; i < MANY; i++) {
            rk_status expected = queued < CAPACITY                              ? RK_OK
                                 : strategies[s] == RK_BACKPRESSURE_REJECT      ? RK_FULL
                                 : strategies[s] == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED
                                                                                : RK_OK;
            assert_offer(&l, i, 0, expected);
            refused += expected != RK_OK;
            if (expected == RK_OK && queued == CAPACITY) {
                first++;
                queued--;
                evicted++;
            }
            if (expected == RK_OK) model[first + queued++] = i;
            if (i % 3 == 2) {
                rk_u32 result;
                assert_ok(rk_step(c->runtime, l.target, &result));
                assert_int_equal(result, RK_STEP_WORKED);
                survivors[kept++] = model[first++];
                queued--;
            }
        }
        while (queued--) survivors[kept++] = model[first++];
        size_t count;
        sighting *seen = collect(&l, &count);
        assert_int_equal(count, kept);
        for (rk_u32 i = 0; i < kept; i++) assert_int_equal(seen[i].number, survivors[i]);
        rk_account a = lane_account(&l);
        assert_int_equal(a.evicted, evicted);
        assert_int_equal(refusals(&a), refused);
        free(seen);
        close_line(&l);
    }
}

static void send_far_more_than_fits_to_a_stalled_consumer(contract *c, rk_u32 lane)
{
    /* given DropOldest and a consumer that stalls, when 10,000 are sent, then the newest 16 are left */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_DROP_OLDEST);
    line l = open_line(c, lane, &o);
    for (rk_u32 i = 0; i < MANY; i++) {
        if (lane == HOST_LANE)
            assert_offer(&l, i, 0, RK_OK);
        else
            order_package(&l, i, 0);
        if (c->variant->single_step && i % 1000 == 0) settle(c);
    }
    if (lane == DEVICE_LANE) wait_until(c, is_ordered(&l));
    size_t count;
    sighting *seen = collect(&l, &count);
    assert_int_equal(count, CAPACITY);
    for (rk_u32 i = 0; i < CAPACITY; i++) assert_int_equal(seen[i].number, MANY - CAPACITY + i);
    assert_int_equal(lane_account(&l).evicted, MANY - CAPACITY);
    free(seen);
    close_line(&l);
}

static void a_lapped_consumer_finds_the_newest_in_order(contract *c)
{
    on_both_lanes(c, send_far_more_than_fits_to_a_stalled_consumer);
}

/* ------------------------------------------------------------------ clear */

static void a_cleared_queue_is_empty_and_takes_the_next(contract *c)
{
    static const rk_u32 windows[] = { 0, 16 };
    for (size_t s = 0; s < STRATEGIES; s++)
        for (rk_u32 w = 0; w < 2; w++) {
            rk_launch_options o = small_queue(strategies[s]);
            o.deduplication_window = windows[w];
            o.priority = w;
            line l = open_line(c, HOST_LANE, &o);
            rk_u64 cleared = 0;
            rk_send_options with = RK_SEND_DEFAULTS;
            for (rk_u32 i = 0; i < 20; i++) {
                with.priority = (rk_u8)(i * 13);
                with.timeout_ns = 1;
                (void)send_package(c, l.target, i, &with);
            }
            assert_ok(rk_clear(c->runtime, l.target, &cleared));
            assert_int_equal(cleared, CAPACITY);
            assert_int_equal(lane_account(&l).lost, CAPACITY);
            assert_int_equal(lane_account(&l).queued, 0);
            assert_true(lane_account(&l).balanced);
            assert_offer(&l, 99, 0, RK_OK);
            assert_ok(rk_activate(c->runtime, l.target));
            assert_status(rk_clear(c->runtime, l.target, &cleared), RK_BUSY);
            assert_collects(&l, 99);
            close_line(&l);
        }
}

/* ------------------------------------------------------------------ deduplication */

static rk_send_options id_of(rk_u64 id)
{
    rk_send_options with = RK_SEND_DEFAULTS;
    with.id = id;
    with.timeout_ns = RK_MILLISECONDS(1);
    return with;
}

static void offer_ids_again(contract *c, rk_u32 lane)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    o.deduplication_window = 16;
    line l = open_line(c, lane, &o);
    rk_send_options with = id_of(1);

    /* while it is queued */
    assert_offer(&l, 1, &with, RK_OK);
    assert_offer(&l, 2, &with, RK_DUPLICATE);
    assert_collects(&l, 1);
    /* after it was handled */
    assert_offer(&l, 3, &with, RK_DUPLICATE);
    /* 15 further ids: still within the window of 16 */
    for (rk_u64 id = 2; id <= 16; id++) {
        with = id_of(id);
        assert_offer(&l, 100 + id, &with, RK_OK);
    }
    with = id_of(1);
    assert_offer(&l, 4, &with, RK_DUPLICATE);
    free(collect(&l, &(size_t){ 0 }));
    /* one more: now it is beyond the window */
    with = id_of(17);
    assert_offer(&l, 5, &with, RK_OK);
    with = id_of(1);
    assert_offer(&l, 6, &with, RK_OK);
    with = id_of(3);
    assert_offer(&l, 7, &with, RK_DUPLICATE); /* 2 left for 1 */
    with = id_of(2);
    assert_offer(&l, 8, &with, RK_OK);
    /* ids whose low 32 bits agree are two; 0 is none */
    with = id_of(0x100000001ull * 5000);
    assert_offer(&l, 9, &with, RK_OK);
    with.id += 1ull << 32;
    assert_offer(&l, 10, &with, RK_OK);
    with.id = 5000;
    assert_offer(&l, 11, &with, RK_OK);
    assert_offer(&l, 12, 0, RK_OK);
    assert_offer(&l, 13, 0, RK_OK);
    assert_int_equal(lane_account(&l).refused_duplicate, 4);
    assert_collects(&l, 5, 6, 8, 9, 10, 11, 12, 13);
    close_line(&l);
}

static void an_id_is_a_duplicate_within_the_window_only(contract *c) { on_both_lanes(c, offer_ids_again); }

static void refuse_an_id_and_offer_it_again(contract *c, rk_u32 lane)
{
    for (size_t s = 0; s < STRATEGIES; s++) {
        if (strategies[s] == RK_BACKPRESSURE_DROP_OLDEST) continue; /* refuses nothing */
        rk_launch_options o = small_queue(strategies[s]), source = source_options();
        o.deduplication_window = 16;
        source.send_deadline_ns = RK_MILLISECONDS(10);
        line l = open_line_with(c, lane, &o, &source);
        fill(&l);
        rk_send_options with = id_of(42);
        if (lane == DEVICE_LANE && strategies[s] == RK_BACKPRESSURE_BLOCK) {
            order_package(&l, 17, &with);
            wait_until(c, metrics_of(c, l.source).parks > 0);
            let_pass(c, RK_MILLISECONDS(10));
            wait_until(c, lane_account(&l).refused_timed_out == 1);
        } else {
            assert_offer(&l, 17, &with,
                         strategies[s] == RK_BACKPRESSURE_REJECT        ? RK_FULL
                         : strategies[s] == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED
                                                                        : RK_TIMED_OUT);
        }
        free(collect(&l, &(size_t){ 0 }));
        assert_offer(&l, 18, &with, RK_OK);
        assert_offer(&l, 19, &with, RK_DUPLICATE);
        assert_collects(&l, 18);
        close_line(&l);
    }
}

static void an_id_refused_for_lack_of_room_is_accepted_later(contract *c)
{
    on_both_lanes(c, refuse_an_id_and_offer_it_again);
}

static void a_run_of_ids_counts_up_until_the_first_duplicate(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    o.deduplication_window = 16;
    line l = open_line(c, HOST_LANE, &o);
    package run[8];
    size_t accepted = 0;
    rk_send_options with = id_of(24);
    assert_offer(&l, 99, &with, RK_OK);
    for (rk_u32 i = 0; i < 8; i++) run[i] = package_of(i, 0);
    with = id_of(20);
    assert_status(
        rk_send_many(c->runtime, l.target, RK_TYPE_ID(package), run, sizeof *run, 8, &with, &accepted),
        RK_DUPLICATE);
    assert_int_equal(accepted, 4);
    assert_collects(&l, 99, 0, 1, 2, 3);
    close_line(&l);
}

static void the_same_id_on_a_route_in_turn_is_a_duplicate_at_any_shard(contract *c)
{
    /* given a target of four shards that deduplicate, and a route in turn */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
    rk_route_options in_turn = { RK_ROUTE_OPTIONS, .mode = RK_ROUTE_TURN };
    o.queue_capacity = 256;
    o.deduplication_window = 256;
    o.shards = 4;
    o.blocks = 4;
    line l = { .c = c, .lane = DEVICE_LANE };
    l.target = launch(c, "target", "carry", &o);
    l.source = launch(c, "source", "dispatch", &source);
    assert_ok(rk_connect(c->runtime, l.source, 0, l.target, &in_turn));
    assert_ok(rk_activate(c->runtime, l.source));

    /* when 100 ids are sent, and each once more */
    for (rk_u32 round = 0; round < 2; round++)
        for (rk_u64 id = 1; id <= 100; id++) order_package(&l, id, &(rk_send_options){ .id = id });
    wait_until(c, account_of(c, l.target).accepted + account_of(c, l.target).refused_duplicate == 200);

    /* then each was accepted once, and all shards had some */
    assert_int_equal(account_of(c, l.target).accepted, 100);
    assert_int_equal(account_of(c, l.target).refused_duplicate, 100);
    for (rk_u32 s = 0; s < 4; s++) {
        rk_account a;
        assert_ok(rk_account_of_lane(c->runtime, l.target, s, DEVICE_LANE, &a));
        assert_true(a.accepted > 0);
        assert_int_equal(a.accepted, a.refused_duplicate);
    }
}

/* ------------------------------------------------------------------ expiry */

static void let_some_grow_old(contract *c, rk_u32 lane)
{
    for (rk_u32 to_dead = 0; to_dead < 2; to_dead++) {
        /* given three messages of which the middle one lives 50 ms */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.expiry = 1;
        o.expired_to_dead = to_dead;
        line l = open_line(c, lane, &o);
        rk_send_options with = RK_SEND_DEFAULTS;
        assert_offer(&l, 1, 0, RK_OK);
        with.ttl_us = 50000;
        assert_offer(&l, 2, &with, RK_OK);
        with.ttl_us = 3600u * 1000000u;
        assert_offer(&l, 3, &with, RK_OK);

        /* when they are looked at after 100 ms, then it has expired and its neighbours have not */
        let_pass(c, RK_MILLISECONDS(100));
        assert_collects(&l, 1, 3);
        assert_int_equal(lane_account(&l).expired, 1);
        assert_int_equal(lane_account(&l).delivered, 2);

        /* and it is a dead letter if that was asked for */
        if (to_dead) {
            package dead;
            rk_dead_letter letter;
            wait_until(c, account_of(c, l.target).dead_letters == 1);
            assert_ok(rk_receive_dead(c->runtime, l.target, &dead, sizeof dead, &letter, RK_NO_WAIT));
            assert_string_equal(letter.reason, rk_status_name(RK_EXPIRED));
            assert_int_equal(dead.number, 2);
        }
        assert_int_equal(account_of(c, l.target).dead_letters, to_dead);
        close_line(&l);
    }
}

static void an_expired_message_is_counted_and_its_neighbours_are_delivered(contract *c)
{
    on_both_lanes(c, let_some_grow_old);
}

static void let_all_grow_old_by_default(contract *c, rk_u32 lane)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.expiry = 1;
    o.default_ttl_us = 50000;
    line l = open_line(c, lane, &o);
    rk_send_options with = RK_SEND_DEFAULTS;
    assert_offer(&l, 1, 0, RK_OK);
    with.ttl_us = 3600u * 1000000u;
    assert_offer(&l, 2, &with, RK_OK);
    let_pass(c, RK_MILLISECONDS(100));
    assert_collects(&l, 2);
    assert_int_equal(lane_account(&l).expired, 1);
    close_line(&l);
}

static void the_default_time_to_live_holds_for_messages_that_say_none(contract *c)
{
    on_both_lanes(c, let_all_grow_old_by_default);
}

static void send_to_a_queue_of_an_hour(contract *c, rk_u32 lane)
{
    /* given a queue that has existed for an hour, and a message that lives two seconds; when it is one second
     * old, then it is delivered */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.expiry = 1;
    line l = open_line(c, lane, &o);
    let_pass(c, RK_SECONDS(3600));
    rk_send_options with = RK_SEND_DEFAULTS;
    with.ttl_us = 2000000;
    assert_offer(&l, 1, &with, RK_OK);
    assert_offer(&l, 2, 0, RK_OK);
    let_pass(c, RK_SECONDS(1));
    assert_collects(&l, 1, 2);
    close_line(&l);
}

static void an_old_queue_delivers_a_message_of_one_second(contract *c)
{
    on_both_lanes(c, send_to_a_queue_of_an_hour);
}

/* ------------------------------------------------------------------ host and device at once */

static void each_lane_has_its_own_capacity_window_and_account(contract *c)
{
    for (size_t s = 0; s < STRATEGIES; s++) {
        /* given a target of 16 with a window of 16 that stalls, and both kinds of senders */
        rk_launch_options o = small_queue(strategies[s]);
        o.deduplication_window = 16;
        line device = open_line(c, DEVICE_LANE, &o), host = device;
        host.lane = HOST_LANE;

        /* when both lanes get the same 16 ids, twice, and four more without an id */
        for (rk_u64 id = 1; id <= 16; id++) {
            rk_send_options with = id_of(id);
            assert_offer(&host, id, &with, RK_OK);
            assert_offer(&device, 100 + id, &with, RK_OK);
        }
        for (rk_u64 id = 1; id <= 16; id++) {
            rk_send_options with = id_of(id);
            assert_offer(&host, 0, &with, RK_DUPLICATE);
            assert_offer(&device, 0, &with, RK_DUPLICATE);
        }
        rk_send_options brief = RK_SEND_DEFAULTS;
        brief.timeout_ns = 1;
        for (rk_u64 i = 1; i <= 4; i++) {
            (void)send_package(c, host.target, 50 + i, &brief);
            order_package(&device, 150 + i, 0);
        }
        if (strategies[s] != RK_BACKPRESSURE_BLOCK) wait_until(c, is_ordered(&device));

        /* then each lane has counted for itself */
        rk_account a[2] = { lane_account(&host), lane_account(&device) };
        for (rk_u32 lane = 0; lane < 2; lane++) {
            assert_int_equal(a[lane].refused_duplicate, 16);
            assert_int_equal(a[lane].queued, CAPACITY);
            assert_int_equal(a[lane].evicted, strategies[s] == RK_BACKPRESSURE_DROP_OLDEST ? 4 : 0);
            assert_int_equal(a[lane].refused_full, strategies[s] == RK_BACKPRESSURE_REJECT ? 4 : 0);
            assert_int_equal(a[lane].refused_dropped, strategies[s] == RK_BACKPRESSURE_DROP_NEWEST ? 4 : 0);
        }
        assert_int_equal(a[0].refused_timed_out, strategies[s] == RK_BACKPRESSURE_BLOCK ? 4 : 0);

        /* and what was kept comes, each lane in order */
        size_t count;
        sighting *seen = collect(&device, &count);
        rk_u64 last[2] = { 0, 0 }, came[2] = { 0, 0 };
        for (size_t i = 0; i < count; i++) {
            rk_u32 lane = seen[i].number > 100;
            assert_true(seen[i].number > last[lane]);
            last[lane] = seen[i].number;
            came[lane]++;
        }
        assert_int_equal(came[0], 16);
        assert_int_equal(came[1], strategies[s] == RK_BACKPRESSURE_BLOCK ? 20 : 16);
        rk_account all = account_of(c, device.target);
        assert_int_equal(all.accepted_host, lane_account(&host).accepted);
        assert_int_equal(all.accepted_device, lane_account(&device).accepted);
        assert_int_equal(all.delivered, came[0] + came[1]);
        free(seen);
        close_line(&device);
    }
}

typedef struct producer {
    contract *c;
    rk_kernel target;
    rk_u32 number, messages;
    rk_u32 to;    /* target of its messages */
    rk_u32 stall; /* now and then */
} producer;

static void *produce(void *argument)
{
    producer *p = argument;
    rk_u64 random = p->number + 1;
    rk_send_options with = RK_SEND_DEFAULTS;
    with.timeout_ns = CONTRACT_PATIENCE;
    with.target = p->to;
    for (rk_u32 i = 0; i < p->messages;) {
        package run[32];
        random = rk_hash64(random);
        rk_u32 n = 1 + (rk_u32)(random >> 8) % 32;
        if (n > p->messages - i) n = p->messages - i;
        for (rk_u32 j = 0; j < n; j++) run[j] = package_of(i + j, p->number);
        size_t accepted;
        rk_status status = rk_send_many(p->c->runtime, p->target, RK_TYPE_ID(package), run, sizeof *run, n,
                                        &with, &accepted);
        if (!expect_ok(p->c, status)) return 0;
        if (random % 16 == 0) sched_yield();
        i += n;
    }
    return 0;
}

static void host_and_device_senders_share_a_target_and_the_account_adds_up(contract *c)
{
    /* given one target of 16, three host threads and two kernels that send to it at the same time */
    enum { THREADS = 3, KERNELS = 2, OF_EACH = 2000 };
    rk_u32 messages = contract_rounds(OF_EACH);
    for (rk_u32 locked = 0; locked < 2; locked++) {
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
        o.priority = locked;
        rk_kernel target = launch_active(c, "target", "carry", &o), sources[KERNELS];
        producer producers[THREADS];
        for (rk_u32 k = 0; k < KERNELS; k++) {
            char id[16];
            snprintf(id, sizeof id, "source %u", k);
            sources[k] = launch(c, id, "dispatch", &source);
            assert_ok(rk_connect(c->runtime, sources[k], 0, target, 0));
            assert_ok(rk_activate(c->runtime, sources[k]));
        }
        for (rk_u32 t = 0; t < THREADS; t++) {
            producers[t] = (producer){ .c = c, .target = target, .number = t, .messages = messages };
            start_thread(c, produce, &producers[t]);
        }
        for (rk_u32 i = 0; i < messages; i++)
            for (rk_u32 k = 0; k < KERNELS; k++) {
                work_order order = { .number = i, .sender = THREADS + k };
                assert_ok(rk_send(c->runtime, sources[k], RK_BODY(order), 0));
            }

        /* when all have sent, then everything arrived once, in order for each sender, and by lane as it was
         * sent */
        rk_u32 next[THREADS + KERNELS] = { 0 };
        for (rk_u32 i = 0; i < (THREADS + KERNELS) * messages; i++) {
            sighting s;
            receive(c, target, &s);
            assert_true(s.sender < THREADS + KERNELS);
            assert_int_equal(s.wrong, 0);
            assert_int_equal(s.number, next[s.sender]);
            next[s.sender]++;
        }
        join_threads(c);
        wait_until(c, is_at_rest(c, target));
        rk_account a = account_of(c, target);
        assert_int_equal(a.accepted_host, THREADS * messages);
        assert_int_equal(a.accepted_device, KERNELS * messages);
        assert_int_equal(a.delivered, (THREADS + KERNELS) * messages);
        for (rk_u32 k = 0; k < KERNELS; k++) {
            assert_int_equal(account_of(c, sources[k]).sent, messages);
            assert_ok(rk_terminate(c->runtime, sources[k], CONTRACT_PATIENCE));
        }
        assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    }
}

/* ------------------------------------------------------------------ many producers, several receivers */

#define PRODUCERS 8u

typedef struct receiver {
    contract *c;
    rk_kernel target;
    rk_u8 *arrived; /* of each producer's number, by all receivers; atomic */
    rk_u64 *total;  /* by all receivers; atomic */
    rk_u64 wanted;
    rk_u32 messages;
    rk_u32 in_order; /* one shard: what this receiver gets of a producer is in order */
} receiver;

static void *receive_all(void *argument)
{
    receiver *r = argument;
    rk_i64 last[PRODUCERS];
    rk_u64 until = contract_now_ns() + CONTRACT_PATIENCE * 2;
    for (rk_u32 p = 0; p < PRODUCERS; p++) last[p] = -1;
    while (__atomic_load_n(r->total, __ATOMIC_ACQUIRE) < r->wanted &&
           expect(r->c, contract_now_ns() < until)) {
        sighting seen[64];
        size_t got;
        rk_status status =
            rk_receive_many(r->c->runtime, r->target, seen, sizeof *seen, 64, 0, RK_MILLISECONDS(1), &got);
        if (status == RK_TIMED_OUT) continue;
        if (!expect_ok(r->c, status)) return 0;
        for (size_t i = 0; i < got; i++) {
            const sighting *s = &seen[i];
            if (!expect(r->c, s->sender < PRODUCERS && s->number < r->messages && s->wrong == 0)) return 0;
            expect(r->c, __atomic_fetch_add(&r->arrived[s->sender * r->messages + s->number], 1,
                                            __ATOMIC_RELAXED) == 0);
            expect(r->c, (rk_i64)s->number > last[s->sender]);
            last[s->sender] = (rk_i64)s->number;
        }
        __atomic_fetch_add(r->total, got, __ATOMIC_ACQ_REL);
    }
    return 0;
}

static void send_with_eight_threads(contract *c, const rk_launch_options *o, rk_u32 receivers,
                                    rk_u32 messages)
{
    rk_kernel target = launch_active(c, "target", "carry", o);
    producer producers[PRODUCERS];
    receiver all[4];
    rk_u64 total = 0;
    rk_u8 *arrived = calloc(PRODUCERS, messages);
    assert_non_null(arrived);
    for (rk_u32 r = 0; r < receivers; r++) {
        all[r] = (receiver){ c, target, arrived, &total, (rk_u64)PRODUCERS * messages, messages, 1 };
        start_thread(c, receive_all, &all[r]);
    }
    for (rk_u32 p = 0; p < PRODUCERS; p++) {
        producers[p] = (producer){ .c = c, .target = target, .number = p, .messages = messages, .to = p };
        start_thread(c, produce, &producers[p]);
    }
    join_threads(c);
    assert_int_equal(c->failures, 0);
    for (rk_u32 i = 0; i < PRODUCERS * messages; i++) assert_int_equal(arrived[i], 1);
    wait_until(c, is_at_rest(c, target));
    rk_account a = account_of(c, target);
    assert_int_equal(a.accepted_host, (rk_u64)PRODUCERS * messages);
    assert_int_equal(a.delivered, (rk_u64)PRODUCERS * messages);
    assert_int_equal(a.output_received, (rk_u64)PRODUCERS * messages);
    free(arrived);
    assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
}

static void eight_producers_and_several_receivers_lose_nothing(contract *c)
{
    rk_u32 messages = contract_rounds(20000);
    for (rk_u32 receivers = 1; receivers <= 4; receivers += 3) {
        rk_launch_options o = rk_production(); /* a locked lane of 4096, with a window */
        send_with_eight_threads(c, &o, receivers, messages);
        o.deduplication_window = 0; /* an open one, and small rings on both sides */
        o.queue_capacity = 64;
        send_with_eight_threads(c, &o, receivers, messages);
        o.slot_format = RK_FORMAT_UNIT;
        send_with_eight_threads(c, &o, receivers, messages);
        o.slot_format = RK_FORMAT_SEQ;
        o.shards = 3;
        o.blocks = 3;
        send_with_eight_threads(c, &o, receivers, messages);
    }
}

static const contract_case cases[] = {
    { CASE(exactly_the_capacity_fits_and_the_strategy_decides_on_the_next), ON_EVERY },
    { CASE(the_largest_and_the_smallest_capacity_hold_exactly_that_many), ON_EVERY },
    { CASE(a_blocked_send_times_out_and_its_id_is_not_remembered), ON_EVERY },
    { CASE(a_blocked_send_goes_on_when_the_consumer_comes), ON_EVERY },
    { CASE(a_kernel_that_finds_no_room_parks_and_goes_on_when_there_is_some), ON_EVERY },
    { CASE(a_staged_send_becomes_a_dead_letter_at_its_deadline), ON_EVERY },
    { CASE(a_receive_on_an_empty_queue_ends_in_time), ON_EVERY },
    { CASE(a_message_too_large_for_the_room_stays), ON_EVERY },
    { CASE(many_messages_through_a_slow_consumer_leave_exact_survivors), ON_EVERY },
    { CASE(survivors_are_those_that_the_rules_say), NEEDS_STEP },
    { CASE(a_lapped_consumer_finds_the_newest_in_order), ON_EVERY },
    { CASE(a_cleared_queue_is_empty_and_takes_the_next), ON_EVERY },
    { CASE(an_id_is_a_duplicate_within_the_window_only), ON_EVERY },
    { CASE(an_id_refused_for_lack_of_room_is_accepted_later), ON_EVERY },
    { CASE(a_run_of_ids_counts_up_until_the_first_duplicate), ON_EVERY },
    { CASE(the_same_id_on_a_route_in_turn_is_a_duplicate_at_any_shard), ON_EVERY },
    { CASE(an_expired_message_is_counted_and_its_neighbours_are_delivered), ON_EVERY },
    { CASE(the_default_time_to_live_holds_for_messages_that_say_none), ON_EVERY },
    { CASE(an_old_queue_delivers_a_message_of_one_second), NEEDS_STEP },
    { CASE(each_lane_has_its_own_capacity_window_and_account), ON_EVERY },
    { CASE(host_and_device_senders_share_a_target_and_the_account_adds_up), NEEDS_THREADS },
    { CASE(eight_producers_and_several_receivers_lose_nothing), NEEDS_THREADS },
};

CONTRACT_MAIN("queues", cases)
