#!/usr/bin/python3
"""The program `stress` on the CPU: stalls, stops and relaunches lose nothing and double nothing."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

STRESS = Path(os.environ["RK_BINARY_DIR"]) / "tests/stress"


class Stress(unittest.TestCase):
    def test_each_event_comes_once_whatever_stalls(self):
        done = subprocess.run([STRESS, "--backend", "cpu", "--seconds", "2", "--seed", "1"], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        received = re.findall(r"^(\w+): \d+ sent, (\d+) received, 0 missing, 0 twice, 0 wrong, 0 disordered; turns of up to \d+$", done.stdout, re.MULTILINE)
        self.assertEqual([graph for graph, _ in received], ["mesh", "line", "ring"])
        self.assertTrue(all(int(count) > 0 for _, count in received))
        self.assertRegex(done.stdout, r"[1-9]\d* stops, \d+ relaunches, [1-9]\d* looks, \d+ late: right\n")


if __name__ == "__main__":
    sys.exit(unittest.main())
