/* The lint finds variables that outlive a call and change, and takes constants, types and functions for what
 * they are. */
#include "codegen/lint_fixture_test.h"

#define HANDLER(body) "RK_HANDLER(k, number, msg, table, self)\n{\n" body "}\n"

static void a_variable_of_the_file_is_found(void **state)
{
    (void)state;
    finds_one("static rk_u32 count;\n" HANDLER("    count++;\n"), "global-variable", 1, "'count'");
    finds_one("rk_u32 count = 0;\n", "global-variable", 1, "'count'");
    finds_one("RK_MESSAGE(number, 1, (rk_u32, value))\nstatic rk_u64 seen[4] = { 1, 2 };\n",
              "global-variable", 2, "'seen'");
    finds_one("static const char *name = \"x\";\n", "global-variable", 1, "'name'");
    finds_one("static struct table all;\n", "global-variable", 1, "'all'");
    finds_one("struct { rk_u32 n; } shared;\n", "global-variable", 1, "'shared'");
    finds_one("extern rk_u32 elsewhere;\n", "global-variable", 1, "'elsewhere'");
    finds_one("RK_FN void f(rk_u32 n) { n++; }\nstatic table last;\n", "global-variable", 2, "'last'");
}

static void a_static_variable_of_a_function_is_found(void **state)
{
    (void)state;
    finds_one(HANDLER("    static rk_u32 count;\n    count++;\n"), "global-variable", 3, "'count' is static");
    finds_one("RK_FN rk_u32 next(void)\n{\n    static rk_u32 last = 7;\n    return last++;\n}\n",
              "global-variable", 3, "'last'");
}

static void constants_types_and_functions_are_right(void **state)
{
    (void)state;
    finds_nothing("RK_CONSTANT rk_u32 table[3] = { 1, 2, 3 };\nstatic const rk_u32 most = 4;\n"
                  "static const char *const name = \"x\";\nrk_u32 const least = 1;\n");
    finds_nothing("typedef struct { rk_u32 n; } table;\nstruct row { rk_u32 n; };\nstruct later;\n"
                  "typedef rk_u32 number_of;\nenum { FIRST, LAST };\nenum colour { RED };\n");
    finds_nothing(
        "RK_FN rk_u32 later(rk_u32 n);\nstatic inline rk_u32 f(rk_u32 n) { return n; }\n"
        "static rk_u32 g(void)\n{\n    static const rk_u32 bands[2] = { 1, 2 };\n    return bands[0];\n}\n");
    finds_nothing("RK_PARAM(rk_u32, window, 10000)\nRK_PARAM_IN(rk_f32, part, 1, 0, "
                  "1)\nRK_REASON(distance)\nRK_ROUTE(aside)\n"
                  "RK_STATIC_ASSERT(sizeof(table) == 4, \"\");\nRK_BLOB(frame, 2, 65536);\n" HANDLER(
                      "    RK_SHARED(rk_u32, part, 64);\n    rk_u32 n = 0;\n    n++;\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_variable_of_the_file_is_found, forget),
        cmocka_unit_test_teardown(a_static_variable_of_a_function_is_found, forget),
        cmocka_unit_test_teardown(constants_types_and_functions_are_right, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
