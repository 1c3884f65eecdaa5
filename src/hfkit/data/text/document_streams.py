"""Documents read as training goes on: a stream window by window, checked as it comes, and held-out splits in memory."""

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

from datasets import Dataset

from hfkit.base.errors import HfkitError
from hfkit.base.network import hub_access
from hfkit.base.processes import is_first
from hfkit.config import DataArguments
from hfkit.data.labels.column import UNLABELLED
from hfkit.data.readers.streams import Row, RowStream, TableRows, documents
from hfkit.data.sources.source import Source
from hfkit.data.splits import remove_repeats
from hfkit.data.summary import LoadedData, describe, finished
from hfkit.data.tables.roles import refuse_in_stream, renamed, roles_of
from hfkit.data.tables.rows import Rows
from hfkit.data.tables.table import Table, counted
from hfkit.data.text.documents import columns_of, dataset, few_cut, open_documents, take_documents
from hfkit.data.text.keys import digest

CHARACTERS = 2**25  # of a window, whatever --streaming_window says: 2,000 books would fill the memory
LOOKED_AT = 100  # first rows of the stream, from which the columns are told
HELD_OUT = 500  # documents of validation and of test where --max_eval_samples and --max_test_samples do not say


@dataclass(frozen=True)
class Position:
    """A place between two windows, and what was counted before it. Plain JSON."""

    epoch: int = 0  # whole passes over the stream
    row: int = 0  # documents of this pass that were read, those held out among them
    documents: int = 0  # learnt, over all passes, and their bytes
    bytes: int = 0
    dropped: int = 0  # documents left out as they have no text
    leaked: int = 0  # documents left out as they have the text of one that is held out
    # Of what was learnt: sha256 over the digest of the windows before and the fingerprint of the last one
    digest: str = ""
    source: Any = None  # where the source stands, if it can tell: a resume then need not read all that was read


@dataclass(frozen=True)
class Window:
    """Some documents of the stream, in its order, and the places before and after them."""

    rows: Dataset
    begin: Position
    end: Position
    notes: list[str] = dataclasses.field(default_factory=list)


class DocumentStream:
    """The training documents of a split of `opened`, row by row; `start` begins one, where rows are lines."""

    first: Window  # the first window

    def __init__(self, stream: RowStream, opened: Source, arguments: DataArguments, start: str | None) -> None:
        self.stream, self.opened, self.arguments, self.start = stream, opened, arguments, start
        with self._reached():
            head = [row for _, row, _ in islice(stream.open(0), LOOKED_AT)]
        if not head:
            raise HfkitError("The stream is empty: it holds no document", where=stream.origin)
        names = list(dict.fromkeys(name for row in head for name in row))
        table = Table(stream.origin, {name: [row.get(name) for row in head] for name in names})
        refuse_in_stream(table, arguments, opened)
        self.layout, self.unused = columns_of(table, opened, arguments)  # `unused`: what is said of the columns
        self.columns = self.layout.used
        self.held = 0  # documents at the start of each pass that are another split's
        self._known = frozenset[bytes]()
        self._place: tuple[int, int] | None = None  # where `_rows` stands
        self._rows: Iterator[Row] = iter(())

    def hold(self, count: int, split: str) -> Rows:
        """The next `count` documents of the stream's start, for another split; training never sees them."""
        with self._reached():
            rows = list(islice(self._documents(self.held), count))
        self.held += len(rows)
        if not rows:
            raise self._nothing(self.begin())
        return self._checked(rows, split, self.held - len(rows))[0]

    def keep_out(self, splits: dict[str, Rows]) -> None:
        """Leave out of training what has the text of a document of `splits`."""
        if not self.arguments.keep_duplicates:
            keys = [key for rows in splits.values() for key in rows.keys()]  # noqa: SIM118 - no dictionary
            self._known = frozenset(digest("\0".join(key)) for key in keys)

    def begin(self) -> Position:
        """Where training begins."""
        return Position(row=self.held)

    def window(self, begin: Position) -> Window:
        """The documents after `begin`: the same whenever it is asked, and in whichever process. A window ends with the
        stream; the next one is then the first of another pass. Raises HfkitError: the stream cannot be read, holds what
        is no document, or nothing but what is held out."""
        passes = 0
        while True:
            rows = self._take(begin)
            if not rows:
                passes += 1
                if passes == 2 or begin.row <= self.held:
                    raise self._nothing(begin)
                if is_first():
                    ended = f"the stream has ended after {begin.row:,} documents and begins again"
                    print(f"data {self.opened.name}: {ended}", flush=True)
                begin = dataclasses.replace(begin, epoch=begin.epoch + 1, row=self.held, source=None)
                continue
            found = self._checked_window(rows, begin)
            if len(found.rows):
                return found
            begin = found.end

    def _checked_window(self, rows: list[Row], begin: Position) -> Window:
        kept, notes = self._checked(rows, "train", begin.row, part=True)
        leaked = {row for row, key in enumerate(kept.keys()) if digest("\0".join(key)) in self._known}
        learnt = dataset(kept.without(leaked))
        what = describe(learnt)
        end = dataclasses.replace(
            begin,
            row=begin.row + len(rows),
            documents=begin.documents + len(learnt),
            bytes=begin.bytes + what["bytes"],
            dropped=begin.dropped + len(rows) - len(kept),
            leaked=begin.leaked + len(leaked),
            digest=hashlib.sha256((begin.digest + what["fingerprint"]).encode()).hexdigest(),
            source=None if self.start else self.stream.state(),
        )
        return Window(learnt, begin, end, notes)

    def _take(self, begin: Position) -> list[Row]:
        """The rows of the window after `begin`; none at the end of the stream."""
        found: list[Row] = []
        size = 0
        with self._reached():
            if self._place != (begin.epoch, begin.row):
                self._rows = self._documents(begin.row, begin.source)
            self._place = None  # an error on the way leaves the rows at their end, which is not the stream's
            for row in self._rows:
                found.append(row)
                size += sum(len(value if isinstance(value, str) else str(value)) for value in row[1].values())
                if len(found) == self.arguments.streaming_window or size >= CHARACTERS:
                    break
        self._place = (begin.epoch, begin.row + len(found))
        return found

    def _documents(self, skip: int, state: Any = None) -> Iterator[Row]:
        """The documents from number `skip` on, with the columns that count."""
        if self.start:
            column = self.columns[0]
            cells = ((place, str(row.get(column) or "")) for place, row, _ in self.stream.open(0))
            lines = ((place, cell if cell.endswith("\n") else f"{cell}\n") for place, cell in cells)
            joined = documents(lines, self.stream.origin, self.start)
            return ((place, {column: text}, ends) for place, text, ends in islice(joined, skip, None))
        return (
            (place, {name: row.get(name) for name in self.columns}, ends)
            for place, row, ends in self.stream.open(skip, state)
        )

    def _checked(self, rows: Sequence[Row], split: str, first: int, part: bool = False) -> tuple[Rows, list[str]]:
        """Rows as documents, those that are none refused or dropped, and what is to be said of them."""
        columns = {name: [row[name] for _, row, _ in rows] for name in self.columns}
        table = Table(self.stream.origin, columns, [place for place, *_ in rows], self.stream.unit)
        found, notes = take_documents(table, split, self.layout, self.arguments, part=part)
        found.id = [f"{split}-{first + row}" for row in found.index]
        found.label = [rows[row][2] for row in found.index]
        card = self.opened.card
        return found, notes + found.substitute(card.replace if card else {}, split)

    def _reached(self) -> AbstractContextManager[None]:
        """Around what may ask the Hub."""
        return hub_access(f"data set {self.opened.location}") if self.opened.kind == "hub" else nullcontext()

    def _nothing(self, begin: Position) -> HfkitError:
        if begin.row > self.held or begin.epoch:
            return HfkitError("The stream holds no document to learn from", where=self.stream.origin)
        what = f"The stream ends within the {counted(self.held, 'document')} that are held out of it"
        fix = "give a smaller --max_eval_samples and --max_test_samples, or leave out --streaming"
        return HfkitError(what, where=self.stream.origin, fix=fix)


def load_stream(arguments: DataArguments) -> LoadedData:
    """Splits as `hfkit.data.text.documents.load_documents` gives them, where `train` is the first window of a stream.

    The rest of the stream is behind its attribute `stream`. A validation or test split of the source is read up to
    `max_eval_samples` or `max_test_samples` documents (500 where they do not say); one that it lacks is as many
    documents of the stream's start, test before validation, which training then leaves out. Raises HfkitError: as
    `load_documents`; a source that is read whole; an empty stream, or one that ends too soon."""
    opened, start = open_documents(arguments)
    opened.streams = opened.streams or {split: TableRows(table) for split, table in opened.tables.items()}
    roles = roles_of(opened, arguments)
    notes = opened.notes + renamed(roles, opened)
    if rest := sorted(opened.streams.keys() - roles.values()):
        notes.append(f"splits not used: {', '.join(rest)}")

    def stream_of(role: str) -> DocumentStream:
        return DocumentStream(opened.streams[roles[role]], opened, arguments, start)

    stream = stream_of("train")
    limits = {"test": arguments.max_test_samples, "validation": arguments.max_eval_samples}
    held: dict[str, Rows] = {}
    for role, limit in limits.items():
        count = limit or HELD_OUT
        if role in roles:
            held[role] = stream_of(role).hold(count, role)
            notes.append(f"{role}: the first {counted(len(held[role]), 'document')} of its split")
        else:
            first = stream.held + 1
            held[role] = stream.hold(count, role)
            notes.append(f"{role}: documents {first:,} to {stream.held:,} of the stream, which training leaves out")
    held = {role: held[role] for role in ("validation", "test")}
    stream.keep_out(held)
    stream.first = stream.window(stream.begin())
    held = remove_repeats(held, notes, keep=arguments.keep_duplicates)
    held = {role: few_cut(rows, role, notes) for role, rows in held.items()}
    return _finish(stream, held, notes + stream.unused + stream.first.notes)


def _finish(stream: DocumentStream, held: dict[str, Rows], notes: list[str]) -> LoadedData:
    opened, first = stream.opened, stream.first
    window = counted(len(first.rows), "document")
    notes.append(f"what is counted before training (a baseline's vocabulary, n-grams) comes from the first {window}")
    if not stream.arguments.keep_duplicates:
        notes.append("documents with the text of one that is held out are left out as they come; repeats stay")
    if first.end.leaked:
        notes.append(f"{counted(first.end.leaked, 'text')} of the first {window} also held out: left out of train")
    sizes, columns = " / ".join(f"{len(rows):,}" for rows in held.values()), ", ".join(stream.columns)
    data = finished(
        opened,
        {"train": first.rows, **{role: dataset(rows) for role, rows in held.items()}},
        notes,
        problem_type=UNLABELLED,
        reading=f"text = {columns}: a stream, {window} at a time; {sizes} documents of validation and test",
        text_column=columns,
        label_column=None,
    )
    data.stream = stream
    return data
