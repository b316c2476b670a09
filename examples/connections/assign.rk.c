/* The coordinator: each airport is a job, which somebody does, and whose result counts once. */
#include <ringkernel/kernel.h>

#include "airport.rk.h"

#define RK_WORKERS_JOBS AIRPORTS
#include <ringkernel/pattern/workers.h>

#define WINDOW 4u /* airports that are with a worker at a time */
#define SENDS 16u /* in one run of the timer hook */

RK_ROUTE(result)
RK_ROUTE(everyone)
RK_PARAM(rk_u64, silence_ns, RK_MILLISECONDS(100)) /* after which a worker that has work is given up */
RK_PARAM(rk_u32, report, 0)                        /* 1: what went wrong is told in lines of its own */

/* All workers know all routes: each airport is a job. */
RK_FN void begin_all(RK_CTX, RK_GLOBAL rk_workers *self, rk_u64 airports)
{
    rk_workers_open(self, WINDOW, RK_PARAM_OF(silence_ns), RK_NO_DEADLINE);
    for (rk_u64 airport = 0; airport < airports; airport++) rk_workers_submit(self, airport);
}

/* The result of a job is one word: how many are reached, the most flights, and their sum, from high to low. */
RK_FN void tell(RK_CTX, RK_GLOBAL const rk_workers *self, rk_u64 airport, rk_u64 value)
{
    reach out = { (rk_u32)airport, (rk_u32)(value >> 48), (rk_u32)(value >> 32) & 0xffffu, (rk_u32)value };
    rk_send_to(RK_ARG, result, &out);
    if (rk_workers_outstanding(self) > 0) return;
    over all = { (rk_u32)self->completed };
    rk_send_to(RK_ARG, everyone, &all);
}

RK_HANDLER(assign, rk_worker_word, word, rk_workers, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    rk_u64 airport = 0;
    rk_status status = rk_workers_hear(self, word, rk_now_ns(), &airport);
    if (word->what == RK_WORKER_REGISTERS && self->live == CREW && self->submitted == 0)
        begin_all(RK_ARG, self, word->value);
    if (word->what == RK_WORKER_IS_DONE && status == RK_OK) tell(RK_ARG, self, airport, word->value);
    if (word->what == RK_WORKER_IS_DONE && status == RK_DUPLICATE && RK_PARAM_OF(report)) {
        twice out = { word->worker };
        rk_send_to(RK_ARG, result, &out);
    }
    if (word->what == RK_WORKER_IS_DONE && status != RK_INVALID_ARGUMENT &&
        !self->worker[word->worker].registered)
        rk_workers_register(self, word->worker); /* it was given up too early */
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_TIMER(assign, rk_workers, self)
{
    rk_assignment a;
    rk_u32 sent = 0, losses = self->lost;
    rk_u64 before = self->reassigned;
    for (; sent < SENDS && rk_workers_next(self, rk_now_ns(), &a); sent++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = a.worker;
        rk_send_with(RK_ARG, &a, &to);
    }
    if (sent == SENDS) rk_wake_at(RK_ARG, rk_now_ns());
    rk_workers_watch(RK_ARG, self);
    if (self->lost != losses && RK_PARAM_OF(report)) {
        lost out = { self->lost_last, (rk_u32)(self->reassigned - before) };
        rk_send_to(RK_ARG, result, &out);
    }
}
