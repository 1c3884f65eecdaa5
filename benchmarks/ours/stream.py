"""`hfkit.pipeline` on a generator of texts, for some seconds, begun as the command `hfkit predict` begins."""

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
    parser.add_argument("--for_seconds", type=float)
    options = parser.parse_args()
    hardware.keep_memory(use_cpu=True)
    hardware.forget_kernels()
    import hfkit

    classify = hfkit.pipeline(options.model, device="cpu")
    labels, seconds = [], 0.0
    with options.data.open(encoding="utf-8", newline="") as file:
        began = time.perf_counter()
        for answer in classify(row["text"] for row in csv.DictReader(file)):
            labels.append(answer["label"])
            # Answers come in chunks: only between two of them is the time that of the rows so far.
            if len(labels) % classify.chunk == 0:
                seconds = time.perf_counter() - began
                if seconds > options.for_seconds:
                    break
        else:
            seconds = time.perf_counter() - began
    found = {"seconds": 1000 * seconds / len(labels), "rows": len(labels), "labels": labels[:1000]}
    print("\n" + json.dumps(found))
