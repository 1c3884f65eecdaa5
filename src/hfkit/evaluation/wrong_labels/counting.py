"""How many labels are wrong: the share that stays in doubt where a model is surest."""

from typing import NamedTuple

import numpy as np

from hfkit.evaluation.stats import Interval

TINY = 1e-9
_SHARES = np.concatenate([np.arange(0, 0.02, 0.0005), np.arange(0.02, 0.1, 0.001), np.arange(0.1, 0.46, 0.005)])
_BINS = 1000
_DROP = 3.841 / 2
"""Half the 95 % point of chi-square: what a likelihood may lose within its interval."""


class Floor(NamedTuple):
    """What `floor` finds."""

    share: Interval  # of wrong labels
    slope: float  # by which the model's log-odds are to be taken times: below 1 it is too sure


def floor(labels: np.ndarray, probabilities: np.ndarray) -> Floor:
    """The share of wrong labels among rows whose `probabilities` (rows, classes) come from a model that did not learn
    them; `labels` (rows,) are ids.

    A model errs less the surer it is, down to nothing, and a wrong label contradicts it however sure it is. So the
    share of labels that are not the model's answer is a logistic curve over the log-odds of its two likeliest classes,
    which falls to a floor: the share of wrong labels (a psychometric function with a lapse rate, Wichmann and Hill
    2001). Fitted by maximum likelihood, with the profile likelihood's 95 % interval, whose lower end is 0 where no
    floor is needed. Assumes that a label is wrong by chance, whatever the model thinks of the row; labels that are
    wrong where the model errs too are not counted. Confident learning's count (Northcutt et al. 2021) takes a model's
    sure mistakes for wrong labels: measured in docs/evidence_labels.md."""
    ordered = np.sort(np.clip(probabilities, TINY, 1), axis=1)
    margin = np.log(ordered[:, -1]) - np.log(ordered[:, -2])
    against = probabilities.argmax(axis=1) != labels
    order = np.argsort(margin, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    sizes = np.array([len(part) for part in bins], dtype=np.float64)
    margins = np.array([margin[part].mean() for part in bins])
    wrong = np.array([against[part].sum() for part in bins], dtype=np.float64)
    # A wrong label may be the model's wrong answer, once in so many classes.
    most = 1 - _SHARES / (1 - 1 / probabilities.shape[1])
    losses, curves, start = np.empty(len(_SHARES)), np.empty((len(_SHARES), 2)), np.zeros(2)
    for at, (share, rest) in enumerate(zip(_SHARES, most, strict=True)):
        losses[at], start = _curve(share, max(rest, 0.01), start, margins, wrong, sizes - wrong)
        curves[at] = start
    best, inside = int(losses.argmin()), _SHARES[losses - losses.min() <= _DROP]
    return Floor(Interval(float(_SHARES[best]), float(inside[0]), float(inside[-1])), float(np.exp(curves[best, 0])))


def _curve(
    share: float, rest: float, start: np.ndarray, margins: np.ndarray, wrong: np.ndarray, right: np.ndarray
) -> tuple[float, np.ndarray]:
    """The least negative log-likelihood with this floor, and the logarithm of the slope and the shift that have it."""
    from scipy.optimize import minimize

    def loss(found: np.ndarray) -> tuple[float, np.ndarray]:
        slope = np.exp(found[0])
        errs = 1 / (1 + np.exp(np.clip(slope * margins + found[1], -500, 500)))
        doubted = np.clip(share + rest * errs, TINY, 1 - TINY)
        pull = (wrong / doubted - right / (1 - doubted)) * rest * errs * (1 - errs)
        told = wrong @ np.log(doubted) + right @ np.log(1 - doubted)
        return -float(told), np.array([(pull * margins * slope).sum(), pull.sum()])

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-20, 20)])
    return float(found.fun), np.asarray(found.x)


def together(shares: list[Interval], rows: list[int]) -> Interval:
    """The number of wrong labels of parts that were judged apart, by the method of variance estimates recovery (Zou and
    Donner 2008): distances to the ends add as squares do."""
    value = sum(one.value * size for one, size in zip(shares, rows, strict=True))
    low, high = (
        float(np.sqrt(sum(((one.value - one[end]) * size) ** 2 for one, size in zip(shares, rows, strict=True))))
        for end in (1, 2)
    )
    return Interval(value, max(0.0, value - low), value + high)
