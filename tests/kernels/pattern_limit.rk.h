/* The messages of the cases on rate limits. Type ids 780 to 784 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_LIMIT_RK_H
#define RINGKERNEL_TESTS_PATTERN_LIMIT_RK_H

#include <ringkernel/message.h>

#define GOODS_AT_ONCE 64u /* that one call of the hook may send: 4 times 16 */

/* Make `count` goods at this rate. */
RK_MESSAGE(production, 780, (rk_u64, count), (rk_u64, period_ns), (rk_u64, burst), (rk_u32, tokens),
           (rk_u32, pad))
RK_MESSAGE(goods, 781, (rk_u64, number), (rk_u64, made_ns))

/* What the producer says to an order: its status, and when it began. */
RK_MESSAGE(production_began, 782, (rk_u64, began_ns), (rk_i32, status), (rk_u32, pad))

#endif
