/* The shuttle's scout: a warp that looks over the bus while the others handle messages.
 *
 * Warps that take slots in turn all wait for the slowest of them. A look at the host's lane and orders, or at a stamp that
 * the host has taken, waits for the bus, as long as a turn of a warp takes or longer. So where a block has warps enough, one
 * takes no slots and makes these looks: again after RK_SCOUT_NS, and at once when a message has a stamp to be read. In a small block
 * each warp looks for itself. */
#ifndef RINGKERNEL_DEVICE_SHUTTLE_SCOUT_H
#define RINGKERNEL_DEVICE_SHUTTLE_SCOUT_H

#include "shuttle_send.h"

#if defined(RK_LANG_CUDA)

#define RK_SCOUT_NS 8192u /* from one look to the next, unless there is a stamp to be read */
#define RK_SCOUT_REST_NS 128u

/* A look at what the host wants, and over its lane; and, unless `now_ns` is 0, at the stamp of message `index`, which was taken
 * then, if it has one. By a whole warp. Returns why the run is to end: RK_RUN_*. */
RK_FN_LARGE rk_u32 rk_run_look(rk_entry *entry, const rk_express_own *where, rk_u32 from, rk_u32 index,
                               rk_u64 now_ns)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    const rk_way *in = &s->x->in[from][0];
    const rk_u32 shift = rk_way_stamp_shift(in), place = rk_stamp_place(shift, index);
    const rk_u32 stamped = now_ns && !rk_stamp_ahead(shift, index);
    rk_u64 stamp[2];
    const rk_u32 peeked =
        rk_shuttle_peek(s, &s->x->in[0][0], stamped ? rk_way_stamps(in) + (place & ~1u) : 0, stamp);
    if (stamped && threadIdx.x % 32u == 2u)
        rk_express_waited(s->x, &rk_shuttle_context.meter->queue_wait, in, index,
                          place & 1u ? stamp[1] : stamp[0], now_ns);
    return (peeked & 2u ? RK_RUN_ORDERED : 0u) | (from && (peeked & 1u) ? RK_RUN_OTHER : 0u);
}

/* The same in a run, which ends if it is to. */
RK_FN void rk_run_peek(rk_entry *entry, const rk_express_own *where, rk_turnstile *t, rk_u32 from,
                       rk_u32 index, rk_u64 now_ns)
{
    const rk_u32 ends = rk_run_look(entry, where, from, index, now_ns);
    if (ends) rk_turnstile_end(t, ends);
}

/* Message `index`, which was taken at `now_ns`, has a stamp. One that the scout has not seen yet is left out. By one thread. */
RK_FN void rk_scout_ask(rk_turnstile *t, rk_u32 index, rk_u64 now_ns)
{
    rk_store_u64(&t->asked, now_ns << 32 | index, RK_RELAXED, RK_SCOPE_BLOCK);
}

/* The stamp that is asked for, if one is, with a look at everything else. Returns 1 if it was, and in *ends why the run is to
 * end. By the scout. */
RK_FN rk_u32 rk_scout_answer(rk_entry *entry, const rk_express_own *where, rk_context *c, rk_u32 from,
                             rk_u32 *ends)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_turnstile *t = &s->x->turnstile;
    const rk_u32 first = threadIdx.x % 32u == 0;
    rk_u64 asked = first ? rk_load_u64(&t->asked, RK_RELAXED, RK_SCOPE_BLOCK) : 0;
    asked = __shfl_sync(RK_ALL_LANES, asked, 0);
    if (!asked) return 0;
    if (first) rk_store_u64(&t->asked, 0, RK_RELAXED, RK_SCOPE_BLOCK);
    const rk_u64 now_ns = __shfl_sync(RK_ALL_LANES, rk_shuttle_now(s, c), 0);
    const rk_u32 since_ns = (rk_u32)now_ns - (rk_u32)(asked >> 32);
    *ends = rk_run_look(entry, where, from, (rk_u32)asked, now_ns - since_ns);
    return 1;
}

/* The scout's part of a run. */
RK_FN_LARGE void rk_shuttle_scout(rk_entry *entry, const rk_express_own *where, rk_u32 from)
{
    const rk_shuttle shuttle = rk_shuttle_of(entry, where), *s = &shuttle;
    rk_turnstile *t = &s->x->turnstile;
    rk_context context = rk_shuttle_context;
    rk_u64 looked_ns = __shfl_sync(RK_ALL_LANES, rk_port_now_ns(), 0);
    while (!__any_sync(RK_ALL_LANES, rk_port_seen(&t->ends))) {
        const rk_u64 now_ns = __shfl_sync(RK_ALL_LANES, rk_port_now_ns(), 0);
        rk_u32 ends = 0;
        if (!rk_scout_answer(entry, where, &context, from, &ends)) {
            if (now_ns - looked_ns < RK_SCOUT_NS) {
                rk_port_rest(RK_SCOUT_REST_NS);
                continue;
            }
            ends = rk_run_look(entry, where, from, 0, 0);
        }
        if (ends) rk_turnstile_end(t, ends);
        looked_ns = now_ns;
    }
}

/* Behind the run: a stamp that was asked for last. All threads read why the run has ended now, so that stays as it is; what else is seen
 * is seen again in the next one. */
RK_FN void rk_scout_close(rk_entry *entry, const rk_express_own *where, rk_context *c, rk_u32 from)
{
    rk_u32 ends;
    rk_scout_answer(entry, where, c, from, &ends);
}

#endif
#endif
