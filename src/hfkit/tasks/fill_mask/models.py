"""Masked language models: from scratch, or a pretrained encoder, with its head for hidden words or a new one."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from datasets import DatasetDict
from transformers import PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.build import from_scratch
from hfkit.models.loading import Built
from hfkit.tasks import Task
from hfkit.tasks.fill_mask.config import Config
from hfkit.tasks.fill_mask.task import CONTEXT, FillMask
from hfkit.tasks.fill_mask.words import read_words, text_of
from hfkit.tasks.pretrained import on_opening, pretrained


def build(config: Config, task: Task, data: DatasetDict | None) -> Built:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), CONTEXT, mask=True)
    # No head is made anew: its output is the matrix of the token vectors. What the checkpoint lacks starts at random.
    kinds, called = MODEL_FOR_MASKED_LM_MAPPING, "masked language model"
    return pretrained(config, task, kinds, called, keeps_head=lambda settings: True, settle=_settle_padding)


def _settle_padding(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`. What stands where is asked of every token: each is a target."""
    task = FillMask.from_model(model.config, tokenizer)
    ids = read_words([SHORT, LONG, LONG], tokenizer)["input_ids"]
    ids[1] = ids[1][-len(ids[0]) :]
    whole = [[*task.before, *row[: (task.max_length or CONTEXT) - task.around], *task.after] for row in ids]
    rows = [{"input_ids": row, "targets": [0] * len(row)} for row in whole]
    return settle_padding(task, lambda filled, batch: filled.logits(model, batch), rows, model, tokenizer, name)


opened = on_opening(_settle_padding)


def _texts(data: DatasetDict) -> Iterator[str]:
    """All that the training rows say."""
    yield from map(text_of, data["train"])
