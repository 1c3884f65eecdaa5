"""What is wrong with answered boxes, and from which score on they are worth saying."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from hfkit.tasks.object_detection.scores.matching import (
    SIZES,
    Matches,
    average_precision,
    boxes_of,
    matched,
    overlaps,
)

KINDS = ("localisation", "class", "both", "duplicate", "background", "missed")
"""Kinds of mistakes, as in Bolya et al. 2020 (TIDE)."""

NEAR, FAR = 0.5, 0.1
"""Overlap from which an answer is of a box, and below which it is of none."""


def best_threshold(truth: Sequence[Any], said: Sequence[Any], classes: int) -> float:
    """The score from which on F1 over all classes, of boxes that overlap by half, is best; 0.5 without any right one.

    Between two scores of answers it lies in the middle, so that a rounding does not change what is said."""
    right_ones, answers = boxes_of(truth), boxes_of(said)
    found = [one for kind in range(classes) if (one := matched(right_ones, answers, kind, "all", 10_000)) is not None]
    there = sum(float(one.there.sum()) for one in found)
    scores = np.concatenate([one[:, 4] for one in answers]) if answers else np.zeros(0)
    right = np.concatenate([one.score[one.right[0]] for one in found]) if found else np.zeros(0)
    void = np.concatenate([one.score[one.void[0]] for one in found]) if found else np.zeros(0)
    if not len(right):
        return 0.5
    known = np.unique(scores)
    counted, good, not_counted = (len(one) - np.searchsorted(np.sort(one), known) for one in (scores, right, void))
    f1 = 2 * good / (counted - not_counted + there)
    best = int(f1.argmax())
    return float((known[best] + (known[best - 1] if best else 0.0)) / 2)


def mistakes(truth: Sequence[Any], said: Sequence[Any], threshold: float, classes: int) -> list[dict[str, Any]]:
    """Of each kind of mistake how many there are among the answers from `threshold` on, and by how much mAP at an
    overlap of 0.5 would rise if they were mended: wrong places and classes made right, the others taken away, boxes
    that nobody saw not asked for."""
    right, answers = boxes_of(truth), boxes_of(said)
    kinds, mends = [], []
    for one, other in zip(right, answers, strict=True):
        kind, mended = _kinds(one, other)
        kinds.append(kind)
        mends.append(mended)
    base = _map_50(right, answers, classes)
    found = []
    for place, name in enumerate(KINDS[:-1]):
        count = sum(int(((kind == place) & (other[:, 4] >= threshold)).sum())
                    for kind, other in zip(kinds, answers, strict=True))  # fmt: skip
        better = [np.concatenate([other[kind != place], mended[mended[:, 6] == place, :6]])
                  for kind, other, mended in zip(kinds, answers, mends, strict=True)]  # fmt: skip
        better = [one[np.argsort(-one[:, 4], kind="stable")] for one in better]
        found.append({"kind": name, "count": count, "gain": _map_50(right, better, classes) - base})
    seen = [one[~_missed(one, other)] for one, other in zip(right, answers, strict=True)]
    sure = [other[other[:, 4] >= threshold] for other in answers]
    count = sum(int((_missed(one, other) & (one[:, 5] == 0)).sum()) for one, other in zip(right, sure, strict=True))
    return [*found, {"kind": KINDS[-1], "count": count, "gain": _map_50(seen, answers, classes) - base}]


def _kinds(right: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The kind of mistake of each answer, -1 where it is none; and what wrong places and classes would be when mended,
    (mended, 7): the answer with its kind, of boxes that no answer has."""
    kinds, mended = np.full(len(said), -1), [np.zeros((0, 7))]
    shares = overlaps(said, right, right[:, 5] > 0)
    taken = np.zeros(len(right), dtype=bool)
    same = said[:, None, 5] == right[None, :, 4]
    for answer in np.argsort(-said[:, 4], kind="stable").tolist():
        near = np.where(same[answer] & ~taken, shares[answer], 0)
        if len(right) and near.max() >= NEAR:
            taken[near.argmax()] |= right[near.argmax(), 5] == 0
            continue
        own, any_ = (float(np.where(which, shares[answer], 0).max(initial=0)) for which in (same[answer], True))
        kinds[answer] = 3 if own >= NEAR else 0 if own >= FAR else 1 if any_ >= NEAR else 2 if any_ >= FAR else 4
    for answer in np.flatnonzero((kinds == 0) | (kinds == 1)).tolist():
        at = int(np.where(same[answer] if kinds[answer] == 0 else True, shares[answer], 0).argmax())
        if not taken[at] and right[at, 5] == 0:
            taken[at] = True
            mended.append(np.array([[*right[at, :4], said[answer, 4], right[at, 4], kinds[answer]]]))
    return kinds, np.concatenate(mended)


def _missed(right: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Which boxes no answer is of or near, of whatever class."""
    shares = overlaps(said, right, np.zeros(len(right), dtype=bool))
    same = said[:, None, 5] == right[None, :, 4]
    near = (shares >= NEAR) | ((shares >= FAR) & same)
    found: np.ndarray = ~near.any(0)
    return found


def _map_50(right: Sequence[np.ndarray], said: Sequence[np.ndarray], classes: int) -> float:
    found = [matched(right, said, one, next(iter(SIZES)), 10_000) for one in range(classes)]
    ones = np.ones((1, len(right)))
    values = [average_precision(one, ones, [0])[0].item() for one in found if isinstance(one, Matches)]
    return float(np.mean(values)) if values else float("nan")
