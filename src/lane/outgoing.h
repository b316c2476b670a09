/* A message on its way from the host into a lane: checked, its header made, put. */
#ifndef RK_LANE_OUTGOING_H
#define RK_LANE_OUTGOING_H

#include "../runtime/core.h"

typedef struct rk_outgoing {
    rk_header_long header;
    const rk_send_options *options;
    const void *body;
    rk_u32 size;  /* bytes of the body */
    rk_u32 block; /* of a large one, once it is in a pool; RK_POOL_NONE */
    rk_u32 epoch; /* of the kernel whose options and layout it was made for */
    rk_reference reference;
} rk_outgoing;

/* The kernel takes nothing more: counted as refused, and told why; or told alone. RK_CLOSED. */
rk_status rk_outgoing_closed(rk_host_kernel *kernel);
rk_status rk_outgoing_explain_closed(const rk_host_kernel *kernel);
/* Check type, size and options against the kernel, and make the header. Errors with the text. */
rk_status rk_outgoing_make(rk_host_kernel *kernel, rk_u16 type, const void *body, size_t size,
                           const rk_send_options *options, rk_outgoing *out);
/* After a wait for room, in which the kernel may have been launched again with other options: its header anew, if so. */
rk_status rk_outgoing_renew(rk_host_kernel *kernel, rk_outgoing *out);
/* The seat that the header's target picks. */
static inline rk_seat *rk_outgoing_seat(const rk_host_kernel *kernel, const rk_outgoing *out)
{
    return kernel->seat_count == 1 ? kernel->seats
                                   : &kernel->seats[out->header.base.target % kernel->seat_count];
}
/* Put it once. RK_FULL under Block means: no room yet. Wakes the kernel; counts what was refused, but not
 * RK_FULL under Block. */
rk_status rk_outgoing_put(rk_host_kernel *kernel, rk_outgoing *out);
/* The same, and the caller wakes the kernel, before anything is waited for. */
rk_status rk_outgoing_put_quietly(rk_host_kernel *kernel, rk_outgoing *out);
/* Put up to `count` that lie one after the other into a plain lane. Returns how many are in; 0: no room. */
rk_u32 rk_outgoing_put_many(rk_host_kernel *kernel, rk_outgoing *out, const void *bodies, size_t count);
/* It is not sent: its block goes back, to whichever pool it came from. */
void rk_outgoing_drop(const rk_runtime *runtime, rk_outgoing *out);
/* Before claimed messages are published. The clock is asked only if one of them is to be stamped. */
void rk_outgoing_stamp(const rk_host_kernel *kernel, rk_ring *ring, rk_u64 first, rk_u32 count);
void rk_outgoing_wake(rk_seat *seat, rk_lane *lane);

#endif
