#include "opencl_library.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

/* What there is to know of a result. */
static const struct {
    rk_cl_result result;
    rk_status status;
    const char *name, *advice;
} results[] = {
    { RK_CL_DEVICE_NOT_FOUND, RK_UNSUPPORTED, "CL_DEVICE_NOT_FOUND",
      "the platform is there, a device is not" },
    { RK_CL_DEVICE_NOT_AVAILABLE, RK_DEVICE_LOST, "CL_DEVICE_NOT_AVAILABLE", "the device has gone" },
    { RK_CL_COMPILER_NOT_AVAILABLE, RK_UNSUPPORTED, "CL_COMPILER_NOT_AVAILABLE",
      "the driver has no compiler for OpenCL C: install the one that belongs to it" },
    { RK_CL_MEM_OBJECT_ALLOCATION_FAILURE, RK_OUT_OF_MEMORY, "CL_MEM_OBJECT_ALLOCATION_FAILURE",
      "the device's memory is used up: set memory_ceiling, or end what else runs there" },
    { RK_CL_OUT_OF_RESOURCES, RK_DEVICE_LOST, "CL_OUT_OF_RESOURCES",
      "a kernel failed (a wrong address, or a display's watchdog ended it), or the device has no room for "
      "it" },
    { RK_CL_OUT_OF_HOST_MEMORY, RK_OUT_OF_MEMORY, "CL_OUT_OF_HOST_MEMORY",
      "the driver has no memory on the host" },
    { RK_CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, RK_DEVICE_LOST,
      "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST", "a kernel failed" },
    { RK_CL_INVALID_CONTEXT, RK_DEVICE_LOST, "CL_INVALID_CONTEXT", "the driver has given the device up" },
    { RK_CL_INVALID_COMMAND_QUEUE, RK_DEVICE_LOST, "CL_INVALID_COMMAND_QUEUE",
      "a kernel failed, and the driver has given the device up" },
    { RK_CL_NV_ILLEGAL_ACCESS, RK_DEVICE_LOST, "NVIDIA's, for an illegal access",
      "a kernel failed; its driver opens the device again in a new process only" },
    { RK_CL_INVALID_BINARY, RK_INCOMPATIBLE, "CL_INVALID_BINARY", "it is damaged, or of another driver" },
    { RK_CL_INVALID_BUILD_OPTIONS, RK_UNSUPPORTED, "CL_INVALID_BUILD_OPTIONS",
      "the driver's compiler does not know an option of OpenCL C 1.2" },
    { RK_CL_INVALID_WORK_GROUP_SIZE, RK_LIMIT, "CL_INVALID_WORK_GROUP_SIZE",
      "the work-group does not fit the device: launch with fewer threads" },
    { RK_CL_INVALID_BUFFER_SIZE, RK_OUT_OF_MEMORY, "CL_INVALID_BUFFER_SIZE",
      "the device has no buffer so large: set memory_ceiling lower" },
};

int rk_opencl_lost(rk_cl_result result)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result) return results[i].status == RK_DEVICE_LOST;
    return 0;
}

rk_status rk_opencl_error(rk_cl_result result, const char *format, ...)
{
    char tried[512];
    const char *name = "OpenCL error", *advice = "";
    rk_status status = RK_INTERNAL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tried, sizeof tried, format, arguments);
    va_end(arguments);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (results[i].result == result) {
            status = results[i].status;
            name = results[i].name;
            advice = results[i].advice;
        }
    rk_error(status, "%s: %s (%d)", tried, name, result);
    if (*advice) rk_error_detail("%s", advice);
    if (status == RK_DEVICE_LOST)
        rk_error_detail("what was on the device is gone: close the runtime and open it again");
    return status;
}

static const struct {
    const char *name;
    size_t place; /* in rk_opencl */
    int needed;
} functions[] = {
#define PLACE(name, result, parameters) { #name, offsetof(rk_opencl, name), 1 },
#define PLACE_2(name, result, parameters) { #name, offsetof(rk_opencl, name), 0 },
    RK_CL_FUNCTIONS(PLACE) RK_CL_FUNCTIONS_2(PLACE_2)
};

rk_status rk_opencl_load(const char *file, rk_opencl *cl)
{
    const char *said = getenv("RK_OPENCL_LIBRARY");
    const char *name = file ? file : said && *said ? said : "libOpenCL.so.1";
    *cl = (rk_opencl){ .library = dlopen(name, RTLD_NOW | RTLD_LOCAL) };
    if (!cl->library)
        return rk_error(
            RK_UNSUPPORTED,
            "no OpenCL: %s: install the device's driver and its loader (Debian: ocl-icd-libopencl1), "
            "or use the backend cpu",
            dlerror());
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(cl->library, functions[i].name);
        if (!function && functions[i].needed)
            return rk_error(RK_UNSUPPORTED, "'%s' has no %s: it is no OpenCL library of version 1.2 or later",
                            name, functions[i].name);
        memcpy((char *)cl + functions[i].place, &function, sizeof function);
    }
    return RK_OK;
}
