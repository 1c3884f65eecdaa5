"""Writers: rows into a CSV, JSON lines or Parquet file that appears whole or not at all."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.base.atomic import unwritable
from hfkit.base.errors import HfkitError
from hfkit.base.sanitize import flat
from hfkit.data.readers import CSV_SUFFIXES, SUFFIXES
from hfkit.data.tables.table import counted, is_number

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a spreadsheet takes for the beginning of a formula."""

VECTORS = ".npy"


class Writer:
    """Takes rows, a chunk at a time; `notes` say what was changed on the way, counted."""

    notes: Sequence[str] = ()

    def write(self, rows: list[dict[str, Any]]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Write what ends the file."""


@contextmanager
def open_writer(
    path: str | Path | None, columns: list[str], added: list[str], schema: pa.Schema | None = None
) -> Iterator[Writer]:
    """A writer by the file's ending. The rows go into a neighbour that takes the file's name when all went well.

    `path` ends in .csv, .tsv, .jsonl, .ndjson, .json or .parquet, and replaces what is there. None: the `added`
    columns, those of the answers, alone, a line a row, on standard output. `columns` are those that the rows came with,
    in order. `schema` has the types of columns (Parquet); those that it lacks, and all without it, get theirs from the
    values. Raises HfkitError: an ending that is not written, no such folder, no right to write, a full disk."""
    if path is None:
        yield LineWriter(added)
        return
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, VECTORS):
        what = f"Files ending in {suffix or 'nothing'} are not written"
        raise HfkitError(what, where=str(path), fix=", ".join(SUFFIXES))
    staged = path.with_name(f".{path.name}.tmp")
    try:
        # Opened now, so that a folder that cannot be written is found before the model has worked.
        with staged.open("wb") as stream:
            writer: Writer = JsonWriter(stream)
            if suffix == ".parquet":
                writer = ParquetWriter(stream, [*columns, *added], schema)
            elif suffix in CSV_SUFFIXES:
                writer = CsvWriter(stream, [*columns, *added], "\t" if suffix == ".tsv" else ",")
            elif suffix == VECTORS:
                writer = NpyWriter(stream, added)
            yield writer
            writer.close()
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    except OSError as error:
        raise unwritable(path, error, "set --output") from error
    finally:
        if staged.parent.is_dir():
            staged.unlink(missing_ok=True)


class LineWriter(Writer):
    """Tab-separated answers on standard output."""

    def __init__(self, added: list[str]) -> None:
        self.added = added

    def write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            print(*(flat(_line(row[name])) for name in self.added), sep="\t", flush=True)


class CsvWriter(Writer):
    """CSV in UTF-8. A cell that a spreadsheet would run as a formula gets an apostrophe in front; numbers do not."""

    def __init__(self, stream: BinaryIO, columns: list[str], separator: str) -> None:
        self.stream, self.columns, self.separator = stream, columns, separator
        self.defused = 0
        self._row(columns)

    def write(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            self._row([row.get(name) for name in self.columns])

    def _row(self, values: list[Any]) -> None:
        cells = [self._cell(value) for value in values]
        line = self.separator.join(cells) if cells != [""] else '""'  # else it would be a blank line, which none reads
        self.stream.write(f"{line}\n".encode())

    def _cell(self, value: Any) -> str:
        text = _line(value)
        if isinstance(value, str) and text.startswith(FORMULA) and not is_number(text):
            self.defused += 1
            cells = counted(self.defused, "cell")
            self.notes = [f"leading apostrophes: {cells} that a spreadsheet would run as a formula"]
            text = f"'{text}"
        # Python's own writer leaves a lone carriage return bare, and every reader ends the row there.
        if any(mark in text for mark in (self.separator, '"', "\n", "\r")):
            text = '"' + text.replace('"', '""') + '"'
        return text


class JsonWriter(Writer):
    """An object a line, in UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream

    def write(self, rows: list[dict[str, Any]]) -> None:
        lines = [json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows]
        self.stream.write("".join(lines).encode("utf-8"))


class ParquetWriter(Writer):
    """A row group a chunk. Types that nobody declared are those of the first chunk."""

    def __init__(self, stream: BinaryIO, columns: list[str], schema: pa.Schema | None) -> None:
        self.stream, self.columns = stream, columns
        self.declared = {field.name: field for field in schema or ()}
        self.writer: parquet.ParquetWriter | None = None

    def write(self, rows: list[dict[str, Any]]) -> None:
        try:
            if self.writer is None:
                self.writer = parquet.ParquetWriter(self.stream, self._schema(rows), compression="zstd")
            self.writer.write_table(pa.Table.from_pylist(rows, schema=self.writer.schema))
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            fix = "write .jsonl instead, whose rows need no common types"
            raise HfkitError(f"The rows do not fit the types of the columns: {error}", fix=fix) from error

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def _schema(self, rows: list[dict[str, Any]]) -> pa.Schema:
        fields = []
        for name in self.columns:
            found = pa.array([row.get(name) for row in rows]).type
            fields.append(self.declared.get(name, pa.field(name, pa.string() if pa.types.is_null(found) else found)))
        return pa.schema(fields)


class NpyWriter(Writer):
    """Vectors alone, as NumPy's .npy: (rows, numbers) of the one column that is added. A row without has zeros."""

    def __init__(self, stream: BinaryIO, added: Sequence[str], dtype: Any = np.float32) -> None:
        self.stream, self.added, self.dtype = stream, list(added), np.dtype(dtype)
        self.rows, self.width, self.before = 0, 0, 0  # the last: rows without a vector, before there is any

    def write(self, rows: list[dict[str, Any]]) -> None:
        found = [row.get(self.added[0]) for row in rows]
        known = next((one for one in found if one is not None), None)
        if len(self.added) > 1 or not (known is None or np.asarray(known).dtype.kind == "f"):
            what = f"A {VECTORS} file holds vectors, and the answers are none"
            raise HfkitError(what, fix="write .jsonl or .parquet")
        if not self.width and known is not None:
            self.width = len(known)
            self._header()
            self._put([None] * self.before)
        self.rows += len(found)
        if self.width:
            self._put(found)
        else:
            self.before += len(found)

    def _put(self, found: list[Any]) -> None:
        values = np.zeros((len(found), self.width), dtype=self.dtype)
        for row, one in enumerate(found):
            if one is not None:
                values[row] = one
        self.stream.write(values.tobytes())

    def close(self) -> None:
        """Say in the header how many rows there are, in the room that it left for that."""
        self.stream.seek(0)
        self._header()
        self.stream.seek(0, os.SEEK_END)

    def _header(self) -> None:
        about = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, self.width)}
        np.lib.format.write_array_header_1_0(self.stream, about)


def _line(value: Any) -> str:
    """A list as JSON, as `hfkit.load_data` reads it back; anything else as it is."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
