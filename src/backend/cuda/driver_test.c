/* The loader of the driver, with a mock in the driver's place: each way in which there is no device is told
 * by its own words, and results become statuses by which a caller can tell what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dlfcn.h>

#include <ringkernel/runtime.h>

#include "mock/mock_cuda.h"
#include "driver.h"
#include "runtime/error.h"

#define MOCK RK_BINARY_DIR "/tests/mock/libcuda.so.1"

static mock_cuda_state *mock;
static rk_cuda cuda;

static int reset(void **state)
{
    (void)state;
    if (!mock) mock = dlsym(dlopen(MOCK, RTLD_NOW | RTLD_LOCAL), "mock_cuda");
    if (!mock) return -1;
    *mock = (mock_cuda_state){ .version = 13000, .devices = 1, .bytes_left = 1 << 30 };
    unsetenv("CUDA_LAUNCH_BLOCKING");
    rk_error_begin();
    return 0;
}

static void assert_says(const char *part)
{
    if (!strstr(rk_error_text(), part)) fail_msg("\"%s\" is not in:\n%s", part, rk_error_text());
}

static void load_mock(void) { assert_int_equal(rk_cuda_load(MOCK, &cuda), RK_OK); }

/* ------------------------------------------------------------------ loading */

static void a_driver_is_loaded_with_all_its_functions(void **state)
{
    (void)state;
    mock->devices = 2;
    load_mock();
    assert_int_equal(cuda.version, 13000);
    assert_int_equal(cuda.device_count, 2);
#define PRESENT(name, version, parameters) assert_non_null(cuda.name);
    RK_CU_FUNCTIONS(PRESENT)
    RK_CU_LATER_FUNCTIONS(PRESENT)
    assert_string_equal(rk_error_text(), "");
}

static void the_oldest_driver_lacks_only_what_came_later(void **state)
{
    (void)state;
    mock->version = RK_CUDA_DRIVER_MINIMUM;
    load_mock();
    RK_CU_FUNCTIONS(PRESENT)
    assert_null(cuda.cuFuncLoad);
}

static void without_a_driver_the_error_says_so(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_load("/nowhere/libcuda.so.1", &cuda), RK_UNSUPPORTED);
    assert_says("no NVIDIA driver: ");
    assert_says("/nowhere/libcuda.so.1");
    assert_says("use the backend cpu");
}

static void a_library_that_is_no_driver_is_named(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_load("libc.so.6", &cuda), RK_UNSUPPORTED);
    assert_says("'libc.so.6' is no NVIDIA driver");
}

static void a_driver_that_is_too_old_is_told_with_both_versions(void **state)
{
    (void)state;
    mock->version = 11080;
    assert_int_equal(rk_cuda_load(MOCK, &cuda), RK_UNSUPPORTED);
    assert_says("it supports CUDA 11.8, and 12.0 is needed: install driver 525");
}

static void a_driver_without_a_function_that_it_should_have_is_told(void **state)
{
    (void)state;
    mock->missing = "cuLaunchKernelEx";
    assert_int_equal(rk_cuda_load(MOCK, &cuda), RK_UNSUPPORTED);
    assert_says("supports CUDA 13.0, but has no cuLaunchKernelEx of CUDA 11.6");
}

static void a_machine_without_a_device_is_told(void **state)
{
    (void)state;
    mock->devices = 0;
    assert_int_equal(rk_cuda_load(MOCK, &cuda), RK_UNSUPPORTED);
    assert_says("CUDA_ERROR_NO_DEVICE (100)");
    assert_says("CUDA_VISIBLE_DEVICES");
}

static void a_driver_that_does_not_start_is_told_with_what_to_do(void **state)
{
    (void)state;
    static const struct {
        const char *fails;
        int failure;
        const char *says;
    } cases[] = {
        { "cuInit", RK_CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, "reboot after an update" },
        { "cuInit", RK_CUDA_ERROR_SYSTEM_NOT_READY, "the fabric manager must run" },
        { "cuInit", RK_CUDA_ERROR_OPERATING_SYSTEM, "/dev/nvidia" },
        { "cuInit", RK_CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, "compatibility package" },
        { "cuInit", RK_CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN (999)" },
        { "cuDeviceGetCount", RK_CUDA_ERROR_UNKNOWN, "finds no device that it can use" },
        { "cuDriverGetVersion", RK_CUDA_ERROR_STUB_LIBRARY, "the toolkit's stub for linking" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        reset(0);
        mock->fails = cases[i].fails;
        mock->failure = cases[i].failure;
        assert_int_equal(rk_cuda_load(MOCK, &cuda), RK_UNSUPPORTED);
        assert_says(cases[i].says);
    }
}

/* ------------------------------------------------------------------ results */

static void a_result_becomes_the_status_that_says_what_to_do(void **state)
{
    (void)state;
    static const struct {
        int result;
        rk_status status;
        const char *says;
    } cases[] = {
        { RK_CUDA_ERROR_OUT_OF_MEMORY, RK_OUT_OF_MEMORY, "smaller queues" },
        { RK_CUDA_ERROR_NOT_READY, RK_TIMED_OUT, "not come so far" },
        { RK_CUDA_ERROR_NO_BINARY_FOR_GPU, RK_INCOMPATIBLE, "another architecture" },
        { RK_CUDA_ERROR_UNSUPPORTED_PTX_VERSION, RK_INCOMPATIBLE, "NVRTC is newer than the driver" },
        { RK_CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, RK_LIMIT, "launch with fewer" },
        { RK_CUDA_ERROR_NOT_SUPPORTED, RK_UNSUPPORTED, "can't do that" },
        { RK_CUDA_ERROR_INVALID_VALUE, RK_INTERNAL, "CUDA_ERROR_INVALID_VALUE (1): the mock's words" },
        { RK_CUDA_ERROR_ILLEGAL_ADDRESS, RK_DEVICE_LOST, "start the process again" },
        { 12345, RK_INTERNAL, "CUDA error (12345)" },
    };
    load_mock();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rk_error_begin();
        assert_int_equal(rk_cuda_error(&cuda, cases[i].result, "trying %s", "this"), cases[i].status);
        assert_says("trying this: CUDA");
        assert_says(cases[i].says);
    }
}

static void results_that_end_the_context_are_known(void **state)
{
    (void)state;
    static const int lost[] = {
        RK_CUDA_ERROR_ILLEGAL_ADDRESS,     RK_CUDA_ERROR_LAUNCH_TIMEOUT,     RK_CUDA_ERROR_ASSERT,
        RK_CUDA_ERROR_ILLEGAL_INSTRUCTION, RK_CUDA_ERROR_MISALIGNED_ADDRESS, RK_CUDA_ERROR_LAUNCH_FAILED,
        RK_CUDA_ERROR_ECC_UNCORRECTABLE,   RK_CUDA_ERROR_CONTAINED,
    };
    static const int kept[] = { RK_CUDA_SUCCESS, RK_CUDA_ERROR_NOT_READY, RK_CUDA_ERROR_OUT_OF_MEMORY,
                                RK_CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, RK_CUDA_ERROR_INVALID_VALUE };
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) assert_true(rk_cuda_lost(lost[i]));
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) assert_false(rk_cuda_lost(kept[i]));
}

static void more_memory_than_there_is_is_refused(void **state)
{
    (void)state;
    rk_cu_address address;
    load_mock();
    rk_cu_result result = cuda.cuMemAlloc(&address, (size_t)2 << 30);
    assert_int_equal(rk_cuda_error(&cuda, result, "reserving 2 GiB"), RK_OUT_OF_MEMORY);
    assert_says("reserving 2 GiB: CUDA_ERROR_OUT_OF_MEMORY (2)");
}

static void a_lost_device_stays_lost(void **state)
{
    (void)state;
    rk_cu_context context;
    rk_cu_stream stream;
    load_mock();
    assert_int_equal(cuda.cuDevicePrimaryCtxRetain(&context, 0), RK_CUDA_SUCCESS);
    mock->lost = RK_CUDA_ERROR_ILLEGAL_ADDRESS;
    assert_true(rk_cuda_lost(cuda.cuStreamCreateWithPriority(&stream, RK_CU_STREAM_NON_BLOCKING, 0)));
    assert_int_equal(cuda.cuDevicePrimaryCtxRelease(0), RK_CUDA_SUCCESS);
    assert_true(rk_cuda_lost(cuda.cuDevicePrimaryCtxRetain(&context, 0)));
    assert_int_equal(mock->contexts + mock->streams, 0);
}

/* ------------------------------------------------------------------ environment */

static void launches_that_block_are_refused_with_the_reason(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_check_environment(), RK_OK);
    setenv("CUDA_LAUNCH_BLOCKING", "0", 1);
    assert_int_equal(rk_cuda_check_environment(), RK_OK);
    setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
    assert_int_equal(rk_cuda_check_environment(), RK_UNSUPPORTED);
    assert_says("CUDA_LAUNCH_BLOCKING is '1': each launch would wait for its kernel to end");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, reset)
    const struct CMUnitTest tests[] = {
        TEST(a_driver_is_loaded_with_all_its_functions),
        TEST(the_oldest_driver_lacks_only_what_came_later),
        TEST(without_a_driver_the_error_says_so),
        TEST(a_library_that_is_no_driver_is_named),
        TEST(a_driver_that_is_too_old_is_told_with_both_versions),
        TEST(a_driver_without_a_function_that_it_should_have_is_told),
        TEST(a_machine_without_a_device_is_told),
        TEST(a_driver_that_does_not_start_is_told_with_what_to_do),
        TEST(a_result_becomes_the_status_that_says_what_to_do),
        TEST(results_that_end_the_context_are_known),
        TEST(more_memory_than_there_is_is_refused),
        TEST(a_lost_device_stays_lost),
        TEST(launches_that_block_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
