#!/usr/bin/python3
"""Makes up a bank's day: 1,000 accounts and 50,000 orders to pay, the same each time.

    transfers.py FOLDER [--orders N]     writes FOLDER/accounts.csv and FOLDER/transfers.csv

One account in fifty is closed: it pays, and takes no money. Some orders are for accounts that there aren't, and a few
accounts are paid from so often that they run out of money.
"""
import argparse
import random
from pathlib import Path

ACCOUNTS = 1000
MISSING = 10  # accounts beyond the last that some orders name
BUSY = 20     # accounts that every fourth order is paid from


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=50000)
    options = parser.parse_args()
    draw = random.Random(20240229)
    with open(options.folder / "accounts.csv", "w", encoding="ascii", newline="\n") as file:
        file.write("balance,closed\n")
        for number in range(ACCOUNTS):
            file.write(f"{draw.randrange(50_000, 150_000)},{int(number % 50 == 49)}\n")
    with open(options.folder / "transfers.csv", "w", encoding="ascii", newline="\n") as file:
        file.write("from,to,amount\n")
        for _ in range(options.orders):
            payer = draw.randrange(BUSY if draw.random() < 0.25 else ACCOUNTS)
            file.write(f"{payer},{draw.randrange(ACCOUNTS + MISSING)},{draw.randrange(1, 20_000)}\n")


if __name__ == "__main__":
    main()
