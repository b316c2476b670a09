/* The CUDA backend on the mock driver and the mock NVRTC: what the tests of its host side stand on.
 *
 * A program loads the mocks by name, as the backend does, so it starts itself again with their folder in
 * LD_LIBRARY_PATH. After each test the runtime is closed, and all that the driver gave must be back. */
#ifndef RINGKERNEL_CUDA_FIXTURE_TEST_H
#define RINGKERNEL_CUDA_FIXTURE_TEST_H

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

#include "cuda.h"
#include "kernels/contract_a.rk.h"
#include "mock/mock_cuda.h"
#include "mock/mock_nvrtc.h"
#include "runtime/futex.h"
#include "runtime/kernel.h"
#include "runtime/module.h"

#define MOCKS RK_BINARY_DIR "/tests/mock"

static mock_cuda_state *mock;
static mock_nvrtc_state *compiler;
static mock_cuda_reset_ mock_reset;
static mock_cuda_at_ device_at;
static rk_runtime *runtime;
static char folder[64]; /* of the cache */
static char logged[4096];
static pthread_mutex_t logging = PTHREAD_MUTEX_INITIALIZER;

/* ------------------------------------------------------------------ checks */

static inline void check_ok(rk_status status, const char *call, int line)
{
    if (status != RK_OK) fail_msg("line %d: %s: %s: %s", line, call, rk_status_name(status), rk_error_text());
}
#define OK(call) check_ok(call, #call, __LINE__)

static inline void assert_says(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("\"%s\" is not in:\n%s", part, text);
}
#define assert_error_says(part) assert_says(rk_error_text(), part)

/* Wait for what another thread does. */
#define AWAIT(condition)                                                        \
    do {                                                                        \
        rk_u64 end_ = rk_monotonic_ns() + RK_SECONDS(20);                       \
        while (!(condition) && rk_monotonic_ns() < end_) usleep(200);           \
        if (!(condition)) fail_msg("line %d: never: %s", __LINE__, #condition); \
    } while (0)

/* ------------------------------------------------------------------ the mock's controls */

static inline void fails(const char *function, int result, int after)
{
    mock->failure = result;
    mock->once = 0;
    __atomic_store_n(&mock->after, after, __ATOMIC_RELEASE);
    __atomic_store_n(&mock->fails, function, __ATOMIC_RELEASE);
}
static inline void fails_once(const char *function, int result, int after)
{
    mock->failure = result;
    mock->once = 1;
    __atomic_store_n(&mock->after, after, __ATOMIC_RELEASE);
    __atomic_store_n(&mock->fails, function, __ATOMIC_RELEASE);
}
static inline void fails_no_more(void) { __atomic_store_n(&mock->fails, 0, __ATOMIC_RELEASE); }
static inline void play(int (*how)(const mock_entry *))
{
    __atomic_store_n(&mock->play, how, __ATOMIC_RELEASE);
}
static inline void lose_device(void)
{
    __atomic_store_n(&mock->lost, RK_CUDA_ERROR_ILLEGAL_ADDRESS, __ATOMIC_RELEASE);
}
static inline rk_u32 entries(void) { return __atomic_load_n(&mock->entries, __ATOMIC_ACQUIRE); }

/* Where the call that begins so stands, from `from` on; -1: nowhere. */
static inline int called(const char *what, int from)
{
    for (int i = from; i < (int)__atomic_load_n(&mock->called, __ATOMIC_ACQUIRE) && i < MOCK_CALLS; i++)
        if (strncmp(mock->call[i], what, strlen(what)) == 0) return i;
    return -1;
}

/* ------------------------------------------------------------------ runtime and kernels */

static inline void keep_log(void *user, const rk_log_record *record)
{
    (void)user;
    pthread_mutex_lock(&logging);
    size_t used = strlen(logged);
    snprintf(logged + used, sizeof logged - used, "%s: %s\n", record->kernel_name, record->text);
    pthread_mutex_unlock(&logging);
}

static inline rk_runtime_options given(void)
{
    return (rk_runtime_options){
        RK_RUNTIME_OPTIONS,     .backend = RK_BACKEND_CUDA, .memory_ceiling = 256ull << 20,
        .cache_folder = folder, .on_log = keep_log,         .stall_limit_ns = RK_MILLISECONDS(100)
    };
}
static inline void open_with(const rk_runtime_options *options) { OK(rk_open(options, &runtime)); }
static inline void open_runtime(void)
{
    const rk_runtime_options options = given();
    open_with(&options);
}
static inline rk_cuda_runtime *cuda_of_runtime(void) { return rk_cuda_of(runtime); }

static inline rk_launch_options small(const char *kernel_name)
{
    rk_launch_options o = rk_production();
    o.queue_capacity = 64;
    o.kernel_name = kernel_name;
    return o;
}
static inline rk_kernel launch_with(const char *id, const rk_launch_options *options)
{
    rk_kernel kernel;
    OK(rk_launch(runtime, id, options, &kernel));
    return kernel;
}
static inline rk_kernel launched(const char *id, const char *kernel_name)
{
    const rk_launch_options o = small(kernel_name);
    return launch_with(id, &o);
}
static inline rk_kernel active(const char *id, const char *kernel_name)
{
    rk_kernel kernel = launched(id, kernel_name);
    OK(rk_activate(runtime, kernel));
    return kernel;
}
static inline rk_host_kernel *host_of(rk_kernel kernel) { return runtime->kernels[kernel.number]; }
static inline rk_u32 life_of(rk_kernel kernel) { return rk_atomic_u32(&host_of(kernel)->life); }
static inline rk_orders *orders_of(rk_kernel kernel) { return host_of(kernel)->seats[0].orders; }

/* What the device has at an arena offset. */
static inline void *on_device(rk_u64 offset, size_t bytes)
{
    return device_at((rk_cu_address)(size_t)runtime->arena.base + offset, bytes);
}

/* ------------------------------------------------------------------ how the device is played */

static inline rk_shard *played_shard(const mock_entry *entry, rk_u32 s)
{
    const rk_u64 *part = device_at(entry->arena + entry->table + 8ull * s, 8);
    return part ? device_at(entry->arena + *part, sizeof(rk_shard)) : 0;
}
static inline rk_orders *played_orders(const mock_entry *entry, rk_u32 s)
{
    rk_shard *shard = played_shard(entry, s);
    return shard ? device_at(entry->arena + shard->orders, sizeof(rk_orders)) : 0;
}
static inline int never_ends(const mock_entry *entry)
{
    (void)entry;
    return 0;
}
static inline int ends_at_once(const mock_entry *entry)
{
    (void)entry;
    return 1;
}
static inline int fails_at_once(const mock_entry *entry)
{
    rk_atomic_set_u32(&played_orders(entry, 0)->phase, RK_PHASE_FAILED);
    return 1;
}

/* ------------------------------------------------------------------ before and after */

static inline int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ringkernel-mocked-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    mock_reset();
    mock->strict = 1;
    *compiler = (mock_nvrtc_state){
        .major = 13, .architectures = { 75, 80, 90 }, .architecture_count = 3, .log = ""
    };
    logged[0] = 0;
    unsetenv("CUDA_LAUNCH_BLOCKING");
    return 0;
}

static inline void assert_all_given_back(void)
{
    const struct {
        const char *what;
        int count;
    } left[] = {
        { "contexts", mock->contexts },     { "modules", mock->modules },
        { "streams", mock->streams },       { "allocations", mock->allocations },
        { "mappings", mock->mappings },     { "registrations", mock->registrations },
        { "memories", mock->memories },     { "reservations", mock->reservations },
        { "calls that wait", mock->waits },
    };
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        if (left[i].count) fail_msg("%d %s are left", left[i].count, left[i].what);
}

/* ------------------------------------------------------------------ grids */

static inline rk_launch_options grid(rk_u32 blocks)
{
    rk_launch_options o = small("sink");
    o.queue_capacity = 16;
    o.shards = o.blocks = blocks;
    return o;
}

static inline rk_kernel active_grid(const char *id, rk_u32 blocks)
{
    const rk_launch_options o = grid(blocks);
    rk_kernel kernel = launch_with(id, &o);
    OK(rk_activate(runtime, kernel));
    return kernel;
}

/* Without those that are kept for the next kernel. */
static inline int streams_in_use(void)
{
    int kept = 0;
    for (rk_u32 p = 0; p < 3; p++) kept += cuda_of_runtime()->spare[p] != 0;
    return mock->streams - kept;
}

/* ------------------------------------------------------------------ what the keeper does */

static inline rk_u64 beat_of(rk_kernel kernel)
{
    return __atomic_load_n(&orders_of(kernel)->heartbeat, __ATOMIC_ACQUIRE);
}
static inline rk_u64 base_of(rk_kernel kernel)
{
    return __atomic_load_n(&orders_of(kernel)->clock_base, __ATOMIC_ACQUIRE);
}

/* The keeper goes through so many whole rounds. */
static inline void keeper_looks(rk_u32 rounds)
{
    rk_cuda_runtime *cuda = cuda_of_runtime();
    for (rk_u32 begun = 0; begun <= rounds; begun++) {
        rk_u64 beat = __atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE);
        rk_event_raise(&cuda->keeper_event);
        AWAIT(__atomic_load_n(&cuda->beat, __ATOMIC_ACQUIRE) > beat);
    }
}

static inline unsigned times(const char *part)
{
    unsigned n = 0;
    pthread_mutex_lock(&logging);
    for (const char *at = logged; (at = strstr(at, part)); at++) n++;
    pthread_mutex_unlock(&logging);
    return n;
}

static inline int clean_up(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    runtime = 0;
    return system(command);
}
/* Of tests that leave a runtime, or none. */
static inline int tear_down(void **state)
{
    (void)state;
    play(0);
    fails_no_more();
    __atomic_store_n(&mock->torn, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&mock->launching, 0, __ATOMIC_RELEASE);
    if (runtime) OK(rk_close(runtime));
    assert_all_given_back();
    return clean_up();
}
/* Of tests after which the driver takes nothing back. */
static inline int tear_down_lost(void **state)
{
    (void)state;
    if (runtime) rk_close(runtime);
    return clean_up();
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_LOST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down_lost)

static inline void *symbol(const char *library, const char *name)
{
    void *found = dlsym(dlopen(library, RTLD_NOW | RTLD_LOCAL), name);
    if (!found) exit(fprintf(stderr, "%s: no %s\n", library, name));
    return found;
}

static inline void take_mocks(char **argv)
{
    const char *path = getenv("LD_LIBRARY_PATH");
    if (!path || strncmp(path, MOCKS, strlen(MOCKS)) != 0) {
        setenv("LD_LIBRARY_PATH", MOCKS, 1);
        execv("/proc/self/exe", argv);
        exit(1);
    }
    if (chdir(RK_BINARY_DIR)) exit(1); /* ccache may have made the paths of sources relative to it */
    mock = symbol("libcuda.so.1", "mock_cuda");
    *(void **)&mock_reset = symbol("libcuda.so.1", "mock_cuda_reset");
    *(void **)&device_at = symbol("libcuda.so.1", "mock_cuda_at");
    compiler = symbol("libnvrtc.so.13", "mock_nvrtc");
}
#define CUDA_MAIN(tests)                            \
    int main(int argc, char **argv)                 \
    {                                               \
        (void)argc;                                 \
        take_mocks(argv);                           \
        return cmocka_run_group_tests(tests, 0, 0); \
    }

#endif
