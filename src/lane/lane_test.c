/* The lane: what each policy answers when there is no room, the window of ids, the bands, and who is
 * evicted. */
#include "lane_fixture_test.h"

/* A lane with its consumer; the shard's other lane stays empty. */
typedef struct bench {
    arena a;
    rk_lane *lane;
    consumer c;
} bench;

static void bench_open(bench *b, lane_shape shape)
{
    b->a = arena_open(4u << 20);
    b->lane = lane_lay(&b->a, shape);
    consumer_open(&b->c, &b->a, b->lane, lane_lay(&b->a, (lane_shape){ 0 }), 64);
}

static rk_status put(bench *b, rk_u32 number) { return lane_put_number(b->lane, &b->a, number, 0, 0); }

static rk_status put_urgent(bench *b, rk_u32 number, rk_u8 priority)
{
    return lane_put_number(b->lane, &b->a, number, priority, 0);
}

static rk_status put_id(bench *b, rk_u64 id) { return lane_put_number(b->lane, &b->a, (rk_u32)id, 0, id); }

static rk_ring *ring_of(bench *b, rk_u32 band) { return rk_lane_ring(b->lane, b->a.base, band); }

static void takes(bench *b, const rk_u32 *expected, rk_u32 n)
{
    rk_u32 got[64];
    assert_int_equal(lane_take_numbers(&b->c, 64, got), n);
    for (rk_u32 i = 0; i < n; i++) assert_int_equal(got[i], expected[i]);
}

static void takes_run(bench *b, rk_u32 first, rk_u32 n)
{
    rk_u32 expected[64];
    for (rk_u32 i = 0; i < n; i++) expected[i] = first + i;
    takes(b, expected, n);
}

/* ------------------------------------------------------------------ no room */

/* What the 17th message is told under each strategy, whatever else the lane has; and what is then in it. */
typedef struct full_case {
    rk_u32 strategy;
    rk_status answer;
    rk_u32 first_out;
} full_case;

static const full_case full_cases[] = {
    { RK_BACKPRESSURE_BLOCK, RK_FULL, 1 }, /* the caller waits and comes again */
    { RK_BACKPRESSURE_REJECT, RK_FULL, 1 },
    { RK_BACKPRESSURE_DROP_NEWEST, RK_DROPPED, 1 },
    { RK_BACKPRESSURE_DROP_OLDEST, RK_OK, 2 },
};

static void the_seventeenth_of_sixteen_is_answered_by_the_strategy(void **state)
{
    (void)state;
    const rk_u64 starts[] = { 0, 7, 0x100000000ull - 2u, 0ull - 2u };
    for (rk_u32 i = 0; i < 4u * 4u * 2u * 2u * 2u; i++) {
        const full_case *f = &full_cases[i & 3u];
        lane_shape shape = { .strategy = f->strategy, .start = starts[i >> 2 & 3u] };
        shape.format = i >> 4 & 1u;
        shape.window = i >> 5 & 1u ? 16 : 0;
        shape.bands = i >> 6 & 1u ? RK_BANDS : 1;
        shape.slot_size = 128;
        bench b;
        bench_open(&b, shape);
        for (rk_u32 n = 1; n <= 16u; n++) assert_int_equal(put(&b, n), RK_OK);
        assert_int_equal(rk_lane_depth(b.lane, b.a.base), 16);

        assert_int_equal(put(&b, 17), f->answer);

        assert_int_equal(rk_lane_depth(b.lane, b.a.base), 16);
        takes_run(&b, f->first_out, 16);
        assert_int_equal(ring_of(&b, 0)->delivered, 16);
        assert_int_equal(ring_of(&b, 0)->dropped_old, f->first_out - 1u);
        assert_int_equal(rk_lane_depth(b.lane, b.a.base), 0);
        arena_close(&b.a);
    }
}

static void there_is_room_again_after_one_was_taken(void **state)
{
    (void)state;
    for (rk_u32 bands = 1; bands <= RK_BANDS; bands += RK_BANDS - 1u) {
        bench b;
        rk_u32 got[1];
        bench_open(&b, (lane_shape){ .bands = bands });
        for (rk_u32 n = 0; n < 16u; n++) assert_int_equal(put_urgent(&b, n, 255), RK_OK);
        assert_int_equal(put_urgent(&b, 16, 0), RK_FULL);

        assert_int_equal(lane_take_numbers(&b.c, 1, got), 1);

        assert_int_equal(put_urgent(&b, 16, 0), RK_OK);
        assert_int_equal(put_urgent(&b, 17, 0), RK_FULL);
        arena_close(&b.a);
    }
}

static void a_closed_lane_takes_nothing(void **state)
{
    (void)state;
    for (rk_u32 window = 0; window <= 16u; window += 16u) {
        bench b;
        bench_open(&b, (lane_shape){ .window = window });
        assert_int_equal(put(&b, 1), RK_OK);

        b.lane->closed = 1;

        assert_int_equal(put(&b, 2), RK_CLOSED);
        takes_run(&b, 1, 1);
        arena_close(&b.a);
    }
}

/* 10,000 messages, of which the consumer takes one for every three: the survivors of each strategy,
 * exactly. */
static void the_survivors_of_a_slow_consumer_are_exact(void **state)
{
    (void)state;
    for (rk_u32 s = RK_BACKPRESSURE_REJECT; s <= RK_BACKPRESSURE_DROP_NEWEST; s++) {
        bench b;
        rk_u32 model[16]; /* what should be queued, oldest first */
        rk_u32 queued = 0;
        rk_u32 evicted = 0;
        rk_u32 refused = 0;
        rk_u32 delivered = 0;
        bench_open(&b, (lane_shape){ .strategy = s, .start = 0ull - 5000u });
        for (rk_u32 n = 0; n < 10000u; n++) {
            rk_status expected = queued < 16u                       ? RK_OK
                                 : s == RK_BACKPRESSURE_REJECT      ? RK_FULL
                                 : s == RK_BACKPRESSURE_DROP_NEWEST ? RK_DROPPED
                                                                    : RK_OK;
            assert_int_equal(put(&b, n), expected);
            if (expected != RK_OK) {
                refused++;
            } else {
                if (queued == 16u) {
                    memmove(model, model + 1, sizeof model - sizeof model[0]);
                    queued--;
                    evicted++;
                }
                model[queued++] = n;
            }
            if (n % 3u == 2u) {
                rk_u32 got[1];
                assert_int_equal(lane_take_numbers(&b.c, 1, got), 1);
                assert_int_equal(got[0], model[0]);
                memmove(model, model + 1, sizeof model - sizeof model[0]);
                queued--;
                delivered++;
            }
        }
        takes(&b, model, queued);
        assert_int_equal(ring_of(&b, 0)->dropped_old, evicted);
        assert_int_equal(ring_of(&b, 0)->delivered, delivered + queued);
        assert_int_equal(ring_of(&b, 0)->tail - ring_of(&b, 0)->start, 10000u - refused);
        assert_int_equal(delivered + queued + evicted + refused, 10000);
        arena_close(&b.a);
    }
}

static void a_consumer_that_was_lapped_many_times_finds_the_newest(void **state)
{
    (void)state;
    for (rk_u32 more = 0; more < 100u; more++) {
        bench b;
        bench_open(&b,
                   (lane_shape){ .strategy = RK_BACKPRESSURE_DROP_OLDEST, .start = 0x100000000ull - 50u });
        for (rk_u32 n = 0; n < 16u + more; n++) assert_int_equal(put(&b, n), RK_OK);

        takes_run(&b, more, 16);

        assert_int_equal(ring_of(&b, 0)->dropped_old, more);
        assert_int_equal(ring_of(&b, 0)->delivered, 16);
        arena_close(&b.a);
    }
}

/* ------------------------------------------------------------------ the window */

static void an_id_is_a_duplicate_while_it_is_queued_and_after_it_was_handled(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .window = 16, .slot_size = 128 });
    assert_int_equal(put_id(&b, 100), RK_OK);
    assert_int_equal(put_id(&b, 100), RK_DUPLICATE);

    takes_run(&b, 100, 1);

    assert_int_equal(put_id(&b, 100), RK_DUPLICATE);
    takes_run(&b, 0, 0);
    arena_close(&b.a);
}

static void an_id_one_beyond_the_window_is_accepted(void **state)
{
    (void)state;
    const rk_u32 windows[] = { 16, 100, 1024 };
    for (rk_u32 w = 0; w < 3u; w++) {
        bench b;
        rk_u32 got[64];
        bench_open(&b, (lane_shape){ .window = windows[w], .capacity = 1024, .slot_size = 128 });
        for (rk_u32 lap = 0; lap < 3u; lap++) {
            for (rk_u64 id = 1; id <= windows[w]; id++) {
                assert_int_equal(put_id(&b, id + (rk_u64)lap * 5000u), RK_OK);
                lane_take_numbers(&b.c, 1, got);
            }
            rk_u64 first = 1u + (rk_u64)lap * 5000u;
            assert_int_equal(put_id(&b, first), RK_DUPLICATE);
            assert_int_equal(put_id(&b, 4000u + lap),
                             RK_OK); /* one more: the first is out of the window now */
            assert_int_equal(put_id(&b, first + 1u), RK_DUPLICATE);
            assert_int_equal(put_id(&b, first), RK_OK);
            assert_int_equal(put_id(&b, first + 1u), RK_OK);
            while (lane_take_numbers(&b.c, 64, got)) {}
        }
        arena_close(&b.a);
    }
}

static void an_id_that_was_refused_for_lack_of_room_is_accepted_later(void **state)
{
    (void)state;
    const rk_u32 strategies[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_REJECT,
                                  RK_BACKPRESSURE_DROP_NEWEST };
    for (rk_u32 s = 0; s < 3u; s++) {
        bench b;
        rk_u32 got[1];
        bench_open(&b, (lane_shape){ .window = 16, .strategy = strategies[s], .slot_size = 128 });
        for (rk_u64 id = 1; id <= 16u; id++) assert_int_equal(put_id(&b, id), RK_OK);
        for (rk_u32 again = 0; again < 3u; again++) assert_int_not_equal(put_id(&b, 17), RK_OK);

        assert_int_equal(lane_take_numbers(&b.c, 1, got), 1);

        assert_int_equal(put_id(&b, 17), RK_OK);
        assert_int_equal(put_id(&b, 17), RK_DUPLICATE);
        arena_close(&b.a);
    }
}

static void ids_that_agree_in_their_low_words_are_different(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .window = 16, .slot_size = 128 });
    assert_int_equal(put_id(&b, 0x0000000100000007ull), RK_OK);
    assert_int_equal(put_id(&b, 0x0000000200000007ull), RK_OK);
    assert_int_equal(put_id(&b, 0x0000000000000007ull), RK_OK);
    assert_int_equal(put_id(&b, 0x0000000200000007ull), RK_DUPLICATE);
    arena_close(&b.a);
}

static void messages_without_an_id_are_never_duplicates(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .window = 16, .slot_size = 128 });
    for (rk_u32 i = 0; i < 16u; i++) assert_int_equal(put_id(&b, 0), RK_OK);
    assert_int_equal(b.lane->window_count, 0);
    arena_close(&b.a);
}

static void a_duplicate_in_a_full_lane_evicts_nobody(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .window = 16, .strategy = RK_BACKPRESSURE_DROP_OLDEST, .slot_size = 128 });
    for (rk_u64 id = 1; id <= 16u; id++) assert_int_equal(put_id(&b, id), RK_OK);

    assert_int_equal(put_id(&b, 9), RK_DUPLICATE);

    takes_run(&b, 1, 16);
    assert_int_equal(ring_of(&b, 0)->dropped_old, 0);
    arena_close(&b.a);
}

/* ------------------------------------------------------------------ bands */

static void bands_come_out_from_high_to_low(void **state)
{
    (void)state;
    const rk_u32 priorities[] = { 1, 200, 130 };
    const rk_u32 expected[] = { 200, 130, 1 };
    const rk_u32 strategies[] = { RK_BACKPRESSURE_BLOCK, RK_BACKPRESSURE_DROP_OLDEST };
    for (rk_u32 s = 0; s < 2u; s++) {
        bench b;
        bench_open(&b, (lane_shape){ .bands = RK_BANDS, .strategy = strategies[s] });
        for (rk_u32 i = 0; i < 3u; i++)
            assert_int_equal(put_urgent(&b, priorities[i], (rk_u8)priorities[i]), RK_OK);
        takes(&b, expected, 3);
        arena_close(&b.a);
    }
}

static void boundaries_can_be_set(void **state)
{
    (void)state;
    const rk_u32 priorities[] = { 1, 10, 5 };
    const rk_u32 expected[] = { 10, 5, 1 };
    bench b;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS });
    b.lane->boundary[0] = 2;
    b.lane->boundary[1] = 6;
    b.lane->boundary[2] = 8;
    for (rk_u32 i = 0; i < 3u; i++)
        assert_int_equal(put_urgent(&b, priorities[i], (rk_u8)priorities[i]), RK_OK);
    takes(&b, expected, 3);
    arena_close(&b.a);
}

static void the_band_of_each_priority(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS });
    for (rk_u32 priority = 0; priority < 256u; priority++)
        assert_int_equal(rk_lane_band(b.lane, priority), priority / 64u);
    b.lane->bands = 1;
    assert_int_equal(rk_lane_band(b.lane, 255), 0);
    arena_close(&b.a);
}

static void a_band_is_first_in_first_out(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS, .capacity = 64 });
    for (rk_u32 n = 0; n < 40u; n++) assert_int_equal(put_urgent(&b, n, (rk_u8)(n % 4u * 64u + n)), RK_OK);
    rk_u32 got[64];
    rk_u32 next[RK_BANDS] = { 0, 1, 2, 3 };
    for (rk_u32 taken = 0; taken < 40u;) {
        rk_u32 n = lane_take_numbers(&b.c, 7, got);
        assert_true(n > 0);
        for (rk_u32 i = 0; i < n; i++) {
            assert_int_equal(got[i], next[got[i] % 4u]);
            next[got[i] % 4u] += 4u;
        }
        taken += n;
    }
    arena_close(&b.a);
}

/* Both lanes of a shard, all bands of both kept full, at any size of a batch: the shares of the bands, and
 * of the lanes within each band. */
static void saturated_bands_and_lanes_get_their_shares(void **state)
{
    (void)state;
    for (rk_u32 batch = 1; batch <= 64u; batch++) {
        bench b;
        b.a = arena_open(1u << 20);
        rk_lane *lanes[2];
        for (rk_u32 l = 0; l < 2u; l++)
            lanes[l] = lane_lay(&b.a, (lane_shape){ .bands = RK_BANDS, .capacity = 256 });
        consumer_open(&b.c, &b.a, lanes[0], lanes[1], batch);
        rk_u32 share[2][RK_BANDS] = { { 0 } };
        rk_u32 total = 0;
        rk_u32 got[64];
        for (rk_u32 turn = 0; turn < 600u; turn++) {
            for (rk_u32 l = 0; l < 2u; l++)
                for (rk_u32 band = 0; band < RK_BANDS; band++) {
                    rk_ring *ring = rk_lane_ring(lanes[l], b.a.base, band);
                    while (ring->tail - ring->head < 64u)
                        assert_int_equal(
                            lane_put_number(lanes[l], &b.a, l * RK_BANDS + band, (rk_u8)(64u * band), 0),
                            RK_OK);
                }
            rk_u32 n = lane_take_numbers(&b.c, batch, got);
            assert_true(n > 0);
            for (rk_u32 i = 0; i < n; i++) share[got[i] / RK_BANDS][got[i] % RK_BANDS]++;
            total += n;
        }
        for (rk_u32 band = 0; band < RK_BANDS; band++) {
            rk_u32 both = share[0][band] + share[1][band];
            assert_true(both + 15u >= (total << band) / 15u);
            if (share[0][band] < both / 4u || share[1][band] < both / 4u)
                fail_msg("batches of %u, band %u: %u from one lane, %u from the other", batch, band,
                         share[0][band], share[1][band]);
        }
        arena_close(&b.a);
    }
}

/* ------------------------------------------------------------------ bands and eviction */

static void the_arrival_evicts_the_oldest_of_the_lowest_band(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS, .strategy = RK_BACKPRESSURE_DROP_OLDEST });
    for (rk_u32 n = 0; n < 8u; n++) assert_int_equal(put_urgent(&b, n, 200), RK_OK);
    for (rk_u32 n = 8; n < 16u; n++) assert_int_equal(put_urgent(&b, n, 10), RK_OK);

    assert_int_equal(put_urgent(&b, 16, 100), RK_OK);

    assert_int_equal(rk_lane_depth(b.lane, b.a.base), 16);
    const rk_u32 expected[] = { 0, 1, 2, 3, 4, 5, 6, 7, 16, 9, 10, 11, 12, 13, 14, 15 };
    rk_u32 got[64];
    rk_u32 seen = 0;
    for (rk_u32 n; (n = lane_take_numbers(&b.c, 64, got)) != 0;)
        for (rk_u32 i = 0; i < n; i++) seen |= 1u << got[i];
    for (rk_u32 i = 0; i < 16u; i++) assert_true(seen >> expected[i] & 1u);
    assert_int_equal(ring_of(&b, 0)->dropped_old, 1);
    assert_int_equal(seen >> 8 & 1u, 0);
    arena_close(&b.a);
}

static void an_arrival_below_all_that_is_queued_is_dropped(void **state)
{
    (void)state;
    bench b;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS, .strategy = RK_BACKPRESSURE_DROP_OLDEST });
    for (rk_u32 n = 0; n < 16u; n++) assert_int_equal(put_urgent(&b, n, n % 2u ? 200 : 150), RK_OK);

    assert_int_equal(put_urgent(&b, 16, 5), RK_DROPPED);
    assert_int_equal(put_urgent(&b, 17, 150),
                     RK_OK); /* as urgent as the least urgent: the oldest of those goes */

    rk_u32 got[64];
    rk_u32 seen = 0;
    for (rk_u32 n; (n = lane_take_numbers(&b.c, 64, got)) != 0;)
        for (rk_u32 i = 0; i < n; i++) seen |= 1u << got[i];
    assert_int_equal(seen, 0x2fffe); /* all but 0, which went, and 16 */
    arena_close(&b.a);
}

/* Random sends of any priority into a lane that is full most of the time, against a model that knows no
 * rings. */
static void eviction_by_band_agrees_with_a_naive_model(void **state)
{
    (void)state;
    enum { CAPACITY = 32 };
    bench b;
    rk_u32 queue[RK_BANDS][CAPACITY + 1];
    rk_u32 length[RK_BANDS] = { 0 };
    rk_u32 evicted[RK_BANDS] = { 0 };
    rk_u32 total = 0;
    bench_open(&b, (lane_shape){ .bands = RK_BANDS,
                                 .strategy = RK_BACKPRESSURE_DROP_OLDEST,
                                 .capacity = CAPACITY,
                                 .start = 0x100000000ull - 1000u });
    for (rk_u32 n = 0; n < rounds(200000); n++) {
        rk_u64 random = rk_hash64(n + 1u);
        rk_u32 band = (rk_u32)(random & 3u);
        rk_status expected = RK_OK;
        if (total == CAPACITY) {
            rk_u32 lowest = 0;
            while (!length[lowest]) lowest++;
            if (lowest > band) {
                expected = RK_DROPPED;
            } else {
                memmove(queue[lowest], queue[lowest] + 1, sizeof queue[lowest] - sizeof queue[lowest][0]);
                length[lowest]--;
                evicted[lowest]++;
                total--;
            }
        }
        assert_int_equal(put_urgent(&b, n, (rk_u8)(64u * band + 13u)), expected);
        if (expected == RK_OK) {
            queue[band][length[band]++] = n;
            total++;
        }
        assert_int_equal(rk_lane_depth(b.lane, b.a.base), total);
        if ((random >> 8) % 23u == 0) {
            rk_u32 got[64];
            rk_u32 taken = lane_take_numbers(&b.c, 1u + (rk_u32)(random >> 16) % 20u, got);
            for (rk_u32 i = 0; i < taken; i++) {
                rk_u32 from = 0;
                while (from < RK_BANDS && !(length[from] && queue[from][0] == got[i])) from++;
                assert_true(from < RK_BANDS);
                memmove(queue[from], queue[from] + 1, sizeof queue[from] - sizeof queue[from][0]);
                length[from]--;
                total--;
            }
        }
    }
    rk_u32 got[64];
    while (lane_take_numbers(&b.c, 64, got)) {}
    for (rk_u32 band = 0; band < RK_BANDS; band++) {
        rk_ring *ring = ring_of(&b, band);
        assert_int_equal(ring->dropped_old, evicted[band]);
        assert_int_equal(ring->delivered + ring->dropped_old, ring->tail - ring->start);
    }
    arena_close(&b.a);
}

/* Each lane of a shard keeps its own strategy, capacity and window. */
static void the_lanes_of_a_shard_keep_their_own_policies(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_lane *host = lane_lay(&a, (lane_shape){ .strategy = RK_BACKPRESSURE_DROP_OLDEST });
    rk_lane *device = lane_lay(
        &a, (lane_shape){ .strategy = RK_BACKPRESSURE_REJECT, .capacity = 32, .format = RK_FORMAT_UNIT });
    consumer c;
    consumer_open(&c, &a, host, device, 64);
    for (rk_u32 n = 0; n < 40u; n++) {
        assert_int_equal(lane_put_number(host, &a, n, 0, 0), RK_OK);
        assert_int_equal(lane_put_number(device, &a, 100u + n, 0, 0), n < 32u ? RK_OK : RK_FULL);
    }

    rk_u32 got[64];
    assert_int_equal(lane_take_numbers(&c, 64, got), 48);

    for (rk_u32 i = 0; i < 16u; i++) assert_int_equal(got[i], 24u + i);
    for (rk_u32 i = 0; i < 32u; i++) assert_int_equal(got[16u + i], 100u + i);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seventeenth_of_sixteen_is_answered_by_the_strategy),
        cmocka_unit_test(there_is_room_again_after_one_was_taken),
        cmocka_unit_test(a_closed_lane_takes_nothing),
        cmocka_unit_test(the_survivors_of_a_slow_consumer_are_exact),
        cmocka_unit_test(a_consumer_that_was_lapped_many_times_finds_the_newest),
        cmocka_unit_test(an_id_is_a_duplicate_while_it_is_queued_and_after_it_was_handled),
        cmocka_unit_test(an_id_one_beyond_the_window_is_accepted),
        cmocka_unit_test(an_id_that_was_refused_for_lack_of_room_is_accepted_later),
        cmocka_unit_test(ids_that_agree_in_their_low_words_are_different),
        cmocka_unit_test(messages_without_an_id_are_never_duplicates),
        cmocka_unit_test(a_duplicate_in_a_full_lane_evicts_nobody),
        cmocka_unit_test(bands_come_out_from_high_to_low),
        cmocka_unit_test(boundaries_can_be_set),
        cmocka_unit_test(the_band_of_each_priority),
        cmocka_unit_test(a_band_is_first_in_first_out),
        cmocka_unit_test(saturated_bands_and_lanes_get_their_shares),
        cmocka_unit_test(the_arrival_evicts_the_oldest_of_the_lowest_band),
        cmocka_unit_test(an_arrival_below_all_that_is_queued_is_dropped),
        cmocka_unit_test(eviction_by_band_agrees_with_a_naive_model),
        cmocka_unit_test(the_lanes_of_a_shard_keep_their_own_policies),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
