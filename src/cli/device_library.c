#include "device_library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

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

/* ------------------------------------------------------------------ CUDA */

#define CUDA_MULTIPROCESSORS 16
#define CUDA_MAJOR 75
#define CUDA_MINOR 76

bool cuda_devices(device_found *devices, size_t room, size_t *count, char why[256])
{
    static const char *const names[] = { "libcuda.so.1", NULL };
    int (*init)(unsigned), (*get_count)(int *), (*get)(int *, int), (*get_name)(char *, int, int),
        (*get_attribute)(int *, int, int);
    int (*get_memory)(size_t *, int), found = 0;
    *count = 0;
    void *library = open_library(names, why);
    if (!library || !find(library, "cuInit", &init, why) ||
        !find(library, "cuDeviceGetCount", &get_count, why) || !find(library, "cuDeviceGet", &get, why) ||
        !find(library, "cuDeviceGetName", &get_name, why) ||
        !find(library, "cuDeviceGetAttribute", &get_attribute, why) ||
        !find(library, "cuDeviceTotalMem_v2", &get_memory, why))
        return false;
    if (init(0) != 0 || get_count(&found) != 0 || found == 0) {
        snprintf(why, 256, "the driver finds no device");
        return false;
    }
    *count = (size_t)found;
    for (int i = 0; i < found && (size_t)i < room; i++) {
        int device, major = 0, minor = 0, units = 0;
        size_t memory = 0;
        devices[i] = (device_found){ 0 };
        if (get(&device, i) != 0) continue;
        get_name(devices[i].name, sizeof devices[i].name, device);
        get_attribute(&major, CUDA_MAJOR, device);
        get_attribute(&minor, CUDA_MINOR, device);
        get_attribute(&units, CUDA_MULTIPROCESSORS, device);
        get_memory(&memory, device);
        snprintf(devices[i].version, sizeof devices[i].version, "compute capability %d.%d", major, minor);
        devices[i].memory = memory;
        devices[i].units = (uint32_t)units;
    }
    return true;
}

/* ------------------------------------------------------------------ NVRTC */

typedef struct nvrtc {
    int (*version)(int *, int *);
    int (*create)(void **, const char *, const char *, int, const char *const *, const char *const *);
    int (*compile)(void *, int, const char *const *);
    int (*log_size)(void *, size_t *);
    int (*log)(void *, char *);
    int (*destroy)(void **);
} nvrtc;

static bool nvrtc_load(nvrtc *n, char why[256])
{
    static const char *const names[] = { "libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12", NULL };
    void *library = open_library(names, why);
    return library && find(library, "nvrtcVersion", &n->version, why) &&
           find(library, "nvrtcCreateProgram", &n->create, why) &&
           find(library, "nvrtcCompileProgram", &n->compile, why) &&
           find(library, "nvrtcGetProgramLogSize", &n->log_size, why) &&
           find(library, "nvrtcGetProgramLog", &n->log, why) &&
           find(library, "nvrtcDestroyProgram", &n->destroy, why);
}

bool nvrtc_version(char version[32], char why[256])
{
    nvrtc n;
    int major = 0, minor = 0;
    if (!nvrtc_load(&n, why)) return false;
    n.version(&major, &minor);
    snprintf(version, 32, "%d.%d", major, minor);
    return true;
}

device_compiled nvrtc_compile(const char *text, const char *include, const char *architecture, char **log)
{
    char why[256], include_option[4200], architecture_option[64];
    nvrtc n;
    void *program = NULL;
    if (!nvrtc_load(&n, why)) {
        *log = command_copy(why);
        return DEVICE_MISSING;
    }
    snprintf(include_option, sizeof include_option, "--include-path=%s", include);
    snprintf(architecture_option, sizeof architecture_option, "--gpu-architecture=%s", architecture);
    const char *options[] = { "--std=c++20", include_option, architecture_option };
    if (n.create(&program, text, "rk_unit.cu", 0, NULL, NULL) != 0) {
        *log = command_copy("NVRTC makes no program of it");
        return DEVICE_REFUSED;
    }
    bool compiled = n.compile(program, 3, options) == 0;
    size_t size = 0;
    n.log_size(program, &size);
    *log = command_allocate(size + 1);
    (*log)[0] = 0;
    n.log(program, *log);
    (*log)[size] = 0;
    n.destroy(&program);
    return compiled ? DEVICE_COMPILED : DEVICE_REFUSED;
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
