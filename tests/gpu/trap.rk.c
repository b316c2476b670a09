/* A kernel that adds up, and traps when it is told to. */
#include <ringkernel/kernel.h>

#include "trap.rk.h"

RK_HANDLER(teller, deposit, msg, teller_state, self, .state = RK_PER_SHARD)
{
#if defined(RK_LANG_CUDA)
    if (msg->traps) __trap();
#endif
    self->sum += msg->value;
    self->count++;
    balance now = { self->sum, self->count };
    rk_send(RK_ARG, &now);
}
