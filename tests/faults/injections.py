"""Injections: which fault befalls a run, what must hold right after it, and how the run ends in spite of it."""

import random
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hfkit.cli import runs
from hfkit.training import checkpoint

from .failpoints import Fault
from .sessions import Ended, command, fingerprint, session

# kind -> its share of all injections
KINDS = {
    "kill at a moment": 0.20,
    "kill at a step on the disk": 0.28,
    "three kills": 0.04,
    "ENOSPC from a step on": 0.10,
    "ENOSPC once": 0.04,
    "EIO once": 0.08,
    "EACCES once": 0.04,
    "a file's size limit": 0.06,
    "SIGTERM": 0.06,
    "a bit of a manifest flipped": 0.03,
    "a bit of a checkpoint flipped": 0.03,
    "a file of a checkpoint truncated": 0.02,
    "every checkpoint damaged": 0.01,
    "the log truncated": 0.01,
}


@dataclass
class Reference:
    """The run that nothing befell.

    Attributes:
        files: Its sha256s.
        steps: Its steps on the disk.
        seconds: How long it took.
    """

    files: dict[str, str]
    steps: int
    seconds: float


@dataclass
class Outcome:
    """One injection.

    Attributes:
        kind: A key of KINDS.
        happened: The fault, in words.
        status: Of the session that it befell.
        resumed: From which update the last session went on; None where it began anew or the run was finished.
        began: How the last session began: `anew`, `resumed`, `finished`.
        faults: What is wrong, a sentence each; empty is what has to be.
        notice: Seconds from SIGTERM to the end.
    """

    kind: str
    happened: str = ""
    status: int = 0
    resumed: int | None = None
    began: str = ""
    faults: list[str] = field(default_factory=list)
    notice: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def plan(count: int, seed: int) -> list[str]:
    """The kinds of `count` injections, each with its share and at least once, shuffled."""
    kinds = [kind for kind, share in KINDS.items() for _ in range(max(1, round(share * count)))]
    rng = random.Random(seed)
    rng.shuffle(kinds)
    while len(kinds) < count:
        kinds.append(rng.choice(list(KINDS)))
    return kinds[:count] if count >= len(KINDS) else rng.sample(list(KINDS), count)


class Injector:
    """Does one injection after the other, each in a run of its own.

    Args:
        folder: For the runs; an empty one.
        rows: The data.
        reference: What every run has to become.
        rng: Chooses moments, steps and bits.
    """

    def __init__(self, folder: Path, rows: Path, reference: Reference, rng: random.Random) -> None:
        self.folder, self.rows, self.reference, self.rng = folder, rows, reference, rng
        self.order = self._every_step()

    def inject(self, kind: str) -> Outcome:
        """Start a run, let the fault happen, and give its command again until it ends."""
        outcome = Outcome(kind)
        for attempt in range(8):
            run = self.folder / "run"
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            outcome = Outcome(kind)
            if self._befall(kind, run, outcome, attempt):
                break
        else:
            outcome.faults.append("eight times the run was over before the fault")
        if not outcome.faults:
            self._go_on(run, outcome)
        return outcome

    def _befall(self, kind: str, run: Path, outcome: Outcome, attempt: int) -> bool:
        """The sessions with the fault. Returns whether it happened."""
        if kind == "kill at a moment":
            return self._killed(run, outcome, attempt)
        if kind == "three kills":
            return all(self._killed(run, outcome, attempt) for _ in range(3))
        if kind == "kill at a step on the disk":
            return self._ended(outcome, run, self._at(run, Fault("kill", next(self.order))), {-signal.SIGKILL})
        if kind == "SIGTERM":
            after = self.rng.uniform(0, self.reference.seconds / (attempt + 1))
            ended = session(command(self.rows, run), after=(after, signal.SIGTERM))
            outcome.notice, outcome.happened = ended.notice, f"SIGTERM after {after:.3f} s"
            return bool(ended.notice) and self._ended(outcome, run, ended, {130, 0, -signal.SIGTERM})
        if kind.startswith("E"):
            name, how = kind.split(" ", 1)
            at = self.rng.randint(1, self.reference.steps)
            return self._ended(outcome, run, self._at(run, Fault(name, at, lasting=how != "once")), {0, 1})
        if kind == "a file's size limit":
            limit = int(2 ** self.rng.uniform(7, 17))
            ended = session(command(self.rows, run), limit=limit)
            outcome.happened = f"no file beyond {limit} bytes"
            return ended.status != 0 and self._ended(outcome, run, ended, {1})
        return self._damaged(kind, run, outcome)

    def _killed(self, run: Path, outcome: Outcome, attempt: int) -> bool:
        after = self.rng.uniform(0, self.reference.seconds / (attempt + 1))
        ended = session(command(self.rows, run), after=(after, signal.SIGKILL))
        outcome.happened += f"; SIGKILL after {after:.3f} s"
        return self._ended(outcome, run, ended, {-signal.SIGKILL})

    def _at(self, run: Path, fault: Fault) -> Ended:
        return session(command(self.rows, run), fault)

    def _damaged(self, kind: str, run: Path, outcome: Outcome) -> bool:
        """A run is killed once it has checkpoints, and then its files are damaged."""
        at = self.rng.randint(self.reference.steps // 3, self.reference.steps * 3 // 4)
        self._ended(outcome, run, self._at(run, Fault("kill", at)), {-signal.SIGKILL})
        places = checkpoint.by_step(run / "checkpoints")
        if not places or not (run / "log.jsonl").is_file():
            return False
        if kind == "the log truncated":
            self._truncate(run / self.rng.choice(["log.jsonl", "timing.jsonl"]), outcome)
            return True
        for place in places if kind == "every checkpoint damaged" else places[-1:]:
            victim = self.rng.choice(sorted(place.iterdir()))
            if kind == "a bit of a manifest flipped":
                self._flip(place / "manifest.json", outcome)
            elif kind == "a file of a checkpoint truncated" or self.rng.random() < 0.3:
                self._truncate(victim, outcome)
            else:
                self._flip(victim, outcome)
            if runs.verify(run)[1] == []:
                outcome.faults.append("hfkit verify does not see it")
        return True

    def _truncate(self, path: Path, outcome: Outcome) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: self.rng.randrange(len(content))])
        outcome.happened += f"; {path.parent.name}/{path.name} truncated"

    def _flip(self, path: Path, outcome: Outcome) -> None:
        content = bytearray(path.read_bytes())
        place = self.rng.randrange(len(content))
        content[place] ^= 1 << self.rng.randrange(8)
        path.write_bytes(content)
        outcome.happened += f"; {path.parent.name}/{path.name} flipped at {place}"

    def _ended(self, outcome: Outcome, run: Path, ended: Ended, allowed: set[int]) -> bool:
        """Look at what the fault left. Returns whether it happened at all."""
        outcome.status = ended.status
        outcome.happened = outcome.happened or "; ".join(note for note in ended.notes if " at " in note)
        hit = ended.status != 0 or any(" at " in note for note in ended.notes)
        if hit and ended.status not in allowed:
            outcome.faults.append(f"ended with {ended.status}, not {sorted(allowed)}: {ended.output[-3000:]}")
        if "Traceback" in ended.output or (ended.status == 1 and ended.output.count("error: ") != 1):
            outcome.faults.append(f"not one clear message: {ended.output[-3000:]}")
        for place in checkpoint.by_step(run / "checkpoints"):
            if why := checkpoint.damage(place):
                outcome.faults.append(f"{place.name} has its name and is not whole: {why}")
        if (run / "run.json").exists() and (state := runs.state(run)).startswith(("running", "damaged")):
            outcome.faults.append(f"hfkit runs says {state}")
        return hit

    def _go_on(self, run: Path, outcome: Outcome) -> None:
        """The same command again, without a fault: it has to end, and as the reference did."""
        ended = session(command(self.rows, run))
        resumed = re.search(r"resumed at update (\d+)", ended.output)
        outcome.resumed = int(resumed[1]) if resumed else None
        anew = "updates to make" in ended.output
        outcome.began = "resumed" if resumed else "anew" if anew else "finished"
        if ended.status != 0:
            outcome.faults.append(f"does not go on ({ended.status}): {ended.output[-3000:]}")
            return
        damaged = "checkpoint" in outcome.kind or "manifest" in outcome.kind
        if damaged and not ("is damaged" in ended.output and "was skipped" in ended.output):
            outcome.faults.append("does not say which checkpoint it skipped")
        found = fingerprint(run)
        names = found.keys() | self.reference.files.keys()
        different = sorted(name for name in names if found.get(name) != self.reference.files.get(name))
        if different:
            outcome.faults.append(f"other bytes: {', '.join(different)}")
        if (state := runs.state(run)) != "finished":
            outcome.faults.append(f"at the end hfkit runs says {state}")
        outcome.faults += runs.verify(run)[1]
        left = [path.relative_to(self.folder).as_posix() for path in self.folder.rglob(".*") if path.name != ".lock"]
        if left:
            outcome.faults.append(f"left behind: {', '.join(left)}")

    def _every_step(self) -> Iterator[int]:
        """Each step on the disk once, in random order, and all over again."""
        while True:
            yield from self.rng.sample(range(1, self.reference.steps + 1), self.reference.steps)


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """The table: for each kind, how many, from where they went on, and how many failed."""

    def different(outcome: Outcome) -> bool:
        return any(fault.startswith("other bytes") for fault in outcome.faults)

    table = {}
    for kind in KINDS:
        of = [outcome for outcome in outcomes if outcome.kind == kind]
        table[kind] = {
            "injections": len(of),
            "began anew": sum(outcome.began == "anew" for outcome in of),
            "resumed": sum(outcome.began == "resumed" for outcome in of),
            "were finished": sum(outcome.began == "finished" for outcome in of),
            "could not go on": sum(not outcome.began for outcome in of),
            "other bytes": sum(different(outcome) for outcome in of),
            "other faults": sum(bool(outcome.faults) and not different(outcome) for outcome in of),
        }
    return table
