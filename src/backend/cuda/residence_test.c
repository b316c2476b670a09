/* Kernels on the device: what fits, how they are launched and leave, and what each side's headers say. */
#include <ringkernel/kernel.h>

#include "cuda_fixture_test.h"

static rk_launch_options grid(rk_u32 blocks)
{
    rk_launch_options o = small("sink");
    o.queue_capacity = 16;
    o.shards = o.blocks = blocks;
    return o;
}

static rk_kernel active_grid(const char *id, rk_u32 blocks)
{
    const rk_launch_options o = grid(blocks);
    rk_kernel kernel = launch_with(id, &o);
    OK(rk_activate(runtime, kernel));
    return kernel;
}

/* Without those that are kept for the next kernel. */
static int streams_in_use(void)
{
    int kept = 0;
    for (rk_u32 p = 0; p < 3; p++) kept += cuda_of_runtime()->spare[p] != 0;
    return mock->streams - kept;
}

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
    assert_string_equal(mock->last.function, "rk_entry_sink");
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

/* ------------------------------------------------------------------ leaving */

static rk_u64 leaves_at_ns;
static int leaves_late(const mock_entry *entry)
{
    if (!rk_atomic_u32(&played_orders(entry, 0)->leave)) return 0;
    rk_u64 none = 0, now = rk_monotonic_ns();
    __atomic_compare_exchange_n(&leaves_at_ns, &none, now + RK_MILLISECONDS(30), 0, __ATOMIC_ACQ_REL,
                                __ATOMIC_ACQUIRE);
    return now >= __atomic_load_n(&leaves_at_ns, __ATOMIC_ACQUIRE);
}

static void deactivating_waits_for_the_stream(void **state)
{
    (void)state;
    open_runtime();
    leaves_at_ns = 0;
    play(leaves_late);
    rk_kernel kernel = active("a", "sink");
    rk_u64 begin = rk_monotonic_ns();
    OK(rk_deactivate(runtime, kernel));
    assert_true(rk_monotonic_ns() - begin >= RK_MILLISECONDS(30));
    assert_true(called("end rk_entry_sink", 0) >= 0);
    assert_int_equal(life_of(kernel), RK_LIFE_INACTIVE);
    assert_int_equal(streams_in_use(), 2); /* that of copies, and the clock's */
    assert_int_equal(entries(), 1);
}

static void deactivating_times_out_and_the_kernel_goes_on(void **state)
{
    (void)state;
    open_runtime();
    play(never_ends);
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(rk_deactivate(runtime, kernel), RK_TIMED_OUT);
    assert_error_says("'a' did not reach a batch boundary in 100 ms");
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_int_equal(rk_atomic_u32(&orders_of(kernel)->leave), 0);
    assert_int_equal(cuda_of_runtime()->residents, 1);
    play(0);
    OK(rk_deactivate(runtime, kernel));
}

/* Only one kernel's handlers never return. */
static int sink_never_ends(const mock_entry *entry)
{
    const rk_u32 leaves = rk_atomic_u32(&played_orders(entry, 0)->leave);
    return strcmp(entry->function, "rk_entry_sink") && (leaves || entry->visits);
}

static rk_kernel stuck;
static rk_status stuck_status;
static void *deactivates(void *none)
{
    stuck_status = rk_deactivate(runtime, stuck);
    return none;
}
static void *relaunches(void *none)
{
    const rk_launch_options o = small("sink");
    stuck_status = rk_relaunch(runtime, stuck, &o, RK_SECONDS(2));
    return none;
}
static void *terminates(void *none)
{
    stuck_status = rk_terminate(runtime, stuck, RK_SECONDS(2));
    return none;
}
static void *terminates_at_once(void *none)
{
    stuck_status = rk_terminate(runtime, stuck, 0);
    return none;
}

static void who_waits_for_a_handler_that_is_stuck_holds_up_nobody_else(void **state)
{
    (void)state;
    static const struct {
        void *(*call)(void *);
        rk_status status;
        rk_u64 least_ns;
    } cases[] = { { deactivates, RK_TIMED_OUT, RK_SECONDS(2) },
                  { relaunches, RK_TIMED_OUT, RK_SECONDS(2) },
                  { terminates_at_once, RK_QUARANTINED, RK_MILLISECONDS(100) },
                  { terminates, RK_QUARANTINED, RK_SECONDS(2) } };
    for (rk_u32 slices = 0; slices < 2; slices++) {
        rk_runtime_options options = given();
        options.slices = slices;
        options.stall_limit_ns = RK_SECONDS(2);
        open_with(&options);
        rk_kernel other = active("other", "echo"), found;
        rk_account account;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            /* given a kernel that never leaves, and a thread that waits for it to */
            pthread_t waiting;
            char id[16];
            snprintf(id, sizeof id, "stuck %zu", i);
            stuck = i == 1 ? stuck : launched(id, "sink");
            if (life_of(stuck) == RK_LIFE_LAUNCHED) OK(rk_activate(runtime, stuck));
            play(sink_never_ends);
            if (slices) {
                probe p = { .number = 1 };
                OK(rk_send(runtime, stuck, 200, &p, sizeof p, 0));
            }
            const rk_u32 number = stuck.number;
            AWAIT(rk_atomic_u32(&cuda_of_runtime()->residence[number]->launched));
            const rk_u64 begun_ns = rk_monotonic_ns();
            assert_int_equal(pthread_create(&waiting, 0, cases[i].call, 0), 0);
            AWAIT(rk_atomic_u32(&host_of(stuck)->seats[0].orders->leave) == RK_LEAVE_NOW);

            /* when others are looked at, stopped and started, then that takes no time */
            rk_u64 took_ns = 0;
            for (int round = 0; round < 5; round++) {
                const rk_u64 from_ns = rk_monotonic_ns();
                OK(rk_find(runtime, "other", &found));
                OK(rk_account_of(runtime, other, &account));
                OK(rk_deactivate(runtime, other));
                OK(rk_activate(runtime, other));
                if (rk_monotonic_ns() - from_ns > took_ns) took_ns = rk_monotonic_ns() - from_ns;
            }
            pthread_join(waiting, 0);
            assert_int_equal(stuck_status, cases[i].status);
            assert_true(rk_monotonic_ns() - begun_ns >= cases[i].least_ns);
            if (cases[i].least_ns >= RK_SECONDS(2)) assert_in_range(took_ns, 0, RK_SECONDS(1));
        }
        play(0);
        assert_int_equal(rk_close(runtime), RK_QUARANTINED);
        runtime = 0;
        mock_reset();
        mock->strict = 1;
    }
}

/* The sink's shard waits for room for ever, and leaves when it is told to. */
static int sink_is_parked(const mock_entry *entry)
{
    const rk_u32 leaves = rk_atomic_u32(&played_orders(entry, 0)->leave);
    if (strcmp(entry->function, "rk_entry_sink")) return leaves != 0;
    played_shard(entry, 0)->turn.parked = 1;
    rk_atomic_set_u32(&played_orders(entry, 0)->phase, RK_PHASE_PARKED);
    return leaves != 0;
}

static void who_waits_for_a_kernel_without_room_holds_up_nobody_else(void **state)
{
    (void)state;
    pthread_t waiting;
    rk_u64 took_ns = 0;
    open_runtime();
    rk_kernel other = active("other", "echo");
    stuck = launched("a", "sink");
    play(sink_is_parked);
    OK(rk_activate(runtime, stuck));
    AWAIT(rk_atomic_u32(&orders_of(stuck)->phase) == RK_PHASE_PARKED);
    assert_int_equal(pthread_create(&waiting, 0, relaunches, 0), 0);
    AWAIT(rk_atomic_u32(&orders_of(stuck)->command) == RK_COMMAND_PAUSE);
    for (int round = 0; round < 5; round++) {
        const rk_u64 from_ns = rk_monotonic_ns();
        OK(rk_deactivate(runtime, other));
        OK(rk_activate(runtime, other));
        if (rk_monotonic_ns() - from_ns > took_ns) took_ns = rk_monotonic_ns() - from_ns;
    }
    pthread_join(waiting, 0);
    assert_int_equal(stuck_status, RK_TIMED_OUT);
    assert_in_range(took_ns, 0, RK_SECONDS(1));
    assert_int_equal(rk_atomic_u32(&orders_of(stuck)->command), RK_COMMAND_RUN);
    assert_int_equal(life_of(stuck), RK_LIFE_ACTIVE);
}

static void a_relaunch_that_is_given_up_while_it_waits_lets_the_kernel_stay(void **state)
{
    (void)state;
    pthread_t waiting;
    open_runtime();
    stuck = launched("a", "sink");
    play(sink_never_ends);
    OK(rk_activate(runtime, stuck));
    assert_int_equal(pthread_create(&waiting, 0, relaunches, 0), 0);
    AWAIT(rk_atomic_u32(&orders_of(stuck)->leave) == RK_LEAVE_NOW);
    assert_int_equal(rk_drain(runtime, &stuck, 1, 0),
                     RK_TIMED_OUT); /* when it is to end, it is not launched again */
    pthread_join(waiting, 0);
    assert_int_equal(stuck_status, RK_CLOSED);
    assert_int_equal(rk_atomic_u32(&orders_of(stuck)->leave), 0);
    play(0);
}

static void what_has_left_too_late_is_launched_again(void **state)
{
    (void)state;
    open_runtime();
    play(never_ends);
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(rk_deactivate(runtime, kernel), RK_TIMED_OUT);
    play(ends_at_once);
    AWAIT(entries() >= 2);
    play(0);
    OK(rk_deactivate(runtime, kernel));
}

static void terminating_gives_all_back_to_the_arena(void **state)
{
    (void)state;
    open_runtime();
    rk_u64 taken = runtime->arena.taken;
    rk_kernel kernel = active_grid("a", 5);
    assert_true(runtime->arena.taken > taken);
    OK(rk_terminate(runtime, kernel, RK_SECONDS(1)));
    assert_int_equal(runtime->arena.taken, taken);
    assert_int_equal(streams_in_use(), 2);
    assert_int_equal(mock->modules, 1); /* code is kept */
}

static void a_kernel_given_up_on_is_told_to_let_nothing_out(void **state)
{
    (void)state;
    open_runtime();
    play(never_ends);
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(rk_terminate(runtime, kernel, 0), RK_QUARANTINED);
    assert_int_equal(rk_atomic_u32(&orders_of(kernel)->leave), 1);
    assert_int_equal(rk_close(runtime), RK_QUARANTINED);
    assert_int_equal(called("cuMem", 0), -1); /* the driver would wait */
    assert_int_equal(mock->waits, 0);
    runtime = 0;
}

static rk_u32 closed_then;
static int notes_whether_it_is_closed(const mock_entry *entry)
{
    const rk_lane *lane = device_at(entry->arena + played_shard(entry, 0)->lane[1], sizeof *lane);
    if (!rk_atomic_u32(&played_orders(entry, 0)->leave)) return 0;
    rk_atomic_set_u32(&closed_then, lane->closed);
    return 1;
}

static void a_kernel_that_ends_is_closed_to_others_on_the_device(void **state)
{
    (void)state;
    open_runtime();
    closed_then = 0;
    play(notes_whether_it_is_closed);
    OK(rk_terminate(runtime, active("a", "sink"), RK_SECONDS(1)));
    assert_int_equal(rk_atomic_u32(&closed_then), 1);
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

/* ------------------------------------------------------------------ a lost device */

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
    TEST(where_the_denser_code_cannot_be_had_those_that_stay_go_on_as_they_are),
    TEST_LOST(what_never_ends_keeps_its_room),
    TEST(one_kernel_too_many_is_refused),
    TEST(deactivating_waits_for_the_stream),
    TEST(deactivating_times_out_and_the_kernel_goes_on),
    TEST_LOST(who_waits_for_a_handler_that_is_stuck_holds_up_nobody_else),
    TEST(who_waits_for_a_kernel_without_room_holds_up_nobody_else),
    TEST(a_relaunch_that_is_given_up_while_it_waits_lets_the_kernel_stay),
    TEST(what_has_left_too_late_is_launched_again),
    TEST(terminating_gives_all_back_to_the_arena),
    TEST_LOST(a_kernel_given_up_on_is_told_to_let_nothing_out),
    TEST(a_kernel_that_ends_is_closed_to_others_on_the_device),
    TEST(the_device_finds_headers_of_its_own),
    TEST(counts_of_the_device_are_seen_while_it_is_served_and_after),
    TEST(no_look_sees_more_handled_than_was_accepted),
    TEST(a_cleared_inbox_is_empty_on_the_device),
    TEST(a_relaunch_carries_messages_and_counts),
    TEST(a_step_is_one_visit_of_one_shard),
    TEST(a_step_that_fails_fails_the_kernel),
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
