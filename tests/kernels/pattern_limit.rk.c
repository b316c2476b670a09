/* A producer with a rate limit, and a consumer. */
#include <ringkernel/kernel.h>
#include <ringkernel/pattern/limit.h>

#include "pattern_limit.rk.h"

RK_ROUTE(sale)

typedef struct workshop {
    rk_limit limit;
    rk_u64 left, made;
} workshop;

RK_HANDLER(maker, production, msg, workshop, self, .state = RK_PER_SHARD, .max_sends = GOODS_AT_ONCE / 16u,
           .mode = RK_ADAPTIVE, .max_batch = 16)
{
    rk_status status = rk_limit_set(RK_ARG, &self->limit, msg->tokens, msg->period_ns, msg->burst);
    production_began began = { rk_now_ns(), (rk_i32)status, 0 };
    rk_send(RK_ARG, &began);
    if (status != RK_OK) return;
    self->left += msg->count;
    rk_wake_at(RK_ARG, rk_now_ns());
}

RK_ON_TIMER(maker, workshop, self)
{
    rk_u32 n = self->left < GOODS_AT_ONCE ? (rk_u32)self->left : GOODS_AT_ONCE;
    n = rk_limit_take_up_to(RK_ARG, &self->limit, n);
    for (rk_u32 i = 0; i < n; i++) {
        goods g = { self->made++, rk_now_ns() };
        rk_send_to(RK_ARG, sale, &g);
    }
    self->left -= n;
    if (self->left) rk_wake_at(RK_ARG, rk_limit_when(&self->limit, 1));
}

/* Passes on what it gets, a few at a time. */
RK_HANDLER(taker_of_goods, goods, msg, rk_none, self, .mode = RK_ADAPTIVE, .max_batch = 4)
{
    rk_forward(RK_ARG);
}
