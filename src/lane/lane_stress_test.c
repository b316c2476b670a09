/* Lanes under threads: many producers that stall wherever it hurts, and nothing lost, doubled, mixed or
 * out of order.
 *
 * Each message says who sent it, its number, and a checksum over itself. Threads only count what went
 * wrong; the test looks at the counts when all of them are done. */
#include "lane_fixture_test.h"

#include <pthread.h>
#include <sched.h>

enum { PRODUCERS = 8, CONSUMERS = 4 };

typedef struct stress {
    arena a;
    rk_lane *lane;
    consumer c;
    rk_u32 producers;
    rk_u32 each;       /* messages of one producer */
    rk_u32 stall_take; /* the consumer stalls once in so many batches; 0: never */
    rk_u32 gaps;       /* messages may be missing, but not out of order */
    rk_u32 by_band;    /* order is kept per band */
    rk_u32 take_lock;  /* several consuming threads take turns: take and commit are one section */
    rk_u32 done;       /* producers that have sent everything */
    rk_u32 finished;   /* consumers: nothing is left */
    rk_u64 delivered;
    rk_u32 next[PRODUCERS][RK_BANDS]; /* the number that is expected */
    rk_u32 mixed;
    rk_u32 unordered;
    rk_u32 evicted_at_once;
} stress;

typedef struct producer {
    stress *s;
    rk_u32 number;
} producer;

/* Stand still now and then: for a few instructions, or long enough for the other threads to go round the
 * ring. */
static void stall(rk_u64 random)
{
    if (random % 512u == 0) sched_yield();
    for (rk_u64 i = 0; random % 16u == 1u && i < (random >> 8) % 40u; i++) rk_port_pause();
}

static rk_u32 length_of(rk_u32 number) { return 12u + number % 25u; }

/* Producer p sends its numbers through an open lane, claiming up to four at once and stalling between
 * claim, fill and publish. */
static void *send_open(void *argument)
{
    const producer *p = argument;
    stress *s = p->s;
    rk_ring *ring = rk_lane_ring(s->lane, s->a.base, 0);
    message m;
    for (rk_u32 sent = 0; sent < s->each;) {
        rk_u64 random = rk_hash64(((rk_u64)p->number << 40) + sent + 1u);
        rk_u32 wanted = 1u + (rk_u32)(random >> 50) % 4u;
        rk_claim claim = { 0, 0 };
        if (wanted > s->each - sent) wanted = s->each - sent;
        for (rk_u32 round = 0; !(claim = rk_ring_claim(ring, wanted)).count; round++) rk_port_spin(round);
        for (rk_u32 i = 0; i < claim.count; i++) {
            rk_byte *slot = rk_ring_slot(ring, s->a.base, claim.first + i);
            message_number(&m, length_of(sent), p->number, sent);
            stall(random >> i);
            if (ring->format == RK_FORMAT_UNIT) {
                rk_ring_put(ring, s->a.base, claim.first + i, m.header.word, m.payload, length_of(sent));
            } else {
                rk_seq_write(ring, slot, m.header.word, m.payload, length_of(sent));
                stall(random >> (8u + i));
                rk_ring_publish(ring, slot, claim.first + i);
            }
            sent++;
        }
    }
    rk_add_u32(&s->done, 1, RK_RELEASE, RK_SCOPE_DEVICE);
    return 0;
}

/* The same by whole sends, again and again until there is room. */
static void *send_whole(void *argument)
{
    const producer *p = argument;
    stress *s = p->s;
    rk_ring *ring = rk_lane_ring(s->lane, s->a.base, 0);
    message m;
    for (rk_u32 sent = 0; sent < s->each; sent++) {
        message_number(&m, length_of(sent), p->number, sent);
        if (s->by_band) m.header.full.base.priority = (rk_u8)(sent % RK_BANDS * 64u);
        stall(rk_hash64(((rk_u64)p->number << 40) + sent + 1u));
        for (rk_u32 round = 0; lane_put(s->lane, &s->a, &m) != RK_OK; round++) rk_port_spin(round);
        if (s->producers == 1 && rk_index_ahead(ring->tail, ring->evicted) <= 0) s->evicted_at_once++;
    }
    rk_add_u32(&s->done, 1, RK_RELEASE, RK_SCOPE_DEVICE);
    return 0;
}

static void look_at(stress *s, const rk_byte *slot, rk_u32 header_size)
{
    numbered got;
    if (!message_whole(slot, header_size, &got) || got.producer >= s->producers) {
        s->mixed++;
        return;
    }
    rk_u32 step = s->by_band ? RK_BANDS : 1u;
    rk_u32 *next = &s->next[got.producer][s->by_band ? got.number % RK_BANDS : 0u];
    if (s->gaps ? got.number < *next : got.number != *next) s->unordered++;
    *next = got.number + step;
}

static rk_u32 take_batch(stress *s)
{
    rk_u32 n = rk_take(&s->c.context, s->c.shard->max_batch);
    for (rk_u32 v = 0; v < s->c.context.turn->views; v++) {
        const rk_view *view = &s->c.context.turn->view[v];
        for (rk_u32 i = 0; i < view->n; i++) look_at(s, rk_view_slot(view, s->a.base, i), view->header_size);
    }
    rk_take_commit(&s->c.context);
    s->delivered += n;
    return n;
}

static void *receive(void *argument)
{
    stress *s = argument;
    for (rk_u32 batches = 0, idle = 0; !rk_load_u32(&s->finished, RK_RELAXED, RK_SCOPE_DEVICE); batches++) {
        rk_u32 n = 0;
        rk_u32 all = rk_load_u32(&s->done, RK_ACQUIRE, RK_SCOPE_DEVICE) == s->producers;
        if (rk_exchange_u32(&s->take_lock, 1, RK_ACQUIRE, RK_SCOPE_DEVICE) == 0) {
            n = take_batch(s);
            if (n == 0 && all) rk_store_u32(&s->finished, 1, RK_RELAXED, RK_SCOPE_DEVICE);
            rk_store_u32(&s->take_lock, 0, RK_RELEASE, RK_SCOPE_DEVICE);
        }
        idle = n ? 0 : idle + 1u;
        if (idle) rk_port_spin(idle);
        if (s->stall_take && batches % s->stall_take == 0) sched_yield();
    }
    return 0;
}

static void stress_open(stress *s, lane_shape shape)
{
    s->a = arena_open(4u << 20);
    s->lane = lane_lay(&s->a, shape);
    consumer_open(&s->c, &s->a, s->lane, lane_lay(&s->a, (lane_shape){ 0 }), 64);
    if (s->by_band)
        for (rk_u32 p = 0; p < PRODUCERS; p++)
            for (rk_u32 band = 0; band < RK_BANDS; band++) s->next[p][band] = band;
}

static void stress_run(stress *s, void *(*send)(void *), rk_u32 consumers)
{
    pthread_t sender[PRODUCERS];
    pthread_t receiver[CONSUMERS];
    producer p[PRODUCERS];
    for (rk_u32 i = 0; i < s->producers; i++) {
        p[i] = (producer){ s, i };
        assert_int_equal(pthread_create(&sender[i], 0, send, &p[i]), 0);
    }
    for (rk_u32 i = 0; i < consumers; i++) assert_int_equal(pthread_create(&receiver[i], 0, receive, s), 0);
    for (rk_u32 i = 0; i < s->producers; i++) pthread_join(sender[i], 0);
    for (rk_u32 i = 0; i < consumers; i++) pthread_join(receiver[i], 0);
}

static void all_arrived(stress *s)
{
    assert_int_equal(s->mixed, 0);
    assert_int_equal(s->unordered, 0);
    assert_int_equal(s->delivered, (rk_u64)s->producers * s->each);
    assert_int_equal(rk_lane_depth(s->lane, s->a.base), 0);
}

/* ------------------------------------------------------------------ open lanes */

static void eight_producers(rk_u32 format, rk_u32 capacity, rk_u32 consumers, rk_u32 each)
{
    stress s = { .producers = PRODUCERS, .each = rounds(each) };
    stress_open(&s,
                (lane_shape){ .capacity = capacity, .format = format, .start = 0x100000000ull - 100000u });
    stress_run(&s, send_open, consumers);
    all_arrived(&s);
    arena_close(&s.a);
}

static void eight_producers_of_whole_slots_lose_and_double_nothing(void **state)
{
    (void)state;
    eight_producers(RK_FORMAT_SEQ, 1024, 1, 1000000);
}

static void eight_producers_of_units_lose_and_double_nothing(void **state)
{
    (void)state;
    eight_producers(RK_FORMAT_UNIT, 1024, 1, 1000000);
}

static void a_ring_of_sixteen_is_enough_for_eight_producers(void **state)
{
    (void)state;
    eight_producers(RK_FORMAT_SEQ, 16, 1, 100000);
    eight_producers(RK_FORMAT_UNIT, 16, 1, 100000);
}

static void four_consumers_take_turns_under_a_lock(void **state)
{
    (void)state;
    eight_producers(RK_FORMAT_SEQ, 1024, CONSUMERS, 1000000);
    eight_producers(RK_FORMAT_UNIT, 1024, CONSUMERS, 100000);
}

static void one_producer_needs_no_compare_and_swap(void **state)
{
    (void)state;
    for (rk_u32 format = 0; format < 2u; format++) {
        stress s = { .producers = 1, .each = rounds(1000000) };
        stress_open(&s, (lane_shape){ .capacity = 64, .format = format, .single = 1 });
        stress_run(&s, send_open, 1);
        all_arrived(&s);
        arena_close(&s.a);
    }
}

static void eight_producers_of_a_counted_ring_lose_and_double_nothing(void **state)
{
    (void)state;
    for (rk_u32 capacity = 16; capacity <= 1024; capacity *= 8u) {
        stress s = { .producers = PRODUCERS, .each = rounds(capacity == 16 ? 100000 : 1000000) };
        stress_open(&s, (lane_shape){ .capacity = capacity, .format = RK_FORMAT_UNIT, .counted = 1 });
        stress_run(&s, send_open, 1);
        all_arrived(&s);
        assert_int_equal(rk_lane_ring(s.lane, s.a.base, 0)->room, capacity);
        arena_close(&s.a);
    }
}

/* ------------------------------------------------------------------ locked lanes */

static void eight_producers_keep_their_order_in_each_band(void **state)
{
    (void)state;
    stress s = { .producers = PRODUCERS, .each = rounds(100000), .by_band = 1 };
    stress_open(&s, (lane_shape){ .capacity = 64, .bands = RK_BANDS });
    stress_run(&s, send_whole, 1);
    all_arrived(&s);
    arena_close(&s.a);
}

static void lap_the_consumer(rk_u32 producers, rk_u32 each, rk_u32 capacity, rk_u32 stall_take,
                             rk_u32 consumers)
{
    stress s = { .producers = producers, .each = rounds(each), .gaps = 1, .stall_take = stall_take };
    stress_open(&s, (lane_shape){ .capacity = capacity,
                                  .strategy = RK_BACKPRESSURE_DROP_OLDEST,
                                  .start = 0ull - 100000u });
    stress_run(&s, send_whole, consumers);

    rk_ring *ring = rk_lane_ring(s.lane, s.a.base, 0);
    assert_int_equal(s.mixed, 0);
    assert_int_equal(s.unordered, 0);
    assert_int_equal(s.evicted_at_once, 0);
    assert_int_equal(ring->tail - ring->start, (rk_u64)producers * s.each);
    assert_int_equal(ring->delivered, s.delivered);
    assert_int_equal(ring->delivered + ring->dropped_old, ring->tail - ring->start);
    if (producers == 1) assert_int_equal(s.next[0][0], s.each); /* the newest arrived */
    arena_close(&s.a);
}

static void one_producer_laps_a_slow_consumer(void **state)
{
    (void)state;
    lap_the_consumer(1, 2000000, 16, 1, 1);
    lap_the_consumer(1, 2000000, 256, 3, 1);
}

static void one_producer_races_a_consumer_that_keeps_up(void **state)
{
    (void)state;
    lap_the_consumer(1, 4000000, 16, 0, 1);
}

static void eight_producers_lap_a_slow_consumer(void **state)
{
    (void)state;
    lap_the_consumer(PRODUCERS, 200000, 16, 1, 1);
    lap_the_consumer(PRODUCERS, 200000, 64, 0, CONSUMERS);
}

/* What is left when nobody takes is the newest N, in order, though many producers raced for the places. */
static void the_newest_are_left_after_a_race_without_a_consumer(void **state)
{
    (void)state;
    stress s = { .producers = PRODUCERS, .each = rounds(100000), .gaps = 1 };
    stress_open(&s, (lane_shape){ .capacity = 64, .strategy = RK_BACKPRESSURE_DROP_OLDEST });
    stress_run(&s, send_whole, 0);
    rk_ring *ring = rk_lane_ring(s.lane, s.a.base, 0);
    assert_int_equal(rk_lane_depth(s.lane, s.a.base), 64);

    assert_int_equal(take_batch(&s), 64);

    assert_int_equal(s.mixed, 0);
    assert_int_equal(s.unordered, 0);
    assert_int_equal(ring->dropped_old, (rk_u64)PRODUCERS * s.each - 64u);
    assert_int_equal(ring->head, ring->tail);
    arena_close(&s.a);
}

/* Every producer sends the same ids. */
static void *send_ids(void *argument)
{
    const producer *p = argument;
    stress *s = p->s;
    rk_u32 accepted = 0;
    message m;
    for (rk_u32 i = 0; i < s->each; i++) {
        rk_u32 number = (i * 7u + p->number * 131u) % s->each;
        message_number(&m, 12, 0, number);
        m.header.full.id = ((rk_u64)(number + 1u) << 32) | 5u;
        rk_status status;
        for (rk_u32 round = 0; (status = lane_put(s->lane, &s->a, &m)) == RK_FULL; round++)
            rk_port_spin(round);
        accepted += status == RK_OK;
    }
    rk_add_u32(&s->done, 1, RK_RELEASE, RK_SCOPE_DEVICE);
    return (void *)(uintptr_t)accepted;
}

static void an_id_that_all_producers_send_is_delivered_once(void **state)
{
    (void)state;
    for (rk_u32 turn = 0; turn < rounds(60); turn++) {
        stress s = { .producers = PRODUCERS, .each = 1024, .gaps = 1 };
        rk_u8 seen[1024] = { 0 };
        stress_open(&s,
                    (lane_shape){ .capacity = 1024, .window = 1024, .slot_size = 128, .format = turn & 1u });
        stress_run(&s, send_ids, 0);

        rk_u32 got[64];
        for (rk_u32 n; (n = lane_take_numbers(&s.c, 64, got)) != 0;)
            for (rk_u32 i = 0; i < n; i++) seen[got[i]]++;
        for (rk_u32 i = 0; i < 1024u; i++) assert_int_equal(seen[i], 1);
        arena_close(&s.a);
    }
}

/* The same in a lane that is much smaller than the window, full most of the time. */
static void an_id_that_waits_for_room_is_delivered_once(void **state)
{
    (void)state;
    for (rk_u32 turn = 0; turn < rounds(40); turn++) {
        stress s = { .producers = PRODUCERS, .each = 1024, .gaps = 1 };
        stress_open(&s, (lane_shape){ .capacity = 16, .window = 1024, .slot_size = 128 });
        stress_run(&s, send_ids, 1);
        assert_int_equal(s.mixed, 0);
        assert_int_equal(s.delivered, 1024);
        arena_close(&s.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_producers_of_whole_slots_lose_and_double_nothing),
        cmocka_unit_test(eight_producers_of_units_lose_and_double_nothing),
        cmocka_unit_test(a_ring_of_sixteen_is_enough_for_eight_producers),
        cmocka_unit_test(four_consumers_take_turns_under_a_lock),
        cmocka_unit_test(one_producer_needs_no_compare_and_swap),
        cmocka_unit_test(eight_producers_of_a_counted_ring_lose_and_double_nothing),
        cmocka_unit_test(eight_producers_keep_their_order_in_each_band),
        cmocka_unit_test(one_producer_laps_a_slow_consumer),
        cmocka_unit_test(one_producer_races_a_consumer_that_keeps_up),
        cmocka_unit_test(eight_producers_lap_a_slow_consumer),
        cmocka_unit_test(the_newest_are_left_after_a_race_without_a_consumer),
        cmocka_unit_test(an_id_that_all_producers_send_is_delivered_once),
        cmocka_unit_test(an_id_that_waits_for_room_is_delivered_once),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
