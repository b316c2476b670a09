/* Kernels for loads of up to 1 KiB, which travel in their slots. */
#include <ringkernel/kernel.h>

#include "contract_b_load.rk.h"
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

/* Tells of each load of a batch. */
RK_BATCH_HANDLER(weigh_small, small_load, n, rk_none, self, .width = RK_BLOCK, .threads = 32, .max_sends = 32)
{
    RK_ONCE {
        for (rk_u32 i = 0; i < n; i++) {
            load_weight weight = { 0, rk_length_at(RK_ARG, i), n };
            RK_MSG const small_load *load =
                RK_AT(small_load, i); /* found once: that takes reads over the bus */
            for (rk_u32 b = 0; b < weight.length; b++) weight.hash = WEIGH_BYTE(weight.hash, load->bytes[b]);
            rk_send(RK_ARG, &weight);
        }
    }
}
