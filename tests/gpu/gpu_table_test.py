#!/usr/bin/python3
"""bench/gpu/table.py: a record of the GPU benchmark as the table of docs/cuda.md."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(os.environ["RK_SOURCE_DIR"]) / "bench/gpu"))
sys.dont_write_bytecode = True
import table  # noqa: E402


def figure(name, ours, raw=-1.0, ratio=-1.0, bar=-1.0, unit="us", verdict=""):
    return {"figure": name, "unit": unit, "ringkernel": ours, "raw": raw, "ratio": ratio, "bar": bar,
            "verdict": verdict}


def row(*figures, reason=""):
    return {"row": "1", "what": "what", "note": "", "reason": reason, "figures": list(figures)}


class Table(unittest.TestCase):
    def test_quantiles_of_both_sides_stand_in_one_line(self):
        found = table.line(row(figure("p50", 3.96, 2.6, 1.523, 1.2), figure("p99", 6.71, 4.1, 1.65, 2), figure("max", 99.0, 9.0)))
        self.assertEqual(found, "| what, p50 · p99 | 3.96 · 6.71 µs | 2.6 · 4.1 µs | 1.52 · 1.65 | ≤ 1.2 · ≤ 2 |")

    def test_a_rate_has_a_ratio_to_reach(self):
        found = table.line(row(figure("rate", 299.4, 672, 0.4455, 0.7, "M/s")))
        self.assertEqual(found, "| what | 299 M/s | 672 M/s | 0.446 | ≥ 0.7 |")

    def test_a_goal_without_a_bare_side_is_of_the_figure_itself(self):
        found = table.line(row(figure("p50", 62, bar=50, verdict="MISSED"), figure("p99", 80)))
        self.assertEqual(found, "| what, p50 · p99 | 62 · 80 µs | – | – | ≤ 50 µs |")

    def test_a_ratio_that_is_not_there_keeps_its_goal(self):
        self.assertEqual(table.line(row(figure("rate", 46.46, bar=0.7, unit="M/s"))), "| what | 46.5 M/s | – | – | ≥ 0.7 |")

    def test_a_row_that_could_not_run_says_so(self):
        self.assertEqual(table.line(row(reason="no room")), "| what | could not run | – | – | – |")

    def test_where_the_figures_come_from_stands_above(self):
        record = {"manifest": {"commit": "abc", "date": "2026-11-28T01:02:03Z"}, "device": {"name": "H100", "backend": "cuda"},
                  "rounds": 3, "seconds": 0.3, "unbalanced": 0, "rows": []}
        self.assertEqual(next(iter(table.table(record))), "H100, abc, 2026-11-28, 3 rounds of 0.3 s, 0 trials out of balance:\n")


if __name__ == "__main__":
    unittest.main()
