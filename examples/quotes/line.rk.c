/* The pipeline: check refuses what is no quote, feed publishes the others. Where to is not its business. */
#include "quotes.rk.h"

RK_REASON(no_price)
RK_REASON(no_market)
RK_ROUTE(eu)
RK_ROUTE(us)
RK_ROUTE(asia)

RK_HANDLER(check, quote, msg, rk_none, self)
{
    if (msg->bid <= 0 || msg->ask <= 0)
        rk_fail(RK_ARG, no_price);
    else if (msg->market >= MARKETS)
        rk_fail(RK_ARG, no_market);
    else
        rk_forward(RK_ARG);
}

RK_HANDLER(feed, quote, msg, rk_none, self)
{
    if (msg->market == EU)
        rk_forward_to(RK_ARG, eu);
    else if (msg->market == US)
        rk_forward_to(RK_ARG, us);
    else
        rk_forward_to(RK_ARG, asia);
}
