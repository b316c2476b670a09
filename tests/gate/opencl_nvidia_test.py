#!/usr/bin/python3
"""What NVIDIA's OpenCL compiler is given, as clang makes PTX of it: a block's memory begins where units may, a fence reaches past the
block, and an acquire or release costs no sequential fence."""
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))
import rk_command  # noqa: E402

KERNEL = ROOT / "tests/kernels/guide_reduction.rk.c"
CLANG = shutil.which("clang") or shutil.which("clang-14")
OPTIONS = ("-x", "cl", "-cl-std=CL3.0", "-target", "nvptx64-nvidia-nvcl", "-Xclang", "-finclude-default-header", "-Xclang", "-target-feature",
           "-Xclang", "+ptx75", "-O1", "-w", "-DRK_NO_ORDERS", "-DRK_UNIT_GROUP=64", "-DRK_UNIT_CALLS", f"-I{ROOT}/include",
           "-Dcl_khr_int64_base_atomics=1", "-Dcl_khr_int64_extended_atomics=1", "-S", "-o", "-", "-")


def ptx_for(compute):
    unit = rk_command.rk("codegen", "--backend", "opencl", str(KERNEL)).stdout
    made = subprocess.run([CLANG, "-Xclang", "-target-cpu", "-Xclang", f"sm_{compute}", f"-DRK_UNIT_SM={compute}", *OPTIONS], input=unit,
                          capture_output=True, check=False, timeout=120)
    if made.returncode:
        raise AssertionError(made.stderr.decode()[:3000])
    return made.stdout.decode()


@unittest.skipUnless(CLANG, "clang not found")
class NvidiaOpencl(unittest.TestCase):
    def test_a_blocks_memory_begins_where_units_may(self):
        shared = re.findall(r"\.param \.u(?:32|64) \.ptr \.shared \.align (\d+) rk_entry_of_", ptx_for(86))
        self.assertGreater(len(shared), 0)
        self.assertEqual(set(shared), {"16"})

    def test_a_fence_reaches_past_the_block(self):
        for compute, cheaper in (60, False), (75, True):
            with self.subTest(compute=compute):
                fences = re.findall(r"(?:membar|fence)[.\w]+", ptx_for(compute))
                self.assertIn("membar.gl", fences)  # of both sides, and the sequential order's
                self.assertNotIn("membar.cta", fences)
                self.assertEqual("fence.acq_rel.gpu" in fences, cheaper)


if __name__ == "__main__":
    unittest.main()
