/* Kernels by slices: when one is launched and when not, whose turn it is, and what becomes of launches that fail, never
 * start or never end. */
#include "opencl_fixture_test.h"

#include "../slices.h"

static void a_kernel_at_rest_is_not_launched(void **state)
{
    (void)state;
    rk_kernel kernel = launched();
    OK(rk_activate(runtime, kernel));
    AWAIT(__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) > 0);
    rk_u32 before, after = 0;
    do { /* until a whole half second passes without one */
        before = __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST);
        usleep(500000);
        after = __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST);
    } while (before != after && after < 1000);
    assert_int_equal(before, after);
}

/* How who waits does so: for how long it spins, and whether it yields. */
static void assert_waits(const char *units, const char *without, rk_u64 spin_ns, rk_u32 yields)
{
    if (units) setenv("MOCK_OPENCL_SHARES", "1", 1); /* as a CPU does */
    if (units) setenv("MOCK_OPENCL_UNITS", units, 1);
    if (without) setenv("RK_OPENCL_WITHOUT", without, 1);
    OK(open_runtime());
    assert_int_equal(runtime->options.spin_ns, spin_ns);
    assert_int_equal(runtime->yields, yields);
    OK(rk_close(runtime));
    runtime = 0;
    if (without) unsetenv("RK_OPENCL_WITHOUT");
}

static void who_waits_for_slices_of_a_cpu_leaves_it_the_processor(void **state)
{
    (void)state;
    assert_waits(0, 0, RK_SPIN_DEFAULT, 0); /* a GPU */
    assert_waits("1", 0, RK_SPIN_DEFAULT, 1);
    assert_waits("1", "shared atomics", 1, 0); /* only another thread brings what is waited for */
    assert_waits("2", 0, RK_SPIN_DEFAULT, 0);  /* kernels stay, and need no thread beside them */
}

static void a_message_is_a_reason_for_a_launch(void **state)
{
    const probe message = { .number = 1 };
    (void)state;
    rk_kernel kernel = launched();
    OK(rk_activate(runtime, kernel));
    AWAIT(__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) > 0);
    rk_u32 before = __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST);
    OK(rk_send(runtime, kernel, 200, &message, sizeof message, 0));
    AWAIT(__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) > before);
}

static rk_u32 visits_of(rk_kernel kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    pthread_mutex_lock(&cl->device_lock);
    const rk_u32 visits = cl->served[kernel.number]->visits;
    pthread_mutex_unlock(&cl->device_lock);
    return visits;
}

static void only_a_slice_whose_visits_were_not_enough_gets_more_of_them(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_SHARES", "1", 1); /* a CPU */
    setenv("MOCK_OPENCL_UNITS", "1", 1);
    rk_kernel kernel = launched();
    OK(rk_activate(runtime, kernel));
    for (rk_u32 n = 0; n < 16; n++) {
        rk_u32 before = launches();
        send_one(kernel);
        AWAIT(launches() > before);
    }
    assert_int_equal(visits_of(kernel), RK_OPENCL_VISITS_MOST / 4);
    __atomic_store_n(&mock->works, 1, __ATOMIC_SEQ_CST);
    send_one(kernel);
    AWAIT(visits_of(kernel) == RK_OPENCL_VISITS_CPU);
    __atomic_store_n(&mock->works, 0, __ATOMIC_SEQ_CST);
}

/* Once everything is at rest; how many launches there were. */
static rk_u32 rest(void)
{
    for (int looks = 0; looks < 200; looks++) {
        rk_u32 before = __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST);
        usleep(100000);
        if (__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) == before) return before;
    }
    fail_msg("launches go on with nothing to do");
    return 0;
}

static rk_u64 own_ns; /* atomic */
static rk_u64 own_clock(void *user)
{
    (void)user;
    return __atomic_load_n(&own_ns, __ATOMIC_ACQUIRE);
}

/* Given a clock of the program's, which rings nobody, when it is set on to the time that a kernel at rest asked for, then it
 * gets a slice. */
static void a_kernel_at_rest_sees_a_clock_that_is_set_on(void **state)
{
    (void)state;
    rk_kernel kernel;
    const rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .cache_folder = folder,
                                   .memory_ceiling = 16u << 20, .clock_ns = own_clock };
    __atomic_store_n(&own_ns, RK_SECONDS(1000), __ATOMIC_RELEASE);
    OK(rk_open(&o, &runtime));
    OK(launch("a", &kernel));
    OK(rk_activate(runtime, kernel));
    const rk_u32 before = rest();
    rk_seat *seat = runtime->kernels[kernel.number]->seats;
    __atomic_store_n(&seat->orders->wake_ns, RK_SECONDS(4600), __ATOMIC_RELEASE);
    rk_opencl_ring(seat);
    assert_int_equal(rest(), before);
    __atomic_store_n(&own_ns, RK_SECONDS(4600), __ATOMIC_RELEASE);
    AWAIT(launches() > before);
}

static rk_host_kernel *runtime_kernel(rk_kernel kernel) { return runtime->kernels[kernel.number]; }

static rk_kernel launched_with_two_shards(void)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    OK(open_runtime());
    o.kernel_name = "sink";
    o.deduplication_window = 0;
    o.queue_capacity = 64;
    o.shards = o.blocks = 2;
    OK(rk_launch(runtime, "a", &o, &kernel));
    return kernel;
}

/* As its shard tells it: the phase that it is in, and when its timer hook was to run. */
static void tells(rk_seat *seat, rk_u32 phase, rk_u64 wake_ns)
{
    __atomic_store_n(&seat->orders->wake_ns, wake_ns, __ATOMIC_RELEASE);
    rk_atomic_set_u32(&seat->orders->phase, phase);
}

static void only_the_time_of_a_shard_that_a_visit_would_heed_it_in_is_waited_for(void **state)
{
    (void)state;
    /* given a kernel that the keeper does not have, whose first shard wants to be served and asked for nothing */
    rk_host_kernel *k = runtime_kernel(launched_with_two_shards());
    const rk_u64 now_ns = 1000, most_ns = 500;
    tells(&k->seats[0], RK_PHASE_IDLE, 0);

    /* when the second one's time has passed, then it is now if that one is at work, */
    tells(&k->seats[1], RK_PHASE_IDLE, now_ns - 1);
    assert_int_equal(rk_slices_nap(k, now_ns, most_ns), 0);
    tells(&k->seats[1], RK_PHASE_BUSY, now_ns + 100);
    assert_int_equal(rk_slices_nap(k, now_ns, most_ns), 100);

    /* and not if it waits for room, has ended or has failed, */
    const rk_u32 deaf[] = { RK_PHASE_PARKED, RK_PHASE_ENDED, RK_PHASE_FAILED };
    for (rk_u32 i = 0; i < sizeof deaf / sizeof *deaf; i++) {
        tells(&k->seats[1], deaf[i], now_ns - 1);
        assert_int_equal(rk_slices_nap(k, now_ns, most_ns), most_ns);
    }

    /* nor if it is paused, until it is told to run. */
    tells(&k->seats[1], RK_PHASE_PAUSED, now_ns - 1);
    rk_atomic_set_u32(&k->seats[1].orders->command, RK_COMMAND_PAUSE);
    assert_int_equal(rk_slices_nap(k, now_ns, most_ns), most_ns);
    rk_atomic_set_u32(&k->seats[1].orders->command, RK_COMMAND_RUN);
    assert_int_equal(rk_slices_nap(k, now_ns, most_ns), 0);
}

static void a_paused_shard_whose_time_has_come_brings_no_launches(void **state)
{
    (void)state;
    /* given a kernel of which one shard wants to be served, */
    setenv("MOCK_OPENCL_SHARES", "1", 1); /* what a shard has told stands */
    setenv("MOCK_OPENCL_UNITS", "1", 1);
    rk_kernel kernel = launched_with_two_shards();
    OK(rk_activate(runtime, kernel));
    rest();

    /* when the other one is paused with a time long past, */
    rk_seat *seat = &runtime_kernel(kernel)->seats[1];
    rk_atomic_set_u32(&seat->orders->command, RK_COMMAND_PAUSE);
    tells(seat, RK_PHASE_PAUSED, 1);
    rk_opencl_ring(seat);

    /* then nothing is launched for it once the order is there */
    rest();
    rk_atomic_set_u32(&seat->orders->command, RK_COMMAND_RUN);
    tells(seat, RK_PHASE_IDLE, 0);
}

static void what_a_kernel_sent_in_the_slice_in_which_it_ended_is_looked_at(void **state)
{
    const probe message = { .number = 1 };
    rk_kernel target;
    (void)state;
    OK(open_runtime());
    rk_kernel source;
    OK(launch_kernel("echo", "source", &source));
    OK(launch("target", &target));
    OK(rk_connect(runtime, source, 0, target, 0));
    OK(rk_activate(runtime, target));
    OK(rk_activate(runtime, source));
    rk_u32 before = rest();
    __atomic_store_n(&mock->ends, source.number, __ATOMIC_SEQ_CST);
    OK(rk_send(runtime, source, 200, &message, sizeof message, 0));
    AWAIT(__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) >= before + 2); /* its own, and the target's */
}

static void a_launch_that_fails_loses_the_device_and_fails_its_kernels(void **state)
{
    rk_kernel other;
    (void)state;
    rk_kernel kernel = launched();
    launches_are(MOCK_LAUNCH_FAILS);
    OK(rk_activate(runtime, kernel));
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_int_equal(launch("b", &other), RK_DEVICE_LOST);
    assert_error_says("close the runtime and open it again");
    rk_close(runtime);
    launches_are(MOCK_LAUNCH_COMPLETES);
    kernel = launched(); /* a new runtime begins anew */
    OK(rk_activate(runtime, kernel));
}

/* Whether a launch of this runtime was seen to run. */
static int driver_tells(void) { return rk_atomic_u32(&rk_opencl_of(runtime)->tells) != 0; }

static void a_launch_that_never_starts_loses_the_device_of_a_driver_that_tells(void **state)
{
    (void)state;
    rk_kernel kernel = launched();
    launches_are(MOCK_LAUNCH_WAITS);
    OK(rk_activate(runtime, kernel));
    AWAIT(driver_tells());
    launches_are(MOCK_LAUNCH_NEVER_STARTS);
    release(launches());
    send_one(kernel);
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_string_equal(rk_opencl_of(runtime)->lost_why, "the driver took a launch and never started it");
}

/* NVIDIA's: a launch was submitted, and then it has ended. */
static void a_launch_of_a_driver_that_never_tells_is_taken_for_a_handler_that_runs(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    OK(open_runtime());
    o.kernel_name = "sink";
    o.deduplication_window = 0;
    o.handler_limit_ns = RK_MILLISECONDS(300); /* three times what the driver has for a start */
    OK(rk_launch(runtime, "a", &o, &kernel));
    launches_are(MOCK_LAUNCH_NEVER_STARTS);
    OK(rk_activate(runtime, kernel));
    AWAIT(log_says("a handler runs longer than handler_limit_ns"));
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    rk_terminate(runtime, kernel, RK_MILLISECONDS(100));
    AWAIT(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    assert_non_null(strstr(rk_opencl_of(runtime)->lost_why, "'a' was given up"));
    rk_close(runtime);
    runtime = 0;
}

static void a_launch_that_never_ends_is_given_up_by_whoever_ends_its_kernel(void **state)
{
    (void)state;
    rk_kernel kernel = launched();
    launches_are(MOCK_LAUNCH_NEVER_ENDS);
    OK(rk_activate(runtime, kernel));
    AWAIT(__atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST) > 0);
    assert_int_equal(rk_deactivate(runtime, kernel), RK_TIMED_OUT);
    rk_terminate(runtime, kernel, RK_MILLISECONDS(100));
    AWAIT(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    assert_non_null(strstr(rk_opencl_of(runtime)->lost_why, "'a' was given up"));
    rk_close(runtime); /* waits for nothing that never comes */
    runtime = 0;
}

static void a_launch_that_serves_no_shard_loses_the_device(void **state)
{
    (void)state;
    rk_kernel kernel = launched();
    launches_are(MOCK_LAUNCH_IGNORES);
    OK(rk_activate(runtime, kernel));
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_non_null(strstr(rk_opencl_of(runtime)->lost_why, "served no shard 0 of 'a'"));
    rk_close(runtime);
    runtime = 0;
}

static void a_kernel_whose_last_copy_never_arrives_has_failed_and_is_not_left_unserved(void **state)
{
    (void)state;
    /* given a kernel at rest, */
    rk_kernel kernel = launched();
    OK(rk_activate(runtime, kernel));
    rest();

    /* when what it leaves on the device doesn't come down in time, */
    __atomic_store_n(&mock->copies_hang, 1, __ATOMIC_SEQ_CST);
    assert_int_equal(rk_deactivate(runtime, kernel), RK_FAILED);

    /* then it is told as a failure, since part of it may have come: it is neither active with nobody who serves it, nor
     * ended as if nothing were missing */
    assert_int_equal(life_of(kernel), RK_LIFE_FAILED);
    assert_string_equal(rk_opencl_of(runtime)->lost_why, "what 'a' left there was not copied in time");
    rk_close(runtime);
    runtime = 0;
}

static void where_a_copy_that_never_arrives_would_be_written_stays_when_the_runtime_closes(void **state)
{
    (void)state;
    /* given a copy that was given up, */
    OK(open_runtime());
    const rk_u64 offset = runtime->arena.device_from;
    __atomic_store_n(&mock->copies_hang, 1, __ATOMIC_SEQ_CST);
    assert_int_equal(rk_opencl_fetch(runtime, offset, 64), RK_TIMED_OUT);
    const rk_u32 before = __atomic_load_n(&mock->queues, __ATOMIC_SEQ_CST);

    /* when the runtime closes, then the queue that the copy is in and all that it was given are kept */
    OK(rk_close(runtime));
    runtime = 0;
    assert_int_equal(__atomic_load_n(&mock->queues, __ATOMIC_SEQ_CST), before);
}

static rk_u64 landed_ns(rk_kernel kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    OK(rk_opencl_lock(cl, rk_monotonic_ns() + RK_SECONDS(10)));
    const rk_u64 at = cl->served[kernel.number]->landed_ns;
    rk_opencl_unlock(cl);
    return at;
}

/* Of all kernels; or of one, when the last of its slices landed. Whatever else is in the air. */
static rk_u64 last_landed_ns(const rk_kernel *kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    pthread_mutex_lock(&cl->device_lock);
    const rk_u64 at = kernel ? cl->served[kernel->number]->landed_ns : cl->landed_ns;
    pthread_mutex_unlock(&cl->device_lock);
    return at;
}

/* Lets slices land one by one, from launch `from` on, until each of three kernels has had one since `since`. Those that were
 * first, second and third, in `order`. */
static void land_one_by_one(const rk_kernel *k, rk_u32 from, rk_u64 since, rk_u32 *order)
{
    rk_u32 count = 0, landed[3] = { 0 };
    for (rk_u32 number = from; count < 3; number++) {
        const rk_u64 before = last_landed_ns(0);
        release(number);
        AWAIT(last_landed_ns(0) > before);
        for (rk_u32 i = 0; i < 3; i++) {
            if (landed[i] || last_landed_ns(&k[i]) <= since) continue;
            landed[i] = 1;
            order[count++] = i;
        }
    }
}

static void of_those_that_are_due_the_one_of_the_highest_priority_has_its_slice_first(void **state)
{
    (void)state;
    rk_kernel k[3];
    const probe message = { .number = 1 };
    OK(open_runtime());
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    for (rk_u32 i = 0; i < 3; i++) {
        const char *const ids[] = { "low", "normal", "high" };
        rk_launch_options o = rk_production();
        o.kernel_name = "sink";
        o.deduplication_window = 0;
        o.queue_capacity = 64;
        o.stream_priority = i;
        OK(rk_launch(runtime, ids[i], &o, &k[i]));
        OK(rk_activate(runtime, k[i]));
        AWAIT(landed_ns(k[i]) > 0);
    }
    for (rk_u32 round = 0; round < 5; round++) {
        /* when messages come for all of them before anything is launched in a round, */
        OK(rk_opencl_lock(cl, rk_monotonic_ns() + RK_SECONDS(10)));
        cl->round++; /* nobody has had one in this one */
        const rk_u64 since = cl->landed_ns;
        const rk_u32 first = launches() + 1;
        release(first - 1);
        launches_are(MOCK_LAUNCH_WAITS);
        for (rk_u32 i = 0; i < 3; i++) OK(rk_send(runtime, k[i], RK_BODY(message), 0));
        rk_opencl_unlock(cl);

        /* then they are served from high to low */
        rk_u32 order[3] = { 0 };
        land_one_by_one(k, first, since, order);
        assert_int_equal(order[0], 2);
        assert_int_equal(order[1], 1);
        assert_int_equal(order[2], 0);
        launches_are(MOCK_LAUNCH_COMPLETES);
        release(~0u);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(of_those_that_are_due_the_one_of_the_highest_priority_has_its_slice_first),
        TEST(a_kernel_at_rest_is_not_launched),
        TEST(a_kernel_at_rest_sees_a_clock_that_is_set_on),
        TEST(only_the_time_of_a_shard_that_a_visit_would_heed_it_in_is_waited_for),
        TEST(a_paused_shard_whose_time_has_come_brings_no_launches),
        TEST(who_waits_for_slices_of_a_cpu_leaves_it_the_processor),
        TEST(a_message_is_a_reason_for_a_launch),
        TEST(only_a_slice_whose_visits_were_not_enough_gets_more_of_them),
        TEST(what_a_kernel_sent_in_the_slice_in_which_it_ended_is_looked_at),
        TEST(a_launch_that_fails_loses_the_device_and_fails_its_kernels),
        TEST(a_launch_that_never_starts_loses_the_device_of_a_driver_that_tells),
        TEST(a_launch_of_a_driver_that_never_tells_is_taken_for_a_handler_that_runs),
        TEST(a_launch_that_never_ends_is_given_up_by_whoever_ends_its_kernel),
        TEST(a_launch_that_serves_no_shard_loses_the_device),
        TEST(a_kernel_whose_last_copy_never_arrives_has_failed_and_is_not_left_unserved),
        TEST(where_a_copy_that_never_arrives_would_be_written_stays_when_the_runtime_closes),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
