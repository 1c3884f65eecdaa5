"""Programs that do one job, each in a fresh process, in turns: A B A B ...

A side prints its figures as one line of JSON at the end. What a turn measured is kept on the disk at once, so that a
benchmark that is stopped goes on where it stood, as long as its sides and the code are the same.
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import hfkit

WORK = Path(__file__).parent / ".work"
"""Models, data and unfinished measurements; not part of the repository."""

Figures = dict[str, Any]
Turn = dict[str, Figures]
"""What each side of a turn said, by its name."""


@dataclass(frozen=True)
class Side:
    """One program.

    Attributes:
        name: What the printed sentence calls it.
        command: What follows the interpreter. `{turn}` becomes the turn's number: a seed.
        environment: Variables besides those of this process.
    """

    name: str
    command: Sequence[str]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, turn: int) -> Figures:
        """Its figures; `process_seconds` is added, from start to end.

        Raises:
            RuntimeError: It failed; its last words are in the message.
        """
        command = [sys.executable, *(part.replace("{turn}", str(turn)) for part in self.command)]
        began = time.perf_counter()
        done = subprocess.run(command, env=surroundings(self.environment), capture_output=True, text=True)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{self.name} ended with {done.returncode}: {(done.stderr or done.stdout)[-3000:]}")
        figures: Figures = json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])
        return figures | {"process_seconds": seconds}


def surroundings(own: dict[str, str]) -> dict[str, str]:
    """The environment of a side: no network, a cache of its own, and as many threads as the library itself takes."""
    given = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    given |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(WORK / "datasets"), "TOKENIZERS_PARALLELISM": "true"}
    return given | own


def code() -> bytes:
    """A digest of hfkit and the benchmarks as they are: what other code measured is not gone on with."""
    folders = (Path(hfkit.__file__).parent, Path(__file__).parent)
    files = sorted(file for folder in folders for file in folder.rglob("*.py") if WORK not in file.parents)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).digest()


def in_turns(name: str, sides: Sequence[Side], pairs: int, quick: bool = False, warm_up: bool = True) -> list[Turn]:
    """Each side once a turn, in the order A B and then B A, after one turn that does not count.

    Args:
        name: The benchmark's; unfinished turns are kept under it.
        sides: At least two.
        pairs: Turns that count.
        quick: A trial: a single turn, without one before it.
        warm_up: Whether the first turn does not count; where nothing is timed it may.
    """
    if quick:
        return [{side.name: side.run(0) for side in sides}]
    WORK.mkdir(exist_ok=True)
    same = hashlib.sha256(json.dumps([asdict(side) for side in sides]).encode() + code()).hexdigest()[:12]
    kept = WORK / f"{name}-{same}.jsonl"
    turns = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.is_file() else []
    if turns:
        print(f"{name}: {len(turns)} turns were measured before; delete {kept} to begin anew")
    before = int(warm_up)
    for number in range(len(turns), before + pairs):
        order = sides if number % 2 == 0 else list(reversed(sides))
        found = {side.name: side.run(number) for side in order}
        turn = {side.name: found[side.name] for side in sides}
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(turn) + "\n")
        turns.append(turn)
        said = ", ".join(f"{side} {figures.get('seconds', 0):.1f} s" for side, figures in turn.items())
        print(f"{name}: turn {number} of {pairs}{' (warm-up)' if number < before else ''}: {said}", flush=True)
    return turns[before : before + pairs]


def pairs_of(turns: list[Turn], first: str, second: str, what: str = "seconds") -> list[tuple[float, float]]:
    """One figure of two sides, a pair a turn."""
    return [(turn[first][what], turn[second][what]) for turn in turns]


def same_work(turns: list[Turn], *names: str) -> None:
    """Refuse to compare sides that did not do the same.

    Raises:
        ValueError: They differ in one of the figures `names`.
    """
    for turn in turns:
        for name in names:
            said = {side: figures[name] for side, figures in turn.items()}
            if len(set(map(str, said.values()))) > 1:
                raise ValueError(f"the sides did not do the same work: {name} is {said}")
