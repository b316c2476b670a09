/* The real driver and the real NVRTC on a real device, if there is one: what the mock promises of them holds.
 * Every wait is for a stream, with a deadline: nothing here synchronises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include <ringkernel/device/layout.h>
#include <ringkernel/runtime.h>

#include "codegen/render.h"
#include "cubin_cache.h"
#include "cuda_device.h"
#include "runtime/error.h"
#include "runtime/include_folder.h"

#define DEADLINE_MS 20000

static rk_cuda cuda;
static rk_nvrtc nvrtc;
static rk_cuda_device device;
static rk_cu_context context;
static rk_cu_module module;
static rk_cu_function layout_check;
static rk_cu_stream stream;
static char folder[64];

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#define CU(call)                                        \
    do {                                                \
        rk_cu_result result_ = cuda.call;               \
        if (result_ != RK_CUDA_SUCCESS) {               \
            rk_cuda_error(&cuda, result_, "%s", #call); \
            fail_msg("%s", rk_error_text());            \
        }                                               \
    } while (0)
#define OK(call)                                              \
    do {                                                      \
        if ((call) != RK_OK) fail_msg("%s", rk_error_text()); \
    } while (0)

/* What has become of the stream by the deadline. */
static int stream_ends(void)
{
    int result;
    for (double end = now_ms() + DEADLINE_MS;
         (result = cuda.cuStreamQuery(stream)) == RK_CUDA_ERROR_NOT_READY && now_ms() < end;)
        usleep(50);
    return result;
}

/* ------------------------------------------------------------------ code */

static void get_code(rk_device_code *code, rk_code_origin *origin)
{
    static const char text[] = "#include <ringkernel/kernel.h>\nRK_MESSAGE(number, 501, (rk_u32, value))\n"
                               "RK_HANDLER(echo, number, msg, rk_none, self) { rk_forward(RK_ARG); }\n";
    char source[96], include[4096], note[RK_CODE_NOTE_ROOM], *unit;
    rk_source_error error;
    snprintf(source, sizeof source, "%s/echo.rk.c", folder);
    FILE *file = fopen(source, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    rk_render_options render = { .backend = "cuda", .path = source, .text = text, .size = strlen(text) };
    OK(rk_include_folder(include, sizeof include));
    OK(rk_render_unit(&render, &unit, &error));
    rk_code_request request = { unit, include, folder, device.architecture };
    double begin = now_ms();
    OK(rk_device_code_get(&nvrtc, &request, code, origin, note));
    print_message("device code %s: %zu bytes in %.1f ms\n",
                  *origin == RK_CODE_FROM_CACHE ? "from the cache" : "compiled", code->size,
                  now_ms() - begin);
    assert_string_equal(note, "");
    free(unit);
}

static void load_code(void)
{
    rk_device_code code;
    rk_code_origin origin;
    char log[4096] = "";
    rk_cu_jit_option options[] = { RK_CU_JIT_ERROR_LOG_BUFFER, RK_CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
    void *values[] = { log, (void *)sizeof log };
    get_code(&code, &origin);
    assert_int_equal(origin, RK_CODE_FROM_CACHE);
    double begin = now_ms();
    CU(cuModuleLoadDataEx(&module, code.bytes, 2, options, values));
    CU(cuModuleGetFunction(&layout_check, module, "rk_layout_check"));
    if (cuda.cuFuncLoad) CU(cuFuncLoad(layout_check));
    print_message("module loaded in %.1f ms\n", now_ms() - begin);
    rk_device_code_free(&code);
}

static void open_device(void)
{
    int least, greatest;
    CU(cuDevicePrimaryCtxRetain(&context, device.handle));
    CU(cuCtxSetCurrent(context));
    CU(cuCtxGetStreamPriorityRange(&least, &greatest));
    CU(cuStreamCreateWithPriority(&stream, RK_CU_STREAM_NON_BLOCKING, greatest));
    load_code();
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/ringkernel-live-XXXXXX");
    setenv("CUDA_MODULE_LOADING", "LAZY",
           1); /* the driver's default, unless the environment says otherwise */
    if (!mkdtemp(folder)) return -1;
    if (rk_cuda_load(0, &cuda) != RK_OK) return 0; /* every test is skipped */
    if (rk_cuda_describe(&cuda, 0, &device) != RK_OK || rk_nvrtc_load(0, cuda.version, &nvrtc) != RK_OK) {
        print_error("%s", rk_error_text());
        return -1;
    }
    return 0;
}
static int tear_down(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}
static void need_device(void)
{
    if (cuda.device_count == 0) skip();
}

/* ------------------------------------------------------------------ tests */

static void a_device_is_found_and_fit(void **state)
{
    (void)state;
    need_device();
    print_message("CUDA %d, %s, sm_%u\n", cuda.version, device.name, device.architecture);
    for (rk_u32 bit = 0; *rk_cuda_ability(bit); bit++)
        print_message("  %s: %s\n", rk_cuda_ability(bit), device.can >> bit & 1u ? "yes" : "no");
    OK(rk_cuda_device_check(&device));
    assert_true(device.multiprocessors > 0 && device.memory > 0);
}

static void code_is_compiled_once_and_loads(void **state)
{
    (void)state;
    need_device();
    rk_device_code code;
    rk_code_origin origin;
    get_code(&code, &origin);
    assert_int_equal(origin, RK_CODE_COMPILED);
    rk_device_code_free(&code);
    open_device();
}

#define SIZE_(type) (rk_u32)sizeof(type),
#define OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
static const rk_u32 layout[] = { RK_WIRE_VERSION, RK_LAYOUT(SIZE_, OFFSET_) };

static void check_layout(const rk_u32 *words)
{
    assert_int_equal(stream_ends(), RK_CUDA_SUCCESS);
    for (rk_u32 i = 0; i < RK_LAYOUT_WORDS; i++)
        if (words[i] != layout[i]) fail_msg("word %u of the layout is %u, not %u", i, words[i], layout[i]);
}

/* By each way of launching, into pinned memory: the device lays out what it shares with the host as we do. */
static void each_way_of_launching_gives_the_layout(void **state)
{
    (void)state;
    need_device();
    void *memory;
    rk_cu_address address;
    rk_u32 room = RK_LAYOUT_WORDS;
    CU(cuMemHostAlloc(&memory, sizeof layout, RK_CU_MEMHOSTALLOC_PORTABLE | RK_CU_MEMHOSTALLOC_DEVICEMAP));
    CU(cuMemHostGetDevicePointer(&address, memory, 0));
    assert_int_equal(address, (rk_cu_address)memory);
    void *arguments[] = { &address, &room };
    rk_cu_launch_attribute attributes[] = {
        { .id = RK_CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value.cooperative = 1 },
        { .id = RK_CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, .value.cluster = { 2, 1, 1 } },
    };
    for (unsigned way = 0; way < 4; way++) {
        rk_cu_launch launch = { 2, 1, 1, 32, 1, 1, 0, stream, &attributes[way & 1u], 1 };
        if (way == 1 && !(device.can & RK_CUDA_CAN_CLUSTER)) continue;
        memset(memory, 0, sizeof layout);
        if (way < 2)
            CU(cuLaunchKernelEx(&launch, layout_check, arguments, 0));
        else if (way == 2)
            CU(cuLaunchKernel(layout_check, 1, 1, 1, 1, 1, 1, 0, stream, arguments, 0));
        else
            CU(cuLaunchCooperativeKernel(layout_check, 1, 1, 1, 1, 1, 1, 0, stream, arguments));
        check_layout(memory);
    }
    CU(cuMemFreeHost(memory));
}

/* Memory of a place, mapped where we say, seen by the device and, of the host's, by both. */
static void memory_is_mapped_where_we_say(void **state)
{
    (void)state;
    need_device();
    const struct {
        rk_u32 ability;
        rk_cu_location location;
    } places[] = {
        { RK_CUDA_CAN_MAP, { RK_CU_MEM_LOCATION_TYPE_DEVICE, device.handle } },
        { RK_CUDA_CAN_MAP_HOST,
          { RK_CU_MEM_LOCATION_TYPE_HOST_NUMA,
            device.numa_node == RK_CUDA_NO_NODE ? 0 : (int)device.numa_node } },
    };
    const rk_cu_location on_device = { RK_CU_MEM_LOCATION_TYPE_DEVICE, device.handle };
    rk_u32 room = RK_LAYOUT_WORDS, words[RK_LAYOUT_WORDS];
    for (unsigned p = 0; p < 2; p++) {
        rk_cu_memory_properties properties = { .type = RK_CU_MEM_ALLOCATION_TYPE_PINNED,
                                               .location = places[p].location };
        const rk_cu_access access[] = { { on_device, RK_CU_MEM_ACCESS_FLAGS_PROT_READWRITE },
                                        { places[p].location, RK_CU_MEM_ACCESS_FLAGS_PROT_READWRITE } };
        size_t bytes;
        rk_cu_address address;
        rk_cu_memory memory;
        if (!(device.can & places[p].ability)) {
            print_message("%s is not there: left out\n", p ? "virtual memory of the host" : "virtual memory");
            continue;
        }
        CU(cuMemGetAllocationGranularity(&bytes, &properties, RK_CU_MEM_ALLOC_GRANULARITY_MINIMUM));
        CU(cuMemAddressReserve(&address, 2 * bytes, 0, 0, 0));
        CU(cuMemCreate(&memory, bytes, &properties, 0));
        CU(cuMemMap(address + bytes, bytes, 0, memory, 0));
        CU(cuMemSetAccess(address + bytes, bytes, access, p + 1));
        CU(cuMemRelease(memory));
        rk_cu_address at = address + bytes;
        void *arguments[] = { &at, &room };
        print_message("%s: granularity %zu\n", p ? "host" : "device", bytes);
        CU(cuMemsetD8Async(at, 0, bytes, stream));
        CU(cuLaunchKernel(layout_check, 1, 1, 1, 1, 1, 1, 0, stream, arguments, 0));
        if (p == 0) CU(cuMemcpyAsync((rk_cu_address)words, at, sizeof words, stream));
        check_layout(p ? (const rk_u32 *)at : words);
        CU(cuMemUnmap(at, bytes));
        CU(cuMemAddressFree(address, 2 * bytes));
    }
}

static void occupancy_tells_what_fits(void **state)
{
    (void)state;
    need_device();
    int blocks = 0, threads = 0;
    CU(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, layout_check, 256, 0));
    CU(cuFuncGetAttribute(&threads, RK_CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, layout_check));
    assert_true(blocks >= 1 && threads >= 256);
    rk_cu_launch_attribute cooperative = { .id = RK_CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value.cooperative = 1 };
    rk_cu_launch launch = {
        (unsigned)blocks * device.multiprocessors + 1, 1, 1, 256, 1, 1, 0, stream, &cooperative, 1
    };
    rk_cu_address nowhere = 0;
    rk_u32 room = 0;
    void *arguments[] = { &nowhere, &room };
    int result = cuda.cuLaunchKernelEx(&launch, layout_check, arguments, 0);
    assert_int_equal(result, RK_CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    assert_int_equal(rk_cuda_error(&cuda, result, "launch"), RK_LIMIT);
    assert_int_equal(stream_ends(), RK_CUDA_SUCCESS); /* and nothing is lost */
}

static void more_memory_than_there_is_is_refused(void **state)
{
    (void)state;
    need_device();
    rk_cu_address address;
    int result = cuda.cuMemAlloc(&address, (size_t)1 << 50);
    assert_int_equal(rk_cuda_error(&cuda, result, "allocating 1 PiB"), RK_OUT_OF_MEMORY);
}

/* ------------------------------------------------------------------ beside a kernel that stays */

/* Stays until it is told or its time is over, and says which. */
static const char stays_text[] =
    "#define NOW(t) asm volatile(\"mov.u64 %0, %%globaltimer;\" : \"=l\"(t))\n"
    "extern \"C\" __global__ void stays(volatile unsigned *words)\n"
    "{\n"
    "    unsigned long long begin, now;\n"
    "    NOW(begin);\n"
    "    do NOW(now); while (!words[0] && now - begin < 3000000000ull);\n"
    "    words[1] = words[0] ? 1u : 2u;\n"
    "}\n"
    "extern \"C\" __global__ void loaded(unsigned *words) { words[2] = 7u; }\n"
    "extern \"C\" __global__ void unloaded(unsigned *words) { words[3] = 7u; }\n";

static rk_cu_module load_stays(void)
{
    char include[4096];
    rk_nvrtc_target target;
    rk_device_code code;
    rk_cu_module stays;
    OK(rk_include_folder(include, sizeof include));
    OK(rk_nvrtc_target_for(&nvrtc, device.architecture, &target));
    OK(rk_nvrtc_compile(&nvrtc, stays_text, &target, include, &code));
    CU(cuModuleLoadDataEx(&stays, code.bytes, 0, 0, 0));
    rk_device_code_free(&code);
    return stays;
}

/* One thread of a function that is used first here. Returns how long it took, in ms. */
static double use_first(rk_cu_module of, const char *name, int load, void **arguments)
{
    rk_cu_function function;
    double begin = now_ms();
    CU(cuModuleGetFunction(&function, of, name));
    if (load) CU(cuFuncLoad(function));
    CU(cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, stream, arguments, 0));
    assert_int_equal(stream_ends(), RK_CUDA_SUCCESS);
    return now_ms() - begin;
}

/* Given a kernel that stays, and functions that are loaded when they are first used, when one is loaded by name and
 * launched, then it runs beside the other. What becomes of one that the launch itself has to load is told. */
static void a_function_that_is_loaded_runs_beside_a_kernel_that_stays(void **state)
{
    (void)state;
    need_device();
    if (!cuda.cuFuncLoad) skip();
    volatile rk_u32 *words;
    rk_cu_stream other;
    rk_cu_function stays;
    rk_cu_address address;
    rk_cu_module module_of = load_stays();
    CU(cuMemHostAlloc((void **)&words, 4 * sizeof *words,
                      RK_CU_MEMHOSTALLOC_PORTABLE | RK_CU_MEMHOSTALLOC_DEVICEMAP));
    CU(cuMemHostGetDevicePointer(&address, (void *)words, 0));
    void *arguments[] = { &address };
    CU(cuStreamCreateWithPriority(&other, RK_CU_STREAM_NON_BLOCKING, 0));
    for (int load = 1; load >= 0; load--) {
        for (int w = 0; w < 4; w++) words[w] = 0;
        CU(cuModuleGetFunction(&stays, module_of, "stays"));
        CU(cuLaunchKernel(stays, 1, 1, 1, 1, 1, 1, 0, other, arguments, 0));
        double took = use_first(module_of, load ? "loaded" : "unloaded", load, arguments);
        rk_u32 ended = words[1];
        words[0] = 1;
        for (double end = now_ms() + DEADLINE_MS; cuda.cuStreamQuery(other) && now_ms() < end;) usleep(50);
        assert_int_equal(cuda.cuStreamQuery(other), RK_CUDA_SUCCESS);
        print_message("%s: used in %.1f ms, %s a kernel that stays\n",
                      load ? "cuFuncLoad" : "by the launch alone", took, ended ? "after" : "beside");
        assert_int_equal(words[load ? 2 : 3], 7);
        if (load) assert_int_equal(ended, 0);
    }
    CU(cuStreamDestroy(other));
    CU(cuModuleUnload(module_of));
    CU(cuMemFreeHost((void *)words));
}

/* Given a kernel that wrote where nothing is, when its stream is asked, then the device is lost, and no release
 * brings it back to this process. The last test, therefore. */
static void a_lost_device_is_told_and_stays_lost(void **state)
{
    (void)state;
    need_device();
    rk_cu_address nowhere = 16;
    rk_u32 room = RK_LAYOUT_WORDS;
    void *arguments[] = { &nowhere, &room };
    rk_cu_event event;
    CU(cuLaunchKernel(layout_check, 1, 1, 1, 1, 1, 1, 0, stream, arguments, 0));
    int result = stream_ends();
    rk_error_begin();
    assert_true(rk_cuda_lost(result));
    assert_int_equal(rk_cuda_error(&cuda, result, "waiting for the kernel"), RK_DEVICE_LOST);
    print_message("%s", rk_error_text());
    assert_true(rk_cuda_lost(cuda.cuEventCreate(&event, RK_CU_EVENT_DISABLE_TIMING)));
    CU(cuDevicePrimaryCtxRelease(device.handle));
    assert_true(rk_cuda_lost(cuda.cuDevicePrimaryCtxRetain(&context, device.handle)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_is_found_and_fit),
        cmocka_unit_test(code_is_compiled_once_and_loads),
        cmocka_unit_test(each_way_of_launching_gives_the_layout),
        cmocka_unit_test(memory_is_mapped_where_we_say),
        cmocka_unit_test(occupancy_tells_what_fits),
        cmocka_unit_test(more_memory_than_there_is_is_refused),
        cmocka_unit_test(a_function_that_is_loaded_runs_beside_a_kernel_that_stays),
        cmocka_unit_test(a_lost_device_is_told_and_stays_lost),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
