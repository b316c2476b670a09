#!/usr/bin/python3
"""`rk check` compiles for every backend at hand and tells pitfalls, for a person and for a program."""
import json
import os
import subprocess
from unittest.mock import patch

import rk_command
from rk_command import FOUND, IO, OK, QUICK, USAGE, Case


class Check(Case):
    def check(self, *files, code):
        return json.loads(self.run_rk("check", "--json", *files, code=code, seconds=110).stdout)

    def test_a_clean_kernel_of_an_app(self):
        told = self.check(self.app(), code=OK)
        self.assertEqual([one["file"] for one in told], [str(self.folder / "doubler.rk.c")])
        self.assertEqual(told[0]["findings"], [])
        backends = [(one["backend"], one["compiler"]) for one in told[0]["backends"]]
        self.assertEqual(backends[1:], [("cuda", "sm_90"), ("cuda", "sm_75"), ("opencl", "CL1.2"), ("opencl", "CL3.0")])
        for one in told[0]["backends"]:
            self.assertIn(one["compiled"], (True, None), one["text"])
        self.assertTrue(told[0]["backends"][0]["compiled"])

    def test_a_kernel_that_does_not_compile(self):
        kernel = self.write("doubler.rk.c", rk_command.DOUBLER.replace("number out", "numer out"))
        told = self.run_rk("check", kernel, code=FOUND, seconds=110).stdout.decode()
        self.assertRegex(told, r"cpu +the compiler of this build +REFUSED\n( {6}.*\n)* {6}\S*doubler\.rk\.c:7:5: error: unknown type name .numer.")
        self.assertIn("numer out = {msg->value", told)
        words = {"cuda": r"\S*doubler\.rk\.c\(7\): error: identifier .numer. is undefined",
                 "opencl": r"error: \S*doubler\.rk\.c:7:5: unknown type name .numer."}
        for device in () if rk_command.SANITIZERS else words:
            self.assertRegex(told, rf"{device} +\w+[ .0-9]* +(REFUSED\n( {{6}}.*\n)* {{6}}{words[device]}|not at hand)")

    def test_warnings_of_each_compiler_are_told_with_file_and_line_and_fail_nothing(self):
        kernel = self.write("shifty.rk.c", rk_command.DOUBLER.replace("    if (msg->value < 0)", "    out.value << 3;\n    if (msg->value < 0)"))
        places = {"cpu": r"shifty.rk.c:8:\d+: warning", "cuda": r"shifty.rk.c\(8\): warning", "opencl": r"warning: \S*shifty.rk.c:8:"}
        with patch.dict(os.environ, QUICK if rk_command.SANITIZERS else {}):
            for one in self.check(kernel, code=OK)[0]["backends"]:
                if one["backend"] == "cpu" or (one["compiled"] and not rk_command.SANITIZERS):
                    self.assertRegex(one["text"], places[one["backend"]])
        with patch.dict(os.environ, QUICK):  # and again, when the module is in the cache
            told = self.run_rk("check", kernel, code=OK).stdout.decode()
        self.assertRegex(told, r"compiler of this build +compiles, with warnings\n(.*\n)* +\S*shifty.rk.c:8:\d+: warning")
        self.assertRegex(told, r"cuda +sm_90 +compiles\n")

    @patch.dict(os.environ, QUICK)
    def test_a_pitfall_that_every_compiler_takes_is_told_with_its_line_and_remedy(self):
        recursive = rk_command.DOUBLER + "RK_FN rk_u32 down(rk_u32 n)\n{\n    return n ? down(n - 1) : 0;\n}\n"
        told = self.run_rk("check", self.write("twice.rk.c", recursive), code=FOUND).stdout.decode()
        self.assertRegex(told, r"twice.rk.c:1[0-9]: recursion: .*\n +write a loop")
        self.assertNotIn("REFUSED", told)
        self.assertRegex(told, r"opencl CL3.0 +not at hand\n +no OpenCL: /nonexistent")

    def test_what_the_compiler_of_the_cpu_takes_and_no_kernel_may_do(self):
        text = rk_command.DOUBLER.replace("#include", "#include <stdlib.h>\n#include", 1).replace(
            "    if (msg->value < 0)", "    static rk_u64 count;\n    if (++count == 0) while (1) free(malloc(1));\n    if (msg->value < 0)")
        told = self.check(self.write("hosted.rk.c", text), code=FOUND)[0]
        self.assertTrue(told["backends"][0]["compiled"], told["backends"][0]["text"])
        self.assertEqual(sorted(one["rule"] for one in told["findings"]),
                         ["endless-loop", "global-variable", "host-call", "host-call"])

    def test_an_app_file_with_mistakes(self):
        app = self.write("app.yaml", "kernels: {a: {source: doubler.rk.c}}\nroutes: [input -> a]\n")
        self.assertIn("lacks 'app'", self.run_rk("check", app, code=USAGE).errors)

    def test_files_that_are_no_kernels(self):
        os.mkfifo(self.folder / "pipe.rk.c")
        for file, told in ((self.folder / "none.rk.c", "No such file"), (self.folder, "is a folder"), ("/dev/zero", "is no regular file"),
                           (self.folder / "pipe.rk.c", "is no regular file"), (self.write("large.c", b" " * (16 << 20) + b" "), "is over 16 MiB")):
            self.assertIn(told, self.run_rk("check", file, code=IO).errors)
            self.assertIn(told, self.run_rk("codegen", file, "--backend", "cpu", code=IO).errors)
        app = self.write("app.yaml", rk_command.APP.replace("doubler.rk.c", "pipe.rk.c"))
        self.assertIn("app.yaml:3:22: source ", self.run_rk("check", app, code=USAGE).errors)

    def test_every_file_is_looked_at_before_any_is_compiled(self):
        fine, none = self.write("doubler.rk.c", rk_command.DOUBLER), self.folder / "none.rk.c"
        with patch.object(rk_command, "CACHE", self.folder / "cache"):
            for files, code, told in (((fine, none, self.folder), IO, ["No such file", "is a folder"]),
                                      ((fine, self.write("app.yaml", "app: a\n"), none), IO, ["lacks 'kernels'", "No such file"]),
                                      ((fine, self.write("app.yaml", "app: a\n")), USAGE, ["lacks 'kernels'"])):
                done = self.run_rk("check", "--json", *files, code=code)
                for one in told:
                    self.assertIn(one, done.errors)
                self.assertEqual(json.loads(done.stdout), [])
                self.assertFalse((self.folder / "cache").exists())

    @patch.dict(os.environ, QUICK)
    def test_a_source_is_checked_once(self):
        app = self.app()
        self.assertEqual(len(self.check(app, app, self.folder / "doubler.rk.c", code=OK)), 1)

    @patch.dict(os.environ, QUICK)
    def test_standard_output_on_a_full_disk(self):
        for more in ([], ["--json"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([rk_command.RK, "check", *more, str(self.app())], stdout=full, check=False,
                                      env=rk_command.environment())
            self.assertEqual(done.returncode, IO)


if __name__ == "__main__":
    if rk_command.SANITIZERS:  # which see nothing of a device's own compiler, and slow it down
        os.environ.update(QUICK)
    rk_command.main()
