"""Metric: one definition of a figure. Its value, interval and paired test, its names and its direction come from it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hfkit.tasks import Task
from hfkit.tasks.discover import find, specs


class Columns(dict[str, np.ndarray]):
    """What metrics read, by the names of predictions.parquet, a row an example; and the sums that they share."""

    def __init__(self, columns: Mapping[str, Any]) -> None:
        rows = {name: as_rows(values) for name, values in columns.items()}
        super().__init__({name: one.astype(np.float64) if one.dtype.kind == "f" else one for name, one in rows.items()})
        self._weights: np.ndarray | None = None
        self._sums: dict[Any, Any] = {}
        self._rows: dict[Any, Any] = {}

    def of_rows(self, make: Callable[["Columns"], Any]) -> Any:
        """`make(self)`, made once: what a metric needs of each row, whatever the weights."""
        if make not in self._rows:
            self._rows[make] = make(self)
        return self._rows[make]

    def of_sums(self, make: "Of", weights: np.ndarray) -> Any:
        """`make(self, weights)`, made for the first of several metrics that ask for it with the same weights."""
        if self._weights is not weights:
            self._weights, self._sums = weights, {}
        if make not in self._sums:
            self._sums[make] = make(self, weights)
        return self._sums[make]


LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
Of = Callable[[Columns, np.ndarray], Any]


@dataclass(frozen=True)
class Metric:
    """A figure, made of what can be summed over rows."""

    name: str  # in a run's files
    title: str  # on a page
    columns: tuple[str, ...]  # what it reads of predictions.parquet; where one is missing, the figure is left out
    of: Of
    """Its values under several sets of weights: (columns, weights (resamples, rows)) -> (resamples,), NaN where a set
    does not define it. A weight says how often a row was drawn. Weights of one give the figure itself."""
    given: tuple[str, ...] = ("label",)  # what the rows have whoever answers; the others are the model's answer
    better: Literal["higher", "lower"] = "higher"
    unit: Literal["points", ""] = "points"  # of a difference: points of 100, or nothing where the figure has its own
    right: Callable[[Columns], np.ndarray] | None = None
    """Whether each row counts, (columns) -> (rows,), where the figure is the share of rows that do: it then has
    Wilson's interval and McNemar's exact test, and needs no resampling."""
    compared: bool = True  # whether it has a column where runs are compared
    signature: Callable[[Columns], str] | None = None  # how it was counted: a string beside it in metrics.json
    hub: str = ""  # the Hub's id of the metric; nothing: it has our name there
    hub_arguments: Mapping[str, Any] = field(default_factory=dict)  # that make it this one

    def values(self, columns: Columns, weights: np.ndarray) -> np.ndarray:
        """`of`, where dividing by nothing is no cause for a warning."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return np.asarray(self.of(columns, weights), dtype=np.float64)


def total(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The weighted sum of a number per row, (resamples,), or of several, (resamples, several)."""
    numbers = np.asarray(values, dtype=np.float64)
    # Of the rows as they are numpy's own sum, which is the more exact one and the same on every machine.
    return numbers.sum(axis=0, keepdims=True) if len(weights) == 1 and (weights == 1).all() else weights @ numbers


def ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """top / bottom, and 0 where there is nothing to divide by, as scikit-learn's and seqeval's zero_division=0."""
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=bottom > 0)


def mean_of(row: Callable[[Columns], np.ndarray]) -> Of:
    """The `of` of a mean: of a number per row."""
    return lambda columns, weights: total(weights, columns.of_rows(row)) / weights.sum(axis=1)


def ratio_of(top: str, per: str, scale: Callable[[Any], Any] = np.positive) -> Of:
    """The `of` of a sum over all rows by another one."""
    return lambda columns, weights: scale(total(weights, columns[top]) / total(weights, columns[per]))


def metric_of_sums(
    name: str, title: str, top: str, per: str, scale: Callable[[Any], Any] = np.positive, **more: Any
) -> Metric:
    """A figure of the sum of `top` by that of `per`, both over all rows: by default a cost in a unit of its own."""
    usual: dict[str, Any] = {"given": (), "better": "lower", "unit": ""}
    return Metric(name, title, (top, per), ratio_of(top, per, scale), **usual | more)


def figures(metrics: Iterable[Metric], columns: Mapping[str, Any]) -> dict[str, float]:
    """The figures of one set of predictions as plain floats. One that finds not all its columns, or that these rows do
    not define (ROC AUC of one class, a correlation with a constant), is left out: a run's JSON has no NaN."""
    known = [metric for metric in metrics if set(metric.columns) <= set(columns)]
    names = dict.fromkeys(name for metric in known for name in metric.columns)
    read = columns if isinstance(columns, Columns) else Columns({name: columns[name] for name in names})
    ones = np.ones((1, max((len(read[name]) for name in names), default=0)))
    found = {metric.name: float(metric.values(read, ones)[0]) for metric in known}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def looked_at(task: Task, predictions: Mapping[str, Any]) -> dict[str, float]:
    """What the training loop sees of an evaluation: the rows' mean `loss`, where each has one, and the figures."""
    loss = {"loss": float(np.mean(predictions["loss"]))} if "loss" in predictions else {}
    return loss | figures(find(task.name).metrics(task.settings()), predictions)


def columns_of(table: pa.Table, metrics: Iterable[Metric]) -> Columns:
    """What the metrics read of a predictions table, as far as it is there."""
    names = dict.fromkeys(name for metric in metrics for name in metric.columns)
    return Columns({name: as_array(table[name]) for name in names if name in table.column_names})


def as_array(column: pa.ChunkedArray) -> np.ndarray:
    """A column as (rows,); one of lists of one length as (rows, length), of other lists as (rows,) objects."""
    values = column.combine_chunks()
    if not any(is_kind(values.type) for is_kind in LISTS):
        return np.asarray(values.to_numpy(zero_copy_only=False))
    if len(pc.unique(pc.list_value_length(values))) == 1 and not pa.types.is_nested(values.type.value_type):
        return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)
    return np.fromiter(values.to_pylist(), dtype=object, count=len(values))


def as_rows(values: Any) -> np.ndarray:
    """An entry a row: numbers, lists of one length as (rows, length), other lists as objects."""
    try:
        return np.asarray(values)
    except ValueError:
        return np.fromiter(values, dtype=object, count=len(values))


def rival(metrics: Sequence[Metric], columns: Columns, answer: Mapping[str, Any]) -> Columns:
    """The columns of another answer to the same rows: what the rows have, and its own in the place of the model's
    `columns`. What the primary metric, the first one, reads of an answer is what a rival has to give: {"prediction":
    ...}, or the columns by their names."""
    own = {name for name in metrics[0].columns if name not in metrics[0].given}
    given = {name for metric in metrics for name in metric.given} & set(columns)
    found = {name: answer[name if name in answer else "prediction"] for name in own}
    return Columns({name: columns[name] for name in given} | found)


def named(name: str) -> Metric:
    """The metric of a name, whatever task it belongs to; one of which no task knows, by its name alone, the beginning
    of which may be known: nDCG@10 of 64 dimensions."""
    known = _known()
    start = max((one for one in known if name == one or name.startswith(f"{one}_")), key=len, default="")
    if start == name:
        return known[name]
    title = (known[start].title if start else "") + name.removeprefix(start).replace("_", " ")
    return Metric(name, title, (), lambda _, weights: weights[:, 0] + np.nan)


@cache
def _known() -> dict[str, Metric]:
    known = [spec.offers("metrics", "METRICS") or () for spec in reversed(specs())]  # our own names are ours
    return {metric.name: metric for metrics in known for metric in metrics}


def as_lists(values: Iterable[np.ndarray]) -> np.ndarray:
    """(rows,) of lists, one of each array: predictions of which every row has a length of its own."""
    listed = [one.tolist() for one in values]
    return np.fromiter(listed, dtype=object, count=len(listed))
