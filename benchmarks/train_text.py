"""How fast does a BERT learn film reviews? hfkit beside the tutorials' Trainer, each as it comes.

The same reviews, the same number of updates, the same learning rate. The rival pads every text to 256 tokens and
computes in float32; hfkit is `hfkit train` without a flag for speed. Only training counts, not the start. Whether the
models are equally good is a question of its own, which takes more rows: train_text_accuracy.
"""

from pathlib import Path
from typing import Any

from benchmarks import fresh, material
from benchmarks.pairing import report, summary

NAME, LIMIT = "train_text", 5.0
LENGTH = 256


def ours(name: str, data: Path, model: Any, switches: list[str] = material.SWITCHES, **flags: Any) -> fresh.Side:
    """`hfkit train` on a folder of reviews."""
    given = {"dataset": data, "model": model, "max_length": LENGTH, "learning_rate": 1e-4}
    given |= {"num_train_epochs": 1, "eval_strategy": "no", "save_strategy": "no", "seed": "{turn}"}
    given |= {"output_dir": fresh.WORK / "runs" / name} | flags
    return fresh.Side("hfkit", ["-m", "benchmarks.ours.train", *switches, *material.spelt(given)])


def rival(name: str, data: Path, model: Any, file: str, *more: str, **environment: str) -> fresh.Side:
    """A Trainer on the same files."""
    given = {"data": data, "model": model, "max_length": LENGTH, "seed": "{turn}"}
    given |= {"output_dir": fresh.WORK / "runs" / file}
    return fresh.Side(name, ["-m", f"benchmarks.rivals.{file}", *more, *material.spelt(given)], environment)


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the ratio; within the limit when it is reached."""
    data, model = material.reviews(*(32, 32) if quick else (192, 64)), material.bert(quick)
    sides = [rival("Trainer", data, model, "trainer_tutorial"), ours(NAME, data, model)]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "parameters", "test_rows")
    found = summary(fresh.pairs_of(turns, "Trainer", "hfkit"))
    return report(NAME, "How fast does a BERT learn film reviews?", "Trainer / hfkit", found, LIMIT, quick, turns)
