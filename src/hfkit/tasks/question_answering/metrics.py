"""What answers are judged by: exact match and F1 of their words, of questions that have an answer and of others."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, Of, mean_of, total
from hfkit.tasks.question_answering.spans.overlap import score

ANSWERS = ("reference", "prediction")


def scores(columns: Columns) -> np.ndarray:
    """(rows, 3): exact match, F1, and whether the question has an answer.

    As SQuAD 2.0's script has them where one of the rows has none, else as that of 1.1: the rows decide, and not what a
    model may say."""
    rights = [list(right) for right in columns["reference"]]
    may_lack = not all(rights)
    rows = [
        (*score(right, str(said), may_lack), float(len(right) > 0))
        for right, said in zip(rights, columns["prediction"], strict=True)
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _among(figure: int, answerable: bool) -> Of:
    """The mean of a figure over the questions that have an answer, or over the others; where all have one, not told."""

    def of(columns: Columns, weights: np.ndarray) -> Any:
        found = columns.of_rows(scores)
        if found[:, 2].all():
            return np.full(len(weights), np.nan)
        kept = found[:, 2] == float(answerable)
        return total(weights, found[:, figure] * kept) / total(weights, kept)

    return of


def exact(columns: Columns) -> np.ndarray:
    """(rows,): exact match."""
    return np.asarray(columns.of_rows(scores)[:, 0])


def f1(columns: Columns) -> np.ndarray:
    """(rows,): F1."""
    return np.asarray(columns.of_rows(scores)[:, 1])


_GIVEN: dict[str, Any] = {"columns": ANSWERS, "given": ("reference",)}

METRICS = (
    Metric("f1", "F1", of=mean_of(f1), hub="f1", **_GIVEN),
    Metric(
        *("exact_match", "exact match"),
        of=mean_of(exact),
        right=lambda columns: exact(columns) == 1,
        hub="exact_match",
        **_GIVEN,
    ),
    *(
        Metric(name, title, of=_among(figure, has), compared=False, **_GIVEN)
        for name, title, figure, has in (
            ("has_answer_f1", "F1 where there is an answer", 1, True),
            ("has_answer_exact", "exact match where there is an answer", 0, True),
            ("no_answer_accuracy", "right where there is no answer", 0, False),
        )
    ),
)
