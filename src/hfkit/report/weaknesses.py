"""Where a model fails, short enough for its card: classes, lengths, claimed probabilities, the surest mistakes."""

from typing import Any

import numpy as np
import pyarrow as pa

from hfkit.evaluation import wording
from hfkit.report import analysis
from hfkit.report.analysis import Predictions
from hfkit.runs.run import Run

CLASSES = 6
"""Classes that the card lists, the worst first. The report has them all."""

MISTAKES = 5
MISTAKE_CHARACTERS = 240


def weaknesses(run: Run) -> dict[str, Any]:
    """What the card says of failures, from predictions.parquet; empty for a task whose answers are no labels.

    Returns:
        `classes`, `confusions`, `lengths`, `calibration`, `errors` (regression), `mistakes` and `passages` (a language
        model's); a part that does not apply is empty or None.
    """
    table = run.predictions()
    if {"nll", "bytes", "text"} <= set(table.column_names):
        nothing: dict[str, Any] = dict.fromkeys(
            ("classes", "confusions", "lengths", "calibration", "errors", "mistakes")
        )
        return nothing | {"multi": False, "passages": _passages(table)}
    seen = Predictions.of(run)
    if not seen.labelled:
        return {}
    lengths = [] if "text" not in seen.table.column_names else analysis.by_length(seen)
    found: dict[str, Any] = {"lengths": lengths, "mistakes": _mistakes(seen), "multi": seen.multi, "errors": None}
    found["passages"] = None
    if seen.regression:
        return found | {"classes": [], "confusions": [], "calibration": [], "errors": _errors(seen)}
    known = [row for row in analysis.per_class(seen) if row["recall"]]
    pairs = [] if seen.multi else analysis.confusions(analysis.confusion(seen), seen.names, at_most=3)
    return found | {
        "classes": sorted(known, key=lambda row: row["recall"].value)[:CLASSES],
        "class_count": len(known),
        "confusions": pairs,
        "calibration": analysis.reliability(seen, bins=5) if seen.shares is not None else [],
    }


def _errors(seen: Predictions) -> dict[str, float]:
    """Of a regression: within what distance of the truth half and nine in ten answers lie, and to which side."""
    distance = np.abs(seen.truth - seen.answer)
    return {
        "half": float(np.median(distance)),
        "most": float(np.quantile(distance, 0.9)),
        "bias": float((seen.answer - seen.truth).mean()),
    }


def _mistakes(seen: Predictions) -> list[dict[str, Any]]:
    """The surest wrong answers, with the start of the text, or the row's name where there is none."""
    found = analysis.mistakes(seen, at_most=MISTAKES)
    for row in found:
        texts = [row[name] for name in ("text", "text_pair") if row.get(name)]
        row["shown"] = wording.line(" / ".join(texts), MISTAKE_CHARACTERS) if texts else f"row {row['id']}"
    return found


def _passages(table: pa.Table) -> list[dict[str, Any]]:
    """Of a language model: the test texts that cost it most bits a byte, with what the best of the counts needs."""
    size = np.maximum(table["bytes"].to_numpy(), 1) * np.log(2)
    cost = table["nll"].to_numpy() / size
    rivals = [name for name in table.column_names if name.startswith("baseline_")]
    counts = np.min([table[name].to_numpy() / size for name in rivals], axis=0) if rivals else None
    found = []
    for row in np.argsort(-cost, kind="stable")[:MISTAKES].tolist():
        shown = wording.line(table["text"][row].as_py(), MISTAKE_CHARACTERS)
        found.append(
            {"cost": float(cost[row]), "rival": None if counts is None else float(counts[row]), "shown": shown}
        )
    return found


def examples(run: Run, at_most: int = 3) -> list[dict[str, Any]]:
    """Inputs for the Hub's widget, from the test rows: a short text for each class, answered right and surely.

    Returns:
        `{"text", "label", "score"}` each; none for pairs and pictures, which the widget cannot be given in words.
    """
    table = run.predictions()
    wanted = {"text", "label", "prediction", "probabilities"}
    if not wanted <= set(table.column_names) or "text_pair" in table.column_names:
        return []
    seen = Predictions.of(run)
    if seen.multi or seen.shares is None or not seen.labelled:
        return []
    length = np.array([len(text) for text in table["text"].to_pylist()])
    score = seen.shares.max(axis=1)
    fine = seen.right() & (length >= 20) & (length <= 300)
    found = []
    for index, name in enumerate(seen.names[:at_most]):
        rows = np.flatnonzero(fine & (seen.truth == index))
        if len(rows):
            row = int(rows[np.argmax(score[rows])])
            text = wording.line(table["text"][row].as_py(), 300)
            found.append({"text": text, "label": wording.line(name), "score": float(score[row])})
    return found
