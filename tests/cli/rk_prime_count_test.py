#!/usr/bin/python3
"""examples/prime-count: every range is counted once, by any number of workers of the CPU, and without a dead part."""
import json

import rk_command
from rk_command import SOURCE, Case

APP = SOURCE / "examples" / "prime-count"


def primes(first, end):
    return sum(n > 1 and all(n % d for d in range(2, int(n ** 0.5) + 1)) for n in range(first, end))


class PrimeCount(Case):
    def rows(self, *arguments):
        done = self.run_rk("run", APP / "app.yaml", *arguments)
        return sorted(done.stdout.decode().splitlines())

    def test_the_ranges_have_the_kept_counts_in_whatever_order(self):
        kept = sorted((APP / "expected" / "result.ndjson").read_text().splitlines())
        for row in map(json.loads, kept):
            self.assertEqual(row["primes"], primes(row["from"], row["to"]))
        for arguments in ((), ("--workers", "3")):
            self.assertEqual(self.rows(*arguments), kept)

    def check_what_is_there(self, row):
        """The count of a row is that of the parts that it doesn't say are missing."""
        length = (row["to"] - row["from"]) // 4
        parts = [(row["from"] + length * w, row["from"] + length * (w + 1) if w < 3 else row["to"]) for w in range(4)]
        there = [primes(*parts[w]) for w in range(4) if not row["missing"] >> w & 1]
        self.assertEqual(row["primes"], sum(there))

    def test_a_dead_worker_is_named_and_the_rest_is_counted(self):
        rows = list(map(json.loads, self.rows("--set", "count.dead=2", "--set", "scatter.timeout_ns=1000000000")))
        self.assertEqual(len(rows), 20)
        for row in rows:
            self.assertTrue(row["missing"] & 4)
            self.check_what_is_there(row)

    def test_what_comes_too_late_is_in_no_count(self):
        ranges = self.write("many.csv", "from,to\n" + "".join(f"{n},{n + 400}\n" for n in range(1000)))
        rows = list(map(json.loads, self.rows("--input", ranges, "--set", "scatter.timeout_ns=1")))
        self.assertTrue(any(row["missing"] for row in rows))
        for row in rows:
            self.check_what_is_there(row)

    def test_a_row_that_is_no_range_is_a_dead_letter(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("ranges.csv", "from,to\n5,5\n0,10\n"))
        self.assertEqual(done.stdout, b'{"from":0,"to":10,"primes":4,"missing":0}\n')
        self.assertEqual([letter["reason"] for letter in done.letters], ["not_a_range"])

    def test_a_row_that_comes_while_sixty_four_ranges_are_open_is_a_dead_letter(self):
        ranges = self.write("many.csv", "from,to\n" + "".join(f"{n},{n + 8}\n" for n in range(70)))
        done = self.run_app(APP / "app.yaml", "--input", ranges, "--set", "count.dead=2")  # no range is ever finished
        self.assertEqual(done.stdout, b"")
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters],
                         [(row, "too_many_open") for row in range(65, 71)])


if __name__ == "__main__":
    rk_command.main()
