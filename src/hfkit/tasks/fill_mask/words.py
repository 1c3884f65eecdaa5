"""The words of a text: the tokens that they are made of, the windows they are read in, and which of them are hidden."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from hfkit.base.errors import HfkitError
from hfkit.data.text.packing import read_texts, segments
from hfkit.data.text.windows import ragged

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "".join(chr(code) for code in range(0x300, 0xFFFF) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[^\W_{_CJK}]|[{_MARKS}\u00ad\u200c\u200d])*")

NONE = -1  # the word of a token that is part of none: punctuation

MASKED, RANDOM = 0.8, 0.1
"""Of the hidden words in training: shown as the mask token, and as random tokens; the others stay, so that the model
learns to say each word anew, whatever it sees there (Devlin et al. 2019, section 3.1)."""


def text_of(row: dict[str, Any]) -> str:
    """A document's text, all of it: of a prompt with its answer both, of a chat every turn."""
    return "".join(part.text for part in segments(row))


def words_of(text: str) -> list[tuple[int, int]]:
    """Where the words stand that can be hidden, (begin, end) in characters: runs of letters and digits with their
    marks; Chinese and Japanese character by character. It depends on the text alone: tokenizers are asked the same."""
    return [match.span() for match in _WORD.finditer(text)]


def read_words(texts: list[str], processor: PreTrainedTokenizerBase) -> dict[str, list[Any]]:
    """The columns that `FillMask.encode` gives of these texts."""
    encoded = read_texts(processor, texts, special=False, return_offsets_mapping=True)
    rows = zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True)
    found = [_row(text, ids, offsets, processor.unk_token_id) for text, ids, offsets in rows]
    return {name: [row[name] for row in found] for name in found[0]}


def _row(text: str, ids: list[int], offsets: list[tuple[int, int]], unknown: int | None) -> dict[str, Any]:
    places = words_of(text)
    owner = [NONE] * len(text)
    for number, (begin, end) in enumerate(places):
        owner[begin:end] = [number] * (end - begin)
    # A token belongs to the last word in it: byte-level ones begin with the space before it. Some hold several Chinese
    # characters: words that share a token are one, under the number of the last.
    held = [sorted({*owner[begin:end]} - {NONE}) for begin, end in offsets]
    units = list(range(len(places)))
    for token in held:
        for number in token:
            units[number] = token[-1]
    for number in reversed(range(len(places))):
        units[number] = units[units[number]]
    stretches = [text[begin:end] if token == unknown else "" for token, (begin, end) in zip(ids, offsets, strict=True)]
    return {
        "input_ids": ids,
        "words": [units[token[-1]] if token else NONE for token in held],
        "unknown": list(map(size, stretches)),
        "units": units,
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


def windows_of(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Dataset:
    """Windows as the rows of columns of these names."""
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    lists = ("input_ids", "words", "hidden", "weights", "sayable")
    kinds = dict.fromkeys(lists, List(Value("int32"))) | {"id": Value("string")}
    return Dataset.from_dict(columns, features=Features({name: kinds.get(name, Value("int64")) for name in columns}))


def some(windows: Dataset) -> Dataset:
    """The windows; refused where there are none."""
    if not len(windows):
        what = "No text of the split has a word that could be hidden: letters or digits"
        raise HfkitError(what, fix="give texts with words; --validation_size and --test_size hold more of them out")
    return windows


def size(text: str) -> int:
    """Bytes of a text in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def hidden_words(count: int, probability: float, seed: int, row: int) -> np.ndarray:
    """The numbers of a text's words that are hidden when it is judged, sorted: always the same for (seed, row).

    Masks that are drawn anew at each look make two looks incomparable: how hard a text is depends on its masks more
    than on an epoch of training. At least one word is hidden, where there is one."""
    if not count:
        return np.zeros(0, dtype=int)
    number = max(1, round(probability * count))
    return np.sort(np.random.default_rng([seed, row]).choice(count, number, replace=False))


class Asked:
    """What is asked of a text when a model is judged.

    The words are chosen by the text. One that the tokenizer makes nothing of is spelled: 8 bits a byte. A word in two
    windows, as it is longer than one, is asked for in both and counts once. `units` and `sizes` are as
    `FillMask.encode` gives them, `tokens` the word of each token of the text, the others as for `hidden_words`."""

    def __init__(
        self, units: list[int], sizes: list[int], tokens: list[int], probability: float, seed: int, row: int
    ) -> None:
        of, count = np.asarray(units, dtype=int), len(units)
        chosen = hidden_words(count, probability, seed, row)
        there = np.isin(of[chosen], tokens)
        self.times = np.bincount(of[chosen][there], minlength=count)  # chosen words that go by a number
        self.sizes = np.bincount(of, weights=sizes, minlength=count).astype(int)
        self.lost = int((~there).sum()), int(np.asarray(sizes, dtype=int)[chosen][~there].sum())
        self.begun: set[int] = set()

    def of_window(self, words: np.ndarray, unknown: np.ndarray) -> tuple[Any, ...] | None:
        """`hidden`, `weights`, `sayable`, `bytes` and `spelled`, see `FillMask.asked`; None where nothing is hidden."""
        here = np.isin(words, np.flatnonzero(self.times)) & (words != NONE)
        if not here.any():
            return None
        hidden = np.unique(words[here])
        fresh = np.array([word not in self.begun for word in hidden])
        weights = self.times[hidden] * fresh
        sayable = np.where(np.isin(hidden, words[here & (unknown > 0)]), 0, weights)
        asked, spelled = int(self.sizes[hidden][fresh].sum()), int(unknown[here].sum())
        if not self.begun:  # the text's first window answers for what has no token
            weights[0] += self.lost[0]
            asked, spelled = asked + self.lost[1], spelled + self.lost[1]
        self.begun.update(hidden.tolist())
        return hidden, weights, sayable, asked, spelled


def numbered(words: np.ndarray, hidden: list[int]) -> np.ndarray:
    """(tokens,): of each token of a hidden word the number of the word among those; NONE of the others."""
    return np.where(np.isin(words, hidden), np.searchsorted(hidden, words), NONE)


def shown(ids: np.ndarray, words: np.ndarray, mask: int, vocabulary: int, probability: float, key: list[int]) -> Any:
    """A window as training shows it, drawn by `key`. Returns the tokens that the model sees, and whether each is
    hidden, (tokens,). A word has one fate: mask, random tokens, or itself."""
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
    its answers to what is not hidden would be thrown away: a step of MiniLM is 1.5 times as fast so."""
    head = getattr(model, "module", model).get_output_embeddings()
    hook = head and head.register_forward_pre_hook(lambda _, given: (given[0][kept], *given[1:]))
    try:
        logits: torch.Tensor = model(**inputs).logits
    finally:
        if hook:
            hook.remove()
    return logits[kept] if logits.ndim == 3 else logits  # of a model whose output layer is elsewhere
