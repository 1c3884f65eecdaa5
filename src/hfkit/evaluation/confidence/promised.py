"""Promised: how sure an answer must be, so that those that are sure enough are right as often as was promised."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta

STEPS = 20
"""Shares of the rows, 1/20 to all of them, of which the surest are held to be answered."""

RISK = 0.05
"""The chance that one of the bounds is wrong."""


def bounds(sure: np.ndarray, right: np.ndarray) -> list[list[float]]:
    """Of each share of the rows, the surest first: [from which probability they are answered, the lowest accuracy that
    they may have, the share]. Each is Clopper and Pearson's exact bound at RISK / STEPS, so that all hold together with
    probability 0.95, also the one that is picked: selective classification with guaranteed risk (Geifman and El-Yaniv
    2017, https://arxiv.org/abs/1705.08500). `sure` (rows,) and whether each is `right` are of rows that neither the
    model nor `sure` was fitted on."""
    found, ordered = [], np.sort(sure)[::-1]
    for step in range(1, STEPS + 1):
        start = ordered[max(0, len(sure) * step // STEPS - 1)]
        there = sure >= start
        good, count = int(right[there].sum()), int(there.sum())
        low = float(beta.ppf(RISK / STEPS, good, count - good + 1)) if good else 0.0
        found.append([float(start), low, count / len(sure)])
    return found


def start_for(accuracy: float, known: Sequence[Sequence[float]]) -> float | None:
    """The lowest probability from which answers are promised to be right so often; None: from none on."""
    return min((start for start, low, _ in known if low >= accuracy), default=None)
