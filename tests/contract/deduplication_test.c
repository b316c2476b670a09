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

static const contract_case cases[] = {
    { CASE(an_id_is_a_duplicate_within_the_window_only), ON_EVERY },
    { CASE(an_id_refused_for_lack_of_room_is_accepted_later), ON_EVERY },
    { CASE(a_run_of_ids_counts_up_until_the_first_duplicate), ON_EVERY },
    { CASE(the_same_id_on_a_route_in_turn_is_a_duplicate_at_any_shard), ON_EVERY },
};

CONTRACT_MAIN("deduplication", cases)
