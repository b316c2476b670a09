#!/usr/bin/python3
"""Makes weather.csv of Seattle's hourly normals: the time becomes the hour of the year.

    prepare.py seattle-weather-hourly-normals.csv | zstd -19 > weather.csv.zst

They are NOAA's hourly normals, as the collection vega-datasets has them: date,pressure,temperature,wind.
"""
import csv
import datetime
import sys


def main():
    with open(sys.argv[1], encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    year = datetime.datetime.fromisoformat(rows[0]["date"]).replace(month=1, day=1, hour=0)
    print("hour,temperature,pressure,wind")
    for row in rows:
        hour = (datetime.datetime.fromisoformat(row["date"]) - year) // datetime.timedelta(hours=1)
        print("%d,%s,%s,%s" % (hour, row["temperature"], row["pressure"], row["wind"]))


if __name__ == "__main__":
    main()
