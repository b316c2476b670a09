/* Wiring: how kernels reach each other. A kernel's wiring block holds its routes and edges, how much it sent
 * on each, and its end tables.
 *
 * It is made anew whenever a connection or a neighbour changes; the kernels concerned are not served
 * meanwhile, so nothing of it is ever seen half. Control lock held. */
#ifndef RK_RUNTIME_WIRING_H
#define RK_RUNTIME_WIRING_H

#include "core.h"

/* All kernels that `kernel` is connected with, over others too, itself included. */
typedef struct rk_circle {
    rk_host_kernel **kernel;
    rk_u32 count;
    unsigned char *served; /* was served when it was stopped */
} rk_circle;

/* Find the circle and stop serving all of it but `kernel`, whose caller does that itself. RK_TIMED_OUT: one
 * is stuck in a handler; all are served again. */
rk_status rk_circle_stop(rk_host_kernel *kernel, rk_circle *circle);
/* Make the wiring of all of it, after connections or lanes have changed. RK_OUT_OF_MEMORY: nothing has changed. What can't be
 * copied to the device is, before the kernel is served. */
rk_status rk_circle_wire(rk_circle *circle);
/* Serve again those that were stopped, and free the list. */
void rk_circle_serve(rk_circle *circle);
/* Bytes of the block of a kernel that has no connections: its module declares `numbers` numbers. */
rk_u64 rk_wiring_bytes(rk_u32 numbers, rk_u32 shards);
/* Wire a kernel that has no connections. */
rk_status rk_wiring_make_alone(rk_host_kernel *kernel);
/* The device gets a kernel's wiring block and its entry of the directory. */
rk_status rk_wiring_store(const rk_host_kernel *kernel);
/* A quarantined kernel sends no more: its targets remember what it had sent, and its routes are gone. Its memory stays
 * as it is. RK_TIMED_OUT: a neighbour is stuck in a handler, and nothing has changed. */
rk_status rk_wiring_abandon(rk_host_kernel *kernel);
/* The kernel ends: routes to it lead nowhere, what it sent is remembered by its targets. RK_TIMED_OUT: a
 * neighbour doesn't reach a batch boundary, and the kernel's memory must stay. */
rk_status rk_wiring_cut(rk_host_kernel *kernel);
/* `fresh` takes the place of a kernel that has ended, whose circle was stopped and is wired anew here: routes to it
 * lead to `fresh`, which has its connections. What was sent to the old one is not expected of the new, and what the old
 * one sent, if it is `quarantined`, is remembered by its targets. */
rk_status rk_wiring_replace(rk_circle *circle, rk_kernel old, rk_host_kernel *quarantined,
                            rk_host_kernel *fresh, const rk_connection *connections, rk_u32 count);
/* What all shards of `kernel` have sent on a connection so far. With the circle at rest. */
rk_u64 rk_wiring_sent(const rk_host_kernel *kernel, rk_u32 connection);
rk_u32 rk_connection_is_live(const rk_runtime *runtime, const rk_connection *connection);

#endif
