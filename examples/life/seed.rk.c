/* Gives each cell to the strip that it lies in, and says when these were all. */
#include <ringkernel/kernel.h>

#include "life.rk.h"

RK_REASON(no_cell)
RK_ROUTE(everyone)

RK_HANDLER(seed, cell, msg, rk_none, self)
{
    if (msg->column >= COLUMNS || msg->row >= ROWS) {
        rk_fail(RK_ARG, no_cell);
        return;
    }
    cell out = *msg;
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = msg->row / STRIP_ROWS;
    rk_send_with(RK_ARG, &out, &to);
}

RK_ON_DRAIN(seed, rk_none, self)
{
    begin all = { 0 };
    rk_send_to(RK_ARG, everyone, &all);
}
