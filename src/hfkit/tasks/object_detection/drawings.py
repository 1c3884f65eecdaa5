"""Drawings: the few pictures that a run of boxes keeps, so that its report needs neither the data nor the model."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from PIL import Image, ImageDraw

from hfkit.data.vision.decode import decode
from hfkit.tasks import galleries
from hfkit.tasks.object_detection.scores.matching import boxes_of, overlaps

if TYPE_CHECKING:
    from datasets import Dataset

    from hfkit.runs.run import Run
    from hfkit.tasks.object_detection.task import ObjectDetection

SIDE = 480
"""Pixels of the longer side."""

COLOURS = ("#3a8edc", "#e68228", "#5aaa64", "#aa64c8", "#78c8d2", "#c8be50", "#96704f", "#f096be")
"""Of the classes; those beyond take them again."""

WRONG = "#eb3c32"


def by_picture(truth: list[np.ndarray], said: list[np.ndarray], threshold: float) -> np.ndarray:
    """(rows,) F1 of each picture's boxes from a score on, at an overlap of 0.5; NaN where nothing is there or said."""
    values = np.full(len(truth), np.nan)
    for row, (right, answers) in enumerate(zip(truth, said, strict=True)):
        hits = _hits(right, answers[answers[:, 4] >= threshold])
        total = len(hits) + int((right[:, 5] == 0).sum())
        values[row] = 2 * hits.sum() / total if total else np.nan
    return values


def _hits(right: np.ndarray, said: np.ndarray) -> np.ndarray:
    """(answers,) whether each has a box of its class of its own."""
    shares = overlaps(said, right, right[:, 5] > 0) * (said[:, None, 5] == right[None, :, 4])
    taken, hits = np.zeros(len(right), dtype=bool), np.zeros(len(said), dtype=bool)
    for answer, row in enumerate(shares):
        free = np.where(taken, 0, row)
        if len(free) and free.max() >= 0.5:
            hits[answer] = taken[free.argmax()] = True
    return hits


def keep(run: "Run", task: "ObjectDetection", test: "Dataset", table: pa.Table) -> None:
    """Write pictures.parquet, see `galleries.keep`: each picture with its right boxes, and with those that are
    answered; the examples as they are."""

    def drawn() -> galleries.Drawn:
        truth, said = (boxes_of(table[name].to_pylist()) for name in ("truth", "prediction"))

        def picture(row: int) -> Image.Image:
            return decode(test[row]["image"], pixel_range=task.pixel_range).convert("RGB")

        def layers(row: int) -> dict[str, bytes]:
            shown, answers = picture(row), said[row][said[row][:, 4] >= task.threshold]
            right = _drawn(shown, truth[row], np.ones(len(truth[row]), dtype=bool), 4)
            return {"right": right, "answer": _drawn(shown, answers, _hits(truth[row], answers), 5)}

        return by_picture(truth, said, task.threshold), layers, lambda row: galleries.jpeg(picture(row), SIDE)

    galleries.keep(run, "boxes", drawn)


def _drawn(picture: Image.Image, boxes: np.ndarray, right: np.ndarray, column: int) -> bytes:
    """The picture with its boxes in the colours of their classes; what is wrong is red, and thicker."""
    share = min(1.0, SIDE / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    shown = picture.resize(size, Image.Resampling.BOX) if share < 1 else picture.copy()
    pen = ImageDraw.Draw(shown)
    for box, good in zip(boxes.tolist(), right.tolist(), strict=True):
        left, top, far, below = (value * share for value in box[:4])
        pen.rectangle(
            (left, top, max(left, far - 1), max(top, below - 1)),
            outline=COLOURS[int(box[column]) % len(COLOURS)] if good else WRONG,
            width=2 if good else 3,
        )
    return galleries.jpeg(shown, SIDE)
