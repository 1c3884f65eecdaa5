"""Rows for a model: of a file of any size or of standard input, a few at a time, each with its place."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from hfkit.base.errors import HfkitError, nearest
from hfkit.config import FileArguments
from hfkit.data.readers import open_records
from hfkit.data.readers.lines import text_lines
from hfkit.data.tables.columns import TEXT_NAMES

STDIN, STDIN_NAME = "-", "standard input"

Row = tuple[str, dict[str, Any]]  # where a row stands, as a person finds it, and its values by column


@dataclass
class Source:
    """Rows to be answered."""

    name: str  # what messages call it
    columns: list[str]  # in their order
    rows: Iterator[Row]  # each once
    total: int | None = None  # how much there is; None on standard input
    done: Callable[[], int] = lambda: 0  # how much of it has been read
    unit: str = "row"  # what that counts, "B" or "row"
    schema: Any = None  # column types where the file has them (Parquet)
    notes: list[str] = field(default_factory=list)  # what reading left out; complete when the rows have been read


@contextmanager
def open_rows(path: str | Path, how: FileArguments | None = None) -> Iterator[Source]:
    """Open a file by its ending; `-` is standard input, a text a line. Raises as `hfkit.data.readers.open_records`."""
    how = how or FileArguments()
    if str(path) == STDIN:
        yield Source(STDIN_NAME, ["text"], stream_rows(sys.stdin.buffer, STDIN_NAME, how))
        return
    with open_records(Path(path), how) as records:
        columns = records.columns or _named(Path(path), how)
        rows = ((records.place(number), row) for number, row in records)
        yield Source(
            records.name, columns, rows, records.total, records.done, records.measure, records.schema, records.notes
        )


def _named(path: Path, how: FileArguments) -> list[str]:
    """The columns of JSON lines, where any row may have one that no row before it had: they are gone through once."""
    names: dict[str, None] = {}
    with open_records(path, how) as records:
        for number, row in records:
            names |= dict.fromkeys(records.names(names, row, number))
    return list(names)


def stream_rows(stream: BinaryIO, name: str, how: FileArguments) -> Iterator[Row]:
    """A row a line, in the column `text`; `name` is what messages call the stream."""
    how.check_no_csv(name)
    for number, line in enumerate(text_lines(stream, name, how.encoding), start=1):
        yield f"{name}, line {number}", {"text": line.rstrip("\r\n")}


def column_of(
    source: Source, asked: str | None, trained: str | None, usual: Sequence[str] = TEXT_NAMES, what: str = "text"
) -> str:
    """The column of texts: the one asked for, else the run's, else one of a usual name, else the only one. Raises
    HfkitError: there is no such column, or it cannot be told."""
    if asked is not None and asked not in source.columns:
        raise HfkitError(f"There is no column {asked!r}", where=source.name, fix=nearest(asked, source.columns))
    by_case = {name.casefold(): name for name in reversed(source.columns)}
    likely = [name if name in source.columns else by_case.get(name.casefold()) for name in (trained, *usual) if name]
    known = [name for name in likely if name]
    only = source.columns if len(source.columns) == 1 else []
    found = [name for name in (asked, *known, *only) if name]
    if not found:
        told = f"It cannot be told which column is the {what}; there are {', '.join(source.columns)}"
        raise HfkitError(told, where=source.name, fix=f"say --{what}_column NAME")
    return found[0]
