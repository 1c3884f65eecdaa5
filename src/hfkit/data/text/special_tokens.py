"""Special tokens: those that users write in their texts, and the one that fills a batch."""

import re

from tokenizers import Regex, pre_tokenizers
from transformers import PreTrainedConfig, PreTrainedTokenizerBase


def read_as_text(processor: PreTrainedTokenizerBase) -> None:
    """Have the tokenizer, and every copy that is saved of it, read special tokens in a text as the text that they are.

    `</s>` in a web page is the end of its text to BART, which then refuses the batch. The tokenizer's own switch
    (`split_special_tokens`) is not enough for a Unigram model (T5, XLM-R): its special tokens are pieces of its
    vocabulary too, and the best ones. There a split after their first character keeps them from being found; texts
    without them are read as before.
    """
    processor.split_special_tokens = True
    processor.init_kwargs["split_special_tokens"] = True  # or save_pretrained leaves it out
    if not processor.is_fast:
        return
    processor.backend_tokenizer.encode_special_tokens = True
    known = set(processor.all_special_ids) - {processor.unk_token_id}
    found = [
        re.escape(token[0]) + f"(?={re.escape(token[1:])})"
        for token in processor.all_special_tokens
        if len(token) > 1 and known & set(processor(token, add_special_tokens=False)["input_ids"])
    ]
    if found:
        before = processor.backend_tokenizer.pre_tokenizer
        apart = pre_tokenizers.Split(Regex("|".join(found)), "isolated")
        processor.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*([before] if before else []), apart])


def has_padding(model_config: PreTrainedConfig) -> bool:
    """Whether the config names a padding token that the model has a vector for; some say -1, or one past the last."""
    token, size = model_config.pad_token_id, getattr(model_config, "vocab_size", None)
    return token is not None and token >= 0 and (size is None or token < size)
