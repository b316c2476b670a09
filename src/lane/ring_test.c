#include <pthread.h>

/* The ring alone: claim, fill, publish, read, commit, at every place where an index or a lap can go wrong. */
#include "lane_fixture_test.h"

static const rk_u64 wraps[] = { 0, 5, 0x100000000ull - 2u, 0ull - 2u };

/* Write one message by itself; 0: no room. */
static rk_u32 ring_send(rk_ring *ring, rk_byte *base, const message *m)
{
    rk_claim claim = rk_ring_claim(ring, 1);
    if (claim.count)
        rk_ring_put(ring, base, claim.first, m->header.word, m->payload, m->header.full.base.length);
    return claim.count;
}

/* Read the message at head in the ring's own way, without committing it; 0: there is none. */
static const rk_byte *ring_read(rk_ring *ring, rk_byte *base, rk_u8 *copy)
{
    rk_byte *slot = rk_ring_slot(ring, base, ring->head);
    if (ring->overwritten)
        return rk_overwritten_read(ring, slot, ring->head, (rk_u32 *)(void *)copy) ? copy : 0;
    if (ring->format == RK_FORMAT_UNIT)
        return rk_unit_read(ring, slot, ring->head, (rk_u32 *)(void *)copy) ? copy : 0;
    return rk_ring_ready(ring, base, ring->head, 1) ? slot : 0;
}

static void *give_twenty_back(void *ring)
{
    rk_add_u32(&((rk_ring *)ring)->room, 20u, RK_RELAXED, RK_SCOPE_DEVICE);
    return 0;
}

static void exactly_the_capacity_can_be_claimed(void **state)
{
    (void)state;
    const lane_shape claims[] = { { .single = 0 }, { .single = 1 }, { .counted = 1 } };
    for (size_t way = 0; way < sizeof claims / sizeof *claims; way++) {
        for (rk_u32 capacity = 16; capacity <= 4096; capacity *= 4u) {
            arena a = arena_open(1u << 20);
            lane_shape shape = claims[way];
            shape.capacity = capacity;
            rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, shape));
            for (rk_u32 i = 0; i < capacity; i++) assert_int_equal(rk_ring_claim(ring, 1).count, 1);
            assert_int_equal(rk_ring_claim(ring, 1).count, 0);
            assert_int_equal(ring->tail, capacity);

            rk_ring_commit(ring, 1);

            assert_int_equal(rk_ring_claim(ring, 2).count, 1);
            assert_int_equal(rk_ring_claim(ring, 1).count, 0);
            arena_close(&a);
        }
    }
}

static void a_claim_of_many_gets_what_there_is(void **state)
{
    (void)state;
    for (rk_u32 counted = 0; counted < 2u; counted++) {
        arena a = arena_open(1u << 16);
        rk_ring *ring =
            (rk_ring *)(a.base + ring_lay(&a, (lane_shape){ .capacity = 16, .counted = counted }));

        assert_int_equal(rk_ring_claim(ring, 10).count, 10);
        rk_claim rest = rk_ring_claim(ring, 10);

        assert_int_equal(rest.first, 10);
        assert_int_equal(rest.count, 6);
        assert_int_equal(rk_ring_claim(ring, 10).count, 0);
        assert_int_equal(ring->room, 0);
        arena_close(&a);
    }
}

/* Another producer's claim has found too little and is about to give back what it took. */
static void room_that_is_being_given_back_is_not_a_full_ring(void **state)
{
    (void)state;
    arena a = arena_open(1u << 16);
    rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, (lane_shape){ .capacity = 16, .counted = 1 }));
    assert_int_equal(rk_ring_claim(ring, 12).count, 12);
    ring->room -= 20; /* it wants 20 of 4 */

    pthread_t giver;
    assert_int_equal(pthread_create(&giver, 0, give_twenty_back, ring), 0);
    rk_claim claim = rk_ring_claim(ring, 3);
    pthread_join(giver, 0);

    assert_int_equal(claim.count, 3);
    assert_int_equal(ring->room, 1);
    arena_close(&a);
}

static void ten_thousand_messages_cross_each_wrap_in_order(void **state)
{
    (void)state;
    const rk_u32 formats[] = { RK_FORMAT_SEQ, RK_FORMAT_UNIT };
    for (rk_u32 w = 0; w < 4u; w++) {
        for (rk_u32 f = 0; f < 2u; f++) {
            arena a = arena_open(1u << 16);
            rk_lane *lane =
                lane_lay(&a, (lane_shape){ .capacity = 16, .format = formats[f], .start = wraps[w] });
            rk_ring *ring = rk_lane_ring(lane, a.base, 0);
            rk_u8 copy[64] __attribute__((aligned(16)));
            rk_u32 sent = 0;
            rk_u32 received = 0;
            while (received < 10000u) {
                for (rk_u32 burst = 1u + (rk_u32)rk_hash64(sent) % 20u; burst && sent < 10000u; burst--) {
                    message m;
                    message_number(&m, 12, 3, sent);
                    rk_u32 room = sent - received < 16u;
                    assert_int_equal(ring_send(ring, a.base, &m), room);
                    sent += room;
                    assert_int_equal(rk_lane_depth(lane, a.base), sent - received);
                }
                for (rk_u32 burst = 1u + (rk_u32)rk_hash64(received) % 20u; burst; burst--) {
                    numbered got;
                    const rk_byte *there = ring_read(ring, a.base, copy);
                    assert_int_equal(there != 0, received < sent);
                    if (!there) break;
                    assert_true(message_whole(there, ring->header_size, &got));
                    assert_int_equal(got.number, received);
                    received++;
                    rk_ring_commit(ring, ring->head + 1u);
                    assert_int_equal(rk_lane_depth(lane, a.base), sent - received);
                }
            }
            assert_int_equal(ring->tail - ring->start, 10000);
            arena_close(&a);
        }
    }
}

static void a_new_ring_is_empty_wherever_it_starts(void **state)
{
    (void)state;
    for (rk_u64 start = 0x100000000ull - 40u; start < 0x100000000ull + 40u; start++) {
        for (rk_u32 format = 0; format < 3u; format++) {
            arena a = arena_open(1u << 16);
            lane_shape shape = { .format = format & 1u, .start = start };
            if (format == 2u) shape.strategy = RK_BACKPRESSURE_DROP_OLDEST;
            rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, shape));
            rk_u8 copy[64] __attribute__((aligned(16)));
            for (; ring->head != start + 16u; ring->head++) assert_null(ring_read(ring, a.base, copy));
            arena_close(&a);
        }
    }
}

/* Unit u of a slot: the lap of the index, and the twelve bytes of the message that follow the first four by
 * 12 u. Behind the message's last byte is what it may be. */
static void assert_is_in_units(const rk_ring *ring, const rk_byte *slot, rk_u64 index, const message *m)
{
    rk_u8 bytes[2048] = { 0 };
    rk_u32 size = ring->header_size + m->header.full.base.length, lap = rk_ring_lap(ring, index);
    memcpy(bytes, &m->header, ring->header_size);
    memcpy(bytes + ring->header_size, m->payload, m->header.full.base.length);
    for (rk_u32 u = 0; 4u + u * 12u < size; u++) {
        rk_u32 rest = size - 4u - u * 12u;
        assert_memory_equal(slot + u * 16u, &lap, 4);
        assert_memory_equal(slot + u * 16u + 4u, bytes + 4u + u * 12u, rest < 12u ? rest : 12u);
    }
}

/* Every payload of this slot, in this header form and format, three laps long. The payload has nothing beside
 * it where whole words are not read, nor has the copy: a sanitizer would see what goes beyond them. */
static void round_trip_all_sizes(lane_shape shape)
{
    arena a = arena_open(1u << 17);
    rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, shape));
    rk_u8 *copy = aligned_alloc(16, ring->slot_size);
    assert_non_null(copy);
    for (rk_u32 lap = 0; lap < 3u; lap++) {
        for (rk_u32 length = 0; length <= ring->payload_max && length <= RK_INLINE_MAX; length++) {
            message m;
            message_fill(&m, length, length + lap);
#if defined(RK_PORT_UNITS)
            if (ring->format == RK_FORMAT_UNIT) {
                rk_u8 *alone = malloc(length + 1u);
                assert_non_null(alone);
                memcpy(alone + 1, m.payload, length);
                rk_claim claim = rk_ring_claim(ring, 1);
                assert_int_equal(claim.count, 1);
                rk_ring_put(ring, a.base, claim.first, m.header.word, alone + 1, length);
                free(alone);
            } else
#endif
                if (ring->overwritten) {
                rk_ring_put(ring, a.base, ring->tail, m.header.word, m.payload, length);
                ring->tail++;
            } else {
                assert_int_equal(ring_send(ring, a.base, &m), 1);
            }
            const rk_byte *there = ring_read(ring, a.base, copy);
            assert_non_null(there);
            assert_true(message_same(there, ring->header_size, &m));
            if (ring->format == RK_FORMAT_UNIT)
                assert_is_in_units(ring, rk_ring_slot(ring, a.base, ring->head), ring->head, &m);
            rk_ring_commit(ring, ring->head + 1u);
            assert_null(ring_read(ring, a.base, copy));
        }
    }
    free(copy);
    arena_close(&a);
}

static void every_payload_size_arrives_as_it_was_sent(void **state)
{
    (void)state;
    const rk_u32 sizes[] = { 64, 128, 256, 2048 };
    for (rk_u32 s = 0; s < 4u; s++) {
        for (rk_u32 header = RK_HEADER_SHORT; header <= RK_HEADER_LONG;
             header += RK_HEADER_LONG - RK_HEADER_SHORT) {
            lane_shape shape = { .slot_size = sizes[s], .header_size = header };
            round_trip_all_sizes(shape);
            shape.format = RK_FORMAT_UNIT;
            round_trip_all_sizes(shape);
            shape.strategy = RK_BACKPRESSURE_DROP_OLDEST;
            round_trip_all_sizes(shape);
        }
    }
}

static void a_slot_holds_what_its_header_and_laps_leave(void **state)
{
    (void)state;
    assert_int_equal(rk_slot_payload(64, RK_HEADER_SHORT, RK_FORMAT_SEQ), 48);
    assert_int_equal(rk_slot_payload(64, RK_HEADER_LONG, RK_FORMAT_SEQ), 16);
    assert_int_equal(rk_slot_payload(64, RK_HEADER_SHORT, RK_FORMAT_UNIT), 36);
    assert_int_equal(rk_slot_payload(64, RK_HEADER_LONG, RK_FORMAT_UNIT), 4);
    assert_int_equal(rk_slot_payload(2048, RK_HEADER_LONG, RK_FORMAT_UNIT), 1492);
}

/* A slot of which the units in `old` still hold what was there the lap before is never a message. */
static void no_torn_slot_is_a_message(rk_u32 slot_size, rk_u32 header_size, rk_u64 start)
{
    arena a = arena_open(1u << 16);
    lane_shape shape = {
        .slot_size = slot_size, .header_size = header_size, .format = RK_FORMAT_UNIT, .start = start
    };
    rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, shape));
    rk_u32 units = slot_size / 16u;
    rk_byte *slot = rk_ring_slot(ring, a.base, start);
    message m;
    rk_u8 before[128];
    rk_u8 after[128];
    rk_u8 copy[128] __attribute__((aligned(16)));

    message_fill(&m, ring->payload_max, 1);
    rk_ring_put(ring, a.base, start, m.header.word, m.payload, ring->payload_max);
    memcpy(before, slot, slot_size);
    message_fill(&m, ring->payload_max, 2);
    rk_ring_put(ring, a.base, start + 16u, m.header.word, m.payload, ring->payload_max);
    memcpy(after, slot, slot_size);

    for (rk_u32 old = 1; old < 1u << units; old++) {
        for (rk_u32 u = 0; u < units; u++)
            memcpy(slot + 16u * u, (old >> u & 1u ? before : after) + 16u * u, 16);
        assert_int_equal(rk_unit_read(ring, slot, start + 16u, (rk_u32 *)(void *)copy), 0);
        if (old != (1u << units) - 1u)
            assert_int_equal(rk_unit_read(ring, slot, start, (rk_u32 *)(void *)copy), 0);
    }
    memcpy(slot, after, slot_size);
    assert_int_equal(rk_unit_read(ring, slot, start + 16u, (rk_u32 *)(void *)copy), 1);
    assert_true(message_same(copy, header_size, &m));
    arena_close(&a);
}

static void a_slot_with_any_older_units_is_never_a_message(void **state)
{
    (void)state;
    for (rk_u32 w = 0; w < 4u; w++) {
        for (rk_u32 size = 64; size <= 128; size *= 2u) {
            no_torn_slot_is_a_message(size, RK_HEADER_SHORT, wraps[w]);
            no_torn_slot_is_a_message(size, RK_HEADER_LONG, wraps[w]);
        }
    }
}

static void a_short_message_over_a_long_one_is_whole_without_the_rest(void **state)
{
    (void)state;
    arena a = arena_open(1u << 16);
    rk_ring *ring =
        (rk_ring *)(a.base + ring_lay(&a, (lane_shape){ .slot_size = 128, .format = RK_FORMAT_UNIT }));
    rk_u8 copy[128] __attribute__((aligned(16)));
    message m;
    message_fill(&m, ring->payload_max, 1);
    rk_ring_put(ring, a.base, 0, m.header.word, m.payload, ring->payload_max);

    message_fill(&m, 4, 2);
    rk_ring_put(ring, a.base, 16, m.header.word, m.payload, 4);

    assert_int_equal(rk_unit_read(ring, rk_ring_slot(ring, a.base, 16), 16, (rk_u32 *)(void *)copy), 1);
    assert_true(message_same(copy, RK_HEADER_SHORT, &m));
    arena_close(&a);
}

static void a_length_that_a_slot_cannot_hold_is_no_message(void **state)
{
    (void)state;
    arena a = arena_open(1u << 16);
    for (rk_u32 strategy = 0; strategy <= RK_BACKPRESSURE_DROP_OLDEST;
         strategy += RK_BACKPRESSURE_DROP_OLDEST) {
        rk_ring *ring = (rk_ring *)(a.base + ring_lay(&a, (lane_shape){ .format = RK_FORMAT_UNIT,
                                                                        .strategy = strategy }));
        rk_u8 copy[256] __attribute__((aligned(16)));
        message m;
        message_fill(&m, 36, 1);
        for (rk_u32 i = 0; i < 16u; i++) rk_ring_put(ring, a.base, i, m.header.word, m.payload, 36);
        const rk_u16 corrupt = 100; /* the slots behind it are of the same lap */

        memcpy(rk_ring_slot(ring, a.base, 0) + offsetof(rk_header, length), &corrupt, 2);

        assert_null(ring_read(ring, a.base, copy));
    }
    arena_close(&a);
}

/* The claim at 1 stalls: 0 can be read, 2 can not, until 1 is published. */
static void a_hole_is_waited_for_whoever_comes_after(void **state)
{
    (void)state;
    for (rk_u32 format = 0; format < 2u; format++) {
        arena a = arena_open(1u << 16);
        rk_lane *lane = lane_lay(&a, (lane_shape){ .format = format });
        rk_lane *none = lane_lay(&a, (lane_shape){ 0 });
        rk_ring *ring = rk_lane_ring(lane, a.base, 0);
        consumer c;
        consumer_open(&c, &a, lane, none, 16);
        rk_u32 got[16];
        message m;
        assert_int_equal(lane_put_number(lane, &a, 0, 0, 0), RK_OK);
        rk_claim stalled = rk_ring_claim(ring, 1);
        for (rk_u32 i = 2; i < 16u; i++) assert_int_equal(lane_put_number(lane, &a, i, 0, 0), RK_OK);

        assert_int_equal(lane_take_numbers(&c, 16, got), 1);
        for (rk_u32 i = 0; i < 100u; i++) assert_int_equal(lane_take_numbers(&c, 16, got), 0);
        assert_int_equal(lane_put_number(lane, &a, 16, 0, 0), RK_OK);
        assert_int_equal(lane_put_number(lane, &a, 17, 0, 0), RK_FULL);
        message_number(&m, 12, 0, 1);
        rk_ring_put(ring, a.base, stalled.first, m.header.word, m.payload, 12);

        assert_int_equal(lane_take_numbers(&c, 16, got), 16);
        for (rk_u32 i = 0; i < 16u; i++) assert_int_equal(got[i], i + 1u);
        arena_close(&a);
    }
}

/* Write the first `words` words of a message over a slot, as a producer that was stopped there. */
static void overwrite_partly(rk_ring *ring, rk_byte *slot, rk_u64 index, const message *m, rk_u32 words)
{
    rk_u8 whole[64] __attribute__((aligned(16)));
    rk_ring elsewhere = *ring;
    rk_overwrite(&elsewhere, whole, index, m->header.word, (const rk_u32 *)(const void *)m->payload, 12);
    rk_u32 mark = rk_ring_lap(ring, index) | RK_OVERWRITING;
    memcpy(slot, &mark, 4);
    memcpy(slot + 4, whole + 4, 4u * words - 4u);
}

/* The slot of index 0 is being overwritten for an index any number of laps later, the producer stopped
 * after any number of words: no reader, however far behind, takes what is there. */
static void a_slot_that_is_being_overwritten_is_nobodys_message(void **state)
{
    (void)state;
    arena a = arena_open(1u << 16);
    rk_ring *ring =
        (rk_ring *)(a.base + ring_lay(&a, (lane_shape){ .strategy = RK_BACKPRESSURE_DROP_OLDEST }));
    rk_u8 copy[64] __attribute__((aligned(16)));
    for (rk_u32 later = 1; later < 40u; later++) {
        for (rk_u32 words = 1; words <= 7u; words++) {
            message m;
            rk_byte *slot = rk_ring_slot(ring, a.base, 0);
            message_number(&m, 12, 0, later - 1u);
            rk_ring_put(ring, a.base, 16u * (later - 1u), m.header.word, m.payload, 12);
            message_number(&m, 12, 0, later);
            overwrite_partly(ring, slot, 16u * later, &m, words);
            for (rk_u32 reader = 0; reader < 45u; reader++)
                assert_int_equal(rk_overwritten_read(ring, slot, 16u * reader, (rk_u32 *)(void *)copy), 0);
        }
    }
    arena_close(&a);
}

/* Every 64th message is stamped, and its waiting time arrives in the histogram. */
static void one_message_in_sixty_four_tells_how_long_it_waited(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_lane *lane = lane_lay(&a, (lane_shape){ .capacity = 256, .start = 0x100000000ull - 100u });
    rk_lane *none = lane_lay(&a, (lane_shape){ 0 });
    rk_ring *ring = rk_lane_ring(lane, a.base, 0);
    consumer c;
    consumer_open(&c, &a, lane, none, 64);
    for (rk_u32 i = 0; i < 256u; i++) {
        rk_ring_stamp(ring, ring->tail, 1, 1000u + i);
        assert_int_equal(lane_put_number(lane, &a, i, 0, 0), RK_OK);
    }

    c.context.now_ns = 1500;
    for (rk_u32 taken = 0; taken < 256u; taken += 64u) {
        rk_take(&c.context, 64);
        for (rk_u32 v = 0; v < c.context.turn->views; v++)
            rk_take_stamp(&c.context, &c.context.turn->view[v]);
        rk_take_commit(&c.context);
    }

    assert_int_equal(c.shard->meter.queue_wait.count, 4);
    assert_int_equal(c.shard->meter.queue_wait.max_ns,
                     1500 - (1000 + rk_stamp_ahead(ring->stamp_shift, (rk_u32)ring->start)));
    assert_int_equal(ring->delivered, 256);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_capacity_can_be_claimed),
        cmocka_unit_test(a_claim_of_many_gets_what_there_is),
        cmocka_unit_test(room_that_is_being_given_back_is_not_a_full_ring),
        cmocka_unit_test(ten_thousand_messages_cross_each_wrap_in_order),
        cmocka_unit_test(a_new_ring_is_empty_wherever_it_starts),
        cmocka_unit_test(every_payload_size_arrives_as_it_was_sent),
        cmocka_unit_test(a_slot_holds_what_its_header_and_laps_leave),
        cmocka_unit_test(a_slot_with_any_older_units_is_never_a_message),
        cmocka_unit_test(a_short_message_over_a_long_one_is_whole_without_the_rest),
        cmocka_unit_test(a_length_that_a_slot_cannot_hold_is_no_message),
        cmocka_unit_test(a_hole_is_waited_for_whoever_comes_after),
        cmocka_unit_test(a_slot_that_is_being_overwritten_is_nobodys_message),
        cmocka_unit_test(one_message_in_sixty_four_tells_how_long_it_waited),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
