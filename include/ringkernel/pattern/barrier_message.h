/* The messages of named barriers (barrier.h): for host programs, too, which may take part. */
#ifndef RINGKERNEL_PATTERN_BARRIER_MESSAGE_H
#define RINGKERNEL_PATTERN_BARRIER_MESSAGE_H

#include "../message.h"

#define RK_BARRIER_PARTIES 32u /* of one barrier: each is a bit */

/* What a party asks for. */
#define RK_BARRIER_ARRIVE 0u   /* I am there */
#define RK_BARRIER_WITHDRAW 1u /* don't wait for me any more */
#define RK_BARRIER_RETURN 2u   /* wait for me again, from this epoch on */

/* To the keeper. Parties are 0 … parties - 1, and all state the same number. The first epoch is 1; each
 * answer says which comes next. `timeout_ns` from now on the round is given up, if not everybody came:
 * RK_NO_WAIT at once, RK_NO_DEADLINE never. */
RK_MESSAGE(rk_barrier_call, 65402, (rk_u64, name), (rk_u64, timeout_ns), (rk_u32, what), (rk_u32, party),
           (rk_u32, parties), (rk_u32, epoch))

/* What became of it. After all but the first three nothing has changed. */
#define RK_BARRIER_PASSED 0u /* all were there */
#define RK_BARRIER_TIMED_OUT \
    1u /* not all came in time: `arrived` of `expected`; the bits of the others are in `missing` */
#define RK_BARRIER_DONE 2u      /* withdrawn, or returned; also to one who had arrived and withdraws */
#define RK_BARRIER_LATE 3u      /* that epoch is over: arrive with `epoch`, if that still makes sense */
#define RK_BARRIER_DUPLICATE 4u /* arrived already; the first arrival is answered in its time */
#define RK_BARRIER_UNKNOWN 5u /* withdrawn, or no such party, or another number of parties than others said */
#define RK_BARRIER_EARLY 6u   /* an epoch that hasn't begun */
#define RK_BARRIER_NO_ROOM \
    7u /* the keeper has no place for another name; or name, `what` or `parties` can't be */

RK_MESSAGE(rk_barrier_answer, 65403, (rk_u64, name), (rk_u32, party), (rk_u32, outcome), (rk_u32, epoch),
           (rk_u32, arrived), (rk_u32, expected), (rk_u32, missing))

#endif
