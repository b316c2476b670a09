#include "device_library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/nvrtc.h"
#include "backend/opencl/opencl_device.h"
#include "command.h"
#include "ringkernel/ringkernel.h"
#include "runtime/error.h"

/* ------------------------------------------------------------------ CUDA and NVRTC */

/* The first line of what was pushed onto the error stack. */
static void first_cause(char why[256])
{
    const char *text = rk_error_text();
    snprintf(why, 256, "%.*s", (int)strcspn(text, "\n"), text);
}

bool nvrtc_version(char version[32], char **why)
{
    rk_nvrtc nvrtc;
    rk_error_begin();
    *why = NULL;
    if (rk_nvrtc_load(NULL, 0, &nvrtc) != RK_OK) {
        *why = command_copy(rk_error_text());
        return false;
    }
    snprintf(version, 32, "%d.%d", nvrtc.version / 1000, nvrtc.version % 1000 / 10);
    return true;
}

device_compiled nvrtc_compile(const char *text, const char *include, unsigned architecture, char **log)
{
    rk_nvrtc nvrtc;
    rk_device_code code;
    const rk_nvrtc_target target = { .architecture = architecture, .is_quick = 1 };
    rk_error_begin();
    if (rk_nvrtc_load(NULL, 0, &nvrtc) != RK_OK) {
        *log = command_copy(rk_error_text());
        return DEVICE_MISSING;
    }
    if (rk_nvrtc_compile(&nvrtc, text, &target, include, &code) != RK_OK) {
        *log = command_copy(rk_error_text());
        return DEVICE_REFUSED;
    }
    *log = command_copy(code.log);
    rk_device_code_free(&code);
    return DEVICE_COMPILED;
}

/* ------------------------------------------------------------------ OpenCL */

device_compiled opencl_compile(const char *text, const char *include, const char *standard, char **log)
{
    rk_opencl cl;
    rk_opencl_device devices[RK_OPENCL_DEVICES_MOST];
    rk_u32 count = 0;
    char options[4200];
    size_t size = 0;
    rk_cl_result error = 0;
    rk_error_begin();
    if (rk_opencl_load(NULL, &cl) != RK_OK || rk_opencl_devices(&cl, devices, &count) != RK_OK) {
        char why[256];
        first_cause(why);
        *log = command_copy(why);
        return DEVICE_MISSING;
    }
    rk_cl_device device = devices[0].handle;
    snprintf(options, sizeof options, "-cl-std=%s -I %s", standard, include);
    rk_cl_context context = cl.clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    rk_cl_program program = context ? cl.clCreateProgramWithSource(context, 1, &text, NULL, &error) : NULL;
    bool compiled = program && cl.clBuildProgram(program, 1, &device, options, NULL, NULL) == RK_CL_SUCCESS;
    if (program) cl.clGetProgramBuildInfo(program, device, RK_CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    *log = command_allocate(size + 64);
    snprintf(*log, size + 64, "%s", program ? "" : "OpenCL makes no program of it");
    if (size) cl.clGetProgramBuildInfo(program, device, RK_CL_PROGRAM_BUILD_LOG, size, *log, NULL);
    if (program) cl.clReleaseProgram(program);
    if (context) cl.clReleaseContext(context);
    return compiled ? DEVICE_COMPILED : DEVICE_REFUSED;
}
