/* What the tests of the lint's rules share: a source is linted, and one finding or none is wanted. */
#ifndef RK_CODEGEN_LINT_FIXTURE_TEST_H
#define RK_CODEGEN_LINT_FIXTURE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/lint.h"

static rk_finding_list list;

static inline int forget(void **state)
{
    (void)state;
    rk_finding_list_free(&list);
    return 0;
}

static inline void lint(const char *text)
{
    rk_source_error error;
    rk_finding_list_free(&list);
    if (rk_lint_source("k.rk.c", text, strlen(text), &list, &error) != RK_OK)
        fail_msg("%u: %s", error.line, error.text);
}

static inline void finds_one(const char *text, const char *rule, rk_u32 line, const char *says)
{
    lint(text);
    if (list.count != 1) {
        for (rk_u32 i = 0; i < list.count; i++)
            print_message("%u: %s\n", list.finding[i].line, list.finding[i].text);
        fail_msg("%u findings, expected one of %s in:\n%s", list.count, rule, text);
    }
    assert_string_equal(list.finding[0].rule, rule);
    assert_int_equal(list.finding[0].line, line);
    assert_string_equal(list.finding[0].file, "k.rk.c");
    if (strstr(list.finding[0].text, says) == NULL)
        fail_msg("\"%s\" doesn't say \"%s\"", list.finding[0].text, says);
    assert_true(strlen(list.finding[0].remedy) > 10);
}

static inline void finds_nothing(const char *text)
{
    lint(text);
    if (list.count != 0) fail_msg("%u: %s: in:\n%s", list.finding[0].line, list.finding[0].text, text);
}

#endif
