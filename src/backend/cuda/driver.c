#include "driver.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

/* ------------------------------------------------------------------ results */

/* What there is to know of a result: the first row that matches. */
static const struct {
    int result;
    rk_status status;
    const char *advice;
} results[] = {
    { RK_CUDA_ERROR_OUT_OF_MEMORY, RK_OUT_OF_MEMORY,
      "the device or the host's pinned memory is used up: launch with smaller queues or fewer actors, set "
      "memory_ceiling, or end what else runs there" },
    { RK_CUDA_ERROR_NOT_READY, RK_TIMED_OUT, "the device has not come so far yet" },
    { RK_CUDA_ERROR_NO_DEVICE, RK_UNSUPPORTED,
      "the driver is there, a device is not, or CUDA_VISIBLE_DEVICES hides it" },
    { RK_CUDA_ERROR_STUB_LIBRARY, RK_UNSUPPORTED,
      "this libcuda is the toolkit's stub for linking: take its folder out of LD_LIBRARY_PATH" },
    { RK_CUDA_ERROR_DEVICE_UNAVAILABLE, RK_UNSUPPORTED,
      "another process has the device for itself (compute mode), or it is being reset" },
    { RK_CUDA_ERROR_NOT_PERMITTED, RK_UNSUPPORTED, "the system does not let this process do that" },
    { RK_CUDA_ERROR_NOT_SUPPORTED, RK_UNSUPPORTED, "this device, driver or system can't do that" },
    { RK_CUDA_ERROR_SYSTEM_NOT_READY, RK_UNSUPPORTED,
      "the system is not ready: on machines with NVSwitch the fabric manager must run" },
    { RK_CUDA_ERROR_SYSTEM_DRIVER_MISMATCH, RK_UNSUPPORTED,
      "libcuda and the kernel's driver are of different versions: reboot after an update" },
    { RK_CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE, RK_UNSUPPORTED,
      "this libcuda is of CUDA's compatibility package, which is for other devices: take its folder out of "
      "LD_LIBRARY_PATH" },
    { RK_CUDA_ERROR_OPERATING_SYSTEM, RK_UNSUPPORTED,
      "the operating system refused: is the nvidia module loaded, and may this user open /dev/nvidia*?" },
    { RK_CUDA_ERROR_INVALID_IMAGE, RK_INCOMPATIBLE, "the binary is damaged, or of a newer toolkit" },
    { RK_CUDA_ERROR_NO_BINARY_FOR_GPU, RK_INCOMPATIBLE, "the binary is for another architecture" },
    { RK_CUDA_ERROR_INVALID_PTX, RK_INCOMPATIBLE, "the driver's assembler does not take this PTX" },
    { RK_CUDA_ERROR_UNSUPPORTED_PTX_VERSION, RK_INCOMPATIBLE,
      "NVRTC is newer than the driver: update the driver, or install an NVRTC that is not newer" },
    { RK_CUDA_ERROR_JIT_COMPILER_NOT_FOUND, RK_INCOMPATIBLE,
      "the driver's assembler is not installed (libnvidia-ptxjitcompiler), and NVRTC makes no machine code "
      "for this device" },
    { RK_CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, RK_LIMIT,
      "the block does not fit a multiprocessor: launch with fewer threads or less shared memory" },
    { RK_CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, RK_LIMIT,
      "the blocks can't all be resident at once: launch with fewer" },
    { RK_CUDA_ERROR_INVALID_CLUSTER_SIZE, RK_LIMIT, "the device has no clusters of this size" },

    { RK_CUDA_ERROR_ILLEGAL_ADDRESS, RK_DEVICE_LOST, "a kernel used an address that it may not" },
    { RK_CUDA_ERROR_LAUNCH_TIMEOUT, RK_DEVICE_LOST,
      "the watchdog of the display ended a kernel: use a device without a display, or event-driven kernels" },
    { RK_CUDA_ERROR_CONTEXT_IS_DESTROYED, RK_DEVICE_LOST, "somebody in this process reset the device" },
    { RK_CUDA_ERROR_ASSERT, RK_DEVICE_LOST, "an assertion in a kernel failed" },
    { RK_CUDA_ERROR_HARDWARE_STACK_ERROR, RK_DEVICE_LOST, "a kernel's stack overflowed or was corrupted" },
    { RK_CUDA_ERROR_ILLEGAL_INSTRUCTION, RK_DEVICE_LOST, "a kernel trapped" },
    { RK_CUDA_ERROR_MISALIGNED_ADDRESS, RK_DEVICE_LOST, "a kernel used a misaligned address" },
    { RK_CUDA_ERROR_INVALID_ADDRESS_SPACE, RK_DEVICE_LOST,
      "a kernel used an address of the wrong address space" },
    { RK_CUDA_ERROR_INVALID_PC, RK_DEVICE_LOST, "a kernel jumped to where no code is" },
    { RK_CUDA_ERROR_LAUNCH_FAILED, RK_DEVICE_LOST, "a kernel failed" },
    { RK_CUDA_ERROR_TENSOR_MEMORY_LEAK, RK_DEVICE_LOST, "a kernel kept tensor memory" },
    { RK_CUDA_ERROR_CONTAINED, RK_DEVICE_LOST, "a memory error, which the device contained" },
    { RK_CUDA_ERROR_ECC_UNCORRECTABLE, RK_DEVICE_LOST, "a memory error that could not be corrected" },
    { RK_CUDA_ERROR_NVLINK_UNCORRECTABLE, RK_DEVICE_LOST, "an error of NVLink" },
    { RK_CUDA_ERROR_DEINITIALIZED, RK_DEVICE_LOST, "the process is ending" },
};

static rk_status status_of(int result, const char **advice)
{
    *advice = "";
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result) {
            *advice = results[i].advice;
            return results[i].status;
        }
    return RK_INTERNAL;
}

int rk_cuda_lost(int result)
{
    const char *advice;
    return status_of(result, &advice) == RK_DEVICE_LOST;
}

rk_status rk_cuda_error(const rk_cuda *cuda, int result, const char *format, ...)
{
    char tried[512];
    const char *name = 0, *text = 0, *advice;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tried, sizeof tried, format, arguments);
    va_end(arguments);
    if (cuda->cuGetErrorName) cuda->cuGetErrorName((rk_cu_result)result, &name);
    if (cuda->cuGetErrorString) cuda->cuGetErrorString((rk_cu_result)result, &text);
    rk_status status = status_of(result, &advice);
    rk_error(status, "%s: %s (%d)%s%s", tried, name ? name : "CUDA error", result, text ? ": " : "",
             text ? text : "");
    if (*advice) rk_error_detail("%s", advice);
    if (status == RK_DEVICE_LOST)
        rk_error_detail("this process has lost the device, with all that was on it: start the process again");
    return status;
}

/* ------------------------------------------------------------------ loading */

/* Functions of the driver by name and form. */
static const struct {
    const char *name;
    int version;
    size_t place; /* in rk_cuda */
    int needed;
} functions[] = {
#define NEEDED(name, version, parameters) { #name, version, offsetof(rk_cuda, name), 1 },
#define LATER(name, version, parameters) { #name, version, offsetof(rk_cuda, name), 0 },
    RK_CU_FUNCTIONS(NEEDED) RK_CU_LATER_FUNCTIONS(LATER)
};

static rk_status find_functions(rk_cuda *cuda, rk_cuGetProcAddress get)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = 0;
        int found = 0;
        rk_cu_result result =
            get(functions[i].name, &function, functions[i].version, RK_CU_GET_PROC_ADDRESS_DEFAULT, &found);
        if (result != RK_CUDA_SUCCESS || found != RK_CU_GET_PROC_ADDRESS_SUCCESS) function = 0;
        if (!function && functions[i].needed)
            return rk_error(
                RK_UNSUPPORTED,
                "the NVIDIA driver says that it supports CUDA %d.%d, but has no %s of CUDA %d.%d: "
                "install the driver again, or use the backend cpu",
                cuda->version / 1000, cuda->version % 1000 / 10, functions[i].name,
                functions[i].version / 1000, functions[i].version % 1000 / 10);
        memcpy((char *)cuda + functions[i].place, &function, sizeof function);
    }
    return RK_OK;
}

static rk_status too_old(int version)
{
    return rk_error(
        RK_UNSUPPORTED,
        "the NVIDIA driver is too old: it supports CUDA %d.%d, and %d.%d is needed: install driver "
        "525 or later, or use the backend cpu",
        version / 1000, version % 1000 / 10, RK_CUDA_DRIVER_MINIMUM / 1000,
        RK_CUDA_DRIVER_MINIMUM % 1000 / 10);
}

static rk_status find_devices(rk_cuda *cuda)
{
    int result = cuda->cuInit(0);
    if (result == RK_CUDA_SUCCESS) result = cuda->cuDeviceGetCount(&cuda->device_count);
    if (result == RK_CUDA_SUCCESS && cuda->device_count < 1) result = RK_CUDA_ERROR_NO_DEVICE;
    if (result == RK_CUDA_SUCCESS) return RK_OK;
    rk_status status = rk_cuda_error(cuda, result, "the NVIDIA driver finds no device that it can use");
    return status == RK_INTERNAL ? RK_UNSUPPORTED : status; /* whatever it is, there is no device */
}

rk_status rk_cuda_load(const char *library, rk_cuda *cuda)
{
    const char *name = library ? library : "libcuda.so.1";
    rk_cuDriverGetVersion get_version = 0;
    rk_cuGetProcAddress get = 0;
    *cuda = (rk_cuda){ .version = 0 };
    cuda->library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!cuda->library)
        return rk_error(RK_UNSUPPORTED, "no NVIDIA driver: %s: install one, or use the backend cpu",
                        dlerror());
    *(void **)&get_version = dlsym(cuda->library, "cuDriverGetVersion");
    *(void **)&get = dlsym(cuda->library, "cuGetProcAddress_v2"); /* there from CUDA 12.0 on */
    if (!get_version)
        return rk_error(RK_UNSUPPORTED, "'%s' is no NVIDIA driver: it has no cuDriverGetVersion", name);
    int result = get_version(&cuda->version);
    if (result != RK_CUDA_SUCCESS) {
        rk_cuda_error(cuda, result, "the NVIDIA driver does not tell its version");
        return RK_UNSUPPORTED;
    }
    if (cuda->version < RK_CUDA_DRIVER_MINIMUM || !get) return too_old(cuda->version);
    rk_status status = find_functions(cuda, get);
    return status == RK_OK ? find_devices(cuda) : status;
}

rk_status rk_cuda_check_environment(void)
{
    const char *blocking = getenv("CUDA_LAUNCH_BLOCKING");
    if (!blocking || strtol(blocking, 0, 10) == 0) return RK_OK;
    return rk_error(RK_UNSUPPORTED,
                    "CUDA_LAUNCH_BLOCKING is '%s': each launch would wait for its kernel to end, and a ring "
                    "kernel stays: unset it, or use the backend cpu",
                    blocking);
}
