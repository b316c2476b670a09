"""What `rk devices` tells of CUDA: each device with what it has, or the reason why there is none. The driver is a mock."""
import json
import os
import pathlib
import unittest.mock

from rk_command import Case, main

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

    def test_why_there_is_none(self):
        for variables, reason in (({"MOCK_CUDA_DEVICES": "0"}, "CUDA_VISIBLE_DEVICES hides it"),
                                  ({"MOCK_CUDA_VERSION": "11080"}, "it supports CUDA 11.8, and 12.0 is needed"),
                                  ({"MOCK_CUDA_FAIL": "cuInit:803"}, "reboot after an update"),
                                  ({"MOCK_CUDA_FAIL": "cuDeviceGetName:46"}, "another process has the device")):
            told = self.cuda(**variables)
            self.assertEqual(told["devices"], [])
            self.assertIn(reason, told["missing"])
            self.assertIn(reason, self.told(**variables))

    def test_a_device_that_can_not_be_used_is_told_with_the_reason(self):
        told = self.cuda(CUDA_LAUNCH_BLOCKING="1")
        self.assertIn("each launch would wait", told["devices"][0]["unusable"])
        self.assertIn("unusable: CUDA_LAUNCH_BLOCKING is '1'", self.told(CUDA_LAUNCH_BLOCKING="1"))


if __name__ == "__main__":
    main()
