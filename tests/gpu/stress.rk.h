/* What the stress test sends: an event, which proves itself. */
#ifndef RK_STRESS_RK_H
#define RK_STRESS_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(stressed, 620, (rk_u32, number), (rk_u32, random), (rk_u32, hops), (rk_u32, proof))

typedef struct worked {
    rk_u64 count, sum;
} worked;

#endif
