/* What queues do, through the public interface: each case on the lane of the host and on the lane of other
 * kernels. */
#include "lines.h"

#include <stdlib.h>

#include "runtime/core.h"

#define MANY 10000u

/* ------------------------------------------------------------------ the capacity and the strategies */

static void fill_and_offer_one_more(contract *c, rk_u32 lane)
{
    /* given a lane of 16 whose consumer stalls, under Reject; when 17 are offered, then 16 are in and nothing
     * else changed */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    line l = open_line(c, lane, &o);
    fill_line(&l);
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
        wait_until(c, account_of(c, l.source).dead_sends == 1); /* counted behind its letter */
    }
    close_line(&l);

    /* under DropNewest the arrival goes */
    o.backpressure = RK_BACKPRESSURE_DROP_NEWEST;
    l = open_line(c, lane, &o);
    fill_line(&l);
    assert_offer(&l, 17, 0, RK_DROPPED);
    assert_int_equal(lane_account(&l).refused_dropped, 1);
    assert_collects(&l, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    if (lane == DEVICE_LANE) assert_int_equal(account_of(c, l.source).dead_letters, 0);
    close_line(&l);

    /* under DropOldest the first goes */
    o.backpressure = RK_BACKPRESSURE_DROP_OLDEST;
    l = open_line(c, lane, &o);
    fill_line(&l);
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
        fill_line(&l);
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
    rk_u64 activated_ns; /* or cleared */
} waker;

/* A sender sleeps until the host lane has room. */
static int is_waited_for(const line *l)
{
    const rk_runtime *runtime = l->c->runtime;
    const rk_lane *lane = rk_seat_lane(runtime->kernels[l->target.number]->seats, RK_LANE_HOST);
    return __atomic_load_n(&rk_lane_ring(lane, runtime->arena.base, 0)->waiting, __ATOMIC_ACQUIRE) != 0;
}

static void *activate_for_a_sender(void *argument)
{
    waker *w = argument;
    wait_until(w->l->c, is_waited_for(w->l));
    w->activated_ns = contract_now_ns();
    expect_ok(w->l->c, rk_activate(w->l->c->runtime, w->l->target));
    settle(w->l->c);
    return 0;
}

static void a_blocked_send_goes_on_when_the_consumer_comes(contract *c)
{
    for (rk_u32 locked = 0; locked < 2; locked++) {
        /* given a full lane, plain and with a window, whose consumer comes when somebody waits for it */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.deduplication_window = locked ? 16 : 0;
        line l = open_line(c, HOST_LANE, &o);
        waker w = { .l = &l };
        fill_line(&l);
        start_thread(c, activate_for_a_sender, &w);

        /* when one more is sent, then it waits until then and is accepted */
        rk_send_options with = RK_SEND_DEFAULTS;
        with.timeout_ns = CONTRACT_PATIENCE;
        assert_ok(send_package(c, l.target, 17, &with));
        rk_u64 accepted_ns = contract_now_ns();
        join_threads(c);
        assert_true(accepted_ns >= w.activated_ns);
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
    fill_line(&l);
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
    assert_true(rk_clock_ns(c->runtime) - before + clock_grain(c) >= RK_MILLISECONDS(100));
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

/* As when the process was stopped. A clock that is injected has no last wait, so it is given one here. */
static void a_deadline_that_passes_unseen_leaves_one_last_wait(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK), source = source_options();
    source.send_deadline_ns = RK_MILLISECONDS(100);
    line l = open_line_with(c, DEVICE_LANE, &o, &source);
    c->runtime->kernels[l.source.number]->seats[0].shard->last_wait_ns = RK_MILLISECONDS(40);
    fill_line(&l);
    const struct {
        rk_u64 pass_ms, dead;
    } looks[] = {
        { 149, 1 },                       /* a look that is a little late is the deadline's */
        { 150, 1 }, { 39, 1 }, { 1, 2 },  /* later than that, and there is one more wait, */
        { 150, 2 }, { 39, 2 }, { 100, 3 } /* after which there is none, however late it is looked at */
    };
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++) {
        if (i == 0 || i == 1 || i == 4) order_package(&l, i, 0);
        settle(c);
        let_pass(c, RK_MILLISECONDS(looks[i].pass_ms));
        settle(c);
        assert_int_equal(account_of(c, l.source).dead_letters, looks[i].dead);
    }
    free(collect(&l, &(size_t){ 0 }));
    close_line(&l);
}

/* ------------------------------------------------------------------ receiving */

static void a_receive_on_an_empty_queue_ends_in_time(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    line l = open_line(c, HOST_LANE, &o);
    assert_ok(rk_activate(c->runtime, l.target));
    sighting s;
    rk_u64 late = ~0ull; /* than a plain sleep beside it: another process may have the core */
    for (rk_u32 tries = 0; tries < 20 && late > RK_MILLISECONDS(20); tries++) {
        rk_u64 before = contract_now_ns();
        nanosleep(&(struct timespec){ 0, (long)RK_MILLISECONDS(100) }, 0);
        rk_u64 slept = contract_now_ns() - before;
        before = contract_now_ns();
        assert_status(rk_receive(c->runtime, l.target, &s, sizeof s, 0, RK_MILLISECONDS(100)), RK_TIMED_OUT);
        rk_u64 took = contract_now_ns() - before;
        assert_true(took >= RK_MILLISECONDS(100));
        rk_u64 over = took > slept ? took - slept : 0;
        if (over < late) late = over;
    }
    assert_true(late <= RK_MILLISECONDS(20));

    rk_u64 best = ~0ull;
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
    rk_status status = RK_EMPTY;
    wait_until(c,
               (status = rk_receive(c->runtime, l.target, &s, sizeof s - 1, &info, RK_NO_WAIT)) != RK_EMPTY);
    assert_status(status, RK_TOO_SMALL);
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
        rk_launch_options o = small_queue(strategies[s]), source = source_options();
        source.queue_capacity = o.output_capacity = 16384; /* all of them */
        o.parameters = &work;
        o.parameter_count = 1;
        line l = open_line_with(c, lane, &o, &source);
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

static void *clear_for_a_sender(void *argument)
{
    waker *w = argument;
    rk_u64 cleared = 0;
    wait_until(w->l->c, is_waited_for(w->l));
    w->activated_ns = contract_now_ns();
    expect_ok(w->l->c, rk_clear(w->l->c->runtime, w->l->target, &cleared));
    expect(w->l->c, cleared == CAPACITY);
    return 0;
}

static void a_blocked_send_goes_on_when_the_queue_is_cleared(contract *c)
{
    for (rk_u32 locked = 0; locked < 2; locked++) {
        /* given a full lane, plain and with bands and a window, that is cleared when somebody waits for it */
        rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
        o.deduplication_window = locked ? 16 : 0;
        o.priority = locked;
        line l = open_line(c, HOST_LANE, &o);
        waker w = { .l = &l };
        fill_line(&l);
        start_thread(c, clear_for_a_sender, &w);

        /* when one more is sent, then it waits until then and is accepted, long before its time is over */
        rk_send_options with = RK_SEND_DEFAULTS;
        with.timeout_ns = 2 * CONTRACT_PATIENCE;
        assert_ok(send_package(c, l.target, 17, &with));
        const rk_u64 accepted_ns = contract_now_ns();
        join_threads(c);
        assert_true(accepted_ns >= w.activated_ns && accepted_ns - w.activated_ns < CONTRACT_PATIENCE);
        assert_collects(&l, 17);
        close_line(&l);
    }
}

static const contract_case cases[] = {
    { CASE(exactly_the_capacity_fits_and_the_strategy_decides_on_the_next), ON_EVERY },
    { CASE(the_largest_and_the_smallest_capacity_hold_exactly_that_many), ON_EVERY },
    { CASE(a_blocked_send_times_out_and_its_id_is_not_remembered), ON_EVERY },
    { CASE(a_blocked_send_goes_on_when_the_consumer_comes), ON_EVERY },
    { CASE(a_kernel_that_finds_no_room_parks_and_goes_on_when_there_is_some), ON_EVERY },
    { CASE(a_staged_send_becomes_a_dead_letter_at_its_deadline), ON_EVERY },
    { CASE(a_deadline_that_passes_unseen_leaves_one_last_wait), NEEDS_STEP | NEEDS_CPU },
    { CASE(a_receive_on_an_empty_queue_ends_in_time), ON_EVERY },
    { CASE(a_message_too_large_for_the_room_stays), ON_EVERY },
    { CASE(many_messages_through_a_slow_consumer_leave_exact_survivors), ON_EVERY },
    { CASE(survivors_are_those_that_the_rules_say), NEEDS_STEP },
    { CASE(a_lapped_consumer_finds_the_newest_in_order), ON_EVERY },
    { CASE(a_cleared_queue_is_empty_and_takes_the_next), ON_EVERY },
    { CASE(a_blocked_send_goes_on_when_the_queue_is_cleared), ON_EVERY },
};

CONTRACT_MAIN("queues", cases)
