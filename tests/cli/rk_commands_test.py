#!/usr/bin/python3
"""Each subcommand: its help, its exit codes, its JSON, and that what `rk init` writes runs."""
import fcntl
import json
import os
import pathlib
import pty
import re
import resource
import struct
import subprocess
import termios
import time
from unittest.mock import patch

import rk_command
from rk_command import IO, JOB, KERNEL, QUICK, SOURCE, USAGE, Case

COMMANDS = ("run", "check", "devices", "bench", "codegen", "init")


class Help(Case):
    def test_every_command_has_help_with_its_exit_codes(self):
        for command in COMMANDS:
            text = self.run_rk(command, "--help").stdout.decode()
            self.assertIn("Usage: rk %s" % command, text)
            self.assertIn("Exit codes: 0 ", text)
            self.assertIn("Usage: rk %s" % command, self.run_rk(command, "--usage").stdout.decode())

    def test_help_lists_every_command(self):
        text = self.run_rk("--help").stdout.decode()
        for command in COMMANDS:
            self.assertIn("rk %s " % command, text)
        for same in ("-?", "help"):
            self.assertEqual(self.run_rk(same).stdout.decode(), text)
        for word in ("--version", "-V"):
            self.assertRegex(self.run_rk(word).stdout.decode(), r"^rk \d+\.\d+\.\d+\n$")

    def test_a_wrong_command_line(self):
        for arguments, told in (((), "Usage: rk"), (("rnu",), "valid are run, check, devices, bench, codegen, init"),
                                (("run",), "an app file is needed"), (("run", "a", "b"), "one app file"),
                                (("run", "--colour"), "--colour"), (("run", "a", "--backend", "tpu"), "valid are cpu, cuda, opencl and auto"),
                                (("run", "a", "--workers", "0"), "from 1 to 1024"), (("run", "a", "--workers", "x"), "from 1 to 1024"),
                                (("run", "a", "--workers", " 3"), "from 1 to 1024"), (("run", "a", "--workers", "3x"), "from 1 to 1024"),
                                (("run", "a", "--workers", "18446744073709551617"), "from 1 to 1024"), (("run", "a", "--patience", "1000001"), "from 1 to 1000000"),
                                (("run", "a", "--patience", "-1"), "from 1 to"), (("run", JOB / "app.yaml", "--input-format", "xml"), "valid are csv and ndjson"),
                                (("run", JOB / "app.yaml", "--output-format", "xml"), "valid are csv and ndjson"),
                                (("check",), "is needed"), (("devices", "x"), "nothing to name"), (("bench", "x"), "valid are"),
                                (("codegen", "a"), "--backend is needed"), (("codegen", "a", "--backend", "tpu"), "valid are cpu, cuda, opencl and metal"),
                                (("codegen", "--backend", "cpu"), "is needed"), (("init",), "a folder is needed"),
                                (("init", "a", "b"), "one folder, not also 'b'"),
                                (("init", "a", "--from", "x"), "valid are filter, totals, bank, connections, flight-delays, inference, life, mandelbrot, ")):
            self.assertIn(told, self.run_rk(*arguments, code=USAGE).errors)

    def test_a_name_that_is_empty_is_told_as_such(self):
        source = JOB / "aggregate.rk.c"
        for arguments, what in ((("run", ""), "the app file"), (("check", ""), "a file to check"), (("init", ""), "the folder"),
                                (("codegen", "", "-bcpu"), "the kernel source"), (("codegen", source, "-bcpu", "-o", ""), "--output"),
                                *((("run", JOB / "app.yaml", option, ""), option)
                                  for option in ("--input", "--output", "--summary", "--dead-letters", "--checkpoints"))):
            self.assertIn(f"rk {arguments[0]}: {what} is '': a name is needed\n", self.run_rk(*arguments, code=USAGE).errors)

    def test_a_count_of_zero_is_told_what_it_would_mean(self):
        workers = "it must be a whole number from 1 to 1024; with 0 nothing would run kernels: leave it out for one fewer than the cores, at least one\n"
        patience = "it must be a whole number from 1 to 1000000; with 0 the first message that waits would end the job: leave it out for 30\n"
        for name, told in (("workers", workers), ("patience", patience)):
            for zero in ("0", "00"):
                self.assertIn(f"rk run: --{name} is '{zero}': {told}", self.run_rk("run", "a", f"--{name}={zero}", code=USAGE).errors)
            for other in ("-0", "x", "1000001", "0x"):
                self.assertNotIn("with 0", self.run_rk("run", "a", f"--{name}={other}", code=USAGE).errors)

    def test_standard_output_on_a_full_disk(self):
        for command in (["--help"], ["--version"], ["devices"], ["devices", "--json"], ["codegen", "--backend", "cpu", JOB / "enrich.rk.c"],
                        ["bench", "--quick", "reduction"], ["init", self.folder / "new"]):
            with open("/dev/full", "wb") as full:
                done = subprocess.run([rk_command.RK, *map(str, command)], stdout=full, stderr=subprocess.PIPE, check=False,
                                      env=rk_command.environment())
            self.assertEqual(done.returncode, IO, command)
            self.assertEqual(done.stderr.count(b"rk: standard output: "), 1, (command, done.stderr))


class ShortOptions(Case):
    ALL = {"run": {"b": "backend", "i": "input", "o": "output", "v": "verbose"}, "check": {"j": "json"}, "devices": {"j": "json"},
           "bench": {"j": "json", "q": "quick"}, "codegen": {"b": "backend", "k": "kernel", "o": "output"}, "init": {"f": "from", "j": "json"}}

    def test_each_command_has_those_that_are_tried_here(self):
        for command in COMMANDS:
            text = self.run_rk(command, "--help").stdout.decode()
            self.assertEqual(dict(re.findall(r"^  -([a-zA-Z]), --([a-z-]+)", text, re.MULTILINE)), self.ALL[command], command)

    def test_a_run_with_them_has_the_input_the_output_the_backend_and_the_account_that_they_name(self):
        app, rows, out = self.app(), self.write("rows.csv", "value\n1\n-1\n"), self.folder / "out.ndjson"
        for arguments in (("-b", "auto", "-v", "-i", rows, "-o", out), ("-bauto", f"-vi{rows}", f"-o{out}")):
            out.unlink(missing_ok=True)
            done = self.run_rk("run", app, *arguments, "--json")
            self.assertEqual(out.read_bytes(), b'{"value":2}\n')
            summary = json.loads(done.stdout)
            self.assertEqual((summary["backend"], summary["rows_read"], summary["output"]["lines"]), ("cpu", 2, 1))
            self.assertIn("accepted 2 = delivered 1 + dead 1 ", done.errors)
        self.assertEqual(self.run_rk("run", app, "-i", "-", stdin=b"value\n3\n").stdout, b'{"value":6}\n')
        self.assertIn("No such file", self.run_rk("run", app, "-i", self.folder / "none", code=IO).errors)
        for option in ("-b", "-i", "-o"):
            self.assertIn(f"option requires an argument -- '{option[1]}'", self.run_rk("run", app, option, code=USAGE).errors)

    def test_the_backend_auto_is_the_cpu_and_has_no_devices_to_list(self):
        app = self.app()
        for said in (("--backend", "auto"), ("--backend=auto",), ("--backend", "cuda", "--backend", "auto"), ()):
            done = self.run_app(app, "--input", "-", *said, stdin=b"value\n1\n")
            self.assertEqual((done.summary["backend"], done.stdout), ("cpu", b'{"value":2}\n'))
        self.assertIn("--devices needs --backend cuda", self.run_rk("run", app, "-b", "auto", "--devices", "0", code=USAGE).errors)
        self.assertIn("--backend is 'AUTO'", self.run_rk("run", app, "-b", "AUTO", code=USAGE).errors)

    def test_those_of_the_other_commands_do_what_the_long_ones_do(self):
        source = JOB / "aggregate.rk.c"
        self.assertEqual([one["backend"] for one in json.loads(self.run_rk("devices", "-j").stdout)], ["cpu", "cuda", "opencl"])
        told = json.loads(self.run_rk("bench", "-qj", "reduction", seconds=100).stdout)
        self.assertEqual([one["name"] for one in told["results"]], ["reduction"])
        self.assertEqual(self.run_rk("codegen", source, "-bcuda", "-k", "aggregate").stdout,
                         self.run_rk("codegen", source, "--backend", "cuda", "--kernel", "aggregate").stdout)
        self.assertIn("has no kernel 'none'", self.run_rk("codegen", source, "-bcuda", "-knone", code=KERNEL).errors)
        self.assertIn("app.yaml", self.run_rk("init", self.folder / "new", "-f", "totals").stdout.decode())
        self.assertIn("totals", (self.folder / "new" / "app.yaml").read_text())
        with patch.dict(os.environ, QUICK):
            self.assertEqual(json.loads(self.run_rk("check", "-j", source).stdout)[0]["file"], str(source))


class Init(Case):
    def test_what_init_writes_runs(self):
        for name, lines in ((None, 1), ("filter", 1), ("totals", 3)):
            folder = self.folder / ("app-%s" % name)
            done = self.run_rk("init", folder, *(["--from", name] if name else []))
            self.assertIn("rk run %s/app.yaml" % folder, done.stdout.decode())
            ran = self.run_app(folder / "app.yaml")
            self.assertEqual(len(ran.stdout.splitlines()), lines)
            self.assertEqual({l["reason"] for l in ran.letters}, {"parse", "impossible"})
            self.assertTrue(ran.summary["balanced"])

    def test_examples_that_init_copies_are_whole_and_two_of_them_run(self):
        apps = sorted(path.parent.name for path in (SOURCE / "examples").glob("*/app.yaml"))
        self.assertEqual(apps, ["connections", "flight-delays", "life", "mandelbrot", "order-matching", "pagerank", "prime-count", "shop", "weather-watch"])
        for name in apps:
            folder, example = self.folder / name, SOURCE / "examples" / name
            told = self.run_rk("init", folder, "--from", name).stdout.decode().splitlines()
            self.assertEqual(told.pop(), f"Run it: rk run {folder}/app.yaml")
            files = [path.relative_to(example) for path in example.rglob("*")
                     if path.is_file() and "__pycache__" not in path.parts]
            self.assertEqual(sorted(told), sorted(str(folder / path) for path in files))
            for path in files:
                self.assertEqual((folder / path).read_bytes(), (example / path).read_bytes(), path)
                self.assertEqual(os.access(folder / path, os.X_OK), os.access(example / path, os.X_OK), path)
                if path.suffix in (".c", ".h", ".yaml"):
                    self.assertNotIn("../", (folder / path).read_text(), path)  # where it was is not where it is
            if name not in ("flight-delays", "prime-count"):  # as the others do in their own folders
                continue
            got = self.run_app(folder / "app.yaml").stdout
            self.assertEqual(sorted(got.splitlines()), sorted((example / "expected" / "result.ndjson").read_bytes().splitlines()), name)

    def test_the_command_that_init_suggests_is_one_for_a_shell_wherever_the_folder_is(self):
        def words(command):
            """As a shell takes it, in a folder where * has something to stand for."""
            printed = subprocess.run(["sh", "-c", "printf '%s\\n' " + command], cwd=self.folder, capture_output=True, check=True, text=True)
            return printed.stdout.splitlines()

        for name in ("a b", "it's", "$HOME", "a;b", "*", "~", "(new)", "a\\b", "\"a\"", "#1", "-x", "--it's", "übung"):
            told = self.run_rk("init", "--", name, cwd=self.folder).stdout.decode().splitlines()
            self.assertEqual(told[0], f"{name}/app.yaml")  # a name, not a command
            path = f"{'./' if name[0] == '-' else ''}{name}"
            self.assertEqual(words(told.pop()), ["Run", "it:", "rk", "run", path + "/app.yaml"])
            told = self.run_rk("init", "--from=bank", "--", f"{name} of a program", cwd=self.folder).stdout.decode().splitlines()
            path += " of a program"
            self.assertEqual(words(told.pop().replace(" && ", " and ")),
                             ["Build", "it:", "cmake", "-S", path, "-B", path + "/build", "-DCMAKE_BUILD_TYPE=Release", "and",
                              "cmake", "--build", path + "/build"])
        self.assertEqual(self.run_rk("run", "a b/app.yaml", cwd=self.folder).stdout.count(b"\n"), 1)
        for plain in ("new", "a-b_c.d/e+f", "übung2"):
            (self.folder / plain).parent.mkdir(exist_ok=True)
            self.assertEqual(self.run_rk("init", plain, cwd=self.folder).stdout.decode().splitlines().pop(), f"Run it: rk run {plain}/app.yaml")

    def test_a_program_is_copied_with_what_builds_it(self):
        for name in ("bank", "inference", "quotes"):
            folder, example = self.folder / name, SOURCE / "examples" / name
            told = self.run_rk("init", folder, "--from", name).stdout.decode().splitlines()
            self.assertEqual(told.pop(), f"Build it: cmake -S {folder} -B {folder}/build -DCMAKE_BUILD_TYPE=Release && "
                                         f"cmake --build {folder}/build")
            for path in [*example.glob("*.*"), example.parent / "host.h"]:
                self.assertIn(str(folder / path.name), told)
                self.assertEqual((folder / path.name).read_bytes(), path.read_bytes())
            self.assertIn("is there already: nothing was written", self.run_rk("init", folder, "--from", name, code=IO).errors)

    def test_what_a_program_shares_with_others_is_written_over_nothing(self):
        self.write("host.h", "mine")
        self.assertIn("host.h is there already: nothing was written", self.run_rk("init", self.folder, "--from", "bank", code=IO).errors)
        self.assertEqual(os.listdir(self.folder), ["host.h"])

    def test_examples_that_lie_beside_the_program_are_copied_without_what_others_left_there(self):
        command, own = self.folder / "bin" / "rk", "share/ringkernel/examples/own/"
        self.write("bin/rk", pathlib.Path(rk_command.RK).read_bytes()).chmod(0o755)
        for name in ("app.yaml", "tools/run", "__pycache__/run.pyc", "tools/.run.swp", "../of-no-app/notes"):
            self.write(own + name, name).chmod(0o755 if name == "tools/run" else 0o644)
        done = subprocess.run([command, "init", self.folder / "new", "--from", "own"], stdout=subprocess.PIPE, check=True,
                              env=rk_command.environment(), text=True)
        self.assertEqual(done.stdout, f"{self.folder}/new/app.yaml\n{self.folder}/new/tools/run\nRun it: rk run {self.folder}/new/app.yaml\n")
        found = {str(path.relative_to(self.folder / "new")): path.stat().st_mode & 0o111 for path in (self.folder / "new").rglob("*") if path.is_file()}
        self.assertEqual(found, {"app.yaml": 0, "tools/run": 0o111})
        wrong = subprocess.run([command, "init", self.folder / "other", "--from", "of-no-app"], stderr=subprocess.PIPE, check=False,
                               env=rk_command.environment(), text=True)
        self.assertEqual(wrong.returncode, USAGE)
        self.assertIn("valid are filter, totals, own\n", wrong.stderr)

    def test_an_example_is_written_over_nothing(self):
        self.write("expected/result.ndjson", "mine")
        done = self.run_rk("init", self.folder, "--from", "order-matching", code=IO)
        self.assertIn("expected/result.ndjson is there already: nothing was written", done.errors)
        self.assertEqual(os.listdir(self.folder), ["expected"])
        (self.folder / "expected" / "result.ndjson").unlink()
        (self.folder / "expected").rmdir()
        self.write("expected", "mine")
        done = self.run_rk("init", self.folder, "--from", "order-matching", code=IO)
        self.assertIn("expected is there already, and no folder: nothing was written", done.errors)
        self.assertEqual(os.listdir(self.folder), ["expected"])
        for name in ("../examples/order-matching", ".", "host.h", "none"):
            self.assertIn("valid are filter", self.run_rk("init", "x", "--from", name, code=USAGE).errors)

    def test_what_was_written_as_json(self):
        for name, kind, runs in (("filter", "app", "rk run {0}/app.yaml"), ("order-matching", "app", "rk run {0}/app.yaml"),
                                 ("bank", "program", "cmake -S {0} -B {0}/build -DCMAKE_BUILD_TYPE=Release && cmake --build {0}/build")):
            folder = self.folder / name
            told = json.loads(self.run_rk("init", folder, "--from", name, "--json").stdout)
            self.assertEqual((told["folder"], told["kind"], told["next"]), (str(folder), kind, runs.format(folder)))
            self.assertEqual(sorted(told["files"]), sorted(str(path) for path in folder.rglob("*") if path.is_file()))
            self.assertEqual(self.run_rk("init", folder, "--from", name, "-j", code=IO).stdout, b"")

    def test_an_app_that_finds_no_room_is_taken_away_again(self):
        for name in ("filter", "totals", "order-matching", "bank"):
            with self.subTest(app=name):
                # given a disk without room for its largest file, or for any
                whole, folder = self.folder / f"{name}-whole", self.folder / name
                self.run_rk("init", whole, "--from", name)
                sizes = [path.stat().st_size for path in whole.rglob("*") if path.is_file()]
                for largest in (max(sizes) - 1, 0):
                    for there in (False, True):
                        if there:
                            folder.mkdir()
                            (folder / "notes").touch()
                        # when it is written
                        done = subprocess.run([rk_command.RK, "init", folder, "--from", name], stderr=subprocess.PIPE, check=False,
                                              env=rk_command.environment(),
                                              preexec_fn=lambda most=largest: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
                        # then nothing is left of it, but for what was there before
                        self.assertEqual(done.returncode, IO, done.stderr)
                        self.assertIn(b": File too large\n", done.stderr)
                        self.assertEqual(os.listdir(folder) if there else folder.exists(), ["notes"] if there else False)
                        if there:
                            (folder / "notes").unlink()
                            folder.rmdir()
                # and with room another try succeeds
                self.run_rk("init", folder, "--from", name)
                self.assertEqual(sorted(path.stat().st_size for path in folder.rglob("*") if path.is_file()), sorted(sizes))

    def test_init_writes_over_nothing(self):
        self.write("app.yaml", "mine")
        self.assertIn("is there already", self.run_rk("init", self.folder, code=IO).errors)
        self.assertEqual((self.folder / "app.yaml").read_text(), "mine")
        self.assertEqual(os.listdir(self.folder), ["app.yaml"])
        folder = self.folder / "no" / "folder"
        self.assertEqual(self.run_rk("init", folder, code=IO).errors, f"rk: {folder}: No such file or directory\n")
        self.assertIn("Not a directory", self.run_rk("init", self.folder / "app.yaml", code=IO).errors)


class Facts(Case):
    def test_devices(self):
        told = json.loads(self.run_rk("devices", "--json").stdout)
        self.assertEqual([backend["backend"] for backend in told], ["cpu", "cuda", "opencl"])
        cpu = told[0]["devices"][0]
        self.assertTrue(told[0]["runs"])
        self.assertGreaterEqual(cpu["workers"], 1)
        self.assertIn("cpu ", self.run_rk("devices").stdout.decode())

    def test_workers_are_one_fewer_than_the_cores_that_the_process_may_use_and_at_least_one(self):
        cores = sorted(os.sched_getaffinity(0))
        for count in {1, min(2, len(cores)), len(cores)}:
            told = subprocess.run([rk_command.RK, "devices", "--json"], capture_output=True, check=True, env=rk_command.environment(),
                                  preexec_fn=lambda these=cores[:count]: os.sched_setaffinity(0, these))
            self.assertEqual(json.loads(told.stdout)[0]["devices"][0]["workers"], max(1, count - 1), count)

    def test_the_summary_as_json(self):
        app = self.app()
        done = self.run_rk("run", app, "--input", "-", "--json", "--output", self.folder / "out.ndjson", stdin=b"value\n1\n")
        summary = json.loads(done.stdout)
        self.assertEqual(summary["rows_read"], 1)
        done = self.run_rk("run", app, "--input", "-", "--json", stdin=b"value\n1\n")
        self.assertEqual(done.stdout, b'{"value":2}\n')
        self.assertEqual(json.loads(done.errors)["output"]["lines"], 1)

    def test_what_a_summary_holds(self):
        summary = self.run_app(JOB / "app.yaml", "--input", JOB / "damaged.csv").summary
        self.assertEqual((summary["app"], summary["backend"]), ("flight-delays", "cpu"))
        self.assertEqual(summary["rows_read"], summary["rows_bad"] + summary["rows_sent"])
        validate = summary["kernels"][0]
        self.assertEqual(validate["dead_by_reason"], {"delay": 4, "distance": 5, "hour": 3})
        self.assertEqual(set(validate["account"]), {"accepted", "delivered", "dead", "evicted", "expired", "lost", "queued", "refused",
                                                    "refused_from_kernels", "sent", "dead_sends", "dropped_sends", "output", "balanced"})
        whole = self.run_app(JOB / "app.yaml").summary
        self.assertEqual(whole["rows_read"], 200000)
        for kernel in summary["kernels"] + whole["kernels"]:
            self.assertGreater(kernel["throughput"], 0)
            for name in ("queue_wait_ns", "service_ns"):
                histogram = kernel[name]
                self.assertEqual(set(histogram), {"count", "min", "mean", "p50", "p99", "p99.9", "max"})
                self.assertGreater(histogram["count"], 0, (kernel["name"], name))
                self.assertGreater(histogram["max"], 0, (kernel["name"], name))
                self.assertLessEqual(histogram["count"], kernel["account"]["delivered"] + kernel["account"]["dead"])
                in_order = [histogram[quantile] for quantile in ("min", "p50", "p99", "p99.9", "max")]
                self.assertEqual(in_order, sorted(in_order), (kernel["name"], name))
                self.assertTrue(histogram["min"] <= histogram["mean"] <= histogram["max"], histogram)

    def test_progress_on_a_terminal(self):
        parent, child = pty.openpty()
        job = rk_command.start("run", self.app(), "--input", "-", errors=child)
        os.close(child)
        job.stdin.write(b"value\n1\n-1\nx\n")
        job.stdin.flush()
        shown = b""
        while b"\x1b[A\x1b[2K" not in shown:  # drawn, and drawn again
            shown += os.read(parent, 1000)
        job.stdin.close()
        while True:
            try:
                more = os.read(parent, 1000)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            shown += more
        self.assertEqual(job.wait(60), 0)
        self.assertEqual(job.stdout.read(), b'{"value":2}\n')
        job.stdout.close()
        os.close(parent)
        text = shown.decode()
        self.assertIn("accepted 2 = delivered 1 + dead 1 +", text)
        self.assertIn("2 dead letters: 1 negative, 1 parse (--dead-letters FILE keeps them)", text)
        self.assertIn("3 rows of standard input, 1 lines to standard output in", text)

    def test_the_account_for_a_person(self):
        done = self.run_rk("run", JOB / "app.yaml", "-v", "--output", self.folder / "out")
        self.assertIn("accepted 200,000 = delivered 200,000 + dead 0 + evicted 0 + expired 0 + lost 0 + queued 0   balanced", done.errors)
        self.assertRegex(done.errors, r"validate +━+ +200,000 +[0-9.]+ [kM]/s  p99 [0-9.]+ .s +cpu")
        self.assertIn("236 lines to %s in " % (self.folder / "out"), done.errors)


def ticks(job):
    """Processor time that it has taken so far, in system ticks."""
    with open(f"/proc/{job.pid}/stat", encoding="utf-8") as stat:
        return sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))


class Idle(Case):
    def test_a_job_whose_input_is_silent_takes_no_processor_time(self):
        job = rk_command.start("run", self.app(), "--input", "-", "--workers", "3")
        self.addCleanup(job.kill)
        job.stdin.write(b"value\n1\n")
        job.stdin.flush()
        self.assertEqual(job.stdout.readline(), b'{"value":2}\n')
        names = [(task / "comm").read_text() for task in pathlib.Path(f"/proc/{job.pid}/task").iterdir()]
        self.assertEqual(names.count("rk-worker\n"), 3)
        deadline, least = time.monotonic() + 60, None
        while least is None or least > os.sysconf("SC_CLK_TCK") // 25:  # of half a second, so 8 % of a core
            self.assertLess(time.monotonic(), deadline, "it took %s ticks of half a second at the least" % least)
            before = ticks(job)
            time.sleep(0.5)
            taken = ticks(job) - before
            least = taken if least is None else min(least, taken)
        self.assertEqual(job.communicate(b"2\n", timeout=60)[0], b'{"value":4}\n')  # and it wakes up
        self.assertEqual(job.returncode, 0)


class Screen:
    """What a terminal of so many columns shows: lines that are too long are broken, and can be gone back over, as far as the first of
    its rows; above that are those that have left it."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.lines, self.y, self.x = columns, rows, [""], 0, 0

    def down(self):
        self.y, self.x = self.y + 1, 0
        if self.y == len(self.lines):
            self.lines.append("")

    def show(self, text):
        for part in re.findall("\x1b\\[A|\x1b\\[2K|.", text, re.DOTALL):
            if part == "\x1b[A":
                self.y = max(0, len(self.lines) - self.rows, self.y - 1)
            elif part == "\x1b[2K":
                self.lines[self.y] = ""
            elif part == "\r":
                self.x = 0
            elif part == "\n":
                self.down()
            else:
                if self.x == self.columns:
                    self.down()
                self.lines[self.y] = self.lines[self.y].ljust(self.x)[:self.x] + part
                self.x += 1


class Terminal(Case):
    def on_terminal(self, columns, *arguments, app=rk_command.APP, rows=40):
        """Runs the small app with standard output and error on one terminal; each row waits until progress was drawn since the last."""
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        job = subprocess.Popen([rk_command.RK, "run", str(self.app(app)), "--input", "-", *arguments], stdin=subprocess.PIPE,
                               stdout=child, stderr=child, env=rk_command.environment())
        os.close(child)
        shown = b""
        for row in (b"value\n", b"1\n", b"2\n", b"3\n"):
            job.stdin.write(row)
            job.stdin.flush()
            drawn = shown.count("─".encode() * 4)
            while shown.count("─".encode() * 4) == drawn:
                shown += os.read(parent, 1000)
        job.stdin.close()
        while True:
            try:
                shown += os.read(parent, 1000)
            except OSError:  # the other end is closed
                break
        os.close(parent)
        self.assertEqual(job.wait(60), 0)
        screen = Screen(columns, rows)
        screen.show(shown.decode())
        return screen.lines

    def test_output_on_the_terminal_of_the_progress_lines_is_not_cleared_with_them(self):
        lines = self.on_terminal(100)
        self.assertEqual(lines[:3], ['{"value":2}', '{"value":4}', '{"value":6}'])
        self.assertRegex(lines[3], "^doubler +━{28} +3 .* cpu$")
        self.assertIn("accepted 3 = delivered 3 ", lines[4])

    def test_progress_lines_fit_the_terminal(self):
        for columns, line in ((80, "^doubler +━{10,28} +3 .* cpu$"), (40, "^doubler +━━━━ +3 "), (20, "^doubler +━━━━")):
            lines = self.on_terminal(columns)
            self.assertEqual([one for one in lines if "─" in one], [])
            self.assertRegex(lines[3], line)
            self.assertLess(len(lines[3]), columns)

    def test_no_more_progress_lines_than_the_terminal_has(self):
        more = "".join("  k%d: { source: doubler.rk.c, kernel: doubler }\n" % i for i in range(6))
        chain = "".join("  - k%d -> k%d\n" % (i, i + 1) for i in range(5))
        app = "app: a\nkernels:\n" + more + "routes:\n  - input -> k0\n" + chain + "  - k5 -> output\n"
        lines = self.on_terminal(100, app=app, rows=4)
        self.assertEqual([one for one in lines if "─" in one], [])
        self.assertEqual(lines[:3], ['{"value":%d}' % (n * 64) for n in (1, 2, 3)])

    def test_the_summary_on_the_terminal_of_the_progress_lines_is_whole(self):
        lines = self.on_terminal(100, "--json", "--output", str(self.folder / "out"))
        text = "\n".join(lines)
        self.assertEqual(json.loads(text[:text.index("\n}\n") + 2])["rows_read"], 3)

    def test_a_dumb_terminal_gets_the_account_alone(self):
        parent, child = pty.openpty()
        done = subprocess.run([rk_command.RK, "run", str(self.app()), "--input", "-"], input=b"value\n1\n", stdout=subprocess.PIPE,
                              stderr=child, env=dict(rk_command.environment(), TERM="dumb"), check=True)
        os.close(child)
        shown = os.read(parent, 10000).decode()
        os.close(parent)
        self.assertEqual(done.stdout, b'{"value":2}\n')
        self.assertNotIn("\x1b", shown)
        self.assertIn("accepted 1 = delivered 1 ", shown)

    def test_what_kernels_log_is_shown_on_a_terminal_and_of_it_only_warnings_in_a_pipe(self):
        chatty = rk_command.DOUBLER.replace("    if (msg->value < 0)", '    rk_log(RK_ARG, RK_INFO, "so far so good");\n'
                                            '    rk_log(RK_ARG, RK_WARNING, "mind this");\n    if (msg->value < 0)')
        for more, told in (([], ["mind this"]), (["-v"], ["so far so good", "mind this"])):
            errors = self.run_rk("run", self.app(kernel=chatty), "--input", "-", *more, stdin=b"value\n1\n").errors
            self.assertEqual(re.findall("so far so good|mind this", errors), told)
            self.assertIn("rk: doubler: warning: mind this\n", errors)
        parent, child = pty.openpty()
        subprocess.run([rk_command.RK, "run", str(self.app(kernel=chatty)), "--input", "-"], input=b"value\n1\n", stdout=subprocess.DEVNULL,
                       stderr=child, env=rk_command.environment(), check=True)
        os.close(child)
        self.assertIn("rk: doubler: info: so far so good", os.read(parent, 10000).decode())
        os.close(parent)

    def test_rows_typed_on_a_terminal(self):
        parent, child = pty.openpty()
        job = subprocess.Popen([rk_command.RK, "run", str(self.app()), "--input", "-"], stdin=child, stdout=subprocess.PIPE,
                               stderr=child, env=rk_command.environment())
        os.close(child)
        os.write(parent, b"value\n1\n")
        self.assertEqual(job.stdout.readline(), b'{"value":2}\n')
        os.write(parent, b"\x04")  # the end, as Ctrl-D says it
        self.assertEqual(job.wait(60), 0)
        job.stdout.close()
        shown = os.read(parent, 10000).decode()
        os.close(parent)
        self.assertNotIn("\x1b", shown)
        self.assertIn("1 rows of standard input, 1 lines to standard output", shown)


class Bench(Case):
    def test_every_benchmark_accounts_for_its_messages(self):
        told = json.loads(self.run_rk("bench", "--quick", "--json", seconds=100).stdout)
        self.assertLessEqual({"cpu", "cores", "compiler", "version"}, set(told["machine"]))
        self.assertEqual([one["name"] for one in told["results"]], ["round-trip", "pipeline", "actors", "reduction", "idle"])
        for one in told["results"]:
            self.assertTrue(one["sound"], one["trouble"])
            self.assertTrue(one["account"]["balanced"])
            self.assertEqual(one["account"]["accepted"], one["account"]["delivered"])

    def test_what_a_benchmark_does_not_measure_is_null_and_the_account_is_that_of_all_rounds(self):
        told = {one["name"]: one for one in json.loads(self.run_rk("bench", "--quick", "--json", seconds=100).stdout)["results"]}
        quantiles = {"p50_ns", "p99_ns", "p99.9_ns"}
        for name, ours, bare in (("round-trip", quantiles, quantiles), ("pipeline", quantiles | {"rate"}, quantiles | {"rate"}),
                                 ("actors", quantiles | {"rate"}, {"rate"}), ("reduction", quantiles, quantiles), ("idle", set(), set())):
            for who, measured in (("ours", ours), ("bare", bare)):
                numbers = told[name][who]
                self.assertEqual(set(numbers), quantiles | {"rate"})
                self.assertEqual({key for key, number in numbers.items() if number is not None}, measured, (name, who))
                self.assertTrue(all(numbers[key] > 0 for key in measured), numbers)
            self.assertEqual(told[name]["ratio"] is None, name == "idle", name)  # which has nothing beside it
        self.assertEqual(told["actors"]["account"], told["pipeline"]["account"])  # five rounds of as many messages
        for one in told.values():
            self.assertGreater(one["account"]["accepted"], 0)

    def test_one_benchmark_for_a_person(self):
        told = self.run_rk("bench", "--quick", "round-trip", "pipeline", "reduction", seconds=100).stdout.decode()
        self.assertRegex(told, r"ours +round trip +p50 .* p99 .* p99.9 ")
        self.assertRegex(told, r"p50 of bare [0-9.]+× \(target: at most 1.6×\)")
        self.assertRegex(told, r"service p50 [0-9.]+ µs \(target: at most 0.1 µs\).*\n  [0-9.]+× the bare one's\n")
        self.assertRegex(told, r"accepted 4,000 = delivered 4,000   balanced")


class Codegen(Case):
    def test_each_backend(self):
        for backend in ("cpu", "cuda", "opencl", "metal"):
            text = self.run_rk("codegen", JOB / "aggregate.rk.c", "--backend", backend).stdout.decode()
            self.assertIn("aggregate.rk.c", text)
            path = self.folder / backend
            only = [] if backend == "cpu" else ["--kernel", "aggregate"]
            self.run_rk("codegen", JOB / "aggregate.rk.c", "-b", backend, "-o", path, *only)
            self.assertIn("aggregate", path.read_text())

    def test_one_kernel_of_a_source_for_the_cpu(self):
        done = self.run_rk("codegen", JOB / "aggregate.rk.c", "--backend", "cpu", "--kernel", "aggregate", code=USAGE)
        self.assertIn("--kernel is for cuda, opencl and metal", done.errors)

    def test_a_source_is_not_written_over(self):
        path = self.write("a.c", "RK_HANDLER(a)\n")
        (self.folder / "link").symlink_to(path)
        done = self.run_rk("codegen", path, "--backend", "cpu", "-o", self.folder / "link", code=IO)
        self.assertIn("link: is read, too", done.errors)
        self.assertEqual(path.read_text(), "RK_HANDLER(a)\n")

    def test_a_header_that_the_source_includes_is_not_written_over_either(self):
        # given a source with one header, which has another, one that is left out, and one that only looks alike
        texts = {"near.rk.h": "#include \"deep/far.rk.h\"\n", "deep/far.rk.h": "#define FAR 1\n", "unused.h": "#define UNUSED 1\n", "other.h": "\n"}
        for name, text in texts.items():
            self.write(name, text)
        source = self.folder / "k.rk.c"  # no link, as those of write() are: a header is looked for beside it
        source.write_text('#include "near.rk.h"\n#if 0\n#include "unused.h"\n#endif\n' + rk_command.DOUBLER)
        (self.folder / "link.h").symlink_to("deep/far.rk.h")
        os.link(self.folder / "near.rk.h", self.folder / "hard.h")
        # when it is rendered into each, however it is called, then it is refused and each is as it was
        for backend in ("cpu", "cuda", "opencl", "metal"):
            for name in ("near.rk.h", "deep/far.rk.h", "deep/../near.rk.h", "unused.h", "link.h", "hard.h"):
                done = self.run_rk("codegen", "k.rk.c", "--backend", backend, "-o", name, cwd=self.folder, code=IO)
                self.assertEqual(done.errors, f"rk: {name}: is included by a kernel source: writing it would destroy it\n")
        self.assertIn("k.rk.c: is read, too: writing it would destroy it", self.run_rk("codegen", source, "-b", "cpu", "-o", source, code=IO).errors)
        for name, text in texts.items():
            self.assertEqual((self.folder / name).read_text(), text)
        with open(self.folder / "near.rk.h", "ab") as header:
            done = subprocess.run([rk_command.RK, "codegen", source, "--backend", "cpu"], stdout=header, stderr=subprocess.PIPE, check=False,
                                  env=rk_command.environment(), text=True)
        self.assertEqual((done.returncode, done.stderr), (IO, "rk: standard output: is included by a kernel source: writing it would destroy it\n"))
        self.assertEqual((self.folder / "near.rk.h").read_text(), texts["near.rk.h"])
        # and into another that is there it is written, again and again
        for _ in range(2):
            self.run_rk("codegen", source, "--backend", "cpu", "-o", self.folder / "other.h")
            self.assertIn("k.rk.c", (self.folder / "other.h").read_text())

    def test_what_cannot_be_rendered(self):
        errors = self.run_rk("codegen", JOB / "aggregate.rk.c", "--backend", "cuda", "--kernel", "none", code=KERNEL).errors
        self.assertIn("aggregate.rk.c: the source has no kernel 'none'; it has: aggregate\n", errors)
        broken = self.write("broken.rk.c", "RK_HANDLER(a)\n")
        self.assertIn("broken.rk.c:1:", self.run_rk("codegen", broken, "--backend", "cuda", code=KERNEL).errors)
        self.run_rk("codegen", self.folder / "none", "--backend", "cpu", code=IO)
        self.run_rk("codegen", JOB / "aggregate.rk.c", "--backend", "cpu", "-o", self.folder / "no" / "file", code=IO)


if __name__ == "__main__":
    rk_command.main()
