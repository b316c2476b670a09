#!/usr/bin/python3
"""What the patterns cost on a GPU: PageRank in supersteps beside one launch for each, inference by batch size, the building blocks beside
their naive forms, work stealing beside static placement, and the power of shards that have nothing to do.

    patterns.py [--save FOLDER] [--only pagerank|inference|primitives|stealing|power] [--backend cuda|cpu] [--rounds N]
                [--graph NUMBERED.csv]

Builds the preset `gpu` with RK_GPU_BENCH and runs the programs of bench/gpu and of the examples; ends with a table of each. --save keeps
patterns-DATE.json: a manifest, every round and the medians. The ranks of both sides must be the same bytes, and accounts balance, or the
status is 1. --backend cpu tries the script without a GPU; the bare program is left out then. 77: no GPU, or no nvcc. What the bare
program is compiled for: RK_GPU_BENCH_ARCH (native).
"""
import argparse
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/gpu"))
sys.dont_write_bytecode = True
import app_inputs  # noqa: E402
from gpu_check import find_gpu, manifest  # noqa: E402

BUILD = ROOT / "build/gpu"
LIMIT_S = 300
VERTICES, LINKS = 60000, 240000  # of the made graph: as many as Debian has packages
SHARDS = (4, 16, 64)
SEED = 7
failures = []


def say(text):
    print(text, flush=True)


def fail(text):
    failures.append(text)
    say(f"gpu-patterns: {text}")


def build(backend):
    architecture = os.environ.get("RK_GPU_BENCH_ARCH", "native" if backend == "cuda" else "sm_90")
    for command in (["cmake", "--preset", "gpu", "-DRK_GPU_BENCH=ON", f"-DRK_GPU_BENCH_ARCH={architecture}"],
                    ["cmake", "--build", "build/gpu", "--target", "gpu_patterns", f"-j{os.cpu_count()}"]):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if "nvcc not found" in done.stdout:
            say("gpu-patterns: nvcc is needed for the bare program and was not found")
            sys.exit(77)
        if done.returncode:
            sys.exit(f"{done.stdout}\ngpu-patterns: {' '.join(command)} failed")


def run(*command):
    """What a program says; None, and told, if it fails."""
    try:
        done = subprocess.run([*map(str, command)], cwd=BUILD, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return fail(f"{Path(command[0]).name}: no end after {LIMIT_S} s")
    if done.returncode:
        return fail(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


# ------------------------------------------------------------------------------------------- PageRank


def make_graph(path):
    """Few vertices have most of the links, as packages have."""
    dice = random.Random(SEED)
    path.write_text("from,to\n" + "".join(
        f"{dice.randrange(VERTICES)},{int(VERTICES * dice.random() ** 4)}\n" for _ in range(LINKS)) + f"0,{VERTICES - 1}\n")


def pagerank(folder, backend, rounds, more=()):
    graphs = {"airports": ROOT / "examples/pagerank/routes.csv", "made": folder / "graph.csv"} | {path.stem: path.resolve() for path in more}
    make_graph(graphs["made"])
    rows = []
    for graph, edges in graphs.items():
        ranks, steps = None, None
        if backend == "cuda":
            bare = [run(BUILD / "bench/pagerank_steps", edges, folder / "bare.ndjson") for _ in range(rounds)]
            if None not in bare:
                ranks = app_inputs.in_order("pagerank", (folder / "bare.ndjson").read_bytes())
                found = [re.fullmatch(r"(\d+) steps in ([\d.]+) s\n", said) for said in bare]
                steps = int(found[0][1])
                rows.append({"graph": graph, "by": "one launch for each step", "steps": steps, "seconds": [float(f[2]) for f in found]})
        for shards in SHARDS:
            seconds, first = [], []
            for _ in range(rounds):
                said = run(BUILD / "tests/app_pagerank", backend, edges, folder / "ranks.ndjson", folder / "dead.ndjson", shards)
                if said is None or ": balanced" not in said:
                    break
                first.append(float(re.search(r"to the first line ([\d.]+) s", said)[1]))
                seconds.append(float(re.search(r"to the last one ([\d.]+) s", said)[1]))
                got = app_inputs.in_order("pagerank", (folder / "ranks.ndjson").read_bytes())
                ranks = ranks or got
                if got != ranks:
                    fail(f"pagerank of {graph} by {shards} shards: other ranks")
            if len(seconds) == rounds:
                steps = json.loads(got.splitlines()[0])["steps"]
                rows.append({"graph": graph, "by": f"messages, {shards} shards", "steps": steps, "seconds": seconds,
                             "to_the_first_rank": first})
    say("\nPageRank, from the last edge until all ranks are on the host")
    for row in rows:
        row["median"] = statistics.median(row["seconds"])
        say(f"{row['graph']:10} {row['by']:26} {row['steps']:4} steps {row['median'] * 1e3:10.3f} ms {row['median'] * 1e6 / row['steps']:10.2f} µs a step")
    return rows


# ------------------------------------------------------------------------------------------- inference

COLUMNS = ("batch", "mean_batch", "images_per_second", "p50_us", "p99_us", "urgent_p50_us", "urgent_p99_us")


def inference(folder, backend, rounds):
    example, tables = ROOT / "examples/inference", []
    for _ in range(rounds):
        answers = folder / "answers.csv"
        said = run(BUILD / "examples/inference", "--backend", backend, example / "weights.csv", example / "images.csv", answers)
        if said is None:
            return []
        checked = subprocess.run([sys.executable, example / "expected.py", example / "weights.csv", example / "images.csv", answers],
                                 capture_output=True, text=True, check=False)
        if checked.returncode:
            fail(f"inference: {checked.stdout}{checked.stderr}")
        tables.append([dict(zip(COLUMNS, map(float, line.split()))) for line in said.splitlines() if re.match(r" +\d.*balanced$", line)])
    say("\nInference, latency by the largest batch")
    rows = []
    for of_size in zip(*tables):
        row = {column: statistics.median(one[column] for one in of_size) for column in COLUMNS}
        rows.append(row | {"rounds": list(of_size)})
        say("  ".join(f"{column} {row[column]:.0f}" for column in COLUMNS))
    if not rows:
        fail("inference: no table")
    return rows


# ------------------------------------------------------------------------------------------- building blocks


def primitives(_folder, backend, _rounds):
    said = run(BUILD / "bench/primitives_device", backend)
    rows = [json.loads(line) for line in said.splitlines()] if said else []
    ours = {row["piece"]: row["ns"] for row in rows if row["piece"] == row["beside"]}
    say("\nBuilding blocks, a block of 256 threads; ns of a whole piece")
    for row in rows:
        row["ratio"] = row["ns"] / ours[row["beside"]] if ours[row["beside"]] else None
        naive = "" if row["piece"] == row["beside"] else f"{row['ratio'] or 0:8.2f} × {row['beside']}"
        say(f"{row['piece']:16} {row['ns']:12.0f} ns {row['ns_of_one']:10.3f} ns each {row['cycles']:10.0f} cycles {naive}")
    return rows


# ------------------------------------------------------------------------------------------- work stealing


def stealing(_folder, backend, _rounds):
    said = run(BUILD / "bench/stealing_device", backend)
    rows = [json.loads(line) for line in said.splitlines()] if said else []
    say("\nWork stealing beside static placement; the limit is an even load")
    for row in rows:
        static, stealing_, task = (statistics.median(row[by]) for by in ("static", "stealing", "one_task"))
        fullest, even = math.ceil(row["tasks"] * row["percent"] / 100), math.ceil(row["tasks"] / row["shards"])
        row |= {"ratio": static / stealing_, "limit": max(fullest, even) / even}
        if not row["balanced"]:
            fail(f"stealing: {row['shards']} shards, {row['percent']} %: tasks are missing")
        say(f"{row['shards']:3} shards, {row['percent']:3} % at one: static {static * 1e3:8.3f} ms, stealing {stealing_ * 1e3:8.3f} ms, "
            f"ratio {row['ratio']:6.2f}, limit {row['limit']:6.2f}, one task {task * 1e6:.1f} µs")
    return rows


# ------------------------------------------------------------------------------------------- power


POWER = {"no kernel": None, "132 shards that have nothing to do": "12.132", "one of them busy": "12.1"}  # rows of gpu_bench
POWER_S = 4  # each; behind the first second and a half the clocks are what they will be


def watts():
    said = run("nvidia-smi", "--query-gpu=power.draw", "--format=csv,noheader,nounits")
    return float(said.split()[0]) if said else 0.0


def power(_folder, backend, rounds):
    if backend != "cuda":
        return []
    rows = []
    say("\nPower of the device")
    for name, row in POWER.items():
        drawn = []
        for _ in range(rounds):
            command = [BUILD / "bench/gpu_bench", "--only", row, "--rounds", "1", "--seconds", str(POWER_S)]
            with subprocess.Popen(command if row else ["sleep", str(POWER_S)], cwd=BUILD, stdout=subprocess.DEVNULL) as bench:
                time.sleep(2.5 + POWER_S * (row is not None))  # the bare program comes first, or none
                drawn += [watts() for _ in range(4)]
                bench.wait(LIMIT_S)
                if bench.returncode:
                    fail(f"power: gpu_bench --only {row}: status {bench.returncode}")
        rows.append({"what": name, "watts": statistics.median(drawn), "rounds": drawn})
        say(f"{name:36} {rows[-1]['watts']:6.1f} W")
    return rows


PARTS = {"pagerank": pagerank, "inference": inference, "primitives": primitives, "stealing": stealing, "power": power}


def main():
    parser = argparse.ArgumentParser(prog="gpu-patterns", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--save", metavar="FOLDER", type=Path, help="keep patterns-DATE.json there")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--backend", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--graph", metavar="FILE", type=Path, action="append", default=[],
                        help="rank this one too, as examples/pagerank/number.py writes it; may be said again")
    parser.add_argument("--rounds", type=int, default=3, help="of each figure (3)")
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/local/cuda/bin"
    gpu, why = find_gpu()
    if not gpu and options.backend == "cuda":
        say(f"gpu-patterns: no GPU: {why}")
        return 77
    record = {"manifest": manifest(gpu) | {"backend": options.backend, "rounds": options.rounds}}
    build(options.backend)
    folder = BUILD / "gpu-patterns"
    folder.mkdir(exist_ok=True)
    say(f"{record['manifest'].get('gpu', 'no GPU')}, {options.backend}, {record['manifest']['revision']}")
    for name, part in PARTS.items():
        if options.only in (None, name):
            more = {"more": options.graph} if name == "pagerank" else {}
            record[name] = part(folder, options.backend, options.rounds, **more)
    record["failures"] = failures
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        path = options.save / f"patterns-{record['manifest']['date'][:10]}.json"
        path.write_text(json.dumps(record, indent=1) + "\n")
        say(f"\n{path}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
