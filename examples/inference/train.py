#!/usr/bin/python3
"""Trains the network on scikit-learn's digits and writes weights.csv, and images.csv with those it hasn't seen.

    train.py FOLDER

Needed only to make these two files again: they are in the repository. (Debian: apt install python3-sklearn.) The digits are
the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, CC BY 4.0.
"""
import sys
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

PIXELS, HIDDEN, UNSEEN = 64, 32, 360


def write(path, head, rows):
    path.write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n", encoding="ascii")


def main():
    folder = Path(sys.argv[1])
    digits = load_digits()
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        digits.data, digits.target, test_size=UNSEEN, random_state=1, stratify=digits.target)
    network = MLPClassifier(hidden_layer_sizes=(HIDDEN,), alpha=0.1, max_iter=400, random_state=1).fit(seen, seen_labels)
    print(f"{network.score(unseen, unseen_labels):.3f} of {UNSEEN} images that it hasn't seen are read right")

    rows = []
    for layer, (weights, biases) in enumerate(zip(network.coefs_, network.intercepts_)):
        for row, bias in enumerate(biases):
            column = [*weights[:, row], *[0.0] * (PIXELS - len(weights))]
            rows.append([str(layer), str(row), f"{bias:.8f}", *[f"{weight:.8f}" for weight in column]])
    write(folder / "weights.csv", ["layer", "row", "bias", *[f"weight[{i}]" for i in range(PIXELS)]], rows)
    write(folder / "images.csv", ["number", "label", *[f"pixel[{i}]" for i in range(PIXELS)]],
          [[str(number), str(label), *[str(int(pixel)) for pixel in image]]
           for number, (image, label) in enumerate(zip(unseen, unseen_labels))])


if __name__ == "__main__":
    main()
