/* What a look at all rings at once comes to (take.h): the same as one thread takes ring after ring, whatever part of
 * the rings one look sees, and whatever producers do meanwhile. The look is a block's of a device, made here unit by
 * unit, with producers in between. */
#include "lane_fixture_test.h"

#define UNITS 8u
#define LOOK_MOST 32u

/* The slots of one look, as the lanes of a block's warps hold them in registers. */
typedef struct seen_slot {
    rk_u32 image[UNITS * 3u + 1u];
    rk_u32 words;
} seen_slot;

typedef struct looker {
    consumer c;
    arena *a;
    rk_lane *lane[2];
    rk_u32 slots; /* of a ring in one look */
    rk_found found;
    seen_slot seen[2][RK_BANDS][LOOK_MOST];
    rk_u64 random;
    void (*meanwhile)(struct looker *l); /* producers, between any two loads; 0: none */
    rk_u64 sent;
} looker;

static rk_u32 draw(looker *l, rk_u32 below) { return (rk_u32)(rk_hash64(++l->random) % below); }

static void look_at_slot(looker *l, const rk_ring *ring, rk_u64 index, seen_slot *seen, rk_u32 *whole,
                         rk_u32 bit)
{
    rk_byte *slot = rk_ring_slot(ring, l->a->base, index);
    rk_u32 lap = rk_ring_lap(ring, index), count = 1, right = 1;
    for (rk_u32 u = 0; u < count && right; u++) {
        rk_unit unit = rk_load_unit((const rk_unit *)(const void *)(slot + 16u * u));
        right = unit.word[0] == lap;
        if (u == 0) count = ((ring->header_size + (unit.word[1] >> 16) + 3u) / 4u + 1u) / 3u;
        if (count > UNITS) right = 0;
        memcpy(&seen->image[1u + 3u * u], &unit.word[1], 12);
        if (l->meanwhile) l->meanwhile(l);
    }
    seen->image[0] = lap;
    seen->words = 1u + 3u * count;
    if (right) *whole |= bit;
}

static rk_ring *ring_of(const looker *l, rk_u32 which, rk_u32 band)
{
    return rk_lane_ring(l->lane[which], l->a->base, band);
}

static void look(looker *l, rk_u32 bands, rk_u64 from[2][RK_BANDS])
{
    for (rk_u32 r = 0; r < 2u * bands; r++) {
        rk_u32 which = r / bands, band = r % bands, whole = 0;
        rk_found_ring *found = &l->found.ring[which][band];
        const rk_ring *ring = ring_of(l, which, band);
        rk_u64 mark = found->next;
        rk_u32 when = draw(l, l->slots + 1u); /* the mark is read at any moment of the look */
        from[which][band] = found->next;
        for (rk_u32 i = 0; i <= l->slots; i++) {
            if (i == when && ring->overwritten) mark = ring->evicted;
            if (i < l->slots)
                look_at_slot(l, ring, found->next + i, &l->seen[which][band][i], &whole, 1u << i);
        }
        rk_found_judge(found, mark, whole, l->slots);
    }
}

/* As rk_block_take_rings (block.h) does it. */
static rk_u32 take_by_looks(looker *l, rk_u32 bands, rk_u32 most)
{
    rk_context *context = &l->c.context;
    rk_u32 again;
    memset(&l->found, 0, sizeof l->found);
    for (rk_u32 r = 0; r < 2u * bands; r++)
        l->found.ring[r / bands][r % bands].next = ring_of(l, r / bands, r % bands)->head;
    rk_take_none(context->turn);
    do {
        rk_u64 from[2][RK_BANDS];
        look(l, bands, from);
        again = rk_take_found(context, bands, most, &l->found);
        for (rk_u32 r = 0; r < 2u * bands; r++)
            for (rk_u32 i = 0; i < l->slots; i++) {
                rk_u32 which = r / bands, band = r % bands;
                const seen_slot *seen = &l->seen[which][band][i];
                rk_u32 place = rk_found_place(&l->found, context->turn->views, which * RK_BANDS + band,
                                              (rk_u32)from[which][band] + i);
                if (place == RK_NO_PLACE) continue;
                memcpy(rk_copy_slot(context, place), seen->image, 4u * seen->words);
            }
    } while (again);
    for (rk_u32 r = 0; r < 2u * bands; r++)
        rk_take_settle(ring_of(l, r / bands, r % bands), &l->found.ring[r / bands][r % bands]);
    return context->turn->n;
}

/* The numbers of the batch; it is committed. */
static rk_u32 numbers_of(consumer *c, rk_u32 *numbers)
{
    rk_u32 n = 0;
    for (rk_u32 v = 0; v < c->context.turn->views; v++) {
        const rk_view *view = &c->context.turn->view[v];
        for (rk_u32 i = 0; i < view->n; i++) {
            numbered got;
            assert_true(message_whole(rk_view_slot(view, c->context.arena, i), view->header_size, &got));
            numbers[n++] = got.number;
        }
    }
    assert_int_equal(n, c->context.turn->n);
    rk_take_commit(&c->context);
    return n;
}

static void looker_open(looker *l, arena *a, lane_shape shape, rk_u32 slots, rk_u32 max_batch)
{
    memset(l, 0, sizeof *l);
    l->a = a;
    l->slots = slots;
    shape.format = RK_FORMAT_UNIT;
    shape.slot_size = 16u * UNITS;
    for (rk_u32 which = 0; which < 2u; which++) {
        l->lane[which] = lane_lay(a, shape);
        for (rk_u32 band = 0; band < l->lane[which]->bands; band++)
            ring_of(l, which, band)->format = RK_FORMAT_UNIT; /* of DropOldest too */
    }
    consumer_open(&l->c, a, l->lane[0], l->lane[1], max_batch);
}

/* ------------------------------------------------------------------ what one look says of a ring */

static void what_was_evicted_is_gone_and_the_first_gap_ends_the_run(void **state)
{
    (void)state;
    static const struct {
        rk_u64 next, evicted;
        rk_u32 whole, looked;
        rk_u64 then, gone;
        rk_u32 n, more;
    } cases[] = {
        { 100, 0, 0x0, 8, 100, 0, 0, 0 },       /* nothing there */
        { 100, 0, 0x7, 8, 100, 0, 3, 0 },       /* three */
        { 100, 0, 0xff, 8, 100, 0, 8, 1 },      /* all that were looked at */
        { 100, 100, 0xfb, 8, 100, 0, 2, 0 },    /* the third isn't whole, what is behind it waits */
        { 100, 102, 0xfc, 8, 102, 2, 6, 1 },    /* two are gone and overwritten */
        { 100, 102, 0x1f, 8, 102, 2, 3, 0 },    /* gone, though their copies are whole */
        { 100, 102, 0xf8, 8, 102, 2, 0, 0 },    /* the third is overwritten too, its eviction unseen */
        { 100, 108, 0xff, 8, 108, 8, 0, 1 },    /* all */
        { 100, 1000, 0x0, 8, 1000, 900, 0, 1 }, /* and far more */
        { 0xfffffffffffffffful, 1, 0xc, 4, 1, 2, 2, 1 }, /* across the wrap */
        { 7, 0, 0xffffffffu, 32, 7, 0, 32, 1 },          /* as many as a look can say */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_found_ring ring = { .next = cases[i].next };
        rk_found_judge(&ring, cases[i].evicted, cases[i].whole, cases[i].looked);
        assert_int_equal(ring.next, cases[i].then);
        assert_int_equal(ring.gone, cases[i].gone);
        assert_int_equal(ring.n, cases[i].n);
        assert_int_equal(ring.more, cases[i].more);
    }
}

/* ------------------------------------------------------------------ against one thread's way */

static void a_look_takes_what_one_thread_takes(void **state)
{
    (void)state;
    for (rk_u32 bands = 1; bands <= RK_BANDS; bands += RK_BANDS - 1u) {
        /* given the same lanes twice, and the same messages in them */
        arena a = arena_open(1u << 22);
        looker *l = malloc(2u * sizeof *l);
        assert_non_null(l);
        for (rk_u32 t = 0; t < 2u; t++)
            looker_open(&l[t], &a, (lane_shape){ .capacity = 64, .bands = bands }, 16, 16);
        rk_u32 number = 0, got[2][16];
        for (rk_u32 turn = 0; turn < rounds(200000); turn++) {
            for (rk_u32 i = draw(l, 12); i-- > 0;) {
                rk_u32 which = draw(l, 2);
                rk_u8 priority = (rk_u8)draw(l, 256);
                rk_status one = lane_put_number(l[0].lane[which], &a, number, priority, 0);
                assert_int_equal(lane_put_number(l[1].lane[which], &a, number++, priority, 0), one);
            }
            /* when some are taken, then they are the same in the same order */
            rk_u32 most = 1u + draw(l, RK_VIEWS - 1u);
            rk_take(&l[1].c.context, most);
            assert_int_equal(take_by_looks(&l[0], bands, most), l[1].c.context.turn->n);
            rk_u32 n = numbers_of(&l[0].c, got[0]);
            assert_int_equal(numbers_of(&l[1].c, got[1]), n);
            assert_memory_equal(got[0], got[1], n * sizeof *got[0]);
            assert_memory_equal(l[0].c.context.turn->band_credit, l[1].c.context.turn->band_credit,
                                sizeof l->c.context.turn->band_credit);
            assert_int_equal(l[0].c.context.turn->next_lane, l[1].c.context.turn->next_lane);
        }
        free(l);
        arena_close(&a);
    }
}

/* A look that sees less of a band than its weight lets through must not favour the lower ones. */
static void narrow_looks_keep_the_shares_of_saturated_bands(void **state)
{
    (void)state;
    for (rk_u32 slots = 1; slots <= LOOK_MOST; slots *= 2u) {
        arena a = arena_open(1u << 22);
        looker *l = malloc(sizeof *l);
        assert_non_null(l);
        looker_open(l, &a, (lane_shape){ .capacity = 256, .bands = RK_BANDS }, slots, 64);
        rk_u32 of_band[RK_BANDS] = { 0 }, of_lane[2] = { 0 }, got[64], n = 0;
        for (rk_u32 which = 0; which < 2u; which++)
            for (rk_u32 i = 0; i < 64u * RK_BANDS; i++)
                assert_int_equal(lane_put_number(l->lane[which], &a, which * 1000u + i % RK_BANDS,
                                                 (rk_u8)(i % RK_BANDS * 64u), 0),
                                 RK_OK);
        while (n < 105u) { /* seven rounds of 15 */
            rk_u32 more = take_by_looks(l, RK_BANDS, n + 64u < 105u ? 64u : 105u - n);
            assert_int_not_equal(more, 0);
            assert_int_equal(numbers_of(&l->c, got), more);
            n += more;
            for (rk_u32 i = 0; i < more; i++) {
                of_band[got[i] % 1000u]++;
                of_lane[got[i] / 1000u]++;
            }
        }
        for (rk_u32 b = 0; b < RK_BANDS; b++) assert_int_equal(of_band[b], 7u << b);
        assert_true(of_lane[0] > 26u && of_lane[1] > 26u);
        free(l);
        arena_close(&a);
    }
}

/* ------------------------------------------------------------------ producers that overwrite meanwhile */

static void send_meanwhile(looker *l)
{
    static const rk_u8 priorities[RK_BANDS] = { 10, 100, 150, 250 };
    for (rk_u32 i = draw(l, 3); i-- > 0;) {
        rk_u32 which = draw(l, 2);
        message m;
        message_number(&m, 12u + draw(l, 50), 0, (rk_u32)l->sent);
        m.header.full.base.priority = priorities[draw(l, RK_BANDS)];
        if (lane_put(l->lane[which], l->a, &m) == RK_OK) l->sent++;
    }
}

static void overwritten_under_the_look_a_message_is_taken_whole_or_evicted(void **state)
{
    (void)state;
    for (rk_u32 bands = 1; bands <= RK_BANDS; bands += RK_BANDS - 1u)
        for (rk_u32 slots = 1; slots <= 8u; slots *= 2u) {
            arena a = arena_open(1u << 20);
            looker *l = malloc(sizeof *l);
            assert_non_null(l);
            looker_open(l, &a,
                        (lane_shape){ .capacity = 8,
                                      .bands = bands,
                                      .strategy = RK_BACKPRESSURE_DROP_OLDEST,
                                      .start = 0xfffffff0u },
                        slots, 16);
            l->random = slots;
            rk_u32 got[16], taken = 0;
            rk_u8 *state_of = calloc(rounds(400000) * 40u, 1);
            assert_non_null(state_of);
            for (rk_u32 turn = 0; turn < rounds(20000); turn++) {
                l->meanwhile = turn + 1u < rounds(20000) ? send_meanwhile : 0;
                rk_u32 n = take_by_looks(l, bands, 1u + draw(l, 16));
                assert_int_equal(numbers_of(&l->c, got), n);
                for (rk_u32 i = 0; i < n; i++)
                    assert_int_equal(state_of[got[i]]++, 0); /* each at most once */
                taken += n;
            }
            l->meanwhile = 0;
            while (take_by_looks(l, bands, 16)) taken += numbers_of(&l->c, got);
            rk_u64 delivered = 0, evicted = 0, accepted = 0;
            for (rk_u32 r = 0; r < 2u * bands; r++) {
                const rk_ring *ring = ring_of(l, r / bands, r % bands);
                delivered += ring->delivered;
                evicted += ring->dropped_old;
                accepted += ring->tail - ring->start;
                assert_int_equal(ring->head, ring->tail);
            }
            assert_int_equal(delivered, taken);
            assert_int_equal(accepted, l->sent);
            assert_int_equal(delivered + evicted, accepted);
            assert_true(evicted > 0 && delivered > 0);
            free(state_of);
            free(l);
            arena_close(&a);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_evicted_is_gone_and_the_first_gap_ends_the_run),
        cmocka_unit_test(a_look_takes_what_one_thread_takes),
        cmocka_unit_test(narrow_looks_keep_the_shares_of_saturated_bands),
        cmocka_unit_test(overwritten_under_the_look_a_message_is_taken_whole_or_evicted),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
