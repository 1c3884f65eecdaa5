"""Sessions: a small real job, done in a forked child with everything imported, and ended in every bad way."""

import contextlib
import hashlib
import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from tqdm import tqdm

from hfkit.cli.main import main

from .failpoints import Failpoints, Fault

WORDS = (
    "the a this that film story plot actor scene ending music was is felt seems and but with of in very quite".split()
)
TELLING = {"pos": ("wonderful", "moving", "warm", "funny"), "neg": ("dreadful", "boring", "cold", "awful")}

# Dropout, an average, accumulation, patience: whatever a resume could lose. 14 updates, a checkpoint after each second.
KNOBS = {
    "model": "baseline:transformer",
    "model_args": '{"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}',
    "dropout": 0.2,
    "vocab_size": 200,
    "max_length": 16,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 2,
    "num_train_epochs": 2,
    "learning_rate": 3e-3,
    "ema_decay": 0.9,
    "early_stopping_patience": 50,
    "eval_strategy": "steps",
    "eval_steps": 4,
    "save_strategy": "steps",
    "save_steps": 2,
    "save_total_limit": 2,
    "logging_steps": 1,
    "validation_size": 0.2,
    "test_size": 0.3,
    "mixed_precision": "no",
}

PATIENCE = 120  # seconds; a session takes one or two


def write_rows(path: Path) -> None:
    """88 made reviews: 50 to train on, 12 for validation, 26 to test on."""
    rng = random.Random(0)
    lines = ["review,sentiment"]
    for row in range(88):
        label = ("pos", "neg")[row % 2]
        words = [*rng.choices(WORDS, k=rng.randint(3, 12)), rng.choice(TELLING[label]), f"no{row}"]
        lines.append(f"{' '.join(words)},{label}")
    path.write_text("\n".join(lines) + "\n")


def command(rows: Path, run: Path) -> list[str]:
    """The arguments of `hfkit` that make, or go on with, a run."""
    flags = [str(part) for name, value in KNOBS.items() for part in (f"--{name}", value)]
    return ["train", "--dataset", str(rows), "--output_dir", str(run), "--use_cpu", "--disable_tqdm", *flags]


@dataclass
class Ended:
    """How a session ended.

    Attributes:
        status: Exit status; the negative signal for one that was killed.
        output: All that it printed.
        notes: The failpoints' words: the fault, where it was reached, and the steps, where the end was.
        seconds: From its start to its end.
        notice: Seconds from a signal to the end.
    """

    status: int
    output: str
    notes: list[str]
    seconds: float
    notice: float = 0.0


def session(
    arguments: list[str],
    fault: Fault | None = None,
    after: tuple[float, signal.Signals] | None = None,
    limit: int | None = None,
) -> Ended:
    """Do the job in a child of this process.

    Args:
        arguments: Of `hfkit`.
        fault: At which step on the disk what happens.
        after: Send a signal after so many seconds.
        limit: No file may grow beyond so many bytes: the kernel's own failing write, in whatever language.
    """
    run = Path(arguments[arguments.index("--output_dir") + 1])
    printed, noted = _Pipe(), _Pipe()
    began, sent = time.monotonic(), None
    child = os.fork()
    if child == 0:
        _work(arguments, Failpoints(run, fault, noted.write), limit, printed)
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        printed.drain()
        if done:
            break
        if after and sent is None and time.monotonic() - began >= after[0]:
            sent = time.monotonic()
            os.kill(child, after[1])
        if time.monotonic() - began > PATIENCE:  # a run that hangs is one that cannot go on
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    ended = time.monotonic()
    return Ended(
        status=os.waitstatus_to_exitcode(status),
        output=printed.close(),
        notes=noted.close().splitlines(),
        seconds=ended - began,
        notice=ended - sent if sent else 0.0,
    )


class _Pipe:
    """From the child to its parent. (A file would fall under the child's limit.)"""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.said = bytearray()

    def write(self, line: str) -> None:
        os.write(self.writer, f"{line}\n".encode())

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while part := os.read(self.reader, 1 << 16):
                self.said += part

    def close(self) -> str:
        self.drain()
        os.close(self.reader)
        os.close(self.writer)
        return self.said.decode(errors="replace")


def _work(arguments: list[str], points: Failpoints, limit: int | None, printed: _Pipe) -> NoReturn:
    """The child."""
    status = 99
    try:
        os.dup2(printed.writer, 1)
        os.dup2(printed.writer, 2)
        _scramble()
        tqdm.set_lock(threading.RLock())  # the parent's is shared by all children: one that is killed may hold it
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        points.arm()
        try:
            main(arguments)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        points.say(f"steps {points.passed}")
    finally:
        os._exit(status)


def _scramble() -> None:
    """Another state of every generator in each child, as in a fresh process: a run may not depend on it."""
    random.seed()
    np.random.seed(int.from_bytes(os.urandom(4), "little"))  # noqa: NPY002
    torch.manual_seed(int.from_bytes(os.urandom(4), "little"))


def fingerprint(run: Path) -> dict[str, str]:
    """sha256 of every file that two equal runs share byte for byte."""
    files = [run / "log.jsonl", run / "metrics.json", run / "predictions.parquet", *(run / "model").rglob("*")]
    return {
        path.relative_to(run).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "-"
        for path in sorted(files)
    }
