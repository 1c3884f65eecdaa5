"""What only a report of masks shows: each class, pictures with their mistakes, whether its probabilities hold."""

import math
from typing import Any

import numpy as np
from markupsafe import Markup

from hfkit.evaluation.metric import as_array
from hfkit.evaluation.stats import resampled
from hfkit.report import plots
from hfkit.report.analysis import Predictions, written
from hfkit.report.page import section
from hfkit.report.pictures import kept_layers
from hfkit.report.svg import Plot
from hfkit.runs.run import Run
from hfkit.tasks.image_segmentation.metrics import BINS, dice, iou
from hfkit.tasks.image_segmentation.overlays import COLOURS, by_picture

CLASSES = 60
"""That the table lists, those of the most pixels."""


def parts(run: Run, seen: Predictions) -> dict[str, Any]:
    """What the page shows of masks."""
    with written(run):
        confusions = as_array(seen.table["confusion"]).astype(np.int64)
        bins = as_array(seen.table["calibration"]).astype(float).reshape(len(seen), 3, BINS).sum(0)
        if confusions.shape[1] != len(seen.names) ** 2:
            raise ValueError("another number of classes")
    values = by_picture(confusions)
    lines = kept_layers(run, "overlay", seen.table["id"], values)
    context: dict[str, Any] = {
        "classes": _classes(confusions, seen.names),
        "count": len(seen.names),
        "lines": lines,
        "spread": plots.histogram(
            "IoU of the test pictures", values[np.isfinite(values)], "IoU, mean over classes", "pictures"
        ),
        "reliability": _reliability(bins),
        "metrics": run.metrics,
        "colours": [(name, f"#{bytes(COLOURS[at % len(COLOURS)]).hex()}") for at, name in enumerate(seen.names)],
    }
    return {"images": bool(lines), "own": [section(str(__package__), "masks.html.jinja", **context)], "lengths": None}


def _classes(confusions: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """A line for each class: pixels, pictures that have it, IoU with its interval, Dice, precision, recall, and what
    it is taken for most."""
    side = len(names)
    matrices = confusions.reshape(-1, side, side)
    matrix = matrices.sum(0)
    found = []
    for at in np.argsort(-matrix.sum(1), kind="stable")[:CLASSES].tolist():
        rows = np.stack([matrices[:, at, at], matrices[:, at].sum(1), matrices[:, :, at].sum(1)], axis=1).astype(float)
        right, there, said = rows.sum(0)

        def of(counts: np.ndarray, rows: np.ndarray = rows) -> np.ndarray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(iou(*(counts @ rows).T))

        lost = matrix[at].copy()
        lost[at] = 0
        value = float(iou(right, there, said)) if there else math.nan
        found.append({
            "name": names[at], "pixels": int(there), "share": there / max(matrix.sum(), 1),
            "pictures": int((rows[:, 1] > 0).sum()),
            "iou": resampled(value, of, len(rows)) if there else None,
            "dice": float(dice(right, there, said)) if there else None,
            "precision": right / said if said else None, "recall": right / there if there else None,
            "taken": names[int(lost.argmax())] if lost.any() else "",
        })  # fmt: skip
    return found


def _reliability(bins: np.ndarray) -> Markup:
    """Of the pixels of each tenth of claimed probability the share that is right."""
    pixels, claimed, right = bins
    plot = Plot("Reliability of pixels", (0, 1), (0, 1), "probability that is claimed", "share that is right").grid()
    plot.line([(0, 0), (1, 1)], "s2 dashed")
    there = pixels > 0
    return plot.line(list(zip(claimed[there] / pixels[there], right[there] / pixels[there], strict=True)), "s0").svg()
