"""Detectors: from scratch, alone or on a backbone of timm's, or any of transformers' with its image processor."""

from pathlib import Path
from typing import Any

import torch
from datasets import DatasetDict
from transformers import RTDetrImageProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.configs import DetectorConfig
from hfkit.baselines.vision.processor import make_processor, sample
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.adapting.image_processors import read_processor as read_processor
from hfkit.models.inspection import refusing, say, trial
from hfkit.models.loading import Built
from hfkit.models.settings import override, set_dropout
from hfkit.tasks import Task, marking
from hfkit.tasks.object_detection.config import Config

LARGEST, STEP = 512, 32
"""Pixels of a baseline's longer side, where none is asked for; and what its sides are multiples of."""


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, which has been shown a picture, its image processor, and the parameters that
    no checkpoint has filled."""
    kinds, such = MODEL_FOR_OBJECT_DETECTION_MAPPING, "PekingU/rtdetr_r18vd, or baseline:detector"
    model, processor, new = marking.build(config, task, data, _from_scratch, kinds, "detector", such, _fit)
    fitted: Any = task.for_model(model.config, processor)
    fix = "give a size that the model was made for, or leave it out"
    with (
        refusing(f"{config.model} cannot look at a picture", "--image_size, --model_args", fix),
        trial(model) as ready,
        torch.inference_mode(),
    ):
        fitted.boxes(ready, torch.zeros(3, 96, 128, dtype=torch.uint8))
    return model, processor, new


check_training = marking.check_alone(lambda fitted: fitted.seen([torch.zeros(3, 96, 128, dtype=torch.uint8)]))


def _from_scratch(config: Config, task: Task, data: DatasetDict | None, fields: dict[str, Any]) -> Built:
    """A detector whose image processor brings every picture to the size that the training pictures have."""
    if data is None:
        raise HfkitError(f"{config.model} takes its picture size from the training images: give build_model the data")
    images = sample(data["train"], marking.LOOKED_AT, getattr(task, "pixel_range", None))
    shapes = sorted(images, key=lambda image: image.width / image.height)
    if config.tile_size is not None:
        wide = high = config.tile_size
    else:
        usual = shapes[len(shapes) // 2]
        longest = max(usual.size)
        share = (config.image_size or min(longest, LARGEST)) / longest
        wide, high = (max(STEP, round(side * share / STEP) * STEP) for side in usual.size)
    known = make_processor(64, 3, images)
    mean, std = (fields.pop(name, getattr(known, name)) for name in ("image_mean", "image_std"))
    processor = RTDetrImageProcessor(
        size={"height": high, "width": wide}, do_normalize=True, image_mean=mean, image_std=std, do_pad=False
    )
    settings = DetectorConfig(**fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    say(f"pictures are looked at with {wide} x {high} pixels")
    return marking.untrained(task, settings, processor), processor, []


def _fit(config: Config, processor: Any, folder: Path) -> None:
    """Have a detector's image processor make pictures of the size that is asked for."""
    if not hasattr(processor, "post_process_object_detection"):
        raise HfkitError(f"the image processor of {config.model} is of no detector", where=str(folder))
    size = dict(getattr(processor, "size", None) or {})
    if config.image_size is not None and "shortest_edge" in size:
        share = config.image_size / (size.get("longest_edge") or size["shortest_edge"])
        shortest = max(32, round(size["shortest_edge"] * share))
        processor.size = {"shortest_edge": shortest, "longest_edge": config.image_size}
    elif config.image_size is not None:
        processor.size = {"height": config.image_size, "width": config.image_size}
