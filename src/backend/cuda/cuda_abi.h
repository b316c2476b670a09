/* The part of the CUDA driver's interface that we use, written down by ourselves: types, values, and a list
 * of functions.
 *
 * The library builds where no CUDA is installed, so nothing of cuda.h may be needed. Each function stands
 * with the CUDA version that gave it this form: the driver is asked for exactly that form, and a later one of
 * the same name is another function. Where cuda.h is there, cuda_abi_test.c compares all of this with it when
 * it is compiled. */
#ifndef RK_BACKEND_CUDA_ABI_H
#define RK_BACKEND_CUDA_ABI_H

#include <stddef.h>

typedef int rk_cu_device;
typedef unsigned long long rk_cu_address; /* of the device */
typedef unsigned long long rk_cu_memory;  /* physical memory, to be mapped */
typedef struct rk_cu_context_ *rk_cu_context;
typedef struct rk_cu_module_ *rk_cu_module;
typedef struct rk_cu_function_ *rk_cu_function;
typedef struct rk_cu_stream_ *rk_cu_stream;
typedef struct rk_cu_event_ *rk_cu_event;

/* ------------------------------------------------------------------ results */

#define RK_CU_RESULTS(V)                         \
    V(SUCCESS, 0)                                \
    V(ERROR_INVALID_VALUE, 1)                    \
    V(ERROR_OUT_OF_MEMORY, 2)                    \
    V(ERROR_NOT_INITIALIZED, 3)                  \
    V(ERROR_DEINITIALIZED, 4)                    \
    V(ERROR_STUB_LIBRARY, 34)                    \
    V(ERROR_DEVICE_UNAVAILABLE, 46)              \
    V(ERROR_NO_DEVICE, 100)                      \
    V(ERROR_INVALID_DEVICE, 101)                 \
    V(ERROR_INVALID_IMAGE, 200)                  \
    V(ERROR_INVALID_CONTEXT, 201)                \
    V(ERROR_NO_BINARY_FOR_GPU, 209)              \
    V(ERROR_ECC_UNCORRECTABLE, 214)              \
    V(ERROR_INVALID_PTX, 218)                    \
    V(ERROR_NVLINK_UNCORRECTABLE, 220)           \
    V(ERROR_JIT_COMPILER_NOT_FOUND, 221)         \
    V(ERROR_UNSUPPORTED_PTX_VERSION, 222)        \
    V(ERROR_OPERATING_SYSTEM, 304)               \
    V(ERROR_NOT_FOUND, 500)                      \
    V(ERROR_NOT_READY, 600)                      \
    V(ERROR_ILLEGAL_ADDRESS, 700)                \
    V(ERROR_LAUNCH_OUT_OF_RESOURCES, 701)        \
    V(ERROR_LAUNCH_TIMEOUT, 702)                 \
    V(ERROR_CONTEXT_IS_DESTROYED, 709)           \
    V(ERROR_ASSERT, 710)                         \
    V(ERROR_HARDWARE_STACK_ERROR, 714)           \
    V(ERROR_ILLEGAL_INSTRUCTION, 715)            \
    V(ERROR_MISALIGNED_ADDRESS, 716)             \
    V(ERROR_INVALID_ADDRESS_SPACE, 717)          \
    V(ERROR_INVALID_PC, 718)                     \
    V(ERROR_LAUNCH_FAILED, 719)                  \
    V(ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, 720)   \
    V(ERROR_NOT_PERMITTED, 800)                  \
    V(ERROR_NOT_SUPPORTED, 801)                  \
    V(ERROR_SYSTEM_NOT_READY, 802)               \
    V(ERROR_SYSTEM_DRIVER_MISMATCH, 803)         \
    V(ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, 804) \
    V(ERROR_INVALID_CLUSTER_SIZE, 912)           \
    V(ERROR_UNKNOWN, 999)
#define RK_CU_RESULT_(name, value) RK_CUDA_##name = (value),
typedef enum rk_cu_result { RK_CU_RESULTS(RK_CU_RESULT_) } rk_cu_result;

/* Results that end a context, of later drivers; see rk_cuda_lost. */
#define RK_CUDA_ERROR_CONTAINED 226
#define RK_CUDA_ERROR_TENSOR_MEMORY_LEAK 721

/* ------------------------------------------------------------------ values, by the names of cuda.h */

#define RK_CU_VALUES(V)                                             \
    V(DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1)                    \
    V(DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 16)                    \
    V(DEVICE_ATTRIBUTE_KERNEL_EXEC_TIMEOUT, 17)                     \
    V(DEVICE_ATTRIBUTE_INTEGRATED, 18)                              \
    V(DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 19)                     \
    V(DEVICE_ATTRIBUTE_COMPUTE_MODE, 20)                            \
    V(DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 31)                      \
    V(DEVICE_ATTRIBUTE_L2_CACHE_SIZE, 38)                           \
    V(DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, 39)          \
    V(DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 41)                      \
    V(DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 75)                \
    V(DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 76)                \
    V(DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 78)             \
    V(DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED, 86)            \
    V(DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, 90)            \
    V(DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 91) \
    V(DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 95)                      \
    V(DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, 97)       \
    V(DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 99)                 \
    V(DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 102)    \
    V(DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, 120)                         \
    V(DEVICE_ATTRIBUTE_DMA_BUF_SUPPORTED, 124)                      \
    V(DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, 2)                     \
    V(DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED, 3)              \
    V(COMPUTEMODE_PROHIBITED, 2)                                    \
    V(COMPUTEMODE_EXCLUSIVE_PROCESS, 3)                             \
    V(FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 0)                      \
    V(FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 1)                          \
    V(FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, 3)                           \
    V(FUNC_ATTRIBUTE_NUM_REGS, 4)                                   \
    V(FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 8)              \
    V(FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 14)         \
    V(STREAM_NON_BLOCKING, 1)                                       \
    V(EVENT_DISABLE_TIMING, 2)                                      \
    V(JIT_ERROR_LOG_BUFFER, 5)                                      \
    V(JIT_ERROR_LOG_BUFFER_SIZE_BYTES, 6)                           \
    V(MEM_LOCATION_TYPE_DEVICE, 1)                                  \
    V(MEM_ALLOCATION_TYPE_PINNED, 1)                                \
    V(MEM_ACCESS_FLAGS_PROT_READWRITE, 3)                           \
    V(MEM_ALLOC_GRANULARITY_MINIMUM, 0)                             \
    V(MEM_ALLOC_GRANULARITY_RECOMMENDED, 1)                         \
    V(LAUNCH_ATTRIBUTE_COOPERATIVE, 2)                              \
    V(LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, 4)                        \
    V(LAUNCH_ATTRIBUTE_PRIORITY, 8)                                 \
    V(GET_PROC_ADDRESS_DEFAULT, 0)                                  \
    V(GET_PROC_ADDRESS_SUCCESS, 0)
/* The same, that cuda.h has from 12.2 on only: memory of a host's NUMA node mapped like the device's. */
#define RK_CU_VALUES_12020(V)                                              \
    V(DEVICE_ATTRIBUTE_HOST_NUMA_ID, 134)                                  \
    V(DEVICE_ATTRIBUTE_HOST_NUMA_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 141) \
    V(MEM_LOCATION_TYPE_HOST_NUMA, 3)
/* Flags that cuda.h has as macros. */
#define RK_CU_FLAGS(V)               \
    V(MEMHOSTALLOC_PORTABLE, 1)      \
    V(MEMHOSTALLOC_DEVICEMAP, 2)     \
    V(MEMHOSTALLOC_WRITECOMBINED, 4) \
    V(MEMHOSTREGISTER_PORTABLE, 1)   \
    V(MEMHOSTREGISTER_DEVICEMAP, 2)
#define RK_CU_VALUE_(name, value) RK_CU_##name = (value),
enum { RK_CU_VALUES(RK_CU_VALUE_) RK_CU_VALUES_12020(RK_CU_VALUE_) RK_CU_FLAGS(RK_CU_VALUE_) };

/* ------------------------------------------------------------------ structures */

typedef struct rk_cu_location {
    int type; /* RK_CU_MEM_LOCATION_TYPE_* */
    int id;   /* device or NUMA node */
} rk_cu_location;

typedef struct rk_cu_memory_properties {
    int type; /* RK_CU_MEM_ALLOCATION_TYPE_PINNED */
    int requested_handle_types;
    rk_cu_location location;
    void *unused; /* Windows */
    unsigned char compression, direct_rdma;
    unsigned short usage;
    unsigned char reserved[4];
} rk_cu_memory_properties;

typedef struct rk_cu_access {
    rk_cu_location location;
    int flags; /* RK_CU_MEM_ACCESS_FLAGS_* */
} rk_cu_access;

typedef struct rk_cu_launch_attribute {
    int id; /* RK_CU_LAUNCH_ATTRIBUTE_* */
    char unused[4];
    union {
        struct {
            unsigned x, y, z;
        } cluster;
        int cooperative;
        int priority;
        char room[64];
    } value;
} rk_cu_launch_attribute;

typedef struct rk_cu_launch {
    unsigned grid_x, grid_y, grid_z;
    unsigned block_x, block_y, block_z;
    unsigned shared_bytes;
    rk_cu_stream stream;
    rk_cu_launch_attribute *attributes;
    unsigned attribute_count;
} rk_cu_launch;

/* ------------------------------------------------------------------ functions */

/* F(name, CUDA version of this form, parameters). All return a result.
 *
 * A call that waits for the device's kernels to end waits for ever behind one that stays. Tried behind resident
 * kernels (driver 580, H100, CUDA_MODULE_LOADING lazy and eager):
 *     wait        cuModuleLoadDataEx, cuModuleUnload, cuMemFree, cuMemFreeHost, cuMemHostUnregister
 *     don't       cuMemAlloc, cuMemHostAlloc, cuMemHostRegister; reserve, create, map, set access, unmap and
 *                 release of virtual memory; streams and events, made and destroyed; cuMemcpyAsync and
 *                 cuMemsetD8Async in a stream of their own; launches; of a module that is loaded
 *                 cuModuleGetFunction, cuFuncLoad, cuFuncSetAttribute, occupancy; cuMemGetInfo
 * At most 128 kernels are resident at once, however small; the next ones start when some end. */
/* clang-format off */
#define RK_CU_FUNCTIONS(F)                                                                                 \
    F(cuInit, 2000, (unsigned flags))                                                                      \
    F(cuDriverGetVersion, 2020, (int *version))                                                            \
    F(cuGetErrorName, 6000, (rk_cu_result result, const char **name))                                      \
    F(cuGetErrorString, 6000, (rk_cu_result result, const char **text))                                    \
    F(cuDeviceGetCount, 2000, (int *count))                                                                \
    F(cuDeviceGet, 2000, (rk_cu_device *device, int ordinal))                                              \
    F(cuDeviceGetName, 2000, (char *name, int room, rk_cu_device device))                                  \
    F(cuDeviceGetPCIBusId, 4010, (char *id, int room, rk_cu_device device))                                \
    F(cuDeviceGetAttribute, 2000, (int *value, rk_cu_device_attribute attribute, rk_cu_device device))     \
    F(cuDeviceTotalMem, 3020, (size_t *bytes, rk_cu_device device))                                        \
    F(cuDeviceGetP2PAttribute, 8000, (int *value, rk_cu_peer_attribute attribute, rk_cu_device from,       \
                                      rk_cu_device to))                                                    \
    F(cuDevicePrimaryCtxRetain, 7000, (rk_cu_context *context, rk_cu_device device))                       \
    F(cuDevicePrimaryCtxRelease, 11000, (rk_cu_device device))                                             \
    F(cuCtxPushCurrent, 4000, (rk_cu_context context))                                                     \
    F(cuCtxPopCurrent, 4000, (rk_cu_context *context))                                                     \
    F(cuCtxSetCurrent, 4000, (rk_cu_context context))                                                      \
    F(cuCtxGetCurrent, 4000, (rk_cu_context *context))                                                     \
    F(cuCtxGetDevice, 2000, (rk_cu_device *device))                                                        \
    F(cuCtxGetStreamPriorityRange, 5050, (int *least, int *greatest))                                      \
    F(cuModuleLoadDataEx, 2010, (rk_cu_module *module, const void *image, unsigned count,                  \
                                 rk_cu_jit_option *options, void **values))                                \
    F(cuModuleUnload, 2000, (rk_cu_module module))                                                         \
    F(cuModuleGetFunction, 2000, (rk_cu_function *function, rk_cu_module module, const char *name))        \
    F(cuFuncGetAttribute, 2020, (int *value, rk_cu_function_attribute attribute, rk_cu_function function)) \
    F(cuFuncSetAttribute, 9000, (rk_cu_function function, rk_cu_function_attribute attribute, int value))  \
    F(cuOccupancyMaxActiveBlocksPerMultiprocessor, 6050, (int *blocks, rk_cu_function function,            \
                                                          int threads, size_t shared_bytes))               \
    F(cuOccupancyMaxActiveClusters, 11070, (int *clusters, rk_cu_function function,                        \
                                            const rk_cu_launch *launch))                                   \
    F(cuStreamCreateWithPriority, 5050, (rk_cu_stream *stream, unsigned flags, int priority))              \
    F(cuStreamDestroy, 4000, (rk_cu_stream stream))                                                        \
    F(cuStreamQuery, 2000, (rk_cu_stream stream))                                                          \
    F(cuStreamWaitEvent, 3020, (rk_cu_stream stream, rk_cu_event event, unsigned flags))                   \
    F(cuEventCreate, 2000, (rk_cu_event *event, unsigned flags))                                           \
    F(cuEventDestroy, 4000, (rk_cu_event event))                                                           \
    F(cuEventRecord, 2000, (rk_cu_event event, rk_cu_stream stream))                                       \
    F(cuEventQuery, 2000, (rk_cu_event event))                                                             \
    F(cuMemGetInfo, 3020, (size_t *available, size_t *total))                                              \
    F(cuMemAlloc, 3020, (rk_cu_address *address, size_t bytes))                                            \
    F(cuMemFree, 3020, (rk_cu_address address))                                                            \
    F(cuMemHostAlloc, 2020, (void **memory, size_t bytes, unsigned flags))                                 \
    F(cuMemFreeHost, 2000, (void *memory))                                                                 \
    F(cuMemHostRegister, 6050, (void *memory, size_t bytes, unsigned flags))                               \
    F(cuMemHostUnregister, 4000, (void *memory))                                                           \
    F(cuMemHostGetDevicePointer, 3020, (rk_cu_address *address, void *memory, unsigned flags))             \
    F(cuMemGetAllocationGranularity, 10020, (size_t *bytes, const rk_cu_memory_properties *properties,     \
                                             rk_cu_granularity_flag which))                                \
    F(cuMemAddressReserve, 10020, (rk_cu_address *address, size_t bytes, size_t alignment,                 \
                                   rk_cu_address wished, unsigned long long flags))                        \
    F(cuMemAddressFree, 10020, (rk_cu_address address, size_t bytes))                                      \
    F(cuMemCreate, 10020, (rk_cu_memory *memory, size_t bytes, const rk_cu_memory_properties *properties,  \
                           unsigned long long flags))                                                      \
    F(cuMemRelease, 10020, (rk_cu_memory memory))                                                          \
    F(cuMemMap, 10020, (rk_cu_address address, size_t bytes, size_t offset, rk_cu_memory memory,           \
                        unsigned long long flags))                                                         \
    F(cuMemUnmap, 10020, (rk_cu_address address, size_t bytes))                                            \
    F(cuMemSetAccess, 10020, (rk_cu_address address, size_t bytes, const rk_cu_access *access,             \
                              size_t count))                                                               \
    F(cuMemcpyAsync, 4000, (rk_cu_address to, rk_cu_address from, size_t bytes, rk_cu_stream stream))      \
    F(cuMemsetD8Async, 3020, (rk_cu_address to, unsigned char value, size_t bytes, rk_cu_stream stream))   \
    F(cuLaunchKernel, 4000, (rk_cu_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,   \
                             unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,  \
                             rk_cu_stream stream, void **arguments, void **extra))                         \
    F(cuLaunchCooperativeKernel, 9000, (rk_cu_function function, unsigned grid_x, unsigned grid_y,         \
                                        unsigned grid_z, unsigned block_x, unsigned block_y,               \
                                        unsigned block_z, unsigned shared_bytes, rk_cu_stream stream,      \
                                        void **arguments))                                                 \
    F(cuLaunchKernelEx, 11060, (const rk_cu_launch *launch, rk_cu_function function, void **arguments,     \
                                void **extra))
/* Those that a driver of RK_CUDA_DRIVER_MINIMUM may lack: NULL then. */
#define RK_CU_LATER_FUNCTIONS(F)                                                                           \
    F(cuFuncLoad, 12040, (rk_cu_function function))
/* clang-format on */

/* Enumerations as parameters; the values above are passed. */
typedef unsigned rk_cu_device_attribute;
typedef unsigned rk_cu_peer_attribute;
typedef unsigned rk_cu_function_attribute;
typedef unsigned rk_cu_jit_option;
typedef unsigned rk_cu_granularity_flag;

#define RK_CU_TYPE_(name, version, parameters) typedef rk_cu_result(*rk_##name) parameters;
RK_CU_FUNCTIONS(RK_CU_TYPE_)
RK_CU_LATER_FUNCTIONS(RK_CU_TYPE_)

/* What finds the others, of CUDA 12.0. */
typedef rk_cu_result (*rk_cuGetProcAddress)(const char *name, void **function, int version,
                                            unsigned long long flags, int *found);

#endif
