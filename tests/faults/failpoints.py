"""Failpoints: every step of a process on the disk is counted, and at one of them it is killed or its disk fails.

Seen are Python's own files (opened, each write, synced), renames, folders made and files removed, through an audit hook
and a few replaced functions; and what safetensors and Parquet write, as one write each. Product code knows of none of
this: it is put into a child process that ends with the fault.
"""

import builtins
import errno
import io
import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

AUDITED = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}


@dataclass(frozen=True)
class Fault:
    """What befalls a process.

    Attributes:
        kind: `kill`: SIGKILL. `ENOSPC`, `EIO`, `EACCES`: what a write is answered with.
        at: Before which step, from 1 on. A write stops in its middle: half of it is on the disk.
        lasting: Every later step fails too, as on a full disk; else it is this one alone.
    """

    kind: str
    at: int
    lasting: bool = False


class Failpoints:
    """Counts the steps below `root` and lets the fault happen. `arm` once a process; there is no way back.

    Args:
        root: The folder whose files count.
        fault: None only counts.
        say: Called with a sentence on the fault, just before it happens.
    """

    def __init__(self, root: Path, fault: Fault | None, say: Callable[[str], None]) -> None:
        self.root, self.fault, self.say = str(root), fault, say
        self.steps = itertools.count(1)
        self.passed = 0

    def arm(self) -> None:
        """Put the failpoints into this process."""
        sys.addaudithook(self._audit)
        sync, opened = os.fsync, io.open

        def fsync(descriptor: int) -> None:
            self.step("fsync", f"{self.root}/")  # hfkit syncs nothing else
            sync(descriptor)

        def open_(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
            if not self._inside(file) or not set(mode) & set("wax+"):
                return opened(file, mode, buffering, *rest, **named)
            raw = _File(file, mode.replace("b", "").replace("t", ""))
            raw.points = self
            binary = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return binary if "b" in mode else io.TextIOWrapper(binary, *rest, **named)

        os.fsync = fsync
        io.open = builtins.open = open_  # type: ignore[assignment]

        import pyarrow.parquet as parquet
        import safetensors.torch

        _tear(self, safetensors.torch, "serialize_file", 1)
        _tear(self, parquet, "write_table", 1)

    def step(self, what: str, path: str, half: Callable[[], Any] | None = None) -> None:
        """Count a step, and fail at the chosen one.

        Args:
            half: Does half of it.
        """
        self.passed = next(self.steps)
        if self.fault is None or self.passed < self.fault.at or (self.passed > self.fault.at and not self._lasts(what)):
            return
        if self.passed == self.fault.at:
            self.say(f"{self.fault.kind} at {what} {path}")
        if half is not None:
            half()
        if self.fault.kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, self.fault.kind)
        raise OSError(number, os.strerror(number), path)

    def _lasts(self, what: str) -> bool:
        """A full disk still deletes and renames."""
        assert self.fault is not None
        return self.fault.lasting and not (self.fault.kind == "ENOSPC" and what in ("os.remove", "os.rmdir"))

    def _inside(self, path: Any) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self.root)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if self._inside(path) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                self.step(event, str(path))
        # rmtree names files relative to a folder that it holds open: its last argument.
        elif event in AUDITED and (
            self._inside(arguments[0]) or (event != "os.rename" and arguments[-1] not in (-1, None))
        ):
            self.step(event, str(arguments[0]))


class _File(io.FileIO):
    points: Failpoints

    def write(self, data: Any) -> int:
        def half() -> None:
            io.FileIO.write(self, memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2])

        self.points.step("write", str(self.name), half)
        return super().write(data)


def _tear(points: Failpoints, module: Any, name: str, place: int) -> None:
    """Make a library's function that writes a whole file at once stop in its middle. `place`: its path's argument."""
    function = getattr(module, name)

    def torn(*arguments: Any, **named: Any) -> Any:
        path = Path(arguments[place])

        def half() -> None:
            function(*arguments, **named)
            os.truncate(path, path.stat().st_size // 2)

        try:
            points.step("write", str(path), half)
        except OSError as error:
            if name != "serialize_file":
                raise
            import safetensors

            raise safetensors.SafetensorError(f"I/O error: {error.strerror} (os error {error.errno})") from None
        return function(*arguments, **named)

    setattr(module, name, torn)
