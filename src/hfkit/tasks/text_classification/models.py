"""Text classifiers: from scratch, or a pretrained model with a head for the task, kept or new."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from datasets import DatasetDict
from transformers import PreTrainedConfig, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.data.text.truncation import COLUMNS
from hfkit.models.adapting.padding import LONG, SHORT
from hfkit.models.adapting.padding import settle_padding as settle
from hfkit.models.build import from_scratch
from hfkit.models.configs import PooledConfig
from hfkit.models.loading import Built
from hfkit.tasks import Task
from hfkit.tasks.classification import same_labels
from hfkit.tasks.pretrained import on_opening, pretrained
from hfkit.tasks.text_classification.config import Config
from hfkit.tasks.text_classification.task import TextClassification

BASELINE_LENGTH = 512  # tokens that a baseline reads of a text when --max_length does not say


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), BASELINE_LENGTH)
    model, processor, new = pretrained(
        config, task, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, "text classifier",
        keeps_head=lambda settings: same_labels(settings, task.model_kwargs()),
        settle=settle_padding,
        pooled=partial(_pooled, config=config) if config.pooling == "mean" else None,
        way_out="; --pooling mean takes this one's backbone alone",
    )  # fmt: skip
    if config.few_shot != "none":
        model.classifier.requires_grad_(False)  # a regression on the vectors; DDP wants a gradient of all that learns
    return model, processor, new


def _texts(data: DatasetDict) -> Iterator[str]:
    """The training texts, both of a pair."""
    train = data["train"]
    for column in ("text", "text_pair"):
        if column in train.column_names:
            for rows in train.select_columns(column).iter(1000):
                yield from rows[column]


def _pooled(settings: PreTrainedConfig, config: Config) -> PreTrainedConfig:
    """The config of a linear head on the mean of a model's token vectors."""
    if isinstance(settings, PooledConfig):
        return settings
    built_as = (settings.architectures or [""])[0]
    encodes = getattr(settings, "vocab_size", None) and not settings.is_encoder_decoder
    if not encodes and "ForSequenceClassification" not in built_as:
        what = f"{config.model} is no text encoder or decoder: there are no token vectors to take the mean of"
        raise HfkitError(what, where="--pooling mean", fix="drop --pooling, or choose another model")
    dropout = 0.1 if config.dropout is None else config.dropout
    return PooledConfig(backbone_config=settings, classifier_dropout=dropout)


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


opened = on_opening(settle_padding)
