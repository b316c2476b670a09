#!/usr/bin/python3
"""PageRank in plain Python and double precision, without any of the app: what its ranks must equal to 1e-5.

    reference.py NUMBERED.csv

Prints a line for each vertex, as the app does but for the step.
"""
import csv
import operator
import sys


def compute(edges, damping=0.85, tolerance=1e-9, start=None):
    """Ranks by vertex; they begin as 1, and a vertex without edges gives to all. The end is the same from any start, and from one
    near it is soon reached."""
    count = 1 + max(max(edge) for edge in edges)
    sources, degrees = [[] for _ in range(count)], [0] * count
    for source, target in edges:
        sources[target].append(source)
        degrees[source] += 1
    ends = [vertex for vertex, degree in enumerate(degrees) if not degree]
    parts = [1.0 / degree if degree else 0.0 for degree in degrees]
    ranks, change = start or [1.0] * count, 1.0
    while change > tolerance:
        to_all = 1.0 - damping + damping * sum(map(ranks.__getitem__, ends)) / count
        share = list(map(operator.mul, ranks, parts)).__getitem__
        before, ranks = ranks, [to_all + damping * sum(map(share, froms)) for froms in sources]
        change = sum(map(abs, map(operator.sub, ranks, before)))
    return ranks


def read_edges(path):
    with open(path, encoding="utf-8", newline="") as file:
        return [(int(row["from"]), int(row["to"])) for row in csv.DictReader(file)]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for vertex, rank in enumerate(compute(read_edges(sys.argv[1]))):
        print('{"rank_billionths":%d,"node":%d}' % (rank * 1e9, vertex))


if __name__ == "__main__":
    main()
