#!/usr/bin/python3
"""The served network says what an independent computation says, urgent images are read first, and what is wrong is told. With
`--backend NAME` on another backend than the CPU."""
import csv
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import expected  # noqa: E402  (beside this file)

INFERENCE = Path(os.environ["RK_BINARY_DIR"]) / "examples/inference"
COMMAND = os.environ.get("RK_COMMAND")
BACKEND = sys.argv.pop(sys.argv.index("--backend") + 1) if "--backend" in sys.argv else "cpu"
sys.argv = [a for a in sys.argv if a != "--backend"]
WORKERS = [("--workers", "1"), ("--workers", "3")] if BACKEND == "cpu" else [()]  # a device has none
WEIGHTS, IMAGES = HERE / "weights.csv", HERE / "images.csv"
COUNT = 360


class Served(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.answers = self.folder / "answers.csv"

    def run_it(self, *options, weights=WEIGHTS, images=IMAGES):
        return subprocess.run([INFERENCE, "--backend", BACKEND, "--images", "2000", *options, weights, images, self.answers],
                              capture_output=True, text=True, check=False)

    def serve(self, *options):
        done = self.run_it(*options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def changed(self, path, edit):
        """A copy of the file with some of its lines changed."""
        copy = self.folder / path.name
        copy.write_text("\n".join(edit(path.read_text().splitlines())) + "\n")
        return copy

    def test_answers_are_those_of_the_reference(self):
        for workers in WORKERS:
            with self.subTest(workers=workers):
                said = self.serve(*workers)
                self.assertEqual(expected.mistakes_of(WEIGHTS, IMAGES, self.answers), [])
                with open(self.answers, encoding="ascii", newline="") as file:
                    right = sum(row["digit"] == row["label"] for row in csv.DictReader(file))
                self.assertIn(f"{right} of {COUNT} images read right\n", said)
                self.assertGreater(right, COUNT * 95 // 100)

    def test_each_batch_size_is_measured_and_every_message_accounted_for(self):
        rows = [line.split() for line in self.serve().splitlines() if line.endswith("balanced")][1:]
        self.assertEqual([row[0] for row in rows], ["1", "4", "16", "64"])
        for size, mean, *_ in rows:
            self.assertTrue(1 <= float(mean) <= int(size), (size, mean))

    def test_urgent_images_are_read_first(self):
        self.serve()
        with open(self.answers, encoding="ascii", newline="") as file:
            order = [int(row["number"]) for row in csv.DictReader(file)]
        urgent = [place for place, number in enumerate(order) if number % 7 == 0]
        self.assertEqual(len(urgent), (COUNT + 6) // 7)
        self.assertLess(sum(urgent) / len(urgent), COUNT / 4)  # in turn it would be COUNT / 2

    def test_images_are_read_together(self):
        self.serve()
        with open(self.answers, encoding="ascii", newline="") as file:
            self.assertGreater(max(int(row["batch"]) for row in csv.DictReader(file)), 16)

    def test_other_weights_give_other_answers_and_the_reference_finds_them(self):
        other = self.changed(WEIGHTS, lambda lines: [lines[0], *[
            line.replace(line.split(",")[2], "0.5", 1) if line.startswith("1,3,") else line for line in lines[1:]]])
        self.assertEqual(self.run_it(weights=other).returncode, 0)
        self.assertEqual(expected.mistakes_of(other, IMAGES, self.answers), [])
        self.assertEqual(len([m for m in expected.mistakes_of(WEIGHTS, IMAGES, self.answers) if "differs by" in m]), COUNT)
        short = self.changed(self.answers, lambda lines: lines[:-1])
        self.assertIn(f"{COUNT - 1} answers", expected.mistakes_of(other, IMAGES, short)[0])

    def test_a_row_that_comes_again_takes_the_place_of_the_first(self):
        again = self.changed(WEIGHTS, lambda lines: [lines[0], lines[1].replace(lines[1].split(",")[2], "9", 1), *lines[1:]])
        done = self.run_it(weights=again)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(expected.mistakes_of(WEIGHTS, IMAGES, self.answers), [])

    def test_what_is_wrong_is_told(self):
        def without_a_row(lines):
            return lines[:5] + lines[6:]

        def with_a_row_too_many(lines):
            return lines + [lines[1].replace("0,0,", "0,32,", 1)]

        def with_a_layer_too_many(lines):
            return lines + [lines[1].replace("0,0,", "2,0,", 1)]

        def with_a_field_too_few(lines):
            return lines[:5] + [lines[5].rsplit(",", 1)[0]] + lines[6:]

        for edit, told in ((without_a_row, "41 rows of weights were sent"), (with_a_row_too_many, "no_such_row"),
                           (with_a_layer_too_many, "no_such_row"), (with_a_field_too_few, "weights.csv: row 5: ")):
            with self.subTest(told):
                done = self.run_it(weights=self.changed(WEIGHTS, edit))
                self.assertEqual(done.returncode, 1)
                self.assertIn(told, done.stderr)
        for count, told in ((0, "images.csv: row 0: has no rows"),
                            (1025, "images.csv: row 1024: is the last that there is room for")):
            with self.subTest(told):
                done = self.run_it(images=self.changed(IMAGES, lambda lines: lines[:1] + lines[1:2] * count))
                self.assertEqual(done.returncode, 1)
                self.assertIn(told, done.stderr)
        done = self.run_it("--batch", "128")
        self.assertEqual(done.returncode, 1)
        self.assertIn("batch_too_large", done.stderr)

    @unittest.skipUnless(COMMAND, "rk was not built")
    def test_without_weights_images_are_refused(self):
        app = self.folder / "app.yaml"
        app.write_text(f"app: unloaded\nmessages: {HERE / 'digits.rk.h'}\n"
                       f"kernels:\n  digits: {{ source: {HERE / 'digits.rk.c'} }}\n"
                       "routes:\n  - input -> digits: { message: image }\n  - digits -> output\n")
        done = subprocess.run([COMMAND, "run", app, "--input", IMAGES, "--output", self.answers, "-v"],
                              capture_output=True, text=True, check=False)
        self.assertIn(f"{COUNT} no_weights", done.stderr + done.stdout)
        self.assertEqual(self.answers.read_text(), "")


if __name__ == "__main__":
    if not INFERENCE.exists():
        print("SKIP: the example was not built")
        sys.exit(77)
    unittest.main()
