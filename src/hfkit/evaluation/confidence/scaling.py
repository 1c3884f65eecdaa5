"""Scaling: logits made into probabilities that are as often right as they say. The likeliest label stays.

A temperature divides the logits of a row (Guo et al. 2017, https://arxiv.org/abs/1706.04599); of several labels each
has its own, or a line of its own (Platt 1999). Isotonic regression (Zadrozny and Elkan 2002) is of the likeliest
label's probability alone: the others share what is left as they did, and none of them overtakes it.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax, softmax

Calibration = Mapping[str, Any]

ISOTONIC_ROWS = 1000
"""Fewer make steps of a few rows each, which say more of these rows than of others."""

LEAST = 1e-12  # of a probability, where its logarithm is taken
OF_LABELS = 10  # rows with a label, and without it, from which it gets a line of its own


def logits_of(probabilities: np.ndarray, several: bool) -> np.ndarray:
    """(rows, labels) logits that make these probabilities: of classes up to a number a row, which changes nothing."""
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1)
    return np.log(kept) - np.log(np.clip(1 - kept, LEAST, 1)) if several else np.log(kept)


def methods(labels: np.ndarray) -> list[str]:
    """What these rows are enough for, the simplest first; `labels` are ids (rows,) or zeros and ones (rows, labels)."""
    if labels.ndim == 2:
        return ["none", "temperature", "platt"]
    return ["none", "temperature", *(["isotonic"] if len(labels) >= ISOTONIC_ROWS else [])]


def fitted(method: str, logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """A calibration by the log loss of these rows (isotonic: by squared error). As in Platt's, one more row is counted
    in which anything may be right, so that rows without a mistake do not make a model that is never wrong."""
    if method == "none":
        return {"method": method}
    if labels.ndim == 2:
        found = [_line(logits[:, k], labels[:, k], method == "platt") for k in range(labels.shape[1])]
        return {"method": method, "scale": [one[0] for one in found], "offset": [one[1] for one in found]}
    if method == "temperature":
        count, classes = logits.shape
        target = np.full(logits.shape, 1 / (count + 1) / classes)
        target[np.arange(count), labels] += count / (count + 1)
        loss = _minimum(lambda a: -(target * log_softmax(logits * np.exp(a[0]), axis=1)).sum(), 1)
        return {"method": method, "temperature": float(np.exp(-loss[0]))}
    from sklearn.isotonic import IsotonicRegression  # takes a second to import

    claimed = softmax(logits, axis=1).max(axis=1)
    steps = IsotonicRegression(y_min=0.5 / len(labels), y_max=1 - 0.5 / len(labels), out_of_bounds="clip")
    steps.fit(claimed, logits.argmax(axis=1) == labels)
    return {"method": method, "claimed": steps.X_thresholds_.tolist(), "right": steps.y_thresholds_.tolist()}


def _line(logits: np.ndarray, labels: np.ndarray, with_offset: bool) -> tuple[float, float]:
    """Scale and offset of one label's logits; of a label that is too rare, or too common, 1 and 0."""
    if min(labels.sum(), len(labels) - labels.sum()) < OF_LABELS:
        return 1.0, 0.0
    target = (labels.astype(np.float64) * len(labels) + 0.5) / (len(labels) + 1)

    def loss(a: np.ndarray) -> float:
        found = logits * np.exp(a[0]) + (a[1] if with_offset else 0.0)
        return float(-(target * log_expit(found) + (1 - target) * log_expit(-found)).sum())

    found = _minimum(loss, 2)
    return float(np.exp(found[0])), float(found[1]) if with_offset else 0.0


def _minimum(loss: Callable[[np.ndarray], float], size: int) -> np.ndarray:
    return np.asarray(minimize(loss, np.zeros(size), method="L-BFGS-B", bounds=[(-4, 4)] * size).x)


def scaled(calibration: Calibration, logits: np.ndarray, several: bool) -> np.ndarray:
    """(rows, labels) of probabilities."""
    method = calibration["method"]
    if several:
        lines = np.asarray(calibration.get("scale", 1.0)), np.asarray(calibration.get("offset", 0.0))
        return np.asarray(expit(logits * lines[0] + lines[1]))
    if method != "isotonic":
        return np.asarray(softmax(logits / calibration.get("temperature", 1.0), axis=1))
    found = softmax(logits, axis=1)
    best = logits.argmax(axis=1)[:, None]
    claimed = np.take_along_axis(found, best, axis=1)
    np.put_along_axis(found, best, 0, axis=1)
    left = np.maximum(1 - claimed, LEAST)
    second = found.max(axis=1, keepdims=True) / left
    # Where the second one would overtake it, both are as likely.
    right = np.maximum(np.interp(claimed, calibration["claimed"], calibration["right"]), second / (1 + second))
    found *= (1 - right) / left
    np.put_along_axis(found, best, right, axis=1)
    return found
