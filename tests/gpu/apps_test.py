#!/usr/bin/python3
"""The programs app_NAME on the CPU: their bytes are those that the examples expect, and those of `rk run` where rk was built."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import app_inputs  # noqa: E402  (beside this file)
from app_inputs import APPS, EXAMPLES, in_order  # noqa: E402

PROGRAMS = Path(os.environ["RK_BINARY_DIR"]) / "tests"
COMMAND = os.environ.get("RK_COMMAND")


class Apps(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def run_app(self, app, rows):
        result, dead = self.folder / "result.ndjson", self.folder / "dead.ndjson"
        done = subprocess.run([PROGRAMS / f"app_{app}", "cpu", rows, result, dead], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(": balanced\n", done.stdout)
        return in_order(app, result.read_bytes()), dead.read_bytes()

    def rk_run(self, app, rows):
        result, dead = self.folder / "rk-result.ndjson", self.folder / "rk-dead.ndjson"
        subprocess.run([COMMAND, "run", EXAMPLES / app / "app.yaml", "--input", rows, "--output", result, "--dead-letters", dead],
                       check=True)
        return in_order(app, result.read_bytes()), dead.read_bytes()

    def test_what_comes_out_is_what_the_examples_expect(self):
        for app in APPS:
            for given in app_inputs.inputs_of(app, self.folder, flights=20000):
                with self.subTest(app=app, rows=given.name):
                    result, dead = self.run_app(app, given.rows)
                    if given.result is not None:
                        self.assertEqual(result, in_order(app, given.result))
                    if given.dead is not None:
                        self.assertEqual(dead, given.dead)

    @unittest.skipUnless(COMMAND, "rk was not built")
    def test_made_rows_end_as_rk_run_lets_them_end(self):
        for app, reasons in (("flight-delays", (b"parse", b"distance", b"delay", b"hour")), ("weather-watch", (b"temperature",))):
            made = next(given for given in app_inputs.inputs_of(app, self.folder, flights=20000) if given.name == "made")
            result, dead = self.run_app(app, made.rows)
            self.assertEqual((result, dead), self.rk_run(app, made.rows))
            for reason in reasons:
                self.assertIn(b'"reason":"' + reason, dead)

    def test_what_cannot_be_read_is_told(self):
        (self.folder / "head.csv").write_text("seq,hour,delay_min\n")
        command = [PROGRAMS / "app_flight-delays", "cpu", self.folder / "head.csv", self.folder / "result", self.folder / "dead"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("distance_mi", done.stderr)


if __name__ == "__main__":
    if not (PROGRAMS / "app_flight-delays").exists():
        print("SKIP: the apps were not built")
        sys.exit(77)
    unittest.main()
