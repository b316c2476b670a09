#!/usr/bin/python3
"""A job that is killed goes on from its last checkpoint, and its files end as those of one that was not killed."""
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time
import unittest
from unittest.mock import patch

import rk_command
from rk_command import INTERRUPTED, IO, KERNEL, OK, RK, SLOW, SOURCE, USAGE, Case

WEATHER = SOURCE / "examples" / "weather-watch"

# What PoCL compiles is kept beside the build.
os.environ.setdefault("POCL_CACHE_DIR", os.path.join(os.environ.get("RK_BINARY_DIR", "."), "opencl-cache"))

# Two kernels that remember: a running sum for each shard, and a total. Negative numbers are letters.
SUMS = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(running, 2, (rk_i64, value), (rk_i64, sum), (rk_i64, count))
RK_REASON(negative)
typedef struct memory { rk_i64 sum, count; } memory;
RK_HANDLER(sums, number, msg, memory, self, .state = RK_PER_SHARD)
{
    running out;
    if (msg->value < 0) { rk_fail(RK_ARG, negative); return; }
    self->sum += msg->value;
    self->count++;
    out.value = msg->value;
    out.sum = self->sum;
    out.count = self->count;
    rk_send(RK_ARG, &out);
}
RK_ON_DRAIN(sums, memory, self)
{
    running out = { -1, self->sum, self->count };
    rk_send(RK_ARG, &out);
}
"""

# Sums with a state that is larger than a small disk.
LARGE = SUMS.replace("{ rk_i64 sum, count; }", "{ rk_i64 sum, count, room[40000]; }")

# Ten long lines for each row.
WIDE = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(many, 2, (rk_i64, value), (rk_i64, part, 100))
RK_HANDLER(wide, number, msg, rk_none, self, .max_sends = 10)
{
    many out;
    out.value = msg->value;
    for (rk_u32 i = 0; i < 100; i++) out.part[i] = 1234567890123456789 + msg->value;
    for (rk_u32 i = 0; i < 10; i++) rk_send(RK_ARG, &out);
}
"""

APP = """app: sums
checkpoints: { folder: state, every_rows: 100, full_every: 1 }
kernels:
  sums: { source: sums.rk.c }
routes:
  - input -> sums
  - sums -> output
"""

MANIFEST = b"RKMANF\0\0" + struct.pack("<II", 1, 4080)  # how one begins in the store


def wait_until(condition, what, seconds=60):
    """Waits for a condition, looking now and again."""
    end = time.monotonic() + seconds * SLOW
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never: " + what)
        time.sleep(0.002)


class Checkpoints(Case):
    def setUp(self):
        super().setUp()
        self.out, self.state = self.folder / "out.ndjson", self.folder / "state"

    def sums(self, text=APP, kernel=SUMS):
        return self.app(text, kernel, "sums.rk.c")

    def arguments(self, app, *more):
        return ["run", app, "--input", "-", "--input-format", "csv", "--output", self.out, *more]

    def kill_after(self, arguments, *steps):
        """Starts a job, gives it the rows of each step once the condition of the one before holds, and kills it."""
        with open(self.folder / "errors", "wb") as errors:
            job = rk_command.start(*arguments, errors=errors)
            try:
                for rows, condition, what in steps:
                    job.stdin.write(rows)
                    job.stdin.flush()
                    wait_until(lambda: condition() or job.poll() is not None, what)
                    self.assertIsNone(job.poll(), (self.folder / "errors").read_text())
            finally:
                job.kill()
                job.communicate()

    def killed_sums(self, app, rows, *more, upto=450):
        """Kills the job of `sums` when it has written something for the row `upto`, of which rows were given."""
        lines = rows.splitlines(True)
        self.out.unlink(missing_ok=True)
        enough = upto - rows.count(b"-")
        self.kill_after(self.arguments(app, *more), (b"".join(lines[:upto + 1]), lambda: self.written() >= enough,
                                                     "output for each row"))

    def written(self):
        return self.out.read_bytes().count(b"\n") if self.out.exists() else 0

    def has_manifest(self, number):
        """Is this checkpoint being written? Then those before it are there."""
        store = self.state / "data.mdb"
        return store.exists() and MANIFEST + struct.pack("<Q", number) in store.read_bytes()

    @staticmethod
    def numbers(count, negative=()):
        return b"value\n" + b"".join(b"%d\n" % (-i if i in negative else i) for i in range(1, count + 1))

    def unbroken(self, app, rows, *more):
        """What a job without checkpoints writes."""
        plain = self.folder / "plain"
        text = "\n".join(line for line in app.read_text().splitlines() if not line.startswith("checkpoints:"))
        path = self.write("plain.yaml", text)
        self.run_rk("run", path, "--input", "-", "--input-format", "csv", "--output", plain, *more, stdin=rows)
        return plain.read_bytes()

    # ------------------------------------------------------------------ the same files

    def test_the_weather_job_killed_again_and_again_ends_with_the_kept_result(self):
        data = subprocess.run(["zstd", "-dcq", WEATHER / "weather.csv.zst"], stdout=subprocess.PIPE, check=True).stdout
        lines = data.splitlines(True)
        arguments = self.arguments(WEATHER / "app.yaml", "--checkpoints", self.state)
        for days, rows in ((100, 3000), (200, 5500), (300, 8000)):
            self.kill_after(arguments, (b"".join(lines[:rows]), lambda days=days: self.written() >= days,
                                        "lines of %d days" % days))
        done = self.run_rk(*arguments, "--summary", self.folder / "summary", stdin=data)
        self.assertEqual(self.out.read_bytes(), (WEATHER / "expected" / "result.ndjson").read_bytes())
        self.assertRegex(done.errors, r"going on from checkpoint \d+ of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: after \d+ rows")
        self.assertIn('"balanced": true', (self.folder / "summary").read_text())

    @unittest.skipUnless(rk_command.EMULATED.exists(), "there is no emulated GPU")
    def test_the_weather_job_killed_on_one_backend_goes_on_on_another(self):
        ways = [("cpu", 100, 3000), ("cuda", 200, 5500), ("opencl", 300, 8000)]
        if not rk_command.has_opencl():
            del ways[2]
        data = subprocess.run(["zstd", "-dcq", WEATHER / "weather.csv.zst"], stdout=subprocess.PIPE, check=True).stdout
        lines, store = data.splitlines(True), self.folder / "state"
        for backend, days, rows in ways:
            arguments = self.arguments(WEATHER / "app.yaml", "--checkpoints", store, "--backend", backend)
            with patch.dict(os.environ, rk_command.ON_EMULATED if backend == "cuda" else {}):
                self.kill_after(arguments, (b"".join(lines[:rows]), lambda days=days: self.written() >= days,
                                            "lines of %d days on %s" % (days, backend)))
            if backend != "cpu":
                self.assertIn("going on from checkpoint", (self.folder / "errors").read_text(), backend)
        self.run_rk(*self.arguments(WEATHER / "app.yaml", "--checkpoints", store), stdin=data)
        self.assertEqual(self.out.read_bytes(), (WEATHER / "expected" / "result.ndjson").read_bytes())

    def test_letters_from_before_and_after_are_all_there_once(self):
        app, dead = self.sums(), self.folder / "dead"
        rows = self.numbers(1000, negative=(7, 99, 100, 101, 444, 445, 900))
        rows = rows.replace(b"\n50\n", b"\nfifty\n").replace(b"\n950\n", b"\n\n")
        whole = self.unbroken(app, rows, "--dead-letters", dead)
        letters = dead.read_bytes()
        self.assertEqual(letters.count(b"\n"), 9)
        self.killed_sums(app, rows, "--dead-letters", dead, upto=440)
        done = self.run_rk(*self.arguments(app, "--dead-letters", dead, "-v"), stdin=rows)
        self.assertIn("after 350 rows and ", done.errors)  # a bad row ends a batch: 50, 150, 250, 350
        self.assertEqual(self.out.read_bytes(), whole)
        self.assertEqual(dead.read_bytes(), letters)

    def test_ctrl_c_while_a_pipe_is_waited_for_leaves_the_account_of_the_checkpoint(self):
        # given a job that was killed, with lines written and messages on their way
        app, rows = self.sums(APP.replace("sums.rk.c }", "sums.rk.c, capacity: 16, output_capacity: 16 }").replace("100", "7")), self.numbers(1000)
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.killed_sums(app, rows, "--dead-letters", self.folder / "dead")
        for option in ("--dead-letters", "--summary"):
            # when it goes on, and is interrupted while nobody reads a pipe that it has to open
            job = rk_command.start(*self.arguments(app, option, pipe, "--json"))
            self.addCleanup(job.kill)
            errors = job.stderr.readline()
            job.send_signal(signal.SIGINT)
            told, rest = job.communicate(timeout=60 * SLOW)
            # then its account is that of the checkpoint, and balanced
            self.assertRegex(errors, rb"going on from checkpoint", option)
            self.assertEqual(job.returncode, INTERRUPTED, rest)
            self.assertIn(b"rk: interrupted before any row was read\n", rest)
            summary = json.loads(told)
            self.assertEqual([check for check in summary["checks"] if not check["holds"]], [], option)
            self.assertTrue(summary["balanced"])
            restored = int(re.search(rb"after (\d+) rows", errors).group(1))
            self.assertEqual((summary["rows_read"], summary["checkpoints"]["restored_rows"]), (restored, restored))
        # and it can still go on
        self.run_rk(*self.arguments(app), stdin=rows)
        self.assertEqual(self.out.read_bytes(), self.unbroken(app, rows))

    def test_ctrl_c_while_a_job_is_restored_or_begins_anew_ends_it_before_any_row(self):
        # given checkpoints, which are told of before kernels run
        app, rows, summary = self.sums(), self.numbers(1000), self.folder / "summary"
        self.killed_sums(app, rows)
        lines = self.out.read_bytes()
        for more, told in (([], "going on from checkpoint"), (["--no-restore"], "checkpoints are removed: the job begins anew")):
            # when the job is interrupted while it can't tell
            code, errors = rk_command.interrupted_while_it_writes_errors(*self.arguments(app, "--summary", summary, *more))
            # then it goes no further, and the output is left alone
            self.assertEqual(code, INTERRUPTED)
            self.assertIn(told, errors)
            self.assertTrue(errors.endswith("\nrk: interrupted before any row was read\n"), errors)
            self.assertEqual([check for check in json.loads(summary.read_text())["checks"] if not check["holds"]], [], more)
            self.assertEqual(self.out.read_bytes(), lines)

    def test_csv_has_one_head(self):
        app, rows = self.sums(), self.numbers(700)
        whole = self.unbroken(app, rows, "--output-format", "csv")
        self.killed_sums(app, rows, "--output-format", "csv")
        self.run_rk(*self.arguments(app, "--output-format", "csv"), stdin=rows)
        self.assertEqual(self.out.read_bytes(), whole)
        self.assertEqual(whole.count(b"value"), 1)

    def test_rows_in_turn_go_on_with_the_shard_that_is_next(self):
        app = self.sums(APP.replace("sums.rk.c }", "sums.rk.c, shards: 3 }").replace("-> sums\n", "-> sums: { mode: turn }\n")
                        .replace("100", "50"))
        rows = self.numbers(700)
        whole = self.unbroken(app, rows)
        self.killed_sums(app, rows)
        self.run_rk(*self.arguments(app), stdin=rows)
        self.assertEqual(sorted(self.out.read_bytes().splitlines()), sorted(whole.splitlines()))

    def test_rows_to_all_shards_reach_each_once(self):
        app = self.sums(APP.replace("sums.rk.c }", "sums.rk.c, shards: 2 }").replace("-> sums\n", "-> sums: { mode: all }\n"))
        rows = self.numbers(600)
        whole = self.unbroken(app, rows)
        self.killed_sums(app, rows)
        self.run_rk(*self.arguments(app), stdin=rows)
        self.assertEqual(sorted(self.out.read_bytes().splitlines()), sorted(whole.splitlines()))

    def test_a_killed_job_with_full_lanes_loses_nothing(self):
        app = self.sums(APP.replace("sums.rk.c }", "sums.rk.c, capacity: 16, output_capacity: 16 }").replace("100", "7"))
        rows = self.numbers(2000)
        whole = self.unbroken(app, rows)
        self.killed_sums(app, rows, "--workers", "2", upto=1500)
        self.run_rk(*self.arguments(app, "--workers", "2"), stdin=rows)
        self.assertEqual(self.out.read_bytes(), whole)

    def test_lines_that_were_received_and_not_yet_written_at_a_cut_are_not_lost(self):
        app = self.app(APP.replace("sums", "wide").replace("100", "50"), WIDE, "wide.rk.c")  # writing is slow: it lags behind
        rows = self.numbers(400)
        whole = self.unbroken(app, rows)
        self.kill_after(self.arguments(app), (b"".join(rows.splitlines(True)[:352]), lambda: self.written() >= 3510,
                                              "ten lines for each row"))
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertIn("after 350 rows", done.errors)
        self.assertTrue(self.out.read_bytes() == whole)

    def test_by_time(self):
        app, rows = self.sums(APP.replace("every_rows: 100", "every_ms: 1")), self.numbers(900)
        whole = self.unbroken(app, rows)
        lines = rows.splitlines(True)
        self.kill_after(self.arguments(app),
                        (b"".join(lines[:201]), lambda: self.has_manifest(1), "a first checkpoint"),
                        (b"".join(lines[201:401]), lambda: self.has_manifest(2), "a second checkpoint"))
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertIn("going on from checkpoint", done.errors)
        self.assertEqual(self.out.read_bytes(), whole)

    # ------------------------------------------------------------------ how often, how many, and the end

    def test_as_many_are_taken_as_the_app_says_and_a_job_that_is_done_leaves_none(self):
        app, summary = self.sums(APP.replace("full_every: 1", "full_every: 2, keep: 2")), self.folder / "summary.json"
        done = self.run_app(app, "--input", "-", "--input-format", "csv", "--output", self.out, stdin=self.numbers(1000))
        told = done.summary["checkpoints"]
        self.assertEqual((told["taken"], told["failed"], told["restored"]), (10, 0, 0))
        self.assertEqual(told["full"], 5)
        self.assertGreaterEqual(told["kept"], 2)
        self.assertEqual(told["pause_ns"]["count"], 10)
        self.assertTrue(summary.exists())
        self.assertFalse((self.state / "letters").exists())
        again = self.run_rk(*self.arguments(app), stdin=self.numbers(300))
        self.assertNotIn("going on", again.errors)
        self.assertEqual(self.out.read_bytes().count(b"\n"), 301)

    def test_no_restore_begins_anew_and_removes_what_is_there(self):
        app, rows = self.sums(), self.numbers(600)
        whole = self.unbroken(app, rows)
        for how in ("option", "app"):
            self.killed_sums(app, rows)
            if how == "app":
                app.write_text(APP.replace("full_every: 1", "restore: false"))
            done = self.run_rk(*self.arguments(app, *(["--no-restore"] if how == "option" else [])), stdin=rows)
            self.assertRegex(done.errors, r"state: \d+ checkpoints are removed: the job begins anew")
            self.assertEqual(self.out.read_bytes(), whole)

    def test_an_interrupted_job_keeps_its_checkpoints(self):
        app, rows = self.sums(), self.numbers(700)
        whole = self.unbroken(app, rows)
        job = rk_command.start(*self.arguments(app))
        try:
            job.stdin.write(b"".join(rows.splitlines(True)[:451]))
            job.stdin.flush()
            wait_until(lambda: self.written() >= 450, "output for each row")
            job.send_signal(signal.SIGINT)
            self.assertEqual(job.wait(60 * SLOW), INTERRUPTED)
        finally:
            job.kill()
            job.communicate()
        self.assertEqual(self.written(), 451)  # with that of the drain hook, which comes too early
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertIn("going on from checkpoint 4 of", done.errors)
        self.assertEqual(self.out.read_bytes(), whole)

    # ------------------------------------------------------------------ when one can't be written

    def run_on_a_small_disk(self, app, rows, largest, *more, code=OK):
        """Runs a job to which no file may grow beyond `largest` bytes: writes fail, as on a disk that is full."""
        def no_larger():
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
        done = subprocess.run([RK, *map(str, self.arguments(app, *more))], input=rows, capture_output=True, check=False,
                              env=rk_command.environment(), preexec_fn=no_larger, timeout=60 * SLOW)
        done.errors = done.stderr.decode("utf-8", "replace")
        self.assertEqual(done.returncode, code, done.errors)
        return done

    def test_a_disk_without_room_for_a_checkpoint_is_told_once_and_the_job_goes_on(self):
        app, rows, summary = self.sums(kernel=LARGE), self.numbers(1000, negative=(5,)), self.folder / "summary"
        whole = self.unbroken(app, rows)
        done = self.run_on_a_small_disk(app, rows, 200000, "--summary", summary)
        told = json.loads(summary.read_text())
        self.assertEqual((told["checkpoints"]["taken"], told["checkpoints"]["failed"]), (0, 10))
        self.assertTrue(told["balanced"])
        self.assertEqual(self.out.read_bytes(), whole)
        self.assertEqual(done.errors.count("no checkpoint was taken; the job goes on, and the next will be tried"), 1)
        self.assertIn("state: no checkpoint", done.errors)
        self.assertRegex(done.errors, "a checkpoint: (File too large|Input/output error)")

    def test_a_job_whose_output_finds_no_room_goes_on_from_its_last_checkpoint(self):
        app, rows = self.sums(), self.numbers(4000, negative=(5, 6, 2000))
        whole = self.unbroken(app, rows)
        done = self.run_on_a_small_disk(app, rows, 100000, code=IO)
        self.assertIn("out.ndjson: File too large", done.errors)
        self.assertLess(self.written(), whole.count(b"\n"))
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertRegex(done.errors, r"going on from checkpoint \d+ of .*: after [1-9]\d* rows")
        self.assertEqual(self.out.read_bytes(), whole)

    def test_a_folder_that_cannot_be_made_ends_the_job_before_a_row_is_read(self):
        app = self.sums()
        self.write("file", "no folder")
        done = self.run_rk(*self.arguments(app, "--checkpoints", self.folder / "file" / "state"), stdin=self.numbers(5), code=IO)
        self.assertIn("can't make folder '%s': Not a directory" % (self.folder / "file" / "state"), done.errors)
        self.assertFalse(self.out.exists())

    # ------------------------------------------------------------------ what is refused

    def damage(self, numbers):
        """Changes a byte in the manifests of these checkpoints, or of all."""
        path = self.state / "data.mdb"
        data, found, at = bytearray(path.read_bytes()), set(), 0
        while (at := data.find(MANIFEST, at)) >= 0:
            number = struct.unpack_from("<Q", data, at + 16)[0]
            if not numbers or number in numbers:
                data[at + 32] ^= 1  # of the time
                found.add(number)
            at += 16
        path.write_bytes(data)
        self.assertTrue(found)

    def test_a_damaged_one_is_passed_over_with_its_reason_and_the_one_before_is_used(self):
        app, rows = self.sums(), self.numbers(700)
        whole = self.unbroken(app, rows)
        self.killed_sums(app, rows)
        self.damage({4})
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertIn("state: passed over checkpoint 4: its manifest doesn't match its checksum", done.errors)
        self.assertIn("going on from checkpoint 3 of", done.errors)
        self.assertIn("after 300 rows and ", done.errors)
        self.assertEqual(self.out.read_bytes(), whole)

    def damage_newest_transaction(self):
        """Changes a byte in the page from which LMDB 0.9 reaches all that it has."""
        path = self.state / "data.mdb"
        data = bytearray(path.read_bytes())
        transactions, roots = ([struct.unpack_from("<Q", data, meta * 4096 + at)[0] for meta in (0, 1)] for at in (144, 128))
        data[roots[transactions[1] > transactions[0]] * 4096] ^= 1
        path.write_bytes(data)

    def test_of_a_damaged_store_the_checkpoint_before_is_used(self):
        app, rows = self.sums(), self.numbers(700)
        whole = self.unbroken(app, rows)
        self.killed_sums(app, rows)
        self.damage_newest_transaction()
        done = self.run_rk(*self.arguments(app), stdin=rows)
        self.assertIn("state: passed over the newest transaction of the store: page ", done.errors)
        self.assertIn("going on from checkpoint 3 of", done.errors)
        self.assertEqual(self.out.read_bytes(), whole)

    def test_when_none_can_be_used_nothing_is_touched(self):
        app, rows = self.sums(), self.numbers(700)
        self.killed_sums(app, rows)
        self.damage(())
        before = self.out.read_bytes()
        done = self.run_rk(*self.arguments(app), stdin=rows, code=KERNEL)
        self.assertIn("no checkpoint can be used (--no-restore begins anew)", done.errors)
        self.assertEqual(self.out.read_bytes(), before)

    def test_another_kernel_is_refused(self):
        app, rows = self.sums(), self.numbers(700)
        self.killed_sums(app, rows)
        self.sums(kernel=SUMS.replace("sum, count; }", "sum, count, more; }"))
        done = self.run_rk(*self.arguments(app), stdin=rows, code=KERNEL)
        self.assertIn("no checkpoint can be used", done.errors)

    def test_another_input_is_refused(self):
        app, rows = self.sums(), self.numbers(700)
        self.killed_sums(app, rows)
        for other, why in ((rows.replace(b"\n77\n", b"\n78\n"), "its first 400 rows are not those of the checkpoint"),
                           (self.numbers(399), "has 399 rows, and the checkpoint has 400 of it")):
            done = self.run_rk(*self.arguments(app), stdin=other, code=IO)
            self.assertIn(why, done.errors)
        whole = self.unbroken(app, rows)
        self.run_rk(*self.arguments(app), stdin=rows)
        self.assertEqual(self.out.read_bytes(), whole)

    def test_an_output_that_is_too_short_or_of_another_format_is_refused(self):
        app, rows = self.sums(), self.numbers(700)
        lines = rows.splitlines(True)
        self.kill_after(self.arguments(app),
                        (b"".join(lines[:201]), lambda: self.written() == 200, "output that checkpoint 3 has"),
                        (b"".join(lines[201:401]), lambda: self.written() == 400, "output for each row"))
        done = self.run_rk(*self.arguments(app, "--output-format", "csv"), stdin=rows, code=IO)
        self.assertIn("the checkpoint has another output format", done.errors)
        self.out.write_bytes(self.out.read_bytes()[:100])
        done = self.run_rk(*self.arguments(app), stdin=rows, code=IO)
        self.assertRegex(done.errors, r"out.ndjson: has not the \d+ bytes that were written before the checkpoint")

    def test_letters_that_were_not_kept_are_not_claimed(self):
        app, rows = self.sums(), self.numbers(700)
        self.killed_sums(app, rows)
        done = self.run_rk(*self.arguments(app, "--dead-letters", self.folder / "dead"), stdin=rows, code=IO)
        self.assertIn("the checkpoint was taken without --dead-letters", done.errors)

    def test_a_damaged_journal_of_letters_is_refused(self):
        app, rows = self.sums(), self.numbers(700, negative=(5, 6))
        lines = rows.splitlines(True)
        # The last checkpoint comes after the first rows have been answered: it has their letters.
        self.kill_after(self.arguments(app), (b"".join(lines[:201]), lambda: self.written() >= 198, "output for 200 rows"),
                        (b"".join(lines[201:451]), lambda: self.written() >= 448, "output for each row"))
        journal = self.state / "letters"
        for damaged, why in ((journal.read_bytes()[:-1] + b"?", "doesn't match its checksum"),
                             (journal.read_bytes()[:-1], "is cut: ")):
            journal.write_bytes(damaged)
            done = self.run_rk(*self.arguments(app), stdin=rows, code=IO)
            self.assertIn("state/letters: " + why, done.errors)

    def test_an_output_that_cannot_be_cut_is_refused(self):
        app = self.sums()
        done = self.run_rk("run", app, "--input", "-", stdin=b"value\n1\n", code=USAGE)
        self.assertIn("standard output can't, say --output FILE", done.errors)
        os.mkfifo(self.folder / "pipe")
        done = self.run_rk("run", app, "--input", "-", "--output", self.folder / "pipe", stdin=b"value\n1\n", code=USAGE)
        self.assertIn("pipe: checkpoints need an output that can be cut back to one", done.errors)

    def test_a_file_that_the_folder_has_for_itself_is_nobody_elses(self):
        rows, state, app = self.folder / "rows.csv", self.folder / "state", self.sums()
        for name in ("letters", "data.mdb", "lock.mdb", "lock"):
            for option in ("--output", "--dead-letters", "--summary"):
                rows.write_text("value\n1\n")
                options = {"--output": str(self.folder / "out"), option: str(state / name)}
                done = self.run_rk("run", app, "--input", rows, "--checkpoints", state,
                                   *(word for pair in options.items() for word in pair), code=IO)
                self.assertIn("%s: is a file of the checkpoints in %s" % (state / name, state), done.errors)
        (state / "letters").write_text("value\n1\n")
        self.run_rk("run", app, "--input", state / "letters", "--output", self.folder / "out", "--checkpoints", state, code=IO)
        self.assertEqual((state / "letters").read_text(), "value\n1\n")

    def test_a_folder_that_another_job_has_open_is_refused(self):
        app, rows = self.sums(), self.numbers(200)
        with open(self.folder / "errors", "wb") as errors:
            job = rk_command.start(*self.arguments(app), errors=errors)
            try:
                job.stdin.write(rows)
                job.stdin.flush()
                wait_until(lambda: self.written() > 0, "output")
                done = self.run_rk("run", app, "--input", "-", "--output", self.folder / "other", stdin=rows, code=IO)
                self.assertIn("is open already, here or in another process", done.errors)
            finally:
                job.kill()
                job.communicate()

    def test_no_restore_without_checkpoints_is_refused(self):
        app = self.sums("\n".join(line for line in APP.splitlines() if "checkpoints" not in line))
        done = self.run_rk("run", app, "--input", "-", "--no-restore", stdin=b"value\n1\n", code=USAGE)
        self.assertIn("--no-restore: there are no checkpoints: say --checkpoints FOLDER", done.errors)


if __name__ == "__main__":
    if RK and "checkpoints are not in this rk" in rk_command.rk("run", WEATHER / "app.yaml", "--checkpoints", "/none",
                                                                "--output", "/none/out").errors:
        print("this rk was built without checkpoints: skipped")
        sys.exit(77)
    rk_command.main()
