"""Scaling: logits made into probabilities that are as often right as they say. The likeliest label stays.

A temperature divides the logits of a row (Guo et al. 2017, https://arxiv.org/abs/1706.04599); of several labels each
has its own, or a line of its own (Platt 1999). Of one label a row, a line and isotonic regression (Zadrozny and Elkan
2002) are of the likeliest one's probability alone: the others share what is left as they did, and none overtakes it.
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
OF_LABELS = 5  # rows with a label (or right), and without it, from which there is a line

PRIOR = np.array([2.0, 0.5])
"""Half of one over the variance that a scale's logarithm (a half, squared) and an offset (one) have before any row is
seen. So rows without a mistake do not make a model that is never wrong; of 500 rows it is hardly felt."""


def logits_of(probabilities: np.ndarray, several: bool) -> np.ndarray:
    """(rows, labels) logits that make these probabilities: of classes up to a number a row, which changes nothing."""
    kept = np.clip(np.asarray(probabilities, dtype=np.float64), LEAST, 1)
    return np.log(kept) - np.log(np.clip(1 - kept, LEAST, 1)) if several else np.log(kept)


def methods(labels: np.ndarray) -> list[str]:
    """What these rows are enough for, the simplest first; `labels` are ids (rows,) or zeros and ones (rows, labels)."""
    isotonic = labels.ndim == 1 and len(labels) >= ISOTONIC_ROWS
    return ["none", "temperature", "platt", *["isotonic"] * isotonic]


def fitted(method: str, logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """A calibration by the log loss of these rows; isotonic: by squared error."""
    if method == "none":
        return {"method": method}
    if labels.ndim == 2:
        found = [_line(logits[:, k], labels[:, k], method == "platt") for k in range(labels.shape[1])]
        return {"method": method, "scale": [one[0] for one in found], "offset": [one[1] for one in found]}
    if method == "temperature":
        rows = np.arange(len(labels))
        warmth = _minimum(lambda a: -log_softmax(logits * np.exp(a[0]), axis=1)[rows, labels].sum(), 1)
        return {"method": method, "temperature": float(np.exp(-warmth[0]))}
    claimed, right = softmax(logits, axis=1).max(axis=1), logits.argmax(axis=1) == labels
    if method == "platt":
        return {"method": method} | dict(zip(("scale", "offset"), _line(logits_of(claimed, True), right), strict=True))
    from sklearn.isotonic import IsotonicRegression  # takes a second to import

    steps = IsotonicRegression(y_min=0.5 / len(labels), y_max=1 - 0.5 / len(labels), out_of_bounds="clip")
    steps.fit(claimed, right)
    return {"method": method, "claimed": steps.X_thresholds_.tolist(), "right": steps.y_thresholds_.tolist()}


def _line(logits: np.ndarray, labels: np.ndarray, with_offset: bool = True) -> tuple[float, float]:
    """Scale and offset of one label's logits; of a label that is too rare, or too common, 1 and 0."""
    if min(labels.sum(), len(labels) - labels.sum()) < OF_LABELS:
        return 1.0, 0.0
    sign = np.where(labels, 1, -1)
    found = _minimum(lambda a: -log_expit(sign * (logits * np.exp(a[0]) + a[1:].sum())).sum(), 1 + with_offset)
    return float(np.exp(found[0])), float(found[1:].sum())


def _minimum(loss: Callable[[np.ndarray], float], size: int) -> np.ndarray:
    """The best logarithm of a scale, and offset, by a loss and the prior."""

    def whole(a: np.ndarray) -> float:
        return float(loss(a) + (PRIOR[:size] * a**2).sum())

    return np.asarray(minimize(whole, np.zeros(size), method="L-BFGS-B", bounds=[(-4, 4)] * size).x)


def scaled(calibration: Calibration, logits: np.ndarray, several: bool) -> np.ndarray:
    """(rows, labels) of probabilities."""
    method = calibration["method"]
    scale, offset = (np.asarray(calibration.get(name, usual)) for name, usual in (("scale", 1.0), ("offset", 0.0)))
    if several:
        return np.asarray(expit(logits * scale + offset))
    if method in ("none", "temperature"):
        return np.asarray(softmax(logits / calibration.get("temperature", 1.0), axis=1))
    found = softmax(logits, axis=1)
    best = logits.argmax(axis=1)[:, None]
    claimed = np.take_along_axis(found, best, axis=1)
    np.put_along_axis(found, best, 0, axis=1)
    left = np.maximum(1 - claimed, LEAST)
    second = found.max(axis=1, keepdims=True) / left
    if method == "platt":
        right = expit(logits_of(claimed, True) * scale + offset)
    else:
        right = np.interp(claimed, calibration["claimed"], calibration["right"])
    right = np.maximum(right, second / (1 + second))  # where the second one would overtake it, both are as likely
    found *= (1 - right) / left
    np.put_along_axis(found, best, right, axis=1)
    return found
