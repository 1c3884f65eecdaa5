"""Special tokens: those that users write in their texts, and the one that fills a batch."""

import json
import re
from functools import lru_cache
from typing import Any

from tokenizers import Regex, normalizers, pre_tokenizers
from transformers import PreTrainedConfig, PreTrainedTokenizerBase

from hfkit.data.text.chats import Message

BREAK = "\ufdd0"
"""A noncharacter that parts a special token which somebody wrote in a chat, where a template writes true ones."""

WRITTEN = "special tokens written in a text are read as the characters that they are made of"


@lru_cache(maxsize=2)
def special_tokens(processor: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Finds the special tokens of a tokenizer in a text, those without a role (`<|eot_id|>`) too."""
    added = {str(token) for token in processor.added_tokens_decoder.values() if token.special}
    found = sorted(filter(lambda token: len(token) > 1, added | set(processor.all_special_tokens)), key=len)
    return re.compile("|".join(map(re.escape, reversed(found))) or "(?!)")


def parted(processor: PreTrainedTokenizerBase, message: Message) -> Message:
    """A message with BREAK behind the first character of each special token; the assistant's may be meant."""
    text = message["content"] or ""
    text = special_tokens(processor).sub(lambda found: found[0][0] + BREAK + found[0][1:], text)
    return message if message["role"] == "assistant" else {**message, "content": text}


def read_as_text(processor: PreTrainedTokenizerBase) -> None:
    """Have the tokenizer, and every copy that is saved of it, read special tokens in a text as the text that they are.
    `</s>` in a web page is the end of its text to BART, which then refuses the batch."""
    processor.split_special_tokens = True
    processor.init_kwargs["split_special_tokens"] = True  # or save_pretrained leaves it out
    if processor.is_fast:
        processor.backend_tokenizer.encode_special_tokens = True
    keep_pieces_apart(processor)


def keep_pieces_apart(processor: PreTrainedTokenizerBase) -> None:
    """Have the tokenizer, and its copies, find no special token by its spelling where it was told to split them. The
    tokenizers' own switch (`split_special_tokens`) is not enough for a Unigram model (T5, XLM-R, XGLM): its special
    tokens are pieces of its vocabulary too, and the best ones. A split after their first character keeps them from
    being found; texts without them are read as before, and so are special tokens that are meant."""
    if not processor.is_fast:
        return
    known = set(processor.all_special_ids) - {processor.unk_token_id}

    def found(token: str) -> bool:
        asked = processor(token, add_special_tokens=False, split_special_tokens=True)
        return bool(known & set(asked["input_ids"]))

    pieces = [token for token in processor.all_special_tokens if len(token) > 1 and found(token)]
    if pieces:
        before = processor.backend_tokenizer.pre_tokenizer
        firsts = (re.escape(token[0]) + f"(?={re.escape(token[1:])})" for token in pieces)
        apart = pre_tokenizers.Split(Regex("|".join(firsts)), "isolated")
        processor.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*([before] if before else []), apart])


def space_before_words(processor: PreTrainedTokenizerBase) -> None:
    """Have the tokenizer, and every copy that is saved of it, put a space before each word of a text given as words.
    Byte-level tokenizers (RoBERTa, ModernBERT, Qwen) write a word with the space before it, and know it by that. Given
    as words, all but the first would look like the ends of other words. RoBERTa refuses them, ModernBERT does not."""
    if not processor.is_fast:
        return
    backend = processor.backend_tokenizer
    before, normalizer = backend.pre_tokenizer, backend.normalizer
    state = json.loads(before.__getstate__()) if before is not None else {}
    if state.get("type") == "ByteLevel" and not state["add_prefix_space"]:
        state["add_prefix_space"] = True
        before.__setstate__(json.dumps(state).encode())
        backend.pre_tokenizer = before
        own: Any = processor
        own.add_prefix_space = processor.init_kwargs["add_prefix_space"] = True
        return
    levels = [part for part in state.get("pretokenizers", ()) if part["type"] == "ByteLevel"]
    written = '"Prepend"' in normalizer.__getstate__().decode() if normalizer is not None else False
    if levels and not levels[0]["add_prefix_space"] and not written:
        # What parts a word before (Qwen, Llama 3) must not get a space at each part, but at the word's beginning.
        prepend = normalizers.Prepend(" ")
        backend.normalizer = normalizers.Sequence([normalizer, prepend]) if normalizer is not None else prepend


def has_padding(model_config: PreTrainedConfig) -> bool:
    """Whether the config names a padding token that the model has a vector for; some say -1, or one past the last."""
    token, size = getattr(model_config, "pad_token_id", None), getattr(model_config, "vocab_size", None)
    return token is not None and token >= 0 and (size is None or token < size)
