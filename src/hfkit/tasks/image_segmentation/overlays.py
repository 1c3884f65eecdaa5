"""Overlays: the few pictures that a run of masks keeps, so that its report needs neither the data nor the model."""

import io
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from PIL import Image

from hfkit.data.vision.decode import decode
from hfkit.data.vision.masks.values import VOID
from hfkit.evaluation.metric import as_array
from hfkit.runs.run import Run
from hfkit.tasks import galleries
from hfkit.tasks.image_segmentation.metrics import iou
from hfkit.tasks.image_segmentation.task import ImageSegmentation, ids_of

SIDE = 320
"""Pixels of the longer side."""

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


def keep(run: Run, task: ImageSegmentation, model: torch.nn.Module, test: Dataset, table: pa.Table) -> None:
    """Write pictures.parquet, see `galleries.keep`: each picture, its mask, the answer and where the two differ; the
    examples as they are."""

    def drawn() -> galleries.Drawn:
        values = by_picture(as_array(table["confusion"]))
        return values, lambda row: _layers(task, model, test[row]), lambda row: _example(task, test[row])

    galleries.keep(run, "overlay", drawn)


def _layers(task: ImageSegmentation, model: torch.nn.Module, row: dict[str, Any]) -> dict[str, bytes]:
    picture, truth = decode(row["image"], pixel_range=task.pixel_range), ids_of(row["mask"])
    device = next(model.parameters()).device
    with torch.inference_mode():
        numbers = task.numbers(task.pixels(picture)).to(device)
        shares = task.probabilities(model.eval(), numbers, (picture.height, picture.width), task.tta)
    said = shares.argmax(0).cpu().numpy()
    grey = np.asarray(picture.convert("RGB"), dtype=np.float32)
    wrong = np.where(((said != truth) & (truth != VOID))[..., None], 0.35 * grey + 0.65 * WRONG, 0.8 * grey)
    layers = {"picture": grey, "truth": _coloured(grey, truth), "answer": _coloured(grey, said), "wrong": wrong}
    pictures = {why: Image.fromarray(np.round(one).clip(0, 255).astype(np.uint8)) for why, one in layers.items()}
    return {why: galleries.jpeg(image, SIDE) for why, image in pictures.items()}


def _coloured(grey: np.ndarray, ids: np.ndarray) -> np.ndarray:
    over = np.where((ids == VOID)[..., None], 255, COLOURS[ids % len(COLOURS)])
    return 0.45 * grey + 0.55 * over


def _example(task: ImageSegmentation, row: dict[str, Any]) -> bytes:
    """The middle of a picture at its own scale, as PNG."""
    picture = decode(row["image"], pixel_range=task.pixel_range)
    left, top = max(0, (picture.width - SIDE) // 2), max(0, (picture.height - SIDE) // 2)
    written = io.BytesIO()
    picture.crop((left, top, min(left + SIDE, picture.width), min(top + SIDE, picture.height))).save(written, "PNG")
    return written.getvalue()
