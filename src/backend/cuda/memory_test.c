/* Opening the backend, and its memory: pinned below, the device's above with an image beside it. */
#include "cuda_fixture_test.h"

static void opening_is_refused(rk_status status, const char *part)
{
    const rk_runtime_options options = given();
    assert_int_equal(rk_open(&options, &runtime), status);
    assert_null(runtime);
    assert_error_says(part);
}

/* ------------------------------------------------------------------ opening */

static void a_machine_without_a_device_is_refused(void **state)
{
    (void)state;
    mock->devices = 0;
    opening_is_refused(RK_UNSUPPORTED, "CUDA_ERROR_NO_DEVICE");
}

static void a_driver_too_old_is_refused(void **state)
{
    (void)state;
    mock->version = 11080;
    opening_is_refused(RK_UNSUPPORTED, "the NVIDIA driver is too old");
}

static void launches_that_block_are_refused(void **state)
{
    (void)state;
    setenv("CUDA_LAUNCH_BLOCKING", "1", 1);
    opening_is_refused(RK_UNSUPPORTED, "CUDA_LAUNCH_BLOCKING is '1'");
}

static void a_device_that_is_not_there_is_refused(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.device = 3;
    assert_int_equal(rk_open(&options, &runtime), RK_INVALID_ARGUMENT);
    assert_error_says("there is no CUDA device 3");
}

static void workers_are_refused_and_nothing_is_left(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.workers = 2;
    assert_int_equal(rk_open(&options, &runtime), RK_INVALID_OPTIONS);
    assert_error_says("workers 2: the CUDA backend has none");
}

/* Started again where the driver is a file that isn't one. */
static void a_machine_without_a_driver_is_refused(void **state)
{
    (void)state;
    char program[4096], command[8300], text[4096] = "";
    ssize_t used = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(used > 0);
    program[used] = 0;
    snprintf(command, sizeof command,
             "touch '%s/libcuda.so.1'; RK_TEST_OPENS=1 LD_LIBRARY_PATH='%s' '%s' 2>&1", folder, folder,
             program);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    assert_true(fread(text, 1, sizeof text - 1, output) > 0);
    pclose(output);
    assert_says(text, "UNSUPPORTED");
    assert_says(text, "no NVIDIA driver");
    assert_says(text, "use the backend cpu");
}

static void what_fails_while_opening_leaves_nothing(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "cuDevicePrimaryCtxRetain",
        "cuStreamCreateWithPriority",
        "cuMemHostAlloc",
        "cuMemAddressReserve",
        "cuMemCreate",
        "cuMemMap",
        "cuMemSetAccess",
        "cuMemsetD8Async",
        "cuMemcpyAsync",
    };
    const rk_runtime_options options = given();
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        fails(calls[i], RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
        if (rk_open(&options, &runtime) != RK_OUT_OF_MEMORY) fail_msg("%s: %s", calls[i], rk_error_text());
        fails_no_more();
        if (mock->mappings + mock->registrations + mock->allocations + mock->streams)
            fail_msg("%s", calls[i]);
        assert_all_given_back();
    }
}

static void a_runtime_that_did_nothing_gives_everything_back(void **state)
{
    (void)state;
    open_runtime();
    assert_int_equal(mock->contexts, 1);
    assert_true(mock->mappings > 0);
    assert_int_equal(mock->memories, 0); /* what is mapped is kept by that */
}

static void the_callers_own_context_is_current_again(void **state)
{
    (void)state;
    rk_cuda api;
    rk_cu_context own = (rk_cu_context)(void *)folder, current = 0;
    OK(rk_cuda_load(0, &api));
    api.cuCtxSetCurrent(own);
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    fails("cuCtxPushCurrent", RK_CUDA_ERROR_INVALID_VALUE, 0); /* it is there though ours could not be */
    rk_account account;
    OK(rk_account_of(runtime, kernel, &account));
    fails_no_more();
    api.cuCtxGetCurrent(&current);
    assert_ptr_equal(current, own);
    OK(rk_deactivate(runtime, kernel));
    OK(rk_close(runtime));
    runtime = 0;
    api.cuCtxGetCurrent(&current);
    assert_ptr_equal(current, own);
    api.cuCtxSetCurrent(0);
}

/* ------------------------------------------------------------------ taking */

/* A launch that needs memory which isn't there yet. */
static rk_launch_options large(void)
{
    rk_launch_options o = small("sink");
    o.queue_capacity = 1u << 16;
    return o;
}

static void a_launch_is_refused_and_leaves_nothing(const char *function, int result)
{
    rk_kernel kernel;
    const rk_launch_options o = large();
    rk_u64 taken = runtime->arena.taken;
    fails(function, result, 0);
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), RK_OUT_OF_MEMORY);
    assert_error_says("CUDA_ERROR_OUT_OF_MEMORY");
    assert_error_says("'a' needs ");
    assert_int_equal(runtime->arena.taken, taken);
    fails_no_more();
    kernel = launch_with("a", &o);
    OK(rk_activate(runtime, kernel));
    OK(rk_terminate(runtime, kernel, RK_SECONDS(1)));
    assert_int_equal(runtime->arena.taken, taken);
}

static void pinning_that_is_refused_refuses_the_launch(void **state)
{
    (void)state;
    open_runtime();
    a_launch_is_refused_and_leaves_nothing("cuMemHostRegister", RK_CUDA_ERROR_OUT_OF_MEMORY);
}

static void without_device_memory_a_launch_is_refused(void **state)
{
    (void)state;
    open_runtime();
    a_launch_is_refused_and_leaves_nothing("cuMemCreate", RK_CUDA_ERROR_OUT_OF_MEMORY);
}

static void device_memory_that_gets_no_access_can_be_had_later(void **state)
{
    (void)state;
    open_runtime();
    a_launch_is_refused_and_leaves_nothing("cuMemSetAccess", RK_CUDA_ERROR_OUT_OF_MEMORY);
}

static void device_memory_that_cannot_be_cleared_can_be_had_later(void **state)
{
    (void)state;
    open_runtime();
    a_launch_is_refused_and_leaves_nothing("cuMemsetD8Async", RK_CUDA_ERROR_OUT_OF_MEMORY);
}

static int is_zero(const rk_byte *bytes, rk_u64 size)
{
    for (rk_u64 i = 0; i < size; i++)
        if (bytes[i]) return 0;
    return 1;
}

static void what_is_taken_is_zero_on_both_sides_each_time(void **state)
{
    (void)state;
    open_runtime();
    const rk_u64 size = 5ull << 20;
    for (rk_u32 round = 0; round < 2; round++)
        for (rk_u32 near = 0; near < 2; near++) {
            rk_u64 at = rk_arena_take(&runtime->arena, near, size);
            assert_true(at);
            assert_int_equal(at >= runtime->arena.device_from, near);
            rk_byte *device = on_device(at, size);
            assert_non_null(device);
            assert_true(is_zero(device, size) && is_zero(runtime->arena.base + at, size));
            assert_int_equal(device != runtime->arena.base + at, near); /* an image; or one memory */
            memset(device, 1, size);
            memset(runtime->arena.base + at, 2, size);
            rk_arena_give(&runtime->arena, at);
        }
}

static void memory_is_kept_and_used_again(void **state)
{
    (void)state;
    open_runtime();
    const rk_launch_options o = large();
    OK(rk_terminate(runtime, launch_with("a", &o), 0));
    int mappings = mock->mappings, registrations = mock->registrations;
    OK(rk_terminate(runtime, launch_with("b", &o), 0));
    assert_int_equal(mock->mappings, mappings);
    assert_int_equal(mock->registrations, registrations);
}

/* ------------------------------------------------------------------ copies */

static rk_byte pattern(rk_u64 i, rk_byte salt) { return (rk_byte)((i * 2654435761u >> 13) + salt); }

static const rk_u64 sizes[] = {
    1, 7, 128, 4096 + 3, RK_CUDA_BOUNCE - 1, RK_CUDA_BOUNCE, RK_CUDA_BOUNCE + 1, 2 * RK_CUDA_BOUNCE + 12345
};
#define EDGE 77u

static void exactly_the_bytes_asked_for_move(int up)
{
    open_runtime();
    const rk_u64 room = 10ull << 20;
    rk_u64 at = rk_arena_take(&runtime->arena, RK_NEAR_DEVICE, room);
    assert_true(at);
    rk_byte *image = runtime->arena.base + at, *device = on_device(at, room);
    rk_byte *from = up ? image : device, *to = up ? device : image;
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        for (rk_u64 i = 0; i < room; i++) from[i] = pattern(i, (rk_byte)n), to[i] = 0xee;
        OK((up ? rk_store : rk_fetch)(runtime, at + EDGE, sizes[n]));
        for (rk_u64 i = 0; i < room; i++) {
            int inside = i >= EDGE && i < EDGE + sizes[n];
            if (to[i] != (inside ? pattern(i, (rk_byte)n) : 0xee))
                fail_msg("byte %llu of %llu", (unsigned long long)i, (unsigned long long)sizes[n]);
        }
    }
    rk_arena_give(&runtime->arena, at);
}

static void a_fetch_moves_exactly_the_bytes_asked_for(void **state)
{
    (void)state;
    exactly_the_bytes_asked_for_move(0);
}
static void a_store_moves_exactly_the_bytes_asked_for(void **state)
{
    (void)state;
    exactly_the_bytes_asked_for_move(1);
}

static void rows_move_with_nothing_between_them(void **state)
{
    (void)state;
    static const struct {
        rk_u64 size, stride;
        rk_u32 count;
    } cases[] = {
        { 128, 4096, 1 }, { 128, 4096, 100 }, { 3000, 4096, 2000 }, { RK_CUDA_BOUNCE + 5, 5ull << 20, 3 }
    };
    open_runtime();
    rk_cuda_runtime *cuda = cuda_of_runtime();
    const rk_u64 room = 16ull << 20;
    rk_u64 at = rk_arena_take(&runtime->arena, RK_NEAR_DEVICE, room);
    assert_true(at);
    rk_byte *image = runtime->arena.base + at, *device = on_device(at, room);
    for (rk_u32 up = 0; up < 2; up++)
        for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
            rk_byte *from = up ? image : device, *to = up ? device : image;
            for (rk_u64 i = 0; i < room; i++) from[i] = pattern(i, (rk_byte)n), to[i] = 0xee;
            rk_cuda_enter(cuda);
            rk_cuda_lock(cuda);
            OK((up ? rk_cuda_store_rows : rk_cuda_fetch_rows)(cuda, at + EDGE, cases[n].size, cases[n].stride,
                                                              cases[n].count));
            pthread_mutex_unlock(&cuda->copying);
            rk_cuda_exit(cuda);
            for (rk_u64 i = 0; i < room; i++) {
                int inside = i >= EDGE && (i - EDGE) / cases[n].stride < cases[n].count &&
                             (i - EDGE) % cases[n].stride < cases[n].size;
                if (to[i] != (inside ? pattern(i, (rk_byte)n) : 0xee))
                    fail_msg("case %zu: byte %llu", n, (unsigned long long)i);
            }
        }
    rk_arena_give(&runtime->arena, at);
}

/* Begun by store_ahead on a stream of its own, on which nothing is asked. */
static void store_ahead(rk_u64 at, rk_u64 size, rk_cu_stream stream)
{
    rk_cuda_runtime *cuda = cuda_of_runtime();
    rk_cuda_enter(cuda);
    rk_cuda_lock(cuda);
    OK(rk_cuda_store_ahead(cuda, (rk_rows){ at, size / 4, size / 2, 2 }, stream));
    pthread_mutex_unlock(&cuda->copying);
    rk_cuda_exit(cuda);
}

/* Given a device that copies as late as it may, when rows are stored ahead of launches and nobody waits, then what is
 * fetched meanwhile is what was stored, and the second ones don't go up in place of the first. */
static void what_is_stored_ahead_of_a_launch_is_there_for_whoever_copies_next(void **state)
{
    (void)state;
    open_runtime();
    rk_cuda_runtime *cuda = cuda_of_runtime();
    const rk_u64 sizes[] = { 4096, RK_CUDA_AHEAD * 2, RK_CUDA_AHEAD * 4 }; /* of which a half is stored */
    rk_cu_stream streams[2];
    rk_cuda_enter(cuda);
    for (rk_u32 i = 0; i < 2; i++)
        assert_int_equal(cuda->api.cuStreamCreateWithPriority(&streams[i], RK_CU_STREAM_NON_BLOCKING, 0), 0);
    rk_cuda_exit(cuda);
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        const rk_u64 size = sizes[n];
        rk_u64 at[2];
        for (rk_u32 i = 0; i < 2; i++) {
            assert_true(at[i] = rk_arena_take(&runtime->arena, RK_NEAR_DEVICE, size));
            for (rk_u64 b = 0; b < size; b++) runtime->arena.base[at[i] + b] = pattern(b, (rk_byte)(n + i));
        }
        __atomic_store_n(&mock->late, 1, __ATOMIC_RELEASE);
        for (rk_u32 i = 0; i < 2; i++) store_ahead(at[i], size, streams[i]);
        for (rk_u32 i = 0; i < 2; i++) {
            memset(runtime->arena.base + at[i], 0, size);
            OK(rk_fetch(runtime, at[i], size));
            for (rk_u64 b = 0; b < size; b++)
                assert_int_equal(runtime->arena.base[at[i] + b],
                                 b % (size / 2) < size / 4 ? pattern(b, (rk_byte)(n + i)) : 0);
        }
        __atomic_store_n(&mock->late, 0, __ATOMIC_RELEASE);
        for (rk_u32 i = 0; i < 2; i++) rk_arena_give(&runtime->arena, at[i]);
    }
    rk_cuda_enter(cuda);
    for (rk_u32 i = 0; i < 2; i++) cuda->api.cuStreamDestroy(streams[i]);
    rk_cuda_exit(cuda);
}

static void below_there_is_one_memory_and_nothing_is_copied(void **state)
{
    (void)state;
    open_runtime();
    rk_u64 at = rk_arena_take(&runtime->arena, RK_NEAR_HOST, 4096);
    fails("cuMemcpyAsync", RK_CUDA_ERROR_INVALID_VALUE, 0);
    OK(rk_store(runtime, at, 4096));
    OK(rk_fetch(runtime, at, 4096));
    fails_no_more();
    rk_arena_give(&runtime->arena, at);
}

static void a_copy_that_fails_says_which_way(void **state)
{
    (void)state;
    open_runtime();
    rk_u64 at = rk_arena_take(&runtime->arena, RK_NEAR_DEVICE, 4096);
    fails("cuMemcpyAsync", RK_CUDA_ERROR_INVALID_VALUE, 0);
    assert_int_equal(rk_store(runtime, at, 4096), RK_INTERNAL);
    assert_error_says("copying to the device");
    assert_int_equal(rk_fetch(runtime, at, 4096), RK_INTERNAL);
    assert_error_says("copying from the device");
    fails_no_more();
    rk_arena_give(&runtime->arena, at);
}

/* ------------------------------------------------------------------ giving back */

static void nothing_is_given_back_while_a_kernel_is_resident(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel first = active("first", "sink");
    const rk_launch_options o = large();
    OK(rk_terminate(runtime, launch_with("second", &o), 0));
    assert_int_equal(called("cuMem", 0), -1);
    OK(rk_close(runtime));
    runtime = 0;
    (void)first;
    int end = called("end rk_entry_of_sink", 0), unload = called("cuModuleUnload", 0),
        given = called("cuMem", 0);
    assert_true(end >= 0 && end < unload && unload < given);
}

int main(int argc, char **argv)
{
    if (getenv("RK_TEST_OPENS")) { /* see a_machine_without_a_driver_is_refused */
        const rk_runtime_options options = given();
        rk_status status = rk_open(&options, &runtime);
        printf("%s: %s\n", rk_status_name(status), rk_error_text());
        return 0;
    }
    const struct CMUnitTest tests[] = {
        TEST(a_machine_without_a_driver_is_refused),
        TEST(a_machine_without_a_device_is_refused),
        TEST(a_driver_too_old_is_refused),
        TEST(launches_that_block_are_refused),
        TEST(a_device_that_is_not_there_is_refused),
        TEST(workers_are_refused_and_nothing_is_left),
        TEST(what_fails_while_opening_leaves_nothing),
        TEST(a_runtime_that_did_nothing_gives_everything_back),
        TEST(the_callers_own_context_is_current_again),
        TEST(pinning_that_is_refused_refuses_the_launch),
        TEST(without_device_memory_a_launch_is_refused),
        TEST(device_memory_that_gets_no_access_can_be_had_later),
        TEST(device_memory_that_cannot_be_cleared_can_be_had_later),
        TEST(what_is_taken_is_zero_on_both_sides_each_time),
        TEST(memory_is_kept_and_used_again),
        TEST(a_fetch_moves_exactly_the_bytes_asked_for),
        TEST(a_store_moves_exactly_the_bytes_asked_for),
        TEST(rows_move_with_nothing_between_them),
        TEST(what_is_stored_ahead_of_a_launch_is_there_for_whoever_copies_next),
        TEST(below_there_is_one_memory_and_nothing_is_copied),
        TEST(a_copy_that_fails_says_which_way),
        TEST(nothing_is_given_back_while_a_kernel_is_resident),
    };
    (void)argc;
    take_mocks(argv);
    return cmocka_run_group_tests(tests, 0, 0);
}
