/* The part of NVRTC's interface that we use, written down by ourselves; see cuda_abi.h. nvrtc_abi_test.c
 * compares it with NVRTC's own header where that is. */
#ifndef RK_BACKEND_CUDA_NVRTC_ABI_H
#define RK_BACKEND_CUDA_NVRTC_ABI_H

#include <stddef.h>

#define RK_NVRTC_RESULTS(V)    \
    V(SUCCESS, 0)              \
    V(ERROR_OUT_OF_MEMORY, 1)  \
    V(ERROR_INVALID_OPTION, 5) \
    V(ERROR_COMPILATION, 6)    \
    V(ERROR_BUILTIN_OPERATION_FAILURE, 7)
#define RK_NVRTC_RESULT_(name, value) RK_NVRTC_##name = (value),
typedef enum rk_nvrtc_result { RK_NVRTC_RESULTS(RK_NVRTC_RESULT_) } rk_nvrtc_result;

typedef struct rk_nvrtc_program_ *rk_nvrtc_program;

/* F(name, parameters). All return a result. */
/* clang-format off */
#define RK_NVRTC_FUNCTIONS(F)                                                                              \
    F(nvrtcVersion, (int *major, int *minor))                                                              \
    F(nvrtcGetNumSupportedArchs, (int *count))                                                             \
    F(nvrtcGetSupportedArchs, (int *architectures))                                                        \
    F(nvrtcCreateProgram, (rk_nvrtc_program *program, const char *text, const char *name, int headers,     \
                           const char *const *header_texts, const char *const *header_names))              \
    F(nvrtcCompileProgram, (rk_nvrtc_program program, int count, const char *const *options))              \
    F(nvrtcGetProgramLogSize, (rk_nvrtc_program program, size_t *size))                                    \
    F(nvrtcGetProgramLog, (rk_nvrtc_program program, char *log))                                           \
    F(nvrtcGetCUBINSize, (rk_nvrtc_program program, size_t *size))                                         \
    F(nvrtcGetCUBIN, (rk_nvrtc_program program, char *binary))                                             \
    F(nvrtcGetPTXSize, (rk_nvrtc_program program, size_t *size))                                           \
    F(nvrtcGetPTX, (rk_nvrtc_program program, char *text))                                                 \
    F(nvrtcDestroyProgram, (rk_nvrtc_program *program))
/* clang-format on */

#define RK_NVRTC_TYPE_(name, parameters) typedef rk_nvrtc_result(*rk_##name) parameters;
RK_NVRTC_FUNCTIONS(RK_NVRTC_TYPE_)

#endif
