/* Counts the living of each generation, which ends only when all are counted: so there is one sum, and no strip's next
 * number comes before this one is told. After `until` it withdraws, and nobody waits for it any more. */
#include <ringkernel/kernel.h>

#include "life.rk.h"

RK_ROUTE(barrier)
RK_ROUTE(result)
RK_REASON(not_passed)
RK_PARAM(rk_u32, until, 100) /* the last generation that is counted */

typedef struct census_state {
    rk_u32 strips, alive; /* of this generation, so far */
} census_state;

RK_HANDLER(census, alive_in_strip, msg, census_state, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    if (msg->generation > RK_PARAM_OF(until)) return; /* it is out */
    self->alive += msg->alive;
    if (++self->strips < STRIPS) return;
    population out = { msg->generation, self->alive };
    rk_send_to(RK_ARG, result, &out);
    self->strips = self->alive = 0;
    rk_u32 what = msg->generation < RK_PARAM_OF(until) ? RK_BARRIER_ARRIVE : RK_BARRIER_WITHDRAW;
    rk_barrier_call call = { GENERATIONS_END, RK_NO_DEADLINE, what, STRIPS, PARTIES, msg->generation + 1u };
    rk_send_to(RK_ARG, barrier, &call);
}

RK_HANDLER(census, rk_barrier_answer, answer, census_state, self, .state = RK_PER_SHARD)
{
    if (answer->outcome != RK_BARRIER_PASSED && answer->outcome != RK_BARRIER_DONE)
        rk_fail(RK_ARG, not_passed);
}

RK_HANDLER(census, board_row, msg, census_state, self, .state = RK_PER_SHARD)
{
    rk_forward_to(RK_ARG, result);
}
