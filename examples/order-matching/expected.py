#!/usr/bin/python3
"""Computes what the app must print, without any of it: tick by tick, in plain Python.

    expected.py DAY.csv [--life TICKS] [--wild PERCENT] [--halt TICKS] [--dead-letters FILE]

The result goes to standard output, and must equal the app's, byte for byte; so must the dead letters.
"""
import argparse
import json
import sys
from collections import Counter, OrderedDict, deque

COLUMNS = ("tick", "is_cancel", "order", "trader", "instrument", "side", "price", "quantity")
INSTRUMENTS, BUY, SELL = 4, 0, 1
TICK_MOST, KNOWN_MOST, DEPTH, MOST, LAST_TICK = 32, 200, 128, 1000000, 1000000000


def line(**fields):
    return json.dumps(fields, separators=(",", ":")) + "\n"


class Known:
    """The last 200 orders that were made or asked for, each until its time is over."""

    def __init__(self):
        self.orders = OrderedDict()
        self.evicted = 0

    def get(self, order, tick):
        known = self.orders.get(order)
        if known and known["until"] <= tick:
            del self.orders[order]
            known = None
        if known:
            self.orders.move_to_end(order)
        return known

    def put(self, row, until):
        if len(self.orders) == KNOWN_MOST:
            self.orders.popitem(last=False)
            self.evicted += 1
        self.orders[row["order"]] = dict(row, until=until)


class Breaker:
    """Open for some ticks after three wild orders within the window; then one order shows whether it stays so."""

    def __init__(self, halt):
        self.halt, self.state, self.since, self.opened, self.wild = halt, "closed", 0, 0, deque()

    def lets(self, tick):
        if self.state == "open" and tick >= self.since + self.halt:
            self.state = "half-open"
        return self.state != "open"

    def tell(self, wild, tick):
        part = tick // 4  # the window is 16 parts of 4 ticks
        while self.wild and self.wild[0] <= part - 16:
            self.wild.popleft()
        if wild:
            self.wild.append(part)
        if wild and (self.state == "half-open" or len(self.wild) == 3):
            self.state, self.since = "open", tick
            self.opened += 1
            self.wild.clear()
        elif self.state == "half-open":
            self.state = "closed"


class Market:
    """One instrument. What waits is kept in the order in which it came, and the best is looked for."""

    def __init__(self, number, settings):
        self.number, self.settings = number, settings
        self.waits = {BUY: [], SELL: []}
        self.breaker = Breaker(settings["halt"])
        self.volume = self.trades = self.last = 0

    def best_for(self, row):
        """The order that it meets first: the best price, and of these the one that came first (min gives the first)."""
        if row["side"] == BUY:
            return min((o for o in self.waits[SELL] if o["price"] <= row["price"]), key=lambda o: o["price"], default=None)
        return min((o for o in self.waits[BUY] if o["price"] >= row["price"]), key=lambda o: -o["price"], default=None)

    def order(self, row, result, dead):
        tick, left, wild = row["tick"], row["quantity"], False
        for side in (BUY, SELL):
            self.waits[side] = [o for o in self.waits[side] if o["until"] > tick]
        reason = ("book_full" if len(self.waits[row["side"]]) == DEPTH else
                  None if self.breaker.lets(tick) else "halted")
        if reason:
            dead.append((reason, dict((name, row[name]) for name in
                                      ("tick", "order", "instrument", "side", "price", "quantity", "until", "cancels_before"))))
            return
        while left:
            other = self.best_for(row)
            if not other:
                break
            quantity = min(left, other["quantity"])
            price = other["price"]
            result.append(line(tick=tick, instrument=self.number, price=price, quantity=quantity,
                               taker=row["order"], maker=other["order"]))
            wild |= self.last != 0 and abs(price - self.last) * 100 > self.last * self.settings["wild"]
            self.last, self.trades, self.volume = price, self.trades + 1, self.volume + quantity
            left -= quantity
            other["quantity"] -= quantity
            if not other["quantity"]:
                self.waits[1 - row["side"]].remove(other)
        if left:
            self.waits[row["side"]].append(dict(row, quantity=left))
        opened = self.breaker.opened
        self.breaker.tell(wild, tick)
        if self.breaker.opened > opened:
            result.append(line(tick=tick, halted=self.number, until=tick + self.settings["halt"]))

    def cancel(self, tick, order, orders_before, result, dead):
        for side in (BUY, SELL):
            for o in self.waits[side]:
                if o["order"] == order and o["until"] > tick:
                    result.append(line(tick=tick, cancelled=order, quantity=o["quantity"]))
                    self.waits[side].remove(o)
                    return
        dead.append(("too_late", dict(tick=tick, order=order, instrument=self.number, orders_before=orders_before)))

    def close(self):
        return line(volume=self.volume, closing=self.number, trades=self.trades, last=self.last,
                    bids=len(self.waits[BUY]), offers=len(self.waits[SELL]), halts=self.breaker.opened)


class Exchange:
    def __init__(self, settings):
        self.settings, self.known, self.tick = settings, Known(), 0
        self.cancels, self.orders = [], []  # of this tick
        self.cancel_count = self.order_count = 0
        self.market = [Market(i, settings) for i in range(INSTRUMENTS)]
        self.result, self.dead = [], []

    def end_tick(self):
        """All cancels of the tick, and then its orders."""
        for row, instrument in self.cancels:
            self.market[instrument].cancel(row["tick"], row["order"], self.order_count, self.result, self.dead)
        self.cancel_count += len(self.cancels)
        for row in self.orders:
            row["cancels_before"] = self.cancel_count
            self.market[row["instrument"]].order(row, self.result, self.dead)
        self.order_count += len(self.orders)
        self.cancels, self.orders = [], []

    def refuse(self, row):
        """The first reason that applies, or None."""
        if not self.tick <= row["tick"] <= LAST_TICK:
            return "tick"
        if row["is_cancel"]:
            known = self.known.get(row["order"], row["tick"])
            return ("unknown_order" if not known else "not_yours" if known["trader"] != row["trader"] else
                    "too_soon" if known["tick"] == row["tick"] else None)
        for reason, is_wrong in (("no_instrument", row["instrument"] >= INSTRUMENTS), ("side", row["side"] > SELL),
                                 ("price", not 1 <= row["price"] <= MOST), ("quantity", not 1 <= row["quantity"] <= MOST),
                                 ("tick_full", row["tick"] == self.tick and len(self.orders) == TICK_MOST)):
            if is_wrong:
                return reason
        return "known_order" if self.known.get(row["order"], row["tick"]) else None

    def take(self, row):
        if row["tick"] != self.tick:
            self.end_tick()
            self.tick = row["tick"]
        if row["is_cancel"]:
            self.cancels.append((row, self.known.orders.pop(row["order"])["instrument"]))
        else:
            row["until"] = row["tick"] + self.settings["life"]
            self.orders.append(row)
            self.known.put(row, row["until"])


def compute(text, life=60, wild=4, halt=25):
    """Lines of the result, lines of the dead letters, and how many orders were forgotten while they could be cancelled."""
    exchange, refused = Exchange({"life": life, "wild": wild, "halt": halt}), []
    for number, written in enumerate(text.splitlines()[1:], start=1):
        fields = written.split(",")
        if len(fields) != len(COLUMNS) or not all(f.isascii() and f.isdigit() for f in fields):
            refused.append(json.dumps({"row": number, "reason": "parse", "text": written}, separators=(",", ":")) + "\n")
            continue
        row = dict(zip(COLUMNS, (min(int(f), 2 ** 32 - 1) for f in fields)))
        reason = exchange.refuse(row)
        if reason:
            shown = json.dumps(row, separators=(",", ":"))
            refused.append(json.dumps({"row": number, "reason": reason, "text": shown}, separators=(",", ":")) + "\n")
        else:
            exchange.take(row)
    exchange.end_tick()
    for reason, message in exchange.dead:  # what the book refuses was made by the gate, and is no row any more
        shown = json.dumps(message, separators=(",", ":"))
        refused.append(json.dumps({"row": None, "reason": reason, "text": shown}, separators=(",", ":")) + "\n")
    return exchange.result + [m.close() for m in exchange.market], refused, exchange.known.evicted


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("day")
    parser.add_argument("--life", type=int, default=60)
    parser.add_argument("--wild", type=int, default=4)
    parser.add_argument("--halt", type=int, default=25)
    parser.add_argument("--dead-letters")
    options = parser.parse_args()
    with open(options.day, encoding="ascii") as file:
        result, dead, evicted = compute(file.read(), options.life, options.wild, options.halt)
    sys.stdout.writelines(result)
    if options.dead_letters:
        with open(options.dead_letters, "w", encoding="ascii") as file:
            file.writelines(dead)
    print(dict(Counter(json.loads(one)["reason"] for one in dead)), "forgotten:", evicted, file=sys.stderr)


if __name__ == "__main__":
    main()
