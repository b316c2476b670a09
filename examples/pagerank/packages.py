#!/usr/bin/python3
"""Ranks Debian's packages by who depends on them, and compares result and time with networkx.

    packages.py RK [FOLDER]

RK is the command `rk`; what the app reads and writes is left in FOLDER, if there is one given. The graph is made from
apt's own lists (`apt-cache dumpavail`): a package links to each that it depends on, of alternatives to the first.
Without python3-networkx, python3-numpy and python3-scipy the ranks are compared with reference.py alone. The status
is 1 when they are farther apart than 1e-5.
"""
import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

try:
    import networkx
    import scipy  # noqa: F401  (what networkx computes with)
except ImportError:
    networkx = None

import reference
import number

HERE = pathlib.Path(__file__).resolve().parent
FARTHEST = 1e-5
FIELD = re.compile(r"^(Package|Depends|Pre-Depends): (.*)$")


def dependencies():
    """(package, what it depends on), as apt knows them."""
    known = subprocess.run(["apt-cache", "dumpavail"], stdout=subprocess.PIPE, check=True, text=True).stdout
    package = None
    for match in filter(None, map(FIELD.match, known.splitlines())):
        if match.group(1) == "Package":
            package = match.group(2)
            continue
        for wanted in match.group(2).split(","):
            yield package, re.split(r"[ :(|]", wanted.strip())[0]


def timed(call):
    began = time.perf_counter()
    result = call()
    return result, time.perf_counter() - began


def rank(command, table):
    """The app's result by vertex, and its last step."""
    output, summary = table.with_name("ranks.ndjson"), table.with_name("summary.json")
    subprocess.run([command, "run", HERE / "app.yaml", "--input", table, "--output", output, "--summary", summary,
                    "--set", "rank.capacity=32768"], check=True)
    with open(output, encoding="utf-8") as file:
        rows = list(map(json.loads, file))
    ranks = [0.0] * len(rows)
    for row in rows:
        ranks[row["node"]] = row["rank_billionths"] / 1e9
    return ranks, rows[0]["steps"]


def rank_by_networkx(table):
    """Its result by vertex, to the same tolerance, and the seconds without building its graph."""
    with open(table, encoding="utf-8", newline="") as file:
        graph = networkx.DiGraph([(int(a), int(b)) for a, b in list(csv.reader(file))[1:]])
    count = graph.number_of_nodes()
    found, seconds = timed(lambda: networkx.pagerank(graph, alpha=0.85, max_iter=1000, tol=1e-6 / count / count))
    return [found[vertex] * count for vertex in range(count)], seconds


def farthest(one, other):
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def compare(command, folder):
    table, names = folder / "packages.csv", folder / "packages.txt"
    edges, listed = number.number(dependencies())
    number.write(edges, listed, table, names)
    print("%d packages, %d dependencies" % (len(listed), len(edges)))
    rank(command, table)  # once, so that the kernels are compiled
    (ranks, steps), seconds = timed(lambda: rank(command, table))
    print("rk run    %5.2f s from file to file, %d steps" % (seconds, steps))
    apart = {"reference.py": farthest(ranks, reference.compute(edges, tolerance=1e-6, start=ranks))}
    if networkx:
        (theirs, alone), seconds = timed(lambda: rank_by_networkx(table))
        print("networkx  %5.2f s from file to result, %.2f s of them without building its graph" % (seconds, alone))
        apart["networkx"] = farthest(ranks, theirs)
    else:
        print("networkx  isn't installed")
    print("farthest apart: " + ", ".join("%.1e from %s" % (by, whom) for whom, by in sorted(apart.items())))
    for vertex in sorted(range(len(ranks)), key=lambda v: -ranks[v])[:5]:
        print("%-24s %10.3f" % (listed[vertex], ranks[vertex]))
    return max(apart.values()) <= FARTHEST


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="packages-") as spare:
        if not compare(sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else spare)):
            sys.exit("packages.py: the ranks differ by more than %g" % FARTHEST)


if __name__ == "__main__":
    main()
