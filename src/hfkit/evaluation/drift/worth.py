"""Worth: how many answers are right, and which classes rows have, where nobody has labelled them."""

import math
from dataclasses import dataclass

import numpy as np

from hfkit.base.errors import HfkitError

FEWEST = 50
"""Labelled rows below which a claimed probability cannot be held against what is right."""


@dataclass(frozen=True)
class Chance:
    """What a claimed probability is worth: the chance of being right is sigmoid(a logit(claimed) + b).

    Two numbers, fitted on validation rows by maximum likelihood (Platt 1999), with their covariance."""

    a: float
    b: float
    covariance: np.ndarray  # (2, 2)

    @classmethod
    def fit(cls, claimed: np.ndarray, right: np.ndarray) -> "Chance":
        """Of (rows,) claimed probabilities and whether each answer was right. Raises HfkitError: too few rows."""
        if len(claimed) < FEWEST:
            what = f"{len(claimed)} validation rows are too few to know what a probability is worth"
            raise HfkitError(what, fix=f"{FEWEST} at least: a run with a larger --validation_size")
        x, weights = _inputs(claimed), np.array([1.0, 0.0])
        # One right and one wrong answer more, as Platt has it, so that all right is no certainty.
        target = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))
        for _ in range(50):
            chance = _sigmoid(x @ weights)
            information = (x.T * (chance * (1 - chance))) @ x + 1e-6 * np.eye(2)
            step = np.linalg.solve(information, x.T @ (target - chance))
            weights = weights + np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-9:
                break
        return cls(float(weights[0]), float(weights[1]), np.linalg.inv(information))

    def of(self, claimed: np.ndarray) -> np.ndarray:
        """The chance of being right of each claimed probability, (rows,)."""
        return _sigmoid(_inputs(claimed) @ np.array([self.a, self.b]))

    def accuracy(self, claimed: np.ndarray) -> tuple[float, float, float]:
        """The share that will be right of rows with these claims (CBPE), and the ends of its 95 % interval: of which
        rows came, and of what validation does not tell. It holds where a claim still means what it meant: not on rows
        of another kind."""
        chance = self.of(claimed)
        slope = ((chance * (1 - chance))[:, None] * _inputs(claimed)).mean(axis=0)
        variance = (chance * (1 - chance)).mean() / len(chance) + slope @ self.covariance @ slope
        value, half = float(chance.mean()), 1.96 * math.sqrt(variance)
        return value, max(0.0, value - half), min(1.0, value + half)


def class_shares(
    truth: np.ndarray, answer: np.ndarray, counts: np.ndarray, draws: int = 200, seed: int = 0
) -> list[tuple[float, float, float]] | None:
    """The shares of the true classes of new rows by how often each is answered (BBSE, Lipton et al. 2018), with 95 %
    intervals that draw both the validation rows and the new ones anew; None where validation lacks a class.

    `truth` and `answer` (rows,) are validation's, `counts` (classes,) the new answers'. It holds where the classes'
    shares alone have changed."""
    from scipy.optimize import nnls

    classes, rng = len(counts), np.random.default_rng(seed)
    if len(np.unique(truth)) < classes:
        return None
    joint = np.zeros((classes, classes))
    np.add.at(joint, (answer, truth), 1)

    def solved(joint: np.ndarray, counts: np.ndarray) -> np.ndarray:
        given = joint / np.maximum(joint.sum(axis=0), 1)
        found = nnls(given, counts / counts.sum())[0]
        return np.asarray(found / max(found.sum(), 1e-12))

    drawn = [
        solved(rng.multinomial(int(joint.sum()), joint.ravel() / joint.sum()).reshape(joint.shape), again)
        for again in rng.multinomial(int(counts.sum()), counts / counts.sum(), size=draws)
    ]
    value, (low, high) = solved(joint, counts), np.quantile(drawn, [0.025, 0.975], axis=0)
    return [(float(v), float(min(a, v)), float(max(b, v))) for v, a, b in zip(value, low, high, strict=True)]


def to_label(chance: np.ndarray, half_width: float = 0.03, strata: int = 5, seed: int = 0) -> np.ndarray:
    """The places of rows to label, drawn evenly from strata of equal size by confidence: so many that the accuracy
    that they give has a 95 % interval of at most `half_width` on both sides, whatever it is. All, where there are few.

    Where the confidence still tells something the interval is narrower; it is never wider than of a plain draw."""
    wanted = min(len(chance), math.ceil(1.96**2 * 0.25 / half_width**2))
    parts, rng = np.array_split(np.argsort(chance, kind="stable"), strata), np.random.default_rng(seed)
    sizes = [len(one) for one in np.array_split(np.arange(wanted), strata)]
    drawn = [rng.choice(part, min(size, len(part)), replace=False) for part, size in zip(parts, sizes, strict=True)]
    return np.sort(np.concatenate(drawn))


def _inputs(claimed: np.ndarray) -> np.ndarray:
    sure = np.clip(np.asarray(claimed, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.stack([np.log(sure / (1 - sure)), np.ones_like(sure)], axis=1)


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -40, 40))))
