#!/usr/bin/python3
"""Gives the names in a table of edges numbers, since a message has no texts.

    number.py EDGES.csv NUMBERED.csv NAMES.txt

The first two columns of EDGES.csv are names; an edge that occurs twice counts once. NUMBERED.csv has the columns
`from` and `to`; line n of NAMES.txt is the name of vertex n - 1.
"""
import csv
import sys


def number(rows):
    """Numbered edges in the order of the rows, and names in the order of the alphabet."""
    edges = list(dict.fromkeys((row[0], row[1]) for row in rows))
    names = sorted({name for edge in edges for name in edge})
    numbers = {name: number for number, name in enumerate(names)}
    return [(numbers[start], numbers[end]) for start, end in edges], names


def write(edges, names, numbered, listed):
    with open(numbered, "w", encoding="utf-8", newline="\n") as file:
        file.write("from,to\n")
        file.writelines("%d,%d\n" % edge for edge in edges)
    with open(listed, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(name + "\n" for name in names)


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    write(*number(rows), *sys.argv[2:])


if __name__ == "__main__":
    main()
