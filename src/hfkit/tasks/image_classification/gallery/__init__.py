"""Gallery: the few small pictures that a run of images keeps, so that its report needs neither the data nor the model.

`pictures.parquet` holds a row for each: `part` ("filters", "mistake", "map", "augmented", "class"), `row` (of
predictions.parquet; of the training split for "augmented"), `label` (a class; the epoch for "augmented"), `why`, and
`image`, the bytes of a PNG or JPEG. All of it together has at most `KEPT` bytes, whatever the data are.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from datasets import Dataset, DatasetDict
from PIL import Image

from hfkit.base.sanitize import line
from hfkit.data.vision.decode import decode
from hfkit.report.analysis import Predictions
from hfkit.report.pictures import KEPT, write_tiles
from hfkit.runs.run import Run
from hfkit.tasks.image_classification.gallery import choice, saliency, tiles
from hfkit.tasks.image_classification.gallery.filters import filter_grid, first_filters
from hfkit.tasks.image_classification.gallery.layers import write_layers as write_layers
from hfkit.tasks.image_classification.task import ImageClassification

AUGMENTED, LOOKS = 4, 5  # training pictures that are shown augmented, and in how many epochs

Row = dict[str, Any]


@dataclass
class Gallery:
    """Pictures as they are collected, within the bound."""

    rows: list[Row] = field(default_factory=list)  # of pictures.parquet
    left_out: int = 0  # pictures that the bound had no room for
    notes: list[str] = field(default_factory=list)  # a sentence for each part that could not be made
    facts: dict[str, Any] = field(default_factory=dict)  # what the report tells beside the pictures

    def take(self, part: str, make: Callable[[], Iterator[Row]]) -> None:
        """The rows of a part. What goes wrong in it is a note: no picture is worth a model that is trained."""
        try:
            for row in make():
                size = sum(len(kept["image"]) for kept in self.rows) + len(row["image"])
                if size > KEPT:
                    self.left_out += 1
                else:
                    self.rows.append({"part": part, "row": -1, "label": -1, "why": ""} | row)
        except Exception as error:  # each architecture fails in its own way
            self.notes.append(line(f"{part}: {type(error).__name__}: {error}"))


def keep(run: Run, task: ImageClassification, model: torch.nn.Module, encoded: DatasetDict) -> None:
    """Write pictures.parquet, every picture that the report of a run shows, and to run.json what it says of them.

    `run` has its predictions and figures, `task` is fitted to `model`, which is as it is published and on its device;
    `encoded` are the splits, with undecoded pictures. What goes wrong with the pictures is a note in run.json. Raises
    HfkitError: the disk failed."""
    seen, kept, test = Predictions.of(run), Gallery(), encoded["test"]
    model.eval()
    kept.take("filters", lambda: _filters(model))
    kept.take("mistake", lambda: _pictures(task, test, ({"row": row} for row in choice.mistakes(seen))))
    kept.take("map", lambda: _maps(kept, task, model, test, choice.explained(seen)))
    kept.take("augmented", lambda: _augmented(task, encoded["train"]))
    kept.take("class", lambda: _pictures(task, test, map(vars, choice.by_class(seen))))
    kept.facts |= {"kept": len(kept.rows), "bytes": sum(len(row["image"]) for row in kept.rows)}
    kept.facts |= {"left_out": kept.left_out, "notes": kept.notes, "augment": _changes(task)}
    write_tiles(run, kept.rows)
    run.update(pictures=kept.facts)


def _decoded(task: ImageClassification, split: Dataset, row: int) -> Image.Image:
    return decode(split[row]["image"], pixel_range=task.pixel_range)


def _filters(model: torch.nn.Module) -> Iterator[Row]:
    filters = first_filters(model)
    if filters is not None:
        yield {"label": len(filters), "image": tiles.png(Image.fromarray(filter_grid(filters)))}


def _pictures(task: ImageClassification, test: Dataset, rows: Iterable[Row]) -> Iterator[Row]:
    for row in rows:
        yield row | {"image": tiles.tile(_decoded(task, test, row["row"]))}


def _maps(
    kept: Gallery, task: ImageClassification, model: torch.nn.Module, test: Dataset, chosen: list[choice.Shown]
) -> Iterator[Row]:
    """Of each row the picture as the model sees it, then its maps."""
    assert task.seen is not None
    if not chosen:
        return
    pixels = task.seen.look([_decoded(task, test, one.row) for one in chosen])
    device = next(model.parameters()).device
    found = saliency.maps(model, pixels.to(device), [one.label for one in chosen])
    if found is None:
        return
    kept.facts["map"] = {"method": found.layer.method, **vars(found.layer)}
    before = -1
    for one, numbers, heat in zip(chosen, pixels, found.heat, strict=True):
        picture = tiles.picture(numbers, task.seen.mean, task.seen.std)
        if one.row != before:
            yield {"row": one.row, "why": "picture", "image": tiles.tile(picture)}
        yield {**vars(one), "image": tiles.tile(tiles.heated(picture, heat.numpy()))}
        before = one.row


def _changes(task: ImageClassification) -> list[str]:
    mixing = {"mixup": task.mixup, "cutmix": task.cutmix}
    return [*task.augment, *(name for name, alpha in mixing.items() if alpha)]


def _augmented(task: ImageClassification, train: Dataset) -> Iterator[Row]:
    """Some training pictures, unchanged and as the model is given them in the first epochs."""
    if not _changes(task):
        return
    assert task.seen is not None
    rows = np.unique(np.linspace(0, len(train) - 1, min(AUGMENTED, len(train))).astype(int)).tolist()
    for epoch in [None, *range(LOOKS)]:
        for row, feature in zip(rows, task.read(train, rows, epoch), strict=True):
            shown = tiles.picture(feature["pixel_values"], task.seen.mean, task.seen.std)
            labels = feature["labels"]
            why = _mix(task, np.asarray(labels)) if isinstance(labels, np.ndarray | np.floating) else ""
            yield {"row": row, "label": -1 if epoch is None else epoch, "why": why, "image": tiles.tile(shown)}


def _mix(task: ImageClassification, labels: np.ndarray) -> str:
    """A mixed label in words: `70 % cat, 30 % dog`."""
    if task.problem_type == "regression":
        return f"{float(labels):.3g}"
    parts = [index for index in np.argsort(-labels)[:2] if labels[index] >= 0.005]
    return ", ".join(f"{100 * labels[index]:.0f} % {line(task.labels[index], 24)}" for index in parts)
