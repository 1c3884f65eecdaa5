"""The words of a text that can be hidden, the tokens that they are made of, and the windows in which they are read."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from hfkit.data.text.packing import read_texts, segments
from hfkit.data.text.windows import ragged

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")

NONE = -1
"""The word of a token that is part of none: punctuation."""


def text_of(row: dict[str, Any]) -> str:
    """A document's text, all of it: of a prompt with its answer both, of a chat every turn."""
    return "".join(part.text for part in segments(row))


def words_of(text: str) -> list[tuple[int, int]]:
    """Where the words stand that can be hidden, (begin, end) in characters: runs of letters and digits; Chinese and
    Japanese character by character. It depends on the text alone, so that tokenizers are asked the same words."""
    return [match.span() for match in _WORD.finditer(text)]


def read_words(texts: list[str], processor: PreTrainedTokenizerBase) -> dict[str, list[Any]]:
    """The columns that `FillMask.encode` gives of these texts."""
    encoded = read_texts(processor, texts, special=False, return_offsets_mapping=True)
    rows = zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    found = [_row(text, ids, offsets, processor.unk_token_id) for text, ids, offsets in rows]
    return {name: [row[name] for row in found] for name in found[0]}


def _row(text: str, ids: list[int], offsets: list[tuple[int, int]], unknown: int | None) -> dict[str, Any]:
    places = words_of(text)
    owner = np.full(len(text) + 1, NONE, dtype=np.int64)  # the last place is of tokens that stand nowhere
    for number, (begin, end) in enumerate(places):
        owner[begin:end] = number
    # A token belongs to the word that it ends in: byte-level ones begin with the space before it.
    ends = [end - 1 if end > begin else len(text) for begin, end in offsets]
    stretches = [text[begin:end] if token == unknown else "" for token, (begin, end) in zip(ids, offsets, strict=True)]
    return {
        "input_ids": ids,
        "words": owner[ends] if ids else [],
        "unknown": list(map(size, stretches)),
        "sizes": [size(text[begin:end]) for begin, end in places],
        "length": len(ids),
        "truncated": False,
    }


def windows(words: np.ndarray, room: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of the windows of a text side by side, of at most `room` tokens. None parts a word, but one that is
    longer than a window."""
    begin, total = 0, len(words)
    while begin < total:
        end = min(begin + room, total)
        cut = end
        while begin < cut < total and words[cut] != NONE and words[cut] == words[cut - 1]:
            cut -= 1
        end = cut if cut > begin else end
        yield begin, end
        begin = end


def cut(encoded: Dataset, room: int) -> Iterator[tuple[int, np.ndarray, np.ndarray, np.ndarray]]:
    """The windows of encoded texts: the text's number; the window's tokens, their words and their unknown bytes."""
    table = encoded.with_format("arrow")[:]
    columns = (ragged(table[name]) for name in ("input_ids", "words", "unknown"))
    for row, (ids, words, unknown) in enumerate(zip(*columns, strict=True)):
        for begin, end in windows(words, room):
            yield row, ids[begin:end], words[begin:end], unknown[begin:end]


def windows_of(columns: dict[str, list[Any]]) -> Dataset:
    """Windows as rows."""
    kinds = dict.fromkeys(("input_ids", "words", "hidden"), List(Value("int32"))) | {"id": Value("string")}
    return Dataset.from_dict(columns, features=Features({name: kinds.get(name, Value("int64")) for name in columns}))


def size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))
