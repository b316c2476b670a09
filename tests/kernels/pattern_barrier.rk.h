/* The messages of the contract suite's cases on named barriers. Type ids 610 to 614 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_BARRIER_RK_H
#define RINGKERNEL_TESTS_PATTERN_BARRIER_RK_H

#include <ringkernel/pattern/barrier_message.h>

/* A party is to call the keeper, and to arrive again by itself so many times when it has passed. */
RK_MESSAGE(call_keeper, 610, (rk_u64, name), (rk_u64, timeout_ns), (rk_u32, what), (rk_u32, party),
           (rk_u32, parties), (rk_u32, epoch), (rk_u32, again), (rk_u32, pad))

/* What it was answered at last, and how many rounds it has passed before. */
RK_MESSAGE(was_answered, 611, (rk_u64, name), (rk_u32, party), (rk_u32, outcome), (rk_u32, epoch),
           (rk_u32, arrived), (rk_u32, expected), (rk_u32, missing), (rk_u32, passed), (rk_u32, pad))

#endif
