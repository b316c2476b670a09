#!/usr/bin/python3
"""Makes a day of orders and cancels, the same for the same seed.

    make_day.py [--seed N] [--ticks N] | zstd -19 > day.csv.zst

Prices walk at random. Now and then an instrument has a rumour: for some ticks its prices are far off, and trades
are wild. Some rows are wrong on purpose, one of each kind in a hundred or two.
"""
import argparse
import random

HEAD = "tick,is_cancel,order,trader,instrument,side,price,quantity"
TRADERS, INSTRUMENTS = 5, 4


def spoil(dice, row):
    """A row that is wrong in one way: no instrument, no side, no price, no quantity, a number that is taken, a past tick."""
    place, value = dice.choice([(4, INSTRUMENTS), (5, 2), (6, 0), (7, 0), (2, max(1, row[2] - dice.randint(1, 20))),
                                (0, max(0, row[0] - 1))])
    return row[:place] + [value] + row[place + 1:]


def rows_of(seed, ticks):
    dice = random.Random(seed)
    price = [5000, 8000, 12000, 20000]
    rumour = [0] * INSTRUMENTS  # the tick in which it ends
    open_orders = []            # (order, trader, tick); an order may be gone by the time it is cancelled
    number = 0
    for tick in range(1, ticks + 1):
        for i in range(INSTRUMENTS):
            price[i] = max(1000, price[i] + dice.randint(-price[i] // 200, price[i] // 200))
            if dice.random() < 0.008:
                rumour[i] = tick + dice.randint(4, 12)
        for _ in range(60 if dice.random() < 0.01 else dice.randint(1, 9)):
            if open_orders and dice.random() < 0.3:
                order, trader, _ = dice.choice(open_orders if dice.random() < 0.1 else open_orders[-60:])
                if dice.random() < 0.02:
                    trader = trader % TRADERS + 1
                yield [tick, 1, order, trader, 0, 0, 0, 0]
                continue
            number += 1
            i, side, trader = dice.randrange(INSTRUMENTS), dice.randrange(2), dice.randint(1, TRADERS)
            far = dice.choice((-12, 12)) if tick < rumour[i] else 0
            at = price[i] * (1000 + 10 * far + dice.randint(-8, 4) * (1 - 2 * side)) // 1000
            row = [tick, 0, number, trader, i, side, at, dice.randint(1, 50) * 10]
            if dice.random() < 0.01:
                row = spoil(dice, row)
            else:
                open_orders.append((number, trader, tick))
            yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ticks", type=int, default=600)
    options = parser.parse_args()
    print(HEAD)
    for row in rows_of(options.seed, options.ticks):
        print(",".join(map(str, row)))


if __name__ == "__main__":
    main()
