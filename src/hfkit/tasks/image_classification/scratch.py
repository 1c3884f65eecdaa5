"""Picture baselines by name: network, config and image processor that fit the training pictures."""

from typing import TYPE_CHECKING, Any

from datasets import DatasetDict
from transformers import AutoModelForImageClassification, PreTrainedModel

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.processor import make_processor, native_shape, sample
from hfkit.models.loading import first_line
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.image_classification import SPEC
from hfkit.tasks.image_classification.config import Config

if TYPE_CHECKING:
    from hfkit.tasks import Task

# Enough to know the pictures' size, and the mean of a channel to a hundredth; decoding a whole training split is not.
_LOOKED_AT = 256


def build_image_baseline(config: Config, task: "Task", data: DatasetDict | None) -> tuple[PreTrainedModel, Any]:
    """An untrained picture baseline and its image processor, both of the training pictures' shape.

    Pictures of 28 x 28 grey pixels make a model that reads those. Larger ones are shrunk to 64 pixels a side (224 for
    the ImageNet layouts), unless `--image_size` says otherwise. The processor is a `ViTImageProcessor`. Raises
    HfkitError: no baseline has the name, `data` is missing, or a knob does not fit."""
    config_class, fields = SPEC.baseline_config(config.model)
    if data is None:
        raise HfkitError(f"{config.model} takes its size from the training images: give build_model the data")
    if config.drop_path is not None:
        what = f"{config.model} has no stochastic depth"
        raise HfkitError(what, where="--drop_path", fix="drop the flag, or choose a timm model")
    images = sample(data["train"], _LOOKED_AT, getattr(task, "pixel_range", None))
    size, channels = native_shape(images, 224 if fields.get("stem") == "imagenet" else 64)
    settings = config_class(image_size=config.image_size or size, num_channels=channels, **fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    processor: Any = make_processor(settings.image_size, settings.num_channels, images)
    set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    try:
        model = AutoModelForImageClassification.from_config(settings)
    except ValueError as error:
        raise HfkitError(first_line(error), where="--model_args, --image_size") from error
    return model, processor
