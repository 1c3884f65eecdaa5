"""What a data set's columns and rows are, counted for its card."""

import statistics
from collections.abc import Mapping
from typing import Any

from hfkit.base.sanitize import line
from hfkit.data.tables.table import Table, is_missing

SHOWN = 60
"""Characters of an example in a table."""


def columns(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    """For each column of the first split: `name`, `kind`, `missing` and `distinct` over all splits, an `example`.

    A picture is neither counted as distinct nor shown.
    """
    first = next(iter(tables.values()))
    found: list[dict[str, Any]] = []
    for name in first.columns:
        if name in first.pictures:
            unknown = dict.fromkeys(("missing", "distinct", "example"))
            found.append({"name": name, "kind": "image", **unknown})
            continue
        values = [value for table in tables.values() if name in table.columns for value in table.column(name)]
        there = [value for value in values if not is_missing(value)]
        found.append(
            {
                "name": name,
                "kind": kind(there),
                "missing": len(values) - len(there),
                "distinct": len({str(value) for value in there}),
                "example": line(there[0], SHOWN) if there else None,
            }
        )
    return found


def kind(values: list[Any]) -> str:
    """What the values of a column are, in a word or two.

    >>> kind(["1", "2"]), kind(["a", "2"]), kind([1, 2.5]), kind([])
    ('integer', 'string', 'number', 'empty')
    """
    if not values:
        return "empty"
    if all(isinstance(value, bool) for value in values):
        return "boolean"
    if all(isinstance(value, list | tuple) for value in values):
        return "list"
    if all(isinstance(value, dict) for value in values):
        return "mapping"
    if all(_as(int, value) for value in values):
        return "integer"
    if all(_as(float, value) for value in values):
        return "number"
    return "string" if all(isinstance(value, str) for value in values) else "mixed"


def _as(number: type, value: Any) -> bool:
    if isinstance(value, list | dict | bool):
        return False
    try:
        number(str(value))
    except ValueError:
        return False
    return True


def lengths(texts: list[str]) -> dict[str, int]:
    """Words of the texts: shortest, median, the length that 95 % do not pass, longest.

    Languages that put no space between words are counted in characters, as `characters` says.
    """
    words = [len(text.split()) for text in texts]
    characters = [len(text) for text in texts]
    if sum(characters) > 30 * max(1, sum(words)):
        words = characters
    ordered = sorted(words)
    return {
        "shortest": ordered[0],
        "median": round(statistics.median(ordered)),
        "most": ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))],
        "longest": ordered[-1],
        "characters": int(words is characters),
    }


def sizes(pictures: list[Any]) -> str:
    """The sizes of pictures in pixels: `32 x 32`, or from the smallest to the largest."""
    found = [picture.size for picture in pictures]
    ends = (min(found), max(found))
    shown = [f"{width} x {height}" for width, height in ends]
    return shown[0] if ends[0] == ends[1] else f"{shown[0]} to {shown[1]}"
