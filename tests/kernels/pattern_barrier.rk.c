/* The keeper and the parties of the cases on named barriers. A party is a shard; between rounds it is late at random. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/barrier.h>

#include "pattern_barrier.rk.h"

RK_ROUTE(report)

RK_HANDLER(keeper, rk_barrier_call, call, rk_barriers, self, .state = RK_PER_SHARD,
           .max_sends = RK_BARRIER_SENDS, .replies = 1)
{
    rk_barriers_take(RK_ARG, self, call);
}

RK_ON_TIMER(keeper, rk_barriers, self) { rk_barriers_expire(RK_ARG, self); }

typedef struct walking {
    rk_u64 name, timeout_ns;
    rk_u32 party, parties, epoch, again, passed;
    rk_u32 turns, random, due;
} walking;

RK_FN void call_it(RK_CTX, RK_GLOBAL walking *self, rk_u32 what)
{
    rk_barrier_call call = { self->name, self->timeout_ns, what, self->party, self->parties, self->epoch };
    rk_send(RK_ARG, &call);
}

RK_HANDLER(walker, call_keeper, msg, walking, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    self->name = msg->name;
    self->timeout_ns = msg->timeout_ns;
    self->party = msg->party;
    self->parties = msg->parties;
    self->epoch = msg->epoch;
    self->again = msg->again;
    self->random = msg->party;
    call_it(RK_ARG, self, msg->what);
}

RK_HANDLER(walker, rk_barrier_answer, answer, walking, self, .state = RK_PER_SHARD, .max_sends = 2)
{
    if (answer->outcome == RK_BARRIER_PASSED && self->again > 0) {
        self->again--;
        self->passed++;
        self->epoch = answer->epoch;
        self->random = self->random * 1664525u + 1013904223u;
        self->turns = (self->random >> 8) % 4u;
        self->due = 1;
        rk_wake_at(RK_ARG, rk_now_ns());
        return;
    }
    was_answered out = { answer->name,    answer->party,   answer->outcome,
                         answer->epoch,   answer->arrived, answer->expected,
                         answer->missing, self->passed,    0 };
    rk_send_to(RK_ARG, report, &out);
}

RK_ON_TIMER(walker, walking, self)
{
    if (!self->due) return;
    if (self->turns > 0) {
        self->turns--;
        rk_wake_at(RK_ARG, rk_now_ns());
        return;
    }
    self->due = 0;
    call_it(RK_ARG, self, RK_BARRIER_ARRIVE);
}
