/* Kernels of the queue cases: who sends (dispatch), who is sent to (carry), each in regions and with threads
 * of its own. */
#include <ringkernel/kernel.h>

#include "contract_b.rk.h"

RK_PARAM(rk_u32, carry_work, 0) /* rounds of arithmetic for each message: what makes a consumer slow */
RK_REASON(unwanted)             /* of refuse_package */
RK_ROUTE(answers)               /* of dispatch_at_once_spmd */

#if defined(RK_LANG_HOST)
refusal_log contract_refusals;
#define COUNT_REFUSED(status, number) count_refused(&contract_refusals, status, number)
#else
#define COUNT_REFUSED(status, number) ((void)0)
#endif

RK_FN rk_u64 toil(rk_u64 x, rk_u32 rounds)
{
    for (rk_u32 i = 0; i < rounds; i++) x = rk_hash64(x + i);
    return x;
}

RK_FN rk_u64 sent_of(RK_CTX)
{
    return rk_ctx->features & RK_FEATURE_LONG ? ((RK_GLOBAL const rk_header_long *)rk_ctx->header)->sent_ns
                                              : 0ul;
}

RK_FN rk_u32 attempts_of(RK_CTX)
{
    return rk_ctx->features & RK_FEATURE_LONG ? ((RK_GLOBAL const rk_header_long *)rk_ctx->header)->attempts
                                              : 0u;
}

/* Sends the host what it saw of each package. */
RK_HANDLER(carry, package, p, rk_none, self)
{
    sighting s = { p->number,
                   sent_of(RK_ARG),
                   rk_now_ns(),
                   p->sender,
                   rk_shard_number(),
                   rk_target_of(p),
                   rk_ctx->header->flags,
                   rk_ctx->header->priority,
                   p->check != rk_hash64(p->number * 31u + p->sender),
                   p->flags,
                   attempts_of(RK_ARG) };
    if (toil(p->number, RK_PARAM_OF(carry_work)) == 0xfeedfacecafebeeful) s.wrong = 2;
    rk_send(RK_ARG, &s);
}

RK_SPMD_KERNEL(carry_spmd, package, sighting, .threads = 32)
{
    package p;
    if (rk_try_receive(RK_ARG, &p)) {
        sighting s = { p.number,
                       sent_of(RK_ARG),
                       rk_now_ns(),
                       p.sender,
                       rk_shard_number(),
                       rk_ctx->header->target,
                       rk_ctx->header->flags,
                       rk_ctx->header->priority,
                       p.check != rk_hash64(p.number * 31u + p.sender),
                       p.flags,
                       attempts_of(RK_ARG) };
        if (toil(p.number, RK_PARAM_OF(carry_work)) == 0xfeedfacecafebeeful) s.wrong = 2;
        rk_send(RK_ARG, &s);
    }
}

RK_FN void count_refused(RK_GLOBAL refusal_log *log, rk_status status, rk_u64 number)
{
    if (status == RK_FULL)
        log->full++;
    else if (status == RK_DROPPED)
        log->dropped++;
    else if (status == RK_DUPLICATE)
        log->duplicate++;
    else if (status == RK_TIMED_OUT)
        log->timed_out++;
    else if (status == RK_CLOSED)
        log->closed++;
    else
        log->other++;
    log->number_sum += number;
}

/* Sends the package that is ordered; its flags are those of the order, as its handler saw them. */
RK_FN void dispatch_one(RK_CTX, const work_order *o)
{
    package p = { o->number, rk_hash64(o->number * 31u + o->sender), o->sender, rk_ctx->header->flags };
    rk_send_options to = RK_SEND_DEFAULTS;
    to.target = o->target;
    to.ttl_us = o->ttl_us;
    to.id = o->id;
    to.priority = (rk_u8)o->priority;
    rk_send_with(RK_ARG, &p, &to);
}

RK_HANDLER(dispatch, work_order, ordered, rk_none, self)
{
    work_order o = *ordered;
    dispatch_one(RK_ARG, &o);
}

RK_SPMD_KERNEL(dispatch_spmd, work_order, package, .threads = 32)
{
    work_order o;
    if (rk_try_receive(RK_ARG, &o)) dispatch_one(RK_ARG, &o);
}

/* The same, and takes care itself of what its target doesn't take. */
RK_HANDLER(dispatch_watched, work_order, ordered, refusal_log, self, .state = RK_PER_SHARD)
{
    work_order o = *ordered;
    dispatch_one(RK_ARG, &o);
}

RK_ON_REFUSED(dispatch_watched, refusal_log, self, refusal)
{
    count_refused(self, refusal->status, ((RK_GLOBAL const package *)refusal->payload)->number);
    return 1;
}

RK_SPMD_KERNEL(dispatch_watched_spmd, work_order, package, .threads = 32)
{
    work_order o;
    if (rk_try_receive(RK_ARG, &o)) dispatch_one(RK_ARG, &o);
}

RK_ON_REFUSED(dispatch_watched_spmd, rk_none, self, refusal)
{
    COUNT_REFUSED(refusal->status, ((RK_GLOBAL const package *)refusal->payload)->number);
    return 1;
}

/* Sends the package at once, and notes what the lane said. */
RK_HANDLER(dispatch_at_once, work_order, o, refusal_log, self, .state = RK_PER_SHARD)
{
    package p = { o->number, rk_hash64(o->number * 31u + o->sender), o->sender, 0 };
    rk_status status = rk_try_send(RK_ARG, &p);
    if (status != RK_OK) count_refused(self, status, p.number);
}

/* The same, and tells the host what the lane said: it keeps no state. */
RK_SPMD_KERNEL(dispatch_at_once_spmd, work_order, package, .threads = 32)
{
    work_order o;
    if (!rk_try_receive(RK_ARG, &o)) return;
    package p = { o.number, rk_hash64(o.number * 31u + o.sender), o.sender, 0 };
    response said = { o.number, (rk_u64)rk_try_send(RK_ARG, &p) };
    rk_send_to(RK_ARG, answers, &said);
}

/* Refuses each package. */
RK_HANDLER(refuse_package, package, p, rk_none, self) { rk_fail(RK_ARG, unwanted); }
