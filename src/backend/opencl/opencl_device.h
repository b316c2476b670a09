/* An OpenCL device: what it is, what it can do, and which mode of running kernels follows from that. */
#ifndef RK_BACKEND_OPENCL_OPENCL_DEVICE_H
#define RK_BACKEND_OPENCL_OPENCL_DEVICE_H

#include "opencl_library.h"

#define RK_OPENCL_DEVICES_MOST 32u

/* What a device can do, a bit each. */
#define RK_OPENCL_DOUBLE 1u
#define RK_OPENCL_ATOMICS_64 2u  /* cl_khr_int64_base_atomics and _extended_atomics */
#define RK_OPENCL_ORDERS 4u      /* OpenCL C 3.0's acquire, release and sequential order at device scope */
#define RK_OPENCL_SVM_COARSE 8u  /* shared virtual memory, mapped in turn */
#define RK_OPENCL_SVM_FINE 16u   /* without mapping */
#define RK_OPENCL_SVM_SYSTEM 32u /* all of the process's memory */
#define RK_OPENCL_SVM_ATOMICS 64u
#define RK_OPENCL_SUB_GROUPS 128u
#define RK_OPENCL_C_3 256u

typedef struct rk_opencl_device {
    rk_cl_platform platform;
    rk_cl_device handle;
    char name[128], platform_name[128];
    char version[128];   /* of the device, with the driver's words */
    char driver[128];    /* its version */
    char c_versions[64]; /* "1.0 1.1 1.2 3.0" */
    rk_u64 memory, largest_buffer;
    rk_u32 can; /* RK_OPENCL_* */
    rk_u32 units, group_most, local_memory;
    rk_u32 is_cpu, is_available, has_compiler, is_little_endian;
    rk_u32 compute_capability; /* 10 times that of an NVIDIA GPU; 0: it is none */
    rk_u32 major, minor;       /* of OpenCL */
} rk_opencl_device;

/* Is there so much local memory for a work-group, beside what a compiler may take for itself? */
static inline int rk_opencl_has_local(const rk_opencl_device *device, rk_u32 bytes)
{
    return bytes + 1024u <= device->local_memory;
}

/* All devices of all platforms, in the library's order, described: at most RK_OPENCL_DEVICES_MOST.
 * RK_UNSUPPORTED: there is no platform, or none has a device. */
rk_status rk_opencl_devices(const rk_opencl *cl, rk_opencl_device *devices, rk_u32 *count);

/* Can kernels run on it? RK_UNSUPPORTED, and why not. */
rk_status rk_opencl_device_check(const rk_opencl_device *device);

/* The name of the ability of this bit; "" past the last. */
const char *rk_opencl_ability(rk_u32 bit);

#define RK_OPENCL_SHARED_LEAST \
    (512ull << 20) /* of which half are the runtime's tables, should all kernels have pools */

/* Why host and kernels can't share memory there; 0: they may, which is then tried (opencl_share.c). */
const char *rk_opencl_sharing(const rk_opencl_device *device);

/* How kernels are served there, and why. */
const char *rk_opencl_mode(const rk_opencl_device *device);

/* The standard that kernels are compiled by: "CL1.2" or "CL3.0". */
const char *rk_opencl_standard(const rk_opencl_device *device);

#endif
