/* A kernel's code: its source rendered, compiled or found in the cache, and loaded. A unit of its own for each
 * kernel, so that a source with many costs no more than those that are launched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ringkernel/device/layout.h>

#include "../../runtime/cache_folder.h"
#include "../../runtime/include_folder.h"
#include "../unit_source.h"
#include "cuda.h"

#define SIZE_(type) (rk_u32)sizeof(type),
#define OFFSET_(type, field) (rk_u32) RK_OFFSET_OF(type, field),
static const rk_u32 host_layout[] = { RK_WIRE_VERSION, RK_LAYOUT(SIZE_, OFFSET_) };

static rk_status render(const rk_class *class, rk_cuda_build build, char **unit)
{
    char head[200], shuttle[80] = "";
    if (build.shuttle)
        snprintf(shuttle, sizeof shuttle, "#define RK_UNIT_SHUTTLE 1\n#define RK_UNIT_SENDS %uu\n",
                 build.shuttle);
    snprintf(head, sizeof head, "#define RK_BLOCK_BOUND %uu\n%s%s%s%s", build.bound,
             build.dense ? "#define RK_BLOCKS_BOUND 2\n" : "", build.plain ? "#define RK_UNIT_PLAIN 1\n" : "",
             shuttle, build.peers ? "#define RK_UNIT_PEERS 1\n" : "");
    return rk_unit_source(class, "cuda", head, unit);
}

rk_status rk_cuda_code_get(const rk_nvrtc *nvrtc, rk_u32 architecture, const char *cache_folder,
                           const rk_class *class, rk_cuda_build build, rk_device_code *binary,
                           char note[RK_CODE_NOTE_ROOM])
{
    char include[4096], folder[4096], *unit = 0;
    rk_code_origin origin;
    rk_status status = rk_include_folder(include, sizeof include);
    if (status == RK_OK) status = render(class, build, &unit);
    if (status != RK_OK) return status;
    rk_code_request request = { unit, include, 0, architecture };
    if (rk_cache_folder(cache_folder, folder, sizeof folder) == RK_OK) request.cache_folder = folder;
    status = rk_device_code_get(nvrtc, &request, binary, &origin, note);
    free(unit);
    return status;
}

static rk_status find_compiler(rk_cuda_runtime *cuda)
{
    rk_status status = RK_OK;
    pthread_mutex_lock(&cuda->codes.lock);
    if (!cuda->has_nvrtc) {
        status = rk_nvrtc_load(0, cuda->api.version, &cuda->nvrtc);
        cuda->has_nvrtc = status == RK_OK;
    }
    pthread_mutex_unlock(&cuda->codes.lock);
    return status;
}

static rk_status compile(rk_cuda_runtime *cuda, const rk_class *class, rk_cuda_build build,
                         rk_device_code *binary)
{
    char note[RK_CODE_NOTE_ROOM];
    rk_status status = find_compiler(cuda);
    if (status == RK_OK)
        status = rk_cuda_code_get(&cuda->nvrtc, cuda->device.architecture,
                                  cuda->runtime->options.cache_folder, class, build, binary, note);
    if (status == RK_OK && *note) rk_runtime_log(cuda->runtime, RK_WARNING, class->name, 0, note);
    return status;
}

static rk_u32 is_plain(const rk_layout *layout)
{
    return layout->lane[RK_LANE_HOST].bands == 1 && !layout->lane[RK_LANE_HOST].overwritten;
}

static rk_u32 suits_shuttle(const rk_class *class, const rk_layout *layout)
{
    return is_plain(layout) && !class->spmd && !class->batch && !class->timer &&
           class->attributes->width == RK_THREAD && class->attributes->state == RK_STATELESS &&
           layout->features == 0 && layout->mode != RK_BATCH && layout->max_sends <= 32 &&
           layout->lane[RK_LANE_HOST].slot_size == RK_SLOT_MIN;
}

/* A thread a message: as many as share a turn well. The shuttle's warps share none, and its code spills no word with two thirds
 * of the registers: more warps are under way at once. */
rk_u32 rk_cuda_threads(const rk_class *class, const rk_layout *layout, rk_u32 dense)
{
    rk_u32 whole = (layout->threads + 31u) / 32u * 32u;
    if (class->spmd || class->attributes->width != RK_THREAD) return layout->threads;
    if (layout->threads > 1) return whole;
    return !dense && layout->max_batch >= 384 && suits_shuttle(class, layout) ? RK_BLOCK_CHOSEN : 256;
}

rk_cuda_build rk_cuda_build_of(const rk_class *class, const rk_layout *layout, rk_u32 dense)
{
    const rk_u32 threads = rk_cuda_threads(class, layout, dense);
    rk_cuda_build build = { threads <= 256   ? 256
                            : threads <= 384 ? 384
                            : threads <= 512 ? 512
                                             : 1024,
                            is_plain(layout), 0, 0, 0 };
    build.dense = dense && build.bound == 256;
    build.shuttle = suits_shuttle(class, layout) ? layout->max_sends : 0;
    return build;
}

static rk_u64 key_of(rk_cuda_build build)
{
    return build.bound | (rk_u64)build.plain << 32 | (rk_u64)build.dense << 33 | (rk_u64)build.peers << 34 |
           (rk_u64)build.shuttle << 35;
}

rk_status rk_cuda_compile(rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout,
                          rk_cuda_code **found)
{
    int mine;
    rk_cuda_build build = rk_cuda_build_of(class, layout, rk_atomic_u32(&cuda->dense));
    build.peers = cuda->all->count > 1;
    rk_made *made = rk_making_begin(&cuda->codes, class, key_of(build), sizeof(rk_cuda_code), &mine);
    rk_cuda_code *code = (rk_cuda_code *)made;
    if (!code) return rk_error(RK_OUT_OF_MEMORY, "no memory for the code of '%s'", class->name);
    rk_status status = mine ? compile(cuda, class, build, &code->binary) : RK_OK;
    if (mine) rk_making_end(&cuda->codes, made, status == RK_OK);
    if (status == RK_OK)
        *found = code;
    else
        free(code);
    return status;
}

/* The device lays out what it shares with the host as the host does: looked at once, by the first module. */
static rk_status check_layout(rk_cuda_runtime *cuda, rk_cu_module module)
{
    rk_cu_function function;
    rk_u32 room = RK_LAYOUT_WORDS, *words = (rk_u32 *)(void *)cuda->bounce;
    rk_cu_address at = (rk_cu_address)(size_t)words;
    void *arguments[] = { &at, &room };
    if (cuda->layout_checked) return RK_OK;
    memset(words, 0, sizeof host_layout);
    int result = cuda->api.cuModuleGetFunction(&function, module, "rk_layout_check");
    if (result == RK_CUDA_SUCCESS)
        result = cuda->api.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, cuda->service, arguments, 0);
    if (result != RK_CUDA_SUCCESS) return rk_cuda_failed(cuda, result, "asking the device for its layout");
    rk_status status = rk_cuda_await(cuda, cuda->service, rk_monotonic_ns() + RK_CUDA_PATIENCE);
    for (rk_u32 i = 0; i < RK_LAYOUT_WORDS && status == RK_OK; i++)
        if (words[i] != host_layout[i])
            status = rk_error(RK_INCOMPATIBLE,
                              "the device's compiler lays out word %u of the shared structures as %u, the "
                              "host's as %u: use an NVRTC and a compiler that agree",
                              i, words[i], host_layout[i]);
    if (status == RK_OK) {
        result = cuda->api.cuModuleGetFunction(&cuda->clock_probe, module, "rk_clock_probe");
        status = result == RK_CUDA_SUCCESS ? rk_cuda_calibrate(cuda, RK_CUDA_PATIENCE)
                                           : rk_cuda_failed(cuda, result, "finding the clock's probe");
        if (status == RK_TIMED_OUT)
            rk_error(status, "the device did not tell its time within %llu s: who else has all of it?",
                     (unsigned long long)(RK_CUDA_PATIENCE / RK_SECONDS(1)));
    }
    if (status != RK_OK) cuda->clock_probe = 0; /* its module goes */
    cuda->layout_checked = status == RK_OK;
    return status;
}

static rk_status load(rk_cuda_runtime *cuda, rk_cuda_code *code)
{
    char log[4096] = "", entry[192];
    rk_cu_jit_option options[] = { RK_CU_JIT_ERROR_LOG_BUFFER, RK_CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
    void *values[] = { log, (void *)sizeof log };
    int result = cuda->api.cuModuleLoadDataEx(&code->module, code->binary.bytes, 2, options, values);
    if (result != RK_CUDA_SUCCESS) {
        code->module = 0;
        rk_status status = rk_cuda_failed(cuda, result, "loading a kernel's code");
        if (*log) rk_error_detail("%s", log);
        return status;
    }
    snprintf(entry, sizeof entry, "rk_entry_of_%s", code->made.class->name);
    result = cuda->api.cuModuleGetFunction(&code->function, code->module, entry);
    if (result == RK_CUDA_SUCCESS && cuda->api.cuFuncLoad) result = cuda->api.cuFuncLoad(code->function);
    rk_cuda_lock(cuda);
    rk_status status = result == RK_CUDA_SUCCESS ? check_layout(cuda, code->module)
                                                 : rk_cuda_failed(cuda, result, "finding a kernel's entry");
    pthread_mutex_unlock(&cuda->copying);
    if (status != RK_OK) { /* or the next one would take it for loaded */
        if (rk_atomic_u32(&cuda->lost) == RK_OK) cuda->api.cuModuleUnload(code->module);
        code->module = 0;
    }
    return status;
}

rk_status rk_cuda_load_code(rk_cuda_runtime *cuda, const rk_class *class, const rk_layout *layout,
                            rk_cuda_code **code)
{
    rk_status status = rk_cuda_compile(cuda, class, layout, code);
    if (status != RK_OK || (*code)->module) return status;
    if (cuda->stuck)
        return rk_error(RK_BUSY,
                        "code for a kernel can't be loaded: one that was given up on may still be on the "
                        "device, and the driver would wait for it: start the process again");
    status = rk_cuda_clear_device(cuda); /* the driver would wait for all that stay */
    if (status == RK_OK) status = load(cuda, *code);
    rk_status resumed = rk_cuda_resume_device(cuda);
    return status == RK_OK ? resumed : status;
}

void rk_cuda_codes_free(rk_cuda_runtime *cuda)
{
    while (cuda->codes.first) {
        rk_cuda_code *code = (rk_cuda_code *)cuda->codes.first;
        cuda->codes.first = code->made.next;
        if (code->module && rk_atomic_u32(&cuda->lost) == RK_OK) cuda->api.cuModuleUnload(code->module);
        rk_device_code_free(&code->binary);
        free(code);
    }
}
