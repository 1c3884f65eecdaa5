"""What only a report of boxes shows: each class, precision over recall, kinds of mistakes, pictures with boxes."""

from typing import Any

import numpy as np

from hfkit.evaluation.metric import as_array
from hfkit.evaluation.stats import resampled
from hfkit.report import plots
from hfkit.report.analysis import Predictions, written
from hfkit.report.page import section
from hfkit.report.pictures import kept_layers
from hfkit.runs.run import Run
from hfkit.tasks.object_detection.drawings import COLOURS, by_picture
from hfkit.tasks.object_detection.scores.errors import mistakes
from hfkit.tasks.object_detection.scores.matching import (
    THRESHOLDS,
    Matches,
    average_precision,
    boxes_of,
    matched,
    precisions,
)

CLASSES, DRAWN = 60, 5
"""That the table lists and the plot draws, those of the most boxes."""


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of boxes."""
    threshold = float(run.info["task_settings"].get("threshold", 0.5))
    with written(run):
        truth, said = (boxes_of(as_array(seen.table[name])) for name in ("truth", "prediction"))
        if any(
            len(one) and not 0 <= one[:, at].max() < len(seen.names)
            for at, all_ in ((4, truth), (5, said))
            for one in all_
        ):
            raise ValueError("another number of classes")
    found = {one: matched(truth, said, one, "all") for one in range(len(seen.names))}
    there = {one: match for one, match in found.items() if match is not None}
    order = sorted(there, key=lambda one: -there[one].there.sum())
    values = by_picture(truth, said, threshold)
    lines = kept_layers(run, "boxes", seen.table["id"], values)
    context: dict[str, Any] = {
        "classes": [_class(seen.names[one], there[one], threshold) for one in order[:CLASSES]],
        "count": len(there),
        "curves": _curves([(seen.names[one], there[one]) for one in order[:DRAWN]]),
        "spread": plots.histogram("F1 of the test pictures", values[np.isfinite(values)], "F1 of boxes", "pictures"),
        "mistakes": mistakes(truth, said, threshold, len(seen.names)),
        "threshold": threshold,
        "lines": lines,
        "colours": [(name, COLOURS[at % len(COLOURS)]) for at, name in enumerate(seen.names)],
    }
    return {"images": bool(lines), "own": [section(str(__package__), "boxes.html.jinja", **context)], "lengths": None}


def _class(name: str, match: Matches, threshold: float) -> dict[str, Any]:
    """A line of the table: boxes, pictures that have one, average precision with its interval, and from the threshold
    on precision and recall at an overlap of 0.5."""
    every = range(len(THRESHOLDS))

    def of(weights: np.ndarray) -> np.ndarray:
        return np.asarray(average_precision(match, weights, every)[0].mean(0))

    value = float(of(np.ones((1, len(match.there)))).item())
    sure = match.score >= threshold
    right, wrong = int((match.right[0] & sure).sum()), int((~match.right[0] & ~match.void[0] & sure).sum())
    total = int(match.there.sum())
    return {
        "name": name, "boxes": total, "pictures": int((match.there > 0).sum()),
        "ap": resampled(value, of, len(match.there)),
        "ap_50": float(average_precision(match, np.ones((1, len(match.there))), [0])[0].item()),
        "precision": right / (right + wrong) if right + wrong else None, "recall": right / total,
    }  # fmt: skip


def _curves(classes: list[tuple[str, Matches]]) -> Any:
    """Precision over recall of each class at an overlap of 0.5, as COCO interpolates it."""
    curves = []
    for name, match in classes:
        ones = np.ones((1, len(match.there)))
        recall, best = precisions(match, ones, 0)
        points = list(zip(recall[0].tolist(), best[0].tolist(), strict=True))
        points = [(0.0, points[0][1]), *points, (points[-1][0], 0.0)] if points else [(0.0, 0.0)]
        area = float(average_precision(match, ones, [0])[0].item())
        curves.append({"name": name, "points": points, "area": area, "base": 0.0})
    return plots.precision_recall(curves)
