#!/usr/bin/python3
"""Nothing in an example needs a line that its README doesn't explain: each name of the library that its sources use, each
attribute and each key of its app file stands in the README, or on a page that the README links to: of the book, or the one on what examples share."""
import os
import pathlib
import re
import unittest

EXAMPLES = pathlib.Path(os.environ.get("RK_SOURCE_DIR", pathlib.Path(__file__).resolve().parents[1])) / "examples"


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)


def names_in(path):
    """Names of the library, and attributes of kernels as '.name'."""
    text = without_comments(path.read_text())
    found = set(re.findall(r"\b(?:rk|RK)_[A-Za-z0-9_]+", text))
    if ".rk." in path.name:
        for call in re.findall(r"\bRK_(?:BATCH_HANDLER|HANDLER|SPMD_KERNEL)\((.*?)\)\s*\{", text, re.DOTALL):
            found |= set(re.findall(r"\.(\w+) =", call))
    return found


def keys_of(path):
    """Of an app file: keys, but for the names of kernels and what stands in 'params'."""
    text = re.sub(r"#[^\n]*", "", path.read_text())
    kernels = set(re.findall(r"^  (\w+):", text, re.MULTILINE))
    values = {name for given in re.findall(r"params: \{(.*?)\}", text) for name in re.findall(r"(\w+):", given)}
    return set(re.findall(r"(\w+):", text)) - kernels - values


def used_by(example):
    used = set()
    for path in example.glob("*.[ch]"):
        used |= names_in(path)
        if '"host.h"' in path.read_text():
            used |= names_in(EXAMPLES / "host.h")
    if (example / "app.yaml").exists():
        used |= keys_of(example / "app.yaml")
    return used


def explained_by(readme):
    linked = re.findall(r"\]\(((?:\.\./README|\.\./\.\./docs/[\w-]+)\.md)", readme.read_text())
    pages = [readme] + [readme.parent / page for page in linked]
    return set(re.findall(r"\w+", "\n".join(page.read_text() for page in pages)))


class Examples(unittest.TestCase):
    def test_every_name_is_explained(self):
        examples = sorted(path.parent for path in EXAMPLES.glob("*/README.md"))
        self.assertGreaterEqual(len(examples), 11)
        for example in examples:
            with self.subTest(example.name):
                self.assertGreater(len(used_by(example)), 20)
                self.assertEqual(sorted(used_by(example) - explained_by(example / "README.md")), [])

    def test_a_name_that_stands_nowhere_is_found(self):
        self.assertIn("RK_HANDLER", used_by(EXAMPLES / "flight-delays"))
        self.assertIn("max_batch", used_by(EXAMPLES / "flight-delays"))
        self.assertIn("routes", used_by(EXAMPLES / "flight-delays"))
        self.assertNotIn("rk_never_heard_of", explained_by(EXAMPLES / "flight-delays/README.md"))


if __name__ == "__main__":
    unittest.main()
