#!/usr/bin/python3
"""What proves the CUDA backend, on a machine with a GPU, gcc, CMake, Ninja, the CUDA toolkit and Python: no more is needed.

    gpu_check.py [--json FILE] [--only PATTERN] [--variants PATTERNS] [--opencl [N]] [--sanitize] [--jobs N]

Builds the preset `gpu`, compiles the suite's kernels into the cache, then runs the tests of src/backend/cuda, the litmus tests of the memory model, stress with random
stalls, each contract program once for every CUDA variant, and the examples: apps on the CPU and on the GPU, whose results must
be the same bytes, and programs with their own tests; then, alone, what restarts, kills and loads. --sanitize adds a few cases under compute-sanitizer.
Shown are failures as programs end, then one table, in which programs without a failure or refusal are one line; the JSON has each, and what
programs of one case have said. --only picks by 'PROGRAM/VARIANT' ('queues*', '*/cuda-step'), --variants other variants of the
contract suite ('step' tries this script without a GPU). --opencl proves the OpenCL backend instead, on the OpenCL device of
that number (0; `rk devices` numbers them): its variants of the suite, and the examples. Which backends gave an app's bytes is in build/gpu/same-bytes.txt. A case that hangs or crashes ends its program, and those behind it
run in another. Stopped by SIGTERM, as timeout(1) sends it, it shows and keeps what has ended. The exit status is 1 if anything failed, 77 without a GPU.
"""
import argparse
import ctypes
import datetime
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path

import app_inputs

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/gpu"
CUDA_VARIANTS = ["cuda-persistent", "cuda-persistent-spmd", "cuda-slices", "cuda-slices-spmd", "cuda-step"]
OPENCL_VARIANTS = ["opencl-slices", "opencl-slices-spmd", "opencl-step", "opencl-32-bit", "opencl-shared", "opencl-persistent",
                   "opencl-persistent-spmd"]
OPENCL_PATIENCE_S, OPENCL_CASE_LIMIT_S, OPENCL_LIMIT_S = 60, 240, 560  # a driver compiles in a case
SPLIT_VARIANTS = ["cuda-split", "cuda-split-spmd", "cuda-split-slices"]  # with two devices
NOT_RUN = {"unlisted_refusal_test"}  # of the suite itself, on the CPU
# Thousands of launches that are waited for, each until all other programs had their turns.
ALONE = {(f"{name}_test", variant) for name in ("coordination", "largest_queue", "together") for variant in ("cuda-step", "opencl-step")}
LIMIT_S = 180  # of a program
RESTARTS = 4  # of a program whose cases hang or crash
PATIENCE_S, CASE_LIMIT_S = 30, 120  # the suite's own are 20 and 60; others have the device meanwhile, and other options than the presets' are compiled in a case
STRESS_S = 5  # each
SANITIZERS = ("memcheck", "racecheck", "synccheck")
SANITIZED_VARIANTS = ("cuda-step", "cuda-slices")
SANITIZED_CASES = (("lifecycle_test", "messages_sent_while_inactive*"), ("queues_test", "exactly_the_capacity*"),
                   ("handling_test", "every_message_comes_once*"), ("groups_test", "*"), ("dialect_test", "*"))
SANITIZED_LIMIT_S = 300
EXAMPLE_PROGRAMS = ("bank", "inference", "quotes")
EXAMPLE_LIMIT_S = 300  # their tests start them many times


@dataclass
class Result:
    program: str
    variant: str
    passed: int = 0
    refused: int = 0
    skipped: int = 0
    failed: int = 0
    hung: int = 0
    seconds: float = 0
    failures: list = field(default_factory=list)  # of {"case", "text"}
    notes: list = field(default_factory=list)  # refusals and skips, in the program's words
    alone: bool = False

    def name(self):
        return f"{self.program}/{self.variant}"

    def fails(self, case, text, hung=False):
        self.hung += hung
        self.failed += not hung
        self.failures.append({"case": case, "text": text.strip()})


# ------------------------------------------------------------------------------------------- the machine


def say(text):
    print(text, flush=True)


def output_of(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def find_gpu():
    """What the driver says of the first device, and why there is none."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return None, f"the driver isn't there ({error})"
    count, version, device, major, minor = (ctypes.c_int() for _ in range(5))
    name = ctypes.create_string_buffer(256)
    result = cuda.cuInit(0)
    if result:
        return None, f"cuInit answers {result}"
    cuda.cuDeviceGetCount(ctypes.byref(count))
    if count.value == 0:
        return None, "the driver finds no device"
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGet(ctypes.byref(device), 0)
    cuda.cuDeviceGetName(name, 256, device)
    driver = output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader").split("\n")[0]
    cuda_version = f"{version.value // 1000}.{version.value % 1000 // 10}"
    cuda.cuDeviceGetAttribute(ctypes.byref(major), 75, device)
    cuda.cuDeviceGetAttribute(ctypes.byref(minor), 76, device)
    return {"gpu": name.value.decode(), "architecture": 10 * major.value + minor.value, "gpus": count.value, "driver": driver, "cuda_of_driver": cuda_version}, ""


def find_opencl(number):
    """The name and the platform of an OpenCL device, as `rk devices` numbers them; or why there is none."""
    try:
        opencl = ctypes.CDLL("libOpenCL.so.1")
    except OSError as error:
        return None, f"the loader isn't there ({error})"
    names, count = [], ctypes.c_uint()
    opencl.clGetPlatformIDs(0, None, ctypes.byref(count))
    platforms = (ctypes.c_void_p * count.value)()
    opencl.clGetPlatformIDs(count, platforms, None)
    for platform in map(ctypes.c_void_p, platforms):
        count, text = ctypes.c_uint(), [ctypes.create_string_buffer(256) for _ in range(2)]
        every = ctypes.c_ulong(0xFFFFFFFF)
        if opencl.clGetDeviceIDs(platform, every, 0, None, ctypes.byref(count)):
            continue
        devices = (ctypes.c_void_p * count.value)()
        opencl.clGetDeviceIDs(platform, every, count, devices, None)
        opencl.clGetPlatformInfo(platform, 0x0902, ctypes.c_size_t(256), text[1], None)
        for device in map(ctypes.c_void_p, devices):
            opencl.clGetDeviceInfo(device, 0x102B, ctypes.c_size_t(256), text[0], None)
            names.append(f"{text[0].value.decode()} of {text[1].value.decode()}")
    if number < len(names):
        return names[number], ""
    return None, "there are " + (", ".join(f"{i} {name}" for i, name in enumerate(names)) or "none")


def manifest(gpu):
    nvcc = re.search(r"release (\S+),", output_of("nvcc", "--version"))
    return (gpu or {}) | {
        "cuda_of_toolkit": nvcc.group(1) if nvcc else "",
        "compiler": output_of("cc", "--version").split("\n")[0],
        "revision": output_of("git", "describe", "--always", "--dirty", "--abbrev=12"),
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def build():
    commands = (["cmake", "--preset", "gpu"], ["cmake", "--build", "--preset", "gpu", f"-j{os.cpu_count()}"])
    for command in commands:
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            sys.exit(f"{done.stdout}\ngpu-check: {' '.join(command)} failed")


def is_contract_on_cuda(result):
    return result.program.endswith("_test") and result.variant in CUDA_VARIANTS + SPLIT_VARIANTS


def compile_kernels(architecture, peers):
    """By all cores, so that no case waits for a compiler. What doesn't compile shows in the cases that launch it."""
    command = [BUILD / "tests/compile", "--architecture", str(architecture), "--jobs", str(os.cpu_count()), "--peers", str(peers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.strip()


# ------------------------------------------------------------------------------------------- one program


programs = {"running": set(), "stopped": False}


def stop_programs():
    programs["stopped"] = True
    for process in list(programs["running"]):
        os.killpg(process.pid, signal.SIGKILL)


def run(command, limit_s, environment=None):
    """Exit status (None: killed at the limit) and output. What doesn't die within ten seconds is left behind."""
    if programs["stopped"]:
        return None, ""
    process = subprocess.Popen(command, cwd=BUILD, env=os.environ | (environment or {}), text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    programs["running"].add(process)
    try:
        said, _ = process.communicate(timeout=limit_s)
        return process.returncode, said
    except subprocess.TimeoutExpired as late:
        os.killpg(process.pid, signal.SIGKILL)
        try:
            said, _ = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            said = (late.stdout or b"").decode(errors="replace") + "\n(it could not be killed)"
        return None, said
    finally:
        programs["running"].discard(process)


CASE = re.compile(r"^\[ RUN      \] (.*)$", re.MULTILINE)
END = re.compile(r"^\[ *(OK|FAILED|SKIPPED) *\] (.*)$", re.MULTILINE)


def read_cases(result, said):
    """Counts what cases became. Returns the last that ended, the one that didn't (or None), and what that one said."""
    begins = [*CASE.finditer(said)]
    notes = re.findall(r"^(?:refused|skipped): .*$", said, re.MULTILINE)  # behind the contract suite's table
    result.notes += notes
    last = None
    for i, begin in enumerate(begins):
        name = begin.group(1)
        text = said[begin.end() : begins[i + 1].start() if i + 1 < len(begins) else len(said)]
        end = next((end for end in END.finditer(text) if end.group(2) == name), None)
        if not end:
            return last, name, text
        last = name
        if end.group(1) == "OK":
            result.passed += 1
        elif end.group(1) == "FAILED":
            result.fails(name, text[: end.start()])
        elif "[" in name and not any(note.startswith("skipped") for note in notes):
            result.refused += 1
        else:
            result.skipped += 1
    return last, None, ""


def run_tests(result, command, limit_s=LIMIT_S, environment=None):
    """A program of tests. Of the contract suite it is started again behind a case that hangs or crashes, and where it
    was when its time was over."""
    environment = environment or {}
    begin = time.monotonic()
    for _ in range(RESTARTS + 1):
        status, said = run(command, limit_s, environment)
        failed = len(result.failures)
        last, case, text = read_cases(result, said)
        if case is None:
            if status is None:
                result.fails("(behind its last case)", said[-2000:], hung=True)
            elif status and failed == len(result.failures):
                result.fails("(the program)", f"{said[-4000:]}\nexit status {status}")
            elif not status and not re.search(r"^\[(=====| RUN)", said, re.MULTILINE):  # it is one case itself
                result.passed += 1
            break
        if status is None and last and "[" in case:  # others took the time
            environment = environment | {"RK_CONTRACT_AFTER": last}
        else:
            hung = status is None or "watchdog:" in text
            result.fails(case, f"{text}\n{'it hung' if hung else f'it crashed: exit status {status}'}", hung)
            environment = environment | {"RK_CONTRACT_AFTER": case}
        if "[" not in case:  # not of the contract suite
            break
    else:
        result.fails("(the cases behind)", "given up: the program has hung, crashed or run out of time too often")
    result.seconds = round(time.monotonic() - begin, 1)
    return result


# ------------------------------------------------------------------------------------------- what there is to run


def contract_job(program, variant, pattern=None, tool=None):
    environment = {"RK_CONTRACT_VARIANTS": variant, "RK_CONTRACT_REQUIRE": "1"}
    if variant.startswith("cuda"):
        environment |= {"RK_CONTRACT_PATIENCE": str(PATIENCE_S), "RK_CONTRACT_LIMIT": str(CASE_LIMIT_S)}
    command, shown, limit_s = [BUILD / "tests" / program], variant, LIMIT_S
    if variant.startswith("opencl"):
        environment |= {"RK_CONTRACT_PATIENCE": str(OPENCL_PATIENCE_S), "RK_CONTRACT_LIMIT": str(OPENCL_CASE_LIMIT_S)}
        limit_s = OPENCL_LIMIT_S
    if pattern:
        command.append(pattern)
    if tool:
        command[:0] = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9"]
        environment |= {"RK_CONTRACT_PATIENCE": "60", "RK_CONTRACT_LIMIT": "120"}
        shown, limit_s = f"{variant}, {tool}", SANITIZED_LIMIT_S
    return Result(program, shown, alone=(program, variant) in ALONE), lambda result: run_tests(result, command, limit_s, environment)


def unit_job(program):
    return Result(program, "unit"), lambda result: run_tests(result, [BUILD / "tests" / program])


def program_job(program, *arguments, variant="unit", alone=False):
    """A program that is one case; what it says stays with the result. Alone: nothing else is on the device meanwhile."""
    def work(result):
        begin = time.monotonic()
        status, said = run([BUILD / "tests" / program, *map(str, arguments)], LIMIT_S)
        result.notes += said.strip().split("\n")
        if status == 0:
            result.passed += 1
        else:
            result.fails("(the program)", f"{said[-4000:]}\nexit status {status}", hung=status is None)
        result.seconds = round(time.monotonic() - begin, 1)
        return result

    return Result(program, variant, alone=alone), work


def example_job(name, backend):
    """The tests of an example that is a program of its own."""
    def work(result):
        begin = time.monotonic()
        command = [sys.executable, ROOT / "examples" / name / f"{name}_test.py", "--backend", backend, "-v"]
        status, said = run(command, EXAMPLE_LIMIT_S, {"RK_BINARY_DIR": str(BUILD)})
        result.passed += len(re.findall(r" \.\.\. ok$", said, re.MULTILINE))
        result.skipped += len(re.findall(r" \.\.\. skipped ", said))
        if status != 0 or not result.passed:
            result.fails("(the tests)", f"{said[-4000:]}\nexit status {status}", hung=status is None)
        result.seconds = round(time.monotonic() - begin, 1)
        return result

    return Result(name, backend), work


def app_job(app, folder, backend, inputs):
    def work(result):
        begin = time.monotonic()
        for given in inputs:
            written = [folder / f"{app}-{given.name}-{backend}-{what}.ndjson" for what in ("result", "dead")]
            limit_s = OPENCL_LIMIT_S if backend.startswith("opencl") else LIMIT_S
            status, said = run([BUILD / f"tests/app_{app}", backend, given.rows, *written], limit_s)
            result.notes.append(f"{given.name}: {said.strip()}")
            if status != 0 or ": balanced" not in said:
                result.fails(given.name, f"{said}\nexit status {status}", hung=status is None)
            else:
                result.passed += 1
        result.seconds = round(time.monotonic() - begin, 1)
        return result

    return Result(f"app_{app}", backend), work


def compare_app(app, folder, inputs, results):
    """Adds to each backend's result that its bytes are those that are expected, and the CPU's."""
    for result in results:
        for given in inputs:
            if any(failure["case"] == given.name for failure in result.failures):
                continue
            for what, expected in (("result", given.result), ("dead", given.dead)):
                got = app_inputs.in_order(app, (folder / f"{app}-{given.name}-{result.variant}-{what}.ndjson").read_bytes())
                cpu = folder / f"{app}-{given.name}-cpu-{what}.ndjson"
                others = {"what is expected": expected} if expected is not None else {}
                others |= {"the CPU's": cpu.read_bytes()} if cpu.exists() else {}
                differ = [name for name, other in others.items() if app_inputs.in_order(app, other) != got]
                if differ:
                    result.fails(f"{given.name}: {what}", f"differs from {' and '.join(differ)}")
                else:
                    result.passed += 1


def same_bytes(app, inputs, results):
    """Lines of the table of backends whose bytes of an app are those that are expected, and the CPU's."""
    rows = [f"{app:16}" + "".join(f"  {r.variant:>13}" for r in results)]
    for given in inputs:
        cells = ["differs" if any(f["case"].split(":")[0] == given.name for f in r.failures) else "same" for r in results]
        rows.append(f"{given.name:16}" + "".join(f"  {cell:>13}" for cell in cells))
    return rows


def find_jobs(options, folder, inputs, gpu):
    several = SPLIT_VARIANTS if gpu and gpu["gpus"] > 1 and options.opencl is None else []
    patterns = options.variants.split(",") if options.variants else OPENCL_VARIANTS if options.opencl is not None else CUDA_VARIANTS + several
    programs = sorted(p.stem for p in (ROOT / "tests/contract").glob("*_test.c") if p.stem not in NOT_RUN)
    left_out = [p for p in programs if not (BUILD / "tests" / p).exists()]
    programs = [p for p in programs if p not in left_out]
    if left_out:
        say(f"not built, since a package that they need is missing: {', '.join(left_out)}")
    jobs = []
    if not options.variants and options.opencl is None:
        units = sorted(p.stem for p in (ROOT / "src/backend/cuda").glob("*_test.c"))
        jobs += [unit_job(unit) for unit in units if (BUILD / "tests" / unit).exists()]
        jobs.append(program_job("litmus", "--json", folder / "litmus.jsonl"))
        jobs += [program_job("stress", "--backend", backend, "--seconds", STRESS_S, variant=backend)
                 for backend in ("cuda", "cuda-slices")]
        jobs += [program_job("trap", "--backend", backend, variant=backend, alone=True) for backend in ("cuda", "cuda-slices")]
        jobs += [program_job("residents", part, variant=part, alone=True) for part in ("cycles", "killed", "loading")]
        jobs += [program_job("peers", part, variant=part, alone=True) for part in ("moved", "lost") if several]
        jobs.append(program_job("residents", "loading", "--backend", "cuda-slices", variant="loading, slices", alone=True))
    devices = ["opencl", "opencl-slices"] if options.opencl is not None else ["cuda", "cuda-slices"]
    backends = ["cpu"] if options.variants else ["cpu", *devices]
    jobs += [app_job(app, folder, backend, inputs[app]) for app in app_inputs.APPS for backend in backends]
    jobs += [example_job(name, backend) for name in EXAMPLE_PROGRAMS for backend in (backends[:1] if options.variants else devices[:1])]
    jobs += [contract_job(program, variant) for program in programs for variant in patterns]
    if options.sanitize:
        jobs += [contract_job(program, variant, pattern, tool) for tool in SANITIZERS
                 for program, pattern in SANITIZED_CASES for variant in SANITIZED_VARIANTS]
    wanted = options.only or "*"
    chosen = [r.name() for r, _ in jobs if fnmatch.fnmatch(r.name(), wanted) or fnmatch.fnmatch(r.program, wanted)]
    chosen += [f"{r.program}/cpu" for r, _ in jobs if r.name() in chosen and r.program.startswith("app_")]  # to compare with
    return [(result, work) for result, work in jobs if result.name() in chosen]


# ------------------------------------------------------------------------------------------- the end


def show_failures(result, told):
    """Texts are numbered by `told`, and each is shown once."""
    for failure in result.failures:
        lines = [line for line in failure["text"].split("\n") if line.strip()]
        new = len(told) + 1
        number = told.setdefault("\n".join(lines), new)
        say(f"[{number}] {result.name()}: {failure['case'].split(' [')[0]}")
        if len(lines) > 30:
            lines = lines[:10] + ["…"] + lines[-19:]
        if number == new:
            say("    " + "\n    ".join(lines))
    for note in result.notes:
        if note.startswith(("refused", "skipped")) and result.failures:
            say(f"   {note}")


def fold(results):
    """Programs of one variant of which there is nothing to tell, as one."""
    folded, counts, shown = {}, {}, []
    for r in results:
        if r.failed or r.hung or r.refused or r.skipped:
            shown.append(r)
        elif r.passed:
            if r.variant not in folded:
                folded[r.variant] = Result(r.program, r.variant)
                shown.append(folded[r.variant])
            folded[r.variant].passed += r.passed
            folded[r.variant].seconds += r.seconds
            counts[r.variant] = counts.get(r.variant, 0) + 1
    for variant, one in folded.items():
        one.program = f"{counts[variant]} programs" if counts[variant] > 1 else one.program
    return shown


def show_table(results, seconds):
    columns = ["passed", "refused", "failed", "hung"]
    columns += ["skipped"] if any(r.skipped for r in results) else []
    shown = fold(results)
    widest = max([len(r.program) for r in shown] + [8])
    wider = max([len(r.variant) for r in shown] + [7])
    say(f"\n{'program':{widest}}  {'variant':{wider}}" + "".join(f"{c:>9}" for c in columns) + "  seconds")
    for r in shown:
        say(f"{r.program:{widest}}  {r.variant:{wider}}" + "".join(f"{getattr(r, c):9}" for c in columns)
            + f"{r.seconds:9.1f}")
    sums = "".join(f"{sum(getattr(r, c) for r in results):9}" for c in columns)
    say(f"{'together':{widest}}  {'':{wider}}{sums}{seconds:9.1f}")


class Stopped(Exception):
    """By whoever started this: what has ended until then is shown, and kept."""


def stop(_signal, _frame):
    raise Stopped


def run_jobs(jobs, at_once, ended, told):
    """Those that have ended are in `ended`, in that order, and their failures shown."""
    pool = ThreadPoolExecutor(at_once)
    try:
        for one in as_completed([pool.submit(work, result) for result, work in jobs]):
            result = one.result()
            ended.append(result)
            if not result.program.startswith("app_"):
                show_failures(result, told)
    except Stopped:
        stop_programs()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def main():
    parser = argparse.ArgumentParser(prog="gpu-check", description="Runs what proves the CUDA backend.")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write results and a manifest")
    parser.add_argument("--only", metavar="PATTERN", help="programs, or PROGRAM/VARIANT")
    parser.add_argument("--variants", metavar="PATTERNS", help="of the contract suite, between commas; no GPU is looked for")
    parser.add_argument("--opencl", nargs="?", type=int, const=0, metavar="N", help="the OpenCL backend instead, on its device N (0); no GPU is looked for")
    parser.add_argument("--sanitize", action="store_true", help="a few cases under compute-sanitizer, too")
    parser.add_argument("--jobs", type=int, default=4, help="programs at a time (4)")
    options = parser.parse_args()

    os.environ["PATH"] += ":/usr/local/cuda/bin"
    if options.sanitize and not shutil.which("compute-sanitizer"):
        sys.exit("gpu-check: compute-sanitizer isn't there: leave out --sanitize")
    gpu, why = find_gpu()
    device = ""
    if options.opencl is not None:
        os.environ["RK_OPENCL_DEVICE"] = str(options.opencl)
        device, why = find_opencl(options.opencl)
        if not device:
            sys.exit(f"gpu-check: no OpenCL device {options.opencl}: {why}")
    if not gpu and not options.variants and options.opencl is None:
        say(f"gpu-check: no GPU to check on: {why}")
        return 77
    begin = time.monotonic()
    about = manifest(gpu) | ({"opencl": device} if device else {})
    build()
    say(f"{device or about.get('gpu', 'no GPU')}, driver {about.get('driver', '-')}, {about['revision']}; "
        f"built in {time.monotonic() - begin:.0f} s")
    folder = BUILD / "gpu-check"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    inputs = {app: app_inputs.inputs_of(app, folder) for app in app_inputs.APPS}
    if any("real" not in [given.name for given in inputs[app]] for app in ("flight-delays", "weather-watch")):
        say("real rows that are packed are left out: neither zstd nor Python 3.14 is there, nor build/NAME.csv")

    jobs = find_jobs(options, folder, inputs, gpu)
    if gpu and any(is_contract_on_cuda(result) for result, _ in jobs):
        compiling = time.monotonic()
        several = gpu["gpus"] > 1
        compiled = [compile_kernels(gpu["architecture"], peers) for peers in range(1 + several)]
        say(f"{'; for several devices '.join(compiled)}; compiled in {time.monotonic() - compiling:.0f} s")
    told, ended = {}, []
    signal.signal(signal.SIGTERM, stop)
    try:
        for alone in (False, True):
            run_jobs([job for job in jobs if job[0].alone == alone], 1 if alone else options.jobs, ended, told)
    except Stopped:
        missing = [result.name() for result, _ in jobs if result not in ended]
        say(f"gpu-check: stopped; not ended: {', '.join(missing)}")
    results = [result for result, _ in jobs if result in ended]
    table = []
    for app in app_inputs.APPS:
        of_app = [result for result in results if result.program == f"app_{app}"]
        compare_app(app, folder, inputs[app], of_app)
        for result in of_app:
            show_failures(result, told)
        if len(of_app) > 1:
            table += same_bytes(app, inputs[app], of_app)
    if table:
        (BUILD / "same-bytes.txt").write_text("\n".join(table) + "\n")
        say("\n" + "\n".join(table))
    seconds = time.monotonic() - begin
    show_table(results, seconds)
    if options.json:
        text = {"manifest": about | {"seconds": round(seconds, 1)}, "results": [asdict(r) for r in results]}
        options.json.write_text(json.dumps(text, indent=1) + "\n")
    if not jobs:
        say(f"gpu-check: nothing is called '{options.only}'")
    return 1 if not jobs or len(ended) < len(jobs) or any(r.failed or r.hung for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
