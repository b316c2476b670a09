#!/usr/bin/python3
"""Computes what the app must print, without any of it, in plain Python.

    expected.py LISTS.csv [--silent ARTICLE] [--dead-letters FILE]

The lines go to standard output, sorted: the app's come in any order. The dead letters are those that belong to a row."""
import argparse
import json
import sys
from collections import Counter

COLUMNS = ("list", "customer", "article", "boxes")
FIRST_ARTICLE, ARTICLES, BOXES_MOST, LAST_LIST = 40100, 20, 999, 4294966


def line(**fields):
    return json.dumps(fields, separators=(",", ":")) + "\n"


def cents_of(article):
    place = article - FIRST_ARTICLE
    return 499 + 150 * place if 0 <= place < ARTICLES else 0


def refuse(row):
    """The mail's reason, or None."""
    return ("no_boxes" if row["boxes"] == 0 else "too_many_boxes" if row["boxes"] > BOXES_MOST else
            "list_number" if row["list"] > LAST_LIST else None)


def compute(text, silent=40113):
    """Lines of the result, sorted, and lines of the dead letters."""
    lines, dead, turnover, sold, refusals = [], [], Counter(), 0, 0
    for number, written in enumerate(text.splitlines()[1:], start=1):
        row = dict(zip(COLUMNS, map(int, written.split(","))))
        reason = refuse(row)
        if reason:
            shown = json.dumps(row, separators=(",", ":"))
            dead.append(json.dumps({"row": number, "reason": reason, "text": shown}, separators=(",", ":")) + "\n")
            continue
        customer, article, cents = row["customer"], row["article"], cents_of(row["article"])
        for box in range(1, row["boxes"] + 1):
            order = row["list"] * 1000 + box
            if cents and article != silent:
                lines.append(line(order=order, customer=customer, article=article, cents=cents))
                turnover[article] += cents
                sold += 1
            else:
                unheard = int(article == silent)
                lines.append(line(refused=order, customer=customer, article=article, no_article=1 - unheard,
                                  no_price=unheard, crowded=0))
                refusals += 1
    most = turnover.most_common(4)
    assert len({cents for _, cents in most}) == len(most), "two of the best brought in the same: their places are open"
    lines += [line(cents=cents, best=place, article=article) for place, (article, cents) in enumerate(most[:3], start=1)]
    lines.append(line(cents=sum(turnover.values()), sold=sold, refusals=refusals, untold=0))
    return sorted(lines), dead


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lists")
    parser.add_argument("--silent", type=int, default=40113)
    parser.add_argument("--dead-letters")
    options = parser.parse_args()
    with open(options.lists, encoding="ascii") as file:
        lines, dead = compute(file.read(), options.silent)
    sys.stdout.writelines(lines)
    if options.dead_letters:
        with open(options.dead_letters, "w", encoding="ascii") as file:
            file.writelines(dead)


if __name__ == "__main__":
    main()
