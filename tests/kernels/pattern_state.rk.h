/* The messages of the contract suite's cases on containers in state. Type ids 720 and 721 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_STATE_RK_H
#define RINGKERNEL_TESTS_PATTERN_STATE_RK_H

#include <ringkernel/message.h>

/* How large they are, for the tests' references. */
#define KEPT_KEYS 48u
#define KEPT_ENTRIES 16u
#define KEPT_VALUES 8u
#define KEPT_TOP 8u
#define LARGE_ENTRIES 1000u

/* What to do with a container. */
#define KEPT_INSERT 0u
#define KEPT_ERASE 1u
#define KEPT_PUT 2u
#define KEPT_GET 3u
#define KEPT_AVERAGE 4u
#define KEPT_COUNT 5u
#define KEPT_SPREAD 6u
#define KEPT_OPERATIONS 7u /* those above, which depend on nothing but what was done before */
#define KEPT_LEND 7u
#define KEPT_RECALL 8u

RK_MESSAGE(keeping, 720, (rk_u64, key), (rk_i64, value), (rk_u32, operation), (rk_u32, actor))

/* What came of it; what `key` and the numbers are depends on the operation. */
RK_MESSAGE(kept, 721, (rk_u64, key), (rk_i64, number, 4), (rk_f32, mean), (rk_u32, operation),
           (rk_u32, actor), (rk_u32, pad))

#endif
