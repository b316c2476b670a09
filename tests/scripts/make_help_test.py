#!/usr/bin/python3
"""`make help`, and `make` alone, list each target with what it does; and what a target runs is there."""
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("RK_SOURCE_DIR", Path(__file__).resolve().parents[2]))


def make(*arguments):
    """Its standard output, whatever make this test itself is run by."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", "--no-print-directory", "-C", ROOT, *arguments], capture_output=True, check=True, text=True,
                          env=environment).stdout


class MakeHelp(unittest.TestCase):
    def test_each_phony_target_is_listed_once_with_a_description_and_nothing_else_is(self):
        database = make("--print-data-base", "--dry-run", "help")
        phony = re.search(r"^\.PHONY: (.*)$", database, re.MULTILINE).group(1).split()
        listed = [re.fullmatch(r"  make ([a-z-]+) +(\S.*\S)", line) for line in make("help").splitlines()]
        self.assertNotIn(None, listed)
        self.assertEqual(sorted(line.group(1) for line in listed), sorted(phony))
        self.assertGreater(len(phony), 10)
        for line in listed:
            self.assertNotIn("##", line.group(2))

    def test_make_alone_says_the_same_and_does_nothing(self):
        self.assertEqual(make("--dry-run"), make("--dry-run", "help"))  # first: nothing else is to be run by this
        self.assertEqual(make(), make("help"))

    def test_the_scripts_that_targets_run_are_there(self):
        scripts = re.findall(r"^\t@?(scripts/[a-z-]+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
        self.assertGreater(len(scripts), 5)
        for script in scripts:
            self.assertTrue(os.access(ROOT / script, os.X_OK), script)


if __name__ == "__main__":
    if not shutil.which("make"):
        print("there is no make: skipped")
        sys.exit(77)
    unittest.main()
