"""A pretrained model for a task that reads texts: of the right kind, with its head kept or made anew."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import transformers
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.heads import renew_head, say_head, settle_padding_token
from hfkit.models.inspection import check_vocabulary
from hfkit.models.loading import read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.discover import find

if TYPE_CHECKING:
    from hfkit.tasks import Task

PRETRAINING = ("", "PreTraining", "MaskedLM", "CausalLM", "ConditionalGeneration")
"""Heads that everyone fine-tunes from."""


def pretrained(
    config: Any,
    task: "Task",
    kinds: Mapping[Any, Any],
    called: str,
    keeps_head: Callable[[PreTrainedConfig], bool],
    such: str = "google-bert/bert-base-cased",
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[str]]:
    """The model that `--model` names, its tokenizer, and the parameters that no checkpoint has filled.

    Args:
        config: Of a task that reads texts.
        task: The task, which takes the model's order of the labels and its limit; what comes of it is saved with it.
        kinds: transformers' mapping from configs to the models of the task.
        called: What such a model is called: tagger.
        keeps_head: Whether the head that comes with the weights, by its config, is the one that is wanted.
        such: A model of the kind, for who names another.

    Raises:
        HfkitError: There is no such model of its kind, or it was trained for another job; and what reading it raises.
    """
    spec = find(task.name)
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    _check_kind(settings, config, spec.auto_model, spec.heads, kinds, called, such)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    keep = keeps_head(settings)
    if not keep:
        set_labels(settings, task.model_kwargs())
    settle_padding_token(settings, processor, config.model)
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    four_bit.mark(settings, config.load_in_4bit)
    check_vocabulary(processor, settings, folder)
    code, fewer = config.trust_remote_code, bool(config.model_args)
    model, new = read_weights(folder, settings, code, fewer, auto_model=getattr(transformers, spec.auto_model))
    if not keep:
        renew_head(model)
    say_head(model, keep and not new, new, spec.labelled)
    return model, processor, new


def _check_kind(
    settings: PreTrainedConfig,
    config: Any,
    auto_model: str,
    heads: tuple[str, ...],
    kinds: Any,
    called: str,
    such: str,
) -> None:
    """Refuse a model that cannot do the task, or that was trained for another one."""
    built_as = (settings.architectures or [""])[0]
    if built_as.endswith(heads):
        return
    remote = config.trust_remote_code and auto_model in getattr(settings, "auto_map", {})
    if type(settings) not in kinds and not remote:
        raise HfkitError(
            f"{config.model} is a {built_as or settings.model_type}, and there is no {called} of its kind",
            where="--model",
            fix=f"choose a text model, such as {such}",
        )
    if built_as.partition("For")[2] not in PRETRAINING:
        raise HfkitError(
            f"{config.model} is a {built_as}: a model for another task",
            where="--model",
            fix=f"choose a {called} or a pretrained model",
        )
