/* Kernels that leave the device, or don't, and who waits for them. */
#include <ringkernel/kernel.h>

#include "cuda_fixture_test.h"

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
    assert_true(called("end rk_entry_of_sink", 0) >= 0);
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
    return strcmp(entry->function, "rk_entry_of_sink") && (leaves || entry->visits);
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
    if (strcmp(entry->function, "rk_entry_of_sink")) return leaves != 0;
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

static const struct CMUnitTest tests[] = {
    TEST(deactivating_waits_for_the_stream),
    TEST(deactivating_times_out_and_the_kernel_goes_on),
    TEST_LOST(who_waits_for_a_handler_that_is_stuck_holds_up_nobody_else),
    TEST(who_waits_for_a_kernel_without_room_holds_up_nobody_else),
    TEST(a_relaunch_that_is_given_up_while_it_waits_lets_the_kernel_stay),
    TEST(what_has_left_too_late_is_launched_again),
    TEST(terminating_gives_all_back_to_the_arena),
    TEST_LOST(a_kernel_given_up_on_is_told_to_let_nothing_out),
    TEST(a_kernel_that_ends_is_closed_to_others_on_the_device),
};
CUDA_MAIN(tests)
