"""Processes: which one of a launch this is, asked here and nowhere else, and how they meet.

A launcher tells each process RANK, WORLD_SIZE and MASTER_ADDR. A shell or a pod may hold some of them, or all, from
another day: a process that believed them would keep silent for a first one that never comes.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from hfkit.base.errors import HfkitError

Met = TypeVar("Met")

PLACE = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
"""What a launcher gives to each process; MASTER_ADDR alone tells nothing, and MPI's launchers set it."""

SOON, PATIENCE, UNDER_TORCHRUN = 5.0, 120.0, 600.0
"""Seconds after which it is said who is waited for, and after which the wait ends. torchrun's nodes may start apart."""

LEFT_OVER = f"if no launcher started this process, these variables are left over: unset {' '.join(PLACE)}"


def rank() -> int:
    """This process's number in its launch; 0 for one that was not launched with others."""
    return _launch()[0]


def count() -> int:
    """How many processes the launch has. Variables that do not fit together are no launch."""
    return _launch()[1]


def is_first() -> bool:
    """Whether this is the process that prints and writes."""
    return rank() == 0


def forget_launch() -> None:
    """Be one process: for commands that do not share their work, whatever a launcher left in the environment."""
    for name in PLACE:
        os.environ.pop(name, None)


def meet(make: Callable[..., Met], **options: Any) -> Met:
    """Make an Accelerator, or its PartialState, which meets the other processes of the launch.

    Variables that are no whole launch are dropped, and this is said. Who is waited for is said after seconds, and a
    wait that does not end ends the process with one message: nothing in Python can interrupt it. Raises HfkitError: the
    launcher started several processes that do not know each other, or that cannot meet where MASTER_ADDR says."""
    found = [f"{name}={os.environ[name]}" for name in PLACE if name in os.environ]
    if found and not _whole():
        print(f"{', '.join(found)}: left over, with no launch to belong to; this is one process", file=sys.stderr)
        forget_launch()
    here = ("localhost", "127.0.0.1", "::1", socket.gethostname())
    if _whole() and count() == 1 and os.environ["MASTER_ADDR"] not in here:
        forget_launch()  # one process has nobody to meet, and an address that was left over may not answer
    began = count()
    try:
        with _watched():
            made: Any = make(**options)
    except RuntimeError as error:
        if began == 1 or _joined():
            raise
        reason = str(error).strip().splitlines()[0]
        raise HfkitError(f"{_who()} cannot meet the others: {reason}", where=_place(), fix=LEFT_OVER) from error
    if made.num_processes != count():
        what = f"the launcher started {count()} processes, and they do not know each other"
        fix = "on the CPU set ACCELERATE_USE_CPU=true before torchrun; on GPUs start one process for each GPU"
        raise HfkitError(what, fix=f"{fix}; {LEFT_OVER}")
    return made


@cache
def one_thread_after_fork() -> None:
    """Let forks of this process compute with one thread: OpenMP's others stay behind, and a child that has several to
    share its work with waits for them for ever."""

    def alone() -> None:
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(1)

    os.register_at_fork(after_in_child=alone)


def first_to_tell() -> bool:
    """Whether this process is the one that tells what went wrong: an error of one process is told by that one, the same
    error of all of them once, by the first that asks the launch's store. Before they have met, by process 0, if there
    may be one: better told twice than never."""
    torch = _joined()
    if torch is None:
        return is_first() or not _answered()
    place, port = os.environ.get("MASTER_ADDR", ""), int(os.environ.get("MASTER_PORT", "0"))
    try:
        store = torch.distributed.TCPStore(place, port, is_master=False, timeout=timedelta(seconds=5))
        return int(store.add(f"hfkit/told/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", 1)) == 1
    except RuntimeError:  # The store went with the process that held it.
        return True


def _joined() -> Any:
    """torch, where it is loaded and its processes have met; else None."""
    torch = sys.modules.get("torch")
    met = torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized()
    return torch if met else None


def _whole() -> bool:
    """Whether the environment holds all that the processes of a launch need to meet."""
    try:
        here, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    except (KeyError, ValueError):
        return False
    return 0 <= here < size and bool(os.environ.get("MASTER_ADDR"))


def _launch() -> tuple[int, int]:
    if torch := _joined():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return (int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])) if _whole() else (0, 1)


def _who() -> str:
    return f"process {rank()} of {count()}"


def _place() -> str:
    return f"MASTER_ADDR={os.environ.get('MASTER_ADDR')}, MASTER_PORT={os.environ.get('MASTER_PORT', '29500')}"


def _answered() -> bool:
    """Whether somebody listens where the launch meets: process 0, or its launcher."""
    try:
        place = os.environ["MASTER_ADDR"], int(os.environ.get("MASTER_PORT", "29500"))
        socket.create_connection(place, timeout=2).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


@contextmanager
def _watched() -> Iterator[None]:
    """Around the meeting: says who is waited for, ends the process when nobody comes, and lets Ctrl-C through."""
    if count() == 1 or _joined():
        yield
        return
    met, limit = threading.Event(), UNDER_TORCHRUN if "TORCHELASTIC_RUN_ID" in os.environ else PATIENCE
    others = "the others" if is_first() else "process 0"

    def watch() -> None:
        if met.wait(SOON):
            return
        print(f"{_who()} waits for {others} ({_place()}), {limit:.0f} s at most; {LEFT_OVER}", file=sys.stderr)
        if not met.wait(limit - SOON):
            error = HfkitError(f"{_who()}: {others} did not come in {limit:.0f} s", where=_place(), fix=LEFT_OVER)
            print(f"error: {error}", file=sys.stderr, flush=True)
            os._exit(1)

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if main else None
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        met.set()
        if main:
            signal.signal(signal.SIGINT, before)
