/* The shards of the cases on work stealing: a task is a number, and doing it is to say so. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/steal.h>

#include "pattern_steal.rk.h"

RK_ROUTE(report)

typedef struct crusher {
    rk_steal steal;
    rk_u32 gives, came_back;
} crusher;

RK_HANDLER(crush, join_crew, msg, crusher, self, .state = RK_PER_SHARD, .max_sends = 4)
{
    self->gives = msg->gives;
    rk_steal_begin(&self->steal, rk_shard_number(), rk_shard_count());
    if (msg->asks != rk_shard_number() + 1u) self->steal.giver = msg->asks;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(crush, more_work, msg, crusher, self, .state = RK_PER_SHARD, .max_sends = 4)
{
    for (rk_u32 i = 0; i < msg->count; i++) {
        rk_task t = { { msg->first + i, (rk_u64)msg->children << 32 | msg->apart } };
        rk_steal_push(&self->steal, &t);
    }
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(crush, rk_steal_word, word, crusher, self, .state = RK_PER_SHARD, .max_sends = 4)
{
    rk_steal_hear(&self->steal, word);
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN void say_end(RK_CTX, RK_GLOBAL const crusher *self)
{
    was_done end = { 0, rk_shard_number(), 1, (rk_u32)self->steal.refused, self->came_back, 0 };
    for (rk_u32 s = 0; s < rk_shard_count(); s++) end.waiting += self->steal.waits[s] == RK_STEAL_WAITS + 1u;
    rk_send_to(RK_ARG, report, &end);
}

RK_HANDLER(crush, tell_the_end, msg, crusher, self, .state = RK_PER_SHARD, .max_sends = 4)
{
    if (rk_steal_probe(&self->steal) == RK_INVALID_ARGUMENT) say_end(RK_ARG, self);
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN void do_task(RK_CTX, RK_GLOBAL crusher *self, const rk_task *t)
{
    was_done out = { (rk_u32)t->word[0], rk_shard_number(), 0, 0, 0, 0 };
    for (rk_u32 i = 1; i <= (rk_u32)(t->word[1] >> 32); i++) {
        rk_task child = { { t->word[0] + (rk_u64)i * (rk_u32)t->word[1], 0 } };
        rk_steal_push(&self->steal, &child);
    }
    rk_send_to(RK_ARG, report, &out);
}

RK_ON_REFUSED(crush, crusher, self, refusal)
{
    if (refusal->type != RK_TYPE_ID(rk_steal_word)) return 0;
    self->came_back++;
    rk_wake_at(RK_ARG, rk_now_ns());
    return rk_steal_undelivered(&self->steal, (RK_GLOBAL const rk_steal_word *)refusal->payload) != RK_FULL;
}

RK_ON_TIMER(crush, crusher, self)
{
    rk_task t;
    rk_steal_word w;
    rk_u32 may = self->gives ? rk_steal_queued(&self->steal) < 2u : 2u;
    for (rk_u32 n = 0; n < may && rk_steal_pop(&self->steal, &t); n++) do_task(RK_ARG, self, &t);
    for (rk_u32 n = 0; n < 8u && rk_steal_next(&self->steal, &w); n++) {
        rk_send_options to = RK_SEND_DEFAULTS;
        to.target = w.to;
        rk_send_with(RK_ARG, &w, &to);
    }
    if (rk_steal_has_ended(&self->steal)) say_end(RK_ARG, self);
    if (rk_steal_is_busy(&self->steal)) rk_wake_at(RK_ARG, rk_now_ns());
}
