#!/usr/bin/python3
"""The day of quotes ends with the same counts whatever fails: who subscribes by name or by pattern, and was launched again or not, has
each of its quotes once. With `--backend NAME` on another backend than the CPU."""
import os
import random
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import expected  # noqa: E402  (beside this file)

QUOTES = Path(os.environ["RK_BINARY_DIR"]) / "examples/quotes"
BACKEND = sys.argv.pop(sys.argv.index("--backend") + 1) if "--backend" in sys.argv else "cpu"
sys.argv = [a for a in sys.argv if a != "--backend"]
WORKERS = [("--workers", "1"), ("--workers", "3")] if BACKEND == "cpu" else [()]  # a device has none


class Day(unittest.TestCase):
    def run_quotes(self, rows, *options):
        return subprocess.run([QUOTES, "--backend", BACKEND, *options, rows], capture_output=True, text=True, check=False)

    def write(self, rows):
        """A file of these markets, bids and asks."""
        path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "rows.csv"
        path.write_text("number,market,bid,ask\n" + "".join(f"{i},{m},{b},{a}\n" for i, (m, b, a) in enumerate(rows, 1)))
        return path

    def check(self, rows, *options):
        done = self.run_quotes(rows, *options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(rows) as given:
            self.assertEqual(done.stdout.splitlines(), expected.lines_of(given), done.stderr)
        return done

    def test_the_day_gives_what_the_folder_says(self):
        for workers in WORKERS:
            with self.subTest(workers=workers):
                done = self.check(HERE / "quotes.csv", *workers)
                self.assertEqual(done.stdout, (HERE / "expected.txt").read_text())
                self.assertEqual(done.stderr.count("restarted: 'america'"), 2)
                self.assertEqual(done.stderr.count("restarted: 'europe'"), 1)
                self.assertNotIn("'world'", done.stderr)

    def test_any_desk_fails_at_any_quote_and_each_is_counted_once(self):
        for seed, workers in enumerate(WORKERS * 3):
            with self.subTest(seed=seed, workers=workers):
                chance = random.Random(seed)
                rows = [(chance.randrange(4), chance.randrange(100), 60) for _ in range(60)]  # and markets that there aren't
                self.check(self.write(rows), *workers, "--restarts", "64")

    def test_a_day_without_crossed_quotes_has_no_restart(self):
        done = self.check(self.write([(i % 3, 10 + i, 1000) for i in range(500)]))
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.count(", restarts: 0"), 3)

    def test_more_restarts_than_the_budget_end_the_day(self):
        done = self.run_quotes(HERE / "quotes.csv", "--restarts", "1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("quotes: the supervisor has given up", done.stderr)

    def test_a_row_that_is_no_message_is_told_with_its_place(self):
        path = self.write([(0, 1, 2)])
        path.write_text(path.read_text() + "2,0,dear,3\n")
        done = self.run_quotes(path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("rows.csv: row 2: ", done.stderr)


if __name__ == "__main__":
    if not QUOTES.exists():
        print("SKIP: the example was not built")
        sys.exit(77)
    unittest.main()
