/* The service thread: empties report lanes when it is rung, watches handlers that run too long and kernels
 * that make no progress. It sleeps when nothing is asked of it. */
#ifndef RK_RUNTIME_SERVICE_H
#define RK_RUNTIME_SERVICE_H

#include "core.h"

/* A single-step runtime has none: reports are collected by whoever steps. */
rk_status rk_service_start(rk_runtime *runtime);
void rk_service_stop(rk_runtime *runtime);
/* Handlers of some kernel may run no longer than this: the watch looks four times as often. Any thread. */
void rk_service_watch(rk_runtime *runtime, rk_u64 limit_ns);
/* Something is in a report lane. Any thread. */
void rk_service_ring(rk_runtime *runtime);

#endif
