/* One message at a time, while a shard by express (express.h) is quiet: the first warp looks at all rings at once, and
 * handles what comes by itself. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_ALONE_H
#define RINGKERNEL_DEVICE_EXPRESS_ALONE_H

#include "express_turn.h"
#include "rest.h"

#if defined(RK_LANG_CUDA)

#define RK_ALONE_RUN 64u /* messages without a pause, where no lanes are left to see whether there are more */
#define RK_ALONE_MORE 0u /* messages come faster than that */
#define RK_ALONE_GENERAL 1u /* the general visit has to finish this one, */
#define RK_ALONE_LEAVE 2u   /* or to look at everything */

/* What a lane of the first warp looks at while the shard is quiet: a unit of the next slot of each ring. */
typedef struct rk_alone {
    const rk_byte *slots[2];
    rk_u32 head[2];
    rk_u32 mask, shift, lanes, band, unit, watches;
    rk_u32 ahead;  /* 1: of the slot behind that one, where lanes are left */
    rk_u32 firsts; /* lanes that look at first units, */
    rk_u32 second; /* and that behind: if there is more, a batch is better */
} rk_alone;

RK_FN rk_alone rk_alone_of(const rk_express *x, rk_u32 bands)
{
    const rk_u32 lane = threadIdx.x;
    rk_alone a;
    a.mask = x->in[0][0].mask;
    a.shift = x->in[0][0].shift;
    a.lanes = 1u << (a.shift - 4u);
    a.band = lane >> (a.shift - 4u);
    a.unit = lane & (a.lanes - 1u);
    a.watches = a.band < bands;
    a.ahead = bands == 1u && a.band == 1u;
    if (!a.watches) a.band = 0;
    for (rk_u32 from = 0; from < 2u; from++) {
        a.slots[from] = x->in[from][a.band].slots + 16u * a.unit;
        a.head[from] = (rk_u32)x->in[from][a.band].head;
    }
    a.firsts = __ballot_sync(RK_ALL_LANES, a.watches && a.unit == 0);
    a.second = __ballot_sync(RK_ALL_LANES, a.ahead && a.unit == 0);
    return a;
}

/* Can the first warp look at all rings at once, and publish what one message sends? */
RK_FN rk_u32 rk_alone_can(const rk_express *x, rk_u32 bands)
{
    return x->in[0][0].shift < 9u && (bands << (x->in[0][0].shift - 4u)) <= 32u &&
           ((RK_GLOBAL const rk_shard *)x->shard)->max_sends <= 32u;
}

/* How long the one message has waited, and its stamp. */
RK_FN void rk_alone_stamp(rk_context *context, rk_express *x, const rk_express_own *own, rk_u64 now_ns)
{
    if (!(context->features & RK_FEATURE_LONG)) return;
    rk_u64 sent_ns = ((RK_GLOBAL const rk_header_long *)own->copies)->sent_ns;
    rk_u64 age = now_ns > sent_ns ? now_ns - sent_ns : 0;
    x->stamp_ns[0] = sent_ns;
    x->wait_sum_ns[0] = x->wait_min_ns[0] = x->wait_max_ns[0] = age;
    if (context->features & RK_FEATURE_TIMESTAMPS)
        rk_port_count(&context->meter->queue_wait.bucket[rk_histogram_bucket(age)], 1);
}

/* Message after message, by the first warp, as long as each comes alone. Why it ends is in x->alone. */
RK_FN void rk_express_alone(rk_entry *entry, const rk_express_own *where, rk_u32 bands, rk_u32 sources)
{
    rk_context *context = &entry->context;
    const rk_express_own own = rk_express_known(entry, where);
    rk_express *x = (rk_express *)own.fixed;
    rk_context c;
    rk_express_context(entry, x, &own, &c);
    RK_GLOBAL const rk_shard *shard = c.shard;
    const rk_u32 lane = threadIdx.x, header_size = x->in[0][0].header_size;
    const rk_unit *orders = (const rk_unit *)context->told;
    rk_alone a = rk_alone_of(x, bands);
    rk_u32 from_kernels = 0, near = 0, run = 0, why = RK_ALONE_LEAVE, from = 0, band = 0;
    rk_u32 rest_ns = rk_block_rest_ns(entry), turns = 0;
    for (rk_u32 idle = 0; idle < RK_EXPRESS_IDLE && turns < RK_EXPRESS_TURNS;) {
        from = sources && near < (from_kernels ? RK_EXPRESS_BUS : 1u);
        near = from ? near + 1u : 0u;
        const rk_u32 head = (from ? a.head[1] : a.head[0]) + a.ahead, lap = head & ~a.mask;
        const rk_byte *slot = (from ? a.slots[1] : a.slots[0]) + ((rk_u64)(head & a.mask) << a.shift);
        rk_unit order, unit = { { lap - 1u, 0, 0, 0 } };
        if (a.watches || a.ahead) unit = rk_load_unit((const rk_unit *)slot);
        if (!from && lane < 4u) order = rk_load_unit(&orders[lane]); /* on the same way over the bus */
        const rk_u32 fresh = __ballot_sync(RK_ALL_LANES, unit.word[0] == lap), begun = fresh & a.firsts;
        if (!from) {
            if (lane < 4u) ((rk_unit *)entry->orders)[lane] = order;
            __syncwarp();
            if (entry->orders->leave || entry->orders->command != RK_COMMAND_RUN ||
                entry->orders->faults != x->faults)
                break;
        }
        if (!begun) {
            idle += rk_block_rested(rest_ns);
            run = 0;
            continue;
        }
        /* Whole, and plain? */
        const rk_u32 first = (rk_u32)__ffs((int)begun) - 1u;
        const rk_u32 count = rk_unit_count(header_size, __shfl_sync(RK_ALL_LANES, unit.word[1] >> 16, first));
        rk_u32 odd = __shfl_sync(RK_ALL_LANES, unit.word[3] >> 24 & RK_EXPRESS_ODD, first);
        const rk_u32 units = count < 32u ? ((1u << count) - 1u) << first : RK_ALL_LANES;
        if (count > a.lanes || odd || (begun & (begun - 1u))) break;
        if ((fresh & units) != units) { /* it is being written */
            idle++;
            continue;
        }
        if (header_size == RK_HEADER_LONG &&
            __shfl_sync(RK_ALL_LANES, unit.word[1u + RK_TTL_WORD % 3u], first + RK_TTL_WORD / 3u))
            break;
        if ((fresh & a.second) || (!a.second && ++run > RK_ALONE_RUN)) {
            why = RK_ALONE_MORE;
            break;
        }
        band = __shfl_sync(RK_ALL_LANES, a.band, first);
        if (units >> lane & 1u) {
            rk_word *to = (rk_word *)own.copies + 1u + 3u * a.unit;
            for (rk_u32 w = 0; w < 3u; w++) to[w] = unit.word[1 + w];
            if (lane == first) to[-1] = lap;
        }
        const rk_u64 now_ns = __shfl_sync(RK_ALL_LANES, rk_entry_now(&c), 0);
        const rk_u32 index = (rk_u32)x->in[from][band].head;
        rk_u64 stamp = 0;
        if (lane == 0 && !(context->features & RK_FEATURE_TIMESTAMPS) &&
            !rk_stamp_ahead(RK_STAMP_SHIFT, index))
            stamp = rk_express_stamp(&x->in[from][band], index);
        __syncwarp();
        if (shard->memory == RK_SEQUENTIAL)
            rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
        else if (rk_batch_ordered(shard->memory, from))
            rk_batch_acquire(shard->memory);
        if (lane == 0) {
            c.now_ns = x->now_ns = now_ns;
            c.unusual = 0;
            rk_express_one(entry, x, &own, &c, header_size, 0, 0, 0);
            for (rk_u32 i = 0; i < c.stage_next; i++)
                x->number[i] = (rk_u16)(i * (own.room.stage_stride / 8u));
            x->rounds = 1;
            rk_express_tell(x, c.stage_next, 0, 1, c.failed || c.unusual);
            rk_alone_stamp(context, x, &own, now_ns);
        }
        __syncwarp();
        rk_u32 general = x->general, total = x->total, out = 0;
        if (!general && total) {
            out = rk_express_send_few(entry, x, &own, rk_express_order_of(entry, x, 1, now_ns), total);
            general = out < total;
        }
        rk_way in = x->in[from][band];
        if (stamp) rk_express_waited(x, &context->meter->queue_wait, &in, index, stamp, now_ns);
        if (lane == 0) {
            x->out = out;
            x->in[from][band].head = in.head + 1u;
        }
        __syncwarp();
        if (general) {
            if (lane == 0) rk_express_partly(entry, x, out, 1, now_ns);
            why = RK_ALONE_GENERAL;
            break;
        }
        if (shard->memory == RK_SEQUENTIAL) rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
        rk_express_commit(&c, x, &in, 1, out, now_ns);
        if (lane == 0 && (context->features & RK_FEATURE_CAUSAL))
            rk_express_clock(context, x, rk_express_order_of(entry, x, 1, now_ns), 1);
        if ((a.watches || a.ahead) && a.band == band) (from ? a.head[1] : a.head[0])++;
        __syncwarp(); /* what the lanes have read is written again for the next message */
        from_kernels = from;
        idle = rest_ns = 0;
        turns++;
    }
    if (lane == 0) {
        if (turns) rk_block_worked(entry);
        x->alone = why;
        x->alone_turns = turns;
        x->alone_from = from;
        x->alone_band = band;
    }
}

#endif
#endif
