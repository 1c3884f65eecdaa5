"""What a data set's columns, rows and languages are, counted or guessed for its card."""

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from hfkit.base.sanitize import line
from hfkit.data.tables.table import Table, is_missing, is_number

SHOWN = 60  # characters of an example in a table
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
_SCRIPTS = {
    "ja": "[\u3040-\u30ff]", "ko": "[\uac00-\ud7af]", "zh": "[\u4e00-\u9fff]", "ru": "[\u0400-\u04ff]",
    "ar": "[\u0600-\u06ff]", "he": "[\u0590-\u05ff]", "el": "[\u0370-\u03ff]", "hi": "[\u0900-\u097f]",
    "th": "[\u0e00-\u0e7f]",
}  # fmt: skip
_LEAST = 0.05  # share of the texts below which a language is taken for a quotation


def columns(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    """For each column of the first split: `name`, `kind`, `missing` and `distinct` over all splits, an `example`. A
    picture is neither counted as distinct nor shown."""
    first = next(iter(tables.values()))
    found: list[dict[str, Any]] = []
    for name in first.columns:
        told: dict[str, Any] = {"name": name, "kind": "image", "missing": None, "distinct": None, "example": None}
        if name not in first.pictures:
            values = [value for table in tables.values() if name in table.columns for value in table.column(name)]
            there = [value for value in values if not is_missing(value)]
            told |= {"kind": kind(there), "missing": len(values) - len(there), "distinct": len(set(map(str, there)))}
            told["example"] = line(there[0], SHOWN) if there else None
        found.append(told)
    return found


def kind(values: list[Any]) -> str:
    """What the values of a column are, in a word or two.

    >>> kind(["1", "2"]), kind(["a", "2"]), kind([1, 2.5]), kind([])
    ('integer', 'string', 'number', 'empty')
    """
    if not values:
        return "empty"
    for name, types in (("boolean", bool), ("list", list | tuple), ("mapping", dict)):
        if all(isinstance(value, types) for value in values):
            return name
    texts = list(map(str, values))
    if all(re.fullmatch(r"\s*[+-]?\d+\s*", text) for text in texts):
        return "integer"
    if all(map(is_number, texts)):
        return "number"
    return "string" if all(isinstance(value, str) for value in values) else "mixed"


def lengths(texts: list[str]) -> dict[str, int]:
    """Words of the texts: shortest, median, the length that 95 % do not pass, longest. Languages that put no space
    between words are counted in characters, as `characters` says."""
    words, characters = [len(text.split()) for text in texts], [len(text) for text in texts]
    unspaced = sum(characters) > 30 * max(1, sum(words))
    ordered = sorted(characters if unspaced else words)
    most = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    found = {"shortest": ordered[0], "median": round(statistics.median(ordered)), "most": most}
    return found | {"longest": ordered[-1], "characters": int(unspaced)}


def sizes(pictures: list[Any]) -> str:
    """The sizes of pictures in pixels: `32 x 32`, or from the smallest to the largest."""
    found = [picture.size for picture in pictures]
    return " to ".join(dict.fromkeys(f"{width} x {height}" for width, height in (min(found), max(found))))


def guess(texts: Iterable[str], at_most: int = 2000) -> list[tuple[str, float]]:
    """The languages of the first texts with their shares, the most frequent first.

    A text whose script and words tell nothing (numbers, names, a language that is not known here) is not counted.

    >>> guess(["The film was not for me.", "Der Film ist nicht gut."])
    [('en', 0.5), ('de', 0.5)]
    """
    known: dict[str, list[str]] = {}
    for code, words in _WORDS.items():
        for word in words.split():
            known.setdefault(word, []).append(code)
    languages = (_language(text[:2000], known) for text in islice(texts, at_most))
    found = Counter(language for language in languages if language)
    total = found.total()
    return [(code, count / total) for code, count in found.most_common() if count / total >= _LEAST]


def _language(text: str, known: dict[str, list[str]]) -> str | None:
    letters = len(re.findall(r"[^\W\d_]", text))
    for code, script in _SCRIPTS.items():
        if letters and len(re.findall(script, text)) > letters * (0.1 if code == "ja" else 0.3):
            return code
    hits = Counter(code for word in re.findall(r"[^\W\d_]+", text.lower()) for code in known.get(word, ()))
    ranked = [*hits.most_common(2), (None, 0), (None, 0)]
    return ranked[0][0] if ranked[0][1] > ranked[1][1] else None
