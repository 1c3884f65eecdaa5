"""Masked language models: from scratch, or a pretrained encoder, with its head for hidden words or a new one."""

import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from datasets import DatasetDict
from transformers import AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING

from hfkit.base.errors import HfkitError
from hfkit.models.adapting import four_bit
from hfkit.models.adapting.padding import LONG, SHORT, settle_padding
from hfkit.models.build import from_scratch
from hfkit.models.inspection import check_vocabulary, say
from hfkit.models.loading import read_config, read_tokenizer, read_weights
from hfkit.models.names import check_folder, locate
from hfkit.models.settings import override, set_dropout
from hfkit.tasks.fill_mask.config import Config
from hfkit.tasks.fill_mask.task import CONTEXT, FillMask
from hfkit.tasks.fill_mask.words import read_words, text_of

if TYPE_CHECKING:
    from hfkit.tasks import Task


def build(
    config: Config, task: "Task", data: DatasetDict | None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase, list[str]]:
    """See `hfkit.build_model`: the model, its tokenizer, and the parameters that no checkpoint has filled."""
    if config.model.startswith("baseline:"):
        return from_scratch(config, task, data and partial(_texts, data), CONTEXT, mask=True)
    folder = locate(config.model, config.model_revision, code=config.trust_remote_code)
    check_folder(folder, config.model)
    settings = read_config(folder, config.model, config.trust_remote_code)
    _check_kind(settings, config)
    processor = read_tokenizer(folder, config.model, config.trust_remote_code)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    task.for_model(settings, processor)  # which tells the config how it is read
    four_bit.mark(settings, config.load_in_4bit)
    check_vocabulary(processor, settings, folder)
    code, fewer = config.trust_remote_code, bool(config.model_args)
    model, new = read_weights(folder, settings, code, fewer, auto_model=AutoModelForMaskedLM)
    if new:
        tied = model.config.tie_word_embeddings
        say(
            f"head: new, {config.model} has none for hidden words ({len(new)} tensors start at random"
            + ("; words are told by the vectors that they are read by)" if tied else ")")
        )
    if sentence := _settle_padding(model, processor, config.model):
        say(sentence)
    return model, processor, new


def opened(model: Any, tokenizer: PreTrainedTokenizerBase, name: str | Path) -> None:
    """How batches are filled, for a model that does not say: one that hfkit has built says it in its config."""
    if "padding" not in (getattr(model.config, "hfkit", None) or {}) and (
        sentence := _settle_padding(model, tokenizer, str(name))
    ):
        warnings.warn(sentence, stacklevel=4)


def _settle_padding(model: Any, tokenizer: PreTrainedTokenizerBase, name: str) -> str | None:
    """See `settle_padding`. What stands where is asked of every token: each is a target."""
    task = FillMask.from_model(model.config, tokenizer)
    ids = read_words([SHORT, LONG, LONG], tokenizer)["input_ids"]
    ids[1] = ids[1][-len(ids[0]) :]
    whole = [[*task.before, *row[: (task.max_length or CONTEXT) - task.around], *task.after] for row in ids]
    rows = [{"input_ids": row, "targets": [0] * len(row)} for row in whole]

    def answer(filled: FillMask, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return filled.logits(model, batch)

    return settle_padding(task, answer, rows, model, tokenizer, name)


def _texts(data: DatasetDict) -> Iterator[str]:
    """All that the training rows say."""
    yield from map(text_of, data["train"])


def _check_kind(settings: PreTrainedConfig, config: Config) -> None:
    """Refuse a model that sees one side of a word only, or none."""
    remote = config.trust_remote_code and "AutoModelForMaskedLM" in getattr(settings, "auto_map", {})
    if type(settings) not in MODEL_FOR_MASKED_LM_MAPPING and not remote:
        built_as = (settings.architectures or [settings.model_type])[0]
        raise HfkitError(
            f"{config.model} is a {built_as}, and there is no masked language model of its kind",
            where="--model",
            fix="choose an encoder, such as google-bert/bert-base-uncased",
        )
