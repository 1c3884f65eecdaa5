"""Segmenters: the U-Net, alone or on a backbone of timm's, or any of transformers', its head kept or made anew."""

from typing import TYPE_CHECKING, Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForSemanticSegmentation, PreTrainedModel, SegformerImageProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.configs import UNetConfig
from hfkit.baselines.vision.processor import make_processor, native_shape, sample
from hfkit.baselines.vision.timm_maps import fill, of_classifier
from hfkit.models.adapting.freezing import check_single, in_head
from hfkit.models.adapting.heads import say_head
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.adapting.image_processors import read_processor as read_processor
from hfkit.models.inspection import first_line
from hfkit.models.loading import read_config, read_weights
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.image_segmentation import SPEC
from hfkit.tasks.image_segmentation.config import Config

if TYPE_CHECKING:
    from hfkit.tasks import Task

LOOKED_AT = 32
"""Training pictures by which a baseline knows its channels, their mean and deviation."""


def build(config: Config, task: "Task", data: DatasetDict | None) -> tuple[PreTrainedModel, Any, list[str]]:
    """See `hfkit.build_model`: the model, which has been shown a tile, its image processor, and the parameters that no
    checkpoint has filled."""
    scratch = config.model.startswith("baseline:")
    model, processor, new = (_from_scratch if scratch else _pretrained)(config, task, data)
    fitted: Any = task.for_model(model.config, processor)
    side, training = fitted.tile_size, model.training
    try:
        with torch.inference_mode():
            said = fitted.logits(model.eval(), torch.zeros(1, fitted.seen.channels, side, side))
    except Exception as error:  # each architecture fails in its own way
        what = f"{config.model} cannot read tiles of {fitted.seen.channels} x {side} x {side}: {first_line(error)}"
        fix = "give a size that the model was made for, or leave it out"
        raise HfkitError(what, where="--tile_size, --model_args", fix=fix) from error
    finally:
        model.train(training)
    if said.shape[1] != len(fitted.labels):
        raise HfkitError(f"{config.model} answers with {said.shape[1]} classes, and {len(fitted.labels)} are learnt")
    return model, processor, new


def check_training(config: Any, task: "Task", model: PreTrainedModel, processor: Any, data: DatasetDict | None) -> None:
    """Refuse a model that fails in training on a batch of one tile, where there will be such batches."""
    if getattr(config, "per_device_train_batch_size", 2) == 1:
        fitted: Any = task.for_model(model.config, processor)
        tile = torch.zeros(1, fitted.seen.channels, fitted.tile_size, fitted.tile_size)
        check_single(model, tile, config.model, getattr(config, "unfreeze_epoch", None) is not None)


def _from_scratch(
    config: Config, task: "Task", data: DatasetDict | None, backbone: dict[str, Any] | None = None
) -> tuple[PreTrainedModel, Any, list[str]]:
    """A U-Net, with a processor that changes no picture's size. Without a backbone of timm's, which reads colours, it
    is grey where no training picture has one."""
    fields = SPEC.baseline_config(config.model)[1] if backbone is None else backbone
    if data is None:
        raise HfkitError(f"{config.model} takes its channels from the training images: give build_model the data")
    images = sample(data["train"], LOOKED_AT, getattr(task, "pixel_range", None))
    channels = native_shape(images)[1] if backbone is None else 3
    pixels: dict[str, Any] = {name: fields.pop(name) for name in ("image_mean", "image_std") if name in fields}
    settings = UNetConfig(**{"num_channels": channels, **fields})
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    known = make_processor(64, settings.num_channels, images)
    pixels = {"image_mean": known.image_mean, "image_std": known.image_std} | pixels
    processor = SegformerImageProcessor(do_resize=False, **pixels)
    set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    try:
        return AutoModelForSemanticSegmentation.from_config(settings), processor, []
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise HfkitError(first_line(error), where="--model_args") from error


def _pretrained(config: Config, task: "Task", data: DatasetDict | None) -> tuple[PreTrainedModel, Any, list[str]]:
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    if settings.model_type == "timm_wrapper":  # a U-Net above a classifier's maps, which keep what they have learnt
        made, processor, _ = _from_scratch(config, task, data, of_classifier(settings))
        return made, processor, fill(made, folder, config.model)
    if type(settings) not in MODEL_FOR_SEMANTIC_SEGMENTATION_MAPPING:
        what = f"{config.model} is a {settings.model_type}, and there is no segmenter of its kind"
        raise HfkitError(what, where="--model", fix="choose one such as nvidia/mit-b0, or baseline:unet")
    processor = read_processor(folder, settings, config.trust_remote_code)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    wanted = task.model_kwargs()
    keep = sorted(map(str, (settings.id2label or {}).values())) == sorted(wanted["id2label"].values())
    if not keep:
        set_labels(settings, wanted)
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    code = config.trust_remote_code
    model, new = read_weights(folder, settings, code, auto_model=AutoModelForSemanticSegmentation)
    say_head(model, keep and not any(in_head(model, name) for name in new), new, SPEC.labelled)
    return model, processor, new
