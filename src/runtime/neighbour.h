/* The busiest neighbour of a kernel: who is best beside it on one device, where links cost more than memory. */
#ifndef RK_RUNTIME_NEIGHBOUR_H
#define RK_RUNTIME_NEIGHBOUR_H

#include "core.h"

/* The place of the live kernel with which this one has exchanged the most messages, in both directions; where several
 * have exchanged as many, or none any, of the one with the most shards. Its own place if it has no neighbour.
 * Control lock held, the circle at rest. */
rk_u32 rk_neighbour_place(const rk_host_kernel *kernel);

#endif
