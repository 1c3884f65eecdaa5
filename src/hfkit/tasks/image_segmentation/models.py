"""Segmenters: the U-Net, alone or on a backbone of timm's, or any of transformers', its head kept or made anew."""

from typing import Any

import torch
from datasets import DatasetDict
from transformers import SegformerImageProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.configs import UNetConfig
from hfkit.baselines.vision.processor import make_processor, native_shape, sample
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.adapting.image_processors import read_processor as read_processor
from hfkit.models.inspection import refusing, trial
from hfkit.models.loading import Built
from hfkit.models.settings import override, set_dropout
from hfkit.tasks import Task, marking
from hfkit.tasks.image_segmentation.config import Config


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, which has been shown a tile, its image processor, and the parameters that no
    checkpoint has filled."""
    kinds, such = MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING, "nvidia/mit-b0, or baseline:unet"
    model, processor, new = marking.build(config, task, data, _from_scratch, kinds, "segmenter", such)
    fitted: Any = task.for_model(model.config, processor)
    side, fix = fitted.tile_size, "give a size that the model was made for, or leave it out"
    what = f"{config.model} cannot read tiles of {fitted.seen.channels} x {side} x {side}"
    with refusing(what, "--tile_size, --model_args", fix), trial(model) as ready, torch.inference_mode():
        said = fitted.logits(ready, torch.zeros(1, fitted.seen.channels, side, side))
    if said.shape[1] != len(fitted.labels):
        raise HfkitError(f"{config.model} answers with {said.shape[1]} classes, and {len(fitted.labels)} are learnt")
    return model, processor, new


check_training = marking.check_alone(
    lambda fitted: torch.zeros(1, fitted.seen.channels, fitted.tile_size, fitted.tile_size)
)


def _from_scratch(config: Config, task: Task, data: DatasetDict | None, fields: dict[str, Any]) -> Built:
    """A U-Net, with a processor that changes no picture's size. Without a backbone of timm's, which reads colours, it
    is grey where no training picture has one."""
    if data is None:
        raise HfkitError(f"{config.model} takes its channels from the training images: give build_model the data")
    images = sample(data["train"], marking.LOOKED_AT, getattr(task, "pixel_range", None))
    channels = 3 if "backbone" in fields else native_shape(images)[1]
    pixels: dict[str, Any] = {name: fields.pop(name) for name in ("image_mean", "image_std") if name in fields}
    settings = UNetConfig(**{"num_channels": channels, **fields})
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    known = make_processor(64, settings.num_channels, images)
    pixels = {"image_mean": known.image_mean, "image_std": known.image_std} | pixels
    processor = SegformerImageProcessor(do_resize=False, **pixels)
    return marking.untrained(task, settings, processor), processor, []
