/* Streams: bodies of one kind, written into unit slots and read from them many at a time. What one way of the port
 * writes or reads message by message is what the other is compared with. */
#include "lane_fixture_test.h"

#include <pthread.h>

#if defined(RK_PORT_UNITS)

#define AT_ONCE 16u /* the whole ring */
#define SIZES (RK_PORT_SLOT_PAYLOAD + 1u)
#define START (0x100000000ull - 16u) /* of the first lap: the next one is 0 */

typedef struct stream {
    arena a;
    rk_ring *ring;
    message_header header;
    rk_u32 size, n;
    rk_u8 *bodies; /* as large as they are, so that a sanitizer sees what goes beyond them */
} stream;

static rk_unit *unit_slots(const stream *s)
{
    return (rk_unit *)(void *)rk_ring_slot(s->ring, s->a.base, START);
}

static stream stream_open(rk_u32 size, rk_u32 n)
{
    stream s = { .a = arena_open(1u << 14), .size = size, .n = n };
    message m;
    s.ring = (rk_ring *)(s.a.base + ring_lay(&s.a, (lane_shape){ .format = RK_FORMAT_UNIT, .start = START }));
    assert_int_equal(s.ring->payload_max, RK_PORT_SLOT_PAYLOAD);
    message_fill(&m, size, 7);
    s.header = m.header;
    s.header.full.base.flags = RK_FLAG_REQUEST;
    s.bodies = malloc((size_t)n * size + 1u);
    assert_non_null(s.bodies);
    for (rk_u32 i = 0; i < n * size; i++) s.bodies[i] = (rk_u8)(rk_hash64(i) >> 8);
    return s;
}

static void stream_close(stream *s)
{
    free(s->bodies);
    arena_close(&s->a);
}

/* Message i of it, written by itself, into its place one lap later for each `lap`. */
static void put_alone(const stream *s, rk_u32 i, rk_u32 lap, const message_header *header)
{
    rk_ring_put(s->ring, s->a.base, START + i + (rk_u64)lap * AT_ONCE, header->word,
                s->bodies + (size_t)i * s->size, header->full.base.length);
}

static void put_all(const stream *s)
{
    for (rk_u32 i = 0; i < s->n; i++) put_alone(s, i, 0, &s->header);
}

static rk_u32 read_stream(const stream *s, rk_u8 *to, size_t stride)
{
    return rk_port_read_slots(unit_slots(s), s->n, rk_ring_lap(s->ring, START), RK_FLAG_REFERENCE, to,
                              stride);
}

static void a_stream_of_any_size_is_what_single_sends_write(void **state)
{
    (void)state;
    for (rk_u32 size = 0; size < SIZES; size++) {
        for (rk_u32 n = 1; n <= AT_ONCE; n += 3u) {
            stream s = stream_open(size, n);
            rk_u8 singly[AT_ONCE * RK_PORT_SLOT];
            rk_u8 before[AT_ONCE * RK_PORT_SLOT];
            memcpy(before, unit_slots(&s), sizeof before);
            put_all(&s);
            memcpy(singly, unit_slots(&s), sizeof singly);
            memcpy(unit_slots(&s), before, sizeof before);

            rk_u8 *tight = malloc((size_t)n * size + 1u); /* ends where the last body does, and not aligned */
            assert_non_null(tight);
            memcpy(tight + 1, s.bodies, (size_t)n * size);
            rk_port_write_slots(unit_slots(&s), n, rk_ring_lap(s.ring, START), &s.header, tight + 1, size);

            assert_memory_equal(unit_slots(&s), singly, sizeof singly);
            free(tight);
            stream_close(&s);
        }
    }
}

static void a_stream_of_any_size_is_read_as_it_was_sent(void **state)
{
    (void)state;
    for (rk_u32 size = 0; size < SIZES; size++) {
        for (rk_u32 apart = 0; apart < 6u; apart++) {
            stream s = stream_open(size, AT_ONCE);
            const size_t stride = size + apart, all = AT_ONCE * stride - apart * (apart > 0);
            rk_u8 *got = malloc(all + 1u);
            assert_non_null(got);
            memset(got, 0xee, all + 1u);
            put_all(&s);

            assert_int_equal(read_stream(&s, got + 1, stride), AT_ONCE);

            for (rk_u32 i = 0; i < AT_ONCE; i++) {
                const rk_u8 *body = got + 1 + i * stride;
                assert_memory_equal(body, s.bodies + (size_t)i * size, size);
                for (rk_u32 at = size; at < stride && i + 1u < AT_ONCE; at++)
                    assert_int_equal(body[at], 0xee);
            }
            free(got);
            stream_close(&s);
        }
    }
}

/* Nothing of it or of what comes behind it is given out, be it as whole as it may. */
static void assert_ends_at(const stream *s, rk_u32 end)
{
    rk_u8 got[AT_ONCE * RK_PORT_SLOT_PAYLOAD];
    memset(got, 0xee, sizeof got);
    assert_int_equal(read_stream(s, got, s->size), end);
    assert_memory_equal(got, s->bodies, (size_t)end * s->size);
    for (rk_u32 at = end * s->size; at < sizeof got; at++) assert_int_equal(got[at], 0xee);
}

/* A slot of which any units still are of the lap before, or already of the one after. */
static void a_stream_ends_before_a_slot_with_units_of_another_lap(void **state)
{
    (void)state;
    for (rk_u32 size = 0; size < SIZES; size++) {
        const rk_u32 units = 1u + (size + 11u) / 12u;
        for (rk_u32 torn = 0; torn < AT_ONCE; torn += 5u) {
            stream s = stream_open(size, AT_ONCE);
            rk_unit *slot = unit_slots(&s) + (size_t)torn * 4u, old[4], now[4], later[4];
            memcpy(old, slot, sizeof old);
            put_alone(&s, torn, 1, &s.header);
            memcpy(later, slot, sizeof later);
            put_all(&s);
            memcpy(now, slot, sizeof now);
            for (rk_u32 others = 1; others < 1u << units; others++) {
                for (rk_u32 u = 0; u < units; u++) slot[u] = others >> u & 1u ? old[u] : now[u];
                assert_ends_at(&s, torn);
                for (rk_u32 u = 0; u < units; u++) slot[u] = others >> u & 1u ? later[u] : now[u];
                assert_ends_at(&s, torn);
            }
            memcpy(slot, now, sizeof now);
            assert_ends_at(&s, AT_ONCE);
            stream_close(&s);
        }
    }
}

static void a_stream_ends_where_a_message_is_of_another_kind(void **state)
{
    (void)state;
    for (rk_u32 size = 1; size < RK_PORT_SLOT_PAYLOAD; size++) {
        stream s = stream_open(size, AT_ONCE);
        message_header shorter = s.header, longer = s.header, type = s.header, reference = s.header,
                       address = s.header;
        shorter.full.base.length--;
        longer.full.base.length++;
        type.full.base.type++;
        reference.full.base.flags |= RK_FLAG_REFERENCE;
        address.full.base.target++;
        address.full.base.source++;
        address.full.base.priority++;
        address.full.base.flags = RK_FLAG_REPLY;
        const message_header *const others[] = { &shorter, &longer, &type, &reference };
        for (rk_u32 which = 0; which < 4u; which++) {
            put_all(&s);
            put_alone(&s, 9, 0, others[which]);
            assert_ends_at(&s, 9);
        }
        put_all(&s);
        put_alone(&s, 9, 0, &address);
        assert_ends_at(&s, AT_ONCE);
        stream_close(&s);
    }
}

static void a_stream_does_not_begin_with_what_is_not_plain(void **state)
{
    (void)state;
    stream s = stream_open(20, AT_ONCE);
    rk_u8 got[AT_ONCE * 20];
    const rk_u16 corrupt = RK_PORT_SLOT_PAYLOAD + 1u;
    assert_int_equal(read_stream(&s, got, 20), 0); /* nothing was sent */

    put_all(&s);
    assert_int_equal(read_stream(&s, got, 19), 0); /* no room for the first */
    memcpy((rk_u8 *)unit_slots(&s) + offsetof(rk_header, length), &corrupt, sizeof corrupt);
    assert_int_equal(read_stream(&s, got, 2048), 0); /* longer than a slot */

    s.header.full.base.flags |= RK_FLAG_REFERENCE;
    put_all(&s);
    assert_int_equal(read_stream(&s, got, 20), 0); /* it lies elsewhere */
    stream_close(&s);
}

/* ------------------------------------------------------------------ between threads */

#define BATCH 40u /* of a ring of 64 */

typedef struct passing {
    arena a;
    rk_ring *ring;
    rk_u32 messages;
} passing;

/* Messages change their length now and then. */
static rk_u32 length_of(rk_u32 number) { return 12u + number / 61u % 25u; }

static void *write_streams(void *argument)
{
    passing *p = argument;
    rk_u8 bodies[BATCH * RK_PORT_SLOT_PAYLOAD];
    for (rk_u32 sent = 0, round = 0; sent < p->messages;) {
        rk_u32 size = length_of(sent), n = 0;
        message m;
        for (; n < BATCH && sent + n < p->messages && length_of(sent + n) == size; n++) {
            message_number(&m, size, 0, sent + n);
            memcpy(bodies + (size_t)n * size, m.payload, size);
        }
        rk_claim claim = rk_ring_claim(p->ring, n);
        rk_port_spin(claim.count ? 0 : round++);
        for (rk_u32 done = 0; done < claim.count; round = 0) {
            rk_u64 index = claim.first + done;
            rk_u32 end = p->ring->capacity - ((rk_u32)index & p->ring->mask), part = claim.count - done;
            if (part > end) part = end;
            rk_port_write_slots((rk_unit *)(void *)rk_ring_slot(p->ring, p->a.base, index), part,
                                rk_ring_lap(p->ring, index), &m.header, bodies + (size_t)done * size, size);
            rk_port_units_apart();
            done += part;
        }
        sent += claim.count;
    }
    return 0;
}

/* A body is what was sent under this number? */
static rk_u32 is_number(const rk_u8 *body, rk_u32 number)
{
    message m;
    message_number(&m, length_of(number), 0, number);
    return memcmp(body, m.payload, length_of(number)) == 0;
}

static void streams_between_threads_are_whole_and_in_order(void **state)
{
    (void)state;
    passing p = { .a = arena_open(1u << 14), .messages = rounds(2000000) };
    p.ring = (rk_ring *)(p.a.base + ring_lay(&p.a, (lane_shape){ .capacity = 64,
                                                                 .format = RK_FORMAT_UNIT,
                                                                 .single = 1,
                                                                 .start = 0x100000000ull - 1000u }));
    pthread_t writer;
    rk_u32 received = 0, wrong = 0;
    rk_u8 bodies[BATCH * RK_PORT_SLOT_PAYLOAD];
    assert_int_equal(pthread_create(&writer, 0, write_streams, &p), 0);
    for (rk_u32 round = 0; received < p.messages;) {
        rk_u64 head = p.ring->head;
        rk_u32 end = p.ring->capacity - ((rk_u32)head & p.ring->mask);
        rk_u32 got = rk_port_read_slots((const rk_unit *)(void *)rk_ring_slot(p.ring, p.a.base, head),
                                        end < BATCH ? end : BATCH, rk_ring_lap(p.ring, head),
                                        RK_FLAG_REFERENCE, bodies, RK_PORT_SLOT_PAYLOAD);
        rk_ring_commit(p.ring, head + got);
        for (rk_u32 i = 0; i < got; i++)
            wrong += !is_number(bodies + (size_t)i * RK_PORT_SLOT_PAYLOAD, received + i);
        received += got;
        rk_port_spin(got ? round = 0 : round++);
    }
    pthread_join(writer, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(received, p.messages);
    arena_close(&p.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_of_any_size_is_what_single_sends_write),
        cmocka_unit_test(a_stream_of_any_size_is_read_as_it_was_sent),
        cmocka_unit_test(a_stream_ends_before_a_slot_with_units_of_another_lap),
        cmocka_unit_test(a_stream_ends_where_a_message_is_of_another_kind),
        cmocka_unit_test(a_stream_does_not_begin_with_what_is_not_plain),
        cmocka_unit_test(streams_between_threads_are_whole_and_in_order),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}

#else

int main(void) { return 77; } /* the port has no streams */

#endif
