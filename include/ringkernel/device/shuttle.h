/* Shuttle: the express (express.h) on its shortest line.
 *
 * Kernels without state, whose messages have a short header and a slot of 64 bytes on each side, are what most rates
 * are made of. For them nothing is asked twice: what a turn needs of its lanes stays in registers, and a
 * thread handles one message. On the device a lane of a warp has a slot, over the bus four share one.
 *
 *     shuttle_line.h        the lanes, and a look at them
 *     shuttle_turnstile.h   how warps keep the order of messages
 *     shuttle_send.h        handlers, claims, writing
 *     shuttle_scout.h       looks over the bus, by a warp of its own
 *     shuttle_alone.h       while messages come one by one, the first warp alone handles them
 *     shuttle_run.h         when there are more, all warps do, each for itself
 *
 * The copies of messages and the staged sends are the express's, so whatever turns out not to be plain is finished by the
 * same general visit. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_H
#define RINGKERNEL_DEVICE_SHUTTLE_H

#include "shuttle_alone.h"
#include "shuttle_run.h"

#if defined(RK_LANG_CUDA)

#define RK_SHUTTLE_ROUNDS 64u /* runs and times alone, until the general visit looks at everything */

/* Alone or in runs, until there is something for the general visit. Returns RK_VISIT_*: what the last came to. */
RK_FN rk_u32 rk_shuttle_serve(rk_entry *entry, const rk_express_own *where)
{
    rk_context *context = &entry->context;
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_express *x = s->x;
    rk_turnstile *t = &x->turnstile;
    const rk_u32 thread = threadIdx.x;
    const rk_u32 sources = context->shard->end_sources > 1u || context->shard->edge_total;
    rk_u32 from = 0, alone = 1, visit = RK_VISIT_IDLE, patience = RK_RUN_PATIENCE, slots = 0;
    rk_context c;
    rk_express_context(entry, x, &s->own, &c);
    rk_express_open(entry, x);
    rk_tally_open();
    if (thread == 0) {
        x->rounds = 1;
        rk_shuttle_context = c;
        rk_shuttle_find(entry, s);
    }
    for (rk_u32 rounds = 0; rounds < RK_SHUTTLE_ROUNDS && slots < RK_RUN_LONGEST; rounds++) {
        rk_u32 n, first = 0, out = 0, ends = 0, of = from;
        if (thread == 0) {
            rk_shuttle_set_clock(&c);
            rk_run_open(x, patience, rk_entry_now(&c));
            if (alone) t->ends = RK_RUN_QUIET; /* there is no scout */
        }
        RK_PORT_BLOCK_BARRIER();
        if (alone) {
            if (thread < 32u) rk_shuttle_alone(entry, where, &c, sources);
            RK_PORT_BLOCK_BARRIER();
            alone = 0;
            patience = RK_RUN_PATIENCE;
            from = of = x->alone_from;
            n = x->alone == RK_ALONE_GENERAL;
            visit = x->alone == RK_ALONE_LEAVE && !x->alone_turns ? RK_VISIT_IDLE : RK_VISIT_WORKED;
            if (x->alone == RK_ALONE_LEAVE) break;
        } else {
            const rk_u32 warp = thread / 32u, widest = rk_facts.widest,
                         scouts = rk_facts.scouted && warp == widest;
            if (warp < widest && from)
                rk_shuttle_run_device(entry, where);
            else if (warp < widest)
                rk_shuttle_run_host(entry, where, sources);
            else if (scouts)
                rk_shuttle_scout(entry, where, from);
            RK_PORT_BLOCK_BARRIER();
            if (scouts) rk_scout_close(entry, where, &c, from);
            const rk_u32 passed = t->passed;
            n = t->found - passed;
            out = t->out;
            ends = t->ends;
            first = passed % (32u * rk_facts.widest);
            if (passed || n) visit = RK_VISIT_WORKED;
            if (thread == 0) {
                x->now_ns = rk_entry_now(&c);
                rk_run_close(x, c.meter, &x->in[from][0], x->now_ns);
            }
            RK_PORT_BLOCK_BARRIER();
            const rk_u32 missed = patience < RK_RUN_PATIENCE && !passed; /* only a look at the other lane */
            patience = RK_RUN_PATIENCE;
            slots += passed;
            if (ends & (RK_RUN_OTHER | RK_RUN_QUIET | RK_RUN_HALTED)) {
                alone = (ends & RK_RUN_QUIET) && !(ends & RK_RUN_OTHER) && !missed;
                if (sources) from = !from;
                if (sources && !(ends & RK_RUN_QUIET)) patience = 1;
            }
        }
        if (n) {
            rk_way in = x->in[of][0];
            RK_PORT_BLOCK_BARRIER();
            if (thread == 0) {
                x->in[of][0].head += n;
                rk_express_partly(entry, x, out, n, x->now_ns);
            }
            visit = rk_express_general(entry, x, where, &in, n, first, 32u * rk_facts.widest, x->now_ns);
            if (visit != RK_VISIT_WORKED) break;
            if (thread == 0) { /* the general visit has changed them */
                x->tail = s->target->ring->tail;
                rk_express_counters(context, x);
                rk_shuttle_find(entry, s);
            }
        }
        if (ends & (RK_RUN_ODD | RK_RUN_ORDERED | RK_RUN_LONG)) break;
    }
    RK_PORT_BLOCK_BARRIER();
    return visit;
}

#endif
#endif
