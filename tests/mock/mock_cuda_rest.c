/* The rest of the mock driver: functions that mock_cuda.c doesn't define succeed and do nothing, and all are
 * found by cuGetProcAddress, in the form of the version that is asked for. */
#include "mock_cuda.h"

#include <string.h>

#pragma GCC visibility push(default)
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-parameter"

extern mock_cuda_state mock_cuda;
rk_cu_result mock_outcome(const char *function, int of_context);

#define REST(name, version, parameters)                 \
    __attribute__((weak)) rk_cu_result name parameters; \
    __attribute__((weak)) rk_cu_result name parameters { return mock_outcome(#name, 1); }
RK_CU_FUNCTIONS(REST)
RK_CU_LATER_FUNCTIONS(REST)

rk_cu_result cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags,
                                 int *found)
{
    static const struct {
        const char *name;
        int version;
        void *function;
    } functions[] = {
#define ROW(name, version, parameters) { #name, version, (void *)name },
        RK_CU_FUNCTIONS(ROW) RK_CU_LATER_FUNCTIONS(ROW)
    };
    *function = 0;
    *found = 1; /* no such symbol */
    if (flags != RK_CU_GET_PROC_ADDRESS_DEFAULT) return RK_CUDA_ERROR_INVALID_VALUE;
    if (mock_cuda.missing && strcmp(mock_cuda.missing, name) == 0) return RK_CUDA_ERROR_NOT_FOUND;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0 && functions[i].version <= mock_cuda.version) {
            *found = functions[i].version == version ? 0 : 2;
            if (*found == 0) *function = functions[i].function;
        }
    return *function ? RK_CUDA_SUCCESS : RK_CUDA_ERROR_NOT_FOUND;
}
