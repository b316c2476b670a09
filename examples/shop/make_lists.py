#!/usr/bin/python3
"""Makes a day of lists, the same for the same seed: make_lists.py [--seed N] [--lists N] > lists.csv

Most articles are in the supplier's catalogue; a few lists name one that isn't, or no boxes, or far too many."""
import argparse
import random

HEAD = "list,customer,article,boxes"
FIRST_ARTICLE, ARTICLES, CUSTOMERS = 40100, 20, 12


def rows_of(seed, lists):
    dice = random.Random(seed)
    for number in range(1, lists + 1):
        article = FIRST_ARTICLE + min(dice.randrange(ARTICLES), dice.randrange(ARTICLES))  # the cheap ones are wanted more
        boxes = dice.randint(1, 24)
        if number % 23 == 0:
            article = FIRST_ARTICLE + ARTICLES + dice.randrange(100)
        if number % 31 == 0:
            boxes = 0 if number % 2 else 1000
        yield number, dice.randint(1, CUSTOMERS), article, boxes


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lists", type=int, default=70)
    options = parser.parse_args()
    print(HEAD)
    for row in rows_of(options.seed, options.lists):
        print(",".join(map(str, row)))


if __name__ == "__main__":
    main()
