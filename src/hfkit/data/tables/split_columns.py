"""A column that says of each row which split it is of, as data sets in one table have it."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hfkit.base.errors import HfkitError
from hfkit.config import DataArguments
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.tables.table import Table

if TYPE_CHECKING:
    from hfkit.data.sources.source import Source

CALLED = {"split", "set", "subset", "partition", "fold"}


def split_by_column(source: "Source", arguments: DataArguments) -> "Source":
    """The source with a split for each value of `--split_column`; as it was, where it has no such column.

    Raises:
        HfkitError: A column that is asked for is not there, has empty cells, or the source is no single table.
    """
    table, column = next(iter(source.tables.values())), arguments.split_column
    if column == "auto" and len(source.tables) == 1:
        column = next((name for name in table.columns if _names_splits(table, name)), None)
    if column in (None, "auto") or (column == "none" and column not in table.columns):
        return source
    if len(source.tables) > 1 or source.streams:
        fix = "drop --streaming" if source.streams else "drop --split_column"
        raise HfkitError("--split_column is for rows of one table", where=source.location, fix=fix)
    values = ["" if value is None else str(value).strip() for value in table.column(column)]
    missing = [row for row, value in enumerate(values) if not value]
    if missing:
        raise HfkitError(f"The column {column!r} names no split", where=table.places(missing), fix="fill it in")
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    tables = {split: table.select(found) for split, found in rows.items()}
    for part in tables.values():
        del part.columns[column]
    sizes = ", ".join(f"{split} {len(found):,}" for split, found in rows.items())
    return replace(source, tables=tables, single=False, notes=[*source.notes, f"splits by {column!r}: {sizes} rows"])


def refuse_in_stream(head: Table, arguments: DataArguments, source: "Source") -> None:
    """Refuses a stream whose first rows say of which split they are: all would be learnt, those for the test too."""
    for name in head.columns if arguments.split_column == "auto" and len(source.streams) == 1 else ():
        if name.casefold() in CALLED and {str(value).strip().casefold() for value in head.column(name)} & SPLITS.keys():
            fix = "write a file for each split, or drop --streaming; --split_column none learns from all rows"
            raise HfkitError(f"A stream is one split; its column {name!r} names several", where=head.origin, fix=fix)


def _names_splits(table: Table, column: str) -> bool:
    """Whether the column holds nothing but names of splits, of two at least, that of training among them. One that is
    called a split may hold others: IMDB's `unsup`."""
    called = column.casefold() in CALLED
    if not called and not {str(value).strip().casefold() for value in table.head(column, 1)} <= SPLITS.keys():
        return False  # asked first: a column of pictures is long
    found = {SPLITS.get(str(value).strip().casefold()) for value in table.column(column)}
    return (called or None not in found) and "train" in found and len(found - {None}) > 1
