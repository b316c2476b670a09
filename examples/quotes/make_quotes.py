#!/usr/bin/python3
"""Makes up a day of quotes: make_quotes.py > quotes.csv. Among 1,000 are three without a price, and four whose bid is above the ask."""
import random

RANDOM = random.Random(5)
NO_PRICE, CROSSED = {101, 502, 903}, {250: 1, 400: 0, 600: 1, 700: 2}  # the market of each

middle = [9200, 41000, 1500]
print("number,market,bid,ask")
for number in range(1, 1001):
    market = CROSSED.get(number, RANDOM.randrange(3))
    middle[market] += RANDOM.randint(-9, 9)
    bid, ask = middle[market] - RANDOM.randint(1, 4), middle[market] + RANDOM.randint(1, 4)
    if number in CROSSED:
        bid, ask = ask, bid
    print(number, market, 0 if number in NO_PRICE else bid, ask, sep=",")
