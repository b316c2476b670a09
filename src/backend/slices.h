/* What every backend asks that serves kernels by slices: is there work, and until when is there none? Of kernels that
 * are served, by the one thread that launches. */
#ifndef RK_BACKEND_SLICES_H
#define RK_BACKEND_SLICES_H

#include "../runtime/core.h"

/* Does a shard want to be served? Of an order to leave it knows nothing. */
int rk_seat_wanted(const rk_seat *seat);
/* Is there one that does, and none that is to leave? */
int rk_slices_wanted(const rk_host_kernel *kernel);
/* Has a shard failed? */
int rk_slices_failed(const rk_host_kernel *kernel);
/* Until a doorbell says otherwise nothing has come: the host's producers ring a consumer that sleeps. */
void rk_slices_sleep(const rk_host_kernel *kernel);
/* How long nothing is to be launched for it if nobody rings: until the earliest time that it asked for and a visit
 * would heed, `most_ns` at most. Who waits for room is the caller's to look at again. */
rk_u64 rk_slices_nap(const rk_host_kernel *kernel, rk_u64 now_ns, rk_u64 most_ns);

#endif
