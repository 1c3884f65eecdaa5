"""index: the vectors of a corpus in a folder, to be searched in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.base.atomic import whole_folder, write_json, writing
from hfkit.base.errors import HfkitError, check_known
from hfkit.base.progress import Bar
from hfkit.config import FileArguments
from hfkit.data.tables.columns import ID_NAMES, TEXT_NAMES
from hfkit.data.tables.table import counted, is_missing
from hfkit.data.vision.decode import BadImage, decode
from hfkit.inference.pictures import Pictures
from hfkit.inference.pipelines import pipeline
from hfkit.inference.readers import Row, Source, column_of, open_rows
from hfkit.inference.search.graph import write_graph
from hfkit.inference.writers import NpyWriter, ParquetWriter

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
    graph: bool = False,
    skip_bad_rows: bool = False,
    disable_tqdm: bool = False,
    how: FileArguments | None = None,
    **options: Any,
) -> int:
    """Write the vectors of a file's texts to a folder that `retrieve` searches in, in constant memory.

    Args:
        model: A run, a model's folder or a Hub id that makes vectors of texts; the folder keeps its name.
        input: A corpus: a .jsonl, .csv, .tsv or .parquet file with a text a row, perhaps an `id` or `_id`, and with a
            `title`, which is read before the text; or a folder of pictures, for a model that knows them by texts.
        output: The folder: `vectors.npy` (texts, numbers), each of length 1; `documents.parquet`; `index.json`.
        text_column: Default: one of a usual name.
        dtype: float32; or float16, half as large, which moves a cosine by less than 0.001.
        truncate_dim: Numbers of a vector that are kept. Default: all.
        graph: Write the graph of the vectors too, `vectors.faiss`, for `retrieve` to look along: an extra.
        skip_bad_rows: Leave out rows without a text, counted, instead of stopping.
        how: How the file is read.
        options: Of `hfkit.pipeline`.

    Returns:
        The number of texts.

    Raises:
        HfkitError: The model makes no vectors, the folder is there already, a row has no text, an id stands twice.
    """
    check_known(dtype, DTYPES, f"There is no --dtype {dtype}")
    place = Path(output)
    if place.exists():
        raise HfkitError(f"{place} is there already", fix="set --output to a new folder")
    with _corpus(input, model, text_column, skip_bad_rows, how) as (source, texts):
        embed = embedder(model, options)
        if isinstance(texts, _Pictures) and not hasattr(embed, "looked_at"):
            raise HfkitError(
                f"{model} makes no vectors of pictures", where=f"--input {input}", fix="give a file of texts"
            )
        with writing(place, "set --output"), whole_folder(place) as staged:
            rows = _write(staged, texts, embed, truncate_dim, np.dtype(dtype), disable_tqdm)
            if not rows:
                raise HfkitError("The file has no texts", where=source.name)
            share = write_graph(staged, np.lib.format.open_memmap(staged / VECTORS, mode="r")) if graph else None
            about = {"model": str(model), "revision": options.get("revision"), "truncate_dim": truncate_dim}
            write_json(staged / ABOUT, about | {"rows": rows, "input": source.name, "graph": share})
    found = (
        [] if share is None else [f"along the graph {share:.3f} of the ten nearest are found, of 100 texts' vectors"]
    )
    for note in [*source.notes, *texts.notes(), *found, f"{counted(rows, texts.noun)} of {source.name} in {place}"]:
        print(note, file=sys.stderr)
    return rows


def _write(
    folder: Path, texts: "_Documents | _Pictures", embed: Any, truncate_dim: int | None, dtype: np.dtype, hidden: bool
) -> int:
    """The vectors and the texts, a chunk at a time; returns how many."""
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with (
        (folder / VECTORS).open("wb") as first,
        (folder / TEXTS).open("wb") as second,
        Bar("index", "row", None, hidden=hidden) as bar,
    ):
        vectors, documents = NpyWriter(first, ["vector"], dtype), ParquetWriter(second, schema.names, schema)
        while rows := list(islice(texts, embed.chunk)):
            if isinstance(texts, _Pictures):
                found = embed.looked_at([row.pop("file") for row in rows])
            else:
                found = embed.vectors([row["text"] for row in rows], "document", truncate_dim, normalize=True)
            vectors.write([{"vector": vector} for vector in found])
            documents.write(rows)
            bar.update(len(rows))
        for writer in (vectors, documents):
            writer.close()
    return vectors.rows


@contextmanager
def _corpus(
    input: str | Path, model: str, text_column: str | None, skip: bool, how: FileArguments | None
) -> "Iterator[tuple[Source, _Documents | _Pictures]]":
    """What is indexed, and where its rows come from."""
    if str(input) != "-" and Path(input).is_dir():
        pictures = Pictures.below(Path(input), model, how or FileArguments())
        yield pictures.source, _Pictures(pictures, skip)
        return
    with open_rows(input, how) as source:
        yield source, _Documents(source, column_of(source, text_column, None, (*TEXT_NAMES, "document")), skip)


class _Pictures:
    """The pictures below a folder, each by its path there."""

    noun = "picture"

    def __init__(self, below: Pictures, skip: bool) -> None:
        self.below, self.skip, self.bad, self.files = below, skip, list[str](), iter(below.files)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for file in self.files:
            try:
                if self.skip:
                    decode(file)
                yield {"id": self.below.name(file), "text": self.below.name(file), "file": file}
            except BadImage as error:
                self.bad.append(f"{self.below.name(file)} {error}")

    def notes(self) -> list[str]:
        """Those that are left out are told, each with why."""
        self.below.tell(self.bad)
        return []


class _Documents:
    """The texts of a corpus with their ids, one after the other."""

    noun = "text"

    def __init__(self, source: Source, column: str, skip: bool) -> None:
        self.column, self.skip, self.skipped, self.seen = column, skip, 0, set[str]()
        self.id = next((name for name in source.columns if name.casefold() in IDS), None)
        self.title = next((name for name in source.columns if name.casefold() == "title" and name != column), None)
        self.rows: Iterator[Row] = iter(source.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for place, row in self.rows:
            text = row.get(self.column)
            if isinstance(text, str) and not is_missing(text):
                yield {"id": self._id(place, row), "text": self._titled(row, text)}
                continue
            if not self.skip:
                fix = "mend the row, or --skip_bad_rows leaves such rows out"
                what = f"The row has no text in its column {self.column!r}: {repr(text)[:80]}"
                raise HfkitError(what, where=place, fix=fix)
            self.skipped += 1

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


def embedder(model: str, options: dict[str, Any]) -> Any:
    """A pipeline that makes vectors of texts. Raises HfkitError: the model's makes none."""
    embed = pipeline(model, **options)
    if not hasattr(embed, "vectors"):
        raise HfkitError(f"{model} makes no vectors of texts", fix="train one that does, or name such a model")
    return embed
