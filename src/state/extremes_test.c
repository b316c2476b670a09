/* The least and the greatest of a window against a search of it, and what adding costs. */
#include "state_fixture_test.h"

static rk_u64 looks;
#define RK_EXTREMES_LOOKED() (looks++)
#include <ringkernel/state/extremes.h>

RK_EXTREMES(lone, 1, rk_i32)
RK_EXTREMES(day, 24, rk_i32)
RK_EXTREMES(floats, 7, rk_f32)
RK_EXTREMES(large, 100000, rk_i32)

/* Falling, rising, equal, and drawn: each in its turn. */
static rk_i32 value_of(dice *d, rk_u32 n)
{
    switch (n / 200u % 4u) {
    case 0: return -(rk_i32)n;
    case 1: return (rk_i32)n;
    case 2: return 5;
    default: return (rk_i32)draw_below(d, 50) - 25;
    }
}

#define COMPARES(name, values)                                                      \
    static void compare_##name(rk_u32 number)                                       \
    {                                                                               \
        name *extremes = fresh(sizeof *extremes);                                   \
        rk_i32 kept[4000];                                                          \
        dice d = { values };                                                        \
        assert_true(name##_least(extremes) == 0 && name##_greatest(extremes) == 0); \
        extremes->number = number;                                                  \
        for (rk_u32 n = 0; n < 4000; n++) {                                         \
            rk_i32 least = kept[n] = value_of(&d, n), greatest = least;             \
            rk_u32 count = n + 1u < (values) ? n + 1u : (values);                   \
            assert_int_equal(name##_add(extremes, kept[n]), RK_OK);                 \
            for (rk_u32 i = 0; i < count; i++) {                                    \
                if (kept[n - i] < least) least = kept[n - i];                       \
                if (kept[n - i] > greatest) greatest = kept[n - i];                 \
            }                                                                       \
            assert_int_equal(extremes->count, count);                               \
            assert_true(name##_least(extremes) == least);                           \
            assert_true(name##_greatest(extremes) == greatest);                     \
        }                                                                           \
        free(extremes);                                                             \
    }
COMPARES(lone, 1u)
COMPARES(day, 24u)
COMPARES(floats, 7u)

static void they_are_what_a_search_of_the_window_finds(void **state)
{
    (void)state;
    compare_lone(0);
    compare_day(0);
    compare_floats(0);
}

static void also_when_the_numbers_of_the_values_wrap(void **state)
{
    (void)state;
    compare_lone(~0u - 1000u);
    compare_day(~0u - 1000u);
    compare_floats(~0u - 1000u);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    floats extremes = { .count = 0 };
    floats_add(&extremes, 2.5f);
    assert_int_equal(floats_add(&extremes, __builtin_nanf("")), RK_INVALID_ARGUMENT);
    assert_int_equal(floats_add(&extremes, -__builtin_inff()), RK_INVALID_ARGUMENT);
    assert_int_equal(extremes.count, 1);
    assert_true(floats_least(&extremes) == 2.5f && floats_greatest(&extremes) == 2.5f);
}

static void adding_looks_at_four_values_at_most_on_average_whatever_the_size(void **state)
{
    (void)state;
    large *extremes = fresh(sizeof *extremes);
    dice d = { 4 };
    for (rk_u32 n = 0; n < 300000; n++) large_add(extremes, value_of(&d, n));
    assert_true(looks > 0);
    looks = 0;
    for (rk_u32 n = 0; n < 300000; n++) large_add(extremes, value_of(&d, n));
    assert_true(looks <= 4u * 300000u);
    free(extremes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_what_a_search_of_the_window_finds),
        cmocka_unit_test(also_when_the_numbers_of_the_values_wrap),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(adding_looks_at_four_values_at_most_on_average_whatever_the_size),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
