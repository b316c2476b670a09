/* Kernels for loads of up to 64 KiB, by reference. */
#include <ringkernel/kernel.h>

#include "contract_b_medium.rk.h"

RK_REASON(too_heavy)

RK_HANDLER(pass_medium, medium_load, load, rk_none, self) { rk_forward(RK_ARG); }

RK_HANDLER(refuse_medium, medium_load, load, rk_none, self) { rk_fail(RK_ARG, too_heavy); }
