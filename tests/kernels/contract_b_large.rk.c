/* Kernels for loads of up to 16 MiB, by reference. */
#include <ringkernel/kernel.h>

#include "contract_b_load.rk.h"
#include "contract_b_large.rk.h"

RK_REASON(too_heavy)

RK_HANDLER(pass_large, large_load, load, rk_none, self) { rk_forward(RK_ARG); }

RK_HANDLER(refuse_large, large_load, load, rk_none, self) { rk_fail(RK_ARG, too_heavy); }

/* Tells of each load of a batch. */
RK_BATCH_HANDLER(weigh_large, large_load, n, rk_none, self, .width = RK_BLOCK, .threads = 32, .max_sends = 32)
{
    RK_ONCE {
        for (rk_u32 i = 0; i < n; i++) {
            load_weight weight = { 0, rk_length_at(RK_ARG, i), n };
            RK_MSG const large_load *load =
                RK_AT(large_load, i); /* found once: that takes reads over the bus */
            for (rk_u32 b = 0; b < weight.length; b++) weight.hash = WEIGH_BYTE(weight.hash, load->bytes[b]);
            rk_send(RK_ARG, &weight);
        }
    }
}
