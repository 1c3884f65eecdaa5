"""Thresholds: which label is answered, where that is not the likeliest: by F1, or by what each mistake costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

CANDIDATES, ROUNDS = 200, 3


def decided(calibration: Mapping[str, Any], probabilities: np.ndarray, several: bool) -> np.ndarray | None:
    """The answers by the calibration's rule, ids (rows,) or zeros and ones (rows, labels); None where it has none."""
    if "costs" in calibration:
        return np.asarray((probabilities @ np.asarray(calibration["costs"])).argmin(axis=1))
    if "thresholds" not in calibration:
        return None
    at = np.asarray(calibration["thresholds"])
    return (probabilities >= at).astype(np.int8) if several else np.asarray((probabilities / at).argmax(axis=1))


def best_f1(probabilities: np.ndarray, labels: np.ndarray) -> list[float]:
    """A threshold for each label by which the mean of the labels' F1 is the best on these rows. Of several labels each
    is answered from its own on. Of classes the one is answered that is the most above its own; they add up to one, so
    that of two a threshold says from where on a class is answered."""
    if labels.ndim == 2:
        return [_best_cut(probabilities[:, k], labels[:, k]) for k in range(labels.shape[1])]
    count = probabilities.shape[1]
    found = np.full(count, 1 / count)
    for _ in range(1 if count == 2 else ROUNDS):
        for k in range(1, count):
            others = np.delete(probabilities / found, k, axis=1).max(axis=1)
            cuts = _cuts(probabilities[:, k] / np.maximum(others, 1e-12))
            cuts = np.append(cuts[cuts > 0], found[k])  # the last is how it was
            tried = [np.where(np.arange(count) == k, cut, found) for cut in cuts]
            values = [_macro_f1((probabilities / one).argmax(axis=1), labels, count) for one in tried]
            values[-1] += 1e-9
            found = tried[int(np.argmax(values))]
    return [float(one) for one in found / found.sum()]


def _best_cut(scores: np.ndarray, truth: np.ndarray) -> float:
    """Of one label; a half where no row has it."""
    cuts = np.append(_cuts(scores), 0.5)
    right = np.array([(scores[truth == 1] >= cut).sum() for cut in cuts])
    claimed = np.array([(scores >= cut).sum() for cut in cuts])
    values = 2 * right / np.maximum(claimed + truth.sum(), 1)
    values[-1] += 1e-9
    return float(cuts[int(np.argmax(values))])


def _cuts(scores: np.ndarray) -> np.ndarray:
    """Where a threshold may lie: between neighbours, some of them where there are many."""
    known = np.unique(scores)
    middles = (known[1:] + known[:-1]) / 2
    return middles[np.linspace(0, len(middles) - 1, min(len(middles), CANDIDATES)).astype(int)]


def _macro_f1(answers: np.ndarray, labels: np.ndarray, count: int) -> float:
    both = np.bincount(labels[answers == labels], minlength=count)
    sums = np.bincount(labels, minlength=count) + np.bincount(answers, minlength=count)
    return float((2 * both[sums > 0] / sums[sums > 0]).mean())


def of_costs(missed: Sequence[float], wrong: Sequence[float]) -> list[float]:
    """The thresholds of several labels, by what it costs to miss one and to answer one wrongly (Elkan 2001)."""
    return [at / (at + lost) if at + lost else 0.5 for lost, at in zip(missed, wrong, strict=True)]
