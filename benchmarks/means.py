"""What does each means for speed bring alone? `hfkit train` as it comes, and with one of them taken away.

A BERT learns film reviews of up to 256 tokens. The ratio is the time without the means over the time with it.
"""

from benchmarks import fresh, material
from benchmarks.pairing import FEWEST, summary, write
from benchmarks.train_text import ours

NAME = "means"
WITHOUT = {
    "bf16": {"mixed_precision": "no"},
    "no attention dropout": {"attention_dropout": 0.1},
    "like lengths together": {"train_sampling_strategy": "random"},
    "a fused optimizer": {"optim_args": '{"fused": false}'},
}
MEMORY = "freed memory kept"


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print a ratio for each; there is no limit to be within."""
    data, model = material.reviews(32 if quick else 64, 32), material.bert(quick)
    usual = ours(NAME, data, model)
    gives_back = fresh.Side(MEMORY, [*usual.command[:2], "--give_back", *usual.command[2:]])
    sides = [usual, gives_back]
    sides += [fresh.Side(name, ours(NAME, data, model, **knobs).command) for name, knobs in WITHOUT.items()]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "tokens")
    results = {}
    for name in (MEMORY, *WITHOUT):
        results[name] = found = summary(fresh.pairs_of(turns, name, usual.name))
        low, high = found["ratio_interval"]
        print(f"{name}: {found['first_seconds']:.1f} s without, {found['second_seconds']:.1f} s with it:", end=" ")
        print(f"{found['ratio']:.2f} ({low:.2f} to {high:.2f})")
    if not quick and pairs >= FEWEST:
        write(NAME, "What does each means for speed bring alone?", results | {"turns": turns})
    return True
