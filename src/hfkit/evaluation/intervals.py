"""metrics.json: every figure of the test split with its interval, and the baselines with the paired difference."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.evaluation import metric_names, metrics, stats
from hfkit.evaluation.weighted import weighted_figures

# Shares of rows, for which Wilson's interval is exact enough to need no resampling.
_SHARES = frozenset({"accuracy", "subset_accuracy"})


def intervals(
    predictions_table: pa.Table,
    problem_type: str,
    baselines: Mapping[str, Mapping[str, Any]] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """The figures of metrics.json.

    Args:
        predictions_table: The columns of predictions.parquet: `label`, `prediction`, `probabilities` (not for
            regression); of a language model `nll`, `tokens`, `right`, `bytes`, `words`.
        problem_type: As in a transformers config.
        baselines: name -> {"prediction": array}, of the same rows in the same order. "rows" where it was fitted on
            fewer than all training rows.
        n_resamples: Bootstrap resamples; fewer for many rows times many classes, at least 200.
        seed: Seed of the resamples.

    Returns:
        `{"accuracy": {"value", "low", "high", "n"}, ..., "baselines": {name: {figure: ..., "difference": {"value",
        "low", "high", "p_value", "test"}}}, "problem_type", "primary_metric"}`. A difference is the model's primary
        figure minus the baseline's. Nothing comes from a clock: equal runs have equal bytes here.
    """
    truth, answer, shares = columns(predictions_table, problem_type)
    primary = metric_names.PRIMARY[problem_type]
    found: dict[str, Any] = _with_intervals(problem_type, truth, answer, shares, n_resamples, seed)
    if problem_type == "language_modeling":
        found = language_intervals(predictions_table, n_resamples, seed)
    beside: dict[str, Any] = {}
    for name, baseline in (baselines or {}).items():
        other = np.asarray(baseline["prediction"])
        beside[name] = _with_intervals(problem_type, truth, other, None, n_resamples, seed)
        beside[name]["difference"] = paired(problem_type, truth, answer, other, n_resamples, seed)
        if "rows" in baseline:
            beside[name]["rows"] = int(baseline["rows"])
    return found | {"baselines": beside, "problem_type": problem_type, "primary_metric": primary}


def language_intervals(table: pa.Table, n_resamples: int = 1000, seed: int = 0) -> dict[str, dict[str, float]]:
    """A language model's figures with intervals, from a bootstrap over the documents."""
    names = [name for name in ("nll", "tokens", "right", "bytes", "words") if name in table.column_names]
    sums = {name: as_array(table[name]).astype(np.float64) for name in names}
    points = metrics.language_figures({name: values.sum(keepdims=True) for name, values in sums.items()})
    drawn = [
        metrics.language_figures({name: weights @ values for name, values in sums.items()})
        for weights in stats.resample_counts(len(table), n_resamples, seed)
    ]
    found = {}
    for name, value in points.items():
        if np.isfinite(value[0]):
            interval = stats.percentile(float(value[0]), np.concatenate([block[name] for block in drawn]))
            found[name] = {"value": float(value[0]), "low": interval.low, "high": interval.high, "n": len(table)}
    return found


def columns(table: pa.Table, problem_type: str) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Truth, answer and probabilities of a predictions table as arrays; probabilities are None where it has none.

    A language model's truth are the bytes of each document, its answer is what it took to tell it, in nats.
    """
    if problem_type == "language_modeling":
        return as_array(table["bytes"]), as_array(table["nll"]), None
    truth, answer = as_array(table["label"]), as_array(table["prediction"])
    if problem_type == "regression" or "probabilities" not in table.column_names:
        return truth, answer, None
    return truth, answer, as_array(table["probabilities"]).astype(np.float64)


def as_array(column: pa.ChunkedArray) -> np.ndarray:
    """A column of numbers as (rows,), a column of lists as (rows, length)."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type):
        return np.asarray(values.flatten().to_numpy(zero_copy_only=False)).reshape(len(values), -1)
    return np.asarray(values.to_numpy(zero_copy_only=False))


def paired(
    problem_type: str, truth: np.ndarray, first: np.ndarray, second: np.ndarray, n_resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """The difference of two answers to the same rows in the primary figure: interval, p-value, name of the test.

    The interval is a paired bootstrap; the test is McNemar's exact one for accuracy, else the bootstrap's.
    """
    primary = metric_names.PRIMARY[problem_type]
    ones = np.ones((1, len(truth)))

    def gap(weights: np.ndarray) -> np.ndarray:
        a = weighted_figures(problem_type, truth, first, None, weights)[primary]
        return np.asarray(a - weighted_figures(problem_type, truth, second, None, weights)[primary])

    drawn = np.concatenate([gap(weights) for weights in stats.resample_counts(len(truth), n_resamples, seed)])
    found = stats.difference(float(gap(ones)[0]), drawn)
    p_value, test = found.p_value, "paired bootstrap"
    if primary == "accuracy":
        p_value, test = stats.mcnemar_exact(first == truth, second == truth).p_value, "exact McNemar"
    return {"value": found.value, "low": found.low, "high": found.high, "p_value": p_value, "test": test}


def _with_intervals(
    problem_type: str,
    truth: np.ndarray,
    answer: np.ndarray,
    shares: np.ndarray | None,
    n_resamples: int,
    seed: int,
) -> dict[str, dict[str, float]]:
    points = metrics.figures(problem_type, truth, answer, shares)
    width = 1 if shares is None else shares.shape[1]
    enough = int(np.clip(4e8 / (len(truth) * width), 200, n_resamples)) if n_resamples > 200 else n_resamples
    blocks = [
        weighted_figures(problem_type, truth, answer, shares, weights)
        for weights in stats.resample_counts(len(truth), enough, seed)
    ]
    found = {}
    for name, value in points.items():
        if name in _SHARES:
            interval = stats.wilson(round(value * len(truth)), len(truth))
        else:
            interval = stats.percentile(value, np.concatenate([block[name] for block in blocks]))
        found[name] = {"value": value, "low": interval.low, "high": interval.high, "n": len(truth)}
    return found
