#!/usr/bin/python3
"""The program `flights` on the CPU: its bytes are those that the example expects, and those of `rk run` where rk was built."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLE = Path(os.environ["RK_SOURCE_DIR"]) / "examples/flight-delays"
FLIGHTS = Path(os.environ["RK_BINARY_DIR"]) / "tests/flights"
COMMAND = os.environ.get("RK_COMMAND")


class Flights(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def flights(self, rows):
        result, dead = self.folder / "result.ndjson", self.folder / "dead.ndjson"
        done = subprocess.run([FLIGHTS, "cpu", rows, result, dead], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(": balanced\n", done.stdout)
        return result.read_bytes(), dead.read_bytes()

    def rk_run(self, rows):
        result, dead = self.folder / "rk-result.ndjson", self.folder / "rk-dead.ndjson"
        subprocess.run([COMMAND, "run", EXAMPLE / "app.yaml", "--input", rows, "--output", result, "--dead-letters", dead],
                       check=True)
        return result.read_bytes(), dead.read_bytes()

    def test_damaged_rows_end_where_the_example_says(self):
        expected = [(EXAMPLE / "expected" / f"damaged-{what}.ndjson").read_bytes() for what in ("result", "dead-letters")]
        self.assertEqual(self.flights(EXAMPLE / "damaged.csv"), tuple(expected))

    def test_real_flights_give_what_the_example_says(self):
        rows = self.folder / "flights.csv"
        try:
            subprocess.run(["zstd", "-dqf", EXAMPLE / "flights.csv.zst", "-o", rows], check=True)
        except FileNotFoundError:
            self.skipTest("zstd is not there")
        expected = [(EXAMPLE / "expected" / f"{what}.ndjson").read_bytes() for what in ("result", "dead-letters")]
        self.assertEqual(self.flights(rows), tuple(expected))

    @unittest.skipUnless(COMMAND, "rk was not built")
    def test_made_rows_end_as_rk_run_lets_them_end(self):
        made = self.folder / "made.csv"
        made.write_bytes(subprocess.run([FLIGHTS, "--make", "20000", "3"], stdout=subprocess.PIPE, check=True).stdout)
        result, dead = self.flights(made)
        self.assertEqual((result, dead), self.rk_run(made))
        for reason in (b"parse", b"distance", b"delay", b"hour"):
            self.assertIn(b'"reason":"' + reason, dead)

    def test_what_cannot_be_read_is_told(self):
        (self.folder / "head.csv").write_text("seq,hour,delay_min\n")
        command = [FLIGHTS, "cpu", self.folder / "head.csv", self.folder / "result", self.folder / "dead"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("distance_mi", done.stderr)


if __name__ == "__main__":
    if not FLIGHTS.exists():
        print("SKIP: flights was not built")
        sys.exit(77)
    unittest.main()
