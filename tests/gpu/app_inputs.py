"""What the programs app_NAME are given, and what must come out: of each app the rows of its example, with the result that the example
keeps or computes; of some also rows that are made here."""
import importlib.util
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
APPS = ("flight-delays", "pagerank", "weather-watch", "order-matching", "prime-count", "mandelbrot", "connections",
        "life")
UNORDERED = ("pagerank", "prime-count", "mandelbrot", "connections", "life")  # several shards, or answers that don't wait for each other: any order of lines
MADE_FLIGHTS, SEED = 200000, 7


@dataclass
class Input:
    name: str
    rows: Path
    result: bytes = None  # None: what the CPU makes of it
    dead: bytes = None


def in_order(app, lines):
    return b"".join(sorted(lines.splitlines(True))) if app in UNORDERED else lines


# What stands before the values of a damaged row, and at its end.
DAMAGED = (("x", "", "", "", ""), ('"', "", "", "", ""), ("", " ", "", "", ""), ("", "3", "", "", ""), ("", "", "-", "", ""),
           ("", "", "1000", "", ""), ("", "", "\n", "", ""), ("", "", "", "9000", ""), ("", "", "", "+", ""),
           ("", "", "", "", ",1"), ("", "", "", "", "e1"), ("", "-", "", "", ""))


def make_flights(rows, seed=SEED):
    """Flights in order of the hour, of which one in a hundred is damaged."""
    dice, lines = random.Random(seed), ["seq,hour,distance_mi,delay_min\n"]
    for i in range(rows):
        seq, hour, distance, delay, end = dice.choice(DAMAGED) if dice.randrange(100) == 0 else ("",) * 5
        late = dice.randrange(512) if dice.randrange(5) == 0 else 0
        lines.append(f"{seq}{i},{hour}{i // 100 % 24}.{i % 100:02},{distance}{30 + dice.randrange(2700)},"
                     f"{delay}{dice.randrange(64) - 20 + late}{end}\n")
    return "".join(lines)


def make_weather(hours, seed=SEED):
    """Readings of so many hours, of which a few can't be."""
    dice, lines, pressure = random.Random(seed), ["hour,temperature,pressure,wind\n"], 1013.0
    for hour in range(hours):
        pressure += dice.randrange(-9, 10) / 10
        pressure += (1013 - pressure) / 16
        wild = 90 if dice.randrange(400) == 0 else 0
        lines.append(f"{hour},{10 + hour % 24 / 3 + wild + dice.randrange(-30, 31) / 10:.1f},{pressure:.1f},{dice.randrange(90) / 10}\n")
    return "".join(lines)


def unpacked(packed, to):
    """The rows of a kept file at `to`, or None where nothing unpacks it and build/NAME doesn't have it."""
    ready = ROOT / "build" / packed.stem
    try:
        if ready.exists():
            shutil.copyfile(ready, to)
        elif shutil.which("zstd"):
            subprocess.run(["zstd", "-dqf", packed, "-o", to], check=True)
        else:
            from compression import zstd  # Python 3.14

            to.write_bytes(zstd.decompress(packed.read_bytes()))
    except (ImportError, subprocess.CalledProcessError):
        return None
    return to


def kept(app, name):
    return (EXAMPLES / app / "expected" / name).read_bytes()


def computed(app, text):
    """What expected.py of an example makes of rows."""
    spec = importlib.util.spec_from_file_location(f"expected_{app}", EXAMPLES / app / "expected.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return "".join(module.compute(text)[0]).encode()


def of_flights(folder, rows):
    made, real = folder / "made.csv", unpacked(EXAMPLES / "flight-delays/flights.csv.zst", folder / "flights.csv")
    made.write_text(make_flights(rows))
    inputs = [Input("damaged", EXAMPLES / "flight-delays/damaged.csv", kept("flight-delays", "damaged-result.ndjson"),
                    kept("flight-delays", "damaged-dead-letters.ndjson")), Input("made", made)]
    if real:
        inputs.append(Input("real", real, kept("flight-delays", "result.ndjson"), kept("flight-delays", "dead-letters.ndjson")))
    return inputs


def of_weather(folder):
    made, real = folder / "made-weather.csv", unpacked(EXAMPLES / "weather-watch/weather.csv.zst", folder / "weather.csv")
    made.write_text(make_weather(3000))
    inputs = [Input("made", made, computed("weather-watch", made.read_text()))]
    if real:
        inputs.append(Input("real", real, kept("weather-watch", "result.ndjson"), b""))
    return inputs


def of_orders(folder):
    day = folder / "day.csv"
    day.write_bytes(subprocess.run([sys.executable, EXAMPLES / "order-matching/make_day.py"], stdout=subprocess.PIPE, check=True).stdout)
    return [Input("day", day, kept("order-matching", "result.ndjson"), kept("order-matching", "dead-letters.ndjson"))]


def inputs_of(app, folder, flights=MADE_FLIGHTS):
    """Inputs of an app; files that have to be made or unpacked are put into the folder."""
    if app == "flight-delays":
        return of_flights(folder, flights)
    if app == "weather-watch":
        return of_weather(folder)
    if app == "order-matching":
        return of_orders(folder)
    if app == "pagerank":
        return [Input("airports", EXAMPLES / app / "routes.csv", kept(app, "ranks.ndjson"), b"")]
    if app == "mandelbrot":
        return [Input("tiles", EXAMPLES / app / "tiles.csv", kept(app, "result.ndjson"), b"")]
    if app == "life":
        return [Input("cells", EXAMPLES / app / "cells.csv", kept(app, "result.ndjson"), b"")]
    if app == "connections":
        routes = unpacked(EXAMPLES / app / "airline-routes.csv.zst", folder / "airline-routes.csv")
        return [Input("routes", routes, kept(app, "result.ndjson"), b"")] if routes else []
    return [Input("ranges", EXAMPLES / app / "ranges.csv", kept(app, "result.ndjson"), b"")]
