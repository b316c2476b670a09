"""What `rk devices` tells of CUDA: each device with what it has, or the reason why there is none. The driver is a mock."""
import json
import os
import pathlib
import subprocess
import unittest.mock

from rk_command import APP, KERNEL, USAGE, Case, main

MOCKS = pathlib.Path(os.environ.get("RK_BINARY_DIR", "")) / "tests" / "mock"


class Devices(Case):
    def told(self, *arguments, **variables):
        with unittest.mock.patch.dict(os.environ, {"LD_LIBRARY_PATH": str(MOCKS), **variables}):
            return self.run_rk("devices", *arguments).stdout.decode()

    def cuda(self, **variables):
        return json.loads(self.told("--json", **variables))[1]

    def test_each_device_with_what_it_has_and_has_not(self):
        told = self.cuda(MOCK_CUDA_DEVICES="2")
        self.assertEqual((told["driver"], len(told["devices"])), (13000, 2))
        self.assertNotIn("missing", told)
        first, second = told["devices"]
        self.assertEqual((first["name"], first["version"], first["units"]), ("Mock GPU 0", "compute capability 9.0", 132))
        self.assertEqual((first["memory"], second["bus"]), (80 << 30, "0000:02:00.0"))
        self.assertLessEqual({"cooperative launch", "clusters", "virtual memory of the host"}, set(first["can"]))
        self.assertIn("atomics over the bus", first["cannot"])
        self.assertNotIn("unusable", first)
        text = self.told(MOCK_CUDA_DEVICES="2")
        self.assertIn("cuda    1  Mock GPU 1, compute capability 9.0, 132 units, 80.0 GiB", text)
        self.assertIn("has: cooperative launch, clusters", text)
        self.assertIn("has not: atomics over the bus", text)
        self.assertRegex(first["memory_in_host"], r"GDRCopy.*\(/dev/gdrdrv")
        self.assertIn("its memory in the host: " + first["memory_in_host"], text)

    def test_each_device_with_those_that_it_reaches(self):
        for links, access, atomics, said in (("0", True, True, "reached over NVLink, with atomics"),
                                             ("1", False, False, "not reached; no runtime over both"),
                                             ("2", True, False, "reached over PCIe, without atomics")):
            told = self.cuda(MOCK_CUDA_DEVICES="3", MOCK_CUDA_LINKS=links)
            self.assertEqual([device["links"] for device in told["devices"]],
                             [[{"to": to, "access": access, "atomics": atomics} for to in range(3) if to != i] for i in range(3)])
            self.assertIn(f"device 2: {said}", self.told(MOCK_CUDA_DEVICES="3", MOCK_CUDA_LINKS=links))
        self.assertEqual(self.cuda(MOCK_CUDA_DEVICES="1")["devices"][0]["links"], [])

    def test_why_there_is_none(self):
        for variables, reason in (({"MOCK_CUDA_DEVICES": "0"}, "CUDA_VISIBLE_DEVICES hides it"),
                                  ({"MOCK_CUDA_VERSION": "11080"}, "it supports CUDA 11.8, and 12.0 is needed"),
                                  ({"MOCK_CUDA_FAIL": "cuInit:803"}, "reboot after an update"),
                                  ({"MOCK_CUDA_FAIL": "cuDeviceGetName:46"}, "another process has the device")):
            told = self.cuda(**variables)
            self.assertEqual(told["devices"], [])
            self.assertIn(reason, told["missing"])
            self.assertIn(reason, self.told(**variables))

    def test_the_line_of_a_backend_says_whether_kernels_run_here_and_else_why_not(self):
        with unittest.mock.patch.dict(os.environ, {"RK_OPENCL_LIBRARY": "/nonexistent"}):
            lines = self.told(MOCK_CUDA_DEVICES="0").splitlines()
        none = self.cuda(MOCK_CUDA_DEVICES="0")
        why, more = none["missing"].splitlines()
        self.assertEqual(lines[1:3], [f"cuda    -  can't run here: {why}; `rk check` compiles for it, with {none['compiler']}", more])
        self.assertRegex(lines[3], "^opencl  -  can't run here: .*/nonexistent.*; nothing compiles for it$")
        one = self.told(MOCK_CUDA_DEVICES="1").splitlines()
        self.assertRegex(one[1], "^cuda    0  Mock GPU 0, .* 80.0 GiB: runs kernels$")
        unusable = self.told(CUDA_LAUNCH_BLOCKING="1", MOCK_CUDA_DEVICES="1").splitlines()
        self.assertRegex(unusable[1], "^cuda    0  Mock GPU 0, .* 80.0 GiB: can't run here; `rk check` compiles for it, with NVRTC [0-9.]+$")

    def test_a_device_for_which_nothing_compiles_is_told_with_the_whole_reason(self):
        # given a device, and of NVRTC only files that are none, with long names
        libraries = [self.folder / ("a" * 100) / f"lib{i}" / "libnvrtc.so.13" for i in range(2)]
        for library in libraries:
            library.parent.mkdir(parents=True)
            library.symlink_to(MOCKS / "libcuda.so.1")
        with unittest.mock.patch.dict(os.environ, {"LD_PRELOAD": self.without_other_libraries_of("nvrtc"), "CUDA_HOME": str(libraries[0].parents[1])}):
            # when it is told
            told, text = self.cuda(MOCK_CUDA_DEVICES="1"), self.told(MOCK_CUDA_DEVICES="1")
        # then it names each
        self.assertEqual((told["runs"], told["compiles"], len(told["devices"])), (False, False, 1))
        for library in libraries:
            self.assertIn(f"'{library}' is none that we know", told["missing"])
        why, *more = told["missing"].splitlines()
        lines = text.splitlines()
        self.assertRegex(lines[1], "^cuda    0  Mock GPU 0, .* 80.0 GiB: can't run here: ")
        self.assertTrue(lines[1].endswith(f": can't run here: {why}; nothing compiles for it"), lines[1])
        self.assertEqual(lines[2:2 + len(more)], ["           " + line for line in more])

    def without_other_libraries_of(self, name):
        """What is loaded before all else, so that libraries of that name are only loaded from the test's folder."""
        source = self.write("only.c", """#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
void *dlopen(const char *file, int mode)
{
    void *(*next)(const char *, int) = (void *(*)(const char *, int))dlsym(RTLD_NEXT, "dlopen");
    return file && strstr(file, "%s") && !strstr(file, "%s") ? 0 : next(file, mode);
}
""" % (name, self.folder))
        library = self.folder / "only.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
        return str(library)

    def test_a_device_that_can_not_be_used_is_told_with_the_reason(self):
        told = self.cuda(CUDA_LAUNCH_BLOCKING="1")
        self.assertIn("each launch would wait", told["devices"][0]["unusable"])
        self.assertIn("unusable: CUDA_LAUNCH_BLOCKING is '1'", self.told(CUDA_LAUNCH_BLOCKING="1"))

    def run_on(self, devices, *arguments, code, backend="cuda", app=APP, **variables):
        path = self.app(app)
        with unittest.mock.patch.dict(os.environ, {"LD_LIBRARY_PATH": str(MOCKS), **variables}):
            return self.run_rk("run", path, "--input", "-", "--backend", backend, "--devices", devices, *arguments, code=code).errors

    def test_a_list_of_devices_that_is_none_is_refused(self):
        for devices in ("", "x", "0,", ",1", "0 1", "-1", "0,x", ",".join("0" * 17)):
            self.assertIn(f"--devices is '{devices}': it must be up to 16 numbers with commas", self.run_on(devices, code=USAGE))
        self.assertIn("--devices needs --backend cuda", self.run_on("0", code=USAGE, backend="cpu"))

    def test_devices_that_do_not_reach_each_other_are_refused(self):
        told = self.run_on("1,0", code=USAGE, MOCK_CUDA_DEVICES="2", MOCK_CUDA_LINKS="2")
        self.assertIn("CUDA devices 1 (Mock GPU 1) and 0 (Mock GPU 0): one has no atomics in the other's memory", told)

    def test_a_kernel_on_a_device_that_the_list_has_not_is_told_with_its_place(self):
        app = APP.replace("{ source: doubler.rk.c }", "{ source: doubler.rk.c, device: 2 }")
        told = self.run_on("0,1", code=KERNEL, app=app, MOCK_CUDA_DEVICES="2")
        self.assertIn("kernel 'doubler': RK_INVALID_OPTIONS", told)
        self.assertIn("device 2: the runtime has 2, from 0 on", told)


if __name__ == "__main__":
    main()
