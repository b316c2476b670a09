/* Compiles the kernels of the contract suite for a device ahead of its tests, into the cache, several at a
 * time: a case that meets a compiler would wait longer than it has patience. Needs no device.
 *
 *     compile [--architecture N] [--jobs N] [--peers 1]
 *
 * N: 90 is sm_90. Each is compiled as launches with default options need it, and as those with short queues do where
 * that is another unit; with --peers 1 of a runtime over several devices. The exit status is 1 if one doesn't compile, 77 without NVRTC. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ringkernel/ringkernel.h>

#include "backend/cuda/cuda.h"

static rk_u32 architecture = 90, jobs = 2, peers;

/* How a launch with production's options, and queues so long if that isn't 0, needs it. */
static rk_cuda_build build_for(const rk_class *class, rk_u32 queue_capacity)
{
    rk_launch_options options = rk_production();
    rk_layout layout;
    if (queue_capacity) options.queue_capacity = queue_capacity;
    rk_layout_defaults(class, &options);
    rk_layout_plan(class, &options, RK_LAYOUT_DEVICE, RK_BLOCK_CHOSEN, &layout);
    rk_cuda_build build = rk_cuda_build_of(class, &layout, 0);
    build.peers = peers;
    return build;
}

/* In a process of its own. Returns its exit status. */
static int compile(const rk_nvrtc *nvrtc, const rk_class *class, rk_cuda_build build)
{
    rk_device_code binary;
    char note[RK_CODE_NOTE_ROOM] = "";
    rk_status status = rk_cuda_code_get(nvrtc, architecture, 0, class, build, &binary, note);
    if (status == RK_OK && !*note) return 0;
    fprintf(stderr, "compile: %s: %s\n", class->name, status == RK_OK ? note : rk_error_text());
    return 1;
}

static int await_one(void)
{
    int status = 0;
    return wait(&status) < 0 || status != 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        rk_u32 *number = strcmp(argv[i], "--architecture") == 0 ? &architecture
                         : strcmp(argv[i], "--jobs") == 0       ? &jobs
                         : strcmp(argv[i], "--peers") == 0      ? &peers
                                                                : NULL;
        if (!number || i + 1 == argc) {
            fprintf(stderr, "compile: '%s' is no option, or has no number\n", argv[i]);
            return 2;
        }
        *number = (rk_u32)strtoul(argv[i + 1], NULL, 10);
    }
    rk_nvrtc nvrtc;
    if (rk_nvrtc_load(NULL, 0, &nvrtc) != RK_OK) {
        fprintf(stderr, "compile: %s\n", rk_error_text());
        return 77;
    }
    rk_runtime *runtime = NULL;
    rk_runtime_options options = { RK_RUNTIME_OPTIONS };
    if (rk_open(&options, &runtime) != RK_OK) {
        fprintf(stderr, "compile: %s\n", rk_error_text());
        return 1;
    }
    rk_u32 running = 0, units = 0;
    int failed = 0;
    for (const rk_class *class = runtime->classes; class; class = class->next) {
        const rk_cuda_build build[] = { build_for(class, 0), build_for(class, 16) };
        for (rk_u32 i = 0; i < 1u + (memcmp(&build[0], &build[1], sizeof *build) != 0); i++, units++) {
            if (running == jobs) failed |= await_one(), running--;
            pid_t child = fork();
            if (child == 0) _exit(compile(&nvrtc, class, build[i]));
            if (child < 0) {
                perror("compile: fork");
                failed = 1;
            }
            running += child > 0;
        }
    }
    while (running--) failed |= await_one();
    printf("%u units for sm_%u\n", units, architecture);
    rk_close(runtime);
    return failed;
}
