#!/usr/bin/python3
"""scripts/setup decides what is missing and installs that alone. Beside the shell's own tools it finds here a package database, an
apt-get and a sudo that note their calls, and nothing of the system's."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(os.environ.get("RK_SOURCE_DIR", Path(__file__).resolve().parents[2]))
TOOLS = ("bash", "cat", "dirname", "env", "grep")

LIST = """# what a line says behind its first word is for the reader
[build]
compiler              # of C
builder

[test]
compiler
checker               # tests
checker-dev           # its name begins as another's does
spell-checker         # and this one's ends so
"""

# As dpkg-query has it: lines of those that it knows, and 1 if there is one that it doesn't.
DPKG_QUERY = """#!/bin/bash
[ "$1 $2" = '-W -f' ] || exit 2
shift 3
code=0
for package; do
    grep "^$package " "$DATABASE" || code=1
done
exit $code
"""
APT_GET = """#!/bin/bash
echo "apt-get $* (${DEBIAN_FRONTEND:-})" >> "$CALLS"
if [ "${FAILS:-}" = "$2" ]; then
    echo 'E: what apt-get says' >&2
    exit 100
fi
"""
SUDO = """#!/bin/bash
echo "sudo $1" >> "$CALLS"
exec "$@"
"""


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="rk-setup-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.bin, self.calls = self.folder / "bin", self.folder / "calls"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        (self.folder / "scripts").mkdir()
        shutil.copy(ROOT / "scripts" / "setup", self.folder / "scripts")
        (self.folder / "scripts" / "packages.txt").write_text(LIST)
        self.program("dpkg-query", DPKG_QUERY)
        self.program("apt-get", APT_GET)

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)

    def user(self, number):
        self.program("id", f"#!/bin/bash\necho {number}\n")

    def setup(self, *sections, installed, code=0, script=None, **environment):
        """Runs it. Installed are those names, or lines of the database; the result has also the calls that it made."""
        database = self.folder / "database"
        database.write_text("".join(f"{one if ' ' in one else one + ' installed'}\n" for one in installed))
        self.calls.write_text("")
        done = subprocess.run([script or self.folder / "scripts" / "setup", *sections], capture_output=True, text=True, check=False, timeout=60,
                              env={"PATH": str(self.bin), "DATABASE": str(database), "CALLS": str(self.calls), **environment})
        self.assertEqual(done.returncode, code, done.stderr)
        done.calls = self.calls.read_text().splitlines()
        return done

    def test_with_everything_present_it_calls_nothing_and_asks_for_no_root(self):
        # given neither apt-get nor sudo, and an `id` that would be noted
        (self.bin / "apt-get").unlink()
        self.program("id", '#!/bin/bash\necho "id $*" >> "$CALLS"\necho 1000\n')
        for sections in ((), ("build",), ("build", "test")):
            done = self.setup(*sections, installed=["compiler", "builder", "checker", "checker-dev", "spell-checker"])
            self.assertEqual((done.calls, done.stdout, done.stderr), ([], "", ""))

    def test_the_lists_own_names_are_looked_for(self):
        for section in ("build", "test", "bench", "fuzz"):
            asked = self.folder / "asked"
            self.program("dpkg-query", '#!/bin/bash\nshift 3\nfor p; do echo "$p" >> ' + str(asked) + '; echo "$p installed"; done\n')
            asked.write_text("")
            self.assertEqual(self.setup(section, installed=[], script=ROOT / "scripts" / "setup").calls, [])
            names = asked.read_text().splitlines()
            self.assertGreaterEqual(len(names), 2)
            self.assertEqual([name for name in names if not name[0].isalpha() or "#" in name], [])

    def test_two_that_are_missing_are_installed_after_one_update_and_no_others(self):
        # one unknown to the database; one removed, of which settings are left; and what begins or ends as that one does is there
        self.user(0)
        done = self.setup(installed=["compiler", "builder config-files", "checker-dev", "spell-checker"])
        self.assertEqual(done.calls, ["apt-get -q update (noninteractive)", "apt-get -q install -y --no-install-recommends builder checker (noninteractive)"])
        self.assertEqual(done.stdout, "scripts/setup: installing builder checker\n")

    def test_what_two_sections_have_is_installed_once(self):
        self.user(0)
        self.assertEqual(self.setup(installed=["builder", "checker", "checker-dev", "spell-checker"]).stdout, "scripts/setup: installing compiler\n")

    def test_what_is_missing_of_another_section_is_left_alone(self):
        self.user(0)
        self.assertEqual(self.setup("build", installed=["compiler", "builder"]).calls, [])
        self.assertEqual(self.setup("test", installed=["builder", "checker", "checker-dev", "spell-checker"]).calls[1:],
                         ["apt-get -q install -y --no-install-recommends compiler (noninteractive)"])

    def test_who_is_not_root_installs_by_sudo(self):
        self.user(1000)
        self.program("sudo", SUDO)
        self.assertEqual(self.setup(installed=["compiler", "builder", "checker", "spell-checker"]).calls,
                         ["sudo env", "apt-get -q update (noninteractive)",
                          "sudo env", "apt-get -q install -y --no-install-recommends checker-dev (noninteractive)"])

    def test_without_root_and_sudo_it_says_what_to_run_and_calls_nothing(self):
        self.user(1000)
        done = self.setup(installed=["compiler", "checker-dev", "spell-checker"], code=1)
        self.assertEqual(done.calls, [])
        self.assertIn("neither root nor sudo", done.stderr)
        self.assertIn("    apt-get update && apt-get install builder checker\n", done.stderr)

    def test_an_apt_get_that_fails_ends_it_with_what_failed_and_what_is_still_missing(self):
        self.user(0)
        for step, calls in (("update", 1), ("install", 2)):
            done = self.setup(installed=["compiler", "checker-dev", "spell-checker"], code=100, FAILS=step)
            self.assertEqual(len(done.calls), calls)
            self.assertIn("E: what apt-get says\n", done.stderr)
            self.assertRegex(done.stderr, rf"scripts/setup: apt-get {step} failed \(status 100\); these are still missing: builder checker\n$")

    def test_on_another_system_it_names_them_and_fails_nothing(self):
        (self.bin / "dpkg-query").unlink()
        done = self.setup(installed=[])
        self.assertEqual(done.calls, [])
        self.assertIn("not a Debian system; these must be there by other means: compiler builder checker checker-dev spell-checker\n", done.stderr)

    def test_a_section_that_is_not_there_is_refused(self):
        self.assertIn("no packages under 'tset'", self.setup("tset", installed=[], code=2).stderr)


if __name__ == "__main__":
    if sys.platform != "linux" or not all(shutil.which(tool) for tool in TOOLS):
        print("scripts/setup needs a shell and its tools: skipped")
        sys.exit(77)
    unittest.main()
