"""What do two processes bring? `hfkit train` on one core, and as two processes with a core each.

Both make the same updates of 16 rows: the two take 8 of them each. Each process is held to its core, so that a process
alone cannot use the second one. Besides, two that have nothing to do with each other learn half of the rows each, in
updates of 8: cores share memory and caches, and what the machine gives to these two is the most there is to reach.
"""

import os

from benchmarks import fresh, material
from benchmarks.pairing import report, summary
from benchmarks.train_text import ours

NAME, LIMIT = "scaling", 1.8
LAUNCHED = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "benchmarks.ours.train", "--cores"]


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the ratio; within the limit when it is reached."""
    cores = [str(core) for core in sorted(os.sched_getaffinity(0))[:2]]
    if len(cores) < 2:
        print(f"{NAME}: this needs two cores, and there is one.")
        return False
    data, model = material.reviews(32 if quick else 160, 32), material.bert(quick)
    flags = ours(NAME, data, model, per_device_train_batch_size=16).command[2:]
    halves = ours(f"{NAME}-two", data, model, per_device_train_batch_size=8).command[2:]
    half = [str(part) for part in material.halves(data)]
    knobs = ours(NAME, data, model, per_device_train_batch_size=8).command[2:]
    one, two, strangers = "one process", "two processes", "two strangers"
    sides = [
        fresh.Side(one, ["-m", "benchmarks.ours.train", "--cores", cores[0], *flags]),
        fresh.Side(strangers, ["-m", "benchmarks.ours.strangers", ",".join(cores), *half, *knobs]),
        fresh.Side(two, [*LAUNCHED, ",".join(cores), *halves], {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work([{side: turn[side] for side in (one, two)} for turn in turns], "rows", "updates", "tokens")
    found = summary(fresh.pairs_of(turns, one, two))
    found["most"] = most = summary(fresh.pairs_of(turns, one, strangers))
    low, high = most["ratio_interval"]
    print(f"{one} / {strangers}: {most['ratio']:.2f} ({low:.2f} to {high:.2f}), the most that this machine gives")
    return report(NAME, "What do two processes bring?", f"{one} / {two}", found, LIMIT, quick, turns)
