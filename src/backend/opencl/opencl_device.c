#include "opencl_device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

/* ------------------------------------------------------------------ asking */

static rk_u64 number(const rk_opencl *cl, rk_cl_device device, rk_u32 what, size_t size)
{
    rk_u64 value = 0; /* a device that doesn't know the question hasn't what it is about */
    if (cl->clGetDeviceInfo(device, what, size, &value, 0) != RK_CL_SUCCESS) return 0;
    return size == 4 ? (rk_u32)value : value;
}

static void text(const rk_opencl *cl, rk_cl_device device, rk_u32 what, char *value, size_t room)
{
    size_t needed = 0;
    value[0] = 0;
    if (cl->clGetDeviceInfo(device, what, 0, 0, &needed) != RK_CL_SUCCESS || !needed) return;
    char *whole = calloc(needed + 1, 1);
    if (whole && cl->clGetDeviceInfo(device, what, needed, whole, 0) == RK_CL_SUCCESS)
        snprintf(value, room, "%s", whole);
    free(whole);
}

static int has_extension(const char *extensions, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)); at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return 1;
    return 0;
}

/* The versions of OpenCL C; 1: 3.0 is one of them. */
static int c_versions(const rk_opencl *cl, rk_opencl_device *d)
{
    rk_cl_name_version versions[16];
    size_t size = 0;
    int has_3 = 0;
    char *at = d->c_versions, *end = at + sizeof d->c_versions;
    *at = 0;
    if (d->major >= 3 && cl->clGetDeviceInfo(d->handle, RK_CL_DEVICE_OPENCL_C_ALL_VERSIONS, sizeof versions,
                                             versions, &size) == RK_CL_SUCCESS)
        for (size_t i = 0; i < size / sizeof *versions && end - at > 16; i++) {
            rk_u32 major = versions[i].version >> 22, minor = versions[i].version >> 12 & 1023u;
            at += snprintf(at, (size_t)(end - at), "%s%u.%u", i ? " " : "", major, minor);
            has_3 |= major == 3;
        }
    if (!*d->c_versions) { /* "OpenCL C 1.2 …" */
        char said[128];
        text(cl, d->handle, RK_CL_DEVICE_OPENCL_C_VERSION, said, sizeof said);
        if (strlen(said) > 9) snprintf(d->c_versions, sizeof d->c_versions, "%.3s", said + 9);
    }
    return has_3;
}

static rk_u32 abilities(const rk_opencl *cl, rk_opencl_device *d)
{
    static const struct {
        rk_u64 svm;
        rk_u32 can;
    } grains[] = { { RK_CL_DEVICE_SVM_COARSE_GRAIN_BUFFER, RK_OPENCL_SVM_COARSE },
                   { RK_CL_DEVICE_SVM_FINE_GRAIN_BUFFER, RK_OPENCL_SVM_FINE },
                   { RK_CL_DEVICE_SVM_FINE_GRAIN_SYSTEM, RK_OPENCL_SVM_SYSTEM },
                   { RK_CL_DEVICE_SVM_ATOMICS, RK_OPENCL_SVM_ATOMICS } };
    const rk_u64 orders = RK_CL_DEVICE_ATOMIC_ORDER_ACQ_REL | RK_CL_DEVICE_ATOMIC_ORDER_SEQ_CST |
                          RK_CL_DEVICE_ATOMIC_SCOPE_DEVICE;
    char extensions[8192];
    rk_u32 can = 0;
    text(cl, d->handle, RK_CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    if (number(cl, d->handle, RK_CL_DEVICE_DOUBLE_FP_CONFIG, 8)) can |= RK_OPENCL_DOUBLE;
    if (has_extension(extensions, "cl_khr_int64_base_atomics") &&
        has_extension(extensions, "cl_khr_int64_extended_atomics"))
        can |= RK_OPENCL_ATOMICS_64;
    if (c_versions(cl, d)) can |= RK_OPENCL_C_3;
    if (can & RK_OPENCL_C_3 &&
        (number(cl, d->handle, RK_CL_DEVICE_ATOMIC_MEMORY_CAPABILITIES, 8) & orders) == orders)
        can |= RK_OPENCL_ORDERS;
    rk_u64 svm = d->major >= 2 ? number(cl, d->handle, RK_CL_DEVICE_SVM_CAPABILITIES, 8) : 0;
    for (size_t i = 0; i < sizeof grains / sizeof *grains; i++)
        if (svm & grains[i].svm) can |= grains[i].can;
    if (number(cl, d->handle, RK_CL_DEVICE_MAX_NUM_SUB_GROUPS, 4) ||
        has_extension(extensions, "cl_khr_subgroups") || has_extension(extensions, "cl_intel_subgroups"))
        can |= RK_OPENCL_SUB_GROUPS;
    return can;
}

/* What a device is to be used without, by the names that `rk devices` has for it. */
static rk_u32 forgone(void)
{
    const char *said = getenv("RK_OPENCL_WITHOUT");
    rk_u32 without = 0;
    for (rk_u32 bit = 0; said && *rk_opencl_ability(bit); bit++) {
        const char *name = rk_opencl_ability(bit);
        size_t length = strlen(name);
        for (const char *at = said; (at = strstr(at, name)); at += length)
            if ((at == said || at[-1] == ',') && (at[length] == ',' || !at[length])) without |= 1u << bit;
    }
    return without;
}

/* "OpenCL 3.0 …"; anything else is 0.0. */
static void read_version(rk_opencl_device *d)
{
    char *at = d->version;
    if (strncmp(at, "OpenCL ", 7) != 0) return;
    d->major = (rk_u32)strtoul(at + 7, &at, 10);
    if (*at == '.') d->minor = (rk_u32)strtoul(at + 1, 0, 10);
}

static void describe(const rk_opencl *cl, rk_opencl_device *d)
{
    rk_cl_device h = d->handle;
    text(cl, h, RK_CL_DEVICE_NAME, d->name, sizeof d->name);
    text(cl, h, RK_CL_DEVICE_VERSION, d->version, sizeof d->version);
    text(cl, h, RK_CL_DRIVER_VERSION, d->driver, sizeof d->driver);
    read_version(d);
    d->memory = number(cl, h, RK_CL_DEVICE_GLOBAL_MEM_SIZE, 8);
    d->largest_buffer = number(cl, h, RK_CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8);
    d->units = (rk_u32)number(cl, h, RK_CL_DEVICE_MAX_COMPUTE_UNITS, 4);
    d->group_most = (rk_u32)number(cl, h, RK_CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(size_t));
    d->local_memory = (rk_u32)number(cl, h, RK_CL_DEVICE_LOCAL_MEM_SIZE, 8);
    d->compute_capability = (rk_u32)(10u * number(cl, h, RK_CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, 4) +
                                     number(cl, h, RK_CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV, 4));
    d->is_cpu = (number(cl, h, RK_CL_DEVICE_TYPE, 8) & RK_CL_DEVICE_TYPE_CPU) != 0;
    d->is_available = (rk_u32)number(cl, h, RK_CL_DEVICE_AVAILABLE, 4);
    d->has_compiler = (rk_u32)number(cl, h, RK_CL_DEVICE_COMPILER_AVAILABLE, 4);
    d->is_little_endian = (rk_u32)number(cl, h, RK_CL_DEVICE_ENDIAN_LITTLE, 4);
    d->can = abilities(cl, d) & ~forgone();
}

rk_status rk_opencl_devices(const rk_opencl *cl, rk_opencl_device *devices, rk_u32 *count)
{
    rk_cl_platform platforms[16];
    rk_u32 found = 0;
    *count = 0;
    rk_cl_result result = cl->clGetPlatformIDs(16, platforms, &found);
    if (result != RK_CL_SUCCESS || found == 0)
        return rk_error(
            RK_UNSUPPORTED,
            "OpenCL is there, but no platform: install the device's driver (for CPUs PoCL, Debian: "
            "pocl-opencl-icd), or use the backend cpu");
    for (rk_u32 p = 0; p < found && p < 16; p++) {
        rk_cl_device handles[RK_OPENCL_DEVICES_MOST];
        rk_u32 n = 0;
        if (cl->clGetDeviceIDs(platforms[p], RK_CL_DEVICE_TYPE_ALL, RK_OPENCL_DEVICES_MOST, handles, &n) !=
            RK_CL_SUCCESS)
            continue; /* a platform without a device says so by an error */
        for (rk_u32 i = 0; i < n && i < RK_OPENCL_DEVICES_MOST && *count < RK_OPENCL_DEVICES_MOST; i++) {
            rk_opencl_device *d = &devices[(*count)++];
            *d = (rk_opencl_device){ .platform = platforms[p], .handle = handles[i] };
            cl->clGetPlatformInfo(platforms[p], RK_CL_PLATFORM_NAME, sizeof d->platform_name - 1,
                                  d->platform_name, 0);
            describe(cl, d);
        }
    }
    return *count ? RK_OK
                  : rk_error(RK_UNSUPPORTED,
                             "OpenCL has %u platforms, and none of them a device: see clinfo, or "
                             "use the backend cpu",
                             found);
}

/* ------------------------------------------------------------------ judging */

rk_status rk_opencl_device_check(const rk_opencl_device *d)
{
    if (!d->is_available) return rk_error(RK_UNSUPPORTED, "%s is not available", d->name);
    if (!d->has_compiler)
        return rk_error(RK_UNSUPPORTED, "%s: its driver has no compiler for OpenCL C", d->name);
    if (!d->is_little_endian) return rk_error(RK_UNSUPPORTED, "%s is not little-endian", d->name);
    if (d->major * 10 + d->minor < 12)
        return rk_error(RK_UNSUPPORTED, "%s has OpenCL %u.%u, and 1.2 is needed", d->name, d->major,
                        d->minor);
    return RK_OK;
}

const char *rk_opencl_ability(rk_u32 bit)
{
    static const char *const names[] = {
        "double precision",
        "64-bit atomics",
        "orders at device scope",
        "shared memory by mapping",
        "fine-grained shared memory",
        "shared system memory",
        "shared atomics",
        "sub-groups",
        "OpenCL C 3.0",
    };
    return bit < sizeof names / sizeof *names ? names[bit] : "";
}

const char *rk_opencl_sharing(const rk_opencl_device *d)
{
    const rk_u32 ordered = RK_OPENCL_SVM_ATOMICS | RK_OPENCL_ATOMICS_64 | RK_OPENCL_ORDERS | RK_OPENCL_C_3;
    if (!(d->can & RK_OPENCL_SVM_FINE)) return "host and running kernel don't see each other's writes";
    if ((d->can & ordered) != ordered)
        return "host and kernel can't order what they share, for want of shared atomics";
    if (!d->is_cpu) return "sharing is proved on CPUs alone";
    if (d->largest_buffer < RK_OPENCL_SHARED_LEAST) return "its largest buffer has less than 512 MiB";
    return 0;
}

const char *rk_opencl_mode(const rk_opencl_device *d)
{
    static _Thread_local char text[128];
    const char *why = rk_opencl_sharing(d);
    if (!why)
        return d->units > 1 ? "persistent, with one unit left free, where a probe finds memory shared; else "
                              "copy slices"
                            : "slices without copies, where a probe finds memory shared; else copy slices";
    snprintf(text, sizeof text, "copy slices: %s", why);
    return text;
}

const char *rk_opencl_standard(const rk_opencl_device *d)
{
    return d->can & RK_OPENCL_C_3 ? "CL3.0" : "CL1.2";
}
