/* The system's OpenCL, loaded at run time: libOpenCL.so.1, behind which the drivers of all vendors are.
 *
 * A table of its functions, under their own names, and one way from its results to statuses with a text that says
 * what to do. It is loaded once and never unloaded: drivers keep threads and memory of their own. */
#ifndef RK_BACKEND_OPENCL_OPENCL_LIBRARY_H
#define RK_BACKEND_OPENCL_OPENCL_LIBRARY_H

#include <ringkernel/status.h>

#include "opencl_abi.h"

#define RK_CL_MEMBER_(name, result, parameters) rk_##name name;
typedef struct rk_opencl {
    void *library; /* never closed */
    RK_CL_FUNCTIONS(RK_CL_MEMBER_)
    RK_CL_FUNCTIONS_2(RK_CL_MEMBER_)
} rk_opencl;

/* Load the library. `file`: NULL for the system's; RK_OPENCL_LIBRARY in the environment names another. Any thread, any
 * number of times. RK_UNSUPPORTED: there is none, or it is older than 1.2; the error says what to do. */
rk_status rk_opencl_load(const char *file, rk_opencl *cl);

/* Does this result mean that what is on the device is gone? */
int rk_opencl_lost(rk_cl_result result);

/* The status of a result other than CL_SUCCESS, with what was tried (printf style), the result's name and what to do
 * on the error stack:
 *     RK_OUT_OF_MEMORY   no memory on the device or the host
 *     RK_DEVICE_LOST     rk_opencl_lost: open the runtime again
 *     RK_LIMIT           a launch that doesn't fit the device
 *     RK_UNSUPPORTED     this device or driver can't
 *     RK_INCOMPATIBLE    a binary that is not of this driver
 *     RK_INTERNAL        anything else: the call was wrong */
rk_status rk_opencl_error(rk_cl_result result, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
