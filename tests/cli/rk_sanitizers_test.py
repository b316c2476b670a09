#!/usr/bin/python3
"""A kernel is compiled as the command itself was: in a build with sanitizers they watch its handlers, too."""
import unittest

import rk_command
from rk_command import APP, SANITIZERS, Case, rk

# The value says what happens to it; `four` is an array that the compiler doesn't know as such.
KERNEL = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_FN void put(rk_i64 *four, rk_i64 at) { four[at] = at; }
RK_HANDLER(doubler, number, msg, rk_none, self)
{
    rk_i64 four[4] = { 0 };
    put(four, msg->value);
    number out = { four[0] + msg->value * 4611686018427387904 };
    rk_send(RK_ARG, &out);
}
"""


class Handlers(Case):
    def run_with(self, value):
        self.write("doubler.rk.c", KERNEL)
        return rk("run", self.write("app.yaml", APP), "--input", "-", stdin=b"value\n%d\n" % value)

    def test_a_handler_without_a_mistake_runs(self):
        done = self.run_with(1)
        self.assertEqual((done.returncode, done.stdout), (0, b'{"value":4611686018427387904}\n'), done.errors)

    @unittest.skipUnless("address" in SANITIZERS, "a build without AddressSanitizer")
    def test_a_handler_that_writes_past_its_array_ends_the_job(self):
        done = self.run_with(4)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("AddressSanitizer: stack-buffer-overflow", done.errors)
        self.assertIn("doubler.rk.c", done.errors)

    @unittest.skipUnless("undefined" in SANITIZERS, "a build without UndefinedBehaviorSanitizer")
    def test_a_handler_whose_sum_is_too_large_ends_the_job(self):
        done = self.run_with(3)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("signed integer overflow", done.errors)
        self.assertIn("doubler.rk.c", done.errors)


if __name__ == "__main__":
    rk_command.main()
