#!/usr/bin/python3
"""Nothing in an example needs a line that its README doesn't explain: each name of the library that its sources use, each
attribute and each key of its app file stands in the README, or on a page that the README links to: of the book, or the one on what examples share.
What an example names itself, its parameters, its reasons and the options that it sets, stands in its own README."""
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


def declared_by(example):
    """Parameters and reasons of its kernels, and options that it sets."""
    declared = set()
    for path in example.glob("*.[ch]"):
        text = without_comments(path.read_text())
        declared |= set(re.findall(r"\bRK_PARAM(?:_IN)?\(\s*\w+,\s*(\w+)", text))
        declared |= set(re.findall(r"\bRK_REASON\(\s*(\w+)", text))
        for options in set(re.findall(r"\brk_\w*options (\w+)\b", text)):
            declared |= set(re.findall(r"\b%s\.(\w+) =" % options, text))
    return declared


def missing_in(declared, readme):
    """Of these, what stands in no code of the README, nor is meant by a prefix in it: `too_many_*`."""
    code = " ".join(re.findall(r"^```.*?^```|`[^`\n]+`", readme, re.MULTILINE | re.DOTALL))
    prefixes = tuple(re.findall(r"`(\w+_)\*`", readme))
    return sorted(name for name in declared - set(re.findall(r"\w+", code)) if not name.startswith(prefixes))


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

    def test_every_parameter_reason_and_option_is_in_its_own_readme(self):
        for readme in EXAMPLES.glob("*/README.md"):
            with self.subTest(readme.parent.name):
                self.assertNotEqual(declared_by(readme.parent), set())
                self.assertEqual(missing_in(declared_by(readme.parent), readme.read_text()), [])

    def test_a_declaration_that_stands_nowhere_is_found(self):
        self.assertLessEqual({"most_steps", "damping", "too_many_parts", "target"}, declared_by(EXAMPLES / "pagerank"))
        self.assertLessEqual({"requests", "target", "id", "accounts"}, declared_by(EXAMPLES / "bank"))
        self.assertLessEqual({"shards", "max_batch"}, declared_by(EXAMPLES / "inference"))
        self.assertEqual(missing_in({"fall", "wind"}, "when pressures fall\n```\n--set wind=1\n```\n"), ["fall"])
        self.assertEqual(missing_in({"too_many_parts", "too_few"}, "the reasons `too_many_*`"), ["too_few"])


if __name__ == "__main__":
    unittest.main()
