/* Kernels that send to each other from device to device, one that moves, and one that breaks its device. */
#include <ringkernel/kernel.h>

#include "peers.rk.h"

RK_HANDLER(passer, numbered, msg, rk_none, self) { rk_forward(RK_ARG); }

RK_HANDLER(mover, numbered, msg, luggage, self, .state = RK_PER_SHARD)
{
    if (msg->number != self->next) self->wrong++;
    self->next = msg->number + 1u;
    self->word[msg->number % LUGGAGE_WORDS] += msg->number;
}

RK_HANDLER(breaker, mishap, msg, rk_none, self)
{
#if defined(RK_LANG_CUDA)
    __trap();
#endif
}
