/* Kernels of the cases on supervision: they count in their state what came. */
#include <ringkernel/kernel.h>

#include "pattern_supervision.rk.h"

RK_PARAM(rk_u32, mark, 0)

typedef struct ledger_state {
    rk_u64 count;
} ledger_state;

RK_HANDLER(ledger, entry, msg, ledger_state, self, .state = RK_PER_SHARD, .max_batch = 1)
{
    entered e = { msg->number, ++self->count, rk_is_redelivered(RK_ARG), RK_PARAM_OF(mark) };
    rk_send(RK_ARG, &e);
}

/* Sends on what comes, as it is, its id too. */
RK_HANDLER(relay, entry, msg, rk_none, self, .max_batch = 8) { rk_forward(RK_ARG); }

/* The same as ledger, an actor each. */
RK_HANDLER(ledgers, entry, msg, ledger_state, self, .state = RK_PER_ACTOR, .max_batch = 1)
{
    entered e = { msg->number, ++self->count, rk_is_redelivered(RK_ARG), RK_PARAM_OF(mark) };
    rk_send(RK_ARG, &e);
}
