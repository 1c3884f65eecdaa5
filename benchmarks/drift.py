"""Is a monitor quiet where nothing changed, and awake where something did? Windows of reviews, of a model of films.

A bidirectional LSTM learns 3,000 reviews; 500 windows of others of the same kind count false alarms, alone and in
rows of ten looks; windows of 500 rows of six other kinds count how often they are seen. Nothing of it is timed.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import fresh
from benchmarks.pairing import write

NAME, ROWS = "drift", 500
LEARNT: dict[str, Any] = {
    "dataset": "demo:imdb", "model": "baseline:bilstm", "max_length": 128, "learning_rate": 2e-3, "num_train_epochs": 3,
    "max_train_samples": 3000, "max_eval_samples": 1000, "use_cpu": True, "disable_tqdm": True,
}  # fmt: skip


def typos(text: str, rng: random.Random, share: float = 0.2) -> str:
    """The text with two neighbouring letters swapped in a share of its words."""
    words = text.split(" ")
    for place, word in enumerate(words):
        if len(word) > 3 and rng.random() < share:
            at = rng.randrange(len(word) - 1)
            words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def main(pairs: int = 500, quick: bool = False) -> bool:
    """Print the shares; within the limit when alarms are as rare as asked for and a change is seen 9 times in 10."""
    import hfkit
    from hfkit.evaluation.drift.shift import look_alpha
    from hfkit.inference.monitor import window
    from hfkit.inference.monitor.look import look
    from hfkit.inference.monitor.monitor import _pieces

    windows, power, pool = (8, 4, 300) if quick else (pairs, 50, 4000)
    options = LEARNT | ({"max_train_samples": 300, "max_eval_samples": 100, "num_train_epochs": 1} if quick else {})
    config = hfkit.text_classification.Config(**options, output_dir=str(fresh.WORK / f"drift-run{'-quick' * quick}"))
    data = hfkit.load_data(config)
    run = hfkit.Run(config.output_dir) if (fresh.WORK / "drift-run").exists() and not quick else None
    run = run if run and run.finished else hfkit.train(config, data)
    names, known, pieces = run.info["task_settings"]["labels"], window.reference(run), _pieces(run, False)
    classify = hfkit.pipeline(run.path)
    tested = np.asarray(run.predictions()["label"]) == np.asarray(run.predictions()["prediction"])
    rng = np.random.default_rng(0)

    def answered(texts: list[str], truth: list[int]) -> window.Window:
        found = classify(texts)
        answer = np.array([names.index(one["label"]) for one in found])
        claimed = np.array([one["score"] for one in found])
        return window.Window(answer, claimed, np.array(truth), [text[:2000] for text in texts], np.arange(len(texts)))

    def drawn(kind: window.Window, rows: np.ndarray, labels: bool = False) -> window.Window:
        assert kind.texts and kind.truth is not None
        texts, truth = [kind.texts[row] for row in rows], kind.truth[rows] if labels else None
        return window.Window(kind.answer[rows], kind.claimed[rows], truth, texts, rows)

    def seen(kind: window.Window, count: int, rows: Callable[[], np.ndarray], labels: bool = False) -> Iterator[Any]:
        for number in range(count):
            made = drawn(kind, rows(), labels)
            yield look(known, made, names, look_alpha(0.05, number % 10 + 1), tested, pieces)

    test = data["test"].shuffle(seed=0).select(range(min(pool, len(data["test"]))))
    texts, truth = list(test["text"]), list(test["label"])
    same = answered(texts, truth)
    size = min(ROWS, len(texts) // 2)
    any_of = lambda kind: lambda: rng.choice(len(kind), size, replace=False)  # noqa: E731
    quiet = list(seen(same, windows, any_of(same)))
    right = same.answer == same.truth
    off = [abs(one["estimated_accuracy"]["value"] - right.mean()) for one in quiet]
    series = [any(one["drift"] for one in quiet[begin : begin + 10]) for begin in range(0, len(quiet), 10)]
    first = [one["drift"] for one in quiet[::10]]
    change = random.Random(0)
    other = hfkit.load_data("demo:rotten_tomatoes")["train"].select(range(size * 2))
    chinese = hfkit.load_data("demo:chinese_reviews")["train"].select(range(size * 2))
    few = same.truth == 1
    weights = np.where(few, 0.3 / few.sum(), 0.7 / (~few).sum())
    kinds = {
        "another domain": answered(list(other["text"]), list(other["label"])),
        "another language": answered(list(chinese["text"]), [0] * len(chinese)),
        "20 % typos": answered([typos(text, change) for text in texts[: size * 2]], truth[: size * 2]),
        "cut at 300 characters": answered([text[:300] for text in texts[: size * 2]], truth[: size * 2]),
    }
    found = {name: [one["drift"] for one in seen(kind, power, any_of(kind))] for name, kind in kinds.items()}
    share = list(seen(same, power, lambda: rng.choice(len(same), size, replace=False, p=weights)))
    found["30 % of a class, not 50"] = [one["drift"] for one in share]
    same.truth = 1 - np.asarray(same.truth)
    found["labels permuted"] = [one["drift"] for one in seen(same, power, any_of(same), labels=True)]
    results = {
        "false_alarms_first_look": float(np.mean(first)),
        "false_alarms_in_ten_looks": float(np.mean(series)),
        "alarms_of_all_windows": float(np.mean([one["drift"] for one in quiet])),
        "estimate_off_by": float(np.mean(off)),
        "seen": {name: float(np.mean(each)) for name, each in found.items()},
        "windows": windows,
    }
    print(results, flush=True)
    if not quick:
        write(NAME, "Is a monitor quiet where nothing changed, and awake where something did?", results)
    return quick or (max(results["false_alarms_in_ten_looks"], 0) <= 0.1 and min(results["seen"].values()) >= 0.9)
