#include "mock_cuda_inside.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

mock_cuda_state mock_cuda;
const mock_machine *mock_machine_is;
__thread rk_cu_context mock_current;
char mock_contexts[DEVICES_MOST]; /* a device's context is the address of its byte */

__attribute__((constructor)) static void begin(void)
{
    const char *version = getenv("MOCK_CUDA_VERSION"), *devices = getenv("MOCK_CUDA_DEVICES"),
               *fail = getenv("MOCK_CUDA_FAIL"), *links = getenv("MOCK_CUDA_LINKS");
    static char fails[NAME_ROOM];
    mock_cuda = (mock_cuda_state){ .version = version ? (int)strtol(version, 0, 10) : 13000,
                                   .devices = devices ? (int)strtol(devices, 0, 10) : 1,
                                   .links = links ? (int)strtol(links, 0, 10) : 0,
                                   .bytes_left = (size_t)80 << 30 };
    const char *colon = fail ? strchr(fail, ':') : 0;
    if (!colon) return;
    snprintf(fails, sizeof fails, "%.*s", (int)(colon - fail), fail);
    mock_cuda.fails = fails;
    mock_cuda.failure = (int)strtol(colon + 1, 0, 10);
}

/* Whose context is current; the first one's stands for none, and for a context of the caller's own. */
int mock_device(void)
{
    for (int device = 0; device < (int)DEVICES_MOST; device++)
        if ((char *)mock_current == &mock_contexts[device]) return device;
    return 0;
}

int mock_lost(int device)
{
    return (int)(__atomic_load_n(&mock_cuda.lost_devices, __ATOMIC_ACQUIRE) >> device & 1u);
}

/* What this call is to give, before it does anything. */
rk_cu_result mock_outcome(const char *function, int of_context)
{
    if (of_context && __atomic_load_n(&mock_cuda.lost_in, __ATOMIC_ACQUIRE) > 0 &&
        __atomic_sub_fetch(&mock_cuda.lost_in, 1, __ATOMIC_ACQ_REL) == 0)
        __atomic_store_n(&mock_cuda.lost, RK_CUDA_ERROR_ILLEGAL_ADDRESS, __ATOMIC_RELEASE);
    int lost = __atomic_load_n(&mock_cuda.lost, __ATOMIC_ACQUIRE);
    const char *fails = __atomic_load_n(&mock_cuda.fails, __ATOMIC_ACQUIRE);
    if (of_context && lost) return (rk_cu_result)lost;
    if (of_context && mock_lost(mock_device())) return RK_CUDA_ERROR_ILLEGAL_ADDRESS;
    if (fails && strcmp(fails, function) == 0 &&
        __atomic_fetch_sub(&mock_cuda.after, 1, __ATOMIC_ACQ_REL) <= 0) {
        __atomic_store_n(&mock_cuda.after, 0, __ATOMIC_RELEASE);
        if (mock_cuda.once) __atomic_store_n(&mock_cuda.fails, 0, __ATOMIC_RELEASE);
        return (rk_cu_result)mock_cuda.failure;
    }
    return RK_CUDA_SUCCESS;
}

/* What was called, in order. */
void mock_note(const char *what)
{
    static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&noting);
    unsigned n = mock_cuda.called;
    if (n < MOCK_CALLS) snprintf(mock_cuda.call[n], sizeof *mock_cuda.call, "%s", what);
    __atomic_store_n(&mock_cuda.called, n + 1, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&noting);
}

/* A call that waits until all kernels have ended. Here it doesn't wait, and is told. */
void mock_waits(const char *what, int device)
{
    mock_note(what);
    if (mock_is_busy(device)) mock_count(&mock_cuda.waits, 1);
}

void mock_cuda_reset(void)
{
    mock_streams_reset();
    mock_memory_reset();
    mock_cuda = (mock_cuda_state){ .version = 13000, .devices = 1, .bytes_left = (size_t)80 << 30 };
}

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

rk_cu_result cuDeviceGetP2PAttribute(int *value, rk_cu_peer_attribute attribute, rk_cu_device from,
                                     rk_cu_device to)
{
    BEGIN(0);
    *value = attribute == RK_CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED ? mock_cuda.links == 0
                                                                             : mock_cuda.links != 1;
    if (from == to) return RK_CUDA_ERROR_INVALID_DEVICE;
    return check_device(from) == RK_CUDA_SUCCESS ? check_device(to) : RK_CUDA_ERROR_INVALID_DEVICE;
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
    mock_count(&mock_cuda.contexts, 1);
    *context = (rk_cu_context)(void *)&mock_contexts[device];
    return check_device(device);
}
rk_cu_result cuDevicePrimaryCtxRelease(rk_cu_device device)
{
    BEGIN(0);
    if (mock_cuda.contexts == 0) return RK_CUDA_ERROR_INVALID_CONTEXT;
    mock_count(&mock_cuda.contexts, -1);
    return check_device(device);
}

#define current mock_current
static __thread rk_cu_context pushed[8]; /* what was current before */
static __thread int pushes;
rk_cu_result cuCtxPushCurrent(rk_cu_context context)
{
    BEGIN(0);
    if (pushes == 8) return RK_CUDA_ERROR_INVALID_CONTEXT;
    pushed[pushes++] = current;
    current = context;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuCtxPopCurrent(rk_cu_context *context)
{
    BEGIN(0);
    if (pushes == 0 && !current) return RK_CUDA_ERROR_INVALID_CONTEXT;
    *context = current;
    current = pushes ? pushed[--pushes] : 0; /* one that was set is one of them, too */
    return RK_CUDA_SUCCESS;
}
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
    *device = mock_device();
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
    mock_waits(__func__, mock_device());
    snprintf(mock_cuda.image, sizeof mock_cuda.image, "%s",
             (const char *)image); /* the mock compiler's are text */
    static size_t serial;
    *module = (rk_cu_module)(void *)(__atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED) * 16);
    if (mock_machine_is) *module = (rk_cu_module)mock_machine_is->load(image);
    if (!*module) return RK_CUDA_ERROR_INVALID_VALUE;
    mock_count(&mock_cuda.modules, 1);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuModuleUnload(rk_cu_module module)
{
    BEGIN(1);
    mock_waits(__func__, mock_device());
    if (!module) return RK_CUDA_ERROR_INVALID_VALUE;
    if (mock_machine_is) mock_machine_is->unload(module);
    mock_count(&mock_cuda.modules, -1);
    return RK_CUDA_SUCCESS;
}

static mock_function functions[1024];
rk_cu_result cuModuleGetFunction(rk_cu_function *function, rk_cu_module module, const char *name)
{
    BEGIN(1);
    void *of = mock_machine_is ? (void *)module : 0, *found = of ? mock_machine_is->find(of, name) : 0;
    if (of && !found) return RK_CUDA_ERROR_NOT_FOUND;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) { /* called by one thread at a time */
        mock_function *f = &functions[i];
        if (!f->name[0]) {
            snprintf(f->name, sizeof f->name, "%s", name);
            f->module = of;
        }
        *function = (rk_cu_function)(void *)f;
        if (strcmp(f->name, name) || f->module != of) continue;
        f->loaded = 0;
        f->found = found; /* where a module was, there may be another one now */
        return RK_CUDA_SUCCESS;
    }
    return RK_CUDA_ERROR_NOT_FOUND;
}
void mock_load(rk_cu_function function)
{
    mock_function *f = (mock_function *)(void *)function;
    if (!__atomic_exchange_n(&f->loaded, 1, __ATOMIC_ACQ_REL) && mock_is_busy(mock_device()))
        mock_count(&mock_cuda.waits, 1);
}
rk_cu_result cuFuncLoad(rk_cu_function function)
{
    BEGIN(1);
    mock_load(function);
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuFuncGetAttribute(int *value, rk_cu_function_attribute attribute, rk_cu_function function)
{
    BEGIN(1);
    (void)function;
    *value = attribute == RK_CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuFuncSetAttribute(rk_cu_function function, rk_cu_function_attribute attribute, int value)
{
    BEGIN(1);
    if (attribute != RK_CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return RK_CUDA_SUCCESS;
    if (value > 232448 - mock_cuda.static_shared) return RK_CUDA_ERROR_INVALID_VALUE;
    ((mock_function *)(void *)function)->dynamic_most = (unsigned)value;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, rk_cu_function function, int threads,
                                                         size_t shared_bytes)
{
    BEGIN(1);
    (void)function;
    *blocks = threads > 1024 || shared_bytes > 232448 || mock_cuda.per_processor < 0 ? 0
              : mock_cuda.sparse && !strstr(mock_cuda.image, ", dense")              ? mock_cuda.sparse
              : mock_cuda.per_processor                                              ? mock_cuda.per_processor
                                                                                     : 2048 / threads;
    return RK_CUDA_SUCCESS;
}
rk_cu_result cuOccupancyMaxActiveClusters(int *clusters, rk_cu_function function, const rk_cu_launch *launch)
{
    BEGIN(1);
    (void)function, (void)launch;
    *clusters = 16;
    return RK_CUDA_SUCCESS;
}
