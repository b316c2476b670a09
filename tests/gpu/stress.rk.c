/* The kernels of the stress test: each stalls for a random time over some of its events, so that lanes run full and
 * empty, and sides overtake each other at every place. */
#include <ringkernel/kernel.h>

#include "stress.rk.h"

RK_REASON(damaged)
RK_ROUTE(again)

#define STALL_MOST 65536u /* rounds, for a device without a counter of cycles */

RK_FN rk_u32 stress_hash(rk_u32 x)
{
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

/* One event in 64 for up to 8,000 cycles, one in 4,096 for up to half a million. */
RK_FN void stall(rk_u32 random)
{
    rk_u32 cycles = (random & 0xfffu) == 0 ? random >> 13 : (random & 63u) == 0 ? random >> 19 : 0u;
    rk_u64 from = rk_cycles();
    for (rk_u32 i = 0; cycles && i < STALL_MOST && rk_cycles() - from < cycles; i++) {}
}

RK_FN rk_u32 event_is_whole(RK_MSG const stressed *e)
{
    return e->proof == stress_hash(e->number ^ stress_hash(e->random ^ e->hops));
}

/* The same event on its way: another random number, one hop less. */
RK_FN void event_next(RK_MSG const stressed *e, stressed *next)
{
    next->number = e->number;
    next->random = stress_hash(e->random + e->hops);
    next->hops = e->hops - 1u;
    next->proof = stress_hash(next->number ^ stress_hash(next->random ^ next->hops));
}

/* To some shard of what is behind. */
RK_HANDLER(spread, stressed, msg, rk_none, self, .max_batch = 1024)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    stressed next;
    if (!event_is_whole(msg)) rk_fail(RK_ARG, damaged);
    stall(msg->random);
    event_next(msg, &next);
    to.target = (rk_u32)(((rk_u64)next.random * rk_shard_count()) >> 32);
    rk_send_with(RK_ARG, &next, &to);
}

/* The same, with a state. */
RK_HANDLER(work, stressed, msg, worked, self, .state = RK_PER_SHARD, .max_batch = 64)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    stressed next;
    if (!event_is_whole(msg)) rk_fail(RK_ARG, damaged);
    stall(msg->random);
    self->count++;
    self->sum += msg->number;
    event_next(msg, &next);
    to.target = (rk_u32)(((rk_u64)next.random * rk_shard_count()) >> 32);
    rk_send_with(RK_ARG, &next, &to);
}

/* To the one lane behind, or to the host. */
RK_HANDLER(hand_on, stressed, msg, rk_none, self, .max_batch = 1024)
{
    stressed next;
    if (!event_is_whole(msg)) rk_fail(RK_ARG, damaged);
    stall(msg->random);
    event_next(msg, &next);
    rk_send(RK_ARG, &next);
}

/* From shard to shard of its own kernel, until its hops are made. */
RK_HANDLER(roundabout, stressed, msg, rk_none, self, .max_batch = 1024)
{
    rk_send_options to = RK_SEND_DEFAULTS;
    stressed next;
    if (!event_is_whole(msg)) rk_fail(RK_ARG, damaged);
    stall(msg->random);
    event_next(msg, &next);
    to.target = (rk_u32)(((rk_u64)next.random * rk_shard_count()) >> 32);
    if (next.hops)
        rk_send_to_with(RK_ARG, again, &next, &to);
    else
        rk_send(RK_ARG, &next);
}
