/* The guide's fair actors: at most 16 messages a turn, so a busy actor can't hold up the others, and
 * causal stamps. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

typedef struct {
    rk_i64 cents;
    rk_u32 sequence; /* of the last change */
} account;

RK_REASON(out_of_order) /* a change that is not the next of its account */

RK_HANDLER(fair_actor, account_change, change, account, self, .state = RK_PER_ACTOR, .mode = RK_ADAPTIVE,
           .max_batch = 16, .memory = RK_RELEASE_ACQUIRE)
{
    if (change->sequence != self->sequence + 1) {
        rk_fail(RK_ARG, out_of_order);
        return;
    }
    self->sequence = change->sequence;
    self->cents += change->cents;
    account_balance balance = { change->account, self->sequence, self->cents };
    rk_send(RK_ARG, &balance);
}
