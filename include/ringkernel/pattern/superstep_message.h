/* The messages of supersteps (superstep.h): for host programs, too, which receive reports of lateness. */
#ifndef RINGKERNEL_PATTERN_SUPERSTEP_MESSAGE_H
#define RINGKERNEL_PATTERN_SUPERSTEP_MESSAGE_H

#include "../message.h"

#define RK_SUPERSTEP_SUMS 2u  /* numbers that an end carries */
#define RK_SUPERSTEP_NAMED 8u /* participants that a report of lateness names */

/* What every message of a step has among its members. */
#define RK_SUPERSTEP_MEMBERS (rk_u32, step), (rk_u32, from), (rk_u32, number)

/* "That was all of this step": to each participant, after everything else of the step. */
RK_MESSAGE(rk_step_end, 65400, (rk_u64, value, 2), RK_SUPERSTEP_MEMBERS, (rk_u32, participants))

/* "I wait for these": `missing` of them, of which the first `named` are in `who`. Of several such reports
 * that with the lowest step tells whom all wait for; the others wait for those who wait. */
RK_MESSAGE(rk_step_late, 65401, (rk_u32, step), (rk_u32, from), (rk_u32, missing), (rk_u32, named),
           (rk_u32, who, 8))

#endif
