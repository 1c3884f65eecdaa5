"""Table: the rows of one file or split, as columns; and the readers of CSV, JSON lines and Parquet.

The readers are exact about faults: a broken row is named by its line in the file, which no fast parser of ours keeps.
"""

import csv
import io
import json
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfkit.errors import HfkitError, nearest

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")


@dataclass
class Table:
    """Rows by column.

    Attributes:
        origin: File name, or data set and split; begins every message about a row.
        columns: Name to values: a list, or an Arrow column that becomes one when it is asked for.
        lines: The line in the file where each row begins; None where rows have no lines.
        unit: What `lines` counts: line, item of a JSON list, or row.
        label_names: Names of integer labels, by column, where the source declares them.
        notes: What reading left out, counted.
        parts: First row and table of each shard, for a table made of several files.
    """

    origin: str
    columns: dict[str, Any]
    lines: Sequence[int] | None = None
    unit: str = "line"
    label_names: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    parts: list[tuple[int, "Table"]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def column(self, name: str) -> list[Any]:
        """The column's values as Python objects; a missing value is None."""
        if name not in self.columns:
            shown = [known if len(known) <= 60 else known[:57] + "..." for known in self.columns]
            raise HfkitError(f"There is no column {name!r}", where=self.origin, fix=nearest(name, shown))
        values = self.columns[name]
        return values if isinstance(values, list) else values.to_pylist()

    def place(self, row: int) -> str:
        """Where a row stands, as a person finds it: `reviews.csv line 7`, or `train row 5` (from 0)."""
        if self.parts:
            first, part = self.parts[bisect_right(self.parts, row, key=lambda entry: entry[0]) - 1]
            return part.place(row - first)
        return f"{self.origin} row {row}" if self.lines is None else f"{self.origin} {self.unit} {self.lines[row]}"

    def places(self, rows: Sequence[int], limit: int = 5) -> str:
        """Where the first few of `rows` stand: `reviews.csv line 7, 9, 12, 30, 31, ... (8 rows)`."""
        places = [self.place(row) for row in rows[:limit]]
        for number in range(len(places) - 1, 0, -1):
            before, here = places[number - 1].rsplit(" ", 1)[0], places[number].rsplit(" ", 1)
            if before == here[0]:
                places[number] = here[1]
        return ", ".join(places) + (f", ... ({len(rows):,} rows)" if len(rows) > limit else "")

    def select(self, rows: Sequence[int]) -> "Table":
        """The table of these rows only, with their old lines."""
        lists = {name: self.column(name) for name in self.columns}
        columns = {name: [values[row] for row in rows] for name, values in lists.items()}
        if self.lines is None:
            return Table(self.origin, columns, list(rows), "row", self.label_names, self.notes)
        return Table(self.origin, columns, [self.lines[row] for row in rows], self.unit, self.label_names, self.notes)


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


def counted(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def joined(origin: str, tables: list[Table]) -> Table:
    """Shards of one split as one table; they must have the same columns."""
    if len(tables) == 1:
        return tables[0]
    names = list(tables[0].columns)
    for table in tables:
        if set(table.columns) != set(names):
            odd = sorted(set(table.columns) ^ set(names))
            raise HfkitError(f"The shards of one split have different columns: {', '.join(odd)}", where=table.origin)
    parts, first = [], 0
    for table in tables:
        parts.append((first, table))
        first += len(table)
    columns = {name: [value for table in tables for value in table.column(name)] for name in names}
    notes = [note for table in tables for note in table.notes]
    return Table(origin, columns, label_names=tables[0].label_names, notes=notes, parts=parts)


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


def arrow_table(origin: str, table: Any) -> Table:
    """An Arrow table, with the label names that `datasets` writes into its schema."""
    names: dict[str, list[str]] = {}
    described = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    for column, feature in described.items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else feature
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
            names[column] = list(inner["names"])
    return Table(origin, {name: table[name] for name in table.column_names}, label_names=names)
