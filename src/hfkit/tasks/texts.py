"""TextTask: what tasks share that read texts with a padding token, in rows or in windows of them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from datasets import Dataset
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.special_tokens import has_padding, read_as_text
from hfkit.models.adapting.padding import of_one_length
from hfkit.tasks.base import BaseTask, Tensors

AT_ONCE = 64  # windows that are computed together when a text is asked about, whatever its length


class TextTask(BaseTask):
    """Each is a frozen dataclass with this field: the side of a batch that is filled, or `none` where the model reads
    padding."""

    padding: str

    def filled_on(self, side: str) -> Self:
        """A copy whose batches are filled on this side."""
        own: Any = self  # a dataclass, which this class alone is not
        return replace(own, padding=side)

    def fitted(self, model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase, **settled: Any) -> Self:
        """A copy with what was `settled`, and the token and the side that batches are filled with: the side that the
        model was built or opened with, else the tokenizer's. The config is told `hfkit`."""
        saved = getattr(model_config, "hfkit", None) or {}
        side = saved.get("padding") or processor.padding_side
        return self.telling(model_config, pad_token_id=model_config.pad_token_id, padding=side, **settled)

    def parts(self, inputs: Tensors, at_once: int | None = None) -> Iterator[tuple[torch.Tensor, Tensors]]:
        """The rows of a batch in the parts that go through the model together, `at_once` of them at most, and their
        places in it: of one length where the model reads padding, else all."""
        everything = torch.arange(len(inputs["attention_mask"]), device=inputs["attention_mask"].device)
        for rows, part in of_one_length(inputs) if self.padding == "none" else [(everything, inputs)]:
            for begin in range(0, len(rows), at_once or len(rows)):
                here = slice(begin, begin + (at_once or len(rows)))
                yield rows[here], {name: value[here] for name, value in part.items()}


def added_up(
    self: BaseTask, encoded: Dataset, rows: Dataset, predictions: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The `by_example` of sums: what was found of each window, added up over each text of `encoded`."""
    document = np.asarray(rows["document"][:], dtype=int)
    return {name: np.bincount(document, weights=values, minlength=len(encoded)) for name, values in predictions.items()}


def settle_tokens(model_config: PreTrainedConfig, processor: PreTrainedTokenizerBase) -> dict[str, Any]:
    """Have batches filled with a token that the model knows, and special tokens that users write in their texts read as
    text; both are told, because both are saved. What the config keeps under `hfkit` is returned."""
    if processor.pad_token_id is None:
        processor.pad_token = processor.eos_token
    if not has_padding(model_config):
        model_config.pad_token_id = processor.pad_token_id
    read_as_text(processor)
    return getattr(model_config, "hfkit", None) or {}


def check_fast(processor: PreTrainedTokenizerBase, what: str = "where its tokens stand") -> None:
    """Refuse a tokenizer that is written in Python: it does not say this of its tokens."""
    if not processor.is_fast:
        told = f"The tokenizer {type(processor).__name__} has no fast version, which says {what}."
        raise HfkitError(told, where="--model", fix="choose a model with a fast tokenizer")


def each(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The rows of some columns."""
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def rows_of(counts: torch.Tensor) -> torch.Tensor:
    """Of the parts of some rows, `counts` of each, the row: [2, 1] -> [0, 0, 1]."""
    return torch.arange(len(counts), device=counts.device).repeat_interleave(counts)


def means(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The mean of a number, or of several, over the parts of each row, `counts` of them."""
    sums = values.new_zeros(len(counts), *values.shape[1:]).index_add(0, rows_of(counts), values)
    return sums / counts.view(-1, *[1] * (values.ndim - 1))
