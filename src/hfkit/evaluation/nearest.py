"""Exact search: the nearest of many vectors, a block at a time, in an order that nothing but the vectors decides."""

from collections.abc import Iterator

import numpy as np

BLOCK = 2**25
"""Similarities that are held at once: 128 MiB in float32."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """The vectors at length 1, over the last side."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(min=1e-12))


def highest(scores: np.ndarray, top_k: int) -> np.ndarray:
    """(rows, at most `top_k`) places of each row's highest scores, the highest first; of equal ones the first place."""
    width = scores.shape[1]
    if top_k >= width:
        return np.argsort(-scores, axis=1, kind="stable")
    least = -np.partition(-scores, top_k - 1, axis=1)[:, top_k - 1]
    found = np.empty((len(scores), top_k), dtype=np.int64)
    for row, (values, limit) in enumerate(zip(scores, least, strict=True)):
        above, equal = np.flatnonzero(values > limit), np.flatnonzero(values == limit)
        places = np.concatenate([above, equal[: top_k - len(above)]])
        found[row] = places[np.lexsort((places, -values[places]))]
    return found


def blocks(queries: np.ndarray, documents: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """The dot products of some queries at a time with all documents: (queries of the slice, documents) in float32."""
    rows = max(1, BLOCK // max(1, len(documents)))
    for start in range(0, len(queries), rows):
        here = slice(start, min(start + rows, len(queries)))
        yield here, np.asarray(queries[here], dtype=np.float32) @ np.asarray(documents, dtype=np.float32).T


def nearest(queries: np.ndarray, documents: np.ndarray, top_k: int, rows: int = 65536) -> tuple[np.ndarray, np.ndarray]:
    """The `top_k` documents of each query with the highest dot products, and these.

    `documents` may be a file in memory's place (`np.lib.format.open_memmap`): `rows` of it are looked at at a time.
    Returns (queries, at most `top_k`) places and (queries, at most `top_k`) float32, the highest first."""
    top = min(top_k, len(documents))
    places = np.zeros((len(queries), top), dtype=np.int64)
    scores = np.full((len(queries), top), -np.inf, dtype=np.float32)
    for start in range(0, len(documents), rows):
        for here, products in blocks(queries, documents[start : start + rows]):
            best = highest(products, top)
            both = np.concatenate([scores[here], np.take_along_axis(products, best, axis=1)], axis=1)
            order = highest(both, top)
            places[here] = np.take_along_axis(np.concatenate([places[here], best + start], axis=1), order, axis=1)
            scores[here] = np.take_along_axis(both, order, axis=1)
    return places, scores
