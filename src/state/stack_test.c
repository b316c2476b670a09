/* The stack against an array, with another thread's work in the worst place, and with several threads. */
#include "together_test.h"

/* What others do between a look and an exchange: once, and `after` looks from now. */
static void (*meanwhile)(void);
static rk_u32 after;
static void looked(void)
{
    if (!meanwhile || after-- > 0) return;
    void (*work)(void) = meanwhile;
    meanwhile = 0;
    work();
}
#define RK_STACK_LOOKED() looked()
#include <ringkernel/state/stack.h>

typedef struct item {
    rk_u32 from, number;
} item;
RK_STACK(pile, 100, item)
RK_STACK(lone, 1, rk_u64)

static rk_context context = { .threads = 1 };

static void random_operations_do_what_an_array_does(void **state)
{
    (void)state;
    pile *stack = fresh(sizeof *stack);
    item reference[100];
    rk_u32 count = 0, fulls = 0, empties = 0;
    dice d = { 3 };
    for (rk_u32 n = 0; n < 100000; n++) {
        item i = { (rk_u32)draw(&d), n };
        if (draw_below(&d, 10) < (n / 1000u % 2u ? 3u : 7u)) {
            rk_status status = pile_push(&context, stack, &i);
            assert_int_equal(status, count < 100u ? RK_OK : RK_FULL);
            fulls += status == RK_FULL;
            if (status == RK_OK) reference[count++] = i;
        } else {
            rk_status status = pile_pop(stack, &i);
            assert_int_equal(status, count ? RK_OK : RK_EMPTY);
            empties += status == RK_EMPTY;
            if (status == RK_OK) assert_memory_equal(&i, &reference[--count], sizeof i);
        }
        assert_int_equal(pile_count(stack), count);
    }
    assert_true(fulls > 0 && empties > 0);
    free(stack);
}

static void a_stack_of_one_entry_is_full_with_it(void **state)
{
    (void)state;
    lone stack = { .entry = { 0 } };
    rk_u64 value = 7, other = 8;
    assert_int_equal(lone_pop(&stack, &value), RK_EMPTY);
    assert_int_equal(lone_push(&context, &stack, &value), RK_OK);
    assert_int_equal(lone_push(&context, &stack, &other), RK_FULL);
    assert_int_equal(lone_pop(&stack, &other), RK_OK);
    assert_int_equal(other, 7);
}

/* ------------------------------------------------------------------ between a look and an exchange */

static pile shared;
static rk_u32 kept_number, kept_top;

/* Pops two and pushes the first again, by a thread that looks for a block where the first one's was: it is
 * on top once more, over another one. */
static void pop_two_and_push_the_first(void)
{
    item first = { 0, 0 }, second = { 0, 0 };
    rk_context third = { .thread = 2, .threads = 3 };
    assert_int_equal(pile_pop(&shared, &first), RK_OK);
    assert_int_equal(pile_pop(&shared, &second), RK_OK);
    assert_int_equal(pile_push(&third, &shared, &first), RK_OK);
    kept_number = second.number;
    kept_top = (rk_u32)shared.top.tag_and_block;
}

static void an_entry_that_comes_back_is_not_taken_for_what_it_was(void **state)
{
    (void)state;
    /* given three entries, and one who has seen the top and what is under it */
    memset(&shared, 0, sizeof shared);
    for (rk_u32 n = 1; n <= 3; n++) assert_int_equal(pile_push(&context, &shared, &(item){ 0, n }), RK_OK);
    rk_u32 top = (rk_u32)shared.top.tag_and_block;
    meanwhile = pop_two_and_push_the_first;
    after = 0;

    /* when others take both away and push the first again, which lands in the same block */
    item got;
    assert_int_equal(pile_pop(&shared, &got), RK_OK);
    assert_null(meanwhile);
    assert_int_equal(kept_top, top);

    /* then each entry is popped once: 2 by the others, 3 here, and 1 is what is left */
    assert_int_equal(kept_number, 2);
    assert_int_equal(got.number, 3);
    assert_int_equal(pile_count(&shared), 1);
    assert_int_equal(pile_pop(&shared, &got), RK_OK);
    assert_int_equal(got.number, 1);
    assert_int_equal(pile_pop(&shared, &got), RK_EMPTY);
}

/* Always faster: the tag is never what it was. */
static void be_faster(void)
{
    shared.top.tag_and_block += 1ull << 32;
    meanwhile = be_faster;
    after = 0;
}

static void who_is_never_fast_enough_is_told_and_nothing_has_changed(void **state)
{
    (void)state;
    memset(&shared, 0, sizeof shared);
    item i = { 1, 2 };
    assert_int_equal(pile_push(&context, &shared, &i), RK_OK);
    be_faster();
    assert_int_equal(pile_push(&context, &shared, &i), RK_BUSY);
    assert_int_equal(pile_pop(&shared, &i), RK_BUSY);
    meanwhile = 0;
    assert_int_equal(pile_count(&shared), 1);
    assert_int_equal(pile_pop(&shared, &i), RK_OK);
    assert_int_equal(pile_pop(&shared, &i), RK_EMPTY);
}

/* ------------------------------------------------------------------ several threads */

#define EACH 20000u
static rk_u8 popped[TOGETHER_MOST][EACH]; /* by whom it was pushed, and its number */

static void pop_one(together *self, pile *stack)
{
    item i;
    rk_status status = pile_pop(stack, &i);
    if (status == RK_OK)
        __atomic_fetch_add(&popped[i.from][i.number], 1, __ATOMIC_RELAXED);
    else
        self->wrong += status != RK_EMPTY && status != RK_BUSY;
}

static void *push_and_pop(void *argument)
{
    together *self = argument;
    pile *stack = self->subject;
    for (rk_u32 n = 0; n < EACH; together_breathe(self)) {
        rk_status status = pile_push(&self->context, stack, &(item){ self->context.thread, n });
        n += status == RK_OK;
        self->wrong += status != RK_OK && status != RK_FULL && status != RK_BUSY;
        if (status != RK_OK || draw_below(&self->draws, 2)) pop_one(self, stack);
    }
    return 0;
}

static void what_threads_push_is_popped_once(void **state)
{
    (void)state;
    pile *stack = fresh(sizeof *stack);
    item i;
    meanwhile = 0;
    memset(popped, 0, sizeof popped);
    run_together(4, push_and_pop, stack);
    while (pile_pop(stack, &i) == RK_OK) popped[i.from][i.number]++;
    for (rk_u32 t = 0; t < 4; t++)
        for (rk_u32 n = 0; n < EACH; n++) assert_int_equal(popped[t][n], 1);
    assert_int_equal(pile_count(stack), 0);
    free(stack);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_do_what_an_array_does),
        cmocka_unit_test(a_stack_of_one_entry_is_full_with_it),
        cmocka_unit_test(an_entry_that_comes_back_is_not_taken_for_what_it_was),
        cmocka_unit_test(who_is_never_fast_enough_is_told_and_nothing_has_changed),
        cmocka_unit_test(what_threads_push_is_popped_once),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
