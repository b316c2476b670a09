/* One runtime over several devices: what is where, who reaches what, and what becomes of the others when one
 * is lost. */
#include "cuda_fixture_test.h"

static rk_runtime_options several(const rk_u32 *devices, rk_u32 count)
{
    rk_runtime_options options = given();
    options.devices = devices;
    options.device_count = count;
    return options;
}

static void open_two(void)
{
    static const rk_u32 devices[] = { 0, 1 };
    mock->devices = 2;
    const rk_runtime_options options = several(devices, 2);
    open_with(&options);
}

static rk_launch_options on(const char *kernel_name, rk_u32 place)
{
    rk_launch_options o = small(kernel_name);
    o.deduplication_window = 0; /* so that lanes are open, and claims counted */
    o.device = place;
    return o;
}

static rk_kernel launched_on(const char *id, const char *kernel_name, rk_u32 place)
{
    const rk_launch_options o = on(kernel_name, place);
    return launch_with(id, &o);
}

static rk_kernel active_on(const char *id, const char *kernel_name, rk_u32 place)
{
    rk_kernel kernel = launched_on(id, kernel_name, place);
    OK(rk_activate(runtime, kernel));
    return kernel;
}

/* The place whose memory an offset is in; -1: the host's. */
static int place_of(rk_u64 offset)
{
    const rk_arena *arena = &runtime->arena;
    return offset < arena->device_from ? -1 : (int)((offset - arena->device_from) / arena->device_part);
}

static int device_of(rk_kernel kernel)
{
    rk_kernel_info info;
    OK(rk_kernel_information(runtime, kernel, &info));
    return (int)info.device;
}

/* ------------------------------------------------------------------ opening */

static void opening_is_refused(const rk_runtime_options *options, rk_status status, const char *part)
{
    assert_int_equal(rk_open(options, &runtime), status);
    assert_null(runtime);
    assert_error_says(part);
}

static void devices_without_access_are_refused(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 0, 2 };
    const rk_runtime_options options = several(devices, 2);
    mock->devices = 3;
    mock->links = 1;
    opening_is_refused(
        &options, RK_UNSUPPORTED,
        "CUDA devices 0 (Mock GPU 0) and 2 (Mock GPU 2): one does not reach the other's memory");
}

static void devices_without_atomics_are_refused(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 1, 0 };
    const rk_runtime_options options = several(devices, 2);
    mock->devices = 2;
    mock->links = 2;
    opening_is_refused(&options, RK_UNSUPPORTED, "one has no atomics in the other's memory");
}

static void a_device_of_the_list_that_is_not_there_is_refused(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 0, 1 };
    const rk_runtime_options options = several(devices, 2);
    opening_is_refused(&options, RK_INVALID_ARGUMENT, "there is no CUDA device 1");
}

static void a_list_that_says_nothing_is_refused(void **state)
{
    (void)state;
    static const rk_u32 devices[RK_DEVICES_MAX + 1] = { 0 };
    rk_runtime_options options = several(0, 2);
    opening_is_refused(&options, RK_INVALID_OPTIONS, "device_count 2: devices must list them");
    options = several(devices, RK_DEVICES_MAX + 1);
    opening_is_refused(&options, RK_INVALID_OPTIONS, "device_count 17");
    options = several(devices, 1);
    options.device = 1;
    opening_is_refused(&options, RK_INVALID_OPTIONS, "device 1: with a list of devices, leave it 0");
    options = several(devices, 1);
    options.backend = RK_BACKEND_CPU;
    opening_is_refused(&options, RK_UNSUPPORTED, "leave it 0");
}

static void what_fails_while_the_second_is_opened_leaves_nothing(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 0, 1 };
    static const char *const calls[] = { "cuDevicePrimaryCtxRetain", "cuStreamCreateWithPriority",
                                         "cuMemHostAlloc" };
    const rk_runtime_options options = several(devices, 2);
    mock->devices = 2;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fails(calls[i], RK_CUDA_ERROR_INVALID_VALUE, 1);
        opening_is_refused(&options, RK_INTERNAL, "CUDA_ERROR_INVALID_VALUE");
        fails_no_more();
        assert_all_given_back();
    }
}

/* ------------------------------------------------------------------ placing */

static void a_kernel_lies_and_runs_on_its_device(void **state)
{
    (void)state;
    open_two();
    for (rk_u32 place = 0; place < 2; place++) {
        rk_kernel kernel = active_on(place ? "b" : "a", "sink", place);
        assert_int_equal(device_of(kernel), place);
        assert_int_equal(mock->last.device, place);
        assert_int_equal(place_of(host_of(kernel)->layout.block[1].base), place);
        assert_int_equal(place_of(host_of(kernel)->wiring), place);
        assert_int_equal(mock->reached_by, 3);
        const rk_shard *shard = played_shard(&mock->last, 0);
        assert_int_equal(shard->source & RK_SOURCE_KERNEL, kernel.number);
        assert_int_equal(place_of(shard->lane[1]), place);
        assert_int_equal(place_of(shard->orders), -1);
    }
}

static void a_kernel_without_a_device_goes_where_the_fewest_blocks_are(void **state)
{
    (void)state;
    open_two();
    rk_launch_options o = small("sink");
    o.shards = o.blocks = 3;
    assert_int_equal(device_of(launch_with("three", &o)), 0);
    rk_kernel one = launched("one", "sink");
    assert_int_equal(device_of(one), 1);
    assert_int_equal(device_of(launched("two", "sink")), 1);
    assert_int_equal(device_of(launched("three more", "sink")), 1);
    OK(rk_terminate(runtime, one, 0));
    assert_int_equal(device_of(launched("again", "sink")), 1);
    assert_int_equal(device_of(launched("at last", "sink")), 0);
}

/* As if the kernel's only shard had sent so much on its only connection. */
static void has_sent(rk_kernel from, rk_u64 messages)
{
    const rk_shard *shard = host_of(from)->seats[0].shard;
    rk_u64 *counts = (rk_u64 *)(void *)(runtime->arena.base + shard->edge_counts);
    counts[0] = messages;
    OK(rk_store(runtime, shard->edge_counts, sizeof *counts));
}

static void a_kernel_beside_its_neighbour_goes_where_most_of_its_messages_come_from_or_go_to(void **state)
{
    (void)state;
    open_two();
    rk_launch_options wide = on("echo", 1), beside = small("echo");
    wide.shards = 2;
    rk_kernel before = launched_on("before", "echo", 0), after = launch_with("after", &wide);
    rk_kernel moved = launched_on("moved", "echo", 0), alone = launched_on("alone", "echo", 1);
    beside.device = RK_BESIDE_NEIGHBOUR;
    OK(rk_relaunch(runtime, alone, &beside, RK_SECONDS(1)));
    assert_int_equal(device_of(alone), 1); /* there is nobody */
    OK(rk_connect(runtime, before, 0, moved, 0));
    OK(rk_connect(runtime, moved, 0, after, 0));
    OK(rk_relaunch(runtime, moved, &beside, RK_SECONDS(1)));
    assert_int_equal(device_of(moved), 1); /* nothing was sent yet: it has more shards */
    has_sent(before, 10);
    has_sent(moved, 9);
    OK(rk_relaunch(runtime, moved, &beside, RK_SECONDS(1)));
    assert_int_equal(device_of(moved), 0);
    has_sent(moved, 11);
    OK(rk_relaunch(runtime, moved, &beside, RK_SECONDS(1)));
    assert_int_equal(device_of(moved), 1);
    OK(rk_terminate(runtime, after, 0));
    OK(rk_relaunch(runtime, moved, &beside, RK_SECONDS(1)));
    assert_int_equal(device_of(moved), 0); /* the busiest is gone */
}

static void a_kernel_that_is_launched_has_no_neighbour_to_be_beside(void **state)
{
    (void)state;
    open_two();
    const rk_launch_options o = on("sink", RK_BESIDE_NEIGHBOUR);
    rk_kernel kernel;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_INVALID_OPTIONS);
    assert_error_says("'sink' is being launched and has no neighbours yet: connect it, then rk_relaunch it");
}

static void a_place_that_is_none_is_refused(void **state)
{
    (void)state;
    open_two();
    const rk_launch_options o = on("sink", 2);
    rk_kernel kernel;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_INVALID_OPTIONS);
    assert_error_says("device 2: the runtime has 2, from 0 on");
}

static void kernels_between_gpus_need_several(void **state)
{
    (void)state;
    rk_kernel kernel;
    open_runtime();
    const rk_launch_options o = on("sink", 1);
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_INVALID_OPTIONS);
    assert_error_says("device 1: the runtime has 1");
}

/* ------------------------------------------------------------------ routes */

static rk_edge *edge_of(const mock_entry *entry)
{
    const rk_shard *shard = played_shard(entry, 0);
    return device_at(entry->arena + shard->edges, sizeof(rk_edge));
}

static const rk_ring *inbox_ring(rk_kernel kernel)
{
    const rk_lane *lane = rk_seat_lane(host_of(kernel)->seats, RK_LANE_DEVICE);
    return rk_lane_ring(lane, runtime->arena.base, 0);
}

static int place_of_claims(rk_kernel kernel)
{
    const rk_host_kernel *k = host_of(kernel);
    const rk_lane *lane = rk_seat_lane(k->seats, RK_LANE_DEVICE);
    assert_int_equal(k->seats[0].lane[RK_LANE_DEVICE], k->seats[0].shard->lane[1]);
    assert_int_equal(place_of(lane->rings[0]), place_of(k->seats[0].lane[RK_LANE_DEVICE]));
    return place_of(lane->rings[0]);
}

static void a_route_leads_into_the_other_devices_memory_and_claims_stay_with_the_sender(void **state)
{
    (void)state;
    open_two();
    rk_kernel from = launched_on("from", "echo", 0), to = active_on("to", "sink", 1);
    OK(rk_connect(runtime, from, 0, to, 0));
    OK(rk_activate(runtime, from));
    assert_int_equal(mock->last.device, 0);
    const rk_edge *edge = edge_of(&mock->last);
    assert_int_equal(place_of(edge->lanes), 1);
    const rk_u64 *lane = device_at(mock->last.arena + edge->lanes, 8);
    assert_int_equal(*lane, host_of(to)->seats[0].shard->lane[1]);
    assert_int_equal(place_of_claims(to), 0);
    assert_int_equal(place_of(inbox_ring(to)->slots), 1);
    const rk_lane *there = device_at(mock->last.arena + *lane, sizeof *there);
    const rk_ring *ring = device_at(mock->last.arena + there->rings[0], sizeof *ring);
    assert_int_equal(ring->slots, inbox_ring(to)->slots);
    assert_int_equal(ring->room, 64);
    const rk_u64 *ends = device_at(mock->last.arena + edge->end_tables, 8);
    assert_int_equal(place_of(*ends), 1);
}

/* A sender's claim, as its device makes it. */
static int claims(const mock_entry *entry)
{
    static int done;
    const rk_edge *edge = edge_of(entry);
    if (entry->device == 0 && !done) {
        const rk_u64 *at = device_at(entry->arena + edge->lanes, 8);
        const rk_lane *lane = device_at(entry->arena + *at, sizeof *lane);
        rk_ring *ring = device_at(entry->arena + lane->rings[0], sizeof *ring);
        ring->tail += 5;
        ring->room -= 5;
        done = 1;
    }
    return rk_atomic_u32(&played_orders(entry, 0)->leave);
}

static void what_was_claimed_goes_with_the_claims_to_where_the_senders_are(void **state)
{
    (void)state;
    open_two();
    rk_launch_options wide = on("echo", 1);
    rk_kernel from = launched_on("from", "echo", 0), to = launched_on("to", "sink", 1);
    OK(rk_connect(runtime, from, 0, to, 0));
    play(claims);
    OK(rk_activate(runtime, from));
    assert_int_equal(place_of_claims(to), 0);
    AWAIT(rk_kernel_queued(host_of(to)) == 5);
    wide.shards = 2; /* more senders on the other device now */
    rk_kernel more = launch_with("more", &wide);
    OK(rk_connect(runtime, more, 0, to, 0));
    assert_int_equal(place_of_claims(to), 1);
    assert_int_equal(host_of(to)->far_lanes, 0);
    assert_int_equal(inbox_ring(to)->tail - inbox_ring(to)->start, 5);
    assert_int_equal(inbox_ring(to)->room, 59);
    assert_int_equal(rk_kernel_queued(host_of(to)), 5);
    OK(rk_terminate(runtime, more, 0));
    assert_int_equal(place_of_claims(to), 0);
    assert_int_equal(rk_kernel_queued(host_of(to)), 5);
    OK(rk_terminate(runtime, from, 0));
    assert_int_equal(place_of_claims(to), 1);
    assert_int_equal(rk_kernel_queued(host_of(to)), 5);
}

static char unit[1 << 16];
static void keep_unit(const char *source) { snprintf(unit, sizeof unit, "%s", source); }

static void only_kernels_of_several_devices_are_compiled_for_a_link(void **state)
{
    (void)state;
    compiler->on_source = keep_unit;
    open_two();
    launched("a", "sink");
    assert_says(unit, "#define RK_UNIT_PEERS 1");
    OK(rk_close(runtime));
    open_runtime();
    launched("a", "sink");
    assert_null(strstr(unit, "RK_UNIT_PEERS"));
    assert_says(unit, "sink");
}

/* ------------------------------------------------------------------ moving */

static void a_relaunch_elsewhere_takes_the_inbox_along(void **state)
{
    (void)state;
    open_two();
    rk_kernel kernel = active_on("a", "sink", 0);
    const probe message = { 7, 1 };
    for (int i = 0; i < 3; i++) OK(rk_send(runtime, kernel, 200, &message, sizeof message, 0));
    rk_launch_options o = small("sink");
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));
    assert_int_equal(device_of(kernel), 0); /* nothing was said of it */
    o.device = 1;
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));
    assert_int_equal(device_of(kernel), 1);
    assert_int_equal(mock->last.device, 1);
    assert_int_equal(rk_kernel_queued(host_of(kernel)), 3);
    assert_int_equal(cuda_of_runtime()->residents, 0);
}

/* ------------------------------------------------------------------ a lost device */

static void what_another_device_stamped_may_be_off_by_both_clocks(void **state)
{
    (void)state;
    rk_metrics metrics;
    open_two();
    mock->timer_gains = 100; /* a tenth, so that each is off by so much in a second */
    rk_kernel kernels[2] = { active_on("a", "sink", 0), active_on("b", "echo", 1) };
    for (size_t i = 0; i < 2; i++) {
        AWAIT(rk_metrics_of(runtime, kernels[i], &metrics) == RK_OK &&
              metrics.clock_drift_ns < -(rk_i64)RK_MILLISECONDS(90));
        AWAIT(rk_atomic_u32(&orders_of(kernels[i])->clock_error_ns) > RK_MILLISECONDS(180));
    }
}

/* Its clock is set when it runs something first. */
static void a_device_that_runs_nothing_yet_makes_no_clock_less_exact(void **state)
{
    (void)state;
    rk_metrics metrics;
    open_two();
    rk_kernel kernel = active_on("a", "sink", 0);
    AWAIT(rk_metrics_of(runtime, kernel, &metrics) == RK_OK &&
          rk_atomic_u32(&orders_of(kernel)->clock_error_ns) <=
              metrics.clock_error_ns + (rk_u64)llabs(metrics.clock_drift_ns));
}

static void the_kernels_of_a_lost_device_fail_and_the_others_go_on(void **state)
{
    (void)state;
    open_two();
    rk_kernel from = launched_on("from", "echo", 0), to = active_on("to", "sink", 1);
    OK(rk_connect(runtime, from, 0, to, 0));
    OK(rk_activate(runtime, from));
    __atomic_store_n(&mock->lost_devices, 2, __ATOMIC_RELEASE);
    AWAIT(life_of(to) == RK_LIFE_FAILED);
    assert_says(host_of(to)->failure, "the device is lost");
    assert_int_equal(life_of(from), RK_LIFE_ACTIVE);
    for (int i = 0; i < 3; i++) { /* though more blocks are there */
        rk_kernel other = launched(i == 0 ? "one" : i == 1 ? "two" : "three", "sink");
        assert_int_equal(device_of(other), 0);
    }
    OK(rk_terminate(runtime, to, 0)); /* and its neighbour is wired anew */
    assert_int_equal(life_of(from), RK_LIFE_ACTIVE);
    rk_u64 lanes = edge_of(&mock->last)->lanes;
    assert_int_equal(*(const rk_u64 *)device_at(mock->last.arena + lanes, 8), runtime->closed_lane);
    const rk_launch_options o = on("sink", 1);
    rk_kernel there;
    assert_int_not_equal(rk_launch(runtime, "there", &o, &there), RK_OK);
    OK(rk_terminate(runtime, from, 0));
    OK(rk_close(runtime));
    runtime = 0;
}

/* ------------------------------------------------------------------ one device that stands for two */

static void what_waits_for_a_device_clears_all_its_places(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 0, 0 };
    const rk_runtime_options options = several(devices, 2);
    open_with(&options);
    active_on("a", "sink", 0);
    assert_int_equal(mock->reached_by, 1);
    active_on("b", "echo", 1); /* its code is loaded while nothing is resident */
    assert_int_equal(mock->waits, 0);
    AWAIT(called("launch rk_entry_of_sink", called("end rk_entry_of_sink", 0)) > 0);
}

static void devices_do_not_wait_for_each_other(void **state)
{
    (void)state;
    open_two();
    active_on("a", "sink", 0);
    active_on("b", "echo", 1);
    assert_int_equal(called("end rk_entry_of_sink", 0), -1);
    assert_int_equal(mock->waits, 0);
}

/* ------------------------------------------------------------------ slices */

static rk_u32 worked, followed,
    last_number; /* slices of the first device, and what those brought on the second */

static int works(const mock_entry *entry)
{
    if (entry->device == 0) {
        rk_orders *orders = played_orders(entry, 0);
        if (rk_atomic_u32(&followed) < 20) __atomic_add_fetch(&orders->progress, 1, __ATOMIC_ACQ_REL);
        __atomic_add_fetch(&worked, 1, __ATOMIC_ACQ_REL);
    } else if (entry->number != last_number) {
        last_number = entry->number;
        __atomic_add_fetch(&followed, 1, __ATOMIC_ACQ_REL);
    }
    return 1;
}

/* A keeper that finds nothing sleeps for a tenth of a second, in which the other has thousands of slices. */
static void in_slices_work_on_one_device_brings_launches_on_the_other(void **state)
{
    (void)state;
    static const rk_u32 devices[] = { 0, 1 };
    rk_runtime_options options = several(devices, 2);
    options.slices = 1;
    mock->devices = 2;
    open_with(&options);
    rk_kernel from = active_on("from", "echo", 0);
    active_on("to", "sink", 1);
    play(works);
    const probe message = { 7, 1 };
    OK(rk_send(runtime, from, 200, &message, sizeof message, 0));
    AWAIT(rk_atomic_u32(&followed) >= 20);
    assert_in_range(rk_atomic_u32(&worked), 1, 5000);
}

static const struct CMUnitTest tests[] = {
    TEST(devices_without_access_are_refused),
    TEST(devices_without_atomics_are_refused),
    TEST(a_device_of_the_list_that_is_not_there_is_refused),
    TEST(a_list_that_says_nothing_is_refused),
    TEST(what_fails_while_the_second_is_opened_leaves_nothing),
    TEST(a_kernel_lies_and_runs_on_its_device),
    TEST(a_kernel_without_a_device_goes_where_the_fewest_blocks_are),
    TEST(a_kernel_beside_its_neighbour_goes_where_most_of_its_messages_come_from_or_go_to),
    TEST(a_kernel_that_is_launched_has_no_neighbour_to_be_beside),
    TEST(a_place_that_is_none_is_refused),
    TEST(kernels_between_gpus_need_several),
    TEST(a_route_leads_into_the_other_devices_memory_and_claims_stay_with_the_sender),
    TEST(what_was_claimed_goes_with_the_claims_to_where_the_senders_are),
    TEST(only_kernels_of_several_devices_are_compiled_for_a_link),
    TEST(a_relaunch_elsewhere_takes_the_inbox_along),
    TEST(what_another_device_stamped_may_be_off_by_both_clocks),
    TEST(a_device_that_runs_nothing_yet_makes_no_clock_less_exact),
    TEST_LOST(the_kernels_of_a_lost_device_fail_and_the_others_go_on),
    TEST(what_waits_for_a_device_clears_all_its_places),
    TEST(devices_do_not_wait_for_each_other),
    TEST(in_slices_work_on_one_device_brings_launches_on_the_other),
};
CUDA_MAIN(tests)
