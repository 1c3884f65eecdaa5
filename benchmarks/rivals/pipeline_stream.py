"""`pipeline(KeyDataset(...))`, the documentation's way through a large data set, for some seconds."""

import argparse
import json
import time

from datasets import load_dataset
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--data")
    parser.add_argument("--for_seconds", type=float)
    options = parser.parse_args()
    dataset = load_dataset("csv", data_files=options.data, split="train")
    classifier = pipeline("text-classification", model=options.model, device="cpu")
    labels, seconds = [], 0.0
    began = time.perf_counter()
    for answer in classifier(KeyDataset(dataset, "text"), truncation=True, batch_size=16):
        labels.append(answer["label"])
        seconds = time.perf_counter() - began
        if seconds > options.for_seconds:
            break
    found = {"seconds": 1000 * seconds / len(labels), "rows": len(labels), "labels": labels[:1000]}
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main()
