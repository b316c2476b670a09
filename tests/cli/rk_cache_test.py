#!/usr/bin/python3
"""Compiled kernels are kept: a hit runs no compiler, and a change of anything that a kernel is made of is a miss."""
import os
import pathlib
import re
import signal
import stat
import subprocess
import tempfile
import time
import unittest
from unittest.mock import patch

import rk_command
from rk_command import APP, IO, Case

HEADER = "#define FACTOR 2\n"
KERNEL = """#include <ringkernel/kernel.h>
#include "factor.h"
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(doubler, number, msg, rk_none, self)
{
    number out = {msg->value * FACTOR};
    rk_send(RK_ARG, &out);
}
"""

# Every program that is called so has grown by a byte, for who asks.
UPGRADE = b"""#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>
#include <sys/stat.h>
int stat(const char *path, struct stat *info)
{
    int (*real)(const char *, struct stat *) = (int (*)(const char *, struct stat *))dlsym(RTLD_NEXT, "stat");
    const char *name = strrchr(path, '/');
    int result = real(path, info);
    if (name && !result && (strstr(name, "cc") || strstr(name, "clang"))) info->st_size++;
    return result;
}
"""


# The linker that makes a module leaves half of it, and everything that belongs to the job is killed at once.
KILLER = b"""#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
__attribute__((destructor)) static void die_half_way(void)
{
    static char line[1 << 16];
    int file = open("/proc/self/cmdline", O_RDONLY);
    ssize_t size = file < 0 ? 0 : read(file, line, sizeof line - 1);
    const char *end = line + (size > 0 ? size : 0), *name = strrchr(line, '/'), *output = 0;
    if (strncmp(name ? name + 1 : line, "ld", 2) != 0) return;
    for (const char *at = line; at < end; at += strlen(at) + 1)
        if (!strcmp(at, "-o")) output = at + 3;
    struct stat is;
    if (!output || stat(output, &is)) return;
    if (!truncate(output, is.st_size / 2)) kill(0, SIGKILL);
}
"""


def is_clang():
    """Does the compiler of this build write the list of what it has read?"""
    cache = pathlib.Path(os.environ["RK_BINARY_DIR"]) / "CMakeCache.txt"
    return "clang" in re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", cache.read_text(), re.M)[1]


class Cache(Case):
    def setUp(self):
        super().setUp()
        self.cache = self.folder / "cache"
        self.use(self.cache)

    def use(self, folder):
        self.enterContext(patch.object(rk_command, "CACHE", folder))

    def app_in(self, folder):
        for name, text in (("factor.h", HEADER), ("doubler.rk.c", KERNEL), ("app.yaml", APP)):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder / "app.yaml"

    def modules(self, cache=None):
        """The compiled modules, and when each was made."""
        return {path.name: path.stat().st_mtime_ns for path in ((cache or self.cache) / "ringkernel").glob("*.so")}

    def value(self, app):
        return int(re.fullmatch(rb'{"value":(-?\d+)}\n', self.run_rk("run", app, "--input", "-", stdin=b"value\n10\n").stdout)[1])

    def test_a_kernel_is_compiled_again_when_its_source_or_a_header_has_changed_and_only_then(self):
        app = self.app_in(self.folder / "app")
        self.assertEqual(self.value(app), 20)
        first = self.modules()
        self.assertEqual(len(first), 1)
        self.assertEqual(self.value(app), 20)
        self.assertEqual(self.modules(), first)
        (self.folder / "app" / "factor.h").write_text(HEADER.replace("2", "3"))
        self.assertEqual(self.value(app), 30)
        (self.folder / "app" / "doubler.rk.c").write_text(KERNEL.replace("FACTOR}", "-FACTOR}"))
        self.assertEqual(self.value(app), -30)
        third = self.modules()
        self.assertEqual(len(third), 3)
        self.app_in(self.folder / "app")  # as it was at first: what was compiled then is found
        self.assertEqual(self.value(app), 20)
        self.assertEqual(set(self.modules()), set(third))

    @unittest.skipIf(rk_command.SANITIZERS, "a sanitizer wants to be the first that is preloaded")
    def test_a_kernel_is_compiled_again_when_the_compiler_has_been_replaced(self):
        app, upgrade = self.app_in(self.folder / "app"), self.folder / "upgrade.so"
        self.value(app)
        compiled = self.modules()
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", upgrade, "-ldl"], input=UPGRADE, check=True)
        upgraded = dict(rk_command.environment(), LD_PRELOAD=str(upgrade))
        with patch.object(rk_command, "environment", lambda: upgraded):
            for _ in range(2):
                self.assertEqual(self.value(app), 20)
                self.assertEqual(len(self.modules()), 2)
        self.assertLessEqual(set(compiled), set(self.modules()))

    @unittest.skipIf(rk_command.SANITIZERS, "a sanitizer wants to be the first that is preloaded")
    def test_half_a_module_of_a_job_that_was_killed_is_never_loaded_and_goes_after_a_day(self):
        # given a job that is killed, with its compiler, when half of a module is written
        app, killer, folder = self.app_in(self.folder / "app"), self.folder / "killer.so", self.cache / "ringkernel"
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", killer], input=KILLER, check=True)
        job = subprocess.Popen([rk_command.RK, "run", app, "--input", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=dict(rk_command.environment(), LD_PRELOAD=str(killer)), start_new_session=True)
        self.assertEqual((job.communicate(b"value\n10\n", timeout=60)[0], job.returncode), (b"", -signal.SIGKILL))
        left = set(os.listdir(folder))
        half = [name for name in left if name.endswith(".so")]
        self.assertEqual(len(half), 1)
        self.assertRegex(half[0], r"^ringkernel-part-[0-9a-f]{16}\.so$")
        self.assertEqual([name for name in left if not name.startswith("ringkernel-part-")], [])
        # when it runs again, then it compiles, and what is a day old goes with the next module that is written
        self.assertEqual(self.value(app), 20)
        self.assertLessEqual(left, set(os.listdir(folder)))
        whole = self.modules().keys() - left
        self.assertEqual(len(whole), 1)
        for name in left:
            os.utime(folder / name, (time.time() - 25 * 3600,) * 2)
        self.assertEqual(self.value(app), 20)
        self.assertLessEqual(left, set(os.listdir(folder)))  # nothing was written
        (self.folder / "app" / "factor.h").write_text(HEADER.replace("2", "3"))
        self.assertEqual(self.value(app), 30)
        self.assertEqual(left & set(os.listdir(folder)), set())
        self.assertLess(whole, self.modules().keys())

    def test_folders_with_names_that_mean_something_to_make(self):
        cache = self.folder / "cache of: #1 $2"
        self.use(cache)
        for strange in ("a#b$c d:e%", "f\\g\\ h\\#"):
            if "\\" in strange and is_clang():
                continue  # it lists a slash for each backslash: there is no telling which
            before = self.modules(cache)
            app = self.app_in(self.folder / strange)
            self.assertEqual(self.value(app), 20)
            first = self.modules(cache)
            self.assertEqual(len(first), len(before) + 1)
            self.assertEqual(self.value(app), 20)
            self.assertEqual(self.modules(cache), first)
            (app.parent / "factor.h").write_text(HEADER.replace("2", "3"))
            self.assertEqual(self.value(app), 30)

    def test_a_cache_that_cannot_be_made_is_told_with_what_to_do(self):
        self.use(self.write("file", ""))
        errors = self.run_rk("run", self.app_in(self.folder / "app"), "--input", "-", code=IO).errors
        self.assertIn("can't make the cache folder", errors)
        self.assertIn("XDG_CACHE_HOME says where another is", errors)

    def test_a_cache_in_the_common_folder_that_others_may_write_in_is_not_used(self):
        common = pathlib.Path("/tmp/ringkernel-%d" % os.getuid())
        if common.exists():
            self.skipTest("somebody uses it")
        app = self.app_in(self.folder / "app")
        nowhere = {name: value for name, value in rk_command.environment().items() if name not in ("HOME", "XDG_CACHE_HOME")}
        with patch.object(rk_command, "environment", lambda: nowhere):
            os.symlink(tempfile.mkdtemp(dir=self.folder), common)
            self.addCleanup(common.unlink)
            self.assertIn("is somebody else's, or others may write there", self.run_rk("run", app, "--input", "-", code=IO).errors)
            self.assertIn("is somebody else's", self.run_rk("bench", "--quick", "idle", code=rk_command.KERNEL).errors)
        self.assertTrue(stat.S_ISLNK(os.lstat(common).st_mode))
        self.assertEqual(os.listdir(common), [])


if __name__ == "__main__":
    rk_command.main()
