"""Graph: near vectors joined to each other (HNSW, Malkov and Yashunin 2018), for more than can be looked at one by one.

It says where to look; what is near there is decided by the vectors themselves. faiss-cpu, an extra, builds it and walks
along it, and keeps it in memory, two bytes a number. Two builds of it may miss different vectors.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from hfkit.base.errors import HfkitError
from hfkit.evaluation.nearest import nearest

GRAPH, KIND, LOOKED = "vectors.faiss", "HNSW32,SQfp16", 128
"""The file; 32 neighbours of each vector; vectors that a query holds on to on its way, or more where it wants more."""


def _faiss() -> Any:
    if importlib.util.find_spec("faiss") is None:
        raise HfkitError("The package faiss-cpu is not installed, which graphs need", fix="pip install 'hfkit[faiss]'")
    import faiss

    return faiss


def write_graph(folder: Path, vectors: np.ndarray, rows: int = 65536) -> float:
    """Write the graph of some vectors, (texts, numbers); returns which share it finds of the ten nearest of a hundred
    of them. Raises HfkitError: there is no faiss."""
    faiss = _faiss()
    graph = faiss.index_factory(vectors.shape[1], KIND, faiss.METRIC_INNER_PRODUCT)
    graph.train(np.asarray(vectors[:rows], dtype=np.float32))
    for start in range(0, len(vectors), rows):
        graph.add(np.asarray(vectors[start : start + rows], dtype=np.float32))
    faiss.write_index(graph, str(folder / GRAPH))
    asked = np.asarray(vectors[:: max(1, len(vectors) // 100)][:100], dtype=np.float32)
    pairs = zip(near(graph, vectors, asked, 10)[0], nearest(asked, vectors, 10)[0], strict=True)
    return float(np.mean([np.isin(exact, places).mean() for places, exact in pairs]))


def read_graph(folder: Path, vectors: np.ndarray) -> Any:
    """Raises HfkitError: there is no faiss, no graph, or that of other vectors."""
    faiss = _faiss()
    if not (folder / GRAPH).is_file():
        raise HfkitError("The index has no graph", where=str(folder), fix="hfkit index ... --graph makes one")
    try:
        graph = faiss.read_index(str(folder / GRAPH))
    except RuntimeError as error:
        raise HfkitError("The graph cannot be read", where=str(folder / GRAPH), fix="make the index anew") from error
    if (graph.ntotal, graph.d) != vectors.shape or not hasattr(graph, "hnsw"):
        raise HfkitError("The graph is not that of the vectors", where=str(folder / GRAPH), fix="make the index anew")
    return graph


def near(
    graph: Any, vectors: np.ndarray, queries: np.ndarray, wanted: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each query at most `wanted` places and the exact products there, the highest first."""
    graph.hnsw.efSearch = max(LOOKED, 2 * wanted)
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for query, places in zip(queries, graph.search(queries, min(2 * wanted, len(vectors)))[1], strict=True):
        own = np.sort(places[places >= 0])
        scores = np.asarray(vectors[own], dtype=np.float32) @ query
        order = np.argsort(-scores, kind="stable")[:wanted]
        found[0].append(own[order])
        found[1].append(scores[order])
    return found
