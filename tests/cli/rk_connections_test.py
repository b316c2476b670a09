#!/usr/bin/python3
"""examples/connections: each airport counts once and as a plain loop counts it, whoever falls silent or is taken for silent."""
import json
import subprocess

import rk_command
from rk_command import SOURCE, Case, expected_of

APP = SOURCE / "examples" / "connections"
KEPT = sorted((APP / "expected" / "result.ndjson").read_text().splitlines())


class Connections(Case):
    def lines(self, *arguments):
        """The lines of the airports, and what went wrong as (what, worker, airports that are others' now)."""
        done = self.run_app(APP / "app.yaml", "--set", "assign.report=1", *arguments)
        self.assertTrue(done.summary["balanced"])
        self.assertEqual(done.letters, [])
        lines = done.stdout.decode().splitlines()
        wrong = [json.loads(line) for line in lines if "worker" in line]
        return (sorted(line for line in lines if "worker" not in line), [l for l in wrong if "worker" in l],
                [l["from_worker"] for l in wrong if "from_worker" in l])

    def test_every_airport_counts_once_whatever_the_silent_worker_says_in_the_end(self):
        for arguments in ((), ("--workers", "1"), ("--workers", "3")):
            with self.subTest(arguments=arguments):
                airports, lost, twice = self.lines(*arguments)
                self.assertEqual(airports, KEPT)
                moved = [l["airports_moved"] for l in lost if l["worker"] == 2]
                self.assertGreaterEqual(sum(moved), 2)  # it had four, and gave two results
                self.assertGreaterEqual(twice.count(2), 2)

    def test_another_worker_or_none_may_be_the_silent_one(self):
        airports, lost, twice = self.lines("--set", "search.silent=0")
        self.assertEqual(airports, KEPT)
        self.assertIn(0, [l["worker"] for l in lost])
        self.assertIn(0, twice)
        self.assertEqual(self.lines("--set", "search.silent=4")[0], KEPT)

    def test_who_is_given_up_while_at_work_goes_on(self):
        for workers in "1", "3":
            airports, lost, _ = self.lines("--set", "assign.silence_ns=1", "--workers", workers)
            self.assertEqual(airports, KEPT)
            self.assertTrue(lost)

    def test_what_is_kept_is_what_a_plain_loop_gives(self):
        rows = self.folder / "routes.csv"
        subprocess.run(["zstd", "-dq", APP / "airline-routes.csv.zst", "-o", rows], check=True)
        self.assertEqual(rows.read_text(), (SOURCE / "examples" / "pagerank" / "routes.csv").read_text())
        expected = expected_of(APP)
        self.assertEqual(sorted(json.dumps(line, separators=(",", ":")) for line in expected.compute(expected.read(rows))), KEPT)

    def test_a_chain_is_as_far_as_it_is_long(self):
        rows = self.write("chain.csv", "from,to\n" + "".join(f"{n},{n + 1}\n" for n in range(40)))
        airports = {a["airport"]: a for a in map(json.loads, self.lines("--input", rows)[0])}
        self.assertEqual(len(airports), 41)
        for n in range(41):
            left = 40 - n
            self.assertEqual(airports[n], {"airport": n, "reached": left, "farthest": left, "flights": left * (left + 1) // 2})

    def test_a_row_with_an_airport_that_is_none_is_a_dead_letter(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("rows.csv", "from,to\n0,512\n512,0\n1,0\n"))
        self.assertEqual(len(done.stdout.splitlines()), 2)
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(1, "no_airport"), (2, "no_airport")])


if __name__ == "__main__":
    rk_command.main()
