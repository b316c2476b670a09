/* What our tests use of cmocka, for machines that have a compiler and nothing else: the same names, the same
 * lines of output, and no more. The build takes it where cmocka isn't installed (or RK_MINIMAL_CMOCKA is on).
 * A failed check prints file and line and jumps out of its test; a crash ends the program. One thread: checks
 * are for the test's own. */
#ifndef RINGKERNEL_TESTS_MINIMAL_CMOCKA_H
#define RINGKERNEL_TESTS_MINIMAL_CMOCKA_H

#include <stddef.h>
#include <stdint.h>

typedef uintmax_t LargestIntegralType;
#define cast_to_largest_integral_type(value) ((LargestIntegralType)(value))

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state; /* 0: what the group's set-up left */
};

#define cmocka_unit_test_setup_teardown(test, set_up, tear_down) \
    {                                                            \
#test, test, set_up, tear_down, 0                        \
    }
#define cmocka_unit_test(test) cmocka_unit_test_setup_teardown(test, 0, 0)
#define cmocka_unit_test_setup(test, set_up) cmocka_unit_test_setup_teardown(test, set_up, 0)
#define cmocka_unit_test_teardown(test, tear_down) cmocka_unit_test_setup_teardown(test, 0, tear_down)

#define cmocka_run_group_tests_name(name, tests, set_up, tear_down) \
    _cmocka_run_group_tests(name, tests, sizeof(tests) / sizeof *(tests), set_up, tear_down)
#define cmocka_run_group_tests(tests, set_up, tear_down) \
    cmocka_run_group_tests_name(#tests, tests, set_up, tear_down)

/* Returns how many tests failed, or that the group's set-up did. */
int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            int (*set_up)(void **state), int (*tear_down)(void **state));
void cmocka_set_test_filter(const char *pattern); /* of names to run: * and ? */

void print_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define skip() _skip(__FILE__, __LINE__)
#define fail() _fail(__FILE__, __LINE__)
#define fail_msg(...) (print_error("ERROR: " __VA_ARGS__), print_error("\n"), fail())
void _skip(const char *file, int line);
void _fail(const char *file, int line);

#define assert_true(condition) _assert_true((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define assert_false(condition) _assert_true((condition) ? 0 : 1, "!(" #condition ")", __FILE__, __LINE__)
#define assert_non_null(pointer) _assert_true((pointer) != 0, #pointer " != 0", __FILE__, __LINE__)
#define assert_null(pointer) _assert_true((pointer) == 0, #pointer " == 0", __FILE__, __LINE__)
void _assert_true(int holds, const char *condition, const char *file, int line);

#define CMOCKA_INTEGERS_(check, a, b) \
    check(cast_to_largest_integral_type(a), cast_to_largest_integral_type(b), __FILE__, __LINE__)
#define assert_int_equal(a, b) CMOCKA_INTEGERS_(_assert_int_equal, a, b)
#define assert_int_not_equal(a, b) CMOCKA_INTEGERS_(_assert_int_not_equal, a, b)
#define assert_ptr_equal(a, b) _assert_int_equal((uintptr_t)(a), (uintptr_t)(b), __FILE__, __LINE__)
#define assert_in_range(value, least, most)                                                      \
    _assert_in_range(cast_to_largest_integral_type(value), cast_to_largest_integral_type(least), \
                     cast_to_largest_integral_type(most), __FILE__, __LINE__)
void _assert_int_equal(LargestIntegralType a, LargestIntegralType b, const char *file, int line);
void _assert_int_not_equal(LargestIntegralType a, LargestIntegralType b, const char *file, int line);
void _assert_in_range(LargestIntegralType value, LargestIntegralType least, LargestIntegralType most,
                      const char *file, int line);

#define assert_string_equal(a, b) _assert_string_equal(a, b, __FILE__, __LINE__)
#define assert_string_not_equal(a, b) _assert_string_not_equal(a, b, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size) _assert_memory_equal(a, b, size, __FILE__, __LINE__)
void _assert_string_equal(const char *a, const char *b, const char *file, int line);
void _assert_string_not_equal(const char *a, const char *b, const char *file, int line);
void _assert_memory_equal(const void *a, const void *b, size_t size, const char *file, int line);

#endif
