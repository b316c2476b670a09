#!/usr/bin/python3
"""`rk` on an OpenCL device: the job's bytes are the CPU's, its account is balanced, and mistakes are told where they are.
Skipped where there is no device, and under sanitizers, which would report what PoCL and LLVM do."""
import json
import os
import sys
from unittest.mock import patch

import rk_command
from rk_command import JOB, Case, main

# Code that a run compiles is kept beside the build, so that it is compiled once.
os.environ.setdefault("POCL_CACHE_DIR", os.path.join(os.environ.get("RK_BINARY_DIR", "."), "opencl-cache"))

COPIES = "shared atomics"  # what a device is used without that shares no memory
COMPILING = 500  # seconds that three kernels may take a loaded machine


class OpenCL(Case):
    def test_the_job_equals_the_kept_result(self):
        done = self.run_app(JOB / "app.yaml", "--backend", "opencl", seconds=COMPILING)
        self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes())
        self.assertTrue(done.summary["balanced"])
        self.assertEqual(done.summary["backend"], "opencl")
        self.assertTrue(all(check["holds"] for check in done.summary["checks"]))

    def test_what_does_not_build_is_told_with_the_users_line(self):
        broken = rk_command.DOUBLER.replace("number out = {msg->value", "rk_i64 half = msg->value;\n    number out = {half")
        app = self.app(kernel=broken)
        self.assertEqual(self.run_rk("run", app, "--input", "-", stdin=b"value\n4\n").stdout, b'{"value":8}\n')
        refused = self.run_rk("run", app, "--backend", "opencl", "--input", "-", stdin=b"value\n4\n", code=rk_command.KERNEL)
        self.assertIn("kernel 'doubler' doesn't build for", refused.errors)
        self.assertIn("doubler.rk.c:7:", refused.errors)

    def test_a_kernel_has_a_body_for_each_precision(self):
        # 2^24 + 1 is no float: the product says in which of them it was computed.
        kernel = rk_command.DOUBLER.replace("number out = {msg->value * RK_PARAM_OF(factor)};", """
#if defined(RK_HAS_F64)
    rk_f64 product = (rk_f64)msg->value * RK_PARAM_OF(factor);
#else
    rk_f32 product = (rk_f32)msg->value * RK_PARAM_OF(factor);
#endif
    number out = {(rk_i64)product};""")
        app, row = self.app(kernel=kernel), b"value\n16777217\n"
        for without, expected in (COPIES, b'{"value":33554434}\n'), (COPIES + ",double precision", b'{"value":33554432}\n'):
            with self.subTest(without=without):
                with patch.dict(os.environ, RK_OPENCL_WITHOUT=without):
                    done = self.run_rk("run", app, "--backend", "opencl", "--input", "-", stdin=row, seconds=COMPILING)
                self.assertEqual(done.stdout, expected)

    def test_a_kernel_that_needs_doubles_is_refused_where_there_are_none(self):
        app = self.app(kernel=rk_command.DOUBLER.replace("RK_REASON(negative)", "RK_REASON(negative)\nRK_NEEDS_F64"))
        with patch.dict(os.environ, RK_OPENCL_WITHOUT=COPIES + ",double precision"):
            refused = self.run_rk("run", app, "--backend", "opencl", "--input", "-", stdin=b"value\n4\n", code=rk_command.KERNEL)
        self.assertIn("this source computes with doubles, which this device doesn't have", refused.errors)
        self.assertIn("doubler.rk.c:4:", refused.errors)

    def test_the_device_is_told_with_its_mode_and_why(self):
        told = json.loads(self.run_rk("devices", "--json").stdout)[2]
        device = told["devices"][0]
        self.assertTrue(told["runs"])
        self.assertIn(device["compiled_as"], ("CL1.2", "CL3.0"))
        self.assertRegex(device["mode"], "^(copy slices: .|persistent, with one unit left free|slices without copies)")
        abilities = {"double precision", "64-bit atomics", "orders at device scope", "shared memory by mapping", "OpenCL C 3.0",
                     "fine-grained shared memory", "shared system memory", "shared atomics", "sub-groups"}
        self.assertEqual(set(device["can"]) | set(device["cannot"]), abilities)
        text = self.run_rk("devices").stdout.decode()
        self.assertIn("mode: " + device["mode"], text)
        self.assertIn("OpenCL C: " + device["c_versions"], text)


if __name__ == "__main__":
    skip = "sanitizers" if rk_command.SANITIZERS else None
    if rk_command.RK and not skip:
        told = json.loads(rk_command.rk("devices", "--json").stdout)[2]
        skip = None if told["runs"] else told.get("missing", "no OpenCL device that can run kernels")
    if skip:
        print("skipped:", skip)
        sys.exit(77)
    main()
