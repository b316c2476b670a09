/* The way in: refuses what can't be, remembers whose each order is, and gives orders and cancels their
 * numbers. In each tick cancels come before orders, so the orders of a tick are held until it is over. */
#include "exchange.rk.h"

#include <ringkernel/state/timed_cache.h>

#define LAST_TICK 1000000000u
#define TICK_MOST 32u    /* orders of one tick */
#define KNOWN_MOST 200u  /* orders that can be cancelled */
#define DEAREST 1000000u /* price */
#define LARGEST 1000000u /* quantity */
#define USUAL_PRIORITY 128u
#define URGENT_PRIORITY 255u

RK_PARAM(rk_u32, life, 60) /* ticks that an order is good for */

RK_REASON(tick) /* it is over, or none that a day has */
RK_REASON(no_instrument)
RK_REASON(side)
RK_REASON(price)
RK_REASON(quantity)
RK_REASON(known_order) /* another order has this number */
RK_REASON(tick_full)
RK_REASON(unknown_order) /* a cancel of what never was, is over, or isn't remembered any more */
RK_REASON(not_yours)
RK_REASON(too_soon) /* a cancel in the tick of its order */

typedef struct owner {
    rk_u32 trader, instrument, tick;
} owner;

RK_TIMED_CACHE(known_orders, KNOWN_MOST, owner)

typedef struct entrance {
    rk_u32 tick;
    rk_u32 orders, cancels; /* sent so far */
    rk_u32 held;
    limit_order hold[TICK_MOST]; /* of this tick */
    known_orders known;
} entrance;

/* The tick is over: its orders go, behind all cancels so far. */
RK_FN void send_orders(RK_CTX, RK_GLOBAL entrance *self)
{
    rk_send_options usual = RK_SEND_DEFAULTS;
    usual.priority = USUAL_PRIORITY;
    for (rk_u32 i = 0; i < self->held; i++) {
        limit_order o = self->hold[i];
        o.cancels_before = self->cancels;
        rk_send_with(RK_ARG, &o, &usual);
    }
    self->orders += self->held;
    self->held = 0;
}

RK_FN void go_on_to(RK_CTX, RK_GLOBAL entrance *self, rk_u32 tick)
{
    if (tick == self->tick) return;
    send_orders(RK_ARG, self);
    self->tick = tick;
}

RK_FN void take_cancel(RK_CTX, RK_GLOBAL entrance *self, RK_MSG const entry *msg)
{
    RK_GLOBAL owner *of = known_orders_get(&self->known, msg->order, msg->tick);
    if (of == 0) {
        rk_fail(RK_ARG, unknown_order);
    } else if (of->trader != msg->trader) {
        rk_fail(RK_ARG, not_yours);
    } else if (of->tick == msg->tick) {
        rk_fail(RK_ARG, too_soon);
    } else {
        rk_send_options urgent = RK_SEND_DEFAULTS;
        urgent.priority = URGENT_PRIORITY;
        go_on_to(RK_ARG, self, msg->tick);
        cancel c = { msg->tick, msg->order, of->instrument, self->orders };
        rk_send_with(RK_ARG, &c, &urgent);
        self->cancels++;
        known_orders_erase(&self->known, msg->order);
    }
}

RK_FN void take_order(RK_CTX, RK_GLOBAL entrance *self, RK_MSG const entry *msg)
{
    if (msg->instrument >= INSTRUMENTS) {
        rk_fail(RK_ARG, no_instrument);
    } else if (msg->side > SELL) {
        rk_fail(RK_ARG, side);
    } else if (msg->price == 0 || msg->price > DEAREST) {
        rk_fail(RK_ARG, price);
    } else if (msg->quantity == 0 || msg->quantity > LARGEST) {
        rk_fail(RK_ARG, quantity);
    } else if (msg->tick == self->tick && self->held == TICK_MOST) {
        rk_fail(RK_ARG, tick_full);
    } else if (known_orders_get(&self->known, msg->order, msg->tick)) {
        rk_fail(RK_ARG, known_order);
    } else {
        rk_u32 until = msg->tick + RK_PARAM_OF(life);
        owner whose = { msg->trader, msg->instrument, msg->tick };
        known_orders_entry gone; /* stays in the book, and can't be cancelled any more */
        go_on_to(RK_ARG, self, msg->tick);
        limit_order o = { msg->tick,  msg->order,    msg->instrument, msg->side,
                          msg->price, msg->quantity, until,           0 };
        self->hold[self->held++] = o;
        known_orders_put(&self->known, msg->order, &whose, until, &gone);
    }
}

RK_HANDLER(gate, entry, msg, entrance, self, .state = RK_PER_SHARD, .max_sends = TICK_MOST + 1,
           .max_batch = 32)
{
    if (msg->tick < self->tick || msg->tick > LAST_TICK)
        rk_fail(RK_ARG, tick);
    else if (msg->is_cancel)
        take_cancel(RK_ARG, self, msg);
    else
        take_order(RK_ARG, self, msg);
}

RK_ON_DRAIN(gate, entrance, self) { send_orders(RK_ARG, self); }
