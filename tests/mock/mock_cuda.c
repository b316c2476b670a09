#include "mock_cuda.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define GRANULARITY ((size_t)2 << 20)
#define NAME_ROOM 64

mock_cuda_state mock_cuda;

__attribute__((constructor)) static void begin(void)
{
    const char *version = getenv("MOCK_CUDA_VERSION"), *devices = getenv("MOCK_CUDA_DEVICES"),
               *fail = getenv("MOCK_CUDA_FAIL");
    static char fails[NAME_ROOM];
    mock_cuda = (mock_cuda_state){ .version = version ? (int)strtol(version, 0, 10) : 13000,
                                   .devices = devices ? (int)strtol(devices, 0, 10) : 1,
                                   .bytes_left = (size_t)80 << 30 };
    const char *colon = fail ? strchr(fail, ':') : 0;
    if (!colon) return;
    snprintf(fails, sizeof fails, "%.*s", (int)(colon - fail), fail);
    mock_cuda.fails = fails;
    mock_cuda.failure = (int)strtol(colon + 1, 0, 10);
}

/* What this call is to give, before it does anything. */
rk_cu_result mock_outcome(const char *function, int of_context)
{
    if (of_context && mock_cuda.lost) return (rk_cu_result)mock_cuda.lost;
    if (mock_cuda.fails && strcmp(mock_cuda.fails, function) == 0) {
        if (mock_cuda.after == 0) return (rk_cu_result)mock_cuda.failure;
        mock_cuda.after--;
    }
    return RK_CUDA_SUCCESS;
}
#define BEGIN(of_context)                                           \
    do {                                                            \
        rk_cu_result outcome_ = mock_outcome(__func__, of_context); \
        if (outcome_ != RK_CUDA_SUCCESS) return outcome_;           \
    } while (0)

static rk_cu_result check_device(rk_cu_device device)
{
    return device >= 0 && device < mock_cuda.devices ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_INVALID_DEVICE;
}

/* ------------------------------------------------------------------ driver and devices */

rk_cu_result cuInit(unsigned flags)
{
    BEGIN(0);
    if (mock_cuda.devices == 0) return RK_CUDA_ERROR_NO_DEVICE;
    return flags ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}

rk_cu_result cuDriverGetVersion(int *version)
{
    BEGIN(0);
    *version = mock_cuda.version;
    return RK_CUDA_SUCCESS;
}

#define NAME_(name, value) \
    if ((int)result == (value)) *text = "CUDA_" #name;
rk_cu_result cuGetErrorName(rk_cu_result result, const char **text)
{
    *text = 0;
    RK_CU_RESULTS(NAME_)
    return *text ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_INVALID_VALUE;
}
rk_cu_result cuGetErrorString(rk_cu_result result, const char **text)
{
    const char *name;
    rk_cu_result known = cuGetErrorName(result, &name);
    *text = known == RK_CUDA_SUCCESS ? "the mock's words" : 0;
    return known;
}

rk_cu_result cuDeviceGetCount(int *count)
{
    BEGIN(0);
    *count = mock_cuda.devices;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuDeviceGet(rk_cu_device *device, int ordinal)
{
    BEGIN(0);
    *device = ordinal;
    return check_device(ordinal);
}
rk_cu_result cuDeviceGetName(char *name, int room, rk_cu_device device)
{
    BEGIN(0);
    snprintf(name, (size_t)room, "Mock GPU %d", device);
    return check_device(device);
}
rk_cu_result cuDeviceGetPCIBusId(char *id, int room, rk_cu_device device)
{
    BEGIN(0);
    snprintf(id, (size_t)room, "0000:%02x:00.0", device + 1);
    return check_device(device);
}
rk_cu_result cuDeviceTotalMem(size_t *bytes, rk_cu_device device)
{
    BEGIN(0);
    *bytes = (size_t)80 << 30;
    return check_device(device);
}

rk_cu_result cuDeviceGetAttribute(int *value, rk_cu_device_attribute attribute, rk_cu_device device)
{
    static const struct {
        unsigned attribute;
        int value, may_lack;
    } attributes[] = {
        { RK_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 9, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 132, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 2048, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 232448, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 50 << 20, 0 },
        { RK_CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1, 1 },
        { RK_CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1, 1 },
    };
    BEGIN(0);
    *value = 0;
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
        if (attributes[i].attribute == attribute && !(attributes[i].may_lack && mock_cuda.attributes_off))
            *value = attributes[i].value;
    return check_device(device);
}

/* ------------------------------------------------------------------ context and modules */

rk_cu_result cuDevicePrimaryCtxRetain(rk_cu_context *context, rk_cu_device device)
{
    BEGIN(1);
    mock_cuda.contexts++;
    *context = (rk_cu_context)&mock_cuda;
    return check_device(device);
}
rk_cu_result cuDevicePrimaryCtxRelease(rk_cu_device device)
{
    BEGIN(0);
    if (mock_cuda.contexts == 0) return RK_CUDA_ERROR_INVALID_CONTEXT;
    mock_cuda.contexts--;
    return check_device(device);
}

static __thread rk_cu_context current;
rk_cu_result cuCtxSetCurrent(rk_cu_context context)
{
    BEGIN(0);
    current = context;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuCtxGetCurrent(rk_cu_context *context)
{
    BEGIN(0);
    *context = current;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuCtxGetDevice(rk_cu_device *device)
{
    BEGIN(0);
    *device = 0;
    return current ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_INVALID_CONTEXT;
}
rk_cu_result cuCtxGetStreamPriorityRange(int *least, int *greatest)
{
    BEGIN(1);
    *least = 0;
    *greatest = -5;
    return RK_CUDA_SUCCESS;
}

rk_cu_result cuModuleLoadDataEx(rk_cu_module *module, const void *image, unsigned count,
                                rk_cu_jit_option *options, void **values)
{
    rk_cu_result outcome = mock_outcome(__func__, 1);
    for (unsigned i = 0; outcome != RK_CUDA_SUCCESS && i < count; i++)
        if (options[i] == RK_CU_JIT_ERROR_LOG_BUFFER) strcpy(values[i], "the mock's assembler: line 1");
    if (outcome != RK_CUDA_SUCCESS) return outcome;
    memcpy(mock_cuda.image, image, sizeof mock_cuda.image - 1);
    *module = malloc(1);
    mock_cuda.modules++;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuModuleUnload(rk_cu_module module)
{
    BEGIN(1);
    free(module);
    mock_cuda.modules--;
    return RK_CUDA_SUCCESS;
}

static char names[32][NAME_ROOM]; /* of functions: a function is its name */
rk_cu_result cuModuleGetFunction(rk_cu_function *function, rk_cu_module module, const char *name)
{
    BEGIN(1);
    (void)module;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!names[i][0]) snprintf(names[i], sizeof *names, "%s", name);
        *function = (rk_cu_function)names[i];
        if (strcmp(names[i], name) == 0) return RK_CUDA_SUCCESS;
    }
    return RK_CUDA_ERROR_NOT_FOUND;
}
rk_cu_result cuFuncGetAttribute(int *value, rk_cu_function_attribute attribute, rk_cu_function function)
{
    BEGIN(1);
    (void)function;
    *value = attribute == RK_CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, rk_cu_function function, int threads,
                                                         size_t shared_bytes)
{
    BEGIN(1);
    (void)function;
    *blocks = threads > 1024 || shared_bytes > 232448 ? 0 : 2048 / threads;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuOccupancyMaxActiveClusters(int *clusters, rk_cu_function function, const rk_cu_launch *launch)
{
    BEGIN(1);
    (void)function, (void)launch;
    *clusters = 16;
    return RK_CUDA_SUCCESS;
}

/* ------------------------------------------------------------------ streams, events, launches */

rk_cu_result cuStreamCreateWithPriority(rk_cu_stream *stream, unsigned flags, int priority)
{
    BEGIN(1);
    if (flags != RK_CU_STREAM_NON_BLOCKING || priority > 0 || priority < -5)
        return RK_CUDA_ERROR_INVALID_VALUE;
    *stream = malloc(1);
    mock_cuda.streams++;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuStreamDestroy(rk_cu_stream stream)
{
    BEGIN(0);
    free(stream);
    mock_cuda.streams--;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuEventCreate(rk_cu_event *event, unsigned flags)
{
    BEGIN(1);
    (void)flags;
    *event = malloc(1);
    mock_cuda.events++;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuEventDestroy(rk_cu_event event)
{
    BEGIN(0);
    free(event);
    mock_cuda.events--;
    return RK_CUDA_SUCCESS;
}

static rk_cu_result run(const rk_cu_launch *launch, rk_cu_function function, void **arguments)
{
    mock_cuda.launches++;
    return mock_cuda.launch ? mock_cuda.launch((const char *)function, launch, arguments) : RK_CUDA_SUCCESS;
}
rk_cu_result cuLaunchKernelEx(const rk_cu_launch *launch, rk_cu_function function, void **arguments,
                              void **extra)
{
    BEGIN(1);
    (void)extra;
    return run(launch, function, arguments);
}
rk_cu_result cuLaunchKernel(rk_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                            rk_cu_stream stream, void **arguments, void **extra)
{
    BEGIN(1);
    (void)extra;
    rk_cu_launch launch = { grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, 0, 0 };
    return run(&launch, function, arguments);
}
rk_cu_result cuLaunchCooperativeKernel(rk_cu_function function, unsigned grid_x, unsigned grid_y,
                                       unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z,
                                       unsigned shared_bytes, rk_cu_stream stream, void **arguments)
{
    BEGIN(1);
    rk_cu_launch launch = { grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, stream, 0, 0 };
    return run(&launch, function, arguments);
}

/* ------------------------------------------------------------------ memory: the host's */

static rk_cu_result take(size_t bytes)
{
    if (bytes == 0) return RK_CUDA_ERROR_INVALID_VALUE;
    if (bytes > mock_cuda.bytes_left) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemGetInfo(size_t *available, size_t *total)
{
    BEGIN(1);
    *available = mock_cuda.bytes_left;
    *total = (size_t)80 << 30;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    BEGIN(1);
    (void)flags;
    rk_cu_result taken = take(bytes);
    if (taken != RK_CUDA_SUCCESS) return taken;
    *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    mock_cuda.allocations++;
    return *memory ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_OUT_OF_MEMORY;
}
rk_cu_result cuMemFreeHost(void *memory)
{
    BEGIN(1);
    free(memory);
    mock_cuda.allocations--;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemAlloc(rk_cu_address *address, size_t bytes)
{
    BEGIN(1);
    void *memory = 0;
    rk_cu_result taken = cuMemHostAlloc(&memory, bytes, 0);
    *address = (rk_cu_address)memory;
    return taken;
}
rk_cu_result cuMemFree(rk_cu_address address)
{
    BEGIN(1);
    return cuMemFreeHost((void *)address);
}
rk_cu_result cuMemHostGetDevicePointer(rk_cu_address *address, void *memory, unsigned flags)
{
    BEGIN(1);
    (void)flags;
    *address = (rk_cu_address)memory;
    return RK_CUDA_SUCCESS;
}

rk_cu_result cuMemGetAllocationGranularity(size_t *bytes, const rk_cu_memory_properties *properties,
                                           rk_cu_granularity_flag which)
{
    BEGIN(1);
    (void)properties, (void)which;
    *bytes = GRANULARITY;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemAddressReserve(rk_cu_address *address, size_t bytes, size_t alignment, rk_cu_address wished,
                                 unsigned long long flags)
{
    BEGIN(1);
    (void)alignment;
    if (bytes % GRANULARITY || flags) return RK_CUDA_ERROR_INVALID_VALUE;
    void *range = mmap((void *)wished, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    *address = (rk_cu_address)range;
    mock_cuda.reservations++;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemAddressFree(rk_cu_address address, size_t bytes)
{
    BEGIN(0);
    mock_cuda.reservations--;
    return munmap((void *)address, bytes) ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}
rk_cu_result cuMemCreate(rk_cu_memory *memory, size_t bytes, const rk_cu_memory_properties *properties,
                         unsigned long long flags)
{
    BEGIN(1);
    (void)properties;
    if (bytes % GRANULARITY || flags) return RK_CUDA_ERROR_INVALID_VALUE;
    rk_cu_result taken = take(bytes);
    if (taken != RK_CUDA_SUCCESS) return taken;
    int file = memfd_create("mock memory", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, (off_t)bytes)) return RK_CUDA_ERROR_OUT_OF_MEMORY;
    *memory = (rk_cu_memory)file;
    mock_cuda.memories++;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemRelease(rk_cu_memory memory)
{
    BEGIN(0);
    mock_cuda.memories--;
    return close((int)memory) ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}
rk_cu_result cuMemMap(rk_cu_address address, size_t bytes, size_t offset, rk_cu_memory memory,
                      unsigned long long flags)
{
    BEGIN(1);
    if (flags) return RK_CUDA_ERROR_INVALID_VALUE;
    void *mapped =
        mmap((void *)address, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, (int)memory, (off_t)offset);
    return mapped == MAP_FAILED ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}
rk_cu_result cuMemUnmap(rk_cu_address address, size_t bytes)
{
    BEGIN(0);
    void *range = mmap((void *)address, bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return range == MAP_FAILED ? RK_CUDA_ERROR_INVALID_VALUE : RK_CUDA_SUCCESS;
}
rk_cu_result cuMemSetAccess(rk_cu_address address, size_t bytes, const rk_cu_access *access, size_t count)
{
    BEGIN(1);
    (void)access;
    if (count == 0) return RK_CUDA_ERROR_INVALID_VALUE;
    return mprotect((void *)address, bytes, PROT_READ | PROT_WRITE) ? RK_CUDA_ERROR_INVALID_VALUE
                                                                    : RK_CUDA_SUCCESS;
}

rk_cu_result cuMemcpyAsync(rk_cu_address to, rk_cu_address from, size_t bytes, rk_cu_stream stream)
{
    BEGIN(1);
    (void)stream;
    memmove((void *)to, (const void *)from, bytes);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuMemsetD8Async(rk_cu_address to, unsigned char value, size_t bytes, rk_cu_stream stream)
{
    BEGIN(1);
    (void)stream;
    memset((void *)to, value, bytes);
    return RK_CUDA_SUCCESS;
}
