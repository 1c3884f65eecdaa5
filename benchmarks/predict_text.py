"""How fast are texts classified? `hfkit.pipeline` beside `transformers.pipeline`, one by one and in batches of 16.

The same trained model, the same reviews of up to 512 tokens. hfkit is measured as the command `hfkit predict`
starts it, with glibc told to keep its memory, which the ratios are of; as a plain call in somebody's program; and
where the extra is installed, with OpenVINO besides, whose seconds to take the model over are not counted. A label may
differ from float32's in one row of a thousand at most.
"""

import statistics
from importlib.util import find_spec

from benchmarks import fresh, material
from benchmarks.pairing import report, summary

NAME, OPENVINO = "predict_text", "hfkit with OpenVINO"
LIMITS = {"pipeline() one by one": 2.5, "pipeline() in batches of 16": 4.0}
CHANGED = 0.001


def changed(turn: fresh.Turn, one: str, other: str) -> float:
    """Share of the rows that two sides give different labels, of those that both have answered."""
    pairs = list(zip(turn[one]["labels"], turn[other]["labels"], strict=False))
    return sum(a != b for a, b in pairs) / len(pairs)


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print both ratios; within the limits when both are reached and the labels stay."""
    model = material.trained_run(quick) / "model"
    flags = material.spelt({"model": model, "data": material.reviews(32, 32 if quick else 320) / "test.csv"})
    one, sixteen = LIMITS
    sides = [
        fresh.Side(one, ["-m", "benchmarks.rivals.pipeline_texts", *flags]),
        fresh.Side(sixteen, ["-m", "benchmarks.rivals.pipeline_texts", *flags, "--batch_size", "16"]),
        fresh.Side("hfkit in a program", ["-m", "benchmarks.ours.predict", *flags]),
        fresh.Side("hfkit", ["-m", "benchmarks.ours.predict", *flags, "--keep_memory"]),
    ]
    if find_spec("openvino"):
        sides.append(fresh.Side(OPENVINO, [*sides[-1].command, "--backend", "openvino"]))
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows")
    share = statistics.fmean(changed(turn, one, "hfkit") for turn in turns)
    print(f"labels that differ from float32's one by one: {share:.2%}")
    within = [share <= CHANGED]
    for name, limit in LIMITS.items():
        found = summary(fresh.pairs_of(turns, name, "hfkit")) | {"labels_changed": share}
        found["in_a_program"] = summary(fresh.pairs_of(turns, name, "hfkit in a program"))
        if OPENVINO in turns[0]:
            found["openvino"] = summary(fresh.pairs_of(turns, name, OPENVINO))
            found["openvino"]["labels_changed"] = statistics.fmean(changed(turn, one, OPENVINO) for turn in turns)
            ratio, (low, high) = found["openvino"]["ratio"], found["openvino"]["ratio_interval"]
            print(f"{name} / {OPENVINO}: {ratio:.2f} ({low:.2f} to {high:.2f})")
        file = NAME if name == one else f"{NAME}_batches"
        within.append(report(file, f"How fast beside {name}?", f"{name} / hfkit", found, limit, quick, turns))
    return all(within)
