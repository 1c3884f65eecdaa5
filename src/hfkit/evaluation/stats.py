"""Intervals and tests: how sure a figure is, and whether two models differ on the same examples."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import binomtest


class Interval(NamedTuple):
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


class McNemar(NamedTuple):
    """Rows only the first had right, rows only the second had right, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p_value: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share: honest near 0 and 1 and for few rows, where the textbook's is not."""
    found = binomtest(int(successes), int(n)).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(successes / n, float(found.low), float(found.high))


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Are two classifiers equally often right on the same rows? An exact test on the rows where they differ.

    Args:
        correct_a, correct_b: (rows,) whether the first, and the second, was right.
    """
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"a paired test needs the same rows: {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p_value = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return McNemar(only_a, only_b, float(p_value))


def percentile(value: float, resampled: np.ndarray, confidence: float = 0.95) -> Interval:
    """The interval that holds the middle `confidence` of the resampled values; it always holds `value`.

    Resamples on which the figure is not finite (a class that was not drawn) are left out.
    """
    finite = resampled[np.isfinite(resampled)]
    if len(finite) == 0:
        return Interval(value, value, value)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def resample_counts(
    n: int, n_resamples: int, seed: int = 0, entries: int = 1_000_000, groups: ArrayLike | None = None
) -> Iterator[np.ndarray]:
    """How often each of `n` rows is drawn in each resample, as (some resamples, n) float64, a block at a time.

    With `groups`, (n,) names of what rows belong to, whole groups are drawn: rows of a group are no independent
    witnesses, and an interval that takes them for such is too narrow.

    A statistic that takes row weights then needs no copy of the data, and one matrix product serves many resamples.
    A million entries are 8 MB, and what is computed from them some 50 at once: larger blocks were the larger part of
    what `hfkit evaluate` took for 2,000 rows over 200. Smaller ones sort the scores too often.
    """
    if groups is not None:
        names, member = np.unique(np.asarray(groups), return_inverse=True)
        for counts in resample_counts(len(names), n_resamples, seed, max(1, entries * len(names) // n)):
            yield counts[:, member]
        return
    rng = np.random.default_rng(seed)
    block = max(1, min(n_resamples, entries // n))
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: with these, 5 % is the chance of one false alarm among all the tests together."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    adjusted = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    result = np.empty_like(raw)
    result[order] = np.minimum(adjusted, 1.0)
    return [float(value) for value in result]
