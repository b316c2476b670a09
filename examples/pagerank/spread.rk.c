/* Sends each edge to the part that its vertex lives in, and says when that was all. */
#include <ringkernel/kernel.h>

#include "edge.rk.h"

RK_ROUTE(begin)

typedef struct graph {
    rk_u32 vertices;
} graph;

RK_HANDLER(spread, edge, msg, graph, self, .state = RK_PER_SHARD, .mode = RK_ADAPTIVE, .max_batch = 256)
{
    if (rk_is_redelivered(RK_ARG)) return; /* its part had it from here before a crash */
    edge out = { msg->from, msg->to };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = msg->from; /* shard `from` modulo their number */
    rk_send_with(RK_ARG, &out, &to);
    if (msg->from >= self->vertices) self->vertices = msg->from + 1u;
    if (msg->to >= self->vertices) self->vertices = msg->to + 1u;
}

RK_ON_DRAIN(spread, graph, self)
{
    start out = { self->vertices };
    rk_send_to(RK_ARG, begin, &out);
}
