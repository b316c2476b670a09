/* The lint finds what only a host program may do, though the compiler of the CPU takes it. */
#include "codegen/lint_fixture_test.h"

#define HANDLER(body) "RK_HANDLER(k, number, msg, table, self)\n{\n" body "}\n"

static void a_call_of_the_c_library_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    table *t = malloc(sizeof *t);\n"), "host-call", 3, "'malloc'");
    finds_one(HANDLER("    rk_u32 n = 2;\n    free(n ? 0 : 0);\n"), "host-call", 4, "'free'");
    finds_one(HANDLER("    printf(\"%u\", 1);\n"), "host-call", 3, "'printf'");
    finds_one(HANDLER("    if (msg->value) exit(1);\n"), "host-call", 3, "'exit'");
    finds_one("RK_FN void log_it(rk_u32 n) { fopen(\"x\", \"w\"); }\n", "host-call", 1, "'fopen'");
    finds_one("RK_SPMD_KERNEL(s, number, number, .threads = 64)\n{\n    usleep(1);\n}\n", "host-call", 3,
              "'usleep'");
    finds_one("RK_ON_DRAIN(k, table, self) { puts(\"end\"); }\n", "host-call", 1, "'puts'");
}

static void ones_own_functions_members_and_words_in_text_are_right(void **state)
{
    (void)state;
    finds_nothing("RK_FN void free(rk_u32 n) { (void)n; }\n" HANDLER("    free(1);\n"));
    finds_nothing(
        HANDLER("    self->free = msg->write;\n    rk_u32 open = 1, read = open;\n    (void)read;\n"));
    finds_nothing(HANDLER("    rk_log(RK_ARG, RK_INFO, \"malloc(1) failed\"); /* printf(x) */\n"));
    finds_nothing(HANDLER("    rk_u32 n = table.count(1);\n    (void)n;\n"));
}

static void a_pointer_to_a_function_is_found(void **state)
{
    (void)state;
    finds_one("typedef rk_u32 (*rule)(rk_u32 n);\n", "function-pointer", 1, "'rule'");
    finds_one(HANDLER("    rk_u32 (*const f)(rk_u32) = pick;\n"), "function-pointer", 3, "a cast");
    finds_one(HANDLER("    rk_u32 (*step[2])(rk_u32) = { a, b };\n"), "function-pointer", 3, "'step'");
    finds_one("RK_FN rk_u32 map(rk_u32 n, rk_u32 (*rule)(rk_u32)) { return n; }\n", "function-pointer", 1,
              "'rule'");
    finds_one(HANDLER("    rk_u32 n = ((rk_u32 (*)(void))self->at)();\n"), "function-pointer", 3, "a cast");
}

static void products_and_pointers_to_data_are_right(void **state)
{
    (void)state;
    finds_nothing(
        HANDLER("    rk_u32 a = (2) * (3), b = (a * b) * (a);\n    if (*p) (void)b;\n    (*p)++;\n"));
    finds_nothing("typedef struct { rk_u32 n; } rule;\nRK_FN rk_u32 of(const rule *r) { return (*r).n; }\n");
}

static void a_loop_without_an_end_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    while (1) self->seen++;\n"), "endless-loop", 3, "never ends");
    finds_one(HANDLER("    for (;;) {\n        self->seen++;\n    }\n"), "endless-loop", 3, "never ends");
    finds_one(HANDLER("    for (rk_u32 i = 0;; i++) self->seen += i;\n"), "endless-loop", 3, "never ends");
    finds_one(HANDLER("    do { self->seen++; } while (true);\n"), "endless-loop", 3, "never ends");
}

static void a_loop_that_is_left_is_right(void **state)
{
    (void)state;
    finds_nothing(HANDLER("    while (1) {\n        if (self->seen++ > 3) break;\n    }\n"));
    finds_nothing(HANDLER("    for (;;) {\n        if (self->seen++ > 3) return;\n    }\n"));
    finds_nothing(
        HANDLER("    for (rk_u32 i = 0; i < 3; i++) self->seen++;\n    while (self->seen) self->seen--;\n"));
    finds_nothing(
        HANDLER("    do { if (self->seen++) break; } while (1);\n    for (; self->seen;) self->seen--;\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_call_of_the_c_library_is_found, forget),
        cmocka_unit_test_teardown(ones_own_functions_members_and_words_in_text_are_right, forget),
        cmocka_unit_test_teardown(a_pointer_to_a_function_is_found, forget),
        cmocka_unit_test_teardown(products_and_pointers_to_data_are_right, forget),
        cmocka_unit_test_teardown(a_loop_without_an_end_is_found, forget),
        cmocka_unit_test_teardown(a_loop_that_is_left_is_right, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
