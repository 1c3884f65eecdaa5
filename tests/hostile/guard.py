"""What every hostile case is held to: one HfkitError with its place, in seconds, in bounded memory, no file changed."""

import hashlib
import re
import resource
import signal
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hfkit.base.errors import HfkitError

SECONDS = 20  # most take a tenth of one; a machine may be busy
MEGABYTES = 600
MESSAGE = 3200

# Anything that moves the cursor, rings, or reorders what stands beside it; a message may only break lines.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Attributes:
        name: What is wrong with it, for the test's id.
        make: Writes it into the working folder; returns what the door is given.
        told: What the message must contain: the place, the fault.
    """

    name: str
    make: Callable[[], Any]
    told: tuple[str, ...]


def cases(*entries: tuple[str, Callable[[], Any], tuple[str, ...]]) -> list[Any]:
    """Entries as parameters of a test, named after what is wrong."""
    return [pytest.param(Case(*entry), id=entry[0].replace(" ", "-")) for entry in entries]


def refused(case: Case, door: Callable[[Any], Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The message with which `door` turns the case away, held to all the rules."""
    given = case.make()
    before = contents(Path())
    with bounded(), pytest.raises(HfkitError) as caught:
        door(given)
    message = str(caught.value)
    for part in case.told:
        assert part in message
    harmless(message)
    told = capsys.readouterr()
    assert not CONTROL.search(told.out.replace("\r", ""))
    assert contents(Path()) == before, "a file was changed, made or removed"
    return message


def harmless(message: str) -> None:
    """Short, and without a character that a terminal acts on."""
    assert len(message) <= MESSAGE, f"{len(message):,} characters"
    assert not CONTROL.search(message), repr(message)
    assert "Traceback" not in message


@contextmanager
def bounded(seconds: float = SECONDS, megabytes: int = MEGABYTES) -> Iterator[None]:
    """Fails when the block takes longer or more memory; both are stopped before they take the machine down."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    limit = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + (8 << 30), limit[1]))
    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    held = _memory("VmRSS", forget_peak=True)
    try:
        yield
        taken = (_memory("VmHWM") - held) >> 20
        assert taken < megabytes, f"{taken:,} MB"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limit)


def _memory(field: str, forget_peak: bool = False) -> int:
    """Bytes of this process, as Linux counts them; 0 elsewhere."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if forget_peak:
        Path("/proc/self/clear_refs").write_text("5")
    found = re.search(rf"{field}:\s+(\d+) kB", status.read_text())
    return int(found[1]) << 10 if found else 0


def contents(folder: Path) -> dict[str, str]:
    """Every path below `folder` with what it is and what it holds; nothing is followed, and no pipe is opened."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        if stat.S_ISREG(state.st_mode) and state.st_blocks * 512 < 50_000_000:
            with path.open("rb") as stream:
                told = hashlib.file_digest(stream, "sha256").hexdigest() if state.st_size < 1 << 28 else "large"
        else:
            told = str(path.readlink()) if path.is_symlink() else "special"
        found[str(path)] = f"{stat.S_IFMT(state.st_mode):o} {state.st_size} {state.st_mtime_ns} {told}"
    return found


def write(name: str, content: str | bytes) -> str:
    """A file in the working folder, and its name."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return name
