"""Image models by name: timm's, transformers' own and baselines, each with the processor that says how it looks."""

import json
from typing import Any

import torch
from datasets import DatasetDict
from transformers import AutoConfig, AutoModelForImageClassification, PreTrainedConfig
from transformers import PreTrainedModel as Model
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from hfkit.base.errors import HfkitError, nearest
from hfkit.baselines.vision.processor import make_processor, native_shape, sample
from hfkit.models.adapting.freezing import check_single, timm_heads
from hfkit.models.adapting.image_processors import check_folder as check_folder
from hfkit.models.adapting.image_processors import read_processor as read_processor
from hfkit.models.adapting.image_sizes import at_size
from hfkit.models.inspection import first_line, refusing, trial
from hfkit.models.loading import Built, read_config, read_weights
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks import Task
from hfkit.tasks.classification import same_labels
from hfkit.tasks.image_classification import SPEC
from hfkit.tasks.image_classification.config import Config

PREFIX = "timm/"

LOOKED_AT = 256
"""Training pictures that a baseline is shaped by: they tell the size, and the mean of a channel to a hundredth."""


def build(config: Any, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, which has been shown a picture, its image processor, and the parameters that
    no checkpoint has filled."""
    new: list[str] = []
    if config.model.startswith("baseline:"):
        model, processor = from_scratch(config, task, data)
    else:
        model, processor, new = _pretrained(config, task)
    try_out(model, task.for_model(model.config, processor), config.model)
    return model, processor, new


def from_scratch(config: Config, task: Task, data: DatasetDict | None) -> tuple[Model, Any]:
    """An untrained picture baseline and its image processor, both of the training pictures' shape, but for larger ones,
    which are shrunk to 64 pixels a side (224 for the ImageNet layouts), unless `--image_size` says otherwise. Raises
    HfkitError: no baseline has the name, `data` is missing, or a knob does not fit."""
    config_class, fields = SPEC.baseline_config(config.model)
    if data is None:
        raise HfkitError(f"{config.model} takes its size from the training images: give build_model the data")
    if config.drop_path is not None:
        what = f"{config.model} has no stochastic depth"
        raise HfkitError(what, where="--drop_path", fix="drop the flag, or choose a timm model")
    images = sample(data["train"], LOOKED_AT, getattr(task, "pixel_range", None))
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


def check_training(config: Any, task: Task, model: Model, processor: Any, data: DatasetDict | None) -> None:
    """Refuse a model that fails in training on a batch of one row, where there will be such batches."""
    rows = min(getattr(config, "per_device_train_batch_size", 2), len(data["train"]) if data else 2)
    if rows == 1:
        fitted: Any = task.for_model(model.config, processor)
        seen = fitted.seen
        picture = torch.zeros(1, seen.channels, seen.height, seen.width)
        check_single(model, picture, config.model, getattr(config, "unfreeze_epoch", None) is not None)


def _pretrained(config: Config, task: Task) -> Built:
    """A pretrained image classifier with a head for the task; or its architecture alone (`from_scratch`)."""
    name = _known(config.model) if config.model.startswith(PREFIX) else config.model
    if config.from_scratch and name.startswith(PREFIX):
        settings, folder = _architecture(name), None
    else:
        folder = locate(name, config.model_revision, code=config.trust_remote_code)
        check_folder(folder, config.model)
        settings = read_config(folder, config.model, config.trust_remote_code)
    if type(settings) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        what = f"{config.model} is a {settings.model_type}, and there is no image classifier of its kind"
        fix = "choose an image model, such as timm/resnet50.a1_in1k or google/vit-base-patch16-224"
        raise HfkitError(what, where="--model", fix=fix)
    _resize(settings, config)
    processor = read_processor(folder, settings, config.trust_remote_code, config.image_size)
    keep_head = same_labels(settings, task.model_kwargs()) and not config.from_scratch
    if not keep_head:
        set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    sized = config.image_size is not None and getattr(settings, "image_size", None) not in (None, config.image_size)
    if folder is None or config.from_scratch:
        if sized:
            settings.image_size = config.image_size
        return _untrained(settings), processor, []
    model, new = read_weights(folder, settings, config.trust_remote_code, auto_model=AutoModelForImageClassification)
    if sized:
        model = at_size(model, config.image_size or 0)
    return model, processor, new


def _known(name: str) -> str:
    """timm/ARCHITECTURE[.TAG], checked; without a tag the one that timm takes itself."""
    import timm

    architecture, _, tag = name.removeprefix(PREFIX).partition(".")
    if not timm.is_model(architecture):
        known = {f"{PREFIX}{known}" for known in timm.list_models()}
        close, question, _ = nearest(f"{PREFIX}{architecture}", known).partition("?")
        fix = close + question if question else f"timm.list_models() lists the {len(known):,} that there are"
        raise HfkitError(f"timm has no model {architecture!r}", where="--model", fix=fix)
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        fix = nearest(name, [f"{PREFIX}{architecture}.{known}" for known in tags])
        raise HfkitError(f"timm has no weights {tag!r} of {architecture}", where="--model", fix=fix)
    default = timm.get_pretrained_cfg(architecture)
    return name if tag or default is None or not default.tag else f"{name}.{default.tag}"


def _architecture(name: str) -> PreTrainedConfig:
    """The config of a timm model that is not fetched: how it looks at pictures is in timm itself."""
    import timm

    full = name.removeprefix(PREFIX)
    found = timm.get_pretrained_cfg(full)
    given = {key: value for key, value in found.to_dict().items() if value is not None} if found else {}
    return AutoConfig.for_model("timm_wrapper", architecture=full.partition(".")[0], pretrained_cfg=given)


def _resize(settings: PreTrainedConfig, config: Config) -> None:
    """Write the flags into the config: size, dropout, stochastic depth, and fields by name."""
    if settings.model_type == "timm_wrapper":
        rates = {"drop_rate": config.dropout, "drop_path_rate": config.drop_path}
        arguments = (settings.model_args or {}) | {name: rate for name, rate in rates.items() if rate is not None}
        arguments |= json.loads(config.model_args or "{}")
        if config.image_size is not None:
            side = config.image_size
            settings.pretrained_cfg = {**settings.pretrained_cfg, "input_size": [3, side, side]}
            if _has_positions(settings.architecture):
                arguments["dynamic_img_size"] = True  # its position vectors are stretched to the new grid
        settings.model_args = arguments or None
        return
    set_dropout(settings, config.dropout, config.attention_dropout)
    if config.drop_path is not None:
        if not hasattr(settings, "drop_path_rate"):
            raise HfkitError(f"a {settings.model_type} has no stochastic depth", where="--drop_path")
        settings.drop_path_rate = config.drop_path
    override(settings, config.model_args)


def _has_positions(architecture: str) -> bool:
    """Whether the model is one of timm's ViTs, which take pictures of other sizes when they are told to."""
    import timm

    module = getattr(timm.models, timm.model_entrypoint(architecture).__module__.rsplit(".", 1)[-1], None)
    return getattr(module, "__name__", "").endswith((".vision_transformer", ".deit", ".eva"))


def _untrained(settings: PreTrainedConfig) -> Model:
    """The architecture with the start values of its authors: transformers' would be normal noise for timm's layers."""
    with refusing("the model cannot be made", "--model_args, --image_size"):
        model: Model = AutoModelForImageClassification.from_config(settings)
        if settings.model_type == "timm_wrapper":
            import timm

            arguments = {"num_classes": settings.num_labels, **(settings.model_args or {})}
            started = timm.create_model(settings.architecture, **arguments)
            model.get_submodule("timm_model").load_state_dict(started.state_dict())
    return model


def try_out(model: Model, task: Any, name: str) -> None:
    """Shows the model one empty picture, so that a size that it cannot read is told before anything is trained. Raises
    HfkitError: the picture is smaller than a patch, or has the wrong number of channels or pixels."""
    seen = task.seen
    if seen.channels not in (1, 3):
        what = f"{name} would read pictures of {seen.channels} channels, and pictures have 1 or 3"
        raise HfkitError(what, where="--model_args")
    size = f"{seen.channels} x {seen.height} x {seen.width} (channels, height, width)"
    fix = "leave both out, or give a multiple of the patch that the model was made for, and its own channels"
    refused = refusing(f"{name} cannot read pictures of {size}", "--image_size, --model_args", fix)
    with refused, trial(model), torch.inference_mode():
        model(pixel_values=torch.zeros(1, seen.channels, seen.height, seen.width))


def head_of(model: torch.nn.Module) -> tuple[str, torch.nn.Module]:
    """Name and module of the last layer: a linear one, whose input are the features. In a chain of layers without
    weights that ends in a linear one, as in transformers' ResNet, it is that one. Raises HfkitError: the model has two
    heads, or one of several layers."""
    timm = getattr(model, "timm_model", None)
    names = [f"timm_model.{name}" for name in timm_heads(timm)] if timm is not None else ["classifier"]
    if len(names) == 1:
        name, head = names[0], dict(model.named_modules()).get(names[0])
        if isinstance(head, torch.nn.Sequential) and len(list(head.parameters())) <= 2:
            name, head = f"{name}.{len(head) - 1}", head[-1]
        if isinstance(head, torch.nn.Linear):
            return name, head
    raise HfkitError("The model's head is not one linear layer", where="--linear_probe", fix="use --freeze backbone")
