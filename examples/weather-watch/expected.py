#!/usr/bin/python3
"""Computes what the app must print, without any of it: row by row, in plain Python.

    expected.py WEATHER.csv [--every N] [--unusual DEGREES] [--fall HPA]

The result goes to standard output, and must equal the app's, byte for byte.
"""
import argparse
import json
import math
import re
import sys

INTEGER = re.compile(r"-?[0-9]+")
DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
WEIGHT = 0.0625  # of a reading in the trend


def number(value):
    """A float in the fewest digits, from 15 on, that read back as the same one."""
    return next(text for text in ("%.*g" % (digits, value) for digits in (15, 16, 17)) if float(text) == value)


def line(**fields):
    return "{%s}\n" % ",".join('"%s":%s' % (name, value if isinstance(value, int) else number(value))
                               for name, value in fields.items())


def parse(row):
    """(hour, temperature, pressure, wind), or None for a row that is no reading."""
    fields = row.split(",")
    if len(fields) != 4 or not INTEGER.fullmatch(fields[0]) or not all(DECIMAL.fullmatch(f) for f in fields[1:]):
        return None
    return (int(fields[0]), *map(float, fields[1:]))


def refuse(hour, temperature, pressure, wind):
    """The first reason that applies, or None."""
    if hour < 0:
        return "hour"
    if not -60 <= temperature <= 60:
        return "temperature"
    if not 850 <= pressure <= 1100:
        return "pressure"
    return None if 0 <= wind <= 120 else "wind"


class Watch:
    def __init__(self, every, unusual, fall):
        self.every, self.unusual, self.fall = every, unusual, fall
        self.same_hour = [[] for _ in range(24)]
        self.temperatures, self.pressures, self.trend = [], [], None
        self.seen = {"readings": 0, "unusual_hours": 0, "pressure_falls": 0}
        self.was_unusual = self.was_falling = False

    def take(self, hour, temperature, pressure):
        """The lines that a reading causes."""
        days = self.same_hour[hour % 24][-7:]
        usual = math.fsum(days) / len(days) if days else 0.0
        self.same_hour[hour % 24].append(temperature)
        self.temperatures = (self.temperatures + [temperature])[-24:]
        self.pressures = (self.pressures + [pressure])[-24:]
        self.trend = temperature if self.trend is None else self.trend + WEIGHT * (temperature - self.trend)
        self.seen["readings"] += 1

        by = temperature - usual
        is_unusual = len(days) == 7 and abs(by) > self.unusual
        if is_unusual and not self.was_unusual:
            self.seen["unusual_hours"] += 1
            yield line(hour=hour, unusual_by=by, temperature=temperature, usual=usual)
        self.was_unusual = is_unusual

        highest = max(self.pressures)
        is_falling = highest - pressure > self.fall
        if is_falling and not self.was_falling:
            self.seen["pressure_falls"] += 1
            yield line(hour=hour, fell_by=highest - pressure, pressure=pressure, highest=highest)
        self.was_falling = is_falling

        if self.every and self.seen["readings"] % self.every == 0:
            yield line(hour=hour, temperature=temperature, usual=usual,
                       day_mean=math.fsum(self.temperatures) / len(self.temperatures),
                       day_least=min(self.temperatures), day_greatest=max(self.temperatures), trend=self.trend)


def compute(text, every=24, unusual=0.9, fall=1.4):
    """Lines of the result, and (row, reason) of each dead letter."""
    watch, result, dead = Watch(every, unusual, fall), [], []
    for row, written in enumerate(text.splitlines()[1:], start=1):
        reading = parse(written)
        reason = refuse(*reading) if reading else "parse"
        if reason:
            dead.append((row, reason))
        else:
            result.extend(watch.take(*reading[:3]))
    result.append(json.dumps(watch.seen, separators=(",", ":")) + "\n")
    return result, dead


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weather")
    parser.add_argument("--every", type=int, default=24)
    parser.add_argument("--unusual", type=float, default=0.9)
    parser.add_argument("--fall", type=float, default=1.4)
    options = parser.parse_args()
    with open(options.weather, encoding="ascii") as file:
        sys.stdout.writelines(compute(file.read(), options.every, options.unusual, options.fall)[0])


if __name__ == "__main__":
    main()
