/* The messages of the contract suite's cases on work stealing. Type ids 630 to 639 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_STEAL_RK_H
#define RINGKERNEL_TESTS_PATTERN_STEAL_RK_H

#include <ringkernel/pattern/steal_message.h>

/* To each shard: take part; with `gives` 1 as one that does a task itself only if it has no other. The first that is asked
 * for tasks is shard `asks` - 1; 0: any. */
RK_MESSAGE(join_crew, 630, (rk_u32, gives), (rk_u32, asks))

/* `count` tasks, number `first` and on; each makes `children` more, whose numbers are its own plus `apart`, plus twice
 * that, …, which make none. */
RK_MESSAGE(more_work, 631, (rk_u32, first), (rk_u32, count), (rk_u32, children), (rk_u32, apart))

/* To shard 0: say when all is done. To another: say so at once. */
RK_MESSAGE(tell_the_end, 632, (rk_u32, pad))

/* To the host: a task was done by a shard; or all are, and so many were refused by shard 0. So many words of this shard's
 * have come back to it, and so many shards wait at their lifeline, this one, for tasks. */
RK_MESSAGE(was_done, 633, (rk_u32, number), (rk_u32, shard), (rk_u32, end), (rk_u32, refused),
           (rk_u32, came_back), (rk_u32, waiting))

#endif
