#!/usr/bin/python3
"""PageRank in plain Python and double precision, without any of the app: what its ranks must equal to 1e-5.

    reference.py NUMBERED.csv

Prints a line for each vertex, as the app does but for the step.
"""
import csv
import sys


def compute(edges, damping=0.85, tolerance=1e-9):
    """Ranks by vertex; they begin as 1, and a vertex without edges gives to all."""
    count = 1 + max(max(edge) for edge in edges)
    targets = [[] for _ in range(count)]
    for start, end in edges:
        targets[start].append(end)
    ranks, change = [1.0] * count, 1.0
    while change > tolerance:
        given = [sum(rank for rank, to in zip(ranks, targets) if not to) / count] * count
        for rank, to in zip(ranks, targets):
            for end in to:
                given[end] += rank / len(to)
        before, ranks = ranks, [1.0 - damping + damping * amount for amount in given]
        change = sum(abs(new - old) for new, old in zip(ranks, before))
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
