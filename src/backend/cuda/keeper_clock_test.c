/* The clock of a device, which the thread that watches over it sets anew beside the host's. */
#include "cuda_fixture_test.h"

static void the_clock_is_set_anew_each_second(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    __atomic_store_n(&orders_of(kernel)->clock_base, 1, __ATOMIC_RELEASE);
    AWAIT(base_of(kernel) != 1);
    assert_in_range(base_of(kernel), MOCK_TIMER_LATE - RK_SECONDS(1), MOCK_TIMER_LATE + RK_SECONDS(1));
    rk_cuda_lock(cuda_of_runtime());
    rk_u64 error = cuda_of_runtime()->clock_error_ns;
    pthread_mutex_unlock(&cuda_of_runtime()->copying);
    assert_true(error < RK_SECONDS(1));
}

static rk_u64 stopped_clock(void *user)
{
    (void)user;
    return RK_SECONDS(7);
}

static rk_metrics metrics_of(rk_kernel kernel)
{
    rk_metrics metrics;
    OK(rk_metrics_of(runtime, kernel, &metrics));
    return metrics;
}

static void how_far_the_clock_is_off_and_drifts_is_told(void **state)
{
    (void)state;
    open_runtime();
    mock->timer_gains = 100; /* a tenth */
    rk_kernel kernel = active("a", "sink");
    AWAIT(metrics_of(kernel).clock_drift_ns < -(rk_i64)RK_MILLISECONDS(90));
    assert_in_range(metrics_of(kernel).clock_error_ns, 1, RK_SECONDS(1));
    AWAIT(rk_atomic_u32(&orders_of(kernel)->clock_error_ns) > RK_MILLISECONDS(90)); /* the shard, too */
}

/* Given a runtime that was open for long, so that the clock is set twice at once when something runs, then what it moved
 * between the two isn't taken for a second's. */
static void the_drift_is_that_of_a_second_however_soon_the_clock_was_set_again(void **state)
{
    (void)state;
    rk_i64 drift;
    open_runtime();
    mock->timer_gains = 100; /* a tenth */
    const rk_u64 opened_ns = rk_monotonic_ns();
    AWAIT(rk_monotonic_ns() - opened_ns > RK_MILLISECONDS(1200));
    rk_kernel kernel = active("a", "sink");
    AWAIT((drift = metrics_of(kernel).clock_drift_ns) != 0);
    assert_true(drift < -(rk_i64)RK_MILLISECONDS(90));
}

static void a_clock_that_was_never_set_is_not_off(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    assert_int_equal(metrics_of(kernel).clock_error_ns, 0);
}

static rk_u64 moved_ns; /* atomic */
static rk_u64 moved_clock(void *user)
{
    (void)user;
    return __atomic_load_n(&moved_ns, __ATOMIC_ACQUIRE);
}

static void a_clock_of_ones_own_is_told_as_it_moves(void **state)
{
    (void)state;
    for (rk_u32 slices = 0; slices < 2; slices++) {
        rk_runtime_options options = given();
        options.clock_ns = moved_clock;
        options.slices = slices;
        __atomic_store_n(&moved_ns, RK_SECONDS(7), __ATOMIC_RELEASE);
        open_with(&options);
        rk_kernel kernel = active("a", "sink");
        AWAIT(base_of(kernel) == RK_SECONDS(7));
        __atomic_store_n(&moved_ns, RK_SECONDS(9), __ATOMIC_RELEASE);
        AWAIT(base_of(kernel) == RK_SECONDS(9));
        assert_int_equal(rk_atomic_u32(&orders_of(kernel)->clock_error_ns), 0);
        OK(rk_close(runtime));
        runtime = 0;
    }
}

static void a_clock_of_ones_own_is_not_off(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.clock_ns = stopped_clock;
    open_with(&options);
    rk_kernel kernel = active("a", "sink");
    AWAIT(cuda_of_runtime()->clock_probe &&
          __atomic_load_n(&cuda_of_runtime()->clock_error_ns, __ATOMIC_RELAXED));
    assert_int_equal(metrics_of(kernel).clock_error_ns, 0);
    assert_int_equal(metrics_of(kernel).clock_drift_ns, 0);
}

/* The heartbeat goes on through the second in which the clock is set. */
static void assert_beats_for(rk_kernel kernel, rk_u64 duration_ns)
{
    rk_u64 begin = rk_monotonic_ns(), changed = begin, beat = beat_of(kernel), now;
    for (now = begin; now - begin < duration_ns; now = rk_monotonic_ns()) {
        if (beat_of(kernel) != beat) beat = beat_of(kernel), changed = now;
        if (now - changed > RK_SECONDS(1)) fail_msg("the heartbeat has stopped");
        usleep(1000);
    }
}

static void a_device_as_full_as_can_be_has_room_for_the_clock(void **state)
{
    (void)state;
    rk_launch_options o = small("sink");
    open_runtime();
    o.queue_capacity = 16;
    o.shards = o.blocks = 132 * 8 - 1;
    rk_kernel kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    assert_beats_for(kernel, RK_MILLISECONDS(2500));
}

static void as_many_kernels_as_can_be_leave_room_for_the_clock(void **state)
{
    (void)state;
    char id[16];
    rk_kernel kernel = { 0, 0 };
    open_runtime();
    for (rk_u32 i = 0; i < RK_CUDA_RESIDENT_MOST; i++) {
        snprintf(id, sizeof id, "k%u", i);
        kernel = active(id, "sink");
    }
    assert_beats_for(kernel, RK_MILLISECONDS(2500));
}

static rk_u64 clock_error_of(rk_kernel kernel) { return metrics_of(kernel).clock_error_ns; }

/* Of them all, and one that looked at the layout. */
static rk_u32 probes(void) { return __atomic_load_n(&mock->launches, __ATOMIC_ACQUIRE) - entries(); }

static void a_clock_that_cannot_be_asked_holds_up_nobody_and_says_how_far_it_may_be_off(void **state)
{
    (void)state;
    open_runtime();
    mock->timer_gains = 1; /* a millisecond each second */
    rk_kernel kernel = active("a", "sink");
    AWAIT(metrics_of(kernel).clock_drift_ns < -(rk_i64)RK_MICROSECONDS(900));
    const rk_u64 error = clock_error_of(kernel), base = base_of(kernel);

    /* when nothing leaves room for the probe, then heartbeat and looks go on, and one probe waits */
    __atomic_store_n(&mock->full, 1, __ATOMIC_RELEASE);
    const rk_u32 asked = probes();
    rk_u64 changed = rk_monotonic_ns(), beat = beat_of(kernel);
    while (clock_error_of(kernel) < error + RK_MILLISECONDS(3)) { /* in which it is due three times */
        if (beat_of(kernel) != beat) beat = beat_of(kernel), changed = rk_monotonic_ns();
        if (rk_monotonic_ns() - changed > RK_SECONDS(1)) fail_msg("the heartbeat has stopped");
        usleep(1000);
    }
    assert_in_range(probes(), asked, asked + 1);
    assert_int_equal(base_of(kernel), base);
    AWAIT(rk_atomic_u32(&orders_of(kernel)->clock_error_ns) >=
          error + RK_MILLISECONDS(1)); /* the shard knows, too */
    assert_int_equal(times("can't be asked for its time"), 1);

    /* and when there is room again it is set, and off by as little as before */
    __atomic_store_n(&mock->full, 0, __ATOMIC_RELEASE);
    AWAIT(probes() >= asked + 2);
    AWAIT(base_of(kernel) != base);
    assert_in_range(-metrics_of(kernel).clock_drift_ns, RK_MICROSECONDS(500), RK_MICROSECONDS(1500));
    assert_int_equal(times("can't be asked for its time"), 1);
}

static void believe(rk_i64 drift_ns, rk_u64 error_ns)
{
    __atomic_store_n(&cuda_of_runtime()->clock_drift_ns, drift_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&cuda_of_runtime()->clock_error_ns, error_ns, __ATOMIC_RELAXED);
}

static void await_an_answer(void)
{
    const rk_u32 asked = probes();
    AWAIT(probes() > asked);
}

/* As where other processes have the device for some milliseconds in each. */
static void an_answer_that_is_off_by_more_than_what_is_known_is_not_believed(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    await_an_answer(); /* and the next comes in a second */

    /* given a clock that is known as well as can be, and drifts little, then answers don't set it */
    believe(1, 0);
    const rk_u64 base = base_of(kernel);
    await_an_answer();
    await_an_answer(); /* so the first has been looked at */
    assert_int_equal(base_of(kernel), base);
    assert_in_range(clock_error_of(kernel), 0, 100);

    /* and when it may be off by more than they are, then they do */
    believe(1, RK_MILLISECONDS(500));
    AWAIT(base_of(kernel) != base);
    assert_true(clock_error_of(kernel) < RK_MILLISECONDS(500));
}

static const struct CMUnitTest tests[] = {
    TEST(the_clock_is_set_anew_each_second),
    TEST(how_far_the_clock_is_off_and_drifts_is_told),
    TEST(a_clock_of_ones_own_is_told_as_it_moves),
    TEST(the_drift_is_that_of_a_second_however_soon_the_clock_was_set_again),
    TEST(a_clock_that_was_never_set_is_not_off),
    TEST(a_clock_of_ones_own_is_not_off),
    TEST(a_device_as_full_as_can_be_has_room_for_the_clock),
    TEST(as_many_kernels_as_can_be_leave_room_for_the_clock),
    TEST(a_clock_that_cannot_be_asked_holds_up_nobody_and_says_how_far_it_may_be_off),
    TEST(an_answer_that_is_off_by_more_than_what_is_known_is_not_believed),
};
CUDA_MAIN(tests)
