/* A device that is lost, with the kernels that were on it. */
#include <ringkernel/kernel.h>

#include "cuda_fixture_test.h"

static void assert_lost(rk_kernel kernel)
{
    assert_int_equal(life_of(kernel), RK_LIFE_FAILED);
    assert_string_equal(host_of(kernel)->failure, "the device is lost, with all that was on it");
}

static void a_lost_device_fails_its_kernels_and_closing_works(void **state)
{
    (void)state;
    probe p = { .number = 1 };
    open_runtime();
    rk_kernel first = active("first", "sink"), second = active("second", "echo");
    lose_device();
    AWAIT(life_of(first) == RK_LIFE_FAILED && life_of(second) == RK_LIFE_FAILED);
    assert_lost(first);
    assert_lost(second);
    assert_says(logged, "CUDA_ERROR_ILLEGAL_ADDRESS");
    assert_int_equal(rk_send(runtime, first, 200, &p, sizeof p, 0), RK_CLOSED);
    assert_int_equal(rk_activate(runtime, first), RK_FAILED);
    assert_error_says("the device is lost");
    OK(rk_terminate(runtime, second, RK_SECONDS(1)));
    OK(rk_close(runtime));
    runtime = 0;
}

/* Whoever finds it first, the kernel is told to have failed. */
static void what_finds_the_device_lost_fails_the_kernel(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.single_step = 1; /* no keeper that would find it */
    open_with(&options);
    rk_kernel kernel = active("a", "sink");
    lose_device();
    rk_deactivate(runtime, kernel);
    assert_lost(kernel);
    assert_int_equal(rk_activate(runtime, kernel), RK_FAILED);
    assert_int_equal(rk_relaunch(runtime, kernel, 0, RK_SECONDS(1)) != RK_OK, 1);
    assert_lost(kernel);
    OK(rk_close(runtime));
    runtime = 0;
}

static void who_is_activated_on_a_lost_device_has_failed(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.single_step = 1; /* nobody else finds it */
    open_with(&options);
    rk_kernel kernel = active("a", "sink");
    OK(rk_deactivate(runtime, kernel));
    lose_device();
    assert_int_equal(rk_activate(runtime, kernel), RK_DEVICE_LOST);
    assert_lost(kernel);
    assert_int_equal(rk_activate(runtime, kernel), RK_FAILED);
    OK(rk_close(runtime));
    runtime = 0;
}

static void a_step_on_a_lost_device_fails_the_kernel(void **state)
{
    (void)state;
    rk_account account;
    rk_runtime_options options = given();
    options.single_step = 1;
    open_with(&options);
    rk_kernel kernel = active("a", "sink");
    lose_device();
    OK(rk_account_of(runtime, kernel, &account)); /* finds it */
    assert_int_equal(rk_step(runtime, kernel, 0), RK_FAILED);
    assert_lost(kernel);
    OK(rk_close(runtime));
    runtime = 0;
}

static void reading_state_of_a_lost_device_fails_the_kernel(void **state)
{
    (void)state;
    rk_byte bytes[65536];
    rk_runtime_options options = given();
    options.single_step = 1;
    open_with(&options);
    rk_kernel kernel = active("a", "tally_shards");
    lose_device();
    assert_int_equal(rk_read_state(runtime, kernel, 0, bytes, host_of(kernel)->class->state_size),
                     RK_DEVICE_LOST);
    assert_lost(kernel);
    OK(rk_close(runtime));
    runtime = 0;
}

static void a_kernel_whose_state_cannot_be_copied_is_served_again(void **state)
{
    (void)state;
    rk_byte bytes[65536];
    rk_runtime_options options = given();
    options.single_step = 1;
    open_with(&options);
    rk_kernel kernel;
    rk_status status = RK_FAILED;
    int copies = 0;
    for (; status == RK_FAILED; copies++) { /* first it is the stop that fails, and says so */
        kernel = active("a", "tally_shards");
        fails_once("cuMemcpyAsync", RK_CUDA_ERROR_INVALID_VALUE, copies);
        status = rk_read_state(runtime, kernel, 0, bytes, host_of(kernel)->class->state_size);
        if (status != RK_FAILED) continue;
        assert_error_says("could not be copied from the device");
        assert_int_equal(life_of(kernel), RK_LIFE_FAILED);
        fails_no_more();
        OK(rk_relaunch(runtime, kernel, 0, RK_SECONDS(5))); /* nothing is missing there */
        OK(rk_read_state(runtime, kernel, 0, bytes, host_of(kernel)->class->state_size));
        OK(rk_terminate(runtime, kernel, 0));
    }
    assert_true(copies > 1);
    assert_int_equal(status, RK_INTERNAL);
    assert_error_says("copying from the device");
    fails_no_more();
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_true(host_of(kernel)->serving);
    OK(rk_read_state(runtime, kernel, 0, bytes, host_of(kernel)->class->state_size));
}

/* What the driver says of a stream, and is none of its known ends. */
static void a_stream_that_fails_for_a_reason_unknown_is_a_lost_device(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    for (options.slices = 0; options.slices < 2; options.slices++) {
        open_with(&options);
        rk_kernel kernel = active("a", "sink");
        fails("cuStreamQuery", RK_CUDA_ERROR_UNKNOWN, 0);
        AWAIT(life_of(kernel) == RK_LIFE_FAILED);
        assert_lost(kernel);
        assert_says(logged, "CUDA_ERROR_UNKNOWN");
        OK(rk_close(runtime));
        runtime = 0;
        mock_reset();
        mock->strict = 1;
    }
}

static void on_a_lost_device_nothing_is_launched(void **state)
{
    (void)state;
    rk_kernel second;
    open_runtime();
    rk_kernel first = active("first", "sink");
    rk_launch_options o = small("sink");
    lose_device();
    AWAIT(life_of(first) == RK_LIFE_FAILED);
    rk_status status = rk_launch(runtime, "second", &o, &second);
    assert_int_equal(status, RK_DEVICE_LOST);
    assert_error_says("lost");
    OK(rk_close(runtime));
    runtime = 0;
}

static const struct CMUnitTest tests[] = {
    TEST_LOST(a_lost_device_fails_its_kernels_and_closing_works),
    TEST_LOST(what_finds_the_device_lost_fails_the_kernel),
    TEST_LOST(who_is_activated_on_a_lost_device_has_failed),
    TEST_LOST(a_step_on_a_lost_device_fails_the_kernel),
    TEST_LOST(reading_state_of_a_lost_device_fails_the_kernel),
    TEST(a_kernel_whose_state_cannot_be_copied_is_served_again),
    TEST_LOST(a_stream_that_fails_for_a_reason_unknown_is_a_lost_device),
    TEST_LOST(on_a_lost_device_nothing_is_launched),
};
CUDA_MAIN(tests)
