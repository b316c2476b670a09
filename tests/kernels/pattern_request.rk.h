/* The messages of the cases on requests between kernels. Type ids 770 to 779 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_REQUEST_RK_H
#define RINGKERNEL_TESTS_PATTERN_REQUEST_RK_H

#include <ringkernel/message.h>

#define ASKED_MOST 8u /* that wait for a reply, of a shard */
#define HELD_MOST 32u /* replies that a shard of the oracle holds back */

#define ANSWER_NOW 0u
#define ANSWER_TWICE 1u
#define ANSWER_NEVER 2u
#define ANSWER_HELD 3u  /* when it is told to */
#define ANSWER_WRONG 4u /* to something that was not asked */

/* Ask shard `target` of the oracle, which answers with twice the value. */
RK_MESSAGE(ask_order, 770, (rk_u64, number), (rk_u64, value), (rk_u64, timeout_ns), (rk_u32, target),
           (rk_u32, how))
RK_MESSAGE(question, 771, (rk_u64, value), (rk_u32, how), (rk_u32, pad))
RK_MESSAGE(oracle_says, 772, (rk_u64, value))
RK_MESSAGE(cancel_order, 773, (rk_u64, number))
RK_MESSAGE(let_go, 774, (rk_u32, pad)) /* of what is held */

#define ASKED_ANSWERED 0u
#define ASKED_EXPIRED 1u
#define ASKED_CANCELLED 2u
#define ASKED_REFUSED 3u
/* What became of an order. */
RK_MESSAGE(asked, 775, (rk_u64, number), (rk_u64, value), (rk_u32, outcome), (rk_i32, status),
           (rk_u32, shard), (rk_u32, pad))

RK_MESSAGE(count_ask, 776, (rk_u32, pad))
RK_MESSAGE(asked_counts, 777, (rk_u64, opened), (rk_u64, refused), (rk_u64, cancelled), (rk_u64, expired),
           (rk_u64, came, 6), (rk_u32, waiting), (rk_u32, pad))

#endif
