"""Chosen: a calibration from a model's answers to rows that it did not learn from, as a config keeps it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import softmax

from hfkit.base.errors import HfkitError
from hfkit.evaluation.confidence import conformal, promised
from hfkit.evaluation.confidence.crossed import best
from hfkit.evaluation.confidence.scaling import ISOTONIC_ROWS, fitted, logits_of, methods, scaled
from hfkit.evaluation.confidence.thresholds import best_f1

FEWEST = 50
"""Rows below which a temperature is a guess."""


def check(labels: np.ndarray) -> None:
    """Refuse rows that say nothing of probabilities."""
    if len(labels) < FEWEST:
        what = f"There are {len(labels)} validation rows, and a calibration needs at least {FEWEST}"
        raise HfkitError(what, fix="train with a larger --validation_size")
    if len(np.unique(labels)) < 2:
        what = "All validation rows have the same label: they do not show how often the model is wrong about others"
        raise HfkitError(what, fix="train with validation rows of every label")


def calibration(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    method: str = "auto",
    rule: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """How these rows make probabilities true: `probabilities` (rows, labels) of the model's own; `labels` ids (rows,)
    or zeros and ones (rows, labels); rows of one of `groups` stay together where a part is held out.

    `rule` is None (labels stay as they are), {"optimize": "f1"}, or {"costs": (truth, answer)} of classes,
    {"thresholds": ...} of several labels. Where labels stay, and are one a row, what `promised` and `conformal` find is
    kept too, of the model's own probabilities: those were not fitted on these rows, and the bounds are exact. Raises
    HfkitError: the rows are too few, all of one label, or not enough for `method`."""
    check(labels)
    several = labels.ndim == 2
    known = methods(labels)
    if method not in ("auto", *known):
        what = f"Isotonic regression needs {ISOTONIC_ROWS:,} validation rows of one label each"
        raise HfkitError(what, where=f"--method {method}", fix=f"auto, or {', '.join(known[1:])}")
    logits = logits_of(probabilities, several)
    found = fitted(best(logits, labels, groups) if method == "auto" else method, logits, labels)
    found["rows"] = len(labels)
    rule = dict(rule or {})
    if rule.pop("optimize", None) == "f1":
        rule["thresholds"] = best_f1(scaled(found, logits, several), labels)
    if several:
        return found | rule
    own = softmax(logits, axis=1)
    draw = np.random.default_rng(0).random(len(labels))
    odd = {name: conformal.scores(name, own, labels, draw) for name in conformal.METHODS}
    found["sets"] = {name: conformal.limits(scores) for name, scores in odd.items()}
    if rule:
        return found | rule
    return found | {"promised": promised.bounds(own.max(axis=1), own.argmax(axis=1) == labels)}
