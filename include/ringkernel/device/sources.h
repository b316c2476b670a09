/* The end of a shard's sources, as the shard itself sees it. */
#ifndef RINGKERNEL_DEVICE_SOURCES_H
#define RINGKERNEL_DEVICE_SOURCES_H

#include "context.h"

/* Messages of the device lane that came by routes: what the end tables count. */
RK_FN rk_u64 rk_received_by_routes(rk_context *context)
{
    RK_GLOBAL rk_lane *lane = rk_shard_lane(context, 1);
    rk_u64 n = 0;
    for (rk_u32 b = 0; b < lane->bands; b++) {
        RK_GLOBAL const rk_ring *ring = rk_lane_ring(lane, context->arena, b);
        n += ring->head - ring->start;
    }
    return n - context->turn->replies;
}

/* Have all sources ended, and has everything that they sent been taken? Each source writes its final count
 * into a word of its own, so no end message can be lost or overtaken. N1 pairs with N2. */
RK_FN_LARGE rk_u32 rk_sources_ended(rk_context *context)
{
    RK_GLOBAL const rk_u64 *table = (RK_GLOBAL const rk_u64 *)(context->arena + context->shard->end_table);
    rk_u64 sent = 0;
    if (!rk_load_u32(&context->orders->host_ended, RK_ACQUIRE, RK_SCOPE_SYSTEM)) return 0; /* N1 */
    for (rk_u32 s = 0; s < context->shard->end_sources; s++) {
        rk_u64 word = rk_load_u64(&table[s], RK_ACQUIRE, RK_SCOPE_SYSTEM); /* N1 */
        if (word == 0) return 0;
        sent += word - 1u;
    }
    if (rk_lane_depth(rk_shard_lane(context, 0), context->arena)) return 0;
    return rk_received_by_routes(context) == sent;
}

/* No end table counts replies: one may be under way although nobody waits for it any more. The host knows when it isn't,
 * and takes that back. */
RK_FN rk_u32 rk_awaits_replies(rk_context *context)
{
    return rk_load_u32(&context->orders->host_ended, RK_ACQUIRE, RK_SCOPE_SYSTEM) ==
           RK_HOST_ENDED_BUT_REPLIES; /* N1 */
}

#endif
