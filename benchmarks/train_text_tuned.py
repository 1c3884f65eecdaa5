"""How fast is hfkit beside a Trainer by someone who knows it, and beside that one under hfkit's memory settings?

The rival pads batch by batch, groups texts by length and computes in bf16. The second rival is the same file with
glibc told to keep its memory, by the environment: so the second ratio is what hfkit gains besides the allocator.
"""

from benchmarks import fresh, material
from benchmarks.pairing import report, summary
from benchmarks.train_text import ours, rival

NAME, LIMIT, LIMIT_MEMORY = "train_text_tuned", 2.5, 1.5
# What hfkit.base.hardware.keep_memory sets, in the words that glibc reads at the start of a process.
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(256 * 2**20)}


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print both ratios; within the limits when both are reached."""
    data, model = material.reviews(*(32, 32) if quick else (96, 64)), material.bert(quick)
    sides = [
        rival("tuned Trainer", data, model, "trainer_tuned", "--use_cpu"),
        rival("tuned Trainer that keeps memory", data, model, "trainer_tuned", "--use_cpu", **KEEP),
        ours(NAME, data, model),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "parameters", "test_rows")
    within = []
    for name, limit in ((sides[0].name, LIMIT), (sides[1].name, LIMIT_MEMORY)):
        found = summary(fresh.pairs_of(turns, name, "hfkit"))
        file = NAME if limit == LIMIT else f"{NAME}_memory"
        within.append(report(file, f"How fast beside a {name}?", f"{name} / hfkit", found, limit, quick, turns))
    return all(within)
