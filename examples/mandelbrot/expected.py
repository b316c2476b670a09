#!/usr/bin/python3
"""The same in a plain loop: expected.py prints the output, a line for each tile in the order of tiles.csv."""
import json

COLUMNS, ROWS, SIDE, ONE, LIMIT = 32, 16, 8, 1 << 24, 5000


def divided(a, b):
    """As C divides: towards zero."""
    return a // b if a >= 0 else -(-a // b)


def steps_of(cx, cy):
    x = y = 0
    for n in range(LIMIT):
        xx, yy = x * x // ONE, y * y // ONE
        if xx + yy > 4 * ONE:
            return n
        x, y = xx - yy + cx, divided(2 * x * y, ONE) + cy
    return LIMIT


def tile(column, row):
    steps = [steps_of((column * SIDE + i % SIDE) * 3 * ONE // (COLUMNS * SIDE) - 9 * ONE // 4,
                      (row * SIDE + i // SIDE) * 3 * ONE // (ROWS * SIDE) - 3 * ONE // 2) for i in range(SIDE * SIDE)]
    return {"column": column, "row": row, "inside": steps.count(LIMIT), "steps": sum(steps)}


if __name__ == "__main__":
    for r in range(ROWS):
        for c in range(COLUMNS):
            print(json.dumps(tile(c, r), separators=(",", ":")))
