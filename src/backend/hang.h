/* Handlers that run for too long on a device: what every backend's watch asks of a kernel that is served.
 *
 * The device counts each visit to a shard, and each turn that it commits (rk_meter). A shard that is to be served, and
 * whose block is there, is visited all the time: where neither count moves for as long as a handler may run, a handler of
 * its block does run. Waiting for room, for messages or for an order is none of that: those are visits.
 *
 * By the service thread, with the control lock. */
#ifndef RK_BACKEND_HANG_H
#define RK_BACKEND_HANG_H

#include "../runtime/core.h"

/* A look at one kernel, of which the host has seen the counts lately: it hangs, or hangs no more, and who looks after it
 * is told. `runs`: a launch of it is on the device. `slice`: the number of that launch, where it is a slice whose counts
 * are seen only when it has ended; 0: they are seen all the time. */
void rk_hang_watch(rk_host_kernel *kernel, int runs, rk_u64 slice);

#endif
