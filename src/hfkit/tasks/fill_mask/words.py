"""The words of a text: the tokens that they are made of, the windows they are read in, and which of them are hidden."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from hfkit.data.text.packing import read_texts, segments
from hfkit.data.text.windows import ragged

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")

NONE = -1
"""The word of a token that is part of none: punctuation."""

MASKED, RANDOM = 0.8, 0.1
"""Of the hidden words in training: shown as the mask token, and as random tokens; the others stay, so that the model
learns to say each word anew, whatever it sees there (Devlin et al. 2019, section 3.1)."""


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


def hidden_words(count: int, probability: float, seed: int, row: int) -> np.ndarray:
    """The numbers of a text's words that are hidden when it is judged, sorted: always the same for (seed, row).

    Masks that are drawn anew at each look make two looks incomparable: how hard a text is depends on its masks more
    than on an epoch of training. At least one word is hidden, where there is one.
    """
    if not count:
        return np.zeros(0, dtype=int)
    number = max(1, round(probability * count))
    return np.sort(np.random.default_rng([seed, row]).choice(count, number, replace=False))


def numbered(words: np.ndarray, hidden: list[int]) -> np.ndarray:
    """(tokens,): of each token of a hidden word the number of the word among those; NONE of the others."""
    return np.where(np.isin(words, hidden), np.searchsorted(hidden, words), NONE)


def shown(ids: np.ndarray, words: np.ndarray, mask: int, vocabulary: int, probability: float, key: list[int]) -> Any:
    """A window as training shows it, drawn by `key`.

    Returns:
        The tokens that the model sees, and whether each is hidden, (tokens,). A word has one fate: mask, random tokens,
        or itself.
    """
    rng = np.random.default_rng(key)
    there = np.unique(words[words != NONE])
    drawn = rng.choice(there, max(1, round(probability * len(there))), replace=False)
    fate = rng.random(len(drawn))
    seen = ids.copy()
    seen[np.isin(words, drawn[fate < MASKED])] = mask
    at_random = np.isin(words, drawn[(fate >= MASKED) & (fate < MASKED + RANDOM)])
    seen[at_random] = rng.integers(vocabulary, size=int(at_random.sum()))
    return seen, np.isin(words, drawn)


def told(model: Any, inputs: dict[str, torch.Tensor], kept: torch.Tensor) -> torch.Tensor:
    """(kept places, vocabulary): what the model says where `kept`, (rows, tokens), is true.

    The output layer is asked there alone. Over a vocabulary it is as much work as all the rest of a small encoder, and
    its answers to what is not hidden would be thrown away: MiniLM learns twice as fast so.
    """
    head = getattr(model, "module", model).get_output_embeddings()
    hook = head and head.register_forward_pre_hook(lambda _, given: (given[0][kept], *given[1:]))
    try:
        logits: torch.Tensor = model(**inputs).logits
    finally:
        if hook:
            hook.remove()
    return logits[kept] if logits.ndim == 3 else logits  # of a model whose output layer is elsewhere
