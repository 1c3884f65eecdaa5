"""Rows: one split on its way from a table to a data set; columns of equal length, and where each row came from."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hfkit.base.errors import HfkitError, after
from hfkit.config import DataArguments
from hfkit.data.cards.card import DataCard
from hfkit.data.tables.columns import Columns, group_of, indicator_rows
from hfkit.data.tables.table import Table, counted, is_missing
from hfkit.data.text.keys import folded
from hfkit.data.vision.pictures import examined


@dataclass
class Rows:
    """One split."""

    table: Table  # the table that the rows came from, for messages
    index: list[int]  # each row's position in that table
    id: list[str]  # one string a row
    # What the model reads: `text`, perhaps `text_pair`; or `image`, a digest of the picture, which stays in the table
    inputs: dict[str, list[str]]
    label: list[Any]  # as in the table, until the labels are read
    # What each row must stay together with in one split (its block or group); None: every row for itself
    unit: list[Any] | None = None

    def __len__(self) -> int:
        return len(self.index)

    def select(self, rows: Sequence[int]) -> "Rows":
        """These rows only, in this order."""

        def pick(values: list[Any]) -> list[Any]:
            return [values[row] for row in rows]

        return replace(
            self,
            index=pick(self.index),
            id=pick(self.id),
            inputs={name: pick(values) for name, values in self.inputs.items()},
            label=pick(self.label),
            unit=None if self.unit is None else pick(self.unit),
        )

    def without(self, rows: Collection[int]) -> "Rows":
        """All rows but these, in their order."""
        return self.select([row for row in range(len(self)) if row not in rows]) if rows else self

    def substitute(self, replace: dict[str, str], split: str) -> list[str]:
        """Writes strings in place of others in every text, and says in how many texts."""
        notes = []
        for old, new in replace.items():
            touched = sum(old in text for texts in self.inputs.values() for text in texts)
            self.inputs = {name: [text.replace(old, new) for text in texts] for name, texts in self.inputs.items()}
            if touched:
                notes.append(f"{split}: {old!r} became {new!r} in {counted(touched, 'text')}")
        return notes

    def places(self, rows: Sequence[int]) -> str:
        """Where the first few of these rows stand in the source."""
        return self.table.places([self.index[row] for row in rows])

    def joined(self) -> "Rows":
        """Each example once, where it first stands, with the labels of all rows that hold it: a picture that lies in
        several class folders."""
        first: dict[tuple[str, ...], int] = {}
        labels: dict[int, list[Any]] = {}
        for row, key in enumerate(self.keys()):
            held = labels.setdefault(first.setdefault(key, row), [])
            held += [self.label[row]] * (self.label[row] not in held)
        return replace(self.select(list(labels)), label=list(labels.values()))

    def keys(self) -> list[tuple[str, ...]]:
        """What makes two rows the same example: the pixels; the text (and its pair), without outer space and case."""
        return list(zip(*(map(folded, values) for values in self.inputs.values()), strict=True))


def take_rows(
    table: Table,
    split: str,
    columns: Columns,
    arguments: DataArguments,
    card: DataCard | None,
    separator: str | None,
    unlabelled: str | None,
) -> tuple[Rows, list[str]]:
    """The rows of a table that have a text or picture, and a label; and a note for each thing dropped. Where a
    `separator` parts labels, an empty cell holds none, which is no fault; `unlabelled` stands for no label (-1, as the
    Hub writes it, where label names are declared). Raises HfkitError: a text or picture that is none, rows that lack
    one or a label, or no row left."""
    label = indicator_rows(table, columns.indicators) if columns.indicators else table.column(columns.label)
    if columns.image is not None:
        digests, bad, notes = examined(table, columns.image, split, arguments.skip_corrupt)
        inputs = {"image": digests}
    else:
        inputs, bad, notes = _texts(table, split, columns, arguments.drop_bad_rows)
    missing = [row for row, value in enumerate(label)
               if is_missing(value) or (unlabelled is not None and str(value).strip() == unlabelled)]  # fmt: skip
    if separator:
        none = sum(isinstance(label[row], str) for row in missing)
        missing = [row for row in missing if not isinstance(label[row], str)]
        notes += [f"{counted(none, 'row')} of {split} with an empty {columns.label}: no label"] if none else []
    other = "--test_split and --validation_split name labelled splits"
    check_missing(table, f"labels in {columns.label!r}", missing, other, arguments.drop_bad_rows)
    bad.update(missing)
    notes += [f"{counted(len(missing), 'row')} of {split} without {columns.label}: dropped"] if missing else []
    own = table.column(columns.id) if columns.id else [f"{split}-{row}" for row in range(len(table))]
    unit = units(table, card.blocks if card else None, group_of(arguments, card))
    rows = Rows(table, list(range(len(table))), list(map(str, own)), inputs, label, unit).without(bad)
    with after(notes):
        if not len(rows):
            what = f"No row has both {'a text' if columns.image is None else 'an image'} and a label"
            raise HfkitError(what, where=table.origin)
    return rows, notes


def units(table: Table, blocks: int | None, group: str | None) -> list[Any] | None:
    """What each row must stay together with: the rows of an equal value in a column, else so many neighbours. Raises
    HfkitError: there is no such column, or it has nothing in some rows."""
    if not group:
        return [row // blocks for row in range(len(table))] if blocks else None
    values = table.column(group)
    if missing := [row for row, value in enumerate(values) if is_missing(value)]:
        what = f"{counted(len(missing), 'row')} of {len(values):,} without {group!r}"
        raise HfkitError(what, where=table.places(missing), fix="fill it in; or --group_column names another column")
    return list(map(str, values))


def _texts(table: Table, split: str, columns: Columns, drop: bool) -> tuple[dict[str, list[str]], set[int], list[str]]:
    """The texts of every row, the rows that lack one, and a note for each thing dropped."""
    notes: list[str] = []
    names = {role: name for role, name in (("text", columns.text), ("text_pair", columns.pair)) if name is not None}
    inputs = {role: table.column(name) for role, name in names.items()}
    for role, name in names.items():
        check_strings(table, name, inputs[role])
    empty = {role: {row for row, value in enumerate(values) if is_missing(value)} for role, values in inputs.items()}
    bad = set.intersection(*empty.values())  # one text of a pair may be empty, such as a title that is optional
    for role, name in names.items():
        missing = sorted(empty[role] if len(empty[role]) == len(table) else bad)
        check_missing(table, f"texts in {name!r}", missing, "--text_column names another column", drop)
        if bad < empty[role]:
            notes.append(f"{counted(len(empty[role] - bad), 'row')} of {split} without {name}: read as an empty text")
            inputs[role] = ["" if row in empty[role] else value for row, value in enumerate(inputs[role])]
    if bad:
        notes.append(f"{counted(len(bad), 'row')} of {split} without {' and '.join(names.values())}: dropped")
    return inputs, bad, notes


def check_missing(table: Table, what: str, missing: list[int], other: str, drop: bool) -> None:
    """Refuses rows that lack something, unless they may be dropped and some remain."""
    if len(missing) == len(table):
        raise HfkitError(f"All {what} are missing", where=table.origin, fix=other)
    if missing and not drop:
        what = f"{len(missing):,} of {len(table):,} {what} are missing (empty, null or nothing that can be seen)"
        raise HfkitError(what, where=table.places(missing), fix="fill them in, or drop those rows with --drop_bad_rows")


def check_strings(table: Table, name: str, values: list[Any]) -> None:
    """Refuses a column whose values are not all texts."""
    odd = [row for row, value in enumerate(values) if not isinstance(value, str) and not is_missing(value)]
    if odd:
        kind = type(values[odd[0]]).__name__
        what = f"{counted(len(odd), 'value')} of {name!r} cannot be read as text: the first is {kind}"
        fix = "name the column of texts with --text_column, or write its values as strings"
        raise HfkitError(what, where=table.places(odd), fix=fix)
