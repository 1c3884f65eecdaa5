"""Labels: what kind of problem they make, and how a data set's labels become a model's, by name."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from datasets import ClassLabel, Dataset, List, Value

from hfkit.base.errors import HfkitError
from hfkit.data.labels.column import MULTI, REGRESSION, SINGLE
from hfkit.data.labels.names import finder


def problem_of(feature: Any, asked: str) -> tuple[str, list[str]]:
    """The problem type that a label column makes, and the names of its labels.

    Args:
        feature: The column's feature: ClassLabel, List(ClassLabel) or a number.
        asked: `--problem_type`; auto takes what the column is. Classes whose names are all numbers can be asked for as
            a regression.

    Raises:
        HfkitError: the column cannot be what was asked for.
    """
    if isinstance(feature, ClassLabel):
        found, names = SINGLE, list(feature.names)
    elif isinstance(feature, List) and isinstance(feature.feature, ClassLabel):
        found, names = MULTI, list(feature.feature.names)
    elif isinstance(feature, Value) and feature.dtype.startswith(("float", "int")):
        found, names = REGRESSION, ["value"]
    else:
        raise HfkitError(
            f"The label column has the type {feature}, which is neither classes, lists of classes nor numbers.",
            fix="load the data with hfkit.load_data, or cast the column to datasets.ClassLabel",
        )
    if asked in ("auto", found):
        return found, names
    if asked == REGRESSION and found == SINGLE and all(_is_number(name) for name in names):
        return REGRESSION, ["value"]
    raise HfkitError(
        f"The labels make a {found} problem, not {asked}: {', '.join(names[:10])}.",
        where=f"--problem_type {asked}",
        fix="leave --problem_type auto, or name another column with --label_column",
    )


def encoder(feature: Any, labels: list[str], problem: str) -> Callable[[Any], Any]:
    """A function from a row's label to what the model learns: an id, zeros and ones, or a number.

    Ids are found by name, never by position: `labels` are the model's, in its order, and the data set may count
    differently. Names that look equal are.

    Raises:
        HfkitError: the column has names that `labels` lacks.
    """
    if problem == REGRESSION:
        return (lambda label: float(feature.names[label])) if isinstance(feature, ClassLabel) else float
    classes = feature.feature if isinstance(feature, List) else feature
    if not isinstance(classes, ClassLabel) or isinstance(feature, List) != (problem == MULTI):
        raise HfkitError(f"The labels have the type {feature}; a {problem} task cannot read them.")
    ids = list(map(finder(labels), classes.names))
    unknown = [name for name, found in zip(classes.names, ids, strict=True) if found is None]
    if unknown:
        raise HfkitError(
            f"The data has labels that the model does not know: {', '.join(unknown)}.",
            fix=f"rename them to the model's ({', '.join(labels)})",
        )
    if problem == SINGLE:
        return lambda label: ids[label]

    def many(row: list[int]) -> list[int]:
        chosen = {ids[label] for label in row}
        return [int(index in chosen) for index in range(len(labels))]

    return many


def balanced(train: Dataset, problem: str, count: int) -> list[float]:
    """Weights that make every label as heavy as the others: rows / (labels * rows with the label).

    In a multi-label problem a label's positives weigh what its negatives do: rows without it / rows with it.
    """
    if problem == REGRESSION:
        raise HfkitError("Class weights need classes; this is a regression.", where="--class_weights balanced")
    rows = len(train)
    if problem == MULTI:
        have = Counter(label for labels in train["label"][:] for label in labels)
        return [(rows - have[label]) / max(have[label], 1) for label in range(count)]
    have = Counter(train["label"][:])
    return [rows / (count * max(have[label], 1)) for label in range(count)]


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
