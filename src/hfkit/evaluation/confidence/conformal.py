"""Conformal: sets of labels that hold the right one as often as asked for, whatever the model is.

Split conformal prediction on rows that the model did not learn from: a new row's set holds its label with at least the
probability asked for, over draws of both. LAC (Sadinle et al. 2019, https://arxiv.org/abs/1609.00451) makes the
smallest sets, some of them empty; APS (Romano et al. 2020, https://arxiv.org/abs/2006.02544) larger ones, of rows that
are hard. Equal to MAPIE's.
"""

import numpy as np

LEVELS = tuple(round(0.5 + step / 100, 2) for step in range(50))
"""Shares of rows whose set holds the right label for which a config keeps how large a score may be."""

METHODS = ("lac", "aps")


def scores(method: str, probabilities: np.ndarray, labels: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """(rows,) how odd each row's own label is. `draw` (rows,) from 0 to 1 says which part of it APS counts."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    if method == "lac":
        return 1 - own
    order = np.argsort(-probabilities, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    place = np.argmax(order == labels[:, None], axis=1)[:, None]
    return np.asarray(np.take_along_axis(summed, place, axis=1)[:, 0] - draw * own)


def limits(found: np.ndarray) -> list[float | None]:
    """Of each level the score up to which a label is taken; None, where the rows are too few for it: every label."""
    ranks = np.ceil((len(found) + 1) * np.asarray(LEVELS) - 1e-9).astype(int)
    ordered = np.sort(found)
    return [float(ordered[rank - 1]) if rank <= len(found) else None for rank in ranks]


def sets(method: str, probabilities: np.ndarray, limit: float | None) -> np.ndarray:
    """(rows, labels) whether a label is in the set."""
    if limit is None:
        return np.ones(probabilities.shape, dtype=bool)
    if method == "lac":
        return np.asarray(probabilities - (1 - limit) > -np.finfo(np.float64).eps)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    summed = np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1)
    before = np.concatenate([np.zeros((len(summed), 1)), summed[:, :-1]], axis=1)
    taken = np.empty(summed.shape, dtype=bool)
    np.put_along_axis(taken, order, before < limit, axis=1)
    return taken
