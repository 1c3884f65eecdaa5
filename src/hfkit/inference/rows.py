"""answer_rows: the rows of a source through a model into a file, a chunk at a time, in constant memory."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.base.sanitize import line
from hfkit.data.tables.table import counted
from hfkit.inference.readers import STDIN_NAME, Row, Source
from hfkit.inference.writers import open_writer

Answer = dict[str, Any]

SHOWN = 20  # labels that are told with their number, the most frequent first


def answer_rows(
    source: Source,
    output: str | Path | None,
    added: Mapping[str, pa.DataType],
    answers: Callable[[list[Row]], list[Answer | None]],
    *,
    chunk: int,
    told: Callable[[Answer], Any],
    disable_tqdm: bool = False,
) -> int:
    """Answer every row of a source, and write it with the answer beside it. Returns how many rows.

    `added` are the columns that answers go to, and their types; where the source has such a column, `predicted_` stands
    before the name. `answers` is what is answered to `chunk` rows, by these names; None to a row that has no answer,
    which is counted. `told` is what the line at the end counts of an answer. `output` is written whole or not at all;
    None is standard output. Raises HfkitError: the file has no rows; and what `answers` and the writers raise."""
    names = {name: free_name(source.columns, name) for name in added}
    schema = pa.schema([*(source.schema or ()), *(pa.field(names[name], kind) for name, kind in added.items())])
    # Answers on a screen are their own progress, and a bar would be drawn across them.
    hidden = disable_tqdm or (output is None and sys.stdout.isatty())
    if source.name == STDIN_NAME and sys.stdin.isatty():
        chunk = 1  # a person who types lines wants an answer to each
    in_bytes = source.unit == "B"
    scale = {"unit_scale": in_bytes, "unit_divisor": 1024 if in_bytes else 1000}
    tally, rows, skipped = Tally(), 0, 0
    with (
        open_writer(output, source.columns, list(names.values()), schema) as writer,
        Bar("predict", source.unit, source.total, hidden=hidden, **scale) as bar,
    ):
        while asked := list(islice(source.rows, chunk)):
            found = answers(asked)
            beside = [{names[name]: answer and answer[name] for name in names} for answer in found]
            writer.write([row | more for (_, row), more in zip(asked, beside, strict=True)])
            tally.add(answer and told(answer) for answer in found)
            rows += len(asked)
            skipped += found.count(None)
            bar.note = f"{rows:,} rows"
            bar.update((source.done() if in_bytes and source.total else rows) - bar.count)
        if not rows and source.name != STDIN_NAME:
            raise HfkitError("The file has a header and no rows", where=source.name)
    unread = [f"{counted(skipped, 'row')} without a text got no answer"] if skipped else []
    for note in [*source.notes, *writer.notes, *unread, *([tally.told(output)] if output else [])]:
        print(note, file=sys.stderr)
    return rows


def free_name(columns: list[str], name: str) -> str:
    """The column that answers of this name go to, which must not be one of the file's own."""
    while name in columns:
        name = f"predicted_{name}"
    return name


class Tally:
    """Counts labels, or takes in numbers, as they are written; constant memory."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.rows = self.numbers = self.without = 0
        self.low, self.high, self.sum = math.inf, -math.inf, 0.0

    def add(self, answers: Iterable[Any]) -> None:
        """Take in an answer a row: a label, a list of labels, a number, or None where there is none."""
        for answer in answers:
            self.rows += 1
            if answer is None:
                self.without += 1
            elif isinstance(answer, float):
                self.numbers += 1
                self.low, self.high, self.sum = min(self.low, answer), max(self.high, answer), self.sum + answer
            else:
                self.labels.update((answer or ["no label"]) if isinstance(answer, list) else [answer])

    def told(self, output: str | Path) -> str:
        """`20 rows written to answers.csv: positive 11, negative 9`."""
        parts = [f"{line(label, 60)} {number:,}" for label, number in self.labels.most_common(SHOWN)]
        if len(self.labels) > SHOWN:
            parts.append(f"and {counted(len(self.labels) - SHOWN, 'more label')}")
        if self.numbers:
            parts.append(f"{self.low:.4g} to {self.high:.4g}, {self.sum / self.numbers:.4g} on average")
        if self.without:
            parts.append(f"without an answer {self.without:,}")
        return f"{counted(self.rows, 'row')} written to {line(output)}" + (f": {', '.join(parts)}" if parts else "")
