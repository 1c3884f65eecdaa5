"""overlap: how far an answer is the right one, as the official scripts of SQuAD 1.1 and 2.0 count it in English.

In Chinese and Japanese characters stand for words, as in the evaluation of CMRC 2018 and MLQA: the official F1 of an
answer that is one character off would be 0, for nothing parts its words.
"""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

CHARACTER = "[\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_CHINESE = re.compile(CHARACTER)
_PARTS = re.compile(rf"{CHARACTER}|(?:(?!{CHARACTER})\S)+")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_ASCII = set(string.punctuation)


def by_character(answer: str) -> bool:
    """Whether a right answer holds Chinese or Japanese characters, so that these are counted."""
    return bool(_CHINESE.search(answer))


def normalized(answer: str, characters: bool = False) -> list[str]:
    """The words of an answer without case, punctuation and articles, or with `characters` its characters and words."""
    kept = "".join(
        one
        for one in answer.lower()
        if one not in _ASCII and not (characters and unicodedata.category(one).startswith("P"))
    )
    return _PARTS.findall(kept) if characters else _ARTICLES.sub(" ", kept).split()


def score(references: Sequence[str], answer: str, may_lack: bool) -> tuple[float, float]:
    """Exact match and F1 of an answer, each with the right answer that it fits best; where the question has none, only
    an empty answer is right. `may_lack` is as SQuAD 2.0's script, where questions may have no answer: right answers
    that are nothing but punctuation and articles do not count, and two empty answers are equal. SQuAD 1.1's gives these
    an F1 of 0."""
    known = [one for one in references if not may_lack or normalized(one, by_character(one))] or [""]
    pairs = [(normalized(one, by_character(one)), normalized(answer, by_character(one))) for one in known]
    exact = max(float(one == other) for one, other in pairs)
    return exact, max(_f1(one, other, may_lack) for one, other in pairs)


def _f1(reference: list[str], answer: list[str], may_lack: bool) -> float:
    if may_lack and not (reference and answer):
        return float(reference == answer)
    same = (Counter(reference) & Counter(answer)).total()
    return 2 * same / (len(reference) + len(answer)) if same else 0.0
