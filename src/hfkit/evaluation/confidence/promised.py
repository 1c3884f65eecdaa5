"""Promised: how sure an answer must be, so that those that are sure enough are right as often as was promised."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import beta

STEPS = 20
"""Shares of the rows, 1/20 to all of them, of which the surest are held to be answered."""

STARTS = (2, 7, 12, 17)
"""Those from which a test may begin."""

RISK = 0.05
"""The chance that a promise is wrong."""


def bounds(sure: np.ndarray, right: np.ndarray) -> list[list[float]]:
    """Of each share of the rows, the surest first: [from which probability they are answered, the lowest accuracy that
    they may have, the share]. `sure` (rows,) and whether each is `right` are of rows that neither the model nor `sure`
    was fitted on. Each is Clopper and Pearson's exact bound at RISK / len(STARTS), as `passed` needs it."""
    found, ordered = [], np.sort(sure)[::-1]
    for step in range(1, STEPS + 1):
        start = ordered[max(0, len(sure) * step // STEPS - 1)]
        there = sure >= start
        good, count = int(right[there].sum()), int(there.sum())
        low = float(beta.ppf(RISK / len(STARTS), good, count - good + 1)) if good else 0.0
        found.append([float(start), low, count / len(sure)])
    return found


def passed(accuracy: float, known: Sequence[Sequence[float]]) -> Sequence[float] | None:
    """The largest share of `bounds` whose answers are right so often, with probability 0.95; None: there is none.

    Fixed sequence testing of Learn then Test (Angelopoulos et al. 2021, https://arxiv.org/abs/2110.01052): from each of
    STARTS shares on, larger ones are tried until one fails, each at the start's part of the risk."""
    best = None
    for begin in STARTS:
        for one in known[begin - 1 :]:
            if one[1] < accuracy:
                break
            best = one if best is None or one[2] > best[2] else best
    return best
