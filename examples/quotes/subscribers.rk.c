/* Who subscribes: a desk for one market, and the archive. */
#include "quotes.rk.h"

RK_REASON(crossed)

/* A batch may come again after a failure, and what it did to the book has stayed: each quote is counted once. */
RK_FN void enter(RK_GLOBAL book *self, RK_MSG const quote *q)
{
    if (q->number <= self->last) return;
    self->last = q->number;
    self->quotes++;
    if (q->bid > self->highest_bid) self->highest_bid = q->bid;
}

/* A desk can't bear a bid above the ask: it fails at such a quote. When that comes again, it is put aside. */
RK_HANDLER(desk, quote, msg, book, self, .state = RK_PER_SHARD)
{
    if (msg->bid <= msg->ask)
        enter(self, msg);
    else if (rk_is_redelivered(RK_ARG))
        rk_fail(RK_ARG, crossed);
}

RK_HANDLER(archive, quote, msg, book, self, .state = RK_PER_SHARD) { enter(self, msg); }
