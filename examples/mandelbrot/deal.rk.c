/* Deals the tiles out by where they lie: each worker has a quarter of the rows, and not a quarter of the work. */
#include <ringkernel/kernel.h>

#include "tile.rk.h"

#define WORKERS 4u

RK_REASON(no_tile)
RK_ROUTE(everyone)
RK_PARAM(rk_u32, stealing, 1) /* 0: each worker keeps what it was dealt */

typedef struct dealer {
    rk_u64 tiles;
} dealer;

RK_HANDLER(deal, tile, msg, dealer, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    if (msg->column >= COLUMNS || msg->row >= ROWS) {
        rk_fail(RK_ARG, no_tile);
        return;
    }
    if (self->tiles++ == 0 && RK_PARAM_OF(stealing)) {
        join all = { 0 };
        rk_send_to(RK_ARG, everyone, &all);
    }
    tile out = *msg;
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = msg->row * WORKERS / ROWS;
    rk_send_with(RK_ARG, &out, &to);
}
