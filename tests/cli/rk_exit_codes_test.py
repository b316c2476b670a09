#!/usr/bin/python3
"""Exit codes, where several things have happened at once: of 3, 5, 4 and 130 the first that holds, and the summary says the rest."""
import json
import os
import signal
import subprocess
import time
from unittest.mock import patch

import rk_command
from rk_command import FOUND, INTERRUPTED, IO, KERNEL, OK, QUICK, UNBALANCED, USAGE, Case, start

# 7 fails the kernel, what is negative is refused, and all else goes on.
MIXED = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_REASON(negative)
RK_SPMD_KERNEL(mixed, number, number, .threads = 32, .barrier = RK_SCOPE_BLOCK)
{
    number mine;
    mine.value = 0;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    if (mine.value == 7) rk_barrier(RK_SCOPE_BLOCK);
    if (mine.value < 0) rk_fail(RK_ARG, negative);
    else rk_send(RK_ARG, &mine);
}
"""
APP = "app: mixed\nkernels: { mixed: { source: mixed.rk.c } }\nroutes: [ input -> mixed, mixed -> output ]\n"

GOOD, BAD, REFUSED, FAILS = b"1\n", b"x\n", b"-1\n", b"7\n"
HEAD = b"value\n"
FULL = "/dev/full"

# What is read, what is said, and what comes of it: the code, whether the account balances, and how many dead letters there are at
# least. None: there is no summary to look into.
JOBS = (
    ("nothing", HEAD, {}, OK, True, 0),
    ("good rows", HEAD + GOOD, {}, OK, True, 0),
    ("dead letters", HEAD + GOOD + BAD + REFUSED, {}, OK, True, 2),
    ("dead letters alone", HEAD + BAD + REFUSED, {}, OK, True, 2),
    ("a kernel fails", HEAD + GOOD + FAILS, {}, UNBALANCED, False, 0),
    ("a kernel fails, and dead letters", HEAD + BAD + REFUSED + FAILS, {}, UNBALANCED, False, 1),
    ("output on a full disk", HEAD + GOOD, {"output": FULL}, IO, False, 0),
    ("output on a full disk, and dead letters", HEAD + GOOD + BAD + REFUSED, {"output": FULL}, IO, False, 2),
    ("output on a full disk without a line", HEAD + BAD, {"output": FULL}, OK, True, 1),
    ("output on a full disk, and a kernel fails", HEAD + GOOD * 64 + FAILS, {"output": FULL}, UNBALANCED, False, 0),
    ("dead letters on a full disk", HEAD + GOOD + BAD, {"dead-letters": FULL}, IO, True, None),
    ("dead letters on a full disk, and a kernel fails", HEAD + BAD + FAILS, {"dead-letters": FULL}, UNBALANCED, False, None),
    ("the summary on a full disk", HEAD + GOOD, {"summary": FULL}, IO, None, 0),
    ("the summary on a full disk, and dead letters", HEAD + GOOD + BAD, {"summary": FULL}, IO, None, 1),
    ("the summary on a full disk, and a kernel fails", HEAD + FAILS, {"summary": FULL}, UNBALANCED, None, 0),
    ("an input without its end", b"ZSTD" + HEAD + GOOD * 9, {}, IO, True, 0),
    ("an input without its end, and dead letters", b"ZSTD" + HEAD + GOOD * 9 + BAD + REFUSED, {}, IO, True, 0),
    ("a wrong head", b"valeu\n" + GOOD, {}, IO, True, 0),
    ("a wrong head, and the summary on a full disk", b"valeu\n" + GOOD, {"summary": FULL}, IO, None, 0),
    ("an output that can't be", HEAD + GOOD, {"output": "/nowhere/out"}, IO, None, None),
    ("a wrong option, and an output that can't be", HEAD + GOOD, {"output": "/nowhere/out", "set": "mixed.capacity=15"}, KERNEL, None, None),
    ("no such option, and an output that can't be", HEAD + GOOD, {"output": "/nowhere/out", "set": "mixd.capacity=16"}, USAGE, None, None),
)


def wait_for_bytes(path):
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size):
        if time.monotonic() > deadline:
            raise AssertionError("nothing is written")
        time.sleep(0.01)


# Each sends the other a message when it drains: that of the second comes when the first has ended, and stays queued.
CYCLE = """#include <ringkernel/kernel.h>
RK_MESSAGE(hop, 1, (rk_i64, value))
RK_ROUTE(back)
RK_HANDLER(a, hop, msg, rk_none, self) { if (msg->value < 50) rk_send(RK_ARG, msg); }
RK_ON_DRAIN(a, rk_none, self) { hop out = { 77 }; rk_send_to(RK_ARG, back, &out); }
RK_HANDLER(b, hop, msg, rk_none, self) { (void)msg; }
RK_ON_DRAIN(b, rk_none, self) { hop out = { 78 }; rk_send_to(RK_ARG, back, &out); }
"""
CYCLE_APP = """app: cycle
kernels: { a: { source: cycle.rk.c }, b: { source: cycle.rk.c } }
routes: [ input -> a, a -> output, a -> b: { route: back }, b -> a: { route: back } ]
"""


class Jobs(Case):
    def arguments(self, says):
        return [word for name, value in says.items() for word in ("--" + name, value)]

    def cut(self, rows):
        """Compressed, without its end: rows of several blocks, of which the last is missing."""
        packed = subprocess.run(["zstd", "-q", "-c"], input=rows, stdout=subprocess.PIPE, check=True).stdout
        return packed[:-1]

    def test_of_several_causes_the_first_in_order_is_the_code(self):
        app = self.app(APP, MIXED, "mixed.rk.c")
        for what, rows, says, code, balanced, letters in JOBS:
            for as_json in (False, True):
                with self.subTest(job=what, json=as_json):
                    files = {"summary": self.folder / "summary", "dead-letters": self.folder / "letters", "output": self.folder / "out"}
                    for file in files.values():
                        file.unlink(missing_ok=True)
                    said = self.arguments({**files, **says}) + ["--json"] * as_json
                    stdin = self.cut(rows[4:]) if rows.startswith(b"ZSTD") else rows
                    done = self.run_rk("run", app, "--input", "-", *said, code=code, stdin=stdin)
                    self.assertEqual(bool(done.errors), code != OK, done.errors)
                    if balanced is not None:
                        self.assertEqual(json.loads(files["summary"].read_text())["balanced"], balanced)
                    if letters is not None:
                        self.assertGreaterEqual(len(files["dead-letters"].read_text().splitlines()), letters)
                    if as_json and balanced is not None:
                        self.assertEqual(json.loads(done.stdout)["balanced"], balanced)

    def test_messages_that_are_still_queued_are_told_and_come_before_what_cannot_be_written(self):
        self.write("cycle.rk.c", CYCLE)
        app = self.write("cycle.yaml", CYCLE_APP)
        for files in ((), ("--output", FULL), ("--summary", FULL)):
            done = self.run_rk("run", app, "--input", "-", *files, stdin=HEAD + GOOD, code=UNBALANCED)
            self.assertIn("1 messages were lost or are still queued", done.errors)

    def test_a_damaged_input_and_a_kernel_that_fails(self):
        app = self.app(APP, MIXED, "mixed.rk.c")
        for rows in (FAILS, FAILS + b"".join(b"%d\n" % n for n in range(100, 100000))):  # found damaged before it fails, or after
            done = self.run_app(app, "--input", "-", code=UNBALANCED, stdin=self.cut(HEAD + rows))
            self.assertEqual(done.summary["balanced"], False)

    def interrupted(self, rows, *said):
        """The code of a job that has handled these rows when Ctrl-C comes."""
        job = start("run", self.app(APP, MIXED, "mixed.rk.c"), "--input", "-", *said)
        self.addCleanup(job.kill)
        job.stdin.write(HEAD + rows + GOOD)
        job.stdin.flush()
        self.assertEqual(job.stdout.readline(), b'{"value":1}\n')  # the last, so all others are known
        job.send_signal(signal.SIGINT)
        errors = job.communicate(timeout=60 * rk_command.SLOW)[1].decode()
        self.assertIn("interrupted", errors)
        return job.returncode

    def test_an_interrupted_job_with_dead_letters(self):
        self.assertEqual(self.interrupted(BAD + REFUSED, "--dead-letters", self.folder / "letters", "--summary", self.folder / "summary"), INTERRUPTED)
        told = json.loads((self.folder / "summary").read_text())
        self.assertEqual((told["balanced"], told["interrupted"], told["rows_read"]), (True, True, 3))
        self.assertEqual([json.loads(line)["reason"] for line in (self.folder / "letters").read_text().splitlines()], ["parse", "negative"])

    def test_an_interrupted_job_whose_account_can_not_be_written(self):
        for file in ("--summary", "--dead-letters"):
            self.assertEqual(self.interrupted(BAD + REFUSED, file, FULL), IO, file)

    def test_an_interrupted_job_that_prints_its_account_to_nobody(self):
        job = start("run", self.app(APP, MIXED, "mixed.rk.c"), "--input", "-", "--output", self.folder / "out", "--json")
        self.addCleanup(job.kill)
        job.stdout.close()
        job.stdin.write(HEAD + GOOD)
        job.stdin.flush()
        wait_for_bytes(self.folder / "out")
        job.send_signal(signal.SIGINT)
        self.assertEqual(job.wait(60 * rk_command.SLOW), IO)
        self.assertIn(b"standard output: Broken pipe", job.stderr.read())
        for pipe in (job.stdin, job.stderr):
            pipe.close()

    @patch.dict(os.environ, QUICK)
    def test_of_several_files_to_check_the_first_cause_in_order_is_the_code(self):
        self.app(APP, MIXED, "mixed.rk.c")
        endless = self.write("endless.rk.c", MIXED.replace("mine.value = 0;", "mine.value = 0;\n    for (;;) {\n    }"))
        fine, missing = self.folder / "mixed.rk.c", self.folder / "missing.rk.c"
        wrong = self.write("wrong.yaml", "app: wrong\n")
        self.run_rk("check", fine, endless, "--json", code=FOUND)
        for files, code in (((endless, missing), IO), ((wrong, endless), USAGE), ((missing, wrong), IO)):
            for more in ((), ("--json",)):
                self.run_rk("check", *files, *more, code=code)


if __name__ == "__main__":
    rk_command.main()
