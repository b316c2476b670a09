/* Kernels of the cases on straight sends: one that sends in every way, as it is told, and one whose timer hook sends. */
#include <ringkernel/kernel.h>

#include "straight.rk.h"

RK_REASON(unwilling)
RK_ROUTE(aside)

RK_HANDLER(steer, task, msg, rk_none, self, .max_sends = 2, .max_batch = 24)
{
    task t = { msg->number, msg->what };
    rk_send_options to = RK_SEND_DEFAULTS;
    switch (msg->what) {
    case DO_SEND: rk_send(RK_ARG, &t); return;
    case DO_FORWARD: rk_forward(RK_ARG); return;
    case DO_SEND_LONG: {
        essay e = { msg->number, msg->what, { 0 } };
        for (rk_u32 i = 0; i < 60; i++) e.word[i] = msg->number + i;
        rk_send(RK_ARG, &e);
        rk_send(RK_ARG, &t);
        return;
    }
    case DO_FAIL_LATE:
        rk_send(RK_ARG, &t);
        rk_send_to(RK_ARG, aside, &t);
        rk_fail(RK_ARG, unwilling);
        return;
    case DO_FAIL:
        rk_send(RK_ARG, &t);
        rk_fail(RK_ARG, unwilling);
        return;
    case DO_SEND_ASIDE: rk_send_to(RK_ARG, aside, &t); return;
    case DO_AIM:
        to.target = 7;
        rk_send_with(RK_ARG, &t, &to);
        return;
    case DO_TOO_MUCH:
        for (rk_u32 i = 0; i < 3; i++) rk_send(RK_ARG, &t);
        return;
    case DO_AT_ONCE: rk_try_send(RK_ARG, &t); return;
    default: return;
    }
}

/* Its timer hook sends, and at once, after turns whose sends went straight. */
typedef struct waking {
    rk_u32 number, waking_;
} waking;

RK_HANDLER(waker, task, msg, waking, self, .state = RK_PER_SHARD, .max_batch = 24)
{
    rk_forward(RK_ARG);
    self->number = msg->number;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_TIMER(waker, waking, self)
{
    task later = { 1000 + self->number, DO_SEND }, now = { 2000 + self->number, DO_AT_ONCE };
    rk_send(RK_ARG, &later);
    rk_try_send(RK_ARG, &now);
}
