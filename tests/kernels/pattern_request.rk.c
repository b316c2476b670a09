/* A kernel that asks, and an oracle that answers at once, twice, later, never or wrongly. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/request.h>

#include "pattern_request.rk.h"

RK_ROUTE(oracle_route)

RK_REQUESTS(asked_requests, ASKED_MOST)

typedef struct asker {
    asked_requests pending;
    rk_u64 correlation[ASKED_MOST]; /* by number */
} asker;

RK_FN void tell(RK_CTX, rk_u64 number, rk_u64 value, rk_u32 outcome, rk_status status)
{
    asked a = { number, value, outcome, (rk_i32)status, rk_shard_number(), 0 };
    rk_send(RK_ARG, &a);
}

RK_HANDLER(seeker, ask_order, msg, asker, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    rk_u64 correlation = 0;
    question q = { msg->value, msg->how, 0 };
    rk_status status = rk_request_open(RK_ARG, &self->pending, msg->timeout_ns, msg->number, &correlation);
    if (status != RK_OK) {
        tell(RK_ARG, msg->number, 0, ASKED_REFUSED, status);
        return;
    }
    self->correlation[msg->number % ASKED_MOST] = correlation;
    rk_send_options as = rk_as_request(correlation);
    as.target = msg->target;
    rk_send_to_with(RK_ARG, oracle_route, &q, &as);
}

RK_HANDLER(seeker, oracle_says, msg, asker, self, .state = RK_PER_SHARD)
{
    rk_u64 number;
    if (rk_request_settle(RK_ARG, &self->pending, msg, &number) != RK_REPLY_RIGHT) return;
    tell(RK_ARG, number, msg->value, ASKED_ANSWERED, RK_OK);
}

RK_HANDLER(seeker, cancel_order, msg, asker, self, .state = RK_PER_SHARD)
{
    rk_u64 number = msg->number, correlation = self->correlation[number % ASKED_MOST];
    rk_u32 was = rk_request_cancel(&self->pending, correlation, &number);
    tell(RK_ARG, number, was, ASKED_CANCELLED, RK_OK);
}

RK_HANDLER(seeker, count_ask, msg, asker, self, .state = RK_PER_SHARD)
{
    RK_GLOBAL rk_requests *t = &self->pending.table;
    asked_counts n = { t->opened, t->refused, t->cancelled, t->expired, { 0, 0, 0, 0, 0, 0 }, t->waiting, 0 };
    for (rk_u32 kind = 0; kind < RK_REPLY_KINDS; kind++) n.came[kind] = t->came[kind];
    rk_send(RK_ARG, &n);
}

RK_ON_TIMER(seeker, asker, self)
{
    rk_u64 number;
    while (rk_request_due(RK_ARG, &self->pending, &number)) tell(RK_ARG, number, 0, ASKED_EXPIRED, RK_OK);
    rk_request_wake(RK_ARG, &self->pending);
}

/* Asks without a hook for what is due. */
RK_HANDLER(seeker_without_timer, ask_order, msg, asker, self, .state = RK_PER_SHARD)
{
    rk_u64 correlation = 0;
    tell(RK_ARG, msg->number, 0, ASKED_REFUSED,
         rk_request_open(RK_ARG, &self->pending, msg->timeout_ns, msg->number, &correlation));
}

typedef struct held_replies {
    rk_ticket ticket[HELD_MOST];
    rk_u64 value[HELD_MOST];
    rk_u32 count;
} held_replies;

RK_HANDLER(oracle, question, msg, held_replies, self, .state = RK_PER_SHARD, .max_sends = HELD_MOST,
           .replies = 1)
{
    oracle_says a = { msg->value * 2u };
    if (msg->how == ANSWER_NOW || msg->how == ANSWER_TWICE) rk_reply(RK_ARG, msg, &a);
    if (msg->how == ANSWER_TWICE) rk_reply(RK_ARG, msg, &a);
    if (msg->how == ANSWER_WRONG) {
        rk_ticket wrong = rk_defer_reply(RK_ARG);
        wrong.correlation += (rk_u64)1 << 50; /* a number of a time to come */
        rk_reply_later(RK_ARG, wrong, &a);
    }
    if (msg->how == ANSWER_HELD && self->count < HELD_MOST) {
        self->value[self->count] = a.value;
        self->ticket[self->count++] = rk_defer_reply(RK_ARG);
    }
}

RK_HANDLER(oracle, let_go, msg, held_replies, self, .state = RK_PER_SHARD)
{
    for (rk_u32 i = 0; i < self->count; i++) {
        oracle_says a = { self->value[i] };
        rk_reply_later(RK_ARG, self->ticket[i], &a);
    }
    self->count = 0;
}
