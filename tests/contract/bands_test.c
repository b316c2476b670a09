/* Priority bands, and all policies of a queue in every combination. */
#include "lines.h"

#include <sched.h>
#include <stdlib.h>

/* ------------------------------------------------------------------ priorities */

static rk_send_options priority_of(rk_u32 priority)
{
    rk_send_options with = RK_SEND_DEFAULTS;
    with.priority = (rk_u8)priority;
    with.timeout_ns = RK_MILLISECONDS(1);
    return with;
}

static rk_status offer_urgent(line *l, rk_u64 number, rk_u32 priority)
{
    rk_send_options with = priority_of(priority);
    return offer(l, number, &with);
}

#define assert_urgent(l, number, priority, expected)                    \
    contract_assert_status(offer_urgent(l, number, priority), expected, \
                           "offer of " #number " with " #priority, __FILE__, __LINE__)

static void send_by_priority(contract *c, rk_u32 lane)
{
    /* with the bands below 64, 128 and 192 */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_REJECT);
    o.priority = 1;
    line l = open_line(c, lane, &o);
    assert_urgent(&l, 1, 1, RK_OK);
    assert_urgent(&l, 200, 200, RK_OK);
    assert_urgent(&l, 130, 130, RK_OK);
    assert_urgent(&l, 201, 192, RK_OK); /* the same band as 200: behind it */
    assert_urgent(&l, 131, 191, RK_OK);
    assert_urgent(&l, 2, 63, RK_OK);
    assert_urgent(&l, 64, 64, RK_OK);
    assert_collects(&l, 200, 201, 130, 131, 64, 1, 2);
    close_line(&l);

    /* with bands of one's own */
    o.boundary[0] = 2;
    o.boundary[1] = 6;
    o.boundary[2] = 8;
    l = open_line(c, lane, &o);
    assert_urgent(&l, 1, 1, RK_OK);
    assert_urgent(&l, 10, 10, RK_OK);
    assert_urgent(&l, 5, 5, RK_OK);
    assert_collects(&l, 10, 5, 1);
    close_line(&l);
}

static void urgent_messages_come_first_and_in_order_within_a_band(contract *c)
{
    on_both_lanes(c, send_by_priority);
}

static void evict_by_priority(contract *c, rk_u32 lane)
{
    /* given a lane full of 200 and 10; when 100 comes, the oldest 10 goes */
    rk_launch_options o = small_queue(RK_BACKPRESSURE_DROP_OLDEST);
    o.priority = 1;
    line l = open_line(c, lane, &o);
    for (rk_u64 i = 0; i < 8; i++) {
        assert_urgent(&l, 200 + i, 200, RK_OK);
        assert_urgent(&l, 10 + i, 10, RK_OK);
    }
    assert_urgent(&l, 100, 100, RK_OK);
    assert_int_equal(lane_account(&l).evicted, 1);
    assert_collects(&l, 200, 201, 202, 203, 204, 205, 206, 207, 100, 11, 12, 13, 14, 15, 16, 17);
    close_line(&l);

    /* given one full of 200 and 150; when 5 comes, it is the one that goes, and it is said */
    l = open_line(c, lane, &o);
    for (rk_u64 i = 0; i < 8; i++) {
        assert_urgent(&l, 200 + i, 200, RK_OK);
        assert_urgent(&l, 150 + i, 150, RK_OK);
    }
    assert_urgent(&l, 5, 5, RK_DROPPED);
    assert_int_equal(lane_account(&l).evicted, 0);
    assert_int_equal(lane_account(&l).refused_dropped, 1);
    assert_urgent(&l, 160, 150, RK_OK); /* of the same band: the oldest goes */
    assert_int_equal(lane_account(&l).evicted, 1);
    size_t count;
    sighting *seen = collect(&l, &count);
    assert_int_equal(count, 16);
    assert_int_equal(seen[15].number, 160);
    for (size_t i = 0; i < count; i++) assert_true(seen[i].number != 150 && seen[i].number != 5);
    free(seen);
    close_line(&l);
}

static void the_least_urgent_is_evicted_and_never_a_more_urgent_one(contract *c)
{
    on_both_lanes(c, evict_by_priority);
}

static void *send_one_urgent(void *argument)
{
    line *l = argument;
    rk_send_options with = priority_of(100);
    with.timeout_ns = CONTRACT_PATIENCE;
    expect_ok(l->c, send_package(l->c, l->target, 100, &with));
    return 0;
}

static void a_sender_at_full_bands_goes_on_when_one_is_drained(contract *c)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.priority = 1;
    o.max_batch = 1;
    line l = open_line(c, HOST_LANE, &o);
    for (rk_u32 i = 0; i < CAPACITY; i++) assert_urgent(&l, i, i % 2 ? 200 : 10, RK_OK);
    assert_urgent(&l, 99, 250, RK_TIMED_OUT);
    start_thread(c, send_one_urgent, &l);
    assert_ok(rk_activate(c->runtime, l.target));
    if (c->variant->single_step) { /* one is enough */
        rk_u32 result;
        assert_ok(rk_step(c->runtime, l.target, &result));
        join_threads(c);
        assert_int_equal(lane_account(&l).queued, CAPACITY);
        assert_int_equal(lane_account(&l).delivered, 1);
    }
    join_threads(c);
    size_t count;
    free(collect(&l, &count));
    assert_int_equal(count, CAPACITY + 1);
    close_line(&l);
}

static const rk_u32 priority[RK_BANDS] = { 10, 70, 130, 200 };

/* Rounds of 8, 4, 2 and 1 in which the kth of a band has come: in each of them others come, as many as docs/running.md says. */
static rk_u32 rounds_of(rk_u32 k, rk_u32 band) { return (k + (1u << band) - 1u) >> band; }

static void saturate_the_bands(contract *c, rk_u32 lane)
{
    /* given 256 of each band */
    enum { OF_EACH = 256 };
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.queue_capacity = OF_EACH * RK_BANDS;
    o.priority = 1;
    line l = open_line(c, lane, &o);
    for (rk_u64 i = 0; i < OF_EACH; i++)
        for (rk_u32 b = 0; b < RK_BANDS; b++) {
            rk_send_options with = priority_of(priority[b]);
            if (lane == HOST_LANE)
                assert_offer(&l, i, &with, RK_OK);
            else
                order_package(&l, i, &with);
        }
    if (lane == DEVICE_LANE) wait_until(c, is_ordered(&l));

    /* when they are handled, then as long as all bands have some the lowest gets at least a fifteenth, the
     * highest eight, each band is in order, and none waits longer than what comes before it in its rounds */
    size_t count;
    sighting *seen = collect(&l, &count);
    rk_u32 had[RK_BANDS] = { 0 };
    assert_int_equal(count, OF_EACH * RK_BANDS);
    for (size_t i = 0; i < count; i++) {
        rk_u32 band = 0;
        while (seen[i].priority != priority[band]) band++;
        assert_int_equal(seen[i].number, had[band]);
        had[band]++;
        rk_u32 rounds = rounds_of(had[band], band), above = 15u - (2u << band) + 1u,
               below = (1u << band) - 1u;
        assert_true(i + 1 <= had[band] + rounds * above + (rounds - 1) * below);
        if (i % 15 == 14 && had[3] < OF_EACH) {
            assert_true(had[0] >= (i + 1) / 15);
            assert_true(had[3] >= (i + 1) / 15 * 8);
        }
    }
    free(seen);
    close_line(&l);
}

static void the_lowest_of_saturated_bands_gets_a_fifteenth(contract *c)
{
    on_both_lanes(c, saturate_the_bands);
}

/* Keeps a lane at SATURATED messages by those of one of the lower bands. */
enum { SATURATED = 200 };
typedef struct pourer {
    contract *c;
    rk_kernel kernel;
    rk_u32 band;
} pourer;

static void *pour(void *argument)
{
    const pourer *p = argument;
    rk_send_options with = priority_of(priority[p->band]);
    rk_account a;
    while (!stopped(p->c) && expect_ok(p->c, rk_account_of(p->c->runtime, p->kernel, &a)))
        if (a.queued >= SATURATED)
            sched_yield();
        else if (!expect_ok(p->c, send_package(p->c, p->kernel, 0, &with)))
            break;
    return 0;
}

/* Given a kernel that handles 32 a turn, and lower bands that others keep full, when urgent messages come, then the kth of them
 * comes when the turn under way is over, behind at most seven others for each eight. */
static void an_urgent_message_waits_for_a_turn_and_seven_others_for_each_eight(contract *c)
{
    enum { TURN = 32, BURST = 20, TIMES = 100 };
    rk_launch_options o = small_queue(RK_BACKPRESSURE_BLOCK);
    o.queue_capacity = 256;
    o.output_capacity = 64; /* so that it waits for the test, and the bands fill meanwhile */
    o.max_batch = TURN;
    o.priority = 1;
    rk_kernel k = launch_active(c, "carry", "carry", &o);
    pourer pourers[RK_BANDS - 1];
    for (rk_u32 b = 0; b < RK_BANDS - 1; b++) {
        pourers[b] = (pourer){ c, k, b };
        start_thread(c, pour, &pourers[b]);
    }
    rk_u64 position = 0;
    sighting seen;
    for (rk_u32 t = 0; t < contract_rounds(TIMES); t++) {
        rk_u64 handled[BURST]; /* at the latest when it was sent */
        const rk_send_options with = priority_of(priority[RK_BANDS - 1]);
        wait_until(c, account_of(c, k).queued >= SATURATED);
        for (rk_u32 i = 0; i < BURST; i++) {
            assert_ok(send_package(c, k, i, &with)); /* there is room for all of them */
            handled[i] = account_of(c, k).delivered;
        }
        for (rk_u32 came = 0; came < BURST;) {
            receive(c, k, &seen);
            position++;
            if (seen.priority != priority[RK_BANDS - 1]) continue;
            assert_int_equal(seen.number, came);
            came++;
            assert_true(position <= handled[came - 1] + TURN + came + 7 * rounds_of(came, RK_BANDS - 1));
        }
    }
    __atomic_store_n(&c->stop, 1, __ATOMIC_RELEASE);
    join_threads(c);
    while (rk_receive(c->runtime, k, &seen, sizeof seen, 0, RK_NO_WAIT) == RK_OK || !is_at_rest(c, k)) {}
}

/* ------------------------------------------------------------------ every combination */

typedef struct combination {
    rk_u32 strategy, window, priority, expiry, format, single, reserves;
} combination;

static int is_locked(const combination *of)
{
    return of->window || of->priority || of->strategy == RK_BACKPRESSURE_DROP_OLDEST;
}

/* What a locked lane can't have is refused, the one at launch and the other when it is asked for. */
static int refuses_combination(contract *c, const combination *of, const rk_launch_options *o)
{
    rk_kernel target;
    rk_reservation none;
    if (!is_locked(of) || !(of->format == RK_FORMAT_UNIT || of->single || of->reserves)) return 0;
    rk_status status = rk_launch(c->runtime, "target", o, &target);
    if (of->format == RK_FORMAT_UNIT || of->single) {
        assert_int_equal(status, RK_INVALID_OPTIONS);
        if (of->format == RK_FORMAT_UNIT) assert_error_says("slot_format unit needs a plain lane");
        if (of->single) assert_error_says("single_producer needs a plain lane");
        return 1;
    }
    assert_int_equal(status, RK_OK);
    assert_status(rk_reserve(c->runtime, target, RK_TYPE_ID(package), sizeof(package), 0, &none),
                  RK_UNSUPPORTED);
    assert_error_says("a reservation needs a plain lane");
    assert_ok(rk_terminate(c->runtime, target, CONTRACT_PATIENCE));
    return 1;
}

/* Reserve a place for package `i`; what was filled in waits, as a hole, for whoever finishes it. */
static rk_status reserve_package(contract *c, rk_kernel target, rk_u32 i, const rk_send_options *with,
                                 rk_reservation *hole)
{
    const package p = package_of(i, 0);
    rk_status status = rk_reserve(c->runtime, target, RK_TYPE_ID(package), sizeof p, with, hole);
    if (status == RK_OK) memcpy(hole->body, &p, sizeof p);
    return status;
}

/* Send 40 on each lane, some old, some twice, all priorities, more than fit, and a few by places that are reserved and
 * committed, or not, when all is sent; everything is accounted for. */
static void try_combination(contract *c, const combination *of)
{
    enum { OFFERED = 40, HOLES = 8 };
    rk_launch_options o = small_queue(of->strategy), source = source_options();
    o.output_capacity = source.queue_capacity = 128; /* for all of them */
    o.deduplication_window = of->window;
    o.priority = of->priority;
    o.expiry = of->expiry;
    o.slot_format = of->format;
    o.single_producer = of->single;
    o.kernel_name = in_style(c, "carry");
    if (refuses_combination(c, of, &o)) return;
    line device = open_line_with(c, DEVICE_LANE, &o, &source), host = device;
    host.lane = HOST_LANE;
    rk_reservation hole[HOLES];
    rk_u32 holes = 0, aborted = 0;
    rk_u64 accepted = 0, full = 0, dropped = 0, duplicate = 0, timed_out = 0;
    for (rk_u32 i = 0; i < OFFERED; i++) {
        rk_send_options with = { .target = 0, .timeout_ns = 1, .priority = (rk_u8)(i * 37) };
        if (of->window) with.id = i % 5 == 4 ? i : i + 1; /* each fifth says the id of the one before */
        if (of->expiry && i % 3 == 0) with.ttl_us = 1000;
        const int reserves = of->reserves && i % 2 && holes < HOLES;
        rk_status status = reserves ? reserve_package(c, host.target, i, &with, &hole[holes])
                                    : send_package(c, host.target, i, &with);
        holes += reserves && status == RK_OK;
        accepted += status == RK_OK;
        full += status == RK_FULL;
        dropped += status == RK_DROPPED;
        duplicate += status == RK_DUPLICATE;
        timed_out += status == RK_TIMED_OUT;
        order_package(&device, i, &with);
    }
    assert_int_equal(holes, of->reserves ? HOLES : 0);
    for (rk_u32 h = 0; h < holes; h++) {
        aborted += h % 3 == 0;
        assert_ok(h % 3 ? rk_commit(c->runtime, &hole[h]) : rk_abort(c->runtime, &hole[h]));
    }
    assert_int_equal(accepted + full + dropped + duplicate + timed_out, OFFERED);
    let_expire(c, host.target, RK_MILLISECONDS(1));
    size_t count;
    sighting *seen = collect(&device, &count);
    rk_account h = lane_account(&host), d = lane_account(&device), all = account_of(c, host.target);
    assert_int_equal(h.accepted, accepted - aborted);
    assert_int_equal(h.refused_full, full);
    assert_int_equal(h.refused_dropped, dropped);
    assert_int_equal(h.refused_duplicate, duplicate);
    assert_int_equal(h.refused_timed_out, timed_out);
    assert_int_equal(d.accepted + refusals(&d), OFFERED);
    assert_true(h.balanced && d.balanced && all.balanced);
    assert_int_equal(all.delivered, count);
    assert_int_equal(all.accepted, all.delivered + all.evicted + all.expired);
    assert_int_equal(all.dead + all.lost, 0);
    if (of->strategy != RK_BACKPRESSURE_DROP_OLDEST) assert_int_equal(all.evicted, 0);
    if (!of->expiry)
        assert_int_equal(all.expired, 0);
    else
        assert_true(h.expired > 0);
    if (of->window) assert_true(h.refused_duplicate > 0 && d.refused_duplicate > 0);
    /* Each sender's messages are in order within a band. */
    rk_i64 last[2][256 / 64];
    memset(last, 0xff, sizeof last);
    for (size_t i = 0; i < count; i++) {
        rk_i64 *of_band = &last[seen[i].sender][of->priority ? seen[i].priority / 64 : 0];
        assert_true((rk_i64)seen[i].number > *of_band);
        *of_band = (rk_i64)seen[i].number;
    }
    free(seen);
    close_line(&device);
}

static void every_combination_of_policies_works_or_is_refused(contract *c)
{
    for (size_t s = 0; s < STRATEGIES; s++)
        for (rk_u32 bits = 0; bits < 64; bits++) {
            combination of = { strategies[s],
                               bits & 1 ? 16 : 0,
                               bits >> 1 & 1,
                               bits >> 2 & 1,
                               bits >> 3 & 1 ? RK_FORMAT_UNIT : RK_FORMAT_SEQ,
                               bits >> 4 & 1,
                               bits >> 5 & 1 };
            try_combination(c, &of);
        }
}

static const contract_case cases[] = {
    { CASE(urgent_messages_come_first_and_in_order_within_a_band), ON_EVERY },
    { CASE(the_least_urgent_is_evicted_and_never_a_more_urgent_one), ON_EVERY },
    { CASE(a_sender_at_full_bands_goes_on_when_one_is_drained), ON_EVERY },
    { CASE(the_lowest_of_saturated_bands_gets_a_fifteenth), ON_EVERY },
    { CASE(an_urgent_message_waits_for_a_turn_and_seven_others_for_each_eight), NEEDS_THREADS | NEEDS_CPU },
    { CASE(every_combination_of_policies_works_or_is_refused), ON_EVERY },
};

CONTRACT_MAIN("bands", cases)
