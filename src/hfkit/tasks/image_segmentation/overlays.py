"""Overlays: the few pictures that a run of masks keeps, so that its report needs neither the data nor the model."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from hfkit.base.sanitize import line
from hfkit.data.vision.decode import decode
from hfkit.data.vision.masks import VOID
from hfkit.evaluation.metric import as_array
from hfkit.report.pictures import keep_tiles
from hfkit.tasks.image_segmentation.metrics import iou
from hfkit.tasks.image_segmentation.task import ids_of

if TYPE_CHECKING:
    from datasets import Dataset

    from hfkit.runs.run import Run
    from hfkit.tasks.image_segmentation.task import ImageSegmentation

SIDE, WORST, BEST, EXAMPLES = 320, 6, 2, 4
"""Pixels of the longer side; the pictures that are shown, and those that a form has for examples."""

COLOURS = np.array(
    [[40, 44, 52], [58, 142, 220], [230, 130, 40], [90, 170, 100], [170, 100, 200], [220, 70, 90], [120, 200, 210],
     [200, 190, 80], [150, 110, 80], [240, 150, 190]], dtype=np.uint8
)  # fmt: skip
"""Of the classes; those beyond take them again."""

WRONG = np.array([235, 60, 50])


def by_picture(confusions: np.ndarray) -> np.ndarray:
    """(rows,): the mean IoU of each picture, over the classes that it has; NaN where it has none."""
    matrix = confusions.reshape(len(confusions), int(confusions.shape[1] ** 0.5), -1).astype(float)
    right, there, said = np.diagonal(matrix, axis1=1, axis2=2), matrix.sum(2), matrix.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(there > 0, iou(right, there, said), 0).sum(1) / (there > 0).sum(1)


def keep(run: "Run", task: "ImageSegmentation", model: torch.nn.Module, test: "Dataset", table: pa.Table) -> None:
    """Write pictures.parquet: of the worst and the best test pictures each one, its mask, the answer and where the two
    differ; and some pictures as they are. What goes wrong with them is a note in run.json. Raises HfkitError: the disk
    failed."""
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    try:
        values = by_picture(as_array(table["confusion"]))
        order = np.argsort(np.nan_to_num(values, nan=2.0), kind="stable").tolist()
        shown = list(dict.fromkeys([*order[:WORST], *order[::-1][:BEST]]))
        for row in shown:
            rows += [{"part": "overlay", "row": row, "label": 0} | one for one in _layers(task, model, test[row])]
        for place, row in enumerate(order[:: max(1, len(order) // EXAMPLES)][:EXAMPLES]):
            rows.append(
                {"part": "class", "row": row, "label": place, "why": "example", "image": _example(task, test[row])}
            )
    except Exception as error:  # no picture is worth a model that is trained
        notes.append(line(f"{type(error).__name__}: {error}"))
    keep_tiles(run, rows, notes)


def _layers(task: "ImageSegmentation", model: torch.nn.Module, row: dict[str, Any]) -> list[dict[str, Any]]:
    picture, truth = decode(row["image"], pixel_range=task.pixel_range), ids_of(row["mask"])
    device = next(model.parameters()).device
    with torch.inference_mode():
        numbers = task.numbers(task.pixels(picture)).to(device)
        shares = task.probabilities(model.eval(), numbers, (picture.height, picture.width), task.tta)
    said = shares.argmax(0).cpu().numpy()
    grey = np.asarray(picture.convert("RGB"), dtype=np.float32)
    wrong = np.where(((said != truth) & (truth != VOID))[..., None], 0.35 * grey + 0.65 * WRONG, 0.8 * grey)
    layers = {"picture": grey, "truth": _coloured(grey, truth), "answer": _coloured(grey, said), "wrong": wrong}
    return [{"why": why, "image": _jpeg(pixels)} for why, pixels in layers.items()]


def _coloured(grey: np.ndarray, ids: np.ndarray) -> np.ndarray:
    over = np.where((ids == VOID)[..., None], 255, COLOURS[ids % len(COLOURS)])
    return 0.45 * grey + 0.55 * over


def _jpeg(pixels: np.ndarray) -> bytes:
    image, written = Image.fromarray(np.round(pixels).clip(0, 255).astype(np.uint8)), io.BytesIO()
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    image.save(written, "JPEG", quality=85)
    return written.getvalue()


def _example(task: "ImageSegmentation", row: dict[str, Any]) -> bytes:
    """The middle of a picture at its own scale, as PNG."""
    picture = decode(row["image"], pixel_range=task.pixel_range)
    left, top = max(0, (picture.width - SIDE) // 2), max(0, (picture.height - SIDE) // 2)
    written = io.BytesIO()
    picture.crop((left, top, min(left + SIDE, picture.width), min(top + SIDE, picture.height))).save(written, "PNG")
    return written.getvalue()
