"""JSON: an object a line, read line by line; and everything else that holds rows, read whole.

Whole are a list of objects, objects over many lines, columns ({"text": [...], "label": [...]}, or by row number as
pandas writes them), rows under a key such as "data", and splits ({"train": [...], "test": [...]}).
"""

import json
import re
from io import BufferedReader
from itertools import chain
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json
from hfkit.data.readers.lines import LONGEST_LINE, text_lines
from hfkit.data.readers.records import Records
from hfkit.data.sources.image_folders import SPLITS

SPLIT = "split"
"""The column that says of which split a row is, where a file holds several."""

WRAPPERS = ("data", "rows", "examples", "records", "instances", "items")
"""Keys under which files keep their rows beside a version or a name."""

_BLANK = re.compile(r"\s*")


def open_json(name: str, stream: BufferedReader, encoding: str) -> Records:
    """The rows of a JSON file of any of the forms above.

    Args:
        name: What messages call the file.
        stream: Opened for bytes.
        encoding: Of its text.

    Raises:
        HfkitError: It is no JSON, holds no rows, or something that is none; some of it while rows are read.
    """
    listed = stream.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"["
    lines = enumerate(text_lines(stream, name, encoding, -1 if listed else LONGEST_LINE), start=1)
    full = ((number, line) for number, line in lines if line.strip())
    number, first = next(full, (0, ""))
    if not number:
        raise HfkitError("The file holds no rows", where=name)
    second = next(full, None)
    if second is None or first.lstrip()[0] == "[" or first.rstrip()[-1] in "{[," or _several(first):
        return _whole(name, [(number, first), *([second, *full] if second else [])])

    def read(number: int, line: str) -> dict[str, Any]:
        return _object(read_json(line, f"{name}, line {number}", "The line"), f"{name}, line {number}", "line")

    return Records(name, chain([(number, first), second], full), read)


def _several(line: str) -> bool:
    """Whether a second value follows the first one on its line."""
    try:
        return json.JSONDecoder().raw_decode(line.strip())[1] < len(line.strip())
    except (ValueError, RecursionError):
        return False


def _whole(name: str, lines: list[tuple[int, str]]) -> Records:
    parts, at = [], 1
    for number, line in lines:
        parts += ["\n" * (number - at), line]  # blank lines, passed over above: a fault is told with its line
        at = number + 1
    text, where = "".join(parts), name if len(lines) > 1 else f"{name}, line {lines[0][0]}"
    values = read_json(text, where, decode=_values)
    rows, unit, notes = (values, "item", []) if len(values) > 1 else _rows(values[0], name)
    if not rows:
        raise HfkitError("The file holds no rows", where=name)
    names: dict[str, None] = {}
    records = Records(name, enumerate(rows, start=1), lambda _, row: row, unit=unit, whole=unit != "line", notes=notes)
    for number, row in enumerate(rows, start=1):
        _object(row, records.place(number), unit)
        names |= dict.fromkeys(records.names(names, row, number))
    records.columns = list(names)
    return records


def _values(text: str) -> list[Any]:
    """Every value of a text, whatever space stands between them."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while (at := _BLANK.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values


def _rows(value: Any, name: str) -> tuple[list[Any], str, list[str]]:
    """The rows that one JSON value holds, what they are called, and what was left out."""
    if isinstance(value, list):
        return value, "item", []
    parts = value if isinstance(value, dict) else {}
    if parts and all(key.casefold() in SPLITS and _objects(rows) for key, rows in parts.items()):
        return [{**row, SPLIT: key} for key, rows in parts.items() for row in rows], "item", []
    key = next((key for key in WRAPPERS if _objects(parts.get(key))), None)
    if key is not None:
        other = [name for name in parts if name != key]
        return parts[key], "item", [f"rows read under {key!r}; not read: {', '.join(other)}"] if other else []
    numbered = [list(values) for values in parts.values() if isinstance(values, dict)]
    if numbered and any(set(keys) != set(numbered[0]) for keys in numbered):
        raise HfkitError("The columns do not number the same rows", where=name, fix="write an object a row")
    columns = {name: _column(values, numbered[0] if numbered else []) for name, values in parts.items()}
    if not columns or None in columns.values():
        return [value], "line", []  # a single row
    lengths = {name: len(values or ()) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise HfkitError(f"The columns differ in length: {shown}", where=name)
    rows = zip(*(values or () for values in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows], "row", []


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _column(value: Any, numbers: list[str]) -> list[Any] | None:
    """The values of a column: a list, or an object by row number; None for the cell of a single row."""
    if isinstance(value, dict) and value and all(key.isdecimal() for key in value):
        return [value[number] for number in numbers]
    return value if isinstance(value, list) and not _objects(value) else None


def _object(value: Any, where: str, unit: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise HfkitError(
            f"The {unit} holds {type(value).__name__}, not an object",
            where=where,
            fix='each is an object such as {"text": "...", "label": "..."}',
        )
    return value
