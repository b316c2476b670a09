#!/usr/bin/python3
"""The job of examples/order-matching equals an independent computation, results and dead letters, byte for byte: with any number
of workers, with small queues, on each backend that runs here."""
import json
import os
import subprocess
import sys
import unittest

import rk_command
from rk_command import SOURCE, Case, expected_of

JOB = SOURCE / "examples" / "order-matching"
KERNELS = ("gate", "sequence", "book")


expected = expected_of(JOB)
HEAD = ",".join(expected.COLUMNS) + "\n"


def make_day(*arguments):
    return subprocess.run([sys.executable, JOB / "make_day.py", *arguments], stdout=subprocess.PIPE, check=True).stdout.decode()


class Orders(Case):
    def check(self, text, *arguments, **parameters):
        """Runs a day and compares all that comes out with the computation; returns lines, and the count of each reason."""
        result, dead, forgotten = expected.compute(text, **parameters)
        names = {"life": "gate.life", "wild": "book.wild_percent", "halt": "book.halt_ticks"}
        settings = [part for name, value in parameters.items() for part in ("--set", f"{names[name]}={value}")]
        done = self.run_app(JOB / "app.yaml", "--input", "-", "--input-format", "csv", *settings, *arguments,
                            stdin=text.encode())
        self.assertEqual(done.stdout.decode().splitlines(True), result)
        self.assertEqual((self.folder / "letters.ndjson").read_text().splitlines(True), dead)
        self.assertTrue(done.summary["balanced"])
        return result, expected.Counter(json.loads(one)["reason"] for one in dead), forgotten

    def rows(self, *rows):
        return HEAD + "".join(",".join(map(str, row)) + "\n" for row in rows)

    def assert_kept(self, *arguments, **how):
        done = self.run_app(JOB / "app.yaml", *arguments, **how)
        self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes(), arguments)
        self.assertEqual((self.folder / "letters.ndjson").read_bytes(),
                         (JOB / "expected" / "dead-letters.ndjson").read_bytes(), arguments)
        self.assertTrue(done.summary["balanced"], arguments)

    def test_any_number_of_workers_gives_the_kept_result(self):
        for workers in ("1", "3"):
            self.assert_kept("--workers", workers)

    @unittest.skipIf("RK_SANITIZERS" in os.environ, "the sanitizers would report what a device's own compiler does")
    def test_every_backend_that_runs_here_gives_the_same_bytes(self):
        told = json.loads(rk_command.rk("devices", "--json").stdout)
        for backend in (one["backend"] for one in told if one["runs"]):
            self.assert_kept("--backend", backend, seconds=500)  # a device's compiler is slow

    def test_the_kept_files_are_what_the_scripts_make(self):
        day = subprocess.run(["zstd", "-dcq", JOB / "day.csv.zst"], stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertEqual(day, make_day())
        result, dead, forgotten = expected.compute(day)
        self.assertEqual("".join(result), (JOB / "expected" / "result.ndjson").read_text())
        self.assertEqual("".join(dead), (JOB / "expected" / "dead-letters.ndjson").read_text())
        self.assertGreater(forgotten, 0)
        self.assertTrue(any('"halted"' in one for one in result))
        self.assertTrue(any('"cancelled"' in one for one in result))
        self.assertEqual({json.loads(one)["reason"] for one in dead},
                         {"tick", "no_instrument", "side", "price", "quantity", "known_order", "tick_full", "unknown_order",
                          "not_yours", "too_soon", "halted", "too_late"})

    def test_other_days_with_small_queues(self):
        small = [part for kernel in KERNELS for part in ("--set", f"{kernel}.capacity=16")]
        for seed, workers in (("2", "1"), ("3", "3"), ("4", "3")):
            _, reasons, _ = self.check(make_day("--seed", seed, "--ticks", "400"), "--workers", workers, *small)
            self.assertNotIn("out_of_place", reasons)

    def test_other_lives_prices_and_halts(self):
        day = make_day("--seed", "5", "--ticks", "300")
        result, reasons, _ = self.check(day, life=3, wild=1, halt=100)
        self.assertGreater(reasons["halted"], 100)
        self.assertTrue(any('"halted"' in one for one in result))
        result, reasons, _ = self.check(day, life=1000, wild=90)
        self.assertEqual(reasons["halted"], 0)

    def test_a_burst_of_cancels_does_not_overtake_its_place(self):
        """Ticks of 30 orders, and in the next one their cancels among 30 others: whatever the bands deliver first."""
        rows = []
        for tick in range(1, 120):
            for i in range(30):
                rows.append((tick, 0, tick * 100 + i, 1, i % 4, i // 4 % 2, 1000 + i % 5, 10))
                if tick > 1:
                    rows.append((tick, 1, (tick - 1) * 100 + i, 1, 0, 0, 0, 0))
        _, reasons, _ = self.check(self.rows(*rows), "--workers", "3", "--set", "sequence.capacity=16")
        self.assertNotIn("out_of_place", reasons)

    def test_of_equal_prices_the_first_order_trades_first_and_a_better_price_before_both(self):
        result, _, _ = self.check(self.rows((1, 0, 1, 1, 0, 1, 100, 10), (1, 0, 2, 2, 0, 1, 100, 10),
                                            (2, 0, 3, 3, 0, 1, 99, 10), (3, 0, 4, 4, 0, 0, 100, 25)))
        trades = [json.loads(one) for one in result if '"maker"' in one]
        self.assertEqual([(t["maker"], t["price"], t["quantity"]) for t in trades], [(3, 99, 10), (1, 100, 10), (2, 100, 5)])

    def test_a_cancel_comes_before_the_orders_of_its_tick(self):
        result, reasons, _ = self.check(self.rows((1, 0, 1, 1, 0, 1, 100, 10), (2, 0, 2, 2, 0, 0, 100, 10),
                                                  (2, 1, 1, 1, 0, 0, 0, 0)))
        self.assertIn('{"tick":2,"cancelled":1,"quantity":10}\n', result)
        self.assertFalse(any('"maker"' in one for one in result))
        self.assertFalse(reasons)

    def test_an_order_whose_time_is_over_neither_trades_nor_is_cancelled(self):
        result, reasons, _ = self.check(self.rows((1, 0, 1, 1, 0, 1, 100, 10), (11, 0, 2, 2, 0, 0, 100, 10),
                                                  (11, 1, 1, 1, 0, 0, 0, 0)), life=10)
        self.assertFalse(any('"maker"' in one for one in result))
        self.assertEqual(reasons, {"unknown_order": 1})

    def test_a_full_book_refuses_what_it_has_no_room_for(self):
        rows = [(1 + i // 32, 0, 1 + i, 1, 0, 1, 100 + i, 10) for i in range(140)]
        _, reasons, _ = self.check(self.rows(*rows))
        self.assertEqual(reasons, {"book_full": 12})

    def test_rows_that_are_no_entries(self):
        _, reasons, _ = self.check(HEAD + "1,0,1\n1,0,1,1,0,x,100,10\n1,0,1,1,0,0,100,99999999999\n2000000000,0,1,1,0,0,1,1\n")
        self.assertEqual(reasons, {"parse": 2, "quantity": 1, "tick": 1})

    def test_only_a_head(self):
        result, reasons, _ = self.check(HEAD)
        self.assertEqual((len(result), len(reasons)), (4, 0))


if __name__ == "__main__":
    rk_command.main()
