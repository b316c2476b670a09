#!/usr/bin/python3
"""The same with a set of cells, and no strips: expected.py CELLS.csv prints the output, a line for each generation and then the board."""
import collections
import csv
import json
import sys

COLUMNS, ROWS, GENERATIONS, UNTIL = 64, 64, 200, 100


def step(cells):
    """The next generation of a set of (column, row)."""
    around = collections.Counter(((c + dc) % COLUMNS, (r + dr) % ROWS) for c, r in cells
                                 for dc in (-1, 0, 1) for dr in (-1, 0, 1) if dc or dr)
    return {cell for cell, n in around.items() if n == 3 or (n == 2 and cell in cells)}


def compute(cells, generations=GENERATIONS, until=UNTIL):
    """Lines of the result: a generation each, and the rows of the last one."""
    for generation in range(generations + 1):
        if generation <= until:
            yield {"generation": generation, "alive": len(cells)}
        if generation < generations:
            cells = step(cells)
    for row in range(ROWS):
        yield {"cells": sum(1 << column for column in range(COLUMNS) if (column, row) in cells), "row": row, "generation": generations}


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {(int(row["column"]), int(row["row"])) for row in csv.DictReader(file)}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for line in compute(read(sys.argv[1])):
        print(json.dumps(line, separators=(",", ":")))
