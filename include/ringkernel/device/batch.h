/* Batches of one actor: the messages of a turn, grouped so that a batch handler gets those of one actor at
 * once.
 *
 * Groups come in the order of their first message, and inside a group the order is kept. Linear in the batch:
 * a hash table of group heads, chained through the positions. Scratch: 5 words for each message of the
 * largest batch. */
#ifndef RINGKERNEL_DEVICE_BATCH_H
#define RINGKERNEL_DEVICE_BATCH_H

#include "handler.h"

#define RK_BATCH_SCRATCH_WORDS 5u
#define RK_BATCH_NONE 0xffffffffu

/* The slot of position `at` of the batch; its view becomes the context's. */
RK_FN rk_byte *rk_batch_slot(rk_context *context, rk_u32 at)
{
    RK_GLOBAL rk_turn *turn = context->turn;
    rk_u32 v = 0;
    while (at >= turn->view[v].n) at -= turn->view[v++].n;
    context->view = &turn->view[v];
    return rk_view_slot(context->view, context->arena, at);
}

RK_FN RK_GLOBAL const rk_header *rk_batch_header(rk_context *context, rk_u32 at)
{
    return (RK_GLOBAL const rk_header *)rk_batch_slot(context, at);
}

/* Order the batch into groups of one (type, actor); scratch[0…n) becomes the positions. Returns how many
 * positions there are: messages that need no handler are left out. */
RK_FN rk_u32 rk_batch_order(rk_context *context, RK_GLOBAL rk_u32 *scratch, rk_u32 n, rk_u32 per_actor)
{
    RK_GLOBAL rk_u32 *order = scratch;
    RK_GLOBAL rk_u32 *next = scratch + n;       /* the next position of the same group */
    RK_GLOBAL rk_u32 *last = scratch + 2u * n;  /* of a head: the last of its group */
    RK_GLOBAL rk_u32 *table = scratch + 3u * n; /* heads, open addressing */
    rk_u32 count = 0, places = 2u * n;
    if (places == 0) return 0;
    for (rk_u32 i = 0; i < places; i++) table[i] = RK_BATCH_NONE;
    for (rk_u32 i = 0; i < n; i++) {
        next[i] = RK_BATCH_NONE;
        last[i] = RK_BATCH_NONE;
        if (!rk_message_begin(context, rk_batch_slot(context, i))) continue;
        rk_u32 actor = per_actor ? context->header->target : 0u;
        rk_u32 type = context->header->type;
        rk_u32 place = (rk_u32)(rk_hash64(((rk_u64)type << 32) | actor) % places);
        for (;; place = place + 1u == places ? 0u : place + 1u) {
            rk_u32 head = table[place];
            if (head == RK_BATCH_NONE) {
                table[place] = i;
                last[i] = i;
                break;
            }
            RK_GLOBAL const rk_header *known = rk_batch_header(context, head);
            if (known->type == type && (!per_actor || known->target == actor)) {
                next[last[head]] = i;
                last[head] = i;
                break;
            }
        }
    }
    for (rk_u32 i = 0; i < n; i++)
        if (last[i] != RK_BATCH_NONE)
            for (rk_u32 at = i; at != RK_BATCH_NONE; at = next[at]) order[count++] = at;
    return count;
}

/* How many positions from `first` on are of one group. */
RK_FN rk_u32 rk_batch_group(rk_context *context, RK_GLOBAL const rk_u32 *order, rk_u32 first, rk_u32 count,
                            rk_u32 per_actor)
{
    rk_u32 n = 1;
    rk_u32 type = rk_batch_header(context, order[first])->type;
    rk_u32 actor = rk_batch_header(context, order[first])->target;
    while (first + n < count) {
        RK_GLOBAL const rk_header *header = rk_batch_header(context, order[first + n]);
        if (header->type != type || (per_actor && header->target != actor)) break;
        n++;
    }
    return n;
}

/* After a batch handler: what became of each message of its group. */
RK_FN void rk_batch_end(rk_context *context)
{
    rk_u32 failed = context->failed;
    if (failed) rk_stage_take_back(context);
    for (rk_u32 i = 0; i < context->batch_n; i++) {
        context->header = rk_batch_header(context, context->order[context->batch_first + i]);
        if (failed) {
            ((RK_GLOBAL rk_header *)context->header)->flags &= (rk_u8)~RK_FLAGS_OF_CONSUMER;
            rk_message_dead(context, failed - 1u);
        } else if ((context->header->flags & (RK_FLAG_REQUEST | RK_FLAG_ANSWERED)) == RK_FLAG_REQUEST)
            rk_stage_report(context, RK_REPORT_NO_REPLY, 0, context->header);
    }
}

#endif
