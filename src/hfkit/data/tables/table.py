"""Table: the rows of one file or split, as columns, each with the place where it stands."""

import math
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate
from typing import Any

from hfkit.base.errors import HfkitError, nearest
from hfkit.base.sanitize import visible
from hfkit.base.untrusted import read_json


@dataclass
class Table:
    """Rows by column."""

    origin: str  # file name, or data set and split; begins every message about a row
    columns: dict[str, Any]  # name to values: a list, or an Arrow column that becomes one when it is asked for
    lines: Sequence[Any] | None = None  # the line in the file where each row begins; None where rows have no lines
    # What `lines` counts: line, item of a JSON list, or row; or file, and then they are the files' names
    unit: str = "line"
    # Names of integer labels, by column, where the source declares them
    label_names: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what reading left out, counted
    # First row and table of each shard, for a table made of several files
    parts: list[tuple[int, "Table"]] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)  # columns that the source declares to hold images
    missing: Collection[str] = ()  # what stands for a missing value beside nothing (`--missing_values`)
    # Of looked-at images of more than 8 bits, what `hfkit.data.vision.decode.Facts` says, over all of them
    deep: tuple[float, float, float, float] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    def column(self, name: str) -> list[Any]:
        """The column's values as Python objects; a missing value is None."""
        self.known(name)
        values = self.columns[name]
        values = values if isinstance(values, list) else values.to_pylist()
        if not self.missing:
            return values
        # -999 is -999.0 in a column of floats, and -999.00 in one of decimals: nobody wrote it there.
        quantities = {float(word) for word in self.missing if is_number(word)}
        return [
            None
            if str(value).strip() in self.missing or (isinstance(value, float | Decimal) and value in quantities)
            else value
            for value in values
        ]

    @property
    def shown(self) -> list[str]:
        """The columns' names as messages list them: the first row of a file without a header may be long."""
        return [name if len(name) <= 60 else name[:57] + "..." for name in self.columns]

    def known(self, name: str) -> None:
        """Refuses a name that no column has."""
        if name not in self.columns:
            raise HfkitError(f"There is no column {name!r}", where=self.origin, fix=nearest(name, self.shown))

    def first_of(self, names: Iterable[str], taken: Collection[str | None] = ()) -> str | None:
        """The column that has the first of these names, in whatever case, and is not `taken`; None if there is none."""
        named = {name.casefold(): name for name in reversed(list(self.columns))}
        return next((named[name] for name in names if name in named and named[name] not in taken), None)

    def head(self, name: str, rows: int) -> list[Any]:
        """The column's first values as Python objects."""
        values = self.columns[name][:rows]
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
            begins, here = places[number].rsplit(" ", 1)
            if places[number - 1].rsplit(" ", 1)[0] == begins:
                places[number] = here
        return ", ".join(places) + (f", ... ({len(rows):,} rows)" if len(rows) > limit else "")

    def select(self, rows: Sequence[int]) -> "Table":
        """The table of these rows only, with their old lines."""
        lists = {name: self.column(name) for name in self.columns}
        columns = {name: [values[row] for row in rows] for name, values in lists.items()}
        if self.lines is None:
            return replace(self, columns=columns, lines=list(rows), unit="row", parts=[])
        return replace(self, columns=columns, lines=[self.lines[row] for row in rows])


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or nothing to be seen. "nan" and "NA" are words: Min Nan, Namibia."""
    if isinstance(value, str):
        return not visible(value[:100]).strip() and not visible(value).strip()  # the start tells of nearly all
    return value is None or (isinstance(value, float) and value != value)


def is_number(text: str) -> bool:
    """Whether a text is a number to Python, and not nan, which names are too."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def listed(cell: Any) -> list[Any]:
    """What a cell holds that may list several values; those that are missing are left out."""
    return [one for one in (cell if isinstance(cell, list | tuple) else [cell]) if not is_missing(one)]


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
    firsts = accumulate(map(len, tables), initial=0)
    parts = [(first, table) for first, table in zip(firsts, tables, strict=False)]
    columns = {name: [value for table in tables for value in table.column(name)] for name in names}
    notes = [note for table in tables for note in table.notes]
    return replace(tables[0], origin=origin, columns=columns, lines=None, unit="line", notes=notes, parts=parts)


def arrow_table(origin: str, table: Any) -> Table:
    """An Arrow table, with the label names and the image columns that `datasets` writes into its schema. Raises
    HfkitError: what stands there is no JSON, or the names of a column's labels are no different strings."""
    names: dict[str, list[str]] = {}
    pictures: list[str] = []
    for column, feature in _features(origin, table.schema.metadata or {}).items():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else feature
        kind = inner.get("_type") if isinstance(inner, dict) else None
        if kind == "ClassLabel" and inner.get("names") is not None:
            names[column] = told = inner["names"]
            strings = isinstance(told, list) and all(isinstance(name, str) for name in told)
            if not strings or len(set(told)) != len(told):
                what = f"The file names the labels of {column!r}, and not each by a string of its own"
                raise HfkitError(what, where=origin)
        for key, part in inner.items() if isinstance(inner, dict) and kind is None else ():
            part = part.get("feature", part) if isinstance(part, dict) else part
            if isinstance(part, dict) and isinstance(part.get("names"), list):
                names[f"{column}.{key}"] = list(map(str, part["names"]))
        if kind == "Image" and inner is feature:
            pictures.append(column)
    columns = {name: _plain(table[name]) for name in table.column_names}
    return Table(origin, columns, label_names=names, pictures=pictures)


def _plain(column: Any) -> Any:
    """Numbers as Python knows them: 0.1 in 32 bits is 0.1 and no longer 0.10000000149, and a decimal is a number. One
    of more digits than a float holds stays the text that it is."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_decimal(kind):
        whole = kind.scale == 0 and kind.precision <= 18
        return column.cast(pa.int64() if whole else pa.float64() if kind.precision <= 15 else pa.string())
    if pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return column.cast(pa.string()).cast(pa.float64())
    return column


def _features(origin: str, metadata: dict[bytes, bytes]) -> dict[str, Any]:
    """The features that `datasets` describes under the key `huggingface`; none where there is no such key."""
    described = metadata.get(b"huggingface", b"{}").decode("utf-8", "replace")
    found = read_json(described, origin, "The description of the columns (huggingface)")
    for key in ("info", "features"):
        found = found.get(key) or {} if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
