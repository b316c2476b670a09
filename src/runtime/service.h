/* The service thread: empties report lanes when it is rung, watches handlers that run too long and kernels
 * that make no progress. It sleeps when nothing is asked of it. */
#ifndef RK_RUNTIME_SERVICE_H
#define RK_RUNTIME_SERVICE_H

#include "core.h"

/* A single-step runtime has none: reports are collected by whoever steps. */
rk_status rk_service_start(rk_runtime *runtime);
void rk_service_stop(rk_runtime *runtime);
/* Something is in a report lane. Any thread. */
void rk_service_ring(rk_runtime *runtime);

#endif
