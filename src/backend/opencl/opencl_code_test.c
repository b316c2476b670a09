/* The code of a kernel: built once for what is launched, taken from the cache, and what a compiler or driver that fails is
 * told as. */
#include "opencl_fixture_test.h"

static void a_build_that_fails_gives_the_compilers_words(void **state)
{
    rk_kernel kernel;
    (void)state;
    OK(open_runtime());
    mock->failing = "clBuildProgram";
    mock->result = RK_CL_BUILD_PROGRAM_FAILURE;
    assert_int_equal(launch("a", &kernel), RK_COMPILE_FAILED);
    assert_error_says("kernel 'sink' doesn't build for Mock device as CL1.2");
    assert_error_says("kernel.rk.c:7:3: error: mock says no");
}

static void code_is_built_once_and_then_taken_from_the_cache(void **state)
{
    (void)state;
    launched();
    assert_int_equal(mock->builds, 1);
    assert_non_null(strstr(mock->options, "-cl-std=CL1.2 -I"));
    OK(rk_close(runtime));
    launched();
    assert_int_equal(mock->builds, 1);
    assert_int_equal(mock->binaries, 1);
}

/* PoCL would compile everything once more for it. */
static void a_driver_that_keeps_what_it_builds_is_not_asked_for_a_binary(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_PLATFORM_NAME", "Portable Computing Language", 1);
    launched();
    assert_int_equal(mock->builds, 1);
    OK(rk_close(runtime));
    launched();
    assert_int_equal(mock->builds, 2);
    assert_int_equal(mock->binaries, 0);
}

/* A compiler that isn't told makes code for work-groups of any size. */
static void code_is_built_for_the_work_groups_that_are_launched(void **state)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    (void)state;
    launched();
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=64"));
    OK(launch("b", &kernel));
    assert_int_equal(mock->builds, 1);
    o.kernel_name = "sink";
    o.threads = 128;
    OK(rk_launch(runtime, "c", &o, &kernel));
    assert_int_equal(mock->builds, 2);
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=128"));
    setenv("MOCK_OPENCL_SHARES", "1", 1); /* a CPU */
    OK(rk_close(runtime));
    launched();
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=1"));
    assert_null(strstr(mock->options, " -DRK_UNIT_GROUP=128"));
}

/* Given a driver that says one number of all kernels (NVIDIA's: 256), when the work-groups are larger, then they run if the
 * code was built for them. */
static void work_groups_that_the_code_was_built_for_run(void **state)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    (void)state;
    mock->group_most = 64;
    OK(open_runtime());
    o.kernel_name = "sink";
    o.threads = 128;
    OK(rk_launch(runtime, "a", &o, &kernel));
    OK(rk_activate(runtime, kernel));
    OK(rk_deactivate(runtime, kernel)); /* from here on nothing else is launched */

    /* and are refused if the driver has no room for them, with nothing lost, */
    o.threads = 160;
    mock->result = RK_CL_OUT_OF_RESOURCES;
    mock->failing = "clEnqueueNDRangeKernel";
    OK(rk_launch(runtime, "b", &o, &kernel));
    mock->failing = 0;
    assert_int_equal(rk_activate(runtime, kernel), RK_LIMIT);
    assert_error_says("work-groups of 160 threads are over what Mock device can run this kernel in, 64");
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));

    /* or if it isn't told what they were built for */
    mock->promises_no_group = 1;
    o.threads = 192;
    OK(rk_launch(runtime, "c", &o, &kernel));
    assert_int_equal(rk_activate(runtime, kernel), RK_LIMIT);
    assert_error_says("work-groups of 192 threads are over what Mock device can run this kernel in, 64");
}

static void more_local_memory_than_there_is_is_a_limit_and_loses_nothing(void **state)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    (void)state;
    setenv("MOCK_OPENCL_LOCAL", "8192", 1);
    OK(open_runtime());
    o.kernel_name = "reduce_series";
    o.deduplication_window = 0;
    OK(rk_launch(runtime, "a", &o, &kernel));
    assert_int_equal(rk_activate(runtime, kernel), RK_LIMIT);
    assert_error_says("bytes of local memory are over the 8192 of Mock device");
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
}

/* Given a kernel that leaves the size of its work-groups to the device, each thread of which has shared memory of its own, when
 * there is room for as many as are launched, then they run, and with a byte less they are refused. */
static void local_memory_is_that_of_the_threads_that_are_launched(void **state)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    (void)state;
    o.kernel_name = "reduce_by_threads"; /* 128 bytes each */
    o.threads = 1;
    o.deduplication_window = 0;
    setenv("MOCK_OPENCL_LOCAL", "9728",
           1); /* 64 threads, 8 bytes each for the loop, and 1 KiB for the compiler */
    OK(open_runtime());
    OK(rk_launch(runtime, "a", &o, &kernel));
    OK(rk_activate(runtime, kernel));
    OK(rk_close(runtime));
    setenv("MOCK_OPENCL_LOCAL", "9727", 1);
    OK(open_runtime());
    OK(rk_launch(runtime, "a", &o, &kernel));
    assert_int_equal(rk_activate(runtime, kernel), RK_LIMIT);
    assert_error_says("'a': 8704 bytes of local memory are over the 9727 of Mock device");
    OK(rk_close(runtime));

    /* on a CPU one thread is launched, whatever is asked for */
    setenv("MOCK_OPENCL_SHARES", "1", 1);
    setenv("MOCK_OPENCL_LOCAL", "1168", 1);
    o.threads = 1024;
    OK(open_runtime());
    OK(rk_launch(runtime, "a", &o, &kernel));
    OK(rk_activate(runtime, kernel));
}

/* Its compiler has no variadic macros in 1.2, its fence reaches a block, and all inlined takes minutes. */
static void a_gpu_of_nvidia_gets_the_language_that_its_compiler_takes(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_COMPUTE", "9", 1);
    launched();
    assert_non_null(strstr(mock->options, "-cl-std=CL3.0 -I"));
    assert_non_null(strstr(mock->options, " -DRK_NO_ORDERS"));
    assert_non_null(strstr(mock->options, " -DRK_UNIT_SM=90"));
    assert_non_null(strstr(mock->options, " -DRK_UNIT_CALLS"));
    OK(rk_close(runtime));

    /* and one that has the orders of 3.0 is told of none of that */
    unsetenv("MOCK_OPENCL_COMPUTE");
    setenv("MOCK_OPENCL_SHARES", "1", 1);
    launched();
    assert_non_null(strstr(mock->options, "-cl-std=CL3.0 -I"));
    assert_null(strstr(mock->options, "RK_NO_ORDERS"));
    assert_null(strstr(mock->options, "RK_UNIT_SM"));
    OK(rk_close(runtime));

    /* unless it is used without */
    setenv("RK_OPENCL_WITHOUT", "OpenCL C 3.0", 1);
    launched();
    assert_non_null(strstr(mock->options, "-cl-std=CL1.2 -I"));
}

static void a_device_with_32_bit_atomics_gets_lanes_with_locks(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_EXTENSIONS", "cl_khr_int64_base_atomics_not cl_khr_fp64", 1);
    rk_kernel kernel = launched();
    assert_non_null(strstr(mock->options, " -DRK_NO_ATOMICS_64"));
    assert_int_equal(runtime->kernels[kernel.number]->layout.lane[RK_LANE_DEVICE].locked, 1);
    OK(rk_close(runtime));
    unsetenv("MOCK_OPENCL_EXTENSIONS");
    kernel = launched();
    assert_null(strstr(mock->options, " -DRK_NO_ATOMICS_64"));
    assert_int_equal(runtime->kernels[kernel.number]->layout.lane[RK_LANE_DEVICE].locked, 0);
}

static void a_kept_binary_that_the_driver_does_not_take_is_built_again(void **state)
{
    (void)state;
    launched();
    OK(rk_close(runtime));
    mock->failing = "clCreateProgramWithBinary";
    mock->result = RK_CL_INVALID_BINARY;
    launched();
    assert_int_equal(mock->builds, 2);
}

static void a_driver_that_never_starts_the_first_launch_is_told(void **state)
{
    rk_kernel kernel;
    (void)state;
    OK(open_runtime());
    mock->warm_up = MOCK_LAUNCH_NEVER_STARTS;
    assert_int_equal(launch("a", &kernel), RK_DEVICE_LOST);
    assert_error_says("the driver never started a launch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_build_that_fails_gives_the_compilers_words),
        TEST(code_is_built_once_and_then_taken_from_the_cache),
        TEST(a_driver_that_keeps_what_it_builds_is_not_asked_for_a_binary),
        TEST(code_is_built_for_the_work_groups_that_are_launched),
        TEST(work_groups_that_the_code_was_built_for_run),
        TEST(more_local_memory_than_there_is_is_a_limit_and_loses_nothing),
        TEST(local_memory_is_that_of_the_threads_that_are_launched),
        TEST(a_gpu_of_nvidia_gets_the_language_that_its_compiler_takes),
        TEST(a_device_with_32_bit_atomics_gets_lanes_with_locks),
        TEST(a_kept_binary_that_the_driver_does_not_take_is_built_again),
        TEST(a_driver_that_never_starts_the_first_launch_is_told),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
