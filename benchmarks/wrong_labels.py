"""Which labels are wrong? One label in twenty is turned on real data, and `hfkit labels` is asked to find them.

For each draw: how many of the first 100 rows are turned ones, the average precision of the ranking beside cleanlab's on
the same probabilities (where it is installed: pip install cleanlab), and whether the number that it gives with them
minus the number without holds those that were turned. Of data that are right by construction it has to hold 0.
"""

import random
import time
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.pairing import write

NAME = "wrong_labels"
TURNED = 0.05
DATA: dict[str, dict[str, Any]] = {
    "demo:imdb": {"max_train_samples": 4000, "max_eval_samples": 500, "max_test_samples": 500},
    "demo:chinese_reviews": {},
    "demo:digits": {},
}
SECONDS = 15  # for 5,000 texts, of one core


def made(rows: int, seed: int) -> Any:
    """Texts whose label is that of most of nine words in them, so that it is right, and often hard to tell."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    draw, texts, labels = random.Random(seed), [], []
    for _ in range(rows):
        many = sum(draw.random() < 0.5 for _ in range(9))
        words = [f"good{draw.randrange(100)}" for _ in range(many)] + [
            f"bad{draw.randrange(100)}" for _ in range(9 - many)
        ]
        words += [f"word{draw.randrange(2000)}" for _ in range(30)]
        draw.shuffle(words)
        texts.append(" ".join(words))
        labels.append(int(many > 4))
    columns = {"id": [f"row-{row}" for row in range(rows)], "text": texts, "label": labels}
    kinds = Features(id=Value("string"), text=Value("string"), label=ClassLabel(names=["bad", "good"]))
    return DatasetDict({"train": Dataset.from_dict(columns, features=kinds)})


def turned(data: Any, seed: int) -> tuple[Any, np.ndarray]:
    """The data with one label in twenty turned to another class, and those rows, counted over all splits."""
    from datasets import DatasetDict

    generator = np.random.default_rng(seed)
    labels = np.concatenate([np.asarray(rows["label"][:]) for rows in data.values()])
    classes = data["train"].features["label"].num_classes
    wrong = generator.permutation(len(labels))[: round(TURNED * len(labels))]
    labels[wrong] = (labels[wrong] + generator.integers(1, classes, len(wrong))) % classes
    parts, first = {}, 0
    for split, rows in data.items():
        own, first = labels[first : first + len(rows)].tolist(), first + len(rows)
        parts[split] = rows.remove_columns("label").add_column("label", own, feature=rows.features["label"])
    return DatasetDict(parts), wrong


def average_precision(order: np.ndarray, wrong: np.ndarray) -> float:
    hit = np.isin(order, wrong)
    return float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())


def rival(found: Any, wrong: np.ndarray) -> dict[str, float]:
    """What cleanlab makes of the same probabilities: its best ranking, and its count."""
    if find_spec("cleanlab") is None:
        return {}
    from cleanlab.count import num_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels, best = np.asarray(found.rows["label"][:]), 0.0
    for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy"):
        scores = get_label_quality_scores(labels, found.probabilities, method=method)
        best = max(best, average_precision(np.argsort(scores, kind="stable"), wrong))
    return {"cleanlab_precision": best, "cleanlab_count": int(num_label_issues(labels, found.probabilities))}


def doubted(data: Any, seed: int = 0) -> tuple[Any, float]:
    """What `hfkit labels` finds, and the CPU seconds that it takes once data are loaded."""
    from hfkit.evaluation.wrong_labels.doubts import doubts
    from hfkit.tasks.discover import find

    spec = find("image-classification" if "image" in data["train"].column_names else "text-classification")
    began = time.process_time()
    found = doubts(data, spec, {"problem_type": "single_label_classification"}, seed=seed)
    return found, time.process_time() - began


def draw(data: Any, without: Any, seed: int) -> dict[str, Any]:
    """The figures of one draw."""
    given, wrong = turned(data, seed)
    found, seconds = doubted(given, seed)
    first = found.wrong.value - without.wrong.value
    down = np.hypot(found.wrong.value - found.wrong.low, without.wrong.high - without.wrong.value)
    up = np.hypot(found.wrong.high - found.wrong.value, without.wrong.value - without.wrong.low)
    return {
        "rows": len(found.rows),
        "turned": len(wrong),
        "first_100": float(np.isin(found.order[:100], wrong).mean()),
        "precision": average_precision(found.order, wrong),
        "count": list(map(round, found.wrong)),
        "difference": [round(first), round(first - down), round(first + up)],
        "holds": bool(first - down <= len(wrong) <= first + up),
        "seconds": seconds,
        **rival(found, wrong),
    }


def main(pairs: int = 3, quick: bool = False) -> bool:
    """Print the figures of each draw; within the limit when the first 100 are three quarters turned ones, the numbers
    hold and the ranking is at least cleanlab's."""
    import hfkit

    results: dict[str, Any] = {}
    right = [doubted(made(500 if quick else 5000, seed))[0].wrong for seed in range(1 if quick else pairs)]
    print(
        "right by construction:", *(f"{one.value:.0f} ({one.low:.0f} to {one.high:.0f})" for one in right), flush=True
    )
    within = all(one.low == 0 for one in right)
    for name, options in list(DATA.items())[2 if quick else 0 :]:
        data = hfkit.load_data(name, **options)
        without, seconds = doubted(data)
        print(
            f"{name} as it is: {list(map(round, without.wrong))} of {len(without.rows):,}, {seconds:.1f} s", flush=True
        )
        draws = [draw(data, without, seed) for seed in range(1, 2 if quick else pairs + 1)]
        for one in draws:
            print(" ", *(f"{key} {value}" for key, value in one.items()), sep="  ", flush=True)
        results[name] = {"as_it_is": list(map(round, without.wrong)), "draws": draws}
        within &= float(np.mean([one["first_100"] for one in draws])) >= 0.75 and all(one["holds"] for one in draws)
        within &= all(one["precision"] >= one.get("cleanlab_precision", 0) - 1e-9 for one in draws)
        within &= name != "demo:imdb" or max(one["seconds"] for one in draws) <= SECONDS
    if not quick:
        results["right_by_construction"] = [list(map(round, one)) for one in right]
        write(NAME, "Which labels are wrong?", results)
    return within
