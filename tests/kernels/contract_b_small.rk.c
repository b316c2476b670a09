/* Kernels for loads of up to 1 KiB, which travel in their slots. */
#include <ringkernel/kernel.h>

#include "contract_b_small.rk.h"

RK_REASON(too_heavy)

RK_HANDLER(pass_small, small_load, load, rk_none, self) { rk_forward(RK_ARG); }

RK_HANDLER(refuse_small, small_load, load, rk_none, self) { rk_fail(RK_ARG, too_heavy); }

RK_SPMD_KERNEL(pass_small_spmd, small_load, small_load, .threads = 32)
{
    small_load load;
    if (rk_try_receive(RK_ARG, &load)) rk_forward(RK_ARG);
}

RK_SPMD_KERNEL(refuse_small_spmd, small_load, small_load, .threads = 32)
{
    small_load load;
    if (rk_try_receive(RK_ARG, &load)) rk_fail(RK_ARG, too_heavy);
}
