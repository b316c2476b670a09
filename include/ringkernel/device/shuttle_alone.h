/* One message at a time, while a shard by the shuttle is quiet. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_ALONE_H
#define RINGKERNEL_DEVICE_SHUTTLE_ALONE_H

#include "shuttle_send.h"

#if defined(RK_LANG_CUDA)

/* What one message sends. Returns how many are out. */
RK_FN rk_u32 rk_shuttle_alone_send(rk_entry *entry, const rk_express_own *where, const rk_shuttle *s,
                                   rk_shuttle_sends *t)
{
    const rk_u32 stride = s->own.room.stage_stride / 8u, lane = threadIdx.x;
    rk_u32 room = rk_shuttle_prepare(entry, where, s, t);
    if (s->is->shards > 1u && !room) return rk_shuttle_press_on(entry, where, s, t, 0);
    rk_shuttle_claim(s, t);
    if (s->is->shards > 1u) return rk_shuttle_put_claimed(entry, where, s, t), t->total;
    rk_shuttle_count(s, t);
    rk_shuttle_stamp(s, t, rk_shuttle_index(t));
    const rk_u32 out = __shfl_sync(RK_ALL_LANES, t->granted, 0);
    const rk_u32 index = __shfl_sync(RK_ALL_LANES, rk_shuttle_index(t), 0);
    for (rk_u32 i = lane / 4u; i < out; i += 8u)
        rk_shuttle_put(s->is->slots, s->is->mask, index + i, rk_express_staged(&s->own, i * stride));
    if (out < t->total && lane < out) rk_express_staged(&s->own, lane * stride)->route = RK_TO_NOWHERE;
    return out;
}

/* Message after message, by the first warp, as long as each comes alone. Why it ends is in x->alone. */
RK_FN void rk_shuttle_alone(rk_entry *entry, const rk_express_own *where, rk_context *c, rk_u32 sources)
{
    const rk_shuttle_facts known = rk_facts;
    rk_shuttle shuttle = rk_shuttle_of(entry, where);
    const rk_shuttle *s = &shuttle;
    if (RK_SHUTTLE_ROOMY) shuttle.is = &known;
    rk_context *context = &entry->context;
    rk_express *x = s->x;
    const rk_u32 lane = threadIdx.x, slot = lane / 4u, u = lane % 4u; /* slots: next, behind it, the orders */
    const rk_u32 faults = x->faults;
    const rk_unit *orders = (const rk_unit *)context->told;
    rk_line host = rk_line_of(&x->in[0][0]), device = rk_line_of(&x->in[1][0]);
    rk_u32 from_kernels = 0, near = 0, why = RK_ALONE_LEAVE, from = 0;
    rk_u32 rest_ns = rk_block_rest_ns(entry), turns = 0;
    for (rk_u32 idle = 0; idle < RK_EXPRESS_IDLE && turns < RK_EXPRESS_TURNS;) {
        from = sources && near < (from_kernels ? RK_EXPRESS_BUS : 1u);
        near = from ? near + 1u : 0u;
        const rk_line line = from ? device : host;
        const rk_u32 index = (rk_u32)line.head + slot, lap = index & ~line.mask;
        const rk_unit *at =
            (const rk_unit *)(line.slots + ((rk_u64)(index & line.mask) << RK_SLOT_MIN_SHIFT)) + u;
        rk_unit unit = { { lap - 1u, 0, 0, 0 } };
        if (slot == 2u) at = orders + u; /* on the same way over the bus */
        if (slot < 2u + !from) unit = rk_load_unit(at);
        const rk_u32 fresh = __ballot_sync(RK_ALL_LANES, slot < 2u && unit.word[0] == lap);
        if (!from) {
            if (slot == 2u) ((rk_unit *)entry->orders)[u] = unit;
            if (__any_sync(RK_ALL_LANES, lane == 8u && (unit.word[0] != RK_COMMAND_RUN || unit.word[1] ||
                                                        unit.word[3] != faults)))
                break;
        }
        if (!(fresh & 1u)) {
            idle += rk_block_rested(rest_ns);
            continue;
        }
        const rk_u32 units = __shfl_sync(RK_ALL_LANES, rk_shuttle_units(unit), 0);
        if (units == 0) break;
        if ((fresh & units) != units) { /* it is being written */
            idle++;
            continue;
        }
        if (fresh & 16u) {
            why = RK_ALONE_MORE;
            break;
        }
        if (slot == 0) rk_shuttle_copy((rk_word *)s->own.copies, u, unit);
        if (from) rk_batch_acquire(s->is->memory);
        __syncwarp();
        rk_u32 general = 0, sent = 0, out = 0;
        const rk_u64 now_ns = rk_entry_now(c);
        rk_u64 stamp = 0;
        if (lane == 0 && !rk_stamp_ahead(RK_STAMP_SHIFT, (rk_u32)line.head))
            stamp = rk_express_stamp(&x->in[from][0], (rk_u32)line.head);
        if (lane == 0) {
            general = !rk_shuttle_handle(s, c, 0, 0, now_ns);
            sent = c->stage_next;
        }
        general = __shfl_sync(RK_ALL_LANES, general, 0);
        if (!general && __any_sync(RK_ALL_LANES, sent)) {
            rk_shuttle_sends t;
            t.sent = sent;
            t.first = lane * (s->own.room.share / 8u); /* that of lane 0 is where it is staged */
            out = rk_shuttle_alone_send(entry, where, s, &t);
            general = out < t.total;
        }
        rk_way in = x->in[from][0];
        in.head = line.head;
        if (stamp) rk_express_waited(x, &c->meter->queue_wait, &in, (rk_u32)line.head, stamp, now_ns);
        if (general) {
            if (lane == 0) {
                rk_shuttle_note(x, c, 0, 0);
                x->rounds = 1;
                x->now_ns = now_ns;
                rk_express_partly(entry, x, out, 1, now_ns);
            }
            why = RK_ALONE_GENERAL;
            break;
        }
        __syncwarp(); /* all of it is written */
        rk_express_commit(c, x, &in, 1, out, now_ns);
        if (from)
            device.head++;
        else
            host.head++;
        __syncwarp(); /* what the lanes have read is written again for the next message */
        from_kernels = from;
        idle = rest_ns = 0;
        turns++;
    }
    if (lane == 0) {
        if (turns) rk_block_worked(entry);
        x->in[0][0].head = host.head;
        x->in[1][0].head = device.head;
        x->alone = why;
        x->alone_turns = turns;
        x->alone_from = from;
    }
}

#endif
#endif
