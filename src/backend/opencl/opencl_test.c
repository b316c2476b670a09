/* What becomes of failures that a device doesn't give at will: the OpenCL backend on a mock library, whose launches do
 * nothing, never start, never end, or fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <unistd.h>

#include "kernels/contract_a.rk.h"
#include "mock/mock_opencl.h"
#include "opencl.h"

#define MOCK RK_BINARY_DIR "/tests/mock/libOpenCL.so.1"

static mock_opencl *mock;
static mock_opencl_bytes_function bytes_of;
static rk_runtime *runtime;
static char folder[64]; /* of the cache */

static void check_ok(rk_status status, const char *call, int line)
{
    if (status != RK_OK) fail_msg("line %d: %s: %s: %s", line, call, rk_status_name(status), rk_error_text());
}
#define OK(call) check_ok(call, #call, __LINE__)

static void assert_error_says(const char *part)
{
    if (!strstr(rk_error_text(), part)) fail_msg("\"%s\" is not in:\n%s", part, rk_error_text());
}

/* Wait for what another thread does. */
#define AWAIT(condition)                                                        \
    do {                                                                        \
        rk_u64 end_ = rk_monotonic_ns() + RK_SECONDS(60);                       \
        while (!(condition) && rk_monotonic_ns() < end_) usleep(200);           \
        if (!(condition)) fail_msg("line %d: never: %s", __LINE__, #condition); \
    } while (0)

static char log_text[4096]; /* of this runtime */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void take_log(void *user, const rk_log_record *record)
{
    (void)user;
    pthread_mutex_lock(&log_lock);
    size_t length = strlen(log_text);
    snprintf(log_text + length, sizeof log_text - length, "%s\n", record->text);
    pthread_mutex_unlock(&log_lock);
}

static int log_says(const char *part)
{
    pthread_mutex_lock(&log_lock);
    int says = strstr(log_text, part) != 0;
    pthread_mutex_unlock(&log_lock);
    return says;
}

static rk_u64 begin_ns; /* for a kernel that stays to begin; of threads on a machine that may be loaded */

static rk_status open_runtime(void)
{
    const rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .cache_folder = folder,
                                   .on_log = take_log, .memory_ceiling = 16u << 20 };
    log_text[0] = 0;
    rk_status status = rk_open(&o, &runtime);
    if (status != RK_OK) return status;
    rk_opencl_of(runtime)->patience_ns = RK_MILLISECONDS(100);
    rk_opencl_of(runtime)->building_ns = RK_MILLISECONDS(100);
    rk_opencl_of(runtime)->begin_ns = begin_ns;
    return RK_OK;
}

static rk_status launch_kernel(const char *name, const char *id, rk_kernel *kernel)
{
    rk_launch_options o = rk_production();
    o.kernel_name = name;
    o.deduplication_window = 0; /* its lanes have a lock only where the device needs it */
    o.queue_capacity = 64;
    return rk_launch(runtime, id, &o, kernel);
}

static rk_status launch(const char *id, rk_kernel *kernel) { return launch_kernel("sink", id, kernel); }

static rk_kernel launched(void)
{
    rk_kernel kernel;
    OK(open_runtime());
    OK(launch("a", &kernel));
    return kernel;
}

static rk_u32 life_of(rk_kernel kernel)
{
    rk_kernel_info info;
    OK(rk_kernel_information(runtime, kernel, &info));
    return info.life;
}

static int set_up(void **state)
{
    (void)state;
    void *library = dlopen(MOCK, RTLD_NOW);
    mock_opencl_state_function function = 0;
    if (!library) return -1;
    *(void **)&function = dlsym(library, "mock_opencl_state");
    mock = function();
    *(void **)&bytes_of = dlsym(library, "mock_opencl_bytes");
    *mock = (mock_opencl){ .failing = 0 };
    snprintf(folder, sizeof folder, "/tmp/rk-opencl-test-XXXXXX");
    setenv("RK_OPENCL_LIBRARY", MOCK, 1);
    unsetenv("MOCK_OPENCL_PLATFORMS");
    unsetenv("MOCK_OPENCL_DEVICES");
    unsetenv("MOCK_OPENCL_EXTENSIONS");
    begin_ns = RK_SECONDS(60);
    unsetenv("MOCK_OPENCL_SHARES");
    unsetenv("MOCK_OPENCL_UNITS");
    unsetenv("RK_OPENCL_WITHOUT");
    return mkdtemp(folder) ? 0 : -1;
}

/* From now on, beside a thread that launches. */
static void launches_are(int how) { __atomic_store_n(&mock->launch, how, __ATOMIC_SEQ_CST); }

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    launches_are(MOCK_LAUNCH_COMPLETES);
    __atomic_store_n(&mock->released, ~0u, __ATOMIC_SEQ_CST); /* those that wait */
    if (runtime) rk_close(runtime);
    runtime = 0;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

/* ------------------------------------------------------------------ nothing to run on */

static void without_a_library_it_says_what_to_install(void **state)
{
    (void)state;
    setenv("RK_OPENCL_LIBRARY", "/nowhere/libOpenCL.so.1", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("no OpenCL: /nowhere/libOpenCL.so.1");
    assert_error_says("or use the backend cpu");
}

static void a_library_that_is_no_opencl_is_told(void **state)
{
    (void)state;
    setenv("RK_OPENCL_LIBRARY", "libm.so.6", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("'libm.so.6' has no clGetPlatformIDs");
}

static void without_a_platform_it_says_what_to_install(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_PLATFORMS", "0", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("no platform: install the device's driver");
}

static void a_platform_without_a_device_is_told(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_DEVICES", "0", 1);
    assert_int_equal(open_runtime(), RK_UNSUPPORTED);
    assert_error_says("OpenCL has 1 platforms, and none of them a device");
}

static void a_device_that_is_not_there_is_refused(void **state)
{
    const rk_runtime_options o = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .device = 3 };
    (void)state;
    assert_int_equal(rk_open(&o, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("device 3: OpenCL has 1");
}

static void memory_that_can_not_be_had_is_told(void **state)
{
    (void)state;
    mock->failing = "clCreateBuffer";
    mock->result = RK_CL_MEM_OBJECT_ALLOCATION_FAILURE;
    assert_int_equal(open_runtime(), RK_OUT_OF_MEMORY);
    assert_error_says("CL_MEM_OBJECT_ALLOCATION_FAILURE");
    assert_error_says("set memory_ceiling lower");
}

static void memory_that_is_left_in_no_piece_is_told(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    const rk_runtime_options r = { RK_RUNTIME_OPTIONS, .backend = RK_BACKEND_OPENCL, .cache_folder = folder,
                                   .on_log = take_log, .memory_ceiling = 1u << 30 };
    OK(rk_open(&r, &runtime));
    o.kernel_name = "sink";
    o.deduplication_window = 0;
    o.queue_capacity = o.output_capacity = 1u << 20; /* of 64 bytes, */
    o.shards = 4; /* so 512 MiB and the reports where both reach them, and 256 MiB on the device */
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_OUT_OF_MEMORY);
    assert_error_says("lie where host and device both reach them, where");
    assert_error_says("are left in one piece");
}

static void options_that_only_workers_can_keep_are_refused(void **state)
{
    (void)state;
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    OK(open_runtime());
    o.kernel_name = "sink";
    o.handler_limit_ns = RK_SECONDS(1);
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("handler_limit_ns: a handler on a device can't be replaced");
    o.handler_limit_ns = 0;
    o.kernel_name = "sink_spmd";
    o.spmd_check = 1;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_UNSUPPORTED);
    assert_error_says("spmd_check: a device runs the threads of a batch as it likes");
}

/* ------------------------------------------------------------------ code */

static void a_build_that_fails_gives_the_compilers_words(void **state)
{
    rk_kernel kernel;
    (void)state;
    OK(open_runtime());
    mock->failing = "clBuildProgram";
    mock->result = RK_CL_BUILD_PROGRAM_FAILURE;
    assert_int_equal(launch("a", &kernel), RK_COMPILE_FAILED);
    assert_error_says("kernel 'sink' doesn't build for Mock device as CL1.2");
    assert_error_says("kernel.rk.c:7:3: error: mock says no");
}

static void code_is_built_once_and_then_taken_from_the_cache(void **state)
{
    (void)state;
    launched();
    assert_int_equal(mock->builds, 1);
    assert_non_null(strstr(mock->options, "-cl-std=CL1.2 -I"));
    OK(rk_close(runtime));
    launched();
    assert_int_equal(mock->builds, 1);
    assert_int_equal(mock->binaries, 1);
}

/* A compiler that isn't told makes code for work-groups of any size. */
static void code_is_built_for_the_work_groups_that_are_launched(void **state)
{
    rk_kernel kernel;
    rk_launch_options o = rk_production();
    (void)state;
    launched();
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=64"));
    OK(launch("b", &kernel));
    assert_int_equal(mock->builds, 1);
    o.kernel_name = "sink";
    o.threads = 128;
    OK(rk_launch(runtime, "c", &o, &kernel));
    assert_int_equal(mock->builds, 2);
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=128"));
    setenv("MOCK_OPENCL_SHARES", "1", 1); /* a CPU */
    OK(rk_close(runtime));
    launched();
    assert_non_null(strstr(mock->options, " -DRK_UNIT_GROUP=1"));
    assert_null(strstr(mock->options, " -DRK_UNIT_GROUP=128"));
}

static void a_device_with_32_bit_atomics_gets_lanes_with_locks(void **state)
{
    (void)state;
    setenv("MOCK_OPENCL_EXTENSIONS", "cl_khr_int64_base_atomics_not cl_khr_fp64", 1);
    rk_kernel kernel = launched();
    assert_non_null(strstr(mock->options, " -DRK_NO_ATOMICS_64"));
    assert_int_equal(runtime->kernels[kernel.number]->layout.lane[RK_LANE_DEVICE].locked, 1);
    OK(rk_close(runtime));
    unsetenv("MOCK_OPENCL_EXTENSIONS");
    kernel = launched();
    assert_null(strstr(mock->options, " -DRK_NO_ATOMICS_64"));
    assert_int_equal(runtime->kernels[kernel.number]->layout.lane[RK_LANE_DEVICE].locked, 0);
}

static void a_kept_binary_that_the_driver_does_not_take_is_built_again(void **state)
{
    (void)state;
    launched();
    OK(rk_close(runtime));
    mock->failing = "clCreateProgramWithBinary";
    mock->result = RK_CL_INVALID_BINARY;
    launched();
    assert_int_equal(mock->builds, 2);
}

static void a_driver_that_never_starts_the_first_launch_is_told(void **state)
{
    rk_kernel kernel;
    (void)state;
    OK(open_runtime());
    mock->warm_up = MOCK_LAUNCH_NEVER_STARTS;
    assert_int_equal(launch("a", &kernel), RK_DEVICE_LOST);
    assert_error_says("the driver never started a launch");
}

/* ------------------------------------------------------------------ launches */

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

static rk_u64 spin_with(const char *units)
{
    if (units) setenv("MOCK_OPENCL_SHARES", "1", 1); /* as a CPU does */
    if (units) setenv("MOCK_OPENCL_UNITS", units, 1);
    OK(open_runtime());
    rk_u64 spin_ns = runtime->options.spin_ns;
    OK(rk_close(runtime));
    runtime = 0;
    return spin_ns;
}

static void who_waits_for_slices_of_a_cpu_leaves_it_the_processor(void **state)
{
    (void)state;
    assert_int_equal(spin_with(0), RK_SPIN_DEFAULT); /* a GPU */
    assert_int_equal(spin_with("1"), 1);
    assert_int_equal(spin_with("2"), RK_SPIN_DEFAULT); /* kernels stay, and need no thread beside them */
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

static void a_launch_that_never_starts_loses_the_device(void **state)
{
    (void)state;
    rk_kernel kernel = launched();
    launches_are(MOCK_LAUNCH_NEVER_STARTS);
    OK(rk_activate(runtime, kernel));
    AWAIT(life_of(kernel) == RK_LIFE_FAILED);
    assert_string_equal(rk_opencl_of(runtime)->lost_why, "the driver took a launch and never started it");
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

/* ------------------------------------------------------------------ two slices in the air */

static rk_u32 launches(void) { return __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST); }
static void release(rk_u32 number) { __atomic_store_n(&mock->released, number, __ATOMIC_SEQ_CST); }
static rk_u32 in_air(void) { return __atomic_load_n(&rk_opencl_of(runtime)->in_air, __ATOMIC_SEQ_CST); }

static void send_one(rk_kernel kernel)
{
    const probe message = { .number = 1 };
    OK(rk_send(runtime, kernel, 200, &message, sizeof message, 0));
}

/* A first slice that runs until it is released, and a second one behind it with a message that came meanwhile. */
static rk_kernel two_in_the_air(void)
{
    rk_kernel kernel = launched();
    rk_opencl_of(runtime)->patience_ns = RK_SECONDS(60); /* both run as long as the test wants */
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

/* ------------------------------------------------------------------ more than an answer has room for */

/* What a shard of the device would send to the host: the mock's launches visit none. */
static void send_on_the_device(rk_kernel kernel, rk_u32 count)
{
    const rk_seat *seat = runtime->kernels[kernel.number]->seats;
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

/* ------------------------------------------------------------------ kernels that stay */

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
    OK(launch("b", &other));
    OK(rk_activate(runtime, other));
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

static rk_u64 landed_ns(rk_kernel kernel)
{
    rk_opencl_runtime *cl = rk_opencl_of(runtime);
    OK(rk_opencl_lock(cl, rk_monotonic_ns() + RK_SECONDS(10)));
    const rk_u64 at = cl->served[kernel.number]->landed_ns;
    rk_opencl_unlock(cl);
    return at;
}

static void of_those_that_are_due_the_one_of_the_highest_priority_has_its_slice_first(void **state)
{
    (void)state;
    rk_kernel k[3];
    const probe message = { .number = 1 };
    rk_u64 before = 0;
    OK(open_runtime());
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
        /* when messages come for all of them before anything can be launched, */
        OK(rk_opencl_lock(rk_opencl_of(runtime), rk_monotonic_ns() + RK_SECONDS(10)));
        for (rk_u32 i = 0; i < 3; i++) {
            OK(rk_send(runtime, k[i], RK_BODY(message), 0));
            if (rk_opencl_of(runtime)->served[k[i].number]->landed_ns > before)
                before = rk_opencl_of(runtime)->served[k[i].number]->landed_ns;
        }
        rk_opencl_unlock(rk_opencl_of(runtime));

        /* then they are served from high to low */
        for (rk_u32 i = 0; i < 3; i++) AWAIT(landed_ns(k[i]) > before);
        assert_true(landed_ns(k[2]) < landed_ns(k[1]) && landed_ns(k[1]) < landed_ns(k[0]));
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_library_it_says_what_to_install),
        TEST(a_library_that_is_no_opencl_is_told),
        TEST(without_a_platform_it_says_what_to_install),
        TEST(a_platform_without_a_device_is_told),
        TEST(a_device_that_is_not_there_is_refused),
        TEST(memory_that_can_not_be_had_is_told),
        TEST(memory_that_is_left_in_no_piece_is_told),
        TEST(options_that_only_workers_can_keep_are_refused),
        TEST(of_those_that_are_due_the_one_of_the_highest_priority_has_its_slice_first),
        TEST(a_build_that_fails_gives_the_compilers_words),
        TEST(code_is_built_once_and_then_taken_from_the_cache),
        TEST(code_is_built_for_the_work_groups_that_are_launched),
        TEST(a_device_with_32_bit_atomics_gets_lanes_with_locks),
        TEST(a_kept_binary_that_the_driver_does_not_take_is_built_again),
        TEST(a_driver_that_never_starts_the_first_launch_is_told),
        TEST(a_kernel_at_rest_is_not_launched),
        TEST(who_waits_for_slices_of_a_cpu_leaves_it_the_processor),
        TEST(a_message_is_a_reason_for_a_launch),
        TEST(what_a_kernel_sent_in_the_slice_in_which_it_ended_is_looked_at),
        TEST(a_launch_that_fails_loses_the_device_and_fails_its_kernels),
        TEST(a_launch_that_never_starts_loses_the_device),
        TEST(a_launch_that_never_ends_is_given_up_by_whoever_ends_its_kernel),
        TEST(a_second_slice_departs_while_the_first_runs),
        TEST(a_third_slice_waits_until_the_first_has_landed),
        TEST(the_device_is_had_when_both_slices_have_landed),
        TEST(a_first_slice_that_fails_takes_the_second_with_it),
        TEST(a_second_slice_that_fails_leaves_what_the_first_brought),
        TEST(a_launch_that_serves_no_shard_loses_the_device),
        TEST(what_an_answer_has_no_room_for_comes_with_the_next_slices),
        TEST(a_kernel_stays_where_memory_is_shared),
        TEST(a_kernel_that_stays_is_told_the_time_and_that_the_host_lives),
        TEST(a_unit_is_left_free),
        TEST(where_one_more_does_not_fit_all_are_served_by_slices),
        TEST(a_driver_that_never_starts_a_kernel_that_stays_gets_slices),
        TEST(a_kernel_that_never_leaves_is_given_up_and_others_go_on),
        TEST(a_device_that_is_deaf_while_a_kernel_runs_gets_copies),
        TEST(a_device_whose_stores_come_out_of_order_gets_copies),
        TEST(a_device_can_be_used_without_what_it_has),
        TEST(shared_memory_that_can_not_be_had_is_told),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}
