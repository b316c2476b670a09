/* The NVIDIA driver, loaded at run time: libcuda.so.1 comes with the driver, never with us.
 *
 * A table of its functions, under their own names, and one way from its results to statuses with a text that
 * says what to do. It is loaded once and never unloaded: the driver keeps threads and memory of its own. */
#ifndef RK_BACKEND_CUDA_DRIVER_H
#define RK_BACKEND_CUDA_DRIVER_H

#include <ringkernel/status.h>

#include "cuda_abi.h"

/* CUDA 12.0 (driver 525): every function of RK_CU_FUNCTIONS is there from it on. */
#define RK_CUDA_DRIVER_MINIMUM 12000

#define RK_CU_MEMBER_(name, version, parameters) rk_##name name;
typedef struct rk_cuda {
    int version;      /* of CUDA that the driver supports: 13000 is 13.0 */
    int device_count; /* at least one */
    void *library;    /* never closed */
    RK_CU_FUNCTIONS(RK_CU_MEMBER_)
    RK_CU_LATER_FUNCTIONS(RK_CU_MEMBER_)
} rk_cuda;

/* Load the driver and initialise it. `library`: its file; NULL: the system's. Any thread, any number of times.
 * RK_UNSUPPORTED: no driver, one that is too old or doesn't work, or no device; the error says which, and
 * what to do. *cuda is then of no use. */
rk_status rk_cuda_load(const char *library, rk_cuda *cuda);

/* May kernels stay resident in this process? RK_UNSUPPORTED: CUDA_LAUNCH_BLOCKING makes every launch wait for
 * its end. */
rk_status rk_cuda_check_environment(void);

/* Does this result end the context? What was in it is gone: memory, modules, streams. So is the device, for
 * this process: after an illegal address or a trap every context gives the same result, a new one and one
 * that was open beside it too, and no release or reset helps (tried: driver 580, H100). The contexts of other
 * devices are lost with it, where memory of each is mapped for the other (tried: driver 580, two H200). A new
 * process can go on. */
int rk_cuda_lost(int result);

/* The status of a result other than CUDA_SUCCESS, with what was tried (printf style), the driver's words and
 * what to do on the error stack:
 *     RK_OUT_OF_MEMORY   no device memory, or no pinned memory
 *     RK_DEVICE_LOST     rk_cuda_lost: start the process again
 *     RK_LIMIT           a launch that doesn't fit the device
 *     RK_UNSUPPORTED     this device, driver or system can't
 *     RK_INCOMPATIBLE    a binary or PTX that is not for this device or driver
 *     RK_TIMED_OUT       CUDA_ERROR_NOT_READY
 *     RK_INTERNAL        anything else: the call was wrong */
rk_status rk_cuda_error(const rk_cuda *cuda, int result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
