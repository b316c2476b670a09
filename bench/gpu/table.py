#!/usr/bin/python3
"""The table of docs/cuda.md from what `make gpu-bench SAVE=bench/results` kept.

    table.py FILE...

One line for each row of each file, as Markdown: the figures of both sides, their ratio, and the goal. Above it stands where the
figures come from, as the file's manifest has it.
"""
import json
import sys
from pathlib import Path

UNITS = {"us": "µs", "M/s": "M/s"}


def number(value):
    return "–" if value < 0 else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def goal(figure):
    """A ratio's, or without a bare side one of the figure itself."""
    if figure["bar"] <= 0:
        return ""
    sign = "≥" if figure["unit"] == "M/s" else "≤"
    of_itself = figure["raw"] < 0 and figure["verdict"]  # a ratio that isn't there has no verdict
    return f"{sign} {figure['bar']:g}" + (f" {UNITS[figure['unit']]}" if of_itself else "")


def line(row):
    if row["reason"] or not row["figures"]:
        return f"| {row['what']} | could not run | – | – | – |"
    figures = [f for f in row["figures"] if f["figure"] in ("rate", "mean", "p50", "p99")]
    unit = UNITS[figures[0]["unit"]]

    def side(name, unit=""):
        shown = " · ".join(number(f[name]) for f in figures)
        return f"{shown} {unit}".strip() if any(f[name] >= 0 for f in figures) else "–"

    names = ", ".join(f["figure"] for f in figures)
    what = row["what"] if names == "rate" else f"{row['what']}, {names.replace(', ', ' · ')}"
    goals = " · ".join(g for g in map(goal, figures) if g) or "–"
    return f"| {what} | {side('ringkernel', unit)} | {side('raw', unit)} | {side('ratio')} | {goals} |"


def table(record):
    manifest, device = record["manifest"], record["device"]
    yield (f"{device['name'] or device['backend']}, {manifest['commit']}, {manifest['date'][:10]}, {record['rounds']} rounds of "
           f"{record['seconds']:g} s, {record['unbalanced']} trials out of balance:\n")
    yield "| what | ringkernel | bare, in the same run | ratio | goal |\n|---|---|---|---|---|"
    yield from map(line, record["rows"])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__.strip())
    for path in sys.argv[1:]:
        print("\n".join(table(json.loads(Path(path).read_text()))))
