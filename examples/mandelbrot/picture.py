#!/usr/bin/python3
"""Prints the picture: picture.py < result.ndjson."""
import json
import sys

tiles = {(t["row"], t["column"]): t["inside"] for t in map(json.loads, sys.stdin) if "row" in t}
for row in range(16):
    print("".join(" .:-=+*#%@"[tiles.get((row, column), 0) * 9 // 64] for column in range(32)).rstrip())
