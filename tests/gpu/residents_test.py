#!/usr/bin/python3
"""The program `residents` on the CPU: cycles, a process that is killed, and code that comes later."""
import os
import re
import subprocess
import sys
import unittest
from pathlib import Path

RESIDENTS = Path(os.environ["RK_BINARY_DIR"]) / "tests/residents"
SANITIZED = bool(os.environ.get("RK_SANITIZERS"))


def residents(*arguments):
    done = subprocess.run([RESIDENTS, *arguments, "--backend", "cpu"], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class Residents(unittest.TestCase):
    def test_cycles_neither_hang_nor_grow(self):
        growth = "512" if SANITIZED else "4"  # sanitizers keep what was freed
        status, said = residents("cycles", "--restarts", "1000", "--launches", "100", "--reopens", "3", "--growth", growth)
        self.assertEqual(status, 0, said)
        self.assertEqual(re.findall(r"^(\w+): (\d+), p50", said, re.MULTILINE),
                         [("restarts", "1000"), ("launches", "100"), ("runtimes", "3")])

    def test_growth_is_a_failure(self):
        status, said = residents("cycles", "--restarts", "0", "--launches", "0", "--reopens", "9", "--growth", "0")
        grown = re.search(r"host \+[1-9]", said)
        self.assertEqual(status, 1 if grown else 0, said)
        self.assertEqual("WRONG: runtimes" in said, bool(grown), said)

    def test_a_killed_process_leaves_room_for_the_next(self):
        status, said = residents("killed", "--times", "1")
        self.assertEqual(status, 0, said)
        self.assertIn("killed with 256 blocks", said)

    def test_kernels_come_beside_one_that_answers(self):
        status, said = residents("loading")
        self.assertEqual(status, 0, said)
        self.assertIn("answer_third beside a kernel that stays", said)

    def test_a_part_that_is_none_is_told(self):
        status, said = residents("cycle")
        self.assertEqual(status, 2)
        self.assertIn("usage: residents", said)


if __name__ == "__main__":
    sys.exit(unittest.main())
