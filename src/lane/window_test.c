/* The window's hash table: open addressing without tombstones, against a model that remembers in a plain
 * list. */
#include "lane_fixture_test.h"

/* Ids whose place in a table is one of the last two, so that their runs go over the end of it. */
static rk_u64 id_near_the_end(rk_u32 mask, rk_u64 *seed)
{
    for (;;) {
        rk_u64 id = rk_hash64(++*seed);
        if (id && ((rk_u32)rk_hash64(id) & mask) >= mask - 1u) return id;
    }
}

static void the_table_agrees_with_a_list(const rk_u64 *pool, rk_u32 pool_size, rk_u32 window,
                                         rk_u32 operations)
{
    arena a = arena_open(1u << 20);
    rk_lane *lane = lane_lay(&a, (lane_shape){ .window = window, .slot_size = 128 });
    const rk_u64 *table = (const rk_u64 *)(a.base + lane->window_table);
    rk_u64 list[1024]; /* the last `window` accepted, in a circle */
    rk_u64 count = 0;
    for (rk_u32 i = 0; i < operations; i++) {
        rk_u64 id = pool[rk_hash64(i) % pool_size];
        rk_u32 known = 0;
        for (rk_u64 k = 0; k < window && k < count; k++) known |= list[k] == id;

        assert_int_equal(table[rk_window_find(table, lane->window_mask, id)] == id, known);

        if (!known) {
            rk_window_remember(lane, a.base, id);
            list[count++ % window] = id;
        }
    }
    rk_u32 entries = 0;
    for (rk_u32 at = 0; at <= lane->window_mask; at++) entries += table[at] != 0;
    assert_int_equal(entries, count < window ? count : window);
    assert_int_equal(lane->window_count, count);
    arena_close(&a);
}

static void the_window_agrees_with_a_list_over_a_million_operations(void **state)
{
    (void)state;
    rk_u64 pool[64];
    for (rk_u32 i = 0; i < 64u; i++) pool[i] = rk_hash64(i + 1u);
    the_table_agrees_with_a_list(pool, 64, 16, rounds(1000000));
    the_table_agrees_with_a_list(pool, 20, 16, rounds(200000));
}

static void runs_that_go_over_the_end_of_the_table_agree_with_a_list(void **state)
{
    (void)state;
    rk_u64 pool[64];
    rk_u64 seed = 0;
    for (rk_u32 i = 0; i < 48u; i++) pool[i] = id_near_the_end(31, &seed);
    for (rk_u32 i = 48; i < 64u; i++) pool[i] = rk_hash64(i + 1u);
    the_table_agrees_with_a_list(pool, 48, 16, rounds(500000));
    the_table_agrees_with_a_list(pool, 64, 16, rounds(500000));
}

static void windows_of_any_size_agree_with_a_list(void **state)
{
    (void)state;
    static rk_u64 pool[2048];
    for (rk_u32 i = 0; i < 2048u; i++) pool[i] = ((rk_u64)i << 32) | 7u; /* the low words agree */
    for (rk_u64 id = 0; id < 2048u; id++)
        if (pool[id] == 7u) pool[id] = 1;
    for (rk_u32 window = 16; window <= 1024u; window += window < 20u ? 1u : window / 3u)
        the_table_agrees_with_a_list(pool, 2u * window, window, rounds(20000));
    the_table_agrees_with_a_list(pool, 2048, 1024, rounds(20000));
}

/* A run of three over the end of the table loses its first, its middle and its last: the others are still
 * found. */
static void forgetting_inside_a_run_keeps_the_others_within_reach(void **state)
{
    (void)state;
    rk_u64 seed = 0;
    rk_u64 ids[4];
    for (rk_u32 i = 0; i < 4u; i++) ids[i] = id_near_the_end(7, &seed);
    for (rk_u32 gone = 0; gone < 4u; gone++) {
        rk_u64 table[8] = { 0 };
        for (rk_u32 i = 0; i < 4u; i++) table[rk_window_find(table, 7, ids[i])] = ids[i];

        rk_window_forget(table, 7, ids[gone]);

        for (rk_u32 i = 0; i < 4u; i++)
            assert_int_equal(table[rk_window_find(table, 7, ids[i])], i == gone ? 0 : ids[i]);
    }
}

/* Ids that are taken and refused by a whole lane, window and capacity of different sizes, against the
 * model. */
static void the_lane_answers_as_the_list_says(void **state)
{
    (void)state;
    arena a = arena_open(1u << 20);
    rk_lane *lane = lane_lay(
        &a,
        (lane_shape){ .capacity = 64, .window = 24, .slot_size = 128, .strategy = RK_BACKPRESSURE_REJECT });
    consumer c;
    consumer_open(&c, &a, lane, lane_lay(&a, (lane_shape){ 0 }), 64);
    rk_u64 list[24];
    rk_u64 count = 0;
    rk_u32 depth = 0;
    rk_u32 answers[2] = { 0, 0 };
    for (rk_u32 i = 0; i < rounds(1000000); i++) {
        rk_u64 random = rk_hash64(i);
        rk_u64 id = 1u + random % 60u + (random >> 20) % 2u * 0x100000000ull;
        rk_u32 known = 0;
        for (rk_u64 k = 0; k < 24u && k < count; k++) known |= list[k] == id;
        rk_status expected = known ? RK_DUPLICATE : depth == 64u ? RK_FULL : RK_OK;

        assert_int_equal(lane_put_number(lane, &a, i, 0, id), expected);

        if (expected == RK_OK) {
            list[count++ % 24u] = id;
            depth++;
        } else {
            answers[expected == RK_FULL]++;
        }
        if ((random >> 40) % 60u == 0) {
            rk_u32 got[64];
            depth -= lane_take_numbers(&c, 64, got);
        }
    }
    assert_true(answers[0] > 100 && answers[1] > 100);
    arena_close(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_agrees_with_a_list_over_a_million_operations),
        cmocka_unit_test(runs_that_go_over_the_end_of_the_table_agree_with_a_list),
        cmocka_unit_test(windows_of_any_size_agree_with_a_list),
        cmocka_unit_test(forgetting_inside_a_run_keeps_the_others_within_reach),
        cmocka_unit_test(the_lane_answers_as_the_list_says),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
