"""A pretrained model for a task that reads texts: of the right kind, with its head kept or made anew."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.freezing import in_head
from hfkit.models.adapting.heads import renew_head, say_head, settle_padding_token
from hfkit.models.inspection import check_vocabulary, say
from hfkit.models.loading import Built, read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks import Task
from hfkit.tasks.discover import find

PRETRAINING = ("", "PreTraining", "MaskedLM", "CausalLM", "ConditionalGeneration")
"""Heads that everyone fine-tunes from."""

Settle = Callable[[Any, PreTrainedTokenizerBase, str], str | None]
"""How batches of a model are filled, see `settle_padding`: (model, tokenizer, name) -> a sentence or None."""


def pretrained(
    config: Any,
    task: Task,
    kinds: Mapping[Any, Any],
    called: str,
    keeps_head: Callable[[PreTrainedConfig], bool],
    settle: Settle | None = None,
    pooled: Callable[[PreTrainedConfig], PreTrainedConfig] | None = None,
    way_out: str = "",
    such: str = "google-bert/bert-base-cased",
) -> Built:
    """The model that `--model` names, its tokenizer, and the parameters that no checkpoint has filled.

    `config` is of a task that reads texts; the `task` takes the model's order of the labels and its limit. `kinds` is
    transformers' mapping from configs to the models of the task; such a model is `called` a tagger, and `such` a one is
    proposed to who names another. `keeps_head` says whether the head that comes with the weights, by its config, is the
    one that is wanted, `settle` how batches are filled, `way_out` what else may be done where the model was trained for
    another task. `pooled` gives the config of a model on the backbone of another, whose kind it checks. Raises
    HfkitError: there is no such model of its kind, or it was trained for another job; and what reading it raises."""
    spec = find(task.name)
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    if pooled:
        settings = pooled(settings)
    else:
        _check_kind(settings, config, spec.auto_model, spec.heads, kinds, called, way_out, such)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    backbone = getattr(settings, "backbone_config", None) or settings
    set_dropout(backbone, config.dropout, config.attention_dropout)
    override(backbone, config.model_args)
    keep = keeps_head(settings)
    if not keep:
        set_labels(settings, task.model_kwargs())
    settle_padding_token(settings, processor, config.model)
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    four_bit.mark(settings, config.load_in_4bit)
    check_vocabulary(processor, settings, folder)
    code, fewer = config.trust_remote_code, bool(config.model_args)
    kind = getattr(transformers, spec.auto_model)
    model, new = read_weights(folder, settings, code, fewer, auto_model=kind, unread=spec.unread)
    if not keep:
        renew_head(model)
    say_head(model, keep and not any(in_head(model, name) for name in new), new, spec.labelled)
    if settle and (sentence := settle(model, processor, config.model)):
        say(sentence)
    return model, processor, new


def on_opening(settle: Settle) -> Callable[[Any, PreTrainedTokenizerBase, str | Path], None]:
    """How batches are filled, of a model that does not say: one that hfkit has built says it in its config."""

    def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
        told = getattr(model.config, "hfkit", None) or {}
        if "padding" not in told and (sentence := settle(model, tokenizer, str(name))):
            warnings.warn(sentence, stacklevel=4)

    return opened


def _check_kind(
    settings: PreTrainedConfig,
    config: Any,
    auto_model: str,
    heads: tuple[str, ...],
    kinds: Any,
    called: str,
    way_out: str,
    such: str,
) -> None:
    """Refuse a model that cannot do the task, or that was trained for another one."""
    built_as = (settings.architectures or [""])[0]
    if built_as.endswith(heads):
        return
    remote = config.trust_remote_code and auto_model in getattr(settings, "auto_map", {})
    if type(settings) not in kinds and not remote:
        what = f"{config.model} is a {built_as or settings.model_type}, and there is no {called} of its kind"
        raise HfkitError(what, where="--model", fix=f"choose a text model, such as {such}")
    if built_as.partition("For")[2] not in PRETRAINING:
        what = f"{config.model} is a {built_as}: a model for another task"
        raise HfkitError(what, where="--model", fix=f"choose a {called} or a pretrained model{way_out}")
