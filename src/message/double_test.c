/* A double beside an integer, by its bits as by the processor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ringkernel/device/double.h>
#include <string.h>

static void assert_compares(double value, rk_i32 with)
{
    rk_u64 bits;
    memcpy(&bits, &value, sizeof bits);
    rk_i32 expected = value < with ? -1 : value > with ? 1 : value == with ? 0 : RK_UNORDERED;
    if (rk_f64_bits_compare(bits, with) != expected || rk_f64_compare(value, with) != expected)
        fail_msg("%.17g beside %d: %d by bits, %d by value, not %d", value, with,
                 rk_f64_bits_compare(bits, with), rk_f64_compare(value, with), expected);
}

/* The double whose bits are so many further. */
static double next_to(double value, rk_u64 further)
{
    rk_u64 bits;
    memcpy(&bits, &value, sizeof bits);
    bits += further;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* An integer, and what lies nearest to it on both sides; all that is special. */
static void assert_compares_around(rk_i32 with)
{
    double at = with;
    double near[] = { at,     next_to(at, 1), next_to(at, ~0ull), at - 0.5,  at + 0.5, -at,   0.0,   -0.0,
                      5e-324, -5e-324,        INFINITY,           -INFINITY, NAN,      1e308, -1e308 };
    for (size_t i = 0; i < sizeof near / sizeof *near; i++) assert_compares(near[i], with);
}

static void a_double_beside_the_integers_that_are_special(void **state)
{
    (void)state;
    static const rk_i32 special[] = {
        0, 1, -1, 2, -2, 24, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1
    };
    for (size_t i = 0; i < sizeof special / sizeof *special; i++) assert_compares_around(special[i]);
}

static void a_double_beside_each_power_of_two_and_its_neighbours(void **state)
{
    (void)state;
    for (rk_i32 power = 0; power < 31; power++)
        for (rk_i32 off = -1; off <= 1; off++) {
            assert_compares_around((1 << power) + off);
            assert_compares_around(-(1 << power) - off);
        }
}

static void any_bits_beside_any_integer(void **state)
{
    (void)state;
    rk_u64 random = 88172645463325252u;
    for (rk_u32 i = 0; i < 1000000; i++) {
        double value;
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        memcpy(&value, &random, sizeof value);
        assert_compares(value, (rk_i32)(random >> 20));
        assert_compares((double)(rk_i64)random / 4294967296.0, (rk_i32)(random >> 32));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_double_beside_the_integers_that_are_special),
        cmocka_unit_test(a_double_beside_each_power_of_two_and_its_neighbours),
        cmocka_unit_test(any_bits_beside_any_integer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
