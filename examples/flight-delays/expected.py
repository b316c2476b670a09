#!/usr/bin/python3
"""Computes what the app must print, without any of it: row by row, in plain Python.

    expected.py FLIGHTS.csv [--window N] [--dead-letters FILE]

The result goes to standard output, dead letters to FILE; both must equal the app's, byte for byte.
"""
import argparse
import json
import re
import sys

INTEGER = re.compile(rb"-?[0-9]+")
DECIMAL = re.compile(rb"-?[0-9]+(\.[0-9]+)?")
# A longer row is no message, whatever is in it. Bytes: 65,536 and what a flight takes at most, three integers and a double.
LONGEST_ROW = 65536 + 3 * 21 + 344
SHOWN = 1024  # bytes of a row that a dead letter shows


def clamp(number, bits):
    return max(-(1 << (bits - 1)), min((1 << (bits - 1)) - 1, number))


def read_rows(data):
    """(row number, text) of each row after the head line."""
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    for number, line in enumerate(lines[1:], start=1):
        yield number, line[:-1] if line.endswith(b"\r") else line


def parse(row):
    """(seq, hour, distance, delay), or None for a row that is no flight."""
    fields = row.split(b",")
    if len(row) > LONGEST_ROW or len(fields) != 4 or not DECIMAL.fullmatch(fields[1]):
        return None
    if not all(INTEGER.fullmatch(fields[i]) for i in (0, 2, 3)):
        return None
    hour = float(fields[1])
    if hour in (float("inf"), float("-inf")):
        hour = sys.float_info.max if hour > 0 else -sys.float_info.max
    return clamp(int(fields[0]), 64), hour, clamp(int(fields[2]), 32), clamp(int(fields[3]), 32)


def refuse(flight):
    """The first reason that applies, or None."""
    _, hour, distance, delay = flight
    if distance <= 0 or distance > 10000:
        return "distance"
    if abs(delay) > 2880:
        return "delay"
    if not 0 <= hour < 24:
        return "hour"
    return None


def number_text(value):
    """A float in the fewest digits, from 15 on, that read back as the same one; large and tiny ones with an exponent."""
    if value == 0:
        return "-0.0" if str(value).startswith("-") else "0"
    text = next(t for t in ("%.*e" % (digits - 1, value) for digits in (15, 16, 17)) if float(t) == value)
    mantissa, power = text.split("e")
    sign, power = "-" if mantissa[0] == "-" else "", int(power)
    digits = mantissa.strip("-").replace(".", "").rstrip("0")
    if not -4 <= power < 17:
        return "%s%s%s%se%d" % (sign, digits[0], "." if digits[1:] else "", digits[1:], power)
    if power < 0:
        return sign + "0." + "0" * (-1 - power) + digits
    whole, fraction = digits[:power + 1].ljust(power + 1, "0"), digits[power + 1:]
    return sign + whole + ("." + fraction if fraction else "")


def message_text(flight):
    seq, hour, distance, delay = flight
    return '{"seq":%d,"hour":%s,"distance_mi":%d,"delay_min":%d}' % (seq, number_text(hour), distance, delay)


def row_text(row):
    return row[:SHOWN].decode("utf-8", "surrogateescape")


def escape(text):
    """As a JSON string; bytes that were no UTF-8 are shown as one U+FFFD each."""
    text = re.sub(r"[\x00-\x1f\"\\]", lambda m: json.dumps(m.group())[1:-1], text)
    return re.sub("[\udc80-\udcff]", r"\\ufffd", text)


def dead_letter(row, reason, text):
    return '{"row":%d,"reason":"%s","text":"%s"}\n' % (row, reason, escape(text))


def band_lines(window, bands):
    for band in sorted(bands):
        delays = bands[band]
        total, count = sum(delays), len(delays)
        mean = abs(total) * 1000 // count * (1 if total >= 0 else -1)
        yield ('{"window":%d,"band":%d,"flights":%d,"late":%d,"delay_sum":%d,"delay_min":%d,"delay_max":%d,'
               '"delay_mean_milli":%d}\n'
               % (window, band, count, sum(d >= 15 for d in delays), total, min(delays), max(delays), mean))


def compute(data, size):
    """Lines of the result, and of the dead letters."""
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)  # a row may be one long number
    result, dead, bands, seen, window = [], [], {}, 0, 0
    for number, row in read_rows(data):
        flight = parse(row)
        reason = refuse(flight) if flight else "parse"
        if reason:
            dead.append(dead_letter(number, reason, message_text(flight) if flight else row_text(row)))
            continue
        bands.setdefault(min(flight[2] // 250, 11), []).append(flight[3])
        seen += 1
        if seen == size:
            result.extend(band_lines(window, bands))
            bands, seen, window = {}, 0, window + 1
    if seen:
        result.extend(band_lines(window, bands))
    return result, dead


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flights")
    parser.add_argument("--window", type=int, default=10000)
    parser.add_argument("--dead-letters")
    options = parser.parse_args()
    with open(options.flights, "rb") as file:
        result, dead = compute(file.read(), options.window)
    sys.stdout.writelines(result)
    if options.dead_letters:
        with open(options.dead_letters, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(dead)


if __name__ == "__main__":
    main()
