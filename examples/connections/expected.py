#!/usr/bin/python3
"""The same by following the routes with a queue: expected.py ROUTES.csv prints the output, a line for each airport in order."""
import collections
import csv
import json
import sys


def compute(rows):
    """Lines of the result. `rows` are pairs of numbers."""
    goes = collections.defaultdict(list)
    for start, end in rows:
        goes[start].append(end)
    airports = 1 + max(max(row) for row in rows)
    for airport in range(airports):
        flights, waiting = {airport: 0}, collections.deque([airport])
        while waiting:
            here = waiting.popleft()
            for end in goes[here]:
                if end not in flights:
                    flights[end] = flights[here] + 1
                    waiting.append(end)
        yield {"airport": airport, "reached": len(flights) - 1, "farthest": max(flights.values()), "flights": sum(flights.values())}


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [(int(row["from"]), int(row["to"])) for row in csv.DictReader(file)]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for line in compute(read(sys.argv[1])):
        print(json.dumps(line, separators=(",", ":")))
