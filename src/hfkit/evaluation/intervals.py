"""metrics.json: every figure of the test split with its interval, and the baselines with the paired difference."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.evaluation import stats
from hfkit.evaluation.metric import Columns, Metric, as_array, columns_of, figures, rival
from hfkit.tasks.discover import find


def intervals(
    predictions_table: pa.Table,
    settings: Mapping[str, Any],
    baselines: Mapping[str, Mapping[str, Any]] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of metrics.json.

    Args:
        predictions_table: predictions.parquet, with the columns that the task's metrics read. Rows that have the same
            value in a column `group` are drawn together.
        settings: The task's, with its name.
        baselines: name -> {"prediction": array}, of the same rows in the same order. "rows" where it was fitted on
            fewer than all training rows.
        n_resamples: Bootstrap resamples; fewer for many rows times many classes, at least 200.
        seed: Seed of the resamples.

    Returns:
        `{"accuracy": {"value", "low", "high", "n"}, ..., "baselines": {name: {figure: ..., "difference": {"value",
        "low", "high", "p_value", "test"}}}, "problem_type" and "groups" where there are some, "primary_metric"}`. A
        difference is the model's primary figure minus the baseline's. Nothing comes from a clock: equal runs have
        equal bytes here.
    """
    metrics = find(str(settings["name"])).metrics(settings)
    seen, groups = columns_of(predictions_table, metrics), groups_of(predictions_table)
    found: dict[str, Any] = _with_intervals(metrics, seen, n_resamples, seed, groups)
    beside: dict[str, Any] = {}
    for name, baseline in (baselines or {}).items():
        other = rival(metrics, seen, baseline)
        beside[name] = _with_intervals(metrics, other, n_resamples, seed, groups)
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
    takes rows for independent: where they come in groups, the bootstrap's is the one.
    """
    rows = len(first[metric.columns[0]])

    def gap(weights: np.ndarray) -> np.ndarray:
        return metric.values(first, weights) - metric.values(second, weights)

    drawn = np.concatenate([gap(weights) for weights in stats.resample_counts(rows, n_resamples, seed, groups=groups)])
    found = stats.percentile(float(gap(np.ones((1, rows)))[0]), drawn)
    if metric.right and groups is None:
        p_value, test = stats.mcnemar_exact(metric.right(first), metric.right(second)).p_value, "exact McNemar"
    else:  # how often the sign was the other one
        finite = drawn[np.isfinite(drawn)]
        beyond = min(int((finite <= 0).sum()), int((finite >= 0).sum()))
        p_value, test = min(1.0, 2 * (beyond + 1) / (len(finite) + 1)), "paired bootstrap"
    return {**found._asdict(), "p_value": p_value, "test": test}


def _with_intervals(
    metrics: Sequence[Metric], columns: Columns, n_resamples: int, seed: int, groups: np.ndarray | None
) -> dict[str, dict[str, float]]:
    points = figures(metrics, columns)
    rows = max(map(len, columns.values()), default=0)
    width = max((one.shape[1] for one in columns.values() if one.ndim == 2 and one.dtype.kind == "f"), default=1)
    enough = int(np.clip(4e8 / (rows * width), 200, n_resamples)) if n_resamples > 200 else n_resamples
    shares = {metric.name for metric in metrics if metric.right and groups is None}
    resampled = [metric for metric in metrics if metric.name in points and metric.name not in shares]
    blocks = [
        {metric.name: metric.values(columns, weights) for metric in resampled}
        for weights in stats.resample_counts(rows, enough, seed, groups=groups)
    ]
    found = {}
    for name, value in points.items():
        if name in shares:
            interval = stats.wilson(round(value * rows), rows)
        else:
            interval = stats.percentile(value, np.concatenate([block[name] for block in blocks]))
        found[name] = interval._asdict() | {"value": value, "n": rows}
    return found
