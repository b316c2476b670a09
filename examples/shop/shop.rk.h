/* The messages of the app, in the order in which they are sent. */
#ifndef SHOP_RK_H
#define SHOP_RK_H

#include <ringkernel/message.h>

/* A row of the input: a customer wants so many boxes of an article, each sent by itself. */
RK_MESSAGE(list, 1, (rk_u32, list), (rk_u32, customer), (rk_u32, article), (rk_u32, boxes))

/* One box. Box 7 of list 12 is order 12007. */
RK_MESSAGE(order, 2, (rk_u32, order), (rk_u32, customer), (rk_u32, article))

/* What does the article cost? 0: there is no such article. */
RK_MESSAGE(question, 3, (rk_u32, article))
RK_MESSAGE(price, 4, (rk_u32, cents))

/* What goes out: an order that is confirmed; */
RK_MESSAGE(sale, 5, (rk_u32, order), (rk_u32, customer), (rk_u32, article), (rk_u32, cents))

/* one that is refused, and a 1 at the reason; */
RK_MESSAGE(refused, 6, (rk_u32, refused), (rk_u32, customer), (rk_u32, article), (rk_u32, no_article),
           (rk_u32, no_price), (rk_u32, crowded))

/* and in the evening the three articles that brought in most, and the day's sums. */
RK_MESSAGE(best, 7, (rk_u64, cents), (rk_u32, best), (rk_u32, article))
RK_MESSAGE(closing, 8, (rk_u64, cents), (rk_u64, sold), (rk_u64, refusals), (rk_u64, untold))

#endif
