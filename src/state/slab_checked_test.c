/* The slab with its checks: returns of an earlier rent, and blocks that stay out. */
#include "together_test.h"

#define RK_SLAB_CHECKED 1
#include <ringkernel/state/slab.h>

RK_SLAB(few, 4, rk_u64)

static rk_context context = { .threads = 1 };

static void a_return_of_an_earlier_rent_is_refused(void **state)
{
    (void)state;
    /* given a block that was returned and rented again */
    few slab = { 0 };
    rk_u32 first, second;
    assert_int_equal(few_rent(&context, &slab, &first), RK_OK);
    assert_int_equal(few_return(&slab, first), RK_OK);
    assert_int_equal(few_rent(&context, &slab, &second), RK_OK);
    assert_ptr_equal(few_at(&slab, first), few_at(&slab, second));
    assert_int_not_equal(first, second);

    /* when its first renter returns it once more, then that is refused, and the second has it still */
    assert_int_equal(few_return(&slab, first), RK_STALE);
    assert_int_equal(slab.refused, 1);
    assert_int_equal(few_out(&slab), 1);
    assert_int_equal(few_return(&slab, second), RK_OK);
    assert_int_equal(few_return(&slab, second), RK_STALE);
    assert_int_equal(slab.refused, 2);
    assert_int_equal(few_out(&slab), 0);
}

static void what_is_out_for_the_longest_is_found(void **state)
{
    (void)state;
    few slab = { 0 };
    rk_u32 kept, other, age;
    assert_int_equal(few_oldest(&slab, &age), 0);

    /* given a block that stays out, while others come and go, and one that is out for a while */
    assert_int_equal(few_rent(&context, &slab, &kept), RK_OK);
    for (rk_u32 n = 0; n < 70000; n++) { /* more often than its number can say */
        assert_int_equal(few_rent(&context, &slab, &other), RK_OK);
        assert_int_equal(few_return(&slab, other), RK_OK);
    }
    assert_int_equal(few_rent(&context, &slab, &other), RK_OK);

    /* then it is found, with its age, and after it the other one */
    assert_int_equal(few_oldest(&slab, &age), kept);
    assert_int_equal(age, 70001);
    assert_int_equal(few_return(&slab, kept), RK_OK);
    assert_int_equal(few_oldest(&slab, &age), other);
    assert_int_equal(age, 0);
    assert_int_equal(few_return(&slab, other), RK_OK);
    assert_int_equal(few_oldest(&slab, &age), 0);
}

typedef struct shared {
    few slab;
    rk_u32 block;    /* that all of them return */
    rk_u32 returned; /* how many of them could */
} shared;

static void *return_the_same(void *argument)
{
    together *self = argument;
    shared *s = self->subject;
    if (few_return(&s->slab, s->block) == RK_OK) rk_add_u32(&s->returned, 1u, RK_RELAXED, RK_SCOPE_DEVICE);
    return 0;
}

static void of_several_that_return_one_block_at_once_one_does(void **state)
{
    (void)state;
    shared s = { .block = 0 };
    for (rk_u32 n = 0; n < 200; n++) {
        assert_int_equal(few_rent(&context, &s.slab, &s.block), RK_OK);
        s.returned = 0;
        run_together(2, return_the_same, &s);
        assert_int_equal(s.returned, 1);
        assert_int_equal(s.slab.refused, n + 1u);
        assert_int_equal(few_out(&s.slab), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_return_of_an_earlier_rent_is_refused),
        cmocka_unit_test(what_is_out_for_the_longest_is_found),
        cmocka_unit_test(of_several_that_return_one_block_at_once_one_does),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
