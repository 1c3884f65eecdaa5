"""answer_rows: the rows of a source through a model into a file, a chunk at a time, in constant memory."""

import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from hfkit.base.errors import HfkitError
from hfkit.base.progress import Bar
from hfkit.data.tables.table import counted
from hfkit.inference.readers import STDIN_NAME, Row, Source
from hfkit.inference.tally import Tally
from hfkit.inference.writers import open_writer

Answer = dict[str, Any]


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
    """Answer every row, and write it with the answer beside it: every column is kept.

    Args:
        source: From `open_rows`.
        output: The file to write, whole or not at all. None: a line an answer on standard output.
        added: The columns that answers go to, and their types; where the source has such a column, `predicted_` stands
            before the name.
        answers: What is answered to some rows, by these names; None to a row that has no answer, which is counted.
        chunk: Rows that are answered together.
        told: What the line at the end counts of an answer.
        disable_tqdm: No progress bar on standard error.

    Returns:
        The number of rows.

    Raises:
        HfkitError: The file has no rows; and what `answers` and the writers raise. No output is left then.
    """
    names = _free(source.columns, added)
    schema = pa.schema([*(source.schema or ()), *(pa.field(names[name], kind) for name, kind in added.items())])
    # Answers on a screen are their own progress, and a bar would be drawn across them.
    hidden = disable_tqdm or (output is None and sys.stdout.isatty())
    if source.name == STDIN_NAME and sys.stdin.isatty():
        chunk = 1  # a person who types lines wants an answer to each
    tally, rows, skipped = Tally(), 0, 0
    with open_writer(output, source.columns, list(names.values()), schema) as writer, _bar(source, hidden) as bar:
        while asked := list(islice(source.rows, chunk)):
            found = answers(asked)
            writer.write([_joined(row, names, answer) for (_, row), answer in zip(asked, found, strict=True)])
            tally.add(answer and told(answer) for answer in found)
            rows += len(asked)
            skipped += found.count(None)
            bar.note = f"{rows:,} rows"
            bar.update((source.done() if source.unit == "B" and source.total else rows) - bar.count)
        if not rows and source.name != STDIN_NAME:
            raise HfkitError("The file has a header and no rows", where=source.name)
    unread = [f"{counted(skipped, 'row')} without a text got no answer"] if skipped else []
    for note in [*source.notes, *writer.notes, *unread, *([tally.told(output)] if output else [])]:
        print(note, file=sys.stderr)
    return rows


def _free(columns: list[str], added: Iterable[str]) -> dict[str, str]:
    """What is answered -> the column that it goes to, which must not be one of the file's own."""
    names = {}
    for name in added:
        free = name
        while free in columns:
            free = f"predicted_{free}"
        names[name] = free
    return names


def _joined(values: dict[str, Any], names: dict[str, str], answer: Answer | None) -> dict[str, Any]:
    """A row of the output."""
    return {**values, **{column: answer and answer[name] for name, column in names.items()}}


def _bar(source: Source, hidden: bool) -> Bar:
    in_bytes = source.unit == "B"
    scale = {"unit_scale": in_bytes, "unit_divisor": 1024 if in_bytes else 1000}
    return Bar("predict", source.unit, source.total, hidden=hidden, **scale)
