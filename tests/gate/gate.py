#!/usr/bin/python3
"""The kernel-compile gate: every kernel and every device header, with every compiler of the dialect.

    gate.py [--root DIR] [--cache DIR] [--nvrtc FILE] [--only COMPILER] [KERNEL.rk.c ...]

Kernels are the files NAME.rk.c of the repository, those that `rk` carries as text, and those that documents show. One is compiled, without a warning, as its backends do it: as a module by gcc and clang, and as the unit
that src/codegen renders by NVRTC (for compute capability 7.5 and 9.0), by PoCL (OpenCL C 1.2 and 3.0) and, as the
Metal Shading Language, by clang's C++ for OpenCL with tests/gate/metal as Metal's library. A header is compiled alone,
by the C++ compilers too. NVRTC and PoCL make code of all handlers and hooks of a unit, called by a bare entry: the loop around
them, which takes ten times as long, comes from the headers, and they see it whole with one kernel of each way to run handlers.
For 9.0 that one becomes machine code, not PTX alone, moderately optimised: fully it takes half a minute each. PoCL links its
library to those alone. Each compiler is one process, and remembers in the cache what it has compiled before from the same
text, the same headers and with the same version. Only NVRTC may be missing. The exit status is 1 if anything failed.
"""
import argparse
import ctypes
import glob
import hashlib
import itertools
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import subprocess
import sys
import time
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "install"))
import document  # noqa: E402: it lies beside what is run of documents

AT_ONCE = 2  # compilers at work
KERNEL_FOLDERS = ("tests", "examples", "bench", "docs")
# Kernels that `rk` carries as text: what `rk init` writes, and what `rk bench` runs.
CARRIED = ("src/cli/init_templates.c", "src/cli/bench_kernels.h")
# Documents that show a program with its kernel.
SHOWN = ("README.md", "docs/first-handler.md")
HEADER_FOLDERS = ("device", "state", "pattern", "resilience", "collective")
MORE_HEADERS = ("kernel.h", "message.h")
# What some headers leave to the file that includes them, before and after.
LOOP = """#define RK_LOOP_HANDLE(context) ((void)0)
#define RK_LOOP_DRAIN(context, actor) ((void)0)
#define RK_LOOP_TIMER(context) ((void)0)
#define RK_LOOP_NOW(context) 0
"""
UNIT = """#if !defined(RK_LANG_HOST)
RK_FN_LARGE void rk_unit_handle(rk_context *c, rk_u32 n) {}
RK_FN_LARGE void rk_unit_drain(rk_context *c, rk_u32 n) {}
RK_FN_LARGE void rk_unit_timer(rk_context *c, rk_u32 n) {}
RK_FN_LARGE rk_u32 rk_unit_refused(rk_context *c, rk_u32 n, RK_GLOBAL rk_staged *e, rk_status s) { return 0; }
#endif
"""
HERE = UNIT + """#if defined(RK_LANG_CUDA)
RK_FN void rk_unit_handle_here(rk_context *c, rk_u32 n) {}
#endif
"""
ENTRY = HERE + """#if defined(RK_LANG_CUDA)
RK_FN rk_u64 rk_entry_now(rk_context *c) { return 0; }
RK_FN void rk_entry_drain(rk_context *c, rk_u32 actor) {}
RK_FN_LARGE rk_u32 rk_entry_end(rk_context *c) { return 0; }
#endif
"""
BEFORE_HEADER = {"device/loop.h": LOOP}
AFTER_HEADER = {"device/rounds.h": UNIT, "device/block.h": UNIT, "device/rest.h": UNIT, "device/entry.h": HERE,
                "device/express_look.h": UNIT, "device/express_handle.h": HERE, "device/express_send.h": HERE,
                "device/express_turn.h": ENTRY, "device/express_alone.h": ENTRY, "device/express.h": ENTRY,
                "device/shuttle.h": ENTRY, "device/shuttle_turnstile.h": ENTRY, "device/shuttle_line.h": ENTRY,
                "device/shuttle_send.h": ENTRY, "device/shuttle_scout.h": ENTRY, "device/shuttle_alone.h": ENTRY,
                "device/shuttle_run.h": ENTRY,
                "device/causal.h": UNIT}


@dataclass
class Job:
    name: str  # as the table shows it
    kernel: bool
    texts: dict  # by FORMS; a text that begins with "error:" is why there is none
    source: str = ""  # of a kernel, as it was written
    whole: dict = None  # of one that has its loop: texts by the forms of BARE
    optimised: str = ""  # by the compilers of devices, for this way to run handlers: its whole texts


FORMS = ("cpu", "cuda", "opencl", "metal")
# PoCL links its library into every program, so that headers are one program; that each stands alone is seen by the others.
TOGETHER = "opencl"
# What the backend says to the compiler for plain launches of kernels whose handlers have a thread each (code.c), so that
# units are compiled with the shuttle and without.
SHUTTLE = "#define RK_BLOCK_BOUND 256u\n#define RK_UNIT_PLAIN 1\n#define RK_UNIT_SHUTTLE 1\n#define RK_UNIT_SENDS 1u\n"

# The forms whose entries are bare: they hand a context to what the user wrote, as the loop would.
BARE = ("cuda", "opencl")
BARE_ENTRY = """#undef RK_ENTRY
#define RK_ENTRY(kernel_, number_, run_) RK_KERNEL rk_entry_of_##kernel_(RK_GLOBAL rk_context *context, RK_GLOBAL rk_staged *sent) \\
{ rk_context own = *context; rk_unit_handle(&own, number_); rk_unit_drain(&own, number_); rk_unit_timer(&own, number_); \\
  rk_unit_refused(&own, number_, sent, RK_OK); *context = own; }
"""


# ------------------------------------------------------------------------------------------ what is compiled


class RenderOptions(ctypes.Structure):
    _fields_ = [("backend", c_char_p), ("path", c_char_p), ("kernel", c_char_p), ("text", c_char_p),
                ("size", c_size_t)]


class SourceError(ctypes.Structure):
    _fields_ = [("line", c_uint32), ("column", c_uint32), ("text", ctypes.c_char * 256)]


def load_renderer(cache):
    """src/codegen as a library, compiled again when its sources change."""
    root = Path(__file__).resolve().parents[2]
    sources = sorted(p for p in (root / "src/codegen").glob("*.c") if not p.name.endswith("_test.c"))
    library = cache / f"codegen-{digest(*sources, *sources[0].parent.glob('*.h'), headers_digest(root))}.so"
    if not library.exists():
        options = ["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", f"-I{root}/include", f"-I{root}/src"]
        subprocess.run(["cc", *options, *sources, "-o", f"{library}.new"], check=True)
        os.replace(f"{library}.new", library)
    renderer = ctypes.CDLL(str(library))
    renderer.rk_render_unit.restype = c_int
    renderer.rk_render_unit.argtypes = [POINTER(RenderOptions), POINTER(c_char_p), POINTER(SourceError)]
    return renderer


def render(renderer, path, backend, kernel=None):
    text, unit, error = path.read_bytes(), c_char_p(), SourceError()
    options = RenderOptions(backend.encode(), str(path).encode(), kernel, text, len(text))
    status = renderer.rk_render_unit(byref(options), byref(unit), byref(error))
    if status:
        return f"error: {path}:{error.line}:{error.column}: {error.text.decode()} (status {status})"
    return unit.value.decode()


def render_all(renderer, path):
    """A kernel's texts by FORMS, and those by BARE with the loop: of its first kernel, which has its handlers inside of it."""
    texts = {backend: render(renderer, path, backend) for backend in FORMS}
    first = re.search(r"^RK_ENTRY\((\w+),", texts["cuda"], re.MULTILINE)
    first = first.group(1).encode() if first else None
    whole = {backend: render(renderer, path, backend, first) for backend in BARE}
    if re.search(r"^RK_ENTRY\(.*, RK_RUN_THREADS\)", whole["cuda"], re.MULTILINE):
        whole["cuda"] = SHUTTLE + whole["cuda"]
    for form in BARE:
        texts[form] = re.sub(r"^RK_ENTRY\(", lambda at: BARE_ENTRY + at.group(), texts[form], count=1, flags=re.MULTILINE)
    return texts, whole


class CarriedFile(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("text", c_char_p)]


class CarriedApp(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("what", c_char_p), ("files", CarriedFile * 6)]


def write_carried(root, cache):
    """Writes the kernels that rk carries to files; returns the folder. The C compiler reads the text, macros and all."""
    sources = [root / name for name in CARRIED]
    folder = cache / f"carried-{digest(*sources)[:8]}"
    library = folder / "carried.so"
    if not library.exists():
        folder.mkdir(exist_ok=True)
        text = "".join(f'#include "{source}"\n' for source in sources)
        text += "const char *rk_gate_bench(void) { return bench_kernels; }\n"
        subprocess.run(["cc", "-std=c11", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=text, text=True, check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.rk_gate_bench.restype = c_char_p
    files = {"bench/bench_kernels.rk.c": loaded.rk_gate_bench()}
    apps = (CarriedApp * 64).in_dll(loaded, "init_templates")
    for app in itertools.takewhile(lambda a: a.name, apps):
        for file in itertools.takewhile(lambda f: f.name, app.files):
            files[f"{app.name.decode()}/{file.name.decode()}"] = file.text
    write_files(folder, files)
    return folder


def write_shown(root, cache):
    """Writes the kernels of the programs that documents show to files, as document.py does; returns the folder."""
    folder = cache / "shown"
    programs = {Path(name).stem: document.Document(root / name).first("c", "int main") for name in SHOWN}
    write_files(folder, {f"{name}.rk.c": document.kernel_of(text).encode() for name, text in programs.items()})
    return folder


def write_files(folder, files):
    """Those that differ from what is there."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)


def find_jobs(root, cache, kernels):
    wanted = [Path(k).resolve() for k in kernels]
    if not kernels:
        wanted = sorted(p for folder in KERNEL_FOLDERS for p in (root / folder).rglob("*.rk.c"))
        if all((root / name).exists() for name in CARRIED):
            wanted += sorted(write_carried(root, cache).rglob("*.rk.c"))
        if all((root / name).exists() for name in SHOWN):
            wanted += sorted(write_shown(root, cache).glob("*.rk.c"))
    renderer = load_renderer(cache)
    jobs = []
    for path in wanted:
        texts, whole = render_all(renderer, path)
        jobs.append(Job(os.path.relpath(path, root), True, texts, path.read_text(), whole))
    optimise_one_of_each(jobs)
    if kernels:
        return jobs
    include = root / "include/ringkernel"
    device = sorted(str(p.relative_to(include)) for folder in HEADER_FOLDERS for p in (include / folder).glob("*.h"))
    names = [n for n in device if not n.startswith("device/port_")] + list(MORE_HEADERS)
    for name in names:
        text = f"{BEFORE_HEADER.get(name, '')}#include <ringkernel/{name}>\n{AFTER_HEADER.get(name, '')}"
        jobs.append(Job(f"ringkernel/{name}", False, dict.fromkeys(set(FORMS) - {TOGETHER}, text)))
    # unit.h first: it is what says to loop.h what others leave to their file.
    together = sorted((n for n in names if n != "device/loop.h"), key=lambda n: n != "device/unit.h")
    text = "".join(f"#include <ringkernel/{name}>\n" for name in together) + (UNIT if "device/unit.h" in names else "")
    jobs.append(Job("all headers of ringkernel/", False, {TOGETHER: text}))
    return jobs


def optimise_one_of_each(jobs):
    """Of each way to run handlers (device/unit.h)."""
    seen = set()
    for job in jobs:
        way = re.search(r"^RK_ENTRY\(.*, (RK_RUN_\w+)\)", job.whole["cuda"], re.MULTILINE)
        if way and way.group(1) not in seen:
            job.optimised = way.group(1)
            seen.add(way.group(1))


def digest(*parts):
    """Of strings and of the contents of files."""
    sum_ = hashlib.sha256()
    for part in parts:
        sum_.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        sum_.update(b"\0")
    return sum_.hexdigest()[:32]


def headers_digest(root):
    headers = sorted((root / "include").rglob("*.h"))
    for folder in KERNEL_FOLDERS:
        headers += sorted((root / folder).rglob("*.rk.h"))
    return digest(*headers, *(p for p in (root / name for name in CARRIED) if p.exists()))


# --------------------------------------------------------------------------------------------- the compilers


class Missing(Exception):
    """The compiler isn't there."""


class HostCompiler:
    form = "cpu"

    def __init__(self, name, command, language, standard, kernels):
        self.name, self.command, self.kernels = name, command, kernels
        self.options = [f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-Werror"]

    def open(self, root, _nvrtc):
        self.include = [f"-I{root}/include"]
        try:
            asked = subprocess.run([self.command, "--version"], capture_output=True, text=True, check=True)
        except OSError as error:
            raise Missing(f"{self.command} not found") from error
        return asked.stdout + " ".join(self.options)

    def compile(self, job, text):
        # What is there to see without optimisation is seen by parsing; builds make code of the kernels.
        command = [self.command, *self.options, "-fsyntax-only", *self.include, "-"]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr


class Nvrtc:
    form, kernels = "cuda", True

    def __init__(self, architecture):
        self.name = f"nvrtc {architecture}"
        self.architecture = architecture

    def open(self, root, nvrtc):
        self.options = ["--std=c++20", f"-I{root}/include"]
        real = self.architecture.startswith("sm_")
        self.optimise = [f"--gpu-architecture={self.architecture.replace('sm_', 'compute_')}"]
        self.quickly, self.parse = list(self.optimise), list(self.optimise)
        self.assemble = [f"--gpu-architecture={self.architecture}"] if real else []
        self.library = self.find(nvrtc)
        major, minor = c_int(), c_int()
        self.library.nvrtcVersion(byref(major), byref(minor))
        if major.value >= 13:  # older ones may not have these
            self.quickly.append("--Ofast-compile=max")
            self.parse.append("--fdevice-syntax-only")  # a header alone has nothing to make code of
            self.assemble += ["--Ofast-compile=mid"] if real else []
        return f"NVRTC {major.value}.{minor.value} {self.options} {self.optimise} {self.quickly} {self.parse} {self.assemble}"

    @staticmethod
    def find(nvrtc):
        names = [nvrtc] if nvrtc else ["libnvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"] + sorted(
            glob.glob("/usr/local/cuda*/lib*/libnvrtc.so*"), reverse=True)
        for name in names:
            try:
                return ctypes.CDLL(name)
            except OSError:
                pass
        raise Missing("NVRTC not found")

    def compile(self, job, text):
        ok, said, _ = self.translate(f"{job.name} for cuda", text, self.quickly if job.kernel else self.parse)
        if ok and job.optimised:
            how = self.assemble or self.quickly
            ok, said, _ = self.translate(f"{job.name} for cuda, with its loop", job.whole[self.form], how)
        return ok, said

    def translate(self, name, text, how=None):
        """Whether there was nothing to say, what was said, and the optimised PTX unless another way is asked for."""
        program = c_void_p()
        self.library.nvrtcCreateProgram(byref(program), text.encode(), name.encode(), 0, None, None)
        given = [option.encode() for option in (*self.options, *(how or self.optimise))]
        result = self.library.nvrtcCompileProgram(program, len(given), (c_char_p * len(given))(*given))
        said = self.ask(program, "ProgramLog")
        ptx = self.ask(program, "PTX") if result == 0 and how is None else ""
        self.library.nvrtcDestroyProgram(byref(program))
        return result == 0 and not said.strip(), said, ptx

    def ask(self, program, what):
        size = c_size_t()
        getattr(self.library, f"nvrtcGet{what}Size")(program, byref(size))
        answer = ctypes.create_string_buffer(size.value + 1)
        getattr(self.library, f"nvrtcGet{what}")(program, answer)
        return answer.value.decode(errors="replace")


class Pocl:
    form, kernels = "opencl", True
    PLATFORM_NAME, DRIVER_VERSION, BUILD_LOG = 0x0902, 0x102D, 0x1183

    def __init__(self, standard):
        self.name = f"pocl {standard}"
        self.standard = standard

    def open(self, root, _nvrtc):
        self.options, self.quickly = f"-cl-std=CL{self.standard} -Werror -I{root}/include", " -cl-opt-disable"
        os.environ.setdefault("POCL_KERNEL_CACHE", "0")  # it would not notice that an included file changed
        try:
            cl = self.cl = ctypes.CDLL("libOpenCL.so.1")
        except OSError as error:
            raise Missing("libOpenCL.so.1 not found") from error
        for function in ("clCreateContext", "clCreateProgramWithSource"):
            getattr(cl, function).restype = c_void_p
        cl.clCreateContext.argtypes = [c_void_p, c_uint32, c_void_p, c_void_p, c_void_p, POINTER(c_int)]
        cl.clCreateProgramWithSource.argtypes = [c_void_p, c_uint32, c_void_p, c_void_p, POINTER(c_int)]
        cl.clBuildProgram.argtypes = [c_void_p, c_uint32, c_void_p, c_char_p, c_void_p, c_void_p]
        cl.clCompileProgram.argtypes = [c_void_p, c_uint32, c_void_p, c_char_p, c_uint32] + [c_void_p] * 4
        cl.clGetProgramBuildInfo.argtypes = [c_void_p, c_void_p, c_uint32, c_size_t, c_void_p, c_void_p]
        cl.clReleaseProgram.argtypes = [c_void_p]
        count, platforms, self.device = c_uint32(), (c_void_p * 16)(), c_void_p()
        cl.clGetPlatformIDs(16, platforms, byref(count))
        names = {self.ask(cl.clGetPlatformInfo, p, self.PLATFORM_NAME): p for p in platforms[: count.value]}
        if "Portable Computing Language" not in names:
            raise Missing("PoCL not found")
        platform = c_void_p(names["Portable Computing Language"])
        if cl.clGetDeviceIDs(platform, c_uint64(0xFFFFFFFF), 1, byref(self.device), None):
            raise Missing("PoCL has no device")
        self.context = cl.clCreateContext(None, 1, byref(self.device), None, None, None)
        return f"PoCL {self.ask(cl.clGetDeviceInfo, self.device, self.DRIVER_VERSION)} {self.options}{self.quickly}"

    @staticmethod
    def ask(function, what, parameter):
        answer = ctypes.create_string_buffer(1024)
        what = what if isinstance(what, c_void_p) else c_void_p(what)
        function(what, parameter, c_size_t(1024), answer, None)
        return answer.value.decode()

    def compile(self, job, text):
        # A program without a kernel has nothing to build.
        text += "" if job.kernel else "__kernel void rk_gate_nothing(void) {}\n"
        ok, said = self.translate(text, self.quickly, link=not job.kernel)
        return self.translate(job.whole[self.form], self.quickly, link=True) if ok and job.optimised else (ok, said)

    def translate(self, text, how, link):
        source, size, options = c_char_p(text.encode()), c_size_t(), (self.options + how).encode()
        program = self.cl.clCreateProgramWithSource(self.context, 1, byref(source), None, None)
        if link:
            result = self.cl.clBuildProgram(program, 1, byref(self.device), options, None, None)
        else:
            result = self.cl.clCompileProgram(program, 1, byref(self.device), options, 0, None, None, None, None)
        self.cl.clGetProgramBuildInfo(program, self.device, self.BUILD_LOG, 0, None, byref(size))
        log = ctypes.create_string_buffer(size.value + 1)
        self.cl.clGetProgramBuildInfo(program, self.device, self.BUILD_LOG, size.value, log, None)
        self.cl.clReleaseProgram(program)
        said = log.value.decode(errors="replace")
        return result == 0 and not said.strip(), said


class Metal:
    """Not Apple's compiler: what passes has Metal's syntax and address spaces. A source that says that it needs doubles
    must be refused for that."""

    NO_DOUBLES = "computes with doubles, which this device doesn't have"

    name, form, kernels = "clang as metal", "metal", True

    def open(self, root, _nvrtc):
        library, self.seen = Path(__file__).parent / "metal", set()
        self.command = ["clang", "-x", "cl", "-cl-std=clc++1.0", "-cl-no-stdinc", "-D__METAL_VERSION__=320",
                        f"-I{library}", "-include", "metal_stdlib", f"-I{root}/include", "-Wall", "-Wextra", "-Werror",
                        "-Wno-unknown-attributes", "-Wno-unused-parameter", "-Wno-missing-field-initializers"]
        try:
            asked = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True)
        except OSError as error:
            raise Missing("clang not found") from error
        return asked.stdout + " ".join(self.command) + (library / "metal_stdlib").read_text()

    def compile(self, job, text):
        done = subprocess.run([*self.command, "-fsyntax-only", "-"], input=text, capture_output=True, text=True, check=False)
        if re.search(r"^RK_NEEDS_F64", job.source, re.MULTILINE):
            return self.NO_DOUBLES in done.stderr, done.stdout + done.stderr
        if done.returncode:
            return False, done.stdout + done.stderr
        # The arguments are those of the kernel's way to run handlers (RK_ENTRY): seen once, of each.
        ways = set(re.findall(r"^RK_ENTRY\(.*, (RK_RUN_\w+)\)", text, re.MULTILINE))
        if ways <= self.seen:
            return True, ""
        self.seen |= ways
        read = subprocess.run([*self.command, "-E", "-P", "-"], input=text, capture_output=True, text=True, check=True)
        said = self.find_twice_bound(read.stdout)
        return not said, said

    @staticmethod
    def find_twice_bound(text):
        """The places of its arguments that a kernel gives away twice."""
        said = ""
        for name, arguments in re.findall(r"__kernel\s+void\s+(\w+)\s*\((.*?)\)\s*\{", text, re.DOTALL):
            places = re.findall(r"\[\[((?:buffer|__local)\(\d+\))\]\]", arguments)
            said += "".join(f"{name}: {place} is bound twice\n" for place in sorted(set(places)) if places.count(place) > 1)
            if arguments.count("*") + arguments.count("&") != len(places):
                said += f"{name}: a pointer or reference among its arguments has no place\n"
        return said


# The slowest come first, so that the others fill up the second processor.
COMPILERS = [Nvrtc("sm_90"), Pocl("1.2"), Pocl("3.0"), Nvrtc("compute_75"),
             Metal(), HostCompiler("gcc", "gcc", "c", "c11", True), HostCompiler("clang", "clang", "c", "c11", True),
             HostCompiler("g++", "g++", "c++", "c++17", False),
             HostCompiler("clang++", "clang++", "c++", "c++17", False)]


# ------------------------------------------------------------------------------------ one compiler, all jobs


def run_compiler(compiler, jobs, root, cache, nvrtc, pipe):
    """A process of its own: sends ("begin", job), ("done", job, ok, text), last ("end", why not, seconds)."""
    try:
        version = compiler.open(root, nvrtc)
    except Missing as missing:
        pipe.send(("end", str(missing), 0))
        return
    common = digest(compiler.name, version, headers_digest(root), Path(__file__))
    for number, job in enumerate(jobs):
        if compiler.form not in job.texts or (job.kernel and not compiler.kernels):
            continue
        pipe.send(("begin", number))
        text = job.texts[compiler.form]
        content = (root / job.name).read_text() if job.kernel else ""
        whole = job.whole.get(compiler.form, "") if job.optimised else ""
        entry = cache / digest(common, job.name, text, whole, content)
        if not entry.exists():
            ok, said = (False, text) if text.startswith("error:") else compiler.compile(job, text)
            Path(f"{entry}.new").write_text(json.dumps([ok, said.replace(f"{root}/", "")]))
            os.replace(f"{entry}.new", entry)
        ok, said = json.loads(entry.read_text())
        pipe.send(("done", number, ok, said))
    used = os.times()
    pipe.send(("end", None, used.user + used.system + used.children_user + used.children_system))


def run_all(compilers, jobs, root, cache, nvrtc):
    """Of each compiler its results, why there are none, and its seconds; AT_ONCE of them at work."""
    waiting, running, outcome = list(compilers), [], {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            compiler = waiting.pop(0)
            receiver, sender = multiprocessing.Pipe(duplex=False)
            arguments = (compiler, jobs, root, cache, nvrtc, sender)
            process = multiprocessing.Process(target=run_compiler, args=arguments)
            process.start()
            sender.close()
            running.append((receiver, compiler, process, {}))
        ready = multiprocessing.connection.wait([r[0] for r in running])
        for entry in [r for r in running if r[0] in ready]:
            receiver, compiler, process, results = entry
            try:
                what, *more = receiver.recv()
            except EOFError:
                process.join()
                at = results.pop("at", 0)
                results[at] = (False, f"{compiler.name} died with status {process.exitcode}")
                what, more = "end", [None, 0]
            if what == "begin":
                results["at"] = more[0]
            elif what == "done":
                results[more[0]] = (more[1], more[2])
            else:
                results.pop("at", None)
                process.join()
                running.remove(entry)
                outcome[compiler.name] = (results, *more)
    return outcome


# ------------------------------------------------------------------------------------------------ the report


def cell(outcome, compiler, number):
    results, missing, _ = outcome[compiler.name]
    if missing:
        return "skipped"
    return "-" if number not in results else "ok" if results[number][0] else "FAILED"


def report(compilers, jobs, outcome, since):
    failures = 0
    for compiler in compilers:
        results, missing, _ = outcome[compiler.name]
        for number, (ok, said) in sorted(results.items()):
            if not ok:
                failures += 1
                print(f"-- {compiler.name}: {jobs[number].name}\n{said.rstrip()}\n")
        if missing and not isinstance(compiler, Nvrtc):
            failures += 1
            print(f"-- {compiler.name}: {missing}\n")
    order = sorted(compilers, key=lambda c: c.form[:3] != "cpu")
    rows = [[""] + [c.name for c in order]]
    rows += [[job.name] + [cell(outcome, c, number) for c in order] for number, job in enumerate(jobs)]
    rows += [["processor seconds"] + [f"{outcome[c.name][2]:.1f}" for c in order]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print(f"{row[0]:{widths[0]}}", *(f"{text:>{width + 1}}" for text, width in zip(row[1:], widths[1:])))
    for compiler in compilers:
        if outcome[compiler.name][1]:
            print(f"{compiler.name}: skipped: {outcome[compiler.name][1]}")
    done = sum(len(results) for results, _, _ in outcome.values())
    used = sum(seconds for _, _, seconds in outcome.values())
    print(f"gate: {len(jobs)} files, {done} compilations, {failures} failed; {used:.0f} processor seconds in {time.monotonic() - since:.0f} s")
    return failures


def main():
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    here = Path(__file__).resolve().parents[2]
    parser.add_argument("--root", type=Path, default=here, help="the repository")
    parser.add_argument("--cache", type=Path, help="results; default: build/gate-cache in the repository")
    parser.add_argument("--nvrtc", help="the NVRTC library; default: searched for")
    parser.add_argument("--only", action="append", choices=[c.name for c in COMPILERS], metavar="COMPILER",
                        help="only this compiler, and others that are named so; default: all")
    parser.add_argument("kernels", nargs="*", help="only these kernels, and no headers")
    arguments = parser.parse_args()
    since = time.monotonic()
    root = arguments.root.resolve()
    cache = (arguments.cache or root / "build/gate-cache").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    jobs = find_jobs(root, cache, arguments.kernels)
    compilers = [c for c in COMPILERS if not arguments.only or c.name in arguments.only]
    failures = report(compilers, jobs, run_all(compilers, jobs, root, cache, arguments.nvrtc), since) if jobs else 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
