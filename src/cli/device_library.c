#include "device_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cuda/nvrtc.h"
#include "command.h"
#include "ringkernel/ringkernel.h"
#include "runtime/error.h"

/* ------------------------------------------------------------------ loading */

static void *open_library(const char *const *names, char why[256])
{
    for (size_t i = 0; names[i]; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
    }
    snprintf(why, 256, "%s is not installed", names[0]);
    return NULL;
}

/* Function pointers come from dlsym as data pointers; POSIX lets them be copied. */
static bool find(void *library, const char *name, void *function, char why[256])
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    if (!symbol) snprintf(why, 256, "it has no %s", name);
    return symbol != NULL;
}

/* ------------------------------------------------------------------ CUDA and NVRTC */

/* The first line of what was pushed onto the error stack. */
static void first_cause(char why[256])
{
    const char *text = rk_error_text();
    snprintf(why, 256, "%.*s", (int)strcspn(text, "\n"), text);
}

bool nvrtc_version(char version[32], char why[256])
{
    rk_nvrtc nvrtc;
    rk_error_begin();
    if (rk_nvrtc_load(NULL, 0, &nvrtc) != RK_OK) {
        first_cause(why);
        return false;
    }
    snprintf(version, 32, "%d.%d", nvrtc.version / 1000, nvrtc.version % 1000 / 10);
    return true;
}

device_compiled nvrtc_compile(const char *text, const char *include, unsigned architecture, char **log)
{
    rk_nvrtc nvrtc;
    rk_device_code code;
    const rk_nvrtc_target target = { architecture, 0 };
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

#define CL_DEVICE_TYPE_ALL 0xffffffffu
#define CL_DEVICE_NAME 0x102b
#define CL_DEVICE_VERSION 0x102f
#define CL_DEVICE_GLOBAL_MEM_SIZE 0x101f
#define CL_DEVICE_MAX_COMPUTE_UNITS 0x1002
#define CL_PROGRAM_BUILD_LOG 0x1183
#define PLATFORMS 16

typedef struct opencl {
    int (*platforms)(uint32_t, void **, uint32_t *);
    int (*devices)(void *, uint64_t, uint32_t, void **, uint32_t *);
    int (*info)(void *, uint32_t, size_t, void *, size_t *);
    void *(*context)(const intptr_t *, uint32_t, void **, void *, void *, int *);
    void *(*program)(void *, uint32_t, const char **, const size_t *, int *);
    int (*build)(void *, uint32_t, void **, const char *, void *, void *);
    int (*build_info)(void *, void *, uint32_t, size_t, void *, size_t *);
    int (*release_program)(void *), (*release_context)(void *);
} opencl;

static bool opencl_load(opencl *o, char why[256])
{
    static const char *const names[] = { "libOpenCL.so.1", NULL };
    void *library = open_library(names, why);
    return library && find(library, "clGetPlatformIDs", &o->platforms, why) &&
           find(library, "clGetDeviceIDs", &o->devices, why) &&
           find(library, "clGetDeviceInfo", &o->info, why) &&
           find(library, "clCreateContext", &o->context, why) &&
           find(library, "clCreateProgramWithSource", &o->program, why) &&
           find(library, "clBuildProgram", &o->build, why) &&
           find(library, "clGetProgramBuildInfo", &o->build_info, why) &&
           find(library, "clReleaseProgram", &o->release_program, why) &&
           find(library, "clReleaseContext", &o->release_context, why);
}

static bool opencl_list(const opencl *o, device_found *devices, size_t room, size_t *count, char why[256])
{
    void *platforms[PLATFORMS], *found[64];
    uint32_t platform_count = 0;
    *count = 0;
    if (o->platforms(PLATFORMS, platforms, &platform_count) != 0) platform_count = 0;
    for (uint32_t p = 0; p < platform_count && p < PLATFORMS; p++) {
        uint32_t device_count = 0;
        if (o->devices(platforms[p], CL_DEVICE_TYPE_ALL, 64, found, &device_count) != 0) continue;
        for (uint32_t d = 0; d < device_count && d < 64; d++, ++*count) {
            if (*count >= room) continue;
            device_found *device = &devices[*count];
            *device = (device_found){ .handle = found[d] };
            o->info(found[d], CL_DEVICE_NAME, sizeof device->name, device->name, NULL);
            o->info(found[d], CL_DEVICE_VERSION, sizeof device->version, device->version, NULL);
            o->info(found[d], CL_DEVICE_GLOBAL_MEM_SIZE, sizeof device->memory, &device->memory, NULL);
            o->info(found[d], CL_DEVICE_MAX_COMPUTE_UNITS, sizeof device->units, &device->units, NULL);
        }
    }
    if (*count == 0) snprintf(why, 256, "no platform has a device");
    return *count > 0;
}

bool opencl_devices(device_found *devices, size_t room, size_t *count, char why[256])
{
    opencl o;
    *count = 0;
    return opencl_load(&o, why) && opencl_list(&o, devices, room, count, why);
}

device_compiled opencl_compile(const char *text, const char *include, const char *standard, char **log)
{
    opencl o;
    char why[256], options[4200];
    device_found device;
    size_t count, size = 0;
    int error = 0;
    if (!opencl_load(&o, why) || !opencl_list(&o, &device, 1, &count, why)) {
        *log = command_copy(why);
        return DEVICE_MISSING;
    }
    snprintf(options, sizeof options, "-cl-std=%s -I %s", standard, include);
    void *context = o.context(NULL, 1, &device.handle, NULL, NULL, &error);
    void *program = context ? o.program(context, 1, &text, NULL, &error) : NULL;
    bool compiled = program && o.build(program, 1, &device.handle, options, NULL, NULL) == 0;
    if (program) o.build_info(program, device.handle, CL_PROGRAM_BUILD_LOG, 0, NULL, &size);
    *log = command_allocate(size + 64);
    snprintf(*log, size + 64, "%s", program ? "" : "OpenCL makes no program of it");
    if (size) o.build_info(program, device.handle, CL_PROGRAM_BUILD_LOG, size, *log, NULL);
    if (program) o.release_program(program);
    if (context) o.release_context(context);
    return compiled ? DEVICE_COMPILED : DEVICE_REFUSED;
}
