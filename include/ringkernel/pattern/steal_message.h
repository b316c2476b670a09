/* The message of work stealing (steal.h). */
#ifndef RINGKERNEL_PATTERN_STEAL_MESSAGE_H
#define RINGKERNEL_PATTERN_STEAL_MESSAGE_H

#include "../message.h"

#if !defined(RK_STEAL_BATCH)
#define RK_STEAL_BATCH \
    6u /* tasks that are handed over at once, at most; define it before, up to 60. 16 bytes of each word */
#endif
RK_STATIC_ASSERT(RK_STEAL_BATCH >= 1u && RK_STEAL_BATCH <= 60u, "RK_STEAL_BATCH is 1 to 60");

/* What a word is. */
#define RK_STEAL_ASKS 0u  /* a thief wants tasks, and an answer at once */
#define RK_STEAL_WAITS 1u /* a thief wants tasks, whenever there are any: its lifeline */
#define RK_STEAL_GIVES 2u /* the answer to request `serial`: `count` tasks; 0: I have none */
#define RK_STEAL_TOKEN \
    3u /* of round `serial`: `balance` of words with tasks that are under way, and `black` */

/* From shard `from` to shard `to`. Task i is task[2 * i] and task[2 * i + 1], which mean what the user
 * likes. */
RK_MESSAGE(rk_steal_word, 65406, (rk_u64, task, 2u * RK_STEAL_BATCH), (rk_u64, balance), (rk_u32, what),
           (rk_u32, from), (rk_u32, to), (rk_u32, serial), (rk_u32, count), (rk_u32, black))

#endif
