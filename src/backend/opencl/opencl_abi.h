/* What the backend uses of OpenCL 1.2 and, where a device has it, of 3.0: types, numbers and prototypes of our own, so
 * that no header of OpenCL is needed. Compared with CL/cl.h by opencl_abi_test.c. */
#ifndef RK_BACKEND_OPENCL_OPENCL_ABI_H
#define RK_BACKEND_OPENCL_OPENCL_ABI_H

#include <stddef.h>

#include <ringkernel/device/types.h>

typedef struct rk_cl_platform_ *rk_cl_platform;
typedef struct rk_cl_device_ *rk_cl_device;
typedef struct rk_cl_context_ *rk_cl_context;
typedef struct rk_cl_queue_ *rk_cl_queue;
typedef struct rk_cl_memory_ *rk_cl_memory;
typedef struct rk_cl_program_ *rk_cl_program;
typedef struct rk_cl_kernel_ *rk_cl_kernel;
typedef struct rk_cl_event_ *rk_cl_event;
typedef rk_i32 rk_cl_result;

/* Every number that is used: name and value. */
#define RK_CL_NUMBERS(X)                              \
    X(SUCCESS, 0)                                     \
    X(DEVICE_NOT_FOUND, -1)                           \
    X(DEVICE_NOT_AVAILABLE, -2)                       \
    X(COMPILER_NOT_AVAILABLE, -3)                     \
    X(MEM_OBJECT_ALLOCATION_FAILURE, -4)              \
    X(OUT_OF_RESOURCES, -5)                           \
    X(OUT_OF_HOST_MEMORY, -6)                         \
    X(BUILD_PROGRAM_FAILURE, -11)                     \
    X(EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14) \
    X(INVALID_CONTEXT, -34)                           \
    X(INVALID_COMMAND_QUEUE, -36)                     \
    X(INVALID_BINARY, -42)                            \
    X(INVALID_BUILD_OPTIONS, -43)                     \
    X(INVALID_WORK_GROUP_SIZE, -54)                   \
    X(INVALID_BUFFER_SIZE, -61)                       \
    X(PLATFORM_VERSION, 0x0901)                       \
    X(PLATFORM_NAME, 0x0902)                          \
    X(DEVICE_TYPE, 0x1000)                            \
    X(DEVICE_TYPE_CPU, 2)                             \
    X(DEVICE_TYPE_GPU, 4)                             \
    X(DEVICE_TYPE_ALL, 0xFFFFFFFF)                    \
    X(DEVICE_MAX_COMPUTE_UNITS, 0x1002)               \
    X(DEVICE_MAX_WORK_GROUP_SIZE, 0x1004)             \
    X(DEVICE_MAX_MEM_ALLOC_SIZE, 0x1010)              \
    X(DEVICE_GLOBAL_MEM_SIZE, 0x101F)                 \
    X(DEVICE_LOCAL_MEM_SIZE, 0x1023)                  \
    X(DEVICE_ENDIAN_LITTLE, 0x1026)                   \
    X(DEVICE_AVAILABLE, 0x1027)                       \
    X(DEVICE_COMPILER_AVAILABLE, 0x1028)              \
    X(DEVICE_NAME, 0x102B)                            \
    X(DRIVER_VERSION, 0x102D)                         \
    X(DEVICE_VERSION, 0x102F)                         \
    X(DEVICE_EXTENSIONS, 0x1030)                      \
    X(DEVICE_DOUBLE_FP_CONFIG, 0x1032)                \
    X(DEVICE_OPENCL_C_VERSION, 0x103D)                \
    X(DEVICE_SVM_CAPABILITIES, 0x1053)                \
    X(DEVICE_SVM_COARSE_GRAIN_BUFFER, 1)              \
    X(DEVICE_SVM_FINE_GRAIN_BUFFER, 2)                \
    X(DEVICE_SVM_FINE_GRAIN_SYSTEM, 4)                \
    X(DEVICE_SVM_ATOMICS, 8)                          \
    X(DEVICE_MAX_NUM_SUB_GROUPS, 0x105C)              \
    X(DEVICE_ATOMIC_MEMORY_CAPABILITIES, 0x1063)      \
    X(DEVICE_ATOMIC_ORDER_ACQ_REL, 2)                 \
    X(DEVICE_ATOMIC_ORDER_SEQ_CST, 4)                 \
    X(DEVICE_ATOMIC_SCOPE_DEVICE, 32)                 \
    X(DEVICE_OPENCL_C_ALL_VERSIONS, 0x1066)           \
    X(DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, 0x4000)     \
    X(DEVICE_COMPUTE_CAPABILITY_MINOR_NV, 0x4001)     \
    X(MEM_READ_WRITE, 1)                              \
    X(MEM_SVM_FINE_GRAIN_BUFFER, 1024)                \
    X(MEM_SVM_ATOMICS, 2048)                          \
    X(PROGRAM_BINARY_SIZES, 0x1165)                   \
    X(PROGRAM_BINARIES, 0x1166)                       \
    X(PROGRAM_BUILD_LOG, 0x1183)                      \
    X(KERNEL_WORK_GROUP_SIZE, 0x11B0)                 \
    X(KERNEL_COMPILE_WORK_GROUP_SIZE, 0x11B1)         \
    X(EVENT_COMMAND_EXECUTION_STATUS, 0x11D3)         \
    X(COMPLETE, 0)                                    \
    X(RUNNING, 1)                                     \
    X(SUBMITTED, 2)                                   \
    X(QUEUED, 3)

#define RK_CL_NUMBER_(name, value) RK_CL_##name = (rk_i64)(value),
enum { RK_CL_NUMBERS(RK_CL_NUMBER_) RK_CL_NAME_LENGTH = 64 };
#define RK_CL_NV_ILLEGAL_ACCESS (-9999) /* in no header */

/* An entry of DEVICE_OPENCL_C_ALL_VERSIONS. */
typedef struct rk_cl_name_version {
    rk_u32 version; /* major << 22 | minor << 12 | patch */
    char name[RK_CL_NAME_LENGTH];
} rk_cl_name_version;

typedef void (*rk_cl_told)(rk_cl_event event, rk_i32 status, void *user);

/* Every function that is used: name, result, parameters. */
#define RK_CL_FUNCTIONS(X)                                                                                  \
    X(clGetPlatformIDs, rk_cl_result, (rk_u32 room, rk_cl_platform * platforms, rk_u32 * count))            \
    X(clGetPlatformInfo, rk_cl_result,                                                                      \
      (rk_cl_platform platform, rk_u32 what, size_t size, void *value, size_t *needed))                     \
    X(clGetDeviceIDs, rk_cl_result,                                                                         \
      (rk_cl_platform platform, rk_u64 type, rk_u32 room, rk_cl_device * devices, rk_u32 * count))          \
    X(clGetDeviceInfo, rk_cl_result,                                                                        \
      (rk_cl_device device, rk_u32 what, size_t size, void *value, size_t *needed))                         \
    X(clCreateContext, rk_cl_context,                                                                       \
      (const rk_i64 *properties, rk_u32 count, const rk_cl_device *devices, void *told, void *user,         \
       rk_cl_result *result))                                                                               \
    X(clReleaseContext, rk_cl_result, (rk_cl_context context))                                              \
    X(clCreateCommandQueue, rk_cl_queue,                                                                    \
      (rk_cl_context context, rk_cl_device device, rk_u64 properties, rk_cl_result * result))               \
    X(clReleaseCommandQueue, rk_cl_result, (rk_cl_queue queue))                                             \
    X(clCreateBuffer, rk_cl_memory,                                                                         \
      (rk_cl_context context, rk_u64 flags, size_t size, void *host, rk_cl_result *result))                 \
    X(clReleaseMemObject, rk_cl_result, (rk_cl_memory memory))                                              \
    X(clEnqueueReadBuffer, rk_cl_result,                                                                    \
      (rk_cl_queue queue, rk_cl_memory memory, rk_u32 blocking, size_t offset, size_t size, void *to,       \
       rk_u32 waits, const rk_cl_event *wait, rk_cl_event *event))                                          \
    X(clEnqueueWriteBuffer, rk_cl_result,                                                                   \
      (rk_cl_queue queue, rk_cl_memory memory, rk_u32 blocking, size_t offset, size_t size,                 \
       const void *from, rk_u32 waits, const rk_cl_event *wait, rk_cl_event *event))                        \
    X(clEnqueueFillBuffer, rk_cl_result,                                                                    \
      (rk_cl_queue queue, rk_cl_memory memory, const void *pattern, size_t pattern_size, size_t offset,     \
       size_t size, rk_u32 waits, const rk_cl_event *wait, rk_cl_event *event))                             \
    X(clCreateProgramWithSource, rk_cl_program,                                                             \
      (rk_cl_context context, rk_u32 count, const char **texts, const size_t *sizes, rk_cl_result *result)) \
    X(clCreateProgramWithBinary, rk_cl_program,                                                             \
      (rk_cl_context context, rk_u32 count, const rk_cl_device *devices, const size_t *sizes,               \
       const unsigned char **binaries, rk_cl_result *status, rk_cl_result *result))                         \
    X(clBuildProgram, rk_cl_result,                                                                         \
      (rk_cl_program program, rk_u32 count, const rk_cl_device *devices, const char *options, void *told,   \
       void *user))                                                                                         \
    X(clGetProgramBuildInfo, rk_cl_result,                                                                  \
      (rk_cl_program program, rk_cl_device device, rk_u32 what, size_t size, void *value, size_t *needed))  \
    X(clGetProgramInfo, rk_cl_result,                                                                       \
      (rk_cl_program program, rk_u32 what, size_t size, void *value, size_t *needed))                       \
    X(clReleaseProgram, rk_cl_result, (rk_cl_program program))                                              \
    X(clCreateKernel, rk_cl_kernel, (rk_cl_program program, const char *name, rk_cl_result *result))        \
    X(clReleaseKernel, rk_cl_result, (rk_cl_kernel kernel))                                                 \
    X(clSetKernelArg, rk_cl_result, (rk_cl_kernel kernel, rk_u32 index, size_t size, const void *value))    \
    X(clGetKernelWorkGroupInfo, rk_cl_result,                                                               \
      (rk_cl_kernel kernel, rk_cl_device device, rk_u32 what, size_t size, void *value, size_t *needed))    \
    X(clEnqueueNDRangeKernel, rk_cl_result,                                                                 \
      (rk_cl_queue queue, rk_cl_kernel kernel, rk_u32 dimensions, const size_t *offset,                     \
       const size_t *global, const size_t *local, rk_u32 waits, const rk_cl_event *wait,                    \
       rk_cl_event *event))                                                                                 \
    X(clFlush, rk_cl_result, (rk_cl_queue queue))                                                           \
    X(clGetEventInfo, rk_cl_result,                                                                         \
      (rk_cl_event event, rk_u32 what, size_t size, void *value, size_t *needed))                           \
    X(clSetEventCallback, rk_cl_result, (rk_cl_event event, rk_i32 when, rk_cl_told told, void *user))      \
    X(clReleaseEvent, rk_cl_result, (rk_cl_event event))

/* Those of 2.0, which an older library hasn't: then 0. */
#define RK_CL_FUNCTIONS_2(X)                                                                    \
    X(clSVMAlloc, void *, (rk_cl_context context, rk_u64 flags, size_t size, rk_u32 alignment)) \
    X(clSVMFree, void, (rk_cl_context context, void *memory))                                   \
    X(clSetKernelArgSVMPointer, rk_cl_result, (rk_cl_kernel kernel, rk_u32 index, const void *memory))

#define RK_CL_TYPE_(name, result, parameters) typedef result(*rk_##name) parameters;
RK_CL_FUNCTIONS(RK_CL_TYPE_)
RK_CL_FUNCTIONS_2(RK_CL_TYPE_)

#endif
