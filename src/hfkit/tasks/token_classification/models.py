"""Taggers: from scratch, or a pretrained model with a head for the tags, kept or new."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import DatasetDict
from transformers import (
    AutoModelForTokenClassification,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.heads import renew_head, say_head, settle_padding_token
from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.build import from_scratch
from hfkit.models.inspection import check_vocabulary, say
from hfkit.models.loading import read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.classification import label_names
from hfkit.tasks.token_classification.config import Config
from hfkit.tasks.token_classification.task import TokenClassification
from hfkit.tasks.token_classification.words.windows import Reader

if TYPE_CHECKING:
    from hfkit.tasks import Task

PRETRAINING = ("", "PreTraining", "MaskedLM", "CausalLM", "ConditionalGeneration")
"""Heads that everyone fine-tunes from."""


def build(
    config: Config, task: "Task", data: DatasetDict | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[str]]:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), 10**30, lowercase=False)
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    _check_kind(settings, config)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    own, wanted = sorted(map(str.casefold, label_names(settings))), task.model_kwargs()["id2label"].values()
    keep_head = own == sorted(map(str.casefold, wanted))
    if not keep_head:
        set_labels(settings, task.model_kwargs())
    settle_padding_token(settings, processor, config.model)
    # The task takes the model's order of the tags and its limit, and what comes of it is saved with the model.
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    four_bit.mark(settings, config.load_in_4bit)
    check_vocabulary(processor, settings, folder)
    code, fewer = config.trust_remote_code, bool(config.model_args)
    model, new = read_weights(folder, settings, code, fewer, auto_model=AutoModelForTokenClassification)
    if not keep_head:
        renew_head(model)
    say_head(model, keep_head, new)
    if sentence := settle_padding_of_words(model, processor, config.model):
        say(sentence)
    return model, processor, new


def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    """How batches are filled, for a model that does not say: one that hfkit has built says it in its config."""
    if "padding" not in (getattr(model.config, "hfkit", None) or {}) and (
        sentence := settle_padding_of_words(model, tokenizer, str(name))
    ):
        warnings.warn(sentence, stacklevel=4)


def settle_padding_of_words(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`: how batches of this model are filled."""
    task = TokenClassification.from_model(model.config, tokenizer)
    texts = [SHORT.split(), LONG.split()[-3:], LONG.split()]
    windows = [found[0] for found in Reader(tokenizer, task.max_length, task.stride).read(texts)]
    rows = [
        {"input_ids": [one.input_ids], "words": [one.words], "count": max(one.words, default=-1) + 1} for one in windows
    ]
    return settle_padding(task, lambda filled, batch: filled.answers(model, batch)[0], rows, model, tokenizer, name)


def _texts(data: DatasetDict) -> Iterator[str]:
    """The training texts as a tokenizer will see them: their words."""
    for rows in data["train"].select_columns("tokens").iter(1000):
        yield from map(" ".join, rows["tokens"])


def _check_kind(settings: PreTrainedConfig, config: Config) -> None:
    """Refuse a model that cannot tag words, or that was trained for another job."""
    built_as = (settings.architectures or [""])[0]
    if "ForTokenClassification" in built_as:
        return
    known = type(settings) in MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING
    remote = config.trust_remote_code and "AutoModelForTokenClassification" in getattr(settings, "auto_map", {})
    if not known and not remote:
        raise HfkitError(
            f"{config.model} is a {built_as or settings.model_type}, and there is no tagger of its kind",
            where="--model",
            fix="choose a text model, such as google-bert/bert-base-cased",
        )
    if built_as.partition("For")[2] not in PRETRAINING:
        raise HfkitError(
            f"{config.model} is a {built_as}: a model for another task",
            where="--model",
            fix="choose a tagger or a pretrained model",
        )
