"""Finding: what one check saw, how bad it is, and what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Level = Literal["PASS", "WARN", "FAIL"]
WORST_FIRST: tuple[Level, ...] = ("FAIL", "WARN", "PASS")


@dataclass(frozen=True)
class Finding:
    """One line of a doctor's report; `docs/doctor.md` says of each `id` what is looked at, and why so."""

    id: str
    level: Level
    evidence: str  # what was seen, with its number
    limit: str = ""  # from where on it is a fault
    fix: str = ""  # what to do about it

    def __str__(self) -> str:
        known = f" ({self.limit})" if self.limit else ""
        return f"{self.level} {self.id}: {self.evidence}{known}" + (f"; {self.fix}" if self.level != "PASS" else "")


Findings = Iterator[Finding]


def graded(
    name: str, value: float, evidence: str, fix: str, *, warn: float = float("inf"), fail: float = float("inf")
) -> Finding:
    """A finding of a number that is a fault from `warn` or `fail` on; one that is no number is one, too."""
    level: Level = "FAIL" if not value < fail else "WARN" if value >= warn else "PASS"
    limits = [f"{what} from {limit:g}" for what, limit in (("WARN", warn), ("FAIL", fail)) if limit != float("inf")]
    return Finding(name, level, evidence, ", ".join(limits), fix)


def fault(name: str, wrong: bool, evidence: str, fix: str, limit: str = "", level: Level = "FAIL") -> Finding:
    """A finding of what is either a fault or none."""
    return Finding(name, level if wrong else "PASS", evidence, limit, fix)


def left_out(name: str, why: str) -> Finding:
    """A finding of a check that has no meaning here."""
    return Finding(name, "PASS", f"not looked at: {why}")


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Faults first; among equals those that were looked at first, which are the causes of the others."""
    return sorted(findings, key=lambda one: WORST_FIRST.index(one.level))
