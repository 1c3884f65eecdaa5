"""JSON: an object a line, read line by line; and everything else that holds rows, read whole.

A row may be a pair of a text and an object, as spaCy writes them: ["...", {"entities": [...]}].

Whole are a list of objects, objects over many lines, columns ({"text": [...], "label": [...]}), what pandas writes
(orient: columns, index, records, split and table), any of these under a key such as "data", or under the names of
splits ({"train": ..., "test": ...}).
"""

import json
import re
from io import BufferedReader
from itertools import chain
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.base.untrusted import read_json
from hfkit.data.readers.lines import LONGEST_LINE, text_lines
from hfkit.data.readers.records import Records, check_names
from hfkit.data.sources.image_folders import SPLITS

SPLIT = "split"  # the column that says of which split a row is, where a file holds several
WRAPPERS = ("data", "rows", "examples", "records", "instances", "items")
"""Keys under which files keep their rows beside a version or a name."""

_BLANK = re.compile(r"\s*")


def open_json(name: str, stream: BufferedReader, encoding: str) -> Records:
    """The rows of a JSON file of any of the forms above, opened for bytes. Raises HfkitError: it is no JSON, holds no
    rows, or something that is none; some of it while rows are read."""
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
    rows, unit, notes = read_json(text, where, decode=lambda text: _rows(_values(text), name))
    if not rows:
        raise HfkitError("The file holds no rows", where=name)
    names: dict[str, None] = {}
    records = Records(name, iter(()), lambda _, row: row, unit=unit, whole=unit != "line", notes=notes)
    rows = [_object(row, records.place(number), unit) for number, row in enumerate(rows, start=1)]
    for number, row in enumerate(rows, start=1):
        names |= dict.fromkeys(records.names(names, row, number))
    records.raw = enumerate(rows, start=1)
    records.columns = list(names)
    return records


def _values(text: str) -> Any:
    """What a text holds: its value, or several as a list, whatever space stands between them."""
    decoder, values, at = json.JSONDecoder(), [], 0
    while (at := _BLANK.match(text, at).end()) < len(text):  # type: ignore[union-attr]
        value, at = decoder.raw_decode(text, at)
        values.append(value)
    return values if len(values) > 1 else values[0]


def _rows(value: Any, name: str) -> tuple[list[Any], str, list[str]]:
    """The rows that a JSON value holds, what they are called, and what was left out."""
    if isinstance(value, list):
        return [value] if _is_pair(value) else value, "item", []
    parts = value if isinstance(value, dict) else {}
    names: Any = parts.get("columns")
    cells: Any = parts.get("data")
    held: dict[str, tuple[list[Any], list[str]]] = {}
    tabled = isinstance(names, list) and isinstance(cells, list)
    if tabled and all(isinstance(row, list) and len(row) == len(names) for row in cells):  # orient="split"
        check_names(names := list(map(str, names)), name)
        held = {"data": ([dict(zip(names, row, strict=True)) for row in cells], [])}
        parts = {key: value for key, value in parts.items() if key != "columns" and value != list(range(len(cells)))}
    elif _by_name(parts):  # orient="index"
        return [row if key.isdecimal() else {"id": key, **row} for key, row in parts.items()], "item", []
    held |= {key: inner for key in parts if key.casefold() in SPLITS and (inner := _held(parts[key], name))}
    columns = {} if held else _columns(parts, name)
    if not held and len(columns) < 2:
        held = next(({key: inner} for key in WRAPPERS if key in parts and (inner := _held(parts[key], name))), {})
    if held:
        rows = [row if len(held) == 1 else {**row, SPLIT: key} for key, (found, _) in held.items() for row in found]
        other = ", ".join(key for key in parts if key not in held)
        beside = [f"rows read under {', '.join(map(repr, held))}; not read: {other}"] if other else []
        return rows, "item", beside + [note for _, notes in held.values() for note in notes]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return (rows, "row", []) if columns else ([value], "line", [])  # a single row


def _held(value: Any, name: str) -> tuple[list[Any], list[str]] | None:
    """The rows that stand under a key, and what was left out; None where it is a cell."""
    rows, unit, notes = _rows(value, name)
    return (rows, notes) if unit != "line" and _objects(rows) else None


def _columns(parts: dict[str, Any], name: str) -> dict[str, list[Any]]:
    """The columns of a table, each a list or an object by row number; none where it is none."""
    numbered = [list(values) for values in parts.values() if isinstance(values, dict)]
    if not all(_by_number(values) or (isinstance(values, list) and not _objects(values)) for values in parts.values()):
        return {}
    if numbered and any(set(keys) != set(numbered[0]) for keys in numbered):
        raise HfkitError("The columns do not number the same rows", where=name, fix="write an object a row")
    by = numbered[0] if numbered else []
    columns = {key: cells if isinstance(cells, list) else [cells[at] for at in by] for key, cells in parts.items()}
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name} {length:,}" for name, length in lengths.items())
        raise HfkitError(f"The columns differ in length: {shown}", where=name)
    return columns


def _by_name(parts: dict[str, Any]) -> bool:
    """Whether rows stand under their numbers or names, and not cells under those of columns."""
    rows = list(parts.values())
    alike = len(rows) > 4 and all(isinstance(r, dict) and list(r) == list(rows[0]) and len(r) < len(rows) for r in rows)
    return (alike or _by_number(parts)) and all(isinstance(row, dict) and not _by_number(row) for row in rows)


def _by_number(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(str.isdecimal, value))


def _objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and list(map(type, value)) == [str, dict]


def _object(value: Any, where: str, unit: str) -> dict[str, Any]:
    if _is_pair(value):
        return {"text": value[0], **value[1]}
    if not isinstance(value, dict):
        fix = 'each is an object such as {"text": "...", "label": "..."}'
        raise HfkitError(f"The {unit} holds {type(value).__name__}, not an object", where=where, fix=fix)
    return value
