"""How fast does an LSTM learn film reviews? `baseline:bilstm` beside the tutorials' loop, which pads to max_length.

Both have one bidirectional layer of 128 on 128-dimensional embeddings of 20,000 entries, see the same reviews and make
the same number of updates. hfkit's reads mean, maximum and last state, the tutorials' the last state alone, after the
padding; so hfkit's may be better, and must not be worse by more than two points, interval included.
"""

from benchmarks import fresh, material
from benchmarks.pairing import equivalent, report, summary
from benchmarks.train_text import ours

NAME, LIMIT, MARGIN, EPOCHS = "lstm", 5.0, 0.02, 1


def main(pairs: int = 5, quick: bool = False) -> bool:
    """Print the ratio; within the limit when it is reached and hfkit's model is not worse."""
    data = material.reviews(*(32, 32) if quick else (1200, 400))
    flags = {"data": data, "max_length": 256, "epochs": EPOCHS, "seed": "{turn}"}
    knobs = {"per_device_train_batch_size": 32, "num_train_epochs": EPOCHS, "learning_rate": 2e-3}
    sides = [
        fresh.Side("a bare loop", ["-m", "benchmarks.rivals.lstm_loop", *material.spelt(flags)]),
        ours(NAME, data, "baseline:bilstm", **knobs),
    ]
    turns = fresh.in_turns(NAME, sides, pairs, quick)
    fresh.same_work(turns, "rows", "updates", "test_rows")
    for one, other in fresh.pairs_of(turns, sides[0].name, "hfkit", "parameters"):
        # The loop's 1,200 reviews have some words fewer than 20,000. Of a trial's texts there are far too few.
        if not quick and abs(one / other - 1) > 0.05:
            raise ValueError(f"the models are not of one size: {one:,} and {other:,} parameters")
    found = summary(fresh.pairs_of(turns, sides[0].name, "hfkit"))
    found["accuracy"] = equivalent(fresh.pairs_of(turns, "hfkit", sides[0].name, "accuracy"), MARGIN)
    ratio = f"{sides[0].name} / hfkit"
    reached = report(NAME, "How fast does an LSTM learn film reviews?", ratio, found, LIMIT, quick, turns)
    return reached and bool(found["accuracy"]["not_worse"])
