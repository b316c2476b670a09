#!/usr/bin/python3
"""What README.md says of how much is tested is what the build tests, and what documents link to is there."""
import os
import pathlib
import re
import unittest

SOURCE = pathlib.Path(os.environ.get("RK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[2]))
NUMBERS = "no one two three four five six seven eight nine ten".split()


def anchors(path):
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class Claims(unittest.TestCase):
    def setUp(self):
        self.readme = (SOURCE / "README.md").read_text()
        self.tests = (SOURCE / "cmake" / "Tests.cmake").read_text()

    def suites(self, name):
        """Those of the loop in which ctest tests of that name are made."""
        return re.search(r"foreach\(suite ([\w\s]*)\)\s*set\(name %s_\$\{suite\}\)" % name, self.tests).group(1).split()

    def test_as_many_suites_as_it_says_run_on_the_emulated_gpu(self):
        self.assertIn("and %d of the contract's %d suites and the stress on an emulated GPU"
                      % (len(self.suites("emulated")), len(list((SOURCE / "tests" / "contract").glob("*_test.c")))), self.readme)
        self.assertIn("add_test(emulated_stress", self.tests)

    def test_as_many_suites_as_it_says_run_on_opencl(self):
        self.assertIn("PoCL on a CPU: %s suites of the contract and a job, in CI" % NUMBERS[len(self.suites("opencl"))], self.readme)
        self.assertTrue((SOURCE / "tests" / "cli" / "rk_opencl_test.py").exists())

    def test_the_sanitizers_see_the_variants_that_it_says(self):
        steps = re.findall(r"^step .*\btested (\w+) '([^']*)'", (SOURCE / ".ci" / "run").read_text(), re.MULTILINE)
        self.assertIn("with several workers under TSan, with one, three and stepped under ASan and UBSan", self.readme)
        self.assertEqual(steps, [("asan", "regions-1,fibers-3,step"), ("tsan", "regions-3"), ("tsan", "fibers-3")])

    def test_what_documents_link_to_is_there(self):
        for path in (*SOURCE.glob("*.md"), *SOURCE.glob("docs/*.md"), *SOURCE.glob("examples/*/README.md"), SOURCE / "tests" / "fuzz" / "README.md"):
            for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
                if "://" in link:
                    continue
                name, _, anchor = link.partition("#")
                target = path.parent / name if name else path
                self.assertTrue(target.exists(), f"{path}: {link}")
                if anchor:
                    self.assertIn(anchor, anchors(target), f"{path}: {link}")


if __name__ == "__main__":
    unittest.main()
