/* What a device is told to be: its numbers, its abilities, and whether ring kernels can run on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <dlfcn.h>

#include <ringkernel/runtime.h>

#include "mock/mock_cuda.h"
#include "cuda_device.h"
#include "runtime/error.h"

#define MOCK RK_BINARY_DIR "/tests/mock/libcuda.so.1"

static mock_cuda_state *mock;
static rk_cuda cuda;
static rk_cuda_device device;

static int load(void **state)
{
    (void)state;
    if (!mock) mock = dlsym(dlopen(MOCK, RTLD_NOW | RTLD_LOCAL), "mock_cuda");
    if (!mock) return -1;
    *mock = (mock_cuda_state){ .version = 13000, .devices = 2, .bytes_left = 1 << 30 };
    rk_error_begin();
    return rk_cuda_load(MOCK, &cuda) == RK_OK ? 0 : -1;
}

static void assert_says(const char *part)
{
    if (!strstr(rk_error_text(), part)) fail_msg("\"%s\" is not in:\n%s", part, rk_error_text());
}

static void a_device_is_described_by_number(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_describe(&cuda, 1, &device), RK_OK);
    assert_string_equal(device.name, "Mock GPU 1");
    assert_string_equal(device.bus_id, "0000:02:00.0");
    assert_int_equal(device.architecture, 90);
    assert_int_equal(device.multiprocessors, 132);
    assert_int_equal(device.block_threads, 1024);
    assert_int_equal(device.resident_threads, 2048);
    assert_int_equal(device.memory, (rk_u64)80 << 30);
    assert_int_equal(device.numa_node, 0);
    assert_true(device.can & RK_CUDA_CAN_COOPERATE);
    assert_true(device.can & RK_CUDA_CAN_CLUSTER);
    assert_true(device.can & RK_CUDA_CAN_MAP_HOST);
    assert_false(device.can & RK_CUDA_CAN_HOST_ATOMICS);
    assert_false(device.can & RK_CUDA_CAN_WATCHDOG);
    assert_int_equal(rk_cuda_device_check(&device), RK_OK);
}

static void a_number_that_no_device_has_is_refused(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_describe(&cuda, 2, &device), RK_INVALID_ARGUMENT);
    assert_says("there is no CUDA device 2: there are 2, from 0 on");
}

static void a_device_that_does_not_answer_is_an_error(void **state)
{
    (void)state;
    mock->fails = "cuDeviceTotalMem";
    mock->failure = RK_CUDA_ERROR_DEVICE_UNAVAILABLE;
    assert_int_equal(rk_cuda_describe(&cuda, 0, &device), RK_UNSUPPORTED);
    assert_says("asking CUDA device 0 what it is");
}

static void an_attribute_that_the_driver_does_not_know_is_an_ability_less(void **state)
{
    (void)state;
    mock->fails = "cuDeviceGetAttribute";
    mock->failure = RK_CUDA_ERROR_INVALID_VALUE;
    assert_int_equal(rk_cuda_describe(&cuda, 0, &device), RK_OK);
    assert_int_equal(device.can, 0);
    assert_int_equal(device.numa_node, RK_CUDA_NO_NODE);
}

static void a_device_that_lacks_what_is_needed_is_refused_with_all_of_it(void **state)
{
    (void)state;
    mock->attributes_off = 1;
    assert_int_equal(rk_cuda_describe(&cuda, 0, &device), RK_OK);
    device.architecture = 61;
    assert_int_equal(rk_cuda_device_check(&device), RK_UNSUPPORTED);
    assert_says("compute capability 6.1: 7.5 is the oldest");
    assert_says("lacks what ring kernels need: mapped host memory");
    assert_says("lacks what ring kernels need: one address space");
    assert_says("lacks what ring kernels need: kernels side by side");
}

static void assert_window(const char *node, const char *part)
{
    char text[192];
    rk_cuda_host_window(&device, node, text, sizeof text);
    if (!strstr(text, part)) fail_msg("\"%s\" is not in: %s", part, text);
}

static void whether_the_host_can_map_its_memory_is_told_or_why_not(void **state)
{
    (void)state;
    assert_int_equal(rk_cuda_describe(&cuda, 0, &device), RK_OK);
    assert_window("/dev/null", "could be mapped by GDRCopy (/dev/null)"); /* a node that can be used */
    assert_window("/dev/no such node",
                  "not mapped: GDRCopy's driver can't be used (/dev/no such node: No such file");
    device.can |= RK_CUDA_CAN_INTEGRATED;
    assert_window("/dev/no such node", "it is the host's");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, load)
    const struct CMUnitTest tests[] = {
        TEST(a_device_is_described_by_number),
        TEST(a_number_that_no_device_has_is_refused),
        TEST(a_device_that_does_not_answer_is_an_error),
        TEST(an_attribute_that_the_driver_does_not_know_is_an_ability_less),
        TEST(a_device_that_lacks_what_is_needed_is_refused_with_all_of_it),
        TEST(whether_the_host_can_map_its_memory_is_told_or_why_not),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
