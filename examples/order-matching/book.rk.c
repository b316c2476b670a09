/* The order books: an order meets the best of the other side, of equal prices the one that was there first,
 * and what is left of it waits in its place. Each instrument has a circuit breaker, which trades at wild
 * prices open. */
#include "exchange.rk.h"

#include <ringkernel/resilience/breaker.h>

#define DEPTH 128u /* orders that wait on one side of an instrument */

RK_PARAM(rk_u32, wild_percent, 4) /* a trade so far from the one before is wild */
RK_PARAM(rk_u32, halt_ticks, 25)

RK_REASON(halted)
RK_REASON(book_full)
RK_REASON(too_late) /* a cancel of what was traded, or is over, already */

typedef struct resting {
    rk_u32 order, price, quantity, until;
} resting;

typedef struct queue {
    rk_u32 count;
    resting at[DEPTH]; /* the best is the last */
} queue;

typedef struct market {
    rk_breaker breaker;
    queue side[2];
    closing day;
} market;

typedef struct floor_state {
    market of[INSTRUMENTS];
} floor_state;

/* Three wild orders within 64 ticks; the clock of this breaker is the exchange's. */
RK_FN rk_breaker_rule halt_rule(rk_u32 halt_ticks)
{
    rk_breaker_rule rule = { .failures = 3, .window_ns = 64, .open_ns = halt_ticks };
    return rule;
}

RK_FN void take_out(RK_GLOBAL queue *q, rk_u32 place)
{
    q->count--;
    for (rk_u32 i = place; i < q->count; i++) q->at[i] = q->at[i + 1u];
}

/* Orders whose time is over go. */
RK_FN void sweep(RK_GLOBAL queue *q, rk_u32 tick)
{
    for (rk_u32 i = q->count; i-- > 0;)
        if (q->at[i].until <= tick) take_out(q, i);
}

/* Does an order of `side` at this price meet a resting one at that? */
RK_FN rk_u32 meets(rk_u32 side, rk_u32 price, rk_u32 other)
{
    return side == BUY ? other <= price : other >= price;
}

/* Below all that have a better price, or the same and came before. */
RK_FN void put_in(RK_GLOBAL queue *q, rk_u32 side, const resting *fresh)
{
    rk_u32 place = q->count++;
    for (; place > 0 && meets(1u - side, fresh->price, q->at[place - 1u].price); place--)
        q->at[place] = q->at[place - 1u];
    q->at[place] = *fresh;
}

RK_FN rk_u32 is_wild(rk_u32 price, rk_u32 last, rk_u32 percent)
{
    rk_u64 by = price > last ? price - last : last - price;
    return last != 0 && by * 100u > (rk_u64)last * percent;
}

/* Trades as much of the order as meets, and gives what is left of it. *wild: was a price? */
RK_FN rk_u32 match(RK_CTX, RK_GLOBAL market *m, RK_MSG const limit_order *o, rk_u32 *wild)
{
    RK_GLOBAL queue *q = &m->side[1u - o->side];
    rk_u32 left = o->quantity;
    while (left && q->count && meets(o->side, o->price, q->at[q->count - 1u].price)) {
        RK_GLOBAL resting *best = &q->at[q->count - 1u];
        rk_u32 quantity = left < best->quantity ? left : best->quantity;
        trade t = { o->tick, o->instrument, best->price, quantity, o->order, best->order };
        rk_send(RK_ARG, &t);
        *wild |= is_wild(best->price, m->day.last, RK_PARAM_OF(wild_percent));
        m->day.last = best->price;
        m->day.trades++;
        m->day.volume += quantity;
        left -= quantity;
        best->quantity -= quantity;
        if (best->quantity == 0) q->count--;
    }
    return left;
}

RK_HANDLER(book, limit_order, msg, floor_state, self, .state = RK_PER_SHARD, .max_sends = DEPTH + 1,
           .max_batch = 16)
{
    RK_GLOBAL market *m = &self->of[msg->instrument];
    const rk_breaker_rule careful = halt_rule(RK_PARAM_OF(halt_ticks));
    rk_u32 wild = 0;
    sweep(&m->side[BUY], msg->tick);
    sweep(&m->side[SELL], msg->tick);
    if (m->side[msg->side].count == DEPTH) {
        rk_fail(RK_ARG, book_full);
        return;
    }
    rk_breaker_pass pass = rk_breaker_ask(&m->breaker, careful, msg->tick);
    if (pass == RK_NO_PASS) {
        rk_fail(RK_ARG, halted);
        return;
    }
    resting rest = { msg->order, msg->price, match(RK_ARG, m, msg, &wild), msg->until };
    if (rest.quantity) put_in(&m->side[msg->side], msg->side, &rest);
    rk_breaker_tell(&m->breaker, careful, pass, !wild, msg->tick);
    halt h = { msg->tick, msg->instrument, (rk_u32)rk_breaker_open_until(&m->breaker, careful, msg->tick) };
    if (h.until) rk_send(RK_ARG, &h);
}

RK_HANDLER(book, cancel, msg, floor_state, self, .state = RK_PER_SHARD)
{
    for (rk_u32 side = 0; side < 2u; side++) {
        RK_GLOBAL queue *q = &self->of[msg->instrument].side[side];
        for (rk_u32 i = 0; i < q->count; i++) {
            if (q->at[i].order != msg->order || q->at[i].until <= msg->tick) continue;
            cancelled c = { msg->tick, msg->order, q->at[i].quantity };
            rk_send(RK_ARG, &c);
            take_out(q, i);
            return;
        }
    }
    rk_fail(RK_ARG, too_late);
}

RK_ON_DRAIN(book, floor_state, self)
{
    for (rk_u32 i = 0; i < INSTRUMENTS; i++) {
        closing day = self->of[i].day;
        day.closing = i;
        day.bids = self->of[i].side[BUY].count;
        day.offers = self->of[i].side[SELL].count;
        day.halts = (rk_u32)self->of[i].breaker.opened;
        rk_send(RK_ARG, &day);
    }
}
