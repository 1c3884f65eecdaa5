"""What a search is judged by: where the documents that are right for a query stand among all that are found."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from hfkit.evaluation.metric import Columns, Metric, mean_of

CUT = 10
"""Documents that a person looks at: as deep as nDCG and MRR look."""

RIGHT = ("reference", "grades")


def found_at(columns: Columns, prediction: str = "prediction") -> list[np.ndarray]:
    """The places, from 0, of the right documents of each query that were found, and the grade of each: (right, 2)."""
    rows = []
    for said, right, grades in zip(columns[prediction], columns["reference"], columns["grades"], strict=True):
        place = {id: at for at, id in enumerate(said)}
        pairs = zip(np.atleast_1d(right), np.atleast_1d(grades), strict=True)
        rows.append(np.array([(place.get(id, np.inf), grade) for id, grade in pairs], dtype=np.float64).reshape(-1, 2))
    return rows


def ndcg(rows: list[np.ndarray]) -> np.ndarray:
    """(queries,) normalised discounted cumulative gain of the first ten (Järvelin and Kekäläinen 2002): the grades are
    the gains, as in trec_eval."""
    ideal = np.array([_gain(np.arange(len(row)), -np.sort(-row[:, 1])) for row in rows])
    return np.array([_gain(row[:, 0], row[:, 1]) for row in rows]) / np.where(ideal == 0, 1, ideal)


def _gain(places: np.ndarray, grades: np.ndarray) -> float:
    seen = places < CUT
    return float((grades[seen] / np.log2(places[seen] + 2)).sum())


def reciprocal_rank(rows: list[np.ndarray]) -> np.ndarray:
    """(queries,) one by the place of the first right document, from 1; 0 where it is not among the first ten."""
    first = np.array([row[:, 0].min(initial=np.inf) for row in rows])
    return np.where(first < CUT, 1 / (first + 1), 0.0)


def recall(rows: list[np.ndarray], cut: int) -> np.ndarray:
    """(queries,) share of the right documents that are among the first `cut`."""
    return np.array([(row[:, 0] < cut).mean() if len(row) else 0.0 for row in rows])


@cache
def _places(prediction: str) -> Callable[[Columns], list[np.ndarray]]:
    """`found_at` of a column: one function a column, so that all figures share what it gives."""
    return lambda columns: found_at(columns, prediction)


def metric_of_places(name: str, title: str, figure: Callable[[Any], np.ndarray], dims: int | None = None) -> Metric:
    """The mean over queries of a figure of the places of their right documents; of vectors' first `dims` alone."""
    prediction = "prediction" if dims is None else f"prediction_{dims}"
    of = mean_of(lambda columns: figure(columns.of_rows(_places(prediction))))
    return Metric(name, title, (*RIGHT, prediction), of, given=RIGHT, compared=dims is None)


METRICS = (
    metric_of_places(f"ndcg_at_{CUT}", f"nDCG@{CUT}", ndcg),
    metric_of_places(f"mrr_at_{CUT}", f"MRR@{CUT}", reciprocal_rank),
    *(metric_of_places(f"recall_at_{cut}", f"recall@{cut}", partial(recall, cut=cut)) for cut in (1, 10, 100)),
)
