"""Detectors: from scratch, alone or on a backbone of timm's, or any of transformers' with its image processor."""

from typing import TYPE_CHECKING, Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForObjectDetection, PreTrainedModel, RTDetrImageProcessor
from transformers.models.auto.modeling_auto import MODEL_FOR_OBJECT_DETECTION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.configs import DetectorConfig
from hfkit.baselines.vision.processor import make_processor, sample
from hfkit.baselines.vision.timm_maps import fill, of_classifier
from hfkit.models.adapting.freezing import check_single, in_head
from hfkit.models.adapting.heads import say_head
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.adapting.image_processors import read_processor as read_processor
from hfkit.models.inspection import first_line, say
from hfkit.models.loading import read_config, read_weights
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.object_detection import SPEC
from hfkit.tasks.object_detection.config import Config

if TYPE_CHECKING:
    from hfkit.tasks import Task

LOOKED_AT = 32
"""Training pictures by which a baseline knows their size, mean and deviation."""

LARGEST, STEP = 512, 32
"""Pixels of a baseline's longer side, where none is asked for; and what its sides are multiples of."""


def build(config: Config, task: "Task", data: DatasetDict | None) -> tuple[PreTrainedModel, Any, list[str]]:
    """See `hfkit.build_model`: the model, which has been shown a picture, its image processor, and the parameters that
    no checkpoint has filled."""
    scratch = config.model.startswith("baseline:")
    model, processor, new = (_from_scratch if scratch else _pretrained)(config, task, data)
    fitted: Any = task.for_model(model.config, processor)
    training = model.training
    try:
        with torch.inference_mode():
            fitted.boxes(model.eval(), torch.zeros(3, 96, 128, dtype=torch.uint8))
    except Exception as error:  # each architecture fails in its own way
        what = f"{config.model} cannot look at a picture: {first_line(error)}"
        fix = "give a size that the model was made for, or leave it out"
        raise HfkitError(what, where="--image_size, --model_args", fix=fix) from error
    finally:
        model.train(training)
    return model, processor, new


def check_training(config: Any, task: "Task", model: PreTrainedModel, processor: Any, data: DatasetDict | None) -> None:
    """Refuse a model that fails in training on a batch of one picture, where there will be such batches."""
    if getattr(config, "per_device_train_batch_size", 2) == 1:
        fitted: Any = task.for_model(model.config, processor)
        picture = fitted.seen([torch.zeros(3, 96, 128, dtype=torch.uint8)])
        check_single(model, picture, config.model, getattr(config, "unfreeze_epoch", None) is not None)


def _from_scratch(
    config: Config, task: "Task", data: DatasetDict | None, backbone: dict[str, Any] | None = None
) -> tuple[PreTrainedModel, Any, list[str]]:
    """A detector whose image processor brings every picture to the size that the training pictures have."""
    fields = SPEC.baseline_config(config.model)[1] if backbone is None else backbone
    if data is None:
        raise HfkitError(f"{config.model} takes its picture size from the training images: give build_model the data")
    images = sample(data["train"], LOOKED_AT, getattr(task, "pixel_range", None))
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
    set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    say(f"pictures are looked at with {wide} x {high} pixels")
    try:
        return AutoModelForObjectDetection.from_config(settings), processor, []
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise HfkitError(first_line(error), where="--model_args") from error


def _pretrained(config: Config, task: "Task", data: DatasetDict | None) -> tuple[PreTrainedModel, Any, list[str]]:
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    if settings.model_type == "timm_wrapper":  # a new detector on a classifier, whose features keep what they learnt
        made, processor, _ = _from_scratch(config, task, data, of_classifier(settings))
        return made, processor, fill(made, folder, config.model)
    if type(settings) not in MODEL_FOR_OBJECT_DETECTION_MAPPING:
        what = f"{config.model} is a {settings.model_type}, and there is no detector of its kind"
        raise HfkitError(what, where="--model", fix="choose one such as PekingU/rtdetr_r18vd, or baseline:detector")
    processor = read_processor(folder, settings, config.trust_remote_code)
    if not hasattr(processor, "post_process_object_detection"):
        raise HfkitError(f"the image processor of {config.model} is of no detector", where=str(folder))
    size = dict(getattr(processor, "size", None) or {})
    if config.image_size is not None and "shortest_edge" in size:
        share = config.image_size / (size.get("longest_edge") or size["shortest_edge"])
        shortest = max(32, round(size["shortest_edge"] * share))
        processor.size = {"shortest_edge": shortest, "longest_edge": config.image_size}
    elif config.image_size is not None:
        processor.size = {"height": config.image_size, "width": config.image_size}
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    wanted = task.model_kwargs()
    keep = sorted(map(str, (settings.id2label or {}).values())) == sorted(wanted["id2label"].values())
    if not keep:
        set_labels(settings, wanted)
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    code = config.trust_remote_code
    model, new = read_weights(folder, settings, code, auto_model=AutoModelForObjectDetection)
    say_head(model, keep and not any(in_head(model, name) for name in new), new, SPEC.labelled)
    return model, processor, new
