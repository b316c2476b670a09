/* What the residents program sends. */
#ifndef RK_RESIDENTS_RK_H
#define RK_RESIDENTS_RK_H

#include <ringkernel/message.h>

RK_MESSAGE(lived, 621, (rk_u32, number), (rk_u32, shard))

#endif
