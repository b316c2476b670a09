/* Units are rendered for each backend, and what can't be one is refused. That they compile is what the
 * gate shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/render.h"

static const char source[] = "RK_HANDLER(count, number, msg, counter, self) {}\n"
                             "RK_HANDLER(count, reset, msg, counter, self) {}\n"
                             "RK_ON_DRAIN(count, counter, self) {}\n"
                             "RK_BATCH_HANDLER(sums, number, n, counter, self) {}\n"
                             "RK_HANDLER(wide, number, msg, rk_none, self, .width = RK_BLOCK) {}\n"
                             "RK_SPMD_KERNEL(warp_sum, number, number) {}\n"
                             "RK_ON_REFUSED(count, counter, self, refusal) { return 0; }\n";

static char *unit;
static rk_source_error error;

static int forget(void **state)
{
    (void)state;
    free(unit);
    unit = NULL;
    return 0;
}

static rk_status render(const char *backend, const char *kernel, const char *text)
{
    rk_render_options options = { backend, "/kernels/count.rk.c", kernel, text, strlen(text) };
    return rk_render_unit(&options, &unit, &error);
}

static void assert_has(const char *part)
{
    if (strstr(unit, part) == NULL) fail_msg("\"%s\" is not in:\n%s", part, unit);
}
static void assert_has_not(const char *part)
{
    if (strstr(unit, part) != NULL) fail_msg("\"%s\" is in:\n%s", part, unit);
}
static void assert_says(const char *part)
{
    if (strstr(error.text, part) == NULL) fail_msg("\"%s\" doesn't say \"%s\"", error.text, part);
    assert_null(unit);
}

static void a_device_unit_dispatches_each_message_of_each_kernel(void **state)
{
    (void)state;
    assert_int_equal(render("cuda", NULL, source), RK_OK);
    assert_has("#include \"/kernels/count.rk.c\"\n");
    assert_has("case RK_TYPE_ID(number):\n            rk_handle_count_number(rk_ctx, (RK_MSG const number "
               "*)rk_ctx->payload");
    assert_has("case RK_TYPE_ID(reset):");
    assert_has("rk_handle_sums_number(rk_ctx, rk_ctx->batch_n,");
    assert_has("rk_body_warp_sum(rk_ctx);");
    assert_has("case 0u: rk_drain_count(");
    assert_has("case 0u: return rk_refused_count(");
    assert_has("RK_ENTRY(count, 0u, RK_RUN_THREADS)\n");
    assert_has("RK_ENTRY(sums, 1u, RK_RUN_BATCHES)\n");
    assert_has("RK_ENTRY(wide, 2u, RK_RUN_GROUPS)\n");
    assert_has("RK_ENTRY(warp_sum, 3u, RK_RUN_SPMD)\n");
}

/* The whole function `name` of a unit, or what calls it, is cut out of the text. */
static void cut_function(char *text, const char *name)
{
    char *at = strstr(text, name);
    assert_non_null(at);
    while (at > text && at[-1] != '\n') at--;
    char *end = strstr(at, "\n}\n\n");
    assert_non_null(end);
    memmove(at, end + 4, strlen(end + 4) + 1);
}

/* With many kernels that is a call; with one the handlers stand there, and the other is the call. */
static void cuda_gets_handlers_also_where_they_are_called(void **state)
{
    (void)state;
    assert_int_equal(render("cuda", NULL, source), RK_OK);
    assert_non_null(
        strstr(unit, "RK_FN_LARGE void rk_unit_handle(rk_context *rk_ctx, rk_u32 rk_number)\n{\n    switch"));
    assert_non_null(strstr(unit, "RK_FN void rk_unit_handle_here(rk_context *rk_ctx, rk_u32 rk_number)\n{\n"
                                 "    rk_unit_handle(rk_ctx, rk_number);\n}\n"));
    free(unit);
    assert_int_equal(render("cuda", "count", source), RK_OK);
    assert_non_null(
        strstr(unit, "RK_FN void rk_unit_handle_here(rk_context *rk_ctx, rk_u32 rk_number)\n{\n    switch"));
    assert_non_null(strstr(unit, "RK_FN_LARGE void rk_unit_handle(rk_context *rk_ctx, rk_u32 rk_number)\n{\n"
                                 "    rk_unit_handle_here(rk_ctx, rk_number);\n}\n"));
}

static void opencl_gets_the_same_unit_as_cuda(void **state)
{
    (void)state;
    assert_int_equal(render("cuda", NULL, source), RK_OK);
    char *cuda = unit;
    cut_function(cuda, "rk_unit_handle_here(rk_context");
    assert_int_equal(render("opencl", NULL, source), RK_OK);
    assert_string_equal(strchr(unit, '\n'),
                        strchr(cuda, '\n')); /* all but that and the line that names the backend */
    free(cuda);
}

static void a_unit_of_one_kernel_has_nothing_of_the_others(void **state)
{
    (void)state;
    assert_int_equal(render("opencl", "sums", source), RK_OK);
    assert_has("RK_ENTRY(sums, 1u, RK_RUN_BATCHES)\n");
    assert_has_not("count_number");
    assert_has_not("warp_sum");
    assert_has_not("rk_drain_");
}

static void a_unit_of_one_opencl_kernel_knows_the_barrier_of_its_groups(void **state)
{
    (void)state;
    assert_int_equal(render("opencl", "wide", source), RK_OK);
    assert_has("#define RK_UNIT_BARRIER() RK_PORT_BLOCK_BARRIER()\n");
    forget(state);
    assert_int_equal(render("opencl", "count", source), RK_OK);
    assert_has("#define RK_UNIT_BARRIER() ((void)0)\n");
    forget(state);
    assert_int_equal(render("opencl", NULL, source), RK_OK);
    assert_has_not("RK_UNIT_BARRIER");
}

static void an_opencl_unit_has_all_threads_meet_behind_each_handler(void **state)
{
    (void)state;
    assert_int_equal(
        render("opencl", "wide",
               "RK_HANDLER(wide, mark, msg, counter, self, .width = RK_BLOCK) { RK_ONCE self->marks++; }\n"
               "RK_HANDLER(wide, fill, msg, counter, self, .width = RK_BLOCK) { RK_PARALLEL(i, 9) "
               "self->at[i]++; }\n"),
        RK_OK);
    const char *mark = strstr(unit, "rk_handle_wide_mark("), *fill = strstr(unit, "rk_handle_wide_fill(");
    assert_true(mark != NULL && fill != NULL && mark < fill);
    const char *meets = strstr(mark, "RK_UNIT_BARRIER();\n            return;");
    assert_true(meets != NULL && meets < fill);
    assert_non_null(strstr(fill, "RK_UNIT_BARRIER();\n            return;"));
}

static void the_unit_of_the_cpu_is_the_module(void **state)
{
    (void)state;
    assert_int_equal(render("cpu", NULL, source), RK_OK);
    assert_has("#define RK_MODULE 1\n#include \"/kernels/count.rk.c\"\n");
}

static void a_source_without_kernels_is_a_unit_without_entries(void **state)
{
    (void)state;
    assert_int_equal(render("cuda", NULL, "RK_MESSAGE(number, 1, (rk_i64, value))"), RK_OK);
    assert_has_not("RK_ENTRY(");
}

static void for_metal_it_is_the_unit_of_a_device(void **state)
{
    (void)state;
    assert_int_equal(render("metal", NULL, source), RK_OK);
    assert_has("/* Generated by ringkernel for metal. */");
    assert_has("RK_ENTRY(");
}

static void bad_options_are_refused(void **state)
{
    (void)state;
    rk_render_options options = { "cuda", "a\"b.rk.c", NULL, "", 0 };
    assert_int_equal(render("vulkan", NULL, source), RK_INVALID_ARGUMENT);
    assert_says("'vulkan' is no backend");
    assert_int_equal(rk_render_unit(&options, &unit, &error), RK_INVALID_ARGUMENT);
    assert_says("can't stand in an #include");
    options.path = NULL;
    assert_int_equal(rk_render_unit(&options, &unit, &error), RK_INVALID_ARGUMENT);
    assert_int_equal(render("cuda", "nobody", source), RK_NO_SUCH_KERNEL);
    assert_says("no kernel 'nobody'");
}

static void what_is_no_kernel_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        rk_status status;
        rk_u32 line;
        const char *says;
    } cases[] = {
        { "RK_HANDLER(k, m, msg, s, self) {}\nRK_BATCH_HANDLER(k, n, count, s, self) {}", RK_UNSUPPORTED, 2,
          "kernel 'k' has RK_BATCH_HANDLER here and RK_HANDLER at line 1" },
        { "RK_HANDLER(k, m, msg, s, self) {}\n\nRK_HANDLER(k, m, msg, s, self) {}", RK_PARSE_FAILED, 3,
          "a second handler of kernel 'k' for message 'm'" },
        { "RK_ON_DRAIN(k, s, self) {}", RK_PARSE_FAILED, 1,
          "RK_ON_DRAIN is of a kernel 'k', which has no handler" },
        { "RK_HANDLER(k, m, msg, s, self) {}\nRK_ON_DRAIN(k, s, self) {}\nRK_ON_DRAIN(k, s, self) {}",
          RK_PARSE_FAILED, 3, "a second RK_ON_DRAIN of kernel 'k'" },
        { "RK_HANDLER(k, m, msg, s, self, .width = WIDE) {}", RK_UNSUPPORTED, 1,
          "the width of 'k' is 'WIDE'" },
        { "\nRK_HANDLER(k, m) {}", RK_PARSE_FAILED, 2, "at least 5 arguments" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(render("cuda", NULL, cases[i].text), cases[i].status);
        assert_int_equal(error.line, cases[i].line);
        assert_says(cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_opencl_unit_has_all_threads_meet_behind_each_handler, forget),
        cmocka_unit_test_teardown(a_device_unit_dispatches_each_message_of_each_kernel, forget),
        cmocka_unit_test_teardown(cuda_gets_handlers_also_where_they_are_called, forget),
        cmocka_unit_test_teardown(opencl_gets_the_same_unit_as_cuda, forget),
        cmocka_unit_test_teardown(a_unit_of_one_kernel_has_nothing_of_the_others, forget),
        cmocka_unit_test_teardown(a_unit_of_one_opencl_kernel_knows_the_barrier_of_its_groups, forget),
        cmocka_unit_test_teardown(the_unit_of_the_cpu_is_the_module, forget),
        cmocka_unit_test_teardown(a_source_without_kernels_is_a_unit_without_entries, forget),
        cmocka_unit_test_teardown(for_metal_it_is_the_unit_of_a_device, forget),
        cmocka_unit_test_teardown(bad_options_are_refused, forget),
        cmocka_unit_test_teardown(what_is_no_kernel_is_refused_with_its_line, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
