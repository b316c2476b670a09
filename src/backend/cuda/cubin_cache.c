#include "cubin_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/code_file.h"
#include "runtime/error.h"
#include "runtime/unit_digest.h"

#define PATH_ROOM (4096 + RK_DIGEST_ROOM + 8)

/* The name of the code in the cache. -1: it can't be told what the unit is made of. */
static int name_of(const rk_nvrtc *nvrtc, const rk_code_request *request, const rk_nvrtc_target *target,
                   char name[RK_DIGEST_ROOM])
{
    rk_digest digest = RK_DIGEST_BEGIN;
    rk_nvrtc_options options = { .option = { 0 } };
    char version[64];
    rk_nvrtc_options_for(nvrtc, target, request->include, &options);
    snprintf(version, sizeof version, "NVRTC %d for " RK_BUILD_VERSION, nvrtc->version);
    rk_digest_text(&digest, version);
    for (size_t i = 0; i < RK_NVRTC_OPTIONS; i++) rk_digest_text(&digest, options.option[i]);
    if (rk_unit_digest(request->unit, request->include, &digest)) return -1;
    rk_digest_name(&digest, name);
    return 0;
}

/* Compile, and again while a file that the unit includes changes meanwhile: *name is then of what was
 * compiled. */
#define ATTEMPTS 3
static rk_status compile_settled(const rk_nvrtc *nvrtc, const rk_code_request *request,
                                 const rk_nvrtc_target *target, char name[RK_DIGEST_ROOM],
                                 rk_device_code *code)
{
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        char before[RK_DIGEST_ROOM];
        memcpy(before, name, sizeof before);
        rk_status status = rk_nvrtc_compile(nvrtc, request->unit, target, request->include, code);
        if (status != RK_OK) return status;
        if (name_of(nvrtc, request, target, name) == 0 && strcmp(before, name) == 0) return RK_OK;
        rk_device_code_free(code);
    }
    return rk_error(RK_IO,
                    "a file that the kernel source includes changes while it is compiled: load it again");
}

/* The file of that name in the cache. */
static void path_of(const rk_code_request *request, const rk_nvrtc_target *target, const char *name,
                    char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/%s.%s", request->cache_folder, name, target->is_ptx ? "ptx" : "cubin");
}

rk_status rk_device_code_get(const rk_nvrtc *nvrtc, const rk_code_request *request, rk_device_code *code,
                             rk_code_origin *origin, char note[RK_CODE_NOTE_ROOM])
{
    char name[RK_DIGEST_ROOM], path[PATH_ROOM];
    rk_nvrtc_target target;
    *code = (rk_device_code){ .bytes = 0 };
    *origin = RK_CODE_NOT_KEPT;
    note[0] = 0;
    rk_status status = rk_nvrtc_target_for(nvrtc, request->architecture, &target);
    if (status != RK_OK) return status;
    if (!request->cache_folder)
        return rk_nvrtc_compile(nvrtc, request->unit, &target, request->include, code);
    if (name_of(nvrtc, request, &target, name)) {
        snprintf(note, RK_CODE_NOTE_ROOM, "not cached: which files it includes can't be told from its text");
        return rk_nvrtc_compile(nvrtc, request->unit, &target, request->include, code);
    }

    path_of(request, &target, name, path);
    if (rk_code_file_read(path, &code->bytes, &code->size, &code->log)) {
        code->target = target;
        *origin = RK_CODE_FROM_CACHE;
        return RK_OK;
    }
    status = compile_settled(nvrtc, request, &target, name, code);
    if (status != RK_OK) return status;
    path_of(request, &target, name, path);
    if (rk_code_file_write(path, code->bytes, code->size, code->log) == 0)
        *origin = RK_CODE_COMPILED;
    else
        snprintf(note, RK_CODE_NOTE_ROOM, "not cached: can't write '%.300s': %s", path, strerror(errno));
    return RK_OK;
}
