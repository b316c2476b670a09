#!/usr/bin/python3
"""The same day in plain Python: expected.py QUOTES.csv prints what the program does."""
import csv
import sys

SUBSCRIBERS = (("europe", "quotes/eu", (0,), True), ("america", "quotes/us", (1,), True), ("world", "quotes/#", (0, 1, 2), False))


def lines_of(file):
    rows = [{name: int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    fine, lines = [], []
    for row in rows:
        if row["bid"] <= 0 or row["ask"] <= 0 or row["market"] > 2:
            reason = "no_market" if row["bid"] > 0 and row["ask"] > 0 else "no_price"
            lines.append(f"check    refused quote {row['number']}: {reason}")
        else:
            fine.append(row)
    for who, pattern, markets, is_desk in SUBSCRIBERS:
        got = [row for row in fine if row["market"] in markets]
        crossed = [row for row in got if is_desk and row["bid"] > row["ask"]]
        kept = [row for row in got if row not in crossed]
        lines += [f"{who:8} refused quote {row['number']}: crossed" for row in crossed]
        lines.append(f"{who:8} {pattern:10} {len(kept)} quotes, highest bid {max((row['bid'] for row in kept), default=0)}, "
                     f"restarts: {len(crossed)}")
        lines.append(f"accepted {len(got)} = delivered {len(kept)} + dead {len(crossed)} + evicted 0 + expired 0 + lost 0 + queued 0"
                     "   balanced")
    return lines


if __name__ == "__main__":
    with open(sys.argv[1]) as given:
        print("\n".join(lines_of(given)))
