"""Records: an open file of rows, read one by one, each with the number under which a person finds it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hfkit.base.errors import HfkitError

MAX_COLUMNS = 1000
"""Of JSON. Every row has a cell for every column: lines with a key of their own each would fill the memory."""


@dataclass
class Records:
    """An open file."""

    name: str  # what messages call it
    # The rows as they stand there, each with its number: what is skipped need not be parsed
    raw: Iterator[tuple[int, Any]]
    read: Callable[[int, Any], dict[str, Any]]  # a number and what stands there -> the values by column
    # Their names, in order; empty for JSON lines, where every row names its own
    columns: list[str] = field(default_factory=list)
    unit: str = "line"  # what the numbers count: line, item or row
    total: int | None = None  # bytes, or for Parquet rows, so that a progress bar knows the end
    done: Callable[[], int] = lambda: 0  # how many of them have been read
    measure: str = "B"  # what `total` counts: "B" or "row"
    whole: bool = False  # whether the file had to be read into memory at once
    arrow: Callable[[], Any] | None = None  # for Parquet, gives the rows as an Arrow table, and its schema is `schema`
    schema: Any = None
    notes: list[str] = field(default_factory=list)  # what was left out, counted; complete when the rows have been read

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return ((number, self.read(number, raw)) for number, raw in self.raw)

    def place(self, number: int) -> str:
        """Where a row stands: `reviews.csv, line 7`."""
        return f"{self.name}, {self.unit} {number}"

    def names(self, known: Iterable[str], row: dict[str, Any], number: int) -> list[str]:
        """The columns of `row` that are not among `known`."""
        known = set(known)
        new = [name for name in row if name not in known]
        if new and len(known) + len(new) > MAX_COLUMNS:
            fix = "keep the columns that are needed"
            raise HfkitError(f"The rows have more than {MAX_COLUMNS:,} columns", where=self.place(number), fix=fix)
        return new


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse a table in which two columns have one name."""
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise HfkitError(f"The column {twice!r} stands twice in the header", where=where, fix="rename one of the two")
