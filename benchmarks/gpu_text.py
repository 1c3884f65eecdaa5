"""How fast does a BERT-base learn on a GPU? hfkit beside a Trainer with bf16 and dynamic padding.

The weights are random: what they say does not change what a step costs. Printed besides: the share of the GPU's bf16
rate that is used, and each side's peak memory.
"""

import statistics

from benchmarks import fresh, gpu, material
from benchmarks.pairing import report, summary
from benchmarks.train_text import ours, rival

NAME, LIMIT = "gpu_text", 1.5


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the ratio; within the limit when it is reached, or where there is no GPU to ask."""
    if gpu.there_is_none(NAME):
        return True
    data = material.reviews(512 if quick else 17_000, 32)
    model = material.bert_of("base")
    sides = [
        rival("tuned Trainer", data, model, "trainer_tuned"),
        ours(NAME, data, model, switches=material.SWITCHES[1:]),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "parameters")
    found = summary(fresh.pairs_of(turns, sides[0].name, "hfkit"))
    used = [gpu.utilisation(own["parameters"], own["tokens"], own["seconds"]) for own in (t["hfkit"] for t in turns)]
    found["utilisation"] = statistics.median(used) if None not in used else None
    found["peak_mib"] = {side.name: statistics.median(t[side.name]["gpu_mib"] for t in turns) for side in sides}
    print(f"hfkit uses {found['utilisation']} of the bf16 rate; peak memory in MiB: {found['peak_mib']}")
    ratio = f"{sides[0].name} / hfkit"
    return report(NAME, "How fast does a BERT-base learn on a GPU?", ratio, found, LIMIT, quick, turns)
