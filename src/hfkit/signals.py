"""Signals: Ctrl-C and a cluster's notice end a run at a checkpoint."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hfkit.engine import Engine


@contextmanager
def stopped_by_signals(engine: Engine) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the loop to stop after the update at hand; a second one stops at once."""
    first, process = engine.accelerator.is_main_process, os.getpid()

    def ask(number: int, frame: Any) -> None:
        if os.getpid() != process:
            return  # A loader's worker, which Ctrl-C reaches too: the loop still needs its batches.
        if engine.interrupted:
            raise KeyboardInterrupt
        engine.interrupted = True
        if first:  # Not print: the signal may have come in the middle of one.
            os.write(2, b"\nStopping at a checkpoint after this update or evaluation; again stops at once.\n")

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # Not the main thread: signals go to whoever owns it.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
