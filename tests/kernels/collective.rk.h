/* The messages of the cases on collectives. Type ids 560 and 561 are theirs. */
#ifndef RINGKERNEL_TESTS_COLLECTIVE_RK_H
#define RINGKERNEL_TESTS_COLLECTIVE_RK_H

#include <ringkernel/message.h>

#define COLLECTED 200u

RK_MESSAGE(collected, 560, (rk_u32, n), (rk_u32, value, 200))
RK_MESSAGE(collection, 561, (rk_u32, total), (rk_u32, sum_hash), (rk_u32, before_hash), (rk_u32, sorted, 200))

#endif
