"""A label column as `datasets` has it: which problem it makes, its names, and how its labels become a model's."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from datasets import ClassLabel, Dataset, List, Value

from hfkit.base.errors import HfkitError
from hfkit.data.labels.column import MULTI, REGRESSION, SINGLE, UNLABELLED
from hfkit.data.labels.names import ends, ids_of
from hfkit.data.tables.table import is_number


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


def in_words(problem_type: str, names: Sequence[str], splits: Sequence[dict[str, Any]]) -> str:
    """`2 classes negative, positive`; of numbers from where to where they go, by the `figures` of the splits."""
    if problem_type == REGRESSION:
        low, high = min(split["min"] for split in splits), max(split["max"] for split in splits)
        return f"a number from {low:g} to {high:g}"
    if problem_type == MULTI:
        return f"any of {len(names)} labels {ends(names)}"
    return f"{len(names)} {'class' if len(names) == 1 else 'classes'} {ends(names)}"


def problem_of(feature: Any, asked: str) -> tuple[str, list[str]]:
    """The problem type that a label column makes, and the names of its labels. `asked` is --problem_type: auto takes
    what the column is; classes whose names are all numbers can be a regression. Raises HfkitError: it cannot be that.
    """
    found, names = kind_of(feature), names_of(feature)
    if names is None and not (isinstance(feature, Value) and feature.dtype.startswith(("float", "int"))):
        what = f"The label column has the type {feature}, which is neither classes, lists of classes nor numbers."
        raise HfkitError(what, fix="load the data with hfkit.load_data, or cast the column to datasets.ClassLabel")
    names = names or ["value"]
    if asked in ("auto", found):
        return found, names
    if asked == REGRESSION and found == SINGLE and all(map(is_number, names)):
        return REGRESSION, ["value"]
    what = f"The labels make a {found} problem, not {asked}: {', '.join(names[:10])}."
    fix = "leave --problem_type auto, or name another column with --label_column"
    raise HfkitError(what, where=f"--problem_type {asked}", fix=fix)


def encoder(feature: Any, labels: list[str], problem: str) -> Callable[[Any], Any]:
    """A function from a row's label to what the model learns: an id, zeros and ones, or a number. Ids are found by
    name, never by position: `labels` are the model's, in its order, and the data set may count differently. Names that
    look equal are. Raises HfkitError: the column has names that `labels` lacks."""
    if problem == REGRESSION:
        return (lambda label: float(feature.names[label])) if isinstance(feature, ClassLabel) else float
    classes = feature.feature if isinstance(feature, List) else feature
    if not isinstance(classes, ClassLabel) or isinstance(feature, List) != (problem == MULTI):
        raise HfkitError(f"The labels have the type {feature}; a {problem} task cannot read them.")
    ids = ids_of(classes.names, labels, "labels")
    if problem == SINGLE:
        return lambda label: ids[label]

    def many(row: list[int]) -> list[int]:
        chosen = {ids[label] for label in row}
        return [int(index in chosen) for index in range(len(labels))]

    return many


def balanced(train: Dataset, problem: str, count: int) -> list[float]:
    """Weights that make every label as heavy as the others: rows / (labels * rows with the label). In a multi-label
    problem a label's positives weigh what its negatives do: rows without it / rows with it."""
    if problem == REGRESSION:
        raise HfkitError("Class weights need classes; this is a regression.", where="--class_weights balanced")
    rows = len(train)
    if problem == MULTI:
        have = Counter(label for labels in train["label"][:] for label in labels)
        return [(rows - have[label]) / max(have[label], 1) for label in range(count)]
    have = Counter(train["label"][:])
    return [rows / (count * max(have[label], 1)) for label in range(count)]
