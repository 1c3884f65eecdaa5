"""Scripts: in which letters a text is written, and what that says of its language."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from functools import cache

from hfkit.tasks.seq2seq.pairs.languages import short

JAPANESE = {"HIRAGANA", "KATAKANA"}
UNSPACED = ("Chinese", "Japanese", "Thai", "Lao", "Khmer", "Myanmar")  # scripts that put no space between words

_OF_LANGUAGES = {
    "Chinese": "zh",
    "Japanese": "ja",
    "Hangul": "ko",
    "Cyrillic": "ru uk be bg mk",
    "Arabic": "ar fa ur",
    "Hebrew": "he",
    "Greek": "el",
    "Thai": "th",
    "Devanagari": "hi mr ne",
    "Latin": "en de fr es it pt nl sv da no fi pl cs hu ro tr id vi",
}
_SCRIPT = {language: script for script, languages in _OF_LANGUAGES.items() for language in languages.split()}

# Pairs of which texts in simplified characters hold the first, and those in traditional ones the second.
_SIMPLIFIED = "们这来说时为国过对会个学么发样见问还没给话开关应点电车书买卖东长门间听读写师岁爱儿让认识难谁请谢钱几边"
_TRADITIONAL = "們這來說時為國過對會個學麼發樣見問還沒給話開關應點電車書買賣東長門間聽讀寫師歲愛兒讓認識難誰請謝錢幾邊"


@cache
def _script(character: str) -> str | None:
    """The script of a letter, as the first word of its name in Unicode; None for what is no letter."""
    return unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else None


def main_script(texts: Iterable[str]) -> str | None:
    """What most letters of the texts belong to: Latin, Cyrillic, Chinese, Japanese (where one in ten of its letters is
    kana), ...; None where there are no letters. A Chinese character, which is most of a word, counts as three."""
    counts: Counter[str] = Counter()
    for character, times in Counter("".join(texts)).items():
        if (script := _script(character)) is not None:
            counts[script] += times
    kana = sum(counts.pop(one, 0) for one in JAPANESE)
    chinese = counts.pop("CJK", 0)
    counts["Japanese" if 10 * kana > kana + chinese else "Chinese"] = kana + 3 * chinese
    script, times = counts.most_common(1)[0]
    return script.capitalize() if times else None


def script_of(language: str) -> str | None:
    """The script that a language is written in, by its code (`zh`, `zh_CN`, `zho_Hans`); None where that is not known,
    or where there are several."""
    return _SCRIPT.get(short(language))


def chinese_kinds(texts: Iterable[str]) -> tuple[int, int]:
    """How many of the texts are in simplified Chinese characters, and how many in traditional ones. It goes by 51 that
    are among the most frequent; texts without any of them count as neither."""
    simplified, traditional = set(_SIMPLIFIED), set(_TRADITIONAL)
    kinds = [(len(simplified & held), len(traditional & held)) for held in map(set, texts)]
    return sum(one > other for one, other in kinds), sum(one < other for one, other in kinds)
