"""Where a model fails, short enough for its card: classes, lengths, claimed probabilities, the surest mistakes."""

from typing import Any

import numpy as np

from hfkit.evaluation import wording
from hfkit.report import analysis
from hfkit.report.analysis import Predictions
from hfkit.runs.run import Run
from hfkit.tasks.discover import find

CLASSES = 6
"""Classes that the card lists, the worst first. The report has them all."""

MISTAKES, MISTAKE_CHARACTERS = 5, 240


def weaknesses(run: Run) -> dict[str, Any]:
    """What the card says of failures, from predictions.parquet; empty for a task that has nothing to say of them.

    Returns:
        `classes`, `confusions`, `lengths`, `calibration`, `errors` (regression), `mistakes` and `passages` (what a task
        with other answers says); a part that does not apply is None.
    """
    parts = ("classes", "confusions", "lengths", "calibration", "errors", "mistakes", "passages")
    nothing = dict.fromkeys(parts) | {"multi": False}
    if own := find(str(run.info["task"])).offers("report", "passages"):
        return nothing | {"passages": own(run)}
    seen = Predictions.of(run)
    if not seen.labelled:
        return {}
    found = nothing | {"mistakes": _mistakes(seen), "multi": seen.multi}
    if "text" in seen.table.column_names:
        found["lengths"] = analysis.by_length(seen)
    if seen.regression:
        distance = np.abs(seen.truth - seen.answer)
        half, most = np.median(distance), np.quantile(distance, 0.9)  # of the answers lie within so much of the truth
        return found | {"errors": {"half": half, "most": most, "bias": (seen.answer - seen.truth).mean()}}
    known = [row for row in analysis.per_class(seen) if row["recall"]]
    return found | {
        "classes": sorted(known, key=lambda row: row["recall"].value)[:CLASSES],
        "class_count": len(known),
        "confusions": None if seen.multi else analysis.confusions(analysis.confusion(seen), seen.names, at_most=3),
        "calibration": analysis.reliability(seen, bins=5) if seen.shares is not None else None,
    }


def _mistakes(seen: Predictions) -> list[dict[str, Any]]:
    """The surest wrong answers, with the start of the text, or the row's name where there is none."""
    found = analysis.mistakes(seen, at_most=MISTAKES)
    for row in found:
        texts = [row[name] for name in ("text", "text_pair") if row.get(name)]
        row["shown"] = wording.line(" / ".join(texts), MISTAKE_CHARACTERS) if texts else f"row {row['id']}"
    return found


def examples(run: Run, at_most: int = 3) -> list[dict[str, Any]]:
    """Inputs for the Hub's widget, `{"text", "label", "score"}` each, from the test rows: a short text for each class,
    answered right and surely. None for pairs and pictures, which the widget cannot be given in words."""
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
