/* Moving averages against sums over an array, the exact sums that they stand on against integers of 128 bits,
 * and exponential ones. */
#include "state_fixture_test.h"

#include <float.h>

#include <ringkernel/state/average.h>

__extension__ typedef __int128 wide;

#define VALUES 24u
RK_AVERAGE(integers, VALUES, rk_i64)
RK_AVERAGE(counts, 3, rk_u32)
RK_AVERAGE(singles, VALUES, rk_f32)
RK_AVERAGE(doubles, VALUES, rk_f64)
RK_AVERAGE(last, 1, rk_f64)

static rk_f64 power_of_two(rk_i32 exponent)
{
    rk_f64 p = 1;
    for (; exponent > 0; exponent--) p *= 2;
    for (; exponent < 0; exponent++) p /= 2;
    return p;
}

/* Rounded to as many bits as a type has, ties to even, as the conversion from an integer is. */
static rk_f64 double_of(wide units) { return (rk_f64)units; }
static rk_f32 single_of(wide units) { return (rk_f32)units; }

static void integers_are_averaged_exactly(void **state)
{
    (void)state;
    integers *average = fresh(sizeof *average);
    rk_i64 kept[4000];
    dice d = { 1 };
    assert_int_equal(integers_mean(average), 0);
    for (rk_u32 n = 0; n < 4000; n++) {
        kept[n] = (rk_i64)draw(&d) >> (8u + draw_below(&d, 50));
        assert_int_equal(integers_add(average, kept[n]), RK_OK);
        rk_u32 count = n + 1u < VALUES ? n + 1u : VALUES;
        wide sum = 0;
        for (rk_u32 i = 0; i < count; i++) sum += kept[n - i];
        assert_int_equal(average->count, count);
        assert_true(integers_sum(average) == sum);
        assert_true(integers_mean(average) == sum / count);
    }
    free(average);
}

static void a_sum_that_is_too_large_for_a_while_is_right_afterwards(void **state)
{
    (void)state;
    integers *average = fresh(sizeof *average);
    for (rk_u32 i = 0; i < 5; i++) integers_add(average, INT64_MAX);
    for (rk_u32 i = 0; i < VALUES; i++) integers_add(average, -3);
    assert_int_equal(integers_sum(average), -3 * (rk_i64)VALUES);
    free(average);
    counts of_counts = { .count = 0 };
    for (rk_u32 i = 0; i < 5; i++) counts_add(&of_counts, UINT32_MAX);
    assert_int_equal(counts_sum(&of_counts), 3ll * UINT32_MAX);
    assert_int_equal(counts_mean(&of_counts), UINT32_MAX);
}

/* Values with up to 53 bits over a range of 40 binary places, so that sums have to be rounded. */
static void doubles_are_summed_as_if_exactly_and_rounded_once(void **state)
{
    (void)state;
    for (rk_i32 scale = -1074; scale <= 860; scale += 967) { /* also where numbers are subnormal */
        doubles *average = fresh(sizeof *average);
        wide kept[4000];
        dice d = { 2 };
        const rk_f64 unit = power_of_two(scale);
        for (rk_u32 n = 0; n < 4000; n++) {
            rk_u32 bits = draw_below(&d, 53) + 1u;
            kept[n] = (wide)(draw(&d) >> (64u - bits)) << draw_below(&d, 54u - (bits < 53u ? bits : 53u));
            if (draw_below(&d, 2)) kept[n] = -kept[n];
            if (scale > -1074) kept[n] *= (wide)1 << draw_below(&d, 41);
            assert_int_equal(doubles_add(average, double_of(kept[n]) * unit), RK_OK);
            rk_u32 count = n + 1u < VALUES ? n + 1u : VALUES;
            wide sum = 0;
            for (rk_u32 i = 0; i < count; i++) sum += kept[n - i];
            assert_true(doubles_sum(average) == double_of(sum) * unit);
            assert_true(doubles_mean(average) == double_of(sum) * unit / count);
        }
        free(average);
    }
}

static void singles_are_summed_as_if_exactly_and_rounded_once(void **state)
{
    (void)state;
    for (rk_i32 scale = -149; scale <= 40; scale += 63) {
        singles *average = fresh(sizeof *average);
        wide kept[4000];
        dice d = { 3 };
        const rk_f32 unit = (rk_f32)power_of_two(scale);
        for (rk_u32 n = 0; n < 4000; n++) {
            rk_u32 bits = draw_below(&d, 24) + 1u;
            kept[n] = (wide)(draw(&d) >> (64u - bits)) << draw_below(&d, 40);
            if (draw_below(&d, 2)) kept[n] = -kept[n];
            assert_int_equal(singles_add(average, single_of(kept[n]) * unit), RK_OK);
            rk_u32 count = n + 1u < VALUES ? n + 1u : VALUES;
            wide sum = 0;
            for (rk_u32 i = 0; i < count; i++) sum += kept[n - i];
            assert_true(singles_sum(average) == single_of(sum) * unit);
            assert_true(singles_mean(average) == single_of(sum) * unit / (rk_f32)count);
        }
        free(average);
    }
}

static void ties_go_to_even_and_what_lies_far_below_decides(void **state)
{
    (void)state;
    const rk_f64 one_and_half_a_bit = power_of_two(-53), tiny = 4.9406564584124654e-324;
    const struct {
        rk_f64 a, b, c, sum;
    } rows[] = {
        { 1, one_and_half_a_bit, 0, 1 },                                 /* a tie, to even */
        { 1, one_and_half_a_bit, tiny, 1 + DBL_EPSILON },                /* above it by next to nothing */
        { 1, one_and_half_a_bit, -tiny, 1 },                             /* and below */
        { 1 + DBL_EPSILON, one_and_half_a_bit, 0, 1 + 2 * DBL_EPSILON }, /* a tie, up to even */
        { -1, -one_and_half_a_bit, -tiny, -1 - DBL_EPSILON },
        { DBL_MAX, 1, -DBL_MAX, 1 },
        { tiny, -tiny, 0, 0 },
        { DBL_MIN, -tiny, 0, DBL_MIN - tiny }, /* the largest subnormal */
        { DBL_MAX, DBL_MAX, -DBL_MAX, DBL_MAX },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        doubles average = { .count = 0 };
        doubles_add(&average, rows[i].a);
        doubles_add(&average, rows[i].b);
        doubles_add(&average, rows[i].c);
        assert_true(doubles_sum(&average) == rows[i].sum);
    }
    doubles over = { .count = 0 };
    doubles_add(&over, -DBL_MAX);
    doubles_add(&over, -DBL_MAX);
    assert_true(doubles_sum(&over) == -__builtin_inf());
    doubles_add(&over, DBL_MAX);
    assert_true(doubles_sum(&over) == -DBL_MAX);
}

static void nothing_is_left_of_a_value_that_has_gone(void **state)
{
    (void)state;
    doubles *average = fresh(sizeof *average);
    singles *of_singles = fresh(sizeof *of_singles);
    for (rk_u32 n = 0; n < 100000; n++) { /* a running sum of doubles would be off by hundreds */
        doubles_add(average, n % 100u == 0 ? 1e300 : 0.1);
        singles_add(of_singles, n % 100u == 0 ? -3e38f : 0.1f);
        if (n % 100u < VALUES) continue;
        rk_sum_rk_f64 alone = { { 0 } };
        for (rk_u32 i = 0; i < VALUES; i++) rk_sum_add_rk_f64(&alone, 0.1);
        assert_memory_equal(&average->sum, &alone, sizeof alone);
        assert_true(doubles_sum(average) == 2.4000000000000004); /* the tie below it is odd */
        assert_true(singles_sum(of_singles) == 2.4f);
    }
    free(average);
    free(of_singles);
}

static void what_has_no_sum_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    const rk_f64 infinity = __builtin_inf();
    last average = { .count = 0 };
    last_add(&average, 5);
    const last before = average;
    assert_int_equal(last_add(&average, infinity), RK_INVALID_ARGUMENT);
    assert_int_equal(last_add(&average, -infinity), RK_INVALID_ARGUMENT);
    assert_int_equal(last_add(&average, infinity - infinity), RK_INVALID_ARGUMENT);
    assert_memory_equal(&average, &before, sizeof average);
    assert_int_equal(last_add(&average, -0.0), RK_OK);
    assert_true(last_mean(&average) == 0);
}

static void an_exponential_average_moves_by_its_weight(void **state)
{
    (void)state;
    rk_exponential_f64 average = { .mean = 0 };
    assert_int_equal(rk_exponential_f64_add(&average, 8, 0.25), RK_OK);
    assert_true(average.mean == 8); /* the first one is the mean */
    assert_int_equal(rk_exponential_f64_add(&average, 4, 0.25), RK_OK);
    assert_true(average.mean == 7);
    assert_int_equal(rk_exponential_f64_add(&average, 0, 1), RK_OK);
    assert_true(average.mean == 0);
    rk_exponential_f32 single = { .mean = 0 };
    for (rk_u32 i = 0; i < 1000; i++) rk_exponential_f32_add(&single, 0.1f, 0.3f);
    assert_true(single.mean == 0.1f);
}

static void an_exponential_average_refuses_what_it_cannot_use(void **state)
{
    (void)state;
    const rk_f64 infinity = __builtin_inf();
    rk_exponential_f64 average = { .mean = -DBL_MAX, .started = 1 };
    const struct {
        rk_f64 value, weight;
    } rows[] = { { 1, 0 },          { 1, -0.5 },     { 1, 1.0000001 }, { 1, infinity - infinity },
                 { infinity, 0.5 }, { DBL_MAX, 0.5 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(rk_exponential_f64_add(&average, rows[i].value, rows[i].weight),
                         RK_INVALID_ARGUMENT);
        assert_true(average.mean == -DBL_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_averaged_exactly),
        cmocka_unit_test(a_sum_that_is_too_large_for_a_while_is_right_afterwards),
        cmocka_unit_test(doubles_are_summed_as_if_exactly_and_rounded_once),
        cmocka_unit_test(singles_are_summed_as_if_exactly_and_rounded_once),
        cmocka_unit_test(ties_go_to_even_and_what_lies_far_below_decides),
        cmocka_unit_test(nothing_is_left_of_a_value_that_has_gone),
        cmocka_unit_test(what_has_no_sum_is_refused_and_changes_nothing),
        cmocka_unit_test(an_exponential_average_moves_by_its_weight),
        cmocka_unit_test(an_exponential_average_refuses_what_it_cannot_use),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
