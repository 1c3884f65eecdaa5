"""The cheapest rival of all, the majority class, and the label column as rivals learn it."""

import time
from collections.abc import Sequence

import numpy as np
from datasets import Dataset
from numpy.typing import ArrayLike

from hfkit.tasks.linear import Answer


def majority(train_labels: ArrayLike, rows: int, problem_type: str, classes: int | None = None) -> Answer:
    """Always the most frequent class (multi-label: each label that most rows have; regression: the mean)."""
    start, truth = time.perf_counter(), np.asarray(train_labels)
    if problem_type == "regression":
        return {"prediction": np.full(rows, truth.mean()), "seconds": time.perf_counter() - start}
    if problem_type == "multi_label_classification":
        shares = truth.mean(axis=0)
        prediction: np.ndarray = np.tile((shares > 0.5).astype(np.int64), (rows, 1))
    else:
        shares = np.bincount(truth, minlength=classes or 0) / len(truth)
        prediction = np.full(rows, shares.argmax())
    seconds = time.perf_counter() - start
    return {"prediction": prediction, "probabilities": np.tile(shares, (rows, 1)), "seconds": seconds}


def label_count(data: Dataset, problem_type: str, labels: Sequence[str] | None = None) -> int:
    """How many classes or labels an answer has columns for; 1 for regression."""
    return targets(data, problem_type, labels)[1]


def targets(data: Dataset, problem_type: str, labels: Sequence[str] | None = None) -> tuple[np.ndarray, int]:
    """The label column as (rows,) ids, (rows, labels) 0/1 or (rows,) numbers, ordered as `labels`; and their count.

    Labels are matched by name, without regard to case, never by position.
    """
    column = data["label"]
    if problem_type == "regression":
        return np.asarray(column, dtype=np.float64), 1
    feature = data.features["label"]
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names and labels:
        place = {str(name).casefold(): index for index, name in enumerate(labels)}
        order = np.array([place[str(name).casefold()] for name in names])
    else:
        largest = max((max(row, default=0) if isinstance(row, list) else row for row in column), default=0)
        order = np.arange(len(names) if names else int(largest) + 1)
    classes = len(labels or names or order)
    if problem_type == "multi_label_classification":
        table = np.zeros((len(data), classes), dtype=np.int64)
        for row, present in enumerate(column):
            table[row, order[np.asarray(present, dtype=int)]] = 1
        return table, classes
    return order[np.asarray(column, dtype=int)], classes
