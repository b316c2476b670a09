#include "cuda_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/error.h"

/* 7.5 is the oldest that NVRTC 13 compiles for; independent threads of a warp, which handlers rely on, came
 * with 7.0. */
#define OLDEST_ARCHITECTURE 75u

/* Without these there is no persistent kernel: it is reached by nothing but memory that both sides see. */
#define NEEDED (RK_CUDA_CAN_HOST_MEMORY | RK_CUDA_CAN_SAME_ADDRESS | RK_CUDA_CAN_CONCURRENT)

static const struct {
    rk_cu_device_attribute attribute;
    rk_u32 ability;
} abilities[] = {
    { RK_CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, RK_CUDA_CAN_COOPERATE },
    { RK_CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, RK_CUDA_CAN_CLUSTER },
    { RK_CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, RK_CUDA_CAN_MAP },
    { RK_CU_DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, RK_CUDA_CAN_MAP_HOST },
    { RK_CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED, RK_CUDA_CAN_HOST_ATOMICS },
    { RK_CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, RK_CUDA_CAN_HOST_MEMORY },
    { RK_CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, RK_CUDA_CAN_REGISTER },
    { RK_CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, RK_CUDA_CAN_SAME_ADDRESS },
    { RK_CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, RK_CUDA_CAN_CONCURRENT },
    { RK_CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, RK_CUDA_CAN_PRIORITIES },
    { RK_CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, RK_CUDA_CAN_PREEMPT },
    { RK_CU_DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED, RK_CUDA_CAN_DMA_BUF },
    { RK_CU_DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT, RK_CUDA_CAN_WATCHDOG },
    { RK_CU_DEVICE_ATTRIBUTE_INTEGRATED, RK_CUDA_CAN_INTEGRATED },
};

/* 0 for an attribute that this driver doesn't know: what is new can't be lost by that. *result keeps the first failure. */
static rk_u32 attribute_of(const rk_cuda *cuda, rk_cu_device device, rk_cu_device_attribute attribute,
                           rk_cu_result *result)
{
    int value = 0;
    const rk_cu_result asked = cuda->cuDeviceGetAttribute(&value, attribute, device);
    if (asked != RK_CUDA_SUCCESS && asked != RK_CUDA_ERROR_INVALID_VALUE && *result == RK_CUDA_SUCCESS)
        *result = asked;
    return asked == RK_CUDA_SUCCESS ? (rk_u32)value : 0;
}

static rk_cu_result describe_attributes(const rk_cuda *cuda, rk_cuda_device *d)
{
    const struct {
        rk_u32 *field;
        rk_cu_device_attribute attribute;
    } numbers[] = {
        { &d->multiprocessors, RK_CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT },
        { &d->block_threads, RK_CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK },
        { &d->resident_threads, RK_CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR },
        { &d->block_shared, RK_CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN },
        { &d->cache, RK_CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE },
    };
    rk_cu_result result = RK_CUDA_SUCCESS;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].field = attribute_of(cuda, d->handle, numbers[i].attribute, &result);
    for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
        if (attribute_of(cuda, d->handle, abilities[i].attribute, &result)) d->can |= abilities[i].ability;
    d->architecture =
        attribute_of(cuda, d->handle, RK_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, &result) * 10 +
        attribute_of(cuda, d->handle, RK_CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, &result);
    int node = 0;
    if (cuda->cuDeviceGetAttribute(&node, RK_CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID, d->handle) !=
            RK_CUDA_SUCCESS ||
        node < 0)
        node = (int)RK_CUDA_NO_NODE;
    d->numa_node = (rk_u32)node;
    return result;
}

rk_status rk_cuda_describe(const rk_cuda *cuda, rk_u32 ordinal, rk_cuda_device *device)
{
    size_t memory = 0;
    *device = (rk_cuda_device){ .handle = 0 };
    if (ordinal >= (rk_u32)cuda->device_count)
        return rk_error(RK_INVALID_ARGUMENT, "there is no CUDA device %u: there are %d, from 0 on", ordinal,
                        cuda->device_count);
    rk_cu_result result = cuda->cuDeviceGet(&device->handle, (int)ordinal);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->cuDeviceGetName(device->name, sizeof device->name, device->handle);
    if (result == RK_CUDA_SUCCESS)
        result = cuda->cuDeviceGetPCIBusId(device->bus_id, sizeof device->bus_id, device->handle);
    if (result == RK_CUDA_SUCCESS) result = cuda->cuDeviceTotalMem(&memory, device->handle);
    if (result == RK_CUDA_SUCCESS) result = describe_attributes(cuda, device);
    if (result != RK_CUDA_SUCCESS)
        return rk_cuda_error(cuda, result, "asking CUDA device %u what it is", ordinal);
    device->memory = memory;
    return RK_OK;
}

rk_status rk_cuda_device_check(const rk_cuda_device *device)
{
    rk_status status = RK_OK;
    if (device->architecture < OLDEST_ARCHITECTURE)
        status = rk_error(RK_UNSUPPORTED, "%s has compute capability %u.%u: %u.%u is the oldest that works",
                          device->name, device->architecture / 10, device->architecture % 10,
                          OLDEST_ARCHITECTURE / 10, OLDEST_ARCHITECTURE % 10);
    for (rk_u32 bit = 0; bit < 32; bit++)
        if ((NEEDED & ~device->can) >> bit & 1u)
            status = rk_error(RK_UNSUPPORTED, "%s lacks what ring kernels need: %s", device->name,
                              rk_cuda_ability(bit));
    return status;
}

static rk_u32 peer_attribute_of(const rk_cuda *cuda, const rk_cuda_device *from, const rk_cuda_device *to,
                                rk_cu_peer_attribute attribute)
{
    int value = 0;
    return cuda->cuDeviceGetP2PAttribute(&value, attribute, from->handle, to->handle) == RK_CUDA_SUCCESS &&
           value;
}

rk_cuda_link rk_cuda_link_of(const rk_cuda *cuda, const rk_cuda_device *from, const rk_cuda_device *to)
{
    return (rk_cuda_link){
        peer_attribute_of(cuda, from, to, RK_CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED),
        peer_attribute_of(cuda, from, to, RK_CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED),
    };
}

void rk_cuda_host_window(const rk_cuda_device *device, const char *node, char *text, size_t size)
{
    if (device->can & RK_CUDA_CAN_INTEGRATED)
        snprintf(text, size, "it is the host's");
    else if (access(node, R_OK | W_OK) == 0)
        snprintf(text, size, "could be mapped by GDRCopy (%s); lanes use pinned memory all the same", node);
    else
        snprintf(text, size, "not mapped: GDRCopy's driver can't be used (%s: %s)", node, strerror(errno));
}

const char *rk_cuda_ability(rk_u32 bit)
{
#define WORDS_(bit_, name, words) [bit_] = (words),
    static const char *const all[32] = { RK_CUDA_ABILITIES(WORDS_) };
    return bit < 32 && all[bit] ? all[bit] : "";
}
