/* The OpenCL backend on a mock library: what the tests of its host side stand on. The library's launches do nothing, never
 * start, never end, or fail, as a test says, since a device does none of this at will. */
#ifndef RINGKERNEL_OPENCL_FIXTURE_TEST_H
#define RINGKERNEL_OPENCL_FIXTURE_TEST_H

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
static rk_runtime *runtime;
static char folder[64]; /* of the cache */

static inline void check_ok(rk_status status, const char *call, int line)
{
    if (status != RK_OK) fail_msg("line %d: %s: %s: %s", line, call, rk_status_name(status), rk_error_text());
}
#define OK(call) check_ok(call, #call, __LINE__)

static inline void assert_error_says(const char *part)
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

static inline void take_log(void *user, const rk_log_record *record)
{
    (void)user;
    pthread_mutex_lock(&log_lock);
    size_t length = strlen(log_text);
    snprintf(log_text + length, sizeof log_text - length, "%s\n", record->text);
    pthread_mutex_unlock(&log_lock);
}

static inline int log_says(const char *part)
{
    pthread_mutex_lock(&log_lock);
    int says = strstr(log_text, part) != 0;
    pthread_mutex_unlock(&log_lock);
    return says;
}

static rk_u64 begin_ns; /* for a kernel that stays to begin; of threads on a machine that may be loaded */

static inline rk_status open_runtime(void)
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

static inline rk_status launch_kernel(const char *name, const char *id, rk_kernel *kernel)
{
    rk_launch_options o = rk_production();
    o.kernel_name = name;
    o.deduplication_window = 0; /* its lanes have a lock only where the device needs it */
    o.queue_capacity = 64;
    return rk_launch(runtime, id, &o, kernel);
}

static inline rk_status launch(const char *id, rk_kernel *kernel)
{
    return launch_kernel("sink", id, kernel);
}

static inline rk_kernel launched(void)
{
    rk_kernel kernel;
    OK(open_runtime());
    OK(launch("a", &kernel));
    return kernel;
}

static inline rk_u32 life_of(rk_kernel kernel)
{
    rk_kernel_info info;
    OK(rk_kernel_information(runtime, kernel, &info));
    return info.life;
}

static inline int set_up(void **state)
{
    (void)state;
    void *library = dlopen(MOCK, RTLD_NOW);
    mock_opencl_state_function function = 0;
    if (!library) return -1;
    *(void **)&function = dlsym(library, "mock_opencl_state");
    mock = function();
    *mock = (mock_opencl){ .failing = 0 };
    snprintf(folder, sizeof folder, "/tmp/rk-opencl-test-XXXXXX");
    setenv("RK_OPENCL_LIBRARY", MOCK, 1);
    unsetenv("MOCK_OPENCL_PLATFORMS");
    unsetenv("MOCK_OPENCL_PLATFORM_NAME");
    unsetenv("MOCK_OPENCL_DEVICES");
    unsetenv("MOCK_OPENCL_EXTENSIONS");
    unsetenv("MOCK_OPENCL_COMPUTE");
    unsetenv("MOCK_OPENCL_LOCAL");
    begin_ns = RK_SECONDS(60);
    unsetenv("MOCK_OPENCL_SHARES");
    unsetenv("MOCK_OPENCL_UNITS");
    unsetenv("RK_OPENCL_WITHOUT");
    return mkdtemp(folder) ? 0 : -1;
}

/* From now on, beside a thread that launches. */
static inline void launches_are(int how) { __atomic_store_n(&mock->launch, how, __ATOMIC_SEQ_CST); }

static inline int tear_down(void **state)
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

/* ------------------------------------------------------------------ launches and messages */

static inline rk_u32 launches(void) { return __atomic_load_n(&mock->launches, __ATOMIC_SEQ_CST); }
static inline void release(rk_u32 number) { __atomic_store_n(&mock->released, number, __ATOMIC_SEQ_CST); }
static inline rk_u32 in_air(void)
{
    return __atomic_load_n(&rk_opencl_of(runtime)->in_air, __ATOMIC_SEQ_CST);
}

static inline void send_one(rk_kernel kernel)
{
    const probe message = { .number = 1 };
    OK(rk_send(runtime, kernel, 200, &message, sizeof message, 0));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
