/* Kernel sources are scanned as their text stands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/scan.h"
#include "ringkernel/module.h"

static rk_scan scan;
static rk_source_error error;

static int forget(void **state)
{
    (void)state;
    rk_scan_free(&scan);
    return 0;
}

static rk_status scan_text(const char *text) { return rk_scan_source(text, strlen(text), &scan, &error); }

static void assert_slice(rk_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.text, text, slice.size);
}

static void lists_every_kind_of_declaration_in_order(void **state)
{
    (void)state;
    static const rk_u32 kinds[] = { RK_DECLARES_MESSAGE,       RK_DECLARES_MESSAGE,   RK_DECLARES_PARAMETER,
                                    RK_DECLARES_REASON,        RK_DECLARES_ROUTE,     RK_DECLARES_HANDLER,
                                    RK_DECLARES_BATCH_HANDLER, RK_DECLARES_SPMD,      RK_DECLARES_DRAIN,
                                    RK_DECLARES_REFUSED,       RK_DECLARES_PARAMETER, RK_DECLARES_MERGE };

    assert_int_equal(scan_text("RK_MESSAGE(number, 1, (rk_i64, value), (rk_u8, rest, 8))\n"
                               "RK_BLOB(frame, 2, 65536)\n"
                               "RK_PARAM(rk_u32, window, 10000)\n"
                               "RK_REASON(distance)\nRK_ROUTE(aside)\n"
                               "RK_HANDLER(count, number, msg, counter, self, .max_sends = 2) {}\n"
                               "RK_BATCH_HANDLER(sums, number, n, counter, self) {}\n"
                               "RK_SPMD_KERNEL(warp_sum, number, number) {}\n"
                               "RK_ON_DRAIN(count, counter, self) {}\n"
                               "RK_ON_REFUSED(count, counter, self, refusal) { return 0; }\n"
                               "RK_PARAM_IN(rk_u32, size, 8, 1, 16)\n"
                               "RK_ON_MERGE(count, counter, self, other, shards) {}\n"),
                     RK_OK);

    assert_int_equal(scan.count, sizeof(kinds) / sizeof(kinds[0]));
    for (rk_u32 i = 0; i < scan.count; i++) {
        assert_int_equal(scan.declaration[i].kind, kinds[i]);
        assert_int_equal(scan.declaration[i].line, i + 1);
        assert_int_equal(scan.declaration[i].column, 1);
    }
    assert_slice(rk_scan_argument(&scan, &scan.declaration[0], 3), "(rk_u8, rest, 8)");
    assert_slice(rk_scan_argument(&scan, &scan.declaration[2], 2), "10000");
    assert_slice(rk_scan_kernel(&scan, &scan.declaration[9]), "count");
    assert_slice(rk_scan_argument(&scan, &scan.declaration[4], 1), "");
}

static void passes_over_comments_strings_and_preprocessor_lines(void **state)
{
    (void)state;
    assert_int_equal(scan_text("// RK_ROUTE(a)\n"
                               "/* RK_ROUTE(b)\n RK_ROUTE(c) */ RK_ROUTE(d)\n"
                               "#define MORE RK_ROUTE(e) \\\n RK_ROUTE(f)\n"
                               "static const char *text = \"RK_ROUTE(g) \\\" RK_ROUTE(h)\", sign = '\"';\n"
                               "RK_FN void helper(RK_CTX) { RK_ROUTE(i); }\n"
                               "  # pragma once /* long\n RK_ROUTE(j) */\n"
                               "RK_ROUTE(k)"),
                     RK_OK);

    assert_int_equal(scan.count, 2);
    assert_slice(rk_scan_argument(&scan, &scan.declaration[0], 0), "d");
    assert_int_equal(scan.declaration[0].line, 3);
    assert_int_equal(scan.declaration[0].column, 17);
    assert_slice(rk_scan_argument(&scan, &scan.declaration[1], 0), "k");
    assert_int_equal(scan.declaration[1].line, 10);
}

static void leaves_out_what_if_0_leaves_out(void **state)
{
    (void)state;
    assert_int_equal(
        scan_text(
            "#if 0\n#if 1\nRK_ROUTE(a)\n#else\nRK_ROUTE(b)\n#endif\nit's text\n#else\nRK_ROUTE(c)\n#endif\n"
            "#if 1\nRK_ROUTE(d)\n#endif\n#ifdef X\nRK_ROUTE(e)\n#endif\n#if 0 /* never "
            "*/\nRK_ROUTE(f)\n#endif\n"
            "#if 0\nRK_ROUTE(g)"),
        RK_OK);

    assert_int_equal(scan.count, 3);
    assert_slice(rk_scan_argument(&scan, &scan.declaration[0], 0), "c");
    assert_slice(rk_scan_argument(&scan, &scan.declaration[1], 0), "d");
    assert_slice(rk_scan_argument(&scan, &scan.declaration[2], 0), "e");
}

static void finds_attributes_by_their_names(void **state)
{
    (void)state;
    assert_int_equal(
        scan_text(
            "RK_HANDLER(k, m, msg, rk_none, self, .width = RK_BLOCK,\n  .threads=F(1, 2) /* many */ * 2,"
            " .shared\n=\n1024)\n{\n  if (msg) { }\n}\nRK_ROUTE(next)"),
        RK_OK);

    const rk_source_declaration *handler = &scan.declaration[0];
    assert_slice(rk_scan_attribute(&scan, handler, "width"), "RK_BLOCK");
    assert_slice(rk_scan_attribute(&scan, handler, "threads"), "F(1, 2) /* many */ * 2");
    assert_slice(rk_scan_attribute(&scan, handler, "shared"), "1024");
    assert_slice(rk_scan_attribute(&scan, handler, "share"), "");
    assert_slice(rk_scan_attribute(&scan, handler, "mode"), "");
    assert_slice(rk_tokens_text(&scan.tokens, handler->body, handler->body_end + 1), "{\n  if (msg) { }\n}");
    assert_int_equal(scan.count, 2);
}

static void says_where_a_source_is_broken(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        rk_u32 line;
        rk_u32 column;
        const char *says;
    } cases[] = {
        { "RK_HANDLER(k, m, msg) {}", 1, 1,
          "RK_HANDLER takes at least 5 arguments (kernel, message, its name, state, its name)" },
        { "\n\n  RK_ON_DRAIN(k, none, self);", 3, 3, "RK_ON_DRAIN is not followed by a whole body" },
        { "RK_SPMD_KERNEL(k, m, n) { if (1) {", 1, 1, "not followed by a whole body" },
        { "RK_ROUTE(aside", 1, 1, "no closing bracket" },
        { "RK_ROUTE(\"aside\")", 1, 10, "argument 1 of RK_ROUTE is to be a name, not '\"aside\"'" },
        { "RK_HANDLER(k, struct m, msg, none, self) {}", 1, 15, "argument 2 of RK_HANDLER is to be a name" },
        { "int x;\n/* for ever", 2, 1, "a comment without an end" },
        { "const char *x = \"for\n ever\";", 1, 17, "a string without an end" },
        { "char x = 'f", 1, 10, "a character without an end" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(scan_text(cases[i].text), RK_PARSE_FAILED);
        assert_int_equal(error.line, cases[i].line);
        assert_int_equal(error.column, cases[i].column);
        if (strstr(error.text, cases[i].says) == NULL)
            fail_msg("\"%s\" doesn't say \"%s\"", error.text, cases[i].says);
        rk_scan_free(&scan);
    }
}

static void an_empty_source_declares_nothing(void **state)
{
    (void)state;
    assert_int_equal(scan_text(""), RK_OK);
    assert_int_equal(scan.count, 0);
    rk_scan_free(&scan);
    assert_int_equal(scan_text("/* nothing */ // here"), RK_OK);
    assert_int_equal(scan.count, 0);
}

/* Whatever is cut off, the scan ends and says something. */
static void every_prefix_of_a_source_is_scanned_or_refused(void **state)
{
    (void)state;
    static const char text[] =
        "/* a */ #define\n#if 0\n'\n#endif\nRK_MESSAGE(m, 1, (rk_u8, a, 4))\n"
        "RK_HANDLER(k, m, msg, rk_none, self, .threads = 0x10u) { char c = '\\''; f(\"\\\"\", 1.5e-3); }\n";
    for (size_t size = 0; size < sizeof(text); size++) {
        rk_status status = rk_scan_source(text, size, &scan, &error);
        assert_true(status == RK_OK || (status == RK_PARSE_FAILED && error.text[0] != '\0'));
        rk_scan_free(&scan);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(lists_every_kind_of_declaration_in_order, forget),
        cmocka_unit_test_teardown(passes_over_comments_strings_and_preprocessor_lines, forget),
        cmocka_unit_test_teardown(leaves_out_what_if_0_leaves_out, forget),
        cmocka_unit_test_teardown(finds_attributes_by_their_names, forget),
        cmocka_unit_test_teardown(says_where_a_source_is_broken, forget),
        cmocka_unit_test_teardown(an_empty_source_declares_nothing, forget),
        cmocka_unit_test_teardown(every_prefix_of_a_source_is_scanned_or_refused, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
