#include "mock_nvrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define FRESH                                                                                        \
    {                                                                                                \
        .major = 13, .minor = 0, .architectures = { 75, 80, 90 }, .architecture_count = 3, .log = "" \
    }
mock_nvrtc_state mock_nvrtc = FRESH;

struct rk_nvrtc_program_ {
    unsigned long sum; /* of the text */
    int dense;         /* it asks for registers with which two blocks fit */
    char code[96];
    char error[512]; /* what is wrong with the text */
};

static int is_to_fail(const char *function)
{
    if (!mock_nvrtc.fails || strcmp(mock_nvrtc.fails, function)) return 0;
    if (!mock_nvrtc.once) return 1;
    if (mock_nvrtc.after-- > 0) return 0;
    mock_nvrtc.fails = 0;
    return 1;
}
#define BEGIN                                                                 \
    do {                                                                      \
        if (is_to_fail(__func__)) return (rk_nvrtc_result)mock_nvrtc.failure; \
    } while (0)

rk_nvrtc_result nvrtcVersion(int *major, int *minor)
{
    BEGIN;
    *major = mock_nvrtc.major;
    *minor = mock_nvrtc.minor;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetNumSupportedArchs(int *count)
{
    BEGIN;
    *count = mock_nvrtc.architecture_count;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetSupportedArchs(int *architectures)
{
    BEGIN;
    memcpy(architectures, mock_nvrtc.architectures, (size_t)mock_nvrtc.architecture_count * sizeof(int));
    return RK_NVRTC_SUCCESS;
}

/* "file(line): error" of the first line with `what` in a file that the text includes by its path. */
static void find_error(const char *text, const char *what, char error[512])
{
    char path[400], line[1024];
    for (const char *at = text; (at = strstr(at, "#include \"")) && !*error; at++) {
        FILE *file = sscanf(at, "#include \"%399[^\"]", path) == 1 ? fopen(path, "r") : 0;
        for (unsigned n = 1; file && !*error && fgets(line, sizeof line, file); n++)
            if (strstr(line, what))
                snprintf(error, 512, "%s(%u): error: the mock doesn't like this", path, n);
        if (file) fclose(file);
    }
}

rk_nvrtc_result nvrtcCreateProgram(rk_nvrtc_program *program, const char *text, const char *name, int headers,
                                   const char *const *header_texts, const char *const *header_names)
{
    BEGIN;
    (void)name, (void)headers, (void)header_texts, (void)header_names;
    if (mock_nvrtc.on_source) mock_nvrtc.on_source(text);
    *program = calloc(1, sizeof **program);
    if (mock_nvrtc.breaks_at) find_error(text, mock_nvrtc.breaks_at, (*program)->error);
    (*program)->dense = strstr(text, "RK_BLOCKS_BOUND 2") != 0;
    for (; *text; text++) (*program)->sum = (*program)->sum * 31 + (unsigned char)*text;
    mock_nvrtc.programs++;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcCompileProgram(rk_nvrtc_program program, int count, const char *const *options)
{
    unsigned n = __atomic_add_fetch(&mock_nvrtc.compiles, 1, __ATOMIC_RELAXED);
    mock_nvrtc.options[0] = 0;
    for (int i = 0; i < count; i++)
        snprintf(mock_nvrtc.options + strlen(mock_nvrtc.options),
                 sizeof mock_nvrtc.options - strlen(mock_nvrtc.options), "%s ", options[i]);
    if (mock_nvrtc.on_compile) mock_nvrtc.on_compile();
    BEGIN;
    if (*program->error) return RK_NVRTC_ERROR_COMPILATION;
    snprintf(program->code, sizeof program->code, "code %u of %lx%s", n, program->sum,
             program->dense ? ", dense" : "");
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcDestroyProgram(rk_nvrtc_program *program)
{
    free(*program);
    *program = 0;
    mock_nvrtc.programs--;
    return RK_NVRTC_SUCCESS;
}

static rk_nvrtc_result size_of(const char *text, size_t *size)
{
    *size = strlen(text) + 1;
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetProgramLogSize(rk_nvrtc_program program, size_t *size)
{
    BEGIN;
    return size_of(*program->error ? program->error : mock_nvrtc.log, size);
}
rk_nvrtc_result nvrtcGetProgramLog(rk_nvrtc_program program, char *log)
{
    BEGIN;
    strcpy(log, *program->error ? program->error : mock_nvrtc.log);
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetCUBINSize(rk_nvrtc_program program, size_t *size)
{
    BEGIN;
    return size_of(program->code, size);
}
rk_nvrtc_result nvrtcGetCUBIN(rk_nvrtc_program program, char *binary)
{
    BEGIN;
    strcpy(binary, program->code);
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetPTXSize(rk_nvrtc_program program, size_t *size)
{
    BEGIN;
    *size = strlen(program->code) + sizeof "ptx ";
    return RK_NVRTC_SUCCESS;
}
rk_nvrtc_result nvrtcGetPTX(rk_nvrtc_program program, char *text)
{
    BEGIN;
    sprintf(text, "ptx %s", program->code);
    return RK_NVRTC_SUCCESS;
}
