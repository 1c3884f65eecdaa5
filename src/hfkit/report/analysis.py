"""What the predictions show beyond the headline: by class, by length, by claimed probability, and where they fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import metrics as sk

from hfkit.base.errors import HfkitError
from hfkit.evaluation import stats
from hfkit.evaluation.classification import calibration, metrics_of
from hfkit.evaluation.confidence.chosen import FEWEST
from hfkit.evaluation.confidence.crossed import best, crossed
from hfkit.evaluation.confidence.scaling import logits_of
from hfkit.evaluation.metric import Columns, as_array
from hfkit.runs.run import Run


@dataclass
class Predictions:
    """The test rows of a run as arrays."""

    names: list[str]  # of the labels, in the order of their ids
    truth: np.ndarray  # (rows,) ids or numbers, or (rows, labels) 0/1; empty for a task whose answers are others
    answer: np.ndarray  # of the same shape
    shares: np.ndarray | None  # (rows, classes) probabilities, None for regression
    table: pa.Table  # the whole of predictions.parquet

    @classmethod
    def of(cls, run: Run) -> "Predictions":
        table, none, settings = run.predictions(), np.zeros(0), run.info["task_settings"]
        names, problem = [str(name) for name in settings.get("labels") or []], run.metrics.get("problem_type")
        if problem != settings.get("problem_type", problem):
            what = f"the run has figures of another problem: {problem!r}"
            raise HfkitError(what, where=str(run.path / "metrics.json"))
        read = ("label", "prediction", "probabilities")
        columns = {name: as_array(table[name]) for name in read if name in table.column_names}
        truth, answer = columns.get("label", none), columns.get("prediction", none)
        if problem is None or truth.shape != answer.shape or truth.dtype.kind not in "iuf":
            truth = answer = none
        seen = cls(names, truth, answer, columns.get("probabilities"), table)
        if seen.labelled and not seen.regression:
            known = truth.shape[1] if seen.multi else int(max(truth.max(), answer.max())) + 1
            if known > len(names):
                raise HfkitError(f"{run.path} has predictions of {known} labels, and names {len(names)}")
        return seen

    def __len__(self) -> int:
        return len(self.table)

    @property
    def labelled(self) -> bool:
        """Whether the answers are a label, labels or a number a row."""
        return len(self.truth) > 0

    @property
    def multi(self) -> bool:
        return self.truth.ndim == 2

    @property
    def regression(self) -> bool:
        return self.truth.dtype.kind == "f"

    def right(self) -> np.ndarray:
        """(rows,) whether the answer is right, every label of it."""
        same = self.truth == self.answer
        return np.asarray(same.all(axis=1) if self.multi else same)

    def names_of(self, value: Any) -> str:
        """An id as its name, a 0/1 row as the names that are set, a number as it is."""
        if self.regression:
            return f"{float(value):.4g}"
        if self.multi:
            return ", ".join(name for name, on in zip(self.names, value, strict=True) if on) or "(none)"
        return self.names[int(value)]


@contextmanager
def written(run: Run) -> Iterator[None]:
    """Around what reads predictions.parquet, which may come from anyone. Raises HfkitError: it is not as hfkit writes
    it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise HfkitError(f"{run.path / 'predictions.parquet'} lacks what hfkit writes: {error}") from error


def confusion(seen: Predictions) -> np.ndarray:
    """Rows: the truth. Columns: the answer."""
    return np.asarray(sk.confusion_matrix(seen.truth, seen.answer, labels=range(len(seen.names))))


def confusions(matrix: np.ndarray, names: list[str], at_most: int = 15) -> list[dict[str, Any]]:
    """The most frequent mistakes, for a matrix too large to show."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=int))
    order = np.argsort(wrong, axis=None)[::-1][:at_most]
    pairs = [(int(cell) // len(matrix), int(cell) % len(matrix)) for cell in order]
    return [
        {"truth": names[t], "answer": names[a], "rows": int(wrong[t, a]), "share": wrong[t, a] / matrix[t].sum()}
        for t, a in pairs
        if wrong[t, a]
    ]


def per_class(seen: Predictions) -> list[dict[str, Any]]:
    """Precision, recall with Wilson's interval, F1, ROC AUC and average precision of each class or label."""
    found = []
    for index, name in enumerate(seen.names):
        truth, answer = is_class(seen, index)
        both, support, claimed = int((truth & answer).sum()), int(truth.sum()), int(answer.sum())
        score = seen.shares[:, index] if seen.shares is not None and 0 < support < len(seen) else None
        found.append(
            {
                "name": name,
                "rows": support,
                "precision": both / claimed if claimed else None,
                "recall": stats.wilson(both, support) if support else None,
                "f1": 2 * both / (support + claimed) if support + claimed else None,
                "roc_auc": None if score is None else sk.roc_auc_score(truth, score),
                "average_precision": None if score is None else sk.average_precision_score(truth, score),
            }
        )
    return found


def is_class(seen: Predictions, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answer of one class or label as booleans."""
    if seen.multi:
        return seen.truth[:, index] == 1, seen.answer[:, index] == 1
    return seen.truth == index, seen.answer == index


def by_length(seen: Predictions, groups: int = 5) -> list[dict[str, Any]]:
    """The share of right answers (regression: the mean absolute error) among short to long texts.

    The groups are equally large, so their intervals are equally wide; equal lengths share a group."""

    def score(rows: np.ndarray) -> stats.Interval:
        if not seen.regression:
            return stats.wilson(int(seen.right()[rows].sum()), int(rows.sum()))
        error = np.abs(seen.truth - seen.answer)[rows].astype(np.float64)
        return stats.resampled(float(error.mean()), lambda counts: counts @ error / len(error), len(error))

    return among_lengths(seen.table["length"].to_numpy(), score, groups)


def among_lengths(
    length: np.ndarray, score: Callable[[np.ndarray], stats.Interval], groups: int = 5
) -> list[dict[str, Any]]:
    """The `score` of each group of rows of like length, (rows,) of bool, with the group's `rows` and where its lengths
    go `from` and `to`."""
    found = []
    for rows in of_like_length(length.astype(np.float64), groups):
        ends = {"from": int(length[rows].min()), "to": int(length[rows].max())}
        found.append(ends | {"rows": int(rows.sum()), "score": score(rows)})
    return found


def of_like_length(length: np.ndarray, groups: int = 5) -> Iterator[np.ndarray]:
    """(rows,) of bool for each of some groups of about equal size, the shortest first; equal lengths share one."""
    edges = np.unique(np.quantile(length, np.linspace(0, 1, groups + 1)[1:-1], method="lower"))
    group = np.searchsorted(edges, length, side="left")
    for index in np.unique(group):
        yield group == index


HEAT = (0.25, 0.75, 1.5, 3.0, 5.0, 8.0)
"""Nats at which the colour of a token or a word gets a shade darker; a toss-up between two has 0.7."""


def shade(nats: float) -> int:
    """0 for what was expected, 6 for what was not."""
    return sum(nats >= edge for edge in HEAT)


def reliability(seen: Predictions, bins: int = 15) -> list[dict[str, Any]]:
    """Claimed probability against the share that was right, in the bins of the calibration error."""
    assert seen.shares is not None
    claimed, right = calibration(seen.truth, seen.shares)
    bin_of = np.minimum((claimed * bins).astype(int), bins - 1)
    found = []
    for index in np.unique(bin_of):
        rows = bin_of == index
        size, ends = int(rows.sum()), {"from": index / bins, "to": (index + 1) / bins}
        score = stats.wilson(int(right[rows].sum()), size)
        found.append({**ends, "claimed": float(claimed[rows].mean()), "rows": size, "right": score})
    return found


def confidence(run: Run, seen: Predictions) -> dict[str, Any] | None:
    """How far the claimed probabilities are off, and after `hfkit calibrate`: on the test rows of a run where it has
    been; else on its validation rows, each by a calibration of others. `figures`, a row each; `rows`; `method`. None
    where there are no probabilities of labels, or too few rows."""
    settings, wanted = run.info["task_settings"], ("ece", "log_loss")
    calibrated, found = settings.get("calibration"), run.metrics
    if calibrated and "uncalibrated" in found:
        told = [{"name": name, "before": found["uncalibrated"][name], "after": found[name]} for name in wanted]
        return {"figures": told, "rows": len(seen), "method": calibrated["method"], "done": True}
    table = run.table("validation.parquet")
    if "problem_type" not in settings or seen.shares is None or table is None or len(table) < FEWEST:
        return None
    truth, shares, groups = as_array(table["label"]), as_array(table["probabilities"]), stats.groups_of(table)
    logits, apart = logits_of(shares, truth.ndim == 2), np.arange(len(table)) if groups is None else groups
    method = best(logits, truth, apart)
    metrics = [metric for metric in metrics_of(settings) if metric.name in wanted]
    before, after = (
        stats.with_intervals(metrics, Columns({"label": truth, "probabilities": one}), 500, 0, groups)
        for one in (shares, crossed(method, logits, truth, apart))
    )
    told = [{"name": name, "before": before[name], "after": after[name]} for name in wanted]
    return {"figures": told, "rows": len(table), "method": method, "done": False}


def curves(seen: Predictions, at_most: int = 6) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """ROC curves, and precision over recall: of the last class of two, else of each against the rest, hardest first.

    `base` is the precision of guessing: the class's share of the rows."""
    assert seen.shares is not None
    rates, recalls = [], []
    for index in [1] if len(seen.names) == 2 and not seen.multi else range(len(seen.names)):
        (truth, _), score = is_class(seen, index), seen.shares[:, index]
        if 0 < truth.sum() < len(truth):
            told = {"name": seen.names[index], "base": float(truth.mean())}
            false, true, _ = sk.roc_curve(truth, score)
            points = list(zip(false.tolist(), true.tolist(), strict=True))
            rates.append(told | {"area": float(sk.roc_auc_score(truth, score)), "points": points})
            precision, recall, _ = sk.precision_recall_curve(truth, score)
            points = list(zip(recall.tolist()[::-1], precision.tolist()[::-1], strict=True))
            recalls.append(told | {"area": float(sk.average_precision_score(truth, score)), "points": points})
    return sorted(rates, key=itemgetter("area"))[:at_most], sorted(recalls, key=itemgetter("area"))[:at_most]


def mistakes(seen: Predictions, at_most: int = 10) -> list[dict[str, Any]]:
    """The wrong answers that the model was surest of (regression: the largest errors)."""
    if seen.regression:
        sure = np.abs(seen.truth - seen.answer).astype(np.float64)
        wrong = sure > 0
    else:
        assert seen.shares is not None
        wrong = ~seen.right()
        # For several labels: how sure of the label that it got most wrong.
        sure = np.abs(seen.truth - seen.shares).max(axis=1) if seen.multi else seen.shares.max(axis=1)
    order = [int(row) for row in np.argsort(-sure, kind="stable") if wrong[row]][:at_most]
    rows = seen.table.take(order).to_pylist() if order else []
    for index, row in zip(order, rows, strict=True):
        said = {"truth": seen.names_of(seen.truth[index]), "answer": seen.names_of(seen.answer[index])}
        row |= {"row": index, "sure": float(sure[index]), **said}
    return rows
