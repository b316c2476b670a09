#!/usr/bin/python3
"""The job of examples/weather-watch equals an independent computation, byte for byte, on each backend that runs here."""
import json
import os
import subprocess
import time
import unittest

import rk_command
from rk_command import SOURCE, Case, expected_of

JOB = SOURCE / "examples" / "weather-watch"
PACKED = JOB / "weather.csv.zst"


expected = expected_of(JOB)


class Weather(Case):
    @classmethod
    def setUpClass(cls):
        cls.data = subprocess.run(["zstd", "-dcq", PACKED], stdout=subprocess.PIPE, check=True).stdout.decode()
        told = json.loads(rk_command.rk("devices", "--json").stdout)
        cls.backends = [backend["backend"] for backend in told if backend["runs"]]

    def check(self, text, *arguments, **parameters):
        """Runs the job and compares result, dead letters and account with the computation."""
        result, dead = expected.compute(text, **parameters)
        settings = [part for name, value in parameters.items() for part in ("--set", f"watch.{name}={value}")]
        done = self.run_app(JOB / "app.yaml", "--input", "-", "--input-format", "csv", *settings,
                            *arguments, stdin=text.encode())
        lines = done.stdout.decode().splitlines(True)
        for line, wanted in zip(lines, result):  # of two long lists it would take minutes to say how they differ
            self.assertEqual(line, wanted)
        self.assertEqual(len(lines), len(result))
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], dead)
        self.assertTrue(done.summary["balanced"])
        accepted = {kernel["name"]: kernel["account"]["accepted"] for kernel in done.summary["kernels"]}
        good = len(text.splitlines()) - 1 - len(dead)
        self.assertEqual((accepted["compare"], accepted["watch"]), (good, good))
        return result

    def test_the_cpu_is_among_the_backends(self):
        self.assertIn("cpu", self.backends)

    @unittest.skipIf("RK_SANITIZERS" in os.environ, "the sanitizers would report what a device's own compiler does")
    def test_every_backend_that_runs_here_gives_the_same_bytes(self):
        for backend in self.backends:
            done = self.run_app(JOB / "app.yaml", "--backend", backend, seconds=300)  # a device's compiler is slow
            self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes(), backend)
            self.assertTrue(done.summary["balanced"], backend)

    def test_a_live_stream_at_a_chosen_rate_gives_the_kept_result(self):
        rate, rows, began = 8000, len(self.data.splitlines()) - 1, time.monotonic()
        with subprocess.Popen([JOB / "stream.py", str(rate)], stdout=subprocess.PIPE) as station:
            done = subprocess.run([rk_command.RK, "run", JOB / "app.yaml", "--input", "-", "--input-format", "csv"], stdin=station.stdout,
                                  capture_output=True, env=rk_command.environment(), timeout=60 * rk_command.SLOW, check=False)
        self.assertEqual((done.returncode, station.returncode, done.stderr), (0, 0, b""))
        self.assertGreaterEqual(time.monotonic() - began, (rows - 1) / rate)
        self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes())

    def test_plain_run_equals_the_kept_result(self):
        done = self.run_app(JOB / "app.yaml")
        self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes())
        self.assertEqual(rk_command.without_stalls(done.errors), "")

    def test_a_line_for_each_hour(self):
        result = self.check(self.data, every=1)
        self.assertGreater(len(result), 8759)

    def test_other_limits_and_no_averages(self):
        result = self.check(self.data, every=0, unusual=0.5, fall=0.8)
        self.assertTrue(any("unusual_by" in line for line in result))
        self.assertFalse(any("day_mean" in line for line in result))

    def test_three_workers_and_small_queues(self):
        small = [f"{kernel}.capacity=16" for kernel in ("check", "compare", "watch")] + ["watch.output_capacity=16"]
        self.check(self.data, "--workers", "3", *(part for one in small for part in ("--set", one)), every=1)

    def test_three_days_have_no_usual_temperature_yet(self):
        result = self.check("".join(self.data.splitlines(True)[:73]), every=1)
        self.assertFalse(any("unusual_by" in line for line in result))

    def test_what_cannot_be_is_a_dead_letter_and_in_no_average(self):
        rows = self.data.splitlines(True)
        wrong = ["500,60.1,1000,3\n", "500,-60.1,1000,3\n", "-1,5,1000,3\n", "501,5,849.9,3\n", "501,5,1100.1,3\n",
                 "502,5,1000,-0.1\n", "502,5,1000,120.1\n", "503,5\n", "x,5,1000,3\n"]
        just_right = ["500,60,1000,3\n", "500,-60,1000,3\n", "0,5,1000,3\n", "501,5,850,3\n", "501,5,1100,3\n",
                      "502,5,1000,0\n", "502,5,1000,120\n"]
        rows[400:400] = wrong + just_right
        done = expected.compute("".join(rows), every=1)
        self.assertEqual([row for row, _ in done[1]], list(range(400, 400 + len(wrong))))
        self.check("".join(rows), every=1)

    def test_one_wild_reading_leaves_nothing_behind(self):
        rows = self.data.splitlines(True)
        rows[300] = "300,-59.999999999999993,1016.9,3.8\n"
        self.check("".join(rows), every=1)

    def test_only_a_head(self):
        self.assertEqual(len(self.check(self.data.splitlines(True)[0])), 1)


if __name__ == "__main__":
    rk_command.main()
