"""Index, opened; and what finds its texts: exact, with the vectors mapped from disk, or along a graph."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.base.errors import HfkitError, check_known
from hfkit.base.untrusted import read_json_file
from hfkit.evaluation.bm25 import BM25
from hfkit.evaluation.nearest import nearest
from hfkit.inference.search.building import ABOUT, TEXTS, VECTORS, embedder
from hfkit.inference.search.graph import near, read_graph

WAYS = ("vectors", "graph", "words")

Finder = Callable[[list[str], int], tuple[Any, Any]]
"""Queries and how many texts of each -> of each query the places of texts and their scores, the best first."""


@dataclass(frozen=True)
class Index:
    """A folder of vectors: they are mapped from disk, and read as they are looked at."""

    folder: Path
    vectors: np.ndarray
    documents: pa.Table
    about: dict[str, Any]

    @classmethod
    def open(cls, folder: str | Path) -> "Index":
        """Raises HfkitError: the folder holds no index, or files that do not fit together."""
        place = Path(folder)
        if not (place / ABOUT).is_file():
            raise HfkitError(
                f"{folder} holds no index", fix="make one: hfkit index RUN --input corpus.jsonl --output index"
            )
        try:
            about = read_json_file(place / ABOUT)
            vectors = np.lib.format.open_memmap(place / VECTORS, mode="r")  # never reads pickles
            documents = parquet.read_table(place / TEXTS, memory_map=True)
            fits = vectors.ndim == 2 and vectors.dtype.kind == "f" and len(vectors) == len(documents) == about["rows"]
            fits = fits and {"id", "text"} <= set(documents.column_names) and isinstance(about["model"], str)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise HfkitError(f"The index cannot be read: {error}", where=str(folder), fix="make it anew") from error
        if not fits:
            raise HfkitError("The files of the index do not fit together", where=str(folder), fix="make it anew")
        return cls(place, vectors, documents, about)


def finder(found: Index, by: str, model: str | None, options: dict[str, Any]) -> Finder:
    """What finds the texts of an index: by `vectors` of a model, along their `graph`, or by `words`. Raises HfkitError:
    another way, a model that makes no vectors, or others than the index has."""
    check_known(by, WAYS, f"There is no --by {by}")
    if by == "words":
        if model is not None:
            raise HfkitError("--model has no effect on --by words, which counts them", fix="drop one of the two")
        return BM25(found.documents["text"].to_pylist()).highest
    graph = read_graph(found.folder, found.vectors) if by == "graph" else None
    embed = embedder(model or found.about["model"], {"revision": found.about.get("revision")} | options)

    def looked(queries: list[str], wanted: int) -> tuple[Any, Any]:
        vectors = embed.vectors(queries, "query", found.about.get("truncate_dim"), normalize=True)
        if vectors.shape[1] != found.vectors.shape[1]:
            what = f"The model's vectors have {vectors.shape[1]} numbers, the index's {found.vectors.shape[1]}"
            raise HfkitError(what, where=str(found.folder), fix="name the model that made it with --model")
        return nearest(vectors, found.vectors, wanted) if graph is None else near(graph, found.vectors, vectors, wanted)

    return looked
