/* The headers are found, and a name that doesn't fit is refused, not cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "runtime/error.h"
#include "runtime/include_folder.h"

static void the_folder_has_the_dialects_header(void **state)
{
    (void)state;
    char folder[4096], header[4200];
    assert_int_equal(rk_include_folder(folder, sizeof folder), RK_OK);
    snprintf(header, sizeof header, "%s/ringkernel/kernel.h", folder);
    assert_int_equal(access(header, R_OK), 0);
}

static void a_name_that_does_not_fit_is_refused_by_its_name(void **state)
{
    (void)state;
    char folder[4096], small[4096];
    assert_int_equal(rk_include_folder(folder, sizeof folder), RK_OK);
    size_t needed = strlen(folder) + 1;
    assert_int_equal(rk_include_folder(small, needed), RK_OK);
    assert_string_equal(small, folder);
    rk_error_begin();
    assert_int_equal(rk_include_folder(small, needed - 1), RK_LIMIT);
    assert_non_null(strstr(rk_error_text(), folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_folder_has_the_dialects_header),
        cmocka_unit_test(a_name_that_does_not_fit_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
