/* A desk that has numbers added by four workers, and the workers. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/gather.h>

#include "pattern_gather.rk.h"

RK_ROUTE(worker_0)
RK_ROUTE(worker_1)
RK_ROUTE(worker_2)
RK_ROUTE(worker_3)

RK_GATHER(sum_jobs, SUM_JOBS)

typedef struct sum_desk {
    sum_jobs open;
    rk_u64 number[SUM_JOBS], sum[SUM_JOBS], chain[SUM_JOBS];
    rk_u64 result[SUM_JOBS][RK_GATHER_PARTS_MAX];
} sum_desk;

RK_FN void finish(RK_CTX, RK_GLOBAL sum_desk *self, rk_u32 job)
{
    rk_u32 part;
    while ((part = rk_gather_next(&self->open, job)) != RK_GATHER_NONE)
        self->chain[job] = self->chain[job] * 31u + self->result[job][part];
    sum_done done = {
        self->number[job], self->sum[job], self->chain[job], rk_gather_missing(&self->open, job), RK_OK,
        rk_shard_number()
    };
    rk_send(RK_ARG, &done);
    rk_gather_close(&self->open, job);
}

RK_HANDLER(gatherer, sum_job, msg, sum_desk, self, .state = RK_PER_SHARD, .max_sends = RK_GATHER_PARTS_MAX,
           .max_batch = 4)
{
    rk_u32 job = 0;
    rk_status status = rk_gather_open(RK_ARG, &self->open, msg->parts, msg->timeout_ns, &job);
    if (status != RK_OK) {
        sum_done refused = { msg->number, 0, 0, 0, (rk_i32)status, rk_shard_number() };
        rk_send(RK_ARG, &refused);
        return;
    }
    self->number[job] = msg->number;
    self->sum[job] = self->chain[job] = 0;
    for (rk_u32 part = 0; part < msg->parts; part++) {
        rk_u64 first = msg->count * part / msg->parts, end = msg->count * (part + 1u) / msg->parts;
        sum_part p = { rk_gather_tag(&self->open, job, part), msg->from + first, end - first,
                       rk_shard_number(), part == msg->faulty ? msg->fault : 0u };
        switch (part % SUM_WORKERS) {
        case 0: rk_send_to(RK_ARG, worker_0, &p); break;
        case 1: rk_send_to(RK_ARG, worker_1, &p); break;
        case 2: rk_send_to(RK_ARG, worker_2, &p); break;
        default: rk_send_to(RK_ARG, worker_3, &p); break;
        }
    }
}

RK_HANDLER(gatherer, sum_result, msg, sum_desk, self, .state = RK_PER_SHARD)
{
    rk_u32 is = rk_gather_take(&self->open, msg->tag), job = rk_gather_job(msg->tag);
    if (is > RK_GATHER_LAST) return;
    self->sum[job] += msg->sum;
    self->result[job][rk_gather_part(msg->tag)] = msg->sum;
    if (is == RK_GATHER_LAST) finish(RK_ARG, self, job);
}

RK_HANDLER(gatherer, sum_ask, msg, sum_desk, self, .state = RK_PER_SHARD)
{
    RK_GLOBAL rk_gather_table *t = &self->open.table;
    sum_counts counts = { t->opened, t->complete, t->partial, t->duplicate,
                          t->late,   t->unknown,  t->open,    t->refused };
    rk_send(RK_ARG, &counts);
}

/* Opens jobs without a hook for what is due. */
RK_HANDLER(gatherer_without_timer, sum_job, msg, sum_desk, self, .state = RK_PER_SHARD)
{
    rk_u32 job = 0;
    rk_status status = rk_gather_open(RK_ARG, &self->open, msg->parts, msg->timeout_ns, &job);
    sum_done done = { msg->number, 0, 0, 0, (rk_i32)status, rk_shard_number() };
    rk_send(RK_ARG, &done);
}

/* A worker that is gone is not waited for: what there is goes out from the timer hook, as this one may not send. */
RK_ON_REFUSED(gatherer, sum_desk, self, refusal)
{
    if (refusal->type != RK_TYPE_ID(sum_part)) return 0;
    rk_u64 tag = ((RK_GLOBAL const sum_part *)refusal->payload)->tag;
    if (rk_gather_give_up(&self->open, tag) == RK_GATHER_LAST) rk_wake_at(RK_ARG, rk_now_ns());
    return 1;
}

RK_ON_TIMER(gatherer, sum_desk, self)
{
    rk_u32 job;
    while ((job = rk_gather_due(RK_ARG, &self->open)) != RK_GATHER_NONE) finish(RK_ARG, self, job);
    rk_gather_wake(RK_ARG, &self->open);
}

RK_HANDLER(gather_worker, sum_part, msg, rk_none, self, .max_sends = 2)
{
    sum_result r = { msg->tag, 0 };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = msg->desk;
    for (rk_u64 i = 0; i < msg->count; i++) r.sum += msg->from + i;
    if (msg->fault == SUM_SILENT) return;
    if (msg->fault == SUM_MISTAKEN) r.tag += (rk_u64)1 << 62; /* of a time to come */
    rk_send_with(RK_ARG, &r, &to);
    if (msg->fault == SUM_TWICE) rk_send_with(RK_ARG, &r, &to);
}
