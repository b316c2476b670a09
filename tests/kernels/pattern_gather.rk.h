/* The messages of the cases on scatter–gather. Type ids 760 to 769 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_GATHER_RK_H
#define RINGKERNEL_TESTS_PATTERN_GATHER_RK_H

#include <ringkernel/message.h>

#define SUM_JOBS 4u     /* open ones of a shard */
#define SUM_WORKERS 4u  /* kernels */
#define SUM_TWICE 1u    /* faults: the worker answers twice */
#define SUM_SILENT 2u   /* it doesn't answer */
#define SUM_MISTAKEN 3u /* it answers to a part that was never sent */

/* Add the numbers from … from + count - 1, in so many parts, which go to the workers in turn. The worker of
 * `faulty` has this fault. */
RK_MESSAGE(sum_job, 760, (rk_u64, number), (rk_u64, from), (rk_u64, count), (rk_u64, timeout_ns),
           (rk_u32, parts), (rk_u32, faulty), (rk_u32, fault), (rk_u32, pad))
RK_MESSAGE(sum_part, 761, (rk_u64, tag), (rk_u64, from), (rk_u64, count), (rk_u32, desk), (rk_u32, fault))
RK_MESSAGE(sum_result, 762, (rk_u64, tag), (rk_u64, sum))

/* What became of a job: the sum, and a chain of sums in the order of fragments. */
RK_MESSAGE(sum_done, 763, (rk_u64, number), (rk_u64, sum), (rk_u64, chain), (rk_u64, missing),
           (rk_i32, status), (rk_u32, desk))

/* Tell what was counted. */
RK_MESSAGE(sum_ask, 764, (rk_u32, pad))
RK_MESSAGE(sum_counts, 765, (rk_u64, opened), (rk_u64, complete), (rk_u64, partial), (rk_u64, duplicate),
           (rk_u64, late), (rk_u64, unknown), (rk_u32, open), (rk_u32, refused))

#endif
