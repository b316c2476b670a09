/* Kernels that stay on the device: where they do, what they are told, and what happens where memory isn't shared, a unit
 * is to be left free, or one never begins or never leaves. */
#include "opencl_fixture_test.h"

static rk_u32 stays(void) { return __atomic_load_n(&mock->stays, __ATOMIC_SEQ_CST); }

/* On a device of `units`, whose kernels see what the host writes. */
static rk_kernel stays_with(const char *units)
{
    setenv("MOCK_OPENCL_SHARES", "1", 1);
    setenv("MOCK_OPENCL_UNITS", units, 1);
    rk_kernel kernel = launched();
    OK(rk_activate(runtime, kernel));
    return kernel;
}

static void a_kernel_stays_where_memory_is_shared(void **state)
{
    (void)state;
    rk_kernel kernel = stays_with("2");
    assert_int_equal(stays(), 1);
    assert_int_equal(launches(), 0);
    send_one(kernel);
    OK(rk_close(runtime)); /* it leaves when it is told to */
    runtime = 0;
    assert_int_equal(stays(), 1);
    assert_int_equal(launches(), 0);
}

static void a_kernel_that_stays_is_told_the_time_and_that_the_host_lives(void **state)
{
    (void)state;
    rk_kernel kernel = stays_with("2");
    rk_orders *orders = runtime->kernels[kernel.number]->seats[0].orders;
    for (rk_u32 i = 0; i < 3; i++) {
        rk_u64 beat = __atomic_load_n(&orders->heartbeat, __ATOMIC_RELAXED),
               now = __atomic_load_n(&orders->clock_base, __ATOMIC_RELAXED);
        AWAIT(__atomic_load_n(&orders->heartbeat, __ATOMIC_RELAXED) != beat);
        AWAIT(__atomic_load_n(&orders->clock_base, __ATOMIC_RELAXED) > now);
    }
}

static void a_unit_is_left_free(void **state)
{
    (void)state;
    stays_with("1");
    AWAIT(launches() > 0);
    assert_int_equal(stays(), 0);
    assert_int_equal(rk_opencl_of(runtime)->shares, 1);
}

static void where_one_more_does_not_fit_all_are_served_by_slices(void **state)
{
    rk_kernel other;
    (void)state;
    rk_kernel kernel = stays_with("2");
    assert_int_equal(launches(), 0);
    assert_int_equal(runtime->yields, 0);
    OK(launch("b", &other));
    OK(rk_activate(runtime, other));
    assert_int_equal(runtime->yields, 1);
    assert_true(
        log_says("'b' would stay with 1 work-groups beside 1 others, and of 2 compute units one must be"));
    AWAIT(launches() > 0);
    rk_u32 before = launches();
    send_one(kernel);
    AWAIT(launches() > before);
    assert_int_equal(stays(), 1);
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
}

static void a_driver_that_never_starts_a_kernel_that_stays_gets_slices(void **state)
{
    (void)state;
    mock->stay = MOCK_STAY_NEVER_BEGINS;
    begin_ns = RK_MILLISECONDS(50);
    rk_kernel kernel = stays_with("4");
    assert_true(log_says("'a' was to stay, and the driver started 0 of 1 work-groups in time"));
    AWAIT(launches() > 0);
    rk_u32 before = launches();
    send_one(kernel);
    AWAIT(launches() > before);
    release(~0u); /* and if it starts at last, nothing is done by it */
    AWAIT(__atomic_load_n(&mock->revoked, __ATOMIC_SEQ_CST) == 1);
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
}

static void a_kernel_that_never_leaves_is_given_up_and_others_go_on(void **state)
{
    rk_kernel other;
    (void)state;
    mock->stay = MOCK_STAY_NEVER_LEAVES;
    rk_kernel kernel = stays_with("4");
    mock->stay = MOCK_STAY_BEGINS;
    OK(launch("b", &other));
    OK(rk_activate(runtime, other));
    assert_int_equal(stays(), 2);
    assert_int_equal(rk_terminate(runtime, kernel, RK_MILLISECONDS(50)), RK_QUARANTINED);
    send_one(other);
    assert_int_equal(life_of(other), RK_LIFE_ACTIVE);
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    assert_int_equal(rk_close(runtime), RK_QUARANTINED); /* waits for nothing that never comes */
    runtime = 0;
}

static rk_orders *orders_of(rk_kernel kernel) { return runtime->kernels[kernel.number]->seats[0].orders; }

static void one_that_did_not_leave_in_time_is_looked_after_again(void **state)
{
    (void)state;
    mock->stay = MOCK_STAY_NEVER_LEAVES;
    rk_kernel kernel = stays_with("2");
    runtime->options.stall_limit_ns = RK_MILLISECONDS(50);
    assert_int_equal(rk_deactivate(runtime, kernel), RK_TIMED_OUT);
    const rk_u64 beat = __atomic_load_n(&orders_of(kernel)->heartbeat, __ATOMIC_RELAXED);
    AWAIT(__atomic_load_n(&orders_of(kernel)->heartbeat, __ATOMIC_RELAXED) > beat + 2);
    assert_int_equal(rk_terminate(runtime, kernel, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_int_equal(rk_close(runtime), RK_QUARANTINED);
    runtime = 0;
}

static void one_that_left_and_does_not_begin_again_gets_slices_at_once(void **state)
{
    (void)state;
    rk_kernel kernel = stays_with("4");
    mock->stay = MOCK_STAY_NEVER_BEGINS;
    rk_opencl_of(runtime)->begin_ns = RK_MILLISECONDS(50);
    rk_atomic_set_u32(&orders_of(kernel)->gone, 1);
    AWAIT(launches() > 0);
    assert_true(log_says("'a' was to stay, and the driver started 0 of 1 work-groups in time"));
    __atomic_store_n(&mock->released, 1, __ATOMIC_SEQ_CST);
}

/* A slice would serve the shards that its launch still serves. */
static void while_kernels_are_told_to_leave_for_slices_none_is_launched(void **state)
{
    rk_kernel busy, third;
    (void)state;
    mock->stay = MOCK_STAY_NEVER_LEAVES;
    rk_kernel kernel = stays_with("3");
    mock->stay = MOCK_STAY_BEGINS;
    OK(launch("b", &busy));
    OK(rk_activate(runtime, busy));
    send_one(busy);
    OK(launch("c", &third));
    assert_int_equal(rk_activate(runtime, third), RK_TIMED_OUT);
    assert_error_says("'a' doesn't leave Mock device: a handler is still running");
    assert_int_equal(launches(), 0);
    assert_int_equal(life_of(busy), RK_LIFE_ACTIVE);
    assert_int_equal(rk_terminate(runtime, kernel, RK_MILLISECONDS(50)), RK_QUARANTINED);
    assert_int_equal(rk_close(runtime), RK_QUARANTINED);
    runtime = 0;
}

static void one_that_waits_for_room_is_not_launched_again_and_again_till_it_has_some(void **state)
{
    (void)state;
    /* given a kernel whose shard waits for room, with a batch half out, */
    rk_kernel kernel = stays_with("2");
    rk_seat *seat = runtime->kernels[kernel.number]->seats;
    seat->shard->turn.parked = 1;
    rk_atomic_set_u32(&seat->orders->phase, RK_PHASE_PARKED);
    const rk_u32 before = stays();

    /* when it is to stop between batches, and there is none in time, */
    assert_int_equal(rk_relaunch(runtime, kernel, 0, RK_MILLISECONDS(300)), RK_TIMED_OUT);
    assert_error_says("waits for room where it sends to");

    /* then it was launched once to wait for it, and at most once more to be stopped at the end and go on */
    assert_in_range(stays() - before, 1, 3);
    seat->shard->turn.parked = 0;
    rk_atomic_set_u32(&seat->orders->phase, RK_PHASE_IDLE);
}

/* As one who waits for it to leave. */
static void set_going(rk_opencl_runtime *cl, rk_opencl_served *served, rk_u32 going)
{
    pthread_mutex_lock(&cl->device_lock);
    served->going = going;
    pthread_mutex_unlock(&cl->device_lock);
}

static void one_that_is_given_up_is_kept_for_who_waits_until_it_has_left(void **state)
{
    (void)state;
    /* given one who waits for a kernel to leave, when it has just left, */
    rk_kernel kernel = stays_with("4");
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    rk_opencl_served *served = cl->served[kernel.number];
    set_going(cl, served, 1);
    rk_atomic_set_u32(&orders_of(kernel)->leave, RK_LEAVE_NOW);
    AWAIT(rk_opencl_stage(cl, served->stay) == RK_CL_COMPLETE);

    /* when somebody gives it up, then what was served, and the launch, are there still, */
    rk_opencl_abandon(runtime, runtime->kernels[kernel.number]);
    assert_null(cl->served[kernel.number]);
    assert_ptr_equal(cl->stuck, served);
    assert_non_null(served->stay);
    set_going(cl, served, 0);

    /* and go with the runtime */
    const rk_u32 before = __atomic_load_n(&mock->queues, __ATOMIC_SEQ_CST);
    OK(rk_close(runtime));
    runtime = 0;
    assert_true(__atomic_load_n(&mock->queues, __ATOMIC_SEQ_CST) < before);
}

static void one_that_another_has_told_to_leave_is_left_to_him_till_he_has_done(void **state)
{
    (void)state;
    /* given one who waits for a kernel to leave, and goes on to use it, */
    rk_kernel kernel = stays_with("4");
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    rk_opencl_served *served = cl->served[kernel.number];
    set_going(cl, served, 1);

    /* when it is deactivated meanwhile, then it is served on, and was not told to leave a second time, */
    assert_int_equal(
        rk_opencl_leave(runtime, runtime->kernels[kernel.number], rk_monotonic_ns() + RK_MILLISECONDS(20)),
        RK_TIMED_OUT);
    assert_error_says("a handler is still running");
    assert_ptr_equal(cl->served[kernel.number], served);
    assert_int_equal(served->going, 1);

    /* and leaves once he has done */
    set_going(cl, served, 0);
    OK(rk_deactivate(runtime, kernel));
    assert_null(cl->served[kernel.number]);
}

static void a_probe_that_fails_gets_copies(void **state)
{
    (void)state;
    mock->probe_fails = 1;
    stays_with("4");
    assert_true(log_says("copy slices on Mock device: the probe of shared memory doesn't run"));
    AWAIT(launches() > 0);
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
}

static void a_device_that_is_deaf_while_a_kernel_runs_gets_copies(void **state)
{
    (void)state;
    mock->deaf = 1;
    stays_with("4");
    assert_true(log_says(
        "copy slices on Mock device: a running kernel and the host don't see what the other writes"));
    assert_int_equal(rk_opencl_of(runtime)->shares, 0);
    AWAIT(launches() > 0);
    assert_int_equal(stays(), 0);
}

static void a_device_whose_stores_come_out_of_order_gets_copies(void **state)
{
    (void)state;
    mock->hasty = 1;
    stays_with("4");
    assert_true(log_says("copy slices on Mock device: the host saw a message before what is in it"));
    assert_int_equal(rk_opencl_of(runtime)->shares, 0);
}

static void a_device_can_be_used_without_what_it_has(void **state)
{
    (void)state;
    setenv("RK_OPENCL_WITHOUT", "sub-groups,shared atomics", 1);
    stays_with("4");
    assert_true(
        log_says("copy slices on Mock device: host and kernel can't order what they share, for want of"));
    assert_int_equal(stays(), 0);
}

static void shared_memory_that_can_not_be_had_is_told(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_SHARES", "1", 1);
    mock->failing = "clSVMAlloc";
    OK(open_runtime());
    assert_true(log_says("copy slices on Mock device: the probe of shared memory can't be built"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_kernel_stays_where_memory_is_shared),
        TEST(a_kernel_that_stays_is_told_the_time_and_that_the_host_lives),
        TEST(a_unit_is_left_free),
        TEST(where_one_more_does_not_fit_all_are_served_by_slices),
        TEST(a_driver_that_never_starts_a_kernel_that_stays_gets_slices),
        TEST(a_kernel_that_never_leaves_is_given_up_and_others_go_on),
        TEST(one_that_did_not_leave_in_time_is_looked_after_again),
        TEST(one_that_left_and_does_not_begin_again_gets_slices_at_once),
        TEST(while_kernels_are_told_to_leave_for_slices_none_is_launched),
        TEST(one_that_waits_for_room_is_not_launched_again_and_again_till_it_has_some),
        TEST(one_that_is_given_up_is_kept_for_who_waits_until_it_has_left),
        TEST(one_that_another_has_told_to_leave_is_left_to_him_till_he_has_done),
        TEST(a_probe_that_fails_gets_copies),
        TEST(a_device_that_is_deaf_while_a_kernel_runs_gets_copies),
        TEST(a_device_whose_stores_come_out_of_order_gets_copies),
        TEST(a_device_can_be_used_without_what_it_has),
        TEST(shared_memory_that_can_not_be_had_is_told),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
