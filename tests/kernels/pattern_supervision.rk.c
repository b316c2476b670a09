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

/* Its gate is a word of the host's half of the orders that nothing else uses: on every device the host reaches it while a
 * handler runs, unless the orders are copied, and then it counts instead. 0: open. */
RK_HANDLER(gated, gated_entry, msg, ledger_state, self, .state = RK_PER_SHARD, .max_batch = 1)
{
    RK_GLOBAL const rk_u32 *gate = (RK_GLOBAL const rk_u32 *)(RK_GLOBAL const void *)rk_ctx->told->host_rest_;
    rk_u64 left = msg->looks;
    rk_u32 closed = 1;
    while (closed || left) {
        closed = rk_load_u32(gate, RK_RELAXED, RK_SCOPE_SYSTEM);
        if (left) left--;
    }
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
