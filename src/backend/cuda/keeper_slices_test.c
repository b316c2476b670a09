/* What the thread that watches over a device launches in slices, and when. */
#include "cuda_fixture_test.h"

static void open_slices(void)
{
    rk_runtime_options options = given();
    options.slices = 1;
    open_with(&options);
}

/* Takes what is there. */
static int takes_all(const mock_entry *entry)
{
    const rk_shard *shard = played_shard(entry, 0);
    const rk_lane *lane = device_at(entry->arena + shard->lane[0], sizeof *lane);
    rk_ring *own = device_at(entry->arena + lane->rings[0], sizeof *own);
    rk_ring *far = device_at(entry->arena + lane->rings[0] + (rk_u64)own->far, sizeof *far);
    rk_orders *orders = played_orders(entry, 0);
    rk_u64 tail = __atomic_load_n(&far->tail, __ATOMIC_ACQUIRE);
    if (own->head != tail)
        __atomic_store_n(&orders->progress, __atomic_load_n(&orders->progress, __ATOMIC_RELAXED) + 1,
                         __ATOMIC_RELEASE);
    own->head = own->delivered = tail;
    __atomic_store_n(&far->head, tail, __ATOMIC_RELEASE);
    rk_atomic_set_u32(&orders->visit, RK_VISIT_IDLE);
    return 1;
}

static void in_slices_a_message_brings_a_launch_and_idleness_few(void **state)
{
    (void)state;
    rk_account account = { 0 };
    probe p = { .number = 1 };
    open_slices();
    play(takes_all);
    rk_kernel kernel = active("a", "sink");
    AWAIT(entries() > 0);
    rk_u32 before = entries();
    usleep(250000);                             /* idleness is nothing that could be waited for */
    assert_in_range(entries() - before, 0, 20); /* ten looks for what has stalled */
    for (rk_u32 i = 0; i < 20; i++) {
        OK(rk_send(runtime, kernel, 200, &p, sizeof p, 0));
        rk_u64 begin = rk_monotonic_ns();
        AWAIT(rk_account_of(runtime, kernel, &account) == RK_OK && account.delivered == i + 1);
        if (rk_monotonic_ns() - begin > RK_SECONDS(5)) fail_msg("a message had to wait");
    }
    before = entries();
    usleep(250000);
    assert_in_range(entries() - before, 0, 20); /* and so is what follows work */
    assert_int_equal(mock->last.visits, 64);
    assert_int_equal(account.queued, 0);
    assert_true(account.balanced);
}

static rk_u32 visit_at_first;
static int waits_at_first(const mock_entry *entry)
{
    rk_atomic_set_u32(&played_orders(entry, 0)->visit, entry->number < 1000 ? visit_at_first : RK_VISIT_IDLE);
    return 1;
}

static void in_slices_what_waits_is_visited_again_at_once(rk_u32 visit)
{
    visit_at_first = visit;
    open_slices();
    play(waits_at_first);
    rk_u64 begin = rk_monotonic_ns();
    active("a", "sink");
    AWAIT(entries() >= 1000);
    assert_true(rk_monotonic_ns() - begin < RK_SECONDS(4)); /* by looks for what has stalled 25 */
}

static void in_slices_what_waits_for_more_is_visited_again_at_once(void **state)
{
    (void)state;
    in_slices_what_waits_is_visited_again_at_once(RK_VISIT_WAITS);
}

static void in_slices_what_waits_for_room_is_visited_again_at_once(void **state)
{
    (void)state;
    in_slices_what_waits_is_visited_again_at_once(RK_VISIT_PARKED);
}

/* One shard after the other, each in a launch of its own. */
static int ends_one_by_one(const mock_entry *entry)
{
    for (rk_u32 s = 0; s < entry->count && s + 1 < entry->number; s++) {
        rk_atomic_set_u32(&played_orders(entry, s)->visit, RK_VISIT_ENDED);
        rk_atomic_set_u32(&played_orders(entry, s)->phase, RK_PHASE_ENDED);
    }
    return 1;
}

static void in_slices_an_end_is_followed_by_another_at_once(void **state)
{
    (void)state;
    rk_launch_options o = small("sink");
    open_slices();
    play(ends_one_by_one);
    o.shards = o.blocks = 50;
    rk_kernel kernel = launch_with("a", &o);
    rk_u64 begin = rk_monotonic_ns();
    OK(rk_activate(runtime, kernel));
    AWAIT(rk_atomic_u32(&host_of(kernel)->seats[49].orders->phase) == RK_PHASE_ENDED);
    assert_true(rk_monotonic_ns() - begin < RK_SECONDS(4)); /* with a sleep between them it would be five */
}

static rk_u64 asked_every_ns;

/* Asks to be launched again each time, in so many ns. */
static int asks_again(const mock_entry *entry)
{
    rk_orders *orders = played_orders(entry, 0);
    __atomic_store_n(&orders->wake_ns, rk_clock_ns(runtime) + asked_every_ns, __ATOMIC_RELEASE);
    rk_atomic_set_u32(&orders->visit, RK_VISIT_IDLE);
    return 1;
}

static void in_slices_a_kernel_is_launched_when_its_time_has_come(void **state)
{
    (void)state;
    /* given a kernel that asks for a launch every millisecond */
    open_slices();
    play(asks_again);
    asked_every_ns = RK_MILLISECONDS(1);
    active("a", "sink");

    /* when nothing comes, then it is launched all the same: without a pause it would be done at once, and by the
     * looks for what has stalled in five seconds */
    AWAIT(entries() >= 2);
    rk_u64 begin = rk_monotonic_ns();
    rk_u32 before = entries();
    AWAIT(entries() >= before + 200);
    assert_in_range(rk_monotonic_ns() - begin, RK_MILLISECONDS(100), RK_SECONDS(4));
}

static rk_u32 left; /* atomic */

/* The keeper is let go on when somebody rings for it again and again, or nobody will. */
static void *release_keeper(void *rung_before)
{
    rk_cuda_runtime *cuda = cuda_of_runtime();
    while (rk_atomic_u32(&cuda->keeper_event) < *(rk_u32 *)rung_before + 10 && !rk_atomic_u32(&left))
        sched_yield();
    __atomic_sub_fetch(&cuda->waiting, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void in_slices_a_kernel_has_one_before_it_leaves(void **state)
{
    (void)state;
    open_slices();
    rk_cuda_runtime *cuda = cuda_of_runtime();
    rk_kernel kernel = launched("a", "sink");
    __atomic_add_fetch(&cuda->waiting, 1, __ATOMIC_SEQ_CST); /* given a keeper that lets others go first */
    rk_u32 before = entries(), rung = rk_atomic_u32(&cuda->keeper_event);
    OK(rk_activate(runtime, kernel));
    pthread_t releaser;
    pthread_create(&releaser, 0, release_keeper, &rung);
    OK(rk_deactivate(runtime, kernel)); /* when the kernel is stopped as soon as it is served */
    rk_atomic_set_u32(&left, 1);
    pthread_join(releaser, 0);
    assert_true(entries() > before); /* then it had a slice */
}

static void in_slices_a_kernel_gets_on_though_others_always_want_the_device(void **state)
{
    (void)state;
    open_slices();
    rk_cuda_runtime *cuda = cuda_of_runtime();
    rk_kernel kernel = active("a", "sink");
    __atomic_add_fetch(&cuda->waiting, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 3; i++) {
        rk_u32 before = entries();
        rk_event_raise(&cuda->keeper_event);
        AWAIT(entries() > before);
    }
    __atomic_sub_fetch(&cuda->waiting, 1, __ATOMIC_SEQ_CST);
    OK(rk_deactivate(runtime, kernel));
}

static int pauses_if_it_is_told(const mock_entry *entry)
{
    rk_orders *orders = played_orders(entry, 0);
    rk_u32 paused = rk_atomic_u32(&orders->command) == RK_COMMAND_PAUSE;
    rk_atomic_set_u32(&orders->phase, paused ? RK_PHASE_PAUSED : RK_PHASE_IDLE);
    return 1;
}

static void in_slices_what_was_paused_is_served_when_it_is_told_to_run(void **state)
{
    (void)state;
    open_slices();
    play(pauses_if_it_is_told);
    rk_kernel kernel = active("a", "sink");
    rk_orders *orders = orders_of(kernel);
    rk_atomic_set_u32(&orders->command, RK_COMMAND_PAUSE);
    AWAIT((keeper_looks(0), rk_atomic_u32(&orders->phase) == RK_PHASE_PAUSED));
    rk_atomic_set_u32(&orders->command, RK_COMMAND_RUN);
    AWAIT((keeper_looks(0), rk_atomic_u32(&orders->phase) == RK_PHASE_IDLE));
    play(0);
}

static void in_slices_nobody_looks_at_the_heartbeat(void **state)
{
    (void)state;
    open_slices();
    rk_kernel kernel = active("a", "sink");
    AWAIT(entries() > 0);
    assert_int_equal(beat_of(kernel), 0);
    OK(rk_deactivate(runtime, kernel));
}

static void in_slices_a_kernel_that_failed_is_told(void **state)
{
    (void)state;
    open_slices();
    play(fails_at_once);
    rk_kernel kernel = active("a", "sink");
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    rk_u32 before = entries();
    keeper_looks(3);
    assert_int_equal(entries(), before);
}

/* A handler of echo never returns, and all else ends at once. */
static int echo_never_ends(const mock_entry *entry)
{
    return strcmp(entry->function, "rk_entry_of_echo") != 0;
}

static rk_u32 launches_of(const char *function)
{
    rk_u32 count = 0;
    for (int at = -1; (at = called(function, at + 1)) >= 0;) count++;
    return count;
}

static void in_slices_a_handler_that_never_returns_holds_up_no_other_kernel(void **state)
{
    (void)state;
    /* given a kernel whose slice does not end, with messages that wait, and one that has work all the time */
    probe p = { .number = 1 };
    rk_account account;
    open_slices();
    rk_kernel stuck = launched("stuck", "echo"), other = launched("other", "sink");
    OK(rk_activate(runtime, other));
    AWAIT(launches_of("launch rk_entry_of_sink") > 0);
    play(echo_never_ends);
    OK(rk_activate(runtime, stuck));
    AWAIT(launches_of("launch rk_entry_of_echo") == 1);
    OK(rk_send(runtime, stuck, 200, &p, sizeof p, 0));

    /* when it is sent to, then the other is launched each time, and nobody who looks waits for the stuck one */
    const rk_u64 begin = rk_monotonic_ns();
    for (rk_u32 i = 0; i < 20; i++) {
        const rk_u32 before = entries();
        OK(rk_send(runtime, other, 200, &p, sizeof p, 0));
        AWAIT(entries() > before);
        OK(rk_account_of(runtime, stuck, &account));
        OK(rk_account_of(runtime, other, &account));
    }
    AWAIT(rk_atomic_u32(&host_of(stuck)->stalled)); /* it is told */
    OK(rk_deactivate(runtime, other));
    OK(rk_activate(runtime, other));

    /* and it is given up on, never launched a second time, while the other goes on */
    assert_int_equal(rk_terminate(runtime, stuck, 0), RK_QUARANTINED);
    if (rk_monotonic_ns() - begin > RK_SECONDS(5)) fail_msg("somebody waited for the stuck one");
    assert_int_equal(launches_of("launch rk_entry_of_echo"), 1);
    const rk_u32 before = entries();
    OK(rk_send(runtime, other, 200, &p, sizeof p, 0));
    AWAIT(entries() > before);
    OK(rk_deactivate(runtime, other));
    play(0);
}

static rk_u64 landing_ns; /* atomic: when the slice ends */
static int ends_late(const mock_entry *entry)
{
    (void)entry;
    return rk_monotonic_ns() >= __atomic_load_n(&landing_ns, __ATOMIC_ACQUIRE);
}

static void in_slices_a_long_one_is_followed_by_another_soon_after_its_end(void **state)
{
    (void)state;
    probe p = { .number = 1 };
    open_slices();
    play(takes_all);
    rk_kernel kernel = active("a", "sink");
    AWAIT(entries() > 0);
    for (rk_u32 i = 0; i < 5; i++) {
        const rk_u64 end_ns = rk_monotonic_ns() + RK_MILLISECONDS(20);
        __atomic_store_n(&landing_ns, end_ns, __ATOMIC_RELEASE);
        play(ends_late);
        const rk_u32 before = entries();
        OK(rk_send(runtime, kernel, 200, &p, sizeof p, 0));
        AWAIT(entries() > before);
        OK(rk_send(runtime, kernel, 200, &p, sizeof p, 0)); /* while it is in the air */
        AWAIT(entries() > before + 1);
        assert_true(rk_monotonic_ns() >= end_ns);
        assert_true(rk_monotonic_ns() - end_ns < RK_MILLISECONDS(90)); /* a nap would be longer */
        play(takes_all);
        AWAIT(rk_kernel_queued(host_of(kernel)) == 0);
    }
}

static void in_slices_a_lost_device_fails_its_kernels(void **state)
{
    (void)state;
    open_slices();
    rk_kernel kernel = active("a", "sink");
    lose_device();
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    OK(rk_close(runtime));
    runtime = 0;
}

static const struct CMUnitTest tests[] = {
    TEST(in_slices_a_message_brings_a_launch_and_idleness_few),
    TEST(in_slices_what_waits_for_more_is_visited_again_at_once),
    TEST(in_slices_what_waits_for_room_is_visited_again_at_once),
    TEST(in_slices_an_end_is_followed_by_another_at_once),
    TEST(in_slices_a_kernel_is_launched_when_its_time_has_come),
    TEST(in_slices_a_kernel_has_one_before_it_leaves),
    TEST(in_slices_a_kernel_gets_on_though_others_always_want_the_device),
    TEST(in_slices_what_was_paused_is_served_when_it_is_told_to_run),
    TEST(in_slices_nobody_looks_at_the_heartbeat),
    TEST(in_slices_a_kernel_that_failed_is_told),
    TEST_LOST(in_slices_a_handler_that_never_returns_holds_up_no_other_kernel),
    TEST(in_slices_a_long_one_is_followed_by_another_soon_after_its_end),
    TEST_LOST(in_slices_a_lost_device_fails_its_kernels),
};
CUDA_MAIN(tests)
