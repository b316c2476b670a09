#!/usr/bin/python3
"""The ranks of examples/pagerank equal a reference in double precision, and are the same by any number of parts."""
import json
import shutil
import subprocess
import sys
import unittest

import rk_command
from rk_command import SOURCE, Case

APP = SOURCE / "examples" / "pagerank"
sys.path.insert(0, str(APP))
import reference


def by_vertex(printed):
    lines = printed.decode().splitlines()
    return sorted(lines, key=lambda line: json.loads(line)["node"])


class PageRank(Case):
    def check(self, edges, *arguments):
        """Runs the app on edges; its ranks are the reference's."""
        rows = "from,to\n" + "".join("%d,%d\n" % edge for edge in edges)
        done = self.run_app(APP / "app.yaml", "--input", self.write("edges.csv", rows), *arguments)
        rows, ranks = list(map(json.loads, by_vertex(done.stdout))), reference.compute(edges)
        self.assertEqual([row["node"] for row in rows], list(range(len(ranks))))
        for row, rank in zip(rows, ranks):
            self.assertAlmostEqual(row["rank_billionths"] / 1e9, rank, delta=1e-5)
        self.assertTrue(done.summary["balanced"])
        self.assertEqual(done.letters, [])
        return rows

    def test_the_airports_have_the_kept_ranks_by_any_number_of_parts(self):
        kept = (APP / "expected" / "ranks.ndjson").read_text().splitlines()
        for arguments in ((), ("--set", "rank.shards=1"), ("--set", "rank.shards=7"), ("--workers", "3")):
            done = self.run_rk("run", APP / "app.yaml", *arguments)
            self.assertEqual(by_vertex(done.stdout), kept)

    def test_the_airports_have_the_ranks_of_the_reference(self):
        rows = self.check(reference.read_edges(APP / "routes.csv"))
        self.assertEqual(len({row["steps"] for row in rows}), 1)

    def test_the_small_graph_has_its_known_ranks(self):
        rows = self.check([(0, 1), (0, 2), (1, 2), (2, 0), (3, 0), (3, 1), (3, 2)])
        for row, known in zip(rows, (1.492990, 0.827021, 1.529989, 0.150000)):
            self.assertAlmostEqual(row["rank_billionths"] / 1e9, known, delta=1e-5)

    def test_a_vertex_that_nobody_names_has_the_least_rank(self):
        self.check([(0, 1), (1, 0), (5, 0)])

    def test_more_shares_than_a_message_holds(self):
        self.check([(v, (v * 7 + k) % 100) for v in range(100) for k in range(60)], "--set", "rank.shards=3")

    def test_a_refused_edge_leaves_no_ranks(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("edges.csv", "from,to\n0,1\n1,0\n0,4000000\n"))
        self.assertEqual(done.stdout, b"")
        self.assertIn("too_many_vertices", [letter["reason"] for letter in done.letters])
        self.assertIn("incomplete", [letter["reason"] for letter in done.letters])

    def test_one_edge_too_many_leaves_no_ranks(self):
        rows = self.write("edges.csv", "from,to\n1,0\n" + "0,1\n" * (1 << 17))
        done = self.run_app(APP / "app.yaml", "--input", rows, "--set", "rank.shards=1")
        self.assertEqual(done.stdout, b"")
        self.assertEqual([letter["reason"] for letter in done.letters], ["too_many_edges", "incomplete"])

    def test_a_graph_without_edges_has_no_ranks(self):
        done = self.run_app(APP / "app.yaml", "--input", self.write("edges.csv", "from,to\n"))
        self.assertEqual((done.stdout, done.letters), (b"", []))

    @unittest.skipIf(rk_command.SANITIZERS, "the airports' ranks come from the same kernels, in a hundredth of the time")
    def test_debians_packages_have_the_ranks_of_the_reference(self):
        known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, check=False) if shutil.which("apt-cache") else None
        if known is None or len(known.stdout.split()) < 10000:
            self.skipTest("apt knows no packages here: apt-get update")
        done = subprocess.run([APP / "packages.py", rk_command.RK, self.folder], env=rk_command.environment(),
                              capture_output=True, text=True, timeout=120 * rk_command.SLOW, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^\d{5,} packages, \d{5,} dependencies\n")
        self.assertRegex(done.stdout, r"\nfarthest apart: .*[0-9.]+e-0[67] from reference\.py")
        self.assertTrue(json.loads((self.folder / "summary.json").read_text())["balanced"])

    def test_edges_between_names_get_the_numbers_of_the_kept_routes(self):
        airports = (APP / "airports.txt").read_text().splitlines()
        rows = ["%s,%s,1\n" % (airports[start], airports[end]) for start, end in reference.read_edges(APP / "routes.csv")]
        named = self.write("named.csv", "origin,destination,count\n" + "".join(rows + rows[:100]))
        numbered, names = self.folder / "routes.csv", self.folder / "airports.txt"
        subprocess.run([sys.executable, APP / "number.py", named, numbered, names], check=True)
        self.assertEqual(numbered.read_bytes(), (APP / "routes.csv").read_bytes())
        self.assertEqual(names.read_bytes(), (APP / "airports.txt").read_bytes())

    def test_the_readme_shows_the_highest(self):
        ranks = (APP / "expected" / "ranks.ndjson").read_bytes()
        shown = subprocess.run([sys.executable, APP / "top.py", APP / "airports.txt", "5"], input=ranks,
                               stdout=subprocess.PIPE, check=True).stdout.decode()
        self.assertIn(shown, (APP / "README.md").read_text())


if __name__ == "__main__":
    rk_command.main()
