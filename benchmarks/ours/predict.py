"""`hfkit.pipeline` on a list of texts. `--keep_memory` begins as the command `hfkit predict` does."""

import argparse
import csv
import json
import time
from pathlib import Path

from hfkit.base import hardware

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep_memory", action="store_true")
    parser.add_argument("--backend", default="torch")
    options = parser.parse_args()
    if options.keep_memory:
        hardware.keep_memory(use_cpu=True)
    import hfkit

    with options.data.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    classify = hfkit.pipeline(options.model, device="cpu", backend=options.backend)
    classify(texts[:1])
    began = time.perf_counter()
    answers = classify(texts)
    seconds = time.perf_counter() - began
    print("\n" + json.dumps({"seconds": seconds, "rows": len(answers), "labels": [a["label"] for a in answers]}))
