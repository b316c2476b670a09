#include "nvrtc.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/error.h"

/* ------------------------------------------------------------------ finding one */

static const int majors[] = { 13, 12 }; /* that the device headers were compiled by; newest first */

/* What was found on the way and is of no use. */
typedef struct search {
    int driver_version;
    char found[512];
} search;

static void note(search *s, const char *format, const char *file, int version)
{
    size_t used = strlen(s->found);
    snprintf(s->found + used, sizeof s->found - used, format, file, version / 1000, version % 1000 / 10);
}

static int find_functions(void *library, rk_nvrtc *nvrtc)
{
    static const struct {
        const char *name;
        size_t place;
    } functions[] = {
#define ROW_(name, parameters) { #name, offsetof(rk_nvrtc, name) },
        RK_NVRTC_FUNCTIONS(ROW_)
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function) return 0;
        memcpy((char *)nvrtc + functions[i].place, &function, sizeof function);
    }
    return 1;
}

static int by_number(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

/* 0: this file is no NVRTC that we can use. */
static int try_file(search *s, const char *file, rk_nvrtc *nvrtc)
{
    int major = 0, minor = 0;
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
    *nvrtc = (rk_nvrtc){ .version = 0 };
    if (!find_functions(library, nvrtc) || nvrtc->nvrtcVersion(&major, &minor) != RK_NVRTC_SUCCESS ||
        nvrtc->nvrtcGetNumSupportedArchs(&nvrtc->architecture_count) != RK_NVRTC_SUCCESS ||
        nvrtc->architecture_count < 1 || nvrtc->architecture_count > RK_NVRTC_ARCHITECTURES ||
        nvrtc->nvrtcGetSupportedArchs(nvrtc->architectures) != RK_NVRTC_SUCCESS) {
        note(s, "; '%s' is none that we know (%d.%d)", file, 0);
        return 0;
    }
    nvrtc->version = major * 1000 + minor * 10;
    qsort(nvrtc->architectures, (size_t)nvrtc->architecture_count, sizeof(int), by_number);
    if (nvrtc->version < RK_NVRTC_MINIMUM) {
        note(s, "; '%s' is %d.%d, which lacks the atomics that device code needs", file, nvrtc->version);
        return 0;
    }
    if (s->driver_version && major > s->driver_version / 1000) {
        note(s, "; '%s' is %d.%d, whose code the driver doesn't take", file, nvrtc->version);
        return 0;
    }
    return 1;
}

/* Toolkits in their own folders, which the system's loader may not know. */
static int try_toolkits(search *s, int major, rk_nvrtc *nvrtc)
{
    char pattern[4096];
    const char *homes[] = { getenv("CUDA_HOME"), getenv("CUDA_PATH"), "/usr/local/cuda", "/usr/local/cuda-*",
                            "/opt/cuda" };
    for (size_t h = 0; h < sizeof homes / sizeof *homes; h++) {
        glob_t files;
        int found = 0;
        if (!homes[h] || !*homes[h]) continue;
        snprintf(pattern, sizeof pattern, "%s/lib*/libnvrtc.so.%d", homes[h], major);
        if (glob(pattern, 0, 0, &files)) continue;
        for (size_t i = 0; i < files.gl_pathc && !found; i++) found = try_file(s, files.gl_pathv[i], nvrtc);
        globfree(&files);
        if (found) return 1;
    }
    return 0;
}

rk_status rk_nvrtc_load(const char *library, int driver_version, rk_nvrtc *nvrtc)
{
    search s = { driver_version, "" };
    char name[32];
    if (library && try_file(&s, library, nvrtc)) return RK_OK;
    for (size_t i = 0; !library && i < sizeof majors / sizeof *majors; i++) {
        if (driver_version && majors[i] > driver_version / 1000) continue;
        snprintf(name, sizeof name, "libnvrtc.so.%d", majors[i]);
        if (try_file(&s, name, nvrtc) || try_toolkits(&s, majors[i], nvrtc)) return RK_OK;
    }
    int newest = driver_version && driver_version / 1000 < majors[0] ? driver_version / 1000 : majors[0];
    return rk_error(RK_UNSUPPORTED,
                    "no NVRTC that compiles kernels for CUDA: %d.%d up to %d.x works%s%s%s: install CUDA's "
                    "package cuda-nvrtc, set CUDA_HOME, or use the backend cpu",
                    RK_NVRTC_MINIMUM / 1000, RK_NVRTC_MINIMUM % 1000 / 10, newest,
                    library ? ", looked for as " : "", library ? library : "", s.found);
}

/* ------------------------------------------------------------------ targets and options */

rk_status rk_nvrtc_target_for(const rk_nvrtc *nvrtc, rk_u32 architecture, rk_nvrtc_target *target)
{
    int newest = 0;
    for (int i = 0; i < nvrtc->architecture_count; i++)
        if (nvrtc->architectures[i] <= (int)architecture) newest = nvrtc->architectures[i];
    if (!newest)
        return rk_error(
            RK_UNSUPPORTED,
            "NVRTC %d.%d compiles for compute capability %d.%d and later, and the device has %u.%u: "
            "install an older one, from 12.8 on, or use the backend cpu",
            nvrtc->version / 1000, nvrtc->version % 1000 / 10, nvrtc->architectures[0] / 10,
            nvrtc->architectures[0] % 10, architecture / 10, architecture % 10);
    *target = (rk_nvrtc_target){ (rk_u32)newest, newest != (int)architecture, 0 };
    return RK_OK;
}

void rk_nvrtc_options_for(const rk_nvrtc *nvrtc, const rk_nvrtc_target *target, const char *include,
                          rk_nvrtc_options *options)
{
    snprintf(options->architecture, sizeof options->architecture, "--gpu-architecture=%s_%u",
             target->is_ptx ? "compute" : "sm", target->architecture);
    snprintf(options->include, sizeof options->include, "--include-path=%s", include);
    options->option[0] = "--std=c++20";
    options->option[1] = options->architecture;
    options->option[2] = options->include;
    options->option[3] = "--generate-line-info"; /* compute-sanitizer and profilers name the user's lines */
    options->option[4] = target->is_quick && nvrtc->version >= 13000
                             ? "--Ofast-compile=max"
                             : "--split-compile=0"; /* by as many threads as there are cores */
}

/* ------------------------------------------------------------------ compiling */

void rk_device_code_free(rk_device_code *code)
{
    free(code->bytes);
    free(code->log);
    *code = (rk_device_code){ .bytes = 0 };
}

static rk_status no_memory(void) { return rk_error(RK_OUT_OF_MEMORY, "no memory for compiled device code"); }

static rk_status take_log(const rk_nvrtc *nvrtc, rk_nvrtc_program program, char **log)
{
    size_t size = 0;
    nvrtc->nvrtcGetProgramLogSize(program, &size);
    *log = calloc(1, size + 1);
    if (!*log) return no_memory();
    if (size) nvrtc->nvrtcGetProgramLog(program, *log);
    return RK_OK;
}

static rk_status take_code(const rk_nvrtc *nvrtc, rk_nvrtc_program program, rk_device_code *code)
{
    rk_nvrtc_result (*get_size)(rk_nvrtc_program, size_t *) =
        code->target.is_ptx ? nvrtc->nvrtcGetPTXSize : nvrtc->nvrtcGetCUBINSize;
    rk_nvrtc_result (*get)(rk_nvrtc_program, char *) =
        code->target.is_ptx ? nvrtc->nvrtcGetPTX : nvrtc->nvrtcGetCUBIN;
    if (get_size(program, &code->size) != RK_NVRTC_SUCCESS || code->size == 0)
        return rk_error(RK_INTERNAL, "NVRTC compiled, but gives no code");
    code->bytes = malloc(code->size);
    if (!code->bytes) return no_memory();
    return get(program, code->bytes) == RK_NVRTC_SUCCESS ? RK_OK
                                                         : rk_error(RK_INTERNAL, "NVRTC gives no code");
}

static rk_status failure(const rk_nvrtc *nvrtc, int result, const char *log)
{
    int major = nvrtc->version / 1000, minor = nvrtc->version % 1000 / 10;
    switch (result) {
    case RK_NVRTC_ERROR_COMPILATION:
        return rk_error(RK_COMPILE_FAILED, "the kernel source doesn't compile for CUDA:\n%s",
                        *log ? log : "(NVRTC says nothing)");
    case RK_NVRTC_ERROR_OUT_OF_MEMORY: return rk_error(RK_OUT_OF_MEMORY, "NVRTC has no memory");
    case RK_NVRTC_ERROR_BUILTIN_OPERATION_FAILURE:
        return rk_error(RK_UNSUPPORTED,
                        "NVRTC %d.%d is not complete: libnvrtc-builtins.so.%d.%d must be beside it\n%s",
                        major, minor, major, minor, log);
    case RK_NVRTC_ERROR_INVALID_OPTION:
        return rk_error(RK_UNSUPPORTED, "NVRTC %d.%d doesn't take an option that we need\n%s", major, minor,
                        log);
    default: return rk_error(RK_INTERNAL, "NVRTC %d.%d failed with result %d\n%s", major, minor, result, log);
    }
}

rk_status rk_nvrtc_compile(const rk_nvrtc *nvrtc, const char *unit, const rk_nvrtc_target *target,
                           const char *include, rk_device_code *code)
{
    rk_nvrtc_program program = 0;
    rk_nvrtc_options options = { .option = { 0 } };
    *code = (rk_device_code){ .target = *target };
    rk_nvrtc_options_for(nvrtc, target, include, &options);
    int result = nvrtc->nvrtcCreateProgram(&program, unit, "ringkernel_unit.cu", 0, 0, 0);
    if (result != RK_NVRTC_SUCCESS) return failure(nvrtc, result, "");
    result = nvrtc->nvrtcCompileProgram(program, RK_NVRTC_OPTIONS, options.option);
    rk_status status = take_log(nvrtc, program, &code->log);
    if (status == RK_OK && result != RK_NVRTC_SUCCESS) status = failure(nvrtc, result, code->log);
    if (status == RK_OK) status = take_code(nvrtc, program, code);
    nvrtc->nvrtcDestroyProgram(&program);
    if (status != RK_OK) rk_device_code_free(code);
    return status;
}
