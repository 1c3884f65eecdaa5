"""Text classifiers: from scratch, or a pretrained model with a head for the task, kept or new."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasets import DatasetDict
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import COLUMNS
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.heads import renew_head, say_head, settle_padding_token
from hfkit.models.adapting.padding import LONG, SHORT
from hfkit.models.adapting.padding import settle_padding as settle
from hfkit.models.build import from_scratch
from hfkit.models.configs import PooledConfig
from hfkit.models.inspection import check_vocabulary
from hfkit.models.inspection import say as _say
from hfkit.models.loading import read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout, set_labels
from hfkit.tasks.classification import same_labels
from hfkit.tasks.text_classification.config import Config
from hfkit.tasks.text_classification.task import TextClassification

if TYPE_CHECKING:
    from hfkit.tasks import Task

BASELINE_LENGTH = 512
"""Tokens that a baseline reads of a text when --max_length does not say."""


def build(
    config: Config, task: "Task", data: DatasetDict | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[str]]:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), BASELINE_LENGTH)
    return _pretrained(config, task)


def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    """How batches are filled, for a model that does not say: one that hfkit has built says it in its config."""
    if "padding" in (getattr(model.config, "hfkit", None) or {}):
        return
    if sentence := settle_padding(model, tokenizer, str(name)):
        warnings.warn(sentence, stacklevel=4)


def _texts(data: DatasetDict) -> Iterator[str]:
    """The training texts, both of a pair."""
    train = data["train"]
    for column in ("text", "text_pair"):
        if column in train.column_names:
            for rows in train.select_columns(column).iter(1000):
                yield from rows[column]


def _pretrained(config: Config, task: "Task") -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[str]]:
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    _check_kind(settings, config)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    backbone = getattr(settings, "backbone_config", None) or settings
    set_dropout(backbone, config.dropout, config.attention_dropout)
    override(backbone, config.model_args)
    pooled = config.pooling == "mean" and not isinstance(settings, PooledConfig)
    keep_head = not pooled and same_labels(settings, task.model_kwargs())
    if pooled:
        dropout = 0.1 if config.dropout is None else config.dropout
        settings = PooledConfig(backbone_config=settings, classifier_dropout=dropout)
    if not keep_head:
        set_labels(settings, task.model_kwargs())
    settle_padding_token(settings, processor, config.model)
    # The task takes the model's order of the labels and its limit, and what comes of it is saved with the model.
    set_labels(settings, task.for_model(settings, processor).model_kwargs())
    four_bit.mark(settings, config.load_in_4bit)
    check_vocabulary(processor, settings, folder)
    model, new = read_weights(folder, settings, config.trust_remote_code, fewer_layers=bool(config.model_args))
    if not keep_head:
        renew_head(model)
    say_head(model, keep_head, new)
    if sentence := settle_padding(model, processor, config.model):
        _say(sentence)
    return model, processor, new


def _check_kind(settings: PreTrainedConfig, config: Config) -> None:
    """Refuse a model that cannot classify texts, or that was trained for another job."""
    built_as = (settings.architectures or [""])[0]
    if "ForSequenceClassification" in built_as:
        return
    known = type(settings) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
    remote = config.trust_remote_code and "AutoModelForSequenceClassification" in getattr(settings, "auto_map", {})
    if config.pooling != "mean" and not known and not remote:
        raise HfkitError(
            f"{config.model} is a {built_as or settings.model_type}, and there is no text classifier of its kind",
            where="--model",
            fix="choose a text model, such as google-bert/bert-base-uncased",
        )
    if config.pooling == "mean":
        if settings.is_encoder_decoder or not getattr(settings, "vocab_size", None):
            raise HfkitError(
                f"{config.model} is no text encoder or decoder: there are no token vectors to take the mean of",
                where="--pooling mean",
                fix="drop --pooling, or choose another model",
            )
        return
    job = built_as.partition("For")[2]
    # PreTraining, MaskedLM, CausalLM, ConditionalGeneration: heads of pretraining, which everyone fine-tunes from.
    if job and job not in ("PreTraining", "MaskedLM", "CausalLM", "ConditionalGeneration"):
        raise HfkitError(
            f"{config.model} is a {built_as}: a model for another task",
            where="--model",
            fix="choose a text classifier or a pretrained model; --pooling mean takes this one's backbone alone",
        )


def settle_padding(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`: how batches of this model are filled."""
    task = replace(TextClassification.from_model(model.config, tokenizer), long_text="head")
    columns = task.truncated.encode(tokenizer, [SHORT, LONG])
    short, long = ({key: columns[key][place] for key in COLUMNS & columns.keys()} for place in range(2))
    if len(long["input_ids"]) == 1:  # a tokenizer that knows nothing of it
        long = {key: column * 2 for key, column in long.items()}
    # Both may be cut to one length, and would prove nothing: hence the end of the long one, which is shorter, too.
    end = {key: column[-(len(column) // 4 or 1) :] for key, column in long.items()}
    return settle(task, lambda filled, batch: filled.logits(model, batch), [short, end, long], model, tokenizer, name)
