/* A kernel in the place of one that doesn't stop: the same id, options, parameters and routes, other memory. */
#ifndef RK_RUNTIME_REPLACE_H
#define RK_RUNTIME_REPLACE_H

#include "kernel.h"

/* What is known of a kernel that has ended, until another is in its place. */
typedef struct rk_replacement {
    char id[64];
    rk_launch_options options;
    rk_u64 *parameters; /* numbers of its class */
    rk_connection connections[RK_EDGES_MAX];
    rk_u32 connection_count;
    rk_u32 activated;
    rk_kernel was;               /* where routes lead that led to it */
    rk_host_kernel *quarantined; /* whose messages its targets still have to remember; 0: none */
} rk_replacement;

/* End a kernel at once, and remember what it takes to replace it. 0: no memory, and nothing has happened. Control lock
 * held, here and below. */
rk_replacement *rk_replace_begin(rk_host_kernel *kernel);
/* Launch the other one, wire it, and activate it if the old one was. Not RK_OK: there is none yet, call again. */
rk_status rk_replace_finish(rk_runtime *runtime, rk_replacement *replacement, const rk_fresh_state *state,
                            rk_kernel *kernel);
void rk_replace_free(rk_replacement *replacement);

/* The kernel that is in the place of this one now: itself, where it wasn't replaced. Any thread, as below. */
rk_kernel rk_replacement_of(rk_runtime *runtime, rk_kernel kernel);
/* One of those that were in the place of `now` before, counted from 0; 0: there are no more. */
int rk_replaced_kernel(rk_runtime *runtime, rk_kernel now, rk_u32 index, rk_kernel *was);

#endif
