/* The messages of the cases on what all threads of a block use at once. Type ids 540 and 541 are theirs. */
#ifndef RINGKERNEL_TESTS_CROWD_RK_H
#define RINGKERNEL_TESTS_CROWD_RK_H

#include <ringkernel/message.h>

#define CROWD 256u /* at most so many take part */
#define CROWD_BLOCKS 100u
#define CROWD_PLACES 64u /* of the queue */

/* `n` take part; the first `keep` of them don't give back what they have in the end. */
RK_MESSAGE(crowd, 540, (rk_u32, n), (rk_u32, keep))

/* How many did what; `out` and what follows are the slab's, afterwards. */
RK_MESSAGE(crowded, 541, (rk_u32, rented), (rk_u32, full), (rk_u32, busy), (rk_u32, pushed), (rk_u32, popped),
           (rk_u32, queued), (rk_u32, taken), (rk_u32, returned), (rk_u32, stale), (rk_u32, wrong),
           (rk_u32, kept), (rk_u32, out), (rk_u32, age), (rk_u32, left))

#endif
