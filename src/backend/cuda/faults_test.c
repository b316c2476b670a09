/* The life of a few kernels, over and over, with one thing that fails in each: every call of the driver and of the compiler
 * in every place, every allocation, and the device lost at every call. Whatever it is, the caller is told, who is active is
 * served, what comes after works, and closing gives everything back. */
#include "cuda_fixture_test.h"
#include "sanitized.h"

/* ------------------------------------------------------------------ allocations */

static __thread rk_u32 refused_in; /* of this thread: which one fails, from 1; 0: none */

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);

static int is_refused(void) { return refused_in && --refused_in == 0; }
void *__wrap_malloc(size_t size) { return is_refused() ? 0 : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return is_refused() ? 0 : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return is_refused() ? 0 : __real_realloc(old, size); }
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return is_refused() ? 0 : __real_aligned_alloc(alignment, size);
}

/* ------------------------------------------------------------------ a life */

static char told[256]; /* what fails in this one */
static rk_u32 errors;  /* calls that said so */

/* Who refuses says why. */
static int goes(rk_status status, const char *call, int line)
{
    if (status == RK_OK) return 1;
    errors++;
    if (!*rk_error_text())
        fail_msg("%s: line %d: %s: %s without a word", told, line, call, rk_status_name(status));
    return 0;
}
#define GOES(call) goes(call, #call, __LINE__)

/* Its launch is on the device, or is to come: it has not been told to leave and forgotten. */
static int is_served(const rk_host_kernel *k)
{
    rk_cuda_runtime *cuda = rk_cuda_on(k);
    rk_cuda_lock(cuda);
    const rk_residence *r = cuda->residence[k->number];
    int served = k->serving && r && !rk_atomic_u32(&k->seats[0].orders->leave);
    if (served && !runtime->options.slices)
        served = rk_atomic_u32(&r->launched) && cuda->api.cuStreamQuery(r->stream) == RK_CUDA_ERROR_NOT_READY;
    pthread_mutex_unlock(&cuda->copying);
    return served;
}

static void assert_all_are_served(void)
{
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_host_kernel *k = runtime->kernels[n];
        const rk_u64 end_ns = rk_monotonic_ns() + RK_SECONDS(5);
        if (rk_atomic_u32(&k->life) != RK_LIFE_ACTIVE) continue;
        while (!is_served(k) && rk_monotonic_ns() < end_ns) usleep(200);
        if (!is_served(k)) fail_msg("%s: '%s' is active, and not served", told, k->id);
    }
}

static void send_some(rk_kernel kernel)
{
    const probe message = { 7, 1 };
    for (int i = 0; i < 3; i++) GOES(rk_send(runtime, kernel, 200, &message, sizeof message, 0));
}

static void look_at(rk_kernel kernel)
{
    rk_account account;
    rk_kernel_info info;
    if (GOES(rk_account_of(runtime, kernel, &account))) assert_true(account.balanced);
    GOES(rk_kernel_information(runtime, kernel, &info));
}

static rk_kernel launch_one(const char *id, const char *kernel_name, rk_u32 capacity)
{
    rk_kernel kernel = { 0, 0 };
    rk_launch_options o = small(kernel_name);
    o.queue_capacity = capacity;
    o.shards = o.blocks = 2;
    if (!GOES(rk_launch(runtime, id, &o, &kernel))) return (rk_kernel){ 0, 0 };
    return kernel;
}

/* Two that are connected, a third whose code is loaded beside them, larger ones, and the end of some. */
static void live(void)
{
    static rk_byte bytes[1 << 16];
    rk_kernel a = launch_one("a", "echo", 64), b = launch_one("b", "sink", 64);
    if (a.number && b.number) GOES(rk_connect(runtime, a, 0, b, 0));
    if (b.number) GOES(rk_activate(runtime, b));
    if (a.number) GOES(rk_activate(runtime, a));
    if (a.number) send_some(a);
    rk_kernel c = launch_one("c", "tally_shards", 64);
    if (c.number) GOES(rk_activate(runtime, c));
    if (c.number) GOES(rk_read_state(runtime, c, 0, bytes, host_of(c)->class->state_size));
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++)
        if (rk_kernel_is_live(runtime->kernels[n]))
            look_at((rk_kernel){ n, runtime->kernels[n]->generation });
    rk_launch_options larger = small("echo");
    larger.queue_capacity = 1u << 12;
    larger.shards = larger.blocks = 2;
    if (a.number) GOES(rk_relaunch(runtime, a, &larger, RK_SECONDS(1)));
    if (b.number) GOES(rk_deactivate(runtime, b));
    if (b.number && life_of(b) != RK_LIFE_ACTIVE) GOES(rk_activate(runtime, b));
    if (b.number) send_some(b);
    if (b.number) GOES(rk_terminate(runtime, b, 0));
    rk_kernel d = launch_one("d", "sink", 1u << 12);
    if (d.number) GOES(rk_activate(runtime, d));
}

/* With nothing that fails any more. */
static void works(rk_status status)
{
    if (status != RK_OK) fail_msg("%s: then: %s: %s", told, rk_status_name(status), rk_error_text());
}

static void settle(void)
{
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_kernel kernel = { n, runtime->kernels[n]->generation };
        const rk_launch_options same = runtime->kernels[n]->options;
        if (life_of(kernel) == RK_LIFE_FAILED) works(rk_relaunch(runtime, kernel, &same, RK_SECONDS(1)));
    }
    assert_all_are_served();
}

static void end_all(void)
{
    for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
        const rk_kernel kernel = { n, runtime->kernels[n]->generation };
        if (!rk_kernel_is_live(runtime->kernels[n])) continue;
        const rk_status status = rk_terminate(runtime, kernel, 0);
        if (status != RK_TIMED_OUT) works(status); /* nobody handles what is queued */
    }
}

/* A life in which one thing fails, unless `stop` says that it hasn't: it is told, what comes after works, and all is
 * given back if the driver takes it. */
static int live_through(const rk_runtime_options *options, int (*stop)(void), int takes_back)
{
    errors = 0;
    logged[0] = 0;
    int opened = GOES(rk_open(options, &runtime)), failed;
    const rk_u64 taken = opened ? runtime->arena.taken : 0;
    if (opened) live();
    failed = stop();
    if (opened) {
        assert_all_are_served();
        const rk_launch_options o = small("adder");
        rk_kernel after;
        works(rk_launch(runtime, "after", &o, &after));
        works(rk_activate(runtime, after));
        settle();
        end_all();
        if (runtime->arena.taken != taken && !strstr(logged, "its memory is kept until the runtime closes"))
            fail_msg("%s: memory of the arena is left", told);
        works(rk_close(runtime));
    } else {
        assert_null(runtime);
    }
    runtime = 0;
    if (takes_back) {
        assert_all_given_back();
        assert_int_equal(compiler->programs, 0);
    }
    return failed;
}

static rk_runtime_options little(void)
{
    rk_runtime_options options = given();
    options.memory_ceiling = 32ull << 20; /* it is reserved each time */
    return options;
}

/* ------------------------------------------------------------------ the driver */

/* What gives back, and so can leave something behind. */
static int gives_back(const char *function)
{
    static const char *const all[] = { "cuStreamDestroy",     "cuMemUnmap",
                                       "cuMemHostUnregister", "cuMemFreeHost",
                                       "cuMemAddressFree",    "cuMemRelease",
                                       "cuModuleUnload",      "cuDevicePrimaryCtxRelease" };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i], function) == 0) return 1;
    return 0;
}

static int driver_has_failed(void)
{
    const int failed = !__atomic_load_n(&mock->fails, __ATOMIC_ACQUIRE);
    fails_no_more();
    return failed;
}

/* By the keeper of slices some are made for ever. */
#define PLACES_MOST 250
#if defined( \
    RK_PORT_TSAN) /* it looks for races, that are the same in most places, and takes five times as long */
#define PLACES_EACH 1
#define PLACES_APART 83
#elif SANITIZED /* a third as many */
#define PLACES_EACH 6
#define PLACES_APART 37
#else
#define PLACES_EACH 14
#define PLACES_APART 11 /* of those behind, and in slices, where all but the keeper is the same */
#endif

static void fail_in_every_place(const char *function, const rk_runtime_options *options)
{
    const int apart = options->slices ? PLACES_APART : 1,
              most = options->slices ? PLACES_MOST / 9 : PLACES_MOST;
    for (int n = 0, failed = 1; failed && n < most; n += n < PLACES_EACH ? apart : PLACES_APART) {
        snprintf(told, sizeof told, "%s, call %d%s", function, n, options->slices ? ", in slices" : "");
        fails_once(function, RK_CUDA_ERROR_OUT_OF_MEMORY, n);
        failed = live_through(options, driver_has_failed, !gives_back(function));
        if (gives_back(function)) {
            mock_reset();
            mock->strict = 1;
        }
    }
}

static void whichever_call_of_the_driver_fails_is_told_and_the_rest_goes_on(void **state)
{
    (void)state;
    static const char *const functions[] = {
#define NAME_(name, version, parameters) #name,
        RK_CU_FUNCTIONS(NAME_) RK_CU_LATER_FUNCTIONS(NAME_)
    };
    rk_runtime_options options = little();
    for (options.slices = 0; options.slices < 2; options.slices++)
        for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
            if (strcmp(functions[f], "cuStreamQuery")) /* which fails with a lost device alone */
                fail_in_every_place(functions[f], &options);
}

/* ------------------------------------------------------------------ the compiler */

static int compiler_has_failed(void)
{
    const int failed = !compiler->fails;
    compiler->fails = 0;
    return failed;
}

static void whichever_call_of_the_compiler_fails_is_told_and_the_rest_goes_on(void **state)
{
    (void)state;
    /* Without those by which one is found: another one may be on the machine. */
    static const char *const functions[] = { "nvrtcCreateProgram",     "nvrtcCompileProgram",
                                             "nvrtcGetProgramLogSize", "nvrtcGetProgramLog",
                                             "nvrtcGetCUBINSize",      "nvrtcGetCUBIN" };
    rk_runtime_options options = little();
    options.cache_folder = "/dev/null/none"; /* so that each launch compiles */
    for (size_t f = 0; f < sizeof functions / sizeof *functions; f++)
        for (int n = 0, failed = 1; failed; n++) {
            snprintf(told, sizeof told, "%s, call %d", functions[f], n);
            compiler->failure = RK_NVRTC_ERROR_OUT_OF_MEMORY;
            compiler->once = 1;
            compiler->after = n;
            compiler->fails = functions[f];
            failed = live_through(&options, compiler_has_failed, 1);
        }
}

/* ------------------------------------------------------------------ memory */

static int allocation_was_refused(void)
{
    const int refused = !refused_in;
    refused_in = 0;
    return refused;
}

static void whichever_allocation_fails_is_told_and_the_rest_goes_on(void **state)
{
    (void)state;
    const rk_runtime_options options = little();
    rk_u32 places = 0;
    for (int refused = 1; refused; places += places < PLACES_EACH ? 1 : PLACES_APART) {
        snprintf(told, sizeof told, "allocation %u", places + 1);
        refused_in = places + 1;
        refused = live_through(&options, allocation_was_refused, 1);
    }
    assert_true(places > 50);
}

/* ------------------------------------------------------------------ a lost device */

/* Whatever was active has failed, and says why; a program that opens it again gets what the driver then gives. */
static void lose_at(const rk_runtime_options *options, int call)
{
    rk_u32 opened;
    mock->lost_in = call;
    opened = (rk_u32)GOES(rk_open(options, &runtime));
    if (opened) {
        live();
        lose_device(); /* if it was not yet */
        for (rk_u32 n = 1; n <= runtime->kernel_count; n++) {
            rk_kernel kernel = { n, runtime->kernels[n]->generation };
            if (!rk_kernel_is_live(runtime->kernels[n])) continue;
            AWAIT(life_of(kernel) != RK_LIFE_ACTIVE);
            if (life_of(kernel) == RK_LIFE_FAILED && !strstr(host_of(kernel)->failure, "the device is lost"))
                fail_msg("%s: '%s': %s", told, host_of(kernel)->id, host_of(kernel)->failure);
            look_at(kernel);
        }
        works(rk_close(runtime));
    }
    runtime = 0;
    mock_reset();
    mock->strict = 1;
}

static void a_device_lost_at_any_call_fails_its_kernels_and_can_be_opened_again(void **state)
{
    (void)state;
    rk_runtime_options options = little();
    for (int call = 1; call < 700; call += call < 200 ? 8 : 41) {
        snprintf(told, sizeof told, "lost at call %d", call);
        options.slices = call % 3 == 0;
        lose_at(&options, call);
    }
    snprintf(told, sizeof told, "lost at none");
    assert_true(live_through(&options, driver_has_failed, 1));
}

static const struct CMUnitTest tests[] = {
    TEST(whichever_call_of_the_driver_fails_is_told_and_the_rest_goes_on),
    TEST(whichever_call_of_the_compiler_fails_is_told_and_the_rest_goes_on),
    TEST(whichever_allocation_fails_is_told_and_the_rest_goes_on),
    TEST(a_device_lost_at_any_call_fails_its_kernels_and_can_be_opened_again),
};
int main(int argc, char **argv)
{
    take_mocks(argv);
    if (argc > 1) cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, 0, 0);
}
