/* What every backend tells kernels that stay on a device: to leave, and to come back whole.
 *
 * Each block of a launch leaves for itself, at a boundary of its own: when it is told to, or when it hasn't heard the host
 * for long. The order may be taken back before all have seen it, and the host be heard again before all have missed it.
 * Those that are gone by then have shards that nobody serves, and the launch, which still runs, can't be made again. So a
 * block says that it goes, and the others are told to follow it: the whole kernel is launched anew.
 *
 * Of kernels that are served; by the thread that launches, but for rk_resident_order. */
#ifndef RK_BACKEND_RESIDENT_H
#define RK_BACKEND_RESIDENT_H

#include "../runtime/core.h"

/* `leave`: RK_LEAVE_*, or 0: it may stay. */
void rk_resident_order(const rk_host_kernel *kernel, rk_u32 leave);
/* Before a launch, while nothing of it runs: nobody is gone. */
void rk_resident_begin(const rk_host_kernel *kernel);
/* While a launch runs: if one of its blocks is gone, all others are to follow. */
void rk_resident_follow(const rk_host_kernel *kernel);
/* A launch has ended: what has followed may come back. An order of somebody else stands. */
void rk_resident_ended(const rk_host_kernel *kernel);

#endif
