/* Ten thousand actors in one kernel: each counts its messages and adds up what they bring. */
#include <ringkernel/kernel.h>

#include "bench.rk.h"

RK_HANDLER(actor, actor_message, msg, actor_state, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE,
           .max_batch = 256)
{
    self->messages++;
    self->amount += msg->amount;
}
