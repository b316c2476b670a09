/* A participant of the cases on supersteps: greets others at random, is late at random, and checks in each step that
 * what all saw of the step before the last is what all had sent in it. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/superstep.h>

#include "pattern_superstep.rk.h"

RK_ROUTE(low)
RK_ROUTE(high)

typedef struct stepping {
    rk_superstep steps;
    rk_u64 sent, seen;
    rk_u32 seen_in[2];
    rk_u64 all_sent; /* by all, in the step before the last */
    rk_u64 timeout_ns;
    rk_u32 split, rounds, stopper, stop_in, random;
    rk_u32 turns; /* to be late by */
    rk_u32 early, mismatches, done, stopped;
    rk_u32 sent_now, seen_before;
} stepping;

#define SEND(self, p, message)                                        \
    do {                                                              \
        rk_send_options to_ = RK_SEND_DEFAULTS;                       \
        to_.target = (p) < (self)->split ? (p) : (p) - (self)->split; \
        if ((p) < (self)->split)                                      \
            rk_send_to_with(RK_ARG, low, message, &to_);              \
        else                                                          \
            rk_send_to_with(RK_ARG, high, message, &to_);             \
    } while (0)

RK_FN rk_u32 draw_below(RK_GLOBAL stepping *self, rk_u32 below)
{
    self->random = self->random * 1664525u + 1013904223u;
    return (self->random >> 8) % below;
}

RK_HANDLER(stepper, take_part, msg, stepping, self, .state = RK_PER_SHARD, .max_sends = 16)
{
    rk_u32 me = msg->first + rk_shard_number();
    rk_status status = rk_superstep_begin(&self->steps, me, msg->participants);
    if (status != RK_OK) {
        took_part refused = { 0, 0, me, 0, 0, 0, 0, (rk_u32)status };
        rk_send(RK_ARG, &refused);
        return;
    }
    self->timeout_ns = msg->timeout_ns;
    self->split = msg->split;
    self->rounds = msg->rounds;
    self->stopper = msg->stopper;
    self->stop_in = msg->stop_in;
    self->random = msg->seed + me;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_HANDLER(stepper, hello, msg, stepping, self, .state = RK_PER_SHARD, .max_sends = 16)
{
    rk_u32 is = rk_superstep_take(&self->steps, msg);
    if (is > RK_SUPERSTEP_EARLY) return;
    self->early += is == RK_SUPERSTEP_EARLY;
    self->seen_in[msg->step & 1u]++;
    self->seen++;
}

RK_HANDLER(stepper, rk_step_end, end, stepping, self, .state = RK_PER_SHARD, .max_sends = 16)
{
    if (rk_superstep_arrive(&self->steps, end) > RK_SUPERSTEP_EARLY) return;
    if (!rk_superstep_is_complete(&self->steps)) return;
    self->turns = draw_below(self, 4);
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_FN void end_step(RK_CTX, RK_GLOBAL stepping *self)
{
    for (rk_u32 p = 0; p < self->steps.participants; p++) {
        rk_step_end end = rk_superstep_end(&self->steps, p, self->sent_now, self->seen_before);
        SEND(self, p, &end);
    }
}

RK_HANDLER(stepper, go_on, msg, stepping, self, .state = RK_PER_SHARD, .max_sends = 16)
{
    if (!self->stopped) return;
    self->stopped = 0;
    end_step(RK_ARG, self);
}

RK_FN void do_step(RK_CTX, RK_GLOBAL stepping *self)
{
    rk_u32 step = self->steps.step, before = (step - 1u) & 1u;
    self->mismatches += self->steps.total[1] != self->all_sent;
    self->all_sent = self->steps.total[0];
    self->seen_before = self->seen_in[before];
    self->seen_in[before] = 0;
    if (step > self->rounds) {
        took_part end = { self->sent,
                          self->seen,
                          self->steps.me,
                          step - 1u,
                          self->early,
                          self->mismatches,
                          self->steps.duplicate + self->steps.lost + self->steps.unknown,
                          0 };
        rk_send(RK_ARG, &end);
        self->done = 1;
        return;
    }
    self->sent_now = 0;
    for (rk_u32 p = 0; p < self->steps.participants; p++)
        for (rk_u32 n = draw_below(self, 4); n > 0; n--) {
            hello m;
            rk_superstep_stamp(&self->steps, p, &m);
            SEND(self, p, &m);
            self->sent_now++;
        }
    self->sent += self->sent_now;
    if (self->timeout_ns) rk_superstep_expect(RK_ARG, &self->steps, rk_now_ns() + self->timeout_ns);
    if (step == self->stop_in) {
        in_step here = { self->steps.me, step };
        rk_send(RK_ARG, &here);
    }
    self->stopped = self->steps.me == self->stopper && step == self->stop_in;
    if (!self->stopped) end_step(RK_ARG, self);
}

RK_ON_TIMER(stepper, stepping, self)
{
    rk_step_late late;
    if (rk_superstep_is_late(RK_ARG, &self->steps, &late)) rk_send(RK_ARG, &late);
    if (self->done || !rk_superstep_is_complete(&self->steps)) return;
    if (self->turns > 0) {
        self->turns--;
        rk_wake_at(RK_ARG, rk_now_ns());
        return;
    }
    rk_superstep_next(&self->steps);
    do_step(RK_ARG, self);
}
