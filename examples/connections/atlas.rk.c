/* Tells all workers each route, and at the end that these were all. */
#include <ringkernel/kernel.h>

#include "airport.rk.h"

RK_REASON(no_airport)
RK_ROUTE(everyone)

typedef struct atlas_state {
    rk_u32 airports;
} atlas_state;

RK_HANDLER(atlas, flies, msg, atlas_state, self, .state = RK_PER_SHARD)
{
    if (msg->from >= AIRPORTS || msg->to >= AIRPORTS) {
        rk_fail(RK_ARG, no_airport);
        return;
    }
    rk_u32 last = msg->from > msg->to ? msg->from : msg->to;
    if (last >= self->airports) self->airports = last + 1u;
    flies out = *msg;
    rk_send_to(RK_ARG, everyone, &out);
}

RK_ON_DRAIN(atlas, atlas_state, self)
{
    begin out = { self->airports };
    rk_send_to(RK_ARG, everyone, &out);
}
