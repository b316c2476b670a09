#!/usr/bin/python3
"""Prints the highest ranks with their names.

    rk run app.yaml | top.py NAMES.txt [COUNT]
"""
import json
import sys


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        names = file.read().splitlines()
    ranked = sorted(map(json.loads, sys.stdin), key=lambda row: (-row["rank_billionths"], row["node"]))
    for place, row in enumerate(ranked[:int(sys.argv[2]) if len(sys.argv) == 3 else 10], start=1):
        print("%3d  %-32s %10.6f" % (place, names[row["node"]], row["rank_billionths"] / 1e9))


if __name__ == "__main__":
    main()
