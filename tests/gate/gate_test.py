#!/usr/bin/python3
"""The gate fails when a kernel is broken, for each of its compilers, and says where."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import gate

GATE = Path(__file__).resolve().parent / "gate.py"

GOOD = """#include <ringkernel/kernel.h>
RK_MESSAGE(gate_number, 149, (rk_i64, value))
RK_HANDLER(gate_echo, gate_number, msg, rk_none, self) { rk_forward(RK_ARG); }
"""

# What only this compiler sees.
ONLY = {
    "gcc": "defined(RK_LANG_HOST) && !defined(__clang__)",
    "clang": "defined(RK_LANG_HOST) && defined(__clang__)",
    "nvrtc sm_90": "defined(__CUDA_ARCH__) && __CUDA_ARCH__ == 900",
    "nvrtc compute_75": "defined(__CUDA_ARCH__) && __CUDA_ARCH__ == 750",
    "pocl 1.2": "defined(RK_LANG_OPENCL) && __OPENCL_C_VERSION__ == 120",
    "pocl 3.0": "defined(RK_LANG_OPENCL) && __OPENCL_C_VERSION__ == 300",
    "clang as metal": "defined(RK_LANG_METAL)",
}


class GateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.made.cleanup)
        gate.load_renderer(Path(cls.made.name))

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = Path(self.folder.name)
        shutil.copytree(self.made.name, self.path / "cache")  # the renderer is made once

    def write(self, name, text):
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def gate(self, *arguments, environment=None):
        done = subprocess.run([sys.executable, GATE, "--cache", str(self.path / "cache"), *arguments],
                              capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stdout + done.stderr

    def said_by(self, compiler, output):
        """What the report quotes of one compiler."""
        quoted = re.search(rf"^-- {re.escape(compiler)}: .*\n((?:(?!-- |gate: ).*\n)*)", output, re.MULTILINE)
        return quoted.group(1) if quoted else ""

    def test_an_error_that_one_compiler_sees_is_reported_with_its_line(self):
        text, lines = GOOD, {}
        for compiler, condition in ONLY.items():
            text += f"#if {condition}\nRK_FN void broken(RK_CTX) {{ no_such_function(rk_ctx); }}\n"
            lines[compiler] = text.count("\n")
            text += "RK_FN void caller(RK_CTX) { broken(rk_ctx); }\n#endif\n"
        kernel = self.write("broken.rk.c", text)

        status, output = self.gate(kernel)

        self.assertEqual(status, 1, output)
        for compiler, line in lines.items():
            if compiler.startswith("nvrtc") and "NVRTC not found" in output:
                continue
            said = self.said_by(compiler, output)
            self.assertRegex(said, rf"broken\.rk\.c[:(]{line}\b", f"{compiler}:\n{output}")
            self.assertIn("no_such_function", said)

    def test_a_message_that_cannot_be_is_refused_by_every_compiler(self):
        mistakes = (("RK_MESSAGE(gap_inside, 1, (rk_u8, flag), (rk_u32, value))", "gap_inside has hidden padding"),
                    ("RK_MESSAGE(nobody, 0, (rk_u32, value))", "the type id of nobody is not in 1 to 65535"),
                    ("RK_MESSAGE(wide, 2, (rk_u64, value, 134217729))", "wide is over 1 GiB"),
                    ("RK_MESSAGE(hollow, 3, (rk_u32, value), (rk_u32, none, 0))", "hollow has an array of no elements"))
        kernel = self.write("mistakes.rk.c", GOOD + "".join(f"{text}\n" for text, _ in mistakes))

        status, output = self.gate(kernel)

        self.assertEqual(status, 1, output)
        for compiler in ONLY:
            if compiler.startswith("nvrtc") and "NVRTC not found" in output:
                continue
            said = self.said_by(compiler, output)
            for line, (_, text) in enumerate(mistakes, GOOD.count("\n") + 1):
                with self.subTest(compiler=compiler, mistake=text):
                    self.assertIn(text, said)
                    self.assertRegex(said, rf"mistakes\.rk\.c[:(]{line}\b")

    def test_an_spmd_kernel_of_larger_messages_than_a_thread_takes_a_copy_of_is_refused_by_every_compiler(self):
        # given one kernel whose messages are as large as may be, and one of a byte more
        spmd = ("RK_BLOB(fitting, 1, 1024)\nRK_SPMD_KERNEL(suits, fitting, gate_number, .threads = 32) {}\n"
                "RK_BLOB(bulging, 2, 1025)\nRK_SPMD_KERNEL(bulges, bulging, gate_number, .threads = 32) {}\n")
        kernel = self.write("spmd.rk.c", GOOD + spmd)

        status, output = self.gate(kernel)

        self.assertEqual(status, 1, output)
        for compiler in ONLY:
            if compiler.startswith("nvrtc") and "NVRTC not found" in output:
                continue
            with self.subTest(compiler=compiler):
                said = self.said_by(compiler, output)
                self.assertIn("bulges is SPMD: its messages must be at most 1024 bytes", said)
                self.assertRegex(said, rf"spmd\.rk\.c[:(]{GOOD.count(chr(10)) + 4}\b")
                self.assertNotIn("suits is SPMD", said)

    def test_a_kernel_may_be_called_as_what_the_loop_itself_has(self):
        entry = (Path(__file__).parents[2] / "include/ringkernel/device/entry.h").read_text()
        names = sorted(set(re.findall(r"^RK_FN\w* \w+ rk_entry_(\w+)\(", entry, re.MULTILINE)))
        self.assertIn("drain", names)
        kernels = "".join(f"RK_HANDLER({name}, gate_number, msg, rk_none, self) {{}}\n" for name in names)
        kernel = self.write("names.rk.c", GOOD + kernels)

        # when the devices' compilers see it, whose entries lie beside the loop
        status, output = self.gate("--only", "pocl 3.0", "--only", "nvrtc sm_90", "--only", "clang as metal", kernel)

        self.assertEqual(status, 0, output)

    def test_a_header_that_one_cxx_compiler_rejects_is_reported(self):
        root = self.path / "root"
        for name in ("kernel.h", "message.h"):
            self.write(f"root/include/ringkernel/{name}", f"typedef int rk_no_{name[0]};\n")
        self.write("root/include/ringkernel/device/broken.h",
                   "#if defined(__cplusplus) && !defined(__CUDACC_RTC__) && !defined(__METAL_VERSION__)\n"
                   "#if defined(__clang__)\nno_such_type a;\n"
                   "#else\nno_such_type b;\n#endif\n#else\ntypedef int rk_something;\n#endif\n")

        status, output = self.gate("--only", "gcc", "--only", "g++", "--only", "clang++", "--root", str(root))

        self.assertEqual(status, 1, output)
        self.assertRegex(self.said_by("clang++", output), r"broken\.h:3\b")
        self.assertRegex(self.said_by("g++", output), r"broken\.h:5\b")
        self.assertEqual(self.said_by("gcc", output), "")
        self.assertIn(" 2 failed", output)

    def test_a_source_that_cannot_be_rendered_is_reported_with_its_line(self):
        kernel = self.write("no_body.rk.c", GOOD + "RK_ON_DRAIN(gate_echo, rk_none, self);\n")

        status, output = self.gate("--only", "pocl 3.0", kernel)

        self.assertEqual(status, 1, output)
        said = self.said_by("pocl 3.0", output)
        self.assertRegex(said, r"no_body\.rk\.c:4:1: RK_ON_DRAIN is not followed by")

    def test_what_metal_has_not_is_reported_with_its_line(self):
        for number, (line, said) in enumerate((("rk_f64 twice(rk_f64 a) { return a * 2.0; }", "invalid operands"),
                                               ("rk_u32 vertex(void) { return 0; }", "poisoned"),
                                               ("rk_u32 f(RK_MSG rk_u32 *a) { RK_LOCAL rk_u32 *b = a; return *b; }", "cannot initialize"))):
            kernel = self.write(f"only_{number}.rk.c", f"{GOOD}#if defined(RK_LANG_METAL)\nRK_FN {line}\n#endif\n")

            status, output = self.gate("--only", "clang as metal", kernel)

            self.assertEqual(status, 1, output)
            self.assertRegex(self.said_by("clang as metal", output), rf"only_{number}\.rk\.c:{GOOD.count(chr(10)) + 2}\b.*{said}")

    def test_each_argument_of_a_metal_kernel_has_a_place_of_its_own(self):
        twice = "__kernel void k(__global int *a [[buffer(0)]], __constant int &b [[buffer(0)]]) {"
        none = "__kernel void k(__global int *a [[buffer(0)]], __local int *b) {"
        good = "__kernel void k(__global int *a [[buffer(0)]], __local int *b [[__local(0)]], int c [[here]]) {"
        self.assertIn("buffer(0) is bound twice", gate.Metal.find_twice_bound(twice))
        self.assertIn("has no place", gate.Metal.find_twice_bound(none))
        self.assertEqual(gate.Metal.find_twice_bound(good), "")

    def test_a_good_kernel_passes_without_nvrtc_and_is_compiled_once(self):
        kernel = self.write("good.rk.c", GOOD)

        status, output = self.gate("--nvrtc", "/nonexistent/libnvrtc.so", kernel)

        self.assertEqual(status, 0, output)
        self.assertIn("nvrtc sm_90: skipped: NVRTC not found", output)
        self.assertRegex(output, r" 5 compilations, 0 failed; \d+ processor seconds in \d+ s\n")
        before = {entry.name: entry.stat().st_mtime_ns for entry in (self.path / "cache").iterdir()}
        status, output = self.gate("--nvrtc", "/nonexistent/libnvrtc.so", kernel)
        self.assertEqual(status, 0, output)
        self.assertEqual(before, {e.name: e.stat().st_mtime_ns for e in (self.path / "cache").iterdir()})

    def test_every_kernel_of_the_repository_is_among_them(self):
        root = GATE.parents[2]
        names = sorted(p.name for p in gate.write_carried(root, self.path).rglob("*.rk.c"))
        self.assertEqual(names, ["bench_kernels.rk.c", "check.rk.c", "filter.rk.c", "sum.rk.c"])
        folders = {p.relative_to(root).parts[0] for p in root.rglob("*.rk.c")} - {"build"}
        self.assertLessEqual(folders, set(gate.KERNEL_FOLDERS))

    def test_the_kernel_of_every_program_that_a_document_shows_is_among_them(self):
        root = GATE.parents[2]
        programs = {path.relative_to(root).as_posix() for path in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
                    if re.search(r"^int main\(", path.read_text(), re.MULTILINE)}
        self.assertEqual(programs, set(gate.SHOWN))
        shown = sorted(gate.write_shown(root, self.path).glob("*.rk.c"))
        self.assertEqual([path.stem for path in shown], ["README.rk", "first-handler.rk"])
        for path in shown:
            self.assertRegex(path.read_text(), r"(?s)\A#include <ringkernel/kernel\.h>.*\nRK_HANDLER\(summer, .*\n}\n\s*\Z")

    def test_every_header_of_the_dialect_is_among_them(self):
        include = GATE.parents[2] / "include/ringkernel"
        folders = {p.parent.relative_to(include).as_posix() for p in include.rglob("*.h")} - {"."}
        self.assertEqual(folders, set(gate.HEADER_FOLDERS))
        # Of those beside the folders, which are for programs, some say how they fare in each language.
        own = {p.name for p in include.glob("*.h") if "RK_LANG_" in p.read_text()}
        self.assertLessEqual(own, set(gate.MORE_HEADERS))

    def test_a_compiler_other_than_nvrtc_must_be_there(self):
        hosts = ("--only", "gcc", "--only", "clang")
        kernel = self.write("good.rk.c", GOOD)
        self.assertEqual(self.gate(*hosts, kernel)[0], 0)
        tools = self.path / "tools"
        tools.mkdir()
        os.symlink("/usr/bin/gcc", tools / "gcc")  # everything is remembered, so no other program is needed

        poor = {**os.environ, "PATH": str(tools)}
        status, output = self.gate(*hosts, kernel, environment=poor)

        self.assertEqual(status, 1, output)
        self.assertIn("clang not found", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
