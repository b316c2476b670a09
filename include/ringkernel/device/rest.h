/* How a block rests that finds nothing to do.
 *
 * Who polls takes power, and a look at the host's lane is a read over the bus, of which idle shards would take their part from
 * busy ones. So a block that has had nothing to do for a millisecond rests between its looks, for a 256th of that time and no
 * longer than RK_REST_MOST_NS: a message, or an order, that comes meanwhile waits for twice that, as the device sleeps, and
 * for a look. One that waits for room, or for more of a batch, doesn't rest. */
#ifndef RINGKERNEL_DEVICE_REST_H
#define RINGKERNEL_DEVICE_REST_H

#include "block.h"

#if defined(RK_LANG_CUDA)

#define RK_REST_AFTER_NS 1000000u
#define RK_REST_MOST_NS 4096u
#define RK_REST_BREATH_NS 20u /* before that, between general visits */
#define RK_REST_LOOKS \
    16u /* as many looks of the first warp is one with a rest worth, until the general visit comes */

/* For how long, after so long without work; 0: not yet. */
RK_FN rk_u32 rk_rest_ns(rk_u64 idle_ns)
{
    if (idle_ns < RK_REST_AFTER_NS) return 0;
    return idle_ns >> 8 < RK_REST_MOST_NS ? (rk_u32)(idle_ns >> 8) : RK_REST_MOST_NS;
}

/* The same for this block, of one mind by a whole warp. */
RK_FN rk_u32 rk_block_rest_ns(const rk_entry *entry)
{
    const rk_u64 worked_ns = entry->look->worked_ns, now_ns = rk_port_now_ns();
    return __shfl_sync(RK_ALL_LANES, rk_rest_ns(now_ns > worked_ns ? now_ns - worked_ns : 0), 0);
}

/* Behind a look that found nothing. Returns how many such it counts for. */
RK_FN rk_u32 rk_block_rested(rk_u32 rest_ns)
{
    if (!rest_ns) return 1u;
    rk_port_rest(rest_ns);
    return RK_REST_LOOKS;
}

/* The block has had something to do. By one thread. */
RK_FN void rk_block_worked(const rk_entry *entry) { entry->look->worked_ns = rk_port_now_ns(); }

/* Behind a round of visits, by one thread: a bit of `came` says for each RK_VISIT_* whether one came to that. A slice, which has
 * so many `visits`, is over soon, and doesn't rest. */
#define RK_VISITS_BUSY (1u << RK_VISIT_WORKED | 1u << RK_VISIT_WAITS | 1u << RK_VISIT_PARKED)
RK_FN void rk_block_breathe(const rk_entry *entry, rk_u32 came, rk_u32 visits)
{
    const rk_u32 busy = visits || came & RK_VISITS_BUSY, worked = came >> RK_VISIT_WORKED & 1u;
    const rk_u64 worked_ns = entry->look->worked_ns, now_ns = rk_port_now_ns();
    const rk_u32 rest_ns = busy || now_ns < worked_ns ? 0 : rk_rest_ns(now_ns - worked_ns);
    if (busy) rk_block_worked(entry);
    if (!worked) rk_port_rest(rest_ns ? rest_ns : RK_REST_BREATH_NS);
}

#endif
#endif
