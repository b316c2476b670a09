"""What the tests of the command share: how `rk` is run, where the example lies, and small apps to run."""
import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(os.environ.get("RK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
RK = os.environ.get("RK_COMMAND", "")
JOB = SOURCE / "examples" / "flight-delays"
SANITIZERS = os.environ.get("RK_SANITIZERS", "")
SLOW = 6 if SANITIZERS else 1  # how much longer everything may take
sys.path.insert(0, str(JOB))

OK, FOUND, USAGE, KERNEL, IO, UNBALANCED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


# For `rk check`, a compiler that takes everything, and none: the devices' own take seconds for a kernel.
QUICK = {"LD_LIBRARY_PATH": os.path.join(os.environ.get("RK_BINARY_DIR", ""), "tests", "mock"), "RK_OPENCL_LIBRARY": "/nonexistent"}

CACHE = pathlib.Path(os.environ.get("RK_BINARY_DIR", tempfile.gettempdir())) / "kernel-cache"

# A CUDA driver and compiler that run kernels on the CPU (tests/emulator), where they were built.
EMULATED = pathlib.Path(os.environ.get("RK_BINARY_DIR", ".")) / "tests" / "emulator"
ON_EMULATED = {"LD_LIBRARY_PATH": str(EMULATED)}


def environment():
    """One cache of compiled kernels for all tests of a build; what an emulated GPU runs is no code for another."""
    emulated = os.environ.get("LD_LIBRARY_PATH") == str(EMULATED)
    return dict(os.environ, XDG_CACHE_HOME=str(CACHE / "emulated" if emulated else CACHE), LC_ALL="C.UTF-8", TERM="xterm")


def has_opencl():
    """Is there a device that code can be compiled for? Sanitizers would report what PoCL and LLVM do."""
    return not SANITIZERS and json.loads(rk("devices", "--json").stdout)[2]["runs"]


def expected_of(example):
    """The expected.py of an example's folder, as a module; each has one of that name."""
    spec = importlib.util.spec_from_file_location(f"expected_{example.name}", example / "expected.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shared_kernel(name, text):
    """Where this source lies for all tests: a module's name in the cache says where its source is, so that it is compiled once."""
    path = CACHE / "sources" / hashlib.sha256(text).hexdigest()[:16] / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(text)
        os.replace(file.name, path)
    return path


def rk(*arguments, stdin=b"", cwd=None, seconds=60):
    """Runs rk to its end. The result has returncode, stdout and stderr (bytes and text)."""
    done = subprocess.run([RK, *map(str, arguments)], input=stdin, capture_output=True, cwd=cwd, env=environment(),
                          timeout=seconds * SLOW, check=False)
    done.errors = done.stderr.decode("utf-8", "replace")
    return done


def without_stalls(errors):
    """Under a sanitizer, beside others, the machine may leave a worker alone for the stall limit's second, which is told."""
    told = ("stalled: messages are pending", "makes progress again")
    return "".join(line for line in errors.splitlines(True) if not (SANITIZERS and any(text in line for text in told)))


def start(*arguments, errors=subprocess.PIPE):
    """Starts rk with pipes; the caller ends it."""
    return subprocess.Popen([RK, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=errors, env=environment())


def interrupted_while_it_writes_errors(*arguments, seconds=60):
    """Interrupts an rk that waits for room in standard error, then makes some. Returns its exit code and what it wrote there."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writer, b"\0" * 4096):
            pass
    os.set_blocking(writer, True)
    with start(*arguments, errors=writer) as job, open(reader, "rb") as errors:
        os.close(writer)
        try:
            deadline = time.monotonic() + seconds * SLOW
            # number and arguments of the call that the main thread is in; of a write the first is the descriptor
            while pathlib.Path(f"/proc/{job.pid}/syscall").read_text().split()[1:2] != ["0x2"]:
                if time.monotonic() > deadline:
                    raise AssertionError("it writes no error")
                time.sleep(0.01)
            job.send_signal(signal.SIGINT)
            said = errors.read().lstrip(b"\0").decode()
            return job.wait(seconds * SLOW), said
        finally:
            job.kill()


def main():
    if not RK:
        print("RK_COMMAND names no rk: skipped")
        sys.exit(77)
    unittest.main()


DOUBLER = """#include <ringkernel/kernel.h>
RK_MESSAGE(number, 1, (rk_i64, value))
RK_REASON(negative)
RK_PARAM(rk_i64, factor, 2)
RK_HANDLER(doubler, number, msg, rk_none, self, .mode = RK_ADAPTIVE)
{
    number out = {msg->value * RK_PARAM_OF(factor)};
    if (msg->value < 0) rk_fail(RK_ARG, negative);
    else rk_send(RK_ARG, &out);
}
"""

APP = """app: doubler
kernels:
  doubler: { source: doubler.rk.c }
routes:
  - input -> doubler
  - doubler -> output
"""


class Case(unittest.TestCase):
    """A test with a folder of its own."""
    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rk-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        """A file in the test's folder; a kernel's source is a link to where all tests have it."""
        path = self.folder / name
        text = text if isinstance(text, bytes) else text.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".rk.c"):
            path.unlink(missing_ok=True)
            path.symlink_to(shared_kernel(path.name, text))
        else:
            path.write_bytes(text)
        return path

    def app(self, app=APP, kernel=DOUBLER, name="doubler.rk.c"):
        """A small app in the test's folder."""
        self.write(name, kernel)
        return self.write("app.yaml", app)

    def run_rk(self, *arguments, code=OK, **how):
        """Runs rk and checks its exit code, and that no sanitizer found anything."""
        done = rk(*arguments, **how)
        self.assertEqual(done.returncode, code, done.errors)
        self.assertNotIn("Sanitizer", done.errors)
        return done

    def run_app(self, app, *arguments, code=OK, **how):
        """Runs an app; the result has also summary and letters (lists of objects)."""
        summary, letters = self.folder / "summary.json", self.folder / "letters.ndjson"
        done = self.run_rk("run", app, "--summary", summary, "--dead-letters", letters, *arguments, code=code, **how)
        done.summary = json.loads(summary.read_text()) if summary.exists() and summary.stat().st_size else None
        done.letters = [json.loads(line) for line in letters.read_text().splitlines()] if letters.exists() else None
        return done
