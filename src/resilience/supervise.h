/* Supervisors of a runtime, for the runtime. */
#ifndef RK_RESILIENCE_SUPERVISE_H
#define RK_RESILIENCE_SUPERVISE_H

#include "../runtime/core.h"

/* The runtime closes: end its supervisors. No lock held. */
void rk_supervisors_close(rk_runtime *runtime);

#endif
