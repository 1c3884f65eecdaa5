"""Ranking: which documents are found for each query among all that there are, and how much that costs."""

from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.evaluation.metric import as_lists
from hfkit.evaluation.nearest import blocks, highest, nearest, unit

KEPT = 100
"""Documents of a query that are kept, the best first: as deep as figures look."""

FEW = 10
"""The same of a vector's first dimensions alone."""


def ranked(rows: Dataset, vectors: np.ndarray, dims: tuple[int, ...], temperature: float) -> dict[str, Any]:
    """Of each query of `rows` (as `to_evaluate` has them) its documents, by vectors of length 1, (rows, numbers).

    Returns:
        `prediction`, the ids of the `KEPT` nearest; `score`, the cosine of the first; `reference` and `grades`, the ids
        of the right ones and how right they are; `loss`, the cross-entropy of the first right one among all documents
        without the other right ones; of each number of Matryoshka dimensions `prediction_<dims>`.
    """
    asked = np.array(rows["is_query"][:], dtype=bool)
    if asked.all() or not asked.any():  # a part of a split, looked at for what it takes
        return {}
    queries, documents = vectors[asked], vectors[~asked]
    names = np.array(rows["id"][:], dtype=object)[~asked]
    where = {key: place for place, (key, *_) in enumerate(_of(rows, "keys", ~asked))}
    places = _right(_of(rows, "keys", asked), _of(rows, "grades", asked), where)
    also = [[where[key] for key in keys if key in where] for keys in _of(rows, "right", asked)]
    best, scores, losses = [], [], []
    for here, cosines in blocks(queries, documents):
        found = highest(cosines, KEPT)
        best += list(found)
        scores += list(np.take_along_axis(cosines, found[:, :1], axis=1)[:, 0])
        for row, own in zip(cosines / temperature, range(here.start, here.stop), strict=True):
            losses.append(_loss(row, next(iter(places[own]), None), also[own]))
    told: dict[str, Any] = {
        "prediction": as_lists(names[one] for one in best),
        "score": np.array(scores),
        "reference": as_lists(names[list(one)] for one in places),
        "grades": as_lists(np.array(list(one.values()), dtype=np.float64) for one in places),
        "loss": np.array(losses),
    }
    for number in dims:
        first, second = (unit(one[:, :number]) for one in (queries, documents))
        told[f"prediction_{number}"] = as_lists(names[one] for one in nearest(first, second, FEW)[0])
    return told


def _of(rows: Dataset, column: str, chosen: np.ndarray) -> list[Any]:
    return [value for value, here in zip(rows[column], chosen, strict=True) if here]


def _right(keys: list[list[int]], grades: list[list[float]], where: dict[int, int]) -> list[dict[int, float]]:
    """Of each query the places of the documents that are right for it, with their grades."""
    return [
        {where[key]: grade for key, grade in zip(*row, strict=True) if grade > 0 and key in where}
        for row in zip(keys, grades, strict=True)
    ]


def _loss(logits: np.ndarray, own: int | None, also: list[int]) -> float:
    if own is None:
        return 0.0
    value, others = logits[own], logits.copy()
    others[also] = -np.inf
    others[own] = value
    most = others.max()
    return float(most + np.log(np.exp(others - most).sum()) - value)
