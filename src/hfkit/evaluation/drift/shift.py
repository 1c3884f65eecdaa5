"""Shift: tests of whether two samples of rows are of one kind, together never wrong too often."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hfkit.evaluation.stats import holm

SMALL = 0.05
"""A shift below this is none to act on, however sure: the distance of two distributions, or the share of pairs of rows
that can be told apart beyond a half. With 100,000 rows every difference is significant."""


OPENING = 500
"""Characters at the beginning of a text that say what kind it is."""


@dataclass(frozen=True)
class Shift:
    """What a test found of one property of the rows."""

    name: str
    title: str
    size: float  # 0: the same; 1: nothing in common
    p_value: float
    was: float | None = None  # the median, or the share, before
    now: float | None = None
    drifted: bool = False

    def judged(self, p_value: float, alpha: float) -> "Shift":
        """The same with a p-value corrected for the other tests, and what follows from it."""
        found = vars(self) | {"p_value": p_value, "drifted": p_value < alpha and self.size >= SMALL}
        return Shift(**found)


def judged(shifts: Sequence[Shift], alpha: float) -> list[Shift]:
    """Each test corrected by Holm for all of them: `alpha` is the chance that any is wrong where nothing changed."""
    p_values = holm([shift.p_value for shift in shifts])
    return [shift.judged(p_value, alpha) for shift, p_value in zip(shifts, p_values, strict=True)]


def look_alpha(alpha: float, look: int) -> float:
    """What the look of this number, from 1 on, may spend of `alpha`: over any number of looks they add up to it.

    1 / (k (k + 1)) sums to one. A hundredth look asks for p < 5e-6, which drift that matters still gives: its p-value
    falls exponentially with the rows."""
    return alpha / (look * (look + 1))


def shares(name: str, title: str, before: np.ndarray, after: np.ndarray) -> Shift:
    """Of counts by class (classes,): the chi-squared test; rare classes count as one. The size is the total variation
    distance."""
    kept = before + after > 0
    table = np.stack([before[kept], after[kept]]).astype(float)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < 5  # where the test's distribution is not yet the limit's
    if rare.sum() > 1:
        table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
    p_value = float(stats.chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0
    distance = np.abs(before / max(before.sum(), 1) - after / max(after.sum(), 1)).sum() / 2
    return Shift(name, title, float(distance), p_value)


def values(name: str, title: str, before: np.ndarray, after: np.ndarray) -> Shift:
    """Of a number a row: the test of Kolmogorov and Smirnov, whose statistic is the size. It is conservative where
    values are equal."""
    found = stats.ks_2samp(before, after, method="asymp")
    return Shift(
        name, title, float(found.statistic), float(found.pvalue), float(np.median(before)), float(np.median(after))
    )


def contents(before: Sequence[str], after: Sequence[str], seed: int = 0) -> Shift:
    """Of texts: whether a classifier learns to tell one sample from the other, judged on the halves that it did not
    learn from (Lopez-Paz and Oquab 2017): the test of Mann and Whitney on its scores there.

    Two to four characters in a row are what it reads, so that it holds for a language without spaces, of the first
    `OPENING` of a text: its length is another test's. The size is 0 where it guesses, 1 where it is never wrong."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.linear_model import LogisticRegression

    is_new = np.repeat([0, 1], [len(before), len(after)])
    texts = [text[:OPENING] for text in (*before, *after)]
    made = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 4), n_features=2**16, alternate_sign=False)
    vectors = made.transform(texts)
    order = np.random.default_rng(seed).permutation(len(texts))
    learnt, asked = order[::2], order[1::2]
    title = "what is written"
    if min(np.bincount(is_new[learnt], minlength=2).min(), np.bincount(is_new[asked], minlength=2).min()) < 2:
        return Shift("contents", title, 0.0, 1.0)
    model = LogisticRegression(C=10.0, class_weight="balanced", solver="liblinear", random_state=seed)
    score = model.fit(vectors[learnt], is_new[learnt]).decision_function(vectors[asked])
    new, old = score[is_new[asked] == 1], score[is_new[asked] == 0]
    found = stats.mannwhitneyu(new, old, alternative="greater", method="asymptotic")
    area = found.statistic / (len(new) * len(old))
    return Shift("contents", title, float(max(0.0, 2 * area - 1)), float(found.pvalue))


def fewer_right(before: np.ndarray, after: np.ndarray) -> Shift:
    """Of whether each answer is right, (rows,): Fisher's exact test of whether fewer are."""
    table = [[int(after.sum()), int((~after).sum())], [int(before.sum()), int((~before).sum())]]
    p_value = float(stats.fisher_exact(table, alternative="less").pvalue)
    was, now = float(before.mean()), float(after.mean())
    return Shift("accuracy", "answers that are right", max(0.0, was - now), p_value, was, now)
