/* The messages of the cases on recovery. Type ids 700 to 709 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_RECOVERY_RK_H
#define RINGKERNEL_TESTS_PATTERN_RECOVERY_RK_H

#include <ringkernel/message.h>

#define PAYMENTS 8u /* that may wait at one cashier */

/* A payment whose first `failures` attempts fail. */
RK_MESSAGE(payment, 700, (rk_u64, number), (rk_u32, failures), (rk_u32, wants_reply))

/* One attempt at it. */
RK_MESSAGE(attempted, 701, (rk_u64, number), (rk_u64, when_ns), (rk_u32, attempt), (rk_u32, good))

/* A receipt, the reply to a payment. */
RK_MESSAGE(receipt, 702, (rk_u64, number), (rk_u32, attempts), (rk_u32, pad))

/* A call through a breaker: it goes well or not, at once or later. */
#define ENDS_AT_ONCE 0u
#define BEGINS 1u     /* and is under way: its pass is kept */
#define ENDS_KEPT 2u  /* the call that has been under way for longest ends */
#define CALLS_KEPT 4u /* at most */
RK_MESSAGE(risky, 703, (rk_u64, number), (rk_u32, good), (rk_u32, how))

#define MISFITS 4u /* that one clerk keeps */

/* Send the oldest of the kept again. */
RK_MESSAGE(recall, 705, (rk_u64, count))

/* How the clerk's letters stand. */
RK_MESSAGE(standing, 706, (rk_u64, kept), (rk_u64, lost), (rk_u64, declined), (rk_u64, crowded),
           (rk_u32, waiting), (rk_u32, alert))

/* What became of it, and how the breaker stands. */
RK_MESSAGE(verdict, 704, (rk_u64, number), (rk_u64, now_ns), (rk_u64, opened), (rk_u64, half_opened),
           (rk_u64, closed), (rk_u64, refused), (rk_u32, passed), (rk_u32, state))

#endif
