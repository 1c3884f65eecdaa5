"""Taggers: from scratch, or a pretrained model with a head for the tags, kept or new."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING

from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.build import from_scratch
from hfkit.models.loading import Built
from hfkit.tasks import Task
from hfkit.tasks.classification import label_names
from hfkit.tasks.pretrained import on_opening, pretrained
from hfkit.tasks.token_classification.config import Config
from hfkit.tasks.token_classification.task import TokenClassification
from hfkit.tasks.token_classification.words.windows import Reader


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), 10**30, lowercase=False)
    wanted = sorted(map(str.casefold, task.model_kwargs()["id2label"].values()))
    return pretrained(
        config, task, MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING, "tagger",
        keeps_head=lambda settings: sorted(map(str.casefold, label_names(settings))) == wanted,
        settle=settle_padding_of_words,
    )  # fmt: skip


def settle_padding_of_words(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`: how batches of this model are filled."""
    task = TokenClassification.from_model(model.config, tokenizer)
    texts = [SHORT.split(), LONG.split()[-3:], LONG.split()]
    windows = [found[0] for found in Reader(tokenizer, task.max_length, task.stride).read(texts)]
    rows = [
        {"input_ids": [one.input_ids], "words": [one.words], "count": max(one.words, default=-1) + 1} for one in windows
    ]
    return settle_padding(task, lambda filled, batch: filled.answers(model, batch)[0], rows, model, tokenizer, name)


opened = on_opening(settle_padding_of_words)


def _texts(data: DatasetDict) -> Iterator[str]:
    """The training texts as a tokenizer will see them: their words."""
    for rows in data["train"].select_columns("tokens").iter(1000):
        yield from map(" ".join, rows["tokens"])
