/* The messages of the contract suite's cases on supersteps. Type ids 600 to 609 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_SUPERSTEP_RK_H
#define RINGKERNEL_TESTS_PATTERN_SUPERSTEP_RK_H

#include <ringkernel/pattern/superstep_message.h>

/* Take part in so many steps. Participants below `split` are shards of the kernel on the route `low`, the others of that
 * on the route `high`; shard 0 of the receiver is participant `first`. Participant `stopper` (NOBODY: none) keeps its
 * ends of step `stop_in` to itself. */
RK_MESSAGE(take_part, 600, (rk_u64, timeout_ns), (rk_u32, first), (rk_u32, participants), (rk_u32, split),
           (rk_u32, rounds), (rk_u32, stopper), (rk_u32, stop_in), (rk_u32, seed), (rk_u32, pad))
#define NOBODY ~0u

/* A participant says hello to another. */
RK_MESSAGE(hello, 601, RK_SUPERSTEP_MEMBERS)

/* A participant is in step `stop_in`. */
RK_MESSAGE(in_step, 604, (rk_u32, participant), (rk_u32, step))

/* The stopper goes on. */
RK_MESSAGE(go_on, 602, (rk_u32, pad))

/* After the last step: what a participant saw, and how often it saw another number than was sent, or a message that
 * it must not use. */
RK_MESSAGE(took_part, 603, (rk_u64, sent), (rk_u64, seen), (rk_u32, participant), (rk_u32, steps),
           (rk_u32, early), (rk_u32, mismatches), (rk_u32, refused), (rk_u32, status))

#endif
