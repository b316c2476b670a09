/* The messages between a coordinator and its workers (workers.h). */
#ifndef RINGKERNEL_PATTERN_WORKERS_MESSAGE_H
#define RINGKERNEL_PATTERN_WORKERS_MESSAGE_H

#include "../message.h"

/* What a worker says. */
#define RK_WORKER_REGISTERS \
    0u                        /* give me work; again after it was lost, or anew: what it had goes to others */
#define RK_WORKER_IS_ALIVE 1u /* its heartbeat, while a job takes long */
#define RK_WORKER_IS_DONE 2u  /* with the job of `place` and `serial`; `value` is its result */
#define RK_WORKER_LEAVES 3u   /* give me no more: what it had goes to others */

RK_MESSAGE(rk_worker_word, 65404, (rk_u64, value), (rk_u32, what), (rk_u32, worker), (rk_u32, place),
           (rk_u32, serial))

/* Do this job: for the `attempt`th time, from 1, so that a worker can refuse one that has cost others
 * their lives. */
RK_MESSAGE(rk_assignment, 65405, (rk_u64, job), (rk_u32, worker), (rk_u32, place), (rk_u32, serial),
           (rk_u32, attempt))

#endif
