#!/usr/bin/python3
"""The year's rows as a live stream: so many a second, to standard output.

    stream.py ROWS_A_SECOND [FILE.csv.zst]

Each row goes out when its time has come, counted from the first one, so the rate holds over any time.
"""
import pathlib
import subprocess
import sys
import time


def main():
    if len(sys.argv) not in (2, 3) or not sys.argv[1].replace(".", "", 1).isdigit() or float(sys.argv[1]) == 0:
        sys.exit(__doc__)
    rate = float(sys.argv[1])
    path = sys.argv[2] if len(sys.argv) == 3 else pathlib.Path(__file__).resolve().with_name("weather.csv.zst")
    rows = subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout.splitlines(keepends=True)
    out, began = sys.stdout.buffer, time.monotonic()
    out.write(rows[0])  # the head
    for number, row in enumerate(rows[1:]):
        left = began + number / rate - time.monotonic()
        if left > 0:
            out.flush()
            time.sleep(left)
        out.write(row)
    out.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # whoever reads has ended
        sys.stderr.close()
