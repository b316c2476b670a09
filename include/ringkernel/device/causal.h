/* What the leader does with a batch's stamps, before its handlers and behind them. */
#ifndef RINGKERNEL_DEVICE_CAUSAL_H
#define RINGKERNEL_DEVICE_CAUSAL_H

#include "batch.h"

#if !defined(RK_LANG_HOST)

/* Causal stamps. Threads that stage at the same time can't each be later than the other, so the leader
 * looks at every arrival's stamp before the handlers run, and stamps what they staged afterwards, in its
 * order. */
RK_FN void rk_causal_begin(rk_context *context, rk_u32 n)
{
    if ((context->features & (RK_FEATURE_CAUSAL | RK_FEATURE_LONG)) != (RK_FEATURE_CAUSAL | RK_FEATURE_LONG))
        return;
    for (rk_u32 k = 0; k < n; k++) {
        rk_u64 sent_ns = ((RK_GLOBAL const rk_header_long *)rk_batch_header(context, k))->sent_ns;
        if (sent_ns > context->turn->clock_hlc) context->turn->clock_hlc = sent_ns;
    }
}

RK_FN void rk_causal_end(rk_context *context, rk_u64 clock)
{
    if (!(context->features & RK_FEATURE_CAUSAL)) return;
    context->turn->clock_hlc = clock;
    for (rk_u32 i = 0; i < context->stage_next; i++) {
        RK_GLOBAL rk_staged *staged = rk_stage_entry(context->stage, context->stage_stride, i);
        if (staged->route < RK_TO_REPORT) staged->header.sent_ns = rk_stamp_ns(context);
    }
}

/* With timestamps each message's wait is counted, by the leader, who alone writes the histogram. */
RK_FN void rk_waits_count(rk_context *context, rk_u32 n)
{
    if (!(context->features & RK_FEATURE_TIMESTAMPS)) return;
    for (rk_u32 k = 0; k < n; k++) {
        RK_GLOBAL const rk_header_long *header =
            (RK_GLOBAL const rk_header_long *)rk_batch_header(context, k);
        rk_u64 age = rk_message_age(context, header);
        if ((header->base.flags & RK_FLAG_HOLE) || rk_message_expired(context, header, age)) continue;
        rk_histogram_add(&context->shard->meter.queue_wait, age, 1);
    }
}

#endif
#endif
