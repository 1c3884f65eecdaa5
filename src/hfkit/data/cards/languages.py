"""Which language texts are in: a guess from scripts and the commonest words, for a person to confirm."""

import re
from collections import Counter
from collections.abc import Iterable

# The commonest short words of each; those that two languages share decide nothing and are left out.
_WORDS = {
    "en": "the and of to is that it was for with this are not you have but they from at which",
    "de": "der die und das ist nicht ein eine ich zu mit auf für den sich auch dem wie aber sie",
    "fr": "le les des et est une que pas dans pour qui sur au avec ce il cette mais sont nous",
    "es": "el los las y es una que no por con para su como pero muy más del al este ser",
    "it": "il di che è un non per una sono con del della anche gli ma più questo le molto nel",
    "pt": "o os as e é uma que não por com para seu mas muito mais do da em foi ao",
    "nl": "de het een en van is niet dat op te voor met zijn er aan ook maar bij wordt deze",
    "pl": "nie się na jest to że do jak ale po co tak za od był czy tego już jego które",
    "tr": "bir ve bu için çok ama da de ile gibi daha en değil ne olarak kadar olan var sonra ben",
}
_SCRIPTS = (
    ("ja", "[\u3040-\u30ff]"),
    ("ko", "[\uac00-\ud7af]"),
    ("zh", "[\u4e00-\u9fff]"),
    ("ru", "[\u0400-\u04ff]"),
    ("ar", "[\u0600-\u06ff]"),
    ("he", "[\u0590-\u05ff]"),
    ("el", "[\u0370-\u03ff]"),
    ("hi", "[\u0900-\u097f]"),
    ("th", "[\u0e00-\u0e7f]"),
)
_LEAST = 0.05
"""Share of the texts below which a language is taken for a quotation."""


def guess(texts: Iterable[str], at_most: int = 2000) -> list[tuple[str, float]]:
    """The languages of the first texts with their shares, the most frequent first.

    A text whose script and words tell nothing (numbers, names, a language that is not known here) is not counted.

    >>> guess(["The film was not for me.", "Der Film ist nicht gut."])
    [('en', 0.5), ('de', 0.5)]
    """
    known = {word: [code for code in _WORDS if word in _WORDS[code].split()] for word in _all_words()}
    found: Counter[str] = Counter()
    for number, text in enumerate(texts):
        if number >= at_most:
            break
        language = _language(text[:2000], known)
        if language:
            found[language] += 1
    total = sum(found.values())
    return [(code, count / total) for code, count in found.most_common() if count / total >= _LEAST]


def _all_words() -> set[str]:
    return {word for words in _WORDS.values() for word in words.split()}


def _language(text: str, known: dict[str, list[str]]) -> str | None:
    letters = len(re.findall(r"[^\W\d_]", text))
    for code, script in _SCRIPTS:
        if letters and len(re.findall(script, text)) > letters * (0.1 if code == "ja" else 0.3):
            return code
    hits: Counter[str] = Counter()
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        for code in known.get(word, ()):
            hits[code] += 1
    ranked = hits.most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return None
    return ranked[0][0]
