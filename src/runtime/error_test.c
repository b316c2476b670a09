/* Statuses keep their values, and each thread has the causes of its own failures, whole or cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "runtime/error.h"

static const struct {
    rk_u32 value;
    const char *name;
} pinned[] = {
    { 0, "RK_OK" },
    { 10, "RK_FULL" },
    { 11, "RK_TIMED_OUT" },
    { 12, "RK_EMPTY" },
    { 13, "RK_BUSY" },
    { 20, "RK_DROPPED" },
    { 21, "RK_DUPLICATE" },
    { 22, "RK_TOO_LARGE" },
    { 23, "RK_TOO_SMALL" },
    { 24, "RK_UNKNOWN_TYPE" },
    { 25, "RK_EXPIRED" },
    { 26, "RK_NO_REPLY" },
    { 27, "RK_DEAD" },
    { 28, "RK_CORRUPT" },
    { 29, "RK_NO_SUCH_ACTOR" },
    { 40, "RK_CLOSED" },
    { 41, "RK_STALE" },
    { 42, "RK_NO_SUCH_KERNEL" },
    { 43, "RK_ALREADY_ACTIVE" },
    { 44, "RK_NOT_ACTIVE" },
    { 45, "RK_IN_USE" },
    { 46, "RK_QUARANTINED" },
    { 47, "RK_FAILED" },
    { 48, "RK_NO_SUCH_ROUTE" },
    { 60, "RK_INVALID_ARGUMENT" },
    { 61, "RK_INVALID_OPTIONS" },
    { 62, "RK_INVALID_ID" },
    { 63, "RK_UNSUPPORTED" },
    { 64, "RK_COMPILE_FAILED" },
    { 65, "RK_INCOMPATIBLE" },
    { 66, "RK_PARSE_FAILED" },
    { 67, "RK_LIMIT" },
    { 80, "RK_OUT_OF_MEMORY" },
    { 81, "RK_IO" },
    { 82, "RK_INTERNAL" },
    { 83, "RK_DEVICE_LOST" },
};

static void each_status_has_its_value_and_a_text_and_others_have_none(void **state)
{
    (void)state;
    for (rk_u32 value = 0, i = 0; value < 200; value++) {
        const char *name = rk_status_name((rk_status)value), *text = rk_status_text((rk_status)value);
        if (i < sizeof pinned / sizeof *pinned && pinned[i].value == value) {
            assert_string_equal(name, pinned[i++].name);
            assert_true(strlen(text) > 3 && !strstr(text, "not a status"));
        } else {
            assert_string_equal(name, "unknown status");
            assert_string_equal(text, "not a status of this version of the library");
        }
    }
}

static void causes_stand_in_order_and_details_beneath(void **state)
{
    (void)state;
    rk_error_begin();
    assert_int_equal(rk_error(RK_FULL, "inner %d", 1), RK_FULL);
    rk_error_detail("detail %s", "two");
    rk_error(RK_LIMIT, "outer");
    assert_string_equal(rk_error_text(), "inner 1\n    detail two\nouter\n");
    rk_error_begin();
    assert_string_equal(rk_error_text(), "");
}

static void what_is_invalid_decides_over_what_is_not_had(void **state)
{
    (void)state;
    assert_int_equal(rk_error_also(RK_OK, RK_OK), RK_OK);
    assert_int_equal(rk_error_also(RK_OK, RK_UNSUPPORTED), RK_UNSUPPORTED);
    assert_int_equal(rk_error_also(RK_IN_USE, RK_UNSUPPORTED), RK_IN_USE);
    assert_int_equal(rk_error_also(RK_UNSUPPORTED, RK_INVALID_OPTIONS), RK_INVALID_OPTIONS);
    assert_int_equal(rk_error_also(RK_INVALID_OPTIONS, RK_UNSUPPORTED), RK_INVALID_OPTIONS);
    assert_int_equal(rk_error_also(RK_INVALID_OPTIONS, RK_OK), RK_INVALID_OPTIONS);
}

static void *fail_elsewhere(void *argument)
{
    *(rk_u32 *)argument = rk_error_text()[0] == 0;
    rk_error(RK_FULL, "of another thread");
    return 0;
}

static void each_thread_has_its_own(void **state)
{
    (void)state;
    pthread_t other;
    rk_u32 was_empty = 0;
    assert_int_equal(rk_activate(0, (rk_kernel){ 0, 0 }), RK_INVALID_ARGUMENT);
    assert_int_equal(pthread_create(&other, 0, fail_elsewhere, &was_empty), 0);
    pthread_join(other, 0);
    assert_true(was_empty);
    assert_string_equal(rk_error_text(), "rk_activate: runtime is null\n");
}

static void a_text_that_is_too_long_is_cut_and_says_so(void **state)
{
    (void)state;
    static char line[1000];
    memset(line, 'x', sizeof line - 1);
    rk_error_begin();
    for (rk_u32 i = 0; i < 100; i++) rk_error(RK_INTERNAL, "%s", line);
    const char *text = rk_error_text();
    size_t length = strlen(text);
    assert_in_range(length, 16000, 16384);
    assert_string_equal(text + length - strlen(" […]\n"), " […]\n");
}

static void a_failed_check_ends_the_program_with_the_whole_story(void **state)
{
    (void)state;
    int ends[2], status;
    char said[4096] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        rk_runtime_options o = { RK_RUNTIME_OPTIONS, .unpinned = 7 };
        rk_runtime *runtime;
        RK_CHECK(rk_open(&o, &runtime));
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n, used = 0; (n = read(ends[0], said + used, sizeof said - 1 - (size_t)used)) > 0;
         used += n) {}
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_non_null(strstr(said, "error_test.c:"));
    assert_non_null(strstr(said, "rk_open(&o, &runtime): RK_INVALID_OPTIONS"));
    assert_non_null(strstr(said, "unpinned 7 is not in 0 to 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_value_and_a_text_and_others_have_none),
        cmocka_unit_test(causes_stand_in_order_and_details_beneath),
        cmocka_unit_test(what_is_invalid_decides_over_what_is_not_had),
        cmocka_unit_test(each_thread_has_its_own),
        cmocka_unit_test(a_text_that_is_too_long_is_cut_and_says_so),
        cmocka_unit_test(a_failed_check_ends_the_program_with_the_whole_story),
    };
    return cmocka_run_group_tests_name("error", tests, 0, 0);
}
