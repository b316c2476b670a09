/* Stages of a pipeline, and the kernel that gets what they refuse. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/dead_letter.h>

#include "pattern_pipeline.rk.h"

RK_REASON(faulty)
RK_ROUTE(onward)
RK_PARAM(rk_u32, refuse_every, 0) /* numbers that this divides are refused; 0: none */

RK_HANDLER(pass, parcel, msg, rk_none, self)
{
    rk_u32 every = RK_PARAM_OF(refuse_every);
    parcel p = *msg;
    p.stages++;
    if (every && p.number % every == 0)
        rk_fail(RK_ARG, faulty);
    else
        rk_send(RK_ARG, &p);
}

RK_SPMD_KERNEL(pass_spmd, parcel, parcel, .threads = 32)
{
    parcel p;
    if (!rk_try_receive(RK_ARG, &p)) return;
    rk_u32 every = RK_PARAM_OF(refuse_every);
    p.stages++;
    if (every && p.number % every == 0)
        rk_fail(RK_ARG, faulty);
    else
        rk_send(RK_ARG, &p);
}

/* By a route of its own. */
RK_HANDLER(pass_onward, parcel, msg, rk_none, self)
{
    parcel p = *msg;
    p.stages++;
    rk_send_to(RK_ARG, onward, &p);
}

RK_SPMD_KERNEL(pass_onward_spmd, parcel, parcel, .threads = 32)
{
    parcel p;
    if (!rk_try_receive(RK_ARG, &p)) return;
    p.stages++;
    rk_send_to(RK_ARG, onward, &p);
}

/* An actor for each key, which counts what it got: the count goes on as the stages' own. */
RK_HANDLER(pass_counted, parcel, msg, rk_u32, self, .state = RK_PER_ACTOR)
{
    parcel p = *msg;
    p.stages = ++*self;
    rk_send(RK_ARG, &p);
}

RK_HANDLER(bury_parcel, parcel, msg, rk_none, self)
{
    rk_letter letter = rk_letter_of(RK_ARG, msg);
    buried_parcel b = { msg->number,
                        msg->key,
                        msg->stages,
                        letter.kernel_no,
                        letter.is_letter && letter.reason == rk_reason_faulty,
                        letter.was_sent,
                        msg->load[3] };
    rk_send(RK_ARG, &b);
}

RK_HANDLER(take_keyless, keyless, msg, rk_none, self) { rk_forward(RK_ARG); }
