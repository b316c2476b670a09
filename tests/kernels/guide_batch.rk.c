/* The guide's batch processor: up to 64 messages a turn, each a piece of work without state.
 *
 * The work is the Collatz sequence: for each of `count` numbers from `first` on, the steps to 1. */
#include <ringkernel/kernel.h>

#include "guide.rk.h"

#define MOST_STEPS 1000u /* no number below ten million needs more than 685 */

RK_FN rk_u32 collatz_steps(rk_u64 number)
{
    rk_u32 steps = 0;
    for (; number > 1 && steps < MOST_STEPS; steps++) number = number % 2 ? 3 * number + 1 : number / 2;
    return steps;
}

RK_HANDLER(batch_processor, work_item, item, rk_none, self, .mode = RK_BATCH, .max_batch = 64)
{
    work_result result = { item->first, 0, 0 };
    for (rk_u64 i = 0; i < item->count; i++) {
        rk_u32 steps = collatz_steps(item->first + i);
        result.steps += steps;
        if (steps > result.longest) result.longest = steps;
    }
    rk_send(RK_ARG, &result);
}
