"""How does the memory of an evaluation grow with its rows? hfkit and Trainer.evaluate on N and on 10 N of them.

The figure is the most memory that a process ever held, which other work on the machine leaves alone.
"""

import statistics

from benchmarks import fresh, material
from benchmarks.pairing import FEWEST, interval, write

NAME, GROWTH = "evaluate_memory", 0.05


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print both growths; within the limit when hfkit's is."""
    rows = 64 if quick else 200
    run = material.trained_run(quick)
    sides = []
    for count in (rows, 10 * rows):
        file, kept = material.many_texts(count), fresh.WORK / f"evaluated-{count}"
        flags = material.spelt({"model": run / "model", "data": file, "output_dir": kept})
        sides.append(fresh.Side(f"Trainer {count}", ["-m", "benchmarks.rivals.trainer_evaluate", *flags]))
        flags = [str(run), *material.spelt({"dataset": file, "output": kept})]
        sides.append(fresh.Side(f"hfkit {count}", ["-m", "benchmarks.ours.evaluate", *flags]))
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    results = {}
    for who in ("Trainer", "hfkit"):
        some = fresh.pairs_of(turns, f"{who} {10 * rows}", f"{who} {rows}", "mib")
        growths = [more / less - 1 for more, less in some]
        results[who] = {"growth": statistics.median(growths), "growth_interval": interval(growths), "mib": some}
        low, high = results[who]["growth_interval"]
        print(
            f"{who}: from {rows:,} to {10 * rows:,} rows {statistics.median(growths):+.1%} ({low:+.1%} to {high:+.1%})"
        )
    for turn in turns:
        for count in (rows, 10 * rows):
            accuracies = [turn[f"{who} {count}"]["accuracy"] for who in ("Trainer", "hfkit")]
            if abs(accuracies[0] - accuracies[1]) > 2 / count:  # bf16 may turn a close label
                raise ValueError(f"the sides did not do the same work: accuracies of {accuracies} on {count} rows")
    if not quick and pairs >= FEWEST:
        write(NAME, "How does the memory of an evaluation grow with its rows?", results | {"limit": GROWTH})
    return bool(results["hfkit"]["growth"] < GROWTH)
