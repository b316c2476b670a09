/* The messages of the mail-order shop in which patterns meet. Type ids 800 to 819 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_TOGETHER_RK_H
#define RINGKERNEL_TESTS_PATTERN_TOGETHER_RK_H

#include <ringkernel/message.h>
#include <ringkernel/pattern/barrier_message.h>

#define SHOP_ARTICLES 8u
#define SHOP_NO_PRICE 7u    /* nobody ever says what this article costs */
#define SHOP_LATE_PRICE 3u  /* the first question for this one is not answered */
#define SHOP_PARTS 3u       /* of an order, each for another shard of the packers */
#define SHOP_LOST_EACH 11u  /* of the orders with a number divisible by it, */
#define SHOP_LOST_PART 1u   /* this part is never packed */
#define SHOP_DOUBLE_EACH 7u /* of those every part is reported twice */
#define SHOP_LEDGERS 2u     /* shards */
#define SHOP_PAGE 20u       /* orders from one balance of the books to the next */
#define SHOP_BOOKS 77u      /* name of the barrier */

/* Orders 0 … count - 1 come in, so many at most in each millisecond. What is asked for waits so long. */
RK_MESSAGE(shop_day, 800, (rk_u64, count), (rk_u64, timeout_ns), (rk_u32, per_ms), (rk_u32, pad))
RK_MESSAGE(shop_order, 801, (rk_u64, number), (rk_u64, timeout_ns), (rk_u32, article), (rk_u32, pad))
RK_MESSAGE(price_query, 802, (rk_u32, article))
RK_MESSAGE(article_price, 803, (rk_u64, price))
RK_MESSAGE(pack_part, 804, (rk_u64, tag), (rk_u64, number), (rk_u32, part), (rk_u32, desk))
RK_MESSAGE(part_packed, 805, (rk_u64, tag))

/* What becomes of an order: it is sent, or refused. */
RK_MESSAGE(shop_sent, 806, (rk_u64, number), (rk_u64, price), (rk_u64, missing))
RK_MESSAGE(shop_refused, 807, (rk_u64, number), (rk_u32, article), (rk_u32, for_no_price), (rk_u32, attempts),
           (rk_u32, pad))

/* All ledgers had so many pages: one has `count` orders by then. */
RK_MESSAGE(shop_balance, 808, (rk_u64, count), (rk_u32, page), (rk_u32, ledger))

#endif
