#!/usr/bin/python3
"""The job of examples/flight-delays equals an independent computation, byte for byte, however its rows come in."""
import pathlib
import random
import subprocess

import rk_command
from rk_command import JOB, Case
import expected

PACKED = JOB / "flights.csv.zst"


def damage(rows, some, chance):
    """The rows, with some of them wrong, or another number, at random."""
    lines = rows.split(b"\n")
    for _ in range(some):
        at = chance.randrange(1, len(lines) - 1)
        row = bytearray(lines[at])
        how = chance.randrange(6)
        if how == 0 and row:
            row[chance.randrange(len(row))] = chance.choice(b"\0-.,x 9\"\r\xff\xc3\t")
        elif how == 1:
            row.insert(chance.randrange(len(row) + 1), chance.choice(b"0123456789,-."))
        elif how == 2:
            del row[chance.randrange(len(row) + 1):]
        elif how == 3:
            row += b"\r"
        elif how == 4:
            fields = bytes(row).split(b",")
            fields[chance.randrange(len(fields))] = chance.choice(
                [b"9" * 40, b"-" + b"9" * 400, b"0", b"-1", b"10000", b"10001", b"2880", b"-2881", b"23.999", b"24", b"1e3", b""])
            row = bytearray(b",".join(fields))
        else:
            row = bytearray(b"9" * 30000 + b"," + bytes(row))
        lines[at] = bytes(row)
    return b"\n".join(lines)


class Job(Case):
    @classmethod
    def setUpClass(cls):
        cls.data = subprocess.run(["zstd", "-dcq", PACKED], stdout=subprocess.PIPE, check=True).stdout
        # A sanitizer sees all 200,000 rows once, as they are shipped, and some of them by every other way.
        cls.rows = cls.data[:cls.data.index(b"\n20000,") + 1] if rk_command.SANITIZERS else cls.data

    def same_lines(self, printed, computed):
        lines, wanted = printed.split(b"\n"), "".join(computed).encode().split(b"\n")
        for number, (line, want) in enumerate(zip(lines, wanted)):
            self.assertEqual(line, want, "line %d" % number)
        self.assertEqual(len(lines), len(wanted))

    def check(self, data, *arguments, window=10000, code=0, stdin=b""):
        """Runs the job and compares result, dead letters and account with the computation."""
        result, dead = expected.compute(data, window)
        done = self.run_app(JOB / "app.yaml", *arguments, stdin=stdin, code=code)
        self.same_lines(done.stdout, result)
        self.same_lines((self.folder / "letters.ndjson").read_bytes(), dead)
        rows = sum(1 for _ in expected.read_rows(data))
        summary = done.summary
        self.assertTrue(summary["balanced"])
        self.assertTrue(all(check["holds"] for check in summary["checks"]))
        self.assertEqual(summary["rows_read"], rows)
        self.assertEqual(summary["dead_letters"]["count"], len(dead))
        accepted = {kernel["name"]: kernel["account"]["accepted"] for kernel in summary["kernels"]}
        parse = summary["dead_letters"]["by_reason"].get("parse", 0)
        self.assertEqual(accepted, {"validate": rows - parse, "enrich": rows - len(dead), "aggregate": rows - len(dead)})
        self.assertEqual(summary["output"]["lines"], len(result))
        return done

    def test_plain_run_equals_the_kept_result(self):
        done = self.check(self.data)
        self.assertEqual(done.stdout, (JOB / "expected" / "result.ndjson").read_bytes())
        self.assertEqual(rk_command.without_stalls(done.errors), "")

    def test_plain_file(self):
        self.check(self.rows, "--input", self.write("flights.csv", self.rows))

    def test_standard_input(self):
        self.check(self.rows, "--input", "-", stdin=self.rows)

    def test_standard_input_compressed(self):
        packed = subprocess.run(["zstd", "-cq", self.write("flights.csv", self.rows)], stdout=subprocess.PIPE, check=True).stdout
        self.check(self.rows, "--input", "-", stdin=packed)

    def test_a_window_of_0_is_refused(self):
        done = self.run_rk("run", JOB / "app.yaml", "--set", "aggregate.window=0", code=rk_command.KERNEL)
        self.assertIn("--set: kernel 'aggregate': RK_INVALID_OPTIONS\n    parameter 'window' of kernel 'aggregate': '0' is not one of its values: 1 to 4294967295\n", done.errors)

    def test_windows_of_1(self):
        self.check(self.rows, "--set", "aggregate.window=1", "--input", "-", window=1, stdin=self.rows)

    def test_windows_of_7(self):
        self.check(self.rows, "--set", "aggregate.window=7", "--input", "-", window=7, stdin=self.rows)

    def test_a_window_larger_than_the_input(self):
        self.check(self.rows, "--set", "aggregate.window=300000", "--input", "-", window=300000, stdin=self.rows)

    def test_three_workers_and_small_queues(self):
        rows = b"\n".join(self.data.split(b"\n")[:10001]) + b"\n"
        part = self.folder / "part.csv"
        part.write_bytes(rows)
        self.check(rows, "--input", part, "--workers", "3", "--set", "validate.capacity=16", "--set", "enrich.capacity=32",
                   "--set", "aggregate.capacity=16", "--set", "aggregate.output_capacity=16")

    def test_the_damaged_sample(self):
        damaged = JOB / "damaged.csv"
        done = self.check(damaged.read_bytes(), "--input", damaged)
        self.assertEqual(done.stdout, (JOB / "expected" / "damaged-result.ndjson").read_bytes())
        self.assertEqual((self.folder / "letters.ndjson").read_bytes(),
                         (JOB / "expected" / "damaged-dead-letters.ndjson").read_bytes())

    def test_rows_damaged_at_random(self):
        data = damage(self.rows, self.rows.count(b"\n") // 10, random.Random(20261124))
        done = self.check(data, "--input", self.write("damaged.csv", data))
        self.assertEqual(set(done.summary["dead_letters"]["by_reason"]), {"parse", "distance", "delay", "hour"})

    def test_damaged_rows_count_in_no_window(self):
        few = self.data[:self.data.index(b"\n2000,") + 1]
        data = damage(few, 1000, random.Random(20261201))
        for window in (1, 7, 300000):
            done = self.check(data, "--set", "aggregate.window=%d" % window, "--input", "-", window=window, stdin=data)
            self.assertEqual(set(done.summary["dead_letters"]["by_reason"]), {"parse", "distance", "delay", "hour"})

    def test_a_row_of_the_longest_that_may_be_is_a_flight_and_one_byte_more_is_none(self):
        head, longest = b"seq,hour,distance_mi,delay_min\n", expected.LONGEST_ROW
        self.assertEqual(longest, 65943)
        rows = [b",2,300,5".rjust(size, b"9") for size in (65536, 65537, longest - 1, longest, longest + 1, 65536 + longest)]
        for ending in (b"\n", b"\r\n"):
            data = head + b"".join(row + ending for row in rows)
            done = self.check(data, "--input", "-", stdin=data)
            self.assertEqual([(letter["row"], letter["reason"]) for letter in done.letters], [(5, "parse"), (6, "parse")])

    def test_every_row_dead(self):
        data = b"seq,hour,distance_mi,delay_min\n" + b"".join(b"%d,1.5,0,3\n" % i for i in range(self.rows.count(b"\n") // 2))
        self.check(data, "--input", "-", stdin=data)

    def test_crlf_and_a_missing_last_newline(self):
        data = self.data[:2000].rsplit(b"\n", 1)[0]
        self.check(data, "--input", "-", stdin=data)
        crlf = data.replace(b"\n", b"\r\n")
        self.check(data, "--input", "-", stdin=crlf)

    def test_only_a_head(self):
        head = b"seq,hour,distance_mi,delay_min\n"
        self.check(head, "--input", "-", stdin=head)

    def test_columns_in_another_order(self):
        rows = [line.split(b",") for line in self.data[:5000].rsplit(b"\n", 1)[0].split(b"\n")]
        turned = b"\n".join(b",".join(reversed(row)) for row in rows)
        data = b"\n".join(b",".join(row) for row in rows)
        self.check(data, "--input", "-", stdin=turned)

    def test_rows_as_ndjson(self):
        data = self.data[:100000].rsplit(b"\n", 1)[0]
        rows = [expected.parse(row) for _, row in expected.read_rows(data)]
        text = "".join(expected.message_text(row) + "\n" for row in rows)
        self.check(data, "--input", self.write("flights.ndjson", text))

    def test_output_as_csv(self):
        path = self.folder / "result.csv"
        done = self.run_app(JOB / "app.yaml", "--output", path)
        self.assertEqual(done.stdout, b"")
        lines = path.read_text().splitlines()
        self.assertEqual(lines[0], "window,band,flights,late,delay_sum,delay_min,delay_max,delay_mean_milli")
        kept = (JOB / "expected" / "result.ndjson").read_text()
        self.assertEqual(len(lines) - 1, kept.count("\n"))
        self.assertEqual(lines[1], "0,0,2020,206,6872,-60,505,3401")

    def test_runs_twice_give_the_same_bytes(self):
        first = self.run_app(JOB / "app.yaml", "--input", JOB / "damaged.csv")
        second = self.run_app(JOB / "app.yaml", "--input", JOB / "damaged.csv")
        self.assertEqual((first.stdout, first.letters), (second.stdout, second.letters))


if __name__ == "__main__":
    rk_command.main()
