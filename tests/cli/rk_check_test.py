#!/usr/bin/python3
"""`rk check` compiles for every backend at hand and tells pitfalls, for a person and for a program."""
import json
import os
from unittest.mock import patch

import rk_command
from rk_command import FOUND, IO, OK, USAGE, Case

# A compiler that takes everything, and none: the devices' own take seconds for a kernel.
QUICK = {"LD_LIBRARY_PATH": os.path.join(os.environ.get("RK_BINARY_DIR", ""), "tests", "mock"), "RK_OPENCL_LIBRARY": "/nonexistent"}


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
        self.assertRegex(told, r"cpu +the compiler of this build +REFUSED")
        self.assertIn("doubler.rk.c:7", told)
        for device in () if rk_command.SANITIZERS else ("cuda", "opencl"):
            self.assertRegex(told, rf"{device} +\w+[ .0-9]* +(REFUSED|not at hand)")

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
        self.assertIn("No such file", self.run_rk("check", self.folder / "none.rk.c", code=IO).errors)
        self.assertIn("is a folder", self.run_rk("check", self.folder, code=IO).errors)


if __name__ == "__main__":
    if rk_command.SANITIZERS:  # which see nothing of a device's own compiler, and slow it down
        os.environ.update(QUICK)
    rk_command.main()
