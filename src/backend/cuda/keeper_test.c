/* The thread that watches over the device: heartbeat, failures, what comes back. */
#include "cuda_fixture_test.h"

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
    AWAIT(called("end rk_entry_of_sink", 0) >= 0);
    keeper_looks(3);
    assert_int_equal(entries(), 1);
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

static void a_launch_that_fails_later_is_tried_again(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    fails("cuLaunchKernel", RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
    play(ends_at_once);
    AWAIT(called("end rk_entry_of_sink", 0) >= 0);
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

static rk_kernel given_one_that_failed(void)
{
    open_runtime();
    play(fails_at_once);
    rk_kernel kernel = active("a", "sink");
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    play(0);
    return kernel;
}

static void relaunch_it(rk_kernel kernel)
{
    const rk_launch_options o = small("sink");
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
}

static void a_kernel_that_failed_is_launched_again_by_its_owner_alone(void **state)
{
    (void)state;
    rk_kernel kernel = given_one_that_failed();
    keeper_looks(3);
    assert_int_equal(entries(), 1);
    relaunch_it(kernel);
    assert_int_equal(entries(), 2);
    rk_u64 beat = beat_of(kernel);
    AWAIT(beat_of(kernel) > beat);
}

static void a_failure_that_is_told_after_the_kernel_was_launched_again_is_none(void **state)
{
    (void)state;
    rk_kernel kernel = given_one_that_failed();
    const rk_u64 failed = rk_kernel_incarnation(host_of(kernel));
    relaunch_it(kernel);

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

/* Who reports a failure when its reader gets it only after the entry has become another kernel's. */
static struct {
    rk_u32 reported, reused; /* atomic */
    char name[16];
} late;

static void read_late(void *user, const rk_log_record *record)
{
    (void)user;
    if (record->level != RK_ERROR) return;
    rk_atomic_set_u32(&late.reported, 1);
    for (const rk_u64 end_ns = rk_monotonic_ns() + RK_SECONDS(20);
         !rk_atomic_u32(&late.reused) && rk_monotonic_ns() < end_ns;)
        usleep(200);
    snprintf(late.name, sizeof late.name, "%s", record->kernel_name);
    rk_atomic_set_u32(&late.reported, 2);
}

static void a_failure_is_told_of_the_kernel_that_failed_though_another_has_its_place(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.on_log = read_late;
    memset(&late, 0, sizeof late);
    open_with(&options);

    /* given a kernel that failed, and whoever reads of it is slow */
    play(fails_at_once);
    rk_kernel failed = active("a", "sink");
    AWAIT(rk_atomic_u32(&late.reported));
    play(0);

    /* when its place is given to another meanwhile */
    OK(rk_terminate(runtime, failed, RK_SECONDS(1)));
    rk_kernel other = launched("other", "sink");
    assert_int_equal(other.number, failed.number);
    rk_atomic_set_u32(&late.reused, 1);

    /* then it is the first one's name that is read */
    AWAIT(rk_atomic_u32(&late.reported) == 2);
    assert_string_equal(late.name, "a");
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
    TEST(a_failure_is_told_of_the_kernel_that_failed_though_another_has_its_place),
    TEST_LOST(a_lost_device_is_logged_once),
    TEST_LOST(a_lost_device_is_told_to_supervisors_until_they_escalate),
};
CUDA_MAIN(tests)
