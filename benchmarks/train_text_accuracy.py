"""Does a BERT learn film reviews as well with hfkit as with the tutorials' Trainer? Accuracies over seeds, paired.

What train_text makes fast (bf16, no dropout of attention's weights, texts of like length together, another generator
for dropout) must not cost accuracy. Both sides learn the same 3,000 sentences of reviews once for each seed, and their
models answer the same 4,000 others through `hfkit.pipeline`, whose labels are float32's for both. Sentences, because
half a point takes some twenty seeds, and whole reviews cost four times as much. Equal means that the 90 % interval of
the mean difference lies within half a point: over the seeds, as the test rows are the same.

Nothing is timed, so other work on the machine does no harm, and glibc keeps its memory on both sides.
"""

import csv
import statistics
from pathlib import Path

from benchmarks import fresh, material
from benchmarks.pairing import FEWEST, equivalent, write
from benchmarks.train_text import ours
from benchmarks.train_text_tuned import KEEP

NAME = "train_text_accuracy"
LENGTH, MARGIN = 64, 0.005
TUTORIAL = {"LABEL_0": "negative", "LABEL_1": "positive"}
"""What the tutorial's model calls its labels: they are in the alphabet's order."""


def right(answers: list[str], data: Path) -> float:
    """Share of the test rows that were given their label."""
    with (data / "test.csv").open(encoding="utf-8", newline="") as file:
        labels = [row["label"] for row in csv.DictReader(file)]
    return statistics.fmean(TUTORIAL.get(a, a) == b for a, b in zip(answers, labels, strict=True))


def main(pairs: int = 20, quick: bool = False) -> bool:
    """Print the mean difference; within the limit when it is shown to lie within half a point."""
    rows, test = (32, 32) if quick else (3000, 4000)
    model, data = material.bert(quick), material.reviews(rows, test, "demo:rotten_tomatoes", test_size=0.5)
    kept = fresh.WORK / "runs" / f"{NAME}-{{turn}}"
    flags = {"data": data, "model": model, "max_length": LENGTH, "seed": "{turn}", "output_dir": f"{kept}-trainer"}
    sides = [
        fresh.Side("Trainer", ["-m", "benchmarks.rivals.trainer_tutorial", "--save", *material.spelt(flags)], KEEP),
        ours(NAME, data, model, output_dir=kept, max_length=LENGTH, max_test_samples=32),
    ]
    trained = fresh.in_turns(NAME, sides, pairs, quick, warm_up=False)
    fresh.same_work(trained, "rows", "updates", "parameters")
    asked = [
        fresh.Side(
            name, ["-m", "benchmarks.ours.predict", *material.spelt({"model": folder, "data": data / "test.csv"})], KEEP
        )
        for name, folder in (("Trainer", f"{kept}-trainer"), ("hfkit", kept / "model"))
    ]
    answered = fresh.in_turns(f"{NAME}-answers", asked, pairs, quick, warm_up=False)
    accuracies = [(right(turn["hfkit"]["labels"], data), right(turn["Trainer"]["labels"], data)) for turn in answered]
    found = equivalent(accuracies, MARGIN)
    hfkit, trainer = (statistics.fmean(side) for side in zip(*accuracies, strict=True))
    print(f"accuracy over {len(accuracies)} seeds: hfkit {hfkit:.4f}, Trainer {trainer:.4f}", end=", ")
    between = "one seed" if found["interval_90"] is None else "{:+.4f} to {:+.4f}".format(*found["interval_90"])
    print(
        f"difference {found['difference']:+.4f} ({between}): {'' if found['equivalent'] else 'not '}shown to be equal"
    )
    if not quick and pairs >= FEWEST:
        results = {"hfkit": hfkit, "Trainer": trainer, "seeds": accuracies, "rows": rows, "test_rows": test} | found
        write(NAME, "Does a BERT learn film reviews as well with hfkit as with Trainer?", results)
    return bool(found["equivalent"])
