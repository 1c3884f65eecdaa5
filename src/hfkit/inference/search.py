"""Search: the vectors of a corpus in a folder, and the nearest of them for each query; exact, and mapped from disk."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.base.atomic import whole_folder, write_json, writing
from hfkit.base.errors import HfkitError, nearest
from hfkit.base.progress import Bar
from hfkit.base.untrusted import read_json_file
from hfkit.config import FileArguments
from hfkit.data.tables.columns import ID_NAMES, TEXT_NAMES
from hfkit.data.tables.table import counted, is_missing
from hfkit.evaluation.nearest import nearest as nearest_of
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, Source, column_of, open_rows
from hfkit.inference.rows import free_name
from hfkit.inference.writers import NpyWriter, ParquetWriter, open_writer

VECTORS, TEXTS, ABOUT = "vectors.npy", "documents.parquet", "index.json"

DTYPES = ("float32", "float16")

IDS = ("_id", *ID_NAMES, "document_id", "doc_id")


def index(
    model: str,
    input: str | Path,
    output: str | Path,
    *,
    text_column: str | None = None,
    dtype: str = "float32",
    truncate_dim: int | None = None,
    skip_bad_rows: bool = False,
    disable_tqdm: bool = False,
    how: FileArguments | None = None,
    **options: Any,
) -> int:
    """Write the vectors of a file's texts to a folder that `retrieve` searches in, in constant memory.

    Args:
        model: A run, a model's folder or a Hub id that makes vectors of texts; the folder keeps its name.
        input: A corpus: a .jsonl, .csv, .tsv or .parquet file with a text a row, perhaps an `id` or `_id`, and with a
            `title`, which is read before the text.
        output: The folder: `vectors.npy` (texts, numbers), each of length 1; `documents.parquet`; `index.json`.
        text_column: Default: one of a usual name.
        dtype: float32; or float16, half as large, which moves a cosine by less than 0.001.
        truncate_dim: Numbers of a vector that are kept. Default: all.
        skip_bad_rows: Leave out rows without a text, counted, instead of stopping.
        how: How the file is read.
        options: Of `hfkit.pipeline`.

    Returns:
        The number of texts.

    Raises:
        HfkitError: The model makes no vectors, the folder is there already, a row has no text, an id stands twice.
    """
    if dtype not in DTYPES:
        raise HfkitError(f"There is no --dtype {dtype}", fix=nearest(dtype, DTYPES))
    place = Path(output)
    if place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to a new folder")
    with open_rows(input, how) as source:
        read = _Documents(source, column_of(source, text_column, None, (*TEXT_NAMES, "document")), skip_bad_rows)
        embed = _embedder(model, options)
        with writing(place, "set --output"), whole_folder(place) as staged, (staged / VECTORS).open("wb") as stream:
            vectors = NpyWriter(stream, ["vector"], np.dtype(dtype))
            with (staged / TEXTS).open("wb") as texts, Bar("index", "row", None, hidden=disable_tqdm) as bar:
                documents = ParquetWriter(
                    texts, ["id", "text"], pa.schema([("id", pa.string()), ("text", pa.string())])
                )
                while rows := list(islice(read, embed.chunk)):
                    found = embed.vectors([row["text"] for row in rows], "document", truncate_dim, normalize=True)
                    vectors.write([{"vector": vector} for vector in found])
                    documents.write(rows)
                    bar.update(len(rows))
                documents.close()
            vectors.close()
            if not vectors.rows:
                raise HfkitError("The file has no texts", where=source.name)
            about = {"model": str(model), "truncate_dim": truncate_dim, "rows": vectors.rows, "input": source.name}
            write_json(staged / ABOUT, about | {"revision": options.get("revision")})
    for note in [*source.notes, *read.notes()]:
        print(note, file=sys.stderr)
    print(f"{counted(vectors.rows, 'text')} of {source.name} in {place}", file=sys.stderr)
    return vectors.rows


class _Documents:
    """The texts of a corpus with their ids, one after the other."""

    def __init__(self, source: Source, column: str, skip: bool) -> None:
        self.column, self.skip, self.skipped, self.seen = column, skip, 0, set[str]()
        self.id = next((name for name in source.columns if name.casefold() in IDS), None)
        self.title = next((name for name in source.columns if name.casefold() == "title" and name != column), None)
        self.rows: Iterator[Row] = iter(source.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def __next__(self) -> dict[str, Any]:
        for place, row in self.rows:
            text = row.get(self.column)
            if isinstance(text, str) and not is_missing(text):
                return {"id": self._id(place, row), "text": self._titled(row, text)}
            if not self.skip:
                fix = "mend the row, or --skip_bad_rows leaves such rows out"
                what = f"The row has no text in its column {self.column!r}: {repr(text)[:80]}"
                raise HfkitError(what, where=place, fix=fix)
            self.skipped += 1
        raise StopIteration

    def _titled(self, row: dict[str, Any], text: str) -> str:
        title = row.get(self.title) if self.title else None
        return text if is_missing(title) else f"{str(title).strip()} {text.strip()}"

    def _id(self, place: str, row: dict[str, Any]) -> str:
        id = str(len(self.seen)) if self.id is None else row.get(self.id)
        if is_missing(id) or str(id) in self.seen:
            what = "The row has no id" if is_missing(id) else f"The id {str(id)[:60]!r} stands twice"
            raise HfkitError(what, where=place, fix="give each text an id of its own, or drop the column")
        self.seen.add(str(id))
        return str(id)

    def notes(self) -> list[str]:
        """What was done to the rows."""
        told = [f"{self.title} and {self.column} are read as one text"] if self.title else []
        return told + ([f"{counted(self.skipped, 'row')} without a text left out"] if self.skipped else [])


def _embedder(model: str, options: dict[str, Any]) -> Any:
    embed = pipeline(model, **options)
    if not hasattr(embed, "vectors"):
        raise HfkitError(f"{model} makes no vectors of texts", fix="train one that does, or name such a model")
    return embed


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
        embed = _embedder(model or found.about["model"], options)
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
                places, scores = nearest_of(vectors, found.vectors, top_k)
                for (_, row), *said in zip(rows, places, scores, strict=True):
                    writer.write([row | one for one in _told(found, names, *said)])
                queries += len(rows)
                bar.update(len(rows))
    if output is not None:
        print(f"{counted(queries, 'query').replace('querys', 'queries')} answered in {output}", file=sys.stderr)
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
