"""Choice: which test rows a page shows as pictures."""

from dataclasses import dataclass

import numpy as np

from hfkit.report import analysis
from hfkit.report.analysis import Predictions
from hfkit.tasks.image_classification.report import MISTAKES

CLASSES = 20  # classes of the grid at most, the most frequent ones: a page of a thousand classes is no help
EACH = 2  # pictures of a class of each of the three kinds
EXPLAINED = 4  # right answers that are explained by a map, and wrong ones


@dataclass(frozen=True)
class Shown:
    """A test row and why it is shown."""

    row: int  # its place in predictions.parquet
    label: int  # the class of whose line it is part, or the output that a map explains
    why: str  # "surest", "least sure" or "missed" in a class's line; "answer" or "truth" for a map


def mistakes(seen: Predictions) -> list[int]:
    """The rows of the report's mistakes."""
    return [int(row["row"]) for row in analysis.mistakes(seen, MISTAKES)]


def by_class(seen: Predictions) -> list[Shown]:
    """For each class or label: the right answers that were surest and least sure, and the misses that were surest;
    nothing for a regression."""
    if seen.regression or seen.shares is None:
        return []
    support = [int(analysis.is_class(seen, index)[0].sum()) for index in range(len(seen.names))]
    kept = sorted(np.argsort([-rows for rows in support], kind="stable")[:CLASSES].tolist())
    return [shown for index in kept for shown in _of_class(seen, index)]


def _of_class(seen: Predictions, index: int) -> list[Shown]:
    assert seen.shares is not None
    truth, answer = analysis.is_class(seen, index)
    order = np.argsort(-seen.shares[:, index], kind="stable")
    right = [int(row) for row in order if truth[row] and answer[row]]
    missed = [int(row) for row in order[::-1] if truth[row] and not answer[row]]
    surest, rest = right[:EACH], right[EACH:]
    chosen = [("surest", surest), ("least sure", rest[-EACH:]), ("missed", missed[:EACH])]
    return [Shown(row, index, why) for why, rows in chosen for row in rows]


def explained(seen: Predictions) -> list[Shown]:
    """Right answers spread evenly over the test rows, and the surest wrong ones, with the answer and the truth. Of
    several labels the one that the model was surest of, or got most wrong; of a regression even rows and those of the
    largest errors."""
    wrong = mistakes(seen)[:EXPLAINED]
    right = np.flatnonzero(seen.right()) if not seen.regression else np.setdiff1d(np.arange(len(seen)), wrong)
    if seen.multi and len(right):
        right = right[seen.truth[right].any(axis=1)]
    spread = right[np.unique(np.linspace(0, len(right) - 1, min(EXPLAINED, len(right))).astype(int))].tolist()
    if seen.regression:
        return [Shown(row, 0, "answer") for row in spread + wrong]
    assert seen.shares is not None
    if seen.multi:
        surest = [int((seen.shares[row] * seen.truth[row]).argmax()) for row in spread]
        worst = [int(np.abs(seen.shares[row] - seen.truth[row]).argmax()) for row in wrong]
        return [Shown(row, label, "answer") for row, label in zip(spread + wrong, surest + worst, strict=True)]
    found = [Shown(row, int(seen.answer[row]), "answer") for row in spread]
    for row in wrong:
        found += [Shown(row, int(seen.answer[row]), "answer"), Shown(row, int(seen.truth[row]), "truth")]
    return found
