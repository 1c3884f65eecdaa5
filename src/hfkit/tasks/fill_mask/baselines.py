"""The cheap rivals of a masked language model: how frequent words are, and counts of the bytes on both sides."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from datasets import Dataset

from hfkit.baselines.language.byte_ngram import END, ByteNgram
from hfkit.tasks.fill_mask.words import hidden_words, text_of, words_of

ORDER = 6  # bytes of an n-gram: five of what stands before, and the one to say
LEARNT = 5_000_000  # bytes that are counted; of more training text the first so many
CANDIDATES = 200  # the most frequent words of the training texts, which are tried in the place of each hidden one
AT_ONCE = 500  # hidden words that are tried together: some megabytes of bytes

_ENDS = bytes([END])


def fit(train: Dataset, test: Dataset, settings: dict[str, Any], seed: int) -> dict[str, dict[str, Any]]:
    """Both rivals, fitted on `train` and asked for the very words of `test` that the model is asked for: which are
    hidden the `settings` say, by `mask_probability` and `hiding_seed`. Nothing is drawn. name -> {"prediction": nats of
    the hidden words of each text, "seconds"}."""
    began = time.perf_counter()
    texts = [text_of(row) for row in train]
    frequency = Frequency(texts)
    asked = [list(_gaps(text_of(row), at, settings)) for at, row in enumerate(test)]
    told = np.array([-sum(frequency(gap.word) for gap in gaps) for gaps in asked])
    counted = time.perf_counter() - began
    both = iter(_both_sides(texts, frequency, [gap for gaps in asked for gap in gaps]))
    sides = np.array([-sum(next(both) for _ in gaps) for gaps in asked])
    found: dict[str, dict[str, Any]] = {
        "bytes_on_both_sides": {"prediction": sides, "seconds": time.perf_counter() - began},
        "words_by_frequency": {"prediction": told, "seconds": counted},
    }
    # The better one is the rival that a verdict is about.
    return dict(sorted(found.items(), key=lambda entry: float(np.sum(entry[1]["prediction"]))))


class Frequency:
    """The log of the probability of a word by how often the training texts have it; of one that they lack, by its
    bytes. So much is left for those as there are different words (Witten and Bell 1991)."""

    def __init__(self, texts: list[str]) -> None:
        self.counts = Counter(text[begin:end] for text in texts for begin, end in words_of(text))
        self.total = self.counts.total() + len(self.counts) + 1
        words = b"".join(_ENDS + _bytes(word) for word in self.counts)
        self.spelling = ByteNgram(words + _ENDS, 3)

    def __call__(self, word: str) -> float:
        if word in self.counts:
            return math.log(self.counts[word] / self.total)
        spelled = _ENDS + _bytes(word) + _ENDS
        nats = next(self.spelling.nats([(spelled, np.arange(len(spelled)) > 0)]))
        return math.log((len(self.counts) + 1) / self.total) - nats


class Gap:
    """A hidden word, and the bytes beside it up to the next hidden one, at most as many as an n-gram looks back."""

    def __init__(self, word: str, before: bytes, behind: bytes) -> None:
        self.word, self.before, self.behind = word, before[-ORDER + 1 :], behind[: ORDER - 1]

    def filled(self, word: str) -> tuple[bytes, np.ndarray]:
        """The bytes with another word in the gap, and which of them it has to answer for: its own and those behind."""
        content = self.before + _bytes(word) + self.behind
        return content, np.arange(len(content)) >= len(self.before)


def _gaps(text: str, row: int, settings: dict[str, Any]) -> Iterator[Gap]:
    places = words_of(text)
    chosen = hidden_words(len(places), settings["mask_probability"], settings["hiding_seed"], row)
    hidden = [places[number] for number in chosen]
    firsts, lasts = [0, *(end for _, end in hidden)], [*(begin for begin, _ in hidden[1:]), len(text)]
    for (begin, end), first, last in zip(hidden, firsts, lasts, strict=False):
        start, stop = max(first, begin - ORDER), min(last, end + ORDER)
        before = _bytes(text[start:begin]) if start else _ENDS + _bytes(text[:begin])
        behind = _bytes(text[end:stop]) + (_ENDS if stop == len(text) else b"")
        yield Gap(text[begin:end], before, behind)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _both_sides(texts: list[str], frequency: Frequency, gaps: list[Gap]) -> Iterator[float]:
    """The log of the probability of each hidden word: of the frequent words as likely as they make the bytes around
    them (counts of n-grams from left to right), of the others by frequency. Both in the shares that they have in
    training."""
    learnt = b"".join(_ENDS + _bytes(text) + _ENDS for text in texts)[:LEARNT]
    model = ByteNgram(learnt, ORDER)
    best = dict(frequency.counts.most_common(CANDIDATES))
    share = sum(best.values()) / frequency.total
    left = iter(gaps)
    while some := list(islice(left, AT_ONCE)):
        nats = np.fromiter(model.nats(gap.filled(word) for gap in some for word in best), dtype=float)
        for gap, row in zip(some, nats.reshape(len(some), -1), strict=True):
            other = math.log(1 - share) + frequency(gap.word)
            if gap.word in best:
                fits = -row[list(best).index(gap.word)] - np.logaddexp.reduce(-row)
                other = float(np.logaddexp(other, math.log(share) + fits))
            yield other
