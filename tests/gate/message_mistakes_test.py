#!/usr/bin/python3
"""A message that can't be is an error at compile time, in C and in C++, and the error says what is wrong with it."""
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

INCLUDE = Path(__file__).resolve().parents[2] / "include"

COMPILERS = (
    ["gcc", "-std=c11", "-x", "c"],
    ["clang", "-std=c11", "-x", "c"],
    ["g++", "-std=c++17", "-x", "c++"],
    ["clang++", "-std=c++17", "-x", "c++"],
)

# A message's name is part of what is said, so each has one of its own.
MISTAKES = (
    ("padding between members", "RK_MESSAGE(gap_inside, 1, (rk_u8, flag), (rk_u32, value))",
     "gap_inside has hidden padding: order its members by size"),
    ("padding at the end", "RK_MESSAGE(gap_behind, 1, (rk_u64, value), (rk_u8, flag))",
     "gap_behind has hidden padding: order its members by size"),
    ("padding after an array", "RK_MESSAGE(gap_after, 1, (rk_u8, name, 3), (rk_u16, value))",
     "gap_after has hidden padding: order its members by size"),
    ("type id 0", "RK_MESSAGE(nobody, 0, (rk_u32, value))", "the type id of nobody is not in 1 to 65535"),
    ("type id 65,536", "RK_MESSAGE(beyond, 65536, (rk_u32, value))", "the type id of beyond is not in 1 to 65535"),
    ("a blob's type id", "RK_BLOB(loose, 70000, 64)", "the type id of loose is not in 1 to 65535"),
    ("a member that is no scalar of the dialect", "RK_MESSAGE(foreign, 1, (int, value))", "RK_KIND_OF_int"),
    ("a member that is a pointer", "typedef char *text;\nRK_MESSAGE(pointing, 1, (text, value))",
     "RK_KIND_OF_text"),
    ("an array of no elements", "RK_MESSAGE(hollow, 1, (rk_u32, value), (rk_u32, none, 0))",
     "hollow has an array of no elements"),
    ("a blob of no bytes", "RK_BLOB(nothing, 1, 0)", "nothing has an array of no elements"),
    ("a blob over 1 GiB", "RK_BLOB(heavy, 1, 1073741825)", "heavy is over 1 GiB"),
    ("a structure over 1 GiB", "RK_MESSAGE(wide, 1, (rk_u64, value, 134217729))", "wide is over 1 GiB"),
    ("a name of 33 characters", "RK_MESSAGE(wordy, 1, (rk_u32, value), (rk_u32, " + "n" * 33 + "))",
     "wordy has a member whose name is over 32 characters"),
    ("33 members", "RK_MESSAGE(many, 1, " + ", ".join(f"(rk_u32, m{i})" for i in range(33)) + ")",
     "more than 32 members"),
    ("48 members", "RK_MESSAGE(more, 1, " + ", ".join(f"(rk_u32, m{i})" for i in range(48)) + ")",
     "more than 32 members"),
)

ALL_RIGHT = """RK_MESSAGE(first, 1, (rk_u64, value), (rk_u32, count), (rk_u16, sort), (rk_u8, flag, 2))
RK_MESSAGE(last, 65535, (rk_u8, flag))
RK_BLOB(heaviest, 2, 1073741824)
RK_MESSAGE(telling, 4, (rk_u32, """ + "n" * 32 + """))
RK_MESSAGE(most, 3, """ + ", ".join(f"(rk_u32, m{i})" for i in range(32)) + ")"


class MessageMistakesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)

    def compile(self, compiler, text):
        source = self.path / "mistake.c"
        source.write_text(f"#include <ringkernel/message.h>\n{text}\n")
        done = subprocess.run([*compiler, "-Wall", "-Wextra", "-fsyntax-only", f"-I{INCLUDE}", str(source)],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stderr

    def for_each_compiler(self, check):
        found = [compiler for compiler in COMPILERS if shutil.which(compiler[0])]
        self.assertTrue(found)
        for compiler in found:
            check(compiler)

    def test_messages_that_are_all_right_compile(self):
        def check(compiler):
            self.assertEqual(self.compile(compiler, ALL_RIGHT), (0, ""), compiler[0])
        self.for_each_compiler(check)

    def test_each_mistake_is_an_error_that_says_what_is_wrong(self):
        def check(compiler):
            for what, text, expected in MISTAKES:
                with self.subTest(compiler=compiler[0], mistake=what):
                    status, said = self.compile(compiler, text)
                    self.assertNotEqual(status, 0, "it compiles")
                    errors = [line for line in said.splitlines() if "error:" in line]
                    self.assertTrue(any(expected in line for line in errors), said)
        self.for_each_compiler(check)


if __name__ == "__main__":
    unittest.main()
