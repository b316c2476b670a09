/* The messages of the app, in the order in which an order meets them. */
#ifndef EXCHANGE_RK_H
#define EXCHANGE_RK_H

#include <ringkernel/kernel.h>

#define INSTRUMENTS 4u
#define BUY 0u
#define SELL 1u

/* A row of the input. Ticks are the exchange's clock: they never go back. A cancel needs no more than its
 * tick, trader and order; the rest of its row is 0. */
RK_MESSAGE(entry, 1, (rk_u32, tick), (rk_u32, is_cancel), (rk_u32, order), (rk_u32, trader),
           (rk_u32, instrument), (rk_u32, side), (rk_u32, price), (rk_u32, quantity))

/* From the gate, by two ways of different urgency: an order, which is good until a tick, and a cancel. Each
 * says how many of the other kind come before it. */
RK_MESSAGE(limit_order, 2, (rk_u32, tick), (rk_u32, order), (rk_u32, instrument), (rk_u32, side),
           (rk_u32, price), (rk_u32, quantity), (rk_u32, until), (rk_u32, cancels_before))
RK_MESSAGE(cancel, 3, (rk_u32, tick), (rk_u32, order), (rk_u32, instrument), (rk_u32, orders_before))

/* What goes out: a trade, at the price of the order that was there first; */
RK_MESSAGE(trade, 4, (rk_u32, tick), (rk_u32, instrument), (rk_u32, price), (rk_u32, quantity),
           (rk_u32, taker), (rk_u32, maker))

/* what was left of an order that is cancelled; */
RK_MESSAGE(cancelled, 5, (rk_u32, tick), (rk_u32, cancelled), (rk_u32, quantity))

/* no orders for an instrument until a tick; */
RK_MESSAGE(halt, 6, (rk_u32, tick), (rk_u32, halted), (rk_u32, until))

/* and at the end of the day, a line for each instrument. */
RK_MESSAGE(closing, 7, (rk_u64, volume), (rk_u32, closing), (rk_u32, trades), (rk_u32, last), (rk_u32, bids),
           (rk_u32, offers), (rk_u32, halts))

#endif
