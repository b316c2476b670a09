#!/usr/bin/python3
"""Prints the board: board.py < result.ndjson."""
import json
import sys

rows = {line["row"]: line["cells"] for line in map(json.loads, sys.stdin) if "cells" in line}
for row in range(64):
    print("".join(".#"[rows.get(row, 0) >> column & 1] for column in range(64)))
