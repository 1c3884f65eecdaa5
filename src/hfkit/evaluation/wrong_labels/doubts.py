"""Doubts: every label of a data set, the most doubtful first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, concatenate_datasets

from hfkit.base.errors import HfkitError
from hfkit.evaluation.metric import as_array
from hfkit.evaluation.stats import Interval
from hfkit.evaluation.wrong_labels.counting import TINY, floor, together
from hfkit.runs.run import Run
from hfkit.tasks.spec import TaskSpec

FOLDS = 5
"""Parts that rows are dealt into; each is judged by what the others taught."""

KEPT = {"validation": "validation.parquet", "test": "predictions.parquet"}
"""What a run keeps of the model's answers to rows that it never learnt, by split. One of cross-validation would have a
file for its training rows too."""

COLUMNS = (
    "rank", "id", "split", "label", "suggested_label", "label_probability", "suggested_probability", "judge",
)  # fmt: skip
"""Of a row to review, before its texts."""


@dataclass(frozen=True)
class Doubts:
    """What was found, by row of all splits in their order."""

    rows: Dataset
    names: list[str]  # of the classes
    split: np.ndarray  # (rows,) the split of each row
    judge: np.ndarray  # (rows,) who judged it: `baseline`, the task's cheap rival, or `both`, with the run's model
    probabilities: np.ndarray  # (rows, classes) of models that did not learn the row
    order: np.ndarray  # (rows,) the most doubtful first
    wrong: Interval  # about how many labels are wrong

    def doubted(self) -> list[int]:
        """The rows for which another label is likelier than theirs, the most doubtful first."""
        own, other = self._of_labels()
        return [int(row) for row in self.order if other[row] > own[row]]

    def entries(self, rows: list[int]) -> list[dict[str, Any]]:
        """`COLUMNS` of these rows, with their texts."""
        own, other = self._of_labels()
        labels, suggested = np.asarray(self.rows["label"][:]), self._others().argmax(axis=1)
        place = {int(row): rank for rank, row in enumerate(self.order, start=1)}
        texts = [name for name in ("text", "text_pair") if name in self.rows.column_names]
        shown = self.rows.select_columns(["id", *texts])
        found = []
        for row in rows:
            names = self.names[labels[row]], self.names[suggested[row]]
            given = place[row], shown[row]["id"], str(self.split[row]), *names, float(own[row]), float(other[row])
            told = dict(zip(COLUMNS, (*given, str(self.judge[row])), strict=True))
            found.append(told | {name: shown[row][name] for name in texts})
        return found

    def _others(self) -> np.ndarray:
        """The probabilities without those of the rows' own labels."""
        others = self.probabilities.copy()
        others[np.arange(len(others)), self.rows["label"][:]] = -1
        return others

    def _of_labels(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the probability of each row's label, and of the likeliest other one."""
        own = self.probabilities[np.arange(len(self.probabilities)), self.rows["label"][:]]
        return own, self._others().max(axis=1)


def doubts(
    data: DatasetDict, spec: TaskSpec, settings: Mapping[str, Any], run: Run | None = None, seed: int = 0
) -> Doubts:
    """Doubt every label of loaded data: by the task's cheap rival, out of fold; validation and test rows of a `run` by
    the mean of that and its model, which never learnt them either. `settings` are the task's. Nothing is changed by
    what is found.

    Rows are ranked by the probability of their own label, brought to one scale between judges. Raises HfkitError: the
    labels are none that can be doubted so, or a class has too few rows for the folds."""
    judge = spec.offers("baselines", "out_of_fold")
    if judge is None:
        what = f"{spec.name} has no label of a few classes for each row: there is none to doubt"
        raise HfkitError(what, fix="hfkit labels is for classifiers of texts and of images")
    rows = concatenate_datasets(list(data.values()))
    names = _classes(rows)
    probabilities = np.asarray(judge(rows, dict(settings) | {"labels": names}, seed))
    split = np.repeat(list(data), [len(part) for part in data.values()])
    judges = np.full(len(rows), "baseline", dtype=object)
    for role, table in _answered(run).items():
        place = {name: at for at, name in enumerate(table["id"].to_pylist())}
        known = np.array([part == role and name in place for part, name in zip(split, rows["id"][:], strict=True)])
        at = [place[name] for name, own in zip(rows["id"][:], known, strict=True) if own]
        order = [list(settings["labels"]).index(name) for name in names]
        answers = as_array(table["probabilities"])[at][:, order]
        probabilities[known], judges[known] = (probabilities[known] + answers) / 2, "both"
    labels = np.asarray(rows["label"][:])
    own = np.clip(probabilities[np.arange(len(rows)), labels], TINY, 1 - TINY)
    score, shares, sizes = np.log1p(-own) - np.log(own), [], []
    for one in np.unique(judges):
        part = judges == one
        found = floor(labels[part], probabilities[part])
        score[part] *= found.slope
        shares.append(found.share)
        sizes.append(int(part.sum()))
    return Doubts(rows, names, split, judges, probabilities, np.argsort(-score, kind="stable"), together(shares, sizes))


def _classes(rows: Dataset) -> list[str]:
    """The classes of the label column."""
    feature = rows.features.get("label")
    if not isinstance(feature, ClassLabel):
        kind = "numbers" if feature is None or not hasattr(feature, "feature") else "lists of classes"
        raise HfkitError(f"The labels are {kind}: only one class a row can be doubted", fix="see --label_column")
    counts = Counter(rows["label"][:])
    if len(counts) < 2:
        what = f"Every row has the label {feature.names[next(iter(counts))]!r}: no other can be suggested"
        raise HfkitError(what, fix="see --label_column")
    few = [f"{feature.names[one]} ({count})" for one, count in sorted(counts.items()) if count < FOLDS]
    if few:
        what = f"A class needs {FOLDS} rows to be judged by what other rows teach; fewer have: {', '.join(few)}"
        raise HfkitError(what, fix="add rows, merge these classes into others, or leave their rows out")
    return list(feature.names)


def _answered(run: Run | None) -> dict[str, pa.Table]:
    """The tables of a run with the model's answers, by split; those without probabilities are passed over."""
    tables = {role: run.table(name) for role, name in KEPT.items()} if run else {}
    return {
        role: table for role, table in tables.items() if table is not None and "probabilities" in table.column_names
    }
