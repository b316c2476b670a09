/* Two ways come together here: cancels overtake orders on their way, and each is let through in its place. */
#include "exchange.rk.h"

#define HELD_MOST 256u /* 4 times the queue's capacity: see the README */

RK_REASON(out_of_place) /* no room to hold it until its turn */

typedef struct junction {
    rk_u32 orders, cancels;             /* let through */
    rk_u32 orders_taken, cancels_taken; /* and those that are held, */
    limit_order order[HELD_MOST];       /* by their number modulo HELD_MOST */
    cancel held[HELD_MOST];
} junction;

/* Whatever has all before it that comes before it. */
RK_FN void let_through(RK_CTX, RK_GLOBAL junction *self)
{
    for (;;) {
        RK_GLOBAL const limit_order *o = &self->order[self->orders % HELD_MOST];
        RK_GLOBAL const cancel *c = &self->held[self->cancels % HELD_MOST];
        if (self->cancels < self->cancels_taken && c->orders_before <= self->orders) {
            cancel next = *c;
            rk_send(RK_ARG, &next);
            self->cancels++;
        } else if (self->orders < self->orders_taken && o->cancels_before <= self->cancels) {
            limit_order next = *o;
            rk_send(RK_ARG, &next);
            self->orders++;
        } else {
            return;
        }
    }
}

RK_HANDLER(sequence, cancel, msg, junction, self, .state = RK_PER_SHARD, .max_sends = 2 * HELD_MOST,
           .max_batch = 8)
{
    if (self->cancels_taken - self->cancels == HELD_MOST) {
        rk_fail(RK_ARG, out_of_place);
        return;
    }
    self->held[self->cancels_taken++ % HELD_MOST] = *msg;
    let_through(RK_ARG, self);
}

RK_HANDLER(sequence, limit_order, msg, junction, self, .state = RK_PER_SHARD)
{
    if (self->orders_taken - self->orders == HELD_MOST) {
        rk_fail(RK_ARG, out_of_place);
        return;
    }
    self->order[self->orders_taken++ % HELD_MOST] = *msg;
    let_through(RK_ARG, self);
}
