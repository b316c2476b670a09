/* Kernels for loads of up to 16 MiB, by reference. */
#include <ringkernel/kernel.h>

#include "contract_b_large.rk.h"

RK_REASON(too_heavy)

RK_HANDLER(pass_large, large_load, load, rk_none, self) { rk_forward(RK_ARG); }

RK_HANDLER(refuse_large, large_load, load, rk_none, self) { rk_fail(RK_ARG, too_heavy); }
