/* Scatter–gather: each range goes in four parts to the workers, and their counts are added as they come. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/gather.h>

#include "prime.rk.h"

#define WORKERS 4u
#define OPEN_RANGES 64u

RK_REASON(not_a_range)
RK_REASON(too_many_open)
RK_ROUTE(parts)
RK_PARAM(rk_u64, timeout_ns, RK_NO_DEADLINE) /* of a range; without one it waits for all of its parts */

RK_GATHER(ranges, OPEN_RANGES)

typedef struct desk {
    ranges open;
    counted sum[OPEN_RANGES];
} desk;

/* All of a range is there, or its time is over. */
RK_FN void finish(RK_CTX, RK_GLOBAL desk *self, rk_u32 job)
{
    counted sum = self->sum[job];
    sum.missing = rk_gather_missing(&self->open, job);
    rk_send(RK_ARG, &sum);
    rk_gather_close(&self->open, job);
}

RK_HANDLER(scatter, range, msg, desk, self, .state = RK_PER_SHARD, .max_sends = WORKERS, .max_batch = 16)
{
    rk_u32 job = 0;
    if (msg->from >= msg->to) {
        rk_fail(RK_ARG, not_a_range);
        return;
    }
    if (rk_gather_open(RK_ARG, &self->open, WORKERS, RK_PARAM_OF(timeout_ns), &job) != RK_OK) {
        rk_fail(RK_ARG, too_many_open);
        return;
    }
    counted empty = { msg->from, msg->to, 0, 0 };
    self->sum[job] = empty;
    rk_u64 length = msg->to - msg->from;
    for (rk_u32 w = 0; w < WORKERS; w++) {
        part p = { rk_gather_tag(&self->open, job, w), msg->from + length / WORKERS * w,
                   w + 1u < WORKERS ? msg->from + length / WORKERS * (w + 1u) : msg->to };
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = w;
        rk_send_to_with(RK_ARG, parts, &p, &to);
    }
}

RK_HANDLER(scatter, found, msg, desk, self, .state = RK_PER_SHARD)
{
    rk_u32 is = rk_gather_take(&self->open, msg->tag), job = rk_gather_job(msg->tag);
    if (is > RK_GATHER_LAST) return; /* twice or too late */
    self->sum[job].primes += msg->primes;
    if (is == RK_GATHER_LAST) finish(RK_ARG, self, job);
}

RK_ON_TIMER(scatter, desk, self)
{
    rk_u32 job;
    while ((job = rk_gather_due(RK_ARG, &self->open)) != RK_GATHER_NONE) finish(RK_ARG, self, job);
    rk_gather_wake(RK_ARG, &self->open);
}
