#!/usr/bin/python3
"""Computes what the network must say, in plain Python and double precision, and compares.

    expected.py WEIGHTS.csv IMAGES.csv ANSWERS.csv

Each image is answered once, with the same digit, and logits that differ by 1e-4 at most. Prints every mistake; none: exit
status 0.
"""
import csv
import sys

HIDDEN, CLOSE = 32, 1e-4


def read(path):
    with open(path, encoding="ascii", newline="") as file:
        return [[float(field) for field in row] for row in list(csv.reader(file))[1:]]


def layer(weights, number, inputs):
    rows = sorted(row for row in weights if row[0] == number)
    return [bias + sum(w * x for w, x in zip(row, inputs)) for _, _, bias, *row in rows]


def logits_of(weights, pixels):
    hidden = [max(0.0, x) for x in layer(weights, 0, pixels)]
    return layer(weights, 1, hidden)


def mistakes_of(weights_path, images_path, answers_path):
    weights, images = read(weights_path), read(images_path)
    answers = read(answers_path)
    if sorted(row[0] for row in answers) != sorted(row[0] for row in images):
        return [f"{len(answers)} answers, not one for each of {len(images)} images"]
    said, mistakes = {row[0]: row[1:] for row in answers}, []
    for number, label, *pixels in images:
        label_said, digit, _, *logits = said[number]
        expected = logits_of(weights, pixels)
        if digit != expected.index(max(expected)):
            mistakes.append(f"image {number:.0f}: {digit:.0f}, not {expected.index(max(expected))}")
        if label_said != label:
            mistakes.append(f"image {number:.0f}: another label")
        farthest = max(abs(a - b) for a, b in zip(logits, expected))
        if not farthest <= CLOSE:
            mistakes.append(f"image {number:.0f}: a logit differs by {farthest:g}")
    return mistakes


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    mistakes = mistakes_of(*sys.argv[1:])
    print("\n".join(mistakes) if mistakes else "the same digits, and logits to 1e-4")
    sys.exit(1 if mistakes else 0)


if __name__ == "__main__":
    main()
