"""The readers of CSV, JSON lines and Parquet.

They are exact about faults: a broken row is named by its line in the file, which no fast parser of ours keeps.
"""

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hfkit.data.table import Table, arrow_table, counted
from hfkit.errors import HfkitError
from hfkit.foreign import check_text, not_text, read_json, regular_file, text_codec

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")

MAX_COLUMNS = 1000
"""Of JSON lines. Every row has a cell for every column: lines with a key of their own each would fill the memory."""

SWELLS = 100
"""A Parquet file of equal values may be a thousandth of what it holds, and no data set is. Counted from 64 MB on."""


def read_table(path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> Table:
    """Reads one file, by its ending.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson, .json or .parquet file.
        encoding: Of the text formats. A byte order mark at the start is not part of the text.
        delimiter: Of CSV; default comma, or tab for .tsv.

    Raises:
        HfkitError: Another ending, no regular file, an empty one, a header without rows, bytes that are not text in
            `encoding`, or a broken row, with its line.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise HfkitError(f"Files ending in {suffix or 'nothing'} are not read", where=str(path), fix=_known_files())
    path = regular_file(path)
    try:
        if path.stat().st_size == 0:
            raise HfkitError("The file is empty", where=str(path))
        if suffix == ".parquet":
            table = _read_parquet(path)
        elif suffix in (".csv", ".tsv"):
            table = _read_csv(path, read_text(path, encoding), _separator(delimiter, suffix))
        else:
            table = _read_json(path, read_text(path, encoding))
    except OSError as error:
        raise HfkitError(f"The file cannot be read: {error.strerror or error}", where=str(path)) from error
    if len(table) == 0:
        raise HfkitError("The file has a header and no rows", where=str(path))
    return table


def _known_files() -> str:
    return f"give a file ending in {', '.join(SUFFIXES)}, or a folder of them"


def read_text(path: Path, encoding: str) -> str:
    """The whole of a text file.

    Raises:
        HfkitError: Its bytes are no text in `encoding`; the message names the line and the byte.
    """
    data = path.read_bytes()
    check_text(data[:8], path)
    try:
        text = data.decode(text_codec(encoding))
    except UnicodeError as error:
        at = getattr(error, "start", 0)  # idna and its like do not say
        cut = encoding.lower().startswith(("utf-16", "utf16", "utf-32", "utf32"))
        byte = None if cut else data[at]
        raise not_text(path, data.count(b"\n", 0, at) + 1, encoding, data[:64], byte) from error
    if "\0" in text:
        raise not_text(path, text.count("\n", 0, text.index("\0")) + 1, encoding, data[:64], 0)
    return text


def _separator(delimiter: str | None, suffix: str) -> str:
    separator = {None: "\t" if suffix == ".tsv" else ",", "\\t": "\t", "tab": "\t"}.get(delimiter, delimiter)
    if separator is None or len(separator) != 1 or separator in '"\r\n':
        raise HfkitError(f"--delimiter {delimiter!r} is not one character", fix="such as --delimiter ';' or tab")
    return separator


def _read_csv(path: Path, text: str, separator: str) -> Table:
    limit = csv.field_size_limit(sys.maxsize)  # 128 KiB would refuse a long text
    try:
        return _csv_table(path, csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), separator)
    finally:
        csv.field_size_limit(limit)


def _csv_table(path: Path, reader: Any, separator: str) -> Table:
    rows: list[list[str]] = []
    lines: list[int] = []
    begin, blank = 1, 0
    try:
        for row in reader:
            blank += not row
            if row:
                rows.append(row)
                lines.append(begin)
                if len(row) != len(rows[0]):
                    raise HfkitError(
                        f"The row has {len(row)} fields and the header {len(rows[0])}",
                        where=f"{path}, line {begin}",
                        fix="a text that holds the separator or a line break stands in double quotes;"
                        " a file with another separator needs --delimiter",
                    )
            begin = reader.line_num + 1
    except csv.Error as error:
        raise HfkitError(
            f"The row that begins here is broken: {error}",
            where=f"{path}, line {begin}",
            fix='a quoted text ends with a double quote, and a double quote inside it is written twice ("")',
        ) from error
    if not rows:
        raise HfkitError("The file holds blank lines only", where=str(path))
    header = csv_header(path, rows[0], separator)
    notes = [f"{counted(blank, 'blank line')} in {path.name} skipped"] if blank else []
    columns = zip(*rows[1:], strict=True) if len(rows) > 1 else [() for _ in header]
    return Table(str(path), dict(zip(header, map(list, columns), strict=True)), lines[1:], notes=notes)


def csv_header(path: Path, row: Sequence[str], separator: str) -> list[str]:
    """The names of a CSV file's columns; refused where one stands twice, or where another separator parts them."""
    header = [name.strip() or f"column_{number}" for number, name in enumerate(row, start=1)]
    check_names(header, f"{path}, line 1")
    for other, flag in ((";", "';'"), ("\t", "tab"), (",", "','"), ("|", "'|'")):
        if len(header) == 1 and other != separator and other in header[0]:
            raise HfkitError(
                f"The header is one column, {header[0][:60]!r}, read with the separator {separator!r}",
                where=f"{path}, line 1",
                fix=f"--delimiter {flag}",
            )
    return header


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse a table in which two columns have one name."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise HfkitError(f"The column {twice!r} stands twice in the header", where=where)


def _read_json(path: Path, text: str) -> Table:
    if text.lstrip()[:1] == "[" and path.suffix.lower() == ".json":
        return _records(path, enumerate(read_json(text, str(path)), start=1), "item")
    return _records(path, _json_lines(path, text), "line")


def _json_lines(path: Path, text: str) -> Iterable[tuple[int, Any]]:
    # split("\n"), not splitlines(): JSON texts may hold U+2028 and other marks that splitlines() breaks at.
    for line, record in enumerate(text.split("\n"), start=1):
        if record.strip():
            yield line, read_json(record, f"{path}, line {line}", "The line")


def _records(path: Path, records: Iterable[tuple[int, Any]], unit: str) -> Table:
    columns: dict[str, list[Any]] = {}
    lines: list[int] = []
    for line, record in records:
        if not isinstance(record, dict):
            raise HfkitError(
                f"The {unit} holds {type(record).__name__}, not an object", where=f"{path}, {unit} {line}",
                fix='each is an object such as {"text": "...", "label": "..."}',
            )  # fmt: skip
        for name in record:
            if name not in columns:
                columns[name] = [None] * len(lines)
                if len(columns) > MAX_COLUMNS:
                    raise HfkitError(
                        f"The rows have more than {MAX_COLUMNS:,} columns", where=f"{path}, {unit} {line}",
                        fix="keep the columns that are needed",
                    )  # fmt: skip
        for name, values in columns.items():
            values.append(record.get(name))
        lines.append(line)
    if not lines:
        raise HfkitError("The file holds no rows", where=str(path))
    if not columns:
        raise HfkitError("The rows have no columns", where=str(path))
    return Table(str(path), columns, lines, unit=unit)


def parquet_batches(path: Path) -> Iterator[Any]:
    """The rows of a Parquet file, some hundreds at a time.

    Raises:
        HfkitError: The file is no Parquet, or damaged.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        check_names(file.schema_arrow.names, str(path))
        for batch in _batches(path, file):
            batch.validate(full=True)
            yield batch
    except (pyarrow.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0]
        raise HfkitError(f"The file is not Parquet, or damaged: {problem}", where=str(path)) from error


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(path)
        check_names(file.schema_arrow.names, str(path))
        table = pyarrow.Table.from_batches(_batches(path, file), file.schema_arrow)
        table.validate(full=True)
    except (pyarrow.ArrowException, OSError) as error:
        problem = str(error).splitlines()[0]
        raise HfkitError(f"The file is not Parquet, or damaged: {problem}", where=str(path)) from error
    return arrow_table(str(path), table)


def _batches(path: Path, file: Any) -> Iterator[Any]:
    """The file's rows a few at a time, stopped where they no longer stand in any relation to the file."""
    size, held = path.stat().st_size, 0
    for batch in file.iter_batches(batch_size=1024):
        yield batch
        held += sum(column.nbytes for column in map(_decoded, batch.columns))
        if held > max(1 << 26, SWELLS * size):
            raise HfkitError(
                f"The file swells to more than {SWELLS} times its {size:,} bytes: a bomb, or one value repeated",
                where=str(path),
                fix="write the rows that are needed as JSON lines",
            )


def _decoded(column: Any) -> Any:
    """Each row with its own value, as reading it makes of it; a dictionary holds equal ones once."""
    return column.dictionary_decode() if hasattr(column, "dictionary_decode") else column
