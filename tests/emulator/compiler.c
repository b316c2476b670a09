/* A run-time compiler for the emulated GPU: libnvrtc.so.13 that makes libraries of kernels by the machine's own C++ compiler. */
#include "mock/mock_nvrtc.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define BLOCK_MEMORY 232448u /* bytes of shared memory that a block may have */
#define IMAGE "emulated"     /* how an image begins; then its size */

struct rk_nvrtc_program_ {
    char *text, *image;
    size_t image_size;
    char log[16384];
};

rk_nvrtc_result nvrtcVersion(int *major, int *minor)
{
    *major = 13;
    *minor = 0;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetNumSupportedArchs(int *count)
{
    *count = 2;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetSupportedArchs(int *architectures)
{
    architectures[0] = 75;
    architectures[1] = 90;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcCreateProgram(rk_nvrtc_program *program, const char *text, const char *name, int headers,
                                   const char *const *header_texts, const char *const *header_names)
{
    (void)name, (void)headers, (void)header_texts, (void)header_names;
    *program = calloc(1, sizeof **program);
    (*program)->text = strdup(text);
    return RK_NVRTC_SUCCESS;
}

static char *read_whole(const char *path, size_t before, size_t *size)
{
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &info)) abort();
    char *all = calloc(1, before + (size_t)info.st_size + 1);
    if (read(file, all + before, (size_t)info.st_size) != info.st_size) abort();
    close(file);
    *size = (size_t)info.st_size;
    return all;
}

rk_nvrtc_result nvrtcCompileProgram(rk_nvrtc_program program, int count, const char *const *options)
{
    const char *include = "";
    char folder[] = "/tmp/rk-emulated-XXXXXX", source[64], library[64], errors[64], command[4096];
    size_t size;
    for (int i = 0; i < count; i++)
        if (strncmp(options[i], "--include-path=", 15) == 0) include = options[i] + 15;
    if (!mkdtemp(folder)) abort();
    snprintf(source, sizeof source, "%s/unit.cc", folder);
    snprintf(library, sizeof library, "%s/unit.so", folder);
    snprintf(errors, sizeof errors, "%s/errors", folder);
    FILE *to = fopen(source, "w");
    if (!to ||
        fprintf(to, "%s\nthread_local rk_unit rk_block_memory[%u];\n", program->text, BLOCK_MEMORY / 16) <
            0 ||
        fclose(to))
        abort();
    snprintf(command, sizeof command,
             EMU_COMPILER " -std=c++20 -O0 -w%s -fPIC -shared -fpermissive -ffp-contract=off "
                          "-fno-strict-aliasing -fvisibility=hidden "
                          "-I'%s' -I" EMU_HEADERS " -include emulated.h '%s' -o '%s' 2>'%s'",
             getenv("EMU_KEEP") ? " -g" : "", include, source, library, errors);
    const int status = system(command);
    char *said = read_whole(errors, 0, &size);
    snprintf(program->log, sizeof program->log, "%s", said);
    free(said);
    if (status == 0) {
        program->image = read_whole(library, 16, &size);
        const unsigned long long bytes = size;
        memcpy(program->image, IMAGE, 8);
        memcpy(program->image + 8, &bytes, sizeof bytes);
        program->image_size = 16 + size;
    }
    if (!getenv("EMU_KEEP")) unlink(source); /* for a debugger */
    unlink(library);
    unlink(errors);
    rmdir(folder);
    return status == 0 ? RK_NVRTC_SUCCESS : RK_NVRTC_ERROR_COMPILATION;
}
rk_nvrtc_result nvrtcDestroyProgram(rk_nvrtc_program *program)
{
    free((*program)->text);
    free((*program)->image);
    free(*program);
    *program = 0;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetProgramLogSize(rk_nvrtc_program program, size_t *size)
{
    *size = strlen(program->log) + 1;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetProgramLog(rk_nvrtc_program program, char *log)
{
    strcpy(log, program->log);
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetCUBINSize(rk_nvrtc_program program, size_t *size)
{
    *size = program->image_size;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetCUBIN(rk_nvrtc_program program, char *binary)
{
    memcpy(binary, program->image, program->image_size);
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetPTXSize(rk_nvrtc_program program, size_t *size)
{
    return nvrtcGetCUBINSize(program, size);
}
rk_nvrtc_result nvrtcGetPTX(rk_nvrtc_program program, char *text) { return nvrtcGetCUBIN(program, text); }
