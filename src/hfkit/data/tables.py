"""The readers of CSV, JSON lines and Parquet.

They are exact about faults: a broken row is named by its line in the file, which no fast parser of ours keeps.
"""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hfkit.data.table import Table, arrow_table, counted
from hfkit.errors import HfkitError

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


def read_table(path: Path, *, encoding: str = "utf-8", delimiter: str | None = None) -> Table:
    """Reads one file, by its ending.

    Args:
        path: A .csv, .tsv, .jsonl, .ndjson, .json or .parquet file.
        encoding: Of the text formats. A byte order mark at the start is not part of the text.
        delimiter: Of CSV; default comma, or tab for .tsv.

    Raises:
        HfkitError: Another ending, an empty file, a header without rows, bytes that are not text in `encoding`, or a
            broken row, with its line.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise HfkitError(f"Files ending in {suffix or 'nothing'} are not read", where=str(path), fix=_known_files())
    try:
        if path.stat().st_size == 0:
            raise HfkitError("The file is empty", where=str(path))
        if suffix == ".parquet":
            table = _read_parquet(path)
        elif suffix in (".csv", ".tsv"):
            table = _read_csv(path, _text(path, encoding), _separator(delimiter, suffix))
        else:
            table = _read_json(path, _text(path, encoding))
    except OSError as error:
        raise HfkitError(f"The file cannot be read: {error.strerror or error}", where=str(path)) from error
    if len(table) == 0:
        raise HfkitError("The file has a header and no rows", where=str(path))
    return table


def _known_files() -> str:
    return f"give a file ending in {', '.join(SUFFIXES)}, or a folder of them"


def _text(path: Path, encoding: str) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding)
    except LookupError as error:
        raise HfkitError(f"There is no encoding {encoding!r}", fix="such as utf-8, gb18030, cp1252, utf-16") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        guess = "the file begins as utf-16 does" if utf16 else "common ones: gb18030, cp1252, latin-1"
        raise HfkitError(
            f"The file is not {encoding} text: byte 0x{data[error.start]:02x} cannot stand there",
            where=f"{path}, line {line}",
            fix=f"name its encoding with --encoding ({guess}), or save it as UTF-8",
        ) from error


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
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise HfkitError(f"The column {twice[0]!r} stands twice in the header", where=f"{path}, line 1")
    for other, flag in ((";", "';'"), ("\t", "tab"), (",", "','"), ("|", "'|'")):
        if len(header) == 1 and other != separator and other in header[0]:
            raise HfkitError(
                f"The header is one column, {header[0][:60]!r}, read with the separator {separator!r}",
                where=f"{path}, line 1",
                fix=f"--delimiter {flag}",
            )
    return header


def _read_json(path: Path, text: str) -> Table:
    if text.lstrip()[:1] == "[" and path.suffix.lower() == ".json":
        try:
            records = list(enumerate(whole(json.loads(text), text, str(path)), start=1))
        except json.JSONDecodeError as error:
            raise HfkitError(f"The file is not JSON: {error.msg}", where=f"{path}, line {error.lineno}") from error
        return _records(path, records, "item")
    return _records(path, _json_lines(path, text), "line")


def whole(content: Any, source: str, where: str) -> Any:
    """`content`, read from the JSON `source`; refused where a text holds half a character, as `\\ud83d` alone is."""
    if "\\ud" in source or "\\uD" in source:
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):04x}"
            raise HfkitError(
                f"A text holds {half}, which is half a character",
                where=where,
                fix="write the character whole, or cut it",
            ) from error
    return content


def _json_lines(path: Path, text: str) -> Iterable[tuple[int, Any]]:
    # split("\n"), not splitlines(): JSON texts may hold U+2028 and other marks that splitlines() breaks at.
    for line, record in enumerate(text.split("\n"), start=1):
        if record.strip():
            try:
                yield line, whole(json.loads(record), record, f"{path}, line {line}")
            except json.JSONDecodeError as error:
                raise HfkitError(
                    f"The line is not JSON: {error.msg} at character {error.colno}", where=f"{path}, line {line}"
                ) from error


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
        for name, values in columns.items():
            values.append(record.get(name))
        lines.append(line)
    if not lines:
        raise HfkitError("The file holds no rows", where=str(path))
    if not columns:
        raise HfkitError("The rows have no columns", where=str(path))
    return Table(str(path), columns, lines, unit=unit)


def _read_parquet(path: Path) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path, partitioning=None)
    except pyarrow.ArrowException as error:
        raise HfkitError(f"The file is not Parquet: {str(error).splitlines()[0]}", where=str(path)) from error
    return arrow_table(str(path), table)
