"""Which split of a source is train, which validation, which test: by its name, or by a column of its rows."""

from dataclasses import replace
from typing import TYPE_CHECKING

from hfkit.base.errors import HfkitError, check_known
from hfkit.config import DataArguments
from hfkit.data.cards.card import ROLES
from hfkit.data.sources.image_folders import SPLITS
from hfkit.data.tables.table import Table

if TYPE_CHECKING:
    from hfkit.data.sources.source import Source

CALLED = {"split", "set", "subset", "partition", "fold"}
"""How a column is called that says of each row which split it is of."""


def choose_splits(
    source: "Source", arguments: DataArguments, only_test: bool = False
) -> tuple[dict[str, Table], list[str]]:
    """The source's tables by role, in the order train, validation, test; a role may be missing but train. The user's
    flag decides, then the card, then the usual names. A split that plays no role is named in the notes. With
    `only_test` all rows of a single file are the test split. Raises HfkitError: a split that is asked for is not there,
    none can train, or one would play two roles."""
    if only_test and source.single and source.kind == "file":
        return {"test": next(iter(source.tables.values()))}, list(source.notes)
    chosen, tables, notes = roles_of(source, arguments), source.tables, list(source.notes)
    rest = [f"{name} ({len(table):,} rows)" for name, table in tables.items() if name not in chosen.values()]
    if rest:
        notes.append(f"splits not used: {', '.join(rest)}")
    notes += renamed(chosen, source)
    return {role: tables[chosen[role]] for role in ROLES if role in chosen}, notes


def choose_alone(
    source: "Source", arguments: DataArguments, only_test: bool = False
) -> tuple[dict[str, Table], list[str]]:
    """As `choose_splits`; but with `only_test` the test split alone, where the source has one: nothing else is read."""
    tables, notes = choose_splits(source, arguments, only_test)
    return {"test": tables["test"]} if only_test and "test" in tables else tables, notes


def renamed(chosen: dict[str, str], source: "Source") -> list[str]:
    """A note for each role that a split of another name plays."""
    other = {role: name for role, name in chosen.items() if name != role and len(source.tables) > 1}
    return [f"{role} is the source's {name} split" for role, name in other.items()]


def roles_of(source: "Source", arguments: DataArguments) -> dict[str, str]:
    """Role -> the name of the source's split that plays it. Raises as `choose_splits`."""
    tables = source.tables
    chosen = {role: name for role in ROLES if (name := getattr(arguments, f"{role}_split")) is not None}
    for role, name in chosen.items():
        check_known(name, tables, f"--{role}_split {name}: there is no such split", source.location)
    for role, name in _usual(source).items():
        # A split that the user gave one role does not play another one by default.
        if role not in chosen and name not in chosen.values():
            chosen[role] = name
    if "train" not in chosen:
        what = f"No split is called train; there are {', '.join(tables)}"
        raise HfkitError(what, where=source.location, fix="--train_split NAME")
    twice = {name for name in chosen.values() if list(chosen.values()).count(name) > 1}
    if twice:
        fix = "leave one flag out: that split is then carved from train"
        raise HfkitError(f"The split {twice.pop()!r} cannot play two roles", fix=fix)
    return chosen


def _usual(source: "Source") -> dict[str, str]:
    if source.card and source.card.splits:
        for role, name in source.card.splits.items():
            if name not in source.tables:
                what = f"The source has no split {name!r} for {role}; it has {', '.join(source.tables)}"
                raise HfkitError(what, where=f"{source.card.path}, key hfkit.splits")
        return dict(source.card.splits)
    if len(source.tables) == 1:
        return {"train": next(iter(source.tables))}
    found: dict[str, str] = {}
    for usual, role in SPLITS.items():
        for name in source.tables:
            if name.casefold() == usual:
                found.setdefault(role, name)
    return found


def split_by_column(source: "Source", arguments: DataArguments) -> "Source":
    """The source with a split for each value of `--split_column`; as it was, where it has no such column. Raises
    HfkitError: a column that is asked for is not there, has empty cells, or the source is no single table."""
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
