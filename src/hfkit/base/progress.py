"""Bar: how far a long job is and when it ends, told as a terminal, a notebook or a file reads best."""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

EVERY = 30.0  # seconds between two lines where standard error is a file: a bar would fill it with fragments

SURE, WORTH = 3.0, 60.0
"""Seconds after which the end can be told, and seconds to go from which it is told in a sentence of its own."""


class Bar(AbstractContextManager["Bar"]):
    """A bar of tqdm on a terminal or in a notebook, a line each 30 s in a file.

    The time left goes by the `planned` work (tokens, bytes; by default the `total`, which is None where nobody knows),
    as steps differ in size. Neither the first step, which warms up, nor what happens inside `paused` counts for the
    speed. `count` and `work` were done before; `options` are tqdm's."""

    def __init__(
        self,
        desc: str,
        unit: str,
        total: int | None,
        *,
        planned: float | None = None,
        count: int = 0,
        work: float = 0,
        hidden: bool = False,
        **options: Any,
    ) -> None:
        from tqdm.asyncio import tqdm_asyncio
        from tqdm.auto import tqdm

        self.desc, self.unit, self.total, self.hidden = desc, unit, total, hidden
        self.planned = total if planned is None else planned
        self.count, self.work = count, work
        self.note, self.later = "", 0.0  # seconds of other work that is to come before the end
        self.began: float | None = None  # when the first step was done
        self.told, self.foretold = time.monotonic(), False
        self.lines = tqdm is tqdm_asyncio and not sys.stderr.isatty()
        form = None if total is None else "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        options |= {"unit": unit, "bar_format": form, "initial": count, "file": sys.stderr}
        self.bar = tqdm(total=total, desc=desc, disable=hidden or self.lines, **options)

    def __exit__(self, *error: object) -> None:
        self.close()

    def update(self, count: int = 1, work: float | None = None) -> None:
        """So many more are done, and with them so much work."""
        now = time.monotonic()
        self.count += count
        self.work += count if work is None else work
        if self.began is None:
            self.began, self.first = now, self.work
        if self.hidden:
            return
        left = self.left()
        if not self.foretold and left is not None and now - self.began > SURE:
            self.foretold = True
            if left > WORTH:
                self._say(f"{self.desc}: {about(left)} to go")
        told = [self.note] * bool(self.note) + ([f"{about(left)} left"] if left is not None else [])
        self.bar.set_postfix_str(", ".join(told), refresh=False)
        self.bar.update(count)
        if self.lines and now - self.told > EVERY:
            of = "" if self.total is None else f" of {self.total:,}"
            done = f"{self.count:,}{of} {self.unit}s"
            if self.unit == "B" and self.total:
                done = f"{100 * self.count / self.total:.0f} %"
            self._say(", ".join([f"{self.desc}: {done}", *told]))

    def left(self) -> float | None:
        """Seconds to go; None where they cannot be told yet."""
        if self.planned is None or self.began is None or self.work <= self.first:
            return None
        each = (time.monotonic() - self.began) / (self.work - self.first)
        return max(0.0, (self.planned - self.work) * each) + self.later

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Around other work, which has a bar of its own."""
        stopped = time.monotonic()
        yield
        if self.began is not None:
            self.began += time.monotonic() - stopped

    def close(self) -> None:
        self.bar.close()

    def _say(self, line: str) -> None:
        self.told = time.monotonic()
        self.bar.write(line, file=sys.stderr)
        sys.stderr.flush()


def about(seconds: float) -> str:
    """`about 40 seconds`, `about 6 minutes`, `about 2.5 hours`."""
    if seconds < 90:
        return f"about {max(10, round(seconds, -1)):.0f} seconds"
    minutes = seconds / 60
    return f"about {minutes:.0f} minutes" if minutes < 90 else f"about {minutes / 60:.1f} hours"
