#!/usr/bin/python3
"""scripts/gpu-check without a GPU: how it reads what a program of tests says, and goes on when one hangs or crashes."""
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(os.environ["RK_SOURCE_DIR"])
sys.path.insert(0, str(ROOT / "tests/gpu"))
sys.dont_write_bytecode = True
import gpu_check  # noqa: E402

# A program with these cases, which goes on behind the one that RK_CONTRACT_AFTER names.
PROGRAM = """#!/bin/bash
begin() { echo "[ RUN      ] $1 [cuda-step]"; }
end() { echo "[ $2 ] $1 [cuda-step]"; }
case ${RK_CONTRACT_AFTER:-} in
'') begin fine; end fine '      OK'
    begin wrong; echo "why it is wrong"; end wrong ' FAILED '
    begin refuses; end refuses ' SKIPPED'
    begin crashes; echo "its last words"; kill -SEGV $$;;
'crashes [cuda-step]') begin hangs; echo "before it hung"; sleep 60;;
'hangs [cuda-step]') begin last; end last '      OK'; echo; echo "refused: last [cuda-step]: not that";;
esac
"""


class ReadingPrograms(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        gpu_check.BUILD = self.folder

    def run_program(self, text, limit_s=2):
        program = self.folder / "program"
        program.write_text(text)
        program.chmod(0o755)
        return gpu_check.run_tests(gpu_check.Result("program", "cuda-step"), [program], limit_s)

    def test_every_case_is_counted_once_though_one_crashes_and_one_hangs(self):
        result = self.run_program(PROGRAM)
        self.assertEqual((result.passed, result.refused, result.failed, result.hung), (2, 1, 2, 1))
        said = {failure["case"].split(" ")[0]: failure["text"] for failure in result.failures}
        self.assertEqual(set(said), {"wrong", "crashes", "hangs"})
        self.assertIn("why it is wrong", said["wrong"])
        self.assertIn("its last words", said["crashes"])
        self.assertIn("before it hung", said["hangs"])
        self.assertEqual(result.notes, ["refused: last [cuda-step]: not that"])

    def test_a_program_that_fails_without_a_case_is_a_failure(self):
        result = self.run_program("#!/bin/bash\necho no such library\nexit 3\n")
        self.assertEqual((result.passed, result.failed), (0, 1))
        self.assertIn("no such library", result.failures[0]["text"])

    def test_a_program_that_crashes_for_ever_is_given_up(self):
        result = self.run_program("#!/bin/bash\necho '[ RUN      ] same [cuda-step]'\nkill -SEGV $$\n")
        self.assertEqual(result.failed, gpu_check.RESTARTS + 2)
        self.assertIn("given up", result.failures[-1]["text"])

    def test_what_a_program_of_one_case_says_stays_with_its_result(self):
        (self.folder / "tests").mkdir()
        program = self.folder / "tests/one"
        for status in (0, 3):
            program.write_text(f"#!/bin/bash\necho row $1\nexit {status}\n")
            program.chmod(0o755)
            result, work = gpu_check.program_job("one", 7)
            work(result)
            self.assertEqual((result.passed, result.failed), (status == 0, status != 0))
            self.assertEqual(result.notes, ["row 7"])

    def test_a_program_that_needs_more_time_goes_on_where_it_was(self):
        result = self.run_program("""#!/bin/bash
if [ -z "${RK_CONTRACT_AFTER:-}" ]; then
    echo '[ RUN      ] one [step]'; echo '[       OK ] one [step]'
    echo '[ RUN      ] two [step]'; sleep 60
elif [ "$RK_CONTRACT_AFTER" = 'one [step]' ]; then
    echo '[ RUN      ] two [step]'; echo '[       OK ] two [step]'
fi
""")
        self.assertEqual((result.passed, result.failed, result.hung), (2, 0, 0))


class Stopping(unittest.TestCase):
    def test_what_has_ended_when_it_is_stopped_is_kept_and_what_runs_is_killed(self):
        handler = signal.signal(signal.SIGTERM, gpu_check.stop)
        self.addCleanup(signal.signal, signal.SIGTERM, handler)
        self.addCleanup(gpu_check.programs.update, stopped=False)
        gpu_check.BUILD = self.enterContext(tempfile.TemporaryDirectory())
        ended, begun, begin = [], threading.Event(), time.monotonic()

        def hangs(result):
            begun.set()
            result.status, _ = gpu_check.run(["sleep", "60"], 60)
            return result

        def stops(result):
            begun.wait()
            while (not ended or not gpu_check.programs["running"]) and time.monotonic() - begin < 30:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGTERM)
            return result

        fast, slow, last = (gpu_check.Result(name, "unit") for name in ("fast", "slow", "last"))
        with self.assertRaises(gpu_check.Stopped):
            gpu_check.run_jobs([(fast, lambda result: result), (slow, hangs), (last, stops)], 3, ended, {})
        self.assertIn(fast, ended)
        self.assertNotIn(slow, ended)
        self.assertNotEqual(slow.status, 0)
        self.assertLess(time.monotonic() - begin, 30)


class ComparingApps(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        gpu_check.BUILD = self.folder
        (self.folder / "tests").mkdir()

    def run_app(self, app, lines, given):
        """Runs a program in an app's place on two backends; on the CPU the first of the lines come out."""
        program = self.folder / f"tests/app_{app}"
        program.write_text(f"""#!/bin/bash
if [ $1 = cpu ]; then printf '{lines[0]}' > $3; else printf '{lines[1]}' > $3; fi
: > $4
echo '3 rows: balanced'
""")
        program.chmod(0o755)
        jobs = [gpu_check.app_job(app, self.folder, backend, [given]) for backend in ("cpu", "cuda")]
        results = [work(result) for result, work in jobs]
        gpu_check.compare_app(app, self.folder, [given], results)
        return results

    def test_what_differs_from_the_cpu_and_from_what_is_expected_is_a_failure(self):
        given = gpu_check.app_inputs.Input("rows", self.folder, b"a\nb\n", b"")
        cpu, cuda = self.run_app("flight-delays", ("a\\nb\\n", "b\\na\\n"), given)
        self.assertEqual((cpu.passed, cpu.failed, cuda.failed), (3, 0, 1))
        self.assertEqual(cuda.failures, [{"case": "rows: result", "text": "differs from what is expected and the CPU's"}])

    def test_lines_that_may_come_in_any_order_are_compared_in_one(self):
        given = gpu_check.app_inputs.Input("rows", self.folder, b"a\nb\n", b"")
        self.assertEqual([result.failed for result in self.run_app("pagerank", ("a\\nb\\n", "b\\na\\n"), given)], [0, 0])
        self.assertEqual([result.failed for result in self.run_app("pagerank", ("a\\nb\\n", "b\\n"), given)], [0, 1])

    def test_an_example_that_has_a_program_is_run_by_its_own_tests(self):
        gpu_check.ROOT, root = self.folder, gpu_check.ROOT
        self.addCleanup(setattr, gpu_check, "ROOT", root)
        (self.folder / "examples/bank").mkdir(parents=True)
        for line, counts in (("pass", (1, 0)), ("self.fail(sys.argv)", (0, 1))):
            (self.folder / "examples/bank/bank_test.py").write_text(f"""import sys, unittest
sys.argv = [a for a in sys.argv if a not in ("--backend", "cuda")]
class Case(unittest.TestCase):
    def test_it(self): {line}
unittest.main()
""")
            result, work = gpu_check.example_job("bank", "cuda")
            work(result)
            self.assertEqual((result.passed, result.failed), counts, result.failures)


class FindingDevices(unittest.TestCase):
    def test_an_opencl_device_has_a_name_and_who_asks_for_another_is_told_which_there_are(self):
        first, why = gpu_check.find_opencl(0)
        if not first:
            self.skipTest(why)
        self.assertIn("Portable Computing Language", first)  # PoCL, from Debian's packages
        missing, why = gpu_check.find_opencl(99)
        self.assertIsNone(missing)
        self.assertIn(f"0 {first}", why)


if __name__ == "__main__":
    unittest.main()
