"""Signals: Ctrl-C and a cluster's notice end a run at a checkpoint."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hfkit.training.engine import Engine


@contextmanager
def stopped_by_signals(engine: Engine) -> Iterator[None]:
    """The first SIGINT or SIGTERM asks the loop to stop after the update, or the batch of an evaluation, at hand, and
    to write a checkpoint; a second one stops at once.

    torchrun passes on what it gets, and a terminal or a cluster tells all processes itself: there, what follows within
    5 seconds is the same notice once more."""
    first, process, asked = engine.accelerator.is_main_process, os.getpid(), 0.0
    echo = 5.0 if "TORCHELASTIC_RUN_ID" in os.environ else 0.0

    def ask(number: int, frame: Any) -> None:
        if os.getpid() != process:
            return  # A loader's worker, which Ctrl-C reaches too: the loop still needs its batches.
        nonlocal asked
        if engine.interrupted:
            if time.monotonic() - asked < echo:
                return
            raise KeyboardInterrupt
        engine.interrupted, asked = True, time.monotonic()
        if first:  # Not print: the signal may have come in the middle of one.
            os.write(2, b"\nStopping at a checkpoint after this update; again stops at once.\n")

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # Not the main thread: signals go to whoever owns it.
        before = {}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
