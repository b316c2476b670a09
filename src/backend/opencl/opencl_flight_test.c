/* Two slices in the air: the second departs while the first runs, either may fail, and an answer brings what it has room
 * for. */
#include "opencl_fixture_test.h"

/* A first slice that runs until it is released, and a second one behind it with a message that came meanwhile. */
static rk_kernel two_in_the_air(void)
{
    rk_kernel kernel = launched();
    rk_opencl_of(runtime)->patience_ns = RK_SECONDS(60); /* both run as long as the test wants */
    rk_opencl_of(runtime)->look_ns = RK_SECONDS(60);
    launches_are(MOCK_LAUNCH_WAITS);
    OK(rk_activate(runtime, kernel));
    AWAIT(launches() == 1);
    send_one(kernel);
    AWAIT(launches() == 2);
    assert_int_equal(in_air(), 2);
    return kernel;
}

static void a_second_slice_departs_while_the_first_runs(void **state)
{
    (void)state;
    two_in_the_air();
    release(2);
    AWAIT(in_air() == 0);
    assert_int_equal(launches(), 2);
}

static void a_third_slice_waits_until_the_first_has_landed(void **state)
{
    (void)state;
    rk_kernel kernel = two_in_the_air();
    send_one(kernel);
    release(1);
    AWAIT(launches() == 3);
    assert_int_equal(in_air(), 2);
    release(3);
    AWAIT(in_air() == 0);
}

/* Who wants the device gets it between slices: the keeper sends none after those in the air. */
static void the_device_is_had_when_both_slices_have_landed(void **state)
{
    rk_kernel_info info;
    (void)state;
    rk_kernel kernel = two_in_the_air();
    release(2);
    OK(rk_kernel_information(runtime, kernel, &info)); /* fetches counters */
    assert_int_equal(in_air(), 0);
}

/* Given memory that both sides share, when a slice lands while the next one of its kernel runs, then what that one has told
 * of its shard since is left. */
static void what_the_second_slice_tells_is_not_undone_when_the_first_lands(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_SHARES", "1", 1);
    setenv("MOCK_OPENCL_UNITS", "1", 1);
    rk_kernel kernel = launched();
    rk_opencl_of(runtime)->patience_ns = RK_SECONDS(60);
    launches_are(MOCK_LAUNCH_WAITS);
    OK(rk_activate(runtime, kernel));
    AWAIT(launches() == 1);
    rk_opencl_ring_parked(runtime);
    AWAIT(launches() == 2);
    rk_orders *orders = runtime->kernels[kernel.number]->seats[0].orders;
    const rk_u32 phase = __atomic_load_n(&orders->phase, __ATOMIC_ACQUIRE);
    __atomic_store_n(&orders->phase, RK_PHASE_PARKED, __ATOMIC_RELEASE);
    __atomic_store_n(&orders->wake_ns, 12345, __ATOMIC_RELEASE);
    release(1);
    AWAIT(in_air() == 1);
    assert_int_equal(__atomic_load_n(&orders->phase, __ATOMIC_ACQUIRE), RK_PHASE_PARKED);
    assert_int_equal(__atomic_load_n(&orders->wake_ns, __ATOMIC_ACQUIRE), 12345);
    __atomic_store_n(&orders->phase, phase, __ATOMIC_RELEASE);
    __atomic_store_n(&orders->wake_ns, 0, __ATOMIC_RELEASE);
    launches_are(MOCK_LAUNCH_COMPLETES);
    release(~0u);
    AWAIT(in_air() == 0);
}

static void one_that_finds_no_memory_leaves_the_others_theirs(void **state)
{
    (void)state;
    rk_kernel kernel = launched(), large;
    rk_launch_options o = rk_production();
    OK(rk_activate(runtime, kernel));
    AWAIT(launches() > 0 && in_air() == 0);
    o.kernel_name = "echo";
    o.deduplication_window = 0;
    o.queue_capacity = 4096;
    OK(rk_launch(runtime, "large", &o, &large));
    mock->result = RK_CL_MEM_OBJECT_ALLOCATION_FAILURE;
    mock->failing = "clCreateBuffer";
    assert_int_equal(rk_activate(runtime, large), RK_OUT_OF_MEMORY);
    mock->failing = 0;
    const rk_opencl_runtime *cl = rk_opencl_of(runtime);
    for (rk_u32 i = 0; i < RK_OPENCL_FLIGHTS; i++) {
        assert_true(cl->flight[i].up.room > 0);
        assert_true(cl->flight[i].down.room > 0);
    }
    const rk_u32 before = launches();
    send_one(kernel);
    AWAIT(launches() > before);
    AWAIT(in_air() == 0);
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

static void of_those_who_look_one_waits_for_a_slice_in_vain(void **state)
{
    rk_kernel_info info;
    (void)state;
    rk_kernel kernel = two_in_the_air();
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    cl->look_ns = RK_MILLISECONDS(1);
    OK(rk_kernel_information(runtime, kernel, &info));
    assert_int_equal(in_air(), 2);
    cl->look_ns = RK_SECONDS(3600);
    OK(rk_kernel_information(runtime, kernel, &info)); /* or for an hour */
    assert_int_equal(in_air(), 2);
    release(1);
    AWAIT(!rk_atomic_u32(&cl->blocked));
    release(2);
    OK(rk_kernel_information(runtime, kernel, &info));
    assert_int_equal(in_air(), 0);
}

static void a_first_slice_that_fails_takes_the_second_with_it(void **state)
{
    (void)state;
    mock->fails = 1;
    rk_kernel kernel = two_in_the_air();
    release(2);
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_non_null(strstr(rk_opencl_of(runtime)->lost_why, "CL_OUT_OF_RESOURCES"));
    rk_close(runtime);
    runtime = 0;
}

static void a_second_slice_that_fails_leaves_what_the_first_brought(void **state)
{
    (void)state;
    mock->fails = 2;
    rk_kernel kernel = two_in_the_air();
    release(1);
    AWAIT(in_air() == 1); /* the first landed */
    assert_false(rk_atomic_u32(&rk_opencl_of(runtime)->lost));
    release(2);
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    rk_close(runtime);
    runtime = 0;
}

/* ------------------------------------------------------------------ more than an answer has room for */

/* What a shard of the device would send to the host: the mock's launches visit none. */
static void send_on_the_device(rk_kernel kernel, rk_u32 count)
{
    const rk_seat *seat = runtime->kernels[kernel.number]->seats;
    mock_opencl_bytes_function bytes_of;
    *(void **)&bytes_of = dlsym(dlopen(MOCK, RTLD_NOW), "mock_opencl_bytes");
    rk_byte *device = bytes_of(rk_opencl_of(runtime)->arena.device);
    const rk_shard *shard =
        (const rk_shard *)(const void *)(device + ((rk_byte *)seat->shard - runtime->arena.base));
    rk_ring *ring = rk_answer_ring(shard, device, RK_ANSWER_OUT);
    for (rk_u32 i = 0; i < count; i++) {
        const probe message = { .number = i };
        const rk_header_long header = { .base = { .type = 200, .length = sizeof message } };
        rk_ring_put(ring, device, ring->tail, (const rk_u32 *)(const void *)&header, &message,
                    sizeof message);
        ring->tail++;
    }
}

/* Room for so many messages of one shard. */
static void narrow_answers(rk_kernel kernel, rk_u32 messages)
{
    const rk_lane_plan *out = &runtime->kernels[kernel.number]->layout.lane[RK_LANE_OUT];
    for (rk_u32 i = 0; i < RK_OPENCL_FLIGHTS; i++)
        rk_opencl_of(runtime)->flight[i].down.room = sizeof(rk_answer) + messages * out->slot_size;
}

static void what_an_answer_has_no_room_for_comes_with_the_next_slices(void **state)
{
    rk_kernel kernel;
    probe message;
    (void)state;
    OK(open_runtime());
    OK(launch_kernel("echo", "a", &kernel));
    launches_are(MOCK_LAUNCH_WAITS);
    OK(rk_activate(runtime, kernel));
    AWAIT(launches() == 1);
    release(1);
    AWAIT(in_air() == 0);
    narrow_answers(kernel, 6);
    send_on_the_device(kernel, 20);
    launches_are(MOCK_LAUNCH_COMPLETES);
    send_one(kernel);
    for (rk_u32 i = 0; i < 20; i++) {
        OK(rk_receive(runtime, kernel, &message, sizeof message, 0, RK_SECONDS(60)));
        assert_int_equal(message.number, i);
    }
    assert_true(launches() >= 1 + 1 + 5); /* six, and then threes, as each lane has its share */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_second_slice_departs_while_the_first_runs),
        TEST(a_third_slice_waits_until_the_first_has_landed),
        TEST(the_device_is_had_when_both_slices_have_landed),
        TEST(what_the_second_slice_tells_is_not_undone_when_the_first_lands),
        TEST(one_that_finds_no_memory_leaves_the_others_theirs),
        TEST(of_those_who_look_one_waits_for_a_slice_in_vain),
        TEST(a_first_slice_that_fails_takes_the_second_with_it),
        TEST(a_second_slice_that_fails_leaves_what_the_first_brought),
        TEST(what_an_answer_has_no_room_for_comes_with_the_next_slices),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
