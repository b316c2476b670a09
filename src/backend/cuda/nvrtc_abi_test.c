/* What we wrote down of NVRTC is what its own header says; compared when this file is compiled. */
#include <stdio.h>

#include "backend/cuda/nvrtc_abi.h"

#include <nvrtc.h>

#define SAME_RESULT(name, value) _Static_assert(NVRTC_##name == (value), "NVRTC_" #name);
RK_NVRTC_RESULTS(SAME_RESULT)
_Static_assert(sizeof(rk_nvrtc_result) == sizeof(nvrtcResult), "nvrtcResult");
_Static_assert(sizeof(rk_nvrtc_program) == sizeof(nvrtcProgram), "nvrtcProgram");

#define rk_nvrtc_result nvrtcResult
#define rk_nvrtc_program nvrtcProgram
#define SAME_FUNCTION(name, parameters) \
    _Static_assert(__builtin_types_compatible_p(rk_nvrtc_result(*) parameters, __typeof__(&name)), #name);
RK_NVRTC_FUNCTIONS(SAME_FUNCTION)

int main(void)
{
    printf("compared with NVRTC's header\n");
    return 0;
}
