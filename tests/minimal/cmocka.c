#include <cmocka.h>

#include <fnmatch.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum outcome { PASSED, SKIPPED, FAILED } outcome;

static const char *wanted; /* pattern of names; 0: all */
static jmp_buf out;        /* of what runs */
static int inside;

void cmocka_set_test_filter(const char *pattern) { wanted = pattern; }

static void print(FILE *to, const char *format, va_list arguments)
{
    vfprintf(to, format, arguments);
    fflush(to);
}

void print_message(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(stdout, format, arguments);
    va_end(arguments);
}

void print_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print(stderr, format, arguments);
    va_end(arguments);
}

/* ------------------------------------------------------------------ leaving a test */

static void leave(outcome with)
{
    if (!inside) abort(); /* a check outside of any test */
    longjmp(out, (int)with);
}

void _skip(const char *file, int line)
{
    (void)file;
    (void)line;
    leave(SKIPPED);
}

void _fail(const char *file, int line)
{
    print_error("[   LINE   ] --- %s:%d: error: Failure!\n", file, line);
    leave(FAILED);
}

void _assert_true(int holds, const char *condition, const char *file, int line)
{
    if (holds) return;
    print_error("does not hold: %s\n", condition);
    _fail(file, line);
}

void _assert_int_equal(LargestIntegralType a, LargestIntegralType b, const char *file, int line)
{
    if (a == b) return;
    print_error("%#" PRIxMAX " (%" PRIdMAX ") != %#" PRIxMAX " (%" PRIdMAX ")\n", a, (intmax_t)a, b,
                (intmax_t)b);
    _fail(file, line);
}

void _assert_int_not_equal(LargestIntegralType a, LargestIntegralType b, const char *file, int line)
{
    if (a != b) return;
    print_error("%#" PRIxMAX " == %#" PRIxMAX "\n", a, b);
    _fail(file, line);
}

void _assert_in_range(LargestIntegralType value, LargestIntegralType least, LargestIntegralType most,
                      const char *file, int line)
{
    if (value >= least && value <= most) return;
    print_error("%" PRIuMAX " is not within the range %" PRIuMAX "-%" PRIuMAX "\n", value, least, most);
    _fail(file, line);
}

void _assert_string_equal(const char *a, const char *b, const char *file, int line)
{
    if (a && b && strcmp(a, b) == 0) return;
    print_error("\"%s\" != \"%s\"\n", a ? a : "(null)", b ? b : "(null)");
    _fail(file, line);
}

void _assert_string_not_equal(const char *a, const char *b, const char *file, int line)
{
    if (!a || !b || strcmp(a, b) != 0) return;
    print_error("\"%s\" == \"%s\"\n", a, b);
    _fail(file, line);
}

void _assert_memory_equal(const void *a, const void *b, size_t size, const char *file, int line)
{
    const unsigned char *x = a, *y = b;
    size_t differ = 0, first = 0;
    for (size_t i = size; i-- > 0;)
        if (x[i] != y[i]) {
            differ++;
            first = i;
        }
    if (!differ) return;
    print_error("%zu of %zu bytes differ, the first at %zu: 0x%02x != 0x%02x\n", differ, size, first,
                x[first], y[first]);
    _fail(file, line);
}

/* ------------------------------------------------------------------ running tests */

/* A test, or a fixture, whose answer other than 0 is a failure. */
static outcome run(void (*test)(void **state), int (*fixture)(void **state), void **state)
{
    volatile outcome became = PASSED;
    inside = 1;
    int left = setjmp(out);
    if (left)
        became = (outcome)left;
    else if (test)
        test(state);
    else if (fixture(state) != 0)
        became = FAILED;
    inside = 0;
    return became;
}

static outcome run_test(const struct CMUnitTest *test, void *group_state)
{
    void *state = test->initial_state ? test->initial_state : group_state;
    print_message("[ RUN      ] %s\n", test->name);
    if (test->setup_func && run(0, test->setup_func, &state) != PASSED) {
        print_error("%s: its set-up failed\n", test->name);
        return FAILED;
    }
    outcome became = run(test->test_func, 0, &state);
    if (test->teardown_func && run(0, test->teardown_func, &state) != PASSED) {
        print_error("%s: its tear-down failed\n", test->name);
        became = FAILED;
    }
    return became;
}

int _cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests, size_t count,
                            int (*set_up)(void **state), int (*tear_down)(void **state))
{
    static const char *const words[] = { "[       OK ]", "[  SKIPPED ]", "[  FAILED  ]" };
    static const char *const sums[] = { "[  PASSED  ]", "[  SKIPPED ]", "[  FAILED  ]" };
    size_t counts[3] = { 0 }, ran = 0;
    void *state = 0;
    print_message("[==========] %s: Running up to %zu test(s).\n", name, count);
    if (set_up && run(0, set_up, &state) != PASSED) {
        print_error("[  FAILED  ] GROUP SETUP\n");
        return 1;
    }
    char *failed = calloc(count ? count : 1, 1);
    if (!failed) return 1;
    for (size_t i = 0; i < count; i++) {
        if (wanted && fnmatch(wanted, tests[i].name, 0) != 0) continue;
        outcome became = run_test(&tests[i], state);
        (became == FAILED ? print_error : print_message)("%s %s\n", words[became], tests[i].name);
        counts[became]++;
        failed[i] = became == FAILED;
        ran++;
    }
    if (tear_down && run(0, tear_down, &state) != PASSED) {
        print_error("[  FAILED  ] GROUP TEARDOWN\n");
        counts[FAILED]++;
    }
    print_message("[==========] %s: %zu test(s) run.\n", name, ran);
    for (outcome o = PASSED; o <= FAILED; o++)
        if (counts[o] || o == PASSED) print_message("%s %zu test(s).\n", sums[o], counts[o]);
    for (size_t i = 0; i < count; i++)
        if (failed[i]) print_error("[  FAILED  ] %s\n", tests[i].name);
    free(failed);
    return (int)counts[FAILED];
}
