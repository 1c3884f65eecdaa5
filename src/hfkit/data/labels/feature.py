"""The feature of a label column, as `datasets` has it: what it says of names and kind, counted and in words."""

import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

from datasets import ClassLabel, List, Value

from hfkit.data.labels.column import MULTI, REGRESSION, SINGLE, UNLABELLED


def feature_of(problem_type: str, names: list[str] | None) -> Any:
    """The feature of a column of such labels."""
    label = Value("float32") if names is None else ClassLabel(names=names)
    return List(label) if problem_type == MULTI else label


def names_of(feature: Any) -> list[str] | None:
    """The classes of a column, or of its lists; None of numbers."""
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if isinstance(inner, ClassLabel) else None


def kind_of(feature: Any) -> str:
    """The problem type that the column makes; None, of rows without labels, has one of its own."""
    if feature is None:
        return UNLABELLED
    if names_of(feature) is None:
        return REGRESSION
    return SINGLE if isinstance(feature, ClassLabel) else MULTI


def figures(labels: list[Any], names: list[str] | None) -> dict[str, float]:
    """How often each name occurs; of numbers mean, std, min and max."""
    if names is None:
        found = {"mean": statistics.fmean(labels), "std": statistics.pstdev(labels)}
        return {**found, "min": min(labels), "max": max(labels)}
    counts = Counter(number for label in labels for number in (label if isinstance(label, list) else [label]))
    return {name: counts[number] for number, name in enumerate(names)}


def told(problem_type: str, names: Sequence[str], splits: Sequence[dict[str, Any]]) -> str:
    """`2 classes negative, positive`; of numbers from where to where they go, by the `figures` of the splits."""
    if problem_type == REGRESSION:
        low, high = min(split["min"] for split in splits), max(split["max"] for split in splits)
        return f"a number from {low:g} to {high:g}"
    shown = ", ".join(names if len(names) <= 10 else [*names[:9], "...", names[-1]])
    return f"any of {len(names)} labels {shown}" if problem_type == MULTI else f"{len(names)} classes {shown}"


def strata(problem_type: str, labels: list[Any]) -> Sequence[Hashable]:
    """What each row counts as when a split is drawn: its class; the rarest of its labels; nothing for numbers."""
    if problem_type == REGRESSION:
        return [0] * len(labels)
    if problem_type != MULTI:
        return labels
    counts = Counter(number for label in labels for number in label)
    return [min(label, key=lambda number: (counts[number], number), default=-1) for label in labels]
