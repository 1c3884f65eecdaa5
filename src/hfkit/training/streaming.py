"""Streaming: the training rows of a stream, a window at a time, each planned as a small data set of its own.

A window's documents are read, tokenized, packed and trained on, then dropped. Its plan depends on (seed, window) alone;
so a checkpoint holds a place in the stream and the number of the window's first update, and every process reads the
same windows, and takes its share of their batches.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import datasets
import numpy as np
from datasets import Dataset, DatasetDict

from hfkit.base.errors import HfkitError
from hfkit.data.batching import BatchPlan, Update
from hfkit.data.tables.table import counted
from hfkit.data.text.document_streams import DocumentStream, Position, Window
from hfkit.tasks import Task
from hfkit.training.callbacks import Callback
from hfkit.training.engine import Engine


@dataclass(eq=False)
class Windows:
    """The rows of the window at hand, which the engine takes for a data set; and the way to the next."""

    stream: DocumentStream
    prepare: Callable[[Dataset], Dataset]  # documents to rows as batches read them
    rows: Dataset  # first those of the stream's first window, which were prepared to look at them
    number: int = 0  # windows before this one

    def __post_init__(self) -> None:
        self.begin, self.end = self.stream.first.begin, self.stream.first.end

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return self.rows[key]

    def __getitems__(self, rows: list[int]) -> list[dict[str, Any]]:
        return self.rows.__getitems__(rows)

    def __getstate__(self) -> dict[str, Any]:
        """What the loader's workers need, where processes are not forked (macOS): a stream cannot go along."""
        return {"rows": self.rows}

    def take(self, number: int, window: Window) -> None:
        """Drop this window for another."""
        self.number, self.begin, self.end = number, window.begin, window.end
        shown = not datasets.are_progress_bars_disabled()
        if shown:  # a window is prepared every few seconds: its bar would be in the way of the training's
            datasets.disable_progress_bars()
        try:
            self.rows = self.prepare(window.rows)
        finally:
            if shown:
                datasets.enable_progress_bars()


class StreamPlan(BatchPlan):
    """The updates of a stream: those of one window after the other, `settings` being `BatchPlan`'s.

    A window's last update holds the rows that are left. For the engine a window is an epoch, at whose end it may
    evaluate and save; the epochs that it counts are whole passes over the stream."""

    def __init__(self, windows: Windows, **settings: Any) -> None:
        self.windows, self.first_update = windows, 0
        super().__init__(np.asarray(windows["length"][:]), **settings)

    def updates(self, start: int, total: int) -> Iterator[Update]:
        """The updates from number `start` to the end of its window, reading on where it is not the one at hand. Raises
        HfkitError: as `DocumentStream.window`; a row is longer than `tokens_per_batch`."""
        planned = self.epoch(self.windows.number)
        while start >= self.first_update + len(planned):
            here = self.windows
            self.take(here.number + 1, here.stream.window(here.end), self.first_update + len(planned))
            planned = self.epoch(here.number)
        yield from planned[start - self.first_update : total - self.first_update]

    def epochs(self, examples: int) -> float:
        """Whole passes over the stream before this window: how long the present one is, nobody knows."""
        return float(self.windows.begin.epoch)

    def take(self, number: int, window: Window, first_update: int) -> None:
        """Go to a window, whose first update has this number."""
        self.windows.take(number, window)
        self.first_update = first_update
        self.lengths = np.asarray(self.windows["length"][:], dtype=np.int64)
        self.check_lengths()

    def told(self) -> dict[str, Any]:
        """What was read of the stream, for run.json: the windows that training began, the last of them perhaps in
        part."""
        end = self.windows.end
        found = {name: getattr(end, name) for name in ("documents", "bytes", "dropped", "leaked", "digest")}
        return {"windows": self.windows.number + 1, "passes": end.epoch, "held_out": self.windows.stream.held} | found


class StreamPosition(Callback):
    """Where in a stream training stands, as part of every checkpoint: the window at hand."""

    def __init__(self, plan: StreamPlan) -> None:
        self.plan = plan

    def state_dict(self) -> dict[str, Any]:
        windows = self.plan.windows
        place = {"window": windows.number, "first_update": self.plan.first_update, "digest": windows.end.digest}
        return place | {"begin": asdict(windows.begin)}

    def load_state_dict(self, engine: Engine, state: dict[str, Any]) -> None:
        begin, stream = Position(**state["begin"]), self.plan.windows.stream
        window = stream.window(begin)
        if window.end.digest != state["digest"]:
            what = f"The documents after number {begin.row:,} of the stream are not those that the run has learnt from"
            fix = "restore them, or begin again with --overwrite (and a pinned --dataset_revision)"
            raise HfkitError(what, where=stream.opened.location, fix=fix)
        self.plan.take(state["window"], window, state["first_update"])


def streamed(task: Task, data: DatasetDict, learnt: DatasetDict, processor: Any) -> None:
    """Put the windows of a stream, where there is one, in the place of the training rows of its first window."""
    stream = getattr(data, "stream", None)
    if stream is not None:
        windows: Any = Windows(stream, lambda rows: task.to_train(task.encode(rows, processor)), learnt["train"])
        learnt["train"] = windows


def plan_of(rows: Any, **settings: Any) -> BatchPlan:
    """The plan for training rows, those of a data set or a stream's."""
    if isinstance(rows, Windows):
        return StreamPlan(rows, **settings)
    return BatchPlan(np.asarray(rows["length"][:]), **settings)


def facts(told: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What run.json says of the data once a stream has been read."""
    left = {"without a text": told["dropped"], "that are also held out": told["leaked"]}
    parts = [f"{counted(told['documents'], 'document')} read in {counted(told['windows'], 'window')}"]
    parts += [f"pass {told['passes'] + 1} over it"] * bool(told["passes"])
    parts += [f"{number:,} {what} left out" for what, number in left.items() if number]
    train = {"rows": told["documents"], "bytes": told["bytes"], "fingerprint": told["digest"]}
    notes = [*data["notes"], f"stream: {', '.join(parts)}"]
    return data | {"splits": data["splits"] | {"train": train}, "notes": notes}
