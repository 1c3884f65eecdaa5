"""Answers as data sets write them: texts with or without places, checked against the context that they stand in."""

import re
from dataclasses import dataclass
from typing import Any, Literal

from hfkit.base.errors import HfkitError
from hfkit.data.labels.values import spelled
from hfkit.data.tables.table import Table, is_missing

STARTS = ("answer_start", "answer_starts", "starts", "start")
"""What the place of an answer is called, in characters of the context."""

NOWHERE = -1  # the place of an answer that its context does not hold

How = Literal["right", "mended", "looked_up", "nowhere"]


@dataclass(frozen=True)
class Answer:
    """A text, where it begins in its context (or NOWHERE), and whether that is what the data say."""

    text: str
    start: int
    how: How


def unfolded(table: Table) -> Table:
    """SQuAD's nested JSON as a row a question: articles have `paragraphs`, and these `qas`. Other tables as they are.
    Raises HfkitError: what stands under these names is no list of objects."""
    for column, noun in (("paragraphs", "paragraph"), ("qas", "question")):
        if column in table.columns:
            table = _inner(table, column, noun)
    return table


def _inner(table: Table, column: str, noun: str) -> Table:
    """A row for each object in a column of lists, with the other columns of the row that it stands in."""
    rows: list[dict[str, Any]] = []
    places: list[str] = []
    others = {name: table.column(name) for name in table.columns if name != column}
    lines = table.lines or range(1, len(table) + 1)
    for row, found in enumerate(table.column(column)):
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            what = f"{column!r} holds no list of objects: {str(found)[:60]!r}"
            fix = 'write SQuAD\'s form: {"data": [{"paragraphs": [{"context": ..., "qas": [...]}]}]}'
            raise HfkitError(what, where=table.place(row), fix=fix)
        outer = {name: values[row] for name, values in others.items()}
        rows += [{**outer, **one} for one in found]
        places += [f"{lines[row]} {noun} {number}" for number in range(1, len(found) + 1)]
    if not rows:
        raise HfkitError(f"The file holds no {noun}", where=table.origin)
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Table(table.origin, columns, places, table.unit if table.lines else "item", notes=table.notes)


def written(value: Any, start: Any = None) -> list[tuple[str, int | None]] | None:
    """The answers of a cell, each a text and the place that the data say; None where the cell holds nothing.

    A cell holds {"text": [...], "answer_start": [...]}, as the Hub's SQuAD; objects of a text and its place, as SQuAD's
    JSON; texts; one text; or any of these as JSON. `start` is the cell of a column of places beside it. Raises
    HfkitError: it holds something else."""
    value, start = _spelled(value), _spelled(start)
    if isinstance(value, dict):
        start = next((value[name] for name in STARTS if name in value), start)
        value = value.get("text")
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        found = [written(one) for one in value]
        if None in found:
            keys = ", ".join(map(repr, value[found.index(None)]))
            raise HfkitError(f"An answer has no text; it has {keys}, and 'text' is what is read")
        return [pair for pairs in found for pair in pairs or []]
    if not isinstance(value, list) and is_missing(value):
        return None
    texts = value if isinstance(value, list) else [value]
    starts = start if isinstance(start, list) else [start] * len(texts)
    if len(starts) != len(texts):
        raise HfkitError(f"There are {len(texts)} answers and {len(starts)} places of answers")
    return [(_text(text), _place(place)) for text, place in zip(texts, starts, strict=True)]


def _spelled(value: Any) -> Any:
    """A list or an object that is written as JSON, or as Python writes it; anything else as it is."""
    found = spelled(value) if isinstance(value, str) and value.strip()[:1] in ("{", "[") else None
    return found if isinstance(found, list | dict) else value


def _text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or is_missing(value):
        raise HfkitError(f"An answer is no text: {str(value)[:60]!r}")
    return value


def _place(value: Any) -> int | None:
    if is_missing(value):
        return None
    try:
        if float(value) == int(float(value)):
            return int(float(value))
    except (TypeError, ValueError, OverflowError):
        pass
    raise HfkitError(f"The place of an answer is no number of characters: {str(value)[:40]!r}")


def placed(context: str, text: str, start: int | None) -> Answer:
    """An answer at its place: where the data say, else that place counted in bytes or UTF-16 units, else where it
    stands nearest to that, else the first place that holds it. Space around it is no part of it."""
    bare = text.strip()
    at = None if start is None else start + len(text) - len(text.lstrip())
    if at is not None and at >= 0 and context[at : at + len(bare)] == bare:
        return Answer(bare, at, "right")
    for unit, width in (("utf-8", 1), ("utf-16-le", 2)) if at is not None and not context.isascii() else ():
        before = context.encode(unit, "surrogatepass")[: width * max(at or 0, 0)]
        counted = len(before.decode(unit, "ignore"))
        if context[counted : counted + len(bare)] == bare:
            return Answer(bare, counted, "mended")
    places = (match.start() for match in re.finditer(f"(?={re.escape(bare)})", context))
    found = min(places, key=lambda place: abs(place - (at or 0)), default=NOWHERE)
    return Answer(bare, found, "nowhere" if found == NOWHERE else "looked_up" if at is None else "mended")
