/* Identities: an id is a duplicate within the window of its lane, and only there. */
#include "lines.h"

#include <stdlib.h>

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
        fill_line(&l);
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

/* ------------------------------------------------------------------ beside other policies */

static rk_send_options urgent_id(rk_u64 id, rk_u32 priority)
{
    rk_send_options with = id_of(id);
    with.priority = (rk_u8)priority;
    return with;
}

/* The window is the lane's, not a band's. */
static void repeat_ids_with_other_priorities(contract *c, rk_u32 lane)
{
    for (size_t s = 0; s < STRATEGIES; s++) {
        rk_launch_options o = small_queue(strategies[s]);
        o.deduplication_window = 16;
        o.priority = 1;
        line l = open_line(c, lane, &o);
        for (rk_u64 i = 1; i <= CAPACITY; i++) {
            rk_send_options with = urgent_id(i, i % 2 ? 200 : 10);
            assert_offer(&l, i, &with, RK_OK);
        }

        /* given a full lane, when ids come again with another priority, higher or lower, then they are duplicates:
         * nobody is evicted for one, and none is told that there is no room */
        for (rk_u64 i = 1; i <= CAPACITY; i++) {
            rk_send_options with = urgent_id(i, i % 2 ? 10 : 250);
            assert_offer(&l, 100 + i, &with, RK_DUPLICATE);
        }
        assert_int_equal(lane_account(&l).evicted, 0);
        assert_int_equal(lane_account(&l).refused_duplicate, CAPACITY);
        assert_collects(&l, 1, 3, 5, 7, 9, 11, 13, 15, 2, 4, 6, 8, 10, 12, 14, 16);
        rk_send_options with = urgent_id(7, 70);
        assert_offer(&l, 200, &with, RK_DUPLICATE);
        close_line(&l);
    }
}

static void an_id_with_another_priority_is_a_duplicate_all_the_same(contract *c)
{
    on_both_lanes(c, repeat_ids_with_other_priorities);
}

/* An id was accepted, so it is known, whatever became of its message. */
static void repeat_ids_that_expired_or_were_evicted(contract *c, rk_u32 lane)
{
    rk_launch_options o = small_queue(RK_BACKPRESSURE_DROP_OLDEST);
    o.deduplication_window = 16;
    o.expiry = 1;
    line l = open_line(c, lane, &o);
    rk_send_options brief = id_of(1), again = id_of(1);
    brief.ttl_us = 1000;
    assert_offer(&l, 1, &brief, RK_OK);
    let_expire(c, l.target, RK_MILLISECONDS(1));
    assert_offer(&l, 2, &again, RK_DUPLICATE); /* it is too old, and nobody has looked at it yet */
    again = id_of(2);
    assert_offer(&l, 3, &again, RK_OK);
    assert_collects(&l, 3);
    assert_int_equal(lane_account(&l).expired, 1);
    again = id_of(1);
    assert_offer(&l, 4, &again, RK_DUPLICATE);
    assert_ok(rk_deactivate(c->runtime, l.target));

    /* of 17 the first is evicted: it is duplicate still, and then one beyond the window */
    for (rk_u64 i = 0; i < 15; i++) {
        again = id_of(100 + i);
        assert_offer(&l, 100 + i, &again, RK_OK);
    }
    assert_offer(&l, 200, 0, RK_OK);
    assert_offer(&l, 201, 0, RK_OK); /* evicts 100 */
    again = id_of(100);
    assert_offer(&l, 202, &again, RK_DUPLICATE);
    again = id_of(115);
    assert_offer(&l, 115, &again, RK_OK); /* 2 leaves the window, and 101 the lane */
    again = id_of(2);
    assert_offer(&l, 203, &again, RK_OK); /* 100 leaves the window, and 102 the lane */
    again = id_of(100);
    assert_offer(&l, 204, &again, RK_OK);
    assert_collects(&l, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 200, 201, 115, 203, 204);
    assert_int_equal(lane_account(&l).evicted, 4);
    close_line(&l);
}

static void an_id_is_known_whatever_became_of_its_message(contract *c)
{
    on_both_lanes(c, repeat_ids_that_expired_or_were_evicted);
}

static const contract_case cases[] = {
    { CASE(an_id_is_a_duplicate_within_the_window_only), ON_EVERY },
    { CASE(an_id_refused_for_lack_of_room_is_accepted_later), ON_EVERY },
    { CASE(a_run_of_ids_counts_up_until_the_first_duplicate), ON_EVERY },
    { CASE(an_id_with_another_priority_is_a_duplicate_all_the_same), ON_EVERY },
    { CASE(an_id_is_known_whatever_became_of_its_message), ON_EVERY },
    { CASE(the_same_id_on_a_route_in_turn_is_a_duplicate_at_any_shard), ON_EVERY },
};

CONTRACT_MAIN("deduplication", cases)
