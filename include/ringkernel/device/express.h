/* Express: the turns of a plain shard, by its whole block, without a leader's work in between.
 *
 *     look → barrier → handlers → number → barrier → claim → barrier → write, commit, count
 *
 * Plain is a shard with thread-wide handlers whose lanes nobody overwrites, and whose default route leads into open
 * lanes that are alike. Whatever else comes up, a hole, a request, a failure, a log line, a full lane, another
 * command, ends it for that turn: everything is where the general visit (loop.h) expects it, which then goes on. While
 * a timer hook is to come, all visits are general.
 * Up to 32 messages are the first warp's alone; the others wait at the barrier behind them.
 *
 * One lane is looked at at a time. A look over the bus takes four times as long as one at the device's own memory, so
 * while messages come from kernels the host's lane has every sixteenth look. The next look is as wide as the last
 * batch was large. A lane with bands is looked at for one batch of one band: several are for the general visit,
 * which shares a turn among them. */
#ifndef RINGKERNEL_DEVICE_EXPRESS_H
#define RINGKERNEL_DEVICE_EXPRESS_H

#include "express_alone.h"

#if defined(RK_LANG_CUDA)

/* A part of the entry, whose registers it then has: a function's accesses to memory cost two more instructions each. Where
 * the shuttle serves instead, that has them. */
#if defined(RK_UNIT_SHUTTLE)
#define RK_EXPRESS_FN RK_FN_LARGE
#else
#define RK_EXPRESS_FN RK_FN
#endif

/* Turn after turn, until there is something for the general visit. Returns RK_VISIT_*: what the last came to. */
RK_EXPRESS_FN rk_u32 rk_express_serve(rk_entry *entry, const rk_express_own *where)
{
    rk_context *context = &entry->context;
    const rk_express_own own = rk_express_known(entry, where);
    rk_express *x = (rk_express *)own.fixed;
    const rk_u32 thread = entry->thread, warps = entry->threads / 32u,
                 sources = context->shard->end_sources > 1u || context->shard->edge_total;
    const rk_u32 bands = rk_shard_lane(context, 0)->bands; /* as many as the other lane */
    const rk_u32 most = rk_express_most(x, &own, context->shard->max_sends);
    rk_u32 host_deep = 1, deep = 1, from_kernels = 0, near = 0, visit = RK_VISIT_IDLE;
    rk_u32 empty = 0, turns = 0;
    rk_context c;
    rk_express_context(entry, x, &own, &c);
    rk_express_open(entry, x);
    rk_u32 width = rk_express_wide(&x->in[0][0], most, warps), host_width = width;
    rk_u32 alone = rk_alone_can(x, bands), quiet = 0;
    for (;;) {
        rk_way in;
        rk_u32 n = 1, general = 1, copy = 0, ends = 0;
        rk_u64 now_ns;
        if (quiet) {
            if (thread < 32u) rk_express_alone(entry, where, bands, sources);
            RK_PORT_BLOCK_BARRIER();
            quiet = 0;
            visit = x->alone == RK_ALONE_LEAVE && !x->alone_turns ? RK_VISIT_IDLE : RK_VISIT_WORKED;
            if (x->alone == RK_ALONE_LEAVE) break;
            if (x->alone == RK_ALONE_MORE) {
                width = host_width = rk_express_wide(&x->in[0][0], most, warps);
                continue;
            }
            in = x->in[x->alone_from][x->alone_band];
            in.head--;
            now_ns = x->now_ns;
        } else {
            const rk_u32 from = sources && near < (from_kernels ? RK_EXPRESS_BUS : 1u);
            near = from ? near + 1u : 0u;
            const rk_catch found = rk_express_catch(entry, x, &own, from, bands, most,
                                                    from ? width : host_width, from ? deep : host_deep);
            const rk_u32 odd = x->odd;
            ends = x->ends;
            now_ns = x->now_ns;
            if (found.n == 0 || ends || found.several || (odd && bands > 1u)) {
                if (ends || odd || found.several || ++empty >= RK_EXPRESS_EMPTY)
                    break; /* the general visit looks at everything */
                if (from)
                    width = deep = 1;
                else
                    host_width = host_deep = 1;
                quiet = alone && (!sources || near != 1u); /* both lanes were looked at */
                RK_PORT_BLOCK_BARRIER();
                continue;
            }
            if (thread == 0) x->in[from][found.band].head = found.in.head + found.n;
            general = rk_express_turn(entry, x, &own, &c, &found, from, now_ns);
            in = found.in;
            n = found.n;
            if (thread == 32u * (warps - 1u) && x->stamp[found.band])
                rk_express_take_stamp(x, &c, &in, n, x->stamp[found.band], now_ns);
            copy = found.copy;
            from_kernels = from;
            if (found.n > 32u) near += RK_EXPRESS_BUS / 2u; /* a long turn is worth some looks */
            if (from)
                rk_express_widen(&found, rk_way_places(&found.in), warps, &width, &deep);
            else
                rk_express_widen(&found, rk_way_places(&found.in), warps, &host_width, &host_deep);
            if (general && thread == 0) rk_express_partly(entry, x, x->out, n, now_ns);
        }
        if (general) {
            rk_express_own own_of_general = own; /* its own address is nobody's, or it would lie in memory */
            rk_way in_of_general = in;
            own_of_general.copies += copy * own.room.copy_stride;
            RK_PORT_BLOCK_BARRIER();
            visit = rk_express_general(entry, x, &own_of_general, &in_of_general, n, 0, n, now_ns);
            if (visit != RK_VISIT_WORKED || ends || context->turn->wake_ns) break;
            if (thread == 0) { /* the general visit has changed them */
                x->tail = x->to.target[0].ring->tail;
                rk_express_counters(context, x);
            }
            continue;
        }
        if (thread / 32u == warps - 1u) {
            if (c.shard->memory == RK_SEQUENTIAL) rk_fence(RK_SEQ_CST, RK_SCOPE_DEVICE);
            rk_express_commit(context, x, &in, n, x->out, now_ns);
            if (thread % 32u == 0 && (context->features & RK_FEATURE_CAUSAL))
                rk_express_clock(context, x, rk_express_order_of(entry, x, n, now_ns), n);
        }
        visit = RK_VISIT_WORKED;
        empty = 0;
        if (ends || ++turns == RK_EXPRESS_TURNS) break;
    }
    RK_PORT_BLOCK_BARRIER();
    return visit;
}

#endif
#endif
