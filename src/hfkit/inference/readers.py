"""Readers: the rows of a file of any size, a few at a time, each with the place where it stands."""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as parquet

from hfkit.data.tables import check_names, csv_header
from hfkit.errors import HfkitError
from hfkit.foreign import check_text, not_text, read_json, regular_file, text_codec

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
CSV_SUFFIXES = (".csv", ".tsv")
SUFFIXES = (*CSV_SUFFIXES, *JSON_SUFFIXES, ".parquet")
STDIN, STDIN_NAME = "-", "standard input"

Row = tuple[str, dict[str, Any]]
"""Where a row stands, as a person finds it, and its values by column."""


@dataclass
class Source:
    """An open file.

    Attributes:
        name: What messages call it.
        columns: The names of its columns, in order; of JSON lines, those of the first row.
        rows: The rows, each once.
        total: Bytes, or for Parquet rows, so that a progress bar knows the end; None on standard input.
        done: How many of them have been read.
        unit: What `total` counts: "B" or "row".
        schema: Column types where the file has them (Parquet).
    """

    name: str
    columns: list[str]
    rows: Iterator[Row]
    total: int | None
    done: Callable[[], int]
    unit: str = "B"
    schema: pa.Schema | None = None


@contextmanager
def open_rows(path: str | Path, encoding: str = "utf-8", delimiter: str | None = None) -> Iterator[Source]:
    """Open a file by its ending; `-` is standard input, a text a line.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson, .json or .parquet file, or `-`.
        encoding: Of the text formats; a byte order mark is not part of the text.
        delimiter: Of CSV; default comma, or tab in a .tsv file.

    Raises:
        HfkitError: no such file, an ending that is not read, an empty file; and, while rows are read, a broken row.
    """
    if str(path) == STDIN:
        lines = text_lines(sys.stdin.buffer, STDIN_NAME, encoding)
        yield Source(STDIN_NAME, ["text"], lines, None, lambda: 0, unit="row")
        return
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise HfkitError(f"Files ending in {suffix or 'nothing'} are not read", where=str(path), fix=_endings())
    path, encoding = regular_file(path), text_codec(encoding)
    try:
        with path.open("rb") as stream:
            size = path.stat().st_size
            if size == 0:
                raise HfkitError("The file is empty", where=str(path))
            if suffix == ".parquet":
                yield _parquet(path, stream)
                return
            check_text(stream.peek(8), path)
            if suffix in CSV_SUFFIXES:
                separator = delimiter or ("\t" if suffix == ".tsv" else ",")
                yield _csv(path, stream, size, encoding, "\t" if separator in ("\\t", "tab") else separator)
            else:
                yield _json(path, stream, size, encoding)
    except PermissionError as error:
        raise HfkitError(f"The file cannot be read: {error.strerror}", where=str(path)) from error


def _endings() -> str:
    return f"give a file ending in {', '.join(SUFFIXES)}, or {STDIN} for lines on standard input"


def _decoded(stream: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    """Lines with their ends. Decoded one by one, so that bytes that are not text are found on their line."""
    if encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):  # there a line's end is more than a byte
        yield from _decoded_wide(stream, name, encoding)
        return
    first = encoding
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode(first)
        except UnicodeError as error:
            at = getattr(error, "start", 0)  # idna and its like do not say
            raise not_text(name, number, encoding, line[:64], line[at]) from error
        if "\0" in text:
            raise not_text(name, number, encoding, line[:64], 0)
        yield text
        first = encoding.removesuffix("-sig")  # only the first line can begin with a byte order mark


def _decoded_wide(stream: BinaryIO, name: str, encoding: str) -> Iterator[str]:
    text, lines = io.TextIOWrapper(stream, encoding=encoding, newline=""), 0
    try:
        for line in text:
            lines += 1
            yield line
    except UnicodeError as error:
        raise not_text(name, lines + 1, encoding, b"") from error
    text.detach()  # else it would close the stream, which is asked how far it got


def text_lines(stream: BinaryIO, name: str, encoding: str) -> Iterator[Row]:
    """A row a line, in the column `text`; `name` is what messages call the stream."""
    for number, line in enumerate(_decoded(stream, name, encoding), start=1):
        yield f"{name}, line {number}", {"text": line.rstrip("\r\n")}


def _csv(path: Path, stream: BinaryIO, size: int, encoding: str, separator: str) -> Source:
    if len(separator) != 1 or separator in '"\r\n':
        raise HfkitError(f"--delimiter {separator!r} is not one character", fix="such as --delimiter ';' or tab")
    csv.field_size_limit(sys.maxsize)  # 128 KiB would refuse a long text
    reader = csv.reader(_rows_apart(_decoded(stream, str(path), encoding)), delimiter=separator, strict=True)
    records = _records(path, reader)
    _, header = next(records, ("", []))
    columns = csv_header(path, header, separator)

    def rows() -> Iterator[Row]:
        for place, record in records:
            if len(record) != len(columns):
                raise HfkitError(
                    f"The row has {len(record)} fields and the header {len(columns)}",
                    where=place,
                    fix="a text that holds the separator or a line break stands in double quotes;"
                    " a file with another separator needs --delimiter",
                )
            yield place, dict(zip(columns, record, strict=True))

    return Source(str(path), columns, rows(), size, stream.tell)


def _rows_apart(lines: Iterator[str]) -> Iterator[str]:
    """Old Macs end a row with a carriage return alone."""
    for line in lines:
        yield from re.split("(?<=\r)(?=[^\n])", line) if "\r" in line.rstrip("\r\n") else (line,)


def _records(path: Path, reader: Any) -> Iterator[tuple[str, list[str]]]:
    """Records of a CSV file that are not blank, with the line on which each begins."""
    begin = 1
    try:
        for record in reader:
            if record:
                yield f"{path}, line {begin}", record
            begin = reader.line_num + 1
    except csv.Error as error:
        raise HfkitError(
            f"The row that begins here is broken: {error}",
            where=f"{path}, line {begin}",
            fix='a quoted text ends with a double quote, and a double quote inside it is written twice ("")',
        ) from error


def _json(path: Path, stream: BinaryIO, size: int, encoding: str) -> Source:
    rows = _objects(path, stream, encoding)
    first = next(rows, None)
    if first is None:
        raise HfkitError("The file holds no rows", where=str(path))

    def all_rows() -> Iterator[Row]:
        yield first
        yield from rows

    return Source(str(path), list(first[1]), all_rows(), size, stream.tell)


def _objects(path: Path, stream: BinaryIO, encoding: str) -> Iterator[Row]:
    for number, line in enumerate(_decoded(stream, str(path), encoding), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        row = read_json(
            line, place, "The line", "a JSON list or an object over many lines is not read: write one object a line"
        )
        if not isinstance(row, dict):
            raise HfkitError(
                f"The line holds {type(row).__name__}, not an object",
                where=place,
                fix='each is an object such as {"text": "..."}',
            )
        yield place, row


def _parquet(path: Path, stream: BinaryIO) -> Source:
    try:
        file = parquet.ParquetFile(stream)
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(path, error) from error
    names = file.schema_arrow.names
    check_names(names, str(path))
    read = 0

    def rows() -> Iterator[Row]:
        nonlocal read
        try:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    read += 1
                    yield f"{path}, row {read}", row
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _no_parquet(path, error) from error

    return Source(str(path), names, rows(), file.metadata.num_rows, lambda: read, "row", file.schema_arrow)


def _no_parquet(path: Path, error: Exception) -> HfkitError:
    return HfkitError(f"The file is not Parquet, or damaged: {str(error).splitlines()[0]}", where=str(path))
