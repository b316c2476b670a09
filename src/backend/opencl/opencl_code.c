/* A kernel's code: its source rendered, built or found in the cache. A program of its own for each kernel.
 *
 * The unit begins with a digest of all that it includes: a driver with a cache of its own, which looks at the text that
 * it is given and at no file, then sees that a header has changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringkernel/device/layout.h>

#include "../../runtime/cache_folder.h"
#include "../../runtime/include_folder.h"
#include "../../runtime/unit_digest.h"
#include "../code_file.h"
#include "../unit_source.h"
#include "opencl.h"

#define SIZE_(type) (rk_u32)sizeof(type),
#define OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
static const rk_u32 host_layout[] = { RK_WIRE_VERSION, RK_LAYOUT(SIZE_, OFFSET_) };

static const char made_for[] = "OpenCL for " RK_BUILD_VERSION;

#define PATH_ROOM (4096 + RK_DIGEST_ROOM + 16)
#define OPTIONS_ROOM 4352

/* What a build is made of. */
typedef struct recipe {
    const char *name;
    char *unit;
    char options[OPTIONS_ROOM];
    char path[PATH_ROOM]; /* in the cache; "": it isn't kept there */
} recipe;

/* ------------------------------------------------------------------ what is built */

static rk_status with_digest(recipe *r, const rk_digest *digest)
{
    char name[RK_DIGEST_ROOM];
    size_t size = strlen(r->unit) + RK_DIGEST_ROOM + 16;
    char *whole = malloc(size);
    if (whole) snprintf(whole, size, "/* %s */\n%s", rk_digest_name(digest, name), r->unit);
    free(r->unit);
    r->unit = whole;
    return whole ? RK_OK : rk_error(RK_OUT_OF_MEMORY, "no memory for a unit");
}

/* PoCL finds a text that it has built in a cache of its own, and to give a binary out compiles all of it once more, for groups
 * of any size: 5 s instead of 3 before a kernel can start. */
static int keeps_what_it_builds(const rk_opencl_device *d)
{
    return strcmp(d->platform_name, "Portable Computing Language") == 0;
}

/* NVIDIA's compiler takes no variadic macro in OpenCL C 1.2, but in 3.0; and minutes, if all is to be inlined. */
static void set_options(const rk_opencl_device *d, rk_u32 threads, const char *include,
                        char options[OPTIONS_ROOM])
{
    char group[32] = "", sm[32] = "";
    if (threads <= d->group_most) snprintf(group, sizeof group, " -DRK_UNIT_GROUP=%u", threads);
    if (d->compute_capability) snprintf(sm, sizeof sm, " -DRK_UNIT_SM=%u", d->compute_capability);
    snprintf(options, OPTIONS_ROOM, "-cl-std=%s -I%s%s%s%s%s%s%s", rk_opencl_standard(d), include,
             d->can & RK_OPENCL_ATOMICS_64 ? "" : " -DRK_NO_ATOMICS_64",
             d->can & RK_OPENCL_ORDERS ? "" : " -DRK_NO_ORDERS",
             d->can & RK_OPENCL_DOUBLE ? "" : " -DRK_NO_F64", sm, group,
             d->is_cpu && threads == 1 ? "" : " -DRK_UNIT_CALLS");
}

/* `r` has its name and its unit. */
static rk_status make_recipe(const rk_opencl_runtime *cl, rk_u32 threads, recipe *r)
{
    const rk_opencl_device *d = &cl->device;
    char include[4096], folder[4096], name[RK_DIGEST_ROOM];
    rk_digest digest = RK_DIGEST_BEGIN;
    rk_status status = rk_include_folder(include, sizeof include);
    if (status != RK_OK) return status;
    set_options(d, threads, include, r->options);
    const char *told[] = { made_for, d->platform_name, d->name, d->version, d->driver, r->options };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) rk_digest_text(&digest, told[i]);
    if (rk_unit_digest(r->unit, include, &digest) != 0) return RK_OK; /* not kept */
    if (!keeps_what_it_builds(d) &&
        rk_cache_folder(cl->runtime->options.cache_folder, folder, sizeof folder) == RK_OK)
        snprintf(r->path, sizeof r->path, "%s/%s.opencl", folder, rk_digest_name(&digest, name));
    return with_digest(r, &digest);
}

/* ------------------------------------------------------------------ building */

static char *build_log(const rk_opencl_runtime *cl, rk_cl_program program)
{
    size_t size = 0;
    cl->api.clGetProgramBuildInfo(program, cl->device.handle, RK_CL_PROGRAM_BUILD_LOG, 0, 0, &size);
    char *log = calloc(size + 1, 1);
    if (log) cl->api.clGetProgramBuildInfo(program, cl->device.handle, RK_CL_PROGRAM_BUILD_LOG, size, log, 0);
    return log;
}

static rk_status build_source(rk_opencl_runtime *cl, const recipe *r, rk_cl_program *program)
{
    const char *text = r->unit;
    rk_cl_result result = RK_CL_SUCCESS;
    *program = cl->api.clCreateProgramWithSource(cl->context, 1, &text, 0, &result);
    if (!*program) return rk_opencl_failed(cl, result, "handing a kernel's source to the driver");
    result = cl->api.clBuildProgram(*program, 1, &cl->device.handle, r->options, 0, 0);
    if (result == RK_CL_SUCCESS) return RK_OK;
    char *log = build_log(cl, *program);
    rk_status status =
        result == RK_CL_BUILD_PROGRAM_FAILURE
            ? rk_error(RK_COMPILE_FAILED, "kernel '%s' doesn't build for %s as %s:\n%s", r->name,
                       cl->device.name, rk_opencl_standard(&cl->device), log ? log : "")
            : rk_opencl_failed(cl, result, "building a kernel");
    free(log);
    cl->api.clReleaseProgram(*program);
    *program = 0;
    return status;
}

/* 1: from the cache. A binary that the driver doesn't take any more is built again. */
static int build_kept(rk_opencl_runtime *cl, const recipe *r, rk_cl_program *program)
{
    char *code = 0, *log = 0;
    size_t size = 0;
    rk_cl_result taken = RK_CL_SUCCESS, result = RK_CL_SUCCESS;
    if (!*r->path || !rk_code_file_read(r->path, &code, &size, &log)) return 0;
    const unsigned char *bytes = (const unsigned char *)code;
    *program =
        cl->api.clCreateProgramWithBinary(cl->context, 1, &cl->device.handle, &size, &bytes, &taken, &result);
    if (*program) result = cl->api.clBuildProgram(*program, 1, &cl->device.handle, r->options, 0, 0);
    if (*program && result != RK_CL_SUCCESS) {
        cl->api.clReleaseProgram(*program);
        *program = 0;
    }
    free(code);
    free(log);
    return *program != 0;
}

/* Into the cache, as it is now. A cache that can't be written is no error, but is told. */
static void keep(rk_opencl_runtime *cl, const recipe *r, rk_cl_program program)
{
    char note[512];
    size_t size = 0;
    if (!*r->path || cl->api.clGetProgramInfo(program, RK_CL_PROGRAM_BINARY_SIZES, sizeof size, &size, 0) ||
        size == 0)
        return;
    char *code = malloc(size), *codes[] = { code }, *log = build_log(cl, program);
    if (code && log &&
        cl->api.clGetProgramInfo(program, RK_CL_PROGRAM_BINARIES, sizeof codes, codes, 0) == 0 &&
        rk_code_file_write(r->path, code, size, log) != 0) {
        snprintf(note, sizeof note, "not cached: can't write '%.300s': %s", r->path, strerror(errno));
        rk_runtime_log(cl->runtime, RK_WARNING, r->name, 0, note);
    }
    free(code);
    free(log);
}

/* ------------------------------------------------------------------ what is built can run */

rk_status rk_opencl_arguments(rk_opencl_runtime *cl, rk_cl_kernel kernel, rk_u64 table, rk_u32 first,
                              rk_u32 count, rk_u32 visits, rk_u32 shared, const rk_opencl_memory *brought,
                              const rk_opencl_memory *taken)
{
    const struct {
        size_t size;
        const void *value;
        const rk_opencl_memory *memory;
    } arguments[] = { { 0, 0, &cl->arena }, { 8, &table, 0 }, { 4, &first, 0 },  { 4, &count, 0 },
                      { 4, &visits, 0 },    { shared, 0, 0 }, { 0, 0, brought }, { 0, 0, taken } };
    for (rk_u32 i = 0; i < sizeof arguments / sizeof *arguments; i++) {
        rk_cl_result result = arguments[i].memory
                                  ? rk_opencl_memory_argument(cl, kernel, i, arguments[i].memory)
                                  : cl->api.clSetKernelArg(kernel, i, arguments[i].size, arguments[i].value);
        if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "setting a kernel's argument");
    }
    return RK_OK;
}

/* A launch that serves no shard: a driver that compiles at the first launch does it now, and not in a slice. Work-groups
 * larger than the driver says of the kernel may be refused. */
static rk_status warm_up(rk_opencl_runtime *cl, rk_opencl_code *code, rk_u32 shared)
{
    rk_status status =
        rk_opencl_arguments(cl, code->kernel, 0, 0, 0, 1, shared, &cl->flight->up, &cl->flight->down);
    if (status != RK_OK) return status;
    const rk_cl_result result = rk_opencl_try_launch(cl, code->kernel, 1, code->threads);
    const int is_too_large = result == RK_CL_OUT_OF_RESOURCES || result == RK_CL_INVALID_WORK_GROUP_SIZE;
    if (is_too_large && code->threads > code->group_said) {
        code->group_most = code->group_said;
        return RK_OK;
    }
    if (result != RK_CL_SUCCESS) return rk_opencl_failed(cl, result, "launching a kernel");
    status = rk_opencl_await(cl, rk_monotonic_ns() + cl->building_ns);
    if (status == RK_TIMED_OUT)
        rk_opencl_lose(cl, rk_opencl_stage(cl, cl->last) == RK_CL_RUNNING
                               ? "a launch without work never ended"
                               : "the driver never started a launch");
    return status == RK_TIMED_OUT ? rk_error(RK_DEVICE_LOST, "%s: %s", cl->device.name, cl->lost_why)
                                  : status;
}

/* A compiler that took a size of work-groups has seen to it that they can run, mostly: it is tried, as NVIDIA's driver says
 * 256 of any kernel. */
static rk_status make_kernel(rk_opencl_runtime *cl, rk_opencl_code *code)
{
    char entry[192];
    size_t most = 0, built_for[3] = { 0 };
    rk_cl_result result = RK_CL_SUCCESS;
    snprintf(entry, sizeof entry, "rk_entry_of_%s", code->made.class->name);
    code->kernel = cl->api.clCreateKernel(code->program, entry, &result);
    if (!code->kernel) return rk_opencl_failed(cl, result, "finding a kernel's entry");
    result = cl->api.clGetKernelWorkGroupInfo(code->kernel, cl->device.handle, RK_CL_KERNEL_WORK_GROUP_SIZE,
                                              sizeof most, &most, 0);
    if (result == RK_CL_SUCCESS)
        result = cl->api.clGetKernelWorkGroupInfo(code->kernel, cl->device.handle,
                                                  RK_CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof built_for,
                                                  built_for, 0);
    code->group_said = (rk_u32)most;
    code->group_most = (rk_u32)(most > built_for[0] ? most : built_for[0]);
    return result == RK_CL_SUCCESS ? RK_OK : rk_opencl_failed(cl, result, "asking what a kernel needs");
}

static void drop(rk_opencl_runtime *cl, rk_opencl_code *code)
{
    if (code->kernel) cl->api.clReleaseKernel(code->kernel);
    if (code->program) cl->api.clReleaseProgram(code->program);
    free(code);
}

/* From the cache, or built. */
static rk_status obtain(rk_opencl_runtime *cl, rk_u32 threads, recipe *r, rk_cl_program *program, int *kept)
{
    rk_status status = make_recipe(cl, threads, r);
    *kept = status == RK_OK && build_kept(cl, r, program);
    return status == RK_OK && !*kept ? build_source(cl, r, program) : status;
}

static rk_status compare_layout(rk_opencl_runtime *cl, rk_cl_program program)
{
    rk_u32 room = RK_LAYOUT_WORDS;
    const rk_u32 *words = (const rk_u32 *)(const void *)(cl->shares ? cl->arena.host : cl->bounce);
    rk_cl_result result = RK_CL_SUCCESS;
    rk_cl_kernel kernel = cl->api.clCreateKernel(program, "rk_layout_check", &result);
    if (!kernel) return rk_opencl_failed(cl, result, "finding the layout's check");
    rk_status status = RK_OK;
    if (rk_opencl_memory_argument(cl, kernel, 0, &cl->arena) ||
        cl->api.clSetKernelArg(kernel, 1, sizeof room, &room))
        status = rk_error(RK_INTERNAL, "setting the arguments of the layout's check");
    if (status == RK_OK) status = rk_opencl_launch(cl, kernel, 1, 1);
    if (status == RK_OK && !cl->shares) status = rk_opencl_down(cl, 0, cl->bounce, sizeof host_layout);
    if (status == RK_OK) status = rk_opencl_await(cl, rk_monotonic_ns() + cl->building_ns);
    for (rk_u32 i = 0; i < RK_LAYOUT_WORDS && status == RK_OK; i++)
        if (words[i] != host_layout[i])
            status = rk_error(RK_INCOMPATIBLE,
                              "the device's compiler lays out word %u of the shared structures as %u, the "
                              "host's as %u: use a driver and a compiler that agree",
                              i, words[i], host_layout[i]);
    cl->api.clReleaseKernel(kernel);
    return status;
}

/* The device lays out what it shares with the host as the host does: looked at once, before the first kernel is launched, in
 * a piece of the arena that nobody has (offset 0 is never given). */
static rk_status check_layout(rk_opencl_runtime *cl)
{
    recipe r = { .name = "rk_layout_check", .unit = strdup("#include <ringkernel/device/layout_check.h>\n") };
    rk_cl_program program = 0;
    int kept = 0;
    if (cl->layout_checked) {
        free(r.unit);
        return RK_OK;
    }
    rk_status status = r.unit ? obtain(cl, 1, &r, &program, &kept)
                              : rk_error(RK_OUT_OF_MEMORY, "no memory for the layout's check");
    if (status == RK_OK) status = compare_layout(cl, program);
    if (status == RK_OK && !kept) keep(cl, &r, program);
    if (program) cl->api.clReleaseProgram(program);
    free(r.unit);
    cl->layout_checked = status == RK_OK;
    return status;
}

/* Built, without a look at the device. */
static rk_status build(rk_opencl_runtime *cl, rk_opencl_code *code, recipe *r, int *kept)
{
    *r = (recipe){ .name = code->made.class->name };
    rk_status status = rk_unit_source(code->made.class, "opencl", "", &r->unit);
    if (status == RK_OK) status = obtain(cl, code->threads, r, &code->program, kept);
    return status == RK_OK ? make_kernel(cl, code) : status;
}

static rk_status make(rk_opencl_runtime *cl, rk_opencl_code *code, const rk_layout *layout)
{
    recipe r;
    int kept = 0;
    rk_status status = build(cl, code, &r, &kept);
    if (status == RK_OK) status = rk_opencl_lock(cl, rk_opencl_patience(cl));
    if (status == RK_OK) {
        status = check_layout(cl);
        const rk_u32 shared = rk_opencl_shared(layout, code->threads);
        if (status == RK_OK && code->threads <= code->group_most && rk_opencl_has_local(&cl->device, shared))
            status = warm_up(cl, code, shared); /* else whoever wants to serve it is told */
        rk_opencl_unlock(cl);
    }
    if (status == RK_OK && !kept) keep(cl, &r, code->program);
    free(r.unit);
    return status;
}

rk_status rk_opencl_compile(rk_opencl_runtime *cl, const rk_class *class, const rk_layout *layout,
                            rk_opencl_code **found)
{
    int mine;
    const rk_u32 threads = rk_opencl_threads(cl, class, layout);
    rk_made *made = rk_making_begin(&cl->codes, class, threads, sizeof(rk_opencl_code), &mine);
    rk_opencl_code *code = (rk_opencl_code *)made;
    rk_status status = RK_OK;
    if (!code) return rk_error(RK_OUT_OF_MEMORY, "no memory for the code of '%s'", class->name);
    if (mine) {
        code->threads = threads;
        status = make(cl, code, layout);
        rk_making_end(&cl->codes, made, status == RK_OK);
    }
    if (status == RK_OK)
        *found = code;
    else
        drop(cl, code);
    return status;
}

void rk_opencl_codes_free(rk_opencl_runtime *cl)
{
    while (cl->codes.first) {
        rk_opencl_code *code = (rk_opencl_code *)cl->codes.first;
        cl->codes.first = code->made.next;
        drop(cl, code);
    }
}
