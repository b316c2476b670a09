#!/usr/bin/python3
"""The flight-delays job in pandas, for rows that are well formed: flights_pandas.py FLIGHTS.csv"""
import sys

import pandas

WINDOW = 10000
rows = pandas.read_csv(sys.argv[1])
good = rows[(rows.distance_mi > 0) & (rows.distance_mi <= 10000) & (rows.delay_min.abs() <= 2880) & (rows.hour >= 0) & (rows.hour < 24)]
good = good.reset_index(drop=True)
good["window"] = good.index // WINDOW
good["band"] = (good.distance_mi // 250).clip(upper=11)
good["late"] = (good.delay_min >= 15).astype("int64")
totals = good.groupby(["window", "band"], sort=True).agg(
    flights=("delay_min", "size"), late=("late", "sum"), delay_sum=("delay_min", "sum"), delay_min=("delay_min", "min"), delay_max=("delay_min", "max")
).reset_index()
scaled = totals.delay_sum * 1000
totals["delay_mean_milli"] = (scaled.abs() // totals.flights) * scaled.map(lambda s: -1 if s < 0 else 1)
sys.stdout.write(totals.to_json(orient="records", lines=True))
