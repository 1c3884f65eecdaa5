"""Confident: what is written to a file of a classifier's answers, those that are sure enough, and sets of labels."""

import sys
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from hfkit.base.errors import HfkitError, check_known
from hfkit.data.labels.problem import MULTI, REGRESSION, SINGLE
from hfkit.evaluation.confidence import conformal, promised
from hfkit.tasks.classification import Classification

HOW = "hfkit calibrate RUN chooses that on the run's validation rows"


class Confident:
    """Logits -> answers by the names of `types`: `label` and `score` (lists, the best first, in a multi-label problem),
    or `value` of a regression.

    `min_confidence` leaves a label empty whose probability is lower. `accuracy` leaves as many empty as it takes for
    the others to be right that often, by the bounds of `evaluation.confidence.promised` that `hfkit calibrate` kept.
    `sets` adds `labels`, which hold the right one that often, by `set_method`: lac or aps. Raises HfkitError: the model
    has no such thing, or was not calibrated."""

    def __init__(
        self,
        task: Classification,
        min_confidence: float | None = None,
        accuracy: float | None = None,
        sets: float | None = None,
        set_method: str = "lac",
    ) -> None:
        asked = {"min_confidence": min_confidence, "accuracy": accuracy, "sets": sets}
        for name, value in asked.items():
            if value is not None and not 0 < value <= 1:
                raise HfkitError(f"--{name} {value} is no share", fix="give a number from 0 to 1, such as 0.9")
            if value is not None and task.problem_type != SINGLE:
                kind = "numbers" if task.problem_type == REGRESSION else "any number of labels"
                raise HfkitError(f"--{name} is of one label a row, and the model answers with {kind}")
        check_known(set_method, conformal.METHODS, f"There is no --set_method {set_method}")
        self.task, self.least, self.promise, self.set_method = task, min_confidence, None, set_method
        if min_confidence is not None and not task.calibration:
            told = "--min_confidence: the probabilities are the model's own; hfkit calibrate RUN makes them true"
            print(told, file=sys.stderr)
        if accuracy is not None:
            self.promise = _promised(task, accuracy)
        self.limit = None if sets is None else _limit(task, sets, set_method)
        several, label, score = task.problem_type == MULTI, pa.string(), pa.float64()
        self.types = {"label": pa.list_(label) if several else label, "score": pa.list_(score) if several else score}
        if task.problem_type == REGRESSION:
            self.types = {"value": pa.float64()}
        if sets is not None:
            self.types["labels"] = pa.list_(pa.string())

    def __call__(self, logits: torch.Tensor) -> list[dict[str, Any]]:
        said = self.task.predictions(logits)
        if self.task.problem_type == REGRESSION:
            return [{"value": value} for value in said["prediction"].tolist()]
        names, rows = self.task.labels, zip(said["prediction"].tolist(), said["probabilities"].tolist(), strict=True)
        if self.task.problem_type == MULTI:
            kept = [sorted(((p, k) for k, p in enumerate(all_) if held[k]), reverse=True) for held, all_ in rows]
            return [{"label": [names[k] for _, k in one], "score": [p for p, _ in one]} for one in kept]
        answers: list[dict[str, Any]] = [{"label": names[k], "score": every[k]} for k, every in rows]
        own = logits.softmax(dim=1).double().numpy()
        for one, sure in zip(answers, own.max(axis=1), strict=True):
            low = self.least is not None and one["score"] < self.least
            if low or (self.promise is not None and sure < self.promise):
                one["label"] = None
        if "labels" in self.types:
            order = np.argsort(-own, axis=1, kind="stable")
            held = conformal.sets(self.set_method, own, self.limit)
            for one, first, there in zip(answers, order, held, strict=True):
                one["labels"] = [names[k] for k in first if there[k]]
        return answers


def _promised(task: Classification, accuracy: float) -> float:
    """The probability of the model's own from which its answers are promised to be right so often."""
    if "promised" not in (task.calibration or {}):
        chosen = "its thresholds were chosen on the rows that would have to promise it"
        why = chosen if task.calibration else "no rows have promised it yet"
        fix = "hfkit calibrate RUN without --optimize" if task.calibration else HOW
        raise HfkitError(f"No accuracy can be promised of this model: {why}", where=f"--accuracy {accuracy}", fix=fix)
    assert task.calibration is not None
    known = task.calibration["promised"]
    kept = promised.passed(accuracy, known)
    if kept is None:
        best = max(known[at][1] for at in range(len(known)) if promised.passed(known[at][1], known))
        what = f"Of the validation rows no share is sure to be right so often; {best:.3f} is the most for any"
        raise HfkitError(what, where=f"--accuracy {accuracy}", fix=f"ask for {int(best * 1000) / 1000:g} or less")
    told = f"--accuracy {accuracy:g}: about {100 * kept[2]:.0f} % of rows like the validation's are answered"
    print(told, file=sys.stderr)
    return kept[0]


def _limit(task: Classification, share: float, method: str) -> float | None:
    """The score up to which a label is in the set."""
    known = (task.calibration or {}).get("sets", {}).get(method)
    if known is None:
        raise HfkitError("The model does not know how large its sets must be", where=f"--sets {share}", fix=HOW)
    at = int(np.searchsorted(np.asarray(conformal.LEVELS), share - 1e-9))
    return known[at] if at < len(known) else None
