/* Which cores there are, and binding a thread to one: by hwloc where it is installed, loaded at run time. */
#ifndef RK_CPU_TOPOLOGY_H
#define RK_CPU_TOPOLOGY_H

#include <ringkernel/device/types.h>

/* Cores that this process may use, at least 1. */
rk_u32 rk_cores(void);
/* Bind the calling thread to the core'th last of them. 1: bound. 0: hwloc isn't there, or refuses. */
int rk_bind_to_core(rk_u32 core);

#endif
