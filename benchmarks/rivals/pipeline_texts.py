"""`pipeline()` as its documentation shows it: a list of texts, one by one, or with the batch size that is given."""

import argparse
import csv
import json
import time

from transformers import pipeline


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--batch_size", type=int, default=1)
    options = parser.parse_args()
    with open(options.data, encoding="utf-8", newline="") as file:  # noqa: PTH123
        texts = [row["text"] for row in csv.DictReader(file)]
    classifier = pipeline("text-classification", model=options.model, device="cpu")
    classifier(texts[:1], truncation=True)
    began = time.perf_counter()
    answers = classifier(texts, truncation=True, batch_size=options.batch_size)
    seconds = time.perf_counter() - began
    print("\n" + json.dumps({"seconds": seconds, "rows": len(answers), "labels": [a["label"] for a in answers]}))


if __name__ == "__main__":
    main()
