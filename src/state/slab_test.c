/* The slab against a plain table of who has what, at each limit, and with several threads. */
#include "together_test.h"

/* What others do between a look and the setting of a bit. */
static void (*meanwhile)(void);
static _Thread_local rk_u64 looks, reads; /* so far, of this thread */
static void looked(void)
{
    looks++;
    if (meanwhile) meanwhile();
}
#define RK_SLAB_LOOKED() looked()

/* And each word that is read for it is counted. */
#include <ringkernel/device/histogram.h>
#undef rk_load_u32
#define rk_load_u32(pointer, order, scope) (reads++, __atomic_load_n(pointer, order))
#include <ringkernel/state/slab.h>

typedef struct cell {
    rk_u32 owner, number;
} cell;
RK_SLAB(single, 1, cell)
RK_SLAB(few, 3, cell)
RK_SLAB(one_leaf, 32, cell)
RK_SLAB(exact, 64, cell)
RK_SLAB(ragged, 1000, cell)
RK_SLAB(deep, 2081, cell)
RK_SLAB(most, RK_SLAB_MAX, rk_u8)

static rk_context context = { .threads = 1 };

/* At rest a word above says "full" only of what is full. */
static void summaries_are_true(RK_GLOBAL const rk_u32 *word, rk_u32 blocks)
{
    rk_u32 leaves = RK_SLAB_LEAVES(blocks), branches = RK_SLAB_BRANCHES(blocks);
    for (rk_u32 l = 0; l < leaves; l++)
        if (word[1u + l / 32u] >> l % 32u & 1u) assert_int_equal(rk_slab_leaf(word, blocks, l), RK_SLAB_ALL);
    for (rk_u32 b = 0; b < branches; b++)
        if (word[0] >> b & 1u) assert_int_equal(rk_slab_branch(word, blocks, b), RK_SLAB_ALL);
}

/* Rents all, checks that they are all different and that one more is refused, and returns all. */
#define RENT_ALL(name, blocks)                                                                          \
    do {                                                                                                \
        name *slab = fresh(sizeof *slab);                                                               \
        rk_u8 *seen = fresh((blocks) + 1u);                                                             \
        rk_u32 block;                                                                                   \
        for (rk_u32 twice = 0; twice < 2; twice++) {                                                    \
            memset(seen, 0, (blocks) + 1u);                                                             \
            for (rk_u32 n = 0; n < (blocks); n++) {                                                     \
                context.thread = n * 37u % 1024u;                                                       \
                assert_int_equal(name##_out(slab), n);                                                  \
                assert_int_equal(name##_rent(&context, slab, &block), RK_OK);                           \
                assert_in_range(block, 1, blocks);                                                      \
                assert_int_equal(seen[block]++, 0);                                                     \
                assert_ptr_equal(name##_at(slab, block), &slab->block[block - 1u]);                     \
            }                                                                                           \
            assert_int_equal(slab->word[0] | rk_slab_absent(RK_SLAB_BRANCHES(blocks), 0), RK_SLAB_ALL); \
            assert_int_equal(name##_rent(&context, slab, &block), RK_FULL);                             \
            assert_int_equal(block, 0);                                                                 \
            assert_int_equal(name##_out(slab), blocks);                                                 \
            for (rk_u32 n = 0; n < (blocks); n++) {                                                     \
                assert_int_equal(name##_return(slab, n + 1u), RK_OK);                                   \
                assert_int_equal(name##_out(slab), (blocks)-n - 1u);                                    \
            }                                                                                           \
            for (rk_u32 w = 0; w < RK_SLAB_WORDS(blocks); w++) assert_int_equal(slab->word[w], 0);      \
        }                                                                                               \
        free(seen);                                                                                     \
        free(slab);                                                                                     \
    } while (0)

static void every_block_is_rented_once_and_then_it_is_full(void **state)
{
    (void)state;
    RENT_ALL(single, 1u);
    RENT_ALL(few, 3u);
    RENT_ALL(exact, 64u);
    RENT_ALL(ragged, 1000u);
    RENT_ALL(deep, 2081u);
    RENT_ALL(most, RK_SLAB_MAX);
}

static void random_operations_do_what_a_table_does(void **state)
{
    (void)state;
    deep *slab = fresh(sizeof *slab);
    rk_u8 *out = fresh(2082);
    rk_u32 held = 0, fulls = 0;
    dice d = { 7 };
    for (rk_u32 n = 0; n < 200000; n++) {
        rk_u32 block, phase = n / 5000u % 2u; /* fills up, and empties */
        context.thread = draw_below(&d, 1024);
        if (draw_below(&d, 10) < (phase ? 3u : 8u)) {
            rk_status status = deep_rent(&context, slab, &block);
            assert_int_equal(status, held < 2081u ? RK_OK : RK_FULL);
            fulls += status == RK_FULL;
            if (status == RK_OK) {
                assert_int_equal(out[block]++, 0);
                held++;
            }
        } else {
            block = 1u + draw_below(&d, 2081);
            assert_int_equal(deep_return(slab, block), out[block] ? RK_OK : RK_STALE);
            held -= out[block];
            out[block] = 0;
        }
        assert_int_equal(deep_out(slab), held);
        if (n % 1000u == 0) summaries_are_true(slab->word, 2081);
    }
    assert_true(fulls > 0 && slab->refused > 0);
    free(out);
    free(slab);
}

/* Rents all blocks, and then each again when it is the only free one: how many looks that took, and how many words the
 * costliest rent has read. Alone, a rent looks once. */
#define COUNT_LOOKS(name, blocks, total, costliest)                       \
    do {                                                                  \
        name *slab = fresh(sizeof *slab);                                 \
        rk_u64 before = looks;                                            \
        (costliest) = 0;                                                  \
        for (rk_u32 n = 0; n < 2u * (blocks); n++) {                      \
            rk_u32 block;                                                 \
            context.thread = n * 37u % 1024u;                             \
            if (n >= (blocks)) name##_return(slab, n - (blocks) + 1u);    \
            rk_u64 read_before = reads;                                   \
            assert_int_equal(name##_rent(&context, slab, &block), RK_OK); \
            rk_u64 took = reads - read_before;                            \
            if (took > (costliest)) (costliest) = took;                   \
        }                                                                 \
        (total) = looks - before;                                         \
        free(slab);                                                       \
    } while (0)

static void a_rent_costs_the_same_of_few_blocks_as_of_many(void **state)
{
    (void)state;
    rk_u64 looks_few, looks_most, costliest_few, costliest_most;
    COUNT_LOOKS(one_leaf, 32u, looks_few, costliest_few);
    COUNT_LOOKS(most, RK_SLAB_MAX, looks_most, costliest_most);
    assert_int_equal(looks_few, 2u * 32u);
    assert_int_equal(looks_most, 2u * RK_SLAB_MAX);
    assert_int_equal(costliest_few, 7); /* `out`, three words on the way down, three that have become full */
    assert_int_equal(costliest_most, costliest_few);
}

static void returning_twice_or_what_does_not_exist_is_refused(void **state)
{
    (void)state;
    few slab = { 0 };
    rk_u32 block;
    assert_int_equal(few_rent(&context, &slab, &block), RK_OK);
    assert_int_equal(few_return(&slab, block), RK_OK);
    few before = slab;
    assert_int_equal(few_return(&slab, block), RK_STALE);
    assert_int_equal(slab.refused, 1);
    slab.refused = before.refused;
    assert_memory_equal(&slab, &before, sizeof slab);
    assert_int_equal(few_return(&slab, 0), RK_INVALID_ARGUMENT);
    assert_int_equal(few_return(&slab, 4), RK_INVALID_ARGUMENT);
    assert_int_equal(few_return(&slab, 0x10001u), RK_STALE); /* no block has such a number without checks */
}

/* A summary that was left behind by two that met: the next who finds nothing there puts it right. */
static void a_leaf_that_is_full_unannounced_is_found_out(void **state)
{
    (void)state;
    exact slab = { 0 };
    rk_u32 block;
    context.thread = 0;
    for (rk_u32 n = 0; n < 32; n++) assert_int_equal(exact_rent(&context, &slab, &block), RK_OK);
    assert_int_equal(slab.word[1], 1);
    slab.word[1] = 0;
    assert_int_equal(exact_rent(&context, &slab, &block), RK_OK);
    assert_int_equal(block, 33);
    assert_int_equal(slab.word[1], 1);
}

/* ------------------------------------------------------------------ between a look and the setting of a
 * bit */

static few watched;
static rk_u32 of_another;

static void another_takes_it(void)
{
    meanwhile = 0;
    assert_int_equal(few_rent(&context, &watched, &of_another), RK_OK);
}

static void a_block_that_another_takes_first_is_left_to_it(void **state)
{
    (void)state;
    rk_u32 block;
    context.thread = 0;
    memset(&watched, 0, sizeof watched);
    meanwhile = another_takes_it;
    assert_int_equal(few_rent(&context, &watched, &block), RK_OK);
    assert_int_equal(of_another, 1);
    assert_int_equal(block, 2);
    assert_int_equal(few_out(&watched), 2);
}

/* Two blocks out of three are out, and which of them changes whenever somebody looks. */
static void the_last_one_moves(void) { watched.word[2] = watched.word[2] == 3u ? 6u : 3u; }

static void who_is_never_fast_enough_is_told_and_nothing_has_changed(void **state)
{
    (void)state;
    rk_u32 block = 9;
    memset(&watched, 0, sizeof watched);
    watched.out = 2;
    watched.word[2] = 3;
    meanwhile = the_last_one_moves;
    for (rk_u32 n = 0; n < 3; n++) { /* what a failed try sets is taken back by the others here */
        assert_int_equal(few_rent(&context, &watched, &block), RK_BUSY);
        assert_int_equal(block, 0);
        assert_int_equal(few_out(&watched), 2);
    }
    meanwhile = 0;
    the_last_one_moves();
    assert_int_equal(few_rent(&context, &watched, &block), RK_OK);
    assert_int_equal(few_rent(&context, &watched, &block), RK_FULL);
}

/* ------------------------------------------------------------------ several threads */

#define TURNS 20000u

/* As many threads as blocks, each with one at most: nobody is ever told that it is full. */
static void *one_at_a_time(void *argument)
{
    together *self = argument;
    few *slab = self->subject;
    for (rk_u32 n = 0; n < TURNS; n++) {
        rk_u32 block;
        rk_status status = few_rent(&self->context, slab, &block);
        if (status == RK_BUSY) continue;
        if (status != RK_OK) {
            self->wrong++;
            continue;
        }
        few_at(slab, block)->owner = self->context.thread;
        few_at(slab, block)->number = n;
        together_breathe(self);
        self->wrong += few_at(slab, block)->owner != self->context.thread || few_at(slab, block)->number != n;
        self->wrong += few_return(slab, block) != RK_OK;
    }
    return 0;
}

static void threads_with_a_block_each_never_find_it_full(void **state)
{
    (void)state;
    few slab = { 0 };
    run_together(3, one_at_a_time, &slab);
    assert_int_equal(few_out(&slab), 0);
    assert_int_equal(slab.refused, 0);
    summaries_are_true(slab.word, 3);
}

/* Each holds up to 30 of 64: what is full and what has room changes all the time. */
static void *thirty_at_a_time(void *argument)
{
    together *self = argument;
    exact *slab = self->subject;
    rk_u32 held[30], count = 0;
    for (rk_u32 n = 0; n < TURNS; n++) {
        rk_u32 block;
        if (count < 30u && draw_below(&self->draws, 2)) {
            rk_status status = exact_rent(&self->context, slab, &block);
            self->wrong += status != RK_OK && status != RK_FULL && status != RK_BUSY;
            if (status != RK_OK) continue;
            exact_at(slab, block)->owner = self->context.thread;
            held[count++] = block;
        } else if (count) {
            rk_u32 which = draw_below(&self->draws, count);
            self->wrong += exact_at(slab, held[which])->owner != self->context.thread;
            self->wrong += exact_return(slab, held[which]) != RK_OK;
            held[which] = held[--count];
        }
        together_breathe(self);
    }
    while (count) self->wrong += exact_return(slab, held[--count]) != RK_OK;
    return 0;
}

static void no_block_is_with_two_threads_at_once(void **state)
{
    (void)state;
    exact slab = { 0 };
    run_together(4, thirty_at_a_time, &slab);
    assert_int_equal(exact_out(&slab), 0);
    assert_int_equal(slab.refused, 0);
    summaries_are_true(slab.word, 64);
    rk_u32 block; /* and all of them are there */
    for (rk_u32 n = 0; n < 64; n++) assert_int_equal(exact_rent(&context, &slab, &block), RK_OK);
    assert_int_equal(exact_rent(&context, &slab, &block), RK_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_rented_once_and_then_it_is_full),
        cmocka_unit_test(random_operations_do_what_a_table_does),
        cmocka_unit_test(a_rent_costs_the_same_of_few_blocks_as_of_many),
        cmocka_unit_test(returning_twice_or_what_does_not_exist_is_refused),
        cmocka_unit_test(a_leaf_that_is_full_unannounced_is_found_out),
        cmocka_unit_test(a_block_that_another_takes_first_is_left_to_it),
        cmocka_unit_test(who_is_never_fast_enough_is_told_and_nothing_has_changed),
        cmocka_unit_test(threads_with_a_block_each_never_find_it_full),
        cmocka_unit_test(no_block_is_with_two_threads_at_once),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
