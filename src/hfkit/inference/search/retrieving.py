"""retrieve: the nearest texts of an index for each query; exact, with the vectors mapped from disk."""

import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.base.untrusted import read_json_file
from hfkit.config import FileArguments
from hfkit.data.tables.columns import TEXT_NAMES
from hfkit.data.tables.table import is_missing
from hfkit.evaluation.nearest import nearest
from hfkit.inference.readers import column_of, open_rows
from hfkit.inference.rows import free_name
from hfkit.inference.search.building import ABOUT, TEXTS, VECTORS, embedder
from hfkit.inference.writers import open_writer


@dataclass(frozen=True)
class Index:
    """A folder of vectors: they are mapped from disk, and read as they are looked at."""

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
        return cls(vectors, documents, about)


def retrieve(
    index_folder: str | Path,
    input: str | Path,
    output: str | Path | None = None,
    *,
    top_k: int = 10,
    model: str | None = None,
    text_column: str | None = None,
    disable_tqdm: bool = False,
    how: FileArguments | None = None,
    **options: Any,
) -> int:
    """Write the nearest texts of an index for each query of a file: a row each, with the query's columns, `rank` from
    1, `document_id`, `score` (the cosine) and `document`.

    The search is exact: every vector is looked at, a block at a time. `model` is by default the one that made the
    index; `output` ends in .csv, .tsv, .jsonl or .parquet, and None is standard output. Returns the number of queries.
    Raises HfkitError: there is no index, a query has no text, or the model's vectors have other numbers."""
    if top_k < 1:
        raise HfkitError(f"--top_k {top_k} finds nothing", fix="give a whole number from 1")
    found = Index.open(index_folder)
    options.setdefault("revision", found.about.get("revision"))
    with open_rows(input, how) as source:
        column = column_of(source, text_column, None, ("query", "question", *TEXT_NAMES))
        embed = embedder(model or found.about["model"], options)
        names = {name: free_name(source.columns, name) for name in ("rank", "document_id", "score", "document")}
        kinds = (pa.int64(), pa.string(), pa.float64(), pa.string())
        added = [pa.field(name, kind) for name, kind in zip(names.values(), kinds, strict=True)]
        schema = pa.schema([*(source.schema or ()), *added])
        queries = 0
        with (
            open_writer(output, source.columns, list(names.values()), schema) as writer,
            Bar("retrieve", "row", None, hidden=disable_tqdm or output is None) as bar,
        ):
            while rows := list(islice(source.rows, 4 * embed.chunk)):
                asked = [_query(place, row, column) for place, row in rows]
                vectors = embed.vectors(asked, "query", found.about.get("truncate_dim"), normalize=True)
                if vectors.shape[1] != found.vectors.shape[1]:
                    what = f"The model's vectors have {vectors.shape[1]} numbers, the index's {found.vectors.shape[1]}"
                    raise HfkitError(what, where=str(index_folder), fix="name the model that made it with --model")
                places, scores = nearest(vectors, found.vectors, top_k)
                told = zip(rows, places, scores, strict=True)
                writer.write([row | one for (_, row), *said in told for one in _told(found, names, *said)])
                queries += len(rows)
                bar.update(len(rows))
    if output is not None:
        print(f"queries answered in {output}: {queries:,}", file=sys.stderr)
    return queries


def _query(place: str, row: dict[str, Any], column: str) -> str:
    text = row.get(column)
    if not isinstance(text, str) or is_missing(text):
        raise HfkitError(f"The query has no text in its column {column!r}: {repr(text)[:80]}", where=place)
    return text


def _told(found: Index, names: dict[str, str], places: np.ndarray, scores: np.ndarray) -> list[dict[str, Any]]:
    """The rows of a query: what was found, the nearest first."""
    rows = found.documents.take(pa.array(places)).to_pylist()
    values = [
        (at + 1, row["id"], round(float(score), 6), row["text"])
        for at, (row, score) in enumerate(zip(rows, scores, strict=True))
    ]
    return [dict(zip(names.values(), value, strict=True)) for value in values]
