/* A kernel's code: found, compiled, looked at by the device, loaded beside kernels that stay. */
#include "../../runtime/futex.h"
#include "cuda_fixture_test.h"

static void launching_is_refused(const char *kernel_name, rk_status status, const char *part)
{
    rk_kernel kernel;
    const rk_launch_options o = small(kernel_name);
    rk_u64 taken = runtime->arena.taken;
    assert_int_equal(rk_launch(runtime, "a", &o, &kernel), status);
    assert_error_says(part);
    assert_int_equal(runtime->arena.taken, taken);
}

static void activating_is_refused(rk_kernel kernel, rk_status status, const char *part)
{
    assert_int_equal(rk_activate(runtime, kernel), status);
    assert_error_says(part);
    assert_int_equal(life_of(kernel), RK_LIFE_LAUNCHED);
    assert_int_equal(cuda_of_runtime()->residents, 0);
    assert_int_equal(entries(), 0);
}

/* ------------------------------------------------------------------ compiling */

static void without_nvrtc_a_launch_is_refused(void **state)
{
    (void)state;
    rk_nvrtc other;
    mock->version = 12080; /* which takes no code of the mock's 13.0, nor of a real one */
    open_runtime();
    if (rk_nvrtc_load(0, mock->version, &other) == RK_OK) skip();
    launching_is_refused("sink", RK_UNSUPPORTED, "no NVRTC that compiles kernels for CUDA");
}

static void an_error_of_the_compiler_shows_file_and_line(void **state)
{
    (void)state;
    char source[4096], expected[4200], line[512];
    unsigned number = 0;
    open_runtime();
    assert_non_null(realpath(rk_class_find(runtime, "sink")->handlers[0]->file, source));
    FILE *file = fopen(source, "r");
    for (number = 1; fgets(line, sizeof line, file) && !strstr(line, "RK_HANDLER(sink, "); number++) {}
    fclose(file);
    compiler->breaks_at = "RK_HANDLER(sink, ";
    snprintf(expected, sizeof expected, "%s(%u): error: ", source, number);
    launching_is_refused("sink", RK_COMPILE_FAILED, expected);
    compiler->breaks_at = 0;
    OK(rk_terminate(runtime, launched("a", "sink"), 0));
}

static void a_source_that_is_missing_is_named(void **state)
{
    (void)state;
    open_runtime();
    rk_class *class = rk_class_find(runtime, "sink");
    const rk_declaration *own = class->handlers[0];
    rk_declaration moved = *own;
    moved.file = "/nowhere/sink.rk.c";
    class->handlers[0] = &moved;
    launching_is_refused("sink", RK_IO,
                         "its source '/nowhere/sink.rk.c' is needed to compile it for the device");
    class->handlers[0] = own;
    OK(rk_terminate(runtime, launched("a", "sink"), 0));
}

static void a_kernel_is_compiled_once(void **state)
{
    (void)state;
    open_runtime();
    launched("a", "sink");
    launched("b", "sink");
    assert_int_equal(compiler->compiles, 1);
    launched("c", "echo");
    assert_int_equal(compiler->compiles, 2);
}

static void another_runtime_finds_the_code_in_the_cache(void **state)
{
    (void)state;
    open_runtime();
    active("a", "sink");
    OK(rk_close(runtime));
    open_runtime();
    active("a", "sink");
    assert_int_equal(compiler->compiles, 1);
}

static void larger_blocks_get_code_of_their_own(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("sink");
    o.threads = 400;
    launched("a", "sink");
    launch_with("b", &o);
    assert_int_equal(compiler->compiles, 2);
    o.threads = 512;
    launch_with("c", &o);
    assert_int_equal(compiler->compiles, 2);
    o.threads = 1024;
    launch_with("d", &o);
    assert_int_equal(compiler->compiles, 3);
}

static void long_turns_without_state_get_more_warps_and_code_of_their_own(void **state)
{
    (void)state;
    open_runtime();
    rk_launch_options o = small("sink");
    o.deduplication_window = 0;
    o.queue_capacity = 1024;
    o.max_batch = 383;
    launch_with("short", &o);
    o.max_batch = 384;
    launch_with("long", &o);
    assert_int_equal(compiler->compiles, 2);
    o.threads = 384;
    launch_with("asked", &o);
    assert_int_equal(compiler->compiles, 2);
}

static char unit[1 << 16];
static void keep_unit(const char *source) { snprintf(unit, sizeof unit, "%s", source); }

/* The shuttle's loops over a handler's sends are of that length, or fall away. */
static void code_for_the_shuttle_knows_how_much_a_handler_sends(void **state)
{
    (void)state;
    rk_launch_options o = small("sink");
    o.deduplication_window = 0;
    open_runtime();
    compiler->on_source = keep_unit;
    launch_with("plain", &o);
    assert_says(unit, "#define RK_UNIT_SHUTTLE 1\n#define RK_UNIT_SENDS 1u\n");
    launched("with a window", "sink");
    assert_null(strstr(unit, "RK_UNIT_SENDS"));
}

static void a_cache_that_cannot_be_written_is_a_warning(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    char path[128];
    snprintf(path, sizeof path, "%s/file", folder);
    fclose(fopen(path, "w"));
    options.cache_folder = path;
    open_with(&options);
    active("a", "sink");
}

/* ------------------------------------------------------------------ loading */

static void a_layout_that_differs_is_refused_by_its_word(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    mock->wrong_word = 1 + 17;
    activating_is_refused(kernel, RK_INCOMPATIBLE, "lays out word 17 of the shared structures as ");
    mock->wrong_word = 0;
    OK(rk_activate(runtime, kernel));
}

static void code_that_does_not_load_is_refused_with_the_drivers_log(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    fails("cuModuleLoadDataEx", RK_CUDA_ERROR_NO_BINARY_FOR_GPU, 0);
    activating_is_refused(kernel, RK_INCOMPATIBLE, "the mock's assembler: line 1");
    fails_no_more();
    OK(rk_activate(runtime, kernel));
}

/* What fails behind the loading of a module: the next try finds the code as it should be. */
static void code_that_lacks_its_entry_is_refused_each_time(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    for (int i = 0; i < 2; i++) {
        fails("cuModuleGetFunction", RK_CUDA_ERROR_NOT_FOUND, 0);
        activating_is_refused(kernel, RK_INTERNAL, "finding a kernel's entry");
    }
    fails_no_more();
    OK(rk_activate(runtime, kernel));
    assert_string_equal(mock->last.function, "rk_entry_of_sink");
}

static void the_layout_is_looked_at_until_it_is_right(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    for (int i = 0; i < 2; i++) {
        mock->wrong_word = 1;
        activating_is_refused(kernel, RK_INCOMPATIBLE, "word 0");
    }
    mock->wrong_word = 0;
    OK(rk_activate(runtime, kernel));
}

static void a_device_that_does_not_tell_its_time_is_asked_anew_with_the_next_code(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = launched("a", "sink");
    fails("cuLaunchKernel", RK_CUDA_ERROR_OUT_OF_MEMORY, 1); /* behind the look at its layout */
    activating_is_refused(kernel, RK_OUT_OF_MEMORY, "asking the device for its time");
    assert_null(cuda_of_runtime()->clock_probe); /* whose module is gone */
    fails_no_more();
    OK(rk_activate(runtime, kernel));
    assert_non_null(cuda_of_runtime()->clock_probe);
}

/* ------------------------------------------------------------------ while others compile */

static rk_u32 compiling, may_end; /* atomic */

static void compiles_until_it_may_end(void)
{
    __atomic_add_fetch(&compiling, 1, __ATOMIC_ACQ_REL);
    const rk_u64 until_ns = rk_monotonic_ns() + RK_SECONDS(60);
    while (!rk_atomic_u32(&may_end) && rk_monotonic_ns() < until_ns)
        rk_futex_wait(&may_end, 0, RK_SECONDS(1));
}

typedef struct launcher {
    pthread_t thread;
    const char *id;
    rk_kernel kernel;
    rk_status status;
} launcher;

static void *launch_echo(void *argument)
{
    launcher *l = argument;
    const rk_launch_options o = small("echo");
    l->status = rk_launch(runtime, l->id, &o, &l->kernel);
    return 0;
}

/* Threads that wait for a compiler which doesn't end. */
static void given_launches(launcher *l, rk_u32 count)
{
    rk_runtime_options options = given();
    options.cache_folder = "/dev/null/none";
    if (!runtime) open_with(&options);
    compiling = may_end = 0;
    compiler->on_compile = compiles_until_it_may_end;
    for (rk_u32 i = 0; i < count; i++)
        assert_int_equal(pthread_create(&l[i].thread, 0, launch_echo, &l[i]), 0);
    AWAIT(rk_atomic_u32(&compiling) == 1);
}

static void the_compiler_ends(launcher *l, rk_u32 count)
{
    compiler->on_compile = 0;
    rk_atomic_set_u32(&may_end, 1);
    rk_futex_wake(&may_end);
    for (rk_u32 i = 0; i < count; i++) pthread_join(l[i].thread, 0);
}

static void while_a_kernel_is_compiled_the_others_are_looked_after(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.cache_folder = "/dev/null/none";
    open_with(&options);
    rk_kernel other = active("other", "sink");
    launcher l = { .id = "slow" };
    given_launches(&l, 1);

    /* each of these needs the control lock */
    OK(rk_deactivate(runtime, other));
    OK(rk_activate(runtime, other));
    OK(rk_terminate(runtime, launched("third", "sink"), RK_SECONDS(1)));
    assert_int_equal(rk_atomic_u32(&may_end), 0);

    the_compiler_ends(&l, 1);
    assert_int_equal(l.status, RK_OK);
    OK(rk_activate(runtime, l.kernel));
}

static void two_who_launch_the_same_have_it_compiled_once(void **state)
{
    (void)state;
    launcher l[2] = { { .id = "one" }, { .id = "two" } };
    given_launches(l, 2);
    the_compiler_ends(l, 2);
    assert_int_equal(l[0].status, RK_OK);
    assert_int_equal(l[1].status, RK_OK);
    assert_int_equal(compiler->compiles, 1);
}

static void who_waits_for_code_that_cannot_be_made_tries_it_himself(void **state)
{
    (void)state;
    launcher l[2] = { { .id = "one" }, { .id = "two" } };
    compiler->fails = "nvrtcCompileProgram";
    compiler->failure = RK_NVRTC_ERROR_OUT_OF_MEMORY;
    compiler->once = 1;
    given_launches(l, 2);
    the_compiler_ends(l, 2);
    assert_int_equal((l[0].status == RK_OK) + (l[1].status == RK_OK), 1);
    assert_int_equal((l[0].status == RK_OUT_OF_MEMORY) + (l[1].status == RK_OUT_OF_MEMORY), 1);
}

static void what_cannot_be_compiled_is_not_launched_again_and_goes_on(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.cache_folder = "/dev/null/none";
    open_with(&options);
    rk_launch_options o = small("sink");
    rk_kernel kernel = active("a", "sink");
    rk_u32 before = entries();
    o.priority = 1; /* other code */
    compiler->fails = "nvrtcCompileProgram";
    compiler->failure = RK_NVRTC_ERROR_OUT_OF_MEMORY;
    assert_int_equal(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)), RK_OUT_OF_MEMORY);
    assert_int_equal(life_of(kernel), RK_LIFE_ACTIVE);
    assert_int_equal(entries(), before); /* it has not even left */
    compiler->fails = 0;
    OK(rk_relaunch(runtime, kernel, &o, RK_SECONDS(1)));
}

static void *close_it(void *argument)
{
    (void)argument;
    return (void *)(size_t)rk_close(runtime);
}

static void a_close_waits_for_who_compiles_and_who_compiled_is_told(void **state)
{
    (void)state;
    pthread_t closing;
    void *closed;
    launcher l = { .id = "slow" };
    given_launches(&l, 1);
    assert_int_equal(pthread_create(&closing, 0, close_it, 0), 0);
    AWAIT(!rk_is_open(runtime));
    the_compiler_ends(&l, 1);
    pthread_join(closing, &closed);
    assert_int_equal((size_t)closed, RK_OK);
    assert_int_equal(l.status, RK_CLOSED);
    runtime = 0;
}

static void the_second_module_is_loaded_while_nobody_is_resident(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel first = active("first", "sink");
    active("second", "echo");
    int load = called("cuModuleLoadDataEx", 1 + called("cuModuleLoadDataEx", 0));
    int leaves = called("end rk_entry_of_sink", 0), again = called("launch rk_entry_of_sink", load);
    assert_true(called("launch rk_entry_of_sink", 0) < leaves && leaves < load && load < again);
    assert_true(called("launch rk_entry_of_echo", again) > again);
    assert_int_equal(rk_atomic_u32(&orders_of(first)->leave), 0);
    assert_int_equal(entries(), 3);
    assert_int_equal(life_of(first), RK_LIFE_ACTIVE);
}

static void code_that_is_loaded_disturbs_nobody(void **state)
{
    (void)state;
    open_runtime();
    active("first", "sink");
    active("second", "sink");
    assert_int_equal(called("end ", 0), -1);
    assert_int_equal(mock->modules, 1);
}

static void when_the_second_module_does_not_load_the_first_goes_on(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel first = active("first", "sink"), second = launched("second", "echo");
    fails("cuModuleLoadDataEx", RK_CUDA_ERROR_NO_BINARY_FOR_GPU, 0);
    assert_int_equal(rk_activate(runtime, second), RK_INCOMPATIBLE);
    fails_no_more();
    assert_int_equal(entries(), 2);
    assert_int_equal(rk_atomic_u32(&orders_of(first)->leave), 0);
    assert_int_equal(life_of(first), RK_LIFE_ACTIVE);
    assert_int_equal(cuda_of_runtime()->residents, 1);
}

static void when_one_cannot_be_launched_again_after_a_load_the_others_are_and_it_is_later(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kept[3] = { active("a", "sink"), active("b", "sink"), active("c", "sink") };
    rk_kernel late = launched("late", "echo");
    fails_once("cuLaunchKernel", RK_CUDA_ERROR_OUT_OF_MEMORY, 0);
    rk_activate(runtime, late);
    for (size_t i = 0; i < 3; i++) {
        AWAIT(orders_of(kept[i])->leave == 0);
        const rk_residence *r = cuda_of_runtime()->residence[kept[i].number];
        AWAIT(cuda_of_runtime()->api.cuStreamQuery(r->stream) == RK_CUDA_ERROR_NOT_READY);
        assert_int_equal(life_of(kept[i]), RK_LIFE_ACTIVE);
    }
}

static void in_slices_nobody_is_launched_to_stay_after_a_load(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.slices = 1;
    open_with(&options);
    rk_kernel first = active("first", "sink");
    active("second", "echo");
    rk_cuda_lock(cuda_of_runtime()); /* launches are made under it */
    rk_u32 visits = mock->last.visits;
    pthread_mutex_unlock(&cuda_of_runtime()->copying);
    assert_true(visits > 0);
    assert_int_equal(rk_atomic_u32(&orders_of(first)->leave), 0);
}

/* Its handler never returns; the others go round. */
static int sink_hangs(const mock_entry *entry)
{
    if (strcmp(entry->function, "rk_entry_of_sink") == 0) return 0;
    rk_shard *shard = played_shard(entry, 0);
    if (!shard) return 1;
    __atomic_add_fetch(&shard->meter.heartbeat, 1, __ATOMIC_RELAXED);
    return rk_atomic_u32(&played_orders(entry, 0)->leave) != 0;
}

static rk_u64 told_ns; /* when it was told to leave; 0: not yet */

/* It waits for room, and goes round; on a slow machine it takes its time to leave. */
static int sink_is_slow(const mock_entry *entry)
{
    rk_shard *shard = played_shard(entry, 0);
    if (!shard) return 1;
    __atomic_add_fetch(&shard->meter.heartbeat, 1, __ATOMIC_RELAXED);
    if (!rk_atomic_u32(&played_orders(entry, 0)->leave)) return 0;
    if (!told_ns) told_ns = rk_monotonic_ns();
    return rk_monotonic_ns() - told_ns >= 5 * RK_LAST_CALL_NS;
}

static void a_stalled_kernel_has_time_to_leave_for_a_load(void **state)
{
    (void)state;
    const probe p = { 1, 1 };
    open_runtime();
    told_ns = 0;
    play(sink_is_slow);
    rk_kernel slow = active("slow", "sink"), late = launched("late", "adder");
    OK(rk_send(runtime, slow, 200, &p, sizeof p, 0));
    AWAIT(rk_atomic_u32(&host_of(slow)->stalled));
    assert_false(rk_atomic_u32(&host_of(slow)->hung));
    OK(rk_activate(runtime, late));
    assert_true(told_ns > 0);
    play(0);
}

static void beside_a_kernel_that_hangs_no_code_is_loaded_and_the_others_stay(void **state)
{
    (void)state;
    const probe p = { 1, 1 };
    open_runtime();
    rk_kernel stuck = launched("stuck", "sink"), other = active("other", "echo");
    play(sink_hangs);
    OK(rk_activate(runtime, stuck));
    rk_kernel late = launched("late", "adder");
    OK(rk_send(runtime, stuck, 200, &p, sizeof p, 0));
    AWAIT(rk_atomic_u32(&host_of(stuck)->hung));
    const rk_u64 begun_ns = rk_monotonic_ns();
    const int before = (int)__atomic_load_n(&mock->called, __ATOMIC_ACQUIRE);
    assert_int_equal(rk_activate(runtime, late), RK_TIMED_OUT);
    assert_error_says("'stuck' does not leave the device, a handler is running");
    assert_true(rk_monotonic_ns() - begun_ns < RK_SECONDS(3));
    assert_int_equal(called("end rk_entry_of_echo", before), -1); /* it did not leave for that */
    assert_int_equal(rk_atomic_u32(&orders_of(stuck)->leave), 0);
    assert_int_equal(life_of(other), RK_LIFE_ACTIVE);
    play(0);
    OK(rk_activate(runtime, late)); /* when it leaves again */
}

/* The driver would wait for it, and for ever. */
static void beside_a_kernel_that_never_ends_no_code_is_loaded(void **state)
{
    (void)state;
    open_runtime();
    play(never_ends);
    rk_kernel first = active("first", "sink");
    assert_int_equal(rk_terminate(runtime, first, 0), RK_QUARANTINED);
    rk_kernel second = launched("second", "echo"), third = active("third", "sink");
    assert_int_equal(rk_activate(runtime, second), RK_BUSY);
    assert_error_says("code for a kernel can't be loaded");
    assert_int_equal(life_of(third), RK_LIFE_ACTIVE);
    assert_int_equal(mock->waits, 0);
    play(0);
}

/* ------------------------------------------------------------------ the clock */

static void the_devices_clock_is_set_by_the_hosts(void **state)
{
    (void)state;
    open_runtime();
    rk_kernel kernel = active("a", "sink");
    rk_u64 base = __atomic_load_n(&orders_of(kernel)->clock_base, __ATOMIC_ACQUIRE);
    assert_in_range(base, MOCK_TIMER_LATE - RK_SECONDS(1), MOCK_TIMER_LATE + RK_SECONDS(1));
    assert_int_equal(orders_of(kernel)->clock_fixed, 0);
}

static rk_u64 fixed_clock(void *user)
{
    (void)user;
    return 4711;
}
static void an_injected_clock_is_the_time_itself(void **state)
{
    (void)state;
    rk_runtime_options options = given();
    options.single_step = 1;
    options.clock_ns = fixed_clock;
    open_with(&options);
    rk_kernel kernel = active("a", "sink");
    assert_int_equal(orders_of(kernel)->clock_base, 4711);
    assert_int_equal(orders_of(kernel)->clock_fixed, 1);
}

static const struct CMUnitTest tests[] = {
    TEST(without_nvrtc_a_launch_is_refused),
    TEST(an_error_of_the_compiler_shows_file_and_line),
    TEST(a_source_that_is_missing_is_named),
    TEST(a_kernel_is_compiled_once),
    TEST(another_runtime_finds_the_code_in_the_cache),
    TEST(larger_blocks_get_code_of_their_own),
    TEST(long_turns_without_state_get_more_warps_and_code_of_their_own),
    TEST(code_for_the_shuttle_knows_how_much_a_handler_sends),
    TEST(a_cache_that_cannot_be_written_is_a_warning),
    TEST(a_layout_that_differs_is_refused_by_its_word),
    TEST(code_that_does_not_load_is_refused_with_the_drivers_log),
    TEST(code_that_lacks_its_entry_is_refused_each_time),
    TEST(the_layout_is_looked_at_until_it_is_right),
    TEST(a_device_that_does_not_tell_its_time_is_asked_anew_with_the_next_code),
    TEST(while_a_kernel_is_compiled_the_others_are_looked_after),
    TEST(two_who_launch_the_same_have_it_compiled_once),
    TEST(who_waits_for_code_that_cannot_be_made_tries_it_himself),
    TEST(what_cannot_be_compiled_is_not_launched_again_and_goes_on),
    TEST(a_close_waits_for_who_compiles_and_who_compiled_is_told),
    TEST(the_second_module_is_loaded_while_nobody_is_resident),
    TEST(code_that_is_loaded_disturbs_nobody),
    TEST(when_the_second_module_does_not_load_the_first_goes_on),
    TEST(when_one_cannot_be_launched_again_after_a_load_the_others_are_and_it_is_later),
    TEST(in_slices_nobody_is_launched_to_stay_after_a_load),
    TEST(beside_a_kernel_that_hangs_no_code_is_loaded_and_the_others_stay),
    TEST(a_stalled_kernel_has_time_to_leave_for_a_load),
    TEST_LOST(beside_a_kernel_that_never_ends_no_code_is_loaded),
    TEST(the_devices_clock_is_set_by_the_hosts),
    TEST(an_injected_clock_is_the_time_itself),
};
CUDA_MAIN(tests)
