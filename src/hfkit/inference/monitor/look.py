"""Look: one window held against the reference: which properties have shifted, and what the answers are worth."""

from collections.abc import Callable
from typing import Any

import numpy as np

from hfkit.evaluation.drift import shift, worth
from hfkit.evaluation.drift.shift import Shift
from hfkit.evaluation.stats import wilson
from hfkit.inference.monitor.window import Window

CLEARLY = 0.001
"""The p-value below which classes' shares alone do not explain a drift."""

Pieces = Callable[[list[str]], np.ndarray]
"""How many tokens each text is, (texts,)."""


def look(
    reference: Window, window: Window, names: list[str], alpha: float, tested: np.ndarray, pieces: Pieces | None
) -> dict[str, Any]:
    """What monitor.json says of a window.

    `alpha` is the chance that this look may be wrong where nothing changed; `tested` (rows,) whether each test row of
    the run was answered right; `pieces` counts tokens, None for pictures. Raises HfkitError: too few validation
    rows."""
    assert reference.truth is not None
    shifts = shift.judged(_shifts(reference, window, len(names), tested, pieces), alpha)
    right = reference.answer == reference.truth
    chance = worth.Chance.fit(reference.claimed, right)
    drifted = [one.name for one in shifts if one.drifted]
    value, low, high = chance.accuracy(window.claimed)
    shares = worth.class_shares(reference.truth, reference.answer, window.counts(len(names)))
    if shares is not None and drifted and not _explain(reference, window, [share[0] for share in shares]):
        shares = None
    found: dict[str, Any] = {
        "rows": len(window),
        "alpha": alpha,
        "drift": bool(drifted),
        "shifts": [vars(one) for one in shifts],
        "estimated_accuracy": {"value": value, "low": low, "high": high, "holds": not drifted},
        "class_shares": shares and {name: list(share) for name, share in zip(names, shares, strict=True)},
        "answered": {name: int(count) for name, count in zip(names, window.counts(len(names)), strict=True)},
        "validation_accuracy": float(right.mean()),
        "test_accuracy": float(tested.mean()),
        "accuracy": None,
        "to_label": [] if window.truth is not None else worth.to_label(chance.of(window.claimed)).tolist(),
    }
    if window.truth is not None and (known := window.truth >= 0).any():
        same = window.answer[known] == window.truth[known]
        value, low, high = wilson(int(same.sum()), len(same))
        found["accuracy"] = {"value": value, "low": low, "high": high, "n": len(same)}
    return found


def _explain(reference: Window, window: Window, shares: list[float]) -> bool:
    """Whether the drift is that of classes' shares alone: validation rows with these are claimed and written alike."""
    assert reference.truth is not None

    def kept(truth: np.ndarray) -> np.ndarray:
        wanted = np.array(shares) / np.maximum(np.bincount(truth, minlength=len(shares)), 1)
        return np.random.default_rng(0).random(len(truth)) < wanted[truth] / wanted.max()

    alike = [shift.values("", "", reference.claimed[kept(reference.truth)], window.regular)]
    if reference.texts and window.texts:
        rows = np.flatnonzero(kept(reference.truth[reference.sample]))
        alike.append(shift.contents([reference.texts[row] for row in rows], window.texts))
    return not any(one.drifted for one in shift.judged(alike, CLEARLY))


def _shifts(reference: Window, window: Window, classes: int, tested: np.ndarray, pieces: Pieces | None) -> list[Shift]:
    found = [
        shift.shares("answers", "labels that are answered", reference.counts(classes), window.counts(classes)),
        shift.values("confidence", "probability of the answer", reference.regular, window.regular),
    ]
    if (was := reference.texts) and (now := window.texts) and pieces:
        before, after = (np.array([len(text) for text in texts]) for texts in (was, now))
        each = (100 * pieces(texts) / np.maximum(signs, 1) for texts, signs in ((was, before), (now, after)))
        found += [
            shift.values("length", "characters of a text", before, after),
            shift.values("pieces", "tokens for 100 characters", *each),
            shift.contents(was, now),
        ]
    if window.truth is not None and (known := window.truth >= 0).any():
        found.append(shift.fewer_right(tested, window.answer[known] == window.truth[known]))
    return found
