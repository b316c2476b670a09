/* NVRTC, found or told to be missing, and what it makes of a unit: with a mock for what goes wrong, and the
 * real one, where it is installed, for a kernel's own file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <unistd.h>

#include <ringkernel/runtime.h>

#include "codegen/render.h"
#include "mock/mock_nvrtc.h"
#include "nvrtc.h"
#include "runtime/error.h"

#define MOCK RK_BINARY_DIR "/tests/mock/libnvrtc.so.13"

static mock_nvrtc_state *mock;
static rk_nvrtc nvrtc;
static rk_device_code code;
static const rk_nvrtc_target sm_90 = { 90, 0 };

static int reset(void **state)
{
    (void)state;
    if (!mock) mock = dlsym(dlopen(MOCK, RTLD_NOW | RTLD_LOCAL), "mock_nvrtc");
    if (!mock) return -1;
    *mock = (mock_nvrtc_state){
        .major = 13, .architectures = { 90, 75, 80 }, .architecture_count = 3, .log = ""
    };
    rk_error_begin();
    return rk_nvrtc_load(MOCK, 13000, &nvrtc) == RK_OK ? 0 : -1;
}

static void assert_says(const char *part)
{
    if (!strstr(rk_error_text(), part)) fail_msg("\"%s\" is not in:\n%s", part, rk_error_text());
}
static void fails(const char *function, int result)
{
    mock->fails = function;
    mock->failure = result;
}

/* ------------------------------------------------------------------ finding it */

static void it_tells_its_version_and_what_it_compiles_for(void **state)
{
    (void)state;
    assert_int_equal(nvrtc.version, 13000);
    assert_int_equal(nvrtc.architecture_count, 3);
    assert_int_equal(nvrtc.architectures[0], 75);
    assert_int_equal(nvrtc.architectures[2], 90);
}

static void without_one_the_error_says_what_to_install(void **state)
{
    (void)state;
    assert_int_equal(rk_nvrtc_load("/nowhere/libnvrtc.so.13", 13000, &nvrtc), RK_UNSUPPORTED);
    assert_says("no NVRTC that compiles kernels for CUDA: 12.8 up to 13.x works");
    assert_says("/nowhere/libnvrtc.so.13");
    assert_says("install CUDA's package cuda-nvrtc, set CUDA_HOME, or use the backend cpu");
}

static void one_that_cannot_be_used_is_named_with_the_reason(void **state)
{
    (void)state;
    assert_int_equal(rk_nvrtc_load("libc.so.6", 0, &nvrtc), RK_UNSUPPORTED);
    assert_says("'libc.so.6' is none that we know");
    mock->major = 12, mock->minor = 6;
    assert_int_equal(rk_nvrtc_load(MOCK, 13000, &nvrtc), RK_UNSUPPORTED);
    assert_says("is 12.6, which lacks the atomics");
    mock->major = 13, mock->minor = 0;
    assert_int_equal(rk_nvrtc_load(MOCK, 12090, &nvrtc), RK_UNSUPPORTED);
    assert_says("is 13.0, whose code the driver doesn't take");
    assert_says("12.8 up to 12.x works");
    mock->architecture_count = 1000;
    assert_int_equal(rk_nvrtc_load(MOCK, 13000, &nvrtc), RK_UNSUPPORTED);
}

static void an_older_one_serves_a_newer_driver(void **state)
{
    (void)state;
    mock->major = 12, mock->minor = 9;
    assert_int_equal(rk_nvrtc_load(MOCK, 13020, &nvrtc), RK_OK);
    assert_int_equal(nvrtc.version, 12090);
}

/* ------------------------------------------------------------------ targets */

static void a_device_that_it_knows_gets_machine_code(void **state)
{
    (void)state;
    rk_nvrtc_target target;
    assert_int_equal(rk_nvrtc_target_for(&nvrtc, 80, &target), RK_OK);
    assert_int_equal(target.architecture, 80);
    assert_false(target.is_ptx);
    assert_int_equal(rk_nvrtc_compile(&nvrtc, "unit", &target, "/headers", &code), RK_OK);
    assert_string_equal(mock->options,
                        "--std=c++20 --gpu-architecture=sm_80 --include-path=/headers --generate-line-info "
                        "--split-compile=0 ");
    assert_int_equal(strncmp(code.bytes, "code 1", 6), 0);
    assert_int_equal(code.size, strlen(code.bytes) + 1);
    rk_device_code_free(&code);
    assert_int_equal(mock->programs, 0);
}

static void what_is_only_checked_is_not_optimised_where_that_can_be_left_out(void **state)
{
    (void)state;
    const rk_nvrtc_target target = { .architecture = 80, .is_quick = 1 };
    for (int version = 12080; version <= 13000; version += 920) {
        nvrtc.version = version;
        assert_int_equal(rk_nvrtc_compile(&nvrtc, "unit", &target, "/headers", &code), RK_OK);
        assert_int_equal(strstr(mock->options, " --Ofast-compile=max ") != 0, version == 13000);
        assert_non_null(strstr(mock->options, "--gpu-architecture=sm_80 "));
        rk_device_code_free(&code);
    }
}

static void a_newer_device_gets_ptx_of_the_nearest_before_it(void **state)
{
    (void)state;
    rk_nvrtc_target target;
    assert_int_equal(rk_nvrtc_target_for(&nvrtc, 89, &target), RK_OK);
    assert_int_equal(target.architecture, 80);
    assert_true(target.is_ptx);
    assert_int_equal(rk_nvrtc_compile(&nvrtc, "unit", &target, "/headers", &code), RK_OK);
    assert_non_null(strstr(mock->options, "--gpu-architecture=compute_80 "));
    assert_int_equal(strncmp(code.bytes, "ptx code", 8), 0);
    assert_int_equal(code.bytes[code.size - 1], 0);
    rk_device_code_free(&code);
}

static void an_older_device_than_all_is_refused(void **state)
{
    (void)state;
    rk_nvrtc_target target;
    assert_int_equal(rk_nvrtc_target_for(&nvrtc, 70, &target), RK_UNSUPPORTED);
    assert_says("NVRTC 13.0 compiles for compute capability 7.5 and later, and the device has 7.0");
}

/* ------------------------------------------------------------------ what goes wrong */

static void each_failure_has_its_status_and_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *function;
        int result;
        rk_status status;
        const char *says;
    } cases[] = {
        { "nvrtcCompileProgram", RK_NVRTC_ERROR_COMPILATION, RK_COMPILE_FAILED, "a.rk.c(3): error: what" },
        { "nvrtcCompileProgram", RK_NVRTC_ERROR_OUT_OF_MEMORY, RK_OUT_OF_MEMORY, "NVRTC has no memory" },
        { "nvrtcCompileProgram", RK_NVRTC_ERROR_BUILTIN_OPERATION_FAILURE, RK_UNSUPPORTED,
          "libnvrtc-builtins.so.13.0 must be beside it" },
        { "nvrtcCompileProgram", RK_NVRTC_ERROR_INVALID_OPTION, RK_UNSUPPORTED, "doesn't take an option" },
        { "nvrtcCompileProgram", 11, RK_INTERNAL, "failed with result 11" },
        { "nvrtcCreateProgram", RK_NVRTC_ERROR_OUT_OF_MEMORY, RK_OUT_OF_MEMORY, "NVRTC has no memory" },
        { "nvrtcGetCUBINSize", 3, RK_INTERNAL, "gives no code" },
        { "nvrtcGetCUBIN", 3, RK_INTERNAL, "gives no code" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset(0);
        mock->log = "a.rk.c(3): error: what";
        fails(cases[i].function, cases[i].result);
        assert_int_equal(rk_nvrtc_compile(&nvrtc, "unit", &sm_90, "/headers", &code), cases[i].status);
        assert_says(cases[i].says);
        assert_null(code.bytes);
        assert_null(code.log);
        assert_int_equal(mock->programs, 0);
    }
}

static void warnings_are_given_with_the_code(void **state)
{
    (void)state;
    mock->log = "a.rk.c(3): warning: unused";
    assert_int_equal(rk_nvrtc_compile(&nvrtc, "unit", &sm_90, "/headers", &code), RK_OK);
    assert_string_equal(code.log, "a.rk.c(3): warning: unused");
    rk_device_code_free(&code);
}

/* ------------------------------------------------------------------ the real one */

static char source[64];

static rk_status compile_source(const char *text)
{
    rk_nvrtc real;
    rk_nvrtc_target target = { 90, 1 }; /* to PTX: seconds less than to machine code */
    rk_source_error error;
    char *unit;
    if (rk_nvrtc_load(0, 0, &real) != RK_OK) skip();
    snprintf(source, sizeof source, "/tmp/nvrtc_test-%ld.rk.c", (long)getpid());
    FILE *file = fopen(source, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    rk_render_options render = { .backend = "cuda", .path = source, .text = text, .size = strlen(text) };
    assert_int_equal(rk_render_unit(&render, &unit, &error), RK_OK);
    rk_status status = rk_nvrtc_compile(&real, unit, &target, RK_SOURCE_DIR "/include", &code);
    free(unit);
    unlink(source);
    return status;
}

#define HEAD "#include <ringkernel/kernel.h>\nRK_MESSAGE(number, 501, (rk_u32, value))\n"

static void a_kernel_compiles_to_ptx_with_its_entry(void **state)
{
    (void)state;
    rk_status status =
        compile_source(HEAD "RK_HANDLER(echo, number, msg, rk_none, self) { rk_forward(RK_ARG); }\n");
    if (status != RK_OK) fail_msg("%s", rk_error_text());
    assert_string_equal(code.log, "");
    assert_non_null(strstr(code.bytes, ".entry rk_entry_of_echo("));
    assert_non_null(strstr(code.bytes, ".entry rk_layout_check("));
    rk_device_code_free(&code);
}

static void a_mistake_is_told_by_the_users_file_and_line(void **state)
{
    (void)state;
    char place[160];
    assert_int_equal(
        compile_source(HEAD "RK_HANDLER(echo, number, msg, rk_none, self)\n{\n    nobody(msg->value);\n}\n"),
        RK_COMPILE_FAILED);
    snprintf(place, sizeof place, "%s(5): error: identifier \"nobody\" is undefined", source);
    assert_says(place);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(it_tells_its_version_and_what_it_compiles_for),
        TEST(without_one_the_error_says_what_to_install),
        TEST(one_that_cannot_be_used_is_named_with_the_reason),
        TEST(an_older_one_serves_a_newer_driver),
        TEST(a_device_that_it_knows_gets_machine_code),
        TEST(what_is_only_checked_is_not_optimised_where_that_can_be_left_out),
        TEST(a_newer_device_gets_ptx_of_the_nearest_before_it),
        TEST(an_older_device_than_all_is_refused),
        TEST(each_failure_has_its_status_and_leaves_nothing),
        TEST(warnings_are_given_with_the_code),
        cmocka_unit_test(a_kernel_compiles_to_ptx_with_its_entry),
        cmocka_unit_test(a_mistake_is_told_by_the_users_file_and_line),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
