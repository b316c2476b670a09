/* What we wrote down of CUDA is what its own headers say. All of it is compared when this file is compiled;
 * it is built where cuda.h is. */
#include <stdio.h>

#include "backend/cuda/cuda_abi.h"

#include <cuda.h>
#include <cudaTypedefs.h>

/* --- values --- */
#define SAME_RESULT(name, value) _Static_assert(CUDA_##name == (value), "CUDA_" #name);
#define SAME_VALUE(name, value) _Static_assert((int)CU_##name == (value), "CU_" #name);
RK_CU_RESULTS(SAME_RESULT)
RK_CU_VALUES(SAME_VALUE)
RK_CU_FLAGS(SAME_VALUE)
#if CUDA_VERSION >= 12020
RK_CU_VALUES_12020(SAME_VALUE)
#endif
#if CUDA_VERSION >= 13000
_Static_assert(CUDA_ERROR_CONTAINED == RK_CUDA_ERROR_CONTAINED, "CONTAINED");
_Static_assert(CUDA_ERROR_TENSOR_MEMORY_LEAK == RK_CUDA_ERROR_TENSOR_MEMORY_LEAK, "TENSOR_MEMORY_LEAK");
#endif

/* --- types and structures --- */
#define SAME_SIZE(ours, theirs) _Static_assert(sizeof(ours) == sizeof(theirs), #theirs)
#define SAME_FIELD(ours, field, theirs, their_field)                                     \
    _Static_assert(offsetof(ours, field) == offsetof(theirs, their_field) &&             \
                       sizeof(((ours *)0)->field) == sizeof(((theirs *)0)->their_field), \
                   #theirs "." #their_field)
SAME_SIZE(rk_cu_result, CUresult);
SAME_SIZE(rk_cu_device, CUdevice);
SAME_SIZE(rk_cu_address, CUdeviceptr);
SAME_SIZE(rk_cu_memory, CUmemGenericAllocationHandle);
SAME_SIZE(rk_cu_context, CUcontext);
SAME_SIZE(rk_cu_device_attribute, CUdevice_attribute);
SAME_SIZE(rk_cu_function_attribute, CUfunction_attribute);
SAME_SIZE(rk_cu_jit_option, CUjit_option);
SAME_SIZE(rk_cu_granularity_flag, CUmemAllocationGranularity_flags);
SAME_SIZE(rk_cu_location, CUmemLocation);
SAME_FIELD(rk_cu_location, type, CUmemLocation, type);
SAME_FIELD(rk_cu_location, id, CUmemLocation, id);
SAME_SIZE(rk_cu_memory_properties, CUmemAllocationProp);
SAME_FIELD(rk_cu_memory_properties, type, CUmemAllocationProp, type);
SAME_FIELD(rk_cu_memory_properties, requested_handle_types, CUmemAllocationProp, requestedHandleTypes);
SAME_FIELD(rk_cu_memory_properties, location, CUmemAllocationProp, location);
SAME_FIELD(rk_cu_memory_properties, unused, CUmemAllocationProp, win32HandleMetaData);
SAME_FIELD(rk_cu_memory_properties, compression, CUmemAllocationProp, allocFlags.compressionType);
SAME_FIELD(rk_cu_memory_properties, direct_rdma, CUmemAllocationProp, allocFlags.gpuDirectRDMACapable);
SAME_FIELD(rk_cu_memory_properties, usage, CUmemAllocationProp, allocFlags.usage);
SAME_SIZE(rk_cu_access, CUmemAccessDesc);
SAME_FIELD(rk_cu_access, location, CUmemAccessDesc, location);
SAME_FIELD(rk_cu_access, flags, CUmemAccessDesc, flags);
SAME_SIZE(rk_cu_launch_attribute, CUlaunchAttribute);
SAME_FIELD(rk_cu_launch_attribute, id, CUlaunchAttribute, id);
SAME_FIELD(rk_cu_launch_attribute, value, CUlaunchAttribute, value);
SAME_FIELD(rk_cu_launch_attribute, value.cluster, CUlaunchAttribute, value.clusterDim);
SAME_FIELD(rk_cu_launch_attribute, value.cooperative, CUlaunchAttribute, value.cooperative);
SAME_FIELD(rk_cu_launch_attribute, value.priority, CUlaunchAttribute, value.priority);
SAME_SIZE(rk_cu_launch, CUlaunchConfig);
SAME_FIELD(rk_cu_launch, grid_x, CUlaunchConfig, gridDimX);
SAME_FIELD(rk_cu_launch, grid_y, CUlaunchConfig, gridDimY);
SAME_FIELD(rk_cu_launch, grid_z, CUlaunchConfig, gridDimZ);
SAME_FIELD(rk_cu_launch, block_x, CUlaunchConfig, blockDimX);
SAME_FIELD(rk_cu_launch, block_y, CUlaunchConfig, blockDimY);
SAME_FIELD(rk_cu_launch, block_z, CUlaunchConfig, blockDimZ);
SAME_FIELD(rk_cu_launch, shared_bytes, CUlaunchConfig, sharedMemBytes);
SAME_FIELD(rk_cu_launch, stream, CUlaunchConfig, hStream);
SAME_FIELD(rk_cu_launch, attributes, CUlaunchConfig, attrs);
SAME_FIELD(rk_cu_launch, attribute_count, CUlaunchConfig, numAttrs);

/* --- functions: our parameters in CUDA's names are the very type that CUDA gives that form --- */
#define rk_cu_result CUresult
#define rk_cu_device CUdevice
#define rk_cu_address CUdeviceptr
#define rk_cu_memory CUmemGenericAllocationHandle
#define rk_cu_context CUcontext
#define rk_cu_module CUmodule
#define rk_cu_function CUfunction
#define rk_cu_stream CUstream
#define rk_cu_event CUevent
#define rk_cu_device_attribute CUdevice_attribute
#define rk_cu_peer_attribute CUdevice_P2PAttribute
#define rk_cu_function_attribute CUfunction_attribute
#define rk_cu_jit_option CUjit_option
#define rk_cu_granularity_flag CUmemAllocationGranularity_flags
#define rk_cu_memory_properties CUmemAllocationProp
#define rk_cu_access CUmemAccessDesc
#define rk_cu_launch CUlaunchConfig
#define SAME_FUNCTION(name, version, parameters)                                                      \
    _Static_assert(__builtin_types_compatible_p(rk_cu_result(*) parameters, PFN_##name##_v##version), \
                   #name " of CUDA " #version);
RK_CU_FUNCTIONS(SAME_FUNCTION)
#if CUDA_VERSION >= 12040
RK_CU_LATER_FUNCTIONS(SAME_FUNCTION)
#endif
_Static_assert(sizeof(cuuint64_t) == sizeof(unsigned long long) &&
                   sizeof(CUdriverProcAddressQueryResult) == sizeof(int),
               "cuGetProcAddress");

int main(void)
{
    printf("compared with CUDA %d.%d\n", CUDA_VERSION / 1000, CUDA_VERSION % 1000 / 10);
    return 0;
}
