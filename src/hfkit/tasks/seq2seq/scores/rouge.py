"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), equal to rouge-score's without its stemmer on ASCII.

rouge-score reads ASCII alone: it gives two equal Chinese texts 0, and "rger" against "Ärger" 1. Here a word is a run of
letters and digits of any script, and in scripts that put no space between words each character is one.
"""

import re
from collections import Counter
from collections.abc import Sequence

# Chinese, Japanese, Thai, Lao, Myanmar, Khmer; then the marks of other scripts that stand within words.
_UNSPACED = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
)
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0dff\u1dc0-\u1dff\u200c\u200d"
WORD = rf"[{_UNSPACED}]|[^\W_{_UNSPACED}](?:[^\W_{_UNSPACED}]|[{_MARKS}])*"
_WORD = re.compile(WORD)


def words(text: str) -> list[str]:
    """The words of a text in small letters, or its characters.

    >>> words("Ärger im Zoo: 動物園")
    ['ärger', 'im', 'zoo', '動', '物', '園']
    """
    return _WORD.findall(text.lower())


def rouge(prediction: str, references: Sequence[str]) -> list[float]:
    """F1 of the common words, of the common pairs of words, and of the longest common subsequence of words: (3,) from 0
    to 1, each with the reference that has the highest."""
    said, rows = words(prediction), []
    for reference in references:
        right = words(reference)
        rows.append([_common(said, right, 1), _common(said, right, 2), _f1(_longest(said, right), said, right)])
    return [max(column) for column in zip(*rows, strict=True)]


def _common(said: list[str], right: list[str], order: int) -> float:
    first, second = (Counter(zip(*(one[start:] for start in range(order)), strict=False)) for one in (said, right))
    return _f1((first & second).total(), said[order - 1 :], right[order - 1 :])


def _f1(common: int, said: Sequence[str], right: Sequence[str]) -> float:
    return 2 * common / (len(said) + len(right)) if common else 0.0


def _longest(first: list[str], second: list[str]) -> int:
    """The length of the longest common subsequence, a bit for each word of `first` (Hyyrö 2004): a step a word of
    `second`, where the usual table has a cell for each pair."""
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    open_places = every
    for word in second:
        taken = open_places & places.get(word, 0)
        open_places = (open_places + taken | open_places - taken) & every
    return len(first) - open_places.bit_count()
