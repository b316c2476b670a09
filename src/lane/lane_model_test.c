/* Every combination of policies against a naive model: what each send is told, who is evicted, what is left, and in which
 * order, over random sends and takes, from the beginning and over each wrap. The model is the design's rule, word for
 * word, on plain lists. */
#include "lane_fixture_test.h"

enum { CAPACITY = 16, IDS = 20, STEPS = 100000 };

typedef struct item {
    rk_u32 number;
    rk_u32 band;
} item;

typedef struct model {
    lane_shape shape;
    item queued[CAPACITY]; /* oldest first, of all bands */
    rk_u32 live;
    rk_u64 known[64]; /* the ids that were accepted last, in a circle */
    rk_u64 accepted_ids;
    rk_u64 accepted, evicted, delivered;
} model;

static rk_u32 is_known(const model *m, rk_u64 id)
{
    rk_u32 found = 0;
    for (rk_u64 k = 0; k < m->shape.window && k < m->accepted_ids; k++) found |= m->known[k] == id;
    return found;
}

static void forget(model *m, rk_u32 at)
{
    memmove(&m->queued[at], &m->queued[at + 1], (m->live - at - 1u) * sizeof m->queued[0]);
    m->live--;
}

/* The oldest of the lowest band that has any. */
static rk_u32 victim_of(const model *m)
{
    rk_u32 at = 0;
    for (rk_u32 i = 1; i < m->live; i++)
        if (m->queued[i].band < m->queued[at].band) at = i;
    return at;
}

static rk_status model_send(model *m, rk_u32 number, rk_u32 band, rk_u64 id)
{
    if (id && is_known(m, id)) return RK_DUPLICATE;
    if (m->live == CAPACITY) {
        if (m->shape.strategy == RK_BACKPRESSURE_DROP_NEWEST) return RK_DROPPED;
        if (m->shape.strategy != RK_BACKPRESSURE_DROP_OLDEST) return RK_FULL;
        if (m->queued[victim_of(m)].band > band) return RK_DROPPED;
        forget(m, victim_of(m));
        m->evicted++;
    }
    m->queued[m->live++] = (item){ number, band };
    m->accepted++;
    if (id && m->shape.window) m->known[m->accepted_ids++ % m->shape.window] = id;
    return RK_OK;
}

/* What was taken is the oldest of its band, and was queued. */
static void model_take(model *m, rk_u32 number)
{
    rk_u32 at = 0;
    while (at < m->live && m->queued[at].number != number) at++;
    assert_true(at < m->live);
    for (rk_u32 i = 0; i < at; i++) assert_int_not_equal(m->queued[i].band, m->queued[at].band);
    forget(m, at);
    m->delivered++;
}

typedef struct total {
    rk_u64 accepted, evicted, delivered;
} total;

static total total_of(const rk_lane *lane, rk_byte *arena)
{
    total t = { 0, 0, 0 };
    for (rk_u32 b = 0; b < lane->bands; b++) {
        const rk_ring *ring = rk_lane_ring(lane, arena, b);
        t.accepted += ring->tail - ring->start;
        t.evicted += ring->dropped_old;
        t.delivered += ring->delivered;
    }
    return t;
}

static void agrees_with_the_model(lane_shape shape)
{
    arena a = arena_open(1u << 20);
    rk_lane *lane = lane_lay(&a, shape);
    consumer c;
    model m = { .shape = shape };
    rk_u32 got[64], answers[4] = { 0 };
    consumer_open(&c, &a, lane, lane_lay(&a, (lane_shape){ .bands = shape.bands }), 64);
    for (rk_u32 step = 0; step < rounds(STEPS); step++) {
        const rk_u64 random = rk_hash64(step + 1u);
        const rk_u32 band = shape.bands > 1 ? (rk_u32)(random >> 8) % RK_BANDS : 0;
        const rk_u64 low = 1u + (random >> 16) % IDS, high = (random >> 50) % 2u; /* low words agree */
        const rk_u64 id = shape.window && random >> 60 ? high << 32 | low : 0;
        const rk_status expected = model_send(&m, step, band, id);
        assert_int_equal(lane_put_number(lane, &a, step, (rk_u8)(64u * band + (random >> 24) % 64u), id),
                         expected);
        answers[expected == RK_OK ? 0 : expected == RK_FULL ? 1 : expected == RK_DUPLICATE ? 2 : 3]++;
        assert_int_equal(rk_lane_depth(lane, a.base), m.live);
        if ((random >> 32) % 24u) continue;
        rk_u32 n = lane_take_numbers(&c, 1u + (rk_u32)(random >> 40) % CAPACITY, got);
        for (rk_u32 i = 0; i < n; i++) model_take(&m, got[i]);
    }
    for (rk_u32 n = 1; n;) {
        n = lane_take_numbers(&c, 64, got);
        for (rk_u32 i = 0; i < n; i++) model_take(&m, got[i]);
    }
    assert_int_equal(m.live, 0);
    const total t = total_of(lane, a.base);
    assert_int_equal(t.accepted, m.accepted);
    assert_int_equal(t.evicted, m.evicted);
    assert_int_equal(t.delivered, m.delivered);

    /* and each answer that there can be was given */
    assert_true(answers[0] > 0);
    assert_int_equal(answers[1] > 0,
                     shape.strategy == RK_BACKPRESSURE_BLOCK || shape.strategy == RK_BACKPRESSURE_REJECT);
    assert_int_equal(answers[2] > 0, shape.window > 0);
    assert_int_equal(answers[3] > 0, shape.strategy == RK_BACKPRESSURE_DROP_NEWEST ||
                                         (shape.strategy == RK_BACKPRESSURE_DROP_OLDEST && shape.bands > 1));
    assert_int_equal(m.evicted > 0, shape.strategy == RK_BACKPRESSURE_DROP_OLDEST);
    arena_close(&a);
}

static void every_combination_agrees_with_the_model(void **state)
{
    (void)state;
    const rk_u64 starts[] = { 0, 0x100000000ull - 2u, 0ull - 2u };
    const rk_u32 windows[] = { 0, 16, 17 };
    for (rk_u32 strategy = RK_BACKPRESSURE_BLOCK; strategy <= RK_BACKPRESSURE_DROP_NEWEST; strategy++)
        for (rk_u32 bands = 1; bands <= RK_BANDS; bands += RK_BANDS - 1u)
            for (rk_u32 w = 0; w < 3u; w++)
                for (rk_u32 s = 0; s < 3u; s++)
                    agrees_with_the_model((lane_shape){ .capacity = CAPACITY,
                                                        .strategy = strategy,
                                                        .bands = bands,
                                                        .window = windows[w],
                                                        .slot_size = 128,
                                                        .start = starts[s] });
}

static void unit_slots_agree_with_the_model(void **state)
{
    (void)state;
    const rk_u64 starts[] = { 0, 0x100000000ull - 2u, 0ull - 2u };
    for (rk_u32 strategy = RK_BACKPRESSURE_BLOCK; strategy <= RK_BACKPRESSURE_DROP_NEWEST; strategy++)
        for (rk_u32 s = 0; s < 3u && strategy != RK_BACKPRESSURE_DROP_OLDEST; s++)
            for (rk_u32 counted = 0; counted < 2u; counted++)
                agrees_with_the_model((lane_shape){ .capacity = CAPACITY,
                                                    .strategy = strategy,
                                                    .format = RK_FORMAT_UNIT,
                                                    .counted = counted,
                                                    .start = starts[s] });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_agrees_with_the_model),
        cmocka_unit_test(unit_slots_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
