"""Two ways to do one thing, timed in turns.

A machine drifts: other work, heat, caches. So the two are measured as neighbours, first A then B and next B then A, and
the answer is the median of the pairs' ratios, not the ratio of two averages. Its interval says what it is worth.
"""

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hfkit import hardware

RESULTS = Path(__file__).parent / "results"


def in_turns(first: Callable[[], float], second: Callable[[], float], pairs: int = 7) -> list[tuple[float, float]]:
    """Call both `pairs` times, in alternating order, after one pair that does not count.

    Args:
        first, second: Do the work and return the seconds that it took.
        pairs: At least 5, so that a median means something.
    """
    if pairs < 5:
        raise ValueError(f"{pairs} pairs are too few for a median: take at least 5")
    measured = []
    for turn in range(pairs + 1):
        if turn % 2:
            b = second()
            a = first()
        else:
            a = first()
            b = second()
        measured.append((a, b))
    return measured[1:]


def summary(measured: list[tuple[float, float]]) -> dict[str, Any]:
    """Medians of both, of their ratio (first / second) and of their difference, the last two with a 95 % interval."""
    ratios = [a / b for a, b in measured]
    differences = [a - b for a, b in measured]
    return {
        "pairs": len(measured),
        "first_seconds": statistics.median(a for a, _ in measured),
        "second_seconds": statistics.median(b for _, b in measured),
        "ratio": statistics.median(ratios),
        "ratio_interval": interval(ratios),
        "difference_seconds": statistics.median(differences),
        "difference_interval": interval(differences),
    }


def interval(values: list[float]) -> list[float]:
    """A 95 % interval of the median, by ranks: it assumes no distribution. Of 7 values it is the lowest and highest."""
    ordered = sorted(values)
    rank = max(math.floor((len(ordered) - 1.96 * math.sqrt(len(ordered))) / 2), 0)
    return [ordered[rank], ordered[-1 - rank]]


def write(name: str, question: str, results: dict[str, Any]) -> None:
    """Keep the figures, with the machine and the versions that they hold for, in results/<name>.json."""
    RESULTS.mkdir(exist_ok=True)
    content = {"question": question, "results": results}
    content |= {"hardware": hardware.describe(), "versions": hardware.versions()}
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path}")
