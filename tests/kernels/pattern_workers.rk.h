/* The messages of the contract suite's cases on a coordinator and its workers. Type ids 620 to 629 are theirs. */
#ifndef RINGKERNEL_TESTS_PATTERN_WORKERS_RK_H
#define RINGKERNEL_TESTS_PATTERN_WORKERS_RK_H

#include <ringkernel/pattern/workers_message.h>

/* To the coordinator: how it watches its workers; before any job. */
RK_MESSAGE(open_crew, 620, (rk_u64, silence_ns), (rk_u64, stall_ns), (rk_u32, window), (rk_u32, pad))

/* To the coordinator: a job; and the result, which is 3 times the job, once for each. */
RK_MESSAGE(wanted, 621, (rk_u64, job))
RK_MESSAGE(finished, 622, (rk_u64, job), (rk_u64, value), (rk_u32, worker), (rk_u32, pad))

/* To a worker: how it is from now on. After `after` assignments of the good it is like that. */
#define HAND_IS_GOOD 0u
#define HAND_IS_DEAD 1u    /* takes assignments, and does and says nothing */
#define HAND_STALLS 2u     /* the same, but says that it is alive when it gets one, and when it is poked */
#define HAND_SAYS_TWICE 3u /* each result */
#define HAND_IS_LATE 4u    /* finishes at once all that it kept, when it was dead */
RK_MESSAGE(behave, 623, (rk_u32, like), (rk_u32, after), (rk_u32, number), (rk_u32, pad))

/* To the coordinator, and its answer. */
RK_MESSAGE(ask_crew, 624, (rk_u32, pad))
RK_MESSAGE(crew_says, 625, (rk_u64, outstanding), (rk_u64, completed), (rk_u64, duplicate),
           (rk_u64, reassigned), (rk_u64, moved), (rk_u32, lost), (rk_u32, lost_last), (rk_u32, refused),
           (rk_u32, live), (rk_u32, came_again), (rk_u32, pad))

#endif
