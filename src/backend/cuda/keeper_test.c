/* The thread that watches over the device: heartbeat, failures, what comes back, the clock, slices. */
#include "cuda_fixture_test.h"

#include "runtime/futex.h"

static rk_u64 beat_of(rk_kernel kernel)
{
    return __atomic_load_n(&orders_of(kernel)->heartbeat, __ATOMIC_ACQUIRE);
}
static rk_u64 base_of(rk_kernel kernel)
{
    return __atomic_load_n(&orders_of(kernel)->clock_base, __ATOMIC_ACQUIRE);
}

/* The keeper goes through so many whole rounds. */
static void keeper_looks(rk_u32 rounds)
{
    rk_cuda_runtime *cuda = cuda_of_runtime();
    for (rk_u32 begun = 0; begun <= rounds; begun++) {
        rk_u64 beat = __atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE);
        rk_event_raise(&cuda->keeper_event);
        AWAIT(__atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE) > beat);
    }
}

/* ------------------------------------------------------------------ what stays */

static void the_heartbeat_of_each_shard_goes_on(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("sink");
    o.shards = 3;
    rk_kernel kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    assert_true(beat_of(kernel) > 0); /* 0: nobody looks */
    for (rk_u32 s = 0; s < 3; s++) {
        const rk_orders *orders = host_of(kernel)->seats[s].orders;
        rk_u64 first = __atomic_load_n(&orders->heartbeat, __ATOMIC_ACQUIRE);
        AWAIT(__atomic_load_n(&orders->heartbeat, __ATOMIC_ACQUIRE) >= first + 5);
    }
}

static void a_kernel_that_left_by_itself_is_launched_again(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(entries(), 1);
    play(ends_at_once);
    AWAIT(entries() >= 4);
    play(0);
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    OK(rk_deactivate(runtime, kernel));
    rk_u32 launched = entries();
    keeper_looks(3);
    assert_int_equal(entries(), launched);
}

static rk_u32 parts_with; /* the phase of the shard whose block leaves before the others */
static int a_block_leaves_first(const mock_entry *entry)
{
    rk_orders *first = played_orders(entry, 0);
    rk_atomic_set_u32(&first->phase, parts_with);
    rk_atomic_set_u32(&first->gone, 1);
    return rk_atomic_u32(&played_orders(entry, 1)->leave) != 0;
}

static rk_kernel two_of_which_one_leaves(rk_u32 phase)
{
    rk_launch_options o = small("sink");
    o.shards = o.blocks = 2;
    open_runtime();
    parts_with = phase;
    play(a_block_leaves_first);
    rk_kernel kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    return kernel;
}

static void blocks_follow_one_that_has_left_and_all_come_back(void **state)
{
    (void)state;
    rk_kernel kernel = two_of_which_one_leaves(RK_PHASE_BUSY);
    AWAIT(entries() >= 3);
    play(0);
    rk_u32 launched = entries();
    keeper_looks(3);
    assert_true(entries() <= launched + 1);
    for (rk_u32 s = 0; s < 2; s++) {
        assert_int_equal(rk_atomic_u32(&host_of(kernel)->seats[s].orders->leave), 0);
        assert_int_equal(rk_atomic_u32(&host_of(kernel)->seats[s].orders->gone), 0);
    }
    OK(rk_deactivate(runtime, kernel));
}

static void nobody_follows_one_that_has_ended(void **state)
{
    (void)state;
    rk_kernel kernel = two_of_which_one_leaves(RK_PHASE_ENDED);
    keeper_looks(5);
    assert_int_equal(entries(), 1);
    assert_int_equal(rk_atomic_u32(&orders_of(kernel)->leave), 0);
}

static int ends_as_drained(const mock_entry *entry)
{
    rk_atomic_set_u32(&played_orders(entry, 0)->phase, RK_PHASE_ENDED);
    return 1;
}

static void what_has_nothing_left_to_serve_is_not_launched_again(void **state)
{
    (void)state;
    open_runtime();
    play(ends_as_drained);
    rk_kernel kernel = active("a", "sink");
    AWAIT(called("end rk_entry_sink", 0) >= 0);
    keeper_looks(3);
    assert_int_equal(entries(), 1);
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

static unsigned times(const char *part)
{
    unsigned n = 0;
    pthread_mutex_lock(&logging);
    for (const char *at = logged; (at = strstr(at, part)); at++) n++;
    pthread_mutex_unlock(&logging);
    return n;
}

static void a_launch_that_fails_later_is_tried_again(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    fails("cuLaunchKernel", RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
    play(ends_at_once);
    AWAIT(called("end rk_entry_sink", 0) >= 0);
    keeper_looks(3);
    assert_int_equal(entries(), 1);
    assert_int_equal(times("it is tried again, and until then 'a' is not served"), 1);
    play(0);
    fails_no_more();
    AWAIT(entries() == 2);
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

static void however_often_a_launch_failed_a_loss_is_told_with_its_reason(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    fails("cuLaunchKernel", RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
    play(ends_at_once);
    keeper_looks(200); /* more than a thread's errors have room for */
    lose_device();
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_int_equal(times("CUDA_ERROR_ILLEGAL_ADDRESS"), 1);
}

static pthread_t
    slow; /* whose launches take until the keeper has been, or waits for them, where it tells failures too */
static void keeper_is_quicker(void)
{
    rk_cuda_runtime *cuda = cuda_of_runtime();
    if (!pthread_equal(pthread_self(), slow)) return;
    const rk_u64 beat = __atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE);
    rk_event_raise(&cuda->keeper_event);
    AWAIT(rk_atomic_u32(&cuda->keeper_waits) || rk_atomic_u32(&cuda->waiting) ||
          __atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE) > beat + 1);
}

static void what_comes_back_after_a_load_of_code_is_launched_once(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    slow = pthread_self();
    __atomic_store_n(&mock->launching, keeper_is_quicker, __ATOMIC_RELEASE);
    active("b", "echo");
    __atomic_store_n(&mock->launching, 0, __ATOMIC_RELEASE);
    keeper_looks(3);
    assert_int_equal(entries(), 3); /* of 'a', twice, and of 'b' */
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

/* ------------------------------------------------------------------ failures */

static void a_kernel_that_failed_is_told_once(void **state)
{
    (void)state;
    static const char text[] = "stopped between publishing and committing a batch";
    open_runtime();
    rk_kernel other = active("other", "sink");
    play(fails_at_once);
    rk_kernel kernel = active("a", "echo");
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    play(0);
    keeper_looks(3);
    assert_string_equal(host_of(kernel)->failure, text);
    assert_int_equal(times("a: stopped between"), 1);
    (void)other;
}

static void a_kernel_that_failed_is_launched_again_by_its_owner_alone(void **state)
{
    (void)state;
    open_runtime();
    play(fails_at_once);
    rk_kernel kernel = active("a", "sink");
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    play(0);
    keeper_looks(3);
    assert_int_equal(entries(), 1);
    const rk_launch_options o = small("sink");
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_int_equal(entries(), 2);
    rk_u64 beat = beat_of(kernel);
    AWAIT(beat_of(kernel) > beat);
}

static void a_failure_that_is_told_after_the_kernel_was_launched_again_is_none(void **state)
{
    (void)state;
    open_runtime();
    play(fails_at_once);
    rk_kernel kernel = active("a", "sink");
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    play(0);
    const rk_u64 failed = rk_kernel_incarnation(host_of(kernel));
    const rk_launch_options o = small("sink");
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));

    /* when a thread that saw the failure before comes to tell it only now */
    rk_cuda_tell_failure(host_of(kernel), failed);

    /* then the kernel is well, and one that fails again is told of */
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_string_equal(host_of(kernel)->failure, "");
    assert_int_equal(times("a: stopped between"), 1);
    rk_cuda_tell_failure(host_of(kernel), rk_kernel_incarnation(host_of(kernel)));
    rk_cuda_tell_failure(host_of(kernel), rk_kernel_incarnation(host_of(kernel)));
    assert_int_equal(life_of(kernel), RK_LIFE_FAILED);
    assert_int_equal(times("a: stopped between"), 2);
}

static struct {
    rk_u32 count, kind[4]; /* count: atomic */
    rk_status status[4];
} told;

static void note(void *user, const rk_supervision_event *event)
{
    (void)user;
    const rk_u32 at = told.count % 4;
    told.kind[at] = event->kind;
    told.status[at] = event->status;
    rk_atomic_set_u32(&told.count, told.count + 1);
}

/* What a lost device had is restarted no more: each try says so, and then somebody has to open it again. */
static void a_lost_device_is_told_to_supervisors_until_they_escalate(void **state)
{
    (void)state;
    open_runtime();
    const rk_supervised child = { .kernel = active("a", "sink") };
    const rk_supervision_options o = { RK_SUPERVISION_OPTIONS, .restarts = 2, .window_ns = RK_SECONDS(3600),
                                       .on_event = note };
    rk_supervisor *supervisor;
    told.count = 0;
    OK(rk_supervise(runtime, &o, &child, 1, &supervisor));
    lose_device();
    AWAIT(rk_atomic_u32(&told.count) == 3);
    for (rk_u32 i = 0; i < 2; i++) {
        assert_int_equal(told.kind[i], RK_SUPERVISION_REFUSED);
        assert_int_equal(told.status[i], RK_DEVICE_LOST);
    }
    assert_int_equal(told.kind[2], RK_SUPERVISION_ESCALATED);
    OK(rk_unsupervise(supervisor));
    OK(rk_close(runtime));
    runtime = 0;
}

static void a_lost_device_is_logged_once(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    lose_device();
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    keeper_looks(3);
    assert_int_equal(times("CUDA_ERROR_ILLEGAL_ADDRESS (700)"), 1);
    assert_int_equal(times("a: the device is lost"), 1);
    OK(rk_close(runtime));
    runtime = 0;
}

/* ------------------------------------------------------------------ the clock */

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

/* ------------------------------------------------------------------ slices */

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
static int echo_never_ends(const mock_entry *entry) { return strcmp(entry->function, "rk_entry_echo") != 0; }

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
    AWAIT(launches_of("launch rk_entry_sink") > 0);
    play(echo_never_ends);
    OK(rk_activate(runtime, stuck));
    AWAIT(launches_of("launch rk_entry_echo") == 1);
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
    assert_int_equal(launches_of("launch rk_entry_echo"), 1);
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
    TEST(the_heartbeat_of_each_shard_goes_on),
    TEST(a_kernel_that_left_by_itself_is_launched_again),
    TEST(blocks_follow_one_that_has_left_and_all_come_back),
    TEST(nobody_follows_one_that_has_ended),
    TEST(what_has_nothing_left_to_serve_is_not_launched_again),
    TEST(a_launch_that_fails_later_is_tried_again),
    TEST_LOST(however_often_a_launch_failed_a_loss_is_told_with_its_reason),
    TEST(what_comes_back_after_a_load_of_code_is_launched_once),
    TEST(a_kernel_that_failed_is_told_once),
    TEST(a_kernel_that_failed_is_launched_again_by_its_owner_alone),
    TEST(a_failure_that_is_told_after_the_kernel_was_launched_again_is_none),
    TEST_LOST(a_lost_device_is_logged_once),
    TEST_LOST(a_lost_device_is_told_to_supervisors_until_they_escalate),
    TEST(the_clock_is_set_anew_each_second),
    TEST(how_far_the_clock_is_off_and_drifts_is_told),
    TEST(a_clock_of_ones_own_is_told_as_it_moves),
    TEST(a_clock_of_ones_own_is_not_off),
    TEST(a_device_as_full_as_can_be_has_room_for_the_clock),
    TEST(as_many_kernels_as_can_be_leave_room_for_the_clock),
    TEST(a_clock_that_cannot_be_asked_holds_up_nobody_and_says_how_far_it_may_be_off),
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
