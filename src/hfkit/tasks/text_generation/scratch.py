"""Language model baselines by name: network, config and tokenizer that fit the training texts."""

from collections.abc import Iterable
from typing import Any

from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from hfkit.base.errors import HfkitError, nearest
from hfkit.baselines.language.tokenizers import TOKENIZERS
from hfkit.models.inspection import first_line
from hfkit.models.settings import override, set_dropout
from hfkit.tasks.text_generation import SPEC
from hfkit.tasks.text_generation.config import Config

CONTEXT = 256
"""Tokens of a training text when --max_length does not say."""


def build_language_baseline(
    config: Config, texts: Iterable[str], tokenizer: str = "bpe", max_length: int | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """An untrained language model and its tokenizer, which learns the training `texts`, read once.

    Of `config`, `model` (`baseline:<name>`), `vocab_size`, `dropout`, `attention_dropout` and `model_args` count. The
    tokenizer is "bpe", pairs of bytes, or "char"; `max_length` are the tokens of a training text, the Transformer's
    context, None 256. Raises HfkitError: no baseline or tokenizer has the name, or `--model_args` do not fit."""
    config_class, fields = SPEC.baseline_config(config.model)
    if tokenizer not in TOKENIZERS:
        what = f"there is no tokenizer {tokenizer!r}"
        raise HfkitError(what, where="--tokenizer", fix=nearest(tokenizer, TOKENIZERS))
    context = max_length or CONTEXT
    if "max_position_embeddings" in config_class.__annotations__:
        fields = {**fields, "max_position_embeddings": context}
    settings: Any = config_class(**fields)
    set_dropout(settings, config.dropout, config.attention_dropout)
    override(settings, config.model_args)
    context = getattr(settings, "max_position_embeddings", context)
    processor = TOKENIZERS[tokenizer](texts, config.vocab_size, context)
    settings.vocab_size = len(processor)
    settings.bos_token_id = processor.bos_token_id
    settings.eos_token_id = processor.eos_token_id
    settings.pad_token_id = processor.pad_token_id
    try:
        model = AutoModelForCausalLM.from_config(settings)
    except ValueError as error:
        raise HfkitError(first_line(error), where="--model_args") from error
    return model, processor
