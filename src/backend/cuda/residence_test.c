/* Kernels on the device: what fits, how they are launched, and what each side's headers say. */
#include <ringkernel/kernel.h>

#include "cuda_fixture_test.h"

static void activating_is_refused(rk_kernel kernel, rk_status status, const char *part)
{
    rk_u32 residents = cuda_of_runtime()->residents;
    int streams = streams_in_use();
    assert_int_equal(rk_activate(runtime, kernel), status);
    assert_error_says(part);
    assert_int_equal(life_of(kernel), RK_LIFE_LAUNCHED);
    assert_int_equal(cuda_of_runtime()->residents, residents);
    assert_int_equal(streams_in_use(), streams);
}

/* ------------------------------------------------------------------ launching */

static void a_kernel_is_launched_to_stay_with_its_blocks(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = grid(8);
    o.blocks = 3;
    rk_kernel kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    assert_string_equal(mock->last.function, "rk_entry_of_sink");
    assert_int_equal(mock->last.blocks, 3);
    assert_int_equal(mock->last.threads, 256);
    assert_int_equal(mock->last.shared_bytes, 8 * 256);
    assert_int_equal(mock->last.first, 0);
    assert_int_equal(mock->last.count, 8);
    assert_int_equal(mock->last.visits, 0);
    for (rk_u32 s = 0; s < 8; s++) assert_int_equal(played_shard(&mock->last, s)->shard, s);
}

static void more_blocks_than_shards_are_not_launched(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = grid(2);
    o.blocks = 64;
    OK(rk_activate(runtime, launch_with("a", &o)));
    assert_int_equal(mock->last.blocks, 2);
}

static void streams_have_the_priority_that_was_asked_for(void **state)
{
    (void)state;
    static const struct {
        rk_u32 asked;
        int priority;
    } cases[] = { { RK_STREAM_LOW, 0 }, { RK_STREAM_NORMAL, -2 }, { RK_STREAM_HIGH, -5 } };
    open_runtime();
    for (size_t i = 0; i < 3; i++) {
        rk_launch_options o = small("sink");
        o.stream_priority = cases[i].asked;
        rk_kernel kernel = launch_with("a", &o);
        OK(rk_activate(runtime, kernel));
        assert_int_equal(mock->last.priority, cases[i].priority);
        OK(rk_terminate(runtime, kernel, 0));
    }
}

static void what_fails_while_it_is_served_leaves_nothing(void **state)
{
    (void)state;
    static const char *const calls[] = { "cuOccupancyMaxActiveBlocksPerMultiprocessor",
                                         "cuStreamCreateWithPriority", "cuMemcpyAsync", "cuLaunchKernel" };
    open_runtime();
    rk_launch_options o =
        small("sink"); /* its code is there then, and what is remembered of it is of another shape */
    o.threads = 128;
    o.stream_priority = RK_STREAM_HIGH;
    rk_kernel first = launch_with("first", &o);
    OK(rk_activate(runtime, first));
    OK(rk_terminate(runtime, first, 0));
    rk_kernel kernel = launched("a", "sink");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fails(calls[i], RK_CUDA_ERROR_INVALID_VALUE, 0);
        activating_is_refused(kernel, RK_INTERNAL, "CUDA_ERROR_INVALID_VALUE");
        fails_no_more();
    }
    OK(rk_activate(runtime, kernel));
}

/* ------------------------------------------------------------------ what fits */

static void a_block_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    open_runtime();
    mock->per_processor = -1;
    activating_is_refused(launched("a", "sink"), RK_LIMIT,
                          "a block of 256 threads with 2048 bytes of shared memory");
}

RK_SPMD_KERNEL(across_blocks, probe, probe, .threads = 32, .barrier = RK_SCOPE_DEVICE)
{
    probe mine;
    (void)rk_try_receive(RK_ARG, &mine);
}

static void what_a_device_cannot_do_is_refused_at_launch_each_by_its_name(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("across_blocks");
    rk_kernel kernel;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("'across_blocks': a barrier of device scope needs a cooperative launch");
    o = small("sink_spmd");
    o.spmd_check = 1;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("spmd_check: a device runs the threads of a batch as it likes");
    static const struct {
        const char *kernel_name, *says;
    } cases[] = { { "held", "doesn't run on CUDA: add RK_ON_CUDA" },
                  { "gpu_to_gpu", "'gpu_to_gpu': .messaging RK_MESSAGING_P2P is between GPUs" },
                  { "gpus_by_nccl", "'gpus_by_nccl': .messaging RK_MESSAGING_NCCL is between machines" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        o = small(cases[i].kernel_name);
        assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
        assert_error_says(cases[i].says);
    }
    assert_int_equal(compiler->compiles, 0);
}

/* A thread-wide kernel whose messages are handled side by side: each has its own. */
RK_HANDLER(sharing, probe, msg, rk_none, self, .threads = 256, .shared = 1000)
{
    RK_SHARED(rk_u8, bytes, 1000);
    bytes[0] = (rk_u8)msg->number;
}

static void shared_memory_of_all_groups_beyond_a_block_is_refused_at_launch(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("sharing");
    rk_kernel kernel;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_LIMIT);
    assert_error_says(
        "kernel 'sharing': .shared 1000 for each of the 256 groups that a block handles side by side, "
        "and 8 bytes for each of its 256 threads, are 260096 bytes, over the 232448 of a block of Mock "
        "GPU 0: lower .shared, or threads");
    o.threads = 128;
    kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    assert_int_equal(mock->last.shared_bytes >= 128 * 1008, 1);
}

static void a_block_that_the_driver_finds_too_large_is_refused_by_name(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("sharing");
    o.threads = 128;
    mock->static_shared = 232448 - 128 * 1000;
    activating_is_refused(launch_with("a", &o), RK_LIMIT,
                          "'a': a block of 128 threads with 130048 bytes of shared memory does not fit");
}

static void a_grid_too_large_is_refused_with_the_largest_that_fits(void **state)
{
    (void)state;
    open_runtime();
    mock->per_processor = 8; /* all threads that a multiprocessor has */
    const rk_launch_options o = grid(1056);
    activating_is_refused(
        launch_with("a", &o), RK_LIMIT,
        "'a': 1056 blocks can't all be resident beside what runs on Mock GPU 0: the largest grid that "
        "can has 1055");
    active_grid("b", 1055);
}

static void beside_another_kernel_the_rest_fits(void **state)
{
    (void)state;
    open_runtime();
    mock->per_processor = 8; /* all threads that a multiprocessor has */
    rk_kernel first = active_grid("first", 800);
    const rk_launch_options o = grid(256);
    rk_kernel second = launch_with("second", &o);
    activating_is_refused(second, RK_LIMIT, "the largest grid that can has 255");
    OK(rk_deactivate(runtime, first));
    OK(rk_activate(runtime, second));
}

static void where_many_blocks_are_to_stay_two_share_a_multiprocessor(void **state)
{
    (void)state;
    open_runtime();
    mock->sparse = 1; /* given a grid that has the device's 132 for itself */
    mock->per_processor = 2;
    rk_kernel first = active_grid("first", 132);
    unsigned launches = mock->launches;
    active_grid("second", 100); /* when another is to stay beside it, then the first is launched again */
    assert_true(mock->launches >= launches + 2);
    rk_kernel_info info;
    OK(rk_kernel_information(runtime, first, &info));
    assert_int_equal(info.life, RK_LIFE_ACTIVE);
    const rk_launch_options o = grid(64);
    activating_is_refused(launch_with("third", &o), RK_LIMIT, "the largest grid that can has 32");
}

/* The driver keeps with the code how much memory of a block its launches may ask for. */
static void a_kernel_of_the_same_code_that_needs_less_memory_leaves_the_others_launchable(void **state)
{
    (void)state;
    open_runtime();

    /* given two kernels of one code, each with more memory than blocks have unasked, and the second with less of it */
    rk_launch_options o = small("sink");
    rk_kernel first = launch_with("first", &o);
    OK(rk_activate(runtime, first));
    const unsigned more = mock->last.shared_bytes;
    o.max_batch = 30;
    rk_kernel second = launch_with("second", &o);
    OK(rk_activate(runtime, second));
    const rk_residence *const *residences = (const rk_residence *const *)cuda_of_runtime()->residence;
    assert_ptr_equal(residences[first.number]->code, residences[second.number]->code);
    assert_in_range(mock->last.shared_bytes, (48u << 10) + 1, more - 1);

    /* when both leave for code that is loaded, then both are launched again */
    const rk_u32 before = mock->entries;
    active("third", "echo");
    assert_int_equal(mock->entries, before + 3);
    assert_int_equal(life_of(first), RK_LIFE_ACTIVE);
}

static void where_the_denser_code_cannot_be_had_those_that_stay_go_on_as_they_are(void **state)
{
    (void)state;
    static const char *const calls[] = { "nvrtcCompileProgram", "cuModuleLoadDataEx" };
    for (size_t i = 0; i < 2; i++) {
        /* given a grid that has the device's 132 for itself */
        mock_reset();
        mock->strict = mock->sparse = 1;
        mock->per_processor = 2;
        rk_runtime_options options = given();
        options.cache_folder = "/dev/null/none";
        open_with(&options);
        rk_kernel first = active_grid("first", 132);
        const rk_launch_options o = grid(100);
        rk_kernel second = launch_with("second", &o);

        /* when its code can't be had as two blocks share a multiprocessor, then the other is refused with that */
        compiler->failure = RK_NVRTC_ERROR_OUT_OF_MEMORY;
        compiler->fails = i == 0 ? calls[0] : 0;
        if (i == 1) fails_once(calls[1], RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
        assert_int_equal(rk_activate(runtime, second), RK_OUT_OF_MEMORY);
        compiler->fails = 0;
        fails_no_more();

        /* and again each time that it doesn't fit beside what runs, which is the old code still */
        assert_int_equal(cuda_of_runtime()->residence[first.number]->per_processor, 1);
        assert_int_equal(mock->last.threads, 256);
        AWAIT(rk_atomic_u32(&cuda_of_runtime()->residence[first.number]->launched));
        assert_int_equal(rk_atomic_u32(&orders_of(first)->leave), 0);
        OK(rk_activate(runtime, second)); /* until it can */
        assert_int_equal(cuda_of_runtime()->residence[first.number]->per_processor, 2);
        OK(rk_close(runtime));
        runtime = 0;
    }
}

static void what_never_ends_keeps_its_room(void **state)
{
    (void)state;
    open_runtime();
    mock->per_processor = 8; /* all threads that a multiprocessor has */
    play(never_ends);
    assert_int_equal(rk_terminate(runtime, active_grid("first", 800), 0), RK_QUARANTINED);
    const rk_launch_options o = grid(256);
    activating_is_refused(launch_with("second", &o), RK_LIMIT, "the largest grid that can has 255");
    play(0);
}

static void one_kernel_too_many_is_refused(void **state)
{
    (void)state;
    char id[16];
    open_runtime();
    for (rk_u32 i = 0; i < RK_CUDA_RESIDENT_MOST; i++) {
        snprintf(id, sizeof id, "k%u", i);
        active_grid(id, 1);
    }
    const rk_launch_options o = grid(1);
    rk_kernel kernel = launch_with("last", &o), other;
    activating_is_refused(kernel, RK_LIMIT,
                          "'last': 127 kernels are resident, and the device runs no more at once");
    OK(rk_find(runtime, "k0", &other));
    OK(rk_deactivate(runtime, other));
    OK(rk_activate(runtime, kernel));
}

/* ------------------------------------------------------------------ headers of both sides */

static void send(rk_kernel kernel, rk_u32 count)
{
    for (rk_u32 i = 0; i < count; i++) {
        probe p = { .number = i };
        OK(rk_send(runtime, kernel, 200, &p, sizeof p, 0));
    }
}

/* The device's own header of a lane that it plays, and of its first ring. */
static rk_lane *played_lane(const mock_entry *entry, rk_u64 offset)
{
    return device_at(entry->arena + offset, sizeof(rk_lane));
}
static rk_ring *played_ring(const mock_entry *entry, const rk_lane *lane)
{
    return device_at(entry->arena + lane->rings[0], sizeof(rk_ring));
}
static rk_ring *played_far(const mock_entry *entry, const rk_lane *lane)
{
    return device_at(entry->arena + lane->rings[0] + (rk_u64)played_ring(entry, lane)->far, sizeof(rk_ring));
}

/* Two messages are taken, and one goes out. */
static int takes_two(const mock_entry *entry)
{
    rk_shard *shard = played_shard(entry, 0);
    const rk_lane *in = played_lane(entry, shard->lane[0]);
    rk_lane *out = played_lane(entry, shard->out_lane);
    rk_ring *ring = played_ring(entry, in);
    if (ring->delivered < 2) {
        ring->head = ring->delivered = 2;
        __atomic_store_n(&played_far(entry, in)->head, 2, __ATOMIC_RELEASE);
        played_ring(entry, out)->tail = 1;
        out->refused[RK_REFUSED_FULL] = 3;
        shard->meter.handled = 2;
    }
    return rk_atomic_u32(&played_orders(entry, 0)->leave) != 0;
}

static void the_device_finds_headers_of_its_own(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "echo");
    send(kernel, 3);
    OK(rk_activate(runtime, kernel));
    const rk_host_kernel *k = host_of(kernel);
    const rk_shard *shard = played_shard(&mock->last, 0);
    const rk_u64 own[] = { shard->lane[0], shard->out_lane, shard->report_lane };
    const rk_u32 which[] = { RK_LANE_HOST, RK_LANE_OUT, RK_LANE_REPORT };
    for (size_t i = 0; i < 3; i++) {
        const rk_lane *lane = played_lane(&mock->last, own[i]), *host = rk_seat_lane(k->seats, which[i]);
        const rk_ring *ring = played_ring(&mock->last, lane),
                      *host_ring = rk_lane_ring(rk_seat_lane(k->seats, which[i]), runtime->arena.base, 0);
        assert_true(own[i] >= runtime->arena.device_from && ring->slots < runtime->arena.device_from);
        assert_ptr_equal(played_far(&mock->last, lane), host_ring);
        assert_int_equal(lane->capacity, host->capacity);
        assert_int_equal(ring->slots, host_ring->slots);
        assert_int_equal(ring->tail, which[i] == RK_LANE_HOST ? 3 : 0);
        assert_int_equal(host_ring->far, 0);
    }
}

static void counts_of_the_device_are_seen_while_it_is_served_and_after(void **state)
{
    (void)state;
    rk_account account;
    open_runtime();
    play(takes_two);
    rk_kernel kernel = launched("a", "echo");
    send(kernel, 3);
    OK(rk_activate(runtime, kernel));
    for (int served = 1; served >= 0; served--) {
        OK(rk_account_of(runtime, kernel, &account));
        for (int tries = 0; served && account.delivered < 2 && tries < 10000; tries++)
            OK(rk_account_of(runtime, kernel, &account));
        assert_int_equal(account.accepted, 3);
        assert_int_equal(account.delivered, 2);
        assert_int_equal(account.queued, 1);
        assert_int_equal(account.output_queued, 1);
        assert_true(account.balanced);
        assert_int_equal(rk_seat_lane(host_of(kernel)->seats, RK_LANE_OUT)->refused[RK_REFUSED_FULL], 3);
        if (served) OK(rk_deactivate(runtime, kernel));
    }
    assert_int_equal(
        rk_lane_ring(rk_seat_lane(host_of(kernel)->seats, RK_LANE_HOST), runtime->arena.base, 0)->head, 2);
}

static rk_ring *passing;
static void one_passes_through(void)
{
    passing->tail++;
    passing->head++;
    passing->delivered++;
}

/* Whenever a line of it is copied, as fast as can be. */
static void no_look_sees_more_handled_than_was_accepted(void **state)
{
    (void)state;
    rk_account account;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    const rk_lane *lane = played_lane(&mock->last, played_shard(&mock->last, 0)->lane[1]);
    passing = played_ring(&mock->last, lane);
    __atomic_store_n(&mock->torn, one_passes_through, __ATOMIC_RELEASE);
    for (rk_u64 seen = 0, looks = 0; looks < 20; looks++) {
        OK(rk_account_of(runtime, kernel, &account));
        assert_true(account.balanced);
        assert_true(account.delivered > seen);
        seen = account.delivered;
    }
    __atomic_store_n(&mock->torn, 0, __ATOMIC_RELEASE);
}

static void a_cleared_inbox_is_empty_on_the_device(void **state)
{
    (void)state;
    rk_account account;
    rk_u64 cleared = 0;
    open_runtime();
    play(takes_two);
    rk_kernel kernel = launched("a", "echo");
    send(kernel, 3);
    OK(rk_activate(runtime, kernel));
    AWAIT(rk_account_of(runtime, kernel, &account) == RK_OK && account.delivered == 2);
    OK(rk_deactivate(runtime, kernel));
    OK(rk_clear(runtime, kernel, &cleared));
    assert_int_equal(cleared, 1);
    play(0);
    for (int active = 0; active < 2; active++) {
        const rk_lane *lane = played_lane(&mock->last, played_shard(&mock->last, 0)->lane[0]);
        assert_int_equal(played_ring(&mock->last, lane)->head, 3);
        assert_int_equal(played_ring(&mock->last, lane)->lost, 1);
        OK(rk_account_of(runtime, kernel, &account));
        assert_int_equal(account.lost, 1);
        assert_int_equal(account.queued, 0);
        assert_true(account.balanced);
        if (!active) OK(rk_activate(runtime, kernel));
    }
}

static int takes_two_and_sends_nothing(const mock_entry *entry)
{
    int ended = takes_two(entry);
    played_ring(entry, played_lane(entry, played_shard(entry, 0)->out_lane))->tail = 0;
    return ended;
}

static void a_relaunch_carries_messages_and_counts(void **state)
{
    (void)state;
    rk_account account;
    open_runtime();
    play(takes_two_and_sends_nothing);
    rk_kernel kernel = launched("a", "echo");
    send(kernel, 3);
    OK(rk_activate(runtime, kernel));
    AWAIT(rk_account_of(runtime, kernel, &account) == RK_OK && account.delivered == 2);
    rk_launch_options o = small("echo");
    o.queue_capacity = 256;
    play(0);
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(5)));
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_int_equal(entries(), 2);
    const rk_lane *lane = played_lane(&mock->last, played_shard(&mock->last, 0)->lane[0]);
    assert_int_equal(lane->capacity, 256);
    assert_int_equal(played_ring(&mock->last, lane)->tail - played_ring(&mock->last, lane)->head, 1);
    assert_int_equal(played_shard(&mock->last, 0)->meter.handled, 2);
    OK(rk_account_of(runtime, kernel, &account));
    assert_int_equal(account.accepted, 3);
    assert_int_equal(account.delivered, 2);
    assert_int_equal(account.queued, 1);
    assert_true(account.balanced);
}

/* ------------------------------------------------------------------ one after the other */

static int tells_that_it_worked(const mock_entry *entry)
{
    rk_atomic_set_u32(&played_orders(entry, entry->first)->visit, RK_VISIT_WORKED);
    return 1;
}

static void a_step_is_one_visit_of_one_shard(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    rk_u32 result = 0;
    options.single_step = 1;
    open_with(&options);
    play(tells_that_it_worked);
    rk_kernel kernel = active_grid("a", 3);
    assert_int_equal(entries(), 0);
    OK(rk_step(runtime, kernel, &result));
    assert_int_equal(result, RK_STEP_WORKED);
    assert_int_equal(entries(), 3);
    assert_int_equal(mock->last.first, 2);
    assert_int_equal(mock->last.count, 1);
    assert_int_equal(mock->last.visits, 1);
    assert_int_equal(mock->last.blocks, 1);
}

static int tells_that_it_failed(const mock_entry *entry)
{
    rk_atomic_set_u32(&played_orders(entry, entry->first)->visit, RK_VISIT_FAILED);
    return 1;
}

static void a_step_that_fails_fails_the_kernel(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.single_step = 1;
    open_with(&options);
    play(tells_that_it_failed);
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(rk_step(runtime, kernel, 0), RK_FAILED);
    assert_error_says("stopped between publishing and committing a batch");
}

static const struct CMUnitTest tests[] = {
    TEST(a_kernel_is_launched_to_stay_with_its_blocks),
    TEST(more_blocks_than_shards_are_not_launched),
    TEST(streams_have_the_priority_that_was_asked_for),
    TEST(what_fails_while_it_is_served_leaves_nothing),
    TEST(a_block_that_does_not_fit_is_refused),
    TEST(what_a_device_cannot_do_is_refused_at_launch_each_by_its_name),
    TEST(shared_memory_of_all_groups_beyond_a_block_is_refused_at_launch),
    TEST(a_block_that_the_driver_finds_too_large_is_refused_by_name),
    TEST(a_grid_too_large_is_refused_with_the_largest_that_fits),
    TEST(beside_another_kernel_the_rest_fits),
    TEST(where_many_blocks_are_to_stay_two_share_a_multiprocessor),
    TEST(a_kernel_of_the_same_code_that_needs_less_memory_leaves_the_others_launchable),
    TEST(where_the_denser_code_cannot_be_had_those_that_stay_go_on_as_they_are),
    TEST_LOST(what_never_ends_keeps_its_room),
    TEST(one_kernel_too_many_is_refused),
    TEST(the_device_finds_headers_of_its_own),
    TEST(counts_of_the_device_are_seen_while_it_is_served_and_after),
    TEST(no_look_sees_more_handled_than_was_accepted),
    TEST(a_cleared_inbox_is_empty_on_the_device),
    TEST(a_relaunch_carries_messages_and_counts),
    TEST(a_step_is_one_visit_of_one_shard),
    TEST(a_step_that_fails_fails_the_kernel),
};
CUDA_MAIN(tests)
