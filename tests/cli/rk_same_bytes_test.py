#!/usr/bin/python3
"""The examples that are apps give the bytes that are kept, by each backend and mode that this machine can run: one table, in
build/same-bytes.txt. RK_SAME_BYTES picks examples between commas, or "all"; without it CI's, as an OpenCL driver compiles each
kernel once and takes its time. What a GPU gives is written by scripts/gpu-check, whose machine needs no library of `rk`."""
import os
import sys
from pathlib import Path
from unittest.mock import patch

import rk_command
from rk_command import Case, main

EXAMPLES = Path(os.environ["RK_SOURCE_DIR"]) / "examples"
TABLE = Path(os.environ.get("RK_BINARY_DIR", ".")) / "same-bytes.txt"
COMPILING = 900  # seconds that an example's kernels may take a loaded machine
UNORDERED = ("connections", "life", "mandelbrot", "pagerank", "prime-count", "shop")  # several shards write
OF_CI = ("prime-count",)  # flight-delays is rk_opencl_test's
os.environ.setdefault("POCL_CACHE_DIR", os.path.join(os.environ.get("RK_BINARY_DIR", "."), "opencl-cache"))

# By name: arguments, what OpenCL is used without, PoCL's device.
WAYS = {
    "cpu": ((), "", None),
    "opencl": (("--backend", "opencl"), "", None),
    "opencl, copies": (("--backend", "opencl"), "shared atomics", None),
    "opencl, 32-bit": (("--backend", "opencl"), "shared atomics,64-bit atomics,OpenCL C 3.0", None),
    "opencl, basic": (("--backend", "opencl"), "", "basic"),
}
APART = {"opencl, copies": (), "opencl, 32-bit": (), "opencl, basic": ("prime-count",)}  # of these alone, unless all are asked for


def chosen():
    said = os.environ.get("RK_SAME_BYTES", "")
    apps = sorted(app.parent.name for app in EXAMPLES.glob("*/app.yaml"))
    return apps if said == "all" else [app for app in apps if app in (said.split(",") if said else OF_CI)]


class SameBytes(Case):
    def lines_of(self, name, way):
        """What an example gives. In order, where a single shard writes; several do so as they come."""
        arguments, without, device = WAYS[way]
        variables = {"RK_OPENCL_WITHOUT": without} | ({"POCL_DEVICES": device} if device else {})
        with patch.dict(os.environ, variables):
            done = self.run_app(EXAMPLES / name / "app.yaml", *arguments, seconds=COMPILING)
        self.assertTrue(done.summary["balanced"])
        lines = done.stdout.splitlines()
        return sorted(lines) if name in UNORDERED else lines

    def test_every_way_gives_the_bytes_that_are_kept(self):
        rows, everything = {}, os.environ.get("RK_SAME_BYTES") == "all"
        ways = list(WAYS) if rk_command.has_opencl() else ["cpu"]
        for name in chosen():
            kept = next(iter(sorted((EXAMPLES / name / "expected").glob("r*.ndjson")))).read_bytes().splitlines()
            kept = sorted(kept) if name in UNORDERED else kept
            rows[name] = {way: "same" if self.lines_of(name, way) == kept else "differs"
                          for way in ways if everything or name in APART.get(way, (name,))}
        widest = max(map(len, rows))
        lines = [" " * widest + "".join(f"  {way:>14}" for way in ways)]
        lines += [f"{name:{widest}}" + "".join(f"  {row.get(way, '-'):>14}" for way in ways) for name, row in rows.items()]
        TABLE.write_text("\n".join(lines) + "\n")
        print("\n".join(lines))
        self.assertEqual({name: row for name, row in rows.items() if "differs" in row.values()}, {})


if __name__ == "__main__":
    main()
