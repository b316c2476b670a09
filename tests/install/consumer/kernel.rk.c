/* A kernel with state, compiled by the installed dialect: doubles what it is asked, and counts. */
#include <ringkernel/kernel.h>

#include "consumer.rk.h"

typedef struct {
    rk_u64 asked;
} memory;

RK_HANDLER(doubler, question, msg, memory, self, .state = RK_PER_SHARD)
{
    self->asked++;
    answer out = { msg->value * 2, self->asked };
    rk_send(RK_ARG, &out);
}
