/* A kernel that refuses, and one that gets its letters. */
#include "pattern_letter_known.rk.h"

RK_REASON(unused)
RK_REASON(declined)
RK_ROUTE(onward)

/* Asks on a route, as a request of this kernel. */
RK_FN void ask_onward(RK_CTX, const task *asked)
{
    task question = { asked->number, TASK_REFUSED, 0 };
    rk_send_options as = RK_SEND_DEFAULTS;
    as.correlation = asked->number;
    as.flags = RK_FLAG_REQUEST;
    rk_send_to_with(RK_ARG, onward, &question, &as);
}

RK_HANDLER(mortal, task, msg, rk_none, self)
{
    task copy = *msg;
    if (msg->what == TASK_ASKED) ask_onward(RK_ARG, &copy);
    if (msg->what == TASK_REFUSED) rk_fail(RK_ARG, declined);
    if (msg->what == TASK_SENT) rk_send_to(RK_ARG, onward, &copy);
    for (rk_u32 i = 0; msg->what == TASK_SPAMS && i < 3; i++) rk_send(RK_ARG, &copy);
}

RK_SPMD_KERNEL(mortal_spmd, task, task, .threads = 32)
{
    task mine;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    if (mine.what == TASK_ASKED) ask_onward(RK_ARG, &mine);
    if (mine.what == TASK_REFUSED) rk_fail(RK_ARG, declined);
    if (mine.what == TASK_SENT) rk_send_to(RK_ARG, onward, &mine);
    for (rk_u32 i = 0; mine.what == TASK_SPAMS && i < 3; i++) rk_send(RK_ARG, &mine);
}

RK_HANDLER(undertaker, task, msg, rk_none, self)
{
    buried b =
        known_of(rk_letter_of(RK_ARG, msg), rk_header_of(RK_ARG, msg), msg->number, rk_reason_declined);
    rk_send(RK_ARG, &b);
}

/* Refuses letters, too. */
RK_HANDLER(faithless, task, msg, rk_none, self) { rk_fail(RK_ARG, declined); }
