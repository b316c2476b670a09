#!/usr/bin/python3
"""A container or a pattern that is declared with more than it can have, or with nothing, is an error at compile time, in C and in
C++, and the error says how many it can have. The most that it can have compiles."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"

COMPILERS = (  # both languages, and both compilers: what they have in common is the gate's
    ["gcc", "-std=c11", "-x", "c"],
    ["clang++", "-std=c++17", "-x", "c++"],
)

# Header, what is declared, with NAME and COUNT for a name and a number; numbers that can't be; the least and the most that can;
# and what is said of the former.
LIMITS = (
    ("state/cache.h", "RK_CACHE(NAME, COUNT, rk_u64)", (0, 1000001), (1, 1000000), "RK_CACHE: 1 to 1,000,000 entries"),
    ("state/slab.h", "RK_SLAB(NAME, COUNT, rk_u64)", (0, 32769), (1, 32768), "RK_SLAB: 1 to 32,768 blocks"),
    ("state/stack.h", "RK_STACK(NAME, COUNT, rk_u64)", (0, 32769), (1, 32768), "RK_STACK: 1 to 32,768 entries"),
    ("state/queue.h", "RK_QUEUE(NAME, COUNT, rk_u64)", (0, 3, 33554432), (1, 2, 16777216),
     "RK_QUEUE: a power of two up to 2^24 places"),
    ("state/map.h", "RK_MAP(NAME, COUNT, rk_u32)", (0, 1073741825), (1, 1073741824), "RK_MAP: 1 to 2^30 keys"),
    ("state/extremes.h", "RK_EXTREMES(NAME, COUNT, rk_u32)", (0, 1073741825), (1, 1073741824),
     "RK_EXTREMES: 1 to 2^30 values"),
    ("state/average.h", "RK_AVERAGE(NAME, COUNT, rk_u32)", (0, 1073741825), (1, 1073741824),
     "RK_AVERAGE: 1 to 2^30 values"),
    ("state/top.h", "RK_TOP(NAME, COUNT)", (0, 65537), (1, 65536), "RK_TOP: 1 to 65,536 keys"),
    ("state/timers.h", "RK_TIMERS(NAME, COUNT)", (0, 2147483648), (1, 2147483647), "NAME: how many timers?"),
    ("pattern/gather.h", "RK_GATHER(NAME, COUNT)", (0, 65537), (1, 65536), "NAME: 1 to 65,536 jobs"),
    ("pattern/request.h", "RK_REQUESTS(NAME, COUNT)", (0, 1048577), (1, 1048576), "NAME: 1 to 1,048,576 requests"),
)

# The same for what is defined before a header is included.
DEFINED = (
    ("pattern/superstep.h", "RK_SUPERSTEP_MAX", (0, 4097), (1, 4096), "RK_SUPERSTEP_MAX is 1 to 4096"),
    ("pattern/steal_message.h", "RK_STEAL_BATCH", (0, 61), (1, 60), "RK_STEAL_BATCH is 1 to 60"),
    ("pattern/steal.h", "RK_STEAL_QUEUE", (0, 8, 24), (16, 32),
     "RK_STEAL_QUEUE is a power of two, 16 or more, and at least twice RK_STEAL_BATCH"),
    ("pattern/steal.h", "RK_STEAL_BATCH 60\n#define RK_STEAL_QUEUE", (64,), (128,),
     "RK_STEAL_QUEUE is a power of two, 16 or more, and at least twice RK_STEAL_BATCH"),
)


def declared(header, text, counts, name="container"):
    lines = [text.replace("NAME", f"{name}_{i}").replace("COUNT", str(count)) for i, count in enumerate(counts)]
    return "\n".join(["#include <ringkernel/kernel.h>", f"#include <ringkernel/{header}>"] + lines) + "\n"


class ContainerMistakesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def compile(self, compiler, text):
        source = self.path / "mistake.c"
        source.write_text(text)
        done = subprocess.run([*compiler, "-Wall", "-Wextra", "-fsyntax-only", f"-I{INCLUDE}", str(source)],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stderr

    def for_each_compiler(self, check):
        found = [compiler for compiler in COMPILERS if shutil.which(compiler[0])]
        self.assertTrue(found)
        for compiler in found:
            check(compiler)

    def test_what_a_container_can_have_compiles(self):
        source = "".join(declared(header, text, right, f"row_{i}")
                         for i, (header, text, _, right, _) in enumerate(LIMITS))

        def check(compiler):
            self.assertEqual(self.compile(compiler, source), (0, ""), compiler[0])
        self.for_each_compiler(check)

    def test_one_over_is_an_error_that_says_how_many_there_may_be(self):
        def check(compiler):
            for header, text, wrong, _, expected in LIMITS:
                with self.subTest(compiler=compiler[0], declared=text):
                    status, said = self.compile(compiler, declared(header, text, wrong))
                    errors = [line for line in said.splitlines() if "error:" in line]
                    self.assertNotEqual(status, 0, "it compiles")
                    for i in range(len(wrong)):
                        self.assertEqual(
                            sum(expected.replace("NAME", f"container_{i}") in line for line in errors),
                            1 if "NAME" in expected else len(wrong), said)
        self.for_each_compiler(check)

    def test_a_limit_that_is_defined_before_is_checked_as_well(self):
        def check(compiler):
            for header, name, wrong, right, expected in DEFINED:
                for count in wrong + right:
                    with self.subTest(compiler=compiler[0], name=name, count=count):
                        status, said = self.compile(
                            compiler, f"#define {name} {count}u\n#include <ringkernel/{header}>\n")
                        if count in right:
                            self.assertEqual((status, said), (0, ""))
                        else:
                            errors = [line for line in said.splitlines() if "error:" in line]
                            self.assertNotEqual(status, 0, "it compiles")
                            self.assertTrue(any(expected in line for line in errors), said)
        self.for_each_compiler(check)


if __name__ == "__main__":
    unittest.main()
