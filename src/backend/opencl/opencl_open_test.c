/* What is told when the OpenCL backend can't be opened, or can't have what a launch asks for. */
#include <ringkernel/kernel.h>

#include "opencl_fixture_test.h"

static void without_a_library_it_says_what_to_install(void **state)
{
    (void)state;
    setenv("RK_OPENCL_LIBRARY", "/nowhere/libOpenCL.so.1", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("no OpenCL: /nowhere/libOpenCL.so.1");
    assert_error_says("or use the backend cpu");
}

static void a_library_that_is_no_opencl_is_told(void **state)
{
    (void)state;
    setenv("RK_OPENCL_LIBRARY", "libm.so.6", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("'libm.so.6' has no clGetPlatformIDs");
}

static void without_a_platform_it_says_what_to_install(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_PLATFORMS", "0", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("no platform: install the device's driver");
}

static void a_platform_without_a_device_is_told(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_DEVICES", "0", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("OpenCL has 1 platforms, and none of them a device");
}

static void a_device_that_is_not_there_is_refused(void **state)
{
    const rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .device = 3 };
    (void)state;
    assert_int_equal(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("device 3: OpenCL has 1");
}

static void memory_that_can_not_be_had_is_told(void **state)
{
    (void)state;
    mock->failing = "clCreateBuffer";
    mock->result = RK_CL_MEM_OBJECT_ALLOCATION_FAILURE;
    assert_int_equal(open_runtime(), RK_OUT_OF_MEMORY);
    assert_error_says("CL_MEM_OBJECT_ALLOCATION_FAILURE");
    assert_error_says("set memory_ceiling lower");
}

static void memory_that_is_left_in_no_piece_is_told(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    const rk_runtime_options r = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .cache_folder = folder,
                                   .on_log = take_log, .memory_ceiling = 1u << 30 };
    OK(rk_open(&r, &runtime));
    o.kernel_name = "sink";
    o.deduplication_window = 0;
    o.queue_capacity = o.output_capacity = 1u << 20; /* of 64 bytes, */
    o.shards = 4; /* so 512 MiB and the reports where both reach them, and 256 MiB on the device */
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_OUT_OF_MEMORY);
    assert_error_says("lie where host and device both reach them, where");
    assert_error_says("are left in one piece");
}

static void options_that_only_workers_can_keep_are_refused(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    OK(open_runtime());
    o.kernel_name = "sink_spmd";
    o.spmd_check = 1;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("spmd_check: a device runs the threads of a batch as it likes");
}

RK_SPMD_KERNEL(across_blocks, probe, probe, .threads = 32, .barrier = RK_SCOPE_DEVICE)
{
    probe mine;
    (void)rk_try_receive(RK_ARG, &mine);
}

static void a_barrier_of_all_blocks_is_refused(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    OK(open_runtime());
    o.kernel_name = "across_blocks";
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("'across_blocks': OpenCL has no barrier of device scope");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_library_it_says_what_to_install),
        TEST(a_library_that_is_no_opencl_is_told),
        TEST(without_a_platform_it_says_what_to_install),
        TEST(a_platform_without_a_device_is_told),
        TEST(a_device_that_is_not_there_is_refused),
        TEST(memory_that_can_not_be_had_is_told),
        TEST(memory_that_is_left_in_no_piece_is_told),
        TEST(options_that_only_workers_can_keep_are_refused),
        TEST(a_barrier_of_all_blocks_is_refused),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
