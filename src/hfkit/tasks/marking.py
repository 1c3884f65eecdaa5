"""Models that learn what is marked in pictures: from scratch, on a classifier of timm's, or any of transformers'."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from datasets import DatasetDict
from transformers import PreTrainedConfig, PreTrainedModel

from hfkit.base.errors import HfkitError
from hfkit.baselines.vision.timm_maps import fill, of_classifier
from hfkit.models.adapting.freezing import check_single, in_head
from hfkit.models.adapting.heads import say_head
from hfkit.models.adapting.image_processors import check_folder, read_processor
from hfkit.models.inspection import first_line
from hfkit.models.loading import Built, read_config, read_weights
from hfkit.models.names import locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.base import BaseTask
from hfkit.tasks.discover import find

LOOKED_AT = 32
"""Training pictures by which a baseline knows their size or channels, their mean and deviation."""

Scratch = Callable[[Any, Any, DatasetDict | None, dict[str, Any]], Built]
"""Builds a model anew: (config, task, data, fields of its config)."""


def build(
    config: Any,
    task: Any,
    data: DatasetDict | None,
    scratch: Scratch,
    kinds: Mapping[Any, Any],
    called: str,
    such: str,
    fit: Callable[[Any, Any, Path], None] | None = None,
) -> Built:
    """The model that `--model` names, its image processor, and the parameters that no checkpoint has filled.

    `scratch` builds a baseline, and a new model on a classifier of timm's, whose features keep what they learnt.
    `kinds` is transformers' mapping from configs to the models of the task; such a model is `called` a detector, and
    `such` a one is proposed to who names another. `fit` has an image processor look as the configuration says, (config,
    processor, folder). Raises HfkitError: there is no such model of its kind; and what reading it raises."""
    spec, name = find(task.name), config.model
    if name.startswith("baseline:"):
        return scratch(config, task, data, spec.baseline_config(name)[1])
    folder = locate(name, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, name)
    settings = read_config(folder, name, config.trust_remote_code)
    if settings.model_type == "timm_wrapper":
        made, processor, _ = scratch(config, task, data, of_classifier(settings))
        return made, processor, fill(made, folder, name)
    if type(settings) not in kinds:
        what = f"{name} is a {settings.model_type}, and there is no {called} of its kind"
        raise HfkitError(what, where="--model", fix=f"choose one such as {such}")
    processor = read_processor(folder, settings, config.trust_remote_code)
    if fit:
        fit(config, processor, folder)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    wanted = task.model_kwargs()
    keep = sorted(map(str, (settings.id2label or {}).values())) == sorted(wanted["id2label"].values())
    if not keep:
        set_labels(settings, wanted)
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    kind = getattr(transformers, spec.auto_model)
    model, new = read_weights(folder, settings, config.trust_remote_code, auto_model=kind)
    say_head(model, keep and not any(in_head(model, name) for name in new), new, spec.labelled)
    return model, processor, new


def check_alone(shown: Callable[[Any], torch.Tensor]) -> Callable[..., None]:
    """The `check_training` of a task: a model is refused that fails in training on a batch of one, where there will be
    such batches. `shown` gives what the fitted task shows a model of an empty picture, (1, channels, rows, columns)."""

    def check(config: Any, task: Any, model: PreTrainedModel, processor: Any, data: DatasetDict | None) -> None:
        if getattr(config, "per_device_train_batch_size", 2) == 1:
            unfreezes = getattr(config, "unfreeze_epoch", None) is not None
            check_single(model, shown(task.for_model(model.config, processor)), config.model, unfreezes)

    return check


def untrained(task: BaseTask, settings: PreTrainedConfig, processor: Any) -> PreTrainedModel:
    """A model of this config for the task, with its start values; what it refuses is the user's --model_args."""
    set_labels(settings, task.model_kwargs())
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    try:
        model: PreTrainedModel = getattr(transformers, find(task.name).auto_model).from_config(settings)
    except (ValueError, RuntimeError, ZeroDivisionError) as error:
        raise HfkitError(first_line(error), where="--model_args") from error
    return model
