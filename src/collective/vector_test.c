/* Helpers on arrays against plain loops, for every length up to a bound and at every alignment; nothing
 * beside an array is touched, and a sum of floats has the same bits wherever the array lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <ringkernel/collective/vector.h>

enum { MOST = 5000, MARGIN = 32 };
static rk_context context = { .threads = 1 };
static rk_u8 memory[2][MOST * 4 + 2 * MARGIN + 16] __attribute__((aligned(16)));
static rk_u8 expected[sizeof memory[0]];
static rk_u32 lane[RK_VECTOR_LANES];
static rk_f32 float_lane[RK_VECTOR_LANES];

static rk_u32 next_length(rk_u32 n)
{
    static const rk_u32 beyond[] = { 255,  256,  257,  1020, 1021, 1022, 1023, 1024, 1025, 1026,
                                     1027, 1028, 1029, 2047, 2048, 2049, 3073, 4999, MOST };
    if (n < 70) return n + 1;
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        if (beyond[i] > n) return beyond[i];
    return MOST + 1;
}

static void fill(void)
{
    for (rk_u32 m = 0; m < 2; m++)
        for (size_t i = 0; i < sizeof memory[0]; i++)
            memory[m][i] = (rk_u8)((i * 2654435761u >> 9) + m * 77u);
    memcpy(expected, memory[0], sizeof expected);
}

static void copies_take_every_length_from_and_to_every_address(void **state)
{
    (void)state;
    for (rk_u32 to = 0; to < 16; to++)
        for (rk_u32 from = 0; from < 16; from++)
            for (rk_u32 n = 0; n <= MOST; n = next_length(n)) {
                if (n > 300 && from != to && from != 0) continue;
                fill();
                memcpy(expected + MARGIN + to, memory[1] + MARGIN + from, n);
                rk_vector_copy(&context, memory[0] + MARGIN + to, memory[1] + MARGIN + from, n);
                assert_memory_equal(memory[0], expected, sizeof expected);
            }
}

static rk_u32 *words(rk_u8 *at, rk_u32 offset) { return (rk_u32 *)(void *)(at + MARGIN) + offset; }
static rk_f32 *floats(rk_u8 *at, rk_u32 offset) { return (rk_f32 *)(void *)(at + MARGIN) + offset; }

static void sums_and_products_take_every_length_at_every_alignment(void **state)
{
    (void)state;
    for (rk_u32 to = 0; to < 4; to++)
        for (rk_u32 from = 0; from < 4; from++)
            for (rk_u32 n = 0; n <= MOST; n = next_length(n)) {
                fill();
                rk_u32 sum = 0;
                for (rk_u32 i = 0; i < n; i++) words(expected, to)[i] += words(memory[1], from)[i];
                rk_vector_add_u32(&context, words(memory[0], to), words(memory[1], from), n);
                assert_memory_equal(memory[0], expected, sizeof expected);

                for (rk_u32 i = 0; i < n; i++) sum += words(expected, to)[i] *= 3u + from;
                rk_vector_scale_u32(&context, words(memory[0], to), n, 3u + from);
                assert_memory_equal(memory[0], expected, sizeof expected);
                assert_int_equal(rk_vector_sum_u32(&context, lane, words(memory[0], to), n), sum);
                assert_memory_equal(memory[0], expected, sizeof expected);
            }
}

static void an_array_is_added_to_itself(void **state)
{
    (void)state;
    fill();
    for (rk_u32 i = 0; i < 101; i++) words(expected, 1)[i] *= 2u;
    rk_vector_add_u32(&context, words(memory[0], 1), words(memory[0], 1), 101);
    assert_memory_equal(memory[0], expected, sizeof expected);
}

static rk_f32 value_of(rk_u32 i) { return (rk_f32)(i * 2654435761u >> 8) * 1e-3f - 5e3f; }

/* As the header says: a lane for each place modulo 1,024, then by halves. */
static rk_f32 sum_by_definition(const rk_f32 *v, rk_u32 n)
{
    static rk_f32 l[RK_VECTOR_LANES];
    memset(l, 0, sizeof l);
    for (rk_u32 i = 0; i < n; i++) l[i % RK_VECTOR_LANES] += v[i];
    for (rk_u32 left = n < RK_VECTOR_LANES ? n : RK_VECTOR_LANES; left > 1; left = (left + 1u) / 2u)
        for (rk_u32 i = 0; i < left / 2u; i++) l[i] += l[i + (left + 1u) / 2u];
    return n ? l[0] : 0;
}

static void a_sum_of_floats_has_the_same_bits_at_every_alignment(void **state)
{
    (void)state;
    for (rk_u32 n = 0; n <= MOST; n = next_length(n))
        for (rk_u32 at = 0; at < 4; at++) {
            for (rk_u32 i = 0; i < n; i++) floats(memory[0], at)[i] = value_of(i);
            const rk_f32 by_definition = sum_by_definition(floats(memory[0], at), n);
            const rk_f32 sum = rk_vector_sum_f32(&context, float_lane, floats(memory[0], at), n);
            assert_memory_equal(&sum, &by_definition, sizeof sum);
        }
}

static void floats_are_added_and_scaled(void **state)
{
    (void)state;
    for (rk_u32 at = 0; at < 4; at++)
        for (rk_u32 n = 0; n <= 300; n++) {
            for (rk_u32 i = 0; i < n; i++) floats(memory[0], at)[i] = floats(memory[1], 1)[i] = value_of(i);
            rk_vector_add_f32(&context, floats(memory[0], at), floats(memory[1], 1), n);
            rk_vector_scale_f32(&context, floats(memory[0], at), n, 0.25f);
            for (rk_u32 i = 0; i < n; i++) assert_true(floats(memory[0], at)[i] == value_of(i) * 0.5f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_take_every_length_from_and_to_every_address),
        cmocka_unit_test(sums_and_products_take_every_length_at_every_alignment),
        cmocka_unit_test(an_array_is_added_to_itself),
        cmocka_unit_test(a_sum_of_floats_has_the_same_bits_at_every_alignment),
        cmocka_unit_test(floats_are_added_and_scaled),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
