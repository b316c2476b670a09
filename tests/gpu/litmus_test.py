#!/usr/bin/python3
"""The litmus tests without a GPU: their device's half compiles without a warning, and the host plays both roles."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

LITMUS = Path(os.environ["RK_BINARY_DIR"]) / "tests/litmus"


class Litmus(unittest.TestCase):
    def test_the_devices_half_compiles_without_a_warning(self):
        done = subprocess.run([LITMUS, "--compile"], capture_output=True, text=True, check=False)
        if done.returncode == 77:
            self.skipTest(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(re.findall(r"^(\d+): \d+ bytes$", done.stdout, re.MULTILINE), ["75", "90"])

    @unittest.skipIf("thread" in os.environ.get("RK_SANITIZERS", ""), "plain words that meet are what is tested")
    def test_two_threads_of_the_host_do_nothing_that_the_model_forbids(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = Path(folder) / "lines.jsonl"
            done = subprocess.run([LITMUS, "--host", "--rounds", "1", "--json", lines], capture_output=True, text=True,
                                  check=False)
            tests = [json.loads(line) for line in lines.read_text().splitlines()]
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(len(tests), 12)
        self.assertEqual({sum(test["outcomes"]) for test in tests}, {4096})
        self.assertTrue(all(test["complete"] for test in tests))

    def test_an_option_that_is_none_is_told(self):
        done = subprocess.run([LITMUS, "--round", "3"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("usage: litmus", done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
