/* The coordinator and the workers, one to a shard, of the cases on both. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/workers.h>

#include "pattern_workers.rk.h"

RK_ROUTE(report)

#define SENDS 16u

typedef struct crew {
    rk_workers workers;
    rk_u32 refused, came_again;
} crew;

RK_HANDLER(foreman, open_crew, msg, crew, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    rk_workers_open(&self->workers, msg->window, msg->silence_ns, msg->stall_ns);
}

RK_HANDLER(foreman, wanted, msg, crew, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    if (rk_is_redelivered(RK_ARG)) /* this state has it already: submitted again it would be another job */
        self->came_again++;
    else
        self->refused += rk_workers_submit(&self->workers, msg->job) != RK_OK;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(foreman, rk_worker_word, word, crew, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    rk_u64 job = 0;
    rk_status status = rk_workers_hear(&self->workers, word, rk_now_ns(), &job);
    if (status == RK_OK && word->what == RK_WORKER_IS_DONE) {
        finished out = { job, word->value, word->worker, 0 };
        rk_send_to(RK_ARG, report, &out);
    }
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(foreman, ask_crew, msg, crew, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    RK_GLOBAL const rk_workers *w = &self->workers;
    crew_says out = { rk_workers_outstanding(w),
                      w->completed,
                      w->duplicate,
                      w->reassigned,
                      w->moved,
                      w->lost,
                      w->lost_last,
                      self->refused,
                      w->live,
                      self->came_again,
                      0 };
    rk_send_to(RK_ARG, report, &out);
}

/* An assignment that didn't reach its worker. */
RK_ON_REFUSED(foreman, crew, self, refusal)
{
    if (refusal->type != RK_TYPE_ID(rk_assignment)) return 0;
    rk_workers_drop(&self->workers, ((RK_GLOBAL const rk_assignment *)refusal->payload)->worker);
    rk_wake_at(RK_ARG, rk_now_ns());
    return 1;
}

RK_ON_TIMER(foreman, crew, self)
{
    rk_assignment a;
    rk_u32 sent = 0;
    while (sent < SENDS && rk_workers_next(&self->workers, rk_now_ns(), &a)) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = a.worker;
        rk_send_with(RK_ARG, &a, &to);
        sent++;
    }
    if (sent == SENDS) rk_wake_at(RK_ARG, rk_now_ns());
    rk_workers_watch(RK_ARG, &self->workers);
}

/* ------------------------------------------------------------------ a worker */

#define KEPT 16u

typedef struct hands {
    rk_u32 like, then, after, kept;
    rk_assignment at[KEPT];
} hands;

RK_HANDLER(hand, behave, msg, hands, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    rk_u32 me = msg->number;
    if (msg->like == HAND_IS_LATE) {
        for (rk_u32 i = 0; i < self->kept; i++) {
            rk_worker_word done = rk_worker_done(&self->at[i], 3u * self->at[i].job);
            rk_send(RK_ARG, &done);
        }
        self->kept = 0;
    } else if (msg->like == HAND_STALLS && self->like == HAND_STALLS) {
        rk_worker_word alive = rk_worker_says(me, RK_WORKER_IS_ALIVE);
        rk_send(RK_ARG, &alive);
    } else {
        rk_worker_word here = rk_worker_says(me, RK_WORKER_REGISTERS);
        self->like = msg->after ? HAND_IS_GOOD : msg->like;
        self->then = msg->like;
        self->after = msg->after;
        rk_send(RK_ARG, &here);
    }
}

RK_HANDLER(hand, rk_assignment, a, hands, self, .state = RK_PER_SHARD, .max_sends = SENDS)
{
    if (self->like == HAND_IS_DEAD || self->like == HAND_STALLS) {
        if (self->kept < KEPT) self->at[self->kept++] = *a;
        if (self->like == HAND_IS_DEAD) return;
        rk_worker_word alive = rk_worker_says(a->worker, RK_WORKER_IS_ALIVE);
        rk_send(RK_ARG, &alive);
        return;
    }
    rk_worker_word done = rk_worker_done(a, 3u * a->job);
    rk_send(RK_ARG, &done);
    if (self->like == HAND_SAYS_TWICE) rk_send(RK_ARG, &done);
    if (self->after > 0 && --self->after == 0) self->like = self->then;
}
