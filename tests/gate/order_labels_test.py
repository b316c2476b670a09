#!/usr/bin/python3
"""docs/memory-model.md and the source name the same pairs of orders: each label of one stands in the other, and what the table calls
by name is there."""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "memory-model.md").read_text()
LABEL = r"[A-Z][12345]"
# How a comment names one: alone, first, in parentheses, or with its partner.
IN_A_COMMENT = (rf"/\* ({LABEL})\b", rf"\(({LABEL})\)", rf"\b({LABEL}) pairs with", rf"pairs with ({LABEL})\b", rf"\b({LABEL}): ")


def sources():
    for folder in ("include", "src"):
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            if not path.stem.endswith(("_test", "_bench")):
                yield path


def labels_of(text):
    """Of the comments of a file."""
    comments = "\n".join(re.findall(r"/\*.*?\*/", text, re.DOTALL))
    return {label for pattern in IN_A_COMMENT for label in re.findall(pattern, comments)}


class OrderLabels(unittest.TestCase):
    def setUp(self):
        self.text = {path: path.read_text() for path in sources()}
        self.documented = set(re.findall(rf"\*\*({LABEL})\*\*", DOCUMENT))

    def test_labels_of_the_source_and_of_the_document_are_the_same(self):
        used = set().union(*(labels_of(text) for text in self.text.values()))
        self.assertEqual(sorted(self.documented - used), [], "only in docs/memory-model.md")
        self.assertEqual(sorted(used - self.documented), [], "only in the source")
        self.assertGreater(len(used), 20)

    def test_each_side_has_its_partner_in_the_same_row(self):
        rows = [re.findall(rf"\*\*({LABEL})\*\*", line) for line in DOCUMENT.splitlines() if line.startswith("|")]
        for label in self.documented:
            partners = [row for row in rows if label in row]
            self.assertEqual(len(partners), 1, label)
            self.assertEqual(len(partners[0]), 1 if label == "H1" else 2, label)  # H1's other side is any reader

    def test_functions_that_the_document_names_exist(self):
        everything = "\n".join(self.text.values())
        for name in sorted(set(re.findall(r"`(rk_\w+)`", DOCUMENT))):
            self.assertRegex(everything, rf"\b{name}\b", name)


if __name__ == "__main__":
    unittest.main()
