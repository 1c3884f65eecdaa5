"""Row streams: one split of a source, read row by row from any place on, so that it need not fit into memory."""

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from hfkit.base.errors import HfkitError
from hfkit.config import FileArguments
from hfkit.data.readers import SUFFIXES, open_records, read_lines
from hfkit.data.tables.table import Table

Row = tuple[Any, dict[str, Any], bool]
"""Where a row stands, its values by column, and whether its document ends with it."""

END = "<|endoftext|>"  # a line that begins so parts two documents of a text file
PIECE = 2**16
"""Characters after which a streamed text goes on in another piece, at a line end: a book of any length is read so."""


class RowStream:
    """A split. `origin` and `unit` (line, row, document) say in messages where a row stands."""

    origin: str
    unit: str

    def open(self, skip: int, state: Any = None) -> Iterator[Row]:
        """All rows but the first `skip`; faster where `state` is what `state()` said there."""
        raise NotImplementedError

    def state(self) -> Any:
        """Where the rows that were opened last stand, in JSON; None where it is counted alone."""
        return None


@dataclass
class TableRows(RowStream):
    """A table in memory, for an embedded data set."""

    table: Table
    unit: str = "row"

    def __post_init__(self) -> None:
        self.origin = self.table.origin

    def open(self, skip: int, state: Any = None) -> Iterator[Row]:
        columns = [self.table.column(name) for name in self.table.columns]
        for row in range(skip, len(self.table)):
            yield row, {name: values[row] for name, values in zip(self.table.columns, columns, strict=True)}, True


@dataclass
class HubRows(RowStream):
    """A split of a Hub data set, fetched as it is read, shard by shard: a shard is a file, or a part of one."""

    origin: str
    dataset: Any
    unit: str = "row"

    def open(self, skip: int, state: Any = None) -> Iterator[Row]:
        if state is None or state["shards"] != self.dataset.num_shards:  # another version of datasets may cut otherwise
            rows: Iterator[dict[str, Any]] = islice(self._from(0, 0), skip, None)
        else:
            rows = self._from(state["shard"], state["row"])
        return ((place, row, True) for place, row in enumerate(rows, start=skip))

    def state(self) -> Any:
        return {"shards": self.dataset.num_shards, "shard": self._shard, "row": self._row}

    def _from(self, first: int, skip: int) -> Iterator[dict[str, Any]]:
        """The rows from number `skip` of the shard `first` on."""
        for shard in range(first, self.dataset.num_shards):
            part = self.dataset.shard(self.dataset.num_shards, shard)
            self._shard, self._row = shard, skip if shard == first else 0
            for row in part.skip(self._row):
                self._row += 1
                yield row


@dataclass
class FileRows(RowStream):
    """Files of one kind, one after the other."""

    origin: str  # the file, or the folder that holds them
    files: list[Path]
    how: FileArguments = field(default_factory=FileArguments)
    start: str | None = None  # of texts: the line that begins a document

    def __post_init__(self) -> None:
        suffix = self.files[0].suffix.lower()
        self.unit = "row" if suffix == ".parquet" else "line" if suffix in SUFFIXES else "document"

    def open(self, skip: int, state: Any = None) -> Iterator[Row]:
        found = ((path, number, raw, read) for path in self.files for number, raw, read in self._file(path))
        for path, number, raw, read in islice(found, skip, None):  # what is skipped is split into rows, not parsed
            row, ends = read(number, raw)
            yield number if len(self.files) == 1 else f"{path.name}:{number}", row, ends

    def _file(self, path: Path) -> Iterator[tuple[int, Any, Callable[[int, Any], tuple[dict[str, Any], bool]]]]:
        if path.suffix.lower() not in SUFFIXES:
            lines = enumerate(line.replace("\r\n", "\n") for line in read_lines(path, self.how.encoding))
            for number, piece in enumerate(documents(lines, str(path), self.start, END, PIECE), start=1):
                yield number, piece, lambda _, piece: ({"text": piece[1]}, piece[2])
            return
        with open_records(path, self.how) as records:
            if records.whole:
                what = "The file holds no object a line: it is read whole and cannot be streamed"
                raise HfkitError(what, where=str(path), fix="write one object a line, or leave out --streaming")
            for number, raw in records.raw:
                yield number, raw, lambda number, raw: (records.read(number, raw), True)


def documents(
    lines: Iterable[tuple[Any, str]], where: str, begin: str | None, end: str | None = None, piece: float = math.inf
) -> Iterator[tuple[Any, str, bool]]:
    """The documents of lines, each with the place of its first line, and whether it ends there.

    One begins at a line that the pattern `begin` matches, and behind the sign `end` at the beginning of a line; a long
    one goes on in pieces of `piece` characters and a line. Raises HfkitError, about `where`: no line matches."""
    begins = re.compile(begin) if begin else None
    held: list[str] = []
    first, size, began, found = None, 0, False, False  # began: something other than blanks is held
    for place, line in lines:
        ended = end is not None and line.startswith(end)
        if end and ended:
            line = line.removeprefix(end).removeprefix("\n")
        matched = bool(begins and begins.match(line))
        found |= matched
        # A piece goes on only where something does: the last one of a document is never blank.
        cut = ended or matched or (size >= piece and bool(line.strip()))
        if began and cut:
            yield first, "".join(held), ended or matched
        if ended or (began and cut):
            held, size, began = [], 0, False
        first = first if held else place
        held.append(line)
        size += len(line)
        began = began or bool(line.strip())
    if begins and not found:
        raise HfkitError(f"No line begins a document by the pattern {begin!r}", where=where, fix="--document_start")
    if began:
        yield first, "".join(held), True
