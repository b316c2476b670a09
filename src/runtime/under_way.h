/* Calls that take their time without the control lock, and that a close waits for. */
#ifndef RK_RUNTIME_UNDER_WAY_H
#define RK_RUNTIME_UNDER_WAY_H

#include "core.h"

/* The caller's own, for as long as the call takes. */
typedef struct rk_under_way {
    const rk_runtime *runtime;
    struct rk_under_way *next;
} rk_under_way;

/* As rk_runtime_check: RK_INVALID_ARGUMENT, RK_CLOSED. Until rk_under_way_end the runtime isn't freed; it may be closed
 * meanwhile, so ask again before anything is changed. */
rk_status rk_under_way_begin(rk_under_way *me, const rk_runtime *runtime, const char *call);
void rk_under_way_end(rk_under_way *me);
/* Wait for those of a runtime that is closed, so that no others begin. */
void rk_under_way_wait(const rk_runtime *runtime);

#endif
