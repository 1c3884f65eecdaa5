"""Indicators: labels as a 0 or 1 for each class, in columns of their own or in a list at each class's place."""

from collections import Counter
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.data.tables.table import Table, counted, is_missing

_BITS = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1}


def bit(value: Any) -> int | None:
    """0 or 1 for what means it: 1, 1.0, True, "1", "true"; None for anything else."""
    return _BITS.get(str(value).strip().lower()) if isinstance(value, bool | int | float | str) else None


def indicator_rows(table: Table, columns: tuple[str, ...]) -> list[list[int] | None]:
    """What `columns` hold in each row, as zeros and ones; None for a row that lacks one of them.

    Raises:
        HfkitError: A cell is neither 0 nor 1 nor missing; the message names its column and row.
    """
    found: list[list[int] | None] = [[] for _ in range(len(table))]
    for name in columns:
        values = table.column(name)
        odd = [row for row, value in enumerate(values) if bit(value) is None and not is_missing(value)]
        if odd:
            raise HfkitError(
                f"{counted(len(odd), 'value')} of the label column {name!r} are no 0 or 1: the first is"
                f" {str(values[odd[0]])[:60]!r}",
                where=table.places(odd),
                fix="write 1 where the label holds and 0 where not; --missing_values names what stands for neither",
            )
        found = [None if row is None or is_missing(value) else [*row, bit(value) or 0]
                 for row, value in zip(found, values, strict=True)]  # fmt: skip
    return found


def places(values: list[Any], names: list[str] | None) -> int:
    """How many classes the lists have a 0 or 1 for; 0 where they list labels instead.

    Lists of class numbers name none twice: three zeros and ones are never that, and two only where every row would
    have both classes.
    """
    width = Counter(map(len, values)).most_common(1)[0][0]
    hot = sum(len(value) == width and None not in map(bit, value) for value in values)
    certain = hot == len(values) if width == 2 else hot > len(values) / 2
    return width if width > 1 and certain and (names is None or len(names) == width) else 0
