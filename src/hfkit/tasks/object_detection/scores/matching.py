"""Matching: which answered box is which right one, as COCO's evaluation has it, once; and precision over recall of any
weights of the pictures after that.

A row of predictions.parquet holds a picture's `truth`, six numbers a box (left, top, right, lower edge, class, whether
it is void), and its `prediction`, six numbers a box (the four, its score, its class), the surest first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps (intersection over union) from which an answer counts; the figure is the mean over them."""

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which precision is read off."""

AT_ONCE = 10_000_000
"""Numbers of resamples times answers that are held."""

SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in square pixels, of the box, ends included."""


@dataclass(frozen=True)
class Matches:
    """The answers of one class, the surest first over all pictures, and how they fared at each threshold."""

    picture: np.ndarray  # (answers,)
    score: np.ndarray  # (answers,)
    right: np.ndarray  # (thresholds, answers)
    void: np.ndarray  # (thresholds, answers): neither right nor wrong
    there: np.ndarray  # (pictures,) right boxes that count


def overlaps(said: np.ndarray, there: np.ndarray, void: np.ndarray) -> np.ndarray:
    """(said, there) intersection over union; with a void box over the answer's own area: a crowd has room for many."""
    corner = np.minimum(said[:, None, 2:4], there[None, :, 2:4]) - np.maximum(said[:, None, :2], there[None, :, :2])
    shared = corner.clip(min=0).prod(2)
    areas = [(one[:, 2] - one[:, 0]) * (one[:, 3] - one[:, 1]) for one in (said, there)]
    either = np.where(void[None], areas[0][:, None], areas[0][:, None] + areas[1][None] - shared)
    return np.divide(shared, either, out=np.zeros_like(shared), where=either > 0)


def boxes_of(rows: Iterable[Any]) -> list[np.ndarray]:
    """(boxes, 6) of each picture in float64."""
    return [np.asarray(row, dtype=np.float64).reshape(-1, 6) for row in rows]


def matched(
    truth: Sequence[np.ndarray], said: Sequence[np.ndarray], one: int, size: str, most: int = 100
) -> Matches | None:
    """The answers of class `one` against its boxes of a `size`; None where no picture has such a box. Others' sizes are
    void, and so are answers of others' sizes that are like no box. At most `most` answers a picture, as in COCO."""
    low, high = SIZES[size]
    found: list[tuple[np.ndarray, ...]] = []
    there = np.zeros(len(truth))
    for picture, (right, answers) in enumerate(zip(truth, said, strict=True)):
        right, answers = right[right[:, 4] == one], answers[answers[:, 5] == one]
        answers = answers[np.argsort(-answers[:, 4], kind="stable")][:most]
        crowd = right[:, 5] > 0
        area = (right[:, 2] - right[:, 0]) * (right[:, 3] - right[:, 1])
        ignored = crowd | (area < low) | (area > high)
        there[picture] = (~ignored).sum()
        order = np.argsort(ignored, kind="stable")
        hits, void = _greedy(overlaps(answers, right[order], crowd[order]), ignored[order], crowd[order])
        own = (answers[:, 2] - answers[:, 0]) * (answers[:, 3] - answers[:, 1])
        void |= ~hits & ((own < low) | (own > high))[None]
        found.append((np.full(len(answers), picture), answers[:, 4], hits, void))
    if not there.any():
        return None
    pictures, scores = (np.concatenate([one[at] for one in found]) for at in (0, 1))
    order = np.argsort(-scores, kind="stable")
    right, void = (np.concatenate([one[at] for one in found], axis=1)[:, order] for at in (2, 3))
    return Matches(pictures[order], scores[order], right & ~void, void, there)


def _greedy(shares: np.ndarray, ignored: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds, answers) whether each answer, in their order, has a box, and whether that one is void: the free one
    that it overlaps most, those that count first. Of equal overlaps the last one is taken, as in pycocotools."""
    hits = np.zeros((len(THRESHOLDS), len(shares)), dtype=bool)
    void, taken = hits.copy(), np.zeros((len(THRESHOLDS), len(ignored)), dtype=bool)
    limits = np.minimum(THRESHOLDS, 1 - 1e-10)[:, None]
    for answer, row in enumerate(shares) if len(ignored) else ():
        free = (~taken | crowd[None]) & (row[None] >= limits)
        counts = free & ~ignored[None]
        some = counts.any(1)
        usable = np.where(some[:, None], counts, free & ignored[None])
        best = len(row) - 1 - np.where(usable, row[None], -1)[:, ::-1].argmax(1)
        hits[:, answer] = usable.any(1)
        void[:, answer] = hits[:, answer] & ~some
        at = np.flatnonzero(hits[:, answer])
        taken[at, best[at]] = True
    return hits, void


def precisions(found: Matches, weights: np.ndarray, at: int) -> tuple[np.ndarray, np.ndarray]:
    """(resamples, right answers) recall and the best precision from there on, of a threshold, where each right answer
    stands in the order of scores; `weights`, (resamples, pictures), say how often each picture is drawn."""
    kept = ~found.void[at]
    drawn = weights[:, found.picture[kept]]
    places = np.flatnonzero(found.right[at][kept])
    said = drawn.cumsum(axis=1)[:, places]
    right = drawn[:, places].cumsum(axis=1)
    precision = np.divide(right, said, out=np.zeros_like(right), where=said > 0)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return right / (weights @ found.there)[:, None], best


def average_precision(found: Matches, weights: np.ndarray, thresholds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """(thresholds, resamples) average precision and recall; NaN where no box was drawn."""
    values = np.full((2, len(thresholds), len(weights)), np.nan)
    step = max(1, AT_ONCE // max(1, len(found.score)))
    for first in range(0, len(weights), step):
        some = slice(first, first + step)
        drawn = weights[some] @ found.there > 0
        for place, at in enumerate(thresholds):
            recall, best = precisions(found, weights[some], at)
            steps = np.searchsorted(RECALLS, recall.ravel(), side="right").reshape(recall.shape)
            values[0, place, some] = (np.diff(steps, axis=1, prepend=0) * best).sum(1) / len(RECALLS)
            values[1, place, some] = recall[:, -1] if recall.shape[1] else 0.0
        values[:, :, some] = np.where(drawn, values[:, :, some], np.nan)
    return values[0], values[1]
