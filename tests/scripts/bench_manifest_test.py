#!/usr/bin/python3
"""The record of a benchmark says with which flags it was built, wherever the program lies; without them none is kept."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("RK_SOURCE_DIR", Path(__file__).resolve().parents[2]))
BINARY = os.environ.get("RK_BINARY_DIR", "")
MAIN = """#include "harness.h"
int main(int argc, char **argv)
{
    bench_open(argc, argv);
    return bench_close();
}
"""
SKIPPED = 77  # it needs two cores


def compiler():
    return re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", (Path(BINARY) / "CMakeCache.txt").read_text(), re.MULTILINE)[1]


class Manifest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rk-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "main.c").write_text(MAIN)
        (self.folder / "kept").mkdir()

    def ran(self, *definitions, save=True):
        """A benchmark of nothing, compiled with these definitions, and run where no build is near."""
        peer = ROOT / "bench" / "peer"
        subprocess.run([compiler(), "-D_GNU_SOURCE", f'-DRK_SOURCE_DIR="{ROOT}"', *definitions, f"-I{ROOT}/bench", self.folder / "main.c",
                        peer / "harness.c", peer / "manifest.c", "-o", self.folder / "nothing", "-pthread", "-lm"], check=True)
        done = subprocess.run([self.folder / "nothing", *([f"--save={self.folder}/kept"] if save else [])], capture_output=True,
                              check=False, text=True)
        if done.returncode == SKIPPED:
            self.skipTest(done.stderr)
        return done

    def test_the_record_has_the_flags_that_are_compiled_in(self):
        done = self.ran('-DRK_BENCH_FLAGS="-std=c11 -O3 -g"')
        self.assertEqual(done.returncode, 0, done.stderr)
        record, = (self.folder / "kept").iterdir()
        self.assertEqual(json.loads(record.read_text())["manifest"]["flags"], "-std=c11 -O3 -g")
        self.assertRegex(done.stdout, "machine: .* -std=c11 -O3 -g, commit ")

    def test_without_flags_nothing_is_measured_to_be_kept(self):
        done = self.ran()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("the flags that it was compiled with are not known", done.stderr)
        self.assertEqual(list((self.folder / "kept").iterdir()), [])
        done = self.ran(save=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("flags unknown, commit ", done.stdout)

    def test_a_build_has_them(self):
        made = Path(BINARY) / "build.ninja"
        rule = re.search(r"^build \S*manifest\.c\.o:.*\n(?:  .*\n)+", made.read_text(), re.MULTILINE) if made.exists() else None
        if not rule:
            self.skipTest("this build is without benchmarks")
        self.assertRegex(rule[0], r'-DRK_BENCH_FLAGS="\\"-std=c11 ')


if __name__ == "__main__":
    if not BINARY:
        print("RK_BINARY_DIR names no build: skipped")
        sys.exit(77)
    unittest.main()
