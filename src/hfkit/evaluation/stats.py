"""Intervals and tests: how sure a figure is, and whether two models differ on the same examples."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy.stats import binomtest

from hfkit.evaluation.metric import Columns, Metric, as_array, columns_of, figures, rival
from hfkit.tasks.discover import find


class Interval(NamedTuple):
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


class McNemar(NamedTuple):
    """Rows only the first had right, rows only the second had right, and the exact two-sided p-value."""

    only_first: int
    only_second: int
    p_value: float


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share: honest near 0 and 1 and for few rows, where the textbook's is not."""
    found = binomtest(int(successes), int(n)).proportion_ci(confidence_level=confidence, method="wilson")
    return Interval(successes / n, float(found.low), float(found.high))


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> McNemar:
    """Are two classifiers equally often right on the same rows? An exact test on the rows where they differ, from
    (rows,) whether the first, and the second, was right."""
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    if a.shape != b.shape:
        raise ValueError(f"a paired test needs the same rows: {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p_value = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return McNemar(only_a, only_b, float(p_value))


def percentile(value: float, resampled: np.ndarray, confidence: float = 0.95) -> Interval:
    """The interval that holds the middle `confidence` of the resampled values; it always holds `value`.

    Resamples on which the figure is not finite (a class that was not drawn) are left out."""
    finite = resampled[np.isfinite(resampled)]
    if len(finite) == 0:
        return Interval(value, value, value)
    low, high = np.quantile(finite, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def resampled(
    value: float, of: Callable[[np.ndarray], np.ndarray], rows: int, n: int = 500, groups: ArrayLike | None = None
) -> Interval:
    """The interval of a figure of so many rows, or of their whole `groups`, drawn anew `n` times: `of` makes the
    figures, (resamples,), of how often each row is drawn, (resamples, rows)."""
    return percentile(value, np.concatenate([of(counts) for counts in resample_counts(rows, n, groups=groups)]))


def resample_counts(
    n: int, n_resamples: int, seed: int = 0, entries: int = 1_000_000, groups: ArrayLike | None = None
) -> Iterator[np.ndarray]:
    """How often each of `n` rows is drawn in each resample, as (some resamples, n) float64, a block at a time: a
    statistic that takes row weights needs no copy of the data, and one matrix product serves many resamples.

    With `groups`, (n,) names of what rows belong to, whole groups are drawn: their rows are no independent witnesses. A
    block has some `entries`: larger ones slow `hfkit evaluate` down, smaller ones sort the scores too often."""
    if groups is not None:
        names, member = np.unique(np.asarray(groups), return_inverse=True)
        for counts in resample_counts(len(names), n_resamples, seed, max(1, entries * len(names) // n)):
            yield counts[:, member]
        return
    rng = np.random.default_rng(seed)
    block = max(1, min(n_resamples, entries // n))
    for start in range(0, n_resamples, block):
        rows = min(block, n_resamples - start)
        drawn = rng.integers(0, n, (rows, n)) + np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def shown_by(low: float, high: float) -> float:
    """The difference that paired rows show four times in five, at the 5 % level, by the 95 % interval of the one that
    they gave: 1.96 + 0.84 standard errors."""
    return (1.96 + 0.84) * (high - low) / (2 * 1.96)


def rows_for(difference: float, rows: int, low: float, high: float) -> int:
    """How many rows would show a `difference` four times in five, by what so many showed."""
    return int(np.ceil(rows * (shown_by(low, high) / difference) ** 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: with these, 5 % is the chance of one false alarm among all the tests together."""
    raw = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(raw, kind="stable")
    adjusted = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    result = np.empty_like(raw)
    result[order] = np.minimum(adjusted, 1.0)
    return [float(value) for value in result]


def intervals(
    predictions_table: pa.Table,
    settings: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of metrics.json.

    Rows that have the same value in a column `group` are drawn together. `settings` are the task's, with its name.
    `baselines` are name -> {"prediction": array}, of the same rows in the same order; "rows" where it was fitted on
    fewer than all training rows. There are fewer resamples for many rows times many classes, at least 200.

    Returns `{"accuracy": {"value", "low", "high", "n"}, ..., "baselines": {name: {figure: ..., "difference": {"value",
    "low", "high", "p_value", "test"}}}, "problem_type" and "groups" where there are some, "primary_metric"}`, and
    beside a value the "signature" of a metric that has one. A difference is the model's primary figure minus the
    baseline's. Nothing comes from a clock: equal runs have equal bytes here."""
    metrics = find(str(settings["name"])).metrics(settings)
    seen, groups = columns_of(predictions_table, metrics), groups_of(predictions_table)
    found: dict[str, Any] = with_intervals(metrics, seen, n_resamples, seed, groups)
    beside: dict[str, Any] = {}
    for name, baseline in (baselines or {}).items():
        other = rival(metrics, seen, baseline)
        beside[name] = with_intervals(metrics, other, n_resamples, seed, groups)
        beside[name]["difference"] = paired(metrics[0], seen, other, n_resamples, seed, groups)
        if "rows" in baseline:
            beside[name]["rows"] = int(baseline["rows"])
    kept = {"problem_type": settings["problem_type"]} if "problem_type" in settings else {}
    kept |= {} if groups is None else {"groups": len(np.unique(groups))}
    return found | {"baselines": beside, **kept, "primary_metric": metrics[0].name}


def groups_of(table: pa.Table) -> np.ndarray | None:
    """What each row belongs together with (a document, a patient); None: every row stands for itself."""
    return as_array(table["group"]) if "group" in table.column_names else None


def paired(
    metric: Metric,
    first: Columns,
    second: Columns,
    n_resamples: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """The difference of two answers to the same rows in a figure: interval, p-value, name of the test.

    The interval is a paired bootstrap; the test is McNemar's exact one for a share of rows, else the bootstrap's. It
    takes rows for independent: where they come in groups, the bootstrap's is the one."""
    rows = len(first[metric.columns[0]])

    def gap(weights: np.ndarray) -> np.ndarray:
        return metric.values(first, weights) - metric.values(second, weights)

    drawn = np.concatenate([gap(weights) for weights in resample_counts(rows, n_resamples, seed, groups=groups)])
    found = percentile(float(gap(np.ones((1, rows)))[0]), drawn)
    if metric.right and groups is None:
        p_value, test = mcnemar_exact(metric.right(first), metric.right(second)).p_value, "exact McNemar"
    else:  # how often the sign was the other one
        finite = drawn[np.isfinite(drawn)]
        beyond = min(int((finite <= 0).sum()), int((finite >= 0).sum()))
        p_value, test = min(1.0, 2 * (beyond + 1) / (len(finite) + 1)), "paired bootstrap"
    return {"value": found.value, "low": found.low, "high": found.high, "p_value": p_value, "test": test}


def with_intervals(
    metrics: Sequence[Metric], columns: Columns, n_resamples: int, seed: int, groups: np.ndarray | None
) -> dict[str, dict[str, Any]]:
    """`{"accuracy": {"value", "low", "high", "n"}, ...}` of one set of predictions; see `intervals`."""
    points = figures(metrics, columns)
    rows = max(map(len, columns.values()), default=0)
    width = max((one.shape[1] for one in columns.values() if one.ndim == 2 and one.dtype.kind == "f"), default=1)
    enough = int(np.clip(4e8 / (rows * width), 200, n_resamples)) if n_resamples > 200 else n_resamples
    shares = {metric.name for metric in metrics if metric.right and groups is None}
    resampled = [metric for metric in metrics if metric.name in points and metric.name not in shares]
    blocks = [
        {metric.name: metric.values(columns, weights) for metric in resampled}
        for weights in resample_counts(rows, enough, seed, groups=groups)
    ]
    found: dict[str, dict[str, Any]] = {}
    for name, value in points.items():
        if name in shares:
            interval = wilson(round(value * rows), rows)
        else:
            interval = percentile(value, np.concatenate([block[name] for block in blocks]))
        found[name] = {"value": value, "low": interval.low, "high": interval.high, "n": rows}
    for metric in metrics:
        if metric.signature and metric.name in found:
            found[metric.name]["signature"] = metric.signature(columns)
    return found
