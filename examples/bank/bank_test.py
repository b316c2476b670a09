#!/usr/bin/python3
"""The bank behind its bad network: whatever is lost, doubled, late or handled again, an independent computation finds each
order carried out once and the total unchanged. With `--backend NAME` on another backend than the CPU."""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import expected  # noqa: E402  (beside this file)

BANK = Path(os.environ["RK_BINARY_DIR"]) / "examples/bank"
SANITIZED = "RK_SANITIZERS" in os.environ
BACKEND = sys.argv.pop(sys.argv.index("--backend") + 1) if "--backend" in sys.argv else "cpu"
sys.argv = [a for a in sys.argv if a != "--backend"]
WORKERS = [("--workers", "1"), ("--workers", "3")] if BACKEND == "cpu" else [()]  # a device has none


class Day(unittest.TestCase):
    """A folder with accounts and orders, and the journal of the last run."""

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.accounts, self.transfers, self.journal = (
            self.folder / f"{name}.csv" for name in ("accounts", "transfers", "journal"))

    def make(self, orders):
        subprocess.run([sys.executable, HERE / "transfers.py", self.folder, "--orders", str(orders)], check=True)

    def run_bank(self, *options):
        return subprocess.run([BANK, "--backend", BACKEND, *options, self.accounts, self.transfers, self.journal],
                              capture_output=True, text=True, check=False)

    def serve(self, *options):
        """The summary's numbers."""
        done = self.run_bank(*options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("  balanced\n", done.stdout)
        self.assertIn("cents: what they were\n", done.stdout)
        self.assertEqual(expected.mistakes_of(self.accounts, self.transfers, self.journal), [])
        return {name: int(count) for count, name in
                re.findall(r"(\d+) (orders|lost|doubled|overtaken|copies|answers|audits|crashes|of them)", done.stdout)}


class Orders(Day):
    def test_each_is_carried_out_once_whatever_the_network_does(self):
        self.make(10000 if SANITIZED else 50000)
        for workers, seed in zip(WORKERS, ("1", "2")):
            with self.subTest(workers=workers, seed=seed):
                said = self.serve(*workers, "--seed", seed)
                self.assertGreater(min(said[what] for what in ("lost", "doubled", "overtaken", "copies", "answers")),
                                   100)
                self.assertEqual(said["crashes"], 0)

    def test_each_is_carried_out_once_when_batches_are_handled_again(self):
        self.make(20000)
        for workers in WORKERS:
            with self.subTest(workers=workers):
                said = self.serve(*workers, "--crashes", "3")
                self.assertGreaterEqual(said["crashes"], 3)

    def test_what_cannot_be_read_is_told_with_its_place(self):
        self.make(10)
        rows = self.transfers.read_text()
        for spoilt, place in ((rows + "1,2\n", "row 11: "), (rows + "1000,2,5\n", "row 11: an account that there isn't"),
                              (rows + "1,2,5,7\n", "row 11: "), (rows + "1,2,-5e\n", "row 11: "), ("from,to\n", "amount"),
                              ("from,to,amount\n", "has no rows")):
            with self.subTest(place):
                self.transfers.write_text(spoilt)
                done = self.run_bank()
                self.assertEqual(done.returncode, 1)
                self.assertIn("transfers.csv: row", done.stderr)
                self.assertIn(place, done.stderr)
        self.accounts.write_text("balance,closed\n10,0\n-1,0\n")
        self.assertIn("accounts.csv: row 2: an account with less than nothing", self.run_bank().stderr)
        self.assertIn("abacus", subprocess.run([BANK, "--backend", "abacus", "a", "b", "c"], capture_output=True,
                                               text=True, check=False).stderr)


class Checks(Day):
    """expected.py finds what it is there for."""

    def test_a_journal_that_is_wrong_is_found_out(self):
        self.make(6000)
        self.serve()
        lines = self.journal.read_text().splitlines()
        done = next(i for i, line in enumerate(lines) if re.fullmatch(r"answer(,-?\d+){4},2,.*", line))
        refused = next(i for i, line in enumerate(lines) if re.fullmatch(r"answer(,-?\d+){4},3,.*", line))
        state = next(i for i, line in enumerate(lines) if line.startswith("state,0,"))
        order = lines[done].split(",")

        def lines_like(at):  # an order that was asked again has been answered again
            return [i for i, line in enumerate(lines) if line.split(",")[:3] == lines[at].split(",")[:3]]

        same = lines_like(done)

        def changed(at, field, change):
            fields = lines[at].split(",")
            fields[field] = str(int(fields[field]) + change)
            return {at: [",".join(fields)]}

        def everywhere(field, change, at=done):
            return {i: lines for like in lines_like(at) for i, lines in changed(like, field, change).items()}

        for what, edit, mistake in (
                ("an order is never answered", {i: [] for i in same}, "0 different answers"),
                ("an order has two outcomes", {done: [lines[done], *changed(done, 5, 1)[done]]}, "2 different answers"),
                ("a credit is taken twice", everywhere(9, int(order[4])), "a balance of"),
                ("two credits are one entry", everywhere(8, 1), "entries are number"),
                ("the payer had enough", everywhere(5, 1, refused), "outcome 4"),
                ("a state isn't what its book says", changed(state, 4, 1), "audit 0: account 0 has"),
                ("another order was answered", everywhere(4, 1),
                 "another order was answered")):
            with self.subTest(what):
                wrong = [line for i, old in enumerate(lines) for line in edit.get(i, [old])]
                self.journal.write_text("\n".join(wrong) + "\n")
                found = expected.mistakes_of(self.accounts, self.transfers, self.journal)
                self.assertTrue(any(mistake in text for text in found), found[:3])


if __name__ == "__main__":
    if not BANK.exists():
        print("SKIP: the example was not built")
        sys.exit(77)
    unittest.main()
