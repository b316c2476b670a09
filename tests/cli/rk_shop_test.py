#!/usr/bin/python3
"""examples/shop equals an independent computation, with any number of workers and of shards of the desk, whatever questions are lost:
each order is confirmed or refused exactly once. What hangs on time alone, the rate, is looked at as a bound."""
import json
import subprocess
import sys
import time

import rk_command
from rk_command import SANITIZERS, SOURCE, Case, expected_of

JOB = SOURCE / "examples" / "shop"
expected = expected_of(JOB)
HEAD = ",".join(expected.COLUMNS) + "\n"
NO_RATE = ("--set", "mail.per_second=1000000000")
# A machine that is busy with other things is no silent supplier.
PATIENT = ("--set", f"desk.timeout_ns={300000000 if SANITIZERS else 100000000}", "--set", f"desk.retries={20 if SANITIZERS else 12}")


def make_lists(*arguments):
    return subprocess.run([sys.executable, JOB / "make_lists.py", *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()


def orders_of(lines):
    return sorted(one.get("order", one.get("refused")) for one in map(json.loads, lines) if "customer" in one)


class Shop(Case):
    def run_shop(self, text, *arguments):
        """Runs these lists, and returns the lines, sorted."""
        done = self.run_app(JOB / "app.yaml", "--input", "-", "--input-format", "csv", *PATIENT, *arguments, stdin=text.encode())
        self.assertTrue(done.summary["balanced"])
        return sorted(done.stdout.decode().splitlines(True))

    def check(self, text, *arguments, **parameters):
        lines, dead = expected.compute(text, **parameters)
        self.assertEqual(self.run_shop(text, *arguments), lines)
        self.assertEqual((self.folder / "letters.ndjson").read_text().splitlines(True), dead)

    def rows(self, *rows):
        return HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows)

    def test_the_kept_files_are_what_the_scripts_make(self):
        lists = (JOB / "lists.csv").read_text()
        lines, dead = expected.compute(lists)
        self.assertEqual(lists, make_lists())
        self.assertEqual("".join(lines), (JOB / "expected" / "result.ndjson").read_text())
        self.assertEqual("".join(dead), (JOB / "expected" / "dead-letters.ndjson").read_text())
        self.assertTrue(all(any(f'"{reason}":1' in one for one in lines) for reason in ("no_article", "no_price")))
        self.assertEqual({json.loads(one)["reason"] for one in dead}, {"no_boxes", "too_many_boxes"})

    def test_any_number_of_workers_gives_the_kept_result(self):
        for workers in ("1", "3"):
            self.check((JOB / "lists.csv").read_text(), "--workers", workers)

    def test_any_number_of_shards_and_small_queues_without_a_rate(self):
        for shards in ("1", "7"):
            self.check(make_lists("--seed", "2"), *NO_RATE, "--set", f"desk.shards={shards}", "--set", "desk.capacity=16",
                       "--set", "mail.capacity=16", "--set", "supplier.capacity=16", "--workers", "3")

    def test_questions_that_are_lost_change_nothing(self):
        for lost in ("0", "3"):
            self.check(make_lists("--seed", "3", "--lists", "40"), "--set", f"supplier.unheard={lost}")

    def test_a_supplier_that_is_silent_about_another_article(self):
        self.check(make_lists("--seed", "4", "--lists", "40"), "--set", "supplier.silent=40100", silent=40100)

    def test_each_order_has_one_answer_where_some_are_crowded_out(self):
        """More orders than a shard puts off: which of them are refused hangs on time, but each is answered once."""
        text = self.rows(*((n, n, 40113, 999) for n in range(1, 3)))
        lines = self.run_shop(text, *NO_RATE, "--set", "desk.retries=2", "--set", "desk.timeout_ns=1000000")
        told = [json.loads(one) for one in lines]
        reasons = [(one["no_article"], one["no_price"], one["crowded"]) for one in told if "refused" in one]
        self.assertLessEqual(set(reasons), {(0, 1, 0), (0, 0, 1)})
        self.assertEqual(len(reasons), 256)  # the newest: so many complaints are kept
        self.assertEqual(told[0], {"cents": 0, "sold": 0, "refusals": 1998, "untold": 1998 - 256})

    def test_no_more_than_the_rate_goes(self):
        text, burst, rate = self.rows((1, 1, 40100, 500), (2, 2, 40101, 200)), 32, 1000
        begin = time.monotonic()
        lines = self.run_shop(text, "--set", f"mail.per_second={rate}", "--set", "supplier.unheard=0")
        self.assertGreaterEqual(time.monotonic() - begin, (700 - burst) / rate)
        self.assertEqual(orders_of(lines), [1000 + n for n in range(1, 501)] + [2000 + n for n in range(1, 201)])

    def test_lists_that_are_refused(self):
        self.check(self.rows((1, 1, 40100, 0), (2, 1, 40100, 1000), (4294967, 1, 40100, 1), (3, 1, 40101, 2)))
        self.check(HEAD)

    def test_a_list_too_many_is_a_dead_letter(self):
        text = self.rows(*((n, 1, 40100, 999) for n in range(1, 1030)))
        done = self.run_app(JOB / "app.yaml", "--input", "-", "--input-format", "csv", *NO_RATE, stdin=text.encode())
        self.assertLessEqual({letter["reason"] for letter in done.letters}, {"too_many_lists"})
        sold = [json.loads(one) for one in done.stdout.decode().splitlines() if '"sold"' in one]
        self.assertEqual(sold[0]["sold"] + sold[0]["refusals"], 999 * (1029 - len(done.letters)))


if __name__ == "__main__":
    rk_command.main()
