#!/usr/bin/python3
"""examples/life: strips that wait for each other at a barrier give the board that a set of cells gives, whenever the census withdraws."""
import json
import random

import rk_command
from rk_command import SOURCE, Case, expected_of

APP = SOURCE / "examples" / "life"
KEPT = sorted((APP / "expected" / "result.ndjson").read_text().splitlines())


EXPECTED = expected_of(APP)
CELLS = EXPECTED.read(APP / "cells.csv")


def lines_of(cells, **how):
    return sorted(json.dumps(line, separators=(",", ":")) for line in EXPECTED.compute(cells, **how))


class Life(Case):
    def lines(self, *arguments):
        done = self.run_app(APP / "app.yaml", *arguments)
        self.assertTrue(done.summary["balanced"])
        self.assertEqual(done.letters, [])
        return done.stdout.decode().splitlines()

    def test_the_board_is_the_kept_one_by_any_number_of_workers(self):
        for arguments in ((), ("--workers", "1"), ("--workers", "3")):
            with self.subTest(arguments=arguments):
                lines = self.lines(*arguments)
                self.assertEqual(sorted(lines), KEPT)
                generations = [line["generation"] for line in map(json.loads, lines) if "alive" in line]
                self.assertEqual(generations, list(range(101)))

    def test_without_dead_letters_answers_find_the_strip_that_called_as_well(self):
        self.assertEqual(sorted(self.run_rk("run", APP / "app.yaml").stdout.decode().splitlines()), KEPT)

    def test_what_is_kept_is_what_a_set_of_cells_gives(self):
        self.assertEqual(lines_of(CELLS), KEPT)

    def test_the_census_withdraws_at_any_time_or_not_at_all(self):
        for until in (0, 1, 36, 37, 1000):
            with self.subTest(until=until):
                got = self.lines("--set", f"census.until={until}", "--set", "strip.generations=37", "--workers", "3")
                self.assertEqual(sorted(got), lines_of(CELLS, generations=37, until=until))

    def test_a_board_full_of_cells_crosses_every_border(self):
        dice = random.Random(5)
        cells = {(dice.randrange(64), dice.randrange(64)) for _ in range(1500)}
        rows = self.write("many.csv", "column,row\n" + "".join("%d,%d\n" % cell for cell in sorted(cells)))
        got = self.lines("--input", rows, "--set", "strip.generations=60", "--set", "census.until=20", "--workers", "3")
        self.assertEqual(sorted(got), lines_of(cells, generations=60, until=20))

    def test_where_nothing_lives_nothing_comes_to_life(self):
        self.assertEqual(sorted(self.lines("--input", self.write("none.csv", "column,row\n"))), lines_of(set()))

    def test_a_row_that_is_no_cell_is_a_dead_letter(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("cells.csv", "column,row\n64,0\n0,64\n0,0\n"))
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(1, "no_cell"), (2, "no_cell")])
        self.assertIn('{"generation":0,"alive":1}', done.stdout.decode().splitlines())


if __name__ == "__main__":
    rk_command.main()
