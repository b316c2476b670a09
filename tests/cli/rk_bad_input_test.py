#!/usr/bin/python3
"""Bad input, bad output and bad kernels: a clear error or a dead letter with its reason and row, an exit code, nothing lost."""
import base64
import contextlib
import fcntl
import gzip
import json
import os
import resource
import re
import signal
import struct
import subprocess
import termios
import time
import unittest
from pathlib import Path

import rk_command
from rk_command import APP, IO, JOB, KERNEL, OK, UNBALANCED, USAGE, Case, start

HEAD = "seq,hour,distance_mi,delay_min\n"

STUCK = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(stuck, number, msg, rk_none, self)
{
    while (*(volatile const rk_i64 *)&msg->value == 7) {
    }
    rk_forward(RK_ARG);
}
"""

ROUND = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(round, number, msg, rk_none, self) { rk_forward(RK_ARG); }
"""

DIVERGENT = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(pass, number, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_SPMD_KERNEL(diverge, number, number, .threads = 32, .barrier = RK_SCOPE_BLOCK)
{
    number mine;
    mine.value = 0;
    if (!rk_try_receive(RK_ARG, &mine)) return;
    if (mine.value == 7) rk_barrier(RK_SCOPE_BLOCK);
    rk_send(RK_ARG, &mine);
}
"""

BLOB = """#include <ringkernel/kernel.h>
RK_BLOB(frame, 1, 3000)
RK_MESSAGE(size, 2, (rk_u32, bytes))
RK_HANDLER(measure, frame, msg, rk_none, self)
{
    size out = {rk_length(RK_ARG)};
    rk_send(RK_ARG, &out);
}
"""


def worker_ticks(job):
    """Of processor time, by all workers of the job so far."""
    ticks = 0
    for task in Path(f"/proc/{job.pid}/task").iterdir():
        if (task / "comm").read_text() == "rk-worker\n":
            ticks += int((task / "stat").read_text().rsplit(")", 1)[1].split()[11])
    return ticks


def wait_until_begun(job):
    """It has read its command line, so Ctrl-C is heard: there is a worker."""
    deadline = time.monotonic() + 60
    while "rk-worker\n" not in [(task / "comm").read_text() for task in Path(f"/proc/{job.pid}/task").iterdir()]:
        if time.monotonic() > deadline:
            raise AssertionError("no worker has begun")
        time.sleep(0.01)


def wait_until_ctrl_c_is_heard(job):
    """It has set its handler of SIGINT."""
    deadline = time.monotonic() + 60
    while not int(re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{job.pid}/status").read_text()).group(1), 16) >> (signal.SIGINT - 1) & 1:
        if time.monotonic() > deadline:
            raise AssertionError("it has no handler of SIGINT")
        time.sleep(0.01)


def wait_until_full(pipe):
    """Nobody reads it, and nothing more goes into it: it has most of its bytes, and they have been the same for a while."""
    deadline, since, size = time.monotonic() + 60, time.monotonic(), 0
    while size < fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) // 2 or time.monotonic() < since + 0.2:
        if time.monotonic() > deadline:
            raise AssertionError("the pipe is not full")
        time.sleep(0.01)
        now = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"...."))[0]
        if now != size:
            since, size = time.monotonic(), now


def wait_until_busy(job):
    """A worker is in a handler that doesn't return: it has had a fifth of a second, and idle ones sleep."""
    first, deadline = worker_ticks(job), time.monotonic() + 60
    while worker_ticks(job) < first + os.sysconf("SC_CLK_TCK") // 5:
        if time.monotonic() > deadline:
            raise AssertionError("no worker is busy")
        time.sleep(0.01)


class Rows(Case):
    """Rows that are no message, in the small app: one number a row."""

    def dead(self, text, *arguments, code=OK, **how):
        done = self.run_app(self.app(), "--input", "-", *arguments, stdin=text, code=code, **how)
        if done.summary:
            self.assertTrue(done.summary["balanced"], done.summary["checks"])
        return done

    def test_malformed_rows(self):
        bad = ["", "x", "1,2", "1 ", " 1", "+1", "1.0", "1e3", "0x1", '"1"', "--1", "-", "1-", "１"]
        done = self.dead(("value\n5\n" + "\n".join(bad) + "\n6\n").encode())
        self.assertEqual([(l["row"], l["reason"], l["text"]) for l in done.letters],
                         [(row, "parse", text) for row, text in enumerate(bad, start=2)])
        self.assertEqual(done.stdout, b'{"value":10}\n{"value":12}\n')

    def test_reasons_of_kernels_stand_between_parse_errors_in_order_of_rows(self):
        rows = ["-1", "x", "-2", "y", "3", "-4"]
        done = self.dead(("value\n" + "\n".join(rows)).encode())
        self.assertEqual([(l["row"], l["reason"]) for l in done.letters],
                         [(1, "negative"), (2, "parse"), (3, "negative"), (4, "parse"), (6, "negative")])
        self.assertEqual(done.letters[0]["text"], '{"value":-1}')

    def test_the_row_travels_with_what_is_forwarded_and_not_with_new_messages(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_REASON(three)
RK_HANDLER(pass, number, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_HANDLER(renew, number, msg, rk_none, self) { number out = { msg->value }; rk_send(RK_ARG, &out); }
RK_HANDLER(label, number, msg, rk_none, self)
{
    number out = { msg->value };
    rk_send_options o = RK_SEND_DEFAULTS;
    o.id = 77;
    rk_send_with(RK_ARG, &out, &o);
}
RK_HANDLER(refuse, number, msg, rk_none, self)
{
    if (msg->value == 3) rk_fail(RK_ARG, three);
    else rk_forward(RK_ARG);
}
"""
        for middle, row in (("pass", 2), ("renew", None), ("label", None)):
            app = self.app("app: a\nkernels:\n" + "".join("  %s: { source: k.rk.c }\n" % one for one in ("first", middle, "refuse"))
                           .replace("first: {", "first: { kernel: pass,") +
                           "routes: [input -> first, first -> %s, %s -> refuse, refuse -> output]\n" % (middle, middle), kernel, "k.rk.c")
            done = self.run_app(app, "--input", "-", stdin=b"value\n1\n3\nx\n4\n")
            self.assertTrue(done.summary["balanced"], middle)
            self.assertEqual(sorted((one["reason"], one["row"]) for one in done.letters), [("parse", 3), ("three", row)], middle)

    def test_huge_fields(self):
        big, huge = b"9" * 60000, b"9" * 5000000
        done = self.dead(b"value\n" + big + b"\n" + huge + b"\n1\n", "--set", "doubler.factor=1")
        self.assertEqual(done.stdout, b'{"value":9223372036854775807}\n{"value":1}\n')
        self.assertEqual([(l["row"], l["reason"], len(l["text"])) for l in done.letters], [(2, "parse", 1024)])

    def test_nul_bytes(self):
        done = self.dead(b"value\n1\0\n\0\n2\n")
        self.assertEqual([(l["row"], l["text"]) for l in done.letters], [(1, "1\0"), (2, "\0")])
        self.assertEqual(done.stdout, b'{"value":4}\n')

    def test_bytes_that_are_no_text(self):
        done = self.dead(b"value\n\xff\xfe\n\xc3(\n")
        self.assertEqual([l["text"] for l in done.letters], ["\ufffd\ufffd", "\ufffd("])

    def test_crlf_and_a_missing_last_newline(self):
        done = self.dead(b"value\r\n1\r\n2\r\n3")
        self.assertEqual(done.stdout, b'{"value":2}\n{"value":4}\n{"value":6}\n')

    def test_an_empty_file(self):
        for nothing in (b"", b"\xef\xbb\xbf"):  # a byte order mark is none of the rows
            done = self.dead(nothing, code=IO)
            self.assertIn("the input is empty, without a head line", done.errors)
            done = self.dead(nothing, "--input-format", "ndjson")
            self.assertEqual((done.stdout, done.letters, done.summary["rows_read"]), (b"", [], 0))

    def test_a_wrong_head(self):
        done = self.dead(b"valeu\n1\n", code=IO)
        self.assertIn("valeu", done.errors)
        self.assertIn("value", done.errors)

    def test_ndjson_rows(self):
        rows = [b'{"value":1}', b"", b"{", b'{"value":1.5}', b'{"value":99999999999999999999}', b'{"other":1}', b"[]",
                b'{"value":1,"value":2}', b'{"value":2}']
        done = self.dead(b"\n".join(rows), "--input-format", "ndjson", "--set", "doubler.factor=1")
        self.assertEqual([(l["row"], l["reason"]) for l in done.letters], [(row, "parse") for row in (2, 3, 4, 6, 7, 8)])
        self.assertEqual(done.stdout, b'{"value":1}\n{"value":9223372036854775807}\n{"value":2}\n')

    def test_a_number_that_its_field_can_not_hold_has_the_same_reason_in_both_formats(self):
        fields = HEAD.strip().split(",")
        rows = [(1, 12, wrong, 0) for wrong in (99999999999, -99999999999, 1 << 80, -1 << 80)]
        rows += [(2, 12, 100, wrong) for wrong in (99999999999, -99999999999, 1 << 63, 1 << 64)]
        rows += [(3, wrong, 100, 0) for wrong in (10 ** 400, -10 ** 400)] + [(4, 12, 100, 0)]
        csv = HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows)
        ndjson = "".join(json.dumps(dict(zip(fields, row))) + "\n" for row in rows)
        both = []
        for name, text in (("rows.csv", csv), ("rows.ndjson", ndjson)):
            done = self.run_app(JOB / "app.yaml", "--input", self.write(name, text))
            both.append(done.letters)
            self.assertEqual([l["reason"] for l in done.letters], ["distance"] * 4 + ["delay"] * 4 + ["hour"] * 2, name)
        self.assertEqual(*both)

    def test_a_hundred_thousand_bad_rows_are_all_kept(self):
        done = self.dead(b"value\n" + b"bad\n" * 100000)
        self.assertEqual([l["row"] for l in done.letters], list(range(1, 100001)))

    def test_a_message_too_large(self):
        app = self.app("app: a\nkernels: { measure: { source: k.rk.c } }\nroutes: [input -> measure, measure -> output]\n", BLOB, "k.rk.c")
        text = "".join(json.dumps({"bytes": base64.b64encode(b"x" * n).decode()}) + "\n" for n in (0, 3000, 3001, 100000, 1))
        done = self.run_app(app, "--input", "-", "--input-format", "ndjson", stdin=text.encode())
        self.assertEqual([json.loads(line)["bytes"] for line in done.stdout.splitlines()], [0, 3000, 1])
        self.assertEqual([(l["row"], l["reason"]) for l in done.letters], [(3, "parse"), (4, "parse")])
        self.assertTrue(done.summary["balanced"])


class Files(Case):
    def test_a_folder_as_input(self):
        done = self.run_app(self.app(), "--input", self.folder, code=IO)
        self.assertEqual(done.errors, f"rk: {self.folder}: is a folder, not a file of rows\n")
        folder = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        done = subprocess.run([rk_command.RK, "run", str(self.app()), "--input", "-"], stdin=folder, capture_output=True, check=False,
                              env=rk_command.environment())
        self.assertEqual((done.returncode, done.stdout, done.stderr), (IO, b"", b"rk: standard input: is a folder, not a file of rows\n"))

    def test_a_folder_as_an_output(self):
        there = self.folder / "there"
        there.mkdir()
        for option in ("--output", "--dead-letters", "--summary"):
            done = self.run_rk("run", self.app(), "--input", "-", option, there, code=IO, stdin=b"value\n1\n")
            self.assertEqual((done.stdout, done.errors), (b"", f"rk: {there}: Is a directory\n"), option)

    def test_input_that_is_not_there(self):
        done = self.run_app(self.app(), "--input", self.folder / "none.csv", code=IO)
        self.assertIn("No such file", done.errors)

    def test_input_that_the_app_names_and_that_is_not_there(self):
        app = self.app(APP.replace("kernels:", "input: { file: none.csv }\nkernels:"))
        self.assertIn("app.yaml:2:16: input ", self.run_app(app, code=IO).errors)

    def test_no_input_named(self):
        self.assertIn("--input", self.run_app(self.app(), code=USAGE).errors)

    def test_damaged_zstd_data(self):
        data = bytearray((JOB / "flights.csv.zst").read_bytes())
        cut = self.run_app(JOB / "app.yaml", "--input", self.write("cut.csv.zst", bytes(data[:500000])), code=IO)
        self.assertIn("middle of its zstd data", cut.errors)
        self.assertGreater(cut.summary["rows_read"], 50000)
        self.assertTrue(all(check["holds"] for check in cut.summary["checks"]))
        data[300000] ^= 0xFF
        data[300001] ^= 0xFF
        broken = self.run_app(JOB / "app.yaml", "--input", self.write("broken.csv.zst", bytes(data)), code=IO)
        self.assertIn("damaged", broken.errors)
        self.assertIn("not zstd", self.run_app(JOB / "app.yaml", "--input", self.write("not.csv.zst", HEAD), code=IO).errors)
        self.assertIn("none.csv.zst: is empty, and zstd data never is",
                      self.run_app(JOB / "app.yaml", "--input", self.write("none.csv.zst", b""), code=IO).errors)
        wide = subprocess.run(["zstd", "-q", "--long=28"], input=b"value\n1\n", stdout=subprocess.PIPE, check=True).stdout
        self.assertIn("wide.csv.zst: was compressed with a window of more than 128 MiB: unpack it (zstd -dc --long=31 FILE",
                      self.run_app(JOB / "app.yaml", "--input", self.write("wide.csv.zst", wide), code=IO).errors)

    def test_input_that_gzip_has_compressed(self):
        path = self.write("rows.csv.gz", gzip.compress(b"value\n1\n"))
        self.assertIn("rows.csv.gz: is gzip data: unpack it", self.run_app(self.app(), "--input", path, code=IO).errors)

    def test_input_in_utf_16(self):
        for code in ("utf-16-le", "utf-16-be"):
            path = self.write("rows.csv", "\ufeffvalue\n1\n".encode(code))
            self.assertIn("rows.csv: is UTF-16: make it UTF-8 ", self.run_app(self.app(), "--input", path, code=IO).errors)

    def test_what_a_message_shows_of_the_input_means_nothing_to_a_terminal(self):
        errors = self.run_app(self.app(), "--input", "-", stdin=b"\x1b[2Jx\x7f\rvalue\n1\n", code=IO).errors
        self.assertIn("column '?[2Jx??value' is unknown", errors)

    def test_input_from_a_named_pipe(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        job = start("run", self.app(), "--input", pipe)
        with open(pipe, "wb") as rows:  # which waits for the job
            rows.write(b"value\n1\n")
        self.assertEqual(job.communicate(timeout=60)[0], b'{"value":2}\n')
        self.assertEqual(job.returncode, OK)

    def test_output_to_a_named_pipe(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        job = start("run", self.app(), "--input", self.write("rows.csv", "value\n1\n"), "--output", pipe)
        with open(pipe, "rb") as lines:
            self.assertEqual(lines.read(), b'{"value":2}\n')
        job.communicate(timeout=60)
        self.assertEqual(job.returncode, OK)

    def test_two_zstd_frames_are_one_input(self):
        parts = [subprocess.run(["zstd", "-q"], input=part, stdout=subprocess.PIPE, check=True).stdout
                 for part in (b"value\n1\n2", b"2\n3\n")]
        done = self.run_app(self.app(), "--input", "-", stdin=b"".join(parts))
        self.assertEqual(done.stdout, b'{"value":2}\n{"value":44}\n{"value":6}\n')

    def test_zstd_data_with_frames_to_be_skipped(self):  # as pzstd writes them before each of its own
        parts = [subprocess.run(["zstd", "-q"], input=part, stdout=subprocess.PIPE, check=True).stdout for part in (b"value\n1\n", b"2\n")]
        for kind in (0x50, 0x5f):
            skipped = struct.pack("<BBBBI", kind, 0x2a, 0x4d, 0x18, 3) + b"abc"
            path = self.write("rows.csv.zst", skipped + parts[0] + skipped + parts[1] + skipped)
            self.assertEqual(self.run_app(self.app(), "--input", path).stdout, b'{"value":2}\n{"value":4}\n')
            cut = self.run_app(self.app(), "--input", self.write("cut.csv.zst", skipped + parts[0] + skipped[:-1]), code=IO)
            self.assertIn("cut.csv.zst: ends in the middle of its zstd data", cut.errors)

    @unittest.skipUnless(os.path.exists("/dev/full"), "no /dev/full")
    def test_a_full_disk(self):
        for option in ("--output", "--dead-letters", "--summary"):
            done = self.run_rk("run", JOB / "app.yaml", "--input", JOB / "damaged.csv", option, "/dev/full", code=IO)
            self.assertIn("/dev/full: No space left on device", done.errors)

    def test_a_full_disk_stops_a_long_job_early(self):
        done = self.run_app(JOB / "app.yaml", "--set", "aggregate.window=1", "--output", "/dev/full", code=IO)
        self.assertIn("No space left", done.errors)
        self.assertFalse(done.summary["balanced"])
        self.assertLess(done.summary["rows_read"], 200000)

    def test_a_closed_pipe(self):
        job = start("run", JOB / "app.yaml", "--set", "aggregate.window=1")
        job.stdin.close()
        self.assertEqual(job.stdout.readline()[:12], b'{"window":0,')
        job.stdout.close()
        self.assertEqual(job.wait(60), IO)
        self.assertIn(b"standard output: Broken pipe", job.stderr.read())
        job.stderr.close()

    def test_a_closed_pipe_while_the_input_is_silent(self):
        job = start("run", self.app(), "--input", "-")
        job.stdin.write(b"value\n1\n")
        job.stdin.flush()
        self.assertEqual(job.stdout.readline(), b'{"value":2}\n')
        job.stdout.close()
        job.stdin.write(b"2\n")
        job.stdin.flush()  # the input stays open: the broken pipe alone ends the job
        self.assertEqual(job.wait(60), IO)
        job.stdin.close()
        job.stderr.close()

    def test_closed_standard_streams(self):
        def run(redirection, *arguments):
            command = " ".join([rk_command.RK, "run", str(self.app()), *map(str, arguments), redirection])
            return subprocess.run(["sh", "-c", command], capture_output=True, env=rk_command.environment(), check=False, timeout=60)
        rows, letters = self.write("rows.csv", "value\n1\nx\n"), self.folder / "letters"
        done = run(">&-", "--input", rows, "--dead-letters", letters)
        self.assertEqual(done.returncode, IO)
        self.assertIn(b"standard output: ", done.stderr)
        self.assertEqual(letters.read_text(), '{"row":2,"reason":"parse","text":"x"}\n')
        done = run("<&-", "--input", "-")
        self.assertEqual((done.returncode, done.stdout), (IO, b""))
        self.assertIn(b"standard input: ", done.stderr)
        done = run("2>&-", "--input", rows, "-v", "--dead-letters", letters)
        self.assertEqual((done.returncode, done.stdout), (OK, b'{"value":2}\n'))
        self.assertEqual(letters.read_text(), '{"row":2,"reason":"parse","text":"x"}\n')

    def test_the_summary_on_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([rk_command.RK, "run", str(self.app()), "--input", str(self.write("rows.csv", "value\n1\n")), "--json",
                                   "--output", str(self.folder / "out")], stdout=full, stderr=subprocess.PIPE, check=False,
                                  env=rk_command.environment())
        self.assertEqual(done.returncode, IO)
        self.assertIn(b"standard output: No space left", done.stderr)

    def test_the_summary_on_standard_error_that_is_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([rk_command.RK, "run", str(self.app()), "--input", "-", "--json"], input=b"value\n1\n", stdout=subprocess.PIPE,
                                  stderr=full, check=False, env=rk_command.environment())
        self.assertEqual((done.returncode, done.stdout), (IO, b'{"value":2}\n'))

    def test_a_file_that_may_not_grow_further(self):
        app, rows = self.app(), self.write("rows.csv", b"value\n" + b"".join(b"%d\n" % n for n in range(-1000, 1000)))
        self.run_rk("run", app, "--input", "-", stdin=b"value\n1\n")  # compiled, which is no small file
        for option in ("--output", "--dead-letters", "--summary"):
            with self.subTest(option=option):
                done = subprocess.run([rk_command.RK, "run", str(app), "--input", str(rows), option, str(self.folder / "small")], check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=rk_command.environment(),
                                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
                self.assertEqual(done.returncode, IO)
                self.assertIn(b"small: File too large", done.stderr)

    def test_output_onto_the_input(self):
        path = self.write("rows.csv", "value\n1\n")
        for option in ("--output", "--dead-letters", "--summary"):
            done = self.run_rk("run", self.app(), "--input", path, option, path, code=IO)
            self.assertIn("is the input", done.errors)
            self.assertEqual(path.read_text(), "value\n1\n")

    def test_standard_output_onto_the_input(self):
        path = self.write("rows.csv", "value\n1\n")
        done = subprocess.run(["sh", "-c", '"$0" run "$1" --input - < "$2" >> "$2"', rk_command.RK, str(self.app()), str(path)],
                              capture_output=True, env=rk_command.environment(), check=False, timeout=60)
        self.assertEqual(done.returncode, IO)
        self.assertIn(b"standard output: is the input", done.stderr)
        self.assertEqual(path.read_text(), "value\n1\n")

    def test_output_onto_what_the_job_is_made_of(self):
        app = self.app(APP.replace("kernels:", "messages: number.rk.h\nkernels:"))
        self.write("number.rk.h", "/* none */\n")
        for name in ("app.yaml", "doubler.rk.c", "number.rk.h"):
            before = (self.folder / name).read_text()
            for option in ("--output", "--dead-letters", "--summary"):
                done = self.run_rk("run", app, "--input", "-", option, self.folder / name, code=IO, stdin=b"value\n1\n")
                self.assertIn(f"{name}: is read, too", done.errors)
            self.assertEqual((self.folder / name).read_text(), before)

    def test_output_onto_a_header_that_a_kernel_includes(self):
        # given a kernel with a header, which includes another
        texts = {"near.h": '#include "deep/far.h"\n', "deep/far.h": "#define FAR 1\n"}
        for name, text in texts.items():
            self.write(name, text)
        app = self.app()
        (self.folder / "doubler.rk.c").unlink()
        (self.folder / "doubler.rk.c").write_text('#include "near.h"\n' + rk_command.DOUBLER)
        # when the job is to write into one of them, however it is called, then it is refused, and the header is as it was
        for name, text in texts.items():
            for option in ("--output", "--dead-letters", "--summary"):
                done = self.run_rk("run", app, "--input", "-", option, f"deep/../{name}", code=IO, stdin=b"value\n1\n", cwd=self.folder)
                self.assertIn(f"rk: deep/../{name}: is included by a kernel source: writing it would destroy it\n", done.errors)
            self.assertEqual((self.folder / name).read_text(), text)

    def test_two_outputs_into_one_file(self):
        path, app = self.folder / "out", self.app()
        for first, second in (("--output", "--summary"), ("--dead-letters", "--output"), ("--dead-letters", "--summary")):
            for there in (False, True):
                path.unlink(missing_ok=True)
                if there:
                    path.write_text("kept")
                done = self.run_rk("run", app, "--input", "-", first, path, second, self.folder / "." / "out", code=IO, stdin=b"value\n1\n")
                self.assertIn("out: can't hold the ", done.errors)
                self.assertEqual(path.read_text(), "kept" if there else "")
        done = subprocess.run(["sh", "-c", '"$0" run "$1" --input - --summary "$2" > "$2"', rk_command.RK, str(app), str(path)],
                              input=b"value\n1\n", capture_output=True, env=rk_command.environment(), check=False, timeout=60)
        self.assertEqual(done.returncode, IO)
        done = self.run_rk("run", app, "--input", "-", "--summary", "-", stdin=b"value\n1\n")
        self.assertEqual(done.stdout[:14], b'{"value":2}\n{\n')

    def test_a_summary_on_standard_output_that_is_another_file_of_the_job(self):
        app, rows = self.app(), self.folder / "rows.csv"
        for other, kept in (("--output", b""), ("--dead-letters", b""), ("--input", b"value\n1\nx\n")):
            rows.write_bytes(b"value\n1\nx\n")
            path = rows if other == "--input" else self.folder / "one"
            path.write_bytes(kept)
            files = ["--input", str(rows)] + ([] if other == "--input" else [other, str(path)])
            files += [] if other == "--output" else ["--output", str(self.folder / "apart")]
            done = subprocess.run(["sh", "-c", 'to=$1; shift; "$0" run "$@" --json >> "$to"', rk_command.RK, str(path), str(app), *files],
                                  capture_output=True, env=rk_command.environment(), check=False, timeout=60)
            self.assertEqual((done.returncode, path.read_bytes()), (IO, kept), other)
            self.assertIn(b"standard output: ", done.stderr)

    def test_what_goes_to_standard_output_may_share_it_though_it_is_a_file(self):
        path = self.folder / "all"
        with open(path, "wb") as together:
            done = subprocess.run([rk_command.RK, "run", str(self.app()), "--input", "-", "--dead-letters", "-", "--summary", "-"], input=b"value\n1\nx\n",
                                  stdout=together, stderr=subprocess.PIPE, env=rk_command.environment(), check=False)
        self.assertEqual((done.returncode, done.stderr), (OK, b""))
        first, second, summary = path.read_text().split("\n", 2)
        self.assertEqual((first, second), ('{"value":2}', '{"row":2,"reason":"parse","text":"x"}'))
        self.assertEqual(json.loads(summary)["rows_read"], 2)

    def test_what_an_earlier_job_has_left_stays_until_a_row_is_read(self):
        app, out, letters, summary = self.app(), self.folder / "out", self.folder / "letters", self.folder / "summary"
        files = {"--output": out, "--dead-letters": letters, "--summary": summary}

        def after(stdin, code, **other):
            """What is in the files after a job with this input, if they had something before."""
            said = [str(word) for name, path in files.items() for word in (name, other.get(name[2:].replace("-", "_"), path))]
            for path in files.values():
                path.write_text("an earlier job's, and longer than one line of this one")
            self.run_rk("run", app, "--input", "-", *said, stdin=stdin, code=code)
            return [path.read_text() for path in (out, letters, summary)]

        kept = "an earlier job's, and longer than one line of this one"
        # a file that can't be opened, which ever it is
        for name in ("output", "dead_letters", "summary"):
            self.assertEqual(after(b"value\n1\nx\n", IO, **{name: self.folder / "no" / "file"}), [kept] * 3, name)
        # a wrong first line, and a part of one: only the summary is of this job
        for head in (b"valeu\n1\n", b"value,more\n1,2\n", b"", b"val"):
            left = after(head, IO)
            self.assertEqual(left[:2], [kept] * 2, head)
            self.assertEqual(json.loads(left[2])["rows_read"], 0)
        # rows, and none
        left = after(b"value\n1\nx\n", OK)
        self.assertEqual(left[:2], ['{"value":2}\n', '{"row":2,"reason":"parse","text":"x"}\n'])
        for rows, lines in ((b"value\n", ""), (b"value\n3\n", '{"value":6}\n')):
            self.assertEqual(after(rows, OK)[:2], [lines, ""])

    def test_an_output_folder_that_is_not_there(self):
        for option in ("--output", "--dead-letters", "--summary"):
            done = self.run_rk("run", self.app(), "--input", "-", option, self.folder / "no" / "file", code=IO, stdin=b"value\n")
            self.assertIn("No such file", done.errors)

    def test_csv_output_of_two_message_types(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(other, 2, (rk_i64, other))
RK_HANDLER(doubler, number, msg, rk_none, self, .max_sends = 2)
{
    other out = {1};
    rk_send(RK_ARG, msg);
    rk_send(RK_ARG, &out);
}
"""
        done = self.run_app(self.app(kernel=kernel), "--input", "-", "--output-format", "csv", stdin=b"value\n1\n", code=IO)
        self.assertIn("CSV holds one message type", done.errors)
        both = self.run_app(self.app(kernel=kernel), "--input", "-", stdin=b"value\n1\n")
        self.assertEqual(both.stdout, b'{"value":1}\n{"other":1}\n')


class Kernels(Case):
    def test_a_kernel_that_does_not_compile(self):
        app = self.app(kernel=rk_command.DOUBLER.replace("number out", "numer out"))
        done = self.run_app(app, "--input", "-", code=KERNEL, stdin=b"value\n")
        self.assertRegex(done.errors, r"doubler\.rk\.c:7:5: error: unknown type name .numer.")
        self.assertIn("numer out = {msg->value", done.errors)
        self.assertIn("RK_COMPILE_FAILED", done.errors)

    def test_a_kernel_that_is_not_in_its_source(self):
        done = self.run_app(self.app(APP.replace("doubler:", "double:").replace("-> doubler", "-> double").replace("doubler ->", "double ->")),
                            "--input", "-", code=KERNEL, stdin=b"value\n")
        self.assertIn("RK_NO_SUCH_KERNEL", done.errors)
        self.assertIn("doubler", done.errors)
        named = APP.replace("doubler: { source: doubler.rk.c }", "twice: { source: doubler.rk.c, kernel: doubler }")
        named = named.replace("-> doubler", "-> twice").replace("doubler ->", "twice ->")
        self.assertEqual(self.run_app(self.app(named), "--input", "-", stdin=b"value\n4\n").stdout, b'{"value":8}\n')

    def test_options_that_the_library_refuses_are_told_at_their_place(self):
        app = self.app(APP.replace("{ source: doubler.rk.c }", "\n    source: doubler.rk.c\n    capacity: 5000\n    deduplication: 2048"))
        done = self.run_app(app, "--input", "-", code=KERNEL, stdin=b"value\n")
        self.assertIn("app.yaml:5:15: kernel 'doubler': RK_INVALID_OPTIONS", done.errors)
        for part in ("5000", "4096", "8192", "2048", "1024"):
            self.assertIn(part, done.errors)

    def test_parameters(self):
        app = self.app()
        done = self.run_app(app, "--input", "-", "--set", "doubler.factor=5", stdin=b"value\n3\n")
        self.assertEqual(done.stdout, b'{"value":15}\n')
        done = self.run_app(app, "--input", "-", "--set", "doubler.factr=5", code=KERNEL, stdin=b"value\n")
        self.assertIn("declares no parameter 'factr': declared are factor", done.errors)
        done = self.run_app(app, "--input", "-", "--set", "doubler.factor=five", code=KERNEL, stdin=b"value\n")
        self.assertIn("five", done.errors)

    def test_a_handler_that_never_returns(self):
        app = self.app("app: a\nkernels: { stuck: { source: k.rk.c } }\nroutes: [input -> stuck, stuck -> output]\n", STUCK, "k.rk.c")
        begun = time.monotonic()
        done = self.run_app(app, "--input", "-", "--patience", "2", stdin=b"value\n1\n7\n2\n", code=UNBALANCED)
        self.assertLess(time.monotonic() - begun, 30 * rk_command.SLOW)
        self.assertIn("kernel 'stuck' has made no progress for 2 s", done.errors)
        self.assertIn("did not stop", done.errors)
        self.assertFalse(done.summary["balanced"])
        self.assertEqual(done.summary["rows_read"], 3)
        account = done.summary["kernels"][0]["account"]
        self.assertEqual(account["accepted"], account["delivered"] + account["queued"] + account["lost"])

    def test_a_handler_that_never_returns_with_more_rows_than_room(self):
        app = self.app("app: a\nkernels: { stuck: { source: k.rk.c, capacity: 16 } }\nroutes: [input -> stuck, stuck -> output]\n",
                       STUCK, "k.rk.c")
        done = self.run_app(app, "--input", "-", "--patience", "2", stdin=b"value\n" + b"7\n" * 100000, code=UNBALANCED)
        summary = done.summary
        self.assertEqual(summary["rows_read"], summary["rows_sent"] + summary["rows_unsent"])

    def test_a_kernel_that_fails_ends_the_job(self):
        for last in (True, False):  # it fails as the last row comes, or with more rows than the lanes have room for
            kernel = DIVERGENT
            app = self.app("app: a\nkernels: { pass: { source: k.rk.c }, diverge: { source: k.rk.c, capacity: 64 } }\n"
                           "routes: [input -> pass, pass -> diverge, diverge -> output]\n", kernel, "k.rk.c")
            rows = b"value\n1\n7\n" + (b"" if last else b"2\n" * 100000)
            done = self.run_app(app, "--input", "-", stdin=rows, code=UNBALANCED)
            self.assertRegex(done.errors, r"rk: diverge: error: divergent barrier: .*/k.rk.c:9\n")
            self.assertRegex(done.errors, r"kernel 'diverge' has failed: divergent barrier: |'diverge' failed while it was drained\n")
            summary = done.summary
            self.assertFalse(summary["balanced"])
            self.assertTrue(all(check["holds"] for check in summary["checks"]), summary["checks"])
            self.assertEqual(summary["rows_read"], summary["rows_sent"] + summary["rows_unsent"])
            self.assertEqual(summary["kernels"][1]["account"]["delivered"] + len(done.letters) + summary["kernels"][1]["account"]["queued"],
                             summary["kernels"][1]["account"]["accepted"])
            self.assertEqual({one["reason"] for one in done.letters}, {"kernel failed"})

    def test_a_cycle_of_block_without_a_deadline(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(a, number, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_HANDLER(b, number, msg, rk_none, self) { rk_forward(RK_ARG); }
"""
        forever = "send_deadline_ns: 18446744073709551615"
        app = self.app("app: a\nkernels:\n  a: { source: k.rk.c, %s }\n  b: { source: k.rk.c, %s }\n"
                       "routes:\n  - input -> a\n  - a -> b\n  - b -> a\n" % (forever, forever), kernel, "k.rk.c")
        done = self.run_app(app, "--input", "-", code=KERNEL, stdin=b"value\n")
        self.assertIn("app.yaml:8:5: route 'b -> a'", done.errors)
        self.assertIn("cycle", done.errors)

    def test_a_cycle_of_routes_drains(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(hop, 1, (rk_i64, left), (rk_i64, value))
RK_ROUTE(arrived)
RK_HANDLER(a, hop, msg, rk_none, self)
{
    hop out = {msg->left - 1, msg->value};
    for (volatile rk_u32 i = 0; i < 200000; i++) {
    }
    if (msg->left == 0) rk_send_to(RK_ARG, arrived, msg);
    else rk_send(RK_ARG, &out);
}
RK_HANDLER(b, hop, msg, rk_none, self) { rk_forward(RK_ARG); }
"""
        app = self.app("app: a\nkernels:\n  a: { source: k.rk.c }\n  b: { source: k.rk.c }\n"
                       "routes:\n  - input -> a\n  - a -> b\n  - a -> output: { route: arrived }\n  - b -> a\n"
                       "  - b -> output: { route: arrived }\n", kernel, "k.rk.c")
        rows = "left,value\n" + "".join("20,%d\n" % n for n in range(20))
        done = self.run_app(app, "--input", "-", "--patience", "10", stdin=rows.encode())
        self.assertEqual(sorted(json.loads(line)["value"] for line in done.stdout.splitlines()), list(range(20)))
        self.assertEqual(rk_command.without_stalls(done.errors), "")
        self.assertEqual([kernel["account"]["delivered"] for kernel in done.summary["kernels"]], [420, 400])

    def test_messages_that_no_route_leads_anywhere(self):
        done = self.run_app(self.app(APP.replace("  - doubler -> output\n", "")), "--input", "-", stdin=b"value\n1\n-1\n2\n")
        self.assertEqual([(l["row"], l["reason"], l["text"]) for l in done.letters],
                         [(2, "negative", '{"value":-1}'), (None, "unrouted", '{"value":2}'), (None, "unrouted", '{"value":4}')])
        self.assertTrue(done.summary["balanced"])

    def test_named_routes(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_ROUTE(odd)
RK_HANDLER(sort, number, msg, rk_none, self)
{
    if (msg->value % 2) rk_send_to(RK_ARG, odd, msg);
    else rk_send(RK_ARG, msg);
}
RK_HANDLER(negate, number, msg, rk_none, self)
{
    number out = {-msg->value};
    rk_send(RK_ARG, &out);
}
"""
        text = ("app: a\nkernels:\n  sort: { source: k.rk.c, kernel: sort }\n  negate: { source: k.rk.c }\n"
                "routes:\n  - input -> sort\n  - sort -> output\n  - sort -> negate: { route: odd }\n"
                "  - negate -> output\n  - negate -> output: { route: odd }\n")
        done = self.run_app(self.app(text, kernel, "k.rk.c"), "--input", "-", stdin=b"value\n1\n2\n3\n")
        self.assertEqual(sorted(done.stdout.splitlines()), [b'{"value":-1}', b'{"value":-3}', b'{"value":2}'])
        self.assertTrue(done.summary["balanced"], done.summary["checks"])
        done = self.run_app(self.app(text.replace("  - negate -> output: { route: odd }\n", ""), kernel, "k.rk.c"), "--input", "-",
                            code=KERNEL, stdin=b"value\n")
        self.assertIn("app.yaml:4:3: route 'odd' of kernel 'negate' leads nowhere: add '- negate -> NAME: { route: odd }'", done.errors)
        done = self.run_app(self.app(text.replace("sort -> negate: { route: odd }", "sort -> negate: { route: even }"), kernel, "k.rk.c"),
                            "--input", "-", code=KERNEL, stdin=b"value\n")
        self.assertIn("route 'odd' of kernel 'sort' leads nowhere", done.errors)

    def test_a_kernel_with_several_message_types(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(other, 2, (rk_i32, other))
RK_HANDLER(both, number, msg, rk_none, self) { rk_forward(RK_ARG); }
RK_HANDLER(both, other, msg, rk_none, self) { rk_forward(RK_ARG); }
"""
        text = "app: a\nkernels: { both: { source: k.rk.c } }\nroutes:\n  - input -> both: { message: other }\n  - both -> output\n"
        done = self.run_app(self.app(text, kernel, "k.rk.c"), "--input", "-", stdin=b"other\n5\n")
        self.assertEqual(done.stdout, b'{"other":5}\n')
        done = self.run_app(self.app(text.replace(": { message: other }", ""), kernel, "k.rk.c"), "--input", "-", stdin=b"", code=KERNEL)
        self.assertIn("app.yaml:4:5: kernel 'both' handles several message types", done.errors)
        done = self.run_app(self.app(text.replace("other }", "numbr }"), kernel, "k.rk.c"), "--input", "-", stdin=b"", code=KERNEL)
        self.assertIn("kernel 'both' has no handler for 'numbr': valid are ", done.errors)

    def test_a_key_that_is_no_integer_field(self):
        app = self.app(APP.replace("input -> doubler", "input -> doubler: { key: none }"))
        out = self.write("out", "kept")
        done = self.run_app(app, "--input", "-", "--output", out, stdin=b"value\n1\n", code=KERNEL)
        self.assertEqual(done.errors, f"rk: {app}:5:30: route 'input -> doubler': 'none' is no integer field of 'number': valid are value\n")
        self.assertEqual(out.read_text(), "kept")

    def test_strategies_that_let_messages_go_are_accounted_for(self):
        slow = rk_command.DOUBLER.replace("    number out", "    for (volatile rk_u32 i = 0; i < 20000; i++) {\n    }\n    number out")
        rows = b"value\n" + b"".join(b"%d\n" % n for n in range(5000))
        for strategy in ("reject", "drop_newest", "drop_oldest"):
            app = self.app(APP.replace("rk.c }", "rk.c, capacity: 16, backpressure: %s }" % strategy), slow)
            done = self.run_app(app, "--input", "-", stdin=rows)
            self.assertTrue(done.summary["balanced"], strategy)
            account = done.summary["kernels"][0]["account"]
            if strategy == "reject":  # the source tries again
                self.assertEqual(account["delivered"], 5000)
            elif strategy == "drop_newest":
                self.assertEqual(account["delivered"] + done.summary["rows_refused"], 5000)
                self.assertEqual(done.summary["dead_letters"]["count"], done.summary["rows_refused"])
            else:
                self.assertEqual(account["delivered"] + account["evicted"], 5000)

    def test_what_a_target_does_not_handle_has_one_reason_whatever_its_slots_hold(self):
        # given a kernel that sends two types to one that handles the smaller, in whose slots the larger fits beside a short header alone
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_MESSAGE(wide, 2, (rk_i64, value, 5))
RK_HANDLER(widen, number, msg, rk_none, self, .max_sends = 2)
{
    wide out = { { msg->value, 0, 0, 0, 0 } };
    rk_send(RK_ARG, msg);
    rk_send(RK_ARG, &out);
}
RK_HANDLER(narrow, number, msg, rk_none, self) { rk_forward(RK_ARG); }
"""
        app = self.app("app: a\nkernels: { widen: { source: k.rk.c }, narrow: { source: k.rk.c } }\n"
                       "routes: [input -> widen, widen -> narrow, narrow -> output]\n", kernel, "k.rk.c")
        # when it runs with short headers, and with the long ones of --dead-letters
        summary = self.folder / "summary.json"
        for more in ((), ("--dead-letters", self.folder / "letters")):
            done = self.run_rk("run", app, "--input", "-", "--summary", summary, *more, stdin=b"value\n1\n2\n3\n")
            # then the letters have the same reason
            told = json.loads(summary.read_text())
            self.assertEqual(told["dead_letters"], {"count": 3, "by_reason": {"RK_UNKNOWN_TYPE": 3}}, more)
            self.assertEqual((told["balanced"], done.stdout.count(b"\n")), (True, 3))

    def test_what_strategies_let_go_between_kernels_is_told_and_checked(self):
        # given a kernel that sends each row three times, of two ids, to one that is slow
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(source, number, msg, rk_none, self, .max_sends = 3)
{
    rk_send_options o = RK_SEND_DEFAULTS;
    for (rk_u32 i = 0; i < 3; i++) {
        o.id = (rk_u64)(2 * msg->value + 1 + (i == 2));
        rk_send_with(RK_ARG, msg, &o);
    }
}
RK_HANDLER(slow, number, msg, rk_none, self)
{
    for (volatile rk_u32 i = 0; i < 20000; i++) {
    }
    rk_forward(RK_ARG);
}
"""
        rows, sent = b"value\n" + b"".join(b"%d\n" % n for n in range(2000)), 6000
        for options, let_go in (("backpressure: block", None), ("backpressure: reject", None), ("backpressure: drop_newest", "dropped"),
                                ("backpressure: drop_oldest", "evicted"), ("backpressure: block, deduplication: 16", "duplicate")):
            with self.subTest(options=options):
                app = self.app("app: a\nkernels: { source: { source: k.rk.c }, slow: { source: k.rk.c, capacity: 16, %s } }\n"
                               "routes: [input -> source, source -> slow, slow -> output]\n" % options, kernel, "k.rk.c")
                # when it runs
                done = self.run_app(app, "--input", "-", "-v", stdin=rows)
                source, slow = (one["account"] for one in done.summary["kernels"])
                refused = slow["refused_from_kernels"]
                # then every send is somewhere, and the two sides agree
                self.assertTrue(done.summary["balanced"])
                self.assertEqual(source["sent"] + source["dropped_sends"] + source["dead_sends"], sent)
                self.assertEqual(slow["delivered"] + slow["evicted"] + sum(refused.values()), sent)
                self.assertEqual(slow["refused"], refused)
                checks = {check["check"]: (check["left"], check["right"]) for check in done.summary["checks"]}
                self.assertEqual(checks["let go of what kernels sent to slow = refused by slow as dropped + duplicate"],
                                 (source["dropped_sends"], refused["dropped"] + refused["duplicate"]))
                # and what was let go is told at a glance, and is no dead letter
                counts = {"dropped": refused["dropped"], "duplicate": refused["duplicate"], "evicted": slow["evicted"]}
                self.assertEqual(done.summary["let_go"], counts)
                self.assertEqual([name for name, count in counts.items() if count], [let_go] if let_go else [])
                self.assertEqual("let go by the kernels' strategies: %s %s\n" % (f"{counts[let_go]:,}", let_go) in done.errors if let_go else
                                 "let go" not in done.errors, True, done.errors)
                told = ", ".join(f"{refused[name]:,} {name}" for name in ("dropped", "duplicate", "full") if refused[name])
                self.assertEqual(f"  refused from kernels: {told}\n" in done.errors, bool(told), done.errors)
                self.assertEqual(done.summary["dead_letters"]["count"], refused["full"])
                self.assertEqual(refused["full"] > 0, "reject" in options)
                self.assertEqual(refused["duplicate"], 2000 if "deduplication" in options else 0)

    def test_a_send_that_is_only_tried_and_let_go_is_on_both_sides_of_the_check(self):
        kernel = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_HANDLER(source, number, msg, rk_none, self, .max_sends = 3)
{
    for (rk_u32 i = 0; i < 3; i++) (void)rk_try_send(RK_ARG, msg);
}
RK_HANDLER(slow, number, msg, rk_none, self)
{
    for (volatile rk_u32 i = 0; i < 20000; i++) {
    }
    rk_forward(RK_ARG);
}
"""
        app = self.app("app: a\nkernels: { source: { source: k.rk.c }, slow: { source: k.rk.c, capacity: 16, backpressure: drop_newest } }\n"
                       "routes: [input -> source, source -> slow, slow -> output]\n", kernel, "k.rk.c")
        done = self.run_app(app, "--input", "-", stdin=b"value\n" + b"1\n" * 5000)
        source, slow = (one["account"] for one in done.summary["kernels"])
        self.assertGreater(source["dropped_sends"], 0)
        self.assertEqual((source["dropped_sends"], source["sent"]), (slow["refused"]["dropped"], slow["accepted"]))

    def test_shards_by_key_in_turn_and_all(self):
        rows = b"value\n" + b"".join(b"%d\n" % n for n in range(3000))
        doubled = sorted(2 * n for n in range(3000))
        for route, copies in (("{ key: value }", 1), ("{ mode: turn }", 1), ("{ target: 2 }", 1), ("{ mode: all }", 3)):
            app = self.app(APP.replace("rk.c }", "rk.c, shards: 3 }").replace("input -> doubler", "input -> doubler: " + route))
            done = self.run_app(app, "--input", "-", stdin=rows)
            self.assertEqual(sorted(json.loads(line)["value"] for line in done.stdout.splitlines()), sorted(doubled * copies), route)
            self.assertTrue(done.summary["balanced"])


class Waits(Case):
    def test_a_job_that_waits_for_rows_or_for_its_reader_is_not_given_up(self):
        job = start("run", self.app(), "--input", "-", "--patience", "1")
        self.addCleanup(job.kill)
        job.stdin.write(b"value\n1\n")
        job.stdin.flush()
        self.assertEqual(job.stdout.readline(), b'{"value":2}\n')
        with self.assertRaises(subprocess.TimeoutExpired):
            job.wait(1.5)
        self.assertEqual(job.communicate(b"2\n", timeout=60), (b'{"value":4}\n', b""))
        self.assertEqual(job.returncode, OK)

        rows = self.write("rows.csv", b"value\n" + b"".join(b"%d\n" % n for n in range(400000)))
        job = start("run", self.app(), "--input", rows, "--patience", "1")
        self.addCleanup(job.kill)
        wait_until_full(job.stdout)
        with self.assertRaises(subprocess.TimeoutExpired):
            job.wait(5.5)  # longer than a reader has after Ctrl-C
        lines, errors = job.communicate(timeout=60)
        self.assertEqual((lines.count(b"\n"), job.returncode), (400000, OK))
        self.assertNotIn(b"no progress", errors)


class Signals(Case):
    def test_ctrl_c_while_the_app_file_is_a_pipe(self):
        pipe = self.folder / "app.yaml"
        os.mkfifo(pipe)
        for has_writer in (False, True):
            job = start("run", pipe, "--input", "-")
            self.addCleanup(job.kill)
            with open(pipe, "wb") if has_writer else contextlib.nullcontext() as writer:
                if has_writer:
                    writer.write(b"app: doubler\n")  # and no end
                    writer.flush()
                wait_until_ctrl_c_is_heard(job)
                job.send_signal(signal.SIGINT)
                self.assertEqual(job.wait(30), rk_command.INTERRUPTED)
            self.assertIn(b"app.yaml: interrupted before all of the app file was read", job.communicate()[1])

    def test_an_app_file_that_comes_by_a_pipe(self):
        self.app()
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        job = start("run", pipe, "--input", "-")
        self.addCleanup(job.kill)
        time.sleep(0.1)  # it may wait for a writer, or not yet
        with open(pipe, "wb") as writer:
            writer.write(APP.encode())
        self.assertEqual(job.communicate(b"value\n1\n", timeout=60 * rk_command.SLOW), (b'{"value":2}\n', b""))
        self.assertEqual(job.returncode, OK)

    def test_an_app_file_of_1_mib_that_comes_by_a_pipe_and_of_a_byte_more(self):
        self.app()
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for more, code in ((0, OK), (1, rk_command.USAGE)):
            job = start("run", pipe, "--input", "-")
            self.addCleanup(job.kill)
            with open(pipe, "wb") as writer:
                writer.write(APP.encode() + b"#" * ((1 << 20) - len(APP) + more))
            errors = job.communicate(b"value\n1\n", timeout=60 * rk_command.SLOW)[1]
            self.assertEqual((job.returncode, b"is over 1 MiB" in errors), (code, bool(more)))

    def test_ctrl_c_while_nobody_reads_a_pipe_or_writes_one(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for option in ("--output", "--summary", "--dead-letters", "--input"):
            job = start("run", self.app(), *(["--input", "-"] if option != "--input" else []), option, pipe, "-v")
            self.addCleanup(job.kill)
            wait_until_begun(job)
            job.send_signal(signal.SIGINT)
            errors = job.communicate(timeout=30)[1]
            self.assertEqual(job.returncode, rk_command.INTERRUPTED, option)
            if option != "--input":  # which may be open by then, and without a row
                self.assertIn(b"rk: interrupted before any row was read\n", errors)

    def test_ctrl_c_stops_reading_and_drains(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            summary = self.folder / "summary.json"
            job = start("run", self.app(), "--input", "-", "--summary", summary)
            job.stdin.write(b"value\n1\n2\n")
            job.stdin.flush()
            self.assertEqual(job.stdout.readline(), b'{"value":2}\n')
            job.send_signal(number)
            rest, errors = job.stdout.read(), job.stderr.read().decode()
            self.assertEqual(job.wait(60), rk_command.INTERRUPTED, errors)
            for pipe in (job.stdin, job.stdout, job.stderr):
                pipe.close()
            self.assertEqual(rest, b'{"value":4}\n')
            told = json.loads(summary.read_text())
            self.assertTrue(told["balanced"])
            self.assertTrue(told["interrupted"])
            self.assertRegex(errors, r"accepted 2 = delivered 2 .* balanced")
            self.assertIn("interrupted", errors)

    def being_compiled(self, *arguments):
        """A job whose compiler waits for a header, and the header."""
        header = self.folder / "slow.h"
        header.unlink(missing_ok=True)
        os.mkfifo(header)
        app = self.app(APP.replace("doubler.rk.c", "slow.c"))
        self.write("slow.c", rk_command.DOUBLER + '#include "%s"\n' % header)
        job = subprocess.Popen([rk_command.RK, "run", str(app), "--input", "-", *map(str, arguments)], stdin=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=rk_command.environment(), start_new_session=True)
        self.addCleanup(job.kill)
        return job, header

    def read_nothing(self, summary):
        """Checks a summary of no row."""
        self.assertEqual((summary["rows_read"], summary["interrupted"], summary["balanced"]), (0, True, True))
        self.assertEqual([kernel["account"]["accepted"] for kernel in summary["kernels"]], [0])
        self.assertTrue(all(check["holds"] for check in summary["checks"]))
        self.assertTrue(all(seconds >= 0 for seconds in summary["phases"].values()))

    def test_a_signal_to_the_job_alone_while_a_kernel_is_compiled(self):
        out, summary = self.write("out.ndjson", "kept"), self.folder / "summary.json"
        for number in (signal.SIGTERM, signal.SIGINT):
            # given a compiler that reads a header
            job, header = self.being_compiled("--output", out, "--summary", summary, "--json")
            with open(header, "wb"):
                # when the job gets the signal, and the compiler goes on
                job.send_signal(number)
                self.write("whole.h", "\n")
                os.utime(self.folder / "whole.h", (0, 0))  # it hasn't changed since
                os.replace(self.folder / "whole.h", header)
            told, errors = job.communicate(timeout=60 * rk_command.SLOW)
            # then it says that nothing was read, on standard error and in the summary
            self.assertEqual((job.returncode, errors), (rk_command.INTERRUPTED, b"rk: interrupted before any row was read\n"))
            self.read_nothing(json.loads(summary.read_text()))
            self.assertEqual(json.loads(told), json.loads(summary.read_text()))
            self.assertEqual(out.read_text(), "kept")

    def test_ctrl_c_while_a_kernel_is_compiled_and_nobody_reads_the_pipe_of_the_summary(self):
        # given a summary that would go to a pipe without a reader
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        # when the job is interrupted before it waits for one
        job, header = self.being_compiled("--summary", pipe, "--output", self.folder / "out.ndjson", "--json")
        with open(header, "wb"):
            os.killpg(job.pid, signal.SIGINT)
        told, errors = job.communicate(timeout=60 * rk_command.SLOW)
        # then it ends as one that is interrupted while it waits
        self.assertEqual(job.returncode, rk_command.INTERRUPTED, errors)
        self.assertIn(b"rk: interrupted before any row was read\n", errors)
        self.read_nothing(json.loads(told))

    def test_ctrl_c_while_compiled_kernels_are_connected(self):
        # given a job whose route leads round, which it says when it connects it
        app = self.app("app: a\nkernels: { round: { source: k.rk.c, send_deadline_ns: 1000000000 } }\nroutes: [input -> round, round -> round]\n",
                       ROUND, "k.rk.c")
        summary = self.folder / "summary.json"
        # when it is interrupted while it can't say so
        code, errors = rk_command.interrupted_while_it_writes_errors("run", app, "--input", "-", "-v", "--summary", summary)
        # then it goes no further
        self.assertEqual(code, rk_command.INTERRUPTED)
        self.assertRegex(errors, "closes a cycle: .*\nrk: interrupted before any row was read\n$")
        self.read_nothing(json.loads(summary.read_text()))

    def test_a_summary_of_no_row_that_can_not_be_written(self):
        for file in ("/dev/full", self.folder / "no" / "file"):
            job, header = self.being_compiled("--summary", file)
            with open(header, "wb"):
                os.killpg(job.pid, signal.SIGTERM)
            errors = job.communicate(timeout=60 * rk_command.SLOW)[1].decode()
            self.assertEqual(job.returncode, IO, errors)
            self.assertIn(f"rk: {file}: ", errors)

    def test_ctrl_c_while_a_kernel_is_compiled(self):
        summary = self.folder / "summary.json"
        job, header = self.being_compiled("--summary", summary)
        with open(header, "wb"):  # once the compiler reads it
            os.killpg(job.pid, signal.SIGINT)  # as a terminal does: the compiler gets it, too
            errors = job.communicate(timeout=60)[1].decode()
        self.assertEqual(job.returncode, rk_command.INTERRUPTED, errors)
        self.assertIn("the compiler was ended while it compiled", errors)
        self.assertIn(": Interrupt", errors)
        self.assertIn("rk: interrupted before any row was read\n", errors)
        self.read_nothing(json.loads(summary.read_text()))

    def test_ctrl_c_in_the_middle_of_a_job(self):
        rows = b"value\n" + b"".join(b"%d\n" % n for n in range(400000))
        summary = self.folder / "summary.json"
        slow = rk_command.DOUBLER.replace("    number out", "    for (volatile rk_u32 i = 0; i < 3000; i++) {\n    }\n    number out")
        job = start("run", self.app(kernel=slow), "--input", self.write("rows.csv", rows), "--summary", summary, "--output",
                    self.folder / "out.ndjson")
        deadline = time.monotonic() + 60
        while not ((self.folder / "out.ndjson").exists() and (self.folder / "out.ndjson").stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.01)
        job.send_signal(signal.SIGINT)
        errors = job.communicate(timeout=120)[1].decode()
        self.assertEqual(job.returncode, rk_command.INTERRUPTED, errors)
        told = json.loads(summary.read_text())
        self.assertTrue(told["balanced"])
        self.assertLess(told["rows_read"], 400000)
        self.assertEqual((self.folder / "out.ndjson").read_bytes().count(b"\n"), told["rows_read"])

    def test_one_ctrl_c_ends_a_job_whose_output_nobody_reads(self):
        rows = self.write("rows.csv", b"value\n" + b"".join(b"%d\n" % n for n in range(400000)))
        for reads, code in ((False, IO), (True, rk_command.INTERRUPTED)):
            summary = self.folder / "summary.json"
            job = start("run", self.app(), "--input", rows, "--summary", summary)
            self.addCleanup(job.kill)
            wait_until_full(job.stdout)
            job.send_signal(signal.SIGINT)
            taken = job.stdout.read() if reads else b""
            self.assertEqual(job.wait(60), code)
            taken, errors = taken + job.stdout.read(), job.stderr.read().decode()
            for pipe in (job.stdin, job.stdout, job.stderr):
                pipe.close()
            told = json.loads(summary.read_text())
            self.assertEqual(told["output"]["lines"], taken.count(b"\n"))
            self.assertEqual(told["output"]["lines"] + told["output"]["unwritten"], told["rows_read"])
            self.assertEqual(told["balanced"], reads)
            if not reads:
                self.assertIn("its reader has taken nothing for 5 s after the interrupt: %d lines are not written"
                              % told["output"]["unwritten"], errors)
                self.assertRegex(errors, r"lines to standard output, [\d,]+ not written, in ")

    def test_a_second_ctrl_c_stops_at_once(self):
        app = self.app("app: a\nkernels: { stuck: { source: k.rk.c } }\nroutes: [input -> stuck, stuck -> output]\n", STUCK, "k.rk.c")
        summary = self.write("summary.json", '{"balanced": true}\n')  # of an earlier job
        job = start("run", app, "--input", "-", "--patience", "600", "--summary", summary)
        job.stdin.write(b"value\n1\n")
        job.stdin.flush()
        self.assertEqual(job.stdout.readline(), b'{"value":1}\n')
        job.stdin.write(b"7\n")
        job.stdin.flush()
        wait_until_busy(job)
        job.send_signal(signal.SIGINT)
        with self.assertRaises(subprocess.TimeoutExpired):
            job.wait(1)
        begun = time.monotonic()
        job.send_signal(signal.SIGINT)
        self.assertEqual(job.wait(30), rk_command.INTERRUPTED)
        self.assertLess(time.monotonic() - begun, 2 * rk_command.SLOW)
        self.assertIn(b"stopped at once", job.stderr.read())
        self.assertEqual(summary.read_bytes(), b"")  # nothing is accounted for
        for pipe in (job.stdin, job.stdout, job.stderr):
            pipe.close()

    def test_messages_that_go_round_for_ever_are_told_of(self):
        app = self.app("app: a\nkernels: { round: { source: k.rk.c, send_deadline_ns: 1000000000 } }\nroutes: [input -> round, round -> round]\n",
                       ROUND, "k.rk.c")
        job = start("run", app, "--input", "-", "--patience", "1")
        job.stdin.write(b"value\n1\n")
        job.stdin.close()
        told = job.stderr.readline()
        while told and b"still draining" not in told:  # that the routes lead round was told at the beginning
            told = job.stderr.readline()
        self.assertRegex(told, rb"still draining, \d+ s after the end of the input: kernel 'round' has handled \d+ messages since then")
        self.assertIn(b"(Ctrl-C, twice, ends this at once", told)
        job.send_signal(signal.SIGINT)
        while told and b"(Ctrl-C ends this at once" not in told:
            told = job.stderr.readline()
        self.assertTrue(told)
        job.send_signal(signal.SIGINT)
        self.assertEqual(job.wait(30), rk_command.INTERRUPTED)
        for pipe in (job.stdout, job.stderr):
            pipe.close()


if __name__ == "__main__":
    rk_command.main()
