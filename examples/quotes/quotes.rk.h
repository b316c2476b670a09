/* The message that goes everywhere, and what a subscriber remembers. */
#ifndef QUOTES_RK_H
#define QUOTES_RK_H

#include <ringkernel/kernel.h>

#define EU 0u
#define US 1u
#define ASIA 2u
#define MARKETS 3u

/* A row of quotes.csv: what somebody pays, and wants, in cents. Numbers rise. */
RK_MESSAGE(quote, 1, (rk_u32, number), (rk_u32, market), (rk_i64, bid), (rk_i64, ask))

typedef struct book {
    rk_u32 last; /* number of the newest quote that is in it */
    rk_u32 quotes;
    rk_i64 highest_bid;
} book;

#endif
