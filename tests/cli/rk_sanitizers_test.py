#!/usr/bin/python3
"""A kernel is compiled as the command itself was: by the same compiler, with the flags of the build; in one with sanitizers they watch
its handlers, too."""
import json
import os
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

# It answers with what its compiler was told.
COMPILED = """#include <ringkernel/kernel.h>
#if defined(__has_feature)
#define ADDRESS __has_feature(address_sanitizer)
#define THREAD __has_feature(thread_sanitizer)
#else
#ifdef __SANITIZE_ADDRESS__
#define ADDRESS 1
#endif
#ifdef __SANITIZE_THREAD__
#define THREAD 1
#endif
#endif
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(compiled, 2, (rk_i64, clang), (rk_i64, optimised), (rk_i64, without_assertions), (rk_i64, address), (rk_i64, thread))
RK_HANDLER(doubler, number, msg, rk_none, self)
{
    compiled out = { 0 };
    (void)msg;
#ifdef __clang__
    out.clang = 1;
#endif
#ifdef __OPTIMIZE__
    out.optimised = 1;
#endif
#ifdef NDEBUG
    out.without_assertions = 1;
#endif
#ifdef ADDRESS
    out.address = ADDRESS;
#endif
#ifdef THREAD
    out.thread = THREAD;
#endif
    rk_send(RK_ARG, &out);
}
"""


class Flags(Case):
    @unittest.skipUnless("RK_C_FLAGS" in os.environ, "run without ctest, which tells the flags of the build")
    def test_a_kernel_is_compiled_by_the_compiler_and_with_the_flags_of_the_build(self):
        flags, sanitizers = os.environ["RK_C_FLAGS"].split(), SANITIZERS.split(",")
        levels = [flag for flag in flags if flag.startswith("-O")]
        done = self.run_app(self.app(kernel=COMPILED), "--input", "-", stdin=b"value\n1\n")
        self.assertEqual(json.loads(done.stdout), {
            "clang": int("Clang" in os.environ["RK_C_COMPILER_ID"]),
            "optimised": int(bool(levels) and levels[-1] != "-O0"),
            "without_assertions": int("-DNDEBUG" in flags),
            "address": int("address" in sanitizers),
            "thread": int("thread" in sanitizers),
        })


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
