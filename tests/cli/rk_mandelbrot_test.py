#!/usr/bin/python3
"""examples/mandelbrot: each tile is drawn once and as a plain loop draws it, whoever has it in the end."""
import json

import rk_command
from rk_command import SOURCE, Case, expected_of

APP = SOURCE / "examples" / "mandelbrot"
KEPT = sorted((APP / "expected" / "result.ndjson").read_text().splitlines())
ROWS = (APP / "tiles.csv").read_text().splitlines()
SAMPLE = 13  # one of so many tiles is computed here


class Mandelbrot(Case):
    def lines(self, *arguments):
        done = self.run_app(APP / "app.yaml", *arguments)
        self.assertTrue(done.summary["balanced"])
        return sorted(done.stdout.decode().splitlines())

    def shares(self, *arguments):
        """The lines of the workers; those of the tiles must be what is kept."""
        lines = self.lines("--set", "draw.report=1", *arguments)
        shares = [json.loads(line) for line in lines if "worker" in line]
        self.assertEqual([share["worker"] for share in shares], [0, 1, 2, 3])
        return [line for line in lines if "worker" not in line], shares

    def test_every_tile_is_drawn_as_kept_by_any_number_of_workers(self):
        for arguments in ((), ("--workers", "1"), ("--workers", "3"), ("--set", "deal.stealing=0")):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.lines(*arguments), KEPT)

    def test_what_is_kept_is_what_a_plain_loop_gives(self):
        expected = expected_of(APP)
        kept = [json.loads(line) for line in KEPT]
        self.assertEqual(len({(tile["column"], tile["row"]) for tile in kept}), len(kept))
        for tile in kept[::SAMPLE]:
            self.assertEqual(tile, expected.tile(tile["column"], tile["row"]))

    def test_without_stealing_each_worker_has_what_it_was_dealt(self):
        tiles, shares = self.shares("--set", "deal.stealing=0")
        self.assertEqual(tiles, KEPT)
        self.assertEqual([share["tiles"] for share in shares], [128] * 4)
        self.assertGreater(shares[2]["worked"], 20 * shares[3]["worked"])

    def test_workers_that_were_dealt_nothing_take_from_the_one_that_has_all(self):
        heavy = [row for row in ROWS[1:] if row.endswith(",7")] * 8  # all are worker 1's
        rows = self.write("heavy.csv", "\n".join([ROWS[0], *heavy]) + "\n")
        tiles, shares = self.shares("--input", rows, "--workers", "3")
        self.assertEqual(tiles, sorted(line for line in KEPT if '"row":7,' in line for _ in range(8)))
        self.assertEqual(sum(share["tiles"] for share in shares), len(heavy))
        self.assertLess(shares[1]["tiles"], len(heavy))
        self.assertEqual(sum(share["worked"] for share in shares), sum(json.loads(line)["steps"] for line in tiles))

    def test_a_row_that_is_no_tile_is_a_dead_letter(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("tiles.csv", "column,row\n0,16\n32,0\n0,0\n"))
        self.assertEqual(len(done.stdout.splitlines()), 1)
        self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(1, "no_tile"), (2, "no_tile")])


if __name__ == "__main__":
    rk_command.main()
