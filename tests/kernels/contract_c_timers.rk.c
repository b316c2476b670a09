/* Kernels of the cases on timers. */
#include <ringkernel/kernel.h>

#include "contract_c_timers.rk.h"

typedef struct pending_alarm {
    rk_u64 number, due_ns, delay_ns;
    rk_u32 again, copies, flags, set;
} pending_alarm;

typedef struct alarm_clock {
    pending_alarm alarm[ALARMS];
} alarm_clock;

/* Keeps alarms, and rings each when it is due. */
RK_HANDLER(clockwork, timed, msg, alarm_clock, self, .state = RK_PER_SHARD, .mode = RK_ADAPTIVE,
           .max_batch = 16)
{
    rk_u32 i = 0;
    if (msg->flags & FORGET) {
        for (; i < ALARMS; i++)
            if (self->alarm[i].number == msg->number) self->alarm[i].set = 0;
        return;
    }
    while (i < ALARMS && self->alarm[i].set) i++;
    if (i == ALARMS) return;
    RK_GLOBAL pending_alarm *a = &self->alarm[i];
    a->number = msg->number;
    a->delay_ns = msg->delay_ns;
    a->due_ns = rk_now_ns() + msg->delay_ns;
    a->again = msg->again;
    a->copies = msg->copies;
    a->flags = msg->flags;
    a->set = 1;
    rk_wake_at(RK_ARG, a->due_ns);
}

RK_ON_TIMER(clockwork, alarm_clock, self)
{
    for (rk_u32 i = 0; i < ALARMS; i++) {
        RK_GLOBAL pending_alarm *a = &self->alarm[i];
        if (a->set && a->due_ns <= rk_now_ns()) {
            ringing r = { a->number, a->due_ns, rk_now_ns(), rk_is_draining(RK_ARG), 0 };
            for (rk_u32 n = 0; n < a->copies; n++) rk_send(RK_ARG, &r);
            if (a->again == 0 || (a->again == FOR_EVER && r.draining && !(a->flags & EVEN_DRAINING)))
                a->set = 0;
            if (a->again && a->again != FOR_EVER) a->again--;
            a->due_ns += a->delay_ns;
        }
        if (a->set) rk_wake_at(RK_ARG, a->due_ns);
    }
}

/* Has no hook, and asks all the same. */
RK_HANDLER(unhooked, timed, msg, alarm_clock, self, .state = RK_PER_SHARD)
{
    answered a = { msg->number, (rk_i32)rk_wake_at(RK_ARG, rk_now_ns()), 0 };
    rk_send(RK_ARG, &a);
}

/* Sends each ringing back as a new alarm, so that both are a cycle. */
RK_HANDLER(rewind, ringing, msg, alarm_clock, self, .state = RK_PER_SHARD)
{
    timed a = { msg->number + 1, 1000000, 0, 1, 0, 0 };
    if (msg->number < 20) rk_send(RK_ARG, &a);
}

/* Asks in its hooks for all that there is to know of a message. */
typedef struct asking {
    rk_u32 handled;
} asking;

RK_FN void ask_for_all(RK_CTX, rk_u32 hook)
{
    told_by_hook told = { rk_time_left_ns(RK_ARG), hook, rk_length(RK_ARG), rk_is_redelivered(RK_ARG), 0 };
    rk_ticket nobodys = rk_defer_reply(RK_ARG);
    told.status = (rk_i32)rk_forward(RK_ARG);
    if (nobodys.correlation || nobodys.asker) told.status = RK_INTERNAL;
    rk_send(RK_ARG, &told);
}

RK_HANDLER(asks_in_hooks, timed, msg, asking, self, .state = RK_PER_SHARD)
{
    self->handled++;
    rk_wake_at(RK_ARG, rk_now_ns());
}
RK_ON_TIMER(asks_in_hooks, asking, self) { ask_for_all(RK_ARG, BY_TIMER); }
RK_ON_DRAIN(asks_in_hooks, asking, self) { ask_for_all(RK_ARG, BY_DRAIN); }

/* Sends in its hook as many as it may, tries one more, and tells how many they were. */
RK_HANDLER(spill_over, timed, msg, asking, self, .state = RK_PER_SHARD, .max_sends = SPILL_SENDS,
           .max_batch = SPILL_BATCH)
{
    self->handled++;
}
RK_ON_DRAIN(spill_over, asking, self)
{
    told_by_hook told = { 0, 0, 0, 0, 0 };
    while (told.hook < 100u && rk_send(RK_ARG, &told) == RK_OK) told.hook++;
    told.hook += BY_TRY;
    rk_try_send(RK_ARG, &told);
}

/* Each actor sends as much as a whole batch may. */
RK_HANDLER(spill_actors, timed, msg, asking, self, .state = RK_PER_ACTOR, .max_sends = SPILL_SENDS,
           .max_batch = SPILL_BATCH)
{
    self->handled++;
}
RK_ON_DRAIN(spill_actors, asking, self)
{
    told_by_hook told = { 0, 0, 0, 0, 0 };
    for (; told.hook < SPILL_BATCH * SPILL_SENDS; told.hook++) rk_send(RK_ARG, &told);
}

RK_REASON(in_vain)
RK_HANDLER(fails_in_hook, timed, msg, asking, self, .state = RK_PER_SHARD) { self->handled++; }
RK_ON_DRAIN(fails_in_hook, asking, self) { rk_fail(RK_ARG, in_vain); }
