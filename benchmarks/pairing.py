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

from hfkit.base import hardware

RESULTS = Path(__file__).parent / "results"
FEWEST = 5
"""Pairs that a result is made of: a median of fewer means little."""


def in_turns(first: Callable[[], float], second: Callable[[], float], pairs: int = 7) -> list[tuple[float, float]]:
    """Call both `pairs` times, in alternating order, after one pair that does not count.

    Args:
        first, second: Do the work and return the seconds that it took.
        pairs: At least 5, so that a median means something.
    """
    if pairs < FEWEST:
        raise ValueError(f"{pairs} pairs are too few for a median: take at least {FEWEST}")
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
        "ratios": ratios,
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


def equivalent(measured: list[tuple[float, float]], margin: float) -> dict[str, Any]:
    """Whether two figures are equal but for `margin`: the 90 % interval of the mean difference lies within it.

    That is the two one-sided t-tests at 5 % each. A wide interval shows nothing, and says so.

    Args:
        measured: Pairs of one turn each, first minus second; with one pair nothing can be shown.
    """
    from scipy.stats import t

    differences = [a - b for a, b in measured]
    mean, count = statistics.fmean(differences), len(differences)
    half = math.inf
    if count > 1:
        half = float(t.ppf(0.95, count - 1)) * statistics.stdev(differences) / math.sqrt(count)
    shown = -margin < mean - half and mean + half < margin
    interval_90 = [mean - half, mean + half] if count > 1 else None
    found = {"difference": mean, "interval_90": interval_90, "margin": margin}
    return found | {"equivalent": shown, "not_worse": -margin < mean - half}


def report(
    name: str, question: str, ratio: str, found: dict[str, Any], limit: float, quick: bool, turns: list[Any]
) -> bool:
    """Print the ratio with its spread, and write it unless the measurement was a short trial.

    Args:
        name: Of the file in results/.
        question: What was asked.
        ratio: Its name, such as `Trainer / hfkit`.
        found: From `summary`, with whatever was checked besides.
        limit: The ratio that is to be reached.
        quick: A trial on a handful of rows: it says that both sides run and do the same work, and no more.
        turns: All that the sides said.

    Returns:
        Whether the limit is reached.
    """
    low, high = found["ratio_interval"]
    first, second = found["first_seconds"], found["second_seconds"]
    print(f"{ratio}: {first:.1f} s / {second:.1f} s = {found['ratio']:.2f} ({low:.2f} to {high:.2f}), wanted {limit}")
    if "accuracy" in found:
        told = found["accuracy"]
        between = "one pair" if told["interval_90"] is None else "{:+.4f} to {:+.4f}".format(*told["interval_90"])
        verdict = "equal" if told["equivalent"] else "not shown to be equal"
        print(
            f"accuracy, hfkit minus the other: {told['difference']:+.4f} ({between}): {verdict} within {told['margin']}"
        )
    if quick or found["pairs"] < FEWEST:
        print(f"a trial, pairs: {found['pairs']}; nothing is written to results/")
    else:
        write(name, question, found | {"limit": limit, "turns": [_shown(turn) for turn in turns]})
        draw(name, ratio, found, limit)
    return bool(found["ratio"] >= limit)


def _shown(turn: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A turn as a results file has it: without the labels of every row, which were compared before."""
    return {side: {k: v for k, v in figures.items() if k != "labels"} for side, figures in turn.items()}


def draw(name: str, ratio: str, found: dict[str, Any], limit: float) -> None:
    """results/<name>.svg: the ratio of each pair, their median and its interval, and what is to be reached."""
    from hfkit.report.svg import Plot

    low, high = found["ratio_interval"]
    ratios = found["ratios"]
    plot = Plot(f"{ratio}, pair by pair", (0, len(ratios) + 1), (0, 1.1 * max(*ratios, limit)), "pair", ratio).grid()
    plot.whisker(len(ratios) + 0.5, low, high).dots([(len(ratios) + 0.5, found["ratio"])], radius=5)
    plot.dots(list(enumerate(ratios, start=1))).line([(0, limit), (len(ratios) + 1, limit)], "limit")
    style = "<style>text{font:11px sans-serif}.grid,.axis{stroke:#ddd}.line{stroke:#c63;fill:none}"
    style += ".whisker{stroke:#2a6}.dot{fill:#2a6}</style>"
    drawn = str(plot.svg()).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1).replace(">", f">{style}", 1)
    (RESULTS / f"{name}.svg").write_text(drawn + "\n", encoding="utf-8")
